//! Files, encrypted or plain: written as the site wants it, read as they are.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::frames::{DataKey, FRAME, Geometry, Opening, Sealing, damaged};
use super::header::{self, HEADER, Header, name_of};
use super::ring::{self, KeyRing};

/// How files are written: plain, or encrypted with the keys of a ring. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    ring: Option<KeyRing>,
    refuses_plain: bool,
    seals_fields: bool,
}

impl Vault {
    /// Files are encrypted.
    pub const fn with(ring: KeyRing) -> Self {
        Self {
            ring: Some(ring),
            refuses_plain: false,
            seals_fields: false,
        }
    }

    /// The same, and what is stored plain is refused: whoever can write to the disk has put it there.
    #[must_use]
    pub fn refusing_plain(self) -> Self {
        Self {
            refuses_plain: self.ring.is_some(),
            ..self
        }
    }

    /// The same, but what is stored plain is read.
    #[must_use]
    pub fn accepting_plain(self) -> Self {
        Self {
            refuses_plain: false,
            ..self
        }
    }

    /// The same, and so are the fields of databases that identify patients.
    #[must_use]
    pub fn sealing_fields(self) -> Self {
        Self {
            seals_fields: self.ring.is_some(),
            ..self
        }
    }

    /// The ring, if fields of databases are encrypted.
    pub fn ring_of_fields(&self) -> Option<&KeyRing> {
        self.ring.as_ref().filter(|_| self.seals_fields)
    }

    /// Whether what is stored plain is refused.
    pub const fn refuses_plain(&self) -> bool {
        self.refuses_plain
    }

    /// Everything below this folder was written with this vault: from now on, this process refuses plain
    /// files there if the vault does.
    pub fn guard(&self, folder: &Path) {
        if self.refuses_plain {
            ring::guard(folder);
        }
    }

    /// The ring, if files are encrypted.
    pub const fn ring(&self) -> Option<&KeyRing> {
        self.ring.as_ref()
    }

    /// Whether files are encrypted.
    pub const fn is_on(&self) -> bool {
        self.ring.is_some()
    }

    /// Writes into a file that is open and empty. It is complete with [`Output::finish`].
    ///
    /// # Errors
    /// If there is no randomness, or the file cannot be written.
    pub fn output(&self, file: File) -> io::Result<Output> {
        Ok(match &self.ring {
            None => Output::Plain(file),
            Some(ring) => Output::Sealed(Box::new(Sealed::begin(ring.clone(), file)?)),
        })
    }

    /// Something short, as a whole: header and frames if it is encrypted. `path` is where it will be.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn bytes(&self, path: &Path, content: &[u8]) -> io::Result<Vec<u8>> {
        let Some(ring) = &self.ring else {
            return Ok(content.to_vec());
        };
        let key = DataKey::random()?;
        let length = content.len() as u64;
        let slot = header::slot(ring, &key, length, &name_of(path), 1)?;
        let mut header = Header::empty();
        header.put(0, &slot);
        let mut out = header.0.to_vec();
        let mut sealing = Sealing::new(&key)?;
        let geometry = Geometry::of(length);
        for (number, frame) in (0..geometry.frames()).zip(frames(content)) {
            sealing.seal(frame, geometry.is_last(number), &mut out)?;
        }
        Ok(out)
    }
}

/// The contents of frames; one that is empty for nothing.
fn frames(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let empty = content.is_empty().then_some(content);
    content.chunks(FRAME).chain(empty)
}

/// A file that is being written.
#[derive(Debug)]
pub enum Output {
    /// As it is.
    Plain(File),
    /// Encrypted.
    Sealed(Box<Sealed>),
}

