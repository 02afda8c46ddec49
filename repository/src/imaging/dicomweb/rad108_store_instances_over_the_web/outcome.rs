//! What became of the instances of a request, for whoever sent them and for the record.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use dicom_core::VR;
use dicom_dictionary_std::tags;
use hilum_audit::{Event, Outcome, Parties, Study};
use hilum_dicom::instance::Patient;
use hilum_dicom::json::Attributes;
use hilum_transport::Trouble;

use crate::imaging::Room;
use crate::imaging::document_entry::domain_patient;
use crate::imaging::intake::{Object, SentAs, Taken};

/// Sentences of one answer about why something was not taken.
const REMARKS: usize = 20;

/// All that is said to whoever may not hand something in.
pub(super) const REFUSED: &str = "not permitted";

/// What became of one instance (PS3.18 annex I, PS3.4 annex B).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is here.
    Stored,
    /// It is kept back, for a reason.
    KeptBack(String),
    /// The request adds to another study.
    OtherStudy,
    /// No rule lets the sender hand it in.
    NotPermitted,
    /// It cannot be understood: why.
    Unreadable(String),
    /// The disk is full.
    Full,
    /// We failed.
    Trouble,
}

impl Fate {
    /// Logs what went wrong.
    pub(super) fn trouble(error: &anyhow::Error) -> Self {
        tracing::error!("an instance cannot be stored: {error:#}");
        let of_disk = error
            .chain()
            .filter_map(|it| it.downcast_ref::<io::Error>());
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        match of_disk.into_iter().any(|it| full.contains(&it.kind())) {
            true => Self::Full,
            false => Self::Trouble,
        }
    }

    /// Warning Reason (0008,1196): there is none for what is kept back, so it is the one for what does
    /// not keep to its rules.
    const fn warning(&self) -> Option<i64> {
        match self {
            Self::KeptBack(_) => Some(0xB007),
            _ => None,
        }
    }

    /// Failure Reason (0008,1197).
    const fn failure(&self) -> Option<i64> {
        match self {
            Self::Stored | Self::KeptBack(_) => None,
            Self::Full => Some(0xA700),
            Self::OtherStudy => Some(0xC409),
            // Refused: Not Authorized (PS3.7 section C.5.20).
            Self::NotPermitted => Some(0x0124),
            Self::Unreadable(_) => Some(0xC000),
            Self::Trouble => Some(0x0110),
        }
    }

    fn remark(&self) -> Option<String> {
        match self {
            Self::Stored => None,
            Self::KeptBack(reason) => Some(format!("kept back until somebody decides: {reason}")),
            Self::OtherStudy => Some("an instance is of another study".to_owned()),
            Self::NotPermitted => Some(REFUSED.to_owned()),
            Self::Unreadable(reason) => Some(reason.clone()),
            Self::Full => Some("there is no room for more".to_owned()),
            Self::Trouble => Some("an instance was lost by an internal error".to_owned()),
        }
    }
}

impl From<Taken> for Fate {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Stored | Taken::AlreadyHere => Self::Stored,
            Taken::Quarantined(reasons) => Self::KeptBack(reasons.join("; ")),
            Taken::Refused(reason) => Self::Unreadable(reason),
        }
    }
}

/// One instance.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    names: Option<Names>,
    fate: Fate,
}

#[derive(Debug, Clone)]
struct Names {
    /// As the sender calls it, to whom no other name is told.
    sent_as: SentAs,
    /// Whether it is called so here, too.
    keeps_its_name: bool,
    /// For the record.
    study: String,
    patient: Patient,
}

impl Stored {
    pub(super) fn of(object: &Object) -> Self {
        let told = object.told();
        let names = Names {
            sent_as: object.sent_as.clone(),
            keeps_its_name: object.keeps_its_name(),
            study: told.study_instance_uid.to_string(),
            patient: told.patient.clone(),
        };
        Self {
            names: Some(names),
            fate: Fate::Stored,
        }
    }

    pub(super) fn ended(self, fate: Fate) -> Self {
        Self { fate, ..self }
    }

    /// Something that is no instance.
    pub(super) fn unreadable(reason: &str) -> Self {
        Self {
            names: None,
            fate: Fate::Unreadable(reason.to_owned()),
        }
    }

