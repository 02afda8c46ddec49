//! `parameterList`: what is asked.

use crate::hl7v3::InstanceId;
use crate::hl7v3::datatypes::{
    attribute, read_address, read_name, read_telecom, read_time, write_address, write_attribute,
    write_name, write_telecom,
};
use crate::metadata::{PatientId, Timestamp};
use crate::person::{Address, Gender, PersonName, Telecom, clean, push};
use crate::xml::{Element, Reader, Writer, XmlError, ns};

/// Values of parameters that one question may have, all together.
pub const MOST_PARAMETERS: usize = 100;

/// Demographics that are asked for (Tables 3.47.4.1.2.2-1 and 3.55.4.1.2.2-1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// LivingSubjectAdministrativeGender.
    pub gender: Option<Gender>,
    /// LivingSubjectBirthTime.
    pub birth_time: Option<AskedTime>,
    /// Whether something was sent as LivingSubjectBirthTime that is no date.
    pub birth_time_is_wrong: bool,
    /// LivingSubjectBirthPlaceAddress: one of them.
    pub birth_place_addresses: Vec<Address>,
    /// LivingSubjectBirthPlaceName: one of them.
    pub birth_place_names: Vec<String>,
    /// LivingSubjectId: all of them (3.47.4.1.2.1).
    pub ids: Vec<InstanceId>,
    /// LivingSubjectName: one of them.
    pub names: Vec<PersonName>,
    /// MothersMaidenName.
    pub mothers_maiden_names: Vec<PersonName>,
    /// OtherIDsScopingOrganization: domains of which identifiers are wanted.
    pub domains: Vec<InstanceId>,
    /// PatientAddress: one of them.
    pub addresses: Vec<Address>,
    /// PatientTelecom: one of them.
    pub telecoms: Vec<Telecom>,
    /// PrincipalCareProviderId: one of them.
    pub care_providers: Vec<InstanceId>,
    /// Parameters of HL7 that were sent and are not in the framework's model.
    pub others: Vec<&'static str>,
}

/// When somebody was born: a moment as precise as it is written, or a range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AskedTime {
    /// The moment.
    pub value: Option<Timestamp>,
    /// Not before.
    pub low: Option<Timestamp>,
    /// Not after.
    pub high: Option<Timestamp>,
}

impl AskedTime {
    /// A moment.
    pub const fn at(value: Timestamp) -> Self {
        Self {
            value: Some(value),
            low: None,
            high: None,
        }
    }
}

impl Parameters {
    /// Those of `ids` that name patients.
    pub fn patient_ids(&self) -> Vec<PatientId> {
        self.ids.iter().filter_map(InstanceId::patient).collect()
    }

