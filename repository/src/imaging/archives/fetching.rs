//! Instances on their way from an archive through us to whoever asked for them.
//!
//! Those of one answer come in its order, a few of them ahead of their turn. Each waits in a short
//! queue, so an answer of any size needs the memory of a few instances at most; what is small comes
//! wholly, so that the archive's connection is free again. The first ones are known to come before the
//! answer begins; of the others the archive said that it has them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hilum_audit::Outcome;
use hilum_dicom::Uid;
use hilum_dicom::walk::DataSet;
use hilum_transport::{PartSource, Stream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::fleet::{self, Arriving};
use super::identity::{Coming, begin};
use super::keeping::Kept;
use super::{Archive, Names, Trouble};
use crate::imaging::Room;

/// Instances of one answer that come ahead of their turn, and of which is known that they come before
/// the answer begins.
pub(super) const AHEAD: usize = 4;
/// Bytes that are handed on at once: a multiple of three, so that they can be written in base64.
const CHUNK: usize = 192 * 1024;
/// Such pieces that wait for their turn.
const CHUNKS: usize = 5;
/// How often an instance is asked for before it is given up, as long as nothing of it was passed on.
const ATTEMPTS: u32 = 2;

/// An instance that somebody wants.
#[derive(Debug, Clone)]
pub(in crate::imaging) struct Wanted {
    pub(in crate::imaging) names: Names,
    pub(in crate::imaging) sop_class_uid: Uid,
    /// In which transfer syntax it is, as far as the index knows.
    pub(in crate::imaging) stored_in: Uid,
    /// In which it may be given; in any, if there is none.
    pub(in crate::imaging) syntaxes: Arc<[String]>,
    /// Its patient in the affinity domain, as CX.
    pub(in crate::imaging) patient: Option<String>,
}

impl Wanted {
    /// Whether it may be given as it is written.
    pub(super) async fn judge_syntax(
        &self,
        room: &Arc<Room>,
        written: &Uid,
    ) -> Result<(), Trouble> {
        if self.stored_in != *written {
            // The next one who asks is told at once.
            let (here, written) = (Arc::clone(room), written.clone());
            let names = self.names.clone();
            let corrected = tokio::task::spawn_blocking(move || {
                let index = here.studies.index();
                index.correct_syntax(&names.study, &names.instance, &written)
            });
            if let Ok(Err(error)) = corrected.await {
                let error = format!("{error:#}");
                tracing::error!(error, "a transfer syntax cannot be corrected");
            }
        }
        let syntaxes = &self.syntaxes;
        if syntaxes.is_empty() || syntaxes.iter().any(|it| it == written.as_str()) {
            return Ok(());
        }
        Err(Trouble::Failed(format!(
            "it is stored in transfer syntax {written}, which the request does not name"
        )))
    }
}

/// An instance that is on its way.
#[derive(Debug)]
pub(in crate::imaging) enum Fetched {
    /// It passes through.
    Passing {
        coming: mpsc::Receiver<io::Result<Bytes>>,
        /// Lets another one come ahead when the turn of this one has come.
        next: Arc<Semaphore>,
    },
    /// The archive sends it here; the name is the archive's.
    Arriving(Arriving, String),
}

impl Fetched {
    /// As something that is sent.
    pub(in crate::imaging) fn into_source(self) -> PartSource {
        match self {
            Self::Passing { coming, next } => {
                PartSource::Stream(Stream::of_unknown_length(move || {
                    next.add_permits(1);
                    coming
                }))
            }
            Self::Arriving(arriving, archive) => arriving.into_source(archive),
        }
    }

    /// As a file. Fails if it breaks off, or nothing can be written.
    async fn into_file(self, archive: &Archive, instance: &Uid) -> Result<Arc<Kept>, Trouble> {
        let (mut coming, next) = match self {
            Self::Passing { coming, next } => (coming, next),
            Self::Arriving(arriving, _) => return arriving.file().await,
        };
        next.add_permits(1);
        let unwritten = |error: io::Error| {
            tracing::error!(%instance, %error, "an archived instance cannot be kept for a while");
            Trouble::Failed("it cannot be kept while it is read".to_owned())
        };
        let mut writing = archive.keeping.begin().map_err(unwritten)?;
        while let Some(chunk) = coming.recv().await {
            let chunk = chunk.map_err(|error| Trouble::Failed(error.to_string()))?;
            let written = tokio::task::spawn_blocking(move || {
                writing.write(&chunk)?;
                Ok::<_, io::Error>(writing)
            });
            let written = written.await.map_err(io::Error::other).and_then(|it| it);
            writing = written.map_err(unwritten)?;
        }
        Ok(archive.keeping.keep(instance, writing.finish()))
    }
}

/// What an archive tells of a study.
pub(in crate::imaging) struct Telling {
    archive: Arc<Archive>,
    study: Uid,
}

impl Telling {
    /// Has it told: data set after data set.
    pub(in crate::imaging) async fn tell(
        self,
        each: impl FnMut(DataSet) -> Result<(), String>,
    ) -> Result<(), String> {
        let told = match self.archive.web() {
            Ok(web) => web.metadata(&self.study, each).await,
            Err(trouble) => Err(trouble),
        };
        told.map_err(|trouble| {
            let problem = self.archive.says(&trouble);
            tracing::warn!(study = %self.study, problem, "metadata breaks off");
            problem
        })
    }
}

/// Why an instance cannot be given: whether it is not there, and a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::imaging) struct NotGiven {
    /// The archive says that it does not have it.
    pub(in crate::imaging) gone: bool,
    /// Names the archive.
    pub(in crate::imaging) reason: String,
}

