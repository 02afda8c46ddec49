//! ITI-108: what patients wish, recorded over the wire and by the command, counts at the next call; and
//! what rules hide from which node, for every node and every document.

use bytes::Bytes;
use hilum_tests::town::Setup;
use hilum_tests::{Town, words};
use hilum_transport::{Client, HttpRequest};
use serde_json::{Value, json};
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrs::{ReturnType, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{
    DocumentFilter, FindDocuments, RegistryStoredQuery, StoredQuery,
};
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, DocumentEntryType, EntryUuid, Folder, PatientId,
    RepositoryUniqueId, Submission, SubmissionSet, Timestamp,
};

/// The client registers and records consents; the ward gets what is not confidential and not denied,
/// the institute only what is permitted, and nobody else gets anything.
const RULES: &str = r#"
[[rule]]
name = "source of consents"
who = { node = ["CN=client"] }
permission = ["consent"]
level = "full"

[[rule]]
name = "source"
who = { node = ["CN=client"] }
level = "full"

[[rule]]
name = "very restricted"
what = { any_confidentiality = ["V"] }
level = "nothing"

[[rule]]
name = "restricted"
who = { node = ["CN=ward"] }
what = { any_confidentiality = ["R"] }
level = "existence"

[[rule]]
name = "ward"
who = { node = ["CN=ward"] }
consent = "opt-out"
level = "full"

[[rule]]
name = "institute"
who = { node = ["CN=institute"] }
what = { confidentiality = ["N"] }
consent = "opt-in"
level = "metadata"
"#;

const NODES: [&str; 4] = ["client", "ward", "institute", "stranger"];

/// A town with these rules, and certificates for further nodes.
fn town() -> Town {
    let mut town = Town::set_up(Setup {
        environment: vec![("HILUM_ACCESS__RULES".to_owned(), "access.toml".to_owned())],
        // What is counted here are decisions.
        uncounted: true,
        ..Setup::default()
    });
    std::fs::write(town.node().join("access.toml"), RULES).unwrap();
    for node in &NODES[1..] {
        let made = town.run(&["certs", node]);
        assert!(made.status.success(), "{made:?}");
    }
    town.start();
    town
}

fn patient(id: &str) -> PatientId {
    PatientId::new(id, words::PATIENT_AUTHORITY)
}

fn submission(of: &PatientId, documents: &[(EntryUuid, &str)]) -> Submission {
    let code = |code: &str, scheme: &str| Some(Code::new(code, scheme, code));
    let mut submission = Submission::new(SubmissionSet {
        content_type_code: code("18842-5", "2.16.840.1.113883.6.1"),
        patient_id: Some(of.clone()),
        submission_time: Timestamp::parse("20261127").ok(),
        ..SubmissionSet::new("Set", words::new_oid(), "1.2.3.5")
    });
    for (uuid, confidentiality) in documents {
        submission.add_document(DocumentEntry {
            authors: vec![Author {
                person: Some("^Welby^Marcus".to_owned()),
                ..Author::default()
            }],
            class_code: code("REPORTS", "1.3.6.1.4.1.19376.1.2.6.1"),
            confidentiality_codes: code(confidentiality, "2.16.840.1.113883.5.25")
                .into_iter()
                .collect(),
            format_code: code("urn:ihe:rad:TEXT", "1.3.6.1.4.1.19376.1.2.3"),
            healthcare_facility_type_code: code("22232009", "2.16.840.1.113883.6.96"),
            practice_setting_code: code("394914008", "2.16.840.1.113883.6.96"),
            type_code: code("18748-4", "2.16.840.1.113883.6.1"),
            creation_time: Timestamp::parse("20261127").ok(),
            hash: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
            size: Some(0),
            language_code: Some("en".to_owned()),
            patient_id: Some(of.clone()),
            source_patient_id: Some(PatientId::new("L1", "1.2.3.7")),
            repository_unique_id: Some(RepositoryUniqueId::from(words::REPOSITORY)),
            ..DocumentEntry::new(uuid.as_str(), words::new_oid(), "text/plain")
        });
    }
    submission
}

