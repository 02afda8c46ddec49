//! What a measured value has to be.

use std::fmt;
use std::str::FromStr;

use super::{Operator, Range, Test, Wanted, code, nothing, numbers, word, write_test};
use crate::imaging::unit::Unit;
use crate::iti18_registry_stored_query::filter::Pattern;

/// `CODE^^SCHEME comparison value unit; name value; …`: all of it is about one measured value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeasurementCondition {
    /// What was measured. Codes are written `code^^scheme` here.
    pub concept: String,
    /// How much it is, or what it was judged to be; anything if it is not said.
    pub value: Option<Test>,
    /// In which unit of UCUM the numbers are; `1` if they have none.
    pub unit: String,
    /// What was found there.
    pub finding: Option<String>,
    /// Where.
    pub site: Option<String>,
    /// On which side.
    pub laterality: Option<String>,
    /// How it was measured.
    pub method: Option<String>,
    /// Mean, maximum, standard deviation.
    pub derivation: Option<String>,
    /// The name of the program that measured it, with wildcards.
    pub algorithm: Option<Pattern>,
    /// Tracking Identifier or Tracking Unique Identifier.
    pub tracking: Option<String>,
    /// The Series Instance UID of what it was measured on.
    pub series: Option<String>,
}

impl FromStr for MeasurementCondition {
    type Err = String;

    /// Says what is wrong, in words that quote nothing of the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut clauses = text.split(';').map(str::trim);
        let (concept, rest) = word(clauses.next().unwrap_or_default());
        let concept = code(concept).map_err(|why| format!("it begins with a concept: {why}"))?;
        let mut condition = Self {
            concept,
            unit: "1".to_owned(),
            ..Self::default()
        };
        condition.compare(rest)?;
        for clause in clauses.filter(|clause| !clause.is_empty()) {
            condition.add(clause)?;
        }
        Ok(condition)
    }
}

impl MeasurementCondition {
    /// The range of its value in the base unit of its dimension, if it is asked for by number.
    pub fn range(&self) -> Option<Range> {
        let Some(Test::Is(Wanted::Number(range)) | Test::IsNot(Wanted::Number(range))) =
            &self.value
        else {
            return None;
        };
        let factor = Unit::parse(&self.unit).map_or(1.0, |unit| unit.factor());
        Some(range.times(factor))
    }

    fn compare(&mut self, text: &str) -> Result<(), String> {
        let (operator, rest) = word(text);
        if operator.is_empty() {
            return Ok(());
        }
        self.value = match Operator::parse(operator)? {
            Operator::Present => nothing(rest).map(|()| None)?,
            Operator::Absent | Operator::Like => {
                return Err(
                    "a measured value is compared by eq, ne, lt, le, gt, ge, between or \
                            present"
                        .to_owned(),
                );
            }
            operator @ (Operator::Equal | Operator::Unequal) if rest.contains("^^") => {
                let wanted = Wanted::Text(Pattern::exact(code(rest)?));
                Some(match operator {
                    Operator::Unequal => Test::IsNot(wanted),
                    _ => Test::Is(wanted),
                })
            }
            operator => {
                let (test, unit) = numbers(operator, rest)?;
                if !unit.is_empty() {
                    let known = Unit::parse(unit).map(|_| unit.to_owned());
                    self.unit = known.ok_or("its unit is none of UCUM that is known here")?;
                }
                Some(test)
            }
        };
        Ok(())
    }

    fn add(&mut self, clause: &str) -> Result<(), String> {
        let (name, value) = word(clause);
        if value.is_empty() {
            return Err("behind a semicolon stand a name and a value".to_owned());
        }
        let field = match name {
            "finding" => &mut self.finding,
            "site" => &mut self.site,
            "laterality" => &mut self.laterality,
            "method" => &mut self.method,
            "derivation" => &mut self.derivation,
            "algorithm" => {
                let pattern = Pattern::like(value);
                return once(self.algorithm.replace(pattern).is_none());
            }
            "tracking" => return once(self.tracking.replace(value.to_owned()).is_none()),
            "series" => return once(self.series.replace(value.to_owned()).is_none()),
            _ => {
                return Err(
                    "behind a semicolon stands finding, site, laterality, method, \
                            derivation, algorithm, tracking or series"
                        .to_owned(),
                );
            }
        };
        once(field.replace(code(value)?).is_none())
    }
}

fn once(is_first: bool) -> Result<(), String> {
    match is_first {
        true => Ok(()),
        false => Err("it says the same thing twice".to_owned()),
    }
}

impl fmt::Display for MeasurementCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.concept)?;
        if let Some(value) = &self.value {
            formatter.write_str(" ")?;
            write_test(value, &self.unit, formatter)?;
        }
        let algorithm = self.algorithm.as_ref().map(Pattern::as_str);
        for (name, value) in [
            ("finding", self.finding.as_deref()),
            ("site", self.site.as_deref()),
            ("laterality", self.laterality.as_deref()),
            ("method", self.method.as_deref()),
            ("derivation", self.derivation.as_deref()),
            ("algorithm", algorithm),
            ("tracking", self.tracking.as_deref()),
            ("series", self.series.as_deref()),
        ] {
            if let Some(value) = value {
                write!(formatter, "; {name} {value}")?;
            }
        }
        Ok(())
    }
}
