//! How leaves stand in a segment: as they are, or sealed.
//!
//! A segment that is encrypted begins with a header ([`journal`](hilum_security::at_rest::journal)). Its
//! records are written as those of a plain one, but instead of the leaf stands the sealed leaf, bound to
//! the record's number. The hash behind it is that of the plain leaf: trees, heads and proofs are the same
//! in both.

use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::path::Path;

use hilum_security::at_rest::journal::{Journal, SEALED};
use hilum_security::at_rest::{HEADER, KeyRing};

use super::segment::{HEAD_BYTES, Stored};
use crate::record_repository::tree::{Hash, leaf_hash};

/// How the leaves of one segment stand in it.
#[derive(Debug)]
pub(in crate::record_repository) enum Leaves {
    /// As they are.
    Plain,
    /// Sealed.
    Sealed(Journal),
    /// Sealed, and nobody here can open them.
    Locked,
}

/// A leaf.
pub(in crate::record_repository) type Leaf<'a> = Cow<'a, [u8]>;

/// Records, and where each of them begins.
type Written<'a> = (Cow<'a, [u8]>, Cow<'a, [u64]>);

/// What a segment is called when its key is wrapped: it stays the same when its folder is moved.
pub(crate) fn name(path: &Path) -> String {
    let file = path.file_name().unwrap_or_default();
    format!("records/{}", file.to_string_lossy())
}

impl Leaves {
    /// Those of a new segment at `path`, and the bytes with which it begins.
    pub(super) fn begin_with(ring: Option<&KeyRing>, path: &Path) -> io::Result<(Self, Vec<u8>)> {
        let Some(ring) = ring else {
            return Ok((Self::Plain, Vec::new()));
        };
        let (journal, header) = Journal::begin(ring, &name(path))?;
        Ok((Self::Sealed(journal), header))
    }

    /// Those of a segment that is there.
    ///
    /// # Errors
    /// If it cannot be read, or its key is not there.
    pub(in crate::record_repository) fn of(file: &File, path: &Path) -> io::Result<Self> {
        let journal = Journal::of(file, &name(path))?;
        Ok(journal.map_or(Self::Plain, Self::Sealed))
    }

    /// Whether they are sealed.
    pub(super) const fn are_sealed(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Where the first record begins.
    pub(in crate::record_repository) const fn begin(&self) -> u64 {
        match self {
            Self::Plain => 0,
            Self::Sealed(_) | Self::Locked => HEADER,
        }
    }

    /// The leaf of a record; nothing if it cannot be opened, or is not what was sealed there.
    ///
    /// # Errors
    /// If OpenSSL fails: that says nothing of the record.
    pub(in crate::record_repository) fn leaf<'a>(
        &self,
        stored: &Stored<'a>,
    ) -> io::Result<Option<Leaf<'a>>> {
        Ok(match self {
            Self::Plain => Some(Cow::Borrowed(stored.leaf)),
            Self::Sealed(journal) => journal.open(stored.index, stored.leaf)?.map(Cow::Owned),
            Self::Locked => None,
        })
    }

    /// The hash of a record, and its leaf: the hash that it says it has, if nobody here can open it. One
    /// that is not what was sealed there has a hash that no record has.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub(in crate::record_repository) fn hashed<'a>(
        &self,
        stored: &Stored<'a>,
    ) -> io::Result<(Hash, Option<Leaf<'a>>)> {
        let leaf = self.leaf(stored)?;
        let hash = match (self, &leaf) {
            (Self::Locked, _) => stored.said,
            (_, Some(leaf)) => leaf_hash(leaf),
            (_, None) => leaf_hash(stored.leaf),
        };
        Ok((hash, leaf))
    }

    /// Numbered records as they are written: they, and where each of them begins.
    pub(super) fn written<'a>(
        &self,
        records: &'a [u8],
        begins: &'a [u64],
    ) -> io::Result<Written<'a>> {
        let Self::Sealed(journal) = self else {
            return Ok((Cow::Borrowed(records), Cow::Borrowed(begins)));
        };
        let mut written = Vec::with_capacity(records.len() + begins.len() * SEALED);
        let mut written_at = Vec::with_capacity(begins.len());
        for begin in begins {
            let begin = usize::try_from(*begin).map_err(io::Error::other)?;
            let record = records.get(begin..).and_then(super::segment::first);
            let record = record.ok_or_else(|| io::Error::other("what is written is no record"))?;
            written_at.push(written.len() as u64);
            let length = u32::try_from(record.leaf.len() + SEALED).map_err(io::Error::other)?;
            let head = records.get(begin..begin + HEAD_BYTES - 4);
            written.extend_from_slice(head.unwrap_or_default());
            written.extend_from_slice(&length.to_be_bytes());
            journal.seal(record.index, record.leaf, &mut written)?;
            written.extend_from_slice(&record.said);
        }
        Ok((Cow::Owned(written), Cow::Owned(written_at)))
    }
}
