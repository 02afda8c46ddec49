//! Instances as devices write them, and as nobody should.

use dicom_core::value::PrimitiveValue;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use proptest::collection::vec;
use proptest::prelude::*;
use xds_schemas::imaging::acquisition::{SLOT, from_slots, parameters, to_slots};

use super::*;
use crate::walk;
use crate::write::Builder;

/// What an instance says, as it is written in slots: `keyword=value`, sorted.
fn said(instance: Builder) -> Vec<String> {
    lines(&acquired(instance))
}

fn acquired(instance: Builder) -> Acquired {
    read(&walk::whole(&instance.part10().unwrap()).unwrap())
}

fn lines(acquired: &Acquired) -> Vec<String> {
    let slots = to_slots(&[acquired.series(&Uid::parse("1.2.3").unwrap())]);
    let common = slots.into_iter().find(|slot| slot.name == SLOT);
    common.map(|slot| slot.values).unwrap_or_default()
}

fn instance() -> Builder {
    Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2.840.10008.5.1.4.1.1.2")
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
}

fn of(keyword: &str, lines: &[String]) -> Vec<String> {
    let prefix = format!("{keyword}=");
    let values = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
    values.map(str::to_owned).collect()
}

/// A private element of block 10 with its creator.
fn private(creator: &str, tag: (u16, u16), vr: VR, value: impl Into<PrimitiveValue>) -> Builder {
    Builder::new()
        .text(Tag(tag.0, 0x0010), VR::LO, creator)
        .value(Tag(tag.0, 0x1000 | tag.1), vr, value)
}

#[test]
fn a_slice_of_a_ct() {
    let ct = instance()
        .text(tags::MODALITY, VR::CS, "CT")
        .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
        .text(tags::KVP, VR::DS, "120 ")
        .text(tags::EXPOSURE, VR::IS, "")
        .text(tags::EXPOSURE_INU_AS, VR::IS, "45100")
        .value(tags::CTD_IVOL, VR::FD, 0.0)
        .text(tags::GANTRY_DETECTOR_TILT, VR::DS, "0")
        .text(tags::SLICE_THICKNESS, VR::DS, "0")
        .text(tags::BODY_PART_EXAMINED, VR::CS, "L-Spine")
        .text(tags::PATIENT_AGE, VR::AS, "018M")
        .text(tags::PIXEL_SPACING, VR::DS, "0.5\\0.75")
        .value(tags::ROWS, VR::US, 512_u16)
        .value(tags::COLUMNS, VR::US, 256_u16)
        .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
        .text(tags::IMAGE_POSITION_PATIENT, VR::DS, "-100\\-100\\30.5");
    assert_eq!(
        said(ct),
        [
            "BodyPartExamined=L-Spine",
            "Columns=256",
            "Exposure=45.1 mA.s",
            "GantryDetectorTilt=0 deg",
            "ImageType=AXIAL",
            "ImageType=ORIGINAL",
            "ImageType=PRIMARY",
            "KVP=120 kV",
            "Modality=CT",
            "PatientAge=1.5 a",
            "PixelSpacing=0.5 mm",
            "PixelSpacing=0.75 mm",
            "Rows=512",
            "SOPClassUID=1.2.840.10008.5.1.4.1.1.2",
            "bodyPart=122496007^Lumbar spine^2.16.840.1.113883.6.96",
            "fieldOfView=192 mm",
            "fieldOfView=256 mm",
            "scanPlane=axial",
            "sliceCount=1",
        ]
    );
}

