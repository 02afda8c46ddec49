//! Everything that comes over MLLP: messages of HL7 v2. What [`routes`](crate::routes) is for SOAP.
//!
//! The same two gates: of a message, nothing but its first segment is read before it is permitted,
//! and nothing is acknowledged before it is recorded.

use std::time::SystemTime;

use bytes::Bytes;
use hilum_audit::{Event, NotRecorded, Parties, Recorded};
use hilum_security::Permission;
use hilum_transport::mllp::{self, Incoming};
use uuid::Uuid;
use xds_schemas::hl7v2::{
    ErrorCode, Header, Message, PatientDomain, Place, Refusal, acknowledgement,
};
use xds_schemas::iti64_notify_xad_pid_link_change as link_change;
use xds_schemas::metadata::Timestamp;
use xds_schemas::soap::Fault;

use crate::config::NO_DOMAIN;
use crate::iti8_patient_identity_feed as iti8;
use crate::iti64_notify_xad_pid_link_change as iti64;
use crate::sight::may;
use crate::{Registry, seconds};

/// How a message was taken: nothing, or why it was not.
pub(crate) type Taken = Result<(), Refusal>;

/// Answers what comes over MLLP (ITI-8), with an acknowledgement of HL7 v2.
pub async fn receive(registry: &Registry, incoming: Incoming) -> Option<Bytes> {
    let message = match incoming {
        Incoming::Message(message) => message,
        Incoming::Refused(refusal) => {
            // There is nobody to tell whether it could be recorded.
            let _ = registry.audit.record(Event::from(&refusal), ()).await;
            return None;
        }
    };
    let now = SystemTime::now();
    let header = Header::read(message.header()).unwrap_or_default();
    let taken = take(registry, &message, &header, now).await;
    let taken = match taken {
        Ok(taken) => taken.into_inner(),
        // As with SOAP, nothing is answered as done that cannot be traced.
        Err(error) => Err(internal(error.to_string())),
    };
    let config = &registry.config.feed;
    let me = (config.application.as_deref(), config.facility.as_deref());
    let control_id = format!("{:016x}", Uuid::new_v4().as_u64_pair().1);
    let now = Timestamp::from_unix(seconds(now));
    let outcome = taken.as_ref().copied();
    let answer = acknowledgement::write(&header, outcome, me, &now, &control_id);
    Some(answer.into())
}

/// One arm for each event; what is no message that can be taken leaves a record too.
async fn take(
    registry: &Registry,
    message: &mllp::Message,
    header: &Header,
    now: SystemTime,
) -> Result<Recorded<Taken>, NotRecorded> {
    let caller = message.caller();
    let parties = Parties::answered(caller, message.endpoint()).named(
        format!("{}|{}", header.sending_facility, header.sending_application),
        format!(
            "{}|{}",
            header.receiving_facility, header.receiving_application
        ),
    );
    let may = may(registry, caller, Permission::Announce, now);
    let refused = match may.and_then(|()| message.permitted(Permission::Announce)) {
        Err(fault) => (internal(fault.reason.clone()), fault),
        Ok(bytes) => match readable(registry, bytes, header) {
            Ok((message, domain)) => {
                let read = (&message, header);
                let received = match header.trigger.as_str() {
                    link_change::TRIGGER => {
                        iti64::receive(registry, &parties, read, domain, now).await?
                    }
                    _ => iti8::receive(registry, &parties, read, domain, now).await?,
                };
                match received {
                    Ok(taken) => return Ok(taken),
                    Err(refusal) => with_fault(refusal),
                }
            }
            Err(refusal) => with_fault(refusal),
        },
    };
    let (refusal, fault) = refused;
    let event = Event::refused(caller, &fault);
    registry.audit.record(event, Err(refusal)).await
}

/// The message, if its header is in order and there is a domain to judge its patients by.
fn readable<'r>(
    registry: &'r Registry,
    bytes: &[u8],
    header: &Header,
) -> Result<(Message, &'r PatientDomain), Refusal> {
    let config = &registry.config.feed;
    let place = Place::segment("MSH");
    let message = Message::read(bytes)
        .map_err(|error| Refusal::new(ErrorCode::SegmentSequence, place, error.to_string()))?;
    header.judge(config.application.as_deref(), config.facility.as_deref())?;
    let domain = config.domain.as_ref();
    Ok((
        message,
        domain.ok_or_else(|| internal(NO_DOMAIN.to_owned()))?,
    ))
}

fn with_fault(refusal: Refusal) -> (Refusal, Fault) {
    let fault = Fault::sender(refusal.reason.as_str());
    (refusal, fault)
}

fn internal(reason: String) -> Refusal {
    Refusal::new(ErrorCode::Internal, Place::segment("MSH"), reason)
}
