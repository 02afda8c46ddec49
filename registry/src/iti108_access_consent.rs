//! ITI-108 Access Consent: record what patients wish, and look at it (Privacy Consent on FHIR).
//!
//! Asked by Consent Recorders and Consent Authorization Servers; answered here as by the Consent
//! Registry, in FHIR R4 as JSON. Nothing is deleted: a consent that is withdrawn gets another status.
//! What patients acknowledged in documents (BPPC) is shown as consents, too, and changes with them.
//! <https://profiles.ihe.net/ITI/PCF/ITI-108.html>

mod capabilities;
mod refused;
mod resource;
mod search;
mod store;

use std::time::SystemTime;

use bytes::Bytes;
use hilum_audit::{ConsentUse, Event, Outcome, Parties, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{PermittedRequest, Reply, Request, rest};

use crate::Registry;
use refused::Refused;
use resource::Shown;
use search::Search;
use store::{Denied, Store};

/// First segment of the paths.
pub const FHIR: &str = "fhir";
/// Where consents are, below that.
pub const CONSENT: &str = "Consent";

const JSON: &str = "application/fhir+json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";
/// A consent that is longer is not taken: the policy would not read it.
const MAX_BYTES: usize = 256 * 1024;
/// The same for a search.
const MAX_FORM_BYTES: usize = 64 * 1024;

type Answered = Result<Recorded<Reply>, Refused>;

/// Answers a request. What is refused leaves a record too.
pub(crate) async fn serve(registry: &Registry, request: Request) -> Reply {
    if let Some(capabilities) = capabilities::answer(&request) {
        return capabilities;
    }
    let caller = request.caller().clone();
    match answer(registry, request).await {
        Ok(reply) => reply.into_inner(),
        Err(refused) => {
            let (told, reply) = (refused.fault(), refused.reply());
            let event = refused.event;
            let event = event.unwrap_or_else(|| Event::refused(&caller, &told));
            match registry.audit.record(event, reply).await {
                Ok(reply) => reply.into_inner(),
                Err(error) => Refused::from(error).reply(),
            }
        }
    }
}

/// Everything that is answered.
async fn answer(registry: &Registry, request: Request) -> Answered {
    let segments = request.segments()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let [FHIR, CONSENT, path @ ..] = segments.as_slice() else {
        return Err(Refused::new(404, "not-found", "nothing is served here"));
    };
    let method = request.method().to_owned();
    let request = request.permitted(Permission::Consent)?;
    let room = Asked::of(registry, request.request());
    if !wants_json(request.request()) {
        return Err(Refused::not_json());
    }
    let parameters = request.request().parameters()?;
    let query = request.request().query().to_owned();
    match (method.as_str(), path) {
        ("GET" | "HEAD", []) => room.search(&parameters, &query).await,
        ("POST", ["_search"]) => {
            let (more, body) = form(request).await?;
            let parameters = [parameters, more].concat();
            room.search(&parameters, &body).await
        }
        ("POST", []) => room.create(json(request).await?).await,
        ("GET" | "HEAD", [id]) => room.read(id, None).await,
        ("PUT", [id]) => {
            let expected = request.request().header("if-match");
            room.update(id, expected.as_deref(), json(request).await?)
                .await
        }
        ("GET" | "HEAD", [id, "_history"]) => room.history(id).await,
        ("GET" | "HEAD", [id, "_history", version]) => room.read(id, Some(version)).await,
        (_, []) => Err(Refused::method("GET, HEAD, POST")),
        (_, ["_search"]) => Err(Refused::method("POST")),
        // Also DELETE: a consent is withdrawn by its status, so that it can be seen that it was given.
        (_, [_]) => Err(Refused::method("GET, HEAD, PUT")),
        (_, [_, "_history"] | [_, "_history", _]) => Err(Refused::method("GET, HEAD")),
        _ => Err(Refused::new(404, "not-found", "nothing is served here")),
    }
}

/// Whether an answer as JSON is welcome. `_format` counts more than the header, as FHIR wants it.
fn wants_json(request: &Request) -> bool {
    let parameters = request.parameters().unwrap_or_default();
    let format = parameters.into_iter().find(|(name, _)| name == "_format");
    let wanted = format.map(|(_, value)| value);
    let wanted = wanted.or_else(|| request.header("accept"));
    wanted
        .is_none_or(|wanted| wanted.is_empty() || wanted.contains("json") || wanted.contains("*/*"))
}

async fn form(mut request: PermittedRequest) -> Result<(Vec<(String, String)>, String), Refused> {
    if request.content_type()?.essence != FORM {
        let reason = format!("a search is sent as {FORM}");
        return Err(Refused::new(415, "not-supported", reason));
    }
    let body = request.collect(MAX_FORM_BYTES).await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok((rest::form(&text)?, text))
}

async fn json(mut request: PermittedRequest) -> Result<Bytes, Refused> {
    let essence = request.content_type()?.essence;
    if !matches!(&*essence, "application/fhir+json" | "application/json") {
        let reason = "a consent is sent as application/fhir+json, and not as XML or anything else";
        return Err(Refused::new(415, "not-supported", reason));
    }
    Ok(request.collect(MAX_BYTES).await?)
}

/// Who asks, where and when.
struct Asked<'a> {
    registry: &'a Registry,
    parties: Parties,
    store: Store,
    /// The address of consents, as the caller knows it.
    base: String,
}

