//! What feeds say of patients, if the registry keeps it (`docs/patients.md`): what is kept, and how merges
//! and changes of links are followed. What documents say of their patients (`sourcePatientInfo`) is not
//! used: who hands in a document does not administer patients.

pub(crate) mod continuations;
pub(crate) mod finding;

use xds_schemas::iti64_notify_xad_pid_link_change::LinkChange;
use xds_schemas::metadata::PatientId;
use xds_schemas::person::{Person, Said};

use crate::db::{Connection, demographics, patients};
use crate::failure::Failure;

/// What a message says of patients, besides which of them there are.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) people: Vec<(PatientId, Person)>,
    /// Of what the message speaks.
    pub(crate) said: Said,
    pub(crate) now_seconds: i64,
}

impl Told {
    /// Keeps what is said of patients who are known and were not merged into others.
    pub(crate) fn keep(&self, conn: &mut Connection) -> Result<(), Failure> {
        for (patient, person) in &self.people {
            let found = patients::find(conn, &patient.to_string())?;
            let Some(found) = found.filter(|found| found.merged_into.is_none()) else {
                continue;
            };
            patients::lock(conn, &[found.number])?;
            let mut kept = demographics::of(conn, found.number)?.unwrap_or_default();
            kept.revise(person, self.said);
            // In its own domain, each patient has one identifier.
            kept.ids.retain(|id| id.authority != patient.authority);
            kept.ids.insert(0, patient.clone());
            demographics::put(conn, found.number, &kept, self.now_seconds)?;
        }
        Ok(())
    }
}

/// Follows a merge: what was said of the subsumed patient is forgotten, but for its identifiers in other
/// domains, which are the survivor's now. If nothing was said of the survivor, it keeps what was said of
/// the other.
pub(crate) fn merge(
    conn: &mut Connection,
    (subsumed, survivor): (i64, i64),
    survivor_id: &str,
    now_seconds: i64,
) -> Result<(), Failure> {
    let Some(mut gone) = demographics::of(conn, subsumed)? else {
        return Ok(());
    };
    demographics::remove(conn, subsumed)?;
    let Ok(survivor_id) = PatientId::parse(survivor_id) else {
        return Ok(());
    };
    gone.ids.retain(|id| id.authority != survivor_id.authority);
    patients::lock(conn, &[survivor])?;
    let kept = demographics::of(conn, survivor)?;
    let kept = match kept {
        Some(mut kept) if !kept.is_anonymous() => {
            adopt(&mut kept, gone.ids);
            kept
        }
        other => {
            let ids = other.map_or_else(|| vec![survivor_id], |kept| kept.ids);
            let others = std::mem::replace(&mut gone.ids, ids);
            adopt(&mut gone, others);
            gone
        }
    };
    demographics::put(conn, survivor, &kept, now_seconds)
}

/// Follows a change of links: the local identifier is one of the new patient, and the one that it subsumed
/// is nobody's (ITI TF-2 3.64.4.1.3).
pub(crate) fn link(
    conn: &mut Connection,
    change: &LinkChange,
    now_seconds: i64,
) -> Result<(), Failure> {
    let number = |conn: &mut Connection, id: &PatientId| -> Result<Option<i64>, Failure> {
        let found = patients::find(conn, &id.to_string())?;
        Ok(found.map(|found| found.number))
    };
    let previous = number(conn, &change.previous)?;
    let new = number(conn, &change.new)?;
    let numbers: Vec<i64> = previous.into_iter().chain(new).collect();
    patients::lock(conn, &numbers)?;
    let gone = |id: &PatientId| *id == change.local || Some(id) == change.subsumed_local.as_ref();
    if let Some(previous) = previous
        && let Some(mut kept) = demographics::of(conn, previous)?
    {
        kept.ids.retain(|id| !gone(id));
        demographics::put(conn, previous, &kept, now_seconds)?;
    }
    if let Some(new) = new {
        let kept = demographics::of(conn, new)?;
        let mut kept = kept.unwrap_or_else(|| Person {
            ids: vec![change.new.clone()],
            ..Person::default()
        });
        kept.ids.retain(|id| !gone(id));
        adopt(&mut kept, vec![change.local.clone()]);
        demographics::put(conn, new, &kept, now_seconds)?;
    }
    Ok(())
}

fn adopt(person: &mut Person, ids: Vec<PatientId>) {
    for id in ids {
        if !person.ids.contains(&id) {
            person.ids.push(id);
        }
    }
}
