//! Forgetting studies: the imaging source's part of their removal.

use std::io;

use anyhow::Context;
use hilum_dicom::Uid;

use super::index::Index;

/// What forgets studies. It may be used while the node runs.
#[derive(Debug)]
pub struct Removal {
    index: Index,
}

/// What is known of a study that is to be removed.
#[derive(Debug)]
pub struct KnownStudy {
    /// Its patient in the affinity domain, as CX, if it was ever published.
    pub patient_id: Option<String>,
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
    /// If the store cannot be opened.
    pub fn open(store: &str) -> anyhow::Result<Self> {
        let index = Index::open(store)?;
        Ok(Self { index })
    }

    /// A study, if it is here.
    ///
    /// # Errors
    /// If this is no UID, or the index cannot be read.
    pub fn study(&self, study: &str) -> anyhow::Result<Option<KnownStudy>> {
        let indexed = self.index.read(&Uid::parse(study)?)?;
        Ok(indexed.map(|indexed| KnownStudy {
            patient_id: indexed.patient_id,
        }))
    }

    /// Forgets a study, and what is kept back of it. Its files are removed if they were sent here;
    /// those in folders that were imported, and what is in other archives, stay.
    ///
    /// # Errors
    /// If this is no UID, the index cannot be written, or a file cannot be removed. Then the study
    /// is still there, and can be forgotten again.
    pub fn forget(&self, study: &str) -> anyhow::Result<Forgotten> {
        let uid = Uid::parse(study)?;
        let objects = self.index.objects();
        let indexed = self.index.read(&uid)?;
        let instances: Vec<_> = indexed
            .iter()
            .flat_map(|it| it.study.instances())
            .map(|it| it.place.clone())
            .collect();
        let kept_back = self.index.quarantined(Some(study))?;
        let of_study = instances.iter().filter_map(|place| place.path());
        let of_quarantine = kept_back.iter().map(|it| it.path.as_path());
        let mut files = 0;
        for file in of_study.chain(of_quarantine) {
            if !file.starts_with(&objects) {
                continue;
            }
            match std::fs::remove_file(file) {
                Ok(()) => files += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    let shown = || format!("{} cannot be removed", file.display());
                    return Err(error).with_context(shown);
                }
            }
        }
        for kept in &kept_back {
            self.index.end_quarantine(kept.number, false)?;
        }
        self.index.remove(&uid)?;
        Ok(Forgotten {
            instances: instances.len(),
            files,
        })
    }
}
