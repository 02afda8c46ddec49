//! What an operator wants to know of subscriptions: which of them are not delivered, and why.
//!
//! `GET /registry/subscriptions` answers JSON to those who may administer, a part at a time.
//! It says nothing of patients.

use std::collections::HashMap;
use std::time::SystemTime;

use serde::Serialize;
use xds_schemas::wsn::time;

use crate::db::subscriptions::{self, Listed};
use crate::db::{notifications, pull_points};
use crate::failure::Failure;
use crate::{Registry, seconds};

/// The path, below that of the registry.
pub(crate) const PATH: &str = "/subscriptions";
/// Subscriptions of one answer.
const LISTED: usize = 500;

/// One answer.
#[derive(Debug, Serialize)]
struct List {
    subscriptions: Vec<Subscription>,
    /// `?after=` of the next part, if there is one.
    next: Option<i64>,
}

/// A subscription. Times are `xs:dateTime`.
#[derive(Debug, Serialize)]
struct Subscription {
    number: i64,
    /// Where it can be cancelled (ITI TF-2 3.52.6 asks for a way to do so if the subscriber has
    /// lost it).
    address: String,
    topic: String,
    /// Whether it is about one patient.
    of_one_patient: bool,
    consumer: String,
    state: &'static str,
    /// Notifications that wait.
    backlog: i64,
    /// Notifications that its pull point could not keep, of whatever subscription.
    lost: Option<i64>,
    /// Attempts that failed since the last that did not.
    attempts: i32,
    last_error: Option<String>,
    next_attempt: Option<String>,
    last_delivery: Option<String>,
    created: String,
    terminates: String,
}

/// The subscriptions after that number, as JSON.
pub(crate) async fn list(registry: &Registry, query: Option<&str>) -> Result<String, Failure> {
    let after = query.and_then(|query| query.strip_prefix("after="));
    let after = after.and_then(|number| number.parse().ok()).unwrap_or(0);
    let work = move |conn: &mut _| {
        let limit = i64::try_from(LISTED).unwrap_or(i64::MAX);
        let listed = subscriptions::list(conn, after, limit)?;
        let numbers: Vec<i64> = listed.iter().map(|it| it.number).collect();
        let backlogs = notifications::backlogs(conn, &numbers)?;
        let mut lost = HashMap::new();
        for number in listed.iter().filter_map(|it| it.pull_point) {
            let pull_point = pull_points::get(conn, number)?;
            lost.extend(pull_point.map(|it| (number, it.lost)));
        }
        Ok((listed, backlogs, lost))
    };
    let (listed, backlogs, lost) = registry.db.read(work).await?;
    let backlogs: HashMap<i64, i64> = backlogs.into_iter().collect();
    let full = listed.len() == LISTED;
    let next = listed.last().filter(|_| full).map(|last| last.number);
    let now = i64::try_from(seconds(SystemTime::now())).unwrap_or(i64::MAX);
    let shown = listed.into_iter().map(|it| {
        let backlog = backlogs.get(&it.number).copied().unwrap_or_default();
        let lost = it.pull_point.and_then(|number| lost.get(&number).copied());
        shown(it, backlog, lost, now)
    });
    let list = List {
        subscriptions: shown.collect(),
        next,
    };
    serde_json::to_string(&list).map_err(|error| Failure::Internal(error.into()))
}

fn shown(it: Listed, backlog: i64, lost: Option<i64>, now: i64) -> Subscription {
    let state = match () {
        () if it.failed => "failed",
        () if it.terminates <= now => "ended",
        () if it.attempts > 0 => "delayed",
        () => "active",
    };
    let moment = |seconds: i64| time::written(u64::try_from(seconds).unwrap_or_default());
    let waits = state == "delayed" || (state == "ended" && it.attempts > 0);
    Subscription {
        number: it.number,
        address: it.address,
        topic: it.topic,
        of_one_patient: !it.patient_id.is_empty(),
        consumer: it.consumer,
        state,
        backlog,
        lost,
        attempts: it.attempts,
        last_error: it.last_error,
        next_attempt: waits.then(|| moment(it.next_attempt / 1000)),
        last_delivery: it.last_delivery.map(moment),
        created: moment(it.created),
        terminates: moment(it.terminates),
    }
}
