//! ITI-55 with the Deferred Response Option (ITI TF-2 3.55.6.2), as the one who answers: the answer follows to
//! the address that is configured for the community, and to no other.

use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use hilum_tests::partner::{Asked, Said};
use hilum_tests::people::configure;
use hilum_tests::region::{DEMOGRAPHICS, authority, patient_of};
use hilum_tests::{Setup, Town, raw, words};
use serde_json::Value;
use xds_schemas::hl7v3::find_candidates::{
    AskedTime, FindCandidatesQuery, FindCandidatesResponse, Parameters, Priority,
};
use xds_schemas::hl7v3::{AcceptAcknowledgement, Found, InstanceId, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::{DeferredAnswer, DeferredQuestion};
use xds_schemas::metadata::Timestamp;
use xds_schemas::person::PersonName;
use xds_schemas::soap::{self, Header};
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{ToXml, Writer};

use crate::iti55_cross_gateway_patient_discovery::{announce, jane, question};

/// How long to wait for what is to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for what is not to come: longer than a gateway rests.
const QUIET: Duration = Duration::from_secs(8);

/// The community that asks, where it wants its answers.
#[derive(Debug)]
struct Asker {
    url: String,
    port: u16,
    /// Where the one that it asks says how it answers.
    metrics: u16,
    answers: Receiver<(Header, FindCandidatesResponse)>,
    heard: Sender<(Header, FindCandidatesResponse)>,
}

impl Asker {
    /// It has an address and does not listen yet.
    fn away() -> Self {
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [port, metrics] = ports.map(|it| it.local_addr().unwrap().port());
        let (heard, answers) = channel();
        Self {
            url: format!("http://127.0.0.1:{port}/deferred"),
            port,
            metrics,
            answers,
            heard,
        }
    }

    /// From now on it takes what comes, or says that it does not.
    fn listens(&self, verdict: Verdict) {
        self.listens_as(move |_| Some(verdict));
    }

    /// The same, each as it is; without a verdict, it answers with a fault.
    fn listens_as(
        &self,
        mut verdict: impl FnMut(&FindCandidatesResponse) -> Option<Verdict> + Send + 'static,
    ) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        let heard = self.heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let said = take(stream, &mut verdict).expect("an answer that can be read");
                heard.send(said).unwrap();
            }
        });
    }

    fn answer(&self) -> (Header, FindCandidatesResponse) {
        self.answers.recv_timeout(PATIENCE).expect("an answer")
    }

    fn hears_nothing(&self) -> bool {
        self.answers.recv_timeout(QUIET).is_err()
    }
}

fn take(
    stream: TcpStream,
    verdict: &mut dyn FnMut(&FindCandidatesResponse) -> Option<Verdict>,
) -> std::io::Result<(Header, FindCandidatesResponse)> {
    let mut stream = BufReader::new(stream);
    let asked = Asked::read(&mut stream)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let body = asked.body.as_bytes();
    let header = soap::read_header(body).map_err(|it| std::io::Error::other(it.fault))?;
    let answer = soap::read_body::<FindCandidatesResponse>(body).map_err(std::io::Error::other)?;
    let id = InstanceId::new(words::new_oid());
    let acknowledgement = AcceptAcknowledgement::of(&answer.transmission, id, "20260101120000");
    let acknowledgement = match verdict(&answer) {
        Some(Verdict::Accepted) => Ok(acknowledgement),
        Some(other) => Ok(acknowledgement.refusing(other, "not wanted")),
        None => Err(Said::fault("something of this is not understood")),
    };
    let said = acknowledgement.map_or_else(
        |fault| fault,
        |acknowledgement| {
            let mut writer = Writer::default();
            acknowledgement.to_xml(&mut writer);
            let action = DeferredAnswer::RESPONSE_ACTION;
            Said::envelope(&words::envelope(action, &writer.finish()))
        },
    );
    said.write(stream.get_mut(), "close")?;
    Ok((header, answer))
}