    /// Something that we could not even look at.
    pub(super) fn trouble(error: &anyhow::Error) -> Self {
        Self {
            names: None,
            fate: Fate::trouble(error),
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Told {
    all: Vec<Stored>,
}

impl Told {
    pub(super) fn add(&mut self, stored: Stored) {
        self.all.push(stored);
    }

    /// Whether the sender may not hand in something of it.
    pub(super) fn not_permitted(&self) -> bool {
        self.all.iter().any(|it| it.fate == Fate::NotPermitted)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The status of HTTP, and the Store Instances Response Module. `whole` says whether everything
    /// that was sent has come.
    pub(super) fn answer(&self, base: &str, whole: bool) -> (u16, String) {
        let failed = self
            .all
            .iter()
            .filter(|it| it.fate.failure().is_some())
            .count();
        let forbidden = self.all.iter().all(|it| it.fate == Fate::NotPermitted);
        let warned = self.all.iter().any(|it| it.fate.warning().is_some());
        let status = match (failed, failed == self.all.len()) {
            (0, false) if whole && !warned => 200,
            (_, true) if forbidden => 403,
            (_, true) => 409,
            _ => 202,
        };
        let mut attributes = Attributes::new();
        let here = self.all.iter().filter(|it| it.fate == Fate::Stored);
        let studies: BTreeSet<(&str, bool)> = here
            .filter_map(|it| it.names.as_ref())
            .map(|names| (names.sent_as.study.as_str(), names.keeps_its_name))
            .collect();
        // There is one address only if there is one study.
        if let (1, Some((study, true))) = (studies.len(), studies.first()) {
            let url = format!("{base}/studies/{study}");
            attributes = attributes.text(tags::RETRIEVE_URL, VR::UR, &url);
        }
        let items = |wanted: fn(&Stored) -> Option<Attributes>| {
            self.all.iter().filter_map(wanted).collect::<Vec<_>>()
        };
        let referenced = self.all.iter().filter_map(|it| referenced(it, base));
        let referenced: Vec<Attributes> = referenced.collect();
        for (tag, items) in [
            (tags::REFERENCED_SOP_SEQUENCE, referenced),
            (tags::FAILED_SOP_SEQUENCE, items(failed_item)),
            (tags::OTHER_FAILURES_SEQUENCE, items(other_item)),
        ] {
            if !items.is_empty() {
                attributes = attributes.items(tag, items);
            }
        }
        (status, attributes.to_json())
    }

    /// Sentences about what was not simply stored, each once.
    pub(super) fn remarks(&self, trouble: Option<&Trouble>) -> Vec<String> {
        let all = self.all.iter().filter_map(|it| it.fate.remark());
        let all = all.chain(trouble.map(ToString::to_string));
        // They stand in a header.
        let plain = |text: String| -> String {
            let letters = text.chars().map(|letter| match letter {
                ' '..='~' if letter != '"' && letter != '\\' => letter,
                _ => '?',
            });
            letters.collect()
        };
        let all: BTreeSet<String> = all.map(plain).collect();
        all.into_iter().take(REMARKS).collect()
    }

    /// One success for each patient of whom something is here now, one failure for each of whom
    /// something is not.
    pub(super) fn event(&self, room: &Room, parties: &Parties) -> Event {
        let mut all: BTreeMap<(Option<String>, bool), OfPatient> = BTreeMap::new();
        for stored in &self.all {
            let failed = stored.fate.failure();
            let names = stored.names.as_ref();
            let patient = names.and_then(|it| domain_patient(&room.config, &it.patient));
            let patient = patient.map(|it| it.to_string());
            let of_patient = all.entry((patient, failed.is_some())).or_default();
            of_patient
                .reasons
                .extend(failed.map(|reason| format!("{reason:04X}")));
            if let Some(names) = names {
                let of_study = of_patient.studies.entry(names.study.clone()).or_default();
                *of_study.entry(names.sent_as.class.clone()).or_default() += 1;
            }
        }
        let event = |((patient, failed), of_patient): ((Option<String>, bool), OfPatient)| {
            let studies = of_patient.studies.into_iter();
            let studies: Vec<Study> = studies
                .map(|(uid, classes)| study(room, &uid, classes.into_iter().collect()))
                .collect();
            let reasons: Vec<String> = of_patient.reasons.into_iter().collect();
            let outcome = match failed {
                true => Outcome::Failure(reasons.join(" ")),
                false => Outcome::Success,
            };
            Event::images_stored(parties, patient.as_deref(), &studies, &outcome)
        };
        let none = || Event::images_stored(parties, None, &[], &Outcome::Success);
        all.into_iter()
            .map(event)
            .reduce(Event::and)
            .unwrap_or_else(none)
    }
}

/// What is recorded of one patient.
#[derive(Default)]
struct OfPatient {
    /// By study: how many instances of each SOP class.
    studies: BTreeMap<String, BTreeMap<String, u64>>,
    reasons: BTreeSet<String>,
}

/// A study, as records have it.
pub(super) fn study(room: &Room, uid: &str, sop_classes: Vec<(String, u64)>) -> Study {
    Study {
        instance_uid: uid.to_owned(),
        sop_classes,
        repository_unique_id: Some(room.config.repository_unique_id.to_string()),
        home_community_id: room
            .config
            .home_community_id
            .as_ref()
            .map(ToString::to_string),
    }
}

fn named(names: &Names) -> Attributes {
    Attributes::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &names.sent_as.class)
        .text(
            tags::REFERENCED_SOP_INSTANCE_UID,
            VR::UI,
            &names.sent_as.instance,
        )
}

fn referenced(stored: &Stored, base: &str) -> Option<Attributes> {
    let names = stored
        .names
        .as_ref()
        .filter(|_| stored.fate.failure().is_none())?;
    let item = named(names);
    Some(match stored.fate.warning() {
        Some(reason) => item.number(tags::WARNING_REASON, VR::US, reason),
        None if !names.keeps_its_name => item,
        None => {
            let SentAs {
                study,
                series,
                instance,
                ..
            } = &names.sent_as;
            let url = format!("{base}/studies/{study}/series/{series}/instances/{instance}");
            item.text(tags::RETRIEVE_URL, VR::UR, &url)
        }
    })
}

fn failed_item(stored: &Stored) -> Option<Attributes> {
    let reason = stored.fate.failure()?;
    let item = named(stored.names.as_ref()?);
    Some(item.number(tags::FAILURE_REASON, VR::US, reason))
}

fn other_item(stored: &Stored) -> Option<Attributes> {
    let reason = stored.fate.failure().filter(|_| stored.names.is_none())?;
    Some(Attributes::new().number(tags::FAILURE_REASON, VR::US, reason))
}
