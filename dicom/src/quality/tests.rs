//! Each rule with images that keep it and images that break it: phantoms, and phantoms changed.

use std::time::{Duration, UNIX_EPOCH};

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use proptest::prelude::*;

use super::*;
use crate::phantoms::{self, Detail};
use crate::walk::{self, Part10};

/// The files of one phantom study, in the order of its instances.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let dir = tempfile::tempdir().unwrap();
    let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    phantoms::write(dir.path(), "quality", now, Detail::Small).unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(dir.path().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

fn changed(file: &[u8], change: impl FnOnce(&mut InMemDicomObject)) -> Vec<u8> {
    let mut object = dicom_object::from_reader(file).unwrap();
    change(&mut object);
    let mut bytes = Vec::new();
    object.write_all(&mut bytes).unwrap();
    bytes
}

/// A file with another text in one element.
fn with(file: &[u8], tag: Tag, vr: VR, text: &str) -> Vec<u8> {
    changed(file, |object| {
        object.put(DataElement::new(tag, vr, PrimitiveValue::from(text)));
    })
}

fn without(file: &[u8], tag: Tag) -> Vec<u8> {
    changed(file, |object| {
        object.remove_element(tag);
    })
}

fn walked(file: &[u8]) -> Part10 {
    walk::whole(file).unwrap()
}

fn card(rules: &str) -> RuleCard {
    let text = format!("name = \"test\"\nversion = \"1\"\n{rules}");
    RuleCard::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(rules: &str) -> CardError {
    let text = format!("name = \"test\"\nversion = \"1\"\n{rules}");
    RuleCard::parse(&text).unwrap_err()
}

/// The verdict on files as one study.
fn verdict(card: &RuleCard, files: &[Vec<u8>]) -> Verdict {
    let mut findings = Vec::new();
    let mut facts = Vec::new();
    for file in files {
        let file = walked(file);
        findings.extend(card.judge_instance(&file));
        facts.extend(InstanceFacts::of(&file, card.wanted()));
    }
    // What an index keeps is enough.
    let kept = serde_json::to_string(&facts).unwrap();
    let kept: Vec<InstanceFacts> = serde_json::from_str(&kept).unwrap();
    assert_eq!(kept, facts);
    findings.extend(card.judge_study(&kept));
    let verdict = card.verdict(findings);
    let json = serde_json::to_string(&verdict).unwrap();
    assert_eq!(serde_json::from_str::<Verdict>(&json).unwrap(), verdict);
    verdict
}

/// The same rule with both severities, on files that keep it and on files that break it. Returns
/// what is said of the broken ones.
fn keeps_and_breaks(rule: &str, good: &[Vec<u8>], bad: &[Vec<u8>]) -> Vec<String> {
    let mut said = Vec::new();
    for (word, outcome) in [("warn", Outcome::Warn), ("quarantine", Outcome::Quarantine)] {
        let card = card(&format!("{rule}\nseverity = \"{word}\""));
        let kept = verdict(&card, good);
        assert_eq!(kept.outcome, Outcome::Pass, "{rule}: {:#?}", kept.reasons);
        assert!(kept.reasons.is_empty());
        let broken = verdict(&card, bad);
        assert_eq!(broken.outcome, outcome, "{rule}");
        said = broken.reasons.iter().map(ToString::to_string).collect();
    }
    said
}

#[test]
fn attributes_are_there_or_not() {
    let good = files("ct-thorax-1");
    let tag = tags::CONVOLUTION_KERNEL;
    let missing: Vec<_> = good.iter().map(|file| without(file, tag)).collect();
    let empty = [with(&good[0], tag, VR::SH, "")];
    let filled = "[[attribute]]\nname = \"ConvolutionKernel\"\npresence = \"filled\"";
    assert_eq!(
        keeps_and_breaks(filled, &good, &missing),
        [
            "Series 2, instances 1-8: Convolution Kernel (0018,1210) is missing. \
          It is set in the acquisition protocol at the device."
        ]
    );
    assert_eq!(
        keeps_and_breaks(filled, &good, &empty),
        [
            "Series 2, instance 1: Convolution Kernel (0018,1210) is empty. \
          It is set in the acquisition protocol at the device."
        ]
    );
    let present = "[[attribute]]\nname = \"(0018,1210)\"\npresence = \"present\"";
    assert_eq!(verdict(&card(present), &empty).outcome, Outcome::Pass);
    keeps_and_breaks(present, &good, &missing);
    let absent = "[[attribute]]\nname = \"00181210\"\npresence = \"absent\"";
    let said = keeps_and_breaks(absent, &missing, &good);
    assert!(said[0].contains("is there and must not be"), "{said:?}");
}

#[test]
fn values_are_in_range_and_allowed() {
    let good = files("ct-thorax-1");
    let thick = [with(&good[0], tags::SLICE_THICKNESS, VR::DS, "31.5")];
    let range = "[[attribute]]\nname = \"SliceThickness\"\nat_least = 0.5\nat_most = 30";
    assert_eq!(
        keeps_and_breaks(range, &good, &thick),
        [
            "Series 2, instance 1: Slice Thickness (0018,0050) is 31.5; \
          expected between 0.5 and 30. It is set in the acquisition protocol at the device."
        ]
    );
    let no_number = [with(&good[0], tags::SLICE_THICKNESS, VR::DS, "thin")];
    let said = keeps_and_breaks(range, &good, &no_number);
    assert!(said[0].contains("is not as expected"), "{said:?}");
    // Both values of a pair count, and binary numbers like those in text.
    let uneven = [with(&good[0], tags::PIXEL_SPACING, VR::DS, "6\\9")];
    let spacing = "[[attribute]]\nname = \"PixelSpacing\"\nat_most = 6";
    keeps_and_breaks(spacing, &good, &uneven);
    let rows = "[[attribute]]\nname = \"Rows\"\none_of = [64, 128]";
    let other = [changed(&good[0], |object| {
        let value = PrimitiveValue::from(32_u16);
        object.put(DataElement::new(tags::ROWS, VR::US, value));
    })];
    let said = keeps_and_breaks(rows, &good, &other);
    assert!(
        said[0].contains("is 32; expected one of 64, 128"),
        "{said:?}"
    );

    let other = [with(
        &good[0],
        tags::IMAGE_TYPE,
        VR::CS,
        "DERIVED\\SECONDARY\\MPR",
    )];
    let includes = "[[attribute]]\nname = \"ImageType\"\nincludes = [\"ORIGINAL\"]";
    keeps_and_breaks(includes, &good, &other);
    let none_of = "[[attribute]]\nname = \"ImageType\"\nnone_of = [\"MPR\"]";
    keeps_and_breaks(none_of, &good, &other);
    let pattern = "[[attribute]]\nname = \"ImageType\"\nmatches = '^ORIGINAL\\\\'";
    keeps_and_breaks(pattern, &good, &other);
    // The age is in years, whatever it is written in.
    let old = [with(&good[0], tags::PATIENT_AGE, VR::AS, "061Y")];
    let young = [with(&good[0], tags::PATIENT_AGE, VR::AS, "030M")];
    let adult = "[[attribute]]\nname = \"PatientAge\"\nat_least = 18";
    let said = keeps_and_breaks(adult, &old, &young);
    assert!(
        !said[0].contains("30") && !said[0].contains("2.5"),
        "{said:?}"
    );
}

#[test]
fn attributes_in_sequences_and_private_ones() {
    let good = files("ct-thorax-1");
    let path = "[[attribute]]\nname = \"AnatomicRegionSequence/CodeValue\"\npresence = \"filled\"";
    let bad = [without(&good[0], tags::ANATOMIC_REGION_SEQUENCE)];
    keeps_and_breaks(path, &good, &bad);
    let one_of =
        "[[attribute]]\nname = \"AnatomicRegionSequence/(0008,0100)\"\none_of = [51185008]";
    let head = [changed(&good[0], |object| {
        let item = InMemDicomObject::from_element_iter([DataElement::new(
            tags::CODE_VALUE,
            VR::SH,
            PrimitiveValue::from("69536005"),
        )]);
        let items = DataSetSequence::from(vec![item]);
        object.put(DataElement::new(
            tags::ANATOMIC_REGION_SEQUENCE,
            VR::SQ,
            items,
        ));
    })];
    keeps_and_breaks(one_of, &good, &head);

    let private = |value: f64| {
        changed(&good[0], |object| {
            let creator = PrimitiveValue::from("ACME/MR 1");
            object.put(DataElement::new(Tag(0x0019, 0x0011), VR::LO, creator));
            let value = PrimitiveValue::from(value);
            object.put(DataElement::new(Tag(0x0019, 0x110C), VR::FD, value));
        })
    };
    let rule = "[[attribute]]\nname = '(0019,\"ACME/MR 1\",0C)'\nat_most = 1000";
    let said = keeps_and_breaks(rule, &[private(800.0)], &[private(1200.0)]);
    assert!(
        said[0].contains("(0019,\"ACME/MR 1\",0C) is 1200"),
        "{said:?}"
    );
    // A value in the header of the file.
    let syntax = "[[attribute]]\nname = \"TransferSyntaxUID\"\npresence = \"filled\"";
    assert_eq!(verdict(&card(syntax), &good).outcome, Outcome::Pass);
}

/// A sequence with items.
fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

/// An enhanced image: its attributes are in functional groups, and its frames in one object.
fn enhanced(file: &[u8], thickness: &str, positions: &[f64]) -> Vec<u8> {
    let one = |element| InMemDicomObject::from_element_iter([element]);
    let text = |tag, vr, text: &str| DataElement::new(tag, vr, PrimitiveValue::from(text));
    let measures = one(text(tags::SLICE_THICKNESS, VR::DS, thickness));
    let direction = text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0");
    let shared = InMemDicomObject::from_element_iter([
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]),
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![one(direction)]),
    ]);
    let frame = |z: &f64| {
        let position = text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\0\\{z}"));
        one(sequence(tags::PLANE_POSITION_SEQUENCE, vec![one(position)]))
    };
    let frames = positions.iter().map(frame).collect();
    changed(file, |object| {
        for tag in [
            tags::SLICE_THICKNESS,
            tags::IMAGE_POSITION_PATIENT,
            tags::IMAGE_ORIENTATION_PATIENT,
        ] {
            object.remove_element(tag);
        }
        object.put(sequence(
            tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
            vec![shared],
        ));
        object.put(sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, frames));
        let count = positions.len().to_string();
        object.put(text(tags::NUMBER_OF_FRAMES, VR::IS, &count));
    })
}