/// A town that answers this one later, and knows Jane. What it stores is encrypted.
async fn town_of(asker: &Asker) -> Town {
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        authority: Some(authority(0)),
        environment: vec![(
            "HILUM_METRICS__LISTEN".to_owned(),
            format!("127.0.0.1:{}", asker.metrics),
        )],
        ..Setup::default()
    });
    let community = format!(
        "community = [{{ home_community_id = \"urn:oid:2.999.77\", name = \"Asker\", url = \"http://127.0.0.1:1/\", \
         patients = \"discover\", deferred_url = \"{}\" }}]",
        asker.url
    );
    let sections = [
        ("gateway", &*community),
        ("registry", DEMOGRAPHICS),
        ("at_rest", "keys = \"keys\""),
    ];
    configure(&town, &sections);
    let made = town.run(&["keys", "new"]);
    assert!(made.status.success(), "{made:?}");
    town.start();
    announce(&town, 0, jane("A-1")).await;
    town
}

/// A question for Jane, or for somebody else, whose answer is wanted there.
fn later(family: &str, respond_to: Option<&str>) -> FindCandidatesQuery {
    let parameters = Parameters {
        names: vec![PersonName::of(family, "Jane")],
        birth_time: Some(AskedTime::at(Timestamp::parse("19700101").unwrap())),
        ..Parameters::default()
    };
    let mut question = question(parameters);
    question.query.priority = Priority::Deferred;
    question.transmission.respond_to = respond_to.map(str::to_owned);
    question
}

/// The acknowledgement, and the `wsa:MessageID` of the question.
async fn ask(town: &Town, question: &FindCandidatesQuery) -> (AcceptAcknowledgement, String) {
    let url = town.responding();
    let sent = town
        .client
        .send::<DeferredQuestion>(&url, question, Vec::new());
    let answer = sent.await.unwrap();
    assert_eq!(answer.header.action, DeferredQuestion::RESPONSE_ACTION);
    (answer.response, answer.header.relates_to.unwrap())
}

/// ITI TF-2 3.55.6.2: the question is acknowledged; the answer is a request of its own that relates to it by
/// its MessageID and its queryId.
#[tokio::test]
async fn an_answer_follows_the_acknowledgement() {
    let asker = Asker::away();
    asker.listens(Verdict::Accepted);
    let town = town_of(&asker).await;
    for (family, found) in [("Doe", Found::Data), ("Nobody", Found::Nothing)] {
        let asked = later(family, Some(&asker.url));
        let (acknowledgement, message_id) = ask(&town, &asked).await;
        assert_eq!(acknowledgement.verdict, Verdict::Accepted);
        assert_eq!(acknowledgement.target, asked.transmission.id);
        let (header, answer) = asker.answer();
        assert_eq!(header.action, DeferredAnswer::ACTION);
        assert_eq!(header.relates_to, Some(message_id));
        assert_eq!(header.correlation_time_to_live.as_deref(), Some("P7D"));
        assert_eq!((answer.query.id, answer.found), (asked.query.id, found));
        let ids = answer.candidates.iter().flat_map(|it| &it.ids);
        let ids: Vec<_> = ids.cloned().collect();
        match found {
            Found::Data => assert_eq!(ids, [patient_of(0, "A-1")]),
            _ => assert!(ids.is_empty()),
        }
    }
    // What was answered is recorded: whom it names, and from which community it was asked.
    let messages = town.messages();
    let said = messages
        .iter()
        .filter(|it| it.contains("csd-code=\"ITI-55\""));
    let said: Vec<&String> = said.collect();
    assert_eq!(said.len(), 2, "{said:#?}");
    let own = words::escaped(&patient_of(0, "A-1").to_string());
    assert!(said[0].contains(&own), "{said:#?}");
    assert!(!town.log().contains("Doe"), "{}", town.log());
}

