//! ITI-64 Notify XAD-PID Link Change: say that a local patient is another one of the affinity domain
//! than it was thought to be.
//!
//! Sent by Patient Identifier Cross-reference Managers over MLLP; taken by the Document Registry. An
//! ADT^A43 message of HL7 v2.5.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-64.html>

use crate::hl7v2::{ErrorCode, Header, Message, PatientDomain, Place, Refusal, cx, segment};
use crate::iti8_patient_identity_feed::{MESSAGE_TYPE, as_cx, require};
use crate::metadata::hl7::is_oid;
use crate::metadata::{PatientId, Timestamp};

/// MSH-9.2.
pub const TRIGGER: &str = "A43";
/// The version that the transaction is written in.
pub const VERSION: &str = "2.5";

/// What changed for one local patient. "XAD-PID" is an identifier of the affinity domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The "local patient ID" (PID-3, second repetition).
    pub local: PatientId,
    /// The "new XAD-PID" (PID-3, first repetition).
    pub new: PatientId,
    /// The "previous XAD-PID" (MRG-1, first repetition).
    pub previous: PatientId,
    /// The "subsumed local patient ID" (MRG-1, second repetition), if one is merged.
    pub subsumed_local: Option<PatientId>,
    /// The OID of the cross-reference manager (MSH-3), which becomes the `sourceId`.
    pub source_id: String,
}

/// Reads what a message says, which has the header that is given.
///
/// # Errors
/// Says what is wrong, and where.
pub fn read(
    message: &Message,
    header: &Header,
    domain: &PatientDomain,
) -> Result<LinkChange, Refusal> {
    if header.message_type != MESSAGE_TYPE {
        let reason = "MSH-9.1 is not ADT, the only message type that is taken here";
        let place = Place::component("MSH", 9, 1);
        let code = ErrorCode::UnsupportedMessageType;
        return Err(Refusal::new(code, place, reason));
    }
    if !matches!(header.structure.as_str(), "" | "ADT_A43") {
        let reason = "MSH-9.3 is not the structure of this event, ADT_A43";
        let place = Place::component("MSH", 9, 3);
        let code = ErrorCode::UnsupportedMessageType;
        return Err(Refusal::new(code, place, reason));
    }
    require(message, &["EVN", "PID", "MRG"])?;
    let (pid3, mrg1) = (Place::field("PID", 3), Place::field("MRG", 1));
    let [new, local] = identifiers(message, "PID", 3, pid3, "PID-3")?;
    let [previous, subsumed_local] = identifiers(message, "MRG", 1, mrg1, "MRG-1")?;
    let absent = |place, what: &str| {
        Refusal::new(
            ErrorCode::RequiredFieldMissing,
            place,
            format!("{what} is missing"),
        )
    };
    let new = new.ok_or_else(|| absent(pid3, "the new XAD-PID, the first of PID-3,"))?;
    let local = local.ok_or_else(|| absent(pid3, "the local patient ID, the second of PID-3,"))?;
    let previous =
        previous.ok_or_else(|| absent(mrg1, "the previous XAD-PID, the first of MRG-1,"))?;
    for (patient, place, what) in [
        (&new, pid3, "the first identifier of PID-3"),
        (&previous, mrg1, "the first identifier of MRG-1"),
    ] {
        if patient.authority != domain.authority {
            let reason = format!(
                "{what} is not of the authority of this affinity domain, &{}&ISO",
                domain.authority
            );
            return Err(Refusal::new(ErrorCode::UnknownKey, place, reason));
        }
    }
    if let Some(subsumed) = &subsumed_local {
        // 3.64.4.1.2.4: "This identifier shall have the same Assigning Authority".
        if subsumed.authority != local.authority || *subsumed == local {
            let reason = "the second identifier of MRG-1 is not another one of the authority of the local patient ID";
            return Err(Refusal::new(ErrorCode::UnknownKey, mrg1, reason));
        }
    }
    Ok(LinkChange {
        local,
        new,
        previous,
        subsumed_local,
        source_id: source_id(message)?,
    })
}

/// "Field MSH-3 Sending Application shall contain the OID" (3.64.4.1.2.1): as its universal ID or
/// alone.
fn source_id(message: &Message) -> Result<String, Refusal> {
    let field = message.segment("MSH").map(|msh| msh.field(3));
    let named = field.map(|field| [field.component(2).text(), field.component(1).text()]);
    let oid = named.into_iter().flatten().find(|name| is_oid(name));
    oid.ok_or_else(|| {
        let reason = "MSH-3 does not contain the OID of the cross-reference manager";
        Refusal::new(ErrorCode::DataType, Place::field("MSH", 3), reason)
    })
}

