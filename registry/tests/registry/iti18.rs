//! ITI-18: what each query finds.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::ReturnType;
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, ContentFilter, DocumentFilter, FindDocuments, FindFolders, FindSubmissionSets,
    GetAll, GetContents, GetRelatedDocuments, Names, Pattern, StoredQuery,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{
    Association, AssociationType, Author, DocumentEntryType, EntryUuid, PatientId, ReferenceId,
    SubmissionSetStatus, UniqueId,
};

use crate::site::Site;
use crate::words::{code, document, empty, folder, new_uuid, patient, time};

const APPROVED: AvailabilityStatus = AvailabilityStatus::Approved;
const DEPRECATED: AvailabilityStatus = AvailabilityStatus::Deprecated;

/// All stable documents in force.
pub(crate) fn find_documents(of: &PatientId) -> StoredQuery {
    find_with(of, |_| {})
}

/// The same with further filters.
fn find_with(of: &PatientId, change: impl FnOnce(&mut DocumentFilter)) -> StoredQuery {
    let mut filter = DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..DocumentFilter::default()
    };
    change(&mut filter);
    StoredQuery::FindDocuments(FindDocuments {
        patient: of.clone(),
        statuses: vec![APPROVED],
        filter,
    })
}

/// Everything of a patient, of whatever status.
pub(crate) fn get_all(of: &PatientId) -> StoredQuery {
    StoredQuery::GetAll(GetAll {
        patient: of.clone(),
        document_entry_statuses: vec![APPROVED, DEPRECATED],
        submission_set_statuses: vec![APPROVED],
        folder_statuses: vec![APPROVED],
        filter: stable(),
    })
}

fn stable() -> ContentFilter {
    ContentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..ContentFilter::default()
    }
}

pub(crate) fn get_associations<'u>(of: impl IntoIterator<Item = &'u EntryUuid>) -> StoredQuery {
    StoredQuery::GetAssociations(of.into_iter().cloned().collect())
}

pub(crate) fn get_documents<'u>(uuids: impl IntoIterator<Item = &'u EntryUuid>) -> StoredQuery {
    StoredQuery::GetDocuments(Names::EntryUuids(uuids.into_iter().cloned().collect()))
}

fn any(codes: &[&str]) -> AnyOf {
    let pattern = |code: &&str| Pattern::exact(format!("{code}^^1.2.3.8"));
    AnyOf(codes.iter().map(pattern).collect())
}

fn like(pattern: &str) -> AnyOf {
    AnyOf(vec![Pattern::like(pattern)])
}

fn range(from: &str, to: &str) -> TimeRange {
    let bound = |text: &str| (!text.is_empty()).then(|| time(text));
    TimeRange {
        from: bound(from),
        to: bound(to),
    }
}

/// What is registered in these tests: the UUIDs.
struct Archive {
    set: EntryUuid,
    set_unique_id: UniqueId,
    folder: EntryUuid,
    folder_unique_id: UniqueId,
    /// Of 2023, in the folder.
    early: EntryUuid,
    early_unique_id: UniqueId,
    /// Of 2024.
    late: EntryUuid,
    /// Replaced.
    old: EntryUuid,
    /// Replaces it.
    new: EntryUuid,
    /// Of the other patient.
    other: EntryUuid,
}

