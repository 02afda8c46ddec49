//! ITI-81 Retrieve ATNA Audit Event: a search for events, as FHIR has it.
//!
//! Asked by Audit Consumers; answered by the Audit Record Repository. Each search is an event itself.
//! Pages are stable: the link to the next one says which record was the last when the search began.

mod answer;
mod date;
mod question;
mod tokens;

use std::time::Duration;

use hilum_transport::{PermittedRequest, Reply, rest};

use super::RecordRepository;
use super::index::{Found, Search};
use super::understood::{self, EventId, Told};
use super::web::{Format, Refused};
use crate::event::AuditLogUse;
use crate::{Event, Outcome, Parties, Recorded};

pub(super) use date::date;
pub(super) use question::{FITTING, PARAMETERS, Question, wrong};
pub(super) use tokens::texts;

/// Events of one page, if nothing is said.
pub(super) const PAGE: usize = 100;
/// Events of one page, whoever asks for more.
pub(super) const MOST: usize = 1000;
/// Bytes of one page, and of one event more.
const PAGE_BYTES: usize = 32 * 1024 * 1024;
/// How long the index may take to reach what was there when the question came.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes of a form.
const FORM_BYTES: usize = 64 * 1024;

/// Who asks for what, for the record of it.
struct Asked {
    parties: Parties,
    endpoint: String,
    query: String,
}

/// `GET [base]/AuditEvent?…`, `POST [base]/AuditEvent/_search`
pub(super) async fn search(
    repository: &RecordRepository,
    mut request: PermittedRequest,
) -> Result<Recorded<Reply>, Refused> {
    let mut query = request.request().query().to_owned();
    if request.request().method() == "POST" {
        let form = request.collect(FORM_BYTES).await?;
        let form = std::str::from_utf8(&form);
        let form = form.map_err(|_| Refused::new(400, "invalid", "the form is not UTF-8"))?;
        query = match query.is_empty() {
            true => form.to_owned(),
            false => format!("{query}&{form}"),
        };
    }
    let asked = Asked::of(&request, query);
    let format = Format::asked(&rest::form(&asked.query)?, request.request())?;
    let prefer = request.request().header("prefer").unwrap_or_default();
    let strict = prefer.replace(' ', "").contains("handling=strict");
    let base = format!("{}/fhir", request.request().origin());
    match answered(repository, &asked.query, strict, &base, format).await {
        Ok(reply) => asked.recorded(repository, &Outcome::Success, reply).await,
        Err(refused) => {
            let outcome = Outcome::MinorFailure(refused.fault().reason);
            Err(refused.recorded_as(asked.event(&outcome)))
        }
    }
}

async fn answered(
    repository: &RecordRepository,
    query: &str,
    strict: bool,
    base: &str,
    format: Format,
) -> Result<Reply, Refused> {
    let question = Question::read(rest::form(query)?, strict)?;
    let end = repository.log().end();
    let behind = caught_up(repository, end).await;
    let here = repository.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let mut searched = question.search(here.index(), here.log(), end)?;
        let told = page(&here, &mut searched.found)?;
        Ok::<_, Refused>((question, searched, told))
    });
    let (question, searched, told) = looked.await??;
    Ok(answer::bundle(
        &question, &searched, &told, behind, base, format,
    ))
}

/// The events of a page, from the log. A page that would be too long ends before its time.
fn page(repository: &RecordRepository, found: &mut Found) -> Result<Vec<Told>, Refused> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    // A bundle is one record of many events, which often follow each other.
    let mut last: Option<(u64, Vec<Told>)> = None;
    for (at, hit) in found.hits.iter().enumerate() {
        if bytes > PAGE_BYTES {
            found.hits.truncate(at);
            found.more = true;
            break;
        }
        let number = hit.id.number;
        let events = match last.take_if(|(it, _)| *it == number) {
            Some((_, events)) => events,
            None => {
                let record = repository.log().read(number);
                let record = record.map_err(anyhow::Error::new)?;
                // Its time may be over since it was found.
                record.map_or_else(Vec::new, |record| understood::events(number, &record))
            }
        };
        let event = events.iter().find(|event| event.id == hit.id).cloned();
        bytes += event.as_ref().map_or(0, |event| event.json().len());
        page.extend(event);
        last = Some((number, events));
    }
    Ok(page)
}

/// Waits until the index has reached `end`, and says how many records it lacks.
pub(super) async fn caught_up(repository: &RecordRepository, end: u64) -> u64 {
    let Some(following) = repository.following() else {
        return 0;
    };
    match following.reached(end, PATIENCE).await {
        true => 0,
        false => end.saturating_sub(following.next()),
    }
}

/// An event from the log. There may be none: its time may be over.
fn told(repository: &RecordRepository, id: EventId) -> Result<Option<Told>, Refused> {
    let record = repository
        .log()
        .read(id.number)
        .map_err(anyhow::Error::new)?;
    Ok(record.and_then(|record| understood::event(id, &record)))
}

/// `GET [base]/AuditEvent/[id]`
pub(super) async fn read(
    repository: &RecordRepository,
    request: PermittedRequest,
    id: &str,
) -> Result<Recorded<Reply>, Refused> {
    let format = Format::wanted(request.request())?;
    let asked = Asked::of(&request, request.request().query().to_owned());
    let parsed = EventId::parse(id);
    let here = repository.clone();
    let found = match parsed {
        Some(id) => tokio::task::spawn_blocking(move || told(&here, id)).await??,
        None => None,
    };
    let Some(found) = found else {
        let refused = Refused::new(404, "not-found", "there is no event with this id");
        let outcome = Outcome::MinorFailure(refused.fault().reason);
        return Err(refused.recorded_as(asked.event(&outcome)));
    };
    let reply = match format {
        Format::Json => Reply::plain(200, format.media(), found.json()),
        Format::Xml => format.reply(200, &found.resource()),
    };
    let reply = reply.and_header("etag", "W/\"1\"");
    asked.recorded(repository, &Outcome::Success, reply).await
}

impl Asked {
    fn of(request: &PermittedRequest, query: String) -> Self {
        let request = request.request();
        Self {
            parties: Parties::answered(request.caller(), request.endpoint()),
            endpoint: request.endpoint().to_owned(),
            query,
        }
    }

    fn event(&self, outcome: &Outcome) -> Event {
        let how = AuditLogUse::RetrieveAuditEvent;
        Event::audit_log_used(
            how,
            &self.parties,
            &self.endpoint,
            Some(&self.query),
            outcome,
        )
    }

    async fn recorded(
        &self,
        repository: &RecordRepository,
        outcome: &Outcome,
        reply: Reply,
    ) -> Result<Recorded<Reply>, Refused> {
        Ok(repository
            .audit()
            .record(self.event(outcome), reply)
            .await?)
    }
}

/// What a search found.
#[derive(Debug)]
pub(super) struct Searched {
    pub(super) found: Found,
    /// Records from this number on came later.
    pub(super) before: u64,
}

impl Searched {
    fn of(index: &super::index::Index, search: &Search) -> Result<Self, Refused> {
        let found = index.search(search).map_err(anyhow::Error::new)?;
        let before = search.before.unwrap_or(u64::MAX);
        Ok(Self { found, before })
    }
}
