//! ITI-20 Record Audit Event, with FHIR: one event, or a bundle of them.
//!
//! Sent by Secure Nodes and Applications; taken by the Audit Record Repository. What is taken is in the
//! log before anybody hears of it. What is refused leaves a record of ours, with what was sent.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

use std::time::SystemTime;

use hilum_transport::{PermittedRequest, Reply};
use serde_json::{Value, json};

use super::web::refused::{issue, issues, outcome};
use super::web::{Format, Refused};
use super::{Form, Received, RecordRepository, Via, understood};
use crate::fhir::time;
use crate::{Event, Parties, Recorded};
use understood::{EventId, Fed};

/// What came, and how it is to be answered.
struct Sent {
    received: Received,
    answer: Format,
    /// Whether the event is wanted back.
    representation: bool,
    base: String,
    parties: Parties,
}

/// `POST [base]/AuditEvent`
pub(super) async fn create(
    repository: &RecordRepository,
    request: PermittedRequest,
) -> Result<Recorded<Reply>, Refused> {
    let sent = sent(repository, request).await?;
    let mut fed = read(&sent)?;
    let problems = match fed.events.as_slice() {
        [event] if fed.bundle.is_none() => event.problems.clone(),
        _ => {
            let refused = Refused::new(400, "invalid", "one AuditEvent is taken here");
            return Err(remembered(refused, &sent));
        }
    };
    if !problems.is_empty() {
        return Err(remembered(Refused::wrong(&problems), &sent));
    }
    let number = kept(repository, &sent).await?;
    let at = understood::arrived(&sent.received);
    let told = fed.events.remove(0).told(number, at);
    let reply = match (sent.representation, sent.answer) {
        (false, _) => Reply::empty(201),
        (true, Format::Json) => Reply::plain(201, sent.answer.media(), told.json()),
        (true, Format::Xml) => sent.answer.reply(201, &told.resource()),
    };
    let place = format!("{}/AuditEvent/{}/_history/1", sent.base, told.id);
    let reply = reply
        .and_header("location", &place)
        .and_header("etag", "W/\"1\"");
    // The record is what was kept.
    Ok(Recorded::public(reply))
}

/// `POST [base]` with a batch or transaction.
pub(super) async fn bundle(
    repository: &RecordRepository,
    request: PermittedRequest,
) -> Result<Recorded<Reply>, Refused> {
    let sent = sent(repository, request).await?;
    let fed = read(&sent)?;
    let answered = match fed.bundle.as_deref() {
        Some("batch") => "batch-response",
        Some("transaction") => "transaction-response",
        _ => {
            let refused = Refused::new(
                400,
                "invalid",
                "a Bundle of type batch or transaction is taken here",
            );
            return Err(remembered(refused, &sent));
        }
    };
    if fed.events.is_empty() {
        let refused = Refused::new(400, "required", "the Bundle has no entry");
        return Err(remembered(refused, &sent));
    }
    let bad = fed.events.iter().find(|event| !event.problems.is_empty());
    // A transaction is all or nothing.
    if let (Some(bad), "transaction-response") = (bad, answered) {
        return Err(remembered(Refused::wrong(&bad.problems), &sent));
    }
    let some_are_bad = bad.is_some();
    let all_are_bad = fed.events.iter().all(|event| !event.problems.is_empty());
    let number = match all_are_bad {
        true => None,
        false => Some(kept(repository, &sent).await?),
    };
    let response = json!({
        "resourceType": "Bundle",
        "type": answered,
        "entry": responses(&fed, number, &sent),
    });
    let reply = sent.answer.reply(200, &response);
    match some_are_bad {
        false => Ok(Recorded::public(reply)),
        true => {
            let event =
                Event::feed_refused(&sent.parties, "entries were refused", &sent.received.bytes);
            Ok(repository.audit().record(event, reply).await?)
        }
    }
}

/// Takes what is sent from the wire.
async fn sent(
    repository: &RecordRepository,
    mut request: PermittedRequest,
) -> Result<Sent, Refused> {
    let answer = Format::wanted(request.request())?;
    let content_type = request.content_type()?.essence;
    let form = match Format::named(&content_type) {
        Ok(Format::Json) => Form::FhirJson,
        Ok(Format::Xml) => Form::FhirXml,
        Err(_) => {
            let reason = "the Content-Type is application/fhir+json or application/fhir+xml";
            return Err(Refused::new(415, "not-supported", reason));
        }
    };
    let bytes = request.collect(repository.message_bytes()).await?;
    let asked = request.request();
    let prefer = asked.header("prefer").unwrap_or_default();
    let caller = asked.caller();
    Ok(Sent {
        received: Received {
            at: SystemTime::now(),
            via: Via::Http,
            from: caller.address,
            node: caller.node.as_ref().map(|node| node.subject.clone()),
            form,
            cut: false,
            bytes: bytes.to_vec(),
        },
        answer,
        representation: prefer.replace(' ', "").contains("return=representation"),
        base: format!("{}/fhir", asked.origin()),
        parties: Parties::answered(caller, asked.endpoint()),
    })
}

fn read(sent: &Sent) -> Result<Fed, Refused> {
    let fed = understood::fed(sent.received.form, &sent.received.bytes);
    fed.map_err(|reason| remembered(Refused::new(400, "structure", reason), sent))
}

/// What is refused is not in the log, so our own record of it has what was sent.
fn remembered(refused: Refused, sent: &Sent) -> Refused {
    let reason = refused.fault().reason;
    let event = Event::feed_refused(&sent.parties, &reason, &sent.received.bytes);
    refused.recorded_as(event)
}

/// The number of the record in the log, when it is there.
async fn kept(repository: &RecordRepository, sent: &Sent) -> Result<u64, Refused> {
    let numbers = repository.log().append(vec![sent.received.clone()]).await;
    match numbers {
        Ok(numbers) => Ok(numbers.start),
        // The reason is logged where the write failed.
        Err(error) => Err(Refused::new(503, "transient", error.to_string())),
    }
}

/// What became of each entry.
fn responses(fed: &Fed, number: Option<u64>, sent: &Sent) -> Vec<Value> {
    let at = time::instant(understood::arrived(&sent.received));
    let response = |event: &understood::FedEvent| {
        let taken = number.filter(|_| event.problems.is_empty());
        let Some(number) = taken else {
            let issues = match event.problems.is_empty() {
                true => vec![issue("error", "invalid", "it was not taken", None)],
                false => issues(&event.problems),
            };
            return json!({ "response": { "status": "400 Bad Request", "outcome": outcome(&issues) } });
        };
        let part = event.part;
        let id = EventId { number, part };
        json!({ "response": {
            "status": "201 Created",
            "location": format!("{}/AuditEvent/{id}/_history/1", sent.base),
            "etag": "W/\"1\"",
            "lastModified": at,
        } })
    };
    fed.events.iter().map(response).collect()
}
