use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn code() -> impl Strategy<Value = Code> {
    (".{0,12}", "[0-9A-Za-z.]{0,20}", ".{0,300}")
        .prop_map(|(code, scheme, meaning)| Code::new(code, scheme, meaning))
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ \\\\^&~|=+\t\n\u{0}\u{FFFF}x]{0,40}",
        " {0,600}",
        "(ab ){0,300}",
    ]
}

fn context_value() -> impl Strategy<Value = ContextValue> {
    prop_oneof![
        code().prop_map(ContextValue::Code),
        text().prop_map(ContextValue::Text)
    ]
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("finite", |value| value.is_finite())
}

prop_compose! {
    fn judged()(
        concept in code(),
        value in option::of(finite()),
        codes in vec(option::of(code()), 9),
        algorithm in option::of((text(), text())),
        texts in vec(option::of(text()), 4),
        context in vec((code(), context_value()), 0..3),
        segment in option::of((text(), any::<u32>())),
        source_series in vec(text(), 0..4),
        source_instances in vec(text(), 0..4),
        per_pixel in any::<bool>(),
    ) -> Measurement {
        let mut codes = codes.into_iter();
        let mut texts = texts.into_iter();
        let mut code = || codes.next().flatten();
        let mut text = || texts.next().flatten();
        Measurement {
            concept: Some(concept),
            value,
            unit: code(),
            coded_value: code(),
            per_pixel,
            qualifier: code(),
            finding: code(),
            site: code(),
            laterality: code(),
            method: code(),
            derivation: code(),
            algorithm,
            tracking_identifier: text(),
            tracking_uid: text(),
            irradiation_event_uid: text(),
            context,
            said_in: text(),
            segment,
            source_series,
            source_instances,
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost(measurements in vec(judged(), 0..4)) {
        let slots = to_slots(&measurements);
        for value in slots.iter().flat_map(|slot| &slot.values) {
            prop_assert!(value.chars().count() <= 256, "{value:?}");
            // What white space at the ends, or XML, would lose.
            prop_assert_eq!(value.trim(), value.as_str());
            prop_assert!(!value.chars().any(char::is_control));
        }
        prop_assert_eq!(from_slots(&slots), measurements);
    }

    #[test]
    fn hostile_slots_are_read_or_passed_over(
        slots in vec((
            prop_oneof![Just(format!("{SLOT}:1")), "urn:hilum:measurement:2026:.{0,8}", any::<String>()],
            vec(prop_oneof![
                any::<String>(),
                "(concept|value|unit|algorithm|segment|context|per-pixel)\\+?=[\\\\^XE0-9A-F.-]{0,20}",
            ], 0..6),
        ), 0..8),
    ) {
        let slots: Vec<_> = slots
            .into_iter()
            .map(|(name, values)| Slot { name, slot_type: None, values })
            .collect();
        let read = from_slots(&slots);
        prop_assert!(read.len() <= slots.len());
        left_out(&slots);
        // What was understood can be said again.
        prop_assert_eq!(from_slots(&to_slots(&read)), read);
    }
}

const SCT: &str = "2.16.840.1.113883.6.96";
const UCUM: &str = "2.16.840.1.113883.6.8";

fn volume() -> Measurement {
    Measurement {
        concept: Some(Code::new("118565006", SCT, "Volume")),
        value: Some(2144.5),
        unit: Some(Code::new("mm3", UCUM, "cubic millimeter")),
        finding: Some(Code::new("27925004", SCT, "Nodule")),
        algorithm: Some(("Seg^Net".to_owned(), "1.2".to_owned())),
        source_series: vec!["1.2.3".to_owned(), "1.2.4".to_owned()],
        ..Measurement::default()
    }
}

#[test]
fn how_it_is_written() {
    let slots = to_slots(&[volume()]);
    assert_eq!(slots.len(), 1);
    assert_eq!(slots[0].name, "urn:hilum:measurement:2026:1");
    assert_eq!(
        slots[0].values,
        [
            "concept=118565006^Volume^2.16.840.1.113883.6.96",
            "value=2144.5",
            "unit=mm3^cubic millimeter^2.16.840.1.113883.6.8",
            "finding=27925004^Nodule^2.16.840.1.113883.6.96",
            "algorithm=Seg\\S\\Net^1.2",
            "source-series=1.2.3",
            "source-series=1.2.4",
        ]
    );
}

#[test]
fn slots_in_any_order_and_those_of_others() {
    let mut slots = to_slots(&[
        volume(),
        Measurement {
            value: Some(1.0),
            ..volume()
        },
    ]);
    slots.reverse();
    slots.insert(1, Slot::single("urn:other", "concept=1^2^3"));
    slots.push(Slot::single(format!("{SLOT}:7"), "nothing that is known"));
    let values: Vec<_> = from_slots(&slots).iter().map(|it| it.value).collect();
    assert_eq!(values, [Some(2144.5), Some(1.0)]);
}

#[test]
fn what_is_beyond_the_limit_is_counted() {
    let many = vec![volume(); MAX_MEASUREMENTS + 3];
    let slots = to_slots(&many);
    assert_eq!(slots.len(), MAX_MEASUREMENTS + 1);
    assert_eq!(left_out(&slots), 3);
    assert_eq!(from_slots(&slots).len(), MAX_MEASUREMENTS);
    let kept = many.iter().map(Measurement::to_values);
    assert_eq!(left_out(&numbered(kept, 40)), 43);
    assert_eq!(left_out(&to_slots(&many[..2])), 0);
}

#[test]
fn numbers_that_are_none_are_not_said() {
    let nothing = Measurement {
        value: Some(f64::NAN),
        ..Measurement::default()
    };
    assert_eq!(to_slots(&[nothing]), []);
    assert_eq!(Measurement::from_values(&["value=inf".to_owned()]), None);
    let one = Measurement::from_values(&["value=1e-3".to_owned()]).unwrap();
    assert_eq!(one.value, Some(0.001));
}
