//! What makes a transaction: what is asked, what is answered, and the SOAP actions that name them.

use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError};

/// One IHE transaction over SOAP 1.2 (ITI TF-2 Appendix V).
pub trait Transaction {
    /// `wsa:Action` of the request.
    const ACTION: &'static str;
    /// `wsa:Action` of the response.
    const RESPONSE_ACTION: &'static str;
    /// Whether requests and responses travel as MTOM/XOP, even when nothing is optimised.
    const MTOM: bool;
    /// Whether the answer may be wanted at another address, over a connection of its own. If the
    /// framework says nothing of it, only synchronous exchange is expected (ITI TF-2 V.5.3).
    const ASYNCHRONOUS: bool = false;
    /// Whether the `Content-Type` of the response names its action, as that of every request does.
    const RESPONSE_NAMES_ACTION: bool = false;
    /// The child of the request's SOAP body.
    type Request: FromXml + ToXml;
    /// The child of the response's SOAP body.
    type Response: FromXml + ToXml;
}

/// The response of a one-way transaction: there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Nothing;

impl FromXml for Nothing {
    fn from_xml(reader: &mut Reader<'_>, _element: &Element<'_>) -> Result<Self, XmlError> {
        reader.skip()?;
        Ok(Self)
    }
}

impl ToXml for Nothing {
    fn to_xml(&self, _writer: &mut Writer) {}
}
