//! `PRPA_IN201306UV02`: Find Candidates Response (ITI TF-2 3.47.4.2, 3.55.4.2).

use super::{FindCandidatesQuery, QueryByParameter};
use crate::hl7v3::datatypes::{attribute, write_attribute};
use crate::hl7v3::{
    ApplicationAcknowledgement, Detail, Form, Found, InstanceId, PatientRole, Quantities, QueryAck,
    Transmission, Verdict, close_message, open_control_act, open_message,
};
use crate::metadata::PatientId;
use crate::person::Person;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// Patients that an answer may have.
pub(crate) const MOST_CANDIDATES: usize = 10_000;
/// Issues that an answer may have.
const MOST_ISSUES: usize = 100;
/// What is said of patients as a place where it is known where else they have data (Table 3.55.4.2.2.5-1).
const LOCATORS: &str = "1.3.6.1.4.1.19376.1.2.27.2";
/// Attributes that are wanted (Table 3.55.4.2.2.6-1).
const WANTED: &str = "1.3.6.1.4.1.19376.1.2.27.1";
/// Problems (Table 3.55.4.2.2.7-1).
const PROBLEMS: &str = "1.3.6.1.4.1.19376.1.2.27.3";

/// An answer with the patients that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindCandidatesResponse {
    /// Who answers whom.
    pub transmission: Transmission,
    /// When: a DTM.
    pub time: String,
    /// How the question was taken.
    pub acknowledgement: ApplicationAcknowledgement,
    /// Patients who fit.
    pub candidates: Vec<Candidate>,
    /// What would help, or what hinders (ITI-55).
    pub issues: Vec<Issue>,
    /// What was found.
    pub found: Found,
    /// How many there are (ITI-47 only: in ITI-55 they "shall not be populated").
    pub quantities: Option<Quantities>,
    /// The question, as it was asked.
    pub query: QueryByParameter,
}

/// A patient who fits what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// `patient/id`. In ITI-55 it is the one to use in ITI-38 (Table 3.55.4.2.2.2-1).
    pub ids: Vec<PatientId>,
    /// What is known of the patient. Its identifiers are all there are, also those of `ids`.
    pub person: Person,
    /// Domains that were asked for and in which the patient has no identifier.
    pub without: Vec<String>,
    /// How well the patient fits: 0 to 100.
    pub degree: Option<u8>,
    /// Who answers for it.
    pub custodian: Custodian,
}

/// `custodian/assignedEntity`: who keeps the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Custodian {
    /// In ITI-55 the homeCommunityId without `urn:oid:` (3.55.4.2.2.4).
    pub id: InstanceId,
    /// Whether the community knows where else the patient has data.
    pub locator: Option<HealthDataLocator>,
}

macro_rules! codes {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $of:literal])* $code:ident,)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $of])* $code,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            /// The code.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)*
                }
            }

            /// Reads a code.
            pub fn parse(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.as_str() == code)
            }
        }
    };
}

codes! {
    /// What a community says of itself as a Health Data Locator for a patient (Table 3.55.4.2.2.5-1).
    HealthDataLocator {
        /// It answers ITI-56 for the patient (supplement Health Data Locator and Revoke Option).
        SupportsHealthDataLocator,
        /// It has nothing to say in ITI-56.
        NotHealthDataLocator,
    }
}

codes! {
    /// What would help to find one patient (Table 3.55.4.2.2.6-1).
    Wanted {
        /// The gender.
        LivingSubjectAdministrativeGenderRequested,
        /// An address.
        PatientAddressRequested,
        /// A telephone number or e-mail address.
        PatientTelecomRequested,
        /// The name of the place of birth.
        LivingSubjectBirthPlaceNameRequested,
        /// The address of the place of birth.
        LivingSubjectBirthPlaceAddressRequested,
        /// The mother's maiden name.
        MothersMaidenNameRequested,
    }
}

codes! {
    /// Why there is no answer (Table 3.55.4.2.2.7-1).
    Problem {
        /// There is too much to do.
        ResponderBusy,
        /// Somebody has to see to it.
        AnswerNotAvailable,
        /// Something is wrong at the responder.
        InternalError,
    }
}

/// `detectedIssueEvent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    /// More would have to be asked (3.55.4.2.2.6).
    Wanted(Wanted),
    /// There is no answer (3.55.4.2.2.7).
    Problem(Problem),
}

