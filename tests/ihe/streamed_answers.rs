//! Answers of an Initiating Gateway in several messages, for those who take them: each community's when it has
//! answered, and the last one says how the whole ended.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use hilum_tests::calls::{Query, QuerySeveral, Raw};
use hilum_tests::partner::{Partner, QUERY_ANSWER, Said, found};
use hilum_tests::raw::{self, Answer};
use hilum_tests::streamed::ordered;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town, Wire};
use hilum_transport::{Client, Limits};
use xds_schemas::codes::status::ResponseStatus;

const QUERY: &str = "urn:ihe:iti:2007:RegistryStoredQuery";
const SOAP: &str = "application/soap+xml; charset=UTF-8";
/// What a client says that takes several messages.
const SEVERAL: &str = "Accept: multipart/mixed, application/soap+xml\r\n";

fn home(number: usize) -> String {
    format!("urn:oid:2.999.8.{number}")
}

/// A partner of this number that has one object.
fn partner(number: usize, after: Duration) -> Partner {
    Partner::open(move |_| {
        let id = format!("urn:uuid:00000000-0000-4000-8000-00000000000{number}");
        let body = found(Some(&home(number)), &[&id]);
        Said::envelope(&words::envelope(QUERY_ANSWER, &body)).after(after)
    })
}

/// What a partner says that can do nothing: an error of the registry.
fn failing(code: &str) -> Said {
    let status = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure";
    let body = format!(
        "<query:AdhocQueryResponse xmlns:query=\"urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0\" \
         xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\" status=\"{status}\">\
         <rs:RegistryErrorList><rs:RegistryError errorCode=\"{code}\" codeContext=\"no\" \
         severity=\"urn:oasis:names:tc:ebxml-regrep:ErrorSeverityType:Error\"/></rs:RegistryErrorList>\
         </query:AdhocQueryResponse>"
    );
    Said::envelope(&words::envelope(QUERY_ANSWER, &body))
}

/// A town with a document of P-1 whose gateway knows these, each with more lines.
async fn town(partners: &[(&Partner, &str)], environment: &[(&str, &str)]) -> Town {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        environment: environment.iter().map(owned).collect(),
        ..Setup::default()
    });
    let mut text = std::fs::read_to_string(town.config()).unwrap();
    for (number, (partner, lines)) in partners.iter().enumerate() {
        let (home, url) = (home(number), partner.url());
        text.push_str(&format!(
            "\n[[gateway.community]]\nhome_community_id = \"{home}\"\nname = \"partner {number}\"\n\
             url = \"{url}\"\n{lines}\n"
        ));
    }
    std::fs::write(town.config(), text).unwrap();
    town.start();
    let submission = Submission::new("P-1", vec![Document::text("of this town")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    town
}

fn find() -> String {
    words::find_documents("P-1", "ObjectRef")
}

fn own() -> String {
    format!("urn:oid:{}", words::HOME)
}

/// A request with these headers, to be written to a socket.
fn request(town: &Town, query: &str, headers: &str) -> (u16, String) {
    let envelope = words::envelope(QUERY, query);
    let length = format!("{headers}Content-Length: {}", envelope.len());
    let head = raw::head("/initiating", SOAP, &length);
    (town.port(3), head + &envelope)
}

fn ask(town: &Town, query: &str, headers: &str) -> Answer {
    let (port, request) = request(town, query, headers);
    raw::exchange(port, request.as_bytes())
}

/// The chunks of an answer (RFC 9112, section 7.1), the last of which is empty.
fn chunks(answer: &Answer) -> Vec<String> {
    let text = answer.text();
    let mut rest = text.as_str();
    let mut chunks = Vec::new();
    loop {
        let (length, behind) = rest.split_once("\r\n").unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        let (chunk, behind) = behind.split_at(length);
        rest = behind.strip_prefix("\r\n").unwrap();
        if length == 0 {
            assert_eq!(rest, "");
            return chunks;
        }
        chunks.push(chunk.to_owned());
    }
}

/// Sends a question and reads until this stands in what comes.
fn read_until(town: &Town, query: &str, wanted: &str) -> TcpStream {
    let (port, request) = request(town, query, SEVERAL);
    let mut stream = raw::connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    let mut came = Vec::new();
    while !String::from_utf8_lossy(&came).contains(wanted) {
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&came));
        came.extend_from_slice(&chunk[..length]);
    }
    stream
}

