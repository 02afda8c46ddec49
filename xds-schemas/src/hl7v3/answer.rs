//! Answers to queries: the application acknowledgement and what was found (ITI TF-2 O.1.3, O.2).

use super::datatypes::{attribute, write_attribute};
use super::{InstanceId, Transmission, Verdict};
use crate::xml::{Reader, Writer, XmlError};

/// The code of a detail that says that an identifier or domain is not known (HL7 table 0357).
pub const UNKNOWN_KEY: &str = "204";
/// Details of an acknowledgement that are read.
const MOST_DETAILS: usize = 100;

/// How a query was taken (`acknowledgement`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationAcknowledgement {
    /// AA, AE or AR.
    pub verdict: Verdict,
    /// The message that is answered.
    pub target: InstanceId,
    /// What is wrong with it.
    pub details: Vec<Detail>,
}

/// `acknowledgementDetail`: one thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detail {
    /// What kind of error it is, such as [`UNKNOWN_KEY`].
    pub code: Option<String>,
    /// The same for people.
    pub text: Option<String>,
    /// XPath of what is meant in the query.
    pub location: Option<String>,
}

/// `queryResponseCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// OK: data, no errors.
    Data,
    /// NF: no data, no errors.
    Nothing,
    /// AE: an error.
    Error,
    /// QE: an error in the question.
    QuestionError,
}

/// How many records there are for a question (`queryAck`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantities {
    /// For the question.
    pub total: u32,
    /// In this answer.
    pub current: u32,
    /// Yet to come.
    pub remaining: u32,
}

/// `queryAck`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryAck {
    pub(crate) query: InstanceId,
    pub(crate) found: Found,
    pub(crate) quantities: Option<Quantities>,
}

impl ApplicationAcknowledgement {
    /// The acknowledgement of a message that was understood.
    pub fn of(message: &Transmission) -> Self {
        Self {
            verdict: Verdict::Accepted,
            target: message.id.clone(),
            details: Vec::new(),
        }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let code = match self.verdict {
            Verdict::Accepted => "AA",
            Verdict::Error => "AE",
            Verdict::Rejected => "AR",
        };
        writer.open("acknowledgement");
        write_attribute(writer, "typeCode", "code", code);
        writer.open("targetMessage");
        self.target.write(writer, "id");
        writer.close("targetMessage");
        for detail in &self.details {
            writer
                .open("acknowledgementDetail")
                .attribute("typeCode", "E");
            if let Some(code) = &detail.code {
                write_attribute(writer, "code", "code", code);
            }
            for (name, text) in [("text", &detail.text), ("location", &detail.location)] {
                if let Some(text) = text {
                    writer.element(name, text);
                }
            }
            writer.close("acknowledgementDetail");
        }
        writer.close("acknowledgement");
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut code = None;
        let mut target = InstanceId::default();
        let mut details = Vec::new();
        while let Some(child) = reader.child()? {
            match child.name() {
                "typeCode" => code = attribute(reader, &child, "code")?,
                "targetMessage" => {
                    while let Some(id) = reader.child()? {
                        target = InstanceId::read(reader, &id)?;
                    }
                }
                "acknowledgementDetail" if details.len() < MOST_DETAILS => {
                    details.push(Detail::read(reader)?);
                }
                _ => reader.skip()?,
            }
        }
        let verdict = code.as_deref().and_then(Verdict::parse);
        let verdict =
            verdict.ok_or_else(|| reader.error("the acknowledgement has no type code"))?;
        Ok(Self {
            verdict,
            target,
            details,
        })
    }
}

impl Detail {
    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut detail = Self::default();
        let some = |text: String| (!text.is_empty()).then_some(text);
        while let Some(child) = reader.child()? {
            match child.name() {
                "code" => detail.code = attribute(reader, &child, "code")?,
                "text" => detail.text = some(reader.token()?),
                "location" => detail.location = some(reader.token()?),
                _ => reader.skip()?,
            }
        }
        Ok(detail)
    }
}

impl Found {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "OK",
            Self::Nothing => "NF",
            Self::Error => "AE",
            Self::QuestionError => "QE",
        }
    }

    fn parse(code: &str) -> Option<Self> {
        match code {
            "OK" => Some(Self::Data),
            "NF" => Some(Self::Nothing),
            "AE" => Some(Self::Error),
            "QE" => Some(Self::QuestionError),
            _ => None,
        }
    }
}

impl QueryAck {
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.open("queryAck");
        self.query.write(writer, "queryId");
        write_attribute(writer, "statusCode", "code", "deliveredResponse");
        write_attribute(writer, "queryResponseCode", "code", self.found.as_str());
        if let Some(quantities) = self.quantities {
            for (name, number) in [
                ("resultTotalQuantity", quantities.total),
                ("resultCurrentQuantity", quantities.current),
                ("resultRemainingQuantity", quantities.remaining),
            ] {
                write_attribute(writer, name, "value", &number.to_string());
            }
        }
        writer.close("queryAck");
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut query = InstanceId::default();
        let mut found = None;
        let mut quantities = [None; 3];
        while let Some(child) = reader.child()? {
            let [total, current, remaining] = &mut quantities;
            let quantity = match child.name() {
                "queryId" => {
                    query = InstanceId::read(reader, &child)?;
                    continue;
                }
                "queryResponseCode" => {
                    found = attribute(reader, &child, "code")?;
                    continue;
                }
                "resultTotalQuantity" => total,
                "resultCurrentQuantity" => current,
                "resultRemainingQuantity" => remaining,
                _ => {
                    reader.skip()?;
                    continue;
                }
            };
            let value = attribute(reader, &child, "value")?;
            *quantity = value.and_then(|value| value.parse().ok());
        }
        let found = found.as_deref().and_then(Found::parse);
        let found = found.ok_or_else(|| reader.error("the queryAck has no queryResponseCode"))?;
        let quantities = match quantities {
            [Some(total), Some(current), Some(remaining)] => Some(Quantities {
                total,
                current,
                remaining,
            }),
            _ => None,
        };
        Ok(Self {
            query,
            found,
            quantities,
        })
    }
}
