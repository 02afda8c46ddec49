//! ITI-8: patients become known and are merged, and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use hilum_registry::UnknownPatients;
use tokio::task::JoinSet;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::ReturnType;
use xds_schemas::iti18_registry_stored_query::{GetContents, Names, StoredQuery};
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, EntryUuid, Folder, SubmissionSet,
    SubmissionSetStatus,
};

use crate::iti18::{find_documents, get_all, get_associations, get_documents};
use crate::site::{Site, accepting};
use crate::words::{document, empty, folder, new_uuid, one, patient, replacement};

/// A message of this event, about patients of the affinity domain.
pub(crate) fn adt(event: &str, segments: &str) -> String {
    format!(
        "MSH|^~\\&|ADT|HOSPITAL|REG|XDS|20260101||ADT^{event}|M-1|P|2.3.1\r\
         EVN|{event}|20260101\r{segments}"
    )
}

pub(crate) fn add(id: &str) -> String {
    adt(
        "A04",
        &format!("PID|||{id}^^^&1.2.3.9&ISO||Doe^Jane\rPV1||O\r"),
    )
}

pub(crate) fn merge(subsumed: &str, survivor: &str) -> String {
    adt(
        "A40",
        &format!("PID|||{survivor}^^^&1.2.3.9&ISO||Doe^Jane\rMRG|{subsumed}^^^&1.2.3.9&ISO\r"),
    )
}

/// ITI TF-2 3.8.4.1.1: A01, A04 and A05 make patients known to submissions. Saying it again does no
/// harm.
pub(crate) async fn patients_become_known(site: Site) {
    for (event, id) in [("A01", "N1"), ("A04", "N2"), ("A05", "N3")] {
        let (submission, _) = one(&patient(id));
        site.refuse(&submission, &[ErrorCode::UnknownPatientId])
            .await;
        let message = add(id).replace("A04", event);
        site.taken(&message).await;
        site.taken(&message).await;
        site.accept(&submission).await;
    }
}

/// ITI TF-2 3.8.4.1.4: "shall store only the patient identifiers of the patient identification
/// domain designated by the XDS Affinity Domain".
pub(crate) async fn identifiers_of_other_domains_are_ignored(site: Site) {
    let ids = "L1^^^HOSPITAL~N1^4^M10^&1.2.3.9&ISO^PI~L2^^^&1.2.3.7&ISO";
    site.taken(&adt("A01", &format!("PID|||{ids}||Doe\rPV1||I\r")))
        .await;
    site.accept(&one(&patient("N1")).0).await;
    for id in ["L1", "L2"] {
        let (submission, _) = one(&patient(id));
        site.refuse(&submission, &[ErrorCode::UnknownPatientId])
            .await;
    }
    let foreign = adt("A04", "PID|||L2^^^&1.2.3.7&ISO||Doe\rPV1||O\r");
    site.not_taken(&foreign, "AE", "&1.2.3.9&ISO").await;
    // The namespace alone is filled up from the configuration, if that has it.
    let named = adt("A04", "PID|||N2^^^NATIONAL||Doe\rPV1||O\r");
    site.not_taken(&named, "AE", "&1.2.3.9&ISO").await;
    let site = site.configured(|config| {
        config.feed.domain.as_mut().unwrap().namespace = Some("NATIONAL".to_owned());
    });
    site.taken(&named).await;
    site.accept(&one(&patient("N2")).0).await;
}

/// ITI TF-2 3.8.4.1.4: "A08 – Update Patient Information, if received shall be ignored."
pub(crate) async fn updates_are_ignored(site: Site) {
    site.taken(&add("N1").replace("A04", "A08")).await;
    let (submission, _) = one(&patient("N1"));
    site.refuse(&submission, &[ErrorCode::UnknownPatientId])
        .await;
}

