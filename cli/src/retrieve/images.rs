//! Images by RAD-69, a batch at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context;
use hilum_audit::{Audit, Event, Outcome, Parties, Study};
use hilum_dicom::{Uid, instance};
use indicatif::ProgressBar;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};

use super::receive::{Delivery, receive};
use crate::client::Node;

/// Instances that are asked for at once. The answer lists each of them before the first byte of an
/// image, and a peer may limit how long that list is.
pub(super) const BATCH: usize = 256;
/// The transfer syntaxes of DICOM (PS3.6 A) in which pixels come with the image: not those of JPIP,
/// which send an address instead.
const TRANSFER_SYNTAXES: [&str; 36] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.92",
    "1.2.840.10008.1.2.4.93",
    "1.2.840.10008.1.2.4.100",
    "1.2.840.10008.1.2.4.100.1",
    "1.2.840.10008.1.2.4.101",
    "1.2.840.10008.1.2.4.101.1",
    "1.2.840.10008.1.2.4.102",
    "1.2.840.10008.1.2.4.102.1",
    "1.2.840.10008.1.2.4.103",
    "1.2.840.10008.1.2.4.103.1",
    "1.2.840.10008.1.2.4.104",
    "1.2.840.10008.1.2.4.105",
    "1.2.840.10008.1.2.4.106",
    "1.2.840.10008.1.2.4.107",
    "1.2.840.10008.1.2.4.108",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.4.111",
    "1.2.840.10008.1.2.4.112",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.8.1",
];

/// An instance that a manifest lists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Image {
    pub(super) study: Uid,
    pub(super) series: Uid,
    pub(super) instance: Uid,
    pub(super) sop_class: Uid,
    pub(super) source: Source,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    pub(super) repository: String,
    pub(super) home: Option<String>,
}

impl Image {
    fn request(&self) -> DocumentRequest {
        DocumentRequest {
            home_community_id: self.source.home.as_deref().map(Into::into),
            repository_unique_id: self.source.repository.as_str().into(),
            document_unique_id: self.instance.as_str().into(),
        }
    }
}

/// What was got of a study.
#[derive(Debug, Default)]
pub(super) struct Got {
    pub(super) series: BTreeSet<Uid>,
    pub(super) wanted: usize,
    pub(super) instances: usize,
    pub(super) bytes: u64,
}

/// What was got so far.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) studies: BTreeMap<Uid, Got>,
    pub(super) errors: Vec<RegistryError>,
    /// Files that are not the instances that were asked for.
    pub(super) wrong: Vec<String>,
}

/// The transfer syntaxes in which images may come.
pub(super) fn transfer_syntaxes(chosen: &[String]) -> Vec<String> {
    match chosen.is_empty() {
        true => TRANSFER_SYNTAXES.map(str::to_owned).to_vec(),
        false => chosen.to_vec(),
    }
}

/// Asks the imaging source.
pub(super) struct Imaging<'a> {
    pub(super) node: &'a Node,
    pub(super) ledger: &'a Audit,
    pub(super) patient: Option<&'a str>,
    pub(super) out: &'a Path,
    pub(super) transfer_syntaxes: Vec<String>,
}

impl Imaging<'_> {
    /// Gets some instances, and records what came before anybody sees it. Gives back why it makes no
    /// sense to go on.
    pub(super) async fn fetch(
        &self,
        batch: &[Image],
        progress: &mut Progress,
        bar: &ProgressBar,
    ) -> anyhow::Result<Option<anyhow::Error>> {
        let url = self.node.imaging()?;
        let request = RetrieveImagingDocumentSetRequest {
            studies: studies(batch),
            transfer_syntax_uids: self.transfer_syntaxes.clone(),
        };
        let wanted: Vec<DocumentRequest> = batch.iter().map(Image::request).collect();
        let client = &self.node.client;
        let answer = client.send::<RetrieveImagingDocumentSet>(&url, &request, Vec::new());
        let hidden = ProgressBar::hidden();
        let delivery = receive(answer.await, &wanted, self.out, &hidden).await;
        let event = self.event(&Parties::asked(&url), batch, &delivery);
        let delivery = self.ledger.record(event, delivery).await?.into_inner();
        for received in delivery.received {
            let image = &batch[received.place];
            bar.inc(1);
            if let Some(wrong) = mistaken(image, received.path()) {
                progress.wrong.push(wrong);
                continue;
            }
            let got = progress.studies.entry(image.study.clone()).or_default();
            got.instances += 1;
            got.bytes += received.size;
            let folder = self
                .out
                .join(image.study.as_str())
                .join(image.series.as_str());
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("{}: cannot be made", folder.display()))?;
            received.keep(&folder.join(format!("{}.dcm", image.instance)))?;
        }
        progress.errors.extend(delivery.errors);
        Ok(delivery.broken)
    }

    /// One message for what came and one for what did not.
    fn event(&self, parties: &Parties, batch: &[Image], delivery: &Delivery) -> Event {
        let (mut came, mut missing) = (Vec::new(), Vec::new());
        for (place, image) in batch.iter().enumerate() {
            match delivery.has(place) {
                true => came.push(image),
                false => missing.push(image),
            }
        }
        let event = |images: &[&Image], outcome: Outcome| {
            let studies = audited(images);
            Event::imaging_retrieved(parties, self.patient, &studies, &outcome)
        };
        let failed = || event(&missing, Outcome::Failure(delivery.reasons()));
        match (came.is_empty(), missing.is_empty()) {
            (_, true) => event(&came, Outcome::Success),
            (true, false) => failed(),
            (false, false) => event(&came, Outcome::Success).and(failed()),
        }
    }
}

/// The images by study and series. They are sorted.
fn studies(images: &[Image]) -> Vec<StudyRequest> {
    let mut studies: Vec<StudyRequest> = Vec::new();
    for by_study in images.chunk_by(|one, next| one.study == next.study) {
        let series = by_study.chunk_by(|one, next| one.series == next.series);
        let series = series.map(|by_series| SeriesRequest {
            series_instance_uid: by_series[0].series.to_string(),
            documents: by_series.iter().map(Image::request).collect(),
        });
        studies.push(StudyRequest {
            study_instance_uid: by_study[0].study.to_string(),
            series: series.collect(),
        });
    }
    studies
}

/// What the audit says about images: their studies, and how many of which kind.
fn audited(images: &[&Image]) -> Vec<Study> {
    let mut studies: BTreeMap<(&str, &Source), BTreeMap<&str, u64>> = BTreeMap::new();
    for image in images {
        let classes = studies
            .entry((image.study.as_str(), &image.source))
            .or_default();
        *classes.entry(image.sop_class.as_str()).or_default() += 1;
    }
    let study = |((uid, source), classes): ((&str, &Source), BTreeMap<&str, u64>)| Study {
        instance_uid: uid.to_owned(),
        sop_classes: classes
            .into_iter()
            .map(|(class, count)| (class.to_owned(), count))
            .collect(),
        repository_unique_id: Some(source.repository.clone()),
        home_community_id: source.home.clone(),
    };
    studies.into_iter().map(study).collect()
}

/// Why a file is not the instance that was asked for.
fn mistaken(image: &Image, file: &Path) -> Option<String> {
    let id = &image.instance;
    match instance::read(file) {
        Ok(found) => {
            let same = found.sop_instance_uid == *id
                && found.series_instance_uid == image.series
                && found.study_instance_uid == image.study;
            (!same).then(|| format!("what came for {id} is another instance"))
        }
        Err(error) => Some(format!("what came for {id} is not DICOM: {error}")),
    }
}
