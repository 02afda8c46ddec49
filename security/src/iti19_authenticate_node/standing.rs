//! Whether who is connected is still accepted.

use openssl::x509::X509;
use tokio::sync::watch;

use super::judge::Side;
use super::node::NodeTls;
use super::refusal::NotAuthenticated;
use crate::caller::distinguished_name;

/// Whether who is connected is still accepted: looked at again when files of [`NodeTls`] changed, and
/// every hour.
pub struct Standing {
    node: NodeTls,
    side: Side,
    certificate: X509,
    between: Vec<X509>,
    changed: watch::Receiver<()>,
}

impl Standing {
    pub(super) const fn new(
        node: NodeTls,
        side: Side,
        certificate: X509,
        between: Vec<X509>,
        changed: watch::Receiver<()>,
    ) -> Self {
        Self {
            node,
            side,
            certificate,
            between,
            changed,
        }
    }

    /// Ends when the other end is no longer accepted, and says why.
    pub async fn lost(mut self) -> NotAuthenticated {
        loop {
            if self.changed.changed().await.is_err() {
                // We hold the sender, so this cannot be.
                std::future::pending::<()>().await;
            }
            let trust = std::sync::Arc::clone(&self.node.current().trust);
            let passes = trust.passes_still(self.side, &self.certificate, &self.between);
            if let Err(reason) = passes {
                return NotAuthenticated {
                    subject: Some(distinguished_name(self.certificate.subject_name())),
                    ..NotAuthenticated::because(reason)
                };
            }
        }
    }
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let subject = distinguished_name(self.certificate.subject_name());
        out.debug_struct("Standing")
            .field("subject", &subject)
            .finish_non_exhaustive()
    }
}
