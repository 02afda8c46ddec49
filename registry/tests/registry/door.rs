//! What is not a business answer: faults, records, WSDL.

use hilum_transport::ClientError;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{
    AdhocQueryRequest, AdhocQueryResponse, RegistryResponse, SubmitObjectsRequest,
};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti42_register_document_set::RegisterDocumentSet;
use xds_schemas::transaction::Transaction;

use crate::iti18::{find_documents, get_all};
use crate::site::Site;
use crate::words::{one, patient};

/// A transaction that nobody serves.
struct Unheard;

impl Transaction for Unheard {
    const ACTION: &'static str = "urn:example:Unheard";
    const RESPONSE_ACTION: &'static str = "urn:example:UnheardResponse";
    const MTOM: bool = false;
    type Request = SubmitObjectsRequest;
    type Response = RegistryResponse;
}

/// A query in the envelope of a submission.
struct Confused;

impl Transaction for Confused {
    const ACTION: &'static str = RegisterDocumentSet::ACTION;
    const RESPONSE_ACTION: &'static str = RegisterDocumentSet::RESPONSE_ACTION;
    const MTOM: bool = false;
    type Request = AdhocQueryRequest;
    type Response = AdhocQueryResponse;
}

pub(crate) async fn every_call_is_recorded(site: Site) {
    let site = site.with_patients().await;
    let (submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
    site.submit(&submission).await;
    site.query(&find_documents(&patient("P2"))).await;
    let unknown = AdhocQueryRequest::default();
    let sent = site
        .client
        .send::<RegistryStoredQuery>(&site.url, &unknown, Vec::new());
    let answer = sent.await.unwrap().response;
    assert_eq!(answer.errors[0].code, ErrorCode::UnknownStoredQuery);
    let nothing = SubmitObjectsRequest::default();
    let sent = site.client.send::<Unheard>(&site.url, &nothing, Vec::new());
    let Err(ClientError::Fault { fault, .. }) = sent.await else {
        panic!("a fault was expected")
    };
    assert!(fault.is("ActionNotSupported"), "{fault}");
    let sent = site
        .client
        .send::<Confused>(&site.url, &unknown, Vec::new());
    let Err(ClientError::Fault { fault, .. }) = sent.await else {
        panic!("a fault was expected")
    };
    assert!(fault.is("Sender"), "{fault}");

    let gist = |it: &hilum_audit::summary::Summary| {
        (
            it.event.clone(),
            it.transaction.clone().unwrap_or_default(),
            it.outcome.clone(),
            it.patient.clone(),
        )
    };
    let found: Vec<_> = site.audit().iter().map(gist).collect();
    let it = |event: &str, transaction: &str, outcome: &str, patient: Option<&str>| {
        (
            event.to_owned(),
            transaction.to_owned(),
            outcome.to_owned(),
            patient.map(str::to_owned),
        )
    };
    let p1 = Some("P1^^^&1.2.3.9&ISO");
    let expected = [
        it("Import", "ITI-42", "0", p1),
        it("Import", "ITI-42", "8", p1),
        it("Query", "ITI-18", "0", Some("P2^^^&1.2.3.9&ISO")),
        it("Query", "ITI-18", "8", None),
        it("Security Alert", "110132", "4", None),
        it("Security Alert", "110132", "4", None),
    ];
    assert_eq!(found, expected);
    let set = submission.submission_set.unique_id.to_string();
    assert!(site.audit()[0].objects.contains(&set));
}

pub(crate) async fn what_is_no_submission_is_refused(site: Site) {
    let site = site.with_patients().await;
    let answer = site.send(&SubmitObjectsRequest::default()).await.unwrap();
    assert_eq!(answer.status, ResponseStatus::Failure);
    assert_eq!(answer.errors[0].code, ErrorCode::RegistryMetadataError);
    assert_eq!(site.find(&get_all(&patient("P1"))).await, []);
}

pub(crate) async fn the_service_describes_itself(site: Site) {
    let (status, wsdl) = site
        .client
        .fetch(&format!("{}?wsdl", site.url))
        .await
        .unwrap();
    assert_eq!(status, 200);
    let wsdl = String::from_utf8(wsdl.to_vec()).unwrap();
    assert!(wsdl.contains(&site.url), "{wsdl}");
    let (status, _) = site.client.fetch(&site.url).await.unwrap();
    assert_eq!(status, 404);
}
