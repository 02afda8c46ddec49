//! Fields of databases that identify patients: sealed, or plain if the site wants that.
//!
//! Rooms have one road for both: [`Fields`] seals what they write and opens what they read, and if
//! fields are plain it hands on what it gets. What has to be looked for is written as a [`Named`]
//! value: beside the sealed text, a pseudonym by which it is found. Whoever has the database alone sees
//! that two rows are about the same patient, and not about whom.
//!
//! A database has a random data key of its own, kept in it and wrapped by a key of the site's ring
//! ([`database`]). Two keys are derived from it: one seals, one makes pseudonyms. `docs/at-rest.md` has
//! every byte.

pub mod database;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::sign::Signer;

use super::frames::{DataKey, NONCE, TAG};
use super::key::{KEY_BYTES, Secret, forget};

/// What a sealed field begins with.
const MARK: &str = "~1~";
/// Divides what a field is bound to: no name of a column or of a row has it.
const DIVIDER: u8 = 0x1f;
/// Which key is derived.
const SEALS: &str = "hilum fields 1 seal";
const NAMES: &str = "hilum fields 1 pseudonym";

/// A field: its column, `table.column`, and what tells its row from others. A sealed text can be
/// opened only where it was sealed.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    column: &'static str,
    row: &'a dyn Display,
}

impl<'a> Place<'a> {
    /// The field of this column in this row. Neither identifies a patient: errors name them.
    pub const fn of(column: &'static str, row: &'a dyn Display) -> Self {
        Self { column, row }
    }

    /// What is authenticated with the text.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.column.as_bytes().to_vec();
        bytes.push(DIVIDER);
        bytes.extend_from_slice(self.row.to_string().as_bytes());
        bytes
    }

    fn wrong(&self, why: &str) -> io::Error {
        let Self { column, row } = self;
        let why = format!("the field {column} of {row} {why}");
        io::Error::new(io::ErrorKind::InvalidData, why)
    }
}

impl fmt::Debug for Place<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of {}", self.column, self.row)
    }
}

/// A text that has to be found, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What it is looked for by: its pseudonym, or the text itself if fields are plain.
    pub name: String,
    /// The sealed text; nothing if fields are plain.
    pub sealed: Option<String>,
}

/// How the fields of a database are written and read. Clones share it; the default is plain.
#[derive(Clone, Default)]
pub struct Fields(Option<Arc<Keys>>);

struct Keys {
    seals: Secret,
    names: PKey<Private>,
}

impl fmt::Debug for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self.0 {
            Some(_) => "Fields(sealed)",
            None => "Fields(plain)",
        })
    }
}

