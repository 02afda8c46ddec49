//! Files that grow: records are appended to them, each sealed by itself.
//!
//! Such a file begins with a header as others do, whose content has no length. Behind it, whoever keeps
//! the file frames its records as it likes; each of them is sealed at its place, so that none can change
//! places, and the data key is the file's own, so that none can move to another file. What is cut off at
//! the end is not noticed here.
//!
//! ```text
//!  0  12  nonce, random
//! 12   n  the record, AES-256-GCM under the data key; authenticated with it is its place, 8 bytes, big endian
//!  .  16  tag
//! ```
//!
//! Nonces are random since a place may be written twice: what a crash has left unfinished is cut off, and
//! another record takes its place.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::rand::rand_bytes;

use super::file::read_header;
use super::frames::{DataKey, NONCE, TAG};
use super::header::{self, Header};
use super::rewrap::{Rewrapped, rewrap_as};
use super::ring::KeyRing;

/// Bytes that a sealed record is longer than a plain one.
pub const SEALED: usize = NONCE + TAG;

/// Nonces that are drawn at once.
const DRAWN: usize = 64;

/// A file of sealed records: what seals and opens them.
pub struct Journal {
    key: DataKey,
    sealing: Mutex<Sealing>,
    opening: Mutex<CipherCtx>,
}

/// Seals one record after the other: what OpenSSL makes of the key is made once for all of them.
struct Sealing {
    context: CipherCtx,
    /// Random, and not secret: they stand before the records.
    nonces: Box<[u8; NONCE * DRAWN]>,
    /// Bytes of these that are used up.
    used: usize,
}

impl fmt::Debug for Journal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Journal")
    }
}

impl Journal {
    /// A new one, which is called `name` for ever, and the bytes with which its file begins.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn begin(ring: &KeyRing, name: &str) -> io::Result<(Self, Vec<u8>)> {
        let key = DataKey::random()?;
        let mut header = Header::empty();
        header.put(0, &header::slot(ring, &key, 0, name, 1)?);
        Ok((Self::with(key)?, header.0.to_vec()))
    }

    /// That of a file, which is called `name`; nothing if the file is plain.
    ///
    /// # Errors
    /// If it cannot be read, its key is not there, or its header is damaged or that of another file
    /// ([`is_damaged`](super::is_damaged)).
    pub fn of(file: &File, name: &str) -> io::Result<Option<Self>> {
        let Some(header) = read_header(file)? else {
            return Ok(None);
        };
        let known = match header.unwrap(name) {
            // Its key may be changed just now: the slot that was valid is gone, the other was read before.
            Err(_) => read_header(file)?.unwrap_or(header).unwrap(name),
            known => known,
        };
        Ok(Some(Self::with(known?.key)?))
    }

    fn with(key: DataKey) -> io::Result<Self> {
        let mut context = CipherCtx::new()?;
        context.encrypt_init(Some(Cipher::aes_256_gcm()), Some(key.0.bytes()), None)?;
        let nonces = Box::new([0; NONCE * DRAWN]);
        Ok(Self {
            sealing: Mutex::new(Sealing {
                context,
                used: nonces.len(),
                nonces,
            }),
            opening: Mutex::new(opening(&key)?),
            key,
        })
    }

    /// Appends a record, sealed, which stands at `place`.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn seal(&self, place: u64, record: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let sealing = self.sealing.lock();
        let mut sealing = sealing.unwrap_or_else(PoisonError::into_inner);
        let nonce = sealing.nonce()?;
        out.extend_from_slice(&nonce);
        let context = &mut sealing.context;
        context.encrypt_init(None, None, Some(&nonce))?;
        context.cipher_update(&place.to_be_bytes(), None)?;
        let begin = out.len();
        out.resize(begin + record.len() + TAG, 0);
        let (body, tag) = out[begin..].split_at_mut(record.len());
        if !record.is_empty() {
            context.cipher_update(record, Some(body))?;
        }
        context.cipher_final(&mut [])?;
        context.tag(tag)?;
        Ok(())
    }

    /// The record that was sealed at `place`; nothing if these bytes are not that. What is decrypted
    /// before the tag is verified goes nowhere.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn open(&self, place: u64, sealed: &[u8]) -> io::Result<Option<Vec<u8>>> {
        match self.opening.try_lock() {
            Ok(mut context) => opened(&mut context, place, sealed),
            // Others read, too, and nobody waits for them.
            Err(_) => opened(&mut opening(&self.key)?, place, sealed),
        }
    }
}

impl Sealing {
    /// One that was never used.
    fn nonce(&mut self) -> io::Result<[u8; NONCE]> {
        if self.used == self.nonces.len() {
            rand_bytes(&mut self.nonces[..])?;
            self.used = 0;
        }
        let mut nonce = [0; NONCE];
        nonce.copy_from_slice(&self.nonces[self.used..self.used + NONCE]);
        self.used += NONCE;
        Ok(nonce)
    }
}

/// A context that opens with this key.
fn opening(key: &DataKey) -> io::Result<CipherCtx> {
    let mut context = CipherCtx::new()?;
    context.decrypt_init(Some(Cipher::aes_256_gcm()), Some(key.0.bytes()), None)?;
    Ok(context)
}

