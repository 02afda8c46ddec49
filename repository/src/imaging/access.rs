//! Which studies a caller may know of, and whose images.
//!
//! A study is given as a whole or not at all: if its images came into several collections, all of them
//! must allow it. What is not given looks like what is not there. If it cannot be found out what a
//! patient wished, nothing of that patient is given, and the operator is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_dicom::scan::Study;
use hilum_security::access::{Asking, Consent, Decision, Described, Level, NotAdmitted, Policy};
use hilum_security::{Caller, Permission};
use tokio::runtime::Handle;
use xds_schemas::metadata::{Code, hl7};
use xds_schemas::rad68_provide_and_register_imaging_document_set as rad68;

use super::cache::Loaded;
use super::document_entry::domain_patient;
use super::intake::Object;
use super::{ImagingConfig, Room};

/// Patients whose consents are asked for in one call.
const MOST_PATIENTS: usize = 2_000;

/// The collections into which the images of a study came; `None` stands for those that came into none.
pub(super) type Collections = BTreeSet<Option<String>>;

/// What decides in one call.
#[derive(Debug)]
pub(super) struct Guard {
    policy: Arc<Policy>,
    caller: Caller,
    permission: Permission,
    now: SystemTime,
    config: ImagingConfig,
    runtime: Handle,
    consents: Mutex<HashMap<String, Option<Arc<[Consent]>>>>,
    /// By patient: studies that are given because somebody breaks the glass.
    alarming: Mutex<BTreeMap<Option<String>, BTreeSet<String>>>,
}

/// A study that somebody asks about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) study: &'a Study,
    /// Its patient in the affinity domain, as CX, if it was published.
    pub(super) patient_id: Option<&'a str>,
    pub(super) collections: &'a Collections,
}

impl Guard {
    /// Nobody, if nothing is to be decided study by study because the caller may have all.
    pub(super) fn of(room: &Room, caller: &Caller, permission: Permission) -> Option<Arc<Self>> {
        let policy = room.config.access.policy()?;
        let guard = Self {
            policy,
            caller: caller.clone(),
            permission,
            now: SystemTime::now(),
            config: room.config.clone(),
            runtime: Handle::current(),
            consents: Mutex::default(),
            alarming: Mutex::default(),
        };
        match guard.policy.decide_for_all(&guard.asking()) {
            Some(it) if it.level == Level::Full && !it.glass_broken => None,
            _ => Some(Arc::new(guard)),
        }
    }

    /// Whether collections are to be looked up.
    pub(super) fn heeds_collections(&self) -> bool {
        self.policy.heeds_collections()
    }

    /// Whether the images of a study may be had. Blocks.
    pub(super) fn gives(&self, loaded: &Loaded) -> bool {
        let study = &loaded.indexed.study;
        let collections: Collections = study.instances().map(|it| it.collection.clone()).collect();
        // What is kept is all that there is: if it was de-identified at the door, nobody is in it.
        let gate = &self.config.gate;
        let nameless = (collections.iter())
            .all(|it| it.as_deref().is_some_and(|name| gate.is_deidentified(name)));
        let needed = match nameless {
            true => Level::Deidentified,
            false => Level::Full,
        };
        let asked = Asked {
            study,
            patient_id: loaded.indexed.patient_id.as_deref(),
            collections: &collections,
        };
        let (level, glass_broken) = self.level(&asked);
        if level == Level::Deidentified && needed == Level::Full {
            tracing::info!(
                "a study is withheld: it may be given de-identified only, and it is not in a \
                 collection that is de-identified"
            );
        }
        self.admit(&asked, (level >= needed, glass_broken))
    }

    /// Whether a study may be known of. Blocks.
    pub(super) fn shows(&self, asked: &Asked<'_>) -> bool {
        let (level, glass_broken) = self.level(asked);
        self.admit(asked, (level >= Level::Metadata, glass_broken))
    }

    fn admit(&self, asked: &Asked<'_>, (admitted, glass_broken): (bool, bool)) -> bool {
        if admitted && glass_broken {
            let patient = self.patient(asked);
            let mut alarming = self.alarming.lock().unwrap_or_else(PoisonError::into_inner);
            let studies = alarming.entry(patient).or_default();
            studies.insert(asked.study.uid.to_string());
        }
        admitted
    }

    /// The lowest level of all collections, and whether it takes an emergency to have it.
    fn level(&self, asked: &Asked<'_>) -> (Level, bool) {
        let mut document = self.described(asked);
        let (mut lowest, mut glass_broken) = (None, false);
        for collection in asked.collections {
            document.collection.clone_from(collection);
            let decision = self.decide(&document);
            tracing::debug!(
                rule = &*decision.rule,
                level = decision.level.as_str(),
                "decided"
            );
            glass_broken |= decision.glass_broken;
            lowest = Some(lowest.map_or(decision.level, |it: Level| it.min(decision.level)));
        }
        (lowest.unwrap_or(Level::Nothing), glass_broken)
    }

