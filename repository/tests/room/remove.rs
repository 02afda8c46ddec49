//! ITI-86: what is answered as removed is gone from the disk, and what is not gone is named.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hilum_repository::RemoveRegistered;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::iti43_retrieve_document_set::{
    DocumentRequest, RetrieveDocumentSet, RetrieveDocumentSetRequest,
};

use crate::site::{REPOSITORY, Site, refusal};
use crate::stand_in::Say;
use crate::submissions::{Draft, PATIENT, new_id};

fn success() -> RegistryResponse {
    RegistryResponse::success(Vec::new())
}

fn asked(repository: &str, id: &str) -> DocumentRequest {
    DocumentRequest {
        home_community_id: None,
        repository_unique_id: repository.into(),
        document_unique_id: id.into(),
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push(path),
        }
    }
    files
}

/// Whether any file of the store has this in it.
fn is_on_disk(site: &Site, content: &[u8]) -> bool {
    files(&site.store()).iter().any(|file| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(content.len()).any(|part| part == content)
    })
}

/// The one file of the store that has this in it.
fn file_of(site: &Site, content: &[u8]) -> PathBuf {
    let mut files = files(&site.store());
    files.retain(|file| std::fs::read(file).unwrap().starts_with(content));
    assert_eq!(files.len(), 1);
    files.remove(0)
}

/// RMD supplement 3.86.4.1.3: the repository removes the documents; afterwards they are unknown.
#[tokio::test]
async fn removed_is_gone_from_the_disk() {
    let mut site = Site::open().await;
    let draft = Draft::of([&b"a secret of the patient"[..], b"another document"]);
    site.accepted(&draft).await;
    let (removed, left) = (draft.id(0), draft.id(1));
    assert!(is_on_disk(&site, b"a secret of the patient"));
    assert_eq!(site.remove(&[&removed]).await, success());
    assert!(!is_on_disk(&site, b"a secret of the patient"));
    assert!(!is_on_disk(&site, removed.as_bytes()), "not even its name");
    site.missing(&removed).await;
    assert_eq!(site.content(&left).await, b"another document");
    let again = site.remove(&[&removed]).await;
    refusal(again, &["XDSDocumentUniqueIdError"]);

    site.stop().await;
    site.start().await;
    site.missing(&removed).await;
    assert_eq!(site.content(&left).await, b"another document");
    let records: Vec<String> = site.records();
    let removals: Vec<&String> = records
        .iter()
        .filter(|it| it.starts_with("ITI-86"))
        .collect();
    let expected = [
        format!("ITI-86 Patient Record 0 {PATIENT}"),
        "ITI-86 Patient Record 8 ".to_owned(),
    ];
    assert_eq!(removals, expected.iter().collect::<Vec<_>>());
}

/// RMD supplement 3.86.4.2.2: PartialSuccess if some are removed; each error names its document in
/// the codeContext. 3.86.5: partial removal is one success and one failure in the audit.
#[tokio::test]
async fn all_some_or_none() {
    let site = Site::open().await;
    let draft = Draft::of([&b"one"[..], b"two", b"three"]);
    site.accepted(&draft).await;
    let (one, two, three) = (draft.id(0), draft.id(1), draft.id(2));
    let some = vec![
        asked("1.2.3.100", &one),
        asked(REPOSITORY, &two),
        // What stands twice is one removal.
        asked(REPOSITORY, &two),
        asked(REPOSITORY, "2.999.404"),
    ];
    let response = site.remove_as(some).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    let expected = [
        ("XDSUnknownRepositoryId", one.as_str()),
        ("XDSDocumentUniqueIdError", "2.999.404"),
    ];
    assert_eq!(response.errors.len(), expected.len(), "{response:?}");
    for (error, (code, id)) in response.errors.iter().zip(expected) {
        assert_eq!(error.code.as_str(), code);
        assert!(error.context.contains(id), "{}", error.context);
        assert_eq!(error.location.as_deref(), Some(id));
    }
    assert_eq!(site.content(&one).await, b"one");
    site.missing(&two).await;

    let none = site.remove(&["2.999.404", "2.999.405"]).await;
    refusal(none, &["XDSDocumentUniqueIdError"; 2]);
    assert_eq!(site.remove(&[&one, &three]).await, success());
    assert!(files(&site.store().join("documents")).is_empty());
    let records = site.records().into_iter();
    let removals = records.filter(|it| it.starts_with("ITI-86"));
    let done = format!("ITI-86 Patient Record 0 {PATIENT}");
    let failed = "ITI-86 Patient Record 8 ".to_owned();
    let expected = [done.clone(), failed.clone(), failed, done];
    assert_eq!(removals.collect::<Vec<_>>(), expected);
}

