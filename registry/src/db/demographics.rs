//! What feeds say of patients, and by what they are found. Both text columns are read and written here
//! and nowhere else.

mod keys;

use anyhow::Context;
use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Place};
use xds_schemas::person::Person;

use super::counting::count as count_of;
use super::fields::broken;
use super::schema::{demographic_keys, demographics};
use super::{Connection, Either, on};
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

/// What is known of a patient, where it is kept.
const RESOURCE: &str = "demographics.resource";

/// What a key is looked for by.
fn name(fields: &Fields, kind: Kind, text: &str) -> QueryResult<String> {
    fields.pseudonym(kind.column(), text).map_err(broken)
}

/// The same of several.
fn names(fields: &Fields, kind: Kind, texts: &[&str]) -> QueryResult<Vec<String>> {
    texts.iter().map(|text| name(fields, kind, text)).collect()
}

/// Keeps what is known of a patient, in place of what was known before.
pub(crate) fn put(
    conn: &mut Connection,
    patient: i64,
    person: &Person,
    updated: i64,
) -> Result<(), Failure> {
    remove(conn, patient)?;
    let fields = conn.fields();
    let resource = serde_json::to_string(person).context("demographics as JSON");
    let resource = resource.map_err(Failure::Internal)?;
    let sealed = fields.seal(Place::of(RESOURCE, &patient), &resource);
    let row = Row {
        patient,
        resource: sealed.map_err(broken)?.into_owned(),
        updated,
    };
    on!(&mut *conn, |c| diesel::insert_into(demographics::table)
        .values(&row)
        .execute(c))?;
    let keys = keys::of(person).into_iter();
    let row = |key: Key| {
        Ok(KeyRow {
            kind: key.kind.number(),
            key: name(&fields, key.kind, &key.text)?,
            patient,
        })
    };
    let rows: Vec<KeyRow> = keys.map(row).collect::<QueryResult<_>>()?;
    match conn.engine() {
        Either::Sqlite(c) => {
            for row in &rows {
                let insert = diesel::insert_into(demographic_keys::table).values(row);
                insert.execute(c)?;
            }
        }
        Either::Postgres(c) => {
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
    let fields = conn.fields();
    let mut all = Vec::with_capacity(patients.len());
    for some in patients.chunks(AT_ONCE) {
        let rows: Vec<(i64, String)> = on!(&mut *conn, |c| demographics::table
            .filter(demographics::patient.eq_any(some))
            .order(demographics::patient)
            .select((demographics::patient, demographics::resource))
            .load(c))?;
        for (patient, resource) in rows {
            let resource = fields.open(Place::of(RESOURCE, &patient), resource);
            let resource = resource.map_err(broken)?;
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
    let fields = conn.fields();
    let mut all = Vec::new();
    for (kind, texts) in keys::by_kind(keys) {
        let texts = names(&fields, kind, &texts)?;
        let found: Vec<i64> = on!(&mut *conn, |c| demographic_keys::table
            .filter(demographic_keys::kind.eq(kind.number()))
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
    let fields = conn.fields();
    let mut all = 0;
    for (kind, texts) in keys::by_kind(keys) {
        let texts = names(&fields, kind, &texts)?;
        let query = demographic_keys::table
            .filter(demographic_keys::kind.eq(kind.number()))
            .filter(demographic_keys::key.eq_any(&texts))
            .limit(limit)
            .select(demographic_keys::patient);
        all += on!(&mut *conn, |c| count_of(query).get_result::<i64>(c))?;
    }
    Ok(all)
}

/// Seals what a database that was plain has of some patients behind one; gives their numbers.
pub(super) fn seal_some(
    conn: &mut Connection,
    fields: &Fields,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, Failure> {
    let patients: Vec<i64> = on!(&mut *conn, |c| demographics::table
        .filter(demographics::patient.gt(after))
        .order(demographics::patient)
        .limit(limit)
        .select(demographics::patient)
        .load(c))?;
    for patient in &patients {
        let (resource, updated): (String, i64) = on!(&mut *conn, |c| demographics::table
            .find(patient)
            .select((demographics::resource, demographics::updated))
            .first(c))?;
        let person: Person = serde_json::from_str(&resource)
            .map_err(|_| Failure::Internal(anyhow::anyhow!("kept demographics cannot be read")))?;
        // Its keys follow from what is known, so that they are written anew.
        let plain = conn.fields();
        conn.keep_fields(fields.clone());
        let put = put(conn, *patient, &person, updated);
        conn.keep_fields(plain);
        put?;
    }
    Ok(patients)
}
