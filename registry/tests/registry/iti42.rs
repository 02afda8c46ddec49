//! ITI-42: what is registered, and what is refused with which code.

use hilum_registry::{ExtraMetadata, RegistryConfig};
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{APPROVED, DEPRECATED, ResponseStatus, Severity};
use xds_schemas::ebrim::{RegistryObject, Slot};
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, EntryUuid, PatientId, Submission,
    SubmissionSetStatus, UniqueId,
};

use crate::iti18::{find_documents, get_all, get_associations, get_documents};
use crate::iti57::new_version;
use crate::site::{Site, accepting};
use crate::words::{code, document, empty, folder, new_oid, new_uuid, one, patient, replacement};

pub(crate) async fn a_submission_is_registered_and_found(site: Site) {
    let site = site.with_patients().await;
    let (submission, uuid) = one(&patient("P1"));
    site.accept(&submission).await;
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, uuid.as_str());
    assert_eq!(found[0].lid.as_deref(), Some(uuid.as_str()));
    assert_eq!(found[0].version.as_deref(), Some("1"));
    assert_eq!(found[0].home.as_deref(), Some("urn:oid:1.2.3"));
    assert_eq!(found[0].status.as_deref(), Some(APPROVED));
    let mut read = DocumentEntry::from_ebrim(&found[0]).unwrap();
    let sent = &submission.document_entries[0];
    // All else comes back as it was sent.
    read.availability_status = None;
    read.logical_id = None;
    read.version = None;
    read.home_community_id = None;
    assert_eq!(read.to_ebrim(), sent.to_ebrim());
}

