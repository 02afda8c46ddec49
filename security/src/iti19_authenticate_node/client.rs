//! The client's side of a node's TLS.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Error, Ssl, SslRef};
use openssl::x509::verify::X509CheckFlags;

use super::judge::Side;
use super::node::NodeTls;
use super::refusal::{self, NotAuthenticated};
use super::standing::Standing;

/// The client's side of a node's TLS.
#[derive(Clone)]
pub struct ClientTls {
    node: NodeTls,
    check_server_name: bool,
    witness: Option<Witness>,
}

/// Told of a host with which there was no TLS, and why; what it does with that is waited for.
pub type Witness = Arc<dyn Fn(&str, &str) -> Told + Send + Sync>;
/// What a [`Witness`] does.
pub type Told = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ClientTls {
    pub(super) const fn of(node: NodeTls, check_server_name: bool) -> Self {
        Self {
            node,
            check_server_name,
            witness: None,
        }
    }

    /// The same, but failures are told.
    #[must_use]
    pub fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// The handshake with a host has failed: whoever is to know is told.
    pub async fn failed(&self, host: &str, why: &str) {
        if let Some(witness) = &self.witness {
            witness(host, why).await;
        }
    }

    /// The TLS state for one connection to `host`.
    ///
    /// # Errors
    /// If the library cannot make one.
    pub fn session(&self, host: &str) -> Result<Ssl, ErrorStack> {
        let mut configuration = self.node.current().connector.configure()?;
        configuration.set_verify_hostname(self.check_server_name);
        let mut session = configuration.into_ssl(host)?;
        // RFC 9525: names are in the alternative names only, never in the common name.
        let flags = X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT;
        session.param_mut().set_hostflags(flags);
        refusal::begin(&mut session, Some(host));
        Ok(session)
    }

    /// Why a handshake failed.
    pub fn refusal(&self, session: &SslRef, error: &Error) -> NotAuthenticated {
        NotAuthenticated::of(session, error)
    }

    /// Tells later whether the other end is still accepted.
    pub fn standing(&self, session: &SslRef) -> Option<Standing> {
        self.node.standing(session, Side::Client)
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientTls")
            .field("check_server_name", &self.check_server_name)
            .finish_non_exhaustive()
    }
}
