use std::time::{Duration, SystemTime};

use dicom_core::{PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use proptest::prelude::*;
use xds_schemas::imaging::measurement::ContextValue;

use super::codes::{DCM, SCT, key};
use super::*;
use crate::phantoms::content::{coded, container, item, named, number, template};
use crate::phantoms::{self, Detail};
use crate::walk;
use crate::write::Builder;

const MM: (&str, &str, &str) = ("mm", "UCUM", "mm");
const GROUP: (&str, &str, &str) = ("125007", "DCM", "Measurement Group");
const LENGTH: (&str, &str, &str) = ("410668003", "SCT", "Length");

/// A report of these items.
fn report(items: Vec<Builder>) -> Builder {
    Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, uids::COMPREHENSIVE_SR_STORAGE)
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.99")
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2")
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, ("126000", "DCM", "t"))
        .items(tags::CONTENT_SEQUENCE, items)
}

fn reference(class: &str, instance: &str) -> Builder {
    Builder::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class)
        .text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance)
}

fn series(uid: &str, tag: dicom_core::Tag, instances: Vec<Builder>) -> Builder {
    Builder::new()
        .items(tag, instances)
        .text(tags::SERIES_INSTANCE_UID, VR::UI, uid)
}

/// Two series of images, and a segmentation.
fn evidence() -> Builder {
    let of = |uid: &str, instances| series(uid, tags::REFERENCED_SOP_SEQUENCE, instances);
    let ct = |instance| reference(uids::CT_IMAGE_STORAGE, instance);
    let all = [
        of("1.2.1", vec![ct("1.2.1.1"), ct("1.2.1.2")]),
        of("1.2.2", vec![ct("1.2.2.1")]),
        of(
            "1.2.3",
            vec![reference(uids::SEGMENTATION_STORAGE, "1.2.3.1")],
        ),
    ];
    let study = Builder::new()
        .items(tags::REFERENCED_SERIES_SEQUENCE, all)
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2");
    Builder::new().items(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, [study])
}

fn image(relationship: &str, instance: &str) -> Builder {
    let reference = reference(uids::CT_IMAGE_STORAGE, instance);
    item(relationship, "IMAGE").items(tags::REFERENCED_SOP_SEQUENCE, [reference])
}

fn read_built(built: Builder) -> Measured {
    let file = walk::whole(&built.part10().unwrap()).unwrap();
    read(&file).unwrap()
}

fn code_of(code: Option<&xds_schemas::metadata::Code>) -> Option<(&str, &str)> {
    code.map(key)
}

/// The report of the demonstration.
fn phantom() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    phantoms::write(dir.path(), "measured", now, Detail::Small).unwrap();
    std::fs::read(dir.path().join("ct-thorax-2/IM0009.dcm")).unwrap()
}

#[test]
fn the_report_of_the_demonstration() {
    let measured = read(&walk::whole(&phantom()).unwrap()).unwrap();
    assert_eq!(measured.kind, Kind::Report);
    assert_eq!(measured.template.as_deref(), Some("1500"));
    assert_eq!(measured.sources.len(), 1);
    assert_eq!(measured.sources[0].instances, 2);
    let series = &measured.sources[0].series_instance_uid;
    let [axis, volume, margin, mean, deviation] = measured.measurements.as_slice() else {
        panic!("{:#?}", measured.measurements);
    };
    for (of, concept, value, unit) in [
        (axis, "103339001", 16.0, "mm"),
        (volume, "118565006", 2145.0, "mm3"),
    ] {
        assert_eq!(code_of(of.concept.as_ref()), Some((concept, SCT)));
        assert_eq!(of.value, Some(value));
        assert_eq!(of.unit.as_ref().unwrap().code, unit);
        assert_eq!(code_of(of.finding.as_ref()), Some(("27925004", SCT)));
        assert_eq!(code_of(of.site.as_ref()), Some(("45653009", SCT)));
        assert_eq!(code_of(of.laterality.as_ref()), Some(("24028007", SCT)));
        assert_eq!(of.tracking_identifier.as_deref(), Some("Nodule 1"));
        assert_eq!(of.source_series, [series.as_str()]);
    }
    assert_eq!(axis.source_instances.len(), 1);
    assert_eq!(volume.source_instances, <[String; 0]>::default());
    assert_eq!(
        code_of(margin.coded_value.as_ref()),
        Some(("129742005", SCT))
    );
    assert_eq!(margin.value, None);
    // As it was drawn: liver of 62 HU, with noise of 14 HU.
    assert!((mean.value.unwrap() - 62.0).abs() < 8.0, "{mean:?}");
    assert!(
        (deviation.value.unwrap() - 14.0).abs() < 4.0,
        "{deviation:?}"
    );
    assert_eq!(code_of(mean.concept.as_ref()), Some(("112031", DCM)));
    assert_eq!(code_of(mean.derivation.as_ref()), Some(("373098007", SCT)));
    assert_eq!(mean.algorithm.as_ref().unwrap().0, "Phantom region");
    assert_ne!(mean.source_instances, axis.source_instances);
}

