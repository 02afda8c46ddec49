//! ITI-57: new versions, statuses and associations.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability};
use xds_schemas::ebrim::{InternationalString, RegistryObject, Slot};
use xds_schemas::iti18_registry_stored_query::{
    ContentFilter, DocumentFilter, FindDocuments, FindFolders, GetAll, GetContents, MetadataLevel,
    Names, StoredQuery, Visibility,
};
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, DocumentEntryType, EntryUuid, Folder, PatientId,
    Submission, SubmissionSetStatus,
};

use crate::iti18::{find_documents, get_associations, get_documents};
use crate::site::{Site, refused, succeeded};
use crate::words::{document, empty, folder, new_oid, new_uuid, one, patient};

const APPROVED: AvailabilityStatus = AvailabilityStatus::Approved;
const DEPRECATED: AvailabilityStatus = AvailabilityStatus::Deprecated;

/// A document in a folder, and an addendum to it.
pub(crate) struct Stay {
    pub(crate) entry: DocumentEntry,
    pub(crate) folder: Folder,
    pub(crate) addendum: EntryUuid,
}

impl Stay {
    pub(crate) async fn register(site: &Site, of: &PatientId) -> Self {
        let entry = document(of, new_uuid().as_str());
        let folder = folder(of, new_uuid().as_str());
        let mut submission = empty(of);
        submission.add_document(entry.clone());
        submission.add_folder(folder.clone());
        submission.put_into_folder(folder.entry_uuid.clone(), entry.entry_uuid.clone());
        site.accept(&submission).await;
        let (mut addition, addendum) = one(of);
        let document = entry.entry_uuid.clone();
        addition.relate(addendum.clone(), AssociationType::Append, document);
        site.accept(&addition).await;
        Self {
            entry,
            folder,
            addendum,
        }
    }
}

/// The next version of a document entry.
pub(crate) fn next(entry: &DocumentEntry, name: &str) -> DocumentEntry {
    let logical_id = entry.logical_id.clone();
    DocumentEntry {
        entry_uuid: EntryUuid::from(name),
        logical_id: Some(logical_id.unwrap_or_else(|| entry.entry_uuid.clone())),
        title: Some(InternationalString::of("Corrected")),
        ..entry.clone()
    }
}

/// An update that makes the next version of a document entry.
pub(crate) fn new_version(entry: &DocumentEntry, name: &str, previous: &str) -> Submission {
    let patient = entry.patient_id.clone().unwrap();
    let mut update = empty(&patient);
    update.add_document(next(entry, name));
    update.associations[0].previous_version = Some(previous.to_owned());
    update
}

/// An update that makes the next version of a folder.
fn new_folder(folder: &Folder, name: &str, previous: &str) -> Submission {
    let mut update = empty(folder.patient_id.as_ref().unwrap());
    update.add_folder(Folder {
        entry_uuid: EntryUuid::from(name),
        logical_id: Some(folder.entry_uuid.clone()),
        title: Some(InternationalString::of("Renamed")),
        ..folder.clone()
    });
    update.associations[0].previous_version = Some(previous.to_owned());
    update
}

/// Without propagation of links.
fn alone(mut update: Submission) -> Submission {
    let slots = &mut update.associations[0].extra.slots;
    slots.push(Slot::single("AssociationPropagation", "no"));
    update
}

/// An update that changes a status.
pub(crate) fn change_status(
    of: &PatientId,
    object: &EntryUuid,
    from: AvailabilityStatus,
    to: AvailabilityStatus,
) -> Submission {
    let mut update = empty(of);
    add_status(&mut update, object, from, to);
    update
}

fn add_status(
    update: &mut Submission,
    object: &EntryUuid,
    from: AvailabilityStatus,
    to: AvailabilityStatus,
) {
    let kind = AssociationType::UpdateAvailabilityStatus;
    let mut trigger = Association::new(kind, "Set", object.clone());
    trigger.extra.slots = vec![
        Slot::single("OriginalStatus", from.as_str()),
        Slot::single("NewStatus", to.as_str()),
    ];
    update.associations.push(trigger);
}

