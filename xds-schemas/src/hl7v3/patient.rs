//! Patient and Person: what messages say of a patient (ITI TF-2 Tables 3.44.4.1.2.2-1, 3.45.4.2.2.2-1,
//! 3.47.4.2.2.2-1 and 3.55.4.2.2.2-1).

use super::InstanceId;
use super::datatypes::{
    attribute, read_address, read_name, read_telecom, read_time, write_address, write_attribute,
    write_name, write_telecom,
};
use crate::hl7v2::cx::MOST_IDS;
use crate::metadata::PatientId;
use crate::person::{BirthPlace, Gender, MOST_OF_A_KIND, Person, PersonName, identifier, push};
use crate::xml::{Element, Reader, Writer, XmlError, ns};

/// `AdministrativeGender`.
const GENDERS: &str = "2.16.840.1.113883.5.1";
/// `RoleCode`, in which personal relationships are.
const ROLES: &str = "2.16.840.1.113883.5.111";
/// The code of a mother.
const MOTHER: &str = "MTH";

/// In which message a patient stands: each has room for more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A record that is fed (ITI-44).
    Record,
    /// A patient who fits (ITI-47, ITI-55).
    Candidate,
    /// Names and identifiers (ITI-45; merges of ITI-44).
    Identifiers,
}

/// The role of a patient, and the person who has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PatientRole {
    /// `id` of the role as they came, also those that are no identifiers of patients.
    pub(crate) ids: Vec<InstanceId>,
    /// The person, with identifiers of all kinds.
    pub(crate) person: Person,
    /// Domains in which the patient has no identifier (ITI TF-2 3.47.4.2.3, case 2).
    pub(crate) without: Vec<String>,
    /// How well the patient fits what was asked: 0 to 100.
    pub(crate) degree: Option<u8>,
}

impl PatientRole {
    /// Those of the role's `id` that name patients.
    pub(crate) fn patient_ids(&self) -> Vec<PatientId> {
        let mut ids = Vec::new();
        for id in self.ids.iter().filter_map(patient_id) {
            push(&mut ids, id, MOST_IDS);
        }
        ids
    }

