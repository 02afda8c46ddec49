//! Audit records get to receivers that others have made, whatever happens on the way.
//!
//! ```text
//! node ── spool ──▶ rsyslog (TLS), syslog-ng (TLS), rsyslog (UDP)
//!   hilum query ── spool of its own ──┘
//! ```
//!
//! What arrives is compared byte for byte with what the spools hold. `HILUM_KILLS` says how often sender
//! and receiver are killed; 3 times if it does not.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use hilum_tests::syslog::{By, Receiver};
use hilum_tests::words::{Document, Submission};
use hilum_tests::{Setup, Town};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(120);

/// A town that sends to these receivers as soon as it runs.
fn town() -> (Town, std::path::PathBuf) {
    let town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let certs = town.node().join("certs");
    (town, certs)
}

/// Writes receivers into the node's configuration.
fn send_to(town: &Town, receivers: &[String]) {
    let config = std::fs::read_to_string(town.config()).unwrap();
    let sections: String = receivers
        .iter()
        .map(|receiver| format!("\n[[audit.send]]\nto = \"{receiver}\"\n"))
        .collect();
    std::fs::write(town.config(), format!("{config}{sections}")).unwrap();
}

/// The messages of one spool, read without the program: octet-counted, one after the other.
fn spool(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "syslog"))
        .collect();
    paths.sort();
    let mut messages = Vec::new();
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        let mut rest = &bytes[..];
        while let Some(space) = rest.iter().position(|byte| *byte == b' ') {
            let length = std::str::from_utf8(&rest[..space]).unwrap();
            let end = space + 1 + length.parse::<usize>().unwrap();
            let Some(message) = rest.get(space + 1..end) else {
                break;
            };
            assert!(!message.contains(&b'\n'));
            messages.push(message.to_vec());
            rest = &rest[end..];
        }
    }
    messages
}

/// The messages of the node's own spool, and of each of its commands.
fn spools(town: &Town) -> Vec<Vec<Vec<u8>>> {
    let own = town.node().join("data/audit");
    let clients = own.join("clients");
    let mut all = vec![spool(&own)];
    let entries = std::fs::read_dir(clients).into_iter().flatten();
    all.extend(entries.map(|entry| spool(&entry.unwrap().path())));
    all
}

/// Every message of every spool came, those of each spool in their order and nothing else. A message
/// may have come again: how many did is told.
fn complete(received: &[Vec<u8>], spools: &[Vec<Vec<u8>>]) -> usize {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, message) in received.iter().enumerate() {
        places.entry(message).or_default().push(place);
    }
    let mut recorded = 0;
    for spool in spools {
        recorded += spool.len();
        // Where the one before came first.
        let mut last = 0;
        // Two happenings of one millisecond may be written alike.
        let mut alike: HashMap<&[u8], usize> = HashMap::new();
        for (at, message) in spool.iter().enumerate() {
            let before = alike.entry(message).or_default();
            let place = places
                .get(&**message)
                .and_then(|places| places.get(*before));
            let text = String::from_utf8_lossy(message);
            let place = *place.unwrap_or_else(|| panic!("message {at} is lost: {text}"));
            if *before == 0 {
                assert!(place >= last, "message {at} came too early: {text}");
                last = place;
            }
            *before += 1;
        }
    }
    let known: HashSet<&[u8]> = spools.iter().flatten().map(Vec::as_slice).collect();
    for message in places.keys() {
        let text = String::from_utf8_lossy(message);
        assert!(
            known.contains(message),
            "it came, and is in no spool: {text}"
        );
    }
    received.len() - recorded
}

async fn submit(town: &mut Town, count: usize) {
    for number in 0..count {
        let text = format!("document {number}");
        let submission = Submission::new("P-1", vec![Document::text(&text)]);
        town.provide(&submission).await.unwrap();
    }
}

