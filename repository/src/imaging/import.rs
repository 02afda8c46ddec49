//! Importing: folders of DICOM files become studies that can be found, and volumes of other formats
//! among them become documents.
//!
//! What is to be sent is in the index before it is sent, and what was answered afterwards. So an
//! import that is cut short anywhere is finished by the next one, without a second manifest.

mod merge;
mod taken_in;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use hilum_audit::Audit;
use hilum_transport::Client;
use xds_schemas::affinity_codes::AffinityCodes;
use xds_schemas::ebrs::RegistryError;

use super::ImagingConfig;
use super::document_entry::foreign_issuer;
use super::index::work::{Claimant, Settling, now};
use super::index::{Index, Indexed};
use super::intake::remove_doomed;
use super::publish::{self, Attempt, Settled};
use super::volumes::{self, ImportedVolume, Whose};
use hilum_dicom::Uid;
use hilum_dicom::instance::Instance;
use hilum_dicom::scan::{LeftOut, Scan, Study, scan_and_inspect};
use hilum_dicom::walk::Part10;

/// Where imported objects come from, for the gate and for people.
pub(super) const ORIGIN: &str = "import";
/// How often a study that changes while it is worked on is begun anew.
const ATTEMPTS: usize = 5;
/// What rejection notes change is published by the import that found them, not by the node, unless that
/// takes longer. In milliseconds.
const PUBLISHED_BY_IMPORT: i64 = 60_000;
/// How long to wait for the node if it is publishing the same study.
const PATIENCE: Duration = Duration::from_secs(60);

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
    /// Volumes that are no DICOM objects are being handed in.
    Volumes {
        /// For so many that is done.
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
    /// Files that did not pass, and are kept back until somebody decides.
    pub kept_back: Vec<KeptBack>,
    /// The volumes of NIfTI and Analyze that were found, by their files.
    pub volumes: Vec<ImportedVolume>,
}

