//! Calls by many clients at once, and what they cost the node.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// Calls that were made.
pub(crate) struct Load {
    seconds: f64,
    /// How long each took, the quickest first.
    times: Vec<Duration>,
    cpu: Duration,
}

impl Load {
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.seconds
    }

    fn quantile(&self, part: f64) -> f64 {
        let at = (self.times.len() as f64 * part) as usize;
        let time = self.times.get(at.min(self.times.len().saturating_sub(1)));
        time.map_or(0.0, |time| time.as_secs_f64() * 1000.0)
    }

    /// For a row of the table.
    pub(crate) fn told(&self) -> String {
        format!(
            "{:>7.0}/s  p50 {:>6.2} ms  p99 {:>6.2} ms  {:>4.0} µs CPU",
            self.rate(),
            self.quantile(0.5),
            self.quantile(0.99),
            self.cpu.as_secs_f64() * 1e6 / self.times.len() as f64
        )
    }
}

/// Each of `connections` clients makes one call after the other for `time`. `client` makes the
/// client with this number, whose calls are what it gives.
pub(crate) async fn closed_loop<C, F>(
    connections: usize,
    time: Duration,
    pid: u32,
    client: impl Fn(usize) -> C,
) -> Load
where
    C: FnMut() -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let barrier = Arc::new(tokio::sync::Barrier::new(connections + 1));
    let mut tasks = JoinSet::new();
    for number in 0..connections {
        let mut call = client(number);
        let barrier = Arc::clone(&barrier);
        tasks.spawn(async move {
            // The first call connects.
            call().await;
            barrier.wait().await;
            let began = Instant::now();
            let mut times = Vec::new();
            while began.elapsed() < time {
                let called = Instant::now();
                call().await;
                times.push(called.elapsed());
            }
            times
        });
    }
    barrier.wait().await;
    let (began, before) = (Instant::now(), cpu_time(pid));
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done.unwrap());
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    Load {
        seconds,
        times,
        cpu: cpu_time(pid) - before,
    }
}

/// What a process has used of the processors.
fn cpu_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name of the program may hold spaces; it ends with a parenthesis.
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    // The kernel counts in hundredths of a second.
    Duration::from_millis(ticks * 10)
}
