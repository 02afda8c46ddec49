//! Audit records, encrypted or plain, for those who change keys (`docs/at-rest.md`).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use hilum_security::at_rest::{self, KeyId, KeyRing, Rewrapped, Vault, journal};

use crate::SpoolError;
use crate::record_repository::{INDEX_FILE, index, log};
use crate::sender::spools;
use crate::spool::{frames, segment};

/// Where a node keeps audit records.
#[derive(Debug, Clone)]
pub struct KeptRecords {
    /// The node's own spool.
    pub spool: PathBuf,
    /// The folder of the spools of programs that run beside it.
    pub clients: PathBuf,
    /// The folder of the log of an Audit Record Repository, which need not be there.
    pub store: PathBuf,
}

/// A file that may be encrypted, and what it is called when its key is wrapped.
type Sealable = (PathBuf, String);

/// What became of a file.
pub type Rotated = (String, anyhow::Result<Rewrapped>);

impl KeptRecords {
    fn files(&self) -> anyhow::Result<Vec<Sealable>> {
        let mut files = Vec::new();
        for (_, folder) in spools(&self.spool, &self.clients)? {
            for number in segment::numbers(&folder)? {
                let path = segment::path(&folder, number);
                let name = frames::name(&path);
                files.push((path, name));
            }
        }
        let segments = self.store.join("segments");
        if segments.is_dir() {
            for first in log::segment::numbers(&segments)? {
                let path = log::segment::path(&segments, first);
                let name = log::leaves::name(&path);
                files.push((path, name));
            }
        }
        Ok(files)
    }

    /// Encrypts the log of the Audit Record Repository, which nobody may have open. What is interrupted can
    /// be begun again. A plain index goes, and is made anew when the log is opened, and spools go on encrypted by themselves.
    /// Gives how many files were plain.
    ///
    /// # Errors
    /// If the log is in use, or a file cannot be read or written.
    pub fn encrypt(&self, vault: &Vault) -> anyhow::Result<u64> {
        let Some(ring) = vault.ring() else {
            return Ok(0);
        };
        let done = log::encrypting::encrypt(&self.store, ring)?;
        let index = self.index();
        if vault.ring_of_fields().is_some() && index::fields::key(&index)?.is_none() {
            index::remove(&index)?;
        }
        Ok(done.unwrap_or_default())
    }

    /// The keys that each encrypted file needs. Works beside whoever writes. Blocks, as everything here.
    ///
    /// # Errors
    /// If files cannot be listed or read.
    pub fn keys(&self) -> anyhow::Result<Vec<BTreeSet<KeyId>>> {
        let mut keys = Vec::new();
        for (path, _) in self.files()? {
            let needed = unless_gone(at_rest::keys_of(&path), &path)?;
            keys.extend(needed.flatten());
        }
        let index = index::fields::key(&self.index())?;
        keys.extend(index.map(|key| BTreeSet::from([key])));
        Ok(keys)
    }

    fn index(&self) -> PathBuf {
        self.store.join(INDEX_FILE)
    }

    /// Gives every encrypted file the current key, beside whoever writes, and says what became of each.
    ///
    /// # Errors
    /// If files cannot be listed.
    pub fn rotate(&self, ring: &KeyRing) -> anyhow::Result<Vec<Rotated>> {
        let mut rotated = Vec::new();
        for (path, name) in self.files()? {
            let done = match journal::rewrap(ring, &path, &name) {
                // It was removed meanwhile: every receiver has it, or its time was over.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                done => done.map_err(anyhow::Error::from),
            };
            rotated.push((path.display().to_string(), done));
        }
        let what = self.index().display().to_string();
        match index::fields::rotate(&self.index(), ring) {
            Ok(None) => {}
            Ok(Some(true)) => rotated.push((what, Ok(Rewrapped::Done))),
            Ok(Some(false)) => rotated.push((what, Ok(Rewrapped::Already))),
            Err(error) => rotated.push((what, Err(error.into()))),
        }
        Ok(rotated)
    }
}

/// What was read, unless the file was removed meanwhile.
fn unless_gone<T>(read: io::Result<T>, path: &Path) -> Result<Option<T>, SpoolError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SpoolError::at(path)(error)),
    }
}
