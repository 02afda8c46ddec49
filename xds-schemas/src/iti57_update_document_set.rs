//! ITI-57 Update Document Set: change what is registered.
//!
//! Asked by Document Administrators; answered by the Document Registry. The message is that of
//! ITI-42; what it asks for is an [`Update`]: operations that are done together or not at all.
//! Specified in the supplement XDS Metadata Update (ITI TF-2 3.57).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-57.html>

mod decoding;
#[cfg(test)]
mod tests;

use crate::codes::status::AvailabilityStatus;
use crate::ebrs::{RegistryResponse, SubmitObjectsRequest};
use crate::metadata::Submission;
use crate::transaction::Transaction;

/// ITI-57.
#[derive(Debug, Clone, Copy)]
pub struct UpdateDocumentSet;

impl Transaction for UpdateDocumentSet {
    const ACTION: &'static str = "urn:ihe:iti:2010:UpdateDocumentSet";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2010:UpdateDocumentSetResponse";
    const MTOM: bool = false;
    type Request = SubmitObjectsRequest;
    type Response = RegistryResponse;
}

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The objects of the message.
    pub submission: Submission,
    /// What they ask for. Numbers are places in the lists of the submission.
    pub operations: Vec<Operation>,
}

/// One thing that is to be done (ITI TF-2 3.57.4.1.3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A new version of a document entry or folder.
    NewVersion(NewVersion),
    /// A status is to change: of a document entry, a folder or an association.
    ChangeStatus(ChangeStatus),
    /// An association between registered objects is to be added.
    SubmitAssociation {
        /// The association of type SubmitAssociation.
        trigger: usize,
        /// The association that it brings.
        association: usize,
    },
}

/// Which object is replaced by another version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The document entry or folder.
    pub of: Versioned,
    /// Its membership in the submission set.
    pub membership: usize,
    /// Slot `PreviousVersion` of the membership: what the sender takes for the newest version.
    pub previous_version: String,
    /// Slot `AssociationPropagation` of the membership: whether what the previous version was linked
    /// with is to be linked with the new one.
    pub propagates: bool,
}

/// An object that has versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versioned {
    /// A document entry.
    DocumentEntry(usize),
    /// A folder.
    Folder(usize),
}

/// A status that is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeStatus {
    /// The association of type UpdateAvailabilityStatus, whose target is meant.
    pub trigger: usize,
    /// Slot `OriginalStatus`: what the sender takes for the status.
    pub original: AvailabilityStatus,
    /// Slot `NewStatus`.
    pub new: AvailabilityStatus,
}
