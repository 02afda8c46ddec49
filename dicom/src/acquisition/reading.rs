//! The walk through a data set, in one pass over its elements.

use dicom_core::{Tag, VR};
use dicom_dictionary_std::tags;
use xds_schemas::imaging::acquisition::{Kind, Parameter, Value as Said};
use xds_schemas::metadata::Code;

use super::elements::{self, Element};
use super::{Acquired, codes, derived, private};
use crate::anatomy;
use crate::text::CharacterSet;
use crate::walk::{self, DataSet, Value};

/// The deepest place that is read, detectors within per-frame groups, is at four.
const MAX_DEPTH: usize = 6;
/// Values of one element that are read; tables of angles and times are no parameters.
const MAX_VALUES: usize = 64;

/// What the data set of an instance says.
pub(super) fn instance(data: &DataSet) -> Acquired {
    let mut reading = Reading {
        set: CharacterSet::of(data),
        said: Acquired::default(),
        private: Acquired::default(),
    };
    reading.data_set(data, 0);
    derived::add(&mut reading.said, data);
    let Reading {
        mut said, private, ..
    } = reading;
    // What the standard elements say, the private ones need not.
    for (keyword, values) in private.values {
        said.values.entry(keyword).or_insert(values);
    }
    said
}

struct Reading {
    set: CharacterSet,
    said: Acquired,
    private: Acquired,
}

impl Reading {
    fn data_set(&mut self, data: &DataSet, depth: usize) {
        let mut any_private = false;
        for (tag, vr, value) in data.elements() {
            if tag.group() % 2 == 1 {
                any_private = true;
                continue;
            }
            if let Some(element) = elements::element(tag) {
                self.element(element, (tag, vr, value));
            }
            if let Value::Items(items) = value
                && depth < MAX_DEPTH
                && elements::within(tag)
            {
                items.iter().for_each(|item| self.data_set(item, depth + 1));
            }
        }
        if any_private {
            private::add(&mut self.private, data);
        }
    }

    fn element(&mut self, element: Element, (tag, vr, value): (Tag, VR, &Value)) {
        let parameter = element.parameter;
        match (parameter.kind, value) {
            (Kind::Number(_), Value::Bytes(bytes)) if vr != VR::AS => {
                for number in numbers(vr, bytes).into_iter().take(MAX_VALUES) {
                    number_of(&mut self.said, element, number);
                }
            }
            (Kind::Text, Value::Bytes(bytes)) => self.text(parameter, (tag, vr, bytes)),
            (Kind::Code, Value::Items(items)) => {
                for item in items.iter().take(MAX_VALUES) {
                    self.concept(parameter, item);
                }
            }
            (Kind::Code, Value::Bytes(bytes)) => {
                let word = String::from_utf8_lossy(bytes);
                self.code(parameter, anatomy::side(word.trim_matches([' ', '\0'])));
            }
            _ => {}
        }
    }

    fn text(&mut self, parameter: &'static Parameter, (tag, vr, bytes): (Tag, VR, &[u8])) {
        // Most text is ASCII in every character set.
        let text = match std::str::from_utf8(bytes) {
            Ok(text) if text.is_ascii() && !bytes.contains(&0x1B) => Some(text.to_owned()),
            _ => self.set.decode(bytes),
        };
        let text = text.unwrap_or_default();
        let one = matches!(vr, VR::ST | VR::LT | VR::UT) || tag == tags::PATIENT_ORIENTATION;
        let separator = |c| c == '\\' && !one;
        for part in text.split(separator).take(MAX_VALUES) {
            let part = part.trim_matches([' ', '\0']);
            let part = match (parameter.keyword, part) {
                // Classic MR objects say COL, enhanced ones COLUMN.
                ("InPlanePhaseEncodingDirection", "COL") => "COLUMN",
                _ => part,
            };
            self.said.text(parameter, part);
        }
    }

    fn concept(&mut self, parameter: &'static Parameter, item: &DataSet) {
        if parameter.keyword != "bodyPart" {
            self.code(parameter, codes::concept(item, &self.set));
            return;
        }
        self.code(parameter, codes::region(item, &self.set));
        if let Some(laterality) = derived::parameter("laterality") {
            for modifier in item
                .items(tags::ANATOMIC_REGION_MODIFIER_SEQUENCE)
                .iter()
                .take(4)
            {
                self.code(laterality, codes::side(modifier, &self.set));
            }
        }
    }

    fn code(&mut self, parameter: &'static Parameter, code: Option<Code>) {
        if let Some(code) = code {
            self.said.word(parameter, &Said::Code(code));
        }
    }
}

/// Keeps a number in the parameter's unit.
pub(super) fn number_of(acquired: &mut Acquired, element: Element, number: f64) {
    let parameter = element.parameter;
    let number = match parameter.keyword {
        "fieldStrength" => derived::tesla(number),
        "RadionuclideTotalDose" => derived::megabecquerel(number),
        _ => scaled(number, element.factor),
    };
    if number.is_finite() && elements::says_something(parameter, number) {
        acquired.number(parameter, number);
    }
}

/// A number in another unit.
pub(super) fn scaled(number: f64, factor: f64) -> f64 {
    match factor {
        1.0 => number,
        _ => rounded(number * factor),
    }
}

/// Without the digits that only binary arithmetic adds.
pub(super) fn rounded(number: f64) -> f64 {
    format!("{number:.9e}").parse().unwrap_or(number)
}

/// The numbers of an element; those of single precision with the digits that were meant, 0.1 and
/// not 0.10000000149011612.
pub(super) fn numbers(vr: VR, bytes: &[u8]) -> Vec<f64> {
    let mut numbers = walk::numbers(vr, bytes);
    if matches!(vr, VR::FL | VR::OF) {
        for number in &mut numbers {
            let meant = (*number as f32).to_string().parse();
            *number = meant.unwrap_or(*number);
        }
    }
    numbers
}
