//! `QUQI_IN000003UV01`: more of an answer, or no more of it (ITI TF-2 3.47.4.3).

use super::datatypes::{attribute, write_attribute};
use super::{
    ApplicationAcknowledgement, InstanceId, Transmission, close_message, open_control_act,
    open_message,
};
use crate::metadata::Timestamp;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// Asks for the next records of an answer, or says that no more are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryContinuation {
    /// Who asks whom.
    pub transmission: Transmission,
    /// When it was created: a DTM.
    pub time: String,
    /// The answer that came last.
    pub acknowledgement: ApplicationAcknowledgement,
    /// `queryId` of the question.
    pub query: InstanceId,
    /// `startResultNumber`: the first record that is wanted, counted from 1.
    pub start: Option<u32>,
    /// `continuationQuantity`: the most records that are wanted from now on.
    pub quantity: Option<u32>,
    /// `statusCode`: whether no more is wanted (`aborted`).
    pub aborted: bool,
}

impl QueryContinuation {
    /// The interaction, which is the root element too.
    pub const NAME: &'static str = "QUQI_IN000003UV01";
    /// How the schema names the root element of one that asks for no more.
    const CANCEL: &'static str = "QUQI_IN000003UV01_Cancel";
    /// What is waited for (QueryStatusCode).
    const WAITING: &'static str = "waitContinuedQueryResponse";

    /// Asks for more of `answer`, which is the transmission of the answer that came last.
    pub fn of(
        transmission: Transmission,
        now: &Timestamp,
        answer: &Transmission,
        query: InstanceId,
    ) -> Self {
        Self {
            transmission: Transmission {
                interaction: Self::NAME.to_owned(),
                ..transmission
            },
            time: now.as_str().to_owned(),
            acknowledgement: ApplicationAcknowledgement::of(answer),
            query,
            start: None,
            quantity: None,
            aborted: false,
        }
    }

    /// The same, and no more is wanted.
    #[must_use]
    pub fn cancelling(mut self) -> Self {
        self.quantity = Some(0);
        self.aborted = true;
        self
    }

    fn root(&self) -> &'static str {
        match self.aborted {
            true => Self::CANCEL,
            false => Self::NAME,
        }
    }

    fn control_act(&mut self, reader: &mut Reader<'_>) -> Result<bool, XmlError> {
        let mut found = false;
        while let Some(child) = reader.child()? {
            if child.name() != "queryContinuation" {
                reader.skip()?;
                continue;
            }
            found = true;
            while let Some(part) = reader.child()? {
                let number = |reader: &mut Reader<'_>| {
                    let value = attribute(reader, &part, "value")?;
                    Ok::<_, XmlError>(value.and_then(|value| value.parse().ok()))
                };
                match part.name() {
                    "queryId" => self.query = InstanceId::read(reader, &part)?,
                    "startResultNumber" => self.start = number(reader)?,
                    "continuationQuantity" => self.quantity = number(reader)?,
                    "statusCode" => {
                        let code = attribute(reader, &part, "code")?;
                        self.aborted = code.as_deref() == Some("aborted");
                    }
                    _ => reader.skip()?,
                }
            }
        }
        Ok(found)
    }
}

impl ToXml for QueryContinuation {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, self.root());
        self.transmission.write(writer, &self.time, "AL");
        self.acknowledgement.write(writer);
        // The framework prints this trigger event (3.47.4.3.2.3).
        open_control_act(writer, "PRPA_TE000003UV01");
        writer.open("queryContinuation");
        self.query.write(writer, "queryId");
        for (name, number) in [
            ("startResultNumber", self.start),
            ("continuationQuantity", self.quantity),
        ] {
            if let Some(number) = number {
                write_attribute(writer, name, "value", &number.to_string());
            }
        }
        let status = match self.aborted {
            true => "aborted",
            false => Self::WAITING,
        };
        write_attribute(writer, "statusCode", "code", status);
        writer.close("queryContinuation");
        close_message(writer, self.root());
    }
}

impl FromXml for QueryContinuation {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) && !element.is(ns::HL7V3, Self::CANCEL) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let nobody = Transmission::default();
        let mut message = Self {
            acknowledgement: ApplicationAcknowledgement::of(&nobody),
            transmission: nobody,
            time: String::new(),
            query: InstanceId::default(),
            start: None,
            quantity: None,
            aborted: false,
        };
        let mut found = false;
        while let Some(child) = reader.child()? {
            if message.transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    message.time = attribute(reader, &child, "value")?.unwrap_or_default();
                }
                "acknowledgement" => {
                    message.acknowledgement = ApplicationAcknowledgement::read(reader)?;
                }
                "controlActProcess" => found |= message.control_act(reader)?,
                _ => reader.skip()?,
            }
        }
        match found {
            true => Ok(message),
            false => Err(reader.error("there is no queryContinuation")),
        }
    }
}
