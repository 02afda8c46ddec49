//! Everything the Document Repository answers.

use std::time::SystemTime;

use hilum_audit::{Event, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSet;
use xds_schemas::iti43_retrieve_document_set::RetrieveDocumentSet;
use xds_schemas::iti86_remove_documents::RemoveDocuments;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use crate::Repository;
use crate::iti41_provide_and_register_document_set as iti41;
use crate::iti43_retrieve_document_set as iti43;
use crate::iti86_remove_documents as iti86;

/// Takes everything that comes to the repository. What is refused before it is read leaves a
/// record too.
pub async fn serve(repository: &Repository, incoming: Incoming) -> Reply {
    let audit = &repository.room.audit;
    match incoming {
        Incoming::Get(get) => describe(&get),
        Incoming::Request(_) => Reply::description(None),
        Incoming::Refused(refusal) => audit.refuse(Event::from(&refusal), refusal.reply()).await,
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(repository, call).await {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    audit.refuse(alert, Reply::fault(&fault)).await
                }
            }
        }
    }
}

/// Everything the repository answers. Read this first.
async fn answer(repository: &Repository, call: Call) -> Result<Recorded<Reply>, Fault> {
    let room = &repository.room;
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        // RAD-68 Provide and Register Imaging Document Set has the same action.
        ProvideAndRegisterDocumentSet::ACTION => {
            let home = call.header().home_community_id.clone();
            let home = home.as_deref();
            let now = SystemTime::now();
            let access = &room.config.access;
            access.admits(call.caller(), Permission::Provide, now)?;
            let call = call.permitted(Permission::Provide)?;
            let (caller, request, attachments) = call.read::<ProvideAndRegisterDocumentSet>()?;
            let answered =
                iti41::answer(room, &caller, &endpoint, home, request, attachments).await?;
            Ok(answered.map(|response| Reply::of::<ProvideAndRegisterDocumentSet>(&response)))
        }
        RetrieveDocumentSet::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<RetrieveDocumentSet>()?;
            iti43::answer(room, &caller, &endpoint, request).await
        }
        RemoveDocuments::ACTION => {
            let call = call.permitted(Permission::Remove)?;
            let (caller, request, _) = call.read::<RemoveDocuments>()?;
            let answered = iti86::answer(room, &caller, &endpoint, request).await?;
            Ok(answered.map(|response| Reply::of::<RemoveDocuments>(&response)))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(Service::Repository, query, &get.endpoint))
}
