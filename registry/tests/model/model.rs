//! The registry as the framework describes it, as simple as can be: a list of objects, and for each
//! rule and each query a loop over the list. Slow, and nothing in it is shared with the registry.

use std::collections::BTreeSet;

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, GetContents, GetRelatedDocuments, Names,
    StoredQuery,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{
    Association, AssociationType, Code, DocumentEntry, DocumentEntryType, EntryUuid, Folder,
    PatientId, Submission, SubmissionSet, SubmissionSetStatus, Timestamp,
};

/// An object that is registered.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// None for what the registry made itself.
    pub(crate) uuid: Option<EntryUuid>,
    pub(crate) patient: PatientId,
    pub(crate) is_approved: bool,
    pub(crate) what: What,
    /// The place of its first version, its own number, and whether there is a later one.
    pub(crate) first: usize,
    pub(crate) version: u32,
    pub(crate) is_superseded: bool,
    /// Whether it was removed: nothing finds it any more.
    pub(crate) is_gone: bool,
}

/// `$MetadataLevel`: what is seen by those who know of versions, and by those who do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// 1.
    Newest,
    /// 2.
    All,
}

/// What an object is. Associations connect places in the list.
#[derive(Debug, Clone)]
pub(crate) enum What {
    Set(Box<SubmissionSet>),
    Document(Box<DocumentEntry>),
    Folder(Box<Folder>),
    Link {
        how: AssociationType,
        source: usize,
        target: usize,
        status: Option<SubmissionSetStatus>,
    },
}

/// The registry.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) patients: Vec<PatientId>,
    pub(crate) objects: Vec<Object>,
    /// Who was merged into whom.
    merged: Vec<(PatientId, PatientId)>,
}

/// Codes of ITI TF-3 Table 4.2.4.1-2.
pub(crate) type Errors = BTreeSet<&'static str>;

const METADATA: &str = "XDSRegistryMetadataError";
const UNRESOLVED: &str = "UnresolvedReferenceException";
const PATIENT: &str = "XDSPatientIdDoesNotMatch";
const SEVERAL: &str = "XDSResultNotSinglePatient";

/// What an end of an association is in the submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Set,
    Document,
    Folder,
    Link,
    Outside,
}

impl Model {
    /// ITI-8: from now on the one is called as the other (ITI TF-2 3.8.4.2.4).
    pub(crate) fn merge(&mut self, subsumed: &PatientId, survivor: &PatientId) {
        self.merged.push((subsumed.clone(), survivor.clone()));
    }

    /// How a patient is called now.
    pub(crate) fn survivor<'p>(&'p self, patient: &'p PatientId) -> &'p PatientId {
        let into = self.merged.iter().find(|(subsumed, _)| subsumed == patient);
        into.map_or(patient, |(_, survivor)| self.survivor(survivor))
    }

    /// Whether a patient is known under this identifier.
    pub(crate) fn knows(&self, patient: &PatientId) -> bool {
        self.patients.contains(patient) && self.survivor(patient) == patient
    }

    fn is_set(&self, at: usize) -> bool {
        matches!(self.objects[at].what, What::Set(_))
    }

    fn is_document(&self, at: usize) -> bool {
        matches!(self.objects[at].what, What::Document(_))
    }

    fn is_folder(&self, at: usize) -> bool {
        matches!(self.objects[at].what, What::Folder(_))
    }

    fn is_link(&self, at: usize) -> bool {
        matches!(self.objects[at].what, What::Link { .. })
    }

    pub(crate) fn find(&self, uuid: &EntryUuid) -> Option<usize> {
        let has = |it: &Object| !it.is_gone && it.uuid.as_ref() == Some(uuid);
        self.objects.iter().position(has)
    }

    fn all(&self) -> impl Iterator<Item = usize> {
        (0..self.objects.len()).filter(|at| !self.objects[*at].is_gone)
    }

    /// Metadata update 3.18.4.1.2.3.5.1. Deprecated folders are seen where their status is asked for.
    fn is_seen(&self, at: usize, level: Level) -> bool {
        let object = &self.objects[at];
        let is_trigger = matches!(&object.what, What::Link { how, .. } if how.is_trigger());
        let is_deprecated = (self.is_folder(at) || self.is_link(at)) && !object.is_approved;
        let is_hidden = object.is_superseded || is_trigger || is_deprecated;
        !object.is_gone && (level == Level::All || !is_hidden)
    }

    fn add(&mut self, uuid: Option<&EntryUuid>, patient: &PatientId, what: What) -> usize {
        let at = self.objects.len();
        self.objects.push(Object {
            uuid: uuid.cloned(),
            patient: patient.clone(),
            is_approved: true,
            what,
            first: at,
            version: 1,
            is_superseded: false,
            is_gone: false,
        });
        at
    }

    fn unique_id(&self, at: usize) -> Option<&str> {
        match &self.objects[at].what {
            What::Set(set) => Some(set.unique_id.as_str()),
            What::Document(entry) => Some(entry.unique_id.as_str()),
            What::Folder(folder) => Some(folder.unique_id.as_str()),
            What::Link { .. } => None,
        }
    }

