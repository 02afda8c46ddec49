//! What a document says of its series, as it is kept to be judged: each value once, with the series
//! that have it.
//!
//! A line is a keyword, `n` for a number or `t` for a text or code, the value, and the places of the
//! series that have it; no places at all are all of them. The characters between cannot stand in
//! XML, so no value holds them.

use std::collections::BTreeMap;
use std::fmt::Write;

use xds_schemas::imaging::acquisition::{SeriesParameters, Value};
use xds_schemas::imaging::scheme;
use xds_schemas::iti18_registry_stored_query::AcquisitionCondition;
use xds_schemas::iti18_registry_stored_query::conditions::{Test, Wanted};

/// Between the parts of a line.
const PART: char = '\u{1f}';
/// Between lines.
const LINE: char = '\u{1e}';

/// A value as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fact {
    /// In the unit of the parameter.
    Number(f64),
    /// A text, or `code^^scheme`.
    Word(String),
}

impl Fact {
    fn of(value: &Value) -> Self {
        match value {
            // There is one zero.
            Value::Number(number) => Self::Number(number + 0.0),
            Value::Text(text) => Self::Word(text.clone()),
            Value::Code(code) => Self::Word(scheme::compared(code)),
        }
    }

    fn order(&self) -> (u64, &str) {
        match self {
            Self::Number(number) => (number.to_bits(), ""),
            Self::Word(word) => (0, word),
        }
    }
}

/// A value of a parameter, and the places of the series that have it.
type Held = (&'static str, Fact, Vec<usize>);

/// Every value once.
pub(crate) fn held(series: &[SeriesParameters]) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    let mut by_keyword: BTreeMap<&'static str, Vec<(Fact, usize)>> = BTreeMap::new();
    for (place, series) in series.iter().enumerate() {
        for (keyword, values) in &series.values {
            let facts = values.iter().map(|value| (Fact::of(value), place));
            by_keyword.entry(keyword).or_default().extend(facts);
        }
    }
    for (keyword, mut facts) in by_keyword {
        facts.sort_by(|(one, at), (other, later)| (one.order(), at).cmp(&(other.order(), later)));
        facts.dedup();
        for (fact, place) in facts {
            match held.last_mut() {
                Some((last, known, places)) if *last == keyword && *known == fact => {
                    places.push(place);
                }
                _ => held.push((keyword, fact, vec![place])),
            }
        }
    }
    held
}

/// The lines that say this of so many series.
pub(crate) fn write(held: &[Held], series: usize) -> String {
    let mut text = String::with_capacity(held.len() * 32);
    for (keyword, fact, places) in held {
        // Writing to a String cannot fail.
        _ = match fact {
            Fact::Number(number) => write!(text, "{keyword}{PART}n{PART}{number}{PART}"),
            Fact::Word(word) => write!(text, "{keyword}{PART}t{PART}{word}{PART}"),
        };
        if places.len() < series {
            let places: Vec<String> = places.iter().map(ToString::to_string).collect();
            text.push_str(&places.join(","));
        }
        text.push(LINE);
    }
    text
}

/// The values that were written. Lines that are none are left out.
pub(crate) fn read(facts: &str) -> impl Iterator<Item = (&str, Fact)> {
    facts.split(LINE).filter_map(|line| {
        let (keyword, line) = line.split_once(PART)?;
        let (kind, line) = line.split_once(PART)?;
        let (value, _) = line.split_once(PART)?;
        let fact = match kind {
            "n" => Fact::Number(value.parse().ok()?),
            _ => Fact::Word(value.to_owned()),
        };
        Some((keyword, fact))
    })
}

/// Whether one series satisfies all of the lists, of each by one of its conditions.
pub(crate) fn accept(facts: &str, series: usize, conditions: &[Vec<AcquisitionCondition>]) -> bool {
    let mut left = Places::all(series);
    for alternatives in conditions {
        let mut any = Places::none(series);
        for condition in alternatives {
            any.add(&with(facts, series, condition));
        }
        left.keep(&any);
        if left.is_empty() {
            return false;
        }
    }
    true
}

/// Whether any series satisfies one of the conditions.
pub(crate) fn occurs(facts: &str, series: usize, conditions: &[AcquisitionCondition]) -> bool {
    let mut conditions = conditions.iter();
    conditions.any(|condition| !with(facts, series, condition).is_empty())
}

/// The series that satisfy a condition.
fn with(facts: &str, series: usize, condition: &AcquisitionCondition) -> Places {
    let mut present = Places::none(series);
    let mut passing = Places::none(series);
    let wanted = match &condition.test {
        Test::Is(wanted) | Test::IsNot(wanted) => Some(Compared::with(wanted)),
        Test::Present | Test::Absent => None,
    };
    for line in facts.split(LINE) {
        let line = line.strip_prefix(condition.keyword);
        let Some(line) = line.and_then(|line| line.strip_prefix(PART)) else {
            continue;
        };
        let mut parts = line.splitn(3, PART);
        let (Some(_), Some(value), Some(places)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        present.insert(places);
        if wanted.as_ref().is_some_and(|wanted| wanted.accepts(value)) {
            passing.insert(places);
        }
    }
    match &condition.test {
        Test::Present => present,
        Test::Is(_) => passing,
        Test::Absent => present.others(series),
        Test::IsNot(_) => {
            present.keep(&passing.others(series));
            present
        }
    }
}

/// What a value is compared with.
enum Compared<'a> {
    Number(f64, f64),
    Text(&'a Wanted),
}

impl<'a> Compared<'a> {
    fn with(wanted: &'a Wanted) -> Self {
        match wanted {
            Wanted::Number(range) => {
                let (from, to) = range.closed();
                Self::Number(from, to)
            }
            Wanted::Text(_) => Self::Text(wanted),
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::Number(from, to) => {
                let number: Result<f64, _> = value.parse();
                number.is_ok_and(|number| (*from..=*to).contains(&number))
            }
            Self::Text(Wanted::Text(pattern)) => pattern.matches(value),
            Self::Text(Wanted::Number(_)) => false,
        }
    }
}

/// Some of the series, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Places(Vec<u64>);

impl Places {
    fn none(series: usize) -> Self {
        Self(vec![0; series.div_ceil(64)])
    }

    fn all(series: usize) -> Self {
        Self::none(series).others(series)
    }

    /// Those that are written so.
    fn insert(&mut self, places: &str) {
        if places.is_empty() {
            self.0.fill(u64::MAX);
        }
        for place in places.split(',').filter_map(|place| place.parse().ok()) {
            let place: usize = place;
            if let Some(word) = self.0.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(own, more)| *own |= more);
    }

    fn keep(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(own, more)| *own &= more);
    }

    fn others(&self, series: usize) -> Self {
        let mut others: Vec<u64> = self.0.iter().map(|word| !word).collect();
        if let (Some(last), more @ 1..) = (others.last_mut(), series % 64) {
            *last &= (1 << more) - 1;
        }
        Self(others)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}
