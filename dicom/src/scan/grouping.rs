//! Instances become studies.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Found, Place, Study, TakenBack};
use crate::opened;
use crate::uid::Uid;

/// Instances on their way into studies.
#[derive(Default)]
pub(super) struct Grouping {
    studies: BTreeMap<Uid, Study>,
    /// Where each SOP Instance UID was first seen.
    seen: HashMap<Uid, PathBuf>,
    /// What notes take back.
    pub(super) rejected: Vec<TakenBack>,
    /// Identical copies that were ignored.
    pub(super) copies: usize,
}

impl Grouping {
    /// Adds an instance, or says why it cannot be in any study.
    pub(super) fn add(&mut self, found: Found, path: &Path) -> Result<(), String> {
        let instance = found.instance;
        if let Some(first) = self.seen.get(&instance.sop_instance_uid) {
            if same_bytes(first, path).map_err(|error| format!("cannot be read: {error}"))? {
                self.copies += 1;
                return Ok(());
            }
            return Err(format!(
                "its SOP Instance UID belongs to another file with other content, {}",
                first.display()
            ));
        }
        let study = self.studies.entry(instance.study_instance_uid.clone());
        let study = study.or_insert_with(|| Study::of(&instance));
        // One study of two patients is a mix-up that must not be registered under either.
        if study.patient.id != instance.patient.id {
            return Err(
                "its Patient ID differs from that of the same study's other files".to_owned(),
            );
        }
        self.seen
            .insert(instance.sop_instance_uid.clone(), path.to_owned());
        match found.rejects {
            Some(rejected) => self.rejected.push(rejected),
            None => {
                let path = path.to_owned();
                let stamp = found.stamp;
                study.add(instance, Place::File { path, stamp });
            }
        }
        Ok(())
    }

    /// The studies without what was rejected.
    pub(super) fn finished(mut self, rejected: &[TakenBack]) -> Vec<Study> {
        for rejected in rejected {
            for (study, instance) in &rejected.instances {
                if let Some(study) = self.studies.get_mut(study) {
                    study.reject(instance.clone(), rejected.title);
                }
            }
        }
        let finished = |mut study: Study| {
            study.drop_rejected();
            study.sort();
            study
        };
        self.studies.into_values().map(finished).collect()
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (opened::open(one)?, opened::open(other)?);
    if one.length()? != other.length()? {
        return Ok(false);
    }
    let (mut a, mut b) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        let length = one.read(&mut a)?;
        other.read_exact(&mut b[..length])?;
        if length == 0 {
            return Ok(true);
        }
        if a[..length] != b[..length] {
            return Ok(false);
        }
    }
}
