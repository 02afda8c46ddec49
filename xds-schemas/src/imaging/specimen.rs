//! Specimens: documents name those that they are about in their referenceIdList, so that any
//! consumer finds them by FindDocumentsByReferenceId.

use crate::metadata::ReferenceId;

/// The identifier type (CXi.5) of specimens.
pub const ID_TYPE: &str = "urn:hilum:xds:2026:specimen";

/// The specimen that a value of referenceIdList names: `ID^^^&OID&ISO`, or `ID` if it has no
/// authority.
pub fn named_by(reference_id: &str) -> Option<&str> {
    let id = reference_id.strip_suffix(ID_TYPE)?.strip_suffix('^')?;
    Some(id.trim_end_matches('^'))
}

/// How a query may name a specimen: as [`named_by`] gives it, and without its authority.
pub fn names(specimen: &str) -> [&str; 2] {
    let id = specimen.split_once("^^^").map_or(specimen, |(id, _)| id);
    [specimen, id]
}

/// The specimen `id`, which is unique with the authority `oid`.
pub fn reference(id: impl Into<String>, oid: &str) -> ReferenceId {
    ReferenceId {
        id: id.into(),
        authority: (!oid.is_empty()).then(|| format!("&{oid}&ISO")),
        id_type: ID_TYPE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specimen_has_two_names() {
        let written = reference("S-1", "1.2.3").to_string();
        let specimen = named_by(&written).unwrap();
        assert_eq!(names(specimen), ["S-1^^^&1.2.3&ISO", "S-1"]);
        let written = reference("S-1", "").to_string();
        assert_eq!(names(named_by(&written).unwrap()), ["S-1", "S-1"]);
        assert_eq!(
            named_by("1.2^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
            None
        );
    }
}
