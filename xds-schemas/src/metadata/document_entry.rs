//! DocumentEntry: what is known of a document without looking into it (ITI TF-3 4.2.3.2).

use super::judge::{Concern, Judge};
use super::reading::Reading;
use super::writing::Writing;
use super::{
    Author, Code, EntryUuid, Extra, HomeCommunityId, PatientId, ReferenceId, RepositoryUniqueId,
    Rules, Timestamp, UniqueId, formats,
};
use crate::codes::ebrim_uuids::document_entry as scheme;
use crate::codes::ebrim_uuids::object_type;
use crate::codes::status::{AvailabilityStatus, DocumentAvailability};
use crate::ebrim::{
    Body, Classification, ExternalIdentifier, InternationalString, RegistryObject, Slot,
};
use crate::ebrs::RegistryError;

/// `objectType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentEntryType {
    /// The content is fixed.
    Stable,
    /// The content is made when it is retrieved.
    OnDemand,
}

impl DocumentEntryType {
    /// The UUID on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stable => object_type::STABLE,
            Self::OnDemand => object_type::ON_DEMAND,
        }
    }

    /// The type with this UUID.
    pub fn parse(uuid: &str) -> Option<Self> {
        match uuid {
            object_type::STABLE => Some(Self::Stable),
            object_type::ON_DEMAND => Some(Self::OnDemand),
            _ => None,
        }
    }
}

/// The metadata of one document. Attributes that some senders may leave out are optional here;
/// [`submission`](super::submission) judges what must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
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
    /// `objectType`.
    pub entry_type: DocumentEntryType,
    /// `mimeType`.
    pub mime_type: String,
    /// `title`.
    pub title: Option<InternationalString>,
    /// `comments`.
    pub comments: Option<InternationalString>,
    /// `author`.
    pub authors: Vec<Author>,
    /// `classCode`.
    pub class_code: Option<Code>,
    /// `confidentialityCode`.
    pub confidentiality_codes: Vec<Code>,
    /// `eventCodeList`.
    pub event_codes: Vec<Code>,
    /// `formatCode`.
    pub format_code: Option<Code>,
    /// `healthcareFacilityTypeCode`.
    pub healthcare_facility_type_code: Option<Code>,
    /// `practiceSettingCode`.
    pub practice_setting_code: Option<Code>,
    /// `typeCode`.
    pub type_code: Option<Code>,
    /// `creationTime`.
    pub creation_time: Option<Timestamp>,
    /// `hash`: SHA-1 in hexadecimal, as it was sent.
    pub hash: Option<String>,
    /// `size` in bytes.
    pub size: Option<u64>,
    /// `languageCode`.
    pub language_code: Option<String>,
    /// `legalAuthenticator`: XCN.
    pub legal_authenticator: Option<String>,
    /// `patientId`: who this is about, in the affinity domain.
    pub patient_id: Option<PatientId>,
    /// `sourcePatientId`: who this is about, where it was made.
    pub source_patient_id: Option<PatientId>,
    /// `sourcePatientInfo`: PID fields.
    pub source_patient_info: Vec<String>,
    /// `referenceIdList`.
    pub reference_ids: Vec<ReferenceId>,
    /// `repositoryUniqueId`.
    pub repository_unique_id: Option<RepositoryUniqueId>,
    /// `serviceStartTime`.
    pub service_start_time: Option<Timestamp>,
    /// `serviceStopTime`.
    pub service_stop_time: Option<Timestamp>,
    /// `uniqueId`.
    pub unique_id: UniqueId,
    /// `URI`.
    pub uri: Option<String>,
    /// `documentAvailability` (metadata update).
    pub document_availability: Option<DocumentAvailability>,
    /// `limitedMetadata`.
    pub limited_metadata: bool,
    /// Everything else.
    pub extra: Extra,
}

/// The name of the slot of `referenceIdList`.
pub const REFERENCE_ID_LIST: &str = "urn:ihe:iti:xds:2013:referenceIdList";