impl Fields {
    /// Fields are sealed with keys that are derived from this one.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub(super) fn with(key: &DataKey) -> io::Result<Self> {
        let data = PKey::hmac(key.0.bytes())?;
        let mut seals = [0; KEY_BYTES];
        hmac(&data, &[SEALS.as_bytes()], &mut seals)?;
        let mut names = [0; KEY_BYTES];
        hmac(&data, &[NAMES.as_bytes()], &mut names)?;
        let keys = Keys {
            seals: Secret::of(seals),
            names: PKey::hmac(&names)?,
        };
        forget(&mut seals);
        forget(&mut names);
        Ok(Self(Some(Arc::new(keys))))
    }

    /// Whether they are sealed.
    pub const fn are_sealed(&self) -> bool {
        self.0.is_some()
    }

    /// A text as it is kept.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn seal<'t>(&self, place: Place<'_>, text: &'t str) -> io::Result<Cow<'t, str>> {
        let Some(keys) = &self.0 else {
            return Ok(Cow::Borrowed(text));
        };
        let mut sealed = vec![0; NONCE];
        rand_bytes(&mut sealed)?;
        let mut context = CipherCtx::new()?;
        let cipher = Some(Cipher::aes_256_gcm());
        context.encrypt_init(cipher, Some(keys.seals.bytes()), Some(&sealed))?;
        context.cipher_update(&place.bytes(), None)?;
        context.cipher_update_vec(text.as_bytes(), &mut sealed)?;
        context.cipher_final(&mut [])?;
        let mut tag = [0; TAG];
        context.tag(&mut tag)?;
        sealed.extend_from_slice(&tag);
        let mut kept = String::with_capacity(MARK.len() + sealed.len() * 4 / 3 + 4);
        kept.push_str(MARK);
        BASE64.encode_string(&sealed, &mut kept);
        Ok(Cow::Owned(kept))
    }

    /// The text of what is kept.
    ///
    /// # Errors
    /// If fields are sealed and this one is not, was sealed elsewhere, or was changed.
    pub fn open(&self, place: Place<'_>, kept: String) -> io::Result<String> {
        let Some(keys) = &self.0 else {
            return Ok(kept);
        };
        let sealed = kept.strip_prefix(MARK);
        let sealed = sealed.ok_or_else(|| place.wrong("is not sealed, as it should be"))?;
        let sealed = BASE64.decode(sealed).unwrap_or_default();
        let text = opened(keys, place, &sealed)?;
        let text = text.ok_or_else(|| place.wrong("is damaged, or was sealed elsewhere"))?;
        String::from_utf8(text).map_err(|_| place.wrong("is no text"))
    }

    /// The same as [`seal`](Self::seal), of a text that may be missing.
    ///
    /// # Errors
    /// As there.
    pub fn seal_some(&self, place: Place<'_>, text: Option<&str>) -> io::Result<Option<String>> {
        let sealed = text.map(|text| self.seal(place, text)).transpose()?;
        Ok(sealed.map(Cow::into_owned))
    }

    /// The same as [`open`](Self::open), of a text that may be missing.
    ///
    /// # Errors
    /// As there.
    pub fn open_some(&self, place: Place<'_>, kept: Option<String>) -> io::Result<Option<String>> {
        kept.map(|kept| self.open(place, kept)).transpose()
    }

    /// What a text of this column is looked for by: the same for the same text. What is empty
    /// stays so: it identifies nobody.
    ///
    /// # Errors
    /// If OpenSSL fails.
    pub fn pseudonym(&self, column: &'static str, text: &str) -> io::Result<String> {
        let keys = match &self.0 {
            Some(keys) if !text.is_empty() => keys,
            _ => return Ok(text.to_owned()),
        };
        let mut hash = [0; 32];
        let said = [column.as_bytes(), &[DIVIDER], text.as_bytes()];
        hmac(&keys.names, &said, &mut hash)?;
        Ok(BASE64.encode(hash))
    }

    /// A text that stands elsewhere too, for those who look for parts of it: nothing, if fields are
    /// sealed.
    pub fn hide(&self, text: String) -> String {
        match self.are_sealed() {
            true => String::new(),
            false => text,
        }
    }

    /// A text that has to be found, as it is kept.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn name(&self, place: Place<'_>, text: &str) -> io::Result<Named> {
        let sealed = match self.are_sealed() {
            true => Some(self.seal(place, text)?.into_owned()),
            false => None,
        };
        let name = self.pseudonym(place.column, text)?;
        Ok(Named { name, sealed })
    }

    /// The text of what was found.
    ///
    /// # Errors
    /// As [`open`](Self::open), and if the pseudonym is that of another text.
    pub fn reveal(&self, place: Place<'_>, named: Named) -> io::Result<String> {
        if !self.are_sealed() {
            return Ok(named.name);
        }
        let sealed = named.sealed;
        let sealed = sealed.ok_or_else(|| place.wrong("has a pseudonym and no text"))?;
        let text = self.open(place, sealed)?;
        match self.pseudonym(place.column, &text)? == named.name {
            true => Ok(text),
            false => Err(place.wrong("has the pseudonym of another text")),
        }
    }
}

/// The text in a nonce, what was encrypted and its tag, if it was sealed there. What is decrypted
/// before the tag is verified goes nowhere.
fn opened(keys: &Keys, place: Place<'_>, sealed: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let Some(length) = sealed.len().checked_sub(NONCE + TAG) else {
        return Ok(None);
    };
    let (nonce, rest) = sealed.split_at(NONCE);
    let (encrypted, tag) = rest.split_at(length);
    let mut context = CipherCtx::new()?;
    let cipher = Some(Cipher::aes_256_gcm());
    context.decrypt_init(cipher, Some(keys.seals.bytes()), Some(nonce))?;
    context.cipher_update(&place.bytes(), None)?;
    let mut text = Vec::with_capacity(length);
    context.cipher_update_vec(encrypted, &mut text)?;
    context.set_tag(tag)?;
    Ok(context.cipher_final(&mut []).is_ok().then_some(text))
}

fn hmac(key: &PKey<Private>, said: &[&[u8]], out: &mut [u8; 32]) -> io::Result<()> {
    let mut signer = Signer::new(MessageDigest::sha256(), key)?;
    for part in said {
        signer.update(part)?;
    }
    signer.sign(out)?;
    Ok(())
}
