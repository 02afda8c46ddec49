//! WS-Addressing 1.0: which action is meant, who asked, and what an answer relates to.
//!
//! The faults and their details are those of the SOAP binding.
//! <https://www.w3.org/TR/ws-addr-core/>, <https://www.w3.org/TR/ws-addr-soap/>

mod endpoint_reference;

use crate::soap::{About, Fault, FaultCode, QName};
use crate::xml::{Element, Reader, Writer, XmlError, ns};

pub use endpoint_reference::EndpointReference;

/// The address of whoever sent the message: answer on the same connection.
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";
/// The address of nobody: do not answer.
pub const NONE: &str = "http://www.w3.org/2005/08/addressing/none";
/// What an answer relates to if the request had no `MessageID`.
pub const UNSPECIFIED: &str = "http://www.w3.org/2005/08/addressing/unspecified";
/// The relationship of an answer to its request.
const REPLY: &str = "http://www.w3.org/2005/08/addressing/reply";
/// Action of the faults that WS-Addressing defines.
pub const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/fault";
/// Action of all other faults.
pub const SOAP_FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/soap/fault";

/// The header block that names a community, with and without its prefix.
const HOME_COMMUNITY_BLOCK: (&str, &str) = ("xdr:homeCommunityBlock", "homeCommunityBlock");

/// The message addressing properties of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addressing {
    /// What is asked for: the transaction.
    pub action: String,
    /// Names this message. Mandatory for requests, although some peers leave it out.
    pub message_id: Option<String>,
    /// Where the message is meant to go.
    pub to: Option<String>,
    /// Who sent it: the address of the endpoint reference.
    pub from: Option<String>,
    /// Where the answer should go; without it, to whoever sent the message.
    pub reply_to: Option<EndpointReference>,
    /// Where a fault should go; without it, where the answer goes.
    pub fault_to: Option<EndpointReference>,
    /// In an answer, the `MessageID` of the request.
    pub relates_to: Option<String>,
    /// Header blocks for whoever gets the message, as XML: the reference parameters of its endpoint.
    pub parameters: String,
    /// No addressing property, but it says where documents are meant to go as well: the community
    /// that `xdr:homeCommunityBlock` names (ITI TF-2 3.41, ITI-80).
    pub home_community_id: Option<String>,
    /// No addressing property either: how long what the message says of patients may be kept
    /// (`xcpd:CorrelationTimeToLive`, ITI TF-2 3.55.4.1.2), as it was written.
    pub correlation_time_to_live: Option<String>,
}

impl Addressing {
    /// The header of a request that is answered on the same connection.
    pub fn request(action: &str, message_id: String, to: &str) -> Self {
        Self {
            action: action.to_owned(),
            message_id: Some(message_id),
            to: Some(to.to_owned()),
            reply_to: Some(EndpointReference::of(ANONYMOUS)),
            ..Self::default()
        }
    }

    /// The same, but the answer should go to `address`.
    #[must_use]
    pub fn answered_at(mut self, address: &str) -> Self {
        self.reply_to = Some(EndpointReference::of(address));
        self
    }

    /// The header of the answer to a message whose `MessageID` was `relates_to`.
    pub fn answer(action: &str, message_id: String, relates_to: Option<&str>) -> Self {
        Self {
            action: action.to_owned(),
            message_id: Some(message_id),
            relates_to: Some(relates_to.unwrap_or(UNSPECIFIED).to_owned()),
            ..Self::default()
        }
    }

    /// A message that is sent to `endpoint` (WS-Addressing 1.0 Core, section 3.3).
    #[must_use]
    pub fn sent_to(mut self, endpoint: &EndpointReference) -> Self {
        self.to = Some(endpoint.address.clone());
        self.parameters.clone_from(&endpoint.parameters);
        self
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer
            .open("wsa:Action")
            .attribute("env:mustUnderstand", "1");
        writer.text(&self.action).close("wsa:Action");
        for (name, value) in [
            ("wsa:MessageID", &self.message_id),
            ("wsa:RelatesTo", &self.relates_to),
            ("wsa:To", &self.to),
        ] {
            if let Some(value) = value {
                writer.element(name, value);
            }
        }
        let address = |endpoint: &Option<EndpointReference>| {
            endpoint.as_ref().map(|endpoint| endpoint.address.clone())
        };
        for (name, address) in [
            ("wsa:From", self.from.clone()),
            ("wsa:ReplyTo", address(&self.reply_to)),
            ("wsa:FaultTo", address(&self.fault_to)),
        ] {
            if let Some(address) = address {
                writer
                    .open(name)
                    .element("wsa:Address", &address)
                    .close(name);
            }
        }
        writer.raw(&self.parameters);
        if let Some(home) = &self.home_community_id {
            writer
                .open(HOME_COMMUNITY_BLOCK.0)
                .attribute("xmlns:xdr", ns::XDR)
                .element("xdr:homeCommunityId", home)
                .close(HOME_COMMUNITY_BLOCK.0);
        }
    }
}

/// Reads addressing headers as they come and judges them when all have been seen.
#[derive(Default)]
pub(crate) struct Collector {
    addressing: Addressing,
    has_action: bool,
    /// The header that was wrong first, and in which way.
    wrong: Option<Wrong>,
}

