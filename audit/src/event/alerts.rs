//! What concerns the security of a node itself: Security Alerts and User Authentication (DICOM PS3.15
//! A.5.3.11 and A.5.3.12, codes of PS3.16 CID 401).

use hilum_security::Caller;

use crate::event::happenings::{
    APPLICATION, NODE_ID, REPORT_NUMBER, SECURITY_ALERT, happened, object, patient, reporter,
};
use crate::event::message::{Coded, Object, Participant};
use crate::event::parties::{Parties, caller_and_person};
use crate::event::{Event, Outcome};

const USER_AUTHENTICATION: Coded = Coded::dcm("110114", "User Authentication");
const LOGIN: Coded = Coded::dcm("110122", "Login");
const NODE_AUTHENTICATION: Coded = Coded::dcm("110126", "Node Authentication");
const EMERGENCY_OVERRIDE_STARTED: Coded = Coded::dcm("110127", "Emergency Override Started");
const SECURITY_CONFIGURATION: Coded = Coded::dcm("110129", "Security Configuration");
const SOFTWARE_CONFIGURATION: Coded = Coded::dcm("110131", "Software Configuration");
const SECURITY_ROLES_CHANGED: Coded = Coded::dcm("110136", "Security Roles Changed");
const URI: Coded = Coded::rfc3881("12", "URI");

/// The detail of an alert that says for people what it is about.
pub(super) const ALERT_DESCRIPTION: &str = "Alert Description";

impl Event {
    /// The configuration of this process is another one than it was when the process last started.
    /// `description` says which parts of it, never what they contain. `security` says whether parts
    /// are among them on which security depends.
    pub fn configuration_changed(security: bool, description: &str) -> Self {
        let code = match security {
            true => SECURITY_CONFIGURATION,
            false => SOFTWARE_CONFIGURATION,
        };
        let participants = vec![reporter()];
        alert_about(code, participants, "urn:hilum:configuration", description)
    }

    /// Who may do what is not as it was. `by` is who changed it, or nobody if this process read it
    /// anew; `resource` is a URI of what was changed, and `description` says what, without
    /// contents that concern patients.
    pub fn permissions_changed(by: Option<&Caller>, resource: &str, description: &str) -> Self {
        let mut participants = by.map(caller_and_person).unwrap_or_default();
        participants.push(reporter());
        alert_about(SECURITY_ROLES_CHANGED, participants, resource, description)
    }

    /// Somebody broke the glass: was let to a patient's documents, or studies, because of an
    /// emergency, for this reason. The documents are named by their unique IDs.
    pub fn emergency_access(
        caller: &Caller,
        of_patient: Option<&str>,
        documents: &[&str],
        reason: &str,
    ) -> Self {
        let mut participants = caller_and_person(caller);
        participants.push(reporter());
        let mut subject = object(
            "13",
            &caller.address.ip().to_canonical().to_string(),
            NODE_ID,
        );
        subject.details.push((ALERT_DESCRIPTION, reason.to_owned()));
        let mut objects = vec![subject];
        objects.extend(of_patient.map(patient));
        let document = |id: &&str| object("3", id, REPORT_NUMBER);
        objects.extend(documents.iter().map(document));
        security_alert(
            EMERGENCY_OVERRIDE_STARTED,
            &Outcome::Success,
            participants,
            objects,
        )
    }

    /// Somebody said who they are and it was not believed: an assertion (ITI-40) or a token (ITI-72)
    /// was refused. `why` is for those who run the node; what was shown does not belong there.
    pub fn user_not_authenticated(caller: &Caller, why: &str) -> Self {
        let mut participants = caller_and_person(caller);
        participants.push(Participant {
            requestor: false,
            ..reporter()
        });
        happened(
            USER_AUTHENTICATION,
            "E",
            LOGIN,
            &Outcome::Failure(why.to_owned()),
            participants,
            Vec::new(),
        )
    }

    /// A server that this process called did not prove who it is, or did not let itself be convinced
    /// of who this node is: there was no TLS connection (ITI-19).
    pub fn server_not_authenticated(endpoint: &str, why: &str) -> Self {
        let server = Parties::asked(endpoint).server();
        let id = server.address.as_deref().unwrap_or(endpoint);
        let mut subject = object("13", id, NODE_ID);
        subject.details.push((ALERT_DESCRIPTION, why.to_owned()));
        let outcome = Outcome::Failure(why.to_owned());
        let participants = vec![reporter(), server];
        security_alert(NODE_AUTHENTICATION, &outcome, participants, vec![subject])
    }
}

/// An alert about something that has a URI.
fn alert_about(
    code: Coded,
    participants: Vec<Participant>,
    resource: &str,
    description: &str,
) -> Event {
    let mut subject = object("13", resource, URI);
    let description = description.to_owned();
    subject.details.push((ALERT_DESCRIPTION, description));
    security_alert(code, &Outcome::Success, participants, vec![subject])
}

fn security_alert(
    code: Coded,
    outcome: &Outcome,
    participants: Vec<Participant>,
    objects: Vec<Object>,
) -> Event {
    happened(SECURITY_ALERT, "E", code, outcome, participants, objects)
}

/// A program of this node, which did what is recorded.
pub(super) fn program(name: &str) -> Participant {
    Participant {
        user_id: name.to_owned(),
        user_name: None,
        requestor: true,
        role: Some(APPLICATION),
        address: None,
        own: true,
        medium: None,
        person: None,
    }
}