/// A removed document may be provided again.
#[tokio::test]
async fn what_is_gone_may_come_again() {
    let site = Site::open().await;
    let draft = Draft::text("first");
    site.accepted(&draft).await;
    let id = draft.id(0);
    assert_eq!(site.remove(&[&id]).await, success());
    let mut again = Draft::text("first");
    again.entry(0).unique_id = id.as_str().into();
    site.accepted(&again).await;
    assert_eq!(site.content(&id).await, b"first");
}

/// Whoever has begun to retrieve gets the whole document, although it has no name any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retrieval_that_began_ends_well() {
    let site = Site::open().await;
    // More than the system keeps for a connection.
    let content: Vec<u8> = (0..24_000_000_u32).map(|at| (at / 7) as u8).collect();
    let draft = Draft::of([&content[..], b"behind it"]);
    site.accepted(&draft).await;
    let (large, small) = (draft.id(0), draft.id(1));
    let request = RetrieveDocumentSetRequest {
        documents: vec![asked(REPOSITORY, &large), asked(REPOSITORY, &small)],
    };
    let (client, url) = (&site.client, site.url());
    let answer = client.send::<RetrieveDocumentSet>(&url, &request, Vec::new());
    let mut attachments = answer.await.unwrap().attachments;
    assert_eq!(site.remove(&[&large, &small]).await, success());
    assert!(files(&site.store().join("documents")).is_empty());
    let first = attachments.next().await.unwrap().unwrap();
    let first = first.collect(1 << 30).await;
    if site.has_objects() {
        // Only what is small is held; the rest breaks off, and is not taken for the whole.
        first.unwrap_err();
        return site.missing(&large).await;
    }
    assert_eq!(first.unwrap(), content);
    let second = attachments.next().await.unwrap().unwrap();
    assert_eq!(second.collect(1 << 30).await.unwrap(), b"behind it"[..]);
    site.missing(&large).await;
}

/// A document of which it is being decided whether it is registered is waited for.
#[tokio::test]
async fn what_is_being_registered_is_waited_for() {
    let site = Site::open().await;
    *site.registry.delays.lock().unwrap() =
        (Duration::from_millis(300), Duration::from_millis(300));
    let draft = Draft::text("just coming");
    let id = draft.id(0);
    let remove = async {
        while site.incoming().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // It is on its way to the registry.
        tokio::time::sleep(Duration::from_millis(100)).await;
        site.remove(&[&id]).await
    };
    let (provided, removed) = tokio::join!(site.provide(&draft), remove);
    assert_eq!(provided, success());
    assert_eq!(removed, success());
    assert!(!is_on_disk(&site, b"just coming"));
}

/// ... but not for ever: as long as a byte of it may be there, it is not removed.
#[tokio::test]
async fn what_nobody_knows_about_is_not_removed() {
    let site = Site::open().await;
    *site.registry.confused.lock().unwrap() = true;
    site.registry.say(Say::RegisteredAndFault);
    let draft = Draft::text("nobody knows");
    site.refused(&draft, &["XDSRegistryNotAvailable"]).await;
    let before = Instant::now();
    let errors = refusal(
        site.remove(&[&draft.id(0)]).await,
        &["XDSRemoveDocumentsError"],
    );
    assert!(errors[0].context.contains(&draft.id(0)), "{errors:?}");
    assert!(before.elapsed() >= Duration::from_secs(2));
    assert!(is_on_disk(&site, b"nobody knows"));
    *site.registry.confused.lock().unwrap() = false;
    assert_eq!(site.remove(&[&draft.id(0)]).await, success());
    assert!(!is_on_disk(&site, b"nobody knows"));
}

