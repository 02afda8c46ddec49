//! A medium, whether it is a folder or a ZIP file: which files it has, and what is in them.
//!
//! Whoever made it may have wished us ill. Files are known by their places on the medium, which
//! lead nowhere else; links are not followed; and there are limits on how many files there are, how
//! deep they lie, and how much an archive unfolds to.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;
use sha1::{Digest, Sha1};
use tempfile::TempPath;
use xds_schemas::iti32_distribute_document_set_on_media::{METADATA, MediaPath, ROOT};

use super::archive::Archive;
use super::folder::Folder;
use super::is_archive;
use crate::status::Usage;

/// Files and directories that a medium may have. A DVD full of images has some ten thousand.
pub(super) const MOST_FILES: usize = 65_534;
/// Submission sets that a medium may have.
const MOST_SETS: usize = 1_000;
/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;

/// A medium.
pub(super) struct Medium {
    source: Source,
    /// By place without regard to capital letters, since media come in both.
    files: BTreeMap<MediaPath, Vec<Entry>>,
    /// Names that cannot be those of files here, and why.
    pub(super) left_out: Vec<(String, String)>,
}

enum Source {
    Folder(Folder),
    Archive(Archive),
}

/// A file on a medium, or what is there instead.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: MediaPath,
    pub(super) length: u64,
    /// Where the source has it.
    pub(super) number: usize,
    /// Why it is not read.
    pub(super) unusable: Option<&'static str>,
}

/// The files that a source lists.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    pub(super) directories: usize,
    pub(super) left_out: Vec<(String, String)>,
}

/// The content of a file.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    /// SHA-1 in hexadecimal.
    pub(super) hash: String,
    /// A copy that vanishes with this.
    _copy: Option<TempPath>,
}

impl Medium {
    /// Opens a medium and lists its files.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let facts = std::fs::metadata(path)
            .map_err(|error| Usage(format!("{shown}: cannot be read: {error}")))?;
        let (source, listing) = if facts.is_dir() {
            let (folder, listing) = Folder::list(path)?;
            (Source::Folder(folder), listing)
        } else if is_archive(path) || Archive::begins(path)? {
            let (archive, listing) = Archive::list(path)?;
            (Source::Archive(archive), listing)
        } else {
            let problem = format!("{shown}: it is neither a folder nor a ZIP file");
            return Err(Usage(problem).into());
        };
        let mut files: BTreeMap<MediaPath, Vec<Entry>> = BTreeMap::new();
        for entry in listing.entries {
            files.entry(entry.path.folded()).or_default().push(entry);
        }
        Ok(Self {
            source,
            files,
            left_out: listing.left_out,
        })
    }

    /// The metadata of each submission set: `METADATA.XML` in a directory below `IHE_XDM`. The
    /// directory `IHE_XDM` may lie in others, or be the medium itself; and one submission set may be
    /// all there is.
    pub(super) fn metadata(&self) -> anyhow::Result<Vec<MediaPath>> {
        let wanted = METADATA.to_lowercase();
        let entries = self.files.values().flatten();
        let named = entries.filter(|entry| entry.path.name().to_lowercase() == wanted);
        let all: Vec<&MediaPath> = named.map(|entry| &entry.path).collect();
        let below_root = |path: &&&MediaPath| {
            let grandparent = path.parent().parent();
            grandparent.name().eq_ignore_ascii_case(ROOT)
        };
        let mut found: Vec<MediaPath> = all.iter().filter(below_root).copied().cloned().collect();
        if found.is_empty() {
            let shallow = all.iter().filter(|path| path.names().len() <= 2);
            found = shallow.copied().cloned().collect();
        }
        match found.len() {
            0 => bail!("there is no {ROOT}/…/{METADATA}, so this is no medium as ITI-32 has them"),
            number if number > MOST_SETS => {
                bail!("there are {number} submission sets; at most {MOST_SETS} are read")
            }
            _ => Ok(found),
        }
    }

    /// The file at this place.
    ///
    /// # Errors
    /// Says why there is none.
    pub(super) fn find(&self, path: &MediaPath) -> Result<&Entry, String> {
        let there = self
            .files
            .get(&path.folded())
            .map_or(&[][..], Vec::as_slice);
        let exact = there.iter().find(|entry| entry.path == *path);
        let entry = match (exact, there) {
            (Some(entry), _) | (None, [entry]) => entry,
            (None, []) => return Err("is not on the medium".to_owned()),
            (None, _) => {
                return Err("is there several times, in small and capital letters".to_owned());
            }
        };
        match entry.unusable {
            Some(why) => Err(why.to_owned()),
            None => Ok(entry),
        }
    }

    /// Every file that can be read.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.files.values().flatten();
        entries.filter(|entry| entry.unusable.is_none())
    }

    /// All of a short file.
    pub(super) fn read(&mut self, entry: &Entry, limit: usize) -> anyhow::Result<Vec<u8>> {
        if entry.length > limit as u64 {
            bail!("{} has more than {limit} bytes", entry.path);
        }
        let mut bytes = Vec::new();
        self.with(entry, |content| {
            let most = limit as u64 + 1;
            Ok(content.take(most).read_to_end(&mut bytes)?)
        })?;
        match bytes.len() > limit {
            true => bail!("{} has more than {limit} bytes", entry.path),
            false => Ok(bytes),
        }
    }

    /// The content of a file, with its hash. What is in an archive is copied.
    pub(super) fn content(&mut self, entry: &Entry) -> anyhow::Result<Content> {
        let mut copy = match &self.source {
            Source::Folder(_) => None,
            Source::Archive(_) => Some(tempfile::NamedTempFile::new()?),
        };
        let mut hash = Sha1::new();
        let mut length = 0;
        let declared = entry.length;
        self.with(entry, |content| {
            let mut chunk = vec![0; CHUNK];
            loop {
                let read = content.read(&mut chunk)?;
                if read == 0 {
                    return Ok(());
                }
                length += read as u64;
                if length > declared {
                    bail!("it is longer than the medium says");
                }
                hash.update(&chunk[..read]);
                if let Some(copy) = &mut copy {
                    copy.write_all(&chunk[..read])?;
                }
            }
        })?;
        let hash = hash.finalize();
        let copy = copy.map(tempfile::NamedTempFile::into_temp_path);
        let in_place = || match &self.source {
            Source::Folder(folder) => folder.path(entry),
            Source::Archive(_) => PathBuf::new(),
        };
        Ok(Content {
            path: copy
                .as_ref()
                .map_or_else(in_place, |copy| copy.to_path_buf()),
            length,
            hash: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            _copy: copy,
        })
    }

    fn with<T>(
        &mut self,
        entry: &Entry,
        work: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        match &mut self.source {
            Source::Folder(folder) => work(&mut folder.open(entry)?),
            Source::Archive(archive) => archive.with(entry, work),
        }
    }
}

/// Refuses a medium with too many files while it is listed.
pub(super) fn counted(listing: &Listing) -> io::Result<()> {
    let count = listing.entries.len() + listing.left_out.len() + listing.directories;
    match count > MOST_FILES {
        true => Err(io::Error::other(format!(
            "there are more than {MOST_FILES} files and directories on it"
        ))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
