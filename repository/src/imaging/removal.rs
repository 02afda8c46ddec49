//! Forgetting studies: the imaging source's part of their removal.
//!
//! What is removed elsewhere first, the manifests, is remembered here before. So a removal that is cut
//! short anywhere is finished when it is said again.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hilum_dicom::Uid;
use hilum_security::at_rest::Vault;

use super::index::work::{Claimant, now};
use super::index::{Damaged, Index, Lock};
use super::intake::Objects;

/// How long to wait for the node if it is publishing the study.
const PATIENCE: Duration = Duration::from_secs(60);

/// What forgets studies. It may be used while the node runs, but not beside an import.
#[derive(Debug)]
pub struct Removal {
    index: Index,
    _lock: Lock,
}

/// What is known of a study that is to be removed.
#[derive(Debug)]
pub struct KnownStudy {
    /// Its patient in the affinity domain, as CX, if it was ever published.
    pub patient_id: Option<String>,
    /// uniqueId of the manifest that was handed in last, if one was.
    pub manifest: Option<String>,
    /// What [`Removal::begin`] was told, if its removal has begun before.
    pub begun: Option<String>,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forgotten {
    /// Instances of the study.
    pub instances: usize,
    /// Files that had been sent here, and were removed.
    pub files: usize,
}

impl Removal {
    /// For the store at `file:PATH`.
    ///
    /// # Errors
    /// If the store cannot be opened, or an import or another removal is running.
    pub fn open(store: &str, vault: &Vault) -> anyhow::Result<Self> {
        let index = Index::open(store, vault)?;
        let lock = index.lock()?;
        Ok(Self { index, _lock: lock })
    }

    /// A study, if it or something of it that is kept back is here. From now on the node does not
    /// publish it.
    ///
    /// # Errors
    /// If this is no UID, the index cannot be used, or the node does not come to an end with it.
    pub async fn study(&self, study: &str) -> anyhow::Result<Option<KnownStudy>> {
        let uid = Uid::parse(study)?;
        self.claim(&uid).await?;
        let begun = self.index.removal(&uid)?;
        let indexed = match self.index.read(&uid) {
            // It can be removed without being understood.
            Err(damaged) if damaged.is::<Damaged>() => {
                return Ok(Some(KnownStudy {
                    patient_id: None,
                    manifest: None,
                    begun,
                }));
            }
            read => read?,
        };
        let Some(indexed) = indexed else {
            let is_here = begun.is_some() || !self.index.quarantined(Some(study))?.is_empty();
            return Ok(is_here.then_some(KnownStudy {
                patient_id: None,
                manifest: None,
                begun,
            }));
        };
        let manifest = indexed.planned.or(indexed.registered);
        Ok(Some(KnownStudy {
            patient_id: indexed.patient_id,
            manifest: manifest.map(|it| it.sop_instance_uid.to_string()),
            begun,
        }))
    }

    async fn claim(&self, study: &Uid) -> anyhow::Result<()> {
        let begun = Instant::now();
        while self.index.generation(study)?.is_some()
            && !self.index.claim(study, Claimant::Import, now())?
        {
            if begun.elapsed() > PATIENCE {
                bail!("the node is publishing study {study}; try again later");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Remembers what else must go with a study, before anything of it goes.
    ///
    /// # Errors
    /// If this is no UID, or the index cannot be written.
    pub fn begin(&self, study: &str, what_else: &str) -> anyhow::Result<()> {
        self.index.begin_removal(&Uid::parse(study)?, what_else)
    }

    /// Lets the node have a study that is not removed after all.
    ///
    /// # Errors
    /// If this is no UID, or the index cannot be written.
    pub fn leave(&self, study: &str) -> anyhow::Result<()> {
        self.index.put_off(&Uid::parse(study)?, "a removal", now())
    }

    /// Forgets a study, and what is kept back of it. Its files are removed if they were sent here;
    /// those in folders that were imported, and what is in other archives, stay.
    ///
    /// # Errors
    /// If this is no UID, the index cannot be written, or a file cannot be removed. Then the study
    /// is still there, and can be forgotten again.
    pub fn forget(&self, study: &str) -> anyhow::Result<Forgotten> {
        let uid = Uid::parse(study)?;
        // Nothing of it comes to its place meanwhile.
        let _lock = self.index.lock_objects()?;
        let instances = match self.index.read(&uid) {
            Err(damaged) if damaged.is::<Damaged>() => 0,
            read => read?.map_or(0, |indexed| indexed.study.instances().count()),
        };
        let files = remove_folder(&Objects::of_study(&self.index.objects(), study))?;
        self.index.forget(&uid)?;
        Ok(Forgotten { instances, files })
    }
}

/// Removes a folder of files, durably, and says how many there were.
fn remove_folder(folder: &Path) -> anyhow::Result<usize> {
    let shown = || format!("{} cannot be removed", folder.display());
    let files = match fs::read_dir(folder) {
        Ok(files) => files.count(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(shown),
    };
    fs::remove_dir_all(folder).with_context(shown)?;
    if let Some(above) = folder.parent() {
        let synced = File::open(above).and_then(|above| above.sync_all());
        synced.with_context(shown)?;
    }
    Ok(files)
}
