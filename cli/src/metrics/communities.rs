//! How communities answer: for Prometheus, as JSON for programs, and as a table for people.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_gateway::Gateway;
use hilum_gateway::watching::{Breaker, CommunityHealth, TransactionHealth};
use hilum_transport::Reply;
use serde_json::{Value, json};

use super::Text;
use crate::serve::plain;

/// The quantiles of the text format, in the order of percentiles.
const QUANTILES: [&str; 3] = ["0.5", "0.95", "0.99"];

/// The page.
pub(super) fn reply(gateway: Option<&Gateway>, as_text: bool) -> Reply {
    let Some(gateway) = gateway else {
        return plain(404, "there is no gateway here\n");
    };
    let (health, now) = (gateway.health(), SystemTime::now());
    match as_text {
        true => {
            let kind = "text/plain; charset=utf-8";
            Reply::plain(200, kind, table(&health, now))
        }
        false => {
            let all: Vec<Value> = health.iter().map(as_json).collect();
            let page = json!({ "communities": all });
            Reply::plain(200, "application/json", format!("{page:#}\n"))
        }
    }
}

fn as_json(it: &CommunityHealth) -> Value {
    let transactions: Vec<Value> = it.transactions.iter().map(transaction).collect();
    json!({
        "homeCommunityId": it.home,
        "name": it.name,
        "asked": it.breaker == Breaker::Closed,
        "failuresInARow": it.failures_in_a_row,
        "inFlight": it.in_flight,
        "waiting": it.waiting,
        "calls": it.calls,
        "transactions": transactions,
    })
}

fn transaction(it: &TransactionHealth) -> Value {
    let failures = it
        .failures
        .iter()
        .map(|(class, count)| ((*class).to_owned(), (*count).into()));
    let failures: serde_json::Map<String, Value> = failures.collect();
    let seconds = it.percentiles.map(|it| it.map(|it| it.as_secs_f64()));
    let seconds = seconds.map(|[p50, p95, p99]| json!({ "p50": p50, "p95": p95, "p99": p99 }));
    json!({
        "transaction": it.transaction,
        "answered": it.answered,
        "seconds": seconds,
        "failures": failures,
        "lastSuccess": it.last_success.map(since_1970),
    })
}

fn since_1970(when: SystemTime) -> u64 {
    when.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// One line for each transaction of each community.
fn table(health: &[CommunityHealth], now: SystemTime) -> String {
    let mut table = format!(
        "{:<28} {:<8} {:>7} {:>7} {:>9} {:>8} {:>8} {:>8} {:>9}  {}\n",
        "community",
        "state",
        "running",
        "waiting",
        "",
        "answered",
        "p50 ms",
        "p95 ms",
        "last",
        "failed"
    );
    for community in health {
        let state = match community.breaker {
            Breaker::Closed => "asked",
            Breaker::Open => "resting",
        };
        let name: String = community.name.chars().take(28).collect();
        let (running, waiting) = (community.in_flight, community.waiting);
        let begin = format!("{name:<28} {state:<8} {running:>7} {waiting:>7}");
        if community.transactions.is_empty() {
            // Writing into a string does not fail.
            let _ = writeln!(table, "{begin} {:>9}", "-");
        }
        for it in &community.transactions {
            let milliseconds = |at: usize| {
                let times = it.percentiles.as_ref();
                let time = times.and_then(|times| times.get(at));
                time.map_or("-".to_owned(), |time| time.as_millis().to_string())
            };
            let last = it.last_success.map_or("never".to_owned(), |when| {
                let ago = now.duration_since(when).unwrap_or(Duration::ZERO);
                format!("{} s ago", ago.as_secs())
            });
            let failed = it
                .failures
                .iter()
                .map(|(class, count)| format!("{count} {class}"));
            let failed = failed.collect::<Vec<_>>().join(", ");
            let _ = writeln!(
                table,
                "{begin} {:>9} {:>8} {:>8} {:>8} {last:>9}  {failed}",
                it.transaction,
                it.answered,
                milliseconds(0),
                milliseconds(1),
            );
        }
    }
    table
}

impl Text {
    pub(super) fn of_communities(&mut self, health: &[CommunityHealth]) {
        type Of = fn(&CommunityHealth) -> f64;
        let metrics: [(&str, &str, Of); 3] = [
            (
                "hilum_community_asked",
                "Whether the community is asked; 0 if it failed so often that it is not for a while.",
                |it| f64::from(u8::from(it.breaker == Breaker::Closed)),
            ),
            (
                "hilum_community_calls",
                "Calls to the community at this moment, answers that are still coming included.",
                |it| it.in_flight as f64,
            ),
            (
                "hilum_community_waiting",
                "Calls to the community that wait for their turn.",
                |it| it.waiting as f64,
            ),
        ];
        for (name, help, of) in metrics {
            self.head(name, "gauge", help);
            for it in health {
                self.value(name, &[("community", &it.home)], of(it));
            }
        }
        self.times_of_communities(health);
        let name = "hilum_community_failures_total";
        let help = "Calls to the community that were not answered, by transaction and by why.";
        self.head(name, "counter", help);
        for (it, transaction) in transactions(health) {
            for (class, count) in &transaction.failures {
                let labels = [
                    ("community", it.home.as_str()),
                    ("transaction", transaction.transaction),
                    ("class", class),
                ];
                self.value(name, &labels, *count as f64);
            }
        }
        let name = "hilum_community_last_success_seconds";
        let help = "When the community answered last, in seconds since 1970.";
        self.head(name, "gauge", help);
        for (it, transaction) in transactions(health) {
            if let Some(when) = transaction.last_success {
                let labels = of_transaction(it, transaction);
                self.value(name, &labels, since_1970(when) as f64);
            }
        }
    }

    /// Quantiles of the last answers; sum and count of all.
    fn times_of_communities(&mut self, health: &[CommunityHealth]) {
        let name = "hilum_community_seconds";
        let help =
            "After which time the community began to answer; the quantiles are of the last 512.";
        self.head(name, "summary", help);
        for (it, transaction) in transactions(health) {
            let [community, named] = of_transaction(it, transaction);
            let times = transaction.percentiles.iter().flatten();
            for (quantile, time) in QUANTILES.iter().zip(times) {
                let labels = [community, named, ("quantile", *quantile)];
                self.value(name, &labels, time.as_secs_f64());
            }
            let labels = [community, named];
            self.value(&format!("{name}_sum"), &labels, transaction.seconds);
            self.value(
                &format!("{name}_count"),
                &labels,
                transaction.answered as f64,
            );
        }
    }
}

fn transactions(
    health: &[CommunityHealth],
) -> impl Iterator<Item = (&CommunityHealth, &TransactionHealth)> {
    let all = health.iter();
    all.flat_map(|it| {
        it.transactions
            .iter()
            .map(move |transaction| (it, transaction))
    })
}

fn of_transaction<'a>(
    it: &'a CommunityHealth,
    transaction: &'a TransactionHealth,
) -> [(&'static str, &'a str); 2] {
    [
        ("community", it.home.as_str()),
        ("transaction", transaction.transaction),
    ]
}
