//! ITI-64: documents of a local patient move to another patient of the affinity domain.

use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::RegistryObject;
use xds_schemas::iti18_registry_stored_query::{
    AnyOf, ContentFilter, FindSubmissionSets, GetContents, Names, Pattern, StoredQuery,
};
use xds_schemas::metadata::timestamp::TimeRange;
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, EntryUuid, PatientId, Submission, SubmissionSet,
    SubmissionSetStatus,
};

use crate::iti8::{add, merge};
use crate::iti18::{find_documents, get_all, get_associations};
use crate::site::Site;
use crate::words::{document, empty, folder, new_uuid, one, patient, replacement};

/// What documents in these tests say of their source: L1.
const LOCAL: &str = "L1^^^&1.2.3.7&ISO";

/// The local patient `local` is `new` and not `previous`.
fn change(local: &str, new: &str, previous: &str) -> String {
    let of = |id: &str| format!("{id}^^^&1.2.3.9&ISO");
    format!(
        "MSH|^~\\&|^1.2.3.44^ISO|PIX|REG|XDS|20260101||ADT^A43^ADT_A43|M-43|P|2.5\r\
         EVN||20260101\rPID|||{}~{local}|| \rMRG|{}\r",
        of(new),
        of(previous)
    )
}

/// The same with another local patient merged into it.
fn change_and_merge(local: &str, new: &str, previous: &str, subsumed: &str) -> String {
    let message = change(local, new, previous);
    format!("{}~{subsumed}\r", message.trim_end_matches('\r'))
}

/// A document of another local patient.
fn foreign(of: &PatientId, name: &str) -> DocumentEntry {
    DocumentEntry {
        source_patient_id: Some(PatientId::new("L9", "1.2.3.7")),
        ..document(of, name)
    }
}

async fn entries(site: &Site, of: &str) -> Vec<DocumentEntry> {
    let found = site.find(&find_documents(&patient(of))).await;
    let entries = found
        .iter()
        .map(|it| DocumentEntry::from_ebrim(it).unwrap());
    entries.collect()
}

async fn unique_ids(site: &Site, of: &str) -> Vec<String> {
    let entries = entries(site, of).await;
    let mut ids: Vec<String> = entries.iter().map(|it| it.unique_id.to_string()).collect();
    ids.sort_unstable();
    ids
}

/// A document and an addendum to it, both in a folder.
async fn file_of(site: &Site, of: &PatientId) -> (Submission, EntryUuid) {
    let mut submission = empty(of);
    let [first, second, holder] = [(); 3].map(|()| new_uuid());
    submission.add_document(document(of, first.as_str()));
    submission.add_document(document(of, second.as_str()));
    submission.relate(second.clone(), AssociationType::Append, first.clone());
    submission.add_folder(folder(of, holder.as_str()));
    submission.put_into_folder(holder.clone(), first);
    submission.put_into_folder(holder.clone(), second);
    site.accept(&submission).await;
    (submission, holder)
}

fn of_kind(found: &[RegistryObject], how: AssociationType) -> usize {
    let associations = found
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok());
    associations.filter(|it| it.association_type == how).count()
}

