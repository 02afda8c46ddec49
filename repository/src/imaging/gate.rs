//! The gate: what becomes of an object at the door, by the collection into which it comes.
//!
//! A collection may have a rule card, which lets an object pass, remarks something or keeps it back;
//! and it may ask for de-identification: then the object itself is not kept, only what was made of it.

use std::io::{self, BufWriter};
use std::path::Path;

use hilum_dicom::Uid;
use hilum_dicom::deidentify::{self, Key, Profile, Pseudonyms, Refused};
use hilum_dicom::instance::{Instance, Patient};
use hilum_dicom::quality::{
    Attribute, Finding, InstanceFacts, RuleCard, Severity, VolumeFacts, wanted,
};
use hilum_dicom::scan::Study;
use hilum_dicom::walk::Part10;

use super::intake::{Incoming, Written};

/// A collection: which objects belong to it, and what it asks of them.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Its name.
    pub name: String,
    /// Where its objects come from, as origins begin: `CT1` (a sender's AE title), `STOW-RS`,
    /// `folder /data/in`, `import`. From everywhere if it is empty.
    pub from: Vec<String>,
    /// What it wants of its images. Only objects that the card is about belong to the collection.
    pub card: Option<RuleCard>,
    /// How its objects are de-identified.
    pub deidentify: Option<Deidentification>,
}

/// How objects are de-identified.
#[derive(Debug, Clone)]
pub struct Deidentification {
    /// The rules.
    pub profile: Profile,
    /// The secret from which pseudonyms are made.
    pub key: Key,
}

/// All collections, in the order in which they are tried.
#[derive(Debug, Clone, Default)]
pub struct Gate {
    collections: Vec<Collection>,
    wanted: Vec<Attribute>,
}

/// What is remarked of a study, and why it is kept back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) kept_back: Vec<String>,
    pub(super) remarks: Vec<String>,
}

/// Why an object was not de-identified.
#[derive(Debug)]
pub(super) enum Unchanged {
    /// A person must decide.
    Undecided(String),
    /// It cannot be read.
    Unreadable(String),
    /// It could not be written, or the profile cannot be used.
    Failed(anyhow::Error),
}

impl Gate {
    /// A gate to these collections.
    pub fn new(collections: Vec<Collection>) -> Self {
        let cards = collections.iter().filter_map(|it| it.card.clone());
        let cards: Vec<RuleCard> = cards.collect();
        Self {
            wanted: wanted(&cards),
            collections,
        }
    }

    /// Whether something that comes from here may have to be de-identified.
    pub(super) fn deidentifies(&self, origin: &str) -> bool {
        let mut collections = self.collections.iter();
        collections.any(|it| it.deidentify.is_some() && it.takes_from(origin))
    }

    /// Whether nothing comes into the collection of this name but what was de-identified.
    pub(super) fn is_deidentified(&self, name: &str) -> bool {
        let mut of_name = self.collections.iter().filter(|it| it.name == name);
        of_name.next().is_some_and(|it| it.deidentify.is_some())
    }

    /// The collection of an object: the first that takes it.
    pub(super) fn collection(&self, origin: &str, file: &Part10) -> Option<&Collection> {
        let mut from_here = self.collections.iter().filter(|it| it.takes_from(origin));
        let facts = match self.collections.iter().any(|it| it.card.is_some()) {
            true => InstanceFacts::of(file, &self.wanted).ok(),
            false => None,
        };
        from_here.find(|it| match (&it.card, &facts) {
            (None, _) => true,
            (Some(card), Some(facts)) => card.applies_to_all() || card.applies_to(facts),
            (Some(_), None) => false,
        })
    }

