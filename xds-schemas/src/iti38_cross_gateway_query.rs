//! ITI-38 Cross Gateway Query: ask another community what it has.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways. The message is that of ITI-18; what
//! is answered says of each object from which community it is.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-38.html>

use crate::codes::error_code::ErrorCode;
use crate::ebrs::{AdhocQueryRequest, AdhocQueryResponse, RegistryError};
use crate::iti18_registry_stored_query::syntax;
use crate::metadata::HomeCommunityId;
use crate::transaction::Transaction;

/// ITI-38.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayQuery;

impl Transaction for CrossGatewayQuery {
    const ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayQuery";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:CrossGatewayQueryResponse";
    const MTOM: bool = false;
    const ASYNCHRONOUS: bool = true;
    type Request = AdhocQueryRequest;
    type Response = AdhocQueryResponse;
}

/// Which communities an Initiating Gateway is to ask (ITI TF-1 18.2.6); of several values.
pub const TARGET_COMMUNITIES: &str = "$targetCommunityIdList";

/// The communities that `request` wants asked: none if it does not say.
///
/// # Errors
/// Says what is wrong with how they are written.
pub fn target_communities(
    request: &AdhocQueryRequest,
) -> Result<Vec<HomeCommunityId>, RegistryError> {
    let slots = request.slots.iter();
    let slots = slots.filter(|slot| slot.name == TARGET_COMMUNITIES);
    let mut homes = Vec::new();
    for slot in slots {
        let values = syntax::read(&slot.values).map_err(|problem| {
            let context = format!("{TARGET_COMMUNITIES}: {problem}");
            RegistryError::error(ErrorCode::RegistryError, context)
        })?;
        homes.extend(values.into_iter().map(HomeCommunityId));
    }
    Ok(homes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::Slot;

    #[test]
    fn target_communities_are_a_list() {
        let asked = |values: &[&str]| {
            let slots = values
                .iter()
                .map(|it| Slot::single(TARGET_COMMUNITIES, *it));
            let request = AdhocQueryRequest {
                slots: slots.collect(),
                ..AdhocQueryRequest::default()
            };
            target_communities(&request)
        };
        assert_eq!(asked(&[]), Ok(Vec::new()));
        let both: Vec<HomeCommunityId> = ["urn:oid:1.2", "urn:oid:1.3"].map(Into::into).into();
        assert_eq!(asked(&["('urn:oid:1.2','urn:oid:1.3')"]), Ok(both.clone()));
        assert_eq!(asked(&["('urn:oid:1.2')", "('urn:oid:1.3')"]), Ok(both));
        let wrong = asked(&["('urn:oid:1.2'"]).unwrap_err();
        assert!(wrong.context.contains("parenthesis"), "{}", wrong.context);
    }
}