    /// Whether an object may be handed in. What counts is what would be kept of it, and the collection into
    /// which it comes. Blocks.
    pub(super) fn takes(&self, object: &Object) -> Result<(), NotAdmitted> {
        let instance = object.kept();
        let patient = domain_patient(&self.config, &instance.patient).map(|it| it.to_string());
        let study = instance.study_instance_uid.as_str();
        let institution = instance.study.institution.as_deref();
        let mut document = self.described_as(study, patient.clone(), institution);
        document.collection = object.collection.clone();
        let decision = self.decide(&document);
        NotAdmitted::unless_full(self.permission, &decision)?;
        if decision.glass_broken {
            let mut alarming = self.alarming.lock().unwrap_or_else(PoisonError::into_inner);
            alarming
                .entry(patient)
                .or_default()
                .insert(study.to_owned());
        }
        Ok(())
    }

    fn described(&self, asked: &Asked<'_>) -> Described {
        let institution = asked.study.facts.institution.as_deref();
        self.described_as(asked.study.uid.as_str(), self.patient(asked), institution)
    }

    fn described_as(
        &self,
        study: &str,
        patient_id: Option<String>,
        institution: Option<&str>,
    ) -> Described {
        let department = &self.config.department;
        let code = |code: &Code| format!("{}^^{}", code.code, code.scheme);
        let format = format!("{}^^{}", rad68::FORMAT_CODE, rad68::FORMAT_CODE_SCHEME);
        let home = self.config.home_community_id.as_ref();
        Described {
            patient_id,
            unique_id: Some(study.to_owned()),
            confidentiality_codes: vec![code(&department.confidentiality_code)],
            class_code: Some(code(&department.class_code)),
            type_code: Some(code(&department.type_code)),
            format_code: Some(format),
            practice_setting_code: Some(code(&department.practice_setting_code)),
            healthcare_facility_type_code: Some(code(&department.healthcare_facility_type_code)),
            author_institutions: institution.map(hl7::escape).into_iter().collect(),
            collection: None,
            home_community_id: home.map(ToString::to_string),
        }
    }

    fn patient(&self, asked: &Asked<'_>) -> Option<String> {
        let published = asked.patient_id.map(str::to_owned);
        let named = || domain_patient(&self.config, &asked.study.patient);
        published.or_else(|| named().map(|it| it.to_string()))
    }

    fn asking(&self) -> Asking<'_> {
        Asking {
            caller: &self.caller,
            permission: self.permission,
            now: self.now,
        }
    }

    fn decide(&self, document: &Described) -> Decision {
        let asking = self.asking();
        if let Some(decision) = self.policy.decide_without_consents(&asking, document) {
            return decision;
        }
        let consents = match document.patient_id.as_deref() {
            Some(patient) => self.consents_of(patient),
            None => Some([].into()),
        };
        match consents {
            Some(consents) => self.policy.decide(&asking, document, &consents),
            None => Decision {
                level: Level::Nothing,
                rule: "nobody says what the patient wished".into(),
                glass_broken: false,
            },
        }
    }

    fn consents_of(&self, patient: &str) -> Option<Arc<[Consent]>> {
        let mut known = self.consents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(consents) = known.get(patient) {
            return consents.clone();
        }
        if known.len() >= MOST_PATIENTS {
            tracing::error!(
                "a call concerns more than {MOST_PATIENTS} patients; of the others nothing is given"
            );
            return None;
        }
        let Some(consents) = &self.config.consents else {
            tracing::error!("rules depend on consents, and there is no registry to ask for them");
            return None;
        };
        let found = match self.runtime.block_on(consents.find(patient)) {
            Ok(found) => Some(found.into()),
            Err(error) => {
                tracing::error!(%error, "what a patient wished is not known, so nothing is given");
                None
            }
        };
        known.insert(patient.to_owned(), found.clone());
        found
    }

    /// The event of a call with what is alarming in it.
    pub(super) fn with_alerts(guard: Option<&Arc<Self>>, event: Event) -> Event {
        let Some(guard) = guard else {
            return event;
        };
        let alarming = guard.alarming.lock();
        let alarming = std::mem::take(&mut *alarming.unwrap_or_else(PoisonError::into_inner));
        if alarming.is_empty() {
            return event;
        }
        tracing::warn!(
            patients = alarming.len(),
            "the glass is broken: studies are given in an emergency"
        );
        let user = guard.caller.user.as_deref();
        let reason = user.and_then(|user| user.reason.as_deref());
        let alert = |(patient, studies): (&Option<String>, &BTreeSet<String>)| {
            let studies: Vec<&str> = studies.iter().map(String::as_str).collect();
            let reason = reason.unwrap_or_default();
            Event::emergency_access(&guard.caller, patient.as_deref(), &studies, reason)
        };
        alarming.iter().map(alert).fold(event, Event::and)
    }
}
