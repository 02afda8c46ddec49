//! What a caller may not see is answered as what is not there: a registry with hidden documents and one
//! in which they were never registered answer alike, whatever is asked.

use std::collections::{BTreeMap, BTreeSet};

use hilum_security::access::{Access, Policy, Vocabulary};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindDocumentsForMultiplePatients,
    FindFolders, FindFoldersForMultiplePatients, FindImaging, FindSubmissionSets, GetContents,
    GetRelatedDocuments, MetadataLevel, Names, Pattern, RegistryStoredQuery, StoredQuery,
    Visibility,
};
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntryType, EntryUuid, Folder, PatientId, ReferenceId,
    Submission, SubmissionSetStatus,
};

use crate::imaging_queries::{cohort, images_of, series};
use crate::iti18::get_all;
use crate::iti57::{change_status, new_version};
use crate::site::Site;
use crate::words::{code, document, empty, folder, new_uuid, one, patient};

const APPROVED: AvailabilityStatus = AvailabilityStatus::Approved;
const DEPRECATED: AvailabilityStatus = AvailabilityStatus::Deprecated;

/// Objects that are asked for by name, one by one, of each plan.
const NAMED: usize = 12;

/// Documents of confidentiality R are for nobody.
pub(crate) const RULES: &str = r#"
[[rule]]
name = "secret"
what = { any_confidentiality = ["R"] }
level = "nothing"

[[rule]]
name = "rest"
level = "full"
"#;

/// Rules that say this.
pub(crate) fn rules(text: &str) -> Access {
    Access::by(Policy::parse(text, &Vocabulary::default()).unwrap())
}

/// Numbers that are the same in each run with the same seed.
struct Lots(u64);

impl Lots {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    fn pick<'p, T>(&mut self, from: &'p [T]) -> Option<&'p T> {
        match from.len() {
            0 => None,
            count => Some(&from[self.below(count)]),
        }
    }
}

/// A document that was planned.
#[derive(Clone)]
struct Planned {
    of: PatientId,
    uuid: EntryUuid,
    hidden: bool,
    replaced: bool,
    /// It was made from another: nothing is appended to it.
    made: bool,
    /// A document that is seen hangs on it.
    held: bool,
}

/// Submissions, and what is hidden in them.
#[derive(Default)]
struct Plan {
    submissions: Vec<Submission>,
    documents: Vec<Planned>,
    folders: Vec<(PatientId, EntryUuid)>,
    hidden: BTreeSet<EntryUuid>,
}

impl Plan {
    fn new(lots: &mut Lots) -> Self {
        let mut plan = Self::default();
        for _ in 0..12 {
            plan.submit(lots);
        }
        plan.hide();
        plan
    }

    fn submit(&mut self, lots: &mut Lots) {
        let of = patient(if lots.one_in(3) { "P2" } else { "P1" });
        let mut submission = empty(&of);
        submission.submission_set.entry_uuid = new_uuid();
        submission.submission_set.unique_id = crate::words::new_oid().as_str().into();
        let mut new = Vec::new();
        for _ in 0..1 + lots.below(3) {
            let document = self.document(lots, &of, &mut submission);
            new.push(document);
        }
        if lots.one_in(2) {
            let holder = folder(&of, new_uuid().as_str());
            submission.add_folder(holder.clone());
            for document in &new {
                if lots.one_in(2) {
                    let uuid = document.uuid.clone();
                    submission.put_into_folder(holder.entry_uuid.clone(), uuid);
                }
            }
            self.folders.push((of.clone(), holder.entry_uuid));
        } else if let Some((_, holder)) = lots.pick(&self.folders_of(&of)) {
            let uuid = new[0].uuid.clone();
            submission.put_into_folder(holder.clone(), uuid);
        }
        if lots.one_in(3) {
            self.refer(lots, &mut submission);
        }
        self.documents.extend(new);
        self.submissions.push(submission);
    }

    fn folders_of(&self, of: &PatientId) -> Vec<(PatientId, EntryUuid)> {
        let folders = self.folders.iter();
        folders.filter(|(whose, _)| whose == of).cloned().collect()
    }