/// ITI TF-2 3.64.4.1.3 and 3.64.4.1.3.1.4 to .7: documents, their relationship and the folder that
/// holds nothing else are found for the new patient and no more for the previous one; the versions
/// count on; the submission set is that of Table 3.64.4.1.3.1.1-1. Another change takes it back.
pub(crate) async fn documents_follow_their_local_patient(site: Site) {
    let site = site.with_patients().await;
    let (file, _) = file_of(&site, &patient("P1")).await;
    let mut stays = empty(&patient("P1"));
    stays.add_document(foreign(&patient("P1"), new_uuid().as_str()));
    site.accept(&stays).await;
    let moved: Vec<String> = {
        let documents = file.document_entries.iter();
        let mut ids: Vec<String> = documents.map(|it| it.unique_id.to_string()).collect();
        ids.sort_unstable();
        ids
    };
    for (new, previous, version) in [("P2", "P1", "2"), ("P1", "P2", "3")] {
        site.taken(&change(LOCAL, new, previous)).await;
        let of_new = entries(&site, new).await;
        let ids = unique_ids(&site, new).await;
        assert!(moved.iter().all(|id| ids.contains(id)), "{new}");
        let of_previous = unique_ids(&site, previous).await;
        assert!(
            moved.iter().all(|id| !of_previous.contains(id)),
            "{previous}"
        );
        for entry in of_new
            .iter()
            .filter(|it| moved.contains(&it.unique_id.to_string()))
        {
            assert_eq!(entry.version.as_deref(), Some(version));
            assert_eq!(entry.patient_id, Some(patient(new)));
            assert_eq!(entry.source_patient_id.as_ref().unwrap().id, "L1");
            let logical_id = entry.logical_id.clone().unwrap();
            assert!(
                file.document_entries
                    .iter()
                    .any(|it| it.entry_uuid == logical_id)
            );
        }
        // The folder, with both documents in it, and the addendum to one of them.
        let folders = StoredQuery::GetFolderAndContents(GetContents {
            of: Names::UniqueIds(vec![file.folders[0].unique_id.clone()]),
            filter: ContentFilter::default(),
        });
        let held = site.find(&folders).await;
        assert_eq!(of_kind(&held, AssociationType::HasMember), 2, "{held:?}");
        let uuids: Vec<EntryUuid> = of_new.iter().map(|it| it.entry_uuid.clone()).collect();
        let links = site.find(&get_associations(&uuids)).await;
        assert_eq!(of_kind(&links, AssociationType::Append), 1);
        let sets = StoredQuery::FindSubmissionSets(FindSubmissionSets {
            patient: patient(new),
            statuses: vec![AvailabilityStatus::Approved],
            source_ids: AnyOf(vec![Pattern::exact("1.2.3.44")]),
            submission_time: TimeRange::default(),
            author_person: AnyOf::default(),
            content_type_codes: AnyOf::default(),
        });
        let sets = site.find(&sets).await;
        let set = SubmissionSet::from_ebrim(sets.last().unwrap()).unwrap();
        assert_eq!(set.content_type_code.unwrap().code, "ITI-64");
        assert!(set.authors.is_empty() && set.intended_recipients.is_empty());
    }
    assert_eq!(unique_ids(&site, "P1").await.len(), 3);
    assert_eq!(unique_ids(&site, "P2").await.len(), 0);
}

/// 3.64.4.1.3.2, the second approach: nothing changes if that would part what is linked.
pub(crate) async fn what_stays_behind_holds_up_what_is_linked_with_it(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (_, holder) = file_of(&site, &p1).await;
    let mut more = empty(&p1);
    let other = new_uuid();
    more.add_document(foreign(&p1, other.as_str()));
    more.put_into_folder(holder, other.clone());
    site.accept(&more).await;
    let before = site.find(&get_all(&p1)).await;
    site.not_taken(&change(LOCAL, "P2", "P1"), "AE", "of different patients")
        .await;
    assert_eq!(site.find(&get_all(&p1)).await, before);
    assert_eq!(unique_ids(&site, "P2").await.len(), 0);
    // A relationship holds it up, too.
    let addendum = new_uuid();
    site.taken(&add("P3")).await;
    let (alone, uuid) = one(&patient("P3"));
    site.accept(&alone).await;
    let mut related = empty(&patient("P3"));
    related.add_document(foreign(&patient("P3"), addendum.as_str()));
    related.relate(addendum, AssociationType::Append, uuid);
    site.accept(&related).await;
    site.not_taken(&change(LOCAL, "P2", "P3"), "AE", "of different patients")
        .await;
    assert_eq!(unique_ids(&site, "P3").await.len(), 2);
}