/// Adds an association that an update brings.
fn bring(update: &mut Submission, kind: AssociationType, source: &EntryUuid, target: &EntryUuid) {
    let name = format!("Brought{}", update.associations.len());
    let mut brought = Association::new(kind, source.clone(), target.clone());
    brought.entry_uuid = EntryUuid::from(name.as_str());
    update.associations.push(brought);
    let kind = AssociationType::SubmitAssociation;
    let trigger = Association::new(kind, "Set", name.as_str());
    update.associations.push(trigger);
}

fn with_status(of: &PatientId, status: AvailabilityStatus) -> StoredQuery {
    StoredQuery::FindDocuments(FindDocuments {
        patient: of.clone(),
        statuses: vec![status],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    })
}

fn entries(objects: &[RegistryObject]) -> Vec<DocumentEntry> {
    let entries = objects
        .iter()
        .filter_map(|it| DocumentEntry::from_ebrim(it).ok());
    entries.collect()
}

fn links(objects: &[RegistryObject]) -> Vec<Association> {
    let links = objects
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok());
    links.collect()
}

fn all_versions(entry: &DocumentEntry) -> StoredQuery {
    StoredQuery::GetDocuments(Names::LogicalIds(vec![entry.entry_uuid.clone()]))
}

/// Metadata update 4.1.5, 3.57.4.1.3.3.1: the new version has the next number, the status of the one
/// before and its logicalID; the one before is deprecated. Who knows nothing of versions sees the
/// newest only.
pub(crate) async fn a_new_version_of_a_document_entry(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    succeeded(&site.update(&new_version(&stay.entry, "Next", "1")).await);
    let found = entries(&site.find(&find_documents(&p1)).await);
    let newest = found.iter().find(|it| it.version.as_deref() == Some("2"));
    let newest = newest.unwrap();
    assert_eq!(found.len(), 2, "the newest version and the addendum");
    assert_eq!(newest.logical_id.as_ref(), Some(&stay.entry.entry_uuid));
    assert_ne!(newest.entry_uuid, stay.entry.entry_uuid);
    assert_eq!(newest.unique_id, stay.entry.unique_id);
    assert_eq!(newest.title.as_ref().unwrap().first(), Some("Corrected"));
    assert_eq!(newest.availability_status, Some(APPROVED));
    assert!(site.find(&with_status(&p1, DEPRECATED)).await.is_empty());
    let versions = entries(&site.find_all(&all_versions(&stay.entry)).await);
    let told = |it: &DocumentEntry| (it.version.clone().unwrap(), it.availability_status.unwrap());
    let told: Vec<_> = versions.iter().map(told).collect();
    let expected = [("1".to_owned(), DEPRECATED), ("2".to_owned(), APPROVED)];
    assert_eq!(told, expected);
    assert_eq!(site.find(&all_versions(&stay.entry)).await.len(), 1);
    // The entryUUID of a later version is nobody's logicalID.
    assert!(site.find_all(&all_versions(newest)).await.is_empty());
    // The old name leads to nothing for those who know nothing of versions.
    let old = get_documents([&stay.entry.entry_uuid]);
    assert!(site.find(&old).await.is_empty());
    assert_eq!(site.find_all(&old).await.len(), 1);
    let by_unique_id = StoredQuery::GetDocuments(Names::UniqueIds(vec![newest.unique_id.clone()]));
    assert_eq!(site.find(&by_unique_id).await.len(), 1);
    assert_eq!(site.find_all(&by_unique_id).await.len(), 2);
    // And the next.
    succeeded(&site.update(&new_version(&stay.entry, "Third", "2")).await);
    let versions = entries(&site.find_all(&all_versions(&stay.entry)).await);
    assert_eq!(versions.len(), 3);
    assert_eq!(site.find(&all_versions(&stay.entry)).await.len(), 1);
}

