//! Taking instances back: a rejection note is written and comes in like one that a modality sends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::SystemTime;

use anyhow::{Context, bail};
use hilum_dicom::Uid;
use hilum_dicom::manifest::Plan;
use hilum_dicom::rejection::{self, Rejection, Title};
use hilum_dicom::scan::Study;
use uuid::Uuid;

use super::ImagingConfig;
use super::gate::Gate;
use super::index::Index;
use super::index::work::Way;
use super::intake::{Intake, Taken};

/// What is to be taken back, and why.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Study Instance UID.
    pub study: &'a str,
    /// Series Instance UIDs; all series if there is none.
    pub series: &'a [String],
    /// SOP Instance UIDs; all instances if there is none.
    pub instances: &'a [String],
    /// Why.
    pub title: Title,
    /// Why in words.
    pub comment: Option<&'a str>,
}

/// What was taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenBack {
    /// SOP Instance UID of the note.
    pub note: String,
    /// So many instances.
    pub instances: usize,
    /// So many are left in the study.
    pub left: usize,
    /// SOP classes of what was taken back, and how many instances of each.
    pub sop_classes: Vec<(String, u64)>,
    /// The study's patient in the affinity domain, as CX, if it was ever published.
    pub patient_id: Option<String>,
}

/// Takes instances back. It may be done while the node runs, which publishes then what is left.
///
/// # Errors
/// If the study, a series or an instance is not here, or the note cannot be written.
pub async fn reject(
    config: &ImagingConfig,
    wanted: Wanted<'_>,
    now: SystemTime,
) -> anyhow::Result<TakenBack> {
    let index = Index::open(&config.store)?;
    let indexed = index.read(&Uid::parse(wanted.study)?)?;
    let indexed = indexed.filter(|indexed| !indexed.study.series.is_empty());
    let indexed =
        indexed.with_context(|| format!("study {} is not in the imaging source", wanted.study))?;
    let (study, patient_id) = (indexed.study, indexed.patient_id);
    let instances = chosen(&study, wanted)?;
    let location = Uid::parse(config.repository_unique_id.as_str())?;
    let (note, series) = (
        Uid::from_uuid(Uuid::new_v4()),
        Uid::from_uuid(Uuid::new_v4()),
    );
    let plan = Plan {
        sop_instance_uid: &note,
        series_instance_uid: &series,
        made: now,
        retrieve_ae_title: &config.retrieve_ae_title,
        retrieve_location_uid: &location,
        retrieve_url: None,
        utc_offset: config.utc_offset,
    };
    let rejection = Rejection {
        title: wanted.title,
        modifier: None,
        description: wanted.comment,
    };
    let bytes = rejection::write(&study, &instances, &rejection, &plan)?;
    // It speaks of instances as they are called here, so no collection concerns it.
    let intake = Intake::open(index, Gate::default(), 0)?;
    let taken = tokio::task::spawn_blocking({
        let intake = intake.clone();
        move || {
            let incoming = intake.begin()?;
            fs::write(incoming.path(), bytes)?;
            intake.look(incoming, "hilum reject", Way::Sent)
        }
    });
    let taken = taken.await??.map_err(anyhow::Error::msg)?;
    match intake.take(taken).await? {
        Taken::Stored => {}
        other => bail!("the rejection note was not taken: {other:?}"),
    }
    Ok(TakenBack {
        note: note.to_string(),
        instances: instances.len(),
        left: study.instances().count() - instances.len(),
        sop_classes: sop_classes(&study, &instances),
        patient_id,
    })
}

/// SOP classes of instances, and how many of each.
fn sop_classes(study: &Study, instances: &BTreeSet<Uid>) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::new();
    let taken = study.instances();
    for instance in taken.filter(|it| instances.contains(&it.sop_instance_uid)) {
        *counts
            .entry(instance.sop_class_uid.to_string())
            .or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The instances that are meant. Whatever is named must be there.
fn chosen(study: &Study, wanted: Wanted<'_>) -> anyhow::Result<BTreeSet<Uid>> {
    for series in wanted.series {
        if study.series.iter().all(|it| it.uid.as_str() != series) {
            bail!("series {series} is not in study {}", study.uid);
        }
    }
    let is_wanted = |all: &[String], uid: &Uid| {
        all.is_empty() || all.iter().any(|wanted| wanted == uid.as_str())
    };
    let series = study.series.iter();
    let series = series.filter(|series| is_wanted(wanted.series, &series.uid));
    let instances: BTreeSet<Uid> = series
        .flat_map(|series| &series.instances)
        .map(|instance| &instance.sop_instance_uid)
        .filter(|uid| is_wanted(wanted.instances, uid))
        .cloned()
        .collect();
    for instance in wanted.instances {
        if instances.iter().all(|uid| uid.as_str() != instance) {
            bail!(
                "instance {instance} is not in what is to be rejected of study {}",
                study.uid
            );
        }
    }
    Ok(instances)
}
