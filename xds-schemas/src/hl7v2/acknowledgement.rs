//! ACK: how a message was taken, in the original mode (ITI TF-2 C.2.3).

use super::{Header, Message, NotHl7, encode, segment};
use crate::metadata::Timestamp;

/// Characters of the reason: HL7 v2.5 gives ERR-8 as many as this.
const LONGEST_REASON: usize = 250;

/// What was wrong (HL7 table 0357).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A segment is missing.
    SegmentSequence,
    /// A field is missing.
    RequiredFieldMissing,
    /// A field does not have its form.
    DataType,
    /// A field has a value that it cannot have.
    TableValueNotFound,
    /// MSH-9.1.
    UnsupportedMessageType,
    /// MSH-9.2.
    UnsupportedEvent,
    /// MSH-12.
    UnsupportedVersion,
    /// An identifier is not known, or not of the right authority.
    UnknownKey,
    /// An identifier cannot be used any more, or is used twice.
    DuplicateKey,
    /// It is the receiver's fault; the message may be sent again.
    Internal,
}

impl ErrorCode {
    /// Number and words of the table.
    pub const fn in_table(self) -> (&'static str, &'static str) {
        match self {
            Self::SegmentSequence => ("100", "Segment sequence error"),
            Self::RequiredFieldMissing => ("101", "Required field missing"),
            Self::DataType => ("102", "Data type error"),
            Self::TableValueNotFound => ("103", "Table value not found"),
            Self::UnsupportedMessageType => ("200", "Unsupported message type"),
            Self::UnsupportedEvent => ("201", "Unsupported trigger event"),
            Self::UnsupportedVersion => ("203", "Unsupported version id"),
            Self::UnknownKey => ("204", "Unknown key identifier"),
            Self::DuplicateKey => ("205", "Duplicate key identifier"),
            Self::Internal => ("207", "Application internal error"),
        }
    }
}

/// Where something is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    segment: &'static str,
    field: u8,
    component: u8,
}

impl Place {
    /// A segment.
    pub const fn segment(segment: &'static str) -> Self {
        Self::component(segment, 0, 0)
    }

    /// A field.
    pub const fn field(segment: &'static str, field: u8) -> Self {
        Self::component(segment, field, 0)
    }

    /// A component of the first repetition of a field.
    pub const fn component(segment: &'static str, field: u8, component: u8) -> Self {
        Self {
            segment,
            field,
            component,
        }
    }

    /// ELD of 2.3.1 begins so: segment, sequence, field.
    fn as_eld(self) -> String {
        match self.field {
            0 => format!("{}^1", self.segment),
            field => format!("{}^1^{field}", self.segment),
        }
    }

    /// ERL: segment, sequence, field, repetition, component.
    fn as_erl(self) -> String {
        match (self.field, self.component) {
            (0, _) => format!("{}^1", self.segment),
            (field, 0) => format!("{}^1^{field}", self.segment),
            (field, component) => format!("{}^1^{field}^1^{component}", self.segment),
        }
    }
}

/// Why a message is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The kind of mistake.
    pub code: ErrorCode,
    /// Where it is.
    pub place: Place,
    /// What is wrong and what was expected, in a sentence without patient data.
    pub reason: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(code: ErrorCode, place: Place, reason: impl Into<String>) -> Self {
        Self {
            code,
            place,
            reason: reason.into(),
        }
    }

    /// MSA-1: what is wrong with MSH, and what is our own fault, is rejected (AR); everything else is
    /// an error of the message, which must not be sent again as it is (AE).
    pub fn acknowledgement_code(&self) -> &'static str {
        match self.code == ErrorCode::Internal || self.place.segment == "MSH" {
            true => "AR",
            false => "AE",
        }
    }
}

/// An answer, as a sender reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// MSA-1: `AA` if the message was taken.
    pub code: String,
    /// MSA-2: which message is meant.
    pub control_id: String,
    /// Why it was not taken, if the receiver says so.
    pub reasons: Vec<String>,
}

impl Acknowledgement {
    /// Reads an acknowledgement.
    ///
    /// # Errors
    /// If it is no HL7 v2 message, or has no MSA.
    pub fn read(bytes: &[u8]) -> Result<Self, NotHl7> {
        let message = Message::read(bytes)?;
        let msa = message.segment("MSA");
        let msa = msa.ok_or(NotHl7("it has no segment MSA"))?;
        let mut reasons = Vec::new();
        for err in message.segments().filter(|one| one.name() == "ERR") {
            let said = [
                err.field(8).component(1).text(),
                err.field(7).component(1).text(),
                err.field(3).component(2).text(),
                err.field(1).component(4).part(2),
            ];
            reasons.extend(said.into_iter().find(|text| !text.is_empty()));
        }
        let text = msa.field(3).component(1).text();
        if reasons.is_empty() && !text.is_empty() {
            reasons.push(text);
        }
        Ok(Self {
            code: msa.field(1).component(1).text(),
            control_id: msa.field(2).component(1).text(),
            reasons,
        })
    }

    /// Whether the message was taken.
    pub fn is_accepted(&self) -> bool {
        matches!(self.code.as_str(), "AA" | "CA")
    }
}

/// Writes the acknowledgement of a message with this header, in its version, from `application` at
/// `facility`; without these, from whom the message was sent to.
///
/// MSA-3 stays empty, as ITI TF-2 C.2.3.1 wants it; the reason stands in ERR. Up to version 2.4 that
/// segment has one field, whose error code carries the words; later ones have a field for them.
pub fn write(
    to: &Header,
    outcome: Result<(), &Refusal>,
    (application, facility): (Option<&str>, Option<&str>),
    now: &Timestamp,
    control_id: &str,
) -> String {
    let old = to.is_before_2_5();
    let version = match to.version.is_empty() {
        true => "2.3.1".to_owned(),
        false => to.version.clone(),
    };
    let own =
        |given: Option<&str>, called: &String| given.map_or_else(|| called.clone(), str::to_owned);
    let header = Header {
        sending_application: own(application, &to.receiving_application),
        sending_facility: own(facility, &to.receiving_facility),
        receiving_application: to.sending_application.clone(),
        receiving_facility: to.sending_facility.clone(),
        message_type: "ACK".to_owned(),
        trigger: to.trigger.clone(),
        structure: if to.trigger.is_empty() { "" } else { "ACK" }.to_owned(),
        control_id: control_id.to_owned(),
        processing_id: match to.processing_id.is_empty() {
            true => "P".to_owned(),
            false => to.processing_id.clone(),
        },
        version,
    };
    let code = outcome.map_or_else(Refusal::acknowledgement_code, |()| "AA");
    let mut following = segment("MSA", &[code, &encode(&to.control_id)]);
    if let Err(refusal) = outcome {
        following.push_str(&error(refusal, old));
    }
    header.write(now, &following)
}

fn error(refusal: &Refusal, old: bool) -> String {
    let (number, words) = refusal.code.in_table();
    let reason: String = refusal.reason.chars().take(LONGEST_REASON).collect();
    let reason = encode(&reason);
    let place = refusal.place;
    if old {
        let eld = place.as_eld();
        let missing = "^".repeat(3 - eld.matches('^').count());
        return segment(
            "ERR",
            &[&format!("{eld}{missing}{number}&{reason}&HL70357")],
        );
    }
    let code = format!("{number}^{words}^HL70357");
    segment(
        "ERR",
        &["", &place.as_erl(), &code, "E", "", "", "", &reason],
    )
}
