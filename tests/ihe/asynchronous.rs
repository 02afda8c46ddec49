//! Asynchronous Web Services Exchange (ITI TF-2 V.5): every transaction that allows it answers to
//! an address of its caller's, if the operator has allowed that one.
//!
//! The tests have threads of their own for their desks: who leaves a town waits until its node has
//! stopped, and that waits for the desk.

use std::io::{Read, Write};
use std::time::{Duration, SystemTime};

use hilum_dicom::phantoms::{self, Detail};
use hilum_tests::calls::RestrictedUpdate;
use hilum_tests::raw::{self, Answer, Multipart};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Desk, Setup, Town};
use hilum_transport::{Part, PartSource};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::soap::FaultCode;

use crate::codes;
use crate::iti57_update_document_set as iti57;

const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
const QUERY: &str = "urn:ihe:iti:2007:RegistryStoredQuery";
/// What the node may grow by.
const GROWTH: u64 = 64 << 20;

/// A town whose client gets its answers at a desk.
fn town(plain: bool, more: &[(&str, &str)]) -> (Town, Desk) {
    let desk = Desk::reserve(plain);
    let more = more
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut town = Town::found(Setup {
        plain,
        environment: more.chain([desk.allowed()]).collect(),
        ..Setup::default()
    });
    town.answers = Some(desk.correlation.clone());
    (town, desk)
}

/// A query whose answer is wanted at this address.
fn asked_at(address: &str) -> String {
    let query = words::find_documents("P-1", "ObjectRef");
    words::envelope(QUERY, &query).replace(ANONYMOUS, address)
}

/// ITI-41, ITI-42, ITI-18, ITI-43, ITI-61, ITI-92 and RAD-69 (TF-2 3.41.4.1, 3.42.4.1, 3.18.4.1, 3.43.4.1 and RAD
/// TF-3 4.69.4.1: "when supporting the Asynchronous Web Services Exchange Option …").
async fn every_transaction(plain: bool) {
    let (town, mut desk) = town(plain, &[]);
    desk.open(&town);
    let submission = Submission::new("P-1", vec![Document::text("here")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let mut registered = Submission::new("P-1", vec![Document::text("elsewhere")]);
    registered.repository = true;
    let response = town.register(&registered).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    // What is refused for reasons of the business is an answer too.
    let response = town.register(&registered).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Failure, "{response:?}");

    let found = town.query(words::find_documents("P-1", "LeafClass"));
    let found = found.await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success);
    assert_eq!(found.objects.len(), 2);

    let here = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[here, "2.999.404"]).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::PartialSuccess);
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);
    assert_eq!(got.documents[0].content, b"here");

    let instance = |uid: &str| ("2.999.1".to_owned(), "2.999.1.1".to_owned(), uid.to_owned());
    let request = words::retrieve_images(words::REPOSITORY, &[instance("2.999.404")], &["1.2"]);
    let got = town.retrieve_images(request).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Failure);
    assert_eq!(codes(&got.response), ["XDSDocumentUniqueIdError"]);

    // Its objects name no community, so that is what is answered.
    let documents = iti57::registered(&town, "P-2").await;
    let update = iti57::next(&documents, "1", "Corrected");
    let updated = town.ask_registry::<RestrictedUpdate>(update, ("ITI-92", "Import"));
    let updated = updated.await.unwrap();
    assert_eq!(codes(&updated), ["XDSMissingHomeCommunityId"; 2]);

    // Half a message is refused like a whole one: elsewhere.
    let empty = Submission::new("P-2", Vec::new()).submit_objects_request();
    let refused = town
        .register_on_demand(empty.replace("submissionTime", "x"))
        .await;
    assert_eq!(refused.unwrap().status, ResponseStatus::Failure);
    let several = words::query("3d1bdb10-39a2-11de-89c2-2f44d94eaa9f", "ObjectRef", &[]);
    let several = town.query_several(several, 0).await.unwrap();
    assert_eq!(
        several.errors[0].code.as_str(),
        "XDSStoredQueryMissingParam"
    );

    // The audit message names who asked by what wsa:ReplyTo said (TF-2 3.18.5.1, 3.43.6.1 …).
    let reply_to = format!("UserID=\"{}\"", desk.correlation.reply_to());
    let messages = town.messages();
    for transaction in [
        "ITI-41", "ITI-18", "ITI-43", "ITI-51", "ITI-61", "ITI-92", "RAD-69",
    ] {
        let code = format!("csd-code=\"{transaction}\"");
        let of_it: Vec<_> = messages.iter().filter(|it| it.contains(&code)).collect();
        assert!(!of_it.is_empty(), "{transaction}");
        assert!(
            of_it.iter().all(|it| it.contains(&reply_to)),
            "{transaction}"
        );
    }
}

