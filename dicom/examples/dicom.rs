//! What the library makes of DICOM files, for the foreign judges in `tests/interop`.
//!
//! `dicom json FILE...`: a line of DICOM JSON for each.
//! `dicom transcode UID TO FILE...`: each file in that transfer syntax in the folder TO, under its
//! number; a line for each says `ok` or why not.
//! `dicom render TO FILE...`: the first frame of each as PNG in the folder TO, likewise.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use hilum_dicom::render::{self, Appearance};
use hilum_dicom::{json, transcode, walk};

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
        ["transcode", uid, folder, files @ ..] => {
            for (number, file) in files.iter().enumerate() {
                let mut out =
                    BufWriter::new(File::create(Path::new(folder).join(number.to_string()))?);
                let done = transcode::transcode(Path::new(file), uid, &mut out);
                out.flush()?;
                match done {
                    Ok(()) => writeln!(io::stdout(), "ok")?,
                    Err(error) => writeln!(io::stdout(), "{error}")?,
                }
            }
            Ok(())
        }
        ["render", folder, files @ ..] => {
            for (number, file) in files.iter().enumerate() {
                let picture = render::frame(Path::new(file), 1, &Appearance::default());
                match picture.and_then(|it| it.png()) {
                    Ok(png) => {
                        std::fs::write(Path::new(folder).join(number.to_string()), png)?;
                        writeln!(io::stdout(), "ok")?;
                    }
                    Err(error) => writeln!(io::stdout(), "{error}")?,
                }
            }
            Ok(())
        }
        _ => {
            Err("dicom json FILE... | render FOLDER FILE... | transcode UID FOLDER FILE...".into())
        }
    }
}
