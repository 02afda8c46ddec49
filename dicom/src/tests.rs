//! The reading of files that are good, broken, and made to do harm.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;

use super::instance::{self, InstanceError};
use super::manifest::{self, Plan};
use super::moment::UtcOffset;
use super::phantoms::{self, Detail, Phantom};
use super::scan::{Scan, scan};
use super::walk::{self, WalkError};
use super::*;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn written(dir: &Path) -> Vec<Phantom> {
    phantoms::write(dir, "test", now(), Detail::Small).unwrap()
}

fn scanned(dir: &Path) -> Scan {
    scan(&[dir.to_owned()], &|_, _| {}).unwrap()
}

/// Preamble, mark and file meta information.
fn file(transfer_syntax: &str, data: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    file.extend(short((0x0002, 0x0010), b"UI", transfer_syntax.as_bytes()));
    file.extend(data);
    file
}

/// An element in explicit VR little endian with a short length.
fn short(tag: (u16, u16), vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let padding = if value.len() % 2 == 1 {
        &[0_u8][..]
    } else {
        &[]
    };
    let length = (value.len() + padding.len()) as u16;
    [
        &tag.0.to_le_bytes()[..],
        &tag.1.to_le_bytes(),
        vr,
        &length.to_le_bytes(),
        value,
        padding,
    ]
    .concat()
}

/// An element in implicit VR little endian, or an item.
fn implicit(tag: (u16, u16), length: u32, value: &[u8]) -> Vec<u8> {
    [
        &tag.0.to_le_bytes()[..],
        &tag.1.to_le_bytes(),
        &length.to_le_bytes(),
        value,
    ]
    .concat()
}

/// The four identifiers that every instance needs.
fn identifiers() -> Vec<u8> {
    [
        short((0x0008, 0x0016), b"UI", b"1.2.840.10008.5.1.4.1.1.7"),
        short((0x0008, 0x0018), b"UI", b"1.2.3.4"),
        short((0x0020, 0x000D), b"UI", b"1.2.3"),
        short((0x0020, 0x000E), b"UI", b"1.2.3.1"),
    ]
    .concat()
}