async fn register(town: &Town, client: &Client, submission: &Submission) -> Vec<String> {
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    };
    let url = town.registry();
    let sent = client.send::<RegisterDocumentSet>(&url, &request, Vec::new());
    let response = sent.await.unwrap().response;
    let errors = response.errors.iter();
    errors
        .map(|error| format!("{} {}", error.code.as_str(), error.context))
        .collect()
}

/// The names of what a node finds of a patient.
async fn find(town: &Town, client: &Client, of: &PatientId, wanted: ReturnType) -> Vec<String> {
    let query = StoredQuery::FindDocuments(FindDocuments {
        patient: of.clone(),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    });
    let request = query.to_request(wanted);
    let url = town.registry();
    let sent = client.send::<RegistryStoredQuery>(&url, &request, Vec::new());
    let response = sent.await.unwrap().response;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    response.objects.into_iter().map(|it| it.id).collect()
}

fn uuid() -> EntryUuid {
    EntryUuid::from(words::new_uuid().as_str())
}

/// What a patient wished: the options of `hilum consent record`.
const WISHES: [&[&str]; 4] = [
    &[],
    &["--deny"],
    &["--permit"],
    &["--deny", "--actor", "CN=ward"],
];

/// The reference: 0 nothing, 1 existence, 2 metadata.
fn level(node: &str, confidentiality: &str, wish: usize) -> u8 {
    match (node, confidentiality, wish) {
        ("client", ..) => 2,
        (_, "V", _) => 0,
        ("ward", "R", _) => 1,
        ("ward", _, 1 | 3) => 0,
        ("ward", ..) => 2,
        ("institute", "N", 2) => 2,
        _ => 0,
    }
}

/// Thousands of pairs of a node and a document, asked for over mutual TLS.
#[tokio::test]
async fn every_node_gets_what_the_rules_say() {
    let town = town();
    let clients = NODES.map(|node| (node, town.client_named(node)));
    let mut documents = Vec::new();
    for number in 0..24 {
        let of = patient(&format!("P-{number}"));
        let named: Vec<(EntryUuid, &str)> = (0..30)
            .map(|at| (uuid(), ["N", "N", "R", "V", "L"][(at * 7 + number) % 5]))
            .collect();
        let errors = register(&town, &clients[0].1, &submission(&of, &named)).await;
        assert_eq!(errors, Vec::<String>::new());
        let wish = number % WISHES.len();
        if !WISHES[wish].is_empty() {
            let arguments = ["consent", "record", "--patient", &of.id];
            let made = town.run(&[&arguments, WISHES[wish]].concat());
            assert!(made.status.success(), "{made:?}");
        }
        documents.push((of, wish, named));
    }
    let mut pairs = 0;
    for (node, client) in &clients {
        for (of, wish, named) in &documents {
            let references = find(&town, client, of, ReturnType::ObjectRef).await;
            let whole = find(&town, client, of, ReturnType::LeafClass).await;
            for (uuid, confidentiality) in named {
                let seen = |found: &[String]| found.iter().any(|it| it == uuid.as_str());
                let expected = level(node, confidentiality, *wish);
                assert_eq!(
                    (seen(&references), seen(&whole)),
                    (expected >= 1, expected >= 2),
                    "{node} {confidentiality} {wish}"
                );
                pairs += 1;
            }
            let expected = |least| {
                let levels = named.iter().map(|(_, it)| level(node, it, *wish));
                levels.filter(|level| *level >= least).count()
            };
            assert_eq!((references.len(), whole.len()), (expected(1), expected(2)));
        }
    }
    assert_eq!(pairs, 2880);
}

