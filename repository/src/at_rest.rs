//! How what is kept here is encrypted, if the site wants that.
//!
//! Stores write with a [`Vault`](hilum_security::at_rest::Vault) and read whatever they find, so that
//! a store may hold both. `docs/at-rest.md` says what is encrypted and what is not.

mod encrypting;
mod kept;
pub(crate) mod mark;

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hilum_dicom::opened::{self as dicom, Content};
use hilum_security::at_rest::{self, KeyRing, Opened};
use hilum_transport::{PartSource, Reading};

pub use kept::{Kept, Survey, Worked};
pub use mark::Locked;
pub(crate) use mark::check;

/// From now on, this process reads what was encrypted with the keys of this ring.
pub fn read_with(ring: &KeyRing) {
    ring.install();
    dicom::set_opener(|path| {
        Ok(match at_rest::open(path)? {
            Opened::Plain(file) => dicom::Opened::File(file),
            sealed @ Opened::Sealed(_) => dicom::Opened::Content(Box::new(Decrypted(sealed))),
        })
    });
}

/// For those who read images.
#[derive(Debug)]
struct Decrypted(Opened);

impl Read for Decrypted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Seek for Decrypted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Content for Decrypted {
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }

    fn again(&self) -> io::Result<Box<dyn Content>> {
        Ok(Box::new(Self(self.0.try_clone()?)))
    }
}

/// The first bytes of a file's content, to be sent. `plain` says that nobody needs to look whether it
/// is encrypted.
pub(crate) fn source(path: PathBuf, length: u64, plain: bool) -> PartSource {
    match plain {
        true => PartSource::File {
            path,
            offset: 0,
            length,
        },
        false => PartSource::Read(Reading::new(length, move || {
            let opened = at_rest::open(&path).map_err(|error| broken(&path, &error))?;
            Ok(Box::new(Told { path, opened }))
        })),
    }
}

/// All of a file that is kept here, or lies where the site keeps its images: its content is so long.
pub(crate) fn source_of(path: PathBuf, length: u64) -> PartSource {
    // It may be encrypted by the time at which it is sent.
    source(path, length, !at_rest::has_keys())
}

/// Whether the beginning of a file can be read, if it is encrypted. The file stands there afterwards.
///
/// # Errors
/// If it cannot.
pub(crate) fn begins_well(opened: &mut Opened) -> io::Result<()> {
    if opened.is_sealed() && opened.length()? > 0 {
        opened.rewind()?;
        opened.read_exact(&mut [0])?;
        opened.rewind()?;
    }
    Ok(())
}

/// The same for a file of this name.
///
/// # Errors
/// If it cannot be opened, or its beginning cannot be read.
pub(crate) fn file_begins_well(path: &Path) -> io::Result<()> {
    match at_rest::has_keys() {
        true => begins_well(&mut at_rest::open(path)?),
        false => Ok(()),
    }
}

/// The first bytes of the content of a file that is open, which comes whatever becomes of its name.
pub(crate) fn open_source(path: PathBuf, opened: Opened, length: u64) -> PartSource {
    match opened {
        Opened::Plain(file) => PartSource::Open { file, length },
        opened => PartSource::Read(Reading::new(length, move || {
            Ok(Box::new(Told { path, opened }))
        })),
    }
}

/// Says which object is damaged: once it is being sent, nobody else can.
struct Told {
    path: PathBuf,
    opened: Opened,
}

impl Read for Told {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.opened.read(buffer);
        read.map_err(|error| broken(&self.path, &error))
    }
}

fn broken(path: &Path, error: &io::Error) -> io::Error {
    tracing::error!(path = %path.display(), %error, "an object is damaged and breaks off");
    io::Error::new(error.kind(), "the object is damaged")
}
