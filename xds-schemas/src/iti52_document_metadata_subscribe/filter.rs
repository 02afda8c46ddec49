//! To which objects something must happen: the queries of ITI-18, asked in advance
//! (ITI TF-2 3.52.5.2).
//!
//! A filter is kept as the stored query that it stands for, so that it matches exactly what that
//! query would find. What it has beyond ITI-18 is beside it.

use crate::codes::status::AvailabilityStatus;
use crate::ebrim::Slot;
use crate::ebrs::{AdhocQueryRequest, ReturnType, read_slots};
use crate::iti18_registry_stored_query::{AnyOf, Pattern, QueryKind, StoredQuery, syntax};
use crate::metadata::PatientId;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError};

use super::topic::{Subject, Topic};

/// A `rim:AdhocQuery`, as it stands in a filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdhocQuery {
    /// `@id`: what kind of filter.
    pub id: String,
    /// Its parameters, repeated slots kept apart.
    pub slots: Vec<Slot>,
}

/// What kind of filter, by `rim:AdhocQuery/@id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterKind {
    /// Document entries of a patient (3.52.5.2.1).
    DocumentEntry,
    /// Submission sets of a patient (3.52.5.2.2).
    SubmissionSet,
    /// Folders of a patient (DSUB Extensions, 3.52.5.2.3).
    Folder,
    /// Document entries of all patients (DSUB Extensions, 3.52.5.2.4).
    DocumentEntryOfAnybody,
    /// Submission sets of all patients (DSUB Extensions, 3.52.5.2.5).
    SubmissionSetOfAnybody,
}

/// A filter that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionFilter {
    /// Whose objects; nobody's in particular if there is none.
    pub patient: Option<PatientId>,
    /// The query that finds what passes. If the filter names no patient, that of the query means
    /// nothing.
    pub query: StoredQuery,
    /// `$XDSSubmissionSetIntendedRecipient`, which ITI-18 does not have.
    pub intended_recipients: AnyOf,
    /// `$XDSFolderUniqueId`, which in ITI-18 is a parameter of another query.
    pub folder_unique_ids: AnyOf,
}

/// The slots that are looked at here; all others are those of ITI-18.
mod slot {
    pub(super) const DE_PATIENT: &str = "$XDSDocumentEntryPatientId";
    pub(super) const DE_STATUS: &str = "$XDSDocumentEntryStatus";
    pub(super) const REFERENCE_IDS: &str = "$XDSDocumentEntryReferenceIdList";
    pub(super) const SS_PATIENT: &str = "$XDSSubmissionSetPatientId";
    pub(super) const SS_STATUS: &str = "$XDSSubmissionSetStatus";
    pub(super) const SOURCE_ID: &str = "$XDSSubmissionSetSourceId";
    pub(super) const SS_AUTHOR: &str = "$XDSSubmissionSetAuthorPerson";
    /// What the Extensions call it in 3.52.5.2.5.
    pub(super) const SS_AUTHOR_SHORT: &str = "$XDSSubmissionSetAuthor";
    pub(super) const RECIPIENT: &str = "$XDSSubmissionSetIntendedRecipient";
    pub(super) const FD_PATIENT: &str = "$XDSFolderPatientId";
    pub(super) const FD_STATUS: &str = "$XDSFolderStatus";
    pub(super) const FD_UNIQUE_ID: &str = "$XDSFolderUniqueId";
    /// One of these must narrow down the documents of all patients (3.52.5.2.4).
    pub(super) const OF_ANYBODY: [&str; 4] = [
        "$XDSDocumentEntryClassCode",
        "$XDSDocumentEntryTypeCode",
        "$XDSDocumentEntryPracticeSettingCode",
        "$XDSDocumentEntryHealthcareFacilityTypeCode",
    ];
}

/// Stands where a query must name a patient and the filter names none.
const ANYBODY: &str = "'*^^^&2.999&ISO'";

impl FilterKind {
    const ALL: [Self; 5] = [
        Self::DocumentEntry,
        Self::SubmissionSet,
        Self::Folder,
        Self::DocumentEntryOfAnybody,
        Self::SubmissionSetOfAnybody,
    ];

