//! What an administrator wants to know about certificates before they fail: `hilum check`.

use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::{X509, X509Ref, X509StoreContext};

use crate::caller::NodeName;
use crate::iti19_authenticate_node::{
    Contents, PeerRules, TlsError, TlsFiles, Trust, alternatives, date, objection,
    read_certificates, read_key, read_trust, store,
};

/// A certificate, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it names.
    pub node: NodeName,
    /// Who signed it.
    pub issuer: String,
    /// When it begins to be valid.
    pub not_before: String,
    /// When it ceases to be valid.
    pub not_after: String,
    /// Whole days until then; negative if it is past.
    pub days_left: i32,
    /// Whether it is not valid yet.
    pub not_yet_valid: bool,
}

impl CertificateFacts {
    pub(crate) fn of(certificate: &X509Ref) -> Result<Self, ErrorStack> {
        let now = Asn1Time::days_from_now(0)?;
        let left = now.diff(certificate.not_after())?;
        Ok(Self {
            node: NodeName::of(certificate)?,
            issuer: crate::caller::distinguished_name(certificate.issuer_name()),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            // A rest of a negative day counts as a day.
            days_left: if left.secs < 0 {
                left.days - 1
            } else {
                left.days
            },
            not_yet_valid: certificate.not_before() > now,
        })
    }
}

/// A certificate that was read from a file.
pub struct Certificate(pub(crate) X509);

impl Certificate {
    /// The first of a PEM file.
    ///
    /// # Errors
    /// If there is none.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let first = read_certificates(path)?.into_iter().next();
        first.map(Self).ok_or_else(|| TlsError::Content {
            path: path.to_owned(),
            problem: "holds no certificate in PEM form",
        })
    }

    /// What it says.
    ///
    /// # Errors
    /// If the library cannot read its dates.
    pub fn facts(&self) -> Result<CertificateFacts, TlsError> {
        Ok(CertificateFacts::of(&self.0)?)
    }

    /// The DNS names and addresses by which its holder is reached.
    pub fn names(&self) -> Vec<String> {
        alternatives(&self.0)
    }
}

/// What was found out about the files of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The node's own certificate.
    pub own: CertificateFacts,
    /// Whether the key is that of the certificate.
    pub key_matches: bool,
    /// Why the node would not trust a peer with its own certificate; `None` if it would. Nodes of
    /// one authority trust each other, so this is usually wanted, but with directly trusted
    /// certificates it is not needed.
    pub not_trusted_here: Option<String>,
    /// Everybody who is trusted.
    pub trusted: Vec<CertificateFacts>,
}

/// A revocation list, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFacts {
    /// Whose it is.
    pub issuer: String,
    /// How many certificates stand in it.
    pub revoked: usize,
    /// When the next one is due; never, if it does not say.
    pub next_update: Option<String>,
    /// Whole days until then; negative if it is past.
    pub days_left: Option<i32>,
    /// Whether its issuer is trusted here. If not, it counts only where peers show its issuer.
    pub issuer_is_trusted: bool,
}

/// Who is pinned and which revocation lists there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesFacts {
    /// The certificates of pinned files.
    pub pinned: Vec<CertificateFacts>,
    /// The lists.
    pub lists: Vec<ListFacts>,
    /// Authorities in `trust` that have none.
    pub without_list: Vec<NodeName>,
}

/// Looks at what is checked of peers beyond the chain of their certificates.
///
/// # Errors
/// If a file cannot be used.
pub fn inspect_rules(files: &TlsFiles, rules: &PeerRules) -> Result<RulesFacts, TlsError> {
    let trust = Trust::of(&Contents::read(files, rules)?, rules)?;
    let now = Asn1Time::days_from_now(0)?;
    let mut lists = Vec::new();
    for list in trust.lists() {
        let left = list.next_update().map(|next| now.diff(next)).transpose()?;
        lists.push(ListFacts {
            issuer: crate::caller::distinguished_name(list.issuer_name()),
            revoked: list.get_revoked().map_or(0, |entries| entries.len()),
            next_update: list.next_update().map(date),
            days_left: left.map(|left| left.days - i32::from(left.secs < 0)),
            issuer_is_trusted: trust.issuers_of(list).next().is_some(),
        });
    }
    let pinned = trust.pinned().iter().map(|it| CertificateFacts::of(it));
    let without_list = trust.without_list().map(|it| NodeName::of(it));
    Ok(RulesFacts {
        pinned: pinned.collect::<Result<_, _>>()?,
        without_list: without_list.collect::<Result<_, _>>()?,
        lists,
    })
}

/// Looks at the files of a node.
pub fn inspect(files: &TlsFiles) -> Result<Inspection, TlsError> {
    let chain = read_certificates(&files.certificate)?;
    let own = chain.first().ok_or_else(|| TlsError::Content {
        path: files.certificate.clone(),
        problem: "holds no certificate in PEM form",
    })?;
    let key = read_key(&files.key)?;
    let trust = read_trust(&files.trust)?;
    let trusted = trust
        .iter()
        .map(|one| CertificateFacts::of(one))
        .collect::<Result<_, _>>()?;
    Ok(Inspection {
        own: CertificateFacts::of(own)?,
        key_matches: own.public_key()?.public_eq(&key),
        not_trusted_here: verify(own, &chain[1..], trust)?,
        trusted,
    })
}

/// Why no chain leads from the certificate to somebody trusted.
fn verify(own: &X509, between: &[X509], trust: Vec<X509>) -> Result<Option<String>, ErrorStack> {
    let mut chain = Stack::new()?;
    for certificate in between {
        chain.push(certificate.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    let trusted = store(&trust)?;
    context.init(&trusted, own, &chain, |context| {
        let trusted = context.verify_cert()?;
        Ok((!trusted).then(|| objection(context)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::development_ca::Identity;

    #[test]
    fn tells_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Identity::authority("CA", 10).unwrap();
        authority.write(&path("ca.pem"), &path("ca.key")).unwrap();
        let node = authority.issue("node", &[], 5).unwrap();
        node.write(&path("node.pem"), &path("node.key")).unwrap();
        let other = Identity::authority("other", 10).unwrap();
        other.write(&path("other.pem"), &path("other.key")).unwrap();
        let mut files = TlsFiles {
            certificate: path("node.pem"),
            key: path("node.key"),
            trust: vec![path("ca.pem")],
            client_certificate_required: true,
            check_server_name: true,
        };
        let found = inspect(&files).unwrap();
        assert!(found.key_matches);
        assert_eq!(found.not_trusted_here, None);
        assert_eq!(found.own.node.short(), "node");
        assert_eq!(found.own.node.subject, "CN=node, O=Hilum development");
        assert_eq!(found.own.issuer, "CN=CA, O=Hilum development");
        assert!(
            (4..=5).contains(&found.own.days_left),
            "{}",
            found.own.days_left
        );
        assert!(!found.own.not_yet_valid);
        assert_eq!(found.trusted.len(), 1);

        files.trust = vec![path("other.pem")];
        files.key = path("other.key");
        let found = inspect(&files).unwrap();
        assert!(!found.key_matches);
        assert!(
            found
                .not_trusted_here
                .unwrap()
                .contains("issuer not in trust: CN=")
        );

        files.trust = vec![path("nothing.pem")];
        assert!(
            inspect(&files)
                .unwrap_err()
                .to_string()
                .contains("nothing.pem: cannot be read")
        );
        files.trust = vec![path("ca.key")];
        assert!(
            inspect(&files)
                .unwrap_err()
                .to_string()
                .contains("no certificate")
        );
    }
}