/// Metadata update 3.57.4.1.3.3.1.3: a new version is valid as what is registered is (ITI TF-2
/// 3.42.4.1.3.3.1): other documents with its uniqueId have the same content. Versions may differ.
pub(crate) async fn documents_with_one_unique_id(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (first, _) = one(&p1);
    site.accept(&first).await;
    let (mut second, _) = one(&p1);
    let entry = first.document_entries[0].clone();
    second.document_entries[0].unique_id = entry.unique_id.clone();
    site.accept(&second).await;
    let mut update = new_version(&entry, "Next", "1");
    update.document_entries[0].size = Some(77);
    refused(site.update(&update).await, &[ErrorCode::NonIdenticalSize]);
    let all = site
        .find_all(&get_documents([&second.document_entries[0].entry_uuid]))
        .await;
    assert_eq!(all.len(), 1);
    let (third, _) = one(&p1);
    site.accept(&third).await;
    let mut update = new_version(&third.document_entries[0], "Next", "1");
    update.document_entries[0].size = Some(77);
    succeeded(&site.update(&update).await);
}

/// Metadata update 3.57.4.1.3.3.1.5: memberships in folders and relationships are made anew for the
/// new version, and the submission set holds the new memberships.
pub(crate) async fn links_are_carried_over(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let mut update = new_version(&stay.entry, "Next", "1");
    let newest = new_uuid();
    update.document_entries[0].entry_uuid = newest.clone();
    update.associations[0].target = newest.clone();
    let set = new_uuid();
    update.submission_set.entry_uuid = set.clone();
    update.associations[0].source = set.clone();
    succeeded(&site.update(&update).await);
    let found = links(&site.find(&get_associations([&newest])).await);
    let has = |kind: &AssociationType, source: &EntryUuid, target: &EntryUuid| {
        let mut all = found.iter();
        let link = all.find(|it| {
            it.association_type == *kind && it.source == *source && it.target == *target
        });
        link.cloned()
    };
    let member = has(
        &AssociationType::HasMember,
        &stay.folder.entry_uuid,
        &newest,
    );
    let member = member.expect("the folder has the new version");
    assert!(has(&AssociationType::Append, &stay.addendum, &newest).is_some());
    assert!(has(&AssociationType::HasMember, &set, &newest).is_some());
    assert_eq!(found.len(), 3, "{found:?}");
    let held = links(&site.find(&get_associations([&member.entry_uuid])).await);
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].source, set);
    // The folder shows one member, and who knows of versions sees both.
    let contents = StoredQuery::GetFolderAndContents(GetContents {
        of: Names::EntryUuids(vec![stay.folder.entry_uuid.clone()]),
        filter: ContentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..ContentFilter::default()
        },
    });
    assert_eq!(entries(&site.find(&contents).await).len(), 1);
    assert_eq!(entries(&site.find_all(&contents).await).len(), 2);
}

/// Metadata update 3.57.4.1.3.3.1.5: with AssociationPropagation `no` nothing is carried over.
pub(crate) async fn links_are_left_alone(site: Site) {
    let site = site.with_patients().await;
    let stay = Stay::register(&site, &patient("P1")).await;
    let newest = new_uuid();
    let mut update = alone(new_version(&stay.entry, newest.as_str(), "1"));
    succeeded(&site.update(&update).await);
    let found = links(&site.find(&get_associations([&newest])).await);
    assert_eq!(found.len(), 1, "only the submission set has it: {found:?}");
    update.associations[0].extra.slots[0].values = vec!["perhaps".to_owned()];
    let response = site.update(&update).await;
    let errors = refused(response, &[ErrorCode::MetadataUpdateOperationError]);
    assert!(
        errors[0].context.contains("AssociationPropagation"),
        "{errors:?}"
    );
}