    /// Every association: its place, type, source, target.
    fn links(&self) -> impl Iterator<Item = (usize, &AssociationType, usize, usize)> {
        let all = self.objects.iter().enumerate();
        all.filter(|(_, it)| !it.is_gone)
            .filter_map(|(at, it)| match &it.what {
                What::Link {
                    how,
                    source,
                    target,
                    ..
                } => Some((at, how, *source, *target)),
                _ => None,
            })
    }

    /// Memberships: their place, source, target.
    fn memberships(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let memberships = self
            .links()
            .filter(|it| *it.1 == AssociationType::HasMember);
        memberships.map(|(at, _, source, target)| (at, source, target))
    }

    /// ITI-42: the codes with which a submission is refused, or none.
    pub(crate) fn submit(&mut self, submission: &Submission) -> Errors {
        let mut errors = message_errors(submission);
        if errors.is_empty() {
            errors = self.registry_errors(submission);
        }
        if errors.is_empty() {
            self.accept(submission);
        }
        errors
    }

    /// What the registry alone can tell (ITI TF-2 3.42.4.1.3).
    fn registry_errors(&self, submission: &Submission) -> Errors {
        let mut errors = Errors::new();
        let patient = submission.submission_set.patient_id.as_ref().unwrap();
        let is_known = self.knows(patient);
        if !is_known {
            errors.insert("XDSUnknownPatientId");
        }
        // 3.42.4.1.3.7: an entryUUID is given once.
        if submission
            .entry_uuids()
            .iter()
            .any(|uuid| self.find(uuid).is_some())
        {
            errors.insert(METADATA);
        }
        // 3.42.4.1.3.3.7: no object has the uniqueId of a new SubmissionSet or Folder.
        let taken = |id: &str| self.all().any(|at| self.unique_id(at) == Some(id));
        let folders = submission.folders.iter().map(|it| &it.unique_id);
        for id in folders.chain([&submission.submission_set.unique_id]) {
            if taken(id.as_str()) {
                errors.insert("XDSDuplicateUniqueIdInRegistry");
            }
        }
        // 3.42.4.1.3.3.1: a uniqueId stands for one hash and one size.
        for entry in &submission.document_entries {
            for object in self.objects.iter().filter(|it| !it.is_gone) {
                match &object.what {
                    What::Document(other) if other.unique_id == entry.unique_id => {
                        if other.hash != entry.hash {
                            errors.insert("XDSNonIdenticalHash");
                        }
                        if other.size != entry.size {
                            errors.insert("XDSNonIdenticalSize");
                        }
                    }
                    _ => {}
                }
            }
        }
        for link in &submission.associations {
            self.link_errors(submission, link, is_known.then_some(patient), &mut errors);
        }
        errors
    }

    fn link_errors(
        &self,
        submission: &Submission,
        link: &Association,
        patient: Option<&PatientId>,
        errors: &mut Errors,
    ) {
        let place = |uuid: &EntryUuid| match place(submission, uuid) {
            Place::Outside => {
                let at = self.find(uuid)?;
                let what = match self.objects[at].what {
                    What::Set(_) => Place::Set,
                    What::Document(_) => Place::Document,
                    What::Folder(_) => Place::Folder,
                    What::Link { .. } => Place::Link,
                };
                Some((what, Some(at)))
            }
            new => Some((new, None)),
        };
        let (Some((from, source)), Some((to, target))) = (place(&link.source), place(&link.target))
        else {
            errors.insert(UNRESOLVED);
            return;
        };
        let fits = match (&link.association_type, from, to) {
            // A set gets no members after its submission.
            (AssociationType::HasMember, Place::Set, _) if source.is_some() => false,
            (AssociationType::HasMember, Place::Set, Place::Document) => {
                let right = match target {
                    Some(_) => SubmissionSetStatus::Reference,
                    None => SubmissionSetStatus::Original,
                };
                link.submission_set_status == Some(right)
            }
            (AssociationType::HasMember, Place::Set, to) => to != Place::Set,
            (AssociationType::HasMember, from, to) => {
                from == Place::Folder && to == Place::Document
            }
            (_, _, to) if to != Place::Document => {
                errors.insert(UNRESOLVED);
                return;
            }
            // All documents of this model are stable.
            (how, ..) => *how != AssociationType::IsSnapshotOf,
        };
        if !fits {
            errors.insert(METADATA);
            return;
        }
        let registered = [source, target].into_iter().flatten();
        if registered.clone().any(|at| !self.objects[at].is_approved) {
            errors.insert("XDSRegistryDeprecatedDocumentError");
        }
        let is_reference = from == Place::Set && to == Place::Document;
        let mut registered = registered;
        if let (Some(patient), false) = (patient, is_reference)
            && registered.any(|at| self.survivor(&self.objects[at].patient) != patient)
        {
            errors.insert(PATIENT);
        }
        if link.association_type == AssociationType::Append
            && target.is_some_and(|at| self.is_transformation(at))
        {
            errors.insert(METADATA);
        }
    }

