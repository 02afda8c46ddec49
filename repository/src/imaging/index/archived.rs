//! Studies that stay in other archives: what those have, beside what is here.

mod joined;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::scan::Study;
use hilum_security::at_rest::fields::Fields;

use super::schema::{archived, studies};
use super::work::Settling;
use super::{Index, rows};

use joined::{joined, take_out};

/// How many series and instances an archive counts in a study, as far as it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::imaging) struct Counts {
    pub(in crate::imaging) series: Option<i64>,
    pub(in crate::imaging) instances: Option<i64>,
}

/// What is known of an archive's study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct Seen {
    /// As the archive counted when it was read last.
    pub(in crate::imaging) counts: Counts,
    /// In how many looks at everything it was missing.
    pub(in crate::imaging) missed: i32,
    /// Whether it could not be read as it should.
    pub(in crate::imaging) troubled: bool,
    /// Study Date.
    pub(in crate::imaging) date: Option<String>,
}

/// A study as it was read from its archive.
#[derive(Debug)]
pub(in crate::imaging) struct Reading<'a> {
    /// The archive's name.
    pub(in crate::imaging) archive: &'a str,
    /// What it has of the study; every instance has its place in this archive.
    pub(in crate::imaging) study: Study,
    /// What it counts.
    pub(in crate::imaging) counts: Counts,
    /// Why this may not be all that it has. Then nothing is taken away.
    pub(in crate::imaging) incomplete: Option<String>,
}

/// What became of a study that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) enum Entered {
    /// Nothing of it has changed.
    Same,
    /// The index says something else now.
    Changed,
    /// It cannot be joined with what is here.
    Unfit(&'static str),
}

impl Index {
    /// What is known of an archive's studies.
    pub(in crate::imaging) fn archived(
        &self,
        archive: &str,
    ) -> anyhow::Result<BTreeMap<Uid, Seen>> {
        type Row = (
            String,
            Option<i64>,
            Option<i64>,
            i32,
            Option<String>,
            Option<String>,
        );
        let rows: Vec<Row> = self.connections.read(|connection| {
            let of_archive = archived::table
                .left_join(studies::table.on(studies::uid.eq(archived::uid)))
                .filter(archived::archive.eq(archive))
                .select((
                    archived::uid,
                    archived::series_count,
                    archived::instance_count,
                    archived::missed,
                    archived::trouble,
                    studies::study_date.nullable(),
                ));
            Ok(of_archive.load(connection)?)
        })?;
        let seen = |(uid, series, instances, missed, trouble, date): Row| {
            let counts = Counts { series, instances };
            let troubled = trouble.is_some();
            let seen = Seen {
                counts,
                missed,
                troubled,
                date: date.filter(|it| it.len() == 8),
            };
            Ok((Uid::parse(&uid)?, seen))
        };
        rows.into_iter().map(seen).collect()
    }

    /// Enters a study as its archive has it. What is here in files stays as it is.
    pub(in crate::imaging) fn enter_archived(
        &self,
        reading: Reading<'_>,
        settling: Settling,
    ) -> anyhow::Result<Entered> {
        self.connections.write(|connection| {
            let uid = reading.study.uid.clone();
            let (archive, counts) = (reading.archive, reading.counts);
            let trouble = reading.incomplete.clone();
            let known = super::read(connection, &self.fields, &uid)?;
            let before = known.map(|known| known.study);
            let study = match joined((connection, &self.fields), before.as_ref(), reading)? {
                Ok(study) => study,
                Err(problem) => {
                    saw(connection, (archive, &uid), counts, Some(problem))?;
                    return Ok(Entered::Unfit(problem));
                }
            };
            saw(connection, (archive, &uid), counts, trouble.as_deref())?;
            if before.as_ref() == Some(&study) {
                return Ok(Entered::Same);
            }
            if before.is_none() && study.series.is_empty() {
                return Ok(Entered::Same);
            }
            save(
                (connection, &self.fields),
                before.is_some(),
                &study,
                settling,
            )?;
            Ok(Entered::Changed)
        })
    }

