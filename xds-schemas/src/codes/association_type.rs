//! Association types (ITI TF-3 4.2.2.2, Table 4.2.2.2-1).

use crate::metadata::AssociationType;

const HAS_MEMBER: &str = "urn:oasis:names:tc:ebxml-regrep:AssociationType:HasMember";
const RPLC: &str = "urn:ihe:iti:2007:AssociationType:RPLC";
const XFRM: &str = "urn:ihe:iti:2007:AssociationType:XFRM";
const APND: &str = "urn:ihe:iti:2007:AssociationType:APND";
const XFRM_RPLC: &str = "urn:ihe:iti:2007:AssociationType:XFRM_RPLC";
const SIGNS: &str = "urn:ihe:iti:2007:AssociationType:signs";
const UPDATE_AVAILABILITY_STATUS: &str =
    "urn:ihe:iti:2010:AssociationType:UpdateAvailabilityStatus";
const SUBMIT_ASSOCIATION: &str = "urn:ihe:iti:2010:AssociationType:SubmitAssociation";
const IS_SNAPSHOT_OF: &str = "urn:ihe:iti:2010:AssociationType:IsSnapshotOf";

impl AssociationType {
    const NAMED: [Self; 9] = [
        Self::HasMember,
        Self::Replace,
        Self::Transform,
        Self::Append,
        Self::TransformAndReplace,
        Self::Signs,
        Self::IsSnapshotOf,
        Self::UpdateAvailabilityStatus,
        Self::SubmitAssociation,
    ];

    /// The URN on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::HasMember => HAS_MEMBER,
            Self::Replace => RPLC,
            Self::Transform => XFRM,
            Self::Append => APND,
            Self::TransformAndReplace => XFRM_RPLC,
            Self::Signs => SIGNS,
            Self::IsSnapshotOf => IS_SNAPSHOT_OF,
            Self::UpdateAvailabilityStatus => UPDATE_AVAILABILITY_STATUS,
            Self::SubmitAssociation => SUBMIT_ASSOCIATION,
            Self::Other(urn) => urn,
        }
    }

    /// The type with this URN.
    pub fn parse(urn: &str) -> Self {
        let named = Self::NAMED.into_iter().find(|one| one.as_str() == urn);
        named.unwrap_or_else(|| Self::Other(urn.to_owned()))
    }

    /// The same for queries, where older senders write the last part of the URN only.
    pub fn parse_lenient(text: &str) -> Self {
        let short = |one: &Self| one.as_str().rsplit(':').next() == Some(text);
        let named = Self::NAMED.into_iter().find(short);
        named.unwrap_or_else(|| Self::parse(text))
    }
}
