//! Importing: folders of DICOM files become studies that can be found.
//!
//! What is to be sent is in the index before it is sent, and what was answered afterwards. So an
//! import that is cut short anywhere is finished by the next one, without a second manifest.

mod handing_in;
mod merge;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_transport::Client;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::ebrs::RegistryError;

use super::ImagingConfig;
use super::document_entry::{foreign_issuer, patient_id};
use super::index::{Index, Indexed};
use super::manifest::Manifest;
use hilum_dicom::Uid;
use hilum_dicom::scan::{LeftOut, Scan, Study, scan};

use handing_in::{hand_in, settled};

/// What an import needs.
#[derive(Debug, Clone, Copy)]
pub struct Importing<'a> {
    /// The imaging source.
    pub config: &'a ImagingConfig,
    /// The codes of the affinity domain.
    pub codes: &'a AffinityCodes,
    /// The URL of the repository that takes the manifests (RAD-68).
    pub repository: &'a str,
    /// The URL of the registry, to ask what became of a manifest whose answer was lost (ITI-18).
    /// Without one, it is handed in again.
    pub registry: Option<&'a str>,
    /// How to reach them.
    pub client: &'a Client,
    /// Where to record what was sent.
    pub audit: &'a Audit,
    /// When the manifests are made.
    pub now: SystemTime,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Files are being read.
    Reading {
        /// So many are read.
        done: usize,
        /// Of so many.
        of: usize,
    },
    /// Manifests are being handed in.
    Registering {
        /// For so many studies that is done.
        done: usize,
        /// Of so many.
        of: usize,
    },
}

/// What came of an import.
#[derive(Debug, Default)]
pub struct Report {
    /// The studies that were found, by Study Instance UID.
    pub studies: Vec<Imported>,
    /// Files that are in no study, and why.
    pub left_out: Vec<LeftOut>,
    /// What is worth saying and no failure.
    pub notes: Vec<String>,
}

/// A study that was found.
#[derive(Debug)]
pub struct Imported {
    /// Study Instance UID.
    pub study_instance_uid: Uid,
    /// Patient ID (0010,0020).
    pub patient_id: Option<String>,
    /// Study Description.
    pub description: Option<String>,
    /// How many series it has.
    pub series: usize,
    /// How many instances it has.
    pub instances: usize,
    /// What became of it.
    pub fate: Fate,
    /// What is worth saying and no failure.
    pub remarks: Vec<String>,
}

/// What became of a study.
#[derive(Debug)]
pub enum Fate {
    /// It has a manifest now.
    Registered {
        /// The manifest's uniqueId.
        manifest: Uid,
    },
    /// It has another manifest now.
    Replaced {
        /// The manifest's uniqueId.
        manifest: Uid,
        /// The `entryUUID` of the one that was replaced.
        replaced: String,
    },
    /// Its manifest says already what there is to say. Nothing was sent.
    Unchanged {
        /// The manifest's uniqueId.
        manifest: Uid,
    },
    /// It cannot be registered as it is; nothing was sent.
    Unsuitable(String),
    /// The repository refused its manifest.
    Refused(Vec<RegistryError>),
    /// The repository or the registry gave no answer. The next import goes on from here.
    Unanswered(String),
}

