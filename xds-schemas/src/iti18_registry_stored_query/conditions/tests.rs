use super::*;
use crate::codes::error_code::ErrorCode;
use crate::codes::status::APPROVED;
use crate::ebrim::Slot;
use crate::ebrs::{AdhocQueryRequest, RegistryError, ReturnType};
use crate::iti18_registry_stored_query::{QueryKind, StoredQuery};

use proptest::prelude::*;

fn acquisition(text: &str) -> Result<AcquisitionCondition, String> {
    text.parse()
}

fn measurement(text: &str) -> Result<MeasurementCondition, String> {
    text.parse()
}

fn range(test: &Test) -> (f64, f64) {
    match test {
        Test::Is(Wanted::Number(range)) | Test::IsNot(Wanted::Number(range)) => range.closed(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn conditions_are_written_in_the_parameters_unit() {
    for (asked, written) in [
        ("RepetitionTime ge 2 s", "RepetitionTime ge 2000 ms"),
        (
            "SliceThickness between 0.05 and 0.15 cm",
            "SliceThickness between 0.5 and 1.5 mm",
        ),
        ("SliceThickness <= 1.5 mm", "SliceThickness le 1.5 mm"),
        ("KVP = 120 kV", "KVP eq 120 kV"),
        ("KVP != 120000 V", "KVP ne 120 kV"),
        ("CTDIvol lt 900 uGy", "CTDIvol lt 0.9 mGy"),
        ("SpiralPitchFactor gt 1", "SpiralPitchFactor gt 1"),
        (
            "  ConvolutionKernel   eq   B70f ",
            "ConvolutionKernel eq B70f",
        ),
        (
            "ManufacturerModelName like SOMATOM Definition%",
            "ManufacturerModelName like SOMATOM Definition%",
        ),
        (
            "bodyPart eq 51185008^^SCT",
            "bodyPart eq 51185008^^2.16.840.1.113883.6.96",
        ),
        ("bodyPart ne 1^^1.2.3", "bodyPart ne 1^^1.2.3"),
        ("ContrastBolusAgent absent", "ContrastBolusAgent absent"),
        ("ContrastBolusAgent present", "ContrastBolusAgent present"),
    ] {
        let read = acquisition(asked).unwrap_or_else(|why| panic!("{asked}: {why}"));
        assert_eq!(read.to_string(), written);
        assert_eq!(acquisition(written), Ok(read));
    }
}

#[test]
fn conditions_that_mean_nothing_are_explained() {
    for (asked, said) in [
        ("SliceThicknes le 1 mm", "the nearest one is SliceThickness"),
        (
            "slicethickness le 1 mm",
            "the nearest one is SliceThickness",
        ),
        ("", "names no acquisition parameter"),
        ("SliceThickness", "a comparison is eq"),
        ("SliceThickness about 1 mm", "a comparison is eq"),
        ("SliceThickness le", "a number is missing"),
        ("SliceThickness le NaN mm", "a number is missing"),
        ("SliceThickness le inf mm", "a number is missing"),
        (
            "SliceThickness le 1",
            "its unit is missing; values are in mm",
        ),
        (
            "SliceThickness le 1 s",
            "not measured in this unit; values are in mm",
        ),
        ("SliceThickness le 1 mmm", "not measured in this unit"),
        ("SliceThickness le 1 mm thick", "not measured in this unit"),
        ("SliceThickness between 1 mm and 2 mm", "between is written"),
        ("SliceThickness between 2 and 1 mm", "ends before it begins"),
        ("SliceThickness like 1%", "not compared by like"),
        ("SliceThickness present now", "something stands behind"),
        ("ConvolutionKernel gt 3", "are no numbers"),
        ("ConvolutionKernel eq", "a value is missing"),
        ("bodyPart eq chest", "code^^codingScheme"),
        ("bodyPart like 5%", "are codes"),
    ] {
        let why = acquisition(asked).expect_err(asked);
        assert!(why.contains(said), "{asked}: {why}");
    }
    for (asked, said) in [
        ("volume gt 1 cm3", "begins with a concept"),
        ("1^^DCM gt", "a number is missing"),
        ("1^^DCM gt 1 furlong", "none of UCUM"),
        ("1^^DCM absent", "is compared by"),
        ("1^^DCM; where 2^^SCT", "behind a semicolon"),
        ("1^^DCM; site", "a name and a value"),
        ("1^^DCM; site lung", "code^^codingScheme"),
        ("1^^DCM; site 2^^SCT; site 3^^SCT", "twice"),
    ] {
        let why = measurement(asked).expect_err(asked);
        assert!(why.contains(said), "{asked}: {why}");
    }
}

#[test]
fn bounds_are_where_they_are_written() {
    let accepts = |text: &str, number: f64| {
        let (from, to) = range(&acquisition(text).unwrap().test);
        (from..=to).contains(&number)
    };
    for (text, number, passes) in [
        ("SliceThickness le 1.5 mm", 1.5, true),
        ("SliceThickness lt 1.5 mm", 1.5, false),
        ("SliceThickness lt 1.5 mm", 1.499, true),
        ("SliceThickness ge 1.5 mm", 1.5, true),
        ("SliceThickness gt 1.5 mm", 1.5, false),
        ("SliceThickness gt 1.5 mm", 1.501, true),
        ("SliceThickness eq 0.07 cm", 0.7, true),
        ("SliceThickness gt 0.07 cm", 0.7, false),
        ("SliceThickness lt 0.07 cm", 0.7, false),
        ("TableHeight lt -10 mm", -10.0, false),
        ("TableHeight le -10 mm", -10.0, true),
        ("TableHeight gt 0 mm", 0.0, false),
        ("TableHeight ge 0 mm", 0.0, true),
    ] {
        assert_eq!(accepts(text, number), passes, "{text} {number}");
    }
}

#[test]
fn a_measured_value_is_described() {
    let text = "118565006^^SCT between 1 and 5 cm3; site 39607008^^SCT; laterality 7771000^^SCT; \
                finding 27925004^^SCT; method 1^^1.2.3; derivation 2^^DCM; algorithm LungCAD%; \
                tracking lesion 1; series 1.2.3";
    let read = measurement(text).unwrap();
    assert_eq!(read.concept, "118565006^^2.16.840.1.113883.6.96");
    assert_eq!(read.tracking.as_deref(), Some("lesion 1"));
    let (from, to) = read.range().unwrap().closed();
    assert!(
        (from * 1e6 - 1.0).abs() < 1e-8 && (to * 1e6 - 5.0).abs() < 1e-8,
        "{from} {to}"
    );
    assert_eq!(measurement(&read.to_string()), Ok(read));
    let judged = measurement("1^^DCM eq R-404FA^^1.2.3").unwrap();
    assert_eq!(judged.range(), None);
    assert_eq!(
        judged.to_string(),
        "1^^1.2.840.10008.2.16.4 eq R-404FA^^1.2.3"
    );
    let any = measurement("1^^DCM present").unwrap();
    assert_eq!(any.value, None);
}

fn ask(id: &str, slots: &[(&str, &str)]) -> Result<StoredQuery, Vec<RegistryError>> {
    let status = format!("('{APPROVED}')");
    let status = ("$XDSDocumentEntryStatus", status.as_str());
    StoredQuery::read(&AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: id.to_owned(),
        home: None,
        slots: [&[status], slots]
            .concat()
            .into_iter()
            .map(|(name, value)| Slot::single(name, value))
            .collect(),
    })
}

#[test]
fn our_queries_are_read_by_either_name() {
    let slots = [
        ("$HilumAcquisition", "('KVP eq 120 kV','KVP eq 100 kV')"),
        ("$HilumAcquisition", "('ConvolutionKernel eq it''s')"),
        ("$HilumMeasurement", "('1^^DCM gt 1 cm3')"),
        ("$HilumSpecimen", "('S-1')"),
        ("$XDSDocumentEntryEventCodeList", "('CT^^1.2')"),
    ];
    let named = ask("urn:hilum:query:2026:FindDocumentsForCohort", &slots).unwrap();
    let kind = QueryKind::FindDocumentsForCohort;
    assert_eq!(ask(kind.id(), &slots), Ok(named.clone()));
    let StoredQuery::FindDocumentsForCohort(query) = &named else {
        panic!("{named:?}");
    };
    assert_eq!(
        (query.acquisition[0].len(), query.acquisition[1].len()),
        (2, 1)
    );
    assert_eq!((query.measurements.len(), query.patients.len()), (1, 0));
    assert!(!query.specimens.is_empty() && !query.filter.event_codes.is_empty());
    let written = named.to_request(ReturnType::LeafClass);
    assert_eq!(StoredQuery::read(&written), Ok(named));
    // What the framework's queries are called is no id.
    let errors = ask("urn:hilum:query:2026:FindDocuments", &[]).unwrap_err();
    assert_eq!(errors[0].code, ErrorCode::UnknownStoredQuery);
}

#[test]
fn our_queries_need_what_they_are_about() {
    for (kind, said) in [
        (
            QueryKind::FindDocumentsByAcquisition,
            "$HilumAcquisition is missing",
        ),
        (
            QueryKind::FindDocumentsByMeasurement,
            "$HilumMeasurement is missing",
        ),
        (
            QueryKind::FindDocumentsBySpecimen,
            "$HilumSpecimen is missing",
        ),
        (
            QueryKind::FindDocumentsForCohort,
            "$HilumAcquisition or $HilumMeasurement or",
        ),
    ] {
        let errors = ask(kind.id(), &[]).unwrap_err();
        assert_eq!(errors[0].code, ErrorCode::StoredQueryMissingParam);
        assert!(errors[0].context.contains(said), "{errors:?}");
    }
    let kind = QueryKind::FindDocumentsByAcquisition;
    let wrong = ("$HilumAcquisition", "('KVP eq 120 kV','Secret eq 1')");
    let errors = ask(kind.id(), &[wrong]).unwrap_err();
    assert_eq!(
        (errors.len(), &errors[0].code),
        (1, &ErrorCode::RegistryError)
    );
    let context = &errors[0].context;
    assert!(
        context.contains("condition 2: ") && !context.contains("Secret"),
        "{context}"
    );
    let many = vec!["'KVP eq 120 kV'"; MOST_CONDITIONS + 1].join(",");
    let errors = ask(kind.id(), &[("$HilumAcquisition", &format!("({many})"))]).unwrap_err();
    assert_eq!(errors[0].code, ErrorCode::StoredQueryParamNumber);
}

proptest! {
    #[test]
    fn whatever_is_asked_is_understood_again(
        text in "(SliceThickness|ConvolutionKernel|bodyPart|KVP|1\\^\\^DCM)[ a-z]{0,6}\
                 (eq|ne|lt|between|like|present)? ?[-0-9.e]{0,6}( and [0-9]{1,3})? ?\
                 (mm|cm|kV|um|[^;]{0,4})?(; ?(site|algorithm) .{0,6})?"
    ) {
        if let Ok(read) = acquisition(&text) {
            prop_assert_eq!(acquisition(&read.to_string()), Ok(read));
        }
        if let Ok(read) = measurement(&text) {
            prop_assert_eq!(measurement(&read.to_string()), Ok(read));
        }
    }
}
