//! The constructors of events, one for each thing that can happen.
//!
//! What each transaction records is said in its section "Security Audit Considerations".

use hilum_security::Caller;
use hilum_transport::{Refusal, Refused};
use xds_schemas::soap::{Fault, FaultCode};

use crate::event::alerts::ALERT_DESCRIPTION;
use crate::event::dicomweb::ImagesRetrieved;
use crate::event::message::{Coded, Message, Object, Participant};
use crate::event::parties::{Direction, Parties, caller_and_person};
use crate::event::{Event, Outcome};

const APPLICATION_ACTIVITY: Coded = Coded::dcm("110100", "Application Activity");
pub(super) const EXPORT: Coded = Coded::dcm("110106", "Export");
pub(super) const IMPORT: Coded = Coded::dcm("110107", "Import");
pub(super) const PATIENT_RECORD: Coded = Coded::dcm("110110", "Patient Record");
pub(super) const QUERY: Coded = Coded::dcm("110112", "Query");
pub(super) const SECURITY_ALERT: Coded = Coded::dcm("110113", "Security Alert");

const APPLICATION_START: Coded = Coded::dcm("110120", "Application Start");
const APPLICATION_STOP: Coded = Coded::dcm("110121", "Application Stop");
const NODE_AUTHENTICATION: Coded = Coded::dcm("110126", "Node Authentication");
const USE_OF_RESTRICTED_FUNCTION: Coded = Coded::dcm("110132", "Use of Restricted Function");
pub(super) const APPLICATION: Coded = Coded::dcm("110150", "Application");

const PATIENT_NUMBER: Coded = Coded::rfc3881("2", "Patient Number");
pub(super) const REPORT_NUMBER: Coded = Coded::rfc3881("9", "Report Number");
pub(super) const NODE_ID: Coded = Coded::dcm("110182", "Node ID");
const OBJECT_REF: Coded = Coded {
    code: "urn:ihe:iti:2017:ObjectRef",
    system: "IHE XDS Metadata",
    text: "registry object reference",
};
pub(super) const SUBMISSION_SET: Coded = Coded {
    code: "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd",
    system: "IHE XDS Metadata",
    text: "submission set classificationNode",
};

/// Detail of a query that names a community (ITI-18).
const HOME_OF_QUERY: &str = "urn:ihe:iti:xca:2010:homeCommunityId";
/// Detail of a document from a community: ITI-43 keeps this other spelling on purpose.
pub(super) const HOME_OF_DOCUMENT: &str = "ihe:homeCommunityID";
/// Detail of a document: the literal of ITI-43.
pub(super) const REPOSITORY: &str = "Repository Unique Id";

/// A transaction with which documents are submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// ITI-41 Provide and Register Document Set-b.
    ProvideAndRegister,
    /// ITI-42 Register Document Set-b.
    Register,
    /// ITI-61 Register On-Demand Document Entry.
    RegisterOnDemand,
    /// RAD-68 Provide and Register Imaging Document Set.
    ProvideAndRegisterImaging,
    /// ITI-57 Update Document Set.
    Update,
    /// ITI-92 Restricted Update Document Set.
    RestrictedUpdate,
    /// ITI-80 Cross-Gateway Document Provide.
    ProvideAcross,
}

impl Transaction {
    const fn code(self) -> Coded {
        match self {
            Self::ProvideAndRegister => Coded::ihe("ITI-41", "Provide and Register Document Set-b"),
            Self::Register => Coded::ihe("ITI-42", "Register Document Set-b"),
            Self::RegisterOnDemand => Coded::ihe("ITI-61", "Register On-Demand Document Entry"),
            Self::ProvideAndRegisterImaging => Coded::ihe(
                "RAD-68",
                "Provide and Register Imaging Document Set - MTOM/XOP",
            ),
            Self::Update => Coded::ihe("ITI-57", "Update Document Set"),
            Self::RestrictedUpdate => Coded::ihe("ITI-92", "Restricted Update Document Set"),
            Self::ProvideAcross => Coded::ihe("ITI-80", "Cross-Gateway Document Provide"),
        }
    }

    /// Whether something changes that was there before.
    const fn updates(self) -> bool {
        matches!(self, Self::Update | Self::RestrictedUpdate)
    }
}