impl<'a> Asked<'a> {
    fn of(registry: &'a Registry, request: &Request) -> Self {
        let caller: &Caller = request.caller();
        Self {
            registry,
            parties: Parties::answered(caller, request.endpoint()),
            store: Store::of(registry, caller, SystemTime::now()),
            base: format!("{}/{FHIR}/{CONSENT}", request.origin()),
        }
    }

    async fn search(&self, parameters: &[(String, String)], query: &str) -> Answered {
        let wanted = Search::read(parameters);
        let patient = wanted.as_ref().ok().and_then(Search::patient);
        let found = match &wanted {
            Ok(wanted) => self.store.search(self.registry, wanted).await,
            Err(problem) => Err(Denied::Invalid(problem.clone())),
        };
        let outcome = outcome(&found);
        let event = Event::consents_queried(&self.parties, patient.as_deref(), query, &outcome);
        let (found, wanted) = match (found, wanted) {
            (Ok(found), Ok(wanted)) => (found, wanted),
            (Err(denied), _) => return Err(Refused::from(denied).recorded_as(event)),
            (Ok(_), Err(problem)) => {
                return Err(Refused::new(400, "invalid", problem).recorded_as(event));
            }
        };
        let page = wanted.page(found);
        let mut links = vec![("self", format!("{}?{}", self.base, wanted.used()))];
        let next = page.next.map(|next| wanted.following(&next));
        links.extend(next.map(|next| ("next", format!("{}?{next}", self.base))));
        let bundle = resource::bundle("searchset", &links, &self.base, &page.shown, page.total);
        self.recorded(event, Reply::plain(200, JSON, bundle)).await
    }

    async fn create(&self, body: Bytes) -> Answered {
        let created = self.store.create(self.registry, body).await;
        let event = self.used(ConsentUse::Create, None, &created);
        let shown = created.map_err(|denied| Refused::from(denied).recorded_as(event.clone()))?;
        let place = format!("{}/{}/_history/{}", self.base, shown.id, shown.version);
        let reply = shown.reply(201).and_header("location", &place);
        self.recorded(event, reply).await
    }

    async fn update(&self, id: &str, expected: Option<&str>, body: Bytes) -> Answered {
        let updated = self.store.update(self.registry, id, expected, body).await;
        let event = self.used(ConsentUse::Update, Some(id), &updated);
        let shown = updated.map_err(|denied| Refused::from(denied).recorded_as(event.clone()))?;
        self.recorded(event, shown.reply(200)).await
    }

    async fn read(&self, id: &str, version: Option<&str>) -> Answered {
        let read = self.store.read(self.registry, id, version).await;
        let event = self.used(ConsentUse::Read, Some(id), &read);
        let shown = read.map_err(|denied| Refused::from(denied).recorded_as(event.clone()))?;
        self.recorded(event, shown.reply(200)).await
    }

    async fn history(&self, id: &str) -> Answered {
        let found = self.store.history(self.registry, id).await;
        let newest = match &found {
            Ok(versions) => versions.first().cloned().ok_or(Denied::Absent),
            Err(denied) => Err(denied.clone()),
        };
        let event = self.used(ConsentUse::Read, Some(id), &newest);
        let found = found.map_err(|denied| Refused::from(denied).recorded_as(event.clone()))?;
        let links = [("self", format!("{}/{id}/_history", self.base))];
        let bundle = resource::bundle("history", &links, &self.base, &found, found.len());
        self.recorded(event, Reply::plain(200, JSON, bundle)).await
    }

    /// What is recorded of something that was done with a consent, or was not.
    fn used(&self, what: ConsentUse, id: Option<&str>, done: &Result<Shown, Denied>) -> Event {
        let shown = done.as_ref().ok();
        let id = shown.map(|shown| shown.id.as_str()).or(id);
        let name = id.map(|id| format!("{CONSENT}/{id}"));
        let version = shown.map(|shown| shown.version.to_string());
        let mut details: Vec<(&'static str, &str)> = Vec::new();
        details.extend(version.as_deref().map(|version| ("versionId", version)));
        details.extend(shown.map(|shown| ("status", shown.status.as_str())));
        let patient = shown.map(|shown| shown.patient_id.as_str());
        let outcome = outcome(done);
        let parties = &self.parties;
        Event::consent_used(what, parties, patient, name.as_deref(), &details, &outcome)
    }

    async fn recorded(&self, event: Event, reply: Reply) -> Answered {
        Ok(self.registry.audit.record(event, reply).await?)
    }
}

fn outcome<T>(done: &Result<T, Denied>) -> Outcome {
    match done {
        Ok(_) => Outcome::Success,
        Err(Denied::Internal(why)) => Outcome::Failure(why.clone()),
        Err(denied) => Outcome::MinorFailure(denied.why().to_owned()),
    }
}