/// ITI TF-2 V.5: the answer goes to `wsa:ReplyTo`, over a connection of its own.
#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_that_allows_it_answers_elsewhere() {
    every_transaction(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_answers_elsewhere_with_mutual_tls() {
    every_transaction(false).await;
}

/// RAD TF-3 4.69: images go from where they are to the address.
#[tokio::test(flavor = "multi_thread")]
async fn images_come_as_they_are() {
    let desk = Desk::reserve(false);
    let mut town = Town::found(Setup {
        environment: vec![desk.allowed()],
        uncounted: true,
        ..Setup::default()
    });
    let folder = town.folder().join("dicom");
    let now = SystemTime::now();
    let studies = phantoms::write(&folder, "away", now, Detail::Small).unwrap();
    let imported = town.run(&["import", folder.to_str().unwrap()]);
    assert!(imported.status.success(), "{imported:?}");
    let out = town.folder().join("out");
    let found = town.query(words::find_documents(studies[0].patient_id, "LeafClass"));
    let found = found.await.unwrap();
    let manifest = unique_id(&found.objects[0]);
    let out = out.to_str().unwrap();
    let got = town.run(&["retrieve", "--manifest", &manifest, "--out", out]);
    assert!(got.status.success(), "{got:?}");
    let files = files(std::path::Path::new(out));
    let (instances, contents): (Vec<_>, Vec<_>) = files.into_iter().unzip();

    let mut desk = desk;
    desk.open(&town);
    town.answers = Some(desk.correlation.clone());
    let syntax = "1.2.840.10008.1.2.1";
    let request = words::retrieve_images(words::REPOSITORY, &instances, &[syntax]);
    let got = town.retrieve_images(request).await.unwrap();
    assert_eq!(got.response.status, ResponseStatus::Success);
    assert_eq!(got.documents.len(), instances.len());
    for document in got.documents {
        let at = instances.iter().position(|it| it.2 == document.unique_id);
        assert!(document.content == contents[at.unwrap()], "another image");
    }
}

/// The uniqueId of a document.
fn unique_id(object: &xds_schemas::ebrim::RegistryObject) -> String {
    let scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
    object.external_identifier(scheme).unwrap().to_owned()
}

/// DICOM files below a folder: study, series and instance, and the bytes.
fn files(folder: &std::path::Path) -> Vec<(words::Instance, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        if bytes.get(128..132) != Some(b"DICM") {
            continue;
        }
        let uid = |tag: [u8; 4]| {
            let wanted = [&tag[..], b"UI"].concat();
            let at = bytes.windows(6).position(|place| place == wanted).unwrap();
            let length = usize::from(u16::from_le_bytes([bytes[at + 6], bytes[at + 7]]));
            let text = String::from_utf8(bytes[at + 8..at + 8 + length].to_vec());
            text.unwrap().trim_end_matches('\0').to_owned()
        };
        let instance = (
            uid([0x20, 0x00, 0x0d, 0x00]),
            uid([0x20, 0x00, 0x0e, 0x00]),
            uid([0x08, 0x00, 0x18, 0x00]),
        );
        found.push((instance, bytes));
    }
    found
}

fn taken(answer: &Answer) {
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.body, b"");
}

/// A refusal on the connection; it is recorded.
fn refused(town: &Town, answer: &Answer, problem: &str) {
    let fault = answer.fault();
    assert_eq!(fault.code, FaultCode::Sender, "{fault}");
    assert!(fault.is(problem), "{fault}");
    assert_eq!(answer.status, 400, "{fault}");
    town.expected.add("110132", "Security Alert", 1);
}

