//! ITI-8 Patient Identity Feed: learn which patients there are, and which of them are the same.
//!
//! Sent by Patient Identity Sources over MLLP; taken by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-8.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, PatientFeed, Recorded};
use xds_schemas::hl7v2::{ErrorCode, Header, Message, PatientDomain, Place, Refusal};
use xds_schemas::iti8_patient_identity_feed as words;
use xds_schemas::person::Said;

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
    let people = words::people(message, header, domain);
    let said = Said::by_pid(message);
    let done = patients::carry_out(registry, &announcement, (people, said), now).await;
    let taken = done.map_err(|not_done| refusal(&not_done));
    let outcome = match &taken {
        Ok(()) => Outcome::Success,
        Err(refusal) => Outcome::Failure(refusal.reason.clone()),
    };
    let feed = PatientFeed::PatientIdentityFeed;
    let id = &header.control_id;
    let event = Event::patients_announced(feed, parties, id, Some(&announcement), &outcome);
    Ok(Ok(registry.audit.record(event, taken).await?))
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
