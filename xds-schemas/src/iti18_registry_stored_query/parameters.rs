//! Which query may be asked with which parameters (ITI TF-2 3.18.4.1.2.3.7).

/// How often a parameter may be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Multiplicity {
    /// One value.
    One,
    /// A list in one slot: any of its values.
    List,
    /// Slots of the same name too: all of them must be satisfied.
    Lists,
}

/// Whether a parameter must be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It need not.
    Optional,
    /// Either this or the query's other parameter with this need, but not both.
    OneOfTwo,
}

/// One row of the framework's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The slot's name.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// How many values it may have.
    pub multiplicity: Multiplicity,
}

macro_rules! queries {
    ($($(#[doc = $doc:literal])* $kind:ident $uuid:literal [$($parameters:expr),* $(,)?])*) => {
        /// The fourteen queries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum QueryKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl QueryKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The query's id on the wire.
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("urn:uuid:", $uuid),)*
                }
            }

            /// The query's name in the framework.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => stringify!($kind),)*
                }
            }

            /// What it may be asked with, in groups.
            pub const fn parameters(self) -> &'static [&'static [Parameter]] {
                match self {
                    $(Self::$kind => const { &[$($parameters),*] },)*
                }
            }
        }
    };
}

use Multiplicity::{List, Lists, One};

const fn required(name: &'static str, multiplicity: Multiplicity) -> Parameter {
    Parameter {
        name,
        need: Need::Required,
        multiplicity,
    }
}

const fn optional(name: &'static str, multiplicity: Multiplicity) -> Parameter {
    Parameter {
        name,
        need: Need::Optional,
        multiplicity,
    }
}

const fn one_of_two(name: &'static str, multiplicity: Multiplicity) -> Parameter {
    Parameter {
        name,
        need: Need::OneOfTwo,
        multiplicity,
    }
}

/// The names of the slots, each written down once.
pub(super) mod slot {
    pub(crate) const PATIENT: &str = "$patientId";
    pub(crate) const UUID: &str = "$uuid";
    pub(crate) const ASSOCIATION_TYPES: &str = "$AssociationTypes";
    pub(crate) const DE_PATIENT: &str = "$XDSDocumentEntryPatientId";
    pub(crate) const DE_STATUS: &str = "$XDSDocumentEntryStatus";
    pub(crate) const DE_UUID: &str = "$XDSDocumentEntryEntryUUID";
    pub(crate) const DE_UNIQUE_ID: &str = "$XDSDocumentEntryUniqueId";
    pub(crate) const DE_TYPE: &str = "$XDSDocumentEntryType";
    pub(crate) const CLASS_CODE: &str = "$XDSDocumentEntryClassCode";
    pub(crate) const TYPE_CODE: &str = "$XDSDocumentEntryTypeCode";
    pub(crate) const PRACTICE_SETTING_CODE: &str = "$XDSDocumentEntryPracticeSettingCode";
    pub(crate) const FACILITY_TYPE_CODE: &str = "$XDSDocumentEntryHealthcareFacilityTypeCode";
    pub(crate) const EVENT_CODES: &str = "$XDSDocumentEntryEventCodeList";
    pub(crate) const CONFIDENTIALITY_CODE: &str = "$XDSDocumentEntryConfidentialityCode";
    pub(crate) const FORMAT_CODE: &str = "$XDSDocumentEntryFormatCode";
    pub(crate) const DE_AUTHOR: &str = "$XDSDocumentEntryAuthorPerson";
    pub(crate) const REFERENCE_IDS: &str = "$XDSDocumentEntryReferenceIdList";
    pub(crate) const CREATION_FROM: &str = "$XDSDocumentEntryCreationTimeFrom";
    pub(crate) const CREATION_TO: &str = "$XDSDocumentEntryCreationTimeTo";
    pub(crate) const SERVICE_START_FROM: &str = "$XDSDocumentEntryServiceStartTimeFrom";
    pub(crate) const SERVICE_START_TO: &str = "$XDSDocumentEntryServiceStartTimeTo";
    pub(crate) const SERVICE_STOP_FROM: &str = "$XDSDocumentEntryServiceStopTimeFrom";
    pub(crate) const SERVICE_STOP_TO: &str = "$XDSDocumentEntryServiceStopTimeTo";
    pub(crate) const SS_PATIENT: &str = "$XDSSubmissionSetPatientId";
    pub(crate) const SS_STATUS: &str = "$XDSSubmissionSetStatus";
    pub(crate) const SS_UUID: &str = "$XDSSubmissionSetEntryUUID";
    pub(crate) const SS_UNIQUE_ID: &str = "$XDSSubmissionSetUniqueId";
    pub(crate) const SOURCE_ID: &str = "$XDSSubmissionSetSourceId";
    pub(crate) const SUBMISSION_FROM: &str = "$XDSSubmissionSetSubmissionTimeFrom";
    pub(crate) const SUBMISSION_TO: &str = "$XDSSubmissionSetSubmissionTimeTo";
    pub(crate) const SS_AUTHOR: &str = "$XDSSubmissionSetAuthorPerson";
    pub(crate) const CONTENT_TYPE: &str = "$XDSSubmissionSetContentType";
    pub(crate) const FD_PATIENT: &str = "$XDSFolderPatientId";
    pub(crate) const FD_STATUS: &str = "$XDSFolderStatus";
    pub(crate) const FD_UUID: &str = "$XDSFolderEntryUUID";
    pub(crate) const FD_UNIQUE_ID: &str = "$XDSFolderUniqueId";
    pub(crate) const UPDATE_FROM: &str = "$XDSFolderLastUpdateTimeFrom";
    pub(crate) const UPDATE_TO: &str = "$XDSFolderLastUpdateTimeTo";
    pub(crate) const FD_CODES: &str = "$XDSFolderCodeList";
}

