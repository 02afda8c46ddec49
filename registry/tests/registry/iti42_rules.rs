//! ITI-42, rule by rule: what the registry fills in, keeps, changes and refuses, each with the
//! sentence of the framework that wants it. What the message alone can tell is proven beside its
//! reader in `xds-schemas`.

use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{APPROVED, AvailabilityStatus, DEPRECATED};
use xds_schemas::ebrim::{self, Body, RegistryObject, Slot};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};
use xds_schemas::metadata::{
    Association, AssociationType, Code, DocumentEntryType, EntryUuid, Submission,
};

use crate::iti18::{find_documents, get_all, get_associations, get_documents};
use crate::site::Site;
use crate::words::{code, document, empty, folder, new_uuid, one, patient, replacement};

/// A document in a folder, and an addendum to it.
fn varied() -> Submission {
    let p1 = patient("P1");
    let mut submission = empty(&p1);
    submission.add_document(document(&p1, "Document"));
    submission.add_document(document(&p1, "Addendum"));
    submission.add_folder(folder(&p1, "Folder"));
    submission.put_into_folder("Folder".into(), "Document".into());
    submission.relate(
        "Addendum".into(),
        AssociationType::Append,
        "Document".into(),
    );
    submission
}

/// ITI TF-3 4.2.1.2, 4.2.1.3, 4.2.2 and 4.2.3.1.2: objectType is optional in a submission and
/// required in an answer, as are the status of everything and the container's id in each of its
/// parts. 4.3.1: limitedMetadata is not returned.
pub(crate) async fn answers_say_everything(site: Site) {
    let site = site.with_patients().await;
    let mut objects = varied().to_ebrim();
    for object in &mut objects.objects {
        if !matches!(object.body, Body::ExtrinsicObject { .. }) {
            object.object_type = None;
        }
        object
            .classifications
            .iter_mut()
            .for_each(|it| it.object_type = None);
        object
            .external_identifiers
            .iter_mut()
            .for_each(|it| it.object_type = None);
    }
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects,
    };
    assert_eq!(site.send(&request).await.unwrap().errors, []);
    let found = site.find(&get_all(&patient("P1"))).await;
    // The set, two documents, the folder; five memberships, the folder's, the addendum.
    assert_eq!(found.len(), 10);
    for object in &found {
        let expected = match object.body {
            Body::ExtrinsicObject { .. } => "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1",
            Body::RegistryPackage => ebrim::REGISTRY_PACKAGE,
            Body::Association { .. } => ebrim::ASSOCIATION,
            Body::ObjectRef => panic!("a whole object was asked for"),
        };
        assert_eq!(object.object_type.as_deref(), Some(expected));
        assert_eq!(object.status.as_deref(), Some(APPROVED), "{object:?}");
        for part in &object.classifications {
            assert_eq!(part.object_type.as_deref(), Some(ebrim::CLASSIFICATION));
            assert_eq!(part.classified_object, object.id);
            assert_ne!(
                part.node.as_deref(),
                Some("urn:uuid:ab9b591b-83ab-4d03-8f5d-f93b1fb92e85")
            );
        }
        for part in &object.external_identifiers {
            assert_eq!(
                part.object_type.as_deref(),
                Some(ebrim::EXTERNAL_IDENTIFIER)
            );
            assert_eq!(part.registry_object, object.id);
        }
    }
}

/// ITI TF-3 4.2.1.4: a list of objects has no order.
pub(crate) async fn the_order_of_objects_means_nothing(site: Site) {
    let site = site.with_patients().await;
    let mut objects = varied().to_ebrim();
    objects.objects.reverse();
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects,
    };
    assert_eq!(site.send(&request).await.unwrap().errors, []);
    assert_eq!(site.find(&get_all(&patient("P1"))).await.len(), 10);
}

/// ITI TF-2 3.42.4.1.3.3.5: whatever a submission says of a status, what is new is approved.
/// ITI TF-3 4.2.2: an association's status is the registry's, too.
pub(crate) async fn statuses_are_the_registrys(site: Site) {
    let site = site.with_patients().await;
    let mut submission = varied();
    let deprecated = Some(AvailabilityStatus::Deprecated);
    submission.document_entries[0].availability_status = deprecated;
    submission.submission_set.availability_status = deprecated;
    submission.folders[0].availability_status = deprecated;
    submission.associations[0].availability_status = deprecated;
    site.accept(&submission).await;
    let found = site.find(&get_all(&patient("P1"))).await;
    assert_eq!(found.len(), 10);
    assert!(
        found
            .iter()
            .all(|it| it.status.as_deref() == Some(APPROVED))
    );
}

