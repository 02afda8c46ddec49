//! Headers made here field by field, in both byte orders; the `nifti` crate gives a second opinion.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

/// A header that is being made, and voxels behind it.
struct Made {
    format: Format,
    order: ByteOrder,
    bytes: Vec<u8>,
}

/// 5 x 4 x 3 voxels of int16, 2 x 2.5 x 3 mm.
const LENGTHS: [i64; 3] = [5, 4, 3];
const SIZES: [f64; 3] = [2.0, 2.5, 3.0];
const VOXEL_BYTES: usize = 120;

impl Made {
    fn new(format: Format, order: ByteOrder) -> Self {
        let length = if format == Format::Nifti2 { 544 } else { 352 };
        let bytes = vec![
            0;
            if format == Format::Analyze75 {
                348
            } else {
                length
            }
        ];
        let made = Self {
            format,
            order,
            bytes,
        }
        .i32(0, if format == Format::Nifti2 { 540 } else { 348 })
        .dimensions(&LENGTHS)
        .sizes(&SIZES);
        match format {
            Format::Nifti1 => made
                .text(344, b"n+1\0")
                .i16(70, 4)
                .i16(72, 16)
                .f32(108, 352.0)
                .put(123, &[10]),
            Format::Nifti2 => made
                .text(4, b"n+2\0\r\n\x1A\n")
                .i16(12, 4)
                .i16(14, 16)
                .i64(168, 544)
                .i32(500, 10),
            Format::Analyze75 => made
                .text(38, b"r")
                .i16(70, 4)
                .i16(72, 16)
                .text(56, b"mm\0\0"),
        }
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    fn number(self, at: usize, mut little: Vec<u8>) -> Self {
        if self.order == ByteOrder::Big {
            little.reverse();
        }
        self.put(at, &little)
    }

    fn text(self, at: usize, text: &[u8]) -> Self {
        self.put(at, text)
    }

    fn i16(self, at: usize, number: i16) -> Self {
        self.number(at, number.to_le_bytes().to_vec())
    }

    fn i32(self, at: usize, number: i32) -> Self {
        self.number(at, number.to_le_bytes().to_vec())
    }

    fn i64(self, at: usize, number: i64) -> Self {
        self.number(at, number.to_le_bytes().to_vec())
    }

    fn f32(self, at: usize, number: f64) -> Self {
        self.number(at, (number as f32).to_le_bytes().to_vec())
    }

    fn f64(self, at: usize, number: f64) -> Self {
        self.number(at, number.to_le_bytes().to_vec())
    }

    fn two(&self) -> bool {
        self.format == Format::Nifti2
    }

    fn dimensions(mut self, lengths: &[i64]) -> Self {
        let count = lengths.len() as i64;
        for (index, length) in std::iter::once(&count).chain(lengths).enumerate() {
            self = if self.two() {
                self.i64(16 + 8 * index, *length)
            } else {
                self.i16(40 + 2 * index, *length as i16)
            };
        }
        self
    }

    /// `pixdim`, from the first size on.
    fn sizes(mut self, sizes: &[f64]) -> Self {
        for (index, size) in sizes.iter().enumerate() {
            self = self.size(index + 1, *size);
        }
        self
    }

    fn size(self, index: usize, size: f64) -> Self {
        if self.two() {
            self.f64(104 + 8 * index, size)
        } else {
            self.f32(76 + 4 * index, size)
        }
    }

    fn codes(self, qform: i16, sform: i16) -> Self {
        if self.two() {
            self.i32(344, qform.into()).i32(348, sform.into())
        } else {
            self.i16(252, qform).i16(254, sform)
        }
    }

    fn sform(mut self, affine: Affine) -> Self {
        for (row, numbers) in affine.iter().enumerate() {
            for (column, number) in numbers.iter().enumerate() {
                self = if self.two() {
                    self.f64(400 + 32 * row + 8 * column, *number)
                } else {
                    self.f32(280 + 16 * row + 4 * column, *number)
                };
            }
        }
        self
    }

    fn qform(mut self, quaternion: [f64; 3], offset: [f64; 3], sign: f64) -> Self {
        self = self.size(0, sign);
        for (index, number) in quaternion.iter().chain(&offset).enumerate() {
            self = if self.two() {
                self.f64(352 + 8 * index, *number)
            } else {
                self.f32(256 + 4 * index, *number)
            };
        }
        self
    }

    fn with_voxels(&self) -> Vec<u8> {
        [self.bytes.as_slice(), &[0; VOXEL_BYTES]].concat()
    }

    /// Its facts as a file of its own, or as the header of a pair with voxels.
    fn facts(&self) -> NiftiFacts {
        let folder = tempfile::tempdir().unwrap();
        if self.format == Format::Analyze75 {
            file(&folder, "it.img", &[0; VOXEL_BYTES]);
            verify(&file(&folder, "it.hdr", &self.bytes)).unwrap()
        } else {
            verify(&file(&folder, "it.nii", &self.with_voxels())).unwrap()
        }
    }
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn every_kind() -> impl Iterator<Item = (Format, ByteOrder)> {
    let formats = [Format::Nifti1, Format::Nifti2, Format::Analyze75];
    let orders = [ByteOrder::Little, ByteOrder::Big];
    formats
        .into_iter()
        .flat_map(move |format| orders.map(|order| (format, order)))
}

const OBLIQUE: Affine = [
    [-1.6, 1.5, 0.0, 10.0],
    [1.2, 2.0, 0.0, -20.0],
    [0.0, 0.0, 3.0, 30.5],
];

#[test]
fn each_format_is_read_in_both_byte_orders() {
    for (format, order) in every_kind() {
        let facts = Made::new(format, order).codes(0, 0).facts();
        assert_eq!((facts.format, facts.byte_order), (format, order));
        assert_eq!(facts.dimensions, [5, 4, 3], "{format:?} {order:?}");
        assert_eq!(facts.voxel_size, SIZES);
        assert_eq!(facts.space_unit, SpaceUnit::Millimetre);
        assert_eq!((facts.datatype.name.as_str(), facts.bits), ("int16", 16));
        assert_eq!(facts.data.expected, Some(120));
        assert_eq!(facts.data.present, Some(120));
        assert_eq!(facts.problems, [""; 0], "{format:?} {order:?}");
        assert_eq!(facts.orientation.axes, None);
        assert!(facts.flags.contains(&Flag::LeftRightUnknown));
    }
}

#[test]
fn sform_counts_before_qform_before_sizes() {
    for (format, order) in every_kind().filter(|it| it.0 != Format::Analyze75) {
        // A half turn around the third axis: to the left and to the back, and downwards by the sign.
        let made = || {
            let made = Made::new(format, order);
            made.sform(OBLIQUE)
                .qform([0.0, 0.0, 1.0], [1.0, 2.0, 3.0], -1.0)
        };
        let by_sform = made().codes(1, 2).facts();
        let close = |a: &Affine, b: &Affine| {
            a.iter()
                .flatten()
                .zip(b.iter().flatten())
                .all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert_eq!(by_sform.orientation.source, AffineSource::Sform);
        assert!(close(&by_sform.orientation.affine.unwrap(), &OBLIQUE));
        assert_eq!(by_sform.orientation.axes.as_deref(), Some("LAS"));
        assert_eq!(by_sform.orientation.radiological, Some(true));
        assert_eq!(by_sform.orientation.sform.name, "aligned to another image");
        let disagree = |flag: &Flag| matches!(flag, Flag::SformAndQformDisagree { same_space: false, apart } if *apart > 10.0);
        assert!(by_sform.flags.iter().any(disagree), "{:?}", by_sform.flags);

        let by_qform = made().codes(1, 0).facts();
        assert_eq!(by_qform.orientation.source, AffineSource::Qform);
        let expected = [
            [-2.0, 0.0, 0.0, 1.0],
            [0.0, -2.5, 0.0, 2.0],
            [0.0, 0.0, -3.0, 3.0],
        ];
        assert!(close(&by_qform.orientation.affine.unwrap(), &expected));
        assert_eq!(by_qform.orientation.axes.as_deref(), Some("LPI"));
        assert_eq!(by_qform.flags, []);

        let by_sizes = made().codes(0, 0).facts();
        assert_eq!(by_sizes.orientation.source, AffineSource::VoxelSizes);
        assert_eq!(
            by_sizes.flags,
            [Flag::NoOrientation, Flag::LeftRightUnknown]
        );
        assert_eq!(by_sizes.orientation.axes, None);
    }
}

#[test]
fn analyze_is_flagged_and_not_guessed() {
    let made = || Made::new(Format::Analyze75, ByteOrder::Big);
    let origin = [64_i16, 65, 36];
    let spm = made()
        .i16(253, origin[0])
        .i16(255, origin[1])
        .i16(257, origin[2])
        .f32(112, 0.5)
        .put(252, &[4])
        .facts();
    assert_eq!(spm.orientation.affine, None);
    let expected = [
        Flag::AnalyzeWithoutOrientation,
        Flag::LeftRightUnknown,
        Flag::AnalyzeOrient(4),
        Flag::SpmOrigin(origin),
        Flag::SpmScaling,
    ];
    assert_eq!(spm.flags, expected);
    assert_eq!(spm.scaling.map(|it| it.slope), Some(0.5));
    assert_eq!(spm.text_fields, [""; 0]);
    let named = made()
        .text(253, b"St. Elsew")
        .text(283, b"7")
        .text(148, b"x")
        .facts();
    assert_eq!(named.text_fields, ["descrip", "originator", "patient_id"]);
    let json = serde_json::to_string(&named).unwrap();
    assert!(!json.contains("Elsew"), "{json}");
}

#[test]
fn time_and_its_unit_are_stated() {
    for (units, unit, step, flag) in [
        (2 + 8, TimeUnit::Second, 2.0, None),
        (2 + 16, TimeUnit::Millisecond, 2000.0, None),
        (2, TimeUnit::Unknown, 2.0, Some(Flag::TimeUnitUnknown)),
        (
            2 + 8,
            TimeUnit::Second,
            2000.0,
            Some(Flag::TimeStepImplausible),
        ),
    ] {
        let made = Made::new(Format::Nifti1, ByteOrder::Little)
            .codes(0, 1)
            .sform(OBLIQUE);
        let made = made
            .dimensions(&[5, 4, 1, 3])
            .size(4, step)
            .put(123, &[units]);
        let facts = made.facts();
        let time = facts.time.unwrap();
        assert_eq!((time.volumes, time.step, time.unit), (3, step, unit));
        assert_eq!(
            facts
                .flags
                .iter()
                .find(|it| **it != Flag::VoxelSizesDisagree),
            flag.as_ref()
        );
    }
}

#[test]
fn what_is_wrong_is_told() {
    type Change = fn(Made) -> Made;
    let cases: [(&str, Change); 13] = [
        ("The number of dimensions is 9", |it| it.i16(40, 9)),
        ("A dimension is shorter", |it| it.i16(44, -4)),
        ("multiply to more bytes than any file", |it| {
            let it = it.dimensions(&[32767, 32767, 32767, 32767, 32767]);
            it.i16(70, 64).i16(72, 64)
        }),
        ("There is no data type 3", |it| it.i16(70, 3)),
        ("16 bits, and the header says 8", |it| it.i16(72, 8)),
        ("axis 1 is not a finite number", |it| it.f32(80, f64::NAN)),
        ("axis 2 is -2.5", |it| it.f32(84, -2.5)),
        ("vox_offset) is not a whole", |it| it.f32(108, f64::NAN)),
        ("inside the header", |it| it.f32(108, 16.0)),
        ("longer than one", |it| {
            it.codes(1, 0).qform([0.9, 0.9, 0.9], [0.0; 3], 1.0)
        }),
        ("The sform holds a number that is not finite", |it| {
            it.codes(0, 1).f32(280, f64::INFINITY)
        }),
        (
            "Truncated: the voxels need 240 bytes and there are 120",
            |it| it.dimensions(&[5, 4, 6]),
        ),
        ("60 bytes follow the voxels", |it| it.i16(70, 2).i16(72, 8)),
    ];
    for (sentence, change) in cases {
        let facts = change(Made::new(Format::Nifti1, ByteOrder::Little)).facts();
        let told = facts.problems.iter().any(|it| it.contains(sentence));
        assert!(told, "{sentence}: {:?}", facts.problems);
        serde_json::to_string(&facts).unwrap();
    }
    let flat = Made::new(Format::Nifti2, ByteOrder::Big).codes(0, 1);
    let flat = flat.sform([OBLIQUE[0], OBLIQUE[0], OBLIQUE[2]]).facts();
    assert!(
        flat.flags.contains(&Flag::DeterminantZero),
        "{:?}",
        flat.flags
    );
    assert_eq!(flat.orientation.axes, None);
}

#[test]
fn pairs_are_found_from_either_file() {
    for (header_name, voxels_name) in [
        ("a.hdr", "a.img"),
        ("a.hdr.gz", "a.img.gz"),
        ("a.hdr", "a.img.gz"),
        ("A.HDR", "A.IMG"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let made = Made::new(Format::Nifti1, ByteOrder::Little)
            .text(344, b"ni1\0")
            .f32(108, 0.0);
        let packed = |name: &str, bytes: &[u8]| match name.ends_with("gz") {
            true => file(&folder, name, &gzip(bytes)),
            false => file(&folder, name, bytes),
        };
        let header = packed(header_name, &made.bytes);
        let alone = verify(&header).unwrap();
        assert!(alone.problems[0].contains(".img"), "{:?}", alone.problems);
        let voxels = packed(voxels_name, &[1; VOXEL_BYTES]);
        assert_eq!(
            recognise(&voxels).unwrap(),
            Some(Recognised::VoxelsOf(header.clone()))
        );
        for path in [&header, &voxels] {
            let facts = verify(path).unwrap();
            assert_eq!(facts.layout, Layout::Pair);
            assert_eq!(facts.problems, [""; 0]);
            assert_eq!(facts.files[0].role, Role::Header);
            assert_eq!(facts.files[1].role, Role::Voxels);
            assert_eq!(facts.files[1].path, voxels);
            assert_eq!(facts.files[1].sha1.as_ref().unwrap().len(), 40);
        }
    }
}

#[test]
fn compressed_files_are_inflated_no_further_than_their_header_accounts_for() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Made::new(Format::Nifti1, ByteOrder::Little).with_voxels();
    let packed = gzip(&whole);
    let good = file(&folder, "good.nii.gz", &packed);
    assert_eq!(read(&good).unwrap().data.present, None);
    assert_eq!(verify(&good).unwrap().data.present, Some(120));

    let cut = file(&folder, "cut.nii.gz", &packed[..packed.len() - 8]);
    let cut = verify(&cut).unwrap();
    assert!(
        cut.problems[0].contains("truncated or damaged"),
        "{:?}",
        cut.problems
    );

    let mut garbled = packed;
    let check = garbled.len() - 6;
    garbled[check] ^= 0xFF;
    let garbled = verify(&file(&folder, "garbled.nii.gz", &garbled)).unwrap();
    assert!(
        garbled.problems[0].contains("truncated or damaged"),
        "{:?}",
        garbled.problems
    );

    let bomb = gzip(&[whole, vec![0; 64 << 20]].concat());
    let bomb = verify(&file(&folder, "bomb.nii.gz", &bomb)).unwrap();
    assert!(
        bomb.problems[0].contains("does not account for"),
        "{:?}",
        bomb.problems
    );
    assert!(bomb.data.present.unwrap() < 2 << 20);
}

#[test]
fn sha1_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Made::new(Format::Nifti2, ByteOrder::Little).with_voxels();
    for (name, bytes) in [("a.nii", whole.clone()), ("a.nii.gz", gzip(&whole))] {
        use sha1::{Digest, Sha1};
        let facts = verify(&file(&folder, name, &bytes)).unwrap();
        let digest = Sha1::digest(&bytes);
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(facts.files[0].sha1, Some(hex));
        assert_eq!(facts.files[0].size, bytes.len() as u64);
    }
}

#[test]
fn extensions_are_listed_and_not_read() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let made = Made::new(Format::Nifti1, order)
            .f32(108, 400.0)
            .put(348, &[1]);
        let number = |number: i32| match order {
            ByteOrder::Little => number.to_le_bytes(),
            ByteOrder::Big => number.to_be_bytes(),
        };
        let extension = |size: i32, ecode: i32, text: &[u8]| {
            let mut bytes = [number(size), number(ecode)].concat();
            bytes.extend(text);
            bytes.resize(size.unsigned_abs() as usize, 0);
            bytes
        };
        let folder = tempfile::tempdir().unwrap();
        let both = [extension(16, 6, b"Anna"), extension(32, 2, b"0010,0010")].concat();
        let whole = [made.bytes.clone(), both, vec![0; VOXEL_BYTES]].concat();
        let facts = verify(&file(&folder, "it.nii", &whole)).unwrap();
        let listed: Vec<_> = facts
            .extensions
            .iter()
            .map(|it| (it.kind.name.as_str(), it.size))
            .collect();
        assert_eq!(listed, [("comment", 16), ("DICOM", 32)]);
        assert_eq!(facts.problems, [""; 0]);
        let wrong = [made.bytes, extension(24, 6, b""), vec![0; 24 + VOXEL_BYTES]].concat();
        let facts = verify(&file(&folder, "wrong.nii", &wrong)).unwrap();
        assert!(
            facts.problems[0].contains("24 bytes long"),
            "{:?}",
            facts.problems
        );
    }
}

