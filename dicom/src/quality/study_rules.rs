//! Rules that only a whole study keeps or breaks: which series there are, how many instances they
//! have, and what is the same in all of them.

use std::collections::BTreeMap;

use super::attribute::{Attribute, Held};
use super::card::meant;
use super::condition::same;
use super::facts::InstanceFacts;
use super::finding::{Finding, MANNER, Manner, Place};
use super::reader::{CardError, Section};
use super::selector::{self, Selector, attribute};
use super::words;
use crate::uid::Uid;

/// By series and instance number, so that findings do not depend on the order of arrival.
pub(super) fn sorted(instances: &[InstanceFacts]) -> Vec<&InstanceFacts> {
    let mut all: Vec<&InstanceFacts> = instances.iter().collect();
    all.sort_by(|a, b| {
        let key = |it: &InstanceFacts| (it.series_number, it.instance_number);
        let by_number = key(a).cmp(&key(b));
        by_number.then_with(|| a.sop_instance_uid.cmp(&b.sop_instance_uid))
    });
    all.dedup_by(|a, b| a.sop_instance_uid == b.sop_instance_uid);
    all
}

/// The instances that are meant, by series.
pub(super) fn by_series<'a>(
    all: &[&'a InstanceFacts],
    meant: &Selector,
) -> BTreeMap<&'a Uid, Vec<&'a InstanceFacts>> {
    let mut series: BTreeMap<&Uid, Vec<&InstanceFacts>> = BTreeMap::new();
    for facts in all.iter().filter(|facts| meant.means(facts)) {
        series
            .entry(&facts.series_instance_uid)
            .or_default()
            .push(facts);
    }
    series
}

/// A series as a place, without its instances.
pub(super) fn series_place(instances: &[&InstanceFacts]) -> Place {
    Place {
        series_instance_uid: instances.first().map(|it| it.series_instance_uid.clone()),
        series_number: instances.first().and_then(|it| it.series_number),
        ..Place::default()
    }
}

/// `equal_in` of `[[attribute]]`: the same value in all instances of a series, or of the study.
#[derive(Debug, Clone)]
pub(super) struct Equal {
    attribute: Attribute,
    meant: Selector,
    in_series: bool,
    tolerance: f64,
    manner: Manner,
}

impl Equal {
    pub(super) fn read(section: &Section<'_>) -> Result<Option<Self>, CardError> {
        let in_series = match section.string("equal_in")?.as_deref() {
            Some("series") => true,
            Some("study") => false,
            Some(_) => return Err(section.error_of("equal_in", "is \"series\" or \"study\"")),
            None if section.has("tolerance") => {
                let message = "says how equal is equal, and there is no equal_in";
                return Err(section.error_of("tolerance", message));
            }
            None => return Ok(None),
        };
        let tolerance = section.number("tolerance")?.unwrap_or(0.0);
        if tolerance < 0.0 {
            return Err(section.error_of("tolerance", "is not below zero"));
        }
        Ok(Some(Self {
            attribute: attribute(section, "name")?,
            meant: meant(section)?,
            in_series,
            tolerance,
            manner: Manner::read(section)?,
        }))
    }

    pub(super) fn attribute(&self) -> &Attribute {
        &self.attribute
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.meant
    }

    pub(super) fn judge(&self, all: &[&InstanceFacts]) -> Vec<Finding> {
        if self.in_series {
            let series = by_series(all, &self.meant).into_values();
            return series
                .filter_map(|series| self.judge_group(&series))
                .collect();
        }
        let meant = all.iter().copied().filter(|facts| self.meant.means(facts));
        let meant: Vec<_> = meant.collect();
        self.judge_group(&meant).into_iter().collect()
    }

