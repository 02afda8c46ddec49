//! Contents in frames: AES-256-GCM, each frame verified alone (the STREAM construction).
//!
//! A frame's nonce is its number and whether it is the last one. So frames cannot change places, and
//! the end cannot be cut off; the data key is the object's own, so that they cannot move to another
//! object, and no nonce is ever used twice with a key.

use std::fmt;
use std::io;
use std::ops::Range;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

use super::key::{KEY_BYTES, Secret, from_hex, to_hex};

/// Frames have 2 to the power of this many bytes when they are written. Measured: smaller ones cost
/// more system calls, larger ones more reading for the header of an image.
pub(super) const FRAME_LOG: u8 = 17;
/// The frame sizes that are read.
pub(super) const FRAME_LOGS: std::ops::RangeInclusive<u8> = 16..=20;
/// Bytes of a frame's content when it is written.
pub const FRAME: usize = 1 << FRAME_LOG;
/// Bytes that verify a frame, behind it.
pub(super) const TAG: usize = 16;
/// Bytes of a nonce.
pub(super) const NONCE: usize = 12;

/// A key for the content of one object.
pub struct DataKey(pub(super) Secret);

impl DataKey {
    /// A new one.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn random() -> io::Result<Self> {
        Secret::random().map(Self)
    }

    /// In hexadecimal digits, to be kept in something that is encrypted itself.
    pub fn to_text(&self) -> String {
        to_hex(self.0.bytes())
    }

    /// Reads what [`to_text`](Self::to_text) has written.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes: [u8; KEY_BYTES] = from_hex(text)?.try_into().ok()?;
        Some(Self(Secret::of(bytes)))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("DataKey")
    }
}

/// Where the frames of a content are. Offsets count from the first frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of content in every frame but the last.
    frame: u64,
    /// Bytes of content.
    length: u64,
}

impl Geometry {
    /// That of a content which is written here, of this many bytes.
    pub const fn of(length: u64) -> Self {
        Self {
            frame: FRAME as u64,
            length,
        }
    }

    pub(super) const fn with(frame_log: u8, length: u64) -> Self {
        Self {
            frame: 1 << frame_log,
            length,
        }
    }

    /// That of a content which was written with frames of this many bytes; nothing if there are no
    /// such frames.
    pub fn read(frame: u64, length: u64) -> Option<Self> {
        let known = FRAME_LOGS.into_iter().any(|log| frame == 1 << log);
        known.then_some(Self { frame, length })
    }

    /// Bytes of content.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of content in every frame but the last.
    pub const fn frame(&self) -> u64 {
        self.frame
    }

    /// How many frames there are; at least one.
    pub const fn frames(&self) -> u64 {
        let frames = self.length.div_ceil(self.frame);
        if frames == 0 { 1 } else { frames }
    }

    /// Bytes of all frames.
    pub const fn sealed_length(&self) -> u64 {
        self.length
            .saturating_add(self.frames().saturating_mul(TAG as u64))
    }

    /// Whether this frame is the last one.
    pub const fn is_last(&self, number: u64) -> bool {
        number + 1 == self.frames()
    }

    /// Where a frame is.
    pub fn place(&self, number: u64) -> Range<u64> {
        let sealed = self.frame + TAG as u64;
        let from = number.saturating_mul(sealed);
        from..from.saturating_add(sealed).min(self.sealed_length())
    }

    /// The frames that hold a range of the content.
    pub fn covering(&self, range: &Range<u64>) -> Range<u64> {
        if range.is_empty() {
            return 0..0;
        }
        range.start / self.frame..(range.end.div_ceil(self.frame)).min(self.frames())
    }
}

/// Encrypts frames, one after the other.
pub struct Sealing {
    context: CipherCtx,
    number: u32,
}

impl Sealing {
    /// For one content. A key must not be used for two.
    ///
    /// # Errors
    /// If OpenSSL has no AES-256-GCM.
    pub fn new(key: &DataKey) -> io::Result<Self> {
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(Cipher::aes_256_gcm()), Some(key.0.bytes()), None)?;
        Ok(Self { context, number: 0 })
    }

    /// Appends the next frame to `out`. All but the last have [`FRAME`] bytes.
    ///
    /// # Errors
    /// If there are too many frames, or OpenSSL fails.
    pub fn seal(&mut self, content: &[u8], is_last: bool, out: &mut Vec<u8>) -> io::Result<()> {
        let nonce = nonce(self.number, is_last);
        let too_many = || io::Error::other("the object is too long to be encrypted");
        self.number = self.number.checked_add(1).ok_or_else(too_many)?;
        self.context.encrypt_init(None, None, Some(&nonce))?;
        let begin = out.len();
        out.resize(begin + content.len() + TAG, 0);
        let (body, tag) = out[begin..].split_at_mut(content.len());
        if !content.is_empty() {
            self.context.cipher_update(content, Some(body))?;
        }
        self.context.cipher_final(&mut [])?;
        self.context.tag(tag)?;
        Ok(())
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Sealing")
    }
}

/// Verifies and decrypts frames, in any order.
pub struct Opening {
    context: CipherCtx,
}

impl Opening {
    /// For one content.
    ///
    /// # Errors
    /// If OpenSSL has no AES-256-GCM.
    pub fn new(key: &DataKey) -> io::Result<Self> {
        let mut context = CipherCtx::new()?;
        context.decrypt_init(Some(Cipher::aes_256_gcm()), Some(key.0.bytes()), None)?;
        Ok(Self { context })
    }

    /// Appends the content of a frame to `out`; nothing if it does not verify.
    ///
    /// # Errors
    /// If it is not the frame of this number, or damaged.
    pub fn open(
        &mut self,
        number: u64,
        is_last: bool,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        let begin = out.len();
        let opened = self.open_unverified(number, is_last, sealed, out);
        if opened.is_none() {
            // What did not verify must not leave, not even by mistake.
            out[begin..].fill(0);
            out.truncate(begin);
        }
        opened.ok_or_else(|| damaged(&format!("frame {} is damaged", number + 1)))
    }

    fn open_unverified(
        &mut self,
        number: u64,
        is_last: bool,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (body, tag) = sealed.split_at_checked(sealed.len().checked_sub(TAG)?)?;
        let nonce = nonce(u32::try_from(number).ok()?, is_last);
        let begin = out.len();
        out.resize(begin + body.len(), 0);
        let context = &mut self.context;
        context.decrypt_init(None, None, Some(&nonce)).ok()?;
        if !body.is_empty() {
            context.cipher_update(body, Some(&mut out[begin..])).ok()?;
        }
        context.set_tag(tag).ok()?;
        context.cipher_final(&mut []).ok().map(drop)
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Opening")
    }
}

/// Seven zeros, the number of the frame, and 1 for the last one. The key is the object's own, so that
/// nothing needs to tell objects apart.
fn nonce(number: u32, is_last: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[7..11].copy_from_slice(&number.to_be_bytes());
    nonce[11] = is_last.into();
    nonce
}

/// What is stored is not what was stored.
pub(super) fn damaged(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
