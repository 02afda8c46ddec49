//! What others tell a pull point, and what is read of it.

use std::time::SystemTime;

use hilum_audit::{Event, Notified, NotifiedKind, Parties};
use xds_schemas::codes::ebrim_uuids::{document_entry, folder, object_type, submission_set};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::iti53_document_metadata_notify::Notify;
use xds_schemas::soap::Fault;
use xds_schemas::wsn::{FaultKind, Message, NotificationMessage};
use xds_schemas::xml::{ToXml, Writer};

use crate::db::notifications::NewNotification;
use crate::db::pull_points;
use crate::iti52_document_metadata_subscribe::{Answered, incident, outcome};
use crate::subscriptions::{keep, place, record, telling};
use crate::{Registry, seconds};

/// Takes a notification for a pull point (Extensions to the Document Metadata Subscription
/// profile, 3.53.4.1.3) and records it.
pub(crate) async fn receive(
    registry: &Registry,
    parties: &Parties,
    endpoint: &str,
    notify: Notify,
    now: SystemTime,
) -> Answered<()> {
    let now = seconds(now);
    let all: Vec<RegistryObject> = notify.messages.iter().flat_map(objects).collect();
    let told: Vec<Notified> = all.iter().filter_map(notified).collect();
    let patient = all.iter().find_map(patient_of).map(str::to_owned);
    let reference = place::pull_point_in(endpoint)
        .unwrap_or_default()
        .to_owned();
    let created = i64::try_from(now).unwrap_or(i64::MAX);
    let messages: Vec<NewNotification> = notify
        .messages
        .iter()
        .map(|message| received(message, created))
        .collect();
    let work = move |conn: &mut _| {
        let Some(pull_point) = pull_points::find(conn, &reference)? else {
            return Ok(false);
        };
        for message in &messages {
            let pull_point = Some(pull_point.number);
            let message = message.clone();
            keep(
                conn,
                &NewNotification {
                    pull_point,
                    ..message
                },
            )?;
        }
        Ok(true)
    };
    let kept = match registry.db.write(work).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(FaultKind::ResourceUnknown.at(now, "there is no such pull point")),
        Err(failure) => Err(Fault::receiver(incident(failure))),
    };
    let event = Event::notified(parties, patient.as_deref(), &told, &outcome(&kept));
    registry.audit.record(event, kept).await
}

fn received(message: &NotificationMessage, created: i64) -> NewNotification {
    let objects = objects(message);
    let mut writer = Writer::with_capacity(8 * 1024);
    message.to_xml(&mut writer);
    NewNotification {
        subscription: 0,
        pull_point: None,
        patient_id: objects.iter().find_map(patient_of).map(str::to_owned),
        objects: record::list(objects.iter().filter_map(notified)),
        message: writer.finish(),
        created,
        described: Some(telling::basis_of_received(&objects)),
    }
}

/// The objects of a notification, with the classifications that stand beside them put into them.
pub(crate) fn objects(message: &NotificationMessage) -> Vec<RegistryObject> {
    let Message::Objects(request) = &message.message else {
        return Vec::new();
    };
    let mut objects = request.objects.objects.clone();
    for loose in &request.objects.loose_classifications {
        let of_it = |object: &&mut RegistryObject| object.id == loose.classified_object;
        if let Some(object) = objects.iter_mut().find(of_it) {
            object.classifications.push(loose.clone());
        }
    }
    objects
}

/// What is recorded of an object; nothing of associations.
pub(crate) fn notified(object: &RegistryObject) -> Option<Notified> {
    let kind = match &object.body {
        Body::ExtrinsicObject { .. } => match object.object_type.as_deref() {
            Some(object_type::ON_DEMAND) => NotifiedKind::OnDemand,
            _ => NotifiedKind::Stable,
        },
        Body::RegistryPackage if object.is_classified_as(folder::NODE) => NotifiedKind::Folder,
        Body::RegistryPackage => NotifiedKind::SubmissionSet,
        Body::ObjectRef => NotifiedKind::Reference,
        Body::Association { .. } => return None,
    };
    Some(Notified {
        kind,
        entry_uuid: object.id.clone(),
        home_community_id: object.home.clone(),
    })
}

fn patient_of(object: &RegistryObject) -> Option<&str> {
    [
        document_entry::PATIENT_ID,
        submission_set::PATIENT_ID,
        folder::PATIENT_ID,
    ]
    .into_iter()
    .find_map(|scheme| object.external_identifier(scheme))
}
