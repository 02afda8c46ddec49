//! `[[stack]]`: whether the slices of a series fill a volume, none missing and none twice.

use std::collections::BTreeMap;

use super::attribute::Attribute;
use super::facts::{InstanceFacts, Plane};
use super::finding::{Finding, MANNER, Manner, Place, ranges};
use super::reader::{CardError, Section};
use super::selector::{self, Selector, attributes};
use super::study_rules::{by_series, series_place};

const CHECKS: [&str; 5] = ["numbers", "orientation", "duplicates", "gaps", "spacing"];
/// Slices nearer than this lie at the same place, in millimetres.
const SAME_PLACE: f64 = 0.01;
/// A gap so many times as wide as usual has room for another slice.
const GAP: f64 = 1.5;
/// A finding about missing numbers lists so many of them.
const MAX_NUMBERS: usize = 100;

#[derive(Debug, Clone)]
pub(super) struct StackRule {
    meant: Selector,
    checks: Vec<String>,
    /// Slices that differ in these are different stacks: phases, echoes, b values.
    divided_by: Vec<Attribute>,
    tolerance_mm: f64,
    tolerance_direction: f64,
    manner: Manner,
}

/// A slice of a stack: its distance along the normal, and whose it is.
#[derive(Clone, Copy)]
struct Slice<'a> {
    distance: f64,
    facts: &'a InstanceFacts,
}