/// Reads folders or files, and registers what is new or has changed. Files that cannot be read are
/// left out, and a study that is refused does not keep the others back. `progress` is called often,
/// from several threads.
///
/// Instances that an earlier import found elsewhere stay in their study if their files are still
/// there; those that were below one of `paths` and are no longer there do not.
///
/// # Errors
/// If one of `paths` cannot be listed, if another import is running, or if the index or the audit
/// trail cannot be written. What was done until then is in the index.
pub async fn import(
    importing: &Importing<'_>,
    paths: &[PathBuf],
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<Report> {
    let index = Index::open(&importing.config.store)?;
    let _lock = index.lock()?;
    let roots = canonical(paths)?;
    let found = read_folders(roots.clone(), Arc::clone(&progress)).await?;
    let mut report = Report {
        studies: Vec::with_capacity(found.studies.len()),
        left_out: found.left_out,
        notes: found.notes,
    };
    let of = found.studies.len();
    for (done, study) in found.studies.into_iter().enumerate() {
        progress(Progress::Registering { done, of });
        report
            .studies
            .push(one(importing, &index, &roots, study).await?);
    }
    progress(Progress::Registering { done: of, of });
    Ok(report)
}

fn canonical(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let real = |path: &PathBuf| {
        let shown = || format!("{} cannot be read", path.display());
        path.canonicalize().with_context(shown)
    };
    paths.iter().map(real).collect()
}

async fn read_folders(
    roots: Vec<PathBuf>,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<Scan> {
    let read = move || scan(&roots, &|done, of| progress(Progress::Reading { done, of }));
    let found = tokio::task::spawn_blocking(read).await;
    Ok(found.context("reading the files ended early")??)
}

async fn one(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    study: Study,
) -> anyhow::Result<Imported> {
    let mut imported = Imported {
        study_instance_uid: study.uid.clone(),
        patient_id: study.patient.id.clone(),
        description: study.facts.description.clone(),
        series: study.series.len(),
        instances: study.instances().count(),
        fate: Fate::Unsuitable(String::new()),
        remarks: Vec::new(),
    };
    if let Some(issuer) = foreign_issuer(importing.config, &study) {
        imported.remarks.push(format!(
            "its Patient ID was given by {issuer} and is used as one of {}",
            importing.config.patient_id_authority
        ));
    }
    imported.fate = register(importing, index, roots, study, &mut imported.remarks).await?;
    Ok(imported)
}

/// Brings index and registry to what was found.
async fn register(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    study: Study,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Fate> {
    let Some(patient) = patient_id(importing.config, &study) else {
        let problem = "it has no Patient ID (0010,0020)";
        return Ok(Fate::Unsuitable(problem.to_owned()));
    };
    let known = match known(index, &study.uid, remarks)? {
        None => None,
        Some(known) => match settled(importing, index, known, remarks).await? {
            Ok(known) => known,
            Err(no_answer) => return Ok(Fate::Unanswered(no_answer)),
        },
    };
    if known
        .as_ref()
        .is_some_and(|it| it.patient_id != patient.to_string())
    {
        let problem = "its Patient ID is not that under which it was imported before";
        return Ok(Fate::Unsuitable(problem.to_owned()));
    }
    let study = match &known {
        Some(known) => merge::merged(&known.study, study, roots),
        None => study,
    };
    if study.series.is_empty() {
        return emptied(index, known, study);
    }
    let registered = known.as_ref().and_then(|it| it.registered.as_ref());
    let (config, codes) = (importing.config, importing.codes);
    let plan = Manifest::plan(config, codes, &patient, &study, registered, importing.now);
    let plan = match plan {
        Ok(plan) => plan,
        // Something that the study says has no place in a manifest: that is no reason to stop.
        Err(error) => return Ok(Fate::Unsuitable(format!("it has no manifest: {error:#}"))),
    };
    if let Some(current) = registered.filter(|it| it.says == plan.says) {
        let manifest = current.sop_instance_uid.clone();
        let current = Some(current.clone());
        let now = Indexed::new(patient.to_string(), study, current, None);
        // Files may lie elsewhere now, or have been written again.
        if known.as_ref() != Some(&now) {
            index.write(&now)?;
        }
        return Ok(Fate::Unchanged { manifest });
    }
    hand_in(importing, index, known, &patient, study, plan, remarks).await
}

/// A study as it is in the index. What cannot be read there is as good as lost.
fn known(index: &Index, study: &Uid, remarks: &mut Vec<String>) -> anyhow::Result<Option<Indexed>> {
    match index.read(study) {
        Err(damaged) if damaged.is::<serde_json::Error>() => {
            remarks.push("its file in the index was damaged and is written again".to_owned());
            Ok(None)
        }
        read => read,
    }
}

/// All of a study was taken back: nothing of it is served any more.
fn emptied(index: &Index, known: Option<Indexed>, study: Study) -> anyhow::Result<Fate> {
    let mut problem = "all of its instances were rejected".to_owned();
    if let Some(known) = known {
        problem.push_str("; its manifest is still registered, and what it lists is not served");
        let Indexed {
            patient_id,
            registered,
            ..
        } = known;
        index.write(&Indexed::new(patient_id, study, registered, None))?;
    }
    Ok(Fate::Unsuitable(problem))
}

/// Whether a file lies below one of these folders, or is one of these files.
fn below(roots: &[PathBuf], file: &Path) -> bool {
    roots.iter().any(|root| file.starts_with(root))
}
