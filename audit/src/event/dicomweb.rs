//! What is recorded of images that are asked for, fetched and handed in over the web: DICOM PS3.15
//! A.5.3, with the codes of IHE's transactions.

use crate::event::happenings::{
    HOME_OF_DOCUMENT, QUERY, REPOSITORY, Study, happened, object, patient,
};
use crate::event::message::{Coded, Object};
use crate::event::parties::{Direction, Parties};
use crate::event::{Event, Outcome};

const BEGIN_TRANSFERRING: Coded = Coded::dcm("110102", "Begin Transferring DICOM Instances");
const INSTANCES_ACCESSED: Coded = Coded::dcm("110103", "DICOM Instances Accessed");
const INSTANCES_TRANSFERRED: Coded = Coded::dcm("110104", "DICOM Instances Transferred");
const STUDY_INSTANCE_UID: Coded = Coded::dcm("110180", "Study Instance UID");

/// With which transaction images are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImagesRetrieved {
    /// RAD-55 WADO Retrieve.
    Wado,
    /// RAD-69 Retrieve Imaging Document Set.
    DocumentSet,
    /// RAD-107 WADO-RS Retrieve.
    WadoRs,
    /// RAD-16 Retrieve Images: C-MOVE.
    Move,
    /// RAD-75 Cross Gateway Retrieve Imaging Document Set.
    CrossGateway,
    /// RAD-160: WADO-RS across communities.
    CrossGatewayWadoRs,
}

impl ImagesRetrieved {
    const fn code(self) -> Coded {
        match self {
            Self::Wado => Coded::ihe("RAD-55", "WADO Retrieve"),
            Self::DocumentSet => Coded::ihe("RAD-69", "Retrieve Imaging Document Set"),
            Self::Move => Coded::ihe("RAD-16", "Retrieve Images"),
            Self::CrossGateway => {
                Coded::ihe("RAD-75", "Cross Gateway Retrieve Imaging Document Set")
            }
            Self::CrossGatewayWadoRs => Coded::ihe("RAD-160", "Cross-Community WADO-RS Retrieve"),
            Self::WadoRs => Coded::ihe("RAD-107", "WADO-RS Retrieve"),
        }
    }
}

/// RAD-108.
const STORE_INSTANCES: Coded = Coded::ihe("RAD-108", "Store Instances Over the Web");

impl Event {
    /// Images of one patient were fetched.
    pub fn images_retrieved(
        transaction: ImagesRetrieved,
        parties: &Parties,
        of_patient: Option<&str>,
        studies: &[Study],
        outcome: &Outcome,
    ) -> Self {
        let (id, action) = if parties.asked {
            (INSTANCES_ACCESSED, "C")
        } else {
            (INSTANCES_TRANSFERRED, "R")
        };
        let participants = parties.participants(Direction::ToInitiator);
        let objects = objects(of_patient, studies);
        happened(
            id,
            action,
            transaction.code(),
            outcome,
            participants,
            objects,
        )
    }

    /// RAD-108: somebody begins to hand in instances of a study.
    pub fn storing_begun(parties: &Parties, of_patient: Option<&str>, study: &Study) -> Self {
        let objects = objects(of_patient, std::slice::from_ref(study));
        let participants = parties.participants(Direction::ToResponder);
        let done = &Outcome::Success;
        happened(
            BEGIN_TRANSFERRING,
            "E",
            STORE_INSTANCES,
            done,
            participants,
            objects,
        )
    }

    /// RAD-108: instances of one patient were handed in, or were not taken.
    pub fn images_stored(
        parties: &Parties,
        of_patient: Option<&str>,
        studies: &[Study],
        outcome: &Outcome,
    ) -> Self {
        let action = if parties.asked { "R" } else { "C" };
        let objects = objects(of_patient, studies);
        let participants = parties.participants(Direction::ToResponder);
        happened(
            INSTANCES_TRANSFERRED,
            action,
            STORE_INSTANCES,
            outcome,
            participants,
            objects,
        )
    }

    /// RAD-129: an imaging source was asked what it has. `resource` is the path, `query` the whole
    /// request as it was sent.
    pub fn images_queried(
        parties: &Parties,
        resource: &str,
        query: &str,
        outcome: &Outcome,
    ) -> Self {
        let code = Coded::ihe("RAD-129", "QIDO-RS Query");
        let mut asked = object("24", resource, code.clone());
        asked.query = Some(query.as_bytes().to_vec());
        asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
        let participants = parties.participants(Direction::ToResponder);
        happened(QUERY, "E", code, outcome, participants, vec![asked])
    }
}

impl Event {
    /// RAD-14: an archive was asked by C-FIND what it has. `query` says for people what was asked.
    pub fn images_queried_by_dimse(parties: &Parties, query: &str, outcome: &Outcome) -> Self {
        let code = Coded::ihe("RAD-14", "Query Images");
        let mut asked = object("24", "C-FIND", code.clone());
        asked.query = Some(query.as_bytes().to_vec());
        let participants = parties.participants(Direction::ToResponder);
        happened(QUERY, "E", code, outcome, participants, vec![asked])
    }
}

fn objects(of_patient: Option<&str>, studies: &[Study]) -> Vec<Object> {
    let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
    objects.extend(studies.iter().map(|study| {
        let mut object = object("3", &study.instance_uid, STUDY_INSTANCE_UID);
        let repository = study.repository_unique_id.clone();
        object.details.extend(repository.map(|id| (REPOSITORY, id)));
        let home = study.home_community_id.clone();
        let home = home.map(|home| (HOME_OF_DOCUMENT, home));
        object.details.extend(home);
        object.sop_classes.clone_from(&study.sop_classes);
        object
    }));
    objects
}