fn walk_error(bytes: &[u8]) -> WalkError {
    match instance::read_bytes(bytes) {
        Err(InstanceError::Walk(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_length_that_claims_four_gigabytes() {
    let long = [
        &[0xE1, 0x7F, 0x10, 0x10][..],
        b"OB",
        &[0, 0],
        &0xFFFF_FFF0_u32.to_le_bytes(),
        &[0; 40],
    ]
    .concat();
    let bomb = file(EXPLICIT, &[identifiers(), long].concat());
    assert!(bomb.len() < 400);
    assert!(matches!(
        walk_error(&bomb),
        WalkError::TooLong {
            declared: 0xFFFF_FFF0,
            left: 40,
            ..
        }
    ));
    let in_meta = [
        vec![0; 128],
        b"DICM".to_vec(),
        vec![2, 0, 1, 0],
        b"OB\0\0".to_vec(),
        vec![0xF0, 0xFF, 0xFF, 0xFF],
    ];
    assert!(matches!(
        walk_error(&in_meta.concat()),
        WalkError::TooLong { .. }
    ));
}

#[test]
fn sequences_nested_ten_thousand_deep() {
    let mut nested = identifiers();
    for _ in 0..10_000 {
        nested.extend([
            0x08, 0x00, 0x40, 0x11, b'S', b'Q', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
        ]);
        nested.extend(implicit((0xFFFE, 0xE000), u32::MAX, &[]));
    }
    assert!(matches!(
        walk_error(&file(EXPLICIT, &nested)),
        WalkError::TooDeep
    ));
    let nested: Vec<u8> = (0..10_000)
        .flat_map(|_| {
            [
                implicit((0x0008, 0x1140), u32::MAX, &[]),
                implicit((0xFFFE, 0xE000), u32::MAX, &[]),
            ]
            .concat()
        })
        .collect();
    assert!(matches!(
        walk_error(&file(IMPLICIT, &nested)),
        WalkError::TooDeep
    ));
}

#[test]
fn what_is_not_dicom_or_cut_off() {
    assert!(matches!(walk_error(b""), WalkError::NotDicom));
    assert!(matches!(walk_error(&[b'x'; 500]), WalkError::NotDicom));
    let dir = tempfile::tempdir().unwrap();
    let phantom = &written(dir.path())[0];
    let whole = fs::read(phantom.folder.join("IM0001.dcm")).unwrap();
    for keep in [131, 200, 700, whole.len() / 2, whole.len() - 1] {
        let error = walk_error(&whole[..keep]);
        let told = matches!(
            error,
            WalkError::NotDicom | WalkError::Truncated(_) | WalkError::TooLong { .. }
        );
        assert!(
            told || matches!(error, WalkError::Garbled(..)),
            "{keep}: {error}"
        );
    }
}

#[test]
fn identifiers_are_checked() {
    assert!(matches!(
        instance::read_bytes(&file(EXPLICIT, &[])),
        Err(InstanceError::Missing("SOP Class UID"))
    ));
    let mut bad = identifiers();
    let at = bad.windows(7).position(|part| part == b"1.2.3.4").unwrap();
    bad[at..at + 7].copy_from_slice(b"../../x");
    assert!(matches!(
        instance::read_bytes(&file(EXPLICIT, &bad)),
        Err(InstanceError::Uid("SOP Instance UID", _))
    ));
}

#[test]
fn every_way_of_writing_a_data_set() {
    let explicit = [identifiers(), short((0x0028, 0x0010), b"US", &[2, 1])].concat();
    let explicit = [explicit, short((0x0028, 0x0011), b"US", &[3, 0])].concat();
    let read = |bytes: &[u8]| instance::read_bytes(bytes).unwrap();
    let one = read(&file(EXPLICIT, &explicit));
    assert_eq!(one.size.unwrap().rows, 258);

    let mut deflater =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut deflater, &explicit).unwrap();
    let deflated = read(&file(DEFLATED, &deflater.finish().unwrap()));
    assert_eq!(
        (deflated.size, &deflated.sop_instance_uid),
        (one.size, &one.sop_instance_uid)
    );

    let ui = |tag, text: &str| implicit(tag, text.len() as u32, text.as_bytes());
    let code = [ui((0x0008, 0x0100), "AB  "), ui((0x0008, 0x0102), "SCT ")].concat();
    let bare = [
        ui((0x0008, 0x0016), "1.2.840.10008.5.1.4.1.1.7\0"),
        ui((0x0008, 0x0018), "1.2.3.4\0"),
        // A sequence with a length: the dictionary knows that it is one.
        implicit((0x0008, 0x1032), 32, &implicit((0xFFFE, 0xE000), 24, &code)),
        ui((0x0020, 0x000D), "1.2.3 "),
        ui((0x0020, 0x000E), "1.2.3.1\0"),
    ]
    .concat();
    let bare = read(&file(IMPLICIT, &bare));
    assert_eq!(bare.series_instance_uid.as_str(), "1.2.3.1");
    assert_eq!(bare.study.procedure_codes[0].scheme, "SCT");

    let turned = turned_around(&explicit);
    assert_eq!(read(&file(BIG_ENDIAN, &turned)).size, one.size);
}

/// Explicit VR elements with short lengths, big endian.
fn turned_around(mut bytes: &[u8]) -> Vec<u8> {
    let mut turned = Vec::new();
    while let [g0, g1, e0, e1, v0, v1, l0, l1, rest @ ..] = bytes {
        let (value, after) = rest.split_at(usize::from(u16::from_le_bytes([*l0, *l1])));
        turned.extend([g1, g0, e1, e0, v0, v1, l1, l0]);
        if (v0, v1) == (&b'U', &b'S') {
            turned.extend(value.iter().rev());
        } else {
            turned.extend(value);
        }
        bytes = after;
    }
    turned
}

#[test]
fn inflating_is_bounded() {
    let mut deflater = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    let mut data = identifiers();
    data.extend([0x42, 0x00, 0x11, 0x00, b'O', b'B', 0, 0]);
    data.extend(0xFFFF_FFF0_u32.to_le_bytes());
    std::io::Write::write_all(&mut deflater, &data).unwrap();
    let bomb = file(DEFLATED, &deflater.finish().unwrap());
    assert!(matches!(walk_error(&bomb), WalkError::TooLong { .. }));
    assert!(matches!(
        walk_error(&file(DEFLATED, b"\xFF\xFF this is not deflated")),
        WalkError::Garbled(..)
    ));
}

#[test]
fn encapsulated_pixel_data_is_stepped_over() {
    let fragments = [
        vec![
            0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
        ],
        implicit((0xFFFE, 0xE000), 0, &[]),
        implicit((0xFFFE, 0xE000), 4, b"jpeg"),
    ]
    .concat();
    let end = implicit((0xFFFE, 0xE0DD), 0, &[]);
    let whole = [identifiers(), fragments.clone(), end].concat();
    assert!(instance::read_bytes(&file("1.2.840.10008.1.2.4.70", &whole)).is_ok());
    let cut = [identifiers(), fragments].concat();
    assert!(matches!(
        walk_error(&file("1.2.840.10008.1.2.4.70", &cut)),
        WalkError::Truncated(_)
    ));
}

#[test]
fn names_in_other_alphabets() {
    let named = |set: &[u8], name: &[u8]| {
        let data = [
            short((8, 5), b"CS", set),
            identifiers(),
            short((0x10, 0x10), b"PN", name),
        ]
        .concat();
        instance::read_bytes(&file(EXPLICIT, &data))
            .unwrap()
            .patient
            .name
            .unwrap()
    };
    assert_eq!(named(b"ISO_IR 100", b"M\xFCller^J\xF6rg"), "Müller^Jörg");
    assert_eq!(named(b"ISO_IR 192", "Ζήση^Άννα".as_bytes()), "Ζήση^Άννα");
    assert_eq!(
        named(
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1B$B;3ED\x1B(B^\x1B$BB@O:\x1B(B"
        ),
        "Yamada^Tarou=山田^太郎"
    );
    assert_eq!(
        named(
            b"\\ISO 2022 IR 149",
            b"Hong^Gildong=\x1B$)C\xFB\xF3^\x1B$)C\xD1\xCE\xD4\xD7"
        ),
        "Hong^Gildong=洪^吉洞"
    );
    assert_eq!(named(b"NO SUCH SET", b"M\xFCller"), "Müller");
}

#[test]
fn a_folder_becomes_studies() {
    let dir = tempfile::tempdir().unwrap();
    let phantoms = written(dir.path());
    let ct = phantoms[0].folder.join("IM0001.dcm");
    fs::copy(&ct, dir.path().join("copy.dcm")).unwrap();
    fs::write(dir.path().join("DICOMDIR"), b"").unwrap();
    fs::write(dir.path().join("readme.txt"), b"hello").unwrap();
    let mut other = fs::read(&ct).unwrap();
    let last = other.len() - 1;
    other[last] ^= 1;
    fs::write(dir.path().join("zz-other.dcm"), other).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();

    let scan = scanned(dir.path());
    assert_eq!(scan.studies.len(), 4);
    assert_eq!(scan.notes.len(), 2, "{:?}", scan.notes);
    let reasons: Vec<_> = scan
        .left_out
        .iter()
        .map(|out| out.reason.as_str())
        .collect();
    assert_eq!(reasons.len(), 2, "{reasons:?}");
    assert!(reasons[0].starts_with("not a DICOM file"), "{reasons:?}");
    assert!(
        reasons[1].contains("SOP Instance UID belongs to another file"),
        "{reasons:?}"
    );
    for phantom in phantoms {
        let study = scan
            .studies
            .iter()
            .find(|study| study.uid == phantom.study_instance_uid)
            .unwrap();
        assert_eq!(study.instances().count(), phantom.instances);
        assert_eq!(study.patient.id.as_deref(), Some(phantom.patient_id));
        assert_eq!(study.accessions.len(), 1);
        let numbers: Vec<_> = study.series[0]
            .instances
            .iter()
            .map(|i| i.number.unwrap())
            .collect();
        assert!(numbers.is_sorted());
    }
}

#[test]
fn one_study_of_two_patients_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let patient = |id: &[u8]| short((0x10, 0x20), b"LO", id);
    fs::write(
        dir.path().join("a"),
        file(EXPLICIT, &[identifiers(), patient(b"1")].concat()),
    )
    .unwrap();
    let mut second = identifiers();
    let at = second
        .windows(7)
        .position(|part| part == b"1.2.3.4")
        .unwrap();
    second[at + 6] = b'5';
    fs::write(
        dir.path().join("b"),
        file(EXPLICIT, &[second, patient(b"2")].concat()),
    )
    .unwrap();
    let scan = scanned(dir.path());
    assert_eq!((scan.studies.len(), scan.left_out.len()), (1, 1));
    assert!(scan.left_out[0].reason.contains("Patient ID differs"));
}

#[test]
fn phantoms_are_the_same_every_time() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let names = [
        "ct-thorax-1/IM0004.dcm",
        "ct-thorax-2/IM0009.dcm",
        "mr-head/IM0001.dcm",
        "us-liver/IM0001.dcm",
    ];
    written(one.path());
    written(other.path());
    for name in names {
        assert_eq!(
            fs::read(one.path().join(name)).unwrap(),
            fs::read(other.path().join(name)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn a_manifest_lists_the_study() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let uid = |text| Uid::parse(text).unwrap();
    let plan = Plan {
        sop_instance_uid: &uid("2.25.11"),
        series_instance_uid: &uid("2.25.12"),
        made: now(),
        retrieve_ae_title: "HILUM",
        retrieve_location_uid: &uid("1.2.3.99"),
        retrieve_url: Some("https://pacs.example/dicom-web"),
        utc_offset: UtcOffset::default(),
    };
    for study in scanned(dir.path()).studies {
        let bytes = manifest::write(&study, &plan).unwrap();
        assert_eq!(bytes, manifest::write(&study, &plan).unwrap());
        let read = instance::read_bytes(&bytes).unwrap();
        assert_eq!(
            (read.study_instance_uid, read.sop_class_uid.as_str()),
            (study.uid.clone(), manifest::SOP_CLASS_UID)
        );
        assert_eq!(
            (&read.patient, read.transfer_syntax_uid.as_str()),
            (&study.patient, EXPLICIT)
        );
        let series = manifest::references(&bytes).unwrap();
        let listed: Vec<_> = series
            .iter()
            .flat_map(|series| &series.instances)
            .map(|(_, uid)| uid)
            .collect();
        let stored: Vec<_> = study
            .instances()
            .map(|instance| &instance.sop_instance_uid)
            .collect();
        assert_eq!(listed, stored);
        assert_eq!(series[0].retrieve_location_uid, Some(uid("1.2.3.99")));
        assert_eq!(series[0].retrieve_ae_title.as_deref(), Some("HILUM"));
        assert_eq!(
            series[0].retrieve_url.as_deref(),
            Some("https://pacs.example/dicom-web")
        );
    }
}

#[test]
fn an_image_is_no_manifest() {
    let image = file(EXPLICIT, &identifiers());
    assert!(matches!(
        manifest::references(&image),
        Err(InstanceError::Missing(_))
    ));
    assert!(walk::bytes(&image, &[]).is_ok());
}

/// What a file says is believed nowhere: whatever is changed in it, it is read or refused.
#[test]
fn files_that_were_tampered_with_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let phantoms = written(dir.path());
    let report = phantoms[1].folder.join("IM0009.dcm");
    let files = [report, phantoms[3].folder.join("IM0001.dcm")].map(|path| {
        let mut file = fs::read(path).unwrap();
        file.truncate(6000);
        file
    });
    let change = (132..6000_usize, proptest::num::u8::ANY);
    let changes = proptest::collection::vec(change, 1..8);
    proptest!(|(which in 0..files.len(), changes in changes, length in 100..6000_usize)| {
        let mut file = files[which].clone();
        for (at, byte) in changes {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        file.truncate(length);
        if let Ok(instance) = instance::read_bytes(&file) {
            prop_assert!(instance.sop_instance_uid.as_str().len() <= 64);
        }
        let _ = manifest::references(&file);
    });
}
