//! The messages as XML.

use super::{Interaction, PatientRecordMessage, Subject};
use crate::hl7v3::{Form, PatientRole};
use crate::xml::{ToXml, Writer, ns};

impl ToXml for PatientRecordMessage {
    fn to_xml(&self, writer: &mut Writer) {
        let name = self.interaction.as_str();
        writer
            .open(name)
            .attribute("xmlns", ns::HL7V3)
            .attribute("ITSVersion", "XML_1.0");
        self.transmission.write(writer, &self.time, "AL");
        writer
            .open("controlActProcess")
            .attribute("classCode", "CACT")
            .attribute("moodCode", "EVN")
            .open("code")
            .attribute("code", self.interaction.trigger())
            .attribute("codeSystem", "2.16.840.1.113883.1.18")
            .close("code");
        for subject in &self.subjects {
            self.write_subject(writer, subject);
        }
        writer.close("controlActProcess").close(name);
    }
}

impl PatientRecordMessage {
    /// A registration event. The custodian is the device that sends (ITI TF-2 O.2).
    fn write_subject(&self, writer: &mut Writer, subject: &Subject) {
        writer
            .open("subject")
            .attribute("typeCode", "SUBJ")
            .open("registrationEvent")
            .attribute("classCode", "REG")
            .attribute("moodCode", "EVN");
        status(writer, "active");
        writer.open("subject1").attribute("typeCode", "SBJ");
        let role = PatientRole {
            ids: subject.ids.clone(),
            person: subject.person.clone(),
            ..PatientRole::default()
        };
        let form = match self.interaction {
            Interaction::DuplicatesResolved => Form::Identifiers,
            Interaction::RecordAdded | Interaction::RecordRevised => Form::Record,
        };
        role.write(writer, form);
        writer
            .close("subject1")
            .open("custodian")
            .attribute("typeCode", "CST")
            .open("assignedEntity")
            .attribute("classCode", "ASSIGNED");
        self.transmission.sender.write(writer, "id");
        writer.close("assignedEntity").close("custodian");
        if !subject.prior_ids.is_empty() {
            writer
                .open("replacementOf")
                .attribute("typeCode", "RPLC")
                .open("priorRegistration")
                .attribute("classCode", "REG")
                .attribute("moodCode", "EVN");
            status(writer, "obsolete");
            writer
                .open("subject1")
                .attribute("typeCode", "SBJ")
                .open("priorRegisteredRole")
                .attribute("classCode", "PAT");
            for id in &subject.prior_ids {
                id.write(writer, "id");
            }
            writer
                .close("priorRegisteredRole")
                .close("subject1")
                .close("priorRegistration")
                .close("replacementOf");
        }
        writer.close("registrationEvent").close("subject");
    }
}

fn status(writer: &mut Writer, code: &str) {
    writer
        .open("statusCode")
        .attribute("code", code)
        .close("statusCode");
}
