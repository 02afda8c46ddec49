//! Where files of records begin: whether they are encrypted, and whether they open.
//!
//! One whose key is missing keeps the log from being opened. One whose header is damaged does not: only
//! its own records are lost, which still have their numbers and hashes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use hilum_security::at_rest::{HEADER, KeyRing, is_damaged};

use super::LogError;
use super::leaves::Leaves;
use super::segment;
use crate::spool::segment::unless_configured;

/// How leaves stand in each segment in `folder`, with the number of its first record, oldest first. They are
/// [`Leaves::Locked`] if the header is damaged.
pub(super) fn read(folder: &Path, ring: Option<&KeyRing>) -> Result<Vec<(u64, Leaves)>, LogError> {
    let mut opened = Vec::new();
    for first in segment::numbers(folder)? {
        opened.push((first, one(folder, first)));
    }
    let mut known = Vec::new();
    for (first, leaves) in opened {
        // What opened another one since is the key of its name.
        let leaves = leaves.or_else(|_| one(folder, first));
        let leaves = match leaves {
            Err(error) if ring.is_some() && is_damaged(&error) => Leaves::Locked,
            leaves => leaves.map_err(|source| LogError::Locked {
                path: segment::path(folder, first),
                source: unless_configured(source, ring),
            })?,
        };
        known.push((first, leaves));
    }
    Ok(known)
}

fn one(folder: &Path, first: u64) -> io::Result<Leaves> {
    let path = segment::path(folder, first);
    let file = File::open(&path)?;
    let leaves = Leaves::of(&file, &path)?;
    match leaves.are_sealed() || !begins_behind_a_header(&file, first)? {
        true => Ok(leaves),
        // What was there does not even look like a header any more.
        false => Ok(Leaves::Locked),
    }
}

/// Whether the first record stands where it would in an encrypted segment, and not where it would in a plain
/// one.
fn begins_behind_a_header(file: &File, first: u64) -> io::Result<bool> {
    let beginning = segment::beginning(first);
    let is_at = |place| {
        let mut there = [0; 2 + 8];
        match file.read_exact_at(&mut there, place) {
            Ok(()) => Ok(there == beginning),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    };
    Ok(!is_at(0)? && is_at(HEADER)?)
}

/// The files of the log in `store` whose header is damaged. Works beside whoever writes.
///
/// # Errors
/// If files cannot be read, or the key of one is not there.
pub fn damaged_files(store: &Path, ring: Option<&KeyRing>) -> Result<Vec<PathBuf>, LogError> {
    let folder = store.join("segments");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let all = read(&folder, ring)?.into_iter();
    let damaged = all.filter(|(_, leaves)| matches!(leaves, Leaves::Locked));
    Ok(damaged
        .map(|(first, _)| segment::path(&folder, first))
        .collect())
}
