//! The algorithms of signatures that are accepted, and no others: RSA (PKCS #1 v1.5) and ECDSA, with
//! SHA-256 or longer.

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::sign::{Signer, Verifier};

/// Exclusive canonical XML without comments.
pub(super) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
/// The signature itself is not signed.
pub(super) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// The fewest bits of an RSA key.
const RSA_BITS: u32 = 2048;

/// A digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    pub(super) const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    pub(super) const fn uri(self) -> &'static str {
        match self {
            Self::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            Self::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            Self::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        }
    }

    fn openssl(self) -> MessageDigest {
        match self {
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    pub(super) fn of(self, bytes: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        Ok(hash(self.openssl(), bytes)?.to_vec())
    }
}

/// What kind of key a signature needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Rsa,
    Ecdsa,
}

/// How a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SignatureAlgorithm {
    pub(super) family: Family,
    pub(super) digest: Digest,
}

impl SignatureAlgorithm {
    pub(super) const fn uri(self) -> &'static str {
        match (self.family, self.digest) {
            (Family::Rsa, Digest::Sha256) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
            (Family::Rsa, Digest::Sha384) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
            (Family::Rsa, Digest::Sha512) => "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
            (Family::Ecdsa, Digest::Sha256) => {
                "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
            }
            (Family::Ecdsa, Digest::Sha384) => {
                "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384"
            }
            (Family::Ecdsa, Digest::Sha512) => {
                "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512"
            }
        }
    }

    pub(super) fn of_uri(uri: &str) -> Option<Self> {
        let of = |family| Digest::ALL.map(|digest| Self { family, digest });
        let all = of(Family::Rsa).into_iter().chain(of(Family::Ecdsa));
        all.into_iter().find(|algorithm| algorithm.uri() == uri)
    }

    /// What goes with a key.
    pub(super) fn with(key: &PKeyRef<Private>) -> Option<Self> {
        let digest = Digest::Sha256;
        family(key).map(|family| Self { family, digest })
    }

    /// Whether a signature is that of a key. A key of another kind has signed nothing.
    pub(super) fn verify(
        self,
        key: &PKeyRef<Public>,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<bool, ErrorStack> {
        if family(key) != Some(self.family) {
            return Ok(false);
        }
        let of_library;
        let signature = match self.family {
            Family::Rsa => signature,
            Family::Ecdsa => {
                // XML has both numbers one after the other, the library has ASN.1.
                let width = key.bits().div_ceil(8) as usize;
                if signature.len() != 2 * width {
                    return Ok(false);
                }
                let (r, s) = signature.split_at(width);
                let numbers = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
                of_library = EcdsaSig::from_private_components(numbers.0, numbers.1)?.to_der()?;
                &of_library
            }
        };
        let mut verifier = Verifier::new(self.digest.openssl(), key)?;
        verifier.verify_oneshot(signature, signed)
    }

    /// Signs.
    pub(super) fn sign(self, key: &PKey<Private>, bytes: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(self.digest.openssl(), key)?;
        let signature = signer.sign_oneshot_to_vec(bytes)?;
        match self.family {
            Family::Rsa => Ok(signature),
            Family::Ecdsa => {
                let width = i32::try_from(key.bits().div_ceil(8)).unwrap_or(i32::MAX);
                let numbers = EcdsaSig::from_der(&signature)?;
                let mut both = numbers.r().to_vec_padded(width)?;
                both.extend(numbers.s().to_vec_padded(width)?);
                Ok(both)
            }
        }
    }
}

/// What kind of key it is, if it is one that is accepted.
pub(super) fn family<T: HasPublic>(key: &PKeyRef<T>) -> Option<Family> {
    match key.id() {
        Id::RSA if key.bits() >= RSA_BITS => Some(Family::Rsa),
        Id::EC if key.bits() >= 256 => Some(Family::Ecdsa),
        _ => None,
    }
}
