//! Communities whose lines are bad: slow, lossy, cut in the middle. What the others have comes all the same,
//! one error says what does not, and nothing waits longer than it must.
//!
//! ```text
//! consumer ── gateway of town 0 ──┬── line ── gateway of town 1
//!                                 └── line ── gateway of town 2
//! ```

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use hilum_tests::calls::{Raw, Retrieve, RetrieveResponse};
use hilum_tests::region::{Region, home, repository};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Town, Wire, raw};
use hilum_transport::Answer;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::AdhocQueryResponse;

/// Of each community, and of everything that makes progress.
const DEADLINE: Duration = Duration::from_secs(3);
/// What a machine may need that has other things to do.
const NOISE: Duration = Duration::from_secs(3);
const RETRIEVE: &str = "urn:ihe:iti:2007:RetrieveDocumentSet";

/// Three communities; the first asks the others through lines.
fn region() -> (Region, Vec<Wire>) {
    let seconds = DEADLINE.as_secs();
    region_with(&format!("deadline_seconds = {seconds}"), seconds)
}

/// The same, where everything has so many seconds to make progress.
fn region_with(lines: &str, progress: u64) -> (Region, Vec<Wire>) {
    let environment = [("HILUM_LIMITS__PROGRESS_SECONDS", progress.to_string())];
    Region::wired(3, lines, &environment)
}

/// Documents of these lengths for a patient, in one submission: their uniqueIds.
async fn provided(town: &Town, patient: &str, lengths: &[usize]) -> Vec<String> {
    let document = |length: &usize| {
        let line = format!("of port {} ", town.port(3));
        let text: String = line.chars().cycle().take(*length).collect();
        Document::text(&text)
    };
    let submission = Submission::new(patient, lengths.iter().map(document).collect());
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let ids = submission.documents.iter();
    ids.map(|document| document.unique_id.clone()).collect()
}

/// A request for documents of towns, by their numbers.
fn wanted(documents: &[(usize, &str)]) -> String {
    let request = |(town, id): &(usize, &str)| {
        format!(
            "<xds:DocumentRequest><xds:HomeCommunityId>urn:oid:{}</xds:HomeCommunityId>\
             <xds:RepositoryUniqueId>{}</xds:RepositoryUniqueId>\
             <xds:DocumentUniqueId>{id}</xds:DocumentUniqueId></xds:DocumentRequest>",
            home(*town),
            repository(*town)
        )
    };
    let requests: String = documents.iter().map(request).collect();
    format!(
        "<xds:RetrieveDocumentSetRequest xmlns:xds=\"urn:ihe:iti:xds-b:2007\">{requests}\
         </xds:RetrieveDocumentSetRequest>"
    )
}

/// An answer whose documents are still on the wire.
async fn begun(town: &Town, documents: &[(usize, &str)]) -> Answer<RetrieveResponse> {
    let request = Raw(wanted(documents));
    let url = town.initiating();
    let sent = town.client.send::<Retrieve>(&url, &request, Vec::new());
    sent.await.unwrap()
}

/// Takes what comes: how long each whole document is, and what went wrong in the end.
async fn taken(answer: &mut Answer<RetrieveResponse>) -> (Vec<u64>, Option<String>) {
    let mut whole = Vec::new();
    loop {
        let mut attachment = match answer.attachments.next().await {
            Ok(Some(attachment)) => attachment,
            Ok(None) => return (whole, None),
            Err(fault) => return (whole, Some(fault.reason)),
        };
        let mut length = 0;
        loop {
            match attachment.chunk().await {
                Ok(Some(chunk)) => length += chunk.len() as u64,
                Ok(None) => break,
                Err(fault) => return (whole, Some(fault.reason)),
            }
        }
        whole.push(length);
    }
}

fn homes(response: &AdhocQueryResponse) -> Vec<String> {
    let objects = response.objects.iter();
    let mut homes: Vec<_> = objects.filter_map(|object| object.home.clone()).collect();
    homes.sort();
    homes
}

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// Asks everybody: the answer, and how long it took.
async fn asked(town: &Town) -> (AdhocQueryResponse, Duration) {
    let began = Instant::now();
    let find = words::find_documents("P-1", "LeafClass");
    let found = town.query_everywhere(find).await.unwrap();
    (found, began.elapsed())
}

/// The answer tells of everybody but town 1, and says so.
fn is_without_town_1(found: &AdhocQueryResponse) {
    assert_eq!(found.status, ResponseStatus::PartialSuccess);
    assert_eq!(homes(found), [urn(0), urn(2)]);
    assert_eq!(found.errors.len(), 1, "{:?}", found.errors);
    let error = &found.errors[0];
    assert_eq!(error.code.as_str(), "XDSUnavailableCommunity");
    assert_eq!(error.location.as_deref(), Some(&*urn(1)));
    assert!(error.context.contains("town 1"), "{}", error.context);
}

