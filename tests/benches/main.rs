//! How fast it is, beside what this machine could do at best.
//!
//! `cargo build --release && cargo bench -p hilum-tests` runs everything, on a machine that has
//! nothing else to do; a word behind `--` chooses the rows that contain it. Every row is measured
//! over mutual TLS with client certificates against a node that validates, permits, audits and
//! commits durably, and the client shares the machine with it. Limits are measured in the same run,
//! because machines differ and are noisy: what counts is the ratio.
//! `HILUM_BENCH_SECONDS` (3) says how long each row takes.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

mod bulk;
mod calls;
mod limits;
mod load;
mod words;

use std::time::Duration;

/// What is asked of the benchmark.
pub(crate) struct Bench {
    chosen: Vec<String>,
    /// How long each row takes.
    pub(crate) time: Duration,
}

impl Bench {
    fn new() -> Self {
        let words = std::env::args().skip(1);
        let chosen = words.filter(|word| !word.starts_with("--")).collect();
        let seconds = std::env::var("HILUM_BENCH_SECONDS").ok();
        let seconds = seconds.map_or(3.0, |text| text.parse().unwrap());
        let time = Duration::from_secs_f64(seconds);
        Self { chosen, time }
    }

    /// Whether this row is wanted.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.chosen.is_empty() || self.chosen.iter().any(|word| row.contains(&**word))
    }
}

/// Prints one row.
pub(crate) fn row(what: &str, figure: &str, beside: &str) {
    println!("{what:<44} {figure:<46} {beside}");
}

#[tokio::main]
async fn main() {
    let bench = Bench::new();
    row("what", "measured", "beside");
    words::run(&bench);
    limits::run(&bench).await;
    calls::run(&bench).await;
    bulk::run(&bench).await;
}
