//! ITI-92 Restricted Update Document Set: correct the metadata of documents.
//!
//! Asked by Update Initiators, also of other communities; answered by the Document Registry as an
//! Update Responder that keeps versions (option XDS Version Persistence).

use std::time::SystemTime;

use hilum_audit::{NotRecorded, Parties, Recorded, Transaction};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrim::RegistryObjectList;
use xds_schemas::ebrs::{RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti92_restricted_update_document_set as message;

use crate::Registry;
use crate::iti42_register_document_set as iti42;
use crate::iti57_update_document_set as iti57;
use crate::submission::update::By;

/// Carries out an update (restricted metadata update 3.92.4.1.3) and records that it was tried.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: SubmitObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, NotRecorded> {
    let here = &registry.config.home_community_id;
    let read = |objects: &RegistryObjectList| message::read(objects, here);
    let sight = iti42::sight(registry, caller, Permission::Update, now);
    let by = By::Initiator;
    let response = iti57::respond(registry, &request.objects, read, by, sight, now).await;
    let by = Transaction::RestrictedUpdate;
    iti42::record(&registry.audit, by, parties, &request.objects, response).await
}