impl Collector {
    /// Takes one header block of the addressing namespace. Says whether it is one of ours.
    pub(crate) fn take(
        &mut self,
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<bool, XmlError> {
        let fields = &mut self.addressing;
        let wrong = match element.name() {
            "Action" if self.has_action => {
                reader.skip()?;
                Some(("Action", "InvalidCardinality"))
            }
            "Action" => {
                fields.action = trimmed(reader)?;
                self.has_action = true;
                None
            }
            "MessageID" => keep(&mut fields.message_id, trimmed(reader)?, "MessageID"),
            "To" => keep(&mut fields.to, trimmed(reader)?, "To"),
            "From" => match endpoint_reference::read(reader)? {
                Ok(endpoint) => keep(&mut fields.from, endpoint.address, "From"),
                Err(problem) => Some(("From", problem)),
            },
            "ReplyTo" => keep_endpoint(&mut fields.reply_to, reader, "ReplyTo")?,
            "FaultTo" => keep_endpoint(&mut fields.fault_to, reader, "FaultTo")?,
            // Several relationships are allowed; the first one that says "reply" counts.
            "RelatesTo" => {
                let reply = element
                    .attribute("RelationshipType")
                    .is_none_or(|kind| kind == REPLY);
                let value = trimmed(reader)?;
                if reply && fields.relates_to.is_none() {
                    fields.relates_to = Some(value);
                }
                None
            }
            _ => return Ok(false),
        };
        self.wrong = self.wrong.or(wrong);
        Ok(true)
    }

    /// Takes the header block that names a community. Says whether this is it.
    pub(crate) fn take_home_community(
        &mut self,
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<bool, XmlError> {
        if !element.is(ns::XDR, HOME_COMMUNITY_BLOCK.1) {
            return Ok(false);
        }
        while let Some(child) = reader.child()? {
            if child.is(ns::XDR, "homeCommunityId") {
                let home = trimmed(reader)?;
                self.addressing.home_community_id.get_or_insert(home);
            } else {
                reader.skip()?;
            }
        }
        Ok(true)
    }

    /// Takes the header block that says how long a correlation lives. Says whether this is it.
    pub(crate) fn take_time_to_live(
        &mut self,
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<bool, XmlError> {
        if !element.is(ns::XCPD, "CorrelationTimeToLive") {
            return Ok(false);
        }
        let text = trimmed(reader)?;
        self.addressing.correlation_time_to_live.get_or_insert(text);
        Ok(true)
    }

    /// What is asked for, if it was read already.
    pub(crate) fn action(&self) -> &str {
        &self.addressing.action
    }

    /// The `MessageID`, for a fault that relates to it.
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.addressing.message_id.as_deref()
    }

    pub(crate) fn finish(self) -> Result<Addressing, Fault> {
        if let Some((header, problem)) = self.wrong {
            return Err(invalid(header, problem));
        }
        if !self.has_action {
            return Err(header_required("Action"));
        }
        Ok(self.addressing)
    }
}

/// A header, and the WS-Addressing name of what is wrong with it.
type Wrong = (&'static str, &'static str);

fn keep<T>(field: &mut Option<T>, value: T, name: &'static str) -> Option<Wrong> {
    if field.is_some() {
        return Some((name, "InvalidCardinality"));
    }
    *field = Some(value);
    None
}

fn keep_endpoint(
    field: &mut Option<EndpointReference>,
    reader: &mut Reader<'_>,
    name: &'static str,
) -> Result<Option<Wrong>, XmlError> {
    Ok(match endpoint_reference::read(reader)? {
        Ok(endpoint) => keep(field, endpoint, name),
        Err(problem) => Some((name, problem)),
    })
}

/// The fault for an action that is not served here.
pub(crate) fn action_not_supported(action: &str) -> Fault {
    Fault {
        code: FaultCode::Sender,
        subcodes: vec![wsa("ActionNotSupported")],
        reason: "The [action] cannot be processed at the receiver.".to_owned(),
        about: Some(About::Action(action.to_owned())),
    }
}

/// The fault for a message that lacks the addressing header of this name.
pub fn header_required(header: &str) -> Fault {
    Fault {
        code: FaultCode::Sender,
        subcodes: vec![wsa("MessageAddressingHeaderRequired")],
        reason: "A required header representing a Message Addressing Property is not present"
            .to_owned(),
        about: Some(About::Header(wsa(header))),
    }
}

fn invalid(header: &str, problem: &str) -> Fault {
    Fault {
        code: FaultCode::Sender,
        subcodes: vec![wsa("InvalidAddressingHeader"), wsa(problem)],
        reason: "A header representing a Message Addressing Property is not valid and the message \
                 cannot be processed"
            .to_owned(),
        about: Some(About::Header(wsa(header))),
    }
}

/// The fault for an endpoint reference, in the header of this name, whose answers are given on the
/// connection of the request only.
pub fn only_anonymous(header: &str, why: &str) -> Fault {
    because(invalid(header, "OnlyAnonymousAddressSupported"), why)
}

/// The fault for an endpoint reference, in the header of this name, with an address that cannot be
/// used.
pub fn invalid_address(header: &str, why: &str) -> Fault {
    because(invalid(header, "InvalidAddress"), why)
}

/// The fault for a message that cannot be taken now and may be sent again later.
pub fn endpoint_unavailable(why: &str) -> Fault {
    let reason = "The endpoint is unable to process the message at this time";
    Fault {
        subcodes: vec![wsa("EndpointUnavailable")],
        ..because(Fault::receiver(reason), why)
    }
}

fn because(mut fault: Fault, why: &str) -> Fault {
    fault.reason = format!("{}: {why}", fault.reason);
    fault
}

fn wsa(name: &str) -> QName {
    QName {
        namespace: ns::WSA.to_owned(),
        name: name.to_owned(),
    }
}

/// All values are IRIs, around which XML Schema ignores white space.
fn trimmed(reader: &mut Reader<'_>) -> Result<String, XmlError> {
    Ok(reader.text()?.trim().to_owned())
}
