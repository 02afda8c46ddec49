//! Who is calling: a node, perhaps for a user, from an address.

use std::fmt;
use std::net::SocketAddr;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::x509::{X509NameRef, X509Ref};

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The node that the client certificate names; nobody on connections without one.
    pub node: Option<NodeName>,
    /// The user that an assertion names (ITI-40).
    pub user: Option<User>,
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// Where the answer is wanted, if it is not on the connection: an address that we send to.
    pub reply_to: Option<String>,
}

impl Caller {
    /// Somebody at `address` who did not say who they are.
    pub const fn unknown(address: SocketAddr) -> Self {
        Self {
            node: None,
            user: None,
            address,
            reply_to: None,
        }
    }
}

/// A node, as its certificate names it. The fingerprint is what identifies it: ITI-19 lets nobody
/// depend on what a certificate says about its holder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeName {
    /// The distinguished name, most special part first: `CN=viewer.example, O=Example Clinic`.
    pub subject: String,
    /// SHA-256 of the certificate, in lower case hexadecimal.
    pub fingerprint: String,
}

impl NodeName {
    /// The node that `certificate` names.
    pub fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        let digest = certificate.digest(MessageDigest::sha256())?;
        Ok(Self {
            subject: distinguished_name(certificate.subject_name()),
            fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// The common name if there is one, else the whole subject.
    pub fn short(&self) -> &str {
        self.subject
            .split(", ")
            .find_map(|part| part.strip_prefix("CN="))
            .unwrap_or(&self.subject)
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.subject)
    }
}

/// A user, as an assertion names them (ITI-40).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    /// The subject of the assertion.
    pub name: String,
    /// Who vouches for it.
    pub issuer: String,
}

/// Writes a name as people read it. Control characters cannot get into logs this way.
pub(crate) fn distinguished_name(name: &X509NameRef) -> String {
    let mut parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let kind = entry.object().nid().short_name().unwrap_or("OID");
            let value = entry.data().to_string().unwrap_or_default();
            let value: String = value
                .chars()
                .map(|character| {
                    if character.is_control() {
                        '\u{fffd}'
                    } else {
                        character
                    }
                })
                .collect();
            format!("{kind}={}", value.replace(", ", "\\, "))
        })
        .collect();
    parts.reverse();
    parts.join(", ")
}
