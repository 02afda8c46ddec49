//! Volumes that are no DICOM objects, of NIfTI and Analyze: handed in as documents (ITI-41), exactly
//! as they are.
//!
//! The names of a document are derived from its bytes and its patient, and the registry is asked for
//! them before anything is sent. So what was handed in once is recognised, however an import ended.

mod document;
mod entry;
mod found;
mod handed_in;
mod names;
mod rehearsal;
mod whose;

use std::path::{Path, PathBuf};

use hilum_dicom::Uid;
use hilum_dicom::scan::{LeftOut, Stamp};
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::PatientId;

use super::gate::Collection;
use super::import::{Importing, KeptBack, ORIGIN, Progress, Report};
use super::index::Index;
use super::index::volumes::KeptVolume;
use super::index::work::now;
use super::intake::Intake;

pub(super) use document::PreparedDocument;
pub(super) use entry::{COMMENT_CHARACTERS, format_code, parameters, slots, submission};
pub(super) use found::{Found, is_volume, sort_out};
pub(super) use handed_in::hand_in;
pub(super) use names::Names;
pub use whose::Whose;

use handed_in::{Asked, asked};

/// Why a watched folder takes no volumes.
pub(super) const WATCHED: &str = "a volume does not say whose it is: \
    hand it in with `hilum import --patient ID`";

/// A volume that was found.
#[derive(Debug)]
pub struct ImportedVolume {
    /// The file, or the header of a pair.
    pub path: PathBuf,
    /// Its patient in the affinity domain, as CX.
    pub patient_id: String,
    /// The document's uniqueId.
    pub document: Uid,
    /// Its media type; nothing if its file was not read again.
    pub mime_type: Option<String>,
    /// What became of it.
    pub fate: VolumeFate,
    /// What is worth saying and no failure.
    pub remarks: Vec<String>,
}

/// What became of a volume.
#[derive(Debug)]
pub enum VolumeFate {
    /// It is a document now.
    Registered,
    /// It was one before. Nothing was sent.
    Unchanged,
    /// It cannot be one as it is; nothing was sent.
    Unsuitable(String),
    /// The repository refused it.
    Refused(Vec<RegistryError>),
    /// The repository or the registry gave no answer. The next import goes on from here.
    Unanswered(String),
}