impl Archive {
    fn not_given(&self, trouble: &Trouble) -> NotGiven {
        NotGiven {
            gone: *trouble == Trouble::Gone,
            reason: self.says(trouble),
        }
    }

    /// Begins to fetch instances for one answer, in this order, and says of each where it comes from
    /// or why it cannot be given. It is recorded what is fetched.
    ///
    /// # Errors
    /// If that cannot be recorded. Then nothing is fetched.
    pub(in crate::imaging) async fn fetch(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Vec<Wanted>,
    ) -> anyhow::Result<Vec<Result<Fetched, NotGiven>>> {
        let missing = match wanted.len() > AHEAD {
            true => self.missing(&wanted).await,
            // All of them are opened before the answer begins.
            false => Ok(Default::default()),
        };
        let missing = match missing {
            Ok(missing) => missing,
            Err(trouble) => {
                let problem = self.not_given(&trouble);
                tracing::warn!(problem = problem.reason, "instances cannot be fetched");
                self.record(room, &wanted, &Outcome::Failure(problem.reason.clone()))
                    .await?;
                return Ok(wanted.iter().map(|_| Err(problem.clone())).collect());
            }
        };
        let there = |it: &Wanted| !missing.contains(&it.names.instance);
        let fetched: Vec<Wanted> = wanted.iter().filter(|it| there(it)).cloned().collect();
        self.record(room, &fetched, &Outcome::Success).await?;
        let mut fetched = match self.moving() {
            Some(_) => self.sent_here(room, fetched).await,
            None => self.passed_through(room, fetched).await,
        }
        .into_iter();
        let mut come = |wanted: &Wanted| match there(wanted) {
            true => fetched.next().unwrap_or(Err(Trouble::Gone)),
            false => Err(Trouble::Gone),
        };
        let all = wanted.iter().map(|wanted| {
            let came = come(wanted);
            came.map_err(|trouble| self.not_given(&trouble))
        });
        Ok(all.collect())
    }

    /// Has instances sent here, and waits for the first of them.
    async fn sent_here(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Vec<Wanted>,
    ) -> Vec<Result<Fetched, Trouble>> {
        let mut fetched = Vec::with_capacity(wanted.len());
        for (at, mut arriving) in fleet::set_out(self, room, wanted).into_iter().enumerate() {
            let known = match at < AHEAD {
                true => arriving.arrived().await,
                false => Ok(()),
            };
            fetched.push(match known {
                Ok(()) => Ok(Fetched::Arriving(arriving, self.config.name.clone())),
                Err(trouble) => {
                    arriving.pass();
                    Err(trouble)
                }
            });
        }
        fetched
    }

    /// Has instances come by the web, and waits until it is known that the first of them do.
    async fn passed_through(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Vec<Wanted>,
    ) -> Vec<Result<Fetched, Trouble>> {
        let mut fetched = Vec::with_capacity(wanted.len());
        let mut turns = Vec::with_capacity(wanted.len());
        let mut openings = Vec::new();
        let ahead = Arc::new(Semaphore::new(AHEAD));
        for (at, wanted) in wanted.into_iter().enumerate() {
            let (chunks, coming) = mpsc::channel(CHUNKS);
            let (opened, opening) = oneshot::channel();
            if at < AHEAD {
                openings.push(opening);
            }
            turns.push(Turn {
                wanted,
                chunks,
                opened: Some(opened),
            });
            let next = Arc::clone(&ahead);
            fetched.push(Ok(Fetched::Passing { coming, next }));
        }
        let (archive, here) = (Arc::clone(self), Arc::clone(room));
        tokio::spawn(convoy(archive, here, turns, Arc::clone(&ahead)));
        for (at, opening) in openings.into_iter().enumerate() {
            let lost = || Err(Trouble::Failed("fetching it was lost".to_owned()));
            if let Err(trouble) = opening.await.unwrap_or_else(|_| lost()) {
                fetched[at] = Err(trouble);
                ahead.add_permits(1);
            }
        }
        fetched
    }

