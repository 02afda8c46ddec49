//! Command sets: what a message of DICOM asks for or answers (PS3.7 section 6.3, annex E).
//!
//! They are written in implicit VR little endian, elements of group 0000 only.

use std::collections::BTreeMap;

/// Command Field (0000,0100).
pub(super) const C_STORE_RQ: u16 = 0x0001;
pub(super) const C_FIND_RQ: u16 = 0x0020;
pub(super) const C_MOVE_RQ: u16 = 0x0021;
pub(super) const C_ECHO_RQ: u16 = 0x0030;
pub(super) const N_EVENT_REPORT_RQ: u16 = 0x0100;
pub(super) const N_EVENT_REPORT_RSP: u16 = N_EVENT_REPORT_RQ | RESPONSE;
pub(super) const N_ACTION_RQ: u16 = 0x0130;
pub(super) const C_CANCEL_RQ: u16 = 0x0FFF;

/// Elements of group 0000.
pub(super) const AFFECTED_SOP_CLASS_UID: u16 = 0x0002;
pub(super) const REQUESTED_SOP_CLASS_UID: u16 = 0x0003;
const COMMAND_FIELD: u16 = 0x0100;
const MESSAGE_ID: u16 = 0x0110;
const MESSAGE_ID_BEING_RESPONDED_TO: u16 = 0x0120;
pub(super) const MOVE_DESTINATION: u16 = 0x0600;
const PRIORITY: u16 = 0x0700;
const COMMAND_DATA_SET_TYPE: u16 = 0x0800;
const STATUS: u16 = 0x0900;
pub(super) const ERROR_COMMENT: u16 = 0x0902;
pub(super) const AFFECTED_SOP_INSTANCE_UID: u16 = 0x1000;
pub(super) const REQUESTED_SOP_INSTANCE_UID: u16 = 0x1001;
pub(super) const EVENT_TYPE_ID: u16 = 0x1002;
pub(super) const ACTION_TYPE_ID: u16 = 0x1008;
pub(super) const COMPLETED_SUBOPERATIONS: u16 = 0x1021;
pub(super) const FAILED_SUBOPERATIONS: u16 = 0x1022;
pub(super) const WARNING_SUBOPERATIONS: u16 = 0x1023;

/// Set in the Command Field of responses.
const RESPONSE: u16 = 0x8000;
/// There is no data set behind the command.
const NO_DATA_SET: u16 = 0x0101;
/// There is one.
const DATA_SET: u16 = 0x0001;
/// A command longer than this is none.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// A command set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    elements: BTreeMap<u16, Vec<u8>>,
}

impl Command {
    /// A request.
    pub(super) fn request(field: u16, message_id: u16, has_data: bool) -> Self {
        let kind = if has_data { DATA_SET } else { NO_DATA_SET };
        Self::default()
            .number(COMMAND_FIELD, field)
            .number(MESSAGE_ID, message_id)
            .number(COMMAND_DATA_SET_TYPE, kind)
    }

    /// That a request of ours needs no more answers: a message without an identifier of its own.
    pub(super) fn cancel(message_id: u16) -> Self {
        Self::default()
            .number(COMMAND_FIELD, C_CANCEL_RQ)
            .number(MESSAGE_ID_BEING_RESPONDED_TO, message_id)
            .number(COMMAND_DATA_SET_TYPE, NO_DATA_SET)
    }

    /// The response to this request, without a data set. What the request is about is repeated.
    pub(super) fn response(&self, status: u16) -> Self {
        let mut response = Self::default()
            .number(COMMAND_FIELD, self.field() | RESPONSE)
            .number(MESSAGE_ID_BEING_RESPONDED_TO, self.message_id())
            .number(COMMAND_DATA_SET_TYPE, NO_DATA_SET)
            .number(STATUS, status);
        let about = [
            (AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_CLASS_UID),
            (AFFECTED_SOP_INSTANCE_UID, AFFECTED_SOP_INSTANCE_UID),
            // What was requested is what is affected (PS3.7 section 10.3).
            (REQUESTED_SOP_CLASS_UID, AFFECTED_SOP_CLASS_UID),
            (REQUESTED_SOP_INSTANCE_UID, AFFECTED_SOP_INSTANCE_UID),
            (ACTION_TYPE_ID, ACTION_TYPE_ID),
            (EVENT_TYPE_ID, EVENT_TYPE_ID),
        ];
        for (from, to) in about {
            if let Some(value) = self.elements.get(&from) {
                response.elements.insert(to, value.clone());
            }
        }
        response
    }

    pub(super) fn number(mut self, element: u16, value: u16) -> Self {
        self.elements.insert(element, value.to_le_bytes().to_vec());
        self
    }

