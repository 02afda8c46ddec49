//! ITI-62: what is forgotten, and what cannot be.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{Association, AssociationType, EntryUuid};

use crate::iti18::{find_documents, get_documents};
use crate::iti57::{Stay, everything, new_version};
use crate::site::{Site, refused, succeeded};
use crate::words::{folder, new_uuid, one, patient};

fn uuids(objects: &[RegistryObject]) -> Vec<EntryUuid> {
    let uuids = objects.iter().map(|it| EntryUuid(it.id.clone()));
    uuids.collect()
}

/// Remove metadata 3.62.4.1.3: everything of a patient goes together; then it is as if it had never
/// been there, and every name may be given again.
pub(crate) async fn everything_is_forgotten(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let (other, _) = one(&p2);
    site.accept(&other).await;
    let stay = Stay::register(&site, &p1).await;
    succeeded(&site.update(&new_version(&stay.entry, "Next", "1")).await);
    let all = uuids(&site.find_all(&everything(&p1)).await);
    assert!(all.len() > 12, "{}", all.len());
    succeeded(&site.remove(&all).await);
    assert!(site.find_all(&everything(&p1)).await.is_empty());
    assert!(site.find_all(&get_documents(&all)).await.is_empty());
    assert_eq!(site.find(&find_documents(&p2)).await.len(), 1);
    let mut again = one(&p1).0;
    again.document_entries[0].entry_uuid = stay.entry.entry_uuid.clone();
    again.associations[0].target = stay.entry.entry_uuid.clone();
    again.document_entries[0].unique_id = stay.entry.unique_id.clone();
    again.document_entries[0].size = Some(77);
    site.accept(&again).await;
    // Nothing of the old version is left that a new one could be counted from.
    let update = new_version(&again.document_entries[0], "Next", "1");
    succeeded(&site.update(&update).await);
}

/// Remove metadata 3.62.4.1.3: ReferencesExistException, XDSUnreferencedObjectException and
/// UnresolvedReferenceException name the object; nothing is forgotten then.
pub(crate) async fn removal_is_refused(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, document) = one(&p1);
    site.accept(&submission).await;
    let all = site.find_all(&everything(&p1)).await;
    let id = |object_type: &str| {
        let found = all.iter().find(|it| {
            it.object_type
                .as_deref()
                .is_some_and(|it| it.ends_with(object_type))
        });
        EntryUuid(found.unwrap().id.clone())
    };
    let (set, membership) = (id("RegistryPackage"), id("Association"));
    let refuse = |names: Vec<EntryUuid>, code: ErrorCode, named: EntryUuid| {
        let site = &site;
        async move {
            let errors = refused(site.remove(&names).await, std::slice::from_ref(&code));
            assert!(errors[0].context.contains(named.as_str()), "{errors:?}");
            assert_eq!(errors[0].location.as_deref(), Some(named.as_str()));
        }
    };
    let references = ErrorCode::ReferencesExistException;
    refuse(vec![document.clone()], references.clone(), document.clone()).await;
    refuse(vec![set.clone()], references, set.clone()).await;
    let orphan = ErrorCode::UnreferencedObjectException;
    // Of a membership alone both of its ends are orphans.
    let alone = site.remove(std::slice::from_ref(&membership)).await;
    let errors = refused(alone, &[orphan.clone(), orphan.clone()]);
    for end in [&document, &set] {
        let names = |error: &RegistryError| error.location.as_deref() == Some(end.as_str());
        assert!(errors.iter().any(names), "{errors:?}");
    }
    refuse(
        vec![membership.clone(), set.clone()],
        orphan.clone(),
        document.clone(),
    )
    .await;
    // Nor may a submission set stay with nothing in it.
    let alone = vec![document.clone(), membership.clone()];
    refuse(alone, orphan, set.clone()).await;
    let stranger = new_uuid();
    let code = ErrorCode::UnresolvedReferenceException;
    refuse(
        vec![
            document.clone(),
            membership.clone(),
            set.clone(),
            stranger.clone(),
        ],
        code,
        stranger,
    )
    .await;
    let code = ErrorCode::UnresolvedReferenceException;
    refuse(vec!["Symbolic".into()], code, "Symbolic".into()).await;
    refused(site.remove(&[]).await, &[ErrorCode::RegistryError]);
    assert_eq!(site.find_all(&everything(&p1)).await, all);
    succeeded(&site.remove(&[document, membership, set]).await);
    assert_eq!(site.find_all(&everything(&p1)).await, []);
}