/// What was submitted.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionSet<'a> {
    /// Its `uniqueId`.
    pub unique_id: &'a str,
    /// Its patient as CX, if there is one.
    pub patient: Option<&'a str>,
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The UUID of the stored query.
    pub id: &'a str,
    /// The whole `AdhocQueryRequest`, in UTF-8.
    pub request: &'a str,
    /// The patients asked for, as CX: one message each.
    pub patients: &'a [&'a str],
    /// The community asked for.
    pub home_community_id: Option<&'a str>,
}

/// A document that was retrieved.
#[derive(Debug, Clone)]
pub struct Document {
    /// `DocumentEntry.uniqueId`.
    pub unique_id: String,
    /// The repository it came from.
    pub repository_unique_id: String,
    /// The community it came from.
    pub home_community_id: Option<String>,
}

/// A study of which images were retrieved.
#[derive(Debug, Clone)]
pub struct Study {
    /// Its Study Instance UID.
    pub instance_uid: String,
    /// SOP classes and how many instances of each.
    pub sop_classes: Vec<(String, u64)>,
    /// The imaging source it came from.
    pub repository_unique_id: Option<String>,
    /// The community it came from.
    pub home_community_id: Option<String>,
}

impl Event {
    /// ITI-41: documents were provided.
    pub fn provided(parties: &Parties, set: SubmissionSet<'_>, outcome: &Outcome) -> Self {
        Self::submitted(Transaction::ProvideAndRegister, parties, set, outcome)
    }

    /// ITI-42: documents were registered.
    pub fn registered(parties: &Parties, set: SubmissionSet<'_>, outcome: &Outcome) -> Self {
        Self::submitted(Transaction::Register, parties, set, outcome)
    }

    /// RAD-68: an imaging manifest was provided.
    pub fn imaging_provided(parties: &Parties, set: SubmissionSet<'_>, outcome: &Outcome) -> Self {
        Self::submitted(
            Transaction::ProvideAndRegisterImaging,
            parties,
            set,
            outcome,
        )
    }

    /// A submission: an export for the one who sends it, an import for the one who takes it.
    pub fn submitted(
        transaction: Transaction,
        parties: &Parties,
        set: SubmissionSet<'_>,
        outcome: &Outcome,
    ) -> Self {
        Self::handed(transaction, parties, set, None, outcome)
    }

    /// ITI-80: documents were handed to a community.
    pub fn provided_across(
        parties: &Parties,
        set: SubmissionSet<'_>,
        home_community_id: Option<&str>,
        outcome: &Outcome,
    ) -> Self {
        let transaction = Transaction::ProvideAcross;
        Self::handed(transaction, parties, set, home_community_id, outcome)
    }

    fn handed(
        transaction: Transaction,
        parties: &Parties,
        set: SubmissionSet<'_>,
        home_community_id: Option<&str>,
        outcome: &Outcome,
    ) -> Self {
        let (id, action) = match (parties.asked, transaction.updates()) {
            (true, false) => (EXPORT, "R"),
            (false, false) => (IMPORT, "C"),
            (true, true) => (EXPORT, "U"),
            (false, true) => (IMPORT, "U"),
        };
        let mut objects: Vec<Object> = set.patient.map(patient).into_iter().collect();
        let mut submitted = object("20", set.unique_id, SUBMISSION_SET);
        let home = home_community_id.map(|home| (HOME_OF_DOCUMENT, home.to_owned()));
        submitted.details.extend(home);
        objects.push(submitted);
        let participants = parties.participants(Direction::ToResponder);
        happened(
            id,
            action,
            transaction.code(),
            outcome,
            participants,
            objects,
        )
    }

    /// ITI-62: objects were forgotten, of one patient or of somebody who is not known. Both sides
    /// record the same.
    pub fn metadata_removed(
        parties: &Parties,
        of_patient: Option<&str>,
        entry_uuids: &[&str],
        outcome: &Outcome,
    ) -> Self {
        let patient = of_patient.map(patient);
        let removed = entry_uuids.iter().map(|uuid| object("3", uuid, OBJECT_REF));
        let objects = patient.into_iter().chain(removed).collect();
        let code = Coded::ihe("ITI-62", "Remove Metadata");
        let participants = parties.participants(Direction::ToResponder);
        happened(PATIENT_RECORD, "D", code, outcome, participants, objects)
    }

