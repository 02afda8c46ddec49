//! The files of objects that were sent here: `objects/ab/STUDY/SOP.dcm`, where `ab` spreads studies
//! over folders.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Nobody writes a file for so long.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// The folder of the objects.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    folder: PathBuf,
}

/// A file that is being written. It is removed when this is dropped, unless it is kept.
#[derive(Debug)]
pub(in crate::imaging) struct Incoming {
    path: PathBuf,
}

impl Objects {
    /// Opens the folder, and removes what was being written long ago, when a process was killed:
    /// nobody was told that it is here. What is younger may be in the hands of another process.
    pub(super) fn open(folder: PathBuf) -> anyhow::Result<Self> {
        let incoming = folder.join("incoming");
        private(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            let entry = entry?;
            let age = entry.metadata().and_then(|it| it.modified());
            let age = age.ok().and_then(|modified| modified.elapsed().ok());
            if age.is_some_and(|age| age > ABANDONED) {
                let path = entry.path();
                fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
            }
        }
        Ok(Self { folder })
    }

    pub(super) fn begin(&self) -> anyhow::Result<Incoming> {
        let path = self
            .folder
            .join("incoming")
            .join(Uuid::new_v4().to_string());
        File::create_new(&path).with_context(|| format!("{}", path.display()))?;
        Ok(Incoming { path })
    }

    /// A place for an object, in a folder that is there. Nothing is at this place. UIDs are digits
    /// and points, so they cannot lead elsewhere.
    pub(super) fn place(&self, study: &str, sop: &str) -> anyhow::Result<PathBuf> {
        let spread = Sha256::digest(study)[0];
        let folder = self.folder.join(format!("{spread:02x}")).join(study);
        if !folder.is_dir() {
            private(&folder)?;
            // The new folder itself must be found again.
            for folder in folder.ancestors().skip(1).take(2) {
                self.sync(folder)?;
            }
        }
        let plain = folder.join(format!("{sop}.dcm"));
        if !plain.exists() {
            return Ok(plain);
        }
        Ok(folder.join(format!("{sop}.{}.dcm", Uuid::new_v4().simple())))
    }

    pub(super) fn sync(&self, folder: &Path) -> anyhow::Result<()> {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("{}", folder.display()))
    }

    pub(super) fn discard(&self, place: &Path) -> anyhow::Result<()> {
        fs::remove_file(place).with_context(|| format!("{}", place.display()))
    }
}

impl Incoming {
    pub(in crate::imaging) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_data()
    }

    /// Moves the file to its place. The folder is synced by who calls.
    pub(super) fn keep_at(&self, place: &Path) -> anyhow::Result<()> {
        fs::rename(&self.path, place).with_context(|| format!("{}", place.display()))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %self.path.display(), %error, "a file is left behind");
            }
            _ => {}
        }
    }
}

fn private(folder: &Path) -> anyhow::Result<()> {
    let mut private = DirBuilder::new();
    let made = private.recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{} cannot be made", folder.display()))
}

/// Whether two files are the same from these bytes on.
pub(super) fn same_bytes(one: (&Path, u64), other: (&Path, u64)) -> io::Result<bool> {
    let open = |(path, offset): (&Path, u64)| -> io::Result<(File, u64)> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len().saturating_sub(offset);
        file.seek(SeekFrom::Start(offset))?;
        Ok((file, length))
    };
    let ((mut one, length), (mut other, other_length)) = (open(one)?, open(other)?);
    if length != other_length {
        return Ok(false);
    }
    let (mut a, mut b) = (vec![0; 256 * 1024], vec![0; 256 * 1024]);
    loop {
        let read = one.read(&mut a)?;
        other.read_exact(&mut b[..read])?;
        if read == 0 {
            return Ok(true);
        }
        if a[..read] != b[..read] {
            return Ok(false);
        }
    }
}