/// ITI TF-2 3.42.4.1.3.7: a symbolic id becomes a new UUID, the same one wherever it stands; a UUID
/// stays what it is, for ever.
pub(crate) async fn uuids_stay_and_symbols_become_uuids(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (given, kept) = (new_uuid(), new_uuid());
    let mut submission = empty(&p1);
    submission.add_document(document(&p1, given.as_str()));
    submission.add_document(document(&p1, "Symbol"));
    submission.relate("Symbol".into(), AssociationType::Transform, given.clone());
    submission.associations[2].entry_uuid = kept.clone();
    site.accept(&submission).await;
    // A replacement changes much, and no id.
    site.accept(&replacement(&p1, &given)).await;
    let found = site.find(&get_associations([&given])).await;
    let transform = found.iter().find(|it| it.id == kept.as_str()).unwrap();
    let transform = Association::from_ebrim(transform).unwrap();
    assert_eq!(transform.target, given);
    assert!(transform.source.as_str().starts_with("urn:uuid:"));
    let both = site.find(&get_documents([&given, &transform.source])).await;
    assert_eq!(both.len(), 2);
    assert!(
        both.iter()
            .all(|it| it.status.as_deref() == Some(DEPRECATED))
    );
    // Two submissions may use the same symbols.
    let mut again = empty(&p1);
    again.add_document(document(&p1, "Symbol"));
    site.accept(&again).await;
}

/// ITI TF-2 3.42.4.1.2: what ITI-42 registers is stable.
pub(crate) async fn only_stable_documents_are_registered(site: Site) {
    let site = site.with_patients().await;
    let (mut submission, _) = one(&patient("P1"));
    let entry = &mut submission.document_entries[0];
    entry.entry_type = DocumentEntryType::OnDemand;
    let refused = [ErrorCode::RegistryMetadataError];
    site.refuse(&submission, &refused).await;
}

/// ITI TF-2 3.42.4.1.3.2 and ITI TF-3 4.2.3.1.6: the names of extra metadata are URNs, and IHE's
/// are IHE's.
pub(crate) async fn extra_metadata_has_names_of_its_own(site: Site) {
    let site = site.with_patients().await;
    for (name, is_good) in [
        ("urn:example:dose", true),
        ("dose", false),
        ("urn:ihe:dose", false),
    ] {
        let (mut submission, uuid) = one(&patient("P1"));
        let slot = Slot::single(name, "7");
        submission.document_entries[0]
            .extra
            .slots
            .push(slot.clone());
        submission.submission_set.extra.slots.push(slot.clone());
        if !is_good {
            let refused = [
                ErrorCode::RegistryMetadataError,
                ErrorCode::RegistryMetadataError,
            ];
            site.refuse(&submission, &refused).await;
            continue;
        }
        site.accept(&submission).await;
        let found = site.find(&get_documents([&uuid])).await;
        assert_eq!(found[0].slot(name), Some(&slot));
        let sets = site.find(&StoredQuery::GetSubmissionSets(vec![uuid])).await;
        assert_eq!(sets[0].slot(name), Some(&slot));
    }
}

/// ITI TF-2 3.42.4.1.3.3.3: code and coding scheme are those of the affinity domain, and how a
/// code is displayed is not constrained. 3.42.4.1.3.3.4: so is the mimeType.
pub(crate) async fn only_code_and_scheme_are_constrained(site: Site) {
    let codes = r#"<Codes>
        <CodeType name="typeCode" classScheme="urn:uuid:f0306f51-975f-434e-a61c-c59651d33983">
        <Code code="type" display="Type" codingScheme="1.2.3.8"/></CodeType>
        <CodeType name="mimeType"><Code code="text/plain"/></CodeType></Codes>"#;
    let site = site.with_patients().await.configured(|config| {
        config.affinity_codes = Some(AffinityCodes::parse(codes).unwrap());
    });
    let (mut submission, _) = one(&patient("P1"));
    let display = Code::new("type", "1.2.3.8", "whatever they call it");
    submission.document_entries[0].type_code = Some(display);
    site.accept(&submission).await;
    for wrong in [
        Code::new("type", "1.2.3.9", "Type"),
        Code::new("types", "1.2.3.8", "Type"),
    ] {
        let (mut submission, uuid) = one(&patient("P1"));
        submission.document_entries[0].type_code = Some(wrong);
        let refused = [ErrorCode::RegistryMetadataError];
        let errors = site.refuse(&submission, &refused).await;
        assert_eq!(errors[0].location.as_deref(), Some(uuid.as_str()));
        assert!(errors[0].context.contains("typeCode"), "{errors:?}");
    }
    let (mut submission, _) = one(&patient("P1"));
    submission.document_entries[0].mime_type = "application/pdf".to_owned();
    let errors = site
        .refuse(&submission, &[ErrorCode::RegistryMetadataError])
        .await;
    assert!(errors[0].context.contains("mimeType"), "{errors:?}");
}