impl FindCandidatesResponse {
    /// The root element, which is the interaction too.
    pub const NAME: &'static str = "PRPA_IN201306UV02";

    /// The answer that nobody was found, to be filled. Sender and receiver change places.
    pub fn to(question: &FindCandidatesQuery, id: InstanceId, time: impl Into<String>) -> Self {
        Self {
            transmission: question.transmission.answer(id, Self::NAME),
            time: time.into(),
            acknowledgement: ApplicationAcknowledgement::of(&question.transmission),
            candidates: Vec::new(),
            issues: Vec::new(),
            found: Found::Nothing,
            quantities: None,
            query: question.query.clone(),
        }
    }

    /// The same with these patients, if there are any.
    #[must_use]
    pub fn with(mut self, candidates: Vec<Candidate>) -> Self {
        self.found = match candidates.is_empty() {
            true => Found::Nothing,
            false => Found::Data,
        };
        self.candidates = candidates;
        self
    }

    /// The same, and more attributes are wanted (ITI-55, case 3).
    #[must_use]
    pub fn wanting(mut self, wanted: impl IntoIterator<Item = Wanted>) -> Self {
        self.found = Found::Data;
        self.candidates.clear();
        self.issues.extend(wanted.into_iter().map(Issue::Wanted));
        self
    }

    /// The same as an error. Nobody is in it.
    #[must_use]
    pub fn refusing(mut self, details: Vec<Detail>, problem: Option<Problem>) -> Self {
        self.acknowledgement.verdict = Verdict::Error;
        self.acknowledgement.details = details;
        self.found = Found::Error;
        self.quantities = None;
        self.candidates.clear();
        self.issues.extend(problem.map(Issue::Problem));
        self
    }

    fn write_issues(&self, writer: &mut Writer) {
        if self.issues.is_empty() {
            return;
        }
        writer
            .open("reasonOf")
            .attribute("typeCode", "RSON")
            .open("detectedIssueEvent")
            .attribute("classCode", "ALRT")
            .attribute("moodCode", "EVN")
            .open("code")
            .attribute("code", "_ActAdministrativeDetectedIssueManagementCode")
            .attribute("codeSystem", "2.16.840.1.113883.5.4")
            .close("code");
        let coded = |writer: &mut Writer, code: &str, system: &str| {
            writer
                .open("code")
                .attribute("code", code)
                .attribute("codeSystem", system)
                .close("code");
        };
        for issue in &self.issues {
            if let Issue::Problem(problem) = issue {
                writer
                    .open("mitigatedBy")
                    .attribute("typeCode", "MITGT")
                    .open("detectedIssueManagement")
                    .attribute("classCode", "ACT")
                    .attribute("moodCode", "EVN");
                coded(writer, problem.as_str(), PROBLEMS);
                writer.close("detectedIssueManagement").close("mitigatedBy");
            }
        }
        for issue in &self.issues {
            if let Issue::Wanted(wanted) = issue {
                writer
                    .open("triggerFor")
                    .attribute("typeCode", "TRIG")
                    .open("actOrderRequired")
                    .attribute("classCode", "ACT")
                    .attribute("moodCode", "RQO");
                coded(writer, wanted.as_str(), WANTED);
                writer.close("actOrderRequired").close("triggerFor");
            }
        }
        writer.close("detectedIssueEvent").close("reasonOf");
    }
}

