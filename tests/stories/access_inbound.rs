//! Rules of access where something is handed in or subscribed to: what no rule permits is refused, at every
//! door, with nothing kept and nothing said but that it is not permitted.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use bytes::Bytes;
use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::calls::{Publish, Raw};
use hilum_tests::consumer::Consumer;
use hilum_tests::people::configure;
use hilum_tests::town::hilum;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::{ClientError, HttpRequest};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::soap::Fault;

const RULES: &str = r#"
[[rule]]
name = "nothing restricted comes in"
what.any_confidentiality = "R"
permission = ["provide", "register"]
level = "nothing"

[[rule]]
name = "reports come in"
who.node = "CN=source"
what.class = "REPORTS"
what.confidentiality = "N"
permission = ["provide", "register"]
level = "full"

[[rule]]
name = "a device sends to its collection"
who.node = ["AE CT1", "AE CT3"]
what.collection = "ct"
permission = "provide"
level = "full"

[[rule]]
name = "a viewer sends to its collection"
who.node = ["CN=web", "CN=other"]
what.collection = "web"
permission = "provide"
level = "full"

[[rule]]
name = "only the first takes part"
who.node = "CN=other"
permission = "subscribe"
level = "nothing"

[[rule]]
name = "readers"
who.node = ["CN=reader", "CN=other"]
what.confidentiality = "N"
permission = ["query", "retrieve", "subscribe"]
level = "full"
"#;

const NODES: [&str; 5] = ["source", "reader", "web", "other", "stranger"];

fn town() -> Town {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        environment: vec![("HILUM_IMAGING__SETTLE_SECONDS".to_owned(), "1".to_owned())],
        ..Setup::default()
    });
    for node in NODES {
        told(&town, &["certs", node]);
    }
    std::fs::write(town.node().join("access.toml"), RULES).unwrap();
    let collections = "collection = [{ name = \"ct\", from = [\"CT1\"] }, \
                       { name = \"web\", from = [\"STOW-RS\"] }]";
    configure(
        &town,
        &[
            ("access", "rules = \"access.toml\""),
            ("imaging", collections),
        ],
    );
    town.start();
    town
}

/// Runs a command that succeeds, and gives what it says.
fn told(town: &Town, arguments: &[&str]) -> String {
    let output = town.run(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Files below a folder of the node's data.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(files(&path)),
            false => all.push(path),
        }
    }
    all
}

fn documents(town: &Town) -> usize {
    let all = files(&town.node().join("data/documents")).into_iter();
    all.filter(|path| !path.ends_with("lock")).count()
}

fn objects(town: &Town) -> usize {
    let all = files(&town.node().join("data")).into_iter();
    all.filter(|path| path.to_string_lossy().contains("/objects/"))
        .count()
}

fn submission(codes: &[&'static str]) -> Submission {
    let document = |(at, code): (usize, &&'static str)| {
        let mut document = Document::text(&format!("{code} {at}"));
        document.confidentiality = code;
        document
    };
    let documents = codes.iter().enumerate().map(document);
    Submission::new("P-1", documents.collect())
}

/// The whole of what is said to whoever may not.
fn not_permitted<T: std::fmt::Debug>(answer: Result<T, ClientError>) {
    match answer {
        Err(ClientError::Fault { fault, .. }) => is_no_more_than_that(&fault),
        other => panic!("{other:?}"),
    }
}

fn is_no_more_than_that(fault: &Fault) {
    assert!(fault.is("FailedAuthentication"), "{fault:?}");
    assert_eq!(fault.reason, "not permitted");
}

async fn registered(town: &Town) -> usize {
    let answer = town.query(words::find_documents("P-1", "LeafClass"));
    let answer = answer.await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Success, "{answer:?}");
    answer.objects.len()
}

