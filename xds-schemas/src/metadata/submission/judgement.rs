//! What the objects of a submission must be to one another.

use std::collections::{HashMap, HashSet};

use super::{Rules, Submission};
use crate::codes::error_code::ErrorCode;
use crate::metadata::judge::{Concern, Judge, Subject};
use crate::metadata::{Association, AssociationType, EntryUuid, PatientId, SubmissionSetStatus};

/// What an id of a submission stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    SubmissionSet,
    DocumentEntry,
    Folder,
    Association,
    /// Not in the submission: a UUID, which may be registered.
    Registered,
    /// Not in the submission, and a name that means nothing outside of one.
    Nowhere,
}

/// Judges what one object alone does not tell.
pub(super) fn judge(submission: &Submission, rules: Rules, judge: &mut Judge) {
    let mut it = Judgement {
        submission,
        judge,
        places: HashMap::new(),
        members: HashSet::new(),
        transformations: HashSet::new(),
    };
    it.identities_are_unique(rules);
    it.patients_agree(rules);
    if rules == Rules::Update {
        return it.ends_mean_something();
    }
    it.members = it.memberships_of_the_set();
    let transforms = |it: &&Association| it.association_type == AssociationType::Transform;
    let associations = submission.associations.iter().filter(transforms);
    it.transformations = associations.map(|it| it.source.as_str()).collect();
    for association in &submission.associations {
        it.association(association);
    }
    it.everything_is_a_member();
}

struct Judgement<'a, 'j> {
    submission: &'a Submission,
    judge: &'j mut Judge,
    /// By id: which object of the submission it is, and of what kind.
    places: HashMap<&'a str, (usize, Place)>,
    /// What the submission set has as members.
    members: HashSet<&'a str>,
    /// What is submitted as a transformation of something.
    transformations: HashSet<&'a str>,
}

