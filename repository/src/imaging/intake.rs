//! The way in for single objects, whoever brings them: the file is looked at, put in its place and
//! entered into the index, and only then acknowledged.
//!
//! Many objects come at the same time. Each is written and synced by who brings it; then one thread
//! takes all that have come, renames them, syncs their folders and enters them in one transaction.

mod objects;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, anyhow};
use hilum_dicom::scan::{self, Found, Place, StoredInstance};
use hilum_dicom::walk;
use tokio::sync::{Notify, oneshot};

use super::index::Index;
use super::index::work::{Added, Arrival, Settling, now};

use objects::Objects;

pub(super) use objects::Incoming;

/// Objects that are entered at once.
const TOGETHER: usize = 256;

/// What became of an object. Whatever it is but `Refused`, the object is safe here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is in its study now.
    Stored,
    /// The very same was here already.
    AlreadyHere,
    /// It is kept back until somebody decides, for these reasons.
    Quarantined(Vec<String>),
    /// It is no object that can be kept: why. Nothing is left of it here.
    Refused(String),
}

/// An object of which the file is complete, with what it says about itself.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) found: Found,
    file: Incoming,
    origin: String,
}

/// The intake. Clones share it; when the last one is dropped, its thread ends.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    objects: Objects,
    queue: SyncSender<Waiting>,
    /// Rung when there is something to publish.
    pub(super) arrived: Arc<Notify>,
}

impl Intake {
    /// Opens the intake of an index. Studies are published when nothing has come for `quiet`
    /// milliseconds.
    pub(super) fn open(index: Index, quiet: i64) -> anyhow::Result<Self> {
        let objects = Objects::open(index.objects())?;
        let (queue, waiting) = sync_channel(TOGETHER);
        let arrived = Arc::new(Notify::new());
        let entering = Entering {
            index,
            objects: objects.clone(),
            quiet,
            arrived: Arc::clone(&arrived),
        };
        thread::Builder::new()
            .name("intake".to_owned())
            .spawn(move || entering.run(&waiting))
            .context("the intake has no thread")?;
        Ok(Self {
            objects,
            queue,
            arrived,
        })
    }

    /// A file to write an object into. It is gone if it is dropped.
    pub(super) fn begin(&self) -> anyhow::Result<Incoming> {
        self.objects.begin()
    }

    /// Looks at an object whose file is complete, and makes the file durable. Blocks. `origin` says
    /// for people where it comes from.
    pub(super) fn look(file: Incoming, origin: &str) -> anyhow::Result<Result<Object, String>> {
        let found = match scan::read_one(file.path()) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        file.sync()?;
        Ok(Ok(Object {
            found,
            file,
            origin: origin.to_owned(),
        }))
    }

    /// Takes an object. When this returns, it is safe.
    pub(super) async fn take(&self, object: Object) -> anyhow::Result<Taken> {
        let (answer, answered) = oneshot::channel();
        let (queue, object) = (self.queue.clone(), Box::new(object));
        // The queue is short: who brings more than it holds waits.
        tokio::task::spawn_blocking(move || queue.send((object, answer)).is_ok())
            .await?
            .then_some(())
            .context("the intake is closed")?;
        answered.await.context("the intake has lost an object")?
    }
}

/// What the intake's thread works with.
struct Entering {
    index: Index,
    objects: Objects,
    quiet: i64,
    arrived: Arc<Notify>,
}

type Waiting = (Box<Object>, oneshot::Sender<anyhow::Result<Taken>>);