/// A file that did not pass.
#[derive(Debug)]
pub struct KeptBack {
    /// The file.
    pub path: PathBuf,
    /// Why: sentences for a person.
    pub reasons: Vec<String>,
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
    /// Nothing is left of it, so its manifest was deprecated.
    Withdrawn {
        /// The manifest's uniqueId.
        manifest: Uid,
    },
    /// It is kept back until somebody releases it, for these reasons; nothing was sent.
    KeptBack(Vec<String>),
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
/// Volumes of NIfTI and Analyze are left out, since nothing says whose they are.
///
/// # Errors
/// If one of `paths` cannot be listed, if another import is running, or if the index or the audit
/// trail cannot be written. What was done until then is in the index.
pub async fn import(
    importing: &Importing<'_>,
    paths: &[PathBuf],
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<Report> {
    import_with_volumes(importing, paths, &Whose::Unknown, progress).await
}

/// As [`import()`], and hands in volumes of NIfTI and Analyze as documents of the patients whose they
/// are.
///
/// # Errors
/// As [`import()`].
pub async fn import_with_volumes(
    importing: &Importing<'_>,
    paths: &[PathBuf],
    whose: &Whose,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<Report> {
    let index = Index::open(&importing.config.store, &importing.config.vault)?;
    let _lock = index.lock()?;
    let roots = canonical(paths)?;
    let imported = match importing.config.gate.deidentifies(ORIGIN) {
        true => taken_in::import(importing, &index, &roots, Arc::clone(&progress)).await,
        false => in_place(importing, &index, &roots, Arc::clone(&progress)).await,
    };
    let (mut report, volumes) = imported?;
    volumes::import(importing, &index, volumes, whose, &mut report, &*progress).await?;
    Ok(report)
}

/// Imports DICOM files that stay where they are. Volumes of other formats are found with them.
async fn in_place(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<(Report, volumes::Found)> {
    let gate = importing.config.gate.clone();
    let released = index.clone();
    let inspect = move |file: &Part10, instance: &mut Instance| {
        let collection = gate.collection(ORIGIN, file);
        let reasons = gate.inspect(collection, file, instance);
        let uid = &instance.sop_instance_uid;
        match reasons.is_empty() || released.was_released(uid).unwrap_or(false) {
            true => Vec::new(),
            false => reasons,
        }
    };
    let read = read_folders(roots.to_owned(), inspect, Arc::clone(&progress));
    let mut found = read.await?;
    let others = take_back(index, &found)?;
    let volumes = volumes::sort_out(&mut found.left_out).await?;
    let mut report = Report {
        left_out: found.left_out,
        notes: found.notes,
        ..Report::default()
    };
    for kept in found.kept_back {
        let (path, reasons) = (kept.path, kept.reasons);
        index.quarantine(&kept.instance, ORIGIN, &reasons, &path, now())?;
        report.kept_back.push(KeptBack { path, reasons });
    }
    let_go(index, roots, &report.kept_back)?;
    for study in others {
        let published = taken_in::one(importing, index, &study).await?;
        report.studies.extend(published);
    }
    let of = found.studies.len();
    for (done, study) in found.studies.into_iter().enumerate() {
        progress(Progress::Registering { done, of });
        report
            .studies
            .push(one(importing, index, roots, study).await?);
    }
    progress(Progress::Registering { done: of, of });
    Ok((report, volumes))
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
    inspect: impl Fn(&Part10, &mut Instance) -> Vec<String> + Send + Sync + 'static,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<Scan> {
    let read = move || {
        let progress = |done, of| progress(Progress::Reading { done, of });
        scan_and_inspect(&roots, &inspect, &progress)
    };
    let found = tokio::task::spawn_blocking(read).await;
    Ok(found.context("reading the files ended early")??)
}

async fn one(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    study: Study,
) -> anyhow::Result<Imported> {
    let mut imported = Imported::of(&study);
    if let Some(issuer) = foreign_issuer(importing.config, &study) {
        imported.remarks.push(format!(
            "its Patient ID was given by {issuer} and is used as one of {}",
            importing.config.patient_id_authority
        ));
    }
    imported.fate = register(importing, index, roots, study, &mut imported.remarks).await?;
    Ok(imported)
}

impl Imported {
    /// What is said of a study of which it is not known yet what becomes of it.
    fn of(study: &Study) -> Self {
        Self {
            study_instance_uid: study.uid.clone(),
            patient_id: study.patient.id.clone(),
            description: study.facts.description.clone(),
            series: study.series.len(),
            instances: study.instances().count(),
            fate: Fate::Unsuitable(String::new()),
            remarks: Vec::new(),
        }
    }
}

/// Keeps the node from publishing a study that it has, too, meanwhile.
async fn claim(index: &Index, study: &Uid) -> anyhow::Result<()> {
    let begun = Instant::now();
    while index.generation(study)?.is_some()
        && !index.claim(study, Claimant::Import, now())?
        && begun.elapsed() < PATIENCE
    {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Brings index and registry to what was found.
async fn register(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    study: Study,
    remarks: &mut Vec<String>,
) -> anyhow::Result<Fate> {
    let uid = study.uid.clone();
    claim(index, &uid).await?;
    for _ in 0..ATTEMPTS {
        let known = match publish::known(index, &uid, remarks)? {
            None => None,
            Some(known) => match publish::settled(importing, index, known, remarks).await? {
                Settled::Known(known) => known.map(|known| *known),
                Settled::Unanswered(why) => return Ok(Fate::Unanswered(why)),
            },
        };
        let study = study.clone();
        let found = match &known {
            Some(known) => Indexed {
                study: merge::merged(&known.study, study, roots, &index.objects()),
                ..known.clone()
            },
            None => Indexed::new(None, without_rejected(index, study)?),
        };
        match publish::bring(importing, index, known, found, remarks).await? {
            Attempt::Came(fate, generation) => {
                index.done(&uid, generation)?;
                return Ok(fate);
            }
            Attempt::Changed => {}
        }
    }
    Ok(publish::changes())
}

/// What was found of a study, without what was taken back before.
fn without_rejected(index: &Index, mut study: Study) -> anyhow::Result<Study> {
    for (instance, title) in index.taken_back(&study.uid)? {
        study.reject(instance, title);
    }
    study.drop_rejected();
    Ok(study)
}

/// Carries out what the rejection notes in the folders say, and gives the studies of which nothing else
/// was found.
fn take_back(index: &Index, found: &Scan) -> anyhow::Result<BTreeSet<Uid>> {
    let _lock = index.lock_objects()?;
    let mut others = BTreeSet::new();
    for rejected in &found.taken_back {
        index.take_back(
            rejected,
            Settling {
                now: now(),
                quiet: PUBLISHED_BY_IMPORT,
            },
        )?;
        others.extend(rejected.instances.iter().map(|(study, _)| study.clone()));
    }
    remove_doomed(index)?;
    for study in &found.studies {
        others.remove(&study.uid);
    }
    Ok(others)
}

/// Ends the quarantine of files in these folders that pass now or are gone.
fn let_go(index: &Index, roots: &[PathBuf], kept_back: &[KeptBack]) -> anyhow::Result<()> {
    for known in index.quarantined(None)? {
        let stays = kept_back.iter().any(|it| it.path == known.path);
        if known.origin == ORIGIN && below(roots, &known.path) && !stays {
            index.end_quarantine(known.number)?;
        }
    }
    Ok(())
}

/// Whether a file lies below one of these folders, or is one of these files.
fn below(roots: &[PathBuf], file: &Path) -> bool {
    roots.iter().any(|root| file.starts_with(root))
}
