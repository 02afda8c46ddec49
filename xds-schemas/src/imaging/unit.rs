//! Units of UCUM, as far as imaging has them: which of them measure the same, and by how much they
//! differ.
//!
//! Units are read by their grammar, so that `mGy.cm`, `cm.mGy` and `Gy.m` are units of one
//! dimension. Units whose zero is elsewhere (degrees Fahrenheit) and logarithmic ones are not known.
//! <https://ucum.org/ucum>

use std::fmt::Write;

#[cfg(test)]
mod tests;

/// What other units are made of. Gray, sievert and becquerel stand for themselves, since dose,
/// dose equivalent and activity are not compared with each other nor with frequencies.
const BASES: [&str; 12] = [
    "m", "s", "g", "A", "mol", "rad", "Gy", "Sv", "Bq", "Cel", "[hnsf'U]", "[iU]",
];

const PREFIXES: [(&str, f64); 14] = [
    ("da", 1e1),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("h", 1e2),
    ("d", 1e-1),
    ("c", 1e-2),
    ("m", 1e-3),
    ("u", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
    ("a", 1e-18),
];

/// Units by others, whether they take prefixes, and how many of the other they are.
const DERIVED: [(&str, bool, f64, &str); 27] = [
    ("L", true, 1e-3, "m3"),
    ("l", true, 1e-3, "m3"),
    ("Hz", true, 1.0, "s-1"),
    ("N", true, 1e3, "g.m.s-2"),
    ("Pa", true, 1e3, "g.m-1.s-2"),
    ("J", true, 1e3, "g.m2.s-2"),
    ("W", true, 1e3, "g.m2.s-3"),
    ("C", true, 1.0, "A.s"),
    ("V", true, 1e3, "g.m2.s-3.A-1"),
    ("Ohm", true, 1e3, "g.m2.s-3.A-2"),
    ("T", true, 1e3, "g.s-2.A-1"),
    ("eV", true, 1.602_176_634e-16, "g.m2.s-2"),
    ("Ci", true, 3.7e10, "Bq"),
    ("G", true, 1e-1, "g.s-2.A-1"),
    ("bar", true, 1e8, "g.m-1.s-2"),
    ("m[Hg]", true, 133_322_387.415, "g.m-1.s-2"),
    ("min", false, 60.0, "s"),
    ("h", false, 3600.0, "s"),
    ("d", false, 86_400.0, "s"),
    ("wk", false, 604_800.0, "s"),
    ("a", false, 31_557_600.0, "s"),
    ("deg", false, std::f64::consts::PI / 180.0, "rad"),
    ("[in_i]", false, 0.0254, "m"),
    ("%", false, 1e-2, "1"),
    ("[ppm]", false, 1e-6, "1"),
    ("10*", false, 10.0, "1"),
    ("10^", false, 10.0, "1"),
];

/// Units that follow each other in one; and groups in groups.
const MOST_TERMS: usize = 16;
const DEEPEST: usize = 4;
/// Nobody measures in higher powers.
const HIGHEST: i32 = 64;

/// A unit that is understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    factor: f64,
    exponents: [i32; BASES.len()],
    /// What stands in braces: it makes no other unit, but may say what is counted.
    annotation: String,
}

impl Unit {
    /// No unit: numbers.
    fn one() -> Self {
        Self {
            factor: 1.0,
            exponents: [0; BASES.len()],
            annotation: String::new(),
        }
    }

    /// The unit that is written so, case-sensitive.
    pub fn parse(text: &str) -> Option<Self> {
        let mut terms = 0;
        let unit = term(text, 0, &mut terms)?;
        (unit.factor.is_finite() && unit.factor > 0.0).then_some(unit)
    }

    /// What a value in this unit has to be multiplied with, to be one in the other; none if they
    /// do not measure the same.
    pub fn factor_to(&self, other: &Self) -> Option<f64> {
        (self.exponents == other.exponents).then(|| self.factor / other.factor)
    }

    /// How many of the base unit of its dimension it is.
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// What it measures: the base units. The same for all units that can be converted into each
    /// other; empty for numbers.
    pub fn dimension(&self) -> String {
        let mut text = String::new();
        for (base, exponent) in BASES.iter().zip(self.exponents) {
            if exponent != 0 {
                _ = write!(text, "{base}{exponent}");
            }
        }
        text
    }

    /// What stands in braces, such as `SUVbw`.
    pub fn annotation(&self) -> &str {
        &self.annotation
    }

    fn times(mut self, other: &Self, power: i32) -> Option<Self> {
        self.factor *= other.factor.powi(power);
        for (own, more) in self.exponents.iter_mut().zip(other.exponents) {
            *own += more * power;
            if own.abs() > HIGHEST {
                return None;
            }
        }
        self.annotation.push_str(&other.annotation);
        Some(self)
    }
}