    fn document(&mut self, lots: &mut Lots, of: &PatientId, into: &mut Submission) -> Planned {
        let uuid = new_uuid();
        let hidden = lots.below(5) < 2;
        let mut entry = document(of, uuid.as_str());
        if lots.one_in(2) {
            let of_images = series(1, &["Modality=CT", "SliceThickness=1"]);
            entry.extra.slots.extend(images_of(&[of_images]));
        }
        if lots.one_in(2) {
            entry.class_code = Some(code("other class"));
        }
        entry.reference_ids = vec![ReferenceId::parse("A1^^^&1.2.3&ISO^urn:x").unwrap()];
        entry.confidentiality_codes = match hidden {
            true => vec![code("N"), code("R")],
            false => vec![code("N")],
        };
        into.add_document(entry);
        let mut planned = Planned {
            of: of.clone(),
            uuid,
            hidden,
            replaced: false,
            made: false,
            held: false,
        };
        self.relate(lots, &mut planned, into);
        planned
    }

    /// Relates a document with an older one. What is hidden changes nothing that is seen: that would be
    /// seen (`docs/consent.md`).
    fn relate(&mut self, lots: &mut Lots, planned: &mut Planned, into: &mut Submission) {
        let kind = match lots.below(4) {
            0 => AssociationType::Replace,
            1 => AssociationType::Append,
            2 => AssociationType::Transform,
            _ => return,
        };
        let replaces = kind == AssociationType::Replace;
        let fits = |other: &&mut Planned| {
            other.of == planned.of
                && !other.replaced
                && match replaces {
                    true => other.hidden == planned.hidden && !other.held,
                    false => !other.made,
                }
        };
        let mut others: Vec<&mut Planned> = self.documents.iter_mut().filter(fits).collect();
        if others.is_empty() {
            return;
        }
        let at = lots.below(others.len());
        let other = &mut *others[at];
        other.replaced |= replaces;
        // What was made from it, or appended to it, is deprecated with it.
        other.held |= !replaces;
        planned.made = kind == AssociationType::Transform;
        let (uuid, other) = (planned.uuid.clone(), other.uuid.clone());
        into.relate(uuid, kind, other);
    }

    /// Lets a submission set refer to a document that is registered.
    fn refer(&self, lots: &mut Lots, submission: &mut Submission) {
        let standing: Vec<&Planned> = self.documents.iter().filter(|it| !it.replaced).collect();
        if let Some(other) = lots.pick(&standing) {
            let set = submission.submission_set.entry_uuid.clone();
            let mut association =
                Association::new(AssociationType::HasMember, set, other.uuid.clone());
            association.submission_set_status = Some(SubmissionSetStatus::Reference);
            submission.associations.push(association);
        }
    }

    /// Everything that is hidden with the documents, and names for all associations.
    fn hide(&mut self) {
        let documents = self.documents.iter().filter(|it| it.hidden);
        self.hidden = documents.map(|it| it.uuid.clone()).collect();
        for submission in &mut self.submissions {
            name_associations(submission);
        }
        let associations = || self.submissions.iter().flat_map(|it| &it.associations);
        let has_only_hidden = |package: &EntryUuid, hidden: &BTreeSet<EntryUuid>| {
            let mut members = associations().filter(|it| it.source == *package);
            let first = members.next();
            first.is_some_and(|first| hidden.contains(&first.target))
                && members.all(|it| hidden.contains(&it.target))
        };
        let mut hidden = self.hidden.clone();
        let folders = self.folders.iter().map(|(_, uuid)| uuid);
        hidden.extend(
            folders
                .filter(|it| has_only_hidden(it, &self.hidden))
                .cloned(),
        );
        let touching = |hidden: &BTreeSet<EntryUuid>| -> Vec<EntryUuid> {
            let touching = associations()
                .filter(|it| hidden.contains(&it.source) || hidden.contains(&it.target));
            touching.map(|it| it.entry_uuid.clone()).collect()
        };
        hidden.extend(touching(&hidden));
        let sets = self.submissions.iter();
        let sets = sets.map(|it| &it.submission_set.entry_uuid);
        let sets: Vec<EntryUuid> = sets
            .filter(|set| has_only_hidden(set, &hidden))
            .cloned()
            .collect();
        hidden.extend(sets);
        hidden.extend(touching(&hidden));
        // Of memberships of memberships.
        hidden.extend(touching(&hidden));
        self.hidden = hidden;
    }

