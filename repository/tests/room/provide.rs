//! ITI-41: what is provided is registered and kept whole, or nothing of it is.

use std::time::Duration;

use hilum_transport::ClientError;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::{RegistryError, RegistryResponse};
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::mtom::Content;
use xds_schemas::soap::FaultCode;
use xds_schemas::transaction::Transaction;

use crate::site::{REPOSITORY, Site, refusal};
use crate::stand_in::Say;
use crate::submissions::{Draft, PATIENT, content_id, sha1};

#[tokio::test]
async fn documents_come_back_as_they_were_and_the_registry_knows_them() {
    let site = Site::open().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(2_500_000).collect();
    let contents = [b"", &every_byte[..], b"\r\n--boundary--\r\n", b"HilumDoc"];
    let mut draft = Draft::of(contents);
    draft.entry(1).mime_type = "application/dicom".to_owned();
    draft.entry(2).hash = Some(sha1(contents[2]).to_uppercase());
    draft.entry(2).size = Some(contents[2].len() as u64);
    draft.entry(3).repository_unique_id = Some("9.9.9".into());
    let extra = Slot::single("urn:test:extra", "kept");
    draft.entry(0).extra.slots.push(extra.clone());
    site.accepted(&draft).await;

    let entries = site.registry.last_entries();
    assert_eq!(entries.len(), 4);
    for (at, entry) in entries.iter().enumerate() {
        assert_eq!(entry.unique_id.as_str(), draft.id(at));
        assert!(entry.entry_uuid.as_str().starts_with("urn:uuid:"));
        let hash = entry.hash.as_deref().unwrap();
        assert_eq!(hash.to_lowercase(), sha1(contents[at]));
        assert_eq!(entry.size, Some(contents[at].len() as u64));
        assert_eq!(entry.repository_unique_id, Some(REPOSITORY.into()));
    }
    assert!(entries[0].extra.slots.contains(&extra));

    let ids: Vec<String> = (0..4).map(|at| draft.id(at)).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let (response, got) = site.retrieve(&ids).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    for (at, (document, content)) in got.iter().enumerate() {
        assert_eq!(document.document_unique_id.as_str(), ids[at]);
        assert_eq!(document.repository_unique_id.as_str(), REPOSITORY);
        let mime_type = ["text/plain", "application/dicom"][usize::from(at == 1)];
        assert_eq!(document.mime_type, mime_type);
        assert!(content == contents[at], "document {at}");
    }
    site.nothing_left().await;
    let expected = [
        format!("ITI-41 Import 0 {PATIENT}"),
        format!("ITI-42 Export 0 {PATIENT}"),
        format!("ITI-43 Export 0 {PATIENT}"),
    ];
    assert_eq!(site.records(), expected);
}

/// ITI TF-2 3.42.4.2.3.1.
#[tokio::test]
async fn remarks_of_the_registry_are_passed_on() {
    let site = Site::open().await;
    let code = ErrorCode::ExtraMetadataNotSaved;
    let warning = RegistryError::warning(code, "urn:test:extra").at("document0");
    site.registry.say(Say::Success(vec![warning.clone()]));
    let draft = Draft::text("remarkable");
    let response = site.provide(&draft).await;
    assert_eq!(response, RegistryResponse::success(vec![warning]));
    assert_eq!(site.content(&draft.id(0)).await, b"remarkable");
}

