//! What came before its turn: one file without a name for each answer, however many attachments wait,
//! encrypted with a key that is nowhere else.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use hilum_security::at_rest::Scratch;

/// Bytes that are read at once.
const CHUNK: u64 = 192 * 1024;

/// Bytes that may still wait, of all answers that are put together for one caller. Clones are the same.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    pub(crate) fn of(bytes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(bytes)))
    }

    fn take(&self, bytes: u64) -> io::Result<()> {
        let left = |left: u64| left.checked_sub(bytes);
        let taken = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other(
                "too much waits for its turn, or comes in another order than it was promised \
                 (gateway.aside_bytes)",
            )),
        }
    }

    /// Whether they were there.
    fn has_taken(&self, bytes: u64) -> bool {
        self.take(bytes).is_ok()
    }

    fn give_back(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What waits.
#[derive(Debug)]
pub(super) struct Aside {
    budget: Budget,
    /// Bytes of the budget that nothing else can take.
    reserved: u64,
    file: Option<Arc<Scratch>>,
    length: u64,
    places: HashMap<String, Range<u64>>,
}

impl Aside {
    pub(super) fn of(budget: Budget) -> Self {
        Self {
            budget,
            reserved: 0,
            file: None,
            length: 0,
            places: HashMap::new(),
        }
    }

    /// Where the next byte comes to lie.
    pub(super) const fn end(&self) -> u64 {
        self.length
    }

    /// Some of what must wait, after what came of it before.
    pub(super) async fn add(&mut self, chunk: Bytes) -> io::Result<()> {
        let (at, length) = (self.length, chunk.len() as u64);
        let reserved = self.reserved.min(length);
        self.budget.take(length - reserved)?;
        self.reserved -= reserved;
        // A place that could not be written is lost, and given back with the others.
        self.length += length;
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let made = blocking(|| Scratch::new(tempfile::tempfile()?).map(Arc::new)).await?;
                Arc::clone(self.file.insert(made))
            }
        };
        blocking(move || file.write_all_at(&chunk, at)).await
    }

    /// Keeps room for so many bytes, if there is.
    pub(super) fn reserve(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.reserved);
        let is_there = self.budget.has_taken(more);
        if is_there {
            self.reserved += more;
        }
        is_there
    }

    /// What is kept is not needed any more.
    pub(super) fn give_up_reserve(&mut self) {
        self.budget.give_back(std::mem::take(&mut self.reserved));
    }

    /// What was added since is an attachment with this name.
    pub(super) fn keep(&mut self, name: String, since: u64) {
        self.places.insert(name, since..self.length);
    }

    /// Where the attachment with this name waits. It is asked for once.
    pub(super) fn find(&mut self, name: &str) -> Option<Range<u64>> {
        self.places.remove(name)
    }

    /// The next bytes of a place, or `None` at its end.
    pub(super) async fn next(&self, place: &mut Range<u64>) -> io::Result<Option<Bytes>> {
        let length = CHUNK.min(place.end.saturating_sub(place.start));
        let Some(file) = self.file.as_ref().filter(|_| length > 0) else {
            return Ok(None);
        };
        let (file, at) = (Arc::clone(file), place.start);
        place.start += length;
        let read = blocking(move || {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            file.read_exact_at(length, at)
        });
        Ok(Some(read.await?.into()))
    }

    /// Something does not wait any more. When nothing does, the file goes, and gives its room back.
    pub(super) fn release(&mut self) {
        if self.places.is_empty() {
            self.file = None;
            self.budget.give_back(std::mem::take(&mut self.length));
        }
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        self.budget.give_back(self.length + self.reserved);
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_put_aside_comes_back_and_gives_its_room_back() {
        let all: Vec<u8> = (0..=255).cycle().take(500_000).collect();
        let mut aside = Aside::of(Budget::of(1_000_000));
        for round in 0..3 {
            for name in ["one", "two"] {
                let since = aside.end();
                for chunk in all.chunks(77_777) {
                    aside.add(Bytes::copy_from_slice(chunk)).await.unwrap();
                }
                aside.keep(name.to_owned(), since);
            }
            let more = aside.add(Bytes::from_static(b"x")).await;
            assert!(more.is_err(), "round {round}: there is no more room");
            for name in ["two", "one"] {
                let mut place = aside.find(name).unwrap();
                let mut back = Vec::new();
                while let Some(chunk) = aside.next(&mut place).await.unwrap() {
                    back.extend_from_slice(&chunk);
                }
                assert_eq!(back, all);
                let left = aside.end();
                aside.release();
                let is_last = name == "one";
                assert_eq!(aside.end() < left, is_last, "the file goes as a whole");
            }
            assert_eq!(aside.end(), 0);
        }
    }
    #[tokio::test]
    async fn what_is_reserved_is_there_and_everything_is_given_back() {
        let budget = Budget::of(100);
        let (mut one, mut other) = (Aside::of(budget.clone()), Aside::of(budget.clone()));
        assert!(one.reserve(80) && !other.reserve(30));
        assert!(other.add(Bytes::from_static(&[0; 20])).await.is_ok());
        assert!(other.add(Bytes::from_static(b"x")).await.is_err());
        assert!(one.add(Bytes::from_static(&[0; 60])).await.is_ok());
        one.give_up_reserve();
        assert!(other.reserve(20) && !other.reserve(21));
        // Neither of them was taken by anybody.
        one.keep("one".to_owned(), 0);
        drop((one, other));
        assert!(budget.has_taken(100));
    }
}
