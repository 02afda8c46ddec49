//! A document on its way in: from chunks, as they come, to a file that is durable.
//!
//! Chunks are gathered and then hashed and written on a blocking thread while the next ones come.
//! No thread waits for a peer, and of a document of any size at most two gatherings are in memory.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hilum_security::at_rest::{Output, Vault};
use sha1::{Digest, Sha1};
use tokio::task::JoinHandle;

use super::bucket::Bucket;
use super::container::{self, Label, Said, hexadecimal};

/// Bytes that are written at once.
const GATHER_BYTES: usize = 512 * 1024;

/// A document that is being received. Its file is removed again unless it is [sealed](Self::seal).
pub(crate) struct Receiving {
    name: String,
    path: PathBuf,
    vault: Vault,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    state: State,
}

enum State {
    Idle(Option<Writing>),
    Busy(JoinHandle<io::Result<Writing>>),
}

/// A file and the hash of what was written to it.
struct Writing {
    file: Output,
    /// Removes the file if it is not finished.
    unfinished: Unfinished,
    hash: Sha1,
    size: u64,
}

impl Writing {
    fn create(path: PathBuf, vault: &Vault) -> io::Result<Self> {
        let file = File::create_new(&path)?;
        let unfinished = Unfinished(Some(path));
        Ok(Self {
            file: vault.output(file)?,
            unfinished,
            hash: Sha1::new(),
            size: 0,
        })
    }

    fn write(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.hash.update(chunk);
            self.file.write_all(chunk)?;
            self.size += chunk.len() as u64;
        }
        Ok(())
    }

    /// Writes the label and waits until everything is on disk.
    fn seal(mut self, said: Said, name: String) -> io::Result<Arrival> {
        let hash = hexadecimal(&self.hash.finalize());
        let label = said.label(name, hash, self.size);
        self.file.write_all(&label.trailer()?)?;
        let path = self.unfinished.path();
        let place = container::place_of(&label.unique_id);
        self.file.finish(&[path, &place])?.sync_data()?;
        Ok(Arrival::new(Place::File(self.unfinished.finish()), label))
    }

    /// Waits until the bytes are on disk, in a file that is going to be at `place`.
    fn close(mut self, place: &Path) -> io::Result<Measured> {
        let path = self.unfinished.path();
        self.file.finish(&[path, place])?.sync_all()?;
        self.unfinished.finish();
        Ok(Measured {
            hash: hexadecimal(&self.hash.finalize()),
            size: self.size,
        })
    }
}

/// A document that is on disk as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Measured {
    /// SHA-1 in lower case hexadecimal.
    pub(crate) hash: String,
    pub(crate) size: u64,
}

impl Receiving {
    pub(crate) const fn new(path: PathBuf, name: String, vault: Vault) -> Self {
        Self {
            name,
            path,
            vault,
            gathered: Vec::new(),
            gathered_bytes: 0,
            state: State::Idle(None),
        }
    }

    /// Takes the next bytes of the document.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < GATHER_BYTES {
            return Ok(());
        }
        let writing = self.idle().await?;
        let (path, vault) = (self.path.clone(), self.vault.clone());
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.state = State::Busy(tokio::task::spawn_blocking(move || {
            let mut writing = writing.map_or_else(|| Writing::create(path, &vault), Ok)?;
            writing.write(&chunks)?;
            Ok(writing)
        }));
        Ok(())
    }

    /// Ends the document and makes it durable, on a blocking thread.
    pub(crate) async fn seal(mut self, said: Said) -> io::Result<JoinHandle<io::Result<Arrival>>> {
        let writing = self.idle().await?;
        let chunks = std::mem::take(&mut self.gathered);
        let (name, path, vault) = (self.name, self.path, self.vault);
        Ok(tokio::task::spawn_blocking(move || {
            let mut writing = writing.map_or_else(|| Writing::create(path, &vault), Ok)?;
            writing.write(&chunks)?;
            writing.seal(said, name)
        }))
    }

    /// Ends the document and makes its bytes durable, with nothing behind them. Its file is going to be
    /// moved to `place`.
    pub(crate) async fn close(mut self, place: PathBuf) -> io::Result<Measured> {
        let writing = self.idle().await?;
        let chunks = std::mem::take(&mut self.gathered);
        let (path, vault) = (self.path, self.vault);
        let closing = tokio::task::spawn_blocking(move || {
            let mut writing = writing.map_or_else(|| Writing::create(path, &vault), Ok)?;
            writing.write(&chunks)?;
            writing.close(&place)
        });
        closing.await.map_err(io::Error::other)?
    }

    /// Waits for the writing under way.
    async fn idle(&mut self) -> io::Result<Option<Writing>> {
        match std::mem::replace(&mut self.state, State::Idle(None)) {
            State::Idle(writing) => Ok(writing),
            State::Busy(writing) => {
                let written = writing.await.map_err(io::Error::other)?;
                written.map(Some)
            }
        }
    }
}

/// A file that is removed when nobody finishes it.
struct Unfinished(Option<PathBuf>);

impl Unfinished {
    fn path(&self) -> &Path {
        self.0.as_deref().expect("it is not finished yet")
    }

    fn finish(&mut self) -> PathBuf {
        self.0.take().expect("it is finished only once")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            remove(path);
        }
    }
}

/// Where a document is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In this file, which begins with it.
    File(PathBuf),
    /// In this store, by the name under which it arrived.
    Bucket(Bucket),
}

impl Place {
    /// Removes what nobody wants any more. If that fails, it is removed at the next start.
    fn remove(&self, label: &Label) {
        match self {
            Self::File(path) => remove(path),
            Self::Bucket(bucket) => bucket.forget(label.clone()),
        }
    }
}

/// A document that was received and waits for the registry's word. It is removed again when this
/// is dropped, unless the registry [may know it](Self::is_sent).
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(super) place: Place,
    pub(crate) label: Label,
    is_kept: bool,
    /// Since when the registry may be about to register it, at the latest.
    since: Instant,
}

impl Arrival {
    /// A document that was received just now.
    pub(super) fn new(place: Place, label: Label) -> Self {
        let mut arrival = Self::found(place, label);
        arrival.is_kept = false;
        arrival
    }

    /// A document that an earlier process received. How long before its end that process told the
    /// registry of it is not known, so that it counts from now.
    pub(super) fn found(place: Place, label: Label) -> Self {
        Self {
            place,
            label,
            is_kept: true,
            since: Instant::now(),
        }
    }

    /// From now on the registry may know the document: it is removed only by
    /// [`discard`](Self::discard).
    pub(crate) fn is_sent(&mut self) {
        self.is_kept = true;
        self.since = Instant::now();
    }

    /// Removes the document, which is known not to be registered.
    pub(crate) fn discard(self) {
        self.place.remove(&self.label);
    }

    /// For how long the registry may have been about to register it.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        if !self.is_kept {
            self.place.remove(&self.label);
        }
    }
}

/// Removes a file that nobody wants any more. If that fails, the file is removed at the next start.
fn remove(path: &PathBuf) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "a file was not removed");
        }
        _ => {}
    }
}
