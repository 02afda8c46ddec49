//! Subscriptions: who is told of what, and how that goes.

use diesel::dsl::exists;
use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Named, Place};

use super::fields::broken;
use super::schema::{notifications, subscriptions};
use super::{Connection, on};

/// A subscription that is to be added.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = subscriptions, treat_none_as_default_value = false)]
pub(crate) struct NewSubscription {
    pub(crate) reference: String,
    pub(crate) address: String,
    /// Empty for all patients.
    pub(crate) patient_id: String,
    pub(crate) topic: String,
    pub(crate) filter: String,
    pub(crate) consumer: String,
    pub(crate) destination: String,
    pub(crate) pull_point: Option<i64>,
    pub(crate) created: i64,
    pub(crate) terminates: i64,
    pub(crate) failed: bool,
    pub(crate) attempts: i32,
    pub(crate) next_attempt: i64,
    pub(crate) claimed_until: i64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_delivery: Option<i64>,
    /// Who subscribed.
    pub(crate) subscriber: Option<String>,
}

/// What must be known of a subscription to see whether something concerns it.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = subscriptions)]
pub(crate) struct Interested {
    pub(crate) number: i64,
    reference: String,
    patient_id: String,
    sealed: Option<String>,
    pub(crate) address: String,
    pub(crate) topic: String,
    pub(crate) filter: String,
    pub(crate) pull_point: Option<i64>,
    pub(crate) subscriber: Option<String>,
}

/// What must be known to tell its consumer.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = subscriptions)]
pub(crate) struct Due {
    pub(crate) number: i64,
    pub(crate) address: String,
    pub(crate) consumer: String,
    pub(crate) destination: String,
    pub(crate) attempts: i32,
    pub(crate) next_attempt: i64,
}

/// What an operator wants to know.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = subscriptions)]
pub(crate) struct Listed {
    pub(crate) number: i64,
    reference: String,
    sealed: Option<String>,
    pub(crate) address: String,
    pub(crate) patient_id: String,
    pub(crate) topic: String,
    pub(crate) consumer: String,
    pub(crate) pull_point: Option<i64>,
    pub(crate) created: i64,
    pub(crate) terminates: i64,
    pub(crate) failed: bool,
    pub(crate) attempts: i32,
    pub(crate) next_attempt: i64,
    pub(crate) last_error: Option<String>,
    pub(crate) last_delivery: Option<i64>,
}

/// How many there are.
pub(crate) fn count(conn: &mut Connection) -> QueryResult<i64> {
    on!(conn, |c| subscriptions::table.count().get_result(c))
}

/// Whose documents it is about, where that is kept.
pub(super) const PATIENT_ID: &str = "subscriptions.patient_id";
/// What is asked for, where that is kept.
pub(super) const FILTER: &str = "subscriptions.filter";
/// Who subscribed, where that is kept.
pub(super) const SUBSCRIBER: &str = "subscriptions.subscriber";

/// Adds a subscription.
pub(crate) fn insert(conn: &mut Connection, subscription: &NewSubscription) -> QueryResult<()> {
    let (row, sealed) = sealed(&conn.fields(), subscription).map_err(broken)?;
    on!(conn, |c| diesel::insert_into(subscriptions::table)
        .values((&row, subscriptions::sealed.eq(sealed)))
        .execute(c)
        .map(drop))
}

/// A subscription as it is kept. What is sealed is bound to its reference.
fn sealed(
    fields: &Fields,
    subscription: &NewSubscription,
) -> std::io::Result<(NewSubscription, Option<String>)> {
    let at = |column| Place::of(column, &subscription.reference);
    let Named { name, sealed } = fields.name(at(PATIENT_ID), &subscription.patient_id)?;
    let row = NewSubscription {
        patient_id: name,
        filter: fields.seal(at(FILTER), &subscription.filter)?.into_owned(),
        subscriber: fields.seal_some(at(SUBSCRIBER), subscription.subscriber.as_deref())?,
        ..subscription.clone()
    };
    Ok((row, sealed))
}