    /// What an object of this name may be called here instead, if it comes from there.
    pub(super) fn stand_ins<'g>(
        &'g self,
        origin: &'g str,
        uid: &'g str,
    ) -> impl Iterator<Item = String> + 'g {
        let from_here = self
            .collections
            .iter()
            .filter(move |it| it.takes_from(origin));
        let deidentifying = from_here.filter_map(|it| it.deidentify.as_ref());
        deidentifying.map(move |it| Pseudonyms::new(&it.key, &it.profile).uid(uid))
    }

    /// The collection of a volume that is no DICOM object: the first from here that is about all
    /// images or has rules for volumes.
    ///
    /// # Errors
    /// A sentence, if there is none although something that comes from here is de-identified: nobody
    /// has said what is to become of a volume then.
    pub(super) fn collection_of_volume(
        &self,
        origin: &str,
    ) -> Result<Option<&Collection>, &'static str> {
        let takes = |card: &RuleCard| card.applies_to_all() || card.judges_volumes();
        let mut from_here = self.collections.iter().filter(|it| it.takes_from(origin));
        let found = from_here.find(|it| it.card.as_ref().is_none_or(takes));
        match found {
            None if self.deidentifies(origin) => Err(
                "what comes from here may have to be de-identified, and no collection takes volumes",
            ),
            found => Ok(found),
        }
    }

    /// Notes of an object what its collection needs, and says why it is kept back; nothing if it
    /// passes.
    pub(super) fn inspect(
        &self,
        collection: Option<&Collection>,
        file: &Part10,
        instance: &mut Instance,
    ) -> Vec<String> {
        let Some(collection) = collection else {
            return Vec::new();
        };
        instance.collection = Some(collection.name.clone());
        let Some(card) = &collection.card else {
            return Vec::new();
        };
        instance.judged = InstanceFacts::of(file, &self.wanted).ok();
        let kept_back = |finding: &Finding| finding.severity == Severity::Quarantine;
        let findings = card.judge_instance(file);
        let findings = findings.into_iter().filter(kept_back);
        findings.map(|finding| reason(card, &finding)).collect()
    }

    /// Judges a study as a whole, by the cards of the collections into which its objects came.
    pub(super) fn judge(&self, study: &Study) -> Judged {
        let mut judged = Judged::default();
        for collection in &self.collections {
            let Some(card) = &collection.card else {
                continue;
            };
            let of_collection = study
                .instances()
                .filter(|it| it.collection.as_ref() == Some(&collection.name));
            let facts = of_collection.filter_map(|it| it.judged.as_deref().cloned());
            let facts: Vec<InstanceFacts> = facts.collect();
            if facts.is_empty() {
                continue;
            }
            let verdict = card.verdict(card.judge_study(&facts));
            for finding in &verdict.reasons {
                let sentence = reason(card, finding);
                match finding.severity {
                    Severity::Quarantine => judged.kept_back.push(sentence),
                    Severity::Warn => judged.remarks.push(sentence),
                }
            }
            if verdict.unlisted > 0 {
                let more = format!("and {} more of the like", verdict.unlisted);
                judged.remarks.push(more);
            }
        }
        judged
    }
}

impl Collection {
    /// Judges a volume that is no DICOM object.
    pub(super) fn judge_volume(&self, volume: &VolumeFacts) -> Judged {
        let mut judged = Judged::default();
        let Some(card) = &self.card else {
            return judged;
        };
        for finding in card.judge_volume(volume) {
            let sentence = reason(card, &finding);
            match finding.severity {
                Severity::Quarantine => judged.kept_back.push(sentence),
                Severity::Warn => judged.remarks.push(sentence),
            }
        }
        judged
    }

    fn takes_from(&self, origin: &str) -> bool {
        let is_from = |from: &String| {
            let rest = origin.strip_prefix(from.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        self.from.is_empty() || self.from.iter().any(is_from)
    }
}

impl Deidentification {
    /// An instance as it would be called if it were de-identified, and nothing else of it.
    pub(super) fn stand_in(&self, instance: &Instance) -> anyhow::Result<Instance> {
        let pseudonyms = Pseudonyms::new(&self.key, &self.profile);
        let uid = |uid: &Uid| Uid::parse(&pseudonyms.uid(uid.as_str()));
        let id = instance.patient.id.as_deref();
        let subject = id.unwrap_or(instance.study_instance_uid.as_str());
        Ok(Instance {
            study_instance_uid: uid(&instance.study_instance_uid)?,
            series_instance_uid: uid(&instance.series_instance_uid)?,
            sop_instance_uid: uid(&instance.sop_instance_uid)?,
            patient: Patient {
                id: Some(pseudonyms.patient(subject)),
                ..Patient::default()
            },
            ..instance.clone()
        })
    }

    /// The patient who stands for another.
    pub(super) fn patient(&self, id: &str) -> String {
        Pseudonyms::new(&self.key, &self.profile).patient(id)
    }

    /// Why no volume that is no DICOM object can be de-identified, if none can.
    pub(super) fn refuses_volumes(&self) -> Option<&'static str> {
        let faces = self.profile.options.clean_recognizable_visual_features;
        // A DICOM object may say that it was done; a volume cannot.
        faces.then_some("a volume does not say whether a face can be recognised in it")
    }

    /// Writes what is made of one file into another, and makes nothing durable.
    pub(super) fn file(&self, from: &Path, to: &Incoming) -> Result<(), Unchanged> {
        let made = to
            .output()
            .map_err(|error| Unchanged::Failed(error.into()))?;
        let mut made = BufWriter::with_capacity(256 * 1024, made);
        let done = deidentify::file(from, &mut made, &self.profile, &self.key);
        match done {
            Ok(_) => made
                .into_inner()
                .map_err(io::IntoInnerError::into_error)
                .and_then(Written::finish)
                .map_err(|error| Unchanged::Failed(error.into())),
            Err(refused) if refused.is_a_decision() => Err(Unchanged::Undecided(format!(
                "not de-identified: {refused}"
            ))),
            Err(Refused::Walk(error)) => Err(Unchanged::Unreadable(error.to_string())),
            Err(refused) => Err(Unchanged::Failed(refused.into())),
        }
    }
}

/// A finding as a sentence that says by which card it was made and where it is.
fn reason(card: &RuleCard, finding: &Finding) -> String {
    let series = match finding.place.series_number {
        Some(number) => format!("series {number}: "),
        None => String::new(),
    };
    format!(
        "{} {}: {series}{}",
        card.name, card.version, finding.message
    )
}
