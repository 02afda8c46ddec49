//! Documents that were made on demand and are kept: registered as snapshots of what they were made
//! for, before anybody gets them (ITI TF-2 3.43.4.2.3).

use hilum_audit::SubmissionSet as Audited;
use tokio::sync::Mutex;
use tokio::time::Instant;
use uuid::Uuid;
use xds_schemas::ebrs::{RegistryError, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, DocumentEntryType, EntryUuid, Extra, Submission,
    SubmissionSet, Timestamp, UniqueId,
};

use super::bundle::Document;
use super::{Making, cannot};
use crate::blob_store::Arrival;
use crate::blob_store::container::Said;
use crate::failure;
use crate::iti18_registry_stored_query as iti18;
use crate::iti42_register_document_set::{self as iti42, Registration};
use crate::iti43_retrieve_document_set::{Given, look_up};
use crate::recovery::Submitted;

/// One snapshot is made at a time, so that those who ask at the same moment get the same one.
pub(crate) type Snapshots = Mutex<()>;

impl Making<'_, '_> {
    /// Keeps and registers what was made, unless it was before, and gives it from there.
    pub(super) async fn keep(
        &mut self,
        entry: &DocumentEntry,
        set: &SubmissionSet,
        made: Document,
        is_known: bool,
    ) -> Result<Given, RegistryError> {
        let room = self.room;
        let unique_id = made.unique_id.clone();
        let _one = room.snapshots.lock().await;
        // Perhaps one of an earlier process, whose fate is still asked for.
        if room.pending.has(unique_id.as_str()) {
            room.recovery.hurry();
            let deadline = Instant::now() + room.config.decision;
            room.pending.decided(unique_id.as_str(), deadline).await;
        }
        if let Ok(given) = self.kept(&unique_id).await
            && (is_known || self.is_registered(entry, &unique_id).await?)
        {
            return Ok(given);
        }
        let mut submission = submission(entry, set, &unique_id, self.now);
        submission.resolve(&mut || EntryUuid(Uuid::now_v7().urn().to_string()));
        let snapshot = &mut submission.document_entries[0];
        let arrival = self.receive(snapshot, made).await.map_err(|error| {
            let internal = failure::internal(&error.into());
            cannot(&entry.unique_id, &internal.context)
        })?;
        snapshot.hash = Some(arrival.label.hash.clone());
        snapshot.size = Some(arrival.label.size);
        self.register(entry, submission, arrival).await?;
        self.kept(&unique_id).await
    }

    /// The snapshot, if it is kept here.
    async fn kept(&self, unique_id: &UniqueId) -> Result<Given, RegistryError> {
        let (store, id) = (self.room.store.clone(), unique_id.0.clone());
        let found = tokio::task::spawn_blocking(move || look_up(&store, &id, true)).await;
        let given = found.map_err(|error| failure::internal(&error.into()))??;
        Ok(Given {
            new_unique_id: Some(unique_id.clone()),
            is_kept: true,
            ..given
        })
    }

