//! PID of HL7 v2 (ITI TF-2 3.8.4.1.2.3): who a message is about.

use super::limits::{birth_time, clean, identifier, push, push_text};
use super::{Address, Gender, MOST_OF_A_KIND, Person, PersonName, Telecom};
use crate::hl7v2::cx::MOST_IDS;
use crate::hl7v2::{Message, PatientDomain, Repetition, Segment};
use crate::metadata::PatientId;

impl Person {
    /// What the segment PID of a message says; nothing, if there is none. Text that is not ASCII is
    /// passed over if the message does not say how it is encoded.
    pub fn of_pid(message: &Message, domain: &PatientDomain) -> Self {
        let Some(pid) = message.segment("PID") else {
            return Self::default();
        };
        let certain = message.charset_known();
        let text = |text: String| {
            let known = certain || text.is_ascii();
            clean(&text).filter(|_| known)
        };
        let first = |number: usize| pid.field(number).component(1).text();
        let mut person = Self {
            ids: identifiers(&pid, domain),
            gender: Gender::parse(first(8).trim()),
            birth_time: birth_time(&first(7)),
            mothers_maiden_name: pid
                .field(6)
                .repetitions()
                .map(|it| name(it, &text))
                .find(|name| !name.is_empty()),
            deceased: yes_or_no(&first(30)),
            deceased_time: birth_time(&first(29)),
            multiple_birth: yes_or_no(&first(24)),
            multiple_birth_order: first(25).trim().parse().ok(),
            ..Self::default()
        };
        person.birth_place.name = text(first(23));
        for (number, usage) in [(5, None), (9, Some("A"))] {
            for repetition in pid.field(number).repetitions() {
                let mut name = name(repetition, &text);
                name.usage = usage.map(str::to_owned).or(name.usage);
                if !name.is_empty() {
                    push(&mut person.names, name, MOST_OF_A_KIND);
                }
            }
        }
        for repetition in pid.field(11).repetitions() {
            let (address, of_birth) = address(repetition, &text);
            match (address.is_empty(), of_birth) {
                (true, _) => {}
                (false, true) => person.birth_place.address = Some(address),
                (false, false) => push(&mut person.addresses, address, MOST_OF_A_KIND),
            }
        }
        for (number, usage) in [(13, "HP"), (14, "WP")] {
            for repetition in pid.field(number).repetitions() {
                if let Some(telecom) = telecom(repetition, usage, &text) {
                    push(&mut person.telecoms, telecom, MOST_OF_A_KIND);
                }
            }
        }
        person
    }
}

/// PID-3 and PID-4: those whose assigning authority is named by an OID, or is that of the domain.
fn identifiers(pid: &Segment<'_>, domain: &PatientDomain) -> Vec<PatientId> {
    let mut ids = Vec::new();
    for repetition in [3, 4]
        .into_iter()
        .flat_map(|at| pid.field(at).repetitions())
    {
        let authority = repetition.component(4);
        let (namespace, oid, kind) = (authority.part(1), authority.part(2), authority.part(3));
        let authority = match (oid.is_empty(), kind.as_str()) {
            (false, "ISO") => oid,
            (true, "") if domain.namespace.as_deref() == Some(namespace.as_str()) => {
                domain.authority.clone()
            }
            _ => continue,
        };
        if let Some(id) = identifier(&repetition.component(1).text(), &authority) {
            push(&mut ids, id, MOST_IDS);
        }
    }
    ids
}

/// XPN.
fn name(repetition: Repetition<'_>, text: &impl Fn(String) -> Option<String>) -> PersonName {
    let part = |number| text(repetition.component(number).text());
    let mut name = PersonName::default();
    for (parts, numbers) in [
        (&mut name.family, [1].as_slice()),
        (&mut name.given, &[2, 3]),
        (&mut name.suffix, &[4, 6]),
        (&mut name.prefix, &[5]),
    ] {
        for part in numbers.iter().filter_map(|number| part(*number)) {
            push_text(parts, &part);
        }
    }
    name.usage = match part(7).as_deref() {
        Some("L") => Some("L".to_owned()),
        Some("A") => Some("A".to_owned()),
        _ => None,
    };
    name
}

/// XAD, and whether it is that of the birth.
fn address(
    repetition: Repetition<'_>,
    text: &impl Fn(String) -> Option<String>,
) -> (Address, bool) {
    let part = |number| text(repetition.component(number).text());
    let kind = part(7).unwrap_or_default();
    let usage = match kind.as_str() {
        "H" | "P" | "L" => Some("HP"),
        "B" | "O" => Some("WP"),
        "C" => Some("TMP"),
        "M" => Some("PST"),
        "BA" => Some("BAD"),
        _ => None,
    };
    let mut address = Address {
        city: part(3),
        state: part(4),
        postal_code: part(5),
        country: part(6),
        usage: usage.map(str::to_owned),
        ..Address::default()
    };
    for line in [part(1), part(2)].into_iter().flatten() {
        push_text(&mut address.lines, &line);
    }
    (address, matches!(kind.as_str(), "N" | "BDL"))
}

/// XTN.
fn telecom(
    repetition: Repetition<'_>,
    usage: &str,
    text: &impl Fn(String) -> Option<String>,
) -> Option<Telecom> {
    let part = |number| text(repetition.component(number).text());
    let number = part(1).or_else(|| part(12)).or_else(|| {
        let local = part(7)?;
        let country = part(5).map(|country| format!("+{country}"));
        let parts = [country, part(6), Some(local)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        Some(parts.join("-"))
    });
    let value = match (part(4), number) {
        (Some(address), _) => format!("mailto:{address}"),
        (None, Some(number)) if number.contains('@') => format!("mailto:{number}"),
        (None, Some(number)) => format!("tel:{}", number.replace(' ', "")),
        (None, None) => return None,
    };
    let usage = match (part(2).as_deref(), part(3).as_deref()) {
        (_, Some("CP")) => "MC",
        (Some("PRN"), _) => "HP",
        (Some("WPN"), _) => "WP",
        (Some("VHN"), _) => "HV",
        (Some("EMR"), _) => "EC",
        _ => usage,
    };
    Some(Telecom {
        value: clean(&value)?,
        usage: Some(usage.to_owned()),
    })
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim() {
        "Y" => Some(true),
        "N" => Some(false),
        _ => None,
    }
}
