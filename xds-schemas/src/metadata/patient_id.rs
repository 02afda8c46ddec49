//! CX and CXi: whom something is about, and what else names it (ITI TF-3 Table 4.2.3.1.7-2).

/// A patient identifier: `ID^^^&OID&ISO`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PatientId {
    /// The identifier within the domain, HL7 escapes undone.
    pub id: String,
    /// The OID of the assigning authority.
    pub authority: String,
}

/// One value of `referenceIdList`: `ID^^^&OID&ISO^type`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReferenceId {
    /// The identifier, HL7 escapes undone.
    pub id: String,
    /// The assigning authority as it was written (CXi.4), if there is one.
    pub authority: Option<String>,
    /// The identifier type (CXi.5), like `urn:ihe:iti:xds:2016:studyInstanceUID`.
    pub id_type: String,
}
