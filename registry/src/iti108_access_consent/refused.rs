//! Why something is not done, as FHIR says it: an OperationOutcome.

use hilum_audit::{Event, NotRecorded};
use hilum_transport::{Reply, Trouble};
use serde_json::json;
use xds_schemas::soap::Fault;

use super::store::Denied;

/// Why something is not done.
#[derive(Debug)]
pub(super) struct Refused {
    status: u16,
    /// A code of FHIR's issue types.
    code: &'static str,
    /// A sentence for whoever asked.
    reason: String,
    /// What is recorded, if it is not that somebody was refused.
    pub(super) event: Option<Event>,
    /// Methods that are allowed.
    allow: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(status: u16, code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            code,
            reason: reason.into(),
            event: None,
            allow: None,
        }
    }

    /// An answer is wanted in another form.
    pub(super) fn not_json() -> Self {
        let reason =
            "consents are answered as application/fhir+json, and not as XML or anything else";
        Self::new(406, "not-supported", reason)
    }

    /// The resource is not asked so.
    pub(super) fn method(allow: &'static str) -> Self {
        let reason = format!("only {allow} can be asked here");
        Self {
            allow: Some(allow),
            ..Self::new(405, "not-supported", reason)
        }
    }

    /// With what is to be recorded of it.
    #[must_use]
    pub(super) fn recorded_as(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }

    /// In the words of a record.
    pub(super) fn fault(&self) -> Fault {
        match self.status {
            403 => Fault::not_permitted(self.reason.clone()),
            500.. => Fault::receiver(self.reason.clone()),
            _ => Fault::sender(self.reason.clone()),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let outcome = json!({
            "resourceType": "OperationOutcome",
            "issue": [{"severity": "error", "code": self.code, "diagnostics": self.reason}],
        });
        let reply = Reply::plain(self.status, super::JSON, outcome.to_string());
        match self.allow {
            Some(allow) => reply.and_header("allow", allow),
            None => reply,
        }
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.status(), "invalid", trouble.to_string())
    }
}

/// Only a gate gives one here.
impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::new(403, "forbidden", fault.reason)
    }
}

impl From<NotRecorded> for Refused {
    fn from(error: NotRecorded) -> Self {
        Self::new(503, "transient", Fault::from(error).reason)
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let (status, code) = match &denied {
            Denied::Absent => (404, "not-found"),
            Denied::Forbidden => (403, "forbidden"),
            Denied::Invalid(_) => (400, "invalid"),
            Denied::Meaningless(_) => (422, "processing"),
            Denied::Changed => (412, "conflict"),
            Denied::TooMany(_) => (422, "too-costly"),
            Denied::Internal(_) => (500, "exception"),
        };
        Self::new(status, code, denied.why())
    }
}
