//! What stands before the frames: the wrapped data key, in one of two slots.
//!
//! ```text
//! slot A   512 bytes
//! slot B   512 bytes
//! ```
//!
//! A slot that is not zero:
//!
//! ```text
//!   0   8  "HilumEnc"
//!   8   1  version: 1
//!   9   1  algorithm: 1, AES-256-GCM for wrap and frames
//!  10   1  frames have 2 to the power of this many bytes
//!  11   1  0
//!  12   4  generation: the higher one counts        little endian
//!  16  16  name of the key-encryption key
//!  32   8  bytes of content                         little endian
//!  40  12  nonce of the wrap, random
//!  52  32  the data key, encrypted
//!  84  16  tag of the wrap
//! 100 412  0
//! ```
//!
//! The wrap's associated data is the first 40 bytes and the name of the object: the last two parts of
//! its path. There are two slots so that one can be written while the other stays valid: when a file
//! is about to get another name, and when keys are rotated.

use std::io;
use std::path::Path;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::rand::rand_bytes;

use super::frames::{DataKey, FRAME_LOG, FRAME_LOGS, Geometry, NONCE, TAG, damaged};
use super::key::{KEY_BYTES, KeyId, Secret};
use super::ring::{self, KeyRing};

/// Bytes before the first frame.
pub const HEADER: u64 = 2 * SLOT as u64;
/// Bytes of a slot: a sector, so that one is written whole or not at all.
pub(super) const SLOT: usize = 512;
pub(super) const MAGIC: &[u8; 8] = b"HilumEnc";
const VERSION: u8 = 1;
const ALGORITHM: u8 = 1;
/// What is authenticated as it is.
const SAID: usize = 40;
/// The end of what is said in a slot.
pub(super) const WRITTEN: usize = SAID + NONCE + KEY_BYTES + TAG;

/// What a slot says, without its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) key: KeyId,
    pub(super) generation: u32,
    pub(super) frame_log: u8,
    pub(super) length: u64,
}

/// Both slots.
pub(super) struct Header(pub(super) [u8; HEADER as usize]);

/// A header that was understood: everything that is needed to read the content.
pub(super) struct Unwrapped {
    /// 0 or 1.
    pub(super) slot: usize,
    pub(super) said: Said,
    pub(super) key: DataKey,
}

impl Unwrapped {
    pub(super) const fn geometry(&self) -> Geometry {
        Geometry::with(self.said.frame_log, self.said.length)
    }
}

impl Header {
    pub(super) const fn empty() -> Self {
        Self([0; HEADER as usize])
    }

    /// The first bytes of a file, if they begin as a header does.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let header: [u8; HEADER as usize] = bytes.get(..HEADER as usize)?.try_into().ok()?;
        let header = Self(header);
        (0..2).any(|slot| header.begins(slot)).then_some(header)
    }

    fn begins(&self, slot: usize) -> bool {
        self.slot(slot).starts_with(MAGIC)
    }

    pub(super) fn slot(&self, slot: usize) -> &[u8] {
        &self.0[slot * SLOT..(slot + 1) * SLOT]
    }

    pub(super) fn put(&mut self, slot: usize, bytes: &[u8; SLOT]) {
        self.0[slot * SLOT..(slot + 1) * SLOT].copy_from_slice(bytes);
    }

    /// What the slots say, valid or not.
    pub(super) fn said(&self) -> impl Iterator<Item = (usize, Said)> {
        (0..2).filter_map(|slot| Some((slot, said(self.slot(slot))?)))
    }

    /// Finds the slot that is valid for this name, and the key in it.
    pub(super) fn unwrap(&self, name: &str) -> io::Result<Unwrapped> {
        let mut slots: Vec<(usize, Said)> = self.said().collect();
        slots.sort_by_key(|(_, said)| std::cmp::Reverse(said.generation));
        let mut trouble = damaged(DAMAGED);
        for (slot, said) in slots {
            let Some(kek) = ring::find(&said.key) else {
                let key = said.key;
                let why = format!("the key {key} is not in the key ring");
                trouble = io::Error::new(io::ErrorKind::PermissionDenied, why);
                continue;
            };
            if let Some(key) = opened(self.slot(slot), &kek, name) {
                kek.is_proven();
                return Ok(Unwrapped { slot, said, key });
            }
            // A key that has opened something is the one of this name.
            if !kek.was_proven() {
                trouble = io::Error::new(io::ErrorKind::InvalidData, AnotherKey(said.key));
            }
        }
        Err(trouble)
    }
}