    /// Whether there is nothing by which anybody could be found.
    pub fn is_empty(&self) -> bool {
        let domains = self.domains.clone();
        let others = self.others.clone();
        *self
            == Self {
                domains,
                others,
                ..Self::default()
            }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, XmlError> {
        let mut parameters = Self::default();
        let mut values = 0;
        while let Some(parameter) = reader.child()? {
            let name = known(parameter.name());
            let Some(name) = name else {
                let other = OTHERS.iter().find(|it| **it == parameter.name());
                if let Some(other) = other {
                    push(&mut parameters.others, other, OTHERS.len());
                }
                reader.skip()?;
                continue;
            };
            while let Some(child) = reader.child()? {
                if child.name() != "value" {
                    reader.skip()?;
                    continue;
                }
                values += 1;
                if values > MOST_PARAMETERS {
                    let reason = format!("the question has more than {MOST_PARAMETERS} values");
                    return Err(reader.error(reason));
                }
                parameters.value(reader, name, &child)?;
            }
        }
        parameters.others.sort_unstable();
        Ok(parameters)
    }

    fn value(
        &mut self,
        reader: &mut Reader<'_>,
        parameter: &str,
        value: &Element<'_>,
    ) -> Result<(), XmlError> {
        let named = |name: &PersonName| !name.is_empty();
        let placed = |address: &Address| !address.is_empty();
        match parameter {
            GENDER => {
                let code = attribute(reader, value, "code")?;
                self.gender = code.and_then(|code| Gender::parse(&code)).or(self.gender);
            }
            BIRTH_TIME => {
                let (asked, is_wrong) = asked_time(reader, value)?;
                self.birth_time_is_wrong |= is_wrong;
                self.birth_time = Some(asked).filter(|it| *it != AskedTime::default());
            }
            BIRTH_PLACE_ADDRESS => {
                let address = read_address(reader, value)?;
                self.birth_place_addresses
                    .extend(Some(address).filter(placed));
            }
            BIRTH_PLACE_NAME => {
                let mut text = String::new();
                while reader.child_in_text(&mut text)?.is_some() {
                    reader.skip()?;
                }
                self.birth_place_names.extend(clean(&text));
            }
            ID => self.ids.extend(some(InstanceId::read(reader, value)?)),
            NAME => {
                let name = read_name(reader, value)?;
                self.names.extend(Some(name).filter(named));
            }
            MOTHERS_NAME => {
                let name = read_name(reader, value)?;
                self.mothers_maiden_names.extend(Some(name).filter(named));
            }
            DOMAIN => self.domains.extend(some(InstanceId::read(reader, value)?)),
            ADDRESS => {
                let address = read_address(reader, value)?;
                self.addresses.extend(Some(address).filter(placed));
            }
            TELECOM => self.telecoms.extend(read_telecom(reader, value)?),
            CARE_PROVIDER => {
                let id = InstanceId::read(reader, value)?;
                self.care_providers.extend(some(id));
            }
            _ => reader.skip()?,
        }
        Ok(())
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.open("parameterList");
        if let Some(gender) = self.gender {
            parameter(writer, GENDER, |writer| {
                write_attribute(writer, "value", "code", gender.code());
            });
        }
        alternatives(
            writer,
            BIRTH_PLACE_ADDRESS,
            &self.birth_place_addresses,
            |w, it| write_address(w, "value", it),
        );
        alternatives(
            writer,
            BIRTH_PLACE_NAME,
            &self.birth_place_names,
            |w, it| {
                w.element("value", it);
            },
        );
        if self.birth_time.is_some() || self.birth_time_is_wrong {
            let time = self.birth_time.clone().unwrap_or_default();
            let is_wrong = self.birth_time_is_wrong;
            parameter(writer, BIRTH_TIME, |writer| time.write(writer, is_wrong));
        }
        self.write_other(writer, DECEASED_TIME);
        let id = |writer: &mut Writer, id: &InstanceId| id.write(writer, "value");
        let name = |writer: &mut Writer, name: &PersonName| write_name(writer, "value", name);
        each(writer, ID, &self.ids, id);
        each(writer, NAME, &self.names, name);
        each(writer, MOTHERS_NAME, &self.mothers_maiden_names, name);
        each(writer, DOMAIN, &self.domains, id);
        alternatives(writer, ADDRESS, &self.addresses, |w, it| {
            write_address(w, "value", it);
        });
        self.write_other(writer, STATUS);
        alternatives(writer, TELECOM, &self.telecoms, |w, it| {
            write_telecom(w, "value", it);
        });
        each(writer, CARE_PROVIDER, &self.care_providers, id);
        self.write_other(writer, CARE_PROVISION);
        writer.close("parameterList");
    }

    /// That something was asked which is not understood here.
    fn write_other(&self, writer: &mut Writer, name: &str) {
        if self.others.contains(&name) {
            writer
                .open(name)
                .attribute("xmlns:xsi", ns::XSI)
                .attribute("xsi:nil", "true")
                .close(name);
        }
    }
}

impl AskedTime {
    /// What was no date stays none: without it the question would fit more people.
    fn write(&self, writer: &mut Writer, is_wrong: bool) {
        let value = self.value.as_ref().map(Timestamp::as_str);
        writer.open("value").optional("value", value);
        if is_wrong {
            write_attribute(writer, "low", "value", "?");
        }
        for (name, bound) in [("low", &self.low), ("high", &self.high)] {
            if let Some(bound) = bound {
                write_attribute(writer, name, "value", bound.as_str());
            }
        }
        writer.close("value");
    }
}

/// `IVL<TS>`: the moment or range, and whether a part of it is none. A centre without a width is a
/// moment.
fn asked_time(
    reader: &mut Reader<'_>,
    element: &Element<'_>,
) -> Result<(AskedTime, bool), XmlError> {
    let is_wrong = |element: &Element<'_>| {
        let value = element.attribute("value");
        value.is_some_and(|value| {
            let value = value.trim();
            !value.is_empty() && crate::person::birth_time(value).is_none()
        })
    };
    let value = element.attribute("value");
    let mut wrong = is_wrong(element);
    let mut asked = AskedTime {
        value: value.and_then(|value| crate::person::birth_time(&value)),
        ..AskedTime::default()
    };
    while let Some(child) = reader.child()? {
        let name = child.name();
        wrong |= matches!(name, "low" | "high" | "center") && is_wrong(&child);
        match name {
            "low" => asked.low = read_time(reader, &child)?,
            "high" => asked.high = read_time(reader, &child)?,
            "center" => asked.value = read_time(reader, &child)?,
            _ => reader.skip()?,
        }
    }
    Ok((asked, wrong))
}