/// A node sends answers to nobody that its operator has not named.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_refused() {
    let (town, desk) = town(true, &[]);
    let server = desk.server();
    let port = server.rsplit(':').next().unwrap();
    let (not_allowed, invalid) = ("OnlyAnonymousAddressSupported", "InvalidAddress");
    for (address, problem) in [
        ("http://192.0.2.1/answers".to_owned(), not_allowed),
        (format!("https://localhost:{port}/answers"), not_allowed),
        ("http://localhost/answers".to_owned(), not_allowed),
        (format!("http://127.0.0.1:{port}/answers"), not_allowed),
        (format!("http://[::1]:{port}/answers"), not_allowed),
        (format!("{server}@192.0.2.1/answers"), invalid),
        (format!("http://localhost.evil:{port}/"), not_allowed),
        ("mailto:me@localhost".to_owned(), invalid),
        (String::new(), invalid),
    ] {
        let answer = raw::soap(town.port(1), "/registry", &asked_at(&address));
        refused(&town, &answer, problem);
        let header = format!("<a:FaultTo><a:Address>{address}</a:Address></a:FaultTo></s:Header>");
        let faults = asked_at(ANONYMOUS).replace("</s:Header>", &header);
        refused(
            &town,
            &raw::soap(town.port(1), "/registry", &faults),
            problem,
        );
    }
    let two = format!("{server}/</a:Address><a:Address>{server}/");
    let answer = raw::soap(town.port(1), "/registry", &asked_at(&two));
    refused(&town, &answer, "InvalidEPR");
    let answer = raw::soap(
        town.port(1),
        "/registry",
        &asked_at(&server).replace("a:Address>", "a:Elsewhere>"),
    );
    refused(&town, &answer, "MissingAddressInEPR");
}

/// ITI TF-2 V.5.3: if nothing is specified, only synchronous exchange is expected; ITI-57 says so itself.
#[tokio::test(flavor = "multi_thread")]
async fn other_transactions_are_answered_on_their_connection() {
    let (town, desk) = town(true, &[]);
    let url = desk.correlation.reply_to();
    for action in [
        "urn:ihe:iti:2010:UpdateDocumentSet",
        "urn:ihe:iti:2010:DeleteDocumentSet",
    ] {
        let message = asked_at(url).replace(QUERY, action);
        let answer = raw::soap(town.port(1), "/registry", &message);
        refused(&town, &answer, "OnlyAnonymousAddressSupported");
    }
    let message = asked_at(url).replace(QUERY, "urn:ihe:iti:2017:RemoveDocuments");
    let answer = raw::soap(town.port(2), "/repository", &message);
    refused(&town, &answer, "OnlyAnonymousAddressSupported");
}

/// A node that answers nobody elsewhere says what its operator would have to do.
#[tokio::test(flavor = "multi_thread")]
async fn who_may_be_answered_elsewhere_is_configured() {
    let town = Town::plain();
    let answer = raw::soap(town.port(1), "/registry", &asked_at("http://localhost:9/"));
    let reason = answer.fault().reason;
    assert!(reason.contains("reply_to in [asynchronous]"), "{reason}");
    refused(&town, &answer, "OnlyAnonymousAddressSupported");
}

/// WS-Addressing 1.0 Core, section 3.4: a fault goes to FaultTo; SOAP Binding, section 2.3: the
/// reference parameters of an endpoint stand in the header of what is sent to it.
#[tokio::test(flavor = "multi_thread")]
async fn faults_go_to_their_own_endpoint() {
    let (town, desk) = town(true, &[]);
    let mut letters = Letters::of(desk);
    // The second of two parts of one name is found when the request was accepted already.
    let submission = Submission::new("P-1", vec![Document::text("twice")]);
    let body = submission.provide_request();
    let action = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b";
    let endpoints = format!(
        "<a:Address>{0}/answers</a:Address></a:ReplyTo><a:FaultTo><a:Address>{0}/faults\
         </a:Address><a:ReferenceParameters><t:Ticket xmlns:t=\"urn:example:t\">7</t:Ticket>\
         </a:ReferenceParameters></a:FaultTo>",
        letters.server
    );
    let anonymous = format!("<a:Address>{ANONYMOUS}</a:Address></a:ReplyTo>");
    let envelope = words::envelope(action, &body).replace(&anonymous, &endpoints);
    let id = words::content_id(0);
    let twice = [(&*id, &b"twice"[..]), (&*id, &b"again"[..])];
    let answer = Multipart::of(&envelope, &twice).post(town.port(2), "/repository");
    taken(&answer);
    town.expected.add("110132", "Security Alert", 1);
    let letter = letters.next();
    assert!(letter.starts_with("POST /faults "), "{letter}");
    assert!(letter.contains("same Content-ID"), "{letter}");
    assert!(letter.contains("IsReferenceParameter=\"true\""), "{letter}");
    assert!(letter.contains(">7</t:Ticket>"), "{letter}");
}

/// A server that takes one request after another, each on a connection of its own.
struct Letters {
    listener: std::net::TcpListener,
    server: String,
}

impl Letters {
    fn of(desk: Desk) -> Self {
        let server = desk.server();
        Self {
            listener: desk.into_listener(),
            server,
        }
    }

