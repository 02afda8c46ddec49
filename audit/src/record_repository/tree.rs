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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record_repository::head::hex;

    /// The leaves and roots with which implementations of Certificate Transparency are tested.
    #[test]
    fn roots_are_those_of_others() {
        let leaves: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut peaks = Peaks::default();
        assert_eq!(hex(&peaks.root()), roots[0]);
        for (leaf, root) in leaves.iter().zip(&roots[1..]) {
            peaks.push(leaf_hash(leaf));
            assert_eq!(hex(&peaks.root()), *root);
        }
    }

    /// Files above the leaves are made as leaves come, in any portions, and made again.
    #[test]
    fn large_trees_are_the_same_from_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::open(folder.path()).unwrap();
        let leaf = |number: u64| leaf_hash(&number.to_be_bytes());
        let mut peaks = Peaks::default();
        let mut end = 0;
        for portion in [1, 255, 256, 300, 1, 66_000, 700, 3] {
            let leaves: Vec<Hash> = (end..end + portion).map(leaf).collect();
            tree.put(end, &leaves).unwrap();
            leaves.iter().for_each(|leaf| peaks.push(*leaf));
            end += portion;
            assert_eq!(tree.root(end).unwrap(), peaks.root(), "{end}");
        }
        for file in 1..4 {
            std::fs::write(folder.path().join(file.to_string()), b"").unwrap();
        }
        let tree = Tree::open(folder.path()).unwrap();
        tree.mend(end, end).unwrap();
        assert_eq!(tree.root(end).unwrap(), peaks.root());
        let path = tree.inclusion(70, end).unwrap();
        assert!(crate::record_repository::proof::includes(
            &leaf(70),
            70,
            end,
            &path,
            &peaks.root()
        ));
    }
}
