//! The mark on a store that has encrypted objects in it, so that it is not opened without its keys.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, anyhow};
use hilum_security::at_rest::{KeyId, Vault, content_of};

/// Names the keys that a store needs, one in a line; itself encrypted with the current one.
pub(crate) const MARK: &str = "at-rest";

/// A store is encrypted, and what it needs is not there. The text says what.
#[derive(Debug, thiserror::Error)]
#[error("{called} is encrypted, and {why}")]
pub struct Locked {
    called: String,
    why: String,
}

/// Refuses a store whose keys are not there. Gives the keys it needs from now on, if that is not what
/// its mark says. `called` is how it is called in errors.
///
/// # Errors
/// If the store is encrypted and there are no keys, or not the ones it was encrypted with.
pub(crate) fn judged(
    stored: Option<Vec<u8>>,
    path: &Path,
    vault: &Vault,
    called: &str,
) -> anyhow::Result<Option<BTreeSet<KeyId>>> {
    let locked = |why: String| {
        let called = called.to_owned();
        anyhow!(Locked { called, why })
    };
    let Some(ring) = vault.ring() else {
        return match stored {
            Some(_) => Err(locked("[at_rest] names no keys".to_owned())),
            None => Ok(None),
        };
    };
    let mut needed = BTreeSet::new();
    if let Some(stored) = stored {
        let content = content_of(path, stored).map_err(|error| locked(error.to_string()))?;
        let garbled = || locked(format!("{} does not name keys", path.display()));
        let content = String::from_utf8(content).map_err(|_| garbled())?;
        for line in content.lines() {
            needed.insert(line.parse().map_err(|_| garbled())?);
        }
    }
    if let Some(missing) = needed.iter().find(|id| !ring.has(id)) {
        return Err(locked(format!("its key {missing} is not in the key ring")));
    }
    Ok(needed.insert(ring.current_id()).then_some(needed))
}

/// What a mark says.
pub(crate) fn text(needed: &BTreeSet<KeyId>) -> String {
    needed.iter().map(|id| format!("{id}\n")).collect()
}

/// The same as [`judged`] for a folder, whose mark is written if need be.
///
/// # Errors
/// As [`judged`], and if the mark cannot be written.
pub(crate) fn check(folder: &Path, vault: &Vault, called: &str) -> anyhow::Result<()> {
    match looked_at(folder, vault, called)? {
        Some(needed) => write(folder, vault, &needed),
        None => Ok(()),
    }
}

/// The same as [`judged`] for a folder, in which nothing is written.
///
/// # Errors
/// As [`judged`].
pub(crate) fn looked_at(
    folder: &Path,
    vault: &Vault,
    called: &str,
) -> anyhow::Result<Option<BTreeSet<KeyId>>> {
    let path = folder.join(MARK);
    let stored = match fs::read(&path) {
        Ok(stored) => Some(stored),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let called = format!("{called} {}", folder.display());
    judged(stored, &path, vault, &called)
}

/// Writes which keys a store needs.
pub(crate) fn write(folder: &Path, vault: &Vault, needed: &BTreeSet<KeyId>) -> anyhow::Result<()> {
    let path = folder.join(MARK);
    let part = folder.join(format!("{MARK}.part-{}", std::process::id()));
    let written = || -> io::Result<()> {
        let bytes = vault.bytes(&path, text(needed).as_bytes())?;
        let mut file = fs::File::create(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}
