//! What is done with both: random submissions, good and bad, and random questions. A plan names
//! other objects by numbers, so that it can be made smaller and still means something.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::Slot;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindDocumentsForMultiplePatients,
    FindFolders, FindFoldersForMultiplePatients, FindSubmissionSets, GetAll, GetContents,
    GetRelatedDocuments, Names, Pattern, StoredQuery,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{
    Association, AssociationType, Author, DocumentEntryType, EntryUuid, PatientId, ReferenceId,
    Submission, SubmissionSetStatus, UniqueId,
};

use crate::model::{Model, What};
use crate::words::{code, document, empty, folder, new_oid, new_uuid, time};

/// An object that something refers to.
#[derive(Debug, Clone)]
pub(crate) enum Ref {
    /// A document of the submission.
    NewDocument(Index),
    /// A folder of the submission.
    NewFolder(Index),
    /// A registered document.
    Document(Index),
    /// A registered folder.
    Folder(Index),
    /// Anything that is registered.
    Any(Index),
    /// Nothing that there is.
    Nothing,
}

fn new_document() -> impl Strategy<Value = Ref> {
    any::<Index>().prop_map(Ref::NewDocument)
}

fn a_document() -> impl Strategy<Value = Ref> {
    prop_oneof![
        5 => any::<Index>().prop_map(Ref::Document),
        2 => new_document(),
    ]
}

fn a_folder() -> impl Strategy<Value = Ref> {
    prop_oneof![
        any::<Index>().prop_map(Ref::NewFolder),
        any::<Index>().prop_map(Ref::Folder),
    ]
}

fn anything() -> impl Strategy<Value = Ref> {
    prop_oneof![
        4 => a_document(),
        2 => a_folder(),
        2 => any::<Index>().prop_map(Ref::Any),
        1 => Just(Ref::Nothing),
    ]
}

/// One document.
#[derive(Debug, Clone)]
pub(crate) struct DocumentPlan {
    codes: [u8; 3],
    events: Vec<u8>,
    confidentiality: Vec<u8>,
    author: u8,
    created: u8,
    started: Option<u8>,
    references: Vec<u8>,
}

fn some(of: u8) -> impl Strategy<Value = Vec<u8>> {
    subsequence((0..of).collect::<Vec<u8>>(), 0..=usize::from(of))
}

fn document_plan() -> impl Strategy<Value = DocumentPlan> {
    (
        [0..2u8, 0..2u8, 0..2u8],
        some(3),
        subsequence(vec![0, 1, 2], 1..=2),
        0..3u8,
        0..TIMES.len() as u8,
        prop::option::of(0..TIMES.len() as u8),
        some(2),
    )
        .prop_map(
            |(codes, events, confidentiality, author, created, started, references)| DocumentPlan {
                codes,
                events,
                confidentiality,
                author,
                created,
                started,
                references,
            },
        )
}

const TIMES: [&str; 6] = [
    "2023",
    "202306",
    "20230615",
    "20240102030405",
    "2024",
    "202401",
];
const AUTHORS: [&str; 3] = [
    "^Welby^Marcus",
    "^O'Hara^Ann",
    "7^Kildare^James^^^Dr^^^&1.2&ISO",
];
const PATTERNS: [&str; 4] = ["^Welby^Marcus", "%Hara%", "_^Kildare%", "%e%"];

/// One thing that is wrong, or at least odd.
#[derive(Debug, Clone)]
pub(crate) enum Flaw {
    /// An association is left out.
    Drop(Index),
    /// An association has another SubmissionSetStatus.
    Status(Index, Option<bool>),
    /// An association leads elsewhere.
    Target(Index, Ref),
    /// An association comes from elsewhere.
    Source(Index, Ref),
    /// An association is another's.
    Type(Index, Index),
    /// A document has the entryUUID of something.
    EntryUuid(Index, Ref),
    /// A document, folder or the set has the uniqueId of something.
    UniqueId(Index, Ref),
    /// A document has the uniqueId of a registered one, the same hash or another.
    SameDocument(Index, Index, bool, bool),
    /// An object is of another patient.
    Patient(Index),
}

