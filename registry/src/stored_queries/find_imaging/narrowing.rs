//! Which documents have to be looked at: those that the indexes name for the rarest of what is asked.
//!
//! If something is rare, its documents are looked at. If nothing is, a sample of documents tells how
//! frequent each condition on series is; what takes away more than it costs to read narrows the rarest
//! one down further. The rest is judged document by document.

mod spans;

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::iti18_registry_stored_query::{AcquisitionCondition, FindImaging};

use crate::db::{Connection, acquisitions, measurements, specimens};
use crate::failure::Failure;
use crate::imaging::facts;
use spans::Span;

/// So many documents are looked at without further ado.
const FEW: i64 = 1024;
/// Documents that may have to be looked at.
const MOST_CANDIDATES: i64 = 4_194_304;
/// Documents of a sample.
const SAMPLE: i64 = 256;
/// How many names of documents are read in the time that it takes to look at one.
const NAMES_PER_LOOK: f64 = 32.0;

/// Alternatives, one of which a document must satisfy.
struct Wanted<'q> {
    spans: Vec<Span>,
    /// What they are, if they are about series.
    conditions: &'q [AcquisitionCondition],
    /// How many documents the indexes name for them, counted so far or estimated.
    count: f64,
    /// Which part of the sample satisfies them; nothing if it cannot tell.
    share: f64,
}

/// The keys of the documents that have to be looked at, in order, each once.
pub(super) fn candidates(conn: &mut Connection, query: &FindImaging) -> Result<Vec<i64>, Failure> {
    let mut all = wanted(query);
    if all.is_empty() {
        // What a series lacks is in no index.
        let keys = acquisitions::all(conn, None, MOST_CANDIDATES + 1)?;
        return bounded(keys);
    }
    for one in &mut all {
        one.count = count(conn, &one.spans, FEW)? as f64;
    }
    let is_rare = all.iter().any(|one| one.count < FEW as f64);
    if !is_rare && all.len() > 1 {
        estimate(conn, &mut all)?;
    }
    all.sort_by(|one, other| one.count.total_cmp(&other.count));
    let mut candidates = bounded(keys(conn, &all[0].spans)?)?;
    for more in all[1..].iter().filter(|_| !is_rare) {
        let taken_away = candidates.len() as f64 * (1.0 - more.share);
        if more.count < taken_away * NAMES_PER_LOOK {
            let others = keys(conn, &more.spans)?;
            candidates.retain(|key| others.binary_search(key).is_ok());
        }
    }
    Ok(candidates)
}

/// What the indexes can tell of a question.
fn wanted(query: &FindImaging) -> Vec<Wanted<'_>> {
    let wanted = |spans, conditions| Wanted {
        spans,
        conditions,
        count: 0.0,
        share: 0.0,
    };
    let acquisition = query.acquisition.iter();
    let acquisition = acquisition.filter_map(|any| Some(wanted(spans::acquired(any)?, any)));
    let measurements = query.measurements.iter().map(|any| spans::measured(any));
    let specimens = query.specimens.0.iter().filter(|any| !any.is_empty());
    let others = measurements.chain(specimens.map(spans::about));
    acquisition
        .chain(others.map(|spans| wanted(spans, &[])))
        .collect()
}

/// Estimates how many documents there are for each. Of what is not about series, they are counted;
/// of the rest only the rarest, since the sample tells how much more frequent the others are.
fn estimate(conn: &mut Connection, all: &mut [Wanted<'_>]) -> Result<(), Failure> {
    let (of_series, others): (Vec<_>, Vec<_>) =
        all.iter_mut().partition(|one| !one.conditions.is_empty());
    for one in others {
        one.count = count(conn, &one.spans, MOST_CANDIDATES)? as f64;
    }
    if of_series.is_empty() {
        return Ok(());
    }
    let sample = acquisitions::sample(conn, SAMPLE)?;
    let mut of_series = of_series;
    for one in &mut of_series {
        let passing = sample.iter().filter(|it| {
            let series = usize::try_from(it.series).unwrap_or_default();
            facts::occurs(&it.facts, series, one.conditions)
        });
        one.share = (passing.count() as f64 + 0.5) / (sample.len() as f64 + 1.0);
    }
    of_series.sort_by(|one, other| one.share.total_cmp(&other.share));
    let rarest = count(conn, &of_series[0].spans, MOST_CANDIDATES)? as f64;
    let all_documents = rarest / of_series[0].share;
    for one in of_series {
        one.count = all_documents * one.share;
    }
    Ok(())
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

/// How often the indexes name documents, counted up to `limit` for each span.
fn count(conn: &mut Connection, spans: &[Span], limit: i64) -> Result<i64, Failure> {
    let mut all = 0;
    for span in spans {
        all += match span {
            Span::Acquisition(span) => acquisitions::count(conn, span, limit)?,
            Span::Measurement(span) => measurements::count(conn, span, limit)?,
            Span::Specimen(from, to) => specimens::count(conn, (from, to), limit)?,
        };
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
