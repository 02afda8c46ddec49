//! ITI-57 Update Document Set: change what is registered.
//!
//! Asked by Document Administrators; answered by the Document Registry. An update is carried out
//! whole or not at all.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-57.html>

use std::time::SystemTime;

use hilum_audit::{NotRecorded, Parties, Recorded, Transaction};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrim::RegistryObjectList;
use xds_schemas::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti57_update_document_set::Update;

use crate::failure::Failure;
use crate::iti42_register_document_set as iti42;
use crate::sight::Sight;
use crate::submission::update::{self, By, PreparedUpdate};
use crate::{Registry, seconds};

/// Carries out an update (metadata update 3.57.4.1.3) and records that it was tried.
pub(crate) async fn answer(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    request: SubmitObjectsRequest,
    now: SystemTime,
) -> Result<Recorded<RegistryResponse>, NotRecorded> {
    let read = |objects: &RegistryObjectList| Update::read(objects);
    let sight = iti42::sight(registry, caller, Permission::Update, now);
    let by = By::Administrator;
    let response = respond(registry, &request.objects, read, by, sight, now).await;
    let by = Transaction::Update;
    iti42::record(&registry.audit, by, parties, &request.objects, response).await
}

/// Reads an update, carries it out, and says how that went.
pub(crate) async fn respond(
    registry: &Registry,
    objects: &RegistryObjectList,
    read: impl FnOnce(&RegistryObjectList) -> Result<Update, Vec<RegistryError>>,
    by: By,
    sight: Option<Sight>,
    now: SystemTime,
) -> RegistryResponse {
    let carried_out = match read(objects) {
        Ok(update) => carry_out(registry, update, by, sight, now).await,
        Err(errors) => Err(Failure::Refused(errors)),
    };
    match carried_out {
        Ok(warnings) => RegistryResponse::success(warnings),
        Err(failure) => RegistryResponse::failure(failure.into_errors()),
    }
}

/// Gives what is to be remarked on an update that is carried out.
async fn carry_out(
    registry: &Registry,
    mut update: Update,
    by: By,
    sight: Option<Sight>,
    now: SystemTime,
) -> Result<Vec<RegistryError>, Failure> {
    let mut warnings = iti42::without_extra_metadata(registry, &mut update.submission);
    let codes = registry.config.affinity_codes.as_ref();
    let offences = codes.map_or_else(Vec::new, |codes| update.submission.judge_codes(codes));
    let home = &registry.config.home_community_id;
    let prepared = PreparedUpdate::new(update, by, offences, home, seconds(now));
    warnings.extend_from_slice(prepared.remarks());
    let unknown_patients = registry.config.unknown_patients;
    let work = move |conn: &mut _| {
        let sight = sight.clone();
        update::carry_out(conn, &prepared, unknown_patients, sight.as_ref())
    };
    let notifications = registry.db.write(work).await?;
    registry.deliveries.hurry(notifications);
    Ok(warnings)
}