/// How document entries may be narrowed down.
const OF_DOCUMENTS: &[Parameter] = &[
    required(slot::DE_PATIENT, One),
    required(slot::DE_STATUS, List),
    optional(slot::CLASS_CODE, List),
    optional(slot::TYPE_CODE, List),
    optional(slot::PRACTICE_SETTING_CODE, List),
    optional(slot::CREATION_FROM, One),
    optional(slot::CREATION_TO, One),
    optional(slot::SERVICE_START_FROM, One),
    optional(slot::SERVICE_START_TO, One),
    optional(slot::SERVICE_STOP_FROM, One),
    optional(slot::SERVICE_STOP_TO, One),
    optional(slot::FACILITY_TYPE_CODE, List),
    optional(slot::EVENT_CODES, Lists),
    optional(slot::CONFIDENTIALITY_CODE, Lists),
    optional(slot::DE_AUTHOR, List),
    optional(slot::FORMAT_CODE, List),
    optional(slot::DE_TYPE, List),
];
/// How the contents of a submission set, folder or patient may be narrowed down.
const OF_CONTENTS: &[Parameter] = &[
    optional(slot::FORMAT_CODE, List),
    optional(slot::CONFIDENTIALITY_CODE, Lists),
    optional(slot::DE_TYPE, List),
];
const DOCUMENTS_BY_NAME: &[Parameter] = &[
    one_of_two(slot::DE_UUID, List),
    one_of_two(slot::DE_UNIQUE_ID, List),
];
const DOCUMENT_BY_NAME: &[Parameter] = &[
    one_of_two(slot::DE_UUID, One),
    one_of_two(slot::DE_UNIQUE_ID, One),
];

queries! {
    /// Document entries of a patient.
    FindDocuments "14d4debf-8f97-4251-9a74-a90016b0af0d" [OF_DOCUMENTS]
    /// Document entries of a patient that refer to something.
    FindDocumentsByReferenceId "12941a89-e02e-4be5-967c-ce4bfc8fe492" [
        OF_DOCUMENTS,
        &[required(slot::REFERENCE_IDS, Lists)],
    ]
    /// Submission sets of a patient.
    FindSubmissionSets "f26abbcb-ac74-4422-8a30-edb644bbc1a9" [&[
        required(slot::SS_PATIENT, One),
        required(slot::SS_STATUS, List),
        optional(slot::SOURCE_ID, List),
        optional(slot::SUBMISSION_FROM, One),
        optional(slot::SUBMISSION_TO, One),
        optional(slot::SS_AUTHOR, One),
        optional(slot::CONTENT_TYPE, List),
    ]]
    /// Folders of a patient.
    FindFolders "958f3006-baad-4929-a4de-ff1114824431" [&[
        required(slot::FD_PATIENT, One),
        required(slot::FD_STATUS, List),
        optional(slot::UPDATE_FROM, One),
        optional(slot::UPDATE_TO, One),
        optional(slot::FD_CODES, Lists),
    ]]
    /// Everything of a patient.
    GetAll "10b545ea-725c-446d-9b95-8aeb444eddf3" [
        &[
            required(slot::PATIENT, One),
            required(slot::DE_STATUS, List),
            required(slot::SS_STATUS, List),
            required(slot::FD_STATUS, List),
        ],
        OF_CONTENTS,
    ]
    /// Document entries by name.
    GetDocuments "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4" [DOCUMENTS_BY_NAME]
    /// Folders by name.
    GetFolders "5737b14c-8a1a-4539-b659-e03a34a5e1e4" [&[
        one_of_two(slot::FD_UUID, List),
        one_of_two(slot::FD_UNIQUE_ID, List),
    ]]
    /// Associations of objects.
    GetAssociations "a7ae438b-4bc2-4642-93e9-be891f7bb155" [&[required(slot::UUID, List)]]
    /// Document entries by name, with their associations.
    GetDocumentsAndAssociations "bab9529a-4a10-40b3-a01f-f68a615d247a" [DOCUMENTS_BY_NAME]
    /// Submission sets of objects.
    GetSubmissionSets "51224314-5390-4169-9b91-b1980040715a" [&[required(slot::UUID, List)]]
    /// A submission set with what it holds.
    GetSubmissionSetAndContents "e8e3cb2c-e39c-46b9-99e4-c12f57260b83" [
        &[one_of_two(slot::SS_UUID, One), one_of_two(slot::SS_UNIQUE_ID, One)],
        OF_CONTENTS,
    ]
    /// A folder with what it holds.
    GetFolderAndContents "b909a503-523d-4517-8acf-8e5834dfc4c7" [
        &[one_of_two(slot::FD_UUID, One), one_of_two(slot::FD_UNIQUE_ID, One)],
        OF_CONTENTS,
    ]
    /// The folders that hold a document entry.
    GetFoldersForDocument "10cae35a-c7f9-4cf5-b61e-fc3278ffb578" [DOCUMENT_BY_NAME]
    /// Document entries that a document entry is related to.
    GetRelatedDocuments "d90e5407-b356-4d91-a89f-873917b4b0e6" [
        DOCUMENT_BY_NAME,
        &[required(slot::ASSOCIATION_TYPES, List), optional(slot::DE_TYPE, List)],
    ]
}

impl QueryKind {
    /// The query with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.id().eq_ignore_ascii_case(id))
    }

    /// Every parameter it may be asked with.
    pub fn all_parameters(self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters().iter().copied().flatten()
    }
}
