//! What makes a transaction: what is asked, what is answered, and the SOAP actions that name them.

use crate::xml::{FromXml, ToXml};

/// One IHE transaction over SOAP 1.2 (ITI TF-2 Appendix V).
pub trait Transaction {
    /// `wsa:Action` of the request.
    const ACTION: &'static str;
    /// `wsa:Action` of the response.
    const RESPONSE_ACTION: &'static str;
    /// Whether requests and responses travel as MTOM/XOP, even when nothing is optimised.
    const MTOM: bool;
    /// Whether the `Content-Type` of the response names its action, as that of every request does.
    const RESPONSE_NAMES_ACTION: bool = false;
    /// The child of the request's SOAP body.
    type Request: FromXml + ToXml;
    /// The child of the response's SOAP body.
    type Response: FromXml + ToXml;
}