impl Interested {
    fn opened(self, fields: &Fields) -> std::io::Result<Self> {
        let at = |column| Place::of(column, &self.reference);
        let (name, sealed) = (self.patient_id.clone(), self.sealed.clone());
        Ok(Self {
            patient_id: fields.reveal(at(PATIENT_ID), Named { name, sealed })?,
            filter: fields.open(at(FILTER), self.filter.clone())?,
            subscriber: fields.open_some(at(SUBSCRIBER), self.subscriber.clone())?,
            ..self
        })
    }
}

/// Those that something of this patient, or of nobody that is known, may concern at this time, in
/// the order in which they were made.
pub(crate) fn interested(
    conn: &mut Connection,
    patient_id: Option<&str>,
    now: i64,
) -> QueryResult<Vec<Interested>> {
    // Two values of one index: nothing is read if nobody has subscribed.
    let fields = conn.fields();
    let patient_id = fields.pseudonym(PATIENT_ID, patient_id.unwrap_or_default());
    let whose = [patient_id.map_err(broken)?, String::new()];
    let found: Vec<Interested> = on!(conn, |c| subscriptions::table
        .filter(subscriptions::patient_id.eq_any(whose))
        .filter(subscriptions::terminates.gt(now))
        .filter(subscriptions::failed.eq(false))
        .order(subscriptions::number)
        .select(Interested::as_select())
        .load(c))?;
    let opened = found.into_iter().map(|it| it.opened(&fields));
    opened.map(|it| it.map_err(broken)).collect()
}

/// Removes a subscription that has not ended, and what it was still to tell; says whether there was
/// one. `now` in seconds.
pub(crate) fn delete(conn: &mut Connection, reference: &str, now: i64) -> QueryResult<bool> {
    let number: Option<i64> = on!(&mut *conn, |c| subscriptions::table
        .filter(subscriptions::reference.eq(reference))
        .filter(subscriptions::terminates.gt(now))
        .select(subscriptions::number)
        .first(c)
        .optional())?;
    let Some(number) = number else {
        return Ok(false);
    };
    drop_backlog(conn, number)?;
    let gone = on!(conn, |c| diesel::delete(subscriptions::table.find(number))
        .execute(c))?;
    Ok(gone > 0)
}

/// Removes those that deliver into this pull point.
pub(crate) fn delete_of_pull_point(conn: &mut Connection, pull_point: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::delete(
        subscriptions::table.filter(subscriptions::pull_point.eq(pull_point))
    )
    .execute(c)
    .map(drop))
}

/// Those that have something to tell and at which nobody is, whose destination is none of `busy`:
/// those first whose turn comes first.
pub(crate) fn due(
    conn: &mut Connection,
    now_millis: i64,
    busy: &[String],
    limit: i64,
) -> QueryResult<Vec<Due>> {
    let waiting =
        notifications::table.filter(notifications::subscription.eq(subscriptions::number));
    on!(conn, |c| subscriptions::table
        .filter(subscriptions::failed.eq(false))
        .filter(subscriptions::pull_point.is_null())
        .filter(subscriptions::claimed_until.le(now_millis))
        .filter(subscriptions::destination.ne_all(busy))
        .filter(exists(waiting))
        .order((subscriptions::next_attempt, subscriptions::number))
        .limit(limit)
        .select(Due::as_select())
        .load(c))
}

/// Takes a subscription for oneself until a moment; says whether nobody else has it.
pub(crate) fn claim(
    conn: &mut Connection,
    number: i64,
    now_millis: i64,
    until_millis: i64,
) -> QueryResult<bool> {
    let claimed = on!(conn, |c| diesel::update(
        subscriptions::table
            .find(number)
            .filter(subscriptions::claimed_until.le(now_millis))
    )
    .set(subscriptions::claimed_until.eq(until_millis))
    .execute(c))?;
    Ok(claimed > 0)
}

/// Gives it back.
pub(crate) fn release(conn: &mut Connection, number: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::update(subscriptions::table.find(number))
        .set(subscriptions::claimed_until.eq(0))
        .execute(c)
        .map(drop))
}