    /// Most instances have the usual value; the finding is about the others.
    fn judge_group(&self, group: &[&InstanceFacts]) -> Option<Finding> {
        let mut kinds: Vec<(Option<&str>, Vec<&InstanceFacts>)> = Vec::new();
        for facts in group {
            let value = facts.text(&self.attribute);
            let alike = kinds
                .iter()
                .position(|(known, _)| self.are_equal(*known, value));
            // Of attributes that differ in every instance, the first few tell enough.
            match alike.or_else(|| kinds.len().checked_sub(1).filter(|at| *at >= 50)) {
                Some(at) => kinds[at].1.push(facts),
                None => kinds.push((value, vec![facts])),
            }
        }
        let usual = (0..kinds.len()).rev().max_by_key(|at| kinds[*at].1.len())?;
        if kinds.len() < 2 {
            return None;
        }
        let (usual, _) = kinds.swap_remove(usual);
        let (tag, title) = (self.attribute.tag(), self.attribute.title());
        let shown = |value: Option<&str>, facts: &[&InstanceFacts]| {
            let first = facts.first()?.held(&self.attribute);
            match (value, first) {
                (Some(text), Some(Held::Filled(vr, _))) => words::shown(tag, vr, text),
                (None, _) => Some("nothing".to_owned()),
                _ => None,
            }
        };
        let usual = shown(usual, group).map(|value| format!(" ({value} in most)"));
        let scope = if self.in_series { "series" } else { "study" };
        let says = format!(
            "{title} is not the same in the whole {scope}{}.",
            usual.unwrap_or_default()
        );
        let odd: Vec<_> = kinds.iter().flat_map(|(_, facts)| facts).copied().collect();
        let mut place = if self.in_series {
            series_place(group)
        } else {
            Place::default()
        };
        let numbers = odd.iter().filter_map(|facts| facts.instance_number);
        if self.in_series {
            place.instance_numbers = numbers.collect();
            place.instance_numbers.sort_unstable();
            place.instance_numbers.dedup();
        }
        place.instances = odd.len();
        let uids = odd.iter().map(|facts| facts.sop_instance_uid.clone());
        place.sop_instance_uids = uids.take(10).collect();
        let rule = format!("equal {} in {scope}", self.attribute);
        let expected = format!("the same in the whole {scope}");
        let where_set = words::where_set(tag);
        let finding = self.manner.finding(rule, place, expected, says, where_set);
        let found = kinds
            .iter()
            .filter_map(|(value, facts)| shown(*value, facts));
        Some(Finding {
            found: found.take(10).collect(),
            ..finding
        })
    }

    fn are_equal(&self, one: Option<&str>, other: Option<&str>) -> bool {
        let (Some(one), Some(other)) = (one, other) else {
            return one.is_none() && other.is_none();
        };
        let near = |(one, other): (&str, &str)| {
            let number = |text: &str| text.trim().parse::<f64>().ok();
            match (number(one), number(other)) {
                (Some(one), Some(other)) => (one - other).abs() <= self.tolerance,
                _ => same(one, other),
            }
        };
        let (one, other): (Vec<_>, Vec<_>) =
            (one.split('\\').collect(), other.split('\\').collect());
        one.len() == other.len() && one.into_iter().zip(other).all(near)
    }
}

/// `[[series]]`: which series there must be, and how many instances they have.
#[derive(Debug, Clone)]
pub(super) struct SeriesRule {
    title: String,
    meant: Selector,
    series: (Option<u64>, Option<u64>),
    instances: (Option<u64>, Option<u64>),
    images: (Option<u64>, Option<u64>),
    equal: Option<Attribute>,
    multiple_of: Option<Attribute>,
    manner: Manner,
}

const SERIES_KEYS: [&str; 9] = [
    "title",
    "at_least",
    "at_most",
    "instances_at_least",
    "instances_at_most",
    "instances_equal",
    "instances_multiple_of",
    "images_at_least",
    "images_at_most",
];

