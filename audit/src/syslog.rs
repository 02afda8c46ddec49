//! Audit messages in syslog frames, as ITI-20 sends them: RFC 5424 messages, counted in octets as
//! in RFC 5425.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-20.html>

use crate::event::{Event, Source};
use crate::moment::Moment;

/// Facility 10 (security), severity 5 (notice): 10 × 8 + 5.
const PRIORITY: &str = "<85>1";
/// Kept by ITI-20 for history's sake, though the messages are DICOM's.
const MESSAGE_ID: &str = "IHE+RFC-3881";

/// The frames of all messages of `event`, one after the other.
pub fn frames(event: &Event, source: &Source, moment: Moment) -> Vec<u8> {
    let moment = moment.to_string();
    let mut frames = Vec::with_capacity(2048 * event.messages.len());
    for message in &event.messages {
        let xml = message.write(source, &moment);
        let header = format!(
            "{PRIORITY} {moment} {} hilum {} {MESSAGE_ID} - ",
            host_name(&source.host),
            source.process
        );
        frames.extend_from_slice((header.len() + xml.len()).to_string().as_bytes());
        frames.push(b' ');
        frames.extend_from_slice(header.as_bytes());
        frames.extend_from_slice(xml.as_bytes());
    }
    frames
}

/// RFC 5424 allows 255 printable ASCII characters without spaces, or a dash for "not known".
fn host_name(host: &str) -> String {
    let name: String = host
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    if name.is_empty() {
        "-".to_owned()
    } else {
        name
    }
}

/// The XML of a syslog message: what follows the header, without a byte order mark.
pub fn xml(message: &[u8]) -> Option<&[u8]> {
    // PRI+VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG; our own messages
    // have no structured data, so there are seven spaces.
    let mut rest = message;
    for _ in 0..7 {
        let space = rest.iter().position(|byte| *byte == b' ')?;
        rest = rest.get(space + 1..)?;
    }
    Some(rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest))
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// A whole frame: its message, and how many bytes the frame takes.
    Whole(&'a [u8], usize),
    /// The beginning of a frame that may yet be completed.
    Partial,
    /// Something else.
    Garbage,
}

/// The longest message: an envelope of the largest size as base64, and more.
pub(crate) const MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// Octets that stand behind their count.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Counted<'a> {
    /// All of them, and how many bytes they take with their count.
    Whole(&'a [u8], usize),
    /// The beginning of them.
    Partial,
    /// Something else.
    Garbage,
}

/// Looks at what is counted at the beginning of `bytes`: at most so many octets.
pub(crate) fn counted(bytes: &[u8], most: usize) -> Counted<'_> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if digits > 8 || (digits == 0 && !bytes.is_empty()) {
        return Counted::Garbage;
    }
    match bytes.get(digits) {
        None => return Counted::Partial,
        Some(b' ') => {}
        Some(_) => return Counted::Garbage,
    }
    let length = std::str::from_utf8(&bytes[..digits])
        .ok()
        .and_then(|digits| digits.parse::<usize>().ok());
    let Some(length) = length.filter(|length| *length <= most) else {
        return Counted::Garbage;
    };
    let whole = digits + 1 + length;
    match bytes.get(digits + 1..whole) {
        Some(octets) => Counted::Whole(octets, whole),
        None => Counted::Partial,
    }
}

/// Looks at the first frame in `bytes`.
///
/// A frame is whole if it looks like one that we wrote from its beginning to its end: after a
/// power failure, a file may be as long as it should be and yet hold zeros.
pub(crate) fn first_frame(bytes: &[u8]) -> Frame<'_> {
    let (message, whole) = match counted(bytes, MESSAGE_BYTES) {
        Counted::Whole(message, whole) => (message, whole),
        Counted::Partial => return Frame::Partial,
        Counted::Garbage => return Frame::Garbage,
    };
    let ours = message.starts_with(PRIORITY.as_bytes())
        && message.ends_with(b"</AuditMessage>")
        && !message.contains(&0);
    if ours {
        Frame::Whole(message, whole)
    } else {
        Frame::Garbage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_from_garbage() {
        let message = b"<85>1 - - hilum 1 IHE+RFC-3881 - <AuditMessage></AuditMessage>";
        let mut frame = format!("{} ", message.len()).into_bytes();
        frame.extend_from_slice(message);
        let whole = frame.len();
        frame.extend_from_slice(b"12");
        assert_eq!(first_frame(&frame), Frame::Whole(message, whole));
        for cut in 0..whole {
            assert_eq!(first_frame(&frame[..cut]), Frame::Partial, "{cut}");
        }
        let mut holed = frame.clone();
        holed[20] = 0;
        assert_eq!(first_frame(&holed), Frame::Garbage);
        assert_eq!(first_frame(b"\0\0\0"), Frame::Garbage);
        assert_eq!(first_frame(b"999999999999 x"), Frame::Garbage);
        assert_eq!(xml(message), Some(&b"<AuditMessage></AuditMessage>"[..]));
    }

    #[test]
    fn host_names_are_plain() {
        assert_eq!(host_name("réseau 1"), "rseau1");
        assert_eq!(host_name(" "), "-");
    }
}
