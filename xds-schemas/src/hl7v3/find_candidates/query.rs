//! `PRPA_IN201305UV02`: Find Candidates Query (ITI TF-2 3.47.4.1, 3.55.4.1).

use super::Parameters;
use crate::hl7v3::datatypes::{attribute, write_attribute};
use crate::hl7v3::{InstanceId, Transmission, close_message, open_control_act, open_message};
use crate::metadata::Timestamp;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// A question for patients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindCandidatesQuery {
    /// Who asks whom. In ITI-55, `sender_organization` is the community that asks.
    pub transmission: Transmission,
    /// When it was created: a DTM.
    pub time: String,
    /// The authority that assigned the identifier in [`Parameters::ids`] by which the community that asks
    /// knows the patient (ITI TF-2 3.55.4.1.2.4).
    pub authority: Option<String>,
    /// What is asked.
    pub query: QueryByParameter,
}

/// `queryByParameter`, which answers give back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueryByParameter {
    /// `queryId`.
    pub id: InstanceId,
    /// `responsePriorityCode`.
    pub priority: Priority,
    /// `initialQuantity`: the most records that the first answer may have.
    pub initial_quantity: Option<u32>,
    /// `matchAlgorithm`: the name of an algorithm that both sides know.
    pub algorithm: Option<String>,
    /// `minimumDegreeMatch`: 0 to 100.
    pub minimum_degree: Option<u8>,
    /// What is known of the patient.
    pub parameters: Parameters,
}

/// When the answer is wanted (`responsePriorityCode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// I: in the response.
    #[default]
    Immediate,
    /// D: in a request of its own, later (ITI TF-2 3.55.6.2).
    Deferred,
}

impl FindCandidatesQuery {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "PRPA_IN201305UV02";

    /// The question in a message of its own.
    pub fn new(transmission: Transmission, now: &Timestamp, query: QueryByParameter) -> Self {
        Self {
            transmission: Transmission {
                interaction: Self::NAME.to_owned(),
                ..transmission
            },
            time: now.as_str().to_owned(),
            authority: None,
            query,
        }
    }

    /// The identifier by which the community that asks knows the patient, if it names one.
    pub fn patient_of_asker(&self) -> Option<crate::metadata::PatientId> {
        let authority = self.authority.as_deref()?;
        let mut ids = self.query.parameters.patient_ids().into_iter();
        ids.find(|id| id.authority == authority)
    }
}

impl QueryByParameter {
    /// The element alone, as records of the audit trail keep it (ITI TF-2 3.47.5.1, 3.55.5.1).
    pub fn to_xml(&self) -> String {
        let mut writer = Writer::default();
        self.write_in(&mut writer, Some(ns::HL7V3));
        writer.finish()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.write_in(writer, None);
    }

    fn write_in(&self, writer: &mut Writer, namespace: Option<&str>) {
        writer.open("queryByParameter").optional("xmlns", namespace);
        self.id.write(writer, "queryId");
        let priority = match self.priority {
            Priority::Immediate => "I",
            Priority::Deferred => "D",
        };
        write_attribute(writer, "statusCode", "code", "new");
        write_attribute(writer, "responseModalityCode", "code", "R");
        write_attribute(writer, "responsePriorityCode", "code", priority);
        if let Some(quantity) = self.initial_quantity {
            let quantity = quantity.to_string();
            write_attribute(writer, "initialQuantity", "value", &quantity);
            write_attribute(writer, "initialQuantityCode", "code", "RD");
        }
        self.write_criteria(writer);
        self.parameters.write(writer);
        writer.close("queryByParameter");
    }

    fn write_criteria(&self, writer: &mut Writer) {
        if self.algorithm.is_none() && self.minimum_degree.is_none() {
            return;
        }
        writer.open("matchCriterionList");
        if let Some(algorithm) = &self.algorithm {
            writer
                .open("matchAlgorithm")
                .open("value")
                .attribute("xmlns:xsi", ns::XSI)
                .attribute("xsi:type", "ST")
                .text(algorithm)
                .close("value")
                .element("semanticsText", "MatchAlgorithm")
                .close("matchAlgorithm");
        }
        if let Some(degree) = self.minimum_degree {
            writer
                .open("minimumDegreeMatch")
                .open("value")
                .attribute("xmlns:xsi", ns::XSI)
                .attribute("xsi:type", "INT")
                .attribute("value", &degree.to_string())
                .close("value")
                .element("semanticsText", "MinimumDegreeMatch")
                .close("minimumDegreeMatch");
        }
        writer.close("matchCriterionList");
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut query = Self::default();
        while let Some(child) = reader.child()? {
            match child.name() {
                "queryId" => query.id = InstanceId::read(reader, &child)?,
                "responsePriorityCode" => {
                    query.priority = match attribute(reader, &child, "code")?.as_deref() {
                        Some("D") => Priority::Deferred,
                        _ => Priority::Immediate,
                    };
                }
                "initialQuantity" => {
                    let quantity = attribute(reader, &child, "value")?;
                    query.initial_quantity = quantity.and_then(|it| it.parse().ok());
                }
                "matchCriterionList" => query.read_criteria(reader)?,
                "parameterList" => query.parameters = Parameters::read(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(query)
    }

    fn read_criteria(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(criterion) = reader.child()? {
            let wanted = ["matchAlgorithm", "minimumDegreeMatch"];
            if !wanted.contains(&criterion.name()) {
                reader.skip()?;
                continue;
            }
            while let Some(child) = reader.child()? {
                match (criterion.name(), child.name()) {
                    ("matchAlgorithm", "value") => {
                        let text = reader.token()?;
                        self.algorithm = crate::person::clean(&text);
                    }
                    ("minimumDegreeMatch", "value") => {
                        let degree = attribute(reader, &child, "value")?;
                        let degree = degree.and_then(|degree| degree.parse().ok());
                        self.minimum_degree = degree.filter(|degree| *degree <= 100);
                    }
                    _ => reader.skip()?,
                }
            }
        }
        Ok(())
    }
}

impl ToXml for FindCandidatesQuery {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, Self::NAME);
        self.transmission.write(writer, &self.time, "AL");
        open_control_act(writer, "PRPA_TE201305UV02");
        if let Some(authority) = &self.authority {
            writer
                .open("authorOrPerformer")
                .attribute("typeCode", "AUT")
                .open("assignedDevice")
                .attribute("classCode", "ASSIGNED");
            InstanceId::new(authority.as_str()).write(writer, "id");
            writer.close("assignedDevice").close("authorOrPerformer");
        }
        self.query.write(writer);
        close_message(writer, Self::NAME);
    }
}

impl FromXml for FindCandidatesQuery {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let (mut time, mut authority, mut query) = (String::new(), None, None);
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
                            "authorOrPerformer" => authority = author(reader)?.or(authority),
                            "queryByParameter" => query = Some(QueryByParameter::read(reader)?),
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
            authority,
            query,
        })
    }
}

/// `assignedDevice/id/@root`.
fn author(reader: &mut Reader<'_>) -> Result<Option<String>, XmlError> {
    let mut root = None;
    while let Some(child) = reader.child()? {
        if child.name() != "assignedDevice" {
            reader.skip()?;
            continue;
        }
        while let Some(part) = reader.child()? {
            match part.name() {
                "id" if root.is_none() => root = attribute(reader, &part, "root")?,
                _ => reader.skip()?,
            }
        }
    }
    Ok(root)
}
