//! ITI-42: what is registered, and what is refused with which code.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::APPROVED;
use xds_schemas::iti18_registry_stored_query::{Names, StoredQuery};

use crate::iti18::find_documents;
use crate::site::Site;
use crate::words::{one, patient};

pub(crate) async fn a_submission_is_registered_and_found(site: Site) {
    let site = site.with_patients().await;
    let (submission, uuid) = one(&patient("P1"));
    site.accept(&submission).await;
    let found = site.find(&find_documents(&patient("P1"))).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, uuid.as_str());
    assert_eq!(found[0].lid.as_deref(), Some(uuid.as_str()));
    assert_eq!(found[0].version.as_deref(), Some("1"));
    assert_eq!(found[0].home.as_deref(), Some("urn:oid:1.2.3"));
    assert_eq!(found[0].status.as_deref(), Some(APPROVED));
    let by_name = StoredQuery::GetDocuments(Names::EntryUuids(vec![uuid]));
    assert_eq!(site.find(&by_name).await, found);
}

pub(crate) async fn an_unknown_patient_is_refused(site: Site) {
    let site = site.with_patients().await;
    let stranger = patient("P3");
    let (submission, _) = one(&stranger);
    let errors = site
        .refuse(&submission, &[ErrorCode::UnknownPatientId])
        .await;
    assert!(
        errors[0].context.contains("P3^^^&1.2.3.9&ISO"),
        "{errors:?}"
    );
    let site = site.configured(crate::site::accepting);
    site.accept(&submission).await;
    assert_eq!(site.find(&find_documents(&stranger)).await.len(), 1);
}