/// What is recorded of queries: which, and how it ended, in an order that does not depend on who was first.
fn recorded(town: &Town) -> Vec<(String, String)> {
    let value = |message: &str, name: &str| {
        let begin = format!("{name}=\"");
        let rest = message.split(&begin).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    };
    let messages = town.messages();
    let queries = messages
        .iter()
        .filter(|it| it.contains("csd-code=\"110112\""));
    let kind = |message: &String| {
        let codes = ["ITI-18", "ITI-38", "ITI-51"].map(|code| format!("csd-code=\"{code}\""));
        let code = codes.iter().find(|it| message.contains(*it));
        code.cloned().unwrap_or_default()
    };
    let mut all: Vec<_> = queries
        .map(|it| {
            let outcome = value(it, "EventOutcomeIndicator");
            (kind(it), format!("{outcome} {}", why(it)))
        })
        .collect();
    all.sort();
    all
}

/// Why something failed, as it is recorded.
fn why(message: &str) -> &str {
    let rest = message.split("<EventOutcomeDescription>").nth(1);
    rest.and_then(|it| it.split('<').next()).unwrap_or_default()
}

/// Waits until something is recorded that fits.
fn wait_for(town: &Town, fits: impl Fn(&[(String, String)]) -> bool, within: Duration) {
    let began = Instant::now();
    loop {
        let all = recorded(town);
        if fits(&all) {
            return;
        }
        assert!(began.elapsed() < within, "{all:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_community_is_heard_when_it_has_answered() {
    let pause = Duration::from_secs(3);
    let (quick, slow) = (partner(0, Duration::ZERO), partner(1, pause));
    let town = town(&[(&quick, ""), (&slow, "")], &[]).await;
    let whole = town.query_everywhere(find()).await.unwrap();
    let streamed = town.query_as_it_comes::<Query>(find()).await.unwrap();
    assert_eq!(ordered(streamed.together()), ordered(whole));
    assert_eq!(streamed.parts.len(), 3);
    let [first, second, last] = [0, 1, 2].map(|at| &streamed.parts[at]);
    let mut quick = [first.community.as_str(), second.community.as_str()];
    quick.sort_unstable();
    assert_eq!(quick, [own(), home(0)]);
    assert!(second.after < pause / 2, "{:?}", second.after);
    assert_eq!(last.community, home(1));
    assert!(last.after >= pause, "{:?}", last.after);
    for part in &streamed.parts {
        assert_eq!(part.response.status, ResponseStatus::Success);
        assert_eq!(part.response.objects.len(), 1);
    }
    assert!(streamed.last.objects.is_empty());
    assert_eq!(streamed.last.status, ResponseStatus::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_message_names_who_gave_nothing() {
    let late = partner(0, Duration::from_secs(4));
    let refusing = Partner::open(|_| Said::fault("not today"));
    let failing_one = Partner::open(|_| failing("XDSTooManyResults"));
    let unknowing = Partner::open(|_| failing("XDSUnknownPatientId"));
    let partners = [
        (&late, "deadline_seconds = 1"),
        (&refusing, ""),
        (&failing_one, ""),
        (&unknowing, ""),
    ];
    let town = town(&partners, &[]).await;
    let whole = town.query_everywhere(find()).await.unwrap();
    let before = recorded(&town);
    let streamed = town.query_as_it_comes::<Query>(find()).await.unwrap();
    assert_eq!(streamed.communities(), [own()]);
    assert!(streamed.parts[0].after < Duration::from_millis(800));
    assert_eq!(streamed.together(), whole);
    assert_eq!(streamed.last.status, ResponseStatus::PartialSuccess);
    let errors: Vec<_> = streamed
        .last
        .errors
        .iter()
        .map(|it| (it.code.as_str(), it.location.clone().unwrap_or_default()))
        .collect();
    let away = "XDSUnavailableCommunity";
    assert_eq!(
        errors,
        [
            (away, home(0)),
            (away, home(1)),
            ("XDSTooManyResults", home(2))
        ]
    );
    // The same is recorded whichever way it is answered.
    let mut twice: Vec<_> = before.iter().chain(&before).cloned().collect();
    twice.sort();
    assert_eq!(recorded(&town), twice);
    assert!(
        before.iter().any(|it| it.0.contains("ITI-18")),
        "{before:?}"
    );
}

/// If nobody has anything, there is only the last message.
#[tokio::test]
async fn a_failure_is_one_message() {
    let refusing = Partner::open(|_| Said::fault("not today"));
    let town = town(&[(&refusing, "")], &[]).await;
    let query = find().replace(
        "<rim:AdhocQuery ",
        &format!("<rim:AdhocQuery home=\"{}\" ", home(0)),
    );
    let whole = town.query_everywhere(query.clone()).await.unwrap();
    let before = recorded(&town);
    let streamed = town.query_as_it_comes::<Query>(query).await.unwrap();
    assert_eq!(streamed.together(), whole);
    assert!(streamed.parts.is_empty());
    assert_eq!(streamed.last.status, ResponseStatus::Failure);
    let mut twice: Vec<_> = before.iter().chain(&before).cloned().collect();
    twice.sort();
    assert_eq!(recorded(&town), twice);
}

#[tokio::test]
async fn on_the_wire() {
    let quick = partner(0, Duration::ZERO);
    let town = town(&[(&quick, "")], &[]).await;
    let answer = ask(&town, &find(), SEVERAL);
    assert_eq!(answer.status, 200);
    let head = answer.head.to_lowercase();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let (_, boundary) = head
        .split_once("content-type: multipart/mixed; boundary=\"")
        .unwrap();
    let boundary = boundary.split('"').next().unwrap();
    // What a part says, and the delimiter that ends it, are one chunk.
    let parts = chunks(&answer);
    assert_eq!(parts.len(), 3, "{parts:?}");
    let delimiter = format!("\r\n--{boundary}\r\n");
    assert!(parts[..2].iter().all(|it| it.ends_with(&delimiter)));
    let text = parts.concat();
    let named = |home: &str| {
        format!(
            "--{boundary}\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\
             Hilum-Community: {home}\r\n\r\n"
        )
    };
    assert!(text.contains(&named(&own())), "{text}");
    assert!(text.contains(&named(&home(0))), "{text}");
    let unnamed =
        format!("--{boundary}\r\nContent-Type: application/soap+xml; charset=UTF-8\r\n\r\n");
    assert_eq!(text.matches(&unnamed).count(), 1, "{text}");
    assert!(text.find(&unnamed) > text.find(&named(&own())), "{text}");
    assert_eq!(text.matches("RegistryStoredQueryResponse<").count(), 3);
    assert_eq!(text.matches("RelatesTo>").count(), 6, "{text}");
    let end = format!("\r\n--{boundary}--\r\n");
    assert!(text.ends_with(&end), "{text}");
}

/// Who does not name `multipart/mixed`, or wants it less, is answered as ever.
#[tokio::test]
async fn others_get_one_answer() {
    let quick = partner(0, Duration::ZERO);
    let town = town(&[(&quick, "")], &[]).await;
    for accept in [
        "",
        "Accept: */*\r\n",
        "Accept: application/soap+xml, multipart/related\r\n",
        "Accept: multipart/*, application/soap+xml\r\n",
        "Accept: application/soap+xml, multipart/mixed;q=0.5\r\n",
        "Accept: multipart/mixed;q=0\r\n",
    ] {
        let answer = ask(&town, &find(), accept);
        let head = answer.head.to_lowercase();
        assert!(
            head.contains("content-type: application/soap+xml; charset=utf-8"),
            "{accept}: {head}"
        );
        assert!(head.contains("content-length: "), "{accept}: {head}");
        assert_eq!(answer.text().matches("<rim:ObjectRef ").count(), 2);
    }
    // Nor does the registry itself know of several messages.
    let envelope = words::envelope(QUERY, &find());
    let length = format!("{SEVERAL}Content-Length: {}", envelope.len());
    let head = raw::head("/registry", SOAP, &length);
    let answer = raw::exchange(town.port(1), (head + &envelope).as_bytes());
    assert!(
        answer.head.to_lowercase().contains("application/soap+xml"),
        "{}",
        answer.head
    );
}

/// What is refused before anybody is asked is answered as to others.
#[tokio::test]
async fn what_is_refused_at_once_is_one_answer() {
    let quick = partner(0, Duration::ZERO);
    let town = town(&[(&quick, "")], &[]).await;
    let garbled = ask(&town, "<nonsense/>", SEVERAL);
    assert_eq!(garbled.status, 400, "{}", garbled.text());
    garbled.fault();
    let incomplete = ask(&town, &find().replace("PatientId", "NobodyId"), SEVERAL);
    let head = incomplete.head.to_lowercase();
    assert!(head.contains("application/soap+xml"), "{head}");
    assert!(incomplete.text().contains("XDSStoredQueryMissingParam"));
    let unknown = find().replace("<rim:AdhocQuery ", "<rim:AdhocQuery home=\"urn:oid:2.1\" ");
    let streamed = town.query_as_it_comes::<Query>(unknown).await.unwrap();
    assert!(streamed.parts.is_empty());
    let code = streamed.last.errors[0].code.as_str();
    assert_eq!(code, "XDSUnknownCommunity");
    assert!(quick.asked().is_empty());
}

/// Who fails without a reason is named, and so is who gives objects nevertheless. Who has errors and no objects
/// has no part.
#[tokio::test(flavor = "multi_thread")]
async fn who_fails_without_a_reason_is_named() {
    let says = |number: usize, ids: &'static [&'static str], status: &'static str| {
        let success = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Success";
        let body = found(Some(&home(number)), ids).replace(success, status);
        Partner::open(move |_| Said::envelope(&words::envelope(QUERY_ANSWER, &body)))
    };
    let failure = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType:Failure";
    let partial = "urn:ihe:iti:2007:ResponseStatusType:PartialSuccess";
    let object = &["urn:uuid:00000000-0000-4000-8000-000000000001"];
    let silent = says(0, &[], failure);
    let giving = says(1, object, failure);
    let partial = says(2, &[], partial);
    let town = town(&[(&silent, ""), (&giving, ""), (&partial, "")], &[]).await;
    let whole = town.query_everywhere(find()).await.unwrap();
    assert_eq!(whole.status, ResponseStatus::PartialSuccess);
    assert_eq!(whole.objects.len(), 2, "{whole:?}");
    assert_eq!(whole.errors.len(), 3, "{:?}", whole.errors);
    for (number, error) in whole.errors.iter().enumerate() {
        assert_eq!(error.code.as_str(), "XDSRegistryError");
        assert_eq!(error.location, Some(home(number)));
        assert!(error.context.contains(&format!("partner {number}")));
        assert!(error.context.contains("no reason"), "{}", error.context);
    }
    let streamed = town.query_as_it_comes::<Query>(find()).await.unwrap();
    let mut parts = streamed.communities();
    parts.sort();
    let (own, there) = (own(), home(1));
    let mut expected = [own.as_str(), there.as_str()];
    expected.sort();
    assert_eq!(parts, expected);
    assert_eq!(ordered(streamed.together()), ordered(whole));
}

/// Who leaves, before or after the first message, lets those go who have not answered; that they were asked is
/// recorded at once.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_not_waited_for() {
    let slow = partner(0, Duration::from_secs(20));
    let town = town(&[(&slow, "deadline_seconds = 60")], &[]).await;
    let left = |all: &[(String, String)]| {
        let asked = all.iter().filter(|it| it.1.contains("whoever asked left"));
        let question = all.iter().filter(|it| it.1.contains("the caller left"));
        (asked.count(), question.count())
    };
    let stream = read_until(&town, &find(), &own());
    assert_eq!(left(&recorded(&town)), (0, 0));
    // What was said was recorded before.
    let success = |all: &[(String, String)]| {
        let all = all
            .iter()
            .filter(|it| it.1 == "0 " && it.0.contains("ITI-18"));
        all.count()
    };
    assert!(success(&recorded(&town)) >= 2, "{:?}", recorded(&town));
    drop(stream);
    wait_for(&town, |all| left(all) == (1, 1), Duration::from_secs(10));

    let query = find().replace(
        "<rim:AdhocQuery ",
        &format!("<rim:AdhocQuery home=\"{}\" ", home(0)),
    );
    let (port, request) = request(&town, &query, SEVERAL);
    let mut stream = raw::connect(port);
    stream.write_all(request.as_bytes()).unwrap();
    while slow.asked().len() < 2 {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stream);
    wait_for(&town, |all| left(all) == (2, 2), Duration::from_secs(10));
}

/// Of several patients each has a message; of who leaves, those whose turn has not come are not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_not_asked_for_any_more() {
    let pause = Duration::from_secs(1);
    let slow = partner(0, pause);
    let town = town(&[(&slow, "calls = 1")], &[]).await;
    let patients = ["P-1", "P-2", "P-3"].map(|it| format!("'{}'", words::patient(it)));
    let patients = format!("({})", patients.join(","));
    let slots = [
        ("$XDSDocumentEntryPatientId", &*patients),
        (
            "$XDSDocumentEntryStatus",
            "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
        ),
    ];
    let query = words::query("3d1bdb10-39a2-11de-89c2-2f44d94eaa9f", "ObjectRef", &slots);
    let asked = town.query_as_it_comes::<QuerySeveral>(query.clone());
    let streamed = asked.await.unwrap();
    let there = home(0);
    assert_eq!(streamed.communities(), [&own(), &there, &there, &there]);
    assert_eq!(slow.asked().len(), 3);

    let envelope = words::envelope("urn:ihe:iti:2009:MultiPatientStoredQuery", &query);
    let length = format!("{SEVERAL}Content-Length: {}", envelope.len());
    let head = raw::head("/initiating", SOAP, &length);
    let mut stream = raw::connect(town.port(3));
    stream.write_all((head + &envelope).as_bytes()).unwrap();
    while slow.asked().len() == 3 {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(stream);
    let left = |all: &[(String, String)]| all.iter().any(|it| it.1.contains("the caller left"));
    wait_for(&town, left, Duration::from_secs(10));
    std::thread::sleep(2 * pause);
    assert_eq!(slow.asked().len(), 4);
}

/// A connection that breaks, and a gateway that ends, never look like a whole answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_is_no_answer() {
    let slow = partner(0, Duration::from_secs(5));
    let mut town = town(&[(&slow, "")], &[]).await;
    let wire = Wire::to(town.port(3));
    let url = format!("http://localhost:{}/initiating", wire.port());
    let request = Raw(find());
    let asking = town.client.send_for_several::<Query>(&url, &request);
    let mut coming = asking.await.unwrap();
    let (community, _) = coming.next().await.unwrap().unwrap();
    assert_eq!(community, Some(own()));
    wire.reset();
    assert!(coming.next().await.is_err());
    assert!(coming.next().await.unwrap().is_none());
    let url = town.initiating();
    let asking = town.client.send_for_several::<Query>(&url, &request);
    let mut coming = asking.await.unwrap();
    coming.next().await.unwrap().unwrap();
    town.kill();
    assert!(coming.next().await.is_err());
}