fn flaw() -> impl Strategy<Value = Flaw> {
    let index = any::<Index>;
    prop_oneof![
        1 => index().prop_map(Flaw::Drop),
        1 => (index(), any::<Option<bool>>()).prop_map(|(at, to)| Flaw::Status(at, to)),
        1 => (index(), anything()).prop_map(|(at, to)| Flaw::Target(at, to)),
        1 => (index(), anything()).prop_map(|(at, to)| Flaw::Source(at, to)),
        1 => (index(), index()).prop_map(|(at, to)| Flaw::Type(at, to)),
        1 => (index(), anything()).prop_map(|(at, to)| Flaw::EntryUuid(at, to)),
        1 => (index(), anything()).prop_map(|(at, to)| Flaw::UniqueId(at, to)),
        4 => (index(), index(), any::<bool>(), any::<bool>())
            .prop_map(|(at, to, hash, size)| Flaw::SameDocument(at, to, hash, size)),
        1 => index().prop_map(Flaw::Patient),
    ]
}

/// One submission.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// One of the patients; the last one is not known.
    patient: usize,
    source: u8,
    documents: Vec<DocumentPlan>,
    folders: Vec<Vec<u8>>,
    memberships: Vec<(Ref, Ref)>,
    relations: Vec<(Ref, AssociationType, Ref)>,
    references: Vec<Ref>,
    flaws: Vec<Flaw>,
}

const TYPES: [AssociationType; 6] = [
    AssociationType::Replace,
    AssociationType::Append,
    AssociationType::Transform,
    AssociationType::TransformAndReplace,
    AssociationType::Signs,
    AssociationType::IsSnapshotOf,
];

fn plan() -> impl Strategy<Value = Plan> {
    let patient = prop_oneof![16 => Just(0usize), 6 => Just(1), 2 => Just(2), 1 => Just(3)];
    let other = prop_oneof![
        9 => any::<Index>().prop_map(Ref::Document),
        1 => new_document(),
    ];
    let relation = (new_document(), select(&TYPES[..5]), other);
    let registered = any::<Index>().prop_map(Ref::Document);
    let flaws = prop_oneof![3 => Just(Vec::new()), 1 => vec(flaw(), 1..3)];
    (
        patient,
        0..2u8,
        prop_oneof![8 => vec(document_plan(), 1..4), 1 => Just(Vec::new())],
        vec(some(2), 0..3),
        vec((a_folder(), a_document()), 0..3),
        prop_oneof![1 => Just(Vec::new()), 3 => vec(relation, 1..3)],
        prop_oneof![3 => Just(Vec::new()), 1 => vec(registered, 1..3)],
        flaws,
    )
        .prop_map(
            |(patient, source, documents, folders, memberships, relations, references, flaws)| {
                Plan {
                    patient,
                    source,
                    documents,
                    folders,
                    memberships,
                    relations,
                    references,
                    flaws,
                }
            },
        )
}

/// What names of a submission and of the registry stand for.
struct Known<'m> {
    documents: Vec<EntryUuid>,
    folders: Vec<EntryUuid>,
    model: &'m Model,
    patient: PatientId,
}

