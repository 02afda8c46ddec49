//! What patients of this community are called in others, how that became known, and until when it counts.
//!
//! What is not known, or not any more, is found out again (ITI-55); so nothing here is more than a memory,
//! and its size is bounded. A patient has one identifier in each community.

mod database;
pub(crate) mod deferred;
pub(crate) mod deferred_keys;
pub(crate) mod encrypting;
pub(crate) mod fields;
mod row;
mod schema;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use diesel::prelude::*;
use hilum_security::at_rest::Vault;
use hilum_security::at_rest::fields::Fields;
use xds_schemas::metadata::{HomeCommunityId, PatientId};

use database::Database;
use row::{OWN, Row, THERE};
use schema::correlations::dsl;

/// Correlations that are kept; when there are more, those that end first go.
pub const MOST: i64 = 1_000_000;
/// Correlations of one patient, or of one community's patients, that are looked at.
const LOOKED_AT: i64 = 1000;
/// Correlations that go at once when there are too many.
const AT_ONCE: i64 = 1000;

/// How a correlation became known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The other community answered so when it was asked (ITI-55).
    DiscoveredHere,
    /// The other community said so when it asked (ITI-55).
    DiscoveredThere,
    /// The configuration says so.
    Configured,
}

impl Origin {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DiscoveredHere => "discovered",
            Self::DiscoveredThere => "announced",
            Self::Configured => "configured",
        }
    }

    const fn number(self) -> i32 {
        match self {
            Self::DiscoveredHere => 1,
            Self::DiscoveredThere => 2,
            Self::Configured => 3,
        }
    }

    const fn of(number: i32) -> Self {
        match number {
            1 => Self::DiscoveredHere,
            3 => Self::Configured,
            _ => Self::DiscoveredThere,
        }
    }
}

/// A patient here and there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correlation {
    /// The patient in this community.
    pub own: PatientId,
    /// The other community.
    pub home: HomeCommunityId,
    /// The patient in that.
    pub there: PatientId,
    /// How it became known.
    pub origin: Origin,
    /// How sure the one was who said it, from 0 to 100, if that was said.
    pub confidence: Option<u8>,
    /// When: seconds since 1970.
    pub learned: i64,
    /// Until when it counts.
    pub until: i64,
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

/// All that is known of patients elsewhere. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Correlations {
    database: Database,
    /// How identifiers are kept in it.
    fields: Fields,
    /// What the configuration says. It does not end, and counts more than what others say.
    configured: Arc<[Correlation]>,
    most: i64,
    /// How many more there may be before they are counted again.
    room: Arc<AtomicI64>,
}

impl Correlations {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// If it cannot be opened, or does not keep identifiers as the vault wants it.
    pub(crate) fn open(
        path: &Path,
        vault: &Vault,
        configured: Vec<Correlation>,
        most: i64,
    ) -> anyhow::Result<Self> {
        let database = Database::open(path)?;
        Ok(Self {
            fields: fields::judged(&database, vault.ring_of_fields())?,
            database,
            configured: configured.into(),
            most,
            room: Arc::default(),
        })
    }

    /// What a patient is called in a community, if it is known and counts at `now`.
    pub(crate) async fn there(
        &self,
        own: &PatientId,
        home: &HomeCommunityId,
        now: i64,
    ) -> anyhow::Result<Option<Correlation>> {
        let all = self.of_patient(own, now).await?;
        Ok(all.into_iter().find(|it| it.home == *home))
    }

    /// Everywhere a patient is known: one for each community.
    pub(crate) async fn of_patient(
        &self,
        own: &PatientId,
        now: i64,
    ) -> anyhow::Result<Vec<Correlation>> {
        let name = self.fields.pseudonym(OWN, &own.to_string())?;
        let rows = self.run(move |connection| {
            dsl::correlations
                .filter(dsl::own.eq(name).and(dsl::valid_until.gt(now)))
                .order(dsl::home)
                .limit(LOOKED_AT)
                .load::<Row>(connection)
        });
        let configured = self.configured.iter().filter(|it| it.own == *own);
        let mut all: Vec<Correlation> = configured.cloned().collect();
        let known = rows.await?.into_iter();
        for known in known.filter_map(|row| row.read(&self.fields)) {
            if !all.iter().any(|it| it.home == known.home) {
                all.push(known);
            }
        }
        all.sort_by(|one, other| one.home.0.cmp(&other.home.0));
        Ok(all)
    }

