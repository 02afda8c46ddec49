//! What rejection notes take back, and the notes themselves.
//!
//! A note is kept, and nothing more: it is in no study, no manifest lists it, and it is not given out,
//! just like what it takes back. What it says is in the study, or waits here for the study to come.

use std::path::{Path, PathBuf};

use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::scan::TakenBack;

use super::Index;
use super::schema::{doomed, notes, taken_back};
use super::work::{Adding, Arrival, Settling};
use hilum_dicom::rejection::Title;

impl Index {
    /// Takes instances back as a note says that was not sent here.
    pub(in crate::imaging) fn take_back(
        &self,
        rejected: &TakenBack,
        settling: Settling,
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            let mut adding = Adding::begin((connection, &self.fields), self.objects(), &[])?;
            adding.reject(rejected)?;
            adding.save(settling)
        })
    }

    /// What was taken back of a study before anything of it came.
    pub(in crate::imaging) fn taken_back(&self, study: &Uid) -> anyhow::Result<Vec<(Uid, Title)>> {
        self.connections
            .read(|connection| waiting_for(connection, study))
    }

    /// Files that are about to be removed: a process that ended has left them.
    pub(in crate::imaging) fn doomed(&self) -> anyhow::Result<Vec<PathBuf>> {
        let paths: Vec<String> = self
            .connections
            .read(|connection| Ok(doomed::table.select(doomed::path).load(connection)?))?;
        Ok(paths.into_iter().map(PathBuf::from).collect())
    }

    /// They are removed.
    pub(in crate::imaging) fn gone(&self, paths: &[PathBuf]) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            for path in paths {
                diesel::delete(doomed::table.find(path.to_string_lossy())).execute(connection)?;
            }
            Ok(())
        })
    }
}

/// Where the note of this name is, if it is here.
pub(super) fn note(
    connection: &mut SqliteConnection,
    uid: &str,
) -> anyhow::Result<Option<PathBuf>> {
    let path = notes::table.filter(notes::uid.eq(uid)).select(notes::path);
    let path: Option<String> = path.first(connection).optional()?;
    Ok(path.map(PathBuf::from))
}

/// Keeps a note.
pub(super) fn keep(
    connection: &mut SqliteConnection,
    note: &Arrival,
    title: Title,
    arrived: i64,
) -> anyhow::Result<()> {
    let path = note.place.path().map(Path::to_string_lossy);
    diesel::insert_into(notes::table)
        .values((
            notes::study_uid.eq(note.instance.study_instance_uid.as_str()),
            notes::uid.eq(note.instance.sop_instance_uid.as_str()),
            notes::title.eq(title.word()),
            notes::arrived.eq(arrived),
            notes::path.eq(path.unwrap_or_default()),
        ))
        .execute(connection)?;
    Ok(())
}

/// Remembers what was taken back of a study that is not here, each instance for its strictest reason.
pub(super) fn remember(
    connection: &mut SqliteConnection,
    study: &Uid,
    instances: &[&Uid],
    title: Title,
) -> anyhow::Result<()> {
    let known = waiting_for(connection, study)?;
    for uid in instances {
        let before = known.iter().find(|(known, _)| known == *uid);
        let title = before.map_or(title, |(_, before)| before.stricter(title));
        diesel::replace_into(taken_back::table)
            .values((
                taken_back::study_uid.eq(study.as_str()),
                taken_back::uid.eq(uid.as_str()),
                taken_back::title.eq(title.word()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn waiting_for(
    connection: &mut SqliteConnection,
    study: &Uid,
) -> anyhow::Result<Vec<(Uid, Title)>> {
    let rows: Vec<(String, String)> = taken_back::table
        .filter(taken_back::study_uid.eq(study.as_str()))
        .select((taken_back::uid, taken_back::title))
        .load(connection)?;
    let one = |(uid, title): (String, String)| Ok((Uid::parse(&uid)?, title.parse()?));
    rows.into_iter().map(one).collect()
}

/// These files are to be removed when this is durable.
pub(super) fn doom<'p>(
    connection: &mut SqliteConnection,
    paths: impl Iterator<Item = &'p Path>,
) -> anyhow::Result<()> {
    for path in paths {
        diesel::replace_into(doomed::table)
            .values(doomed::path.eq(path.to_string_lossy()))
            .execute(connection)?;
    }
    Ok(())
}