/// 3.64.4.1.2.4: when only a local merge is told, the patient stays and `sourcePatientId` changes;
/// both may come at once.
pub(crate) async fn local_patients_are_merged(site: Site) {
    let site = site.with_patients().await;
    file_of(&site, &patient("P1")).await;
    let source = |entries: &[DocumentEntry]| -> Vec<String> {
        let ids = entries
            .iter()
            .map(|it| it.source_patient_id.clone().unwrap().id);
        ids.collect()
    };
    let message = change_and_merge("L5^^^&1.2.3.7&ISO", "P1", "P1", LOCAL);
    site.taken(&message).await;
    assert_eq!(source(&entries(&site, "P1").await), ["L5", "L5"]);
    let message = change_and_merge("L6^^^&1.2.3.7&ISO", "P2", "P1", "L5^^^&1.2.3.7&ISO");
    site.taken(&message).await;
    assert_eq!(source(&entries(&site, "P2").await), ["L6", "L6"]);
    assert_eq!(entries(&site, "P1").await, []);
}

/// 3.64.4.1.3.1.4 (5): who referred to the document refers to the new version; 3.64.4.1.3.1.5: what
/// was replaced stays behind.
pub(crate) async fn references_and_replacements_are_followed(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let (first, old) = one(&p1);
    site.accept(&first).await;
    let second = replacement(&p1, &old);
    site.accept(&second).await;
    let current = entries(&site, "P1").await[0].entry_uuid.clone();
    site.taken(&add("P3")).await;
    let mut by_reference = empty(&patient("P3"));
    let reference = Association::member("Set", current.clone(), SubmissionSetStatus::Reference);
    by_reference.associations.push(reference);
    site.accept(&by_reference).await;
    site.taken(&change(LOCAL, "P2", "P1")).await;
    let moved = entries(&site, "P2").await[0].entry_uuid.clone();
    let links = site.find(&get_associations([&moved])).await;
    let references = links
        .iter()
        .filter_map(|it| Association::from_ebrim(it).ok());
    let references =
        references.filter(|it| it.submission_set_status == Some(SubmissionSetStatus::Reference));
    assert_eq!(references.count(), 1);
    assert_eq!(of_kind(&links, AssociationType::Replace), 0);
}

/// Both patients must be known, and neither subsumed. What is of a patient who was merged into the
/// previous one is of the previous one.
pub(crate) async fn changes_of_merged_and_unknown_patients(site: Site) {
    let site = site.with_patients().await;
    for id in ["P3", "P4"] {
        site.taken(&add(id)).await;
    }
    site.accept(&one(&patient("P3")).0).await;
    site.taken(&merge("P3", "P1")).await;
    for (new, previous, said) in [
        ("P9", "P1", "new XAD-PID is not known"),
        ("P2", "P9", "previous XAD-PID is not known"),
        ("P3", "P1", "new XAD-PID was subsumed"),
        ("P2", "P3", "previous XAD-PID was subsumed"),
    ] {
        site.not_taken(&change(LOCAL, new, previous), "AE", said)
            .await;
    }
    site.taken(&change(LOCAL, "P2", "P1")).await;
    assert_eq!(entries(&site, "P2").await.len(), 1);
    assert_eq!(entries(&site, "P1").await, []);
    // Nothing is linked with this one, so nothing changes.
    site.taken(&change("L77^^^&1.2.3.7&ISO", "P4", "P2")).await;
    assert_eq!(entries(&site, "P4").await, []);
}

/// 3.64.5.1.2: "The Document Registry shall record one audit event".
pub(crate) async fn one_record_names_everybody(site: Site) {
    let site = site.with_patients().await;
    site.taken(&change(LOCAL, "P2", "P1")).await;
    site.not_taken(&change(LOCAL, "P9", "P1"), "AE", "not known")
        .await;
    let audit = site.audit();
    let told: Vec<_> = audit
        .iter()
        .map(|it| {
            (
                &*it.event,
                it.transaction.as_deref(),
                &*it.action,
                &*it.outcome,
            )
        })
        .collect();
    let expected = |outcome| ("Patient Record", Some("ITI-64"), "U", outcome);
    assert_eq!(told, [expected("0"), expected("8")]);
    // The summary shows the last one it names.
    assert_eq!(audit[0].patient.as_deref(), Some("P1^^^&1.2.3.9&ISO"));
}