/// To whom a document is hidden, that one cannot replace it: as if it were not there.
#[tokio::test]
async fn hidden_documents_are_not_replaced() {
    let town = town();
    let (client, ward) = (town.client_named("client"), town.client_named("ward"));
    let of = patient("P-1");
    let (hidden, absent) = (uuid(), uuid());
    let errors = register(&town, &client, &submission(&of, &[(hidden.clone(), "V")])).await;
    assert_eq!(errors, Vec::<String>::new());
    let own = uuid();
    let replacing = |other: &EntryUuid| {
        let mut replacing = submission(&of, &[(own.clone(), "N")]);
        replacing.relate(own.clone(), AssociationType::Replace, other.clone());
        replacing
    };
    let of_hidden = register(&town, &ward, &replacing(&hidden)).await;
    let of_absent = register(&town, &ward, &replacing(&absent)).await;
    let without = |errors: &[String], uuid: &EntryUuid| -> Vec<String> {
        let errors = errors.iter();
        errors
            .map(|error| error.replace(uuid.as_str(), "?"))
            .collect()
    };
    assert_eq!(without(&of_hidden, &hidden), without(&of_absent, &absent));
    assert!(
        of_hidden[0].starts_with("UnresolvedReferenceException"),
        "{of_hidden:?}"
    );
    assert_eq!(
        register(&town, &client, &replacing(&hidden)).await,
        Vec::<String>::new()
    );
}

/// To whom a folder is hidden, that one cannot put anything into it by ITI-41 either: as if it were not there.
#[tokio::test]
async fn hidden_folders_are_not_added_to() {
    let mut town = town();
    let (client, ward) = (town.client_named("client"), town.client_named("ward"));
    let of = patient("P-1");
    let (hidden, open, absent) = (uuid(), uuid(), uuid());
    for (folder, confidentiality) in [(&hidden, "V"), (&open, "N")] {
        let document = uuid();
        let mut filled = submission(&of, &[(document.clone(), confidentiality)]);
        filled.add_folder(Folder {
            codes: vec![Code::new("18748-4", "2.16.840.1.113883.6.1", "Study")],
            patient_id: Some(of.clone()),
            ..Folder::new(folder.as_str(), words::new_oid(), "Folder")
        });
        filled.put_into_folder(folder.clone(), document);
        let errors = register(&town, &client, &filled).await;
        assert_eq!(errors, Vec::<String>::new());
    }
    town.client = ward;
    let mut told = Vec::new();
    for folder in [&hidden, &absent, &open] {
        let mut adding = words::Submission::new("P-1", vec![words::Document::text("more")]);
        let member = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember";
        adding.more = format!(
            "<rim:Association id=\"Into\" associationType=\"{member}\" sourceObject=\"{}\" targetObject=\"{}\"/>\
             <rim:Association id=\"Link\" associationType=\"{member}\" sourceObject=\"SubmissionSet\" \
             targetObject=\"Into\"/>",
            folder.as_str(),
            adding.documents[0].id
        );
        let response = town.provide(&adding).await.unwrap();
        let errors = response.errors.iter();
        let errors = errors.map(|it| format!("{} {}", it.code.as_str(), it.context));
        let errors: Vec<String> = errors.map(|it| it.replace(folder.as_str(), "?")).collect();
        told.push((response.status, errors));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].0, ResponseStatus::Failure);
    assert!(
        told[0].1[0].starts_with("UnresolvedReferenceException"),
        "{told:?}"
    );
    assert_eq!(told[2], (ResponseStatus::Success, Vec::new()));
}

async fn http(client: &Client, method: &str, url: &str, body: &Value) -> (u16, Value) {
    let sent = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let request = HttpRequest {
        method,
        url,
        headers: &[("content-type", "application/fhir+json".to_owned())],
        body: sent,
    };
    let answer = client.exchange_http(request, 1 << 20).await.unwrap();
    let said = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, said)
}

