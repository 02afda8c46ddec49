//! The one who asks: an association with another application entity, and what is asked on it.
//!
//! ```no_run
//! # async fn example(requestor: hilum_repository::imaging::dimse::Requestor) -> Result<(), Box<dyn std::error::Error>> {
//! use dicom_dictionary_std::tags;
//! use hilum_repository::imaging::dimse::Peer;
//! use hilum_repository::imaging::dimse::requestor::{Identifier, Level, Model, Wanted};
//!
//! let pacs = Peer { ae_title: "PACS".into(), host: "pacs.example".into(), port: 104, tls: false };
//! let wanted = [Wanted::Find(Model::Study), Wanted::Move(Model::Study)];
//! let mut requested = requestor.associate(&pacs, &wanted).await?;
//! let asked = Identifier::at(Level::Study)
//!     .key(tags::PATIENT_ID, "P-1")
//!     .returned(tags::STUDY_INSTANCE_UID);
//! for found in requested.find(Model::Study, &asked, 100).await?.data_sets {
//!     let uid = found.ascii(tags::STUDY_INSTANCE_UID).unwrap_or_default();
//!     let one = Identifier::at(Level::Study).key(tags::STUDY_INSTANCE_UID, &uid);
//!     requested.move_to("HILUM", Model::Study, &one).await?;
//! }
//! requested.release().await?;
//! # Ok(())
//! # }
//! ```

mod error;
mod identifier;
mod operations;
mod send;

use std::collections::BTreeMap;
use std::time::Duration;

use dicom_dictionary_std::uids;
use dicom_ul::pdu::{
    AssociationAC, AssociationRQ, Pdu, PresentationContextProposed,
    PresentationContextResultReason, RequestorRoles, UserVariableItem,
};
use hilum_security::iti19_authenticate_node::ClientTls;
use hilum_transport::{Limits, streams};
use tokio::time::Instant;

use super::Peer;
use super::association::{Agreed, Association};
use super::negotiation::{APPLICATION_CONTEXT, taken_by, uid, user_variables};
use super::pdu::{Received, Wire};

use error::{broken, unreachable};

pub use error::RequestorError;
pub use identifier::{Identifier, Level, Model};
pub use operations::{Matches, Moved};
pub use send::{ToSend, to_send};

/// Identifiers of presentation contexts are the odd numbers of a byte.
const CONTEXTS: usize = 128;

/// What an association is wanted for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// C-ECHO.
    Echo,
    /// C-FIND.
    Find(Model),
    /// C-MOVE.
    Move(Model),
    /// C-STORE of objects of this SOP class in this transfer syntax.
    Store {
        /// SOP Class UID.
        sop_class: String,
        /// Transfer Syntax UID.
        transfer_syntax: String,
    },
}

impl Wanted {
    fn context(&self) -> (&str, Vec<&str>) {
        // Explicit VR first: it keeps what private elements are.
        let both = || {
            vec![
                uids::EXPLICIT_VR_LITTLE_ENDIAN,
                uids::IMPLICIT_VR_LITTLE_ENDIAN,
            ]
        };
        match self {
            Self::Echo => (uids::VERIFICATION, both()),
            Self::Find(model) => (model.find(), both()),
            Self::Move(model) => (model.move_(), both()),
            Self::Store {
                sop_class,
                transfer_syntax,
            } => (sop_class, vec![transfer_syntax]),
        }
    }
}

/// Who asks others. Clones are the same.
#[derive(Debug, Clone)]
pub struct Requestor {
    ae_title: String,
    tls: Option<ClientTls>,
    limits: Limits,
    patience: Duration,
}

/// An association that was asked for.
pub struct Requested {
    peer: String,
    association: Association,
    patience: Duration,
}

impl Requestor {
    /// Calls others under this AE title; those who speak TLS, with this certificate. For an answer,
    /// it waits as long as the limits say.
    pub fn new(ae_title: impl Into<String>, tls: Option<ClientTls>, limits: Limits) -> Self {
        Self {
            ae_title: ae_title.into(),
            tls,
            patience: Duration::from_secs(limits.answer_seconds),
            limits,
        }
    }

