//! ITI-80 Cross-Gateway Document Provide: hand documents to another community.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways. The message is that of ITI-41, which names
//! the community for which it is meant twice: in a slot of the request, and in a block of the SOAP header.
//! Supplement Cross-Community Document Reliable Interchange (XCDR), 3.80

use crate::codes::error_code::ErrorCode;
use crate::ebrim::Slot;
use crate::ebrs::{RegistryError, RegistryResponse};
use crate::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use crate::metadata::HomeCommunityId;
use crate::transaction::Transaction;

/// ITI-80.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayDocumentProvide;

impl Transaction for CrossGatewayDocumentProvide {
    const ACTION: &'static str = "urn:ihe:iti:2015:CrossGatewayDocumentProvide";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2015:CrossGatewayDocumentProvideResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = ProvideAndRegisterDocumentSetRequest;
    type Response = RegistryResponse;
}

/// The slot of the request that names the community.
pub const HOME_COMMUNITY: &str = "homeCommunityId";

/// The community for which a submission is meant, as its header block and its slots say.
///
/// # Errors
/// `XDSMissingHomeCommunityId` if none is named, `XDSUnknownCommunity` if several are.
pub fn meant_for(header: Option<&str>, slots: &[Slot]) -> Result<HomeCommunityId, RegistryError> {
    let slots = slots.iter().filter(|slot| slot.name == HOME_COMMUNITY);
    let said = slots.flat_map(|slot| &slot.values).map(String::as_str);
    let named = header.into_iter().chain(said).map(str::trim);
    let mut named = named.filter(|home| !home.is_empty());
    let Some(first) = named.next() else {
        let context = "no slot homeCommunityId names the community for which this is meant";
        let code = ErrorCode::MissingHomeCommunityId;
        return Err(RegistryError::error(code, context));
    };
    match named.find(|home| *home != first) {
        Some(other) => {
            let context = format!("this is meant for two communities, {first} and {other}");
            Err(RegistryError::error(ErrorCode::UnknownCommunity, context))
        }
        None => Ok(HomeCommunityId::from(first)),
    }
}

/// Names the community in the slots of a request, once.
pub fn name_in(slots: &mut Vec<Slot>, home: &HomeCommunityId) {
    slots.retain(|slot| slot.name != HOME_COMMUNITY);
    slots.push(Slot::single(HOME_COMMUNITY, home.as_str()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_places_name_one_community() {
        let slot = |value: &str| vec![Slot::single(HOME_COMMUNITY, value)];
        let one = Ok(HomeCommunityId::from("urn:oid:1.2"));
        assert_eq!(meant_for(Some("urn:oid:1.2"), &[]), one);
        assert_eq!(meant_for(None, &slot(" urn:oid:1.2 ")), one);
        assert_eq!(meant_for(Some(""), &slot("urn:oid:1.2")), one);
        assert_eq!(meant_for(Some("urn:oid:1.2"), &slot("urn:oid:1.2")), one);
        let code = |header, slots: &[Slot]| meant_for(header, slots).unwrap_err().code;
        assert_eq!(code(None, &[]), ErrorCode::MissingHomeCommunityId);
        assert_eq!(
            code(Some(" "), &slot("")),
            ErrorCode::MissingHomeCommunityId
        );
        let two = code(Some("urn:oid:1.3"), &slot("urn:oid:1.2"));
        assert_eq!(two, ErrorCode::UnknownCommunity);
    }

    #[test]
    fn a_community_is_named_once() {
        let mut slots = vec![
            Slot::single("other", "1"),
            Slot::single(HOME_COMMUNITY, "urn:oid:9"),
        ];
        name_in(&mut slots, &"urn:oid:1.2".into());
        assert_eq!(slots.len(), 2);
        let one = Ok(HomeCommunityId::from("urn:oid:1.2"));
        assert_eq!(meant_for(None, &slots), one);
    }
}
