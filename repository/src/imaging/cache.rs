//! The studies that were asked for lately, as long as they have not changed in the index.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hilum_dicom::Uid;
use hilum_dicom::scan::{Series, StoredInstance};

use super::index::{Index, Indexed};

/// How many instances the cached studies may have together: some ten megabytes.
const INSTANCES: usize = 20_000;

/// A study with its instances by SOP Instance UID.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) indexed: Indexed,
    /// Series and instance: places in the study.
    places: HashMap<Uid, (usize, usize)>,
}

impl Loaded {
    fn of(indexed: Indexed) -> Self {
        let mut places = HashMap::new();
        for (at, series) in indexed.study.series.iter().enumerate() {
            for (number, instance) in series.instances.iter().enumerate() {
                places.insert(instance.sop_instance_uid.clone(), (at, number));
            }
        }
        Self { indexed, places }
    }

    /// An instance and the series it is in.
    pub(super) fn find(&self, sop_instance_uid: &Uid) -> Option<(&Series, &StoredInstance)> {
        let (series, instance) = *self.places.get(sop_instance_uid)?;
        let series = &self.indexed.study.series[series];
        Some((series, &series.instances[instance]))
    }
}

/// The cache, most recently used study last.
#[derive(Debug)]
pub(super) struct Cache {
    index: Index,
    studies: Mutex<Vec<(Uid, Arc<Loaded>)>>,
}

impl Cache {
    pub(super) const fn of(index: Index) -> Self {
        Self {
            index,
            studies: Mutex::new(Vec::new()),
        }
    }

    /// What it is a cache of.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// A study, if it is here and not kept back. Reads files: not for the threads that serve
    /// connections.
    pub(super) fn study(&self, uid: &Uid) -> anyhow::Result<Option<Arc<Loaded>>> {
        let Some(generation) = self.index.generation(uid)? else {
            return Ok(None);
        };
        let loaded = match self.known(uid, generation) {
            Some(known) => known,
            None => {
                let Some(indexed) = self.index.read(uid)? else {
                    return Ok(None);
                };
                let loaded = Arc::new(Loaded::of(indexed));
                self.remember(uid.clone(), Arc::clone(&loaded));
                loaded
            }
        };
        Ok(loaded.indexed.held.is_none().then_some(loaded))
    }

    fn known(&self, uid: &Uid, generation: i64) -> Option<Arc<Loaded>> {
        let mut studies = self.studies.lock().unwrap_or_else(PoisonError::into_inner);
        let at = studies.iter().position(|(known, _)| known == uid)?;
        let entry = studies.remove(at);
        if entry.1.indexed.generation != generation {
            return None;
        }
        let loaded = Arc::clone(&entry.1);
        studies.push(entry);
        Some(loaded)
    }

    fn remember(&self, uid: Uid, loaded: Arc<Loaded>) {
        let mut studies = self.studies.lock().unwrap_or_else(PoisonError::into_inner);
        studies.retain(|(known, _)| *known != uid);
        studies.push((uid, loaded));
        let mut instances: usize = studies.iter().map(|(_, it)| it.places.len()).sum();
        while instances > INSTANCES && studies.len() > 1 {
            let (_, forgotten) = studies.remove(0);
            instances -= forgotten.places.len();
        }
    }
}