impl DocumentEntry {
    /// A stable entry with nothing but what every entry has.
    pub fn new(
        entry_uuid: impl Into<EntryUuid>,
        unique_id: impl Into<UniqueId>,
        mime_type: impl Into<String>,
    ) -> Self {
        Self {
            entry_uuid: entry_uuid.into(),
            logical_id: None,
            version: None,
            home_community_id: None,
            availability_status: None,
            entry_type: DocumentEntryType::Stable,
            mime_type: mime_type.into(),
            title: None,
            comments: None,
            authors: Vec::new(),
            class_code: None,
            confidentiality_codes: Vec::new(),
            event_codes: Vec::new(),
            format_code: None,
            healthcare_facility_type_code: None,
            practice_setting_code: None,
            type_code: None,
            creation_time: None,
            hash: None,
            size: None,
            language_code: None,
            legal_authenticator: None,
            patient_id: None,
            source_patient_id: None,
            source_patient_info: Vec::new(),
            reference_ids: Vec::new(),
            repository_unique_id: None,
            service_start_time: None,
            service_stop_time: None,
            unique_id: unique_id.into(),
            uri: None,
            document_availability: None,
            limited_metadata: false,
            extra: Extra::default(),
        }
    }

    /// Reads an entry of an answer. Attributes that cannot be read stay in [`Extra`].
    ///
    /// # Errors
    /// If it is no document entry at all.
    pub fn from_ebrim(object: &RegistryObject) -> Result<Self, Vec<RegistryError>> {
        let mut judge = Judge::lenient();
        Self::read(object, &mut judge).ok_or(judge.offences)
    }

    /// Reads an entry; the judge hears what offends. None if it is no document entry at all.
    pub(super) fn read(object: &RegistryObject, judge: &mut Judge) -> Option<Self> {
        let mut reading = Reading::new("DocumentEntry", object, judge);
        let entry_type = object
            .object_type
            .as_deref()
            .and_then(DocumentEntryType::parse);
        let (Body::ExtrinsicObject { mime_type, .. }, Some(entry_type)) =
            (&object.body, entry_type)
        else {
            let problem = "is not that of a stable or on-demand document entry";
            reading.offend(Concern::Everybody, "objectType", problem);
            return None;
        };
        let (entry_uuid, logical_id) = reading.versioned(object);
        let mut entry = Self {
            logical_id,
            version: object.version.clone(),
            home_community_id: Reading::home(object),
            availability_status: Reading::status(object),
            entry_type,
            title: object.name.clone(),
            comments: object.description.clone(),
            ..Self::new(entry_uuid, "", mime_type.as_deref().unwrap_or_default())
        };
        for slot in &object.slots {
            entry.take_slot(slot, &mut reading);
        }
        for classification in &object.classifications {
            entry.take_classification(classification, &mut reading);
        }
        entry.take_identifiers(&object.external_identifiers, &mut reading);
        entry.judge(&mut reading);
        entry.extra = reading.extra;
        Some(entry)
    }

    fn take_slot(&mut self, slot: &Slot, reading: &mut Reading<'_>) {
        use Concern::{Registry, Repository};
        match slot.name.as_str() {
            "creationTime" => {
                reading.typed(Registry, slot, &mut self.creation_time, Timestamp::parse)
            }
            "hash" => reading.text(Repository, slot, &mut self.hash, formats::sha1),
            "size" => reading.typed(Repository, slot, &mut self.size, formats::size),
            "languageCode" => {
                reading.text(Registry, slot, &mut self.language_code, formats::language)
            }
            "legalAuthenticator" => {
                reading.text(Registry, slot, &mut self.legal_authenticator, formats::xcn)
            }
            "sourcePatientId" => reading.typed(
                Registry,
                slot,
                &mut self.source_patient_id,
                PatientId::parse,
            ),
            "sourcePatientInfo" => {
                reading.texts(slot, &mut self.source_patient_info, formats::pid_field)
            }
            REFERENCE_ID_LIST => {
                reading.typed_list(slot, &mut self.reference_ids, ReferenceId::parse)
            }
            "repositoryUniqueId" => {
                let mut id = self.repository_unique_id.take().map(|id| id.0);
                reading.text(Registry, slot, &mut id, formats::oid);
                self.repository_unique_id = id.map(RepositoryUniqueId);
            }
            "serviceStartTime" => reading.typed(
                Registry,
                slot,
                &mut self.service_start_time,
                Timestamp::parse,
            ),
            "serviceStopTime" => reading.typed(
                Registry,
                slot,
                &mut self.service_stop_time,
                Timestamp::parse,
            ),
            // On media it is often the name of a file as it stands; who resolves it, judges it.
            "URI" if reading.rules() == Rules::Media => {
                reading.text(Registry, slot, &mut self.uri, formats::any);
            }
            "URI" => reading.text(Registry, slot, &mut self.uri, formats::uri),
            "documentAvailability" => {
                reading.typed(
                    Registry,
                    slot,
                    &mut self.document_availability,
                    formats::document_availability,
                );
            }
            _ => reading.unclaimed(slot),
        }
    }

