//! What feeds say of patients, and by what they are found. Both text columns are read and written here
//! and nowhere else.

mod keys;

use anyhow::Context;
use diesel::prelude::*;
use xds_schemas::person::Person;

use super::counting::count as count_of;
use super::schema::{demographic_keys, demographics};
use super::{Connection, on};
use crate::failure::Failure;

pub(crate) use keys::{Key, Kind, condition};

/// Rows of one INSERT on PostgreSQL, which takes 65,535 values.
const ROWS: usize = 10_000;
/// Patients that are read at once.
const AT_ONCE: usize = 500;

#[derive(Debug, Insertable, AsChangeset)]
#[diesel(table_name = demographics)]
struct Row {
    patient: i64,
    resource: String,
    updated: i64,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = demographic_keys)]
struct KeyRow {
    kind: i16,
    key: String,
    patient: i64,
}

/// Keeps what is known of a patient, in place of what was known before.
pub(crate) fn put(
    conn: &mut Connection,
    patient: i64,
    person: &Person,
    updated: i64,
) -> Result<(), Failure> {
    remove(conn, patient)?;
    let resource = serde_json::to_string(person).context("demographics as JSON");
    let row = Row {
        patient,
        resource: resource.map_err(Failure::Internal)?,
        updated,
    };
    on!(&mut *conn, |c| diesel::insert_into(demographics::table)
        .values(&row)
        .execute(c))?;
    let keys = keys::of(person).into_iter();
    let rows: Vec<KeyRow> = keys
        .map(|key| KeyRow {
            kind: key.kind.number(),
            key: key.text,
            patient,
        })
        .collect();
    match conn {
        Connection::Sqlite(c) => {
            for row in &rows {
                let insert = diesel::insert_into(demographic_keys::table).values(row);
                insert.execute(c)?;
            }
        }
        Connection::Postgres(c) => {
            for rows in rows.chunks(ROWS) {
                let insert = diesel::insert_into(demographic_keys::table).values(rows);
                insert.execute(c)?;
            }
        }
    }
    Ok(())
}

/// Forgets what is known of a patient.
pub(crate) fn remove(conn: &mut Connection, patient: i64) -> QueryResult<()> {
    on!(&mut *conn, |c| diesel::delete(
        demographic_keys::table.filter(demographic_keys::patient.eq(patient))
    )
    .execute(c))?;
    on!(conn, |c| diesel::delete(demographics::table.find(patient))
        .execute(c)
        .map(drop))
}

/// Forgets what is known of everybody; says of how many.
pub(crate) fn remove_all(conn: &mut Connection) -> QueryResult<usize> {
    on!(&mut *conn, |c| diesel::delete(demographic_keys::table)
        .execute(c))?;
    on!(conn, |c| diesel::delete(demographics::table).execute(c))
}

/// What is known of a patient.
pub(crate) fn of(conn: &mut Connection, patient: i64) -> Result<Option<Person>, Failure> {
    Ok(of_patients(conn, &[patient])?.pop().map(|(_, it)| it))
}

/// What is known of these patients, in the order of their numbers. Of whom nothing is known is left out.
pub(crate) fn of_patients(
    conn: &mut Connection,
    patients: &[i64],
) -> Result<Vec<(i64, Person)>, Failure> {
    let mut all = Vec::with_capacity(patients.len());
    for some in patients.chunks(AT_ONCE) {
        let rows: Vec<(i64, String)> = on!(&mut *conn, |c| demographics::table
            .filter(demographics::patient.eq_any(some))
            .order(demographics::patient)
            .select((demographics::patient, demographics::resource))
            .load(c))?;
        for (patient, resource) in rows {
            // The library's errors quote values.
            let person = serde_json::from_str(&resource)
                .map_err(|_| anyhow::anyhow!("kept demographics cannot be read"));
            all.push((patient, person.map_err(Failure::Internal)?));
        }
    }
    Ok(all)
}

/// The numbers of all patients of whom something is known, at most so many.
pub(crate) fn everybody(conn: &mut Connection, limit: i64) -> QueryResult<Vec<i64>> {
    on!(conn, |c| demographics::table
        .order(demographics::patient)
        .limit(limit)
        .select(demographics::patient)
        .load(c))
}

/// The numbers of the patients who have one of these keys, at most so many.
pub(crate) fn with_any(conn: &mut Connection, keys: &[Key], limit: i64) -> QueryResult<Vec<i64>> {
    let mut all = Vec::new();
    for (kind, texts) in keys::by_kind(keys) {
        let found: Vec<i64> = on!(&mut *conn, |c| demographic_keys::table
            .filter(demographic_keys::kind.eq(kind))
            .filter(demographic_keys::key.eq_any(&texts))
            .order(demographic_keys::patient)
            .limit(limit)
            .select(demographic_keys::patient)
            .load(c))?;
        all.extend(found);
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// How many have one of them, counted no further than the limit.
pub(crate) fn count(conn: &mut Connection, keys: &[Key], limit: i64) -> QueryResult<i64> {
    let mut all = 0;
    for (kind, texts) in keys::by_kind(keys) {
        let query = demographic_keys::table
            .filter(demographic_keys::kind.eq(kind))
            .filter(demographic_keys::key.eq_any(&texts))
            .limit(limit)
            .select(demographic_keys::patient);
        all += on!(&mut *conn, |c| count_of(query).get_result::<i64>(c))?;
    }
    Ok(all)
}
