//! What studies, series and instances can be searched by.

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::matching::Kind;
use super::{Hit, Level};

/// An attribute of which the index knows the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) enum Attribute {
    AccessionNumber,
    BodyPartExamined,
    InstanceNumber,
    InstitutionName,
    IssuerOfPatientId,
    ModalitiesInStudy,
    Modality,
    PatientBirthDate,
    PatientId,
    PatientName,
    PatientSex,
    ReferringPhysicianName,
    SeriesDescription,
    SeriesInstanceUid,
    SeriesNumber,
    SopClassUid,
    SopInstanceUid,
    StudyDate,
    StudyDescription,
    StudyId,
    StudyInstanceUid,
    StudyTime,
}

/// What is known of an attribute.
struct Row {
    attribute: Attribute,
    tag: Tag,
    level: Level,
    kind: Kind,
    /// Where the database has it: `s` are studies, `e` series, `i` instances.
    column: Option<&'static str>,
}

const fn row(
    attribute: Attribute,
    tag: Tag,
    level: Level,
    kind: Kind,
    column: Option<&'static str>,
) -> Row {
    Row {
        attribute,
        tag,
        level,
        kind,
        column,
    }
}

const ROWS: [Row; 22] = {
    use Attribute as A;
    use Kind::{Code, Date, Name, Number, Text, Time, Uid};
    use Level::{Instance, Series, Study};
    [
        row(
            A::AccessionNumber,
            tags::ACCESSION_NUMBER,
            Study,
            Text,
            Some("s.accession_number"),
        ),
        row(
            A::BodyPartExamined,
            tags::BODY_PART_EXAMINED,
            Series,
            Code,
            None,
        ),
        row(
            A::InstanceNumber,
            tags::INSTANCE_NUMBER,
            Instance,
            Number,
            Some("i.instance_number"),
        ),
        row(
            A::InstitutionName,
            tags::INSTITUTION_NAME,
            Study,
            Text,
            None,
        ),
        row(
            A::IssuerOfPatientId,
            tags::ISSUER_OF_PATIENT_ID,
            Study,
            Text,
            None,
        ),
        row(
            A::ModalitiesInStudy,
            tags::MODALITIES_IN_STUDY,
            Study,
            Code,
            Some("s.modalities"),
        ),
        row(
            A::Modality,
            tags::MODALITY,
            Series,
            Code,
            Some("e.modality"),
        ),
        row(
            A::PatientBirthDate,
            tags::PATIENT_BIRTH_DATE,
            Study,
            Date,
            Some("s.birth_date"),
        ),
        row(
            A::PatientId,
            tags::PATIENT_ID,
            Study,
            Text,
            Some("s.patient_id"),
        ),
        row(
            A::PatientName,
            tags::PATIENT_NAME,
            Study,
            Name,
            Some("s.patient_name"),
        ),
        row(A::PatientSex, tags::PATIENT_SEX, Study, Code, Some("s.sex")),
        row(
            A::ReferringPhysicianName,
            tags::REFERRING_PHYSICIAN_NAME,
            Study,
            Name,
            Some("s.referring_physician"),
        ),
        row(
            A::SeriesDescription,
            tags::SERIES_DESCRIPTION,
            Series,
            Text,
            Some("e.description"),
        ),
        row(
            A::SeriesInstanceUid,
            tags::SERIES_INSTANCE_UID,
            Series,
            Uid,
            Some("e.uid"),
        ),
        row(
            A::SeriesNumber,
            tags::SERIES_NUMBER,
            Series,
            Number,
            Some("e.series_number"),
        ),
        row(
            A::SopClassUid,
            tags::SOP_CLASS_UID,
            Instance,
            Uid,
            Some("i.sop_class_uid"),
        ),
        row(
            A::SopInstanceUid,
            tags::SOP_INSTANCE_UID,
            Instance,
            Uid,
            Some("i.uid"),
        ),
        row(
            A::StudyDate,
            tags::STUDY_DATE,
            Study,
            Date,
            Some("s.study_date"),
        ),
        row(
            A::StudyDescription,
            tags::STUDY_DESCRIPTION,
            Study,
            Text,
            Some("s.description"),
        ),
        row(A::StudyId, tags::STUDY_ID, Study, Text, Some("s.study_id")),
        row(
            A::StudyInstanceUid,
            tags::STUDY_INSTANCE_UID,
            Study,
            Uid,
            Some("s.uid"),
        ),
        row(A::StudyTime, tags::STUDY_TIME, Study, Time, None),
    ]
};

impl Attribute {
    /// The attribute with this tag, if things can be searched by it.
    pub(in crate::imaging) fn of(tag: Tag) -> Option<Self> {
        let row = ROWS.iter().find(|row| row.tag == tag)?;
        Some(row.attribute)
    }

    fn row(self) -> &'static Row {
        // In the order of the enumeration, as a test makes sure.
        &ROWS[self as usize]
    }

    /// The highest level at which things have it.
    pub(in crate::imaging) fn level(self) -> Level {
        self.row().level
    }

    pub(in crate::imaging) fn kind(self) -> Kind {
        self.row().kind
    }

    pub(super) fn column(self) -> Option<&'static str> {
        self.row().column
    }

    /// Its value, or its values divided by a backslash.
    pub(super) fn value(self, hit: &Hit) -> String {
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let number = |it: Option<i64>| it.map(|it| it.to_string()).unwrap_or_default();
        let study = &hit.study.study;
        let series = hit.series.as_ref().map(|it| &it.series);
        let instance = hit.instance.as_ref();
        match self {
            Self::AccessionNumber => text(&study.facts.accession_number),
            Self::BodyPartExamined => series
                .map(|it| text(&it.facts.body_part))
                .unwrap_or_default(),
            Self::InstanceNumber => number(instance.and_then(|it| it.number)),
            Self::InstitutionName => text(&study.facts.institution),
            Self::IssuerOfPatientId => text(&study.patient.issuer),
            Self::ModalitiesInStudy => hit.study.modalities(),
            Self::Modality => series
                .map(|it| text(&it.facts.modality))
                .unwrap_or_default(),
            Self::PatientBirthDate => text(&study.patient.birth_date),
            Self::PatientId => text(&study.patient.id),
            Self::PatientName => text(&study.patient.name),
            Self::PatientSex => text(&study.patient.sex),
            Self::ReferringPhysicianName => text(&study.facts.referring_physician),
            Self::SeriesDescription => series
                .map(|it| text(&it.facts.description))
                .unwrap_or_default(),
            Self::SeriesInstanceUid => series.map(|it| it.uid.to_string()).unwrap_or_default(),
            Self::SeriesNumber => number(series.and_then(|it| it.facts.number)),
            Self::SopClassUid => instance
                .map(|it| it.sop_class_uid.to_string())
                .unwrap_or_default(),
            Self::SopInstanceUid => instance
                .map(|it| it.sop_instance_uid.to_string())
                .unwrap_or_default(),
            Self::StudyDate => text(&study.facts.date),
            Self::StudyDescription => text(&study.facts.description),
            Self::StudyId => text(&study.facts.id),
            Self::StudyInstanceUid => study.uid.to_string(),
            Self::StudyTime => text(&study.facts.time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_has_its_row() {
        for (at, row) in ROWS.iter().enumerate() {
            assert_eq!(row.attribute as usize, at, "{:?}", row.attribute);
            assert_eq!(Attribute::of(row.tag), Some(row.attribute));
        }
        assert_eq!(ROWS.len(), Attribute::StudyTime as usize + 1);
    }
}
