//! What the index finds is what a plain look at every document finds.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::imaging::acquisition::{SeriesParameters, Value, parameter};
use xds_schemas::imaging::measurement::Measurement;
use xds_schemas::imaging::{acquisition, measurement};
use xds_schemas::iti18_registry_stored_query::conditions::{Test, Wanted};
use xds_schemas::iti18_registry_stored_query::{
    AcquisitionCondition, AllOf, AnyOf, DocumentFilter, FindDocumentsForMultiplePatients,
    FindImaging, MeasurementCondition, Pattern, StoredQuery, Visibility,
};
use xds_schemas::metadata::{
    Code, DocumentEntry, DocumentEntryType, HomeCommunityId, PatientId, Submission, SubmissionSet,
};

#[path = "../../tests/registry/postgres.rs"]
mod postgres;

use super::*;
use crate::config::UnknownPatients;
use crate::db::registry_objects::Wanted as Much;
use crate::stored_queries::{self, Search};
use crate::submission::{self, Prepared};

const SCT: &str = "2.16.840.1.113883.6.96";
const NUMBERS: [&str; 3] = ["SliceThickness", "KVP", "SpiralPitchFactor"];
const TEXTS: [&str; 2] = ["ConvolutionKernel", "ProtocolName"];
const WORDS: [&str; 5] = ["B", "B70f", "B70", "b70f", "Ä%_"];
const STEPS: [f64; 5] = [-1.5, 0.0, 0.7, 1.0, 120.0];

/// A document as it is made up: its series and its measured values.
type Made = (Vec<SeriesParameters>, Vec<Measurement>);

fn value_of(keyword: &'static str) -> BoxedStrategy<Value> {
    if NUMBERS.contains(&keyword) {
        proptest::sample::select(&STEPS[..])
            .prop_map(Value::Number)
            .boxed()
    } else if keyword == "bodyPart" {
        let code = |code: &str| Value::Code(Code::new(code, SCT, ""));
        proptest::sample::select(&["1", "2"][..])
            .prop_map(code)
            .boxed()
    } else {
        let text = |text: &str| Value::Text(text.to_owned());
        proptest::sample::select(&WORDS[..]).prop_map(text).boxed()
    }
}

fn keywords() -> impl Strategy<Value = &'static str> {
    let known = NUMBERS.into_iter().chain(TEXTS).chain(["bodyPart"]);
    let known = known.map(|keyword| parameter(keyword).unwrap().keyword);
    proptest::sample::select(known.collect::<Vec<_>>())
}

fn one_series() -> impl Strategy<Value = BTreeMap<&'static str, Vec<Value>>> {
    let values = keywords().prop_flat_map(|keyword| {
        (
            Just(keyword),
            proptest::collection::vec(value_of(keyword), 1..3),
        )
    });
    proptest::collection::vec(values, 0..6).prop_map(|values| values.into_iter().collect())
}

fn one_measurement() -> impl Strategy<Value = Measurement> {
    let code = |codes: &'static [&'static str]| {
        proptest::option::of(proptest::sample::select(codes))
            .prop_map(|code| code.map(|code| Code::new(code, SCT, "")))
    };
    (
        code(&["volume", "length"]),
        proptest::option::of(proptest::sample::select(&STEPS[..])),
        proptest::sample::select(&["mm3", "cm3", "mm", "{nodules}", "odd"][..]),
        code(&["lung", "liver"]),
        code(&["3", "4A"]),
    )
        .prop_map(|(concept, value, unit, site, coded_value)| Measurement {
            concept: concept.or_else(|| Some(Code::new("volume", SCT, ""))),
            value,
            unit: Some(Code::new(unit, "UCUM", unit)),
            site,
            coded_value,
            ..Measurement::default()
        })
}

fn document() -> impl Strategy<Value = Made> {
    let series = proptest::collection::vec(one_series(), 0..4);
    let series = series.prop_map(|all| {
        let numbered = all.into_iter().zip(1..);
        let series = |(values, uid): (_, u32)| SeriesParameters {
            series_instance_uid: format!("1.2.3.{uid}"),
            values,
        };
        numbered.map(series).collect()
    });
    (series, proptest::collection::vec(one_measurement(), 0..3))
}

