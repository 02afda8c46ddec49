//! An archive that speaks DICOM's own protocol: it is asked with C-FIND, and has to send what is
//! wanted (C-MOVE, PS3.4 annex C) to our own provider, as if we were anybody. What it sends is known
//! by its name and by who sends it, goes to whoever waits for it, and is not taken in.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use hilum_dicom::walk::DataSet;
use hilum_dicom::{Uid, walk};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::keeping::Kept;
use super::listing::{Listed, Listing, Window, counts, uid};
use super::{Names, Trouble};
use crate::imaging::dimse::requestor::{Identifier, Level, Model, Requested, Wanted};
use crate::imaging::dimse::{Peer, Requestor, RequestorError};

/// Matches of one query: what is listed of one archive.
const MOST_FOUND: usize = 1_000_000;
/// How long it is remembered that something was waited for, so that what comes late is not taken for
/// something that was sent to stay.
const REMEMBERED: Duration = Duration::from_secs(600);
const MODEL: Model = Model::Study;

/// What an archive is asked of a study, its series and its instances.
const OF_STUDY: [Tag; 11] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::ACCESSION_NUMBER,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_DESCRIPTION,
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_ID,
];
const OF_SERIES: [Tag; 5] = [
    tags::SERIES_INSTANCE_UID,
    tags::MODALITY,
    tags::SERIES_NUMBER,
    tags::SERIES_DESCRIPTION,
    tags::BODY_PART_EXAMINED,
];
const OF_INSTANCE: [Tag; 7] = [
    tags::SOP_INSTANCE_UID,
    tags::SOP_CLASS_UID,
    tags::INSTANCE_NUMBER,
    tags::ROWS,
    tags::COLUMNS,
    tags::NUMBER_OF_FRAMES,
    tags::AVAILABLE_TRANSFER_SYNTAX_UID,
];

/// An instance that came, or why it does not.
pub(super) type Arrival = Result<Arc<Kept>, Trouble>;

/// The archive's application entity.
#[derive(Debug)]
pub(super) struct Moving {
    peer: Peer,
    requestor: Requestor,
    awaited: Mutex<HashMap<Uid, Awaited>>,
    tickets: AtomicU64,
}

/// Those who wait for an instance.
#[derive(Debug)]
struct Awaited {
    since: Instant,
    waiting: Vec<(Ticket, oneshot::Sender<Arrival>)>,
}

/// Tells those apart who wait for the same.
pub(super) type Ticket = u64;

impl Moving {
    pub(super) fn new(peer: Peer, requestor: Requestor) -> Self {
        Self {
            peer,
            requestor,
            awaited: Mutex::default(),
            tickets: AtomicU64::new(0),
        }
    }

    /// `dicom://AE@HOST:PORT`
    pub(super) fn url(&self) -> String {
        format!("dicom://{}", self.peer)
    }

    /// AE titles: ours and the archive's.
    pub(super) fn titles(&self) -> (&str, &str) {
        (self.requestor.ae_title(), &self.peer.ae_title)
    }

    /// Whether it answers, and lets itself be asked.
    pub(super) async fn probe(&self) -> Result<(), String> {
        let wanted = [Wanted::Echo, Wanted::Find(MODEL), Wanted::Move(MODEL)];
        let associated = self.requestor.associate(&self.peer, &wanted).await;
        let mut asking = associated.map_err(|error| error.to_string())?;
        for (wanted, what) in wanted.iter().zip(["C-ECHO", "C-FIND", "C-MOVE"]) {
            if !asking.takes(wanted) {
                let peer = &self.peer;
                return Err(format!("{peer} does not offer {what} (Study Root)"));
            }
        }
        asking.echo().await.map_err(|error| error.to_string())?;
        // It has said that it is there.
        let _ = asking.release().await;
        Ok(())
    }

    async fn asking(&self, wanted: Wanted) -> Result<Requested, Trouble> {
        let associated = self.requestor.associate(&self.peer, &[wanted]).await;
        associated.map_err(|error| failed(&error))
    }

    /// The studies in a window, of these modalities or of any.
    pub(super) async fn studies(
        &self,
        window: &Window,
        modalities: &[String],
    ) -> Result<Listing, Trouble> {
        let mut listing = Listing {
            complete: true,
            ..Listing::default()
        };
        let any = modalities.is_empty().then_some(None);
        let modalities = modalities.iter().map(|it| Some(it.as_str()));
        let mut asking = self.asking(Wanted::Find(MODEL)).await?;
        for modality in any.into_iter().chain(modalities) {
            let mut asked = Identifier::at(Level::Study)
                .returned(tags::STUDY_INSTANCE_UID)
                .returned(tags::NUMBER_OF_STUDY_RELATED_SERIES)
                .returned(tags::NUMBER_OF_STUDY_RELATED_INSTANCES);
            asked = match &window.from {
                Some(from) => asked.key(tags::STUDY_DATE, &format!("{from}-")),
                None => asked.returned(tags::STUDY_DATE),
            };
            if let Some(modality) = modality {
                asked = asked.key(tags::MODALITIES_IN_STUDY, modality);
            }
            let found = asking.find(MODEL, &asked, MOST_FOUND).await;
            let found = found.map_err(|error| failed(&error))?;
            listing.complete &= !found.more;
            for data in found.data_sets {
                match uid(&data, tags::STUDY_INSTANCE_UID) {
                    Some(uid) => {
                        let date = data.ascii(tags::STUDY_DATE).filter(|it| !it.is_empty());
                        let counts = counts(&data);
                        listing.studies.insert(uid, Listed { counts, date });
                    }
                    None => listing.complete = false,
                }
            }
        }
        let _ = asking.release().await;
        Ok(listing)
    }

