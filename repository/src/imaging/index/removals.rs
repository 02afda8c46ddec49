//! Studies that go for good, and what must still be done for those that are going.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_security::at_rest::fields::Place;

use super::Index;
use super::fields::DOCUMENTS;
use super::schema::{notes, quarantined, removals, settings, studies, taken_back};

impl Index {
    /// The documents that must go with a study whose removal has begun (JSON).
    pub(in crate::imaging) fn removal(&self, study: &Uid) -> anyhow::Result<Option<String>> {
        let kept: Option<String> = self.connections.read(|connection| {
            let row = removals::table.find(study.as_str());
            Ok(row
                .select(removals::documents)
                .first(connection)
                .optional()?)
        })?;
        let place = Place::of(DOCUMENTS, study);
        Ok(self.fields.open_some(place, kept)?)
    }

    /// Remembers which documents must go with a study.
    pub(in crate::imaging) fn begin_removal(
        &self,
        study: &Uid,
        documents: &str,
    ) -> anyhow::Result<()> {
        let documents = self.fields.seal(Place::of(DOCUMENTS, study), documents)?;
        self.connections.write(|connection| {
            diesel::replace_into(removals::table)
                .values((
                    removals::study_uid.eq(study.as_str()),
                    removals::documents.eq(&*documents),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Forgets a study, what is kept back of it, what was taken back of it, and its removal.
    pub(in crate::imaging) fn forget(&self, study: &Uid) -> anyhow::Result<()> {
        let uid = study.as_str();
        self.connections.write(|connection| {
            super::delete(connection, study)?;
            diesel::delete(quarantined::table.filter(quarantined::study_uid.eq(uid)))
                .execute(connection)?;
            diesel::delete(notes::table.filter(notes::study_uid.eq(uid))).execute(connection)?;
            diesel::delete(taken_back::table.filter(taken_back::study_uid.eq(uid)))
                .execute(connection)?;
            diesel::delete(removals::table.find(uid)).execute(connection)?;
            Ok(())
        })?;
        self.scrub()
    }

    /// Has what was deleted leave the files of the database, where it stands in the log of what was
    /// written until that begins anew.
    pub(in crate::imaging) fn scrub(&self) -> anyhow::Result<()> {
        self.connections
            .alone(|connection| Ok(connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?))
    }

    /// Has every published study looked at again if `described`, by which its manifest was made, is
    /// not what it was the last time.
    pub(in crate::imaging) fn describe_anew(
        &self,
        described: &str,
        now: i64,
    ) -> anyhow::Result<bool> {
        const NAME: &str = "described";
        self.connections.write(|connection| {
            let known = settings::table.find(NAME).select(settings::value);
            let known: Option<String> = known.first(connection).optional()?;
            if known.as_deref() == Some(described) {
                return Ok(false);
            }
            diesel::replace_into(settings::table)
                .values((settings::name.eq(NAME), settings::value.eq(described)))
                .execute(connection)?;
            let published = studies::table
                .filter(studies::registered.is_not_null())
                .filter(studies::due.is_null());
            let due = diesel::update(published).set(studies::due.eq(now));
            Ok(due.execute(connection)? > 0)
        })
    }
}
