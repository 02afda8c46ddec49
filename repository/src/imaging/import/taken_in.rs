//! Importing where objects may have to be de-identified: what is imported is not left where it is, but
//! taken in as if it were sent, so that only what was made of it is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use hilum_dicom::Uid;
use hilum_dicom::scan::{LeftOut, files_below};

use super::{Fate, Imported, Importing, KeptBack, ORIGIN, Progress, Report, claim};
use crate::imaging::index::Index;
use crate::imaging::index::work::{Way, now};
use crate::imaging::intake::{Intake, Taken};
use crate::imaging::publish::publish;
use crate::imaging::volumes::{Found, sort_out};

/// Objects that are taken at one time.
const TOGETHER: usize = 4;

/// Takes in every file below these paths, and publishes the studies that they belong to.
pub(super) async fn import(
    importing: &Importing<'_>,
    index: &Index,
    roots: &[PathBuf],
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
) -> anyhow::Result<(Report, Found)> {
    let intake = Intake::open(index.clone(), importing.config.gate.clone(), 0)?;
    let mut files = Vec::new();
    for root in roots {
        files.extend(files_below(root)?);
    }
    files.sort();
    files.dedup();
    let (files, volumes) = sorted_out(files).await?;
    let mut report = Report::default();
    let mut studies = BTreeSet::new();
    let of = files.len();
    for (number, files) in files.chunks(TOGETHER).enumerate() {
        progress(Progress::Reading {
            done: number * TOGETHER,
            of,
        });
        for (file, taken) in together(&intake, files).await? {
            match taken {
                (Taken::Stored | Taken::AlreadyHere, study) => studies.extend(study),
                (Taken::Quarantined(reasons), _) => {
                    report.kept_back.push(KeptBack {
                        path: file,
                        reasons,
                    });
                }
                (Taken::Refused(reason), _) => {
                    report.left_out.push(LeftOut { path: file, reason });
                }
            }
        }
    }
    let of = studies.len();
    for (done, study) in studies.iter().enumerate() {
        progress(Progress::Registering { done, of });
        report.studies.extend(one(importing, index, study).await?);
    }
    progress(Progress::Registering { done: of, of });
    Ok((report, volumes))
}

/// The files without volumes of other formats and what stands beside these.
async fn sorted_out(files: Vec<PathBuf>) -> anyhow::Result<(Vec<PathBuf>, Found)> {
    let as_found = files.into_iter().map(|path| LeftOut {
        path,
        reason: String::new(),
    });
    let mut rest: Vec<LeftOut> = as_found.collect();
    let volumes = sort_out(&mut rest).await?;
    Ok((rest.into_iter().map(|file| file.path).collect(), volumes))
}

type TakenFile = (PathBuf, (Taken, Option<Uid>));

async fn together(intake: &Intake, files: &[PathBuf]) -> anyhow::Result<Vec<TakenFile>> {
    let taking: Vec<_> = files
        .iter()
        .map(|file| {
            let (intake, file) = (intake.clone(), file.clone());
            tokio::spawn(async move {
                let taken = intake.take_file(&file, ORIGIN, Way::Imported).await;
                (
                    file,
                    taken.map(|(taken, names)| (taken, names.map(|it| it.study))),
                )
            })
        })
        .collect();
    let mut all = Vec::with_capacity(taking.len());
    for taken in taking {
        let (file, taken) = taken.await?;
        all.push((file, taken?));
    }
    Ok(all)
}

/// Publishes a study as it is in the index.
pub(super) async fn one(
    importing: &Importing<'_>,
    index: &Index,
    study: &Uid,
) -> anyhow::Result<Option<Imported>> {
    claim(index, study).await?;
    let mut remarks = Vec::new();
    let came = publish(importing, index, study, &mut remarks).await?;
    let Some((fate, generation)) = came else {
        return Ok(None);
    };
    let Some(indexed) = index.read(study)? else {
        return Ok(None);
    };
    match fate {
        Fate::Unanswered(_) | Fate::Refused(_) => index.put_off(study, "an import", now())?,
        _ => index.done(study, generation)?,
    }
    Ok(Some(Imported {
        fate,
        remarks,
        ..Imported::of(&indexed.study)
    }))
}