    /// The submissions without what is hidden.
    fn of_the_twin(&self) -> Vec<Submission> {
        let seen = |uuid: &EntryUuid| !self.hidden.contains(uuid);
        let mut twins = self.submissions.clone();
        twins.retain(|it| seen(&it.submission_set.entry_uuid));
        for twin in &mut twins {
            twin.document_entries.retain(|it| seen(&it.entry_uuid));
            twin.folders.retain(|it: &Folder| seen(&it.entry_uuid));
            twin.associations.retain(|it| seen(&it.entry_uuid));
        }
        twins
    }

    /// Every name, of what is hidden too.
    fn names(&self) -> Vec<EntryUuid> {
        let documents = self.documents.iter().map(|it| it.uuid.clone());
        let folders = self.folders.iter().map(|(_, uuid)| uuid.clone());
        let sets = self.submissions.iter();
        let sets = sets.map(|it| it.submission_set.entry_uuid.clone());
        documents.chain(folders).chain(sets).collect()
    }
}

fn name_associations(submission: &mut Submission) {
    let mut renamed = BTreeMap::new();
    for association in &mut submission.associations {
        let uuid = new_uuid();
        renamed.insert(association.entry_uuid.clone(), uuid.clone());
        association.entry_uuid = uuid;
    }
    for association in &mut submission.associations {
        if let Some(uuid) = renamed.get(&association.target) {
            association.target = uuid.clone();
        }
    }
}

fn stable() -> DocumentFilter {
    DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..DocumentFilter::default()
    }
}

fn content() -> ContentFilter {
    ContentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..ContentFilter::default()
    }
}

fn exact(text: &str) -> AnyOf {
    AnyOf(vec![Pattern::exact(text)])
}

fn of_patient(of: &PatientId) -> Vec<StoredQuery> {
    let find = |statuses: &[AvailabilityStatus], filter| FindDocuments {
        patient: of.clone(),
        statuses: statuses.to_vec(),
        filter,
    };
    let by_reference = DocumentFilter {
        reference_ids: AllOf(vec![exact("A1^^^&1.2.3&ISO^urn:x")]),
        ..stable()
    };
    let class = DocumentFilter {
        class_codes: exact("other class^^1.2.3.8"),
        ..DocumentFilter::default()
    };
    let confidential = DocumentFilter {
        confidentiality_codes: AllOf(vec![exact("R^^1.2.3.8")]),
        ..stable()
    };
    vec![
        StoredQuery::FindDocuments(find(&[APPROVED], stable())),
        StoredQuery::FindDocuments(find(&[APPROVED, DEPRECATED], stable())),
        StoredQuery::FindDocuments(find(&[APPROVED], confidential)),
        StoredQuery::FindDocumentsByReferenceId(find(&[APPROVED], by_reference)),
        StoredQuery::FindDocumentsExclude(find(&[APPROVED], stable()), Box::new(class)),
        StoredQuery::FindSubmissionSets(FindSubmissionSets {
            patient: of.clone(),
            statuses: vec![APPROVED],
            source_ids: AnyOf::default(),
            submission_time: TimeRange::default(),
            author_person: AnyOf::default(),
            content_type_codes: AnyOf::default(),
        }),
        StoredQuery::FindFolders(FindFolders {
            patient: of.clone(),
            statuses: vec![APPROVED],
            last_update_time: TimeRange::default(),
            codes: AllOf::default(),
        }),
        get_all(of),
    ]
}

fn named(names: &[EntryUuid]) -> Vec<StoredQuery> {
    let of = || Names::EntryUuids(names.to_vec());
    vec![
        StoredQuery::GetDocuments(of()),
        StoredQuery::GetFolders(of()),
        StoredQuery::GetAssociations(names.to_vec()),
        StoredQuery::GetDocumentsAndAssociations(of()),
        StoredQuery::GetSubmissionSets(names.to_vec()),
        StoredQuery::GetFoldersForDocument(of()),
    ]
}

fn contents(name: &EntryUuid) -> Vec<StoredQuery> {
    let of = || Names::EntryUuids(vec![name.clone()]);
    let contents = || GetContents {
        of: of(),
        filter: content(),
    };
    let kinds = [
        AssociationType::Replace,
        AssociationType::Append,
        AssociationType::Transform,
    ];
    vec![
        StoredQuery::GetSubmissionSetAndContents(contents()),
        StoredQuery::GetFolderAndContents(contents()),
        StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
            of: of(),
            association_types: kinds.to_vec(),
            entry_types: vec![DocumentEntryType::Stable],
        }),
    ]
}

