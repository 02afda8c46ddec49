//! What documents that are made on demand are called, and what is made of them.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid, Variant, Version};
use xds_schemas::metadata::UniqueId;

/// The arc of OIDs that are UUIDs.
const UUID_ARC: &str = "2.25.";
/// How the UUID of an imaging summary begins. It is one of version 8, whose bits have the meaning
/// that its maker gives them (RFC 9562 5.8); the last 74 are random.
const IMAGING_SUMMARY: [u8; 6] = *b"hilum\x01";

/// A name for an imaging summary that nobody else has.
pub(super) fn new_imaging_summary() -> UniqueId {
    let mut bytes = Uuid::new_v4().into_bytes();
    bytes[..IMAGING_SUMMARY.len()].copy_from_slice(&IMAGING_SUMMARY);
    unique_id(of_version_8(bytes))
}

/// Whether this is the name of a document that this source makes, so that the registry is worth
/// asking for it.
pub(crate) fn is_on_demand(unique_id: &UniqueId) -> bool {
    let number = unique_id.as_str().strip_prefix(UUID_ARC);
    let number = number.and_then(|number| number.parse::<u128>().ok());
    number.map(Uuid::from_u128).is_some_and(|uuid| {
        uuid.get_version() == Some(Version::Custom) && uuid.as_bytes().starts_with(&IMAGING_SUMMARY)
    })
}

/// The name of a content: the same for the same, and another for everything else.
pub(super) fn of_content(content: &[u8]) -> UniqueId {
    unique_id(hashed(content))
}

/// The name of a part of a document, for what is told of it.
pub(super) fn of_part(kind: &str, id: &str) -> String {
    hashed(format!("{kind} {id}").as_bytes()).urn().to_string()
}

fn hashed(bytes: &[u8]) -> Uuid {
    let hash = Sha256::digest(bytes);
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    let uuid = of_version_8(first);
    match uuid.as_bytes().starts_with(&IMAGING_SUMMARY) {
        // Once in 2^48: it would be taken for something that is to be made.
        true => hashed(&hash),
        false => uuid,
    }
}

fn of_version_8(bytes: [u8; 16]) -> Uuid {
    Builder::from_bytes(bytes)
        .with_variant(Variant::RFC4122)
        .with_version(Version::Custom)
        .into_uuid()
}

fn unique_id(uuid: Uuid) -> UniqueId {
    UniqueId(format!("{UUID_ARC}{}", uuid.as_u128()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_by_its_name() {
        let (one, two) = (new_imaging_summary(), new_imaging_summary());
        assert_ne!(one, two);
        assert!(is_on_demand(&one) && is_on_demand(&two));
        assert!(xds_schemas::metadata::hl7::is_oid(one.as_str()), "{one}");
        let content = of_content(b"content");
        assert_eq!(content, of_content(b"content"));
        assert_ne!(content, of_content(b"other content"));
        let random = format!("2.25.{}", Uuid::new_v4().as_u128());
        let others = [content.as_str(), &random, "2.25.", "2.25.x", "1.2.3", ""];
        for other in others {
            assert!(!is_on_demand(&other.into()), "{other}");
        }
        let too_long = format!("{one}0000");
        assert!(!is_on_demand(&too_long.as_str().into()));
    }
}
