//! MSH: who sends what to whom (ITI TF-2 C.2.2).

use super::{ErrorCode, Message, NotHl7, Place, Refusal, segment};
use crate::metadata::Timestamp;

/// Characters of a field of MSH that are kept: names have at most 227 (HL7 v2.5, MSH-3).
const LONGEST: usize = 256;
/// The versions whose segments MSH, EVN, PID, PV1 and MRG are alike in what is read of them. ITI-8
/// is written in 2.3.1 and ITI-64 in 2.5; senders of neighbouring versions are understood too.
const VERSIONS: [&str; 9] = [
    "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1",
];

/// What MSH says. Names are encoded with the usual delimiters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// MSH-3.
    pub sending_application: String,
    /// MSH-4.
    pub sending_facility: String,
    /// MSH-5.
    pub receiving_application: String,
    /// MSH-6.
    pub receiving_facility: String,
    /// MSH-9.1.
    pub message_type: String,
    /// MSH-9.2.
    pub trigger: String,
    /// MSH-9.3, if it is there.
    pub structure: String,
    /// MSH-10.
    pub control_id: String,
    /// MSH-11.
    pub processing_id: String,
    /// MSH-12.1.
    pub version: String,
}

impl Header {
    /// Reads the header of a message, or of as much of it as its first segment.
    ///
    /// # Errors
    /// If it does not begin with MSH.
    pub fn read(bytes: &[u8]) -> Result<Self, NotHl7> {
        let first = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next();
        Ok(Self::of(&Message::read(first.unwrap_or_default())?))
    }

    /// The header of a message.
    pub fn of(message: &Message) -> Self {
        let Some(msh) = message.segment("MSH") else {
            return Self::default();
        };
        let name = |number| msh.field(number).written(LONGEST);
        let part = |number, component| {
            let text = msh.field(number).component(component).text();
            text.chars().take(LONGEST).collect::<String>()
        };
        Self {
            sending_application: name(3),
            sending_facility: name(4),
            receiving_application: name(5),
            receiving_facility: name(6),
            message_type: part(9, 1),
            trigger: part(9, 2),
            structure: part(9, 3),
            control_id: part(10, 1),
            processing_id: part(11, 1),
            version: part(12, 1),
        }
    }

    /// Refuses what ITI TF-2 C.2.2 does not allow, and messages to somebody else than `application`
    /// at `facility`, if these are given.
    ///
    /// # Errors
    /// Says which field of MSH is wrong.
    pub fn judge(&self, application: Option<&str>, facility: Option<&str>) -> Result<(), Refusal> {
        let msh =
            |field, code, reason: String| Refusal::new(code, Place::field("MSH", field), reason);
        if self.control_id.is_empty() {
            let reason = "MSH-10 is empty: every message needs a control ID";
            return Err(msh(10, ErrorCode::RequiredFieldMissing, reason.to_owned()));
        }
        if self.processing_id.is_empty() {
            let reason = "MSH-11 is empty: P, T or D is expected";
            return Err(msh(11, ErrorCode::RequiredFieldMissing, reason.to_owned()));
        }
        if !VERSIONS.contains(&self.version.as_str()) {
            let reason = "MSH-12 is none of the versions that are read here, 2.3.1 to 2.8.1";
            return Err(msh(12, ErrorCode::UnsupportedVersion, reason.to_owned()));
        }
        for (field, given, expected, what) in [
            (5, &self.receiving_application, application, "application"),
            (6, &self.receiving_facility, facility, "facility"),
        ] {
            if let Some(expected) = expected.filter(|expected| expected != given) {
                let reason =
                    format!("MSH-{field} does not name the {what} that answers here, {expected}");
                return Err(msh(field, ErrorCode::TableValueNotFound, reason));
            }
        }
        Ok(())
    }

    /// Whether the version is as old as that of ITI-8: what came with 2.5 is not known to it. Who names
    /// no version is taken to be so.
    pub(super) fn is_before_2_5(&self) -> bool {
        let old = ["2.1", "2.2", "2.3", "2.4"];
        self.version.is_empty() || old.iter().any(|old| self.version.starts_with(old))
    }

    /// Writes a message of this header and the segments that follow it, sent at `now`. MSH-18 says
    /// something only of messages that are not ASCII (ITI TF-2 C.2.2).
    pub fn write(&self, now: &Timestamp, following: &str) -> String {
        let encode = super::encode;
        let mut message_type = encode(&self.message_type);
        for part in [&self.trigger, &self.structure] {
            if !part.is_empty() {
                message_type.push('^');
                message_type.push_str(&encode(part));
            }
        }
        let names = [
            &self.sending_application,
            &self.sending_facility,
            &self.receiving_application,
            &self.receiving_facility,
            &self.control_id,
        ];
        let is_ascii = following.is_ascii() && names.iter().all(|name| name.is_ascii());
        let charset = if is_ascii { "" } else { "UNICODE UTF-8" };
        let msh = segment(
            "MSH",
            &[
                "^~\\&",
                &self.sending_application,
                &self.sending_facility,
                &self.receiving_application,
                &self.receiving_facility,
                now.as_str(),
                "",
                &message_type,
                &encode(&self.control_id),
                &encode(&self.processing_id),
                &encode(&self.version),
                "",
                "",
                "",
                "",
                "",
                charset,
            ],
        );
        msh + following
    }
}