/// ITI TF-2 3.42.4.1.3.
pub(crate) async fn everything_is_there_when_the_registry_is_opened_again(site: Site) {
    let site = site.with_patients().await;
    let (submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
    let before = site.find(&get_all(&patient("P1"))).await;
    assert_eq!(before.len(), 3);
    let site = site.configured(|_| {});
    assert_eq!(site.find(&get_all(&patient("P1"))).await, before);
}

/// ITI TF-2 3.42.4.1.3.7.
pub(crate) async fn names_become_uuids(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let mut submission = empty(&p1);
    submission.add_document(document(&p1, "Document"));
    submission.add_folder(folder(&p1, "Folder"));
    submission.put_into_folder("Folder".into(), "Document".into());
    site.accept(&submission).await;
    let all = site.find(&get_all(&p1)).await;
    assert_eq!(all.len(), 7);
    assert!(all.iter().all(|it| it.id.starts_with("urn:uuid:")));
    let ids: Vec<&str> = all.iter().map(|it| it.id.as_str()).collect();
    for association in all.iter().filter_map(|it| Association::from_ebrim(it).ok()) {
        assert!(ids.contains(&association.source.as_str()));
        assert!(ids.contains(&association.target.as_str()));
    }
}

/// ITI TF-2 3.42.4.1.3.2.
pub(crate) async fn extra_metadata_comes_back(site: Site) {
    let site = site.with_patients().await;
    let mut submission = empty(&patient("P1"));
    let mut entry = document(&patient("P1"), "Document");
    let slot = Slot {
        name: "urn:example:dose".to_owned(),
        slot_type: None,
        values: vec!["1 < 2 & \"3\"".to_owned(), "  4 ".to_owned()],
    };
    entry.extra.slots.push(slot.clone());
    submission.add_document(entry);
    site.accept(&submission).await;
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert_eq!(found[0].slot("urn:example:dose"), Some(&slot));
}

/// ITI TF-2 3.42.4.1.3, ITI TF-3 Table 4.2.4.1-2: a registry that does not keep extra metadata
/// accepts the submission and names what it dropped.
pub(crate) async fn extra_metadata_may_be_dropped(site: Site) {
    let drop = |config: &mut RegistryConfig| config.extra_metadata = ExtraMetadata::Drop;
    let site = site.with_patients().await.configured(drop);
    let slot = |name: &str| Slot::single(name, "1");
    let mut submission = empty(&patient("P1"));
    let mut entry = document(&patient("P1"), "Document");
    entry.extra.slots.push(slot("urn:example:dose"));
    entry.extra.slots.push(slot("urn:example:ward"));
    submission.add_document(entry);
    submission
        .submission_set
        .extra
        .slots
        .push(slot("urn:example:ward"));
    let response = site.submit(&submission).await;
    assert_eq!(response.status, ResponseStatus::Success);
    let [warning] = response.errors.as_slice() else {
        panic!("{response:?}");
    };
    assert_eq!(warning.code, ErrorCode::ExtraMetadataNotSaved);
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(
        warning.context,
        "not kept here: urn:example:dose, urn:example:ward"
    );
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert!(
        found[0]
            .slots
            .iter()
            .all(|slot| !slot.name.starts_with("urn:example:"))
    );
    // What is not dropped is not spoken of.
    let (plain, uuid) = one(&patient("P1"));
    assert_eq!(site.submit(&plain).await.errors, []);
    // Updates are no way around it, and what steers them is no extra metadata.
    let mut update = new_version(&plain.document_entries[0], new_uuid().as_str(), "1");
    let extra = &mut update.document_entries[0].extra;
    extra.slots.push(slot("urn:example:dose"));
    let slots = &mut update.associations[0].extra.slots;
    slots.push(Slot::single("AssociationPropagation", "no"));
    let response = site.update(&update).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(
        response.errors[0].context,
        "not kept here: urn:example:dose"
    );
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert!(found.iter().all(|it| it.id != uuid.as_str()));
    let mut names = found.iter().flat_map(|it| &it.slots).map(|slot| &slot.name);
    assert!(names.all(|name| !name.starts_with("urn:example:")));
}

/// ITI TF-3 4.2.3.1.6: names of extra slots are URNs, and those of IHE are for IHE to define.
pub(crate) async fn slots_that_nobody_may_name_are_refused(site: Site) {
    let drop = |config: &mut RegistryConfig| config.extra_metadata = ExtraMetadata::Drop;
    let site = site.with_patients().await;
    let refused = [ErrorCode::RegistryMetadataError];
    let mut submissions = Vec::new();
    for name in [
        "dose",
        "urn:ihe:iti:xds:2099:notDefined",
        "urn:",
        "http://example.org/x",
    ] {
        let mut submission = empty(&patient("P1"));
        let mut entry = document(&patient("P1"), "Document");
        entry.extra.slots.push(Slot::single(name, "1"));
        submission.add_document(entry);
        site.refuse(&submission, &refused).await;
        submissions.push(submission);
        let mut submission = empty(&patient("P1"));
        let extra = &mut submission.submission_set.extra;
        extra.slots.push(Slot::single(name, "1"));
        site.refuse(&submission, &refused).await;
    }
    // To drop what is not kept is no reason to let through what is wrong.
    let site = site.configured(drop);
    for submission in &submissions {
        site.refuse(submission, &refused).await;
    }
}

/// ITI TF-2 3.42.4.1.3.3.2.
pub(crate) async fn an_unknown_patient_is_refused(site: Site) {
    let site = site.with_patients().await;
    let stranger = patient("P3");
    let (submission, _) = one(&stranger);
    let errors = site
        .refuse(&submission, &[ErrorCode::UnknownPatientId])
        .await;
    assert!(
        errors[0].context.contains("P3^^^&1.2.3.9&ISO"),
        "{errors:?}"
    );
    let site = site.configured(accepting);
    site.accept(&submission).await;
    assert_eq!(site.find(&find_documents(&stranger)).await.len(), 1);
}

/// ITI TF-2 3.42.4.1.3.3.7.
pub(crate) async fn unique_ids_of_sets_and_folders_are_new(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let mut first = empty(&p1);
    first.add_document(document(&p1, "Document"));
    first.add_folder(folder(&p1, "Folder"));
    site.accept(&first).await;
    let taken = [
        &first.submission_set.unique_id,
        &first.document_entries[0].unique_id,
        &first.folders[0].unique_id,
    ];
    for unique_id in taken {
        let mut second = empty(&p2);
        second.submission_set.unique_id = unique_id.clone();
        let errors = site
            .refuse(&second, &[ErrorCode::DuplicateUniqueIdInRegistry])
            .await;
        assert!(errors[0].context.contains("SubmissionSet"), "{errors:?}");
        assert!(errors[0].context.contains(unique_id.as_str()), "{errors:?}");
        let mut third = empty(&p2);
        third.add_folder(folder(&p2, "Folder"));
        third.folders[0].unique_id = unique_id.clone();
        let errors = site
            .refuse(&third, &[ErrorCode::DuplicateUniqueIdInRegistry])
            .await;
        assert!(errors[0].context.contains("Folder"), "{errors:?}");
    }
}

/// ITI TF-3 4.2.2.2, 4.2.3.1.7; ITI TF-2 3.42.4.1.3.3.1.
pub(crate) async fn the_same_document_may_be_registered_again(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let (first, _) = one(&p1);
    site.accept(&first).await;
    let again = |change: fn(&mut DocumentEntry)| {
        let (mut submission, _) = one(&p2);
        let entry = &mut submission.document_entries[0];
        entry.unique_id = first.document_entries[0].unique_id.clone();
        entry.hash = Some("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".to_owned());
        change(entry);
        submission
    };
    site.accept(&again(|_| {})).await;
    site.accept(&again(|_| {})).await;
    let other_hash = |it: &mut DocumentEntry| it.hash = Some("0".repeat(40));
    let errors = site
        .refuse(&again(other_hash), &[ErrorCode::NonIdenticalHash])
        .await;
    let unique_id = first.document_entries[0].unique_id.clone();
    assert!(errors[0].context.contains(unique_id.as_str()), "{errors:?}");
    site.refuse(
        &again(|it| it.size = Some(1)),
        &[ErrorCode::NonIdenticalSize],
    )
    .await;
    let both = |it: &mut DocumentEntry| {
        it.size = Some(1);
        it.hash = Some("0".repeat(40));
    };
    let codes = [ErrorCode::NonIdenticalHash, ErrorCode::NonIdenticalSize];
    site.refuse(&again(both), &codes).await;
    let by_unique_id = StoredQuery::GetDocuments(Names::UniqueIds(vec![unique_id]));
    let references = site
        .ask(&by_unique_id, xds_schemas::ebrs::ReturnType::ObjectRef)
        .await;
    assert_eq!(references.objects.len(), 3);
    assert_eq!(
        site.query(&by_unique_id).await.errors[0].code,
        ErrorCode::ResultNotSinglePatient
    );
}

/// ITI TF-2 3.42.4.1.3.7.
pub(crate) async fn entry_uuids_are_given_once(site: Site) {
    let site = site.with_patients().await;
    let (first, uuid) = one(&patient("P1"));
    site.accept(&first).await;
    let mut second = empty(&patient("P2"));
    second.add_document(document(&patient("P2"), uuid.as_str()));
    site.refuse(&second, &[ErrorCode::RegistryMetadataError])
        .await;
}

/// ITI TF-2 3.42.4.1.3.
pub(crate) async fn everything_that_is_wrong_is_said_at_once(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut first, uuid) = one(&p1);
    first.add_folder(folder(&p1, "Folder"));
    site.accept(&first).await;
    let before = site.find(&get_all(&p1)).await;
    let stranger = patient("P3");
    let mut second = empty(&stranger);
    second.submission_set.unique_id = first.submission_set.unique_id.clone();
    let mut entry = document(&stranger, uuid.as_str());
    entry.unique_id = first.document_entries[0].unique_id.clone();
    entry.size = Some(7);
    second.add_document(entry);
    second.add_folder(folder(&stranger, "Folder"));
    second.folders[0].unique_id = first.folders[0].unique_id.clone();
    second.relate(uuid, AssociationType::Append, new_uuid());
    let codes = [
        ErrorCode::UnknownPatientId,
        ErrorCode::RegistryMetadataError,
        ErrorCode::DuplicateUniqueIdInRegistry,
        ErrorCode::NonIdenticalSize,
        ErrorCode::DuplicateUniqueIdInRegistry,
        ErrorCode::UnresolvedReferenceException,
    ];
    site.refuse(&second, &codes).await;
    assert_eq!(site.find(&get_all(&p1)).await, before);
}

