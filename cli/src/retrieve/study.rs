//! Studies: the manifest says which images, and where.

use std::collections::BTreeSet;

use anyhow::{Context, bail};
use hilum_audit::Audit;
use hilum_dicom::Uid;
use hilum_dicom::manifest::{self, ReferencedSeries};
use serde_json::json;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, DocumentFilter, FindDocuments, Pattern, StoredQuery,
};
use xds_schemas::metadata::{DocumentEntryType, ReferenceId};
use xds_schemas::rad68_provide_and_register_imaging_document_set::{
    FORMAT_CODE, FORMAT_CODE_SCHEME,
};

use super::documents;
use super::images::{BATCH, Got, Image, Imaging, Progress, Source, transfer_syntaxes};
use super::wanted::{Wanted, registered};
use super::{Arguments, complete};
use crate::client::Node;
use crate::domain::Domain;
use crate::query::{self, Question};
use crate::refusal;
use crate::status::Usage;
use crate::terminal::{Table, count_bar, say, say_json};

pub(super) async fn run(arguments: &Arguments, node: &Node, ledger: &Audit) -> anyhow::Result<()> {
    let manifests = manifests(arguments, node, ledger).await?;
    let patient = manifests
        .first()
        .and_then(|manifest| manifest.patient.clone());
    let images = images(arguments, node, ledger, &manifests).await?;
    if images.is_empty() {
        bail!("the manifest lists no images of it");
    }
    let imaging = Imaging {
        node,
        ledger,
        patient: patient.as_deref(),
        out: &arguments.out,
        transfer_syntaxes: transfer_syntaxes(&arguments.transfer_syntax),
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
    complete(
        what,
        progress.errors,
        node.answered_by(),
        got == images.len(),
    )
}

/// The manifests that are wanted.
async fn manifests(
    arguments: &Arguments,
    node: &Node,
    ledger: &Audit,
) -> anyhow::Result<Vec<Wanted>> {
    if let Some(manifest) = &arguments.manifest {
        let home = arguments.home.as_deref();
        let located = registered(node, ledger, &[manifest], home).await?;
        if !located.unknown.is_empty() {
            bail!("{} document {manifest}", node.answered_by().has_no());
        }
        return Ok(located.wanted);
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
        let has_no = node.answered_by().has_no();
        bail!("{has_no} manifest of study {study} for this patient");
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
        node.answered_by(),
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
        return say_json(&json);
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
    Ok(say(&table.text())?)
}
