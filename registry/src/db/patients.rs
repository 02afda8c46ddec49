//! Patients: who documents are about.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use hilum_security::at_rest::fields::{Fields, Named, Place};

use super::fields::broken;
use super::schema::patients;
use super::{Connection, Either, SEQ_BITS, on};

/// A patient that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Selectable)]
pub(crate) struct Patient {
    /// Ours.
    pub(crate) number: i64,
    /// The number of its next object.
    pub(crate) next_seq: i64,
    /// The patient this one was found to be the same as.
    pub(crate) merged_into: Option<i64>,
}

/// Objects that a patient can have: their keys must not reach into those of the next patient.
pub(crate) const MOST_OBJECTS: i64 = 1 << SEQ_BITS;

/// How many merges may follow each other.
pub(crate) const LONGEST_CHAIN: usize = 64;

/// The identifier, where it is kept.
pub(super) const PATIENT_ID: &str = "patients.patient_id";

/// What PostgreSQL calls the lock that merges take.
const MERGES: i64 = 0x4849_4c55_4d01;

/// Makes a patient known; says whether it was not known before.
pub(crate) fn add(conn: &mut Connection, patient_id: &str, known_since: i64) -> QueryResult<bool> {
    let fields = conn.fields();
    let values = (
        patients::patient_id.eq(name(&fields, patient_id)?),
        patients::next_seq.eq(0),
        patients::known_since.eq(known_since),
    );
    let added: Option<i64> = on!(&mut *conn, |c| diesel::insert_into(patients::table)
        .values(values)
        .on_conflict_do_nothing()
        .returning(patients::number)
        .get_result(c)
        .optional())?;
    let Some(number) = added else {
        return Ok(false);
    };
    // The text is bound to the number, which is known only now.
    let named = fields.name(Place::of(PATIENT_ID, &number), patient_id);
    if let Some(sealed) = named.map_err(broken)?.sealed {
        on!(conn, |c| diesel::update(patients::table.find(number))
            .set(patients::sealed.eq(sealed))
            .execute(c))?;
    }
    Ok(true)
}

/// What a patient is looked for by.
fn name(fields: &Fields, patient_id: &str) -> QueryResult<String> {
    fields.pseudonym(PATIENT_ID, patient_id).map_err(broken)
}

/// A patient with its identifier as it is kept.
type Kept = (Patient, String, Option<String>);

/// The patient that was found: nobody has put another one in its place.
fn verified(fields: &Fields, kept: Option<Kept>) -> QueryResult<Option<Patient>> {
    let Some((patient, name, sealed)) = kept else {
        return Ok(None);
    };
    let place = Place::of(PATIENT_ID, &patient.number);
    let revealed = fields.reveal(place, Named { name, sealed });
    revealed.map_err(broken)?;
    Ok(Some(patient))
}

/// The patient with this identifier.
pub(crate) fn find(conn: &mut Connection, patient_id: &str) -> QueryResult<Option<Patient>> {
    let fields = conn.fields();
    let name = name(&fields, patient_id)?;
    let found: Option<Kept> = on!(conn, |c| patients::table
        .filter(patients::patient_id.eq(name))
        .select((Patient::as_select(), patients::patient_id, patients::sealed))
        .first(c)
        .optional())?;
    verified(&fields, found)
}

/// The same, with `count` keys taken for objects of this patient. Until the transaction ends,
/// nobody else registers anything for it.
pub(crate) fn find_and_take_keys(
    conn: &mut Connection,
    patient_id: &str,
    count: usize,
) -> QueryResult<Option<Patient>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let fields = conn.fields();
    let name = name(&fields, patient_id)?;
    let found: Option<Kept> = on!(conn, |c| diesel::update(
        patients::table.filter(patients::patient_id.eq(name))
    )
    .set(patients::next_seq.eq(patients::next_seq + count))
    .returning((
        Patient::as_returning(),
        patients::patient_id,
        patients::sealed
    ))
    .get_result(c)
    .optional())?;
    verified(&fields, found)
}

