//! Checking proofs, as anybody can who has a tree head (RFC 9162, 2.1.3.2 and 2.1.4.2; the hashes are
//! those of RFC 6962).

use super::tree::{Hash, node_hash};

/// Whether `path` proves that `leaf` is the leaf `index` of the tree of `size` leaves with `root`.
pub fn includes(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the tree of `first` leaves with the first root is the beginning of that
/// of `second` with the second.
pub fn continues(first: (u64, &Hash), second: (u64, &Hash), path: &[Hash]) -> bool {
    let ((first, first_root), (second, second_root)) = (first, second);
    if first > second {
        return false;
    }
    if first == second {
        return path.is_empty() && first_root == second_root;
    }
    if first == 0 {
        return path.is_empty();
    }
    let mut path = path.iter();
    let begin = if first.is_power_of_two() {
        Some(first_root)
    } else {
        path.next()
    };
    let Some(&begin) = begin else { return false };
    let shift = (first - 1).trailing_ones();
    let (mut place, mut last) = ((first - 1) >> shift, (second - 1) >> shift);
    let (mut old, mut new) = (begin, begin);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(&new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old == *first_root && new == *second_root
}
