//! Answers that a community wants later: they wait here, durable, until it has taken them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use diesel::prelude::*;
use hilum_security::at_rest::{Vault, content_of};
use xds_schemas::metadata::HomeCommunityId;

use super::schema::deferred_answers::{self, dsl};
use super::{Correlations, now};

/// Answers that may wait for one community.
pub(crate) const MOST_FOR_ONE: i64 = 1000;
/// Answers that may wait for all together.
pub(crate) const MOST_FOR_ALL: i64 = 20_000;
/// Communities for which something waits that are looked at.
const LOOKED_AT: i64 = 1000;

/// An answer that waits, or is going to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Later {
    /// The community that asked.
    pub(crate) home: HomeCommunityId,
    /// The `wsa:MessageID` of its question.
    pub(crate) relates_to: String,
    /// Seconds for which it is recommended to keep what it says of the patient; 0 if it is not.
    pub(crate) lives: u64,
    /// Until when it is tried to send it: seconds since 1970.
    pub(crate) until: i64,
    /// The message, as XML.
    pub(crate) message: String,
}

#[derive(Debug, Insertable)]
#[diesel(table_name = deferred_answers)]
struct NewRow {
    home: String,
    relates_to: String,
    lives: i64,
    valid_until: i64,
    message: Vec<u8>,
}

#[derive(Debug, Queryable)]
struct Row {
    number: i64,
    home: String,
    relates_to: String,
    lives: i64,
    valid_until: i64,
    message: Vec<u8>,
    _failures: i32,
    _not_before: i64,
}

impl Row {
    fn read(self) -> anyhow::Result<Later> {
        let message = content_of(&place(&self.home), self.message)?;
        let message = String::from_utf8(message).context("its message is no text")?;
        Ok(Later {
            home: HomeCommunityId(self.home),
            relates_to: self.relates_to,
            lives: u64::try_from(self.lives).unwrap_or(0),
            until: self.valid_until,
            message,
        })
    }
}

/// What an encrypted message is bound to, so that it cannot be given to another community.
pub(super) fn place(home: &str) -> PathBuf {
    PathBuf::from(format!("deferred answer for {home}"))
}

impl Correlations {
    /// Keeps an answer. Says whether there was room for it.
    pub(crate) async fn keep_for_later(&self, later: Later, vault: &Vault) -> anyhow::Result<bool> {
        let home = later.home.0;
        let message = vault.bytes(&place(&home), later.message.as_bytes())?;
        let row = NewRow {
            home,
            relates_to: later.relates_to,
            lives: i64::try_from(later.lives).unwrap_or(i64::MAX),
            valid_until: later.until,
            message,
        };
        self.run(move |connection| {
            let all = dsl::deferred_answers.count();
            let of_one = all.filter(dsl::home.eq(&row.home));
            if of_one.get_result::<i64>(connection)? >= MOST_FOR_ONE
                || all.get_result::<i64>(connection)? >= MOST_FOR_ALL
            {
                return Ok(false);
            }
            diesel::insert_into(dsl::deferred_answers)
                .values(&row)
                .execute(connection)?;
            Ok(true)
        })
        .await
    }

    /// The communities for which something can be sent now. What waited too long is removed; says how much that was.
    pub(crate) async fn waited_for(&self) -> anyhow::Result<(Vec<HomeCommunityId>, usize)> {
        let over = now();
        let (homes, removed) = self
            .run(move |connection| {
                let old = dsl::deferred_answers.filter(dsl::valid_until.le(over));
                let removed = diesel::delete(old).execute(connection)?;
                let homes = dsl::deferred_answers.filter(dsl::not_before.le(over));
                let homes = homes.select(dsl::home).distinct();
                Ok((homes.limit(LOOKED_AT).load::<String>(connection)?, removed))
            })
            .await?;
        Ok((homes.into_iter().map(HomeCommunityId).collect(), removed))
    }

    /// What has waited longest for a community of what can be sent now: its number, and what it is, unless it was
    /// changed or its key is not there.
    ///
    /// # Errors
    /// If it cannot be looked for.
    pub(crate) async fn next_for(
        &self,
        home: &HomeCommunityId,
    ) -> anyhow::Result<Option<(i64, anyhow::Result<Later>)>> {
        let of = home.0.clone();
        let row = self.run(move |connection| {
            dsl::deferred_answers
                .filter(dsl::home.eq(of))
                .filter(dsl::not_before.le(now()))
                .order(dsl::number)
                .first::<Row>(connection)
                .optional()
        });
        let row = row.await?;
        Ok(row.map(|row| (row.number, row.read())))
    }