#[test]
fn objects_of_many_frames() {
    let file = &files("ct-thorax-1")[0];
    let good = [enhanced(file, "2", &[0.0, 2.0, 4.0, 6.0, 8.0])];
    let thick = [enhanced(file, "5", &[0.0, 2.0, 4.0, 6.0, 8.0])];
    let gap = [enhanced(file, "2", &[0.0, 2.0, 6.0, 8.0])];
    let rule = "[[attribute]]\nname = \"SliceThickness\"\npresence = \"filled\"\nat_most = 2.5";
    let said = keeps_and_breaks(rule, &good, &thick);
    assert!(said[0].contains("is 5; expected at most 2.5"), "{said:?}");
    let said = keeps_and_breaks("[[stack]]\nmodality = \"CT\"", &good, &gap);
    assert!(said[0].contains("One slice is missing: 4 mm"), "{said:?}");
    keeps_and_breaks(
        "[[series]]\nmodality = \"CT\"\nimages_at_least = 5",
        &good,
        &gap,
    );
}

#[test]
fn the_same_in_series_and_study() {
    let good = files("ct-thorax-1");
    let mut bad = good.clone();
    bad[3] = with(&bad[3], tags::KVP, VR::DS, "100");
    bad[4] = with(&bad[4], tags::KVP, VR::DS, "100");
    let rule = "[[attribute]]\nname = \"KVP\"\nequal_in = \"series\"";
    assert_eq!(
        keeps_and_breaks(rule, &good, &bad),
        [
            "Series 2, instances 4-5: KVP (0018,0060) is not the same in the whole series \
          (120 in most). It is set in the acquisition protocol at the device."
        ]
    );
    keeps_and_breaks(
        "[[attribute]]\nname = \"KVP\"\nequal_in = \"study\"",
        &good,
        &bad,
    );
    let tolerant = format!("{rule}\ntolerance = 20");
    assert_eq!(verdict(&card(&tolerant), &bad).outcome, Outcome::Pass);
    // Written otherwise, it is the same; missing, it is not.
    bad[3] = with(&good[3], tags::KVP, VR::DS, "120.0");
    bad[4] = good[4].clone();
    assert_eq!(verdict(&card(rule), &bad).outcome, Outcome::Pass);
    bad[4] = without(&good[4], tags::KVP);
    keeps_and_breaks(rule, &good, &bad);
}

