//! WS-BaseNotification 1.3: the pieces that document metadata subscription (DSUB) is made of.
//!
//! Subscribing is in [`iti52`](crate::iti52_document_metadata_subscribe), being told in
//! [`iti53`](crate::iti53_document_metadata_notify), telling in
//! [`iti54`](crate::iti54_document_metadata_publish); pull points are in
//! [`iti69`](crate::iti69_create_destroy_pull_point) and [`iti70`](crate::iti70_pull_notification).
//! <https://docs.oasis-open.org/wsn/wsn-ws_base_notification-1.3-spec-os.htm>

mod fault;
pub mod time;

pub use fault::{BaseFault, FaultKind};

use crate::ebrim::RegistryObject;
use crate::ebrs::SubmitObjectsRequest;
use crate::soap::QName;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// The dialect of the topics of document sharing: a name (ITI TF-2 3.52.4.1.2).
pub const SIMPLE_DIALECT: &str = "http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple";
/// Action of the faults that WS-BaseNotification defines.
pub const FAULT_ACTION: &str = "http://docs.oasis-open.org/wsn/fault";
/// Action of the faults that WS-Resource defines.
pub const RESOURCE_FAULT_ACTION: &str = "http://docs.oasis-open.org/wsrf/fault";

/// Where something is: a WS-Addressing endpoint reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EndpointReference {
    /// `wsa:Address`, empty if there was none.
    pub address: String,
    /// Whether it asks for reference parameters to be sent along, which nobody here does.
    pub parameters: bool,
}

impl EndpointReference {
    /// This address and nothing else.
    pub fn of(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            parameters: false,
        }
    }

    /// Reads the reference from the element whose start was just read.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut reference = Self::default();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::WSA, "Address") if reference.address.is_empty() => {
                    reference.address = reader.token()?;
                }
                (ns::WSA, "ReferenceParameters") => {
                    while reader.child()?.is_some() {
                        reference.parameters = true;
                        reader.skip()?;
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(reference)
    }
}

/// Writes an endpoint reference with this address.
pub(crate) fn write_reference(writer: &mut Writer, element: &str, address: &str) {
    writer
        .open(element)
        .element("wsa:Address", address)
        .close(element);
}

/// Which topic, in the words of a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicExpression {
    /// `@Dialect`.
    pub dialect: String,
    /// The expression, white space around it left out.
    pub text: String,
}

impl TopicExpression {
    /// A topic of the simple dialect.
    pub fn simple(text: impl Into<String>) -> Self {
        Self {
            dialect: SIMPLE_DIALECT.to_owned(),
            text: text.into(),
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        Ok(Self {
            dialect: reader.required(element, "Dialect")?.trim().to_owned(),
            text: reader.token()?,
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer, element: &str) {
        writer
            .open(element)
            .attribute("Dialect", &self.dialect)
            .text(&self.text)
            .close(element);
    }
}

/// What is said of a notification beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// `wsnt:SubscriptionReference`: why it was sent.
    pub subscription: Option<String>,
    /// `wsnt:Topic`: what happened.
    pub topic: Option<TopicExpression>,
    /// `wsnt:ProducerReference`: where it comes from.
    pub producer: Option<String>,
}

impl About {
    /// Writes a notification around objects, which `objects` writes. It stands on its own: every
    /// prefix in it is declared in it.
    pub fn write_around(&self, writer: &mut Writer, objects: impl FnOnce(&mut Writer)) {
        self.open(writer);
        writer
            .open("lcm:SubmitObjectsRequest")
            .attribute("xmlns:lcm", ns::LCM)
            .attribute("xmlns:rim", ns::RIM)
            .open("rim:RegistryObjectList");
        objects(writer);
        writer
            .close("rim:RegistryObjectList")
            .close("lcm:SubmitObjectsRequest");
        close(writer);
    }

    fn open(&self, writer: &mut Writer) {
        writer
            .open("wsnt:NotificationMessage")
            .attribute("xmlns:wsnt", ns::WSNT)
            .attribute("xmlns:wsa", ns::WSA);
        if let Some(address) = &self.subscription {
            write_reference(writer, "wsnt:SubscriptionReference", address);
        }
        if let Some(topic) = &self.topic {
            topic.write(writer, "wsnt:Topic");
        }
        if let Some(address) = &self.producer {
            write_reference(writer, "wsnt:ProducerReference", address);
        }
        writer.open("wsnt:Message");
    }
}

fn close(writer: &mut Writer) {
    writer
        .close("wsnt:Message")
        .close("wsnt:NotificationMessage");
}

/// A `wsnt:NotificationMessage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationMessage {
    /// What is said of it.
    pub about: About,
    /// What happened, or to what.
    pub message: Message,
}

/// The content of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Objects, as they are registered (ITI TF-2 3.53.4.1.2).
    Objects(SubmitObjectsRequest),
    /// Something else, by the name of its element.
    Other(QName),
}

