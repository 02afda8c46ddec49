//! The On-Demand Document Source: documents that are made when they are retrieved.
//!
//! The first of them is a patient's imaging summary: every study and every report that the registry
//! knows, as one FHIR document. [`register`] makes one known (ITI-61); ITI-43 makes it when it is
//! asked for. The source keeps nothing of its own: a uniqueId tells that a document is [made on
//! demand](names::is_on_demand), and the registry tells of whom. What is not registered any more is
//! not made any more.
//!
//! What is made depends on what is registered and on nothing else. So the same content has the same
//! bytes and the same name each time (ITI TF-2 3.43.4.2.2 encourages that), and is kept once.
//! <https://profiles.ihe.net/ITI/TF/Volume1/ch-10.html#10.2.6>

mod bundle;
mod fhir;
mod iti61_register_on_demand_document_entry;
mod names;
mod snapshot;
mod summary;

use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_security::Caller;
use hilum_transport::PartSource;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{DocumentFilter, FindDocuments, Names, StoredQuery};
use xds_schemas::metadata::{
    Association, DocumentEntry, DocumentEntryType, PatientId, SubmissionSet, SubmissionSetStatus,
    UniqueId,
};

use crate::access::{Guard, absent};
use crate::iti18_registry_stored_query as iti18;
use crate::iti43_retrieve_document_set::{Found, Given};
use crate::{Room, failure};

pub use iti61_register_on_demand_document_entry::{Fate, Registering, register};

pub(crate) use snapshot::Snapshots;

use bundle::Document;
use summary::Summary;

/// The media type of what is made.
const MIME_TYPE: &str = "application/fhir+json";
/// Documents of one request that are made. Each costs questions to the registry.
const MOST_MADE: usize = 16;
/// Documents that one summary lists. More than a registry tells of in one answer, usually.
const MOST_LISTED: usize = 20_000;

/// Whether documents are made on demand, and whether they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDemand {
    /// None is made.
    Off,
    /// They are made anew each time, and not kept.
    #[default]
    Transient,
    /// They are kept, and registered as snapshots (ITI TF-1 10.2.7, Persistence of Retrieved
    /// Documents).
    Persist,
}

/// Makes those of the documents that were not found because they are made on demand, of what the
/// caller may know. Gives what is to be recorded of the questions that this took.
pub(crate) async fn make(
    room: &Room,
    caller: &Caller,
    found: impl Iterator<Item = &mut Found>,
    guard: Option<&mut Guard<'_>>,
    now: SystemTime,
) -> Vec<Event> {
    let mut making = Making {
        room,
        caller,
        guard,
        is_whole: true,
        now,
        asked: Vec::new(),
    };
    let here = &room.config.repository_unique_id;
    let is_made = |(request, _): &&mut Found| {
        request.repository_unique_id == *here && names::is_on_demand(&request.document_unique_id)
    };
    let on_demand = found
        .filter(|_| room.config.on_demand != OnDemand::Off)
        .filter(is_made);
    for (at, (request, found)) in on_demand.enumerate() {
        let unique_id = &request.document_unique_id;
        let made = match at < MOST_MADE {
            true => making.make(unique_id).await,
            false => Err(RegistryError::error(
                ErrorCode::RepositoryOutOfResources,
                format!("not more than {MOST_MADE} documents are made for one request"),
            )),
        };
        *found = made.map_err(|error| error.at(unique_id.as_str()));
    }
    making.asked
}

/// Documents of one request while they are made.
struct Making<'a, 'g> {
    room: &'a Room,
    caller: &'a Caller,
    /// Who says of what the caller may know; nobody if that is everything.
    guard: Option<&'a mut Guard<'g>>,
    /// Whether the caller may know of all that there is.
    is_whole: bool,
    now: SystemTime,
    /// What the registry was asked.
    asked: Vec<Event>,
}

