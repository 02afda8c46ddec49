//! What a sender is told of a submission that is kept and not processed.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::{Association, AssociationType, Submission};

use crate::recipient::Room;

/// What is not done, and who is not known here. None of it is a reason to reject the submission
/// (ITI TF-2 3.41.4.1.3.1).
pub(super) fn on(room: &Room, submission: &Submission) -> Vec<RegistryError> {
    let mut remarks = Vec::new();
    for entry in &submission.document_entries {
        let context = format!("{} waits in the inbox for a person", entry.unique_id);
        let queued = RegistryError::warning(ErrorCode::DocumentQueued, context);
        remarks.push(queued.at(entry.unique_id.as_str()));
    }
    remarks.extend(folders(submission));
    remarks.extend(submission.associations.iter().filter_map(relationship));
    remarks.extend(recipients(&room.config.recipients, submission));
    remarks
}

/// Folders are kept with the submission, but there is nothing here that would know them later.
fn folders(submission: &Submission) -> Option<RegistryError> {
    let from_set =
        |association: &Association| association.source == submission.submission_set.entry_uuid;
    let is_membership = |association: &&Association| {
        association.association_type == AssociationType::HasMember && !from_set(association)
    };
    let into_folders = submission.associations.iter().filter(is_membership).count();
    if submission.folders.is_empty() && into_folders == 0 {
        return None;
    }
    let code = ErrorCode::PartialFolderContentNotProcessed;
    let context = format!(
        "folders are kept as they are and not processed: {} new, {into_folders} memberships",
        submission.folders.len()
    );
    let set = submission.submission_set.entry_uuid.as_str();
    Some(RegistryError::warning(code, context).at(set))
}

/// The warning for an association of documents, by its type.
fn relationship(association: &Association) -> Option<RegistryError> {
    let code = match association.association_type {
        AssociationType::HasMember => return None,
        AssociationType::Append => ErrorCode::PartialAppendContentNotProcessed,
        AssociationType::Replace => ErrorCode::PartialReplaceContentNotProcessed,
        AssociationType::Transform => ErrorCode::PartialTransformNotProcessed,
        AssociationType::TransformAndReplace => ErrorCode::PartialTransformReplaceNotProcessed,
        _ => ErrorCode::PartialRelationshipContentNotProcessed,
    };
    let context = format!(
        "the relationship of {} to {} is kept and not processed",
        association.source, association.target
    );
    Some(RegistryError::warning(code, context).at(association.source.as_str()))
}

/// Intended recipients who are not known, if anybody is (ITI TF-2 3.41.4.1.3).
fn recipients(known: &[String], submission: &Submission) -> Vec<RegistryError> {
    if known.is_empty() {
        return Vec::new();
    }
    let set = &submission.submission_set;
    let recipients = set.intended_recipients.iter().enumerate();
    let unknown = recipients.filter(|(_, intended)| !is_known(known, intended));
    let warning = |(at, _): (usize, &String)| {
        // It may name anybody, the patient as well, so its place must do.
        let context = format!("intendedRecipient {} is not known here", at + 1);
        RegistryError::warning(ErrorCode::UnknownRecipient, context).at(set.entry_uuid.as_str())
    };
    unknown.map(warning).collect()
}

/// An intendedRecipient is `XON|XCN|XTN`. It is known if one of the components of it is.
fn is_known(known: &[String], intended: &str) -> bool {
    let mut components = intended.split(['|', '^']).map(str::trim);
    components.any(|component| {
        let is_it = |known: &String| known.trim().eq_ignore_ascii_case(component);
        !component.is_empty() && known.iter().any(is_it)
    })
}

#[cfg(test)]
mod tests {
    use super::is_known;

    /// ITI TF-3 4.2.3.3.7: organization, person, telecommunication; trailing parts may be cut.
    #[test]
    fn recipients_are_known_by_any_of_their_names() {
        let known = ["Some Hospital", "11375", "welby@example.org"].map(str::to_owned);
        for intended in [
            "some hospital^^^^^^^^^1.2.3.9",
            "|11375^Welby^Marcus",
            "Other Hospital||^^Internet^welby@example.org",
        ] {
            assert!(is_known(&known, intended), "{intended}");
        }
        for intended in ["Hospital", "||", "", "|^Welby^Marcus"] {
            assert!(!is_known(&known, intended), "{intended}");
        }
    }
}
