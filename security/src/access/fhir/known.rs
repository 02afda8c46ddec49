//! What consents may name, where that is known: whoever hands in a consent that can never be about anything
//! is told so, since a denial that nobody heeds is worse than one that is not accepted.
//!
//! Consents that are kept are read without this: what is known may have changed since.

use xds_schemas::affinity_codes::{AffinityCodes, CodeKind};
use xds_schemas::metadata::hl7::is_oid;

use super::read::{self, Read, wrong};
use super::resource::{self, Actor, CodeableConcept, Coding, Identifier, Provision};
use super::{NotAConsent, URI};
use crate::access::codes::{ACT_REASON, Word, system};
use crate::access::moment;
use crate::access::rules::{nearest, purposes};
use crate::access::{Consent, Policy, Status};

/// The codes of v3-Confidentiality that documents have.
const CONFIDENTIALITY: [&str; 6] = ["U", "L", "M", "N", "R", "V"];
const CONFIDENTIALITY_SYSTEM: &str = "2.16.840.1.113883.5.25";
const XSPA: &str = "urn:oasis:names:tc:xspa:1.0";
/// The code system of OPTIN and OPTOUT.
const ACT_CODE: [&str; 2] = [
    "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "2.16.840.1.113883.5.4",
];
/// Who can be recognised by an identifier.
const ACTORS: [&str; 7] = [
    "CareTeam",
    "Device",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "RelatedPerson",
];
/// What a rule or a consent finds in documents as class.
const CLASSES: [CodeKind; 3] = [
    CodeKind::ClassCode,
    CodeKind::TypeCode,
    CodeKind::FormatCode,
];

/// What consents may name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The rules, which may know further purposes, and say which roles there are.
    pub policy: Option<&'a Policy>,
    /// The codes of the affinity domain: documents have no others.
    pub codes: Option<&'a AffinityCodes>,
}

impl Consent {
    /// Reads a resource that is handed in. Beside what [`Consent::from_fhir`] refuses: purposes, labels,
    /// classes, roles and actors that nobody and nothing can have here.
    ///
    /// # Errors
    /// Says where, and what may be meant; nothing of the patient.
    pub fn from_fhir_knowing(json: &[u8], known: &Known<'_>) -> Result<Self, NotAConsent> {
        let consent = read::consent(resource::parse(json)?)?;
        // What does not count can always be said, such as that it is withdrawn.
        if matches!(consent.status, Status::Inactive | Status::EnteredInError) {
            return Ok(consent);
        }
        let resource = resource::parse(json)?;
        policy_rule(resource.policy_rule.as_ref())?;
        if let Some(root) = &resource.provision {
            known.provision(root, "provision")?;
        }
        Ok(consent)
    }
}

/// What is said of an OID that is none.
const NO_OID: &str = "what follows urn:oid: is no OID";

/// Codes beside OPTIN and OPTOUT would mean something else, and nobody would heed it.
fn policy_rule(rule: Option<&CodeableConcept>) -> Read<()> {
    let codings = rule.into_iter().flat_map(|it| &it.coding);
    let understood = |coding: &Coding| {
        let of_hl7 = coding.system.as_deref();
        let of_hl7 = of_hl7.is_none_or(|it| ACT_CODE.contains(&system(it)));
        !of_hl7 || matches!(coding.code.as_deref(), Some("OPTIN" | "OPTOUT"))
    };
    match codings.clone().all(understood) {
        true => Ok(()),
        false => wrong(
            "policyRule",
            "only OPTIN and OPTOUT of ActCode are understood",
        ),
    }
}