/// ITI TF-2 3.55.6.2 is for delays of days, and "supports recovery through system restart": an answer waits,
/// encrypted, until it is taken, and is sent once.
#[tokio::test]
async fn an_answer_waits_until_it_is_taken() {
    let asker = Asker::away();
    let mut town = town_of(&asker).await;
    let (acknowledgement, message_id) = ask(&town, &later("Doe", Some(&asker.url))).await;
    assert_eq!(acknowledgement.verdict, Verdict::Accepted);
    town.kill();
    for file in ["gateway.db", "gateway.db-wal"] {
        let kept = std::fs::read(town.node().join("data").join(file)).unwrap_or_default();
        let has = |word: &[u8]| kept.windows(word.len()).any(|it| it == word);
        assert!(!has(b"Doe") && !has(b"PRPA_IN201306UV02"), "{file}");
    }
    town.start();
    asker.listens(Verdict::Accepted);
    let (header, answer) = asker.answer();
    assert_eq!(header.relates_to, Some(message_id));
    assert_eq!(answer.candidates[0].ids, [patient_of(0, "A-1")]);
    assert!(asker.hears_nothing(), "it was taken");
    // What sends later does not keep the node from closing.
    town.stop();
    assert!(!town.log().contains("still records"), "{}", town.log());
}

