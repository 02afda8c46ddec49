//! One study, as its archive tells what its instances say (WADO-RS metadata, PS3.18 section 10.4).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::Uid;
use hilum_dicom::scan::{self, Place, Stamp, StoredInstance, Study};
use hilum_dicom::walk::{DataSet, Part10};
use tokio::time::{Instant, timeout_at};

use super::identity::{Coming, begin};
use super::moving::judge;
use super::{Archive, Names, Trouble, Wanted};
use crate::imaging::Room;
use crate::imaging::index::archived::Counts;

/// Instances of one study.
const MOST_INSTANCES: usize = 100_000;
/// Which transfer syntaxes an instance is available in; the first is that in which it is stored.
const AVAILABLE_TRANSFER_SYNTAX_UID: Tag = tags::AVAILABLE_TRANSFER_SYNTAX_UID;
/// Of what is read and not yet known how it is stored.
const UNKNOWN: &str = "1.2.840.10008.1.2.1";
/// What differs between images of one series that are stored in different ways.
const KIND: [Tag; 7] = [
    tags::SOP_CLASS_UID,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::LOSSY_IMAGE_COMPRESSION_METHOD,
];

/// A study that was read.
pub(super) struct ReadStudy {
    pub(super) study: Study,
    /// Why this may not be all of it.
    pub(super) incomplete: Option<String>,
}

/// A study while it is read.
struct Gathering<'a> {
    archive: &'a str,
    uid: &'a Uid,
    study: Option<Study>,
    seen: BTreeSet<Uid>,
    /// Instances of which the archive does not say how they are stored, by kind.
    kinds: HashMap<Vec<u8>, Vec<Names>>,
    /// How others are stored, as it says.
    said: BTreeMap<Uid, Uid>,
    /// Instances that could not be read, and why the last one could not.
    unread: usize,
    problem: String,
}

impl Archive {
    /// Reads a study. `known` are the transfer syntaxes of those instances that are known already.
    pub(super) async fn read(
        self: &Arc<Self>,
        room: &Arc<Room>,
        uid: &Uid,
        counts: Counts,
        known: &BTreeMap<Uid, Uid>,
    ) -> Result<Option<ReadStudy>, Trouble> {
        let mut gathering = Gathering {
            archive: &self.config.name,
            uid,
            study: None,
            seen: BTreeSet::new(),
            kinds: HashMap::new(),
            said: known.clone(),
            unread: 0,
            problem: String::new(),
        };
        let add = |data| gathering.add(data);
        match self.moving() {
            Some(moving) => moving.describe(uid, add).await?,
            None => self.web()?.metadata(uid, add).await?,
        }
        let Gathering {
            study,
            seen,
            kinds,
            mut said,
            mut unread,
            mut problem,
            ..
        } = gathering;
        let Some(mut study) = study else {
            return match unread {
                0 => Ok(None),
                _ => Err(Trouble::Failed(format!(
                    "{unread} instances of study {uid} cannot be read: {problem}"
                ))),
            };
        };
        for alike in kinds.into_values() {
            // Whoever sends compressed images sends all of their kind so.
            match self.stored_in(room, &alike[0]).await {
                Ok(stored) => {
                    said.extend(alike.into_iter().map(|it| (it.instance, stored.clone())));
                }
                // What cannot be given to anybody is not offered.
                Err(trouble @ (Trouble::Wrong(_) | Trouble::Gone)) => {
                    unread += alike.len();
                    problem = trouble.to_string();
                    let alike = alike.into_iter().map(|it| it.instance);
                    leave_out(&mut study, &alike.collect());
                }
                Err(trouble) => return Err(trouble),
            }
        }
        for series in &mut study.series {
            for instance in &mut series.instances {
                if let Some(stored) = said.get(&instance.sop_instance_uid) {
                    instance.transfer_syntax_uid = stored.clone();
                }
            }
        }
        let promised = counts.instances.and_then(|it| usize::try_from(it).ok());
        let incomplete = match promised {
            _ if unread > 0 => Some(format!("{unread} instances cannot be read: {problem}")),
            Some(promised) if promised > seen.len() => Some(format!(
                "it counts {promised} instances and tells of {}",
                seen.len()
            )),
            _ => None,
        };
        Ok(Some(ReadStudy { study, incomplete }))
    }

