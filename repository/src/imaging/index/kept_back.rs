//! What is kept back: single objects, and studies as a whole.

use std::path::{Path, PathBuf};

use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::instance::Instance;
use hilum_security::at_rest::fields::{Fields, Place};
use serde::{Deserialize, Serialize};

use super::super::intake::Names;
use super::fields::{HELD, KEPT_BACK_PATIENT, KEPT_BACK_REASONS};
use super::schema::{quarantined, studies};
use super::{Index, rejections, rows};

/// Something that is kept back until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// Its number here.
    pub number: i64,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Patient ID.
    pub patient_id: String,
    /// Milliseconds since 1970.
    pub arrived: i64,
    /// Where it came from.
    pub origin: String,
    /// Why it is kept back.
    pub reasons: Vec<String>,
    /// Its file.
    pub path: PathBuf,
    /// Whether it is a volume that is no DICOM object, such as a NIfTI file. It has no study and no
    /// series then, and as its SOP Instance UID stands the uniqueId that its document will have.
    #[serde(default)]
    pub volume: bool,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = quarantined)]
struct Row {
    number: i64,
    study_uid: String,
    series_uid: String,
    uid: String,
    patient_id: String,
    arrived: i64,
    origin: String,
    reasons: String,
    path: String,
    volume: bool,
}

impl Row {
    fn opened(self, fields: &Fields) -> anyhow::Result<Quarantined> {
        let row = self;
        let at = |column| Place::of(column, &row.path);
        let patient_id = fields.open(at(KEPT_BACK_PATIENT), row.patient_id)?;
        let reasons = fields.open(at(KEPT_BACK_REASONS), row.reasons)?;
        Ok(Quarantined {
            number: row.number,
            study_instance_uid: row.study_uid,
            series_instance_uid: row.series_uid,
            sop_instance_uid: row.uid,
            patient_id,
            arrived: row.arrived,
            origin: row.origin,
            reasons: serde_json::from_str(&reasons)?,
            path: PathBuf::from(row.path),
            volume: row.volume,
        })
    }
}

