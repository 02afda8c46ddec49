//! HL7 v3 messages (Normative Edition 2008): what all of them have, and the acknowledgement that
//! answers those that ask for none of their own (ITI TF-2 Appendix O).
//!
//! Only what document sharing needs is read; everything else is passed over.

mod acknowledgement;
mod answer;
pub(crate) mod datatypes;
pub mod find_candidates;
mod patient;
mod query_continuation;

use crate::xml::{Element, Reader, Writer, XmlError, ns};

pub use acknowledgement::{AcceptAcknowledgement, Verdict};
pub(crate) use answer::QueryAck;
pub use answer::{ApplicationAcknowledgement, Detail, Found, Quantities, UNKNOWN_KEY};
pub(crate) use patient::{Form, PatientRole};
pub use query_continuation::QueryContinuation;

/// `interactionId/@root` of every interaction that HL7 defines.
const INTERACTIONS: &str = "2.16.840.1.113883.1.6";
/// `controlActProcess/code/@codeSystem`: trigger events.
const TRIGGERS: &str = "2.16.840.1.113883.1.18";
/// Characters of an identifier of a message that are kept.
const LONGEST: usize = 256;

/// II: something's name in a domain of names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceId {
    /// `@root`: an OID or a UUID; empty if the sender has none to give.
    pub root: String,
    /// `@extension`, if the root alone does not name it.
    pub extension: Option<String>,
}

impl InstanceId {
    /// What a root names alone.
    pub fn new(root: impl Into<String>) -> Self {
        Self {
            root: root.into(),
            extension: None,
        }
    }

    /// The II that an element is.
    pub(crate) fn read(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        let id = Self {
            root: element.attribute("root").unwrap_or_default(),
            extension: element.attribute("extension"),
        };
        reader.skip()?;
        Ok(id)
    }

    /// Writes it as the element `name`.
    pub(crate) fn write(&self, writer: &mut Writer, name: &str) {
        let root = Some(self.root.as_str()).filter(|root| !root.is_empty());
        writer
            .open(name)
            .optional("root", root)
            .optional("extension", self.extension.as_deref());
        if root.is_none() && self.extension.is_none() {
            writer.attribute("nullFlavor", "NI");
        }
        writer.close(name);
    }
}

impl std::fmt::Display for InstanceId {
    /// As a CX, in which records name identifiers; the root alone if there is no extension.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.extension {
            Some(extension) => {
                let extension = crate::metadata::hl7::escape(extension);
                write!(out, "{extension}^^^&{}&ISO", self.root)
            }
            None => out.write_str(&self.root),
        }
    }
}

/// Who sends what to whom: the transmission wrapper (ITI TF-2 O.1.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transmission {
    /// The message's own identifier.
    pub id: InstanceId,
    /// `interactionId/@extension`, which says what the message is.
    pub interaction: String,
    /// `processingCode`: P, T or D.
    pub processing_code: String,
    /// The device that sends.
    pub sender: InstanceId,
    /// The device that it is for.
    pub receiver: InstanceId,
    /// The organization that the sender acts for, which in ITI-55 is the initiating community: its
    /// homeCommunityId without `urn:oid:` (ITI TF-2 3.55.4.1.2.4).
    pub sender_organization: Option<String>,
    /// Where a deferred answer is to be sent: `respondTo/telecom` (ITI TF-2 3.55.6.2).
    pub respond_to: Option<String>,
}

