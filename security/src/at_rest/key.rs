//! Keys and their names.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use openssl::rand::rand_bytes;

/// Bytes of a key: AES-256.
pub(super) const KEY_BYTES: usize = 32;

/// The name of a key-encryption key: 16 random bytes, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 16]);

impl KeyId {
    pub(super) const fn of(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        rand_bytes(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = from_hex(text).and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or("a key is named by 32 hexadecimal digits")
    }
}

/// A key. It is never shown, and overwritten when it is dropped.
pub(super) struct Secret {
    bytes: [u8; KEY_BYTES],
    /// It has opened something, so that it is what its name says.
    proven: AtomicBool,
}

impl Secret {
    pub(super) const fn of(bytes: [u8; KEY_BYTES]) -> Self {
        Self {
            bytes,
            proven: AtomicBool::new(false),
        }
    }

    /// It has opened something that was encrypted with the key of its name.
    pub(super) fn is_proven(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    pub(super) fn was_proven(&self) -> bool {
        self.proven.load(Ordering::Relaxed)
    }

    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        rand_bytes(&mut bytes)?;
        Ok(Self::of(bytes))
    }

    pub(super) const fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        forget(&mut self.bytes);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret")
    }
}

/// Overwrites what nobody shall find in memory. The compiler must believe that it is looked at.
pub(super) fn forget(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let digits = |byte: &u8| [digit(byte >> 4), digit(byte & 15)];
    bytes.iter().flat_map(digits).collect()
}

pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| Some(u8::try_from(digit.to_digit(16)?).unwrap_or_default()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let bytes = digits.chunks_exact(2).map(|two| two[0] << 4 | two[1]);
    Some(bytes.collect())
}
