//! ITI-61 Register On-Demand Document Entry: make documents known that are made when they are
//! retrieved.
//!
//! Asked by On-Demand Document Sources; answered by the Document Registry. A submission is
//! registered whole or not at all, as by ITI-42; only its document entries are of another kind.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-61.html>

use std::time::SystemTime;

use hilum_audit::{Event, Parties, Recorded, Transaction};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrs::{RegistryResponse, SubmitObjectsRequest};
use xds_schemas::metadata::submission::Rules;
use xds_schemas::soap::Fault;

use crate::Registry;
use crate::admission;
use crate::iti42_register_document_set::{event, register, sight};

/// Registers a submission (ITI TF-2 3.61.4.1.3) and records that it was tried.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: SubmitObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, Fault> {
    let (rules, objects) = (Rules::RegisterOnDemand, &request.objects);
    let alerts = admission::of_submission(registry, caller, objects, rules, now).await?;
    let sight = sight(registry, caller, Permission::Register, now);
    let response = register(registry, objects, rules, sight, now).await;
    let event = event(Transaction::RegisterOnDemand, parties, objects, &response);
    let event = alerts.into_iter().fold(event, Event::and);
    Ok(registry.audit.record(event, response).await?)
}
