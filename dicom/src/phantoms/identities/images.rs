//! Images with identities: CT, MR, PET, ultrasound and a captured screen.

use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};

use super::people::{Person, Random};
use super::sheet::Sheet;
use super::subject::common;
use super::{Action, HEADLINE, Planted, letters};
use crate::write::WriteError;

const CT: &str = uids::CT_IMAGE_STORAGE;
const ROWS: usize = 120;
const COLUMNS: usize = 160;

/// Six images of a patient.
pub(super) fn of(person: &Person, random: &mut Random) -> Result<Vec<Planted>, WriteError> {
    Ok(vec![
        ct(person, random, 1).planted(person, "ct1")?,
        ct(person, random, 2).planted(person, "ct2")?,
        mr(person, random).planted(person, "mr1")?,
        pet(person, random).planted(person, "pt1")?,
        shown(person, random, "US").planted(person, "us1")?,
        shown(person, random, "OT").planted(person, "sc1")?,
    ])
}

/// SOP Instance UID of a CT image.
pub(super) fn ct_uid(person: &Person, number: usize) -> String {
    person.uid(&format!("ct{number}"))
}

fn described(person: &Person, words: &str, random: &mut Random) -> Sheet {
    let family = &person.family;
    let birth = &person.birth_date;
    let date = format!("{}.{}.{}", &birth[6..], &birth[4..6], &birth[..4]);
    let (text, gone) = match random.below(4) {
        0 => (format!("{words} {family}"), family.clone()),
        1 => (format!("{words} born {date}"), date),
        2 => (format!("{words} ID:{}", person.id), person.id.clone()),
        _ => (format!("{words} {}", person.phone), person.phone.clone()),
    };
    Sheet::new()
        .mixed(tags::SERIES_DESCRIPTION, VR::LO, &text, &[&gone], &[words])
        .mixed(
            tags::PROTOCOL_NAME,
            VR::LO,
            &format!("{words}_{}", super::people::plain(family)),
            &[&super::people::plain(family)],
            &[],
        )
        .mixed(
            tags::IMAGE_COMMENTS,
            VR::LT,
            &format!("{} {family} moved; {words}", person.given),
            &[family, &person.given],
            &["moved", words],
        )
}

