//! What is checked of peers beyond the chain of their certificates.

use std::path::PathBuf;

use openssl::x509::X509Ref;
use serde::Deserialize;
use thiserror::Error;

use crate::caller::NodeName;

/// What is checked of peers beyond the chain of their certificates. By default nothing is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerRules {
    /// Revocation lists: PEM files, DER files, and folders of them. If there are any, the
    /// certificates of peers and of the authorities between are looked up.
    pub revocation: Vec<PathBuf>,
    /// What a list that has expired is good for.
    pub revocation_expired: Expired,
    /// Who passes whose issuer has no list here.
    pub revocation_missing: Missing,
    /// Certificates that are trusted whoever signed them.
    pub pinned: Vec<Pin>,
    /// Who of those who are trusted may call: whole subjects, or DNS names and addresses of
    /// certificates. Everybody who is trusted, if there are none.
    pub names: Vec<String>,
}

/// What a revocation list that has expired is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expired {
    /// Nothing: who might be revoked meanwhile does not pass.
    #[default]
    Refuse,
    /// It is used, and that is logged.
    Warn,
}

/// Who passes whose issuer has no revocation list here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Nobody.
    #[default]
    Refuse,
    /// Everybody.
    Accept,
}

/// A certificate that is trusted whoever signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pin {
    /// Those in this PEM file.
    File(PathBuf),
    /// That of this SHA-256 fingerprint.
    Fingerprint([u8; 32]),
}

/// Something looks like a fingerprint and is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a fingerprint is sha256: and 64 hexadecimal digits, with or without colons between")]
pub struct WrongPin;

impl Pin {
    /// A file, or a fingerprint after `sha256:` as `openssl x509 -fingerprint -sha256` and
    /// `hilum certs list` write them.
    ///
    /// # Errors
    /// If it begins like a fingerprint and is none.
    pub fn parse(text: &str) -> Result<Self, WrongPin> {
        let Some(digits) = text.strip_prefix("sha256:") else {
            return Ok(Self::File(PathBuf::from(text)));
        };
        let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b':').collect();
        let mut fingerprint = [0; 32];
        if digits.len() != 64 {
            return Err(WrongPin);
        }
        for (byte, pair) in fingerprint.iter_mut().zip(digits.chunks(2)) {
            let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or(WrongPin);
            let value = nibble(pair[0])? * 16 + nibble(pair[1])?;
            *byte = u8::try_from(value).map_err(|_| WrongPin)?;
        }
        Ok(Self::Fingerprint(fingerprint))
    }
}

/// Whether one of `names` means the holder of this certificate.
pub(super) fn names_allow(names: &[String], certificate: &X509Ref) -> bool {
    if names.is_empty() {
        return true;
    }
    let subject = NodeName::of(certificate).map(|name| name.subject);
    let subject = subject.unwrap_or_default();
    let alternatives = alternatives(certificate);
    names.iter().any(|name| match name.contains('=') {
        true => *name == subject,
        false => alternatives.iter().any(|it| it.eq_ignore_ascii_case(name)),
    })
}

/// The DNS names and addresses of a certificate.
pub(crate) fn alternatives(certificate: &X509Ref) -> Vec<String> {
    let names = certificate.subject_alt_names();
    let names = names.iter().flatten().filter_map(|name| {
        let address = || address(name.ipaddress()?);
        let plain = |name: &str| name.chars().filter(|c| !c.is_control()).collect();
        name.dnsname().map(plain).or_else(address)
    });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    use std::net::IpAddr;
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let six = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four.or_else(|_| six()).ok().map(|it| it.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::development_ca::Identity;

    #[test]
    fn pins_are_files_or_fingerprints() {
        let plain = format!("sha256:{}", "0a".repeat(32));
        let colons = format!("sha256:{}", vec!["0A"; 32].join(":"));
        assert_eq!(Pin::parse(&plain), Ok(Pin::Fingerprint([10; 32])));
        assert_eq!(Pin::parse(&colons), Ok(Pin::Fingerprint([10; 32])));
        assert_eq!(Pin::parse("a/b.pem"), Ok(Pin::File("a/b.pem".into())));
        for wrong in ["sha256:", "sha256:0a", &plain.replace("0a", "0g")] {
            assert_eq!(Pin::parse(wrong), Err(WrongPin), "{wrong}");
        }
        assert_eq!(Pin::parse(&format!("{plain}0a")), Err(WrongPin));
    }

    #[test]
    fn names_are_whole_subjects_or_alternative_names() {
        let authority = Identity::authority("CA", 1).unwrap();
        let names = ["ward.example".to_owned(), "192.0.2.7".to_owned()];
        let node = authority.issue("ward", &names, 1).unwrap().certificate;
        let allow = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
            names_allow(&names, &node)
        };
        assert!(allow(&[]));
        assert!(allow(&["elsewhere", "Ward.Example"]));
        assert!(allow(&["192.0.2.7"]));
        assert!(allow(&["CN=ward, O=Hilum development"]));
        // A common name alone is nobody's name: anybody may be called so.
        for other in ["ward", "CN=ward", "ward.example.org", "192.0.2.70", "*"] {
            assert!(!allow(&[other]), "{other}");
        }
    }
}
