//! What is recorded of the keys with which what is stored is encrypted.

use crate::event::happenings::{APPLICATION, SECURITY_ALERT, happened, object};
use crate::event::message::{Coded, Participant};
use crate::event::{Event, Outcome};

const SECURITY_CONFIGURATION: Coded = Coded::dcm("110129", "Security Configuration");
/// An object by its name (RFC 3881).
const URI: Coded = Coded::rfc3881("12", "URI");

impl Event {
    /// Somebody on this machine made or removed keys, or had them changed: `what` in a sentence. `user`
    /// is who the system says runs the command.
    pub fn keys_changed(user: &str, what: &str, outcome: &Outcome) -> Self {
        let participant = |user_id: &str, requestor: bool| Participant {
            user_id: user_id.to_owned(),
            user_name: None,
            requestor,
            role: (!requestor).then_some(APPLICATION),
            address: None,
            own: !requestor,
            person: None,
            medium: None,
        };
        // Role 13: security resource.
        let mut keys = object("13", "urn:hilum:at-rest:keys", URI);
        keys.details.push(("Alert Description", what.to_owned()));
        let participants = vec![participant(user, true), participant("hilum keys", false)];
        let code = SECURITY_CONFIGURATION;
        happened(SECURITY_ALERT, "E", code, outcome, participants, vec![keys])
    }
}
