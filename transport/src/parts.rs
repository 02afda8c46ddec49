//! The parts of a multipart body, one after the other, from the wire to whoever wants them.

use bytes::{Buf, Bytes};
use xds_schemas::mtom::{ContentType, Found, PartHeaders, ScanLimits, Scanner};

use crate::limits::Limits;
use crate::wire::{Gathered, Trouble, Wire};

/// Bytes of the names and media types of all parts of one message, some of which are kept until its
/// end: enough for a hundred thousand instances with names of 300 characters.
const NAMES_BYTES: usize = 32 * 1024 * 1024;
/// What may stand behind the last part.
const EPILOGUE_BYTES: usize = 64 * 1024;

/// The parts of a multipart body, in the order in which they come.
///
/// They are still on the wire: take one after the other, and each of them to its end or not at
/// all. What is not taken is passed over.
pub struct Parts {
    stream: Option<Box<PartStream>>,
    in_part: bool,
    /// Bytes of the current part so far.
    bytes: u64,
    limit: u64,
}

impl Parts {
    pub(crate) const fn none() -> Self {
        Self {
            stream: None,
            in_part: false,
            bytes: 0,
            limit: 0,
        }
    }

    /// The parts of a body that is not SOAP.
    pub(crate) fn of(
        wire: Wire,
        content_type: &ContentType,
        limits: &Limits,
    ) -> Result<Self, Trouble> {
        let scan = ScanLimits {
            header_bytes: limits.part_header_bytes,
            parts: limits.parts,
        };
        let stream = PartStream::new(wire, Scanner::new(content_type, scan)?);
        Ok(Self::rest_of(stream, limits.part_bytes))
    }

    /// What a stream has left, each part at most `limit` bytes long.
    pub(crate) fn rest_of(stream: PartStream, limit: u64) -> Self {
        Self {
            stream: Some(Box::new(stream)),
            limit,
            ..Self::none()
        }
    }

    /// The next part, or `None` when there are no more.
    ///
    /// # Errors
    /// If the body is no multipart body, breaks off, comes too slowly or exceeds a limit. Then
    /// there are no more parts.
    pub async fn next(&mut self) -> Result<Option<IncomingPart<'_>>, Trouble> {
        let headers = self.headers().await?;
        Ok(headers.map(|headers| IncomingPart {
            headers,
            parts: self,
        }))
    }

    pub(crate) async fn headers(&mut self) -> Result<Option<PartHeaders>, Trouble> {
        while self.in_part {
            self.data().await?;
        }
        let Some(stream) = self.stream.as_mut() else {
            return Ok(None);
        };
        match stream.event().await {
            Ok(Event::Part(headers)) => {
                self.in_part = true;
                self.bytes = 0;
                Ok(Some(headers))
            }
            Ok(Event::Data(_) | Event::PartEnd | Event::End) => {
                self.stream = None;
                Ok(None)
            }
            Err(trouble) => {
                self.give_up();
                Err(trouble)
            }
        }
    }

    pub(crate) async fn data(&mut self) -> Result<Option<Bytes>, Trouble> {
        let Some(stream) = self.stream.as_mut().filter(|_| self.in_part) else {
            return Ok(None);
        };
        match stream.event().await {
            Ok(Event::Data(bytes)) => {
                self.bytes += bytes.len() as u64;
                if self.bytes > self.limit {
                    self.give_up();
                    return Err(Trouble::too_large(format!(
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
                self.give_up();
                Err(trouble)
            }
        }
    }

    /// Nothing more comes of it.
    pub(crate) fn give_up(&mut self) {
        self.in_part = false;
        self.stream = None;
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// One part that comes.
#[derive(Debug)]
pub struct IncomingPart<'a> {
    headers: PartHeaders,
    parts: &'a mut Parts,
}

impl IncomingPart<'_> {
    /// The media type with its parameters, as it was sent.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.content_type.as_deref()
    }

    /// Where its content can be had, or what it is called.
    pub fn content_location(&self) -> Option<&str> {
        self.headers.content_location.as_deref()
    }

    /// Of which community it is (`Hilum-Community`).
    pub fn community(&self) -> Option<&str> {
        self.headers.community.as_deref()
    }

    /// The next bytes, or `None` at the end.
    ///
    /// # Errors
    /// As those of [`Parts::next`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        self.parts.data().await
    }

    /// All of it, if it is at most `limit` bytes long.
    ///
    /// # Errors
    /// As those of [`Parts::next`], and if it is longer.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, Trouble> {
        let mut gathered = Gathered::new(limit);
        while let Some(chunk) = self.chunk().await? {
            gathered.add(chunk).map_err(|_| {
                Trouble::too_large(format!("a part of the body is longer than {limit} bytes"))
            })?;
        }
        Ok(gathered.finish())
    }
}

/// What comes next on the wire.
pub(crate) enum Event {
    Part(PartHeaders),
    Data(Bytes),
    PartEnd,
    End,
}

/// The parts as they come.
pub(crate) struct PartStream {
    wire: Wire,
    scanner: Scanner,
    chunk: Bytes,
    delimiter: Bytes,
    /// Bytes of names and media types so far.
    names: usize,
}

impl PartStream {
    pub(crate) fn new(wire: Wire, scanner: Scanner) -> Self {
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
        let kept = [
            &headers.content_id,
            &headers.content_type,
            &headers.content_location,
            &headers.community,
        ];
        self.names += kept.into_iter().flatten().map(String::len).sum::<usize>();
        match self.names > NAMES_BYTES {
            true => Err(Trouble::too_large(
                "the headers of the parts are too long together",
            )),
            false => Ok(()),
        }
    }

    pub(crate) async fn event(&mut self) -> Result<Event, Trouble> {
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
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Bytes, Trouble> {
        let mut gathered = Gathered::new(limit);
        while let Event::Data(bytes) = self.event().await? {
            gathered.add(bytes)?;
        }
        Ok(gathered.finish())
    }
}
