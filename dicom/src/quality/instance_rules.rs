//! Rules that an instance keeps or breaks by itself.

use super::attribute::{Attribute, Held};
use super::card::meant;
use super::condition::{self, Condition};
use super::facts::InstanceFacts;
use super::finding::{Finding, MANNER, Manner};
use super::reader::{CardError, Section};
use super::selector::{Selector, attribute};
use super::words;
use crate::text::CharacterSet;
use crate::walk::Part10;

/// `[accept]`: what kinds of objects are taken, and how they may be encoded.
#[derive(Debug, Clone)]
pub(super) struct Accept {
    sop_classes: Vec<String>,
    transfer_syntaxes: Vec<String>,
    manner: Manner,
}

impl Accept {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        section.only(&[&["sop_classes", "transfer_syntaxes"], &MANNER])?;
        let all = |key: &str, known: fn(&str) -> Result<String, String>| {
            let words = section.list(key)?.into_iter();
            words
                .map(|word| known(&word).map_err(|message| section.error_of(key, message)))
                .collect::<Result<Vec<_>, _>>()
        };
        let accept = Self {
            sop_classes: all("sop_classes", words::sop_class)?,
            transfer_syntaxes: all("transfer_syntaxes", words::transfer_syntax)?,
            manner: Manner::read(section)?,
        };
        if accept.sop_classes.is_empty() && accept.transfer_syntaxes.is_empty() {
            return Err(section.error("accept: neither sop_classes nor transfer_syntaxes"));
        }
        Ok(accept)
    }

    pub(super) fn judge(&self, facts: &InstanceFacts) -> Vec<Finding> {
        let kinds = [
            (
                "accepted SOP classes",
                &self.sop_classes,
                facts.sop_class_uid.as_str(),
                "The object is of the kind",
                "Kinds of objects are chosen where images are sent: leave this one out.",
            ),
            (
                "accepted transfer syntaxes",
                &self.transfer_syntaxes,
                facts.transfer_syntax_uid.as_str(),
                "The object is encoded as",
                "It is set at the sending node, as its transfer syntax or compression.",
            ),
        ];
        let mut findings = Vec::new();
        for (rule, accepted, is, says, where_set) in kinds {
            if accepted.is_empty() || accepted.iter().any(|accepted| accepted == is) {
                continue;
            }
            let names: Vec<_> = accepted.iter().map(|uid| words::uid_name(uid)).collect();
            let expected = format!("one of {}", names.join(", "));
            let found = words::uid_name(is);
            let says = format!("{says} {found}; expected {expected}.");
            let place = facts.place();
            let finding = self.manner.finding(rule, place, expected, says, where_set);
            findings.push(Finding {
                found: vec![found],
                ..finding
            });
        }
        findings
    }
}

/// `[[attribute]]`: what one attribute should be.
#[derive(Debug, Clone)]
pub(super) struct AttributeRule {
    attribute: Attribute,
    meant: Selector,
    condition: Condition,
    manner: Manner,
}

impl AttributeRule {
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        section.only(&[
            &["name", "for", "equal_in", "tolerance"],
            &condition::KEYS,
            &MANNER,
        ])?;
        let rule = Self {
            attribute: attribute(section, "name")?,
            meant: meant(section)?,
            condition: Condition::read(section)?,
            manner: Manner::read(section)?,
        };
        if rule.condition.is_empty() && !section.has("equal_in") {
            return Err(section.error(format!(
                "nothing is wanted of {}: say one of {} or equal_in",
                rule.attribute,
                condition::KEYS.join(", ")
            )));
        }
        Ok(rule)
    }

    pub(super) fn selector(&self) -> &Selector {
        &self.meant
    }

    /// One finding at most for each thing that is wanted, however many items of a sequence break it.
    pub(super) fn judge(&self, file: &Part10, facts: &InstanceFacts) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        if !self.meant.means(facts) {
            return findings;
        }
        let set = CharacterSet::of(&file.data);
        for held in self.attribute.held(file, &set) {
            for unmet in self.condition.unmet(&held) {
                let rule = format!("{} of {}", unmet.kind, self.attribute);
                if findings.iter().any(|known| known.rule == rule) {
                    continue;
                }
                findings.push(self.finding(rule, &unmet.expected, &held, facts));
            }
        }
        findings
    }

    fn finding(&self, rule: String, expected: &str, held: &Held, facts: &InstanceFacts) -> Finding {
        let tag = self.attribute.tag();
        let title = self.attribute.title();
        let shown = match held {
            Held::Filled(vr, text) => words::shown(tag, *vr, text),
            Held::Absent | Held::Empty => None,
        };
        let says = match (held, expected, &shown) {
            (_, "absent", _) => format!("{title} is there and must not be."),
            (Held::Absent, ..) => format!("{title} is missing."),
            (Held::Empty, ..) => format!("{title} is empty."),
            (_, _, Some(value)) => format!("{title} is {value}; expected {expected}."),
            (_, _, None) => format!("{title} is not as expected: {expected}."),
        };
        let where_set = words::where_set(tag);
        let place = facts.place();
        let finding = self.manner.finding(rule, place, expected, says, where_set);
        Finding {
            found: shown.into_iter().collect(),
            ..finding
        }
    }
}
