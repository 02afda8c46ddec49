//! The slots of a document entry that carry the parameters of its series.

use std::collections::{BTreeMap, HashSet};

use super::{Parameter, SLOT, SeriesParameters, Value, parameter};
use crate::ebrim::Slot;

/// Values of one parameter that are read from one slot.
const MAX_VALUES: usize = 64;
/// Values of all series that are read from one document entry. A study of 1,000 series stays below;
/// a few bytes that claim more for a million series do not fill the memory.
const MAX_TOTAL: usize = 1_000_000;

/// What a slot says: by keyword, the values as they are written.
type Written = BTreeMap<&'static str, Vec<String>>;

/// The slots that say this: first what holds for more than half of the series, then for each series
/// what is different there. The series must have different UIDs. Values that cannot be written
/// ([`Parameter::write`]) are left out.
pub fn to_slots(series: &[SeriesParameters]) -> Vec<Slot> {
    let written: Vec<Written> = series.iter().map(write).collect();
    let common = common(&written);
    let mut slots = Vec::with_capacity(series.len() + 1);
    if !common.is_empty() {
        slots.push(slot(SLOT.to_owned(), &common));
    }
    for (series, written) in series.iter().zip(&written) {
        if series.series_instance_uid.is_empty() {
            continue;
        }
        let name = format!("{SLOT}:{}", series.series_instance_uid);
        slots.push(slot(name, &difference(written, &common)));
    }
    slots
}

fn write(series: &SeriesParameters) -> Written {
    let values = series.values.iter().filter_map(|(keyword, values)| {
        let parameter = parameter(keyword)?;
        let written: Vec<_> = values.iter().filter_map(|it| parameter.write(it)).collect();
        (!written.is_empty()).then_some((parameter.keyword, written))
    });
    values.collect()
}

fn common(series: &[Written]) -> Written {
    let mut held: BTreeMap<(&'static str, &[String]), usize> = BTreeMap::new();
    for (keyword, values) in series.iter().flatten() {
        *held.entry((keyword, values)).or_default() += 1;
    }
    let common = held.into_iter().filter(|(_, by)| by * 2 > series.len());
    common
        .map(|((keyword, values), _)| (keyword, values.to_vec()))
        .collect()
}

/// What a series says that is not in the common slot; an empty list takes a parameter away.
fn difference(series: &Written, common: &Written) -> Written {
    let others = series
        .iter()
        .filter(|(key, it)| common.get(*key) != Some(it));
    let mut difference: Written = others.map(|(key, it)| (*key, it.clone())).collect();
    let absent = common.keys().filter(|key| !series.contains_key(*key));
    difference.extend(absent.map(|key| (*key, Vec::new())));
    if difference.is_empty() {
        // A slot must have a value: one of the common ones, or else that there is no modality.
        let first = common.iter().next().map(|(key, it)| (*key, it.clone()));
        let (key, values) = first.unwrap_or(("Modality", Vec::new()));
        difference.insert(key, values);
    }
    difference
}

fn slot(name: String, written: &Written) -> Slot {
    let mut values = Vec::new();
    for (keyword, of_keyword) in written {
        values.extend(of_keyword.iter().map(|value| format!("{keyword}={value}")));
        if of_keyword.is_empty() {
            values.push(format!("{keyword}="));
        }
    }
    Slot {
        name,
        slot_type: None,
        values,
    }
}

/// What the slots of a document entry say, in their order. Parameters and values that are not
/// understood are left out, and of slots of the same name all but the first.
pub fn from_slots(slots: &[Slot]) -> Vec<SeriesParameters> {
    let common = slots.iter().find(|slot| slot.name == SLOT);
    let common = common.map(|slot| read(&slot.values)).unwrap_or_default();
    let mut seen = HashSet::new();
    let mut total = 0;
    let mut series = Vec::new();
    for slot in slots {
        let uid = slot
            .name
            .strip_prefix(SLOT)
            .and_then(|it| it.strip_prefix(':'));
        let Some(uid) = uid.filter(|uid| is_uid(uid) && seen.insert(*uid)) else {
            continue;
        };
        let mut values = common.clone();
        values.extend(read(&slot.values));
        values.retain(|_, values| !values.is_empty());
        total += 1 + values.values().map(Vec::len).sum::<usize>();
        if total > MAX_TOTAL {
            return series;
        }
        series.push(SeriesParameters {
            series_instance_uid: uid.to_owned(),
            values,
        });
    }
    let mut common = common;
    common.retain(|_, values| !values.is_empty());
    if series.is_empty() && !common.is_empty() {
        series.push(SeriesParameters {
            series_instance_uid: String::new(),
            values: common,
        });
    }
    series
}

/// The values of a slot. A keyword whose values are empty or not understood has none, since what
/// the common slot says of it does not hold.
fn read(values: &[String]) -> BTreeMap<&'static str, Vec<Value>> {
    let mut read: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    for (parameter, text) in values.iter().filter_map(|value| keyword(value)) {
        let known = read.entry(parameter.keyword).or_default();
        if known.len() < MAX_VALUES {
            known.extend(parameter.read(text));
        }
    }
    read
}

fn keyword(value: &str) -> Option<(&'static Parameter, &str)> {
    let (keyword, text) = value.split_once('=')?;
    Some((parameter(keyword)?, text))
}

fn is_uid(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 64 && text.split('.').all(digits)
}
