//! The one that looks into an archive again and again, and brings the index to what it has.
//!
//! There is no list of changes to ask for. So the archive is asked which studies it has and what it
//! counts in them; those that are new or counted otherwise are read. Young studies are looked at often,
//! everything now and then. What is missing is believed late: only complete looks count, two in a row,
//! and the archive is asked for each missing study by name. Errors take nothing away.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use hilum_audit::Outcome;
use hilum_dicom::Uid;
use hilum_dicom::moment::{UtcOffset, date_and_time};
use tokio::time::Instant;

use super::listing::{Listing, Window};
use super::{Archive, Trouble};
use crate::imaging::Room;
use crate::imaging::document_entry::patient_id;
use crate::imaging::index::archived::{Counts, Entered, Reading, Seen};
use crate::imaging::index::work::{Settling, now};

/// In how many complete looks at everything a study must be missing.
const MISSED: i32 = 2;
const DAY: Duration = Duration::from_secs(86_400);

/// Looks into an archive until the room is gone.
pub(super) async fn run(archive: Arc<Archive>, room: Weak<Room>) {
    let mut last_sweep: Option<Instant> = None;
    loop {
        let Some(here) = room.upgrade() else {
            return;
        };
        let everything = last_sweep.is_none_or(|at| at.elapsed() >= archive.config.sweep);
        let began = Instant::now();
        match look(&archive, &here, everything).await {
            Ok(()) if everything => last_sweep = Some(began),
            Ok(()) => {}
            Err(error) => {
                let (name, error) = (&archive.config.name, format!("{error:#}"));
                tracing::warn!(archive = name, error, "an archive cannot be indexed now");
            }
        }
        drop(here);
        tokio::time::sleep(archive.config.interval).await;
    }
}

/// One look: at everything, or at what is young.
async fn look(archive: &Arc<Archive>, room: &Arc<Room>, everything: bool) -> anyhow::Result<()> {
    let wanted = window(archive, SystemTime::now(), everything);
    let (here, name) = (Arc::clone(room), archive.config.name.clone());
    let known = tokio::task::spawn_blocking(move || here.studies.index().archived(&name)).await??;
    let window = match everything {
        // Those that are known may vanish when they are older than what is wanted now.
        true => wanted.and_since(known.values().filter_map(|seen| seen.date.as_deref()).min()),
        false => wanted.clone(),
    };
    let listed = archive.studies(&window).await;
    let outcome = match &listed {
        Ok(_) => Outcome::Success,
        Err(trouble) => Outcome::Failure(trouble.to_string()),
    };
    let query = window.query(None);
    archive
        .record_query(room, "/studies", &query, &outcome)
        .await?;
    let listing = listed?;
    let mut changed = 0;
    for (study, listed) in &listing.studies {
        let seen = known.get(study);
        let counts = listed.counts;
        if !is_to_be_read(seen, counts, everything) || (seen.is_none() && !wanted.has(listed)) {
            continue;
        }
        match study_of(archive, room, study, counts).await {
            Ok(Entered::Changed) => changed += 1,
            Ok(Entered::Same) => {}
            Ok(Entered::Unfit(problem)) => {
                let archive = &archive.config.name;
                tracing::warn!(archive, %study, problem, "an archived study is left out");
            }
            Err(error) => {
                let (archive, error) = (&archive.config.name, format!("{error:#}"));
                tracing::warn!(archive, %study, error, "an archived study cannot be read now");
            }
        }
        room.intake.arrived.notify_one();
    }
    let gone = match everything && listing.complete {
        true => vanished(archive, room, &listing, &known).await?,
        false => 0,
    };
    if changed + gone > 0 {
        let archive = &archive.config.name;
        let studies = listing.studies.len();
        tracing::info!(archive, studies, changed, gone, "an archive was looked at");
        room.intake.arrived.notify_one();
    }
    Ok(())
}

/// New studies, those that are counted otherwise than when they were read, and now and then those
/// that could not be read as they should.
fn is_to_be_read(seen: Option<&Seen>, counts: Counts, everything: bool) -> bool {
    match seen {
        None => true,
        Some(seen) if seen.counts != counts => true,
        Some(seen) => everything && (seen.troubled || counts == Counts::default()),
    }
}

