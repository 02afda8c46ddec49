//! With `HILUM_TEST_AT_REST` set, everything that these tests keep is encrypted.

use std::sync::OnceLock;

use hilum_security::at_rest::{KeyRing, Vault};

/// How what is kept is written.
pub(crate) fn vault() -> Vault {
    static RING: OnceLock<KeyRing> = OnceLock::new();
    if std::env::var_os("HILUM_TEST_AT_REST").is_none() {
        return Vault::default();
    }
    Vault::with(RING.get_or_init(ring).clone()).sealing_fields()
}

/// A new ring with which this process reads. Its folder stays until the system clears it.
pub(crate) fn ring() -> KeyRing {
    let folder = tempfile::tempdir().unwrap().keep().join("keys");
    KeyRing::generate(&folder, None).unwrap();
    let ring = KeyRing::open(&folder, None).unwrap();
    hilum_repository::at_rest::read_with(&ring);
    ring
}