    /// Takes an archive's instances out of a study, which is not there any more.
    pub(in crate::imaging) fn forget_archived(
        &self,
        archive: &str,
        uid: &Uid,
        settling: Settling,
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::delete(archived::table)
                .filter(archived::archive.eq(archive))
                .filter(archived::uid.eq(uid.as_str()))
                .execute(connection)?;
            let Some(known) = super::read(connection, &self.fields, uid)? else {
                return Ok(());
            };
            let mut study = known.study.clone();
            take_out(&mut study, archive, &BTreeSet::new());
            if study != known.study {
                save((connection, &self.fields), true, &study, settling)?;
            }
            Ok(())
        })
    }

    /// A look at everything has not shown this study; says how often that happened in a row.
    pub(in crate::imaging) fn missed_archived(
        &self,
        archive: &str,
        uid: &Uid,
    ) -> anyhow::Result<i32> {
        self.connections.write(|connection| {
            let row = archived::table
                .filter(archived::archive.eq(archive))
                .filter(archived::uid.eq(uid.as_str()));
            let missed = diesel::update(row)
                .set(archived::missed.eq(archived::missed + 1))
                .returning(archived::missed)
                .get_result(connection)
                .optional()?;
            Ok(missed.unwrap_or(0))
        })
    }

    /// A look has shown these studies, which had been missing.
    pub(in crate::imaging) fn found_archived(
        &self,
        archive: &str,
        uids: &[&Uid],
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            for uid in uids {
                let row = archived::table
                    .filter(archived::archive.eq(archive))
                    .filter(archived::uid.eq(uid.as_str()));
                diesel::update(row)
                    .set(archived::missed.eq(0))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// An instance turned out to be stored in another transfer syntax than the index says.
    pub(in crate::imaging) fn correct_syntax(
        &self,
        study: &Uid,
        sop_instance_uid: &Uid,
        transfer_syntax_uid: &Uid,
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            let Some(mut known) = super::read(connection, &self.fields, study)? else {
                return Ok(());
            };
            let mut all = known.study.series.iter_mut();
            let instance = all.find_map(|series| {
                let mut instances = series.instances.iter_mut();
                instances.find(|it| it.sop_instance_uid == *sop_instance_uid)
            });
            let Some(instance) = instance else {
                return Ok(());
            };
            instance.transfer_syntax_uid = transfer_syntax_uid.clone();
            let number = number(connection, study)?;
            rows::save(connection, &self.fields, number, &known.study)?;
            // Whoever has it in memory reads it again.
            diesel::update(studies::table.find(number))
                .set(studies::generation.eq(studies::generation + 1))
                .execute(connection)?;
            Ok(())
        })
    }
}

/// Writes down what an archive counts in a study.
fn saw(
    connection: &mut SqliteConnection,
    (archive, uid): (&str, &Uid),
    counts: Counts,
    trouble: Option<&str>,
) -> anyhow::Result<()> {
    let said = (
        archived::series_count.eq(counts.series),
        archived::instance_count.eq(counts.instances),
        archived::missed.eq(0),
        archived::trouble.eq(trouble),
    );
    diesel::insert_into(archived::table)
        .values((
            archived::archive.eq(archive),
            archived::uid.eq(uid.as_str()),
            said,
        ))
        .on_conflict((archived::archive, archived::uid))
        .do_update()
        .set(said)
        .execute(connection)?;
    Ok(())
}

fn number(connection: &mut SqliteConnection, study: &Uid) -> anyhow::Result<i64> {
    let row = studies::table
        .filter(studies::uid.eq(study.as_str()))
        .select(studies::number);
    let number = row.first(connection).optional()?;
    number.context("a study that is here has no row")
}

/// Makes the rows of a study what it says, and has it published.
fn save(
    (connection, fields): (&mut SqliteConnection, &Fields),
    known: bool,
    study: &Study,
    settling: Settling,
) -> anyhow::Result<()> {
    let number = match known {
        true => number(connection, &study.uid)?,
        false => super::insert(connection, fields, study)?,
    };
    rows::save(connection, fields, number, study)?;
    diesel::update(studies::table.find(number))
        .set((
            studies::generation.eq(studies::generation + 1),
            studies::due.eq(settling.now + settling.quiet),
            studies::attempts.eq(0),
            studies::changed.eq(settling.now),
        ))
        .execute(connection)?;
    Ok(())
}