#[test]
fn rules_are_for_what_they_choose() {
    let (ct, mr) = (files("ct-thorax-1"), files("mr-head"));
    let rule = "[[attribute]]\nname = \"RepetitionTime\"\npresence = \"filled\"\n\
                for = { modality = [\"MR\"] }";
    let broken = [without(&mr[0], tags::REPETITION_TIME)];
    assert_eq!(verdict(&card(rule), &ct).outcome, Outcome::Pass);
    keeps_and_breaks(rule, &mr, &broken);
    let of = |selector: &str| card(&format!("[applies_to]\n{selector}\n[complete]"));
    let facts =
        |card: &RuleCard, file: &[u8]| InstanceFacts::of(&walked(file), card.wanted()).unwrap();
    for (selector, ct_applies, mr_applies) in [
        ("modality = \"CT\"", true, false),
        ("sop_class = [\"MRImageStorage\"]", false, true),
        ("sop_class = [\"1.2.840.10008.5.1.4.1.1.2\"]", true, false),
        ("patient_id = \"^HIL-1001$\"", true, false),
        ("description = \"(?i)^thorax\"", true, false),
        (
            "where = [{ attribute = \"BodyPartExamined\", one_of = [\"HEAD\", \"BRAIN\"] }]",
            false,
            true,
        ),
        (
            "where = [{ attribute = \"KVP\", at_least = 100 }]",
            true,
            false,
        ),
        (
            "where = [{ attribute = \"KVP\", presence = \"absent\" }]",
            false,
            true,
        ),
    ] {
        let card = of(selector);
        assert_eq!(
            card.applies_to(&facts(&card, &ct[0])),
            ct_applies,
            "{selector}"
        );
        assert_eq!(
            card.applies_to(&facts(&card, &mr[0])),
            mr_applies,
            "{selector}"
        );
        assert!(!card.applies_to_all());
    }
    assert!(card("[complete]").applies_to_all());
}