#[test]
fn an_index_can_keep_it() {
    let measured = read(&walk::whole(&phantom()).unwrap()).unwrap();
    let kept = serde_json::to_string(&measured).unwrap();
    assert_eq!(serde_json::from_str::<Measured>(&kept).unwrap(), measured);
}

#[test]
fn images_and_selections_say_nothing_measured() {
    for class in [
        uids::CT_IMAGE_STORAGE,
        uids::KEY_OBJECT_SELECTION_DOCUMENT_STORAGE,
        uids::PROCEDURE_LOG_STORAGE,
    ] {
        let file = report(vec![number(LENGTH, 1.0, MM)]).text(tags::SOP_CLASS_UID, VR::UI, class);
        let file = walk::whole(&file.part10().unwrap()).unwrap();
        assert_eq!(read(&file), None, "{class}");
    }
    let empty = read_built(report(Vec::new()));
    assert_eq!((empty.kind, empty.measurements.len()), (Kind::Report, 0));
}

#[test]
fn on_what_it_was_measured() {
    let named_image =
        number(LENGTH, 1.0, MM).items(tags::CONTENT_SEQUENCE, [image("INFERRED FROM", "1.2.2.1")]);
    // The third item of the second item of the root: both count from one.
    let by_reference = Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, "INFERRED FROM")
        .value(
            tags::REFERENCED_CONTENT_ITEM_IDENTIFIER,
            VR::UL,
            PrimitiveValue::U32([1, 2, 3].into_iter().collect()),
        );
    let referring = number(LENGTH, 2.0, MM).items(tags::CONTENT_SEQUENCE, [by_reference]);
    let nowhere = Builder::new()
        .text(tags::RELATIONSHIP_TYPE, VR::CS, "INFERRED FROM")
        .value(
            tags::REFERENCED_CONTENT_ITEM_IDENTIFIER,
            VR::UL,
            PrimitiveValue::U32([1, 0, 7].into_iter().collect()),
        );
    let astray = number(LENGTH, 3.0, MM).items(tags::CONTENT_SEQUENCE, [nowhere]);
    let group = container(GROUP, vec![named_image, referring, astray]);
    let other = container(
        ("121070", "DCM", "Findings"),
        vec![
            number(LENGTH, 4.0, MM),
            number(LENGTH, 5.0, MM),
            image("CONTAINS", "1.2.1.2"),
        ],
    );
    let measured = read_built(report(vec![group, other]).with(evidence()));
    let named: Vec<_> = measured
        .measurements
        .iter()
        .map(|it| (it.source_series.join(" "), it.source_instances.join(" ")))
        .collect();
    let both = ("1.2.1 1.2.2".to_owned(), String::new());
    assert_eq!(named[0], ("1.2.2".to_owned(), "1.2.2.1".to_owned()));
    assert_eq!(named[1], ("1.2.1".to_owned(), "1.2.1.2".to_owned()));
    assert_eq!(named[2..], [both.clone(), both.clone(), both]);
    let series: Vec<_> = measured
        .sources
        .iter()
        .map(|it| (it.series_instance_uid.as_str(), it.instances))
        .collect();
    // The segmentation is no source.
    assert_eq!(series, [("1.2.1", 2), ("1.2.2", 1)]);
}

