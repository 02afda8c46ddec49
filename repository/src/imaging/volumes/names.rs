//! What a document is called: by its bytes and its patient, so that the same is called the same.

use hilum_dicom::Uid;
use uuid::Uuid;
use xds_schemas::metadata::{PatientId, RepositoryUniqueId};

use super::PreparedDocument;

/// Under which the names are derived. Fixed forever.
const NAMESPACE: Uuid = Uuid::from_u128(0x9d4c_2f0e_51b8_4c63_8e1f_70a2_c3d9_64b7);

/// The names of a document and of what it is handed in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct Names {
    /// The document's uniqueId.
    pub(in crate::imaging) document: Uid,
    /// The one series of which its acquisition parameters are told.
    pub(in crate::imaging) series: Uid,
    /// `urn:uuid:…` of its document entry.
    pub(in crate::imaging) entry_uuid: String,
    /// The uniqueId of its submission set.
    pub(in crate::imaging) submission_set: Uid,
}

impl Names {
    /// The names of a document of a patient. `made_of` is the document that it was made of, or empty.
    pub(in crate::imaging) fn of(
        repository: &RepositoryUniqueId,
        patient: &PatientId,
        document: &PreparedDocument,
        made_of: &str,
    ) -> Self {
        let PreparedDocument { sha1, size, .. } = document;
        let basis = format!("{repository}/{patient}/{sha1}/{size}/{made_of}");
        let uuid = |what: &str| Uuid::new_v5(&NAMESPACE, format!("{basis}/{what}").as_bytes());
        Self {
            document: Uid::from_uuid(uuid("document")),
            series: Uid::from_uuid(uuid("series")),
            entry_uuid: uuid("entry").urn().to_string(),
            submission_set: Uid::from_uuid(uuid("submission set")),
        }
    }
}
