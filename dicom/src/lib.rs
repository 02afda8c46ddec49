//! The words of imaging: what a file of DICOM or NIfTI says about itself, how it is changed and
//! written, folders of files as studies, manifests, and studies made up for demonstrations.
//!
//! It reads and writes bytes and files; it knows no network, no registry and no index. Nothing else
//! uses the dicom-rs crates, except the imaging source for the network protocol of DICOM.

pub mod acquisition;
pub mod anatomy;
pub mod bulk;
mod bytes;
pub mod deidentify;
pub mod frames;
pub mod instance;
pub mod json;
#[cfg(test)]
mod made;
pub mod manifest;
pub mod measurements;
pub mod moment;
pub mod nifti;
pub mod opened;
pub mod part10;
pub mod phantoms;
pub mod pixels;
pub mod quality;
pub mod rejection;
pub mod render;
pub mod scan;
pub mod specimens;
#[cfg(test)]
mod tests;
mod text;
pub mod transcode;
mod uid;
pub mod volume;
pub mod walk;
mod write;

pub use uid::{BadUid, Uid};
pub use write::WriteError;
