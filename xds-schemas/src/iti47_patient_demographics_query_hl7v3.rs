//! ITI-47 Patient Demographics Query HL7 V3: which patients fit what is known of one.
//!
//! Sent by Patient Demographics Consumers; answered by Patient Demographics Suppliers, which a registry is
//! for the patients of its domain. The messages are those of [`find_candidates`](crate::hl7v3::find_candidates).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-47.html>

use crate::hl7v3::find_candidates::{FindCandidatesQuery, FindCandidatesResponse};
use crate::hl7v3::{AcceptAcknowledgement, QueryContinuation};
use crate::transaction::Transaction;

/// The question.
#[derive(Debug, Clone, Copy)]
pub struct PatientDemographicsQuery;

impl Transaction for PatientDemographicsQuery {
    const ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201305UV02";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201306UV02";
    const MTOM: bool = false;
    type Request = FindCandidatesQuery;
    type Response = FindCandidatesResponse;
}

/// More of an answer (3.47.4.3).
#[derive(Debug, Clone, Copy)]
pub struct Continue;

impl Transaction for Continue {
    const ACTION: &'static str = "urn:hl7-org:v3:QUQI_IN000003UV01_Continue";
    const RESPONSE_ACTION: &'static str = PatientDemographicsQuery::RESPONSE_ACTION;
    const MTOM: bool = false;
    type Request = QueryContinuation;
    type Response = FindCandidatesResponse;
}

/// No more of an answer (3.47.4.3.3).
#[derive(Debug, Clone, Copy)]
pub struct Cancel;

impl Transaction for Cancel {
    const ACTION: &'static str = "urn:hl7-org:v3:QUQI_IN000003UV01_Cancel";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
    const MTOM: bool = false;
    type Request = QueryContinuation;
    type Response = AcceptAcknowledgement;
}