/// Remove metadata 3.62.4.1.3: a membership in a folder stays held by its submission set (ITI TF-3
/// 4.2.2.1.3), or goes with it.
pub(crate) async fn memberships_in_folders_are_held(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (mut submission, document) = one(&p1);
    let stay = new_uuid();
    submission.add_folder(folder(&p1, stay.as_str()));
    submission.put_into_folder(stay, document.clone());
    site.accept(&submission).await;
    let all = site.find_all(&everything(&p1)).await;
    let links: Vec<Association> = all
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok())
        .collect();
    let inside = links
        .iter()
        .find(|it| it.target == document && it.submission_set_status.is_none());
    let inside = &inside.unwrap().entry_uuid;
    let holds = &links
        .iter()
        .find(|it| it.target == *inside)
        .unwrap()
        .entry_uuid;
    let code = ErrorCode::UnreferencedObjectException;
    let errors = refused(site.remove(std::slice::from_ref(holds)).await, &[code]);
    assert_eq!(errors[0].location.as_deref(), Some(inside.as_str()));
    succeeded(&site.remove(&[holds.clone(), inside.clone()]).await);
    assert_eq!(site.find_all(&everything(&p1)).await.len(), all.len() - 2);
}

/// A document that another submission set refers to is not an orphan without its own.
pub(crate) async fn what_is_held_twice(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let (first, document) = one(&p1);
    site.accept(&first).await;
    let own = uuids(&site.find_all(&everything(&p1)).await);
    let own: Vec<_> = own.into_iter().filter(|it| *it != document).collect();
    let (mut second, _) = one(&p2);
    let reference = Association::member(
        "Set",
        document.clone(),
        xds_schemas::metadata::SubmissionSetStatus::Reference,
    );
    second.associations.push(reference);
    site.accept(&second).await;
    succeeded(&site.remove(&own).await);
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 1);
}

/// Objects of several patients go together, and each patient has a record of its own.
/// Remove metadata 3.62.4.1.3.
pub(crate) async fn several_patients_at_once(site: Site) {
    let site = site.with_patients().await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    let mut all = Vec::new();
    for of in [&p1, &p2] {
        site.accept(&one(of).0).await;
        all.extend(uuids(&site.find_all(&everything(of)).await));
    }
    succeeded(&site.remove(&all).await);
    for of in [&p1, &p2] {
        assert!(site.find_all(&everything(of)).await.is_empty());
    }
    let records = site.audit();
    let removed = records
        .iter()
        .filter(|it| it.transaction.as_deref() == Some("ITI-62"));
    assert_eq!(removed.count(), 2);
}

/// When the newest version goes, the one before is seen again.
pub(crate) async fn a_version_is_taken_back(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (submission, document) = one(&p1);
    site.accept(&submission).await;
    let before = uuids(&site.find_all(&everything(&p1)).await);
    let update = new_version(&submission.document_entries[0], "Next", "1");
    succeeded(&site.update(&update).await);
    assert!(site.find(&get_documents([&document])).await.is_empty());
    let new = uuids(&site.find_all(&everything(&p1)).await);
    let new: Vec<_> = new.into_iter().filter(|it| !before.contains(it)).collect();
    succeeded(&site.remove(&new).await);
    let found = site.find(&get_documents([&document])).await;
    assert_eq!(found.len(), 1);
    succeeded(&site.update(&update).await);
}

/// Documents that share a uniqueId: what stays is still compared with what comes.
pub(crate) async fn one_of_two_copies_goes(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (first, _) = one(&p1);
    site.accept(&first).await;
    let all = uuids(&site.find_all(&everything(&p1)).await);
    let (mut second, _) = one(&p1);
    second.document_entries[0].unique_id = first.document_entries[0].unique_id.clone();
    site.accept(&second).await;
    succeeded(&site.remove(&all).await);
    let (mut third, uuid) = one(&p1);
    third.document_entries[0].unique_id = first.document_entries[0].unique_id.clone();
    third.document_entries[0].size = Some(5);
    site.refuse(&third, &[ErrorCode::NonIdenticalSize]).await;
    third.document_entries[0].size = Some(0);
    third.relate(
        uuid,
        AssociationType::Append,
        second.document_entries[0].entry_uuid.clone(),
    );
    site.accept(&third).await;
}
