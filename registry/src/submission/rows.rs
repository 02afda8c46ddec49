//! How objects are kept: a row of what is asked for, and the ebRIM in which they are answered.

use anyhow::anyhow;
use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability};
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::metadata::{
    Association, Author, Code, DocumentEntry, DocumentEntryType, EntryUuid, Folder, SubmissionSet,
    Timestamp,
};
use xds_schemas::xml::{FromXml, Reader, ToXml, Writer};

use crate::db::registry_objects::{Kind, OFFLINE, Row, Status, TRIGGER, join};
use crate::failure::Failure;

/// The ebRIM of a typical document entry has some 6,000 bytes.
const EBRIM_BYTES: usize = 8 * 1024;

/// An object as XML, with the prefixes that answers declare.
pub(crate) fn ebrim(object: &RegistryObject) -> String {
    let mut writer = Writer::with_capacity(EBRIM_BYTES);
    object.to_xml(&mut writer);
    let mut xml = writer.finish();
    xml.shrink_to_fit();
    xml
}

/// How codes are asked for and compared.
fn code(code: &Code) -> String {
    format!("{}^^{}", code.code, code.scheme)
}

fn one(given: &Option<Code>) -> Option<String> {
    given.as_ref().map(code)
}

fn all(given: &[Code]) -> Option<String> {
    join(given.iter().map(code))
}

fn time(given: &Option<Timestamp>) -> Option<String> {
    given.as_ref().map(|time| time.as_str().to_owned())
}

fn persons(authors: &[Author]) -> Option<String> {
    join(authors.iter().filter_map(|author| author.person.clone()))
}

/// Institutions of authors, as they are kept: nothing if there are none.
pub(crate) fn institutions(authors: &[Author]) -> String {
    let institutions = authors.iter().flat_map(|author| &author.institutions);
    join(institutions.cloned()).unwrap_or_default()
}

/// The logicalID of a later version.
fn later(entry_uuid: &EntryUuid, logical_id: Option<&EntryUuid>) -> Option<String> {
    let logical_id = logical_id.filter(|logical_id| *logical_id != entry_uuid);
    logical_id.map(ToString::to_string)
}

/// The registry gave it, so it is a number.
fn version(given: Option<&str>) -> i32 {
    given.and_then(|given| given.parse().ok()).unwrap_or(1)
}

pub(crate) fn of_document_entry(entry: &DocumentEntry) -> Row {
    let kind = match entry.entry_type {
        DocumentEntryType::Stable => Kind::Stable,
        DocumentEntryType::OnDemand => Kind::OnDemand,
    };
    Row {
        unique_id: Some(entry.unique_id.to_string()),
        time: time(&entry.creation_time),
        service_start_time: time(&entry.service_start_time),
        service_stop_time: time(&entry.service_stop_time),
        class_code: one(&entry.class_code),
        type_code: one(&entry.type_code),
        format_code: one(&entry.format_code),
        healthcare_facility_type_code: one(&entry.healthcare_facility_type_code),
        practice_setting_code: one(&entry.practice_setting_code),
        confidentiality_codes: all(&entry.confidentiality_codes),
        event_codes: all(&entry.event_codes),
        author_persons: persons(&entry.authors),
        reference_ids: join(entry.reference_ids.iter().map(ToString::to_string)),
        hash: entry.hash.clone(),
        size: entry.size.and_then(|size| i64::try_from(size).ok()),
        logical_uuid: later(&entry.entry_uuid, entry.logical_id.as_ref()),
        version: version(entry.version.as_deref()),
        hidden: match entry.document_availability {
            Some(DocumentAvailability::Offline) => OFFLINE,
            Some(DocumentAvailability::Online) | None => 0,
        },
        origin: Some(institutions(&entry.authors)),
        ..Row::new(kind, entry.entry_uuid.as_str())
    }
}

pub(crate) fn of_submission_set(set: &SubmissionSet) -> Row {
    Row {
        unique_id: Some(set.unique_id.to_string()),
        time: time(&set.submission_time),
        content_type_code: one(&set.content_type_code),
        author_persons: persons(&set.authors),
        origin: Some(set.source_id.clone()),
        ..Row::new(Kind::SubmissionSet, set.entry_uuid.as_str())
    }
}

pub(crate) fn of_folder(folder: &Folder) -> Row {
    Row {
        unique_id: Some(folder.unique_id.to_string()),
        time: time(&folder.last_update_time),
        folder_codes: all(&folder.codes),
        logical_uuid: later(&folder.entry_uuid, folder.logical_id.as_ref()),
        version: version(folder.version.as_deref()),
        ..Row::new(Kind::Folder, folder.entry_uuid.as_str())
    }
}

pub(super) fn of_association(association: &Association) -> Row {
    Row {
        association_type: Some(association.association_type.as_str().to_owned()),
        source_uuid: Some(association.source.to_string()),
        target_uuid: Some(association.target.to_string()),
        hidden: match association.association_type.is_trigger() {
            true => TRIGGER,
            false => 0,
        },
        ..Row::new(Kind::Association, association.entry_uuid.as_str())
    }
}

