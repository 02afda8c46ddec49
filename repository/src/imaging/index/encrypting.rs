//! An index that was plain becomes one whose identifiers are encrypted.
//!
//! It goes table by table, many rows in one transaction, which also writes how far it has come. So it can
//! be interrupted at any moment and begun again; until it is done, nobody opens the index.

use std::path::Path;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel_migrations::MigrationHarness;
use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::database::{self, Kept};
use hilum_security::at_rest::fields::{Fields, Place};

use super::connection::{MIGRATIONS, SETTINGS};
use super::fields::{
    ACCESSION_NUMBER, BASIS, DOCUMENTS, DOMAIN_PATIENT_ID, HELD, INDEX, INSTANCE_FACTS,
    KEPT_BACK_PATIENT, KEPT_BACK_REASONS, ONLY, PATIENT_ID, PLANNED, REGISTERED, SERIES_FACTS,
    STUDY_FACTS, STUDY_ID, TROUBLE, kept, tell, within,
};
use super::schema::{at_rest, instances, quarantined, removals, series, studies, volumes};

/// Rows of one transaction.
const TOGETHER: i64 = 1000;
/// Nobody else has it open, and nobody gets in.
const ALONE: &str = "PRAGMA busy_timeout = 1000; PRAGMA locking_mode = EXCLUSIVE; \
                     PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; COMMIT";
/// Nothing plain stays in free pages or in the log. Files for a while are made where the system wants
/// them, since the index may be larger than the memory.
const CLEAN: &str = "PRAGMA temp_store = FILE; PRAGMA wal_checkpoint(TRUNCATE); VACUUM; \
                     PRAGMA wal_checkpoint(TRUNCATE)";

/// Encrypts some rows behind one, and gives their numbers.
type Step = fn(&mut SqliteConnection, &Fields, i64) -> anyhow::Result<Vec<i64>>;

const STEPS: [Step; 6] = [
    some_studies,
    some_series,
    some_instances,
    some_quarantined,
    some_volumes,
    all_removals,
];

/// Encrypts what identifies patients in an index that nobody else uses. `progress` is told how many rows
/// are done. Gives how many were; nothing if there is no index.
pub(in crate::imaging) fn encrypt(
    path: &Path,
    ring: &KeyRing,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<u64>> {
    if !path.exists() {
        return Ok(None);
    }
    let shown = path.display();
    let mut connection = SqliteConnection::establish(&path.to_string_lossy())
        .with_context(|| format!("{shown} cannot be opened"))?;
    let alone = connection.batch_execute(ALONE);
    alone.with_context(|| format!("the node must be stopped: {shown} cannot be had alone"))?;
    connection.batch_execute(SETTINGS)?;
    let migrated = connection.run_pending_migrations(MIGRATIONS).map(drop);
    migrated.map_err(|error| anyhow::anyhow!("{shown}: {error}"))?;
    let (fields, said) = match kept(&mut connection)? {
        Some(said) => (database::unwrap(INDEX, &said.wrapped)?, said),
        None => {
            let (fields, wrapped) = database::new(INDEX, ring)?;
            let progress = Some(written(0, -1));
            let said = Kept { wrapped, progress };
            tell(&mut connection, &said)?;
            (fields, said)
        }
    };
    let Some(at) = said.progress else {
        return Ok(Some(0));
    };
    let (first, mut after) = read(&at).context("how far it was encrypted cannot be read")?;
    let mut done = 0;
    for (number, step) in STEPS.iter().enumerate().skip(first) {
        loop {
            let last = connection.transaction(|connection| {
                let numbers = step(connection, &fields, after)?;
                if let Some(last) = numbers.last() {
                    note(connection, Some(written(number, *last)))?;
                }
                anyhow::Ok(numbers.last().map(|last| (*last, numbers.len())))
            })?;
            let Some((last, count)) = last else {
                break;
            };
            (after, done) = (last, done + count as u64);
            progress(done);
        }
        after = -1;
    }
    let cleaned = connection.batch_execute(CLEAN);
    cleaned.context("what was plain cannot be overwritten")?;
    note(&mut connection, None)?;
    Ok(Some(done))
}

fn written(step: usize, after: i64) -> String {
    format!("{step}:{after}")
}

fn read(progress: &str) -> Option<(usize, i64)> {
    let (step, after) = progress.split_once(':')?;
    Some((step.parse().ok()?, after.parse().ok()?))
}

fn note(connection: &mut SqliteConnection, progress: Option<String>) -> QueryResult<()> {
    diesel::update(at_rest::table.find(ONLY))
        .set(at_rest::progress.eq(progress))
        .execute(connection)
        .map(drop)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = studies)]
struct StudyTexts {
    number: i64,
    uid: String,
    facts: String,
    domain_patient_id: Option<String>,
    registered: Option<String>,
    planned: Option<String>,
    held: Option<String>,
    trouble: Option<String>,
    patient_id: String,
    accession_number: String,
    study_id: String,
}

