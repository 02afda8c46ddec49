//! CX in messages: an identifier and who assigned it (ITI TF-2 3.8.4.1.2.3).

use super::{ErrorCode, Field, Message, Place, Refusal, Repetition};
use crate::metadata::PatientId;
use crate::metadata::hl7::is_oid;

/// Characters of a patient identifier, as PID-3 may be long (ITI TF-2 Table 3.8-2).
pub const LONGEST_ID: usize = 250;

/// Identifiers of one domain that a patient may have. The framework expects one.
pub const MOST_IDS: usize = 100;

/// The patient identification domain of the affinity domain (ITI TF-2 3.8.4.1.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatientDomain {
    /// The universal ID of the assigning authority, an OID.
    pub authority: String,
    /// Its namespace ID, by which senders may name it instead.
    pub namespace: Option<String>,
}

impl PatientDomain {
    /// A domain that is named by its OID only.
    pub fn new(authority: impl Into<String>) -> Self {
        Self {
            authority: authority.into(),
            namespace: None,
        }
    }

    /// Whether this is the assigning authority of an identifier. What names the namespace only
    /// means the universal ID that the domain is configured with (ITI TF-2 3.8.4.1.4).
    fn is_of(&self, cx: &Cx) -> bool {
        if cx.universal_id.is_empty() && cx.universal_id_type.is_empty() {
            let namespace = self.namespace.as_deref();
            return namespace.is_some_and(|namespace| namespace == cx.namespace);
        }
        cx.universal_id == self.authority && cx.universal_id_type == "ISO"
    }
}

/// A CX, as far as it identifies somebody.
#[derive(Debug)]
struct Cx {
    id: String,
    namespace: String,
    universal_id: String,
    universal_id_type: String,
}

impl Cx {
    fn read(repetition: Repetition<'_>) -> Self {
        let authority = repetition.component(4);
        Self {
            id: repetition.component(1).text().trim_matches(' ').to_owned(),
            namespace: authority.part(1),
            universal_id: authority.part(2),
            universal_id_type: authority.part(3),
        }
    }
}

/// The identifiers of a field that the domain's authority assigned; others are ignored (ITI TF-2
/// 3.8.4.1.4).
///
/// # Errors
/// If there is none, or one that cannot be an identifier.
pub(crate) fn of_domain(
    message: &Message,
    field: Field<'_>,
    place: Place,
    what: &str,
    domain: &PatientDomain,
) -> Result<Vec<PatientId>, Refusal> {
    if field.is_empty() {
        let reason =
            format!("{what} is empty: an identifier with its assigning authority is expected");
        return Err(Refusal::new(ErrorCode::RequiredFieldMissing, place, reason));
    }
    let all = field.repetitions().map(Cx::read);
    let mut found: Vec<PatientId> = Vec::new();
    for cx in all.filter(|cx| domain.is_of(cx)) {
        let id = sound(message, &cx.id, place, what)?;
        let patient = PatientId::new(id, domain.authority.as_str());
        if found.len() == MOST_IDS {
            let reason =
                format!("{what} holds more than {MOST_IDS} identifiers of this affinity domain");
            return Err(Refusal::new(ErrorCode::DataType, place, reason));
        }
        if !found.contains(&patient) {
            found.push(patient);
        }
    }
    if found.is_empty() {
        let reason = format!(
            "{what} holds no identifier of the authority of this affinity domain, &{}&ISO",
            domain.authority
        );
        return Err(Refusal::new(ErrorCode::UnknownKey, place, reason));
    }
    Ok(found)
}

/// The same where there must be exactly one.
pub(crate) fn one_of_domain(
    message: &Message,
    field: Field<'_>,
    place: Place,
    what: &str,
    domain: &PatientDomain,
) -> Result<PatientId, Refusal> {
    let mut found = of_domain(message, field, place, what, domain)?;
    match (found.pop(), found.is_empty()) {
        (Some(patient), true) => Ok(patient),
        _ => {
            let reason = format!(
                "{what} holds several identifiers of this affinity domain: one is expected"
            );
            Err(Refusal::new(ErrorCode::DuplicateKey, place, reason))
        }
    }
}

/// An identifier whose authority is named by an OID, whichever it is.
pub(crate) fn with_oid(
    message: &Message,
    repetition: Repetition<'_>,
    place: Place,
    what: &str,
) -> Result<PatientId, Refusal> {
    let cx = Cx::read(repetition);
    if cx.universal_id_type != "ISO" || !is_oid(&cx.universal_id) {
        let reason = format!("{what} has an assigning authority that is not &OID&ISO");
        return Err(Refusal::new(ErrorCode::DataType, place, reason));
    }
    let id = sound(message, &cx.id, place, what)?;
    Ok(PatientId::new(id, cx.universal_id))
}

fn sound<'i>(message: &Message, id: &'i str, place: Place, what: &str) -> Result<&'i str, Refusal> {
    let wrong = |problem: &str| {
        let reason = format!("{what} has an identifier that {problem}");
        Err(Refusal::new(ErrorCode::DataType, place, reason))
    };
    if let Err(problem) = check_id(id) {
        return wrong(problem);
    }
    if !message.charset_known() && !id.is_ascii() {
        return wrong("is not ASCII, and MSH-18 names no character set that is read here");
    }
    Ok(id)
}

/// Whether this can identify a patient, in whichever version of HL7 it came.
///
/// # Errors
/// Says what is wrong, to follow "an identifier that".
pub(crate) fn check_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() || id == "\"\"" {
        return Err("is empty");
    }
    if id.chars().count() > LONGEST_ID {
        return Err("has more than 250 characters");
    }
    let forbidden = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    match id.chars().any(forbidden) {
        true => Err("has control characters"),
        false => Ok(()),
    }
}
