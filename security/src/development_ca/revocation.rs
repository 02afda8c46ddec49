//! Revocation lists of the authority for trying things out.

use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::x509::extension::AuthorityKeyIdentifier;
use openssl::x509::{
    CrlNumber, CrlStatus, X509, X509Crl, X509CrlBuilder, X509Ref, X509RevokedBuilder,
};
use thiserror::Error;

use super::{Identity, unix_now};
use crate::inspection::Certificate;
use crate::iti19_authenticate_node::{TlsError, date};

/// A list is valid from a while before it is made, as certificates are.
const BEFORE: i64 = 3600;

impl Identity {
    /// The next revocation list of this authority: what stood in the one before, and `revoked`. It is
    /// valid for `seconds` from now; a list that has expired already is made with a negative number.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn revocation_list(
        &self,
        before: Option<&X509Crl>,
        revoked: &[&X509Ref],
        seconds: i64,
    ) -> Result<X509Crl, ErrorStack> {
        let mut builder = X509CrlBuilder::new()?;
        builder.set_issuer_name(self.certificate.subject_name())?;
        let now = unix_now();
        let end = now.saturating_add(seconds);
        let begin = Asn1Time::from_unix(now.min(end) - BEFORE)?;
        builder.set_last_update(&begin)?;
        let end = Asn1Time::from_unix(end)?;
        builder.set_next_update(&end)?;
        for entry in before
            .and_then(|before| before.get_revoked())
            .into_iter()
            .flatten()
        {
            builder.add_revoked(entry.to_owned()?)?;
        }
        let now = Asn1Time::from_unix(now)?;
        for certificate in revoked {
            if before.is_some_and(|before| stands_in(before, certificate)) {
                continue;
            }
            let mut entry = X509RevokedBuilder::new()?;
            entry.set_serial_number(certificate.serial_number())?;
            entry.set_revocation_date(&now)?;
            builder.add_revoked(entry.build())?;
        }
        let number = before.map(|before| before.extension::<CrlNumber>());
        let number = match number.transpose()?.flatten() {
            Some((_, number)) => {
                let mut next = number.to_bn()?;
                next.add_word(1)?;
                next
            }
            None => BigNum::from_u32(1)?,
        };
        let context = X509::builder()?;
        let context = context.x509v3_context(Some(&self.certificate), None);
        let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        builder.append_extension(issuer)?;
        builder.append_extension(CrlNumber::new(number)?.build()?)?;
        builder.sort()?;
        builder.sign(&self.key, MessageDigest::sha256())?;
        builder.build()
    }
}

/// Whether a certificate is revoked by a list of its issuer.
fn stands_in(list: &X509Crl, certificate: &X509Ref) -> bool {
    let status = list.get_by_serial(certificate.serial_number());
    matches!(status, CrlStatus::Revoked(_))
}

/// A revocation list of this authority, in a file.
pub struct RevocationList(X509Crl);

impl RevocationList {
    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If it is no revocation list in PEM form.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let read = std::fs::read(path).map_err(|source| TlsError::File {
            path: path.to_owned(),
            source,
        })?;
        let list = X509Crl::from_pem(&read).map_err(|_| TlsError::Content {
            path: path.to_owned(),
            problem: "holds no revocation list in PEM form",
        })?;
        Ok(Self(list))
    }

    /// Writes it in PEM form, in the place of what is there.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, self.0.to_pem()?)
    }

    /// How many certificates stand in it.
    pub fn count(&self) -> usize {
        self.0.get_revoked().map_or(0, |entries| entries.len())
    }

    /// When a certificate was revoked, if it was.
    pub fn revoked(&self, certificate: &Certificate) -> Option<String> {
        let certificate = &certificate.0;
        let issuer = certificate.issuer_name().try_cmp(self.0.issuer_name());
        let is_issuer = issuer.is_ok_and(std::cmp::Ordering::is_eq);
        match self.0.get_by_serial(certificate.serial_number()) {
            CrlStatus::Revoked(entry) if is_issuer => Some(date(entry.revocation_date())),
            _ => None,
        }
    }
}

impl Identity {
    /// The next revocation list of this authority, valid for `days`: what stood in the one before,
    /// and these.
    ///
    /// # Errors
    /// If the one before, or one of these, is not of this authority.
    pub fn next_list(
        &self,
        before: Option<&RevocationList>,
        revoked: &[&Certificate],
        days: u32,
    ) -> Result<RevocationList, NotOurs> {
        if let Some(before) = before
            && !before.0.verify(&self.key)?
        {
            return Err(NotOurs::List);
        }
        for certificate in revoked {
            if !certificate.0.verify(&self.key)? {
                return Err(NotOurs::Certificate);
            }
        }
        let revoked: Vec<&X509Ref> = revoked.iter().map(|it| &*it.0).collect();
        let before = before.map(|before| &before.0);
        let list = self.revocation_list(before, &revoked, i64::from(days) * 86_400)?;
        Ok(RevocationList(list))
    }
}

/// A revocation list cannot be made.
#[derive(Debug, Error)]
pub enum NotOurs {
    /// The list before is somebody else's.
    #[error("the revocation list that is there is not signed by this authority")]
    List,
    /// A certificate is somebody else's.
    #[error("the certificate is not signed by this authority")]
    Certificate,
    /// The library refused.
    #[error("the TLS library refused: {0}")]
    Library(#[from] ErrorStack),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_grow_and_are_numbered() {
        let authority = Identity::authority("CA", 1).unwrap();
        let [one, two, three] = ["1", "2", "3"].map(|name| authority.issue(name, &[], 1).unwrap());
        let first = authority.revocation_list(None, &[&one.certificate], 60);
        let first = first.unwrap();
        let both = [&*one.certificate, &*two.certificate];
        let second = authority.revocation_list(Some(&first), &both, 60).unwrap();
        assert!(second.verify(&authority.key).unwrap());
        assert_eq!(second.get_revoked().unwrap().len(), 2);
        assert!(stands_in(&second, &one.certificate) && stands_in(&second, &two.certificate));
        assert!(!stands_in(&second, &three.certificate));
        let number = second.extension::<CrlNumber>().unwrap().unwrap().1;
        assert_eq!(number.to_bn().unwrap().to_string(), "2");
        let now = Asn1Time::days_from_now(0).unwrap();
        let late = authority.revocation_list(None, &[], -60).unwrap();
        assert!(late.next_update().unwrap() < now && second.next_update().unwrap() > now);
    }
}
