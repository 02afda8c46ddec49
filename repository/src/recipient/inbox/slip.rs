//! What is noted of a submission: the slip of paper that is put on it.

use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};
use xds_schemas::inbox::Received;

use crate::blob_store::container::hexadecimal;

/// The version of the slips that are written here.
pub(in crate::recipient) const FORMAT: u32 = 1;

/// `RECEIVED.JSN`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::recipient) struct Slip {
    pub(in crate::recipient) format: u32,
    pub(in crate::recipient) unique_id: String,
    /// In UTC: `20261125093000`.
    pub(in crate::recipient) time: String,
    pub(in crate::recipient) sender: String,
    pub(in crate::recipient) home_community_id: Option<String>,
    pub(in crate::recipient) source_id: String,
    /// CX, as the sender knows the patient.
    pub(in crate::recipient) patient_id: Option<String>,
    pub(in crate::recipient) title: Option<String>,
    pub(in crate::recipient) intended_recipients: Vec<String>,
    pub(in crate::recipient) limited_metadata: bool,
    pub(in crate::recipient) documents: u64,
    pub(in crate::recipient) bytes: u64,
    /// SHA-1 of `METADATA.XML`, which has those of the documents in it: what the submission is.
    pub(in crate::recipient) metadata: String,
}

impl Slip {
    /// As those who run the recipient are told.
    pub(in crate::recipient) fn into_words(self) -> Received {
        Received {
            unique_id: self.unique_id,
            time: self.time,
            sender: self.sender,
            home_community_id: self.home_community_id,
            source_id: self.source_id,
            patient_id: self.patient_id,
            title: self.title,
            intended_recipients: self.intended_recipients,
            limited_metadata: self.limited_metadata,
            documents: self.documents,
            bytes: self.bytes,
        }
    }
}

/// SHA-1 in lower case hexadecimal.
pub(in crate::recipient) fn sha1(bytes: &[u8]) -> String {
    hexadecimal(&Sha1::digest(bytes))
}
