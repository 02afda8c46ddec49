//! The mark on a store that has encrypted objects in it, so that it is not opened without its keys.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, bail};
use hilum_security::at_rest::{KeyId, Vault, content_of};

/// Names the keys that a store needs, one in a line; itself encrypted with the current one.
pub(crate) const MARK: &str = "at-rest";

/// Refuses a store whose keys are not there, and marks one that is going to need them. `called` is how
/// it is called in errors.
///
/// # Errors
/// If the store is encrypted and there are no keys, or not the ones it was encrypted with.
pub(crate) fn check(folder: &Path, vault: &Vault, called: &str) -> anyhow::Result<()> {
    let path = folder.join(MARK);
    let stored = match fs::read(&path) {
        Ok(stored) => Some(stored),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let at_path = || format!("{called} {} is encrypted", folder.display());
    let Some(ring) = vault.ring() else {
        if stored.is_some() {
            bail!("{}, and [at_rest] names no keys", at_path());
        }
        return Ok(());
    };
    let mut needed: Vec<KeyId> = Vec::new();
    if let Some(stored) = stored {
        let content = content_of(&path, stored).with_context(at_path)?;
        let text = String::from_utf8(content).with_context(at_path)?;
        for line in text.lines() {
            let id = line.parse().map_err(anyhow::Error::msg);
            needed.push(id.with_context(at_path)?);
        }
    }
    if let Some(missing) = needed.iter().find(|id| !ring.has(id)) {
        bail!(
            "{}, and its key {missing} is not in the key ring",
            at_path()
        );
    }
    let current = ring.current_id();
    if !needed.contains(&current) {
        needed.push(current);
        write(folder, vault, &needed)?;
    }
    Ok(())
}

/// Writes which keys a store needs.
pub(crate) fn write(folder: &Path, vault: &Vault, needed: &[KeyId]) -> anyhow::Result<()> {
    let path = folder.join(MARK);
    let text: String = needed.iter().map(|id| format!("{id}\n")).collect();
    let bytes = vault.bytes(&path, text.as_bytes())?;
    let part = folder.join(format!("{MARK}.part-{}", std::process::id()));
    let written = || -> io::Result<()> {
        let mut file = fs::File::create(&part)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&part, &path)?;
        fs::File::open(folder)?.sync_all()
    };
    written().with_context(|| format!("{} cannot be written", path.display()))
}
