//! Why something is not done, as FHIR says it: an `OperationOutcome`.

use hilum_transport::{Reply, Trouble};
use serde_json::{Value, json};
use uuid::Uuid;
use xds_schemas::soap::Fault;

use super::Format;
use crate::fhir::judged::Problem;
use crate::{Event, NotRecorded};

/// Why something is not done.
#[derive(Debug)]
pub(in crate::record_repository) struct Refused {
    status: u16,
    reason: String,
    issues: Vec<Value>,
    /// What is recorded, if it is not that somebody was refused.
    pub(in crate::record_repository) event: Option<Event>,
    allow: Option<&'static str>,
}

impl Refused {
    /// With a status of HTTP, a code of FHIR's list of issue types, and a sentence.
    pub(in crate::record_repository) fn new(
        status: u16,
        code: &str,
        reason: impl Into<String>,
    ) -> Self {
        let reason = reason.into();
        Self {
            status,
            issues: vec![issue("error", code, &reason, None)],
            reason,
            event: None,
            allow: None,
        }
    }

    /// The resource is not asked so.
    pub(super) fn method(allow: &'static str) -> Self {
        let reason = format!("only {allow} can be asked here");
        Self {
            allow: Some(allow),
            ..Self::new(405, "not-supported", reason)
        }
    }

    /// What was sent is not right.
    pub(in crate::record_repository) fn wrong(problems: &[Problem]) -> Self {
        let first = problems.first();
        let reason = first.map_or_else(
            || "it cannot be taken".to_owned(),
            |first| format!("{}: {}", first.place, first.text),
        );
        Self {
            issues: issues(problems),
            ..Self::new(400, "invalid", reason)
        }
    }

    /// With what is to be recorded of it.
    #[must_use]
    pub(in crate::record_repository) fn recorded_as(mut self, event: Event) -> Self {
        self.event = Some(event);
        self
    }

    /// In the words of a record.
    pub(in crate::record_repository) fn fault(&self) -> Fault {
        match self.status {
            403 => Fault::not_permitted(self.reason.clone()),
            500.. => Fault::receiver(self.reason.clone()),
            _ => Fault::sender(self.reason.clone()),
        }
    }

    pub(super) fn reply(&self, format: Format) -> Reply {
        let reply = format.reply(self.status, &outcome(&self.issues));
        match self.allow {
            Some(allow) => reply.and_header("allow", allow),
            None => reply,
        }
    }
}

/// An `OperationOutcome`.
pub(in crate::record_repository) fn outcome(issues: &[Value]) -> Value {
    json!({ "resourceType": "OperationOutcome", "issue": issues })
}

/// One of its issues.
pub(in crate::record_repository) fn issue(
    severity: &str,
    code: &str,
    text: &str,
    place: Option<&str>,
) -> Value {
    let mut issue = json!({ "severity": severity, "code": code, "diagnostics": text });
    if let Some(place) = place {
        issue["expression"] = json!([place]);
    }
    issue
}

/// What is wrong with a resource, as issues.
pub(in crate::record_repository) fn issues(problems: &[Problem]) -> Vec<Value> {
    let issue = |it: &Problem| issue("error", it.code, it.text, Some(&it.place));
    problems.iter().map(issue).collect()
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

/// What went wrong inside is logged here, and the caller gets a number to ask for.
impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        let number = Uuid::new_v4();
        tracing::error!(%number, "internal error: {error:#}");
        let reason = format!("internal error; the operator finds it in the log as {number}");
        Self::new(500, "exception", reason)
    }
}

impl From<tokio::task::JoinError> for Refused {
    fn from(error: tokio::task::JoinError) -> Self {
        anyhow::anyhow!(error).into()
    }
}
