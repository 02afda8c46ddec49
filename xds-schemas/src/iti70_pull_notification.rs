//! ITI-70 Pull Notification: get what a pull point has kept.
//!
//! Asked by Notification Pullers; answered by the Notification Pull Point. Extensions to the
//! Document Metadata Subscription profile, 3.70.

use crate::transaction::Transaction;
use crate::wsn::NotificationMessage;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-70.
#[derive(Debug, Clone, Copy)]
pub struct PullNotification;

impl Transaction for PullNotification {
    const ACTION: &'static str = "http://docs.oasis-open.org/wsn/bw-2/PullPoint/GetMessagesRequest";
    const RESPONSE_ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/PullPoint/GetMessagesResponse";
    const MTOM: bool = false;
    type Request = GetMessages;
    type Response = GetMessagesResponse;
}

/// A `wsnt:GetMessages`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetMessages {
    /// `wsnt:MaximumNumber`; 1 if it is not given (3.70.4.1.2).
    pub maximum_number: u64,
}

impl Default for GetMessages {
    fn default() -> Self {
        Self { maximum_number: 1 }
    }
}

/// A `wsnt:GetMessagesResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GetMessagesResponse {
    /// The oldest that were kept.
    pub messages: Vec<NotificationMessage>,
}

impl FromXml for GetMessages {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "GetMessages") {
            return Err(reader.unexpected(element, "wsnt:GetMessages"));
        }
        let mut request = Self::default();
        while let Some(child) = reader.child()? {
            if !child.is(ns::WSNT, "MaximumNumber") {
                reader.skip()?;
                continue;
            }
            let number = reader.token()?;
            request.maximum_number = number
                .parse()
                .map_err(|_| reader.error("wsnt:MaximumNumber is not a number"))?;
        }
        Ok(request)
    }
}

impl ToXml for GetMessages {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("wsnt:GetMessages")
            .attribute("xmlns:wsnt", ns::WSNT)
            .element("wsnt:MaximumNumber", &self.maximum_number.to_string())
            .close("wsnt:GetMessages");
    }
}

impl FromXml for GetMessagesResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "GetMessagesResponse") {
            return Err(reader.unexpected(element, "wsnt:GetMessagesResponse"));
        }
        let mut messages = Vec::new();
        while let Some(child) = reader.child()? {
            match child.namespace == ns::WSNT {
                true => messages.push(NotificationMessage::from_xml(reader, &child)?),
                false => reader.skip()?,
            }
        }
        Ok(Self { messages })
    }
}

impl ToXml for GetMessagesResponse {
    fn to_xml(&self, writer: &mut Writer) {
        write_response(writer, |writer| {
            self.messages
                .iter()
                .for_each(|message| message.to_xml(writer));
        });
    }
}

/// Writes a `wsnt:GetMessagesResponse` around messages, which `messages` writes.
pub fn write_response(writer: &mut Writer, messages: impl FnOnce(&mut Writer)) {
    writer
        .open("wsnt:GetMessagesResponse")
        .attribute("xmlns:wsnt", ns::WSNT);
    messages(writer);
    writer.close("wsnt:GetMessagesResponse");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(xml: &str) -> Result<GetMessages, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        GetMessages::from_xml(&mut reader, &root)
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        for maximum_number in [0, 1, u64::MAX] {
            let request = GetMessages { maximum_number };
            let mut writer = Writer::default();
            request.to_xml(&mut writer);
            assert_eq!(parsed(&writer.finish()), Ok(request));
        }
        let unsaid = format!("<GetMessages xmlns='{}'/>", ns::WSNT);
        assert_eq!(parsed(&unsaid), Ok(GetMessages::default()));
        let garbled = format!(
            "<GetMessages xmlns='{}'><MaximumNumber>-1</MaximumNumber></GetMessages>",
            ns::WSNT
        );
        assert!(parsed(&garbled).is_err());
    }
}
