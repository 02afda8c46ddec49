//! Everything the registry answers. Read this first.
//!
//! Two gates: nothing is read before it is permitted ([`Call::permitted`]), and nothing is sent
//! before it is recorded ([`Recorded`]).

use std::time::SystemTime;

use hilum_audit::{Event, Parties, Recorded};
use hilum_security::{Caller, Permission};
use hilum_transport::{Call, Get, Incoming, Reply};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::iti44_patient_identity_feed_hl7v3::{
    DuplicatesResolved, Interaction, PatientRecordMessage, RecordAdded, RecordRevised,
};
use xds_schemas::iti45_pixv3_query::PixV3Query;
use xds_schemas::iti47_patient_demographics_query_hl7v3::{
    Cancel, Continue, PatientDemographicsQuery,
};
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::iti52_document_metadata_subscribe::{
    DocumentMetadataSubscribe, DocumentMetadataUnsubscribe,
};
use xds_schemas::iti53_document_metadata_notify::DocumentMetadataNotify;
use xds_schemas::iti54_document_metadata_publish::DocumentMetadataPublish;
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::iti61_register_on_demand_document_entry::RegisterOnDemandDocumentEntry;
use xds_schemas::iti62_remove_metadata::RemoveMetadata;
use xds_schemas::iti69_create_destroy_pull_point::{CreatePullPoint, DestroyPullPoint};
use xds_schemas::iti70_pull_notification::PullNotification;
use xds_schemas::iti92_restricted_update_document_set::RestrictedUpdateDocumentSet;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::wsdl::{self, Service};

use crate::Registry;
use crate::iti18_registry_stored_query as iti18;
use crate::iti42_register_document_set as iti42;
use crate::iti44_patient_identity_feed_hl7v3 as iti44;
use crate::iti45_pixv3_query as iti45;
use crate::iti47_patient_demographics_query_hl7v3 as iti47;
use crate::iti51_multi_patient_stored_query as iti51;
use crate::iti52_document_metadata_subscribe as iti52;
use crate::iti53_document_metadata_notify as iti53;
use crate::iti54_document_metadata_publish as iti54;
use crate::iti57_update_document_set as iti57;
use crate::iti61_register_on_demand_document_entry as iti61;
use crate::iti62_remove_metadata as iti62;
use crate::iti69_create_destroy_pull_point as iti69;
use crate::iti70_pull_notification as iti70;
use crate::iti92_restricted_update_document_set as iti92;
use crate::iti108_access_consent as iti108;
use crate::sight::may;
use crate::subscriptions::{listing, place};

/// Answers whatever comes. What is refused before it is read leaves a record too.
pub async fn serve(registry: &Registry, incoming: Incoming) -> Reply {
    let audit = &registry.audit;
    match incoming {
        Incoming::Get(get) if get.path.ends_with(listing::PATH) => list(registry, &get).await,
        Incoming::Get(get) => describe(&get),
        Incoming::Request(request) => iti108::serve(registry, request).await,
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
    let now = SystemTime::now();
    match call.action() {
        RegisterDocumentSet::ACTION => {
            admitted(registry, &call, Permission::Register, now)?;
            let permitted = call.permitted(Permission::Register)?;
            let (caller, request, _) = permitted.read::<RegisterDocumentSet>()?;
            let response = iti42::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<RegisterDocumentSet>(&it)))
        }
        RegisterOnDemandDocumentEntry::ACTION => {
            admitted(registry, &call, Permission::Register, now)?;
            let permitted = call.permitted(Permission::Register)?;
            let (caller, request, _) = permitted.read::<RegisterOnDemandDocumentEntry>()?;
            let response = iti61::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<RegisterOnDemandDocumentEntry>(&it)))
        }
        RegistryStoredQuery::ACTION => {
            let permitted = call.permitted(Permission::Query)?;
            let (caller, request, _) = permitted.read::<RegistryStoredQuery>()?;
            let response = iti18::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(Reply::soap::<RegistryStoredQuery>))
        }
        MultiPatientStoredQuery::ACTION => {
            let permitted = call.permitted(Permission::Query)?;
            let (caller, request, _) = permitted.read::<MultiPatientStoredQuery>()?;
            let response = iti51::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(Reply::soap::<MultiPatientStoredQuery>))
        }
        UpdateDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Update)?;
            let (caller, request, _) = permitted.read::<UpdateDocumentSet>()?;
            let response = iti57::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<UpdateDocumentSet>(&it)))
        }
        RestrictedUpdateDocumentSet::ACTION => {
            let permitted = call.permitted(Permission::Update)?;
            let (caller, request, _) = permitted.read::<RestrictedUpdateDocumentSet>()?;
            let response = iti92::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<RestrictedUpdateDocumentSet>(&it)))
        }
        RemoveMetadata::ACTION => {
            let permitted = call.permitted(Permission::Remove)?;
            let (caller, request, _) = permitted.read::<RemoveMetadata>()?;
            let response = iti62::answer(registry, (&caller, &parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<RemoveMetadata>(&it)))
        }
        RecordAdded::ACTION => announced(registry, call, Interaction::RecordAdded).await,
        RecordRevised::ACTION => announced(registry, call, Interaction::RecordRevised).await,
        DuplicatesResolved::ACTION => {
            announced(registry, call, Interaction::DuplicatesResolved).await
        }
        PixV3Query::ACTION
        | PatientDemographicsQuery::ACTION
        | Continue::ACTION
        | Cancel::ACTION
            if registry.config.demographics =>
        {
            answer_about_patients(registry, call, &parties).await
        }
        _ => answer_subscriber(registry, call, &parties).await,
    }
}

