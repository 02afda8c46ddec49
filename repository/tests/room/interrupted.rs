//! Bad moments: nothing is lost that the registry knows, and nothing is shown that it does not.

use std::time::{Duration, Instant};

use uuid::Uuid;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;

use crate::site::Site;
use crate::stand_in::Say;
use crate::submissions::Draft;

const NOT_AVAILABLE: &[&str] = &["XDSRegistryNotAvailable"];

#[tokio::test]
async fn a_registry_that_is_not_there() {
    let mut site = Site::open().await;
    site.link.down().await;
    let draft = Draft::text("too early");
    site.refused(&draft, NOT_AVAILABLE).await;
    site.nothing_left().await;
    let before = Instant::now();
    site.missing(&draft.id(0)).await;
    assert!(
        before.elapsed() < Duration::from_secs(1),
        "there is nothing to wait for"
    );
    site.link.up().await;
    site.accepted(&draft).await;
    assert_eq!(site.content(&draft.id(0)).await, b"too early");
}

#[tokio::test]
async fn a_registry_that_does_not_take_the_message() {
    let site = Site::open().await;
    site.registry.say(Say::SenderFault);
    let draft = Draft::text("misunderstood");
    site.refused(&draft, NOT_AVAILABLE).await;
    site.nothing_left().await;
    assert_eq!(*site.registry.questions.lock().unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_asked_for_at_once() {
    let site = Site::open().await;
    site.registry.say(Say::RegisteredAndFault);
    let draft = Draft::of([&b"one"[..], b"two"]);
    let response = site.provide(&draft).await;
    assert_eq!(response, RegistryResponse::success(Vec::new()));
    assert_eq!(*site.registry.questions.lock().unwrap(), 1);
    site.nothing_left().await;
    assert_eq!(site.content(&draft.id(1)).await, b"two");
    assert!(
        site.records()
            .iter()
            .any(|record| record.starts_with("ITI-18 Query 0"))
    );
}

/// A submission may consist of links only; then there is nothing to ask for.
#[tokio::test]
async fn an_answer_about_no_documents_that_is_lost() {
    let site = Site::open().await;
    let draft = Draft::of([]);
    site.accepted(&draft).await;
    site.registry.say(Say::RegisteredAndFault);
    site.refused(&Draft::of([]), NOT_AVAILABLE).await;
    assert_eq!(*site.registry.questions.lock().unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_is_lost_with_the_line_is_asked_for_later() {
    let site = Site::open().await;
    site.link.cut_answers();
    let draft = Draft::of([&b"one"[..], b"two"]);
    site.refused(&draft, NOT_AVAILABLE).await;
    assert_eq!(site.incoming().len(), 2);
    // The registry knows the document; whoever asks for it waits, but not for ever.
    let before = Instant::now();
    site.missing(&draft.id(0)).await;
    assert!(before.elapsed() >= Duration::from_secs(2));
    site.link.pass();
    assert_eq!(site.content(&draft.id(0)).await, b"one");
    assert_eq!(site.content(&draft.id(1)).await, b"two");
    site.nothing_undecided().await;
}

#[tokio::test]
async fn a_question_that_was_never_heard() {
    let settled = Duration::from_secs(2);
    let site = Site::open_with(settled).await;
    site.link.cut_questions();
    let before = Instant::now();
    let draft = Draft::text("unheard");
    site.refused(&draft, NOT_AVAILABLE).await;
    assert_eq!(site.incoming().len(), 1);
    site.link.pass();
    // The registry may still be about to register it.
    site.nothing_undecided().await;
    assert!(before.elapsed() >= settled);
    site.missing(&draft.id(0)).await;
    site.accepted(&draft).await;
    assert_eq!(site.content(&draft.id(0)).await, b"unheard");
}

/// What is kept is given at once, however long an earlier submission of it stays undecided.
#[tokio::test]
async fn a_question_that_was_never_heard_is_put_again() {
    let site = Site::open().await;
    site.link.cut_questions();
    let draft = Draft::text("again");
    site.refused(&draft, NOT_AVAILABLE).await;
    site.link.pass();
    site.accepted(&draft).await;
    assert_eq!(site.incoming().len(), 1);
    let before = Instant::now();
    assert_eq!(site.content(&draft.id(0)).await, b"again");
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_registry_that_cannot_say_is_asked_again() {
    let site = Site::open_with(Duration::ZERO).await;
    *site.registry.confused.lock().unwrap() = true;
    site.registry.say(Say::RegisteredAndFault);
    let draft = Draft::text("patient");
    site.refused(&draft, NOT_AVAILABLE).await;
    while *site.registry.questions.lock().unwrap() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(site.incoming().len(), 1);
    *site.registry.confused.lock().unwrap() = false;
    assert_eq!(site.content(&draft.id(0)).await, b"patient");
}

/// ITI TF-2 3.41.4.1.3.
#[tokio::test]
async fn who_finds_a_document_in_the_registry_can_retrieve_it() {
    let site = Site::open().await;
    // It is registered at once, but the repository hears of it only later.
    let late = Duration::from_millis(500);
    *site.registry.delays.lock().unwrap() = (Duration::ZERO, late);
    let draft = Draft::text("just now");
    let consumer = async {
        while site.registry.registered.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        site.content(&draft.id(0)).await
    };
    let ((), content) = tokio::join!(site.accepted(&draft), consumer);
    assert_eq!(content, b"just now");
}

#[tokio::test]
async fn a_process_that_ended_before_the_answer() {
    let mut site = Site::open_with(Duration::ZERO).await;
    site.link.cut_answers();
    let registered = Draft::of([&b"one"[..], b"two"]);
    site.refused(&registered, NOT_AVAILABLE).await;
    site.stop().await;
    site.link.down().await;
    // Power failed while another document came in, and while a third waited for the registry.
    match site.has_objects() {
        true => two_more_objects(&site),
        false => two_more_files(&site),
    }

    site.start().await;
    assert_eq!(site.incoming().len(), 3, "half a document is none");
    site.missing(&registered.id(0)).await;
    site.link.pass();
    site.link.up().await;
    assert_eq!(site.content(&registered.id(0)).await, b"one");
    assert_eq!(site.content(&registered.id(1)).await, b"two");
    site.nothing_undecided().await;
}

/// A file of which only half was written, and one that the registry does not know.
fn two_more_files(site: &Site) {
    let incoming = site.store().join("incoming");
    let known = site.incoming();
    let whole = std::fs::read(&known[0]).unwrap();
    let half = incoming.join(Uuid::new_v4().to_string());
    std::fs::write(half, &whole[..whole.len() / 2]).unwrap();
    let name = Uuid::new_v4().to_string();
    let unknown = String::from_utf8(whole).unwrap();
    let old_name = known[0].file_name().unwrap().to_str().unwrap();
    let unknown = unknown.replace(old_name, &name);
    let unknown = unknown.replace("\"urn:uuid:", "\"urn:uuid:0");
    let at = unknown.len() - 12;
    let length = u32::from_le_bytes(unknown.as_bytes()[at..at + 4].try_into().unwrap()) + 1;
    let mut unknown = unknown.into_bytes();
    unknown[at..at + 4].copy_from_slice(&length.to_le_bytes());
    std::fs::write(incoming.join(name), unknown).unwrap();
}

/// A label whose document did not come any more, and a document that the registry does not know.
fn two_more_objects(site: &Site) {
    let known = site.incoming();
    let label = std::fs::read_to_string(&known[0]).unwrap();
    let old_name = known[0].file_name().unwrap().to_str().unwrap();
    let content = std::fs::read(site.store().join("data").join(old_name)).unwrap();
    let another = || {
        let name = Uuid::new_v4().to_string();
        let label = label.replace(old_name, &name);
        let label = label.replace("\"urn:uuid:", "\"urn:uuid:0");
        std::fs::write(site.store().join("incoming").join(&name), label).unwrap();
        name
    };
    another();
    let unknown = another();
    std::fs::write(site.store().join("data").join(unknown), content).unwrap();
}

#[tokio::test]
async fn a_process_that_ended_after_the_move() {
    let mut site = Site::open().await;
    let draft = Draft::text("moved");
    site.accepted(&draft).await;
    site.stop().await;
    site.link.down().await;
    site.start().await;
    // What is decided needs no registry.
    assert_eq!(site.content(&draft.id(0)).await, b"moved");
}

/// A source may choose entryUUIDs, and must not get its document shown under one of another.
#[tokio::test]
async fn an_entry_of_another_document_proves_nothing() {
    let site = Site::open_with(Duration::ZERO).await;
    let entry_uuid = format!("urn:uuid:{}", Uuid::new_v4());
    let with_uuid = |content: &str| {
        let mut draft = Draft::text(content);
        draft.metadata.associations[0].target = entry_uuid.as_str().into();
        draft.entry(0).entry_uuid = entry_uuid.as_str().into();
        draft
    };
    let first = with_uuid("first");
    site.accepted(&first).await;
    site.link.cut_questions();
    let second = with_uuid("second");
    site.refused(&second, NOT_AVAILABLE).await;
    site.link.pass();
    site.nothing_undecided().await;
    site.missing(&second.id(0)).await;
    let (response, _) = site.retrieve(&[&first.id(0)]).await;
    assert_eq!(response.status, ResponseStatus::Success);
}
