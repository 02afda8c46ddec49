//! ITI-61: documents that are made when they are retrieved, beside those that are there.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability, ResponseStatus};
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{
    ContentFilter, DocumentFilter, FindDocuments, GetAll, GetContents, GetRelatedDocuments, Names,
    StoredQuery,
};
use xds_schemas::metadata::{
    AssociationType, DocumentEntry, DocumentEntryType, EntryUuid, PatientId, Submission,
};

use crate::iti18::{find_documents, get_all, get_documents};
use crate::iti57::new_version;
use crate::site::{Site, succeeded};
use crate::words::{document, empty, folder, new_oid, new_uuid, one, patient, time};

const APPROVED: AvailabilityStatus = AvailabilityStatus::Approved;
const BOTH: [DocumentEntryType; 2] = [DocumentEntryType::Stable, DocumentEntryType::OnDemand];

pub(crate) fn on_demand(of: &PatientId, name: &str) -> DocumentEntry {
    DocumentEntry {
        entry_type: DocumentEntryType::OnDemand,
        creation_time: None,
        hash: None,
        size: None,
        ..document(of, name)
    }
}

/// A submission of one on-demand document with a new entryUUID, which is given too.
fn one_on_demand(of: &PatientId) -> (Submission, EntryUuid) {
    let uuid = new_uuid();
    let mut submission = empty(of);
    submission.add_document(on_demand(of, uuid.as_str()));
    (submission, uuid)
}

async fn accept(site: &Site, submission: &Submission) {
    let response = site.submit_on_demand(submission).await;
    assert_eq!(response.errors, []);
    assert_eq!(response.status, ResponseStatus::Success);
}

/// An on-demand document that is registered.
async fn registered(site: &Site, of: &PatientId) -> EntryUuid {
    let (submission, uuid) = one_on_demand(of);
    accept(site, &submission).await;
    uuid
}

async fn refuse(site: &Site, submission: &Submission, code: ErrorCode) -> RegistryError {
    let mut response = site.submit_on_demand(submission).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(response.errors.len(), 1, "{:#?}", response.errors);
    assert_eq!(response.errors[0].code, code, "{:#?}", response.errors);
    response.errors.remove(0)
}

fn find(of: &PatientId, entry_types: &[DocumentEntryType]) -> StoredQuery {
    StoredQuery::FindDocuments(FindDocuments {
        patient: of.clone(),
        statuses: vec![APPROVED],
        filter: DocumentFilter {
            entry_types: entry_types.to_vec(),
            ..DocumentFilter::default()
        },
    })
}

async fn names(site: &Site, query: &StoredQuery) -> Vec<String> {
    let found = site.find(query).await;
    found.into_iter().map(|object| object.id).collect()
}

/// ITI TF-2 3.61.4.1.3: everything is stored and given back. 3.18.4.1.2.3.7.1: queries return
/// on-demand documents to those who ask for them by $XDSDocumentEntryType.
pub(crate) async fn an_on_demand_document_is_registered_and_found(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, made) = one_on_demand(&p1);
    accept(&site, &submission).await;
    let (stable, there) = one(&p1);
    site.accept(&stable).await;
    let (made, there) = (made.as_str(), there.as_str());

    assert_eq!(names(&site, &find_documents(&p1)).await, [there]);
    let only = [DocumentEntryType::OnDemand];
    assert_eq!(names(&site, &find(&p1, &only)).await, [made]);
    assert_eq!(names(&site, &find(&p1, &BOTH)).await, [made, there]);

    let found = site.find(&find(&p1, &only)).await.remove(0);
    let mut read = DocumentEntry::from_ebrim(&found).unwrap();
    assert_eq!(read.availability_status, Some(APPROVED));
    assert_eq!(read.version.as_deref(), Some("1"));
    read.availability_status = None;
    read.logical_id = None;
    read.version = None;
    read.home_community_id = None;
    assert_eq!(read.to_ebrim(), submission.document_entries[0].to_ebrim());

    // By name, whatever it is.
    let by_name = get_documents([&EntryUuid::from(made)]);
    assert_eq!(names(&site, &by_name).await, [made]);
    let unique_id = submission.document_entries[0].unique_id.clone();
    let by_name = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id]));
    assert_eq!(names(&site, &by_name).await, [made]);
    // Among everything, and among the contents of its submission set.
    let documents = |objects: Vec<String>| objects.iter().filter(|it| *it == made).count();
    let all = |entry_types: &[DocumentEntryType]| {
        StoredQuery::GetAll(GetAll {
            patient: p1.clone(),
            document_entry_statuses: vec![APPROVED],
            submission_set_statuses: vec![APPROVED],
            folder_statuses: vec![APPROVED],
            filter: ContentFilter {
                entry_types: entry_types.to_vec(),
                ..ContentFilter::default()
            },
        })
    };
    let stable_only = [DocumentEntryType::Stable];
    assert_eq!(documents(names(&site, &all(&stable_only)).await), 0);
    assert_eq!(documents(names(&site, &all(&BOTH)).await), 1);
    let set = submission.submission_set.unique_id.clone();
    let contents = |entry_types: &[DocumentEntryType]| {
        StoredQuery::GetSubmissionSetAndContents(GetContents {
            of: Names::UniqueIds(vec![set.clone()]),
            filter: ContentFilter {
                entry_types: entry_types.to_vec(),
                ..ContentFilter::default()
            },
        })
    };
    assert_eq!(documents(names(&site, &contents(&stable_only)).await), 0);
    assert_eq!(documents(names(&site, &contents(&only)).await), 1);
}

