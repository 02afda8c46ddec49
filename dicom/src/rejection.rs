//! Rejection notes: key object selections by which a department takes instances back
//! (IHE Imaging Object Change Management, RAD TF-3: 4.66).
//!
//! What becomes of the instances depends on the note's title, and that is for the imaging source to
//! carry out: [`Title::effect`] says what the framework wants.

use std::collections::BTreeSet;
use std::str::FromStr;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::instance::{CodedConcept, InstanceError};
use super::manifest::{self, Plan, ReferencedSeries};
use super::scan::Study;
use super::uid::Uid;
use super::walk::Part10;
use super::write::{Builder, WriteError};

/// Why instances are taken back (PS3.16 CID 7010).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Title {
    /// 113001: the images are not good enough.
    Quality,
    /// 113037: whoever saw them might harm the patient, such as images of another patient.
    PatientSafety,
    /// 113038: they were acquired for the wrong entry of the worklist.
    IncorrectWorklistEntry,
    /// 113039: they have been kept as long as they must.
    RetentionExpired,
}

/// What the framework wants done with rejected instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// A site may choose to show the instances all the same, with the note or without it.
    pub may_be_shown: bool,
    /// The same SOP Instance UIDs may come again and count as new. Otherwise they are not accepted
    /// again: corrected images come under new UIDs. Of rejection for quality the framework does not
    /// say, and they are not.
    pub may_return: bool,
    /// The files may be removed.
    pub may_be_removed: bool,
}

impl Title {
    /// Every title.
    pub const ALL: [Self; 4] = [
        Self::Quality,
        Self::PatientSafety,
        Self::IncorrectWorklistEntry,
        Self::RetentionExpired,
    ];

    /// Code value, scheme and meaning.
    pub const fn code(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Quality => ("113001", "DCM", "Rejected for Quality Reasons"),
            Self::PatientSafety => ("113037", "DCM", "Rejected for Patient Safety Reasons"),
            Self::IncorrectWorklistEntry => ("113038", "DCM", "Incorrect Modality Worklist Entry"),
            Self::RetentionExpired => ("113039", "DCM", "Data Retention Policy Expired"),
        }
    }

    /// What becomes of the instances (RAD TF-3: 4.66.4.1.3, 4.66.4.2.3, 4.66.4.3.3, 4.66.4.4.3).
    /// None of them stays in a manifest, nor is given out by retrieval, whatever the title is
    /// (RAD TF-2: 4.68 and 4.69), unless a site that may show them decides so.
    pub const fn effect(self) -> Effect {
        Effect {
            may_be_shown: matches!(self, Self::Quality),
            may_return: matches!(self, Self::RetentionExpired),
            may_be_removed: matches!(self, Self::RetentionExpired),
        }
    }

    /// The stricter of two titles, for an instance that is rejected twice.
    pub fn stricter(self, other: Self) -> Self {
        let rank = |title| match title {
            Self::RetentionExpired => 0,
            Self::Quality => 1,
            Self::IncorrectWorklistEntry => 2,
            Self::PatientSafety => 3,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }

    /// The title with this code, if it is one of a rejection note.
    pub fn of(concept: &CodedConcept) -> Option<Self> {
        let known = |title: &Self| concept.scheme == "DCM" && concept.value == title.code().0;
        Self::ALL.into_iter().find(known)
    }

    /// As in commands and configuration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quality => "quality",
            Self::PatientSafety => "patient-safety",
            Self::IncorrectWorklistEntry => "incorrect-worklist-entry",
            Self::RetentionExpired => "retention-expired",
        }
    }
}

/// No title of a rejection note.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a reason for rejection: quality (113001), patient-safety (113037), \
     incorrect-worklist-entry (113038) or retention-expired (113039)"
)]
pub struct BadTitle;

impl FromStr for Title {
    type Err = BadTitle;

    /// Reads its word or its code value.
    fn from_str(text: &str) -> Result<Self, BadTitle> {
        let known = |title: &Self| text == title.word() || text == title.code().0;
        Self::ALL.into_iter().find(known).ok_or(BadTitle)
    }
}