    fn is_transformation(&self, document: usize) -> bool {
        self.links()
            .any(|(_, how, source, _)| source == document && *how == AssociationType::Transform)
    }

    /// Puts a submission into the list; gives the place of its set.
    fn store(&mut self, submission: &Submission) -> usize {
        let patient = submission.submission_set.patient_id.clone().unwrap();
        let new = &submission.submission_set;
        let what = What::Set(Box::new(new.clone()));
        let set = self.add(Some(&new.entry_uuid), &patient, what);
        for entry in &submission.document_entries {
            let what = What::Document(Box::new(entry.clone()));
            self.add(Some(&entry.entry_uuid), &patient, what);
        }
        for folder in &submission.folders {
            let what = What::Folder(Box::new(folder.clone()));
            self.add(Some(&folder.entry_uuid), &patient, what);
        }
        // Associations may refer to each other, so they all get their places first.
        let first = self.objects.len();
        for link in &submission.associations {
            let what = What::Link {
                how: link.association_type.clone(),
                source: 0,
                target: 0,
                status: link.submission_set_status,
            };
            self.add(Some(&link.entry_uuid), &patient, what);
        }
        for (at, link) in (first..).zip(&submission.associations) {
            let ends = (
                self.find(&link.source).unwrap(),
                self.find(&link.target).unwrap(),
            );
            if let What::Link { source, target, .. } = &mut self.objects[at].what {
                (*source, *target) = ends;
            }
        }
        set
    }

    /// ITI TF-2 3.42.4.1.3.5 and what else becomes of a good submission.
    fn accept(&mut self, submission: &Submission) {
        let set = self.store(submission);
        let patient = submission.submission_set.patient_id.clone().unwrap();
        let mut replacements = Vec::new();
        for link in &submission.associations {
            let how = &link.association_type;
            if [
                AssociationType::Replace,
                AssociationType::TransformAndReplace,
            ]
            .contains(how)
            {
                let ends = (
                    self.find(&link.source).unwrap(),
                    self.find(&link.target).unwrap(),
                );
                replacements.push(ends);
            }
        }
        let mut carried = BTreeSet::new();
        let spared: Vec<usize> = replacements.iter().map(|(new, _)| *new).collect();
        for (new, old) in replacements {
            self.deprecate(old, &spared);
            let holders = self.memberships().filter(|it| {
                let in_force = self.objects[it.0].is_approved && self.objects[it.1].is_approved;
                it.2 == old && self.is_folder(it.1) && in_force
            });
            carried.extend(holders.map(|(_, folder, _)| (folder, new)));
        }
        for (folder, member) in carried {
            let is_there = |it: (usize, usize, usize)| (it.1, it.2) == (folder, member);
            if !self.memberships().any(is_there) {
                let membership = self.make_member(&patient, folder, member);
                self.make_member(&patient, set, membership);
            }
        }
    }

    /// Deprecates a document, its transformations and its addenda, and theirs; what replaces
    /// something in this submission stays.
    fn deprecate(&mut self, document: usize, spared: &[usize]) {
        let hangs_on = [AssociationType::Transform, AssociationType::Append];
        let mut next = vec![document];
        let mut seen = BTreeSet::new();
        while let Some(parent) = next.pop() {
            if spared.contains(&parent) || !seen.insert(parent) {
                continue;
            }
            let children = self
                .links()
                .filter(|it| it.3 == parent && hangs_on.contains(it.1));
            next.extend(children.map(|it| it.2));
        }
        for at in seen {
            self.objects[at].is_approved = false;
        }
    }

    fn make_member(&mut self, patient: &PatientId, source: usize, target: usize) -> usize {
        self.make(patient, AssociationType::HasMember, source, target)
    }

    fn make(
        &mut self,
        patient: &PatientId,
        how: AssociationType,
        source: usize,
        target: usize,
    ) -> usize {
        let what = What::Link {
            how,
            source,
            target,
            status: None,
        };
        self.add(None, patient, what)
    }

