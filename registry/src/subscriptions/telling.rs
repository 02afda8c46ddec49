//! What of a notification its subscriber may be told, decided when it is sent.
//!
//! What is registered is decided as for a query. Of what is not registered here (any more), document
//! entries are decided by what was known of them when it happened; whatever else is told only to those
//! who may have everything.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_security::access::{Described, Level, Policy};
use hilum_security::{Caller, Permission};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::metadata::{DocumentEntry, HomeCommunityId};
use xds_schemas::wsn::{Message, NotificationMessage};
use xds_schemas::xml::{FromXml, Reader, ToXml, Writer};

use super::{Happened, record, subscriber};
use crate::db::notifications::Notification;
use crate::db::registry_objects::{self, Row, Wanted};
use crate::db::{Connection, entry_uuids};
use crate::failure::Failure;
use crate::sight::{self, Sight};

/// What a notification is decided by, kept beside it as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Basis {
    /// Who subscribed; nobody, if it came from elsewhere.
    subscriber: Option<String>,
    /// Whether it names objects and says nothing of them.
    minimal: bool,
    /// Documents by their entryUUIDs.
    documents: Vec<(String, Document)>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Document {
    patient_id: Option<String>,
    unique_id: Option<String>,
    confidentiality_codes: Vec<String>,
    class_code: Option<String>,
    type_code: Option<String>,
    format_code: Option<String>,
    practice_setting_code: Option<String>,
    healthcare_facility_type_code: Option<String>,
    author_institutions: Vec<String>,
    home_community_id: Option<String>,
}

impl Document {
    fn of(described: Described) -> Self {
        Self {
            patient_id: described.patient_id,
            unique_id: described.unique_id,
            confidentiality_codes: described.confidentiality_codes,
            class_code: described.class_code,
            type_code: described.type_code,
            format_code: described.format_code,
            practice_setting_code: described.practice_setting_code,
            healthcare_facility_type_code: described.healthcare_facility_type_code,
            author_institutions: described.author_institutions,
            home_community_id: described.home_community_id,
        }
    }

    fn described(&self) -> Described {
        let Self {
            patient_id,
            unique_id,
            confidentiality_codes,
            class_code,
            type_code,
            format_code,
            practice_setting_code,
            healthcare_facility_type_code,
            author_institutions,
            home_community_id,
        } = self.clone();
        Described {
            patient_id,
            unique_id,
            confidentiality_codes,
            class_code,
            type_code,
            format_code,
            practice_setting_code,
            healthcare_facility_type_code,
            author_institutions,
            home_community_id,
            ..Described::default()
        }
    }
}

/// What a notification for a subscriber is decided by.
pub(super) fn basis(
    subscriber: Option<&str>,
    minimal: bool,
    patient_id: Option<&str>,
    objects: &[Happened<'_>],
) -> String {
    let documents = objects.iter().filter(|it| it.row.kind.is_document_entry());
    let documents = documents.map(|it| {
        let document = document(it.row, patient_id, it.home);
        (it.row.entry_uuid.clone(), document)
    });
    written(&Basis {
        // Without one, a puller would be taken for the subscriber.
        subscriber: Some(subscriber.unwrap_or_default().to_owned()),
        minimal,
        documents: documents.collect(),
    })
}

/// The same for what another broker tells.
pub(crate) fn basis_of_received(objects: &[RegistryObject]) -> String {
    let document = |object: &RegistryObject| {
        let entry = match object.body {
            Body::ExtrinsicObject { .. } => DocumentEntry::from_ebrim(object).ok()?,
            _ => return None,
        };
        Some((object.id.clone(), Document::of(Described::of(&entry))))
    };
    written(&Basis {
        subscriber: None,
        minimal: objects.iter().all(|it| matches!(it.body, Body::ObjectRef)),
        documents: objects.iter().filter_map(document).collect(),
    })
}

fn document(row: &Row, patient_id: Option<&str>, home: Option<&str>) -> Document {
    Document {
        patient_id: patient_id.map(str::to_owned),
        home_community_id: home.map(str::to_owned),
        ..Document::of(sight::described(row, row.origin.as_deref()))
    }
}

fn written(basis: &Basis) -> String {
    serde_json::to_string(basis).unwrap_or_default()
}

/// For whom and when something is decided.
pub(crate) struct Teller<'a> {
    pub(crate) policy: Arc<Policy>,
    /// Who comes for it, if somebody does.
    pub(crate) puller: Option<&'a Caller>,
    pub(crate) home: &'a HomeCommunityId,
    pub(crate) now: SystemTime,
}