/// ITI TF-2 C.2.3: what is wrong with MSH is rejected, everything else is an error.
pub(crate) async fn what_cannot_be_taken_is_told(site: Site) {
    let site = site.configured(|config| {
        config.feed.application = Some("REG".to_owned());
        config.feed.facility = Some("XDS".to_owned());
    });
    for (from, to, code, said) in [
        ("ADT^A04", "ORU^R01", "AR", "MSH-9.1"),
        ("ADT^A04", "ADT^A31", "AR", "MSH-9.2"),
        ("|2.3.1", "|2.1", "AR", "MSH-12"),
        ("|M-1", "|", "AR", "MSH-10"),
        ("|REG|", "|OTHER|", "AR", "MSH-5"),
        ("|XDS|", "|OTHER|", "AR", "MSH-6"),
        ("\rEVN|", "\rZVN|", "AE", "EVN"),
        ("\rPID|", "\rZID|", "AE", "PID"),
        ("\rPV1|", "\rZV1|", "AE", "PV1"),
        ("N1^^^", "^^^", "AE", "PID-3"),
        ("MSH|", "MSH;", "AR", "delimiters"),
        ("\rPID", "\rno segment", "AR", "segment"),
    ] {
        let message = add("N1").replacen(from, to, 1);
        site.not_taken(&message, code, said).await;
    }
    let answer = site.tell(&add("N1").replace("\rPV1", "\rZV1")).await;
    assert_eq!(answer.control_id, "M-1");
    assert!(
        !answer.reasons.concat().contains("Doe"),
        "{:?}",
        answer.reasons
    );
    site.refuse(&one(&patient("N1")).0, &[ErrorCode::UnknownPatientId])
        .await;
    site.taken(&add("N1")).await;
}

/// ITI TF-2 3.8.4.2.4: "Messages containing these conditions shall not update the state of the
/// Document Registry."
pub(crate) async fn merges_that_must_be_refused(site: Site) {
    let site = site.with_patients().await;
    let (first, document) = one(&patient("P1"));
    site.accept(&first).await;
    site.taken(&add("P3")).await;
    site.taken(&merge("P3", "P2")).await;
    let foreign = |segment: &str| {
        let from = format!("{segment}^^^&1.2.3.9&ISO");
        merge("P1", "P2").replace(&from, &format!("{segment}^^^&1.2.3.7&ISO"))
    };
    for (message, said) in [
        (foreign("P1"), "MRG-1"),
        (foreign("P2"), "PID-3"),
        (merge("P1", "P1"), "the same"),
        (
            merge("P3", "P1"),
            "subsumed patient identifier was subsumed",
        ),
        (
            merge("P1", "P3"),
            "surviving patient identifier was subsumed",
        ),
        (
            merge("P9", "P1"),
            "subsumed patient identifier is not known",
        ),
        (
            merge("P1", "P9"),
            "surviving patient identifier is not known",
        ),
    ] {
        site.not_taken(&message, "AE", said).await;
    }
    assert_eq!(site.find(&find_documents(&patient("P1"))).await.len(), 1);
    assert_eq!(site.find(&find_documents(&patient("P2"))).await, []);
    assert_eq!(site.find(&get_documents([&document])).await.len(), 1);
    // An identifier that was subsumed does not come back.
    site.not_taken(&add("P3"), "AE", "was subsumed").await;
}

/// The patients that document entries, folders and submission sets are shown with.
fn patients_of(objects: &[RegistryObject]) -> Vec<String> {
    let mut patients: Vec<String> = objects
        .iter()
        .filter_map(|object| {
            let of_document = DocumentEntry::from_ebrim(object)
                .ok()
                .and_then(|it| it.patient_id);
            let of_folder = || Folder::from_ebrim(object).ok().and_then(|it| it.patient_id);
            let of_set = || {
                SubmissionSet::from_ebrim(object)
                    .ok()
                    .and_then(|it| it.patient_id)
            };
            let patient = of_document.or_else(of_folder).or_else(of_set)?;
            Some(patient.id)
        })
        .collect();
    patients.sort_unstable();
    patients.dedup();
    patients
}

