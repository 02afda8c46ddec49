//! Which query may be asked with which parameters (ITI TF-2 3.18.4.1.2.3.7, for several patients
//! 3.51.4.1.2.1; for consumers that know of versions, metadata update 3.18.4.1.2.3.5.1; for our own
//! queries, `docs/imaging-queries.md`).

pub(crate) mod slot;

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
    /// Exactly one of the query's parameters with this need.
    OneOfThese,
    /// At least one of the query's parameters with this need.
    SomeOfThese,
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
        /// The queries of ITI-18 and ITI-51, and our own, which ITI-18 carries.
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

            /// The query's name in the framework, or the name that we gave it.
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

const fn one_of_these(name: &'static str, multiplicity: Multiplicity) -> Parameter {
    Parameter {
        name,
        need: Need::OneOfThese,
        multiplicity,
    }
}

const fn some_of_these(name: &'static str, multiplicity: Multiplicity) -> Parameter {
    Parameter {
        name,
        need: Need::SomeOfThese,
        multiplicity,
    }
}

/// Whose document entries.
const OF_ONE_PATIENT: &[Parameter] = &[required(slot::DE_PATIENT, One)];
/// How document entries may be narrowed down, apart from what may be asked for several patients
/// instead of a patient.
const DOCUMENTS: &[Parameter] = &[
    required(slot::DE_STATUS, List),
    optional(slot::TYPE_CODE, List),
    optional(slot::PRACTICE_SETTING_CODE, List),
    optional(slot::CREATION_FROM, One),
    optional(slot::CREATION_TO, One),
    optional(slot::SERVICE_START_FROM, One),
    optional(slot::SERVICE_START_TO, One),
    optional(slot::SERVICE_STOP_FROM, One),
    optional(slot::SERVICE_STOP_TO, One),
    optional(slot::CONFIDENTIALITY_CODE, Lists),
    optional(slot::DE_AUTHOR, List),
    optional(slot::FORMAT_CODE, List),
    optional(slot::DE_TYPE, List),
];
/// The rest, for one patient.
const DOCUMENTS_OF_ONE: &[Parameter] = &[
    optional(slot::CLASS_CODE, List),
    optional(slot::FACILITY_TYPE_CODE, List),
    optional(slot::EVENT_CODES, Lists),
];
/// The rest, for several patients.
const DOCUMENTS_OF_SEVERAL: &[Parameter] = &[
    some_of_these(slot::DE_PATIENT, List),
    some_of_these(slot::CLASS_CODE, List),
    some_of_these(slot::EVENT_CODES, Lists),
    some_of_these(slot::FACILITY_TYPE_CODE, List),
];
/// The rest, for several patients or all, if something else narrows it down.
const DOCUMENTS_OF_ANY: &[Parameter] = &[
    optional(slot::DE_PATIENT, List),
    optional(slot::CLASS_CODE, List),
    optional(slot::EVENT_CODES, Lists),
    optional(slot::FACILITY_TYPE_CODE, List),
];
/// What document entries must not have.
const EXCLUDED: &[Parameter] = &[
    optional(slot::NOT_CLASS_CODE, List),
    optional(slot::NOT_TYPE_CODE, List),
    optional(slot::NOT_PRACTICE_SETTING_CODE, List),
    optional(slot::NOT_FACILITY_TYPE_CODE, List),
    optional(slot::NOT_EVENT_CODES, Lists),
    optional(slot::NOT_CONFIDENTIALITY_CODE, Lists),
    optional(slot::NOT_DE_AUTHOR, List),
    optional(slot::NOT_FORMAT_CODE, List),
    optional(slot::NOT_DE_TYPE, List),
    optional(slot::NOT_REFERENCE_IDS, Lists),
];
/// What document entries may refer to.
const BY_REFERENCE: &[Parameter] = &[optional(slot::REFERENCE_IDS, Lists)];
/// How the contents of a submission set, folder or patient may be narrowed down.
const OF_CONTENTS: &[Parameter] = &[
    optional(slot::FORMAT_CODE, List),
    optional(slot::CONFIDENTIALITY_CODE, Lists),
    optional(slot::DE_TYPE, List),
];
const DOCUMENTS_BY_NAME: &[Parameter] = &[
    one_of_these(slot::DE_UUID, List),
    one_of_these(slot::DE_UNIQUE_ID, List),
];
const DOCUMENT_BY_NAME: &[Parameter] = &[
    one_of_these(slot::DE_UUID, One),
    one_of_these(slot::DE_UNIQUE_ID, One),
];
/// For consumers that know of versions.
const LEVEL: &[Parameter] = &[optional(slot::METADATA_LEVEL, One)];
const AVAILABILITY: &[Parameter] = &[optional(slot::DE_AVAILABILITY, List)];
const LINKS: &[Parameter] = &[optional(slot::ASSOCIATION_STATUS, List)];

