//! The audit message and its XML.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hilum_security::{User, UserCode};
use xds_schemas::xml::Writer;

/// Who records: `AuditSourceIdentification`, and what a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `AuditSourceID`.
    pub id: String,
    /// `AuditEnterpriseSiteID`.
    pub enterprise_site: Option<String>,
    /// The name or address of this machine.
    pub host: String,
    /// The process id.
    pub process: String,
}

/// A coded value. `originalText` and `codeSystemName` are mandatory in IHE (ITI-20).
#[derive(Debug, Clone)]
pub(crate) struct Coded {
    pub(crate) code: &'static str,
    pub(crate) system: &'static str,
    pub(crate) text: &'static str,
}

impl Coded {
    pub(crate) const fn dcm(code: &'static str, text: &'static str) -> Self {
        let system = "DCM";
        Self { code, system, text }
    }

    pub(crate) const fn rfc3881(code: &'static str, text: &'static str) -> Self {
        let system = "RFC-3881";
        Self { code, system, text }
    }

    pub(crate) const fn ihe(code: &'static str, text: &'static str) -> Self {
        let system = "IHE Transactions";
        Self { code, system, text }
    }

    fn write(&self, xml: &mut Writer, element: &str) {
        xml.open(element)
            .attribute("csd-code", self.code)
            .attribute("codeSystemName", self.system)
            .attribute("originalText", self.text)
            .close(element);
    }
}

/// `AuditMessage`.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: Coded,
    pub(crate) action: &'static str,
    pub(crate) outcome: &'static str,
    pub(crate) outcome_description: Option<String>,
    pub(crate) type_code: Option<Coded>,
    pub(crate) participants: Vec<Participant>,
    pub(crate) objects: Vec<Object>,
}

/// `ActiveParticipant`.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    pub(crate) user_id: String,
    pub(crate) user_name: Option<String>,
    pub(crate) requestor: bool,
    pub(crate) role: Option<Coded>,
    /// A DNS name or an IP address; `None` is this machine.
    pub(crate) address: Option<String>,
    /// Whether this is the recording process, which states its process id.
    pub(crate) own: bool,
    /// `MediaIdentifier`, if this is a medium.
    pub(crate) medium: Option<Coded>,
    /// If this is a person, who: with their roles, and their purposes, which are the event's.
    pub(crate) person: Option<Arc<User>>,
}

/// `ParticipantObjectIdentification`.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// 1 person, 2 system object, 3 organization.
    pub(crate) kind: &'static str,
    /// 1 patient, 3 report, 13 security resource, 20 job, 24 query.
    pub(crate) role: &'static str,
    pub(crate) id: String,
    pub(crate) id_type: Coded,
    /// 1 origination, 14 logical deletion, 15 permanent erasure.
    pub(crate) life_cycle: Option<&'static str>,
    pub(crate) query: Option<Vec<u8>>,
    pub(crate) details: Vec<(&'static str, String)>,
    /// SOP classes and how many instances of each.
    pub(crate) sop_classes: Vec<(String, u64)>,
}

impl Message {
    /// The message as XML, recorded by `source` at `moment`.
    pub(crate) fn write(&self, source: &Source, moment: &str) -> String {
        let mut xml = Writer::with_capacity(2048);
        xml.open("AuditMessage");
        self.write_event(&mut xml, moment);
        for participant in &self.participants {
            participant.write(&mut xml, source);
        }
        xml.open("AuditSourceIdentification")
            .optional("AuditEnterpriseSiteID", source.enterprise_site.as_deref())
            .attribute("AuditSourceID", &source.id);
        xml.open("AuditSourceTypeCode")
            .attribute("csd-code", "4")
            .attribute("codeSystemName", "DCM")
            .attribute("originalText", "Application Server process or thread")
            .close("AuditSourceTypeCode")
            .close("AuditSourceIdentification");
        for object in &self.objects {
            object.write(&mut xml);
        }
        xml.close("AuditMessage");
        xml.finish()
    }

    fn write_event(&self, xml: &mut Writer, moment: &str) {
        xml.open("EventIdentification")
            .attribute("EventActionCode", self.action)
            .attribute("EventDateTime", moment)
            .attribute("EventOutcomeIndicator", self.outcome);
        self.id.write(xml, "EventID");
        if let Some(code) = &self.type_code {
            code.write(xml, "EventTypeCode");
        }
        if let Some(description) = &self.outcome_description {
            xml.element("EventOutcomeDescription", description);
        }
        // ITI-20 and 3.40.4.1.2.3.1: for what purposes, if that was said.
        let people = self.participants.iter().filter_map(|it| it.person.as_ref());
        for purpose in people.flat_map(|person| &person.purposes) {
            write_code(xml, "PurposeOfUse", purpose);
        }
        xml.close("EventIdentification");
    }
}

/// A code that somebody else gave. What it has no words for is said by the code.
fn write_code(xml: &mut Writer, element: &str, code: &UserCode) {
    let system = match code.system.as_str() {
        "" => "unspecified",
        system => system,
    };
    let display = code.display.as_deref();
    xml.open(element)
        .attribute("csd-code", &code.code)
        .attribute("codeSystemName", system)
        .attribute("originalText", display.unwrap_or(&code.code))
        .close(element);
}

impl Participant {
    fn write(&self, xml: &mut Writer, source: &Source) {
        let address = self.address.as_deref().unwrap_or(&source.host);
        let is_address = address.parse::<std::net::IpAddr>().is_ok();
        xml.open("ActiveParticipant")
            .attribute("UserID", &self.user_id)
            .optional("AlternativeUserID", self.own.then_some(&*source.process))
            .optional("UserName", self.user_name.as_deref())
            .attribute(
                "UserIsRequestor",
                if self.requestor { "true" } else { "false" },
            )
            .attribute("NetworkAccessPointID", address)
            .attribute(
                "NetworkAccessPointTypeCode",
                if is_address { "2" } else { "1" },
            );
        if let Some(role) = &self.role {
            role.write(xml, "RoleIDCode");
        }
        for role in self.person.iter().flat_map(|person| &person.roles) {
            write_code(xml, "RoleIDCode", role);
        }
        if let Some(medium) = &self.medium {
            xml.open("MediaIdentifier");
            medium.write(xml, "MediaType");
            xml.close("MediaIdentifier");
        }
        xml.close("ActiveParticipant");
    }
}

impl Object {
    fn write(&self, xml: &mut Writer) {
        xml.open("ParticipantObjectIdentification")
            .attribute("ParticipantObjectID", &self.id)
            .attribute("ParticipantObjectTypeCode", self.kind)
            .attribute("ParticipantObjectTypeCodeRole", self.role)
            .optional("ParticipantObjectDataLifeCycle", self.life_cycle);
        self.id_type.write(xml, "ParticipantObjectIDTypeCode");
        if let Some(query) = &self.query {
            xml.element("ParticipantObjectQuery", &BASE64.encode(query));
        }
        for (kind, value) in &self.details {
            xml.open("ParticipantObjectDetail")
                .attribute("type", kind)
                .attribute("value", &BASE64.encode(value))
                .close("ParticipantObjectDetail");
        }
        if !self.sop_classes.is_empty() {
            xml.open("ParticipantObjectDescription");
            for (uid, instances) in &self.sop_classes {
                let instances = instances.to_string();
                xml.open("SOPClass")
                    .attribute("UID", uid)
                    .attribute("NumberOfInstances", &instances)
                    .close("SOPClass");
            }
            xml.close("ParticipantObjectDescription");
        }
        xml.close("ParticipantObjectIdentification");
    }
}
