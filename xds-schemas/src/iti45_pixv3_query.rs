//! ITI-45 PIXV3 Query: by which identifiers a patient is known in other domains.
//!
//! Sent by Patient Identifier Cross-reference Consumers; answered by Patient Identifier Cross-reference
//! Managers, which a registry is for the identifiers that feeds told it.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-45.html>

mod response;
#[cfg(test)]
mod tests;

use crate::hl7v3::{
    InstanceId, Transmission, close_message, datatypes::attribute, datatypes::write_attribute,
    open_control_act, open_message,
};
use crate::metadata::Timestamp;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

pub use response::GetIdentifiersResponse;

/// The transaction.
#[derive(Debug, Clone, Copy)]
pub struct PixV3Query;

impl Transaction for PixV3Query {
    const ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201309UV02";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201310UV02";
    const MTOM: bool = false;
    type Request = GetIdentifiersQuery;
    type Response = GetIdentifiersResponse;
}

/// Values that one question may have.
pub const MOST_VALUES: usize = 100;

/// `PRPA_IN201309UV02`: Patient Registry Get Identifiers Query (3.45.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetIdentifiersQuery {
    /// Who asks whom.
    pub transmission: Transmission,
    /// When it was created: a DTM.
    pub time: String,
    /// What is asked.
    pub query: IdentifierQuery,
}

/// `queryByParameter`, which answers give back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentifierQuery {
    /// `queryId`.
    pub id: InstanceId,
    /// PatientIdentifier: who is meant. The framework allows exactly one.
    pub patients: Vec<InstanceId>,
    /// DataSource: domains of which identifiers are wanted; all, if there are none.
    pub domains: Vec<InstanceId>,
}

impl GetIdentifiersQuery {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "PRPA_IN201309UV02";

    /// The question in a message of its own.
    pub fn new(transmission: Transmission, now: &Timestamp, query: IdentifierQuery) -> Self {
        Self {
            transmission: Transmission {
                interaction: Self::NAME.to_owned(),
                ..transmission
            },
            time: now.as_str().to_owned(),
            query,
        }
    }
}

impl IdentifierQuery {
    /// The element alone, as records of the audit trail keep it (3.45.5.1).
    pub fn to_xml(&self) -> String {
        let mut writer = Writer::default();
        self.write_in(&mut writer, Some(ns::HL7V3));
        writer.finish()
    }

    fn write_in(&self, writer: &mut Writer, namespace: Option<&str>) {
        writer.open("queryByParameter").optional("xmlns", namespace);
        self.id.write(writer, "queryId");
        write_attribute(writer, "statusCode", "code", "new");
        write_attribute(writer, "responsePriorityCode", "code", "I");
        writer.open("parameterList");
        for (name, semantics, values) in [
            ("dataSource", "DataSource.id", &self.domains),
            ("patientIdentifier", "Patient.id", &self.patients),
        ] {
            for value in values {
                writer.open(name);
                value.write(writer, "value");
                writer.element("semanticsText", semantics).close(name);
            }
        }
        writer.close("parameterList").close("queryByParameter");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut query = Self::default();
        while let Some(child) = reader.child()? {
            match child.name() {
                "queryId" => query.id = InstanceId::read(reader, &child)?,
                "parameterList" => {
                    while let Some(parameter) = reader.child()? {
                        let values = match parameter.name() {
                            "dataSource" => &mut query.domains,
                            "patientIdentifier" => &mut query.patients,
                            _ => {
                                reader.skip()?;
                                continue;
                            }
                        };
                        read_values(reader, values)?;
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(query)
    }
}

fn read_values(reader: &mut Reader<'_>, values: &mut Vec<InstanceId>) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        match child.name() {
            "value" if values.len() == MOST_VALUES => {
                return Err(reader.error(format!(
                    "the question has more than {MOST_VALUES} values of a parameter"
                )));
            }
            "value" => values.push(InstanceId::read(reader, &child)?),
            _ => reader.skip()?,
        }
    }
    Ok(())
}

impl ToXml for GetIdentifiersQuery {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, Self::NAME);
        self.transmission.write(writer, &self.time, "AL");
        open_control_act(writer, "PRPA_TE201309UV02");
        self.query.write_in(writer, None);
        close_message(writer, Self::NAME);
    }
}

impl FromXml for GetIdentifiersQuery {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let (mut time, mut query) = (String::new(), None);
        while let Some(child) = reader.child()? {
            if transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    time = attribute(reader, &child, "value")?.unwrap_or_default();
                }
                "controlActProcess" => {
                    while let Some(part) = reader.child()? {
                        match part.name() {
                            "queryByParameter" => query = Some(IdentifierQuery::read(reader)?),
                            _ => reader.skip()?,
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        let query = query.ok_or_else(|| reader.error("there is no queryByParameter"))?;
        Ok(Self {
            transmission,
            time,
            query,
        })
    }
}