fn condition() -> impl Strategy<Value = AcquisitionCondition> {
    let operators = &[
        "eq", "ne", "lt", "le", "gt", "ge", "like", "present", "absent",
    ][..];
    (keywords(), proptest::sample::select(operators), 0..5_usize).prop_map(
        |(keyword, operator, at)| {
            let unit = match keyword {
                "SliceThickness" => " um",
                "KVP" => " kV",
                _ => "",
            };
            let text = match operator {
                "present" | "absent" => format!("{keyword} {operator}"),
                _ if NUMBERS.contains(&keyword) => {
                    let scale = if unit == " um" { 1000.0 } else { 1.0 };
                    let operator = if operator == "like" { "eq" } else { operator };
                    format!("{keyword} {operator} {}{unit}", STEPS[at] * scale)
                }
                _ if keyword == "bodyPart" => format!("bodyPart ne {at}^^SCT"),
                "like" => format!("{keyword} like {}", ["B%", "%70f", "B_", "%", "Ä%"][at]),
                "ne" => format!("{keyword} ne {}", WORDS[at]),
                _ => format!("{keyword} eq {}", WORDS[at]),
            };
            text.parse().unwrap()
        },
    )
}

fn measurement_condition() -> impl Strategy<Value = MeasurementCondition> {
    let texts = &[
        "volume^^SCT",
        "volume^^SCT gt 0.7 cm3",
        "volume^^SCT between -2 and 1000 mm3",
        "volume^^SCT ne 1000 mm3",
        "volume^^SCT eq 4A^^SCT",
        "volume^^SCT ne 4A^^SCT; site lung^^SCT",
        "length^^SCT le 0.1 cm; site liver^^SCT",
        "length^^SCT eq 1",
        "volume^^SCT ge 1 {nodules}",
    ][..];
    proptest::sample::select(texts).prop_map(|text| text.parse().unwrap())
}

fn lists<T: std::fmt::Debug>(one: impl Strategy<Value = T>) -> impl Strategy<Value = Vec<Vec<T>>> {
    proptest::collection::vec(proptest::collection::vec(one, 1..3), 0..4)
}

/// The same in another way: series by series, from the values themselves.
fn passes(value: &Value, wanted: &Wanted) -> bool {
    match (value, wanted) {
        (Value::Number(number), Wanted::Number(range)) => {
            let near = |bound: f64| (number - bound).abs() <= bound.abs() * 1e-9;
            let from = match range.from {
                std::ops::Bound::Included(from) => *number > from || near(from),
                std::ops::Bound::Excluded(from) => *number > from && !near(from),
                std::ops::Bound::Unbounded => true,
            };
            let to = match range.to {
                std::ops::Bound::Included(to) => *number < to || near(to),
                std::ops::Bound::Excluded(to) => *number < to && !near(to),
                std::ops::Bound::Unbounded => true,
            };
            from && to
        }
        (Value::Text(text), Wanted::Text(pattern)) => pattern.matches(text),
        (Value::Code(code), Wanted::Text(pattern)) => {
            pattern.as_str() == format!("{}^^{}", code.code, code.scheme)
        }
        _ => false,
    }
}

fn series_passes(series: &SeriesParameters, condition: &AcquisitionCondition) -> bool {
    let values = series.values.get(condition.keyword);
    match &condition.test {
        Test::Present => values.is_some(),
        Test::Absent => values.is_none(),
        Test::Is(wanted) => values.is_some_and(|all| all.iter().any(|it| passes(it, wanted))),
        Test::IsNot(wanted) => values.is_some_and(|all| !all.iter().any(|it| passes(it, wanted))),
    }
}

