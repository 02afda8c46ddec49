//! Where the instances of each study are: one JSON file for each study, replaced as a whole.
//!
//! A file is written beside its place, made durable, and renamed, so that whoever reads sees the
//! old or the new one, and a crash leaves either. One process at a time imports ([`Index::lock`]);
//! any number may read.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::folder_of;
use super::manifest::Manifest;
use hilum_dicom::Uid;
use hilum_dicom::scan::Study;

/// The form of the files; raised when an older program could not read them any more.
const VERSION: u32 = 1;

/// A study that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Indexed {
    version: u32,
    /// Its patient in the affinity domain, as CX.
    pub(super) patient_id: String,
    /// Its instances and where they are.
    pub(super) study: Study,
    /// The manifest by which it can be found.
    pub(super) registered: Option<Manifest>,
    /// The manifest that was about to be handed in. It is in the index before it is sent; if it is
    /// still there at the next import, nobody knows whether it arrived.
    pub(super) planned: Option<Manifest>,
}

impl Indexed {
    pub(super) const fn new(
        patient_id: String,
        study: Study,
        registered: Option<Manifest>,
        planned: Option<Manifest>,
    ) -> Self {
        Self {
            version: VERSION,
            patient_id,
            study,
            registered,
            planned,
        }
    }
}

/// The folder of the index.
#[derive(Debug, Clone)]
pub(super) struct Index {
    folder: PathBuf,
}

/// Held while studies are imported; the system gives it back if the process is killed.
#[derive(Debug)]
pub(super) struct ImportLock {
    _file: File,
}

impl Index {
    /// The index at `file:PATH`. The folder is made if it is not there.
    pub(super) fn open(url: &str) -> anyhow::Result<Self> {
        let folder = folder_of(url)?;
        // Studies name patients, who concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(&folder);
        made.and_then(|()| fs::read_dir(&folder))
            .with_context(|| format!("{} cannot be used", folder.display()))?;
        Ok(Self { folder })
    }

    /// Whether files can be written here.
    pub(super) fn probe(&self) -> anyhow::Result<()> {
        let file = self.folder.join(format!("probe-{}", std::process::id()));
        let written = File::create(&file).and_then(|file| file.sync_all());
        let removed = fs::remove_file(&file);
        written
            .and(removed)
            .with_context(|| format!("{} cannot be written", self.folder.display()))
    }

    /// Keeps others from importing at the same time.
    pub(super) fn lock(&self) -> anyhow::Result<ImportLock> {
        let path = self.folder.join("import.lock");
        let shown = path.display();
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("{shown} cannot be opened"))?;
        match file.try_lock() {
            Ok(()) => Ok(ImportLock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!("another import is running for {}", self.folder.display())
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{shown} cannot be locked"))
            }
        }
    }

    /// Where a study is or would be. A UID is digits and points: it cannot lead elsewhere.
    pub(super) fn path(&self, study: &Uid) -> PathBuf {
        self.folder.join(format!("{study}.json"))
    }

    /// The studies that are here.
    pub(super) fn studies(&self) -> anyhow::Result<Vec<Uid>> {
        let mut studies = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let uid = name.to_str().and_then(|name| name.strip_suffix(".json"));
            studies.extend(uid.and_then(|uid| Uid::parse(uid).ok()));
        }
        studies.sort();
        Ok(studies)
    }

    /// A study, if it is here.
    pub(super) fn read(&self, study: &Uid) -> anyhow::Result<Option<Indexed>> {
        match fs::read(self.path(study)) {
            Ok(bytes) => read(&bytes, &self.path(study)).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("{}", self.path(study).display())),
        }
    }

    /// Puts a study in its place, durably.
    pub(super) fn write(&self, indexed: &Indexed) -> anyhow::Result<()> {
        let place = self.path(&indexed.study.uid);
        let beside = place.with_extension("json.new");
        let write = || -> io::Result<()> {
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(indexed)?)?;
            file.sync_all()?;
            fs::rename(&beside, &place)?;
            self.sync()
        };
        write().with_context(|| format!("{} cannot be written", place.display()))
    }

    /// Forgets a study, durably.
    pub(super) fn remove(&self, study: &Uid) -> anyhow::Result<()> {
        let place = self.path(study);
        fs::remove_file(&place)
            .and_then(|()| self.sync())
            .with_context(|| format!("{} cannot be removed", place.display()))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

/// Reads a file of the index; `path` is for the error only.
pub(super) fn read(bytes: &[u8], path: &Path) -> anyhow::Result<Indexed> {
    let unreadable = || format!("{} is damaged; import the study again", path.display());
    let indexed: Indexed = serde_json::from_slice(bytes).with_context(unreadable)?;
    if indexed.version != VERSION {
        bail!("{} was written by another version of Hilum", path.display());
    }
    Ok(indexed)
}