/// ITI TF-2 3.61.4.1.2: all document entries are on-demand ones; and ITI-42 carries none.
pub(crate) async fn only_on_demand_documents_are_registered(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (stable, _) = one(&p1);
    let error = refuse(&site, &stable, ErrorCode::RegistryMetadataError).await;
    assert!(error.context.contains("objectType"), "{}", error.context);
    let (mut mixed, _) = one_on_demand(&p1);
    mixed.add_document(document(&p1, "Stable"));
    refuse(&site, &mixed, ErrorCode::RegistryMetadataError).await;
    let (made, _) = one_on_demand(&p1);
    let refused = [ErrorCode::RegistryMetadataError];
    let errors = site.refuse(&made, &refused).await;
    assert!(errors[0].context.contains("ITI-61"), "{errors:?}");
    assert!(site.find(&get_all(&p1)).await.is_empty());
}

/// ITI TF-2 3.61.4.2.2: creationTime, hash or size is XDSRegistryMetadataError. What else a
/// document entry must have, an on-demand one must have too (ITI TF-3 4.3.1).
pub(crate) async fn what_describes_a_content_is_refused(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    type Change = fn(&mut DocumentEntry);
    let changes: [(&str, Change); 6] = [
        ("creationTime", |it| it.creation_time = Some(time("2026"))),
        ("hash", |it| it.hash = Some("00".repeat(20))),
        ("size", |it| it.size = Some(0)),
        ("documentAvailability", |it| {
            it.document_availability = Some(DocumentAvailability::Online);
        }),
        ("repositoryUniqueId", |it| it.repository_unique_id = None),
        ("classCode", |it| it.class_code = None),
    ];
    for (attribute, change) in changes {
        let (mut submission, _) = one_on_demand(&p1);
        change(&mut submission.document_entries[0]);
        let error = refuse(&site, &submission, ErrorCode::RegistryMetadataError).await;
        assert!(error.context.contains(attribute), "{}", error.context);
    }
}

/// ITI TF-2 3.61.4.1.3: the uniqueId of another on-demand entry is accepted, and makes another
/// entry; that of a stable one is refused.
pub(crate) async fn unique_ids_of_contents_and_of_what_has_none(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut first, _) = one_on_demand(&p1);
    let shared = first.document_entries[0].unique_id.clone();
    accept(&site, &first).await;
    first = one_on_demand(&p1).0;
    first.document_entries[0].unique_id = shared.clone();
    accept(&site, &first).await;
    let by_name = StoredQuery::GetDocuments(Names::UniqueIds(vec![shared.clone()]));
    assert_eq!(site.find(&by_name).await.len(), 2);

    let (stable, uuid) = one(&p1);
    let taken = stable.document_entries[0].unique_id.clone();
    site.accept(&stable).await;
    let (mut made, _) = one_on_demand(&p1);
    made.document_entries[0].unique_id = taken.clone();
    let error = refuse(&site, &made, ErrorCode::DuplicateUniqueIdInRegistry).await;
    for named in [taken.as_str(), uuid.as_str()] {
        assert!(error.context.contains(named), "{}", error.context);
    }
    // A document never has the name of something that is made: it would be either.
    let (mut stable, _) = one(&p1);
    stable.document_entries[0].unique_id = shared;
    let refused = [ErrorCode::DuplicateUniqueIdInRegistry];
    site.refuse(&stable, &refused).await;
    // Submission sets are told apart from all others.
    let (mut made, _) = one_on_demand(&p1);
    made.submission_set.unique_id = taken;
    refuse(&site, &made, ErrorCode::DuplicateUniqueIdInRegistry).await;
}

