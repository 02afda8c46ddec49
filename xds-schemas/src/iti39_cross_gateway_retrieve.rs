//! ITI-39 Cross Gateway Retrieve: get documents from another community.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways. The message is that of ITI-43, in
//! which each document names its community.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-39.html>

use crate::iti43_retrieve_document_set::{RetrieveDocumentSetRequest, RetrieveDocumentSetResponse};
use crate::transaction::Transaction;

/// ITI-39.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayRetrieve;

impl Transaction for CrossGatewayRetrieve {
    const ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayRetrieve";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayRetrieveResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = RetrieveDocumentSetRequest;
    type Response = RetrieveDocumentSetResponse;
}