/// ITI TF-2 3.42.4.2.3.1.
#[tokio::test]
async fn what_the_registry_refuses_leaves_nothing_and_all_reasons_are_passed_on() {
    let site = Site::open().await;
    let reasons = vec![
        RegistryError::error(ErrorCode::UnknownPatientId, "who is that?").at("set"),
        RegistryError::warning(ErrorCode::Other("X-1".to_owned()), ""),
        RegistryError::error(ErrorCode::RegistryMetadataError, "a < b & c"),
    ];
    site.registry.say(Say::Failure(reasons.clone()));
    let draft = Draft::of([&b"one"[..], b"two"]);
    let response = site.provide(&draft).await;
    assert_eq!(response, RegistryResponse::failure(reasons));
    site.nothing_left().await;
    site.missing(&draft.id(0)).await;
    site.missing(&draft.id(1)).await;
    site.registry.say(Say::Failure(Vec::new()));
    site.refused(&draft, &["XDSRegistryError"]).await;
    site.accepted(&draft).await;
    assert_eq!(site.content(&draft.id(1)).await, b"two");
    let expected = [
        format!("ITI-41 Import 8 {PATIENT}"),
        format!("ITI-42 Export 8 {PATIENT}"),
        "ITI-43 Export 8 ".to_owned(),
    ];
    assert_eq!(site.records()[..3], expected);
}

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn hash_and_size_must_be_true() {
    let site = Site::open().await;
    let mut draft = Draft::of([&b"one"[..], b"two", b"three"]);
    draft.entry(0).hash = Some(sha1(b"another"));
    draft.entry(1).size = Some(4);
    let errors = site
        .refused(&draft, &["XDSRepositoryMetadataError"; 2])
        .await;
    assert!(errors[0].context.contains(&draft.id(0)) && errors[0].context.contains("hash"));
    assert!(errors[1].context.contains(&draft.id(1)) && errors[1].context.contains("size"));
    site.nothing_left().await;
    assert!(site.registry.submissions.lock().unwrap().is_empty());
}

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn every_document_has_an_entry_and_every_entry_a_document() {
    let site = Site::open().await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    let send = async |change: fn(&mut ProvideAndRegisterDocumentSetRequest), parts: usize| {
        let mut request = draft.request();
        change(&mut request);
        let mut sent = Draft::of([&b"one"[..], b"two", b"three"]).parts();
        sent.truncate(parts);
        site.send(&request, sent).await.unwrap()
    };
    let no_document = send(|request| drop(request.documents.pop()), 2).await;
    let errors = refusal(no_document, &["XDSMissingDocument"]);
    assert!(errors[0].context.contains("document1"), "{errors:?}");
    let renamed = send(|request| request.documents[1].id = "stranger".to_owned(), 2).await;
    let errors = refusal(
        renamed,
        &["XDSMissingDocumentMetadata", "XDSMissingDocument"],
    );
    assert!(errors[0].context.contains("stranger"), "{errors:?}");
    let twice = |request: &mut ProvideAndRegisterDocumentSetRequest| {
        let content = Content::Include(content_id(2));
        let id = "document1".to_owned();
        request.documents.push(Document { id, content });
    };
    refusal(send(twice, 3).await, &["XDSMissingDocumentMetadata"]);
    let shared = |request: &mut ProvideAndRegisterDocumentSetRequest| {
        request.documents[1].content = Content::Include(content_id(0));
    };
    refusal(send(shared, 2).await, &["XDSMissingDocument"]);
    let no_attachment = send(|_| {}, 1).await;
    let errors = refusal(no_attachment, &["XDSMissingDocument"]);
    assert!(errors[0].context.contains(&draft.id(1)), "{errors:?}");
    refusal(send(|_| {}, 3).await, &["XDSMissingDocumentMetadata"]);
    assert!(site.registry.submissions.lock().unwrap().is_empty());
    site.nothing_undecided().await;
    assert_eq!(site.records().len(), 6);
}

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn metadata_that_breaks_a_rule_is_refused_here() {
    let site = Site::open().await;
    let mut twice = Draft::of([&b"one"[..], b"two"]);
    twice.entry(1).unique_id = twice.id(0).into();
    let codes = ["XDSRepositoryDuplicateUniqueIdInMessage"];
    site.refused(&twice, &codes).await;
    let mut endless = Draft::text("one");
    endless.entry(0).unique_id = "x".repeat(40_000).into();
    site.refused(&endless, &["XDSRepositoryMetadataError"])
        .await;
    let mut no_set = Draft::text("one").request();
    no_set.submit.objects.objects.remove(0);
    let response = site
        .send(&no_set, Draft::text("one").parts())
        .await
        .unwrap();
    refusal(response, &["XDSRepositoryMetadataError"]);
    assert!(site.registry.submissions.lock().unwrap().is_empty());
    site.nothing_left().await;
}

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn a_unique_id_stands_for_the_same_bytes_for_ever() {
    let site = Site::open().await;
    let first = Draft::text("version one");
    site.accepted(&first).await;
    let again = |content: &str| {
        let mut draft = Draft::text(content);
        draft.entry(0).unique_id = first.id(0).into();
        draft
    };
    site.accepted(&again("version one")).await;
    site.refused(&again("version two"), &["XDSNonIdenticalHash"])
        .await;
    let longer = again("version three");
    let codes = ["XDSNonIdenticalHash", "XDSNonIdenticalSize"];
    let errors = site.refused(&longer, &codes).await;
    assert!(errors[0].context.contains(&first.id(0)), "{errors:?}");
    assert_eq!(site.registry.submissions.lock().unwrap().len(), 2);
    assert_eq!(site.content(&first.id(0)).await, b"version one");
    site.nothing_left().await;
}

