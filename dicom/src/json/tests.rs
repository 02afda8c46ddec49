//! What the JSON of a data set looks like.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{Attributes, MAX_INLINE, metadata};
use crate::made::{self, Element, text};
use crate::walk;

/// The JSON of a file of these elements.
fn said(elements: Vec<Element>) -> Json {
    said_in(made::EXPLICIT, elements)
}

fn said_in(transfer_syntax: &str, elements: Vec<Element>) -> Json {
    let file = walk::whole(&made::file(transfer_syntax, elements)).unwrap();
    serde_json::from_str(&metadata(&file, &|at| format!("bulk/{at}"))).unwrap()
}

#[test]
fn names_have_groups_and_empty_values_are_null() {
    let json = said(vec![
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(
            tags::PATIENT_NAME,
            VR::PN,
            "Yamada^Tarou=山田^太郎=やまだ^たろう",
        ),
        text(tags::OTHER_PATIENT_NAMES, VR::PN, "A^B\\\\=山田"),
        text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\\\AXIAL "),
        text(tags::PATIENT_ID, VR::LO, ""),
        text(tags::IMAGE_COMMENTS, VR::LT, "a\\b\r\nc  "),
    ]);
    assert_eq!(
        json,
        json!({
            "00080005": {"vr": "CS", "Value": ["ISO_IR 192"]},
            "00080008": {"vr": "CS", "Value": ["ORIGINAL", null, "AXIAL"]},
            "00100010": {"vr": "PN", "Value": [{
                "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"
            }]},
            "00100020": {"vr": "LO"},
            "00101001": {"vr": "PN", "Value": [{"Alphabetic": "A^B"}, null, {"Ideographic": "山田"}]},
            "00204000": {"vr": "LT", "Value": ["a\\b\r\nc"]},
        })
    );
}

#[test]
fn decimals_are_numbers_unless_that_loses() {
    let decimals = "1.50\\-0\\+2\\1e3\\0.1\\1234567890123456789\\1.23456789012345678\\abc\\\\ 7 ";
    let json = said(vec![text(tags::PIXEL_SPACING, VR::DS, decimals)]);
    assert_eq!(
        json["00280030"]["Value"],
        json!([
            1.5,
            0,
            2,
            1000,
            0.1,
            "1234567890123456789",
            "1.23456789012345678",
            "abc",
            null,
            7
        ])
    );
    let json = said(vec![text(
        tags::INSTANCE_NUMBER,
        VR::IS,
        "nan\\inf\\12\\1A",
    )]);
    assert_eq!(json["00200013"]["Value"], json!(["nan", "inf", 12, "1A"]));
}

#[test]
fn binary_numbers_tags_and_bytes() {
    let floats = [0.1_f32, f32::NAN, -2.0].map(f32::to_le_bytes).concat();
    let long = [1 << 53, (1 << 53) + 1].map(u64::to_le_bytes).concat();
    let json = said(vec![
        (
            tags::FRAME_INCREMENT_POINTER,
            VR::AT,
            vec![0x18, 0x00, 0x63, 0x10],
        ),
        (tags::ROWS, VR::US, vec![0x02, 0x01]),
        (
            tags::SMALLEST_IMAGE_PIXEL_VALUE,
            VR::SS,
            (-5_i16).to_le_bytes().to_vec(),
        ),
        (Tag(0x0011, 0x0010), VR::LO, b"ACME".to_vec()),
        (Tag(0x0011, 0x1001), VR::FL, floats),
        (Tag(0x0011, 0x1002), VR::UV, long),
        (Tag(0x0011, 0x1003), VR::OB, vec![1, 2, 3, 4]),
        (Tag(0x0011, 0x1004), VR::OB, vec![7; MAX_INLINE + 2]),
        (Tag(0x0011, 0x0000), VR::UL, vec![1, 0, 0, 0]),
        (tags::PIXEL_DATA, VR::OW, vec![0; 6]),
    ]);
    assert_eq!(
        json,
        json!({
            "00280009": {"vr": "AT", "Value": ["00181063"]},
            "00280010": {"vr": "US", "Value": [258]},
            "00280106": {"vr": "SS", "Value": [-5]},
            "00110010": {"vr": "LO", "Value": ["ACME"]},
            "00111001": {"vr": "FL", "Value": [0.1, null, -2.0]},
            "00111002": {"vr": "UV", "Value": [9_007_199_254_740_992_u64, "9007199254740993"]},
            "00111003": {"vr": "OB", "InlineBinary": "AQIDBA=="},
            "00111004": {"vr": "OB", "BulkDataURI": "bulk/00111004"},
            "7FE00010": {"vr": "OW", "BulkDataURI": "bulk/7FE00010"},
        })
    );
}

#[test]
fn implicit_vr_is_looked_up() {
    let elements = vec![
        (tags::PIXEL_REPRESENTATION, VR::US, vec![1, 0]),
        (tags::SMALLEST_IMAGE_PIXEL_VALUE, VR::OW, vec![0xFE, 0xFF]),
        (Tag(0x0011, 0x0010), VR::UN, b"ACME".to_vec()),
        (Tag(0x0011, 0x1001), VR::UN, b"12".to_vec()),
    ];
    let json = said_in(made::IMPLICIT, elements);
    assert_eq!(json["00280106"], json!({"vr": "SS", "Value": [-2]}));
    assert_eq!(json["00110010"], json!({"vr": "LO", "Value": ["ACME"]}));
    assert_eq!(
        json["00111001"],
        json!({"vr": "UN", "InlineBinary": "MTI="})
    );
}

