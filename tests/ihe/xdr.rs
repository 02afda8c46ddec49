//! XDR: ITI-41 to a Document Recipient, which keeps what it gets for people.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hilum_tests::calls::{Provide, Raw, parts};
use hilum_tests::words::{self, Document, HOME, Submission};
use hilum_tests::{Setup, Town, raw};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use xds_schemas::codes::status::{ResponseStatus, Severity};
use xds_schemas::ebrs::RegistryResponse;

use crate::codes;

const REPORTS: &str = "41a5887f-8865-4c09-adf7-e362475b143a";
const PATIENT_OF_ENTRY: &str = "58a6f841-87b3-4a3e-92fd-a8ffeff98427";
const PATIENT_OF_SET: &str = "6b5aea1a-874d-4603-a4bc-96a0a7b38446";
const LIMITED_ENTRY: &str = "ab9b591b-83ab-4d03-8f5d-f93b1fb92e85";
const LIMITED_SET: &str = "5003a9db-8d8d-49e6-bf0c-990e34ac7707";

/// The message without the elements of this kind and scheme.
fn without(xml: &str, element: &str, scheme: &str) -> String {
    let (open, close) = (format!("<rim:{element} "), format!("</rim:{element}>"));
    let mut rest = xml;
    let mut kept = String::new();
    while let Some(start) = rest.find(&open) {
        let length = rest[start..].find(&close).map(|at| at + close.len());
        let (before, from) = rest.split_at(start);
        kept.push_str(before);
        // Flags close themselves.
        let own_end = from.find('>').unwrap() + 1;
        let flag = from[..own_end].ends_with("/>");
        let (one, after) = from.split_at(if flag { own_end } else { length.unwrap() });
        if !one[..own_end].contains(scheme) {
            kept.push_str(one);
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// The message of a Metadata-Limited Document Source: flags, and hardly anything else.
fn limited(submission: &Submission) -> String {
    let mut xml = submission.provide_request();
    for scheme in [
        "41a5887f", "f4f85eac", "a09d5840", "f33fb8ac", "cccf5598", "f0306f51",
    ] {
        xml = without(&xml, "Classification", scheme);
    }
    xml = without(&xml, "Classification", "aa543740");
    for scheme in [PATIENT_OF_ENTRY, PATIENT_OF_SET] {
        xml = without(&xml, "ExternalIdentifier", scheme);
    }
    let flag = |object: &str, node: &str| {
        format!(
            r#"<rim:Classification id="limited-{object}" classifiedObject="{object}" classificationNode="urn:uuid:{node}"/>"#
        )
    };
    // Classifications come before external identifiers.
    for document in &submission.documents {
        let of = format!(
            r#"<rim:ExternalIdentifier id="2e82c1f6-a085-4c72-9da3-8640a32e42ab-{}""#,
            document.id
        );
        xml = xml.replacen(&of, &(flag(&document.id, LIMITED_ENTRY) + &of), 1);
    }
    let of = r#"<rim:ExternalIdentifier id="554ac39e-e3fe-47fe-b233-965d2a147832-SubmissionSet""#;
    xml.replacen(of, &(flag("SubmissionSet", LIMITED_SET) + of), 1)
}

fn two_documents(patient: &str) -> Submission {
    let documents = vec![
        Document::text("a letter"),
        Document::of("application/pdf", b"%PDF-1.7 no real one".to_vec()),
    ];
    Submission::new(patient, documents)
}

fn inbox(town: &Town) -> Vec<Value> {
    let output = town.run(&["inbox", "list", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    said["submissions"].as_array().unwrap().clone()
}

fn run(town: &Town, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = town.run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn send(town: &Town, submission: &Submission) -> RegistryResponse {
    let request = submission.provide_request();
    town.send_directly(submission, request).await.unwrap()
}

/// ITI TF-2 3.41.4.1.3.1: a recipient takes submissions of several documents; what waits for a
/// person is told by the warning DocumentQueued. What is kept is a directory of ITI-32.
#[tokio::test]
async fn a_submission_waits_in_the_inbox_whole() {
    let town = Town::secure();
    let submission = two_documents("Sent-1");
    let response = send(&town, &submission).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(codes(&response), ["DocumentQueued", "DocumentQueued"]);
    assert!(
        response
            .errors
            .iter()
            .all(|it| it.severity == Severity::Warning)
    );
    let listed = inbox(&town);
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["uniqueId"], *submission.unique_id);
    assert_eq!(listed[0]["documents"], 2);
    assert_eq!(listed[0]["patientId"], *submission.patient_id);
    assert!(
        listed[0]["sender"].as_str().unwrap().contains("CN="),
        "{listed:?}"
    );

    let folder = town
        .node()
        .join("data/inbox/submissions")
        .join(&submission.unique_id);
    let (code, _, said) = run(&town, &["media", "check", folder.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    let look = town.folder().join("look");
    let (code, _, said) = run(
        &town,
        &[
            "inbox",
            "show",
            &submission.unique_id,
            "--out",
            look.to_str().unwrap(),
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    for (name, document) in ["DOC00001.TXT", "DOC00002.PDF"]
        .iter()
        .zip(&submission.documents)
    {
        assert_eq!(std::fs::read(look.join(name)).unwrap(), document.content);
        assert_eq!(std::fs::read(folder.join(name)).unwrap(), document.content);
    }

    let zip = town.folder().join("letters.zip");
    let (code, _, said) = run(
        &town,
        &[
            "inbox",
            "export",
            &submission.unique_id,
            "--out",
            zip.to_str().unwrap(),
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    let (code, _, said) = run(&town, &["media", "check", zip.to_str().unwrap()]);
    assert_eq!((code, said.as_str()), (Some(0), ""));

    let (code, ..) = run(&town, &["inbox", "delete", &submission.unique_id]);
    assert_eq!(code, Some(0));
    assert!(inbox(&town).is_empty() && !folder.exists());
    let (code, _, said) = run(&town, &["inbox", "show", &submission.unique_id]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no submission"), "{said}");
}

/// ITI TF-2 3.41.4.1.3: hash and size are verified, one document for each entry and one entry for
/// each document.
#[tokio::test]
async fn what_is_not_as_it_says_is_rejected() {
    let town = Town::secure();
    let mut wrong_hash = two_documents("Sent-2");
    wrong_hash.documents[1].hash = Some("00".repeat(20));
    let mut wrong_size = two_documents("Sent-2");
    wrong_size.documents[0].size = Some(7);
    for submission in [&wrong_hash, &wrong_size] {
        let response = send(&town, submission).await;
        assert_eq!(response.status, ResponseStatus::Failure);
        assert_eq!(codes(&response), ["XDSRepositoryMetadataError"]);
    }
    let submission = two_documents("Sent-2");
    let request = submission.provide_request();
    let id = &submission.documents[0].id;
    let renamed = request.replacen(
        &format!(r#"<xds:Document id="{id}""#),
        r#"<xds:Document id="nobody""#,
        1,
    );
    let response = town.send_directly(&submission, renamed).await.unwrap();
    let mut both = codes(&response);
    both.sort_unstable();
    assert_eq!(both, ["XDSMissingDocument", "XDSMissingDocumentMetadata"]);
    let on_demand = request.replacen(
        "7edca82f-054d-47f2-a032-9b2a5b5186c1",
        "34268e47-fdf5-41a6-ba33-82133c465248",
        1,
    );
    let response = town.send_directly(&submission, on_demand).await.unwrap();
    assert_eq!(codes(&response), ["XDSRepositoryMetadataError"]);
    assert!(inbox(&town).is_empty());
    // What is left out is computed, and what comes again is not kept twice.
    let mut unsaid = two_documents("Sent-2");
    unsaid.documents[0].hash = None;
    unsaid.documents[0].size = None;
    for _ in 0..2 {
        assert_eq!(send(&town, &unsaid).await.status, ResponseStatus::Success);
    }
    assert_eq!(inbox(&town).len(), 1);
    let mut other = two_documents("Sent-2");
    other.unique_id.clone_from(&unsaid.unique_id);
    let response = send(&town, &other).await;
    assert_eq!(codes(&response), ["XDSDuplicateUniqueIdInRegistry"]);
}

/// ITI TF-2 3.41.4.1.3.1: folders and relationships that are not processed are no reason to reject
/// a submission; each is told by its own warning.
#[tokio::test]
async fn what_is_not_processed_is_warned_of() {
    let town = Town::secure();
    let urn = "urn:ihe:iti:2007:AssociationType";
    let mut expected = Vec::new();
    let mut submission = two_documents("Sent-3");
    let (first, second) = (
        submission.documents[0].id.clone(),
        submission.documents[1].id.clone(),
    );
    let elsewhere = words::new_uuid();
    for (kind, target, code) in [
        ("APND", &second, "PartialAppendContentNotProcessed"),
        ("RPLC", &elsewhere, "PartialReplaceContentNotProcessed"),
        ("XFRM", &second, "PartialTransformNotProcessed"),
        (
            "XFRM_RPLC",
            &elsewhere,
            "PartialTransformReplaceNotProcessed",
        ),
        ("signs", &second, "PartialRelationshipContentNotProcessed"),
    ] {
        submission.more.push_str(&format!(
            r#"<rim:Association id="{kind}" associationType="{urn}:{kind}" sourceObject="{first}" targetObject="{target}"/>"#
        ));
        expected.push(code);
    }
    submission.more.push_str(&format!(
        r#"<rim:Association id="into" associationType="urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember" sourceObject="{elsewhere}" targetObject="{first}"/>"#
    ));
    expected.push("PartialFolderContentNotProcessed");
    let response = send(&town, &submission).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let mut told: Vec<&str> = codes(&response);
    told.retain(|code| *code != "DocumentQueued");
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert!(
        response
            .errors
            .iter()
            .all(|it| it.severity == Severity::Warning)
    );
}

/// ITI TF-1 15.2.3, ITI TF-3 Table 4.3.1-3: limited metadata is for who says so, and for recipients
/// that accept it.
#[tokio::test]
async fn limited_metadata_is_accepted_if_it_says_so() {
    let town = Town::secure();
    let submission = two_documents("Sent-4");
    let response = town
        .send_directly(&submission, limited(&submission))
        .await
        .unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(inbox(&town)[0]["limitedMetadata"], true);
    // Without the flag, what an XDR Document Source must supply is missing; the patient ID may be.
    let plain = two_documents("Sent-4");
    let mut request = plain.provide_request();
    for scheme in [PATIENT_OF_ENTRY, PATIENT_OF_SET] {
        request = without(&request, "ExternalIdentifier", scheme);
    }
    let response = town.send_directly(&plain, request.clone()).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let plain = two_documents("Sent-4");
    let request = without(&plain.provide_request(), "Classification", REPORTS);
    let response = town.send_directly(&plain, request).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert_eq!(codes(&response), ["XDSRepositoryMetadataError"; 2]);

    // What a clerk has matched becomes a document like others, when what it lacks is added.
    let id = &*submission.unique_id;
    let (code, _, said) = run(&town, &["inbox", "register", id, "--patient", "Matched-4"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("--complete") && said.contains("classCode is missing"),
        "{said}"
    );
    let (code, _, said) = run(
        &town,
        &[
            "inbox",
            "register",
            id,
            "--patient",
            "Matched-4",
            "--complete",
            "--delete",
        ],
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("classCode"), "{said}");
    town.expected.add("ITI-41", "Import", 1);
    // The command asked whether it is registered, which both sides recorded.
    town.expected.add("ITI-18", "Query", 2);
    let found = town
        .query(words::find_documents("Matched-4", "LeafClass"))
        .await
        .unwrap();
    assert_eq!(found.objects.len(), 2);
    assert!(inbox(&town).iter().all(|one| one["uniqueId"] != *id));
    let got = town
        .retrieve(&[&submission.documents[1].unique_id])
        .await
        .unwrap();
    assert_eq!(got.documents[0].content, submission.documents[1].content);
}

#[tokio::test]
async fn an_operator_may_decline_limited_metadata_and_name_recipients() {
    let town = Town::found(Setup {
        environment: vec![
            ("HILUM_RECIPIENT__LIMITED_METADATA".into(), "false".into()),
            (
                "HILUM_RECIPIENT__RECIPIENTS".into(),
                "Some Hospital, 11375".into(),
            ),
            ("HILUM_RECIPIENT__MAX_SUBMISSIONS".into(), "2".into()),
        ],
        ..Setup::default()
    });
    let submission = two_documents("Sent-5");
    let response = town
        .send_directly(&submission, limited(&submission))
        .await
        .unwrap();
    assert_eq!(response.status, ResponseStatus::Failure);
    assert!(
        response
            .errors
            .iter()
            .any(|it| it.context.contains("limitedMetadata"))
    );
    // ITI TF-2 3.41.4.1.3: who is not known is told as a warning.
    let slot = |values: &[&str]| {
        let values = values
            .iter()
            .map(|it| format!("<rim:Value>{it}</rim:Value>"));
        format!(
            r#"<rim:RegistryPackage id="SubmissionSet"><rim:Slot name="intendedRecipient"><rim:ValueList>{}</rim:ValueList></rim:Slot>"#,
            values.collect::<String>()
        )
    };
    let request = |submission: &Submission, values: &[&str]| {
        let set = r#"<rim:RegistryPackage id="SubmissionSet">"#;
        submission.provide_request().replacen(set, &slot(values), 1)
    };
    let known = ["Some Hospital^^^^^^^^^2.999.8", "|11375^Welby^Marcus"];
    let response = town
        .send_directly(&submission, request(&submission, &known))
        .await
        .unwrap();
    assert_eq!(codes(&response), ["DocumentQueued"; 2]);
    let unknown = two_documents("Sent-5");
    let named = ["|11375^Welby^Marcus", "Other Hospital"];
    let response = town
        .send_directly(&unknown, request(&unknown, &named))
        .await
        .unwrap();
    assert_eq!(response.status, ResponseStatus::Success);
    assert_eq!(
        codes(&response),
        ["DocumentQueued", "DocumentQueued", "UnknownRecipient"]
    );
    // The inbox takes no third one.
    let response = send(&town, &two_documents("Sent-5")).await;
    assert_eq!(codes(&response), ["XDSRepositoryOutOfResources"]);
    let recipients = inbox(&town);
    let recipients = recipients[0]["intendedRecipient"].as_array().unwrap();
    assert_eq!(recipients.len(), 2);
}

/// ITI TF-2 3.41 (home community ID in the SOAP header), ITI TF-3 Table 4.2.4.1-2: what is meant for
/// another community is XDSUnknownCommunity.
#[tokio::test]
async fn the_community_of_the_header_is_understood() {
    let town = Town::plain();
    let send = |path: &str, home: &str| {
        let mut submission = two_documents("Sent-6");
        submission.documents.truncate(1);
        let inline = submission.provide_request();
        let include = inline.find("<xop:Include").unwrap();
        let end = include + inline[include..].find("/>").unwrap() + 2;
        // "a letter"
        let request = format!("{}YSBsZXR0ZXI={}", &inline[..include], &inline[end..]);
        let block = format!(
            r#"<xdr:homeCommunityBlock xmlns:xdr="urn:ihe:iti:xdr:2014" s:mustUnderstand="true"><xdr:homeCommunityId>{home}</xdr:homeCommunityId></xdr:homeCommunityBlock>"#
        );
        let action = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b";
        let envelope = words::envelope_with(action, &block, &request);
        town.expected.add("ITI-41", "Import", 1);
        raw::soap(town.port(2), path, &envelope).response()
    };
    let mine = format!("urn:oid:{HOME}");
    for path in ["/recipient", "/repository"] {
        assert_eq!(send(path, &mine).status, ResponseStatus::Success);
        let refused = send(path, "urn:oid:2.999.77");
        assert_eq!(codes(&refused), ["XDSUnknownCommunity"]);
    }
    let kept = inbox(&town);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["homeCommunityId"], *mine);
}

/// What a clerk does: look, match, register. What the sender called the patient stays known.
#[tokio::test]
async fn a_clerk_registers_what_was_sent() {
    let town = Town::secure();
    let submission = two_documents("Known-There");
    send(&town, &submission).await;
    let id = &*submission.unique_id;
    let arguments = ["inbox", "register", id, "--patient", "Known-Here", "--json"];
    let (code, said, error) = run(&town, &arguments);
    assert_eq!(code, Some(0), "{error}");
    town.expected.add("ITI-41", "Import", 1);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["fate"], "Registered");
    let found = town
        .query(words::find_documents("Known-Here", "LeafClass"))
        .await
        .unwrap();
    assert_eq!(found.objects.len(), 2);
    for object in &found.objects {
        // The department's own, as the source said it.
        let source = &object.slot("sourcePatientId").unwrap().values;
        assert_eq!(source, &["DEPT-1^^^&2.999.9&ISO"]);
        assert!(object.slot("URI").is_none());
    }
    let ids: Vec<&str> = submission
        .documents
        .iter()
        .map(|it| &*it.unique_id)
        .collect();
    let got = town.retrieve(&ids).await.unwrap();
    for (got, sent) in got.documents.iter().zip(&submission.documents) {
        assert_eq!(got.content, sent.content);
    }
    // Again is harmless, and says so; for another patient it is not the same.
    let (code, said, _) = run(&town, &arguments);
    assert_eq!(code, Some(0));
    assert!(said.contains("\"Known\""), "{said}");
    let (code, _, said) = run(
        &town,
        &["inbox", "register", id, "--patient", "Somebody-Else"],
    );
    assert_eq!(code, Some(1));
    assert!(said.contains("another patient"), "{said}");
    assert_eq!(inbox(&town).len(), 1);
    town.expected.add("ITI-18", "Query", 3 * 2);
    // Every look into the inbox leaves a record on both sides.
    let records = town.records();
    let count = |transaction: &str| {
        let of = |record: &&Value| record["transaction"] == transaction;
        records.iter().filter(of).count()
    };
    assert_eq!(count("inbox fetch"), 6, "{records:?}");
    assert_eq!(count("inbox list"), 2);
}

/// Whether a submission in the inbox is whole, with the bytes that were sent.
fn is_whole(folder: &Path, submission: &Submission) -> bool {
    let folder = folder.join(&submission.unique_id);
    if !folder.exists() {
        return false;
    }
    assert!(folder.join("METADATA.XML").is_file(), "{folder:?}");
    for (at, document) in submission.documents.iter().enumerate() {
        let file = folder.join(format!("DOC{:05}.TXT", at + 1));
        assert_eq!(std::fs::read(&file).unwrap(), document.content, "{file:?}");
    }
    true
}

/// What was answered with Success is in the inbox when the node is killed and starts again; of
/// everything else there is all or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_all_or_nothing() {
    let kills = std::env::var("HILUM_KILLS").ok();
    let kills: u64 = kills.map_or(3, |text| text.parse().unwrap());
    let town = Arc::new(Mutex::new(Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    })));
    let mut sent: Vec<(Submission, bool)> = Vec::new();
    for kill in 0..kills {
        let mut sources = JoinSet::new();
        for number in 0..4 {
            let (client, url) = {
                let town = town.lock().await;
                (town.client_named("client"), town.recipient())
            };
            sources.spawn(async move {
                let mut sent = Vec::new();
                loop {
                    let text = format!("source {number}, submission {}. ", sent.len());
                    let documents = (0..3).map(|at| Document::text(&text.repeat(1 + 2000 * at)));
                    let submission = Submission::new("Nobody", documents.collect());
                    let request = Raw(submission.provide_request());
                    let answer = client
                        .send::<Provide>(&url, &request, parts(&submission))
                        .await;
                    let done = answer.is_ok();
                    if let Ok(answer) = answer {
                        let response = answer.response;
                        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
                    }
                    sent.push((submission, done));
                    if !done {
                        return sent;
                    }
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(300 + 250 * kill)).await;
        town.lock().await.kill();
        let before = sent.len();
        while let Some(round) = sources.join_next().await {
            sent.extend(round.unwrap());
        }
        assert!(
            sent[before..].iter().any(|(_, done)| *done),
            "nothing was under way"
        );
        let mut town = town.lock().await;
        town.start();
        let data = town.node().join("data/inbox");
        let incoming = std::fs::read_dir(data.join("incoming")).unwrap();
        assert_eq!(incoming.count(), 0);
        let listed = inbox(&town);
        let mut there = 0;
        for (submission, done) in &sent {
            let whole = is_whole(&data.join("submissions"), submission);
            assert!(
                whole || !done,
                "a submission that was answered with Success is lost"
            );
            there += usize::from(whole);
        }
        assert_eq!(listed.len(), there);
    }
}
