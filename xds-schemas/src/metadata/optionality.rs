//! Which attributes a sender must supply, may supply, or must not (ITI TF-3 Table 4.3.1-3).
//!
//! R2 and O are the same to whoever reads: nobody can see what a sender knows.

use Optionality::{Optional as O, Prohibited as X, Required as R, RequiredIfKnown as R2};

/// Who sends, and by which transaction: a column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// "XDS DS": XDS Document Source, ITI-41.
    DocumentSource,
    /// "XDS DR": XDS Document Repository, ITI-42.
    Repository,
    /// "XDM MC": Portable Media Creator, ITI-32.
    MediaCreator,
    /// "XDR DS": XDR Document Source, ITI-41.
    DirectSource,
    /// "XDR MS": XDR Metadata-Limited Document Source, ITI-41.
    LimitedSource,
    /// "XDS OD": XDS On-Demand Document Source, ITI-61.
    OnDemandSource,
}

/// What a column says of an attribute (ITI TF-3 Table 4.3.1-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Optionality {
    /// R
    Required,
    /// R2
    RequiredIfKnown,
    /// O
    Optional,
    /// X
    Prohibited,
}

/// An attribute, and what the columns say in the order of [`Column`].
type Row = (&'static str, [Optionality; 6]);

const DOCUMENT_ENTRY: &[Row] = &[
    ("author", [R2, R2, R2, R2, R2, R2]),
    ("availabilityStatus", [O, O, O, O, O, O]),
    ("classCode", [R, R, R2, R, R2, R]),
    ("comments", [O, O, O, O, O, O]),
    ("confidentialityCode", [R, R, R2, R, R2, R]),
    ("creationTime", [R, R, R2, R, R2, X]),
    ("entryUUID", [R, R, R, R, R, R]),
    ("eventCodeList", [O, O, O, O, O, O]),
    ("formatCode", [R, R, R2, R, R2, R]),
    ("hash", [O, R, R, O, O, X]),
    ("healthcareFacilityTypeCode", [R, R, R2, R, R2, R]),
    ("homeCommunityId", [O, O, O, O, O, O]),
    ("languageCode", [R, R, R2, R, R2, R]),
    ("legalAuthenticator", [O, O, O, O, O, O]),
    ("limitedMetadata", [X, X, O, X, R, X]),
    ("mimeType", [R, R, R, R, R, R]),
    ("objectType", [R, R, R, R, R, R]),
    ("patientId", [R, R, R2, R, R2, R]),
    ("practiceSettingCode", [R, R, R2, R, R2, R]),
    ("referenceIdList", [O, O, O, O, O, O]),
    ("repositoryUniqueId", [O, R, O, O, O, R]),
    ("serviceStartTime", [R2, R2, R2, R2, R2, O]),
    ("serviceStopTime", [R2, R2, R2, R2, R2, O]),
    ("size", [O, R, R, O, O, X]),
    ("sourcePatientId", [R, R, R2, R, R2, R]),
    ("sourcePatientInfo", [O, O, R2, O, R2, O]),
    ("title", [O, O, O, O, O, O]),
    ("typeCode", [R, R, R2, R, R2, R]),
    ("uniqueId", [R, R, R, R, R, R]),
    ("URI", [O, O, R, O, O, O]),
];

const SUBMISSION_SET: &[Row] = &[
    ("author", [R2, R2, R2, R2, R2, R2]),
    ("availabilityStatus", [O, O, O, O, O, O]),
    ("comments", [O, O, O, O, O, O]),
    ("contentTypeCode", [R, R, R2, R, R2, R]),
    ("entryUUID", [R, R, R, R, R, R]),
    ("homeCommunityId", [O, O, O, O, O, O]),
    ("intendedRecipient", [O, O, R2, R2, R2, O]),
    ("limitedMetadata", [X, X, O, X, R, X]),
    ("patientId", [R, R, R2, R, R2, R]),
    ("sourceId", [R, R, R, R, R, R]),
    ("submissionTime", [R, R, R, R, R, R]),
    ("title", [O, O, O, O, O, O]),
    ("uniqueId", [R, R, R, R, R, R]),
];

const FOLDER: &[Row] = &[
    ("availabilityStatus", [O, O, O, O, O, O]),
    ("codeList", [R, R, R2, R, R2, R]),
    ("comments", [O, O, O, O, O, O]),
    ("entryUUID", [R, R, R, R, R, R]),
    ("homeCommunityId", [O, O, O, O, O, O]),
    ("lastUpdateTime", [O, O, O, O, O, O]),
    ("limitedMetadata", [X, X, O, X, R, X]),
    ("patientId", [R, R, R2, R, R2, R]),
    ("title", [R, R, O, R, O, R]),
    ("uniqueId", [R, R, R, R, R, R]),
];

/// What the table says; of what is not in it, nothing is asked.
pub(super) fn of(column: Column, kind: &str, attribute: &str) -> Optionality {
    let table = match kind {
        "DocumentEntry" => DOCUMENT_ENTRY,
        "SubmissionSet" => SUBMISSION_SET,
        "Folder" => FOLDER,
        _ => &[],
    };
    let row = table.iter().find(|(name, _)| *name == attribute);
    row.map_or(O, |(_, columns)| columns[column as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ITI TF-3 4.3.1: samples of each column, read from the framework's table by eye.
    #[test]
    fn the_columns_stand_in_their_order() {
        let entry = |column, attribute| of(column, "DocumentEntry", attribute);
        assert_eq!(entry(Column::DocumentSource, "hash"), O);
        assert_eq!(entry(Column::Repository, "hash"), R);
        assert_eq!(entry(Column::MediaCreator, "URI"), R);
        assert_eq!(entry(Column::MediaCreator, "patientId"), R2);
        assert_eq!(entry(Column::DirectSource, "patientId"), R);
        assert_eq!(entry(Column::DirectSource, "limitedMetadata"), X);
        assert_eq!(entry(Column::LimitedSource, "classCode"), R2);
        assert_eq!(of(Column::MediaCreator, "Folder", "title"), O);
        assert_eq!(
            of(Column::LimitedSource, "SubmissionSet", "submissionTime"),
            R
        );
        assert_eq!(of(Column::Repository, "Association", "uniqueId"), O);
    }
}
