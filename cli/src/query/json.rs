//! What a query has found as JSON, with the attributes named as the framework names them
//! (ITI TF-3 4.2.3). Absent attributes are left out.

use serde_json::{Map, Value, json};
use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability};
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{
    Association, Author, Code, DocumentEntry, DocumentEntryType, Extra, Folder, SubmissionSet,
};

use super::Found;

impl Found {
    /// All metadata.
    pub(crate) fn json(&self) -> Value {
        json!({
            "documents": self.documents.iter().map(document).collect::<Vec<_>>(),
            "submissionSets": self.submission_sets.iter().map(submission_set).collect::<Vec<_>>(),
            "folders": self.folders.iter().map(folder).collect::<Vec<_>>(),
            "associations": self.associations.iter().map(association).collect::<Vec<_>>(),
            "objectRefs": self.object_refs,
        })
    }
}

fn document(document: &DocumentEntry) -> Value {
    let entry_type = match document.entry_type {
        DocumentEntryType::Stable => "stable",
        DocumentEntryType::OnDemand => "on-demand",
    };
    present(json!({
        "entryUUID": document.entry_uuid.as_str(),
        "uniqueId": document.unique_id.as_str(),
        "logicalID": text(&document.logical_id),
        "version": document.version,
        "homeCommunityId": text(&document.home_community_id),
        "repositoryUniqueId": text(&document.repository_unique_id),
        "availabilityStatus": document.availability_status.map(status),
        "documentAvailability": document.document_availability.map(DocumentAvailability::as_str),
        "type": entry_type,
        "patientId": text(&document.patient_id),
        "sourcePatientId": text(&document.source_patient_id),
        "sourcePatientInfo": document.source_patient_info,
        "title": first(&document.title),
        "comments": first(&document.comments),
        "mimeType": document.mime_type,
        "formatCode": document.format_code.as_ref().map(code),
        "classCode": document.class_code.as_ref().map(code),
        "typeCode": document.type_code.as_ref().map(code),
        "eventCodeList": codes(&document.event_codes),
        "confidentialityCode": codes(&document.confidentiality_codes),
        "practiceSettingCode": document.practice_setting_code.as_ref().map(code),
        "healthcareFacilityTypeCode": document.healthcare_facility_type_code.as_ref().map(code),
        "languageCode": document.language_code,
        "creationTime": document.creation_time.as_ref().map(|time| time.as_str()),
        "serviceStartTime": document.service_start_time.as_ref().map(|time| time.as_str()),
        "serviceStopTime": document.service_stop_time.as_ref().map(|time| time.as_str()),
        "author": authors(&document.authors),
        "legalAuthenticator": document.legal_authenticator,
        "referenceIdList": document.reference_ids.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "hash": document.hash,
        "size": document.size,
        "URI": document.uri,
        "extra": extra(&document.extra),
    }))
}

fn submission_set(set: &SubmissionSet) -> Value {
    present(json!({
        "entryUUID": set.entry_uuid.as_str(),
        "uniqueId": set.unique_id.as_str(),
        "sourceId": set.source_id,
        "homeCommunityId": text(&set.home_community_id),
        "availabilityStatus": set.availability_status.map(status),
        "patientId": text(&set.patient_id),
        "title": first(&set.title),
        "comments": first(&set.comments),
        "contentTypeCode": set.content_type_code.as_ref().map(code),
        "submissionTime": set.submission_time.as_ref().map(|time| time.as_str()),
        "author": authors(&set.authors),
        "intendedRecipient": set.intended_recipients,
        "extra": extra(&set.extra),
    }))
}

fn folder(folder: &Folder) -> Value {
    present(json!({
        "entryUUID": folder.entry_uuid.as_str(),
        "uniqueId": folder.unique_id.as_str(),
        "logicalID": text(&folder.logical_id),
        "homeCommunityId": text(&folder.home_community_id),
        "availabilityStatus": folder.availability_status.map(status),
        "patientId": text(&folder.patient_id),
        "title": first(&folder.title),
        "comments": first(&folder.comments),
        "codeList": codes(&folder.codes),
        "lastUpdateTime": folder.last_update_time.as_ref().map(|time| time.as_str()),
        "extra": extra(&folder.extra),
    }))
}

fn association(association: &Association) -> Value {
    present(json!({
        "entryUUID": association.entry_uuid.as_str(),
        "associationType": association.association_type.as_str(),
        "sourceObject": association.source.as_str(),
        "targetObject": association.target.as_str(),
        "availabilityStatus": association.availability_status.map(status),
        "submissionSetStatus": association.submission_set_status.map(|status| status.as_str()),
        "documentation": association.documentation.as_ref().map(code),
        "previousVersion": association.previous_version,
        "extra": extra(&association.extra),
    }))
}

fn code(code: &Code) -> Value {
    present(json!({
        "code": code.code,
        "codingScheme": code.scheme,
        "displayName": code.display.first(),
    }))
}

fn codes(codes: &[Code]) -> Vec<Value> {
    codes.iter().map(code).collect()
}

fn authors(authors: &[Author]) -> Vec<Value> {
    let author = |author: &Author| {
        present(json!({
            "authorPerson": author.person,
            "authorInstitution": author.institutions,
            "authorRole": author.roles,
            "authorSpecialty": author.specialties,
            "authorTelecommunication": author.telecommunications,
        }))
    };
    authors.iter().map(author).collect()
}

/// Slots of other names, with their values.
fn extra(extra: &Extra) -> Map<String, Value> {
    let slot = |slot: &xds_schemas::ebrim::Slot| (slot.name.clone(), json!(slot.values));
    extra.slots.iter().map(slot).collect()
}

fn status(status: AvailabilityStatus) -> &'static str {
    match status {
        AvailabilityStatus::Approved => "Approved",
        AvailabilityStatus::Deprecated => "Deprecated",
    }
}

fn text(value: &Option<impl ToString>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

fn first(text: &Option<InternationalString>) -> Option<&str> {
    text.as_ref().and_then(InternationalString::first)
}

/// The object without what is absent.
fn present(mut object: Value) -> Value {
    if let Value::Object(attributes) = &mut object {
        attributes.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(values) => !values.is_empty(),
            Value::Object(values) => !values.is_empty(),
            _ => true,
        });
    }
    object
}
