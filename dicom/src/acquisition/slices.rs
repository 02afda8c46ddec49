//! Where the slices of a series lie: how many there are, and how far they are from each other.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A series with more slices, or slices in more directions, is no stack that could be counted.
const MAX_SLICES: usize = 20_000;
const MAX_STACKS: usize = 32;
/// Hundredths of a millimetre: below that, positions differ by rounding only.
const PER_MM: f64 = 100.0;
/// Cosine of the angle below which two slices are parallel: one degree.
const PARALLEL: f64 = 0.99985;

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Slices {
    stacks: Vec<Stack>,
    #[serde(default)]
    too_many: bool,
}

/// Slices in parallel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stack {
    normal: [f64; 3],
    /// Along the normal, in hundredths of a millimetre.
    positions: BTreeSet<i32>,
}

impl Slices {
    pub(super) fn is_empty(&self) -> bool {
        self.stacks.is_empty() && !self.too_many
    }

    /// Adds a slice, by Image Position (Patient) of its first pixel.
    pub(super) fn slice(&mut self, normal: [f64; 3], position: [f64; 3]) {
        let along = dot(normal, position) * PER_MM;
        if along.is_finite() && along.abs() < f64::from(i32::MAX) {
            self.insert(normal, along.round() as i32);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for stack in &other.stacks {
            for position in &stack.positions {
                self.insert(stack.normal, *position);
            }
        }
        self.too_many |= other.too_many;
    }

    /// The same, within the limits, of what was read from a file.
    pub(super) fn bounded(self) -> Self {
        let mut bounded = Self::default();
        bounded.add(&self);
        bounded
    }

    fn insert(&mut self, normal: [f64; 3], position: i32) {
        let all: usize = self.stacks.iter().map(|it| it.positions.len()).sum();
        let same = |stack: &Stack| dot(stack.normal, normal) > PARALLEL;
        let stack = self.stacks.iter().position(same);
        let new = stack.is_none() && self.stacks.len() >= MAX_STACKS;
        self.too_many |= all >= MAX_SLICES || new;
        if self.too_many {
            return;
        }
        match stack.and_then(|at| self.stacks.get_mut(at)) {
            Some(stack) => {
                stack.positions.insert(position);
            }
            None => self.stacks.push(Stack {
                normal,
                positions: BTreeSet::from([position]),
            }),
        }
    }

    /// How many different slices there are; `None` if there are none, or too many.
    pub(super) fn count(&self) -> Option<f64> {
        let count: usize = self.stacks.iter().map(|it| it.positions.len()).sum();
        (count > 0 && !self.too_many).then_some(count as f64)
    }

    /// The median distance of neighbours in mm, if there is one stack.
    pub(super) fn spacing(&self) -> Option<f64> {
        let [stack] = self.stacks.as_slice() else {
            return None;
        };
        let next = stack.positions.iter().skip(1);
        let mut gaps: Vec<i64> = (stack.positions.iter().zip(next))
            .map(|(a, b)| i64::from(*b) - i64::from(*a))
            .collect();
        gaps.sort_unstable();
        let median = gaps.get(gaps.len() / 2)?;
        (!self.too_many).then_some(*median as f64 / PER_MM)
    }
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
