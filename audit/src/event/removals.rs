//! What is recorded of documents that are removed (RMD supplement).

use crate::event::happenings::{
    Document, HOME_OF_DOCUMENT, PATIENT_RECORD, REPORT_NUMBER, REPOSITORY, happened, object,
    patient,
};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

impl Event {
    /// ITI-86: documents of one patient were removed, which both sides record alike. Documents that
    /// were not removed go into an event of their own, see [`Event::and`].
    pub fn documents_removed(
        parties: &Parties,
        of_patient: Option<&str>,
        documents: &[Document],
        outcome: &Outcome,
    ) -> Self {
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.extend(documents.iter().map(|document| {
            let mut object = object("3", &document.unique_id, REPORT_NUMBER);
            let repository = document.repository_unique_id.clone();
            object.details.push((REPOSITORY, repository));
            let home = document.home_community_id.clone();
            let home = home.map(|home| (HOME_OF_DOCUMENT, home));
            object.details.extend(home);
            object
        }));
        let code = Coded::ihe("ITI-86", "Remove Documents");
        let participants = parties.participants(Direction::ToResponder);
        happened(PATIENT_RECORD, "D", code, outcome, participants, objects)
    }
}
