//! Searching the index.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use diesel::prelude::*;

use super::connection::IndexError;
use super::schema::{batches, postings};
use super::writing::{MEMBER, Member};
use super::{Index, Word};
use crate::fhir::time::Span;
use crate::record_repository::understood::EventId;

/// What is searched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// All of these, and of each any word.
    pub(crate) all: Vec<Vec<Word>>,
    pub(crate) times: Times,
    /// When it came.
    pub(crate) arrived: Times,
    /// What happened last comes first.
    pub(crate) newest_first: bool,
    /// Hits that are given.
    pub(crate) limit: usize,
    /// Only what follows this hit.
    pub(crate) after: Option<Hit>,
    /// Only records with numbers below this: those that were there when the search began.
    pub(crate) before: Option<u64>,
    /// Only records from this number on: what is before is gone.
    pub(crate) since: u64,
    /// Only these, if any are named.
    pub(crate) only: Option<Vec<EventId>>,
}

/// When it happened: all of these, and of each any.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(pub(crate) Vec<Vec<DateTest>>);

/// A comparison with a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DateTest {
    Within(Span),
    Outside(Span),
    /// From this on.
    From(i64),
    /// Before this.
    Before(i64),
}

/// An event that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) recorded: i64,
    pub(crate) id: EventId,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) hits: Vec<Hit>,
    /// Whether there are more of them.
    pub(crate) more: bool,
    /// All that there are, given or not.
    pub(crate) total: u64,
}

impl DateTest {
    const fn takes(self, time: i64) -> bool {
        match self {
            Self::Within(span) => span.from <= time && time < span.to,
            Self::Outside(span) => time < span.from || span.to <= time,
            Self::From(from) => from <= time,
            Self::Before(to) => time < to,
        }
    }

    /// From when to before when something must have happened.
    const fn bounds(self) -> (i64, i64) {
        match self {
            Self::Within(span) => (span.from, span.to),
            Self::Outside(_) => (i64::MIN, i64::MAX),
            Self::From(from) => (from, i64::MAX),
            Self::Before(to) => (i64::MIN, to),
        }
    }
}

impl Search {
    fn takes(&self, member: Member) -> bool {
        self.before.is_none_or(|before| member.id.number < before)
            && self.since <= member.id.number
            && self.times.take(member.recorded)
            && self.arrived.take(member.arrived)
            && self
                .only
                .as_ref()
                .is_none_or(|only| only.contains(&member.id))
    }

    /// Whether everything of a batch is taken that has the words.
    fn takes_all(&self, candidate: &Candidate) -> bool {
        let (from, to) = self.times.bounds();
        let one = |tests: &Vec<DateTest>| matches!(tests.as_slice(), [test] if !matches!(test, DateTest::Outside(_)));
        from <= candidate.earliest
            && candidate.latest < to
            && self.times.0.iter().all(one)
            && self.arrived.0.is_empty()
            && self.only.is_none()
            && self.since <= as_number(candidate.first)
            && self
                .before
                .is_none_or(|before| as_number(candidate.last) < before)
    }
}

impl Times {
    pub(crate) fn take(&self, time: i64) -> bool {
        let any = |tests: &Vec<DateTest>| tests.iter().any(|test| test.takes(time));
        self.0.iter().all(any)
    }

    fn bounds(&self) -> (i64, i64) {
        let mut bounds = (i64::MIN, i64::MAX);
        for tests in &self.0 {
            let each = tests.iter().map(|test| test.bounds());
            let from = each.clone().map(|(from, _)| from).min().unwrap_or(i64::MIN);
            let to = each.map(|(_, to)| to).max().unwrap_or(i64::MAX);
            bounds = (bounds.0.max(from), bounds.1.min(to));
        }
        bounds
    }
}

/// The batches in which something may be.
#[derive(Debug, Queryable)]
struct Candidate {
    number: i64,
    first: i64,
    last: i64,
    earliest: i64,
    latest: i64,
}

impl Index {
    /// Finds events.
    pub(crate) fn search(&self, search: &Search) -> Result<Found, IndexError> {
        self.connections.read(|connection| {
            let candidates = candidates(connection, search)?;
            let mut page = Page::of(search);
            for candidate in &candidates {
                let Some(places) = places(connection, search, candidate.number)? else {
                    continue;
                };
                // If all of a batch fits and none of it gets onto the page, it need not be read.
                if search.takes_all(candidate) && page.is_full_before(candidate) {
                    page.total += places.len() as u64;
                    continue;
                }
                let members: Vec<u8> = batches::table
                    .find(candidate.number)
                    .select(batches::members)
                    .first(connection)?;
                for place in places {
                    let at = MEMBER * usize::from(place);
                    if let Some(member) = members.get(at..).and_then(Member::read) {
                        page.offer(member);
                    }
                }
            }
            Ok(page.finish())
        })
    }
}