fn some_studies(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    let rows: Vec<StudyTexts> = studies::table
        .filter(studies::number.gt(after))
        .order(studies::number)
        .limit(TOGETHER)
        .select(StudyTexts::as_select())
        .load(connection)?;
    for row in &rows {
        let at = |column| Place::of(column, &row.uid);
        let some = |column, text: &Option<String>| fields.seal_some(at(column), text.as_deref());
        let name = |column, text: &str| fields.pseudonym(column, text);
        diesel::update(studies::table.find(row.number))
            .set((
                studies::facts.eq(&*fields.seal(at(STUDY_FACTS), &row.facts)?),
                studies::domain_patient_id.eq(some(DOMAIN_PATIENT_ID, &row.domain_patient_id)?),
                studies::registered.eq(some(REGISTERED, &row.registered)?),
                studies::planned.eq(some(PLANNED, &row.planned)?),
                studies::held.eq(some(HELD, &row.held)?),
                studies::trouble.eq(some(TROUBLE, &row.trouble)?),
                studies::patient_id.eq(name(PATIENT_ID, &row.patient_id)?),
                studies::accession_number.eq(name(ACCESSION_NUMBER, &row.accession_number)?),
                studies::study_id.eq(name(STUDY_ID, &row.study_id)?),
                // They stand in the facts.
                studies::patient_name.eq(""),
                studies::birth_date.eq(""),
                studies::description.eq(""),
                studies::referring_physician.eq(""),
            ))
            .execute(connection)?;
    }
    Ok(rows.into_iter().map(|row| row.number).collect())
}

fn some_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    let rows: Vec<(i64, i64, String, String)> = series::table
        .filter(series::number.gt(after))
        .order(series::number)
        .limit(TOGETHER)
        .select((series::number, series::study, series::uid, series::facts))
        .load(connection)?;
    for (number, study, uid, facts) in &rows {
        let row = within(*study, uid);
        let facts = fields.seal(Place::of(SERIES_FACTS, &row), facts)?;
        diesel::update(series::table.find(number))
            .set((series::facts.eq(&*facts), series::description.eq("")))
            .execute(connection)?;
    }
    Ok(rows.into_iter().map(|(number, ..)| number).collect())
}

fn some_instances(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    let rows: Vec<(i64, i64, String, String)> = instances::table
        .filter(instances::number.gt(after))
        .order(instances::number)
        .limit(TOGETHER)
        .select((
            instances::number,
            instances::study,
            instances::uid,
            instances::facts,
        ))
        .load(connection)?;
    for (number, study, uid, facts) in &rows {
        let row = within(*study, uid);
        let facts = fields.seal(Place::of(INSTANCE_FACTS, &row), facts)?;
        diesel::update(instances::table.find(number))
            .set(instances::facts.eq(&*facts))
            .execute(connection)?;
    }
    Ok(rows.into_iter().map(|(number, ..)| number).collect())
}

fn some_quarantined(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    let rows: Vec<(i64, String, String, String)> = quarantined::table
        .filter(quarantined::number.gt(after))
        .order(quarantined::number)
        .limit(TOGETHER)
        .select((
            quarantined::number,
            quarantined::path,
            quarantined::patient_id,
            quarantined::reasons,
        ))
        .load(connection)?;
    for (number, path, patient_id, reasons) in &rows {
        let at = |column| Place::of(column, path);
        let patient_id = fields.seal(at(KEPT_BACK_PATIENT), patient_id)?;
        let reasons = fields.seal(at(KEPT_BACK_REASONS), reasons)?;
        diesel::update(quarantined::table.find(number))
            .set((
                quarantined::patient_id.eq(&*patient_id),
                quarantined::reasons.eq(&*reasons),
            ))
            .execute(connection)?;
    }
    Ok(rows.into_iter().map(|(number, ..)| number).collect())
}

fn some_volumes(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    let rows: Vec<(i64, String)> = volumes::table
        .filter(volumes::number.gt(after))
        .order(volumes::number)
        .limit(TOGETHER)
        .select((volumes::number, volumes::basis))
        .load(connection)?;
    for (number, basis) in &rows {
        diesel::update(volumes::table.find(number))
            .set(volumes::basis.eq(fields.pseudonym(BASIS, basis)?))
            .execute(connection)?;
    }
    Ok(rows.into_iter().map(|(number, _)| number).collect())
}

/// They have no numbers, and there are few: studies that are just being removed.
fn all_removals(
    connection: &mut SqliteConnection,
    fields: &Fields,
    after: i64,
) -> anyhow::Result<Vec<i64>> {
    if after >= 0 {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String)> = removals::table
        .select((removals::study_uid, removals::documents))
        .load(connection)?;
    for (uid, documents) in &rows {
        let documents = fields.seal(Place::of(DOCUMENTS, uid), documents)?;
        diesel::update(removals::table.find(uid))
            .set(removals::documents.eq(&*documents))
            .execute(connection)?;
    }
    Ok((0..).take(rows.len()).collect())
}
