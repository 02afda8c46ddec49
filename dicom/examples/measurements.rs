//! Prints what DICOM files say measured, and of which specimens, as JSON: one line for each file.
//!
//! Each value is given as the lines of its slot. `--phantoms DIR` writes the demonstration's studies
//! there first and reads their reports.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hilum_dicom::phantoms::{self, Detail};
use hilum_dicom::{measurements, specimens, walk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(argument) = arguments.next() {
        if argument == "--phantoms" {
            let folder = arguments.next().ok_or("--phantoms needs a folder")?;
            files.extend(written(Path::new(&folder))?);
        } else {
            files.push(argument.into());
        }
    }
    for file in files {
        let walked = walk::whole_file(&file)?;
        let specimens = specimens::read(&walked);
        let ids = specimens::reference_ids(&specimens);
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let said = serde_json::json!({
            "file": file,
            "measured": measurements::read(&walked),
            "specimens": specimens,
            "referenceIds": ids,
        });
        println!("{said}");
    }
    Ok(())
}

/// The files of the studies that were written.
fn written(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let mut files = Vec::new();
    for study in phantoms::write(folder, "example", now, Detail::Full)? {
        for entry in std::fs::read_dir(study.folder)? {
            files.push(entry?.path());
        }
    }
    files.sort();
    Ok(files)
}
