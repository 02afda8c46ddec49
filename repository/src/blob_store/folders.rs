//! Names of files, made durable in groups, and changed one after the other.
//!
//! A file that is on disk can still be lost when its name is not. One thread syncs `incoming` for
//! all submissions that wait, and then tells everybody.
//!
//! The move of a document to its place is not synced: it is one step for file systems that keep a
//! journal (ext4, XFS, btrfs, ZFS), so that power fails before it or after it, and before it the
//! document is in `incoming`, where the next start finds it. A sync of each folder would cost
//! more than everything else together, because documents spread over as many folders as there are.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::container::{self, Label};

/// Submissions that are synced together. More than calls that can wait at a time.
const GROUP: usize = 1024;

/// Who waits for a sync.
type Waiting = oneshot::Sender<io::Result<()>>;

/// The folders of a store.
#[derive(Debug)]
pub(super) struct Folders {
    /// Closed when the store is.
    syncs: Mutex<Option<Sender<Waiting>>>,
    thread: Option<JoinHandle<()>>,
    /// Held while a document is moved, so that nothing comes between a look and a move.
    moving: Mutex<()>,
}

/// A document that is moved to its place.
#[derive(Debug)]
pub(super) struct Move {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) label: Label,
}

impl Folders {
    /// Starts the thread for the store in `root`.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let incoming = File::open(root.join("incoming"))?;
        let (syncs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("document folders".to_owned())
            .spawn(move || sync(&waiting, &incoming))?;
        Ok(Self {
            syncs: Mutex::new(Some(syncs)),
            thread: Some(thread),
            moving: Mutex::default(),
        })
    }

    /// Makes the names of the files in `incoming` durable.
    pub(super) async fn sync_incoming(&self) -> io::Result<()> {
        let (waiting, synced) = oneshot::channel();
        if let Some(syncs) = &*self.syncs.lock().unwrap_or_else(PoisonError::into_inner) {
            // If nobody takes it, it is dropped, and that is what is heard.
            let _ = syncs.send(waiting);
        }
        let closed = |_| io::Error::other("the document store is closed");
        synced.await.map_err(closed)?
    }

    /// Moves files to their places. A place that holds the same document already stays as it is.
    /// One that fails does not keep the others from their places. Blocks.
    pub(super) fn keep(&self, moves: &[Move]) -> io::Result<()> {
        let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
        moves.iter().map(Move::make).fold(Ok(()), Result::and)
    }

    /// Removes a file from its place and makes that durable; says whether it was there. Blocks.
    pub(super) fn remove(&self, path: &Path) -> io::Result<bool> {
        let removed = {
            let _moving = self.moving.lock().unwrap_or_else(PoisonError::into_inner);
            match fs::remove_file(path) {
                Ok(()) => true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            }
        };
        // Also if it was not there: whoever removed it before may not have come to this.
        match path.parent().map(File::open) {
            Some(Ok(folder)) => folder.sync_all()?,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(removed)
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let syncs = self.syncs.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(syncs.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, everyone who waited was told.
            drop(thread.join());
        }
    }
}

/// Syncs for group after group until the store is closed.
fn sync(waiting: &Receiver<Waiting>, incoming: &File) {
    while let Ok(first) = waiting.recv() {
        let group = std::iter::once(first).chain(waiting.try_iter());
        let group: Vec<Waiting> = group.take(GROUP).collect();
        let synced = incoming.sync_all();
        if let Err(error) = &synced {
            tracing::error!(%error, "names in the document store were not made durable");
        }
        for waiting in group {
            let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
            let synced = synced.as_ref().copied().map_err(again);
            // Who no longer waits has gone away.
            let _ = waiting.send(synced);
        }
    }
}

impl Move {
    /// A document may be submitted again as it is, but what a place holds is never replaced by
    /// something else.
    fn make(&self) -> io::Result<()> {
        match container::read(&self.to) {
            Ok(Some(there)) if there.is_same_content(&self.label) => {
                match fs::remove_file(&self.from) {
                    // It was moved before, and the one who moved it did not come to say so.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                }
            }
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} holds another document", self.to.display()),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.to.parent();
                folder.map_or(Ok(()), fs::create_dir_all)?;
                fs::rename(&self.from, &self.to)
            }
            Err(error) => Err(error),
        }
    }
}
