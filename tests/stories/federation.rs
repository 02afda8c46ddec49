//! One question to many communities costs what the slowest costs, not what all cost together; one that hangs
//! costs its deadline; and two hundred are no more than can be stated.
//!
//! The communities are simulated in this process, the gateway is a node. For figures, on a machine that has
//! nothing else to do:
//!
//! ```text
//! cargo build --release && cargo test --release -p hilum-tests --test stories federation -- --ignored --nocapture --test-threads 1
//! ```

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hilum_tests::simulated::Simulated;
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use tokio::task::JoinSet;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;

/// A town whose gateway knows simulated communities.
struct Network {
    town: Town,
    simulated: Simulated,
}

/// So many objects as a registry answers them.
async fn objects(count: usize) -> Vec<RegistryObject> {
    let town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    let documents = (0..count).map(|number| Document::text(&format!("document {number}")));
    let submission = Submission::new("P-1", documents.collect());
    town.provide(&submission).await.unwrap();
    let found = town.query(words::find_documents("P-1", "LeafClass")).await;
    let objects = found.unwrap().objects;
    assert_eq!(objects.len(), count);
    objects
}

impl Network {
    async fn of(communities: usize, entries: usize, pause: Duration, more: &str) -> Self {
        let simulated = Simulated::communities(communities, objects(entries).await, pause).await;
        let mut town = Town::set_up(Setup {
            plain: true,
            uncounted: true,
            ..Setup::default()
        });
        let text = std::fs::read_to_string(town.config()).unwrap();
        let text = text + &simulated.configuration("deadline_seconds = 20") + more;
        std::fs::write(town.config(), text).unwrap();
        town.start();
        Self { town, simulated }
    }

    /// Asks all, or those that are named: how long it took, and how many objects and errors came.
    async fn ask(&self, targets: &[String]) -> (Duration, usize, usize) {
        let mut find = words::find_documents("P-1", "LeafClass");
        if !targets.is_empty() {
            let homes: Vec<String> = targets.iter().map(|home| format!("'{home}'")).collect();
            let slot = format!(
                "<rim:Slot name=\"$targetCommunityIdList\"><rim:ValueList><rim:Value>({})</rim:Value>\
                 </rim:ValueList></rim:Slot></rim:AdhocQuery>",
                homes.join(",")
            );
            find = find.replace("</rim:AdhocQuery>", &slot);
        }
        let began = Instant::now();
        let found = self.town.query_everywhere(find).await.unwrap();
        assert_ne!(found.status, ResponseStatus::Failure, "{:?}", found.errors);
        (began.elapsed(), found.objects.len(), found.errors.len())
    }

    /// Files and sockets that the gateway's process has open.
    fn files(&self) -> usize {
        let files = std::fs::read_dir(format!("/proc/{}/fd", self.town.pid()));
        files.unwrap().count()
    }
}

/// Of a hundred so many are quicker.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

#[tokio::test(flavor = "multi_thread")]
async fn all_communities_together_take_hardly_longer_than_one() {
    let pause = Duration::from_secs(1);
    let network = Network::of(20, 2, pause, "").await;
    // What is opened once.
    network.ask(&[]).await;
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        let (took, objects, errors) = network.ask(&[Simulated::home(0)]).await;
        assert_eq!((objects, errors), (2, 0));
        one.push(took);
        let (took, objects, errors) = network.ask(&[]).await;
        assert_eq!((objects, errors), (40, 0));
        all.push(took);
    }
    // Whatever else the machine does makes them longer, never shorter.
    let (one, all) = (percentile(&mut one, 0), percentile(&mut all, 0));
    assert!(one >= pause, "{one:?}");
    assert!(all * 2 < one * 3, "all take {all:?}, one {one:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_hangs_costs_its_deadline_and_not_more() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!(
        "\n[[gateway.community]]\nhome_community_id = \"urn:oid:2.999.8\"\nname = \"Silent\"\n\
         url = \"http://{}/\"\ndeadline_seconds = 1\n",
        silent.local_addr().unwrap()
    );
    let network = Network::of(20, 1, Duration::from_millis(50), &hanging).await;
    let deadline = Duration::from_secs(1);
    for _ in 0..3 {
        let without: Vec<String> = (0..20).map(Simulated::home).collect();
        let (usual, objects, errors) = network.ask(&without).await;
        assert_eq!((objects, errors), (20, 0));
        let (took, objects, errors) = network.ask(&[]).await;
        assert_eq!((objects, errors), (20, 1));
        let latest = deadline + usual + Duration::from_millis(500);
        assert!(took >= deadline && took < latest, "{took:?}");
    }
}