impl StackRule {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        let keys = [
            "checks",
            "divided_by",
            "tolerance_mm",
            "tolerance_direction",
        ];
        section.only(&[&keys, &selector::KEYS, &MANNER])?;
        let tolerance = |key: &str, usual: f64| match section.number(key)? {
            Some(tolerance) if tolerance < 0.0 => Err(section.error_of(key, "is not below zero")),
            tolerance => Ok(tolerance.unwrap_or(usual)),
        };
        let mut checks = section.words("checks", &CHECKS)?;
        if checks.is_empty() {
            checks = CHECKS.map(str::to_owned).to_vec();
        }
        Ok(Self {
            meant: Selector::read(section)?,
            checks,
            divided_by: attributes(section, "divided_by")?,
            tolerance_mm: tolerance("tolerance_mm", 0.1)?,
            tolerance_direction: tolerance("tolerance_direction", 0.001)?,
            manner: Manner::read(section)?,
        })
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.meant
    }

    pub(super) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.divided_by.iter()
    }

    fn has(&self, check: &str) -> bool {
        self.checks.iter().any(|it| it == check)
    }

    pub(super) fn judge(&self, all: &[&InstanceFacts]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for series in by_series(all, &self.meant).into_values() {
            if self.has("numbers") {
                findings.extend(self.numbers(&series));
            }
            for stack in self.divided(&series).into_values() {
                findings.extend(self.judge_stack(&stack));
            }
        }
        findings
    }

    fn divided<'a>(
        &self,
        series: &[&'a InstanceFacts],
    ) -> BTreeMap<Vec<Option<&'a str>>, Vec<&'a InstanceFacts>> {
        let mut stacks: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for facts in series {
            let values = self.divided_by.iter().map(|it| facts.text(it));
            stacks.entry(values.collect()).or_default().push(*facts);
        }
        stacks
    }

    fn finding(&self, check: &str, place: Place, expected: &str, says: String) -> Finding {
        let where_set = match check {
            "numbers" | "gaps" => "Compare with the device, and send again what is missing.",
            "duplicates" => "Look whether the series was sent twice, or has phases or echoes.",
            _ => "It is set when slices are planned, or when images are reconstructed.",
        };
        let rule = format!("stack {check}");
        self.manner.finding(rule, place, expected, says, where_set)
    }

    /// Instance numbers: each there, none missing in between, none twice.
    fn numbers(&self, series: &[&InstanceFacts]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let without: Vec<_> = series
            .iter()
            .filter(|it| it.instance_number.is_none())
            .collect();
        if let Some(first) = without.first() {
            let place = Place {
                instances: without.len(),
                ..first.place()
            };
            let says = "Instances have no number, so that nobody can tell whether one is missing.";
            findings.push(self.finding("numbers", place, "numbered", says.to_owned()));
        }
        let mut numbers: Vec<i64> = series.iter().filter_map(|it| it.instance_number).collect();
        numbers.sort_unstable();
        let twice: Vec<i64> = numbers
            .windows(2)
            .filter(|it| it[0] == it[1])
            .map(|it| it[0])
            .collect();
        if !twice.is_empty() {
            let place = series_place(series);
            let says = format!(
                "Instance numbers are used more than once: {}.",
                ranges(&deduped(twice))
            );
            findings.push(self.finding("numbers", place, "each number once", says));
        }
        let numbers = deduped(numbers);
        let (mut missing, mut count) = (Vec::new(), 0_u64);
        for pair in numbers.windows(2) {
            let between = pair[1].abs_diff(pair[0]) - 1;
            count = count.saturating_add(between);
            let room =
                (MAX_NUMBERS - missing.len()).min(usize::try_from(between).unwrap_or(MAX_NUMBERS));
            missing.extend((1..=room as i64).map(|step| pair[0] + step));
        }
        if count > 0 {
            let place = series_place(series);
            let says = format!(
                "{count} instance numbers are missing: {}.",
                ranges(&missing)
            );
            findings.push(self.finding("numbers", place, "every number from first to last", says));
        }
        findings
    }

    fn judge_stack(&self, stack: &[&InstanceFacts]) -> Vec<Finding> {
        let is_image = |facts: &&&InstanceFacts| facts.frames > 0;
        let images: Vec<_> = stack.iter().filter(is_image).copied().collect();
        let mut findings = Vec::new();
        let Some(first) = images.iter().find_map(|facts| facts.planes.first()) else {
            if images.len() > 1 {
                let says = "No image says where it lies in the patient.".to_owned();
                findings.push(self.finding("gaps", series_place(&images), "positions", says));
            }
            return findings;
        };
        let unplaced: Vec<_> = images.iter().filter(|it| it.planes.is_empty()).collect();
        if let Some(facts) = unplaced.first() {
            let place = Place {
                instances: unplaced.len(),
                ..facts.place()
            };
            let says = "Images do not say where they lie in the patient.".to_owned();
            findings.push(self.finding("gaps", place, "positions", says));
        }
        if self.has("orientation") {
            findings.extend(self.orientation(first, &images));
        }
        let slices = slices(first, &images);
        // Frames of one object may lie at the same place by design: in time, in echoes.
        let is_single = images.iter().all(|facts| facts.planes.len() <= 1);
        if self.has("duplicates") && is_single {
            findings.extend(self.duplicates(&slices));
        }
        findings.extend(self.distances(&slices));
        findings
    }

    fn orientation(&self, first: &Plane, images: &[&InstanceFacts]) -> Option<Finding> {
        let differs = |plane: &Plane| {
            let pairs = plane.orientation.iter().zip(&first.orientation);
            let mut differences = pairs.map(|(one, other)| (one - other).abs());
            differences.any(|it| it.is_nan() || it > self.tolerance_direction)
        };
        let odd: Vec<_> = images
            .iter()
            .filter(|it| it.planes.iter().any(differs))
            .collect();
        let place = place_of(&odd.into_iter().copied().collect::<Vec<_>>())?;
        let says = "Slices are not parallel to the first one of the series.".to_owned();
        Some(self.finding("orientation", place, "one orientation", says))
    }

    fn duplicates(&self, slices: &[Slice<'_>]) -> Option<Finding> {
        let same = |pair: &&[Slice<'_>]| pair[1].distance - pair[0].distance < SAME_PLACE;
        let twice: Vec<_> = slices
            .windows(2)
            .filter(same)
            .map(|pair| pair[1].facts)
            .collect();
        let place = place_of(&twice)?;
        let says = "Slices lie where another slice of the series lies.".to_owned();
        Some(self.finding("duplicates", place, "one slice at each place", says))
    }

    /// Gaps that have room for a slice, and distances that differ from the usual one.
    fn distances(&self, slices: &[Slice<'_>]) -> Vec<Finding> {
        let steps = slices
            .windows(2)
            .map(|pair| (pair[1].distance - pair[0].distance, pair));
        let steps: Vec<_> = steps.filter(|(step, _)| *step >= SAME_PLACE).collect();
        let mut sorted: Vec<f64> = steps.iter().map(|(step, _)| *step).collect();
        sorted.sort_by(f64::total_cmp);
        // Of an even number, the lower one: what is missing makes gaps wider, never narrower.
        let Some(&usual) = sorted.get(sorted.len().saturating_sub(1) / 2) else {
            return Vec::new();
        };
        let (mut findings, mut uneven) = (Vec::new(), Vec::new());
        let mut missing = Vec::new();
        for (step, pair) in steps {
            if step > usual * GAP {
                missing.push((step, pair));
            } else if (step - usual).abs() > self.tolerance_mm {
                uneven.push(pair[1].facts);
            }
        }
        if self.has("gaps") && !missing.is_empty() {
            findings.push(self.gaps(&missing, usual));
        }
        if self.has("spacing")
            && let Some(place) = place_of(&uneven)
        {
            let says = format!(
                "Slices are not as far apart as the others, which are {} mm apart.",
                rounded(usual)
            );
            let expected = format!("{} mm", rounded(usual));
            findings.push(self.finding("spacing", place, &expected, says));
        }
        findings
    }

    fn gaps(&self, gaps: &[(f64, &[Slice<'_>])], usual: f64) -> Finding {
        let most = gaps.len().min(5);
        let slices = gaps
            .iter()
            .map(|(step, _)| (step / usual).round().max(2.0) - 1.0);
        let slices: f64 = slices.sum();
        let name = |facts: &InstanceFacts| match facts.instance_number {
            Some(number) => number.to_string(),
            None => "without number".to_owned(),
        };
        let gap = |(step, pair): &(f64, &[Slice<'_>])| {
            let (one, other) = (name(pair[0].facts), name(pair[1].facts));
            format!("{} mm between instances {one} and {other}", rounded(*step))
        };
        let listed: Vec<_> = gaps[..most].iter().map(gap).collect();
        let missing = match slices {
            1.0 => "One slice is missing".to_owned(),
            slices => format!("About {slices} slices are missing"),
        };
        let says = format!(
            "{missing}: {} where slices are {} mm apart.",
            listed.join(", "),
            rounded(usual)
        );
        let ends: Vec<_> = gaps.iter().map(|(_, pair)| pair[0].facts).collect();
        let place = series_place(&ends);
        self.finding("gaps", place, &format!("{} mm", rounded(usual)), says)
    }
}

/// The slices along the normal of the first one.
fn slices<'a>(first: &Plane, images: &[&'a InstanceFacts]) -> Vec<Slice<'a>> {
    let [a, b, c, d, e, f] = first.orientation;
    let normal = [b * f - c * e, c * d - a * f, a * e - b * d];
    let length = normal.iter().map(|it| it * it).sum::<f64>().sqrt();
    let distance = |plane: &Plane| {
        let along: f64 = plane.position.iter().zip(&normal).map(|(p, n)| p * n).sum();
        along / length
    };
    let planes = images
        .iter()
        .flat_map(|facts| facts.planes.iter().map(move |it| (it, *facts)));
    let slices = planes.map(|(plane, facts)| Slice {
        distance: distance(plane),
        facts,
    });
    // An orientation without normal has no distances.
    let mut slices: Vec<_> = slices.filter(|slice| slice.distance.is_finite()).collect();
    slices.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    slices
}

/// Some instances of a series. `None` if there are none.
fn place_of(instances: &[&InstanceFacts]) -> Option<Place> {
    instances.first()?;
    let numbers = instances.iter().filter_map(|it| it.instance_number);
    let mut numbers: Vec<i64> = numbers.collect();
    numbers.sort_unstable();
    let uids = instances.iter().map(|it| it.sop_instance_uid.clone());
    Some(Place {
        instance_numbers: deduped(numbers),
        sop_instance_uids: uids.take(10).collect(),
        instances: instances.len(),
        ..series_place(instances)
    })
}

fn deduped(mut numbers: Vec<i64>) -> Vec<i64> {
    numbers.dedup();
    numbers
}

/// Millimetres for people.
fn rounded(millimetres: f64) -> f64 {
    (millimetres * 100.0).round() / 100.0
}