/// ITI TF-3 4.2.4.2; ITI TF-2 3.42.4.1.3, 3.42.4.1.3.1.
pub(crate) async fn nothing_stays_of_what_is_refused(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (first, old) = one(&p1);
    site.accept(&first).await;
    let before = site.find(&get_all(&p1)).await;
    // Everything in it is right except for the last association.
    let mut submission = replacement(&p1, &old);
    submission.add_folder(folder(&p1, "Folder"));
    let document = submission.document_entries[0].entry_uuid.clone();
    let nowhere = new_uuid();
    submission.relate(document, AssociationType::Append, nowhere);
    site.refuse(&submission, &[ErrorCode::UnresolvedReferenceException])
        .await;
    assert_eq!(site.find(&get_all(&p1)).await, before);
    // Neither the ids nor the document were touched.
    submission.associations.pop();
    site.accept(&submission).await;
}

/// ITI TF-2 3.42.4.1.3.3.3.
pub(crate) async fn codes_of_other_domains_are_refused(site: Site) {
    let site = site.with_patients().await;
    let codes = r#"<Codes><CodeType name="typeCode" classScheme="urn:uuid:f0306f51-975f-434e-a61c-c59651d33983">
        <Code code="type" display="Type" codingScheme="1.2.3.8"/></CodeType></Codes>"#;
    let site = site.configured(|config| {
        config.affinity_codes = Some(AffinityCodes::parse(codes).unwrap());
    });
    let (mut submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
    submission.document_entries[0].type_code = Some(code("other"));
    submission.document_entries[0].entry_uuid = EntryUuid::from("Document");
    submission.associations[0].target = EntryUuid::from("Document");
    // The set's uniqueId is taken as well, and both are said.
    let codes = [
        ErrorCode::RegistryMetadataError,
        ErrorCode::DuplicateUniqueIdInRegistry,
    ];
    site.refuse(&submission, &codes).await;
    // So is what is wrong with the message itself.
    submission.document_entries[0].language_code = None;
    let codes = [
        ErrorCode::RegistryMetadataError,
        ErrorCode::RegistryMetadataError,
    ];
    site.refuse(&submission, &codes).await;
}

fn by_id<'o>(objects: &'o [RegistryObject], uuid: &EntryUuid) -> &'o RegistryObject {
    objects.iter().find(|it| it.id == uuid.as_str()).unwrap()
}