/// The first of `count` more keys, if the patient can have so many objects.
pub(crate) fn take_keys(
    conn: &mut Connection,
    number: i64,
    count: usize,
) -> QueryResult<Option<i64>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let next: i64 = on!(conn, |c| diesel::update(patients::table.find(number))
        .set(patients::next_seq.eq(patients::next_seq + count))
        .returning(patients::next_seq)
        .get_result(c))?;
    Ok((next <= MOST_OBJECTS).then(|| key(number, next - count)))
}

/// Lets nobody else register anything for these patients until the transaction ends. On SQLite
/// nobody else does anyway.
pub(crate) fn lock(conn: &mut Connection, numbers: &[i64]) -> QueryResult<()> {
    match conn.engine() {
        Either::Sqlite(_) => Ok(()),
        Either::Postgres(c) => patients::table
            .filter(patients::number.eq_any(numbers))
            .order(patients::number)
            .select(patients::number)
            .for_update()
            .execute(c)
            .map(drop),
    }
}

/// Waits until no other transaction merges patients, and lets none do so until this one ends. On
/// SQLite there is none anyway.
pub(crate) fn one_merge_at_a_time(conn: &mut Connection) -> QueryResult<()> {
    match conn.engine() {
        Either::Sqlite(_) => Ok(()),
        Either::Postgres(c) => diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<BigInt, _>(MERGES)
            .execute(c)
            .map(drop),
    }
}

/// Lets one patient be known as another from now on. Waits for whoever registers something for it.
pub(crate) fn merge(conn: &mut Connection, subsumed: i64, survivor: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::update(patients::table.find(subsumed))
        .set(patients::merged_into.eq(survivor))
        .execute(c)
        .map(drop))
}

/// How many merges lead to this patient, one after the other.
pub(crate) fn merges_before(conn: &mut Connection, number: i64) -> QueryResult<usize> {
    let mut generation = vec![number];
    for merges in 0..LONGEST_CHAIN {
        generation = on!(&mut *conn, |c| patients::table
            .filter(patients::merged_into.eq_any(&generation))
            .select(patients::number)
            .load(c))?;
        if generation.is_empty() {
            return Ok(merges);
        }
    }
    Ok(LONGEST_CHAIN)
}

/// The patient that this one is now known as.
pub(crate) fn survivor(conn: &mut Connection, number: i64) -> QueryResult<i64> {
    let mut current = number;
    for _ in 0..LONGEST_CHAIN {
        let merged_into: Option<Option<i64>> = on!(&mut *conn, |c| patients::table
            .find(current)
            .select(patients::merged_into)
            .first(c)
            .optional())?;
        match merged_into.flatten() {
            Some(next) => current = next,
            None => break,
        }
    }
    Ok(current)
}

/// Everybody who was merged into this patient, also by way of others, and the patient itself.
pub(crate) fn known_as(conn: &mut Connection, number: i64) -> QueryResult<BTreeSet<i64>> {
    let mut all = BTreeSet::from([number]);
    let mut next = vec![number];
    while !next.is_empty() {
        let merged: Vec<i64> = on!(&mut *conn, |c| patients::table
            .filter(patients::merged_into.eq_any(&next))
            .select(patients::number)
            .load(c))?;
        next = merged.into_iter().filter(|it| all.insert(*it)).collect();
    }
    Ok(all)
}

/// The identifier of the patient with this number.
pub(crate) fn patient_id(conn: &mut Connection, number: i64) -> QueryResult<String> {
    let fields = conn.fields();
    let (name, sealed) = on!(conn, |c| patients::table
        .find(number)
        .select((patients::patient_id, patients::sealed))
        .first(c))?;
    let place = Place::of(PATIENT_ID, &number);
    let revealed = fields.reveal(place, Named { name, sealed });
    revealed.map_err(broken)
}

/// The key of an object of this patient.
pub(crate) const fn key(number: i64, seq: i64) -> i64 {
    number << SEQ_BITS | seq
}
