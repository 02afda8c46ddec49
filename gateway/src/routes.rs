//! Everything the gateways answer. Read this first.
//!
//! The Initiating Gateway speaks the transactions of a registry, a repository and an imaging source; the
//! Responding Gateway those between communities.

use hilum_audit::{Event, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::ebrs::AdhocQueryRequest;
use xds_schemas::hl7v3::find_candidates::Priority;
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti38_cross_gateway_query::CrossGatewayQuery;
use xds_schemas::iti39_cross_gateway_retrieve::CrossGatewayRetrieve;
use xds_schemas::iti41_provide_and_register_document_set::{
    ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::iti43_retrieve_document_set::RetrieveDocumentSet;
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::{self, RevokeCorrelation};
use xds_schemas::iti55_cross_gateway_patient_discovery::{
    CrossGatewayPatientDiscovery, DeferredQuestion,
};
use xds_schemas::iti56_patient_location_query::PatientLocationQuery;
use xds_schemas::iti63_cross_gateway_fetch::CrossGatewayFetch;
use xds_schemas::iti80_cross_gateway_document_provide::CrossGatewayDocumentProvide;
use xds_schemas::rad69_retrieve_imaging_document_set::RetrieveImagingDocumentSet;
use xds_schemas::rad75_cross_gateway_retrieve_imaging_document_set::CrossGatewayRetrieveImagingDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use crate::Gateway;
use crate::iti38_cross_gateway_query::{self as iti38, Kind};
use crate::iti51_multi_patient_stored_query as iti51;
use crate::iti55_cross_gateway_patient_discovery as iti55;
use crate::iti56_patient_location_query as iti56;
use crate::iti63_cross_gateway_fetch as iti63;
use crate::iti80_cross_gateway_document_provide as iti80;
use crate::rad160_cross_community_wado_rs as rad160;
use crate::retrieval::{self, Wanted};
use crate::revocation;

/// Which of the two gateways is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
        Incoming::Get(get) => describe(side, &get),
        Incoming::Request(request) => rad160::serve(&gateway.room, side, request).await,
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

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(side: Side, get: &Get) -> Reply {
    let service = match side {
        Side::Initiating => Service::Initiating,
        Side::Responding => Service::Responding,
    };
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(service, query, &get.endpoint))
}

/// What the own community asks.
async fn initiate(gateway: &Gateway, mut call: Call) -> Result<Recorded<Reply>, Fault> {
    let room = &gateway.room.for_call(&call)?;
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        RegistryStoredQuery::ACTION => {
            let several = call.takes_several();
            let call = call.permitted(Permission::Query)?;
            let (caller, request, _) = call.read::<RegistryStoredQuery>()?;
            let asked = (Kind::OfOne, request);
            iti38::initiate::<RegistryStoredQuery>(room, &caller, &endpoint, asked, several).await
        }
        CrossGatewayPatientDiscovery::ACTION => {
            // Of a person who is only described, nobody else in this community decides.
            room.decide(call.caller(), Permission::Patients)?;
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
        MultiPatientStoredQuery::ACTION => {
            let several = call.takes_several();
            let call = call.permitted(Permission::Query)?;
            let (caller, request, _) = call.read::<MultiPatientStoredQuery>()?;
            let asked = (Kind::OfSeveral, request);
            iti51::initiate::<MultiPatientStoredQuery>(room, &caller, &endpoint, asked, several)
                .await
        }
        CrossGatewayFetch::ACTION => {
            let (caller, request) = fetching(call)?;
            iti63::initiate(room, &caller, &endpoint, request).await
        }
        // RAD-68 Provide and Register Imaging Document Set has the same action.
        ProvideAndRegisterDocumentSet::ACTION => {
            room.may_hide_nodes(&[Permission::Provide])?;
            let (caller, submission) = handed_in::<ProvideAndRegisterDocumentSet>(call)?;
            let response = iti80::initiate(room, &caller, &endpoint, submission).await?;
            Ok(response.map(|it| Reply::of::<ProvideAndRegisterDocumentSet>(&it)))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// What is asked for is found and got.
fn fetching(call: Call) -> Result<(Caller, AdhocQueryRequest), Fault> {
    let may = call.caller().may(Permission::Query);
    may.map_err(|refused| Fault::not_permitted(refused.to_string()))?;
    let call = call.permitted(Permission::Retrieve)?;
    let (caller, request, _) = call.read::<CrossGatewayFetch>()?;
    Ok((caller, request))
}

/// What is handed in, its documents still on the wire.
fn handed_in<T>(call: Call) -> Result<(Caller, iti80::Submission), Fault>
where
    T: Transaction<Request = ProvideAndRegisterDocumentSetRequest>,
{
    let header = call.header().home_community_id.clone();
    let call = call.permitted(Permission::Provide)?;
    let (caller, request, attachments) = call.read::<T>()?;
    let submission = iti80::Submission {
        header,
        request,
        attachments,
    };
    Ok((caller, submission))
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
            room.may_hide_nodes(&[Permission::Patients])?;
            let header = call.header();
            let said = iti55::Said {
                lives: header.correlation_time_to_live.clone(),
                message_id: header.message_id.clone(),
            };
            let call = call.permitted(Permission::Patients)?;
            let (caller, mut request, _) = call.read::<CrossGatewayPatientDiscovery>()?;
            if is_deferred {
                request.query.priority = Priority::Deferred;
            }
            iti55::respond(room, &caller, &endpoint, &said, request).await
        }
        PatientLocationQuery::ACTION if room.patients.config.locator => {
            room.decide(call.caller(), Permission::Patients)?;
            let call = call.permitted(Permission::Patients)?;
            let (caller, request, _) = call.read::<PatientLocationQuery>()?;
            let response = iti56::respond(room, &caller, &endpoint, request).await?;
            Ok(response.map(|it| Reply::of::<PatientLocationQuery>(&it)))
        }
        RevokeCorrelation::ACTION | revoke::PLAIN_ACTION => {
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
        CrossGatewayFetch::ACTION => {
            let (caller, request) = fetching(call)?;
            iti63::respond(room, &caller, &endpoint, request).await
        }
        CrossGatewayDocumentProvide::ACTION => {
            room.may_hide_nodes(&[Permission::Provide])?;
            let (caller, submission) = handed_in::<CrossGatewayDocumentProvide>(call)?;
            let response = iti80::respond(room, &caller, &endpoint, submission).await?;
            Ok(response.map(|it| Reply::of::<CrossGatewayDocumentProvide>(&it)))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}
