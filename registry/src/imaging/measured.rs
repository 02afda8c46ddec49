//! Measured values: as they are kept, and as they are judged.

use xds_schemas::imaging::measurement::Measurement;
use xds_schemas::imaging::scheme::compared;
use xds_schemas::imaging::unit::Unit;
use xds_schemas::iti18_registry_stored_query::MeasurementCondition;
use xds_schemas::iti18_registry_stored_query::conditions::{Test, Wanted};
use xds_schemas::metadata::Code;

use crate::db::measurements::MeasuredValue;
use crate::db::registry_objects::{join, split};

/// How measured values are kept; those of which it is not known what was measured are not.
pub(super) fn rows(measured: &[Measurement]) -> Vec<MeasuredValue> {
    let rows = measured.iter().filter_map(|it| {
        let concept = compared(it.concept.as_ref()?);
        Some(row(it, concept))
    });
    let numbered = rows
        .zip(0..)
        .map(|(row, place)| MeasuredValue { place, ..row });
    numbered.collect()
}

fn row(measured: &Measurement, concept: String) -> MeasuredValue {
    let code = |code: &Option<Code>| code.as_ref().map(compared);
    let unit = measured.unit.as_ref().map(|unit| unit.code.as_str());
    let known = Unit::parse(unit.unwrap_or("1"));
    let number = measured.value.zip(known.as_ref());
    let number = number.map(|(value, unit)| value * unit.factor());
    let (algorithm, version) = measured.algorithm.clone().unzip();
    MeasuredValue {
        key: 0,
        place: 0,
        concept,
        number: number.filter(|number| number.is_finite()),
        dimension: known.map_or_else(String::new, |unit| dimension(&unit)),
        value: measured.value.filter(|value| value.is_finite()),
        unit: unit.map(str::to_owned),
        coded_value: code(&measured.coded_value),
        qualifier: code(&measured.qualifier),
        finding: code(&measured.finding),
        site: code(&measured.site),
        laterality: code(&measured.laterality),
        method: code(&measured.method),
        derivation: code(&measured.derivation),
        algorithm,
        algorithm_version: version,
        tracking_identifier: measured.tracking_identifier.clone(),
        tracking_uid: measured.tracking_uid.clone(),
        said_in: measured.said_in.clone(),
        source_series: join(measured.source_series.iter().cloned()),
    }
}

/// Base units, and behind them in braces what is counted.
fn dimension(unit: &Unit) -> String {
    match unit.annotation() {
        "" => unit.dimension(),
        annotation => format!("{}{{{annotation}}}", unit.dimension()),
    }
}

/// Whether a value in one dimension may be compared with one in the other: one that says what is
/// counted only with one that says the same.
fn is_comparable(own: &str, asked: &Unit) -> bool {
    match asked.annotation() {
        "" => own.split('{').next() == Some(asked.dimension().as_str()),
        _ => own == dimension(asked),
    }
}

/// Numbers between which the values lie that satisfy a condition, if it asks for a range.
pub(crate) fn range(condition: &MeasurementCondition) -> Option<(f64, f64)> {
    match condition.value {
        Some(Test::Is(_)) => condition.range().map(|range| range.closed()),
        _ => None,
    }
}

/// Whether a measured value satisfies a condition.
pub(crate) fn accepts(measured: &MeasuredValue, condition: &MeasurementCondition) -> bool {
    let code = |own: &Option<String>, asked: &Option<String>| asked.is_none() || own == asked;
    let algorithm = condition.algorithm.as_ref().is_none_or(|pattern| {
        let name = measured.algorithm.as_deref();
        name.is_some_and(|name| pattern.matches(name))
    });
    let tracking = condition.tracking.as_ref().is_none_or(|asked| {
        [&measured.tracking_identifier, &measured.tracking_uid]
            .into_iter()
            .any(|own| own.as_ref() == Some(asked))
    });
    let series = condition
        .series
        .as_ref()
        .is_none_or(|asked| split(&measured.source_series).any(|series| series == asked));
    measured.concept == condition.concept
        && code(&measured.finding, &condition.finding)
        && code(&measured.site, &condition.site)
        && code(&measured.laterality, &condition.laterality)
        && code(&measured.method, &condition.method)
        && code(&measured.derivation, &condition.derivation)
        && algorithm
        && tracking
        && series
        && has_value(measured, condition)
}

fn has_value(measured: &MeasuredValue, condition: &MeasurementCondition) -> bool {
    let Some(test) = &condition.value else {
        return true;
    };
    match test {
        Test::Is(Wanted::Text(_)) | Test::IsNot(Wanted::Text(_)) => {
            test.accepts(&measured.coded_value, |own, wanted| match wanted {
                Wanted::Text(pattern) => pattern.matches(own),
                Wanted::Number(_) => false,
            })
        }
        _ => {
            let unit = Unit::parse(&condition.unit);
            let comparable = unit.filter(|unit| is_comparable(&measured.dimension, unit));
            let (Some(range), Some(_)) = (condition.range(), comparable) else {
                return false;
            };
            test.accepts(measured.number, |own, _| range.accepts(*own))
        }
    }
}