/// Units between points and slashes.
fn term(text: &str, depth: usize, terms: &mut usize) -> Option<Unit> {
    let mut unit = Unit::one();
    let mut rest = text;
    let mut sign = 1;
    if let Some(behind) = rest.strip_prefix('/') {
        (rest, sign) = (behind, -1);
    }
    loop {
        *terms += 1;
        if *terms > MOST_TERMS {
            return None;
        }
        let (one, behind) = component(rest, depth, terms)?;
        unit = unit.times(&one, sign)?;
        let mut left = behind.chars();
        sign = match left.next() {
            None => return Some(unit),
            Some('.') => 1,
            Some('/') => -1,
            Some(_) => return None,
        };
        rest = left.as_str();
    }
}

/// One unit with its exponent and annotation, and what stands behind it.
fn component<'t>(text: &'t str, depth: usize, terms: &mut usize) -> Option<(Unit, &'t str)> {
    if let Some(inside) = text.strip_prefix('(') {
        if depth == DEEPEST {
            return None;
        }
        let mut open = 1;
        let end = inside.char_indices().find(|(_, character)| {
            open += match character {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            open == 0
        })?;
        let group = term(&inside[..end.0], depth + 1, terms)?;
        return powered(group, &inside[end.0 + 1..]);
    }
    let mut bracket = false;
    let end = text.find(|character| match character {
        '[' | ']' => {
            bracket = character == '[';
            false
        }
        '.' | '/' | '(' | ')' | '{' => !bracket,
        _ => false,
    });
    let (symbol, rest) = text.split_at(end.unwrap_or(text.len()));
    if symbol.is_empty() {
        // An annotation alone is a number of what it says; DICOM writes {SUVbw}g/ml (CID 85).
        let (unit, rest) = rest
            .strip_prefix('{')
            .and_then(|_| annotated(Unit::one(), rest))?;
        return match rest.starts_with(|it: char| it.is_ascii_alphabetic()) {
            true => {
                let (other, rest) = component(rest, depth, terms)?;
                Some((unit.times(&other, 1)?, rest))
            }
            false => Some((unit, rest)),
        };
    }
    if symbol.bytes().all(|it| it.is_ascii_digit()) {
        let factor = symbol.parse().ok()?;
        let number = Unit {
            factor,
            ..Unit::one()
        };
        return annotated(number, rest);
    }
    let (symbol, exponent) = split_exponent(symbol);
    let (unit, _) = powered(atom(symbol)?, exponent)?;
    annotated(unit, rest)
}

/// A unit to the power that stands behind it.
fn powered(unit: Unit, text: &str) -> Option<(Unit, &str)> {
    let end = text.find(|it: char| !it.is_ascii_digit() && !matches!(it, '+' | '-'));
    let (exponent, rest) = text.split_at(end.unwrap_or(text.len()));
    let exponent = match exponent {
        "" => 1,
        digits => digits.parse().ok().filter(|it: &i32| it.abs() <= HIGHEST)?,
    };
    Some((Unit::one().times(&unit, exponent)?, rest))
}

fn annotated(mut unit: Unit, text: &str) -> Option<(Unit, &str)> {
    let Some(inside) = text.strip_prefix('{') else {
        return Some((unit, text));
    };
    let (annotation, rest) = inside.split_once('}')?;
    unit.annotation.push_str(annotation);
    Some((unit, rest))
}

/// The digits at the end, with their sign.
fn split_exponent(symbol: &str) -> (&str, &str) {
    let letters = symbol.trim_end_matches(|it: char| it.is_ascii_digit());
    if letters.len() == symbol.len() {
        return (symbol, "");
    }
    let letters = letters.strip_suffix(['+', '-']).unwrap_or(letters);
    symbol.split_at(letters.len())
}

fn atom(symbol: &str) -> Option<Unit> {
    if let Some(unit) = plain(symbol, false) {
        return Some(unit);
    }
    PREFIXES.iter().find_map(|(prefix, factor)| {
        let mut unit = plain(symbol.strip_prefix(prefix)?, true)?;
        unit.factor *= factor;
        Some(unit)
    })
}

/// A unit without a prefix; only those that take one, if one has been taken off.
fn plain(symbol: &str, prefixed: bool) -> Option<Unit> {
    if let Some(at) = BASES.iter().position(|base| *base == symbol) {
        let mut unit = Unit::one();
        unit.exponents[at] = 1;
        return (!prefixed || !symbol.starts_with('[')).then_some(unit);
    }
    let derived = DERIVED.iter().find(|it| it.0 == symbol);
    let (_, _, factor, of) = derived.filter(|(_, metric, ..)| *metric || !prefixed)?;
    let mut unit = match *of {
        "1" => Unit::one(),
        of => term(of, DEEPEST, &mut 0)?,
    };
    unit.factor *= factor;
    Some(unit)
}