impl Index {
    /// Keeps something back.
    pub(in crate::imaging) fn quarantine(
        &self,
        instance: &Instance,
        origin: &str,
        reasons: &[String],
        path: &Path,
        arrived: i64,
    ) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            let path = path.to_string_lossy();
            let patient_id = instance.patient.id.as_deref().unwrap_or_default();
            let (patient_id, reasons) = self.kept_back(&path, patient_id, reasons)?;
            let row = (
                quarantined::study_uid.eq(instance.study_instance_uid.as_str()),
                quarantined::series_uid.eq(instance.series_instance_uid.as_str()),
                quarantined::uid.eq(instance.sop_instance_uid.as_str()),
                quarantined::patient_id.eq(patient_id),
                quarantined::arrived.eq(arrived),
                quarantined::origin.eq(origin),
                quarantined::reasons.eq(&reasons),
                quarantined::path.eq(&path),
            );
            // The same file is kept back once, and under the same number.
            diesel::insert_into(quarantined::table)
                .values(row)
                .on_conflict(quarantined::path)
                .do_update()
                .set((
                    quarantined::uid.eq(instance.sop_instance_uid.as_str()),
                    quarantined::reasons.eq(&reasons),
                    quarantined::released.eq(false),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Patient and reasons of something with this path, as they are kept.
    pub(super) fn kept_back(
        &self,
        path: &str,
        patient_id: &str,
        reasons: &[String],
    ) -> anyhow::Result<(String, String)> {
        let at = |column| Place::of(column, &path);
        let patient_id = self.fields.seal(at(KEPT_BACK_PATIENT), patient_id)?;
        let reasons = serde_json::to_string(reasons)?;
        let reasons = self.fields.seal(at(KEPT_BACK_REASONS), &reasons)?;
        Ok((patient_id.into_owned(), reasons.into_owned()))
    }

    /// What is kept back, in the order of arrival; of one study or of all.
    pub(in crate::imaging) fn quarantined(
        &self,
        study: Option<&str>,
    ) -> anyhow::Result<Vec<Quarantined>> {
        let rows: Vec<Row> = self.connections.read(|connection| {
            let mut all = quarantined::table
                .filter(quarantined::released.eq(false))
                .order(quarantined::number)
                .select(Row::as_select())
                .into_boxed();
            if let Some(study) = study {
                all = all.filter(quarantined::study_uid.eq(study));
            }
            Ok(all.load(connection)?)
        })?;
        rows.into_iter()
            .map(|row| row.opened(&self.fields))
            .collect()
    }

    /// What is kept back under this number.
    pub(in crate::imaging) fn quarantined_as(
        &self,
        number: i64,
    ) -> anyhow::Result<Option<Quarantined>> {
        let row: Option<Row> = self.connections.read(|connection| {
            let row = quarantined::table.find(number);
            let row = row.filter(quarantined::released.eq(false));
            Ok(row.select(Row::as_select()).first(connection).optional()?)
        })?;
        row.map(|row| row.opened(&self.fields)).transpose()
    }

    /// Whether somebody has let an object of this name go.
    pub(in crate::imaging) fn was_released(&self, uid: &Uid) -> anyhow::Result<bool> {
        self.connections.read(|connection| {
            let released = quarantined::table
                .filter(quarantined::uid.eq(uid.as_str()))
                .filter(quarantined::released.eq(true));
            Ok(diesel::select(diesel::dsl::exists(released)).get_result(connection)?)
        })
    }

    /// Objects of this name that are kept back.
    pub(in crate::imaging) fn kept_back_as(&self, uid: &Uid) -> anyhow::Result<Vec<Quarantined>> {
        let rows: Vec<Row> = self.connections.read(|connection| {
            let rows = quarantined::table
                .filter(quarantined::uid.eq(uid.as_str()))
                .filter(quarantined::released.eq(false));
            Ok(rows.select(Row::as_select()).load(connection)?)
        })?;
        rows.into_iter()
            .map(|row| row.opened(&self.fields))
            .collect()
    }

    /// Forgets that an object was kept back.
    pub(in crate::imaging) fn end_quarantine(&self, number: i64) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::delete(quarantined::table.find(number)).execute(connection)?;
            Ok(())
        })
    }

    /// A volume was released: the next import hands it in.
    pub(in crate::imaging) fn released_volume(&self, number: i64) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::update(quarantined::table.find(number))
                .set(quarantined::released.eq(true))
                .execute(connection)?;
            Ok(())
        })
    }

    /// An object was released, and has become part of its study under these names: they are remembered.
    /// Whatever it was called before is not.
    pub(in crate::imaging) fn released(&self, number: i64, names: &Names) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            diesel::update(quarantined::table.find(number))
                .set((
                    quarantined::study_uid.eq(names.study.as_str()),
                    quarantined::series_uid.eq(names.series.as_str()),
                    quarantined::uid.eq(names.instance.as_str()),
                    quarantined::patient_id.eq(""),
                    quarantined::reasons.eq("[]"),
                    quarantined::path.eq(format!("released {number}")),
                    quarantined::released.eq(true),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// The file of an object that is in its study, or of a rejection note.
    pub(in crate::imaging) fn file_of(&self, uid: &Uid) -> anyhow::Result<Option<PathBuf>> {
        self.connections.read(|connection| {
            let known = rows::find_instances(connection, &self.fields, &[uid.as_str()])?;
            let mut known = known.values().filter_map(|(_, it)| it.place.path());
            match known.next() {
                Some(path) => Ok(Some(path.to_owned())),
                None => rejections::note(connection, uid.as_str()),
            }
        })
    }

    /// Whether somebody knows of this file of an object.
    pub(in crate::imaging) fn uses(&self, uid: &Uid, path: &Path) -> anyhow::Result<bool> {
        if self.file_of(uid)?.is_some_and(|known| known == path) {
            return Ok(true);
        }
        self.connections.read(|connection| {
            let text = path.to_string_lossy();
            let kept_back = quarantined::table.filter(quarantined::path.eq(&text));
            Ok(diesel::select(diesel::dsl::exists(kept_back)).get_result(connection)?)
        })
    }

    /// Lets go what is kept back of a study as a whole. Says whether there was something.
    pub(in crate::imaging) fn release(&self, study: &Uid, now: i64) -> anyhow::Result<bool> {
        self.connections.write(|connection| {
            let held = studies::table
                .filter(studies::uid.eq(study.as_str()))
                .filter(studies::held.is_not_null());
            let released = diesel::update(held)
                .set((
                    studies::held.eq(None::<String>),
                    studies::released.eq(true),
                    studies::due.eq(now),
                    studies::generation.eq(studies::generation + 1),
                ))
                .execute(connection)?;
            Ok(released == 1)
        })
    }

    /// The studies that are kept back as a whole, and why.
    pub(in crate::imaging) fn held(&self) -> anyhow::Result<Vec<(String, Vec<String>)>> {
        let rows: Vec<(String, Option<String>)> = self.connections.read(|connection| {
            let held = studies::table.filter(studies::held.is_not_null());
            let held = held.order(studies::number);
            Ok(held
                .select((studies::uid, studies::held))
                .load(connection)?)
        })?;
        let one = |(uid, held): (String, Option<String>)| {
            let held = self.fields.open_some(Place::of(HELD, &uid), held)?;
            let reasons = serde_json::from_str(&held.unwrap_or_default())?;
            Ok((uid, reasons))
        };
        rows.into_iter().map(one).collect()
    }
}
