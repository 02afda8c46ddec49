//! Two gateways of different versions and quirks pass each other's traffic, and circles between them end.
//!
//! One country's node is the program under test; the other's is that of another version, if `HILUM_OTHER` names
//! one, and otherwise the same. Each is spoken to in other ways than the framework says, some of them over lines
//! that make a gateway look like one of somebody else. What another version cannot do is said, and not tried.
//!
//! ```text
//! consumer ── gateway 0 ──── line ──── gateway 1 ── consumer
//! ```

mod circling;
mod countries;
mod traffic;

use std::time::{Duration, Instant};

use hilum_tests::bent::Bend;

use circling::{circle_of_registries, circles_of_repositories};
use countries::{Countries, Round};

/// Both ways at the same time, and circles in between.
async fn all_passes(round: &Round) {
    let countries = Countries::found(round);
    let [one, other] = countries.both();
    let [there, back] = traffic::between(one, other).await;
    let ((), (), ()) = tokio::join!(
        there.passes(),
        back.passes(),
        circles_of_repositories(one, other)
    );
    for one in [&there, &back] {
        // Whoever was in a circle answers what is none.
        one.find().await;
        if round.plain {
            one.answers_elsewhere(&countries.desk.correlation).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_as_the_framework_says() {
    all_passes(&Round {
        plain: true,
        said: [&[], &[]],
        bent: [None, None],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_mutual_tls_one_at_a_time_and_inline() {
    all_passes(&Round {
        plain: false,
        said: [
            // More than a circle holds while it lasts.
            &[("documents_per_request", "1"), ("calls", "20")],
            &[("inline", "true"), ("connect_seconds", "5")],
        ],
        bent: [None, None],
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mtom_and_with_timestamps() {
    all_passes(&Round {
        plain: true,
        said: [
            &[
                ("action", "\"addressing\""),
                ("must_understand", "false"),
                ("timestamp", "true"),
                ("missing_home", "\"assume\""),
            ],
            &[
                ("inline", "true"),
                ("documents_per_request", "1"),
                ("must_understand", "false"),
                ("timestamp", "true"),
            ],
        ],
        bent: [None, None],
    })
    .await;
}

/// Each behind a line that makes it somebody else's: one without WS-Addressing, MTOM and homes, one that is strict.
#[tokio::test(flavor = "multi_thread")]
async fn over_lines_that_change_what_is_said() {
    const OLD: &[(&str, &str)] = &[
        ("action", "\"header\""),
        ("inline", "true"),
        ("missing_home", "\"assume\""),
        ("documents_per_request", "1"),
    ];
    const STRICT: &[(&str, &str)] = &[
        ("action", "\"addressing\""),
        ("must_understand", "false"),
        ("timestamp", "true"),
    ];
    for (said, bent) in [
        ([OLD, STRICT], [Some(Bend::Old), Some(Bend::Strict)]),
        ([STRICT, OLD], [Some(Bend::Strict), Some(Bend::Old)]),
    ] {
        let plain = true;
        all_passes(&Round { plain, said, bent }).await;
    }
}

/// Each takes the other's gateway for its registry, whatever version the other is.
#[tokio::test(flavor = "multi_thread")]
async fn each_takes_the_other_for_its_registry() {
    let began = Instant::now();
    circle_of_registries().await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}
