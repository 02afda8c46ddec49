//! Everything the registry answers. Read this first.
//!
//! Two gates: nothing is read before it is permitted ([`Call::permitted`]), and nothing is sent
//! before it is recorded ([`Recorded`]).

use std::time::SystemTime;

use hilum_audit::{Event, Parties, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::iti61_register_on_demand_document_entry::RegisterOnDemandDocumentEntry;
use xds_schemas::iti62_remove_metadata::RemoveMetadata;
use xds_schemas::iti92_restricted_update_document_set::RestrictedUpdateDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use crate::Registry;
use crate::iti18_registry_stored_query as iti18;
use crate::iti42_register_document_set as iti42;
use crate::iti51_multi_patient_stored_query as iti51;
use crate::iti57_update_document_set as iti57;
use crate::iti61_register_on_demand_document_entry as iti61;
use crate::iti62_remove_metadata as iti62;
use crate::iti92_restricted_update_document_set as iti92;

/// Answers whatever comes. What is refused before it is read leaves a record too.
pub async fn serve(registry: &Registry, incoming: Incoming) -> Reply {
    let audit = &registry.audit;
    match incoming {
        Incoming::Get(get) => describe(&get),
        Incoming::Refused(refusal) => audit.refuse(Event::from(&refusal), refusal.reply()).await,
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(registry, call).await {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    audit.refuse(alert, Reply::fault(&fault)).await
                }
            }
        }
    }
}

/// One arm for each transaction.
async fn answer(registry: &Registry, call: Call) -> Result<Recorded<Reply>, Fault> {
    let parties = Parties::answered(call.caller(), call.endpoint());
    match call.action() {
        RegisterDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Register)?;
            let (_, request, _) = permitted.read::<RegisterDocumentSet>()?;
            let response = iti42::answer(registry, &parties, request, SystemTime::now()).await?;
            Ok(response.map(|it| Reply::of::<RegisterDocumentSet>(&it)))
        }
        RegisterOnDemandDocumentEntry::ACTION => {
            let permitted = call.permitted(Permission::Register)?;
            let (_, request, _) = permitted.read::<RegisterOnDemandDocumentEntry>()?;
            let response = iti61::answer(registry, &parties, request, SystemTime::now()).await?;
            Ok(response.map(|it| Reply::of::<RegisterOnDemandDocumentEntry>(&it)))
        }
        RegistryStoredQuery::ACTION => {
            let permitted = call.permitted(Permission::Query)?;
            let (_, request, _) = permitted.read::<RegistryStoredQuery>()?;
            let response = iti18::answer(registry, &parties, request).await?;
            Ok(response.map(Reply::soap::<RegistryStoredQuery>))
        }
        MultiPatientStoredQuery::ACTION => {
            let permitted = call.permitted(Permission::Query)?;
            let (_, request, _) = permitted.read::<MultiPatientStoredQuery>()?;
            let response = iti51::answer(registry, &parties, request).await?;
            Ok(response.map(Reply::soap::<MultiPatientStoredQuery>))
        }
        UpdateDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Update)?;
            let (_, request, _) = permitted.read::<UpdateDocumentSet>()?;
            let response = iti57::answer(registry, &parties, request, SystemTime::now()).await?;
            Ok(response.map(|it| Reply::of::<UpdateDocumentSet>(&it)))
        }
        RestrictedUpdateDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Update)?;
            let (_, request, _) = permitted.read::<RestrictedUpdateDocumentSet>()?;
            let response = iti92::answer(registry, &parties, request, SystemTime::now()).await?;
            Ok(response.map(|it| Reply::of::<RestrictedUpdateDocumentSet>(&it)))
        }
        RemoveMetadata::ACTION => {
            let permitted = call.permitted(Permission::Remove)?;
            let (_, request, _) = permitted.read::<RemoveMetadata>()?;
            let response = iti62::answer(registry, &parties, request).await?;
            Ok(response.map(|it| Reply::of::<RemoveMetadata>(&it)))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(Service::Registry, query, &get.endpoint))
}
