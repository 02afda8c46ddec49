//! What is recorded of images that are sent by DICOM's own protocol (PS3.15 sections A.5.3.3 and
//! A.5.3.7), as RAD-8 Modality Images Stored.

use crate::event::happenings::{HOME_OF_DOCUMENT, REPOSITORY, Study, happened, object, patient};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const BEGIN_TRANSFERRING: Coded = Coded::dcm("110102", "Begin Transferring DICOM Instances");
const INSTANCES_TRANSFERRED: Coded = Coded::dcm("110104", "DICOM Instances Transferred");
const STUDY_INSTANCE_UID: Coded = Coded::dcm("110180", "Study Instance UID");
const IMAGES_STORED: Coded = Coded::ihe("RAD-8", "Modality Images Stored");

impl Event {
    /// RAD-8: instances of a study begin to be sent.
    pub fn sending_begun(parties: &Parties, of_patient: Option<&str>, study: &Study) -> Self {
        let participants = parties.participants(Direction::ToResponder);
        let objects = objects(of_patient, study);
        let done = &Outcome::Success;
        happened(
            BEGIN_TRANSFERRING,
            "E",
            IMAGES_STORED,
            done,
            participants,
            objects,
        )
    }

    /// RAD-8: these instances of a study were sent.
    pub fn images_sent(
        parties: &Parties,
        of_patient: Option<&str>,
        study: &Study,
        outcome: &Outcome,
    ) -> Self {
        // Read there, and new here.
        let action = if parties.asked { "R" } else { "C" };
        let participants = parties.participants(Direction::ToResponder);
        let objects = objects(of_patient, study);
        happened(
            INSTANCES_TRANSFERRED,
            action,
            IMAGES_STORED,
            outcome,
            participants,
            objects,
        )
    }
}

fn objects(of_patient: Option<&str>, study: &Study) -> Vec<Object> {
    let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
    let mut sent = object("3", &study.instance_uid, STUDY_INSTANCE_UID);
    let repository = study.repository_unique_id.clone();
    sent.details.extend(repository.map(|id| (REPOSITORY, id)));
    let home = study.home_community_id.clone();
    sent.details
        .extend(home.map(|home| (HOME_OF_DOCUMENT, home)));
    sent.sop_classes.clone_from(&study.sop_classes);
    objects.push(sent);
    objects
}