    /// An object and all associations that refer to it, and to these.
    pub(crate) fn with_references(&self, at: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::from([at]);
        loop {
            let more: Vec<usize> = self
                .links()
                .filter(|(at, _, source, target)| {
                    !found.contains(at) && (found.contains(source) || found.contains(target))
                })
                .map(|it| it.0)
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }

    /// The newest version of an object.
    pub(crate) fn newest(&self, of: usize) -> usize {
        let first = self.objects[of].first;
        let versions = self.all().filter(|at| self.objects[*at].first == first);
        versions
            .max_by_key(|at| self.objects[*at].version)
            .unwrap_or(of)
    }

    /// ITI-57: a new version of a document (metadata update 3.57.4.1.3.3.1). `old` is any version
    /// of it, `previous` what the administrator takes for the newest.
    pub(crate) fn update(
        &mut self,
        update: &Submission,
        old: usize,
        previous: u32,
        propagates: bool,
    ) -> Errors {
        let mut errors = Errors::new();
        let old = self.newest(old);
        let entry = &update.document_entries[0];
        if Some(entry.unique_id.as_str()) != self.unique_id(old) {
            errors.insert("XDSMetadataIdentifierError");
        }
        if previous != self.objects[old].version {
            errors.insert("XDSMetadataVersionError");
        }
        if !errors.is_empty() {
            return errors;
        }
        // The links as they are now; what is new links the new version already.
        let links: Vec<_> = self
            .links()
            .filter(|(at, _, source, target)| {
                self.objects[*at].is_approved && (*source == old || *target == old)
            })
            .map(|(_, how, source, target)| (how.clone(), source, target))
            .collect();
        let patient = update.submission_set.patient_id.clone().unwrap();
        let set = self.store(update);
        let new = set + 1;
        self.objects[new].first = self.objects[old].first;
        self.objects[new].version = self.objects[old].version + 1;
        self.objects[new].is_approved = self.objects[old].is_approved;
        self.objects[old].is_approved = false;
        self.objects[old].is_superseded = true;
        if !propagates {
            return errors;
        }
        let mut made = Vec::new();
        for (how, source, target) in links {
            let is_of_folder = how == AssociationType::HasMember && self.is_folder(source);
            if is_of_folder && !self.objects[source].is_approved {
                continue;
            }
            if !is_of_folder && !how.is_relationship() {
                continue;
            }
            let newer = |at| if at == old { new } else { at };
            let link = (how, newer(source), newer(target));
            if made.contains(&link) {
                continue;
            }
            let at = self.make(&patient, link.0.clone(), link.1, link.2);
            if is_of_folder {
                self.make_member(&patient, set, at);
            }
            made.push(link);
        }
        errors
    }

    /// ITI-57: another status (metadata update 3.57.4.1.3.3.2, .4 and .5).
    pub(crate) fn change_status(
        &mut self,
        update: &Submission,
        object: usize,
        from: bool,
        to: bool,
    ) -> Errors {
        let may = match &self.objects[object].what {
            What::Set(_) => false,
            What::Document(_) | What::Folder(_) => !self.objects[object].is_superseded,
            What::Link { how, source, .. } => {
                how.is_relationship()
                    || (*how == AssociationType::HasMember && self.is_folder(*source))
            }
        };
        if !may || self.objects[object].is_approved != from {
            return Errors::from(["XDSMetadataUpdateError"]);
        }
        self.store(update);
        self.objects[object].is_approved = to;
        Errors::new()
    }

    /// ITI-62 (remove metadata 3.62.4.1.3): all of it goes or nothing.
    pub(crate) fn remove(&mut self, uuids: &[EntryUuid]) -> Errors {
        let mut errors = Errors::new();
        let places: Vec<Option<usize>> = uuids.iter().map(|uuid| self.find(uuid)).collect();
        let going: BTreeSet<usize> = places.iter().copied().flatten().collect();
        if places.contains(&None) {
            errors.insert(UNRESOLVED);
        }
        let stays = |at: usize| !going.contains(&at);
        for (at, _, source, target) in self.links() {
            if stays(at) && !(stays(source) && stays(target)) {
                errors.insert("ReferencesExistException");
            }
        }
        // What loses a link and is held by no set then, and sets that hold nothing then.
        for (at, how, source, target) in self.links() {
            let is_membership = *how == AssociationType::HasMember;
            for end in [source, target] {
                if stays(at) || !stays(end) {
                    continue;
                }
                let is_empty = || {
                    let mut links = self.links();
                    !links.any(|(at, _, from, to)| stays(at) && (from == end || to == end))
                };
                let is_orphan = || {
                    let mut memberships = self.memberships();
                    !memberships
                        .any(|(at, set, member)| stays(at) && member == end && self.is_set(set))
                };
                let is_wrong = if self.is_set(end) {
                    is_membership && is_empty()
                } else if self.is_document(end) || self.is_folder(end) {
                    is_orphan()
                } else {
                    is_membership && is_orphan()
                };
                if is_wrong {
                    errors.insert("XDSUnreferencedObjectException");
                }
            }
        }
        if errors.is_empty() {
            for at in going {
                self.objects[at].is_gone = true;
            }
            // When the newest version has gone, the one before it is the newest.
            for at in 0..self.objects.len() {
                if self.objects[at].is_superseded && self.newest(at) == at {
                    self.objects[at].is_superseded = false;
                }
            }
        }
        errors
    }

    /// ITI-18: what a query finds, or the code with which it is refused.
    pub(crate) fn query(
        &self,
        query: &StoredQuery,
        level: Level,
    ) -> Result<BTreeSet<usize>, &'static str> {
        // ITI-51 has no $MetadataLevel (metadata update 3.18.4.1.2.3.5.1).
        let is_for_several = matches!(
            query,
            StoredQuery::FindDocumentsForMultiplePatients(_)
                | StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(_)
                | StoredQuery::FindFoldersForMultiplePatients(_)
        );
        let level = match is_for_several {
            true => Level::Newest,
            false => level,
        };
        let view = View { model: self, level };
        view.query(query)
    }
}

