//! Many at a time: who replaces a document, and what a reader sees meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::APPROVED;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::iti18_registry_stored_query::{ContentFilter, GetContents, Names, StoredQuery};
use xds_schemas::metadata::{Association, DocumentEntryType, EntryUuid};

use crate::iti18::{find_documents, get_all, get_associations, get_documents};
use crate::site::Site;
use crate::words::{document, folder, new_uuid, one, patient, replacement};

/// How many want to replace the same document.
const RIVALS: usize = 16;
/// How many submissions are made while readers look.
const SUBMISSIONS: usize = 40;

/// ITI TF-2 3.42.4.1.3.5: only an approved document is replaced, so of many replacements at once
/// one succeeds; 3.42.4.1.3.1: nothing stays of the others.
/// ITI TF-3 4.2.2.2.3.
pub(crate) async fn of_many_replacements_one_succeeds(site: Site) {
    let site = Arc::new(site.with_patients().await);
    let p1 = patient("P1");
    let (mut first, old) = one(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    first.put_into_folder(holder.clone(), old.clone());
    site.accept(&first).await;
    let mut rivals = Vec::new();
    for _ in 0..RIVALS {
        let (site, replacement) = (Arc::clone(&site), replacement(&p1, &old));
        rivals.push(tokio::spawn(async move {
            let errors = site.submit(&replacement).await.errors;
            (replacement.document_entries[0].entry_uuid.clone(), errors)
        }));
    }
    let mut winners = Vec::new();
    for rival in rivals {
        let (uuid, errors) = rival.await.unwrap();
        match errors.as_slice() {
            [] => winners.push(uuid),
            [error] => assert_eq!(error.code, ErrorCode::RegistryDeprecatedDocumentError),
            errors => panic!("{errors:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    let approved = site.find(&find_documents(&p1)).await;
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0].id, winners[0].as_str());
    // The first set, document and folder, their two memberships, the folder's with its own; the
    // winner's set, document, membership and replacement, the folder's membership with its own.
    assert_eq!(site.find(&get_all(&p1)).await.len(), 13);
    let replaced = site.find(&get_documents([&old])).await;
    assert_ne!(replaced[0].status.as_deref(), Some(APPROVED));
}

fn ids(objects: &[RegistryObject]) -> BTreeSet<&str> {
    objects.iter().map(|it| it.id.as_str()).collect()
}

/// Every end of every association is there.
#[track_caller]
fn whole(objects: &[RegistryObject]) {
    let ids = ids(objects);
    for object in objects {
        if let Body::Association { source, target, .. } = &object.body {
            assert!(ids.contains(source.as_str()), "{object:?} of nothing");
            assert!(ids.contains(target.as_str()), "{object:?} to nothing");
        }
    }
}

/// ITI TF-2 3.42.4.1.3.1: no result of a submission is made available before all of it is.
pub(crate) async fn readers_see_whole_submissions(site: Site) {
    let site = Arc::new(site.with_patients().await);
    let p1 = patient("P1");
    let (mut first, mut last) = one(&p1);
    let holder = new_uuid();
    first.add_folder(folder(&p1, holder.as_str()));
    first.put_into_folder(holder.clone(), last.clone());
    site.accept(&first).await;
    let (done, looked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let mut readers = Vec::new();
    for reader in [everything, of_the_set, documents_and_links] {
        let (site, done, looked) = (site.clone(), done.clone(), looked.clone());
        readers.push(tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                reader(Arc::clone(&site)).await;
                looked.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for at in 0..SUBMISSIONS {
        // Each replaces the one before, which carries the folder's membership over, and brings two
        // more documents.
        let mut submission = replacement(&p1, &last);
        last = submission.document_entries[0].entry_uuid.clone();
        for _ in 0..2 {
            submission.add_document(document(&p1, new_uuid().as_str()));
        }
        submission.submission_set.title = Some(xds_schemas::ebrim::InternationalString::of(
            format!("the submission number {at}"),
        ));
        site.accept(&submission).await;
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(looked.load(Ordering::Relaxed) >= 3);
    let approved = site.find(&find_documents(&p1)).await;
    assert_eq!(approved.len(), 1 + 2 * SUBMISSIONS);
}

type Reading = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// GetAll: every association with both its ends, and in each state exactly one of the documents
/// that replace one another is approved.
fn everything(site: Arc<Site>) -> Reading {
    Box::pin(async move {
        let found = site.query(&get_all(&patient("P1"))).await.objects;
        whole(&found);
        let links: Vec<Association> = found
            .iter()
            .filter_map(|it| Association::from_ebrim(it).ok())
            .collect();
        let status = |uuid: &EntryUuid| {
            let object = found.iter().find(|it| it.id == uuid.as_str()).unwrap();
            object.status.as_deref() == Some(APPROVED)
        };
        let replaced: BTreeSet<&str> = links
            .iter()
            .filter(|it| it.association_type.replaces())
            .map(|it| {
                assert!(!status(&it.target), "{} was replaced", it.target);
                it.target.as_str()
            })
            .collect();
        for link in links.iter().filter(|it| it.association_type.replaces()) {
            let is_last = !replaced.contains(link.source.as_str());
            assert_eq!(status(&link.source), is_last, "{}", link.source);
        }
        // Sets, and what the folder holds: each replacement was carried over.
        let sets = found
            .iter()
            .filter(|it| it.slot("submissionTime").is_some())
            .count();
        let folder = found
            .iter()
            .find(|it| it.slot("lastUpdateTime").is_some())
            .unwrap();
        let held = links.iter().filter(|it| it.source.as_str() == folder.id);
        assert_eq!(held.count(), sets);
    })
}

/// GetSubmissionSetAndContents: a set that can be found has all of its three documents.
fn of_the_set(site: Arc<Site>) -> Reading {
    Box::pin(async move {
        let documents = site.query(&find_documents(&patient("P1"))).await.objects;
        let newest = EntryUuid(documents.last().unwrap().id.clone());
        let sets = site
            .query(&StoredQuery::GetSubmissionSets(vec![newest]))
            .await;
        let set = &sets.objects[0];
        let found = site
            .query(&StoredQuery::GetSubmissionSetAndContents(GetContents {
                of: Names::EntryUuids(vec![EntryUuid(set.id.clone())]),
                filter: ContentFilter {
                    entry_types: vec![DocumentEntryType::Stable],
                    ..ContentFilter::default()
                },
            }))
            .await
            .objects;
        let entries = found
            .iter()
            .filter(|it| matches!(it.body, Body::ExtrinsicObject { .. }));
        let expected = match set.name {
            Some(_) => 3,
            None => 1,
        };
        assert_eq!(entries.count(), expected);
    })
}

/// FindDocuments, then GetAssociations: whatever was found belongs to a set.
fn documents_and_links(site: Arc<Site>) -> Reading {
    Box::pin(async move {
        let documents = site.query(&find_documents(&patient("P1"))).await.objects;
        let uuids: Vec<EntryUuid> = documents
            .iter()
            .map(|it| EntryUuid(it.id.clone()))
            .collect();
        let links = site.query(&get_associations(&uuids)).await.objects;
        let links: Vec<Association> = links
            .iter()
            .map(|it| Association::from_ebrim(it).unwrap())
            .collect();
        for uuid in &uuids {
            let original = links
                .iter()
                .filter(|it| it.target == *uuid && it.submission_set_status.is_some());
            assert_eq!(original.count(), 1, "{uuid}");
        }
    })
}
