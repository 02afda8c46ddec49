//! Three communities on networks of their own, over mutual TLS: packets are lost, and cables are pulled.
//! What is asked is asked by the commands, as a person does.

use std::time::{Duration, Instant};

use hilum_tests::Town;
use hilum_tests::namespaces::Namespaces;
use hilum_tests::region::{Region, home};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(4);
/// What a machine may need that has other things to do, and the command itself.
const NOISE: Duration = Duration::from_secs(4);
const LARGE: usize = 12_000_000;

/// What a command says in JSON, and how long it took.
fn said(town: &Town, arguments: &[&str]) -> (Value, Duration) {
    let began = Instant::now();
    let output = town.run(&[arguments, &["--json"]].concat());
    let took = began.elapsed();
    let json = serde_json::from_slice(&output.stdout);
    (
        json.unwrap_or_else(|_| panic!("{arguments:?}: {output:?}")),
        took,
    )
}

/// Hands in a document of the patient; its uniqueId.
fn submitted(town: &Town, number: usize) -> String {
    let file = town.folder().join("letter.txt");
    let line = format!("This is a line of town {number}.\n");
    std::fs::write(&file, line.repeat(LARGE / line.len())).unwrap();
    let file = file.to_str().unwrap();
    let (done, _) = said(
        town,
        &["submit", file, "--patient", "P-1", "--title", "A letter"],
    );
    assert_eq!(done["status"], "Success", "{done}");
    let find = ["query", "--patient", "P-1"];
    let (found, _) = said(town, &find);
    found["documents"][0]["uniqueId"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Asks all communities: who has something, what is wrong, and how long it took.
fn asked(town: &Town) -> (Vec<String>, Vec<Value>, Duration) {
    let (found, took) = said(town, &["query", "--patient", "P-1", "--communities"]);
    let documents = found["documents"].as_array().unwrap().iter();
    let home = |it: &Value| it["homeCommunityId"].as_str().unwrap().to_owned();
    let mut homes: Vec<String> = documents.map(home).collect();
    homes.sort();
    (homes, found["errors"].as_array().unwrap().clone(), took)
}

fn urn(number: usize) -> String {
    format!("urn:oid:{}", home(number))
}

/// Gets a document of another community: whether it came whole, and how long that took.
fn got(town: &Town, number: usize, id: &str) -> (bool, Duration) {
    let out = town.folder().join("got");
    let (out, home) = (out.to_str().unwrap(), urn(number));
    let arguments = [
        "retrieve",
        id,
        "--communities",
        "--home",
        &home,
        "--out",
        out,
    ];
    let (got, took) = said(town, &arguments);
    let documents = got["documents"].as_array().unwrap();
    (documents.iter().any(|it| it["verified"] == true), took)
}

#[test]
fn communities_on_bad_networks() {
    let Some(networks) = Namespaces::of(3) else {
        return;
    };
    let seconds = DEADLINE.as_secs();
    let environment = [("HILUM_LIMITS__PROGRESS_SECONDS", seconds.to_string())];
    let lines = format!("deadline_seconds = {seconds}");
    let region = Region::in_namespaces(&networks, 3, &lines, &environment);
    let town = &region.towns[0];
    let towns = region.towns.iter().enumerate();
    let ids: Vec<String> = towns
        .map(|(number, town)| submitted(town, number))
        .collect();
    let all = [urn(0), urn(1), urn(2)];
    assert_eq!(asked(town).0, all);

    // Packets are lost.
    networks.lose(1, 5);
    let (homes, errors, _) = asked(town);
    assert_eq!((homes.as_slice(), errors.len()), (all.as_slice(), 0));
    assert!(got(town, 1, &ids[1]).0);
    networks.lose_nothing(1);

    // Everything takes its time.
    match networks.delay(1, 200) {
        true => {
            let (homes, errors, took) = asked(town);
            assert_eq!((homes.as_slice(), errors.len()), (all.as_slice(), 0));
            assert!(took >= Duration::from_millis(200), "{took:?}");
            networks.hurry(1);
        }
        false => eprintln!("this kernel delays nothing (netem); tests/stories/across.rs does"),
    }

    // The cable is pulled in the middle of a retrieval.
    networks.throttle(1, 16);
    std::thread::scope(|scope| {
        let getting = scope.spawn(|| got(town, 1, &ids[1]));
        std::thread::sleep(Duration::from_secs(2));
        assert!(!getting.is_finished(), "it is too quick to be cut");
        networks.cut(1);
        let cut = Instant::now();
        let (whole, _) = getting.join().unwrap();
        let took = cut.elapsed();
        assert!(!whole, "it looks whole");
        assert!(took < 2 * DEADLINE + NOISE, "{took:?}");
    });

    // Who is behind it is named at the deadline, beside what the others have.
    let (homes, errors, took) = asked(town);
    assert_eq!(homes, [urn(0), urn(2)]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["errorCode"], "XDSUnavailableCommunity");
    let context = errors[0]["codeContext"].as_str().unwrap();
    assert!(context.contains("town 1"), "{context}");
    assert!(took >= DEADLINE && took < DEADLINE + NOISE, "{took:?}");
    assert!(got(town, 2, &ids[2]).0, "the others are as near as ever");

    networks.mend(1);
    networks.hurry(1);
    let began = Instant::now();
    // Bridges and TCP need a moment.
    while asked(town).0 != all {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it does not come back"
        );
    }
    assert!(got(town, 1, &ids[1]).0);
}