    fn take_classification(&mut self, classification: &Classification, reading: &mut Reading<'_>) {
        let c = classification;
        match c
            .scheme
            .as_deref()
            .or(c.node.as_deref())
            .unwrap_or_default()
        {
            scheme::AUTHOR => reading.author(c, &mut self.authors),
            scheme::CLASS_CODE => reading.one_code("classCode", c, &mut self.class_code),
            scheme::CONFIDENTIALITY_CODE => {
                reading.codes("confidentialityCode", c, &mut self.confidentiality_codes);
            }
            scheme::EVENT_CODE => reading.codes("eventCodeList", c, &mut self.event_codes),
            scheme::FORMAT_CODE => reading.one_code("formatCode", c, &mut self.format_code),
            scheme::HEALTHCARE_FACILITY_TYPE_CODE => {
                let target = &mut self.healthcare_facility_type_code;
                reading.one_code("healthcareFacilityTypeCode", c, target);
            }
            scheme::PRACTICE_SETTING_CODE => {
                reading.one_code("practiceSettingCode", c, &mut self.practice_setting_code);
            }
            scheme::TYPE_CODE => reading.one_code("typeCode", c, &mut self.type_code),
            scheme::LIMITED_METADATA => reading.limited_metadata(c, &mut self.limited_metadata),
            _ => reading.unclaimed_classification(c),
        }
    }