#[test]
fn units_are_brought_together() {
    for (tag, vr, value, expected) in [
        (
            tags::EXPOSURE_TIME_INU_S,
            VR::DS,
            "1500",
            "ExposureTime=1.5 ms",
        ),
        (
            tags::X_RAY_TUBE_CURRENT_INU_A,
            VR::DS,
            "100100",
            "XRayTubeCurrent=100.1 mA",
        ),
        (tags::ENTRANCE_DOSE, VR::US, "", ""),
        (tags::ORGAN_DOSE, VR::DS, "0.0123", "OrganDose=1.23 mGy"),
        (
            tags::MAGNETIC_FIELD_STRENGTH,
            VR::DS,
            "15000",
            "fieldStrength=1.5 T",
        ),
        (
            tags::MAGNETIC_FIELD_STRENGTH,
            VR::DS,
            "2.8936",
            "fieldStrength=2.89 T",
        ),
        (tags::PATIENT_AGE, VR::AS, "000Y", ""),
        (tags::PATIENT_AGE, VR::AS, "042Y", "PatientAge=42 a"),
        (tags::PATIENT_AGE, VR::AS, "005D", "PatientAge=0.014 a"),
        (
            tags::IN_PLANE_PHASE_ENCODING_DIRECTION,
            VR::CS,
            "COL",
            "InPlanePhaseEncodingDirection=COLUMN",
        ),
    ] {
        let mut said = said(
            Builder::new()
                .text(tag, vr, value)
                .text(tags::MODALITY, VR::CS, "OT"),
        );
        said.retain(|line| line != "Modality=OT");
        let expected: Vec<_> = Some(expected)
            .filter(|it| !it.is_empty())
            .into_iter()
            .collect();
        assert_eq!(said, expected, "{tag}");
    }
    for (dose, expected) in [("370000000", "370 MBq"), ("370", "370 MBq")] {
        let item = Builder::new().text(tags::RADIONUCLIDE_TOTAL_DOSE, VR::DS, dose);
        let pet = instance().items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, [item]);
        assert_eq!(of("RadionuclideTotalDose", &said(pet)), [expected]);
    }
    let single = instance().value(tags::B1RMS, VR::FL, 0.1_f32);
    assert_eq!(of("B1rms", &said(single)), ["0.1 uT"]);
}

