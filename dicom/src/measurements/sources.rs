//! On what something was measured: the instances and series that an object refers to.

use std::collections::HashMap;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use serde::{Deserialize, Serialize};

use crate::uid::Uid;
use crate::walk::DataSet;

/// A measured value names its source instances up to this number; if there are more, only their
/// series. Of series, too, only so many are named.
pub const MAX_SOURCES: usize = 32;

/// A series that an object was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSeries {
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// How many of its instances are referred to; none if only the series is named.
    pub instances: usize,
}

/// What an object says of the instances that it refers to.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    /// Each series once. Reports, segmentations and presentations are not measured on.
    pub(super) series: Vec<SourceSeries>,
    /// Instances of these series, in the order in which they are named.
    pub(super) instances: Vec<String>,
    /// By SOP Instance UID, the place of the series in `series`.
    series_of: HashMap<String, usize>,
    /// By Series Instance UID, its place in `series`.
    places: HashMap<String, usize>,
}

impl Evidence {
    /// The evidence of a report (PS3.3 section C.17.2).
    pub(super) fn of_report(data: &DataSet) -> Self {
        let mut evidence = Self::default();
        for tag in [
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            tags::PERTINENT_OTHER_EVIDENCE_SEQUENCE,
        ] {
            for study in data.items(tag) {
                evidence.take_study(study);
            }
        }
        evidence
    }

    /// What an image refers to (Common Instance Reference, PS3.3 section C.12.2).
    pub(super) fn of_image(data: &DataSet) -> Self {
        let mut evidence = Self::default();
        evidence.take_study(data);
        for study in data.items(tags::STUDIES_CONTAINING_OTHER_REFERENCED_INSTANCES_SEQUENCE) {
            evidence.take_study(study);
        }
        if evidence.series.is_empty() {
            evidence.take_source_images(data);
        }
        evidence
    }

    /// The images that a derived one, or its frames, were made of; their series is not told.
    fn take_source_images(&mut self, data: &DataSet) {
        let shared = data.items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).iter();
        let groups = shared.chain(data.items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE));
        let derived = groups.flat_map(|groups| groups.items(tags::DERIVATION_IMAGE_SEQUENCE));
        let places = std::iter::once(data).chain(derived);
        let images = places.flat_map(|place| place.items(tags::SOURCE_IMAGE_SEQUENCE));
        for image in images {
            let instance = uid(image, tags::REFERENCED_SOP_INSTANCE_UID);
            let Some(instance) = instance.filter(|it| !self.instances.contains(it)) else {
                continue;
            };
            self.instances.push(instance);
            if self.instances.len() > MAX_SOURCES {
                return;
            }
        }
    }

    fn take_study(&mut self, study: &DataSet) {
        let Some(study_uid) = uid(study, tags::STUDY_INSTANCE_UID) else {
            return;
        };
        for series in study.items(tags::REFERENCED_SERIES_SEQUENCE) {
            let Some(series_uid) = uid(series, tags::SERIES_INSTANCE_UID) else {
                continue;
            };
            let references = [
                tags::REFERENCED_SOP_SEQUENCE,
                tags::REFERENCED_INSTANCE_SEQUENCE,
            ];
            let instances: Vec<String> = references
                .iter()
                .flat_map(|tag| series.items(*tag))
                .filter(|reference| is_measured_on(reference))
                .filter_map(|reference| uid(reference, tags::REFERENCED_SOP_INSTANCE_UID))
                .collect();
            if !instances.is_empty() {
                self.take_series(&study_uid, &series_uid, instances);
            }
        }
    }

    fn take_series(&mut self, study: &str, series: &str, instances: Vec<String>) {
        let at = *self.places.entry(series.to_owned()).or_insert_with(|| {
            self.series.push(SourceSeries {
                study_instance_uid: study.to_owned(),
                series_instance_uid: series.to_owned(),
                instances: 0,
            });
            self.series.len() - 1
        });
        for instance in instances {
            if self.series_of.insert(instance.clone(), at).is_none() {
                self.series[at].instances += 1;
                self.instances.push(instance);
            }
        }
    }

    /// The series in which an instance is, if the object says so.
    pub(super) fn series_of(&self, instance: &str) -> Option<&str> {
        let at = *self.series_of.get(instance)?;
        Some(&self.series[at].series_instance_uid)
    }

    /// All of it.
    pub(super) fn whole(&self) -> Sources {
        let mut sources = Sources::default();
        for series in &self.series {
            sources.add_series(&series.series_instance_uid);
        }
        for instance in &self.instances {
            sources.add_instance(instance, self);
        }
        sources
    }
}

/// Instances and series on which one thing was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Sources {
    series: Vec<String>,
    instances: Vec<String>,
    /// There were more instances than are named.
    more: bool,
}

impl Sources {
    pub(super) fn is_empty(&self) -> bool {
        self.series.is_empty() && self.instances.is_empty()
    }

    pub(super) fn add_series(&mut self, series: &str) {
        let known = self.series.iter().any(|it| it == series);
        if !known && self.series.len() < MAX_SOURCES {
            self.series.push(series.to_owned());
        }
    }

    /// Adds an instance, and its series if that is known.
    pub(super) fn add_instance(&mut self, instance: &str, evidence: &Evidence) {
        if let Some(series) = evidence.series_of(instance) {
            self.add_series(series);
        }
        if self.instances.iter().any(|it| it == instance) {
            return;
        }
        if self.instances.len() < MAX_SOURCES {
            self.instances.push(instance.to_owned());
        } else {
            self.more = true;
        }
    }

    /// Series, and the instances if they are few.
    pub(super) fn named(&self) -> (Vec<String>, Vec<String>) {
        let instances = if self.more {
            Vec::new()
        } else {
            self.instances.clone()
        };
        (self.series.clone(), instances)
    }
}

/// What is said or drawn about images is not what was measured.
fn is_measured_on(reference: &DataSet) -> bool {
    const REPORTS: &str = "1.2.840.10008.5.1.4.1.1.88.";
    const PRESENTATIONS: &str = "1.2.840.10008.5.1.4.1.1.11.";
    let class = reference.ascii(tags::REFERENCED_SOP_CLASS_UID);
    let class = class.unwrap_or_default();
    let others = [
        uids::SEGMENTATION_STORAGE,
        uids::LABEL_MAP_SEGMENTATION_STORAGE,
        uids::SURFACE_SEGMENTATION_STORAGE,
        uids::HEIGHT_MAP_SEGMENTATION_STORAGE,
        uids::RT_STRUCTURE_SET_STORAGE,
        uids::REAL_WORLD_VALUE_MAPPING_STORAGE,
    ];
    !class.starts_with(REPORTS)
        && !class.starts_with(PRESENTATIONS)
        && !others.contains(&class.as_str())
}

/// A UID, if the element has one.
pub(super) fn uid(data: &DataSet, tag: Tag) -> Option<String> {
    let uid = data.ascii(tag)?;
    Uid::parse(&uid).is_ok().then_some(uid)
}
