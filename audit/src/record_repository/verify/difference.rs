//! How the records of a file differ from those whose hashes were kept.

use std::collections::HashMap;
use std::ops::Range;

use super::Finding;
use crate::record_repository::tree::Hash;

/// Compares the hashes that were kept, from record `first` on, with the records that were found: the
/// hash of each, and the number that it says it has. `is_last` says that nothing follows.
pub(super) fn differences(
    first: u64,
    known: &[Hash],
    found: &[(Hash, u64)],
    is_last: bool,
) -> Vec<Finding> {
    let same = |pair: &(&Hash, &(Hash, u64))| *pair.0 == pair.1.0;
    let begin = known.iter().zip(found).take_while(same).count();
    let numbers = found.iter().map(|(_, number)| *number);
    let numbered = (first..)
        .zip(numbers)
        .find(|(place, number)| place != number);
    let (known, found) = (&known[begin..], &found[begin..]);
    let end = known.iter().rev().zip(found.iter().rev());
    let end = end.take_while(same).count();
    let first = first + begin as u64;
    let differing = &known[..known.len() - end];
    let instead: Vec<Hash> = found[..found.len() - end].iter().map(|it| it.0).collect();
    if differing.is_empty() && instead.is_empty() {
        return numbered
            .map(|(place, _)| Finding::Changed(place))
            .into_iter()
            .collect();
    }
    let gaps = Gaps::between(differing, &instead);
    gaps.findings(first, is_last && end == 0)
}

/// What was matched: the places of the records that were kept among those that were found.
struct Gaps {
    known: usize,
    /// For each that was found, its place among those that were kept.
    places: Vec<Option<usize>>,
    /// Which of them stand in their order.
    in_order: Vec<bool>,
}

impl Gaps {
    fn between(known: &[Hash], found: &[Hash]) -> Self {
        let mut places_of: HashMap<&Hash, Vec<usize>> = HashMap::new();
        for (place, hash) in known.iter().enumerate().rev() {
            places_of.entry(hash).or_default().push(place);
        }
        let place = |hash| places_of.get_mut(hash).and_then(Vec::pop);
        let places: Vec<Option<usize>> = found.iter().map(place).collect();
        let in_order = longest_ascent(&places);
        Self {
            known: known.len(),
            places,
            in_order,
        }
    }

    fn findings(&self, first: u64, ends: bool) -> Vec<Finding> {
        let mut there = vec![false; self.known];
        let mut findings = Vec::new();
        for (at, place) in self.places.iter().enumerate() {
            let Some(place) = *place else { continue };
            there[place] = true;
            if !self.in_order[at] {
                let (record, at) = (first + place as u64, first + at as u64);
                findings.push(Finding::Reordered { record, at });
            }
        }
        let (mut from, mut strangers) = (0, 0);
        for (at, place) in self.places.iter().enumerate() {
            match *place {
                None => strangers += 1,
                Some(place) if self.in_order[at] => {
                    let missing = (from..place).filter(|place| !there[*place]).collect();
                    findings.extend(gap(first, missing, strangers, place, None));
                    (from, strangers) = (place + 1, 0);
                }
                Some(_) => {}
            }
        }
        let missing = (from..self.known).filter(|place| !there[*place]).collect();
        let end = ends.then_some(self.known);
        findings.extend(gap(first, missing, strangers, self.known, end));
        findings
    }
}

/// What is missing between two records that are there, and what is there instead.
fn gap(
    first: u64,
    missing: Vec<usize>,
    strangers: u64,
    before: usize,
    end: Option<usize>,
) -> Vec<Finding> {
    let number = |place: usize| first + place as u64;
    let changed = missing
        .len()
        .min(usize::try_from(strangers).unwrap_or(usize::MAX));
    let (changed, gone) = missing.split_at(changed);
    let mut findings: Vec<Finding> = changed
        .iter()
        .map(|it| Finding::Changed(number(*it)))
        .collect();
    let count = strangers - changed.len() as u64;
    if count > 0 {
        let before = number(before);
        findings.push(Finding::Inserted { before, count });
    }
    for range in ranges(gone) {
        let at_end = end == Some(range.end);
        let range = number(range.start)..number(range.end);
        findings.push(match at_end {
            true => Finding::Truncated(range),
            false => Finding::Removed(range),
        });
    }
    findings
}

/// Numbers that follow each other, together.
fn ranges(places: &[usize]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for place in places {
        match ranges.last_mut() {
            Some(range) if range.end == *place => range.end += 1,
            _ => ranges.push(*place..place + 1),
        }
    }
    ranges
}

/// Which of the places belong to the longest sequence that ascends: those need not have been moved.
fn longest_ascent(places: &[Option<usize>]) -> Vec<bool> {
    // `ends[n]` is where the sequence of n + 1 places ends that ends lowest.
    let mut ends: Vec<usize> = Vec::new();
    let mut before = vec![None; places.len()];
    for (at, place) in places.iter().enumerate() {
        let Some(place) = place else { continue };
        let shorter = ends.partition_point(|end| places[*end].is_some_and(|it| it < *place));
        before[at] = shorter.checked_sub(1).map(|it| ends[it]);
        match ends.get_mut(shorter) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut chosen = vec![false; places.len()];
    let mut at = ends.last().copied();
    while let Some(place) = at {
        chosen[place] = true;
        at = before[place];
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> Hash {
        [number; 32]
    }

    fn differ(found: &[u8]) -> Vec<Finding> {
        let known: Vec<Hash> = (1..=9).map(hash).collect();
        let found: Vec<(Hash, u64)> = (100..).zip(found).map(|(n, it)| (hash(*it), n)).collect();
        differences(100, &known, &found, true)
    }

    #[test]
    fn every_way_is_told_apart() {
        assert_eq!(differ(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), []);
        assert_eq!(
            differ(&[1, 2, 77, 4, 5, 6, 7, 8, 9]),
            [Finding::Changed(102)]
        );
        assert_eq!(
            differ(&[1, 2, 4, 5, 6, 7, 8, 9]),
            [Finding::Removed(102..103)]
        );
        assert_eq!(differ(&[3, 4, 5, 6, 7, 8, 9]), [Finding::Removed(100..102)]);
        assert_eq!(differ(&[1, 2, 3, 4, 5, 6]), [Finding::Truncated(106..109)]);
        let inserted = Finding::Inserted {
            before: 103,
            count: 1,
        };
        assert_eq!(differ(&[1, 2, 3, 77, 4, 5, 6, 7, 8, 9]), [inserted]);
        let moved = differ(&[1, 3, 4, 2, 5, 6, 7, 8, 9]);
        assert_eq!(
            moved,
            [Finding::Reordered {
                record: 101,
                at: 103
            }]
        );
        let swapped = differ(&[1, 3, 2, 4, 5, 6, 7, 8, 9]);
        assert!(
            matches!(swapped[..], [Finding::Reordered { .. }]),
            "{swapped:?}"
        );
        assert_eq!(differ(&[]), [Finding::Truncated(100..109)]);
        let two = differ(&[1, 77, 3, 4, 5, 7, 8, 9]);
        assert_eq!(two, [Finding::Changed(101), Finding::Removed(105..106)]);
    }

    #[test]
    fn a_wrong_number_is_seen() {
        let known = [hash(1), hash(2)];
        let found = [(hash(1), 7), (hash(2), 9)];
        assert_eq!(differences(7, &known, &found, true), [Finding::Changed(8)]);
    }
}