/// Our own queries, for one patient and for everybody.
fn of_images() -> Vec<StoredQuery> {
    let asked = |patients: &[&str]| FindImaging {
        patients: patients.iter().map(|id| patient(id)).collect(),
        ..cohort(&["Modality eq CT", "SliceThickness le 1.5 mm"], &[], &[])
    };
    vec![
        StoredQuery::FindDocumentsByAcquisition(asked(&["P1"])),
        StoredQuery::FindDocumentsByAcquisition(asked(&[])),
        StoredQuery::FindDocumentsForCohort(asked(&["P1", "P2"])),
    ]
}

/// ITI-51.
fn of_several(patients: &[PatientId]) -> Vec<StoredQuery> {
    let patients = patients.to_vec();
    vec![
        StoredQuery::FindDocumentsForMultiplePatients(FindDocumentsForMultiplePatients {
            patients: patients.clone(),
            statuses: vec![APPROVED],
            filter: DocumentFilter {
                class_codes: exact("other class^^1.2.3.8"),
                ..stable()
            },
        }),
        StoredQuery::FindFoldersForMultiplePatients(FindFoldersForMultiplePatients {
            patients,
            statuses: vec![APPROVED],
            last_update_time: TimeRange::default(),
            codes: AllOf(vec![exact("folder^^1.2.3.8")]),
        }),
    ]
}

/// An answer without what a registry gives itself: names of associations that it made, and moments.
fn told(mut response: AdhocQueryResponse, known: &BTreeSet<EntryUuid>) -> String {
    for object in &mut response.objects {
        let slots = object.slots.iter_mut();
        for slot in slots.filter(|slot| slot.name == "lastUpdateTime") {
            slot.values = vec!["?".to_owned()];
        }
    }
    without_unknown_names(&format!("{response:#?}"), known)
}

fn without_unknown_names(text: &str, known: &BTreeSet<EntryUuid>) -> String {
    const BEGINNING: &str = "urn:uuid:";
    let mut parts = text.split(BEGINNING);
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (uuid, rest) = part.split_at_checked(36).unwrap_or((part, ""));
        let name = EntryUuid(format!("{BEGINNING}{uuid}"));
        match known.contains(&name) {
            true => told.push_str(name.as_str()),
            false => told.push_str("urn:uuid:?"),
        }
        told.push_str(rest);
    }
    told
}

/// Asks both, and says where they differ.
struct Twins<'s> {
    site: &'s Site,
    twin: &'s Site,
    known: BTreeSet<EntryUuid>,
    asked: usize,
    found: usize,
}

impl Twins<'_> {
    async fn ask(&mut self, query: &StoredQuery, several: bool) {
        let visibilities = [MetadataLevel::One, MetadataLevel::Two].map(|level| Visibility {
            level,
            association_statuses: Vec::new(),
        });
        for by_reference in [false, true] {
            let wanted = || match by_reference {
                false => ReturnType::LeafClass,
                true => ReturnType::ObjectRef,
            };
            for visibility in &visibilities {
                let request = match several {
                    true => query.to_request(wanted()),
                    false => query.to_visible_request(wanted(), visibility),
                };
                let site = send(self.site, &request, several).await;
                let twin = send(self.twin, &request, several).await;
                self.found += site.objects.len();
                let (site, twin) = (told(site, &self.known), told(twin, &self.known));
                assert_eq!(site, twin, "{query:#?}, by reference: {by_reference}");
                self.asked += 1;
            }
        }
    }

    /// What is to be changed and is hidden is refused as what is not there.
    fn refuse_alike(&mut self, site: RegistryResponse, twin: RegistryResponse, what: &str) {
        let said = |response: &RegistryResponse| {
            without_unknown_names(&format!("{response:#?}"), &self.known)
        };
        assert_eq!(said(&site), said(&twin), "{what}");
        assert_ne!(site.errors, [], "{what}");
        self.asked += 1;
    }
}

async fn send(site: &Site, request: &AdhocQueryRequest, several: bool) -> AdhocQueryResponse {
    match several {
        true => site.call::<MultiPatientStoredQuery>(request).await,
        false => site.call::<RegistryStoredQuery>(request).await,
    }
}