/// Hands in volumes that were found, and reports what became of each.
pub(super) async fn import(
    importing: &Importing<'_>,
    index: &Index,
    found: Found,
    whose: &Whose,
    report: &mut Report,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> anyhow::Result<()> {
    report.notes.extend(found.notes);
    report.left_out.extend(found.beside);
    let of = found.volumes.len();
    if of == 0 {
        return Ok(());
    }
    // For what is made of volumes before they are handed in.
    let intake = Intake::open(index.clone(), importing.config.gate.clone(), 0)?;
    let handing_in = HandingIn {
        importing,
        index,
        intake: &intake,
        whose,
    };
    for (done, path) in found.volumes.into_iter().enumerate() {
        progress(Progress::Volumes { done, of });
        match handing_in.one(&path).await? {
            Became::Handled(volume) => report.volumes.push(*volume),
            Became::KeptBack(reasons) => report.kept_back.push(KeptBack { path, reasons }),
            Became::LeftOut(reason) => report.left_out.push(LeftOut { path, reason }),
        }
    }
    progress(Progress::Volumes { done: of, of });
    report.left_out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

/// What became of a file.
enum Became {
    Handled(Box<ImportedVolume>),
    KeptBack(Vec<String>),
    LeftOut(String),
}

struct HandingIn<'a> {
    importing: &'a Importing<'a>,
    index: &'a Index,
    intake: &'a Intake,
    whose: &'a Whose,
}

impl HandingIn<'_> {
    async fn one(&self, path: &Path) -> anyhow::Result<Became> {
        let patient = match self.whose.is(path) {
            Ok(patient) => patient.clone(),
            Err(reason) => return Ok(Became::LeftOut(reason.to_owned())),
        };
        let collection = match self.importing.config.gate.collection_of_volume(ORIGIN) {
            Ok(collection) => collection,
            Err(reason) => return Ok(Became::LeftOut(reason.to_owned())),
        };
        let patient = self.patient_in(collection, patient);
        let basis = basis(path, &patient, collection);
        if let Some(basis) = &basis
            && let Some(document) = self.index.handed_in(path, basis)?
            && let Some((fate, remarks)) = self.still(&document).await?
        {
            return Ok(Became::Handled(Box::new(ImportedVolume {
                path: path.to_owned(),
                patient_id: patient.to_string(),
                document,
                mime_type: None,
                fate,
                remarks,
            })));
        }
        let prepared = PreparedDocument::of(path, collection, self.intake).await?;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(reason) => return Ok(Became::LeftOut(reason)),
        };
        self.judged(path, &patient, collection, &prepared, basis)
            .await
    }

    /// What has become of a document that was handed in; `None` if the registry does not know it any
    /// more.
    async fn still(&self, document: &Uid) -> anyhow::Result<Option<(VolumeFate, Vec<String>)>> {
        Ok(match asked(self.importing, document).await? {
            Asked::Known(remarks) => Some((VolumeFate::Unchanged, remarks)),
            Asked::Nobody => Some((VolumeFate::Unchanged, Vec::new())),
            Asked::Unanswered(why) => Some((VolumeFate::Unanswered(why), Vec::new())),
            Asked::Unknown => None,
        })
    }

    /// The patient in the collection, who has a pseudonym if it is de-identified.
    fn patient_in(&self, collection: Option<&Collection>, patient: PatientId) -> PatientId {
        match collection.and_then(|it| it.deidentify.as_ref()) {
            Some(deidentification) => {
                let authority = &self.importing.config.patient_id_authority;
                PatientId::new(deidentification.patient(&patient.id), authority)
            }
            None => patient,
        }
    }

    async fn judged(
        &self,
        path: &Path,
        patient: &PatientId,
        collection: Option<&Collection>,
        prepared: &PreparedDocument,
        basis: Option<String>,
    ) -> anyhow::Result<Became> {
        let mut reasons = prepared.facts.problems.clone();
        let mut remarks = prepared.remarks();
        if let Some(collection) = collection {
            let judged = collection.judge_volume(&prepared.facts.for_rules());
            reasons.extend(judged.kept_back);
            remarks.extend(judged.remarks);
        }
        let config = self.importing.config;
        let names = Names::of(&config.repository_unique_id, patient, prepared, "");
        if !reasons.is_empty() && !self.index.was_released(&names.document)? {
            self.index.quarantine_volume(&KeptVolume {
                path,
                unique_id: &names.document,
                patient_id: &patient.id,
                origin: ORIGIN,
                reasons: &reasons,
                arrived: now(),
            })?;
            return Ok(Became::KeptBack(reasons));
        }
        // What still cannot be de-identified is not handed in, whoever has released it.
        if let Some(reason) = &prepared.not_deidentified {
            return Ok(Became::LeftOut(reason.clone()));
        }
        let entry = entry::document_entry(self.importing, patient, prepared, &names);
        let submission = submission(self.importing, entry, &names);
        let source = prepared.source();
        let fate = hand_in(self.importing, submission, source, &names.document);
        let (fate, more) = fate.await?;
        remarks.extend(more);
        if let (VolumeFate::Registered | VolumeFate::Unchanged, Some(basis)) = (&fate, basis) {
            self.index.note_handed_in(path, &basis, &names.document)?;
        }
        Ok(Became::Handled(Box::new(ImportedVolume {
            path: path.to_owned(),
            patient_id: patient.to_string(),
            document: names.document,
            mime_type: Some(prepared.words.mime_type.to_owned()),
            fate,
            remarks,
        })))
    }
}

/// For whom and as what a volume is handed in, and its files as they are. `None` if they are gone,
/// which is told by whoever opens them.
fn basis(path: &Path, patient: &PatientId, collection: Option<&Collection>) -> Option<String> {
    let files = found::files(path);
    let stamps = files.iter().map(|file| {
        let stamp = Stamp::of_file(file);
        let stamp = stamp.ok()?;
        Some(format!("{} {}", stamp.size, stamp.modified))
    });
    let stamps = stamps.collect::<Option<Vec<_>>>()?.join(", ");
    let collection = collection.map_or_else(String::new, |it| {
        let deidentified = it.deidentify.is_some();
        format!("{} (de-identified: {deidentified})", it.name)
    });
    Some(format!("{patient} {collection} {stamps}"))
}