impl Known<'_> {
    /// A registered object of this kind: mostly of the patient and in force, sometimes any.
    fn registered(&self, at: &Index, wanted: impl Fn(&What) -> bool) -> Option<EntryUuid> {
        let all = self.model.objects.iter();
        let all = all.filter(|it| !it.is_gone && wanted(&it.what));
        let named = all.filter_map(|it| Some((it.uuid.clone()?, &it.patient, it.is_approved)));
        let all: Vec<_> = named.collect();
        let is_own = |patient| *self.model.survivor(patient) == self.patient;
        let own = all.iter().filter(|it| is_own(it.1) && it.2);
        let own: Vec<_> = own.collect();
        let among = match own.is_empty() || at.index(23) == 0 {
            true => all.iter().collect(),
            false => own,
        };
        (!among.is_empty()).then(|| at.get(&among).0.clone())
    }

    /// What is meant, if there is such a thing.
    fn of(&self, it: &Ref) -> Option<EntryUuid> {
        let new =
            |at: &Index, among: &[EntryUuid]| (!among.is_empty()).then(|| at.get(among).clone());
        match it {
            Ref::NewDocument(at) => new(at, &self.documents),
            Ref::NewFolder(at) => new(at, &self.folders),
            Ref::Document(at) => self.registered(at, |it| matches!(it, What::Document(_))),
            Ref::Folder(at) => self.registered(at, |it| matches!(it, What::Folder(_))),
            Ref::Any(at) => self.registered(at, |_| true),
            Ref::Nothing => Some(new_uuid()),
        }
    }
}

impl Plan {
    /// The submission set with its documents and folders.
    fn described(&self, patient: &PatientId) -> Submission {
        let mut submission = empty(patient);
        submission.submission_set.entry_uuid = new_uuid();
        submission.submission_set.source_id = format!("1.2.3.{}", self.source);
        submission.submission_set.authors = vec![author(self.source)];
        for plan in &self.documents {
            let mut entry = document(patient, new_uuid().as_str());
            let [class, format, kind] = plan.codes.map(|it| Some(code(&format!("code{it}"))));
            (entry.class_code, entry.format_code, entry.type_code) = (class, format, kind);
            entry.event_codes = plan
                .events
                .iter()
                .map(|it| code(&format!("event{it}")))
                .collect();
            let confidentiality = plan.confidentiality.iter();
            entry.confidentiality_codes = confidentiality
                .map(|it| code(&format!("level{it}")))
                .collect();
            entry.authors = vec![author(plan.author)];
            entry.creation_time = Some(time(TIMES[usize::from(plan.created)]));
            entry.service_start_time = plan.started.map(|it| time(TIMES[usize::from(it)]));
            let references = plan.references.iter();
            entry.reference_ids = references
                .map(|it| ReferenceId::study(format!("1.9.{it}")))
                .collect();
            submission.add_document(entry);
        }
        for codes in &self.folders {
            let mut new = folder(patient, new_uuid().as_str());
            new.codes
                .extend(codes.iter().map(|it| code(&format!("code{it}"))));
            submission.add_folder(new);
        }
        submission
    }

    /// The submission, given what is registered.
    pub(crate) fn submission(&self, model: &Model, patients: &[PatientId]) -> Submission {
        let patient = &patients[self.patient];
        let mut submission = self.described(patient);
        let names = Known {
            documents: submission
                .document_entries
                .iter()
                .map(|it| it.entry_uuid.clone())
                .collect(),
            folders: submission
                .folders
                .iter()
                .map(|it| it.entry_uuid.clone())
                .collect(),
            model,
            patient: patient.clone(),
        };
        let set = submission.submission_set.entry_uuid.clone();
        for (holder, member) in &self.memberships {
            let (Some(holder), Some(member)) = (names.of(holder), names.of(member)) else {
                continue;
            };
            let mut membership = Association::new(AssociationType::HasMember, holder, member);
            membership.entry_uuid = new_uuid();
            let of_set = membership.entry_uuid.clone();
            submission.associations.push(membership);
            let link = Association::new(AssociationType::HasMember, set.clone(), of_set);
            submission.associations.push(link);
        }
        for (new, how, other) in &self.relations {
            if let (Some(new), Some(other)) = (names.of(new), names.of(other)) {
                submission.relate(new, how.clone(), other);
            }
        }
        for member in self.references.iter().filter_map(|it| names.of(it)) {
            let status = SubmissionSetStatus::Reference;
            let link = Association::member(set.clone(), member, status);
            submission.associations.push(link);
        }
        for association in &mut submission.associations {
            if association.entry_uuid.as_str().is_empty() {
                association.entry_uuid = new_uuid();
            }
        }
        for flaw in &self.flaws {
            flaw.apply(&mut submission, &names, patients);
        }
        submission
    }
}

