//! A node that is killed in the middle of its work knows afterwards exactly what it promised.
//!
//! Sources submit one document after the other, in many connections at once, and the node dies
//! without a warning. Whatever was answered with Success is there when it starts again, found and
//! retrieved with the right bytes, and in the audit trail; of everything else there is all or
//! nothing.
//!
//! `HILUM_KILLS` says how often; 3 if it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hilum_tests::postgres::Server;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use xds_schemas::codes::status::ResponseStatus;

const SOURCES: usize = 8;

/// What a source knows of a submission: whether it was answered with Success.
type Sent = (Submission, bool);

/// Submits until the node is gone.
async fn source(town: Arc<Mutex<Town>>, number: usize) -> Vec<Sent> {
    let (client, url) = {
        let town = town.lock().await;
        (town.client_named("client"), town.repository())
    };
    let mut sent = Vec::new();
    for count in 0.. {
        let documents = (0..3).map(|at| {
            let text = format!("source {number}, submission {count}, document {at}. ");
            Document::text(&text.repeat(1 + 200 * at))
        });
        let submission = Submission::new(&format!("Patient-{number}"), documents.collect());
        let parts = submission.documents.iter().enumerate();
        let parts = parts.map(|(at, document)| hilum_transport::Part {
            content_id: words::content_id(at),
            content_type: "text/plain".to_owned(),
            source: hilum_transport::PartSource::Bytes(document.content.clone().into()),
        });
        let request = hilum_tests::calls::Raw(submission.provide_request());
        let answer = client
            .send::<hilum_tests::calls::Provide>(&url, &request, parts.collect())
            .await;
        match answer {
            Ok(answer) => {
                let response = answer.response;
                assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
                sent.push((submission, true));
            }
            Err(_) => {
                sent.push((submission, false));
                break;
            }
        }
    }
    sent
}

/// Whether a submission is there, whole and with the right bytes, or not at all.
async fn is_there(town: &Town, submission: &Submission) -> bool {
    let ids: Vec<&str> = submission
        .documents
        .iter()
        .map(|document| &*document.unique_id)
        .collect();
    let found = town.query(words::get_documents(&ids)).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    if found.objects.is_empty() {
        return false;
    }
    assert_eq!(found.objects.len(), ids.len(), "half a submission is there");
    let got = town.retrieve(&ids).await.unwrap();
    assert_eq!(
        got.response.status,
        ResponseStatus::Success,
        "{:?}",
        got.response
    );
    for (got, sent) in got.documents.iter().zip(&submission.documents) {
        assert_eq!(got.sha1, words::sha1_of(&sent.content));
    }
    true
}

/// What was answered with Success is in the audit trail, once.
fn recorded(town: &Town, sent: &[Sent]) {
    let mut sets = BTreeMap::new();
    for record in town.records() {
        let succeeded = record["outcome"] == "0";
        if succeeded && record["transaction"] == "ITI-41" && record["event"] == "Import" {
            let set = record["objects"][0].as_str().unwrap().to_owned();
            *sets.entry(set).or_insert(0) += 1;
        }
    }
    for (submission, success) in sent {
        if *success {
            assert_eq!(sets.get(&submission.unique_id), Some(&1), "{submission:?}");
        }
    }
}

async fn killed_again_and_again(setup: Setup) {
    let asked = std::env::var("HILUM_KILLS").ok();
    let kills: u64 = asked.map_or(3, |text| text.parse().unwrap());
    let town = Arc::new(Mutex::new(Town::found(setup)));
    let mut sent: Vec<Sent> = Vec::new();
    for kill in 0..kills {
        let mut sources = JoinSet::new();
        for number in 0..SOURCES {
            sources.spawn(source(Arc::clone(&town), number));
        }
        // Different moments of a process that is young, and of one that works.
        let nanoseconds = u64::from(
            std::time::SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap()
                .subsec_nanos(),
        );
        tokio::time::sleep(Duration::from_millis(300 + nanoseconds % 1200)).await;
        town.lock().await.kill();
        let mut round = Vec::new();
        while let Some(done) = sources.join_next().await {
            round.extend(done.unwrap());
        }
        let promised = round.iter().filter(|(_, success)| *success).count();
        let unanswered = round.len() - promised;
        sent.extend(round);
        let mut town = town.lock().await;
        town.start();
        let mut kept = 0;
        for (submission, success) in &sent {
            let there = is_there(&town, submission).await;
            assert!(
                there || !success,
                "a submission that was answered with Success is lost"
            );
            kept += usize::from(there && !success);
        }
        recorded(&town, &sent);
        eprintln!(
            "kill {kill}: {promised} submissions promised, {unanswered} unanswered; of all unanswered ones {kept} are there"
        );
        assert!(promised > 0, "nothing was under way");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_is_there_on_sqlite() {
    let setup = Setup {
        uncounted: true,
        ..Setup::default()
    };
    killed_again_and_again(setup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_is_there_on_postgresql() {
    let Some(server) = Server::start() else {
        return;
    };
    let setup = Setup {
        uncounted: true,
        database: Some(server.url.clone()),
        ..Setup::default()
    };
    killed_again_and_again(setup).await;
}