#[tokio::test]
async fn slow_and_lossy_lines_cost_time_and_nothing_else() {
    let (region, wires) = region();
    let mut ids = Vec::new();
    for (number, town) in region.towns.iter().enumerate() {
        let provided = provided(town, "P-1", &[2_000_000]).await;
        ids.push((number, provided[0].clone()));
    }
    let town = &region.towns[0];
    for wire in &wires {
        wire.delay(Duration::from_millis(200));
    }
    let (found, took) = asked(town).await;
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(homes(&found), [urn(0), urn(1), urn(2)]);
    // Both ways once, and both communities at the same time.
    let once = Duration::from_millis(400);
    assert!(took >= once && took < once + NOISE, "{took:?}");
    for wire in &wires {
        wire.lose(50);
    }
    let documents: Vec<(usize, &str)> = ids.iter().map(|(at, id)| (*at, &**id)).collect();
    let mut answer = begun(town, &documents).await;
    assert_eq!(taken(&mut answer).await, (vec![2_000_000; 3], None));
}

#[tokio::test]
async fn a_line_that_is_cut_in_the_middle_of_a_query_costs_the_deadline() {
    let (region, wires) = region();
    for town in &region.towns {
        provided(town, "P-1", &[10]).await;
    }
    let town = &region.towns[0];
    // Its first bytes come, and no more.
    wires[1].cut_after(300);
    let (found, took) = asked(town).await;
    is_without_town_1(&found);
    assert!(found.errors[0].context.contains("within 3000 ms"));
    assert!(took >= DEADLINE && took < DEADLINE + NOISE, "{took:?}");
    wires[1].mend();
    let (found, _) = asked(town).await;
    assert_eq!(homes(&found), [urn(0), urn(1), urn(2)]);

    // Whoever sends a byte from time to time has no more time than others.
    wires[1].throttle(5);
    let (found, took) = asked(town).await;
    is_without_town_1(&found);
    assert!(took >= DEADLINE && took < DEADLINE + NOISE, "{took:?}");
    wires[1].mend();

    // Whose machine is started anew is known to be gone at once.
    wires[1].delay(Duration::from_secs(2));
    let reset = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        wires[1].reset();
    };
    let ((found, took), ()) = tokio::join!(asked(town), reset);
    is_without_town_1(&found);
    assert!(took < DEADLINE, "{took:?}");
}

#[tokio::test]
async fn a_line_that_is_cut_in_the_middle_of_a_retrieval_leaves_what_came() {
    let (region, wires) = region();
    let of_1 = provided(&region.towns[1], "P-1", &[1000, 8_000_000]).await;
    let of_2 = provided(&region.towns[2], "P-1", &[2000]).await;
    let town = &region.towns[0];
    let all = [(1, &*of_1[0]), (1, &*of_1[1]), (2, &*of_2[0])];
    for slow in [false, true] {
        wires[1].cut_after(3_000_000);
        let mut answer = begun(town, &all).await;
        if slow {
            // Not cut, but as good as.
            wires[1].mend();
            wires[1].throttle(100_000);
            tokio::time::sleep(Duration::from_secs(1)).await;
            wires[1].throttle(5);
        }
        let began = Instant::now();
        let (mut whole, broken) = taken(&mut answer).await;
        whole.sort_unstable();
        assert_eq!(whole, [1000, 2000]);
        assert!(broken.is_some(), "it looks whole");
        // What makes no progress is given up after one window, or two if it began within one.
        let took = began.elapsed();
        assert!(took < 2 * DEADLINE + NOISE, "{took:?}");
        wires[1].mend();
    }
    // Whoever is away before the answer begins leaves an error in it.
    wires[1].cut();
    let began = Instant::now();
    let mut answer = begun(town, &all).await;
    let took = began.elapsed();
    assert!(took >= DEADLINE && took < DEADLINE + NOISE, "{took:?}");
    let errors = &answer.response.response().errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].code.as_str(), "XDSUnavailableCommunity");
    assert_eq!(errors[0].location.as_deref(), Some(&*urn(1)));
    assert_eq!(taken(&mut answer).await, (vec![2000], None));
    wires[1].mend();
    let mut answer = begun(town, &all).await;
    let (whole, broken) = taken(&mut answer).await;
    assert_eq!((whole.len(), broken), (3, None));
}