impl Known<'_> {
    /// How deep provisions are was judged when they were read.
    fn provision(&self, of: &Provision, at: &str) -> Read<()> {
        if let Some(period) = &of.period
            && let (Some(from), Some(until)) = (
                period.start.as_deref().and_then(moment::fhir),
                period.end.as_deref().and_then(moment::fhir),
            )
            && until.1 <= from.0
        {
            return wrong(&format!("{at}.period"), "it ends before it begins");
        }
        let classes = of.code.iter().flat_map(|it| &it.coding);
        let codings = of.purpose.iter().map(|it| (it, "purpose"));
        let codings = codings
            .chain(of.security_label.iter().map(|it| (it, "securityLabel")))
            .chain(of.class.iter().map(|it| (it, "class")))
            .chain(classes.map(|it| (it, "code")));
        for (coding, place) in codings {
            sound(coding, &format!("{at}.{place}"))?;
        }
        for coding in &of.purpose {
            self.purpose(&word(coding), &format!("{at}.purpose"))?;
        }
        for coding in &of.security_label {
            self.label(&word(coding), &format!("{at}.securityLabel"))?;
        }
        for coding in &of.class {
            self.class(&word(coding), &format!("{at}.class"))?;
        }
        for coding in of.code.iter().flat_map(|it| &it.coding) {
            self.class(&word(coding), &format!("{at}.code"))?;
        }
        for actor in &of.actor {
            self.actor(actor, &format!("{at}.actor"))?;
        }
        let mut within = of.provision.iter();
        within.try_for_each(|it| self.provision(it, &format!("{at}.provision")))
    }

    fn purpose(&self, purpose: &Word, at: &str) -> Read<()> {
        let own = self.policy.map(Policy::purposes).unwrap_or_default();
        let all = || {
            purposes::KNOWN
                .into_iter()
                .chain(own.iter().map(String::as_str))
        };
        let systems = [ACT_REASON, XSPA];
        let foreign = (purpose.system.as_deref()).is_some_and(|it| !systems.contains(&it));
        match foreign || all().any(|it| it == purpose.code) {
            true => Ok(()),
            false => unknown(at, &purpose.code, all()),
        }
    }

    fn label(&self, label: &Word, at: &str) -> Read<()> {
        let own = self.of_domain(&[CodeKind::ConfidentialityCode]);
        if let Some(own) = own {
            return among(label, &own, at);
        }
        let of_hl7 = label.system.as_deref();
        let of_hl7 = of_hl7.is_none_or(|it| it == CONFIDENTIALITY_SYSTEM);
        match !of_hl7 || CONFIDENTIALITY.contains(&&*label.code) {
            true => Ok(()),
            false => unknown(at, &label.code, CONFIDENTIALITY.into_iter()),
        }
    }

    fn class(&self, class: &Word, at: &str) -> Read<()> {
        match self.of_domain(&CLASSES) {
            Some(own) => among(class, &own, at),
            None => Ok(()),
        }
    }

    /// All codes of these kinds; `None` if one of them is not restricted.
    fn of_domain(&self, kinds: &[CodeKind]) -> Option<Vec<String>> {
        let codes = self.codes?;
        let of = |kind: &CodeKind| {
            let codes = codes.codes(*kind).into_iter();
            let codes = codes.map(|it| format!("{}^^{}", it.code, it.scheme));
            Some(codes.collect::<Vec<_>>()).filter(|all| !all.is_empty())
        };
        let all: Option<Vec<Vec<String>>> = kinds.iter().map(of).collect();
        all.map(|all| all.concat())
    }

    fn actor(&self, actor: &Actor, at: &str) -> Read<()> {
        let reference = actor.reference.as_ref();
        let kind = reference.and_then(read::kind);
        if let Some(kind) = kind
            && !ACTORS.contains(&kind)
        {
            return unknown(&format!("{at}.reference.type"), kind, ACTORS.into_iter());
        }
        for role in actor.role.iter().flat_map(|it| &it.coding) {
            sound(role, &format!("{at}.role"))?;
        }
        let identifier = reference.and_then(|it| it.identifier.as_ref());
        if let Some(identifier) = identifier {
            return named(identifier, &format!("{at}.reference.identifier"));
        }
        let Some(roles) = self.policy.and_then(Policy::roles) else {
            return Ok(());
        };
        for role in actor.role.iter().flat_map(|it| &it.coding) {
            let role = word(role);
            let is = |known: &String| {
                let known = Word::parse(known);
                let systems = (known.system.as_deref(), role.system.as_deref());
                let differ = matches!(systems, (Some(one), Some(other)) if one != other);
                known.code == role.code && !differ
            };
            if !roles.iter().any(is) {
                let roles = roles.iter().map(|it| it.split("^^").next().unwrap_or(it));
                return unknown(&format!("{at}.role"), &role.code, roles);
            }
        }
        Ok(())
    }
}

/// A code of a system that cannot exist is nobody's.
fn sound(coding: &Coding, at: &str) -> Read<()> {
    let system = coding.system.as_deref().unwrap_or_default();
    match system.strip_prefix("urn:oid:") {
        Some(oid) if !is_oid(oid) => wrong(at, NO_OID),
        _ => Ok(()),
    }
}

/// An OID that is none names nobody.
fn named(identifier: &Identifier, at: &str) -> Read<()> {
    let is_uri = matches!(identifier.system.as_deref(), None | Some(URI));
    let value = identifier.value.as_deref().unwrap_or_default();
    match value.strip_prefix("urn:oid:").filter(|_| is_uri) {
        Some(oid) if !is_oid(oid) => wrong(at, NO_OID),
        _ => Ok(()),
    }
}

fn word(coding: &Coding) -> Word {
    Word {
        code: coding.code.clone().unwrap_or_default(),
        system: coding.system.as_deref().map(|it| system(it).to_owned()),
    }
}

fn among(wanted: &Word, known: &[String], at: &str) -> Read<()> {
    match known.iter().any(|it| wanted.means(it)) {
        true => Ok(()),
        false => {
            let codes = known.iter().map(|it| it.split("^^").next().unwrap_or(it));
            unknown(at, &wanted.code, codes)
        }
    }
}

/// The word itself is not said again, since values may be about patients.
fn unknown<'k>(at: &str, code: &str, known: impl Iterator<Item = &'k str>) -> Read<()> {
    let hint = nearest(code, known);
    wrong(
        at,
        &format!("it is unknown here, so nothing could heed it{hint}"),
    )
}
