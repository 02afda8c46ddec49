//! The forms that values must have (ITI TF-3 Table 4.2.3.1.7-2). Problems are said without
//! quoting the value.

use super::hl7::is_oid;
use super::patient_id::id_type;
use super::{ReferenceId, Timestamp};
use crate::codes::status::DocumentAvailability;

type Form = Result<(), String>;

fn must(holds: bool, problem: &str) -> Form {
    match holds {
        true => Ok(()),
        false => Err(problem.to_owned()),
    }
}

/// Whether `text` has more than `limit` characters.
pub(super) fn longer_than(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().count() > limit
}

/// Any text.
pub(super) fn any(_text: &str) -> Form {
    Ok(())
}

pub(super) fn oid(text: &str) -> Form {
    must(is_oid(text), "is not an OID")
}

pub(super) fn oid_urn(text: &str) -> Form {
    must(
        text.strip_prefix("urn:oid:").is_some_and(is_oid),
        "is not urn:oid: and an OID",
    )
}

/// `urn:uuid:` and a UUID whose hexadecimal digits are in lower case.
pub(super) fn uuid_urn(text: &str) -> Form {
    let uuid = text
        .strip_prefix("urn:uuid:")
        .unwrap_or_default()
        .as_bytes();
    let sound = uuid.len() == 36
        && uuid.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        });
    must(sound, "is not urn:uuid: and a UUID in lower case")
}

/// `urn:`, a namespace, `:` and something (RFC 8141).
pub(super) fn is_urn(text: &str) -> bool {
    let namespace = text
        .strip_prefix("urn:")
        .and_then(|rest| rest.split_once(':'));
    namespace.is_some_and(|(namespace, rest)| {
        let sound = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !namespace.is_empty() && namespace.bytes().all(sound) && !rest.is_empty()
    })
}

pub(super) fn sha1(text: &str) -> Form {
    let sound = text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    must(sound, "is not a SHA-1 hash in hexadecimal")
}

pub(super) fn size(text: &str) -> Result<u64, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let size = if digits { text.parse().ok() } else { None };
    size.ok_or_else(|| "is not a number of bytes".to_owned())
}