    /// Text, padded to an even length; UIDs with a null.
    pub(super) fn text(mut self, element: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(if is_uid(element) { 0 } else { b' ' });
        }
        self.elements.insert(element, bytes);
        self
    }

    /// A priority that nobody heeds: medium.
    pub(super) fn with_priority(self) -> Self {
        self.number(PRIORITY, 0)
    }

    /// What went wrong, in at most 64 characters (0000,0902).
    pub(super) fn comment(self, comment: &str) -> Self {
        let ascii = comment.chars().filter(|c| c.is_ascii() && !c.is_control());
        let short: String = ascii.filter(|c| *c != '\\').take(64).collect();
        self.text(ERROR_COMMENT, &short)
    }

    pub(super) fn field(&self) -> u16 {
        self.get(COMMAND_FIELD).unwrap_or(0)
    }

    pub(super) fn message_id(&self) -> u16 {
        self.get(MESSAGE_ID).unwrap_or(0)
    }

    pub(super) fn is_response(&self) -> bool {
        self.field() & RESPONSE != 0
    }

    /// The request that this is the response to.
    pub(super) fn responds_to(&self) -> u16 {
        self.get(MESSAGE_ID_BEING_RESPONDED_TO).unwrap_or(0)
    }

    pub(super) fn status(&self) -> u16 {
        self.get(STATUS).unwrap_or(0xC000)
    }

    pub(super) fn has_data(&self) -> bool {
        self.get(COMMAND_DATA_SET_TYPE) != Some(NO_DATA_SET)
    }

    pub(super) fn get(&self, element: u16) -> Option<u16> {
        let bytes = self.elements.get(&element)?;
        Some(u16::from_le_bytes(bytes.get(..2)?.try_into().ok()?))
    }

    pub(super) fn string(&self, element: u16) -> Option<String> {
        let text = String::from_utf8_lossy(self.elements.get(&element)?);
        let text = text.trim_matches([' ', '\0']);
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// What went wrong, as the other end says.
    pub(super) fn said(&self) -> String {
        let comment = self.string(ERROR_COMMENT).unwrap_or_default();
        format!("status {:04X} {comment}", self.status())
            .trim_end()
            .to_owned()
    }

    /// The bytes, with their Command Group Length.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(256);
        for (element, value) in &self.elements {
            put(&mut body, *element, value);
        }
        let mut all = Vec::with_capacity(body.len() + 12);
        let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
        put(&mut all, 0, &length.to_le_bytes());
        all.extend(body);
        all
    }

    /// Reads a command set; `None` if that is none.
    pub(super) fn read(mut bytes: &[u8]) -> Option<Self> {
        let mut command = Self::default();
        while !bytes.is_empty() {
            let header = bytes.get(..8)?;
            let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
            let length = u32::from_le_bytes(header[4..8].try_into().ok()?);
            let length = usize::try_from(length).ok()?;
            let value = bytes.get(8..8_usize.checked_add(length)?)?;
            if word(0) != 0 {
                return None;
            }
            if word(2) != 0 {
                command.elements.insert(word(2), value.to_vec());
            }
            bytes = &bytes[8 + length..];
        }
        command
            .elements
            .contains_key(&COMMAND_FIELD)
            .then_some(command)
    }
}

const fn is_uid(element: u16) -> bool {
    matches!(
        element,
        AFFECTED_SOP_CLASS_UID
            | REQUESTED_SOP_CLASS_UID
            | AFFECTED_SOP_INSTANCE_UID
            | REQUESTED_SOP_INSTANCE_UID
    )
}

fn put(out: &mut Vec<u8>, element: u16, value: &[u8]) {
    out.extend([0, 0]);
    out.extend(element.to_le_bytes());
    out.extend(u32::try_from(value.len()).unwrap_or(0).to_le_bytes());
    out.extend(value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn there_and_back() {
        let command = Command::request(C_STORE_RQ, 7, true)
            .text(AFFECTED_SOP_CLASS_UID, "1.2.840.10008.1.1")
            .with_priority();
        let read = Command::read(&command.write()).unwrap();
        assert_eq!(read, command);
        assert_eq!((read.field(), read.message_id()), (C_STORE_RQ, 7));
        let class = read.string(AFFECTED_SOP_CLASS_UID);
        assert_eq!(class.as_deref(), Some("1.2.840.10008.1.1"));
        let response = read.response(0xA700).comment("disk\nfull\\");
        assert_eq!(response.said(), "status A700 diskfull");
        assert_eq!((response.field(), response.responds_to()), (0x8001, 7));
        assert!(response.is_response() && !response.has_data());
        let class = response.string(AFFECTED_SOP_CLASS_UID);
        assert_eq!(class.as_deref(), Some("1.2.840.10008.1.1"));
    }

    proptest! {
        #[test]
        fn whatever_comes(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(command) = Command::read(&bytes) {
                prop_assert_eq!(Command::read(&command.write()), Some(command));
            }
        }
    }
}
