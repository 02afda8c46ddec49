//! Writing the index: many records in one transaction, and with them how far the log was followed.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;
use hilum_security::at_rest::fields::Fields;

use super::connection::{Connections, IndexError};
use super::schema::{batches, position, postings, strings};
use super::words::{Named, SHAPE, Text, Words};
use super::{Index, Word, fields, place};
use crate::record_repository::received::Received;
use crate::record_repository::understood::{self, EventId};

/// Events of one batch.
pub(super) const BATCH: usize = 4096;
/// Rows of one statement: SQLite takes 32,766 values.
const ROWS: usize = 8000;
/// Values that are remembered to be there already.
const REMEMBERED: usize = 500_000;

/// What writes the index. There is one.
#[derive(Debug)]
pub(crate) struct Writer {
    connections: Arc<Connections>,
    /// How values are kept.
    fields: Fields,
    /// As it is kept.
    salt: Vec<u8>,
    words: Words,
    /// The number of the record that comes next.
    next: u64,
    log: Option<String>,
    batch: Batch,
    remembered: HashSet<Word>,
}

/// The batch that is being filled.
#[derive(Debug, Default)]
struct Batch {
    number: i64,
    members: Vec<Member>,
    places: BTreeMap<Word, Vec<u16>>,
    changed: HashSet<Word>,
}

/// An event of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: EventId,
    pub(super) recorded: i64,
    /// When it came.
    pub(super) arrived: i64,
}

/// Bytes of one.
pub(super) const MEMBER: usize = 26;

impl Member {
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.number.to_le_bytes());
        out.extend_from_slice(&self.id.part.to_le_bytes());
        out.extend_from_slice(&self.recorded.to_le_bytes());
        out.extend_from_slice(&self.arrived.to_le_bytes());
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.split_first_chunk()?;
        let (part, rest) = rest.split_first_chunk()?;
        let (recorded, rest) = rest.split_first_chunk()?;
        let (arrived, _) = rest.split_first_chunk()?;
        Some(Self {
            id: EventId {
                number: u64::from_le_bytes(*number),
                part: u16::from_le_bytes(*part),
            },
            recorded: i64::from_le_bytes(*recorded),
            arrived: i64::from_le_bytes(*arrived),
        })
    }
}

impl Writer {
    pub(super) fn new(index: &Index) -> Result<Self, IndexError> {
        let connections = Arc::clone(&index.connections);
        let (place, last) = connections.read(|connection| {
            let last: Option<i64> = batches::table
                .select(diesel::dsl::max(batches::number))
                .first(connection)?;
            Ok((place(connection)?, last))
        })?;
        let place = place.ok_or(diesel::result::Error::NotFound)?;
        Ok(Self {
            connections,
            fields: index.fields.clone(),
            words: Words::new(&fields::secret(&index.fields, &place.salt)?),
            salt: place.salt,
            next: u64::try_from(place.next).unwrap_or_default(),
            log: place.log,
            // What an earlier process began is not continued: there may be a small batch for each.
            batch: Batch::after(last.unwrap_or(0)),
            remembered: HashSet::new(),
        })
    }

    /// The number of the record that comes next.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// The log that was followed.
    pub(crate) fn log(&self) -> Option<&str> {
        self.log.as_deref()
    }

    /// Forgets everything, to follow a log from its beginning.
    pub(crate) fn clear(&mut self) -> Result<(), IndexError> {
        self.connections
            .write(|connection| begin(connection, &self.salt))?;
        self.next = 0;
        self.log = None;
        self.batch = Batch::after(0);
        self.remembered.clear();
        Ok(())
    }

    /// Takes records of the log `log` in, durably, so that `next` is the one after them.
    pub(crate) fn add(
        &mut self,
        log: &str,
        records: &[(u64, Received)],
        next: u64,
    ) -> Result<(), IndexError> {
        let mut texts = Vec::new();
        let mut done = Vec::new();
        for (number, received) in records {
            self.record(*number, received, &mut texts, &mut done);
        }
        let connections = Arc::clone(&self.connections);
        let written = connections.write(|connection| {
            for batch in done.iter_mut().chain([&mut self.batch]) {
                batch.write(connection)?;
            }
            write_texts(connection, &self.fields, &texts)?;
            diesel::update(position::table)
                .set((
                    position::next.eq(i64::try_from(next).unwrap_or(i64::MAX)),
                    position::log.eq(log),
                ))
                .execute(connection)?;
            Ok(())
        });
        if written.is_err() {
            // What is in memory is not on disk: it is read from the log again, into another batch.
            let fields = self.fields.clone();
            *self = Self::new(&Index {
                connections,
                fields,
            })?;
            return written;
        }
        self.next = next;
        self.log = Some(log.to_owned());
        Ok(())
    }

