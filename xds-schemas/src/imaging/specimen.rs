//! Specimens: documents name those that they are about in their referenceIdList, so that any
//! consumer finds them by FindDocumentsByReferenceId.

use crate::metadata::patient_id::id_type::{CONTAINER, SPECIMEN, SPECIMEN_UID};

/// The specimen that a value of referenceIdList names, or its container: `ID^^^&OID&ISO`, or `ID` if
/// it has no authority. Specimens have UIDs, too.
pub fn named_by(reference_id: &str) -> Option<&str> {
    let (id, id_type) = reference_id.rsplit_once('^')?;
    let is_specimen = [SPECIMEN, SPECIMEN_UID, CONTAINER].contains(&id_type);
    is_specimen.then(|| id.trim_end_matches('^'))
}

/// How a query may name a specimen: as [`named_by`] gives it, and without its authority.
pub fn names(specimen: &str) -> [&str; 2] {
    let id = specimen.split_once("^^^").map_or(specimen, |(id, _)| id);
    [specimen, id]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specimen_has_two_names() {
        let written = format!("S-1^^^&1.2.3&ISO^{SPECIMEN}");
        let named = named_by(&written).map(names);
        assert_eq!(named, Some(["S-1^^^&1.2.3&ISO", "S-1"]));
        let written = format!("S-1^^^^{CONTAINER}");
        assert_eq!(named_by(&written).map(names), Some(["S-1", "S-1"]));
        let written = format!("1.2.3^^^^{SPECIMEN_UID}");
        assert_eq!(named_by(&written), Some("1.2.3"));
        assert_eq!(
            named_by("1.2^^^^urn:ihe:iti:xds:2016:studyInstanceUID"),
            None
        );
    }
}