/// The shape of a language tag (RFC 5646); whether the language exists is not asked.
pub(super) fn language(text: &str) -> Form {
    let mut subtags = text.split('-');
    let primary = subtags.next().unwrap_or_default();
    let sound = primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (matches!(primary.len(), 2..=8) || matches!(primary, "x" | "X" | "i" | "I"))
        && subtags.all(|tag| {
            matches!(tag.len(), 1..=8) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    must(sound, "is not a language tag")
}

/// `type/subtype`, perhaps with parameters (RFC 2045).
pub(super) fn mime_type(text: &str) -> Form {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |text: &str| {
        let allowed =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&byte);
        !text.is_empty() && text.bytes().all(allowed)
    };
    let sound = essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    must(sound, "is not a MIME type")
}

/// No white space and no control characters; a scheme is not needed.
pub(super) fn uri(text: &str) -> Form {
    let sound = !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    must(sound, "is not a URI")
}

pub(super) fn not_empty(text: &str) -> Form {
    must(!text.is_empty(), "is empty")
}

/// `PID-n|value`.
pub(super) fn pid_field(text: &str) -> Form {
    let field = text
        .strip_prefix("PID-")
        .and_then(|rest| rest.split_once('|'));
    let sound = field.is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    must(sound, "is not of the form PID-n|value")
}

/// A component of an HL7 field, counted from 1, or the empty text.
fn component(text: &str, number: usize) -> &str {
    text.split('^').nth(number - 1).unwrap_or_default()
}

/// An assigning authority that is empty or `&OID&ISO`.
fn authority(text: &str) -> bool {
    text.is_empty() || super::hl7::oid_of_authority(text).is_some()
}

/// A person: an id or a family name; an authority only of an id, and only as an OID.
pub(super) fn xcn(text: &str) -> Form {
    let (id, family, assigner) = (component(text, 1), component(text, 2), component(text, 9));
    must(
        !id.is_empty() || !family.is_empty(),
        "is an XCN with neither id nor family name",
    )?;
    must(
        authority(assigner),
        "is an XCN whose assigning authority is not &OID&ISO",
    )?;
    must(
        assigner.is_empty() || !id.is_empty(),
        "is an XCN with an assigning authority but no id",
    )
}

/// Whether all components are empty but those of these numbers.
fn only(text: &str, numbers: &[usize]) -> bool {
    let mut components = (1..).zip(text.split('^'));
    components.all(|(number, component)| component.is_empty() || numbers.contains(&number))
}

/// An organisation: a name, and perhaps an id, which needs an authority unless it is an OID.
pub(super) fn xon(text: &str) -> Form {
    let (name, assigner, id) = (component(text, 1), component(text, 6), component(text, 10));
    must(!name.is_empty(), "is an XON without a name")?;
    must(
        only(text, &[1, 6, 10]),
        "is an XON with more than name, authority and id",
    )?;
    must(
        authority(assigner),
        "is an XON whose assigning authority is not &OID&ISO",
    )?;
    let named = id.is_empty() || is_oid(id) || !assigner.is_empty();
    must(
        named,
        "is an XON with an id that is no OID but no assigning authority",
    )
}

/// A telephone number or an e-mail address. Numbers that are not taken apart (the first component
/// of older versions of HL7, the twelfth of newer ones) are accepted.
pub(super) fn xtn(text: &str) -> Form {
    let (usage, equipment, address) = (component(text, 2), component(text, 3), component(text, 4));
    if equipment == "Internet" {
        must(
            !address.is_empty(),
            "is an XTN for the Internet without an address",
        )?;
        must(
            matches!(usage, "" | "NET"),
            "is an XTN for the Internet whose use is not NET",
        )?;
        return must(
            only(text, &[2, 3, 4]),
            "is an XTN for the Internet with more than an address",
        );
    }
    let [unformatted, number, newer] = [1, 7, 12].map(|number| component(text, number));
    let reached = !number.is_empty() || !unformatted.is_empty() || !newer.is_empty();
    must(reached, "is an XTN without a number or address")?;
    must(
        !equipment.is_empty() || !unformatted.is_empty(),
        "is an XTN without the kind of equipment",
    )?;
    must(
        address.is_empty(),
        "is an XTN for a telephone with an address",
    )
}

/// `XON|XCN|XTN`, of which at least one is there; those at the end may be cut off.
pub(super) fn intended_recipient(text: &str) -> Form {
    let mut parts = text.split('|');
    let forms = [xon, xcn, xtn];
    let mut anybody = false;
    for form in forms {
        let part = parts.next().unwrap_or_default();
        if part.chars().any(|c| c != '^') {
            anybody = true;
            form(part)?;
        }
    }
    must(
        anybody && parts.next().is_none(),
        "is not of the form organisation|person|telecommunication",
    )
}

/// `documentAvailability` of the metadata update supplement.
pub(super) fn document_availability(text: &str) -> Result<DocumentAvailability, String> {
    DocumentAvailability::parse(text).ok_or_else(|| "is neither Online nor Offline".to_owned())
}

/// A DTM with seconds.
pub(super) fn to_the_second(text: &str) -> Result<Timestamp, String> {
    must(text.len() == 14, "is not a DTM with seconds")?;
    Timestamp::parse(text)
}

/// Which types of reference ids must have an assigning authority, and which must not.
pub(super) fn reference_id_authority(id: &ReferenceId) -> Form {
    match id.id_type.as_str() {
        id_type::REFERRAL | id_type::ORDER | id_type::ENCOUNTER => must(
            id.authority.is_some(),
            "has a value without the assigning authority that its type needs",
        ),
        id_type::WORKFLOW_INSTANCE | id_type::STUDY_INSTANCE_UID => {
            must(
                is_oid(&id.id),
                "has a value that is not the OID which its type needs",
            )?;
            must(
                id.authority.is_none(),
                "has a value with an assigning authority that its type forbids",
            )
        }
        _ => Ok(()),
    }
}
