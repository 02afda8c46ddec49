//! What waits for its turn: a file without a name, encrypted with a key that is nowhere else.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use hilum_security::at_rest::Scratch;

/// Bytes that are read at once.
const CHUNK: u64 = 192 * 1024;

/// Bytes that are first written and then read.
#[derive(Debug)]
pub(super) struct Aside {
    file: Arc<Scratch>,
    length: u64,
    /// How many of them were read.
    read: u64,
}

impl Aside {
    pub(super) async fn new() -> io::Result<Self> {
        let file = blocking(|| Scratch::new(tempfile::tempfile()?)).await?;
        Ok(Self {
            file: Arc::new(file),
            length: 0,
            read: 0,
        })
    }

    /// How many bytes were written.
    pub(super) const fn length(&self) -> u64 {
        self.length
    }

    pub(super) async fn add(&mut self, chunk: Bytes) -> io::Result<()> {
        let (file, at) = (Arc::clone(&self.file), self.length);
        self.length += chunk.len() as u64;
        blocking(move || file.write_all_at(&chunk, at)).await
    }

    /// The next bytes, or `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let length = CHUNK.min(self.length - self.read);
        if length == 0 {
            return Ok(None);
        }
        let (file, at) = (Arc::clone(&self.file), self.read);
        self.read += length;
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
        let mut aside = Aside::new().await.unwrap();
        for chunk in all.chunks(77_777) {
            aside.add(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        assert_eq!(aside.length(), all.len() as u64);
        let mut back = Vec::new();
        while let Some(chunk) = aside.next().await.unwrap() {
            back.extend_from_slice(&chunk);
        }
        assert_eq!(back, all);
    }
}
