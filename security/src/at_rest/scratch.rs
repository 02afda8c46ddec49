//! A file for a moment, of which nobody but this process can read anything, also not from the disk when
//! it is gone.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;

use super::key::Secret;

/// Bytes of a block of AES.
const BLOCK: usize = 16;

/// A file and the key to it, which is nowhere else. What is written stays secret; that it stays what it
/// is, is for whoever keeps the file to see to: it should have no name.
pub struct Scratch {
    file: File,
    key: Secret,
}

impl Scratch {
    /// Takes an empty file.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn new(file: File) -> io::Result<Self> {
        let key = Secret::random()?;
        Ok(Self { file, key })
    }

    /// Writes bytes at a place at which nothing was written before.
    ///
    /// # Errors
    /// As the file has them.
    pub fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(&self.turned(bytes, offset)?, offset)
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// As the file has them.
    pub fn read_exact_at(&self, length: usize, offset: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        self.turned(&bytes, offset)
    }

    /// AES-256-CTR, whose counter is where a block is in the file.
    fn turned(&self, bytes: &[u8], offset: u64) -> io::Result<Vec<u8>> {
        let counter = u128::from(offset / BLOCK as u64).to_be_bytes();
        let skipped = usize::try_from(offset % BLOCK as u64).map_err(io::Error::other)?;
        let mut context = CipherCtx::new()?;
        let cipher = Some(Cipher::aes_256_ctr());
        context.encrypt_init(cipher, Some(self.key.bytes()), Some(&counter))?;
        context.cipher_update(&[0; BLOCK][..skipped], Some(&mut [0; 2 * BLOCK]))?;
        let mut turned = vec![0; bytes.len()];
        context.cipher_update(bytes, Some(&mut turned))?;
        Ok(turned)
    }
}

impl fmt::Debug for Scratch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Scratch")
    }
}
