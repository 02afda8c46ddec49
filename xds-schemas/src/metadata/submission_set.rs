//! SubmissionSet: what was submitted together, by whom and when (ITI TF-3 4.2.3.3).

use super::judge::{Concern, Judge};
use super::reading::Reading;
use super::writing::Writing;
use super::{
    Author, Code, EntryUuid, Extra, HomeCommunityId, PatientId, Timestamp, UniqueId, formats,
};
use crate::codes::ebrim_uuids::submission_set as scheme;
use crate::codes::status::AvailabilityStatus;
use crate::ebrim::{
    self, Body, Classification, ExternalIdentifier, InternationalString, RegistryObject,
};
use crate::ebrs::RegistryError;

/// The envelope of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionSet {
    /// `entryUUID`, symbolic in a submission.
    pub entry_uuid: EntryUuid,
    /// `logicalID`.
    pub logical_id: Option<EntryUuid>,
    /// `homeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `availabilityStatus`.
    pub availability_status: Option<AvailabilityStatus>,
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `author`.
    pub authors: Vec<Author>,
    /// `contentTypeCode`.
    pub content_type_code: Option<Code>,
    /// `intendedRecipient`: `XON|XCN|XTN`.
    pub intended_recipients: Vec<String>,
    /// `patientId`.
    pub patient_id: Option<PatientId>,
    /// `sourceId`: the OID of the sender.
    pub source_id: String,
    /// `submissionTime`.
    pub submission_time: Option<Timestamp>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}

impl SubmissionSet {
    /// A submission set with nothing but what every one has. `source_id` is the OID of the sender.
    pub fn new(
        entry_uuid: impl Into<EntryUuid>,
        unique_id: impl Into<UniqueId>,
        source_id: impl Into<String>,
    ) -> Self {
        Self {
            entry_uuid: entry_uuid.into(),
            logical_id: None,
            home_community_id: None,
            availability_status: None,
            title: None,
            comments: None,
            authors: Vec::new(),
            content_type_code: None,
            intended_recipients: Vec::new(),
            patient_id: None,
            source_id: source_id.into(),
            submission_time: None,
            unique_id: unique_id.into(),
            limited_metadata: false,
            extra: Extra::default(),
        }
    }

    /// Reads a submission set of an answer. Attributes that cannot be read stay in [`Extra`].
    ///
    /// # Errors
    /// If it is no registry package.
    pub fn from_ebrim(object: &RegistryObject) -> Result<Self, Vec<RegistryError>> {
        let mut judge = Judge::lenient();
        Self::read(object, &mut judge).ok_or(judge.offences)
    }

    /// Reads a submission set; the judge hears what offends. That the package is one was seen
    /// before. None if it is no package at all.
    pub(super) fn read(object: &RegistryObject, judge: &mut Judge) -> Option<Self> {
        let mut reading = Reading::new("SubmissionSet", object, judge);
        if !reading.is_package(object) {
            return None;
        }
        let (entry_uuid, logical_id) = reading.identities(object);
        let mut set = Self {
            logical_id,
            home_community_id: Reading::home(object),
            availability_status: Reading::status(object),
            title: object.name.clone(),
            comments: object.description.clone(),
            ..Self::new(entry_uuid, "", "")
        };
        for slot in &object.slots {
            match slot.name.as_str() {
                "submissionTime" => {
                    reading.typed(
                        Concern::Registry,
                        slot,
                        &mut set.submission_time,
                        Timestamp::parse,
                    );
                }
                "intendedRecipient" => {
                    reading.texts(
                        slot,
                        &mut set.intended_recipients,
                        formats::intended_recipient,
                    );
                }
                _ => reading.unclaimed(slot),
            }
        }
        for classification in &object.classifications {
            set.take_classification(classification, &mut reading);
        }
        set.take_identifiers(&object.external_identifiers, &mut reading);
        // ITI TF-3 4.3.1: what a submission set must have when it is registered.
        reading.require(
            Concern::Registry,
            "contentTypeCode",
            set.content_type_code.is_some(),
        );
        reading.require(Concern::Registry, "patientId", set.patient_id.is_some());
        reading.require(
            Concern::Registry,
            "submissionTime",
            set.submission_time.is_some(),
        );
        reading.title(set.title.as_ref(), 256);
        set.extra = reading.extra;
        Some(set)
    }

    fn take_classification(&mut self, classification: &Classification, reading: &mut Reading<'_>) {
        let c = classification;
        match c
            .scheme
            .as_deref()
            .or(c.node.as_deref())
            .unwrap_or_default()
        {
            scheme::NODE => reading.classification_is_sound("SubmissionSet", c),
            scheme::AUTHOR => reading.author(c, &mut self.authors),
            scheme::CONTENT_TYPE_CODE => {
                reading.one_code("contentTypeCode", c, &mut self.content_type_code)
            }
            scheme::LIMITED_METADATA => reading.limited_metadata(c, &mut self.limited_metadata),
            _ => reading.unclaimed_classification(c),
        }
    }

    fn take_identifiers(&mut self, identifiers: &[ExternalIdentifier], reading: &mut Reading<'_>) {
        let oid = |text: &str| formats::oid(text).map(|()| text.to_owned());
        let (mut unique_id, mut source_id) = (None, None);
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
                scheme::SOURCE_ID => {
                    reading.identifier(Concern::Registry, "sourceId", it, &mut source_id, oid)
                }
                _ => reading.unclaimed_identifier(it),
            }
        }
        reading.require(Concern::Registry, "uniqueId", unique_id.is_some());
        reading.require(Concern::Registry, "sourceId", source_id.is_some());
        self.unique_id = UniqueId(unique_id.unwrap_or_default());
        self.source_id = source_id.unwrap_or_default();
    }

    /// The submission set as it travels.
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
        it.texts(self.title.as_ref(), self.comments.as_ref());
        it.slots("intendedRecipient", self.intended_recipients.clone());
        it.slot("submissionTime", self.submission_time.as_ref());
        it.node(scheme::NODE);
        for author in &self.authors {
            it.author(scheme::AUTHOR, author);
        }
        it.codes(scheme::CONTENT_TYPE_CODE, &self.content_type_code);
        if self.limited_metadata {
            it.node(scheme::LIMITED_METADATA);
        }
        let patient_id = self.patient_id.as_ref();
        it.identifier(
            scheme::PATIENT_ID,
            "XDSSubmissionSet.patientId",
            patient_id,
            &self.extra,
        );
        let source_id = Some(&self.source_id);
        it.identifier(
            scheme::SOURCE_ID,
            "XDSSubmissionSet.sourceId",
            source_id,
            &self.extra,
        );
        let unique_id = Some(&self.unique_id);
        it.identifier(
            scheme::UNIQUE_ID,
            "XDSSubmissionSet.uniqueId",
            unique_id,
            &self.extra,
        );
        it.finish(&self.extra)
    }
}
