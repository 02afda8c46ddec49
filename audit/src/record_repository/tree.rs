//! The Merkle tree of the log, hashed as RFC 6962 says: SHA-256, leaves after a zero byte, inner
//! nodes after a one.
//!
//! It lies in a folder of files: file 0 has the hashes of all leaves, file 1 those of all complete
//! subtrees of 256 leaves, file 2 of 256 × 256, and so on. Files above 0 save work only; they are made
//! again from file 0 when the log is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

/// A hash in the tree.
pub type Hash = [u8; 32];

/// What a hash takes in a file.
const HASH_BYTES: u64 = 32;
/// A hash in one file stands for 2 to this power of the file below.
const STEP: u32 = 8;
/// Files: the last one has a hash for every four thousand million leaves.
const FILES: usize = 5;

/// The hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update([0]);
    hash.update(leaf);
    hash.finalize().into()
}

/// The hash of an inner node.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hash = Sha256::new();
    hash.update([1]);
    hash.update(left);
    hash.update(right);
    hash.finalize().into()
}

/// The root of a tree that grows leaf by leaf, without the tree.
#[derive(Debug, Clone, Default)]
pub struct Peaks {
    size: u64,
    /// The roots of complete subtrees, largest first: one for each bit of the size.
    peaks: Vec<Hash>,
}

impl Peaks {
    /// How many leaves there are.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// One leaf more.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root.
    pub fn root(&self) -> Hash {
        joined(self.peaks.iter().copied())
    }
}

/// The root above complete subtrees, largest first; of none, the hash of nothing.
fn joined(peaks: impl DoubleEndedIterator<Item = Hash>) -> Hash {
    let joined = peaks.rev().reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(|| Sha256::digest([]).into())
}

/// The tree on disk.
#[derive(Debug)]
pub(super) struct Tree {
    files: Vec<File>,
}

impl Tree {
    /// Opens the tree in `folder`, which exists.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        let open = |number: usize| {
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .mode(0o600)
                .open(folder.join(number.to_string()))
        };
        let files = (0..FILES).map(open).collect::<io::Result<_>>()?;
        Ok(Self { files })
    }

    /// How many leaves there are on disk.
    pub(super) fn length(&self) -> io::Result<u64> {
        Ok(self.files[0].metadata()?.len() / HASH_BYTES)
    }

    /// The hash of a leaf.
    pub(super) fn leaf(&self, index: u64) -> io::Result<Hash> {
        self.hashes(0, index, 1).map(|hashes| hashes[0])
    }

    fn hashes(&self, file: usize, first: u64, count: u64) -> io::Result<Vec<Hash>> {
        let count = usize::try_from(count).map_err(io::Error::other)?;
        let mut bytes = vec![0; count * 32];
        self.files[file].read_exact_at(&mut bytes, first * HASH_BYTES)?;
        Ok(bytes.as_chunks().0.to_vec())
    }

    /// Puts the hashes of leaves where they belong, and what follows from them. They are not made
    /// durable by this.
    pub(super) fn put(&self, first: u64, leaves: &[Hash]) -> io::Result<()> {
        self.files[0].write_all_at(leaves.as_flattened(), first * HASH_BYTES)?;
        self.climb(first, first + leaves.len() as u64)
    }

    /// Makes the hashes above the leaves from `first` to `end` as far as subtrees are complete.
    fn climb(&self, first: u64, end: u64) -> io::Result<()> {
        let (mut first, mut end) = (first, end);
        for file in 1..FILES {
            (first, end) = (first >> STEP, end >> STEP);
            if first >= end {
                break;
            }
            self.fill(file, first, end)?;
        }
        Ok(())
    }

    fn fill(&self, file: usize, first: u64, end: u64) -> io::Result<()> {
        for index in first..end {
            let below = self.hashes(file - 1, index << STEP, 1 << STEP)?;
            self.files[file].write_all_at(&folded(below), index * HASH_BYTES)?;
        }
        Ok(())
    }

    /// Makes the tree end after `size` leaves, and everything new that stands above its leaves from
    /// `first` or is missing.
    pub(super) fn mend(&self, first: u64, size: u64) -> io::Result<()> {
        self.files[0].set_len(size * HASH_BYTES)?;
        let (mut first, mut size) = (first, size);
        for (number, file) in self.files.iter().enumerate().skip(1) {
            (first, size) = (first >> STEP, size >> STEP);
            let there = file.metadata()?.len() / HASH_BYTES;
            file.set_len(size * HASH_BYTES)?;
            self.fill(number, first.min(there), size)?;
        }
        Ok(())
    }

    /// Waits until everything is on disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.files.iter().try_for_each(File::sync_data)
    }

    /// The root of the first `size` leaves.
    pub(super) fn root(&self, size: u64) -> io::Result<Hash> {
        self.range(0, size)
    }

    /// The root over the leaves from `start` to `end`, as it occurs in a tree: `start` is a multiple
    /// of the largest power of two in the range.
    fn range(&self, start: u64, end: u64) -> io::Result<Hash> {
        let mut peaks = Vec::new();
        let mut start = start;
        while start < end {
            let power = (end - start).ilog2();
            peaks.push(self.complete(power, start)?);
            start += 1 << power;
        }
        Ok(joined(peaks.into_iter()))
    }

    /// The root of the complete subtree of 2 to the `power` leaves from `start`.
    fn complete(&self, power: u32, start: u64) -> io::Result<Hash> {
        let file = (power / STEP).min(FILES as u32 - 1);
        let shift = file * STEP;
        let hashes = self.hashes(file as usize, start >> shift, 1 << (power - shift))?;
        Ok(folded(hashes))
    }

    /// The proof that leaf `index` is in the tree of `size` leaves (RFC 6962, 2.1.1).
    pub(super) fn inclusion(&self, index: u64, size: u64) -> io::Result<Vec<Hash>> {
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `first` leaves is the beginning of that of `second` (RFC 6962,
    /// 2.1.2).
    pub(super) fn consistency(&self, first: u64, second: u64) -> io::Result<Vec<Hash>> {
        if first == 0 || first == second {
            return Ok(Vec::new());
        }
        let (mut start, mut end) = (0, second);
        let mut whole = true;
        let mut path = Vec::new();
        while end != first {
            let middle = start + split(end - start);
            if first <= middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
                whole = false;
            }
        }
        if !whole {
            path.push(self.range(start, end)?);
        }
        path.reverse();
        Ok(path)
    }
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The root of a complete subtree.
fn folded(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        let pairs = hashes.chunks_exact(2);
        hashes = pairs.map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    hashes.first().copied().unwrap_or_default()
}
