//! Finding studies, series and instances by what is known of them.
//!
//! The database narrows down; where it cannot tell for sure, what it found is looked at one by one.

mod attribute;
mod matching;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use hilum_dicom::scan::{Series, StoredInstance, Study};
use serde::de::DeserializeOwned;

use super::Index;
use super::schema::{instances, series, studies};

pub(in crate::imaging) use attribute::Attribute;
pub(in crate::imaging) use matching::Matching;

/// Rows that are looked at before more are asked for.
const TOGETHER: i64 = 1000;
/// Keys of one question that the database is told of; the rest is decided here. SQLite takes some ten
/// thousand values.
const UIDS_TOLD: usize = 2000;

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

impl Index {
    /// What is here and not kept back.
    pub(in crate::imaging) fn search(&self, search: &Search) -> anyhow::Result<Hits> {
        self.connections.read(|connection| {
            let narrowed = Narrowed::of(search);
            let mut found = Hits {
                hits: Vec::new(),
                more: false,
            };
            let mut passed_over = 0;
            let mut after = 0;
            // Either the database counts or we do.
            let (mut limit, offset) = match narrowed.undecided.is_empty() {
                true => (rows(search.limit) + 1, rows(search.offset)),
                false => (TOGETHER, 0),
            };
            loop {
                let page = narrowed.rows(connection, search.level, after, (limit, offset))?;
                let last = (page.len() as i64) < limit || narrowed.undecided.is_empty();
                after = page.last().map_or(after, |row| row.number(search.level));
                for hit in load(connection, search.level, &page)? {
                    if !narrowed.takes(&hit) {
                        continue;
                    }
                    if !narrowed.undecided.is_empty() && passed_over < search.offset {
                        passed_over += 1;
                    } else if found.hits.len() < search.limit {
                        found.hits.push(hit);
                    } else {
                        found.more = true;
                        return Ok(found);
                    }
                }
                if last {
                    return Ok(found);
                }
                limit = TOGETHER;
            }
        })
    }
}

fn rows(count: usize) -> i64 {
    i64::try_from(count)
        .unwrap_or(i64::MAX - 1)
        .min(i64::MAX - 1)
}

/// What the database can be asked, and what it cannot.
struct Narrowed<'a> {
    conditions: String,
    values: Vec<Value>,
    undecided: Vec<&'a (Attribute, Matching)>,
}

enum Value {
    Text(String),
    Number(i64),
}

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

impl<'a> Narrowed<'a> {
    fn of(search: &'a Search) -> Self {
        let mut narrowed = Self {
            conditions: String::new(),
            values: Vec::new(),
            undecided: Vec::new(),
        };
        for key in &search.keys {
            let (attribute, matching) = key;
            let decided = match attribute.column() {
                Some(column) => narrowed.add(*attribute, column, matching),
                None => *matching == Matching::Anything,
            };
            if !decided {
                narrowed.undecided.push(key);
            }
        }
        narrowed
    }

    /// Adds a condition, and says whether it is all that is wanted.
    fn add(&mut self, attribute: Attribute, column: &str, matching: &Matching) -> bool {
        match matching {
            Matching::Anything => return true,
            Matching::OneOf(values) if attribute == Attribute::ModalitiesInStudy => {
                let like = values
                    .iter()
                    .map(|value| format!("*|{}|*", literally(value)));
                self.either(&format!("{column} GLOB ?"), like);
            }
            // One pattern spans several modalities in the column.
            Matching::Like(_) if attribute == Attribute::ModalitiesInStudy => return false,
            Matching::OneOf(values) if values.len() > UIDS_TOLD => return false,
            Matching::OneOf(values) => {
                let places = vec!["?"; values.len()].join(", ");
                self.conditions
                    .push_str(&format!(" AND {column} IN ({places})"));
                self.values.extend(values.iter().cloned().map(Value::Text));
            }
            Matching::Like(patterns) => {
                let like = patterns.iter().map(|pattern| glob(pattern));
                self.either(&format!("{column} GLOB ?"), like);
            }
            Matching::Between(first, last) => {
                self.conditions.push_str(&format!(" AND {column} <> ''"));
                for (end, compared) in [(first, ">="), (last, "<=")] {
                    if let Some(end) = end {
                        self.conditions
                            .push_str(&format!(" AND {column} {compared} ?"));
                        self.values.push(Value::Text(end.clone()));
                    }
                }
            }
            Matching::Number(number) => {
                self.conditions.push_str(&format!(" AND {column} = ?"));
                self.values.push(Value::Number(*number));
            }
            // A name may have several groups, and the pattern may be one of them.
            Matching::Named(pattern) => {
                let pattern = glob(pattern.trim_end_matches('^'));
                self.either(&format!("{column} GLOB ?"), [format!("*{pattern}*")]);
                return false;
            }
            Matching::Words(words) => {
                for word in words {
                    self.either(
                        &format!("{column} GLOB ?"),
                        [format!("*{}*", literally(word))],
                    );
                }
                return false;
            }
            Matching::Times(..) => return false,
        }
        true
    }

    fn either(&mut self, condition: &str, values: impl IntoIterator<Item = String>) {
        let values = values.into_iter();
        let before = self.values.len();
        self.values.extend(values.map(Value::Text));
        let conditions = vec![condition; self.values.len() - before].join(" OR ");
        self.conditions.push_str(&format!(" AND ({conditions})"));
    }