queries! {
    /// Document entries of a patient.
    FindDocuments "14d4debf-8f97-4251-9a74-a90016b0af0d" [
        OF_ONE_PATIENT, DOCUMENTS, DOCUMENTS_OF_ONE, LEVEL, AVAILABILITY,
    ]
    /// Document entries of a patient that refer to something.
    FindDocumentsByReferenceId "12941a89-e02e-4be5-967c-ce4bfc8fe492" [
        OF_ONE_PATIENT, DOCUMENTS, DOCUMENTS_OF_ONE, LEVEL, AVAILABILITY,
        &[required(slot::REFERENCE_IDS, Lists)],
    ]
    /// Document entries of a patient, without some of them (CP-ITI-1323).
    FindDocumentsExclude "4308b1df-36de-4bef-8e2e-ba91f593c435" [
        OF_ONE_PATIENT, DOCUMENTS, DOCUMENTS_OF_ONE, LEVEL, AVAILABILITY, EXCLUDED,
        &[optional(slot::REFERENCE_IDS, Lists)],
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
    FindFolders "958f3006-baad-4929-a4de-ff1114824431" [
        &[
            required(slot::FD_PATIENT, One),
            required(slot::FD_STATUS, List),
            optional(slot::UPDATE_FROM, One),
            optional(slot::UPDATE_TO, One),
            optional(slot::FD_CODES, Lists),
        ],
        LEVEL,
    ]
    /// Everything of a patient.
    GetAll "10b545ea-725c-446d-9b95-8aeb444eddf3" [
        &[
            required(slot::PATIENT, One),
            required(slot::DE_STATUS, List),
            required(slot::SS_STATUS, List),
            required(slot::FD_STATUS, List),
        ],
        OF_CONTENTS, LEVEL, LINKS,
    ]
    /// Document entries by name.
    GetDocuments "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4" [
        DOCUMENTS_BY_NAME,
        &[one_of_these(slot::DE_LOGICAL_ID, List)],
        LEVEL,
    ]
    /// Folders by name.
    GetFolders "5737b14c-8a1a-4539-b659-e03a34a5e1e4" [
        &[
            one_of_these(slot::FD_UUID, List),
            one_of_these(slot::FD_UNIQUE_ID, List),
            one_of_these(slot::FD_LOGICAL_ID, List),
        ],
        LEVEL,
    ]
    /// Associations of objects.
    GetAssociations "a7ae438b-4bc2-4642-93e9-be891f7bb155" [
        &[required(slot::UUID, List)], LEVEL, LINKS,
    ]
    /// Document entries by name, with their associations.
    GetDocumentsAndAssociations "bab9529a-4a10-40b3-a01f-f68a615d247a" [
        DOCUMENTS_BY_NAME, LEVEL, LINKS,
    ]
    /// Submission sets of objects.
    GetSubmissionSets "51224314-5390-4169-9b91-b1980040715a" [
        &[required(slot::UUID, List)], LEVEL,
    ]
    /// A submission set with what it holds.
    GetSubmissionSetAndContents "e8e3cb2c-e39c-46b9-99e4-c12f57260b83" [
        &[one_of_these(slot::SS_UUID, One), one_of_these(slot::SS_UNIQUE_ID, One)],
        OF_CONTENTS, LEVEL,
    ]
    /// A folder with what it holds.
    GetFolderAndContents "b909a503-523d-4517-8acf-8e5834dfc4c7" [
        &[one_of_these(slot::FD_UUID, One), one_of_these(slot::FD_UNIQUE_ID, One)],
        OF_CONTENTS, LEVEL, LINKS,
    ]
    /// The folders that hold a document entry.
    GetFoldersForDocument "10cae35a-c7f9-4cf5-b61e-fc3278ffb578" [DOCUMENT_BY_NAME, LEVEL, LINKS]
    /// Document entries that a document entry is related to.
    GetRelatedDocuments "d90e5407-b356-4d91-a89f-873917b4b0e6" [
        DOCUMENT_BY_NAME,
        &[required(slot::ASSOCIATION_TYPES, List), optional(slot::DE_TYPE, List)],
        LEVEL, LINKS,
    ]
    /// Document entries of several patients or of all (ITI-51).
    FindDocumentsForMultiplePatients "3d1bdb10-39a2-11de-89c2-2f44d94eaa9f" [
        DOCUMENTS_OF_SEVERAL, DOCUMENTS,
    ]
    /// Document entries of several patients or of all that refer to something (ITI-51).
    FindDocumentsByReferenceIdForMultiplePatients "1191642d-86c4-42d8-b784-f95445f9f0d5" [
        DOCUMENTS_OF_ANY, DOCUMENTS, &[required(slot::REFERENCE_IDS, Lists)],
    ]
    /// Folders of several patients or of all (ITI-51).
    FindFoldersForMultiplePatients "50d3f5ac-39a2-11de-a1ca-b366239e58df" [&[
        some_of_these(slot::FD_PATIENT, List),
        some_of_these(slot::FD_CODES, Lists),
        required(slot::FD_STATUS, List),
        optional(slot::UPDATE_FROM, One),
        optional(slot::UPDATE_TO, One),
    ]]
    /// Document entries of series that were made in some way. Ours.
    FindDocumentsByAcquisition "197ed271-cf44-4bff-907d-e45ca7fd9a04" [
        DOCUMENTS_OF_ANY, DOCUMENTS, BY_REFERENCE, LEVEL, AVAILABILITY,
        &[required(slot::ACQUISITION, Lists)],
    ]
    /// Document entries with measured values. Ours.
    FindDocumentsByMeasurement "4061c69c-4891-4bf1-a494-11be1d99a7bf" [
        DOCUMENTS_OF_ANY, DOCUMENTS, BY_REFERENCE, LEVEL, AVAILABILITY,
        &[required(slot::MEASUREMENT, Lists)],
    ]
    /// Document entries about specimens. Ours.
    FindDocumentsBySpecimen "43e304d3-0fea-4a7b-b399-aca9da66d65f" [
        DOCUMENTS_OF_ANY, DOCUMENTS, BY_REFERENCE, LEVEL, AVAILABILITY,
        &[required(slot::SPECIMEN, Lists)],
    ]
    /// Document entries by all of these together. Ours.
    FindDocumentsForCohort "54d592b1-30f5-48f5-a414-09f9914e2833" [
        DOCUMENTS_OF_ANY, DOCUMENTS, BY_REFERENCE, LEVEL, AVAILABILITY,
        &[
            some_of_these(slot::ACQUISITION, Lists),
            some_of_these(slot::MEASUREMENT, Lists),
            some_of_these(slot::SPECIMEN, Lists),
        ],
    ]
}

/// Our own queries may be named: this, and the name.
const OURS: &str = "urn:hilum:query:2026:";

impl QueryKind {
    /// The query with this id. Ours have names of their own, too, such as
    /// `urn:hilum:query:2026:FindDocumentsByAcquisition`.
    pub fn parse(id: &str) -> Option<Self> {
        let name = id.strip_prefix(OURS);
        let is_named = |kind: Self| kind.is_ours() && name == Some(kind.name());
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.id().eq_ignore_ascii_case(id) || is_named(*kind))
    }

    /// Whether it is one of ours, which no other registry answers.
    pub const fn is_ours(self) -> bool {
        matches!(
            self,
            Self::FindDocumentsByAcquisition
                | Self::FindDocumentsByMeasurement
                | Self::FindDocumentsBySpecimen
                | Self::FindDocumentsForCohort
        )
    }

    /// Whether it is one of ITI-51, which ITI-18 does not carry, nor the other way round.
    pub const fn is_of_several_patients(self) -> bool {
        matches!(
            self,
            Self::FindDocumentsForMultiplePatients
                | Self::FindDocumentsByReferenceIdForMultiplePatients
                | Self::FindFoldersForMultiplePatients
        )
    }

    /// Every parameter it may be asked with.
    pub fn all_parameters(self) -> impl Iterator<Item = &'static Parameter> {
        self.parameters().iter().copied().flatten()
    }
}