#[test]
fn kinds_of_objects_and_encodings() {
    let (ct, mr) = (files("ct-thorax-1"), files("mr-head"));
    let classes = "[accept]\nsop_classes = [\"CTImageStorage\"]";
    let said = keeps_and_breaks(classes, &ct, &mr[..1]);
    assert!(
        said[0].contains("MR Image Storage; expected one of CT Image Storage"),
        "{said:?}"
    );
    let syntaxes = |syntax: &str| format!("[accept]\ntransfer_syntaxes = [\"{syntax}\"]");
    let explicit = card(&syntaxes("ExplicitVRLittleEndian"));
    assert_eq!(verdict(&explicit, &ct).outcome, Outcome::Pass);
    let deflated = card(&syntaxes("DeflatedExplicitVRLittleEndian"));
    let verdict = verdict(&deflated, &ct);
    assert_eq!(verdict.outcome, Outcome::Quarantine);
    assert!(
        verdict.reasons[0]
            .message
            .contains("Explicit VR Little Endian"),
        "{verdict:?}"
    );
}

#[test]
fn objects_are_complete() {
    let good = files("ct-thorax-1");
    let pixels = |length: usize| {
        changed(&good[0], |object| {
            let value = PrimitiveValue::from(vec![0_u8; length]);
            object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, value));
        })
    };
    let rule = "[complete]\nchecks = [\"pixels\"]";
    let said = keeps_and_breaks(rule, &[pixels(64 * 64 * 2)], &[pixels(64 * 64 * 2 - 2)]);
    assert!(
        said[0].contains("8190 bytes of pixels; expected 8192"),
        "{said:?}"
    );
    keeps_and_breaks(rule, &good, &[without(&good[0], tags::PIXEL_DATA)]);
    let frames = with(&pixels(64 * 64 * 4), tags::NUMBER_OF_FRAMES, VR::IS, "2");
    let missing = with(&pixels(64 * 64 * 4), tags::NUMBER_OF_FRAMES, VR::IS, "3");
    keeps_and_breaks(rule, &[frames], &[missing]);
    // A report has no pixels and needs none.
    let report = files("ct-thorax-2").pop().unwrap();
    keeps_and_breaks(rule, &[report], &[pixels(2)]);

    let named = "[complete]\nchecks = [\"identifiers\"]";
    let nameless = [without(&good[0], tags::SERIES_INSTANCE_UID)];
    let said = keeps_and_breaks(named, &good, &nameless);
    assert!(said[0].contains("no Series Instance UID"), "{said:?}");
    // The header of the file names another object.
    let mut other = good[0].clone();
    let uid = walked(&other).data.ascii(tags::SOP_INSTANCE_UID).unwrap();
    let at = other
        .windows(uid.len())
        .position(|it| it == uid.as_bytes())
        .unwrap();
    other[at + 5] = if other[at + 5] == b'1' { b'2' } else { b'1' };
    keeps_and_breaks(named, &good, &[other]);
}

#[test]
fn compressed_frames_are_counted() {
    let good = files("ct-thorax-1");
    let compressed = |fragments: usize| {
        let mut bytes = without(&good[0], tags::PIXEL_DATA);
        let at = bytes
            .windows(20)
            .position(|it| it.starts_with(b"1.2.840.10008.1.2.1\0"));
        bytes[at.unwrap() + 18] = b'5';
        let item = |length: u32| [&[0xFE, 0xFF, 0x00, 0xE0][..], &length.to_le_bytes()].concat();
        bytes.extend([
            0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF,
        ]);
        bytes.extend(item(0));
        for _ in 0..fragments {
            bytes.extend(item(4));
            bytes.extend(b"jpeg");
        }
        bytes.extend([0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0]);
        bytes
    };
    let rule = "[complete]\nchecks = [\"pixels\"]";
    let said = keeps_and_breaks(rule, &[compressed(1)], &[compressed(0)]);
    assert!(
        said[0].contains("0 compressed frames; expected 1"),
        "{said:?}"
    );
}