    /// The id on the wire.
    pub const fn id(self) -> &'static str {
        match self {
            Self::DocumentEntry => "urn:uuid:aa2332d0-f8fe-11e0-be50-0800200c9a66",
            Self::SubmissionSet => "urn:uuid:fbede94e-dbdc-4f6b-bc1f-d730e677cece",
            Self::Folder => "urn:uuid:9376254e-da05-41f5-9af3-ac56d63d8ebd",
            Self::DocumentEntryOfAnybody => "urn:uuid:742790e0-aba6-43d6-9f1f-e43ed9790b79",
            Self::SubmissionSetOfAnybody => "urn:uuid:868cad3d-ec09-4565-b66c-1be10d034399",
        }
    }

    /// The kind with this id. The Extensions print that of folders without `urn:uuid:` in places.
    pub fn parse(id: &str) -> Option<Self> {
        let is = |kind: &Self| {
            let known = kind.id();
            known.eq_ignore_ascii_case(id) || known["urn:uuid:".len()..].eq_ignore_ascii_case(id)
        };
        Self::ALL.into_iter().find(is)
    }

    const fn subject(self) -> Subject {
        match self {
            Self::DocumentEntry | Self::DocumentEntryOfAnybody => Subject::DocumentEntry,
            Self::SubmissionSet | Self::SubmissionSetOfAnybody => Subject::SubmissionSet,
            Self::Folder => Subject::Folder,
        }
    }

    const fn of_anybody(self) -> bool {
        matches!(
            self,
            Self::DocumentEntryOfAnybody | Self::SubmissionSetOfAnybody
        )
    }

    /// The slots of patient and status.
    const fn scope(self) -> (&'static str, &'static str) {
        match self.subject() {
            Subject::DocumentEntry => (slot::DE_PATIENT, slot::DE_STATUS),
            Subject::SubmissionSet => (slot::SS_PATIENT, slot::SS_STATUS),
            Subject::Folder => (slot::FD_PATIENT, slot::FD_STATUS),
        }
    }

    /// The query of ITI-18 that this stands for.
    fn stored_query(self, slots: &[Slot]) -> QueryKind {
        let by_reference = || slots.iter().any(|slot| slot.name == slot::REFERENCE_IDS);
        match self.subject() {
            Subject::DocumentEntry if by_reference() => QueryKind::FindDocumentsByReferenceId,
            Subject::DocumentEntry => QueryKind::FindDocuments,
            Subject::SubmissionSet => QueryKind::FindSubmissionSets,
            Subject::Folder => QueryKind::FindFolders,
        }
    }
}

impl SubscriptionFilter {
    /// Understands a filter for a topic. It may have every parameter of the query that it stands
    /// for. Statuses that it does not name are those that objects on the topic can have.
    ///
    /// # Errors
    /// Says what is wrong, and never quotes a value. Unlike ITI-18, a parameter that is not known
    /// is wrong: without it, too much would be told.
    pub fn read(topic: Topic, given: &AdhocQuery) -> Result<Self, String> {
        let kind = FilterKind::parse(&given.id);
        let kind = kind.ok_or("no filter of document metadata subscription has this id")?;
        if kind.subject() != topic.subject() {
            // Table 3.52.5.3-1.
            return Err(format!(
                "this filter does not go with the topic {}",
                topic.as_str()
            ));
        }
        let mut filter = Rest::default();
        let mut slots = Vec::new();
        for slot in &given.slots {
            if !filter.take(kind, slot)? {
                slots.push(slot.clone());
            }
        }
        filter.judge_scope(kind, &slots)?;
        let query = kind.stored_query(&slots);
        let (patient, status) = kind.scope();
        judge_names(query, kind, patient, &slots)?;
        if kind.of_anybody() {
            slots.push(Slot::single(patient, ANYBODY));
        }
        if !slots.iter().any(|slot| slot.name == status) {
            slots.push(Slot::single(status, statuses(topic)));
        }
        let request = AdhocQueryRequest {
            return_type: ReturnType::ObjectRef,
            id: query.id().to_owned(),
            home: None,
            slots,
        };
        let mut query = StoredQuery::read(&request).map_err(|errors| {
            let contexts: Vec<&str> = errors.iter().map(|error| &*error.context).collect();
            contexts.join("; ")
        })?;
        if let StoredQuery::FindSubmissionSets(query) = &mut query {
            query.author_person = filter.authors;
        }
        let patient = query.patients().first().filter(|_| !kind.of_anybody());
        let patient = patient.cloned();
        Ok(Self {
            patient,
            query,
            intended_recipients: filter.recipients,
            folder_unique_ids: filter.unique_ids,
        })
    }
}