fn measurement_passes(it: &Measurement, condition: &MeasurementCondition) -> bool {
    let written = |code: &Option<Code>| code.as_ref().map(|it| format!("{}^^{SCT}", it.code));
    if written(&it.concept).as_ref() != Some(&condition.concept)
        || (condition.site.is_some() && written(&it.site) != condition.site)
    {
        return false;
    }
    let own = it.unit.as_ref().unwrap().code.as_str();
    // How many of the condition's unit are one of the value's.
    let factor = match (own, condition.unit.as_str()) {
        (own, asked) if own == asked => Some(1.0),
        ("mm3", "cm3") => Some(1e-3),
        ("cm3", "mm3") => Some(1e3),
        ("mm", "cm") => Some(0.1),
        ("{nodules}", "1") => Some(1.0),
        _ => None,
    };
    let number = it
        .value
        .zip(factor)
        .map(|(value, factor)| Value::Number(value * factor));
    let coded = written(&it.coded_value).map(Value::Text);
    match &condition.value {
        None => true,
        Some(Test::Is(wanted @ Wanted::Number(_))) => number.is_some_and(|it| passes(&it, wanted)),
        Some(Test::IsNot(wanted @ Wanted::Number(_))) => {
            number.is_some_and(|it| !passes(&it, wanted))
        }
        Some(Test::Is(wanted)) => coded.is_some_and(|it| passes(&it, wanted)),
        Some(Test::IsNot(wanted)) => coded.is_some_and(|it| !passes(&it, wanted)),
        Some(other) => panic!("{other:?}"),
    }
}

fn plainly_passes((series, measured): &Made, query: &FindImaging) -> bool {
    let made = |series: &SeriesParameters| {
        let any = |any: &Vec<AcquisitionCondition>| any.iter().any(|it| series_passes(series, it));
        query.acquisition.iter().all(any)
    };
    // Without any value, a document says nothing of its series.
    let says = series.iter().any(|series| !series.values.is_empty());
    (query.acquisition.is_empty() || (says && series.iter().any(made)))
        && query.measurements.iter().all(|any| {
            let of = |it| measured.iter().any(|value| measurement_passes(value, it));
            any.iter().any(of)
        })
}

fn find() -> FindImaging {
    FindImaging {
        patients: Vec::new(),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
        acquisition: Vec::new(),
        measurements: Vec::new(),
        specimens: AllOf::default(),
    }
}

fn search() -> Search {
    Search {
        wanted: Much::Rows,
        max_results: 10_000,
        unknown_patients: UnknownPatients::Accept,
        visibility: Visibility::default(),
        sight: None,
    }
}

struct Tried {
    connection: Connection,
    made: Vec<Made>,
}

/// A registry of these documents, of three patients.
fn registry(url: &str, made: Vec<Made>) -> Tried {
    let mut connection = Connection::open(url).unwrap();
    connection.migrate().unwrap();
    let work = |conn: &mut Connection| {
        for (at, (series, measured)) in made.iter().enumerate() {
            let patient = PatientId::new(format!("P{}", at % 3), "1.2.3");
            let mut submission = Submission::new(SubmissionSet {
                patient_id: Some(patient.clone()),
                ..SubmissionSet::new("Set", format!("1.2.4.{at}"), "1.2.3.5")
            });
            let mut entry = DocumentEntry::new("Document", format!("1.2.5.{at}"), "text/plain");
            entry.patient_id = Some(patient);
            entry.extra.slots = acquisition::to_slots(series);
            entry.extra.slots.extend(measurement::to_slots(measured));
            submission.add_document(entry);
            let home = HomeCommunityId::from("urn:oid:1.2.3");
            let prepared = Prepared::new(submission, Vec::new(), &home, 0);
            assert_eq!(prepared.remarks(), []);
            submission::register(conn, &prepared, UnknownPatients::Accept, None)?;
        }
        Ok(())
    };
    connection.transaction(work).unwrap();
    Tried { connection, made }
}

impl Tried {
    /// Which of the documents are found.
    fn find(&mut self, query: &FindImaging) -> Vec<usize> {
        // A filter that lets everything pass, so that whole rows are read.
        let mut query = query.clone();
        query.filter.availabilities =
            vec![xds_schemas::codes::status::DocumentAvailability::Online];
        let query = StoredQuery::FindDocumentsForCohort(query);
        let found = stored_queries::answer(&mut self.connection, &query, &search()).unwrap();
        let place = |unique_id: Option<String>| {
            let place = unique_id.unwrap().strip_prefix("1.2.5.").unwrap().parse();
            place.unwrap()
        };
        let mut places: Vec<usize> = found
            .into_iter()
            .map(|it| place(it.row.unique_id))
            .collect();
        places.sort_unstable();
        places
    }
}

