//! Reads manifests, ours and others'. The evidence sequence says what there is and where; what the
//! content tree describes is read as far as it can be understood.
//!
//! Known faults of manifests in circulation are understood: codes of earlier drafts, counts and
//! dates as text, instance numbers beside the image that they belong to.

use std::collections::HashMap;
use std::path::Path;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use serde::{Deserialize, Serialize};

use super::codes::Concept;
use super::references::{self, ReferencedSeries, references_of};
use crate::instance::{CodedConcept, InstanceError, concepts};
use crate::text::CharacterSet;
use crate::uid::Uid;
use crate::walk::{self, DataSet, Part10, WalkError};

/// A manifest, or another key object selection.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its SOP Instance UID.
    pub sop_instance_uid: Option<Uid>,
    /// Document title: what its instances are selected as, (113030, DCM) for plain manifests.
    pub title: Option<CodedConcept>,
    /// Key Object Description (113012, DCM).
    pub description: Option<String>,
    /// The instances and where they are, from the evidence sequence.
    pub references: Vec<ReferencedSeries>,
    /// What its image library tells of them, if it has one.
    pub described: Option<Described>,
}

/// What an image library says (PS3.16 TID 1600).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Described {
    /// Modalities of the study.
    pub modalities: Vec<CodedConcept>,
    /// Target regions of the study.
    pub regions: Vec<CodedConcept>,
    /// Procedure codes (121023, DCM).
    pub procedures: Vec<CodedConcept>,
    /// Number of Study Related Series, as it claims.
    pub number_of_series: Option<u64>,
    /// Its groups.
    pub series: Vec<DescribedSeries>,
}

/// One group of an image library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DescribedSeries {
    /// Series Instance UID; where it is not said, that of its instances in the evidence.
    pub uid: Option<Uid>,
    /// Modality.
    pub modality: Option<CodedConcept>,
    /// Series Date, `YYYYMMDD`.
    pub date: Option<String>,
    /// Series Time, `HHMMSS`.
    pub time: Option<String>,
    /// Series Description.
    pub description: Option<String>,
    /// Series Number.
    pub number: Option<i64>,
    /// Target regions.
    pub regions: Vec<CodedConcept>,
    /// Number of Series Related Instances, as it claims.
    pub number_of_instances: Option<u64>,
    /// Its entries.
    pub instances: Vec<DescribedInstance>,
}

/// One entry of an image library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DescribedInstance {
    /// SOP Class UID.
    pub sop_class_uid: Option<Uid>,
    /// SOP Instance UID.
    pub sop_instance_uid: Option<Uid>,
    /// Instance Number.
    pub number: Option<i64>,
    /// Number of Frames, said of multi-frame images.
    pub frames: Option<u32>,
    /// What it selects instances as, said of key object selections.
    pub key_objects: Option<KeyObjects>,
}

/// As what a key object selection selects its instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyObjects {
    /// Document title (PS3.16 CID 7010), such as (113000, DCM, "Of Interest").
    pub title: CodedConcept,
    /// Key Object Description (113012, DCM).
    pub description: Option<String>,
}

/// What is kept beside what [`references`](super::references()) needs.
const KEEP_CONTENT: [Tag; 15] = [
    tags::SPECIFIC_CHARACTER_SET,
    tags::SOP_INSTANCE_UID,
    tags::VALUE_TYPE,
    tags::CONCEPT_NAME_CODE_SEQUENCE,
    tags::CONCEPT_CODE_SEQUENCE,
    tags::CONTENT_SEQUENCE,
    tags::CODE_VALUE,
    tags::CODING_SCHEME_DESIGNATOR,
    tags::CODE_MEANING,
    tags::TEXT_VALUE,
    tags::MEASURED_VALUE_SEQUENCE,
    tags::NUMERIC_VALUE,
    tags::DATE,
    tags::TIME,
    tags::UID,
];

/// Reads a manifest. It is an error if it refers to nothing.
pub fn read(bytes: &[u8]) -> Result<Manifest, InstanceError> {
    of(&walked(|keep| walk::bytes(bytes, keep))?)
}

/// As [`read`], for a file on disk.
pub fn read_file(path: &Path) -> Result<Manifest, InstanceError> {
    of(&selection_file(path)?)
}

