//! ITI-18 Registry Stored Query: find what is registered.
//!
//! Asked by Document Consumers and by our gateway; answered by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

use std::collections::BTreeMap;
use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, Query, Recorded};
use hilum_security::access::Level;
use hilum_security::{Caller, Permission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, RegistryError, ReturnType, write_query_response};
use xds_schemas::iti18_registry_stored_query::{StoredQuery, Visibility};
use xds_schemas::xml::{ToXml, Writer};

use crate::Registry;
use crate::db::registry_objects::{Found, Wanted};
use crate::failure::Failure;
use crate::iti42_register_document_set::outcome;
use crate::sight::Sight;
use crate::stored_queries::{self, Search};

/// Answers a query (ITI TF-2 3.18.4.1.3) with the XML of the response, and records that it was
/// asked. Objects are in the order in which they were registered for their patient.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: AdhocQueryRequest,
    now: SystemTime,
) -> Result<Recorded<String>, NotRecorded> {
    let query = StoredQuery::read_visible(&request);
    let answered = answered(registry, caller, &request, query, now).await;
    record(registry, &request, answered, |query, outcome| {
        Event::queried(parties, query, outcome)
    })
    .await
}

/// What a query is answered with.
pub(crate) struct Answered {
    status: ResponseStatus,
    errors: Vec<RegistryError>,
    patients: Vec<String>,
    pub(crate) response: String,
    /// Alerts of what is given because it is an emergency.
    alerts: Option<Event>,
}

/// Answers a query that was read, or says why it could not be.
pub(crate) async fn answered(
    registry: &Registry,
    caller: &Caller,
    request: &AdhocQueryRequest,
    query: Result<(StoredQuery, Visibility), Vec<RegistryError>>,
    now: SystemTime,
) -> Answered {
    let patients = query
        .as_ref()
        .map_or(&[][..], |(query, _)| query.patients());
    let patients = patients.iter().map(ToString::to_string).collect();
    let (wanted, level) = match request.return_type {
        ReturnType::ObjectRef => (Wanted::Rows, Level::Existence),
        _ => (Wanted::Ebrim, Level::Metadata),
    };
    let sight = Sight::of(registry, caller, Permission::Query, level, now);
    let found = match query {
        Ok(query) => find(registry, query, sight, wanted).await,
        Err(errors) => Err(Failure::Refused(errors)),
    };
    let (status, errors, (found, emergency)) = match found {
        Ok(found) => (ResponseStatus::Success, Vec::new(), found),
        Err(failure) => {
            let nothing = (Vec::new(), BTreeMap::new());
            (ResponseStatus::Failure, failure.into_errors(), nothing)
        }
    };
    let bytes: usize = found.iter().map(|found| found.ebrim.len() + 128).sum();
    let mut writer = Writer::with_capacity(bytes + 1024);
    write_query_response(status, &errors, &mut writer, |writer| match wanted {
        Wanted::Ebrim => found.iter().for_each(|it| _ = writer.raw(&it.ebrim)),
        Wanted::Rows => write_references(registry, &found, writer),
    });
    Answered {
        status,
        errors,
        patients,
        response: writer.finish(),
        alerts: alerts(caller, &emergency),
    }
}

/// Records that a query was asked, and gives its answer.
pub(crate) async fn record(
    registry: &Registry,
    request: &AdhocQueryRequest,
    answered: Answered,
    event: impl FnOnce(Query<'_>, &Outcome) -> Event,
) -> Result<Recorded<String>, NotRecorded> {
    let asked = written(request);
    let patients: Vec<&str> = answered.patients.iter().map(String::as_str).collect();
    let query = Query {
        id: &request.id,
        request: &asked,
        patients: &patients,
        home_community_id: request.home.as_deref(),
    };
    let event = event(query, &outcome(answered.status, &answered.errors));
    let event = match answered.alerts {
        Some(alerts) => event.and(alerts),
        None => event,
    };
    registry.audit.record(event, answered.response).await
}

async fn find(
    registry: &Registry,
    (query, visibility): (StoredQuery, Visibility),
    sight: Option<Sight>,
    wanted: Wanted,
) -> Result<(Vec<Found>, Emergency), Failure> {
    let search = Search {
        wanted,
        max_results: registry.config.max_results,
        unknown_patients: registry.config.queries_for_unknown_patients,
        visibility,
        sight,
    };
    let work = move |conn: &mut _| {
        let found = stored_queries::answer(conn, &query, &search)?;
        let sight = search.sight.as_ref();
        let emergency = sight.map(|sight| sight.emergency(&found));
        Ok((found, emergency.unwrap_or_default()))
    };
    registry.db.read(work).await
}

/// Documents that are given because it is an emergency: patients, and unique ids.
type Emergency = BTreeMap<String, Vec<String>>;

/// What is given because it is an emergency raises an alert, one for each patient.
pub(crate) fn alerts(caller: &Caller, emergency: &Emergency) -> Option<Event> {
    let user = caller.user.as_deref();
    let reason = user.and_then(|user| user.reason.as_deref());
    let reason = reason.unwrap_or("no reason was given");
    let alerts = emergency.iter().map(|(patient, documents)| {
        let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
        Event::emergency_access(caller, Some(patient), &documents, reason)
    });
    alerts.reduce(Event::and)
}

fn write_references(registry: &Registry, found: &[Found], writer: &mut Writer) {
    let home = registry.config.home_community_id.as_str();
    for Found { row, .. } in found {
        writer
            .open("rim:ObjectRef")
            .attribute("id", &row.entry_uuid)
            .attribute("home", home)
            .close("rim:ObjectRef");
    }
}

/// The request for the record: what was understood of it, as XML that stands on its own.
fn written(request: &AdhocQueryRequest) -> String {
    let mut writer = Writer::with_capacity(1024);
    request.to_xml(&mut writer);
    writer.finish()
}
