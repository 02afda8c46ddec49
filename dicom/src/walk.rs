//! A walk over a DICOM file that trusts nothing it says about itself.
//!
//! DICOM lengths and nesting come from whoever made the file, and a reader that believes them can be
//! made to reserve gigabytes for a file of 300 bytes, or to run out of stack on nested sequences.
//! This walk believes a length only if that many bytes are left, descends [`MAX_DEPTH`] levels at most
//! and keeps only the elements it was asked for; other values, pixel data above all, are stepped over
//! without being read. What has been walked may be given to other readers.
//!
//! Part 10 of DICOM is the file format, Part 5 section 7 the data set.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part05.html#chapter_7>

mod beginning;
mod header;

use std::io;
use std::path::Path;

use dicom_core::{Tag, VR};

use super::bytes::Source;
use super::opened;
use super::uid::Uid;

pub(crate) use header::has_long_form;
use header::{Encoding, Header};

pub use beginning::{Beginning, beginning};

/// Sequences may be nested this deep; the deepest standard template needs about ten.
pub const MAX_DEPTH: usize = 64;
/// More elements than this in one file are refused. An enhanced image of 50,000 frames stays below.
pub const MAX_ELEMENTS: u64 = 4_000_000;
/// A single value longer than this is not kept, even if it was asked for: none that we ask for is.
/// Pixel data never is.
const MAX_KEPT_VALUE: u64 = 64 * 1024;
/// All kept values together: a manifest of 100,000 instances stays below.
const MAX_KEPT_TOTAL: u64 = 64 * 1024 * 1024;

pub(crate) const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
pub(crate) const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
pub(crate) const DEFLATED: [&str; 2] = ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95"];

const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002, 0x0010);
const STUDY_INSTANCE_UID: Tag = Tag(0x0020, 0x000D);
const SERIES_INSTANCE_UID: Tag = Tag(0x0020, 0x000E);
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_DELIMITATION: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_DELIMITATION: Tag = Tag(0xFFFE, 0xE0DD);

/// Why a file was not accepted. None of the texts repeats what the file says about a patient.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// No `DICM` after the preamble.
    #[error("not a DICOM file (no DICM mark at byte 128)")]
    NotDicom,
    /// The file ends before its last element does.
    #[error("truncated: the file ends at byte {0}, inside an element")]
    Truncated(u64),
    /// A length that cannot be true.
    #[error("{tag} declares {declared} bytes where {left} are left: truncated or hostile")]
    TooLong {
        /// The element with the wrong length.
        tag: Tag,
        /// What it claims.
        declared: u64,
        /// What there is.
        left: u64,
    },
    /// Sequences nested deeper than [`MAX_DEPTH`].
    #[error("sequences are nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// More than [`MAX_ELEMENTS`] elements, or too much in those that are kept.
    #[error("too many elements (limit {MAX_ELEMENTS})")]
    TooMany,
    /// Inflates to more than is allowed.
    #[error("deflated data set inflates to more than {0} bytes")]
    InflatesTooFar(u64),
    /// Bytes that are no DICOM encoding.
    #[error("garbled at byte {0}: {1}")]
    Garbled(u64, &'static str),
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// A file's meta information and those elements of its data set that were asked for.
#[derive(Debug)]
pub struct Part10 {
    /// File meta information, group 0002, whole.
    pub meta: DataSet,
    /// The kept elements of the data set.
    pub data: DataSet,
    /// Transfer syntax of the data set, (0002,0010).
    pub transfer_syntax_uid: String,
    /// Where the data set begins in the file.
    pub data_offset: u64,
}

/// The kept elements of a data set or of a sequence item, in the order of the file.
#[derive(Debug, Default, Clone)]
pub struct DataSet(Vec<(Tag, VR, Value)>);

/// A kept value, not decoded.
#[derive(Debug, Clone)]
pub enum Value {
    /// Bytes as in the file, except that numbers of big endian files are turned around: they are
    /// little endian always.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<DataSet>),
    /// A value that is too long to be kept; only if the whole file is walked.
    Apart(Apart),
    /// Encapsulated pixel data: the basic offset table, then its fragments; only if the whole file
    /// is walked.
    Fragments(Vec<Apart>),
}

/// Where a value stands that was not kept. In a deflated data set, bytes are counted from its
/// beginning after inflating; otherwise, from the beginning of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Apart {
    /// Its first byte.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
}

/// What a walk keeps.
#[derive(Clone, Copy)]
enum Keep<'a> {
    /// The elements of these names.
    These(&'a [Tag]),
    /// Everything that is not too long, and where the rest stands.
    Whole,
}

impl DataSet {
    /// Elements in this order.
    pub(crate) const fn of(elements: Vec<(Tag, VR, Value)>) -> Self {
        Self(elements)
    }