/// An enhanced MR object of four frames: two b-values at two positions.
fn enhanced() -> Builder {
    let shared = Builder::new()
        .items(
            tags::PIXEL_MEASURES_SEQUENCE,
            [Builder::new()
                .text(tags::PIXEL_SPACING, VR::DS, "2\\2")
                .text(tags::SLICE_THICKNESS, VR::DS, "3")],
        )
        .items(
            tags::PLANE_ORIENTATION_SEQUENCE,
            [Builder::new().text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1")],
        )
        .items(
            tags::MR_TIMING_AND_RELATED_PARAMETERS_SEQUENCE,
            [Builder::new()
                .text(tags::REPETITION_TIME, VR::DS, "5000")
                .value(tags::RF_ECHO_TRAIN_LENGTH, VR::US, 0_u16)
                .value(tags::GRADIENT_ECHO_TRAIN_LENGTH, VR::US, 57_u16)],
        )
        .items(
            tags::FRAME_ANATOMY_SEQUENCE,
            [Builder::new()
                .text(tags::FRAME_LATERALITY, VR::CS, "U")
                .code(tags::ANATOMIC_REGION_SEQUENCE, ("T-A0100", "SRT", "Brain"))],
        );
    let frame = |b: f64, x: &str| {
        Builder::new()
            .items(
                tags::MR_DIFFUSION_SEQUENCE,
                [Builder::new().value(tags::DIFFUSION_B_VALUE, VR::FD, b)],
            )
            .items(
                tags::MR_ECHO_SEQUENCE,
                [Builder::new().value(tags::EFFECTIVE_ECHO_TIME, VR::FD, 80.0)],
            )
            .items(
                tags::PLANE_POSITION_SEQUENCE,
                [Builder::new().text(tags::IMAGE_POSITION_PATIENT, VR::DS, x)],
            )
    };
    let frames = [
        frame(0.0, "-3\\0\\0"),
        frame(0.0, "0.5\\0\\0"),
        frame(1000.0, "-3\\0\\0"),
        frame(1000.0, "0.5\\0\\0"),
    ];
    instance()
        .value(tags::ROWS, VR::US, 128_u16)
        .value(tags::COLUMNS, VR::US, 96_u16)
        .items(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, [shared])
        .items(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames)
}

#[test]
fn functional_groups_of_enhanced_objects() {
    let said = said(enhanced());
    for expected in [
        "RepetitionTime=5000 ms",
        "EchoTime=80 ms",
        "EchoTrainLength=57",
        "SliceThickness=3 mm",
        "diffusionBValue=0 s/mm2",
        "diffusionBValue=1000 s/mm2",
        "scanPlane=sagittal",
        "sliceCount=2",
        "sliceSpacing=3.5 mm",
        "fieldOfView=192 mm",
        "fieldOfView=256 mm",
        "bodyPart=12738006^Brain^2.16.840.1.113883.6.96",
    ] {
        assert!(
            said.iter().any(|line| line == expected),
            "{expected} in {said:#?}"
        );
    }
    // Unpaired is no side; the echo train of zero is not one.
    assert!(of("laterality", &said).is_empty());
    assert_eq!(of("EchoTrainLength", &said).len(), 1);
}

/// A private element, as its manufacturer writes it, and what it says.
fn assert_private(
    (creator, group, element): (&str, u16, u16),
    vr: VR,
    value: impl Into<PrimitiveValue>,
    expected: &[&str],
) {
    let said = said(private(creator, (group, element), vr, value));
    assert_eq!(said, expected, "{creator} {group:04X},{element:02X}");
}

#[test]
fn private_elements_of_siemens() {
    let mr = "SIEMENS MR HEADER";
    let b = &["diffusionBValue=1000 s/mm2"];
    assert_private((mr, 0x0019, 0x0C), VR::IS, "1000", b);
    // Implicit VR knows no private VR.
    assert_private(
        (mr, 0x0019, 0x0A),
        VR::UN,
        vec![48_u8, 0],
        &["sliceCount=48"],
    );
    assert_private((mr, 0x0019, 0x0A), VR::US, 1_u16, &[]);
    let twofold = &["ParallelReductionFactorInPlane=2"];
    assert_private((mr, 0x0051, 0x11), VR::LO, "p2", twofold);
    assert_private((mr, 0x0051, 0x11), VR::LO, "p2*3", &[]);
    let feed = &["TableFeedPerRotation=22.8 mm"];
    assert_private(("SIEMENS CT VA0  COAD", 0x0019, 0xB0), VR::DS, "22.8", feed);
}

#[test]
fn private_elements_of_ge() {
    let (parm, acqu) = ("GEMS_PARM_01", "GEMS_ACQU_01");
    let b = &["diffusionBValue=800 s/mm2"];
    assert_private((parm, 0x0043, 0x39), VR::IS, "1000000800\\8\\0\\0", b);
    assert_private((parm, 0x0043, 0x39), VR::IS, "800\\8\\0\\0", b);
    let pitch = &["SpiralPitchFactor=1.375"];
    assert_private((parm, 0x0043, 0x27), VR::SH, "1.375:1", pitch);
    let spacing = &["echoSpacing=0.684 ms"];
    assert_private(
        (parm, 0x0043, 0x2C),
        VR::SS,
        PrimitiveValue::from(684_i16),
        spacing,
    );
    let phase = &["ComplexImageComponent=PHASE"];
    assert_private(
        (parm, 0x0043, 0x2F),
        VR::SS,
        PrimitiveValue::from(1_i16),
        phase,
    );
    assert_private(
        (parm, 0x0043, 0x2F),
        VR::SS,
        PrimitiveValue::from(9_i16),
        &[],
    );
    let twofold = &["ParallelReductionFactorInPlane=2"];
    assert_private((parm, 0x0043, 0x83), VR::DS, "0.5\\1", twofold);
    assert_private((parm, 0x0043, 0x83), VR::DS, "0\\1", &[]);
    let duration = &["AcquisitionDuration=201 s"];
    assert_private((acqu, 0x0019, 0x5A), VR::FL, 201_000_000_f32, duration);
    assert_private(
        (acqu, 0x0019, 0x27),
        VR::DS,
        "500",
        &["RevolutionTime=0.5 s"],
    );
    assert_private(
        (acqu, 0x0019, 0x27),
        VR::DS,
        "0.5",
        &["RevolutionTime=0.5 s"],
    );
}

#[test]
fn private_elements_of_others() {
    let b = &["diffusionBValue=600 s/mm2"];
    assert_private(("Philips Imaging DD 001", 0x2001, 0x03), VR::FL, 600_f32, b);
    let bytes = 600_f32.to_le_bytes().to_vec();
    assert_private(("Philips Imaging DD 001", 0x2001, 0x03), VR::UN, bytes, b);
    assert_private(("Image Private Header", 0x0065, 0x09), VR::FD, 600_f64, b);
    let dlp = &["doseLengthProduct=512.25 mGy.cm"];
    assert_private(("ELSCINT1", 0x00E1, 0x21), VR::DS, "512.25", dlp);
    assert_private(("TOSHIBA_MEC_CT3", 0x7005, 0x40), VR::FD, 512.25_f64, dlp);
    // Canon's other pitch is in widths of a row, and no pitch of the standard.
    assert_private(("TOSHIBA_MEC_CT3", 0x7005, 0x23), VR::DS, "53.0", &[]);
}

#[test]
fn private_elements_are_their_creators() {
    assert_private(("SOMEBODY", 0x0019, 0x0C), VR::IS, "1000", &[]);
    let other_block = private("SIEMENS MR HEADER", (0x0019, 0x0D), VR::CS, "NONE")
        .text(Tag(0x0019, 0x0011), VR::LO, "SOMEBODY")
        .text(Tag(0x0019, 0x110C), VR::IS, "1000");
    assert_eq!(said(other_block), ["DiffusionDirectionality=NONE"]);
}

#[test]
fn the_standard_element_goes_before_the_private_one() {
    let both = private(
        "Philips Imaging DD 001",
        (0x2001, 0x03),
        VR::FL,
        PrimitiveValue::from(0_f32),
    )
    .value(tags::DIFFUSION_B_VALUE, VR::FD, 800.0);
    assert_eq!(said(both), ["diffusionBValue=800 s/mm2"]);
}

/// A CSA header of the second version, with elements of text.
fn csa(elements: &[(&str, &[&str])]) -> Vec<u8> {
    let mut header = b"SV10\x04\x03\x02\x01".to_vec();
    header.extend((elements.len() as u32).to_le_bytes());
    header.extend(77_u32.to_le_bytes());
    for (name, values) in elements {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(64, 0);
        header.extend(padded);
        header.extend(1_u32.to_le_bytes());
        header.extend(b"IS\0\0");
        header.extend(6_u32.to_le_bytes());
        header.extend((values.len() as u32).to_le_bytes());
        header.extend(77_u32.to_le_bytes());
        for value in *values {
            let mut value = value.as_bytes().to_vec();
            let length = value.len() as u32;
            for number in [length, length, 77, length] {
                header.extend(number.to_le_bytes());
            }
            value.resize(value.len().next_multiple_of(4), 0);
            header.extend(value);
        }
    }
    header
}

#[test]
fn siemens_header_in_a_header() {
    let header = csa(&[
        ("EchoLinePosition", &["64"]),
        ("B_value", &["1000", "", ""]),
        ("NumberOfImagesInMosaic", &["48\0", ""]),
        ("ImaCoilString", &["T:HEA;HEP"]),
        ("BandwidthPerPixelPhaseEncode", &["19.055"]),
    ]);
    let whole = private("SIEMENS CSA HEADER", (0x0029, 0x10), VR::OB, header.clone());
    let expected = [
        "ReceiveCoilName=T:HEA;HEP",
        "diffusionBValue=1000 s/mm2",
        "pixelBandwidthPhaseEncode=19.055 Hz/{pixel}",
        "sliceCount=48",
    ];
    assert_eq!(said(whole), expected);
    // Whatever it is cut at, what stands before is read.
    for end in (0..header.len()).step_by(2) {
        let cut = private(
            "SIEMENS CSA HEADER",
            (0x0029, 0x10),
            VR::OB,
            header[..end].to_vec(),
        );
        assert!(
            said(cut)
                .iter()
                .all(|line| expected.contains(&line.as_str()))
        );
    }
}

#[test]
fn codes_of_all_times() {
    let view = Builder::new()
        .text(tags::CODE_VALUE, VR::SH, "R-10226")
        .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SRT")
        .text(tags::CODE_MEANING, VR::LO, "medio-lateral oblique")
        .code(
            tags::VIEW_MODIFIER_CODE_SEQUENCE,
            ("R-102D6", "99SDM", "Magnification"),
        );
    let region = Builder::new()
        .text(tags::CODE_VALUE, VR::SH, "51185008")
        .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "SCT")
        .code(
            tags::ANATOMIC_REGION_MODIFIER_SEQUENCE,
            ("G-A101", "SRT", "Left"),
        );
    let local = Builder::new()
        .text(tags::CODE_VALUE, VR::SH, "X^1")
        .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99LOCAL")
        .text(tags::CODE_MEANING, VR::LO, "Ours");
    let said = said(
        instance()
            .text(tags::IMAGE_LATERALITY, VR::CS, "L")
            .text(tags::BODY_PART_EXAMINED, VR::CS, "BREAST")
            .items(tags::ANATOMIC_REGION_SEQUENCE, [region])
            .items(tags::PROCEDURE_CODE_SEQUENCE, [local])
            .items(tags::VIEW_CODE_SEQUENCE, [view]),
    );
    assert_eq!(
        said,
        [
            "BodyPartExamined=BREAST",
            "ProcedureCodeSequence=X\\S\\1^Ours^99LOCAL",
            "SOPClassUID=1.2.840.10008.5.1.4.1.1.2",
            "ViewCodeSequence=399368009^medio-lateral oblique^2.16.840.1.113883.6.96",
            "ViewModifierCodeSequence=399163009^Magnification^2.16.840.1.113883.6.96",
            "bodyPart=816094009^Chest^2.16.840.1.113883.6.96",
            "laterality=7771000^Left^2.16.840.1.113883.6.96",
        ]
    );
}

