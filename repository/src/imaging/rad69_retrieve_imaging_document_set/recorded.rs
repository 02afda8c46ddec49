//! What the audit trail says of a RAD-69: for each patient, which studies.

use std::collections::BTreeMap;

use hilum_audit::{Event, Outcome, Parties, Study};
use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::iti43_retrieve_document_set::DocumentRequest;

use super::Room;

/// Instances that were asked for, by patient (CX) and study.
pub(super) struct Told {
    home: Option<String>,
    given: Patients,
    missing: Patients,
}

type Patients = BTreeMap<Option<String>, BTreeMap<String, OfStudy>>;

#[derive(Default)]
struct OfStudy {
    repository: String,
    home: Option<String>,
    /// How many instances of each SOP class.
    classes: BTreeMap<String, u64>,
}

impl Told {
    pub(super) fn of(room: &Room) -> Self {
        let home = room.config.home_community_id.as_ref();
        Self {
            home: home.map(ToString::to_string),
            given: Patients::new(),
            missing: Patients::new(),
        }
    }

    /// An instance that is sent.
    pub(super) fn given(
        &mut self,
        patient: Option<String>,
        study: &str,
        asked: &DocumentRequest,
        sop_class: &str,
    ) {
        let of_study = of_study(&mut self.given, &self.home, patient, study, asked);
        *of_study.classes.entry(sop_class.to_owned()).or_default() += 1;
    }

    /// An instance that is not.
    pub(super) fn missing(
        &mut self,
        patient: Option<String>,
        study: &str,
        asked: &DocumentRequest,
    ) {
        of_study(&mut self.missing, &self.home, patient, study, asked);
    }

    /// One success for each patient of whom something is sent, one failure for each of whom
    /// something is not.
    pub(super) fn event(self, parties: &Parties, response: &RegistryResponse) -> Event {
        let mut codes: Vec<&str> = response.errors.iter().map(|it| it.code.as_str()).collect();
        codes.sort_unstable();
        codes.dedup();
        let failure = Outcome::Failure(codes.join(" "));
        let given = self.given.into_iter().map(|it| (it, &Outcome::Success));
        let missing = self.missing.into_iter().map(|it| (it, &failure));
        let event = |((patient, studies), outcome): ((Option<String>, _), _)| {
            Event::imaging_retrieved(parties, patient.as_deref(), &listed(studies), outcome)
        };
        let events = given.chain(missing).map(event);
        events
            .reduce(Event::and)
            .expect("a request names at least one instance, which is given or missing")
    }
}

fn of_study<'a>(
    patients: &'a mut Patients,
    home: &Option<String>,
    patient: Option<String>,
    study: &str,
    asked: &DocumentRequest,
) -> &'a mut OfStudy {
    let studies = patients.entry(patient).or_default();
    studies.entry(study.to_owned()).or_insert_with(|| OfStudy {
        repository: asked.repository_unique_id.to_string(),
        home: asked
            .home_community_id
            .as_ref()
            .map_or_else(|| home.clone(), |home| Some(home.to_string())),
        classes: BTreeMap::new(),
    })
}

fn listed(studies: BTreeMap<String, OfStudy>) -> Vec<Study> {
    let study = |(instance_uid, of_study): (String, OfStudy)| Study {
        instance_uid,
        sop_classes: of_study.classes.into_iter().collect(),
        repository_unique_id: Some(of_study.repository),
        home_community_id: of_study.home,
    };
    studies.into_iter().map(study).collect()
}