#[test]
fn series_that_must_be_there() {
    let all = files("ct-thorax-2");
    let ct = &all[..8];
    let rule = "[[series]]\ntitle = \"report\"\nmodality = \"SR\"\nat_least = 1";
    let said = keeps_and_breaks(rule, &all, ct);
    assert_eq!(
        said,
        [
            "Study: Of \"report\" there are 0 series; expected at least 1. \
          If it was acquired, send it again; if not, say so when the study is released."
        ]
    );
    let none = "[[series]]\nmodality = \"SR\"\nat_most = 0";
    keeps_and_breaks(none, ct, &all);
    let pattern = "[[series]]\ndescription = \"(?i)thorax\"\nat_least = 1\nat_most = 1";
    keeps_and_breaks(pattern, ct, &all[8..]);
}

#[test]
fn instances_that_a_series_must_have() {
    let all = files("ct-thorax-2");
    let (ct, seven) = (&all[..8], &all[..7]);
    let rule = "[[series]]\nmodality = \"CT\"\ninstances_at_least = 8";
    let said = keeps_and_breaks(rule, &all, seven);
    assert!(said[0].starts_with("Series 2: The number of instances is 7; expected at least 8."));
    keeps_and_breaks(
        "[[series]]\nmodality = \"CT\"\ninstances_at_most = 7",
        seven,
        ct,
    );
    keeps_and_breaks(
        "[[series]]\nmodality = \"CT\"\nimages_at_least = 8",
        ct,
        seven,
    );
    let says = |files: &[Vec<u8>], count: &str| -> Vec<_> {
        let each = files.iter();
        each.map(|file| with(file, tags::IMAGES_IN_ACQUISITION, VR::IS, count))
            .collect()
    };
    let equal = "[[series]]\nmodality = \"CT\"\ninstances_equal = \"ImagesInAcquisition\"";
    let said = keeps_and_breaks(equal, &says(ct, "8"), &says(seven, "8"));
    assert!(
        said[0].contains("is 7; expected 8, as Images In Acquisition"),
        "{said:?}"
    );
    let said = keeps_and_breaks(equal, &says(ct, "8"), ct);
    assert!(said[0].contains("is missing"), "{said:?}");
    let multiple = "[[series]]\nmodality = \"CT\"\ninstances_multiple_of = \"ImagesInAcquisition\"";
    keeps_and_breaks(multiple, &says(ct, "4"), &says(seven, "4"));
}

