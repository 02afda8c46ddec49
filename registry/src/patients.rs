//! What feeds say of patients: the meaning that ITI-8 and ITI-44 share (ITI TF-2 3.8.4.1.4,
//! 3.8.4.2.4, 3.44.4.2.4).
//!
//! A merge is kept as an alias: what was registered for the subsumed patient stays as it is and is
//! found under the survivor. Where the affinity domain takes every patient, everybody counts as
//! known.

use std::time::SystemTime;

use thiserror::Error;
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::metadata::PatientId;
use xds_schemas::person::{Person, Said};

use crate::config::UnknownPatients;
use crate::db::Connection;
use crate::db::patients::{self, LONGEST_CHAIN, Patient};
use crate::demographics::{self, Told};
use crate::failure::Failure;
use crate::{Registry, seconds};

/// Which of the patients of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// One that was to be made known, or that stands for both.
    Surviving,
    /// The one that is not used any more.
    Subsumed,
}

/// Why what a feed says does not change anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Objection {
    /// Nobody has announced the patient.
    #[error("the {} patient identifier is not known to the registry", .0.as_str())]
    Unknown(Which),
    /// The patient was merged into another before.
    #[error("the {} patient identifier was subsumed by an earlier message", .0.as_str())]
    Merged(Which),
    /// A patient cannot be merged into itself.
    #[error("the subsumed and the surviving patient identifier are the same")]
    Same,
    /// Nobody would find the end of so many merges.
    #[error("more than {LONGEST_CHAIN} merges would follow each other")]
    TooLong,
}

impl Which {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Surviving => "surviving",
            Self::Subsumed => "subsumed",
        }
    }
}

/// Why an announcement was not carried out.
#[derive(Debug, Error)]
pub(crate) enum NotDone {
    /// It cannot be.
    #[error("{0}")]
    Objection(#[from] Objection),
    /// It would break rules of the metadata: the first of them.
    #[error("nothing was changed: {0}")]
    Refused(String),
    /// It is our fault: the operator finds the reason by the number in it.
    #[error("{0}")]
    Internal(String),
}

/// Does what a feed says. What it says of demographics is ignored, as ITI TF-2 3.8.4.1.4 has it, unless
/// the registry is configured to keep it.
pub(crate) async fn carry_out(
    registry: &Registry,
    announcement: &Announcement,
    (people, said): (Vec<(PatientId, Person)>, Said),
    now: SystemTime,
) -> Result<(), NotDone> {
    let known_since = i64::try_from(seconds(now)).unwrap_or(i64::MAX);
    let keeps = registry.config.demographics;
    let told = Told {
        people: if keeps { people } else { Vec::new() },
        said,
        now_seconds: known_since,
    };
    match announcement {
        Announcement::Revise(_) if told.people.is_empty() => Ok(()),
        Announcement::Revise(_) => write(registry, move |conn| told.keep(conn).map(Ok)).await,
        Announcement::Add(patients) => {
            let patients: Vec<String> = patients.iter().map(PatientId::to_string).collect();
            let work = move |conn: &mut _| match add(conn, &patients, known_since)? {
                Ok(()) => told.keep(conn).map(Ok),
                Err(objection) => Ok(Err(objection)),
            };
            write(registry, work).await
        }
        Announcement::Merge { subsumed, survivor } => {
            let merge = Merge {
                subsumed: subsumed.to_string(),
                survivor: survivor.to_string(),
                unknown_patients: registry.config.unknown_patients,
                known_since,
            };
            write(registry, move |conn| merge.carry_out(conn)).await
        }
    }
}

/// Does `work` in a transaction of its own. An objection is raised before anything is written, or
/// undoes what was.
pub(crate) async fn write<T: Send + 'static>(
    registry: &Registry,
    work: impl Fn(&mut Connection) -> Result<Result<T, Objection>, Failure> + Send + 'static,
) -> Result<T, NotDone> {
    match registry.db.write(work).await {
        Ok(done) => done.map_err(NotDone::from),
        Err(Failure::Refused(errors)) => {
            let first = errors.into_iter().next().map(|error| error.context);
            Err(NotDone::Refused(first.unwrap_or_default()))
        }
        Err(internal) => {
            // Logged there, and told by a number.
            let said = internal.into_errors().into_iter().next();
            Err(NotDone::Internal(
                said.map(|error| error.context).unwrap_or_default(),
            ))
        }
    }
}

/// Makes patients known. Who is known already stays so; who was merged does not come back, because
/// its identifier "shall no longer be referenced" (ITI TF-2 3.8.4.2.4).
fn add(
    conn: &mut Connection,
    patients: &[String],
    known_since: i64,
) -> Result<Result<(), Objection>, Failure> {
    let mut new = Vec::with_capacity(patients.len());
    for id in patients {
        match patients::find(conn, id)? {
            None => new.push(id),
            Some(patient) if patient.merged_into.is_some() => {
                return Ok(Err(Objection::Merged(Which::Surviving)));
            }
            Some(_) => {}
        }
    }
    for id in new {
        patients::add(conn, id, known_since)?;
    }
    Ok(Ok(()))
}

/// Two patients who are one.
struct Merge {
    subsumed: String,
    survivor: String,
    unknown_patients: UnknownPatients,
    known_since: i64,
}

impl Merge {
    /// Records the merge, unless one of the conditions of ITI TF-2 3.8.4.2.4 forbids it.
    fn carry_out(&self, conn: &mut Connection) -> Result<Result<(), Objection>, Failure> {
        if self.subsumed == self.survivor {
            return Ok(Err(Objection::Same));
        }
        // Two merges at a time could make a circle. Submissions are not held up, but for those of
        // the subsumed patient: what of them has begun comes before the merge.
        patients::one_merge_at_a_time(conn)?;
        let known = [
            self.known(conn, &self.subsumed)?,
            self.known(conn, &self.survivor)?,
        ];
        let [Some(subsumed), Some(survivor)] = known else {
            let which = match known[0] {
                None => Which::Subsumed,
                Some(_) => Which::Surviving,
            };
            return Ok(Err(Objection::Unknown(which)));
        };
        if subsumed.merged_into.is_some() {
            return Ok(Err(Objection::Merged(Which::Subsumed)));
        }
        if survivor.merged_into.is_some() {
            return Ok(Err(Objection::Merged(Which::Surviving)));
        }
        if patients::merges_before(conn, subsumed.number)? >= LONGEST_CHAIN {
            return Ok(Err(Objection::TooLong));
        }
        patients::merge(conn, subsumed.number, survivor.number)?;
        let both = (subsumed.number, survivor.number);
        demographics::merge(conn, both, &self.survivor, self.known_since)?;
        Ok(Ok(()))
    }

    /// The patient, if it counts as known.
    fn known(&self, conn: &mut Connection, id: &str) -> Result<Option<Patient>, Failure> {
        let found = patients::find(conn, id)?;
        if found.is_some() || self.unknown_patients == UnknownPatients::Refuse {
            return Ok(found);
        }
        patients::add(conn, id, self.known_since)?;
        Ok(patients::find(conn, id)?)
    }
}
