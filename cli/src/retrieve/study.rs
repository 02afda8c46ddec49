//! Images by RAD-69: the manifest says which, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use hilum_audit::{Audit, Event, Outcome, Parties, Study};
use hilum_repository::dicom::manifest::{self, ReferencedSeries};
use hilum_repository::dicom::{Uid, instance};
use indicatif::ProgressBar;
use serde_json::json;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindDocuments, Pattern, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::metadata::{DocumentEntryType, ReferenceId};
use xds_schemas::rad68_provide_and_register_imaging_document_set::{
    FORMAT_CODE, FORMAT_CODE_SCHEME,
};
use xds_schemas::rad69_retrieve_imaging_document_set::{
    RetrieveImagingDocumentSet, RetrieveImagingDocumentSetRequest, SeriesRequest, StudyRequest,
};

use super::documents::{self, Wanted};
use super::receive::{Delivery, receive};
use super::{Arguments, complete};
use crate::client::Node;
use crate::domain::Domain;
use crate::query::{self, Question};
use crate::refusal;
use crate::status::Usage;
use crate::terminal::{Table, count_bar, say, say_json};

/// Instances that are asked for at once. The answer lists each of them before the first byte of an
/// image, and a peer may limit how long that list is.
const BATCH: usize = 256;
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
struct Image {
    study: Uid,
    series: Uid,
    instance: Uid,
    sop_class: Uid,
    source: Source,
}

/// Where it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    repository: String,
    home: Option<String>,
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
struct Got {
    series: BTreeSet<Uid>,
    wanted: usize,
    instances: usize,
    bytes: u64,
}

/// What was got so far.
#[derive(Debug, Default)]
struct Progress {
    studies: BTreeMap<Uid, Got>,
    errors: Vec<RegistryError>,
    /// Files that are not the instances that were asked for.
    wrong: Vec<String>,
}

pub(super) async fn run(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<()> {
    let manifests = manifests(arguments, node, ledger).await?;
    let patient = manifests
        .first()
        .and_then(|manifest| manifest.patient.clone());
    let images = images(arguments, node, ledger, &manifests).await?;
    let imaging = Imaging {
        node,
        ledger,
        patient: patient.as_deref(),
        out: &arguments.out,
        transfer_syntaxes: transfer_syntaxes(arguments),
    };
    let mut progress = Progress::default();
    for image in &images {
        let got = progress.studies.entry(image.study.clone()).or_default();
        got.wanted += 1;
        got.series.insert(image.series.clone());
    }
    let bar = count_bar(images.len() as u64, "retrieving");
    let mut broken = None;
    for batch in images.chunks(BATCH) {
        broken = imaging.fetch(batch, &mut progress, &bar).await?;
        if broken.is_some() {
            break;
        }
    }
    bar.finish_and_clear();
    show(arguments, &progress)?;
    if let Some(broken) = broken {
        return Err(broken);
    }
    let got: usize = progress.studies.values().map(|got| got.instances).sum();
    let mut what = format!("{got} of {} images were retrieved", images.len());
    for wrong in &progress.wrong {
        what.push_str(&format!("; {wrong}"));
    }
    complete(what, progress.errors, got == images.len())
}

/// The manifests that are wanted.
async fn manifests(
    arguments: &Arguments,
    node: &Node,
    ledger: &Audit,
) -> anyhow::Result<Vec<Wanted>> {
    if let Some(manifest) = &arguments.manifest {
        return documents::registered(node, ledger, &[manifest], arguments.home.as_deref()).await;
    }
    let (Some(study), Some(patient)) = (&arguments.study, &arguments.patient) else {
        return Err(Usage::new("what is wanted? Say UNIQUE_ID, --manifest or --study").into());
    };
    let study_reference = ReferenceId::study(study).to_string();
    let format = format!("{FORMAT_CODE}^^{FORMAT_CODE_SCHEME}");
    let filter = DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        format_codes: AnyOf(vec![Pattern::exact(format)]),
        reference_ids: AllOf(vec![AnyOf(vec![Pattern::like(study_reference)])]),
        ..DocumentFilter::default()
    };
    let query = StoredQuery::FindDocumentsByReferenceId(FindDocuments {
        patient: Domain::of(&node.config)?.patient(patient)?,
        statuses: vec![AvailabilityStatus::Approved],
        filter,
    });
    let question = Question::from(&query).of_home(arguments.home.as_deref());
    let found = query::find(node, ledger, &question).await?;
    if found.documents.is_empty() {
        bail!("the registry has no manifest of study {study} for this patient");
    }
    let wanted = found.documents.iter().map(Wanted::registered);
    wanted
        .collect::<Option<_>>()
        .context("the registry does not say where the manifest is")
}

