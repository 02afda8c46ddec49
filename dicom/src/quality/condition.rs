//! What an attribute's value should be.

use dicom_core::VR;
use regex::Regex;

use super::attribute::Held;
use super::reader::{CardError, Section};

/// The keys of a condition.
pub(super) const KEYS: [&str; 7] = [
    "presence", "at_least", "at_most", "one_of", "none_of", "includes", "matches",
];

/// What is wanted of a value. What is not there is judged by `presence` alone.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    presence: Option<Presence>,
    at_least: Option<f64>,
    at_most: Option<f64>,
    one_of: Vec<String>,
    none_of: Vec<String>,
    includes: Vec<String>,
    matches: Option<Regex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    Present,
    Filled,
    Absent,
}

/// What a value is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unmet {
    /// `presence`, `range`, `values` or `pattern`.
    pub(super) kind: &'static str,
    /// What it should be.
    pub(super) expected: String,
}

impl Condition {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        let presence = match section.string("presence")?.as_deref() {
            None => None,
            Some("present") => Some(Presence::Present),
            Some("filled") => Some(Presence::Filled),
            Some("absent") => Some(Presence::Absent),
            Some(_) => {
                let words = "is \"present\", \"filled\" or \"absent\"";
                return Err(section.error_of("presence", words));
            }
        };
        let (at_least, at_most) = section.range("at_least", "at_most")?;
        let condition = Self {
            presence,
            at_least,
            at_most,
            one_of: section.list("one_of")?,
            none_of: section.list("none_of")?,
            includes: section.list("includes")?,
            matches: section.pattern("matches")?,
        };
        if presence == Some(Presence::Absent) && KEYS[1..].iter().any(|key| section.has(key)) {
            let message = "what must be absent has no value to be judged";
            return Err(section.error_of("presence", message));
        }
        Ok(condition)
    }

    /// Whether nothing is wanted.
    pub(super) fn is_empty(&self) -> bool {
        let lists = [&self.one_of, &self.none_of, &self.includes];
        self.presence.is_none()
            && self.at_least.is_none()
            && self.at_most.is_none()
            && self.matches.is_none()
            && lists.into_iter().all(Vec::is_empty)
    }

    /// Whether a value is wanted that is not there: for choosing, it then is not the one.
    pub(super) fn holds(&self, held: &Held) -> bool {
        let wants_value = !matches!(self.presence, Some(Presence::Absent | Presence::Present));
        let is_filled = matches!(held, Held::Filled(..));
        self.unmet(held).is_empty() && (is_filled || !wants_value)
    }

    /// Everything that a value is not.
    pub(super) fn unmet(&self, held: &Held) -> Vec<Unmet> {
        let unmet = |kind, expected: &str| Unmet {
            kind,
            expected: expected.to_owned(),
        };
        let wrong = match (self.presence, held) {
            (Some(Presence::Present | Presence::Filled), Held::Absent) => "present",
            (Some(Presence::Filled), Held::Empty) => "filled",
            (Some(Presence::Absent), Held::Empty | Held::Filled(..)) => "absent",
            _ => "",
        };
        if !wrong.is_empty() {
            return vec![unmet("presence", wrong)];
        }
        let Held::Filled(vr, text) = held else {
            return Vec::new();
        };
        let mut all = Vec::new();
        if (self.at_least.is_some() || self.at_most.is_some()) && !self.is_in_range(*vr, text) {
            all.push(unmet("range", &self.range()));
        }
        all.extend(self.values(text));
        if let Some(pattern) = &self.matches
            && !pattern.is_match(text)
        {
            all.push(unmet("pattern", &format!("to match {}", pattern.as_str())));
        }
        all
    }

    fn is_in_range(&self, vr: VR, text: &str) -> bool {
        let within = |number: f64| {
            self.at_least.is_none_or(|least| number >= least)
                && self.at_most.is_none_or(|most| number <= most)
        };
        let mut values = text.split('\\');
        values.all(|value| number(vr, value).is_some_and(within))
    }

    fn range(&self) -> String {
        match (self.at_least, self.at_most) {
            (Some(least), Some(most)) if least == most => format!("{least}"),
            (Some(least), Some(most)) => format!("between {least} and {most}"),
            (Some(least), None) => format!("at least {least}"),
            (None, Some(most)) => format!("at most {most}"),
            (None, None) => String::new(),
        }
    }

    fn values(&self, text: &str) -> Option<Unmet> {
        let is_in = |value: &str, list: &[String]| list.iter().any(|it| same(value, it));
        let values = || text.split('\\');
        let expected = if !self.one_of.is_empty() && !values().all(|it| is_in(it, &self.one_of)) {
            format!("one of {}", self.one_of.join(", "))
        } else if values().any(|it| is_in(it, &self.none_of)) {
            format!("none of {}", self.none_of.join(", "))
        } else if !self
            .includes
            .iter()
            .all(|it| values().any(|value| same(value, it)))
        {
            format!("to include {}", self.includes.join(", "))
        } else {
            return None;
        };
        Some(Unmet {
            kind: "values",
            expected,
        })
    }
}

/// A number, or an age (AS) in years.
fn number(vr: VR, text: &str) -> Option<f64> {
    let text = text.trim();
    if vr == VR::AS {
        let (count, unit) = text.split_at_checked(3)?;
        let count: f64 = count.parse().ok()?;
        return Some(match unit {
            "Y" => count,
            "M" => count / 12.0,
            "W" => count * 7.0 / 365.25,
            "D" => count / 365.25,
            _ => return None,
        });
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The same text, or the same number written otherwise.
pub(super) fn same(one: &str, other: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    one == other || number(one).is_some_and(|one| number(other) == Some(one))
}