    /// Several as one, in the order of tags: of an element that more than one has, the first counts.
    /// All of them are of the same character set.
    #[must_use]
    pub fn joined(sets: &[&Self]) -> Self {
        let mut elements: Vec<_> = sets.iter().flat_map(|set| set.0.iter().cloned()).collect();
        // Stable: what was first stays first.
        elements.sort_by_key(|(tag, ..)| *tag);
        elements.dedup_by_key(|(tag, ..)| *tag);
        Self(elements)
    }

    /// One that says of which study and series it is, and nothing else.
    pub fn named(study: &Uid, series: &Uid) -> Self {
        let uid = |tag, uid: &Uid| (tag, VR::UI, Value::Bytes(uid.as_str().as_bytes().to_vec()));
        Self(vec![
            uid(STUDY_INSTANCE_UID, study),
            uid(SERIES_INSTANCE_UID, series),
        ])
    }

    /// The elements, in the order of the file.
    pub fn elements(&self) -> impl Iterator<Item = (Tag, VR, &Value)> {
        self.0.iter().map(|(tag, vr, value)| (*tag, *vr, value))
    }

    /// A value with its VR. In files of implicit VR that is the dictionary's, or UN.
    pub fn get(&self, tag: Tag) -> Option<(VR, &Value)> {
        let found = self.0.iter().find(|(t, ..)| *t == tag)?;
        Some((found.1, &found.2))
    }

    /// The bytes of an element, if it was asked for and is there.
    pub fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        match self.get(tag)? {
            (_, Value::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The items of a sequence; none if it is absent, empty or was not asked for.
    pub fn items(&self, tag: Tag) -> &[Self] {
        match self.get(tag) {
            Some((_, Value::Items(items))) => items,
            _ => &[],
        }
    }

    /// An element as text of the default character set, padding removed. For UIDs, codes and dates.
    pub fn ascii(&self, tag: Tag) -> Option<String> {
        let text = String::from_utf8_lossy(self.bytes(tag)?);
        Some(text.trim_matches([' ', '\0']).to_owned())
    }

    /// The values of an element of numbers, in binary or in text. What is no number is left out.
    pub fn numbers(&self, tag: Tag) -> Vec<f64> {
        let Some((vr, Value::Bytes(bytes))) = self.get(tag) else {
            return Vec::new();
        };
        numbers(vr, bytes)
    }

    /// The first of [`numbers`](Self::numbers).
    pub fn number(&self, tag: Tag) -> Option<f64> {
        self.numbers(tag).first().copied()
    }

    /// An element of a private block (PS3.5 section 7.8.1): `element` is its last two digits.
    pub fn private(&self, group: u16, creator: &str, element: u8) -> Option<(VR, &Value)> {
        let block = self.0.iter().find_map(|(tag, _, value)| {
            let is_creator = tag.group() == group && (0x10..=0xFF).contains(&tag.element());
            let Value::Bytes(name) = value else {
                return None;
            };
            let name = String::from_utf8_lossy(name);
            (is_creator && name.trim_matches([' ', '\0']) == creator).then_some(tag.element())
        })?;
        self.get(Tag(group, (block << 8) | u16::from(element)))
    }
}

/// Binary numbers by their VR, or a text of numbers. Private elements of implicit VR are UN, and
/// may be text.
pub fn numbers(vr: VR, bytes: &[u8]) -> Vec<f64> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
        let chunks = bytes.chunks_exact(N);
        chunks
            .filter_map(|it| it.try_into().ok().map(&read))
            .collect()
    }
    match vr {
        VR::US | VR::OW => each(bytes, |it| u16::from_le_bytes(it).into()),
        VR::SS => each(bytes, |it| i16::from_le_bytes(it).into()),
        VR::UL | VR::OL => each(bytes, |it| u32::from_le_bytes(it).into()),
        VR::SL => each(bytes, |it| i32::from_le_bytes(it).into()),
        VR::FL | VR::OF => each(bytes, |it| f32::from_le_bytes(it).into()),
        VR::FD | VR::OD => each(bytes, f64::from_le_bytes),
        // Beyond 2^53 they are not exact, and nobody measures that.
        VR::UV | VR::OV => each(bytes, |it| u64::from_le_bytes(it) as f64),
        VR::SV => each(bytes, |it| i64::from_le_bytes(it) as f64),
        _ => String::from_utf8_lossy(bytes)
            .split('\\')
            .filter_map(|part| part.trim_matches([' ', '\0']).parse().ok())
            .filter(|number: &f64| number.is_finite())
            .collect(),
    }
}

