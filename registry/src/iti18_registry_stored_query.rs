//! ITI-18 Registry Stored Query: find what is registered.
//!
//! Asked by Document Consumers and by our gateway; answered by the Document Registry.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-18.html>

use hilum_audit::{Event, NotRecorded, Parties, Query, Recorded};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, ReturnType, write_query_response};
use xds_schemas::iti18_registry_stored_query::{StoredQuery, Visibility};
use xds_schemas::xml::{ToXml, Writer};

use crate::Registry;
use crate::db::registry_objects::{Found, Wanted};
use crate::failure::Failure;
use crate::iti42_register_document_set::outcome;
use crate::stored_queries::{self, Search};

/// Answers a query (ITI TF-2 3.18.4.1.3) with the XML of the response, and records that it was
/// asked. Objects are in the order in which they were registered for their patient.
pub(crate) async fn answer(
    registry: &Registry,
    parties: &Parties,
    request: AdhocQueryRequest,
) -> Result<Recorded<String>, NotRecorded> {
    let query = StoredQuery::read(&request).map_err(Failure::Refused);
    let patient = query.as_ref().ok().and_then(StoredQuery::patient);
    let patient = patient.map(ToString::to_string);
    let wanted = match request.return_type {
        ReturnType::ObjectRef => Wanted::Rows,
        _ => Wanted::Ebrim,
    };
    let found = match query {
        Ok(query) => find(registry, query, wanted).await,
        Err(failure) => Err(failure),
    };
    let (status, errors, found) = match found {
        Ok(found) => (ResponseStatus::Success, Vec::new(), found),
        Err(failure) => (ResponseStatus::Failure, failure.into_errors(), Vec::new()),
    };
    let bytes: usize = found.iter().map(|found| found.ebrim.len() + 128).sum();
    let mut writer = Writer::with_capacity(bytes + 1024);
    write_query_response(status, &errors, &mut writer, |writer| match wanted {
        Wanted::Ebrim => found.iter().for_each(|it| _ = writer.raw(&it.ebrim)),
        Wanted::Rows => write_references(registry, &found, writer),
    });
    let asked = written(&request);
    let patients: Vec<&str> = patient.as_deref().into_iter().collect();
    let query = Query {
        id: &request.id,
        request: &asked,
        patients: &patients,
        home_community_id: request.home.as_deref(),
    };
    let event = Event::queried(parties, query, &outcome(status, &errors));
    registry.audit.record(event, writer.finish()).await
}

async fn find(
    registry: &Registry,
    query: StoredQuery,
    wanted: Wanted,
) -> Result<Vec<Found>, Failure> {
    let search = Search {
        wanted,
        max_results: registry.config.max_results,
        unknown_patients: registry.config.queries_for_unknown_patients,
        visibility: Visibility::default(),
    };
    let work = move |conn: &mut _| stored_queries::answer(conn, &query, &search);
    registry.db.read(work).await
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
