//! Which of the files that are no DICOM objects are volumes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hilum_dicom::nifti::{self, NiftiError, Recognised};
use hilum_dicom::scan::LeftOut;

/// Endings of the names of volumes.
const VOLUMES: [&str; 6] = [".nii", ".nii.gz", ".hdr", ".hdr.gz", ".img", ".img.gz"];
/// Endings of the names of files that stand beside volumes of diffusion.
const GRADIENTS: [&str; 2] = [".bval", ".bvec"];

/// The volumes among files, and what stands beside them.
#[derive(Debug, Default)]
pub(in crate::imaging) struct Found {
    /// Files of volumes; of pairs, the headers. Sorted.
    pub(in crate::imaging) volumes: Vec<PathBuf>,
    /// What stands beside them and is not handed in.
    pub(in crate::imaging) beside: Vec<LeftOut>,
    /// What is worth saying.
    pub(in crate::imaging) notes: Vec<String>,
}

/// Takes the volumes, and what stands beside them, out of the files that are no DICOM objects. Those
/// that are named as volumes and are none are told so.
pub(in crate::imaging) async fn sort_out(left_out: &mut Vec<LeftOut>) -> anyhow::Result<Found> {
    let files = std::mem::take(left_out);
    let sorted = tokio::task::spawn_blocking(move || sorted_out(files)).await;
    let (found, rest) = sorted.context("looking for volumes ended early")?;
    *left_out = rest;
    Ok(found)
}

/// Whether a file is one of a volume, whichever of a pair.
pub(in crate::imaging) async fn is_volume(file: &Path) -> anyhow::Result<bool> {
    let file = file.to_owned();
    let recognised = tokio::task::spawn_blocking(move || nifti::recognise(&file)).await?;
    // Whoever opens it next is told why it cannot be read.
    Ok(recognised.is_ok_and(|it| it.is_some()))
}

/// The files of a volume: one, or both of a pair, with its sidecar. The first is `path`.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let facts = nifti::read(path).ok();
    let files = facts.into_iter().flat_map(|facts| facts.files);
    let mut files: Vec<PathBuf> = files.map(|file| file.path).collect();
    if files.is_empty() {
        files.push(path.to_owned());
    }
    files.extend(nifti::sidecar_beside(path));
    files
}

fn sorted_out(files: Vec<LeftOut>) -> (Found, Vec<LeftOut>) {
    let mut volumes = BTreeSet::new();
    let mut rest = Vec::new();
    for mut file in files {
        match nifti::recognise(&file.path) {
            Ok(Some(Recognised::Header(..))) => {
                volumes.insert(file.path);
            }
            Ok(Some(Recognised::VoxelsOf(header))) => {
                volumes.insert(header);
            }
            Ok(None) | Err(_) => {
                if ends_with(&file.path, &VOLUMES).is_some() {
                    file.reason = NiftiError::NotNifti.to_string();
                }
                rest.push(file);
            }
        }
    }
    let sidecars = volumes.iter().filter_map(|it| nifti::sidecar_beside(it));
    let sidecars: BTreeSet<PathBuf> = sidecars.collect();
    let before = rest.len();
    rest.retain(|file| !sidecars.contains(&file.path));
    let mut found = Found::default();
    match before - rest.len() {
        0 => {}
        1 => found
            .notes
            .push("a sidecar is read, and not kept".to_owned()),
        several => {
            let note = format!("{several} sidecars are read, and not kept");
            found.notes.push(note);
        }
    }
    let stems: BTreeSet<PathBuf> = volumes
        .iter()
        .filter_map(|it| ends_with(it, &VOLUMES))
        .collect();
    let (beside, rest) = rest.into_iter().partition(|file| {
        let stem = ends_with(&file.path, &GRADIENTS);
        stem.is_some_and(|stem| stems.contains(&stem))
    });
    found.beside = beside;
    for file in &mut found.beside {
        file.reason = "gradients beside a volume; only the volume itself is kept".to_owned();
    }
    found.volumes = volumes.into_iter().collect();
    (found, rest)
}

/// A path without the longest of these endings, in whatever case, if it has one.
fn ends_with(path: &Path, endings: &[&str]) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let lower = name.to_ascii_lowercase();
    let ending = endings.iter().rfind(|ending| lower.ends_with(**ending))?;
    let stem = name.get(..name.len() - ending.len())?;
    Some(path.with_file_name(stem))
}
