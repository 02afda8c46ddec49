//! Code: a value of a coding scheme (ITI TF-3 4.2.3.1.2).

use super::Extra;
use crate::ebrim::InternationalString;

/// A coded value. Two codes mean the same if code and scheme agree, whatever they are displayed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The code.
    pub code: String,
    /// `codingScheme`.
    pub scheme: String,
    /// The display name, in any number of languages.
    pub display: InternationalString,
    /// The UUID of the classification. Empty unless the sender gave one; writing makes one then.
    pub id: String,
    /// Everything else in the classification.
    pub extra: Extra,
}

impl Code {
    /// A code with one display name.
    pub fn new(
        code: impl Into<String>,
        scheme: impl Into<String>,
        display: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            scheme: scheme.into(),
            display: InternationalString::of(display),
            id: String::new(),
            extra: Extra::default(),
        }
    }

    /// Whether both mean the same.
    pub fn means(&self, other: &Self) -> bool {
        self.code == other.code && self.scheme == other.scheme
    }
}
