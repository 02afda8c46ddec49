//! What passes: the one place where rows are judged by what a query asks.

use std::ops::RangeInclusive;

use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability};
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindSubmissionSets,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{DocumentEntryType, Timestamp};

use crate::db::registry_objects::{Kind, OFFLINE, Row, Status, split};

/// Whether a document entry passes the filter of FindDocuments.
pub(super) fn document(row: &Row, filter: &DocumentFilter) -> bool {
    is_of_type(row, &filter.entry_types)
        && any(&filter.class_codes, &row.class_code)
        && any(&filter.type_codes, &row.type_code)
        && any(&filter.practice_setting_codes, &row.practice_setting_code)
        && any(
            &filter.healthcare_facility_type_codes,
            &row.healthcare_facility_type_code,
        )
        && any(&filter.format_codes, &row.format_code)
        && any(&filter.author_persons, &row.author_persons)
        && all(&filter.event_codes, &row.event_codes)
        && all(&filter.confidentiality_codes, &row.confidentiality_codes)
        && all(&filter.reference_ids, &row.reference_ids)
        && time(&filter.creation_time, &row.time)
        && time(&filter.service_start_time, &row.service_start_time)
        && time(&filter.service_stop_time, &row.service_stop_time)
        && is_available(row, &filter.availabilities)
}

/// Whether a document entry has something of what the filter of FindDocumentsExclude asks for.
pub(super) fn has_any(row: &Row, filter: &DocumentFilter) -> bool {
    let any = |asked: &AnyOf, column| !asked.is_empty() && any(asked, column);
    let all = |asked: &AllOf, column| !asked.is_empty() && all(asked, column);
    any(&filter.class_codes, &row.class_code)
        || any(&filter.type_codes, &row.type_code)
        || any(&filter.practice_setting_codes, &row.practice_setting_code)
        || any(
            &filter.healthcare_facility_type_codes,
            &row.healthcare_facility_type_code,
        )
        || any(&filter.format_codes, &row.format_code)
        || any(&filter.author_persons, &row.author_persons)
        || all(&filter.event_codes, &row.event_codes)
        || all(&filter.confidentiality_codes, &row.confidentiality_codes)
        || all(&filter.reference_ids, &row.reference_ids)
}

/// Whether the document has one of these availabilities, if any is asked for.
fn is_available(row: &Row, asked: &[DocumentAvailability]) -> bool {
    let availability = match row.hidden & OFFLINE {
        0 => DocumentAvailability::Online,
        _ => DocumentAvailability::Offline,
    };
    asked.is_empty() || asked.contains(&availability)
}

/// Whether a query asks for more than types, which the database narrows down to.
pub(super) fn asks_more(filter: &DocumentFilter) -> bool {
    let types_only = DocumentFilter {
        entry_types: filter.entry_types.clone(),
        ..DocumentFilter::default()
    };
    *filter != types_only
}

/// Whether a document entry passes the filter of the queries that return what something holds.
pub(super) fn content(row: &Row, filter: &ContentFilter) -> bool {
    is_of_type(row, &filter.entry_types)
        && any(&filter.format_codes, &row.format_code)
        && all(&filter.confidentiality_codes, &row.confidentiality_codes)
}

/// Whether a submission set passes the filter of FindSubmissionSets.
pub(super) fn submission_set(row: &Row, query: &FindSubmissionSets) -> bool {
    any(&query.source_ids, &row.origin)
        && any(&query.content_type_codes, &row.content_type_code)
        && any(&query.author_person, &row.author_persons)
        && time(&query.submission_time, &row.time)
}

/// Whether a folder passes the filter of FindFolders.
pub(super) fn folder(row: &Row, codes: &AllOf, last_update_time: &TimeRange) -> bool {
    all(codes, &row.folder_codes) && time(last_update_time, &row.time)
}

/// Whether this is a document entry of one of these types.
pub(super) fn is_of_type(row: &Row, types: &[DocumentEntryType]) -> bool {
    types.iter().any(|it| kind(*it) == row.kind)
}

/// Whether an object has one of these statuses.
pub(super) fn has_status(row: &Row, asked: &[AvailabilityStatus]) -> bool {
    asked.iter().any(|it| status(*it) == row.status)
}

/// The range that the database is asked for; what lies between is asked for too.
pub(super) fn kinds(types: &[DocumentEntryType]) -> RangeInclusive<Kind> {
    let kinds = || types.iter().map(|it| kind(*it));
    let (least, most) = (kinds().min(), kinds().max());
    least.unwrap_or(Kind::Stable)..=most.unwrap_or(Kind::Stable)
}

/// The range that the database is asked for.
pub(super) fn statuses(asked: &[AvailabilityStatus]) -> RangeInclusive<Status> {
    let statuses = || asked.iter().map(|it| status(*it));
    let (least, most) = (statuses().min(), statuses().max());
    least.unwrap_or(Status::Approved)..=most.unwrap_or(Status::Approved)
}

const fn kind(entry_type: DocumentEntryType) -> Kind {
    match entry_type {
        DocumentEntryType::Stable => Kind::Stable,
        DocumentEntryType::OnDemand => Kind::OnDemand,
    }
}

const fn status(status: AvailabilityStatus) -> Status {
    match status {
        AvailabilityStatus::Approved => Status::Approved,
        AvailabilityStatus::Deprecated => Status::Deprecated,
    }
}

fn any(asked: &AnyOf, column: &Option<String>) -> bool {
    asked.is_empty() || asked.accepts(split(column))
}

fn all(asked: &AllOf, column: &Option<String>) -> bool {
    asked.is_empty() || asked.0.iter().all(|any| any.accepts(split(column)))
}

/// An object without the time passes: it is said so of service times, and only on-demand entries
/// have no creationTime (ITI TF-2 3.18.4.1.2.3.7.1).
fn time(asked: &TimeRange, column: &Option<String>) -> bool {
    let value = || {
        column
            .as_deref()
            .and_then(|text| Timestamp::parse(text).ok())
    };
    asked.is_open() || asked.matches(value().as_ref())
}