/// A rejection note as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub title: Title,
    /// Why more closely (PS3.16 CID 7011), such as (111210, DCM, "Motion blur").
    pub modifier: Option<CodedConcept>,
    /// Why in words. A person wrote it, so it may name the patient.
    pub description: Option<String>,
    /// What is taken back.
    pub references: Vec<ReferencedSeries>,
}

impl Note {
    /// Reads a note. `None` if the file is a key object selection with another title, or none.
    pub fn read(bytes: &[u8]) -> Result<Option<Self>, InstanceError> {
        Self::of(&manifest::selection(bytes)?)
    }

    /// As [`read`](Self::read), for a file that was walked. A note that does not say what it rejects
    /// is an error.
    pub fn of(file: &Part10) -> Result<Option<Self>, InstanceError> {
        let Some(selected) = manifest::selected_as(file) else {
            return Ok(None);
        };
        let Some(title) = Title::of(&selected.title) else {
            return Ok(None);
        };
        Ok(Some(Self {
            title,
            modifier: manifest::title_modifier(file),
            description: selected.description,
            references: manifest::references_of(file)?,
        }))
    }

    /// Study and SOP Instance UIDs of what is taken back.
    pub fn instances(&self) -> impl Iterator<Item = (&Uid, &Uid)> {
        self.references.iter().flat_map(|series| {
            let instances = series.instances.iter();
            instances.map(|(_, instance)| (&series.study_instance_uid, instance))
        })
    }
}

/// What a rejection note says beside what it rejects.
#[derive(Debug, Clone)]
pub struct Rejection<'a> {
    /// Why.
    pub title: Title,
    /// Why more closely (PS3.16 CID 7011); only of a rejection for quality.
    pub modifier: Option<&'a CodedConcept>,
    /// Why in words.
    pub description: Option<&'a str>,
}

/// A rejection note could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RejectionError {
    /// Nothing to reject.
    #[error("none of the instances is in the study")]
    Nothing,
    /// A value that does not fit.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Writes a note that takes instances of a study back; `instances` holds SOP Instance UIDs, and those
/// that are not in the study are passed over. The plan names the note as it names a manifest. The
/// same arguments always give the same bytes.
pub fn write(
    study: &Study,
    instances: &BTreeSet<Uid>,
    rejection: &Rejection<'_>,
    plan: &Plan<'_>,
) -> Result<Vec<u8>, RejectionError> {
    let mut rejected = study.clone();
    for series in &mut rejected.series {
        let is_rejected = |uid: &Uid| instances.contains(uid);
        let all = &mut series.instances;
        all.retain(|instance| is_rejected(&instance.sop_instance_uid));
    }
    rejected
        .series
        .retain(|series| !series.instances.is_empty());
    if rejected.series.is_empty() {
        return Err(RejectionError::Nothing);
    }
    let modifier = rejection
        .modifier
        .filter(|_| rejection.title == Title::Quality);
    let modifier = modifier.map(|modifier| {
        Builder::new()
            .text(tags::RELATIONSHIP_TYPE, VR::CS, "HAS CONCEPT MOD")
            .text(tags::VALUE_TYPE, VR::CS, "CODE")
            .code(
                tags::CONCEPT_NAME_CODE_SEQUENCE,
                ("113011", "DCM", "Document Title Modifier"),
            )
            .items(tags::CONCEPT_CODE_SEQUENCE, [Builder::from(modifier)])
    });
    let description = rejection.description.map(|text| {
        Builder::new()
            .text(tags::RELATIONSHIP_TYPE, VR::CS, "CONTAINS")
            .text(tags::VALUE_TYPE, VR::CS, "TEXT")
            .code(
                tags::CONCEPT_NAME_CODE_SEQUENCE,
                ("113012", "DCM", "Key Object Description"),
            )
            .text(tags::TEXT_VALUE, VR::UT, text)
    });
    let references = rejected.instances().map(manifest::content_item);
    let content = modifier.into_iter().chain(description).chain(references);
    let evidence = manifest::evidence(&rejected, plan);
    let document = manifest::document(rejection.title.code(), content.collect(), evidence);
    Ok(manifest::header(study, plan).with(document).part10()?)
}
