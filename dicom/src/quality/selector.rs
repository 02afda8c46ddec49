//! Which instances a rule, or a card, is about.

use regex::Regex;

use super::attribute::{Attribute, Held};
use super::condition::{self, Condition};
use super::facts::InstanceFacts;
use super::reader::{CardError, Section};
use super::words;

/// The keys of a selector.
pub(super) const KEYS: [&str; 5] = [
    "modality",
    "sop_class",
    "patient_id",
    "description",
    "where",
];

/// An instance is meant if everything that is said here holds. A selector that says nothing means all.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    modality: Vec<String>,
    sop_class: Vec<String>,
    patient_id: Option<Regex>,
    description: Option<Regex>,
    attributes: Vec<(Attribute, Condition)>,
}

impl Selector {
    /// Reads the keys of a selector that stand in a section among others.
    pub(super) fn read(section: &Section<'_>) -> Result<Self, CardError> {
        let classes = section.list("sop_class")?.into_iter();
        let classes = classes.map(|word| {
            let class = words::sop_class(&word);
            class.map_err(|message| section.error_of("sop_class", message))
        });
        let attributes = section.sections("where")?;
        let attributes = attributes.iter().map(|section| {
            section.only(&[&["attribute"], &condition::KEYS])?;
            let condition = Condition::read(section)?;
            if condition.is_empty() {
                return Err(section.error("nothing is wanted of the attribute"));
            }
            Ok((attribute(section, "attribute")?, condition))
        });
        Ok(Self {
            modality: section.list("modality")?,
            sop_class: classes.collect::<Result<_, _>>()?,
            patient_id: section.pattern("patient_id")?,
            description: section.pattern("description")?,
            attributes: attributes.collect::<Result<_, _>>()?,
        })
    }

    /// As [`read`](Self::read), in a table of its own.
    pub(super) fn read_in(section: &Section<'_>, key: &str) -> Result<Self, CardError> {
        match section.section(key)? {
            Some(section) => {
                section.only(&[&KEYS])?;
                Self::read(&section)
            }
            None => Ok(Self::default()),
        }
    }

    /// Whether it chooses nothing, and so means all.
    pub(super) fn is_empty(&self) -> bool {
        self.modality.is_empty()
            && self.sop_class.is_empty()
            && self.patient_id.is_none()
            && self.description.is_none()
            && self.attributes.is_empty()
    }

    /// The attributes by which it chooses.
    pub(super) fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes.iter().map(|(attribute, _)| attribute)
    }

    pub(super) fn means(&self, facts: &InstanceFacts) -> bool {
        let is_in = |list: &[String], value: &str| {
            list.is_empty() || list.iter().any(|wanted| wanted == value)
        };
        let fits = |pattern: &Option<Regex>, value: &Option<String>| {
            let text = value.as_deref().unwrap_or_default();
            pattern
                .as_ref()
                .is_none_or(|pattern| pattern.is_match(text))
        };
        is_in(
            &self.modality,
            facts.modality.as_deref().unwrap_or_default(),
        ) && is_in(&self.sop_class, facts.sop_class_uid.as_str())
            && fits(&self.patient_id, &facts.patient_id)
            && fits(&self.description, &facts.series_description)
            && self.attributes.iter().all(|(attribute, condition)| {
                let held = facts.held(attribute);
                condition.holds(held.as_ref().unwrap_or(&Held::Absent))
            })
    }

    /// For people.
    pub(super) fn title(&self) -> String {
        let mut words = self.modality.join(" or ");
        if !self.sop_class.is_empty() {
            let classes = self.sop_class.iter().map(|uid| words::uid_name(uid));
            let classes: Vec<_> = classes.collect();
            words = [words, classes.join(" or ")].join(" ");
        }
        if let Some(pattern) = &self.description {
            words = format!(
                "{words} series whose description matches {}",
                pattern.as_str()
            );
        }
        for (attribute, _) in &self.attributes {
            words = format!("{words}, chosen by {}", attribute.title());
        }
        let words = words.trim().trim_start_matches(", ").to_owned();
        if words.is_empty() {
            "any series".to_owned()
        } else {
            words
        }
    }
}

/// The attribute that a key names.
pub(super) fn attribute(section: &Section<'_>, key: &str) -> Result<Attribute, CardError> {
    let text = section.required(key)?;
    Attribute::parse(&text).map_err(|message| section.error_of(key, message))
}

/// The attributes that a key lists.
pub(super) fn attributes(section: &Section<'_>, key: &str) -> Result<Vec<Attribute>, CardError> {
    let list = section.list(key)?.into_iter();
    let parse =
        |text: String| Attribute::parse(&text).map_err(|message| section.error_of(key, message));
    list.map(parse).collect()
}
