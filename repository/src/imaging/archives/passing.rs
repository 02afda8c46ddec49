//! Instances that come by the web and pass through: each in a queue of its own, which waits for its
//! turn in the answer.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::fetching::AHEAD;
use super::identity::{Coming, begin};
use super::wanted::{Fetched, Wanted};
use super::{Archive, Trouble};
use crate::imaging::Room;

/// Bytes that are handed on at once: a multiple of three, so that they can be written in base64.
const CHUNK: usize = 192 * 1024;
/// Such pieces that wait for their turn.
const CHUNKS: usize = 5;
/// How often an instance is asked for before it is given up, as long as nothing of it was passed on.
const ATTEMPTS: u32 = 2;

impl Archive {
    /// Has instances come by the web, and waits until it is known that the first of them do.
    pub(super) async fn passed_through(
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