impl Archive {
    async fn fill(site: &Site) -> Self {
        let (p1, p2) = (patient("P1"), patient("P2"));
        let [set, holder, early, late, old, new, other] = std::array::from_fn(|_| new_uuid());
        let mut first = empty(&p1);
        first.submission_set.entry_uuid = set.clone();
        first.submission_set.authors = vec![author("^Source^Sam")];
        let mut entry = document(&p1, early.as_str());
        entry.class_code = Some(code("early class"));
        entry.type_code = Some(code("early type"));
        entry.practice_setting_code = Some(code("early practice"));
        entry.healthcare_facility_type_code = Some(code("early facility"));
        entry.format_code = Some(code("early format"));
        entry.confidentiality_codes = vec![code("N"), code("R")];
        entry.event_codes = vec![code("E1"), code("E2")];
        entry.authors = vec![author("^Smitty^Gerald"), author("^Jones^Ann")];
        entry.creation_time = Some(time("20230615"));
        entry.service_start_time = Some(time("20230601"));
        entry.service_stop_time = Some(time("20230602"));
        entry.reference_ids = vec![
            ReferenceId::study("1.9.1"),
            ReferenceId::accession("A1", "1.8"),
        ];
        let early_unique_id = entry.unique_id.clone();
        first.add_document(entry);
        let mut entry = document(&p1, late.as_str());
        entry.event_codes = vec![code("E2")];
        entry.reference_ids = vec![ReferenceId::study("1.9.1")];
        first.add_document(entry);
        first.add_document(document(&p1, old.as_str()));
        first.add_folder(folder(&p1, holder.as_str()));
        let folder_unique_id = first.folders[0].unique_id.clone();
        first.folders[0].codes = vec![code("F1"), code("F2")];
        first.put_into_folder(holder.clone(), early.clone());
        first.relate(late.clone(), AssociationType::Transform, early.clone());
        // All statuses are given, so the order of what was submitted is known.
        for association in &mut first.associations {
            association.entry_uuid = match association.entry_uuid.as_str() {
                "" => new_uuid(),
                _ => association.entry_uuid.clone(),
            };
        }
        let set_unique_id = first.submission_set.unique_id.clone();
        site.accept(&first).await;
        let mut second = empty(&p1);
        second.submission_set.source_id = "1.2.3.55".to_owned();
        second.submission_set.content_type_code = Some(code("other content"));
        second.submission_set.submission_time = Some(time("20250101"));
        second.add_document(document(&p1, new.as_str()));
        second.relate(new.clone(), AssociationType::Replace, old.clone());
        site.accept(&second).await;
        let mut third = empty(&p2);
        third.add_document(document(&p2, other.as_str()));
        site.accept(&third).await;
        Self {
            set,
            set_unique_id,
            folder: holder,
            folder_unique_id,
            early,
            early_unique_id,
            late,
            old,
            new,
            other,
        }
    }
}

fn author(person: &str) -> Author {
    Author {
        person: Some(person.to_owned()),
        ..Author::default()
    }
}

/// The ids of what was found, except for associations, in the order in which they were found.
fn named(objects: &[RegistryObject]) -> Vec<EntryUuid> {
    let is_named = |it: &&RegistryObject| !matches!(it.body, Body::Association { .. });
    let ids = objects.iter().filter(is_named).map(|it| it.id.as_str());
    ids.map(EntryUuid::from).collect()
}

/// The associations that were found: type, source, target.
fn links(objects: &[RegistryObject]) -> Vec<(AssociationType, EntryUuid, EntryUuid)> {
    let associations = objects
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok());
    associations
        .map(|it| (it.association_type, it.source, it.target))
        .collect()
}

async fn finds(site: &Site, query: StoredQuery, expected: &[&EntryUuid]) {
    let found = named(&site.find(&query).await);
    let found: Vec<&EntryUuid> = found.iter().collect();
    assert_eq!(found, expected, "{query:?}");
}

