//! ITI-64 Notify XAD-PID Link Change: learn that a local patient is another one of the affinity domain
//! than it was thought to be.
//!
//! Sent by Patient Identifier Cross-reference Managers over MLLP; taken by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-64.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, Recorded};
use xds_schemas::hl7v2::{ErrorCode, Header, Message, PatientDomain, Place, Refusal};
use xds_schemas::iti64_notify_xad_pid_link_change as words;

use crate::feed::Taken;
use crate::patients::{self, NotDone, Objection, Which};
use crate::submission::link_change::{self, PreparedLinkChange};
use crate::{Registry, seconds};

/// Does what a message says (3.64.4.1.3) and records it once, with everybody it is about
/// (3.64.5.1.2).
pub(crate) async fn receive(
    registry: &Registry,
    parties: &Parties,
    (message, header): (&Message, &Header),
    domain: &PatientDomain,
    now: SystemTime,
) -> Result<Result<Recorded<Taken>, Refusal>, NotRecorded> {
    let change = match words::read(message, header, domain) {
        Ok(change) => change,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let prepared = PreparedLinkChange {
        change: change.clone(),
        home: registry.config.home_community_id.clone(),
        most: registry.config.max_results,
        now_seconds: seconds(now),
        demographics: registry.config.demographics,
    };
    let work = move |conn: &mut _| link_change::carry_out(conn, &prepared);
    let done = patients::write(registry, work).await;
    let taken = done.map(|notifications| registry.deliveries.hurry(notifications));
    let taken = taken.map_err(|not_done| refusal(&not_done));
    let outcome = match &taken {
        Ok(()) => Outcome::Success,
        Err(refusal) => Outcome::Failure(refusal.reason.clone()),
    };
    let event = Event::link_changed(parties, &header.control_id, &change, &outcome);
    Ok(Ok(registry.audit.record(event, taken).await?))
}

fn refusal(not_done: &NotDone) -> Refusal {
    let (pid, mrg) = (Place::field("PID", 3), Place::field("MRG", 1));
    let (code, place, reason) = match not_done {
        NotDone::Objection(Objection::Unknown(Which::Surviving)) => (
            ErrorCode::UnknownKey,
            pid,
            "the new XAD-PID is not known to the registry",
        ),
        NotDone::Objection(Objection::Unknown(Which::Subsumed)) => (
            ErrorCode::UnknownKey,
            mrg,
            "the previous XAD-PID is not known to the registry",
        ),
        NotDone::Objection(Objection::Merged(Which::Surviving)) => (
            ErrorCode::DuplicateKey,
            pid,
            "the new XAD-PID was subsumed by an earlier message",
        ),
        NotDone::Objection(Objection::Merged(Which::Subsumed)) => (
            ErrorCode::DuplicateKey,
            mrg,
            "the previous XAD-PID was subsumed by an earlier message",
        ),
        other => {
            let code = match other {
                NotDone::Internal(_) => ErrorCode::Internal,
                _ => ErrorCode::DuplicateKey,
            };
            return Refusal::new(code, mrg, other.to_string());
        }
    };
    Refusal::new(code, place, reason)
}
