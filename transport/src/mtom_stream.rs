//! Attachments as streams: from the wire to whoever wants them, never as a whole in memory.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use hilum_security::at_rest::Scratch;
use xds_schemas::mtom::{ContentType, PartHeaders, Scanner, content_id};
use xds_schemas::soap::Fault;

use crate::limits::Limits;
use crate::parts::{Event, PartStream, Parts};
use crate::wire::{Gathered, Trouble, Wire};

/// Bytes of an attachment before the envelope that are read at once.
const EARLY_CHUNK: u64 = 64 * 1024;

/// The attachments of a message, in the order in which they come.
///
/// They are still on the wire: take one after the other, and each of them to its end or not at
/// all. What is not taken is passed over.
pub struct Attachments {
    /// Those that came before the envelope.
    early: VecDeque<Early>,
    parts: Parts,
    seen: HashSet<String>,
}

impl Attachments {
    /// No attachments.
    pub fn none() -> Self {
        Self {
            early: VecDeque::new(),
            parts: Parts::none(),
            seen: HashSet::new(),
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
        let headers = self.parts.headers().await;
        let Some(headers) = headers.map_err(|trouble| trouble.fault)? else {
            return Ok(None);
        };
        self.remember(&headers)?;
        Ok(Some(Attachment::new(headers, Content::Wire(self))))
    }

    fn remember(&mut self, headers: &PartHeaders) -> Result<(), Fault> {
        match &headers.content_id {
            Some(id) if !self.seen.insert(id.clone()) => {
                self.parts.give_up();
                Err(Fault::sender(
                    "two parts of the message have the same Content-ID",
                ))
            }
            _ => Ok(()),
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
    Early(Arc<Scratch>, Range<u64>),
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
            Content::Wire(attachments) => {
                let data = attachments.parts.data().await;
                data.map_err(|trouble| trouble.fault)
            }
            Content::Early(file, rest) => {
                let wanted = EARLY_CHUNK.min(rest.end - rest.start);
                if wanted == 0 {
                    return Ok(None);
                }
                let (file, from) = (Arc::clone(file), rest.start);
                let read = blocking(move || {
                    let wanted = usize::try_from(wanted).map_err(io::Error::other)?;
                    file.read_exact_at(wanted, from)
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
    file: Arc<Scratch>,
    rest: Range<u64>,
}

/// One file for everything that comes before the envelope, so that many parts need neither memory
/// nor a descriptor each. It has no name, and on the disk it is encrypted.
struct Aside {
    file: Arc<Scratch>,
    length: u64,
    limit: u64,
}

impl Aside {
    async fn new(limit: u64) -> Result<Self, Trouble> {
        Ok(Self {
            file: Arc::new(blocking(|| Scratch::new(tempfile::tempfile()?)).await?),
            length: 0,
            limit,
        })
    }

    /// Puts the rest of the current part aside.
    async fn take(&mut self, stream: &mut PartStream) -> Result<(), Trouble> {
        while let Event::Data(bytes) = stream.event().await? {
            self.add(bytes).await?;
        }
        Ok(())
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
    let mut attachments = Attachments::none();
    let mut aside: Option<Aside> = None;
    loop {
        match stream.event().await? {
            Event::Part(headers) if start.is_none() || headers.content_id == start => {
                let root = stream.collect(limits.root_bytes).await?;
                attachments.seen.extend(headers.content_id);
                attachments.parts = Parts::rest_of(stream, limits.attachment_bytes);
                return Ok((root, attachments));
            }
            Event::Part(headers) => {
                let aside = match &mut aside {
                    Some(aside) => aside,
                    None => aside.insert(Aside::new(limits.early_bytes).await?),
                };
                let from = aside.length;
                aside.take(&mut stream).await?;
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