    /// Reads the element `patient`, which was entered.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut role = Self::default();
        while let Some(child) = reader.child()? {
            match child.name() {
                "id" => role.ids.push(InstanceId::read(reader, &child)?),
                "addr" | "telecom" => role.contact(reader, &child)?,
                "patientPerson" => role.person(reader)?,
                "subjectOf1" => role.degree(reader)?,
                _ => reader.skip()?,
            }
        }
        // Those of the role come first, and then those of each domain together, as they are written.
        let ids = role.patient_ids();
        let others = std::mem::replace(&mut role.person.ids, ids);
        for domain in domains(&others) {
            for id in others.iter().filter(|id| id.authority == domain) {
                push(&mut role.person.ids, id.clone(), MOST_IDS);
            }
        }
        Ok(role)
    }

    fn contact(&mut self, reader: &mut Reader<'_>, element: &Element<'_>) -> Result<(), XmlError> {
        match element.name() {
            "addr" => {
                let address = read_address(reader, element)?;
                if !address.is_empty() {
                    push(&mut self.person.addresses, address, MOST_OF_A_KIND);
                }
            }
            _ => {
                if let Some(telecom) = read_telecom(reader, element)? {
                    push(&mut self.person.telecoms, telecom, MOST_OF_A_KIND);
                }
            }
        }
        Ok(())
    }

    fn person(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        let flag = |value: Option<String>| match value.as_deref() {
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            _ => None,
        };
        while let Some(child) = reader.child()? {
            match child.name() {
                "name" => {
                    let name = read_name(reader, &child)?;
                    if !name.is_empty() {
                        push(&mut self.person.names, name, MOST_OF_A_KIND);
                    }
                }
                "addr" | "telecom" => self.contact(reader, &child)?,
                "administrativeGenderCode" => {
                    let code = attribute(reader, &child, "code")?;
                    self.person.gender = code.and_then(|code| Gender::parse(&code));
                }
                "birthTime" => self.person.birth_time = read_time(reader, &child)?,
                "deceasedInd" => {
                    self.person.deceased = flag(attribute(reader, &child, "value")?);
                }
                "deceasedTime" => self.person.deceased_time = read_time(reader, &child)?,
                "multipleBirthInd" => {
                    self.person.multiple_birth = flag(attribute(reader, &child, "value")?);
                }
                "multipleBirthOrderNumber" => {
                    let order = attribute(reader, &child, "value")?;
                    self.person.multiple_birth_order = order.and_then(|it| it.parse().ok());
                }
                "asOtherIDs" => self.other_ids(reader)?,
                "personalRelationship" => self.relationship(reader)?,
                "birthPlace" => self.person.birth_place = birth_place(reader)?,
                _ => reader.skip()?,
            }
        }
        Ok(())
    }

    /// Identifiers of the person, or a null and the domain that it is for.
    fn other_ids(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        let mut nulls = 0;
        let mut domain = None;
        while let Some(child) = reader.child()? {
            match child.name() {
                "id" => match patient_id(&InstanceId::read(reader, &child)?) {
                    Some(id) => push(&mut self.person.ids, id, MOST_IDS),
                    None => nulls += 1,
                },
                "scopingOrganization" => {
                    while let Some(part) = reader.child()? {
                        match part.name() {
                            "id" => domain = Some(InstanceId::read(reader, &part)?.root),
                            _ => reader.skip()?,
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        if let Some(domain) = domain.filter(|domain| nulls > 0 && !domain.is_empty()) {
            push(&mut self.without, domain, MOST_IDS);
        }
        Ok(())
    }

    /// Of relatives, nothing but the mother's name is of use.
    fn relationship(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        let mut code = None;
        let mut name = None;
        while let Some(child) = reader.child()? {
            match child.name() {
                "code" => code = attribute(reader, &child, "code")?,
                "relationshipHolder1" => {
                    while let Some(part) = reader.child()? {
                        match part.name() {
                            "name" if name.is_none() => name = Some(read_name(reader, &part)?),
                            _ => reader.skip()?,
                        }
                    }
                }
                _ => reader.skip()?,
            }
        }
        let name = name.filter(|name: &PersonName| !name.is_empty());
        if code.as_deref() == Some(MOTHER) && name.is_some() {
            self.person.mothers_maiden_name = name;
        }
        Ok(())
    }

    /// `queryMatchObservation/value`, an INT or a REAL.
    fn degree(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        while let Some(observation) = reader.child()? {
            if observation.name() != "queryMatchObservation" {
                reader.skip()?;
                continue;
            }
            while let Some(child) = reader.child()? {
                let value = child.attribute("value");
                reader.skip()?;
                let value = value.filter(|_| child.name() == "value");
                let whole = value
                    .as_deref()
                    .map(|it| it.split('.').next().unwrap_or(it));
                let degree = whole.and_then(|it| it.parse::<u8>().ok());
                self.degree = degree.filter(|it| *it <= 100).or(self.degree);
            }
        }
        Ok(())
    }

    /// Writes the element `patient`.
    pub(crate) fn write(&self, writer: &mut Writer, form: Form) {
        let brief = form == Form::Identifiers;
        writer.open("patient").attribute("classCode", "PAT");
        for id in &self.ids {
            id.write(writer, "id");
        }
        write_attribute(writer, "statusCode", "code", "active");
        writer
            .open("patientPerson")
            .attribute("classCode", "PSN")
            .attribute("determinerCode", "INSTANCE");
        let person = &self.person;
        for name in &person.names {
            write_name(writer, "name", name);
        }
        if person.names.is_empty() {
            write_name(writer, "name", &PersonName::default());
        }
        if !brief {
            write_facts(writer, person);
        }
        self.write_other_ids(writer);
        if !brief {
            write_relatives(writer, person);
        }
        writer.close("patientPerson");
        let first = self.ids.first().map(|id| id.root.as_str());
        write_provider(writer, first.unwrap_or_default());
        if form == Form::Candidate {
            self.write_degree(writer);
        }
        writer.close("patient");
    }

    /// Each domain has a role of its own: `OtherIDs.id.root` and that of the scoping organization shall
    /// be the same (3.45.4.2.2.1).
    fn write_other_ids(&self, writer: &mut Writer) {
        let main = self.patient_ids();
        let others = self.person.ids.iter().filter(|id| !main.contains(id));
        let others: Vec<PatientId> = others.cloned().collect();
        for domain in domains(&others) {
            let ids = others.iter().filter(|id| id.authority == domain);
            write_role(writer, domain, |writer| {
                for id in ids {
                    InstanceId::of(id).write(writer, "id");
                }
            });
        }
        for domain in &self.without {
            write_role(writer, domain, |writer| {
                write_attribute(writer, "id", "nullFlavor", "UNK");
            });
        }
    }

    fn write_degree(&self, writer: &mut Writer) {
        writer.open("subjectOf1");
        let Some(degree) = self.degree else {
            writer
                .attribute("xmlns:xsi", ns::XSI)
                .attribute("xsi:nil", "true")
                .attribute("nullFlavor", "NI")
                .close("subjectOf1");
            return;
        };
        writer
            .open("queryMatchObservation")
            .attribute("classCode", "OBS")
            .attribute("moodCode", "EVN");
        write_attribute(writer, "code", "code", "IHE_PDQ");
        writer
            .open("value")
            .attribute("xmlns:xsi", ns::XSI)
            .attribute("xsi:type", "INT")
            .attribute("value", &degree.to_string())
            .close("value")
            .close("queryMatchObservation")
            .close("subjectOf1");
    }
}

impl InstanceId {
    /// An identifier of a patient.
    pub fn of(patient: &PatientId) -> Self {
        Self {
            root: patient.authority.clone(),
            extension: Some(patient.id.clone()),
        }
    }

    /// The identifier of a patient that this is, if an OID names its domain.
    pub fn patient(&self) -> Option<PatientId> {
        patient_id(self)
    }
}

/// The domains of identifiers, each once, in order.
fn domains(ids: &[PatientId]) -> Vec<&str> {
    let mut domains = Vec::new();
    for id in ids {
        push(&mut domains, id.authority.as_str(), ids.len());
    }
    domains
}

fn patient_id(id: &InstanceId) -> Option<PatientId> {
    identifier(id.extension.as_deref()?, &id.root)
}

fn birth_place(reader: &mut Reader<'_>) -> Result<BirthPlace, XmlError> {
    let mut place = BirthPlace::default();
    while let Some(child) = reader.child()? {
        match child.name() {
            "addr" => place.address = Some(read_address(reader, &child)?),
            "birthplace" => {
                while let Some(part) = reader.child()? {
                    match part.name() {
                        "name" => {
                            let mut text = String::new();
                            while reader.child_in_text(&mut text)?.is_some() {
                                reader.skip()?;
                            }
                            place.name = crate::person::clean(&text);
                        }
                        _ => reader.skip()?,
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    place.address = place.address.filter(|address| !address.is_empty());
    Ok(place)
}

fn write_facts(writer: &mut Writer, person: &Person) {
    for telecom in &person.telecoms {
        write_telecom(writer, "telecom", telecom);
    }
    if let Some(gender) = person.gender {
        writer
            .open("administrativeGenderCode")
            .attribute("code", gender.code())
            .attribute("codeSystem", GENDERS)
            .close("administrativeGenderCode");
    }
    let flag = |flag: Option<bool>| flag.map(|it| it.to_string());
    let time = |time: &Option<crate::metadata::Timestamp>| {
        time.as_ref().map(|time| time.as_str().to_owned())
    };
    for (element, value) in [
        ("birthTime", time(&person.birth_time)),
        ("deceasedInd", flag(person.deceased)),
        ("deceasedTime", time(&person.deceased_time)),
        ("multipleBirthInd", flag(person.multiple_birth)),
        (
            "multipleBirthOrderNumber",
            person.multiple_birth_order.map(|it| it.to_string()),
        ),
    ] {
        if let Some(value) = value {
            write_attribute(writer, element, "value", &value);
        }
    }
    for address in &person.addresses {
        write_address(writer, "addr", address);
    }
}

fn write_relatives(writer: &mut Writer, person: &Person) {
    if let Some(name) = &person.mothers_maiden_name {
        writer
            .open("personalRelationship")
            .attribute("classCode", "PRS")
            .open("code")
            .attribute("code", MOTHER)
            .attribute("codeSystem", ROLES)
            .close("code")
            .open("relationshipHolder1")
            .attribute("classCode", "PSN")
            .attribute("determinerCode", "INSTANCE");
        write_name(writer, "name", name);
        writer
            .close("relationshipHolder1")
            .close("personalRelationship");
    }
    let place = &person.birth_place;
    if place.is_empty() {
        return;
    }
    writer.open("birthPlace").attribute("classCode", "BIRTHPL");
    if let Some(address) = &place.address {
        write_address(writer, "addr", address);
    }
    if let Some(name) = &place.name {
        writer
            .open("birthplace")
            .attribute("classCode", "PLC")
            .attribute("determinerCode", "INSTANCE")
            .element("name", name)
            .close("birthplace");
    }
    writer.close("birthPlace");
}

fn write_role(writer: &mut Writer, domain: &str, ids: impl FnOnce(&mut Writer)) {
    writer.open("asOtherIDs").attribute("classCode", "PAT");
    ids(writer);
    writer
        .open("scopingOrganization")
        .attribute("classCode", "ORG")
        .attribute("determinerCode", "INSTANCE");
    InstanceId::new(domain).write(writer, "id");
    writer.close("scopingOrganization").close("asOtherIDs");
}

/// The provider organization has a root only, which is that of an identifier (3.44.4.1.2.1).
fn write_provider(writer: &mut Writer, root: &str) {
    writer
        .open("providerOrganization")
        .attribute("classCode", "ORG")
        .attribute("determinerCode", "INSTANCE");
    InstanceId::new(root).write(writer, "id");
    writer
        .open("contactParty")
        .attribute("classCode", "CON")
        .open("telecom")
        .attribute("nullFlavor", "NASK")
        .close("telecom")
        .close("contactParty")
        .close("providerOrganization");
}
