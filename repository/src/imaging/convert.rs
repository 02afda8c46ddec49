//! Conversion: series of a study that is here become volumes (NIfTI-1), in a folder or as documents
//! beside the study's manifest.
//!
//! The same files give the same bytes, and a document is named after its bytes and the manifest that
//! it is made beside. So converting again registers nothing twice; a study that has another manifest
//! by now gets documents of its own, since those of the old one went with it (ITI TF-2 3.42.4.1.3.5).

mod entry;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilum_dicom::Uid;
use hilum_dicom::frames::Frames;
use hilum_dicom::scan::{Series, Study};
use hilum_dicom::transcode;
use hilum_dicom::volume::{self, Plan, WriteFault};
use hilum_dicom::walk::{self, Part10};
use xds_schemas::metadata::{EntryUuid, PatientId};

use super::ImagingConfig;
use super::import::Importing;
use super::index::{Index, Indexed};
use super::intake::{Incoming, Intake};
use super::iti18_registry_stored_query as iti18;
use super::manifest::Manifest;
use super::place::file_of;
use super::volumes::{PreparedDocument, VolumeFate, hand_in};

const BUFFER: usize = 256 * 1024;

/// A series, and what was made of it.
#[derive(Debug)]
pub struct ConvertedSeries {
    /// Series Instance UID.
    pub series_instance_uid: Uid,
    /// Series Number.
    pub number: Option<i64>,
    /// Modality.
    pub modality: Option<String>,
    /// Columns, rows, slices, volumes; nothing if there is no volume.
    pub size: Option<[u16; 4]>,
    /// What was made of it.
    pub conversion: Conversion,
    /// What is worth saying and no failure.
    pub remarks: Vec<String>,
}

/// What was made of a series.
#[derive(Debug)]
pub enum Conversion {
    /// These files: the volume, its sidecar, and for diffusion, its gradients.
    Written(Vec<PathBuf>),
    /// A document.
    Document {
        /// Its uniqueId.
        document: Uid,
        /// What became of it.
        fate: VolumeFate,
    },
    /// Nothing, for this reason.
    Unsuitable(String),
}

/// Converts the series of a study, or one of them, into files of a folder: `SERIES.nii.gz`,
/// `SERIES.json` and, of diffusion, `SERIES.bval` and `SERIES.bvec`, by Series Instance UID.
///
/// # Errors
/// If the study or series is not here or is kept back, or if the folder cannot be written.
pub async fn to_folder(
    config: &ImagingConfig,
    study: &Uid,
    series: Option<&Uid>,
    folder: &Path,
) -> anyhow::Result<Vec<ConvertedSeries>> {
    let index = Index::open(&config.store, &config.vault)?;
    let found = found(&index, study)?;
    fs::create_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    let mut all = Vec::new();
    for series in chosen(&found.study, series)? {
        let (work, folder) = (series.clone(), folder.to_owned());
        let written = tokio::task::spawn_blocking(move || written(&work, &folder));
        let written = written.await.context("converting ended early")??;
        all.push(match written {
            Ok((plan, files)) => of(series, Some(&plan), Conversion::Written(files)),
            Err(why) => of(series, None, Conversion::Unsuitable(why)),
        });
    }
    Ok(all)
}

/// Converts the series of a study, or one of them, and hands the volumes in (ITI-41) as documents
/// that are transformations (XFRM) of the study's manifest.
///
/// # Errors
/// If the study or series is not here, is kept back or has no manifest in force, if the registry gives
/// no answer, or if nothing can be written here.
pub async fn to_documents(
    importing: &Importing<'_>,
    study: &Uid,
    series: Option<&Uid>,
) -> anyhow::Result<Vec<ConvertedSeries>> {
    let index = Index::open(&importing.config.store, &importing.config.vault)?;
    let found = found(&index, study)?;
    let manifest = found.registered.clone().filter(|it| !it.withdrawn);
    let (Some(manifest), Some(patient)) = (manifest, &found.patient_id) else {
        bail!("study {study} has no manifest yet that volumes could belong to");
    };
    let beside = Beside {
        target: in_force(importing, &manifest).await?,
        patient: PatientId::parse(patient).map_err(anyhow::Error::msg)?,
        study: &found.study,
        manifest: &manifest,
    };
    let intake = Intake::open(index.clone(), importing.config.gate.clone(), 0)?;
    let mut all = Vec::new();
    for series in chosen(&found.study, series)? {
        let (work, file) = (series.clone(), intake.begin()?);
        let prepared = tokio::task::spawn_blocking(move || prepared(&work, file));
        let prepared = prepared.await.context("converting ended early")??;
        all.push(match prepared {
            Ok((plan, document)) => {
                beside
                    .registered(importing, series, &plan, &document)
                    .await?
            }
            Err(why) => of(series, None, Conversion::Unsuitable(why)),
        });
    }
    Ok(all)
}

/// What volumes are registered beside.
struct Beside<'a> {
    /// The manifest's document entry that is in force.
    target: EntryUuid,
    patient: PatientId,
    study: &'a Study,
    manifest: &'a Manifest,
}

impl Beside<'_> {
    async fn registered(
        &self,
        importing: &Importing<'_>,
        series: &Series,
        plan: &Plan,
        prepared: &PreparedDocument,
    ) -> anyhow::Result<ConvertedSeries> {
        let (names, submission) = entry::submission(importing, self, series, plan, prepared);
        let document = names.document;
        let source = prepared.source();
        let (fate, said) = hand_in(importing, submission, source, &document).await?;
        let conversion = Conversion::Document { document, fate };
        let mut converted = of(series, Some(plan), conversion);
        converted.remarks.extend(said);
        Ok(converted)
    }
}

