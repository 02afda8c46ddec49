//! HL7 v3 messages (Normative Edition 2008): what all of them have, and the acknowledgement that
//! answers those that ask for none of their own (ITI TF-2 Appendix O).
//!
//! Only what document sharing needs is read; everything else is passed over.

mod acknowledgement;

use crate::xml::{Element, Reader, Writer, XmlError};

pub use acknowledgement::{AcceptAcknowledgement, Verdict};

/// `interactionId/@root` of every interaction that HL7 defines.
const INTERACTIONS: &str = "2.16.840.1.113883.1.6";
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
        writer
            .open(name)
            .attribute("root", &self.root)
            .optional("extension", self.extension.as_deref())
            .close(name);
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
            "sender" => self.sender = device(reader)?,
            "receiver" => self.receiver = device(reader)?,
            _ => return Ok(false),
        }
        Ok(true)
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
        for (name, kind, id) in [
            ("receiver", "RCV", &self.receiver),
            ("sender", "SND", &self.sender),
        ] {
            writer
                .open(name)
                .attribute("typeCode", kind)
                .open("device")
                .attribute("classCode", "DEV")
                .attribute("determinerCode", "INSTANCE");
            id.write(writer, "id");
            writer.close("device").close(name);
        }
    }
}

/// The first identifier of the device of a sender or receiver.
fn device(reader: &mut Reader<'_>) -> Result<InstanceId, XmlError> {
    let mut found = None;
    while let Some(child) = reader.child()? {
        if child.name() != "device" {
            reader.skip()?;
            continue;
        }
        while let Some(of_device) = reader.child()? {
            if of_device.name() == "id" && found.is_none() {
                found = Some(InstanceId::read(reader, &of_device)?);
            } else {
                reader.skip()?;
            }
        }
    }
    Ok(found.unwrap_or_default())
}
