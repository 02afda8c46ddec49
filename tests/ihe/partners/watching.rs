//! How partners answer is told to machines, and to the operator.

use std::time::Duration;

use hilum_tests::partner::{self, Said};
use hilum_tests::{Partner, Setup, raw, words};
use serde_json::Value;

use super::{HOME, community, find, finds, get, ids, town, town_of, usual};

/// Also those that nobody asks anything to check them.
#[tokio::test]
async fn every_address_of_a_partner_is_checked() {
    let partner = Partner::open(usual);
    for key in ["fetch_url", "provide_url", "wado_url"] {
        let nobody = format!("{key} = \"http://127.0.0.1:9/gateway\"");
        let town = town(&community(&partner.url(), &nobody));
        let output = town.run(&["check"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let mut lines = text.lines().filter(|line| line.contains("Partner ("));
        let line = lines.next().unwrap_or_default();
        assert!(
            line.starts_with("MEND") && line.contains(":9"),
            "{key}: {text}"
        );
    }
}

#[tokio::test]
async fn health_is_told_by_partner_and_transaction() {
    let partner = Partner::open(|asked| usual(asked).after(Duration::from_millis(50)));
    let away = "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.79\"\nname = \"Away\"\n\
                url = \"http://127.0.0.1:9/\"\n";
    let communities = community(&partner.url(), "") + away;
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let setup = Setup {
        plain: true,
        environment: vec![(
            "HILUM_METRICS__LISTEN".to_owned(),
            format!("127.0.0.1:{port}"),
        )],
        ..Setup::default()
    };
    let town = town_of(setup, &communities);
    for _ in 0..6 {
        find(&town).await;
    }
    get(&town, &ids(2)).await.unwrap();
    let page = raw::get(port, "/communities");
    assert_eq!(page.status, 200);
    let page: Value = serde_json::from_str(&page.text()).unwrap();
    let of = |home: &str| {
        let all = page["communities"].as_array().unwrap();
        all.iter().find(|it| it["homeCommunityId"] == home).unwrap()
    };
    let well = of(HOME);
    assert_eq!(
        (&well["asked"], &well["inFlight"]),
        (&Value::Bool(true), &0.into())
    );
    let query = &well["transactions"][0];
    assert_eq!(query["transaction"], "ITI-38");
    assert_eq!(query["answered"], 6);
    let median = query["seconds"]["p50"].as_f64().unwrap();
    assert!((0.05..5.0).contains(&median), "{median}");
    assert!(query["lastSuccess"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(well["transactions"][1]["transaction"], "ITI-39");
    let away = of("urn:oid:2.999.79");
    assert_eq!(away["asked"], false);
    let failures = &away["transactions"][0]["failures"];
    assert_eq!(
        (&failures["refused"], &failures["resting"]),
        (&5.into(), &1.into())
    );
    assert_eq!(away["transactions"][0]["lastSuccess"], Value::Null);

    let text = raw::get(port, "/communities?format=text").text();
    assert!(
        text.contains("Partner") && text.contains("5 refused"),
        "{text}"
    );
    let metrics = raw::get(port, "/metrics").text();
    for line in [
        format!("hilum_community_asked{{community=\"{HOME}\"}} 1"),
        "hilum_community_asked{community=\"urn:oid:2.999.79\"} 0".to_owned(),
        format!("hilum_community_seconds_count{{community=\"{HOME}\",transaction=\"ITI-38\"}} 6"),
        format!(
            "hilum_community_seconds{{community=\"{HOME}\",transaction=\"ITI-39\",quantile=\"0.95\"}}"
        ),
        "class=\"refused\"} 5".to_owned(),
        "hilum_community_last_success_seconds{".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line}:\n{metrics}");
    }
    // Nothing in it is about patients.
    for told in [text, metrics, page.to_string()] {
        assert!(!told.contains("P-1"), "{told}");
    }
}

/// `hilum check` asks every community, and says what to mend.
#[tokio::test]
async fn check_calls_each() {
    let other = "urn:oid:2.999.99";
    let partners = [
        (
            "Well",
            Partner::open(|_| {
                let body = partner::found(Some(HOME), &[]);
                Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
            }),
        ),
        ("Missing", Partner::open(|_| Said::status(404))),
        ("Faulty", Partner::open(|_| Said::fault("nothing for you"))),
        (
            "Other",
            Partner::open(move |_| {
                let body = partner::found(Some(other), &[super::OBJECT]);
                Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
            }),
        ),
        (
            "Slow",
            Partner::open(|_| finds().after(Duration::from_secs(3))),
        ),
    ];
    let one = |(number, (name, url)): (usize, (&str, String))| {
        format!(
            "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.77.{number}\"\n\
             name = \"{name}\"\nurl = \"{url}\"\ndeadline_seconds = 1\n"
        )
    };
    let mut all: Vec<(&str, String)> = partners
        .iter()
        .map(|(name, it)| (*name, it.url()))
        .collect();
    all.push(("Refused", "http://127.0.0.1:9/gateway".to_owned()));
    let communities: String = all.into_iter().enumerate().map(one).collect();
    let town = town(&communities);
    let output = town.run(&["check"]);
    assert!(!output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| {
        let mut lines = text
            .lines()
            .filter(|line| line.contains(&format!(" {name} (")));
        lines.next().unwrap_or_else(|| panic!("no {name}:\n{text}"))
    };
    for (name, verdict, told) in [
        ("Well", "ok", "answers"),
        ("Missing", "MEND", "HTTP status 404"),
        ("Faulty", "MEND", "nothing for you"),
        ("Other", "MEND", "answers as urn:oid:2.999.99"),
        ("Slow", "MEND", "no answer within 1 seconds"),
        ("Refused", "MEND", "nobody listens there"),
    ] {
        let line = line(name);
        assert!(line.starts_with(verdict) && line.contains(told), "{line}");
    }
    // It asks for no patient, and once.
    let asked = partners[0].1.asked();
    assert_eq!(asked.len(), 1);
    assert!(
        asked[0]
            .body
            .contains("urn:uuid:00000000-0000-0000-0000-000000000000")
    );
    assert!(!asked[0].body.contains("PatientId"));
}
