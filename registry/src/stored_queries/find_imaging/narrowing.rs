//! Which documents have to be looked at: those that the indexes name for the rarest of what is asked.
//!
//! What is asked is counted, no further than it takes to know what is rarest. Its documents are the
//! candidates; what is not much more frequent takes more of them away. The rest is judged document by
//! document.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::iti18_registry_stored_query::conditions::{Test, Wanted};
use xds_schemas::iti18_registry_stored_query::filter::{AnyOf, Pattern};
use xds_schemas::iti18_registry_stored_query::{
    AcquisitionCondition, FindImaging, MeasurementCondition,
};

use crate::db::{Connection, acquisitions, measurements, specimens};
use crate::failure::Failure;
use crate::imaging::{indexed_word, measured_range};

/// How far is counted at first, and how much further each time.
const FIRST_LIMIT: i64 = 4096;
const FURTHER: i64 = 16;
/// Documents that may have to be looked at.
const MOST_CANDIDATES: i64 = 4_194_304;
/// Reading so many names of documents costs as much as looking at one of them.
const NAMES_PER_LOOK: i64 = 8;
/// No word is greater than those that begin with something, and have this behind it.
const LAST: char = '\u{10ffff}';

/// Documents that one index names.
enum Span {
    Acquisition(acquisitions::Span),
    Measurement(measurements::Span),
    Specimen(String, String),
}

/// Alternatives, with how many documents there are for all of them.
struct Counted {
    spans: Vec<Span>,
    count: i64,
}

/// The keys of the documents that have to be looked at, in order, each once.
pub(super) fn candidates(conn: &mut Connection, query: &FindImaging) -> Result<Vec<i64>, Failure> {
    let mut all = spans(query);
    if all.is_empty() {
        // What a series lacks is in no index.
        let keys = acquisitions::all(conn, None, MOST_CANDIDATES + 1)?;
        return bounded(keys);
    }
    let mut limit = FIRST_LIMIT;
    loop {
        for one in &mut all {
            one.count = count(conn, &one.spans, limit)?;
        }
        all.sort_by_key(|one| one.count);
        if all[0].count < limit || limit > MOST_CANDIDATES {
            break;
        }
        limit *= FURTHER;
    }
    let mut candidates = bounded(keys(conn, &all[0].spans)?)?;
    for more in &all[1..] {
        let worth = candidates.len() as i64 * NAMES_PER_LOOK;
        if more.count >= limit.min(worth) {
            break;
        }
        let others = keys(conn, &more.spans)?;
        candidates.retain(|key| others.binary_search(key).is_ok());
    }
    Ok(candidates)
}

fn bounded(keys: Vec<i64>) -> Result<Vec<i64>, Failure> {
    match keys.len() as i64 <= MOST_CANDIDATES {
        true => Ok(keys),
        false => Err(Failure::refused(
            ErrorCode::TooManyResults,
            format!("more than {MOST_CANDIDATES} documents would have to be looked at"),
        )),
    }
}

fn count(conn: &mut Connection, spans: &[Span], limit: i64) -> Result<i64, Failure> {
    let mut all = 0;
    for span in spans {
        all += match span {
            Span::Acquisition(span) => acquisitions::count(conn, span, limit)?,
            Span::Measurement(span) => measurements::count(conn, span, limit)?,
            Span::Specimen(from, to) => specimens::count(conn, (from, to), limit)?,
        };
        if all >= limit {
            break;
        }
    }
    Ok(all)
}

/// The keys of these documents, in order, each once.
fn keys(conn: &mut Connection, spans: &[Span]) -> Result<Vec<i64>, Failure> {
    let limit = MOST_CANDIDATES + 1;
    let mut all = Vec::new();
    for span in spans {
        all.extend(match span {
            Span::Acquisition(span) => acquisitions::keys(conn, span, limit)?,
            Span::Measurement(span) => measurements::keys(conn, span, limit)?,
            Span::Specimen(from, to) => specimens::keys(conn, (from, to), limit)?,
        });
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// What the indexes can tell of a question.
fn spans(query: &FindImaging) -> Vec<Counted> {
    let acquisition = query.acquisition.iter().map(|any| all_of(any, acquired));
    let measurements = query.measurements.iter().map(|any| all_of(any, measured));
    let specimens = query.specimens.0.iter().map(about);
    let all = acquisition.chain(measurements).chain(specimens);
    all.flatten()
        .map(|spans| Counted { spans, count: 0 })
        .collect()
}

/// The spans of alternatives, if each of them has one.
fn all_of<T>(alternatives: &[T], span: fn(&T) -> Option<Span>) -> Option<Vec<Span>> {
    alternatives.iter().map(span).collect()
}

fn acquired(condition: &AcquisitionCondition) -> Option<Span> {
    let keyword = condition.keyword;
    let of = |wanted: &Wanted, all: bool| match wanted {
        Wanted::Number(range) => {
            let (from, to) = if all {
                (f64::MIN, f64::MAX)
            } else {
                range.closed()
            };
            acquisitions::Span::Numbers(keyword, from, to)
        }
        Wanted::Text(pattern) => {
            let (from, to) = if all { every_word() } else { words(pattern) };
            acquisitions::Span::Words(keyword, from, to)
        }
    };
    match &condition.test {
        Test::Is(wanted) => Some(Span::Acquisition(of(wanted, false))),
        Test::IsNot(wanted) => Some(Span::Acquisition(of(wanted, true))),
        Test::Present => {
            let is_number = condition.is_of_number();
            let (from, to) = every_word();
            Some(Span::Acquisition(match is_number {
                true => acquisitions::Span::Numbers(keyword, f64::MIN, f64::MAX),
                false => acquisitions::Span::Words(keyword, from, to),
            }))
        }
        Test::Absent => None,
    }
}

fn measured(condition: &MeasurementCondition) -> Option<Span> {
    Some(Span::Measurement(measurements::Span {
        concept: condition.concept.clone(),
        range: measured_range(condition),
    }))
}

fn about(specimens: &AnyOf) -> Option<Vec<Span>> {
    let span = |pattern: &Pattern| {
        let (from, to) = words(pattern);
        Span::Specimen(from, to)
    };
    (!specimens.is_empty()).then(|| specimens.0.iter().map(span).collect())
}

fn every_word() -> (String, String) {
    (String::new(), LAST.to_string())
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