/// ITI TF-2 3.8.4.2.4 and 3.18.4.1.2.3.9: a query for the survivor finds both, all of it shown as
/// the survivor's; a query for the subsumed finds nothing, and a submission for it is refused with
/// XDSUnknownPatientId. sourcePatientId stays what it was.
pub(crate) async fn a_merge_shows_in_queries_and_submissions(site: Site) {
    let site = site.with_patients().await;
    let (old, new) = (patient("P2"), patient("P1"));
    let mut first = empty(&old);
    let uuid = new_uuid();
    first.add_document(document(&old, uuid.as_str()));
    let holder = new_uuid();
    first.add_folder(folder(&old, holder.as_str()));
    first.put_into_folder(holder.clone(), uuid.clone());
    site.accept(&first).await;
    let (second, other) = one(&new);
    site.accept(&second).await;
    site.taken(&merge("P2", "P1")).await;

    let found = site.find(&get_all(&new)).await;
    let documents = found
        .iter()
        .filter(|it| matches!(it.body, Body::ExtrinsicObject { .. }));
    assert_eq!(documents.count(), 2);
    assert_eq!(patients_of(&found), ["P1"]);
    let found = site.find(&find_documents(&new)).await;
    assert_eq!(found.len(), 2);
    for object in &found {
        let entry = DocumentEntry::from_ebrim(object).unwrap();
        assert_eq!(entry.source_patient_id.unwrap().id, "L1");
    }
    // By name, too, and both in one answer, because they are of one patient now.
    let found = site.find(&get_documents([&uuid, &other])).await;
    assert_eq!(
        (found.len(), patients_of(&found)),
        (2, vec!["P1".to_owned()])
    );
    let contents = StoredQuery::GetFolderAndContents(GetContents {
        of: Names::EntryUuids(vec![holder]),
        filter: xds_schemas::iti18_registry_stored_query::ContentFilter::default(),
    });
    assert_eq!(patients_of(&site.find(&contents).await), ["P1"]);
    // The subsumed identifier is not used any more.
    assert_eq!(site.find(&get_all(&old)).await, []);
    let (late, _) = one(&old);
    let errors = site.refuse(&late, &[ErrorCode::UnknownPatientId]).await;
    assert!(errors[0].context.contains(&old.to_string()), "{errors:?}");
}

/// ITI TF-2 3.8.4.2.4: "Multiple merge transactions can form a recorded merge chain".
pub(crate) async fn merges_follow_each_other(site: Site) {
    let site = site.with_patients().await;
    for id in ["P3", "P4"] {
        site.taken(&add(id)).await;
    }
    for id in ["P1", "P2", "P3", "P4"] {
        site.accept(&one(&patient(id)).0).await;
    }
    site.taken(&merge("P1", "P2")).await;
    site.taken(&merge("P2", "P3")).await;
    site.taken(&merge("P4", "P3")).await;
    let found = site.find(&find_documents(&patient("P3"))).await;
    assert_eq!(
        (found.len(), patients_of(&found)),
        (4, vec!["P3".to_owned()])
    );
    for id in ["P1", "P2", "P4"] {
        assert_eq!(site.find(&find_documents(&patient(id))).await, []);
        site.refuse(&one(&patient(id)).0, &[ErrorCode::UnknownPatientId])
            .await;
    }
    site.not_taken(&merge("P3", "P1"), "AE", "was subsumed")
        .await;
    // Everything is as it was when the registry is opened again.
    let site = site.configured(|_| {});
    assert_eq!(site.find(&find_documents(&patient("P3"))).await.len(), 4);
}

/// A chain that nobody would find the end of does not come about.
pub(crate) async fn chains_of_merges_have_an_end(site: Site) {
    let id = |at: usize| format!("C{at}");
    for at in 0..=65 {
        site.taken(&add(&id(at))).await;
    }
    site.accept(&one(&patient("C0")).0).await;
    for at in 0..64 {
        site.taken(&merge(&id(at), &id(at + 1))).await;
    }
    site.not_taken(&merge("C64", "C65"), "AE", "merges would follow")
        .await;
    let found = site.find(&find_documents(&patient("C64"))).await;
    assert_eq!(patients_of(&found), ["C64"]);
}

