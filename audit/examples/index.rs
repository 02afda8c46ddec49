//! How fast the index of the audit log is made, and how fast it answers: messages of many patients and
//! users, as registries record queries.
//!
//! `cargo run --release -p hilum-audit --example index -- [messages]`

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use hilum_audit::event::{Query, Source};
use hilum_audit::moment::Moment;
use hilum_audit::record_repository::{Form, Log, LogConfig, Received, Via, rebuild};
use hilum_audit::{Event, Outcome, Parties, syslog};

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let messages = std::env::args().nth(1).map(|it| it.parse::<u64>());
    let messages = messages.transpose()?.unwrap_or(100_000);
    let folder = tempfile::tempdir_in(".")?;
    let log = Log::open(&LogConfig::new(folder.path().join("log")))?;
    let began = Instant::now();
    let mut number = 0;
    while number < messages {
        let end = messages.min(number + 4096);
        log.append((number..end).map(received).collect()).await?;
        number = end;
    }
    told("appended to the log", messages, began.elapsed());
    let began = Instant::now();
    rebuild(&log, |_, _| {})?;
    told("indexed", messages, began.elapsed());
    let file = folder.path().join("log/index.db");
    let bytes = std::fs::metadata(file)?.len();
    println!("{} bytes a message", bytes / messages);
    Ok(())
}

fn told(what: &str, messages: u64, took: Duration) {
    let seconds = took.as_secs_f64();
    let rate = messages as f64 / seconds;
    println!("{what}: {messages} messages in {seconds:.2} s, {rate:.0} messages/s");
}

fn received(number: u64) -> Received {
    let patient = format!("P{}^^^&1.2.3&ISO", number * 7919 % 50_000);
    let query = Query {
        id: "urn:uuid:14d4debf-8f97-4251-9a74-a90016b0af0d",
        request: &"<query:AdhocQueryRequest/>".repeat(12),
        patients: &[&patient],
        home_community_id: None,
    };
    let at = UNIX_EPOCH + Duration::from_secs(1_800_000_000 + number);
    let parties = Parties::asked(&format!("https://xds{}.example/registry", number % 20));
    let event = Event::queried(&parties, query, &Outcome::Success);
    let source = Source {
        id: "hilum@xds.example".to_owned(),
        enterprise_site: None,
        host: format!("host{}.example", number % 100),
        process: (number % 1000).to_string(),
    };
    let frame = syslog::frames(&event, &source, Moment::of(at));
    let message = frame
        .iter()
        .position(|byte| *byte == b' ')
        .map_or(0, |at| at + 1);
    Received {
        at,
        via: Via::Tls,
        from: SocketAddr::from(([192, 0, 2, 1], 6514)),
        node: Some("CN=sender".to_owned()),
        form: Form::Syslog,
        cut: false,
        bytes: frame[message..].to_vec(),
    }
}
