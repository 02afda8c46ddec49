//! Gateways that ask each other in a circle end with an error, quickly, and without a storm.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hilum_tests::partner::{self, Said};
use hilum_tests::{Partner, Setup, Town, raw, words};
use tokio::task::JoinSet;

use super::{HOME, codes, community, find, town_of, usual, wait, write};

/// ITI-18 messages that a town has recorded.
fn queries(town: &Town) -> usize {
    let records = town.records();
    let all = records.iter().filter(|it| it["transaction"] == "ITI-18");
    all.count()
}

/// Two towns, each of which takes the other's gateway for its registry.
#[tokio::test]
async fn two_gateways_that_are_each_others_registry() {
    let setup = |home: &str| Setup {
        plain: true,
        uncounted: true,
        home: Some(home.to_owned()),
        ..Setup::default()
    };
    let mut towns = [
        Town::set_up(setup("2.999.21")),
        Town::set_up(setup("2.999.22")),
    ];
    let urls = [towns[1].initiating(), towns[0].initiating()];
    for (town, url) in towns.iter().zip(&urls) {
        let text = std::fs::read_to_string(town.config()).unwrap();
        let head = "\n[gateway]\n";
        let text = text.replace(head, &format!("{head}registry = \"{url}\"\n"));
        std::fs::write(town.config(), text).unwrap();
    }
    // And their communities are at the wrong door, too.
    for (at, url) in urls.iter().enumerate() {
        let other = ["urn:oid:2.999.22", "urn:oid:2.999.21"][at];
        write(&towns[at], &community(url, "").replace(HOME, other));
    }
    towns.iter_mut().for_each(Town::start);
    let began = Instant::now();
    let found = find(&towns[0]).await;
    assert!(
        began.elapsed() < Duration::from_secs(5),
        "{:?}",
        began.elapsed()
    );
    assert!(found.objects.is_empty());
    let told: Vec<&str> = found.errors.iter().map(|it| it.context.as_str()).collect();
    assert!(told.iter().any(|it| it.contains("circle")), "{told:?}");
    // The first asks, the second asks the first, which refuses.
    let all = queries(&towns[0]) + queries(&towns[1]);
    assert!(all <= 6, "{all} records");
}

/// A gateway of somebody else that asks us whatever we ask it, and passes no header on.
#[tokio::test]
async fn a_foreign_gateway_that_asks_back() {
    let port = Arc::new(OnceLock::new());
    let of_partner = Arc::clone(&port);
    let partner = Partner::open(move |_| {
        let query = words::find_documents("P-1", "ObjectRef");
        let envelope = words::envelope("urn:ihe:iti:2007:RegistryStoredQuery", &query);
        let answer = raw::soap(*of_partner.get().unwrap(), "/initiating", &envelope);
        if answer.status != 200 {
            return Said::fault("whom I asked refused");
        }
        let body = partner::found(Some(HOME), &[]);
        Said::envelope(&words::envelope(partner::QUERY_ANSWER, &body))
    });
    let deadline = ("HILUM_GATEWAY__DEADLINE_SECONDS".to_owned(), "8".to_owned());
    let setup = Setup {
        plain: true,
        environment: vec![deadline],
        ..Setup::default()
    };
    let town = town_of(setup, &community(&partner.url(), ""));
    port.set(town.port(3)).unwrap();
    let began = Instant::now();
    find(&town).await;
    // Before anybody is taken for one who does not answer.
    let took = began.elapsed();
    assert!(took < Duration::from_secs(8), "{took:?}");
    let asked = partner.asked().len();
    assert!((2..=20).contains(&asked), "it was asked {asked} times");
    // The town is well, and answers what is no circle.
    let own = words::find_documents("P-1", "ObjectRef");
    assert!(town.query(own).await.is_ok());
}

/// A ward round: forty workstations ask the same of a community that needs two seconds.
#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_the_same_of_a_slow_community_are_answered() {
    let partner = Partner::open(|asked| usual(asked).after(Duration::from_secs(2)));
    let setup = Setup {
        plain: true,
        ..Setup::default()
    };
    let town = Arc::new(town_of(setup, &community(&partner.url(), "")));
    let mut asking = JoinSet::new();
    for _ in 0..40 {
        let town = Arc::clone(&town);
        asking.spawn(async move { find(&town).await });
    }
    for found in asking.join_all().await {
        assert_eq!(codes(&found), [""; 0], "{:?}", found.errors);
        assert_eq!(found.objects.len(), 1);
    }
    assert_eq!(partner.asked().len(), 40);
}

/// Who leaves while they wait for others who ask the same is not asked for any more: a gateway that has given up
/// would otherwise be asked by itself for ever.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_same_is_asked_is_not_asked_for() {
    let partner = Partner::open(|asked| usual(asked).after(Duration::from_secs(3)));
    let setup = Setup {
        plain: true,
        ..Setup::default()
    };
    let town = town_of(setup, &community(&partner.url(), ""));
    let query = words::find_documents("P-1", "ObjectRef");
    let envelope = words::envelope("urn:ihe:iti:2007:RegistryStoredQuery", &query);
    let length = format!("Content-Length: {}", envelope.len());
    let head = raw::head("/initiating", "application/soap+xml", &length);
    let ask = || {
        let mut stream = raw::connect(town.port(3));
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(envelope.as_bytes()).unwrap();
        stream
    };
    let those: Vec<TcpStream> = (0..16).map(|_| ask()).collect();
    wait("sixteen are asked for", || partner.asked().len() == 16);
    let others: Vec<TcpStream> = (0..24).map(|_| ask()).collect();
    std::thread::sleep(Duration::from_millis(500));
    drop(others);
    for mut stream in those {
        assert_eq!(raw::Answer::read(&mut stream).unwrap().status, 200);
    }
    find(&town).await;
    assert_eq!(partner.asked().len(), 17);
}
