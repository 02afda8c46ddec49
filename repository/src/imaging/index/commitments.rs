//! Storage commitments that were asked for: they outlive the association and the process, until who
//! asked has taken the answer.

use std::collections::HashMap;

use diesel::prelude::*;
use hilum_dicom::manifest;
use hilum_dicom::scan::{Place, Stamp};

use super::schema::commitments;
use super::{Index, rejections, rows};

/// Answers that may wait at one time: a node that asks and never listens does not fill the disk.
const MOST: i64 = 10_000;

/// A storage commitment that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct Commitment {
    /// Its number here.
    pub(in crate::imaging) number: i64,
    /// AE title of who asked.
    pub(in crate::imaging) calling: String,
    /// Transaction UID.
    pub(in crate::imaging) transaction_uid: String,
    /// SOP classes and instances.
    pub(in crate::imaging) instances: Vec<(String, String)>,
    /// When it was asked, in milliseconds since 1970.
    pub(in crate::imaging) asked: i64,
    /// How often answering has failed.
    pub(in crate::imaging) attempts: i32,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = commitments)]
struct Row {
    number: i64,
    calling: String,
    transaction_uid: String,
    instances: String,
    asked: i64,
    attempts: i32,
}

impl TryFrom<Row> for Commitment {
    type Error = serde_json::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            number: row.number,
            calling: row.calling,
            transaction_uid: row.transaction_uid,
            instances: serde_json::from_str(&row.instances)?,
            asked: row.asked,
            attempts: row.attempts,
        })
    }
}

impl Index {
    /// Keeps that a commitment was asked for, to be answered at `due`. Who asks the same again is
    /// answered anew. `None` if too many wait already.
    pub(in crate::imaging) fn keep_commitment(
        &self,
        calling: &str,
        transaction_uid: &str,
        instances: &[(String, String)],
        asked: i64,
        due: i64,
    ) -> anyhow::Result<Option<Commitment>> {
        self.connections.write(|connection| {
            let waiting: i64 = commitments::table.count().get_result(connection)?;
            if waiting >= MOST {
                return Ok(None);
            }
            let row: Row = diesel::replace_into(commitments::table)
                .values((
                    commitments::calling.eq(calling),
                    commitments::transaction_uid.eq(transaction_uid),
                    commitments::instances.eq(serde_json::to_string(instances)?),
                    commitments::asked.eq(asked),
                    commitments::due.eq(due),
                ))
                .returning(Row::as_returning())
                .get_result(connection)?;
            Ok(Some(Commitment::try_from(row)?))
        })
    }

    /// Everything that an earlier process owed is to be answered now.
    pub(in crate::imaging) fn all_commitments_due(&self, now: i64) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::update(commitments::table)
                .set(commitments::due.eq(now))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Commitments that are to be answered now, those that have waited longest first.
    pub(in crate::imaging) fn due_commitments(
        &self,
        now: i64,
        most: i64,
    ) -> anyhow::Result<Vec<Commitment>> {
        let rows: Vec<Row> = self.connections.read(|connection| {
            let due = commitments::table
                .filter(commitments::due.le(now))
                .order(commitments::due)
                .limit(most)
                .select(Row::as_select());
            Ok(due.load(connection)?)
        })?;
        let read = rows.into_iter().map(Commitment::try_from);
        Ok(read.collect::<Result<_, _>>()?)
    }

    /// A commitment is to be answered at this time.
    pub(in crate::imaging) fn put_off_commitment(
        &self,
        number: i64,
        due: i64,
        has_failed: bool,
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::update(commitments::table.find(number))
                .set((
                    commitments::due.eq(due),
                    commitments::attempts.eq(commitments::attempts + i32::from(has_failed)),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// The answer was taken, or nobody will ever take it.
    pub(in crate::imaging) fn end_commitment(&self, number: i64) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::delete(commitments::table.find(number)).execute(connection)?;
            Ok(())
        })
    }

    /// The SOP classes of those of these instances and rejection notes that are here, and where they are.
    pub(in crate::imaging) fn places(
        &self,
        sop_instance_uids: &[&str],
    ) -> anyhow::Result<HashMap<String, (String, Place)>> {
        let (found, notes) = self.connections.read(|connection| {
            let found = rows::find_instances(connection, &self.fields, sop_instance_uids)?;
            let others = sop_instance_uids
                .iter()
                .filter(|it| !found.contains_key(**it));
            let mut notes = Vec::new();
            for uid in others {
                if let Some(path) = rejections::note(connection, uid)? {
                    notes.push(((*uid).to_owned(), path));
                }
            }
            Ok((found, notes))
        })?;
        let found = found.into_iter().map(|(uid, (_, instance))| {
            let class = instance.sop_class_uid.to_string();
            (uid, (class, instance.place))
        });
        let notes = notes.into_iter().filter_map(|(uid, path)| {
            let stamp = Stamp::of_file(&path).ok()?;
            let place = Place::File { path, stamp };
            Some((uid, (manifest::SOP_CLASS_UID.to_owned(), place)))
        });
        Ok(found.chain(notes).collect())
    }
}