    /// Has an instance as a file, which is here as long as it is held.
    ///
    /// # Errors
    /// If that it is fetched cannot be recorded.
    pub(in crate::imaging) async fn file(
        self: &Arc<Self>,
        room: &Arc<Room>,
        wanted: Wanted,
    ) -> anyhow::Result<Result<Arc<Kept>, NotGiven>> {
        let instance = wanted.names.instance.clone();
        if let Some(kept) = self.keeping.find(&instance) {
            return Ok(Ok(kept));
        }
        let fetched = self.fetch(room, vec![wanted]).await?.pop();
        let fetched = match fetched {
            Some(Ok(fetched)) => fetched,
            Some(Err(not_given)) => return Ok(Err(not_given)),
            None => anyhow::bail!("an instance that was to be fetched was lost"),
        };
        let kept = fetched.into_file(self, &instance).await;
        Ok(kept.map_err(|trouble| self.not_given(&trouble)))
    }

    /// Has what instances of one study say; it is recorded.
    ///
    /// # Errors
    /// If it cannot be recorded.
    pub(in crate::imaging) async fn tell(
        self: &Arc<Self>,
        room: &Room,
        wanted: &[Wanted],
    ) -> anyhow::Result<Result<Telling, NotGiven>> {
        let Some(study) = wanted.first().map(|it| it.names.study.clone()) else {
            anyhow::bail!("of no instance there is nothing to tell");
        };
        let there = match self.lists(&study).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Trouble::Gone),
            Err(trouble) => Err(trouble),
        };
        let not_given = there.map_err(|trouble| self.not_given(&trouble));
        let outcome = match &not_given {
            Ok(()) => Outcome::Success,
            Err(not_given) => Outcome::Failure(not_given.reason.clone()),
        };
        self.record(room, wanted, &outcome).await?;
        Ok(not_given.map(|()| Telling {
            archive: Arc::clone(self),
            study,
        }))
    }

    /// Says to the log and to the audit trail that an instance did not come.
    pub(super) async fn tell_failed(&self, room: &Room, wanted: &Wanted, trouble: &Trouble) {
        let reason = self.says(trouble);
        let Names {
            study, instance, ..
        } = &wanted.names;
        tracing::warn!(%study, %instance, reason, "an instance cannot be fetched");
        let one = std::slice::from_ref(wanted);
        if let Err(error) = self.record(room, one, &Outcome::Failure(reason)).await {
            tracing::error!(%error, "that an instance was not fetched is not recorded");
        }
    }

    /// Records what is fetched or cannot be, for each patient.
    async fn record(
        &self,
        room: &Room,
        wanted: &[Wanted],
        outcome: &Outcome,
    ) -> anyhow::Result<()> {
        type Studies = BTreeMap<Uid, BTreeMap<String, u64>>;
        let mut patients: BTreeMap<Option<&str>, Studies> = BTreeMap::new();
        for wanted in wanted {
            let studies = patients.entry(wanted.patient.as_deref()).or_default();
            let classes = studies.entry(wanted.names.study.clone()).or_default();
            *classes.entry(wanted.sop_class_uid.to_string()).or_default() += 1;
        }
        for (patient, studies) in patients {
            self.record_fetched(room, patient, studies, outcome).await?;
        }
        Ok(())
    }
}

/// An instance whose turn comes.
struct Turn {
    wanted: Wanted,
    chunks: mpsc::Sender<io::Result<Bytes>>,
    /// Until it is known whether it comes.
    opened: Option<oneshot::Sender<Result<(), Trouble>>>,
}

/// Fetches one instance after the other, as many ahead as `ahead` allows.
async fn convoy(archive: Arc<Archive>, room: Arc<Room>, turns: Vec<Turn>, ahead: Arc<Semaphore>) {
    for mut turn in turns {
        tokio::select! {
            // Whoever asked is gone.
            () = turn.chunks.closed() => continue,
            permit = ahead.acquire() => match permit {
                Ok(permit) => permit.forget(),
                Err(_) => return,
            },
        }
        let deadline = Instant::now() + archive.config.patience;
        let permit = timeout_at(deadline, Arc::clone(&archive.permits).acquire_owned()).await;
        let (archive, room) = (Arc::clone(&archive), Arc::clone(&room));
        let Ok(Ok(permit)) = permit else {
            let busy = "it has no time: too much else is being fetched".to_owned();
            turn.fail(&archive, &room, Trouble::Failed(busy)).await;
            continue;
        };
        tokio::spawn(async move {
            let passed = turn.pass(&archive, &room).await;
            drop(permit);
            if let Err(trouble) = passed {
                turn.fail(&archive, &room, trouble).await;
            }
        });
    }
}