/// Walks a key object selection.
pub(crate) fn selection_file(path: &Path) -> Result<Part10, InstanceError> {
    Ok(walked(|keep| walk::file(path, keep))?)
}

/// As [`selection_file`], in memory.
pub(crate) fn selection(bytes: &[u8]) -> Result<Part10, InstanceError> {
    Ok(walked(|keep| walk::bytes(bytes, keep))?)
}

/// Walks a selection; one whose content is larger than may be kept is read without it, because
/// its references alone may still be within the limits.
fn walked(walk: impl Fn(&[Tag]) -> Result<Part10, WalkError>) -> Result<Part10, WalkError> {
    let all: Vec<Tag> = [&references::KEEP[..], &KEEP_CONTENT].concat();
    let without = all.iter().copied();
    let without: Vec<Tag> = without
        .filter(|tag| *tag != tags::CONTENT_SEQUENCE)
        .collect();
    match walk(&all) {
        Err(WalkError::TooMany) => walk(&without),
        walked => walked,
    }
}

fn of(file: &Part10) -> Result<Manifest, InstanceError> {
    let references = references_of(file)?;
    let set = CharacterSet::of(&file.data);
    let root = Item {
        data: &file.data,
        set: &set,
    };
    let selected = key_objects(file);
    Ok(Manifest {
        sop_instance_uid: root.uid(tags::SOP_INSTANCE_UID),
        title: root.name(),
        description: selected.and_then(|selected| selected.description),
        described: described(root, &references),
        references,
    })
}

/// Title and description of a key object selection. `None` if it has no title.
pub(crate) fn key_objects(file: &Part10) -> Option<KeyObjects> {
    let set = CharacterSet::of(&file.data);
    let root = Item {
        data: &file.data,
        set: &set,
    };
    Some(KeyObjects {
        title: root.name()?,
        description: root
            .children()
            .filter(|item| item.is(Concept::KeyObjectDescription))
            .find_map(Item::text),
    })
}

/// The coded reason that a rejection for quality gives (PS3.16 CID 7011).
pub(crate) fn title_modifier(file: &Part10) -> Option<CodedConcept> {
    let set = CharacterSet::of(&file.data);
    let root = Item {
        data: &file.data,
        set: &set,
    };
    let mut modifiers = root
        .children()
        .filter(|item| item.is(Concept::DocumentTitleModifier));
    modifiers.find_map(Item::code)
}

/// A content item (PS3.3 C.17.3).
#[derive(Clone, Copy)]
struct Item<'a> {
    data: &'a DataSet,
    set: &'a CharacterSet,
}

impl<'a> Item<'a> {
    fn children(self) -> impl Iterator<Item = Self> {
        let items = self.data.items(tags::CONTENT_SEQUENCE).iter();
        items.map(move |data| Self { data, ..self })
    }

    fn name(self) -> Option<CodedConcept> {
        let names = self.data.items(tags::CONCEPT_NAME_CODE_SEQUENCE);
        concepts(names, self.set).into_iter().next()
    }

    fn is(self, concept: Concept) -> bool {
        self.name().is_some_and(|name| concept.is_named(&name))
    }

    fn code(self) -> Option<CodedConcept> {
        let codes = self.data.items(tags::CONCEPT_CODE_SEQUENCE);
        concepts(codes, self.set).into_iter().next()
    }

    /// Text, date, time or UID, whichever there is.
    fn text(self) -> Option<String> {
        let places = [tags::TEXT_VALUE, tags::DATE, tags::TIME, tags::UID];
        places
            .into_iter()
            .find_map(|tag| self.set.text(self.data, tag))
    }

    /// A count or number, written as number or as text.
    fn integer(self) -> Option<i64> {
        let measured = self.data.items(tags::MEASURED_VALUE_SEQUENCE).first();
        let text = measured
            .and_then(|value| value.ascii(tags::NUMERIC_VALUE))
            .or_else(|| self.text())?;
        let number: f64 = text.trim().parse().ok()?;
        // Counts beyond that are not exact, and nobody has so many.
        let is_integer = number.fract() == 0.0 && number.abs() < 1e15;
        is_integer.then_some(number as i64)
    }

    fn uid(self, tag: Tag) -> Option<Uid> {
        Uid::parse(&self.data.ascii(tag)?).ok()
    }