/// Metadata update 3.57.4.1.3.3.1.3: what a new version must have in common with the one before, and
/// how it must be called.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) async fn new_versions_are_judged(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let before = site.find_all(&everything(&p1)).await;
    let judged = |change: fn(&mut Submission)| {
        let mut update = new_version(&stay.entry, "Next", "1");
        change(&mut update);
        update
    };
    for (change, code) in [
        (
            (|it| it.document_entries[0].logical_id = Some(new_uuid())) as fn(&mut Submission),
            ErrorCode::UnresolvedReferenceException,
        ),
        (
            |it| it.document_entries[0].unique_id = new_oid().as_str().into(),
            ErrorCode::MetadataIdentifierError,
        ),
        (
            |it| it.associations[0].previous_version = Some("2".to_owned()),
            ErrorCode::MetadataVersionError,
        ),
        (
            |it| it.associations[0].previous_version = Some("one".to_owned()),
            ErrorCode::MetadataVersionError,
        ),
        (
            |it| it.associations[0].previous_version = None,
            ErrorCode::MetadataUpdateOperationError,
        ),
        (
            |it| it.document_entries[0].logical_id = None,
            ErrorCode::InvalidRequestException,
        ),
        (
            |it| it.document_entries[0].class_code = None,
            ErrorCode::RegistryMetadataError,
        ),
        (
            |it| it.document_entries[0].patient_id = Some(patient("P2")),
            ErrorCode::PatientIdReconciliationError,
        ),
        (
            |it| it.associations.clear(),
            ErrorCode::MetadataUpdateOperationError,
        ),
        (
            |it| it.document_entries.clear(),
            ErrorCode::UnresolvedReferenceException,
        ),
    ] {
        let errors = refused(
            site.update(&judged(change)).await,
            std::slice::from_ref(&code),
        );
        assert!(errors[0].location.is_some(), "{errors:?}");
    }
    let nothing = refused(
        site.update(&empty(&p1)).await,
        &[ErrorCode::MetadataUpdateOperationError],
    );
    assert!(nothing[0].context.contains("SubmissionSet"), "{nothing:?}");
    let mut unknown = judged(|_| {});
    for patient_id in [
        &mut unknown.submission_set.patient_id,
        &mut unknown.document_entries[0].patient_id,
    ] {
        *patient_id = Some(patient("P3"));
    }
    refused(site.update(&unknown).await, &[ErrorCode::UnknownPatientId]);
    assert_eq!(site.find_all(&everything(&p1)).await, before);
    // A second administrator who has not seen the new version is told so.
    succeeded(&site.update(&judged(|_| {})).await);
    let errors = refused(
        site.update(&judged(|_| {})).await,
        &[ErrorCode::MetadataVersionError],
    );
    assert!(
        errors[0].context.contains("newest version is 2"),
        "{errors:?}"
    );
}

/// ITI-42 takes no later versions (metadata update 4.1.5).
pub(crate) async fn registering_takes_no_versions(site: Site) {
    let site = site.with_patients().await;
    let stay = Stay::register(&site, &patient("P1")).await;
    let update = new_version(&stay.entry, "Next", "1");
    site.refuse(&update, &[ErrorCode::RegistryMetadataError])
        .await;
}

/// Metadata update 3.57.4.1.3.3.2: deprecated and approved again.
pub(crate) async fn the_status_of_a_document_entry(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, uuid) = one(&p1);
    site.accept(&submission).await;
    let deprecate = change_status(&p1, &uuid, APPROVED, DEPRECATED);
    succeeded(&site.update(&deprecate).await);
    assert!(site.find(&find_documents(&p1)).await.is_empty());
    let found = entries(&site.find(&with_status(&p1, DEPRECATED)).await);
    assert_eq!(found[0].version.as_deref(), Some("1"));
    let again = change_status(&p1, &uuid, APPROVED, DEPRECATED);
    let errors = refused(site.update(&again).await, &[ErrorCode::MetadataUpdateError]);
    assert_eq!(errors[0].location.as_deref(), Some(uuid.as_str()));
    succeeded(
        &site
            .update(&change_status(&p1, &uuid, DEPRECATED, APPROVED))
            .await,
    );
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 1);
    let stranger = change_status(&p1, &new_uuid(), APPROVED, DEPRECATED);
    let code = ErrorCode::UnresolvedReferenceException;
    refused(site.update(&stranger).await, &[code]);
    let mut garbled = change_status(&p1, &uuid, APPROVED, DEPRECATED);
    garbled.associations[0].extra.slots[1].values = vec!["Deprecated".to_owned()];
    let code = ErrorCode::MetadataUpdateOperationError;
    refused(site.update(&garbled).await, &[code]);
}