impl Turn {
    /// Tells whoever waits that it does not come. What was begun breaks off.
    async fn fail(&mut self, archive: &Archive, room: &Room, trouble: Trouble) {
        if self.chunks.is_closed() {
            return;
        }
        archive.tell_failed(room, &self.wanted, &trouble).await;
        let reason = archive.says(&trouble);
        if let Some(opened) = self.opened.take() {
            // If the answer has begun, nobody listens.
            let _ = opened.send(Err(trouble));
        }
        let _ = self.chunks.send(Err(io::Error::other(reason))).await;
    }

    /// Fetches it and hands it on.
    async fn pass(&mut self, archive: &Archive, room: &Arc<Room>) -> Result<(), Trouble> {
        let deadline = Instant::now() + archive.config.patience;
        let mut attempt = 1;
        loop {
            match self.attempt(archive, room, deadline).await {
                Err(Trouble::Failed(_)) if self.opened.is_some() && attempt < ATTEMPTS => {
                    attempt += 1;
                }
                passed => return passed,
            }
        }
    }

    async fn attempt(
        &mut self,
        archive: &Archive,
        room: &Arc<Room>,
        deadline: Instant,
    ) -> Result<(), Trouble> {
        let answer = timeout_at(deadline, archive.web()?.instance(&self.wanted.names));
        let answer = answer.await.map_err(|_| late(archive))??;
        let kind = answer.header("content-type").unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("multipart/") {
            return self
                .hand_on(archive, room, deadline, Coming::Whole(Box::new(answer)))
                .await;
        }
        let parts = answer.into_parts();
        let mut parts = parts.map_err(|error| Trouble::Failed(error.to_string()))?;
        let part = timeout_at(deadline, parts.next()).await;
        let part = part.map_err(|_| late(archive))?;
        let part = part.map_err(|trouble| Trouble::Failed(trouble.to_string()))?;
        let part = part.ok_or(Trouble::Gone)?;
        self.hand_on(archive, room, deadline, Coming::Part(part))
            .await
    }

    async fn hand_on(
        &mut self,
        archive: &Archive,
        room: &Arc<Room>,
        deadline: Instant,
        mut coming: Coming<'_>,
    ) -> Result<(), Trouble> {
        let begun = timeout_at(deadline, begin(&mut coming, &self.wanted.names)).await;
        let begun = begun.map_err(|_| late(archive))??;
        self.wanted
            .judge_syntax(room, &begun.transfer_syntax_uid)
            .await?;
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Ok(()));
        }
        let mut out = Out {
            chunks: &self.chunks,
            waiting: BytesMut::from(begun.bytes.as_slice()),
        };
        loop {
            if !out.hand_on().await {
                return Ok(());
            }
            match coming.chunk().await? {
                Some(bytes) => out.waiting.extend_from_slice(&bytes),
                None => break,
            }
        }
        out.finish().await;
        Ok(())
    }
}

fn late(archive: &Archive) -> Trouble {
    let seconds = archive.config.patience.as_secs();
    Trouble::Failed(format!("nothing of it has come within {seconds} seconds"))
}

/// Bytes on their way out.
struct Out<'a> {
    chunks: &'a mpsc::Sender<io::Result<Bytes>>,
    waiting: BytesMut,
}

impl Out<'_> {
    /// Hands on what fills a piece, and what there is if the other end waits for it. `false` if
    /// nobody wants more.
    async fn hand_on(&mut self) -> bool {
        while self.waiting.len() >= CHUNK {
            if !self.send(CHUNK).await {
                return false;
            }
        }
        let whole = self.waiting.len() / 3 * 3;
        let hungry = self.chunks.capacity() == self.chunks.max_capacity();
        if hungry && whole > 0 {
            return self.send(whole).await;
        }
        !self.chunks.is_closed()
    }

    async fn finish(&mut self) {
        let rest = self.waiting.len();
        if rest > 0 {
            self.send(rest).await;
        }
    }

    async fn send(&mut self, length: usize) -> bool {
        let piece = self.waiting.split_to(length).freeze();
        self.chunks.send(Ok(piece)).await.is_ok()
    }
}