/// A file that cannot be read as a document any more can still be removed.
#[tokio::test]
async fn what_is_damaged_can_be_removed() {
    let site = Site::open().await;
    let draft = Draft::text("damaged later");
    site.accepted(&draft).await;
    let file = file_of(&site, b"damaged later");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 3]).unwrap();
    assert_eq!(site.remove(&[&draft.id(0)]).await, success());
    assert!(!file.exists());
}

/// RMD supplement 3.86.4.1.3: XDSRemoveDocumentsError for what cannot be removed.
#[tokio::test]
async fn what_cannot_be_removed_is_named() {
    let site = Site::open().await;
    let draft = Draft::text("moved aside");
    site.accepted(&draft).await;
    let (file, id) = (file_of(&site, b"moved aside"), draft.id(0));
    // The place of the document holds something that is no file.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let errors = refusal(site.remove(&[&id]).await, &["XDSRemoveDocumentsError"]);
    assert!(errors[0].context.contains(&id), "{errors:?}");
    let path = site.store().display().to_string();
    assert!(!errors[0].context.contains(&path), "{errors:?}");
}

/// An operator may have it enforced that metadata goes first.
#[tokio::test]
async fn what_the_registry_knows_stays_if_that_is_wanted() {
    let mut site = Site::open().await;
    site.stop().await;
    site.remove_registered = RemoveRegistered::Refuse;
    site.start().await;
    let draft = Draft::text("registered");
    site.accepted(&draft).await;
    let id = draft.id(0);
    let errors = refusal(site.remove(&[&id]).await, &["XDSRemoveDocumentsError"]);
    assert!(errors[0].context.contains("ITI-62"), "{errors:?}");
    assert!(errors[0].context.contains(&id), "{errors:?}");
    assert_eq!(site.content(&id).await, b"registered");
    // Who cannot be asked has not agreed.
    *site.registry.confused.lock().unwrap() = true;
    let errors = refusal(site.remove(&[&id]).await, &["XDSRemoveDocumentsError"]);
    assert!(errors[0].context.contains("not known"), "{errors:?}");
    *site.registry.confused.lock().unwrap() = false;

    site.registry.registered.lock().unwrap().clear();
    assert_eq!(site.remove(&[&id]).await, success());
    assert!(!is_on_disk(&site, b"registered"));
    // The repository's questions are on record.
    let records = site.records();
    let questions = |outcome: &str| {
        let question = format!("ITI-18 Query {outcome} ");
        records.iter().filter(|it| **it == question).count()
    };
    assert_eq!((questions("0"), questions("8")), (2, 1), "{records:?}");
}

/// Many removals and retrievals of the same document at once: one removal succeeds, and nobody
/// gets a part of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_race_is_won_once() {
    let site = std::sync::Arc::new(Site::open().await);
    let draft = Draft::text(&"raced for ".repeat(10_000));
    site.accepted(&draft).await;
    let (id, whole) = (draft.id(0), draft.contents[0].clone());
    let mut removals = Vec::new();
    let mut retrievals = Vec::new();
    for _ in 0..8 {
        let (site_, id_) = (std::sync::Arc::clone(&site), id.clone());
        removals.push(tokio::spawn(async move { site_.remove(&[&id_]).await }));
        let (site_, id_) = (std::sync::Arc::clone(&site), id.clone());
        retrievals.push(tokio::spawn(async move { site_.retrieve(&[&id_]).await }));
    }
    let mut removed = 0;
    for removal in removals {
        let response = removal.await.unwrap();
        match response.status {
            ResponseStatus::Success => removed += 1,
            _ => drop(refusal(response, &["XDSDocumentUniqueIdError"])),
        }
    }
    assert_eq!(removed, 1);
    for retrieval in retrievals {
        for (_, content) in retrieval.await.unwrap().1 {
            assert_eq!(content, whole);
        }
    }
    assert!(files(&site.store().join("documents")).is_empty());
    site.missing(&new_id()).await;
}
