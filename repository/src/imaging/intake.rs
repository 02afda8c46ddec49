//! The way in for single objects, whoever brings them: the file is looked at, put in its place and
//! entered into the index, and only then acknowledged.
//!
//! Many objects come at the same time. Each is written and synced by who brings it; then one thread
//! takes all that have come, renames them, syncs their folders and enters them in one transaction.

mod objects;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use anyhow::{Context, anyhow};
use dicom_dictionary_std::tags;
use hilum_dicom::Uid;
use hilum_dicom::instance::{self, Instance};
use hilum_dicom::scan::{self, Found, Place, Stamp};
use hilum_dicom::walk::{self, Part10};
use hilum_security::at_rest;
use tokio::sync::{Notify, oneshot};

use super::gate::{Collection, Gate, Unchanged};
use super::index::Index;
use super::index::work::{Added, Arrival, Settling, Way, now};

pub(super) use objects::{Incoming, Objects, Written, remove};

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
    way: Way,
    /// How it was called when it came, before it was de-identified.
    pub(super) sent_as: SentAs,
    /// What is said of it where its patient must not be named, if that is not what it says itself.
    stand_in: Option<Box<Instance>>,
    /// Why it did not pass; nothing if it did.
    kept_back: Vec<String>,
    /// The collection to which it belongs, whether it passes or not.
    pub(super) collection: Option<String>,
}

/// How an object was called when it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SentAs {
    /// Study Instance UID.
    pub(super) study: String,
    /// Series Instance UID.
    pub(super) series: String,
    /// SOP Class UID.
    pub(super) class: String,
    /// SOP Instance UID.
    pub(super) instance: String,
}

/// How an object is called here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Study Instance UID.
    pub(super) study: Uid,
    /// Series Instance UID.
    pub(super) series: Uid,
    /// SOP Instance UID.
    pub(super) instance: Uid,
}

impl Object {
    /// What may be said of it to the audit trail: where its collection wants it de-identified, that is
    /// the pseudonym, also if it could not be and waits.
    pub(super) fn told(&self) -> &Instance {
        self.stand_in.as_deref().unwrap_or(&self.found.instance)
    }

    /// What would be kept of it.
    pub(super) const fn kept(&self) -> &Instance {
        &self.found.instance
    }

    /// Whether the gate lets it pass by what it says itself.
    pub(super) const fn passes(&self) -> bool {
        self.kept_back.is_empty()
    }

    /// Whether it is called as it was when it came.
    pub(super) fn keeps_its_name(&self) -> bool {
        self.sent_as.instance == self.found.instance.sop_instance_uid.as_str()
    }

