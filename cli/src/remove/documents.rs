//! ITI-86: the documents themselves.

use hilum_audit::{Audit, Document, Event, Parties};
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;
use xds_schemas::iti86_remove_documents::{RemoveDocuments, RemoveDocumentsRequest};

use crate::client::{self, Node};

/// Has the repository remove the documents, which are those of one patient; gives an error for each
/// that is left.
pub(super) async fn remove(
    node: &Node,
    ledger: &Audit,
    documents: Vec<DocumentRequest>,
    patient: Option<&str>,
) -> anyhow::Result<Vec<RegistryError>> {
    let url = node.repository()?;
    let request = RemoveDocumentsRequest { documents };
    let answer = node
        .client
        .send::<RemoveDocuments>(&url, &request, Vec::new())
        .await;
    let outcome = client::outcome(&answer, |response| (response.status, &response.errors[..]));
    let audited: Vec<Document> = request.documents.iter().map(audited).collect();
    let event = Event::documents_removed(&Parties::asked(&url), patient, &audited, &outcome);
    let response = ledger.record(event, answer).await?.into_inner()?.response;
    Ok(match response.status {
        ResponseStatus::Success => Vec::new(),
        _ if response.errors.is_empty() => vec![RegistryError::error(
            ErrorCode::RemoveDocumentsError,
            "the repository did not remove everything and gave no reason",
        )],
        _ => response.errors,
    })
}

fn audited(document: &DocumentRequest) -> Document {
    Document {
        unique_id: document.document_unique_id.to_string(),
        repository_unique_id: document.repository_unique_id.to_string(),
        home_community_id: document.home_community_id.as_ref().map(ToString::to_string),
    }
}
