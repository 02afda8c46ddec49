//! RAD-75 Cross Gateway Retrieve Imaging Document Set: get images from another community.
//!
//! Asked by Initiating Imaging Gateways, answered by Responding Imaging Gateways. The message is that
//! of RAD-69, in which each instance names its community.
//! <https://www.ihe.net/resources/technical_frameworks/#radiology> (RAD TF-3: 4.75)

use crate::iti43_retrieve_document_set::RetrieveDocumentSetResponse;
use crate::rad69_retrieve_imaging_document_set::RetrieveImagingDocumentSetRequest;
use crate::transaction::Transaction;

/// RAD-75.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayRetrieveImagingDocumentSet;

impl Transaction for CrossGatewayRetrieveImagingDocumentSet {
    const ACTION: &'static str = "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSet";
    const RESPONSE_ACTION: &'static str =
        "urn:ihe:rad:2011:CrossGatewayRetrieveImagingDocumentSetResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = RetrieveImagingDocumentSetRequest;
    type Response = RetrieveDocumentSetResponse;
}
