//! ITI-18: what can be asked, and how a wrong question is answered.

use std::collections::BTreeSet;

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission, queries};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::Body;

const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";

fn find<'a>(patient: &'a str, more: &[(&'a str, &'a str)]) -> String {
    let mut slots = vec![
        ("$XDSDocumentEntryPatientId", patient),
        ("$XDSDocumentEntryStatus", APPROVED),
    ];
    slots.extend(more);
    words::query(queries::FIND_DOCUMENTS, "LeafClass", &slots)
}

#[tokio::test]
async fn a_patient_has_what_was_submitted_for_it() {
    let town = Town::secure();
    let mut sent = BTreeSet::new();
    for (patient, count) in [("P-1", 3), ("P-2", 1)] {
        let documents = (0..count).map(|number| Document::text(&format!("{patient} {number}")));
        let submission = Submission::new(patient, documents.collect());
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        if patient == "P-1" {
            sent.extend(submission.documents.into_iter().map(|it| it.unique_id));
        }
    }
    let request = words::find_documents("P-1", "LeafClass");
    let leaves = town.query(request).await.unwrap();
    let scheme = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab";
    let found = leaves.objects.iter().map(|object| {
        let id = object.external_identifier(scheme);
        id.expect("an entry has a uniqueId").to_owned()
    });
    assert_eq!(found.collect::<BTreeSet<_>>(), sent);
    let request = words::find_documents("P-1", "ObjectRef");
    let references = town.query(request).await.unwrap();
    let ids = |objects: &[xds_schemas::ebrim::RegistryObject]| {
        let ids = objects.iter().map(|object| object.id.clone());
        ids.collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(&references.objects), ids(&leaves.objects));
    let references = references.objects.iter();
    assert!(
        references
            .clone()
            .all(|object| matches!(object.body, Body::ObjectRef))
    );
    let nobody = words::find_documents("P-3", "LeafClass");
    let nothing = town.query(nobody).await.unwrap();
    assert_eq!(nothing.status, ResponseStatus::Success);
    assert_eq!(nothing.objects, []);
}

#[tokio::test]
async fn parameters_choose() {
    let town = Town::plain();
    let submission = Submission::new("O'Hara", vec![Document::text("one")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let patient = format!("'{}'", words::patient("O''Hara"));
    let loinc = "2.16.840.1.113883.6.1";
    let (yes, no) = (
        format!("('18748-4^^{loinc}','24627-2^^{loinc}')"),
        format!("('24627-2^^{loinc}')"),
    );
    let cases: [(&[(&str, &str)], usize); 10] = [
        (&[], 1),
        (&[("$XDSDocumentEntryTypeCode", &yes)], 1),
        (&[("$XDSDocumentEntryTypeCode", &no)], 0),
        (&[("$XDSDocumentEntryAuthorPerson", "('%Welby%')")], 1),
        (&[("$XDSDocumentEntryAuthorPerson", "('%Kildare%')")], 0),
        (&[("$XDSDocumentEntryCreationTimeFrom", "2024")], 1),
        (&[("$XDSDocumentEntryCreationTimeTo", "20240229101500")], 0),
        (&[("$XDSDocumentEntryCreationTimeTo", "20240229101501")], 1),
        // A time that an entry does not have does not hide it.
        (&[("$XDSDocumentEntryServiceStartTimeFrom", "2030")], 1),
        // What is not known is passed over.
        (&[("$UnheardOf", "'x'")], 1),
    ];
    for (slots, expected) in cases {
        let found = town.query(find(&patient, slots)).await.unwrap();
        assert_eq!(
            found.status,
            ResponseStatus::Success,
            "{slots:?}: {:?}",
            found.errors
        );
        assert_eq!(found.objects.len(), expected, "{slots:?}");
    }
}

/// ITI TF-2 3.18.4.1.2.3.6.1, 3.18.4.1.3.
#[tokio::test]
async fn wrong_questions_are_answered_with_their_error() {
    let town = Town::plain();
    let patient = format!("'{}'", words::patient("P-1"));
    let unknown = words::query("00000000-0000-4000-8000-000000000000", "LeafClass", &[]);
    let no_status = words::query(
        queries::FIND_DOCUMENTS,
        "LeafClass",
        &[("$XDSDocumentEntryPatientId", &patient)],
    );
    let unclear = words::query(
        queries::GET_DOCUMENTS,
        "LeafClass",
        &[
            ("$XDSDocumentEntryUniqueId", "('1.2.3')"),
            (
                "$XDSDocumentEntryEntryUUID",
                "('urn:uuid:00000000-0000-4000-8000-000000000000')",
            ),
        ],
    );
    let nothing = words::query(queries::GET_DOCUMENTS, "LeafClass", &[]);
    let cases = [
        (unknown, "XDSUnknownStoredQuery"),
        (no_status, "XDSStoredQueryMissingParam"),
        (nothing, "XDSStoredQueryMissingParam"),
        (unclear, "XDSStoredQueryParamNumber"),
    ];
    for (request, expected) in cases {
        let answer = town.query(request).await.unwrap();
        assert_eq!(answer.status, ResponseStatus::Failure, "{expected}");
        assert_eq!(
            answer.errors[0].code.as_str(),
            expected,
            "{:?}",
            answer.errors
        );
        assert!(answer.objects.is_empty());
    }
}
