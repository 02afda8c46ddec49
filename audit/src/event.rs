//! What happened, as a DICOM audit message (DICOM PS3.15 A.5, in the layout of 2017c).
//!
//! [`message`] is the message itself, [`happenings`] its constructors, one for each thing that can
//! happen ([`removals`] has those of removals, [`alerts`] and [`decisions`] those of what concerns the
//! node itself). An [`Event`] has no clock, process or host of its own: they come from the [`Source`]
//! and from the moment at which it is recorded.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

mod alerts;
mod audit_log;
mod consents;
mod decisions;
mod dicomweb;
mod dimse;
mod discovery;
mod exchange;
mod feed;
mod happenings;
mod keys;
mod message;
mod notifications;
mod parties;
mod patient_queries;
mod patient_records;
mod removals;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use hilum_security::User;
use xds_schemas::codes::status::ResponseStatus;

pub use audit_log::AuditLogUse;
pub use consents::ConsentUse;
pub use decisions::{Decided, Subject};
pub use dicomweb::ImagesRetrieved;
pub use discovery::AboutPatients;
pub use exchange::{InboxUse, Medium};
pub use happenings::{Document, Query, Study, SubmissionSet, Transaction};
pub use message::Source;
pub use notifications::{Notified, NotifiedKind, Subscribing};
pub use parties::Parties;
pub use patient_queries::{PatientQuery, PatientQueryKind};
pub use patient_records::PatientFeed;

pub(crate) use audit_log::removed_records;
pub(crate) use message::Message;

/// Something that happened: usually one message. One message concerns one patient (ITI-20), and
/// one has one outcome, so there may be more.
#[derive(Debug, Clone)]
pub struct Event {
    pub(crate) messages: Vec<Message>,
}

impl Event {
    /// This and another thing that happened in the same call, such as documents retrieved and
    /// documents refused.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.messages.extend(other.messages);
        self
    }

    /// The same, done for this person, as far as nobody else is named.
    pub(crate) fn on_behalf_of(mut self, person: &Arc<User>) -> Self {
        for message in &mut self.messages {
            let participants = &mut message.participants;
            if participants.iter().all(|it| it.person.is_none()) {
                participants.push(parties::person(person, None));
            }
        }
        self
    }

    /// The XML of each message, as `source` records it at `moment`.
    pub fn xml(&self, source: &Source, moment: crate::moment::Moment) -> Vec<String> {
        let moment = moment.to_string();
        let write = |message: &Message| message.write(source, &moment);
        self.messages.iter().map(write).collect()
    }
}

/// How it ended: `EventOutcomeIndicator`, with a description for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 0: done, perhaps with warnings.
    Success,
    /// Part was done: recorded as two messages, 0 and 8.
    Partial(String),
    /// 4: not done, for reasons that are nobody's concern.
    MinorFailure(String),
    /// 8: not done.
    Failure(String),
    /// 12: not done, and nothing can be done any more.
    MajorFailure(String),
}

impl Outcome {
    /// The outcome of a response: its status, whether any of its errors is one (a list of
    /// warnings only is a minor failure), and its error codes to describe it.
    pub fn of(status: ResponseStatus, any_error: bool, codes: impl Into<String>) -> Self {
        match status {
            ResponseStatus::Success => Self::Success,
            ResponseStatus::PartialSuccess => Self::Partial(codes.into()),
            ResponseStatus::Failure if any_error => Self::Failure(codes.into()),
            ResponseStatus::Failure => Self::MinorFailure(codes.into()),
        }
    }

    /// What to write for each message: indicator and description.
    fn indicators(&self) -> Vec<(&'static str, Option<&str>)> {
        match self {
            Self::Success => vec![("0", None)],
            Self::Partial(why) => vec![("0", None), ("8", Some(why))],
            Self::MinorFailure(why) => vec![("4", Some(why))],
            Self::Failure(why) => vec![("8", Some(why))],
            Self::MajorFailure(why) => vec![("12", Some(why))],
        }
    }
}
