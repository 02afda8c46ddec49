//! `PRPA_IN201310UV02`: Patient Registry Get Identifiers Query Response (3.45.4.2).

use super::{GetIdentifiersQuery, IdentifierQuery};
use crate::hl7v3::datatypes::{attribute, write_attribute};
use crate::hl7v3::find_candidates::Custodian;
use crate::hl7v3::{
    ApplicationAcknowledgement, Detail, Form, Found, InstanceId, PatientRole, QueryAck,
    Transmission, Verdict, close_message, open_control_act, open_message,
};
use crate::metadata::PatientId;
use crate::person::{Person, PersonName};
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// The answer: identifiers of one patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetIdentifiersResponse {
    /// Who answers whom.
    pub transmission: Transmission,
    /// When: a DTM.
    pub time: String,
    /// How the question was taken.
    pub acknowledgement: ApplicationAcknowledgement,
    /// Identifiers of the patient without the one that was asked for; nothing, if there are none.
    pub ids: Vec<PatientId>,
    /// The patient's name, "for additional verification purposes" (3.45.4.2.2.1).
    pub name: Option<PersonName>,
    /// What was found.
    pub found: Found,
    /// The question, as it was asked.
    pub query: IdentifierQuery,
}

impl GetIdentifiersResponse {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "PRPA_IN201310UV02";

    /// The answer that there are no others, to be filled. Sender and receiver change places.
    pub fn to(question: &GetIdentifiersQuery, id: InstanceId, time: impl Into<String>) -> Self {
        Self {
            transmission: question.transmission.answer(id, Self::NAME),
            time: time.into(),
            acknowledgement: ApplicationAcknowledgement::of(&question.transmission),
            ids: Vec::new(),
            name: None,
            found: Found::Nothing,
            query: question.query.clone(),
        }
    }

    /// The same with these identifiers, if there are any.
    #[must_use]
    pub fn with(mut self, ids: Vec<PatientId>, name: Option<PersonName>) -> Self {
        self.found = match ids.is_empty() {
            true => Found::Nothing,
            false => Found::Data,
        };
        self.name = name.filter(|_| !ids.is_empty());
        self.ids = ids;
        self
    }

    /// The same as an error. Nobody is in it.
    #[must_use]
    pub fn refusing(mut self, details: Vec<Detail>) -> Self {
        self.acknowledgement.verdict = Verdict::Error;
        self.acknowledgement.details = details;
        self.found = Found::Error;
        self.ids.clear();
        self.name = None;
        self
    }

    fn write_event(&self, writer: &mut Writer) {
        let role = PatientRole {
            ids: self.ids.iter().map(InstanceId::of).collect(),
            person: Person {
                names: self.name.iter().cloned().collect(),
                ..Person::default()
            },
            ..PatientRole::default()
        };
        writer
            .open("subject")
            .attribute("typeCode", "SUBJ")
            .open("registrationEvent")
            .attribute("classCode", "REG")
            .attribute("moodCode", "EVN");
        write_attribute(writer, "id", "nullFlavor", "NA");
        write_attribute(writer, "statusCode", "code", "active");
        writer.open("subject1").attribute("typeCode", "SBJ");
        role.write(writer, Form::Identifiers);
        writer.close("subject1");
        let custodian = Custodian {
            id: self.transmission.sender.clone(),
            locator: None,
        };
        custodian.write(writer);
        writer.close("registrationEvent").close("subject");
    }
}

impl ToXml for GetIdentifiersResponse {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, Self::NAME);
        self.transmission.write(writer, &self.time, "NE");
        self.acknowledgement.write(writer);
        open_control_act(writer, "PRPA_TE201310UV02");
        if !self.ids.is_empty() {
            self.write_event(writer);
        }
        let ack = QueryAck {
            query: self.query.id.clone(),
            found: self.found,
            quantities: None,
        };
        ack.write(writer);
        self.query.write_in(writer, None);
        close_message(writer, Self::NAME);
    }
}

impl FromXml for GetIdentifiersResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let (mut time, mut acknowledgement) = (String::new(), None);
        let (mut role, mut ack, mut query) = (PatientRole::default(), None, None);
        while let Some(child) = reader.child()? {
            if transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    time = attribute(reader, &child, "value")?.unwrap_or_default();
                }
                "acknowledgement" => {
                    acknowledgement = Some(ApplicationAcknowledgement::read(reader)?);
                }
                "controlActProcess" => {
                    while let Some(part) = reader.child()? {
                        match part.name() {
                            "subject" => role = patient(reader)?.unwrap_or(role),
                            "queryAck" => ack = Some(QueryAck::read(reader)?),
                            "queryByParameter" => query = Some(IdentifierQuery::read(reader)?),
                            _ => reader.skip()?,
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        let acknowledgement =
            acknowledgement.ok_or_else(|| reader.error("there is no acknowledgement"))?;
        let ack = ack.ok_or_else(|| reader.error("there is no queryAck"))?;
        let mut query: IdentifierQuery = query.unwrap_or_default();
        if query.id == InstanceId::default() {
            query.id = ack.query;
        }
        let name = role.person.names.into_iter().next();
        Ok(Self {
            transmission,
            time,
            acknowledgement,
            name: name.filter(|_| !role.person.ids.is_empty()),
            ids: role.person.ids,
            found: ack.found,
            query,
        })
    }
}

/// `registrationEvent/subject1/patient`.
fn patient(reader: &mut Reader<'_>) -> Result<Option<PatientRole>, XmlError> {
    let mut role = None;
    while let Some(event) = reader.child()? {
        if event.name() != "registrationEvent" {
            reader.skip()?;
            continue;
        }
        while let Some(child) = reader.child()? {
            if child.name() != "subject1" {
                reader.skip()?;
                continue;
            }
            while let Some(patient) = reader.child()? {
                match patient.name() {
                    "patient" => role = Some(PatientRole::read(reader)?),
                    _ => reader.skip()?,
                }
            }
        }
    }
    Ok(role)
}