/// Metadata update 3.57.4.1.3.3.2: only of the newest version; with a new version in the same update,
/// of that one.
pub(crate) async fn the_status_of_versions(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let mut both = new_version(&stay.entry, "Next", "1");
    add_status(&mut both, &stay.entry.entry_uuid, APPROVED, DEPRECATED);
    succeeded(&site.update(&both).await);
    let versions = entries(&site.find_all(&all_versions(&stay.entry)).await);
    let statuses: Vec<_> = versions
        .iter()
        .map(|it| it.availability_status.unwrap())
        .collect();
    assert_eq!(statuses, [DEPRECATED, DEPRECATED]);
    let old = change_status(&p1, &stay.entry.entry_uuid, DEPRECATED, APPROVED);
    refused(site.update(&old).await, &[ErrorCode::MetadataUpdateError]);
    // A version of what is deprecated is deprecated, too.
    succeeded(&site.update(&new_version(&stay.entry, "Third", "2")).await);
    let found = entries(&site.find(&with_status(&p1, DEPRECATED)).await);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version.as_deref(), Some("3"));
}

/// Metadata update 3.57.4.1.3.3.3 and .4: folders have versions and statuses, and their approved
/// members come along.
pub(crate) async fn versions_and_statuses_of_folders(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let newest = new_uuid();
    let update = new_folder(&stay.folder, newest.as_str(), "1");
    succeeded(&site.update(&update).await);
    let find = StoredQuery::FindFolders(FindFolders {
        patient: p1.clone(),
        statuses: vec![APPROVED, DEPRECATED],
        last_update_time: Default::default(),
        codes: Default::default(),
    });
    let found = site.find(&find).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name.as_ref().unwrap().first(), Some("Renamed"));
    assert_eq!(site.find_all(&find).await.len(), 2);
    let members = links(&site.find(&get_associations([&newest])).await);
    let of_folder = members.iter().filter(|it| it.source == newest);
    let targets: Vec<_> = of_folder.map(|it| &it.target).collect();
    assert_eq!(targets, [&stay.entry.entry_uuid]);
    let versions = StoredQuery::GetFolders(Names::LogicalIds(vec![stay.folder.entry_uuid.clone()]));
    assert_eq!(site.find_all(&versions).await.len(), 2);
    succeeded(
        &site
            .update(&change_status(&p1, &newest, APPROVED, DEPRECATED))
            .await,
    );
    // FindFolders shows it to everybody who asks for its status, and GetFolders to those who know.
    assert_eq!(site.find(&find).await.len(), 1);
    let named = StoredQuery::GetFolders(Names::EntryUuids(vec![newest.clone()]));
    assert!(site.find(&named).await.is_empty());
    assert_eq!(site.find_all(&named).await.len(), 1);
    let code = ErrorCode::MetadataUpdateError;
    let third = new_folder(&stay.folder, "Third", "2");
    refused(site.update(&third).await, &[code]);
}

/// Metadata update 3.57.4.1.3.3.7: a folder and its document get new versions together, which are
/// linked with each other; what they say of their links must be the same.
pub(crate) async fn a_folder_and_its_document(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let mut update = new_folder(&stay.folder, "Newer", "1");
    update.add_document(next(&stay.entry, "Next"));
    update.associations[1].previous_version = Some("1".to_owned());
    let mut different = update.clone();
    let no = Slot::single("AssociationPropagation", "no");
    different.associations[1].extra.slots.push(no);
    let code = ErrorCode::MetadataUpdateError;
    let errors = refused(site.update(&different).await, &[code]);
    assert!(errors[0].context.contains("Newer and Next"), "{errors:?}");
    succeeded(&site.update(&update).await);
    let named = StoredQuery::GetFolders(Names::UniqueIds(vec![stay.folder.unique_id.clone()]));
    let newer = EntryUuid(site.find(&named).await.remove(0).id);
    let found = links(&site.find(&get_associations([&newer])).await);
    let members: Vec<_> = found.iter().filter(|it| it.source == newer).collect();
    assert_eq!(members.len(), 1, "{members:?}");
    let member = site.find(&get_documents([&members[0].target])).await;
    assert_eq!(entries(&member)[0].version.as_deref(), Some("2"));
}