/// What one records, all rooms heed; what is withdrawn counts no more at the next call. Both sides
/// record it as part of the patient's record.
#[tokio::test]
async fn consents_by_the_command_and_over_fhir() {
    let town = town();
    let (client, ward) = (town.client_named("client"), town.client_named("ward"));
    let of = patient("P-1");
    let named = [(uuid(), "N"), (uuid(), "N")];
    assert_eq!(
        register(&town, &client, &submission(&of, &named)).await,
        Vec::<String>::new()
    );
    let count = || async { find(&town, &ward, &of, ReturnType::LeafClass).await.len() };
    assert_eq!(count().await, 2);
    let run = |arguments: &[&str]| {
        let made = town.run(arguments);
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap()
    };
    let of_p1 = ["--patient", "P-1"];
    let recorded = run(&[&["consent", "record"], &of_p1[..], &["--deny"]].concat());
    let id = recorded
        .trim()
        .strip_prefix("recorded ")
        .unwrap()
        .to_owned();
    assert_eq!(count().await, 0);
    let listed = run(&[&["consent", "list"], &of_p1[..]].concat());
    assert!(
        listed.contains(&id) && listed.contains("deny everything"),
        "{listed}"
    );
    // The same over the wire, under the registry's own address.
    let base = town.registry().replace("/registry", "/fhir/Consent");
    let (status, mut kept) = http(&client, "GET", &format!("{base}/{id}"), &Value::Null).await;
    assert_eq!((status, &kept["status"]), (200, &json!("active")));
    kept["provision"]["period"] = json!({"end": "2020-12-31"});
    let (status, _) = http(&client, "PUT", &format!("{base}/{id}"), &kept).await;
    assert_eq!((status, count().await), (200, 2));
    kept["provision"]["period"] = json!({"start": "2020-12-31"});
    let (status, _) = http(&client, "PUT", &format!("{base}/{id}"), &kept).await;
    assert_eq!((status, count().await), (200, 0));
    // The ward may not see them: the rules give it what it may see of documents only.
    let withdrawn = run(&[&["consent", "withdraw"], &of_p1[..]].concat());
    assert_eq!(withdrawn.trim(), format!("withdrawn {id}"));
    assert_eq!(count().await, 2);
    let json = run(&[&["consent", "list"], &of_p1[..], &["--json"]].concat());
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["consents"][0]["status"], "inactive");
    assert_eq!(json["consents"][0]["meta"]["versionId"], "4");
    let nothing = town.run(&["consent", "withdraw", "--patient", "P-1"]);
    assert!(!nothing.status.success());
    let stranger = town.client_named("stranger");
    let search = format!("{base}?patient=urn:oid:{}%7CP-1", words::PATIENT_AUTHORITY);
    let (status, found) = http(&stranger, "GET", &search, &Value::Null).await;
    assert_eq!((status, &found["total"]), (200, &json!(0)));
    let (status, _) = http(&stranger, "GET", &format!("{base}/{id}"), &Value::Null).await;
    assert_eq!(status, 404);
    let records = town.records();
    let about: Vec<&Value> = records
        .iter()
        .filter(|it| it["transaction"] == "ITI-108" && it["event"] == "Patient Record")
        .collect();
    let of_patient = about
        .iter()
        .filter(|it| it["patient"] == words::patient("P-1"));
    // Recorded, changed three times, read once; the command's side is in its own ledger.
    assert!(of_patient.count() >= 5, "{about:#?}");
    assert!(about.iter().any(|it| it["action"] == "C"));
    assert!(
        about.iter().any(|it| it["outcome"] == "4"),
        "the stranger's attempt"
    );
}

async fn fetched(client: &Client, url: &str, accept: &str) -> (u16, Value) {
    let request = HttpRequest {
        method: "GET",
        url,
        headers: &[("accept", accept.to_owned())],
        body: Bytes::new(),
    };
    let answer = client.exchange_http(request, 1 << 20).await.unwrap();
    let said = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, said)
}

