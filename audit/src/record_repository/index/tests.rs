//! The index, against everything that is in the log.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::fhir::time::{Span, instant};
use crate::record_repository::log::LogConfig;
use crate::record_repository::received::{Form, Received, Via};
use crate::record_repository::understood::EventId;

const FROM: i64 = 1_795_000_000_000;

/// An audit message that happened `at` milliseconds after [`FROM`].
fn message(at: i64, transaction: &str, patient: &str, user: &str) -> String {
    let time = instant(FROM + at);
    format!(
        "<85>1 {time} host{} hilum {} IHE+RFC-3881 - <AuditMessage><EventIdentification \
         EventActionCode=\"E\" EventDateTime=\"{time}\" EventOutcomeIndicator=\"0\"><EventID \
         csd-code=\"110112\" codeSystemName=\"DCM\" originalText=\"Query\"/><EventTypeCode \
         csd-code=\"{transaction}\" codeSystemName=\"IHE Transactions\" originalText=\"x\"/>\
         </EventIdentification><ActiveParticipant UserID=\"{user}\" UserName=\"Dr {user}\" \
         UserIsRequestor=\"true\" NetworkAccessPointID=\"10.0.0.7\" NetworkAccessPointTypeCode=\"2\"/>\
         <AuditSourceIdentification AuditSourceID=\"s\"/><ParticipantObjectIdentification \
         ParticipantObjectID=\"{patient}^^^&amp;1.2.3&amp;ISO\" ParticipantObjectTypeCode=\"1\" \
         ParticipantObjectTypeCodeRole=\"1\"/></AuditMessage>",
        at % 3,
        at % 5,
    )
}

fn received(text: impl Into<Vec<u8>>) -> Received {
    Received {
        at: UNIX_EPOCH + Duration::from_millis(u64::try_from(FROM).unwrap()),
        via: Via::Tls,
        from: SocketAddr::from(([10, 0, 0, 1], 6514)),
        node: None,
        form: Form::Syslog,
        cut: false,
        bytes: text.into(),
    }
}

async fn log_of(folder: &Path, records: Vec<Received>) -> Log {
    let log = Log::open(&LogConfig::new(folder)).unwrap();
    log.append(records).await.unwrap();
    log
}

fn follow(log: &Log, writer: &mut Writer) {
    while following::step(log, writer).unwrap() {}
}

fn all(words: &Words) -> Search {
    Search {
        all: vec![vec![words.plain(Kind::Event, "")]],
        limit: 10,
        ..Search::default()
    }
}

