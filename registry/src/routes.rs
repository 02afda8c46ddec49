//! Everything the registry answers. Read this first.
//!
//! Two gates: nothing is read before it is permitted ([`Call::permitted`]), and nothing is sent
//! before it is recorded ([`Recorded`]).

use std::time::SystemTime;

use hilum_audit::{Audit, Event, NotRecorded, Parties, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use crate::Registry;
use crate::iti18_registry_stored_query as iti18;
use crate::iti42_register_document_set as iti42;

/// Answers whatever comes. What is refused before it is read leaves a record too.
pub async fn serve(registry: &Registry, incoming: Incoming) -> Reply {
    match incoming {
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(registry, call).await {
                Ok(reply) => send(reply),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    refuse(&registry.audit, alert, Reply::fault(&fault)).await
                }
            }
        }
        Incoming::Refused(refusal) => {
            let alert = Event::from(&refusal);
            refuse(&registry.audit, alert, refusal.reply()).await
        }
        Incoming::Get(get) => describe(&get),
    }
}

/// One arm for each transaction.
async fn answer(
    registry: &Registry,
    call: Call,
) -> Result<Result<Recorded<Reply>, NotRecorded>, Fault> {
    let parties = Parties::answered(call.caller(), call.endpoint());
    Ok(match call.action() {
        RegisterDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Register)?;
            let (_, request, _) = permitted.read::<RegisterDocumentSet>()?;
            let response = iti42::answer(registry, &parties, request, SystemTime::now()).await;
            response.map(|recorded| recorded.map(|it| Reply::of::<RegisterDocumentSet>(&it)))
        }
        RegistryStoredQuery::ACTION => {
            let permitted = call.permitted(Permission::Query)?;
            let (_, request, _) = permitted.read::<RegistryStoredQuery>()?;
            let response = iti18::answer(registry, &parties, request).await;
            response.map(|recorded| recorded.map(Reply::soap::<RegistryStoredQuery>))
        }
        unknown => return Err(Fault::action_not_supported(unknown)),
    })
}

/// What was recorded is sent; what could not be recorded is not.
fn send(reply: Result<Recorded<Reply>, NotRecorded>) -> Reply {
    match reply {
        Ok(recorded) => recorded.into_inner(),
        Err(not_recorded) => Reply::fault(&Fault::from(not_recorded)),
    }
}

async fn refuse(audit: &Audit, alert: Event, reply: Reply) -> Reply {
    send(audit.record(alert, reply).await)
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    match wsdl::find(Service::Registry, query, &get.endpoint) {
        Some(document) => Reply::plain(200, "text/xml; charset=UTF-8", document),
        None => Reply::plain(404, "text/plain; charset=UTF-8", "there is nothing here\n"),
    }
}
