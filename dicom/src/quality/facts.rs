//! The few facts of an instance that study-level rules need. An index keeps them.

use std::collections::{BTreeMap, BTreeSet};

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::attribute::{Attribute, Held};
use super::card::RuleCard;
use super::finding::Place;
use crate::instance::{self, InstanceError};
use crate::text::CharacterSet;
use crate::uid::Uid;
use crate::walk::{DataSet, Part10};

/// Of more frames than this, no positions are kept.
const MAX_POSITIONS: usize = 5_000;

/// What is kept of an instance for judging its study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceFacts {
    /// SOP Instance UID.
    pub sop_instance_uid: Uid,
    /// SOP Class UID.
    pub sop_class_uid: Uid,
    /// Transfer syntax as stored.
    pub transfer_syntax_uid: Uid,
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Patient ID (0010,0020): cards may choose by it.
    pub patient_id: Option<String>,
    /// Modality.
    pub modality: Option<String>,
    /// Series Number.
    pub series_number: Option<i64>,
    /// Series Description.
    pub series_description: Option<String>,
    /// Instance Number.
    pub instance_number: Option<i64>,
    /// Frames of an image, 1 of most; none if it is no image.
    pub frames: u32,
    /// Where its slice or slices lie.
    pub planes: Vec<Plane>,
    /// The attributes that cards ask for, by name: VR and text. Those that it has not are not here;
    /// those without value have an empty text.
    pub values: BTreeMap<String, (String, String)>,
}

/// Where a slice lies in the patient (PS3.3 C.7.6.2), in millimetres.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plane {
    /// Image Position (Patient).
    pub position: [f64; 3],
    /// Image Orientation (Patient): direction of rows, then of columns.
    pub orientation: [f64; 6],
}

/// The attributes that study-level rules of the cards ask for, each once.
pub fn wanted(cards: &[RuleCard]) -> Vec<Attribute> {
    let all = cards.iter().flat_map(RuleCard::wanted);
    let all: BTreeSet<&Attribute> = all.collect();
    all.into_iter().cloned().collect()
}

impl InstanceFacts {
    /// The facts of a file that was walked whole. Fails if it lacks one of the identifiers that every
    /// instance must have.
    pub fn of(file: &Part10, wanted: &[Attribute]) -> Result<Self, InstanceError> {
        let instance = instance::of(file)?;
        let set = CharacterSet::of(&file.data);
        let value = |attribute: &Attribute| {
            let first = attribute.held(file, &set).into_iter().next()?;
            let (vr, text) = match first {
                Held::Absent => return None,
                Held::Empty => (VR::UN, String::new()),
                Held::Filled(vr, text) => (vr, text),
            };
            Some((attribute.to_string(), (vr.to_string().to_owned(), text)))
        };
        Ok(Self {
            sop_instance_uid: instance.sop_instance_uid,
            sop_class_uid: instance.sop_class_uid,
            transfer_syntax_uid: instance.transfer_syntax_uid,
            study_instance_uid: instance.study_instance_uid,
            series_instance_uid: instance.series_instance_uid,
            patient_id: instance.patient.id,
            modality: instance.series.modality,
            series_number: instance.series.number,
            series_description: instance.series.description,
            instance_number: instance.instance_number,
            frames: instance.size.map_or(0, |size| size.frames),
            planes: planes(&file.data),
            values: wanted.iter().filter_map(value).collect(),
        })
    }

    /// What a wanted attribute is.
    pub(super) fn held(&self, attribute: &Attribute) -> Option<Held> {
        let (vr, text) = self.values.get(&attribute.to_string())?;
        let vr: VR = vr.parse().unwrap_or(VR::UN);
        Some(match text.is_empty() && vr == VR::UN {
            true => Held::Empty,
            false => Held::Filled(vr, text.clone()),
        })
    }

    /// A wanted attribute's text, if it has one.
    pub(super) fn text(&self, attribute: &Attribute) -> Option<&str> {
        let (_, text) = self.values.get(&attribute.to_string())?;
        (!text.is_empty()).then_some(text)
    }

    /// Itself as a place.
    pub(super) fn place(&self) -> Place {
        Place {
            series_instance_uid: Some(self.series_instance_uid.clone()),
            series_number: self.series_number,
            instance_numbers: self.instance_number.into_iter().collect(),
            sop_instance_uids: vec![self.sop_instance_uid.clone()],
            instances: 1,
        }
    }
}

/// The plane of a single slice, or those of frames (PS3.3 C.7.6.16.2.3 and .4). Frames whose
/// orientation is said once share it.
fn planes(data: &DataSet) -> Vec<Plane> {
    if let Some(plane) = plane(data, data) {
        return vec![plane];
    }
    let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    let frames = data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    if frames.len() > MAX_POSITIONS {
        return Vec::new();
    }
    let plane = |frame| {
        let position = group(frame, shared, tags::PLANE_POSITION_SEQUENCE)?;
        let orientation = group(frame, shared, tags::PLANE_ORIENTATION_SEQUENCE)?;
        plane(position, orientation)
    };
    frames.iter().filter_map(plane).collect()
}

fn group<'a>(
    frame: &'a DataSet,
    shared: Option<&'a DataSet>,
    sequence: Tag,
) -> Option<&'a DataSet> {
    let own = frame.items(sequence).first();
    own.or_else(|| shared?.items(sequence).first())
}

fn plane(position: &DataSet, orientation: &DataSet) -> Option<Plane> {
    let position = position.numbers(tags::IMAGE_POSITION_PATIENT);
    let orientation = orientation.numbers(tags::IMAGE_ORIENTATION_PATIENT);
    Some(Plane {
        position: position.try_into().ok()?,
        orientation: orientation.try_into().ok()?,
    })
}