/// Metadata update 3.57.4.1.3.3.5: memberships in folders and relationships have a status, those in
/// submission sets do not.
pub(crate) async fn the_status_of_associations(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let of_document = get_associations([&stay.entry.entry_uuid]);
    let found = links(&site.find(&of_document).await);
    let link = |kind: AssociationType, source: &EntryUuid| {
        let mut found = found.iter();
        let link = found.find(|it| it.association_type == kind && it.source == *source);
        link.unwrap().entry_uuid.clone()
    };
    let member = link(AssociationType::HasMember, &stay.folder.entry_uuid);
    let append = link(AssociationType::Append, &stay.addendum);
    for uuid in [&member, &append] {
        let deprecate = change_status(&p1, uuid, APPROVED, DEPRECATED);
        succeeded(&site.update(&deprecate).await);
    }
    let seen = links(&site.find(&of_document).await);
    assert_eq!(seen.len(), found.len() - 2);
    let deprecated = Visibility {
        level: MetadataLevel::Two,
        association_statuses: vec![DEPRECATED],
    };
    let hidden = links(&site.find_visible(&of_document, &deprecated).await);
    let hidden: Vec<_> = hidden.iter().map(|it| &it.entry_uuid).collect();
    assert!(
        hidden.contains(&&member) && hidden.contains(&&append),
        "{hidden:?}"
    );
    assert_eq!(hidden.len(), 2);
    let original = found
        .iter()
        .find(|it| it.submission_set_status == Some(SubmissionSetStatus::Original));
    let original = original.unwrap().entry_uuid.clone();
    let refusal = change_status(&p1, &original, APPROVED, DEPRECATED);
    refused(
        site.update(&refusal).await,
        &[ErrorCode::MetadataUpdateError],
    );
    // What was taken out of the folder is not carried over to the next version.
    let newest = new_uuid();
    let update = new_version(&stay.entry, newest.as_str(), "1");
    succeeded(&site.update(&update).await);
    let found = links(&site.find(&get_associations([&newest])).await);
    assert_eq!(found.len(), 1);
}

/// Metadata update 3.57.4.1.3.3.6: an association between registered objects.
pub(crate) async fn associations_are_submitted(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let stay = Stay::register(&site, &p1).await;
    let (submission, other) = one(&p1);
    site.accept(&submission).await;
    let mut update = empty(&p1);
    let (folder, has_member) = (&stay.folder.entry_uuid, AssociationType::HasMember);
    bring(&mut update, has_member.clone(), folder, &other);
    bring(
        &mut update,
        AssociationType::Transform,
        &other,
        &stay.entry.entry_uuid,
    );
    succeeded(&site.update(&update).await);
    let found = links(&site.find(&get_associations([&other])).await);
    assert_eq!(found.len(), 3, "{found:?}");
    let mut missing = empty(&p1);
    bring(&mut missing, has_member.clone(), folder, &new_uuid());
    let code = ErrorCode::UnresolvedReferenceException;
    refused(site.update(&missing).await, &[code]);
    let mut odd = empty(&p1);
    bring(&mut odd, AssociationType::Append, folder, &other);
    refused(site.update(&odd).await, &[ErrorCode::RegistryMetadataError]);
    let (submission, strange) = one(&p2);
    site.accept(&submission).await;
    let mut mixed = empty(&p1);
    bring(&mut mixed, has_member.clone(), folder, &strange);
    let code = ErrorCode::PatientIdReconciliationError;
    refused(site.update(&mixed).await, &[code]);
    succeeded(
        &site
            .update(&change_status(&p1, &other, APPROVED, DEPRECATED))
            .await,
    );
    let mut deprecated = empty(&p1);
    bring(
        &mut deprecated,
        AssociationType::Signs,
        &stay.addendum,
        &other,
    );
    let code = ErrorCode::RegistryDeprecatedDocumentError;
    refused(site.update(&deprecated).await, &[code]);
    let mut unasked = empty(&p1);
    bring(&mut unasked, has_member, folder, &stay.addendum);
    unasked.associations.pop();
    let code = ErrorCode::MetadataUpdateOperationError;
    refused(site.update(&unasked).await, &[code]);
}

