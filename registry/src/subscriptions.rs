//! Subscriptions meet what happens: what is to be told is found and kept in the transaction in
//! which it happens, so that nothing is told that did not happen, and nothing is forgotten.
//!
//! If nobody has subscribed, this costs one look into an index.

pub(crate) mod listing;
pub(crate) mod place;
pub(crate) mod record;
pub(crate) mod subscriber;
pub(crate) mod telling;

use hilum_audit::{Notified, NotifiedKind};
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::iti52_document_metadata_subscribe::topic::Subject;
use xds_schemas::iti52_document_metadata_subscribe::{AdhocQuery, SubscriptionFilter, Topic};
use xds_schemas::wsn::{About, TopicExpression};
use xds_schemas::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

use crate::db::notifications::{self, NewNotification};
use crate::db::registry_objects::{Found, Kind, Row};
use crate::db::subscriptions::{self, Interested};
use crate::db::{Connection, pull_points};
use crate::failure::Failure;
use crate::stored_queries::{self, survivors};

pub(crate) use xds_schemas::iti52_document_metadata_subscribe::Change;

/// The slot of a submission set that ITI-18 does not ask for.
const INTENDED_RECIPIENT: &str = "intendedRecipient";

/// Something that happened to an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Happened<'a> {
    /// What.
    pub(crate) change: Change,
    /// To what.
    pub(crate) row: &'a Row,
    /// The object as it is answered.
    pub(crate) ebrim: &'a str,
    /// The community it belongs to.
    pub(crate) home: Option<&'a str>,
}

impl<'a> Happened<'a> {
    /// An object is new.
    pub(crate) const fn registered(row: &'a Row, ebrim: &'a str, home: Option<&'a str>) -> Self {
        Self {
            change: Change::Registered,
            row,
            ebrim,
            home,
        }
    }

    const fn subject(&self) -> Option<Subject> {
        match self.row.kind {
            Kind::Stable | Kind::OnDemand => Some(Subject::DocumentEntry),
            Kind::SubmissionSet => Some(Subject::SubmissionSet),
            Kind::Folder => Some(Subject::Folder),
            Kind::Association => None,
        }
    }

    /// Whether a topic tells of such things at all.
    fn concerns(&self, topic: Topic) -> bool {
        self.subject() == Some(topic.subject()) && topic.told(self.change).is_some()
    }

    const fn kind(&self) -> NotifiedKind {
        match self.row.kind {
            Kind::Stable => NotifiedKind::Stable,
            Kind::OnDemand => NotifiedKind::OnDemand,
            Kind::Folder => NotifiedKind::Folder,
            Kind::SubmissionSet => NotifiedKind::SubmissionSet,
            Kind::Association => NotifiedKind::Reference,
        }
    }
}

/// Something that happened to an object that was registered before: the object as it is now.
#[derive(Debug)]
pub(crate) struct Changed(pub(crate) Change, pub(crate) Found);

impl Changed {
    /// What happened.
    pub(crate) fn happened<'a>(&'a self, home: Option<&'a str>) -> Happened<'a> {
        let Self(change, found) = self;
        Happened {
            change: *change,
            row: &found.row,
            ebrim: &found.ebrim,
            home,
        }
    }
}

/// Lets what changed show the patient that it is of now, as queries do.
pub(crate) fn show_survivors(
    conn: &mut Connection,
    changed: &mut [Changed],
) -> Result<(), Failure> {
    survivors::show(conn, changed.iter_mut().map(|changed| &mut changed.1))
}

