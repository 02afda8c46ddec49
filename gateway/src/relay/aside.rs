//! What came before its turn: one file without a name for each answer, however many attachments wait.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hilum_security::at_rest::Scratch;
use hilum_transport::Attachment;

use super::{CHUNK, Chunks, blocking, broken, send};

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
                "too much comes in another order than it was promised (gateway.aside_bytes)",
            )),
        }
    }
}

/// What waits.
#[derive(Debug)]
pub(super) struct Aside {
    budget: Budget,
    file: Option<Arc<Scratch>>,
    length: u64,
    places: HashMap<String, Range<u64>>,
}

impl Aside {
    pub(super) fn of(budget: Budget) -> Self {
        Self {
            budget,
            file: None,
            length: 0,
            places: HashMap::new(),
        }
    }

    /// Where the attachment with this name waits. It is asked for once.
    pub(super) fn find(&mut self, name: &str) -> Option<Range<u64>> {
        self.places.remove(name)
    }

    pub(super) async fn put(
        &mut self,
        name: String,
        attachment: &mut Attachment<'_>,
    ) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let made = blocking(|| Scratch::new(tempfile::tempfile()?).map(Arc::new)).await?;
                Arc::clone(self.file.insert(made))
            }
        };
        let from = self.length;
        while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
            let (at, length) = (self.length, chunk.len() as u64);
            self.budget.take(length)?;
            let file = Arc::clone(&file);
            blocking(move || file.write_all_at(&chunk, at)).await?;
            self.length += length;
        }
        self.places.insert(name, from..self.length);
        Ok(())
    }

    /// Hands on what waited, each piece but the last a multiple of three bytes long.
    pub(super) async fn pass(&self, place: Range<u64>, to: &Chunks) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut from = place.start;
        while from < place.end {
            let length = (place.end - from).min(CHUNK as u64);
            let wanted = usize::try_from(length).map_err(io::Error::other)?;
            let file = Arc::clone(file);
            let chunk = blocking(move || file.read_exact_at(wanted, from)).await?;
            send(to, chunk.into()).await?;
            from += length;
        }
        Ok(())
    }
}
