//! Everything the Document Recipient answers.

use std::time::SystemTime;

use hilum_audit::{Event, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::inbox::{DeleteSubmission, FetchSubmission, ListInbox};
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use super::administration;
use super::iti41_provide_and_register_document_set::{self as iti41, Sender};
use super::{Recipient, Room};

/// Takes everything that comes to the recipient. What is refused before it is read leaves a record
/// too.
pub async fn serve(recipient: &Recipient, incoming: Incoming) -> Reply {
    let room = &recipient.room;
    match incoming {
        Incoming::Get(get) => describe(&get),
        Incoming::Request(_) => Reply::description(None),
        Incoming::Refused(refusal) => {
            let alert = Event::from(&refusal);
            room.audit.refuse(alert, refusal.reply()).await
        }
        Incoming::Call(call) => {
            let caller = call.caller().clone();
            match answer(room, call).await {
                Ok(reply) => reply.into_inner(),
                Err(fault) => {
                    let alert = Event::refused(&caller, &fault);
                    room.audit.refuse(alert, Reply::fault(&fault)).await
                }
            }
        }
    }
}

/// Everything the recipient answers. Read this first.
async fn answer(room: &Room, call: Call) -> Result<Recorded<Reply>, Fault> {
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        ProvideAndRegisterDocumentSet::ACTION => {
            let home_community_id = call.header().home_community_id.clone();
            let now = SystemTime::now();
            let access = &room.config.access;
            access.admits(call.caller(), Permission::Provide, now)?;
            let call = call.permitted(Permission::Provide)?;
            let (caller, request, attachments) = call.read::<ProvideAndRegisterDocumentSet>()?;
            let sender = Sender {
                caller,
                endpoint,
                home_community_id,
                now,
            };
            let answered = iti41::answer(room, &sender, request, attachments).await?;
            Ok(answered.map(|response| Reply::of::<ProvideAndRegisterDocumentSet>(&response)))
        }
        ListInbox::ACTION => {
            let (caller, request) = administered::<ListInbox>(room, call)?;
            administration::list(room, &caller, &endpoint, &request).await
        }
        FetchSubmission::ACTION => {
            let (caller, request) = administered::<FetchSubmission>(room, call)?;
            administration::fetch(room, &caller, &endpoint, request.unique_id).await
        }
        DeleteSubmission::ACTION => {
            let (caller, request) = administered::<DeleteSubmission>(room, call)?;
            administration::delete(room, &caller, &endpoint, request.unique_id).await
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// What is asked by those who run the recipient. With rules, one of them has to name it, since the inbox
/// has what others sent of anybody.
fn administered<T: Transaction>(room: &Room, call: Call) -> Result<(Caller, T::Request), Fault> {
    let access = &room.config.access;
    let granted = access.grant(call.caller(), Permission::Administer, SystemTime::now());
    granted.map_err(|refused| Fault::not_permitted(refused.to_string()))?;
    let call = call.permitted(Permission::Administer)?;
    let (caller, request, _) = call.read::<T>()?;
    Ok((caller, request))
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(Service::Recipient, query, &get.endpoint))
}
