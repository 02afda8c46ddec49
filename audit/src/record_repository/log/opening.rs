//! Opening the log: what an earlier process could not finish is mended, and nothing that was
//! acknowledged is touched.
//!
//! Records are acknowledged after they are on disk, and their hashes are written after that. So of
//! what follows the last hash and the last signed head, nobody was told anything: if it is no whole
//! record, it is cut off and put aside. Everything before was acknowledged: if it is no whole record,
//! somebody has changed it or the disk has. It is left as it is, and the log goes on in a new segment.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, RwLock};

use tokio::sync::watch;

use super::headers;
use super::segment::{self, OpenFiles, Segment};
use super::writing::Writer;
use super::{LogConfig, LogError, Shared};
use crate::record_repository::tree::{Hash, Tree};

pub(super) fn open(config: &LogConfig, signed: u64) -> Result<(Writer, Arc<Shared>), LogError> {
    let store = &config.store;
    let folder = store.join("segments");
    for folder in [&folder, &store.join("tree")] {
        // Records name patients, who concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(folder);
        made.map_err(LogError::at(folder))?;
    }
    let lock = lock(store)?;
    let tree = Tree::open(&store.join("tree")).map_err(LogError::at(&store.join("tree")))?;
    let mut segments = Vec::new();
    let files = Arc::new(OpenFiles::default());
    for (first, leaves) in headers::read(&folder, config.vault.ring())? {
        let segment = Segment::open(&folder, first, leaves, &files);
        segments.push(segment.map_err(LogError::at(&segment::path(&folder, first)))?);
    }
    complete_offsets(&segments)?;
    let there = tree.length().map_err(LogError::at(store))?;
    // Everything before this number was acknowledged.
    let floor = there.max(signed);
    let (end, goes_on) = match segments.last() {
        Some(last) => mend(store, last, &tree, (there, signed))?,
        None => (floor, false),
    };
    let there = tree.length().map_err(LogError::at(store))?;
    if there < end {
        return Err(LogError::Shortened {
            store: store.clone(),
            there,
            signed: end,
        });
    }
    segments.iter().for_each(tell_if_locked);
    let begun = segments.last().and_then(|last| last.edge(false));
    let segments: Vec<Arc<Segment>> = segments.into_iter().map(Arc::new).collect();
    let segment = segments.last().filter(|_| goes_on).cloned();
    let shared = Arc::new(Shared {
        store: store.clone(),
        vault: config.vault.clone(),
        tree,
        segments: RwLock::new(segments),
        end: watch::Sender::new(end),
        _lock: lock,
    });
    let writer = Writer {
        shared: Arc::clone(&shared),
        folder,
        segment,
        begun: begun.map(|record| record.at),
        open: files,
        ring: config.vault.ring().cloned(),
        segment_bytes: config.segment_bytes,
        segment_time: config.segment_time,
    };
    Ok((writer, shared))
}

/// Says which records cannot be read because the header of their file is damaged.
fn tell_if_locked(segment: &Segment) {
    if segment.is_locked() {
        tracing::error!(
            segment = %segment.path().display(),
            first = segment.first(),
            last = segment.end().saturating_sub(1),
            "a file of the audit log is damaged where it begins: its records cannot be read unless it is put \
             back from a copy, see `hilum audit verify`"
        );
    }
}

pub(super) fn lock(store: &Path) -> Result<File, LogError> {
    let path = store.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(LogError::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LogError::InUse {
            store: store.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(LogError::File { path, source }),
    }
}

/// Makes sure that it is known where each record begins, of all segments but the last.
fn complete_offsets(segments: &[Segment]) -> Result<(), LogError> {
    for pair in segments.windows(2) {
        let [segment, next] = pair else { continue };
        if segment.end() == next.first() {
            continue;
        }
        let at = |error| LogError::at(segment.path())(error);
        let bytes = segment.bytes().map_err(at)?;
        let (mut offsets, _, length) = segment.whole(&bytes).map_err(at)?;
        let most = next.first().saturating_sub(segment.first());
        offsets.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        segment.keep_offsets(&offsets, length as u64).map_err(at)?;
        if segment.end() != next.first() {
            tracing::error!(
                segment = %segment.path().display(),
                first = segment.end(),
                last = next.first().saturating_sub(1),
                "records of the audit log are damaged or missing: see `hilum audit verify`"
            );
        }
    }
    Ok(())
}

/// Mends the last segment. Gives the number of the next record, and whether it can go there.
fn mend(
    store: &Path,
    last: &Segment,
    tree: &Tree,
    (there, signed): (u64, u64),
) -> Result<(u64, bool), LogError> {
    let at = |error| LogError::at(last.path())(error);
    let bytes = last.bytes().map_err(at)?;
    let (offsets, hashes, length) = last.whole(&bytes).map_err(at)?;
    let end = last.first() + offsets.len() as u64;
    let floor = there.max(signed);
    let untouched = end >= floor;
    let mut whole = bytes.len();
    if untouched && length < bytes.len() {
        set_aside(store, end, &bytes[length..])?;
        whole = length;
    }
    if !untouched {
        tracing::error!(
            first = end,
            last = floor - 1,
            "records of the audit log are damaged or missing: see `hilum audit verify`"
        );
    }
    last.keep_offsets(&offsets, length as u64).map_err(at)?;
    // Whole records may be there that never reached the disk; from now on they count.
    last.cut(whole as u64).map_err(at)?;
    let fixed = match last.is_locked() {
        // The hashes that stand beside its records prove nothing against those in the tree.
        true => floor,
        false => signed,
    };
    complete_tree(tree, last.first(), &hashes, (there, fixed)).map_err(at)?;
    // Nothing can be sealed with a key that is lost.
    Ok((end.max(floor), untouched && !last.is_locked()))
}

/// Puts hashes in that are missing. What stands there and was signed for is never changed.
fn complete_tree(
    tree: &Tree,
    first: u64,
    hashes: &[Hash],
    (there, signed): (u64, u64),
) -> std::io::Result<()> {
    for (index, hash) in (first..).zip(hashes) {
        let known = if index < there {
            tree.leaf(index)?
        } else {
            Hash::default()
        };
        if known == *hash {
            continue;
        }
        if index >= signed || known == Hash::default() {
            tree.put(index, std::slice::from_ref(hash))?;
        } else {
            tracing::error!(
                record = index,
                "a record of the audit log is not what was signed for: see `hilum audit verify`"
            );
        }
    }
    let size = there.max(first + hashes.len() as u64);
    tree.mend(first.min(there), size)?;
    tree.sync()
}

/// Keeps what is cut off: it was never acknowledged, but it is not thrown away.
fn set_aside(store: &Path, index: u64, rest: &[u8]) -> Result<(), LogError> {
    let folder = store.join("torn");
    let mut private = DirBuilder::new();
    let made = private.recursive(true).mode(0o700).create(&folder);
    made.map_err(LogError::at(&folder))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_millis();
    let path = folder.join(format!("{index:020}.{now}"));
    let kept = std::fs::write(&path, rest).and_then(|()| File::open(&path)?.sync_all());
    kept.map_err(LogError::at(&path))?;
    tracing::warn!(
        bytes = rest.len(),
        kept = %path.display(),
        "the audit log ended in an unfinished record, which was cut off; nobody was told that it was kept"
    );
    Ok(())
}