/// ITI TF-2 3.42.4.1.3.3.2: patients are compared "taking merges into account": documents of the
/// subsumed are replaced, and put into folders, for the survivor.
pub(crate) async fn relationships_and_folders_cross_merges(site: Site) {
    let site = site.with_patients().await;
    let (old, new) = (patient("P2"), patient("P1"));
    let (first, replaced) = one(&old);
    site.accept(&first).await;
    let mut second = empty(&old);
    let holder = new_uuid();
    second.add_folder(folder(&old, holder.as_str()));
    second.put_into_folder(holder.clone(), replaced.clone());
    site.accept(&second).await;
    let across = replacement(&new, &replaced);
    site.refuse(&across, &[ErrorCode::PatientIdDoesNotMatch])
        .await;
    site.taken(&merge("P2", "P1")).await;
    site.accept(&across).await;
    let found = site.find(&find_documents(&new)).await;
    assert_eq!(
        (found.len(), patients_of(&found)),
        (1, vec!["P1".to_owned()])
    );
    assert_ne!(found[0].id, replaced.as_str());
    let by_uuid = site.find(&get_documents([&replaced])).await;
    assert_eq!(
        by_uuid[0].status,
        Some(AvailabilityStatus::Deprecated.as_str().to_owned())
    );
    // The replacement took the place in the folder, which was the other patient's.
    let of_folder = site.find(&get_associations([&holder])).await;
    let holds = |uuid: &str| {
        of_folder
            .iter()
            .any(|it| matches!(&it.body, Body::Association { target, .. } if target == uuid))
    };
    assert!(holds(&found[0].id) && holds(replaced.as_str()));
    let (mut third, added) = one(&new);
    third.put_into_folder(holder.clone(), added.clone());
    site.accept(&third).await;
    let folders = StoredQuery::GetFoldersForDocument(Names::EntryUuids(vec![added.clone()]));
    let folders = site.find(&folders).await;
    assert_eq!(
        (folders.len(), patients_of(&folders)),
        (1, vec!["P1".to_owned()])
    );
    let (mut fourth, addendum) = one(&new);
    fourth.relate(
        addendum,
        AssociationType::Append,
        EntryUuid::from(&*found[0].id),
    );
    site.accept(&fourth).await;
}

/// ITI TF-2 3.18.4.1.2.3.9 leaves it to the affinity domain: nothing, or XDSUnknownPatientId.
pub(crate) async fn subsumed_patients_in_queries_may_be_refused(site: Site) {
    let site = site.with_patients().await;
    site.taken(&merge("P2", "P1")).await;
    let site = site.configured(|config| {
        config.queries_for_unknown_patients = UnknownPatients::Refuse;
    });
    for wanted in [ReturnType::LeafClass, ReturnType::ObjectRef] {
        for id in ["P2", "P9"] {
            let answer = site
                .ask(&find_documents(&patient(id)), wanted.clone())
                .await;
            assert_eq!(answer.status, ResponseStatus::Failure);
            assert_eq!(answer.errors[0].code, ErrorCode::UnknownPatientId);
        }
    }
    assert_eq!(site.find(&find_documents(&patient("P1"))).await, []);
}

/// Where every patient is taken, everybody counts as known: what is submitted later for the subsumed
/// one is refused, and does not make it known again.
pub(crate) async fn a_domain_that_takes_every_patient_merges_them_too(site: Site) {
    let site = site.configured(accepting);
    site.accept(&one(&patient("N1")).0).await;
    site.taken(&merge("N1", "N2")).await;
    assert_eq!(site.find(&find_documents(&patient("N2"))).await.len(), 1);
    site.refuse(&one(&patient("N1")).0, &[ErrorCode::UnknownPatientId])
        .await;
    site.taken(&merge("N3", "N2")).await;
    site.refuse(&one(&patient("N3")).0, &[ErrorCode::UnknownPatientId])
        .await;
}