/// Registries of random documents, each in a database of its own, are asked random questions.
fn compare(new_database: impl Fn() -> String) {
    let mut runner = TestRunner::new(Config {
        cases: 6,
        ..Config::default()
    });
    let documents = proptest::collection::vec(document(), 60);
    let queries = (lists(condition()), lists(measurement_condition()));
    let queries = proptest::collection::vec(queries, 60);
    let (found, asked) = (Cell::new(0), Cell::new(0));
    let tried = runner.run(&(documents, queries), |(documents, queries)| {
        let mut tried = registry(&new_database(), documents);
        for (acquisition, measurements) in queries {
            let mut query = FindImaging {
                acquisition,
                measurements,
                ..find()
            };
            if query.acquisition.is_empty() && query.measurements.is_empty() {
                continue;
            }
            let all = tried.made.iter().enumerate();
            let all = all.filter(|(_, made)| plainly_passes(made, &query));
            let expected: Vec<usize> = all.map(|(at, _)| at).collect();
            prop_assert_eq!(tried.find(&query), &expected[..], "{:?}", query);
            query.patients = vec![PatientId::new("P1", "1.2.3")];
            let of_one: Vec<usize> = expected.iter().copied().filter(|at| at % 3 == 1).collect();
            prop_assert_eq!(tried.find(&query), of_one, "{:?}", query);
            found.set(found.get() + expected.len());
            asked.set(asked.get() + 1);
        }
        Ok(())
    });
    tried.unwrap();
    let (found, asked) = (found.get(), asked.get());
    assert!(
        found > asked,
        "{asked} questions found only {found} documents"
    );
}

/// Among ten thousand documents, those with a value of a range are found at least ten times as fast as
/// by reading all of them, as ITI-51 does that by a code.
fn a_range_is_found_quickly(url: &str) {
    const DOCUMENTS: u32 = 10_000;
    let series = |at: u32| {
        let keyword = parameter("SliceThickness").unwrap().keyword;
        let number = Value::Number(f64::from(at) / 100.0);
        SeriesParameters {
            series_instance_uid: format!("1.2.3.{at}"),
            values: BTreeMap::from([(keyword, vec![number])]),
        }
    };
    let made = (0..DOCUMENTS).map(|number| (vec![series(number)], Vec::new()));
    let mut tried = registry(url, made.collect());
    let condition = "SliceThickness between 20 and 20.04 mm".parse().unwrap();
    let mut query = find();
    query.acquisition = vec![vec![condition]];
    let everybody =
        StoredQuery::FindDocumentsForMultiplePatients(FindDocumentsForMultiplePatients {
            patients: Vec::new(),
            statuses: query.statuses.clone(),
            filter: DocumentFilter {
                class_codes: AnyOf(vec![Pattern::exact("none^^1.2")]),
                ..query.filter.clone()
            },
        });
    let mut fastest = |work: &mut dyn FnMut(&mut Tried)| {
        let once = |_| {
            let began = Instant::now();
            work(&mut tried);
            began.elapsed()
        };
        (0..5).map(once).min().unwrap()
    };
    let by_index = fastest(&mut |tried| {
        assert_eq!(tried.find(&query), (2000..=2004).collect::<Vec<_>>());
    });
    let by_reading = fastest(&mut |tried| {
        let found = stored_queries::answer(&mut tried.connection, &everybody, &search()).unwrap();
        assert!(found.is_empty());
    });
    assert!(
        by_index * 10 < by_reading,
        "{by_index:?} and {by_reading:?}"
    );
}

#[test]
fn a_range_is_found_quickly_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    a_range_is_found_quickly(&format!("sqlite:{}/registry.db", folder.path().display()));
}

#[test]
fn a_range_is_found_quickly_on_postgresql() {
    if let Some(server) = postgres::Server::start() {
        a_range_is_found_quickly(&server.new_database());
    }
}

#[test]
fn the_index_finds_what_a_plain_look_finds() {
    let folder = tempfile::tempdir().unwrap();
    let next = Cell::new(0);
    compare(|| {
        next.set(next.get() + 1);
        format!("sqlite:{}/{}.db", folder.path().display(), next.get())
    });
}

#[test]
fn the_index_finds_it_on_postgresql_too() {
    if let Some(server) = postgres::Server::start() {
        compare(|| server.new_database());
    }
}