/// What the manifests list.
async fn images(
    arguments: &Arguments,
    node: &Node,
    ledger: &Audit,
    manifests: &[Wanted],
) -> anyhow::Result<Vec<Image>> {
    let delivery = documents::fetch(node, ledger, manifests, &arguments.out).await?;
    if let Some(broken) = delivery.broken {
        return Err(broken);
    }
    let what = "the manifest was not retrieved".to_owned();
    complete(
        what,
        delivery.errors,
        delivery.received.len() == manifests.len(),
    )?;
    let mut images = BTreeSet::new();
    for received in &delivery.received {
        let manifest = &manifests[received.place];
        let id = &manifest.request.document_unique_id;
        if manifest.differs(received) {
            bail!("manifest {id} is not what was registered: its hash or size differs");
        }
        let bytes = std::fs::read(received.path())?;
        let series = manifest::references(&bytes);
        let series =
            series.with_context(|| format!("document {id} is no manifest that can be read"))?;
        for series in &series {
            images.extend(listed(series, node, manifest)?);
        }
    }
    if let Some(study) = &arguments.study {
        images.retain(|image| image.study.as_str() == study);
    }
    Ok(images.into_iter().collect())
}

/// The instances of a series. Where a manifest does not say where they are, they are taken to be in
/// this node's imaging source.
fn listed(series: &ReferencedSeries, node: &Node, manifest: &Wanted) -> anyhow::Result<Vec<Image>> {
    let said = series
        .retrieve_location_uid
        .as_ref()
        .map(ToString::to_string);
    let source = Source {
        repository: said
            .or_else(|| node.config.imaging_unique_id())
            .context("the manifest does not say where its images are")?,
        home: manifest
            .request
            .home_community_id
            .as_ref()
            .map(ToString::to_string),
    };
    let image = |(sop_class, instance): &(Uid, Uid)| Image {
        study: series.study_instance_uid.clone(),
        series: series.series_instance_uid.clone(),
        instance: instance.clone(),
        sop_class: sop_class.clone(),
        source: source.clone(),
    };
    Ok(series.instances.iter().map(image).collect())
}

fn transfer_syntaxes(arguments: &Arguments) -> Vec<String> {
    match arguments.transfer_syntax.is_empty() {
        true => TRANSFER_SYNTAXES.map(str::to_owned).to_vec(),
        false => arguments.transfer_syntax.clone(),
    }
}

/// Asks the imaging source.
struct Imaging<'a> {
    node: &'a Node,
    ledger: &'a Audit,
    patient: Option<&'a str>,
    out: &'a Path,
    transfer_syntaxes: Vec<String>,
}

impl Imaging<'_> {
    /// Gets some instances, and records what came before anybody sees it. Gives back why it makes no
    /// sense to go on.
    async fn fetch(
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

fn show(arguments: &Arguments, progress: &Progress) -> anyhow::Result<()> {
    let folder = |study: &Uid| arguments.out.join(study.as_str());
    if arguments.json {
        let study = |(study, got): (&Uid, &Got)| {
            json!({
                "studyInstanceUID": study.as_str(),
                "series": got.series.len(),
                "instances": got.instances,
                "missing": got.wanted - got.instances,
                "bytes": got.bytes,
                "folder": folder(study),
            })
        };
        let json = json!({
            "studies": progress.studies.iter().map(study).collect::<Vec<_>>(),
            "errors": refusal::json(&progress.errors),
            "wrong": progress.wrong,
        });
        say_json(&json)?;
        return Ok(());
    }
    let mut table = Table::new(&["STUDY", "SERIES", "IMAGES", "BYTES", "FOLDER"]);
    for (study, got) in &progress.studies {
        table.row(vec![
            study.to_string(),
            got.series.len().to_string(),
            format!("{} of {}", got.instances, got.wanted),
            got.bytes.to_string(),
            folder(study).display().to_string(),
        ]);
    }
    say(&table.text())?;
    Ok(())
}
