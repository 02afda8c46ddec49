//! ITI-19 Authenticate Node: both ends of a connection show certificates.
//!
//! The option "STX: TLS 1.2 floor using BCP195": nothing below TLS 1.2, and of TLS 1.2 only the
//! cipher suites that ITI-19 names and their ECDSA siblings ([`context`]). Trusted are, from one
//! list, both authorities (a chain leads to them) and single certificates; beside it, certificates
//! are pinned, revoked and callers named ([`rules`]). Whether a peer passes is judged in one place
//! ([`judge`]) and said in words ([`refusal`]). The system's list of web authorities is never used.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-19.html>
//!
//! [`NodeTls`] is what all doors and clients of a node share: it reads its files again when they
//! change, and who is connected then is looked at again ([`Standing`]).

mod advice;
mod client;
mod context;
mod files;
mod judge;
mod node;
mod reached;
mod refusal;
mod rules;
mod standing;

use openssl::error::ErrorStack;
use openssl::ssl::SslRef;

use crate::caller::NodeName;

pub use client::{ClientTls, Told, Witness};
pub use files::{TlsError, TlsFiles};
pub use node::{NodeTls, Reloaded, ServerTls};
pub use refusal::NotAuthenticated;
pub use rules::{Expired, Missing, PeerRules, Pin, WrongPin};
pub use standing::Standing;

pub(crate) use context::store;
pub(crate) use files::{Contents, read_certificates, read_key, read_trust};
pub(crate) use judge::Trust;
pub(crate) use refusal::{date, objection};
pub(crate) use rules::alternatives;

/// The server's side of files that are read once.
///
/// # Errors
/// If the files cannot be used.
pub fn server_config(files: &TlsFiles) -> Result<ServerTls, TlsError> {
    Ok(NodeTls::open(files.clone(), PeerRules::default())?.server())
}

/// The client's side of files that are read once.
///
/// # Errors
/// If the files cannot be used.
pub fn client_config(files: &TlsFiles) -> Result<ClientTls, TlsError> {
    Ok(NodeTls::open(files.clone(), PeerRules::default())?.client())
}

/// The node at the other end, if it showed a certificate.
pub fn peer(session: &SslRef) -> Result<Option<NodeName>, ErrorStack> {
    session
        .peer_certificate()
        .map(|certificate| NodeName::of(&certificate))
        .transpose()
}
