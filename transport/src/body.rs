//! What we send: pieces in memory and pieces of files, one after the other.
//!
//! Files are read in large chunks on blocking threads, always one chunk ahead of the connection,
//! so that an answer of any size needs the memory of two chunks.

use std::collections::VecDeque;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::reply::{Readable, Reading, Stream};

/// Bytes of a file that are read at once.
const CHUNK: u64 = 256 * 1024;
/// The same for base64: three bytes become four characters, without a rest between chunks.
const BASE64_CHUNK: u64 = 192 * 1024;

/// One piece of a body.
#[derive(Debug)]
pub(crate) enum Piece {
    /// In memory.
    Bytes(Bytes),
    /// A range of a file, as it is or in base64.
    File {
        file: Source,
        length: u64,
        base64: bool,
    },
    /// From elsewhere, as it is or in base64.
    Stream { stream: Stream, base64: bool },
}

/// Where a file is.
#[derive(Debug)]
pub(crate) enum Source {
    /// At this path, and from this byte on.
    At { path: PathBuf, offset: u64 },
    /// Open already, and read from where it stands.
    Open(File),
    /// Behind something else.
    Read(Reading),
}

impl Piece {
    /// How long it is where it is sent, if that is known.
    fn length(&self) -> Option<u64> {
        let (length, base64) = match self {
            Self::Stream { stream, base64 } => (stream.length()?, *base64),
            Self::Bytes(bytes) => (bytes.len() as u64, false),
            Self::File { length, base64, .. } => (*length, *base64),
        };
        Some(match base64 {
            true => length.div_ceil(3) * 4,
            false => length,
        })
    }
}

/// A body, usually of known length.
pub(crate) struct Body {
    pieces: VecDeque<Piece>,
    /// Nothing if one of its pieces is of unknown length.
    remaining: Option<u64>,
    reading: Option<JoinHandle<io::Result<Chunk>>>,
    coming: Option<Coming>,
    /// How many pieces the connection has taken.
    taken: Arc<AtomicU64>,
}

impl Body {
    pub(crate) fn of(pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces: VecDeque<_> = pieces
            .into_iter()
            .filter(|piece| piece.length() != Some(0))
            .collect();
        let remaining = pieces.iter().map(Piece::length).sum();
        Self {
            pieces,
            remaining,
            reading: None,
            coming: None,
            taken: Arc::default(),
        }
    }

    /// Grows as long as the connection takes more of this body.
    pub(crate) fn taken(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.taken)
    }

    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::of([Piece::Bytes(bytes.into())])
    }

    fn give(&mut self, bytes: Bytes) -> Frame<Bytes> {
        let given = bytes.len() as u64;
        self.remaining = self.remaining.map(|left| left.saturating_sub(given));
        self.taken.fetch_add(1, Ordering::Relaxed);
        Frame::data(bytes)
    }

    /// The next bytes of a piece that comes from elsewhere, or `None` at its end.
    fn poll_coming(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(coming) = self.coming.as_mut() else {
            return Poll::Ready(None);
        };
        let chunk = ready!(coming.chunks.poll_recv(context));
        let chunk = match chunk {
            Some(Ok(chunk)) => {
                let given = chunk.len() as u64;
                let left = coming.remaining.map(|left| left.checked_sub(given));
                match left {
                    Some(None) => Err(io::Error::other("more came than was announced")),
                    left => {
                        coming.remaining = left.flatten();
                        Ok(chunk)
                    }
                }
            }
            Some(Err(error)) => Err(error),
            None if coming.remaining.is_none_or(|left| left == 0) => {
                self.coming = None;
                return Poll::Ready(None);
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        };
        Poll::Ready(Some(match chunk {
            Ok(chunk) => Ok(match coming.base64 {
                true => STANDARD.encode(&chunk).into(),
                false => chunk,
            }),
            Err(error) => {
                tracing::error!(%error, "content that is being sent does not come");
                Err(error)
            }
        }))
    }

    /// If the next piece is a file, has it opened and its first chunk read; if it comes from
    /// elsewhere, has it begin.
    fn read_ahead(&mut self) {
        if matches!(self.pieces.front(), Some(Piece::Stream { .. }))
            && let Some(Piece::Stream { stream, base64 }) = self.pieces.pop_front()
        {
            self.coming = Some(Coming {
                remaining: stream.length(),
                chunks: stream.open(),
                base64,
            });
        }
        if matches!(self.pieces.front(), Some(Piece::File { .. }))
            && let Some(Piece::File {
                file,
                length,
                base64,
            }) = self.pieces.pop_front()
        {
            self.reading = Some(tokio::task::spawn_blocking(move || {
                OpenFile::open(file, length, base64)?.chunk()
            }));
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.coming.is_some() {
            if let Some(chunk) = ready!(self.poll_coming(context)) {
                let bytes = chunk?;
                return Poll::Ready(Some(Ok(self.give(bytes))));
            }
            self.read_ahead();
            return self.poll_frame(context);
        }
        if self.reading.is_none() {
            self.read_ahead();
            if self.coming.is_some() {
                return self.poll_frame(context);
            }
        }
        let bytes = if let Some(reading) = self.reading.as_mut() {
            let read = ready!(Pin::new(reading).poll(context));
            self.reading = None;
            let (bytes, rest) = match read.map_err(io::Error::other).and_then(|read| read) {
                Ok(read) => read,
                Err(error) => {
                    tracing::error!(%error, "a file that is being sent cannot be read");
                    return Poll::Ready(Some(Err(error)));
                }
            };
            match rest {
                Some(file) => {
                    self.reading = Some(tokio::task::spawn_blocking(move || file.chunk()));
                }
                None => self.read_ahead(),
            }
            bytes
        } else if let Some(Piece::Bytes(bytes)) = self.pieces.pop_front() {
            self.read_ahead();
            bytes
        } else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Ok(self.give(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match self.remaining {
            Some(remaining) => remaining == 0,
            None => self.pieces.is_empty() && self.reading.is_none() && self.coming.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A piece that comes from elsewhere.
struct Coming {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    /// Nothing if nobody said how long it is.
    remaining: Option<u64>,
    base64: bool,
}

/// What was read, and the file if there is more of it.
type Chunk = (Bytes, Option<OpenFile>);

/// A file that is being sent.
struct OpenFile {
    file: Readable,
    remaining: u64,
    base64: bool,
}

impl OpenFile {
    fn open(file: Source, length: u64, base64: bool) -> io::Result<Self> {
        let file = match file {
            Source::Open(file) => Box::new(file),
            Source::Read(reading) => reading.open()?,
            Source::At { path, offset } => {
                let mut file = File::open(path)?;
                if offset > 0 {
                    file.seek(SeekFrom::Start(offset))?;
                }
                Box::new(file)
            }
        };
        Ok(Self {
            file,
            remaining: length,
            base64,
        })
    }

    /// Reads the next chunk. Gives back the file if there is more.
    fn chunk(mut self) -> io::Result<Chunk> {
        let wanted = self
            .remaining
            .min(if self.base64 { BASE64_CHUNK } else { CHUNK });
        let mut chunk = Vec::with_capacity(usize::try_from(wanted).map_err(io::Error::other)?);
        let read = (&mut self.file).take(wanted).read_to_end(&mut chunk)?;
        if (read as u64) < wanted {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the file became shorter",
            ));
        }
        self.remaining -= wanted;
        let bytes = if self.base64 {
            STANDARD.encode(&chunk).into()
        } else {
            chunk.into()
        };
        Ok((bytes, (self.remaining > 0).then_some(self)))
    }
}
