//! Attachments as streams: from the wire to whoever wants them, never as a whole in memory.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use xds_schemas::mtom::{ContentType, Found, PartHeaders, Scanner, content_id};
use xds_schemas::soap::Fault;

use crate::limits::Limits;
use crate::wire::{Gathered, Trouble, Wire};

/// Bytes of an attachment before the envelope that are read at once.
const EARLY_CHUNK: u64 = 64 * 1024;
/// Bytes of the names and media types of all parts of one message, which are kept until its end:
/// enough for a hundred thousand instances with names of 300 characters.
const NAMES_BYTES: usize = 32 * 1024 * 1024;
/// What may stand behind the last part.
const EPILOGUE_BYTES: usize = 64 * 1024;

/// The attachments of a message, in the order in which they come.
///
/// They are still on the wire: take one after the other, and each of them to its end or not at
/// all. What is not taken is passed over.
pub struct Attachments {
    /// Those that came before the envelope.
    early: VecDeque<Early>,
    stream: Option<Box<PartStream>>,
    seen: HashSet<String>,
    in_part: bool,
    /// Bytes of the current attachment so far.
    bytes: u64,
    limit: u64,
}

impl Attachments {
    /// No attachments.
    pub fn none() -> Self {
        Self {
            early: VecDeque::new(),
            stream: None,
            seen: HashSet::new(),
            in_part: false,
            bytes: 0,
            limit: 0,
        }
    }

    /// The next attachment, or `None` when there are no more. Two of the same name are a fault,
    /// because a reference to them would mean nothing.
    pub async fn next(&mut self) -> Result<Option<Attachment<'_>>, Fault> {
        if let Some(early) = self.early.pop_front() {
            let Early {
                headers,
                file,
                rest,
            } = early;
            self.remember(&headers)?;
            return Ok(Some(Attachment::new(headers, Content::Early(file, rest))));
        }
        while self.in_part {
            self.data().await?;
        }
        let Some(stream) = self.stream.as_mut() else {
            return Ok(None);
        };
        match stream.event().await.map_err(|trouble| trouble.fault)? {
            Event::Part(headers) => {
                self.remember(&headers)?;
                self.in_part = true;
                self.bytes = 0;
                Ok(Some(Attachment::new(headers, Content::Wire(self))))
            }
            Event::Data(_) | Event::PartEnd | Event::End => {
                self.stream = None;
                Ok(None)
            }
        }
    }

    fn remember(&mut self, headers: &PartHeaders) -> Result<(), Fault> {
        match &headers.content_id {
            Some(id) if !self.seen.insert(id.clone()) => {
                self.stream = None;
                Err(Fault::sender(
                    "two parts of the message have the same Content-ID",
                ))
            }
            _ => Ok(()),
        }
    }

    async fn data(&mut self) -> Result<Option<Bytes>, Fault> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.in_part) else {
            return Ok(None);
        };
        match stream.event().await {
            Ok(Event::Data(bytes)) => {
                self.bytes += bytes.len() as u64;
                if self.bytes > self.limit {
                    self.in_part = false;
                    self.stream = None;
                    return Err(Fault::sender(format!(
                        "an attachment is longer than {} bytes",
                        self.limit
                    )));
                }
                Ok(Some(bytes))
            }
            Ok(Event::Part(_) | Event::PartEnd | Event::End) => {
                self.in_part = false;
                Ok(None)
            }
            Err(trouble) => {
                self.in_part = false;
                self.stream = None;
                Err(trouble.fault)
            }
        }
    }
}

impl std::fmt::Debug for Attachments {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Attachments")
            .field("seen", &self.seen.len())
            .finish_non_exhaustive()
    }
}

/// One attachment.
pub struct Attachment<'a> {
    headers: PartHeaders,
    content: Content<'a>,
}

enum Content<'a> {
    Wire(&'a mut Attachments),
    /// A file, and what of it was not read yet.
    Early(Arc<File>, Range<u64>),
}

impl<'a> Attachment<'a> {
    const fn new(headers: PartHeaders, content: Content<'a>) -> Self {
        Self { headers, content }
    }

    /// What `xop:Include` refers to, in the form of
    /// [`content_id`]. Empty if it has no name.
    pub fn content_id(&self) -> &str {
        self.headers.content_id.as_deref().unwrap_or_default()
    }

    /// The media type that the part names. Metadata is the better source.
    pub fn content_type(&self) -> &str {
        self.headers
            .content_type
            .as_deref()
            .unwrap_or("application/octet-stream")
    }

    /// The next bytes, or `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        match &mut self.content {
            Content::Wire(attachments) => attachments.data().await,
            Content::Early(file, rest) => {
                let wanted = EARLY_CHUNK.min(rest.end - rest.start);
                if wanted == 0 {
                    return Ok(None);
                }
                let (file, from) = (Arc::clone(file), rest.start);
                let read = blocking(move || {
                    let mut chunk = vec![0; usize::try_from(wanted).map_err(io::Error::other)?];
                    file.read_exact_at(&mut chunk, from)?;
                    Ok(chunk)
                });
                let chunk = read.await.map_err(|trouble| trouble.fault)?;
                rest.start += wanted;
                Ok(Some(chunk.into()))
            }
        }
    }

    /// All of it, if it is at most `limit` bytes long.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, Fault> {
        let mut gathered = Gathered::new(limit);
        while let Some(chunk) = self.chunk().await? {
            gathered.add(chunk).map_err(|_| {
                Fault::sender(format!("an attachment is longer than {limit} bytes"))
            })?;
        }
        Ok(gathered.finish())
    }
}

/// A part that came before the envelope.
struct Early {
    headers: PartHeaders,
    file: Arc<File>,
    rest: Range<u64>,
}