    /// Whether it lists a study.
    pub(super) async fn lists(&self, study: &Uid) -> Result<bool, Trouble> {
        let asked = Identifier::at(Level::Study).key(tags::STUDY_INSTANCE_UID, study.as_str());
        let mut asking = self.asking(Wanted::Find(MODEL)).await?;
        let found = asking.find(MODEL, &asked, 10).await;
        let found = found.map_err(|error| failed(&error))?.data_sets;
        let _ = asking.release().await;
        let mut found = found
            .iter()
            .filter_map(|it| uid(it, tags::STUDY_INSTANCE_UID));
        Ok(found.any(|it| it == *study))
    }

    /// SOP Instance UIDs of a series.
    pub(super) async fn instances(&self, study: &Uid, series: &Uid) -> Result<Vec<Uid>, Trouble> {
        let mut asking = self.asking(Wanted::Find(MODEL)).await?;
        let found = instances(&mut asking, study, series, &[tags::SOP_INSTANCE_UID]).await?;
        let _ = asking.release().await;
        let found = found
            .iter()
            .filter_map(|it| uid(it, tags::SOP_INSTANCE_UID));
        Ok(found.collect())
    }

    /// What it tells of the instances of a study: far less than they say themselves.
    pub(super) async fn describe(
        &self,
        study: &Uid,
        mut each: impl FnMut(DataSet) -> Result<(), String>,
    ) -> Result<(), Trouble> {
        let mut asking = self.asking(Wanted::Find(MODEL)).await?;
        let with = |asked: Identifier, all: &[Tag]| {
            all.iter().fold(asked, |asked, tag| asked.returned(*tag))
        };
        let of_study = Identifier::at(Level::Study).key(tags::STUDY_INSTANCE_UID, study.as_str());
        let found = asking.find(MODEL, &with(of_study, &OF_STUDY), 2).await;
        let found = found.map_err(|error| failed(&error))?.data_sets;
        let found = found.first().ok_or(Trouble::Gone)?;
        let of_series = Identifier::at(Level::Series).key(tags::STUDY_INSTANCE_UID, study.as_str());
        let all = asking
            .find(MODEL, &with(of_series, &OF_SERIES), MOST_FOUND)
            .await;
        for one in all.map_err(|error| failed(&error))?.data_sets {
            let Some(series) = uid(&one, tags::SERIES_INSTANCE_UID) else {
                return Err(Trouble::Failed(
                    "it tells of a series without UID".to_owned(),
                ));
            };
            for instance in instances(&mut asking, study, &series, &OF_INSTANCE).await? {
                let data = DataSet::joined(&[&instance, &one, found]);
                each(data).map_err(Trouble::Failed)?;
            }
        }
        let _ = asking.release().await;
        Ok(())
    }

    /// Has instances of one series sent here. What arrives goes to those who wait for it; when this
    /// returns, the archive has sent what it will.
    pub(super) async fn have_sent(
        &self,
        study: &Uid,
        series: &Uid,
        instances: &[Uid],
    ) -> Result<(), Trouble> {
        let names: Vec<&str> = instances.iter().map(Uid::as_str).collect();
        let asked = Identifier::at(Level::Image)
            .key(tags::STUDY_INSTANCE_UID, study.as_str())
            .key(tags::SERIES_INSTANCE_UID, series.as_str())
            .key(tags::SOP_INSTANCE_UID, &names.join("\\"));
        let mut asking = self.asking(Wanted::Move(MODEL)).await?;
        let moved = asking
            .move_to(self.requestor.ae_title(), MODEL, &asked)
            .await;
        let moved = moved.map_err(|error| failed(&error))?;
        let _ = asking.release().await;
        match moved.completed {
            0 if moved.failed > 0 => Err(Trouble::Failed(format!(
                "it cannot send to {}: it must know this AE title and where it is",
                self.requestor.ae_title()
            ))),
            _ => Ok(()),
        }
    }

