//! Files of instances that are in an archive: fetched because a file is needed, and kept as long as
//! somebody reads them, or longer if there is room for that. Nothing is lost with them.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hilum_dicom::Uid;
use hilum_security::at_rest::{self, Output, Vault};
use uuid::Uuid;

/// A file that goes when nobody wants it any more.
#[derive(Debug)]
pub(in crate::imaging) struct Kept {
    path: PathBuf,
    length: u64,
}

impl Kept {
    pub(in crate::imaging) fn path(&self) -> &Path {
        &self.path
    }

    pub(in crate::imaging) const fn length(&self) -> u64 {
        self.length
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "a file is left behind");
            }
            _ => {}
        }
    }
}

/// The files of one archive.
#[derive(Debug)]
pub(super) struct Keeping {
    folder: PathBuf,
    /// Bytes of files that nobody reads.
    most: u64,
    /// How they are written.
    vault: Vault,
    kept: Mutex<Shelf>,
}

#[derive(Debug, Default)]
struct Shelf {
    /// By SOP Instance UID, each with when it was wanted last.
    files: HashMap<Uid, (u64, Arc<Kept>)>,
    bytes: u64,
    clock: u64,
}

/// A file that is being written.
pub(super) struct Writing {
    file: Output,
    kept: Kept,
}

impl Writing {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.kept.length += bytes.len() as u64;
        Ok(())
    }

    /// The file, which is complete.
    pub(super) fn finish(self) -> io::Result<Kept> {
        self.file.finish(&[&self.kept.path])?;
        Ok(self.kept)
    }
}

impl Keeping {
    pub(super) fn new(folder: PathBuf, most: u64, vault: Vault) -> Self {
        Self {
            folder,
            most,
            vault,
            kept: Mutex::default(),
        }
    }

    /// Removes what an earlier process left.
    pub(super) fn clear(&self) {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.folder.display(), %error, "files are left behind");
            }
            _ => {}
        }
    }

    /// A file to write an instance into. It is gone if it is dropped.
    pub(super) fn begin(&self) -> io::Result<Writing> {
        private(&self.folder)?;
        let path = self.folder.join(Uuid::new_v4().to_string());
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        let kept = Kept { path, length: 0 };
        let file = self.vault.output(file)?;
        Ok(Writing { file, kept })
    }

    /// A complete file that lies elsewhere on the same disk.
    pub(super) fn adopt(&self, file: &Path) -> io::Result<Kept> {
        let path = self.folder.join(Uuid::new_v4().to_string());
        private(&self.folder)?;
        at_rest::bind(self.vault.ring(), file, &path)?;
        fs::rename(file, &path)?;
        let length = at_rest::open(&path)?.length()?;
        Ok(Kept { path, length })
    }

    /// The instance whose file is complete. It stays as long as it is held, and if there is room for
    /// it, until others have taken its room.
    pub(super) fn keep(&self, instance: &Uid, kept: Kept) -> Arc<Kept> {
        let kept = Arc::new(kept);
        let mut shelf = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.length > self.most {
            return kept;
        }
        shelf.clock += 1;
        let now = shelf.clock;
        let before = shelf
            .files
            .insert(instance.clone(), (now, Arc::clone(&kept)));
        shelf.bytes += kept.length;
        shelf.bytes -= before.map_or(0, |(_, before)| before.length);
        while shelf.bytes > self.most {
            let oldest = shelf.files.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(uid, _)| uid.clone()) else {
                break;
            };
            if let Some((_, gone)) = shelf.files.remove(&oldest) {
                shelf.bytes -= gone.length;
            }
        }
        kept
    }

    /// The file of an instance, if it is here.
    pub(super) fn find(&self, instance: &Uid) -> Option<Arc<Kept>> {
        let mut shelf = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.clock += 1;
        let now = shelf.clock;
        let (used, kept) = shelf.files.get_mut(instance)?;
        *used = now;
        Some(Arc::clone(kept))
    }
}

fn private(folder: &Path) -> io::Result<()> {
    // Images name patients, who concern nobody else on this machine.
    let mut private = DirBuilder::new();
    private.recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wanted_last_stays_and_what_is_held_is_readable() {
        let folder = tempfile::tempdir().unwrap();
        let keeping = Keeping::new(folder.path().join("fetched"), 25, Vault::default());
        let uid = |number: u32| Uid::parse(&format!("1.2.{number}")).unwrap();
        let put = |number: u32| {
            let mut writing = keeping.begin().unwrap();
            writing.write(&[7; 10]).unwrap();
            keeping.keep(&uid(number), writing.finish().unwrap())
        };
        let first = put(1);
        drop(put(2));
        assert!(keeping.find(&uid(2)).is_some());
        drop(put(3));
        // The oldest has gone, but who holds it can read it.
        assert!(keeping.find(&uid(1)).is_none());
        assert_eq!(fs::read(first.path()).unwrap(), [7; 10]);
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists());
        assert!(keeping.find(&uid(2)).is_some());
        assert_eq!(
            fs::read_dir(folder.path().join("fetched")).unwrap().count(),
            2
        );
        // The same again takes no more room.
        drop(put(3));
        assert!(keeping.find(&uid(2)).is_some());
        keeping.clear();
    }

    #[test]
    fn without_room_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keeping = Keeping::new(folder.path().join("fetched"), 0, Vault::default());
        let mut writing = keeping.begin().unwrap();
        writing.write(b"x").unwrap();
        let uid = Uid::parse("1.2").unwrap();
        let kept = keeping.keep(&uid, writing.finish().unwrap());
        assert!(keeping.find(&uid).is_none());
        assert_eq!(kept.length(), 1);
        drop(kept);
        assert_eq!(
            fs::read_dir(folder.path().join("fetched")).unwrap().count(),
            0
        );
    }
}