fn author(number: u8) -> Author {
    Author {
        person: Some(AUTHORS[usize::from(number)].to_owned()),
        ..Author::default()
    }
}

impl Flaw {
    fn apply(&self, it: &mut Submission, names: &Known<'_>, patients: &[PatientId]) {
        let links = it.associations.len();
        let entries = it.document_entries.len();
        match self {
            Self::Drop(at) if links > 0 => _ = it.associations.remove(at.index(links)),
            Self::Status(at, status) if links > 0 => {
                it.associations[at.index(links)].submission_set_status =
                    status.map(|it| match it {
                        true => SubmissionSetStatus::Original,
                        false => SubmissionSetStatus::Reference,
                    });
            }
            Self::Target(at, to) if links > 0 => {
                it.associations[at.index(links)].target = names.of(to).unwrap_or_else(new_uuid);
            }
            Self::Source(at, from) if links > 0 => {
                it.associations[at.index(links)].source = names.of(from).unwrap_or_else(new_uuid);
            }
            Self::Type(at, how) if links > 0 => {
                it.associations[at.index(links)].association_type = how.get(&TYPES).clone();
            }
            Self::EntryUuid(at, of) if entries > 0 => {
                it.document_entries[at.index(entries)].entry_uuid =
                    names.of(of).unwrap_or_else(new_uuid);
            }
            Self::UniqueId(at, of) => {
                let named = names.of(of).and_then(|it| names.model.find(&it));
                let unique_id = match named.map(|at| &names.model.objects[at].what) {
                    Some(What::Set(set)) => set.unique_id.clone(),
                    Some(What::Document(entry)) => entry.unique_id.clone(),
                    Some(What::Folder(folder)) => folder.unique_id.clone(),
                    _ => it.submission_set.unique_id.clone(),
                };
                let mut all: Vec<&mut UniqueId> = vec![&mut it.submission_set.unique_id];
                all.extend(it.document_entries.iter_mut().map(|it| &mut it.unique_id));
                all.extend(it.folders.iter_mut().map(|it| &mut it.unique_id));
                let at = at.index(all.len());
                *all[at] = unique_id;
            }
            Self::SameDocument(at, of, other_hash, other_size) if entries > 0 => {
                let documents = names.model.objects.iter().filter_map(|it| match &it.what {
                    What::Document(entry) => Some(entry.unique_id.clone()),
                    _ => None,
                });
                let documents: Vec<UniqueId> = documents.collect();
                let entry = &mut it.document_entries[at.index(entries)];
                if !documents.is_empty() {
                    entry.unique_id = of.get(&documents).clone();
                }
                if *other_hash {
                    entry.hash = Some("1".repeat(40));
                }
                if *other_size {
                    entry.size = Some(1);
                }
            }
            Self::Patient(at) => {
                let mut all: Vec<&mut Option<PatientId>> = vec![&mut it.submission_set.patient_id];
                all.extend(it.document_entries.iter_mut().map(|it| &mut it.patient_id));
                all.extend(it.folders.iter_mut().map(|it| &mut it.patient_id));
                let place = at.index(all.len());
                *all[place] = Some(at.get(patients).clone());
            }
            _ => {}
        }
    }
}