    /// ITI-18: the registry was asked. Both sides record the same.
    pub fn queried(parties: &Parties, query: Query<'_>, outcome: &Outcome) -> Self {
        let code = Coded::ihe("ITI-18", "Registry Stored Query");
        Self::asked(code, parties, query, outcome)
    }

    /// ITI-51: the registry was asked for several patients. Both sides record the same.
    pub fn queried_for_several_patients(
        parties: &Parties,
        query: Query<'_>,
        outcome: &Outcome,
    ) -> Self {
        let code = Coded::ihe("ITI-51", "Multi-Patient Stored Query");
        Self::asked(code, parties, query, outcome)
    }

    /// ITI-38: another community was asked. Both sides record the same.
    pub fn queried_across(parties: &Parties, query: Query<'_>, outcome: &Outcome) -> Self {
        let code = Coded::ihe("ITI-38", "Cross Gateway Query");
        Self::asked(code, parties, query, outcome)
    }

    /// ITI-63: another community was asked, and documents came with the answer. Both sides record the
    /// same.
    pub fn fetched_across(parties: &Parties, query: Query<'_>, outcome: &Outcome) -> Self {
        let code = Coded::ihe("ITI-63", "XCF Fetch");
        Self::asked(code, parties, query, outcome)
    }

    fn asked(code: Coded, parties: &Parties, query: Query<'_>, outcome: &Outcome) -> Self {
        let mut asked = object("24", query.id, code.clone());
        asked.query = Some(query.request.as_bytes().to_vec());
        asked.details.push(("QueryEncoding", "UTF-8".to_owned()));
        let home = query.home_community_id.map(str::to_owned);
        asked.details.extend(home.map(|home| (HOME_OF_QUERY, home)));
        let of_patient = |who: Option<&&str>| {
            let mut objects: Vec<Object> = who.map(|who| patient(who)).into_iter().collect();
            objects.push(asked.clone());
            let participants = parties.participants(Direction::ToResponder);
            happened(QUERY, "E", code.clone(), outcome, participants, objects)
        };
        let first = of_patient(query.patients.first());
        query
            .patients
            .iter()
            .skip(1)
            .fold(first, |all, who| all.and(of_patient(Some(who))))
    }

    /// ITI-43: documents of one patient were retrieved: an export for the repository, an import
    /// for the consumer. Documents that were refused go into an event of their own, see
    /// [`Event::and`].
    pub fn retrieved(
        parties: &Parties,
        of_patient: Option<&str>,
        documents: &[Document],
        outcome: &Outcome,
    ) -> Self {
        let code = Coded::ihe("ITI-43", "Retrieve Document Set");
        Self::fetched(code, parties, of_patient, documents, outcome)
    }

    /// ITI-39: the same between communities.
    pub fn retrieved_across(
        parties: &Parties,
        of_patient: Option<&str>,
        documents: &[Document],
        outcome: &Outcome,
    ) -> Self {
        let code = Coded::ihe("ITI-39", "Cross Gateway Retrieve");
        Self::fetched(code, parties, of_patient, documents, outcome)
    }

    fn fetched(
        code: Coded,
        parties: &Parties,
        of_patient: Option<&str>,
        documents: &[Document],
        outcome: &Outcome,
    ) -> Self {
        let (id, action) = if parties.asked {
            (IMPORT, "C")
        } else {
            (EXPORT, "R")
        };
        let mut objects: Vec<Object> = of_patient.map(patient).into_iter().collect();
        objects.extend(documents.iter().map(|document| {
            let mut object = object("3", &document.unique_id, REPORT_NUMBER);
            let repository = document.repository_unique_id.clone();
            object.details.push((REPOSITORY, repository));
            let home = document.home_community_id.clone();
            object
                .details
                .extend(home.map(|home| (HOME_OF_DOCUMENT, home)));
            object
        }));
        let participants = parties.participants(Direction::ToInitiator);
        happened(id, action, code, outcome, participants, objects)
    }

    /// RAD-69: images of one patient were retrieved.
    pub fn imaging_retrieved(
        parties: &Parties,
        of_patient: Option<&str>,
        studies: &[Study],
        outcome: &Outcome,
    ) -> Self {
        let how = ImagesRetrieved::DocumentSet;
        Self::images_retrieved(how, parties, of_patient, studies, outcome)
    }

