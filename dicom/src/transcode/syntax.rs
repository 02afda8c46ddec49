//! Transfer syntaxes (PS3.5 annex A) by what can be done with them.

use crate::part10::Encoding;

/// A transfer syntax that is read, written, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Native(Encoding),
    Deflated,
    Rle,
    /// Process 1 and, as far as 8 bits go, process 2.
    JpegLossy,
    /// Process 14, any predictor; written with the first.
    JpegLossless,
    /// Lossless and near-lossless.
    JpegLs,
    /// Part 1 and, for its blocks, part 15 (HTJ2K).
    Jpeg2000,
}

const IMPLICIT: Syntax = Syntax::Native(Encoding {
    explicit: false,
    big_endian: false,
});
const EXPLICIT: Syntax = Syntax::Native(Encoding {
    explicit: true,
    big_endian: false,
});
const BIG_ENDIAN: Syntax = Syntax::Native(Encoding {
    explicit: true,
    big_endian: true,
});

/// Those that are written without loss, the cheapest first: for a reader at the other end of a cable,
/// processor time costs more than bytes.
pub(crate) const WRITTEN: [(&str, Syntax); 6] = [
    ("1.2.840.10008.1.2.1", EXPLICIT),
    ("1.2.840.10008.1.2", IMPLICIT),
    ("1.2.840.10008.1.2.2", BIG_ENDIAN),
    ("1.2.840.10008.1.2.5", Syntax::Rle),
    ("1.2.840.10008.1.2.4.70", Syntax::JpegLossless),
    ("1.2.840.10008.1.2.1.99", Syntax::Deflated),
];

/// Those that are only read.
const READ: [(&str, Syntax); 10] = [
    ("1.2.840.10008.1.2.4.50", Syntax::JpegLossy),
    ("1.2.840.10008.1.2.4.51", Syntax::JpegLossy),
    ("1.2.840.10008.1.2.4.57", Syntax::JpegLossless),
    ("1.2.840.10008.1.2.4.80", Syntax::JpegLs),
    ("1.2.840.10008.1.2.4.81", Syntax::JpegLs),
    ("1.2.840.10008.1.2.4.90", Syntax::Jpeg2000),
    ("1.2.840.10008.1.2.4.91", Syntax::Jpeg2000),
    ("1.2.840.10008.1.2.4.201", Syntax::Jpeg2000),
    ("1.2.840.10008.1.2.4.202", Syntax::Jpeg2000),
    ("1.2.840.10008.1.2.4.203", Syntax::Jpeg2000),
];

impl Syntax {
    /// One that is read.
    pub(crate) fn read(uid: &str) -> Option<Self> {
        let known = WRITTEN.iter().chain(&READ);
        known
            .clone()
            .find(|(it, _)| *it == uid)
            .map(|(_, syntax)| *syntax)
    }

    /// One that is written.
    pub(crate) fn written(uid: &str) -> Option<Self> {
        let found = WRITTEN.iter().find(|(it, _)| *it == uid);
        found.map(|(_, syntax)| *syntax)
    }

    /// How the data set around the pixels is written.
    pub(crate) fn encoding(self) -> Encoding {
        match self {
            Self::Native(encoding) => encoding,
            _ => Encoding {
                explicit: true,
                big_endian: false,
            },
        }
    }

    /// Whether frames are compressed one by one.
    pub(crate) fn encapsulated(self) -> bool {
        !matches!(self, Self::Native(_) | Self::Deflated)
    }
}