/// Whether these bytes stand in the files of an index.
fn is_told(path: &Path, needle: &[u8]) -> bool {
    ["", "-wal"].iter().any(|end| {
        let file = format!("{}{end}", path.display());
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

#[tokio::test]
async fn what_is_in_the_log_is_found_by_every_word() {
    found_by_every_word(tempfile::tempdir().unwrap().path(), None).await;
}

#[tokio::test]
async fn so_it_is_when_the_index_is_encrypted() {
    let folder = tempfile::tempdir().unwrap();
    let ring = crate::spool::tests::encrypted::ring(folder.path());
    found_by_every_word(folder.path(), Some(&ring)).await;
    let path = folder.path().join("index.db");
    assert!(!is_told(&path, b"Dr u3") && !is_told(&path, b"10.0.0.7"));
    // Nobody finds out by trying whose words they are: they are made with what is not in the file.
    let (index, _) = Index::open(&path, Some(&ring)).unwrap();
    let place = index.connections.read(|connection| Ok(place(connection)?));
    let guessed = Words::new(&place.unwrap().unwrap().salt);
    let word = guessed.asked(Kind::Patient, Some("urn:oid:1.2.3"), "p5");
    let search = Search {
        all: vec![word],
        ..Search::default()
    };
    assert_eq!(index.search(&search).unwrap().total, 0);
    drop(index);
    // With another wish or without its key, it is made anew.
    for ring in [None, Some(&ring)] {
        let (index, mut writer) = Index::open(&path, ring).unwrap();
        assert_eq!(writer.next(), 0, "{ring:?}");
        let log = Log::open(&LogConfig::new(folder.path().join("log"))).unwrap();
        follow(&log, &mut writer);
        let words = index.words().unwrap();
        assert_eq!(index.search(&all(&words)).unwrap().total, 10_000);
        drop((index, writer));
        assert_eq!(is_told(&path, b"Dr u3"), ring.is_none());
        assert_eq!(fields::key(&path).unwrap().is_some(), ring.is_some());
    }
    std::thread::sleep(Duration::from_secs(1));
    KeyRing::generate(&ring.folder(), None).unwrap();
    let old = fields::key(&path).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(fields::rotate(&path, &ring).unwrap(), Some(true));
    assert_ne!(fields::key(&path).unwrap(), old);
    let (index, writer) = Index::open(&path, Some(&ring)).unwrap();
    assert_eq!(writer.next(), 10_000);
    let names = index.fitting(Kind::AgentName, 100, |name| name == "Dr u3");
    assert_eq!(names.unwrap().unwrap().len(), 1);
    // A value that was changed is not believed.
    let damaged = index.connections.write(|connection| {
        diesel::sql_query(
            "UPDATE strings SET sealed = (SELECT sealed FROM strings AS o WHERE o.word <> \
             strings.word AND o.kind = strings.kind)",
        )
        .execute(connection)?;
        Ok(())
    });
    damaged.unwrap();
    let names = index.fitting(Kind::AgentName, 100, |_| true);
    assert!(matches!(names, Err(IndexError::Value(_))), "{names:?}");
}

async fn found_by_every_word(folder: &Path, ring: Option<&KeyRing>) {
    let transactions = ["ITI-18", "ITI-43", "ITI-41"];
    let made = (0..10_000_i64).map(|at| {
        // Not in the order in which it happened.
        let at = at * 7919 % 10_000;
        let (patient, user) = (format!("p{}", at % 100), format!("u{}", at % 7));
        let transaction = transactions[usize::try_from(at % 3).unwrap()];
        received(message(at, transaction, &patient, &user))
    });
    let log = log_of(&folder.join("log"), made.collect()).await;
    let (index, mut writer) = Index::open(&folder.join("index.db"), ring).unwrap();
    follow(&log, &mut writer);
    let words = index.words().unwrap();
    let found = |search: &Search| index.search(search).unwrap();
    let total = |all: Vec<Vec<Word>>| {
        let search = Search {
            all,
            ..Search::default()
        };
        found(&search).total
    };
    assert_eq!(found(&all(&words)).total, 10_000);
    let patient = words.asked(Kind::Patient, Some("urn:oid:1.2.3"), "p5");
    assert_eq!(total(vec![patient.clone()]), 100);
    let transaction = words.asked(Kind::Subtype, None, "ITI-43");
    assert_eq!(total(vec![transaction.clone()]), 3333);
    let both = (0..10_000)
        .filter(|at| at % 100 == 5 && at % 3 == 1)
        .count();
    assert_eq!(total(vec![patient.clone(), transaction]), both as u64);
    let either = [patient, words.asked(Kind::Patient, None, "p6")].concat();
    assert_eq!(total(vec![either]), 200);
    assert_eq!(
        total(vec![words.asked(
            Kind::Patient,
            Some("urn:oid:1.2.4"),
            "p5"
        )]),
        0
    );
    let names = index
        .fitting(Kind::AgentName, 100, |name| name.ends_with("u3"))
        .unwrap();
    assert_eq!(
        total(vec![names.unwrap()]),
        (0..10_000).filter(|at| at % 7 == 3).count() as u64
    );
    let times = Times(vec![vec![DateTest::Within(Span {
        from: FROM + 1000,
        to: FROM + 1500,
    })]]);
    let search = Search {
        times,
        ..all(&words)
    };
    assert_eq!(found(&search).total, 500);
    assert_eq!(found(&search).hits[0].recorded, FROM + 1000);
    let newest = Search {
        newest_first: true,
        ..search
    };
    assert_eq!(found(&newest).hits[0].recorded, FROM + 1499);
}

#[tokio::test]
async fn pages_are_the_same_while_records_come() {
    let folder = tempfile::tempdir().unwrap();
    let made = |from: i64, to: i64| {
        let each = move |at| received(message(at * 7919 % 10_000, "ITI-18", "p", "u"));
        (from..to).map(each).collect::<Vec<_>>()
    };
    let log = log_of(&folder.path().join("log"), made(0, 5000)).await;
    let (index, mut writer) = Index::open(&folder.path().join("index.db"), None).unwrap();
    follow(&log, &mut writer);
    let words = index.words().unwrap();
    for newest_first in [false, true] {
        let before = log.end();
        let whole = Search {
            limit: 100_000,
            newest_first,
            before: Some(before),
            ..all(&words)
        };
        let expected = index.search(&whole).unwrap();
        assert!(!expected.more);
        let mut hits: Vec<Hit> = Vec::new();
        let mut search = Search {
            limit: 700,
            ..whole
        };
        loop {
            let page = index.search(&search).unwrap();
            assert_eq!(page.total, expected.total);
            hits.extend(&page.hits);
            search.after = hits.last().copied();
            // Some more that would be on the pages before.
            let next = i64::try_from(log.end()).unwrap();
            log.append(made(next, next + 50)).await.unwrap();
            follow(&log, &mut writer);
            if !page.more {
                break;
            }
        }
        assert_eq!(hits, expected.hits);
    }
    assert!(index.search(&all(&words)).unwrap().total > 5000);
}

#[tokio::test]
async fn an_index_is_continued_and_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let made = |count: i64| (0..count).map(|at| received(message(at, "ITI-18", "p", "u")));
    let log = log_of(&folder.path().join("log"), made(3).collect()).await;
    let total = |index: &Index| {
        let words = index.words().unwrap();
        index.search(&all(&words)).unwrap().total
    };
    {
        let (index, mut writer) = Index::open(&path, None).unwrap();
        follow(&log, &mut writer);
        assert_eq!(total(&index), 3);
    }
    log.append(made(2).collect()).await.unwrap();
    {
        let (index, mut writer) = Index::open(&path, None).unwrap();
        assert_eq!(writer.next(), 3);
        follow(&log, &mut writer);
        log.append(made(2).collect()).await.unwrap();
        follow(&log, &mut writer);
        assert_eq!(total(&index), 7);
    }
    // Of another log.
    let other = log_of(&folder.path().join("other"), vec![received("<1>other")]).await;
    let (index, mut writer) = Index::open(&path, None).unwrap();
    follow(&other, &mut writer);
    assert_eq!(total(&index), 0);
    drop((index, writer));
    // Damaged.
    std::fs::write(&path, vec![7; 100_000]).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.path().join(format!("index.db{end}")));
    }
    let (index, mut writer) = Index::open(&path, None).unwrap();
    follow(&log, &mut writer);
    assert_eq!(total(&index), 7);
}

