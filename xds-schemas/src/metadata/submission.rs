//! A whole submission: one submission set and what came with it.

mod codes;
mod extra_metadata;
mod judgement;

use std::collections::{HashMap, HashSet};

use super::judge::{Concern, Judge, Subject};
use super::{
    Association, AssociationType, DocumentEntry, EntryUuid, Extra, Folder, SubmissionSet,
    SubmissionSetStatus,
};
use crate::affinity_codes::AffinityCodes;
use crate::codes::ebrim_uuids::{folder, submission_set};
use crate::codes::error_code::ErrorCode;
use crate::ebrim::{Body, RegistryObject, RegistryObjectList};
use crate::ebrs::RegistryError;

pub use extra_metadata::is_limited;

/// By whose rules a submission is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// ITI-41, judged by the repository, which must not validate more than it needs
    /// (ITI TF-2 3.41.4.1.3): that there is one submission set and nothing that is no metadata at
    /// all, that each document has a uniqueId of its own and a mimeType, that hash and size can be
    /// read; and what the typed form would mend silently, like a classification of another object
    /// than the one it stands in. All else is passed on, unchanged, for the registry to judge.
    Provide,
    /// ITI-42, judged by the registry: everything that the message alone can tell.
    Register,
    /// ITI-61, judged by the registry likewise: every document entry is an on-demand one.
    RegisterOnDemand,
    /// ITI-57 and ITI-92, judged by the registry: what each object must be, and that all of them are
    /// about one patient. What their associations mean is for
    /// [`Update`](crate::iti57_update_document_set::Update).
    Update,
    /// ITI-32: what is found on a medium, judged as strictly as by a registry, but a Portable Media
    /// Creator may leave out what it does not know.
    Media,
    /// ITI-41, judged by a Document Recipient (XDR), which asks for no more than that attributes
    /// are there (ITI TF-2 3.41.4.1.3.1), besides what [`Provide`](Self::Provide) asks for.
    Receive,
    /// The same for a submission with the flag limitedMetadata, where that is accepted.
    ReceiveLimited,
}

impl Rules {
    /// The code for metadata that breaks a rule.
    pub fn metadata_error(self) -> ErrorCode {
        match self {
            Self::Register | Self::RegisterOnDemand | Self::Update => {
                ErrorCode::RegistryMetadataError
            }
            Self::Provide | Self::Media | Self::Receive | Self::ReceiveLimited => {
                ErrorCode::RepositoryMetadataError
            }
        }
    }

    /// The code for an id that stands twice in one submission.
    pub fn duplicate_in_message(self) -> ErrorCode {
        match self {
            Self::Register | Self::RegisterOnDemand | Self::Update => {
                ErrorCode::RegistryDuplicateUniqueIdInMessage
            }
            Self::Provide | Self::Media | Self::Receive | Self::ReceiveLimited => {
                ErrorCode::RepositoryDuplicateUniqueIdInMessage
            }
        }
    }
}

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

impl Submission {
    /// A submission of nothing yet.
    pub fn new(submission_set: SubmissionSet) -> Self {
        Self {
            submission_set,
            document_entries: Vec::new(),
            folders: Vec::new(),
            associations: Vec::new(),
        }
    }

    /// Adds a new document, with its membership in the submission set.
    pub fn add_document(&mut self, entry: DocumentEntry) {
        let set = self.submission_set.entry_uuid.clone();
        let original = SubmissionSetStatus::Original;
        self.associations
            .push(Association::member(set, entry.entry_uuid.clone(), original));
        self.document_entries.push(entry);
    }

    /// Adds a new folder, with its membership in the submission set.
    pub fn add_folder(&mut self, folder: Folder) {
        let set = self.submission_set.entry_uuid.clone();
        let target = folder.entry_uuid.clone();
        self.associations
            .push(Association::new(AssociationType::HasMember, set, target));
        self.folders.push(folder);
    }

    /// Puts a document into a folder; either may be new or registered. The submission set gets the
    /// membership as a member, as ITI TF-3 4.2.2.1.3 wants it.
    pub fn put_into_folder(&mut self, folder: EntryUuid, document: EntryUuid) {
        let mut membership = Association::new(AssociationType::HasMember, folder, document);
        membership.entry_uuid = EntryUuid(format!("Membership{}", self.associations.len()));
        let set = self.submission_set.entry_uuid.clone();
        let link = membership.entry_uuid.clone();
        self.associations.push(membership);
        self.associations
            .push(Association::new(AssociationType::HasMember, set, link));
    }

