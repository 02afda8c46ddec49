//! ITI-62 Remove Metadata: forget what is registered.
//!
//! Asked by Document Administrators; answered by the Document Registry. All objects that are named
//! are forgotten, or none.

use std::time::SystemTime;

use hilum_audit::{Event, NotRecorded, Outcome, Parties, Recorded};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::iti62_remove_metadata::RemoveObjectsRequest;

use crate::failure::Failure;
use crate::iti42_register_document_set as iti42;
use crate::iti42_register_document_set::outcome;
use crate::removal::{self, Removed};
use crate::sight::Sight;
use crate::{Registry, seconds};

/// Forgets objects (remove metadata 3.62.4.1.3) and records that it was tried: one record for each
/// patient whose they were.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: RemoveObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, NotRecorded> {
    let sight = iti42::sight(registry, caller, Permission::Remove, now);
    let (response, removed) = match remove(registry, &request, sight, now).await {
        Ok(removed) => (RegistryResponse::success(Vec::new()), removed),
        Err(failure) => (RegistryResponse::failure(failure.into_errors()), Vec::new()),
    };
    let outcome = outcome(response.status, &response.errors);
    let event = event(parties, &request, &removed, &outcome);
    registry.audit.record(event, response).await
}

async fn remove(
    registry: &Registry,
    request: &RemoveObjectsRequest,
    sight: Option<Sight>,
    now: SystemTime,
) -> Result<Vec<Removed>, Failure> {
    request.judge().map_err(Failure::Refused)?;
    let objects = request.objects.clone();
    let home = registry.config.home_community_id.clone();
    let now = i64::try_from(seconds(now)).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        let sight = sight.clone();
        removal::remove(conn, &objects, &home, now, sight.as_ref())
    };
    let (removed, notifications) = registry.db.write(work).await?;
    registry.deliveries.hurry(notifications);
    Ok(removed)
}

/// Whose objects they were is known only of those that were there.
fn event(
    parties: &Parties,
    request: &RemoveObjectsRequest,
    removed: &[Removed],
    outcome: &Outcome,
) -> Event {
    let of_patients = removed.iter().map(|of| {
        let uuids: Vec<&str> = of.entry_uuids.iter().map(String::as_str).collect();
        Event::metadata_removed(parties, Some(&of.patient_id), &uuids, outcome)
    });
    of_patients.reduce(Event::and).unwrap_or_else(|| {
        let uuids: Vec<&str> = request.objects.iter().map(|it| it.as_str()).collect();
        Event::metadata_removed(parties, None, &uuids, outcome)
    })
}
