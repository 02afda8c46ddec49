//! A study as rows, and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Context;
use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::scan::{Series, StoredInstance, Study};
use hilum_security::at_rest::fields::{Fields, Place};

use super::fields::{
    ACCESSION_NUMBER, INSTANCE_FACTS, PATIENT_ID, SERIES_FACTS, STUDY_FACTS, STUDY_ID, within,
};
use super::names::fold;
use super::schema::{instances, series, studies};

/// Rows that are written at once: far fewer values than SQLite takes.
const CHUNK: usize = 500;

/// The columns of a study that follow from what is in it.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = studies, treat_none_as_default_value = false)]
pub(super) struct Head {
    facts: String,
    patient_id: String,
    patient_name: String,
    birth_date: String,
    sex: String,
    study_date: String,
    study_time: String,
    accession_number: String,
    study_id: String,
    description: String,
    referring_physician: String,
    modalities: String,
    series_count: i32,
    instance_count: i32,
}

#[derive(Insertable)]
#[diesel(table_name = series, treat_none_as_default_value = false)]
struct SeriesRow<'a> {
    study: i64,
    uid: &'a str,
    modality: &'a str,
    series_number: Option<i64>,
    description: &'a str,
    facts: String,
    instance_count: i32,
}

#[derive(Insertable)]
#[diesel(table_name = instances, treat_none_as_default_value = false)]
struct InstanceRow<'a> {
    study: i64,
    series: i64,
    uid: &'a str,
    sop_class_uid: &'a str,
    instance_number: Option<i64>,
    facts: String,
    collection: Option<&'a str>,
}

/// The facts of an instance as they are kept.
fn kept(
    fields: &Fields,
    study: i64,
    instance: &StoredInstance,
    facts: &str,
) -> anyhow::Result<String> {
    let row = within(study, instance.sop_instance_uid.as_str());
    let sealed = fields.seal(Place::of(INSTANCE_FACTS, &row), facts)?;
    Ok(sealed.into_owned())
}

/// The facts of an instance.
pub(super) fn facts_of_instance(
    fields: &Fields,
    study: i64,
    uid: &str,
    kept: String,
) -> anyhow::Result<String> {
    let row = within(study, uid);
    Ok(fields.open(Place::of(INSTANCE_FACTS, &row), kept)?)
}

/// The facts of a series.
pub(super) fn facts_of_series(
    fields: &Fields,
    study: i64,
    uid: &str,
    kept: String,
) -> anyhow::Result<String> {
    let row = within(study, uid);
    Ok(fields.open(Place::of(SERIES_FACTS, &row), kept)?)
}

/// The facts of a study as they are kept.
fn kept_study(fields: &Fields, study: &Study) -> anyhow::Result<String> {
    let facts = serde_json::to_string(study)?;
    let place = Place::of(STUDY_FACTS, &study.uid);
    Ok(fields.seal(place, &facts)?.into_owned())
}

impl Head {
    pub(super) fn of(fields: &Fields, study: &Study) -> anyhow::Result<Self> {
        let head = Study {
            series: Vec::new(),
            ..study.clone()
        };
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let name = |column, it: &Option<String>| {
            fields.pseudonym(column, it.as_deref().unwrap_or_default())
        };
        let modalities = study.series.iter();
        let modalities = joined(modalities.filter_map(|it| it.facts.modality.as_deref()));
        Ok(Self {
            facts: kept_study(fields, &head)?,
            patient_id: name(PATIENT_ID, &study.patient.id)?,
            patient_name: fields.hide(fold(study.patient.name.as_deref().unwrap_or_default())),
            birth_date: fields.hide(text(&study.patient.birth_date)),
            sex: text(&study.patient.sex),
            study_date: text(&study.facts.date),
            study_time: text(&study.facts.time),
            accession_number: name(ACCESSION_NUMBER, &study.facts.accession_number)?,
            study_id: name(STUDY_ID, &study.facts.id)?,
            description: fields.hide(text(&study.facts.description)),
            referring_physician: fields.hide(fold(&text(&study.facts.referring_physician))),
            modalities,
            series_count: count(study.series.len()),
            instance_count: count(study.instances().count()),
        })
    }
}

