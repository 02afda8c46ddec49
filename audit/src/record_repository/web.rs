//! What is asked with FHIR and beside it: the table of contents.
//!
//! The gates are those of SOAP: nothing is read before it is permitted, nothing is sent before it is
//! recorded.

mod capabilities;
mod format;
pub(super) mod refused;

use hilum_security::Permission;
use hilum_transport::{Reply, Request};

use super::RecordRepository;
use super::iti20_record_audit_event as iti20;
use super::iti81_retrieve_atna_audit_event as iti81;
use super::iti82_retrieve_syslog_event as iti82;
use crate::{Event, Recorded};

pub(super) use format::Format;
pub(super) use refused::Refused;

/// Answers a request. What is refused leaves a record too.
pub(super) async fn serve(repository: &RecordRepository, request: Request) -> Reply {
    let format = Format::wanted(&request).unwrap_or_default();
    let caller = request.caller().clone();
    match answer(repository, request).await {
        Ok(reply) => reply.into_inner(),
        Err(refused) => {
            let told = refused.fault();
            let reply = refused.reply(format);
            let event = refused
                .event
                .unwrap_or_else(|| Event::refused(&caller, &told));
            match repository.audit().record(event, reply).await {
                Ok(reply) => reply.into_inner(),
                Err(error) => Refused::from(error).reply(format),
            }
        }
    }
}

/// Everything that is answered.
async fn answer(
    repository: &RecordRepository,
    request: Request,
) -> Result<Recorded<Reply>, Refused> {
    let segments = request.segments()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let method = match request.method() {
        "HEAD" => "GET",
        method => method,
    };
    match (segments.as_slice(), method) {
        (["fhir", "metadata"], "GET") => {
            let format = Format::wanted(&request)?;
            let statement = capabilities::statement(request.origin());
            Ok(Recorded::public(format.reply(200, &statement)))
        }
        (["fhir", "AuditEvent"], "GET") => {
            let request = repository.reading(request)?;
            iti81::search(repository, request).await
        }
        (["fhir", "AuditEvent", "_search"], "POST") => {
            let request = repository.reading(request)?;
            iti81::search(repository, request).await
        }
        (["fhir", "AuditEvent", id] | ["fhir", "AuditEvent", id, "_history", "1"], "GET") => {
            let id = (*id).to_owned();
            let request = repository.reading(request)?;
            iti81::read(repository, request, &id).await
        }
        (["fhir", "AuditEvent"], "POST") => {
            let request = request.permitted(Permission::Provide)?;
            iti20::create(repository, request).await
        }
        (["fhir"], "POST") => {
            let request = request.permitted(Permission::Provide)?;
            iti20::bundle(repository, request).await
        }
        (["syslogsearch" | "syslog"], "GET") => {
            let request = repository.reading(request)?;
            iti82::search(repository, request).await
        }
        (["fhir", "AuditEvent"], _) => Err(Refused::method("GET, HEAD, POST")),
        (["fhir"] | ["fhir", "AuditEvent", "_search"], _) => Err(Refused::method("POST")),
        (["fhir", "metadata"] | ["fhir", "AuditEvent", ..] | ["syslogsearch" | "syslog"], _) => {
            Err(Refused::method("GET, HEAD"))
        }
        _ => Err(Refused::new(
            404,
            "not-found",
            "nothing is served at this path",
        )),
    }
}
