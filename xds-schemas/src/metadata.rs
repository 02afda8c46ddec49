//! The metadata of document sharing (ITI TF-3 4.2), typed.
//!
//! [`ebrim`](crate::ebrim) is how it travels; here it means something. Each object has one
//! conversion from ebRIM and one back, and what no attribute claims goes into [`Extra`] and comes
//! back unchanged. [`submission`] judges a whole submission and names everything that is wrong.
//!
//! Of the classifications and external identifiers that carry attributes only the attribute, the
//! UUID and slots of other names are kept; lid, home, status, description and version of such a
//! part, to which the framework gives no meaning, are not, and neither is `@slotType` of the
//! slots of attributes.

pub mod association;
pub mod author;
pub mod code;
pub mod document_entry;
pub mod extra;
pub mod folder;
mod formats;
pub mod hl7;
pub mod identifiers;
mod judge;
mod optionality;
pub mod patient_id;
mod reading;
pub mod submission;
pub mod submission_set;
#[cfg(test)]
mod tests;
pub mod timestamp;
mod writing;

pub use association::{Association, AssociationType, SubmissionSetStatus};
pub use author::Author;
pub use code::Code;
pub use document_entry::{DocumentEntry, DocumentEntryType};
pub use extra::Extra;
pub use folder::Folder;
pub use identifiers::{EntryUuid, HomeCommunityId, RepositoryUniqueId, UniqueId};
pub use patient_id::{PatientId, ReferenceId};
pub use submission::{Rules, Submission};
pub use submission_set::SubmissionSet;
pub use timestamp::{TimeRange, Timestamp};
