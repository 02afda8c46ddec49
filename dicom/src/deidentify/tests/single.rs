//! One thing at a time.

use super::*;
use crate::walk::Value;
use crate::write::Builder;

/// An object without an image.
fn object() -> Builder {
    Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
        .text(tags::PATIENT_ID, VR::LO, "4711-0815")
        .text(tags::PATIENT_NAME, VR::PN, "Abendroth^Anna")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.1")
}

fn rewritten(object: Builder, profile: &Profile) -> Result<(DataSet, Report), Refused> {
    let (new, report) = bytes(&object.part10().unwrap(), profile, &key())?;
    Ok((walk::whole(&new).unwrap().data, report))
}

fn refused(object: Builder, profile: &Profile) -> (Tag, &'static str) {
    match rewritten(object, profile) {
        Err(Refused::Attribute { tag, name, .. }) => (tag, name),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_no_rule_covers_is_refused_with_its_name() {
    let profile = Profile::default();
    let newer = Tag(0x0018, 0xFFF1);
    let told = object().text(newer, VR::LO, "Abendroth was here");
    assert_eq!(refused(told, &profile), (newer, "Unknown"));
    let inside = Builder::new().text(newer, VR::LO, "text");
    let told = object().items(tags::REFERENCED_IMAGE_SEQUENCE, [inside]);
    assert_eq!(refused(told, &profile), (newer, "Unknown"));
    // Numbers name nobody.
    let number = object().value(newer, VR::US, 5_u16);
    let (data, _) = rewritten(number, &profile).unwrap();
    assert_eq!(data.number(newer), Some(5.0));
    let error = rewritten(object().text(newer, VR::LO, "Abendroth"), &profile).unwrap_err();
    assert!(error.is_a_decision());
    assert_eq!(
        error.to_string(),
        "(0018,FFF1) Unknown: no rule covers this attribute"
    );
}

#[test]
fn an_object_without_patient_is_its_study() {
    let anonymous = |study: &str| {
        Builder::new()
            .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
            .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
            .text(tags::PATIENT_ID, VR::LO, "")
            .text(tags::STUDY_INSTANCE_UID, VR::UI, study)
    };
    let profile = Profile::default();
    let patient = |study| rewritten(anonymous(study), &profile).unwrap().1.patient;
    assert_eq!(patient("1.2.3"), patient("1.2.3"));
    assert_ne!(patient("1.2.3"), patient("1.2.4"));
    let (tag, _) = refused(
        Builder::new().text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2"),
        &profile,
    );
    assert_eq!(tag, tags::PATIENT_ID);
}

#[test]
fn it_says_what_was_done() {
    let profile = Profile {
        options: Options {
            modified_dates: true,
            retain_uids: true,
            ..Options::default()
        },
        ..Profile::default()
    };
    let old = object()
        .text(tags::DEIDENTIFICATION_METHOD, VR::LO, "by Dr Abendroth")
        .text(tags::STUDY_DATE, VR::DA, "20240229");
    let (data, report) = rewritten(old, &profile).unwrap();
    assert_eq!(
        data.ascii(tags::PATIENT_IDENTITY_REMOVED).as_deref(),
        Some("YES")
    );
    assert_eq!(
        data.ascii(tags::LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
            .as_deref(),
        Some("MODIFIED")
    );
    assert_eq!(
        data.ascii(tags::DEIDENTIFICATION_METHOD).as_deref(),
        Some(statement::METHOD)
    );
    let codes = data.items(tags::DEIDENTIFICATION_METHOD_CODE_SEQUENCE);
    let codes: Vec<_> = codes
        .iter()
        .filter_map(|code| code.ascii(tags::CODE_VALUE))
        .collect();
    assert_eq!(codes, ["113100", "113107", "113110"]);
    assert_eq!(report.codes, ["113100", "113107", "113110"]);
    assert_eq!(report.sop_instance_uid, "1.2.3.4");
    assert_eq!(report.actions.dates, 1);
    assert_ne!(data.ascii(tags::STUDY_DATE).as_deref(), Some("20240229"));
}

#[test]
fn a_safe_private_attribute_that_names_the_patient_is_refused() {
    let profile = Profile {
        options: Options {
            retain_safe_private: true,
            ..Options::default()
        },
        ..Profile::default()
    };
    let block = |bytes: &[u8]| {
        object()
            .text(Tag(0x0019, 0x0042), VR::LO, "SIEMENS MR HEADER")
            .value(
                Tag(0x0019, 0x420C),
                VR::UN,
                dicom_core::PrimitiveValue::U8(bytes.to_vec().into()),
            )
            .text(Tag(0x0019, 0x420B), VR::LO, "other")
    };
    let (data, report) = rewritten(block(b"1000"), &profile).unwrap();
    assert!(data.get(Tag(0x0019, 0x420C)).is_some());
    assert!(data.get(Tag(0x0019, 0x0042)).is_some());
    assert!(data.get(Tag(0x0019, 0x420B)).is_none());
    assert_eq!(
        (report.actions.private_kept, report.actions.private_removed),
        (1, 1)
    );
    let (tag, name) = refused(block(b"ABENDROTH "), &profile);
    assert_eq!((tag, name), (Tag(0x0019, 0x420C), "Private"));
    let (data, _) = rewritten(block(b"1000"), &Profile::default()).unwrap();
    assert!(data.elements().all(|(tag, ..)| tag.group() % 2 == 0));
}

#[test]
fn pixels_elsewhere_than_in_the_image_are_refused() {
    let pixels = || dicom_core::PrimitiveValue::U8(vec![1, 2].into());
    let inner = Builder::new().value(tags::PIXEL_DATA, VR::OB, pixels());
    let nested = object().items(tags::REFERENCED_IMAGE_SEQUENCE, [inner]);
    assert_eq!(refused(nested, &Profile::default()).0, tags::PIXEL_DATA);
    // An icon goes as a whole.
    let inner = Builder::new().value(tags::PIXEL_DATA, VR::OB, pixels());
    let icon = object().items(tags::ICON_IMAGE_SEQUENCE, [inner]);
    let (data, _) = rewritten(icon, &Profile::default()).unwrap();
    assert!(data.get(tags::ICON_IMAGE_SEQUENCE).is_none());
}

#[test]
fn a_document_that_is_known_is_kept() {
    let stl = "1.2.840.10008.5.1.4.1.1.104.3";
    let document = || {
        let bytes = dicom_core::PrimitiveValue::U8(b"solid ".to_vec().into());
        object().text(tags::SOP_CLASS_UID, VR::UI, stl).value(
            tags::ENCAPSULATED_DOCUMENT,
            VR::OB,
            bytes,
        )
    };
    let none = Profile::default();
    assert!(matches!(
        rewritten(document(), &none),
        Err(Refused::Closed(_))
    ));
    let accepting = Profile {
        accepted_unseen: vec![stl.to_owned()],
        ..none
    };
    let (data, _) = rewritten(document(), &accepting).unwrap();
    assert_eq!(
        data.bytes(tags::ENCAPSULATED_DOCUMENT),
        Some(&b"solid "[..])
    );
}

#[test]
fn terms_stay_even_if_the_patient_is_called_so() {
    let profile = Profile {
        options: Options {
            clean_descriptors: true,
            ..Options::default()
        },
        ..Profile::default()
    };
    let code = |scheme, meaning| {
        Builder::new()
            .text(tags::CODE_VALUE, VR::SH, "123")
            .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme)
            .text(tags::CODE_MEANING, VR::LO, meaning)
    };
    let old = object()
        .text(tags::PATIENT_NAME, VR::PN, "Axial^Acme")
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
        .text(tags::CONTENT_LABEL, VR::CS, "AXIAL_2")
        .text(tags::MANUFACTURER, VR::LO, "Acme Medical")
        .text(tags::REFERRING_PHYSICIAN_NAME, VR::LO, "Wu Li Abendroth")
        .text(tags::SERIES_DESCRIPTION, VR::LO, "axial Wu 5 mm")
        .text(tags::STUDY_TIME, VR::TM, "4711")
        .items(
            tags::ANATOMIC_REGION_SEQUENCE,
            [
                code("SCT", "Axial skeleton"),
                code("99ACME", "Axial skeleton"),
            ],
        );
    let (data, _) = rewritten(old, &profile).unwrap();
    let text = |tag| data.ascii(tag).unwrap();
    assert_eq!(text(tags::IMAGE_TYPE), "ORIGINAL\\PRIMARY\\AXIAL");
    assert_eq!(text(tags::CONTENT_LABEL), "2");
    assert_eq!(text(tags::MANUFACTURER), "Acme Medical");
    assert_eq!(text(tags::SERIES_DESCRIPTION), "5 mm");
    let codes = data.items(tags::ANATOMIC_REGION_SEQUENCE);
    let meanings: Vec<_> = codes
        .iter()
        .filter_map(|code| code.ascii(tags::CODE_MEANING))
        .collect();
    assert_eq!(meanings, ["Axial skeleton", "skeleton"]);
}

#[test]
fn a_sequence_of_unknown_representation_is_read() {
    let mut item = vec![0xFE, 0xFF, 0x00, 0xE0];
    let id = b"\x10\0\x20\0\x0A\0\0\x004711-0815 ";
    item.extend((id.len() as u32).to_le_bytes());
    item.extend(id);
    let unknown = |bytes: Vec<u8>| {
        let bytes = dicom_core::PrimitiveValue::U8(bytes.into());
        object().value(tags::REFERENCED_IMAGE_SEQUENCE, VR::UN, bytes)
    };
    let (data, report) = rewritten(unknown(item.clone()), &Profile::default()).unwrap();
    let items = data.items(tags::REFERENCED_IMAGE_SEQUENCE);
    assert_eq!(items[0].ascii(tags::PATIENT_ID), Some(report.patient));
    item.truncate(20);
    let (tag, _) = refused(unknown(item), &Profile::default());
    assert_eq!(tag, tags::REFERENCED_IMAGE_SEQUENCE);
}

fn image(allocated: u16, rows: u16, columns: u16) -> Builder {
    let number = dicom_core::PrimitiveValue::from;
    object()
        .text(tags::MODALITY, VR::CS, "US")
        .text(tags::MANUFACTURER, VR::LO, "Acme Medical")
        .value(tags::SAMPLES_PER_PIXEL, VR::US, number(1_u16))
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .value(tags::ROWS, VR::US, number(rows))
        .value(tags::COLUMNS, VR::US, number(columns))
        .value(tags::BITS_ALLOCATED, VR::US, number(allocated))
        .value(tags::PIXEL_REPRESENTATION, VR::US, number(0_u16))
}

fn eight_bits(rows: u16, columns: u16, frames: usize) -> Builder {
    let pixels = vec![9_u8; usize::from(rows) * usize::from(columns) * frames];
    image(8, rows, columns)
        .text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.to_string())
        .value(
            tags::PIXEL_DATA,
            VR::OB,
            dicom_core::PrimitiveValue::U8(pixels.into()),
        )
}

fn blanking(regions: &[Region]) -> Profile {
    Profile {
        options: Options {
            clean_pixel_data: true,
            ..Options::default()
        },
        regions: vec![RegionRule {
            manufacturer: Some("ACME*".to_owned()),
            regions: regions.to_vec(),
            ..RegionRule::default()
        }],
        ..Profile::default()
    }
}

const CORNER: Region = Region {
    x: 1,
    y: 0,
    width: 2,
    height: 1,
};

#[test]
fn pixels_in_which_there_may_be_text_are_refused_without_a_rule() {
    let none = Profile::default();
    assert_eq!(refused(eight_bits(3, 5, 1), &none).0, tags::SOP_CLASS_UID);
    let ct = |builder: Builder| builder.text(tags::MODALITY, VR::CS, "CT");
    assert!(rewritten(ct(eight_bits(3, 5, 1)), &none).is_ok());
    for (tag, value) in [
        (tags::BURNED_IN_ANNOTATION, "YES"),
        (tags::CONVERSION_TYPE, "WSD"),
        (tags::IMAGE_TYPE, "DERIVED\\SECONDARY\\SCREEN SAVE"),
    ] {
        let told = ct(eight_bits(3, 5, 1)).text(tag, VR::CS, value);
        assert_eq!(refused(told, &none).0, tag);
    }
    // A rule without regions says that somebody has looked.
    let (data, _) = rewritten(eight_bits(3, 5, 1), &blanking(&[])).unwrap();
    assert_eq!(
        data.ascii(tags::BURNED_IN_ANNOTATION).as_deref(),
        Some("NO")
    );
    let outside = Region { x: 4, ..CORNER };
    assert_eq!(
        refused(eight_bits(3, 5, 1), &blanking(&[outside])).0,
        tags::ROWS
    );
    let hidden = ct(eight_bits(3, 5, 1)).value(Tag(0x6000, 0x0102), VR::US, 12_u16);
    assert_eq!(refused(hidden, &none).0, Tag(0x6000, 0x0102));
    let faces = Profile {
        options: Options {
            clean_recognizable_visual_features: true,
            ..Options::default()
        },
        ..Profile::default()
    };
    assert_eq!(
        refused(ct(eight_bits(3, 5, 1)), &faces).0,
        tags::RECOGNIZABLE_VISUAL_FEATURES
    );
    let cleaned = ct(eight_bits(3, 5, 1)).text(tags::RECOGNIZABLE_VISUAL_FEATURES, VR::CS, "NO");
    assert!(rewritten(cleaned, &faces).is_ok());
}

#[test]
fn every_frame_is_blanked() {
    let (new, report) = bytes(
        &eight_bits(3, 5, 3).part10().unwrap(),
        &blanking(&[CORNER]),
        &key(),
    )
    .unwrap();
    let data = walk::whole(&new).unwrap().data;
    let Some((_, Value::Apart(apart))) = data.get(tags::PIXEL_DATA) else {
        panic!("no pixels");
    };
    let frame = [9, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9];
    let pixels = &new[apart.offset as usize..(apart.offset + apart.length) as usize];
    assert_eq!(
        pixels,
        [&frame.repeat(3)[..], &[0]].concat(),
        "an odd length is padded"
    );
    assert_eq!(report.actions.regions, 1);
}

/// An element of explicit VR with a long length, or an item.
fn long(tag: (u16, u16), vr: &[u8], length: u32, value: &[u8]) -> Vec<u8> {
    let mut element = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    element.extend(vr);
    element.extend(length.to_le_bytes());
    element.extend(value);
    element
}

fn with_fragments(transfer_syntax: &str, fragments: &[&[u8]]) -> Vec<u8> {
    let plain = image(16, 2, 4).part10().unwrap();
    let walked = walk::whole(&plain).unwrap();
    let mut file = vec![0; 128];
    file.extend(b"DICM");
    let mut uid = transfer_syntax.as_bytes().to_vec();
    uid.resize(uid.len().next_multiple_of(2), 0);
    file.extend([2, 0, 0x10, 0]);
    file.extend(b"UI");
    file.extend((uid.len() as u16).to_le_bytes());
    file.extend(uid);
    file.extend(&plain[walked.data_offset as usize..]);
    file.extend(long((0x7FE0, 0x0010), b"OB\0\0", u32::MAX, &[]));
    file.extend(long((0xFFFE, 0xE000), b"", 0, &[]));
    for fragment in fragments {
        file.extend(long((0xFFFE, 0xE000), b"", fragment.len() as u32, fragment));
    }
    file.extend(long((0xFFFE, 0xE0DD), b"", 0, &[]));
    file
}

/// Two segments of 2 rows and 4 columns: 0x0102 everywhere.
fn rle_frame() -> Vec<u8> {
    let mut frame = vec![0; 64];
    frame[0] = 2;
    frame[4] = 64;
    frame[8] = 66;
    frame.extend([249, 1, 249, 2]);
    frame
}

#[test]
fn rle_is_blanked_and_other_compression_is_refused() {
    let frame = rle_frame();
    let (new, report) = bytes(
        &with_fragments(pixels::RLE, &[&frame]),
        &blanking(&[CORNER]),
        &key(),
    )
    .unwrap();
    assert_eq!(report.transfer_syntax_uid, pixels::RLE);
    let data = walk::whole(&new).unwrap().data;
    let Some((_, Value::Fragments(fragments))) = data.get(tags::PIXEL_DATA) else {
        panic!("no fragments");
    };
    let last = fragments[1];
    let blanked = &new[last.offset as usize..(last.offset + last.length) as usize];
    let offset = |at: usize| u32::from_le_bytes(blanked[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((offset(0), offset(4)), (2, 64));
    // A row of 1 0 0 1, then one of four ones.
    assert_eq!(blanked[64..offset(8)], [0, 1, 255, 0, 0, 1, 253, 1]);
    let jpeg = with_fragments("1.2.840.10008.1.2.4.50", &[&[0xFF, 0xD8]]);
    let refused = bytes(&jpeg, &blanking(&[CORNER]), &key());
    assert!(matches!(
        refused,
        Err(Refused::Attribute {
            tag: tags::PIXEL_DATA,
            ..
        })
    ));
    let untouched = bytes(&jpeg, &blanking(&[]), &key()).unwrap().0;
    assert!(untouched.ends_with(&[0xFF, 0xD8, 0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]));
    for hostile in [&frame[..60], &frame[..65], &[0xFF; 70]] {
        assert!(
            bytes(
                &with_fragments(pixels::RLE, &[hostile]),
                &blanking(&[CORNER]),
                &key()
            )
            .is_err()
        );
    }
    assert!(
        bytes(
            &with_fragments(pixels::RLE, &[]),
            &blanking(&[CORNER]),
            &key()
        )
        .is_err()
    );
}

#[test]
fn nothing_of_the_preamble_and_the_meta_information_is_left() {
    let mut old = object().part10().unwrap();
    old[..9].copy_from_slice(b"Abendroth");
    let (new, _) = bytes(&old, &Profile::default(), &key()).unwrap();
    assert_eq!(new[..128], [0; 128]);
    let meta = walk::whole(&new).unwrap().meta;
    let data = walk::whole(&new).unwrap().data;
    assert_eq!(meta.ascii(Tag(2, 3)), data.ascii(tags::SOP_INSTANCE_UID));
    let length = u32::from_le_bytes(new[140..144].try_into().unwrap());
    assert_eq!(
        u64::from(length) + 144,
        walk::whole(&new).unwrap().data_offset
    );
}

#[test]
fn implicit_and_big_endian_files_say_the_same() {
    let implicit = |group: u16, element: u16, value: &[u8], big: bool| {
        let mut out = Vec::new();
        let short = |n: u16| {
            if big {
                n.to_be_bytes()
            } else {
                n.to_le_bytes()
            }
        };
        out.extend(short(group));
        out.extend(short(element));
        if big {
            let entry = StandardDataDictionary.by_tag(Tag(group, element)).unwrap();
            let vr = if value.len() == 2 && group == 0x0028 {
                VR::US
            } else {
                entry.vr().relaxed()
            };
            out.extend(vr.to_bytes());
            out.extend(short(value.len() as u16));
        } else {
            out.extend((value.len() as u32).to_le_bytes());
        }
        out.extend(value);
        out
    };
    for (syntax, big) in [("1.2.840.10008.1.2", false), ("1.2.840.10008.1.2.2", true)] {
        let mut file = vec![0; 128];
        file.extend(b"DICM");
        let mut uid = syntax.as_bytes().to_vec();
        uid.resize(uid.len().next_multiple_of(2), 0);
        file.extend([2, 0, 0x10, 0, b'U', b'I', uid.len() as u8, 0]);
        file.extend(uid);
        let number = |number: u16| {
            if big {
                number.to_be_bytes()
            } else {
                number.to_le_bytes()
            }
        };
        file.extend(implicit(
            0x0008,
            0x0016,
            b"1.2.840.10008.5.1.4.1.1.2\0",
            big,
        ));
        file.extend(implicit(0x0008, 0x0018, b"1.2.3.4\0", big));
        file.extend(implicit(0x0010, 0x0010, b"Abendroth^Anna", big));
        file.extend(implicit(0x0010, 0x0020, b"4711-0815 ", big));
        file.extend(implicit(0x0028, 0x0103, &number(1), big));
        file.extend(implicit(0x0028, 0x0106, &number(0xFFFF), big));
        let (new, report) = bytes(&file, &Profile::default(), &key()).unwrap();
        let data = walk::whole(&new).unwrap().data;
        assert_eq!(report.transfer_syntax_uid, EXPLICIT_VR_LITTLE_ENDIAN);
        assert_eq!(data.number(tags::PIXEL_REPRESENTATION), Some(1.0));
        if !big {
            let (vr, _) = data.get(tags::SMALLEST_IMAGE_PIXEL_VALUE).unwrap();
            assert_eq!(vr, VR::SS, "it depends on the pixels");
        }
        assert_eq!(data.ascii(tags::PATIENT_ID), Some(report.patient));
    }
}

/// Text attributes of the standard as the dictionary knows them.
fn text_attributes() -> Vec<(Tag, VR)> {
    let print = [
        0x2000, 0x2010, 0x2020, 0x2030, 0x2040, 0x2050, 0x2100, 0x2110, 0x2200,
    ];
    let others = [
        0x0400, 0x3002, 0x3004, 0x3006, 0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x4008,
    ];
    let groups = (0x0008..=0x0100_u16).step_by(2).chain(print).chain(others);
    let mut attributes = Vec::new();
    for group in groups {
        for element in 1..=0xFFFF_u16 {
            let tag = Tag(group, element);
            let known = verdict::dictionary_vr(tag).filter(|vr| verdict::is_text(*vr));
            attributes.extend(known.map(|vr| (tag, vr)));
        }
    }
    // What a device or the standard says is kept, whoever the patient is; a name as UID is refused.
    attributes.retain(|(tag, vr)| {
        let kept = terms::is_term(*tag, VR::LO, b"") || *tag == tags::SPECIFIC_CHARACTER_SET;
        *vr != VR::UI && !kept
    });
    attributes
}

#[test]
fn no_text_attribute_of_the_standard_lets_a_name_through() {
    let attributes = text_attributes();
    assert!(attributes.len() > 1_500, "{}", attributes.len());
    let planted = |some: &[(Tag, VR)], profile: &Profile| {
        let old = some.iter().fold(object(), |object, (tag, vr)| {
            object.text(*tag, *vr, "x Abendroth Anna 4711-0815")
        });
        // The identity itself, whatever has just been planted in its place.
        let old = old.with(object());
        bytes(&old.part10().unwrap(), profile, &key())
    };
    let cleaning = crate::phantoms::identities::profile();
    for profile in [&Profile::default(), &cleaning] {
        for some in attributes.chunks(60) {
            let (new, _) = planted(some, profile).unwrap();
            let left = |name: &&&str| new.windows(name.len()).any(|it| it == name.as_bytes());
            assert_eq!(
                ["Abendroth", "4711-0815", "Anna"].iter().find(left),
                None,
                "{some:?}"
            );
        }
    }
}

#[test]
fn of_a_file_of_voxels_only_the_voxels_are_left() {
    let file = b"Doe\0voxelsDoe";
    let kept = b"\0\0\0\0voxels";
    let mut plain = Vec::new();
    nifti::voxels(&file[..], &mut plain, (4, 6)).unwrap();
    assert_eq!(plain, kept);
    let builder = flate2::GzBuilder::new().filename("Doe.img");
    let mut packed = builder.write(Vec::new(), flate2::Compression::fast());
    Write::write_all(&mut packed, file).unwrap();
    let mut again = Vec::new();
    nifti::voxels(&packed.finish().unwrap()[..], &mut again, (4, 6)).unwrap();
    assert!(!again.windows(3).any(|it| it == b"Doe"));
    let mut inflated = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(&again[..]);
    io::Read::read_to_end(&mut reader, &mut inflated).unwrap();
    assert_eq!(inflated, kept);
    for too_long in [(4, 10), (14, 1)] {
        let refused = nifti::voxels(&file[..], &mut Vec::new(), too_long);
        assert!(matches!(refused, Err(Refused::Closed(_))), "{refused:?}");
    }
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn broken_files_do_no_harm(at in 132_usize..1_500, byte in any::<u8>(), cut in any::<bool>()) {
            let objects = crate::phantoms::identities::objects(1, 1).unwrap();
            let mut file = objects[at % objects.len()].bytes.clone();
            let at = at % file.len();
            if cut { file.truncate(at) } else { file[at] = byte }
            let _ = bytes(&file, &crate::phantoms::identities::profile(), &key());
        }

        #[test]
        fn broken_volumes_do_no_harm(at in 0_usize..600, byte in any::<u8>()) {
            for mut volume in crate::phantoms::identities::volumes(1, 1) {
                let at = at % volume.bytes.len();
                volume.bytes[at] = byte;
                let _ = nifti::header(volume.bytes.as_slice(), &mut Vec::new());
            }
        }
    }
}
