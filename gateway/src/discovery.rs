//! Finding out what patients are called in another community (ITI-55, as the one who asks).
//!
//! What is known is used while it counts; otherwise, if the operator wants that, the own registry is asked
//! who the patient is (ITI-47), and the community whether it knows them. Exactly one match is a match.

mod person;
mod question;
mod registered;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use xds_schemas::metadata::PatientId;

use crate::Room;
use crate::communities::Known;
use crate::correlations::{Correlation, Origin, now};
use crate::patients::Naming;

pub(crate) use person::{Subject, registered, subject, time, transmission, unique};
pub(crate) use registered::Registered;

use registered::registered_as;

/// What a community calls somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Somebody {
    /// This.
    Called(PatientId),
    /// It does not know them, or is not to be asked.
    Unknown,
}

/// What was found out, and for how long it counts.
#[derive(Debug, Clone)]
pub(crate) struct Learned {
    /// What the community calls the patient, if it knows them.
    pub(crate) there: Option<PatientId>,
    /// How sure it is.
    pub(crate) confidence: Option<u8>,
    /// Seconds for which it recommends to remember it; 0 if it does not.
    pub(crate) seconds: u64,
}

/// What a community calls each of these patients, or why nobody knows. Nobody of them is left out.
pub(crate) async fn all(
    room: &Arc<Room>,
    known: &Arc<Known>,
    patients: &[PatientId],
) -> Vec<(PatientId, Result<Somebody, String>)> {
    let mut asking = JoinSet::new();
    let mut seen = HashSet::new();
    let each = patients.iter().filter(|it| seen.insert(*it));
    let lost = |own: &PatientId| (own.clone(), Err("a question was lost".to_owned()));
    let mut all: Vec<_> = each.map(lost).collect();
    for (at, (own, _)) in all.iter().enumerate() {
        let (room, known, own) = (Arc::clone(room), Arc::clone(known), own.clone());
        asking.spawn(async move { (at, one(&room, &known, &own).await) });
    }
    while let Some(joined) = asking.join_next().await {
        match joined {
            Ok((at, found)) => {
                if let Some((_, lost)) = all.get_mut(at) {
                    *lost = found;
                }
            }
            Err(error) => tracing::error!(%error, "a question for a patient was lost"),
        }
    }
    all
}

/// What a community calls a patient.
async fn one(room: &Room, known: &Known, own: &PatientId) -> Result<Somebody, String> {
    let patients = &room.patients;
    let home = &known.community.home;
    if !patients.is_own(own) {
        return Ok(Somebody::Unknown);
    }
    if let Some(correlation) = remembered(room, known, own).await? {
        if !is_gone(room, &correlation).await {
            return Ok(Somebody::Called(correlation.there));
        }
        forget(room, known, std::iter::once(own)).await;
    }
    if known.community.patients.naming != Naming::Discover || patients.is_absent(own, home) {
        return Ok(Somebody::Unknown);
    }
    let subject = subject(room, own).await?;
    let learned = discover(room, known, &subject).await?;
    Ok(learned.there.map_or(Somebody::Unknown, Somebody::Called))
}

/// What is known already.
pub(crate) async fn remembered(
    room: &Room,
    known: &Known,
    own: &PatientId,
) -> Result<Option<Correlation>, String> {
    let correlations = &room.patients.correlations;
    let there = correlations.there(own, &known.community.home, now()).await;
    there.map_err(|error| unreadable(&error))
}

/// Whether our registry does not know the patient any more, such as one who was merged with another. It is
/// asked at times only. One that does not say, for instance because it keeps no demographics, changes nothing.
async fn is_gone(room: &Room, correlation: &Correlation) -> bool {
    if !room.patients.rechecks_here(correlation) {
        return false;
    }
    let found = registered_as(room, &correlation.own).await;
    found.is_ok_and(|people| people.is_empty())
}

/// Finds out anew what a community calls these patients of whom it has been known for a while: nothing was
/// found with that, and a community need not say that a name is out of date. Says whether one of them is
/// called otherwise, or is not known any more. If it cannot be found out, what is known stays.
pub(crate) async fn recheck(room: &Arc<Room>, known: &Arc<Known>, patients: &[PatientId]) -> bool {
    if known.community.patients.naming != Naming::Discover {
        return false;
    }
    let mut asking = JoinSet::new();
    for own in patients {
        let Ok(Some(before)) = remembered(room, known, own).await else {
            continue;
        };
        if !room.patients.rechecks_there(&before) {
            continue;
        }
        let (room, known) = (Arc::clone(room), Arc::clone(known));
        asking.spawn(async move {
            let subject = subject(&room, &before.own).await?;
            let learned = discover(&room, &known, &subject).await?;
            Ok::<bool, String>(learned.there != Some(before.there))
        });
    }
    let mut is_other = false;
    while let Some(joined) = asking.join_next().await {
        match joined {
            Ok(Ok(changed)) => is_other |= changed,
            Ok(Err(problem)) => {
                let name = &known.community.name;
                tracing::warn!(
                    name,
                    problem,
                    "nothing is found, and who it is there is not found out"
                );
            }
            Err(error) => tracing::error!(%error, "a question for a patient was lost"),
        }
    }
    is_other
}

/// Asks a community for somebody, and remembers what it says if that is one of ours.
pub(crate) async fn discover(
    room: &Room,
    known: &Known,
    subject: &Subject,
) -> Result<Learned, String> {
    let learned = question::ask(room, known, subject).await?;
    let (patients, home) = (&room.patients, &known.community.home);
    let Some(own) = &subject.own else {
        return Ok(learned);
    };
    let kept = match &learned.there {
        Some(there) => {
            patients.note_present(own, home);
            let correlation = Correlation {
                own: own.clone(),
                home: home.clone(),
                there: there.clone(),
                origin: Origin::DiscoveredHere,
                confidence: learned.confidence,
                learned: now(),
                until: patients.until(learned.seconds),
            };
            patients.correlations.learn(correlation).await
        }
        None => {
            patients.note_absent(own, home);
            patients.correlations.forget(own, home).await
        }
    };
    match kept {
        Ok(()) => Ok(learned),
        Err(error) => Err(unreadable(&error)),
    }
}

/// What a community called these patients is out of date.
pub(crate) async fn forget(room: &Room, known: &Known, own: impl Iterator<Item = &PatientId>) {
    for own in own {
        let correlations = &room.patients.correlations;
        if let Err(error) = correlations.forget(own, &known.community.home).await {
            tracing::error!("a correlation is not forgotten: {error:#}");
        }
    }
}

fn unreadable(error: &anyhow::Error) -> String {
    tracing::error!("correlations cannot be kept: {error:#}");
    "what is known of patients there cannot be looked at".to_owned()
}
