//! What can be asked under `/audit/`: the head of the log, proofs, and records as they came. It is JSON
//! with hashes in hexadecimal, and nothing of IHE.

use hilum_transport::{Reply, Request};
use serde::Serialize;
use xds_schemas::soap::Fault;

use super::head::hex;
use super::tree::Hash;
use super::{LogError, RecordRepository};
use crate::event::AuditLogUse;
use crate::{Event, Outcome, Parties};

/// Why there is no answer: what HTTP calls it, and a line for whoever asked.
struct Refused(u16, &'static str);

const NOT_HERE: Refused = Refused(404, "there is nothing here");

/// Asked for a proof.
#[derive(Debug, Serialize)]
struct Inclusion {
    index: u64,
    size: u64,
    leaf: String,
    path: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Consistency {
    first: u64,
    second: u64,
    path: Vec<String>,
}

/// Answers what is asked under `/audit/`, and records that it was.
pub(super) async fn serve(repository: &RecordRepository, request: Request) -> Reply {
    let caller = request.caller().clone();
    let audit = repository.audit();
    let request = match repository.reading(request) {
        Ok(request) => request,
        Err(fault) => {
            let event = Event::refused(&caller, &fault);
            return audit.refuse(event, text(403, &fault.reason)).await;
        }
    };
    let request = request.request();
    let asked = answer(repository, request).await;
    let outcome = match &asked {
        Ok(_) => Outcome::Success,
        Err(Refused(500.., why)) => Outcome::Failure((*why).to_owned()),
        Err(Refused(_, why)) => Outcome::MinorFailure((*why).to_owned()),
    };
    let parties = Parties::answered(&caller, request.endpoint());
    let query = Some(request.query()).filter(|query| !query.is_empty());
    let how = AuditLogUse::Record;
    let event = Event::audit_log_used(how, &parties, request.endpoint(), query, &outcome);
    let reply = asked.unwrap_or_else(|Refused(status, why)| text(status, why));
    match audit.record(event, reply).await {
        Ok(reply) => reply.into_inner(),
        Err(error) => text(503, &Fault::from(error).reason),
    }
}

async fn answer(repository: &RecordRepository, request: &Request) -> Result<Reply, Refused> {
    if !matches!(request.method(), "GET" | "HEAD") {
        return Err(Refused(405, "this is asked with GET"));
    }
    let segments = request.segments().map_err(|_| NOT_HERE)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let number = |name| parameter(request, name);
    let log = repository.log().clone();
    let end = log.end();
    match segments[..] {
        ["audit", "tree-head"] => {
            let head = repository.head().await.map_err(|error| {
                tracing::error!(%error, "the head of the audit log could not be signed");
                Refused(500, "the head could not be signed")
            })?;
            json(&head)
        }
        ["audit", "public-key"] => {
            let pem = repository.public_key();
            Ok(Reply::plain(200, "application/x-pem-file", pem.to_vec()))
        }
        ["audit", "proof"] => {
            let (index, size) = (number("index")?, number("size")?);
            if index >= size || size > end {
                return Err(Refused(400, "index < size <= the size of the log"));
            }
            let proof = reading(move || Ok((log.leaf(index)?, log.inclusion(index, size)?)));
            let (leaf, path) = proof.await?;
            let (leaf, path) = (hex(&leaf), hexes(&path));
            json(&Inclusion {
                index,
                size,
                leaf,
                path,
            })
        }
        ["audit", "consistency"] => {
            let (first, second) = (number("first")?, number("second")?);
            if first > second || second > end {
                return Err(Refused(400, "first <= second <= the size of the log"));
            }
            let path = reading(move || log.consistency(first, second)).await?;
            let path = hexes(&path);
            json(&Consistency {
                first,
                second,
                path,
            })
        }
        ["audit", "record", index] => {
            let index = index.parse().map_err(|_| NOT_HERE)?;
            let record = reading(move || log.read(index)).await?.ok_or(NOT_HERE)?;
            Ok(Reply::plain(200, "application/octet-stream", record.bytes))
        }
        ["audit", "leaf", index] => {
            let index = index.parse().map_err(|_| NOT_HERE)?;
            let record = reading(move || log.read(index)).await?.ok_or(NOT_HERE)?;
            let leaf = record.leaf();
            Ok(Reply::plain(200, "application/octet-stream", leaf))
        }
        _ => Err(NOT_HERE),
    }
}

/// Files are read where that holds nobody up.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, Refused> {
    let failed = Refused(500, "the log could not be read");
    match tokio::task::spawn_blocking(read).await {
        Ok(Ok(it)) => Ok(it),
        Ok(Err(error)) => {
            tracing::error!(%error, "the audit log could not be read");
            Err(failed)
        }
        Err(_) => Err(failed),
    }
}

fn parameter(request: &Request, name: &str) -> Result<u64, Refused> {
    let wrong = || Refused(400, "a parameter is missing, or is no number");
    let parameters = request.parameters().map_err(|_| wrong())?;
    let mut given = parameters.iter().filter(|(given, _)| given == name);
    let (_, value) = given.next().ok_or_else(wrong)?;
    value.parse().map_err(|_| wrong())
}

fn hexes(path: &[Hash]) -> Vec<String> {
    path.iter().map(hex).collect()
}

fn json(it: &impl Serialize) -> Result<Reply, Refused> {
    let failed = |_| Refused(500, "the answer could not be written");
    let mut bytes = serde_json::to_vec(it).map_err(failed)?;
    bytes.push(b'\n');
    Ok(Reply::plain(200, "application/json", bytes))
}

fn text(status: u16, why: &str) -> Reply {
    Reply::plain(status, "text/plain; charset=utf-8", format!("{why}\n"))
}
