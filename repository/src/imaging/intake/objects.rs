//! The files of objects that were sent here: `objects/ab/STUDY/SOP.dcm`, where `ab` spreads studies
//! over folders.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use hilum_security::at_rest::{self, Opened, Output, Vault};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Objects of one name that are kept, all but one of them in quarantine.
const PLACES: u32 = 1000;
/// Younger files may be just about to be locked.
const YOUNG: Duration = Duration::from_secs(60);

/// The folder of the objects.
#[derive(Debug, Clone)]
pub(in crate::imaging) struct Objects {
    folder: PathBuf,
    vault: Vault,
}

/// A file that is being written. It is removed when this is dropped, unless it is kept.
#[derive(Debug)]
pub(in crate::imaging) struct Incoming {
    path: PathBuf,
    vault: Vault,
    /// Where it can be moved to without being changed.
    bound: Option<PathBuf>,
    /// Locked as long as somebody writes it; the system gives it back if the process is killed.
    _lock: File,
}

impl Objects {
    /// Opens the folder, and removes what was being written when a process was killed: nobody was told
    /// that it is here. What is locked is in the hands of another process.
    pub(super) fn open(folder: PathBuf, vault: Vault) -> anyhow::Result<Self> {
        let incoming = folder.join("incoming");
        private(&incoming)?;
        for entry in fs::read_dir(&incoming)? {
            let entry = entry?;
            let age = entry.metadata().and_then(|it| it.modified());
            let age = age.ok().and_then(|modified| modified.elapsed().ok());
            let path = entry.path();
            let is_locked = || File::open(&path).is_ok_and(|file| file.try_lock().is_err());
            if age.is_some_and(|age| age > YOUNG) && !is_locked() {
                remove(&path)?;
            }
        }
        Ok(Self { folder, vault })
    }

    pub(super) fn begin(&self) -> anyhow::Result<Incoming> {
        let path = self
            .folder
            .join("incoming")
            .join(Uuid::new_v4().to_string());
        let file = File::create_new(&path).with_context(|| format!("{}", path.display()))?;
        let locked = file.try_lock();
        locked.with_context(|| format!("{} cannot be locked", path.display()))?;
        Ok(Incoming {
            path,
            vault: self.vault.clone(),
            bound: None,
            _lock: file,
        })
    }

    /// Where the objects of a study are. UIDs are digits and points, so they cannot lead elsewhere.
    pub(in crate::imaging) fn of_study(folder: &Path, study: &str) -> PathBuf {
        let spread = Sha256::digest(study)[0];
        folder.join(format!("{spread:02x}")).join(study)
    }

    /// The usual place of an object.
    pub(super) fn usual_place(&self, study: &str, sop: &str) -> PathBuf {
        Self::of_study(&self.folder, study).join(format!("{sop}.dcm"))
    }

    /// A place for an object, in a folder that is there. If something is at its usual place, that is
    /// only taken if it `is_left`: a process that was killed has left it, and nobody knows of it. The
    /// same for the places after that.
    pub(super) fn place(
        &self,
        study: &str,
        sop: &str,
        is_left: impl Fn(&Path) -> anyhow::Result<bool>,
    ) -> anyhow::Result<PathBuf> {
        let folder = Self::of_study(&self.folder, study);
        if !folder.is_dir() {
            private(&folder)?;
            // The new folder itself must be found again.
            for folder in folder.ancestors().skip(1).take(2) {
                self.sync(folder)?;
            }
        }
        let others = (2..=PLACES).map(|number| folder.join(format!("{sop}.{number}.dcm")));
        for place in std::iter::once(self.usual_place(study, sop)).chain(others) {
            if !place.exists() || is_left(&place)? {
                return Ok(place);
            }
        }
        bail!("there are {PLACES} objects of the name {sop}")
    }

    pub(super) fn sync(&self, folder: &Path) -> anyhow::Result<()> {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("{}", folder.display()))
    }

    pub(super) fn discard(&self, place: &Path) -> anyhow::Result<()> {
        remove(place)
    }
}

impl Incoming {
    pub(in crate::imaging) fn path(&self) -> &Path {
        &self.path
    }

    /// Begins to write it, from its beginning. It is complete with [`Written::finish`].
    pub(in crate::imaging) fn output(&self) -> io::Result<Written> {
        let file = File::options()
            .write(true)
            .truncate(true)
            .open(&self.path)?;
        Ok(Written {
            path: self.path.clone(),
            output: self.vault.output(file)?,
        })
    }

    /// It is about to be moved here.
    pub(super) fn bind(&mut self, place: &Path) -> io::Result<()> {
        at_rest::bind(self.vault.ring(), &self.path, place)?;
        self.bound = Some(place.to_owned());
        Ok(())
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_data()
    }

    /// Moves the file to its place. The folder is synced by who calls.
    pub(super) fn keep_at(&mut self, place: &Path) -> anyhow::Result<()> {
        if self.bound.as_deref() != Some(place) {
            self.bind(place)?;
            self.sync()?;
        }
        fs::rename(&self.path, place).with_context(|| format!("{}", place.display()))
    }
}

/// A file that is being written.
pub(in crate::imaging) struct Written {
    path: PathBuf,
    output: Output,
}

impl Written {
    /// Writes the rest.
    pub(in crate::imaging) fn finish(self) -> io::Result<()> {
        self.output.finish(&[&self.path]).map(drop)
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
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

/// Removes a file, if it is there.
pub(in crate::imaging) fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", file.display()))
        }
        _ => Ok(()),
    }
}

fn private(folder: &Path) -> anyhow::Result<()> {
    let mut private = DirBuilder::new();
    let made = private.recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("{} cannot be made", folder.display()))
}

/// Whether two files are the same from these bytes on.
pub(super) fn same_bytes(one: (&Path, u64), other: (&Path, u64)) -> io::Result<bool> {
    let open = |(path, offset): (&Path, u64)| -> io::Result<(Opened, u64)> {
        let mut file = at_rest::open(path)?;
        let length = file.length()?.saturating_sub(offset);
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