    fn take_identifiers(&mut self, identifiers: &[ExternalIdentifier], reading: &mut Reading<'_>) {
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
                    let parse =
                        |text: &str| formats::not_empty(text).map(|()| UniqueId::from(text));
                    reading.identifier(Concern::Repository, "uniqueId", it, &mut unique_id, parse);
                }
                _ => reading.unclaimed_identifier(it),
            }
        }
        reading.require(Concern::Repository, "uniqueId", unique_id.is_some());
        self.unique_id = unique_id.unwrap_or_else(|| UniqueId::from(""));
    }

    /// What an entry must have (ITI TF-3 4.3.1), and what it must be.
    fn judge(&self, reading: &mut Reading<'_>) {
        use Concern::{Registry, Repository};
        if self.mime_type.is_empty() {
            reading.require(Repository, "mimeType", false);
        } else if let Err(problem) = formats::mime_type(&self.mime_type) {
            reading.offend(Registry, "mimeType", &problem);
        }
        let required = [
            ("classCode", self.class_code.is_some()),
            (
                "confidentialityCode",
                !self.confidentiality_codes.is_empty(),
            ),
            ("formatCode", self.format_code.is_some()),
            (
                "healthcareFacilityTypeCode",
                self.healthcare_facility_type_code.is_some(),
            ),
            ("languageCode", self.language_code.is_some()),
            ("patientId", self.patient_id.is_some()),
            ("practiceSettingCode", self.practice_setting_code.is_some()),
            ("repositoryUniqueId", self.repository_unique_id.is_some()),
            ("sourcePatientId", self.source_patient_id.is_some()),
            ("typeCode", self.type_code.is_some()),
            ("URI", self.uri.is_some()),
        ];
        for (attribute, present) in required {
            reading.require(Registry, attribute, present);
        }
        self.judge_type(reading);
        reading.title(self.title.as_ref(), 128);
        if let (Some(start), Some(stop)) = (&self.service_start_time, &self.service_stop_time)
            && start.is_after(stop)
        {
            reading.offend(Registry, "serviceStartTime", "is after serviceStopTime");
        }
        if let Some(problem) = self
            .reference_ids
            .iter()
            .find_map(|it| formats::reference_id_authority(it).err())
        {
            reading.offend(Registry, REFERENCE_ID_LIST, &problem);
        }
        for field in ["PID-7|", "PID-8|"] {
            let values = self.source_patient_info.iter();
            if values.filter(|value| value.starts_with(field)).count() > 1 {
                reading.offend(
                    Registry,
                    "sourcePatientInfo",
                    "has more than one PID-7 or PID-8",
                );
            }
        }
    }

    /// Whether it is of the type that is registered here, and what depends on the type: an
    /// on-demand entry describes no content (ITI TF-2 3.61.4.1.2).
    fn judge_type(&self, reading: &mut Reading<'_>) {
        if reading.entry_type().is_some_and(|it| it != self.entry_type) {
            let problem = match self.entry_type {
                DocumentEntryType::Stable => {
                    "is that of a stable entry, which ITI-42 registers and not ITI-61"
                }
                DocumentEntryType::OnDemand => {
                    "is that of an on-demand entry, which only ITI-61 registers"
                }
            };
            return reading.offend(Concern::Registry, "objectType", problem);
        }
        let of_content = [
            ("creationTime", self.creation_time.is_some()),
            ("hash", self.hash.is_some()),
            ("size", self.size.is_some()),
        ];
        if self.entry_type == DocumentEntryType::Stable {
            for (attribute, present) in of_content {
                reading.require(Concern::Registry, attribute, present);
            }
            return;
        }
        // XDS Metadata Update has this for stable entries only.
        let availability = self.document_availability.is_some();
        let of_content = of_content.into_iter();
        for (attribute, present) in of_content.chain([("documentAvailability", availability)]) {
            if present {
                let problem = "describes a content, which an on-demand entry does not have";
                reading.offend(Concern::Registry, attribute, problem);
            }
        }
    }

    /// The entry as it travels.
    pub fn to_ebrim(&self) -> RegistryObject {
        let body = Body::ExtrinsicObject {
            mime_type: Some(self.mime_type.clone()),
            is_opaque: None,
        };
        let mut it = Writing::new(&self.entry_uuid, self.entry_type.as_str(), body);
        it.common(
            self.logical_id.as_ref(),
            self.home_community_id.as_ref(),
            self.availability_status,
        );
        it.version(self.version.as_ref());
        it.texts(self.title.as_ref(), self.comments.as_ref());
        self.write_slots(&mut it);
        self.write_classifications(&mut it);
        let patient_id = self.patient_id.as_ref();
        it.identifier(
            scheme::PATIENT_ID,
            "XDSDocumentEntry.patientId",
            patient_id,
            &self.extra,
        );
        let unique_id = Some(&self.unique_id);
        it.identifier(
            scheme::UNIQUE_ID,
            "XDSDocumentEntry.uniqueId",
            unique_id,
            &self.extra,
        );
        it.finish(&self.extra)
    }

    fn write_slots(&self, it: &mut Writing) {
        it.slot("creationTime", self.creation_time.as_ref());
        it.slot("hash", self.hash.as_deref());
        it.slot("languageCode", self.language_code.as_deref());
        it.slot("legalAuthenticator", self.legal_authenticator.as_deref());
        it.slots(
            REFERENCE_ID_LIST,
            self.reference_ids.iter().map(ToString::to_string).collect(),
        );
        it.slot("repositoryUniqueId", self.repository_unique_id.as_ref());
        it.slot("serviceStartTime", self.service_start_time.as_ref());
        it.slot("serviceStopTime", self.service_stop_time.as_ref());
        it.slot("size", self.size);
        it.slot("sourcePatientId", self.source_patient_id.as_ref());
        it.slots("sourcePatientInfo", self.source_patient_info.clone());
        it.slot("URI", self.uri.as_deref());
        it.slot(
            "documentAvailability",
            self.document_availability.map(DocumentAvailability::as_str),
        );
    }

    fn write_classifications(&self, it: &mut Writing) {
        for author in &self.authors {
            it.author(scheme::AUTHOR, author);
        }
        it.codes(scheme::CLASS_CODE, &self.class_code);
        it.codes(scheme::CONFIDENTIALITY_CODE, &self.confidentiality_codes);
        it.codes(scheme::EVENT_CODE, &self.event_codes);
        it.codes(scheme::FORMAT_CODE, &self.format_code);
        it.codes(
            scheme::HEALTHCARE_FACILITY_TYPE_CODE,
            &self.healthcare_facility_type_code,
        );
        it.codes(scheme::PRACTICE_SETTING_CODE, &self.practice_setting_code);
        it.codes(scheme::TYPE_CODE, &self.type_code);
        if self.limited_metadata {
            it.node(scheme::LIMITED_METADATA);
        }
    }
}