/// How many bytes of a value change places in big endian files.
pub(crate) const fn unit(vr: VR) -> usize {
    match vr {
        VR::US | VR::SS | VR::OW | VR::AT => 2,
        VR::UL | VR::SL | VR::FL | VR::OL | VR::OF => 4,
        VR::FD | VR::OD | VR::UV | VR::SV | VR::OV => 8,
        _ => 1,
    }
}

/// Walks a file to its end and keeps everything that is not too long.
pub fn whole_file(path: &Path) -> Result<Part10, WalkError> {
    part10(Source::file(opened::open(path)?)?, Keep::Whole)
}

/// As [`whole_file`], for a file that is in memory.
pub fn whole(bytes: &[u8]) -> Result<Part10, WalkError> {
    part10(Source::bytes(bytes), Keep::Whole)
}

/// Walks a file to its end and keeps the elements named in `keep`, at whatever level they are.
/// A sequence's items are kept only if the sequence itself is named.
pub fn file(path: &Path, keep: &[Tag]) -> Result<Part10, WalkError> {
    part10(Source::file(opened::open(path)?)?, Keep::These(keep))
}

/// As [`file()`], for a file that is in memory.
pub fn bytes(bytes: &[u8], keep: &[Tag]) -> Result<Part10, WalkError> {
    part10(Source::bytes(bytes), Keep::These(keep))
}

fn part10(source: Source<'_>, keep: Keep<'_>) -> Result<Part10, WalkError> {
    let mut walk = Walk {
        source,
        keep,
        elements: 0,
        kept: 0,
    };
    walk.magic()?;
    let meta = walk.file_meta()?;
    let transfer_syntax_uid = meta
        .ascii(TRANSFER_SYNTAX_UID)
        .filter(|uid| !uid.is_empty())
        .ok_or(WalkError::Garbled(
            132,
            "no Transfer Syntax UID in the file meta information",
        ))?;
    let encoding = Encoding::of(&transfer_syntax_uid);
    let data_offset = walk.source.position();
    if DEFLATED.contains(&transfer_syntax_uid.as_str()) {
        walk.source = walk.source.inflated();
    }
    let data = walk.data_set(Scope::TOP, encoding, true)?;
    Ok(Part10 {
        meta,
        data,
        transfer_syntax_uid,
        data_offset,
    })
}

/// Where the data set or sequence being walked ends, and how deep it lies.
#[derive(Clone, Copy)]
struct Scope {
    /// No value may reach beyond this byte.
    limit: u64,
    /// Ends with a delimitation item rather than at `limit`.
    delimited: bool,
    depth: usize,
}

impl Scope {
    const TOP: Self = Self {
        limit: u64::MAX,
        delimited: false,
        depth: 0,
    };

    /// The scope of something inside this one, with its declared length or up to a delimiter.
    fn inner(self, header: &Header, position: u64) -> Result<Self, WalkError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(WalkError::TooDeep);
        }
        Ok(match header.length {
            Some(length) => Self {
                limit: position + length,
                delimited: false,
                depth,
            },
            None => Self {
                limit: self.limit,
                delimited: true,
                depth,
            },
        })
    }
}

struct Walk<'a> {
    source: Source<'a>,
    keep: Keep<'a>,
    elements: u64,
    kept: u64,
}