/// ITI TF-2 3.8.5.1.2, 3.8.5.2.2: one record for each patient, of a merge two; what cannot be taken
/// for a message about patients is an alert.
pub(crate) async fn everything_is_recorded(site: Site) {
    let site = site.with_patients().await;
    site.taken(&add("N1")).await;
    site.taken(&add("N1").replace("A04", "A08")).await;
    site.taken(&add("L").replace("A04", "A08").replace("1.2.3.9", "1.2.3.7"))
        .await;
    site.taken(&merge("P2", "P1")).await;
    site.not_taken(&merge("P2", "P1"), "AE", "subsumed").await;
    site.not_taken(&add("N1").replace("A04", "A99"), "AR", "MSH-9.2")
        .await;
    let audit = site.audit();
    let told: Vec<_> = audit
        .iter()
        .map(|it| {
            let transaction = it.transaction.as_deref().unwrap_or_default();
            (
                &*it.event,
                transaction,
                &*it.action,
                &*it.outcome,
                it.patient.as_deref(),
            )
        })
        .collect();
    let record = "Patient Record";
    let (n1, p1, p2) = (
        Some("N1^^^&1.2.3.9&ISO"),
        Some("P1^^^&1.2.3.9&ISO"),
        Some("P2^^^&1.2.3.9&ISO"),
    );
    let expected = [
        (record, "ITI-8", "C", "0", n1),
        (record, "ITI-8", "U", "0", n1),
        (record, "ITI-8", "U", "0", Some("none")),
        (record, "ITI-8", "D", "0", p2),
        (record, "ITI-8", "U", "0", p1),
        (record, "ITI-8", "D", "8", p2),
        (record, "ITI-8", "U", "8", p1),
        ("Security Alert", "110132", "E", "4", None),
    ];
    assert_eq!(told, expected);
}

/// A submission for the subsumed patient comes before the merge, or is refused: none is accepted and
/// then lost, and none is accepted after the merge was acknowledged.
pub(crate) async fn merges_meet_submissions(site: Site) {
    let site = Arc::new(site.with_patients().await);
    for id in ["P3", "P4", "P5"] {
        site.taken(&add(id)).await;
    }
    let (in_folder, shared) = one(&patient("P1"));
    site.accept(&in_folder).await;
    let mut submissions = JoinSet::new();
    for at in 0..60 {
        let (site, shared) = (Arc::clone(&site), shared.clone());
        submissions.spawn(async move {
            let (mut submission, uuid) = one(&patient(["P2", "P3", "P4", "P5"][at % 4]));
            if at % 3 == 0 {
                // Another patient's object is held while this is registered.
                let reference = Association::member("Set", shared, SubmissionSetStatus::Reference);
                submission.associations.push(reference);
            }
            (site.submit(&submission).await, uuid)
        });
    }
    let mut merges = JoinSet::new();
    for (subsumed, survivor) in [("P2", "P1"), ("P3", "P1"), ("P4", "P5")] {
        let site = Arc::clone(&site);
        merges.spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            site.taken(&merge(subsumed, survivor)).await;
            let (late, _) = one(&patient(subsumed));
            site.refuse(&late, &[ErrorCode::UnknownPatientId]).await;
        });
    }
    let mut accepted = vec![shared];
    for (response, uuid) in submissions.join_all().await {
        match response.status {
            ResponseStatus::Success => accepted.push(uuid),
            _ => assert_eq!(response.errors[0].code, ErrorCode::UnknownPatientId),
        }
    }
    merges.join_all().await;
    site.taken(&merge("P5", "P1")).await;
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert_eq!(patients_of(&found), ["P1"]);
    let mut found: Vec<EntryUuid> = found.iter().map(|it| EntryUuid::from(&*it.id)).collect();
    found.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    accepted.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    assert_eq!(found, accepted);
}

/// Of two merges that contradict each other, one is taken.
pub(crate) async fn merges_meet_each_other(site: Site) {
    let site = Arc::new(site);
    for at in 0..8 {
        let (one, other) = (format!("A{at}"), format!("B{at}"));
        site.taken(&add(&one)).await;
        site.taken(&add(&other)).await;
        let mut both = JoinSet::new();
        for message in [merge(&one, &other), merge(&other, &one)] {
            let site = Arc::clone(&site);
            both.spawn(async move { site.tell(&message).await.code });
        }
        let mut codes = both.join_all().await;
        codes.sort_unstable();
        assert_eq!(codes, ["AA", "AE"]);
    }
}