fn of(series: &Series, plan: Option<&Plan>, conversion: Conversion) -> ConvertedSeries {
    ConvertedSeries {
        series_instance_uid: series.uid.clone(),
        number: series.facts.number,
        modality: series.facts.modality.clone(),
        size: plan.map(|plan| {
            let [columns, rows, slices] = plan.size;
            [columns, rows, slices, plan.volumes]
        }),
        conversion,
        remarks: plan.map(|plan| plan.notes.clone()).unwrap_or_default(),
    }
}

/// A study that may be given.
fn found(index: &Index, study: &Uid) -> anyhow::Result<Indexed> {
    match index.read(study)? {
        None => bail!("study {study} is not here"),
        Some(found) if found.held.is_some() && !found.released => {
            bail!("study {study} is kept back; see `hilum quarantine list`")
        }
        Some(found) => Ok(found),
    }
}

fn chosen<'s>(study: &'s Study, series: Option<&Uid>) -> anyhow::Result<Vec<&'s Series>> {
    let Some(wanted) = series else {
        return Ok(study.series.iter().collect());
    };
    let found: Vec<&Series> = study.series.iter().filter(|it| it.uid == *wanted).collect();
    match found.is_empty() {
        true => bail!("study {} has no series {wanted}", study.uid),
        false => Ok(found),
    }
}

/// The entryUUID under which a manifest is in force.
async fn in_force(importing: &Importing<'_>, manifest: &Manifest) -> anyhow::Result<EntryUuid> {
    let Some(registry) = importing.registry else {
        return Ok(EntryUuid(manifest.entry_uuid.clone()));
    };
    match iti18::current(importing, registry, manifest).await? {
        Ok(Some(current)) => Ok(EntryUuid(current)),
        Ok(None) => bail!("the study's manifest is not in force in the registry"),
        Err(why) => bail!(why),
    }
}

/// The plan for a series, whose files must be as they were. The inner error says why there is none.
fn planned(series: &Series) -> Result<Plan, String> {
    let files = series.instances.iter().map(file_of);
    let files = files.map(|file| file.map(|(path, _)| path));
    let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
    volume::plan(&files).map_err(|unsuitable| unsuitable.to_string())
}

/// The inner error says why a series cannot be written.
fn write(plan: &Plan, to: &mut dyn Write) -> anyhow::Result<Result<(), String>> {
    let mut file = BufWriter::with_capacity(BUFFER, to);
    match plan.write(&mut file, &mut decoder()) {
        Ok(()) => file.flush()?,
        Err(WriteFault::Io(error)) => return Err(error.into()),
        Err(fault) => return Ok(Err(fault.to_string())),
    }
    Ok(Ok(()))
}

/// The same into a file of somebody's folder.
fn write_file(plan: &Plan, to: &Path) -> anyhow::Result<Result<(), String>> {
    let mut file = File::create(to)?;
    let written = write(plan, &mut file)?;
    file.sync_data()?;
    Ok(written)
}

/// Decodes frames, of which the next is most often in the same file.
fn decoder() -> impl FnMut(&Path, u32) -> Result<Vec<u8>, String> {
    let mut open: Option<(PathBuf, Part10, Frames)> = None;
    move |path, frame| {
        let (file, frames) = match &open {
            Some((at, file, frames)) if at == path => (file, frames),
            _ => {
                let file = walk::whole_file(path).map_err(|error| error.to_string())?;
                let frames = Frames::of(path, &file).map_err(|error| error.to_string())?;
                let (_, file, frames) = open.insert((path.to_owned(), file, frames));
                (&*file, &*frames)
            }
        };
        let decoded = transcode::decode(path, file, frames, frame + 1);
        let decoded = decoded.map_err(|error| error.to_string())?;
        match decoded.samples > 1 && decoded.photometric != "RGB" {
            true => Err("its colours are not RGB when they are decoded".to_owned()),
            false => Ok(decoded.bytes),
        }
    }
}

type Files = (Plan, Vec<PathBuf>);

/// Writes a series into a folder; each file is there whole or not at all.
fn written(series: &Series, folder: &Path) -> anyhow::Result<Result<Files, String>> {
    let plan = match planned(series) {
        Ok(plan) => plan,
        Err(why) => return Ok(Err(why)),
    };
    let at = |ending: &str| folder.join(format!("{}.{ending}", series.uid));
    let (volume, part) = (at("nii.gz"), at("nii.gz.part"));
    let done = write_file(&plan, &part);
    if !matches!(done, Ok(Ok(()))) {
        // It is of no use; what went wrong is told.
        let _ = fs::remove_file(&part);
    }
    if let Err(why) = done.with_context(|| format!("{}", part.display()))? {
        return Ok(Err(why));
    }
    fs::rename(&part, &volume).with_context(|| format!("{}", volume.display()))?;
    let mut files = vec![volume];
    let mut beside = vec![(at("json"), plan.sidecar())];
    if let Some([values, vectors]) = plan.gradients() {
        beside.push((at("bval"), values));
        beside.push((at("bvec"), vectors));
    }
    for (path, text) in beside {
        fs::write(&path, text).with_context(|| format!("{}", path.display()))?;
        files.push(path);
    }
    Ok(Ok((plan, files)))
}

/// Writes a series into a file, and makes a document of that.
fn prepared(
    series: &Series,
    file: Incoming,
) -> anyhow::Result<Result<(Plan, PreparedDocument), String>> {
    let plan = match planned(series) {
        Ok(plan) => plan,
        Err(why) => return Ok(Err(why)),
    };
    let mut output = file.output()?;
    if let Err(why) = write(&plan, &mut output)? {
        return Ok(Err(why));
    }
    output.finish()?;
    let document = PreparedDocument::made_here(file, &plan.sidecar())?;
    Ok(Ok((plan, document)))
}
