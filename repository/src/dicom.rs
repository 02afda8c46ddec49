//! DICOM, as far as an Imaging Document Source needs it: what a file says about itself, folders of
//! files as studies, manifests, and studies made up for demonstrations. Nothing outside this module
//! uses the dicom-rs crates.

mod bytes;
pub mod instance;
pub mod manifest;
pub mod moment;
pub mod phantoms;
mod rejection;
pub mod scan;
#[cfg(test)]
mod tests;
mod text;
mod uid;
pub mod walk;
mod write;

pub use uid::{BadUid, Uid};
pub use write::WriteError;
