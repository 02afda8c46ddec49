//! What identifies patients in the database, encrypted or plain, for those who change keys or turn
//! encryption on (`docs/at-rest.md`).

use hilum_security::at_rest::{KeyId, KeyRing, Vault};

use crate::db;

/// How a database keeps what identifies patients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifiers {
    /// As it is.
    Plain,
    /// Encrypted.
    Encrypted,
}

/// Whether a registry with this vault could use the database, and how it keeps what identifies patients;
/// nothing if it has no tables yet.
///
/// # Errors
/// If it is not as the site wants it, or its key is not there.
pub fn check(database: &str, vault: &Vault) -> anyhow::Result<Option<Identifiers>> {
    let fields = db::fields::check(database, vault.ring_of_fields())?;
    Ok(fields.map(|fields| match fields.are_sealed() {
        true => Identifiers::Encrypted,
        false => Identifiers::Plain,
    }))
}

/// The key that the database needs, if it is encrypted.
///
/// # Errors
/// If the database cannot be asked.
pub fn key(database: &str) -> anyhow::Result<Option<KeyId>> {
    db::fields::key(database)
}

/// Gives the database the current key, beside a registry that uses it. Says whether it had another one;
/// nothing if it is not encrypted.
///
/// # Errors
/// If the key that it has is not there, or the database fails.
pub fn rotate(database: &str, ring: &KeyRing) -> anyhow::Result<Option<bool>> {
    db::fields::rotate(database, ring)
}

/// Encrypts what identifies patients in a database that no registry uses. What is interrupted can be
/// begun again. `progress` is told how many rows are done. Gives how many were; nothing if there is no
/// database. Blocks.
///
/// # Errors
/// If the database is in use or fails, or the key that it has is not there.
pub fn encrypt(
    database: &str,
    ring: &KeyRing,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Option<u64>> {
    db::encrypting::encrypt(database, ring, progress)
}
