//! The studies that were asked for lately, as long as their files in the index are the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;

use super::index::{self, Index, Indexed};
use hilum_dicom::Uid;
use hilum_dicom::scan::{Series, Stamp, StoredInstance};

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
    studies: Mutex<Vec<(Uid, Stamp, Arc<Loaded>)>>,
}

impl Cache {
    pub(super) const fn of(index: Index) -> Self {
        Self {
            index,
            studies: Mutex::new(Vec::new()),
        }
    }

    /// A study, if it is in the index. Reads files: not for the threads that serve connections.
    pub(super) fn study(&self, uid: &Uid) -> anyhow::Result<Option<Arc<Loaded>>> {
        let path = self.index.path(uid);
        let opened = File::open(&path).and_then(|file| {
            let stamp = Stamp::of(&file.metadata()?)?;
            Ok((file, stamp))
        });
        let (mut file, stamp) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        if let Some(known) = self.known(uid, stamp) {
            return Ok(Some(known));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(stamp.size).unwrap_or(0));
        file.read_to_end(&mut bytes)
            .with_context(|| format!("{}", path.display()))?;
        let loaded = Arc::new(Loaded::of(index::read(&bytes, &path)?));
        self.remember(uid.clone(), stamp, Arc::clone(&loaded));
        Ok(Some(loaded))
    }

    fn known(&self, uid: &Uid, stamp: Stamp) -> Option<Arc<Loaded>> {
        let mut studies = self.studies.lock().unwrap_or_else(PoisonError::into_inner);
        let at = studies.iter().position(|(known, ..)| known == uid)?;
        let entry = studies.remove(at);
        if entry.1 != stamp {
            return None;
        }
        let loaded = Arc::clone(&entry.2);
        studies.push(entry);
        Some(loaded)
    }

    fn remember(&self, uid: Uid, stamp: Stamp, loaded: Arc<Loaded>) {
        let mut studies = self.studies.lock().unwrap_or_else(PoisonError::into_inner);
        studies.retain(|(known, ..)| *known != uid);
        studies.push((uid, stamp, loaded));
        let mut instances: usize = studies.iter().map(|(.., it)| it.places.len()).sum();
        while instances > INSTANCES && studies.len() > 1 {
            let (.., forgotten) = studies.remove(0);
            instances -= forgotten.places.len();
        }
    }
}
