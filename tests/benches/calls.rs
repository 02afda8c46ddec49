//! Small calls: how many in a second, how long each takes, what each costs the node.

use hilum_tests::calls::{Provide, Query, Raw, Register, Retrieve};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Client, Part, PartSource};
use xds_schemas::codes::status::ResponseStatus;

use crate::load::closed_loop;
use crate::{Bench, row};

/// Patients who are asked for, with ten documents each.
const PATIENTS: usize = 200;

pub(crate) async fn run(bench: &Bench) {
    let rows = ["ITI-42", "ITI-18", "ITI-41 small", "ITI-43 small"];
    if !rows.iter().any(|row| bench.wants(row)) {
        return;
    }
    let mut town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    register(bench, &town).await;
    ask(bench, &town).await;
    provide(bench, &town).await;
    town.stop();
}

fn registration(patient: &str) -> Submission {
    let mut submission = Submission::new(patient, vec![Document::text("registered only")]);
    submission.repository = true;
    submission
}

async fn register(bench: &Bench, town: &Town) {
    for (connections, beside) in [
        (1, "target 1,000/s, p99 4 ms"),
        (16, ""),
        (64, "target 5,000/s"),
    ] {
        let what = format!("ITI-42, {connections} connections");
        if !bench.wants(&what) {
            continue;
        }
        let load = closed_loop(connections, bench.time, town.pid(), |number| {
            let (client, url) = (town.client_named("client"), town.registry());
            let mut count = 0;
            move || {
                count += 1;
                let request = registration(&format!("R-{number}-{}", count / 10));
                let request = Raw(request.submit_objects_request());
                let (client, url) = (client.clone(), url.clone());
                async move {
                    let answer = client.send::<Register>(&url, &request, Vec::new());
                    let response = answer.await.unwrap().response;
                    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
                }
            }
        });
        row(&what, &load.await.told(), beside);
    }
}

async fn ask(bench: &Bench, town: &Town) {
    if !bench.wants("ITI-18") {
        return;
    }
    for patient in 0..PATIENTS {
        let documents = (0..10).map(|number| Document::text(&format!("{patient} {number}")));
        let mut submission = Submission::new(&format!("Q-{patient}"), documents.collect());
        submission.repository = true;
        let response = town.register(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    }
    for (return_type, connections, beside) in [
        ("ObjectRef", 1, ""),
        ("ObjectRef", 64, "target 15,000/s, 70 µs CPU"),
        ("LeafClass", 1, ""),
        ("LeafClass", 64, "target 3,000/s, 160 µs CPU"),
    ] {
        let what = format!("ITI-18, {return_type} x 10, {connections} connections");
        let load = closed_loop(connections, bench.time, town.pid(), |number| {
            let (client, url) = (town.client_named("client"), town.registry());
            let mut patient = number * 7;
            move || {
                patient = (patient + 1) % PATIENTS;
                let request = Raw(words::find_documents(&format!("Q-{patient}"), return_type));
                found_ten(client.clone(), url.clone(), request)
            }
        });
        row(&what, &load.await.told(), beside);
    }
}

async fn found_ten(client: Client, url: String, request: Raw) {
    let answer = client.send::<Query>(&url, &request, Vec::new());
    let response = answer.await.unwrap().response;
    assert_eq!(response.objects.len(), 10, "{:?}", response.errors);
}

async fn provide(bench: &Bench, town: &Town) {
    let content: Vec<u8> = (0..35_000_u32).map(|at| (at % 251) as u8).collect();
    let mut provided = Vec::new();
    for (connections, beside) in [(1, ""), (16, ""), (64, "target 1,500/s")] {
        let what = format!("ITI-41 small (35 KB), {connections} connections");
        if !bench.wants(&what) {
            continue;
        }
        let (told, ids) = tokio::sync::mpsc::unbounded_channel();
        let load = closed_loop(connections, bench.time, town.pid(), |number| {
            let (client, url) = (town.client_named("client"), town.repository());
            let (content, told) = (content.clone(), told.clone());
            let mut count = 0;
            move || {
                count += 1;
                let mut document = Document::of("application/pdf", Vec::new());
                (document.hash, document.size) = (None, None);
                let _ = told.send(document.unique_id.clone());
                let patient = format!("P-{number}-{}", count / 10);
                let submission = Submission::new(&patient, vec![document]);
                let part = Part {
                    content_id: words::content_id(0),
                    content_type: "application/pdf".to_owned(),
                    source: PartSource::Bytes(content.clone().into()),
                };
                let (client, url) = (client.clone(), url.clone());
                async move {
                    let request = Raw(submission.provide_request());
                    let answer = client.send::<Provide>(&url, &request, vec![part]);
                    let response = answer.await.unwrap().response;
                    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
                }
            }
        });
        row(&what, &load.await.told(), beside);
        drop(told);
        let mut ids = ids;
        while let Some(id) = ids.recv().await {
            provided.push(id);
        }
    }
    if bench.wants("ITI-43 small") && !provided.is_empty() {
        retrieve(bench, town, &provided).await;
    }
}

async fn retrieve(bench: &Bench, town: &Town, ids: &[String]) {
    let load = closed_loop(16, bench.time, town.pid(), |number| {
        let (client, url) = (town.client_named("client"), town.repository());
        let ids = ids.to_vec();
        let mut at = number * 101;
        move || {
            at = (at + 1) % ids.len();
            let request = Raw(words::retrieve(words::REPOSITORY, &[&ids[at]]));
            let (client, url) = (client.clone(), url.clone());
            async move {
                let answer = client.send::<Retrieve>(&url, &request, Vec::new());
                let mut attachments = answer.await.unwrap().attachments;
                let attachment = attachments.next().await.unwrap().unwrap();
                assert_eq!(attachment.collect(1 << 20).await.unwrap().len(), 35_000);
                assert!(attachments.next().await.unwrap().is_none());
            }
        }
    });
    row(
        "ITI-43 small (35 KB), 16 connections",
        &load.await.told(),
        "",
    );
}
