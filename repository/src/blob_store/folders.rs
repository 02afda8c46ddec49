//! Changes of folders, made durable in groups.
//!
//! A file that is on disk can still be lost when its name is not. One thread makes the changes of
//! all submissions that wait, syncs each folder once, and then tells everybody.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::container::{self, Label};

/// Submissions whose folders are synced together. More than calls that can wait at a time.
const GROUP: usize = 1024;

/// The thread that changes folders.
#[derive(Debug)]
pub(super) struct Folders {
    /// Closed when the store is.
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What is to be done for one submission.
struct Job {
    task: Task,
    done: oneshot::Sender<io::Result<()>>,
}

enum Task {
    /// Files were written to `incoming`; they will be moved to these places.
    Prepare(Vec<PathBuf>),
    /// Files are moved.
    Keep(Vec<Move>),
}

/// A document that is moved to its place.
pub(super) struct Move {
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) label: Label,
}

impl Folders {
    /// Starts the thread for the store in `root`.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let incoming = File::open(root.join("incoming"))?;
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("document folders".to_owned())
            .spawn(move || work(&waiting, &incoming))?;
        Ok(Self {
            jobs: Mutex::new(Some(jobs)),
            thread: Some(thread),
        })
    }

    /// Makes the names of new files in `incoming` durable, and the folders of their `places`.
    pub(super) async fn prepare(&self, places: Vec<PathBuf>) -> io::Result<()> {
        self.run(Task::Prepare(places)).await
    }

    /// Moves files to their places. A place that holds the same document already stays as it is.
    pub(super) async fn keep(&self, moves: Vec<Move>) -> io::Result<()> {
        self.run(Task::Keep(moves)).await
    }

    async fn run(&self, task: Task) -> io::Result<()> {
        let (done, outcome) = oneshot::channel();
        let sent = {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref()
                .is_some_and(|jobs| jobs.send(Job { task, done }).is_ok())
        };
        match outcome.await {
            Ok(outcome) if sent => outcome,
            _ => Err(io::Error::other("the document store is closed")),
        }
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let jobs = self.jobs.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(jobs.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, everyone who waited was told.
            drop(thread.join());
        }
    }
}

/// Works off group after group until the store is closed.
fn work(waiting: &Receiver<Job>, incoming: &File) {
    while let Ok(first) = waiting.recv() {
        let mut changed = BTreeSet::new();
        let jobs: Vec<Job> = std::iter::once(first)
            .chain(waiting.try_iter())
            .take(GROUP)
            .collect();
        let outcomes: Vec<_> = jobs
            .into_iter()
            .map(|job| (job.task.run(&mut changed), job.done))
            .collect();
        // The new names first: at no moment may a file be durable in neither folder.
        let synced = changed
            .iter()
            .try_for_each(|folder| File::open(folder)?.sync_all())
            .and_then(|()| incoming.sync_all());
        if let Err(error) = &synced {
            tracing::error!(%error, "changes in the document store were not made durable");
        }
        for (outcome, done) in outcomes {
            let synced = synced.as_ref().map(drop);
            let synced = synced.map_err(|error| io::Error::new(error.kind(), error.to_string()));
            // Who no longer waits has gone away.
            let _ = done.send(outcome.and(synced));
        }
    }
}

impl Task {
    /// Makes the changes and notes which folders must be synced.
    fn run(self, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        match self {
            Self::Prepare(places) => places
                .iter()
                .filter_map(|place| place.parent())
                .try_for_each(|folder| make(folder, changed)),
            Self::Keep(moves) => {
                // One that fails does not keep the others from their places.
                let moved = moves.iter().map(|document| document.make(changed));
                moved.fold(Ok(()), Result::and)
            }
        }
    }
}

/// Makes a folder and those it is in.
fn make(folder: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    match fs::create_dir(folder) {
        Ok(()) => {
            changed.extend(folder.parent().map(Path::to_owned));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = folder.parent().ok_or(error)?;
            make(parent, changed)?;
            make(folder, changed)
        }
        Err(error) => Err(error),
    }
}

impl Move {
    /// A document may be submitted again as it is, but what a place holds is never replaced by
    /// something else.
    fn make(&self, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        match container::read(&self.to) {
            Ok(Some(there)) if there.is_same_content(&self.label) => {
                match fs::remove_file(&self.from) {
                    // It was moved before, and only the sync had failed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    removed => removed,
                }
            }
            Ok(_) => Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} holds another document", self.to.display()),
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = self.to.parent().unwrap_or(Path::new(""));
                make(folder, changed)?;
                fs::rename(&self.from, &self.to)?;
                changed.insert(folder.to_owned());
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}
