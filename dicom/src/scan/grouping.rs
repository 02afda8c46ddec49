//! Instances become studies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Found, Series, Stamp, StoredInstance, Study};
use crate::instance::Instance;
use crate::manifest::KeyObjects;
use crate::rejection::Title;
use crate::uid::Uid;

/// Instances on their way into studies.
#[derive(Default)]
pub(super) struct Grouping {
    studies: BTreeMap<Uid, StudyBuilder>,
    /// Where each SOP Instance UID was first seen.
    seen: HashMap<Uid, PathBuf>,
    /// Study and SOP Instance UIDs, and why.
    rejected: Vec<(Uid, Uid, Title)>,
    /// Identical copies that were ignored.
    pub(super) copies: usize,
}

struct StudyBuilder {
    study: Study,
    /// Place of each series in `study.series`.
    places: HashMap<Uid, usize>,
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
        let builder = self.studies.entry(instance.study_instance_uid.clone());
        let builder = builder.or_insert_with(|| StudyBuilder::new(&instance));
        // One study of two patients is a mix-up that must not be registered under either.
        if builder.study.patient.id != instance.patient.id {
            return Err(
                "its Patient ID differs from that of the same study's other files".to_owned(),
            );
        }
        self.seen
            .insert(instance.sop_instance_uid.clone(), path.to_owned());
        match found.rejects {
            Some((title, rejected)) => {
                let rejected = rejected.into_iter();
                let rejected = rejected.map(|(study, instance)| (study, instance, title));
                self.rejected.extend(rejected);
            }
            None => builder.add(instance, found.key_objects, path, found.stamp),
        }
        Ok(())
    }

    /// The studies without what was rejected.
    pub(super) fn finished(mut self) -> Vec<Study> {
        for (study, instance, title) in self.rejected {
            if let Some(StudyBuilder { study, .. }) = self.studies.get_mut(&study) {
                let known = study.rejected_as.entry(instance.clone());
                let known = known.or_insert(title);
                *known = known.stricter(title);
                study.rejected.insert(instance);
            }
        }
        let finished = |mut builder: StudyBuilder| {
            builder.study.drop_rejected();
            builder.study.sort();
            builder.study
        };
        self.studies.into_values().map(finished).collect()
    }
}

impl StudyBuilder {
    fn new(first: &Instance) -> Self {
        let study = Study {
            uid: first.study_instance_uid.clone(),
            patient: first.patient.clone(),
            facts: first.study.clone(),
            accessions: Vec::new(),
            orders: Vec::new(),
            series: Vec::new(),
            rejected: BTreeSet::new(),
            rejected_as: BTreeMap::new(),
        };
        Self {
            study,
            places: HashMap::new(),
        }
    }

    fn add(
        &mut self,
        instance: Instance,
        key_objects: Option<KeyObjects>,
        path: &Path,
        stamp: Stamp,
    ) {
        for accession in instance.accessions {
            if !self.study.accessions.contains(&accession) {
                self.study.accessions.push(accession);
            }
        }
        for order in instance.orders {
            if !self.study.orders.contains(&order) {
                self.study.orders.push(order);
            }
        }
        let place = *self
            .places
            .entry(instance.series_instance_uid.clone())
            .or_insert_with(|| {
                let uid = instance.series_instance_uid;
                self.study.series.push(Series {
                    uid,
                    facts: instance.series,
                    instances: Vec::new(),
                });
                self.study.series.len() - 1
            });
        self.study.series[place].instances.push(StoredInstance {
            sop_instance_uid: instance.sop_instance_uid,
            sop_class_uid: instance.sop_class_uid,
            transfer_syntax_uid: instance.transfer_syntax_uid,
            number: instance.instance_number,
            size: instance.size,
            key_objects,
            path: path.to_owned(),
            stamp,
        });
    }
}

fn same_bytes(one: &Path, other: &Path) -> io::Result<bool> {
    if fs::metadata(one)?.len() != fs::metadata(other)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
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
