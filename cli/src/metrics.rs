//! `[metrics]`: what machines that watch a node want to know. Nothing in it is about patients, and
//! nothing is secret.
//!
//! `/metrics` is in the text format of Prometheus, `/healthz` says that the process answers, `/readyz`
//! whether its rooms do, and `/communities` how those answer whom the gateway asks.

mod communities;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_audit::record_repository::RecordRepository;
use hilum_audit::sender::{Standing, Watcher};
use hilum_audit::{Audit, Event};
use hilum_gateway::Gateway;
use hilum_transport::{Incoming, Reply};
use tokio::time::Instant;

use crate::serve::plain;

/// The media type of the format.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// How long it is believed what was found out about receivers.
const FRESH: Duration = Duration::from_secs(5);
/// How calls end, by the HTTP status of the answer.
const OUTCOMES: [&str; 3] = ["answered", "refused", "failed"];
/// Where calls are counted that no room serves.
const NOWHERE: &str = "none";

/// What is counted.
pub(crate) struct Metrics {
    audit: Audit,
    rooms: Vec<(&'static str, [AtomicU64; 3])>,
    ready: AtomicBool,
    started: SystemTime,
    watcher: Option<Watcher>,
    /// What receives the records of others, once it is open.
    records: OnceLock<RecordRepository>,
    standings: Mutex<Option<(Instant, Vec<Standing>)>>,
    gateway: OnceLock<Gateway>,
}

impl Metrics {
    /// Of a node with these rooms.
    pub(crate) fn new(
        audit: &Audit,
        rooms: impl Iterator<Item = &'static str>,
        watcher: Option<Watcher>,
    ) -> Arc<Self> {
        let rooms = rooms.chain([NOWHERE]);
        Arc::new(Self {
            audit: audit.clone(),
            rooms: rooms.map(|room| (room, Default::default())).collect(),
            ready: AtomicBool::new(false),
            started: SystemTime::now(),
            watcher,
            records: OnceLock::new(),
            standings: Mutex::new(None),
            gateway: OnceLock::new(),
        })
    }

    /// Watches what receives the records of others, too.
    pub(crate) fn watch_records(&self, records: &RecordRepository) {
        // It is opened once.
        let _ = self.records.set(records.clone());
    }

    /// Tells of this gateway, too.
    pub(crate) fn watch_gateway(&self, gateway: Gateway) {
        // A node has one.
        let _ = self.gateway.set(gateway);
    }

    /// Whether the rooms answer.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Counts a call, and gives its reply on.
    pub(crate) fn counted(&self, room: Option<&'static str>, reply: Reply) -> Reply {
        let outcome = match reply.status() {
            ..400 => 0,
            400..500 => 1,
            _ => 2,
        };
        let name = room.unwrap_or(NOWHERE);
        if let Some((_, counts)) = self.rooms.iter().find(|(room, _)| *room == name) {
            counts[outcome].fetch_add(1, Ordering::Relaxed);
        }
        reply
    }

    /// Answers on the listener of `[metrics]`.
    pub(crate) async fn answer(&self, incoming: Incoming) -> Reply {
        match incoming {
            Incoming::Get(get) if get.path == "/metrics" => {
                let standings = self.standings().await;
                Reply::plain(200, TEXT, self.text(&standings))
            }
            Incoming::Get(get) if get.path == "/healthz" => plain(200, "ok\n"),
            Incoming::Get(get) if get.path == "/readyz" => {
                match self.ready.load(Ordering::Relaxed) {
                    true => plain(200, "ready\n"),
                    false => plain(503, "not ready\n"),
                }
            }
            Incoming::Get(get) if get.path == "/communities" => {
                let as_text = get.query.as_deref() == Some("format=text");
                communities::reply(self.gateway.get(), as_text)
            }
            Incoming::Refused(refusal) => {
                let alert = Event::from(&refusal);
                self.audit.refuse(alert, refusal.reply()).await
            }
            _ => plain(404, "nothing is served at this path\n"),
        }
    }