#[tokio::test]
async fn everything_that_came_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let event = "{\"resourceType\":\"AuditEvent\",\"type\":{\"system\":\"urn:t\",\"code\":\"c\"},\
        \"recorded\":\"2026-11-27T09:00:00Z\",\"agent\":[{\"requestor\":true}],\
        \"source\":{\"observer\":{\"display\":\"x\"}}}";
    let fed = Received {
        form: Form::FhirJson,
        ..received(event)
    };
    let bundle = format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\"entry\":[{{\"resource\":{event},\
         \"request\":{{\"method\":\"POST\",\"url\":\"AuditEvent\"}}}},{{\"resource\":{{}}}},\
         {{\"resource\":{event},\"request\":{{\"method\":\"POST\",\"url\":\"AuditEvent\"}}}}]}}"
    );
    let bundle = Received {
        form: Form::FhirJson,
        ..received(bundle)
    };
    let unreadable = received("<85>1 - h a - IHE+RFC-3881 - <AuditMessage><Event");
    let other = received("<13>1 2026-11-27T09:00:00Z gate sshd 9 - - a login");
    let nothing = received(vec![0xff, 0, 1]);
    let records = vec![fed, bundle, unreadable, other, nothing];
    let log = log_of(&folder.path().join("log"), records).await;
    let (index, mut writer) = Index::open(&folder.path().join("index.db"), None).unwrap();
    follow(&log, &mut writer);
    let words = index.words().unwrap();
    let ids = |all: Vec<Vec<Word>>| {
        let search = Search {
            all,
            limit: 100,
            ..Search::default()
        };
        let hits = index.search(&search).unwrap().hits;
        let mut ids: Vec<EventId> = hits.iter().map(|hit| hit.id).collect();
        ids.sort();
        ids.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        ids(vec![vec![words.plain(Kind::Event, "")]]),
        ["0", "1-1", "1-3", "2"]
    );
    assert_eq!(
        ids(vec![words.asked(Kind::Type, Some("urn:t"), "c")]),
        ["0", "1-1", "1-3"]
    );
    let unreadable = words.asked(Kind::Type, None, "unreadable");
    assert_eq!(ids(vec![unreadable]), ["2"]);
    assert_eq!(
        ids(vec![vec![words.plain(Kind::Syslog, "")]]),
        ["2", "3", "4"]
    );
    assert_eq!(ids(vec![vec![words.plain(Kind::Facility, "1")]]), ["3"]);
}

#[tokio::test]
async fn what_is_over_is_forgotten_with_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let config = LogConfig {
        segment_bytes: 1,
        ..LogConfig::new(folder.path().join("log"))
    };
    let log = Log::open(&config).unwrap();
    let path = folder.path().join("index.db");
    let (index, mut writer) = Index::open(&path, None).unwrap();
    for (at, user) in [(0, "gone"), (1, "stays")] {
        let records = (0..3).map(|_| received(message(at, "ITI-18", "p", user)));
        log.append(records.collect()).await.unwrap();
        follow(&log, &mut writer);
        // Another process takes another batch.
        writer = Index::open(&path, None).unwrap().1;
    }
    let names = || {
        let names = std::cell::RefCell::new(Vec::new());
        let note = |name: &str| {
            names.borrow_mut().push(name.to_owned());
            false
        };
        index.fitting(Kind::AgentName, 10, note).unwrap();
        names.into_inner()
    };
    assert_eq!(names(), ["Dr gone", "Dr stays"]);
    let left = log.remove_before(3).await.unwrap();
    follow(&log, &mut writer);
    assert_eq!(left, 3, "each record has a segment of its own");
    let words = index.words().unwrap();
    let found = index.search(&all(&words)).unwrap();
    // What the log says of the removal may be an event itself.
    let removed = found.hits.iter().filter(|hit| hit.id.number < 3).count();
    assert_eq!(removed, 0);
    assert!(found.total >= 3);
    assert_eq!(names(), ["Dr stays"]);
}