    /// Relates a new document to another, for instance as its replacement.
    pub fn relate(&mut self, document: EntryUuid, how: AssociationType, other: EntryUuid) {
        self.associations
            .push(Association::new(how, document, other));
    }

    /// Reads a submission and judges everything that the message alone can tell.
    ///
    /// # Errors
    /// Every offence, each with the object (also as its location), the attribute, and the code
    /// that ITI TF-3 Table 4.2.4.1-2 has for it.
    pub fn read(objects: &RegistryObjectList, rules: Rules) -> Result<Self, Vec<RegistryError>> {
        Self::read_in_domain(objects, rules, None)
    }

    /// The same in an affinity domain: what is refused is told which of its codes are wrong, too.
    /// The codes of what is not refused are for [`judge_codes`](Self::judge_codes).
    ///
    /// # Errors
    /// As [`read`](Self::read), and those of the codes.
    pub fn read_in_domain(
        objects: &RegistryObjectList,
        rules: Rules,
        codes: Option<&AffinityCodes>,
    ) -> Result<Self, Vec<RegistryError>> {
        let mut judge = Judge::of(rules);
        let submission = Self::assemble(objects, &mut judge);
        if let Some(submission) = &submission {
            judgement::judge(submission, rules, &mut judge);
        }
        match (submission, codes) {
            (Some(submission), _) if judge.offences.is_empty() => Ok(submission),
            (Some(submission), Some(codes)) => {
                let mut offences = judge.offences;
                offences.extend(submission.judge_codes(codes));
                Err(offences)
            }
            _ => Err(judge.offences),
        }
    }

    fn assemble(objects: &RegistryObjectList, judge: &mut Judge) -> Option<Self> {
        let beside = classifications_beside(objects, judge);
        let mut sets = Vec::new();
        let mut document_entries = Vec::new();
        let mut folders = Vec::new();
        let mut associations = Vec::new();
        for object in &objects.objects {
            match &object.body {
                Body::ExtrinsicObject { .. } => {
                    document_entries.extend(DocumentEntry::read(object, judge));
                }
                Body::Association { .. } => associations.extend(Association::read(object, judge)),
                // Some senders name the schemes they use; it tells nothing new.
                Body::ObjectRef => {}
                Body::RegistryPackage => match package_kind(object, &beside) {
                    (true, false) => sets.extend(SubmissionSet::read(object, judge)),
                    (false, true) => folders.extend(Folder::read(object, judge)),
                    _ => {
                        let subject = Subject {
                            kind: "RegistryPackage",
                            id: &object.id,
                        };
                        let problem = "does not say that it is either a SubmissionSet or a Folder";
                        judge.offence(Concern::Everybody, subject, "Classification", problem);
                    }
                },
            }
        }
        let number = sets.len();
        let submission_set = sets.pop();
        if number != 1 {
            let id = submission_set
                .as_ref()
                .map_or("", |set| set.entry_uuid.as_str());
            let subject = Subject {
                kind: "SubmissionSet",
                id,
            };
            let problem = format!("must be one in a submission; there are {number}");
            judge.offence(Concern::Everybody, subject, "RegistryPackage", &problem);
        }
        Some(Self {
            submission_set: submission_set?,
            document_entries,
            folders,
            associations,
        })
    }

    /// How the objects are called: the submission set first, then document entries, folders and
    /// associations.
    pub fn entry_uuids(&self) -> Vec<EntryUuid> {
        let set = std::iter::once(&self.submission_set.entry_uuid);
        let entries = self.document_entries.iter().map(|it| &it.entry_uuid);
        let folders = self.folders.iter().map(|it| &it.entry_uuid);
        let associations = self.associations.iter().map(|it| &it.entry_uuid);
        let all = set.chain(entries).chain(folders).chain(associations);
        all.cloned().collect()
    }