#[test]
fn times_since_the_injection() {
    let pet = |start: Builder, acquisition: &str| {
        let uptake = instance()
            .text(tags::SERIES_DATE, VR::DA, "20240301")
            .text(tags::SERIES_TIME, VR::TM, "110000")
            .text(tags::ACQUISITION_TIME, VR::TM, acquisition)
            .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, [start]);
        of("uptakeTime", &said(uptake))
    };
    let time = |time| Builder::new().text(tags::RADIOPHARMACEUTICAL_START_TIME, VR::TM, time);
    let exact = |at| Builder::new().text(tags::RADIOPHARMACEUTICAL_START_DATE_TIME, VR::DT, at);
    assert_eq!(pet(time("100030"), "110500"), ["59.5 min"]);
    assert_eq!(pet(time("100000"), "105000"), ["50 min"]);
    assert_eq!(pet(exact("20240301095500.00"), "110000"), ["65 min"]);
    assert_eq!(pet(exact("20240229235500"), "110000"), ["665 min"]);
    for wrong in ["120000", "", "noon"] {
        assert!(pet(time(wrong), "110000").is_empty(), "{wrong}");
    }
    assert!(pet(exact("20240201095500"), "110000").is_empty());
}

#[test]
fn ages_of_those_who_state_none() {
    let age = |born: &str| {
        let exam = instance().text(tags::STUDY_DATE, VR::DA, "20240301").text(
            tags::PATIENT_BIRTH_DATE,
            VR::DA,
            born,
        );
        of("PatientAge", &said(exam))
    };
    assert_eq!(age("19640301"), ["60 a"]);
    assert_eq!(age("19640302"), ["59 a"]);
    assert_eq!(age("20230115"), ["1.083 a"]);
    for unknown in ["", "20240301", "20250101", "18000101", "1964"] {
        assert!(age(unknown).is_empty(), "{unknown}");
    }
}