/// Finds who is to be told of what happened to objects of a patient, and keeps what is to be said
/// (ITI TF-2 3.52.5.2). Gives how many notifications that are. The caller's transaction is that in
/// which it happens; `now` is in seconds since 1970.
pub(crate) fn tell(
    conn: &mut Connection,
    patient_id: Option<&str>,
    happened: &[Happened<'_>],
    now: i64,
) -> Result<usize, Failure> {
    if happened.is_empty() {
        return Ok(0);
    }
    let mut told = 0;
    for subscription in subscriptions::interested(conn, patient_id, now)? {
        // Most of the work is to read the filter, so the topic comes first.
        let topic = Topic::parse(&subscription.topic);
        let concerned = |topic| happened.iter().any(|it| it.concerns(topic));
        if !topic.is_none_or(concerned) {
            continue;
        }
        let Some((topic, filter)) = understood(&subscription) else {
            let number = subscription.number;
            tracing::warn!(number, "a subscription cannot be read");
            continue;
        };
        for (name, objects) in matching(topic, &filter, happened) {
            let notification = NewNotification {
                subscription: subscription.number,
                pull_point: subscription.pull_point,
                patient_id: patient_id.map(str::to_owned),
                objects: listed(&objects),
                message: written(&subscription, topic, name, &objects),
                created: now,
                described: Some(telling::basis(
                    subscription.subscriber.as_deref(),
                    topic.is_minimal(),
                    patient_id,
                    &objects,
                )),
            };
            keep(conn, &notification)?;
            told += 1;
        }
    }
    Ok(told)
}

/// Keeps a notification. A pull point that is full loses its oldest.
pub(crate) fn keep(conn: &mut Connection, notification: &NewNotification) -> Result<(), Failure> {
    notifications::insert(conn, notification)?;
    let Some(number) = notification.pull_point else {
        return Ok(());
    };
    let Some(pull_point) = pull_points::get(conn, number)? else {
        return Ok(());
    };
    let lost = notifications::trim(conn, number, pull_point.capacity)?;
    if lost > 0 {
        if pull_point.lost == 0 {
            tracing::warn!(
                number,
                "a pull point is full and loses its oldest notifications"
            );
        }
        pull_points::lost(conn, number, i64::try_from(lost).unwrap_or(i64::MAX))?;
    }
    Ok(())
}

/// Topic and filter of a subscription, as they were accepted.
fn understood(subscription: &Interested) -> Option<(Topic, SubscriptionFilter)> {
    let topic = Topic::parse(&subscription.topic)?;
    let query = read_filter(&subscription.filter).ok()?;
    let filter = SubscriptionFilter::read(topic, &query).ok()?;
    Some((topic, filter))
}

/// A filter as it is kept.
pub(crate) fn write_filter(query: &AdhocQuery) -> String {
    let mut writer = Writer::with_capacity(1024);
    query.to_xml(&mut writer);
    writer.finish()
}

fn read_filter(xml: &str) -> Result<AdhocQuery, XmlError> {
    with_rim(xml, AdhocQuery::from_xml)
}

/// Reads an element that was written with the prefix `rim` and without its declaration.
fn with_rim<T>(
    xml: &str,
    read: impl FnOnce(&mut Reader<'_>, &Element<'_>) -> Result<T, XmlError>,
) -> Result<T, XmlError> {
    let xml = format!("<x xmlns:rim=\"{}\">{xml}</x>", ns::RIM);
    let mut reader = Reader::new(xml.as_bytes())?;
    reader.root()?;
    let element = reader.child()?;
    let element = element.ok_or_else(|| reader.error("there is nothing"))?;
    read(&mut reader, &element)
}

/// What is to be told: topics, and the objects of each notification. Document entries of one
/// submission are told together; submission sets and folders one by one, as ITI TF-2 3.53.4.1.2
/// wants.
fn matching<'a>(
    topic: Topic,
    filter: &SubscriptionFilter,
    happened: &[Happened<'a>],
) -> Vec<(String, Vec<Happened<'a>>)> {
    let mut told: Vec<(String, Vec<Happened<'a>>)> = Vec::new();
    for one in happened {
        if !one.concerns(topic) || !accepts(filter, one) {
            continue;
        }
        let Some(name) = topic.told(one.change) else {
            continue;
        };
        let together = topic.subject() == Subject::DocumentEntry;
        match told
            .iter_mut()
            .find(|(other, _)| together && *other == name)
        {
            Some((_, objects)) => objects.push(*one),
            None => told.push((name, vec![*one])),
        }
    }
    told
}

/// Whether the query that the filter stands for would find the object.
fn accepts(filter: &SubscriptionFilter, happened: &Happened<'_>) -> bool {
    let Happened {
        change, row, ebrim, ..
    } = happened;
    // What is new and offline is not found by those who know nothing of versions.
    let is_seen = *change != Change::Registered || row.hidden == 0;
    is_seen
        && stored_queries::would_find(&filter.query, row)
        && (filter.folder_unique_ids.is_empty()
            || filter.folder_unique_ids.accepts(row.unique_id.as_deref()))
        && (filter.intended_recipients.is_empty()
            || filter
                .intended_recipients
                .accepts(intended_recipients(ebrim).iter().map(String::as_str)))
}

/// intendedRecipient has no column, because no query asks for it.
fn intended_recipients(ebrim: &str) -> Vec<String> {
    let object = with_rim(ebrim, RegistryObject::from_xml);
    let slots = object.map(|object| object.slots).unwrap_or_default();
    let recipients = slots
        .into_iter()
        .filter(|slot| slot.name == INTENDED_RECIPIENT);
    recipients.flat_map(|slot| slot.values).collect()
}

/// The `wsnt:NotificationMessage`.
fn written(
    subscription: &Interested,
    topic: Topic,
    name: String,
    objects: &[Happened<'_>],
) -> String {
    let about = About {
        subscription: Some(subscription.address.clone()),
        topic: Some(TopicExpression::simple(name)),
        producer: Some(place::registry_of(&subscription.address).to_owned()),
    };
    let bytes: usize = objects.iter().map(|object| object.ebrim.len()).sum();
    let mut writer = Writer::with_capacity(1024 + if topic.is_minimal() { 0 } else { bytes });
    about.write_around(&mut writer, |writer| {
        for object in objects {
            match topic.is_minimal() {
                true => {
                    writer
                        .open("rim:ObjectRef")
                        .attribute("id", &object.row.entry_uuid)
                        .optional("home", object.home)
                        .close("rim:ObjectRef");
                }
                false => _ = writer.raw(object.ebrim),
            }
        }
    });
    writer.finish()
}

/// The objects, as they are kept for the record.
fn listed(objects: &[Happened<'_>]) -> String {
    let notified = objects.iter().map(|object| Notified {
        kind: object.kind(),
        entry_uuid: object.row.entry_uuid.clone(),
        home_community_id: object.home.map(str::to_owned),
    });
    record::list(notified)
}
