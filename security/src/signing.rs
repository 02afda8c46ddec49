//! Signatures of what a node says of itself, such as the heads of its audit log: by a key of its own,
//! ECDSA on P-256 with SHA-256, or Ed25519.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, Id, PKey, PKeyRef, Private, Public};
use openssl::sign::{Signer, Verifier};

use crate::iti19_authenticate_node::{TlsError, read_key};

/// A key that signs.
#[derive(Clone)]
pub struct SigningKey(PKey<Private>);

/// Its public half, which checks signatures.
#[derive(Clone)]
pub struct PublicKey(PKey<Public>);

impl SigningKey {
    /// A new key on P-256.
    ///
    /// # Errors
    /// If the library has no randomness.
    pub fn generate() -> Result<Self, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        Ok(Self(PKey::from_ec_key(EcKey::generate(&group)?)?))
    }

    /// Reads a key without a passphrase, in PEM.
    ///
    /// # Errors
    /// If there is none, or one of another kind.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let key = read_key(path)?;
        match kind(&key) {
            Some(_) => Ok(Self(key)),
            None => Err(TlsError::Content {
                path: path.to_owned(),
                problem: "holds a key that is neither on P-256 nor Ed25519",
            }),
        }
    }

    /// Writes the key as PEM into a new file that only its owner may read.
    ///
    /// # Errors
    /// If there is such a file, or it cannot be written.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut private = OpenOptions::new();
        let mut file = private
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&self.0.private_key_to_pem_pkcs8()?)?;
        file.sync_all()
    }

    /// Signs.
    ///
    /// # Errors
    /// If the library has no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = match digest(&self.0) {
            Some(digest) => Signer::new(digest, &self.0)?,
            None => Signer::new_without_digest(&self.0)?,
        };
        signer.sign_oneshot_to_vec(message)
    }

    /// The public half.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn public(&self) -> Result<PublicKey, ErrorStack> {
        let encoded = self.0.public_key_to_der()?;
        Ok(PublicKey(PKey::public_key_from_der(&encoded)?))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("SigningKey")
    }
}

impl PublicKey {
    /// Reads a public key in PEM.
    ///
    /// # Errors
    /// If this is none, or one of another kind.
    pub fn from_pem(pem: &[u8]) -> Result<Self, &'static str> {
        let key = PKey::public_key_from_pem(pem);
        let key = key.map_err(|_| "holds no public key in PEM form")?;
        match kind(&key) {
            Some(_) => Ok(Self(key)),
            None => Err("holds a key that is neither on P-256 nor Ed25519"),
        }
    }

    /// The key in PEM.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn to_pem(&self) -> Result<Vec<u8>, ErrorStack> {
        self.0.public_key_to_pem()
    }

    /// SHA-256 of the key as DER, in lower case hexadecimal.
    ///
    /// # Errors
    /// If the library refuses.
    pub fn fingerprint(&self) -> Result<String, ErrorStack> {
        let encoded = self.0.public_key_to_der()?;
        let digest = openssl::hash::hash(MessageDigest::sha256(), &encoded)?;
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether `signature` is this key's, of this message.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verifier = match digest(&self.0) {
            Some(digest) => Verifier::new(digest, &self.0),
            None => Verifier::new_without_digest(&self.0),
        };
        let verified = verifier.and_then(|mut it| it.verify_oneshot(signature, message));
        // What the library cannot even read is no signature.
        verified.unwrap_or(false)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fingerprint = self.fingerprint().unwrap_or_default();
        write!(out, "PublicKey({fingerprint})")
    }
}

/// A name that nobody else has: 128 random bits in hexadecimal.
///
/// # Errors
/// If the library has no randomness.
pub fn random_name() -> Result<String, ErrorStack> {
    let mut bytes = [0; 16];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

enum Kind {
    P256,
    Ed25519,
}

fn kind<T: HasPublic>(key: &PKeyRef<T>) -> Option<Kind> {
    match key.id() {
        Id::ED25519 => Some(Kind::Ed25519),
        Id::EC => {
            let curve = key.ec_key().ok()?.group().curve_name()?;
            (curve == Nid::X9_62_PRIME256V1).then_some(Kind::P256)
        }
        _ => None,
    }
}

/// Ed25519 hashes by itself.
fn digest<T: HasPublic>(key: &PKeyRef<T>) -> Option<MessageDigest> {
    match kind(key) {
        Some(Kind::Ed25519) => None,
        _ => Some(MessageDigest::sha256()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn round(key: &SigningKey) {
        let public = key.public().unwrap();
        let public = PublicKey::from_pem(&public.to_pem().unwrap()).unwrap();
        let signature = key.sign(b"as it is").unwrap();
        assert!(public.verifies(b"as it is", &signature));
        assert!(!public.verifies(b"as it was", &signature));
        assert!(!public.verifies(b"as it is", b""));
        assert!(!public.verifies(b"as it is", &signature[1..]));
        let other = SigningKey::generate().unwrap().public().unwrap();
        assert!(!other.verifies(b"as it is", &signature));
        assert_ne!(other.fingerprint().unwrap(), public.fingerprint().unwrap());
    }

    #[test]
    fn only_the_key_signs_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.key");
        let key = SigningKey::generate().unwrap();
        key.write(&path).unwrap();
        assert!(key.write(&path).is_err());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        round(&SigningKey::read(&path).unwrap());
        round(&SigningKey(PKey::generate_ed25519().unwrap()));
    }

    #[test]
    fn other_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.key");
        let key = PKey::generate_x25519().unwrap();
        std::fs::write(&path, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let refused = SigningKey::read(&path).unwrap_err().to_string();
        assert!(refused.contains("neither on P-256"), "{refused}");
        assert!(PublicKey::from_pem(b"-----BEGIN").is_err());
    }
}
