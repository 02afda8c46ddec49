//! Whether an instance can be given from where it is.

use std::fs;
use std::io;
use std::path::PathBuf;

use hilum_dicom::scan::{Place, Stamp, StoredInstance};

/// The file of an instance and its length, or why it cannot be given.
pub(super) fn file_of(instance: &StoredInstance) -> Result<(PathBuf, u64), String> {
    let Place::File { path, stamp } = &instance.place else {
        return Err("it is in an archive that cannot be asked".to_owned());
    };
    match fs::metadata(path).and_then(|metadata| Stamp::of(&metadata)) {
        Ok(now) if now == *stamp => Ok((path.clone(), stamp.size)),
        Ok(_) => Err("its file has changed since it was imported; import it again".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("its file is not where it was when it was imported".to_owned())
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "an image cannot be read");
            Err("its file cannot be read".to_owned())
        }
    }
}
