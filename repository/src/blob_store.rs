//! Where documents are kept: in files, or in an object store.
//!
//! Both forms make the same promise. A document is durable before the registry hears of it, and found
//! only when the registry has accepted it; whoever starts after a crash learns which documents are
//! undecided. [`BlobStore`] is one of two; this file is the one in files, [`bucket`] the one in S3.
//!
//! In files, each document is one file, in folders that spread:
//!
//! ```text
//! incoming/<name>                 documents whose registration is not decided yet
//! documents/xx/yy/<SHA-256>       documents that are registered, by their uniqueId
//! at-rest                         which keys are needed, if documents are encrypted
//! lock                            held by the process that uses the store
//! ```
//!
//! A document arrives in `incoming`, is made durable there, and is moved when the registry has
//! accepted it. The move is a rename, so that a document is in one of the two places at any moment
//! of which power may fail; what is still in `incoming` then is decided by asking the registry
//! (see [`recovery`](crate::recovery)). What a file looks like is said in [`container`].
//!
//! A document that is removed loses its name at once; whoever had begun to retrieve it holds its
//! file open and gets the rest, and then the file system takes its bytes back.

pub(crate) mod arrival;
mod bucket;
pub(crate) mod container;
mod folders;
mod kinds;
mod s3;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use hilum_security::at_rest::Vault;
use uuid::Uuid;

use arrival::Place;
pub(crate) use arrival::{Arrival, Measured};
pub(crate) use bucket::keeping;
pub(crate) use container::Label;
use folders::{Folders, Move};
use kinds::Content;
pub(crate) use kinds::{BlobStore, Receiving, Stored};
pub use kinds::{check_store, check_store_url, is_object_store};
pub use s3::Access;

/// The store in files. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// Stands before the root, so that its work is done when the lock is released.
    folders: Arc<Folders>,
    root: Arc<Root>,
    /// How files are written.
    vault: Vault,
}

/// The folder of a store, locked for this process.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// Released by the system when the process ends, however it does.
    _lock: File,
}

impl Files {
    /// Opens the store at `url`, making its folders if need be.
    fn open(url: &str, vault: &Vault) -> anyhow::Result<Self> {
        let (path, lock) = claim(url, "the document store", &["incoming", "documents"])?;
        crate::at_rest::check(&path, vault, "the document store")?;
        vault.guard(&path);
        let folders = Folders::open(&path)
            .with_context(|| format!("the document store {} cannot be opened", path.display()))?;
        let root = Root { path, _lock: lock };
        Ok(Self {
            folders: Arc::new(folders),
            root: Arc::new(root),
            vault: vault.clone(),
        })
    }

    /// Begins to take a document.
    fn receive(&self) -> arrival::Receiving {
        let name = Uuid::new_v4().to_string();
        arrival::Receiving::new(self.incoming().join(&name), name, self.vault.clone())
    }