fn json(town: &Town, arguments: &[&str]) -> Value {
    let output = town.run(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whoever changes keys beside the node reckons with what waits: it gets the new key, without which it could
/// not be read after a restart, and the old one can be removed then and not before.
#[tokio::test]
async fn an_answer_that_waits_gets_the_new_key() {
    let asker = Asker::away();
    let mut town = town_of(&asker).await;
    let before = json(&town, &["keys", "list"]);
    let (acknowledgement, message_id) = ask(&town, &later("Doe", Some(&asker.url))).await;
    assert_eq!(acknowledgement.verdict, Verdict::Accepted);
    let listed = json(&town, &["keys", "list"]);
    let objects = |listed: &Value| listed["keys"][0]["objects"].as_u64().unwrap();
    assert_eq!(objects(&listed), objects(&before) + 1);
    let old = listed["keys"][0]["key"].as_str().unwrap();
    assert!(town.run(&["keys", "new"]).status.success());
    let refused = town.run(&["keys", "remove", old]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let rotated = json(&town, &["keys", "rotate"]);
    assert_eq!(rotated["failed"], 0, "{rotated}");
    assert_eq!(rotated["oldKeys"], serde_json::json!({}), "{rotated}");
    let removed = town.run(&["keys", "remove", old]);
    assert!(removed.status.success(), "{removed:?}");
    // What the node has in memory still, a new one has not.
    town.kill();
    town.start();
    asker.listens(Verdict::Accepted);
    let (header, answer) = asker.answer();
    assert_eq!(header.relates_to, Some(message_id));
    assert_eq!(answer.candidates[0].ids, [patient_of(0, "A-1")]);
    assert!(asker.hears_nothing(), "it was taken");
}

/// Who refuses an answer does not get it again.
#[tokio::test]
async fn an_answer_that_is_refused_is_given_up() {
    let asker = Asker::away();
    asker.listens(Verdict::Error);
    let town = town_of(&asker).await;
    let (acknowledgement, _) = ask(&town, &later("Doe", Some(&asker.url))).await;
    assert_eq!(acknowledgement.verdict, Verdict::Accepted);
    asker.answer();
    assert!(asker.hears_nothing());
    let log = town.log();
    assert!(
        log.contains("a deferred answer is refused, and given up"),
        "{log}"
    );
}

/// An answer that is answered with a fault stands in nobody's way, and is sent again.
#[tokio::test]
async fn an_answer_that_is_not_taken_is_passed_over() {
    let asker = Asker::away();
    let town = town_of(&asker).await;
    for family in ["Doe", "Nobody"] {
        let (acknowledgement, _) = ask(&town, &later(family, Some(&asker.url))).await;
        assert_eq!(acknowledgement.verdict, Verdict::Accepted);
    }
    let mut faults = 1;
    asker.listens_as(move |answer| {
        if answer.found == Found::Data && faults > 0 {
            faults -= 1;
            return None;
        }
        Some(Verdict::Accepted)
    });
    let found = [(); 3].map(|()| asker.answer().1.found);
    assert_eq!(found, [Found::Data, Found::Nothing, Found::Data]);
    assert!(asker.hears_nothing(), "both were taken");
}

/// That nobody is there who takes answers says nothing of the gateway of the community.
#[tokio::test]
async fn a_community_is_asked_though_its_answers_are_not_taken() {
    let asker = Asker::away();
    let town = town_of(&asker).await;
    let (acknowledgement, _) = ask(&town, &later("Doe", Some(&asker.url))).await;
    assert_eq!(acknowledgement.verdict, Verdict::Accepted);
    let began = Instant::now();
    let well = loop {
        let page = raw::get(asker.metrics, "/communities");
        let page: Value = serde_json::from_str(&page.text()).unwrap();
        let all = page["communities"].as_array().unwrap();
        let mut all = all.iter();
        let it = all.find(|it| it["homeCommunityId"] == "urn:oid:2.999.77");
        let it = it.unwrap().clone();
        if it["transactions"][0]["failures"]["refused"] != Value::Null {
            break it;
        }
        assert!(began.elapsed() < PATIENCE, "{page:#}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(well["transactions"][0]["transaction"], "ITI-55 deferred");
    assert_eq!(well["failuresInARow"], 0);
    assert_eq!(well["asked"], true);
}

/// What is kept until it is sent is not large.
#[tokio::test]
async fn what_is_too_large_is_not_answered_later() {
    let asker = Asker::away();
    asker.listens(Verdict::Accepted);
    let town = town_of(&asker).await;
    // As much as a question may have: 90 names of nine parts.
    let mut large = later("Doe", Some(&asker.url));
    let mut name = PersonName::of("Doe", "Jane");
    name.given = vec!["x&".repeat(100); 8];
    large.query.parameters.names = vec![name; 90];
    let (acknowledgement, _) = ask(&town, &large).await;
    assert_eq!(acknowledgement.verdict, Verdict::Rejected);
    let reason = &acknowledgement.reasons[0];
    assert!(reason.contains("256 KiB"), "{reason}");

    let mut writer = Writer::default();
    later("Doe", Some(&asker.url)).to_xml(&mut writer);
    let envelope = words::envelope(DeferredQuestion::ACTION, &writer.finish());
    let name = format!("<a:MessageID>urn:{}", "x".repeat(1021));
    let envelope = envelope.replace("<a:MessageID>", &name);
    let kind = "application/soap+xml; charset=UTF-8";
    let length = format!("Content-Length: {}", envelope.len());
    let head = raw::head("/responding", kind, &length);
    let port = town.responding();
    let port = port.split([':', '/']).find_map(|it| it.parse().ok());
    let answer = raw::exchange(port.unwrap(), (head + &envelope).as_bytes());
    let text = answer.text();
    assert!(
        text.contains("MessageID has more than 1,024 bytes"),
        "{text}"
    );
    assert!(asker.hears_nothing());
    let records = town.records();
    let failed = |it: &&Value| it["transaction"] == "ITI-55" && it["outcome"] != "success";
    assert_eq!(records.iter().filter(failed).count(), 2, "{records:#?}");
}

/// Nobody can make a gateway call an address that is not configured, nor be answered for another community.
#[tokio::test]
async fn nobody_else_is_answered_later() {
    let asker = Asker::away();
    let town = town_of(&asker).await;
    let elsewhere = Asker::away();
    elsewhere.listens(Verdict::Accepted);
    for (respond_to, reason) in [
        (Some(&*elsewhere.url), "is not the address"),
        (None, "does not say"),
        (Some(" "), "does not say"),
    ] {
        let (acknowledgement, _) = ask(&town, &later("Doe", respond_to)).await;
        assert_eq!(acknowledgement.verdict, Verdict::Error, "{respond_to:?}");
        assert!(!acknowledgement.unsupported_mode);
        let said = &acknowledgement.reasons[0];
        assert!(said.contains(reason), "{respond_to:?}: {said}");
    }
    // A community that is not known, or none.
    for home in [Some("2.999.78"), None] {
        let mut question = later("Doe", Some(&asker.url));
        question.transmission.sender_organization = home.map(str::to_owned);
        let (acknowledgement, _) = ask(&town, &question).await;
        assert!(acknowledgement.unsupported_mode, "{home:?}");
    }
    assert!(elsewhere.hears_nothing());
    let records = town.records();
    let failed = |it: &&Value| it["transaction"] == "ITI-55" && it["outcome"] != "success";
    assert_eq!(records.iter().filter(failed).count(), 5, "{records:#?}");
}
