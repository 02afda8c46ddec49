//! What the audit trail says of an association: which instances of which studies were sent on it.

use std::collections::BTreeMap;

use hilum_audit::{Event, Outcome, Parties, Study};
use hilum_dicom::instance::Instance;
use hilum_security::Caller;
use xds_schemas::metadata::PatientId;
use xds_schemas::soap::Fault;

use super::super::Room;

/// Studies that are recorded together; a sender of a whole archive is recorded in parts.
const STUDIES: usize = 200;
/// Reasons for refusals that are listed.
const REASONS: usize = 20;

/// What has been sent until now.
pub(super) struct Told {
    parties: Parties,
    studies: BTreeMap<String, OfStudy>,
    /// Why objects were refused, and how many.
    refused: BTreeMap<String, u64>,
}

#[derive(Default)]
struct OfStudy {
    /// As CX.
    patient: Option<String>,
    /// How many instances of each SOP class.
    classes: BTreeMap<String, u64>,
}

impl Told {
    pub(super) const fn of(parties: Parties) -> Self {
        Self {
            parties,
            studies: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    /// An instance is about to be kept. The first one of a study is recorded before it is answered.
    ///
    /// # Errors
    /// If it cannot be recorded: then it must not be kept either.
    pub(super) async fn begins(&mut self, room: &Room, instance: &Instance) -> anyhow::Result<()> {
        let uid = instance.study_instance_uid.as_str();
        if self.studies.contains_key(uid) {
            return Ok(());
        }
        if self.studies.len() >= STUDIES {
            self.record_studies(room).await;
        }
        let authority = &room.config.patient_id_authority;
        let id = instance.patient.id.as_deref();
        let of_study = OfStudy {
            patient: id.map(|id| PatientId::new(id, authority).to_string()),
            classes: BTreeMap::new(),
        };
        let study = study(room, uid, &of_study);
        let event = Event::sending_begun(&self.parties, of_study.patient.as_deref(), &study);
        room.audit.record(event, ()).await?.into_inner();
        self.studies.insert(uid.to_owned(), of_study);
        Ok(())
    }

    /// An instance was kept.
    pub(super) fn kept(&mut self, study: &str, sop_class: &str) {
        if let Some(of_study) = self.studies.get_mut(study) {
            *of_study.classes.entry(sop_class.to_owned()).or_default() += 1;
        }
    }

    /// An object was refused.
    pub(super) fn refused(&mut self, reason: &str) {
        let is_listed = self.refused.len() < REASONS || self.refused.contains_key(reason);
        let reason = if is_listed { reason } else { "other reasons" };
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// Records it all: the association has ended.
    pub(super) async fn record(mut self, room: &Room, caller: &Caller) {
        self.record_studies(room).await;
        let refused = self.refused.iter();
        let sentences: Vec<String> = refused
            .map(|(reason, count)| format!("{count} objects were refused: {reason}"))
            .collect();
        if !sentences.is_empty() {
            let event = Event::refused(caller, &Fault::sender(sentences.join("; ")));
            keep(room, event).await;
        }
    }

    async fn record_studies(&mut self, room: &Room) {
        for (uid, of_study) in std::mem::take(&mut self.studies) {
            let patient = of_study.patient.as_deref();
            let study = study(room, &uid, &of_study);
            // Of what began and of which nothing was kept, that is said too.
            let outcome = match study.sop_classes.is_empty() {
                true => Outcome::Failure("no instance was kept".to_owned()),
                false => Outcome::Success,
            };
            keep(
                room,
                Event::images_sent(&self.parties, patient, &study, &outcome),
            )
            .await;
        }
    }
}

/// Whoever sent it has been answered already. If this cannot be written, that is logged where it
/// fails, and that the study began to be sent is recorded.
async fn keep(room: &Room, event: Event) {
    if let Ok(recorded) = room.audit.record(event, ()).await {
        recorded.into_inner();
    }
}

fn study(room: &Room, uid: &str, of_study: &OfStudy) -> Study {
    let classes = of_study.classes.iter();
    let home = room.config.home_community_id.as_ref();
    Study {
        instance_uid: uid.to_owned(),
        sop_classes: classes
            .map(|(class, count)| (class.clone(), *count))
            .collect(),
        repository_unique_id: Some(room.config.repository_unique_id.to_string()),
        home_community_id: home.map(ToString::to_string),
    }
}