/// An encrypted file that is being written. Its header comes last: without it, it is no file at all.
pub struct Sealed {
    ring: KeyRing,
    file: File,
    key: DataKey,
    sealing: Sealing,
    /// Content of the frame that is not full, or of which it is not known whether it is the last.
    gathered: Vec<u8>,
    sealed: Vec<u8>,
    length: u64,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Sealed")
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Sealed {
    fn begin(ring: KeyRing, mut file: File) -> io::Result<Self> {
        let key = DataKey::random()?;
        file.seek(SeekFrom::Start(HEADER))?;
        Ok(Self {
            ring,
            file,
            sealing: Sealing::new(&key)?,
            key,
            gathered: Vec::new(),
            sealed: Vec::new(),
            length: 0,
        })
    }

    /// Writes what has been gathered as a frame.
    fn flush_frame(&mut self, is_last: bool) -> io::Result<()> {
        self.sealed.clear();
        self.sealing
            .seal(&self.gathered, is_last, &mut self.sealed)?;
        self.gathered.clear();
        self.file.write_all(&self.sealed)
    }

    fn finish(mut self, names: &[&Path]) -> io::Result<File> {
        self.flush_frame(true)?;
        let mut header = Header::empty();
        for (slot, path) in names.iter().take(2).enumerate() {
            let name = name_of(path);
            let generation = u32::try_from(slot).map_err(io::Error::other)? + 1;
            let bytes = header::slot(&self.ring, &self.key, self.length, &name, generation)?;
            header.put(slot, &bytes);
        }
        self.file.write_all_at(&header.0, 0)?;
        Ok(self.file)
    }
}

impl Output {
    /// Ends the file, which is called as one of these paths from now on: where it is, and where it
    /// will be. Nothing is made durable. Gives back the file.
    ///
    /// # Errors
    /// If the rest cannot be written.
    pub fn finish(self, names: &[&Path]) -> io::Result<File> {
        match self {
            Self::Plain(file) => Ok(file),
            Self::Sealed(sealed) => sealed.finish(names),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sealed = match self {
            Self::Plain(file) => return file.write(bytes),
            Self::Sealed(sealed) => sealed,
        };
        if sealed.gathered.len() == FRAME {
            sealed.flush_frame(false)?;
        }
        let taken = bytes.len().min(FRAME - sealed.gathered.len());
        sealed.gathered.extend_from_slice(&bytes[..taken]);
        sealed.length += taken as u64;
        Ok(taken)
    }

    /// Frames are written when they are full.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that is being read.
#[derive(Debug)]
pub enum Opened {
    /// As it is.
    Plain(File),
    /// Encrypted.
    Sealed(Box<SealedReader>),
}

/// Opens a file, encrypted or plain.
///
/// # Errors
/// As [`opened`], and if there is no file.
pub fn open(path: &Path) -> io::Result<Opened> {
    opened(File::open(path)?, path)
}

/// The same for a file that is open and called this.
///
/// # Errors
/// If it is encrypted and its key is not there ([`io::ErrorKind::PermissionDenied`]), or its header or
/// its length is not what it was ([`io::ErrorKind::InvalidData`]).
pub fn opened(file: File, path: &Path) -> io::Result<Opened> {
    if !ring::has_keys() {
        return Ok(Opened::Plain(file));
    }
    let facts = file.metadata()?;
    if !facts.is_file() || facts.len() < HEADER {
        return plain(file, path);
    }
    let Some(header) = read_header(&file)? else {
        return plain(file, path);
    };
    let name = name_of(path);
    let unwrapped = match header.unwrap(&name) {
        // Its key may be changed just now: the slot that was valid is gone, the other was read before.
        Err(_) => read_header(&file)?.unwrap_or(header).unwrap(&name),
        unwrapped => unwrapped,
    };
    let unwrapped = unwrapped
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let geometry = unwrapped.geometry();
    if facts.len() != HEADER.saturating_add(geometry.sealed_length()) {
        return Err(damaged(&format!(
            "{}: its length has changed",
            path.display()
        )));
    }
    Ok(Opened::Sealed(Box::new(SealedReader {
        opening: Opening::new(&unwrapped.key)?,
        key: unwrapped.key,
        path: path.display().to_string(),
        file,
        geometry,
        position: 0,
        held: None,
        content: Vec::new(),
        sealed: Vec::new(),
    })))
}

/// A file that is plain, if it may be.
///
/// # Errors
/// If everything in its folder must be encrypted.
pub fn plain(file: File, path: &Path) -> io::Result<Opened> {
    match ring::is_guarded(path) {
        true => Err(damaged(&format!("{}: it is not encrypted", path.display()))),
        false => Ok(Opened::Plain(file)),
    }
}

/// Something short as a whole, encrypted or plain. `path` is where it was found.
///
/// # Errors
/// As [`opened`].
pub fn content_of(path: &Path, bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let header = Header::of(&bytes).filter(|_| ring::has_keys());
    let Some(header) = header else {
        return Ok(bytes);
    };
    let shown =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let unwrapped = header.unwrap(&name_of(path)).map_err(shown)?;
    let geometry = unwrapped.geometry();
    let frames = &bytes[HEADER as usize..];
    if frames.len() as u64 != geometry.sealed_length() {
        return Err(shown(damaged("its length has changed")));
    }
    let mut opening = Opening::new(&unwrapped.key)?;
    let mut content = Vec::new();
    for number in 0..geometry.frames() {
        let place = geometry.place(number);
        let from = usize::try_from(place.start).map_err(io::Error::other)?;
        let to = usize::try_from(place.end).map_err(io::Error::other)?;
        let is_last = geometry.is_last(number);
        let opened = opening.open(number, is_last, &frames[from..to], &mut content);
        opened.map_err(shown)?;
    }
    Ok(content)
}

pub(super) fn read_header(file: &File) -> io::Result<Option<Header>> {
    let mut header = Header::empty();
    match file.read_exact_at(&mut header.0, 0) {
        Ok(()) => Ok(Header::of(&header.0)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// The content of an encrypted file. What is read has been verified.
pub struct SealedReader {
    key: DataKey,
    opening: Opening,
    path: String,
    file: File,
    geometry: Geometry,
    position: u64,
    /// The frame whose content is held.
    held: Option<u64>,
    content: Vec<u8>,
    sealed: Vec<u8>,
}

impl fmt::Debug for SealedReader {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("SealedReader").field(&self.path).finish()
    }
}

impl SealedReader {
    /// Decrypts a frame, unless it is held already.
    fn hold(&mut self, number: u64) -> io::Result<()> {
        if self.held == Some(number) {
            return Ok(());
        }
        self.held = None;
        let place = self.geometry.place(number);
        let length = usize::try_from(place.end - place.start).map_err(io::Error::other)?;
        self.sealed.resize(length, 0);
        self.file
            .read_exact_at(&mut self.sealed, HEADER + place.start)?;
        self.content.clear();
        let is_last = self.geometry.is_last(number);
        let opened = self
            .opening
            .open(number, is_last, &self.sealed, &mut self.content);
        opened.map_err(|error| damaged(&format!("{}: {error}", self.path)))?;
        self.held = Some(number);
        Ok(())
    }

    fn try_clone(&self) -> io::Result<Self> {
        let key = super::key::Secret::of(*self.key.0.bytes());
        let key = DataKey(key);
        Ok(Self {
            opening: Opening::new(&key)?,
            key,
            path: self.path.clone(),
            file: self.file.try_clone()?,
            geometry: self.geometry,
            position: self.position,
            held: None,
            content: Vec::new(),
            sealed: Vec::new(),
        })
    }
}

impl Opened {
    /// Bytes of content.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Self::Plain(file) => Ok(file.metadata()?.len()),
            Self::Sealed(sealed) => Ok(sealed.geometry.length()),
        }
    }

    /// Whether it is encrypted.
    pub const fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// The file itself.
    pub const fn file(&self) -> &File {
        match self {
            Self::Plain(file) => file,
            Self::Sealed(sealed) => &sealed.file,
        }
    }

    /// The same file once more.
    ///
    /// # Errors
    /// If the system does not give it.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(file) => Self::Plain(file.try_clone()?),
            Self::Sealed(sealed) => Self::Sealed(Box::new(sealed.try_clone()?)),
        })
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let sealed = match self {
            Self::Plain(file) => return file.read(buffer),
            Self::Sealed(sealed) => sealed,
        };
        if buffer.is_empty() || sealed.position >= sealed.geometry.length() {
            return Ok(0);
        }
        let number = sealed.position / sealed.geometry.frame();
        sealed.hold(number)?;
        let from = sealed.position % sealed.geometry.frame();
        let from = usize::try_from(from).map_err(io::Error::other)?;
        let rest = sealed.content.get(from..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        sealed.position += read as u64;
        Ok(read)
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let sealed = match self {
            Self::Plain(file) => return file.seek(to),
            Self::Sealed(sealed) => sealed,
        };
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => sealed.position.checked_add_signed(by),
            SeekFrom::End(by) => sealed.geometry.length().checked_add_signed(by),
        };
        sealed.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(sealed.position)
    }
}
