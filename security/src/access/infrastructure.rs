//! Nodes that ask so that others can be answered: a repository that asks what a document is, a gateway.

use std::net::IpAddr;

use super::CertificateWord;
use crate::caller::Caller;

/// Nodes that are part of the infrastructure. If they ask for nobody, they get everything: what is told
/// to others on behalf of their users, they decide themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infrastructure {
    certificates: Vec<CertificateWord>,
    addresses: Vec<IpAddr>,
}

impl Infrastructure {
    /// Adds a node by what its certificate says (`CN=repository.example` or the whole subject), by the
    /// SHA-256 of its certificate, or by its address (`address 127.0.0.1`) where nodes have no
    /// certificates.
    ///
    /// # Errors
    /// If the text is none of these.
    pub fn add(&mut self, node: &str) -> Result<(), String> {
        if let Some(address) = node.strip_prefix("address ") {
            let address = address.trim().parse();
            let address = address.map_err(|_| format!("{node:?}: it is no address"))?;
            self.addresses.push(address);
            return Ok(());
        }
        let word = CertificateWord::parse(node);
        let word = word.map_err(|problem| format!("{problem} nor \"address IP\""))?;
        self.certificates.push(word);
        Ok(())
    }

    /// Whether a caller is one of these nodes, and asks for nobody else.
    pub fn has(&self, caller: &Caller) -> bool {
        if caller.user.is_some() {
            return false;
        }
        let Some(node) = &caller.node else {
            return self.addresses.contains(&caller.address.ip());
        };
        self.certificates.iter().any(|word| word.is(node))
    }
}