    /// A room opened.
    pub fn application_started(name: &str) -> Self {
        application(name, APPLICATION_START)
    }

    /// A room closed.
    pub fn application_stopped(name: &str) -> Self {
        application(name, APPLICATION_STOP)
    }

    /// A node tried to connect and was not authenticated (ITI-19).
    pub fn node_not_authenticated(caller: &Caller, fault: &Fault) -> Self {
        let outcome = Outcome::Failure(fault.reason.clone());
        alert(NODE_AUTHENTICATION, caller, &fault.reason, &outcome)
    }

    /// A call was refused before it was read, or was lost.
    ///
    /// ATNA has an event for failed authentication only. Everything else that was refused is
    /// recorded as a Security Alert too, of the type "Use of Restricted Function": the caller
    /// asked for something that is not open to it. It is a serious failure if the caller may not
    /// do it or if the fault is ours, and a minor one if the message was merely wrong.
    pub fn refused(caller: &Caller, fault: &Fault) -> Self {
        let reason = fault.reason.clone();
        let outcome = if fault.code == FaultCode::Receiver || fault.is("FailedAuthentication") {
            Outcome::Failure(reason)
        } else {
            Outcome::MinorFailure(reason)
        };
        alert(USE_OF_RESTRICTED_FUNCTION, caller, &fault.reason, &outcome)
    }
}

/// What the door refused by itself.
impl From<&Refusal> for Event {
    fn from(refusal: &Refusal) -> Self {
        match refusal.what {
            Refused::Connection => Self::node_not_authenticated(&refusal.caller, &refusal.fault),
            Refused::User => Self::user_not_authenticated(&refusal.caller, refusal.why()),
            Refused::Message | Refused::Lost | Refused::Answer => {
                Self::refused(&refusal.caller, &refusal.fault)
            }
        }
    }
}

/// One message for each indicator of the outcome.
pub(super) fn happened(
    id: Coded,
    action: &'static str,
    code: Coded,
    outcome: &Outcome,
    participants: Vec<Participant>,
    objects: Vec<Object>,
) -> Event {
    let message = |(indicator, why): (&'static str, Option<&str>)| Message {
        id: id.clone(),
        action,
        outcome: indicator,
        outcome_description: why.map(str::to_owned),
        type_code: Some(code.clone()),
        participants: participants.clone(),
        objects: objects.clone(),
    };
    let messages = outcome.indicators().into_iter().map(message).collect();
    Event { messages }
}

fn application(name: &str, code: Coded) -> Event {
    let participant = Participant {
        user_id: name.to_owned(),
        user_name: None,
        requestor: false,
        role: Some(APPLICATION),
        address: None,
        own: true,
        medium: None,
        person: None,
    };
    let participants = vec![participant];
    happened(
        APPLICATION_ACTIVITY,
        "E",
        code,
        &Outcome::Success,
        participants,
        Vec::new(),
    )
}

/// The subject of an alert is the node that caused it.
fn alert(code: Coded, caller: &Caller, description: &str, outcome: &Outcome) -> Event {
    let mut subject = object("13", &caller.address.to_string(), NODE_ID);
    let description = description.to_owned();
    subject.details.push((ALERT_DESCRIPTION, description));
    let mut participants = caller_and_person(caller);
    participants.push(reporter());
    happened(
        SECURITY_ALERT,
        "E",
        code,
        outcome,
        participants,
        vec![subject],
    )
}

/// This process, which noticed what is recorded.
pub(super) fn reporter() -> Participant {
    Participant {
        user_id: "hilum".to_owned(),
        user_name: None,
        requestor: false,
        role: Some(APPLICATION),
        address: None,
        own: true,
        medium: None,
        person: None,
    }
}

pub(super) fn patient(id: &str) -> Object {
    Object {
        kind: "1",
        ..object("1", id, PATIENT_NUMBER)
    }
}

pub(super) fn object(role: &'static str, id: &str, id_type: Coded) -> Object {
    Object {
        kind: "2",
        role,
        id: id.to_owned(),
        id_type,
        life_cycle: None,
        name: None,
        query: None,
        details: Vec::new(),
        sop_classes: Vec::new(),
    }
}
