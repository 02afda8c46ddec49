//! DICOM files to be imported: phantoms, and what is made by hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hilum_dicom::instance;
use hilum_dicom::phantoms::{self, Detail, Phantom};

use crate::site::sha256;

/// When the phantoms were examined: fixed, so that what is registered can be compared.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

/// Four studies of three patients.
pub(crate) fn phantoms(folder: &Path) -> Vec<Phantom> {
    phantoms::write(folder, "imaging", now(), Detail::Small).unwrap()
}

/// One file of a folder.
pub(crate) struct Image {
    pub(crate) path: PathBuf,
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) sha256: String,
}

/// The images below a folder by SOP Instance UID.
pub(crate) fn images(folder: &Path) -> BTreeMap<String, Image> {
    let mut images = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            images.extend(self::images(&path));
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let found = instance::read_bytes(&bytes).unwrap();
        let image = Image {
            path,
            study: found.study_instance_uid.to_string(),
            series: found.series_instance_uid.to_string(),
            sha256: sha256(&bytes),
        };
        images.insert(found.sop_instance_uid.to_string(), image);
    }
    images
}

/// A data element with explicit VR and a short length; text gets its padding.
fn element(group: u16, number: u16, vr: &str, value: &str) -> Vec<u8> {
    let mut value = value.as_bytes().to_vec();
    if value.len() % 2 == 1 {
        value.push(if vr == "UI" { 0 } else { b' ' });
    }
    let mut bytes = Vec::new();
    bytes.extend(group.to_le_bytes());
    bytes.extend(number.to_le_bytes());
    bytes.extend(vr.as_bytes());
    bytes.extend(u16::try_from(value.len()).unwrap().to_le_bytes());
    bytes.extend(value);
    bytes
}

/// A file that is no image, but has everything that an import needs.
pub(crate) struct Made<'a> {
    pub(crate) syntax: &'a str,
    pub(crate) study: &'a str,
    pub(crate) series: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) patient: &'a str,
    /// Bytes of pixel data.
    pub(crate) pixels: usize,
}

impl Made<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let secondary_capture = "1.2.840.10008.5.1.4.1.1.7";
        let mut bytes = vec![0; 128];
        bytes.extend(b"DICM");
        bytes.extend(element(2, 0x10, "UI", self.syntax));
        bytes.extend(element(8, 0x16, "UI", secondary_capture));
        bytes.extend(element(8, 0x18, "UI", self.instance));
        bytes.extend(element(8, 0x20, "DA", "20260102"));
        bytes.extend(element(8, 0x30, "TM", "101112"));
        bytes.extend(element(8, 0x60, "CS", "OT"));
        bytes.extend(element(0x10, 0x20, "LO", self.patient));
        bytes.extend(element(0x20, 0x0d, "UI", self.study));
        bytes.extend(element(0x20, 0x0e, "UI", self.series));
        bytes.extend([0xe0, 0x7f, 0x10, 0x00]);
        bytes.extend(b"OW\0\0");
        bytes.extend(u32::try_from(self.pixels).unwrap().to_le_bytes());
        bytes.resize(bytes.len() + self.pixels, 0x5a);
        bytes
    }
}
