//! Coded concepts of DICOM as codes of XDS: schemes by their OID, old SNOMED codes as new ones.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use xds_schemas::metadata::Code;

use super::snomed;
use crate::text::CharacterSet;
use crate::walk::DataSet;

/// What DICOM itself defines (PS3.16 annex D).
pub(super) const DCM: &str = "1.2.840.10008.2.16.4";
/// SNOMED CT.
pub(super) const SCT: &str = "2.16.840.1.113883.6.96";
/// LOINC.
pub(super) const LN: &str = "2.16.840.1.113883.6.1";
/// NCI Thesaurus.
pub(super) const NCIT: &str = "2.16.840.1.113883.3.26.1.1";
/// UMLS.
pub(super) const UMLS: &str = "2.16.840.1.113883.6.86";

/// Coding Scheme Designators and the OIDs of their schemes (PS3.16 Table 8-1). SRT has the OID of
/// SNOMED CT there, which it calls "SNOMED CT with values in the style of SNOMED RT".
#[rustfmt::skip]
const SCHEMES: [(&str, &str); 34] = [
    ("DCM", DCM),
    ("SCT", SCT),
    ("SRT", SCT),
    ("SNM3", "2.16.840.1.113883.6.51"),
    ("99SDM", "2.16.840.1.113883.6.53"),
    ("LN", LN),
    ("UCUM", "2.16.840.1.113883.6.8"),
    ("NCIt", NCIT),
    ("UMLS", UMLS),
    ("RADLEX", "2.16.840.1.113883.6.256"),
    ("RADELEMENT", "1.2.840.10008.2.16.15"),
    ("IBSI", "1.2.840.10008.2.16.13"),
    ("RO", "1.2.840.10008.2.16.14"),
    ("FMA", "2.16.840.1.113883.6.119"),
    ("UBERON", "1.2.840.10008.2.16.6"),
    ("NEU", "2.16.840.1.113883.6.210"),
    ("MA", "1.2.840.10008.2.16.5"),
    ("UNS", "1.2.840.10008.2.16.17"),
    ("DCMUID", "1.2.840.10008.2.6.1"),
    ("PUBCHEM_CID", "1.2.840.10008.2.16.9"),
    ("RXNORM", "2.16.840.1.113883.6.88"),
    ("NDC", "2.16.840.1.113883.6.69"),
    ("caDSR", "2.16.840.1.113883.3.26.2"),
    ("MSH", "2.16.840.1.113883.6.177"),
    ("PATHLEX", "1.3.6.1.4.1.19376.1.8.2.1"),
    ("ICDO3", "2.16.840.1.113883.6.43.1"),
    ("I10", "2.16.840.1.113883.6.3"),
    ("I10C", "2.16.840.1.113883.6.90"),
    ("I11", "1.2.840.10008.2.16.16"),
    ("ITIS_TSN", "1.2.840.10008.2.16.7"),
    ("MGI", "1.2.840.10008.2.16.8"),
    ("MAYOASRG", "1.2.840.10008.2.16.12"),
    ("NYUMCCG", "1.2.840.10008.2.16.11"),
    ("RFC5646", "2.16.840.1.113883.6.316"),
];

/// The OID of a coding scheme; a designator that is not registered stays as it is.
pub(super) fn scheme(designator: &str) -> &str {
    let known = SCHEMES.iter().find(|(name, _)| *name == designator);
    known.map_or(designator, |(_, oid)| oid)
}

/// The first code of a sequence.
pub(super) fn first(data: &DataSet, tag: Tag, set: &CharacterSet) -> Option<Code> {
    code(data.items(tag).first()?, set)
}

/// An item of a code sequence (PS3.3 section 8.8). A code in the form of a URN needs no scheme.
pub(super) fn code(item: &DataSet, set: &CharacterSet) -> Option<Code> {
    let meaning = set.text(item, tags::CODE_MEANING).unwrap_or_default();
    let designator = set.text(item, tags::CODING_SCHEME_DESIGNATOR);
    let value = set
        .text(item, tags::CODE_VALUE)
        .or_else(|| set.text(item, tags::LONG_CODE_VALUE));
    let (Some(value), Some(designator)) = (value, designator.as_deref()) else {
        let urn = set.text(item, tags::URN_CODE_VALUE)?;
        let scheme = designator.as_deref().map_or("urn:ietf:rfc:3986", scheme);
        return Some(Code::new(urn, scheme, meaning));
    };
    if matches!(designator, "SRT" | "SNM3" | "99SDM")
        && let Some(concept) = snomed::concept(&value)
    {
        return Some(Code::new(concept, SCT, meaning));
    }
    Some(Code::new(value, scheme(designator), meaning))
}

/// Code and scheme, to be compared.
pub(super) fn key(code: &Code) -> (&str, &str) {
    (&code.code, &code.scheme)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk;
    use crate::write::Builder;

    fn read(item: Builder) -> Option<Code> {
        let file = Builder::new()
            .text(
                tags::SOP_CLASS_UID,
                dicom_core::VR::UI,
                "1.2.840.10008.5.1.4.1.1.7",
            )
            .text(tags::SOP_INSTANCE_UID, dicom_core::VR::UI, "1.2.3")
            .items(tags::CONCEPT_NAME_CODE_SEQUENCE, [item])
            .part10()
            .unwrap();
        let file = walk::whole(&file).unwrap();
        let set = CharacterSet::of(&file.data);
        first(&file.data, tags::CONCEPT_NAME_CODE_SEQUENCE, &set)
    }

    fn concept(value: &str, scheme: &str) -> Builder {
        Builder::new()
            .text(tags::CODE_VALUE, dicom_core::VR::SH, value)
            .text(tags::CODING_SCHEME_DESIGNATOR, dicom_core::VR::SH, scheme)
            .text(tags::CODE_MEANING, dicom_core::VR::LO, "meaning")
    }

    #[test]
    fn schemes_become_oids_and_old_codes_new_ones() {
        for (value, designator, code, scheme) in [
            ("118565006", "SCT", "118565006", SCT),
            ("G-D705", "SRT", "118565006", SCT),
            ("T-62000", "SNM3", "10200004", SCT),
            ("T-99999", "SRT", "T-99999", SCT),
            ("mm3", "UCUM", "mm3", "2.16.840.1.113883.6.8"),
            ("11820-8", "LN", "11820-8", LN),
            ("X1", "99ACME", "X1", "99ACME"),
        ] {
            let read = read(concept(value, designator)).unwrap();
            assert_eq!(key(&read), (code, scheme), "{value} {designator}");
            assert_eq!(read.display.first(), Some("meaning"));
        }
    }

    #[test]
    fn codes_that_are_long_or_urns_or_none() {
        let long = Builder::new()
            .text(
                tags::LONG_CODE_VALUE,
                dicom_core::VR::UC,
                "123456789012345678",
            )
            .text(tags::CODING_SCHEME_DESIGNATOR, dicom_core::VR::SH, "SCT");
        assert_eq!(key(&read(long).unwrap()), ("123456789012345678", SCT));
        let urn = Builder::new().text(tags::URN_CODE_VALUE, dicom_core::VR::UR, "urn:lex:x");
        assert_eq!(key(&read(urn).unwrap()), ("urn:lex:x", "urn:ietf:rfc:3986"));
        assert_eq!(read(concept("", "DCM")), None);
        assert_eq!(read(concept("1", "")), None);
    }

    #[test]
    fn each_designator_stands_once() {
        for (at, (name, _)) in SCHEMES.iter().enumerate() {
            assert!(SCHEMES[..at].iter().all(|(other, _)| other != name));
        }
    }
}
