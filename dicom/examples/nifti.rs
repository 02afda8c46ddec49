//! For judges of NIfTI: tells the facts of files as JSON, or makes a volume of a folder of DICOM.
//!
//! `nifti facts FILE...` prints a line for each file: its facts, its document's words, or an error.
//! `nifti convert FOLDER STEM` writes `STEM.nii.gz` and `STEM.json`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hilum_dicom::nifti::{self, Sidecar};
use hilum_dicom::volume;
use serde_json::json;

fn main() -> io::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((what, files)) if what == "facts" => {
            files.iter().try_for_each(|it| facts(it.as_ref()))
        }
        Some((what, [folder, stem])) if what == "convert" => {
            convert(folder.as_ref(), stem.as_ref())
        }
        _ => Err(io::Error::other("facts FILE..., or convert FOLDER STEM")),
    }
}

fn facts(path: &Path) -> io::Result<()> {
    let said = match nifti::verify(path) {
        Err(error) => json!({ "error": error.to_string() }),
        Ok(facts) => {
            let sidecar = Sidecar::of(path)?;
            let words = nifti::document_words(&facts, sidecar.as_ref());
            json!({ "facts": facts, "mime_type": words.mime_type, "remarks": words.remarks })
        }
    };
    println!("{said}");
    Ok(())
}

fn convert(folder: &Path, stem: &Path) -> io::Result<()> {
    let entries = fs::read_dir(folder)?;
    let files: Vec<PathBuf> = entries
        .map(|it| Ok(it?.path()))
        .collect::<io::Result<_>>()?;
    let plan = volume::plan(&files).map_err(io::Error::other)?;
    let volume = File::create(stem.with_extension("nii.gz"))?;
    plan.write(io::BufWriter::new(volume), &mut volume::native_only)
        .map_err(io::Error::other)?;
    fs::write(stem.with_extension("json"), plan.sidecar())
}