#[tokio::test]
async fn documents_come_in_by_rules_only() {
    let mut town = town();
    let named = |name: &str| town.client_named(name);
    let (source, stranger, node) = (named("source"), named("stranger"), named("node"));

    town.client = source.clone();
    let response = town.provide(&submission(&["N", "N"])).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    // A submission is taken whole or not at all.
    not_permitted(town.provide(&submission(&["N", "R"])).await);
    not_permitted(town.provide(&submission(&["V"])).await);
    assert_eq!(documents(&town), 2);
    let mut direct = submission(&["N"]);
    direct.repository = true;
    let response = town.register(&direct).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let mut direct = submission(&["N", "R"]);
    direct.repository = true;
    not_permitted(town.register(&direct).await);
    // What has no documents is about nothing that a rule names.
    not_permitted(town.provide(&submission(&[])).await);
    let sent = submission(&["N"]);
    let response = town.send_directly(&sent, sent.provide_request()).await;
    assert_eq!(response.unwrap().status, ResponseStatus::Success);
    let sent = submission(&["R"]);
    not_permitted(town.send_directly(&sent, sent.provide_request()).await);

    town.client = stranger;
    not_permitted(town.provide(&submission(&["N"])).await);
    let mut direct = submission(&["N"]);
    direct.repository = true;
    not_permitted(town.register(&direct).await);
    let sent = submission(&["N"]);
    not_permitted(town.send_directly(&sent, sent.provide_request()).await);
    let published = Raw(words::publish("1.2.3", &direct.submit_objects_request()));
    let url = town.registry();
    let answer = town.client.send_one_way::<Publish>(&url, None, &published);
    not_permitted(answer.await);

    // The node itself needs no rule, nor does its repository.
    town.client = node;
    let response = town.provide(&submission(&["V"])).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(registered(&town).await, 4);
    assert_eq!(documents(&town), 3);

    let log = town.log();
    for rule in ["nothing restricted comes in", "no rule"] {
        assert!(log.contains(rule), "{rule}: {log}");
    }
    assert!(!log.contains("P-1"), "{log}");
    let refused = town.messages();
    let refused = refused.iter().filter(|it| it.contains("not permitted"));
    assert_eq!(refused.count(), 9);
}

#[tokio::test]
async fn subscriptions_are_for_those_whom_they_could_tell_something() {
    let mut town = town();
    let consumer = Consumer::of(&town, true);
    let request = words::subscribe_to_patient(&consumer.url(), "P-1");
    for (node, may) in [("reader", true), ("stranger", false), ("other", false)] {
        town.client = town.client_named(node);
        match (town.subscribe(request.clone()).await, may) {
            (Ok(_), true) => {}
            (Err(fault), false) => is_no_more_than_that(&fault),
            (other, _) => panic!("{node}: {other:?}"),
        }
    }
    // The subscriber is told of what it may see, and of nothing else.
    town.client = town.client_named("node");
    for code in ["R", "N"] {
        let response = town.provide(&submission(&[code])).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    }
    consumer.takes(1).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(consumer.came().len(), 1);
}

/// `hilum dicom` with this certificate and this title.
fn dicom(
    town: &Town,
    (certificate, title): (&str, &str),
    arguments: &[&str],
) -> Result<(), String> {
    let mut command: Command = hilum();
    command.args(["dicom", arguments[0], "--tls"]);
    command.arg(format!("HILUM@localhost:{}", town.port(10)));
    command.args(&arguments[1..]).current_dir(town.node());
    command.env("HILUM_TLS__CERTIFICATE", format!("certs/{certificate}.pem"));
    command.env("HILUM_TLS__KEY", format!("certs/{certificate}.key"));
    command.env("HILUM_DICOM__AE_TITLE", title);
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{output:?}")),
    }
}