    /// The first child that means `concept` and has a value of the wanted kind.
    fn find<T>(self, concept: Concept, value: impl Fn(Self) -> Option<T>) -> Option<T> {
        let mut children = self.children().filter(|item| item.is(concept));
        children.find_map(value)
    }

    fn codes(self, concept: Concept) -> Vec<CodedConcept> {
        let children = self.children().filter(|item| item.is(concept));
        children.filter_map(Self::code).collect()
    }
}

/// What the image library says. Some manifests have their groups right below the root.
fn described(root: Item<'_>, references: &[ReferencedSeries]) -> Option<Described> {
    let library = root.children().find(|item| item.is(Concept::ImageLibrary));
    let library = library.unwrap_or(root);
    let groups: Vec<_> = library
        .children()
        .filter(|item| item.is(Concept::ImageLibraryGroup))
        .collect();
    if groups.is_empty() {
        return None;
    }
    let series_of: HashMap<&Uid, &Uid> = references
        .iter()
        .flat_map(|series| {
            let instances = series.instances.iter();
            instances.map(|(_, instance)| (instance, &series.series_instance_uid))
        })
        .collect();
    Some(Described {
        modalities: library.codes(Concept::Modality),
        regions: library.codes(Concept::TargetRegion),
        procedures: root.codes(Concept::ProcedureCode),
        number_of_series: count(library, Concept::StudyRelatedSeries),
        series: groups
            .into_iter()
            .map(|group| described_series(group, &series_of))
            .collect(),
    })
}

fn count(item: Item<'_>, concept: Concept) -> Option<u64> {
    let count = item.find(concept, Item::integer)?;
    u64::try_from(count).ok()
}

fn described_series(group: Item<'_>, series_of: &HashMap<&Uid, &Uid>) -> DescribedSeries {
    let instances = described_instances(group);
    let of_instances = || {
        let uids = instances
            .iter()
            .filter_map(|it| it.sop_instance_uid.as_ref());
        uids.filter_map(|uid| series_of.get(uid)).next()
    };
    let said = group.find(Concept::SeriesInstanceUid, Item::text);
    let said = said.and_then(|uid| Uid::parse(&uid).ok());
    DescribedSeries {
        uid: said.or_else(|| of_instances().map(|uid| (*uid).clone())),
        modality: group.find(Concept::Modality, Item::code),
        date: group.find(Concept::SeriesDate, Item::text),
        time: group.find(Concept::SeriesTime, Item::text),
        description: group.find(Concept::SeriesDescription, Item::text),
        number: group.find(Concept::SeriesNumber, Item::integer),
        regions: group.codes(Concept::TargetRegion),
        number_of_instances: count(group, Concept::SeriesRelatedInstances),
        instances,
    }
}

/// The entries of a group. A number beside the entries belongs to the entry before it, or, in
/// groups that begin with a number, to the one behind it.
fn described_instances(group: Item<'_>) -> Vec<DescribedInstance> {
    let mut instances: Vec<DescribedInstance> = Vec::new();
    let (mut leading, mut waiting) = (false, None);
    for item in group.children() {
        let Some(reference) = item.data.items(tags::REFERENCED_SOP_SEQUENCE).first() else {
            if item.is(Concept::InstanceNumber) {
                leading |= instances.is_empty();
                match instances.last_mut() {
                    Some(last) if !leading && last.number.is_none() => last.number = item.integer(),
                    _ => waiting = item.integer(),
                }
            }
            continue;
        };
        let reference = Item {
            data: reference,
            set: item.set,
        };
        instances.push(DescribedInstance {
            sop_class_uid: reference.uid(tags::REFERENCED_SOP_CLASS_UID),
            sop_instance_uid: reference.uid(tags::REFERENCED_SOP_INSTANCE_UID),
            number: item
                .find(Concept::InstanceNumber, Item::integer)
                .or_else(|| waiting.take()),
            frames: count(item, Concept::NumberOfFrames).and_then(|it| u32::try_from(it).ok()),
            key_objects: item
                .find(Concept::DocumentTitle, Item::code)
                .map(|title| KeyObjects {
                    title,
                    description: item.find(Concept::KeyObjectDescription, Item::text),
                }),
        });
    }
    instances
}