    /// The documents that an earlier process left undecided. Files whose reception it did not
    /// finish are removed: nobody was told that they exist.
    fn left_behind(&self) -> io::Result<Vec<Arrival>> {
        let mut arrivals = Vec::new();
        for entry in fs::read_dir(self.incoming())? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(name) = name.to_str().filter(|name| Uuid::try_parse(name).is_ok()) else {
                tracing::warn!(path = %entry.path().display(), "not a file of this store");
                continue;
            };
            let label = match container::read(&entry.path()) {
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    // It was whole once. Whether somebody needs it is for a person to decide.
                    tracing::error!(%error, "an incoming document is damaged");
                    continue;
                }
                label => label?,
            };
            match label.filter(|label| label.arrival == name) {
                Some(label) => arrivals.push(Arrival::found(Place::File(entry.path()), label)),
                None => fs::remove_file(entry.path())?,
            }
        }
        Ok(arrivals)
    }

    /// Makes what was received durable. Each file is on disk already; now its name is.
    async fn make_durable(&self, arrivals: &[Arrival]) -> io::Result<()> {
        if arrivals.is_empty() {
            return Ok(());
        }
        self.folders.sync_incoming().await
    }

    /// Puts documents that were registered where they are found from now on. Of what fails,
    /// nothing is lost: it stays where it is.
    async fn keep(&self, arrivals: &[&Arrival]) -> io::Result<()> {
        let moves = arrivals.iter().filter_map(|arrival| match &arrival.place {
            Place::File(path) => Some(Move {
                from: path.clone(),
                to: self.place_of(&arrival.label.unique_id),
                label: arrival.label.clone(),
            }),
            Place::Bucket(_) => None,
        });
        let moves: Vec<Move> = moves.collect();
        let folders = Arc::clone(&self.folders);
        let kept = tokio::task::spawn_blocking(move || folders.keep(&moves)).await;
        kept.map_err(io::Error::other)?
    }

    /// The document with this uniqueId, if it is kept here. Blocks.
    fn find(&self, unique_id: &str) -> io::Result<Option<Stored>> {
        let path = self.place_of(unique_id);
        let mut file = match container::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let label = container::label_of(&mut file)?;
        match label.filter(|label| label.unique_id == unique_id) {
            Some(label) => Ok(Some(Stored {
                content: Content::File { path, file },
                label,
            })),
            None => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{} is damaged", path.display()),
            )),
        }
    }

    /// Removes the document with this uniqueId and says whether there was one. When this comes back,
    /// it is gone for good, also if power fails; until then power leaves it whole or takes it whole.
    async fn remove(&self, unique_id: &str) -> io::Result<bool> {
        // A document that came twice was dropped from `incoming`, and must not come back from there.
        self.folders.sync_incoming().await?;
        let path = self.place_of(unique_id);
        let folders = Arc::clone(&self.folders);
        let removed = tokio::task::spawn_blocking(move || folders.remove(&path)).await;
        removed.map_err(io::Error::other)?
    }

    fn incoming(&self) -> PathBuf {
        self.root.path.join("incoming")
    }

    fn place_of(&self, unique_id: &str) -> PathBuf {
        self.root.path.join(container::place_of(unique_id))
    }
}

/// Makes the folders of a store if need be, and locks it for this process. `called` is how it is
/// called in errors.
pub(crate) fn claim(url: &str, called: &str, folders: &[&str]) -> anyhow::Result<(PathBuf, File)> {
    let path = folder_of(url)?;
    let at_path = || format!("{called} {} cannot be opened", path.display());
    for folder in folders {
        // Patients' documents concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private
            .recursive(true)
            .mode(0o700)
            .create(path.join(folder));
        made.with_context(at_path)?;
    }
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.join("lock"))
        .with_context(at_path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            bail!("{called} {} is in use by another process", path.display())
        }
        Err(fs::TryLockError::Error(error)) => return Err(error).with_context(at_path),
    }
    File::open(&path)
        .and_then(|folder| folder.sync_all())
        .with_context(at_path)?;
    Ok((path, lock))
}

/// The folder that a store's URL names.
pub(crate) fn folder_of(url: &str) -> anyhow::Result<PathBuf> {
    match url.strip_prefix("file:") {
        Some("") | None => Err(anyhow!(
            "a store is given as file:PATH, or as s3://BUCKET/PREFIX for documents"
        )),
        Some(path) if path.starts_with("//") && path.contains('@') => Err(anyhow!(
            "a folder is given as file:PATH, without user and host"
        )),
        // file:///path has an empty host.
        Some(path) => Ok(PathBuf::from(path.strip_prefix("//").unwrap_or(path))),
    }
}

fn check_folder(url: &str) -> anyhow::Result<PathBuf> {
    let path = folder_of(url)?;
    let existing = path.ancestors().find(|folder| folder.exists());
    probe(existing.unwrap_or(Path::new(".")))
        .with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

fn probe(folder: &Path) -> io::Result<()> {
    let file = folder.join(format!("probe-{}", Uuid::new_v4()));
    let written = File::create_new(&file).and_then(|file| file.sync_all());
    fs::remove_file(&file)?;
    written
}

#[cfg(test)]
mod tests;