/// Two hundred communities, asked by several at a time.
async fn two_hundred(questions: usize, askers: usize) {
    let network = Network::of(200, 1, Duration::from_millis(50), "").await;
    let network = Arc::new(network);
    let idle = (network.town.memory(), network.files());
    network.town.forget_peak();
    let (mut times, mut files) = (Vec::new(), 0);
    for _ in 0..questions {
        let mut asking = JoinSet::new();
        for _ in 0..askers {
            let network = Arc::clone(&network);
            asking.spawn(async move { network.ask(&[]).await });
        }
        for (took, objects, errors) in asking.join_all().await {
            assert_eq!((objects, errors), (200, 0));
            times.push(took);
        }
        files = files.max(network.files());
    }
    let growth = network.town.peak_memory().saturating_sub(idle.0) >> 10;
    eprintln!(
        "200 communities, {askers} questions at a time: p50 {:.1?}, p95 {:.1?}; memory {} KiB and {growth} \
         KiB more at most; {} files and sockets before, {files} at most; {} calls ran at a time",
        percentile(&mut times, 50),
        percentile(&mut times, 95),
        idle.0 >> 10,
        idle.1,
        network.simulated.most(),
    );
    assert!(growth < 64 << 10, "{growth} KiB");
    // Each question has one connection to each, and they are used again.
    assert!(files < idle.1 + askers * 200 + 50, "{files} files");
    let calls = network.simulated.calls();
    assert_eq!(calls, 200 * questions * askers, "nobody is asked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_communities_are_asked_over_connections_that_are_kept() {
    two_hundred(3, 2).await;
}

/// For `docs/gateway.md`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "figures, for a machine that has nothing else to do"]
async fn figures() {
    let pause = Duration::from_millis(50);
    let mut missed = Vec::new();
    for entries in [1, 10] {
        let network = Network::of(20, entries, pause, "").await;
        network.ask(&[]).await;
        let (mut one, mut all) = (Vec::new(), Vec::new());
        for _ in 0..200 {
            one.push(network.ask(&[Simulated::home(0)]).await.0);
            all.push(network.ask(&[]).await.0);
        }
        let show = |name: &str, times: &mut [Duration]| {
            let [p50, p95] = [50, 95].map(|percent| percentile(times, percent));
            eprintln!("{name}, {entries} entries each: p50 {p50:.1?}, p95 {p95:.1?}");
            (p50, p95)
        };
        let (one, _) = show("1 community of 50 ms", &mut one);
        let (p50, p95) = show("20 communities of 50 ms", &mut all);
        if p95 >= pause * 3 / 2 {
            missed.push(format!(
                "20 communities with {entries} entries: p95 {p95:.1?}"
            ));
        }
        let (more, entries) = ((p50 - one).as_micros(), entries as u128 * 19);
        eprintln!("  {more} µs for {entries} entries more");
    }
    // What the gateway adds: the same question to the registry and to the gateway, which asks it.
    let town = Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    });
    for entries in [1_u32, 100] {
        let patient = format!("P-{entries}");
        let documents = (0..entries).map(|number| Document::text(&number.to_string()));
        let submission = Submission::new(&patient, documents.collect());
        town.provide(&submission).await.unwrap();
        let (mut direct, mut through) = (Vec::new(), Vec::new());
        for _ in 0..300 {
            let find = || words::find_documents(&patient, "LeafClass");
            let began = Instant::now();
            town.query(find()).await.unwrap();
            direct.push(began.elapsed());
            let began = Instant::now();
            town.query_everywhere(find()).await.unwrap();
            through.push(began.elapsed());
        }
        let (direct, through) = (percentile(&mut direct, 50), percentile(&mut through, 50));
        let added = through.saturating_sub(direct);
        let target = Duration::from_millis(2) + Duration::from_micros(30) * entries;
        eprintln!(
            "{entries} entries: the registry {direct:.2?}, through the gateway {through:.2?}: {added:.2?} more \
             (target {target:.2?})"
        );
        if added > target {
            missed.push(format!("{entries} entries: {added:.2?} more"));
        }
    }
    two_hundred(20, 1).await;
    two_hundred(10, 8).await;
    assert!(missed.is_empty(), "{missed:?}");
}
