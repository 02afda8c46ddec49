//! WS-Security 1.1: the header block in which a SAML assertion travels (ITI-40), and its faults.
//! <https://docs.oasis-open.org/wss/v1.1/wss-v1.1-spec-os-SOAPMessageSecurity.pdf>

use std::fmt;

use crate::soap::{Fault, QName};
use crate::wsn::time;
use crate::xml::{Reader, XmlError, ns};

/// Bytes that a SAML assertion may have. Real ones have four to twelve thousand.
pub const MAX_ASSERTION_BYTES: usize = 256 * 1024;

/// What the `wsse:Security` blocks of a header hold that are meant for us. Message signatures and
/// other tokens are passed over: what protects messages here is TLS (ITI-19).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Security {
    /// How many blocks there are. WS-Security allows one for each receiver.
    pub blocks: usize,
    /// SAML 2.0 assertions, each as a document of its own. Of several, only the first two are kept.
    pub assertions: Vec<String>,
    /// Whether an assertion is longer than [`MAX_ASSERTION_BYTES`], or not of this kind: encrypted,
    /// or of another version of SAML.
    pub unsupported: bool,
    /// `wsu:Expires` of the timestamp: until when the message is meant.
    pub expires: Option<String>,
}

impl Security {
    /// Reads a block that was entered, and leaves it.
    pub(crate) fn take(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        self.blocks += 1;
        while let Some(child) = reader.child()? {
            if child.is(ns::SAML, "Assertion") {
                let assertion = reader.copy(&child)?;
                if assertion.len() > MAX_ASSERTION_BYTES {
                    self.unsupported = true;
                } else if self.assertions.len() < 2 {
                    self.assertions.push(assertion);
                }
            } else if child.is(ns::WSU, "Timestamp") {
                self.take_timestamp(reader)?;
            } else {
                let is_assertion = matches!(child.name(), "Assertion" | "EncryptedAssertion");
                self.unsupported |= is_assertion;
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn take_timestamp(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(child) = reader.child()? {
            if child.is(ns::WSU, "Expires") {
                self.expires = Some(reader.token()?);
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }
}

/// Whoever has an assertion can use it, so it is not shown.
impl fmt::Debug for Security {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Security")
            .field("blocks", &self.blocks)
            .field("assertions", &self.assertions.len())
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A header block as we write it.
#[derive(Clone, Copy)]
pub struct Written<'a> {
    /// The assertion that says for whom it is asked: XML.
    pub assertion: Option<&'a str>,
    /// When the message was made and until when it is meant, in seconds since 1970.
    pub timestamp: Option<(u64, u64)>,
    /// Whoever does not understand it must not answer as if nobody in particular had asked.
    pub must_understand: bool,
}

impl Written<'_> {
    /// The block, as XML.
    pub fn block(&self) -> String {
        let assertion = self.assertion.unwrap_or_default().trim();
        let mut block = String::with_capacity(assertion.len() + 512);
        block.push_str("<wsse:Security xmlns:wsse=\"");
        block.push_str(ns::WSSE);
        block.push('"');
        if self.must_understand {
            block.push_str(" env:mustUnderstand=\"1\"");
        }
        block.push('>');
        if let Some((created, expires)) = self.timestamp {
            block.push_str("<wsu:Timestamp xmlns:wsu=\"");
            block.push_str(ns::WSU);
            block.push_str("\"><wsu:Created>");
            block.push_str(&time::written(created));
            block.push_str("</wsu:Created><wsu:Expires>");
            block.push_str(&time::written(expires));
            block.push_str("</wsu:Expires></wsu:Timestamp>");
        }
        block.push_str(assertion);
        block.push_str("</wsse:Security>");
        block
    }
}

/// Without the assertion, which whoever has it can use.
impl fmt::Debug for Written<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Written")
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

/// Why a user was not believed, in the words of WS-Security (section 12). They say nothing more, so
/// that nobody learns from them how to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityFault {
    /// A token of a kind that is not known here.
    UnsupportedSecurityToken,
    /// An algorithm that is not accepted.
    UnsupportedAlgorithm,
    /// The header block is wrong, or missing where one is needed.
    InvalidSecurity,
    /// The token is not as it should be.
    InvalidSecurityToken,
    /// The token is sound, but proves nothing here.
    FailedAuthentication,
    /// The signature is wrong.
    FailedCheck,
    /// The message came too late.
    MessageExpired,
}

impl SecurityFault {
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::UnsupportedSecurityToken => (
                "UnsupportedSecurityToken",
                "An unsupported token was provided",
            ),
            Self::UnsupportedAlgorithm => (
                "UnsupportedAlgorithm",
                "An unsupported signature or encryption algorithm was used",
            ),
            Self::InvalidSecurity => (
                "InvalidSecurity",
                "An error was discovered processing the <wsse:Security> header",
            ),
            Self::InvalidSecurityToken => (
                "InvalidSecurityToken",
                "An invalid security token was provided",
            ),
            Self::FailedAuthentication => (
                "FailedAuthentication",
                "The security token could not be authenticated or authorized",
            ),
            Self::FailedCheck => ("FailedCheck", "The signature or decryption was invalid"),
            Self::MessageExpired => ("MessageExpired", "The message has expired"),
        }
    }
}

impl From<SecurityFault> for Fault {
    fn from(fault: SecurityFault) -> Self {
        let (name, reason) = fault.words();
        let subcode = QName {
            namespace: ns::WSSE.to_owned(),
            name: name.to_owned(),
        };
        Self {
            subcodes: vec![subcode],
            ..Self::sender(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::{self, FaultCode};

    fn message(blocks: &str) -> String {
        format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}' xmlns:w='{}' xmlns:saml='{}'><s:Header>\
             <a:Action>urn:do</a:Action>{blocks}</s:Header><s:Body/></s:Envelope>",
            ns::SOAP,
            ns::WSA,
            ns::WSSE,
            ns::SAML
        )
    }

    fn security(blocks: &str) -> Security {
        let message = message(blocks);
        soap::read_header_and_security(message.as_bytes())
            .unwrap()
            .1
    }

    #[test]
    fn assertions_are_documents_of_their_own() {
        let found = security(
            "<w:Security s:mustUnderstand='1'><x xmlns='urn:x'/><saml:Assertion ID='a'>\
             <saml:Issuer>i</saml:Issuer></saml:Assertion></w:Security>",
        );
        assert_eq!((found.blocks, found.assertions.len()), (1, 1));
        let mut reader = Reader::new(found.assertions[0].as_bytes()).unwrap();
        reader.root_named(ns::SAML, "Assertion").unwrap();
        reader.skip().unwrap();
        reader.end().unwrap();
        assert!(!format!("{found:?}").contains("Issuer"));
    }

    #[test]
    fn what_is_too_much_is_seen() {
        let one = "<saml:Assertion/>";
        let found = security(&format!("<w:Security>{}</w:Security>", one.repeat(5)));
        assert_eq!(found.assertions.len(), 2);
        let found = security("<w:Security/><w:Security s:role='urn:other'/><w:Security/>");
        assert_eq!(found.blocks, 2);
        let long = "x".repeat(MAX_ASSERTION_BYTES);
        let long = format!("<w:Security><saml:Assertion>{long}</saml:Assertion></w:Security>");
        let found = security(&long);
        assert!(found.unsupported && found.assertions.is_empty());
        assert!(security("<w:Security><saml:EncryptedAssertion/></w:Security>").unsupported);
    }

    #[test]
    fn a_block_that_is_not_understood_is_named() {
        let message = message("<w:Security s:mustUnderstand='1'/>");
        let refused = soap::read_header(message.as_bytes()).unwrap_err();
        assert_eq!(refused.fault.code, FaultCode::MustUnderstand);
    }

    #[test]
    fn what_is_written_is_read() {
        let written = |timestamp, must_understand| Written {
            assertion: Some("<saml:Assertion/>\n"),
            timestamp,
            must_understand,
        };
        let block = written(None, true).block().replace("env:", "s:");
        assert!(block.contains("mustUnderstand"));
        assert_eq!(security(&block).assertions.len(), 1);
        let block = written(Some((0, 300)), false).block();
        assert!(!block.contains("mustUnderstand"));
        let read = security(&block);
        assert_eq!(read.expires.as_deref(), Some("1970-01-01T00:05:00Z"));
        assert_eq!(read.assertions.len(), 1);
        let fault = Fault::from(SecurityFault::FailedCheck);
        assert_eq!(fault.code, FaultCode::Sender);
        assert!(fault.is("FailedCheck"));
    }
}