/// What `hilum audit status` says of a receiver.
fn backlog(town: &Town, receiver: &str) -> u64 {
    let output = town.run(&["audit", "status", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let told = told.as_array().unwrap().iter();
    let mut told = told.filter(|it| it["receiver"] == receiver);
    told.next().unwrap()["records"].as_u64().unwrap()
}

/// Waits until a receiver is known to have everything.
fn drained(town: &Town, receiver: &str) {
    let began = Instant::now();
    while backlog(town, receiver) > 0 {
        let log = town.log();
        assert!(
            began.elapsed() < PATIENCE,
            "{receiver} lacks records:\n{log}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Three receivers, of which one is down for a while. It gets everything in the end, and the others do
/// not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn every_receiver_gets_every_record() {
    let (mut town, certs) = town();
    let Some(mut rsyslog) = Receiver::rsyslog(By::Tls, &certs) else {
        return;
    };
    let Some(udp) = Receiver::rsyslog(By::Udp, &certs) else {
        return;
    };
    let syslog_ng = Receiver::syslog_ng(By::Tls, &certs);
    let mut receivers = vec![rsyslog.address(), udp.address()];
    receivers.extend(syslog_ng.as_ref().map(Receiver::address));
    send_to(&town, &receivers);
    rsyslog.stop();
    town.start();
    submit(&mut town, 20).await;
    // A command has a spool of its own.
    assert!(town.run(&["query", "--patient", "P-1"]).status.success());
    let recorded: usize = spools(&town).iter().map(Vec::len).sum();
    assert!(recorded > 40, "{recorded}");
    udp.wait_for(recorded, PATIENCE);
    if let Some(syslog_ng) = &syslog_ng {
        syslog_ng.wait_for(recorded, PATIENCE);
    }
    assert!(rsyslog.received().is_empty());
    assert_eq!(backlog(&town, &receivers[0]), recorded as u64);
    let gone = |town: &Town| town.log().matches("an audit receiver is gone").count();
    assert_eq!(gone(&town), 1, "{}", town.log());

    rsyslog.start();
    rsyslog.wait_for(recorded, PATIENCE);
    submit(&mut town, 5).await;
    for receiver in &receivers {
        drained(&town, receiver);
    }
    assert_eq!(gone(&town), 1, "{}", town.log());
    assert_eq!(town.log().matches("an audit receiver is back").count(), 1);
    let spools = spools(&town);
    let all: Vec<&Receiver> = [&rsyslog, &udp].into_iter().chain(&syslog_ng).collect();
    for receiver in all {
        assert_eq!(complete(&receiver.received(), &spools), 0);
    }
}

/// A random moment, of which there are many.
fn moment(least: u64, span: u64) -> Duration {
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Duration::from_millis(least + u64::from(now.subsec_nanos()) / 1000 % span)
}

/// The node and its receiver are killed in turn, while records are made. Everything comes in the end,
/// in its order.
async fn killed_again_and_again(mut receiver: Receiver, mut town: Town) {
    let asked = std::env::var("HILUM_KILLS").ok();
    let kills: u64 = asked.map_or(3, |text| text.parse().unwrap());
    let address = receiver.address();
    send_to(&town, std::slice::from_ref(&address));
    town.start();
    for _ in 0..kills {
        let end = Instant::now() + moment(500, 3000);
        while Instant::now() < end {
            submit(&mut town, 1).await;
        }
        receiver.kill();
        submit(&mut town, 5).await;
        if moment(0, 2).is_zero() {
            tokio::time::sleep(moment(0, 500)).await;
            town.kill();
            town.start();
        }
        receiver.start();
        let end = Instant::now() + moment(0, 3000);
        while Instant::now() < end {
            submit(&mut town, 1).await;
        }
        town.kill();
        town.start();
    }
    drained(&town, &address);
    let (received, spools) = (receiver.received(), spools(&town));
    let again = complete_but_torn(received, &spools);
    let recorded: usize = spools.iter().map(Vec::len).sum();
    eprintln!("{recorded} records, {again} came again");
}

/// The same as [`complete`], but a receiver that was killed may have left the beginning of a message,
/// to which its successor added its first one.
fn complete_but_torn(received: Vec<Vec<u8>>, spools: &[Vec<Vec<u8>>]) -> usize {
    let known: HashSet<&[u8]> = spools.iter().flatten().map(Vec::as_slice).collect();
    let mended = received.into_iter().filter_map(|line| {
        if known.contains(&*line) {
            return Some(line);
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let begins = text.rfind("<85>1 ").filter(|begins| *begins > 0);
        let whole = begins.map(|begins| text.as_bytes()[begins..].to_vec());
        // What was torn was not confirmed, so it comes again.
        whole.filter(|whole| known.contains(&**whole))
    });
    complete(&mended.collect::<Vec<_>>(), spools)
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_the_way_to_rsyslog() {
    let (town, certs) = town();
    if let Some(receiver) = Receiver::rsyslog(By::Tls, &certs) {
        killed_again_and_again(receiver, town).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_on_the_way_to_syslog_ng() {
    let (town, certs) = town();
    if let Some(receiver) = Receiver::syslog_ng(By::Tls, &certs) {
        killed_again_and_again(receiver, town).await;
    }
}

/// A receiver hangs, so that what it is sent stays in the buffers of the system, and is killed then.
async fn what_was_not_read_comes_again(mut receiver: Receiver, mut town: Town) {
    let address = receiver.address();
    send_to(&town, std::slice::from_ref(&address));
    town.start();
    submit(&mut town, 3).await;
    let before: usize = spools(&town).iter().map(Vec::len).sum();
    receiver.wait_for(before, PATIENCE);
    receiver.freeze();
    submit(&mut town, 5).await;
    // Long enough for whoever believes that what was written was read.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(backlog(&town, &address) > 0);
    receiver.kill();
    receiver.start();
    drained(&town, &address);
    complete_but_torn(receiver.received(), &spools(&town));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rsyslog_has_not_read_comes_again() {
    let (town, certs) = town();
    if let Some(receiver) = Receiver::rsyslog(By::Tls, &certs) {
        what_was_not_read_comes_again(receiver, town).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rsyslog_has_not_read_without_tls_comes_again() {
    let (town, certs) = town();
    if let Some(receiver) = Receiver::rsyslog(By::Tcp, &certs) {
        what_was_not_read_comes_again(receiver, town).await;
    }
}

/// Receiver and node are killed while there is more to send than fits into one window.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_survives_kills() {
    let asked = std::env::var("HILUM_KILLS").ok();
    let kills: u32 = asked.map_or(3, |text| text.parse().unwrap());
    let (mut town, certs) = town();
    let Some(mut receiver) = Receiver::rsyslog(By::Tls, &certs) else {
        return;
    };
    town.start();
    town.stop();
    backlog_of(&town, 30_000);
    let address = receiver.address();
    let limit = format!("{address}\"\nrecords_per_second = 1000000\n# \"");
    send_to(&town, &[limit]);
    town.start();
    for kill in 0..kills {
        tokio::time::sleep(moment(200, 3000)).await;
        receiver.kill();
        receiver.start();
        if kill % 2 == 0 {
            tokio::time::sleep(moment(0, 2000)).await;
            town.kill();
            town.start();
        }
    }
    drained(&town, &address);
    let again = complete_but_torn(receiver.received(), &spools(&town));
    eprintln!("of 30000 records, {again} came again");
}

/// A receiver that shows a certificate nobody vouches for gets nothing, and that is recorded.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_get_nothing() {
    let (mut town, _) = town();
    let (other, strange) = self::town();
    let Some(receiver) = Receiver::rsyslog(By::Tls, &strange) else {
        return;
    };
    send_to(&town, &[receiver.address()]);
    town.start();
    let began = Instant::now();
    let refused = |record: &Value| {
        record["transaction"] == "110126" && record["participants"][1] == "tls://localhost"
    };
    while !town.records().iter().any(refused) {
        assert!(began.elapsed() < PATIENCE, "{}", town.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(receiver.received().is_empty());
    assert!(
        town.log().contains("its certificate is not trusted"),
        "{}",
        town.log()
    );
    let checked = town.run(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let line = said.lines().find(|line| line.contains(&receiver.address()));
    assert!(line.is_some_and(|line| line.starts_with("MEND")), "{said}");
    drop(other);
}

/// On a machine that only runs commands, what they recorded is sent by a command too.
#[tokio::test(flavor = "multi_thread")]
async fn commands_are_sent_by_a_command() {
    let (mut town, certs) = town();
    let Some(receiver) = Receiver::rsyslog(By::Tls, &certs) else {
        return;
    };
    town.start();
    assert!(town.run(&["query", "--patient", "P-1"]).status.success());
    town.stop();
    send_to(&town, &[receiver.address()]);
    let sent = town.run(&["audit", "send", "--once"]);
    assert!(sent.status.success(), "{sent:?}");
    let spools = spools(&town);
    assert!(spools.len() > 1 && spools.iter().all(|spool| !spool.is_empty()));
    assert_eq!(complete(&receiver.received(), &spools), 0);
    let again = town.run(&["audit", "send", "--once"]);
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.ends_with(": 0 records sent\n"), "{said}");
    // While the node runs, it sends by itself.
    town.start();
    let refused = town.run(&["audit", "send", "--once"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("sends by itself"),
        "{said}"
    );
    drop(receiver);
    town.stop();
    let gone = town.run(&["audit", "send", "--once"]);
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(
        !gone.status.success() && said.contains("has not got everything"),
        "{said}"
    );
}

/// Records like one that the node has made, numbered, in the spool of a command.
fn backlog_of(town: &Town, records: usize) {
    let like = spool(&town.node().join("data/audit")).remove(0);
    let like = String::from_utf8(like).unwrap();
    let folder = town.node().join("data/audit/clients/9");
    std::fs::create_dir_all(&folder).unwrap();
    for segment in 0..2 {
        let mut bytes = Vec::new();
        for number in 0..records / 2 {
            let id = format!("UserID=\"{segment}.{number} {}\"", "x".repeat(900));
            let message = like.replacen("UserID=\"", &format!("{id} Was=\""), 1);
            bytes.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
        }
        std::fs::write(folder.join(format!("{:010}.syslog", segment + 1)), bytes).unwrap();
    }
}

/// A backlog drains at the rate that is configured, and quickly if that is high.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_drains() {
    for (rate, records) in [(2_000, 8_000), (1_000_000, 40_000)] {
        let (mut town, certs) = town();
        let Some(receiver) = Receiver::rsyslog(By::Tls, &certs) else {
            return;
        };
        town.start();
        town.stop();
        backlog_of(&town, records);
        let address = receiver.address();
        let limit = format!("{address}\"\nrecords_per_second = {rate}\n# \"");
        send_to(&town, &[limit]);
        let total: usize = spools(&town).iter().map(Vec::len).sum();
        assert_eq!(backlog(&town, &address), total as u64);
        let began = Instant::now();
        town.start();
        receiver.wait_for(total, PATIENCE);
        let took = began.elapsed();
        let per_second = total as f64 / took.as_secs_f64();
        eprintln!("{total} records of 2 KB, at most {rate}/s: {took:.2?}, {per_second:.0}/s");
        let fastest = Duration::from_secs(total as u64) / rate;
        assert!(
            took >= fastest,
            "it took {took:?}, but {fastest:?} is the limit"
        );
        town.stop();
        assert_eq!(backlog(&town, &address), 0);
        let received = receiver.received();
        let own = spool(&town.node().join("data/audit/clients/9"));
        let known: HashSet<&Vec<u8>> = own.iter().collect();
        let sent = received.iter().filter(|message| known.contains(message));
        let sent: Vec<&Vec<u8>> = sent.collect();
        assert_eq!(sent.len(), own.len());
        assert!(sent.into_iter().eq(&own), "out of order");
    }
}

/// Processor time of a process, in seconds.
fn processor_time(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

/// What a node spends on calls while nobody, and while somebody, is sent its records. There is no limit
/// to it: the figures are for people.
#[tokio::test(flavor = "multi_thread")]
async fn what_sending_costs() {
    const CALLS: usize = 200;
    for sent in [false, true] {
        let (mut town, certs) = town();
        let Some(receiver) = Receiver::rsyslog(By::Tls, &certs) else {
            return;
        };
        if sent {
            send_to(&town, &[receiver.address()]);
        }
        town.start();
        submit(&mut town, 20).await;
        let before = processor_time(town.pid());
        submit(&mut town, CALLS).await;
        let spent = (processor_time(town.pid()) - before) / CALLS as f64;
        eprintln!(
            "sent: {sent}, {:.2} ms of the processor for a submission",
            spent * 1e3
        );
    }
}

/// What judges the receivers is judged too: by messages that are missing, strange or in another order.
#[test]
fn incomplete_trails_are_noticed() {
    let message = |number: u32| number.to_string().into_bytes();
    let spools = [vec![message(1), message(2), message(3)], vec![message(7)]];
    let judge = |received: &[u32]| {
        let received: Vec<_> = received.iter().map(|number| message(*number)).collect();
        std::panic::catch_unwind(|| complete(&received, &spools)).ok()
    };
    assert_eq!(judge(&[1, 7, 2, 3]), Some(0));
    assert_eq!(judge(&[1, 2, 1, 7, 2, 3]), Some(2));
    for wrong in [
        &[1, 2, 7][..],
        &[1, 2, 3],
        &[2, 1, 3, 7],
        &[1, 3, 2, 3, 7],
        &[1, 2, 3, 4, 7],
    ] {
        assert_eq!(judge(wrong), None, "{wrong:?}");
    }
}