#[tokio::test]
async fn of_different_bytes_at_the_same_time_one_wins() {
    let site = Site::open().await;
    let slow = Duration::from_millis(200);
    *site.registry.delays.lock().unwrap() = (slow, slow);
    let drafts = ["a", "b", "c", "d"].map(|content| {
        let mut draft = Draft::text(content);
        draft.entry(0).unique_id = "2.999.1".into();
        draft
    });
    let [a, b, c, d] = &drafts;
    let responses = tokio::join!(
        site.provide(a),
        site.provide(b),
        site.provide(c),
        site.provide(d)
    );
    let responses = [responses.0, responses.1, responses.2, responses.3];
    let mut winners = Vec::new();
    for (response, draft) in responses.into_iter().zip(&drafts) {
        if response.status == ResponseStatus::Success {
            winners.push(&draft.contents[0]);
        } else {
            refusal(response, &["XDSNonIdenticalHash"]);
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(site.content("2.999.1").await, *winners[0]);
    site.nothing_left().await;
}

#[tokio::test]
async fn the_same_bytes_at_the_same_time_are_all_accepted() {
    let site = Site::open().await;
    let slow = Duration::from_millis(100);
    *site.registry.delays.lock().unwrap() = (slow, slow);
    let drafts: [Draft; 3] = std::array::from_fn(|_| {
        let mut draft = Draft::text("the same");
        draft.entry(0).unique_id = "2.999.2".into();
        draft
    });
    let [a, b, c] = &drafts;
    tokio::join!(site.accepted(a), site.accepted(b), site.accepted(c));
    assert_eq!(site.content("2.999.2").await, b"the same");
    site.nothing_left().await;
    assert_eq!(site.registry.last_entries()[0].size, Some(8));
}

/// ITI-41 as those send it who do not speak MTOM.
struct Plain;

impl Transaction for Plain {
    const ACTION: &'static str = ProvideAndRegisterDocumentSet::ACTION;
    const RESPONSE_ACTION: &'static str = ProvideAndRegisterDocumentSet::RESPONSE_ACTION;
    const MTOM: bool = false;
    type Request = ProvideAndRegisterDocumentSetRequest;
    type Response = RegistryResponse;
}

#[tokio::test]
async fn documents_may_stand_in_the_envelope() {
    let site = Site::open().await;
    let every_byte: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let draft = Draft::of([b"", &every_byte[..]]);
    let answer = site
        .client
        .send::<Plain>(&site.url(), &draft.inline_request(), Vec::new())
        .await
        .unwrap();
    assert_eq!(answer.response, RegistryResponse::success(Vec::new()));
    assert_eq!(site.content(&draft.id(0)).await, b"");
    assert_eq!(site.content(&draft.id(1)).await, every_byte);
    // In a message of MTOM, too.
    let draft = Draft::text("inline");
    let response = site.send(&draft.inline_request(), Vec::new()).await;
    assert_eq!(response.unwrap().status, ResponseStatus::Success);
    assert_eq!(site.content(&draft.id(0)).await, b"inline");
}

#[tokio::test]
async fn a_message_that_breaks_off_leaves_nothing() {
    use tokio::io::AsyncWriteExt;
    let site = Site::open().await;
    let draft = Draft::of([&b"one"[..], b"two"]);
    let mut request = draft.request();
    request.documents[1].content = Content::Include("never comes".to_owned());
    let header = xds_schemas::soap::Header::request(
        ProvideAndRegisterDocumentSet::ACTION,
        "urn:uuid:1".to_owned(),
        &site.url(),
    );
    let envelope = xds_schemas::soap::write(&header, &request);
    let body = format!(
        "--b\r\nContent-Type: application/xop+xml\r\nContent-ID: <r>\r\n\r\n{envelope}\r\n\
         --b\r\nContent-ID: <{}>\r\n\r\n{}",
        content_id(0),
        "one ".repeat(500_000)
    );
    let head = format!(
        "POST /repository HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nContent-Type: \
         multipart/related; boundary=b; type=\"application/xop+xml\"; start=\"<r>\"\r\n\r\n",
        body.len() + 1000
    );
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", site.port))
        .await
        .unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    // In an object store, nothing is seen of a document before it is whole.
    while site.incoming().is_empty() && !site.has_objects() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    while site.records().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(site.records(), ["110132 Security Alert 4 "]);
    site.nothing_undecided().await;
    site.missing(&draft.id(0)).await;
}

#[tokio::test]
async fn a_manifest_is_recorded_as_rad_68() {
    let site = Site::open().await;
    let mut draft = Draft::text("a manifest");
    let entry = draft.entry(0);
    entry.mime_type = "application/dicom".to_owned();
    let format = entry.format_code.as_mut().unwrap();
    format.code = "1.2.840.10008.5.1.4.1.1.88.59".to_owned();
    site.accepted(&draft).await;
    assert_eq!(site.records()[0], format!("RAD-68 Import 0 {PATIENT}"));
}

#[tokio::test]
async fn what_is_not_served_is_a_fault_and_recorded() {
    let site = Site::open().await;
    let request = Default::default();
    let error = site
        .client
        .send::<xds_schemas::iti42_register_document_set::RegisterDocumentSet>(
            &site.url(),
            &request,
            Vec::new(),
        )
        .await
        .unwrap_err();
    let ClientError::Fault { fault, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(fault.code, FaultCode::Sender);
    assert!(fault.is("ActionNotSupported"), "{fault}");
    assert_eq!(site.records(), ["110132 Security Alert 4 "]);
    let (status, wsdl) = site
        .client
        .fetch(&format!("{}?wsdl", site.url()))
        .await
        .unwrap();
    assert_eq!(status, 200);
    assert!(String::from_utf8_lossy(&wsdl).contains(&site.url()));
    let (status, _) = site.client.fetch(&site.url()).await.unwrap();
    assert_eq!(status, 404);
}