impl Teller<'_> {
    /// As much of a notification as may be told; nothing if that is nothing.
    pub(crate) fn tellable(
        &self,
        conn: &mut Connection,
        notification: Notification,
    ) -> Result<Option<Notification>, Failure> {
        let kept = notification.described.as_deref();
        let basis = kept.and_then(|kept| serde_json::from_str::<Basis>(kept).ok());
        let basis = basis.unwrap_or_default();
        let Some(sight) = self.sight(&basis) else {
            return Ok(Some(notification));
        };
        let told = record::notified(&notification.objects);
        let mut seen = HashSet::with_capacity(told.len());
        for object in &told {
            if is_seen(conn, &sight, &basis, &object.entry_uuid)? {
                seen.insert(object.entry_uuid.clone());
            }
        }
        if seen.len() == told.len() {
            return Ok(Some(notification));
        }
        if seen.is_empty() {
            return Ok(None);
        }
        let objects = told.into_iter();
        let objects = objects.filter(|it| seen.contains(&it.entry_uuid));
        let objects = record::list(objects);
        let message = only(&notification.message, &seen);
        Ok(message.map(|message| Notification {
            objects,
            message,
            ..notification
        }))
    }

    fn sight(&self, basis: &Basis) -> Option<Sight> {
        let kept = basis.subscriber.as_deref();
        let caller = match (kept, self.puller) {
            (None, Some(puller)) => puller.clone(),
            _ => subscriber::read(kept),
        };
        let level = match basis.minimal {
            true => Level::Existence,
            false => Level::Metadata,
        };
        let policy = Arc::clone(&self.policy);
        let permission = Permission::Subscribe;
        Sight::by(policy, &caller, permission, level, self.now, self.home)
            .map(Sight::without_emergencies)
    }
}

fn is_seen(
    conn: &mut Connection,
    sight: &Sight,
    basis: &Basis,
    entry_uuid: &str,
) -> Result<bool, Failure> {
    if let Ok(uuid) = Uuid::parse_str(entry_uuid) {
        let keys = entry_uuids::find(conn, &[uuid])?;
        let found = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
        if let Some(found) = found.first() {
            return sight.sees(conn, &found.row);
        }
    }
    let mut documents = basis.documents.iter();
    match documents.find(|(uuid, _)| uuid == entry_uuid) {
        Some((_, document)) => {
            sight.allows(conn, document.patient_id.as_deref(), &document.described())
        }
        None => Ok(false),
    }
}

/// A message with nothing but these of its objects, and associations between them. Nothing if it
/// cannot be read: then nothing is told.
fn only(message: &str, seen: &HashSet<String>) -> Option<String> {
    let read = || {
        let mut reader = Reader::new(message.as_bytes())?;
        let root = reader.root()?;
        NotificationMessage::from_xml(&mut reader, &root)
    };
    let mut read = read().ok()?;
    let Message::Objects(request) = &mut read.message else {
        return None;
    };
    let list = &mut request.objects;
    list.objects.retain(|object| match &object.body {
        Body::Association { source, target, .. } => seen.contains(source) && seen.contains(target),
        _ => seen.contains(&object.id),
    });
    let loose = &mut list.loose_classifications;
    loose.retain(|it| seen.contains(&it.classified_object));
    let mut writer = Writer::with_capacity(message.len());
    read.to_xml(&mut writer);
    Some(writer.finish())
}
