//! What each transaction promises, asked over the wire. One file for each, called as the room's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod asynchronous;
mod asynchronous_gateways;
mod errors;
mod heavy_queries;
mod home_community_ids;
mod imaging_queries;
mod iti108_access_consent;
mod iti18_registry_stored_query;
mod iti19_authenticate_node;
mod iti19_changes;
mod iti19_scanners;
mod iti20_record_audit_event;
mod iti38_cross_gateway_query;
mod iti38_translated_patients;
mod iti39_cross_gateway_retrieve;
mod iti40_provide_x_user_assertion;
mod iti41_provide_and_register_document_set;
mod iti42_register_document_set;
mod iti43_retrieve_document_set;
mod iti44_patient_identity_feed_hl7v3;
mod iti45_pixv3_query;
mod iti47_patient_demographics_query_hl7v3;
mod iti51_across_communities;
mod iti51_multi_patient_stored_query;
mod iti52_document_metadata_subscribe;
mod iti53_document_metadata_notify;
mod iti54_document_metadata_publish;
mod iti55_cross_gateway_patient_discovery;
mod iti55_deferred_response;
mod iti56_patient_location_query;
mod iti57_update_document_set;
mod iti61_register_on_demand_document_entry;
mod iti62_remove_metadata;
mod iti63_cross_gateway_fetch;
mod iti64_notify_xad_pid_link_change;
mod iti70_pull_notification;
mod iti72_incorporate_access_token;
mod iti80_cross_gateway_document_provide;
mod iti80_translated_patients;
mod iti81_retrieve_atna_audit_event;
mod iti86_remove_documents;
mod iti8_patient_identity_feed;
mod malformed;
mod malformed_mtom;
mod partners;
mod rad160_cross_community_wado_rs;
mod rad69_retrieve_imaging_document_set;
mod rad75_cross_gateway_retrieve_imaging_document_set;
mod streamed_answers;
mod wsdl;
mod xdr;
mod xdr_inbox_rules;

use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission};
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryResponse;

/// The error codes of a response.
pub(crate) fn codes(response: &RegistryResponse) -> Vec<&str> {
    response
        .errors
        .iter()
        .map(|error| error.code.as_str())
        .collect()
}

/// After whatever was done to it, the node still works, and of what was refused nothing is there:
/// the patient who was always named in it is unknown to it.
pub(crate) async fn unharmed(town: &mut Town, patient: &str) {
    assert!(town.alive());
    let everything = words::query(
        words::queries::GET_ALL,
        "ObjectRef",
        &[
            ("$patientId", &format!("'{}'", words::patient(patient))),
            (
                "$XDSDocumentEntryStatus",
                "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            ),
            (
                "$XDSSubmissionSetStatus",
                "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            ),
            (
                "$XDSFolderStatus",
                "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')",
            ),
        ],
    );
    let found = town.query(everything).await.unwrap();
    assert_eq!(found.status, ResponseStatus::Success, "{:?}", found.errors);
    assert_eq!(found.objects, [], "half a submission was registered");
    let good = Submission::new("Somebody-Else", vec![Document::text("all is well")]);
    let response = town.provide(&good).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let got = town
        .retrieve(&[&good.documents[0].unique_id])
        .await
        .unwrap();
    assert_eq!(got.documents[0].content, b"all is well");
}
