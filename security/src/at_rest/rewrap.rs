//! Other names and other keys for what is encrypted already: only headers change.

use std::collections::BTreeSet;
use std::fs::{File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::file::read_header;
use super::header::{HEADER, Header, SLOT, name_of, written};
use super::key::KeyId;
use super::ring::KeyRing;

/// What rotation made of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewrapped {
    /// It has the current key now.
    Done,
    /// It had it before.
    Already,
    /// It is not encrypted.
    Plain,
}

/// The keys that the header of a file names.
///
/// # Errors
/// If it cannot be read.
pub fn keys_of(path: &Path) -> io::Result<Option<BTreeSet<KeyId>>> {
    let header = read_header(&File::open(path)?)?;
    Ok(header.map(|header| header.said().map(|(_, said)| said.key).collect()))
}

/// The same of something short that is in memory.
pub fn keys_of_bytes(bytes: &[u8]) -> Option<BTreeSet<KeyId>> {
    let header = Header::of(bytes)?;
    Some(header.said().map(|(_, said)| said.key).collect())
}

/// A file that is about to be renamed can be read under both names from now on. Nothing is made
/// durable. What is not encrypted needs nothing.
///
/// # Errors
/// If it cannot be read under its name, or not be written.
pub fn bind(ring: Option<&KeyRing>, path: &Path, to: &Path) -> io::Result<()> {
    let Some(ring) = ring else {
        return Ok(());
    };
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let Some(header) = read_header(&file)? else {
        return Ok(());
    };
    let known = header.unwrap(&name_of(path))?;
    let mut said = known.said;
    said.generation = next_generation(&header);
    let slot = written(ring, &known.key, &said, &name_of(to))?;
    write(&file, 1 - known.slot, &slot)
}

/// Gives a file the current key, without touching its content. Whatever moment this is interrupted at,
/// the file can be read: the new slot is on disk before the old one is taken away. Its time stays.
///
/// # Errors
/// If it cannot be read with the keys that are there, or not be written.
pub fn rewrap(ring: &KeyRing, path: &Path) -> io::Result<Rewrapped> {
    rewrap_as(ring, path, &name_of(path))
}

/// The same with a file that is called `name` wherever it lies.
pub(super) fn rewrap_as(ring: &KeyRing, path: &Path, name: &str) -> io::Result<Rewrapped> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let Some(header) = read_header(&file)? else {
        return Ok(Rewrapped::Plain);
    };
    let current = ring.current_id();
    if header.said().all(|(_, said)| said.key == current) {
        return Ok(Rewrapped::Already);
    }
    let known = header.unwrap(name)?;
    let modified = file.metadata()?.modified()?;
    if known.said.key != current {
        let mut said = known.said;
        said.generation = next_generation(&header);
        let slot = written(ring, &known.key, &said, name)?;
        write(&file, 1 - known.slot, &slot)?;
        file.sync_data()?;
        write(&file, known.slot, &[0; SLOT])?;
    } else {
        // Under a name that it has no longer, it has an older key.
        write(&file, 1 - known.slot, &[0; SLOT])?;
    }
    file.set_times(FileTimes::new().set_modified(modified))?;
    file.sync_data()?;
    Ok(Rewrapped::Done)
}

/// The same for something short that is in memory; nothing if it needs nothing.
///
/// # Errors
/// If it cannot be read with the keys that are there.
pub fn rewrap_bytes(ring: &KeyRing, path: &Path, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(header) = Header::of(bytes) else {
        return Ok(None);
    };
    let current = ring.current_id();
    if header.said().all(|(_, said)| said.key == current) {
        return Ok(None);
    }
    let known = header.unwrap(&name_of(path))?;
    let slot = written(ring, &known.key, &known.said, &name_of(path))?;
    let mut header = Header::empty();
    header.put(0, &slot);
    let mut rewrapped = header.0.to_vec();
    rewrapped.extend_from_slice(&bytes[HEADER as usize..]);
    Ok(Some(rewrapped))
}

fn next_generation(header: &Header) -> u32 {
    let newest = header.said().map(|(_, said)| said.generation).max();
    newest.unwrap_or_default().saturating_add(1)
}

fn write(file: &File, slot: usize, bytes: &[u8; SLOT]) -> io::Result<()> {
    file.write_all_at(bytes, (slot * SLOT) as u64)
}
