//! A node that is killed while it removes documents: each is whole afterwards or gone, and what was
//! answered as removed is gone.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use hilum_tests::calls::{Raw, Remove};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use tokio::task::JoinSet;
use xds_schemas::codes::status::ResponseStatus;

const DOCUMENTS: usize = 400;
/// Removals that are under way at a time.
const ADMINISTRATORS: usize = 4;

/// The documents whose text stands in a file below the folder.
fn on_disk(folder: &Path, found: &mut BTreeSet<usize>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            on_disk(&path, found);
        } else if let Some(text) = std::fs::read(&path)
            .ok()
            .and_then(|bytes| Some(bytes.strip_prefix(b"number ")?.to_vec()))
        {
            let digits: Vec<u8> = text.into_iter().take_while(u8::is_ascii_digit).collect();
            let number = String::from_utf8(digits).unwrap().parse().unwrap();
            assert!(found.insert(number), "{number} is there twice");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_or_gone() {
    let mut town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let text = |number: usize| format!("number {number}, {}", "of many. ".repeat(500));
    let documents = (0..DOCUMENTS).map(|number| Document::text(&text(number)));
    let submission = Submission::new("P-1", documents.collect());
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");

    let mut administrators = JoinSet::new();
    for first in 0..ADMINISTRATORS {
        let (client, url) = (town.client_named("client"), town.repository());
        let mine = (first..DOCUMENTS).step_by(ADMINISTRATORS);
        let ids: Vec<(usize, String)> = mine
            .map(|at| (at, submission.documents[at].unique_id.clone()))
            .collect();
        administrators.spawn(async move {
            let mut removed = Vec::new();
            for (number, id) in ids {
                let request = Raw(words::remove(words::REPOSITORY, &[&id]));
                let answer = client.send::<Remove>(&url, &request, Vec::new()).await;
                let Ok(answer) = answer else { break };
                assert_eq!(answer.response.status, ResponseStatus::Success);
                removed.push(number);
            }
            removed
        });
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    town.kill();
    let mut promised = BTreeSet::new();
    while let Some(removed) = administrators.join_next().await {
        promised.extend(removed.unwrap());
    }
    let mut left = BTreeSet::new();
    let store = town.node().join("data/documents");
    on_disk(&store, &mut left);
    assert!(!promised.is_empty(), "nothing was under way");
    assert!(
        promised.is_disjoint(&left),
        "what was answered as removed is there"
    );
    town.start();
    eprintln!(
        "{} promised, {} left of {DOCUMENTS}",
        promised.len(),
        left.len()
    );
    for (number, document) in submission.documents.iter().enumerate() {
        let got = town.retrieve(&[&document.unique_id]).await.unwrap();
        let there = got.response.status == ResponseStatus::Success;
        assert_eq!(there, left.contains(&number), "{number}: {got:?}");
        if there {
            assert_eq!(got.documents[0].content, document.content);
        }
    }
    // What is left can be removed, however the node ended.
    for number in &left {
        let removed = town
            .remove(&[&submission.documents[*number].unique_id])
            .await;
        assert_eq!(removed.unwrap().status, ResponseStatus::Success);
    }
    let mut left = BTreeSet::new();
    on_disk(&store, &mut left);
    assert!(left.is_empty(), "{left:?}");
}
