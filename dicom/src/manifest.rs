//! The manifest of a study: a Key Object Selection document that lists the study's instances and
//! where they can be retrieved. It is what RAD-68 submits in place of the images.
//!
//! Key Object Selection Document IOD: PS3.3 A.35.4; content: PS3.16 TID 2010.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part16.html#sect_TID_2010>

mod codes;
mod kos;
pub mod mado;
mod read;
mod references;
#[cfg(test)]
mod tests;

use std::time::SystemTime;

use dicom_dictionary_std::uids;
use serde::{Deserialize, Serialize};

use super::moment::UtcOffset;
use super::uid::Uid;

pub use codes::MadoCodes;
pub use kos::write;
pub(crate) use kos::{content_item, document, evidence, header};
pub use read::{
    Described, DescribedInstance, DescribedSeries, KeyObjects, Manifest, read, read_file,
};
pub(crate) use read::{key_objects as selected_as, selection, title_modifier};
pub(crate) use references::references_of;
pub use references::{ReferencedSeries, references};

/// SOP class of manifests, which is also their XDS formatCode.
pub const SOP_CLASS_UID: &str = uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE;

/// Which kind of manifest a site publishes. Both are key object selections with the same formatCode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ManifestFormat {
    /// References alone, as XDS-I.b has them: [`write()`].
    #[default]
    Kos,
    /// References with a description of study, series and instances: [`mado::write`].
    Mado,
}

/// What the manifest of a study says beside what the study says itself.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// SOP Instance UID of the manifest: the document's uniqueId.
    pub sop_instance_uid: &'a Uid,
    /// The manifest's own series: none of the study's.
    pub series_instance_uid: &'a Uid,
    /// When the manifest is made.
    pub made: SystemTime,
    /// For DICOM C-MOVE (RAD-16), and as a key that consumers map to a host.
    pub retrieve_ae_title: &'a str,
    /// The repositoryUniqueId under which RAD-69 finds the instances.
    pub retrieve_location_uid: &'a Uid,
    /// Base address of WADO-RS, if there is one.
    pub retrieve_url: Option<&'a str>,
    /// Local time of studies that do not say how far from UTC they are.
    pub utc_offset: UtcOffset,
}
