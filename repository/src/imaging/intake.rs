//! The way in for single objects, whoever brings them: the file is looked at, put in its place and
//! entered into the index, and only then acknowledged.
//!
//! Many objects come at the same time. Each is written and synced by who brings it; then one thread
//! takes all that have come, renames them, syncs their folders and enters them in one transaction.

mod objects;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, anyhow};
use hilum_dicom::scan::{self, Found, Place, Stamp, StoredInstance};
use hilum_dicom::walk::{self, Part10};
use hilum_dicom::{Uid, instance};
use tokio::sync::{Notify, oneshot};

use super::gate::{Collection, Gate, Unchanged};
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
    /// The Study Instance UID with which it came, before it was de-identified.
    pub(super) sent_as: String,
    /// Why it did not pass; nothing if it did.
    kept_back: Vec<String>,
}

/// Whether rule cards keep objects back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    /// They do.
    Hold,
    /// Somebody has let the object go.
    Waived,
}

/// The intake. Clones share it; when the last one is dropped, its thread ends.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    index: Index,
    gate: Gate,
    objects: Objects,
    queue: SyncSender<Waiting>,
    /// Rung when there is something to publish.
    pub(super) arrived: Arc<Notify>,
}

impl Intake {
    /// Opens the intake of an index. Studies are published when nothing has come for `quiet`
    /// milliseconds.
    pub(super) fn open(index: Index, gate: Gate, quiet: i64) -> anyhow::Result<Self> {
        let objects = Objects::open(index.objects())?;
        let (queue, waiting) = sync_channel(TOGETHER);
        let arrived = Arc::new(Notify::new());
        let entering = Entering {
            index: index.clone(),
            objects: objects.clone(),
            quiet,
            arrived: Arc::clone(&arrived),
        };
        thread::Builder::new()
            .name("intake".to_owned())
            .spawn(move || entering.run(&waiting))
            .context("the intake has no thread")?;
        Ok(Self {
            index,
            gate,
            objects,
            queue,
            arrived,
        })
    }

    /// A file to write an object into. It is gone if it is dropped.
    pub(super) fn begin(&self) -> anyhow::Result<Incoming> {
        self.objects.begin()
    }

    /// Looks at an object whose file is complete, as its collection wants, and makes the file durable.
    /// Blocks. `origin` says where it comes from, as [`Collection::from`](super::gate::Collection)
    /// has it.
    pub(super) fn look(
        &self,
        file: Incoming,
        origin: &str,
    ) -> anyhow::Result<Result<Object, String>> {
        self.look_again(file, origin, Rules::Hold)
    }