    fn record(
        &mut self,
        number: u64,
        received: &Received,
        texts: &mut Vec<Text>,
        done: &mut Vec<Batch>,
    ) {
        let events = understood::events(number, received);
        let others = EventId::of(number);
        let others = (others, understood::written(received));
        let named: Vec<_> = match events.as_slice() {
            [] => vec![(others, self.words.of(None, received))],
            events => events
                .iter()
                .map(|told| {
                    (
                        (told.id, told.recorded),
                        self.words.of(Some(told), received),
                    )
                })
                .collect(),
        };
        for ((id, recorded), named) in named {
            if named.words.is_empty() {
                continue;
            }
            if self.batch.members.len() >= BATCH {
                let next = Batch::after(self.batch.number);
                done.push(std::mem::replace(&mut self.batch, next));
            }
            let member = Member {
                id,
                recorded,
                arrived: understood::arrived(received),
            };
            self.batch.add(member, &named);
            if self.remembered.len() >= REMEMBERED {
                self.remembered.clear();
            }
            let new = named.texts.into_iter();
            texts.extend(new.filter(|text| self.remembered.insert(text.word)));
        }
    }

    /// Forgets what is of records before `begin`: their time is over.
    pub(crate) fn forget_before(&mut self, begin: u64) -> Result<(), IndexError> {
        let begin = i64::try_from(begin).unwrap_or(i64::MAX);
        let open = self.batch.number;
        let gone = self.connections.write(|connection| {
            let old = batches::table
                .filter(batches::last.lt(begin))
                .filter(batches::number.lt(open));
            let last: Option<i64> = old
                .select(diesel::dsl::max(batches::number))
                .first(connection)?;
            let Some(last) = last else {
                return Ok(false);
            };
            diesel::delete(batches::table.filter(batches::number.le(last))).execute(connection)?;
            diesel::delete(postings::table.filter(postings::batch.le(last))).execute(connection)?;
            // A name that nobody has any more is not kept either.
            let used = postings::table.filter(postings::word.eq(strings::word));
            let unused = strings::table.filter(diesel::dsl::not(diesel::dsl::exists(used)));
            let unused: Vec<Word> = unused.select(strings::word).load(connection)?;
            for words in unused.chunks(ROWS) {
                let gone = strings::table.filter(strings::word.eq_any(words));
                diesel::delete(gone).execute(connection)?;
            }
            Ok(true)
        })?;
        if gone {
            self.remembered.clear();
        }
        Ok(())
    }
}

/// Empties the index.
pub(super) fn begin(connection: &mut SqliteConnection, salt: &[u8]) -> Result<(), IndexError> {
    diesel::delete(strings::table).execute(connection)?;
    diesel::delete(postings::table).execute(connection)?;
    diesel::delete(batches::table).execute(connection)?;
    diesel::replace_into(position::table)
        .values((
            position::id.eq(1),
            position::next.eq(0_i64),
            position::log.eq(None::<String>),
            position::shape.eq(SHAPE),
            position::salt.eq(salt),
        ))
        .execute(connection)?;
    Ok(())
}

fn write_texts(
    connection: &mut SqliteConnection,
    fields: &Fields,
    texts: &[Text],
) -> Result<(), IndexError> {
    for texts in texts.chunks(ROWS) {
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            let (value, sealed) = fields::sealed(fields, text)?;
            rows.push((
                strings::kind.eq(text.kind),
                strings::value.eq(value),
                strings::word.eq(text.word),
                strings::sealed.eq(sealed),
            ));
        }
        diesel::insert_or_ignore_into(strings::table)
            .values(rows)
            .execute(connection)?;
    }
    Ok(())
}

impl Batch {
    fn after(number: i64) -> Self {
        Self {
            number: number + 1,
            ..Self::default()
        }
    }

    fn add(&mut self, member: Member, named: &Named) {
        let place = u16::try_from(self.members.len()).unwrap_or(u16::MAX);
        self.members.push(member);
        for word in &named.words {
            self.places.entry(*word).or_default().push(place);
            self.changed.insert(*word);
        }
    }

    /// Writes what has changed since it was written last.
    fn write(&mut self, connection: &mut SqliteConnection) -> Result<(), IndexError> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let mut changed: Vec<Word> = self.changed.drain().collect();
        changed.sort_unstable();
        for words in changed.chunks(ROWS) {
            let rows = words.iter().map(|word| {
                let places = self.places.get(word).into_iter().flatten();
                let places: Vec<u8> = places.flat_map(|place| place.to_le_bytes()).collect();
                (
                    postings::word.eq(*word),
                    postings::batch.eq(self.number),
                    postings::members.eq(places),
                )
            });
            diesel::replace_into(postings::table)
                .values(rows.collect::<Vec<_>>())
                .execute(connection)?;
        }
        let mut members = Vec::with_capacity(MEMBER * self.members.len());
        self.members
            .iter()
            .for_each(|member| member.write(&mut members));
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let numbers = || self.members.iter().map(|member| number(member.id.number));
        let times = || self.members.iter().map(|member| member.recorded);
        diesel::replace_into(batches::table)
            .values((
                batches::number.eq(self.number),
                batches::first.eq(numbers().min().unwrap_or(0)),
                batches::last.eq(numbers().max().unwrap_or(0)),
                batches::earliest.eq(times().min().unwrap_or(0)),
                batches::latest.eq(times().max().unwrap_or(0)),
                batches::events.eq(i32::try_from(self.members.len()).unwrap_or(i32::MAX)),
                batches::members.eq(members),
            ))
            .execute(connection)?;
        Ok(())
    }
}