/// Up to two identifiers, each with the OID of its authority.
fn identifiers(
    message: &Message,
    name: &str,
    number: usize,
    place: Place,
    what: &str,
) -> Result<[Option<PatientId>; 2], Refusal> {
    let mut found = [None, None];
    let field = message.segment(name).map(|segment| segment.field(number));
    let repetitions = field.into_iter().flat_map(|field| field.repetitions());
    for (at, repetition) in repetitions.enumerate() {
        let Some(free) = found.get_mut(at) else {
            let reason = format!("{what} holds more than two identifiers");
            return Err(Refusal::new(ErrorCode::DataType, place, reason));
        };
        *free = Some(cx::with_oid(message, repetition, place, what)?);
    }
    Ok(found)
}

impl LinkChange {
    /// The message that says this, with names and control ID of `header`.
    pub fn to_message(&self, header: &Header, now: &Timestamp) -> String {
        let header = Header {
            sending_application: format!("^{}^ISO", self.source_id),
            message_type: MESSAGE_TYPE.to_owned(),
            trigger: TRIGGER.to_owned(),
            structure: "ADT_A43".to_owned(),
            version: VERSION.to_owned(),
            ..header.clone()
        };
        let mut message = segment("EVN", &["", now.as_str()]);
        let ids = format!("{}~{}", as_cx(&self.new), as_cx(&self.local));
        message.push_str(&segment("PID", &["", "", &ids, "", " "]));
        let mut prior = as_cx(&self.previous);
        if let Some(subsumed) = &self.subsumed_local {
            prior = format!("{prior}~{}", as_cx(subsumed));
        }
        message.push_str(&segment("MRG", &[&prior]));
        header.write(now, &message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            control_id: "M1".to_owned(),
            processing_id: "P".to_owned(),
            ..Header::default()
        }
    }

    fn change() -> LinkChange {
        LinkChange {
            local: PatientId::new("L-1", "1.2.7"),
            new: PatientId::new("N", "1.2.9"),
            previous: PatientId::new("O", "1.2.9"),
            subsumed_local: Some(PatientId::new("L-2", "1.2.7")),
            source_id: "1.2.5".to_owned(),
        }
    }

    fn reread(text: &str) -> Result<LinkChange, Refusal> {
        let message = Message::read(text.as_bytes()).unwrap();
        read(
            &message,
            &Header::of(&message),
            &PatientDomain::new("1.2.9"),
        )
    }

    #[test]
    fn what_was_written_is_read() {
        let now = Timestamp::from_unix(1_700_000_000);
        for change in [
            change(),
            LinkChange {
                subsumed_local: None,
                ..change()
            },
        ] {
            assert_eq!(reread(&change.to_message(&header(), &now)), Ok(change));
        }
    }

    /// ITI TF-2 3.64.4.1.2.1, 3.64.4.1.2.3, 3.64.4.1.2.4.
    #[test]
    fn what_the_framework_demands_is_demanded() {
        let now = Timestamp::from_unix(1_700_000_000);
        let message = change().to_message(&header(), &now);
        for (from, to, said) in [
            ("^1.2.5^ISO", "PIX", "MSH-3"),
            ("~L-1^^^&1.2.7&ISO", "", "local patient ID"),
            (
                "N^^^&1.2.9&ISO",
                "N^^^&1.2.8&ISO",
                "first identifier of PID-3",
            ),
            ("O^^^&1.2.9&ISO", "O^^^HERE", "MRG-1"),
            (
                "O^^^&1.2.9&ISO",
                "O^^^&1.2.8&ISO",
                "first identifier of MRG-1",
            ),
            (
                "L-2^^^&1.2.7&ISO",
                "L-2^^^&1.2.6&ISO",
                "second identifier of MRG-1",
            ),
            ("~L-2", "~L-2^^^&1.2.7&ISO~L-3", "more than two"),
            ("\rMRG", "\rMRH", "MRG"),
            ("ADT^A43", "ORU^A43", "MSH-9.1"),
        ] {
            assert!(message.contains(from), "{from}");
            let refusal = reread(&message.replace(from, to)).unwrap_err();
            assert!(refusal.reason.contains(said), "{from}: {}", refusal.reason);
        }
    }
}
