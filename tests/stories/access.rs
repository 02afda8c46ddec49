//! Rules of access at the doors of the repository and the imaging source: who may have something gets
//! it, and for everybody else it is not there.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{Client, HttpRequest};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;

/// `{lung}` is a study that came into no collection.
const RULES: &str = r#"
[[rule]]
name = "the source"
who.node = "CN=client"
permission = ["provide", "register"]
level = "full"

[[rule]]
name = "very restricted"
what.any_confidentiality = "V"
level = "nothing"

[[rule]]
name = "physicians"
who.node = "CN=physician"
what.confidentiality = ["N", "R"]
level = "full"

[[rule]]
name = "nurses"
who.node = "CN=nurse"
what.confidentiality = "N"
what.class = "REPORTS"
level = "full"

[[rule]]
name = "nurses know of images"
who.node = "CN=nurse"
what.class = "IMAGES"
permission = "query"
level = "metadata"

[[rule]]
name = "researchers"
who.node = "CN=researcher"
what.collection = "lung"
level = "full"

[[rule]]
name = "one study more"
who.node = "CN=researcher"
what.document = "{study}"
level = "full"
"#;

const CALLERS: [&str; 4] = ["physician", "nurse", "researcher", "stranger"];

/// A node with these rules, which was set up and does not run.
fn town(rules: &str) -> Town {
    let town = Town::set_up(Setup {
        uncounted: true,
        environment: vec![("HILUM_IMAGING__SETTLE_SECONDS".to_owned(), "1".to_owned())],
        ..Setup::default()
    });
    for caller in CALLERS {
        told(&town, &["certs", caller]);
    }
    std::fs::write(town.node().join("access.toml"), rules).unwrap();
    let text = std::fs::read_to_string(town.config()).unwrap();
    let text = text.replace("[access]\n", "[access]\nrules = \"access.toml\"\n");
    let collection = "[imaging]\ncollection = [{ name = \"lung\", from = [\"import\"] }]\n";
    std::fs::write(town.config(), text.replace("[imaging]\n", collection)).unwrap();
    town
}

/// Runs a command that succeeds, and gives what it says.
fn told(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Status and content of an answer to GET.
async fn get(town: &Town, client: &Client, path: &str) -> (u16, Bytes) {
    let url = format!("https://localhost:{}{path}", town.port(2));
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers: &[],
        body: Bytes::new(),
    };
    let answer = client.exchange_http(request, 1 << 24).await.unwrap();
    (answer.status, answer.body)
}

/// Which of these documents the town's client gets. What is not given is told as `absent` is.
async fn retrieved(town: &Town, ids: &[&str]) -> BTreeSet<String> {
    let absent = "2.999.404";
    let mut all = ids.to_vec();
    all.push(absent);
    let got = town.retrieve(&all).await.unwrap();
    let given = got.documents.iter().map(|it| it.unique_id.clone());
    let given: BTreeSet<String> = given.collect();
    let errors = &got.response.errors;
    assert_eq!(errors.len() + given.len(), all.len());
    let told = |id: &str| {
        let error = errors.iter().find(|it| it.location.as_deref() == Some(id));
        let error = error.unwrap();
        (
            error.code.clone(),
            error.context.replace(id, "ID"),
            error.severity,
        )
    };
    for id in ids.iter().filter(|id| !given.contains(**id)) {
        assert_eq!(told(id), told(absent));
    }
    // Alone, too: not by the status of the whole answer either.
    let alone = town.retrieve(&[absent]).await.unwrap();
    for id in ids.iter().filter(|id| !given.contains(**id)) {
        let one = town.retrieve(&[id]).await.unwrap();
        assert_eq!(one.response.status, alone.response.status);
        assert_eq!(one.response.status, ResponseStatus::Failure);
    }
    given
}

