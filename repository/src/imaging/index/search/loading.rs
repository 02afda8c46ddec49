//! Rows and what they stand for.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use hilum_dicom::scan::StoredInstance;
use hilum_security::at_rest::fields::{Fields, Place};
use serde::de::DeserializeOwned;

use super::super::fields::{DOMAIN_PATIENT_ID, STUDY_FACTS};
use super::super::rows::{facts_of_instance, facts_of_series};
use super::super::schema::{instances, series, studies};
use super::{Hit, Level, Row, SeriesFound, StudyFound};
use crate::imaging::access::Collections;

/// Values of one statement.
const TOGETHER: usize = 1000;

/// What these rows stand for, in their order.
pub(super) fn load(
    (connection, fields): (&mut SqliteConnection, &Fields),
    level: Level,
    page: &[Row],
    with_collections: bool,
) -> anyhow::Result<Vec<Hit>> {
    let studies = load_studies(connection, fields, page, with_collections)?;
    let series = match level {
        Level::Study => HashMap::new(),
        Level::Series | Level::Instance => load_series(connection, fields, page)?,
    };
    let mut instances = match level {
        Level::Instance => load_instances(connection, fields, page)?,
        Level::Study | Level::Series => HashMap::new(),
    };
    let hit = |row: &Row| {
        Some(Hit {
            study: Arc::clone(studies.get(&row.study)?),
            series: series.get(&row.series).cloned(),
            instance: instances.remove(&row.instance),
        })
    };
    Ok(page.iter().filter_map(hit).collect())
}

/// Number, UID, patient, facts and modalities of a study, and how much is in it.
type StudyRow = (i64, String, Option<String>, String, String, i32, i32);

fn load_studies(
    connection: &mut SqliteConnection,
    fields: &Fields,
    page: &[Row],
    with_collections: bool,
) -> anyhow::Result<HashMap<i64, Arc<StudyFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Study).chunks(TOGETHER) {
        let mut collections = match with_collections {
            true => load_collections(connection, numbers)?,
            false => HashMap::new(),
        };
        let rows: Vec<StudyRow> = studies::table
            .filter(studies::number.eq_any(numbers))
            .select((
                studies::number,
                studies::uid,
                studies::domain_patient_id,
                studies::facts,
                studies::modalities,
                studies::series_count,
                studies::instance_count,
            ))
            .load(connection)?;
        for row in rows {
            let (number, uid, patient_id, facts, modalities, series_count, instance_count) = row;
            let patient_id = fields.open_some(Place::of(DOMAIN_PATIENT_ID, &uid), patient_id)?;
            let facts = fields.open(Place::of(STUDY_FACTS, &uid), facts)?;
            let study = StudyFound {
                number,
                patient_id,
                // Whoever asks for none decides alike for all.
                collections: (collections.remove(&number)).unwrap_or_else(|| [None].into()),
                study: read(&facts)?,
                modalities,
                series_count,
                instance_count,
            };
            found.insert(number, Arc::new(study));
        }
    }
    Ok(found)
}

/// Into which collections the images of studies came.
fn load_collections(
    connection: &mut SqliteConnection,
    studies: &[i64],
) -> QueryResult<HashMap<i64, Collections>> {
    let rows: Vec<(i64, Option<String>)> = instances::table
        .filter(instances::study.eq_any(studies))
        .select((instances::study, instances::collection))
        .distinct()
        .load(connection)?;
    let mut found = HashMap::<i64, Collections>::new();
    for (study, collection) in rows {
        found.entry(study).or_default().insert(collection);
    }
    Ok(found)
}

fn load_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    page: &[Row],
) -> anyhow::Result<HashMap<i64, Arc<SeriesFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Series).chunks(TOGETHER) {
        let rows: Vec<(i64, i64, String, String, i32)> = series::table
            .filter(series::number.eq_any(numbers))
            .select((
                series::number,
                series::study,
                series::uid,
                series::facts,
                series::instance_count,
            ))
            .load(connection)?;
        for (number, study, uid, facts, instance_count) in rows {
            let facts = facts_of_series(fields, study, &uid, facts)?;
            let series = SeriesFound {
                series: read(&facts)?,
                instance_count,
            };
            found.insert(number, Arc::new(series));
        }
    }
    Ok(found)
}

fn load_instances(
    connection: &mut SqliteConnection,
    fields: &Fields,
    page: &[Row],
) -> anyhow::Result<HashMap<i64, StoredInstance>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Instance).chunks(TOGETHER) {
        let rows: Vec<(i64, i64, String, String)> = instances::table
            .filter(instances::number.eq_any(numbers))
            .select((
                instances::number,
                instances::study,
                instances::uid,
                instances::facts,
            ))
            .load(connection)?;
        for (number, study, uid, facts) in rows {
            let facts = facts_of_instance(fields, study, &uid, facts)?;
            found.insert(number, read(&facts)?);
        }
    }
    Ok(found)
}

fn distinct(page: &[Row], level: Level) -> Vec<i64> {
    let mut numbers: Vec<i64> = page.iter().map(|row| row.number(level)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn read<T: DeserializeOwned>(facts: &str) -> serde_json::Result<T> {
    serde_json::from_str(facts)
}
