//! From the resource to what it means.

use std::time::SystemTime;

use xds_schemas::metadata::PatientId;

use super::resource::{Actor, CodeableConcept, Coding, Data, Identifier, Reference, Resource};
use super::{NotAConsent, URI, resource};
use crate::access::moment;
use crate::access::{Consent, Period, Provision, Status, Wish};

/// Provisions may be this deep in each other, and be so many.
const MAX_DEPTH: usize = 8;
const MAX_PROVISIONS: usize = 256;
/// Actions that reading is.
const READING: [&str; 3] = ["access", "use", "disclose"];

pub(super) type Read<T> = Result<T, NotAConsent>;

pub(super) fn wrong<T>(at: &str, problem: &str) -> Read<T> {
    Err(NotAConsent(format!("{at}: {problem}")))
}

pub(super) fn consent(resource: Resource) -> Read<Consent> {
    if resource.resource_type != "Consent" {
        return wrong("resourceType", "it is no Consent");
    }
    if resource.modifier_extension.is_some() || resource.implicit_rules.is_some() {
        return wrong(
            "modifierExtension, implicitRules",
            "they are not understood",
        );
    }
    let mut all = Status::ALL.into_iter();
    let Some(status) = all.find(|it| it.as_str() == resource.status) else {
        return wrong("status", "it is none of FHIR R4");
    };
    let given = resource.date_time.as_deref();
    let given = given.map(|text| time("dateTime", text)).transpose()?;
    let mut count = 0;
    let root = resource.provision.unwrap_or_default();
    let root = provision(root, "provision", (0, &mut count))?;
    let (base, period, provisions) = meant(base(resource.policy_rule.as_ref()), root)?;
    Ok(Consent {
        id: resource.id,
        patient_id: patient(resource.patient.as_ref())?,
        status,
        given: given.map(|(given, _)| given),
        period,
        base,
        provisions,
    })
}

fn patient(reference: Option<&Reference>) -> Read<String> {
    let identifier = reference.and_then(|it| it.identifier.as_ref());
    let patient = identifier.and_then(|it| {
        let oid = it.system.as_deref()?.strip_prefix("urn:oid:")?;
        let id = it.value.as_deref().filter(|id| !id.is_empty())?;
        Some(PatientId::new(id, oid).to_string())
    });
    // What was written must be what is read.
    match patient {
        Some(patient) if PatientId::parse(&patient).is_ok() => Ok(patient),
        _ => wrong(
            "patient.identifier",
            "it is needed: system urn:oid:AUTHORITY, and the value",
        ),
    }
}

/// OPTIN and OPTOUT of ActCode, as the policy says of itself; other policies say nothing here.
fn base(policy: Option<&CodeableConcept>) -> Option<Wish> {
    let codes = policy.into_iter().flat_map(|it| &it.coding);
    let mut codes = codes.filter_map(|it| it.code.as_deref());
    codes.find_map(|code| match code {
        "OPTIN" => Some(Wish::Permit),
        "OPTOUT" => Some(Wish::Deny),
        _ => None,
    })
}

type Meant = (Option<Wish>, Period, Vec<Provision>);

/// The outermost provision says what is wished of everything if it has no conditions but a period,
/// else it is one among others.
fn meant(base: Option<Wish>, root: (Option<Wish>, Provision)) -> Read<Meant> {
    let (wish, root) = root;
    let unconditional = Provision {
        period: root.period,
        provisions: root.provisions.clone(),
        ..Provision::of(root.wish)
    };
    match (wish.or(base), root == unconditional) {
        (None, _) => wrong(
            "provision.type",
            "it is needed, or a policyRule OPTIN or OPTOUT",
        ),
        // The period is the whole consent's.
        (base, true) => Ok((base, root.period, root.provisions)),
        // `root.wish` is the same, unless only the policy rule says something.
        (Some(_), false) if wish.is_none() => wrong("provision.type", "it is needed here"),
        (_, false) => Ok((base, Period::default(), vec![root])),
    }
}

