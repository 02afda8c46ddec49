//! The three headers: where their fields stand, in either byte order.
//!
//! NIfTI-1: `nifti1.h` (348 bytes); NIfTI-2: `nifti2.h` (540 bytes); Analyze 7.5: the `dsr` structure
//! of the Mayo Clinic's `dbh.h` (348 bytes), of which NIfTI-1 kept the size and the first half.

use super::{ByteOrder, Format, Layout, codes};

/// Length of a NIfTI-1 or Analyze header.
pub(crate) const NIFTI1_BYTES: usize = 348;
/// Length of a NIfTI-2 header.
pub(super) const NIFTI2_BYTES: usize = 540;
/// The mark of NIfTI-2 contains line ends, so that a transfer as text shows.
const NIFTI2_MARK: [u8; 4] = *b"\r\n\x1A\n";

/// A field of text: its name in the standard, its first byte, and how many there are.
pub type TextPlace = (&'static str, usize, usize);

const NIFTI1_TEXTS: [TextPlace; 5] = [
    ("data_type", 4, 10),
    ("db_name", 14, 18),
    ("descrip", 148, 80),
    ("aux_file", 228, 24),
    ("intent_name", 328, 16),
];

const NIFTI2_TEXTS: [TextPlace; 4] = [
    ("descrip", 240, 80),
    ("aux_file", 320, 24),
    ("intent_name", 508, 16),
    ("unused_str", 525, 15),
];

const ANALYZE_TEXTS: [TextPlace; 10] = [
    ("data_type", 4, 10),
    ("db_name", 14, 18),
    ("descrip", 148, 80),
    ("aux_file", 228, 24),
    ("originator", 253, 10),
    ("generated", 263, 10),
    ("scannum", 273, 10),
    ("patient_id", 283, 10),
    ("exp_date", 293, 10),
    ("exp_time", 303, 10),
];

/// Where a header holds text, for those who must take out what names people.
pub const fn text_places(format: Format) -> &'static [TextPlace] {
    match format {
        Format::Nifti1 => &NIFTI1_TEXTS,
        Format::Nifti2 => &NIFTI2_TEXTS,
        Format::Analyze75 => &ANALYZE_TEXTS,
    }
}

/// What a header says, widened to the types of NIfTI-2 and not yet judged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) format: Format,
    pub(super) layout: Layout,
    pub(super) byte_order: ByteOrder,
    pub(super) dim: [i64; 8],
    pub(super) pixdim: [f64; 8],
    pub(super) datatype: i32,
    pub(super) bitpix: i32,
    pub(super) vox_offset: f64,
    pub(super) slope: f64,
    pub(super) inter: f64,
    /// Largest and smallest value to be displayed.
    pub(super) display: [f64; 2],
    pub(super) intent: i32,
    pub(super) units: i32,
    pub(super) dim_info: u8,
    pub(super) slice_code: i32,
    pub(super) slice_start: i64,
    pub(super) slice_end: i64,
    pub(super) slice_duration: f64,
    pub(super) toffset: f64,
    pub(super) qform_code: i32,
    pub(super) sform_code: i32,
    pub(super) quatern: [f64; 3],
    pub(super) qoffset: [f64; 3],
    pub(super) srow: [[f64; 4]; 3],
    /// What only Analyze has.
    pub(super) analyze: Option<Analyze>,
    /// The fields that hold text.
    pub(super) text: Vec<&'static str>,
}

/// Fields of Analyze that say something of orientation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Analyze {
    /// `orient`: 0 to 5 for transverse, coronal, sagittal, and these flipped.
    pub(super) orient: u8,
    /// SPM writes the voxel of the origin into `originator`, counted from one.
    pub(super) origin: [i16; 3],
}

/// Reads a header, if the bytes are one. At least [`NIFTI2_BYTES`] should be given if there are as
/// many.
pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
    // Part 10 of DICOM leaves the first 128 bytes to anybody, even to a header like these.
    if bytes.get(128..132) == Some(b"DICM") {
        return None;
    }
    let size: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    let (length, order) = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
        (348, _) => (NIFTI1_BYTES, ByteOrder::Little),
        (_, 348) => (NIFTI1_BYTES, ByteOrder::Big),
        (540, _) => (NIFTI2_BYTES, ByteOrder::Little),
        (_, 540) => (NIFTI2_BYTES, ByteOrder::Big),
        _ => return None,
    };
    let fields = Fields {
        bytes: bytes.get(..length)?,
        order,
    };
    if length == NIFTI2_BYTES {
        let layout = layout(fields.take::<4>(4), b"n+2\0", b"ni2\0")?;
        let unharmed = fields.take::<4>(8) == NIFTI2_MARK;
        return unharmed.then(|| nifti2(&fields, layout));
    }
    match layout(fields.take::<4>(344), b"n+1\0", b"ni1\0") {
        Some(layout) => Some(nifti1(&fields, layout)),
        None => analyze(&fields),
    }
}

fn layout(magic: [u8; 4], single: &[u8; 4], pair: &[u8; 4]) -> Option<Layout> {
    match &magic {
        it if it == single => Some(Layout::Single),
        it if it == pair => Some(Layout::Pair),
        _ => None,
    }
}