/// A key of the ring does not open something, and nothing says that it is the key of its name.
#[derive(Debug, thiserror::Error)]
#[error(
    "the key {0} of the key ring does not open it: another key bears that name now, or its header is \
     damaged"
)]
struct AnotherKey(KeyId);

/// Whether something could not be read because it is damaged, whatever keys there are: neither is its key
/// missing, nor may another key bear its name.
pub fn is_damaged(error: &io::Error) -> bool {
    let cause = error.get_ref();
    error.kind() == io::ErrorKind::InvalidData && !cause.is_some_and(|it| it.is::<AnotherKey>())
}

const DAMAGED: &str = "its header is damaged, or that of another object";

/// The name of an object: the last two parts of its path, which say where it is in its store.
pub(super) fn name_of(path: &Path) -> String {
    let mut parts = path.components().rev().map(|part| part.as_os_str());
    let file = parts.next().unwrap_or_default().to_string_lossy();
    let folder = parts.next().unwrap_or_default().to_string_lossy();
    format!("{folder}/{file}")
}

fn said(slot: &[u8]) -> Option<Said> {
    let number = |from: usize| {
        Some(u32::from_le_bytes(
            slot.get(from..from + 4)?.try_into().ok()?,
        ))
    };
    let is_known = slot.starts_with(MAGIC) && slot[8..10] == [VERSION, ALGORITHM] && slot[11] == 0;
    let is_clean = slot[WRITTEN..].iter().all(|byte| *byte == 0);
    let frame_log = slot[10];
    if !is_known || !is_clean || !FRAME_LOGS.contains(&frame_log) {
        return None;
    }
    Some(Said {
        key: KeyId::of(slot[16..32].try_into().ok()?),
        generation: number(12)?,
        frame_log,
        length: u64::from_le_bytes(slot[32..40].try_into().ok()?),
    })
}

/// The data key in a slot, if the wrap verifies.
fn opened(slot: &[u8], kek: &Secret, name: &str) -> Option<DataKey> {
    let mut context = CipherCtx::new().ok()?;
    let nonce = &slot[SAID..SAID + NONCE];
    let cipher = Some(Cipher::aes_256_gcm());
    context
        .decrypt_init(cipher, Some(kek.bytes()), Some(nonce))
        .ok()?;
    context.cipher_update(&slot[..SAID], None).ok()?;
    context.cipher_update(name.as_bytes(), None).ok()?;
    let mut key = [0; KEY_BYTES];
    let wrapped = &slot[SAID + NONCE..SAID + NONCE + KEY_BYTES];
    context.cipher_update(wrapped, Some(&mut key)).ok()?;
    let key = DataKey(Secret::of(key));
    context.set_tag(&slot[WRITTEN - TAG..WRITTEN]).ok()?;
    context.cipher_final(&mut []).ok()?;
    Some(key)
}

/// A slot for a content of `length` bytes that is called `name`, with the ring's current key.
pub(super) fn slot(
    ring: &KeyRing,
    key: &DataKey,
    length: u64,
    name: &str,
    generation: u32,
) -> io::Result<[u8; SLOT]> {
    let said = Said {
        key: KeyId::of([0; 16]),
        generation,
        frame_log: FRAME_LOG,
        length,
    };
    written(ring, key, &said, name)
}

/// The same as `said` says, whatever key that names.
pub(super) fn written(
    ring: &KeyRing,
    key: &DataKey,
    said: &Said,
    name: &str,
) -> io::Result<[u8; SLOT]> {
    let (id, kek) = ring.current();
    let mut slot = [0; SLOT];
    slot[..8].copy_from_slice(MAGIC);
    slot[8..12].copy_from_slice(&[VERSION, ALGORITHM, said.frame_log, 0]);
    slot[12..16].copy_from_slice(&said.generation.to_le_bytes());
    slot[16..32].copy_from_slice(id.bytes());
    slot[32..40].copy_from_slice(&said.length.to_le_bytes());
    let mut nonce = [0; NONCE];
    rand_bytes(&mut nonce)?;
    let mut context = CipherCtx::new()?;
    let cipher = Some(Cipher::aes_256_gcm());
    context.encrypt_init(cipher, Some(kek.bytes()), Some(&nonce))?;
    context.cipher_update(&slot[..SAID], None)?;
    context.cipher_update(name.as_bytes(), None)?;
    let (before, wrapped) = slot.split_at_mut(SAID + NONCE);
    before[SAID..].copy_from_slice(&nonce);
    context.cipher_update(key.0.bytes(), Some(&mut wrapped[..KEY_BYTES]))?;
    context.cipher_final(&mut [])?;
    context.tag(&mut wrapped[KEY_BYTES..KEY_BYTES + TAG])?;
    Ok(slot)
}