/// A provision, and what it says of its wish itself.
fn provision(
    from: resource::Provision,
    at: &str,
    (depth, count): (usize, &mut usize),
) -> Read<(Option<Wish>, Provision)> {
    *count += 1;
    if depth > MAX_DEPTH || *count > MAX_PROVISIONS {
        return wrong(at, "there are too many provisions");
    }
    if from.data_period.is_some() || from.modifier_extension.is_some() {
        return wrong(at, "dataPeriod and modifierExtension are not understood");
    }
    let actions = from.action.iter().flat_map(|it| &it.coding);
    let mut actions = actions.filter_map(|it| it.code.as_deref());
    if !from.action.is_empty() && !actions.any(|action| READING.contains(&action)) {
        return wrong(
            &format!("{at}.action"),
            "only access, use and disclose are decided here",
        );
    }
    let wish = match from.wish.as_deref() {
        Some("permit") => Some(Wish::Permit),
        Some("deny") => Some(Wish::Deny),
        None if depth == 0 => None,
        _ => return wrong(&format!("{at}.type"), "it is permit or deny"),
    };
    let mut read = Provision::of(wish.unwrap_or(Wish::Deny));
    if let Some(period) = &from.period {
        let bound = |name: &str, text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| time(&format!("{at}.period.{name}"), text))
                .transpose()
        };
        read.period.from = bound("start", &period.start)?.map(|(from, _)| from);
        read.period.until = bound("end", &period.end)?.map(|(_, until)| until);
    }
    read.purposes = codes(&format!("{at}.purpose"), from.purpose.iter())?;
    read.confidentiality_codes = codes(&format!("{at}.securityLabel"), from.security_label.iter())?;
    let of_concepts = from.code.iter().flat_map(|it| &it.coding);
    read.class_codes = codes(&format!("{at}.code"), from.class.iter().chain(of_concepts))?;
    if !from.code.is_empty() && read.class_codes.is_empty() {
        return wrong(&format!("{at}.code"), "a coding is needed");
    }
    for of in &from.actor {
        actor(of, &format!("{at}.actor"), &mut read)?;
    }
    read.documents = documents(&from.data, &format!("{at}.data"))?;
    let within = |it| {
        let (_, read) = provision(it, &format!("{at}.provision"), (depth + 1, count))?;
        Ok(read)
    };
    read.provisions = from
        .provision
        .into_iter()
        .map(within)
        .collect::<Read<_>>()?;
    Ok((wish, read))
}

fn time(at: &str, text: &str) -> Read<(SystemTime, SystemTime)> {
    moment::fhir(text).map_or_else(|| wrong(at, "it is no date or time of FHIR"), Ok)
}

fn codes<'a>(at: &str, codings: impl Iterator<Item = &'a Coding>) -> Read<Vec<String>> {
    let code = |coding: &Coding| match (&coding.code, &coding.system) {
        (Some(code), Some(system)) => Ok(format!("{code}^^{system}")),
        (Some(code), None) => Ok(code.clone()),
        (None, _) => wrong(at, "a code is needed"),
    };
    codings.map(code).collect()
}

/// References cannot be followed, so what they mean must be said by an identifier.
fn actor(actor: &Actor, at: &str, read: &mut Provision) -> Read<()> {
    let reference = actor.reference.as_ref();
    let kind = reference.and_then(kind);
    // Of whoever has the role, whoever it is.
    if kind == Some("PractitionerRole") && reference.is_some_and(|it| it.identifier.is_none()) {
        let role = actor.role.iter().flat_map(|it| &it.coding);
        let roles = codes(&format!("{at}.role"), role)?;
        if roles.is_empty() {
            return wrong(&format!("{at}.role"), "it is needed");
        }
        read.roles.extend(roles);
        return Ok(());
    }
    let Some(name) = reference
        .and_then(|it| it.identifier.as_ref())
        .and_then(named)
    else {
        let problem = "it is needed, since references cannot be followed";
        return wrong(&format!("{at}.reference.identifier"), problem);
    };
    match kind {
        Some("Organization" | "CareTeam") => read.organisations.push(name),
        _ => read.actors.push(name),
    }
    Ok(())
}

/// What kind of resource is referred to.
pub(super) fn kind(reference: &Reference) -> Option<&str> {
    let of_reference = reference.reference.as_deref();
    let of_reference = of_reference.and_then(|it| it.split('/').next());
    reference.kind.as_deref().or(of_reference)
}

/// An identifier as callers have it: alone if it is a URI, else behind its system.
fn named(identifier: &Identifier) -> Option<String> {
    let value = identifier.value.as_deref().filter(|it| !it.is_empty())?;
    Some(match identifier.system.as_deref() {
        Some(URI) | None => value.to_owned(),
        Some(system) => format!("{system}|{value}"),
    })
}

fn documents(data: &[Data], at: &str) -> Read<Vec<String>> {
    let document = |data: &Data| {
        if data.meaning != "instance" {
            return wrong(&format!("{at}.meaning"), "only instance is understood");
        }
        let identifier = data
            .reference
            .as_ref()
            .and_then(|it| it.identifier.as_ref());
        let value = identifier.and_then(|it| it.value.as_deref());
        match value.filter(|it| !it.is_empty()) {
            Some(value) => Ok(value.strip_prefix("urn:oid:").unwrap_or(value).to_owned()),
            None => wrong(
                &format!("{at}.reference.identifier"),
                "it is needed: the uniqueId of the document",
            ),
        }
    };
    data.iter().map(document).collect()
}
