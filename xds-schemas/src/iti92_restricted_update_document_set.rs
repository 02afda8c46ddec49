//! ITI-92 Restricted Update Document Set: correct the metadata of documents, across communities.
//!
//! Asked by Update Initiators; answered by Update Responders, such as the registry. The message is
//! that of ITI-57, for new versions of document entries only.
//! Specified in the supplement Restricted Metadata Update (ITI TF-2 3.92).

use crate::codes::error_code::ErrorCode;
use crate::ebrim::{Body, RegistryObject, RegistryObjectList};
use crate::ebrs::{RegistryError, RegistryResponse, SubmitObjectsRequest};
use crate::iti57_update_document_set::Update;
use crate::metadata::HomeCommunityId;
use crate::transaction::Transaction;

/// ITI-92.
#[derive(Debug, Clone, Copy)]
pub struct RestrictedUpdateDocumentSet;

impl Transaction for RestrictedUpdateDocumentSet {
    const ACTION: &'static str = "urn:ihe:iti:2018:RestrictedUpdateDocumentSet";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2018:RestrictedUpdateDocumentSetResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = SubmitObjectsRequest;
    type Response = RegistryResponse;
}

/// Reads an update of document entries of the community `here`.
///
/// # Errors
/// Every offence with the object concerned: `XDSMissingHomeCommunityId` and `XDSUnknownCommunity`,
/// `XDSObjectTypeError` for what is no document entry, `XDSMetadataAnnotationError` if links are not
/// to be propagated, `XDSMetadataVersionError` if an entry does not say which version it is made
/// from, and those of [`Update::read`].
pub fn read(
    objects: &RegistryObjectList,
    here: &HomeCommunityId,
) -> Result<Update, Vec<RegistryError>> {
    let mut errors = judge_home(objects, here);
    errors.extend(judge_objects(objects));
    match (Update::read(objects), errors.is_empty()) {
        (Ok(update), true) => Ok(update),
        (Ok(_), false) => Err(errors),
        (Err(others), _) => {
            errors.extend(others.into_iter().map(as_of_version));
            errors.dedup_by(|one, other| one.code == other.code && one.location == other.location);
            Err(errors)
        }
    }
}

/// There are no operations here. Without its membership, nobody knows of which version an entry is
/// the next (3.92.4.1.3).
fn as_of_version(mut error: RegistryError) -> RegistryError {
    if error.code == ErrorCode::MetadataUpdateOperationError {
        error.code = match error.context.starts_with("DocumentEntry ") {
            true => ErrorCode::MetadataVersionError,
            false => ErrorCode::MetadataUpdateError,
        };
    }
    error
}

fn refuse(code: ErrorCode, object: &RegistryObject, problem: &str) -> RegistryError {
    let kind = match object.body {
        Body::ExtrinsicObject { .. } => "DocumentEntry",
        Body::RegistryPackage => "RegistryPackage",
        Body::Association { .. } => "Association",
        Body::ObjectRef => "ObjectRef",
    };
    RegistryError::error(code, format!("{kind} {}: {problem}", object.id)).at(&*object.id)
}

/// The submission set and the document entries name the community whose they are.
fn judge_home(objects: &RegistryObjectList, here: &HomeCommunityId) -> Vec<RegistryError> {
    let of_community = objects.objects.iter().filter(|object| {
        matches!(
            object.body,
            Body::ExtrinsicObject { .. } | Body::RegistryPackage
        )
    });
    let judged = of_community.filter_map(|object| match object.home.as_deref() {
        None | Some("") => {
            let problem = "its homeCommunityId is missing";
            Some(refuse(ErrorCode::MissingHomeCommunityId, object, problem))
        }
        Some(home) if home != here.as_str() => {
            let problem = "its homeCommunityId is not that of this community";
            Some(refuse(ErrorCode::UnknownCommunity, object, problem))
        }
        Some(_) => None,
    });
    judged.collect()
}

/// Besides the submission set there are document entries and their memberships.
fn judge_objects(objects: &RegistryObjectList) -> Vec<RegistryError> {
    use crate::codes::ebrim_uuids::folder;
    let has_member = crate::metadata::AssociationType::HasMember;
    let beside = |object: &RegistryObject| {
        objects
            .loose_classifications
            .iter()
            .any(|it| it.node.as_deref() == Some(folder::NODE) && it.classified_object == object.id)
    };
    let mut errors = Vec::new();
    for object in &objects.objects {
        match &object.body {
            Body::RegistryPackage if object.is_classified_as(folder::NODE) || beside(object) => {
                let problem = "it is a Folder; only document entries can be updated here";
                errors.push(refuse(ErrorCode::ObjectTypeError, object, problem));
            }
            Body::Association {
                association_type, ..
            } => {
                if association_type != has_member.as_str() {
                    let problem = "it is none of those that a restricted update may have";
                    errors.push(refuse(ErrorCode::ObjectTypeError, object, problem));
                }
                let propagation = object.slot("AssociationPropagation");
                if propagation.is_some_and(|slot| slot.values.iter().any(|it| it != "yes")) {
                    let problem = "its AssociationPropagation must be yes";
                    errors.push(refuse(ErrorCode::MetadataAnnotationError, object, problem));
                }
            }
            _ => {}
        }
    }
    errors
}