/// Gives all of them back: of a database that no other process uses.
pub(crate) fn release_all(conn: &mut Connection) -> QueryResult<()> {
    on!(conn, |c| diesel::update(
        subscriptions::table.filter(subscriptions::claimed_until.gt(0))
    )
    .set(subscriptions::claimed_until.eq(0))
    .execute(c)
    .map(drop))
}

/// The consumer was told, and is being told more until a moment.
pub(crate) fn delivered(
    conn: &mut Connection,
    number: i64,
    now: i64,
    until_millis: i64,
) -> QueryResult<()> {
    on!(conn, |c| diesel::update(subscriptions::table.find(number))
        .set((
            subscriptions::attempts.eq(0),
            subscriptions::next_attempt.eq(0),
            subscriptions::claimed_until.eq(until_millis),
            subscriptions::last_error.eq(None::<String>),
            subscriptions::last_delivery.eq(Some(now)),
        ))
        .execute(c)
        .map(drop))
}

/// The consumer could not be told, and is to be tried again at a moment.
pub(crate) fn delayed(
    conn: &mut Connection,
    number: i64,
    attempts: i32,
    next_attempt: i64,
    error: &str,
) -> QueryResult<()> {
    on!(conn, |c| diesel::update(subscriptions::table.find(number))
        .set((
            subscriptions::attempts.eq(attempts),
            subscriptions::next_attempt.eq(next_attempt),
            subscriptions::claimed_until.eq(0),
            subscriptions::last_error.eq(Some(error)),
        ))
        .execute(c)
        .map(drop))
}

/// The consumer is not told any more, for this reason.
pub(crate) fn give_up(conn: &mut Connection, number: i64, error: &str) -> QueryResult<()> {
    drop_backlog(conn, number)?;
    on!(conn, |c| diesel::update(subscriptions::table.find(number))
        .set((
            subscriptions::failed.eq(true),
            subscriptions::claimed_until.eq(0),
            subscriptions::last_error.eq(Some(error)),
        ))
        .execute(c)
        .map(drop))
}

/// Some of them, by number, after this one.
pub(crate) fn list(conn: &mut Connection, after: i64, limit: i64) -> QueryResult<Vec<Listed>> {
    let fields = conn.fields();
    let found: Vec<Listed> = on!(conn, |c| subscriptions::table
        .filter(subscriptions::number.gt(after))
        .order(subscriptions::number)
        .limit(limit)
        .select(Listed::as_select())
        .load(c))?;
    let open = |listed: Listed| {
        let place = Place::of(PATIENT_ID, &listed.reference);
        let (name, sealed) = (listed.patient_id.clone(), listed.sealed.clone());
        let revealed = fields.reveal(place, Named { name, sealed });
        let patient_id = revealed.map_err(broken)?;
        Ok(Listed {
            patient_id,
            ..listed
        })
    };
    found.into_iter().map(open).collect()
}

/// Removes those that have ended and have nothing more to tell, and those that have ended before
/// `long_ago`, whatever they have. Gives how many.
pub(crate) fn purge(conn: &mut Connection, now: i64, long_ago: i64) -> QueryResult<usize> {
    let ended: Vec<(i64, i64)> = on!(&mut *conn, |c| subscriptions::table
        .filter(subscriptions::terminates.le(now))
        .select((subscriptions::number, subscriptions::terminates))
        .load(c))?;
    let mut purged = 0;
    for (number, terminates) in ended {
        if terminates > long_ago && super::notifications::backlog(conn, number)? > 0 {
            continue;
        }
        drop_backlog(conn, number)?;
        purged += on!(&mut *conn, |c| diesel::delete(
            subscriptions::table.find(number)
        )
        .execute(c))?;
    }
    Ok(purged)
}

/// What waits in a pull point belongs to whoever comes for it.
fn drop_backlog(conn: &mut Connection, number: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::delete(
        notifications::table
            .filter(notifications::subscription.eq(number))
            .filter(notifications::pull_point.is_null())
    )
    .execute(c)
    .map(drop))
}
