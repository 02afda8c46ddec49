//! How a peer wants to be spoken to that does not speak as the framework says.

use http::HeaderValue;
use xds_schemas::soap::{self, Header, Written};
use xds_schemas::wsse;
use xds_schemas::xml::ToXml;

/// Seconds for which a timestamp of WS-Security is valid: what most servers allow at most.
pub const TIMESTAMP_SECONDS: u64 = 300;

/// How a peer wants to be spoken to. The default is what the framework says (ITI TF-2 Appendix V).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Manner {
    /// Nothing is packed as MTOM: what is attached stands in the envelope in base64.
    pub inline: bool,
    /// Where the action stands.
    pub action: ActionIn,
    /// No header block says `mustUnderstand`.
    pub may_ignore: bool,
    /// The header of WS-Security has a timestamp, valid for [`TIMESTAMP_SECONDS`].
    pub timestamp: bool,
}

/// Where the action of a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActionIn {
    /// In `wsa:Action` and in the `action` of the Content-Type.
    #[default]
    Both,
    /// In `wsa:Action` only.
    Addressing,
    /// In the `action` of the Content-Type and in `SOAPAction`: there is no WS-Addressing, and there
    /// need be none in answers.
    Http,
}

impl Manner {
    /// The envelope of a request. `assertion` says for whom it is; `now` is in seconds since 1970.
    pub(super) fn envelope(
        self,
        mut header: Header,
        assertion: Option<&str>,
        now: u64,
        body: &dyn ToXml,
    ) -> String {
        if assertion.is_some() || self.timestamp {
            let security = wsse::Written {
                assertion,
                timestamp: self.timestamp.then_some((now, now + TIMESTAMP_SECONDS)),
                must_understand: !self.may_ignore,
            };
            header.parameters.push_str(&security.block());
        }
        let how = Written {
            addressing: self.action != ActionIn::Http,
            must_understand: !self.may_ignore,
        };
        soap::write_as(how, &header, body)
    }

    /// The action for the Content-Type.
    pub(super) fn in_content_type(self, action: &str) -> Option<&str> {
        (self.action != ActionIn::Addressing).then_some(action)
    }

    /// `SOAPAction`, which SOAP 1.1 had in place of a parameter of the Content-Type.
    pub(super) fn soap_action(self, action: &str) -> Option<HeaderValue> {
        let quoted = || HeaderValue::from_str(&format!("\"{action}\"")).ok();
        (self.action == ActionIn::Http).then(quoted).flatten()
    }
}
