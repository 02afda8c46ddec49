//! Where one syslog message ends and the next begins on a stream of bytes.
//!
//! Messages are counted in octets (RFC 5425, RFC 6587 3.4.1) or end with a line feed (RFC 6587 3.4.2),
//! each as it comes: what begins with a count and a space is counted, everything else is a line, since
//! a message itself begins with `<`. So nothing is refused; whether it is a message is not asked here.

use std::mem;

/// A longer count is not believed: the connection is closed, because what would be skipped might be
/// everything that follows.
const SKIPPED_BYTES: u64 = 1 << 30;
/// Digits of a count: as many as RFC 5425 needs for any length.
const DIGITS: usize = 10;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message.
    Message(Vec<u8>),
    /// The beginning of a message that is too long. The rest will be skipped.
    Cut(Vec<u8>),
    /// The same, but it says that it is so long that nobody waits for its end.
    Endless(Vec<u8>),
    /// More bytes are needed.
    More,
}

/// The bytes that have come and are no message yet.
#[derive(Debug)]
pub(super) struct Framing {
    /// Bytes that are kept of a message.
    most: usize,
    bytes: Vec<u8>,
    /// Where in it the next message begins.
    at: usize,
    /// How far from there no line feed was found.
    searched: usize,
    skip: Skip,
}

/// What is left of a message that was too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Skip {
    Nothing,
    Bytes(u64),
    Line,
}

