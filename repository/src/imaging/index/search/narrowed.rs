//! What of a question the database decides.

use std::io;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use hilum_security::at_rest::fields::Fields;

use super::super::fields::{ACCESSION_NUMBER, PATIENT_ID, STUDY_ID};
use super::{Attribute, Hit, Level, Matching, Row, Search};

/// Values of one list that the database is told of; longer lists are decided here. SQLite takes some
/// thirty thousand values.
const UIDS_TOLD: usize = 2000;

/// What the database can be asked, and what it cannot.
pub(super) struct Narrowed<'a> {
    pub(super) conditions: String,
    pub(super) values: Vec<Value>,
    pub(super) undecided: Vec<&'a (Attribute, Matching)>,
}

pub(super) enum Value {
    Text(String),
    Number(i64),
}

impl<'a> Narrowed<'a> {
    pub(super) fn of(search: &'a Search, fields: &Fields) -> anyhow::Result<Self> {
        let mut narrowed = Self {
            conditions: String::new(),
            values: Vec::new(),
            undecided: Vec::new(),
        };
        for key in &search.keys {
            let (attribute, matching) = key;
            let decided = match attribute.column() {
                Some(column) if fields.are_sealed() && identifies(*attribute) => {
                    narrowed.add_sealed(*attribute, column, matching, fields)?
                }
                Some(column) => narrowed.add(*attribute, column, matching),
                None => *matching == Matching::Anything,
            };
            if !decided {
                narrowed.undecided.push(key);
            }
        }
        Ok(narrowed)
    }

    /// The same of what is sealed: what has a pseudonym is found by it, and nothing else is.
    fn add_sealed(
        &mut self,
        attribute: Attribute,
        column: &str,
        matching: &Matching,
        fields: &Fields,
    ) -> io::Result<bool> {
        let named = match attribute {
            Attribute::PatientId => PATIENT_ID,
            Attribute::AccessionNumber => ACCESSION_NUMBER,
            Attribute::StudyId => STUDY_ID,
            _ => return Ok(*matching == Matching::Anything),
        };
        let Matching::OneOf(values) = matching else {
            return Ok(*matching == Matching::Anything);
        };
        let names = values.iter().map(|value| fields.pseudonym(named, value));
        let names = Matching::OneOf(names.collect::<io::Result<_>>()?);
        Ok(self.add(attribute, column, &names))
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

    pub(super) fn takes(&self, hit: &Hit) -> bool {
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
    pub(super) fn rows(
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

/// Whether the column of an attribute is sealed, if fields are.
const fn identifies(attribute: Attribute) -> bool {
    matches!(
        attribute,
        Attribute::AccessionNumber
            | Attribute::PatientBirthDate
            | Attribute::PatientId
            | Attribute::PatientName
            | Attribute::ReferringPhysicianName
            | Attribute::SeriesDescription
            | Attribute::StudyDescription
            | Attribute::StudyId
    )
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
