//! Communities are read anew while the node runs.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use hilum_tests::partner::{self, Said};
use hilum_tests::{Partner, Town, words};
use openssl::base64::encode_block;
use xds_schemas::ebrs::AdhocQueryResponse;

use super::{HOME, community, find, finds, town, wait, write};

/// Records that the security configuration changed and that speak of this.
fn changes(town: &Town, what: &str) -> usize {
    // What an alert says is in base64.
    let told = format!("[gateway]: the communities were read anew: {what}");
    let told = encode_block(told.as_bytes());
    let messages = town.messages();
    let all = messages
        .iter()
        .filter(|it| it.contains("110129") && it.contains(&told));
    all.count()
}

fn hang_up(town: &Town) {
    let pid = town.pid().to_string();
    let hangup = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(hangup.unwrap().success());
}

/// Whether somebody is left alone.
fn rests(found: &AdhocQueryResponse) -> bool {
    let mut told = found.errors.iter().map(|it| it.context.as_str());
    told.any(|it| it.contains("not asked for a while"))
}

#[tokio::test]
async fn communities_come_and_go_while_calls_go_on() {
    let first = Partner::open(|asked| match asked.body.contains("SLOW") {
        true => finds().after(Duration::from_secs(4)),
        false => finds(),
    });
    let other = "urn:oid:2.999.78";
    let second = Partner::open(move |_| {
        let body = partner::found(
            Some(other),
            &["urn:uuid:bbbbbbbb-0000-4000-8000-000000000001"],
        );
        Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
    });
    let gone = "urn:oid:2.999.79";
    let named = |home: &str, name: &str, url: &str, lines: &str| {
        let text = community(url, lines).replace(HOME, home);
        text.replace("\"Partner\"", &format!("\"{name}\""))
    };
    let nowhere = named(gone, "Gone", "http://127.0.0.1:9/gateway", "");
    let start = community(&first.url(), "") + &nowhere;
    let town = Arc::new(town(&start));
    // It fails until it is left alone.
    for _ in 0..5 {
        find(&town).await;
    }
    assert!(rests(&find(&town).await));
    assert_eq!(find(&town).await.objects.len(), 1);

    // One that is new is asked, and what is known of others stays.
    let more = start.clone() + &named(other, "Second", &second.url(), "");
    write(&town, &more);
    wait("recorded", || changes(&town, "new: Second") == 1);
    let found = find(&town).await;
    assert_eq!(found.objects.len(), 2, "{:?}", found.errors);
    assert!(rests(&found), "{:?}", found.errors);

    // What cannot be used is refused with its line, and the old stays.
    let wrong = start.clone() + &named(other, "Second", "ftp://localhost/", "");
    write(&town, &wrong);
    let text = std::fs::read_to_string(town.config()).unwrap();
    let line = text.lines().position(|line| line.contains("ftp:")).unwrap() + 1;
    wait("refused", || {
        let log = town.log();
        log.contains(&format!("line {line}:")) && log.contains("the old stay")
    });
    assert_eq!(find(&town).await.objects.len(), 2);

    // A quirk changes, with a signal; a call that has begun goes on with what it began with.
    let slow = {
        let town = Arc::clone(&town);
        let query = words::find_documents("SLOW", "ObjectRef");
        tokio::spawn(async move { town.query_everywhere(query).await.unwrap() })
    };
    let asked = || first.asked().iter().any(|it| it.body.contains("SLOW"));
    while !asked() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = named(other, "Second", &second.url(), "must_understand = false");
    write(&town, &last);
    hang_up(&town);
    wait("changed", || {
        changes(&town, "changed: Second; gone: Partner, Gone") == 1
    });
    let found = find(&town).await;
    assert_eq!((found.objects.len(), found.errors.len()), (1, 0));
    let insists = second
        .asked()
        .last()
        .unwrap()
        .body
        .contains("mustUnderstand");
    assert!(!insists);
    let found = slow.await.unwrap();
    assert_eq!(found.objects.len(), 2, "{:?}", found.errors);
}