/// ITI TF-2 3.61.4.1.2: folders and associations as always. A stable entry may be replaced by an
/// on-demand one, and (by ITI-41 and ITI-42) the other way round.
pub(crate) async fn on_demand_documents_are_related(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (stable, there) = one(&p1);
    site.accept(&stable).await;
    let (mut replacing, made) = one_on_demand(&p1);
    replacing.relate(made.clone(), AssociationType::Replace, there.clone());
    replacing.add_folder(folder(&p1, "Folder"));
    replacing.put_into_folder("Folder".into(), made.clone());
    accept(&site, &replacing).await;
    assert_eq!(names(&site, &find(&p1, &BOTH)).await, [made.as_str()]);
    let holder = StoredQuery::GetFoldersForDocument(Names::EntryUuids(vec![made.clone()]));
    assert_eq!(site.find(&holder).await.len(), 1);
    let folder = replacing.folders[0].unique_id.clone();
    let contents = |entry_types: &[DocumentEntryType]| {
        StoredQuery::GetFolderAndContents(GetContents {
            of: Names::UniqueIds(vec![folder.clone()]),
            filter: ContentFilter {
                entry_types: entry_types.to_vec(),
                ..ContentFilter::default()
            },
        })
    };
    let inside = names(&site, &contents(&[DocumentEntryType::OnDemand])).await;
    assert!(inside.contains(&made.0));
    let inside = names(&site, &contents(&[DocumentEntryType::Stable])).await;
    assert!(!inside.contains(&made.0));

    let (mut again, newer) = one_on_demand(&p1);
    again.relate(newer.clone(), AssociationType::Replace, made.clone());
    accept(&site, &again).await;
    assert_eq!(names(&site, &find(&p1, &BOTH)).await, [newer.as_str()]);
    // What is deprecated is not replaced once more.
    let (mut late, uuid) = one_on_demand(&p1);
    late.relate(uuid, AssociationType::Replace, made);
    refuse(&site, &late, ErrorCode::RegistryDeprecatedDocumentError).await;

    let (mut fixed, document) = one(&p1);
    fixed.relate(document.clone(), AssociationType::Replace, newer);
    site.accept(&fixed).await;
    assert_eq!(names(&site, &find(&p1, &BOTH)).await, [document.as_str()]);
}

/// ITI TF-3 4.2.2.2.6: a snapshot is a stable document of an on-demand one, and leaves it as it is.
pub(crate) async fn snapshots_are_of_on_demand_documents(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let made = registered(&site, &p1).await;
    let (mut snapshot, uuid) = one(&p1);
    snapshot.relate(uuid.clone(), AssociationType::IsSnapshotOf, made.clone());
    site.accept(&snapshot).await;
    let in_force = names(&site, &find(&p1, &BOTH)).await;
    assert_eq!(in_force, [made.as_str(), uuid.as_str()]);
    let related = StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
        of: Names::EntryUuids(vec![made.clone()]),
        association_types: vec![AssociationType::IsSnapshotOf],
        entry_types: BOTH.to_vec(),
    });
    assert!(names(&site, &related).await.contains(&uuid.0));

    let (mut of_made, other) = one_on_demand(&p1);
    of_made.relate(other, AssociationType::IsSnapshotOf, made);
    refuse(&site, &of_made, ErrorCode::RegistryMetadataError).await;
    let (mut of_stable, other) = one(&p1);
    of_stable.relate(other, AssociationType::IsSnapshotOf, uuid);
    let refused = [ErrorCode::RegistryMetadataError];
    site.refuse(&of_stable, &refused).await;
}

/// Metadata update 3.57.4.1.3.3.1: a new version is as valid as what ITI-61 registers, and of the
/// same objectType.
pub(crate) async fn on_demand_documents_get_new_versions(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, _) = one_on_demand(&p1);
    accept(&site, &submission).await;
    let entry = &submission.document_entries[0];
    let mut described = new_version(entry, "Next", "1");
    described.document_entries[0].size = Some(1);
    let response = site.update(&described).await;
    assert_eq!(response.status, ResponseStatus::Failure);
    succeeded(&site.update(&new_version(entry, "Next", "1")).await);
    let found = site.find(&find(&p1, &[DocumentEntryType::OnDemand])).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version.as_deref(), Some("2"));
    assert!(site.find(&find_documents(&p1)).await.is_empty());
}

/// ITI TF-2 3.61.4.1.3: whatever is refused is rolled back.
pub(crate) async fn nothing_is_registered_by_half(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut submission, uuid) = one_on_demand(&p1);
    let unregistered = new_uuid();
    submission.relate(uuid, AssociationType::Replace, unregistered);
    refuse(&site, &submission, ErrorCode::UnresolvedReferenceException).await;
    let (unknown, _) = one_on_demand(&patient("P-unknown"));
    refuse(&site, &unknown, ErrorCode::UnknownPatientId).await;
    assert!(names(&site, &find(&p1, &BOTH)).await.is_empty());
    // Its names are free.
    submission.associations.pop();
    accept(&site, &submission).await;
}

/// ITI TF-2 3.61.5.1: an import, for the patient and the submission set.
pub(crate) async fn every_registration_is_recorded(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut submission, _) = one_on_demand(&p1);
    accept(&site, &submission).await;
    submission.submission_set.unique_id = new_oid().into();
    refuse(&site, &submission, ErrorCode::RegistryMetadataError).await;
    let audit = site.audit();
    let gist = |it: &hilum_audit::summary::Summary| {
        (
            it.event.clone(),
            it.transaction.clone().unwrap_or_default(),
            it.outcome.clone(),
            it.patient.clone(),
        )
    };
    let record = |outcome: &str| {
        (
            "Import".to_owned(),
            "ITI-61".to_owned(),
            outcome.to_owned(),
            Some(p1.to_string()),
        )
    };
    let found: Vec<_> = audit.iter().map(gist).collect();
    assert_eq!(found, [record("0"), record("8")]);
}
