//! ITI-8 Patient Identity Feed: learn which patients there are, and which of them are the same.
//!
//! Sent by Patient Identity Sources over MLLP; taken by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-8.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, PatientChange, PatientFeed, Recorded};
use xds_schemas::hl7v2::{ErrorCode, Header, Message, PatientDomain, Place, Refusal};
use xds_schemas::iti8_patient_identity_feed::{self as words, Announcement};
use xds_schemas::metadata::PatientId;

use crate::Registry;
use crate::feed::Taken;
use crate::patients::{self, NotDone, Objection, Which};

/// Does what an announcement says (ITI TF-2 3.8.4.1.4, 3.8.4.2.4) and records it for each patient.
pub(crate) async fn receive(
    registry: &Registry,
    parties: &Parties,
    (message, header): (&Message, &Header),
    domain: &PatientDomain,
    now: SystemTime,
) -> Result<Result<Recorded<Taken>, Refusal>, NotRecorded> {
    let announcement = match words::read(message, header, domain) {
        Ok(announcement) => announcement,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let done = patients::carry_out(registry, &announcement, now).await;
    let taken = done.map_err(|not_done| refusal(&not_done));
    let outcome = match &taken {
        Ok(()) => Outcome::Success,
        Err(refusal) => Outcome::Failure(refusal.reason.clone()),
    };
    let feed = PatientFeed::PatientIdentityFeed;
    let id = &header.control_id;
    let event = event(feed, parties, id, &announcement, &outcome);
    Ok(Ok(registry.audit.record(event, taken).await?))
}

/// What is recorded of an announcement, in the message `id`: each patient on its own. An update may
/// name none of ours.
pub(crate) fn event(
    feed: PatientFeed,
    parties: &Parties,
    id: &str,
    announcement: &Announcement,
    outcome: &Outcome,
) -> Event {
    let one = |change: PatientChange<'_>| Event::patient_record(feed, parties, id, change, outcome);
    let each = |patients: &[PatientId], change: fn(&str) -> PatientChange<'_>| {
        let events = patients
            .iter()
            .map(|patient| one(change(&patient.to_string())));
        events
            .reduce(Event::and)
            .unwrap_or_else(|| one(change("none")))
    };
    match announcement {
        Announcement::Add(patients) => each(patients, |id| PatientChange::Created(id)),
        Announcement::Revise(patients) => each(patients, |id| PatientChange::Updated(id)),
        Announcement::Merge { subsumed, survivor } => one(PatientChange::Merged {
            subsumed: &subsumed.to_string(),
            survivor: &survivor.to_string(),
        }),
    }
}

/// The code is not prescribed; the message itself is in order, so it is an error and no rejection.
fn refusal(not_done: &NotDone) -> Refusal {
    let of = |which| match which {
        Which::Surviving => Place::field("PID", 3),
        Which::Subsumed => Place::field("MRG", 1),
    };
    let (code, place) = match not_done {
        NotDone::Objection(Objection::Unknown(which)) => (ErrorCode::UnknownKey, of(*which)),
        NotDone::Objection(Objection::Merged(which)) => (ErrorCode::DuplicateKey, of(*which)),
        NotDone::Objection(Objection::Same | Objection::TooLong) => {
            (ErrorCode::DuplicateKey, of(Which::Subsumed))
        }
        NotDone::Refused(_) => (ErrorCode::DuplicateKey, of(Which::Surviving)),
        NotDone::Internal(_) => (ErrorCode::Internal, Place::segment("PID")),
    };
    Refusal::new(code, place, not_done.to_string())
}