async fn request(town: &Town, node: &str, method: &str, path: &str, body: Vec<u8>) -> (u16, Bytes) {
    let url = format!("https://localhost:{}{path}", town.port(2));
    let kind = "multipart/related; type=\"application/dicom\"; boundary=b".to_owned();
    let headers: &[(&str, String)] = match method {
        "POST" => &[("content-type", kind)],
        _ => &[],
    };
    let request = HttpRequest {
        method,
        url: &url,
        headers,
        body: body.into(),
    };
    let client = town.client_named(node);
    let answer = client.exchange_http(request, 1 << 24).await.unwrap();
    (answer.status, answer.body)
}

async fn store(town: &Town, node: &str, object: &[u8]) -> (u16, Bytes) {
    let mut body = b"--b\r\nContent-Type: application/dicom\r\n\r\n".to_vec();
    body.extend_from_slice(object);
    body.extend_from_slice(b"\r\n--b--\r\n");
    request(town, node, "POST", "/dicom-web/studies", body).await
}

async fn studies(town: &Town) -> usize {
    let (status, body) = request(town, "node", "GET", "/dicom-web/studies", Vec::new()).await;
    assert_eq!(status, 200);
    let all: Vec<Value> = serde_json::from_slice(&body).unwrap();
    all.len()
}

fn first_file(folder: &Path) -> PathBuf {
    let mut all = files(folder);
    all.sort();
    all.remove(0)
}

#[tokio::test]
async fn images_come_in_by_rules_only() {
    let town = town();
    let folder = town.folder().join("dicom");
    let made = phantoms::write(&folder, "inbound", SystemTime::now(), Detail::Small).unwrap();
    let [first, second, ..] = made.as_slice() else {
        panic!("{made:?}");
    };
    let (one, two) = (first_file(&first.folder), first_file(&second.folder));
    let path = one.to_str().unwrap();
    // Nobody asks who only wants to know whether we are there.
    dicom(&town, ("stranger", "CT2"), &["echo"]).unwrap();
    let refused = dicom(&town, ("stranger", "CT2"), &["send", path]).unwrap_err();
    assert!(refused.contains("0124"), "{refused}");
    // What it sends comes into no collection.
    let refused = dicom(&town, ("stranger", "CT3"), &["send", path]).unwrap_err();
    assert!(refused.contains("0124"), "{refused}");
    assert_eq!((studies(&town).await, objects(&town)), (0, 0));
    dicom(&town, ("stranger", "CT1"), &["send", path]).unwrap();
    assert_eq!((studies(&town).await, objects(&town)), (1, 1));

    let bytes = std::fs::read(&two).unwrap();
    let (status, body) = store(&town, "stranger", &bytes).await;
    assert_eq!((status, &body[..]), (403, &b"not permitted\n"[..]));
    let (status, _) = store(&town, "web", &bytes).await;
    assert_eq!(status, 200);
    assert_eq!((studies(&town).await, objects(&town)), (2, 2));

    // Rules are read anew: now it is decided by what the object is.
    let rules = RULES.replace("\"CN=web\"", "\"CN=nobody\"");
    let rules = rules.replace(
        "\"CN=other\"]\nwhat.collection = \"web\"",
        "\"CN=web\"]\nwhat.collection = \"ct\"",
    );
    std::fs::write(town.node().join("access.toml"), rules).unwrap();
    told(
        &town,
        &["access", "check", "access.toml", "--config", "hilum.toml"],
    );
    let begun = std::time::Instant::now();
    let third = std::fs::read(first_file(&made[2].folder)).unwrap();
    let (status, body) = loop {
        let (status, body) = store(&town, "web", &third).await;
        if status != 200 || begun.elapsed() > std::time::Duration::from_secs(20) {
            break (status, body);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    };
    assert_eq!(status, 403);
    let told: Value = serde_json::from_slice(&body).unwrap();
    // Failed SOP Sequence, Failure Reason: Refused, Not Authorized.
    assert_eq!(told["00081198"]["Value"][0]["00081197"]["Value"][0], 0x0124);
    let log = town.log();
    assert!(
        log.contains("rule=\"no rule\"") || log.contains("no rule"),
        "{log}"
    );
}

/// Bytes with one text in place of another of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = bytes[at..]
        .windows(from.len())
        .position(|it| it == from.as_bytes())
    {
        bytes[at + found..at + found + from.len()].copy_from_slice(to.as_bytes());
        at += found + from.len();
    }
    bytes
}

