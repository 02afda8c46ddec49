//! How much a query may ask for: each value is looked at for every object of a patient, or is one to be found.

use super::parameters::slot;

/// Slots that a query may have, known or not.
pub const MOST_SLOTS: usize = 1_000;
/// Values that all of them may have together.
pub const MOST_VALUES: usize = 10_000;
/// Values with wildcards among them, which take longer.
pub const MOST_PATTERNS: usize = 1_000;
/// Characters that a value may have; what it is compared with has at most 256 (ITI TF-3 4.2.3.1.1).
pub const MOST_CHARACTERS: usize = 1_024;

/// Parameters of which `%` and `_` stand for others.
const WITH_WILDCARDS: [&str; 6] = [
    slot::DE_AUTHOR,
    slot::NOT_DE_AUTHOR,
    slot::SS_AUTHOR,
    slot::REFERENCE_IDS,
    slot::NOT_REFERENCE_IDS,
    slot::SPECIMEN,
];

/// What may still be asked for.
#[derive(Debug)]
pub(super) struct Left {
    values: usize,
    patterns: usize,
}

impl Left {
    pub(super) const fn all() -> Self {
        Self {
            values: MOST_VALUES,
            patterns: MOST_PATTERNS,
        }
    }

    /// # Errors
    /// Why so many values are too much.
    pub(super) fn count(&mut self, values: usize) -> Result<(), String> {
        let left = self.values.checked_sub(values);
        self.values = left.ok_or(format!("it may have {MOST_VALUES} values in all"))?;
        Ok(())
    }

    /// # Errors
    /// Why these values are too much.
    pub(super) fn take(&mut self, name: &str, values: &[String]) -> Result<(), String> {
        let is_long = |value: &String| value.chars().nth(MOST_CHARACTERS).is_some();
        if values.iter().any(is_long) {
            return Err(format!("a value may have {MOST_CHARACTERS} characters"));
        }
        self.count(values.len())?;
        if !WITH_WILDCARDS.contains(&name) {
            return Ok(());
        }
        let patterns = values.iter().filter(|it| it.contains(['%', '_'])).count();
        let left = self.patterns.checked_sub(patterns);
        let problem = format!("it may have {MOST_PATTERNS} values with % and _ in all");
        self.patterns = left.ok_or(problem)?;
        Ok(())
    }
}