/// Whatever a device writes into any text element of the dictionary: only what is a parameter comes
/// out, and no parameter is an identity.
#[test]
fn nobody_is_identified() {
    let people = [
        tags::PATIENT_NAME,
        tags::PATIENT_ID,
        tags::OTHER_PATIENT_NAMES,
        tags::PATIENT_BIRTH_DATE,
        tags::PATIENT_COMMENTS,
        tags::PATIENT_ADDRESS,
        tags::IMAGE_COMMENTS,
        tags::ADDITIONAL_PATIENT_HISTORY,
        tags::ACCESSION_NUMBER,
        tags::STUDY_ID,
        tags::STUDY_INSTANCE_UID,
        tags::SOP_INSTANCE_UID,
        tags::STUDY_DATE,
        tags::STUDY_DESCRIPTION,
        tags::SERIES_DESCRIPTION,
        tags::OPERATORS_NAME,
        tags::REFERRING_PHYSICIAN_NAME,
        tags::PERFORMING_PHYSICIAN_NAME,
        tags::INSTITUTION_NAME,
    ];
    let mut file = Builder::new().text(tags::MODALITY, VR::CS, "MR");
    for tag in people {
        assert!(elements::element(tag).is_none(), "{tag}");
        file = file.text(tag, VR::LO, "JANE ROE");
    }
    for sequence in [
        tags::REQUEST_ATTRIBUTES_SEQUENCE,
        tags::REFERENCED_PATIENT_SEQUENCE,
    ] {
        let item = Builder::new()
            .text(tags::PROTOCOL_NAME, VR::LO, "JANE ROE")
            .text(tags::PATIENT_NAME, VR::PN, "JANE ROE");
        file = file.items(sequence, [item]);
    }
    assert_eq!(said(file), ["Modality=MR"]);
    for it in parameters() {
        let what = it.keyword.to_lowercase();
        let identity = [
            "name",
            "birth",
            "comment",
            "address",
            "history",
            "accession",
        ];
        let of_a_person = what.starts_with("patient") || what.contains("physician");
        assert!(
            !of_a_person || identity.iter().all(|word| !what.contains(word)),
            "{what}"
        );
    }
}

