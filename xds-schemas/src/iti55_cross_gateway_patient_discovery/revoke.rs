//! `PRPA_IN201303UV02`: a community takes back by what name others may ask it for a patient (the Revoke
//! option of the XCPD Health Data Locator and Revoke supplement).
//!
//! The message is HL7's Patient Registry Record Nullified. It names the community as ITI-55 does (ITI TF-2
//! 3.55.4.1.2.4), and the patient by the community's identifier; nothing else of the patient is in it.

use crate::hl7v3::{
    AcceptAcknowledgement, InstanceId, Transmission, close_message, open_control_act, open_message,
};
use crate::metadata::{PatientId, Timestamp};
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// A correlation is revoked.
#[derive(Debug, Clone, Copy)]
pub struct RevokeCorrelation;

impl Transaction for RevokeCorrelation {
    const ACTION: &'static str = "urn:hl7-org:v3:PRPA_IN201303UV02:CrossGatewayPatientDiscovery";
    const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
    const MTOM: bool = false;
    type Request = RecordNullified;
    type Response = AcceptAcknowledgement;
}

/// The action of the same interaction as ITI TF-2 Appendix V forms it where it is used for one purpose only. It is
/// understood too.
pub const PLAIN_ACTION: &str = "urn:hl7-org:v3:PRPA_IN201303UV02";

/// The message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordNullified {
    /// Who tells whom. `sender_organization` is the community that tells.
    pub transmission: Transmission,
    /// When it was created: a DTM.
    pub time: String,
    /// The patient, as the community that tells knows them.
    pub patient: PatientId,
}

impl RecordNullified {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "PRPA_IN201303UV02";

    /// The message about a patient.
    pub fn of(patient: PatientId, transmission: Transmission, now: &Timestamp) -> Self {
        Self {
            transmission: Transmission {
                interaction: Self::NAME.to_owned(),
                ..transmission
            },
            time: now.as_str().to_owned(),
            patient,
        }
    }

    /// The community that tells, without `urn:oid:`.
    pub fn home(&self) -> Option<&str> {
        self.transmission.sender_organization.as_deref()
    }
}

impl ToXml for RecordNullified {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, Self::NAME);
        self.transmission.write(writer, &self.time, "AL");
        open_control_act(writer, "PRPA_TE201303UV02");
        writer
            .open("subject")
            .attribute("typeCode", "SUBJ")
            .open("registrationEvent")
            .attribute("classCode", "REG")
            .attribute("moodCode", "EVN")
            .open("statusCode")
            .attribute("code", "nullified")
            .close("statusCode")
            .open("subject1")
            .attribute("typeCode", "SBJ")
            .open("patient")
            .attribute("classCode", "PAT");
        InstanceId::of(&self.patient).write(writer, "id");
        writer
            .close("patient")
            .close("subject1")
            .close("registrationEvent")
            .close("subject");
        close_message(writer, Self::NAME);
    }
}

impl FromXml for RecordNullified {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let (mut time, mut ids) = (String::new(), Vec::new());
        while let Some(child) = reader.child()? {
            if transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    time = child.attribute("value").unwrap_or_default();
                    reader.skip()?;
                }
                "controlActProcess" => {
                    let path = ["subject", "registrationEvent", "subject1", "patient", "id"];
                    descend(reader, &path, &mut ids)?;
                }
                _ => reader.skip()?,
            }
        }
        let patient = match ids.as_slice() {
            [id] => id.patient(),
            _ => None,
        };
        let patient = patient.ok_or_else(|| {
            reader.error("there is not exactly one patient/id with the OID of an authority")
        })?;
        Ok(Self {
            transmission,
            time,
            patient,
        })
    }
}

/// Collects the first IIs at the end of a path below the element that was entered, and leaves it.
fn descend(
    reader: &mut Reader<'_>,
    path: &[&str],
    found: &mut Vec<InstanceId>,
) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        match path {
            [name] if child.name() == *name && found.len() < 2 => {
                found.push(InstanceId::read(reader, &child)?);
            }
            [name, rest @ ..] if child.name() == *name && !rest.is_empty() => {
                descend(reader, rest, found)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<RecordNullified, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        RecordNullified::from_xml(&mut reader, &root)
    }

    fn message() -> (RecordNullified, String) {
        let transmission = Transmission {
            id: InstanceId::new("2.25.7"),
            processing_code: "P".to_owned(),
            sender: InstanceId::new("1.2.4"),
            receiver: InstanceId::new("1.2.5"),
            sender_organization: Some("1.2.4".to_owned()),
            ..Transmission::default()
        };
        let patient = PatientId::new("P & Q", "1.2.9");
        let message = RecordNullified::of(patient, transmission, &Timestamp::from_unix(0));
        let mut writer = Writer::default();
        message.to_xml(&mut writer);
        (message, writer.finish())
    }

    #[test]
    fn what_was_written_is_read() {
        let (message, xml) = message();
        assert_eq!(message.home(), Some("1.2.4"));
        assert_eq!(read(&xml), Ok(message));
    }

    #[test]
    fn one_patient_is_meant() {
        let (_, xml) = message();
        let id = "<id root=\"1.2.9\" extension=\"P &amp; Q\"/>";
        assert!(xml.contains(id), "{xml}");
        for (from, to) in [
            (id, ""),
            (
                id,
                "<id root=\"1.2.9\" extension=\"A\"/><id root=\"1.2.9\" extension=\"B\"/>",
            ),
            (id, "<id root=\"1.2.9\"/>"),
            ("PRPA_IN201303UV02 ", "PRPA_IN201302UV02 "),
        ] {
            assert!(read(&xml.replace(from, to)).is_err(), "{from}");
        }
    }
}