/// ITI TF-2 3.18.4.1.2.3.7.1.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub(crate) async fn find_documents_by_what_is_asked(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let p1 = patient("P1");
    finds(&site, find_documents(&p1), &[&it.early, &it.late, &it.new]).await;
    finds(&site, find_documents(&patient("P2")), &[&it.other]).await;
    let deprecated = StoredQuery::FindDocuments(FindDocuments {
        patient: p1.clone(),
        statuses: vec![DEPRECATED],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    });
    finds(&site, deprecated, &[&it.old]).await;
    let on_demand = find_with(&p1, |filter| {
        filter.entry_types = vec![DocumentEntryType::OnDemand]
    });
    finds(&site, on_demand, &[]).await;

    let (early, late, new) = (&it.early, &it.late, &it.new);
    type Change = fn(&mut DocumentFilter);
    let questions: [(Change, &[&EntryUuid]); 26] = [
        (|it| it.class_codes = any(&["early class"]), &[early]),
        (
            |it| it.class_codes = any(&["early class", "class"]),
            &[early, late, new],
        ),
        (
            |it| it.class_codes = AnyOf(vec![Pattern::exact("early class^^1.2.3")]),
            &[],
        ),
        (|it| it.type_codes = any(&["early type"]), &[early]),
        (
            |it| it.practice_setting_codes = any(&["early practice"]),
            &[early],
        ),
        (
            |it| it.healthcare_facility_type_codes = any(&["early facility"]),
            &[early],
        ),
        (|it| it.format_codes = any(&["early format"]), &[early]),
        (
            |it| it.confidentiality_codes = AllOf(vec![any(&["R"])]),
            &[early],
        ),
        (
            |it| it.confidentiality_codes = AllOf(vec![any(&["R", "N"])]),
            &[early, late, new],
        ),
        (
            |it| it.confidentiality_codes = AllOf(vec![any(&["R"]), any(&["N"])]),
            &[early],
        ),
        (
            |it| it.event_codes = AllOf(vec![any(&["E2"])]),
            &[early, late],
        ),
        (
            |it| it.event_codes = AllOf(vec![any(&["E2"]), any(&["E1"])]),
            &[early],
        ),
        (
            |it| it.event_codes = AllOf(vec![any(&["E1", "E3"])]),
            &[early],
        ),
        (|it| it.author_persons = like("%Smitty%"), &[early]),
        (|it| it.author_persons = like("^J_nes^Ann"), &[early]),
        (|it| it.author_persons = like("Smitty"), &[]),
        (|it| it.author_persons = like("^Welby^%"), &[late, new]),
        (
            |it| it.creation_time = range("2023", "2024"),
            &[early, late, new],
        ),
        (|it| it.creation_time = range("2023", "20230615"), &[]),
        (
            |it| it.creation_time = range("", "202401"),
            &[early, late, new],
        ),
        (
            |it| it.creation_time = range("20240102030405", ""),
            &[late, new],
        ),
        (
            |it| it.creation_time = range("", "20240102030405"),
            &[early],
        ),
        // A document without the time is not filtered by it.
        (|it| it.service_start_time = range("2024", ""), &[late, new]),
        (
            |it| it.service_start_time = range("20230601", "20230602"),
            &[early, late, new],
        ),
        (
            |it| it.service_stop_time = range("", "20230602"),
            &[late, new],
        ),
        (
            |it| it.service_stop_time = range("20230602", ""),
            &[early, late, new],
        ),
    ];
    for (change, expected) in questions {
        finds(&site, find_with(&p1, change), expected).await;
    }
}

