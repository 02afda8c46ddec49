//! Everything the Imaging Document Source answers.

use hilum_audit::{Event, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::rad69_retrieve_imaging_document_set::RetrieveImagingDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use super::ImagingSource;
use super::dicomweb;
use super::rad69_retrieve_imaging_document_set as rad69;

/// Takes everything that comes to the imaging source. What is refused before it is read leaves a
/// record too.
pub async fn serve(source: &ImagingSource, incoming: Incoming) -> Reply {
    let audit = &source.room.audit;
    match incoming {
        Incoming::Get(get) => describe(&get),
        Incoming::Request(request) => dicomweb::serve(&source.room, request).await,
        Incoming::Refused(refusal) => audit.refuse(Event::from(&refusal), refusal.reply()).await,
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(source, call).await {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    audit.refuse(alert, Reply::fault(&fault)).await
                }
            }
        }
    }
}

/// Everything the imaging source answers. Read this first.
async fn answer(source: &ImagingSource, call: Call) -> Result<Recorded<Reply>, Fault> {
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        RetrieveImagingDocumentSet::ACTION => {
            let call = call.permitted(Permission::Retrieve)?;
            let (caller, request, _) = call.read::<RetrieveImagingDocumentSet>()?;
            rad69::answer(&source.room, &caller, &endpoint, request).await
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(Service::Imaging, query, &get.endpoint))
}
