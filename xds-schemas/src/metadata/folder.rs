//! Folder: documents that somebody put together for a purpose (ITI TF-3 4.2.3.4).

use super::judge::{Concern, Judge};
use super::reading::Reading;
use super::writing::Writing;
use super::{Code, EntryUuid, Extra, HomeCommunityId, PatientId, Timestamp, UniqueId, formats};
use crate::codes::ebrim_uuids::folder as scheme;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{
    self, Body, Classification, ExternalIdentifier, InternationalString, RegistryObject,
};
use crate::ebrs::RegistryError;

/// A named group of documents of one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// `entryUUID`, symbolic in a submission.
    pub entry_uuid: EntryUuid,
    /// `logicalID`.
    pub logical_id: Option<EntryUuid>,
    /// `version`.
    pub version: Option<String>,
    /// `homeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `availabilityStatus`.
    pub availability_status: Option<AvailabilityStatus>,
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `codeList`.
    pub codes: Vec<Code>,
    /// `lastUpdateTime`: the registry sets it.
    pub last_update_time: Option<Timestamp>,
    /// `patientId`.
    pub patient_id: Option<PatientId>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}

impl Folder {
    /// A folder with nothing but what every one has.
    pub fn new(
        entry_uuid: impl Into<EntryUuid>,
        unique_id: impl Into<UniqueId>,
        title: impl Into<String>,
    ) -> Self {
        Self {
            entry_uuid: entry_uuid.into(),
            logical_id: None,
            version: None,
            home_community_id: None,
            availability_status: None,
            title: Some(InternationalString::of(title)),
            comments: None,
            codes: Vec::new(),
            last_update_time: None,
            patient_id: None,
            unique_id: unique_id.into(),
            limited_metadata: false,
            extra: Extra::default(),
        }
    }

    /// Reads a folder of an answer. Attributes that cannot be read stay in [`Extra`].
    ///
    /// # Errors
    /// If it is no registry package.
    pub fn from_ebrim(object: &RegistryObject) -> Result<Self, Vec<RegistryError>> {
        let mut judge = Judge::lenient();
        Self::read(object, &mut judge).ok_or(judge.offences)
    }

    /// Reads a folder; the judge hears what offends. That the package is one was seen before.
    /// None if it is no package at all.
    pub(super) fn read(object: &RegistryObject, judge: &mut Judge) -> Option<Self> {
        let mut reading = Reading::new("Folder", object, judge);
        if !reading.is_package(object) {
            return None;
        }
        let (entry_uuid, logical_id) = reading.versioned(object);
        let mut folder = Self {
            logical_id,
            version: object.version.clone(),
            home_community_id: Reading::home(object),
            availability_status: Reading::status(object),
            title: object.name.clone(),
            comments: object.description.clone(),
            ..Self::new(entry_uuid, "", "")
        };
        for slot in &object.slots {
            match slot.name.as_str() {
                "lastUpdateTime" => {
                    let target = &mut folder.last_update_time;
                    reading.typed(Concern::Registry, slot, target, formats::to_the_second);
                }
                _ => reading.unclaimed(slot),
            }
        }
        for classification in &object.classifications {
            folder.take_classification(classification, &mut reading);
        }
        folder.take_identifiers(&object.external_identifiers, &mut reading);
        // ITI TF-3 4.3.1: what a folder must have when it is registered.
        let title = folder.title.as_ref().and_then(InternationalString::first);
        reading.require(
            Concern::Registry,
            "title",
            title.is_some_and(|title| !title.is_empty()),
        );
        reading.require(Concern::Registry, "codeList", !folder.codes.is_empty());
        reading.require(Concern::Registry, "patientId", folder.patient_id.is_some());
        folder.extra = reading.extra;
        Some(folder)
    }

    fn take_classification(&mut self, classification: &Classification, reading: &mut Reading<'_>) {
        let c = classification;
        match c
            .scheme
            .as_deref()
            .or(c.node.as_deref())
            .unwrap_or_default()
        {
            scheme::NODE => reading.classification_is_sound("Folder", c),
            scheme::CODE_LIST => reading.codes("codeList", c, &mut self.codes),
            scheme::LIMITED_METADATA => reading.limited_metadata(c, &mut self.limited_metadata),
            _ => reading.unclaimed_classification(c),
        }
    }

    fn take_identifiers(&mut self, identifiers: &[ExternalIdentifier], reading: &mut Reading<'_>) {
        let oid = |text: &str| formats::oid(text).map(|()| UniqueId::from(text));
        let mut unique_id = None;
        for it in identifiers {
            match it.scheme.as_str() {
                scheme::PATIENT_ID => {
                    reading.identifier(
                        Concern::Registry,
                        "patientId",
                        it,
                        &mut self.patient_id,
                        PatientId::parse,
                    );
                }
                scheme::UNIQUE_ID => {
                    reading.identifier(Concern::Registry, "uniqueId", it, &mut unique_id, oid)
                }
                _ => reading.unclaimed_identifier(it),
            }
        }
        reading.require(Concern::Registry, "uniqueId", unique_id.is_some());
        self.unique_id = unique_id.unwrap_or_else(|| UniqueId::from(""));
    }

    /// The folder as it travels.
    pub fn to_ebrim(&self) -> RegistryObject {
        let mut it = Writing::new(
            &self.entry_uuid,
            ebrim::REGISTRY_PACKAGE,
            Body::RegistryPackage,
        );
        it.common(
            self.logical_id.as_ref(),
            self.home_community_id.as_ref(),
            self.availability_status,
        );
        it.version(self.version.as_ref());
        it.texts(self.title.as_ref(), self.comments.as_ref());
        it.slot("lastUpdateTime", self.last_update_time.as_ref());
        it.node(scheme::NODE);
        it.codes(scheme::CODE_LIST, &self.codes);
        if self.limited_metadata {
            it.node(scheme::LIMITED_METADATA);
        }
        let patient_id = self.patient_id.as_ref();
        it.identifier(
            scheme::PATIENT_ID,
            "XDSFolder.patientId",
            patient_id,
            &self.extra,
        );
        let unique_id = Some(&self.unique_id);
        it.identifier(
            scheme::UNIQUE_ID,
            "XDSFolder.uniqueId",
            unique_id,
            &self.extra,
        );
        it.finish(&self.extra)
    }
}