/// Deprecates an object, in its row and in its ebRIM.
pub(super) fn deprecate(row: &mut Row, ebrim: &mut String) {
    set_status(row, ebrim, Status::Deprecated);
}

/// Sets the status of an object, in its row and in its ebRIM. The first `status` of what we wrote is
/// that of the object itself.
pub(super) fn set_status(row: &mut Row, ebrim: &mut String, status: Status) {
    let urn = |status| match status {
        Status::Approved => AvailabilityStatus::Approved.as_str(),
        Status::Deprecated => AvailabilityStatus::Deprecated.as_str(),
    };
    let attribute = |status| format!(" status=\"{}\"", urn(status));
    *ebrim = ebrim.replacen(&attribute(row.status), &attribute(status), 1);
    row.status = status;
}

/// What was kept, as an object again.
pub(crate) fn read(ebrim: &str) -> Result<RegistryObject, Failure> {
    let namespace = xds_schemas::xml::ns::RIM;
    let xml = format!("<x xmlns:rim=\"{namespace}\">{ebrim}</x>");
    let read = || {
        let mut reader = Reader::new(xml.as_bytes())?;
        reader.root()?;
        match reader.child()? {
            Some(element) => RegistryObject::from_xml(&mut reader, &element).map(Some),
            None => Ok(None),
        }
    };
    match read() {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(Failure::Internal(anyhow!("a kept object is empty"))),
        Err(error) => Err(Failure::Internal(anyhow!(
            "a kept object is damaged: {error}"
        ))),
    }
}

/// Sets a folder's lastUpdateTime, in its row and in its ebRIM. Times hold only digits, and no
/// other slot of this name can stand before.
pub(super) fn set_last_update_time(row: &mut Row, ebrim: &mut String, now: &Timestamp) {
    const VALUE: &str = "<rim:Value>";
    let slot = ebrim.find("<rim:Slot name=\"lastUpdateTime\"");
    let start = slot.and_then(|slot| Some(slot + ebrim[slot..].find(VALUE)? + VALUE.len()));
    let range = start.and_then(|start| Some(start..start + ebrim[start..].find('<')?));
    if let Some(range) = range {
        ebrim.replace_range(range, now.as_str());
    }
    row.time = Some(now.as_str().to_owned());
}

#[cfg(test)]
mod tests {
    use xds_schemas::ebrim::{InternationalString, Slot};

    use super::*;

    fn read(ebrim: &str) -> RegistryObject {
        super::read(ebrim).unwrap()
    }

    /// Text that looks like what is changed, wherever a sender can put it.
    fn decoy() -> String {
        let approved = AvailabilityStatus::Approved.as_str();
        format!(
            "x status=\"{approved}\" <rim:Slot name=\"lastUpdateTime\"><rim:Value>1</rim:Value>"
        )
    }

    #[test]
    fn deprecating_changes_the_status_and_nothing_else() {
        let mut entry = DocumentEntry::new(decoy(), "1.2.3", decoy());
        entry.title = Some(InternationalString::of(decoy()));
        entry.availability_status = Some(AvailabilityStatus::Approved);
        let mut row = of_document_entry(&entry);
        let mut xml = ebrim(&entry.to_ebrim());
        let mut expected = read(&xml);
        deprecate(&mut row, &mut xml);
        assert_eq!(row.status, Status::Deprecated);
        expected.status = Some(AvailabilityStatus::Deprecated.as_str().to_owned());
        assert_eq!(read(&xml), expected);
    }

    #[test]
    fn what_was_deprecated_is_approved_again() {
        let mut entry = DocumentEntry::new(decoy(), "1.2.3", decoy());
        entry.availability_status = Some(AvailabilityStatus::Approved);
        let mut row = of_document_entry(&entry);
        let first = ebrim(&entry.to_ebrim());
        let mut xml = first.clone();
        deprecate(&mut row, &mut xml);
        assert_ne!(xml, first);
        set_status(&mut row, &mut xml, Status::Approved);
        assert_eq!((xml, row.status), (first, Status::Approved));
    }

    #[test]
    fn a_folder_gets_another_time_and_nothing_else() {
        let mut folder = Folder::new(decoy(), "1.2.3", decoy());
        folder.last_update_time = Timestamp::parse("20240102030405").ok();
        folder
            .extra
            .slots
            .push(Slot::single("urn:x:decoy", decoy()));
        let mut row = of_folder(&folder);
        let mut xml = ebrim(&folder.to_ebrim());
        let mut expected = read(&xml);
        let now = Timestamp::parse("20250607080910").unwrap();
        set_last_update_time(&mut row, &mut xml, &now);
        assert_eq!(row.time.as_deref(), Some(now.as_str()));
        let slots = expected.slots.iter_mut();
        for slot in slots.filter(|slot| slot.name == "lastUpdateTime") {
            slot.values = vec![now.to_string()];
        }
        assert_eq!(read(&xml), expected);
    }
}