    fn names(&self) -> Names {
        let instance = &self.found.instance;
        Names {
            study: instance.study_instance_uid.clone(),
            series: instance.series_instance_uid.clone(),
            instance: instance.sop_instance_uid.clone(),
        }
    }
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
        let objects = Objects::open(index.objects(), index.vault().clone())?;
        remove_doomed(&index)?;
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
        mut file: Incoming,
        origin: &str,
        way: Way,
    ) -> anyhow::Result<Result<Object, String>> {
        let walked = match walk::whole_file(file.path()) {
            Ok(walked) => walked,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let collection = self.gate.collection(origin, &walked);
        let uid = |tag| walked.data.ascii(tag).unwrap_or_default();
        let sent_as = SentAs {
            study: uid(instance::STUDY_INSTANCE_UID),
            series: uid(tags::SERIES_INSTANCE_UID),
            class: uid(tags::SOP_CLASS_UID),
            instance: uid(tags::SOP_INSTANCE_UID),
        };
        let looking = Looking {
            origin,
            way,
            sent_as,
            collection: collection.map(|it| it.name.clone()),
        };
        let Some(deidentification) = collection.and_then(|it| it.deidentify.as_ref()) else {
            return self.judged(file, &walked, collection, looking);
        };
        let made = self.begin()?;
        let reason = match deidentification.file(file.path(), &made) {
            Ok(()) => {
                let walked = walk::whole_file(made.path());
                let walked = walked.context("what was made of an object cannot be read")?;
                return self.judged(made, &walked, collection, looking);
            }
            Err(Unchanged::Unreadable(reason)) => return Ok(Err(reason)),
            Err(Unchanged::Failed(error)) => return Err(error),
            Err(Unchanged::Undecided(reason)) => reason,
        };
        if way == Way::Released {
            return Ok(Err(reason));
        }
        // What names a patient waits apart, and never becomes part of a study as it is.
        let found = match scan::found(&walked, Stamp::of_file(file.path())?) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let stand_in = deidentification.stand_in(&found.instance)?;
        self.bind(&mut file, &found.instance)?;
        file.sync()?;
        Ok(Ok(Object {
            stand_in: Some(Box::new(stand_in)),
            kept_back: vec![reason],
            ..looking.object(found, file)
        }))
    }

    fn judged(
        &self,
        mut file: Incoming,
        walked: &Part10,
        collection: Option<&Collection>,
        looking: Looking<'_>,
    ) -> anyhow::Result<Result<Object, String>> {
        let stamp = Stamp::of_file(file.path())?;
        let mut found = match scan::found(walked, stamp) {
            Ok(found) => found,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut kept_back = self.gate.inspect(collection, walked, &mut found.instance);
        let uid = &found.instance.sop_instance_uid;
        if looking.way == Way::Released || self.index.was_released(uid)? {
            kept_back.clear();
        }
        self.bind(&mut file, &found.instance)?;
        file.sync()?;
        Ok(Ok(Object {
            kept_back,
            ..looking.object(found, file)
        }))
    }

    /// A file is going to be where objects of its name usually are.
    fn bind(&self, file: &mut Incoming, instance: &Instance) -> anyhow::Result<()> {
        let (study, sop) = (&instance.study_instance_uid, &instance.sop_instance_uid);
        let place = self.objects.usual_place(study.as_str(), sop.as_str());
        Ok(file.bind(&place)?)
    }

    /// Takes a copy of a file, and says how the object is called here.
    pub(super) async fn take_file(
        &self,
        file: &Path,
        origin: &str,
        way: Way,
    ) -> anyhow::Result<(Taken, Option<Names>)> {
        let intake = self.clone();
        let (file, origin) = (file.to_owned(), origin.to_owned());
        let looked = tokio::task::spawn_blocking(move || {
            let incoming = intake.begin()?;
            let copied = copy(&file, &incoming);
            copied.with_context(|| format!("{} cannot be copied", file.display()))?;
            intake.look(incoming, &origin, way)
        });
        Ok(match looked.await?? {
            Ok(object) => {
                let names = object.names();
                (self.take(object).await?, Some(names))
            }
            Err(reason) => (Taken::Refused(reason), None),
        })
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

/// Copies a file, however either of them is kept.
fn copy(from: &Path, to: &Incoming) -> io::Result<()> {
    let mut output = to.output()?;
    io::copy(&mut at_rest::open(from)?, &mut output)?;
    output.finish()
}

/// An object that is being looked at.
struct Looking<'o> {
    origin: &'o str,
    way: Way,
    sent_as: SentAs,
    collection: Option<String>,
}

impl Looking<'_> {
    fn object(self, found: Found, file: Incoming) -> Object {
        Object {
            found,
            file,
            origin: self.origin.to_owned(),
            way: self.way,
            sent_as: self.sent_as,
            stand_in: None,
            kept_back: Vec::new(),
            collection: self.collection,
        }
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
        let _lock = self.index.lock_objects()?;
        let mut taken = Vec::with_capacity(objects.len());
        let mut coming = Vec::with_capacity(objects.len());
        for object in objects {
            // What is sent once more need not come to a place first, from which it is taken away again.
            match self.is_here(&object)? {
                true => taken.push(Some(Taken::AlreadyHere)),
                false => {
                    taken.push(None);
                    coming.push(object);
                }
            }
        }
        let mut came = self.bring(coming)?.into_iter();
        let taken = taken.into_iter().map(|taken| taken.or_else(|| came.next()));
        let taken: Option<Vec<Taken>> = taken.collect();
        taken.context("an object was lost")
    }

    /// Whether the very same object is at its usual place, and known.
    fn is_here(&self, object: &Object) -> anyhow::Result<bool> {
        let instance = &object.found.instance;
        let (study, uid) = (&instance.study_instance_uid, &instance.sop_instance_uid);
        let place = self.objects.usual_place(study.as_str(), uid.as_str());
        Ok(place.exists()
            && self.index.file_of(uid)?.as_ref() == Some(&place)
            && same_object(&place, object.file.path())?)
    }

    /// Brings objects in that are not here.
    fn bring(&self, objects: Vec<Object>) -> anyhow::Result<Vec<Taken>> {
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
        if arrivals.iter().any(|arrival| arrival.rejects.is_some()) {
            remove_doomed(&self.index)?;
        }
        let mut added = added.into_iter();
        let mut taken = Vec::with_capacity(arrivals.len());
        for (arrival, placed) in arrivals.iter().zip(placed) {
            taken.push(match placed.kept_back.is_empty() {
                true => {
                    let added = added.next().context("an object was lost")?;
                    self.judge(added, arrival, &placed)?
                }
                false => self.keep_back(arrival, &placed, placed.kept_back.clone())?,
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
                mut file,
                origin,
                way,
                kept_back,
                ..
            } = object;
            let instance = found.instance;
            let (study, sop) = (&instance.study_instance_uid, &instance.sop_instance_uid);
            let is_left = |plain: &Path| {
                let is_new = placed.iter().any(|placed| placed.path == plain);
                Ok(!is_new && !self.index.uses(sop, plain)?)
            };
            let path = self.objects.place(study.as_str(), sop.as_str(), is_left)?;
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
                way,
                instance,
            });
        }
        for folder in folders.into_iter().flatten() {
            self.objects.sync(&folder)?;
        }
        Ok(arrivals)
    }

    /// Keeps an object back; the very same one only once.
    fn keep_back(
        &self,
        arrival: &Arrival,
        placed: &Placed,
        reasons: Vec<String>,
    ) -> anyhow::Result<Taken> {
        let instance = &arrival.instance;
        let mut path = placed.path.clone();
        for kept in self.index.kept_back_as(&instance.sop_instance_uid)? {
            if same_object(&kept.path, &path)? {
                self.objects.discard(&path)?;
                path = kept.path;
                break;
            }
        }
        self.index
            .quarantine(instance, &placed.origin, &reasons, &path, now())?;
        Ok(Taken::Quarantined(reasons))
    }

    fn judge(&self, added: Added, arrival: &Arrival, placed: &Placed) -> anyhow::Result<Taken> {
        let problem = match added {
            Added::New => return Ok(Taken::Stored),
            Added::Known(Some(known)) if same_object(&known, &placed.path)? => {
                if known != placed.path {
                    self.objects.discard(&placed.path)?;
                }
                return Ok(Taken::AlreadyHere);
            }
            Added::Known(_) => {
                "its SOP Instance UID is that of another object which is here".into()
            }
            Added::Unfit(problem) => problem.to_owned(),
            Added::TakenBack(title) => {
                let problem = format!("a rejection note ({}) has taken it back", title.word());
                if arrival.way == Way::Imported {
                    // It stays where it lies.
                    self.objects.discard(&placed.path)?;
                    return Ok(Taken::Refused(problem));
                }
                problem
            }
        };
        if arrival.way == Way::Released {
            self.objects.discard(&placed.path)?;
            return Ok(Taken::Refused(problem));
        }
        self.keep_back(arrival, placed, vec![problem])
    }
}

/// Removes files that rejection has made superfluous.
pub(super) fn remove_doomed(index: &Index) -> anyhow::Result<()> {
    let doomed = index.doomed()?;
    if doomed.is_empty() {
        return Ok(());
    }
    for file in &doomed {
        remove(file)?;
    }
    index.gone(&doomed)
}

/// Whether a file holds the object that is in another, with whatever file meta information.
fn same_object(known: &Path, place: &Path) -> anyhow::Result<bool> {
    if known == place {
        return Ok(true);
    }
    let data_set = |path: &Path| -> anyhow::Result<_> { Ok(walk::file(path, &[])?.data_offset) };
    // A file that is gone or broken does not hold it.
    let Ok(offset) = data_set(known) else {
        return Ok(false);
    };
    Ok(objects::same_bytes(
        (known, offset),
        (place, data_set(place)?),
    )?)
}
