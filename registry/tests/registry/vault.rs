//! Keys for databases in which what identifies patients is encrypted.

use std::path::PathBuf;
use std::sync::OnceLock;

use hilum_security::at_rest::{KeyRing, Vault};

/// How all cases keep their databases.
pub(crate) fn vault() -> Vault {
    match std::env::var_os("HILUM_TEST_AT_REST") {
        Some(_) => sealing().1,
        None => Vault::default(),
    }
}

/// A ring that this process reads with.
fn ring() -> (PathBuf, KeyRing) {
    static RING: OnceLock<(PathBuf, KeyRing)> = OnceLock::new();
    RING.get_or_init(new_ring).clone()
}

/// Its folder stays until the system clears it.
pub(crate) fn new_ring() -> (PathBuf, KeyRing) {
    let folder = tempfile::tempdir().unwrap().keep().join("keys");
    KeyRing::generate(&folder, None).unwrap();
    let ring = KeyRing::open(&folder, None).unwrap();
    ring.install();
    (folder, ring)
}

pub(crate) fn sealing() -> (KeyRing, Vault) {
    let (_, ring) = ring();
    (ring.clone(), Vault::with(ring).sealing_fields())
}
