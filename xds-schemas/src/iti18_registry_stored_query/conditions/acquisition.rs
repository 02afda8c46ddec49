//! What an acquisition parameter of a series has to be.

use std::fmt;
use std::str::FromStr;

use super::{Operator, Test, Wanted, code, nothing, numbers, word, write_test};
use crate::imaging::acquisition::{self, Kind, Parameter};
use crate::imaging::unit::Unit;
use crate::iti18_registry_stored_query::filter::Pattern;

/// `Keyword comparison value unit`: numbers are in the parameter's own unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquisitionCondition {
    /// The parameter.
    pub keyword: &'static str,
    /// What its values have to be.
    pub test: Test,
}

impl FromStr for AcquisitionCondition {
    type Err = String;

    /// Says what is wrong, in words that quote nothing of the text.
    fn from_str(text: &str) -> Result<Self, String> {
        let (keyword, rest) = word(text);
        let parameter = acquisition::parameter(keyword).ok_or_else(|| unknown(keyword))?;
        let (operator, rest) = word(rest);
        let operator = Operator::parse(operator)?;
        let test = match operator {
            Operator::Present => nothing(rest).map(|()| Test::Present)?,
            Operator::Absent => nothing(rest).map(|()| Test::Absent)?,
            operator => compared(parameter, operator, rest)?,
        };
        Ok(Self {
            keyword: parameter.keyword,
            test,
        })
    }
}

impl AcquisitionCondition {
    /// Whether the parameter's values are numbers.
    pub fn is_of_number(&self) -> bool {
        let parameter = acquisition::parameter(self.keyword);
        parameter.is_some_and(|parameter| matches!(parameter.kind, Kind::Number(_)))
    }
}

fn compared(parameter: &Parameter, operator: Operator, text: &str) -> Result<Test, String> {
    let keyword = parameter.keyword;
    let is_text = !matches!(parameter.kind, Kind::Number(_));
    if is_text && operator.is_of_numbers() {
        return Err(format!("the values of {keyword} are no numbers"));
    }
    let pattern = match (parameter.kind, operator) {
        (Kind::Number(unit), operator) => return measured(keyword, unit, operator, text),
        (_, _) if text.is_empty() => {
            return Err(format!(
                "{keyword}: a value is missing behind the comparison"
            ));
        }
        (Kind::Text, Operator::Like) => Pattern::like(text),
        (Kind::Text, _) => Pattern::exact(text),
        (Kind::Code, Operator::Like) => {
            return Err(format!("the values of {keyword} are codes: eq or ne"));
        }
        (Kind::Code, _) => Pattern::exact(code(text)?),
    };
    let wanted = Wanted::Text(pattern);
    Ok(match operator {
        Operator::Unequal => Test::IsNot(wanted),
        _ => Test::Is(wanted),
    })
}

/// A comparison of numbers, in the unit of the parameter.
fn measured(keyword: &str, own: &str, operator: Operator, text: &str) -> Result<Test, String> {
    let (test, unit) = numbers(operator, text).map_err(|why| format!("{keyword}: {why}"))?;
    if unit == own || (unit.is_empty() && own == "1") {
        return Ok(test);
    }
    if unit.is_empty() {
        return Err(format!(
            "{keyword}: its unit is missing; values are in {own}"
        ));
    }
    let factor = Unit::parse(unit)
        .zip(Unit::parse(own))
        .and_then(|(unit, own)| unit.factor_to(&own));
    let factor = factor
        .ok_or_else(|| format!("{keyword} is not measured in this unit; values are in {own}"))?;
    Ok(match test {
        Test::Is(Wanted::Number(range)) => Test::Is(Wanted::Number(range.times(factor))),
        Test::IsNot(Wanted::Number(range)) => Test::IsNot(Wanted::Number(range.times(factor))),
        other => other,
    })
}

fn unknown(keyword: &str) -> String {
    let nearest = nearest(keyword);
    let nearest = nearest.map_or_else(String::new, |it| format!("; the nearest one is {it}"));
    format!("it names no acquisition parameter{nearest}")
}

/// The keyword with the fewest differences.
fn nearest(keyword: &str) -> Option<&'static str> {
    let keyword: String = keyword.chars().take(64).collect();
    acquisition::parameters()
        .map(|parameter| parameter.keyword)
        .min_by_key(|known| differences(&keyword.to_lowercase(), &known.to_lowercase()))
}

/// How many characters have to be inserted, removed or replaced.
fn differences(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, character) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, wanted) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(*wanted != character);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

impl fmt::Display for AcquisitionCondition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ", self.keyword)?;
        let unit = acquisition::parameter(self.keyword).map(|parameter| parameter.kind);
        let unit = match unit {
            Some(Kind::Number(unit)) => unit,
            _ => "",
        };
        write_test(&self.test, unit, formatter)
    }
}