/// What of the registry is seen.
struct View<'m> {
    model: &'m Model,
    level: Level,
}

impl View<'_> {
    fn seen(&self) -> impl Iterator<Item = usize> {
        self.model
            .all()
            .filter(|at| self.model.is_seen(*at, self.level))
    }

    fn links(&self) -> impl Iterator<Item = (usize, &AssociationType, usize, usize)> {
        let links = self.model.links();
        links.filter(|it| self.model.is_seen(it.0, self.level))
    }

    fn memberships(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let memberships = self.model.memberships();
        memberships.filter(|it| self.model.is_seen(it.0, self.level))
    }

    fn sees(&self, at: usize) -> bool {
        self.model.is_seen(at, self.level)
    }

    /// What is found by its patient and status: deprecated folders, too, if they are asked for.
    fn found_by_status(&self) -> impl Iterator<Item = usize> {
        let is_folder =
            |at: usize| self.model.is_folder(at) && !self.model.objects[at].is_superseded;
        let all = self.model.all();
        all.filter(move |at| self.sees(*at) || is_folder(*at))
    }

    #[expect(clippy::too_many_lines, reason = "a table of queries")]
    fn query(&self, query: &StoredQuery) -> Result<BTreeSet<usize>, &'static str> {
        match query {
            StoredQuery::FindDocuments(it) | StoredQuery::FindDocumentsByReferenceId(it) => {
                let wanted = |at| self.is_document_of(at, &it.statuses, &it.filter);
                Ok(self.of(&it.patient, &wanted))
            }
            StoredQuery::FindDocumentsExclude(it, unwanted) => {
                let wanted = |at| {
                    self.is_document_of(at, &it.statuses, &it.filter)
                        && !self.has_some(at, unwanted)
                };
                Ok(self.of(&it.patient, &wanted))
            }
            StoredQuery::FindDocumentsForMultiplePatients(it)
            | StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(it) => {
                let wanted = |at| self.is_document_of(at, &it.statuses, &it.filter);
                let of_each = it
                    .patients
                    .iter()
                    .flat_map(|patient| self.of(patient, &wanted));
                Ok(of_each.collect())
            }
            StoredQuery::FindFoldersForMultiplePatients(it) => {
                let wanted = |at: usize| {
                    let object = &self.model.objects[at];
                    matches!(&object.what, What::Folder(folder)
                        if has_status(object, &it.statuses)
                            && all_of(&it.codes, &coded(&folder.codes)))
                };
                let of_each = it
                    .patients
                    .iter()
                    .flat_map(|patient| self.of(patient, &wanted));
                Ok(of_each.collect())
            }
            StoredQuery::FindDocumentsByAcquisition(_)
            | StoredQuery::FindDocumentsByMeasurement(_)
            | StoredQuery::FindDocumentsBySpecimen(_)
            | StoredQuery::FindDocumentsForCohort(_) => {
                unreachable!("they have a model of their own, in registry/src/imaging/tests.rs")
            }
            StoredQuery::FindSubmissionSets(it) => Ok(self.of(&it.patient, &|at| {
                let object = &self.model.objects[at];
                matches!(&object.what, What::Set(set)
                    if has_status(object, &it.statuses)
                        && any_of(&it.source_ids, [set.source_id.as_str()])
                        && time(&it.submission_time, set.submission_time.as_ref())
                        && any_of(&it.content_type_codes, coded(&set.content_type_code))
                        && any_like(&it.author_person, &persons(&set.authors)))
            })),
            StoredQuery::FindFolders(it) => Ok(self.of(&it.patient, &|at| {
                let object = &self.model.objects[at];
                matches!(&object.what, What::Folder(folder)
                    if has_status(object, &it.statuses) && all_of(&it.codes, &coded(&folder.codes)))
            })),
            StoredQuery::GetAll(it) => {
                let objects = self.of(&it.patient, &|at| {
                    let object = &self.model.objects[at];
                    match &object.what {
                        What::Document(entry) => {
                            has_status(object, &it.document_entry_statuses)
                                && content(entry, &it.filter)
                        }
                        What::Set(_) => has_status(object, &it.submission_set_statuses),
                        What::Folder(_) => has_status(object, &it.folder_statuses),
                        What::Link { .. } => false,
                    }
                });
                Ok(self.with_touching(objects))
            }
            StoredQuery::GetDocuments(names) => {
                self.of_one_patient(self.named(names, &|at| self.model.is_document(at)))
            }
            StoredQuery::GetFolders(names) => {
                self.of_one_patient(self.named(names, &|at| self.model.is_folder(at)))
            }
            StoredQuery::GetAssociations(uuids) => {
                let objects: BTreeSet<usize> =
                    uuids.iter().filter_map(|it| self.model.find(it)).collect();
                let touches = |at: &usize| self.touches(*at, &objects);
                Ok(self.seen().filter(touches).collect())
            }
            StoredQuery::GetDocumentsAndAssociations(names) => {
                let documents = self.named(names, &|at| self.model.is_document(at));
                self.of_one_patient(self.with_touching(documents))
            }
            StoredQuery::GetSubmissionSets(uuids) => {
                let members: BTreeSet<usize> =
                    uuids.iter().filter_map(|it| self.model.find(it)).collect();
                let of_sets = self.memberships().filter(|(_, source, target)| {
                    self.model.is_set(*source) && members.contains(target)
                });
                self.of_one_patient(of_sets.flat_map(|(at, source, _)| [at, source]).collect())
            }
            StoredQuery::GetSubmissionSetAndContents(it) => self.set_and_contents(it),
            StoredQuery::GetFolderAndContents(it) => self.folder_and_contents(it),
            StoredQuery::GetFoldersForDocument(names) => {
                let documents = self.named(names, &|at| self.model.is_document(at));
                let holders = self.memberships().filter(|(_, source, target)| {
                    self.model.is_folder(*source)
                        && self.sees(*source)
                        && documents.contains(target)
                });
                Ok(holders.map(|(_, source, _)| source).collect())
            }
            StoredQuery::GetRelatedDocuments(it) => Ok(self.related(it)),
        }
    }

    fn of(&self, patient: &PatientId, wanted: &dyn Fn(usize) -> bool) -> BTreeSet<usize> {
        let all = self.found_by_status();
        let is_of = |at: usize| self.model.survivor(&self.model.objects[at].patient) == patient;
        all.filter(|at| is_of(*at) && wanted(*at)).collect()
    }

    fn named(&self, names: &Names, wanted: &dyn Fn(usize) -> bool) -> BTreeSet<usize> {
        let all = self.seen();
        let has_name = |at: &usize| match names {
            Names::EntryUuids(uuids) | Names::LogicalIds(uuids) => self.model.objects[*at]
                .uuid
                .as_ref()
                .is_some_and(|it| uuids.contains(it)),
            Names::UniqueIds(ids) => {
                let id = self.model.unique_id(*at);
                ids.iter().any(|it| Some(it.as_str()) == id)
            }
        };
        all.filter(has_name).filter(|at| wanted(*at)).collect()
    }

    fn touches(&self, at: usize, objects: &BTreeSet<usize>) -> bool {
        matches!(self.model.objects[at].what, What::Link { source, target, .. }
            if objects.contains(&source) || objects.contains(&target))
    }

    fn with_touching(&self, objects: BTreeSet<usize>) -> BTreeSet<usize> {
        let touching = self.seen().filter(|at| self.touches(*at, &objects));
        let touching: BTreeSet<usize> = touching.collect();
        objects.union(&touching).copied().collect()
    }

    /// ITI TF-2 3.18.4.1.2.3.7: whole objects of several patients are not disclosed at once.
    fn of_one_patient(&self, found: BTreeSet<usize>) -> Result<BTreeSet<usize>, &'static str> {
        let objects = found.iter().filter(|at| !self.model.is_link(**at));
        let patients: BTreeSet<String> = objects
            .map(|at| {
                self.model
                    .survivor(&self.model.objects[*at].patient)
                    .to_string()
            })
            .collect();
        match patients.len() {
            0 | 1 => Ok(found),
            _ => Err(SEVERAL),
        }
    }

    fn set_and_contents(&self, query: &GetContents) -> Result<BTreeSet<usize>, &'static str> {
        let sets = self.named(&query.of, &|at| self.model.is_set(at));
        let members = || {
            self.memberships()
                .filter(|(_, source, _)| sets.contains(source))
        };
        let mut found = sets.clone();
        for (_, _, member) in members() {
            let passes = match &self.model.objects[member].what {
                What::Document(entry) => content(entry, &query.filter),
                What::Folder(_) => true,
                What::Set(_) | What::Link { .. } => false,
            };
            if passes && self.sees(member) {
                found.insert(member);
            }
        }
        for (_, _, member) in members() {
            if let What::Link { source, target, .. } = self.model.objects[member].what
                && self.sees(member)
                && found.contains(&source)
                && found.contains(&target)
            {
                found.insert(member);
            }
        }
        let links: Vec<usize> = members()
            .filter(|it| found.contains(&it.2))
            .map(|it| it.0)
            .collect();
        found.extend(links);
        self.of_one_patient(found)
    }

    fn folder_and_contents(&self, query: &GetContents) -> Result<BTreeSet<usize>, &'static str> {
        let folders = self.named(&query.of, &|at| self.model.is_folder(at));
        let mut found = folders.clone();
        for (link, source, member) in self.memberships() {
            if let What::Document(entry) = &self.model.objects[member].what
                && folders.contains(&source)
                && self.sees(member)
                && content(entry, &query.filter)
            {
                found.extend([link, member]);
            }
        }
        self.of_one_patient(found)
    }

    fn related(&self, query: &GetRelatedDocuments) -> BTreeSet<usize> {
        let given = self.named(&query.of, &|at| self.model.is_document(at));
        let wanted = self.links().filter(|(_, how, source, target)| {
            query.association_types.contains(how)
                && (given.contains(source) || given.contains(target))
                && self.model.is_document(*source)
                && self.model.is_document(*target)
                && self.sees(*source)
                && self.sees(*target)
        });
        let is_stable_asked = query.entry_types.contains(&DocumentEntryType::Stable);
        // All documents of this model are stable; the given one is returned with what it is
        // related to.
        let wanted = wanted.filter(|(_, _, source, target)| {
            is_stable_asked || (given.contains(source) && given.contains(target))
        });
        wanted
            .flat_map(|(at, _, source, target)| [at, source, target])
            .collect()
    }

    /// CP-ITI-1323: whether a document has something of what is not wanted (events and authors are
    /// asked for here).
    fn has_some(&self, at: usize, unwanted: &DocumentFilter) -> bool {
        let What::Document(entry) = &self.model.objects[at].what else {
            return false;
        };
        let (events, authors) = (&unwanted.event_codes, &unwanted.author_persons);
        (!events.0.is_empty() && all_of(events, &coded(&entry.event_codes)))
            || (!authors.0.is_empty() && any_like(authors, &persons(&entry.authors)))
    }

    fn is_document_of(
        &self,
        at: usize,
        statuses: &[AvailabilityStatus],
        filter: &DocumentFilter,
    ) -> bool {
        let object = &self.model.objects[at];
        let What::Document(entry) = &object.what else {
            return false;
        };
        let references: Vec<String> = entry
            .reference_ids
            .iter()
            .map(ToString::to_string)
            .collect();
        has_status(object, statuses)
            && filter.entry_types.contains(&entry.entry_type)
            && any_of(&filter.class_codes, coded(&entry.class_code))
            && any_of(&filter.type_codes, coded(&entry.type_code))
            && any_of(
                &filter.practice_setting_codes,
                coded(&entry.practice_setting_code),
            )
            && any_of(
                &filter.healthcare_facility_type_codes,
                coded(&entry.healthcare_facility_type_code),
            )
            && any_of(&filter.format_codes, coded(&entry.format_code))
            && all_of(&filter.event_codes, &coded(&entry.event_codes))
            && all_of(
                &filter.confidentiality_codes,
                &coded(&entry.confidentiality_codes),
            )
            && any_like(&filter.author_persons, &persons(&entry.authors))
            && filter
                .reference_ids
                .0
                .iter()
                .all(|any| any_like(any, &references))
            && time(&filter.creation_time, entry.creation_time.as_ref())
            && time(
                &filter.service_start_time,
                entry.service_start_time.as_ref(),
            )
            && time(&filter.service_stop_time, entry.service_stop_time.as_ref())
    }
}