/// An identifier or domain that is not a null.
fn some(id: InstanceId) -> Option<InstanceId> {
    (!id.root.is_empty()).then_some(id)
}

const GENDER: &str = "livingSubjectAdministrativeGender";
const BIRTH_TIME: &str = "livingSubjectBirthTime";
const BIRTH_PLACE_ADDRESS: &str = "livingSubjectBirthPlaceAddress";
const BIRTH_PLACE_NAME: &str = "livingSubjectBirthPlaceName";
const ID: &str = "livingSubjectId";
const NAME: &str = "livingSubjectName";
const MOTHERS_NAME: &str = "mothersMaidenName";
const DOMAIN: &str = "otherIDsScopingOrganization";
const ADDRESS: &str = "patientAddress";
const TELECOM: &str = "patientTelecom";
const CARE_PROVIDER: &str = "principalCareProviderId";
const DECEASED_TIME: &str = "livingSubjectDeceasedTime";
const STATUS: &str = "patientStatusCode";
const CARE_PROVISION: &str = "principalCareProvisionId";

/// Parameters of HL7 that the framework leaves out (3.47.4.1.2.2, 3.55.4.1.2.2).
const OTHERS: [&str; 3] = [DECEASED_TIME, STATUS, CARE_PROVISION];

/// Parameters and their `semanticsText`.
const SEMANTICS: [(&str, &str); 11] = [
    (GENDER, "LivingSubject.administrativeGender"),
    (BIRTH_TIME, "LivingSubject.birthTime"),
    (BIRTH_PLACE_ADDRESS, "LivingSubject.BirthPlace.Addr"),
    (BIRTH_PLACE_NAME, "LivingSubject.BirthPlace.Place.Name"),
    (ID, "LivingSubject.id"),
    (NAME, "LivingSubject.name"),
    (MOTHERS_NAME, "Person.MothersMaidenName"),
    (DOMAIN, "OtherIDs.scopingOrganization.id"),
    (ADDRESS, "Patient.addr"),
    (TELECOM, "Patient.telecom"),
    (CARE_PROVIDER, "AssignedProvider.id"),
];

/// The parameter of this name. The framework's example of ITI-55 begins it with a capital letter.
fn known(name: &str) -> Option<&'static str> {
    let mut names = SEMANTICS.iter().map(|(name, _)| *name);
    names.find(|known| known.eq_ignore_ascii_case(name))
}

fn parameter(writer: &mut Writer, name: &str, value: impl FnOnce(&mut Writer)) {
    writer.open(name);
    value(writer);
    let semantics = SEMANTICS.iter().find(|(known, _)| *known == name);
    if let Some((_, text)) = semantics {
        writer.element("semanticsText", text);
    }
    writer.close(name);
}

/// A parameter for each value.
fn each<T>(writer: &mut Writer, name: &str, values: &[T], write: impl Fn(&mut Writer, &T)) {
    for value in values {
        parameter(writer, name, |writer| write(writer, value));
    }
}

/// One parameter with all values.
fn alternatives<T>(writer: &mut Writer, name: &str, values: &[T], write: impl Fn(&mut Writer, &T)) {
    if values.is_empty() {
        return;
    }
    parameter(writer, name, |writer| {
        for value in values {
            write(writer, value);
        }
    });
}
