//! Segments that were plain become encrypted ones, while nobody has the log open.
//!
//! Each is written anew beside itself, read back, and takes its place in one step; so it can be interrupted
//! at any moment and begun again. Numbers and hashes stay, and with them heads and proofs.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hilum_security::at_rest::{KeyRing, is_damaged};

use super::LogError;
use super::leaves::Leaves;
use super::opening::lock;
use super::segment::{self, Stored};

/// Encrypts every plain segment of the log in `store`. Gives how many were plain; nothing if there is
/// no log.
pub(crate) fn encrypt(store: &Path, ring: &KeyRing) -> Result<Option<u64>, LogError> {
    let folder = store.join("segments");
    if !folder.is_dir() {
        return Ok(None);
    }
    let _lock = lock(store)?;
    let mut done = 0;
    for first in segment::numbers(&folder)? {
        let path = segment::path(&folder, first);
        let changed = encrypt_one(&folder, &path, ring).map_err(LogError::at(&path))?;
        done += u64::from(changed);
    }
    Ok(Some(done))
}

fn encrypt_one(folder: &Path, path: &Path, ring: &KeyRing) -> io::Result<bool> {
    match Leaves::of(&File::open(path)?, path) {
        // What is damaged was encrypted.
        Err(error) if is_damaged(&error) => return Ok(false),
        leaves => {
            if leaves?.are_sealed() {
                return Ok(false);
            }
        }
    }
    let plain = std::fs::read(path)?;
    let (mut begins, mut at) = (Vec::new(), 0);
    while let Some(Stored { length, .. }) = segment::first(plain.get(at..).unwrap_or_default()) {
        begins.push(at as u64);
        at += length;
    }
    if at < plain.len() {
        let why = "it holds something that is no record: start and stop the node, which mends its end, or \
                   look at it with `hilum audit verify`";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let (leaves, header) = Leaves::begin_with(Some(ring), path)?;
    let (records, _) = leaves.written(&plain, &begins)?;
    let part = path.with_extension("part");
    let mut private = OpenOptions::new();
    let private = private.create(true).truncate(true).write(true).mode(0o600);
    let mut file = private.open(&part)?;
    file.write_all(&header)?;
    file.write_all(&records)?;
    file.sync_all()?;
    if !is_same(&part, path, &plain, &begins)? {
        return Err(io::Error::other("what was encrypted is not what was plain"));
    }
    // They are made again from the records.
    match std::fs::remove_file(path.with_extension("offsets")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::rename(&part, path)?;
    File::open(folder)?.sync_all()?;
    Ok(true)
}

/// Whether the same leaves come out of what was written.
fn is_same(part: &Path, path: &Path, plain: &[u8], begins: &[u64]) -> io::Result<bool> {
    let leaves = Leaves::of(&File::open(part)?, path)?;
    let sealed = std::fs::read(part)?;
    let mut at = usize::try_from(leaves.begin()).map_err(io::Error::other)?;
    for begin in begins {
        let begin = usize::try_from(*begin).map_err(io::Error::other)?;
        let one = plain.get(begin..).and_then(segment::first);
        let other = sealed.get(at..).and_then(segment::first);
        let (Some(one), Some(other)) = (one, other) else {
            return Ok(false);
        };
        let is_same = one.index == other.index && one.said == other.said;
        if !is_same || leaves.leaf(&other)?.as_deref() != Some(one.leaf) {
            return Ok(false);
        }
        at += other.length;
    }
    Ok(at == sealed.len())
}
