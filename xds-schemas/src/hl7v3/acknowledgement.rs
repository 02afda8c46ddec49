//! The accept acknowledgement (ITI TF-2 O.1.2).

use super::{InstanceId, Transmission};
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// How a message was taken (`acknowledgement/typeCode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// CA: it was taken.
    Accepted,
    /// CE: the message is wrong.
    Error,
    /// CR: it was not taken for another reason, such as its interaction.
    Rejected,
}

impl Verdict {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "CA",
            Self::Error => "CE",
            Self::Rejected => "CR",
        }
    }

    /// Application acknowledgements of some receivers say the same with other letters.
    pub(crate) fn parse(code: &str) -> Option<Self> {
        match code {
            "CA" | "AA" => Some(Self::Accepted),
            "CE" | "AE" => Some(Self::Error),
            "CR" | "AR" => Some(Self::Rejected),
            _ => None,
        }
    }
}

/// `MCCI_IN000002UV01`: the accept acknowledgement (ITI TF-2 O.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptAcknowledgement {
    /// Who answers whom.
    pub transmission: Transmission,
    /// When: a DTM.
    pub time: String,
    /// How it was taken.
    pub verdict: Verdict,
    /// The message that is answered.
    pub target: InstanceId,
    /// Why it was not taken.
    pub reasons: Vec<String>,
    /// It was not taken since it is to be answered in a way that is not supported: an application error, in
    /// a message that has none otherwise (ITI TF-2 3.55.4.1.3).
    pub unsupported_mode: bool,
}

/// The code of an unsupported processing mode (HL7 AcknowledgementDetailCode).
const UNSUPPORTED_MODE: &str = "NS250";

impl AcceptAcknowledgement {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "MCCI_IN000002UV01";

    /// The answer to `message`, named `id` and created at `time`. Sender and receiver change places.
    pub fn of(message: &Transmission, id: InstanceId, time: impl Into<String>) -> Self {
        Self {
            transmission: message.answer(id, Self::NAME),
            time: time.into(),
            verdict: Verdict::Accepted,
            target: message.id.clone(),
            reasons: Vec::new(),
            unsupported_mode: false,
        }
    }

    /// The same for a message whose answer is wanted in a way that is not supported.
    #[must_use]
    pub fn of_unsupported_mode(mut self, reason: impl Into<String>) -> Self {
        self.unsupported_mode = true;
        self.refusing(Verdict::Error, reason)
    }

    /// The same for a message that is not taken.
    #[must_use]
    pub fn refusing(mut self, verdict: Verdict, reason: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.reasons.push(reason.into());
        self
    }
}

impl AcceptAcknowledgement {
    const fn type_code(&self) -> &'static str {
        match (self.verdict, self.unsupported_mode) {
            (Verdict::Error, true) => "AE",
            (verdict, _) => verdict.as_str(),
        }
    }
}

impl ToXml for AcceptAcknowledgement {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open(Self::NAME)
            .attribute("xmlns", ns::HL7V3)
            .attribute("ITSVersion", "XML_1.0");
        self.transmission.write(writer, &self.time, "NE");
        writer
            .open("acknowledgement")
            .open("typeCode")
            .attribute("code", self.type_code())
            .close("typeCode")
            .open("targetMessage");
        self.target.write(writer, "id");
        writer.close("targetMessage");
        for reason in &self.reasons {
            writer
                .open("acknowledgementDetail")
                .attribute("typeCode", "E");
            if self.unsupported_mode {
                writer
                    .open("code")
                    .attribute("code", UNSUPPORTED_MODE)
                    .attribute("displayName", "Unsupported processing mode")
                    .close("code");
            }
            writer
                .element("text", reason)
                .close("acknowledgementDetail");
        }
        writer.close("acknowledgement").close(Self::NAME);
    }
}

impl FromXml for AcceptAcknowledgement {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let mut time = String::new();
        let mut said = None;
        while let Some(child) = reader.child()? {
            if transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    time = child.attribute("value").unwrap_or_default();
                    reader.skip()?;
                }
                "acknowledgement" => said = Some(acknowledgement(reader, &child)?),
                _ => reader.skip()?,
            }
        }
        let (verdict, target, reasons, unsupported_mode) =
            said.ok_or_else(|| reader.error("there is no acknowledgement"))?;
        Ok(Self {
            transmission,
            time,
            verdict,
            target,
            reasons,
            unsupported_mode,
        })
    }
}

/// The type code is an element; older editions have an attribute.
fn acknowledgement(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<(Verdict, InstanceId, Vec<String>, bool), XmlError> {
    let mut code = element.attribute("typeCode");
    let mut target = InstanceId::default();
    let mut reasons = Vec::new();
    let mut unsupported_mode = false;
    while let Some(child) = reader.child()? {
        match child.name() {
            "typeCode" => {
                code = child.attribute("code");
                reader.skip()?;
            }
            "targetMessage" => {
                while let Some(id) = reader.child()? {
                    target = InstanceId::read(reader, &id)?;
                }
            }
            "acknowledgementDetail" => {
                while let Some(part) = reader.child()? {
                    match part.name() {
                        "text" => reasons.push(reader.token()?),
                        "code" => {
                            let code = part.attribute("code");
                            unsupported_mode |= code.as_deref() == Some(UNSUPPORTED_MODE);
                            reader.skip()?;
                        }
                        _ => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    let verdict = code.as_deref().and_then(Verdict::parse);
    let verdict = verdict.ok_or_else(|| reader.error("the acknowledgement has no type code"))?;
    let unsupported_mode = unsupported_mode && verdict == Verdict::Error && !reasons.is_empty();
    Ok((verdict, target, reasons, unsupported_mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transmission() -> Transmission {
        Transmission {
            id: InstanceId {
                root: "1.2.3".to_owned(),
                extension: Some("a & b".to_owned()),
            },
            interaction: "PRPA_IN201301UV02".to_owned(),
            processing_code: "T".to_owned(),
            sender: InstanceId::new("1.2.4"),
            receiver: InstanceId::new("1.2.5"),
            ..Transmission::default()
        }
    }

    fn reread(acknowledgement: &AcceptAcknowledgement) -> AcceptAcknowledgement {
        let mut writer = Writer::default();
        acknowledgement.to_xml(&mut writer);
        let xml = writer.finish();
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        AcceptAcknowledgement::from_xml(&mut reader, &root).unwrap()
    }

    /// ITI TF-2 O.1.2.
    #[test]
    fn an_acknowledgement_is_read_as_it_was_written() {
        let accepted =
            AcceptAcknowledgement::of(&transmission(), InstanceId::new("2.25.1"), "20260101000000");
        assert_eq!(accepted.transmission.sender.root, "1.2.5");
        assert_eq!(accepted.transmission.receiver.root, "1.2.4");
        assert_eq!(reread(&accepted), accepted);
        let refused = accepted.refusing(Verdict::Error, "nobody <knows>");
        assert_eq!(reread(&refused), refused);
        let accepted =
            AcceptAcknowledgement::of(&transmission(), InstanceId::new("2.25.1"), "20260101000000");
        let later = accepted.of_unsupported_mode("not later");
        assert_eq!(reread(&later), later);
    }
}
