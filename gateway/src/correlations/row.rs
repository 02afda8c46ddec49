//! A correlation as it is kept: plain, or encrypted and found by pseudonyms (`docs/at-rest.md`).

use std::io;

use diesel::prelude::*;
use hilum_security::at_rest::fields::{Fields, Named, Place};
use xds_schemas::metadata::{HomeCommunityId, PatientId};

use super::schema;
use super::{Correlation, Origin};

/// Fields in the row of [`place`].
pub(super) const OWN: &str = "correlations.own";
pub(super) const THERE: &str = "correlations.there";

/// A row.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = schema::correlations)]
pub(super) struct Row {
    pub(super) own: String,
    pub(super) home: String,
    pub(super) there: String,
    pub(super) origin: i32,
    pub(super) confidence: Option<i32>,
    pub(super) learned: i64,
    pub(super) valid_until: i64,
    pub(super) own_sealed: Option<String>,
    pub(super) there_sealed: Option<String>,
}

/// What tells a row from others: what the patient is found by, and the community.
fn place(own: &str, home: &str) -> String {
    format!("{own}/{home}")
}

impl Row {
    /// A correlation as it is kept.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn of(correlation: &Correlation, fields: &Fields) -> io::Result<Self> {
        Self {
            own: correlation.own.to_string(),
            home: correlation.home.0.clone(),
            there: correlation.there.to_string(),
            origin: correlation.origin.number(),
            confidence: correlation.confidence.map(i32::from),
            learned: correlation.learned,
            valid_until: correlation.until,
            own_sealed: None,
            there_sealed: None,
        }
        .sealed(fields)
    }

    /// A plain row as these fields keep it.
    ///
    /// # Errors
    /// If there is no randomness.
    pub(super) fn sealed(self, fields: &Fields) -> io::Result<Self> {
        let place = place(&fields.pseudonym(OWN, &self.own)?, &self.home);
        let own = fields.name(Place::of(OWN, &place), &self.own)?;
        let there = fields.name(Place::of(THERE, &place), &self.there)?;
        Ok(Self {
            own: own.name,
            own_sealed: own.sealed,
            there: there.name,
            there_sealed: there.sealed,
            ..self
        })
    }

    /// What it says. What cannot be read is not there: it is found out again. That it was encrypted and
    /// somebody has changed it is said in the log.
    pub(super) fn read(self, fields: &Fields) -> Option<Correlation> {
        let place = place(&self.own, &self.home);
        let revealed = |column, name, sealed| {
            let revealed = fields.reveal(Place::of(column, &place), Named { name, sealed });
            let revealed = revealed.inspect_err(|error| {
                tracing::error!(%error, "what a patient is called elsewhere is passed over");
            });
            PatientId::parse(&revealed.ok()?).ok()
        };
        Some(Correlation {
            own: revealed(OWN, self.own, self.own_sealed)?,
            there: revealed(THERE, self.there, self.there_sealed)?,
            home: HomeCommunityId(self.home),
            origin: Origin::of(self.origin),
            confidence: self.confidence.and_then(|it| u8::try_from(it).ok()),
            learned: self.learned,
            until: self.valid_until,
        })
    }
}