#[test]
fn other_files_are_not_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let mut dicom = Made::new(Format::Nifti1, ByteOrder::Little).with_voxels();
    dicom[128..132].copy_from_slice(b"DICM");
    for (name, bytes) in [
        ("empty.nii", Vec::new()),
        ("text.hdr", b"ENVI\nsamples = 512".to_vec()),
        ("dicom.nii", dicom),
        (
            "short.nii",
            Made::new(Format::Nifti1, ByteOrder::Little).bytes[..347].to_vec(),
        ),
        ("zeros.nii.gz", gzip(&[0; 1000])),
        ("nothing.nii.gz", vec![0x1F, 0x8B, 8, 0]),
    ] {
        assert_eq!(
            recognise(&file(&folder, name, &bytes)).unwrap(),
            None,
            "{name}"
        );
    }
    let marred = Made::new(Format::Nifti2, ByteOrder::Little)
        .text(8, b"\n\n\x1A\n")
        .with_voxels();
    assert_eq!(
        recognise(&file(&folder, "marred.nii", &marred)).unwrap(),
        None
    );
    assert!(recognise(&folder.path().join("absent.nii")).is_err());
}

#[test]
fn the_nifti_crate_reads_the_same() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let made = Made::new(Format::Nifti1, order).codes(1, 0).qform(
            [0.1, -0.2, 0.3],
            [4.0, 5.0, 6.0],
            -1.0,
        );
        let ours = made.facts();
        let theirs = ::nifti::NiftiHeader::from_reader(made.bytes.as_slice()).unwrap();
        assert_eq!(theirs.dim().unwrap(), [5_u16, 4, 3]);
        assert_eq!(f64::from(theirs.pixdim[3]), ours.voxel_size[2]);
        assert_eq!(i32::from(theirs.datatype), ours.datatype.code);
        assert_eq!(i32::from(theirs.qform_code), ours.orientation.qform.code);
        assert_eq!(
            [theirs.quatern_b, theirs.quatern_c, theirs.quatern_d],
            [0.1, -0.2, 0.3]
        );
    }
}