/// The same text with its last letter changed.
fn varied(text: &str) -> String {
    let last = if text.ends_with('7') { "8" } else { "7" };
    format!("{}{last}", &text[..text.len() - 1])
}

/// Whoever may not see a study cannot find out by sending to it that it is there.
#[tokio::test]
async fn a_hidden_study_is_answered_as_an_absent_one() {
    let town = town();
    let folder = town.folder().join("dicom");
    let made = phantoms::write(&folder, "hidden", SystemTime::now(), Detail::Small).unwrap();
    let hidden = &made[0];
    told(&town, &["import", hidden.folder.to_str().unwrap()]);
    let bytes = std::fs::read(first_file(&hidden.folder)).unwrap();
    let instance = hilum_dicom::instance::read_bytes(&bytes).unwrap();
    let study = instance.study_instance_uid.to_string();
    let sop = instance.sop_instance_uid.to_string();
    let (other_study, other_sop) = (varied(&study), varied(&sop));
    let patient = hidden.patient_id;

    // Another patient's, in the study that is there, and in one that is not.
    let strange = replaced(&bytes, patient, &varied(patient));
    let strange = replaced(&strange, &sop, &other_sop);
    let absent = replaced(&strange, &study, &other_study);
    let as_text = |(status, body): (u16, Bytes)| {
        let text = String::from_utf8(body.to_vec()).unwrap();
        let text = text.replace(&other_study, "STUDY").replace(&study, "STUDY");
        (status, text.replace(&other_sop, "SOP").replace(&sop, "SOP"))
    };
    let there = as_text(store(&town, "web", &strange).await);
    assert_eq!(there.0, 200, "{there:?}");
    assert!(town.run(&["quarantine", "list"]).status.success());
    let kept_back = told(&town, &["quarantine", "list", "--json"]);
    assert!(kept_back.contains(&other_sop), "{kept_back}");
    // The same name with another content, and as it is, and a new one.
    let other_content =
        as_text(store(&town, "web", &replaced(&bytes, patient, &varied(patient))).await);
    let not_there = as_text(store(&town, "web", &absent).await);
    assert_eq!(there, not_there);
    assert_eq!(other_content, not_there);
}

/// The same document once more, as somebody else would register it.
fn again(document: &Document, patient: &str, confidentiality: &'static str) -> Submission {
    let mut document = document.clone();
    document.id = words::new_uuid();
    document.confidentiality = confidentiality;
    let mut submission = Submission::new(patient, vec![document]);
    submission.repository = true;
    submission
}

async fn given(town: &mut Town, node: &str, id: &str) -> bool {
    town.client = town.client_named(node);
    let got = town.retrieve(&[id]).await.unwrap();
    if got.documents.is_empty() {
        let absent = town.retrieve(&["2.999.404"]).await.unwrap();
        let mut error = absent.response.errors[0].clone();
        error.context = error.context.replace("2.999.404", id);
        error.location = Some(id.to_owned());
        assert_eq!(got.response.errors, [error]);
        assert_eq!(got.response.status, absent.response.status);
    }
    !got.documents.is_empty()
}