/// What happens in a story.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// ITI-42.
    Submit(Plan),
    /// ITI-57: a new version of a document.
    Update {
        document: Index,
        /// The administrator does not know the newest version.
        is_stale: bool,
        /// It is another document.
        is_other: bool,
        propagates: bool,
    },
    /// ITI-57: another status of anything.
    Status {
        object: Index,
        /// The administrator knows the status.
        is_known: bool,
    },
    /// ITI-8: one of two patients is merged into the other.
    Merge { from: usize, into: usize },
    /// ITI-62: of something alone, with all that refers to it, or with everything of its patient.
    Remove { object: Index, how: u8 },
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        10 => plan().prop_map(Step::Submit),
        3 => (index(), 0..8u8, 0..8u8, any::<bool>()).prop_map(
            |(document, stale, other, propagates)| Step::Update {
                document,
                is_stale: stale == 0,
                is_other: other == 0,
                propagates,
            }
        ),
        2 => (index(), 0..5u8).prop_map(|(object, known)| Step::Status {
            object,
            is_known: known > 0,
        }),
        2 => (index(), 0..8u8).prop_map(|(object, how)| Step::Remove { object, how }),
        1 => (0..3usize, 0..3usize).prop_map(|(from, into)| Step::Merge { from, into }),
    ]
}

/// The next version of a document, and which version it says to follow.
pub(crate) fn new_version(
    model: &Model,
    document: usize,
    is_stale: bool,
    is_other: bool,
    propagates: bool,
) -> Option<(Submission, u32)> {
    let newest = &model.objects[model.newest(document)];
    let What::Document(entry) = &newest.what else {
        return None;
    };
    let patient = model.survivor(&newest.patient);
    let mut update = empty(patient);
    update.submission_set.entry_uuid = new_uuid();
    let mut next = (**entry).clone();
    next.entry_uuid = new_uuid();
    next.logical_id = model.objects[newest.first].uuid.clone();
    next.patient_id = Some(patient.clone());
    next.class_code = Some(code(&format!("code{}", newest.version % 2)));
    if is_other {
        next.unique_id = UniqueId(new_oid());
    }
    update.add_document(next);
    let previous = newest.version + u32::from(is_stale);
    let link = &mut update.associations[0];
    link.entry_uuid = new_uuid();
    link.previous_version = Some(previous.to_string());
    if !propagates {
        let no = Slot::single("AssociationPropagation", "no");
        link.extra.slots.push(no);
    }
    Some((update, previous))
}

/// An update that changes a status from one to the other.
pub(crate) fn change_status(patient: &PatientId, object: &EntryUuid, from: bool) -> Submission {
    let mut update = empty(patient);
    update.submission_set.entry_uuid = new_uuid();
    let set = update.submission_set.entry_uuid.clone();
    let how = AssociationType::UpdateAvailabilityStatus;
    let mut trigger = Association::new(how, set, object.clone());
    trigger.entry_uuid = new_uuid();
    let status = |is_approved: bool| match is_approved {
        true => AvailabilityStatus::Approved.as_str(),
        false => AvailabilityStatus::Deprecated.as_str(),
    };
    trigger.extra.slots = vec![
        Slot::single("OriginalStatus", status(from)),
        Slot::single("NewStatus", status(!from)),
    ];
    update.associations.push(trigger);
    update
}

/// One question of each kind.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// Whether who asks knows of versions.
    pub(crate) knows_versions: bool,
    patient: usize,
    objects: Vec<Index>,
    by_unique_id: bool,
    statuses: Vec<AvailabilityStatus>,
    codes: Vec<u8>,
    events: Vec<Vec<u8>>,
    levels: Vec<Vec<u8>>,
    author: Option<&'static str>,
    from: Option<&'static str>,
    to: Option<&'static str>,
    started: Option<&'static str>,
    types: Vec<AssociationType>,
}

pub(crate) fn question() -> impl Strategy<Value = Question> {
    let both = vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated];
    let rarely = |all: &'static [&'static str]| prop_oneof![3 => Just(None), 1 => select(all).prop_map(Some)];
    let lists =
        || prop_oneof![3 => Just(Vec::new()), 1 => vec(subsequence(vec![0u8, 1, 2], 1..=2), 1..3)];
    (
        (
            any::<bool>(),
            0..3usize,
            vec(any::<Index>(), 1..4),
            any::<bool>(),
        ),
        subsequence(both, 1..=2),
        prop_oneof![3 => Just(Vec::new()), 1 => subsequence(vec![0u8, 1], 1..=2)],
        (lists(), lists()),
        rarely(&PATTERNS),
        (rarely(&TIMES), rarely(&TIMES), rarely(&TIMES)),
        subsequence(TYPES.to_vec(), 1..=6),
    )
        .prop_map(
            |(
                (knows_versions, patient, objects, by_unique_id),
                statuses,
                codes,
                (events, levels),
                author,
                (from, to, started),
                types,
            )| Question {
                knows_versions,
                patient,
                objects,
                by_unique_id,
                statuses,
                codes,
                events,
                levels,
                author,
                from,
                to,
                started,
                types,
            },
        )
}

