//! DICOM audit messages as events of FHIR: the mapping of the RESTful ATNA supplement.
//!
//! What an event of FHIR must have and a message does not say is said to be unknown. What FHIR has no
//! place for becomes a detail of its object; nothing is left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xds_schemas::audit_message::{
    ActiveParticipant, AuditMessage, AuditSource, CodedValue, ParticipantObject,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::metadata::hl7::is_oid;

use super::audit_event::{
    Agent, AuditEvent, Coding, Concept, Detail, Entity, Identifier, Meta, Network, Reference,
    Source,
};
use super::codes::{self, Place, coding};
use super::{balp, time};

/// What is known of a message besides what it says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received {
    /// When it came, in milliseconds since 1970.
    pub(crate) at: i64,
    /// From which address.
    pub(crate) from: String,
    /// Who sent it: what the certificate or else the header says.
    pub(crate) sender: Option<String>,
    /// When the header says that it was written.
    pub(crate) written: Option<i64>,
}

/// The event that a message tells of.
pub(crate) fn event(id: &str, message: &AuditMessage, received: &Received) -> AuditEvent {
    let said = &message.event;
    let time = said.date_time.as_deref().and_then(time::point);
    let mut agent: Vec<Agent> = message.participants.iter().map(agent).collect();
    if agent.is_empty() {
        agent.push(sender(received));
    }
    let (first, others) = match message.sources.split_first() {
        Some((first, others)) => (source(first), others),
        None => (unsaid_source(received), &[][..]),
    };
    let mut entity: Vec<Entity> = message.objects.iter().map(entity).collect();
    entity.extend(others.iter().map(further_source));
    let mut event = AuditEvent {
        resource_type: "AuditEvent".to_owned(),
        id: id.to_owned(),
        kind: said
            .id
            .as_ref()
            .map_or_else(unknown, |it| coding(it, Place::Event)),
        subtype: said
            .types
            .iter()
            .map(|it| coding(it, Place::EventType))
            .collect(),
        action: one_of(said.action.as_deref(), &["C", "R", "U", "D", "E"]),
        recorded: time::instant(time.or(received.written).unwrap_or(received.at)),
        outcome: one_of(said.outcome.as_deref(), &["0", "4", "8", "12"]),
        outcome_desc: said.outcome_description.clone(),
        purpose_of_event: concepts(&said.purposes, Place::Purpose),
        agent,
        source: first,
        entity,
        meta: None,
    };
    event.meta = Some(meta(received.at, balp::profiles(&event)));
    event
}

/// An event for what could not be understood: that something came, when, and from where.
pub(crate) fn unreadable(id: &str, reason: &str, received: &Received) -> AuditEvent {
    let detail = |kind: &str, text: &str| Detail {
        kind: kind.to_owned(),
        value_string: Some(text.to_owned()),
        value_base64_binary: None,
    };
    AuditEvent {
        resource_type: "AuditEvent".to_owned(),
        id: id.to_owned(),
        kind: Coding::new(codes::HILUM, codes::UNREADABLE, "Unreadable audit record"),
        recorded: time::instant(received.written.unwrap_or(received.at)),
        agent: vec![sender(received)],
        source: unsaid_source(received),
        entity: vec![Entity {
            kind: Some(Coding::new(codes::ENTITY_TYPE, "2", "System Object")),
            role: Some(Coding::new(codes::ENTITY_ROLE, "13", "Security Resource")),
            what: Some(Reference::known_as(id)),
            detail: vec![detail("reason", reason)],
            ..Entity::default()
        }],
        meta: Some(meta(received.at, Vec::new())),
        ..AuditEvent::default()
    }
}

pub(crate) fn meta(at: i64, profile: Vec<String>) -> Meta {
    Meta {
        version_id: Some("1".to_owned()),
        last_updated: Some(time::instant(at)),
        profile,
    }
}

fn unknown() -> Coding {
    Coding::new(codes::ABSENT, "unknown", "Unknown")
}

fn one_of(said: Option<&str>, known: &[&str]) -> Option<String> {
    let said = said?;
    known.contains(&said).then(|| said.to_owned())
}

fn concepts(values: &[CodedValue], place: Place) -> Vec<Concept> {
    values.iter().map(|it| coding(it, place).into()).collect()
}

/// The agent of a message that names none.
fn sender(received: &Received) -> Agent {
    let called = received.sender.as_deref().unwrap_or(&received.from);
    let address = received.from.parse::<std::net::IpAddr>();
    Agent {
        who: Some(Reference::called(called)),
        network: address.is_ok().then(|| Network {
            address: Some(received.from.clone()),
            kind: Some("2".to_owned()),
        }),
        ..Agent::default()
    }
}

fn unsaid_source(received: &Received) -> Source {
    let called = received.sender.as_deref().unwrap_or(&received.from);
    Source {
        observer: Reference::called(called),
        ..Source::default()
    }
}

fn agent(said: &ActiveParticipant) -> Agent {
    let mut role = concepts(&said.roles, Place::Participant);
    // Which part somebody played is the type if it is one of DICOM's, and a role otherwise.
    let parts = ["110150", "110151", "110152", "110153", "110154", "110155"];
    let is_part = |it: &Concept| parts.iter().any(|part| it.is(codes::DCM, part));
    let kind = role.iter().position(is_part).map(|at| role.remove(at));
    let network_type = one_of(said.network_type.as_deref(), &["1", "2", "3", "4", "5"]);
    let network = Network {
        address: said.network_id.clone(),
        kind: network_type,
    };
    let who = match (&said.user_id, &said.user_name) {
        (Some(id), _) => Some(Reference::known_as(id)),
        (None, Some(name)) => Some(Reference::called(name)),
        (None, None) => None,
    };
    Agent {
        kind,
        role,
        who,
        alt_id: said.alternative_user_id.clone(),
        name: said.user_name.clone(),
        requestor: said.requestor.unwrap_or_default(),
        media: said
            .medium
            .as_ref()
            .map(|it| coding(it, Place::Participant)),
        network: (network != Network::default()).then_some(network),
        ..Agent::default()
    }
}