/// Reads a study and enters it.
async fn study_of(
    archive: &Arc<Archive>,
    room: &Arc<Room>,
    uid: &Uid,
    counts: Counts,
) -> anyhow::Result<Entered> {
    let (here, study) = (Arc::clone(room), uid.clone());
    let before = tokio::task::spawn_blocking(move || here.studies.index().read(&study)).await??;
    let syntaxes: BTreeMap<Uid, Uid> = before
        .iter()
        .flat_map(|it| it.study.instances())
        .filter(|it| it.place.path().is_none())
        .map(|it| (it.sop_instance_uid.clone(), it.transfer_syntax_uid.clone()))
        .collect();
    let read = archive.read(room, uid, counts, &syntaxes).await;
    let patient = match &read {
        Ok(Some(read)) => patient_id(&room.config, &read.study).map(|it| it.to_string()),
        _ => None,
    };
    let outcome = match &read {
        Ok(_) => Outcome::Success,
        Err(trouble) => Outcome::Failure(trouble.to_string()),
    };
    let of_study = BTreeMap::from([(uid.clone(), BTreeMap::new())]);
    archive
        .record_fetched(room, patient.as_deref(), of_study, &outcome)
        .await?;
    let Some(read) = read? else {
        return Ok(Entered::Same);
    };
    let (here, name) = (Arc::clone(room), archive.config.name.clone());
    let settling = settling(room)?;
    let entered = tokio::task::spawn_blocking(move || {
        let reading = Reading {
            archive: &name,
            study: read.study,
            counts,
            incomplete: read.incomplete,
        };
        here.studies.index().enter_archived(reading, settling)
    });
    entered.await?
}

/// Takes out of the index what is missing in the archive, and says how many studies that were.
async fn vanished(
    archive: &Arc<Archive>,
    room: &Arc<Room>,
    listing: &Listing,
    known: &BTreeMap<Uid, Seen>,
) -> anyhow::Result<usize> {
    let name = &archive.config.name;
    let index = room.studies.index();
    let was_missing =
        |(uid, seen): &(&Uid, &Seen)| seen.missed > 0 && listing.studies.contains_key(uid);
    let found: Vec<&Uid> = known
        .iter()
        .filter(was_missing)
        .map(|(uid, _)| uid)
        .collect();
    if !found.is_empty() {
        index.found_archived(name, &found)?;
    }
    let mut gone = 0;
    for uid in known
        .keys()
        .filter(|uid| !listing.studies.contains_key(uid))
    {
        let lists = match archive.lists(uid).await {
            Err(Trouble::Gone) => Ok(false),
            lists => lists,
        };
        let outcome = match &lists {
            Ok(_) => Outcome::Success,
            Err(trouble) => Outcome::Failure(trouble.to_string()),
        };
        let query = format!("StudyInstanceUID={uid}");
        archive
            .record_query(room, "/studies", &query, &outcome)
            .await?;
        // It may have left the window only, or come back: then it stays.
        if lists? {
            continue;
        }
        if index.missed_archived(name, uid)? >= MISSED {
            index.forget_archived(name, uid, settling(room)?)?;
            tracing::info!(archive = name, study = %uid, "a study is not in its archive any more");
            gone += 1;
        }
    }
    Ok(gone)
}

fn settling(room: &Room) -> anyhow::Result<Settling> {
    Ok(Settling {
        now: now(),
        quiet: i64::try_from(room.config.settle.as_millis())?,
    })
}

/// From which day on is looked.
fn window(archive: &Archive, now: SystemTime, everything: bool) -> Window {
    let config = &archive.config;
    let days_ago = |days: u32| {
        let then = now
            .checked_sub(DAY * days)
            .unwrap_or(SystemTime::UNIX_EPOCH);
        date_and_time(then, UtcOffset::default()).0
    };
    let since = config.since.clone();
    let days = config.days.map(days_ago);
    let recent = (!everything).then(|| days_ago(config.recent_days));
    // Dates as DICOM writes them are in their order as text.
    Window {
        from: [since, days, recent].into_iter().flatten().max(),
    }
}