/// Metadata update 3.57.4.1.3.3.7: a document moves to another patient without its links.
pub(crate) async fn a_document_moves_to_another_patient(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let stay = Stay::register(&site, &p1).await;
    let moved = DocumentEntry {
        patient_id: Some(p2.clone()),
        ..stay.entry.clone()
    };
    let with_links = new_version(&moved, "Next", "1");
    let errors = refused(
        site.update(&with_links).await,
        &[
            ErrorCode::PatientIdReconciliationError,
            ErrorCode::PatientIdReconciliationError,
        ],
    );
    assert!(!errors[0].context.contains("P1^"), "{errors:?}");
    succeeded(&site.update(&alone(with_links)).await);
    assert_eq!(entries(&site.find(&find_documents(&p2)).await).len(), 1);
    let left = entries(&site.find(&find_documents(&p1)).await);
    assert_eq!(left.len(), 1, "the addendum");
    let both = all_versions(&stay.entry);
    assert_eq!(site.find(&both).await.len(), 1);
    // And back again, from there.
    let back = new_version(&stay.entry, "Back", "2");
    succeeded(&site.update(&alone(back)).await);
    assert!(site.find(&find_documents(&p2)).await.is_empty());
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 2);
}

/// Metadata update 3.18.4.1.2.3.5.1: what is offline is hidden from those who know nothing of it.
pub(crate) async fn documents_that_are_offline(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut submission, uuid) = one(&p1);
    submission.document_entries[0].document_availability = Some(DocumentAvailability::Offline);
    site.accept(&submission).await;
    assert!(site.find(&find_documents(&p1)).await.is_empty());
    assert!(site.find(&get_documents([&uuid])).await.is_empty());
    let with = |availability| {
        StoredQuery::FindDocuments(FindDocuments {
            patient: p1.clone(),
            statuses: vec![APPROVED],
            filter: DocumentFilter {
                entry_types: vec![DocumentEntryType::Stable],
                availabilities: vec![availability],
                ..DocumentFilter::default()
            },
        })
    };
    let offline = site.find_all(&with(DocumentAvailability::Offline)).await;
    assert_eq!(offline.len(), 1);
    let online = with(DocumentAvailability::Online);
    assert!(site.find_all(&online).await.is_empty());
    let entry = entries(&offline).remove(0);
    let mut update = new_version(&entry, "Next", "1");
    update.document_entries[0].document_availability = Some(DocumentAvailability::Online);
    succeeded(&site.update(&update).await);
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 1);
    assert_eq!(site.find_all(&online).await.len(), 1);
}

/// Two administrators update one document at the same time: one of them is told that the other was
/// faster, and there is one newest version.
pub(crate) async fn a_race_for_one_version(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, _) = one(&p1);
    site.accept(&submission).await;
    let entry = &submission.document_entries[0];
    for round in 1..=5 {
        let previous = round.to_string();
        let updates: Vec<_> = (0..4)
            .map(|_| new_version(entry, "Next", &previous))
            .collect();
        let (a, b, c, d) = tokio::join!(
            site.update(&updates[0]),
            site.update(&updates[1]),
            site.update(&updates[2]),
            site.update(&updates[3]),
        );
        let codes: Vec<String> = [a, b, c, d]
            .iter()
            .flat_map(|it| it.errors.iter().map(|it| it.code.to_string()))
            .collect();
        assert_eq!(codes, ["XDSMetadataVersionError"; 3]);
        assert_eq!(site.find(&find_documents(&p1)).await.len(), 1);
        let versions = site.find_all(&all_versions(entry)).await;
        assert_eq!(versions.len(), round + 1);
    }
}

/// Everything of a patient, of whatever status.
pub(crate) fn everything(of: &PatientId) -> StoredQuery {
    StoredQuery::GetAll(GetAll {
        patient: of.clone(),
        document_entry_statuses: vec![APPROVED, DEPRECATED],
        submission_set_statuses: vec![APPROVED],
        folder_statuses: vec![APPROVED, DEPRECATED],
        filter: ContentFilter {
            entry_types: vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand],
            ..ContentFilter::default()
        },
    })
}
