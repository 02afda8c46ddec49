//! Everything the gateways answer. Read this first.
//!
//! The Initiating Gateway speaks the transactions of a registry, a repository and an imaging source; the
//! Responding Gateway those between communities.

use hilum_audit::{Event, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Incoming, Reply};
use xds_schemas::hl7v3::find_candidates::Priority;
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti38_cross_gateway_query::CrossGatewayQuery;
use xds_schemas::iti39_cross_gateway_retrieve::CrossGatewayRetrieve;
use xds_schemas::iti43_retrieve_document_set::RetrieveDocumentSet;
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::RevokeCorrelation;
use xds_schemas::iti55_cross_gateway_patient_discovery::{
    CrossGatewayPatientDiscovery, DeferredQuestion,
};
use xds_schemas::iti56_patient_location_query::PatientLocationQuery;
use xds_schemas::rad69_retrieve_imaging_document_set::RetrieveImagingDocumentSet;
use xds_schemas::rad75_cross_gateway_retrieve_imaging_document_set::CrossGatewayRetrieveImagingDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;

use crate::Gateway;
use crate::iti38_cross_gateway_query as iti38;
use crate::iti55_cross_gateway_patient_discovery as iti55;
use crate::iti56_patient_location_query as iti56;
use crate::retrieval::{self, Wanted};
use crate::revocation;

/// Which of the two gateways is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// By its own community.
    Initiating,
    /// By other communities.
    Responding,
}

/// Answers whatever comes. What is refused before it is read leaves a record too.
pub async fn serve(gateway: &Gateway, side: Side, incoming: Incoming) -> Reply {
    let audit = &gateway.room.audit;
    match incoming {
        Incoming::Get(_) | Incoming::Request(_) => Reply::description(None),
        Incoming::Refused(refusal) => audit.refuse(Event::from(&refusal), refusal.reply()).await,
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            let answered = match side {
                Side::Initiating => initiate(gateway, call).await,
                Side::Responding => respond(gateway, call).await,
            };
            match answered {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    audit.refuse(alert, Reply::fault(&fault)).await
                }
            }
        }
    }
}

/// What the own community asks.
async fn initiate(gateway: &Gateway, call: Call) -> Result<Recorded<Reply>, Fault> {
    let room = &gateway.room.for_call(&call)?;
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        RegistryStoredQuery::ACTION => {
            let call = call.permitted(Permission::Query)?;
            let (caller, request, _) = call.read::<RegistryStoredQuery>()?;
            let response = iti38::initiate(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<RegistryStoredQuery>(&it)))
        }
        CrossGatewayPatientDiscovery::ACTION => {
            let call = call.permitted(Permission::Patients)?;
            let (caller, request, _) = call.read::<CrossGatewayPatientDiscovery>()?;
            let response = iti55::initiate(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<CrossGatewayPatientDiscovery>(&it)))
        }
        PatientLocationQuery::ACTION => {
            room.decide(call.caller(), Permission::Patients)?;
            let call = call.permitted(Permission::Patients)?;
            let (caller, request, _) = call.read::<PatientLocationQuery>()?;
            let response = iti56::initiate(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<PatientLocationQuery>(&it)))
        }
        RevokeCorrelation::ACTION => {
            room.decide(call.caller(), Permission::Announce)?;
            let call = call.permitted(Permission::Announce)?;
            let (caller, request, _) = call.read::<RevokeCorrelation>()?;
            let response = revocation::initiate(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<RevokeCorrelation>(&it)))
        }
        RetrieveDocumentSet::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<RetrieveDocumentSet>()?;
            let wanted = Wanted::Documents(request.documents);
            retrieval::initiate::<RetrieveDocumentSet>(room, &caller, &endpoint, wanted).await
        }
        RetrieveImagingDocumentSet::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<RetrieveImagingDocumentSet>()?;
            let wanted = Wanted::Images(request);
            retrieval::initiate::<RetrieveImagingDocumentSet>(room, &caller, &endpoint, wanted)
                .await
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// What other communities ask.
async fn respond(gateway: &Gateway, call: Call) -> Result<Recorded<Reply>, Fault> {
    let room = &gateway.room.for_call(&call)?;
    let endpoint = call.endpoint().to_owned();
    let is_deferred = call.action() == DeferredQuestion::ACTION;
    match call.action() {
        CrossGatewayQuery::ACTION => {
            let call = call.permitted(Permission::Query)?;
            let (caller, request, _) = call.read::<CrossGatewayQuery>()?;
            let response = iti38::respond(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<CrossGatewayQuery>(&it)))
        }
        CrossGatewayPatientDiscovery::ACTION | DeferredQuestion::ACTION => {
            let lives = call.header().correlation_time_to_live.clone();
            let call = call.permitted(Permission::Patients)?;
            let (caller, mut request, _) = call.read::<CrossGatewayPatientDiscovery>()?;
            if is_deferred {
                request.query.priority = Priority::Deferred;
            }
            iti55::respond(room, &caller, &endpoint, lives.as_deref(), request).await
        }
        PatientLocationQuery::ACTION if room.patients.config.locator => {
            room.decide(call.caller(), Permission::Patients)?;
            let call = call.permitted(Permission::Patients)?;
            let (caller, request, _) = call.read::<PatientLocationQuery>()?;
            let response = iti56::respond(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<PatientLocationQuery>(&it)))
        }
        RevokeCorrelation::ACTION => {
            room.decide(call.caller(), Permission::Announce)?;
            let call = call.permitted(Permission::Announce)?;
            let (caller, request, _) = call.read::<RevokeCorrelation>()?;
            let response = revocation::respond(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<RevokeCorrelation>(&it)))
        }
        CrossGatewayRetrieve::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<CrossGatewayRetrieve>()?;
            let wanted = Wanted::Documents(request.documents);
            retrieval::respond::<CrossGatewayRetrieve>(room, &caller, &endpoint, wanted).await
        }
        CrossGatewayRetrieveImagingDocumentSet::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<CrossGatewayRetrieveImagingDocumentSet>()?;
            let wanted = Wanted::Images(request);
            retrieval::respond::<CrossGatewayRetrieveImagingDocumentSet>(
                room, &caller, &endpoint, wanted,
            )
            .await
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}
