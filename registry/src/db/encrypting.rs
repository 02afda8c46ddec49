//! A database that was plain becomes one whose identifiers are encrypted.
//!
//! It goes table by table, many rows in one transaction, which also writes how far it has come. So it can
//! be interrupted at any moment and begun again; until it is done, no registry opens the database.

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hilum_security::at_rest::KeyRing;
use hilum_security::at_rest::fields::database::{self, Kept};
use hilum_security::at_rest::fields::{Fields, Named, Place};

use super::fields::{DATABASE, ONLY, broken, hold_alone, kept, tell};
use super::schema::{
    at_rest, consents, notifications, patients, registry_objects, specimens, subscriptions,
};
use super::{Connection, Either, on, patient_of, registry_objects as objects};
use crate::failure::Failure;

/// Rows of one transaction.
const TOGETHER: i64 = 1000;

/// What is encrypted, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Patients,
    Objects,
    Specimens,
    Subscriptions,
    Notifications,
    Consents,
    Demographics,
    /// What was plain is overwritten.
    Cleaning,
}

const STEPS: [Step; 8] = [
    Step::Patients,
    Step::Objects,
    Step::Specimens,
    Step::Subscriptions,
    Step::Notifications,
    Step::Consents,
    Step::Demographics,
    Step::Cleaning,
];

/// Where a step goes on: behind the row with this number, or this specimen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Behind {
    number: i64,
    specimen: String,
}

impl Behind {
    const NOTHING: Self = Self {
        number: -1,
        specimen: String::new(),
    };
}