impl Framing {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            bytes: Vec::new(),
            at: 0,
            searched: 0,
            skip: Skip::Nothing,
        }
    }

    /// Takes what has come.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// How many bytes wait for the rest of their message.
    pub(super) fn waiting(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// What is left when no more bytes come: the beginning of a message.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        let mut rest = mem::take(&mut self.bytes);
        rest.drain(..self.at);
        self.at = 0;
        (!rest.is_empty()).then_some(rest)
    }

    /// The next message.
    pub(super) fn next(&mut self) -> Next {
        self.skip_rest();
        // Some senders end counted messages with a line feed too, or lines with more than one.
        let padding = self.bytes[self.at..].iter();
        let padding = padding
            .take_while(|byte| matches!(byte, b'\n' | b'\r' | 0))
            .count();
        if self.searched == 0 && self.skip == Skip::Nothing {
            self.at += padding;
        }
        let rest = &self.bytes[self.at..];
        if rest.is_empty() || self.skip != Skip::Nothing {
            self.forget();
            return Next::More;
        }
        let digits = rest.iter().take(DIGITS + 1);
        let digits = digits.take_while(|byte| byte.is_ascii_digit()).count();
        if rest[0] == b'0' || digits == 0 || digits > DIGITS {
            return self.line();
        }
        match rest.get(digits) {
            None => {
                self.forget();
                Next::More
            }
            Some(b' ') => self.counted(digits),
            Some(_) => self.line(),
        }
    }

    fn counted(&mut self, digits: usize) -> Next {
        let rest = &self.bytes[self.at..];
        let count = std::str::from_utf8(&rest[..digits]).unwrap_or_default();
        let count = count.parse::<u64>().unwrap_or(u64::MAX);
        let begin = digits + 1;
        let kept = usize::try_from(count).map_or(self.most, |count| count.min(self.most));
        let Some(message) = rest.get(begin..begin + kept) else {
            self.forget();
            return Next::More;
        };
        let message = message.to_vec();
        self.at += begin + kept;
        match count - kept as u64 {
            0 => Next::Message(message),
            left if count > SKIPPED_BYTES => {
                self.skip = Skip::Bytes(left);
                Next::Endless(message)
            }
            left => {
                self.skip = Skip::Bytes(left);
                Next::Cut(message)
            }
        }
    }

    fn line(&mut self) -> Next {
        let rest = &self.bytes[self.at..];
        let end = rest[self.searched..].iter().position(|byte| *byte == b'\n');
        let end = end.map(|end| end + self.searched);
        match end {
            Some(end) if end <= self.most => {
                let message = rest[..end].to_vec();
                self.at += end + 1;
                self.searched = 0;
                Next::Message(message)
            }
            None if rest.len() <= self.most => {
                self.searched = rest.len();
                self.forget();
                Next::More
            }
            _ => {
                let message = rest[..self.most].to_vec();
                self.at += self.most;
                self.searched = 0;
                self.skip = Skip::Line;
                Next::Cut(message)
            }
        }
    }

    /// Skips what has come of the rest of a message that was too long.
    fn skip_rest(&mut self) {
        let there = self.bytes.len() - self.at;
        match self.skip {
            Skip::Nothing => {}
            Skip::Bytes(left) => {
                let skipped = usize::try_from(left).map_or(there, |left| left.min(there));
                self.at += skipped;
                self.skip = match left - skipped as u64 {
                    0 => Skip::Nothing,
                    left => Skip::Bytes(left),
                };
            }
            Skip::Line => match self.bytes[self.at..].iter().position(|it| *it == b'\n') {
                Some(end) => {
                    self.at += end + 1;
                    self.skip = Skip::Nothing;
                }
                None => self.at += there,
            },
        }
    }

    /// Gives the memory of what was taken back, when more is to come.
    fn forget(&mut self) {
        self.bytes.drain(..self.at);
        self.at = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What comes out if `bytes` come in pieces of `piece`.
    fn all(bytes: &[u8], most: usize, piece: usize) -> (Vec<Next>, Option<Vec<u8>>) {
        let mut framing = Framing::new(most);
        let mut all = Vec::new();
        for piece in bytes.chunks(piece) {
            framing.add(piece);
            loop {
                match framing.next() {
                    Next::More => break,
                    next => all.push(next),
                }
            }
        }
        (all, framing.rest())
    }

    fn message(text: &str) -> Next {
        Next::Message(text.as_bytes().to_vec())
    }

    fn cut(text: &str) -> Next {
        Next::Cut(text.as_bytes().to_vec())
    }

    #[test]
    fn counted_messages_and_lines() {
        let bytes = b"5 <1>ab7 <1>\nabc\n<2>line\n\r\n3 <3>2026-11-27 is\n12345678901 x\n09 y\n4 <";
        for piece in 1..bytes.len() {
            let (all, rest) = all(bytes, 30, piece);
            let expected = [
                message("<1>ab"),
                message("<1>\nabc"),
                message("<2>line"),
                message("<3>"),
                message("2026-11-27 is"),
                message("12345678901 x"),
                message("09 y"),
            ];
            assert_eq!(all, expected, "{piece}");
            assert_eq!(rest.unwrap(), b"4 <");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_its_rest_is_skipped() {
        let bytes = b"12 <1>abcdefghi5 <1>ab<2>abcdefgh\n5 <3>ab";
        for piece in 1..bytes.len() {
            let (all, rest) = all(bytes, 5, piece);
            let expected = [
                cut("<1>ab"),
                message("<1>ab"),
                cut("<2>ab"),
                message("<3>ab"),
            ];
            assert_eq!(all, expected, "{piece}");
            assert_eq!(rest, None);
        }
        let (all, _) = all(b"9999999999 <1>abcdef", 5, 3);
        assert_eq!(all[0], Next::Endless(b"<1>ab".to_vec()));
    }

    proptest! {
        /// However the bytes are cut into pieces, the same comes out; and nothing is invented.
        #[test]
        fn pieces_do_not_matter(
            bytes in prop::collection::vec(prop::sample::select(b"019 <>a\n\r\0".to_vec()), 0..200),
            most in 1_usize..40,
            piece in 1_usize..20,
        ) {
            let (at_once, rest) = all(&bytes, most, bytes.len().max(1));
            let (in_pieces, rest_in_pieces) = all(&bytes, most, piece);
            prop_assert_eq!(&at_once, &in_pieces);
            prop_assert_eq!(&rest, &rest_in_pieces);
            let total: usize = at_once.iter().map(|next| match next {
                Next::Message(bytes) | Next::Cut(bytes) | Next::Endless(bytes) => bytes.len(),
                Next::More => 0,
            }).sum();
            prop_assert!(total <= bytes.len());
        }
    }
}
