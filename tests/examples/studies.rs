//! Writes the studies of the demonstration into a folder, for judges of DICOM.

use std::path::Path;
use std::time::SystemTime;

use hilum_dicom::phantoms::{Detail, write};

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1);
    let folder = folder.ok_or_else(|| std::io::Error::other("the folder is missing"))?;
    for study in write(
        Path::new(&folder),
        "judged",
        SystemTime::now(),
        Detail::Full,
    )? {
        println!("{}: {} files", study.title, study.instances);
    }
    Ok(())
}