#[test]
fn many_source_images_are_named_by_their_series() {
    let count = MAX_SOURCES + 1;
    let instances: Vec<_> = (0..count).map(|at| format!("1.2.1.{at}")).collect();
    let references = instances
        .iter()
        .map(|it| reference(uids::CT_IMAGE_STORAGE, it));
    let study = Builder::new()
        .items(
            tags::REFERENCED_SERIES_SEQUENCE,
            [series(
                "1.2.1",
                tags::REFERENCED_SOP_SEQUENCE,
                references.collect(),
            )],
        )
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2");
    let of = |instances: &[String]| {
        let images = instances.iter().map(|it| image("CONTAINS", it));
        let items = images.chain([number(LENGTH, 1.0, MM)]).collect();
        let built = report(vec![container(GROUP, items)]).items(
            tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE,
            [study.clone()],
        );
        let mut measured = read_built(built).measurements;
        assert_eq!(measured[0].source_series, ["1.2.1"]);
        measured.remove(0).source_instances.len()
    };
    assert_eq!(of(&instances[1..]), MAX_SOURCES);
    assert_eq!(of(&instances), 0);
}

#[test]
fn a_finding_of_cad_has_measured_properties() {
    let certainty = number(
        ("111012", "DCM", "Certainty of Finding"),
        87.0,
        ("%", "UCUM", "Percent"),
    )
    .text(tags::RELATIONSHIP_TYPE, VR::CS, "HAS PROPERTIES");
    let finding = coded(
        "INFERRED FROM",
        ("111059", "DCM", "Single Image Finding"),
        ("F-01796", "SRT", "Mammography breast density"),
    )
    .items(tags::CONTENT_SEQUENCE, [certainty]);
    let outer = container(("111017", "DCM", "CAD Processing"), vec![finding]);
    let built =
        report(vec![outer]).text(tags::SOP_CLASS_UID, VR::UI, uids::MAMMOGRAPHY_CADSR_STORAGE);
    let measured = read_built(built).measurements;
    assert_eq!(measured.len(), 1);
    assert_eq!(measured[0].value, Some(87.0));
    assert_eq!(
        code_of(measured[0].finding.as_ref()),
        Some(("129793001", SCT))
    );
}

#[test]
fn texts_that_may_name_somebody_are_no_context() {
    let text =
        |name, text| named("HAS OBS CONTEXT", "TEXT", name).text(tags::TEXT_VALUE, VR::UT, text);
    let items = vec![
        text(("121030", "DCM", "Subject ID"), "HIL-1001"),
        text(("11951-1", "LN", "Fetus ID"), "B"),
        text(("121106", "DCM", "Comment"), "seen with Mrs Hilum"),
        coded(
            "HAS OBS CONTEXT",
            ("121005", "DCM", "Observer Type"),
            ("121006", "DCM", "Person"),
        ),
        number(LENGTH, 1.0, MM),
    ];
    let measured = read_built(report(vec![container(GROUP, items)])).measurements;
    let [(name, ContextValue::Text(value))] = measured[0].context.as_slice() else {
        panic!("{:?}", measured[0].context);
    };
    assert_eq!((name.code.as_str(), value.as_str()), ("11951-1", "B"));
}

#[test]
fn a_number_that_is_missing_or_none() {
    let none = named("CONTAINS", "NUM", LENGTH);
    let why = none.clone().code(
        tags::NUMERIC_VALUE_QUALIFIER_CODE_SEQUENCE,
        ("114006", "DCM", "Measurement failure"),
    );
    let exact = Builder::new()
        .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, MM)
        .text(tags::NUMERIC_VALUE, VR::DS, "0.3333333333333")
        .value(
            tags::FLOATING_POINT_VALUE,
            VR::FD,
            PrimitiveValue::from(1.0 / 3.0),
        );
    let exact = none.clone().items(tags::MEASURED_VALUE_SEQUENCE, [exact]);
    let infinite = Builder::new()
        .code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, MM)
        .text(tags::NUMERIC_VALUE, VR::DS, "7")
        .value(
            tags::FLOATING_POINT_VALUE,
            VR::FD,
            PrimitiveValue::from(f64::INFINITY),
        );
    let infinite = none
        .clone()
        .items(tags::MEASURED_VALUE_SEQUENCE, [infinite]);
    let unitless = Builder::new().text(tags::NUMERIC_VALUE, VR::DS, "7");
    let unitless = none
        .clone()
        .items(tags::MEASURED_VALUE_SEQUENCE, [unitless]);
    let items = vec![none, why, exact, infinite, unitless];
    let measured = read_built(report(vec![container(GROUP, items)])).measurements;
    let values: Vec<_> = measured.iter().map(|it| it.value).collect();
    assert_eq!(values, [None, Some(1.0 / 3.0), Some(7.0)]);
    assert_eq!(measured[0].qualifier.as_ref().unwrap().code, "114006");
}

