//! Syslog messages as they come from anywhere: RFC 5424, the older habits that RFC 3164 collected, and
//! whatever else arrives at such a port.
//!
//! Nothing is refused here: what has no header that can be read is a message without one. An Audit
//! Record Repository takes any syslog message (ITI TF-2 3.20), and what it cannot understand is kept
//! all the same.
//! <https://www.rfc-editor.org/rfc/rfc5424>

use std::borrow::Cow;

use memchr::memmem;

/// The longest field of a header that is believed to be one: RFC 5424 allows 255 characters.
const FIELD: usize = 512;
/// Structured data is looked through so far.
const STRUCTURED: usize = 64 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// How the header was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 5424.
    Rfc5424,
    /// A priority, and what usually followed it before RFC 5424 (RFC 3164).
    Rfc3164,
    /// There is none.
    None,
}

/// A syslog message: its header as far as it has one, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogMessage<'a> {
    /// How the header was written.
    pub dialect: Dialect,
    /// `PRI`: facility × 8 + severity.
    pub priority: Option<u16>,
    /// `VERSION`: 1.
    pub version: Option<u16>,
    /// `TIMESTAMP`, as it was written.
    pub timestamp: Option<Cow<'a, str>>,
    /// `HOSTNAME`.
    pub host_name: Option<Cow<'a, str>>,
    /// `APP-NAME`, or the tag.
    pub app_name: Option<Cow<'a, str>>,
    /// `PROCID`.
    pub process_id: Option<Cow<'a, str>>,
    /// `MSGID`.
    pub message_id: Option<Cow<'a, str>>,
    /// `STRUCTURED-DATA`, as it was written.
    pub structured_data: Option<Cow<'a, str>>,
    /// `MSG`, without a byte order mark.
    pub message: &'a [u8],
}

impl<'a> SyslogMessage<'a> {
    /// Reads a message. A frame's length that was left before it (RFC 5425) is passed over.
    pub fn read(bytes: &'a [u8]) -> Self {
        let bytes = without_length(bytes.trim_ascii_start());
        let bare = Self {
            dialect: Dialect::None,
            priority: None,
            version: None,
            timestamp: None,
            host_name: None,
            app_name: None,
            process_id: None,
            message_id: None,
            structured_data: None,
            message: bytes.strip_prefix(BOM).unwrap_or(bytes),
        };
        let Some((priority, rest)) = priority(bytes) else {
            return bare;
        };
        let with_priority = Self {
            dialect: Dialect::Rfc3164,
            priority: Some(priority),
            message: rest,
            ..bare
        };
        match version(rest) {
            Some((version, rest)) => with_priority.read_5424(version, rest),
            None => with_priority.read_3164(rest),
        }
    }

    /// The severity: 0 is an emergency, 7 says something to those who look for a defect.
    pub fn severity(&self) -> Option<u16> {
        self.priority.map(|priority| priority % 8)
    }

    /// The facility: 10 is security.
    pub fn facility(&self) -> Option<u16> {
        self.priority.map(|priority| priority / 8)
    }