impl Making<'_, '_> {
    /// Makes the document that is registered under this name.
    async fn make(&mut self, unique_id: &UniqueId) -> Result<Given, RegistryError> {
        let entry = self.entry(unique_id).await?;
        let patient = entry.patient_id.clone();
        let patient = patient.ok_or_else(|| cannot(unique_id, "it is registered for nobody"))?;
        let set = self.submission_set(&entry, &patient).await?;
        let listed = self.documents(unique_id, &patient).await?;
        let write = {
            let (entry, set, patient) = (entry.clone(), set.clone(), patient.clone());
            let listed = Arc::clone(&listed);
            move || bundle::document(&Summary::of(&entry, &set, &patient, &listed))
        };
        let made = tokio::task::spawn_blocking(write).await;
        let made = made.map_err(|error| failure::internal(&error.into()))?;
        // To a deprecated entry nothing can be related any more (ITI TF-2 3.42.4.1.3.3).
        let is_in_force = entry.availability_status != Some(AvailabilityStatus::Deprecated);
        // What only some may know of is not registered for all.
        if self.room.config.on_demand == OnDemand::Persist && is_in_force && self.is_whole {
            let is_known = listed.iter().any(|it| self.is_ours(it, &made.unique_id));
            return self.keep(&entry, &set, made, is_known).await;
        }
        let Document { unique_id, bytes } = made;
        Ok(Given {
            mime_type: entry.mime_type,
            patient_id: Some(patient.to_string()),
            source: PartSource::Bytes(bytes),
            new_unique_id: Some(unique_id),
            is_kept: false,
            came_with: None,
        })
    }

    /// The on-demand entry with this name, one in force if there is one.
    async fn entry(&mut self, unique_id: &UniqueId) -> Result<DocumentEntry, RegistryError> {
        let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id.clone()]));
        let found = self.ask(unique_id, &query, &[]).await?;
        let approved = Some(AvailabilityStatus::Approved);
        let entry = iti18::document_entries(&found)
            .filter(|entry| entry.entry_type == DocumentEntryType::OnDemand)
            .filter(|entry| self.is_ours(entry, unique_id))
            .max_by_key(|entry| entry.availability_status == approved);
        entry.ok_or_else(|| absent(unique_id))
    }

    /// The submission set with which the entry came.
    async fn submission_set(
        &mut self,
        entry: &DocumentEntry,
        patient: &PatientId,
    ) -> Result<SubmissionSet, RegistryError> {
        let query = StoredQuery::GetSubmissionSets(vec![entry.entry_uuid.clone()]);
        let patient = patient.to_string();
        let found = self.ask(&entry.unique_id, &query, &[&patient]).await?;
        let memberships = found
            .iter()
            .filter_map(|it| Association::from_ebrim(it).ok());
        let original = memberships
            .filter(|it| it.submission_set_status == Some(SubmissionSetStatus::Original))
            .find(|it| it.target == entry.entry_uuid);
        let set = original.and_then(|it| found.iter().find(|set| set.id == it.source.as_str()));
        let set = set.and_then(|set| SubmissionSet::from_ebrim(set).ok());
        set.ok_or_else(|| {
            cannot(
                &entry.unique_id,
                "the registry does not tell who registered it",
            )
        })
    }

    /// What is in force of the patient.
    async fn documents(
        &mut self,
        unique_id: &UniqueId,
        patient: &PatientId,
    ) -> Result<Arc<[DocumentEntry]>, RegistryError> {
        let query = StoredQuery::FindDocuments(FindDocuments {
            patient: patient.clone(),
            statuses: vec![AvailabilityStatus::Approved],
            filter: DocumentFilter {
                entry_types: vec![DocumentEntryType::Stable],
                ..DocumentFilter::default()
            },
        });
        let found = self.ask(unique_id, &query, &[&patient.to_string()]).await?;
        if found.len() > MOST_LISTED {
            let problem = format!("the patient has more than {MOST_LISTED} documents");
            return Err(cannot(unique_id, &problem));
        }
        let entries: Vec<DocumentEntry> = iti18::document_entries(&found).collect();
        let Some(guard) = &mut self.guard else {
            return Ok(entries.into());
        };
        let all = entries.len();
        let known = guard.known(entries).await;
        self.is_whole = known.len() == all;
        Ok(known.into())
    }

    async fn ask(
        &mut self,
        unique_id: &UniqueId,
        query: &StoredQuery,
        patients: &[&str],
    ) -> Result<Vec<RegistryObject>, RegistryError> {
        let person = self.caller.user.as_ref();
        let (found, event) = iti18::send(
            self.room.registry(),
            person,
            (query, &iti18::USUAL),
            patients,
        )
        .await;
        self.asked.push(event);
        found.map_err(|silence| cannot(unique_id, &silence.told()))
    }

    /// Whether an entry is that of this document in this repository.
    fn is_ours(&self, entry: &DocumentEntry, unique_id: &UniqueId) -> bool {
        entry.unique_id == *unique_id
            && entry.repository_unique_id.as_ref() == Some(&self.room.config.repository_unique_id)
    }
}

/// Why a document that is registered could not be made.
fn cannot(unique_id: &UniqueId, why: &str) -> RegistryError {
    let context = format!("the document {unique_id} cannot be made now: {why}");
    RegistryError::error(ErrorCode::RepositoryError, context)
}