fn place(submission: &Submission, uuid: &EntryUuid) -> Place {
    let set = (Place::Set, &submission.submission_set.entry_uuid);
    let entries = submission
        .document_entries
        .iter()
        .map(|it| (Place::Document, &it.entry_uuid));
    let folders = submission
        .folders
        .iter()
        .map(|it| (Place::Folder, &it.entry_uuid));
    let links = submission
        .associations
        .iter()
        .map(|it| (Place::Link, &it.entry_uuid));
    let mut all = [set].into_iter().chain(entries).chain(folders).chain(links);
    all.find(|it| it.1 == uuid)
        .map_or(Place::Outside, |it| it.0)
}

/// What the message alone tells (ITI TF-3 4.2.1.5, 4.2.2; ITI TF-2 3.42.4.1.3.3.2, 3.42.4.1.3.5).
fn message_errors(submission: &Submission) -> Errors {
    let mut errors = Errors::new();
    let set = &submission.submission_set;
    let uuids = submission.entry_uuids();
    let entries = submission.document_entries.iter();
    let mut unique_ids: Vec<&str> = entries.map(|it| it.unique_id.as_str()).collect();
    unique_ids.extend(submission.folders.iter().map(|it| it.unique_id.as_str()));
    unique_ids.push(set.unique_id.as_str());
    let distinct: (BTreeSet<&str>, BTreeSet<&str>) = (
        uuids.iter().map(|it| it.as_str()).collect(),
        unique_ids.iter().copied().collect(),
    );
    if (distinct.0.len(), distinct.1.len()) != (uuids.len(), unique_ids.len()) {
        errors.insert("XDSRegistryDuplicateUniqueIdInMessage");
    }
    let entries = submission
        .document_entries
        .iter()
        .map(|it| (&it.entry_uuid, &it.patient_id));
    let folders = submission
        .folders
        .iter()
        .map(|it| (&it.entry_uuid, &it.patient_id));
    let of_set: BTreeSet<&str> = submission
        .associations
        .iter()
        .filter(|it| it.association_type == AssociationType::HasMember)
        .filter(|it| place(submission, &it.source) == Place::Set)
        .map(|it| it.target.as_str())
        .collect();
    for (uuid, patient) in entries.chain(folders) {
        if *patient != set.patient_id {
            errors.insert(PATIENT);
        }
        if !of_set.contains(uuid.as_str()) {
            errors.insert(METADATA);
        }
    }
    for link in &submission.associations {
        let ends = (
            place(submission, &link.source),
            place(submission, &link.target),
        );
        if link.association_type == AssociationType::HasMember {
            if !may_be_member(link, ends, &of_set) {
                errors.insert(METADATA);
            }
        } else {
            relationship(submission, link, ends, &mut errors);
        }
    }
    errors
}