#[tokio::test]
async fn documents_that_may_not_be_had_are_not_there() {
    let mut town = town(&RULES.replace("{study}", "2.999.1"));
    town.start();
    let codes = ["N", "R", "V"];
    let mut documents: Vec<Document> = Vec::new();
    for code in codes.into_iter().cycle().take(12) {
        let mut document = Document::text(&format!("{code} {}", documents.len()));
        document.confidentiality = code;
        documents.push(document);
    }
    let submission = Submission::new("P-1", documents);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let ids = submission.documents.iter().map(|it| it.unique_id.as_str());
    let ids: Vec<&str> = ids.collect();
    for (caller, may) in [
        ("physician", &["N", "R"][..]),
        ("nurse", &["N"]),
        ("researcher", &[]),
        ("stranger", &[]),
        // The node itself is part of the infrastructure.
        ("node", &["N", "R", "V"]),
    ] {
        town.client = town.client_named(caller);
        let expected = submission.documents.iter();
        let expected = expected.filter(|it| may.contains(&it.confidentiality));
        let expected: BTreeSet<String> = expected.map(|it| it.unique_id.clone()).collect();
        assert_eq!(retrieved(&town, &ids).await, expected, "{caller}");
    }

    // The rules are read anew: a broken file changes nothing, a good one counts at once.
    let rules = town.node().join("access.toml");
    town.client = town.client_named("nurse");
    std::fs::write(&rules, "[[rule]]\nname = \"x\"\nlevl = \"full\"\n").unwrap();
    wait("refused", || town.log().contains("did you mean level?"));
    assert_eq!(retrieved(&town, &ids).await.len(), 4);
    std::fs::write(&rules, "[[rule]]\nname = \"nobody\"\nlevel = \"nothing\"\n").unwrap();
    wait("changed", || {
        town.messages()
            .iter()
            .any(|it| it.contains("110136") && it.contains("access.toml"))
    });
    assert_eq!(retrieved(&town, &ids).await.len(), 0);
    // And by a signal.
    std::fs::write(&rules, "[[rule]]\nname = \"all\"\nlevel = \"full\"\n").unwrap();
    let pid = town.pid().to_string();
    let hangup = std::process::Command::new("kill")
        .args(["-HUP", &pid])
        .status();
    assert!(hangup.unwrap().success());
    wait("changed again", || {
        let changed = town.messages();
        changed.iter().filter(|it| it.contains("110136")).count() == 2
    });
    assert_eq!(retrieved(&town, &ids).await.len(), 12);
    assert!(town.alive());
}

/// Every way to a study.
async fn reached(town: &Town, caller: &str, study: &Study) -> Vec<bool> {
    let client = town.client_named(caller);
    let (uid, (of, series, instance)) = (&study.uid, &study.instance);
    let path = format!("/dicom-web/studies/{uid}");
    let wado =
        format!("/wado?requestType=WADO&studyUID={of}&seriesUID={series}&objectUID={instance}");
    let mut reached = Vec::new();
    for path in [
        path.clone(),
        format!("{path}/metadata"),
        format!("{path}/series/{series}"),
        format!("{path}/series/{series}/instances/{instance}"),
        format!("{path}/series/{series}/instances/{instance}/metadata"),
        format!("{path}/series/{series}/instances/{instance}/frames/1"),
        format!("{path}/thumbnail"),
        format!("{path}/series/{series}/rendered"),
        wado,
    ] {
        let (status, body) = get(town, &client, &path).await;
        // The same of a study that is not there.
        if status != 200 {
            let absent = get(town, &client, &path.replace(uid, "2.999.404")).await;
            assert_eq!((status, body), absent, "{caller} {path}");
        }
        reached.push(status == 200);
    }
    reached
}

struct Study {
    uid: String,
    instance: words::Instance,
    imported: bool,
}

async fn images(town: &Town, study: &Study) -> bool {
    let ask = |instance: &words::Instance| {
        let syntax = "1.2.840.10008.1.2.1";
        words::retrieve_images(words::REPOSITORY, std::slice::from_ref(instance), &[syntax])
    };
    let got = town.retrieve_images(ask(&study.instance)).await.unwrap();
    if got.documents.is_empty() {
        let (of, series, instance) = study.instance.clone();
        let absent = ("2.999.404".to_owned(), series, instance);
        let told = town.retrieve_images(ask(&absent)).await.unwrap();
        let mut error = told.response.errors[0].clone();
        error.context = error.context.replace("2.999.404", &of);
        assert_eq!(got.response.errors, [error]);
        assert_eq!(got.response.status, told.response.status);
    }
    !got.documents.is_empty()
}

