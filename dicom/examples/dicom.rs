//! What the library makes of DICOM files, for the foreign judges in `tests/interop`.
//!
//! `dicom json FILE...`: a line of DICOM JSON for each.

use std::io::{self, Write};
use std::path::Path;

use hilum_dicom::{json, walk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["json", files @ ..] => {
            for file in files {
                let line = match walk::whole_file(Path::new(file)) {
                    Ok(file) => json::metadata(&file, &|at| format!("bulk/{at}")),
                    Err(error) => format!("\"{error}\""),
                };
                writeln!(io::stdout(), "{line}")?;
            }
            Ok(())
        }
        _ => Err("dicom json FILE...".into()),
    }
}
