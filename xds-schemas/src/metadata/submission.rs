//! A whole submission: one submission set and what came with it.

use super::{Association, DocumentEntry, Folder, SubmissionSet};

/// What was submitted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The submission set.
    pub submission_set: SubmissionSet,
    /// The document entries.
    pub document_entries: Vec<DocumentEntry>,
    /// The folders.
    pub folders: Vec<Folder>,
    /// The associations.
    pub associations: Vec<Association>,
}
