//! ITI-61 Register On-Demand Document Entry: make documents known that are made when they are
//! retrieved.
//!
//! Asked by On-Demand Document Sources; answered by the Document Registry. The request is a whole
//! submission, as in ITI-42, whose document entries are all on-demand ones.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-61.html>

use crate::ebrs::{RegistryResponse, SubmitObjectsRequest};
use crate::transaction::Transaction;

/// ITI-61 Register On-Demand Document Entry.
#[derive(Debug, Clone, Copy)]
pub struct RegisterOnDemandDocumentEntry;

impl Transaction for RegisterOnDemandDocumentEntry {
    const ACTION: &'static str = "urn:ihe:iti:2010:RegisterOnDemandDocumentEntry";
    /// Not the request's with "Response" behind it: the framework leaves "Entry" out
    /// (ITI TF-2 3.61.4.2.2).
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2010:RegisterOnDemandDocumentResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = SubmitObjectsRequest;
    type Response = RegistryResponse;
}