    /// It was not taken, and is sent again after a `pause`, which depends on how often that was.
    pub(crate) async fn put_off(
        &self,
        number: i64,
        pause: fn(u32) -> Duration,
    ) -> anyhow::Result<()> {
        self.run(move |connection| {
            let one = dsl::deferred_answers.find(number);
            let failures = one.select(dsl::failures).first::<i32>(connection)?;
            let failures = failures.saturating_add(1);
            let pause = pause(failures.unsigned_abs()).as_secs();
            let until = now().saturating_add(i64::try_from(pause).unwrap_or(i64::MAX));
            diesel::update(one)
                .set((dsl::failures.eq(failures), dsl::not_before.eq(until)))
                .execute(connection)
        })
        .await?;
        Ok(())
    }

    /// It need not wait any more.
    pub(crate) async fn is_settled(&self, number: i64) -> anyhow::Result<()> {
        self.run(move |connection| {
            diesel::delete(dsl::deferred_answers.find(number)).execute(connection)
        })
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(home: &str, message: &str, until: i64) -> Later {
        Later {
            home: home.into(),
            relates_to: "urn:uuid:1".to_owned(),
            lives: 60,
            until,
            message: message.to_owned(),
        }
    }

    /// In the order in which they came, one community apart from the other, and over a restart.
    #[tokio::test]
    async fn answers_wait_in_order_and_survive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let vault = Vault::default();
        let opened = || Correlations::open(&path, &vault, Vec::new(), 10).unwrap();
        let kept = opened();
        for (home, message) in [
            ("urn:oid:1.2", "a"),
            ("urn:oid:1.3", "b"),
            ("urn:oid:1.2", "c"),
        ] {
            let later = later(home, message, i64::MAX);
            assert!(kept.keep_for_later(later, &vault).await.unwrap());
        }
        let old = later("urn:oid:1.4", "too old", 1);
        assert!(kept.keep_for_later(old, &vault).await.unwrap());
        drop(kept);
        let kept = opened();
        let (homes, removed) = kept.waited_for().await.unwrap();
        assert_eq!((homes.len(), removed), (2, 1));
        let home = HomeCommunityId::from("urn:oid:1.2");
        for message in ["a", "c"] {
            let (number, next) = kept.next_for(&home).await.unwrap().unwrap();
            assert_eq!(next.unwrap(), later("urn:oid:1.2", message, i64::MAX));
            kept.is_settled(number).await.unwrap();
        }
        assert!(kept.next_for(&home).await.unwrap().is_none());
    }

    /// One that is not taken stands in nobody's way.
    #[tokio::test]
    async fn what_is_put_off_is_passed_over_until_its_time_comes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let (vault, home) = (Vault::default(), HomeCommunityId::from("urn:oid:1.2"));
        let kept = Correlations::open(&path, &vault, Vec::new(), 10).unwrap();
        for message in ["a", "b"] {
            let later = later(home.as_str(), message, i64::MAX);
            assert!(kept.keep_for_later(later, &vault).await.unwrap());
        }
        let pause = |failures| Duration::from_secs(u64::from(failures - 1) * 1000);
        let (first, _) = kept.next_for(&home).await.unwrap().unwrap();
        kept.put_off(first, pause).await.unwrap();
        let (again, _) = kept.next_for(&home).await.unwrap().unwrap();
        assert_eq!(again, first, "the first pause is over");
        kept.put_off(first, pause).await.unwrap();
        let (second, next) = kept.next_for(&home).await.unwrap().unwrap();
        assert_eq!(next.unwrap().message, "b");
        kept.is_settled(second).await.unwrap();
        assert!(kept.next_for(&home).await.unwrap().is_none());
        assert_eq!(kept.waited_for().await.unwrap(), (Vec::new(), 0));
    }

    #[tokio::test]
    async fn there_is_a_limit_for_each_community() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.db");
        let (vault, home) = (Vault::default(), "urn:oid:1.2");
        let kept = Correlations::open(&path, &vault, Vec::new(), 10).unwrap();
        for _ in 0..MOST_FOR_ONE {
            let later = later(home, "", i64::MAX);
            assert!(kept.keep_for_later(later, &vault).await.unwrap());
        }
        let one_more = later(home, "", i64::MAX);
        assert!(!kept.keep_for_later(one_more, &vault).await.unwrap());
        let of_another = later("urn:oid:1.3", "", i64::MAX);
        assert!(kept.keep_for_later(of_another, &vault).await.unwrap());
    }
}