    /// The same with this patience for each answer. An archive that has to fetch what it is to move
    /// may say nothing for minutes.
    #[must_use]
    pub const fn patient_for(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Our AE title.
    pub fn ae_title(&self) -> &str {
        &self.ae_title
    }

    /// Makes an association. Of what is wanted, the other end may accept a part; what it did not is
    /// refused when it is asked for.
    ///
    /// # Errors
    /// If it is not reached or rejects the association.
    pub async fn associate(
        &self,
        peer: &Peer,
        wanted: &[Wanted],
    ) -> Result<Requested, RequestorError> {
        let contexts: Vec<_> = wanted.iter().map(Wanted::context).collect();
        self.propose(peer, &contexts, Vec::new()).await
    }

    /// Makes an association on which we are the provider of storage commitment, though we call.
    pub(super) async fn as_provider(&self, peer: &Peer) -> Result<Requested, RequestorError> {
        let class = uids::STORAGE_COMMITMENT_PUSH_MODEL;
        let roles = RequestorRoles {
            scu: false,
            scp: true,
        };
        let role = UserVariableItem::ScuScpRoleSelectionSubItem(class.to_owned(), roles);
        let syntaxes = vec![
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
            uids::IMPLICIT_VR_LITTLE_ENDIAN,
        ];
        self.propose(peer, &[(class, syntaxes)], vec![role]).await
    }

    async fn propose(
        &self,
        peer: &Peer,
        contexts: &[(&str, Vec<&str>)],
        roles: Vec<UserVariableItem>,
    ) -> Result<Requested, RequestorError> {
        let proposed = numbered(contexts)?;
        let mut user_variables = user_variables();
        user_variables.extend(roles);
        let request = Pdu::AssociationRQ(AssociationRQ {
            protocol_version: 1,
            calling_ae_title: self.ae_title.clone(),
            called_ae_title: peer.ae_title.clone(),
            application_context_name: APPLICATION_CONTEXT.to_owned(),
            presentation_contexts: proposed.clone(),
            user_variables,
        });
        let tls = match (&self.tls, peer.tls) {
            (None, true) => {
                let reason = "it speaks TLS, and there is no certificate to show it".to_owned();
                return Err(unreachable(peer, reason));
            }
            (tls, true) => tls.as_ref(),
            (_, false) => None,
        };
        let connected = streams::connect(&peer.host, peer.port, tls, &self.limits).await;
        let stream = connected.map_err(|reason| unreachable(peer, reason))?;
        let mut wire = Wire::new(stream);
        let broken = |error: anyhow::Error| broken(peer.to_string(), &error);
        wire.send(&request).await.map_err(broken)?;
        let answer = wire.receive(Instant::now() + self.patience).await;
        match answer.map_err(broken)? {
            Received::Other(Pdu::AssociationAC(answer)) => Ok(Requested {
                peer: peer.to_string(),
                association: agreed(wire, &proposed, &answer),
                patience: self.patience,
            }),
            Received::Other(Pdu::AssociationRJ(rejected)) => Err(RequestorError::Rejected {
                peer: peer.to_string(),
                reason: rejected.source.to_string(),
            }),
            Received::Silence => Err(unreachable(peer, "it does not answer".to_owned())),
            _ => {
                let reason = "it does not answer in DICOM's way".to_owned();
                Err(unreachable(peer, reason))
            }
        }
    }
}

impl Requested {
    /// Who is at the other end: `AE@HOST:PORT`.
    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether the other end has accepted this.
    pub fn takes(&self, wanted: &Wanted) -> bool {
        let (class, syntaxes) = wanted.context();
        let mut contexts = self.association.contexts.values();
        contexts.any(|agreed| {
            agreed.abstract_syntax == class && syntaxes.contains(&agreed.transfer_syntax.as_str())
        })
    }

    /// Ends the association in order. If it is dropped instead, the connection is closed, which ends
    /// it too.
    ///
    /// # Errors
    /// If the other end does not go along, which changes nothing of what was done.
    pub async fn release(self) -> Result<(), RequestorError> {
        let released = self.association.release().await;
        released.map_err(|error| broken(self.peer, &error))
    }
}

fn numbered(
    contexts: &[(&str, Vec<&str>)],
) -> Result<Vec<PresentationContextProposed>, RequestorError> {
    if contexts.is_empty() || contexts.len() > CONTEXTS {
        let count = contexts.len();
        let problem =
            format!("{count} presentation contexts, where an association has one to {CONTEXTS}");
        return Err(RequestorError::Unsuitable(problem));
    }
    let numbers = (1..=u8::MAX).step_by(2).zip(contexts);
    let proposed = numbers.map(|(id, (class, syntaxes))| PresentationContextProposed {
        id,
        abstract_syntax: (*class).to_owned(),
        transfer_syntaxes: syntaxes.iter().map(|it| (*it).to_owned()).collect(),
    });
    Ok(proposed.collect())
}

fn agreed(
    wire: Wire,
    proposed: &[PresentationContextProposed],
    answer: &AssociationAC,
) -> Association {
    let mut contexts = BTreeMap::new();
    for result in &answer.presentation_contexts {
        let accepted = result.reason == PresentationContextResultReason::Acceptance;
        let of = proposed.iter().find(|it| it.id == result.id);
        if let Some(proposed) = of.filter(|_| accepted) {
            let agreed = Agreed {
                abstract_syntax: proposed.abstract_syntax.clone(),
                transfer_syntax: uid(&result.transfer_syntax).to_owned(),
            };
            contexts.insert(result.id, agreed);
        }
    }
    Association::new(wire, contexts, taken_by(&answer.user_variables))
}
