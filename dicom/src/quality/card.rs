//! The card itself.

use super::attribute::Attribute;
use super::complete::Complete;
use super::facts::InstanceFacts;
use super::finding::{Finding, Verdict};
use super::instance_rules::{Accept, AttributeRule};
use super::reader::{CardError, Section, with_root};
use super::selector::Selector;
use super::stack::StackRule;
use super::study_rules::{self, Equal, SeriesRule};
use super::volume::{VolumeFacts, VolumeRule};
use crate::walk::Part10;

const KEYS: [&str; 9] = [
    "name",
    "version",
    "title",
    "applies_to",
    "accept",
    "complete",
    "attribute",
    "series",
    "stack",
];

/// What one collection wants of its images.
#[derive(Debug, Clone)]
pub struct RuleCard {
    /// Its name, by which verdicts refer to it.
    pub name: String,
    /// Its version: whoever changes a card changes this, so that verdicts tell by what they were made.
    pub version: String,
    /// What it is for people.
    pub title: String,
    applies_to: Selector,
    accept: Option<Accept>,
    complete: Option<Complete>,
    attributes: Vec<AttributeRule>,
    equal: Vec<Equal>,
    series: Vec<SeriesRule>,
    stacks: Vec<StackRule>,
    volumes: Vec<VolumeRule>,
    wanted: Vec<Attribute>,
}

impl RuleCard {
    /// Reads a card. Unknown keys are refused by name, as is whatever else is wrong.
    pub fn parse(text: &str) -> Result<Self, CardError> {
        with_root(text, Self::read)
    }

    fn read(root: &Section<'_>) -> Result<Self, CardError> {
        root.only(&[&KEYS, &["volume"]])?;
        let all = root.sections("attribute")?;
        let equal = all.iter().map(Equal::read);
        let equal: Vec<Option<Equal>> = equal.collect::<Result<_, _>>()?;
        let attributes = all.iter().map(AttributeRule::read);
        let mut card = Self {
            name: root.required("name")?,
            version: root.required("version")?,
            title: root.string("title")?.unwrap_or_default(),
            applies_to: Selector::read_in(root, "applies_to")?,
            accept: root
                .section("accept")?
                .map(|it| Accept::read(&it))
                .transpose()?,
            complete: root
                .section("complete")?
                .map(|it| Complete::read(&it))
                .transpose()?,
            attributes: attributes.collect::<Result<_, _>>()?,
            equal: equal.into_iter().flatten().collect(),
            series: read_all(root, "series", SeriesRule::read)?,
            stacks: read_all(root, "stack", StackRule::read)?,
            volumes: read_all(root, "volume", VolumeRule::read)?,
            wanted: Vec::new(),
        };
        if card.title.is_empty() {
            card.title.clone_from(&card.name);
        }
        if ![
            "accept",
            "complete",
            "attribute",
            "series",
            "stack",
            "volume",
        ]
        .iter()
        .any(|key| root.has(key))
        {
            return Err(root.error("the card has no rules"));
        }
        card.wanted = card.collect_wanted();
        Ok(card)
    }

    fn collect_wanted(&self) -> Vec<Attribute> {
        let selectors = [&self.applies_to].into_iter();
        let mut wanted: Vec<Attribute> = selectors
            .chain(self.attributes.iter().map(AttributeRule::selector))
            .chain(self.equal.iter().map(Equal::selector))
            .chain(self.series.iter().map(SeriesRule::selector))
            .chain(self.stacks.iter().map(StackRule::selector))
            .flat_map(Selector::attributes)
            .chain(self.equal.iter().map(Equal::attribute))
            .chain(self.series.iter().flat_map(SeriesRule::attributes))
            .chain(self.stacks.iter().flat_map(StackRule::attributes))
            .cloned()
            .collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }

    /// The attributes that must be kept of each instance for [`judge_study`](Self::judge_study).
    pub fn wanted(&self) -> &[Attribute] {
        &self.wanted
    }

    /// Whether an instance is one of those that the card is about. A study is if one of its instances
    /// is. The facts must be of what the card [wants](Self::wanted).
    pub fn applies_to(&self, facts: &InstanceFacts) -> bool {
        self.applies_to.means(facts)
    }

    /// Whether the card is about all images.
    pub fn applies_to_all(&self) -> bool {
        self.applies_to.is_empty()
    }

    /// Judges an instance by itself; the file must have been walked whole. An instance that the card
    /// is not about is judged too: whether its study is, the caller knows.
    pub fn judge_instance(&self, file: &Part10) -> Vec<Finding> {
        let facts = match InstanceFacts::of(file, &self.wanted) {
            Ok(facts) => facts,
            Err(error) => {
                let complete = self.complete.as_ref();
                let found = complete.and_then(|complete| complete.unidentified(&error));
                return found.into_iter().collect();
            }
        };
        let mut findings = Vec::new();
        if let Some(complete) = &self.complete {
            findings.extend(complete.judge(file, &facts));
        }
        if let Some(accept) = &self.accept {
            findings.extend(accept.judge(&facts));
        }
        for rule in &self.attributes {
            findings.extend(rule.judge(file, &facts));
        }
        findings
    }

    /// Judges a study from the facts of its instances, in whatever order they are.
    pub fn judge_study(&self, instances: &[InstanceFacts]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let all: Vec<&InstanceFacts> = study_rules::sorted(instances);
        for rule in &self.equal {
            findings.extend(rule.judge(&all));
        }
        for rule in &self.series {
            findings.extend(rule.judge(&all));
        }
        for rule in &self.stacks {
            findings.extend(rule.judge(&all));
        }
        findings
    }

    /// Whether it has rules for volumes that are no DICOM objects.
    pub fn judges_volumes(&self) -> bool {
        !self.volumes.is_empty()
    }

    /// Judges a volume that is no DICOM object, such as a NIfTI file.
    pub fn judge_volume(&self, volume: &VolumeFacts) -> Vec<Finding> {
        let rules = self.volumes.iter();
        rules.flat_map(|rule| rule.judge(volume)).collect()
    }

    /// Sums up what was found in a study or file.
    pub fn verdict(&self, findings: impl IntoIterator<Item = Finding>) -> Verdict {
        Verdict::of(&self.name, &self.version, findings)
    }
}

fn read_all<T>(
    root: &Section<'_>,
    key: &str,
    read: impl Fn(&Section<'_>) -> Result<T, CardError>,
) -> Result<Vec<T>, CardError> {
    root.sections(key)?.iter().map(read).collect()
}

/// Reads the selector of a rule under `for`.
pub(super) fn meant(section: &Section<'_>) -> Result<Selector, CardError> {
    Selector::read_in(section, "for")
}
