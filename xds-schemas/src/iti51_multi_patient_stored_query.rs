//! ITI-51 Multi-Patient Stored Query: find what is registered for several patients, or for all.
//!
//! Asked by Document Consumers; answered by the Document Registry. The message is that of ITI-18
//! with queries of its own, see
//! [`StoredQuery::read_of_several_patients`](crate::iti18_registry_stored_query::StoredQuery::read_of_several_patients).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-51.html>

use crate::ebrs::{AdhocQueryRequest, AdhocQueryResponse};
use crate::transaction::Transaction;

/// ITI-51.
#[derive(Debug, Clone, Copy)]
pub struct MultiPatientStoredQuery;

impl Transaction for MultiPatientStoredQuery {
    const ACTION: &'static str = "urn:ihe:iti:2009:MultiPatientStoredQuery";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2009:MultiPatientStoredQueryResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = AdhocQueryRequest;
    type Response = AdhocQueryResponse;
}
