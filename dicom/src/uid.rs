//! Unique identifiers as DICOM writes them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A DICOM UID: digits and points, at most 64 characters (PS3.5 section 9).
///
/// Components with a leading zero are forbidden by the standard but made by some devices; such a UID
/// still identifies, so it is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uid(String);

/// Not a UID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a UID (digits and points, at most 64 characters, no empty component)")]
pub struct BadUid;

impl Uid {
    /// Reads a UID; padding must have been taken off.
    pub fn parse(text: &str) -> Result<Self, BadUid> {
        let component =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if text.len() <= 64 && text.split('.').all(component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadUid)
        }
    }

    /// The UID under 2.25 that stands for a UUID (PS3.5 annex B.2).
    pub fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(format!("2.25.{}", uuid.as_u128()))
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Uid {
    type Error = BadUid;

    fn try_from(text: String) -> Result<Self, BadUid> {
        Self::parse(&text)
    }
}

impl From<Uid> for String {
    fn from(uid: Uid) -> Self {
        uid.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_digits_and_points() {
        for good in ["1.2.840.10008.1.2", "2.25.0", "1"] {
            assert_eq!(Uid::parse(good).unwrap().as_str(), good);
        }
        let long = format!("1.{}", "2".repeat(63));
        for bad in [
            "",
            ".",
            "1.",
            ".1",
            "1..2",
            "1.2a",
            "1.2 ",
            "../etc",
            long.as_str(),
        ] {
            assert_eq!(Uid::parse(bad), Err(BadUid), "{bad}");
        }
    }
}