/// A new document of P1 that relates to another in this way.
async fn related(site: &Site, how: AssociationType, to: &EntryUuid) -> EntryUuid {
    let (mut submission, uuid) = one(&patient("P1"));
    submission.relate(uuid.clone(), how, to.clone());
    site.accept(&submission).await;
    uuid
}

/// ITI TF-3 4.2.2.2.3, 4.2.2.2.4, 4.2.2.2.5; ITI TF-2 3.42.4.1.3.5.
pub(crate) async fn a_replaced_document_is_deprecated_with_what_hangs_on_it(site: Site) {
    let site = site.with_patients().await;
    for how in [
        AssociationType::Replace,
        AssociationType::TransformAndReplace,
    ] {
        let (first, parent) = one(&patient("P1"));
        site.accept(&first).await;
        let addendum = related(&site, AssociationType::Append, &parent).await;
        let transformation = related(&site, AssociationType::Transform, &parent).await;
        let of_addendum = related(&site, AssociationType::Transform, &addendum).await;
        let signature = related(&site, AssociationType::Signs, &parent).await;
        let all = [
            &parent,
            &addendum,
            &transformation,
            &of_addendum,
            &signature,
        ];
        let query = get_documents(all);
        let found = site.find(&query).await;
        assert!(
            found
                .iter()
                .all(|it| it.status.as_deref() == Some(APPROVED))
        );
        let new = related(&site, how, &parent).await;
        let found = site.find(&query).await;
        for uuid in [&parent, &addendum, &transformation, &of_addendum] {
            assert_eq!(by_id(&found, uuid).status.as_deref(), Some(DEPRECATED));
        }
        assert_eq!(by_id(&found, &signature).status.as_deref(), Some(APPROVED));
        let approved = site.find(&find_documents(&patient("P1"))).await;
        assert!(approved.iter().any(|it| it.id == new.as_str()));
        assert!(approved.iter().all(|it| it.id != parent.as_str()));
    }
}

