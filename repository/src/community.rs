//! The community that a submission is meant for, if its sender says so.

use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrim::Slot;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::metadata::HomeCommunityId;

/// The slot of the request that names it, beside the block in the SOAP header (ITI-80).
const SLOT: &str = "homeCommunityId";

/// The community that `header` or the slots of the request name. What is meant for another one than
/// `mine` is not taken (ITI TF-3 Table 4.2.4.1-2, XDSUnknownCommunity).
pub(crate) fn meant_here(
    mine: Option<&HomeCommunityId>,
    header: Option<&str>,
    slots: &[Slot],
) -> Result<Option<String>, RegistryError> {
    let slots = slots.iter().filter(|slot| slot.name == SLOT);
    let said = slots.flat_map(|slot| &slot.values).map(String::as_str);
    let mut named = header.into_iter().chain(said).filter(|it| !it.is_empty());
    let is_other = |named: &&str| mine.is_some_and(|mine| mine.as_str() != *named);
    match named.clone().find(is_other) {
        Some(other) => {
            let context = format!("{other} is not the community of this receiver");
            Err(RegistryError::error(ErrorCode::UnknownCommunity, context))
        }
        None => Ok(named.next().map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_others_is_not_taken() {
        let mine = HomeCommunityId::from("urn:oid:1.2.3");
        let slot = |value: &str| vec![Slot::single(SLOT, value)];
        let meant = |header, slots: Vec<Slot>| meant_here(Some(&mine), header, &slots);
        assert_eq!(meant(None, Vec::new()), Ok(None));
        let here = Ok(Some("urn:oid:1.2.3".to_owned()));
        assert_eq!(meant(Some("urn:oid:1.2.3"), slot("urn:oid:1.2.3")), here);
        assert_eq!(meant(None, slot("urn:oid:1.2.3")), here);
        for (header, slots) in [
            (Some("urn:oid:9"), Vec::new()),
            (None, slot("urn:oid:9")),
            (Some("urn:oid:1.2.3"), slot("urn:oid:9")),
        ] {
            let error = meant(header, slots).unwrap_err();
            assert_eq!(error.code, ErrorCode::UnknownCommunity);
        }
    }
}
