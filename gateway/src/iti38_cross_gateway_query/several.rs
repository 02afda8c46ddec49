//! Questions about several patients at once (ITI-51), on the way of those about one.

use std::collections::HashSet;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use xds_schemas::iti18_registry_stored_query::{
    FindDocuments, FindFolders, QueryKind, StoredQuery,
};

use super::everybody::About;
use crate::patients::MOST_PATIENTS;

/// Whether this is a query of ITI-51.
pub(super) fn is(request: &AdhocQueryRequest) -> bool {
    QueryKind::parse(&request.id).is_some_and(QueryKind::is_of_several_patients)
}

/// Reads a query of ITI-18 or of ITI-51.
pub(super) fn read(request: &AdhocQueryRequest) -> Result<StoredQuery, Vec<RegistryError>> {
    match is(request) {
        true => StoredQuery::read_of_several_patients(request),
        false => StoredQuery::read(request),
    }
}

/// What communities are asked instead: one question for each patient, or the question itself if it names
/// none.
pub(super) fn divided(
    request: &AdhocQueryRequest,
    query: &StoredQuery,
) -> Result<Vec<About>, RegistryError> {
    let count = query.patients().len();
    // Each is one question to each community.
    if count > MOST_PATIENTS {
        let context = format!("{count} patients are named, and one question has {MOST_PATIENTS}");
        let code = ErrorCode::StoredQueryParamNumber;
        return Err(RegistryError::error(code, context));
    }
    if count == 0 {
        return Ok(vec![About::all_of(request, query)]);
    }
    let mut all = Vec::with_capacity(count);
    let mut seen = HashSet::new();
    // Who is named twice is one patient, and has their documents once.
    for patient in query.patients().iter().filter(|it| seen.insert(*it)) {
        let of_one = patient.clone();
        let one = match query {
            StoredQuery::FindDocumentsForMultiplePatients(query) => {
                StoredQuery::FindDocuments(FindDocuments {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    filter: query.filter.clone(),
                })
            }
            StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(query) => {
                StoredQuery::FindDocumentsByReferenceId(FindDocuments {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    filter: query.filter.clone(),
                })
            }
            StoredQuery::FindFoldersForMultiplePatients(query) => {
                StoredQuery::FindFolders(FindFolders {
                    patient: of_one,
                    statuses: query.statuses.clone(),
                    last_update_time: query.last_update_time.clone(),
                    codes: query.codes.clone(),
                })
            }
            // There are no others of several patients.
            other => other.clone(),
        };
        let request = one.to_request(request.return_type.clone());
        all.push(About::all_of(&request, &one));
    }
    Ok(all)
}

/// One community has one error however many patients it was asked for; and patients whom nobody knows have
/// nothing, which is no error (ITI-51 section 3.51.4.1.3).
pub(super) fn settled(mut response: AdhocQueryResponse) -> AdhocQueryResponse {
    // There may be thousands.
    let mut told = HashSet::new();
    response.errors.retain(|error| {
        let RegistryError {
            code,
            context,
            severity,
            location,
        } = error.clone();
        code != ErrorCode::UnknownPatientId && told.insert((code, context, severity, location))
    });
    if response.errors.is_empty() {
        response.status = ResponseStatus::Success;
    }
    response
}
