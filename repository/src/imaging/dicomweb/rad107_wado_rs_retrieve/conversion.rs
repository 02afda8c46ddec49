//! Instances in another transfer syntax, and pixels out of their compression.

use std::io;

use hilum_dicom::transcode;
use hilum_transport::PartSource;

use super::Instance;
use super::frames::Image;
use super::representation::{EXPLICIT, NOT_ON_THE_WEB};
use crate::imaging::place;

/// Whether instances that are stored so can be given so.
pub(super) fn can_convert(stored: &str, wanted: &str) -> bool {
    !NOT_ON_THE_WEB.contains(&wanted) && transcode::can(stored, wanted)
}

/// The transfer syntax in which an instance is given to whoever wants this one: if that cannot be, it
/// is Explicit VR Little Endian, and if there is nothing else, that in which it is stored (PS3.18
/// 9.1.2.2.3).
pub(in crate::imaging::dicomweb) fn given_in(stored: &str, wanted: &str) -> String {
    let possible = [wanted, EXPLICIT].into_iter();
    let mut possible = possible.filter(|syntax| can_convert(stored, syntax));
    possible.next().unwrap_or(stored).to_owned()
}

/// An instance that is converted while it is sent.
pub(super) fn converted(instance: &Instance, transfer_syntax: &str) -> PartSource {
    place::converted(instance.path.clone(), transfer_syntax)
}

/// The pixels of a frame.
pub(super) fn decoded(image: &Image, number: u32) -> io::Result<Vec<u8>> {
    let decoded = transcode::decode(&image.path, &image.file, &image.frames, number);
    let decoded = decoded.map_err(|error| {
        tracing::error!(path = %image.path.display(), %error, "a frame cannot be decoded");
        io::Error::other(error)
    })?;
    Ok(decoded.bytes)
}
