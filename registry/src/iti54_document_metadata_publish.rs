//! ITI-54 Document Metadata Publish: hear from others what happened, and tell those who want to
//! know.
//!
//! Sent by Document Metadata Publishers, one way; taken here as by the Document Metadata
//! Notification Broker. What is registered here needs no publisher.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-54.html>

use std::time::SystemTime;

use hilum_audit::{Event, Notified, Parties, Recorded};
use hilum_security::Caller;
use hilum_security::access::Described;
use xds_schemas::codes::ebrim_uuids::{folder, submission_set};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::iti52_document_metadata_subscribe::Topic;
use xds_schemas::iti53_document_metadata_notify::Notify;
use xds_schemas::metadata::{DocumentEntry, Folder, SubmissionSet};
use xds_schemas::soap::Fault;
use xds_schemas::wsn::{Message, NotificationMessage};

use crate::admission;
use crate::db::registry_objects::{Row, Status};
use crate::iti52_document_metadata_subscribe::{incident, outcome};
use crate::iti53_document_metadata_notify::{notified, objects};
use crate::sight;
use crate::submission::rows;
use crate::subscriptions::{self, Change, Happened};
use crate::{Registry, seconds};

/// Takes what was published (ITI TF-2 3.54.4.1.3) and records it.
pub(crate) async fn receive(
    registry: &Registry,
    (caller, parties): (&Caller, &Parties),
    notify: Notify,
    now: SystemTime,
) -> Result<Recorded<Result<(), Fault>>, Fault> {
    let objects = notify.messages.first().map(objects).unwrap_or_default();
    let told: Vec<Notified> = objects.iter().filter_map(notified).collect();
    let mut alerts = None;
    let published = match Published::read(&notify) {
        Ok(published) => {
            let patient = published.patient_id.clone();
            let what = (patient.clone(), published.documents());
            alerts = admission::of_documents(registry, caller, what, now).await?;
            let told = tell(registry, published, now).await;
            told.map(|()| patient)
        }
        Err(problem) => Err(Fault::sender(problem)),
    };
    let patient = published.as_ref().ok().cloned().flatten();
    let event = Event::published(parties, patient.as_deref(), &told, &outcome(&published));
    let event = alerts.into_iter().fold(event, Event::and);
    Ok(registry.audit.record(event, published.map(drop)).await?)
}

async fn tell(registry: &Registry, published: Published, now: SystemTime) -> Result<(), Fault> {
    let now = i64::try_from(seconds(now)).unwrap_or(i64::MAX);
    let work = move |conn: &mut _| {
        let happened: Vec<Happened<'_>> = published.happened().collect();
        subscriptions::tell(conn, published.patient_id.as_deref(), &happened, now)
    };
    match registry.db.write(work).await {
        Ok(notifications) => {
            registry.deliveries.hurry(notifications);
            Ok(())
        }
        Err(failure) => Err(Fault::receiver(incident(failure))),
    }
}

/// What was published.
#[derive(Debug)]
struct Published {
    change: Change,
    patient_id: Option<String>,
    objects: Vec<(Row, String, Option<String>)>,
}

impl Published {
    /// Reads one notification with its producer and its objects (3.54.4.1.2).
    fn read(notify: &Notify) -> Result<Self, String> {
        let [notification] = &notify.messages[..] else {
            return Err("one wsnt:NotificationMessage is published at a time".to_owned());
        };
        let NotificationMessage { about, message } = notification;
        if about.producer.as_deref().is_none_or(str::is_empty) {
            return Err("wsnt:ProducerReference is missing".to_owned());
        }
        if matches!(message, Message::Other(_)) {
            return Err("wsnt:Message must hold an lcm:SubmitObjectsRequest".to_owned());
        }
        let change = match &about.topic {
            None => Change::Registered,
            Some(topic) => Topic::parse_event(&topic.text)
                .map(|(_, change)| change)
                .ok_or("wsnt:Topic is not one of document metadata subscription")?,
        };
        let mut published = Self {
            change,
            patient_id: None,
            objects: Vec::new(),
        };
        for object in &objects(notification) {
            published.add(object)?;
        }
        match published.objects.is_empty() {
            true => Err("nothing is published: there is no object that is known here".to_owned()),
            false => Ok(published),
        }
    }

    /// Objects of one message belong to one patient; others are passed over.
    fn add(&mut self, object: &RegistryObject) -> Result<(), String> {
        let Some((mut row, patient_id)) = read(object) else {
            return Ok(());
        };
        let deprecated = AvailabilityStatus::Deprecated.as_str();
        if object.status.as_deref() == Some(deprecated) {
            row.status = Status::Deprecated;
        }
        match (&self.patient_id, patient_id) {
            (Some(known), Some(other)) if *known != other => {
                return Err("the objects belong to several patients".to_owned());
            }
            (None, Some(patient_id)) => self.patient_id = Some(patient_id),
            _ => {}
        }
        let home = object.home.clone();
        self.objects.push((row, rows::ebrim(object), home));
        Ok(())
    }

    /// The documents among it, as rules look at them.
    fn documents(&self) -> Vec<Described> {
        let rows = self.objects.iter().map(|(row, ..)| row);
        let documents = rows.filter(|row| row.kind.is_document_entry());
        let described = |row: &Row| sight::described(row, row.origin.as_deref());
        documents.map(described).collect()
    }

    fn happened(&self) -> impl Iterator<Item = Happened<'_>> {
        self.objects.iter().map(|(row, ebrim, home)| Happened {
            change: self.change,
            row,
            ebrim,
            home: home.as_deref(),
        })
    }
}

/// The row of an object that one can subscribe to, and its patient.
fn read(object: &RegistryObject) -> Option<(Row, Option<String>)> {
    match object.body {
        Body::ExtrinsicObject { .. } => {
            let entry = DocumentEntry::from_ebrim(object).ok()?;
            let patient_id = entry.patient_id.as_ref().map(ToString::to_string);
            Some((rows::of_document_entry(&entry), patient_id))
        }
        Body::RegistryPackage if object.is_classified_as(submission_set::NODE) => {
            let set = SubmissionSet::from_ebrim(object).ok()?;
            let patient_id = set.patient_id.as_ref().map(ToString::to_string);
            Some((rows::of_submission_set(&set), patient_id))
        }
        Body::RegistryPackage if object.is_classified_as(folder::NODE) => {
            let folder = Folder::from_ebrim(object).ok()?;
            let patient_id = folder.patient_id.as_ref().map(ToString::to_string);
            Some((rows::of_folder(&folder), patient_id))
        }
        _ => None,
    }
}
