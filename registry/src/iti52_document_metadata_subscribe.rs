//! ITI-52 Document Metadata Subscribe: begin and cancel subscriptions.
//!
//! Asked by Document Metadata Subscribers; answered here as by the Document Metadata Notification
//! Broker.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-52.html>

use std::time::{SystemTime, UNIX_EPOCH};

use hilum_audit::{Event, NotRecorded, Outcome, Parties, Recorded, Subscribing};
use hilum_security::Caller;
use xds_schemas::iti52_document_metadata_subscribe::{
    Lifetimes, Subscribe, SubscribeResponse, Subscription, UnsubscribeResponse,
};
use xds_schemas::soap::{Fault, FaultCode};
use xds_schemas::wsn::{FaultKind, time};
use xds_schemas::xml::{ToXml, Writer};

use crate::db::subscriptions::{self, NewSubscription};
use crate::db::{Connection, pull_points};
use crate::failure::Failure;
use crate::subscriptions::{place, subscriber, write_filter};
use crate::{Registry, seconds};

/// An answer or a fault, either of which is recorded.
pub(crate) type Answered<T> = Result<Recorded<Result<T, Fault>>, NotRecorded>;

/// Begins a subscription (ITI TF-2 3.52.4.1.3) and records that it was asked for. `endpoint` is
/// how the subscriber knows this registry: its reference is below it.
pub(crate) async fn subscribe(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    endpoint: &str,
    request: Subscribe,
    now: SystemTime,
) -> Answered<SubscribeResponse> {
    let now = seconds(now);
    let config = &registry.config.subscriptions;
    let lifetimes = Lifetimes {
        usual: config.usual_lifetime.as_secs(),
        longest: config.longest_lifetime.as_secs(),
    };
    let judged = request.judge(now, lifetimes);
    let patient = judged
        .as_ref()
        .ok()
        .and_then(|it| it.filter.patient.clone());
    let patient = patient.map(|patient| patient.to_string());
    let begun = match judged {
        Ok(subscription) => begin(registry, caller, endpoint, subscription, now).await,
        Err(fault) => Err(fault),
    };
    let mut written = Writer::with_capacity(1024);
    request.to_xml(&mut written);
    let what = Subscribing {
        reference: begun.as_ref().ok().map(|it| it.subscription.as_str()),
        patient: patient.as_deref(),
        filter: request.filter.queries.first().map(|query| &*query.id),
        request: &written.finish(),
    };
    let event = Event::subscribed(parties, what, &outcome(&begun));
    registry.audit.record(event, begun).await
}

async fn begin(
    registry: &Registry,
    caller: &Caller,
    endpoint: &str,
    subscription: Subscription,
    now: u64,
) -> Result<SubscribeResponse, Fault> {
    let reference = place::new_reference();
    let address = place::of_subscription(registry.known_as(endpoint), &reference);
    let terminates = subscription.terminates;
    let pull_point = place::pull_point_in(&subscription.consumer).map(str::to_owned);
    // Whether there is such a pull point is seen with the rest; if there is not, this counts.
    let destination = registry.destinations.allow(&subscription.consumer);
    let row = NewSubscription {
        subscriber: Some(subscriber::written(caller)),
        ..row(subscription, reference, address.clone(), now)
    };
    let most = i64::try_from(registry.config.subscriptions.most).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| insert(conn, &row, pull_point.as_deref(), &destination, most);
    match registry.db.write(work).await {
        Ok(None) => Ok(SubscribeResponse {
            subscription: address,
            current_time: Some(time::written(now)),
            termination_time: Some(time::written(terminates)),
        }),
        Ok(Some(reason)) => Err(FaultKind::SubscribeCreationFailed.at(now, reason)),
        Err(failure) => Err(FaultKind::SubscribeCreationImpossible.at(now, incident(failure))),
    }
}

fn row(
    subscription: Subscription,
    reference: String,
    address: String,
    now: u64,
) -> NewSubscription {
    let patient = subscription.filter.patient.as_ref();
    let signed = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX);
    NewSubscription {
        reference,
        address,
        patient_id: patient.map(ToString::to_string).unwrap_or_default(),
        topic: subscription.topic.as_str().to_owned(),
        filter: write_filter(&subscription.query),
        consumer: subscription.consumer,
        destination: String::new(),
        pull_point: None,
        created: signed(now),
        terminates: signed(subscription.terminates),
        failed: false,
        attempts: 0,
        next_attempt: 0,
        claimed_until: 0,
        last_error: None,
        last_delivery: None,
        subscriber: None,
    }
}

/// Adds the subscription; says why if it cannot be.
fn insert(
    conn: &mut Connection,
    row: &NewSubscription,
    pull_point: Option<&str>,
    destination: &Result<crate::destination::Destination, String>,
    most: i64,
) -> Result<Option<String>, Failure> {
    let mut row = row.clone();
    let pull_point = match pull_point {
        Some(reference) => pull_points::find(conn, reference)?,
        None => None,
    };
    match (pull_point, destination) {
        (Some(pull_point), _) => row.pull_point = Some(pull_point.number),
        (None, Ok(destination)) => row.destination = destination.to_string(),
        (None, Err(problem)) => return Ok(Some(format!("ConsumerReference: {problem}"))),
    }
    if subscriptions::count(conn)? >= most {
        return Ok(Some(format!(
            "there are {most} subscriptions, which is as many as may be"
        )));
    }
    subscriptions::insert(conn, &row)?;
    Ok(None)
}

/// Cancels the subscription to whose address the request was sent (ITI TF-2 3.52.4.3.3) and
/// records that it was asked for; the record names it as `wsa:To` does (3.52.6.1.2).
pub(crate) async fn unsubscribe(
    registry: &Registry,
    parties: &Parties,
    endpoint: &str,
    to: Option<String>,
    now: SystemTime,
) -> Answered<UnsubscribeResponse> {
    let now = seconds(now);
    let cancelled = match place::subscription_in(endpoint) {
        Some(reference) => {
            let reference = reference.to_owned();
            let at = i64::try_from(now).unwrap_or(i64::MAX);
            let work = move |conn: &mut _| Ok(subscriptions::delete(conn, &reference, at)?);
            registry.db.write(work).await
        }
        None => Ok(false),
    };
    let answer = match cancelled {
        Ok(true) => Ok(UnsubscribeResponse),
        Ok(false) => {
            let reason = "there is no subscription at this address: it was cancelled, has ended, \
                          or never was";
            Err(FaultKind::ResourceUnknown.at(now, reason))
        }
        Err(failure) => Err(FaultKind::UnableToDestroySubscription.at(now, incident(failure))),
    };
    let reference = to.as_deref().unwrap_or(endpoint);
    let event = Event::unsubscribed(parties, reference, &outcome(&answer));
    registry.audit.record(event, answer).await
}

/// What is said of a failure of ours, which is logged.
pub(crate) fn incident(failure: Failure) -> String {
    let errors = failure.into_errors();
    let contexts: Vec<String> = errors.into_iter().map(|error| error.context).collect();
    contexts.join("; ")
}

/// How the record says it ended.
pub(crate) fn outcome<T>(answer: &Result<T, Fault>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Success,
        Err(fault) if fault.code == FaultCode::Receiver => Outcome::Failure(fault.to_string()),
        Err(fault) => Outcome::MinorFailure(fault.to_string()),
    }
}

/// Milliseconds since 1970.
pub(crate) fn milliseconds(now: SystemTime) -> i64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
