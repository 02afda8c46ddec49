//! Instances that an archive has to send here (C-MOVE), for one answer: some at a time, so that only
//! a few lie here before their turn has come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use hilum_dicom::Uid;
use hilum_security::at_rest;
use hilum_transport::{PartSource, Stream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::keeping::Kept;
use super::moving::{Arrival, judge};
use super::{Archive, Trouble, Wanted};
use crate::imaging::Room;

/// Instances that are asked for at one time.
const BATCH: usize = 32;
/// Bytes that are read at once: a multiple of three, so that they can be written in base64.
const CHUNK: usize = 192 * 1024;

/// An instance that arrives in time.
#[derive(Debug)]
pub(in crate::imaging) struct Arriving {
    state: State,
    /// Its turn has come: another one may be sent.
    turn: Arc<Semaphore>,
}

#[derive(Debug)]
enum State {
    Awaited(oneshot::Receiver<Arrival>),
    Here(Arc<Kept>),
}

struct Passenger {
    wanted: Wanted,
    seat: oneshot::Sender<Arrival>,
}

/// Begins to have these instances sent.
pub(super) fn set_out(
    archive: &Arc<Archive>,
    room: &Arc<Room>,
    wanted: Vec<Wanted>,
) -> Vec<Arriving> {
    let turn = Arc::new(Semaphore::new(2 * BATCH));
    let mut passengers = VecDeque::with_capacity(wanted.len());
    let mut arriving = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let (seat, arrival) = oneshot::channel();
        passengers.push_back(Passenger { wanted, seat });
        arriving.push(Arriving {
            state: State::Awaited(arrival),
            turn: Arc::clone(&turn),
        });
    }
    let (archive, room) = (Arc::clone(archive), Arc::clone(room));
    tokio::spawn(async move {
        while !passengers.is_empty() {
            let batch = next_batch(&mut passengers);
            let Some(first) = batch.first() else {
                return;
            };
            let count = u32::try_from(batch.len()).unwrap_or(u32::MAX);
            tokio::select! {
                permit = turn.acquire_many(count) => match permit {
                    Ok(permit) => permit.forget(),
                    Err(_) => return,
                },
                // Whoever asked is gone: so are all who sit here.
                () = is_left(&first.seat) => return,
            }
            sail(&archive, &room, batch).await;
        }
    });
    arriving
}

impl Passenger {
    /// Waits until it has come, and hands it to who wants it if it is what was wanted.
    async fn board(self, archive: Arc<Archive>, room: Arc<Room>, come: oneshot::Receiver<Arrival>) {
        let Self { wanted, seat } = self;
        let arrival = match come.await {
            Ok(Ok(kept)) => wanted.checked(&room, kept).await,
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => Err(lost()),
        };
        if let Err(trouble) = &arrival {
            archive.tell_failed(&room, &wanted, trouble).await;
        }
        // Whoever wanted it may be gone.
        let _ = seat.send(arrival);
    }
}

impl Wanted {
    async fn checked(&self, room: &Arc<Room>, kept: Arc<Kept>) -> Arrival {
        let (names, looked) = (self.names.clone(), Arc::clone(&kept));
        let judged = tokio::task::spawn_blocking(move || judge(&looked, &names)).await;
        let written = judged.unwrap_or_else(|_| Err(lost()))?;
        self.judge_syntax(room, &written).await?;
        Ok(kept)
    }
}

impl Arriving {
    /// The first ones are known to have come.
    pub(super) async fn arrived(&mut self) -> Result<(), Trouble> {
        let State::Awaited(arrival) = &mut self.state else {
            return Ok(());
        };
        let arrival = arrival.await.unwrap_or_else(|_| Err(lost()));
        self.state = State::Here(arrival?);
        Ok(())
    }

    /// Another one may be sent.
    pub(super) fn pass(&self) {
        self.turn.add_permits(1);
    }

    /// The file, when it has come.
    pub(super) async fn file(self) -> Arrival {
        self.turn.add_permits(1);
        match self.state {
            State::Here(kept) => Ok(kept),
            State::Awaited(arrival) => arrival.await.unwrap_or_else(|_| Err(lost())),
        }
    }