fn may_be_member(link: &Association, ends: (Place, Place), of_set: &BTreeSet<&str>) -> bool {
    match ends {
        (Place::Set, Place::Document) => {
            link.submission_set_status == Some(SubmissionSetStatus::Original)
        }
        (Place::Set, Place::Outside) => {
            link.submission_set_status != Some(SubmissionSetStatus::Original)
        }
        (Place::Set, Place::Folder | Place::Link) => true,
        // A membership in a folder is itself a member of the set.
        (Place::Folder | Place::Outside, Place::Document | Place::Outside) => {
            of_set.contains(link.entry_uuid.as_str())
        }
        _ => false,
    }
}

fn relationship(
    submission: &Submission,
    link: &Association,
    (source, target): (Place, Place),
    errors: &mut Errors,
) {
    if source != Place::Document {
        errors.insert(UNRESOLVED);
    }
    if link.source == link.target {
        errors.insert(METADATA);
        return;
    }
    let may_be_new = [
        AssociationType::Append,
        AssociationType::Transform,
        AssociationType::Signs,
    ];
    let is_good = match target {
        Place::Outside => true,
        Place::Document => may_be_new.contains(&link.association_type),
        _ => false,
    };
    if !is_good {
        errors.insert(UNRESOLVED);
    }
    // 4.2.2.2.1: a transformation is not appended to.
    let is_transformation = submission
        .associations
        .iter()
        .any(|it| it.association_type == AssociationType::Transform && it.source == link.target);
    if link.association_type == AssociationType::Append && is_transformation {
        errors.insert(METADATA);
    }
}