fn any_code(prefix: &str, numbers: &[u8]) -> AnyOf {
    let code = |it: &u8| Pattern::exact(format!("{prefix}{it}^^1.2.3.8"));
    AnyOf(numbers.iter().map(code).collect())
}

fn all_codes(prefix: &str, lists: &[Vec<u8>]) -> AllOf {
    AllOf(lists.iter().map(|it| any_code(prefix, it)).collect())
}

impl Question {
    /// All queries with these parameters: the fourteen, and those that were added to them.
    #[expect(clippy::too_many_lines, reason = "a table of queries")]
    pub(crate) fn queries(&self, model: &Model, patients: &[PatientId]) -> Vec<StoredQuery> {
        let patient = &patients[self.patient];
        let find = FindDocuments {
            patient: patient.clone(),
            statuses: self.statuses.clone(),
            filter: self.filter(),
        };
        let mut by_reference = find.clone();
        let reference = |it: &Vec<u8>| AnyOf(vec![Pattern::like(format!("1.9.{}%", it[0]))]);
        by_reference.filter.reference_ids = AllOf(self.levels.iter().map(reference).collect());
        if by_reference.filter.reference_ids.is_empty() {
            by_reference.filter.reference_ids = AllOf(vec![AnyOf(vec![Pattern::like("1.9._^%")])]);
        }
        let mut without = find.clone();
        without.filter.event_codes = AllOf::default();
        without.filter.author_persons = AnyOf::default();
        let unwanted = DocumentFilter {
            event_codes: all_codes("event", &self.events),
            author_persons: AnyOf(self.author.into_iter().map(Pattern::like).collect()),
            ..DocumentFilter::default()
        };
        let several = FindDocumentsForMultiplePatients {
            patients: patients[self.patient.min(1)..].to_vec(),
            statuses: self.statuses.clone(),
            filter: self.filter(),
        };
        let folders = FindFoldersForMultiplePatients {
            patients: several.patients.clone(),
            statuses: self.statuses.clone(),
            last_update_time: TimeRange::default(),
            codes: all_codes("code", &self.levels),
        };
        let content = self.content();
        let uuids = self.uuids(model);
        let one = |wanted: fn(&What) -> bool| self.names(model, wanted, 1);
        let some = |wanted: fn(&What) -> bool| self.names(model, wanted, 3);
        let is_document = |it: &What| matches!(it, What::Document(_));
        let is_folder = |it: &What| matches!(it, What::Folder(_));
        let is_set = |it: &What| matches!(it, What::Set(_));
        vec![
            StoredQuery::FindDocuments(find),
            StoredQuery::FindDocumentsExclude(without, Box::new(unwanted)),
            StoredQuery::FindDocumentsForMultiplePatients(several),
            StoredQuery::FindFoldersForMultiplePatients(folders),
            StoredQuery::FindDocumentsByReferenceId(by_reference),
            self.find_submission_sets(patient),
            StoredQuery::FindFolders(FindFolders {
                patient: patient.clone(),
                statuses: self.statuses.clone(),
                last_update_time: TimeRange::default(),
                codes: all_codes("code", &self.levels),
            }),
            StoredQuery::GetAll(GetAll {
                patient: patient.clone(),
                document_entry_statuses: self.statuses.clone(),
                submission_set_statuses: self.statuses.clone(),
                folder_statuses: self.statuses.clone(),
                filter: content.clone(),
            }),
            StoredQuery::GetDocuments(some(is_document)),
            StoredQuery::GetFolders(some(is_folder)),
            StoredQuery::GetAssociations(uuids.clone()),
            StoredQuery::GetDocumentsAndAssociations(some(is_document)),
            StoredQuery::GetSubmissionSets(uuids),
            StoredQuery::GetSubmissionSetAndContents(GetContents {
                of: one(is_set),
                filter: content.clone(),
            }),
            StoredQuery::GetFolderAndContents(GetContents {
                of: one(is_folder),
                filter: content,
            }),
            StoredQuery::GetFoldersForDocument(one(is_document)),
            StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
                of: one(is_document),
                association_types: self.types.clone(),
                entry_types: vec![DocumentEntryType::Stable],
            }),
        ]
    }

    fn filter(&self) -> DocumentFilter {
        let bound = |it: Option<&str>| it.map(time);
        DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            class_codes: any_code("code", &self.codes),
            event_codes: all_codes("event", &self.events),
            confidentiality_codes: all_codes("level", &self.levels),
            author_persons: AnyOf(self.author.into_iter().map(Pattern::like).collect()),
            creation_time: TimeRange {
                from: bound(self.from),
                to: bound(self.to),
            },
            service_start_time: TimeRange {
                from: bound(self.started),
                to: None,
            },
            ..DocumentFilter::default()
        }
    }

    fn content(&self) -> ContentFilter {
        ContentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            format_codes: any_code("code", &self.codes),
            confidentiality_codes: all_codes("level", &self.levels),
        }
    }

    fn find_submission_sets(&self, patient: &PatientId) -> StoredQuery {
        let source = |it: &u8| Pattern::exact(format!("1.2.3.{it}"));
        StoredQuery::FindSubmissionSets(FindSubmissionSets {
            patient: patient.clone(),
            statuses: self.statuses.clone(),
            source_ids: AnyOf(self.codes.iter().map(source).collect()),
            submission_time: TimeRange {
                from: self.from.map(time),
                to: self.to.map(time),
            },
            author_person: AnyOf(self.author.into_iter().map(Pattern::like).collect()),
            content_type_codes: AnyOf::default(),
        })
    }

    /// Any objects that have a name, whatever they are.
    fn uuids(&self, model: &Model) -> Vec<EntryUuid> {
        let all: Vec<&EntryUuid> = model
            .objects
            .iter()
            .filter_map(|it| it.uuid.as_ref())
            .collect();
        match all.is_empty() {
            true => vec![new_uuid()],
            false => self
                .objects
                .iter()
                .map(|it| (*it.get(&all)).clone())
                .collect(),
        }
    }

    /// Names of objects, mostly of the kind that is asked for.
    fn names(&self, model: &Model, wanted: fn(&What) -> bool, most: usize) -> Names {
        let all = model.objects.iter().filter(|it| wanted(&it.what));
        let all: Vec<_> = all.collect();
        let picked: Vec<_> = match all.is_empty() {
            true => Vec::new(),
            false => self
                .objects
                .iter()
                .take(most)
                .map(|it| *it.get(&all))
                .collect(),
        };
        if self.by_unique_id {
            let ids = picked.iter().filter_map(|it| match &it.what {
                What::Set(set) => Some(set.unique_id.clone()),
                What::Document(entry) => Some(entry.unique_id.clone()),
                What::Folder(folder) => Some(folder.unique_id.clone()),
                What::Link { .. } => None,
            });
            let mut ids: Vec<UniqueId> = ids.collect();
            if ids.is_empty() {
                ids.push(UniqueId(new_oid()));
            }
            return Names::UniqueIds(ids);
        }
        if picked.is_empty() {
            return Names::EntryUuids(self.uuids(model).into_iter().take(most).collect());
        }
        Names::EntryUuids(picked.iter().filter_map(|it| it.uuid.clone()).collect())
    }
}
