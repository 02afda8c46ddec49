//! Fields that identify patients: how the index keeps them (`docs/at-rest.md`).
//!
//! The table `at_rest` has one row if they are encrypted: the wrapped data key, and how far an older
//! index has been encrypted.

use std::path::Path;

use anyhow::bail;
use diesel::dsl::exists;
use diesel::prelude::*;
use hilum_security::at_rest::fields::Fields;
use hilum_security::at_rest::fields::database::{self, Database, Judged, Kept};
use hilum_security::at_rest::{KeyId, KeyRing};

use super::connection::{Connections, connect};
use super::schema::{at_rest, quarantined, removals, studies, volumes};

/// The database, for those who keep its data key.
pub(super) const INDEX: Database = Database {
    name: "images",
    called: CALLED,
};
const CALLED: &str = "the index of images";
/// The number of the only row.
pub(super) const ONLY: i32 = 1;

/// Fields of studies, in the row of their UID.
pub(super) const STUDY_FACTS: &str = "studies.facts";
pub(super) const DOMAIN_PATIENT_ID: &str = "studies.domain_patient_id";
pub(super) const REGISTERED: &str = "studies.registered";
pub(super) const PLANNED: &str = "studies.planned";
pub(super) const HELD: &str = "studies.held";
pub(super) const TROUBLE: &str = "studies.trouble";
/// Of these there are only pseudonyms: their texts are in the facts.
pub(super) const PATIENT_ID: &str = "studies.patient_id";
pub(super) const ACCESSION_NUMBER: &str = "studies.accession_number";
pub(super) const STUDY_ID: &str = "studies.study_id";
/// Fields of series and instances, in the row of [`within`].
pub(super) const SERIES_FACTS: &str = "series.facts";
pub(super) const INSTANCE_FACTS: &str = "instances.facts";
/// Fields of what is kept back, in the row of its path.
pub(super) const KEPT_BACK_PATIENT: &str = "quarantined.patient_id";
pub(super) const KEPT_BACK_REASONS: &str = "quarantined.reasons";
/// For whom a volume was handed in: there is only a pseudonym.
pub(super) const BASIS: &str = "volumes.basis";
/// What must go with a study, in the row of its UID.
pub(super) const DOCUMENTS: &str = "removals.documents";

/// The row of a series or an instance: the number of its study, and its UID.
pub(super) fn within(study: i64, uid: &str) -> String {
    format!("{study}/{uid}")
}

pub(super) fn kept(connection: &mut SqliteConnection) -> QueryResult<Option<Kept>> {
    let row: Option<(String, Option<String>)> = at_rest::table
        .find(ONLY)
        .select((at_rest::wrapped, at_rest::progress))
        .first(connection)
        .optional()?;
    Ok(row.map(|(wrapped, progress)| Kept { wrapped, progress }))
}

/// Writes what the index says, if it says nothing yet; whether it was written.
pub(super) fn tell(connection: &mut SqliteConnection, kept: &Kept) -> QueryResult<bool> {
    let told = diesel::insert_into(at_rest::table)
        .values((
            at_rest::number.eq(ONLY),
            at_rest::wrapped.eq(&kept.wrapped),
            at_rest::progress.eq(&kept.progress),
        ))
        .on_conflict_do_nothing()
        .execute(connection)?;
    Ok(told > 0)
}

/// Whether there is anything that could identify a patient.
fn has_data(connection: &mut SqliteConnection) -> QueryResult<bool> {
    Ok(
        diesel::select(exists(studies::table.select(studies::number))).get_result(connection)?
            || diesel::select(exists(quarantined::table.select(quarantined::number)))
                .get_result(connection)?
            || diesel::select(exists(volumes::table.select(volumes::number)))
                .get_result(connection)?
            || diesel::select(exists(removals::table.select(removals::study_uid)))
                .get_result(connection)?,
    )
}

/// How the fields of the index are kept. With a ring, a new one is given a key.
pub(super) fn judged(connections: &Connections, ring: Option<&KeyRing>) -> anyhow::Result<Fields> {
    let (said, data) =
        connections.read(|connection| Ok((kept(connection)?, has_data(connection)?)))?;
    let (fields, wrapped) = match database::judge(INDEX, said.as_ref(), data, ring)? {
        Judged::Known(fields) => return Ok(fields),
        Judged::New(fields, wrapped) => (fields, wrapped),
    };
    let progress = None;
    let new = Kept { wrapped, progress };
    if connections.write(|connection| Ok(tell(connection, &new)?))? {
        return Ok(fields);
    }
    // Another process was faster.
    match connections.read(|connection| Ok(kept(connection)?))? {
        Some(said) => Ok(database::unwrap(INDEX, &said.wrapped)?),
        None => bail!("{CALLED} has a key that nobody can read"),
    }
}

/// A connection to an index that is there and has a table for its key.
fn existing(path: &Path) -> anyhow::Result<Option<SqliteConnection>> {
    if !path.exists() {
        return Ok(None);
    }
    let mut connection = connect(path)?;
    let tables = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'at_rest'";
    let tables = diesel::dsl::sql::<diesel::sql_types::BigInt>(&format!("({tables})"));
    let count: i64 = diesel::select(tables).get_result(&mut connection)?;
    Ok((count > 0).then_some(connection))
}

/// Whether an index with this ring could be used, and how it keeps its fields; nothing of one that is not
/// there.
pub(in crate::imaging) fn check(
    path: &Path,
    ring: Option<&KeyRing>,
) -> anyhow::Result<Option<Fields>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let said = kept(&mut connection)?;
    let data = said.is_none() && has_data(&mut connection)?;
    Ok(match database::judge(INDEX, said.as_ref(), data, ring)? {
        Judged::Known(fields) | Judged::New(fields, _) => Some(fields),
    })
}

/// The key that an index needs, if it is encrypted.
pub(in crate::imaging) fn key(path: &Path) -> anyhow::Result<Option<KeyId>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let kept = kept(&mut connection)?;
    Ok(kept.and_then(|kept| database::key_of(&kept.wrapped)))
}

/// Wraps the data key with the ring's current key; says whether it was another one, or nothing if there
/// is none.
pub(in crate::imaging) fn rotate(path: &Path, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
    let Some(mut connection) = existing(path)? else {
        return Ok(None);
    };
    let Some(said) = kept(&mut connection)? else {
        return Ok(None);
    };
    let Some(wrapped) = database::rewrap(INDEX, &said.wrapped, ring)? else {
        return Ok(Some(false));
    };
    let row = at_rest::table.find(ONLY);
    diesel::update(row.filter(at_rest::wrapped.eq(&said.wrapped)))
        .set(at_rest::wrapped.eq(wrapped))
        .execute(&mut connection)?;
    Ok(Some(true))
}
