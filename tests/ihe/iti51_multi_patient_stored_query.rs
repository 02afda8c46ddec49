//! ITI-51: several patients at once, or all whom something else narrows down.

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission, queries};
use xds_schemas::codes::status::ResponseStatus;

const FIND_DOCUMENTS: &str = "3d1bdb10-39a2-11de-89c2-2f44d94eaa9f";
const FIND_FOLDERS: &str = "50d3f5ac-39a2-11de-a1ca-b366239e58df";
const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";

/// ITI TF-2 3.51.4.1.2.1.1: whole documents of several patients in one answer; those of patients who
/// are not known are none.
#[tokio::test]
async fn documents_of_several_patients() {
    let town = Town::secure();
    for patient in ["P-1", "P-2", "P-3"] {
        let submission = Submission::new(patient, vec![Document::text(patient)]);
        let response = town.provide(&submission).await.unwrap();
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    }
    let patients = |ids: &[&str]| {
        let ids = ids.iter().map(|id| format!("'{}'", words::patient(id)));
        format!("({})", ids.collect::<Vec<_>>().join(","))
    };
    let find = |slots: &[(&str, &str)]| {
        let status = ("$XDSDocumentEntryStatus", APPROVED);
        let slots = [&[status], slots].concat();
        words::query(FIND_DOCUMENTS, "LeafClass", &slots)
    };
    let name = "$XDSDocumentEntryPatientId";
    let two = patients(&["P-1", "P-3", "Nobody"]);
    let found = town.query_several(find(&[(name, &two)]), 3).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(found.objects.len(), 2);
    let class = "('REPORTS^^1.3.6.1.4.1.19376.1.2.6.1')";
    let class = ("$XDSDocumentEntryClassCode", class);
    let found = town.query_several(find(&[class]), 0).await.unwrap();
    assert_eq!(found.objects.len(), 3, "{:?}", found.errors);
    let other = (
        "$XDSDocumentEntryClassCode",
        "('IMAGES^^1.3.6.1.4.1.19376.1.2.6.1')",
    );
    let found = town.query_several(find(&[other]), 0).await.unwrap();
    assert_eq!(
        (found.status, found.objects.len()),
        (ResponseStatus::Success, 0)
    );
}

/// ITI TF-2 3.51.4.1.2.1: something must narrow the query down, and the queries of ITI-18 are not
/// those of ITI-51.
#[tokio::test]
async fn what_cannot_be_asked() {
    let town = Town::plain();
    let unnarrowed = words::query(FIND_FOLDERS, "ObjectRef", &[("$XDSFolderStatus", APPROVED)]);
    let answer = town.query_several(unnarrowed, 0).await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Failure);
    assert_eq!(answer.errors[0].code.as_str(), "XDSStoredQueryMissingParam");
    let context = &answer.errors[0].context;
    assert!(
        context.contains("$XDSFolderPatientId or $XDSFolderCodeList"),
        "{context}"
    );
    let single = words::query(queries::FIND_DOCUMENTS, "ObjectRef", &[]);
    let answer = town.query_several(single, 0).await.unwrap();
    assert_eq!(answer.errors[0].code.as_str(), "XDSUnknownStoredQuery");
    let several = words::query(FIND_DOCUMENTS, "ObjectRef", &[]);
    let answer = town.query(several).await.unwrap();
    assert_eq!(answer.errors[0].code.as_str(), "XDSUnknownStoredQuery");
}