/// What others register under the uniqueId of a document neither hides it nor gives it to anybody.
#[tokio::test]
async fn a_foreign_entry_changes_nothing() {
    let mut town = town();
    town.client = town.client_named("node");
    let (open, hidden) = (submission(&["N"]), submission(&["V"]));
    for submission in [&open, &hidden] {
        let response = town.provide(submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    }
    let (open, hidden) = (&open.documents[0], &hidden.documents[0]);
    assert!(given(&mut town, "reader", &open.unique_id).await);
    assert!(!given(&mut town, "reader", &hidden.unique_id).await);
    // An entry that the reader may not see, of the same patient and of another; and one of the hidden
    // document that the reader may see. Nobody is told whether they are the first.
    for (document, patient, code) in [
        (open, "P-1", "V"),
        (open, "P-2", "V"),
        (hidden, "P-1", "N"),
        (hidden, "P-2", "N"),
    ] {
        let node = if code == "N" { "source" } else { "node" };
        town.client = town.client_named(node);
        let foreign = again(document, patient, code);
        let response = town.register(&foreign).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        assert!(response.errors.is_empty());
        assert!(
            given(&mut town, "reader", &open.unique_id).await,
            "{patient} {code}"
        );
        assert!(
            !given(&mut town, "reader", &hidden.unique_id).await,
            "{patient} {code}"
        );
    }
    // Handed in with all its bytes, too.
    town.client = town.client_named("source");
    let mut twin = again(hidden, "P-1", "N");
    twin.repository = false;
    let response = town.provide(&twin).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert!(!given(&mut town, "reader", &hidden.unique_id).await);
}

/// What refers to a hidden document is refused as what refers to none.
#[tokio::test]
async fn hidden_documents_cannot_be_replaced() {
    let mut town = town();
    town.client = town.client_named("node");
    let hidden = submission(&["V"]);
    assert_eq!(
        town.provide(&hidden).await.unwrap().status,
        ResponseStatus::Success
    );
    let found = town
        .query(words::find_documents("P-1", "LeafClass"))
        .await
        .unwrap();
    let uuid = found.objects[0].id.clone();
    let absent = words::new_uuid();
    town.client = town.client_named("source");
    let mut told = Vec::new();
    for target in [&uuid, &absent] {
        let mut replacing = submission(&["N"]);
        replacing.more = format!(
            "<rim:Association id=\"Replaces\" associationType=\"urn:ihe:iti:2007:AssociationType:RPLC\" \
             sourceObject=\"{}\" targetObject=\"{target}\"/>",
            replacing.documents[0].id
        );
        let response = town.provide(&replacing).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Failure);
        let mut text = format!("{:?}", response.errors);
        text = text.replace(target.as_str(), "TARGET");
        assert!(text.contains("UnresolvedReferenceException"), "{text}");
        told.push(text);
    }
    assert_eq!(told[0], told[1]);
    town.client = town.client_named("node");
    let after = town
        .query(words::find_documents("P-1", "LeafClass"))
        .await
        .unwrap();
    assert_eq!(after.objects, found.objects);
}

/// What nobody could heed is not taken as if it were heeded.
#[tokio::test]
async fn consents_that_nobody_could_heed_are_refused() {
    let town = town();
    let consent = |purpose: &str| {
        let authority = words::PATIENT_AUTHORITY;
        format!(
            r#"{{"resourceType": "Consent", "status": "active",
            "patient": {{"identifier": {{"system": "urn:oid:{authority}", "value": "P-1"}}}},
            "provision": {{"type": "deny", "purpose": [{{
              "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "{purpose}"}}]}}}}"#
        )
    };
    let client = town.client_named("node");
    let url = town.registry().replace("/registry", "/fhir/Consent");
    for (purpose, status) in [("TREAT", 201), ("TRAET", 422)] {
        let request = HttpRequest {
            method: "POST",
            url: &url,
            headers: &[("content-type", "application/fhir+json".to_owned())],
            body: consent(purpose).into(),
        };
        let answer = client.exchange_http(request, 1 << 20).await.unwrap();
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, status, "{said}");
        if status == 422 {
            assert_eq!(said["resourceType"], "OperationOutcome");
            let said = said.to_string();
            assert!(said.contains("provision.purpose: "), "{said}");
            assert!(said.contains("did you mean TREAT?"), "{said}");
        }
    }
}