async fn listed(town: &Town, caller: &str, path: &str) -> Vec<Value> {
    let client = town.client_named(caller);
    let (status, body) = get(town, &client, &format!("/dicom-web/{path}")).await;
    assert_eq!(status, 200, "{caller} {path}");
    serde_json::from_slice(&body).unwrap()
}

fn studies_of(found: &[Value]) -> BTreeSet<String> {
    let uid = |it: &Value| it["0020000D"]["Value"][0].as_str().unwrap().to_owned();
    found.iter().map(uid).collect()
}

/// Puts two studies into the collection and two beside it.
fn filled(town: &mut Town) -> Vec<Study> {
    let folder = town.folder().join("dicom");
    let made = phantoms::write(&folder, "access", SystemTime::now(), Detail::Small).unwrap();
    let first = made[3].study_instance_uid.to_string();
    let rules = town.node().join("access.toml");
    std::fs::write(&rules, RULES.replace("{study}", &first)).unwrap();
    town.start();
    let mut studies = Vec::new();
    for (number, phantom) in made.iter().enumerate() {
        let imported = number < 2;
        let folder = phantom.folder.to_str().unwrap();
        let dicom = format!("HILUM@localhost:{}", town.port(10));
        match imported {
            true => told(town, &["import", folder]),
            false => told(town, &["dicom", "send", "--tls", &dicom, folder]),
        };
        let uid = phantom.study_instance_uid.to_string();
        let path = std::fs::read_dir(folder)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let bytes = std::fs::read(path).unwrap();
        let one = hilum_dicom::instance::read_bytes(&bytes).unwrap();
        let instance = (
            uid.clone(),
            one.series_instance_uid.to_string(),
            one.sop_instance_uid.to_string(),
        );
        studies.push(Study {
            uid,
            instance,
            imported,
        });
    }
    studies
}

#[tokio::test]
async fn studies_that_may_not_be_had_are_not_there() {
    let mut town = town("");
    let studies = filled(&mut town);
    let mut pairs = 0;
    for caller in CALLERS {
        let may_have = |at: usize, study: &Study| match caller {
            "physician" => true,
            "researcher" => study.imported || at == 3,
            _ => false,
        };
        let may_know = |at: usize, study: &Study| caller == "nurse" || may_have(at, study);
        for (at, study) in studies.iter().enumerate() {
            let expected = may_have(at, study);
            let reached = reached(&town, caller, study).await;
            pairs += reached.len() + 1;
            assert!(
                reached.iter().all(|it| *it == expected),
                "{caller} {at}: {reached:?}"
            );
            town.client = town.client_named(caller);
            assert_eq!(images(&town, study).await, expected, "{caller} {at}");
            let path = format!("studies?StudyInstanceUID={}", study.uid);
            let one = listed(&town, caller, &path);
            assert_eq!(
                one.await.len(),
                usize::from(may_know(at, study)),
                "{caller} {at}"
            );
        }
        let known = studies.iter().enumerate();
        let known = known.filter(|(at, study)| may_know(*at, study));
        let known: BTreeSet<String> = known.map(|(_, study)| study.uid.clone()).collect();
        for path in ["studies", "series", "instances", "studies?PatientName=*"] {
            let found = listed(&town, caller, path).await;
            assert_eq!(studies_of(&found), known, "{caller} {path}");
        }
        // Nor are they counted: pages hold what may be known of, and the last one says so.
        let mut paged = Vec::new();
        for offset in 0..known.len() {
            let path = format!("studies?limit=1&offset={offset}");
            let page = listed(&town, caller, &path).await;
            assert_eq!(page.len(), 1, "{caller} {path}");
            paged.extend(page);
        }
        assert_eq!(studies_of(&paged), known);
        let behind = format!("studies?offset={}", known.len());
        assert!(listed(&town, caller, &behind).await.is_empty());
    }
    println!("{pairs} pairs of callers and ways to studies");
}