    /// How receivers stand, or stood a moment ago.
    async fn standings(&self) -> Vec<Standing> {
        let Some(watcher) = &self.watcher else {
            return Vec::new();
        };
        let lock = || {
            self.standings
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((when, standings)) = &*lock()
            && when.elapsed() < FRESH
        {
            return standings.clone();
        }
        match watcher.standings().await {
            Ok(standings) => {
                *lock() = Some((Instant::now(), standings.clone()));
                standings
            }
            Err(error) => {
                tracing::warn!(%error, "nobody knows what audit receivers lack");
                Vec::new()
            }
        }
    }

    fn text(&self, standings: &[Standing]) -> String {
        let mut text = Text(String::new());
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let version = env!("CARGO_PKG_VERSION");
        text.head("hilum_info", "gauge", "The version that runs.");
        text.value("hilum_info", &[("version", version)], 1.0);
        let name = "process_start_time_seconds";
        text.head(
            name,
            "gauge",
            "When the process began, in seconds since 1970.",
        );
        text.value(name, &[], started.as_secs_f64().round());
        let name = "hilum_calls_total";
        text.head(name, "counter", "Calls by room, and by how they ended.");
        for (room, counts) in &self.rooms {
            for (outcome, count) in OUTCOMES.iter().zip(counts) {
                let labels = [("room", *room), ("outcome", *outcome)];
                text.value(name, &labels, count.load(Ordering::Relaxed) as f64);
            }
        }
        let name = "hilum_audit_records_total";
        text.head(name, "counter", "Audit records that were made.");
        text.value(name, &[], self.audit.count() as f64);
        if let Some(records) = self.records.get() {
            let name = "hilum_audit_dropped_datagrams_total";
            let help =
                "Datagrams with records of others that the system dropped before they were read.";
            text.head(name, "counter", help);
            text.value(name, &[], records.dropped_datagrams() as f64);
        }
        text.of_receivers(standings, SystemTime::now());
        if let Some(gateway) = self.gateway.get() {
            text.of_communities(&gateway.health());
        }
        text.0
    }
}

/// The text format of Prometheus.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, value)) in labels.iter().enumerate() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            let value = value.replace('\n', "\\n");
            let open = if at == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{open}{label}=\"{value}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    fn of_receivers(&mut self, standings: &[Standing], now: SystemTime) {
        type Of = fn(&Standing, SystemTime) -> f64;
        let metrics: [(&str, &str, &str, Of); 7] = [
            (
                "hilum_audit_receiver_up",
                "gauge",
                "Whether the receiver could be reached when that was tried last.",
                |it, _| f64::from(u8::from(it.up == Some(true))),
            ),
            (
                "hilum_audit_backlog_records",
                "gauge",
                "Records that the receiver is not known to have.",
                |it, _| it.backlog.as_ref().map_or(f64::NAN, |it| it.records as f64),
            ),
            (
                "hilum_audit_backlog_bytes",
                "gauge",
                "Bytes of the records that the receiver is not known to have.",
                |it, _| it.backlog.as_ref().map_or(f64::NAN, |it| it.bytes as f64),
            ),
            (
                "hilum_audit_backlog_oldest_seconds",
                "gauge",
                "Age of the oldest record that the receiver is not known to have.",
                |it, now| Watcher::age(it, now).map_or(f64::NAN, |age| age.as_secs_f64().round()),
            ),
            (
                "hilum_audit_sent_total",
                "counter",
                "Records that were sent to the receiver, once or again.",
                |it, _| it.sent as f64,
            ),
            (
                "hilum_audit_sent_again_total",
                "counter",
                "Records that were sent and have to be sent again, because the connection broke.",
                |it, _| it.again as f64,
            ),
            (
                "hilum_audit_too_long_total",
                "counter",
                "Records that were too long for a datagram, and were not sent to the receiver.",
                |it, _| it.too_long as f64,
            ),
        ];
        if standings.is_empty() {
            return;
        }
        for (name, kind, help, of) in metrics {
            self.head(name, kind, help);
            for standing in standings {
                let receiver = standing.target.to_string();
                self.value(name, &[("receiver", &receiver)], of(standing, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_cannot_break_out() {
        let mut text = Text(String::new());
        text.value("x", &[], 1.5);
        text.value("x", &[("a", "b"), ("c", "d\"e\\f\ng")], 2.0);
        assert_eq!(text.0, "x 1.5\nx{a=\"b\",c=\"d\\\"e\\\\f\\ng\"} 2\n");
    }
}