fn count(number: usize) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The series and instances of a study whose head is `facts`.
pub(super) fn load(
    connection: &mut SqliteConnection,
    fields: &Fields,
    number: i64,
    facts: &str,
) -> anyhow::Result<Study> {
    let mut study: Study = serde_json::from_str(facts)?;
    let rows: Vec<(i64, String, String)> = series::table
        .filter(series::study.eq(number))
        .select((series::number, series::uid, series::facts))
        .load(connection)?;
    let mut places = HashMap::with_capacity(rows.len());
    for (row, uid, facts) in rows {
        let facts = facts_of_series(fields, number, &uid, facts)?;
        let one: Series = serde_json::from_str(&facts)?;
        places.insert(row, study.series.len());
        study.series.push(one);
    }
    let rows: Vec<(i64, String, String)> = instances::table
        .filter(instances::study.eq(number))
        .select((instances::series, instances::uid, instances::facts))
        .load(connection)?;
    for (row, uid, facts) in rows {
        let facts = facts_of_instance(fields, number, &uid, facts)?;
        let place = places.get(&row).context("an instance without its series")?;
        let instance: StoredInstance = serde_json::from_str(&facts)?;
        study.series[*place].instances.push(instance);
    }
    study.sort();
    Ok(study)
}

/// Makes the rows of a study what `study` says.
pub(super) fn save(
    connection: &mut SqliteConnection,
    fields: &Fields,
    number: i64,
    study: &Study,
) -> anyhow::Result<()> {
    let mut known: HashMap<String, (i64, i64, String)> = instances::table
        .filter(instances::study.eq(number))
        .select((
            instances::uid,
            (instances::number, instances::series, instances::facts),
        ))
        .load(connection)?
        .into_iter()
        .collect();
    let series_numbers = save_series(connection, fields, number, study)?;
    let mut added = Vec::new();
    let mut gone: Vec<i64> = Vec::new();
    for one in &study.series {
        let of_series = series_numbers[&one.uid];
        for instance in &one.instances {
            let facts = serde_json::to_string(instance)?;
            if let Some((row, was_in, was)) = known.remove(instance.sop_instance_uid.as_str()) {
                let uid = instance.sop_instance_uid.as_str();
                if was_in == of_series && facts_of_instance(fields, number, uid, was)? == facts {
                    continue;
                }
                gone.push(row);
            }
            added.push(InstanceRow {
                study: number,
                series: of_series,
                uid: instance.sop_instance_uid.as_str(),
                sop_class_uid: instance.sop_class_uid.as_str(),
                instance_number: instance.number,
                facts: kept(fields, number, instance, &facts)?,
                collection: instance.collection.as_deref(),
            });
        }
    }
    gone.extend(known.into_values().map(|(row, ..)| row));
    for rows in gone.chunks(CHUNK) {
        diesel::delete(instances::table.filter(instances::number.eq_any(rows)))
            .execute(connection)?;
    }
    for rows in added.chunks(CHUNK) {
        diesel::insert_into(instances::table)
            .values(rows)
            .execute(connection)?;
    }
    let stay: Vec<i64> = series_numbers.into_values().collect();
    diesel::delete(
        series::table
            .filter(series::study.eq(number))
            .filter(series::number.ne_all(stay)),
    )
    .execute(connection)?;
    diesel::update(studies::table.find(number))
        .set(Head::of(fields, study)?)
        .execute(connection)?;
    Ok(())
}

/// The series of a study by UID, each with its row as it is to be.
fn save_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    number: i64,
    study: &Study,
) -> anyhow::Result<BTreeMap<Uid, i64>> {
    let mut numbers = BTreeMap::new();
    for one in &study.series {
        let saved = save_one_series(connection, fields, number, one, one.instances.len())?;
        numbers.insert(one.uid.clone(), saved);
    }
    Ok(numbers)
}

/// Makes the row of a series what it says, and gives its number.
pub(super) fn save_one_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: i64,
    one: &Series,
    instance_count: usize,
) -> anyhow::Result<i64> {
    let description = one.facts.description.clone().unwrap_or_default();
    let description = fields.hide(description);
    let row = SeriesRow {
        study,
        uid: one.uid.as_str(),
        modality: one.facts.modality.as_deref().unwrap_or_default(),
        series_number: one.facts.number,
        description: &description,
        facts: without_instances(fields, study, one)?,
        instance_count: count(instance_count),
    };
    let number = diesel::insert_into(series::table)
        .values(&row)
        .on_conflict((series::study, series::uid))
        .do_update()
        .set((
            series::modality.eq(row.modality),
            series::series_number.eq(row.series_number),
            series::description.eq(row.description),
            series::facts.eq(&row.facts),
            series::instance_count.eq(row.instance_count),
        ))
        .returning(series::number)
        .get_result(connection)?;
    Ok(number)
}

