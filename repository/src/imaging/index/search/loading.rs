//! Rows and what they stand for.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};
use hilum_dicom::scan::StoredInstance;
use serde::de::DeserializeOwned;

use super::super::schema::{instances, series, studies};
use super::{Hit, Level, Row, SeriesFound, StudyFound};
use crate::imaging::access::Collections;

/// Values of one statement.
const TOGETHER: usize = 1000;

/// What these rows stand for, in their order.
pub(super) fn load(
    connection: &mut SqliteConnection,
    level: Level,
    page: &[Row],
    with_collections: bool,
) -> anyhow::Result<Vec<Hit>> {
    let studies = load_studies(connection, page, with_collections)?;
    let series = match level {
        Level::Study => HashMap::new(),
        Level::Series | Level::Instance => load_series(connection, page)?,
    };
    let mut instances = match level {
        Level::Instance => load_instances(connection, page)?,
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

fn load_studies(
    connection: &mut SqliteConnection,
    page: &[Row],
    with_collections: bool,
) -> anyhow::Result<HashMap<i64, Arc<StudyFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Study).chunks(TOGETHER) {
        let mut collections = match with_collections {
            true => load_collections(connection, numbers)?,
            false => HashMap::new(),
        };
        let rows: Vec<(i64, Option<String>, String, String, i32, i32)> = studies::table
            .filter(studies::number.eq_any(numbers))
            .select((
                studies::number,
                studies::domain_patient_id,
                studies::facts,
                studies::modalities,
                studies::series_count,
                studies::instance_count,
            ))
            .load(connection)?;
        for (number, patient_id, facts, modalities, series_count, instance_count) in rows {
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
    let collection = sql::<Nullable<Text>>("json_extract(instances.facts, '$.collection')");
    let rows: Vec<(i64, Option<String>)> = instances::table
        .filter(instances::study.eq_any(studies))
        .select((instances::study, collection))
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
    page: &[Row],
) -> anyhow::Result<HashMap<i64, Arc<SeriesFound>>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Series).chunks(TOGETHER) {
        let rows: Vec<(i64, String, i32)> = series::table
            .filter(series::number.eq_any(numbers))
            .select((series::number, series::facts, series::instance_count))
            .load(connection)?;
        for (number, facts, instance_count) in rows {
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
    page: &[Row],
) -> anyhow::Result<HashMap<i64, StoredInstance>> {
    let mut found = HashMap::new();
    for numbers in distinct(page, Level::Instance).chunks(TOGETHER) {
        let rows: Vec<(i64, String)> = instances::table
            .filter(instances::number.eq_any(numbers))
            .select((instances::number, instances::facts))
            .load(connection)?;
        for (number, facts) in rows {
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