impl<'a> Judgement<'a, '_> {
    /// Every object: what it is called, what it is, its id and, if it may have one, its uniqueId.
    fn objects(&self) -> impl Iterator<Item = (Subject<'a>, Place, Option<&'a str>)> + use<'a> {
        let object = |kind, id: &'a EntryUuid, place, unique_id| {
            (
                Subject {
                    kind,
                    id: id.as_str(),
                },
                place,
                unique_id,
            )
        };
        let submission = self.submission;
        let set = &submission.submission_set;
        let set = object(
            "SubmissionSet",
            &set.entry_uuid,
            Place::SubmissionSet,
            Some(set.unique_id.as_str()),
        );
        let entries = submission.document_entries.iter().map(move |it| {
            object(
                "DocumentEntry",
                &it.entry_uuid,
                Place::DocumentEntry,
                Some(it.unique_id.as_str()),
            )
        });
        let folders = submission.folders.iter().map(move |it| {
            object(
                "Folder",
                &it.entry_uuid,
                Place::Folder,
                Some(it.unique_id.as_str()),
            )
        });
        let associations = submission
            .associations
            .iter()
            .map(move |it| object("Association", &it.entry_uuid, Place::Association, None));
        std::iter::once(set)
            .chain(entries)
            .chain(folders)
            .chain(associations)
    }

    /// Each entryUUID and each uniqueId stands once in a submission.
    fn identities_are_unique(&mut self, rules: Rules) {
        let mut unique_ids = HashSet::new();
        for (at, (subject, place, unique_id)) in self.objects().enumerate() {
            let known = *self.places.entry(subject.id).or_insert((at, place));
            let duplicate = !subject.id.is_empty() && known.0 != at;
            if duplicate {
                let problem = "is the entryUUID of another object of the submission";
                let code = rules.duplicate_in_message();
                self.judge
                    .coded_offence(Concern::Repository, code, subject, "entryUUID", problem);
            }
            let Some(unique_id) = unique_id.filter(|id| !id.is_empty()) else {
                continue;
            };
            if !unique_ids.insert(unique_id) {
                let problem =
                    format!("{unique_id} is the uniqueId of another object of the submission");
                let code = rules.duplicate_in_message();
                self.judge
                    .coded_offence(Concern::Repository, code, subject, "uniqueId", &problem);
            }
        }
    }

    /// All objects are about the same patient (ITI TF-2 3.42.4.1.3.3.2).
    fn patients_agree(&mut self, rules: Rules) {
        let code = match rules {
            Rules::Update => ErrorCode::PatientIdReconciliationError,
            _ => ErrorCode::PatientIdDoesNotMatch,
        };
        let set = &self.submission.submission_set;
        let entries = self.submission.document_entries.iter();
        let entries = entries.map(|it| ("DocumentEntry", &it.entry_uuid, &it.patient_id));
        let folders = self.submission.folders.iter();
        let folders = folders.map(|it| ("Folder", &it.entry_uuid, &it.patient_id));
        let differs = |patient: &Option<PatientId>| *patient != set.patient_id;
        for (kind, id, patient) in entries
            .chain(folders)
            .filter(|(_, _, patient)| differs(patient))
        {
            let (Some(patient), Some(of_set)) = (patient, &set.patient_id) else {
                continue;
            };
            let subject = Subject {
                kind,
                id: id.as_str(),
            };
            let problem = match rules {
                Rules::Update => "is not that of the SubmissionSet".to_owned(),
                // The value has to be told (ITI TF-3 Table 4.2.4.1-2).
                _ => format!("{patient} is not that of the SubmissionSet, {of_set}"),
            };
            let code = code.clone();
            self.judge
                .coded_offence(Concern::Registry, code, subject, "patientId", &problem);
        }
    }

    fn place(&self, id: &EntryUuid) -> Place {
        match self.places.get(id.as_str()) {
            Some((_, place)) => *place,
            None if id.is_symbolic() => Place::Nowhere,
            None => Place::Registered,
        }
    }

    fn memberships_of_the_set(&self) -> HashSet<&'a str> {
        let associations = self.submission.associations.iter();
        associations
            .filter(|it| it.association_type == AssociationType::HasMember)
            .filter(|it| self.place(&it.source) == Place::SubmissionSet)
            .map(|it| it.target.as_str())
            .collect()
    }

    fn offend(&mut self, association: &Association, attribute: &str, problem: &str) {
        let subject = Subject {
            kind: "Association",
            id: association.entry_uuid.as_str(),
        };
        self.judge
            .offence(Concern::Registry, subject, attribute, problem);
    }

    fn unresolved(
        &mut self,
        association: &Association,
        attribute: &str,
        id: &EntryUuid,
        problem: &str,
    ) {
        let subject = Subject {
            kind: "Association",
            id: association.entry_uuid.as_str(),
        };
        let code = ErrorCode::UnresolvedReferenceException;
        let problem = format!("{id} {problem}");
        self.judge
            .coded_offence(Concern::Registry, code, subject, attribute, &problem);
    }

    /// What the ends of the associations are called leads somewhere, in the submission or beyond.
    fn ends_mean_something(&mut self) {
        for association in &self.submission.associations {
            self.ends(association);
        }
    }

    /// What the two ends of an association are, if both mean something.
    fn ends(&mut self, association: &Association) -> Option<(Place, Place)> {
        let (source, target) = (
            self.place(&association.source),
            self.place(&association.target),
        );
        for (attribute, id, place) in [
            ("sourceObject", &association.source, source),
            ("targetObject", &association.target, target),
        ] {
            if place == Place::Nowhere {
                let problem = "is neither in the submission nor a UUID";
                self.unresolved(association, attribute, id, problem);
            }
        }
        (source != Place::Nowhere && target != Place::Nowhere).then_some((source, target))
    }

    fn association(&mut self, association: &Association) {
        let Some((source, target)) = self.ends(association) else {
            return;
        };
        match association.association_type {
            AssociationType::HasMember => self.membership(association, source, target),
            AssociationType::Other(_)
            | AssociationType::UpdateAvailabilityStatus
            | AssociationType::SubmitAssociation => {
                self.offend(
                    association,
                    "associationType",
                    "is not one that a submission may have",
                );
            }
            _ => self.relationship(association, source, target),
        }
    }

    /// ITI TF-3 4.2.2.1. What is registered already is for the registry to look up.
    fn membership(&mut self, association: &Association, source: Place, target: Place) {
        if association.documentation.is_some() {
            self.offend(
                association,
                "documentation",
                "is for relationships between documents",
            );
        }
        match (source, target) {
            (Place::SubmissionSet, Place::DocumentEntry | Place::Registered) => {
                self.submission_set_status(association, target);
            }
            (Place::SubmissionSet, Place::Folder | Place::Association) => {}
            // The source can only be a folder, then.
            (Place::Folder | Place::Registered, Place::DocumentEntry | Place::Registered) => {
                let id = association.entry_uuid.as_str();
                if id.is_empty() || !self.members.contains(id) {
                    let problem = "of this membership in a folder is missing: the SubmissionSet must have it as a member";
                    self.offend(association, "SS-HM HasMember", problem);
                }
            }
            (Place::Folder | Place::SubmissionSet | Place::Registered, _) => {
                self.offend(
                    association,
                    "targetObject",
                    "is nothing that may be a member there",
                );
            }
            _ => self.offend(association, "sourceObject", "is nothing that has members"),
        }
    }

    /// Documents that come with the submission are Original, registered ones Reference.
    fn submission_set_status(&mut self, association: &Association, target: Place) {
        let problem = match (association.submission_set_status, target) {
            // What could not be read was named already.
            (None, _) if association.extra.slot("SubmissionSetStatus").is_some() => return,
            // A folder needs none; the registry knows which it is.
            (None, Place::Registered) => return,
            (None, _) => "is missing",
            (Some(SubmissionSetStatus::Reference), Place::DocumentEntry) => {
                "is Reference, but the document comes with the submission"
            }
            (Some(SubmissionSetStatus::Original), Place::Registered) => {
                "is Original, but the document does not come with the submission"
            }
            _ => return,
        };
        self.offend(association, "SubmissionSetStatus", problem);
    }

    /// ITI TF-3 4.2.2.2, ITI TF-2 3.42.4.1.3.5.
    fn relationship(&mut self, association: &Association, source: Place, target: Place) {
        if source != Place::DocumentEntry {
            let problem = "is not a document entry of the submission";
            self.unresolved(association, "sourceObject", &association.source, problem);
        }
        if association.source == association.target {
            let problem = "is the document itself, which is not related to itself";
            return self.offend(association, "targetObject", problem);
        }
        let only_registered = association.association_type.replaces()
            || association.association_type == AssociationType::IsSnapshotOf;
        match target {
            Place::Registered => {}
            Place::DocumentEntry if !only_registered => {}
            Place::DocumentEntry => {
                let problem = "is in the submission, but must be registered already";
                self.unresolved(association, "targetObject", &association.target, problem);
            }
            _ => {
                let problem = "is not a document entry";
                self.unresolved(association, "targetObject", &association.target, problem);
            }
        }
        // A transformation is another form of its parent, to which an addendum belongs instead.
        if association.association_type == AssociationType::Append
            && self.transformations.contains(association.target.as_str())
        {
            self.offend(
                association,
                "targetObject",
                "is a transformation, to which nothing can be appended",
            );
        }
    }

    /// Whatever is new belongs to the submission set.
    fn everything_is_a_member(&mut self) {
        for (subject, place, _) in self.objects() {
            let (attribute, needed) = match place {
                Place::DocumentEntry => ("SS-DE HasMember", true),
                Place::Folder => ("SS-FD HasMember", true),
                _ => ("", false),
            };
            if needed && !self.members.contains(subject.id) {
                self.judge
                    .offence(Concern::Registry, subject, attribute, "is missing");
            }
        }
    }
}
