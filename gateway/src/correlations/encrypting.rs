//! A database that was plain becomes one whose identifiers are encrypted.
//!
//! Many rows go in one transaction; what is left to do are the rows that have no sealed text. So it can be
//! interrupted at any moment and begun again; until it is done, nobody opens the database.

use std::path::Path;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::Fields;
use hilum_security::at_rest::fields::database::{self, Kept};

use super::database::{SETTINGS, migrate};
use super::fields::{GATEWAY, ONLY, kept, tell};
use super::row::Row;
use super::schema::at_rest;
use super::schema::correlations::dsl;

/// Rows of one transaction.
const TOGETHER: i64 = 1000;
/// Nobody else has it open, and nobody gets in.
const ALONE: &str = "PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; \
                     PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; COMMIT";
/// Nothing plain stays in free pages or in the log. Files for a while are made where the system wants
/// them, since the database may be larger than the memory.
const CLEAN: &str = "PRAGMA temp_store = FILE; PRAGMA wal_checkpoint(TRUNCATE); VACUUM; \
                     PRAGMA wal_checkpoint(TRUNCATE)";

/// Encrypts identifiers in a database that nobody else uses. `progress` is told how many rows are done.
/// Gives how many were; nothing if there is no database.
pub(crate) fn encrypt(
    path: &Path,
    ring: &KeyRing,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<u64>> {
    let Some(mut connection) = alone(path)? else {
        return Ok(None);
    };
    let (fields, said) = match kept(&mut connection)? {
        Some(said) => (database::unwrap(GATEWAY, &said.wrapped)?, said),
        None => {
            let (fields, wrapped) = database::new(GATEWAY, ring)?;
            let progress = Some("begun".to_owned());
            let said = Kept { wrapped, progress };
            tell(&mut connection, &said)?;
            (fields, said)
        }
    };
    if said.progress.is_none() {
        return Ok(Some(0));
    }
    let mut done = 0;
    loop {
        let some = connection.transaction(|connection| some(connection, &fields))?;
        if some == 0 {
            break;
        }
        done += some;
        progress(done);
    }
    let cleaned = connection.batch_execute(CLEAN);
    cleaned.context("what was plain cannot be overwritten")?;
    let none: Option<String> = None;
    diesel::update(at_rest::table.find(ONLY))
        .set(at_rest::progress.eq(none))
        .execute(&mut connection)?;
    Ok(Some(done))
}

/// A connection to a database that nobody else uses; nothing if there is none.
pub(super) fn alone(path: &Path) -> anyhow::Result<Option<SqliteConnection>> {
    if !path.exists() {
        return Ok(None);
    }
    let shown = path.display();
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .with_context(|| format!("{shown} cannot be opened"))?;
    let alone = connection.batch_execute(ALONE);
    alone.with_context(|| format!("the node must be stopped: {shown} cannot be had alone"))?;
    connection.batch_execute(SETTINGS)?;
    migrate(&mut connection, path)?;
    Ok(Some(connection))
}

/// Encrypts some rows, and says how many.
fn some(connection: &mut SqliteConnection, fields: &Fields) -> anyhow::Result<u64> {
    let rows: Vec<Row> = dsl::correlations
        .filter(dsl::own_sealed.is_null())
        .limit(TOGETHER)
        .load(connection)?;
    let count = rows.len() as u64;
    for row in rows {
        // Its key changes.
        diesel::delete(dsl::correlations.find((&row.own, &row.home))).execute(connection)?;
        diesel::insert_into(dsl::correlations)
            .values(row.sealed(fields)?)
            .execute(connection)?;
    }
    Ok(count)
}