#[test]
fn slices_that_are_missing_or_twice() {
    let good = files("ct-thorax-1");
    let only = |check: &str| format!("[[stack]]\nmodality = \"CT\"\nchecks = [\"{check}\"]");
    let mut gap = good.clone();
    gap.drain(3..5);
    let said = keeps_and_breaks(&only("gaps"), &good, &gap);
    assert_eq!(
        said,
        [
            "Series 2: About 2 slices are missing: 90 mm between instances 3 and 6 where slices are \
          30 mm apart. Compare with the device, and send again what is missing."
        ]
    );
    let said = keeps_and_breaks(&only("numbers"), &good, &gap);
    assert!(
        said[0].contains("2 instance numbers are missing: 4-5"),
        "{said:?}"
    );
    // What is said of gaps does not depend on the order in which slices come.
    gap.reverse();
    assert_eq!(keeps_and_breaks(&only("numbers"), &good, &gap), said);

    let mut twice = good.clone();
    let copy = with(&good[2], tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4");
    twice.push(copy.clone());
    let said = keeps_and_breaks(&only("duplicates"), &good, &twice);
    assert!(
        said[0].starts_with("Series 2, instance 3: Slices lie where"),
        "{said:?}"
    );
    let said = keeps_and_breaks(&only("numbers"), &good, &twice);
    assert!(said[0].contains("used more than once: 3"), "{said:?}");
    // Two phases are two stacks.
    *twice.last_mut().unwrap() = with(&copy, tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, "2");
    let divided = format!(
        "{}\ndivided_by = \"TemporalPositionIdentifier\"",
        only("duplicates")
    );
    assert_eq!(verdict(&card(&divided), &twice).outcome, Outcome::Pass);

    let unnumbered: Vec<_> = good
        .iter()
        .map(|it| without(it, tags::INSTANCE_NUMBER))
        .collect();
    let said = keeps_and_breaks(&only("numbers"), &good, &unnumbered);
    assert!(
        said[0].starts_with("Series 2, 8 instances without number:"),
        "{said:?}"
    );
}

#[test]
fn slices_that_lie_askew() {
    let good = files("ct-thorax-1");
    let only = |check: &str| format!("[[stack]]\nmodality = \"CT\"\nchecks = [\"{check}\"]");
    let mut uneven = good.clone();
    let position = walked(&good[4]).data.numbers(tags::IMAGE_POSITION_PATIENT);
    let moved = format!("{}\\{}\\{}", position[0], position[1], position[2] + 0.5);
    uneven[4] = with(&good[4], tags::IMAGE_POSITION_PATIENT, VR::DS, &moved);
    let said = keeps_and_breaks(&only("spacing"), &good, &uneven);
    assert!(said[0].contains("which are 30 mm apart"), "{said:?}");
    let tolerant = format!("{}\ntolerance_mm = 0.6", only("spacing"));
    assert_eq!(verdict(&card(&tolerant), &uneven).outcome, Outcome::Pass);
    assert_eq!(
        verdict(&card(&only("gaps")), &uneven).outcome,
        Outcome::Pass
    );

    let mut turned = good.clone();
    let orientation = "0\\1\\0\\0\\0\\-1";
    turned[5] = with(
        &good[5],
        tags::IMAGE_ORIENTATION_PATIENT,
        VR::DS,
        orientation,
    );
    let said = keeps_and_breaks(&only("orientation"), &good, &turned);
    assert!(
        said[0].starts_with("Series 2, instance 6: Slices are not parallel"),
        "{said:?}"
    );

    let mut nowhere = good.clone();
    nowhere[0] = without(&good[0], tags::IMAGE_POSITION_PATIENT);
    keeps_and_breaks(&only("gaps"), &good, &nowhere);
}

#[test]
fn volumes_of_other_formats() {
    let good = VolumeFacts {
        dimensions: vec![64, 64, 30, 1],
        voxel_mm: Some([1.0, 1.0, 2.5]),
        doubts: Vec::new(),
    };
    let with = |change: fn(&mut VolumeFacts)| {
        let mut facts = good.clone();
        change(&mut facts);
        facts
    };
    for (rule, bad) in [
        ("dimensions_at_most = 3", with(|it| it.dimensions[3] = 5)),
        (
            "dimensions_at_least = 3",
            with(|it| it.dimensions = vec![64, 64, 1]),
        ),
        ("size_at_least = 20", with(|it| it.dimensions[2] = 10)),
        (
            "voxel_mm_at_most = 3",
            with(|it| it.voxel_mm = Some([1.0, 1.0, 5.0])),
        ),
        ("voxel_mm_at_most = 3", with(|it| it.voxel_mm = None)),
        (
            "voxel_mm_at_least = 1",
            with(|it| it.voxel_mm = Some([0.5, 1.0, 1.0])),
        ),
        (
            "orientation_certain = true",
            with(|it| it.doubts.push("no affine".to_owned())),
        ),
    ] {
        for (severity, outcome) in [("warn", Outcome::Warn), ("quarantine", Outcome::Quarantine)] {
            let card = card(&format!("[[volume]]\n{rule}\nseverity = \"{severity}\""));
            let verdict = |facts| card.verdict(card.judge_volume(facts)).outcome;
            assert_eq!(
                (verdict(&good), verdict(&bad)),
                (Outcome::Pass, outcome),
                "{rule}"
            );
        }
    }
}

/// The worst decides; what is alike is one reason; the card's own words are used.
#[test]
fn a_verdict_sums_up() {
    let good = files("ct-thorax-1");
    let card = card(
        "[[attribute]]\nname = \"KVP\"\nat_most = 100\nseverity = \"warn\"\n\
         [[attribute]]\nname = \"SliceThickness\"\nat_most = 2.5\nmessage = \"Send thin slices.\"\n\
         [[attribute]]\nname = \"SliceLocation\"\nat_most = -1000\nset_at = \"the gantry\"",
    );
    let verdict = verdict(&card, &good);
    assert_eq!((&*verdict.card, &*verdict.version), ("test", "1"));
    assert_eq!(verdict.outcome, Outcome::Quarantine);
    let said: Vec<_> = verdict.reasons.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[0], "Series 2, instances 1-8: Send thin slices.");
    assert!(
        said[1].contains("It is set at: the gantry. (also "),
        "{said:?}"
    );
    assert!(said[2].contains("is 120; expected at most 100"), "{said:?}");
    let place = &verdict.reasons[0].place;
    assert_eq!((place.instances, place.instance_numbers.len()), (8, 8));
}