fn plane(person: &Person, rows: usize, columns: usize) -> Sheet {
    Sheet::new()
        .uid(tags::FRAME_OF_REFERENCE_UID, &person.uid("frame"))
        .kept(tags::IMAGE_POSITION_PATIENT, VR::DS, "-80\\-60\\12.5")
        .kept(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0")
        .kept(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "SN")
        .kept(tags::PIXEL_SPACING, VR::DS, "0.9765625\\0.9765625")
        .kept(tags::SLICE_THICKNESS, VR::DS, "2.5")
        .kept(tags::PATIENT_POSITION, VR::CS, "HFS")
        .with(grey(rows, columns, 16))
}

fn grey(rows: usize, columns: usize, bits: u16) -> Sheet {
    let number = |number: u16| PrimitiveValue::from(number);
    Sheet::new()
        .value(tags::SAMPLES_PER_PIXEL, VR::US, number(1))
        .kept(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .value(tags::ROWS, VR::US, number(rows as u16))
        .value(tags::COLUMNS, VR::US, number(columns as u16))
        .value(tags::BITS_ALLOCATED, VR::US, number(bits))
        .value(tags::BITS_STORED, VR::US, number(bits))
        .value(tags::HIGH_BIT, VR::US, number(bits - 1))
        .value(tags::PIXEL_REPRESENTATION, VR::US, number(0))
}

fn sixteen_bits(random: &mut Random) -> Sheet {
    let values: Vec<u16> = (0..32 * 32).map(|_| random.next() as u16).collect();
    let value = PrimitiveValue::U16(values.into());
    Sheet::new().pixels(VR::OW, value, vec![Action::PixelsRetained(Vec::new())])
}

fn ct(person: &Person, random: &mut Random, number: usize) -> Sheet {
    let reference = Sheet::new()
        .kept(tags::REFERENCED_SOP_CLASS_UID, VR::UI, CT)
        .uid(
            tags::REFERENCED_SOP_INSTANCE_UID,
            &ct_uid(person, 3 - number),
        );
    common(person, CT, "CT", &ct_uid(person, number))
        .kept(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
        .date(tags::ACQUISITION_DATE, VR::DA, &person.study_date)
        .date(
            tags::ACQUISITION_DATE_TIME,
            VR::DT,
            &format!("{}100300.25+0100", person.study_date),
        )
        .kept(tags::BODY_PART_EXAMINED, VR::CS, "CHEST")
        .kept(tags::KVP, VR::DS, "120")
        .mixed(
            tags::CONTRAST_BOLUS_AGENT,
            VR::LO,
            &format!("Iodine for {}", person.family),
            &[&person.family],
            &["Iodine"],
        )
        .kept(tags::CONVOLUTION_KERNEL, VR::SH, "B30f")
        .kept(tags::RESCALE_INTERCEPT, VR::DS, "-1024")
        .kept(tags::RESCALE_SLOPE, VR::DS, "1")
        .items(tags::REFERENCED_IMAGE_SEQUENCE, vec![reference])
        .with(described(person, "Axial 2.5 mm", random))
        .with(plane(person, 32, 32))
        .with(ge_private(person))
        .with(sixteen_bits(random))
}

/// Blocks of GE: one attribute is known to be safe, the others are not.
fn ge_private(person: &Person) -> Sheet {
    Sheet::new()
        .removed(Tag(0x0009, 0x0010), VR::LO, "GEMS_IDEN_01")
        .removed(Tag(0x0009, 0x1002), VR::SH, &person.station)
        .removed(Tag(0x0009, 0x10E3), VR::UI, &person.uid("equipment"))
        .kept(Tag(0x0043, 0x0011), VR::LO, "GEMS_PARM_01")
        .kept(Tag(0x0043, 0x1127), VR::SH, "1.375:1")
        .removed(
            Tag(0x0043, 0x1128),
            VR::LO,
            &format!("{} unique", person.family),
        )
}

fn mr(person: &Person, random: &mut Random) -> Sheet {
    let names = format!("{}\0\0{}\u{1}", person.name(), person.birth_date);
    let nested = Sheet::new()
        .removed(Tag(0x0021, 0x0010), VR::LO, "ACME 3")
        .removed(Tag(0x0021, 0x1001), VR::PN, &person.name());
    // Emptied: a study says who it is about better than a reference to it.
    let study = Sheet::new().removed(
        tags::REFERENCED_SOP_INSTANCE_UID,
        VR::UI,
        &person.uid("study"),
    );
    common(person, uids::MR_IMAGE_STORAGE, "MR", &person.uid("mr1"))
        .kept(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\M\\ND")
        .items(tags::REFERENCED_STUDY_SEQUENCE, vec![study])
        .kept(tags::SCANNING_SEQUENCE, VR::CS, "GR")
        .kept(tags::SEQUENCE_NAME, VR::SH, "*tfl3d1_16ns")
        .kept(tags::REPETITION_TIME, VR::DS, "2300")
        .kept(tags::ECHO_TIME, VR::DS, "2.98")
        .with(described(person, "T1 MPRAGE sag p2 iso", random))
        .kept(Tag(0x0019, 0x0010), VR::LO, "SIEMENS MR HEADER")
        .kept(Tag(0x0019, 0x100C), VR::IS, "1000")
        .removed(Tag(0x0019, 0x1008), VR::CS, "IMAGE NUM 4")
        .removed(Tag(0x0029, 0x0010), VR::LO, "SIEMENS CSA HEADER")
        .bytes(Tag(0x0029, 0x1020), VR::OB, &names)
        .items(Tag(0x0029, 0x1040), vec![nested])
        .removed(Tag(0x2001, 0x0010), VR::LO, "Philips Imaging DD 009")
        .removed(Tag(0x2001, 0x1063), VR::LO, &person.institution)
        .with(plane(person, 32, 32))
        .with(sixteen_bits(random))
}

fn pet(person: &Person, random: &mut Random) -> Sheet {
    let dose = Sheet::new()
        .date(
            tags::RADIOPHARMACEUTICAL_START_DATE_TIME,
            VR::DT,
            &format!("{}085500", person.study_date),
        )
        .kept(tags::RADIONUCLIDE_TOTAL_DOSE, VR::DS, "350000000")
        .code(
            tags::RADIONUCLIDE_CODE_SEQUENCE,
            ("77004003", "SCT", "^18^Fluorine"),
        );
    common(
        person,
        uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE,
        "PT",
        &person.uid("pt1"),
    )
    .kept(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY")
    .kept(tags::UNITS, VR::CS, "CNTS")
    .kept(tags::DECAY_CORRECTION, VR::CS, "START")
    .items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![dose])
    .with(described(person, "PET WB AC", random))
    .kept(Tag(0x7053, 0x0010), VR::LO, "Philips PET Private Group")
    .kept(Tag(0x7053, 0x1000), VR::DS, "0.000387")
    .removed(
        Tag(0x7053, 0x1003),
        VR::ST,
        &format!("/export/{}/raw", person.family),
    )
    .with(plane(person, 32, 32))
    .with(sixteen_bits(random))
}

/// An image with the patient's name in its headline.
fn shown(person: &Person, random: &mut Random, modality: &str) -> Sheet {
    let mut pixels: Vec<u8> = (0..ROWS * COLUMNS)
        .map(|_| 16 + random.below(100) as u8)
        .collect();
    let text = format!(
        "{} {}",
        super::people::plain(&person.family),
        person.birth_date
    );
    letters::draw(&mut pixels, COLUMNS, &text, (2, 2));
    let actions = vec![
        Action::PixelsHidden(HEADLINE),
        Action::PixelsRetained(vec![HEADLINE]),
    ];
    let class = match modality {
        "US" => uids::ULTRASOUND_IMAGE_STORAGE,
        _ => uids::SECONDARY_CAPTURE_IMAGE_STORAGE,
    };
    let sheet = common(
        person,
        class,
        modality,
        &person.uid(&format!("{modality}1")),
    )
    .mixed(tags::BURNED_IN_ANNOTATION, VR::CS, "YES", &["YES"], &[])
    .kept(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY")
    .with(described(person, "Liver right lobe", random))
    .with(grey(ROWS, COLUMNS, 8));
    let sheet = if modality == "OT" {
        sheet.kept(tags::CONVERSION_TYPE, VR::CS, "WSD")
    } else {
        sheet
    };
    sheet.pixels(VR::OB, PrimitiveValue::U8(pixels.into()), actions)
}