/// What is served is described, XML is refused in a clear sentence, and a search comes in pages.
#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one thing after the other is asked of the same consents"
)]
async fn consents_are_described_and_come_in_pages() {
    let town = town();
    let client = town.client_named("client");
    let base = town.registry().replace("/registry", "/fhir");
    let json = "application/fhir+json";
    let (status, statement) = fetched(&client, &format!("{base}/metadata"), json).await;
    assert_eq!((status, &statement["fhirVersion"]), (200, &json!("4.0.1")));
    let consent = &statement["rest"][0]["resource"][0];
    assert_eq!(consent["type"], "Consent");
    let described: Vec<&str> = consent["searchParam"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    // XML, asked for and sent.
    let xml = "application/fhir+xml";
    let search = format!(
        "{base}/Consent?patient=urn:oid:{}%7CP-1",
        words::PATIENT_AUTHORITY
    );
    for url in [format!("{base}/metadata"), search.clone()] {
        for (accept, url) in [
            (xml, url.clone()),
            (
                json,
                format!(
                    "{url}{}_format=xml",
                    if url.contains('?') { "&" } else { "?" }
                ),
            ),
        ] {
            let (status, outcome) = fetched(&client, &url, accept).await;
            assert_eq!(status, 406, "{url}");
            assert_eq!(outcome["issue"][0]["code"], "not-supported");
            let said = outcome["issue"][0]["diagnostics"].as_str().unwrap();
            assert!(said.contains(json) && said.contains("XML"), "{said}");
        }
    }
    let request = HttpRequest {
        method: "POST",
        url: &format!("{base}/Consent"),
        headers: &[("content-type", xml.to_owned())],
        body: Bytes::from_static(b"<Consent xmlns='http://hl7.org/fhir'/>"),
    };
    let answer = client.exchange_http(request, 1 << 20).await.unwrap();
    assert_eq!(answer.status, 415);
    let outcome: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    // Seven consents, in pages of three; one more is recorded after the first page.
    let record = || {
        let recorded = town.run(&["consent", "record", "--patient", "P-1", "--deny"]);
        assert!(recorded.status.success(), "{recorded:?}");
    };
    (0..7).for_each(|_| record());
    let (mut url, mut ids, mut sizes) = (format!("{search}&_count=3"), Vec::new(), Vec::new());
    loop {
        let (status, page) = fetched(&client, &url, json).await;
        assert_eq!(status, 200, "{page}");
        let entries = page["entry"].as_array().cloned().unwrap_or_default();
        sizes.push((entries.len(), page["total"].as_u64().unwrap()));
        ids.extend(entries.iter().map(|it| it["resource"]["id"].clone()));
        let links = page["link"].as_array().unwrap();
        let link = |relation: &str| {
            let found = links.iter().find(|it| it["relation"] == relation);
            found.map(|it| it["url"].as_str().unwrap().to_owned())
        };
        assert_eq!(link("self"), Some(url.clone()));
        if sizes.len() == 1 {
            record();
        }
        match link("next") {
            Some(next) => url = next,
            None => break,
        }
    }
    assert_eq!(sizes, [(3, 7), (3, 8), (2, 8)]);
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 8);
    // Who wants none is told how many there are.
    let (_, none) = fetched(&client, &format!("{search}&_count=0"), json).await;
    assert_eq!((&none["total"], &none["entry"]), (&json!(8), &Value::Null));
    let (status, _) = fetched(&client, &format!("{search}&_count=many"), json).await;
    assert_eq!(status, 400);
    // What is described is understood: an address that is not passed over says so.
    for name in described {
        let value = match name {
            "period" | "date" => "ge2000",
            "patient" | "patient.identifier" | "patient:identifier" => {
                &format!("urn:oid:{}%7CP-1", words::PATIENT_AUTHORITY)
            }
            _ => "x",
        };
        let (status, page) = fetched(&client, &format!("{search}&{name}={value}"), json).await;
        let own = page["link"][0]["url"].as_str().unwrap_or_default();
        assert_eq!(status, 200, "{name}");
        assert!(own.contains(&format!("{name}=")), "{name}: {own}");
    }
}