fn source(said: &AuditSource) -> Source {
    Source {
        site: said.enterprise_site.clone(),
        observer: match &said.id {
            Some(id) => Reference::known_as(id),
            None => Reference::called("unknown"),
        },
        kind: said
            .types
            .iter()
            .map(|it| coding(it, Place::Source))
            .collect(),
    }
}

/// RFC 3881 allows more sources than FHIR does.
fn further_source(said: &AuditSource) -> Entity {
    Entity {
        what: said.id.as_deref().map(Reference::known_as),
        kind: Some(Coding::new(codes::ENTITY_TYPE, "4", "Other")),
        description: Some("a further audit source".to_owned()),
        ..Entity::default()
    }
}

fn entity(said: &ParticipantObject) -> Entity {
    let code = |system: &str, code: &Option<String>| {
        let code = codes::token(code.as_deref()?);
        Some(Coding {
            system: Some(system.to_owned()),
            display: codes::display(system, &code).map(str::to_owned),
            code: Some(code),
        })
    };
    // FHIR allows either a name or a query (sev-1).
    let (name, description) = match &said.query {
        Some(_) => (None, said.name.clone()),
        None => (said.name.clone(), None),
    };
    Entity {
        what: what(said),
        kind: code(codes::ENTITY_TYPE, &said.kind),
        role: code(codes::ENTITY_ROLE, &said.role),
        lifecycle: code(codes::LIFE_CYCLE, &said.life_cycle),
        security_label: said.sensitivity.iter().map(|it| sensitivity(it)).collect(),
        name,
        description,
        query: said
            .query
            .as_deref()
            .map(|it| base64(it).unwrap_or_else(|| BASE64.encode(it))),
        detail: details(said),
    }
}

/// Whether an object is the patient.
fn is_patient(said: &ParticipantObject) -> bool {
    said.kind.as_deref() == Some("1") && said.role.as_deref() == Some("1")
}

fn what(said: &ParticipantObject) -> Option<Reference> {
    let kind = said
        .id_type
        .as_ref()
        .map(|it| coding(it, Place::Object).into());
    if said.id.is_none() && kind.is_none() {
        return None;
    }
    let mut identifier = Identifier {
        kind,
        system: None,
        value: said.id.clone(),
    };
    let patient = is_patient(said);
    if patient && let Some((system, value)) = said.id.as_deref().and_then(patient_id) {
        identifier.system = Some(system);
        identifier.value = Some(value);
    }
    Some(Reference {
        kind: patient.then(|| "Patient".to_owned()),
        identifier: Some(identifier),
        ..Reference::default()
    })
}

/// The system and value of a CX: `12^^^&1.2.3&ISO` is `12` of `urn:oid:1.2.3`. One with more in it than
/// the framework wants is understood as well.
pub(crate) fn patient_id(cx: &str) -> Option<(String, String)> {
    if let Ok(id) = PatientId::parse(cx) {
        return Some((format!("urn:oid:{}", id.authority), id.id));
    }
    let mut components = cx.split('^');
    let id = components.next().filter(|id| !id.is_empty())?;
    let mut authority = components.nth(2)?.split('&');
    let oid = authority.nth(1).filter(|oid| is_oid(oid))?;
    Some((format!("urn:oid:{oid}"), id.to_owned()))
}

fn sensitivity(text: &str) -> Coding {
    match text {
        "U" | "L" | "M" | "N" | "R" | "V" => Coding {
            system: Some(codes::CONFIDENTIALITY.to_owned()),
            code: Some(text.to_owned()),
            display: None,
        },
        text => Coding {
            display: Some(text.to_owned()),
            ..Coding::default()
        },
    }
}

/// The same without white space, if it is base64.
fn base64(text: &str) -> Option<String> {
    let plain: String = text.split_ascii_whitespace().collect();
    let sound = !plain.is_empty() && BASE64.decode(&plain).is_ok();
    sound.then_some(plain)
}

fn details(said: &ParticipantObject) -> Vec<Detail> {
    let named = |kind: &str| match kind {
        "" => "unknown".to_owned(),
        kind => kind.to_owned(),
    };
    let told = said.details.iter().filter(|(_, value)| !value.is_empty());
    let mut details: Vec<Detail> = told
        .map(|(kind, value)| {
            let binary = base64(value);
            Detail {
                kind: named(kind),
                value_string: binary.is_none().then(|| value.clone()),
                value_base64_binary: binary,
            }
        })
        .collect();
    let mut say = |kind: &str, text: String| {
        details.push(Detail {
            kind: kind.to_owned(),
            value_string: Some(text),
            value_base64_binary: None,
        });
    };
    for study in &said.studies {
        say("ParticipantObjectContainsStudy", study.clone());
    }
    for (uid, instances) in &said.sop_classes {
        let instances = instances.as_deref();
        say(
            "SOPClass",
            instances.map_or_else(|| uid.clone(), |many| format!("{uid} ({many})")),
        );
    }
    let others = [
        ("Accession", &said.accessions),
        ("MPPS", &said.mpps),
        ("Instance", &said.instances),
    ];
    for (kind, values) in others {
        for value in values {
            say(kind, value.clone());
        }
    }
    details
}
