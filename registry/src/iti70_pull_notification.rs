//! ITI-70 Pull Notification: give what a pull point has kept.
//!
//! Asked by Notification Pullers; answered here as by the Notification Pull Point. Extensions to
//! the Document Metadata Subscription profile, 3.70.

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Parties, Recorded};
use hilum_security::Caller;
use xds_schemas::iti70_pull_notification::{GetMessages, write_response};
use xds_schemas::soap::Fault;
use xds_schemas::wsn::FaultKind;
use xds_schemas::xml::Writer;

use crate::db::notifications::{self, Notification};
use crate::db::{Connection, pull_points};
use crate::failure::Failure;
use crate::iti52_document_metadata_subscribe::{Answered, incident, outcome};
use crate::subscriptions::place;
use crate::subscriptions::record::notified;
use crate::subscriptions::telling::Teller;
use crate::{Registry, seconds};

/// Takes the oldest notification out of the pull point to whose address the request was sent, and
/// answers with it or with none; records that it was asked.
///
/// One at a time, whatever is asked for: a record concerns one patient (3.70.4.1.2, 3.70.4.1.3).
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    endpoint: &str,
    request: GetMessages,
    now: SystemTime,
) -> Answered<String> {
    let taken = take(registry, caller, endpoint, request, now).await;
    let found = taken.as_ref().ok().and_then(Option::as_ref);
    let patient = found.and_then(|it| it.patient_id.as_deref());
    let told = found.map(|it| notified(&it.objects)).unwrap_or_default();
    let event = Event::pulled(parties, patient, &told, &outcome(&taken));
    let response = taken.as_ref().map_err(Clone::clone).map(|taken| {
        let message = taken.as_ref().map(|it| it.message.as_str());
        let mut writer = Writer::with_capacity(message.map_or(0, str::len) + 256);
        write_response(&mut writer, |writer| {
            writer.raw(message.unwrap_or_default());
        });
        writer.finish()
    });
    let recorded = registry.audit.record(event, response).await;
    back_if_not_recorded(registry, taken, recorded).await
}

async fn take(
    registry: &Registry,
    caller: &Caller,
    endpoint: &str,
    request: GetMessages,
    now: SystemTime,
) -> Result<Option<Notification>, Fault> {
    let policy = registry.config.access.policy();
    let (puller, home) = (caller.clone(), registry.config.home_community_id.clone());
    let (asked, now) = (now, seconds(now));
    let reference = place::pull_point_in(endpoint)
        .unwrap_or_default()
        .to_owned();
    let used = i64::try_from(now).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        let Some(pull_point) = pull_points::find(conn, &reference)? else {
            return Ok(None);
        };
        pull_points::used(conn, pull_point.number, used)?;
        match request.maximum_number {
            0 => Ok(Some(None)),
            _ => match policy.clone() {
                None => Ok(Some(notifications::take(conn, pull_point.number)?)),
                Some(policy) => {
                    let teller = Teller {
                        policy,
                        puller: Some(&puller),
                        home: &home,
                        now: asked,
                    };
                    Ok(Some(oldest_tellable(conn, pull_point.number, &teller)?))
                }
            },
        }
    };
    match registry.db.write(work).await {
        Ok(Some(taken)) => Ok(taken),
        Ok(None) => Err(FaultKind::ResourceUnknown.at(now, "there is no such pull point")),
        Err(failure) => Err(FaultKind::UnableToGetMessages.at(now, incident(failure))),
    }
}

/// Takes notifications out until there is one of which something may be told. There are no more than
/// a pull point keeps.
fn oldest_tellable(
    conn: &mut Connection,
    pull_point: i64,
    teller: &Teller<'_>,
) -> Result<Option<Notification>, Failure> {
    while let Some(oldest) = notifications::take(conn, pull_point)? {
        if let Some(told) = teller.tellable(conn, oldest)? {
            return Ok(Some(told));
        }
    }
    Ok(None)
}

/// What is not answered because it could not be recorded is not lost either.
async fn back_if_not_recorded(
    registry: &Registry,
    taken: Result<Option<Notification>, Fault>,
    recorded: Result<Recorded<Result<String, Fault>>, NotRecorded>,
) -> Answered<String> {
    if let (Err(_), Ok(Some(notification))) = (&recorded, taken) {
        let work = move |conn: &mut _| Ok(notifications::put_back(conn, &notification)?);
        if let Err(failure) = registry.db.write(work).await {
            tracing::error!("a notification is lost: {}", incident(failure));
        }
    }
    recorded
}