impl NotificationMessage {
    /// The objects that it tells of.
    pub fn objects(&self) -> &[RegistryObject] {
        match &self.message {
            Message::Objects(request) => &request.objects.objects,
            Message::Other(_) => &[],
        }
    }
}

impl FromXml for NotificationMessage {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "NotificationMessage") {
            return Err(reader.unexpected(element, "wsnt:NotificationMessage"));
        }
        let mut about = About::default();
        let mut message = None;
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::WSNT, "SubscriptionReference") => {
                    about.subscription = Some(EndpointReference::read(reader)?.address);
                }
                (ns::WSNT, "Topic") => about.topic = Some(TopicExpression::read(reader, &child)?),
                (ns::WSNT, "ProducerReference") => {
                    about.producer = Some(EndpointReference::read(reader)?.address);
                }
                (ns::WSNT, "Message") if message.is_none() => {
                    message = Some(Message::read(reader)?);
                }
                _ => return Err(reader.unexpected(&child, "a part of wsnt:NotificationMessage")),
            }
        }
        let message =
            message.ok_or_else(|| reader.error("wsnt:NotificationMessage has no wsnt:Message"))?;
        Ok(Self { about, message })
    }
}

impl Message {
    /// Reads the one child of `wsnt:Message`, whose start was just read.
    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let child = reader.child()?;
        let child = child.ok_or_else(|| reader.error("wsnt:Message is empty"))?;
        let message = match child.is(ns::LCM, "SubmitObjectsRequest") {
            true => Self::Objects(SubmitObjectsRequest::from_xml(reader, &child)?),
            false => {
                reader.skip()?;
                Self::Other(QName {
                    namespace: child.namespace.to_string(),
                    name: child.name().to_owned(),
                })
            }
        };
        match reader.child()? {
            None => Ok(message),
            Some(second) => Err(reader.unexpected(&second, "the end of wsnt:Message")),
        }
    }
}

impl ToXml for NotificationMessage {
    fn to_xml(&self, writer: &mut Writer) {
        self.about.open(writer);
        match &self.message {
            Message::Objects(request) => request.to_xml(writer),
            Message::Other(name) => {
                let element = format!("m:{}", name.name);
                writer
                    .open(&element)
                    .attribute("xmlns:m", &name.namespace)
                    .close(&element);
            }
        }
        close(writer);
    }
}

/// An element of WS-BaseNotification without content that matters here: reads past whatever is in
/// it.
macro_rules! empty {
    ($($(#[doc = $doc:literal])* $name:ident = $element:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl $crate::xml::FromXml for $name {
            fn from_xml(
                reader: &mut $crate::xml::Reader<'_>,
                element: &$crate::xml::Element<'_>,
            ) -> Result<Self, $crate::xml::XmlError> {
                if !element.is($crate::xml::ns::WSNT, $element) {
                    return Err(reader.unexpected(element, concat!("wsnt:", $element)));
                }
                reader.skip()?;
                Ok(Self)
            }
        }

        impl $crate::xml::ToXml for $name {
            fn to_xml(&self, writer: &mut $crate::xml::Writer) {
                writer
                    .open(concat!("wsnt:", $element))
                    .attribute("xmlns:wsnt", $crate::xml::ns::WSNT)
                    .close(concat!("wsnt:", $element));
            }
        }
    )*};
}
pub(crate) use empty;
