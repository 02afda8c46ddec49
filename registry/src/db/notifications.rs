//! What is still to be told.

use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Place};

use super::fields::broken;
use super::schema::{notifications, subscriptions};
use super::{Connection, on};

/// How often somebody else may be faster, until one comes away with nothing.
const RACES: usize = 16;

/// A notification that is to be kept.
#[derive(Debug, Clone, Insertable)]
#[diesel(table_name = notifications, treat_none_as_default_value = false)]
pub(crate) struct NewNotification {
    pub(crate) subscription: i64,
    pub(crate) pull_point: Option<i64>,
    pub(crate) patient_id: Option<String>,
    pub(crate) objects: String,
    pub(crate) message: String,
    pub(crate) created: i64,
    /// What it is decided by whether it may be told.
    pub(crate) described: Option<String>,
}

/// A notification that is kept.
#[derive(Debug, Clone, Queryable, Selectable, Insertable)]
#[diesel(table_name = notifications, treat_none_as_default_value = false)]
pub(crate) struct Notification {
    pub(crate) number: i64,
    pub(crate) subscription: i64,
    pub(crate) pull_point: Option<i64>,
    pub(crate) patient_id: Option<String>,
    pub(crate) objects: String,
    pub(crate) message: String,
    pub(crate) created: i64,
    /// What it is decided by whether it may be told.
    pub(crate) described: Option<String>,
}

/// Whom it is about, where that is kept.
pub(super) const PATIENT_ID: &str = "notifications.patient_id";
/// What it is about, where that is kept.
pub(super) const OBJECTS: &str = "notifications.objects";
/// What it says, where that is kept.
pub(super) const MESSAGE: &str = "notifications.message";
/// By what it is decided, where that is kept.
pub(super) const DESCRIBED: &str = "notifications.described";

/// What tells a notification from those for others. Its number is known only when it is kept.
pub(super) fn row(subscription: i64, pull_point: Option<i64>, created: i64) -> String {
    let pull_point = pull_point.unwrap_or_default();
    format!("{subscription}/{pull_point}/{created}")
}

/// The texts of a notification: patient, objects, message and what it is decided by.
pub(super) type Texts = (Option<String>, String, String, Option<String>);

/// Texts as they are kept.
pub(super) fn sealed(fields: &Fields, row: &str, texts: &Texts) -> std::io::Result<Texts> {
    let at = |column| Place::of(column, &row);
    let (patient_id, objects, message, described) = texts;
    Ok((
        fields.seal_some(at(PATIENT_ID), patient_id.as_deref())?,
        fields.seal(at(OBJECTS), objects)?.into_owned(),
        fields.seal(at(MESSAGE), message)?.into_owned(),
        fields.seal_some(at(DESCRIBED), described.as_deref())?,
    ))
}

impl Notification {
    fn opened(self, fields: &Fields) -> QueryResult<Self> {
        let row = row(self.subscription, self.pull_point, self.created);
        let at = |column| Place::of(column, &row);
        let open = |column, kept| fields.open(at(column), kept).map_err(broken);
        let open_some = |column, kept| fields.open_some(at(column), kept).map_err(broken);
        Ok(Self {
            patient_id: open_some(PATIENT_ID, self.patient_id)?,
            objects: open(OBJECTS, self.objects)?,
            message: open(MESSAGE, self.message)?,
            described: open_some(DESCRIBED, self.described)?,
            ..self
        })
    }
}

/// Keeps a notification, behind all others.
pub(crate) fn insert(conn: &mut Connection, notification: &NewNotification) -> QueryResult<()> {
    let new = notification.clone();
    let row = row(new.subscription, new.pull_point, new.created);
    let texts = (new.patient_id, new.objects, new.message, new.described);
    let texts = sealed(&conn.fields(), &row, &texts).map_err(broken)?;
    let (patient_id, objects, message, described) = texts;
    let notification = &NewNotification {
        patient_id,
        objects,
        message,
        described,
        ..*notification
    };
    on!(conn, |c| diesel::insert_into(notifications::table)
        .values(notification)
        .execute(c)
        .map(drop))
}

/// The oldest of a subscription.
pub(crate) fn oldest(
    conn: &mut Connection,
    subscription: i64,
) -> QueryResult<Option<Notification>> {
    let fields = conn.fields();
    let oldest: Option<Notification> = on!(conn, |c| notifications::table
        .filter(notifications::subscription.eq(subscription))
        .filter(notifications::pull_point.is_null())
        .order(notifications::number)
        .select(Notification::as_select())
        .first(c)
        .optional())?;
    oldest.map(|oldest| oldest.opened(&fields)).transpose()
}