fn opened(context: &mut CipherCtx, place: u64, sealed: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = sealed.len().checked_sub(SEALED) else {
        return Ok(None);
    };
    let (nonce, rest) = sealed.split_at(NONCE);
    let (encrypted, tag) = rest.split_at(length);
    context.decrypt_init(None, None, Some(nonce))?;
    context.cipher_update(&place.to_be_bytes(), None)?;
    let mut record = vec![0; length];
    if !encrypted.is_empty() {
        context.cipher_update(encrypted, Some(&mut record))?;
    }
    context.set_tag(tag)?;
    Ok(context.cipher_final(&mut []).is_ok().then_some(record))
}

/// Gives a file of this name the current key, beside whoever appends to it.
///
/// # Errors
/// If it cannot be read with the keys that are there, or not be written.
pub fn rewrap(ring: &KeyRing, path: &Path, name: &str) -> io::Result<Rewrapped> {
    rewrap_as(ring, path, name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::at_rest::key::{Secret, from_hex};
    use crate::at_rest::{HEADER, keys_of};

    fn ring(folder: &Path) -> KeyRing {
        KeyRing::generate(&folder.join("keys"), None).unwrap();
        let ring = KeyRing::open(&folder.join("keys"), None).unwrap();
        ring.install();
        ring
    }

    #[test]
    fn a_file_is_opened_under_its_name_with_any_key_that_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let ring = ring(folder.path());
        let (journal, mut bytes) = Journal::begin(&ring, "spool/1").unwrap();
        assert_eq!(bytes.len() as u64, HEADER);
        journal.seal(HEADER, b"a record", &mut bytes).unwrap();
        let path = folder.path().join("file");
        fs::write(&path, &bytes).unwrap();
        let old = keys_of(&path).unwrap().unwrap();
        let open = |name: &str| Journal::of(&File::open(&path).unwrap(), name);
        assert!(open("spool/2").is_err());
        let record = |journal: Journal| {
            let sealed = &fs::read(&path).unwrap()[HEADER as usize..];
            journal.open(HEADER, sealed).unwrap()
        };
        assert_eq!(
            record(open("spool/1").unwrap().unwrap()).unwrap(),
            b"a record"
        );
        KeyRing::generate(&ring.folder(), None).unwrap();
        let ring = KeyRing::open(&ring.folder(), None).unwrap();
        ring.install();
        assert_eq!(rewrap(&ring, &path, "spool/1").unwrap(), Rewrapped::Done);
        assert_eq!(rewrap(&ring, &path, "spool/1").unwrap(), Rewrapped::Already);
        assert_ne!(keys_of(&path).unwrap().unwrap(), old);
        assert_eq!(
            record(open("spool/1").unwrap().unwrap()).unwrap(),
            b"a record"
        );
        fs::write(&path, "17 <85>1").unwrap();
        assert!(open("spool/1").unwrap().is_none());
    }

    /// The test value in `docs/at-rest.md`, which another implementation has made.
    #[test]
    fn what_another_implementation_sealed_is_opened() {
        let sealed = "6465666768696a6b6c6d6e6fcd46335a64b2eb92e042fbe9358df0c67d7ec582d4a7ef805facfcd4\
                      7a709c176a1176d46c9e4d2df8759abc1f840ae0a9af4ce72b9f083e92ff213b8f03d866d038c90b\
                      5a3a17ee6011fd47fde1";
        let key: Vec<u8> = (0x40..0x60).collect();
        let key = DataKey(Secret::of(key.try_into().unwrap()));
        let record = Journal::with(key)
            .unwrap()
            .open(1024, &from_hex(sealed).unwrap());
        let message = b"<85>1 - - hilum 1 IHE+RFC-3881 - <AuditMessage></AuditMessage>";
        assert_eq!(record.unwrap().as_deref(), Some(&message[..]));
    }

    #[test]
    fn no_nonce_is_used_twice_and_several_read_at_once() {
        let journal = Journal::with(DataKey::random().unwrap()).unwrap();
        let place = |number: usize| number as u64;
        let records: Vec<Vec<u8>> = (0..5 * DRAWN + 1)
            .map(|number| {
                let mut sealed = Vec::new();
                let record = number.to_string();
                journal
                    .seal(place(number), record.as_bytes(), &mut sealed)
                    .unwrap();
                sealed
            })
            .collect();
        let nonces: BTreeSet<&[u8]> = records.iter().map(|it| &it[..NONCE]).collect();
        assert_eq!(nonces.len(), records.len());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for (number, sealed) in records.iter().enumerate() {
                        let record = journal.open(place(number), sealed).unwrap();
                        assert_eq!(record, Some(number.to_string().into_bytes()));
                        assert_eq!(journal.open(place(number + 1), sealed).unwrap(), None);
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn records_are_opened_at_their_place_only(
            record in prop::collection::vec(any::<u8>(), 0..300),
            place: u64,
            other: u64,
            at: prop::sample::Index,
        ) {
            let journal = Journal::with(DataKey::random().unwrap()).unwrap();
            let mut sealed = Vec::new();
            journal.seal(place, &record, &mut sealed).unwrap();
            prop_assert_eq!(sealed.len(), record.len() + SEALED);
            prop_assert_eq!(journal.open(place, &sealed).unwrap(), Some(record));
            if place != other {
                prop_assert_eq!(journal.open(other, &sealed).unwrap(), None);
            }
            let at = at.index(sealed.len());
            prop_assert_eq!(journal.open(place, &sealed[..at]).unwrap(), None);
            sealed[at] ^= 1;
            prop_assert_eq!(journal.open(place, &sealed).unwrap(), None);
        }
    }
}
