//! Where in the indexes the documents stand that satisfy a condition.

use xds_schemas::iti18_registry_stored_query::conditions::{Test, Wanted};
use xds_schemas::iti18_registry_stored_query::filter::{AnyOf, Pattern};
use xds_schemas::iti18_registry_stored_query::{AcquisitionCondition, MeasurementCondition};

use crate::db::{acquisitions, measurements};
use crate::imaging::{indexed_word, measured_range};

/// No word is greater than those that begin with something, and have this behind it.
const LAST: char = '\u{10ffff}';

/// A part of one index.
pub(super) enum Span {
    Acquisition(acquisitions::Span),
    Measurement(measurements::Span),
    Specimen(String, String),
}

/// The spans of alternatives, if each of them has one: what a series lacks is in no index.
pub(super) fn acquired(alternatives: &[AcquisitionCondition]) -> Option<Vec<Span>> {
    let spans = alternatives.iter().map(|condition| {
        let keyword = condition.keyword;
        let span = match &condition.test {
            Test::Absent => return None,
            Test::Is(Wanted::Number(range)) => {
                let (from, to) = range.closed();
                acquisitions::Span::Numbers(keyword, from, to)
            }
            Test::Is(Wanted::Text(pattern)) => {
                let (from, to) = words(pattern);
                acquisitions::Span::Words(keyword, from, to)
            }
            Test::IsNot(_) | Test::Present if condition.is_of_number() => {
                acquisitions::Span::Numbers(keyword, f64::MIN, f64::MAX)
            }
            Test::IsNot(_) | Test::Present => {
                acquisitions::Span::Words(keyword, String::new(), LAST.to_string())
            }
        };
        Some(Span::Acquisition(span))
    });
    spans.collect()
}

pub(super) fn measured(alternatives: &[MeasurementCondition]) -> Vec<Span> {
    let span = |condition: &MeasurementCondition| {
        Span::Measurement(measurements::Span {
            concept: condition.concept.clone(),
            range: measured_range(condition),
        })
    };
    alternatives.iter().map(span).collect()
}

pub(super) fn about(specimens: &AnyOf) -> Vec<Span> {
    let span = |pattern: &Pattern| {
        let (from, to) = words(pattern);
        Span::Specimen(from, to)
    };
    specimens.0.iter().map(span).collect()
}

/// The words between which those lie that a pattern lets pass.
fn words(pattern: &Pattern) -> (String, String) {
    let from = indexed_word(pattern.beginning()).to_owned();
    let to = match pattern.beginning() == pattern.as_str() {
        true => from.clone(),
        false => format!("{from}{LAST}"),
    };
    (from, to)
}