#[test]
fn a_sidecar_gives_parameters_in_the_units_of_dicom() {
    let sidecar = Sidecar::parse(
        br#"{"Modality": "MR", "RepetitionTime": 2.2, "EchoTime": [0.00456, 0.00702],
        "MagneticFieldStrength": 3, "FlipAngle": "wide", "PatientName": "Anna",
        "ManufacturersModelName": "Phantom MR\u0000"}"#,
    );
    let number = |keyword, value, unit| Parameter::Number {
        keyword,
        value,
        unit,
    };
    assert_eq!(sidecar.modality.as_deref(), Some("MR"));
    assert_eq!(
        sidecar.parameters,
        [
            number("MagneticFieldStrength", 3.0, "T"),
            number("RepetitionTime", 2200.0, "ms"),
            number("EchoTime", 4.56, "ms"),
            number("EchoTime", 7.02, "ms"),
            Parameter::Text {
                keyword: "ManufacturerModelName",
                value: "Phantom MR".to_owned()
            },
        ]
    );
    assert_eq!(
        sidecar.problems,
        ["FlipAngle of the sidecar is not a number."]
    );
    for hopeless in [&b""[..], b"[1]", b"{\"Modality\": ", &b"[".repeat(100_000)] {
        assert_eq!(Sidecar::parse(hopeless).problems.len(), 1);
    }
}

