//! ITI-61 Register On-Demand Document Entry: make documents known that are made when they are
//! retrieved.
//!
//! Asked by On-Demand Document Sources; answered by the Document Registry. A submission is
//! registered whole or not at all, as by ITI-42; only its document entries are of another kind.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-61.html>

use std::time::SystemTime;

use hilum_audit::{NotRecorded, Parties, Recorded, Transaction};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrs::{RegistryResponse, SubmitObjectsRequest};
use xds_schemas::metadata::submission::Rules;

use crate::Registry;
use crate::iti42_register_document_set::{record, register, sight};

/// Registers a submission (ITI TF-2 3.61.4.1.3) and records that it was tried.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: SubmitObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, NotRecorded> {
    let sight = sight(registry, caller, Permission::Register, now);
    let rules = Rules::RegisterOnDemand;
    let response = register(registry, &request.objects, rules, sight, now).await;
    let by = Transaction::RegisterOnDemand;
    record(&registry.audit, by, parties, &request.objects, response).await
}