    /// The XML in the message, if it holds any, without what senders leave around it.
    pub fn xml(&self) -> Option<&'a [u8]> {
        let message = self.message.trim_ascii_start();
        let message = message.strip_prefix(BOM).unwrap_or(message);
        let end = message
            .iter()
            .rposition(|byte| *byte != 0 && !byte.is_ascii_whitespace())?;
        let message = &message[..=end];
        if message.starts_with(b"<") {
            return Some(message);
        }
        // Relays put words of their own before what they pass on.
        let begins = [&b"<?xml"[..], b"<AuditMessage"];
        let mut found = begins.iter().filter_map(|it| memmem::find(message, it));
        found.next().map(|at| &message[at..])
    }

    fn read_5424(mut self, version: u16, mut rest: &'a [u8]) -> Self {
        self.dialect = Dialect::Rfc5424;
        self.version = Some(version);
        let fields = [
            &mut self.timestamp,
            &mut self.host_name,
            &mut self.app_name,
            &mut self.process_id,
            &mut self.message_id,
        ];
        for field in fields {
            // A header that breaks off is the whole message: datagrams may be cut.
            let (word, after) = word(rest);
            *field = known(word);
            rest = after;
        }
        let length = structured(rest);
        self.structured_data = known(&rest[..length]);
        let message = &rest[length..];
        let message = message.strip_prefix(b" ").unwrap_or(message);
        self.message = message.strip_prefix(BOM).unwrap_or(message);
        self
    }

    fn read_3164(mut self, rest: &'a [u8]) -> Self {
        let Some((timestamp, after)) = old_timestamp(rest) else {
            return self;
        };
        self.timestamp = known(timestamp);
        let (host, after) = word(after);
        self.host_name = known(host);
        self.message = after;
        let tag = after.iter().take(FIELD).position(|byte| *byte == b':');
        let Some(end) = tag else {
            return self;
        };
        let tag = &after[..end];
        if tag.is_empty() || tag.iter().any(|byte| b" <\"".contains(byte)) {
            return self;
        }
        let name = tag.split(|byte| *byte == b'[').next().unwrap_or(tag);
        self.app_name = known(name);
        let process = tag.get(name.len() + 1..);
        self.process_id = process.and_then(|it| known(it.strip_suffix(b"]").unwrap_or(it)));
        let message = &after[end + 1..];
        self.message = message.strip_prefix(b" ").unwrap_or(message);
        self
    }
}

/// What follows a frame's length, if that is what stands at the beginning.
fn without_length(bytes: &[u8]) -> &[u8] {
    let digits = bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    match bytes.get(digits..) {
        Some([b' ', rest @ ..]) if (1..=9).contains(&digits) && rest.starts_with(b"<") => rest,
        _ => bytes,
    }
}

fn priority(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let rest = bytes.strip_prefix(b"<")?;
    let (priority, rest) = number(rest, 3)?;
    Some((priority, rest.strip_prefix(b">")?))
}

fn version(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (version, rest) = number(bytes, 3)?;
    Some((version, rest.strip_prefix(b" ")?))
}

fn number(bytes: &[u8], most: usize) -> Option<(u16, &[u8])> {
    let digits = bytes.iter().take_while(|it| it.is_ascii_digit()).count();
    if digits == 0 || digits > most {
        return None;
    }
    let (digits, rest) = bytes.split_at(digits);
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((number, rest))
}

/// What stands before the next space, and what follows that.
fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let space = bytes.iter().take(FIELD).position(|byte| *byte == b' ');
    match space {
        Some(space) => (&bytes[..space], &bytes[space + 1..]),
        None if bytes.len() <= FIELD => (bytes, &[]),
        None => (&[], bytes),
    }
}

/// A field with a value: a dash says that there is none.
fn known(bytes: &[u8]) -> Option<Cow<'_, str>> {
    (!bytes.is_empty() && bytes != b"-").then(|| String::from_utf8_lossy(bytes))
}

/// How long the structured data is. What looks otherwise is none, and belongs to the message.
fn structured(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"-") {
        return 1;
    }
    let (mut inside, mut quoted, mut escaped) = (false, false, false);
    for (at, byte) in bytes.iter().enumerate().take(STRUCTURED) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if inside => quoted = !quoted,
            _ if quoted => {}
            b']' if inside => inside = false,
            b'[' if !inside => inside = true,
            _ if inside => {}
            _ => return at,
        }
    }
    match inside || bytes.len() > STRUCTURED {
        true => 0,
        false => bytes.len(),
    }
}

