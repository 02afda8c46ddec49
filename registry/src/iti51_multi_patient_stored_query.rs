//! ITI-51 Multi-Patient Stored Query: find what is registered for several patients, or for all.
//!
//! Asked by Document Consumers; answered by the Document Registry as ITI-18 is, with one record for
//! each patient that is named.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-51.html>

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Parties, Recorded};
use hilum_security::Caller;
use xds_schemas::ebrs::AdhocQueryRequest;
use xds_schemas::iti18_registry_stored_query::{StoredQuery, Visibility};

use crate::Registry;
use crate::iti18_registry_stored_query as iti18;

/// Answers a query (ITI TF-2 3.51.4.1.3) with the XML of the response, and records that it was
/// asked.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: AdhocQueryRequest,
    now: SystemTime,
) -> Result<Recorded<String>, NotRecorded> {
    let query = StoredQuery::read_of_several_patients(&request);
    let query = query.map(|query| (query, Visibility::default()));
    let answered = iti18::answered(registry, caller, &request, query, now).await;
    iti18::record(registry, &request, answered, |query, outcome| {
        Event::queried_for_several_patients(parties, query, outcome)
    })
    .await
}
