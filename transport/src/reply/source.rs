//! Where what is sent comes from: memory, files, or whoever makes it meanwhile.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::body::{Piece, Source};

/// An attachment that is to be sent. The body refers to it with
/// [`write_include`](xds_schemas::mtom::write_include).
#[derive(Debug)]
pub struct Part {
    /// Names it within its message.
    pub content_id: String,
    /// Media type.
    pub content_type: String,
    /// Where the content is.
    pub source: PartSource,
}

/// Where the content of an attachment is.
#[derive(Debug)]
pub enum PartSource {
    /// In memory.
    Bytes(Bytes),
    /// In a file, which is read while it is sent and must not change meanwhile.
    File {
        /// The file.
        path: PathBuf,
        /// Where the content begins.
        offset: u64,
        /// How long it is.
        length: u64,
    },
    /// In a file that is open already: it comes even if its name is gone when its turn comes.
    Open {
        /// The file, which stands where the content begins.
        file: File,
        /// How long it is.
        length: u64,
    },
    /// Behind something that can be read, as a file is.
    Read(Reading),
    /// Somewhere else, from where it comes in chunks when its turn has come.
    Stream(Stream),
}

/// What a [`Reading`] gives.
pub(crate) type Readable = Box<dyn Read + Send>;

/// Content that is read as a file is, on threads that may block.
pub struct Reading {
    length: u64,
    open: Box<dyn FnOnce() -> io::Result<Readable> + Send + Sync>,
}

impl Reading {
    /// Content of this length. `open` is called when its turn has come. If reading fails, the
    /// connection breaks off, because what was begun cannot be taken back.
    pub fn new(
        length: u64,
        open: impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            length,
            open: Box::new(open),
        }
    }

    pub(crate) fn open(self) -> io::Result<Readable> {
        (self.open)()
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Reading")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Content that comes in chunks, each but the last a multiple of three bytes long, so that they can
/// be written in base64 one by one.
pub struct Stream {
    /// Nothing if it is known only when all of it has come.
    length: Option<u64>,
    open: Box<dyn FnOnce() -> mpsc::Receiver<io::Result<Bytes>> + Send + Sync>,
}

impl Stream {
    /// Content of this length. `open` is called in a tokio runtime when the content is about to be
    /// sent; what it gives ends after the last chunk.
    pub fn new(
        length: u64,
        open: impl FnOnce() -> mpsc::Receiver<io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            length: Some(length),
            open: Box::new(open),
        }
    }

    /// The same for content whose length nobody knows before it ends.
    pub fn of_unknown_length(
        open: impl FnOnce() -> mpsc::Receiver<io::Result<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            length: None,
            open: Box::new(open),
        }
    }

    /// Content that is written while it is sent, on a thread that may block. `write` is called when
    /// the content's turn has come, and waits when the connection takes no more; if it fails, the
    /// connection breaks off, because what was begun cannot be taken back.
    pub fn written(
        length: Option<u64>,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let open = move || {
            let (sender, receiver) = mpsc::channel(CHUNKS);
            tokio::task::spawn_blocking(move || {
                let mut out = Chunks {
                    sender,
                    chunk: Vec::new(),
                };
                if let Err(error) = write(&mut out).and_then(|()| out.finish()) {
                    // Whoever took the content may have gone, which is why it failed.
                    let _ = out.sender.blocking_send(Err(error));
                }
            });
            receiver
        };
        Self {
            length,
            open: Box::new(open),
        }
    }

    pub(crate) const fn length(&self) -> Option<u64> {
        self.length
    }

    pub(crate) fn open(self) -> mpsc::Receiver<io::Result<Bytes>> {
        (self.open)()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Stream")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Bytes of content that are written before they are handed on: three bytes become four characters
/// in base64, without a rest between chunks.
const WRITTEN_CHUNK: usize = 192 * 1024;
/// Chunks that wait for the connection.
const CHUNKS: usize = 2;

/// Gathers what is written into chunks.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    chunk: Vec<u8>,
}

impl Chunks {
    fn finish(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk).into();
        let sent = self.sender.blocking_send(Ok(chunk));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.capacity() == 0 {
            // Most of what is written is short.
            self.chunk.reserve(bytes.len().min(WRITTEN_CHUNK));
        }
        let taken = bytes.len().min(WRITTEN_CHUNK - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        if self.chunk.len() == WRITTEN_CHUNK {
            self.finish()?;
        }
        Ok(taken)
    }

    /// Chunks are handed on when they are full, because of base64.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl PartSource {
    pub(crate) fn plain(self) -> Piece {
        self.piece(false)
    }

    pub(crate) fn base64(self) -> Piece {
        self.piece(true)
    }

    fn piece(self, base64: bool) -> Piece {
        let (file, length) = match self {
            Self::Bytes(bytes) if base64 => return Piece::Bytes(STANDARD.encode(&bytes).into()),
            Self::Bytes(bytes) => return Piece::Bytes(bytes),
            Self::Stream(stream) => return Piece::Stream { stream, base64 },
            Self::File {
                path,
                offset,
                length,
            } => (Source::At { path, offset }, length),
            Self::Open { file, length } => (Source::Open(file), length),
            Self::Read(reading) => {
                let length = reading.length;
                (Source::Read(reading), length)
            }
        };
        Piece::File {
            file,
            length,
            base64,
        }
    }
}