impl SeriesRule {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        section.only(&[&SERIES_KEYS, &selector::KEYS, &MANNER])?;
        let optional = |key: &str| match section.has(key) {
            true => attribute(section, key).map(Some),
            false => Ok(None),
        };
        let meant = Selector::read(section)?;
        if !SERIES_KEYS[1..].iter().any(|key| section.has(key)) {
            let keys = SERIES_KEYS[1..].join(", ");
            return Err(section.error(format!(
                "nothing is wanted of the series: say one of {keys}"
            )));
        }
        Ok(Self {
            title: section.string("title")?.unwrap_or_else(|| meant.title()),
            meant,
            series: section.counts("at_least", "at_most")?,
            instances: section.counts("instances_at_least", "instances_at_most")?,
            images: section.counts("images_at_least", "images_at_most")?,
            equal: optional("instances_equal")?,
            multiple_of: optional("instances_multiple_of")?,
            manner: Manner::read(section)?,
        })
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.meant
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.equal.iter().chain(&self.multiple_of)
    }

    pub(super) fn judge(&self, all: &[&InstanceFacts]) -> Vec<Finding> {
        let series = by_series(all, &self.meant);
        let mut findings = Vec::new();
        if let Some(expected) = outside(series.len() as u64, self.series) {
            let found = series.len() as u64;
            let title = &self.title;
            let says = format!("Of \"{title}\" there are {found} series; expected {expected}.");
            let place = Place::default();
            findings.push(self.finding("number of series", says, place, &expected, found));
        }
        for instances in series.values() {
            findings.extend(self.judge_series(instances));
        }
        findings
    }

    fn judge_series(&self, instances: &[&InstanceFacts]) -> Vec<Finding> {
        let place = || series_place(instances);
        let count = instances.len() as u64;
        let images = instances.iter().map(|it| u64::from(it.frames)).sum();
        let mut findings = Vec::new();
        for (what, count, range) in [
            ("instances", count, self.instances),
            ("images", images, self.images),
        ] {
            if let Some(expected) = outside(count, range) {
                let rule = format!("number of {what}");
                let says = format!("The number of {what} is {count}; expected {expected}.");
                findings.push(self.finding(&rule, says, place(), &expected, count));
            }
        }
        let said = |attribute: &Attribute| {
            let text = instances.iter().find_map(|facts| facts.text(attribute))?;
            let number: f64 = text.split('\\').next()?.trim().parse().ok()?;
            (number.fract() == 0.0 && (1.0..1e9).contains(&number)).then_some(number as u64)
        };
        for (attribute, multiple) in [(&self.equal, false), (&self.multiple_of, true)] {
            let Some(attribute) = attribute else {
                continue;
            };
            let Some(said) = said(attribute) else {
                let says = format!(
                    "{} is missing, which says how many instances there are.",
                    attribute.title()
                );
                let rule = format!("number of instances by {attribute}");
                let where_set = words::where_set(attribute.tag());
                let expected = format!("a number in {attribute}");
                findings.push(
                    self.manner
                        .finding(rule, place(), expected, says, where_set),
                );
                continue;
            };
            let is_so = if multiple {
                count.is_multiple_of(said)
            } else {
                count == said
            };
            if !is_so {
                let of = if multiple { "a multiple of " } else { "" };
                let expected = format!("{of}{said}, as {} says", attribute.title());
                let rule = format!("number of instances by {attribute}");
                let says = format!("The number of instances is {count}; expected {expected}.");
                findings.push(self.finding(&rule, says, place(), &expected, count));
            }
        }
        findings
    }

    fn finding(
        &self,
        rule: &str,
        says: String,
        place: Place,
        expected: &str,
        found: u64,
    ) -> Finding {
        let where_set = match found {
            0 => "If it was acquired, send it again; if not, say so when the study is released.",
            _ => "Compare with the device, and send again what is missing.",
        };
        // Rules about different series are different rules.
        let rule = format!("{rule} ({})", self.title);
        let finding = self.manner.finding(rule, place, expected, says, where_set);
        Finding {
            found: vec![found.to_string()],
            ..finding
        }
    }
}

/// What a count should be, if it is not.
fn outside(count: u64, (least, most): (Option<u64>, Option<u64>)) -> Option<String> {
    let fits = least.is_none_or(|least| count >= least) && most.is_none_or(|most| count <= most);
    (!fits).then(|| match (least, most) {
        (Some(least), Some(most)) if least == most => format!("{least}"),
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    })
}
