//! OpenSSL as what checks and makes the signatures of tokens.

use std::sync::Once;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Signer as Sign, Verifier as Verify};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::nid::Nid;
use openssl::pkey::{HasPrivate, PKey, PKeyRef, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer, Verifier};

/// The fewest bits of an RSA key.
const RSA_BITS: u32 = 2048;
/// The fewest bytes of a secret (RFC 7518, section 3.2).
const SECRET_BYTES: usize = 32;

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    key_utils: KeyUtils::new_unimplemented(),
};
static INSTALLED: Once = Once::new();

/// Makes OpenSSL what the library uses. Whoever reads or writes tokens calls it first.
pub(super) fn install() {
    INSTALLED.call_once(|| {
        // Nobody else in this program has another one.
        let _ = PROVIDER.install_default();
    });
}

fn digest(algorithm: Algorithm) -> Option<MessageDigest> {
    match algorithm {
        Algorithm::HS256 | Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => {
            Some(MessageDigest::sha256())
        }
        Algorithm::HS384 | Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => {
            Some(MessageDigest::sha384())
        }
        Algorithm::HS512 | Algorithm::RS512 | Algorithm::PS512 => Some(MessageDigest::sha512()),
        _ => None,
    }
}

pub(super) const fn family(algorithm: Algorithm) -> Option<AlgorithmFamily> {
    match algorithm {
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Some(AlgorithmFamily::Hmac),
        Algorithm::RS256
        | Algorithm::RS384
        | Algorithm::RS512
        | Algorithm::PS256
        | Algorithm::PS384
        | Algorithm::PS512 => Some(AlgorithmFamily::Rsa),
        Algorithm::ES256 | Algorithm::ES384 => Some(AlgorithmFamily::Ec),
        _ => None,
    }
}

const fn is_pss(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512
    )
}

/// Bytes of each of the two numbers of a signature.
const fn width(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::ES384 => 48,
        _ => 32,
    }
}

fn failed(_: ErrorStack) -> signature::Error {
    signature::Error::new()
}

fn unusable(_: ErrorStack) -> Error {
    ErrorKind::InvalidKeyFormat.into()
}

enum CheckWith {
    Secret(PKey<Private>),
    Public(PKey<Public>),
}

struct Checks {
    algorithm: Algorithm,
    digest: MessageDigest,
    key: CheckWith,
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let algorithm = *algorithm;
    let (Some(digest), Some(family)) = (digest(algorithm), family(algorithm)) else {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    };
    // A key is for one family: a public key is never a secret.
    if key.family() != family {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = match (family, key.kind()) {
        (AlgorithmFamily::Hmac, DecodingKeyKind::SecretOrDer(secret)) => {
            if secret.len() < SECRET_BYTES {
                return Err(ErrorKind::InvalidKeyFormat.into());
            }
            CheckWith::Secret(PKey::hmac(secret).map_err(unusable)?)
        }
        (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
            CheckWith::Public(rsa(n, e).map_err(unusable)?)
        }
        (AlgorithmFamily::Ec, DecodingKeyKind::SecretOrDer(point)) => {
            CheckWith::Public(ec(algorithm, point).map_err(unusable)?)
        }
        _ => return Err(ErrorKind::InvalidKeyFormat.into()),
    };
    if let CheckWith::Public(key) = &key
        && family == AlgorithmFamily::Rsa
        && key.bits() < RSA_BITS
    {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(Checks {
        algorithm,
        digest,
        key,
    }))
}

fn rsa(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let (n, e) = (BigNum::from_slice(n)?, BigNum::from_slice(e)?);
    PKey::from_rsa(Rsa::from_public_components(n, e)?)
}

/// A point of the curve that goes with the algorithm, as X9.62 writes it.
fn ec(algorithm: Algorithm, point: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let curve = match algorithm {
        Algorithm::ES384 => Nid::SECP384R1,
        _ => Nid::X9_62_PRIME256V1,
    };
    let group = EcGroup::from_curve_name(curve)?;
    let mut context = BigNumContext::new()?;
    let point = EcPoint::from_bytes(&group, point, &mut context)?;
    let key = EcKey::from_public_key(&group, &point)?;
    key.check_key()?;
    PKey::from_ec_key(key)
}

impl Checks {
    fn check(&self, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        let key = match &self.key {
            CheckWith::Secret(secret) => {
                let mut signer = Signer::new(self.digest, secret)?;
                let expected = signer.sign_oneshot_to_vec(message)?;
                let same = expected.len() == signature.len();
                return Ok(same && memcmp::eq(&expected, signature));
            }
            CheckWith::Public(key) => key,
        };
        let of_library;
        let mut signature = signature;
        if family(self.algorithm) == Some(AlgorithmFamily::Ec) {
            let width = width(self.algorithm);
            if signature.len() != 2 * width {
                return Ok(false);
            }
            let (r, s) = signature.split_at(width);
            let numbers = (BigNum::from_slice(r)?, BigNum::from_slice(s)?);
            of_library = EcdsaSig::from_private_components(numbers.0, numbers.1)?.to_der()?;
            signature = &of_library;
        }
        let mut verifier = Verifier::new(self.digest, key)?;
        if is_pss(self.algorithm) {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            verifier.set_rsa_mgf1_md(self.digest)?;
        }
        verifier.verify_oneshot(signature, message)
    }
}

impl Verify<Vec<u8>> for Checks {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        match self.check(message, signature).map_err(failed)? {
            true => Ok(()),
            false => Err(signature::Error::new()),
        }
    }
}

impl JwtVerifier for Checks {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

struct Signs {
    algorithm: Algorithm,
    digest: MessageDigest,
    key: PKey<Private>,
}

fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    let algorithm = *algorithm;
    let (Some(digest), Some(family)) = (digest(algorithm), family(algorithm)) else {
        return Err(ErrorKind::UnsupportedAlgorithm.into());
    };
    if key.family() != family {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = match family {
        AlgorithmFamily::Hmac => PKey::hmac(key.as_bytes()),
        _ => PKey::private_key_from_der(key.as_bytes()),
    };
    Ok(Box::new(Signs {
        algorithm,
        digest,
        key: key.map_err(unusable)?,
    }))
}

impl Signs {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = Signer::new(self.digest, &self.key)?;
        if is_pss(self.algorithm) {
            signer.set_rsa_padding(Padding::PKCS1_PSS)?;
            signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
            signer.set_rsa_mgf1_md(self.digest)?;
        }
        let signature = signer.sign_oneshot_to_vec(message)?;
        if family(self.algorithm) != Some(AlgorithmFamily::Ec) {
            return Ok(signature);
        }
        let width = i32::try_from(width(self.algorithm)).unwrap_or(i32::MAX);
        let numbers = EcdsaSig::from_der(&signature)?;
        let mut both = numbers.r().to_vec_padded(width)?;
        both.extend(numbers.s().to_vec_padded(width)?);
        Ok(both)
    }
}

impl Sign<Vec<u8>> for Signs {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        self.sign(message).map_err(failed)
    }
}

impl JwtSigner for Signs {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// The algorithm that goes with a private key.
pub(super) fn algorithm_of<T: HasPrivate>(key: &PKeyRef<T>) -> Option<Algorithm> {
    use openssl::pkey::Id;
    match (key.id(), key.bits()) {
        (Id::RSA, RSA_BITS..) => Some(Algorithm::RS256),
        (Id::EC, 256) => Some(Algorithm::ES256),
        (Id::EC, 384) => Some(Algorithm::ES384),
        _ => None,
    }
}
