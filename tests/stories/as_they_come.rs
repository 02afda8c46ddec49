//! `hilum query --communities --as-they-come`: what people and programs see of it, and how it ends.

use std::io::{BufRead, BufReader};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use hilum_tests::partner::{Partner, QUERY_ANSWER, Said, found};
use hilum_tests::region::{Region, home};
use hilum_tests::town::hilum;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use serde_json::Value;

fn query(town: &Town, more: &[&str]) -> Output {
    town.run(&[&["query", "--patient", "P-1"], more].concat())
}

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// The lines of an answer, the last of which says how the whole ended.
fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

/// The uniqueIds of documents in one or several objects.
fn unique_ids(lines: &[Value]) -> Vec<String> {
    let documents = lines
        .iter()
        .flat_map(|it| it["documents"].as_array().unwrap());
    let mut ids: Vec<String> = documents
        .map(|it| it["uniqueId"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids
}

#[tokio::test]
async fn what_is_shown_and_how_it_ends() {
    let mut region = Region::plain(3);
    for town in &region.towns {
        let submission = Submission::new("P-1", vec![Document::text("of this town")]);
        town.provide(&submission).await.unwrap();
    }
    let (all, as_they_come) = ("--communities", "--as-they-come");
    let town = &region.towns[0];
    let shown = query(town, &[all, as_they_come]);
    assert!(shown.status.success(), "{shown:?}");
    let text = String::from_utf8(shown.stdout).unwrap();
    assert_eq!(text.matches("UNIQUE ID").count(), 3, "{text}");
    let (tables, ends) = text.split_once("COMMUNITY ").unwrap();
    for number in 0..3 {
        assert!(tables.contains(&format!("{}\n", urn(number))), "{text}");
        assert!(ends.contains(&urn(number)), "{text}");
    }
    let whole: Value = serde_json::from_slice(&query(town, &[all, "--json"]).stdout).unwrap();
    let streamed = lines(&query(town, &[all, as_they_come, "--json"]));
    assert_eq!(streamed.len(), 4);
    assert_eq!(unique_ids(&streamed), unique_ids(&[whole]));
    assert_eq!(streamed[3]["communities"].as_array().unwrap().len(), 3);
    assert_eq!(streamed[3]["status"], "Success");

    let alone = query(town, &[as_they_come]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");

    region.towns[2].stop();
    let town = &region.towns[0];
    let (whole, streamed) = (query(town, &[all]), query(town, &[all, as_they_come]));
    assert_eq!(whole.status.code(), Some(1), "{whole:?}");
    assert_eq!(streamed.status.code(), Some(1), "{streamed:?}");
    assert_eq!(streamed.stderr, whole.stderr);
    let text = String::from_utf8(streamed.stdout).unwrap();
    let away = text.lines().find(|line| line.contains(&urn(2))).unwrap();
    assert!(away.contains("XDSUnavailableCommunity"), "{text}");

    region.towns[0].stop();
    let nobody = query(&region.towns[0], &[all, as_they_come]);
    assert_eq!(nobody.status.code(), Some(3), "{nobody:?}");
}

/// Rows are there before the last community has answered; and when the gateway goes, that is no whole answer.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_is_shown_before_the_last_has_answered() {
    let pause = Duration::from_secs(6);
    let slow = Partner::open(move |_| {
        let body = found(Some("urn:oid:2.999.8.0"), &["urn:uuid:1"]);
        Said::envelope(&words::envelope(QUERY_ANSWER, &body)).after(pause)
    });
    let mut town = Town::set_up(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let text = std::fs::read_to_string(town.config()).unwrap();
    let known = format!(
        "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.8.0\"\nname = \"slow\"\nurl = \"{}\"\n",
        slow.url()
    );
    std::fs::write(town.config(), text + &known).unwrap();
    town.start();
    let submission = Submission::new("P-1", vec![Document::text("of this town")]);
    town.provide(&submission).await.unwrap();
    let mut command = hilum();
    let arguments = [
        "query",
        "--patient",
        "P-1",
        "--communities",
        "--as-they-come",
    ];
    command
        .args(arguments)
        .arg("--json")
        .current_dir(town.node());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let began = Instant::now();
    let mut running = command.spawn().unwrap();
    let mut said = BufReader::new(running.stdout.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(began.elapsed() < pause / 2, "{:?}", began.elapsed());
    let first: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first["community"], format!("urn:oid:{}", words::HOME));
    town.kill();
    let mut rest = String::new();
    said.read_line(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!running.wait().unwrap().success());
}