/// Whatever rule is broken, no reason repeats what tells who the patient is.
#[test]
fn no_reason_identifies_a_patient() {
    let secret = "ZZSECRET";
    let mut file = files("ct-thorax-1").remove(0);
    let texts = [
        (tags::PATIENT_NAME, VR::PN),
        (tags::PATIENT_ID, VR::LO),
        (tags::PATIENT_SEX, VR::CS),
        (tags::ACCESSION_NUMBER, VR::SH),
        (tags::STUDY_DESCRIPTION, VR::LO),
        (tags::SERIES_DESCRIPTION, VR::LO),
        (tags::PROTOCOL_NAME, VR::LO),
        (tags::INSTITUTION_NAME, VR::LO),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        (tags::PATIENT_COMMENTS, VR::LT),
        (tags::STATION_NAME, VR::SH),
        (tags::STUDY_ID, VR::SH),
        (tags::DEVICE_SERIAL_NUMBER, VR::LO),
        (tags::CLINICAL_TRIAL_SUBJECT_ID, VR::LO),
    ];
    let dates = [
        (tags::PATIENT_BIRTH_DATE, VR::DA),
        (tags::STUDY_DATE, VR::DA),
        (tags::PATIENT_AGE, VR::AS),
        (tags::PATIENT_WEIGHT, VR::DS),
        (tags::STUDY_TIME, VR::TM),
    ];
    for (tag, vr) in texts {
        file = with(&file, tag, vr, secret);
    }
    let date = "19770707";
    for (tag, vr) in dates {
        file = with(&file, tag, vr, date);
    }
    let rule = |(tag, _): &(Tag, VR)| {
        let name = format!("({:04X},{:04X})", tag.group(), tag.element());
        format!(
            "[[attribute]]\nname = \"{name}\"\none_of = [\"x\"]\nequal_in = \"study\"\n\
             [[attribute]]\nname = \"{name}\"\nmatches = \"^x$\"\n\
             [[attribute]]\nname = \"{name}\"\nat_most = 1\n"
        )
    };
    let rules: String = texts.iter().chain(&dates).map(rule).collect();
    let other = with(&file, tags::SOP_INSTANCE_UID, VR::UI, "1.2.3");
    let other = with(&other, tags::PATIENT_NAME, VR::PN, "ZZSECRET2");
    let verdict = verdict(&card(&rules), &[file, other]);
    assert!(verdict.reasons.len() > 3 * 15, "{}", verdict.reasons.len());
    let said = serde_json::to_string(&verdict).unwrap();
    assert!(!said.contains(secret) && !said.contains(date), "{said}");
}

/// What may be wrong with a card, on which line, and what is said of it. Two lines stand before.
#[rustfmt::skip]
const WRONG: [(&str, usize, &str); 23] = [
    ("", 1, "the card has no rules"),
    ("[[atribute]]\nname = \"KVP\"", 3, "unknown key atribute; did you mean attribute?"),
    ("[[attribute]]\nname = \"KVP\"\nat_lest = 3", 5, "key attribute.at_lest; did you mean at_least?"),
    ("[accept]\nsop_class = [\"x\"]", 4, "unknown key accept.sop_class; did you mean sop_classes?"),
    ("[[attribute]]\nname = \"SliceThicknes\"\nat_least = 3", 4, "did you mean SliceThickness?"),
    ("[[attribute]]\nname = \"(0019,1001)\"\nat_least = 3", 4, "is no tag"),
    ("[[attribute]]\nname = \"KVP\"", 3, "nothing is wanted of KVP"),
    ("[[attribute]]\nname = \"KVP\"\nat_least = 3\nat_most = 2", 5, "3 is above"),
    ("[[attribute]]\nname = \"KVP\"\nat_least = \"3\"", 5, "is a number"),
    ("[[attribute]]\nname = \"KVP\"\nat_least = nan", 5, "is a number"),
    ("[[attribute]]\nname = \"KVP\"\none_of = []", 5, "is a list"),
    ("[[attribute]]\nname = \"KVP\"\npresence = \"maybe\"", 5, "\"filled\""),
    ("[[attribute]]\nname = \"KVP\"\nat_least = 3\nseverity = \"bad\"", 6, "\"quarantine\""),
    ("[[attribute]]\nname = \"KVP\"\nmatches = \"(\"", 5, "not a pattern: unclosed group"),
    ("[[attribute]]\nname = \"KVP\"\nmatches = '(\\w{99}){99}'", 5, "not a pattern"),
    ("[[attribute]]\nname = \"KVP\"\nequal_in = \"all\"", 5, "\"study\""),
    ("[[attribute]]\nname = \"KVP\"\nat_least = 1\ntolerance = 1", 6, "no equal_in"),
    ("[applies_to]\nsop_class = [\"CTImage\"]\n[complete]", 4, "unknown SOP class CTImage"),
    ("[accept]\ntransfer_syntaxes = [\"JPEG2000Losless\"]", 4, "did you mean JPEG2000Lossless?"),
    ("[[series]]\nmodality = \"CT\"", 3, "nothing is wanted of the series"),
    ("[[series]]\nat_least = 1.5", 4, "whole number"),
    ("[[stack]]\nchecks = [\"gap\"]", 4, "unknown word gap; did you mean gaps?"),
    ("[complete\n", 3, ""),
];

#[test]
fn what_is_wrong_with_a_card_is_said_with_its_line() {
    for (rules, line, says) in WRONG {
        let error = refused(rules);
        assert_eq!(error.line, line, "{rules}: {error}");
        assert!(error.message.contains(says), "{rules}: {error}");
    }
    let no_name = RuleCard::parse("version = \"1\"\n[complete]").unwrap_err();
    assert_eq!(no_name.to_string(), "line 1: name is missing");
    assert!(RuleCard::parse(&"#".repeat(300_000)).is_err());
}

