//! ITI-8, and ITI-64 in messages that others wrote: HL7 v2 over MLLP.

use anyhow::Context;
use hilum_audit::{Audit, Event, Outcome, Parties, PatientFeed};
use hilum_transport::mllp::Connection;
use uuid::Uuid;
use xds_schemas::hl7v2::{Acknowledgement, Header, Message, PatientDomain, encode};
use xds_schemas::iti8_patient_identity_feed::{self as iti8, Announcement};
use xds_schemas::iti64_notify_xad_pid_link_change::{self as iti64, LinkChange};

use super::{Told, now, said};
use crate::client::{self, Node};
use crate::config::ConfigError;

/// What a message says, as far as it is recorded.
enum Content {
    /// ITI-8; nothing if it is not understood.
    Announcement(Option<Announcement>),
    /// ITI-64.
    LinkChange(LinkChange),
}

impl Content {
    /// What is said by a message that others wrote.
    fn read(message: &Message, header: &Header, domain: &PatientDomain) -> Self {
        if header.trigger == iti64::TRIGGER
            && let Ok(change) = iti64::read(message, header, domain)
        {
            return Self::LinkChange(change);
        }
        Self::Announcement(iti8::read(message, header, domain).ok())
    }

    const fn transaction(&self) -> &'static str {
        match self {
            Self::Announcement(_) => "ITI-8",
            Self::LinkChange(_) => "ITI-64",
        }
    }

    fn said(&self) -> String {
        match self {
            Self::Announcement(Some(announcement)) => said(announcement),
            Self::Announcement(None) => "the message".to_owned(),
            Self::LinkChange(change) => {
                format!(
                    "{} is {}, not {}",
                    change.local, change.new, change.previous
                )
            }
        }
    }
}

/// Sends a message for each announcement, on one connection, until one cannot be sent.
pub(super) async fn send(node: &Node, announcements: &[Announcement]) -> anyhow::Result<Vec<Told>> {
    let mut messages = Vec::with_capacity(announcements.len());
    for announcement in announcements {
        let header = header(node);
        let text = announcement.to_message(&header, &now());
        messages.push((
            header,
            Content::Announcement(Some(announcement.clone())),
            text,
        ));
    }
    exchange(node, messages).await
}

/// Sends a message as it is.
pub(super) async fn send_raw(node: &Node, message: &str) -> anyhow::Result<Vec<Told>> {
    let read = Message::read(message.as_bytes()).ok();
    let header = read.as_ref().map(Header::of).unwrap_or_default();
    let domain = node.config.patient_domain();
    let content = read.map(|read| Content::read(&read, &header, &domain));
    let content = content.unwrap_or(Content::Announcement(None));
    exchange(node, vec![(header, content, message.to_owned())]).await
}

/// The text with a carriage return after each line, as HL7 wants it.
pub(super) fn with_carriage_returns(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.replace("\r\n", "\r").replace('\n', "\r")
}

/// Who sends to whom. A control ID of HL7 v2.3.1 has 20 characters.
fn header(node: &Node) -> Header {
    let name = |given: &Option<String>, usual: &str| given.clone().unwrap_or_else(|| encode(usual));
    let feed = &node.config.feed;
    Header {
        sending_application: "HILUM".to_owned(),
        sending_facility: encode(&node.config.audit().host),
        receiving_application: name(&feed.application, "REGISTRY"),
        receiving_facility: name(&feed.facility, "XDS"),
        control_id: format!("{:016x}", Uuid::new_v4().as_u64_pair().1),
        processing_id: "P".to_owned(),
        ..Header::default()
    }
}

async fn exchange(
    node: &Node,
    messages: Vec<(Header, Content, String)>,
) -> anyhow::Result<Vec<Told>> {
    let url = node.config.feed_url().ok_or_else(|| {
        let problem = "feed.url: it is needed to know where to announce patients";
        ConfigError(problem.to_owned())
    })?;
    let ledger = node.ledger()?;
    let tls = client::tls(&node.config)?;
    let limits = &node.config.limits;
    let mut connection = None;
    let mut all = Vec::with_capacity(messages.len());
    for (header, content, text) in messages {
        let answer = async {
            let open = match connection.take() {
                Some(open) => open,
                None => Connection::open(&url, tls.as_ref(), limits).await?,
            };
            let answer = connection.insert(open).exchange(text.as_bytes()).await?;
            let read = Acknowledgement::read(&answer);
            read.with_context(|| format!("{url} did not answer with an acknowledgement"))
        };
        let answer = answer.await.map(|ack| told(&content, ack));
        let answer = recorded(&ledger, &url, &header, &content, answer).await?;
        all.push(answer);
    }
    Ok(all)
}

fn told(content: &Content, acknowledgement: Acknowledgement) -> Told {
    Told {
        transaction: content.transaction(),
        said: content.said(),
        accepted: acknowledgement.is_accepted(),
        code: acknowledgement.code,
        reasons: acknowledgement.reasons,
    }
}

/// The answer, once it is recorded that the message was sent (ITI TF-2 3.8.5.1.1).
async fn recorded(
    ledger: &Audit,
    url: &str,
    header: &Header,
    content: &Content,
    answer: anyhow::Result<Told>,
) -> anyhow::Result<Told> {
    let parties = Parties::asked(url).named(
        format!("{}|{}", header.sending_facility, header.sending_application),
        format!(
            "{}|{}",
            header.receiving_facility, header.receiving_application
        ),
    );
    let outcome = match &answer {
        Ok(told) => told.outcome(),
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let id = &header.control_id;
    let event = match content {
        Content::Announcement(announcement) => {
            let feed = PatientFeed::PatientIdentityFeed;
            Event::patients_announced(feed, &parties, id, announcement.as_ref(), &outcome)
        }
        Content::LinkChange(change) => Event::link_changed(&parties, id, change, &outcome),
    };
    ledger.record(event, answer).await?.into_inner()
}

#[cfg(test)]
mod tests {
    use super::with_carriage_returns;

    #[test]
    fn lines_end_with_carriage_returns() {
        assert_eq!(
            with_carriage_returns(b"MSH|\nPID|\r\nPV1|\r"),
            "MSH|\rPID|\rPV1|\r"
        );
    }
}
