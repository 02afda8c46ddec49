//! What waits for its turn: in one file without a name, encrypted with a key that is nowhere else, so that
//! many parts need neither memory nor a file each.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hilum_security::at_rest::Scratch;

/// Bytes that are read at once.
const CHUNK: u64 = 192 * 1024;

/// Bytes that are written once and read by their places.
#[derive(Debug)]
pub(super) struct Aside {
    /// Made when the first bytes come, which is seldom.
    file: Option<Arc<Scratch>>,
    length: u64,
    limit: u64,
}

impl Aside {
    /// For at most so many bytes.
    pub(super) const fn new(limit: u64) -> Self {
        Self {
            file: None,
            length: 0,
            limit,
        }
    }

    /// How many bytes were written: where the next ones will stand.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) async fn add(&mut self, chunk: Bytes) -> io::Result<()> {
        let (at, length) = (self.length, self.length + chunk.len() as u64);
        if length > self.limit {
            let problem =
                "too much waits for its turn, or comes in another order than it was promised";
            return Err(io::Error::other(problem));
        }
        self.length = length;
        let file = match &self.file {
            Some(file) => Arc::clone(file),
            None => {
                let made = blocking(|| Scratch::new(tempfile::tempfile()?)).await?;
                Arc::clone(self.file.insert(Arc::new(made)))
            }
        };
        blocking(move || file.write_all_at(&chunk, at)).await
    }

    /// The next bytes of these, which are fewer then; `None` at the end.
    pub(super) async fn next(&self, rest: &mut Range<u64>) -> io::Result<Option<Bytes>> {
        let (at, length) = (rest.start, CHUNK.min(rest.end - rest.start));
        let file = match &self.file {
            Some(file) if length > 0 => Arc::clone(file),
            _ => return Ok(None),
        };
        rest.start += length;
        let read = blocking(move || {
            let length = usize::try_from(length).map_err(io::Error::other)?;
            file.read_exact_at(length, at)
        });
        Ok(Some(read.await?.into()))
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
    async fn what_was_put_aside_comes_back() {
        let all: Vec<u8> = (0..=255).cycle().take(500_000).collect();
        let mut aside = Aside::new(500_000);
        let mut places = Vec::new();
        for chunk in all.chunks(277_777) {
            let start = aside.length();
            aside.add(Bytes::copy_from_slice(chunk)).await.unwrap();
            places.push(start..aside.length());
        }
        for (mut place, chunk) in places.into_iter().zip(all.chunks(277_777)).rev() {
            let mut back = Vec::new();
            while let Some(bytes) = aside.next(&mut place).await.unwrap() {
                back.extend_from_slice(&bytes);
            }
            assert_eq!(back, chunk);
        }
        assert!(aside.add(Bytes::from_static(b"more")).await.is_err());
    }
}