/// ITI TF-3 4.2.2; ITI TF-2 3.42.4.1.3.4, 3.42.4.1.3.5.
pub(crate) async fn deprecated_documents_are_not_referred_to(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut first, old) = one(&p1);
    first.add_folder(folder(&p1, new_uuid().as_str()));
    let folder = first.folders[0].entry_uuid.clone();
    site.accept(&first).await;
    site.accept(&replacement(&p1, &old)).await;
    let refused = [ErrorCode::RegistryDeprecatedDocumentError];
    for how in [
        AssociationType::Replace,
        AssociationType::TransformAndReplace,
        AssociationType::Append,
        AssociationType::Transform,
        AssociationType::Signs,
    ] {
        let (mut submission, uuid) = one(&p1);
        submission.relate(uuid, how, old.clone());
        site.refuse(&submission, &refused).await;
    }
    let mut by_reference = empty(&p1);
    let status = SubmissionSetStatus::Reference;
    by_reference
        .associations
        .push(Association::member("Set", old.clone(), status));
    site.refuse(&by_reference, &refused).await;
    let mut into_folder = empty(&p1);
    into_folder.put_into_folder(folder, old);
    site.refuse(&into_folder, &refused).await;
}

/// ITI TF-3 4.2.2.2.3; ITI TF-2 3.42.4.1.3.5.
pub(crate) async fn a_replacement_goes_into_the_folders_of_what_it_replaces(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut first, old) = one(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    first.put_into_folder(holder.clone(), old.clone());
    site.accept(&first).await;
    let get_folder = StoredQuery::GetFolders(Names::EntryUuids(vec![holder.clone()]));
    let update_time =
        |objects: &[RegistryObject]| objects[0].slot("lastUpdateTime").unwrap().values[0].clone();
    let before = update_time(&site.find(&get_folder).await);
    assert_eq!(before.len(), 14);
    // lastUpdateTime counts seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let second = replacement(&p1, &old);
    let new = second.document_entries[0].entry_uuid.clone();
    site.accept(&second).await;
    assert!(update_time(&site.find(&get_folder).await) > before);

    let associations = site.find(&get_associations([&holder])).await;
    let links: Vec<Association> = associations
        .iter()
        .map(|it| Association::from_ebrim(it).unwrap())
        .collect();
    let members: Vec<&EntryUuid> = links
        .iter()
        .filter(|it| it.source == holder)
        .map(|it| &it.target)
        .collect();
    assert_eq!(members, [&old, &new]);
    let carried = links.iter().find(|it| it.target == new).unwrap();
    let of_carried = site.find(&get_associations([&carried.entry_uuid])).await;
    assert_eq!(of_carried.len(), 1);
    let of_carried = Association::from_ebrim(&of_carried[0]).unwrap();
    assert_eq!(of_carried.association_type, AssociationType::HasMember);
    let sets = site.find(&StoredQuery::GetSubmissionSets(vec![new])).await;
    assert_eq!(sets[0].id, of_carried.source.as_str());
    assert!(sets[0].id != first.submission_set.entry_uuid.as_str());
}

/// ITI TF-2 3.42.4.1.3.5.
pub(crate) async fn a_replacement_is_put_into_a_folder_once(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut first, old) = one(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    first.put_into_folder(holder.clone(), old.clone());
    site.accept(&first).await;
    let mut second = replacement(&p1, &old);
    let new = second.document_entries[0].entry_uuid.clone();
    second.put_into_folder(holder.clone(), new.clone());
    site.accept(&second).await;
    let associations = site.find(&get_associations([&holder])).await;
    let to_new = associations
        .iter()
        .map(|it| Association::from_ebrim(it).unwrap());
    assert_eq!(to_new.filter(|it| it.target == new).count(), 1);
}