    fn takes(&self, hit: &Hit) -> bool {
        let takes = |(attribute, matching): &(Attribute, Matching)| {
            let value = attribute.value(hit);
            match attribute {
                Attribute::ModalitiesInStudy => value.split('\\').any(|it| matching.takes(it)),
                _ => matching.takes(&value),
            }
        };
        self.undecided.iter().copied().all(takes)
    }

    /// The rows behind `after`. Only our own words become part of the statement.
    fn rows(
        &self,
        connection: &mut SqliteConnection,
        level: Level,
        after: i64,
        (limit, offset): (i64, i64),
    ) -> QueryResult<Vec<Row>> {
        let (columns, tables, number) = match level {
            Level::Study => (
                "s.number AS study, 0 AS series, 0 AS instance",
                "studies s",
                "s.number",
            ),
            Level::Series => (
                "s.number AS study, e.number AS series, 0 AS instance",
                "series e JOIN studies s ON s.number = e.study",
                "e.number",
            ),
            Level::Instance => (
                "s.number AS study, e.number AS series, i.number AS instance",
                "instances i JOIN series e ON e.number = i.series \
                 JOIN studies s ON s.number = i.study",
                "i.number",
            ),
        };
        // A series may be empty for a moment, between two changes of its study.
        let there = match level {
            Level::Study => "s.instance_count > 0",
            Level::Series | Level::Instance => "e.instance_count > 0",
        };
        let statement = format!(
            "SELECT {columns} FROM {tables} WHERE s.held IS NULL AND {there}{} AND {number} > ? \
             ORDER BY {number} LIMIT ? OFFSET ?",
            self.conditions
        );
        let mut query = diesel::sql_query(statement).into_boxed::<Sqlite>();
        for value in &self.values {
            query = match value {
                Value::Text(text) => query.bind::<Text, _>(text),
                Value::Number(number) => query.bind::<BigInt, _>(number),
            };
        }
        query
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(limit)
            .bind::<BigInt, _>(offset)
            .load(connection)
    }
}

/// A pattern of DICOM as one of SQLite, which knows ranges of characters too.
fn glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

/// A text as a pattern that only it fits.
fn literally(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '*' | '?' | '[' => {
                pattern.push('[');
                pattern.push(letter);
                pattern.push(']');
            }
            letter => pattern.push(letter),
        }
    }
    pattern
}

/// What these rows stand for, in their order.
fn load(connection: &mut SqliteConnection, level: Level, page: &[Row]) -> anyhow::Result<Vec<Hit>> {
    let studies = load_studies(connection, page)?;
    let series = match level {
        Level::Study => HashMap::new(),
        Level::Series | Level::Instance => load_series(connection, page)?,
    };
    let mut instances = match level {
        Level::Instance => load_instances(connection, page)?,
        Level::Study | Level::Series => HashMap::new(),
    };
    let hit = |row: &Row| {
        Some(Hit {
            study: Arc::clone(studies.get(&row.study)?),
            series: series.get(&row.series).cloned(),
            instance: instances.remove(&row.instance),
        })
    };
    Ok(page.iter().filter_map(hit).collect())
}

fn load_studies(
    connection: &mut SqliteConnection,
    page: &[Row],
) -> anyhow::Result<HashMap<i64, Arc<StudyFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Study).chunks(TOGETHER as usize) {
        let rows: Vec<(i64, String, String, i32, i32)> = studies::table
            .filter(studies::number.eq_any(numbers))
            .select((
                studies::number,
                studies::facts,
                studies::modalities,
                studies::series_count,
                studies::instance_count,
            ))
            .load(connection)?;
        for (number, facts, modalities, series_count, instance_count) in rows {
            let study = StudyFound {
                study: read(&facts)?,
                modalities,
                series_count,
                instance_count,
            };
            found.insert(number, Arc::new(study));
        }
    }
    Ok(found)
}

fn load_series(
    connection: &mut SqliteConnection,
    page: &[Row],
) -> anyhow::Result<HashMap<i64, Arc<SeriesFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Series).chunks(TOGETHER as usize) {
        let rows: Vec<(i64, String, i32)> = series::table
            .filter(series::number.eq_any(numbers))
            .select((series::number, series::facts, series::instance_count))
            .load(connection)?;
        for (number, facts, instance_count) in rows {
            let series = SeriesFound {
                series: read(&facts)?,
                instance_count,
            };
            found.insert(number, Arc::new(series));
        }
    }
    Ok(found)
}

fn load_instances(
    connection: &mut SqliteConnection,
    page: &[Row],
) -> anyhow::Result<HashMap<i64, StoredInstance>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Instance).chunks(TOGETHER as usize) {
        let rows: Vec<(i64, String)> = instances::table
            .filter(instances::number.eq_any(numbers))
            .select((instances::number, instances::facts))
            .load(connection)?;
        for (number, facts) in rows {
            found.insert(number, read(&facts)?);
        }
    }
    Ok(found)
}

fn distinct(page: &[Row], level: Level) -> Vec<i64> {
    let mut numbers: Vec<i64> = page.iter().map(|row| row.number(level)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn read<T: DeserializeOwned>(facts: &str) -> serde_json::Result<T> {
    serde_json::from_str(facts)
}
