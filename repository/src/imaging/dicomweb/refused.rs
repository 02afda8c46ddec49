//! Why something is not done, as HTTP says it.

use anyhow::anyhow;
use hilum_audit::{Event, NotRecorded};
use hilum_transport::{Reply, Trouble};
use uuid::Uuid;
use xds_schemas::soap::Fault;

/// Why something is not done.
#[derive(Debug)]
pub(super) struct Refused {
    /// The status of HTTP.
    pub(super) status: u16,
    /// A sentence for whoever asked.
    pub(super) reason: String,
    /// What is recorded, if it is not that somebody was refused.
    pub(super) event: Option<Event>,
    /// Methods that are allowed.
    allow: Option<&'static str>,
}

impl Refused {
    pub(super) fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            event: None,
            allow: None,
        }
    }

    /// The resource is not asked so.
    pub(super) fn method(allow: &'static str) -> Self {
        Self {
            allow: Some(allow),
            ..Self::new(405, format!("only {allow} can be asked here"))
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
        let text = format!("{}\n", self.reason);
        let reply = Reply::plain(self.status, "text/plain; charset=utf-8", text);
        match self.allow {
            Some(allow) => reply.and_header("allow", allow),
            None => reply,
        }
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.status(), trouble.to_string())
    }
}

/// Only a gate gives one here.
impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::new(403, fault.reason)
    }
}

impl From<NotRecorded> for Refused {
    fn from(error: NotRecorded) -> Self {
        Self::new(503, Fault::from(error).reason)
    }
}

/// What went wrong inside is logged here, and the caller gets a number to ask for.
impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        let number = Uuid::new_v4();
        tracing::error!(%number, "internal error: {error:#}");
        let reason = format!("internal error; the operator finds it in the log as {number}");
        Self::new(500, reason)
    }
}

impl From<tokio::task::JoinError> for Refused {
    fn from(error: tokio::task::JoinError) -> Self {
        anyhow!(error).into()
    }
}