    /// Waits for an instance from now on.
    pub(super) fn await_one(&self, instance: &Uid) -> (Ticket, oneshot::Receiver<Arrival>) {
        let (sender, arrival) = oneshot::channel();
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.retain(|_, it| it.since.elapsed() < REMEMBERED || !it.waiting.is_empty());
        let one = awaited.entry(instance.clone()).or_insert_with(|| Awaited {
            since: Instant::now(),
            waiting: Vec::new(),
        });
        one.since = Instant::now();
        one.waiting.retain(|(_, it)| !it.is_closed());
        one.waiting.push((ticket, sender));
        (ticket, arrival)
    }

    /// Nothing more comes for this one, who may have been told already. Others may wait for the same.
    pub(super) fn give_up(&self, instance: &Uid, ticket: Ticket, trouble: &Trouble) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(awaited) = awaited.get_mut(instance) else {
            return;
        };
        let ours = awaited.waiting.extract_if(.., |(it, _)| *it == ticket);
        for (_, one) in ours {
            // Whoever waited may be gone.
            let _ = one.send(Err(trouble.clone()));
        }
    }

    /// Whether this application entity is to send this instance.
    pub(super) fn awaits(&self, calling: &str, instance: &Uid) -> bool {
        let awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        calling == self.peer.ae_title && awaited.contains_key(instance)
    }

    /// An instance has come: whoever waits for it gets it.
    pub(super) fn settle(&self, instance: &Uid, kept: &Arc<Kept>) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = awaited
            .get_mut(instance)
            .map(|it| std::mem::take(&mut it.waiting));
        for (_, one) in waiting.unwrap_or_default() {
            // Whoever waited may be gone.
            let _ = one.send(Ok(Arc::clone(kept)));
        }
    }
}

/// What a file that came is, if it is the one that was wanted.
pub(super) fn judge(kept: &Kept, names: &Names) -> Result<Uid, Trouble> {
    let wrong = |problem: String| Trouble::Wrong(problem);
    let whole = walk::whole_file(kept.path());
    let whole = whole.map_err(|error| wrong(format!("it sends no instance: {error}")))?;
    let is = |tag, expected: &Uid| whole.data.ascii(tag).as_deref() == Some(expected.as_str());
    if !is(tags::SOP_INSTANCE_UID, &names.instance)
        || !is(tags::SERIES_INSTANCE_UID, &names.series)
        || !is(tags::STUDY_INSTANCE_UID, &names.study)
    {
        let problem = "it sends another instance than it was asked for";
        return Err(wrong(problem.to_owned()));
    }
    let syntax = Uid::parse(&whole.transfer_syntax_uid);
    syntax.map_err(|error| wrong(format!("its transfer syntax is {error}")))
}

async fn instances(
    asking: &mut Requested,
    study: &Uid,
    series: &Uid,
    wanted: &[Tag],
) -> Result<Vec<DataSet>, Trouble> {
    let asked = Identifier::at(Level::Image)
        .key(tags::STUDY_INSTANCE_UID, study.as_str())
        .key(tags::SERIES_INSTANCE_UID, series.as_str());
    let asked = wanted.iter().fold(asked, |asked, tag| asked.returned(*tag));
    let found = asking.find(MODEL, &asked, MOST_FOUND).await;
    let found = found.map_err(|error| failed(&error))?;
    let without_names = found.data_sets.into_iter().map(|data| {
        // Some do not repeat the names of what is above.
        let names = DataSet::named(study, series);
        DataSet::joined(&[&names, &data])
    });
    Ok(without_names.collect())
}

fn failed(error: &RequestorError) -> Trouble {
    Trouble::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_archive_brings_what_is_awaited() {
        let peer = Peer {
            ae_title: "PACS".to_owned(),
            host: "localhost".to_owned(),
            port: 104,
            tls: false,
        };
        let limits = hilum_transport::Limits::default();
        let moving = Moving::new(peer, Requestor::new("HILUM", None, limits));
        let uid = |text| Uid::parse(text).unwrap();
        let (one, other) = (uid("1.2.3"), uid("1.2.4"));
        let (first, mut arrival) = moving.await_one(&one);
        assert!(moving.awaits("PACS", &one));
        assert!(!moving.awaits("CT1", &one));
        assert!(!moving.awaits("PACS", &other));
        let (_, mut another) = moving.await_one(&one);
        moving.give_up(&one, first, &Trouble::Gone);
        assert_eq!(arrival.try_recv().unwrap().unwrap_err(), Trouble::Gone);
        // Others wait on.
        assert!(another.try_recv().is_err());
        let folder = tempfile::tempdir().unwrap();
        let keeping =
            super::super::keeping::Keeping::new(folder.path().to_owned(), 0, Default::default());
        let kept = keeping.keep(&one, keeping.begin().unwrap().finish().unwrap());
        moving.settle(&one, &kept);
        assert!(another.try_recv().unwrap().is_ok());
        // What comes late is still known.
        assert!(moving.awaits("PACS", &one));
    }
}
