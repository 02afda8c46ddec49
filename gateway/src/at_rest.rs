//! What identifies patients in the gateway's database and the answers that wait there, encrypted or plain, for
//! those who change keys or turn encryption on (`docs/at-rest.md`).

use std::path::Path;

use hilum_security::at_rest::{KeyId, KeyRing, Vault};

pub use crate::correlations::deferred_keys::{Rotated, Waiting};
use crate::correlations::{deferred_keys, encrypting, fields};

/// Whether a gateway with this vault could use the database, and whether what identifies patients is
/// encrypted in it; nothing if there is none. Blocks, as everything here.
///
/// # Errors
/// If it is not as the site wants it, or its key is not there.
pub fn check(database: &Path, vault: &Vault) -> anyhow::Result<Option<bool>> {
    let fields = fields::check(database, vault.ring_of_fields())?;
    Ok(fields.map(|fields| fields.are_sealed()))
}

/// The key that the database needs, if it is encrypted.
///
/// # Errors
/// If the database cannot be asked.
pub fn key(database: &Path) -> anyhow::Result<Option<KeyId>> {
    fields::key(database)
}

/// Gives the database the current key, beside a gateway that uses it. Says whether it had another one;
/// nothing if it is not encrypted.
///
/// # Errors
/// If the key that it has is not there, or the database fails.
pub fn rotate(database: &Path, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
    fields::rotate(database, ring)
}

/// Encrypts what identifies patients in a database that no gateway uses. What is interrupted can be begun
/// again. `progress` is told how many rows are done. Gives how many were; nothing if there is no database.
///
/// # Errors
/// If the database is in use or fails, or the key that it has is not there.
pub fn encrypt(
    database: &Path,
    ring: &KeyRing,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<u64>> {
    encrypting::encrypt(database, ring, progress)
}

/// Which keys the answers need that wait in the database, beside a gateway that uses it.
///
/// # Errors
/// If the database cannot be asked.
pub fn waiting(database: &Path) -> anyhow::Result<Waiting> {
    deferred_keys::waiting(database)
}

/// Gives each answer that waits the current key, beside a gateway that uses the database, and says what became
/// of each. One that is sent meanwhile is gone.
///
/// # Errors
/// If the database fails.
pub fn rotate_waiting(database: &Path, ring: &KeyRing) -> anyhow::Result<Vec<Rotated>> {
    deferred_keys::rotate(database, ring)
}

/// Encrypts the answers that wait plain in a database that no gateway uses. Gives how many there were.
///
/// # Errors
/// If the database is in use or fails.
pub fn encrypt_waiting(database: &Path, vault: &Vault) -> anyhow::Result<u64> {
    deferred_keys::encrypt(database, vault)
}
