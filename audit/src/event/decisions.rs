//! What those who run an imaging source decide about its images, with programs beside the node: to
//! remove them, to take them back, to let go or throw away what was kept back (DICOM PS3.15 A.5.3.2
//! and A.5.3.5). There is no transaction of IHE for that.

use crate::event::alerts::program;
use crate::event::happenings::{REPORT_NUMBER, REPOSITORY, Study, happened, object, patient};
use crate::event::message::{Coded, Object};
use crate::event::{Event, Outcome};

const INSTANCES_ACCESSED: Coded = Coded::dcm("110103", "DICOM Instances Accessed");
const STUDY_DELETED: Coded = Coded::dcm("110105", "DICOM Study Deleted");
const STUDY_INSTANCE_UID: Coded = Coded::dcm("110180", "Study Instance UID");
const SOP_INSTANCE_UID: &str = "SOP Instance UID";

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided<'a> {
    /// A study is removed.
    Removed,
    /// Instances are taken back by a rejection note (IOCM), for the reason of this word.
    Rejected(&'a str),
    /// What was kept back is let go.
    Released,
    /// What was kept back is thrown away.
    Discarded,
}

impl Decided<'_> {
    const fn event(self) -> (Coded, &'static str, Coded) {
        match self {
            Self::Removed => (STUDY_DELETED, "D", decision("study removal")),
            Self::Rejected(_) => (INSTANCES_ACCESSED, "U", decision("rejection")),
            Self::Released => (INSTANCES_ACCESSED, "U", decision("quarantine release")),
            Self::Discarded => (INSTANCES_ACCESSED, "D", decision("quarantine discard")),
        }
    }
}

/// About what it was decided.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A study, or of it these instances, by their SOP Instance UIDs.
    Study(&'a Study, &'a [&'a str]),
    /// A document that is no DICOM object, by its uniqueId.
    Document(&'a str),
}

const fn decision(code: &'static str) -> Coded {
    Coded {
        code,
        system: "Hilum Imaging",
        text: "Decision about images",
    }
}

impl Event {
    /// Somebody who runs this node decided about images, with the program of this name.
    pub fn images_decided(
        decided: Decided<'_>,
        name: &str,
        of_patient: Option<&str>,
        subject: Subject<'_>,
        outcome: &Outcome,
    ) -> Self {
        let mut subject = subject.object();
        if let Decided::Rejected(reason) = decided {
            subject.details.push(("Reason", reason.to_owned()));
        }
        if matches!(decided, Decided::Removed | Decided::Discarded) {
            // Permanent erasure.
            subject.life_cycle = Some("15");
        }
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.push(subject);
        let (id, action, code) = decided.event();
        let participants = vec![program(name)];
        happened(id, action, code, outcome, participants, objects)
    }
}

impl Subject<'_> {
    fn object(self) -> Object {
        let (study, instances) = match self {
            Self::Document(unique_id) => return object("3", unique_id, REPORT_NUMBER),
            Self::Study(study, instances) => (study, instances),
        };
        let mut object = object("3", &study.instance_uid, STUDY_INSTANCE_UID);
        let repository = study.repository_unique_id.clone();
        object.details.extend(repository.map(|id| (REPOSITORY, id)));
        let instance = |uid: &&str| (SOP_INSTANCE_UID, (*uid).to_owned());
        object.details.extend(instances.iter().map(instance));
        object.sop_classes.clone_from(&study.sop_classes);
        object
    }
}
