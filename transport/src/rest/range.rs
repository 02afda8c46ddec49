//! The header `Range` (RFC 9110, section 14): a part of something is wanted.

/// What is wanted of something of a known length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ranged {
    /// All of it: nothing was said that we understand.
    All,
    /// This range.
    Part(Range),
    /// Something behind its end: answer with status 416.
    Nothing,
}

/// A range of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Where it begins.
    pub offset: u64,
    /// How long it is: at least one byte.
    pub length: u64,
}

impl Range {
    /// The value of the header `Content-Range`, for something of this length.
    pub fn content_range(self, of: u64) -> String {
        let last = self.offset + self.length - 1;
        format!("bytes {}-{last}/{of}", self.offset)
    }
}

impl Ranged {
    /// Reads the header. Several ranges are answered with everything, as RFC 9110 allows.
    pub fn of(header: Option<&str>, length: u64) -> Self {
        Self::read(header, length).unwrap_or(Self::All)
    }

    fn read(header: Option<&str>, length: u64) -> Option<Self> {
        let (unit, range) = header?.trim().split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || range.contains(',') {
            return None;
        }
        let (first, last) = range.trim().split_once('-')?;
        let (first, last) = (first.trim(), last.trim());
        let (from, to) = match (first, last) {
            ("", last) => (length.saturating_sub(number(last)?), length),
            (first, "") => (number(first)?, length),
            (first, last) => (number(first)?, number(last)?.saturating_add(1)),
        };
        if to <= from && !last.is_empty() && !first.is_empty() {
            return None;
        }
        let to = to.min(length);
        Some(match to.checked_sub(from).filter(|length| *length > 0) {
            Some(length) => Self::Part(Range {
                offset: from,
                length,
            }),
            None => Self::Nothing,
        })
    }
}

/// Digits only: `parse` takes a sign too.
fn number(text: &str) -> Option<u64> {
    match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse().ok(),
        false => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        let part = |offset, length| Ranged::Part(Range { offset, length });
        for (header, wanted) in [
            ("bytes=0-499", part(0, 500)),
            ("bytes=500-", part(500, 500)),
            ("bytes=-200", part(800, 200)),
            ("bytes=-2000", part(0, 1000)),
            ("bytes=900-5000", part(900, 100)),
            ("Bytes = 999-999", part(999, 1)),
            ("bytes=1000-", Ranged::Nothing),
            ("bytes=1000-2000", Ranged::Nothing),
            ("bytes=-0", Ranged::Nothing),
            ("bytes=5-4", Ranged::All),
            ("bytes=0-1,5-6", Ranged::All),
            ("bytes=+1-2", Ranged::All),
            ("bytes=a-b", Ranged::All),
            ("items=0-1", Ranged::All),
            ("bytes", Ranged::All),
            ("bytes=99999999999999999999-", Ranged::All),
            ("bytes=0-18446744073709551615", part(0, 1000)),
        ] {
            assert_eq!(Ranged::of(Some(header), 1000), wanted, "{header}");
        }
        assert_eq!(Ranged::of(None, 1000), Ranged::All);
        assert_eq!(Ranged::of(Some("bytes=0-"), 0), Ranged::Nothing);
        let last = Range {
            offset: 500,
            length: 500,
        };
        assert_eq!(last.content_range(1000), "bytes 500-999/1000");
    }
}
