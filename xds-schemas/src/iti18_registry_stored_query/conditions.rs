//! Conditions of our own queries: what acquisition parameters and measured values have to be
//! (`docs/imaging-queries.md`).
//!
//! A condition is text: `SliceThickness between 0.5 and 1.5 mm`. Read, its numbers are in known
//! units and its codes have the OIDs of their schemes; written, it is read as the same.

mod acquisition;
mod measurement;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Bound;

use super::filter::Pattern;
use crate::imaging::scheme;

pub use acquisition::AcquisitionCondition;
pub use measurement::MeasurementCondition;

/// Conditions that one query may have.
pub const MOST_CONDITIONS: usize = 64;

/// Numbers count as equal if they differ by less than this part of them: a value may have been
/// converted from another unit.
const TOLERANCE: f64 = 1e-9;

/// What is asked of values. A parameter may have several: one that passes is enough, except for
/// [`IsNot`](Self::IsNot), which no value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// There is a value.
    Present,
    /// There is none.
    Absent,
    /// A value is this.
    Is(Wanted),
    /// There are values, and none of them is this.
    IsNot(Wanted),
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A number of a range.
    Number(Range),
    /// A text, or a code that is written `code^^scheme`.
    Text(Pattern),
}

/// Numbers between two bounds, none of which is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Where it begins.
    pub from: Bound<f64>,
    /// Where it ends.
    pub to: Bound<f64>,
}

impl Eq for Range {}

impl Range {
    /// This number only.
    pub const fn exactly(number: f64) -> Self {
        Self {
            from: Bound::Included(number),
            to: Bound::Included(number),
        }
    }

    /// The least and the greatest number that passes, tolerance included.
    pub fn closed(&self) -> (f64, f64) {
        let slack = |bound: f64| bound.abs() * TOLERANCE;
        let from = match self.from {
            Bound::Included(from) => from - slack(from),
            Bound::Excluded(from) => (from + slack(from)).next_up(),
            Bound::Unbounded => f64::MIN,
        };
        let to = match self.to {
            Bound::Included(to) => to + slack(to),
            Bound::Excluded(to) => (to - slack(to)).next_down(),
            Bound::Unbounded => f64::MAX,
        };
        (from.max(f64::MIN), to.min(f64::MAX))
    }

    /// Whether a number passes.
    pub fn accepts(&self, number: f64) -> bool {
        let (from, to) = self.closed();
        (from..=to).contains(&number)
    }

    /// The same range in a unit of which so many are one of the other.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        let times = |bound: f64| (bound * factor).clamp(f64::MIN, f64::MAX);
        Self {
            from: self.from.map(times),
            to: self.to.map(times),
        }
    }
}

impl Test {
    /// Whether a series or document with these values passes.
    pub fn accepts<T>(
        &self,
        values: impl IntoIterator<Item = T>,
        is: impl Fn(&T, &Wanted) -> bool,
    ) -> bool {
        let mut values = values.into_iter().peekable();
        match self {
            Self::Present => values.peek().is_some(),
            Self::Absent => values.peek().is_none(),
            Self::Is(wanted) => values.any(|value| is(&value, wanted)),
            Self::IsNot(wanted) => {
                values.peek().is_some() && !values.any(|value| is(&value, wanted))
            }
        }
    }
}

/// A comparison as it is written, by word or by sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Between,
    Like,
    Present,
    Absent,
}

const OPERATORS: [(&str, Operator); 16] = [
    ("eq", Operator::Equal),
    ("=", Operator::Equal),
    ("ne", Operator::Unequal),
    ("!=", Operator::Unequal),
    ("lt", Operator::Less),
    ("<", Operator::Less),
    ("le", Operator::AtMost),
    ("<=", Operator::AtMost),
    ("gt", Operator::Greater),
    (">", Operator::Greater),
    ("ge", Operator::AtLeast),
    (">=", Operator::AtLeast),
    ("between", Operator::Between),
    ("like", Operator::Like),
    ("present", Operator::Present),
    ("absent", Operator::Absent),
];

impl Operator {
    fn parse(word: &str) -> Result<Self, String> {
        let found = OPERATORS.iter().find(|(written, _)| *written == word);
        found.map(|(_, operator)| *operator).ok_or_else(|| {
            "a comparison is eq, ne, lt, le, gt, ge, between, like, present or absent".to_owned()
        })
    }