/// The facts of a series as they are kept.
fn without_instances(fields: &Fields, study: i64, one: &Series) -> anyhow::Result<String> {
    let facts = serde_json::to_string(&Series {
        uid: one.uid.clone(),
        facts: one.facts.clone(),
        acquired: one.acquired.clone(),
        instances: Vec::new(),
    })?;
    let row = within(study, one.uid.as_str());
    Ok(fields
        .seal(Place::of(SERIES_FACTS, &row), &facts)?
        .into_owned())
}

/// A series of a study, without its instances.
pub(super) fn find_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: i64,
    uid: &Uid,
) -> anyhow::Result<Option<(i64, Series)>> {
    let row: Option<(i64, String)> = series::table
        .filter(series::study.eq(study))
        .filter(series::uid.eq(uid.as_str()))
        .select((series::number, series::facts))
        .first(connection)
        .optional()?;
    let Some((number, facts)) = row else {
        return Ok(None);
    };
    let facts = facts_of_series(fields, study, uid.as_str(), facts)?;
    Ok(Some((number, serde_json::from_str(&facts)?)))
}

/// Adds instances of which each has its series' row beside it.
pub(super) fn insert_instances(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: i64,
    added: &[(i64, StoredInstance)],
) -> anyhow::Result<()> {
    for added in added.chunks(CHUNK) {
        let rows: Vec<InstanceRow<'_>> = added
            .iter()
            .map(|(series, instance)| {
                Ok(InstanceRow {
                    study,
                    series: *series,
                    uid: instance.sop_instance_uid.as_str(),
                    sop_class_uid: instance.sop_class_uid.as_str(),
                    instance_number: instance.number,
                    facts: kept(fields, study, instance, &serde_json::to_string(instance)?)?,
                    collection: instance.collection.as_deref(),
                })
            })
            .collect::<anyhow::Result<_>>()?;
        diesel::insert_into(instances::table)
            .values(&rows)
            .execute(connection)?;
    }
    Ok(())
}

/// A series has so many more instances, and says this now.
pub(super) fn grow_series(
    connection: &mut SqliteConnection,
    fields: &Fields,
    (study, number): (i64, i64),
    one: &Series,
    more: usize,
) -> anyhow::Result<()> {
    diesel::update(series::table.find(number))
        .set((
            series::facts.eq(without_instances(fields, study, one)?),
            series::instance_count.eq(series::instance_count + count(more)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Writes what is said of a study whose series were changed, and counts them.
pub(super) fn recount(
    connection: &mut SqliteConnection,
    fields: &Fields,
    number: i64,
    study: &Study,
) -> anyhow::Result<()> {
    let rows: Vec<(String, i32)> = series::table
        .filter(series::study.eq(number))
        .select((series::modality, series::instance_count))
        .load(connection)?;
    let instances: i32 = rows.iter().map(|(_, instances)| instances).sum();
    let modalities = rows.iter().map(|(modality, _)| modality.as_str());
    diesel::update(studies::table.find(number))
        .set((
            studies::facts.eq(kept_study(fields, study)?),
            studies::modalities.eq(joined(modalities)),
            studies::series_count.eq(count(rows.len())),
            studies::instance_count.eq(instances),
        ))
        .execute(connection)?;
    Ok(())
}

/// `|CT|SR|`
fn joined<'a>(modalities: impl Iterator<Item = &'a str>) -> String {
    let modalities: BTreeSet<&str> = modalities.filter(|it| !it.is_empty()).collect();
    match modalities.is_empty() {
        true => String::new(),
        false => format!("|{}|", Vec::from_iter(modalities).join("|")),
    }
}

/// The instances with these SOP Instance UIDs, in whatever study they are.
pub(super) fn find_instances(
    connection: &mut SqliteConnection,
    fields: &Fields,
    uids: &[&str],
) -> anyhow::Result<HashMap<String, (String, StoredInstance)>> {
    let mut found = HashMap::new();
    for uids in uids.chunks(CHUNK) {
        let rows: Vec<(String, i64, String, String)> = instances::table
            .inner_join(series::table.inner_join(studies::table))
            .filter(instances::uid.eq_any(uids))
            .select((
                instances::uid,
                instances::study,
                studies::uid,
                instances::facts,
            ))
            .load(connection)?;
        for (uid, number, study, facts) in rows {
            let facts = facts_of_instance(fields, number, &uid, facts)?;
            found.insert(uid, (study, serde_json::from_str(&facts)?));
        }
    }
    Ok(found)
}