pub(crate) async fn hidden_is_absent(site: Site) {
    let plans = match site.is_on_sqlite() {
        true => 4,
        false => 1,
    };
    let mut site = site.with_patients().await;
    let mut asked = (0, 0);
    for seed in 1..=plans {
        let seed: u64 = seed;
        let mut lots = Lots(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let plan = Plan::new(&mut lots);
        eprintln!("seed {seed}: {} hidden", plan.hidden.len());
        let twin = Site::on_sqlite().with_patients().await;
        let twin = twin.configured(|config| config.max_results = 60);
        let filled = site.configured(|config| {
            config.max_results = 60;
            config.access = Access::everything();
        });
        for submission in &plan.submissions {
            filled.accept(submission).await;
        }
        for submission in plan.of_the_twin() {
            twin.accept(&submission).await;
        }
        let filtered = filled.configured(|config| config.access = rules(RULES));
        let (more, found) = compare(&plan, &filtered, &twin, &mut lots).await;
        asked = (asked.0 + more, asked.1 + found);
        // A fresh one each time: patients would have more documents than their twins.
        site = Site::on_sqlite().with_patients().await;
    }
    eprintln!("{} questions, {} objects, no difference", asked.0, asked.1);
    assert!(asked.1 > 1000, "too little was found to compare: {asked:?}");
}

async fn compare(plan: &Plan, site: &Site, twin: &Site, lots: &mut Lots) -> (usize, usize) {
    let names = plan.names();
    let associations = plan.submissions.iter().flat_map(|it| &it.associations);
    let associations = associations.map(|it| it.entry_uuid.clone());
    let mut twins = Twins {
        site,
        twin,
        known: names.iter().cloned().chain(associations).collect(),
        asked: 0,
        found: 0,
    };
    let patients = ["P1", "P2"].map(patient);
    for of in &patients {
        for query in of_patient(of) {
            twins.ask(&query, false).await;
        }
    }
    for query in of_images() {
        twins.ask(&query, false).await;
    }
    for query in of_several(&patients).into_iter().chain(of_several(&[])) {
        twins.ask(&query, true).await;
    }
    for _ in 0..NAMED {
        let name = lots.pick(&names).unwrap();
        for query in named(std::slice::from_ref(name))
            .into_iter()
            .chain(contents(name))
        {
            twins.ask(&query, false).await;
        }
    }
    for _ in 0..3 {
        let some: Vec<EntryUuid> = (0..6).map(|_| lots.pick(&names).unwrap().clone()).collect();
        for query in named(&some) {
            twins.ask(&query, false).await;
        }
    }
    for query in named(&names) {
        twins.ask(&query, false).await;
    }
    change(plan, &mut twins).await;
    (twins.asked, twins.found)
}

/// ITI-42, 57 and 62, about what is hidden.
async fn change(plan: &Plan, twins: &mut Twins<'_>) {
    let (site, twin) = (twins.site, twins.twin);
    for hidden in plan.documents.iter().filter(|it| it.hidden).take(6) {
        let (of, uuid) = (&hidden.of, &hidden.uuid);
        for kind in [AssociationType::Replace, AssociationType::Append] {
            let (mut submission, own) = one(of);
            twins.known.insert(own.clone());
            submission.relate(own, kind, uuid.clone());
            let answers = (
                site.submit(&submission).await,
                twin.submit(&submission).await,
            );
            twins.refuse_alike(answers.0, answers.1, "ITI-42");
        }
        let update = change_status(of, uuid, APPROVED, DEPRECATED);
        let answers = (site.update(&update).await, twin.update(&update).await);
        twins.refuse_alike(answers.0, answers.1, "ITI-57");
        let entry = document(of, uuid.as_str());
        let update = new_version(&entry, new_uuid().as_str(), "1");
        twins
            .known
            .insert(update.document_entries[0].entry_uuid.clone());
        let answers = (site.update(&update).await, twin.update(&update).await);
        twins.refuse_alike(answers.0, answers.1, "ITI-57");
        let names = [uuid.clone()];
        let answers = (site.remove(&names).await, twin.remove(&names).await);
        twins.refuse_alike(answers.0, answers.1, "ITI-62");
    }
}