/// Encrypts what identifies patients in a database that nobody else uses. `progress` is told how many
/// rows are done. Gives how many were; nothing if there is no database yet.
pub(crate) fn encrypt(
    url: &str,
    ring: &KeyRing,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<u64>> {
    if let Some(path) = url.strip_prefix("sqlite:")
        && !std::path::Path::new(path).exists()
    {
        return Ok(None);
    }
    let mut conn = Connection::open_alone(url)?;
    hold_alone(&mut conn)?;
    conn.migrate()?;
    conn.version()?;
    let (fields, said) = match kept(&mut conn)? {
        Some(said) => (database::unwrap(DATABASE, &said.wrapped)?, said),
        None => {
            let (fields, wrapped) = database::new(DATABASE, ring)?;
            let progress = Some(written(Step::Patients, &Behind::NOTHING));
            let said = Kept { wrapped, progress };
            tell(&mut conn, &said)?;
            (fields, said)
        }
    };
    let Some(at) = said.progress else {
        return Ok(Some(0));
    };
    let (first, mut behind) = read(&at).context("how far it was encrypted cannot be read")?;
    let mut done = 0;
    for step in STEPS.into_iter().skip_while(|step| *step != first) {
        if step == Step::Cleaning {
            clean(&mut conn).context("what was plain cannot be overwritten")?;
        }
        loop {
            let work = |conn: &mut Connection| some(conn, &fields, step, &behind);
            let encrypted = conn.transaction(work).map_err(reason)?;
            let Some((count, reached)) = encrypted else {
                break;
            };
            (done, behind) = (done + count, reached);
            progress(done);
        }
        behind = Behind::NOTHING;
    }
    on!(&mut conn, |c| diesel::update(at_rest::table.find(ONLY))
        .set(at_rest::progress.eq(None::<String>))
        .execute(c))?;
    Ok(Some(done))
}

fn reason(failure: Failure) -> anyhow::Error {
    match failure {
        Failure::Internal(error) => error,
        Failure::Refused(errors) => anyhow::anyhow!("refused: {errors:?}"),
    }
}

fn written(step: Step, behind: &Behind) -> String {
    let place = STEPS.iter().position(|it| *it == step);
    format!("{}:{}", place.unwrap_or_default(), behind.number)
}

fn read(progress: &str) -> Option<(Step, Behind)> {
    let (step, number) = progress.split_once(':')?;
    let step = STEPS.get(step.parse::<usize>().ok()?)?;
    let behind = Behind {
        number: number.parse().ok()?,
        specimen: String::new(),
    };
    Some((*step, behind))
}

/// Encrypts the next rows of a step; nothing if there are no more.
fn some(
    conn: &mut Connection,
    fields: &Fields,
    step: Step,
    behind: &Behind,
) -> Result<Option<(u64, Behind)>, Failure> {
    let after = behind.number;
    let numbers = match step {
        Step::Patients => some_patients(conn, fields, after)?,
        Step::Objects => some_objects(conn, fields, after)?,
        Step::Specimens => {
            let done = some_specimens(conn, fields, behind)?;
            if done.is_some() {
                note(conn, step, &Behind::NOTHING)?;
            }
            return Ok(done);
        }
        Step::Subscriptions => some_subscriptions(conn, fields, after)?,
        Step::Notifications => some_notifications(conn, fields, after)?,
        Step::Consents => some_consents(conn, fields, after)?,
        Step::Demographics => super::demographics::seal_some(conn, fields, after, TOGETHER)?,
        Step::Cleaning => Vec::new(),
    };
    let Some(last) = numbers.last() else {
        return Ok(None);
    };
    let behind = Behind {
        number: *last,
        specimen: String::new(),
    };
    note(conn, step, &behind)?;
    Ok(Some((numbers.len() as u64, behind)))
}

/// Writes how far it has come.
fn note(conn: &mut Connection, step: Step, behind: &Behind) -> QueryResult<()> {
    on!(conn, |c| diesel::update(at_rest::table.find(ONLY))
        .set(at_rest::progress.eq(Some(written(step, behind))))
        .execute(c)
        .map(drop))
}

fn some_patients(conn: &mut Connection, fields: &Fields, after: i64) -> QueryResult<Vec<i64>> {
    on!(conn, |c| {
        let rows: Vec<(i64, String)> = patients::table
            .filter(patients::number.gt(after))
            .order(patients::number)
            .limit(TOGETHER)
            .select((patients::number, patients::patient_id))
            .load(c)?;
        for (number, patient_id) in &rows {
            let place = Place::of(super::patients::PATIENT_ID, number);
            let Named { name, sealed } = fields.name(place, patient_id).map_err(broken)?;
            diesel::update(patients::table.find(number))
                .set((patients::patient_id.eq(name), patients::sealed.eq(sealed)))
                .execute(c)?;
        }
        Ok(rows.into_iter().map(|(number, _)| number).collect())
    })
}

/// Key, patient and texts of an object.
type Object = (i64, i64, Option<String>, Option<String>, String);

fn some_objects(conn: &mut Connection, fields: &Fields, after: i64) -> QueryResult<Vec<i64>> {
    let columns = (
        registry_objects::key,
        registry_objects::patient,
        registry_objects::author_persons,
        registry_objects::reference_ids,
        registry_objects::ebrim,
    );
    let behind = registry_objects::table
        .filter(registry_objects::key.gt(after))
        .limit(TOGETHER)
        .select(columns);
    let rows: Vec<Object> = match conn.engine() {
        Either::Sqlite(c) => behind.order(registry_objects::key).load(c)?,
        // The order is the same, and one for which it has an index.
        Either::Postgres(c) => behind
            .filter(registry_objects::patient.ge(patient_of(after.max(0))))
            .order((registry_objects::patient, registry_objects::key))
            .load(c)?,
    };
    on!(conn, |c| {
        for (key, patient, authors, reference_ids, ebrim) in &rows {
            let at = |column| Place::of(column, key);
            let some = |column, text: &Option<String>| {
                let sealed = fields.seal_some(at(column), text.as_deref());
                sealed.map_err(broken)
            };
            let authors = some(objects::AUTHOR_PERSONS, authors)?;
            let reference_ids = some(objects::REFERENCE_IDS, reference_ids)?;
            let ebrim = fields.seal(at(objects::EBRIM), ebrim).map_err(broken)?;
            let row = registry_objects::table
                .filter(registry_objects::patient.eq(patient))
                .filter(registry_objects::key.eq(key));
            diesel::update(row)
                .set((
                    registry_objects::author_persons.eq(authors),
                    registry_objects::reference_ids.eq(reference_ids),
                    registry_objects::ebrim.eq(&*ebrim),
                ))
                .execute(c)?;
        }
        Ok(rows.into_iter().map(|(key, ..)| key).collect())
    })
}

/// Their order is that of their names, which change: those that are plain have no sealed text.
fn some_specimens(
    conn: &mut Connection,
    fields: &Fields,
    behind: &Behind,
) -> QueryResult<Option<(u64, Behind)>> {
    on!(conn, |c| {
        let same = specimens::specimen.eq(&behind.specimen);
        let after = specimens::specimen.gt(&behind.specimen);
        let rows: Vec<(String, i64)> = specimens::table
            .filter(specimens::specimen.ge(&behind.specimen))
            .filter(after.or(same.and(specimens::key.gt(behind.number))))
            .filter(specimens::sealed.is_null())
            .order((specimens::specimen, specimens::key))
            .limit(TOGETHER)
            .select((specimens::specimen, specimens::key))
            .load(c)?;
        for (specimen, key) in &rows {
            let place = Place::of(super::specimens::SPECIMEN, key);
            let Named { name, sealed } = fields.name(place, specimen).map_err(broken)?;
            diesel::update(specimens::table.find((specimen, key)))
                .set((specimens::specimen.eq(name), specimens::sealed.eq(sealed)))
                .execute(c)?;
        }
        let count = rows.len() as u64;
        let reached = rows.into_iter().next_back();
        let behind = |(specimen, number)| Behind { number, specimen };
        Ok(reached.map(|last| (count, behind(last))))
    })
}

/// Number, reference and texts of a subscription.
type Subscription = (i64, String, String, String, Option<String>);

fn some_subscriptions(conn: &mut Connection, fields: &Fields, after: i64) -> QueryResult<Vec<i64>> {
    use super::subscriptions::{FILTER, PATIENT_ID, SUBSCRIBER};
    on!(conn, |c| {
        let rows: Vec<Subscription> = subscriptions::table
            .filter(subscriptions::number.gt(after))
            .order(subscriptions::number)
            .limit(TOGETHER)
            .select((
                subscriptions::number,
                subscriptions::reference,
                subscriptions::patient_id,
                subscriptions::filter,
                subscriptions::subscriber,
            ))
            .load(c)?;
        for (number, reference, patient_id, filter, subscriber) in &rows {
            let at = |column| Place::of(column, reference);
            let named = fields.name(at(PATIENT_ID), patient_id).map_err(broken)?;
            let filter = fields.seal(at(FILTER), filter).map_err(broken)?;
            let subscriber = fields.seal_some(at(SUBSCRIBER), subscriber.as_deref());
            diesel::update(subscriptions::table.find(number))
                .set((
                    subscriptions::patient_id.eq(named.name),
                    subscriptions::sealed.eq(named.sealed),
                    subscriptions::filter.eq(&*filter),
                    subscriptions::subscriber.eq(subscriber.map_err(broken)?),
                ))
                .execute(c)?;
        }
        Ok(rows.into_iter().map(|(number, ..)| number).collect())
    })
}

fn some_notifications(conn: &mut Connection, fields: &Fields, after: i64) -> QueryResult<Vec<i64>> {
    use super::notifications::{Notification, row, sealed};
    on!(conn, |c| {
        let rows: Vec<Notification> = notifications::table
            .filter(notifications::number.gt(after))
            .order(notifications::number)
            .limit(TOGETHER)
            .select(Notification::as_select())
            .load(c)?;
        let numbers = rows.iter().map(|it| it.number).collect();
        for it in rows {
            let bound_to = row(it.subscription, it.pull_point, it.created);
            let texts = (it.patient_id, it.objects, it.message, it.described);
            let texts = sealed(fields, &bound_to, &texts).map_err(broken)?;
            let (patient_id, objects, message, described) = texts;
            diesel::update(notifications::table.find(it.number))
                .set((
                    notifications::patient_id.eq(patient_id),
                    notifications::objects.eq(objects),
                    notifications::message.eq(message),
                    notifications::described.eq(described),
                ))
                .execute(c)?;
        }
        Ok(numbers)
    })
}

/// Number, patient, id, version and resource of a consent.
type Consent = (i64, i64, String, i32, String);

fn some_consents(conn: &mut Connection, fields: &Fields, after: i64) -> QueryResult<Vec<i64>> {
    use super::consents::{RESOURCE, row};
    on!(conn, |c| {
        let rows: Vec<Consent> = consents::table
            .filter(consents::number.gt(after))
            .order(consents::number)
            .limit(TOGETHER)
            .select((
                consents::number,
                consents::patient,
                consents::id,
                consents::version,
                consents::resource,
            ))
            .load(c)?;
        for (number, patient, id, version, resource) in &rows {
            let row = row(*patient, id, *version);
            let resource = fields.seal(Place::of(RESOURCE, &row), resource);
            diesel::update(consents::table.find(number))
                .set(consents::resource.eq(&*resource.map_err(broken)?))
                .execute(c)?;
        }
        Ok(rows.into_iter().map(|(number, ..)| number).collect())
    })
}

/// Nothing plain stays in free pages, in rows that were replaced, in the log of SQLite or in what
/// PostgreSQL's planner remembers. Files for a while are made where the system wants them, since the
/// database may be larger than the memory.
fn clean(conn: &mut Connection) -> QueryResult<()> {
    match conn.engine() {
        Either::Sqlite(c) => c.batch_execute(
            "PRAGMA temp_store = FILE; PRAGMA wal_checkpoint(TRUNCATE); VACUUM; \
             PRAGMA wal_checkpoint(TRUNCATE)",
        ),
        Either::Postgres(c) => super::cleaning::clean(c),
    }
}
