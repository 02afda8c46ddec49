//! What is recorded of the log of an Audit Record Repository itself: that somebody read it (DICOM
//! PS3.15 A.5.3.2, "Audit Log Used"), that records were removed when their time was over, and that
//! the log is not as it was.

use crate::event::happenings::{SECURITY_ALERT, happened, object, reporter};
use crate::event::message::{Coded, Message};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const AUDIT_LOG_USED: Coded = Coded::dcm("110101", "Audit Log Used");
const USE_OF_RESTRICTED_FUNCTION: Coded = Coded::dcm("110132", "Use of Restricted Function");
const URI: Coded = Coded::rfc3881("12", "URI");
/// DICOM asks for this name.
const LOG_NAME: &str = "Security Audit Log";
/// What stands before the numbers of records.
const RECORDS: &str = "urn:hilum:audit:records:";

/// How the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditLogUse {
    /// ITI-81 Retrieve ATNA Audit Event.
    RetrieveAuditEvent,
    /// ITI-82 Retrieve Syslog Event.
    RetrieveSyslogEvent,
    /// A record as it came, or the proof of it.
    Record,
}

impl AuditLogUse {
    const fn code(self) -> Option<Coded> {
        match self {
            Self::RetrieveAuditEvent => Some(Coded::ihe("ITI-81", "Retrieve ATNA Audit Event")),
            Self::RetrieveSyslogEvent => Some(Coded::ihe("ITI-82", "Retrieve Syslog Event")),
            Self::Record => None,
        }
    }
}

impl Event {
    /// Somebody read the log at the URI `log`. `query` is what they asked, as it was sent.
    pub fn audit_log_used(
        how: AuditLogUse,
        parties: &Parties,
        log: &str,
        query: Option<&str>,
        outcome: &Outcome,
    ) -> Self {
        let mut resource = object("13", log, URI);
        resource.name = Some(LOG_NAME);
        let mut objects = vec![resource];
        if let Some(query) = query {
            let code = how.code().unwrap_or(URI);
            let mut asked = object("24", log, code);
            asked.query = Some(query.as_bytes().to_vec());
            asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
            objects.push(asked);
        }
        let participants = parties.participants(Direction::ToInitiator);
        let message = |(indicator, why): (&'static str, Option<&str>)| Message {
            id: AUDIT_LOG_USED,
            action: "R",
            outcome: indicator,
            outcome_description: why.map(str::to_owned),
            type_code: how.code(),
            participants: participants.clone(),
            objects: objects.clone(),
        };
        let messages = outcome.indicators().into_iter().map(message).collect();
        Self { messages }
    }

    /// The records from number `first` to before `end` were removed, as their time was over.
    pub fn records_removed(first: u64, end: u64) -> Self {
        let id = format!("{RECORDS}{first}-{}", end.saturating_sub(1));
        let mut removed = object("13", &id, URI);
        removed.name = Some(LOG_NAME);
        removed.life_cycle = Some("15");
        Self {
            messages: vec![Message {
                id: AUDIT_LOG_USED,
                action: "D",
                outcome: "0",
                outcome_description: None,
                type_code: None,
                participants: vec![reporter()],
                objects: vec![removed],
            }],
        }
    }

    /// The log is not what was signed for.
    pub fn audit_log_changed(log: &str, description: &str) -> Self {
        let mut subject = object("13", log, URI);
        subject.name = Some(LOG_NAME);
        let detail = ("Alert Description", description.to_owned());
        subject.details.push(detail);
        let outcome = Outcome::MajorFailure(description.to_owned());
        happened(
            SECURITY_ALERT,
            "E",
            USE_OF_RESTRICTED_FUNCTION,
            &outcome,
            vec![reporter()],
            vec![subject],
        )
    }
}

/// The records that an object of [`Event::records_removed`] names: the first, and the one after the
/// last.
pub(crate) fn removed_records(object: &str) -> Option<std::ops::Range<u64>> {
    let (first, last) = object.strip_prefix(RECORDS)?.split_once('-')?;
    let last: u64 = last.parse().ok()?;
    Some(first.parse().ok()?..last.checked_add(1)?)
}
