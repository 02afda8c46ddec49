//! ITI-53 Document Metadata Notify: be told of what one has subscribed to.
//!
//! Sent by the Document Metadata Notification Broker, one way; taken by Document Metadata
//! Notification Recipients.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-53.html>

use crate::transaction::{Nothing, Transaction};
use crate::wsn::NotificationMessage;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-53. The action is that of the standard, not of Appendix V (ITI TF-2 3.53.4.1.2).
#[derive(Debug, Clone, Copy)]
pub struct DocumentMetadataNotify;

impl Transaction for DocumentMetadataNotify {
    const ACTION: &'static str = "http://docs.oasis-open.org/wsn/bw-2/NotificationConsumer/Notify";
    /// There is no response.
    const RESPONSE_ACTION: &'static str = "";
    const MTOM: bool = false;
    type Request = Notify;
    type Response = Nothing;
}

/// A `wsnt:Notify`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// What there is to tell: one message where the framework speaks (ITI TF-2 3.53.4.1.2), more
    /// where the standard does.
    pub messages: Vec<NotificationMessage>,
}

impl FromXml for Notify {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "Notify") {
            return Err(reader.unexpected(element, "wsnt:Notify"));
        }
        let mut messages = Vec::new();
        while let Some(child) = reader.child()? {
            match child.namespace == ns::WSNT {
                true => messages.push(NotificationMessage::from_xml(reader, &child)?),
                false => reader.skip()?,
            }
        }
        match messages.is_empty() {
            false => Ok(Self { messages }),
            true => Err(reader.error("wsnt:Notify has no wsnt:NotificationMessage")),
        }
    }
}

impl ToXml for Notify {
    fn to_xml(&self, writer: &mut Writer) {
        open(writer);
        self.messages
            .iter()
            .for_each(|message| message.to_xml(writer));
        writer.close("wsnt:Notify");
    }
}

/// A `wsnt:Notify` around a `wsnt:NotificationMessage` that was written before.
#[derive(Debug, Clone, Copy)]
pub struct WrittenNotify<'a>(pub &'a str);

impl ToXml for WrittenNotify<'_> {
    fn to_xml(&self, writer: &mut Writer) {
        open(writer);
        writer.raw(self.0).close("wsnt:Notify");
    }
}

fn open(writer: &mut Writer) {
    writer.open("wsnt:Notify").attribute("xmlns:wsnt", ns::WSNT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::{Body, RegistryObject};
    use crate::ebrs::SubmitObjectsRequest;
    use crate::soap::{self, Header, QName};
    use crate::wsn::{About, Message, TopicExpression};

    fn about() -> About {
        About {
            subscription: Some("https://broker/Subscription/1".to_owned()),
            topic: Some(TopicExpression::simple("ihe:MinimalDocumentEntry")),
            producer: Some("https://broker/registry".to_owned()),
        }
    }

    fn read(body: &dyn ToXml) -> Notify {
        let header = Header::request("urn:x", "urn:uuid:1".to_owned(), "http://x");
        soap::read_body(soap::write(&header, body).as_bytes()).unwrap()
    }

    #[test]
    fn a_notification_is_read_as_it_was_written() {
        let mut request = SubmitObjectsRequest::default();
        let reference = RegistryObject::new("urn:uuid:2", Body::ObjectRef);
        request.objects.objects.push(reference);
        let messages = [
            Message::Objects(request),
            Message::Other(QName {
                namespace: ns::WSNT.to_owned(),
                name: "Unsubscribe".to_owned(),
            }),
        ];
        let messages = messages.map(|message| NotificationMessage {
            about: about(),
            message,
        });
        let notify = Notify {
            messages: messages.to_vec(),
        };
        assert_eq!(read(&notify), notify);
    }

    #[test]
    fn what_was_written_before_is_the_same() {
        let mut writer = Writer::default();
        about().write_around(&mut writer, |writer| {
            writer
                .open("rim:ObjectRef")
                .attribute("id", "urn:uuid:2")
                .close("rim:ObjectRef");
        });
        let notify = read(&WrittenNotify(&writer.finish()));
        assert_eq!(notify.messages[0].about, about());
        assert_eq!(notify.messages[0].objects()[0].id, "urn:uuid:2");
    }
}