#[test]
fn every_way_of_writing_says_the_same() {
    let elements = || {
        vec![
            (tags::ROWS, VR::US, vec![0x02, 0x01]),
            (
                tags::FRAME_INCREMENT_POINTER,
                VR::AT,
                vec![0x18, 0x00, 0x63, 0x10],
            ),
            (
                tags::DOPPLER_SAMPLE_VOLUME_X_POSITION,
                VR::SL,
                vec![1, 2, 3, 4],
            ),
            (
                tags::REFERENCE_PIXEL_PHYSICAL_VALUE_X,
                VR::FD,
                1.25_f64.to_le_bytes().to_vec(),
            ),
        ]
    };
    let explicit = said(elements());
    for syntax in [made::IMPLICIT, made::BIG_ENDIAN, made::DEFLATED] {
        assert_eq!(said_in(syntax, elements()), explicit, "{syntax}");
    }
}

#[test]
fn japanese_text_switches_within_itself() {
    // Half-width katakana (JIS X 0201), then kanji (JIS X 0208).
    let name = b"\xD4\xCF\xC0\xDE^\xC0\xDB\xB3=\x1B$B;3ED\x1B(J^\x1B$BB@O:\x1B(J";
    let json = said(vec![
        text(
            tags::SPECIFIC_CHARACTER_SET,
            VR::CS,
            "ISO 2022 IR 13\\ISO 2022 IR 87",
        ),
        (tags::PATIENT_NAME, VR::PN, name.to_vec()),
    ]);
    let name = &json["00100010"]["Value"][0];
    assert_eq!(name["Alphabetic"], "ﾔﾏﾀﾞ^ﾀﾛｳ");
    assert_eq!(name["Ideographic"], "山田^太郎");
}

#[test]
fn a_backslash_within_a_character_divides_nothing() {
    // The second byte of this character is a backslash in GBK.
    let json = said(vec![
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "GBK"),
        (tags::PATIENT_ID, VR::LO, b"\x81\x5C\\b".to_vec()),
    ]);
    assert_eq!(json["00100020"]["Value"], json!(["乗", "b"]));
}

#[test]
fn an_answer_is_put_together() {
    let item = Attributes::new().text(tags::CODE_VALUE, VR::SH, "T-1");
    let answer = Attributes::new()
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .text(tags::PATIENT_NAME, VR::PN, "Hilum^Anna")
        .text(tags::MODALITIES_IN_STUDY, VR::CS, "CT\\SR")
        .text(tags::STUDY_DATE, VR::DA, "")
        .text(tags::STUDY_ID, VR::SH, "first")
        .text(tags::STUDY_ID, VR::SH, "say \"A\"")
        .number(tags::NUMBER_OF_STUDY_RELATED_INSTANCES, VR::IS, 40)
        .number(tags::ROWS, VR::US, 512)
        .items(tags::PROCEDURE_CODE_SEQUENCE, [item, Attributes::new()])
        .items(tags::REQUEST_ATTRIBUTES_SEQUENCE, [])
        .to_json();
    assert!(answer.starts_with("{\"00080020\":{\"vr\":\"DA\"},\"00080061\":"));
    assert_eq!(
        serde_json::from_str::<Json>(&answer).unwrap(),
        json!({
            "00080020": {"vr": "DA"},
            "00080061": {"vr": "CS", "Value": ["CT", "SR"]},
            "00081032": {"vr": "SQ", "Value": [{"00080100": {"vr": "SH", "Value": ["T-1"]}}, {}]},
            "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Hilum^Anna"}]},
            "0020000D": {"vr": "UI", "Value": ["1.2.3"]},
            "00200010": {"vr": "SH", "Value": ["say \"A\""]},
            "00201208": {"vr": "IS", "Value": [40]},
            "00280010": {"vr": "US", "Value": [512]},
            "00400275": {"vr": "SQ"},
        })
    );
}

/// Whatever bytes a file has, if it is walked, what is said of it is JSON, in order, each tag once.
#[test]
fn hostile_bytes_give_json() {
    let vr = proptest::sample::select(vec![
        "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "OB", "OD", "OF",
        "OL", "OV", "OW", "PN", "SH", "SL", "SS", "ST", "SV", "TM", "UC", "UI", "UL", "UN", "UR",
        "US", "UT", "UV", "ZZ",
    ]);
    let sets = vec![
        "",
        "ISO_IR 192",
        "GB18030",
        "ISO 2022 IR 87",
        "\\ISO 2022 IR 149",
        "nonsense",
    ];
    let set = proptest::sample::select(sets);
    let value = proptest::collection::vec(any::<u8>(), 0..40);
    let elements = proptest::collection::vec((0x0008..0x0030_u16, any::<u16>(), vr, value), 0..12);
    proptest!(|(set in set, elements in elements)| {
        let elements = elements.into_iter().map(|(group, element, vr, value)| {
            let vr = vr.parse().unwrap_or(VR::UN);
            (Tag(group, element), vr, value)
        });
        let named = text(tags::SPECIFIC_CHARACTER_SET, VR::CS, set);
        let bytes = made::file(made::EXPLICIT, std::iter::once(named).chain(elements).collect());
        if let Ok(file) = walk::whole(&bytes) {
            let json = metadata(&file, &|at| at.to_string());
            let read: serde_json::Map<String, Json> = serde_json::from_str(&json).unwrap();
            let mut at = 0;
            for (tag, attribute) in &read {
                prop_assert!(attribute["vr"].is_string());
                let found = json[at..].find(&format!("\"{tag}\":{{\"vr\"")).unwrap();
                at += found + 1;
            }
        }
    });
}
