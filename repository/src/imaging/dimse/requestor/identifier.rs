//! What a query is about (PS3.4 annex C): keys at a level of patients, studies, series and instances.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{StandardDataDictionary, tags, uids};

use super::super::data_set::DataSet;

/// How what is asked for is arranged: with which level a query may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Model {
    /// Patient Root.
    Patient,
    /// Study Root.
    Study,
}

impl Model {
    pub(super) const fn find(self) -> &'static str {
        match self {
            Self::Patient => uids::PATIENT_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND,
            Self::Study => uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_FIND,
        }
    }

    pub(super) const fn move_(self) -> &'static str {
        match self {
            Self::Patient => uids::PATIENT_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE,
            Self::Study => uids::STUDY_ROOT_QUERY_RETRIEVE_INFORMATION_MODEL_MOVE,
        }
    }
}

/// Query/Retrieve Level (0008,0052).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Of Patient Root only.
    Patient,
    /// Study Instance UID is its unique key.
    Study,
    /// Series Instance UID; the study's must be given too.
    Series,
    /// SOP Instance UID; those of study and series must be given too.
    Image,
}

/// The identifier of a query or retrieval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier(DataSet);

impl Identifier {
    /// An identifier without keys.
    pub fn at(level: Level) -> Self {
        let level = match level {
            Level::Patient => "PATIENT",
            Level::Study => "STUDY",
            Level::Series => "SERIES",
            Level::Image => "IMAGE",
        };
        Self(DataSet::default().text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, level))
    }

    /// Looks for this value: text with wild cards, a range of dates or times, or UIDs divided by `\`.
    #[must_use]
    pub fn key(self, tag: Tag, value: &str) -> Self {
        let mut data = self.0.text(tag, vr(tag), value);
        if !value.is_ascii() {
            data = data.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        }
        Self(data)
    }

    /// Asks for what this is in everything that is found.
    #[must_use]
    pub fn returned(self, tag: Tag) -> Self {
        Self(match vr(tag) {
            VR::SQ => self.0.items(tag, Vec::new()),
            vr => self.0.text(tag, vr, ""),
        })
    }

    pub(super) const fn data_set(&self) -> &DataSet {
        &self.0
    }
}

fn vr(tag: Tag) -> VR {
    let entry = StandardDataDictionary.by_tag(tag);
    // Of a private key, which is text as far as anybody knows.
    entry.map_or(VR::LO, |entry| entry.vr().relaxed())
}
