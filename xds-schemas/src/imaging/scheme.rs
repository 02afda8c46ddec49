//! Coding schemes by the names that DICOM gives them (PS3.16 Table 8-1): in XDS they are OIDs.

use crate::metadata::Code;

const SCHEMES: [(&str, &str); 9] = [
    ("DCM", "1.2.840.10008.2.16.4"),
    ("SCT", "2.16.840.1.113883.6.96"),
    ("LN", "2.16.840.1.113883.6.1"),
    ("UCUM", "2.16.840.1.113883.6.8"),
    ("RADLEX", "2.16.840.1.113883.6.256"),
    ("FMA", "2.16.840.1.113883.6.119"),
    ("NCIt", "2.16.840.1.113883.3.26.1.1"),
    ("UMLS", "2.16.840.1.113883.6.86"),
    ("IBSI", "1.2.840.10008.2.16.13"),
];

/// The OID of a scheme that is named as DICOM does; what is no such name stays.
pub fn oid(scheme: &str) -> &str {
    let known = SCHEMES.iter().find(|(name, _)| *name == scheme);
    known.map_or(scheme, |(_, oid)| oid)
}

/// How codes are compared: `code^^scheme`, the scheme by its OID if it is known.
pub fn compared(code: &Code) -> String {
    format!("{}^^{}", code.code, oid(&code.scheme))
}
