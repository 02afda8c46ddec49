//! Names, numbers, UIDs and days that stand for others: derived by a key, so that whoever has the key
//! gets the same ones again, and nobody else can tell what they stand for.
//!
//! HMAC-SHA-256 (RFC 2104) of what is replaced, with a word in front that says what it is.

use std::fmt;

use sha2::{Digest, Sha256};
use uuid::Builder as UuidBuilder;

use super::profile::{DateShift, Profile};
use crate::uid::Uid;

const BLOCK: usize = 64;
/// Crockford's letters: none of them is taken for another.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PSEUDONYM_LETTERS: usize = 16;

/// The secret of a collection. Whoever has it can find out who a patient is, by trying.
#[derive(Clone)]
pub struct Key([u8; BLOCK]);

/// A key of less than 32 bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least 32 random bytes")]
pub struct WeakKey;

impl Key {
    /// At least 32 bytes that were drawn at random.
    pub fn new(secret: &[u8]) -> Result<Self, WeakKey> {
        if secret.len() < 32 {
            return Err(WeakKey);
        }
        let mut key = [0; BLOCK];
        if secret.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        Ok(Self(key))
    }

    fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = Sha256::new_with_prefix(self.0.map(|byte| byte ^ 0x36));
        parts.iter().for_each(|part| inner.update(part));
        let outer = Sha256::new_with_prefix(self.0.map(|byte| byte ^ 0x5C));
        outer.chain_update(inner.finalize()).finalize().into()
    }

    /// Of `what` some text is; a zero byte keeps the two apart.
    fn of(&self, what: &str, text: &str) -> [u8; 32] {
        self.hmac(&[what.as_bytes(), &[0], text.as_bytes()])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(secret)")
    }
}

/// What stands for what in a collection. The map is a function of the key: it need not be stored to be
/// made again, and an operator who wants a way back stores it.
#[derive(Debug, Clone)]
pub struct Pseudonyms<'a> {
    key: &'a Key,
    prefix: &'a str,
    date_shift: DateShift,
    retain_uids: bool,
}

impl<'a> Pseudonyms<'a> {
    /// Of a collection with this profile and key.
    pub fn new(key: &'a Key, profile: &'a Profile) -> Self {
        Self {
            key,
            prefix: &profile.prefix,
            date_shift: profile.date_shift,
            retain_uids: profile.options.retain_uids,
        }
    }

    /// The pseudonym of a patient by Patient ID (0010,0020): the prefix and 80 bits in 16 letters and
    /// digits. Spaces around the identifier do not count.
    pub fn patient(&self, id: &str) -> String {
        let bytes = self.key.of("patient", id.trim());
        let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
        let letters: String = letters[..PSEUDONYM_LETTERS].iter().collect();
        format!("{}{letters}", self.prefix)
    }

    /// By how many days all dates of a patient are shifted; never zero.
    pub fn days(&self, id: &str) -> i64 {
        let bytes = self.key.of("days", id.trim());
        let random = u64::from_be_bytes([
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
        ]);
        let (from, to) = (
            i64::from(self.date_shift.from_days),
            i64::from(self.date_shift.to_days),
        );
        let zero_within = from <= 0 && 0 <= to;
        let choices = (to - from + 1 - i64::from(zero_within)).max(1);
        let days = from + (random % choices.unsigned_abs()) as i64;
        if zero_within && days >= 0 {
            days + 1
        } else {
            days
        }
    }

    /// The UID that stands for another, under 2.25; the same one if UIDs are retained.
    pub fn uid(&self, uid: &str) -> String {
        if self.retain_uids {
            return uid.to_owned();
        }
        let bytes = self.key.of("uid", uid);
        let mut half = [0; 16];
        half.copy_from_slice(&bytes[..16]);
        Uid::from_uuid(UuidBuilder::from_custom_bytes(half).into_uuid()).to_string()
    }

    /// The name that stands for a file's name; what says the format at its end is kept.
    pub fn file_name(&self, name: &str) -> String {
        let lower = name.to_ascii_lowercase();
        let known = [
            ".nii.gz", ".hdr.gz", ".img.gz", ".nii", ".hdr", ".img", ".dcm",
        ];
        let ending = known.into_iter().find(|ending| lower.ends_with(ending));
        let ending = ending.unwrap_or_default();
        // The two files of a pair keep their common name.
        let stem = name.get(..name.len() - ending.len()).unwrap_or(name);
        let bytes = self.key.of("file", stem);
        let letters = bytes.map(|byte| char::from(LETTERS[usize::from(byte & 31)]));
        let letters: String = letters[..PSEUDONYM_LETTERS].iter().collect();
        format!("{}{letters}{ending}", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new(&[byte; 32]).unwrap()
    }

    #[test]
    fn hmac_is_that_of_the_rfc() {
        // RFC 4231, test case 6: a key longer than a block.
        let long = Key::new(&[0xAA; 131]).unwrap();
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let hmac = long
            .hmac(&[text])
            .map(|byte| format!("{byte:02x}"))
            .concat();
        assert_eq!(
            hmac,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
        assert!(matches!(Key::new(&[1; 31]), Err(WeakKey)));
        assert_eq!(format!("{long:?}"), "Key(secret)");
    }

    #[test]
    fn the_same_key_gives_the_same_pseudonyms_and_another_key_others() {
        let profile = Profile {
            prefix: "P-".to_owned(),
            ..Profile::default()
        };
        let (one, two) = (key(1), key(2));
        let (one, two) = (
            Pseudonyms::new(&one, &profile),
            Pseudonyms::new(&two, &profile),
        );
        assert_eq!(one.patient("4711"), one.patient(" 4711 "));
        assert_ne!(one.patient("4711"), two.patient("4711"));
        assert_eq!(one.patient("4711").len(), 18);
        let uid = one.uid("1.2.3");
        assert!(uid.starts_with("2.25.") && Uid::parse(&uid).is_ok());
        assert_ne!(uid, two.uid("1.2.3"));
        assert_ne!(one.file_name("Smith.nii"), one.file_name("Miller.nii"));
        assert!(one.file_name("Smith_T1.nii.gz").ends_with(".nii.gz"));
        assert_eq!(
            one.file_name("Smith.HDR").strip_suffix(".hdr"),
            one.file_name("Smith.img").strip_suffix(".img")
        );
    }

    #[test]
    fn shifts_keep_to_their_range_and_are_never_zero() {
        let key = key(3);
        let profile = Profile {
            date_shift: DateShift {
                from_days: -2,
                to_days: 2,
            },
            ..Profile::default()
        };
        let pseudonyms = Pseudonyms::new(&key, &profile);
        let mut seen: Vec<i64> = (0..200).map(|i| pseudonyms.days(&i.to_string())).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [-2, -1, 1, 2]);
    }
}