/// Sockets that a process has open.
fn sockets(town: &Town) -> usize {
    let files = std::fs::read_dir(format!("/proc/{}/fd", town.pid())).unwrap();
    let links = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// What a consumer that leaves has set in motion comes to an end on the other side of all gateways.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_is_not_sent_for_any_more() {
    let (region, wires) = region();
    let size = 64_000_000;
    let of_1 = provided(&region.towns[1], "P-1", &[size]).await;
    let (town, wire) = (&region.towns[0], &wires[1]);
    let (at_home, abroad) = (sockets(town), sockets(&region.towns[1]));
    let body = wanted(&[(1, &*of_1[0])]);
    let envelope = words::envelope(RETRIEVE, &body);
    wire.throttle(2_000_000);
    for _ in 0..4 {
        let message = raw::Multipart::of(&envelope, &[]);
        let body = message.body();
        let length = format!("Content-Length: {}", body.len());
        let head = raw::head("/initiating", &message.content_type(), &length);
        let mut stream = raw::connect(town.port(3));
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&body).unwrap();
        let mut some = [0; 100_000];
        stream.read_exact(&mut some).unwrap();
    }
    // They have left.
    let began = Instant::now();
    while wire.open() > 0 {
        assert!(began.elapsed() < 4 * DEADLINE + NOISE, "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(wire.sent() < size as u64, "{} bytes were sent", wire.sent());
    let began = Instant::now();
    while sockets(town) > at_home || sockets(&region.towns[1]) > abroad {
        assert!(began.elapsed() < 4 * DEADLINE + NOISE, "something is open");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// While documents of one community come slowly, those of the other wait for their turn; who sends them is
/// not made to believe that nobody takes them.
#[tokio::test]
async fn a_slow_community_does_not_cost_the_documents_of_another() {
    let progress = 10;
    let (region, wires) = region_with("", progress);
    let of_1 = provided(&region.towns[1], "P-1", &[10_000_000, 10_000_000]).await;
    let of_2 = provided(&region.towns[2], "P-1", &[1000, 30_000_000, 20_000_000]).await;
    // Each document of town 1 needs longer than whoever sends waits for progress.
    let slow = progress + progress / 2;
    wires[1].throttle(10_000_000 / slow);
    let all = [
        (1, &*of_1[0]),
        (1, &*of_1[1]),
        (2, &*of_2[0]),
        (2, &*of_2[1]),
        (2, &*of_2[2]),
    ];
    let began = Instant::now();
    let mut answer = begun(&region.towns[0], &all).await;
    let (mut whole, broken) = taken(&mut answer).await;
    assert_eq!(broken, None, "after {:?}: {whole:?}", began.elapsed());
    whole.sort_unstable();
    assert_eq!(
        whole,
        [1000, 10_000_000, 10_000_000, 20_000_000, 30_000_000]
    );
    assert!(began.elapsed() > Duration::from_secs(2 * slow));
}

/// A community that takes one call at a time is never called twice at once, not even while documents come.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_go_to_a_community_than_it_takes() {
    let (region, wires) = region_with("calls = 1", 10);
    let of_1 = provided(&region.towns[1], "P-1", &[4_000_000]).await;
    let (town, wire) = (&region.towns[0], &wires[1]);
    wire.throttle(2_000_000);
    let all = [(1, &*of_1[0])];
    let most = async {
        let mut most = 0;
        loop {
            most = most.max(wire.open());
            if wire.arrived() >= 3 * 4_000_000 {
                return most;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let one = || async {
        let mut answer = begun(town, &all).await;
        taken(&mut answer).await
    };
    let (first, second, third, most) = tokio::join!(one(), one(), one(), most);
    for taken in [first, second, third] {
        assert_eq!(taken, (vec![4_000_000], None));
    }
    assert_eq!(most, 1);
}

/// The same before the answer has begun: what was asked is asked to its end, so that it is recorded, but not
/// beyond the deadline.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_before_the_answer_leaves_nothing_behind() {
    let (region, wires) = region();
    let (town, wire) = (&region.towns[0], &wires[1]);
    wire.cut();
    let find = words::find_documents("P-1", "LeafClass");
    let envelope = words::envelope("urn:ihe:iti:2007:RegistryStoredQuery", &find);
    let head = raw::head(
        "/initiating",
        "application/soap+xml",
        &format!("Content-Length: {}", envelope.len()),
    );
    let mut stream = raw::connect(town.port(3));
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(envelope.as_bytes()).unwrap();
    let eventually = async |what: &str, happened: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !happened() {
            assert!(began.elapsed() < DEADLINE + NOISE, "not in time: {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    eventually("it is asked", &|| wire.open() == 1).await;
    // The gateway's end of the line, and nothing but that.
    let to_the_line = || {
        let port = format!(":{:04X} ", wire.port());
        let sockets = std::fs::read_to_string(format!("/proc/{}/net/tcp", town.pid())).unwrap();
        let established = |line: &&str| line.split_whitespace().nth(3) == Some("01");
        let ours = |line: &&str| {
            line.split_whitespace()
                .nth(2)
                .is_some_and(|it| it.ends_with(port.trim()))
        };
        sockets.lines().filter(established).filter(ours).count()
    };
    assert_eq!(to_the_line(), 1);
    drop(stream);
    eventually("the question is taken back", &|| to_the_line() == 0).await;
    let unanswered = || {
        let records = town.records();
        let mut failed = records.iter().filter(|it| it["outcome"] != "0");
        failed.any(|it| it["transaction"] == "ITI-38")
    };
    eventually("it is recorded", &unanswered).await;
}