    /// The next request, which is answered with 202.
    fn next(&mut self) -> String {
        let (mut stream, _) = self.listener.accept().unwrap();
        let mut letter = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = stream.read(&mut buffer).unwrap();
            assert!(length > 0, "half a letter");
            letter.extend_from_slice(&buffer[..length]);
            let text = String::from_utf8(letter.clone()).unwrap();
            // No test has more of them than one envelope.
            if text.ends_with("Envelope>") {
                let done =
                    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                stream.write_all(done.as_bytes()).unwrap();
                return text;
            }
        }
    }
}

/// ITI TF-2 V.5.1: systems are not always available.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_yet_gets_its_answer_later() {
    let (town, mut desk) = town(false, &[]);
    desk.close();
    let (query, open) = tokio::join!(
        town.query(words::find_documents("P-1", "ObjectRef")),
        async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            desk.open(&town);
        }
    );
    let () = open;
    assert_eq!(query.unwrap().status, ResponseStatus::Success);
}

/// An answer that nobody takes is recorded; what was done stays done.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_is_recorded() {
    let quick = [
        ("HILUM_ASYNCHRONOUS__ATTEMPTS", "2"),
        ("HILUM_ASYNCHRONOUS__PAUSE_SECONDS", "0"),
    ];
    let (mut town, mut desk) = town(true, &quick);
    desk.close();
    let url = desk.correlation.reply_to();
    let mut submission = Submission::new("P-1", vec![Document::text("kept")]);
    submission.repository = true;
    let register = "urn:ihe:iti:2007:RegisterDocumentSet-b";
    let envelope = words::envelope(register, &submission.submit_objects_request());
    let envelope = envelope.replace(ANONYMOUS, url);
    taken(&raw::soap(town.port(1), "/registry", &envelope));
    town.expected.add("ITI-42", "Import", 1);
    town.expected.add("110132", "Security Alert", 1);
    let alert = |town: &Town| {
        let messages = town.messages();
        let found = messages.into_iter().find(|it| it.contains("not delivered"));
        found.is_some_and(|it| it.contains(&desk.server()) && !it.contains("P-1"))
    };
    for _ in 0..200 {
        if alert(&town) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(alert(&town), "{:?}", town.messages());
    town.answers = None;
    let found = town.query(words::find_documents("P-1", "ObjectRef"));
    assert_eq!(found.await.unwrap().objects.len(), 1);
}

/// Whoever stops a node does not lose what was promised.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_sends_what_waits() {
    let (mut town, desk) = town(true, &[]);
    let mut letters = Letters::of(desk);
    let message = asked_at(&format!("{}/answers", letters.server));
    for _ in 0..3 {
        taken(&raw::soap(town.port(1), "/registry", &message));
        town.expected.add("ITI-18", "Query", 1);
    }
    let taking = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        (0..3).map(|_| letters.next()).collect::<Vec<_>>()
    });
    town.stop();
    let letters = taking.join().unwrap();
    assert!(letters.iter().all(|it| it.contains("AdhocQueryResponse")));
}

/// A document of any size, and many calls at a time, need little memory.
#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let (town, mut desk) = town(true, &[]);
    desk.open(&town);
    let file = town.folder().join("large");
    let size: u64 = 128 << 20;
    std::fs::File::create(&file).unwrap().set_len(size).unwrap();
    let mut document = Document::of("application/dicom", Vec::new());
    (document.hash, document.size) = (None, Some(size));
    let submission = Submission::new("P-1", vec![document]);
    let small = Submission::new("P-2", vec![Document::text("small")]);
    town.provide(&small).await.unwrap();
    town.retrieve(&[&small.documents[0].unique_id])
        .await
        .unwrap();
    town.forget_peak();
    let before = town.peak_memory();
    let part = Part {
        content_id: words::content_id(0),
        content_type: "application/dicom".to_owned(),
        source: PartSource::File {
            path: file,
            offset: 0,
            length: size,
        },
    };
    let response = town.provide_parts(&submission, vec![part]).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let id = &*submission.documents[0].unique_id;
    let got = town.retrieve(&[id]).await.unwrap();
    assert_eq!(got.documents[0].size, size);
    let town = std::sync::Arc::new(town);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let town = std::sync::Arc::clone(&town);
        if asking.len() >= 50 {
            asking.join_next().await.unwrap().unwrap();
        }
        asking.spawn(async move {
            let patient = format!("P-{number}");
            let found = town.query(words::find_documents(&patient, "ObjectRef"));
            assert_eq!(found.await.unwrap().status, ResponseStatus::Success);
        });
    }
    while let Some(asked) = asking.join_next().await {
        asked.unwrap();
    }
    let growth = town.peak_memory() - before;
    assert!(growth < GROWTH, "the node grew by {growth} bytes");
}