#[test]
fn text_in_other_character_sets() {
    let name = PrimitiveValue::from("Sch\u{e4}del");
    let latin = instance()
        .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100")
        .value(tags::PROTOCOL_NAME, VR::LO, name);
    let bytes = latin.part10().unwrap();
    assert!(bytes.windows(4).any(|it| it == b"h\xE4de"));
    let said = lines(&read(&walk::whole(&bytes).unwrap()));
    assert_eq!(of("ProtocolName", &said), ["Sch\u{e4}del"]);
}

/// Whatever a file repeats, reading it takes time in proportion to its length.
#[test]
fn a_file_of_repetitions_is_read_in_time() {
    let element = |tag: (u16, u16), vr: &[u8; 2], value: &[u8]| {
        let length = value.len() as u16;
        let (group, element) = (tag.0.to_le_bytes(), tag.1.to_le_bytes());
        [&group[..], &element, vr, &length.to_le_bytes(), value].concat()
    };
    let mut bytes = Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, "1.2")
        .part10()
        .unwrap();
    for n in 0..100_000_u32 {
        let block = 0x10 + (n % 0xF0) as u16;
        bytes.extend(element((0x0019, block), b"LO", b"GEMS_ACQU_01"));
        bytes.extend(element((0x0019, block << 8 | 0x27), b"DS", b"0.5 "));
    }
    for _ in 0..200_000 {
        bytes.extend(element((0x0018, 0x1030), b"LO", b"T\xE4st"));
    }
    let file = walk::whole(&bytes).unwrap();
    let start = std::time::Instant::now();
    let said = lines(&read(&file));
    assert!(start.elapsed().as_secs() < 20);
    assert_eq!(of("RevolutionTime", &said), ["0.5 s"]);
    assert_eq!(of("ProtocolName", &said), ["T\u{e4}st"]);
}

/// A slice at a place, with a current of its own and a text.
fn slice(z: f64, current: u32, kernel: &str) -> Acquired {
    acquired(
        Builder::new()
            .text(tags::X_RAY_TUBE_CURRENT, VR::IS, &current.to_string())
            .text(tags::CONVOLUTION_KERNEL, VR::SH, kernel)
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\0\\{z}")),
    )
}

fn sum<'a>(slices: impl IntoIterator<Item = &'a Acquired>) -> Acquired {
    let mut sum = Acquired::default();
    slices.into_iter().for_each(|slice| sum.add(slice));
    sum
}

#[test]
fn a_series_stays_small() {
    let slices = (0..200).map(|n| slice(f64::from(n) * 1.25, 100 + n, &format!("K{n:03}")));
    let series = sum(&slices.collect::<Vec<_>>());
    let said = lines(&series);
    assert_eq!(of("XRayTubeCurrent", &said), ["100 mA", "299 mA"]);
    let kernels = of("ConvolutionKernel", &said);
    assert_eq!(kernels.len(), 17);
    assert_eq!((kernels[0].as_str(), kernels[16].as_str()), ("K000", "…"));
    assert_eq!(of("sliceCount", &said), ["200"]);
    assert_eq!(of("sliceSpacing", &said), ["1.25 mm"]);
    let many = (0..30_000).map(|n| f64::from(n) * 0.1);
    let mut slices = Slices::default();
    many.for_each(|z| slices.slice([0.0, 0.0, 1.0], [0.0, 0.0, z]));
    assert_eq!((slices.count(), slices.spacing()), (None, None));
}