/// ITI TF-2 3.42.4.1.3.3.6: a service does not stop before it starts.
pub(crate) async fn services_stop_after_they_start(site: Site) {
    let site = site.with_patients().await;
    for (start, stop, is_good) in [
        ("20240101", "20240102", true),
        ("20240101", "20240101", true),
        ("20240101", "2024", true),
        ("20240102", "20240101", false),
    ] {
        let (mut submission, _) = one(&patient("P1"));
        let entry = &mut submission.document_entries[0];
        entry.service_start_time = Some(crate::words::time(start));
        entry.service_stop_time = Some(crate::words::time(stop));
        match is_good {
            true => site.accept(&submission).await,
            false => {
                _ = site
                    .refuse(&submission, &[ErrorCode::RegistryMetadataError])
                    .await
            }
        }
    }
}

/// ITI TF-2 3.42.4.1.3.5: the target of a relationship is a document; what is not, is a reference
/// that cannot be resolved, wherever it is registered.
pub(crate) async fn relationships_lead_to_documents(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let mut first = empty(&p1);
    let (set, holder) = (new_uuid(), new_uuid());
    first.submission_set.entry_uuid = set.clone();
    first.add_folder(folder(&p1, holder.as_str()));
    site.accept(&first).await;
    for how in [
        AssociationType::Append,
        AssociationType::Transform,
        AssociationType::Replace,
        AssociationType::TransformAndReplace,
        AssociationType::Signs,
        AssociationType::IsSnapshotOf,
    ] {
        for target in [&set, &holder] {
            let (mut submission, uuid) = one(&p1);
            submission.relate(uuid, how.clone(), target.clone());
            let errors = site
                .refuse(&submission, &[ErrorCode::UnresolvedReferenceException])
                .await;
            assert!(errors[0].context.contains(target.as_str()), "{errors:?}");
        }
    }
}

/// ITI TF-2 3.42.4.1.3.6: folders that get a document, new ones and registered ones, get the time.
/// ITI TF-3 4.2.2.1.5: a document and a folder may be new or registered, in all four ways.
pub(crate) async fn folders_know_when_they_got_a_document(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let update_time = |objects: &[RegistryObject]| {
        let folder = objects
            .iter()
            .find(|it| it.slot("lastUpdateTime").is_some());
        folder.unwrap().slot("lastUpdateTime").unwrap().values[0].clone()
    };
    let before = xds_schemas::metadata::Timestamp::from_unix(
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    );
    let (mut registered, document_uuid) = one(&p1);
    let old_folder = new_uuid();
    registered.add_folder(folder(&p1, old_folder.as_str()));
    registered.folders[0].last_update_time = Some(crate::words::time("20010101000000"));
    site.accept(&registered).await;
    for (is_new_folder, is_new_document) in
        [(true, true), (true, false), (false, true), (false, false)]
    {
        let mut submission = empty(&p1);
        let mut holder = old_folder.clone();
        if is_new_folder {
            holder = new_uuid();
            submission.add_folder(folder(&p1, holder.as_str()));
            submission.folders[0].last_update_time = Some(crate::words::time("20010101000000"));
        }
        let mut member = document_uuid.clone();
        if is_new_document {
            member = new_uuid();
            submission.add_document(document(&p1, member.as_str()));
        }
        submission.put_into_folder(holder.clone(), member.clone());
        site.accept(&submission).await;
        let names = Names::EntryUuids(vec![member]);
        let found = site.find(&StoredQuery::GetFoldersForDocument(names)).await;
        let found: Vec<_> = found
            .into_iter()
            .filter(|it| it.id == holder.as_str())
            .collect();
        assert_eq!(found.len(), 1);
        let time = update_time(&found);
        assert_eq!(time.len(), 14);
        assert!(time.as_str() >= before.as_str(), "{time}");
    }
}

/// ITI TF-3 4.2.2.2.1 and 4.2.2.2.2: what is appended to or transformed stays approved;
/// 4.2.2.2.3: a transformation may be replaced, and its parent stays.
pub(crate) async fn parents_stay_approved_and_transformations_are_replaced(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (first, parent) = one(&p1);
    site.accept(&first).await;
    let mut children = Vec::new();
    for how in [AssociationType::Append, AssociationType::Transform] {
        let (mut submission, child) = one(&p1);
        submission.relate(child.clone(), how, parent.clone());
        site.accept(&submission).await;
        children.push(child);
    }
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 3);
    site.accept(&replacement(&p1, &children[1])).await;
    let found = site.find(&find_documents(&p1)).await;
    let ids: Vec<EntryUuid> = found.iter().map(|it| EntryUuid(it.id.clone())).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids.contains(&parent) && ids.contains(&children[0]) && !ids.contains(&children[1]));
}