    /// Whether it is about an order, which only numbers have.
    const fn is_of_numbers(self) -> bool {
        matches!(
            self,
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast | Self::Between
        )
    }
}

/// The first word, and what stands behind it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

/// Nothing may stand behind `present`.
fn nothing(rest: &str) -> Result<(), String> {
    match rest {
        "" => Ok(()),
        _ => Err("something stands behind present or absent".to_owned()),
    }
}

fn number(word: &str) -> Result<f64, String> {
    let parsed: Result<f64, _> = word.parse();
    let parsed = parsed.ok().filter(|number| number.is_finite());
    parsed.ok_or_else(|| "a number is missing behind the comparison".to_owned())
}

/// A comparison of numbers, and the unit that stands behind it.
fn numbers(operator: Operator, text: &str) -> Result<(Test, &str), String> {
    if operator == Operator::Like {
        return Err("numbers are not compared by like".to_owned());
    }
    let (first, rest) = word(text);
    let first = number(first)?;
    let (from, to) = match operator {
        Operator::Equal | Operator::Unequal => (Bound::Included(first), Bound::Included(first)),
        Operator::Less => (Bound::Unbounded, Bound::Excluded(first)),
        Operator::AtMost => (Bound::Unbounded, Bound::Included(first)),
        Operator::Greater => (Bound::Excluded(first), Bound::Unbounded),
        Operator::AtLeast => (Bound::Included(first), Bound::Unbounded),
        Operator::Between => {
            let (and, rest) = word(rest);
            let (second, unit) = word(rest);
            if and != "and" {
                return Err("between is written: between 0.5 and 1.5 mm".to_owned());
            }
            let second = number(second)?;
            if second < first {
                return Err("between ends before it begins".to_owned());
            }
            let range = Range {
                from: Bound::Included(first),
                to: Bound::Included(second),
            };
            return Ok((Test::Is(Wanted::Number(range)), unit));
        }
        Operator::Like | Operator::Present | Operator::Absent => {
            (Bound::Unbounded, Bound::Unbounded)
        }
    };
    let wanted = Wanted::Number(Range { from, to });
    Ok(match operator {
        Operator::Unequal => (Test::IsNot(wanted), rest),
        _ => (Test::Is(wanted), rest),
    })
}

/// A code, its scheme by OID.
fn code(text: &str) -> Result<String, String> {
    let written = text.split_once("^^").filter(|(code, scheme)| {
        !code.is_empty() && !scheme.is_empty() && !scheme.contains([' ', '^'])
    });
    let (code, scheme) = written.ok_or("a code is written code^^codingScheme")?;
    Ok(format!("{code}^^{}", scheme::oid(scheme)))
}

fn write_test(test: &Test, unit: &str, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (wanted, negated) = match test {
        Test::Present => return formatter.write_str("present"),
        Test::Absent => return formatter.write_str("absent"),
        Test::Is(wanted) => (wanted, false),
        Test::IsNot(wanted) => (wanted, true),
    };
    let equal = if negated { "ne" } else { "eq" };
    match wanted {
        Wanted::Text(pattern) if pattern.has_wildcards() => {
            write!(formatter, "like {}", pattern.as_str())
        }
        Wanted::Text(pattern) => write!(formatter, "{equal} {}", pattern.as_str()),
        Wanted::Number(range) => {
            match (range.from, range.to) {
                (Bound::Included(from), Bound::Included(to)) if from == to => {
                    write!(formatter, "{equal} {from}")
                }
                (Bound::Unbounded, Bound::Excluded(to)) => write!(formatter, "lt {to}"),
                (Bound::Unbounded, Bound::Included(to)) => write!(formatter, "le {to}"),
                (Bound::Excluded(from), Bound::Unbounded) => write!(formatter, "gt {from}"),
                (Bound::Included(from), Bound::Unbounded) => write!(formatter, "ge {from}"),
                (from, to) => {
                    let bound = |bound, otherwise| match bound {
                        Bound::Included(bound) | Bound::Excluded(bound) => bound,
                        Bound::Unbounded => otherwise,
                    };
                    let (from, to) = (bound(from, f64::MIN), bound(to, f64::MAX));
                    write!(formatter, "between {from} and {to}")
                }
            }?;
            match unit {
                "" | "1" => Ok(()),
                unit => write!(formatter, " {unit}"),
            }
        }
    }
}