#[test]
fn a_file_has_a_limit() {
    let numbers = (0..MAX_MEASUREMENTS + 5).map(|at| number(LENGTH, at as f64, MM));
    let measured = read_built(report(vec![container(GROUP, numbers.collect())]));
    assert_eq!(measured.measurements.len(), MAX_MEASUREMENTS);
    assert_eq!(measured.left_out, 5);
    let modifiers = (0..100).map(|at| {
        named("HAS CONCEPT MOD", "CODE", LENGTH)
            .items(
                tags::CONCEPT_NAME_CODE_SEQUENCE,
                [Builder::new()
                    .text(tags::CODE_VALUE, VR::SH, &at.to_string())
                    .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, "99X")],
            )
            .code(tags::CONCEPT_CODE_SEQUENCE, MM)
    });
    let items = modifiers.chain([number(LENGTH, 1.0, MM)]).collect();
    let measured = read_built(report(vec![container(GROUP, items)])).measurements;
    assert_eq!(measured[0].context.len(), 16);
}

#[test]
fn doses_of_an_event_and_not_the_settings() {
    let mgy = ("mGy", "UCUM", "mGy");
    let event = container(
        ("113819", "DCM", "CT Acquisition"),
        vec![
            coded(
                "CONTAINS",
                ("123014", "DCM", "Target Region"),
                ("T-D3000", "SRT", "Chest"),
            ),
            number(("113824", "DCM", "Exposure Time"), 2.0, ("s", "UCUM", "s")),
            container(
                ("113829", "DCM", "CT Dose"),
                vec![number(("113830", "DCM", "Mean CTDIvol"), 8.21, mgy)],
            ),
        ],
    );
    let built = report(vec![event])
        .code(
            tags::CONCEPT_NAME_CODE_SEQUENCE,
            ("113701", "DCM", "X-Ray Radiation Dose Report"),
        )
        .items(tags::CONTENT_TEMPLATE_SEQUENCE, [template("10011")]);
    let measured = read_built(built);
    assert_eq!(measured.kind, Kind::Dose);
    assert_eq!(measured.template.as_deref(), Some("10011"));
    let [dose] = measured.measurements.as_slice() else {
        panic!("{measured:?}");
    };
    assert_eq!(dose.value, Some(8.21));
    assert_eq!(code_of(dose.site.as_ref()), Some(("51185008", SCT)));
}

#[test]
fn segments_of_images_whose_series_is_not_told() {
    let source = Builder::new().items(
        tags::SOURCE_IMAGE_SEQUENCE,
        [reference(uids::CT_IMAGE_STORAGE, "1.2.1.1")],
    );
    let frame = || Builder::new().items(tags::DERIVATION_IMAGE_SEQUENCE, [source.clone()]);
    let segment = Builder::new()
        .value(tags::SEGMENT_NUMBER, VR::US, PrimitiveValue::from(3_u16))
        .code(
            tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
            ("T-62000", "SRT", "Liver"),
        );
    let built = report(Vec::new())
        .text(tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE)
        .items(tags::SEGMENT_SEQUENCE, [segment])
        .items(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            [frame(), frame()],
        );
    let measured = read_built(built);
    assert_eq!(measured.kind, Kind::Segmentation);
    let [segment] = measured.measurements.as_slice() else {
        panic!("{measured:?}");
    };
    assert_eq!(code_of(segment.finding.as_ref()), Some(("10200004", SCT)));
    assert_eq!(segment.segment, Some(("1.2.99".to_owned(), 3)));
    assert_eq!(segment.source_instances, ["1.2.1.1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A report in which any bytes are others is read or refused, and what is read can be said.
    #[test]
    fn tampered_reports(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        static REPORT: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(phantom);
        let mut bytes = REPORT.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(file) = walk::whole(&bytes)
            && let Some(measured) = read(&file)
        {
            let kept = serde_json::to_string(&measured).unwrap();
            prop_assert_eq!(serde_json::from_str::<Measured>(&kept).unwrap(), measured);
        }
    }
}