#[test]
fn slices_that_are_not_parallel_are_counted_but_have_no_distance() {
    let other = acquired(
        Builder::new()
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "0\\1\\0\\0\\0\\-1")
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, "0\\0\\0"),
    );
    let said = lines(&sum(&[slice(0.0, 1, "K"), slice(5.0, 1, "K"), other]));
    assert_eq!(of("sliceCount", &said), ["3"]);
    assert!(of("sliceSpacing", &said).is_empty());
    assert_eq!(of("scanPlane", &said), ["axial", "sagittal"]);
    for garbled in [
        "1\\0\\0\\1\\0\\0",
        "1\\0\\0",
        "a\\b\\c\\d\\e\\f",
        "1e300\\0\\0\\0\\1e300\\0",
    ] {
        let garbled = Builder::new()
            .text(tags::MODALITY, VR::CS, "CT")
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, garbled)
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, "0\\0\\0");
        assert_eq!(self::said(garbled), ["Modality=CT"]);
    }
}

#[test]
fn what_an_index_keeps_is_the_same_and_bounded() {
    let series = sum(&[acquired(enhanced()), slice(1.0, 5, "B")]);
    let kept = serde_json::to_string(&series).unwrap();
    assert_eq!(serde_json::from_str::<Acquired>(&kept).unwrap(), series);
    let foreign = r#"{"values":{"KVP":["120 kV","soft","80 V"],"Unknown":["1"],"Modality":[]}}"#;
    let read: Acquired = serde_json::from_str(foreign).unwrap();
    assert_eq!(lines(&read), ["KVP=120 kV"]);
    let many: Vec<String> = (0..5000).map(|n| format!("{n} kV")).collect();
    let many = serde_json::json!({"values": {"KVP": many, "Modality": ["…", "CT"]}});
    let read: Acquired = serde_json::from_value(many).unwrap();
    assert_eq!(
        lines(&read),
        ["KVP=0 kV", "KVP=4999 kV", "Modality=CT", "Modality=…"]
    );
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(
        slices in vec((0_i32..40, 1_u32..40, "[A-Z]{1,2}"), 1..60).prop_shuffle(),
        again in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let slices: Vec<_> = slices
            .iter()
            .map(|(z, current, kernel)| slice(f64::from(*z), *current, kernel))
            .collect();
        let forth = sum(&slices);
        let mut back = sum(slices.iter().rev());
        again.iter().for_each(|at| back.add(at.get(&slices)));
        let (left, right) = slices.split_at(slices.len() / 2);
        let mut halves = sum(right);
        halves.add(&sum(left));
        prop_assert_eq!(&forth, &back);
        prop_assert_eq!(&forth, &halves);
        let kept = serde_json::to_string(&forth).unwrap();
        prop_assert_eq!(serde_json::from_str::<Acquired>(&kept).unwrap(), forth);
    }

    #[test]
    fn damaged_files_do_no_harm(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..40)
    ) {
        let mut bytes = enhanced()
            .with(private("SIEMENS CSA HEADER", (0x0029, 0x10), VR::OB, csa(&[("B_value", &["5"])])))
            .with(private("GEMS_PARM_01", (0x0043, 0x39), VR::IS, "1000000800\\8"))
            .text(tags::PATIENT_AGE, VR::AS, "042Y")
            .text(tags::PATIENT_BIRTH_DATE, VR::DA, "19640301")
            .text(tags::STUDY_DATE, VR::DA, "20240301")
            .part10()
            .unwrap();
        let body = bytes.len() - 300;
        for (at, byte) in &damage {
            let at = 300 + at.index(body);
            bytes[at] = *byte;
        }
        if let Ok(file) = walk::whole(&bytes) {
            let series = read(&file).series(&Uid::parse("1.2.3").unwrap());
            let slots = to_slots(&[series]);
            prop_assert_eq!(to_slots(&from_slots(&slots)), slots);
        }
    }
}