    /// As [`look`](Self::look); if somebody has released the object, no rule card keeps it back.
    pub(super) fn look_again(
        &self,
        file: Incoming,
        origin: &str,
        rules: Rules,
    ) -> anyhow::Result<Result<Object, String>> {
        let walked = match walk::whole_file(file.path()) {
            Ok(walked) => walked,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let collection = self.gate.collection(origin, &walked);
        let study = walked.data.ascii(instance::STUDY_INSTANCE_UID);
        let sent_as = study.unwrap_or_default();
        let Some(deidentification) = collection.and_then(|it| it.deidentify.as_ref()) else {
            return self.judged((file, sent_as), origin, &walked, collection, rules);
        };
        let made = self.begin()?;
        match deidentification.file(file.path(), made.path()) {
            Ok(()) => {}
            Err(Unchanged::Unreadable(reason)) => return Ok(Err(reason)),
            Err(Unchanged::Failed(error)) => return Err(error),
            Err(Unchanged::Undecided(reason)) => {
                // What names a patient waits apart, and never becomes part of a study as it is.
                let found = scan::found(&walked, Stamp::of(&fs::metadata(file.path())?)?);
                let found = match found {
                    Ok(found) => found,
                    Err(reason) => return Ok(Err(reason)),
                };
                file.sync()?;
                return Ok(Ok(Object {
                    found,
                    file,
                    sent_as,
                    origin: origin.to_owned(),
                    kept_back: vec![reason],
                }));
            }
        }
        match walk::whole_file(made.path()) {
            Ok(walked) => self.judged((made, sent_as), origin, &walked, collection, rules),
            Err(error) => Err(error).context("what was made of an object cannot be read"),
        }
    }

    fn judged(
        &self,
        (file, sent_as): (Incoming, String),
        origin: &str,
        walked: &Part10,
        collection: Option<&Collection>,
        rules: Rules,
    ) -> anyhow::Result<Result<Object, String>> {
        let stamp = Stamp::of(&fs::metadata(file.path())?)?;
        let mut found = match scan::found(walked, stamp) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut kept_back = self.gate.inspect(collection, walked, &mut found.instance);
        if rules == Rules::Waived || self.index.was_released(&found.instance.sop_instance_uid)? {
            kept_back.clear();
        }
        file.sync()?;
        Ok(Ok(Object {
            found,
            file,
            sent_as,
            origin: origin.to_owned(),
            kept_back,
        }))
    }

    /// Takes a copy of a file, and says into which study it came.
    pub(super) async fn take_file_into(
        &self,
        file: &Path,
        origin: &str,
    ) -> anyhow::Result<(Taken, Option<Uid>)> {
        match self.copied(file, origin, Rules::Hold).await? {
            Ok(object) => {
                let study = object.found.instance.study_instance_uid.clone();
                Ok((self.take(object).await?, Some(study)))
            }
            Err(reason) => Ok((Taken::Refused(reason), None)),
        }
    }

    /// Takes a copy of a file.
    pub(super) async fn take_file(&self, file: &Path, origin: &str) -> anyhow::Result<Taken> {
        self.take_file_again(file, origin, Rules::Hold).await
    }

    /// As [`take_file`](Self::take_file), for what was kept back.
    pub(super) async fn take_file_again(
        &self,
        file: &Path,
        origin: &str,
        rules: Rules,
    ) -> anyhow::Result<Taken> {
        match self.copied(file, origin, rules).await? {
            Ok(object) => self.take(object).await,
            Err(reason) => Ok(Taken::Refused(reason)),
        }
    }

    async fn copied(
        &self,
        file: &Path,
        origin: &str,
        rules: Rules,
    ) -> anyhow::Result<Result<Object, String>> {
        let intake = self.clone();
        let (file, origin) = (file.to_owned(), origin.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let incoming = intake.begin()?;
            let copied = fs::copy(&file, incoming.path());
            copied.with_context(|| format!("{} cannot be copied", file.display()))?;
            intake.look_again(incoming, &origin, rules)
        });
        looked.await?
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

/// An object whose file is in its place.
struct Placed {
    path: PathBuf,
    origin: String,
    kept_back: Vec<String>,
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
            let passed = placed.iter().zip(&arrivals);
            let passed = passed.filter(|(placed, _)| placed.kept_back.is_empty());
            let passed: Vec<&Arrival> = passed.map(|(_, arrival)| arrival).collect();
            let settling = Settling {
                now: now(),
                quiet: self.quiet,
            };
            let added = self.index.add(&passed, settling)?;
            Ok((arrivals, added))
        });
        let (arrivals, added) = match entered {
            Ok(entered) => entered,
            Err(error) => {
                for placed in &placed {
                    let _ = self.objects.discard(&placed.path);
                }
                return Err(error);
            }
        };
        let mut added = added.into_iter();
        let mut taken = Vec::with_capacity(arrivals.len());
        for (arrival, placed) in arrivals.iter().zip(placed) {
            taken.push(match placed.kept_back.is_empty() {
                true => {
                    let added = added.next().context("an object was lost")?;
                    self.judge(added, arrival, &placed.path, &placed.origin)?
                }
                false => self.keep_back(arrival, &placed.path, &placed.origin, placed.kept_back)?,
            });
        }
        Ok(taken)
    }

    /// Brings files to their places, each under a name of its own, before the index says that they
    /// are there.
    fn place(
        &self,
        objects: Vec<Object>,
        placed: &mut Vec<Placed>,
    ) -> anyhow::Result<Vec<Arrival>> {
        let mut folders = BTreeSet::new();
        let mut arrivals = Vec::with_capacity(objects.len());
        for object in objects {
            let Object {
                found,
                file,
                origin,
                kept_back,
                sent_as: _,
            } = object;
            let instance = found.instance;
            let study = instance.study_instance_uid.as_str();
            let path = self
                .objects
                .place(study, instance.sop_instance_uid.as_str())?;
            file.keep_at(&path)?;
            placed.push(Placed {
                path: path.clone(),
                origin,
                kept_back,
            });
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

    fn keep_back(
        &self,
        arrival: &Arrival,
        place: &Path,
        origin: &str,
        reasons: Vec<String>,
    ) -> anyhow::Result<Taken> {
        let instance = &arrival.instance;
        self.index
            .quarantine(instance, origin, &reasons, place, now())?;
        Ok(Taken::Quarantined(reasons))
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
        self.keep_back(arrival, place, origin, vec![problem.to_owned()])
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