#[test]
fn the_cards_that_are_delivered() {
    let default = RuleCard::parse(include_str!("../../cards/default.toml")).unwrap();
    let lung = RuleCard::parse(include_str!("../../cards/lung-screening-ct.toml")).unwrap();
    let prostate = RuleCard::parse(include_str!("../../cards/prostate-mr.toml")).unwrap();
    let mammography = include_str!("../../cards/mammography-screening.toml");
    let mammography = RuleCard::parse(mammography).unwrap();
    for folder in ["ct-thorax-1", "ct-thorax-2", "mr-head", "us-liver"] {
        let files = files(folder);
        let verdict = verdict(&default, &files);
        assert_eq!(
            verdict.outcome,
            Outcome::Pass,
            "{folder}: {:?}",
            verdict.reasons
        );
        let cards = [lung.clone(), prostate.clone(), mammography.clone()];
        let facts = InstanceFacts::of(&walked(&files[0]), &wanted(&cards)).unwrap();
        let applies = cards.iter().filter(|card| card.applies_to(&facts));
        let applies: Vec<_> = applies.map(|card| card.name.as_str()).collect();
        let expected: &[&str] = match folder {
            "ct-thorax-1" | "ct-thorax-2" => &["lung-screening-ct"],
            _ => &[],
        };
        assert_eq!(applies, expected, "{folder}");
    }
    // The phantom's slices are far too thick for screening, and only eight.
    let verdict = verdict(&lung, &files("ct-thorax-1"));
    assert_eq!(verdict.outcome, Outcome::Quarantine);
    let rules: Vec<_> = verdict.reasons.iter().map(|it| it.rule.as_str()).collect();
    assert!(rules.contains(&"range of SliceThickness"), "{rules:?}");
    assert!(
        rules.contains(&"number of series (thin axial slices of the lungs)"),
        "{rules:?}"
    );
}

/// Judging never panics, whatever is in a file or in what was kept of it.
#[test]
fn files_that_were_tampered_with_are_judged() {
    let cards = [
        include_str!("../../cards/default.toml"),
        include_str!("../../cards/lung-screening-ct.toml"),
        include_str!("../../cards/prostate-mr.toml"),
        include_str!("../../cards/mammography-screening.toml"),
    ];
    let cards = cards.map(|card| RuleCard::parse(card).unwrap());
    let files: Vec<Vec<u8>> = files("ct-thorax-2")
        .into_iter()
        .map(|mut file| {
            file.truncate(3000);
            file
        })
        .collect();
    let change = (132..3000_usize, proptest::num::u8::ANY);
    let changes = proptest::collection::vec(change, 1..12);
    proptest!(|(which in 0..files.len(), changes in changes)| {
        let mut file = files[which].clone();
        for (at, byte) in changes {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        // What is cut off in the pixels is walked as far as it goes: without them.
        let whole = changed_length(&file);
        let Ok(file) = walk::whole(&whole) else {
            return Ok(());
        };
        for card in &cards {
            let mut findings = card.judge_instance(&file);
            if let Ok(facts) = InstanceFacts::of(&file, card.wanted()) {
                findings.extend(card.judge_study(&[facts.clone(), facts]));
            }
            let verdict = card.verdict(findings);
            prop_assert_eq!(verdict.outcome == Outcome::Pass, verdict.reasons.is_empty());
        }
    });
    let numbers = proptest::collection::vec(proptest::num::f64::ANY, 9);
    let facts =
        InstanceFacts::of(&walked(&self::files("ct-thorax-1")[0]), &wanted(&cards)).unwrap();
    let instances = proptest::collection::vec((numbers, proptest::num::i64::ANY), 1..20);
    let stack = card("[[stack]]");
    proptest!(|(instances in instances)| {
        let each = instances.iter().enumerate().map(|(at, (numbers, number))| {
            let mut facts = facts.clone();
            facts.sop_instance_uid = crate::Uid::parse(&format!("1.2.{at}")).unwrap();
            facts.instance_number = Some(*number);
            facts.planes = vec![Plane {
                position: [numbers[0], numbers[1], numbers[2]],
                orientation: std::array::from_fn(|at| numbers[3 + at]),
            }];
            facts
        });
        let each: Vec<_> = each.collect();
        let verdict = stack.verdict(stack.judge_study(&each));
        for reason in &verdict.reasons {
            prop_assert!(reason.to_string().len() < 2000);
        }
    });
}

/// Cuts the pixel data off the end of a file that was cut short within it.
fn changed_length(file: &[u8]) -> Vec<u8> {
    let pixels = [0xE0, 0x7F, 0x10, 0x00];
    let at = file.windows(4).position(|it| it == pixels);
    file[..at.unwrap_or(file.len())].to_vec()
}
