//! The different values of one parameter, of which there are few.

use std::collections::BTreeSet;

use xds_schemas::imaging::acquisition::{CUT, Kind, Parameter, Value};

/// Different values of a parameter in a series. A series with several b-values, echo times or
/// bed positions stays below; one with a tube current for each slice does not.
const MAX_DIFFERENT: usize = 16;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Values {
    /// In ascending order; the smallest and the largest if there were too many.
    Numbers { each: Vec<f64>, too_many: bool },
    /// Texts or codes, as they are written in slots.
    Words {
        each: BTreeSet<String>,
        too_many: bool,
    },
}

impl Values {
    pub(super) const fn numbers() -> Self {
        Self::Numbers {
            each: Vec::new(),
            too_many: false,
        }
    }

    pub(super) const fn words() -> Self {
        Self::Words {
            each: BTreeSet::new(),
            too_many: false,
        }
    }

    pub(super) fn number(&mut self, number: f64) {
        let Self::Numbers { each, too_many } = self else {
            return;
        };
        // So that zero is one value.
        let number = if number == 0.0 { 0.0 } else { number };
        if let Err(at) = each.binary_search_by(|known| known.total_cmp(&number)) {
            each.insert(at, number);
        }
        *too_many |= each.len() > MAX_DIFFERENT;
        if *too_many && each.len() > 2 {
            each.drain(1..each.len() - 1);
        }
    }

    pub(super) fn word(&mut self, word: String) {
        let Self::Words { each, too_many } = self else {
            return;
        };
        each.insert(word);
        if each.len() > MAX_DIFFERENT {
            each.pop_last();
            *too_many = true;
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        match other {
            Self::Numbers { each, .. } => each.iter().for_each(|number| self.number(*number)),
            Self::Words { each, .. } => each.iter().for_each(|word| self.word(word.clone())),
        }
        match (self, other) {
            (Self::Numbers { each, too_many }, Self::Numbers { too_many: true, .. }) => {
                *too_many = true;
                if each.len() > 2 {
                    each.drain(1..each.len() - 1);
                }
            }
            (Self::Words { too_many, .. }, Self::Words { too_many: true, .. }) => *too_many = true,
            _ => {}
        }
    }

    /// As values of the parameter; cut texts have [`CUT`] at the end.
    pub(super) fn of(&self, parameter: &Parameter) -> Vec<Value> {
        match self {
            Self::Numbers { each, .. } => each.iter().copied().map(Value::Number).collect(),
            Self::Words { each, too_many } => {
                let words = each.iter().filter_map(|word| parameter.read(word));
                let cut = *too_many && parameter.kind == Kind::Text;
                let mark = cut.then(|| Value::Text(CUT.to_owned()));
                words.chain(mark).collect()
            }
        }
    }

    /// As texts; of too many, [`CUT`] stands first.
    pub(super) fn written(&self, parameter: &Parameter) -> Vec<String> {
        let (each, too_many): (Vec<_>, _) = match self {
            Self::Numbers { each, too_many } => {
                let numbers = each.iter().map(|number| Value::Number(*number));
                let written = numbers.filter_map(|number| parameter.write(&number));
                (written.collect(), *too_many)
            }
            Self::Words { each, too_many } => (each.iter().cloned().collect(), *too_many),
        };
        let mark = too_many.then(|| CUT.to_owned());
        mark.into_iter().chain(each).collect()
    }

    /// Reads what [`written`](Self::written) wrote; `None` if nothing of it is understood.
    pub(super) fn read(parameter: &Parameter, written: &[String]) -> Option<Self> {
        let mut values = match parameter.kind {
            Kind::Number(_) => Self::numbers(),
            _ => Self::words(),
        };
        let cut = written.first().is_some_and(|first| first == CUT);
        for text in &written[usize::from(cut)..] {
            match parameter.read(text) {
                Some(Value::Number(number)) => values.number(number),
                Some(_) => values.word(text.clone()),
                None => {}
            }
        }
        let (Self::Numbers { too_many, .. } | Self::Words { too_many, .. }) = &mut values;
        *too_many |= cut;
        values.is_some().then_some(values)
    }

    fn is_some(&self) -> bool {
        match self {
            Self::Numbers { each, .. } => !each.is_empty(),
            Self::Words { each, .. } => !each.is_empty(),
        }
    }
}
