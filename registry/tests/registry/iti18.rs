//! ITI-18: what each query finds.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{DocumentFilter, FindDocuments, StoredQuery};
use xds_schemas::metadata::{DocumentEntryType, PatientId};

/// All stable documents in force.
pub(crate) fn find_documents(of: &PatientId) -> StoredQuery {
    find_with(of, |_| {})
}

/// The same with further filters.
pub(crate) fn find_with(of: &PatientId, change: impl FnOnce(&mut DocumentFilter)) -> StoredQuery {
    let mut filter = DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..DocumentFilter::default()
    };
    change(&mut filter);
    StoredQuery::FindDocuments(FindDocuments {
        patient: of.clone(),
        statuses: vec![AvailabilityStatus::Approved],
        filter,
    })
}
