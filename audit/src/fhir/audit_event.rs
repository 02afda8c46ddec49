//! `AuditEvent`, as far as it is made of audit messages and searched for. What else somebody sent is
//! kept where it came from.

use serde::{Deserialize, Serialize};

/// Whether something is not said, so that it is not written.
fn none<T>(it: &Option<T>) -> bool {
    it.is_none()
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct AuditEvent {
    pub(crate) resource_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) id: String,
    #[serde(skip_serializing_if = "none")]
    pub(crate) meta: Option<Meta>,
    #[serde(rename = "type")]
    pub(crate) kind: Coding,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) subtype: Vec<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) action: Option<String>,
    pub(crate) recorded: String,
    #[serde(skip_serializing_if = "none")]
    pub(crate) outcome: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) outcome_desc: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) purpose_of_event: Vec<Concept>,
    pub(crate) agent: Vec<Agent>,
    pub(crate) source: Source,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) entity: Vec<Entity>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Meta {
    #[serde(skip_serializing_if = "none")]
    pub(crate) version_id: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) last_updated: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) profile: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Coding {
    #[serde(skip_serializing_if = "none")]
    pub(crate) system: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) code: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) display: Option<String>,
}

/// `CodeableConcept`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) coding: Vec<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) text: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Identifier {
    #[serde(rename = "type", skip_serializing_if = "none")]
    pub(crate) kind: Option<Concept>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) system: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) value: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reference {
    #[serde(skip_serializing_if = "none")]
    pub(crate) reference: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "none")]
    pub(crate) kind: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) identifier: Option<Identifier>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) display: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Agent {
    #[serde(rename = "type", skip_serializing_if = "none")]
    pub(crate) kind: Option<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) role: Vec<Concept>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) who: Option<Reference>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) alt_id: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) name: Option<String>,
    pub(crate) requestor: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) policy: Vec<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) media: Option<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) network: Option<Network>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) purpose_of_use: Vec<Concept>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Network {
    #[serde(skip_serializing_if = "none")]
    pub(crate) address: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "none")]
    pub(crate) kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Source {
    #[serde(skip_serializing_if = "none")]
    pub(crate) site: Option<String>,
    pub(crate) observer: Reference,
    #[serde(rename = "type", skip_serializing_if = "Vec::is_empty")]
    pub(crate) kind: Vec<Coding>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Entity {
    #[serde(skip_serializing_if = "none")]
    pub(crate) what: Option<Reference>,
    #[serde(rename = "type", skip_serializing_if = "none")]
    pub(crate) kind: Option<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) role: Option<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) lifecycle: Option<Coding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) security_label: Vec<Coding>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) query: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) detail: Vec<Detail>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Detail {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(skip_serializing_if = "none")]
    pub(crate) value_string: Option<String>,
    #[serde(skip_serializing_if = "none")]
    pub(crate) value_base64_binary: Option<String>,
}

impl Coding {
    pub(crate) fn new(system: &str, code: &str, display: &str) -> Self {
        Self {
            system: Some(system.to_owned()),
            code: Some(code.to_owned()),
            display: Some(display.to_owned()),
        }
    }

    /// Whether this is the code of a system.
    pub(crate) fn is(&self, system: &str, code: &str) -> bool {
        self.system.as_deref() == Some(system) && self.code.as_deref() == Some(code)
    }
}

impl Concept {
    /// Whether it is this code, whatever it is besides.
    pub(crate) fn is(&self, system: &str, code: &str) -> bool {
        self.coding.iter().any(|coding| coding.is(system, code))
    }
}

impl From<Coding> for Concept {
    fn from(coding: Coding) -> Self {
        Self {
            coding: vec![coding],
            text: None,
        }
    }
}

impl Reference {
    /// Something known by an identifier.
    pub(crate) fn known_as(value: &str) -> Self {
        Self {
            identifier: Some(Identifier {
                value: Some(value.to_owned()),
                ..Identifier::default()
            }),
            ..Self::default()
        }
    }

    /// Something known by what people call it.
    pub(crate) fn called(display: &str) -> Self {
        Self {
            display: Some(display.to_owned()),
            ..Self::default()
        }
    }
}