#[test]
fn a_sidecar_that_contradicts_the_header_is_told() {
    let made = Made::new(Format::Nifti1, ByteOrder::Little)
        .dimensions(&[5, 4, 1, 3])
        .size(4, 2000.0);
    let sidecar = Sidecar::parse(br#"{"RepetitionTime": 2}"#);
    assert_eq!(sidecar.contradictions(&made.facts()).len(), 1);
    let right = Made::new(Format::Nifti1, ByteOrder::Little)
        .dimensions(&[5, 4, 1, 3])
        .size(4, 2.0);
    assert_eq!(sidecar.contradictions(&right.facts()), [""; 0]);
}

#[test]
fn sidecars_lie_beside_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let json = file(&folder, "sub-1.t1.json", b"{}");
    for name in [
        "sub-1.t1.nii",
        "sub-1.t1.nii.gz",
        "sub-1.t1.img",
        "sub-1.t1.HDR",
    ] {
        assert_eq!(
            sidecar_beside(&folder.path().join(name)),
            Some(json.clone()),
            "{name}"
        );
    }
    assert_eq!(sidecar_beside(Path::new("other.nii")), None);
}

#[test]
fn documents_have_words() {
    let folder = tempfile::tempdir().unwrap();
    let whole = Made::new(Format::Nifti2, ByteOrder::Little).with_voxels();
    let facts = read(&file(&folder, "a.nii.gz", &gzip(&whole))).unwrap();
    let words = document_words(&facts, Some(&Sidecar::parse(br#"{"Modality": "PT"}"#)));
    assert_eq!(words.mime_type, "application/x-nifti+gzip");
    assert_eq!(words.format_code, "urn:hilum:nifti-2:2026");
    assert_eq!(words.modality.as_deref(), Some("PT"));
    assert_eq!(words.remarks.len(), facts.flags.len());
    assert_eq!(document_words(&facts, None).modality, None);
    let analyze = document_words(&Made::new(Format::Analyze75, ByteOrder::Big).facts(), None);
    assert_eq!(
        (analyze.mime_type, analyze.format_code),
        ("application/zip", "urn:hilum:analyze-7.5:2026")
    );
}

proptest! {
    #[test]
    fn any_bytes_are_facts_or_not_nifti(
        index in 0_usize..6,
        changes in prop::collection::vec((0_usize..544, any::<u8>()), 0..40),
        gzipped: bool,
    ) {
        let (format, order) = every_kind().nth(index).unwrap();
        let made = Made::new(format, order);
        let mut bytes = made.with_voxels();
        for (at, byte) in changes {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "it.nii", &if gzipped { gzip(&bytes) } else { bytes });
        if let Ok(facts) = verify(&path) {
            prop_assert!(serde_json::to_string(&facts).is_ok());
            let text = serde_json::to_value(&facts).unwrap();
            prop_assert_eq!(serde_json::from_value::<NiftiFacts>(text).unwrap().dimensions, facts.dimensions);
        }
    }

    #[test]
    fn what_is_cut_is_told(index in 0_usize..4, cut in 1_usize..VOXEL_BYTES, gzipped: bool) {
        let (format, order) = every_kind().nth(index).unwrap();
        let mut bytes = Made::new(format, order).with_voxels();
        bytes.truncate(bytes.len() - cut);
        let folder = tempfile::tempdir().unwrap();
        let path = file(&folder, "it.nii", &if gzipped { gzip(&bytes) } else { bytes });
        let facts = verify(&path).unwrap();
        prop_assert!(facts.problems.iter().any(|it| it.starts_with("Truncated")));
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let _ = header::parse(&bytes);
        let _ = Sidecar::parse(&bytes);
    }
}

#[test]
fn the_slot_says_what_is_certain_and_what_is_not() {
    let analyze = Made::new(Format::Analyze75, ByteOrder::Big).facts();
    let values = slot_values(&analyze);
    for value in [
        "format=Analyze 7.5",
        "byteOrder=big",
        "dimensions=5x4x3",
        "voxelSize=2x2.5x3 mm",
        "dataType=int16",
        "orientation=unknown",
        "orientationFrom=none",
        "flag=analyze_without_orientation",
        "flag=left_right_unknown",
    ] {
        assert!(values.iter().any(|it| it == value), "{value}: {values:?}");
    }
    let hashes = values.iter().filter(|it| it.starts_with("sha1="));
    assert_eq!(hashes.count(), 2);
    let doubts = analyze.for_rules().doubts;
    assert!(
        !doubts.is_empty() && doubts.iter().all(|it| !it.ends_with('.')),
        "{doubts:?}"
    );

    let certain = Made::new(Format::Nifti2, ByteOrder::Little).codes(0, 1);
    let certain = certain.sform(OBLIQUE).put(501, &[0]).facts();
    let values = slot_values(&certain);
    assert!(
        values.iter().any(|it| it == "orientation=LAS"),
        "{values:?}"
    );
    assert!(
        !values.iter().any(|it| it.starts_with("sha1=")),
        "{values:?}"
    );
    let rules = certain.for_rules();
    assert_eq!(rules.doubts, [""; 0]);
    assert_eq!(rules.voxel_mm, Some(SIZES));
    let metres = NiftiFacts {
        space_unit: SpaceUnit::Metre,
        ..certain.clone()
    };
    assert_eq!(metres.voxel_mm(), Some([2000.0, 2500.0, 3000.0]));
    let unknown = NiftiFacts {
        space_unit: SpaceUnit::Unknown,
        ..certain
    };
    assert_eq!(unknown.voxel_mm(), None);
}