/// A part, as a gateway sends it.
fn part(community: Option<&str>, id: &str) -> String {
    let community = community.map(|home| format!("Hilum-Community: {home}\r\n"));
    let envelope = words::envelope(
        &format!("{QUERY}Response"),
        &found(community.as_deref(), &[id]),
    );
    format!(
        "Content-Type: {SOAP}\r\n{}\r\n{envelope}\r\n",
        community.unwrap_or_default()
    )
}

/// What a client takes for whole, and what not, whoever answers it.
#[tokio::test]
async fn an_answer_has_a_last_message_and_an_end() {
    let (one, last) = (
        part(Some("urn:oid:2.1"), "urn:uuid:1"),
        part(None, "urn:uuid:2"),
    );
    let (begin, next, end) = ("--b\r\n", "--b\r\n", "--b--\r\n");
    let all = [begin, &one, next, &last, end].concat();
    for (body, messages) in [
        (all.clone(), Some(2)),
        ([begin, &last, end].concat(), Some(1)),
        // The last message is missing, or is not the last, or its end has not come.
        ([begin, &one, end].concat(), None),
        ([begin, &last, next, &one, end].concat(), None),
        (all.replace(end, ""), None),
        (all.replace(end, "--b\r\n"), None),
        (String::new(), None),
    ] {
        let said = Said {
            content_type: "multipart/mixed; boundary=b".to_owned(),
            ..Said::envelope(&body)
        };
        let gateway = Partner::open(move |_| said.clone());
        let client = Client::new(None, Limits::default());
        let (url, request) = (gateway.url(), Raw(find()));
        let asking = client.send_for_several::<Query>(&url, &request);
        let mut coming = asking.await.unwrap();
        let mut count = 0;
        let is_whole = loop {
            match coming.next().await {
                Ok(Some(_)) => count += 1,
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        assert_eq!(is_whole.then_some(count), messages, "{body}");
        assert!(coming.next().await.unwrap().is_none());
    }
}

/// A partner of this number that has more than fits between two machines: some 4 MiB.
fn large(number: usize) -> Partner {
    let ids: Vec<String> = (0..4_000)
        .map(|it| format!("urn:uuid:{it:0>1000}"))
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let body = found(Some(&home(number)), &ids);
    let said = Said::envelope(&words::envelope(QUERY_ANSWER, &body));
    Partner::open(move |_| said.clone())
}

/// Who takes nothing is given up.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_given_up() {
    let large = large(0);
    let slow = partner(1, Duration::from_secs(20));
    let limits = [("HILUM_LIMITS__PROGRESS_SECONDS", "1")];
    let partners = [(&large, ""), (&slow, "deadline_seconds = 60")];
    let town = town(&partners, &limits).await;
    let stream = read_until(&town, &find(), &own());
    let left = |all: &[(String, String)]| all.iter().any(|it| it.1.contains("the caller left"));
    wait_for(&town, left, Duration::from_secs(15));
    drop(stream);
}

/// Who takes an answer slowly holds up nobody who asks the same: communities count as asked until they have
/// answered, not until it is told.
#[tokio::test(flavor = "multi_thread")]
async fn who_takes_it_slowly_keeps_nobody_from_asking() {
    let large = large(0);
    let town = town(&[(&large, "")], &[]).await;
    // As many as may ask the same at a time.
    let streams: Vec<TcpStream> = (0..16)
        .map(|_| read_until(&town, &find(), "HTTP"))
        .collect();
    while large.asked().len() < 16 {
        std::thread::sleep(Duration::from_millis(20));
    }
    let whole = town.query_everywhere(find()).await.unwrap();
    assert_eq!(whole.status, ResponseStatus::Success, "{:?}", whole.errors);
    assert_eq!(whole.objects.len(), 4_001);
    drop(streams);
}
