//! ITI-8 Patient Identity Feed: say which patients there are, and which of them are the same.
//!
//! Sent by Patient Identity Sources over MLLP; taken by the Document Registry. ADT messages of HL7
//! v2.3.1: A01, A04 and A05 make patients known, A08 says more of them, A40 merges two.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-8.html>

use crate::hl7v2::{
    ErrorCode, Header, Message, PatientDomain, Place, Refusal, cx, encode, segment,
};
use crate::metadata::{PatientId, Timestamp};
use crate::person::Person;

/// MSH-9.1 of everything that is fed.
pub const MESSAGE_TYPE: &str = "ADT";
/// The version that the transaction is written in.
pub const VERSION: &str = "2.3.1";

/// What is said of patients. ITI-44 says the same in other words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// These are identifiers of patients (A01, A04, A05).
    Add(Vec<PatientId>),
    /// Something else was said of these patients, which does not concern a registry (A08).
    Revise(Vec<PatientId>),
    /// Two patients are one (A40).
    Merge {
        /// The identifier that is not used any more (MRG-1).
        subsumed: PatientId,
        /// The one that stands for both (PID-3).
        survivor: PatientId,
    },
}

/// Reads what a message says, which has the header that is given.
///
/// # Errors
/// Says what is wrong, and where.
pub fn read(
    message: &Message,
    header: &Header,
    domain: &PatientDomain,
) -> Result<Announcement, Refusal> {
    judge_type(header)?;
    match header.trigger.as_str() {
        "A40" => {
            require(message, &["EVN", "PID", "MRG"])?;
            let survivor = patient(message, "PID", 3, "PID-3", domain)?;
            let subsumed = patient(message, "MRG", 1, "MRG-1", domain)?;
            one_pair(message)?;
            Ok(Announcement::Merge { subsumed, survivor })
        }
        // What a registry ignores it need not understand (ITI TF-2 3.8.4.1.4).
        "A08" => {
            require(message, &["EVN", "PID", "PV1"])?;
            Ok(Announcement::Revise(
                patients(message, domain).unwrap_or_default(),
            ))
        }
        _ => {
            require(message, &["EVN", "PID", "PV1"])?;
            Ok(Announcement::Add(patients(message, domain)?))
        }
    }
}

/// What the message says of the patients of the domain, besides which of them there are. PID speaks of one
/// person, whatever its identifiers are. A merge says which patients are the same and nothing else.
pub fn people(
    message: &Message,
    header: &Header,
    domain: &PatientDomain,
) -> Vec<(PatientId, Person)> {
    if header.trigger == "A40" {
        return Vec::new();
    }
    let patients = patients(message, domain).unwrap_or_default();
    let person = Person::of_pid(message, domain);
    patients
        .into_iter()
        .map(|patient| (patient, person.clone()))
        .collect()
}

/// MSH-9 (ITI TF-2 3.8.4.1.2.1, 3.8.4.2.2.1). From 2.4 on, HL7 has a structure of its own for A05.
fn judge_type(header: &Header) -> Result<(), Refusal> {
    let place = |component| Place::component("MSH", 9, component);
    if header.message_type != MESSAGE_TYPE {
        let reason = "MSH-9.1 is not ADT, the only message type that is taken here";
        let code = ErrorCode::UnsupportedMessageType;
        return Err(Refusal::new(code, place(1), reason));
    }
    let structures: &[&str] = match header.trigger.as_str() {
        "A01" | "A04" | "A08" => &["", "ADT_A01"],
        "A05" => &["", "ADT_A01", "ADT_A05"],
        "A40" => &["", "ADT_A39"],
        _ => {
            let reason = "MSH-9.2 is none of the events that are taken here: A01, A04, A05, A08, A40 and A43";
            return Err(Refusal::new(ErrorCode::UnsupportedEvent, place(2), reason));
        }
    };
    if !structures.contains(&header.structure.as_str()) {
        let reason = format!(
            "MSH-9.3 is not the structure of this event, {}",
            structures[1]
        );
        let code = ErrorCode::UnsupportedMessageType;
        return Err(Refusal::new(code, place(3), reason));
    }
    Ok(())
}