/// ITI TF-2 3.42.4.1.2.
pub(crate) async fn references_must_be_registered(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let refused = [ErrorCode::UnresolvedReferenceException];
    for how in [
        AssociationType::Replace,
        AssociationType::Append,
        AssociationType::Signs,
    ] {
        let (mut submission, uuid) = one(&p1);
        submission.relate(uuid, how, new_uuid());
        site.refuse(&submission, &refused).await;
    }
    let mut by_reference = empty(&p1);
    let status = SubmissionSetStatus::Reference;
    by_reference
        .associations
        .push(Association::member("Set", new_uuid(), status));
    site.refuse(&by_reference, &refused).await;
    let (mut submission, uuid) = one(&p1);
    submission.put_into_folder(new_uuid(), uuid);
    site.refuse(&submission, &refused).await;
}

/// A registered document of a patient.
async fn registered(site: &Site, of: &PatientId) -> EntryUuid {
    let (submission, uuid) = one(of);
    site.accept(&submission).await;
    uuid
}

/// ITI TF-3 4.2.2.1.3; ITI TF-2 3.42.4.1.3.3.2, 3.42.4.1.3.5.
pub(crate) async fn patients_do_not_mix(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let other = registered(&site, &p2).await;
    let mut first = empty(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    site.accept(&first).await;
    let refused = [ErrorCode::PatientIdDoesNotMatch];
    for how in [
        AssociationType::Replace,
        AssociationType::Append,
        AssociationType::Transform,
    ] {
        let (mut submission, uuid) = one(&p1);
        submission.relate(uuid, how, other.clone());
        site.refuse(&submission, &refused).await;
    }
    let mut into_folder = empty(&p1);
    into_folder.put_into_folder(holder.clone(), other.clone());
    site.refuse(&into_folder, &refused).await;
    let (mut into_folder, uuid) = one(&p2);
    into_folder.put_into_folder(holder, uuid);
    site.refuse(&into_folder, &refused).await;
}

/// ITI TF-3 4.2.2.1.1.
pub(crate) async fn another_patients_document_may_be_referred_to(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let other = registered(&site, &p2).await;
    let mut by_reference = empty(&p1);
    let status = SubmissionSetStatus::Reference;
    by_reference
        .associations
        .push(Association::member("Set", other.clone(), status));
    site.accept(&by_reference).await;
    // It is found from both sides.
    assert_eq!(site.find(&get_associations([&other])).await.len(), 2);
    let sets = StoredQuery::GetSubmissionSets(vec![other.clone()]);
    let references = site
        .ask(&sets, xds_schemas::ebrs::ReturnType::ObjectRef)
        .await;
    assert_eq!(references.objects.len(), 4);
    assert_eq!(
        site.query(&sets).await.errors[0].code,
        ErrorCode::ResultNotSinglePatient
    );
    let mine = site.find(&get_all(&p1)).await;
    assert_eq!(mine.len(), 2);
    // And the document stays what it was.
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 0);
    let wrong = Association::member("Set", other, SubmissionSetStatus::Original);
    let mut original = empty(&p1);
    original.associations.push(wrong);
    site.refuse(&original, &[ErrorCode::RegistryMetadataError])
        .await;
}

