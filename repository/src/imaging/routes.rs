//! Everything the Imaging Document Source answers.

use hilum_audit::{Event, Recorded};
use hilum_security::Permission;
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::rad69_retrieve_imaging_document_set::RetrieveImagingDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use super::ImagingSource;
use super::rad69_retrieve_imaging_document_set as rad69;

/// Takes everything that comes to the imaging source. What is refused before it is read leaves a
/// record too.
pub async fn serve(source: &ImagingSource, incoming: Incoming) -> Reply {
    match incoming {
        Incoming::Get(get) => plain(&get),
        Incoming::Refused(refusal) => {
            let refused = source.room.audit.record(Event::from(&refusal), ());
            match refused.await {
                Ok(_) => refusal.reply(),
                Err(error) => Reply::fault(&error.into()),
            }
        }
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(source, call).await {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    match source.room.audit.record(alert, fault).await {
                        Ok(fault) => Reply::fault(&fault.into_inner()),
                        Err(error) => Reply::fault(&error.into()),
                    }
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

fn plain(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    match wsdl::find(Service::Imaging, query, &get.endpoint) {
        Some(document) => Reply::plain(200, "text/xml; charset=UTF-8", document),
        None => Reply::plain(
            404,
            "text/plain; charset=UTF-8",
            "nothing here; try ?wsdl\n",
        ),
    }
}