    /// Who somebody of another community is here: nobody, if several could be meant.
    pub(crate) async fn here(
        &self,
        home: &HomeCommunityId,
        there: &PatientId,
        now: i64,
    ) -> anyhow::Result<Option<PatientId>> {
        let of = home.0.clone();
        let name = self.fields.pseudonym(THERE, &there.to_string())?;
        let rows = self.run(move |connection| {
            dsl::correlations
                .filter(dsl::home.eq(of).and(dsl::there.eq(name)))
                .filter(dsl::valid_until.gt(now))
                .limit(LOOKED_AT)
                .load::<Row>(connection)
        });
        let configured = self.configured.iter();
        let configured = configured.filter(|it| it.home == *home && it.there == *there);
        let mut found: Vec<PatientId> = configured.map(|it| it.own.clone()).collect();
        let is_configured = |known: &Correlation| {
            let mut configured = self.configured.iter();
            configured.any(|it| it.own == known.own && it.home == known.home)
        };
        let known = rows.await?.into_iter();
        let known = known.filter_map(|row| row.read(&self.fields));
        let known = known.filter(|it| !is_configured(it));
        found.extend(known.map(|it| it.own));
        found.dedup();
        match found.as_slice() {
            [one] => Ok(Some(one.clone())),
            _ => Ok(None),
        }
    }

    /// Keeps it instead of what was known of the patient in that community. What the other community says
    /// does not replace what it answered and still counts, if it is something else.
    pub(crate) async fn learn(&self, correlation: Correlation) -> anyhow::Result<()> {
        if correlation.until <= correlation.learned {
            return self.forget(&correlation.own, &correlation.home).await;
        }
        let row = Row::of(&correlation, &self.fields)?;
        let (most, room) = (self.most, Arc::clone(&self.room));
        let learned = self.run(move |connection| {
            let known: Option<Row> = dsl::correlations
                .find((&row.own, &row.home))
                .first(connection)
                .optional()?;
            let keeps = known.is_some_and(|known| {
                row.origin == Origin::DiscoveredThere.number()
                    && known.origin == Origin::DiscoveredHere.number()
                    && known.valid_until > row.learned
            });
            if keeps {
                return Ok(());
            }
            if room.fetch_sub(1, Ordering::Relaxed) <= 0 {
                let free = make_room(connection, most, row.learned)?;
                // This one takes one.
                room.store(free - 1, Ordering::Relaxed);
            }
            diesel::replace_into(dsl::correlations)
                .values(&row)
                .execute(connection)?;
            Ok(())
        });
        let learned = learned.await;
        if learned.is_err() {
            // Perhaps what went to make room is there again.
            self.room.store(0, Ordering::Relaxed);
        }
        learned
    }

    /// Forgets what a patient is called in a community.
    pub(crate) async fn forget(
        &self,
        own: &PatientId,
        home: &HomeCommunityId,
    ) -> anyhow::Result<()> {
        let own = self.fields.pseudonym(OWN, &own.to_string())?;
        let home = home.0.clone();
        self.run(move |connection| {
            let of = dsl::correlations.find((own, home));
            diesel::delete(of).execute(connection)
        })
        .await?;
        Ok(())
    }

    /// Forgets who somebody of another community is here. Says who it was.
    pub(crate) async fn forget_there(
        &self,
        home: &HomeCommunityId,
        there: &PatientId,
    ) -> anyhow::Result<Vec<PatientId>> {
        let there = self.fields.pseudonym(THERE, &there.to_string())?;
        let home = home.0.clone();
        let forgotten = self.run(move |connection| {
            let of = dsl::correlations.filter(dsl::home.eq(home).and(dsl::there.eq(there)));
            let rows: Vec<Row> = of.clone().limit(LOOKED_AT).load(connection)?;
            diesel::delete(of).execute(connection)?;
            Ok(rows)
        });
        let forgotten = forgotten.await?.into_iter();
        let read = |row: Row| Some(row.read(&self.fields)?.own);
        Ok(forgotten.filter_map(read).collect())
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteConnection) -> QueryResult<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let database = self.database.clone();
        tokio::task::spawn_blocking(move || database.run(work)).await?
    }
}

/// What is over goes first, and if that is not enough, what ends first. Says how many more there may be.
fn make_room(connection: &mut SqliteConnection, most: i64, now: i64) -> QueryResult<i64> {
    let count =
        |connection: &mut SqliteConnection| dsl::correlations.count().get_result::<i64>(connection);
    let all = count(connection)?;
    if all < most {
        return Ok(most - all);
    }
    let over = dsl::correlations.filter(dsl::valid_until.le(now));
    diesel::delete(over).execute(connection)?;
    // So many that they are not counted again for each one that is learned.
    let enough = AT_ONCE.min(most / 10).max(1);
    let left = count(connection)?;
    let too_many = left - (most - enough);
    if too_many <= 0 {
        return Ok(most - left);
    }
    let ends: Option<i64> = dsl::correlations
        .select(dsl::valid_until)
        .order(dsl::valid_until)
        .offset(too_many - 1)
        .first(connection)
        .optional()?;
    let first = dsl::correlations.filter(dsl::valid_until.le(ends.unwrap_or(now)));
    diesel::delete(first).execute(connection)?;
    Ok(most - count(connection)?)
}