impl Candidate {
    fn write(&self, writer: &mut Writer) {
        let role = PatientRole {
            ids: self.ids.iter().map(InstanceId::of).collect(),
            person: self.person.clone(),
            without: self.without.clone(),
            degree: self.degree,
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
        role.write(writer, Form::Candidate);
        writer.close("subject1");
        self.custodian.write(writer);
        writer.close("registrationEvent").close("subject");
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut role = PatientRole::default();
        let mut custodian = Custodian::default();
        while let Some(child) = reader.child()? {
            match child.name() {
                "subject1" => {
                    while let Some(patient) = reader.child()? {
                        match patient.name() {
                            "patient" => role = PatientRole::read(reader)?,
                            _ => reader.skip()?,
                        }
                    }
                }
                "custodian" => custodian = Custodian::read(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(Self {
            ids: role.patient_ids(),
            person: role.person,
            without: role.without,
            degree: role.degree,
            custodian,
        })
    }
}

impl Custodian {
    /// The custodian of a registration event.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer
            .open("custodian")
            .attribute("typeCode", "CST")
            .open("assignedEntity")
            .attribute("classCode", "ASSIGNED");
        self.id.write(writer, "id");
        if let Some(locator) = self.locator {
            writer
                .open("code")
                .attribute("code", locator.as_str())
                .attribute("codeSystem", LOCATORS)
                .close("code");
        }
        writer.close("assignedEntity").close("custodian");
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut custodian = Self::default();
        while let Some(entity) = reader.child()? {
            if entity.name() != "assignedEntity" {
                reader.skip()?;
                continue;
            }
            let mut named = false;
            while let Some(child) = reader.child()? {
                match child.name() {
                    "id" if !named => {
                        custodian.id = InstanceId::read(reader, &child)?;
                        named = true;
                    }
                    "code" => {
                        let code = attribute(reader, &child, "code")?;
                        custodian.locator = code.and_then(|code| HealthDataLocator::parse(&code));
                    }
                    _ => reader.skip()?,
                }
            }
        }
        Ok(custodian)
    }
}

impl ToXml for FindCandidatesResponse {
    fn to_xml(&self, writer: &mut Writer) {
        open_message(writer, Self::NAME);
        self.transmission.write(writer, &self.time, "NE");
        self.acknowledgement.write(writer);
        open_control_act(writer, "PRPA_TE201306UV02");
        for candidate in &self.candidates {
            candidate.write(writer);
        }
        self.write_issues(writer);
        let ack = QueryAck {
            query: self.query.id.clone(),
            found: self.found,
            quantities: self.quantities,
        };
        ack.write(writer);
        self.query.write(writer);
        close_message(writer, Self::NAME);
    }
}

impl FromXml for FindCandidatesResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::HL7V3, Self::NAME) {
            return Err(reader.unexpected(element, Self::NAME));
        }
        let mut transmission = Transmission::default();
        let (mut time, mut acknowledgement) = (String::new(), None);
        let mut act = ControlAct::default();
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
                "controlActProcess" => act.read(reader)?,
                _ => reader.skip()?,
            }
        }
        let acknowledgement =
            acknowledgement.ok_or_else(|| reader.error("there is no acknowledgement"))?;
        let ack = act
            .ack
            .ok_or_else(|| reader.error("there is no queryAck"))?;
        // In the order in which the schema has them.
        act.issues.sort_by_key(|it| matches!(it, Issue::Wanted(_)));
        let mut query = act.query.unwrap_or_default();
        // Some do not give the question back, but always say which one it was.
        if query.id == InstanceId::default() {
            query.id = ack.query;
        }
        Ok(Self {
            transmission,
            time,
            acknowledgement,
            candidates: act.candidates,
            issues: act.issues,
            found: ack.found,
            quantities: ack.quantities,
            query,
        })
    }
}

#[derive(Debug, Default)]
struct ControlAct {
    candidates: Vec<Candidate>,
    issues: Vec<Issue>,
    ack: Option<QueryAck>,
    query: Option<QueryByParameter>,
}

impl ControlAct {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(child) = reader.child()? {
            match child.name() {
                "subject" => {
                    while let Some(event) = reader.child()? {
                        if event.name() != "registrationEvent" {
                            reader.skip()?;
                            continue;
                        }
                        if self.candidates.len() == MOST_CANDIDATES {
                            return Err(reader.error("there are more than 10000 patients"));
                        }
                        self.candidates.push(Candidate::read(reader)?);
                    }
                }
                "reasonOf" => issues(reader, &mut self.issues)?,
                "queryAck" => self.ack = Some(QueryAck::read(reader)?),
                "queryByParameter" => self.query = Some(QueryByParameter::read(reader)?),
                _ => reader.skip()?,
            }
        }
        Ok(())
    }
}

/// Every code below a reason that is one of ours, wherever it stands.
fn issues(reader: &mut Reader<'_>, found: &mut Vec<Issue>) -> Result<(), XmlError> {
    while let Some(child) = reader.child()? {
        match child.name() {
            "code" => {
                let code = attribute(reader, &child, "code")?.unwrap_or_default();
                let wanted = Wanted::parse(&code).map(Issue::Wanted);
                let problem = Problem::parse(&code).map(Issue::Problem);
                let issue = wanted.or(problem);
                let issue = issue.filter(|it| !found.contains(it) && found.len() < MOST_ISSUES);
                found.extend(issue);
            }
            "text" | "value" | "id" => reader.skip()?,
            _ => issues(reader, found)?,
        }
    }
    Ok(())
}
