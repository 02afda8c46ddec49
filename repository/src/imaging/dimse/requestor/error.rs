//! What can go wrong with somebody who is asked.

use super::super::Peer;

/// Something was not done. The texts say what, in a sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum RequestorError {
    /// There is no connection.
    #[error("{peer} is not reached: {reason}")]
    Unreachable {
        /// Who was called.
        peer: String,
        /// Why not.
        reason: String,
    },
    /// The other end wants no association.
    #[error("{peer} rejects the association: {reason}")]
    Rejected {
        /// Who was called.
        peer: String,
        /// What it says.
        reason: String,
    },
    /// The other end does not do this, or not in this encoding.
    #[error("{peer} does not take {what}")]
    NotAgreed {
        /// Who was called.
        peer: String,
        /// What was proposed.
        what: String,
    },
    /// The other end answers with a status of failure.
    #[error("{peer} refuses {operation}: status {status:04X}{comment}")]
    Refused {
        /// Who was called.
        peer: String,
        /// Such as `C-MOVE`.
        operation: &'static str,
        /// PS3.7 annex C.
        status: u16,
        /// What the other end says of it, after a comma; or nothing.
        comment: String,
    },
    /// The association ended before the answer came, or nothing came in time.
    #[error("the association with {peer} broke off: {reason}")]
    Broken {
        /// Who was called.
        peer: String,
        /// What happened.
        reason: String,
    },
    /// What was to be sent cannot be sent.
    #[error("{0}")]
    Unsuitable(String),
}

pub(super) fn unreachable(peer: &Peer, reason: String) -> RequestorError {
    let peer = peer.to_string();
    RequestorError::Unreachable { peer, reason }
}

pub(super) fn broken(peer: String, error: &anyhow::Error) -> RequestorError {
    let reason = format!("{error:#}");
    RequestorError::Broken { peer, reason }
}