impl Entering {
    fn run(&self, waiting: &Receiver<Waiting>) {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            while batch.len() < TOGETHER
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            let unboxed = batch.into_iter().map(|(object, answer)| (*object, answer));
            let (objects, answers): (Vec<_>, Vec<_>) = unboxed.unzip();
            match self.enter(objects) {
                Ok(taken) => {
                    self.arrived.notify_one();
                    for (answer, taken) in answers.into_iter().zip(taken) {
                        // Whoever brought it may be gone.
                        let _ = answer.send(Ok(taken));
                    }
                }
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "objects cannot be kept");
                    for answer in answers {
                        let _ = answer.send(Err(anyhow!("it cannot be kept")));
                    }
                }
            }
        }
    }

    /// Enters objects, and says of each what became of it. If that fails, none of them is here.
    fn enter(&self, objects: Vec<Object>) -> anyhow::Result<Vec<Taken>> {
        let mut placed = Vec::with_capacity(objects.len());
        let entered = self.place(objects, &mut placed).and_then(|arrivals| {
            let settling = Settling {
                now: now(),
                quiet: self.quiet,
            };
            let added = self.index.add(&arrivals, settling)?;
            Ok((arrivals, added))
        });
        let (arrivals, added) = match entered {
            Ok(entered) => entered,
            Err(error) => {
                for (place, _) in &placed {
                    let _ = self.objects.discard(place);
                }
                return Err(error);
            }
        };
        let mut taken = Vec::with_capacity(added.len());
        for ((added, arrival), (place, origin)) in added.into_iter().zip(&arrivals).zip(&placed) {
            taken.push(self.judge(added, arrival, place, origin)?);
        }
        Ok(taken)
    }

    /// Brings files to their places, each under a name of its own, before the index says that they
    /// are there.
    fn place(
        &self,
        objects: Vec<Object>,
        placed: &mut Vec<(PathBuf, String)>,
    ) -> anyhow::Result<Vec<Arrival>> {
        let mut folders = BTreeSet::new();
        let mut arrivals = Vec::with_capacity(objects.len());
        for object in objects {
            let Object {
                found,
                file,
                origin,
            } = object;
            let instance = found.instance;
            let study = instance.study_instance_uid.as_str();
            let path = self
                .objects
                .place(study, instance.sop_instance_uid.as_str())?;
            file.keep_at(&path)?;
            placed.push((path.clone(), origin));
            folders.insert(path.parent().map(Path::to_owned));
            arrivals.push(Arrival {
                place: Place::File {
                    path,
                    stamp: found.stamp,
                },
                rejects: found.rejects,
                instance,
            });
        }
        for folder in folders.into_iter().flatten() {
            self.objects.sync(&folder)?;
        }
        Ok(arrivals)
    }

    fn judge(
        &self,
        added: Added,
        arrival: &Arrival,
        place: &Path,
        origin: &str,
    ) -> anyhow::Result<Taken> {
        let problem = match added {
            Added::New if arrival.rejects.is_some() => {
                // What it says is in the index; the note itself is kept for whoever asks why.
                return Ok(Taken::Stored);
            }
            Added::New => return Ok(Taken::Stored),
            Added::Known(known) if same_object(&known, place)? => {
                self.objects.discard(place)?;
                return Ok(Taken::AlreadyHere);
            }
            Added::Known(_) => "its SOP Instance UID is that of another object which is here",
            Added::Unfit(problem) => problem,
        };
        let reasons = vec![problem.to_owned()];
        let instance = &arrival.instance;
        self.index
            .quarantine(instance, origin, &reasons, place, now())?;
        Ok(Taken::Quarantined(reasons))
    }
}

/// Whether a file holds the object that is known, with whatever file meta information.
fn same_object(known: &StoredInstance, place: &Path) -> anyhow::Result<bool> {
    let Place::File { path, .. } = &known.place else {
        return Ok(false);
    };
    if path == place {
        return Ok(true);
    }
    let data_set = |path: &Path| -> anyhow::Result<_> { Ok(walk::file(path, &[])?.data_offset) };
    // A file that is gone or broken does not hold it.
    let Ok(known) = data_set(path) else {
        return Ok(false);
    };
    Ok(objects::same_bytes(
        (path, known),
        (place, data_set(place)?),
    )?)
}
