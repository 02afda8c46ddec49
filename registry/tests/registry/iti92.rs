//! ITI-92: corrections that leave alone what must not change.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::ebrim::Slot;
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, EntryUuid, HomeCommunityId, PatientId, Submission,
    SubmissionSetStatus,
};

use crate::iti18::{find_documents, get_associations};
use crate::iti57::{Stay, everything, new_version};
use crate::site::{Site, refused, succeeded};
use crate::words::{empty, folder, new_oid, new_uuid, patient};

/// The community of every site.
const HOME: &str = "urn:oid:1.2.3";

/// A restricted update as it should be.
fn correction(entry: &DocumentEntry, name: &str, previous: &str) -> Submission {
    let mut update = new_version(entry, name, previous);
    let home = Some(HomeCommunityId::from(HOME));
    update.submission_set.home_community_id.clone_from(&home);
    update.document_entries[0].home_community_id = home;
    update
}

/// Restricted metadata update 3.92.4.1.3: a new version, linked as the one before; what was in a
/// folder stays there.
pub(crate) async fn a_correction(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    // Somebody else's submission set refers to the document.
    let mut reference = empty(&p1);
    let document = stay.entry.entry_uuid.clone();
    let set = new_uuid();
    reference.submission_set.entry_uuid = set.clone();
    let by_reference = Association::member(set.clone(), document, SubmissionSetStatus::Reference);
    reference.associations.push(by_reference);
    site.accept(&reference).await;
    let newest = new_uuid();
    let update = correction(&stay.entry, newest.as_str(), "1");
    succeeded(&site.restricted_update(&update).await);
    let found = site.find(&find_documents(&p1)).await;
    assert!(found.iter().any(|it| it.id == newest.as_str()));
    let found = site.find_all(&get_associations([&newest])).await;
    let links: Vec<_> = found
        .iter()
        .map(|it| Association::from_ebrim(it).unwrap())
        .collect();
    let from = |source: &EntryUuid| links.iter().filter(|it| it.source == *source).count();
    assert_eq!(from(&stay.folder.entry_uuid), 1);
    assert_eq!(from(&set), 1);
    assert_eq!(from(&stay.addendum), 1);
    let old = site
        .find_all(&get_associations([&stay.entry.entry_uuid]))
        .await;
    for link in old.iter().map(|it| Association::from_ebrim(it).unwrap()) {
        let expected = match link.submission_set_status {
            Some(SubmissionSetStatus::Reference) => AvailabilityStatus::Deprecated,
            _ => AvailabilityStatus::Approved,
        };
        assert_eq!(link.availability_status, Some(expected), "{link:?}");
    }
}

/// What is wrong with an update, and the codes for it.
type Case = (fn(&mut Submission), &'static [ErrorCode]);

/// Restricted metadata update 3.92.4.1.3: every check and its code.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) async fn corrections_are_judged(site: Site) {
    let site = site.with_patients().await;
    let p1 = patient("P1");
    let stay = Stay::register(&site, &p1).await;
    let before = site.find_all(&everything(&p1)).await;
    let no = || Slot::single("AssociationPropagation", "no");
    let cases: [Case; 15] = [
        (
            |it| it.submission_set.home_community_id = None,
            &[ErrorCode::MissingHomeCommunityId],
        ),
        (
            |it| it.document_entries[0].home_community_id = None,
            &[ErrorCode::MissingHomeCommunityId],
        ),
        (
            |it| it.document_entries[0].home_community_id = Some("urn:oid:1.2.4".into()),
            &[ErrorCode::UnknownCommunity],
        ),
        (
            |it| it.document_entries[0].logical_id = None,
            &[ErrorCode::InvalidRequestException],
        ),
        (
            |it| it.document_entries[0].logical_id = Some(new_uuid()),
            &[ErrorCode::UnresolvedReferenceException],
        ),
        (
            |it| it.associations.clear(),
            &[ErrorCode::MetadataVersionError],
        ),
        (
            |it| it.associations[0].previous_version = None,
            &[ErrorCode::MetadataVersionError],
        ),
        (
            |it| it.associations[0].previous_version = Some("7".to_owned()),
            &[ErrorCode::MetadataVersionError],
        ),
        (
            |it| it.document_entries[0].unique_id = new_oid().as_str().into(),
            &[ErrorCode::MetadataIdentifierError],
        ),
        (
            |it| {
                it.document_entries[0].patient_id = Some(patient("P2"));
                it.submission_set.patient_id = Some(patient("P2"));
            },
            // The links that are carried over lead to the patient before.
            &[ErrorCode::PatientIdReconciliationError],
        ),
        (
            |it| it.document_entries[0].source_patient_id = Some(PatientId::new("L2", "1.2.3.7")),
            &[ErrorCode::UnmodifiableMetadataError],
        ),
        (
            |it| it.document_entries[0].repository_unique_id = Some("1.2.3.66".into()),
            &[ErrorCode::UnmodifiableMetadataError],
        ),
        (
            |it| it.document_entries[0].hash = Some("0".repeat(40)),
            &[ErrorCode::UnmodifiableMetadataError],
        ),
        (
            |it| it.document_entries[0].size = Some(9),
            &[ErrorCode::UnmodifiableMetadataError],
        ),
        (
            |it| {
                let kind = AssociationType::Append;
                let target = it.document_entries[0].logical_id.clone().unwrap();
                it.associations.push(Association::new(kind, "Next", target));
            },
            &[ErrorCode::ObjectTypeError, ErrorCode::MetadataUpdateError],
        ),
    ];
    for (number, (change, codes)) in cases.into_iter().enumerate() {
        let mut update = correction(&stay.entry, "Next", "1");
        change(&mut update);
        eprintln!("case {number}");
        let errors = refused(site.restricted_update(&update).await, codes);
        assert!(errors[0].location.is_some(), "{errors:?}");
    }
    let mut alone = correction(&stay.entry, "Next", "1");
    alone.associations[0].extra.slots.push(no());
    let code = ErrorCode::MetadataAnnotationError;
    refused(site.restricted_update(&alone).await, &[code]);
    let mut of_folder = empty(&p1);
    of_folder.submission_set.home_community_id = Some(HOME.into());
    let mut renamed = folder(&p1, "Folder");
    renamed.home_community_id = Some(HOME.into());
    renamed.logical_id = Some(stay.folder.entry_uuid.clone());
    of_folder.add_folder(renamed);
    of_folder.associations[0].previous_version = Some("1".to_owned());
    let code = ErrorCode::ObjectTypeError;
    refused(site.restricted_update(&of_folder).await, &[code]);
    assert_eq!(site.find_all(&everything(&p1)).await, before);
}