    /// The submission as it travels.
    pub fn to_ebrim(&self) -> RegistryObjectList {
        let mut objects = Vec::with_capacity(
            1 + self.document_entries.len() + self.folders.len() + self.associations.len(),
        );
        objects.push(self.submission_set.to_ebrim());
        objects.extend(self.document_entries.iter().map(DocumentEntry::to_ebrim));
        objects.extend(self.folders.iter().map(Folder::to_ebrim));
        objects.extend(self.associations.iter().map(Association::to_ebrim));
        for (at, object) in objects.iter_mut().enumerate() {
            // The schema wants an id; associations may have come without.
            if object.id.is_empty() {
                object.id = format!("Association{at}");
            }
        }
        RegistryObjectList {
            objects,
            loose_classifications: Vec::new(),
        }
    }

    /// Gives every object with a symbolic name, or without one, the UUID that `fresh` makes, and
    /// follows the names wherever they are used (ITI TF-3 4.2.1.5). References to what is not in
    /// the submission stay.
    pub fn resolve(&mut self, fresh: &mut dyn FnMut() -> EntryUuid) {
        let mut names: HashMap<EntryUuid, EntryUuid> = HashMap::new();
        let mut name = |id: &mut EntryUuid, logical_id: Option<&mut Option<EntryUuid>>| {
            if id.is_symbolic() {
                let uuid = fresh();
                if let Some(Some(logical_id)) = logical_id
                    && logical_id == id
                {
                    logical_id.clone_from(&uuid);
                }
                let symbolic = std::mem::replace(id, uuid.clone());
                if !symbolic.as_str().is_empty() {
                    names.insert(symbolic, uuid);
                }
            }
        };
        let set = &mut self.submission_set;
        name(&mut set.entry_uuid, Some(&mut set.logical_id));
        for entry in &mut self.document_entries {
            name(&mut entry.entry_uuid, Some(&mut entry.logical_id));
        }
        for folder in &mut self.folders {
            name(&mut folder.entry_uuid, Some(&mut folder.logical_id));
        }
        for association in &mut self.associations {
            name(
                &mut association.entry_uuid,
                Some(&mut association.logical_id),
            );
        }
        for association in &mut self.associations {
            for end in [&mut association.source, &mut association.target] {
                if let Some(uuid) = names.get(end) {
                    end.clone_from(uuid);
                }
            }
        }
        for extra in self.extras() {
            extra.forget_symbolic_ids();
        }
    }

    fn extras(&mut self) -> impl Iterator<Item = &mut Extra> {
        let entries = self.document_entries.iter_mut().map(|it| &mut it.extra);
        let folders = self.folders.iter_mut().map(|it| &mut it.extra);
        let associations = self.associations.iter_mut().map(|it| &mut it.extra);
        let set = std::iter::once(&mut self.submission_set.extra);
        set.chain(entries).chain(folders).chain(associations)
    }
}

/// The classifications that stand beside the packages which they classify as submission sets or
/// folders (ITI TF-3 4.2.1.4 allows it for these alone), by the id of the package.
fn classifications_beside<'a>(
    objects: &'a RegistryObjectList,
    judge: &mut Judge,
) -> HashSet<(&'a str, &'a str)> {
    let mut beside = HashSet::new();
    if objects.loose_classifications.is_empty() {
        return beside;
    }
    let packages = objects
        .objects
        .iter()
        .filter(|it| it.body == Body::RegistryPackage);
    let packages: HashSet<&str> = packages.map(|it| it.id.as_str()).collect();
    for classification in &objects.loose_classifications {
        let object = classification.classified_object.as_str();
        let subject = Subject {
            kind: "Classification",
            id: &classification.id,
        };
        match classification.node.as_deref() {
            Some(node @ (submission_set::NODE | folder::NODE)) if packages.contains(object) => {
                beside.insert((object, node));
            }
            Some(submission_set::NODE | folder::NODE) => {
                let problem = "is no RegistryPackage of the submission";
                judge.offence(Concern::Repository, subject, "classifiedObject", problem);
            }
            _ => {
                let problem = "must be a part of the object that it classifies";
                judge.offence(Concern::Repository, subject, "the Classification", problem);
            }
        }
    }
    beside
}

/// Whether a package says that it is a submission set, and whether that it is a folder: in itself,
/// or by a classification beside it.
fn package_kind(object: &RegistryObject, beside: &HashSet<(&str, &str)>) -> (bool, bool) {
    let says = |node| object.is_classified_as(node) || beside.contains(&(object.id.as_str(), node));
    (says(submission_set::NODE), says(folder::NODE))
}

#[cfg(test)]
mod tests;