fn has_status(object: &Object, asked: &[AvailabilityStatus]) -> bool {
    let status = match object.is_approved {
        true => AvailabilityStatus::Approved,
        false => AvailabilityStatus::Deprecated,
    };
    asked.contains(&status)
}

fn content(entry: &DocumentEntry, filter: &ContentFilter) -> bool {
    filter.entry_types.contains(&entry.entry_type)
        && any_of(&filter.format_codes, coded(&entry.format_code))
        && all_of(
            &filter.confidentiality_codes,
            &coded(&entry.confidentiality_codes),
        )
}

fn coded<'c>(codes: impl IntoIterator<Item = &'c Code>) -> Vec<String> {
    let codes = codes.into_iter();
    codes
        .map(|it| format!("{}^^{}", it.code, it.scheme))
        .collect()
}

fn persons(authors: &[xds_schemas::metadata::Author]) -> Vec<String> {
    authors.iter().filter_map(|it| it.person.clone()).collect()
}

/// ITI TF-2 3.18.4.1.2.3.5: one of the values is one of those asked for.
fn any_of<S: AsRef<str>>(asked: &AnyOf, values: impl IntoIterator<Item = S>) -> bool {
    let is_asked = |value: &str| asked.0.iter().any(|it| it.as_str() == value);
    asked.0.is_empty() || values.into_iter().any(|value| is_asked(value.as_ref()))
}

/// The same with wildcards.
fn any_like(asked: &AnyOf, values: &[String]) -> bool {
    let chars = |text: &str| -> Vec<char> { text.chars().collect() };
    let is_asked = |value: &String| {
        let mut patterns = asked.0.iter();
        patterns.any(|it| like(&chars(it.as_str()), &chars(value)))
    };
    asked.0.is_empty() || values.iter().any(is_asked)
}

/// The same for each of several slots.
fn all_of(asked: &AllOf, values: &[String]) -> bool {
    asked.0.iter().all(|any| any_of(any, values))
}

/// LIKE of SQL.
fn like(pattern: &[char], value: &[char]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some(('%', rest)) => (0..=value.len()).any(|at| like(rest, &value[at..])),
        Some((one, rest)) => value
            .split_first()
            .is_some_and(|(first, behind)| (*one == '_' || one == first) && like(rest, behind)),
    }
}

/// ITI TF-2 3.18.4.1.2.3.3: the moments that the value may mean and those of the bounds overlap;
/// only a bound of the same precision excludes itself.
fn time(range: &TimeRange, value: Option<&Timestamp>) -> bool {
    let Some(value) = value else {
        return true;
    };
    let earliest =
        |it: &Timestamp| format!("{}{}", it.as_str(), &"00000101000000"[it.as_str().len()..]);
    let latest =
        |it: &Timestamp| format!("{}{}", it.as_str(), &"99991231235959"[it.as_str().len()..]);
    let starts = range
        .from
        .as_ref()
        .is_none_or(|from| latest(value) >= earliest(from));
    let ends = range
        .to
        .as_ref()
        .is_none_or(|to| match to.as_str().len() == value.as_str().len() {
            true => value.as_str() < to.as_str(),
            false => earliest(value) <= latest(to),
        });
    starts && ends
}
