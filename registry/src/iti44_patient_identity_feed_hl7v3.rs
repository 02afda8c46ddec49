//! ITI-44 Patient Identity Feed HL7 V3: the same as ITI-8 over SOAP.
//!
//! Sent by Patient Identity Sources; taken by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-44.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, PatientFeed, Recorded};
use hilum_security::Caller;
use xds_schemas::hl7v3::{AcceptAcknowledgement, InstanceId, Verdict};
use xds_schemas::iti8_patient_identity_feed::Announcement;
use xds_schemas::iti44_patient_identity_feed_hl7v3::{Interaction, PatientRecordMessage};
use xds_schemas::metadata::Timestamp;
use xds_schemas::person::Said;
use xds_schemas::soap::Fault;

use crate::config::NO_DOMAIN;
use crate::patients::{self, NotDone};
use crate::{Registry, seconds};

/// Does what a message says (3.44.4.1.4, 3.44.4.2.4), which came with the action of `expected`, and
/// records it for each patient.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    expected: Interaction,
    message: &PatientRecordMessage,
    now: SystemTime,
) -> Result<Recorded<AcceptAcknowledgement>, NotRecorded> {
    let transmission = &message.transmission;
    let id = InstanceId::new(format!("2.25.{}", uuid::Uuid::new_v4().as_u128()));
    let time = Timestamp::from_unix(seconds(now));
    let accepted = AcceptAcknowledgement::of(transmission, id, time.as_str());
    let announcement = match understood(registry, expected, message) {
        Ok(announcement) => announcement,
        Err((verdict, reason)) => {
            let event = Event::refused(caller, &Fault::sender(reason.as_str()));
            let refused = accepted.refusing(verdict, reason);
            return registry.audit.record(event, refused).await;
        }
    };
    let people = match (&announcement, &registry.config.feed.domain) {
        // A merge says which patients are the same and nothing else.
        (Announcement::Merge { .. }, _) | (_, None) => Vec::new(),
        (_, Some(domain)) => message.people(domain),
    };
    let told = (people, Said::EVERYTHING);
    let done = patients::carry_out(registry, &announcement, told, now).await;
    let (outcome, answer) = match done {
        Ok(()) => (Outcome::Success, accepted),
        Err(not_done) => {
            let verdict = match not_done {
                NotDone::Objection(_) | NotDone::Refused(_) => Verdict::Error,
                NotDone::Internal(_) => Verdict::Rejected,
            };
            let reason = not_done.to_string();
            (
                Outcome::Failure(reason.clone()),
                accepted.refusing(verdict, reason),
            )
        }
    };
    let feed = PatientFeed::PatientIdentityFeedHl7v3;
    let id = transmission.id.to_string();
    let event = Event::patients_announced(feed, parties, &id, Some(&announcement), &outcome);
    registry.audit.record(event, answer).await
}

/// What the message says, if it says something that can be carried out.
fn understood(
    registry: &Registry,
    expected: Interaction,
    message: &PatientRecordMessage,
) -> Result<Announcement, (Verdict, String)> {
    if message.interaction != expected {
        let reason = "wsa:Action names another interaction than the message is";
        return Err((Verdict::Rejected, reason.to_owned()));
    }
    let domain = registry.config.feed.domain.as_ref();
    let domain = domain.ok_or((Verdict::Rejected, NO_DOMAIN.to_owned()))?;
    let announcement = message.announcement(domain);
    announcement.map_err(|problem| (Verdict::Error, problem))
}