/// `Nov 27 09:30:15` or one word that begins with a year, and what follows it.
fn old_timestamp(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    if MONTHS.iter().any(|month| bytes.starts_with(month)) {
        let timestamp = bytes.get(..15)?;
        let rest = bytes.get(15..)?.strip_prefix(b" ")?;
        let shaped = [timestamp[3], timestamp[6], timestamp[9], timestamp[12]] == *b"  ::";
        return shaped.then_some((timestamp, rest));
    }
    let (timestamp, rest) = word(bytes);
    let digits = timestamp.iter().take_while(|it| it.is_ascii_digit());
    (digits.count() == 4 && timestamp.contains(&b'T')).then_some((timestamp, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_rfc_5424_writes_it() {
        let read = SyslogMessage::read(
            b"<85>1 2026-11-27T09:30:15.250Z host hilum 12 IHE+RFC-3881 [a@1 b=\"]\\\"\"][c] \xef\xbb\xbf<A/>\n\0",
        );
        assert_eq!(read.dialect, Dialect::Rfc5424);
        assert_eq!((read.priority, read.version), (Some(85), Some(1)));
        assert_eq!((read.facility(), read.severity()), (Some(10), Some(5)));
        assert_eq!(read.timestamp.as_deref(), Some("2026-11-27T09:30:15.250Z"));
        assert_eq!(read.host_name.as_deref(), Some("host"));
        assert_eq!(read.app_name.as_deref(), Some("hilum"));
        assert_eq!(read.process_id.as_deref(), Some("12"));
        assert_eq!(read.message_id.as_deref(), Some("IHE+RFC-3881"));
        assert_eq!(
            read.structured_data.as_deref(),
            Some("[a@1 b=\"]\\\"\"][c]")
        );
        assert_eq!(read.message, b"<A/>\n\0");
        assert_eq!(read.xml(), Some(&b"<A/>"[..]));
    }

    #[test]
    fn dashes_say_nothing_and_a_header_may_break_off() {
        let read = SyslogMessage::read(b"<0>1 - - - - - - text");
        assert_eq!(read.host_name, None);
        assert_eq!(read.structured_data, None);
        assert_eq!(read.message, b"text");
        assert_eq!(read.xml(), None);
        for cut in [&b"<85>1 - ho"[..], b"<85>1 - ho - - - -", b"<85>1 "] {
            let read = SyslogMessage::read(cut);
            assert_eq!(read.dialect, Dialect::Rfc5424);
            assert_eq!(read.message, b"");
        }
        let read = SyslogMessage::read(b"<85>1 - - - - - [open <A/>");
        assert_eq!(read.structured_data, None);
        assert_eq!(read.message, b"[open <A/>");
    }

    #[test]
    fn as_it_was_written_before() {
        let read = SyslogMessage::read(b"<13>Nov  7 09:30:15 pacs audit[12]: <?xml?><A/>");
        assert_eq!(read.dialect, Dialect::Rfc3164);
        assert_eq!(read.timestamp.as_deref(), Some("Nov  7 09:30:15"));
        assert_eq!(read.host_name.as_deref(), Some("pacs"));
        assert_eq!(read.app_name.as_deref(), Some("audit"));
        assert_eq!(read.process_id.as_deref(), Some("12"));
        assert_eq!(read.message, b"<?xml?><A/>");
        let read = SyslogMessage::read(b"<13>Nov  7 09:30:15 pacs <AuditMessage a=\"b:c\"/>");
        assert_eq!(read.app_name, None);
        assert_eq!(read.message, b"<AuditMessage a=\"b:c\"/>");
        let read = SyslogMessage::read(b"<13><AuditMessage/>");
        assert_eq!(
            (read.priority, read.message),
            (Some(13), &b"<AuditMessage/>"[..])
        );
    }

    #[test]
    fn what_has_no_header_is_a_message() {
        let read = SyslogMessage::read(b"38 <85>1 - - - - - - hello");
        assert_eq!(read.message, b"hello");
        let read = SyslogMessage::read(b"relayed: <AuditMessage/>  ");
        assert_eq!(read.dialect, Dialect::None);
        assert_eq!(read.xml(), Some(&b"<AuditMessage/>"[..]));
        assert_eq!(SyslogMessage::read(b"").message, b"");
    }

    proptest! {
        #[test]
        fn anything_is_read(bytes: Vec<u8>, header in "<[0-9]{1,4}>[0-9]{0,2} ?") {
            let all = [header.as_bytes(), &bytes].concat();
            for bytes in [&bytes, &all] {
                let read = SyslogMessage::read(bytes);
                prop_assert!(read.message.len() <= bytes.len());
                read.xml();
            }
        }
    }
}
