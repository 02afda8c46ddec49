use std::pin::Pin;

use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use xds_schemas::soap::FaultCode;

use super::super::CIRCLE;
use super::*;

const DEADLINES: Deadlines = Deadlines {
    shortest: Duration::from_secs(3),
    longest: Duration::from_secs(3),
};

fn asker(who: &str) -> Asker {
    Asker {
        who: (who.to_owned(), None),
        ..Asker::default()
    }
}

/// Forty ask the same of somebody who needs a while, and nobody is refused.
#[tokio::test]
async fn who_is_slow_is_no_circle() {
    for took in [100, 700] {
        let circles = Arc::new(Circles::default());
        let mut asking = JoinSet::new();
        for _ in 0..40 {
            let circles = Arc::clone(&circles);
            asking.spawn(async move {
                let asked = circles.enter(&"who", &asker("a node"), DEADLINES).await;
                sleep(Duration::from_millis(took)).await;
                asked.is_ok()
            });
        }
        assert!(asking.join_all().await.into_iter().all(|asked| asked));
        assert!(circles.asked().is_empty());
    }
}

type Turn = Pin<Box<dyn Future<Output = Result<(), ()>> + Send>>;

/// Each asks the next, and is answered when that is, or when nobody waits for it any more.
fn turn(circles: Arc<Circles>, turns: Arc<Mutex<usize>>, deadlines: Deadlines) -> Turn {
    Box::pin(async move {
        let entered = circles.enter(&"who", &asker("a gateway"), deadlines).await;
        let _asked = entered.map_err(drop)?;
        *turns.lock().unwrap() += 1;
        let next = tokio::spawn(turn(circles, turns, deadlines));
        // Who is late is not waited for, and goes on.
        let answered = timeout(deadlines.shortest, next).await;
        answered.map_or(Ok(()), |answer| answer.unwrap())
    })
}

#[tokio::test]
async fn a_circle_ends_before_anybody_is_late() {
    let circles = Arc::new(Circles::default());
    let turns = Arc::new(Mutex::new(0));
    let began = Instant::now();
    let ended = turn(Arc::clone(&circles), Arc::clone(&turns), DEADLINES);
    assert_eq!(ended.await, Err(()));
    let took = began.elapsed();
    assert!(
        took >= DEADLINES.patience() && took < DEADLINES.longest,
        "{took:?}"
    );
    assert_eq!(*turns.lock().unwrap(), SAME_AT_A_TIME);
    assert!(circles.asked().is_empty());
}

/// In such a circle places become free without an answer.
#[tokio::test]
async fn a_circle_through_one_who_is_waited_for_less_long_ends_too() {
    let circles = Arc::new(Circles::default());
    let turns = Arc::new(Mutex::new(0));
    let deadline = Duration::from_millis(200);
    let deadlines = Deadlines {
        shortest: deadline,
        ..DEADLINES
    };
    assert!(deadlines.patience() > deadline);
    let ended = turn(Arc::clone(&circles), Arc::clone(&turns), deadlines);
    assert_eq!(ended.await, Ok(()), "the first is late");
    sleep(Duration::from_secs(6)).await;
    assert!(circles.asked().is_empty(), "it goes on");
    let turns = *turns.lock().unwrap();
    assert!(turns <= SAME_AT_A_TIME + LONG_IN_A_ROW + 1, "{turns}");
}

#[tokio::test]
async fn callers_are_counted_apart_and_together() {
    let circles = Arc::new(Circles::default());
    let mut asked = Vec::new();
    for at in 0..SAME_BY_ALL {
        let asker = asker(&(at / SAME_AT_A_TIME).to_string());
        asked.push(circles.enter(&"who", &asker, DEADLINES).await.unwrap());
    }
    for who in ["0", "another one"] {
        let refused = circles.enter(&"who", &asker(who), DEADLINES).await;
        assert!(refused.unwrap_err().is(CIRCLE), "{who}");
    }
    let asker = asker("0");
    let other = circles.enter(&"somebody else", &asker, DEADLINES);
    assert!(other.await.is_ok());
}

/// Who waits while others are answered waits as long as for anybody, and is not told of circles.
#[tokio::test]
async fn who_waits_too_long_is_told_so() {
    let circles = Arc::new(Circles::default());
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let circles = Arc::clone(&circles);
        asking.spawn(async move {
            let asked = circles.enter(&"who", &asker("a node"), DEADLINES).await;
            sleep(Duration::from_millis(900)).await;
            asked.map(drop)
        });
    }
    let all = asking.join_all().await;
    let refused: Vec<Fault> = all.into_iter().filter_map(Result::err).collect();
    assert!(refused.len() >= 100 - 4 * SAME_AT_A_TIME && refused.len() < 100 - SAME_AT_A_TIME);
    assert!(refused.iter().all(|it| it.code == FaultCode::Receiver));
    assert!(refused.iter().all(|it| !it.is(CIRCLE)));
}