fn as_number(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// The batches in which every word is that is searched, in the order of the search.
fn candidates(connection: &mut SqliteConnection, search: &Search) -> QueryResult<Vec<Candidate>> {
    let mut within: Option<BTreeSet<i64>> = None;
    for words in &search.all {
        let mut having = BTreeSet::new();
        for words in words.chunks(1000) {
            let numbers = postings::table
                .filter(postings::word.eq_any(words))
                .select(postings::batch);
            having.extend(numbers.load::<i64>(connection)?);
        }
        within = Some(match within {
            Some(within) => within.intersection(&having).copied().collect(),
            None => having,
        });
        if within.as_ref().is_some_and(BTreeSet::is_empty) {
            return Ok(Vec::new());
        }
    }
    let (from, to) = search.times.bounds();
    let all = batches::table
        .filter(batches::latest.ge(from))
        .filter(batches::earliest.lt(to))
        .select((
            batches::number,
            batches::first,
            batches::last,
            batches::earliest,
            batches::latest,
        ));
    let mut all: Vec<Candidate> = all.load(connection)?;
    all.retain(|it| search.since <= as_number(it.last));
    all.retain(|it| {
        search
            .before
            .is_none_or(|before| as_number(it.first) < before)
    });
    if let Some(within) = within {
        all.retain(|candidate| within.contains(&candidate.number));
    }
    match search.newest_first {
        true => all.sort_by_key(|it| std::cmp::Reverse(it.latest)),
        false => all.sort_by_key(|it| it.earliest),
    }
    Ok(all)
}

/// The events of a batch that have all words.
fn places(
    connection: &mut SqliteConnection,
    search: &Search,
    batch: i64,
) -> QueryResult<Option<Vec<u16>>> {
    let mut found: Option<Vec<u16>> = None;
    for words in &search.all {
        let mut these = BTreeMap::new();
        for words in words.chunks(1000) {
            let rows = postings::table
                .filter(postings::word.eq_any(words))
                .filter(postings::batch.eq(batch))
                .select(postings::members);
            for members in rows.load::<Vec<u8>>(connection)? {
                let (places, _) = members.as_chunks::<2>();
                these.extend(places.iter().map(|place| (u16::from_le_bytes(*place), ())));
            }
        }
        let all = match found {
            Some(found) => found
                .into_iter()
                .filter(|it| these.contains_key(it))
                .collect(),
            None => these.into_keys().collect::<Vec<u16>>(),
        };
        if all.is_empty() {
            return Ok(None);
        }
        found = Some(all);
    }
    Ok(found)
}

/// The hits that come first, whatever the order in which they are found.
struct Page<'a> {
    search: &'a Search,
    /// The worst of them on top.
    best: BinaryHeap<Ranked>,
    total: u64,
}

/// A hit by its place in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ranked {
    rank: (i64, i128, i32),
    hit: Hit,
}

impl Ranked {
    fn of(hit: Hit, newest_first: bool) -> Self {
        let number = i128::from(hit.id.number);
        let part = i32::from(hit.id.part);
        let rank = match newest_first {
            // The smallest number has no opposite.
            true => (hit.recorded.saturating_neg(), -number, -part),
            false => (hit.recorded, number, part),
        };
        Self { rank, hit }
    }
}

impl<'a> Page<'a> {
    const fn of(search: &'a Search) -> Self {
        Self {
            search,
            best: BinaryHeap::new(),
            total: 0,
        }
    }

    fn offer(&mut self, member: Member) {
        if !self.search.takes(member) {
            return;
        }
        self.total += 1;
        let hit = Hit {
            recorded: member.recorded,
            id: member.id,
        };
        let ranked = Ranked::of(hit, self.search.newest_first);
        let after = self
            .search
            .after
            .map(|it| Ranked::of(it, self.search.newest_first));
        if after.is_some_and(|after| ranked.rank <= after.rank) {
            return;
        }
        self.best.push(ranked);
        // One more than is given says that there are more.
        if self.best.len() > self.search.limit + 1 {
            self.best.pop();
        }
    }

    /// Whether nothing of a batch can get onto this page any more.
    fn is_full_before(&self, candidate: &Candidate) -> bool {
        let worst = self.best.peek().map(|worst| worst.hit.recorded);
        let full = self.best.len() > self.search.limit;
        full && worst.is_some_and(|worst| match self.search.newest_first {
            true => candidate.latest < worst,
            false => worst < candidate.earliest,
        })
    }

    fn finish(self) -> Found {
        let mut hits: Vec<Hit> = self
            .best
            .into_sorted_vec()
            .iter()
            .map(|it| it.hit)
            .collect();
        let more = hits.len() > self.search.limit;
        hits.truncate(self.search.limit);
        Found {
            hits,
            more,
            total: self.total,
        }
    }
}