/// Table 3.8-1 and Table 3.8-3: segments that must be there.
pub(crate) fn require(message: &Message, names: &[&'static str]) -> Result<(), Refusal> {
    for name in names {
        if message.segment(name).is_none() {
            let reason = format!("the segment {name} is missing");
            let code = ErrorCode::SegmentSequence;
            return Err(Refusal::new(code, Place::segment(name), reason));
        }
    }
    Ok(())
}

/// "A separate merge message shall be sent for each pair" (ITI TF-2 3.8.4.2.2): HL7 itself allows
/// more of them in an A40, of which the rest would be lost.
fn one_pair(message: &Message) -> Result<(), Refusal> {
    for name in ["PID", "MRG"] {
        if message.segments().filter(|one| one.name() == name).count() > 1 {
            let reason = format!(
                "there are several segments {name}: one pair of patients is merged by a message"
            );
            let code = ErrorCode::SegmentSequence;
            return Err(Refusal::new(code, Place::segment(name), reason));
        }
    }
    Ok(())
}

/// The patients of PID-3.
fn patients(message: &Message, domain: &PatientDomain) -> Result<Vec<PatientId>, Refusal> {
    let field = message.segment("PID").map(|segment| segment.field(3));
    let field = field.ok_or_else(|| missing("PID"))?;
    cx::of_domain(message, field, Place::field("PID", 3), "PID-3", domain)
}

fn patient(
    message: &Message,
    name: &'static str,
    number: u8,
    what: &str,
    domain: &PatientDomain,
) -> Result<PatientId, Refusal> {
    let field = message
        .segment(name)
        .map(|segment| segment.field(number.into()));
    let field = field.ok_or_else(|| missing(name))?;
    cx::one_of_domain(message, field, Place::field(name, number), what, domain)
}

fn missing(name: &'static str) -> Refusal {
    let reason = format!("the segment {name} is missing");
    Refusal::new(ErrorCode::SegmentSequence, Place::segment(name), reason)
}

impl Announcement {
    /// The message that says this, with names and control ID of `header`. Of people, nothing but
    /// their identifiers is said.
    pub fn to_message(&self, header: &Header, now: &Timestamp) -> String {
        let (trigger, structure) = match self {
            Self::Add(_) => ("A04", "ADT_A01"),
            Self::Revise(_) => ("A08", "ADT_A01"),
            Self::Merge { .. } => ("A40", "ADT_A39"),
        };
        let header = Header {
            message_type: MESSAGE_TYPE.to_owned(),
            trigger: trigger.to_owned(),
            structure: structure.to_owned(),
            version: VERSION.to_owned(),
            ..header.clone()
        };
        let mut message = segment("EVN", &[trigger, now.as_str()]);
        // PID-5 is required; U is a name that is not told (HL7 table 0200).
        let pid = |ids: &str| segment("PID", &["", "", ids, "", "^^^^^^U"]);
        match self {
            Self::Add(patients) | Self::Revise(patients) => {
                let ids: Vec<String> = patients.iter().map(as_cx).collect();
                message.push_str(&pid(&ids.join("~")));
                // PV1-2 is required by HL7: N is a class that does not apply.
                message.push_str(&segment("PV1", &["", "N"]));
            }
            Self::Merge { subsumed, survivor } => {
                message.push_str(&pid(&as_cx(survivor)));
                message.push_str(&segment("MRG", &[&as_cx(subsumed)]));
            }
        }
        header.write(now, &message)
    }
}

/// An identifier as CX.
pub(crate) fn as_cx(patient: &PatientId) -> String {
    format!(
        "{}^^^&{}&ISO",
        encode(&patient.id),
        encode(&patient.authority)
    )
}

#[cfg(test)]
mod tests;
