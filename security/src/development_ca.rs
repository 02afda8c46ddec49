//! A certificate authority for trying things out: `hilum init`, `hilum demo` and the tests.
//!
//! Its certificates are like real ones, but its key lies in a file without a passphrase. It is
//! made anew wherever it is needed and never committed.

mod revocation;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Name};

pub use revocation::{NotOurs, RevocationList};

use crate::caller::NodeName;
use crate::inspection::Certificate;

/// The names by which every node can be reached on its own machine.
const LOCAL_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// A key and the certificate that goes with it.
pub struct Identity {
    /// The certificate.
    pub certificate: X509,
    /// Its private key.
    pub key: PKey<Private>,
}

impl Identity {
    /// A new authority that is valid for `days` from now.
    pub fn authority(name: &str, days: u32) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(name, &key, days)?;
        let name = subject(name)?;
        builder.set_issuer_name(&name)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        let usage = KeyUsage::new()
            .critical()
            .key_cert_sign()
            .crl_sign()
            .build()?;
        builder.append_extension(usage)?;
        let identifier = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(identifier)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self {
            certificate: builder.build(),
            key,
        })
    }

    /// A new node of this authority, server and client in one. It can be reached as `localhost`
    /// and by `names`, which are DNS names and addresses.
    pub fn issue(&self, name: &str, names: &[String], days: u32) -> Result<Self, ErrorStack> {
        let key = new_key()?;
        let mut builder = builder(name, &key, days)?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        let usage = KeyUsage::new().critical().digital_signature().build()?;
        builder.append_extension(usage)?;
        let usage = ExtendedKeyUsage::new()
            .server_auth()
            .client_auth()
            .build()?;
        builder.append_extension(usage)?;
        let mut alternatives = SubjectAlternativeName::new();
        for name in LOCAL_NAMES
            .into_iter()
            .chain(names.iter().map(String::as_str))
        {
            match name.parse::<IpAddr>() {
                Ok(_) => alternatives.ip(name),
                Err(_) => alternatives.dns(name),
            };
        }
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let alternatives = alternatives.build(&context)?;
        let own = SubjectKeyIdentifier::new().build(&context)?;
        let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        for extension in [alternatives, own, issuer] {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;
        Ok(Self {
            certificate: builder.build(),
            key,
        })
    }

    /// The same node again, with a new key: it has the names of its certificate before.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn renew(&self, before: &Certificate, days: u32) -> Result<Self, ErrorStack> {
        let name = NodeName::of(&before.0)?;
        let mut names = before.names();
        names.retain(|name| !LOCAL_NAMES.contains(&name.as_str()));
        self.issue(name.short(), &names, days)
    }

    /// Writes certificate and key as PEM. An existing file is not overwritten, and only the owner
    /// may read the key.
    pub fn write(&self, certificate: &Path, key: &Path) -> std::io::Result<()> {
        write_new(key, 0o600, &self.key.private_key_to_pem_pkcs8()?)?;
        write_new(certificate, 0o644, &self.certificate.to_pem()?)
    }

    /// Reads what [`write`](Self::write) wrote.
    pub fn read(
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, crate::iti19_authenticate_node::TlsError> {
        use crate::iti19_authenticate_node::{TlsError, read_certificates, read_key};
        let path = certificate;
        let certificate = read_certificates(path)?.into_iter().next();
        let certificate = certificate.ok_or_else(|| TlsError::Content {
            path: path.to_owned(),
            problem: "holds no certificate in PEM form",
        })?;
        Ok(Self {
            certificate,
            key: read_key(key)?,
        })
    }
}

fn new_key() -> Result<PKey<Private>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&group)?)
}

fn subject(name: &str) -> Result<X509Name, ErrorStack> {
    let mut subject = X509Name::builder()?;
    subject.append_entry_by_nid(Nid::ORGANIZATIONNAME, "Hilum development")?;
    subject.append_entry_by_nid(Nid::COMMONNAME, name)?;
    Ok(subject.build())
}

fn builder(name: &str, key: &PKey<Private>, days: u32) -> Result<X509Builder, ErrorStack> {
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let serial = serial.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    let name = subject(name)?;
    builder.set_subject_name(&name)?;
    builder.set_pubkey(key)?;
    let (begin, end) = (an_hour_ago()?, Asn1Time::days_from_now(days)?);
    builder.set_not_before(&begin)?;
    builder.set_not_after(&end)?;
    Ok(builder)
}

/// The clocks of the machines that try things out together need not agree exactly.
fn an_hour_ago() -> Result<Asn1Time, ErrorStack> {
    Asn1Time::from_unix(unix_now() - 3600)
}

fn unix_now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

fn write_new(path: &Path, mode: u32, content: &[u8]) -> std::io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?
        .write_all(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_for_their_owner_and_are_not_overwritten() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("ca.pem"), folder.path().join("ca.key"));
        let authority = Identity::authority("CA", 1).unwrap();
        authority.write(&certificate, &key).unwrap();
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(authority.write(&certificate, &key).is_err());
        let read = Identity::read(&certificate, &key).unwrap();
        assert_eq!(read.certificate, authority.certificate);
    }

    #[test]
    fn a_node_has_its_names() {
        let authority = Identity::authority("CA", 1).unwrap();
        let names = ["registry.example".to_owned(), "192.0.2.7".to_owned()];
        let node = authority.issue("registry", &names, 1).unwrap();
        assert!(node.certificate.verify(&authority.key).unwrap());
        let names: Vec<String> = node
            .certificate
            .subject_alt_names()
            .unwrap()
            .iter()
            .map(|name| {
                name.dnsname()
                    .map_or_else(|| format!("{:?}", name.ipaddress().unwrap()), str::to_owned)
            })
            .collect();
        assert_eq!(names[0], "localhost");
        assert_eq!(names[3], "registry.example");
        assert_eq!(names[4], "[192, 0, 2, 7]");
    }
}
