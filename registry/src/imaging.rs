//! What document entries say of images: acquisition parameters, measured values and specimens, found
//! by the queries of our own (`docs/imaging-queries.md`).
//!
//! It is indexed with the entry, in the transaction that registers it, and goes with it. Tables
//! narrow a question down; what a document has to say is judged here, so that both databases answer
//! alike.

pub(crate) mod facts;
mod measured;
mod remarks;
#[cfg(test)]
mod tests;

use xds_schemas::ebrs::RegistryError;
use xds_schemas::imaging::{acquisition, measurement, specimen};
use xds_schemas::metadata::DocumentEntry;

use crate::db::Connection;
use crate::db::acquisitions::{self, Acquisition, Number, Word};
use crate::db::measurements::{self, MeasuredValue};
use crate::db::registry_objects::{Row, split};
use crate::db::specimens::{self, Specimen};
use crate::failure::Failure;
use facts::Fact;

pub(crate) use measured::{accepts as measured_as, range as measured_range};

/// Bytes of a word that are in an index: PostgreSQL has a limit. Words that begin alike are told
/// apart when they are judged.
const LONGEST_WORD: usize = 512;

/// What is to be indexed of a document entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Indexed {
    /// Without a key.
    acquisition: Option<Acquisition>,
    numbers: Vec<Number>,
    words: Vec<Word>,
    measured: Vec<MeasuredValue>,
    specimens: Vec<Specimen>,
}

impl Indexed {
    /// What there is to index of an entry, if there is anything; and what is to be remarked on slots
    /// that are kept, but could not be understood.
    pub(crate) fn of(entry: &DocumentEntry) -> (Option<Self>, Option<RegistryError>) {
        let specimens = specimens_of(entry.reference_ids.iter().map(ToString::to_string));
        let slots = &entry.extra.slots;
        let is_ours =
            |name: &str| name.starts_with(acquisition::SLOT) || name.starts_with(measurement::SLOT);
        if specimens.is_empty() && !slots.iter().any(|slot| is_ours(&slot.name)) {
            return (None, None);
        }
        let series = acquisition::from_slots(slots);
        let held = facts::held(&series);
        let acquisition = (!held.is_empty()).then(|| Acquisition {
            key: 0,
            series: i32::try_from(series.len()).unwrap_or(i32::MAX),
            facts: facts::write(&held, series.len()),
        });
        let indexed = held
            .iter()
            .map(|(keyword, fact, _)| (*keyword, fact.clone()));
        let (numbers, words) = rows(indexed, 0);
        let measured = measurement::from_slots(slots);
        let indexed = Self {
            acquisition,
            numbers,
            words,
            measured: measured::rows(&measured),
            specimens,
        };
        let remark = remarks::of(slots).map(|remark| remark.at(entry.entry_uuid.as_str()));
        (Some(indexed), remark)
    }

    /// Adds it to the index, as that of the entry with this key.
    pub(crate) fn insert(&self, conn: &mut Connection, key: i64) -> Result<(), Failure> {
        let mut own = self.clone();
        own.numbers.iter_mut().for_each(|it| it.key = key);
        own.words.iter_mut().for_each(|it| it.key = key);
        own.measured.iter_mut().for_each(|it| it.key = key);
        own.specimens.iter_mut().for_each(|it| it.key = key);
        if let Some(mut acquisition) = own.acquisition {
            acquisition.key = key;
            acquisitions::insert(conn, &acquisition, &own.numbers, &own.words)?;
        }
        measurements::insert(conn, &own.measured)?;
        Ok(specimens::insert(conn, &own.specimens)?)
    }
}

/// Takes document entries out of the index.
pub(crate) fn remove<'a>(
    conn: &mut Connection,
    rows_of_entries: impl Iterator<Item = &'a Row>,
) -> Result<(), Failure> {
    for row in rows_of_entries.filter(|row| row.kind.is_document_entry()) {
        for said in acquisitions::by_keys(conn, &[row.key])? {
            let (numbers, words) = rows(facts::read(&said.facts), row.key);
            acquisitions::remove(conn, row.key, &numbers, &words)?;
        }
        measurements::remove(conn, row.key)?;
        let mut about = specimens_of(split(&row.reference_ids).map(str::to_owned));
        about.iter_mut().for_each(|it| it.key = row.key);
        specimens::remove(conn, &about)?;
    }
    Ok(())
}

/// The rows by which values are found, each once.
fn rows<'k>(facts: impl Iterator<Item = (&'k str, Fact)>, key: i64) -> (Vec<Number>, Vec<Word>) {
    let (mut numbers, mut words) = (Vec::new(), Vec::new());
    for (keyword, fact) in facts {
        let keyword = keyword.to_owned();
        match fact {
            Fact::Number(number) => numbers.push(Number {
                keyword,
                number,
                key,
            }),
            Fact::Word(word) => words.push(Word {
                keyword,
                word: indexed_word(&word).to_owned(),
                key,
            }),
        }
    }
    words.sort_by(|one, other| (&one.keyword, &one.word).cmp(&(&other.keyword, &other.word)));
    words.dedup();
    (numbers, words)
}

/// As much of a word as is in an index.
pub(crate) fn indexed_word(word: &str) -> &str {
    let end = (0..=word.len().min(LONGEST_WORD)).rev();
    let end = end.into_iter().find(|at| word.is_char_boundary(*at));
    &word[..end.unwrap_or(0)]
}

/// Each specimen by both of its names.
fn specimens_of(reference_ids: impl Iterator<Item = String>) -> Vec<Specimen> {
    let mut all = Vec::new();
    for reference_id in reference_ids {
        let names = specimen::named_by(&reference_id).map(specimen::names);
        all.extend(names.into_iter().flatten().map(|name| Specimen {
            specimen: indexed_word(name).to_owned(),
            key: 0,
        }));
    }
    all.sort_by(|one, other| one.specimen.cmp(&other.specimen));
    all.dedup();
    all
}

/// Whether a document entry is about a specimen that passes.
pub(crate) fn is_about(
    row: &Row,
    specimens: &xds_schemas::iti18_registry_stored_query::AllOf,
) -> bool {
    let names: Vec<&str> = split(&row.reference_ids)
        .filter_map(specimen::named_by)
        .flat_map(specimen::names)
        .collect();
    specimens
        .0
        .iter()
        .all(|any| any.accepts(names.iter().copied()))
}
