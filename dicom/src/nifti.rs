//! What files of NIfTI-1, NIfTI-2 and Analyze 7.5 say about themselves, and what is wrong with them.
//!
//! Nothing that a header says is believed: sizes are compared with the file, compressed files inflate
//! no further than their header accounts for, and orientation that is not stated is not guessed.
//! Texts in headers may name a patient; which fields hold text is told, the text is not.
//!
//! <https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h>, `nifti2.h` beside it; Analyze 7.5 is
//! described in `docs/nifti.md`.

mod codes;
mod document;
mod extensions;
mod facts;
mod header;
mod judge;
pub(crate) mod orientation;
mod sidecar;
mod stored;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use document::{DocumentWords, FORMAT_CODE_SCHEME, SLOT, document_words, slot_values};
pub use facts::{
    AffineSource, ByteOrder, Data, Extension, Flag, Format, Layout, Named, NiftiFacts, Orientation,
    Role, Scaling, Slices, SpaceUnit, StoredFile, TimeAxis, TimeUnit,
};
pub use header::{TextPlace, text_places};
pub use orientation::Affine;
pub use sidecar::{Parameter, Sidecar, beside as sidecar_beside};

use header::Header;
use stored::Stored;

/// What a file is, if it belongs to one of the three formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// It begins with a header: a file with its voxels (`.nii`), or the header of a pair.
    Header(Format, Layout),
    /// The voxels of a pair, whose header is this file.
    VoxelsOf(PathBuf),
}

/// Why nothing can be said of a file.
#[derive(Debug, thiserror::Error)]
pub enum NiftiError {
    /// Another format, or damaged in its first bytes.
    #[error("not a file of NIfTI-1, NIfTI-2 or Analyze 7.5")]
    NotNifti,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Tells files of these formats from others by their content; only that an `.img` belongs to the
/// `.hdr` beside it is known by their names.
///
/// `None` for everything else, compressed or not. Errors are of reading.
pub fn recognise(path: &Path) -> io::Result<Option<Recognised>> {
    // A pipe would keep us waiting.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    if let Some(header) = stored::header_beside(path)
        && let Some(found) = begins_with_header(&header)?
        && found.layout == Layout::Pair
    {
        return Ok(Some(Recognised::VoxelsOf(header)));
    }
    let found = begins_with_header(path)?;
    Ok(found.map(|header| Recognised::Header(header.format, header.layout)))
}

/// Reads a header, of whichever file of a pair, and compares it with the sizes of the files. Of
/// compressed files only the beginning is read, so that what they inflate to stays open.
pub fn read(path: &Path) -> Result<NiftiFacts, NiftiError> {
    facts_of(path, false)
}

/// As [`read`], and reads the files to their end: their SHA-1, whether compressed ones are whole,
/// and what they inflate to. At most one mebibyte more is inflated than the header accounts for.
pub fn verify(path: &Path) -> Result<NiftiFacts, NiftiError> {
    facts_of(path, true)
}

fn begins_with_header(path: &Path) -> io::Result<Option<Header>> {
    let Ok(beginning) = stored::beginning(path, header::NIFTI2_BYTES) else {
        // Not a regular file, or a damaged stream: whoever opens it next is told why.
        return stored::readable(path).map(|()| None);
    };
    Ok(header::parse(&beginning))
}

fn facts_of(path: &Path, whole: bool) -> Result<NiftiFacts, NiftiError> {
    let path = match recognise(path)? {
        None => return Err(NiftiError::NotNifti),
        Some(Recognised::VoxelsOf(header)) => header,
        Some(Recognised::Header(..)) => path.to_owned(),
    };
    let header = begins_with_header(&path)?.ok_or(NiftiError::NotNifti)?;
    let stored = Stored::look(&path, &header, whole)?;
    let extensions = extensions::list(&path, &header)?;
    Ok(judge::facts(&header, stored, extensions))
}
