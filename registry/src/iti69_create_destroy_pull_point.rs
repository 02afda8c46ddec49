//! ITI-69 Create Destroy Pull Point: keep notifications for those who cannot be called.
//!
//! Asked by Notification Pullers; answered here as by the Notification Pull Point. Extensions to
//! the Document Metadata Subscription profile, 3.69.

use std::time::SystemTime;

use hilum_audit::{Event, Parties};
use xds_schemas::iti69_create_destroy_pull_point::{
    CreatePullPointResponse, DestroyPullPointResponse,
};
use xds_schemas::wsn::FaultKind;

use crate::db::{Connection, pull_points};
use crate::failure::Failure;
use crate::iti52_document_metadata_subscribe::{Answered, incident, outcome};
use crate::subscriptions::place;
use crate::{Registry, seconds};

/// Makes a pull point (3.69.4.1.3) and records that it was asked for.
pub(crate) async fn create(
    registry: &Registry,
    parties: &Parties,
    endpoint: &str,
    now: SystemTime,
) -> Answered<CreatePullPointResponse> {
    let now = seconds(now);
    let config = &registry.config.subscriptions;
    let reference = place::new_reference();
    let address = place::of_pull_point(registry.known_as(endpoint), &reference);
    let capacity = i64::try_from(config.pull_point_messages).unwrap_or(i64::MAX);
    let most = i64::try_from(config.most).unwrap_or(i64::MAX);
    let created = i64::try_from(now).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| insert(conn, &reference, capacity, most, created);
    let refused = |reason: String| Err(FaultKind::UnableToCreatePullPoint.at(now, reason));
    let answer = match registry.db.write(work).await {
        Ok(true) => Ok(CreatePullPointResponse {
            pull_point: address.clone(),
        }),
        Ok(false) => refused(format!(
            "there are {most} pull points, which is as many as may be"
        )),
        Err(failure) => refused(incident(failure)),
    };
    let event = Event::pull_point_created(parties, &address, &outcome(&answer));
    registry.audit.record(event, answer).await
}

fn insert(
    conn: &mut Connection,
    reference: &str,
    capacity: i64,
    most: i64,
    now: i64,
) -> Result<bool, Failure> {
    if pull_points::count(conn)? >= most {
        return Ok(false);
    }
    pull_points::insert(conn, reference, capacity, now)?;
    Ok(true)
}

/// Removes the pull point to whose address the request was sent, with everything that waits in it
/// (3.69.4.3.3), and records that it was asked for.
pub(crate) async fn destroy(
    registry: &Registry,
    parties: &Parties,
    endpoint: &str,
    now: SystemTime,
) -> Answered<DestroyPullPointResponse> {
    let now = seconds(now);
    let reference = place::pull_point_in(endpoint)
        .unwrap_or_default()
        .to_owned();
    let work = move |conn: &mut _| {
        let Some(pull_point) = pull_points::find(conn, &reference)? else {
            return Ok(false);
        };
        pull_points::destroy(conn, pull_point.number)?;
        Ok(true)
    };
    let answer = match registry.db.write(work).await {
        Ok(true) => Ok(DestroyPullPointResponse),
        Ok(false) => Err(FaultKind::ResourceUnknown.at(now, "there is no such pull point")),
        Err(failure) => Err(FaultKind::UnableToDestroyPullPoint.at(now, incident(failure))),
    };
    let event = Event::pull_point_destroyed(parties, endpoint, &outcome(&answer));
    registry.audit.record(event, answer).await
}
