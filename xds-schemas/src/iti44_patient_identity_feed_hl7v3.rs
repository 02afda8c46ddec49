//! ITI-44 Patient Identity Feed HL7 V3: the same as ITI-8 in HL7 v3 over SOAP.
//!
//! Sent by Patient Identity Sources; taken by the Document Registry. `PRPA_IN201301UV02` makes a
//! patient known, `PRPA_IN201302UV02` says more of one, `PRPA_IN201304UV02` merges two. All are
//! answered with `MCCI_IN000002UV01`.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-44.html>

mod write;

use crate::hl7v2::cx::MOST_IDS;
use crate::hl7v2::{PatientDomain, cx};
use crate::hl7v3::{AcceptAcknowledgement, InstanceId, PatientRole, Transmission};
use crate::iti8_patient_identity_feed::Announcement;
use crate::metadata::{PatientId, Timestamp};
use crate::person::Person;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, XmlError, ns};

macro_rules! interactions {
    ($($(#[doc = $doc:literal])* $name:ident: $interaction:literal, $trigger:literal;)*) => {
        /// What a message says of a patient.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Interaction {
            $($(#[doc = $doc])* $name,)*
        }

        impl Interaction {
            /// The interaction, which is the root element too.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $interaction,)*
                }
            }

            /// `controlActProcess/code/@code`.
            const fn trigger(self) -> &'static str {
                match self {
                    $(Self::$name => $trigger,)*
                }
            }

            fn parse(name: &str) -> Option<Self> {
                match name {
                    $($interaction => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        $(
            $(#[doc = $doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Transaction for $name {
                const ACTION: &'static str = concat!("urn:hl7-org:v3:", $interaction);
                const RESPONSE_ACTION: &'static str = "urn:hl7-org:v3:MCCI_IN000002UV01";
                const MTOM: bool = false;
                type Request = PatientRecordMessage;
                type Response = AcceptAcknowledgement;
            }
        )*
    };
}

interactions! {
    /// Patient Registry Record Added.
    RecordAdded: "PRPA_IN201301UV02", "PRPA_TE201301UV02";
    /// Patient Registry Record Revised.
    RecordRevised: "PRPA_IN201302UV02", "PRPA_TE201302UV02";
    /// Patient Registry Duplicates Resolved.
    DuplicatesResolved: "PRPA_IN201304UV02", "PRPA_TE201304UV02";
}

/// A message of any of the three kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientRecordMessage {
    /// Which of them.
    pub interaction: Interaction,
    /// Who sends what to whom.
    pub transmission: Transmission,
    /// When it was created: a DTM.
    pub time: String,
    /// `registrationEvent`s: patients it speaks of.
    pub subjects: Vec<Subject>,
}

/// A patient that a message speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject {
    /// `patient/id`.
    pub ids: Vec<InstanceId>,
    /// What is said of the patient; its identifiers are all that it has.
    pub person: Person,
    /// `replacementOf/priorRegistration/subject1/priorRegisteredRole/id`.
    pub prior_ids: Vec<InstanceId>,
}

impl PatientRecordMessage {
    /// What the message says of patients of the domain; identifiers of other domains are ignored
    /// (3.44.4.1.4).
    ///
    /// # Errors
    /// Says what is wrong, in a sentence without patient data.
    pub fn announcement(&self, domain: &PatientDomain) -> Result<Announcement, String> {
        if self.transmission.interaction != self.interaction.as_str() {
            return Err(
                "interactionId does not name the interaction that the message is".to_owned(),
            );
        }
        match self.interaction {
            Interaction::RecordAdded => {
                let mut patients = Vec::new();
                for subject in &self.subjects {
                    patients.extend(of_domain(&subject.ids, domain, "patient/id")?);
                    if patients.len() > MOST_IDS {
                        return Err(TOO_MANY.to_owned());
                    }
                }
                match patients.is_empty() {
                    true => Err("there is no patient".to_owned()),
                    false => Ok(Announcement::Add(patients)),
                }
            }
            // A registry has no use for it, whoever it is about.
            Interaction::RecordRevised => {
                let ids = self.subjects.iter().flat_map(|subject| &subject.ids);
                let ours = ids.filter(|id| id.root == domain.authority);
                let patients = ours.filter_map(|id| sound(id, "patient/id").ok());
                Ok(Announcement::Revise(patients.take(MOST_IDS).collect()))
            }
            Interaction::DuplicatesResolved => {
                let [subject] = self.subjects.as_slice() else {
                    return Err(
                        "there is not exactly one patient: one pair is merged by a message"
                            .to_owned(),
                    );
                };
                let survivor = one(of_domain(&subject.ids, domain, "patient/id")?, "patient/id")?;
                // 3.44.4.2.2.3: "a single PriorRegisteredRole.id attribute".
                if subject.prior_ids.len() > 1 {
                    return Err(
                        "there are several priorRegisteredRole/id: one is expected".to_owned()
                    );
                }
                let what = "priorRegisteredRole/id";
                let subsumed = one(of_domain(&subject.prior_ids, domain, what)?, what)?;
                Ok(Announcement::Merge { subsumed, survivor })
            }
        }
    }

    /// What the message says of the patients of the domain, besides which of them there are. Only of one
    /// whose identifier is in order something is said.
    pub fn people(&self, domain: &PatientDomain) -> Vec<(PatientId, Person)> {
        let mut people = Vec::new();
        for subject in &self.subjects {
            let ids = subject.ids.iter().filter(|id| id.root == domain.authority);
            for id in ids.filter_map(|id| sound(id, "patient/id").ok()) {
                if people.len() < MOST_IDS {
                    people.push((id, subject.person.clone()));
                }
            }
        }
        people
    }

    /// The message that says this, from `transmission.sender` to its receiver.
    pub fn of(announcement: &Announcement, transmission: Transmission, now: &Timestamp) -> Self {
        let id = |patient: &PatientId| InstanceId {
            root: patient.authority.clone(),
            extension: Some(patient.id.clone()),
        };
        let alone = |patient: &PatientId| Subject {
            ids: vec![id(patient)],
            person: Person {
                ids: vec![patient.clone()],
                ..Person::default()
            },
            prior_ids: Vec::new(),
        };
        let (interaction, subjects) = match announcement {
            Announcement::Add(patients) => (
                Interaction::RecordAdded,
                patients.iter().map(alone).collect(),
            ),
            Announcement::Revise(patients) => (
                Interaction::RecordRevised,
                patients.iter().map(alone).collect(),
            ),
            Announcement::Merge { subsumed, survivor } => {
                let subject = Subject {
                    prior_ids: vec![id(subsumed)],
                    ..alone(survivor)
                };
                (Interaction::DuplicatesResolved, vec![subject])
            }
        };
        Self {
            interaction,
            transmission: Transmission {
                interaction: interaction.as_str().to_owned(),
                ..transmission
            },
            time: now.as_str().to_owned(),
            subjects,
        }
    }
}

/// What is said of more than [`MOST_IDS`].
const TOO_MANY: &str = "the message names more than 100 patients of this affinity domain";

/// The identifiers of the domain.
fn of_domain(
    ids: &[InstanceId],
    domain: &PatientDomain,
    what: &str,
) -> Result<Vec<PatientId>, String> {
    if ids.is_empty() {
        return Err(format!("there is no {what}"));
    }
    let mut found: Vec<PatientId> = Vec::new();
    for id in ids.iter().filter(|id| id.root == domain.authority) {
        let patient = sound(id, what)?;
        if found.len() == MOST_IDS {
            return Err(TOO_MANY.to_owned());
        }
        if !found.contains(&patient) {
            found.push(patient);
        }
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(format!(
            "{what} is not of the authority of this affinity domain, {}",
            domain.authority
        )),
    }
}

fn sound(id: &InstanceId, what: &str) -> Result<PatientId, String> {
    let extension = id.extension.as_deref().unwrap_or_default();
    cx::check_id(extension).map_err(|problem| format!("{what} is an identifier that {problem}"))?;
    Ok(PatientId::new(extension, id.root.as_str()))
}

fn one(mut found: Vec<PatientId>, what: &str) -> Result<PatientId, String> {
    match (found.pop(), found.is_empty()) {
        (Some(patient), true) => Ok(patient),
        _ => Err(format!(
            "{what} names several patients of this affinity domain: one is expected"
        )),
    }
}

impl FromXml for PatientRecordMessage {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        let interaction = match element.namespace.as_ref() {
            ns::HL7V3 => Interaction::parse(element.name()),
            _ => None,
        };
        let expected = "PRPA_IN201301UV02, PRPA_IN201302UV02 or PRPA_IN201304UV02 of HL7 v3";
        let interaction = interaction.ok_or_else(|| reader.unexpected(element, expected))?;
        let mut message = Self {
            interaction,
            transmission: Transmission::default(),
            time: String::new(),
            subjects: Vec::new(),
        };
        while let Some(child) = reader.child()? {
            if message.transmission.read(reader, &child)? {
                continue;
            }
            match child.name() {
                "creationTime" => {
                    message.time = child.attribute("value").unwrap_or_default();
                    reader.skip()?;
                }
                "controlActProcess" => control_act(reader, &mut message.subjects)?,
                _ => reader.skip()?,
            }
        }
        if message.transmission.id.root.is_empty() {
            return Err(reader.error("the message has no id with a root"));
        }
        Ok(message)
    }
}

fn control_act(reader: &mut Reader<'_>, subjects: &mut Vec<Subject>) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        if child.name() != "subject" {
            reader.skip()?;
            continue;
        }
        while let Some(event) = reader.child()? {
            match event.name() {
                "registrationEvent" => subjects.push(registration_event(reader)?),
                _ => reader.skip()?,
            }
        }
    }
    Ok(())
}

fn registration_event(reader: &mut Reader<'_>) -> Result<Subject, XmlError> {
    let mut subject = Subject::default();
    while let Some(child) = reader.child()? {
        match child.name() {
            "subject1" => {
                while let Some(patient) = reader.child()? {
                    match patient.name() {
                        "patient" => {
                            let role = PatientRole::read(reader)?;
                            subject.ids.extend(role.ids);
                            subject.person = role.person;
                        }
                        _ => reader.skip()?,
                    }
                }
            }
            "replacementOf" => {
                let path = ["priorRegistration", "subject1", "priorRegisteredRole", "id"];
                descend(reader, &path, &mut subject.prior_ids)?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(subject)
}

/// Collects the IIs at the end of a path below the element that was entered, and leaves it.
fn descend(
    reader: &mut Reader<'_>,
    path: &[&str],
    found: &mut Vec<InstanceId>,
) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        match path {
            [name] if child.name() == *name => found.push(InstanceId::read(reader, &child)?),
            [name, rest @ ..] if child.name() == *name => descend(reader, rest, found)?,
            _ => reader.skip()?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