/// Parameters that the stored query does not have, or has in another way.
#[derive(Default)]
struct Rest {
    /// Several of them, as FindSubmissionSets has only one (3.52.5.2.2).
    authors: AnyOf,
    recipients: AnyOf,
    unique_ids: AnyOf,
}

impl Rest {
    /// Takes a slot if it is one of these. All of them may have several values, and none may be
    /// repeated.
    fn take(&mut self, kind: FilterKind, given: &Slot) -> Result<bool, String> {
        let (values, pattern): (&mut AnyOf, fn(String) -> Pattern) =
            match (kind.subject(), given.name.as_str()) {
                (Subject::SubmissionSet, slot::SS_AUTHOR | slot::SS_AUTHOR_SHORT) => {
                    (&mut self.authors, Pattern::like)
                }
                (Subject::SubmissionSet, slot::RECIPIENT) => (&mut self.recipients, Pattern::like),
                (Subject::Folder, slot::FD_UNIQUE_ID) => (&mut self.unique_ids, Pattern::exact),
                _ => return Ok(false),
            };
        let wrong = |problem: &str| format!("{}: {problem}", given.name);
        if !values.is_empty() {
            return Err(wrong("it may be given only once"));
        }
        let read = syntax::read(&given.values).map_err(wrong)?;
        *values = AnyOf(read.into_iter().map(pattern).collect());
        Ok(true)
    }

    /// Filters that name no patient must narrow down otherwise (DSUB Extensions, 3.52.5.2.4 and
    /// 3.52.5.2.5).
    fn judge_scope(&self, kind: FilterKind, slots: &[Slot]) -> Result<(), String> {
        let given = |name: &str| {
            let mut slots = slots.iter();
            slots
                .any(|slot| slot.name == name && slot.values.iter().any(|it| !it.trim().is_empty()))
        };
        match kind {
            FilterKind::DocumentEntryOfAnybody if !slot::OF_ANYBODY.into_iter().any(given) => {
                Err(format!("one of {} is needed", slot::OF_ANYBODY.join(", ")))
            }
            FilterKind::SubmissionSetOfAnybody
                if self.authors.is_empty()
                    && self.recipients.is_empty()
                    && !given(slot::SOURCE_ID) =>
            {
                let [source, author, recipient] =
                    [slot::SOURCE_ID, slot::SS_AUTHOR, slot::RECIPIENT];
                Err(format!("one of {source}, {author}, {recipient} is needed"))
            }
            _ => Ok(()),
        }
    }
}

fn judge_names(
    query: QueryKind,
    kind: FilterKind,
    patient: &str,
    slots: &[Slot],
) -> Result<(), String> {
    for slot in slots {
        let known = query.all_parameters().any(|one| one.name == slot.name);
        if !known {
            return Err(format!("the parameter {} is not known here", slot.name));
        }
        if kind.of_anybody() && slot.name == patient {
            return Err(format!("{patient}: this filter is of all patients"));
        }
    }
    Ok(())
}

/// The statuses that objects on a topic can have, as a parameter.
fn statuses(topic: Topic) -> String {
    let (approved, deprecated) = (AvailabilityStatus::Approved, AvailabilityStatus::Deprecated);
    match topic.is_extended() {
        true => syntax::list([approved.as_str(), deprecated.as_str()]),
        false => syntax::list([approved.as_str()]),
    }
}

impl FromXml for AdhocQuery {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        Ok(Self {
            id: reader.required(element, "id")?.trim().to_owned(),
            slots: read_slots(reader)?,
        })
    }
}

/// With the prefix `rim`, which must be declared around it.
impl ToXml for AdhocQuery {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("rim:AdhocQuery").attribute("id", &self.id);
        self.slots.iter().for_each(|slot| slot.to_xml(writer));
        writer.close("rim:AdhocQuery");
    }
}