impl Walk<'_> {
    fn magic(&mut self) -> Result<(), WalkError> {
        if self.source.left() < 132 {
            return Err(WalkError::NotDicom);
        }
        self.source.skip(128)?;
        match &self.source.array::<4>()? {
            b"DICM" => Ok(()),
            _ => Err(WalkError::NotDicom),
        }
    }

    /// Group 0002 is always explicit VR little endian. Its declared group length is often wrong, so
    /// it ends where the next group begins.
    fn file_meta(&mut self) -> Result<DataSet, WalkError> {
        let mut meta = DataSet::default();
        let encoding = Encoding {
            explicit: true,
            big_endian: false,
        };
        while !self.source.at_end()? && self.source.peek_group()? == 0x0002 {
            let header = self.header(encoding, Scope::TOP)?;
            let Some(length) = header.length else {
                return Err(self.garbled("undefined length in the file meta information"));
            };
            if let Some(value) = self.plain_value(&header, length, encoding, true)? {
                meta.0.push((header.tag, header.vr, value));
            }
        }
        Ok(meta)
    }

    fn data_set(
        &mut self,
        scope: Scope,
        encoding: Encoding,
        keep: bool,
    ) -> Result<DataSet, WalkError> {
        let mut data = DataSet::default();
        while !self.ended(scope)? {
            let header = self.header(encoding, scope)?;
            if header.tag == ITEM_DELIMITATION && scope.delimited {
                return Ok(data);
            }
            if header.tag.group() == 0xFFFE {
                return Err(self.garbled("an item or delimiter outside a sequence"));
            }
            let keep = keep
                && match self.keep {
                    Keep::These(tags) => tags.contains(&header.tag),
                    Keep::Whole => true,
                };
            if let Some(value) = self.value(&header, scope, encoding, keep)? {
                let vr = match value {
                    Value::Items(_) => VR::SQ,
                    _ => header.vr,
                };
                data.0.push((header.tag, vr, value));
            }
        }
        Ok(data)
    }

    /// Walks over one value; returns it if it is to be kept.
    fn value(
        &mut self,
        header: &Header,
        scope: Scope,
        encoding: Encoding,
        keep: bool,
    ) -> Result<Option<Value>, WalkError> {
        match header.length {
            None if header.vr != VR::SQ && (header.vr != VR::UN || header.tag == PIXEL_DATA) => {
                let keep = keep && matches!(self.keep, Keep::Whole);
                let fragments = self.fragments(scope, keep)?;
                Ok(keep.then_some(Value::Fragments(fragments)))
            }
            Some(length) if header.vr != VR::SQ => self.plain_value(header, length, encoding, keep),
            _ => {
                // Of unknown VR and undefined length: implicit VR little endian inside, whatever the
                // file's transfer syntax is (PS3.5 section 6.2.2 note 2).
                let encoding = match header.vr {
                    VR::UN => Encoding {
                        explicit: false,
                        big_endian: false,
                    },
                    _ => encoding,
                };
                let inner = scope.inner(header, self.source.position())?;
                let items = self.sequence(inner, encoding, keep)?;
                Ok(keep.then_some(Value::Items(items)))
            }
        }
    }

    fn plain_value(
        &mut self,
        header: &Header,
        length: u64,
        encoding: Encoding,
        keep: bool,
    ) -> Result<Option<Value>, WalkError> {
        if keep && length <= MAX_KEPT_VALUE && header.tag != PIXEL_DATA {
            self.keep_bytes(length)?;
            let mut bytes = self.source.vec(length)?;
            if encoding.big_endian && unit(header.vr) > 1 {
                bytes
                    .chunks_exact_mut(unit(header.vr))
                    .for_each(<[u8]>::reverse);
            }
            return Ok(Some(Value::Bytes(bytes)));
        }
        let offset = self.source.position();
        self.source.skip(length)?;
        let apart = keep && matches!(self.keep, Keep::Whole);
        Ok(apart.then_some(Value::Apart(Apart { offset, length })))
    }

    fn sequence(
        &mut self,
        scope: Scope,
        encoding: Encoding,
        keep: bool,
    ) -> Result<Vec<DataSet>, WalkError> {
        let mut items = Vec::new();
        while !self.ended(scope)? {
            let header = self.header(encoding, scope)?;
            match header.tag {
                SEQUENCE_DELIMITATION if scope.delimited => return Ok(items),
                ITEM => {
                    let inner = scope.inner(&header, self.source.position())?;
                    let item = self.data_set(inner, encoding, keep)?;
                    if keep {
                        self.keep_bytes(size_of::<DataSet>() as u64)?;
                        items.push(item);
                    }
                }
                _ => return Err(self.garbled("something other than an item in a sequence")),
            }
        }
        Ok(items)
    }

    /// Encapsulated pixel data: items of a stated length until the sequence delimiter. Always written
    /// little endian (PS3.5 section A.4).
    fn fragments(&mut self, scope: Scope, keep: bool) -> Result<Vec<Apart>, WalkError> {
        let mut fragments = Vec::new();
        let encoding = Encoding {
            explicit: true,
            big_endian: false,
        };
        loop {
            let header = self.header(encoding, scope)?;
            match (header.tag, header.length) {
                (SEQUENCE_DELIMITATION, _) => return Ok(fragments),
                (ITEM, Some(length)) => {
                    if keep {
                        self.keep_bytes(size_of::<Apart>() as u64)?;
                        let offset = self.source.position();
                        fragments.push(Apart { offset, length });
                    }
                    self.source.skip(length)?;
                }
                _ => {
                    return Err(
                        self.garbled("something other than a fragment in encapsulated data")
                    );
                }
            }
        }
    }

    /// Whether the scope is over. A scope that ends with a delimiter is not, as long as there is none.
    fn ended(&mut self, scope: Scope) -> Result<bool, WalkError> {
        if scope.depth == 0 {
            return self.source.at_end();
        }
        Ok(!scope.delimited && self.source.position() >= scope.limit)
    }

    fn keep_bytes(&mut self, length: u64) -> Result<(), WalkError> {
        self.kept += length + size_of::<(Tag, VR, Value)>() as u64;
        if self.kept > MAX_KEPT_TOTAL {
            Err(WalkError::TooMany)
        } else {
            Ok(())
        }
    }

    fn garbled(&self, why: &'static str) -> WalkError {
        WalkError::Garbled(self.source.position(), why)
    }
}