/// ITI TF-3 4.2.2.1.5, 4.2.2.2.1, 4.2.2.2.6; ITI TF-2 3.42.4.1.3.5.
pub(crate) async fn submission_sets_and_folders_hold_what_they_may(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let mut first = empty(&p1);
    let (set, holder) = (new_uuid(), new_uuid());
    first.submission_set.entry_uuid = set.clone();
    first.add_folder(folder(&p1, holder.as_str()));
    site.accept(&first).await;
    let refused = [ErrorCode::RegistryMetadataError];
    // A set gets no members after its submission.
    let (mut submission, uuid) = one(&p1);
    submission.put_into_folder(set.clone(), uuid);
    site.refuse(&submission, &refused).await;
    // A registered folder may be named without a status, a registered document may not.
    let mut submission = empty(&p1);
    let has_member =
        |member: &EntryUuid| Association::new(AssociationType::HasMember, "Set", member.as_str());
    submission.associations.push(has_member(&holder));
    site.accept(&submission).await;
    let mut submission = empty(&p1);
    let document = registered(&site, &p1).await;
    submission.associations.push(has_member(&document));
    site.refuse(&submission, &refused).await;
    // Folders do not nest.
    let mut submission = empty(&p1);
    submission.put_into_folder(holder.clone(), holder.clone());
    site.refuse(&submission, &refused).await;
    // Snapshots are of on-demand documents.
    let stable = registered(&site, &p1).await;
    let (mut submission, uuid) = one(&p1);
    submission.relate(uuid, AssociationType::IsSnapshotOf, stable.clone());
    site.refuse(&submission, &refused).await;
    // Nothing is appended to a transformation.
    let transformation = related(&site, AssociationType::Transform, &stable).await;
    let (mut submission, uuid) = one(&p1);
    submission.relate(uuid, AssociationType::Append, transformation);
    site.refuse(&submission, &refused).await;
}

/// ITI TF-3 4.2.2.1.4.
pub(crate) async fn documents_go_into_folders_later(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let document = registered(&site, &p1).await;
    let mut first = empty(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    site.accept(&first).await;
    let mut second = empty(&p1);
    second.put_into_folder(holder.clone(), document.clone());
    site.accept(&second).await;
    let holders = StoredQuery::GetFoldersForDocument(Names::EntryUuids(vec![document]));
    assert_eq!(site.find(&holders).await[0].id, holder.as_str());
}

pub(crate) async fn many_submissions_at_a_time(site: Site) {
    let site = std::sync::Arc::new(site.with_patients().await);
    let mut tasks = Vec::new();
    for at in 0..64 {
        let site = std::sync::Arc::clone(&site);
        tasks.push(tokio::spawn(async move {
            let of = patient(if at % 2 == 0 { "P1" } else { "P2" });
            let (submission, uuid) = one(&of);
            site.accept(&submission).await;
            // What was answered is there.
            assert_eq!(site.find(&get_documents([&uuid])).await.len(), 1);
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for of in [patient("P1"), patient("P2")] {
        assert_eq!(site.find(&find_documents(&of)).await.len(), 32);
    }
}

/// Whoever is first gets it; there is no moment at which two do.
/// ITI TF-2 3.42.4.1.3.3.7.
pub(crate) async fn a_race_for_one_unique_id(site: Site) {
    let site = std::sync::Arc::new(site.with_patients().await);
    let unique_id = UniqueId(new_oid());
    let race = |change: fn(&mut Submission, &UniqueId)| {
        let mut tasks = Vec::new();
        for at in 0..16 {
            let (site, unique_id) = (std::sync::Arc::clone(&site), unique_id.clone());
            tasks.push(tokio::spawn(async move {
                let of = patient(if at % 2 == 0 { "P1" } else { "P2" });
                let (mut submission, _) = one(&of);
                change(&mut submission, &unique_id);
                submission.document_entries[0].hash = Some(format!("{at:040x}"));
                site.submit(&submission).await.errors
            }));
        }
        tasks
    };
    let sets = race(|submission, unique_id| {
        submission.submission_set.unique_id = unique_id.clone();
    });
    let mut accepted = 0;
    for task in sets {
        match task.await.unwrap().as_slice() {
            [] => accepted += 1,
            [error] => assert_eq!(error.code, ErrorCode::DuplicateUniqueIdInRegistry),
            errors => panic!("{errors:?}"),
        }
    }
    assert_eq!(accepted, 1);
    let documents = race(|submission, unique_id| {
        submission.document_entries[0].unique_id = UniqueId(format!("{unique_id}.1"));
    });
    let mut accepted = 0;
    for task in documents {
        match task.await.unwrap().as_slice() {
            [] => accepted += 1,
            [error] => assert_eq!(error.code, ErrorCode::NonIdenticalHash),
            errors => panic!("{errors:?}"),
        }
    }
    assert_eq!(accepted, 1);
}