/// ITI TF-2 3.18.4.1.2.3.7.14.
pub(crate) async fn find_documents_by_reference_id(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let study = "1.9.1^^^^urn:ihe:iti:xds:2016:studyInstanceUID";
    let accession = "A1^^^&1.8&ISO^urn:ihe:iti:xds:2013:accession";
    let ask = |all: Vec<AnyOf>| {
        let query = find_with(&patient("P1"), |filter| filter.reference_ids = AllOf(all));
        let StoredQuery::FindDocuments(query) = query else {
            unreachable!()
        };
        StoredQuery::FindDocumentsByReferenceId(query)
    };
    finds(&site, ask(vec![like(study)]), &[&it.early, &it.late]).await;
    finds(&site, ask(vec![like(accession)]), &[&it.early]).await;
    finds(&site, ask(vec![like("1.9.%")]), &[&it.early, &it.late]).await;
    finds(&site, ask(vec![like(study), like(accession)]), &[&it.early]).await;
    finds(&site, ask(vec![like("1.9.2%")]), &[]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.2.
pub(crate) async fn find_submission_sets(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |change: fn(&mut FindSubmissionSets)| {
        let mut query = FindSubmissionSets {
            patient: patient("P1"),
            statuses: vec![APPROVED],
            source_ids: AnyOf::default(),
            submission_time: TimeRange::default(),
            author_person: AnyOf::default(),
            content_type_codes: AnyOf::default(),
        };
        change(&mut query);
        StoredQuery::FindSubmissionSets(query)
    };
    let all = named(&site.find(&ask(|_| {})).await);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0], it.set);
    let second = &all[1];
    let exact = |text: &str| AnyOf(vec![Pattern::exact(text)]);
    assert!(exact("1.2.3.55").accepts(["1.2.3.55"]));
    finds(
        &site,
        ask(|it| it.source_ids = AnyOf(vec![Pattern::exact("1.2.3.55")])),
        &[second],
    )
    .await;
    finds(
        &site,
        ask(|it| it.submission_time = range("2025", "")),
        &[second],
    )
    .await;
    finds(
        &site,
        ask(|it| it.submission_time = range("", "2024")),
        &[&it.set],
    )
    .await;
    finds(&site, ask(|it| it.author_person = like("%Sam")), &[&it.set]).await;
    finds(
        &site,
        ask(|it| it.content_type_codes = any(&["content"])),
        &[&it.set],
    )
    .await;
    finds(&site, ask(|it| it.statuses = vec![DEPRECATED]), &[]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.3.
pub(crate) async fn find_folders(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |change: fn(&mut FindFolders)| {
        let mut query = FindFolders {
            patient: patient("P1"),
            statuses: vec![APPROVED],
            last_update_time: TimeRange::default(),
            codes: AllOf::default(),
        };
        change(&mut query);
        StoredQuery::FindFolders(query)
    };
    finds(&site, ask(|_| {}), &[&it.folder]).await;
    finds(
        &site,
        ask(|it| it.codes = AllOf(vec![any(&["F1"]), any(&["F2"])])),
        &[&it.folder],
    )
    .await;
    finds(
        &site,
        ask(|it| it.codes = AllOf(vec![any(&["F1"]), any(&["F3"])])),
        &[],
    )
    .await;
    finds(
        &site,
        ask(|it| it.last_update_time = range("2020", "")),
        &[&it.folder],
    )
    .await;
    finds(
        &site,
        ask(|it| it.last_update_time = range("", "2020")),
        &[],
    )
    .await;
    finds(&site, ask(|it| it.statuses = vec![DEPRECATED]), &[]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.4.
pub(crate) async fn get_everything(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let found = site.find(&get_all(&patient("P1"))).await;
    let objects = named(&found);
    assert_eq!(objects.len(), 7);
    for uuid in [&it.set, &it.early, &it.late, &it.old, &it.folder, &it.new] {
        assert!(objects.contains(uuid));
    }
    // Four members, one in the folder and that as a member, one transformation; then one member
    // and one replacement.
    assert_eq!(links(&found).len(), 9);
    let StoredQuery::GetAll(mut query) = get_all(&patient("P1")) else {
        unreachable!()
    };
    query.document_entry_statuses = vec![DEPRECATED];
    query.submission_set_statuses = vec![DEPRECATED];
    query.folder_statuses = vec![DEPRECATED];
    let found = site.find(&StoredQuery::GetAll(query.clone())).await;
    assert_eq!(named(&found), std::slice::from_ref(&it.old));
    assert_eq!(links(&found).len(), 2);
    query.document_entry_statuses = vec![APPROVED];
    query.filter.format_codes = any(&["early format"]);
    finds(&site, StoredQuery::GetAll(query), &[&it.early]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.5, 3.18.4.1.2.3.7.6.
pub(crate) async fn get_documents_by_name(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let nobody = new_uuid();
    let folder = &it.folder;
    finds(
        &site,
        get_documents([&it.old, &it.early, &it.early, &nobody, folder]),
        &[&it.early, &it.old],
    )
    .await;
    let upper = EntryUuid(
        it.early
            .as_str()
            .to_uppercase()
            .replace("URN:UUID:", "urn:uuid:"),
    );
    finds(&site, get_documents([&upper]), &[&it.early]).await;
    let by_unique_id = Names::UniqueIds(vec![
        it.early_unique_id.clone(),
        it.folder_unique_id.clone(),
    ]);
    finds(
        &site,
        StoredQuery::GetDocuments(by_unique_id.clone()),
        &[&it.early],
    )
    .await;
    finds(&site, StoredQuery::GetFolders(by_unique_id), &[folder]).await;
    let by_uuid = Names::EntryUuids(vec![it.folder.clone(), it.early.clone()]);
    finds(&site, StoredQuery::GetFolders(by_uuid), &[folder]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.
pub(crate) async fn whole_objects_are_of_one_patient(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    for query in [
        get_documents([&it.early, &it.other]),
        StoredQuery::GetDocumentsAndAssociations(Names::EntryUuids(vec![
            it.early.clone(),
            it.other.clone(),
        ])),
        StoredQuery::GetSubmissionSets(vec![it.early.clone(), it.other.clone()]),
    ] {
        let answer = site.query(&query).await;
        assert_eq!(answer.status, ResponseStatus::Failure);
        assert_eq!(answer.errors[0].code, ErrorCode::ResultNotSinglePatient);
        assert_eq!(answer.objects, []);
        let references = site.ask(&query, ReturnType::ObjectRef).await;
        assert_eq!(references.status, ResponseStatus::Success);
        assert!(references.objects.len() > 1);
    }
    let both = get_associations([&it.early, &it.other]);
    assert_eq!(site.find(&both).await.len(), 4);
}

/// ITI TF-2 3.18.4.1.2.3.7.7, 3.18.4.1.2.3.7.8, 3.18.4.1.2.3.7.9.
pub(crate) async fn associations_of_objects(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let member = AssociationType::HasMember;
    let (set, early) = (it.set.clone(), it.early.clone());
    let of_early = [
        (member.clone(), set.clone(), early.clone()),
        (member.clone(), it.folder.clone(), early.clone()),
        (AssociationType::Transform, it.late.clone(), early.clone()),
    ];
    let found = site.find(&get_associations([&it.early])).await;
    assert_eq!(links(&found), of_early);
    let names = Names::EntryUuids(vec![early.clone()]);
    let found = site
        .find(&StoredQuery::GetDocumentsAndAssociations(names))
        .await;
    assert_eq!(named(&found), std::slice::from_ref(&early));
    assert_eq!(links(&found), of_early);
    let found = site
        .find(&StoredQuery::GetSubmissionSets(vec![early.clone()]))
        .await;
    assert_eq!(named(&found), std::slice::from_ref(&set));
    assert_eq!(links(&found), [(member.clone(), set.clone(), early)]);
    let found = site
        .find(&StoredQuery::GetSubmissionSets(vec![it.folder.clone()]))
        .await;
    assert_eq!(links(&found), [(member, set, it.folder)]);
    finds(&site, get_associations([&new_uuid()]), &[]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.10.
pub(crate) async fn a_submission_set_and_its_contents(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |of: Names, change: fn(&mut ContentFilter)| {
        let mut filter = stable();
        change(&mut filter);
        StoredQuery::GetSubmissionSetAndContents(GetContents { of, filter })
    };
    let names = || Names::EntryUuids(vec![it.set.clone()]);
    let found = site.find(&ask(names(), |_| {})).await;
    let objects = [&it.set, &it.early, &it.late, &it.old, &it.folder];
    assert_eq!(named(&found).iter().collect::<Vec<_>>(), objects);
    // Five memberships of the set, of which one is that of the membership in the folder.
    assert_eq!(links(&found).len(), 6);
    let by_unique_id = ask(Names::UniqueIds(vec![it.set_unique_id.clone()]), |_| {});
    assert_eq!(site.find(&by_unique_id).await, found);
    // Without the document in it, the folder's membership is left out too.
    let found = site
        .find(&ask(names(), |it| it.format_codes = any(&["format"])))
        .await;
    let objects = [&it.set, &it.late, &it.old, &it.folder];
    assert_eq!(named(&found).iter().collect::<Vec<_>>(), objects);
    assert_eq!(links(&found).len(), 3);
    let confidential = ask(names(), |it| {
        it.confidentiality_codes = AllOf(vec![any(&["R"])])
    });
    finds(&site, confidential, &[&it.set, &it.early, &it.folder]).await;
    finds(
        &site,
        ask(Names::EntryUuids(vec![it.folder.clone()]), |_| {}),
        &[],
    )
    .await;
}

/// ITI TF-2 3.18.4.1.2.3.7.11.
pub(crate) async fn a_folder_and_its_contents(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |of: Names, change: fn(&mut ContentFilter)| {
        let mut filter = stable();
        change(&mut filter);
        StoredQuery::GetFolderAndContents(GetContents { of, filter })
    };
    let names = || Names::EntryUuids(vec![it.folder.clone()]);
    let found = site.find(&ask(names(), |_| {})).await;
    assert_eq!(named(&found), [it.early.clone(), it.folder.clone()]);
    let member = (
        AssociationType::HasMember,
        it.folder.clone(),
        it.early.clone(),
    );
    assert_eq!(links(&found), [member]);
    let by_unique_id = ask(Names::UniqueIds(vec![it.folder_unique_id.clone()]), |_| {});
    assert_eq!(site.find(&by_unique_id).await, found);
    let found = site
        .find(&ask(names(), |it| it.format_codes = any(&["format"])))
        .await;
    assert_eq!(named(&found), std::slice::from_ref(&it.folder));
    assert_eq!(links(&found), []);
}

/// ITI TF-2 3.18.4.1.2.3.7.12.
pub(crate) async fn the_folders_of_a_document(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |names| StoredQuery::GetFoldersForDocument(names);
    finds(
        &site,
        ask(Names::EntryUuids(vec![it.early.clone()])),
        &[&it.folder],
    )
    .await;
    finds(
        &site,
        ask(Names::UniqueIds(vec![it.early_unique_id.clone()])),
        &[&it.folder],
    )
    .await;
    finds(&site, ask(Names::EntryUuids(vec![it.late.clone()])), &[]).await;
}

/// ITI TF-2 3.18.4.1.2.3.7.13.
pub(crate) async fn documents_that_are_related(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let ask = |of: &EntryUuid, types: &[AssociationType]| {
        StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
            of: Names::EntryUuids(vec![of.clone()]),
            association_types: types.to_vec(),
            entry_types: vec![DocumentEntryType::Stable],
        })
    };
    let transform = AssociationType::Transform;
    for of in [&it.early, &it.late] {
        let found = site.find(&ask(of, std::slice::from_ref(&transform))).await;
        assert_eq!(named(&found), [it.early.clone(), it.late.clone()]);
        let link = (transform.clone(), it.late.clone(), it.early.clone());
        assert_eq!(links(&found), [link]);
    }
    let replace = AssociationType::Replace;
    finds(
        &site,
        ask(&it.old, std::slice::from_ref(&replace)),
        &[&it.old, &it.new],
    )
    .await;
    finds(
        &site,
        ask(&it.early, &[replace, AssociationType::HasMember]),
        &[],
    )
    .await;
}

/// ITI TF-2 3.18.4.1.3.
pub(crate) async fn a_patient_whom_nobody_knows(site: Site) {
    let site = site.with_patients().await;
    let stranger = patient("P3");
    finds(&site, find_documents(&stranger), &[]).await;
    finds(&site, get_all(&stranger), &[]).await;
    let site = site.configured(|config| {
        config.queries_for_unknown_patients = hilum_registry::UnknownPatients::Refuse;
    });
    for query in [find_documents(&stranger), get_all(&stranger)] {
        let answer = site.query(&query).await;
        assert_eq!(answer.status, ResponseStatus::Failure);
        assert_eq!(answer.errors[0].code, ErrorCode::UnknownPatientId);
    }
    finds(&site, find_documents(&patient("P1")), &[]).await;
}

/// ITI TF-2 3.18.4.1.3.
pub(crate) async fn too_much_is_not_answered(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let site = site.configured(|config| config.max_results = 2);
    let all = [it.early.clone(), it.late.clone(), it.new.clone()];
    for query in [
        find_documents(&patient("P1")),
        get_all(&patient("P1")),
        get_documents(&all),
        get_associations([&it.early]),
    ] {
        let answer = site.query(&query).await;
        assert_eq!(answer.status, ResponseStatus::Failure);
        assert_eq!(answer.errors[0].code, ErrorCode::TooManyResults);
        assert_eq!(answer.objects, []);
    }
    finds(&site, get_documents(&all[..2]), &[&it.early, &it.late]).await;
}

/// Documents of two patients stay what they are when one refers to the other's.
/// ITI TF-2 3.18.4.1.2.3.7.10.
pub(crate) async fn contents_of_several_patients(site: Site) {
    let site = site.with_patients().await;
    let it = Archive::fill(&site).await;
    let mut set = empty(&patient("P1"));
    let uuid = new_uuid();
    set.submission_set.entry_uuid = uuid.clone();
    let status = SubmissionSetStatus::Reference;
    set.associations
        .push(Association::member(uuid.clone(), it.other.clone(), status));
    site.accept(&set).await;
    let query = StoredQuery::GetSubmissionSetAndContents(GetContents {
        of: Names::EntryUuids(vec![uuid.clone()]),
        filter: stable(),
    });
    assert_eq!(
        site.query(&query).await.errors[0].code,
        ErrorCode::ResultNotSinglePatient
    );
    let references = site.ask(&query, ReturnType::ObjectRef).await.objects;
    assert_eq!(references.len(), 3);
}
