//! Finding studies, series and instances by what is known of them.
//!
//! The database narrows down; where it cannot tell for sure, what it found is looked at one by one.

mod attribute;
mod loading;
mod matching;
mod narrowed;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use hilum_dicom::scan::{Series, StoredInstance, Study};

use super::Index;
use crate::imaging::access::Collections;

use loading::load;
use narrowed::Narrowed;

pub(in crate::imaging) use attribute::Attribute;
pub(in crate::imaging) use matching::Matching;

/// Rows that are looked at before more are asked for.
const TOGETHER: i64 = 1000;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::imaging) enum Level {
    /// Studies.
    Study,
    /// Series.
    Series,
    /// Instances.
    Instance,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct Search {
    /// What is searched for.
    pub(in crate::imaging) level: Level,
    /// What is wanted of it, all at once. No attribute is of a lower level.
    pub(in crate::imaging) keys: Vec<(Attribute, Matching)>,
    /// How many are passed over.
    pub(in crate::imaging) offset: usize,
    /// How many are wanted at most.
    pub(in crate::imaging) limit: usize,
}

/// What was found, in the order in which it came here.
#[derive(Debug)]
pub(in crate::imaging) struct Hits {
    pub(in crate::imaging) hits: Vec<Hit>,
    /// Whether there is more of it.
    pub(in crate::imaging) more: bool,
}

/// A study, a series with its study, or an instance with both.
#[derive(Debug, Clone)]
pub(in crate::imaging) struct Hit {
    pub(in crate::imaging) study: Arc<StudyFound>,
    pub(in crate::imaging) series: Option<Arc<SeriesFound>>,
    pub(in crate::imaging) instance: Option<StoredInstance>,
}

/// A study without its series.
#[derive(Debug)]
pub(in crate::imaging) struct StudyFound {
    /// The number of its row.
    number: i64,
    /// Its patient in the affinity domain, as CX, if it was published.
    pub(in crate::imaging) patient_id: Option<String>,
    /// Into which collections its images came, if that was asked for.
    pub(in crate::imaging) collections: Collections,
    pub(in crate::imaging) study: Study,
    /// `|CT|SR|`
    modalities: String,
    pub(in crate::imaging) series_count: i32,
    pub(in crate::imaging) instance_count: i32,
}

impl StudyFound {
    /// The modalities in it, divided by backslashes.
    pub(in crate::imaging) fn modalities(&self) -> String {
        self.modalities.trim_matches('|').replace('|', "\\")
    }
}

/// A series without its instances.
#[derive(Debug)]
pub(in crate::imaging) struct SeriesFound {
    pub(in crate::imaging) series: Series,
    pub(in crate::imaging) instance_count: i32,
}

/// Who may know of what is found, and whether collections are needed to decide it.
pub(in crate::imaging) struct Admission<'a> {
    pub(in crate::imaging) collections: bool,
    pub(in crate::imaging) admits: &'a dyn Fn(&StudyFound) -> bool,
}

impl Index {
    /// What is here and not kept back. Of what is not admitted, nothing is found.
    pub(in crate::imaging) fn search(
        &self,
        search: &Search,
        admission: Option<&Admission<'_>>,
    ) -> anyhow::Result<Hits> {
        let narrowed = Narrowed::of(search, &self.fields)?;
        let mut admitted = HashMap::new();
        let mut takes = |hit: &Hit| {
            narrowed.takes(hit)
                && admission.is_none_or(|admission| {
                    let study = &hit.study;
                    let known = admitted.entry(study.number);
                    *known.or_insert_with(|| (admission.admits)(study))
                })
        };
        let mut found = Hits {
            hits: Vec::new(),
            more: false,
        };
        let mut passed_over = 0;
        let mut after = 0;
        // Either the database counts or we do.
        let counts = narrowed.undecided.is_empty() && admission.is_none();
        let (limit, offset) = match counts {
            true => (rows(search.limit) + 1, rows(search.offset)),
            false => (TOGETHER, 0),
        };
        let collections = admission.is_some_and(|it| it.collections);
        loop {
            let (page, hits) = self.connections.read(|connection| {
                let page = narrowed.rows(connection, search.level, after, (limit, offset))?;
                let from = (connection, &self.fields);
                let hits = load(from, search.level, &page, collections)?;
                Ok((page, hits))
            })?;
            after = page.last().map_or(after, |row| row.number(search.level));
            for hit in hits {
                if !takes(&hit) {
                    continue;
                }
                if !counts && passed_over < search.offset {
                    passed_over += 1;
                } else if found.hits.len() < search.limit {
                    found.hits.push(hit);
                } else {
                    found.more = true;
                    return Ok(found);
                }
            }
            if counts || (page.len() as i64) < limit {
                return Ok(found);
            }
        }
    }
}

fn rows(count: usize) -> i64 {
    i64::try_from(count)
        .unwrap_or(i64::MAX - 1)
        .min(i64::MAX - 1)
}

/// A row that was found: what it is of, and what that is within.
#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    study: i64,
    #[diesel(sql_type = BigInt)]
    series: i64,
    #[diesel(sql_type = BigInt)]
    instance: i64,
}

impl Row {
    const fn number(&self, level: Level) -> i64 {
        match level {
            Level::Study => self.study,
            Level::Series => self.series,
            Level::Instance => self.instance,
        }
    }
}
