//! What is kept back, and what somebody decides about it.
//!
//! An object that did not pass is kept as it came; a study that did not pass as a whole is in the
//! index and neither published nor served. Nothing is lost: either can be released, and single
//! objects can be discarded.

use anyhow::{Context, bail};
use hilum_dicom::Uid;

use super::ImagingConfig;
use super::gate::Gate;
use super::index::Index;
use super::index::kept_back::Quarantined;
use super::index::work::{Way, now};
use super::intake::{Intake, Taken, remove};

/// The quarantine of an imaging source. It may be looked into while the node runs.
#[derive(Debug)]
pub struct Quarantine {
    index: Index,
    gate: Gate,
}

/// A study that is kept back as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStudy {
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Why.
    pub reasons: Vec<String>,
}

impl Quarantine {
    /// The quarantine of an imaging source.
    ///
    /// # Errors
    /// If its store cannot be opened.
    pub fn open(config: &ImagingConfig) -> anyhow::Result<Self> {
        Ok(Self {
            index: Index::open(&config.store, &config.vault)?,
            gate: config.gate.clone(),
        })
    }

    /// The objects that are kept back, of one study or of all, in the order of arrival.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn objects(&self, study: Option<&str>) -> anyhow::Result<Vec<Quarantined>> {
        self.index.quarantined(study)
    }

    /// The studies that are kept back as a whole.
    ///
    /// # Errors
    /// If the index cannot be read.
    pub fn studies(&self) -> anyhow::Result<Vec<HeldStudy>> {
        let held = self.index.held()?.into_iter();
        let study = |(study_instance_uid, reasons)| HeldStudy {
            study_instance_uid,
            reasons,
        };
        Ok(held.map(study).collect())
    }

    /// Lets an object go into its study, whatever rule cards say. The node publishes it then. What its
    /// collection wants de-identified is de-identified now or stays. What a rejection note has taken
    /// back stays, unless the note was for quality, which a person may see differently. A volume that is
    /// no DICOM object passes at the next import.
    ///
    /// # Errors
    /// If there is none of this number, or it cannot be in its study: why. Then it is kept back still.
    pub async fn release_object(&self, number: i64) -> anyhow::Result<Quarantined> {
        let kept = self.object(number)?;
        if kept.volume {
            // It is handed in with the next import, which looks at its file again.
            self.index.released_volume(number)?;
            return Ok(kept);
        }
        let intake = Intake::open(self.index.clone(), self.gate.clone(), 0)?;
        let taken = intake.take_file(&kept.path, &kept.origin, Way::Released);
        match taken.await? {
            (Taken::Stored | Taken::AlreadyHere, Some(names)) => {
                if kept.path.starts_with(self.index.objects()) {
                    remove(&kept.path)?;
                }
                self.index.released(number, &names)?;
                self.index.scrub()?;
                Ok(kept)
            }
            (Taken::Refused(reason), _) => bail!("object {number} cannot be released: {reason}"),
            (Taken::Quarantined(reasons), _) => {
                bail!("object {number} is kept back still: {}", reasons.join("; "))
            }
            (_, None) => bail!("object {number} has no name"),
        }
    }

    /// Lets a study go that is kept back as a whole. The node publishes it then.
    ///
    /// # Errors
    /// If it is not kept back.
    pub fn release_study(&self, study: &str) -> anyhow::Result<()> {
        let uid = Uid::parse(study)?;
        match self.index.release(&uid, now())? {
            true => Ok(()),
            false => bail!("study {study} is not kept back"),
        }
    }

    /// Forgets an object. Its file is removed if it was sent here; one in a folder that was imported
    /// stays.
    ///
    /// # Errors
    /// If there is none of this number, or its file cannot be removed.
    pub fn discard_object(&self, number: i64) -> anyhow::Result<Quarantined> {
        let kept = self.object(number)?;
        if kept.path.starts_with(self.index.objects()) {
            remove(&kept.path)?;
        }
        self.index.end_quarantine(number)?;
        self.index.scrub()?;
        Ok(kept)
    }

    fn object(&self, number: i64) -> anyhow::Result<Quarantined> {
        let kept = self.index.quarantined_as(number)?;
        kept.with_context(|| format!("nothing is kept back under number {number}"))
    }
}