impl Transmission {
    /// Reads one of the wrapper's elements; gives back whether this is one.
    pub(crate) fn read(
        &mut self,
        reader: &mut Reader<'_>,
        element: &Element<'_>,
    ) -> Result<bool, XmlError> {
        let cut = |text: Option<String>| -> String {
            text.unwrap_or_default().chars().take(LONGEST).collect()
        };
        match element.name() {
            "id" => {
                let id = InstanceId::read(reader, element)?;
                self.id.root = cut(Some(id.root));
                self.id.extension = id.extension.map(|it| cut(Some(it)));
            }
            "interactionId" => {
                self.interaction = cut(element.attribute("extension"));
                reader.skip()?;
            }
            "processingCode" => {
                self.processing_code = cut(element.attribute("code"));
                reader.skip()?;
            }
            "sender" => (self.sender, self.sender_organization) = device(reader)?,
            "receiver" => self.receiver = device(reader)?.0,
            "respondTo" => {
                while let Some(child) = reader.child()? {
                    if child.name() == "telecom" {
                        self.respond_to = child.attribute("value").map(|it| cut(Some(it)));
                    }
                    reader.skip()?;
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// That of the answer, which is named `id`: sender and receiver change places.
    pub fn answer(&self, id: InstanceId, interaction: &str) -> Self {
        Self {
            id,
            interaction: interaction.to_owned(),
            processing_code: match self.processing_code.as_str() {
                "" => "P".to_owned(),
                code => code.to_owned(),
            },
            sender: self.receiver.clone(),
            receiver: self.sender.clone(),
            ..Self::default()
        }
    }

    /// Writes the wrapper's elements, as they are of a message created at `time`.
    pub(crate) fn write(&self, writer: &mut Writer, time: &str, accept_ack: &str) {
        let coded = |writer: &mut Writer, name: &str, code: &str| {
            writer.open(name).attribute("code", code).close(name);
        };
        self.id.write(writer, "id");
        writer
            .open("creationTime")
            .attribute("value", time)
            .close("creationTime");
        let interaction = InstanceId {
            root: INTERACTIONS.to_owned(),
            extension: Some(self.interaction.clone()),
        };
        interaction.write(writer, "interactionId");
        coded(writer, "processingCode", &self.processing_code);
        coded(writer, "processingModeCode", "T");
        coded(writer, "acceptAckCode", accept_ack);
        self.write_device(writer, "receiver", "RCV");
        if let Some(address) = &self.respond_to {
            writer
                .open("respondTo")
                .attribute("typeCode", "RSP")
                .open("telecom")
                .attribute("value", address)
                .close("telecom")
                .open("entityRsp")
                .attribute("xmlns:xsi", ns::XSI)
                .attribute("xsi:nil", "true")
                .attribute("classCode", "ENT")
                .attribute("determinerCode", "INSTANCE")
                .close("entityRsp")
                .close("respondTo");
        }
        self.write_device(writer, "sender", "SND");
    }

    fn write_device(&self, writer: &mut Writer, name: &str, kind: &str) {
        let (id, organization) = match name {
            "sender" => (&self.sender, self.sender_organization.as_deref()),
            _ => (&self.receiver, None),
        };
        writer
            .open(name)
            .attribute("typeCode", kind)
            .open("device")
            .attribute("classCode", "DEV")
            .attribute("determinerCode", "INSTANCE");
        id.write(writer, "id");
        if let Some(organization) = organization {
            writer
                .open("asAgent")
                .attribute("classCode", "AGNT")
                .open("representedOrganization")
                .attribute("classCode", "ORG")
                .attribute("determinerCode", "INSTANCE");
            InstanceId::new(organization).write(writer, "id");
            writer.close("representedOrganization").close("asAgent");
        }
        writer.close("device").close(name);
    }
}

/// Opens a message.
pub(crate) fn open_message(writer: &mut Writer, name: &str) {
    writer
        .open(name)
        .attribute("xmlns", ns::HL7V3)
        .attribute("ITSVersion", "XML_1.0");
}

/// Opens the control act of a message for the trigger event `trigger`.
pub(crate) fn open_control_act(writer: &mut Writer, trigger: &str) {
    writer
        .open("controlActProcess")
        .attribute("classCode", "CACT")
        .attribute("moodCode", "EVN")
        .open("code")
        .attribute("code", trigger)
        .attribute("codeSystem", TRIGGERS)
        .close("code");
}

/// Closes both.
pub(crate) fn close_message(writer: &mut Writer, name: &str) {
    writer.close("controlActProcess").close(name);
}

/// The first identifier of the device of a sender or receiver, and that of the organization for which it
/// acts.
fn device(reader: &mut Reader<'_>) -> Result<(InstanceId, Option<String>), XmlError> {
    let mut found = None;
    let mut organization = None;
    while let Some(child) = reader.child()? {
        if child.name() != "device" {
            reader.skip()?;
            continue;
        }
        while let Some(of_device) = reader.child()? {
            match of_device.name() {
                "id" if found.is_none() => found = Some(InstanceId::read(reader, &of_device)?),
                "asAgent" => organization = represented(reader)?.or(organization),
                _ => reader.skip()?,
            }
        }
    }
    Ok((found.unwrap_or_default(), organization))
}

/// The first root of `representedOrganization/id`.
fn represented(reader: &mut Reader<'_>) -> Result<Option<String>, XmlError> {
    let mut root = None;
    while let Some(organization) = reader.child()? {
        if organization.name() != "representedOrganization" {
            reader.skip()?;
            continue;
        }
        while let Some(child) = reader.child()? {
            match child.name() {
                "id" if root.is_none() => root = InstanceId::read(reader, &child)?.root.into(),
                _ => reader.skip()?,
            }
        }
    }
    let cut = |root: String| root.chars().take(LONGEST).collect::<String>();
    Ok(root.map(cut).filter(|root| !root.is_empty()))
}