/// ITI TF-2 3.42.4.1.3.3.5: what is new is approved, also if it says that it was made from what it
/// replaces: one approved document is left.
pub(crate) async fn a_transformation_that_replaces_stays_approved(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    for how in [AssociationType::Transform, AssociationType::Append] {
        let (first, old) = one(&p1);
        site.accept(&first).await;
        let mut second = replacement(&p1, &old);
        let new = second.document_entries[0].entry_uuid.clone();
        second.relate(new.clone(), how, old.clone());
        site.accept(&second).await;
        let found = site.find(&get_documents([&old, &new])).await;
        let statuses: Vec<_> = found
            .iter()
            .map(|it| it.status.as_deref().unwrap())
            .collect();
        assert_eq!(statuses, [DEPRECATED, APPROVED]);
    }
}

/// ITI TF-3 4.2.2.1.1: a document may be included by reference, from another patient too, and stays
/// as it was.
pub(crate) async fn a_document_by_reference(site: Site) {
    let site = site.with_patients().await;
    let (first, document) = one(&patient("P2"));
    site.accept(&first).await;
    let before = site.find(&get_documents([&document])).await;
    let mut second = empty(&patient("P1"));
    second.submission_set.entry_uuid = new_uuid();
    let status = xds_schemas::metadata::SubmissionSetStatus::Reference;
    let set = second.submission_set.entry_uuid.clone();
    let member = Association::member(set, document.clone(), status);
    second.associations.push(member);
    site.accept(&second).await;
    assert_eq!(site.find(&get_documents([&document])).await, before);
    let links = site.find(&get_associations([&document])).await;
    let mut statuses: Vec<_> = links
        .iter()
        .map(|it| it.slot("SubmissionSetStatus").unwrap().values[0].as_str())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["Original", "Reference"]);
}

/// ITI TF-2 3.42.4.1.3.3: what is O, R and R2 in ITI TF-3 4.3.1 is kept and comes back, all of it.
/// ITI TF-2 3.42.4.1.3.
pub(crate) async fn every_attribute_comes_back(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let mut submission = empty(&p1);
    let set = &mut submission.submission_set;
    set.title = Some(ebrim::InternationalString::of("Ein Titel"));
    set.comments = Some(ebrim::InternationalString::of("zwei Zeilen\nlang"));
    set.intended_recipients = vec!["Some Hospital|^Welby^Marcus".to_owned()];
    let mut entry = document(&p1, "Document");
    entry.title = Some(ebrim::InternationalString::of("Befund"));
    entry.comments = Some(ebrim::InternationalString::of("a <comment> & more"));
    entry.event_codes = vec![code("e1"), code("e2")];
    entry.legal_authenticator = Some("^Welby^Marcus".to_owned());
    entry.source_patient_info = vec!["PID-5|Doe^John^^^".to_owned(), "PID-8|M".to_owned()];
    entry.reference_ids = vec![xds_schemas::metadata::ReferenceId::study("1.9.1")];
    entry.service_start_time = Some(crate::words::time("2023"));
    entry.uri = Some("befund.txt".to_owned());
    entry.authors[0].institutions = vec!["Some Hospital^^^^^^^^^1.2.3.9".to_owned()];
    entry.authors[0].roles = vec!["attending".to_owned(), "author".to_owned()];
    entry.authors[0].specialties = vec!["Radiology".to_owned()];
    submission.add_document(entry);
    let mut kept = folder(&p1, "Folder");
    kept.comments = Some(ebrim::InternationalString::of("a folder"));
    kept.codes = vec![code("f1"), code("f2")];
    submission.add_folder(kept);
    site.accept(&submission).await;
    let found = site.find(&get_all(&p1)).await;
    for sent in submission.to_ebrim().objects {
        if matches!(sent.body, Body::Association { .. }) {
            continue;
        }
        let same = |it: &&RegistryObject| {
            it.external_identifiers
                .iter()
                .map(|it| &it.value)
                .eq(sent.external_identifiers.iter().map(|it| &it.value))
        };
        let got = found.iter().find(same).unwrap();
        for slot in &sent.slots {
            assert_eq!(got.slot(&slot.name), Some(slot));
        }
        assert_eq!(
            (&got.name, &got.description),
            (&sent.name, &sent.description)
        );
        let codes = |object: &RegistryObject| -> Vec<_> {
            let parts = object.classifications.iter();
            parts
                .map(|it| {
                    let (scheme, node) = (it.scheme.clone(), it.node.clone());
                    let code = it.node_representation.clone();
                    (scheme, node, code, it.slots.clone(), it.name.clone())
                })
                .collect()
        };
        assert_eq!(codes(got), codes(&sent));
    }
}
