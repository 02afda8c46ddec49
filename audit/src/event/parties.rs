//! The two ends of a transaction, and the person behind it.

use std::sync::Arc;

use hilum_security::{Caller, User};

use crate::event::message::{Coded, Participant};

/// `wsa:ReplyTo` of callers who wait for the answer on the same connection.
const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";

pub(super) const SOURCE: Coded = Coded::dcm("110153", "Source Role ID");
pub(super) const DESTINATION: Coded = Coded::dcm("110152", "Destination Role ID");

/// Who took part in a transaction, seen from the one that records it.
#[derive(Debug, Clone)]
pub struct Parties {
    /// Whether this process asked; otherwise it answered.
    pub(crate) asked: bool,
    initiator: Participant,
    responder: Participant,
    user: Option<Arc<User>>,
}

/// Which way the data went: the roles of the participants follow it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    /// From the one who asks: submissions, and queries, where what is asked counts.
    ToResponder,
    /// From the one who answers: retrieves.
    ToInitiator,
}

impl Parties {
    /// Of a call that `caller` made to this process at `endpoint`.
    pub fn answered(caller: &Caller, endpoint: &str) -> Self {
        Self {
            asked: false,
            initiator: caller_participant(caller),
            responder: Participant {
                own: true,
                ..responder(endpoint)
            },
            user: caller.user.clone(),
        }
    }

    /// Of a call that this process made to `endpoint`.
    pub fn asked(endpoint: &str) -> Self {
        let initiator = Participant {
            user_id: ANONYMOUS.to_owned(),
            user_name: None,
            requestor: true,
            role: None,
            address: None,
            own: true,
            medium: None,
            person: None,
        };
        Self {
            asked: true,
            initiator,
            responder: responder(endpoint),
            user: None,
        }
    }

    /// The caller wants the answer elsewhere: what `wsa:ReplyTo` says identifies it.
    #[must_use]
    pub fn reply_to(mut self, address: &str) -> Self {
        address.clone_into(&mut self.initiator.user_id);
        self
    }

    /// The message itself names both ends, as those of HL7 v2 do with facility and application
    /// (ITI TF-2 3.8.5.1).
    #[must_use]
    pub fn named(mut self, initiator: String, responder: String) -> Self {
        self.initiator.user_id = initiator;
        self.responder.user_id = responder;
        self
    }

    /// The person on whose behalf this process asked.
    #[must_use]
    pub fn on_behalf_of(mut self, user: Option<Arc<User>>) -> Self {
        self.user = user;
        self
    }

    pub(crate) fn participants(&self, direction: Direction) -> Vec<Participant> {
        let (of_initiator, of_responder) = match direction {
            Direction::ToResponder => (SOURCE, DESTINATION),
            Direction::ToInitiator => (DESTINATION, SOURCE),
        };
        let mut initiator = self.initiator.clone();
        initiator.role = Some(of_initiator);
        let mut responder = self.responder.clone();
        responder.role = Some(of_responder);
        let mut participants = vec![initiator, responder];
        participants.extend(self.user.as_ref().map(|user| self.person(user)));
        participants
    }

    /// The one who was asked, as it is whatever way the data goes.
    pub(crate) fn server(&self) -> Participant {
        self.responder.clone()
    }

    fn person(&self, user: &Arc<User>) -> Participant {
        person(user, self.initiator.address.clone())
    }
}

/// ITI-40 (3.40.4.2) and ITI-72 (3.72.5.1) write people as `alias<user@issuer>`.
pub(super) fn person(user: &Arc<User>, address: Option<String>) -> Participant {
    let alias = user.alias.as_deref().unwrap_or_default();
    let name = format!("{alias}<{}@{}>", user.name, user.issuer);
    Participant {
        user_id: name.clone(),
        user_name: Some(name),
        requestor: true,
        role: None,
        address,
        own: false,
        medium: None,
        person: Some(Arc::clone(user)),
    }
}

/// A caller, and the person on whose behalf it calls if that is known.
pub(crate) fn caller_and_person(caller: &Caller) -> Vec<Participant> {
    let parties = Parties::answered(caller, "");
    let person = parties.user.as_ref().map(|user| parties.person(user));
    let mut participants = vec![parties.initiator];
    participants.extend(person);
    participants
}

/// Somebody who called. The UserID is what `wsa:ReplyTo` says, which the framework recommends for
/// most transactions and leaves open for the others; what the certificate says is kept as the name.
pub(crate) fn caller_participant(caller: &Caller) -> Participant {
    let reply_to = caller.reply_to.as_deref();
    Participant {
        user_id: reply_to.unwrap_or(ANONYMOUS).to_owned(),
        user_name: caller.node.as_ref().map(|node| node.subject.clone()),
        requestor: true,
        role: None,
        address: Some(caller.address.ip().to_canonical().to_string()),
        own: false,
        medium: None,
        person: None,
    }
}

fn responder(endpoint: &str) -> Participant {
    Participant {
        user_id: endpoint.to_owned(),
        user_name: None,
        requestor: false,
        role: None,
        address: host(endpoint).map(str::to_owned),
        own: false,
        medium: None,
        person: None,
    }
}

/// The host of a URL.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next()?,
        None => host.split(':').next()?,
    };
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn hosts() {
        assert_eq!(
            host("https://xds.example:8443/registry"),
            Some("xds.example")
        );
        assert_eq!(host("http://[::1]:80/x"), Some("::1"));
        assert_eq!(host("http://10.0.0.1"), Some("10.0.0.1"));
        assert_eq!(host("registry"), None);
        assert_eq!(host("http:///x"), None);
    }
}
