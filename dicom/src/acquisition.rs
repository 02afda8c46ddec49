//! Acquisition parameters of instances and series: how they were made, in the units of
//! [`xds_schemas::imaging::acquisition`].
//!
//! [`read`] says what one instance has, of the classic objects and of enhanced multi-frame objects
//! with their shared and per-frame functional groups; [`Acquired::add`] gathers the instances of a
//! series. Where the standard elements say nothing, the private ones of Siemens, GE, Philips, Canon
//! and United Imaging are asked, by private creator.
//!
//! Units are brought together: exposures of µAs to mAs, times of µs to ms, currents of µA to mA,
//! doses of dGy to mGy, activities of Bq to MBq, field strengths of Gauss to Tesla, ages to years.

mod codes;
mod csa;
mod derived;
mod elements;
mod private;
mod reading;
mod slices;
mod snomed_rt;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xds_schemas::imaging::acquisition::{Parameter, SeriesParameters, Value, parameter};

use crate::uid::Uid;
use crate::walk::Part10;

use slices::Slices;
use values::Values;

/// What is known of how an instance, or the instances of a series, were made.
///
/// It stays small however large the series is: a parameter keeps 16 different values; of more
/// numbers the smallest and the largest are kept, of more words the first 16 in their order. It
/// does not matter in which order instances are added, nor whether one is added twice.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Acquired {
    values: BTreeMap<&'static str, Values>,
    slices: Slices,
}

/// What an instance says. Nothing is an error: what is absent or garbled is not said.
pub fn read(file: &Part10) -> Acquired {
    reading::instance(&file.data)
}

impl Acquired {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Adds what another instance of the series says, or other instances.
    pub fn add(&mut self, other: &Self) {
        for (keyword, values) in &other.values {
            match self.values.get_mut(keyword) {
                Some(known) => known.add(values),
                None => {
                    self.values.insert(keyword, values.clone());
                }
            }
        }
        self.slices.add(&other.slices);
    }

    /// The parameters of the series, for the slots of its document entry.
    pub fn series(&self, series: &Uid) -> SeriesParameters {
        let parameters = self.values.iter().filter_map(|(keyword, values)| {
            let values = values.of(parameter(keyword)?);
            (!values.is_empty()).then_some((*keyword, values))
        });
        let mut values: BTreeMap<_, _> = parameters.collect();
        // Mosaics have their number of slices in private elements, and one position.
        if let Some(count) = self.slices.count() {
            let count = vec![Value::Number(count)];
            values.entry("sliceCount").or_insert(count);
        }
        if let Some(spacing) = self.slices.spacing() {
            values.insert("sliceSpacing", vec![Value::Number(spacing)]);
        }
        SeriesParameters {
            series_instance_uid: series.as_str().to_owned(),
            values,
        }
    }

    fn number(&mut self, parameter: &'static Parameter, number: f64) {
        let values = self.values.entry(parameter.keyword);
        values.or_insert_with(Values::numbers).number(number);
    }

    /// Text or a code; of another kind nothing is kept.
    fn word(&mut self, parameter: &'static Parameter, value: &Value) {
        if let Some(written) = parameter.write(value) {
            let values = self.values.entry(parameter.keyword);
            values.or_insert_with(Values::words).word(written);
        }
    }

    fn text(&mut self, parameter: &'static Parameter, text: &str) {
        self.word(parameter, &Value::Text(text.to_owned()));
    }
}

/// How it is kept in a file: values as they are written in slots. Parameters and values that
/// another version of this program wrote and this one does not know are left out.
#[derive(Serialize, Deserialize)]
struct Kept {
    values: BTreeMap<String, Vec<String>>,
    #[serde(default, skip_serializing_if = "Slices::is_empty")]
    slices: Slices,
}

impl From<Acquired> for Kept {
    fn from(acquired: Acquired) -> Self {
        let values = acquired.values.iter().filter_map(|(keyword, values)| {
            Some(((*keyword).to_owned(), values.written(parameter(keyword)?)))
        });
        Self {
            values: values.collect(),
            slices: acquired.slices,
        }
    }
}

impl From<Kept> for Acquired {
    fn from(kept: Kept) -> Self {
        let values = kept.values.iter().filter_map(|(keyword, written)| {
            let parameter = parameter(keyword)?;
            Some((parameter.keyword, Values::read(parameter, written)?))
        });
        Self {
            values: values.collect(),
            slices: kept.slices.bounded(),
        }
    }
}

#[cfg(test)]
mod tests;