/// One file for everything that comes before the envelope, so that many parts need neither memory
/// nor a descriptor each.
struct Aside {
    file: Arc<File>,
    length: u64,
    limit: u64,
}

impl Aside {
    async fn new(limit: u64) -> Result<Self, Trouble> {
        Ok(Self {
            file: Arc::new(blocking(tempfile::tempfile).await?),
            length: 0,
            limit,
        })
    }

    async fn add(&mut self, bytes: Bytes) -> Result<(), Trouble> {
        let from = self.length;
        self.length += bytes.len() as u64;
        if self.length > self.limit {
            return Err(Trouble::too_large(
                "the attachments before the envelope are too long to be kept",
            ));
        }
        let file = Arc::clone(&self.file);
        blocking(move || file.write_all_at(&bytes, from)).await
    }
}

/// Takes the envelope of an MTOM message. What comes behind it stays on the wire; what comes
/// before it is kept, within limits.
pub(crate) async fn receive(
    wire: Wire,
    content_type: &ContentType,
    limits: &Limits,
) -> Result<(Bytes, Attachments), Trouble> {
    let scanner = Scanner::new(content_type, limits.scan())?;
    let start = content_type.parameter("start").map(content_id);
    let mut stream = PartStream::new(wire, scanner);
    let mut attachments = Attachments {
        limit: limits.attachment_bytes,
        ..Attachments::none()
    };
    let mut aside: Option<Aside> = None;
    loop {
        match stream.event().await? {
            Event::Part(headers) if start.is_none() || headers.content_id == start => {
                let root = stream.collect(limits.root_bytes).await?;
                attachments.seen.extend(headers.content_id);
                attachments.stream = Some(Box::new(stream));
                return Ok((root, attachments));
            }
            Event::Part(headers) => {
                let aside = match &mut aside {
                    Some(aside) => aside,
                    None => aside.insert(Aside::new(limits.early_bytes).await?),
                };
                let from = aside.length;
                stream.put(aside).await?;
                attachments.early.push_back(Early {
                    headers,
                    file: Arc::clone(&aside.file),
                    rest: from..aside.length,
                });
            }
            Event::Data(_) | Event::PartEnd => {}
            Event::End => {
                return Err(Trouble::bad(
                    "no part has the Content-ID that the parameter start of the Content-Type names",
                ));
            }
        }
    }
}

/// What comes next on the wire.
enum Event {
    Part(PartHeaders),
    Data(Bytes),
    PartEnd,
    End,
}

/// The parts as they come.
struct PartStream {
    wire: Wire,
    scanner: Scanner,
    chunk: Bytes,
    delimiter: Bytes,
    /// Bytes of names and media types so far.
    names: usize,
}

impl PartStream {
    fn new(wire: Wire, scanner: Scanner) -> Self {
        let delimiter = Bytes::copy_from_slice(scanner.delimiter());
        Self {
            wire,
            scanner,
            chunk: Bytes::new(),
            delimiter,
            names: 0,
        }
    }

    /// Counts what is kept of a part's headers.
    fn count(&mut self, headers: &PartHeaders) -> Result<(), Trouble> {
        let kept = [&headers.content_id, &headers.content_type];
        self.names += kept.into_iter().flatten().map(String::len).sum::<usize>();
        match self.names > NAMES_BYTES {
            true => Err(Trouble::too_large(
                "the headers of the parts are too long together",
            )),
            false => Ok(()),
        }
    }

    async fn event(&mut self) -> Result<Event, Trouble> {
        loop {
            let (used, found) = self.scanner.step(&self.chunk)?;
            let event = match found {
                Found::Nothing => match self.wire.frame().await? {
                    Some(chunk) => {
                        self.chunk = chunk;
                        continue;
                    }
                    None => {
                        self.scanner.finish()?;
                        return Ok(Event::End);
                    }
                },
                Found::Part(headers) => {
                    self.count(&headers)?;
                    Event::Part(headers)
                }
                Found::Data(range) => Event::Data(self.chunk.slice(range)),
                Found::Withheld(range) => Event::Data(self.delimiter.slice(range)),
                Found::PartEnd => Event::PartEnd,
                Found::End => {
                    self.finish().await?;
                    return Ok(Event::End);
                }
            };
            self.chunk.advance(used);
            return Ok(event);
        }
    }

    /// Goes on to the end of the message, so that the connection can carry another one.
    async fn finish(&mut self) -> Result<(), Trouble> {
        let mut epilogue = self.chunk.len();
        self.chunk.clear();
        while let Some(bytes) = self.wire.frame().await? {
            epilogue += bytes.len();
            if epilogue > EPILOGUE_BYTES {
                return Err(Trouble::too_large(
                    "too much follows the last part of the message",
                ));
            }
        }
        Ok(())
    }

    /// Takes the rest of the current part into memory.
    async fn collect(&mut self, limit: usize) -> Result<Bytes, Trouble> {
        let mut gathered = Gathered::new(limit);
        while let Event::Data(bytes) = self.event().await? {
            gathered.add(bytes)?;
        }
        Ok(gathered.finish())
    }

    /// Puts the rest of the current part aside.
    async fn put(&mut self, aside: &mut Aside) -> Result<(), Trouble> {
        while let Event::Data(bytes) = self.event().await? {
            aside.add(bytes).await?;
        }
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Trouble> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)
        .and_then(|done| done)
        .map_err(|error| {
            tracing::error!(%error, "an attachment before the envelope cannot be put aside");
            Trouble {
                status: http::StatusCode::INTERNAL_SERVER_ERROR,
                fault: Fault::receiver("an attachment cannot be put aside"),
            }
        })
}
