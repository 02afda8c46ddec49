use std::collections::HashSet;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::ebrim::Slot;

const SNOMED_CT: &str = "2.16.840.1.113883.6.96";

fn series(uid: &str, values: &[(&'static str, Value)]) -> SeriesParameters {
    let mut series = SeriesParameters {
        series_instance_uid: uid.to_owned(),
        ..SeriesParameters::default()
    };
    for (keyword, value) in values {
        let of_keyword = series.values.entry(keyword).or_default();
        of_keyword.push(value.clone());
    }
    series
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn slot(name: &str, values: &[&str]) -> Slot {
    Slot {
        name: name.to_owned(),
        slot_type: None,
        values: values.iter().map(|&it| it.to_owned()).collect(),
    }
}

#[test]
fn each_parameter_stands_once_in_the_tables() {
    let mut seen = HashSet::new();
    for it in parameters() {
        assert!(seen.insert(it.keyword), "{}", it.keyword);
        assert!(it.keyword.len() <= 50 && it.keyword.is_ascii());
        assert!(!it.means.is_empty());
        assert_eq!(parameter(it.keyword), Some(it));
    }
    assert!(seen.len() >= 200);
    assert_eq!(parameter("PatientName"), None);
}

#[test]
fn the_documentation_names_each_parameter_with_its_unit() {
    let text = include_str!("../../../../docs/imaging-metadata.md");
    for it in parameters() {
        let unit = match it.kind {
            Kind::Number("1") => "",
            Kind::Number(unit) => &format!("`{unit}`"),
            Kind::Text => "text",
            Kind::Code => "code",
        };
        let row = format!("| `{}` | {unit} | {} |", it.keyword, it.means);
        assert!(text.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn what_is_the_same_in_most_series_is_said_once() {
    let head = Value::Code(Code::new("69536005", SNOMED_CT, "Head"));
    let given = [
        series(
            "1.1",
            &[
                ("bodyPart", head.clone()),
                ("RepetitionTime", Value::Number(2000.0)),
            ],
        ),
        series(
            "1.2",
            &[
                ("bodyPart", head.clone()),
                ("SequenceName", text("*tfl3d1=A")),
            ],
        ),
        series(
            "1.3",
            &[
                ("SequenceName", text("*tfl3d1=A")),
                ("PixelBandwidth", Value::Number(0.1)),
            ],
        ),
        series(
            "1.4",
            &[("bodyPart", head), ("SequenceName", text("*tfl3d1=A"))],
        ),
    ];
    let slots = to_slots(&given);
    let code = "bodyPart=69536005^Head^2.16.840.1.113883.6.96";
    assert_eq!(
        slots,
        [
            slot(
                "urn:hilum:acquisition:2026",
                &["SequenceName=*tfl3d1=A", code]
            ),
            slot(
                "urn:hilum:acquisition:2026:1.1",
                &["RepetitionTime=2000 ms", "SequenceName="]
            ),
            slot(
                "urn:hilum:acquisition:2026:1.2",
                &["SequenceName=*tfl3d1=A"]
            ),
            slot(
                "urn:hilum:acquisition:2026:1.3",
                &["PixelBandwidth=0.1 Hz/{pixel}", "bodyPart="]
            ),
            slot(
                "urn:hilum:acquisition:2026:1.4",
                &["SequenceName=*tfl3d1=A"]
            ),
        ]
    );
    assert_eq!(from_slots(&slots), given);
}

#[test]
fn what_cannot_be_said_is_left_out() {
    let number = parameter("EchoTime").unwrap();
    for wrong in [
        Value::Number(f64::NAN),
        Value::Number(f64::INFINITY),
        text("5 ms"),
    ] {
        assert_eq!(number.write(&wrong), None);
    }
    for wrong in [
        "5", "5 s", "5  ms", " ms", "inf ms", "NaN ms", "5 ms ", "1e999 ms",
    ] {
        assert_eq!(number.read(wrong), None, "{wrong}");
    }
    assert_eq!(number.read("5e-1 ms"), Some(Value::Number(0.5)));
    let code = parameter("bodyPart").unwrap();
    for wrong in [
        "",
        "1",
        "1^^",
        "^x^2",
        "1^x",
        "1^x^2^3",
        "1^\\Q\\^2",
        "1^\\^2",
    ] {
        assert_eq!(code.read(wrong), None, "{wrong}");
    }
    assert_eq!(code.write(&Value::Code(Code::new("", "1.2", ""))), None);
    let text_of = parameter("SequenceName").unwrap();
    assert_eq!(text_of.write(&text(" \u{1}\n ")), None);
    assert_eq!(
        text_of.write(&text(" a\nb\u{FFFE}")),
        Some("a b".to_owned())
    );
}

#[test]
fn what_is_too_long_is_cut() {
    let long = "é".repeat(300);
    let written = parameter("ProtocolName")
        .unwrap()
        .write(&text(&long))
        .unwrap();
    assert_eq!(written.chars().count(), 200);
    assert!(written.ends_with(CUT));
    let code = Code::new("1", SNOMED_CT, &long);
    let written = parameter("bodyPart").unwrap().write(&Value::Code(code));
    assert_eq!(written, Some(format!("1^^{SNOMED_CT}")));
    let code = Code::new(&long, SNOMED_CT, "");
    assert_eq!(
        parameter("bodyPart").unwrap().write(&Value::Code(code)),
        None
    );
    let tiny = Value::Number(f64::MIN_POSITIVE);
    assert!(parameter("EchoTime").unwrap().write(&tiny).unwrap().len() < 30);
}

#[test]
fn a_document_may_name_no_series() {
    let slots = [slot(SLOT, &["Modality=CT", "EchoTime=", "unknown=1"])];
    let read = from_slots(&slots);
    assert_eq!(read, [series("", &[("Modality", text("CT"))])]);
    assert_eq!(to_slots(&read), [slot(SLOT, &["Modality=CT"])]);
    assert!(from_slots(&[slot(SLOT, &["Modality="])]).is_empty());
}

#[test]
fn what_a_series_says_replaces_even_if_it_is_not_understood() {
    let slots = [
        slot(SLOT, &["EchoTime=5 ms", "Modality=MR"]),
        slot(&format!("{SLOT}:1.2"), &["EchoTime=long"]),
        slot(&format!("{SLOT}:1.2"), &["EchoTime=7 ms"]),
        slot(&format!("{SLOT}:1..2"), &["EchoTime=7 ms"]),
        slot(&format!("{SLOT}s:1.3"), &["EchoTime=7 ms"]),
    ];
    assert_eq!(
        from_slots(&slots),
        [series("1.2", &[("Modality", text("MR"))])]
    );
}

#[test]
fn a_few_bytes_do_not_become_gigabytes() {
    let common: Vec<String> = parameters()
        .filter(|it| it.kind == Kind::Text)
        .flat_map(|it| (0..100).map(move |n| format!("{}={n}", it.keyword)))
        .collect();
    let mut slots = vec![Slot {
        name: SLOT.to_owned(),
        slot_type: None,
        values: common,
    }];
    slots.extend((0..2000).map(|n| slot(&format!("{SLOT}:1.{n}"), &["Rows=1"])));
    let read = from_slots(&slots);
    let values: usize = read
        .iter()
        .flat_map(|it| it.values.values())
        .map(Vec::len)
        .sum();
    assert!(read.len() > 10 && values <= 1_000_000);
    assert!(read[0].values.values().all(|values| values.len() <= 64));
}

fn value_of(parameter: &'static Parameter) -> BoxedStrategy<Value> {
    let text = || "[ -~äß€\u{1F9E0}]{0,30}[!-~é]".prop_map(|it| it.trim().to_owned());
    match parameter.kind {
        Kind::Number(_) => proptest::num::f64::NORMAL.prop_map(Value::Number).boxed(),
        Kind::Text => text().prop_map(Value::Text).boxed(),
        Kind::Code => (text(), text(), text())
            .prop_map(|(code, scheme, display)| Value::Code(Code::new(code, scheme, display)))
            .boxed(),
    }
}

fn any_series() -> impl Strategy<Value = Vec<SeriesParameters>> {
    // Few different values, so that some are common.
    let pool: Vec<&'static Parameter> = parameters().step_by(17).collect();
    let value = select(pool).prop_flat_map(|it| (Just(it.keyword), vec(value_of(it), 1..3)));
    let pool = vec(value, 1..20);
    pool.prop_flat_map(|pool| {
        let values = vec(select(pool), 0..8).prop_map(|it| it.into_iter().collect());
        btree_map("[1-9]{1,3}(\\.[1-9]{1,5}){1,4}", values, 0..6)
    })
    .prop_map(|series| {
        let series = series.into_iter();
        series
            .map(|(series_instance_uid, values)| SeriesParameters {
                series_instance_uid,
                values,
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn nothing_is_lost(given in any_series()) {
        let slots = to_slots(&given);
        for slot in &slots {
            prop_assert!(!slot.values.is_empty());
            prop_assert!(slot.values.iter().all(|it| it.chars().count() <= 256));
        }
        prop_assert_eq!(from_slots(&slots), given);
    }

    #[test]
    fn hostile_slots_do_no_harm(
        slots in vec((
            "(urn:hilum:acquisition:2026(:[0-9.a]{0,5})?)|.{0,10}",
            vec("((bodyPart|EchoTime|Modality|Rows)=)?.{0,20}( ms|\\^\\^1)?", 0..6),
        ), 0..6)
    ) {
        let slots: Vec<_> = slots
            .into_iter()
            .map(|(name, values)| Slot { name, slot_type: None, values })
            .collect();
        let read = from_slots(&slots);
        prop_assert_eq!(from_slots(&to_slots(&read)), read);
    }
}
