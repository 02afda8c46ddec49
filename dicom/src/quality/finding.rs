//! What a judge finds, and the verdict.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::reader::{CardError, Section};
use crate::uid::Uid;

/// A verdict has at most this many reasons.
const MAX_REASONS: usize = 500;
/// A reason names at most this many instances by UID, and this many values.
const MAX_EXAMPLES: usize = 10;

/// What is done about something that is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The images are taken, and somebody is told.
    Warn,
    /// The images are kept apart until somebody releases them.
    Quarantine,
}

/// What becomes of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All is as it should be.
    Pass,
    /// Taken, with something to tell.
    Warn,
    /// Kept apart.
    Quarantine,
}

/// Where something was found. Of a whole study, nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Series Instance UID.
    pub series_instance_uid: Option<Uid>,
    /// Series Number.
    pub series_number: Option<i64>,
    /// Instance Numbers, ascending, each once.
    pub instance_numbers: Vec<i64>,
    /// SOP Instance UIDs: the first few.
    pub sop_instance_uids: Vec<Uid>,
    /// How many instances; none if it is about the series or study.
    pub instances: usize,
}

/// Something that is not as a card wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule: its kind and what it is about, such as `range of SliceThickness`.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What should be, such as `at most 2.5`.
    pub expected: String,
    /// What is; empty if nothing is, or if it might identify a patient.
    pub found: Vec<String>,
    /// The card's own words, or what was expected and found and where it is set, as sentences.
    pub message: String,
}

/// What a card makes of a study.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Name of the card.
    pub card: String,
    /// Version of the card.
    pub version: String,
    /// What becomes of the images.
    pub outcome: Outcome,
    /// Why: the worst first, then by series. What was found alike in many instances of a series is
    /// one reason.
    pub reasons: Vec<Finding>,
    /// How many reasons there are beyond those that are listed.
    #[serde(default)]
    pub unlisted: usize,
}

/// The keys by which a rule says how it speaks.
pub(super) const MANNER: [&str; 3] = ["severity", "message", "set_at"];

/// How a rule speaks when it is broken.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    severity: Severity,
    /// In place of what would be said otherwise.
    message: Option<String>,
    /// Where the value is set, in place of what is usual.
    set_at: Option<String>,
}

impl Manner {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        Ok(Self {
            severity: section.severity()?,
            message: section.string("message")?,
            set_at: section.string("set_at")?,
        })
    }

    /// `says` tells what is and what should be, as sentences; `where_set` where to put it right.
    pub(super) fn finding(
        &self,
        rule: impl Into<String>,
        place: Place,
        expected: impl Into<String>,
        says: impl Into<String>,
        where_set: &str,
    ) -> Finding {
        let where_set = match &self.set_at {
            Some(place) => format!("It is set at: {place}."),
            None => where_set.to_owned(),
        };
        let usual = || format!("{} {where_set}", says.into()).trim_end().to_owned();
        Finding {
            rule: rule.into(),
            severity: self.severity,
            place,
            expected: expected.into(),
            found: Vec::new(),
            message: self.message.clone().unwrap_or_else(usual),
        }
    }
}

impl Verdict {
    /// Sums up.
    pub(super) fn of(
        card: &str,
        version: &str,
        findings: impl IntoIterator<Item = Finding>,
    ) -> Self {
        let mut reasons: Vec<Finding> = Vec::new();
        let mut at = std::collections::HashMap::new();
        for finding in findings {
            let of_series = finding.place.series_instance_uid.clone();
            let alike = (
                finding.rule.clone(),
                finding.severity,
                of_series,
                finding.expected.clone(),
            );
            match at.get(&alike) {
                Some(&known) => Finding::absorb(&mut reasons[known], finding),
                None => {
                    at.insert(alike, reasons.len());
                    reasons.push(finding);
                }
            }
        }
        let outcome = reasons.iter().map(|reason| match reason.severity {
            Severity::Warn => Outcome::Warn,
            Severity::Quarantine => Outcome::Quarantine,
        });
        let outcome = outcome.max().unwrap_or(Outcome::Pass);
        reasons.sort_by_key(|reason| {
            let series = reason.place.series_number;
            (std::cmp::Reverse(reason.severity), series)
        });
        let unlisted = reasons.len().saturating_sub(MAX_REASONS);
        reasons.truncate(MAX_REASONS);
        Self {
            card: card.to_owned(),
            version: version.to_owned(),
            outcome,
            reasons,
            unlisted,
        }
    }
}

impl Finding {
    /// The same was found elsewhere in the series.
    fn absorb(&mut self, other: Self) {
        let place = &mut self.place;
        place.instances += other.place.instances;
        for number in other.place.instance_numbers {
            if let Err(at) = place.instance_numbers.binary_search(&number) {
                place.instance_numbers.insert(at, number);
            }
        }
        let room = MAX_EXAMPLES.saturating_sub(place.sop_instance_uids.len());
        let more = other.place.sop_instance_uids.into_iter().take(room);
        place.sop_instance_uids.extend(more);
        for value in other.found {
            if self.found.len() < MAX_EXAMPLES && !self.found.contains(&value) {
                self.found.push(value);
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.series_number, &self.series_instance_uid) {
            (Some(number), _) => write!(f, "Series {number}")?,
            (None, Some(_)) => f.write_str("A series without number")?,
            (None, None) => f.write_str("Study")?,
        }
        let unnumbered = self.instances.saturating_sub(self.instance_numbers.len());
        if !self.instance_numbers.is_empty() {
            let plural = if self.instance_numbers.len() == 1 {
                ""
            } else {
                "s"
            };
            write!(f, ", instance{plural} {}", ranges(&self.instance_numbers))?;
            if unnumbered > 0 {
                write!(f, " and {unnumbered} more")?;
            }
        } else if unnumbered > 0 {
            let plural = if unnumbered == 1 { "" } else { "s" };
            write!(f, ", {unnumbered} instance{plural} without number")?;
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        match self.found.get(1..) {
            None | Some([]) => Ok(()),
            Some(others) => write!(f, " (also {})", others.join(", ")),
        }
    }
}

/// `1-40, 43` of ascending numbers; long lists are cut.
pub(super) fn ranges(numbers: &[i64]) -> String {
    const MOST: usize = 12;
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(number) => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let run = |(first, last): &(i64, i64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let mut text: Vec<_> = runs.iter().take(MOST).map(run).collect();
    if runs.len() > MOST {
        text.push(format!("and others up to {}", runs[runs.len() - 1].1));
    }
    text.join(", ")
}
