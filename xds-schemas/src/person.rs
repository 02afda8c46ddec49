//! A person, as patients are told apart: what feeds say of them (ITI-8, ITI-44), and what is asked and
//! answered about them (ITI-45, ITI-47, ITI-55).
//!
//! One form for HL7 v2 (PID, ITI TF-2 3.8.4.1.2.3), HL7 v3 (Patient and Person, ITI TF-2 3.44.4.1.2) and
//! JSON. What a registry has no use for (race, religion, employment …) is not read. Nothing in it belongs
//! into logs.

mod hl7v2;
mod limits;
pub mod matching;
mod revision;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};

use crate::metadata::{PatientId, Timestamp};

pub use limits::{LONGEST_TEXT, MOST_OF_A_KIND, MOST_PARTS};
pub(crate) use limits::{birth_time, clean, identifier, push, push_text};
pub use revision::Said;
pub use words::{digits, words, words_of};

/// What is known of a person. Everything may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Person {
    /// Identifiers in any domain that is named by an OID.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<PatientId>,
    /// Names. The first one is that which is used most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<PersonName>,
    /// The sex for administrative purposes, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<Gender>,
    /// The birth, as precisely as it is known, in local time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_time: Option<Timestamp>,
    /// Where it was.
    #[serde(skip_serializing_if = "BirthPlace::is_empty")]
    pub birth_place: BirthPlace,
    /// Postal addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Address>,
    /// Telephone numbers, e-mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub telecoms: Vec<Telecom>,
    /// The mother's name before she married.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mothers_maiden_name: Option<PersonName>,
    /// Whether the person is dead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deceased: Option<bool>,
    /// When the person died.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deceased_time: Option<Timestamp>,
    /// Whether the person is one of twins or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_birth: Option<bool>,
    /// Which of them, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_birth_order: Option<u8>,
}

impl Person {
    /// Whether nothing but identifiers is known.
    pub fn is_anonymous(&self) -> bool {
        let ids = self.ids.clone();
        *self
            == Self {
                ids,
                ..Self::default()
            }
    }

    /// The identifiers that an authority assigned.
    pub fn ids_of<'p>(&'p self, authority: &'p str) -> impl Iterator<Item = &'p PatientId> {
        self.ids.iter().filter(move |id| id.authority == authority)
    }
}

/// A name: PN of HL7 v3, XPN of HL7 v2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PersonName {
    /// Family names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub family: Vec<String>,
    /// Given names, in order; the first ones are first names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<String>,
    /// What stands before the name, such as an academic title.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<String>,
    /// What stands behind it, such as Jr.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suffix: Vec<String>,
    /// The whole name, if nobody says which part of it is what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What the name is used for: a code of EntityNameUse, such as `L` (legal) or, in a question, `SRCH`.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

impl PersonName {
    /// A name of one family and one given name.
    pub fn of(family: &str, given: &str) -> Self {
        let mut name = Self::default();
        push_text(&mut name.family, family);
        push_text(&mut name.given, given);
        name
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let parts = [&self.family, &self.given, &self.prefix, &self.suffix];
        parts.iter().all(|part| part.is_empty()) && self.text.is_none()
    }

    /// Whether a question asks for names that are like this one (`SRCH`).
    pub fn is_search(&self) -> bool {
        self.usage.as_deref() == Some(SEARCH)
    }
}

/// The use of a name in a question that is not limited to exact matches (ITI TF-2 3.47.4.1.2.1).
pub const SEARCH: &str = "SRCH";

/// The administrative gender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gender {
    /// F.
    Female,
    /// M.
    Male,
    /// UN of HL7 v3; O and A of HL7 v2.
    Other,
}

impl Gender {
    /// The code of AdministrativeGender (HL7 v3).
    pub const fn code(self) -> &'static str {
        match self {
            Self::Female => "F",
            Self::Male => "M",
            Self::Other => "UN",
        }
    }

    /// Reads a code of either version of HL7; what says that it is not known is nothing.
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "F" => Some(Self::Female),
            "M" => Some(Self::Male),
            "UN" | "O" | "A" => Some(Self::Other),
            _ => None,
        }
    }
}

/// A postal address: AD of HL7 v3, XAD of HL7 v2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Address {
    /// Street and number, or whatever stands there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
    /// The town.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// The state or province.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The whole address, if nobody says which part of it is what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is used for: a code of PostalAddressUse, such as `HP` (home).
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

impl Address {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        let usage = self.usage.clone();
        *self
            == Self {
                usage,
                ..Self::default()
            }
    }
}

/// A way to reach somebody: TEL of HL7 v3, XTN of HL7 v2.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Telecom {
    /// A URL, such as `tel:+43-1-1234` or `mailto:a@b.example`.
    pub value: String,
    /// What it is used for: a code of TelecommunicationAddressUse, such as `HP` (home).
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
}

/// Where somebody was born.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BirthPlace {
    /// Its name, such as that of a hospital.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

impl BirthPlace {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.name.is_none() && self.address.is_none()
    }
}
