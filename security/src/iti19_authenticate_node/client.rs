//! The client's side of a node's TLS.

use std::fmt;
use std::net::IpAddr;
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
    /// What the server's certificate names, if that is not the host.
    named: Option<Arc<str>>,
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
            named: None,
            witness: None,
        }
    }

    /// The same, but failures are told.
    #[must_use]
    pub fn witnessed(mut self, witness: Witness) -> Self {
        self.witness = Some(witness);
        self
    }

    /// The same, for a server whose certificate has this name: a DNS name or an address, whatever host is
    /// connected to.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.named = Some(name.into());
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
        let checks_host = self.check_server_name && self.named.is_none();
        configuration.set_verify_hostname(checks_host);
        let mut session = configuration.into_ssl(host)?;
        // RFC 9525: names are in the alternative names only, never in the common name.
        let wanted = self.named.as_deref().unwrap_or(host);
        if let Some(name) = self.named.as_deref().filter(|_| self.check_server_name) {
            match name.parse::<IpAddr>() {
                Ok(address) => session.param_mut().set_ip(address)?,
                Err(_) => session.param_mut().set_host(name)?,
            }
        }
        let flags = X509CheckFlags::NO_PARTIAL_WILDCARDS | X509CheckFlags::NEVER_CHECK_SUBJECT;
        session.param_mut().set_hostflags(flags);
        refusal::begin(&mut session, Some(wanted));
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