    /// As something that is sent.
    pub(super) fn into_source(self, archive: String) -> PartSource {
        PartSource::Stream(Stream::of_unknown_length(move || {
            let (chunks, coming) = mpsc::channel(2);
            tokio::spawn(async move {
                match self.file().await {
                    Ok(kept) => read_out(kept, chunks),
                    Err(trouble) => {
                        let reason = format!("archive {archive}: {trouble}");
                        // Whoever wanted it may be gone.
                        let _ = chunks.send(Err(io::Error::other(reason))).await;
                    }
                }
            });
            coming
        }))
    }
}

/// Reads a file into a queue, on a thread that may block.
fn read_out(kept: Arc<Kept>, chunks: mpsc::Sender<io::Result<Bytes>>) {
    tokio::task::spawn_blocking(move || {
        let read = || -> io::Result<()> {
            let mut file = at_rest::open(kept.path())?;
            loop {
                let mut chunk = Vec::with_capacity(CHUNK);
                (&mut file).take(CHUNK as u64).read_to_end(&mut chunk)?;
                let last = chunk.len() < CHUNK;
                if !chunk.is_empty() && chunks.blocking_send(Ok(chunk.into())).is_err() {
                    return Ok(());
                }
                if last {
                    return Ok(());
                }
            }
        };
        if let Err(error) = read() {
            let _ = chunks.blocking_send(Err(error));
        }
    });
}

fn lost() -> Trouble {
    Trouble::Failed("fetching it was lost".to_owned())
}

async fn is_left(seat: &oneshot::Sender<Arrival>) {
    while !seat.is_closed() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The next ones of one series.
fn next_batch(passengers: &mut VecDeque<Passenger>) -> Vec<Passenger> {
    let mut batch: Vec<Passenger> = Vec::with_capacity(BATCH);
    while batch.len() < BATCH
        && let Some(next) = passengers.pop_front()
    {
        let fits = batch.first().is_none_or(|first| {
            let (first, next) = (&first.wanted.names, &next.wanted.names);
            first.series == next.series && first.study == next.study
        });
        if !fits {
            passengers.push_front(next);
            break;
        }
        batch.push(next);
    }
    batch
}

/// Has a batch sent, and tells each who waits when it has come.
async fn sail(archive: &Arc<Archive>, room: &Arc<Room>, batch: Vec<Passenger>) {
    let Some(moving) = archive.moving() else {
        return;
    };
    let deadline = Instant::now() + archive.config.patience;
    let permit = timeout_at(deadline, archive.permits.acquire()).await;
    let Ok(Ok(_permit)) = permit else {
        let busy = Trouble::Failed("it has no time: too much else is being fetched".to_owned());
        for passenger in batch {
            let _ = passenger.seat.send(Err(busy.clone()));
        }
        return;
    };
    let Some(first) = batch.first() else {
        return;
    };
    let (study, series) = (
        first.wanted.names.study.clone(),
        first.wanted.names.series.clone(),
    );
    let mut awaited = Vec::with_capacity(batch.len());
    for passenger in batch {
        let instance = passenger.wanted.names.instance.clone();
        let (ticket, come) = moving.await_one(&instance);
        match archive.keeping.find(&instance) {
            Some(kept) => moving.settle(&instance, &kept),
            None => awaited.push((instance, ticket)),
        }
        let (archive, room) = (Arc::clone(archive), Arc::clone(room));
        tokio::spawn(passenger.board(archive, room, come));
    }
    if awaited.is_empty() {
        return;
    }
    let instances: Vec<Uid> = awaited
        .iter()
        .map(|(instance, _)| instance.clone())
        .collect();
    let sent = moving.have_sent(&study, &series, &instances).await;
    // What arrived has been handed over; for the rest, nothing more comes.
    let trouble = match sent {
        Ok(()) => Trouble::Failed("it does not send it".to_owned()),
        Err(trouble) => trouble,
    };
    for (instance, ticket) in &awaited {
        moving.give_up(instance, *ticket, &trouble);
    }
}
