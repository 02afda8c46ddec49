//! Who is calling: a node, perhaps for a user, from an address.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::x509::{X509NameRef, X509Ref};

use crate::permission::Permission;

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The node that the client certificate names; nobody on connections without one.
    pub node: Option<NodeName>,
    /// The user that an assertion (ITI-40) or a token (ITI-72) names.
    pub user: Option<Arc<User>>,
    /// Where the connection comes from.
    pub address: SocketAddr,
    /// What it calls itself where it speaks DICOM's own protocol: the calling AE title, which nothing
    /// proves.
    pub ae_title: Option<String>,
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
            ae_title: None,
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
    /// The certificate itself, as long as it is on the connection.
    pub certificate: Shown,
}

/// The certificate that a node showed (DER); nothing where only its name is known.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Shown(pub(crate) Option<Arc<[u8]>>);

/// Without the bytes.
impl fmt::Debug for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Some(_) => "shown",
            None => "unknown",
        })
    }
}

impl NodeName {
    /// The node that `certificate` names.
    pub fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        let digest = certificate.digest(MessageDigest::sha256())?;
        Ok(Self {
            subject: distinguished_name(certificate.subject_name()),
            fingerprint: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            certificate: Shown(Some(certificate.to_der()?.into())),
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

/// A user, as an assertion (ITI-40) or a token (ITI-72) names them. Both bring the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct User {
    /// The subject.
    pub name: String,
    /// Who vouches for it.
    pub issuer: String,
    /// By what it was vouched for.
    pub vouched: Vouched,
    /// Another name of the subject: `SPProvidedID`.
    pub alias: Option<String>,
    /// The subject's name for people: `urn:oasis:names:tc:xspa:1.0:subject:subject-id`.
    pub full_name: Option<String>,
    /// The subject's organisation, for people.
    pub organization: Option<String>,
    /// The subject's organisation: `urn:oid:…` or a URL.
    pub organization_id: Option<String>,
    /// The community from which the subject asks: `urn:oid:…`.
    pub home_community_id: Option<String>,
    /// National provider identifiers: what was given as text, or `root^extension` of an II.
    pub provider_ids: Vec<String>,
    /// In which roles the subject asks.
    pub roles: Vec<UserCode>,
    /// For which purposes: copied into audit messages.
    pub purposes: Vec<UserCode>,
    /// The patient whom it is about, as CX: `resource-id`.
    pub patient_id: Option<String>,
    /// The uniqueId of the document in which the patient consented (BPPC).
    pub consent_document: Option<String>,
    /// The privacy policy to which the patient consented: an OID as `urn:oid:…`.
    pub privacy_policy: Option<String>,
    /// The program that asks: `client_id` of a token.
    pub client_id: Option<String>,
    /// What a token is for; empty if it does not say.
    pub scopes: Vec<String>,
    /// What the scopes allow, as far as they are known; if the token does not say what it is for,
    /// they forbid nothing.
    pub permissions: Option<Vec<Permission>>,
    /// Why the subject breaks the glass, in its own words.
    pub reason: Option<String>,
}

/// By what a user is vouched for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Vouched {
    /// A SAML assertion in a SOAP header (ITI-40).
    #[default]
    Assertion,
    /// A bearer token (ITI-72).
    Token,
}

/// A role or a purpose: a code of a code system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UserCode {
    /// The code.
    pub code: String,
    /// Its system, an OID or a URI as it was given.
    pub system: String,
    /// The same for people.
    pub display: Option<String>,
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
