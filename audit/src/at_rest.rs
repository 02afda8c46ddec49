//! Audit records, encrypted or plain, for those who change keys (`docs/at-rest.md`).

use std::collections::BTreeSet;
use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use hilum_security::at_rest::{KeyId, KeyRing, Rewrapped, Vault, journal, keys_of};

use crate::record_repository::{INDEX_FILE, index, log};
use crate::sender::spools;
use crate::spool::{frames, segment};

/// Failures that are told one by one.
const TOLD: usize = 100;

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

/// How audit records are kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// The keys that each encrypted file needs.
    pub keys: Vec<BTreeSet<KeyId>>,
    /// How many files of the log of an Audit Record Repository are plain.
    pub plain_log: u64,
    /// How many files of spools are plain.
    pub plain_spool: u64,
    /// What cannot be read, and why: it may need a key. The first of them.
    pub failures: Vec<String>,
}

/// What became of a file.
pub type Rotated = (String, anyhow::Result<Rewrapped>);

impl KeptRecords {
    fn files(&self) -> anyhow::Result<Vec<Sealable>> {
        let mut files = self.spool_files()?;
        files.extend(self.log_files()?);
        Ok(files)
    }

    fn spool_files(&self) -> anyhow::Result<Vec<Sealable>> {
        let mut files = Vec::new();
        for (_, folder) in spools(&self.spool, &self.clients)? {
            for number in segment::numbers(&folder)? {
                let path = segment::path(&folder, number);
                let name = frames::name(&path);
                files.push((path, name));
            }
        }
        Ok(files)
    }

    fn log_files(&self) -> anyhow::Result<Vec<Sealable>> {
        let mut files = Vec::new();
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

    /// How each file is kept. Works beside whoever writes. Blocks, as everything here.
    ///
    /// # Errors
    /// If files cannot be listed.
    pub fn survey(&self) -> anyhow::Result<Kept> {
        let mut kept = Kept::default();
        kept.plain_spool = kept.look(&self.spool_files()?);
        kept.plain_log = kept.look(&self.log_files()?);
        let path = self.index();
        match index::fields::key(&path) {
            Ok(key) => kept.keys.extend(key.map(|key| BTreeSet::from([key]))),
            // It is made anew when the node starts.
            Err(error) => kept.fail(&path, &error),
        }
        Ok(kept)
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

impl Kept {
    /// Looks at files. Gives how many are plain.
    fn look(&mut self, files: &[Sealable]) -> u64 {
        let mut plain = 0;
        for (path, _) in files {
            match keys_of(path) {
                Ok(Some(keys)) => self.keys.push(keys),
                Ok(None) => plain += u64::from(has_content(path)),
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.fail(path, &error),
            }
        }
        plain
    }

    fn fail(&mut self, path: &Path, error: &dyn Display) {
        if self.failures.len() < TOLD {
            self.failures.push(format!("{}: {error}", path.display()));
        }
    }
}

/// Whether anything was written into a file yet.
fn has_content(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.len() > 0)
}
