//! Nodes that ask so that others can be answered: a repository that asks what a document is, a gateway.

use std::net::IpAddr;

use crate::caller::Caller;

/// Nodes that are part of the infrastructure. If they ask for nobody, they get everything: what is told
/// to others on behalf of their users, they decide themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infrastructure {
    subjects: Vec<String>,
    fingerprints: Vec<String>,
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
        } else if node.contains('=') {
            self.subjects.push(node.to_owned());
        } else {
            let digits: String = node.chars().filter(|digit| *digit != ':').collect();
            if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(format!(
                    "{node:?}: it is neither CN=NAME nor the SHA-256 of a certificate nor \
                     \"address IP\""
                ));
            }
            self.fingerprints.push(digits.to_ascii_lowercase());
        }
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
        self.fingerprints.contains(&node.fingerprint)
            || (self.subjects.iter()).any(|subject| node.is_called(subject))
    }
}
