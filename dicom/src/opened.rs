//! Opening files, which may be kept encrypted.
//!
//! What files say is read here; how they are kept is the matter of whoever keeps them. A program that
//! keeps files encrypted says once how they are opened, with [`set_opener`]. Without that, files are
//! what they are.

use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::OnceLock;

/// Content that is not simply what a file holds.
pub trait Content: Read + Seek + Send + Sync + Debug {
    /// Bytes.
    ///
    /// # Errors
    /// If that cannot be said.
    fn length(&self) -> io::Result<u64>;

    /// The same once more, to be read apart.
    ///
    /// # Errors
    /// If the system does not give it.
    fn again(&self) -> io::Result<Box<dyn Content>>;
}

/// A file whose content can be read.
#[derive(Debug)]
pub enum Opened {
    /// Its content is what it holds.
    File(File),
    /// It is not.
    Content(Box<dyn Content>),
}

/// Opens a file.
pub type Opener = fn(&Path) -> io::Result<Opened>;

static OPENER: OnceLock<Opener> = OnceLock::new();

/// Has files opened so from now on, in the whole process. Only the first call counts.
pub fn set_opener(opener: Opener) {
    OPENER.get_or_init(|| opener);
}

/// Opens a file.
///
/// # Errors
/// As the system or the opener has them.
pub fn open(path: &Path) -> io::Result<Opened> {
    match OPENER.get() {
        Some(opener) => opener(path),
        None => File::open(path).map(Opened::File),
    }
}

impl Opened {
    /// Bytes of content.
    ///
    /// # Errors
    /// If that cannot be said.
    pub fn length(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Content(content) => content.length(),
        }
    }

    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(match self {
            Self::File(file) => Self::File(file.try_clone()?),
            Self::Content(content) => Self::Content(content.again()?),
        })
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Content(content) => content.read(buffer),
        }
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Content(content) => content.seek(to),
        }
    }
}