    /// Whether the registry knows the snapshot: another call may have made it a moment ago.
    async fn is_registered(
        &mut self,
        entry: &DocumentEntry,
        unique_id: &UniqueId,
    ) -> Result<bool, RegistryError> {
        let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id.clone()]));
        let found = self.ask(&entry.unique_id, &query, &[]).await?;
        let mut entries = iti18::document_entries(&found);
        Ok(entries.any(|it| self.is_ours(&it, unique_id)))
    }

    async fn receive(&self, snapshot: &DocumentEntry, made: Document) -> std::io::Result<Arrival> {
        let said = Said {
            unique_id: made.unique_id.0,
            entry_uuid: snapshot.entry_uuid.0.clone(),
            mime_type: snapshot.mime_type.clone(),
            patient_id: snapshot.patient_id.as_ref().map(ToString::to_string),
        };
        let mut receiving = self.room.store.receive();
        receiving.write(made.bytes).await?;
        let sealing = receiving.seal(said).await?;
        let arrival = sealing.await.map_err(std::io::Error::other)??;
        self.room
            .store
            .make_durable(std::slice::from_ref(&arrival))
            .await?;
        Ok(arrival)
    }

    /// ITI-42, with the same care for what becomes of it as for documents that are provided.
    async fn register(
        &mut self,
        entry: &DocumentEntry,
        submission: Submission,
        arrival: Arrival,
    ) -> Result<(), RegistryError> {
        let (room, caller) = (self.room, self.caller);
        let set = &submission.submission_set;
        let patient = set.patient_id.as_ref().map(ToString::to_string);
        let audited = Audited {
            unique_id: set.unique_id.as_str(),
            patient: patient.as_deref(),
        };
        let request = SubmitObjectsRequest {
            slots: Vec::new(),
            objects: submission.to_ebrim(),
        };
        let submitted = Submitted::new(room, vec![arrival]);
        let (registration, event) = iti42::send(room, caller, audited, &request).await;
        self.asked.push(event);
        let not_kept = |why: &str| {
            let why = format!("its snapshot is not registered: {why}");
            cannot(&entry.unique_id, &why)
        };
        match registration {
            Registration::Registered(_) => submitted.keep().await.map_err(|error| {
                let internal = failure::internal(&error.into());
                not_kept(&internal.context)
            }),
            Registration::Refused(errors) => {
                submitted.discard();
                let codes: Vec<&str> = errors.iter().map(|error| error.code.as_str()).collect();
                Err(not_kept(&format!(
                    "the registry answered {}",
                    codes.join(" ")
                )))
            }
            Registration::Unknown(_) if submitted.ask().await => Ok(()),
            Registration::Unknown(error) => Err(not_kept(&error.context)),
        }
    }
}

/// The submission of a snapshot: what its on-demand entry says, of a content that stays.
fn submission(
    entry: &DocumentEntry,
    set: &SubmissionSet,
    unique_id: &UniqueId,
    now: std::time::SystemTime,
) -> Submission {
    let now = now.duration_since(std::time::UNIX_EPOCH);
    let now = Some(Timestamp::from_unix(now.unwrap_or_default().as_secs()));
    let new_id = UniqueId(format!("2.25.{}", Uuid::new_v4().as_u128()));
    let mut submission = Submission::new(SubmissionSet {
        title: entry.title.clone(),
        authors: entry.authors.iter().map(author).collect(),
        content_type_code: set.content_type_code.as_ref().map(code),
        patient_id: entry.patient_id.clone(),
        submission_time: now.clone(),
        ..SubmissionSet::new("set", new_id, set.source_id.as_str())
    });
    submission.add_document(DocumentEntry {
        title: entry.title.clone(),
        authors: entry.authors.iter().map(author).collect(),
        class_code: entry.class_code.as_ref().map(code),
        confidentiality_codes: entry.confidentiality_codes.iter().map(code).collect(),
        event_codes: entry.event_codes.iter().map(code).collect(),
        format_code: entry.format_code.as_ref().map(code),
        healthcare_facility_type_code: entry.healthcare_facility_type_code.as_ref().map(code),
        practice_setting_code: entry.practice_setting_code.as_ref().map(code),
        type_code: entry.type_code.as_ref().map(code),
        creation_time: now,
        language_code: entry.language_code.clone(),
        patient_id: entry.patient_id.clone(),
        source_patient_id: entry.source_patient_id.clone(),
        repository_unique_id: entry.repository_unique_id.clone(),
        entry_type: DocumentEntryType::Stable,
        ..DocumentEntry::new("snapshot", unique_id.clone(), entry.mime_type.as_str())
    });
    submission.relate(
        EntryUuid::from("snapshot"),
        AssociationType::IsSnapshotOf,
        entry.entry_uuid.clone(),
    );
    submission
}

/// The same code, in a classification of its own.
fn code(code: &Code) -> Code {
    Code {
        id: String::new(),
        extra: Extra::default(),
        ..code.clone()
    }
}

fn author(author: &Author) -> Author {
    Author {
        id: String::new(),
        extra: Extra::default(),
        ..author.clone()
    }
}