/// The same for who patients are (PIXV3, PDQV3), if the registry keeps what feeds say of them.
async fn answer_about_patients(
    registry: &Registry,
    call: Call,
    parties: &Parties,
) -> Result<Recorded<Reply>, Fault> {
    let now = SystemTime::now();
    may(registry, call.caller(), Permission::Patients, now)?;
    match call.action() {
        PixV3Query::ACTION => {
            let permitted = call.permitted(Permission::Patients)?;
            let (_, request, _) = permitted.read::<PixV3Query>()?;
            let response = iti45::answer(registry, parties, request, now).await?;
            Ok(response.map(|it| Reply::of::<PixV3Query>(&it)))
        }
        PatientDemographicsQuery::ACTION => {
            let permitted = call.permitted(Permission::Patients)?;
            let (caller, request, _) = permitted.read::<PatientDemographicsQuery>()?;
            let response = iti47::answer(registry, (&caller, parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<PatientDemographicsQuery>(&it)))
        }
        Continue::ACTION => {
            let permitted = call.permitted(Permission::Patients)?;
            let (caller, request, _) = permitted.read::<Continue>()?;
            let response = iti47::go_on(registry, (&caller, parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<Continue>(&it)))
        }
        Cancel::ACTION => {
            let permitted = call.permitted(Permission::Patients)?;
            let (caller, request, _) = permitted.read::<Cancel>()?;
            let response = iti47::cancel(registry, (&caller, parties), request, now).await?;
            Ok(response.map(|it| Reply::of::<Cancel>(&it)))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// The same for document metadata subscription (DSUB). Subscriptions and pull points have addresses
/// of their own, which say which of them is meant.
async fn answer_subscriber(
    registry: &Registry,
    call: Call,
    parties: &Parties,
) -> Result<Recorded<Reply>, Fault> {
    let now = SystemTime::now();
    let endpoint = call.endpoint().to_owned();
    match call.action() {
        DocumentMetadataSubscribe::ACTION => {
            admitted(registry, &call, Permission::Subscribe, now)?;
            let permitted = call.permitted(Permission::Subscribe)?;
            let (caller, request, _) = permitted.read::<DocumentMetadataSubscribe>()?;
            let who = (&caller, parties);
            let answer = iti52::subscribe(registry, who, &endpoint, request, now).await?;
            Ok(answer.map(reply::<DocumentMetadataSubscribe>))
        }
        DocumentMetadataUnsubscribe::ACTION => {
            let to = call.header().to.clone();
            let permitted = call.permitted(Permission::Subscribe)?;
            permitted.read::<DocumentMetadataUnsubscribe>()?;
            let answer = iti52::unsubscribe(registry, parties, &endpoint, to, now).await?;
            Ok(answer.map(reply::<DocumentMetadataUnsubscribe>))
        }
        DocumentMetadataNotify::ACTION if place::pull_point_in(&endpoint).is_some() => {
            let permitted = call.permitted(Permission::Subscribe)?;
            let (_, notify, _) = permitted.read::<DocumentMetadataNotify>()?;
            let taken = iti53::receive(registry, parties, &endpoint, notify, now).await?;
            Ok(taken.map(accepted))
        }
        DocumentMetadataPublish::ACTION => {
            admitted(registry, &call, Permission::Register, now)?;
            let permitted = call.permitted(Permission::Register)?;
            let (caller, notify, _) = permitted.read::<DocumentMetadataPublish>()?;
            let taken = iti54::receive(registry, (&caller, parties), notify, now).await?;
            Ok(taken.map(accepted))
        }
        CreatePullPoint::ACTION => {
            admitted(registry, &call, Permission::Subscribe, now)?;
            let permitted = call.permitted(Permission::Subscribe)?;
            permitted.read::<CreatePullPoint>()?;
            let answer = iti69::create(registry, parties, &endpoint, now).await?;
            Ok(answer.map(reply::<CreatePullPoint>))
        }
        DestroyPullPoint::ACTION => {
            let permitted = call.permitted(Permission::Subscribe)?;
            permitted.read::<DestroyPullPoint>()?;
            let answer = iti69::destroy(registry, parties, &endpoint, now).await?;
            Ok(answer.map(reply::<DestroyPullPoint>))
        }
        PullNotification::ACTION => {
            let permitted = call.permitted(Permission::Subscribe)?;
            let (caller, request, _) = permitted.read::<PullNotification>()?;
            let who = (&caller, parties);
            let answer = iti70::answer(registry, who, &endpoint, request, now).await?;
            Ok(answer.map(|answer| match answer {
                Ok(body) => Reply::soap::<PullNotification>(body),
                Err(fault) => Reply::fault(&fault),
            }))
        }
        unknown => Err(Fault::action_not_supported(unknown)),
    }
}

/// Whether the rules let whoever calls do anything of this kind here, whatever it is about.
fn admitted(
    registry: &Registry,
    call: &Call,
    permission: Permission,
    now: SystemTime,
) -> Result<(), Fault> {
    let access = &registry.config.access;
    access.admits(call.caller(), permission, now)
}

/// The three actions of ITI-44 have one form of message.
async fn announced(
    registry: &Registry,
    call: Call,
    expected: Interaction,
) -> Result<Recorded<Reply>, Fault> {
    let parties = Parties::answered(call.caller(), call.endpoint());
    may(
        registry,
        call.caller(),
        Permission::Announce,
        SystemTime::now(),
    )?;
    let permitted = call.permitted(Permission::Announce)?;
    let (caller, request, _): (_, PatientRecordMessage, _) = permitted.read::<RecordAdded>()?;
    let (who, now) = ((&caller, &parties), SystemTime::now());
    let response = iti44::answer(registry, who, expected, &request, now).await?;
    Ok(response.map(|it| Reply::of::<RecordAdded>(&it)))
}

/// A response, or the fault that was recorded in its place.
fn reply<T: Transaction>(answer: Result<T::Response, Fault>) -> Reply {
    match answer {
        Ok(response) => Reply::of::<T>(&response),
        Err(fault) => Reply::fault(&fault),
    }
}

/// The same for what has no response.
fn accepted(taken: Result<(), Fault>) -> Reply {
    match taken {
        Ok(()) => Reply::accepted(),
        Err(fault) => Reply::fault(&fault),
    }
}

/// The subscriptions, for those who run the system. They say nothing of patients, so that it is not
/// recorded who looked at them; who may not is.
async fn list(registry: &Registry, get: &Get) -> Reply {
    if let Err(refused) = may_administer(registry, &get.caller) {
        let fault = Fault::not_permitted(refused.clone());
        let alert = Event::refused(&get.caller, &fault);
        let reply = Reply::plain(403, "text/plain; charset=UTF-8", format!("{refused}\n"));
        return registry.audit.refuse(alert, reply).await;
    }
    match listing::list(registry, get.query.as_deref()).await {
        Ok(json) => Reply::plain(200, "application/json", json),
        Err(failure) => {
            let reason = format!("{}\n", iti52::incident(failure));
            Reply::plain(500, "text/plain; charset=UTF-8", reason)
        }
    }
}

/// With rules, one of them has to name it.
fn may_administer(registry: &Registry, caller: &Caller) -> Result<(), String> {
    let may = caller.may(Permission::Administer);
    may.map_err(|refused| refused.to_string())?;
    let access = &registry.config.access;
    let granted = access.grant(caller, Permission::Administer, SystemTime::now());
    granted.map_err(|refused| refused.to_string())
}

/// The WSDL and its schemas: nothing of anybody, so it is not recorded.
fn describe(get: &Get) -> Reply {
    let query = get.query.as_deref().unwrap_or_default();
    Reply::description(wsdl::find(Service::Registry, query, &get.endpoint))
}