/// It was told.
pub(crate) fn delete(conn: &mut Connection, number: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::delete(notifications::table.find(number))
        .execute(c)
        .map(drop))
}

/// How many a subscription still has.
pub(crate) fn backlog(conn: &mut Connection, subscription: i64) -> QueryResult<i64> {
    on!(conn, |c| notifications::table
        .filter(notifications::subscription.eq(subscription))
        .count()
        .get_result(c))
}

/// The same for several: subscriptions without any are left out.
pub(crate) fn backlogs(
    conn: &mut Connection,
    subscriptions: &[i64],
) -> QueryResult<Vec<(i64, i64)>> {
    on!(conn, |c| notifications::table
        .filter(notifications::subscription.eq_any(subscriptions))
        .group_by(notifications::subscription)
        .select((notifications::subscription, count_star()))
        .load(c))
}

/// Takes the oldest of a pull point out of it. If others do the same at the same moment, each gets
/// another one.
pub(crate) fn take(conn: &mut Connection, pull_point: i64) -> QueryResult<Option<Notification>> {
    for _ in 0..RACES {
        let found: Option<Notification> = on!(&mut *conn, |c| notifications::table
            .filter(notifications::pull_point.eq(pull_point))
            .order(notifications::number)
            .select(Notification::as_select())
            .first(c)
            .optional())?;
        let Some(found) = found else {
            return Ok(None);
        };
        let taken = on!(&mut *conn, |c| diesel::delete(
            notifications::table.find(found.number)
        )
        .execute(c))?;
        if taken > 0 {
            return found.opened(&conn.fields()).map(Some);
        }
    }
    Ok(None)
}

/// Puts back what was taken, where it was.
pub(crate) fn put_back(conn: &mut Connection, notification: &Notification) -> QueryResult<()> {
    let taken = notification.clone();
    let row = row(taken.subscription, taken.pull_point, taken.created);
    let texts = (
        taken.patient_id,
        taken.objects,
        taken.message,
        taken.described,
    );
    let texts = sealed(&conn.fields(), &row, &texts).map_err(broken)?;
    let (patient_id, objects, message, described) = texts;
    let notification = &Notification {
        patient_id,
        objects,
        message,
        described,
        ..*notification
    };
    on!(conn, |c| diesel::insert_into(notifications::table)
        .values(notification)
        .execute(c)
        .map(drop))
}

/// Drops the oldest of a pull point that has more than it can keep; says how many.
pub(crate) fn trim(conn: &mut Connection, pull_point: i64, capacity: i64) -> QueryResult<usize> {
    let last_too_many: Option<i64> = on!(&mut *conn, |c| notifications::table
        .filter(notifications::pull_point.eq(pull_point))
        .order(notifications::number.desc())
        .offset(capacity)
        .select(notifications::number)
        .first(c)
        .optional())?;
    let Some(number) = last_too_many else {
        return Ok(0);
    };
    on!(conn, |c| diesel::delete(
        notifications::table
            .filter(notifications::pull_point.eq(pull_point))
            .filter(notifications::number.le(number))
    )
    .execute(c))
}

/// Drops everything that waits in a pull point.
pub(crate) fn drop_all(conn: &mut Connection, pull_point: i64) -> QueryResult<()> {
    on!(conn, |c| diesel::delete(
        notifications::table.filter(notifications::pull_point.eq(pull_point))
    )
    .execute(c)
    .map(drop))
}

/// Drops what has waited in pull points since before this moment, and what is left of subscriptions
/// that were cancelled while something happened.
pub(crate) fn drop_stale(conn: &mut Connection, before: i64) -> QueryResult<()> {
    let subscription =
        subscriptions::table.filter(subscriptions::number.eq(notifications::subscription));
    on!(&mut *conn, |c| diesel::delete(
        notifications::table
            .filter(notifications::pull_point.is_not_null())
            .filter(notifications::created.lt(before))
    )
    .execute(c))?;
    on!(conn, |c| diesel::delete(
        notifications::table
            .filter(notifications::pull_point.is_null())
            .filter(not(exists(subscription)))
    )
    .execute(c)
    .map(drop))
}
