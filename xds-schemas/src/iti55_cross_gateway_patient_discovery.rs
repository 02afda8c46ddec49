//! ITI-55 Cross Gateway Patient Discovery: whether another community knows a patient, and as whom.
//!
//! Sent by Initiating Gateways; answered by Responding Gateways. The messages are those of
//! [`find_candidates`](crate::hl7v3::find_candidates).
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-55.html>

pub mod revoke;

use crate::hl7v3::AcceptAcknowledgement;
use crate::hl7v3::find_candidates::{FindCandidatesQuery, FindCandidatesResponse};
use crate::transaction::Transaction;

/// The question, whose answer is in the response.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayPatientDiscovery;

impl Transaction for CrossGatewayPatientDiscovery {
    const ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201305UV02:CrossGatewayPatientDiscovery";
    const RESPONSE_ACTION: &'static str =
        "urn:hl7-org:v3:PRPA_IN201306UV02:CrossGatewayPatientDiscovery";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = FindCandidatesQuery;
    type Response = FindCandidatesResponse;
}

/// The question, whose answer is sent later (3.55.6.2).
#[derive(Debug, Clone, Copy)]
pub struct DeferredQuestion;

impl Transaction for DeferredQuestion {
    const ACTION: &'static str =
        "urn:hl7-org:v3:PRPA_IN201305UV02:Deferred:CrossGatewayPatientDiscovery";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
    const MTOM: bool = false;
    type Request = FindCandidatesQuery;
    type Response = AcceptAcknowledgement;
}

/// An answer that is sent later.
#[derive(Debug, Clone, Copy)]
pub struct DeferredAnswer;

impl Transaction for DeferredAnswer {
    const ACTION: &'static str =
        "urn:hl7-org:v3:PRPA_IN201306UV02:Deferred:CrossGatewayPatientDiscovery";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
    const MTOM: bool = false;
    type Request = FindCandidatesResponse;
    type Response = AcceptAcknowledgement;
}
