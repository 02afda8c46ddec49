//! Basic Audit Log Patterns: which profiles of IHE's content an event follows.
//!
//! They are for what happens to resources of FHIR: an event of DICOM's types follows none of them, and
//! none is claimed for it.
//! <https://profiles.ihe.net/ITI/BALP/content.html>

use super::audit_event::{Agent, AuditEvent, Entity};
use super::codes::{DCM, ENTITY_ROLE, ENTITY_TYPE, EVENT_TYPE, INTERACTION};

const PROFILE: &str = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit";

/// What is asked of an event of one kind.
struct Pattern {
    name: &'static str,
    action: &'static str,
    interactions: &'static [&'static str],
    /// Roles of DICOM in which the client and the server are.
    client: &'static str,
    server: &'static str,
}

const SOURCE: &str = "110153";
const DESTINATION: &str = "110152";

const PATTERNS: [Pattern; 5] = [
    Pattern {
        name: "Create",
        action: "C",
        interactions: &["create"],
        client: SOURCE,
        server: DESTINATION,
    },
    Pattern {
        name: "Read",
        action: "R",
        interactions: &["read", "vread"],
        client: DESTINATION,
        server: SOURCE,
    },
    Pattern {
        name: "Update",
        action: "U",
        interactions: &["update", "patch"],
        client: SOURCE,
        server: DESTINATION,
    },
    Pattern {
        name: "Delete",
        action: "D",
        interactions: &["delete"],
        client: SOURCE,
        server: DESTINATION,
    },
    Pattern {
        name: "Query",
        action: "E",
        interactions: &["search", "search-type", "search-system"],
        client: SOURCE,
        server: DESTINATION,
    },
];

/// The profiles that an event follows: the one for a patient's data where one is named, else the plain
/// one.
pub(crate) fn profiles(event: &AuditEvent) -> Vec<String> {
    if !event.kind.is(EVENT_TYPE, "rest") || event.outcome.as_deref() != Some("0") {
        return Vec::new();
    }
    let followed = PATTERNS.iter().find(|pattern| pattern.is_followed(event));
    let patient = match only(event.entity.iter().filter(|it| is_patient(it))) {
        Some(entity) if names_patient(entity) => "Patient",
        _ => "",
    };
    let profile = |pattern: &Pattern| format!("{PROFILE}.{patient}{}", pattern.name);
    followed.map(profile).into_iter().collect()
}

impl Pattern {
    fn is_followed(&self, event: &AuditEvent) -> bool {
        let interaction = |code| event.subtype.iter().any(|it| it.is(INTERACTION, code));
        event.action.as_deref() == Some(self.action)
            && self.interactions.iter().any(|code| interaction(code))
            && is_machine(event, self.client)
            && is_machine(event, self.server)
            && self.has_object(event)
    }

    /// The query of a search, or the one thing that something was done with.
    fn has_object(&self, event: &AuditEvent) -> bool {
        let of_system = event
            .entity
            .iter()
            .filter(|it| is(&it.kind, ENTITY_TYPE, "2"));
        let Some(object) = only(of_system) else {
            return false;
        };
        if self.name == "Query" {
            return is(&object.role, ENTITY_ROLE, "24")
                && object.query.is_some()
                && object.what.is_none()
                && object.lifecycle.is_none()
                && object.detail.is_empty();
        }
        let roles = ["3", "4", "20"];
        object.what.is_some() && roles.iter().any(|it| is(&object.role, ENTITY_ROLE, it))
    }
}

fn is(coding: &Option<super::audit_event::Coding>, system: &str, code: &str) -> bool {
    coding.as_ref().is_some_and(|it| it.is(system, code))
}

/// Whether exactly one machine is in this role, and it is known who and where it is.
fn is_machine(event: &AuditEvent, role: &str) -> bool {
    let of_role = |agent: &&Agent| agent.kind.as_ref().is_some_and(|it| it.is(DCM, role));
    only(event.agent.iter().filter(of_role)).is_some_and(|agent| {
        agent.who.is_some() && agent.network.is_some() && agent.media.is_none()
    })
}

fn is_patient(entity: &Entity) -> bool {
    is(&entity.kind, ENTITY_TYPE, "1") && is(&entity.role, ENTITY_ROLE, "1")
}

fn names_patient(entity: &Entity) -> bool {
    entity.what.as_ref().is_some_and(|what| {
        let reference = what.reference.as_deref().unwrap_or_default();
        what.kind.as_deref() == Some("Patient") || reference.contains("Patient/")
    })
}

fn only<'a, T>(mut all: impl Iterator<Item = &'a T>) -> Option<&'a T> {
    let first = all.next();
    first.filter(|_| all.next().is_none())
}