    /// How an instance is stored: its first bytes say so.
    async fn stored_in(self: &Arc<Self>, room: &Arc<Room>, names: &Names) -> Result<Uid, Trouble> {
        if self.moving().is_some() {
            return self.sent_in(room, names).await;
        }
        let deadline = Instant::now() + self.config.patience;
        let asked = async {
            let answer = self.web()?.instance(names).await?;
            let kind = answer.header("content-type").unwrap_or_default();
            if !kind.to_ascii_lowercase().starts_with("multipart/") {
                return begin(&mut Coming::Whole(Box::new(answer)), names).await;
            }
            let parts = answer.into_parts();
            let mut parts = parts.map_err(|error| Trouble::Failed(error.to_string()))?;
            let part = parts.next().await;
            let part = part.map_err(|trouble| Trouble::Failed(trouble.to_string()))?;
            begin(&mut Coming::Part(part.ok_or(Trouble::Gone)?), names).await
        };
        let seconds = self.config.patience.as_secs();
        let late = |_| Trouble::Failed(format!("no instance came within {seconds} seconds"));
        let begun = timeout_at(deadline, asked).await.map_err(late)??;
        Ok(begun.transfer_syntax_uid)
    }
}

impl Archive {
    /// The same, of an archive that has to send it here.
    async fn sent_in(self: &Arc<Self>, room: &Arc<Room>, names: &Names) -> Result<Uid, Trouble> {
        let unknown = Uid::parse(UNKNOWN).map_err(|error| Trouble::Failed(error.to_string()))?;
        let wanted = Wanted {
            names: names.clone(),
            sop_class_uid: unknown.clone(),
            stored_in: unknown,
            syntaxes: [].into(),
            patient: None,
        };
        let fetched = self.file(room, wanted).await;
        let fetched = fetched.map_err(|error| Trouble::Failed(format!("{error:#}")))?;
        let kept = fetched.map_err(|not_given| match not_given.gone {
            true => Trouble::Gone,
            false => Trouble::Failed(not_given.reason),
        })?;
        let names = names.clone();
        let judged = tokio::task::spawn_blocking(move || judge(&kept, &names)).await;
        judged.map_err(|error| Trouble::Failed(error.to_string()))?
    }
}

impl Gathering<'_> {
    /// Adds what one instance says. Fails if that cannot be of this study.
    fn add(&mut self, data: DataSet) -> Result<(), String> {
        if data.ascii(tags::STUDY_INSTANCE_UID).as_deref() != Some(self.uid.as_str()) {
            return Err(format!(
                "of study {}, it tells of instances of another study",
                self.uid
            ));
        }
        if self.seen.len() + self.unread >= MOST_INSTANCES {
            return Err(format!(
                "study {} has more than {MOST_INSTANCES} instances",
                self.uid
            ));
        }
        let available = data.ascii(AVAILABLE_TRANSFER_SYNTAX_UID);
        let available = available.and_then(|all| Uid::parse(all.split('\\').next()?).ok());
        let kind = kind(&data);
        let file = Part10 {
            meta: DataSet::default(),
            data,
            transfer_syntax_uid: UNKNOWN.to_owned(),
            data_offset: 0,
        };
        let nowhere = Stamp {
            size: 0,
            modified: 0,
        };
        let found = match scan::found(&file, nowhere) {
            Ok(found) => found,
            Err(problem) => {
                self.unread += 1;
                self.problem = problem;
                return Ok(());
            }
        };
        let instance = found.instance;
        if !self.seen.insert(instance.sop_instance_uid.clone()) {
            return Ok(());
        }
        let study = self.study.get_or_insert_with(|| Study::of(&instance));
        if let Some(note) = found.rejects {
            for (of, taken_back) in note.instances {
                if of == *self.uid {
                    study.reject(taken_back, note.title);
                }
            }
            return Ok(());
        }
        let uid = &instance.sop_instance_uid;
        if let Some(available) = available {
            self.said.insert(uid.clone(), available);
        } else if !self.said.contains_key(uid) {
            let alike = [instance.series_instance_uid.as_str().as_bytes(), &kind].concat();
            self.kinds.entry(alike).or_default().push(Names {
                study: self.uid.clone(),
                series: instance.series_instance_uid.clone(),
                instance: uid.clone(),
            });
        }
        study.add(instance, Place::Archive(self.archive.to_owned()));
        Ok(())
    }
}

fn leave_out(study: &mut Study, instances: &BTreeSet<Uid>) {
    for series in &mut study.series {
        let stays = |it: &StoredInstance| !instances.contains(&it.sop_instance_uid);
        series.instances.retain(stays);
    }
    study.series.retain(|series| !series.instances.is_empty());
}

fn kind(data: &DataSet) -> Vec<u8> {
    let values = KIND.map(|tag| data.bytes(tag).unwrap_or_default());
    values.join(&b"|"[..])
}