fn nifti1(it: &Fields<'_>, layout: Layout) -> Header {
    Header {
        format: Format::Nifti1,
        layout,
        byte_order: it.order,
        dim: std::array::from_fn(|i| it.i16(40 + 2 * i).into()),
        pixdim: std::array::from_fn(|i| it.f32(76 + 4 * i)),
        datatype: it.i16(70).into(),
        bitpix: it.i16(72).into(),
        vox_offset: it.f32(108),
        slope: it.f32(112),
        inter: it.f32(116),
        display: [it.f32(124), it.f32(128)],
        intent: it.i16(68).into(),
        units: it.take::<1>(123)[0].into(),
        dim_info: it.take::<1>(39)[0],
        slice_code: it.take::<1>(122)[0].into(),
        slice_start: it.i16(74).into(),
        slice_end: it.i16(120).into(),
        slice_duration: it.f32(132),
        toffset: it.f32(136),
        qform_code: it.i16(252).into(),
        sform_code: it.i16(254).into(),
        quatern: std::array::from_fn(|i| it.f32(256 + 4 * i)),
        qoffset: std::array::from_fn(|i| it.f32(268 + 4 * i)),
        srow: std::array::from_fn(|row| std::array::from_fn(|i| it.f32(280 + 16 * row + 4 * i))),
        analyze: None,
        text: it.texts(text_places(Format::Nifti1)),
    }
}

fn nifti2(it: &Fields<'_>, layout: Layout) -> Header {
    Header {
        format: Format::Nifti2,
        layout,
        byte_order: it.order,
        dim: std::array::from_fn(|i| it.i64(16 + 8 * i)),
        pixdim: std::array::from_fn(|i| it.f64(104 + 8 * i)),
        datatype: it.i16(12).into(),
        bitpix: it.i16(14).into(),
        vox_offset: it.i64(168) as f64,
        slope: it.f64(176),
        inter: it.f64(184),
        display: [it.f64(192), it.f64(200)],
        intent: it.i32(504),
        units: it.i32(500),
        dim_info: it.take::<1>(524)[0],
        slice_code: it.i32(496),
        slice_start: it.i64(224),
        slice_end: it.i64(232),
        slice_duration: it.f64(208),
        toffset: it.f64(216),
        qform_code: it.i32(344),
        sform_code: it.i32(348),
        quatern: std::array::from_fn(|i| it.f64(352 + 8 * i)),
        qoffset: std::array::from_fn(|i| it.f64(376 + 8 * i)),
        srow: std::array::from_fn(|row| std::array::from_fn(|i| it.f64(400 + 32 * row + 8 * i))),
        analyze: None,
        text: it.texts(text_places(Format::Nifti2)),
    }
}

/// Analyze has no mark, only its size; so what it says must make sense before it is taken for one.
fn analyze(it: &Fields<'_>) -> Option<Header> {
    let dim: [i64; 8] = std::array::from_fn(|i| it.i16(40 + 2 * i).into());
    let datatype = it.i16(70).into();
    let used = usize::try_from(dim[0]).ok()?;
    let sensible = (1..=7).contains(&used)
        && dim[1..=used].iter().all(|length| *length > 0)
        && codes::datatype(Format::Analyze75, datatype).is_some();
    sensible.then(|| Header {
        format: Format::Analyze75,
        layout: Layout::Pair,
        byte_order: it.order,
        dim,
        pixdim: std::array::from_fn(|i| it.f32(76 + 4 * i)),
        datatype,
        bitpix: it.i16(72).into(),
        vox_offset: it.f32(108),
        // `funused1` and `funused2`: SPM's factor and offset. Analyze itself scales nothing.
        slope: it.f32(112),
        inter: it.f32(116),
        display: [it.f32(124), it.f32(128)],
        intent: 0,
        units: codes::analyze_units(it.take::<4>(56)),
        dim_info: 0,
        slice_code: 0,
        slice_start: 0,
        slice_end: 0,
        slice_duration: 0.0,
        toffset: 0.0,
        qform_code: 0,
        sform_code: 0,
        quatern: [0.0; 3],
        qoffset: [0.0; 3],
        srow: [[0.0; 4]; 3],
        analyze: Some(Analyze {
            orient: it.take::<1>(252)[0],
            origin: std::array::from_fn(|i| it.i16(253 + 2 * i)),
        }),
        text: it.texts(text_places(Format::Analyze75)),
    })
}

/// A header's bytes. What lies beyond their end reads as zero.
struct Fields<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
}

impl Fields<'_> {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.bytes.get(at..at + N);
        bytes.and_then(|it| it.try_into().ok()).unwrap_or([0; N])
    }

    /// Bytes of a number, little endian.
    fn number<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = self.take(at);
        if self.order == ByteOrder::Big {
            bytes.reverse();
        }
        bytes
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.number(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.number(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.number(at))
    }

    fn f32(&self, at: usize) -> f64 {
        f32::from_le_bytes(self.number(at)).into()
    }

    fn f64(&self, at: usize) -> f64 {
        f64::from_le_bytes(self.number(at))
    }

    /// Those of the fields (name, offset, length) that hold text, be it behind a zero byte.
    fn texts(&self, fields: &[TextPlace]) -> Vec<&'static str> {
        let is_text = |byte: &u8| *byte > b' ' && *byte != 0x7F;
        let holds_text = |name: &str, at: usize, length: usize| {
            let field = self.bytes.get(at..at + length).unwrap_or_default();
            match name {
                // SPM's origin is five small numbers here, whose low bytes may look like letters.
                "originator" => field.windows(2).any(|pair| pair.iter().all(is_text)),
                _ => field.iter().any(is_text),
            }
        };
        let held = fields
            .iter()
            .filter(|(name, at, length)| holds_text(name, *at, *length));
        held.map(|(name, ..)| *name).collect()
    }
}
