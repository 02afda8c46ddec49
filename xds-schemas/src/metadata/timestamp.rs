//! DTM: a moment in UTC, as precisely as it is known (ITI TF-3 Table 4.2.3.1.7-2).

/// `YYYY[MM[DD[hh[mm[ss]]]]]` in UTC: the digits, which were checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Timestamp(pub(crate) String);

impl Timestamp {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
