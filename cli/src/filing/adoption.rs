//! What a submission from elsewhere must be here: about a patient of this affinity domain, without
//! what belongs to where it came from, and with everything that a registry needs.

use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::ebrim::InternationalString;
use xds_schemas::metadata::{Code, PatientId, Submission};

use super::Filing;
use crate::domain::LANGUAGE;

impl Filing<'_> {
    /// What belongs to where it came from goes, and what this affinity domain needs comes.
    pub(super) fn adopt(&mut self, submission: &mut Submission) {
        let local = self.patient.clone();
        let here = |patient: &mut Option<PatientId>| {
            if let Some(local) = &local {
                *patient = Some(local.clone());
            }
        };
        let set = &mut submission.submission_set;
        here(&mut set.patient_id);
        set.limited_metadata = false;
        set.availability_status = None;
        set.home_community_id = None;
        set.logical_id = None;
        for entry in &mut submission.document_entries {
            // Table 4.2.3.2-1 of ITI TF-3: sourcePatientId is that of where the document was made.
            let of_set = set.patient_id.clone();
            let origin = entry.patient_id.clone().or_else(|| of_set.clone());
            entry.patient_id = entry.patient_id.take().or(of_set);
            entry.source_patient_id = entry.source_patient_id.take().or(origin);
            here(&mut entry.patient_id);
            entry.limited_metadata = false;
            entry.availability_status = None;
            entry.home_community_id = None;
            entry.repository_unique_id = None;
            entry.logical_id = None;
            entry.version = None;
            // It meant a place on the medium.
            entry.uri = None;
        }
        for folder in &mut submission.folders {
            here(&mut folder.patient_id);
            folder.limited_metadata = false;
            folder.availability_status = None;
            folder.home_community_id = None;
            folder.logical_id = None;
            folder.version = None;
        }
        for association in &mut submission.associations {
            association.availability_status = None;
            association.home_community_id = None;
            association.logical_id = None;
            // What an update said of versions means nothing here.
            association.previous_version = None;
        }
        if self.complete {
            self.complete(submission);
        }
    }

    /// Takes what is missing from the affinity domain.
    fn complete(&mut self, submission: &mut Submission) {
        let set = &mut submission.submission_set;
        self.code(CodeKind::ContentTypeCode, &mut set.content_type_code);
        let submitted = set.submission_time.clone();
        for entry in &mut submission.document_entries {
            self.code(CodeKind::ClassCode, &mut entry.class_code);
            self.code(CodeKind::TypeCode, &mut entry.type_code);
            self.code(CodeKind::FormatCode, &mut entry.format_code);
            let practice = &mut entry.practice_setting_code;
            self.code(CodeKind::PracticeSettingCode, practice);
            let facility = &mut entry.healthcare_facility_type_code;
            self.code(CodeKind::HealthcareFacilityTypeCode, facility);
            self.codes(
                CodeKind::ConfidentialityCode,
                &mut entry.confidentiality_codes,
            );
            if entry.language_code.is_none() {
                entry.language_code = Some(LANGUAGE.to_owned());
                self.assume(format!("languageCode {LANGUAGE}"));
            }
            if entry.creation_time.is_none() {
                entry.creation_time.clone_from(&submitted);
                self.assume("creationTime (the submission's)".to_owned());
            }
        }
        for folder in &mut submission.folders {
            self.codes(CodeKind::FolderCode, &mut folder.codes);
            if folder
                .title
                .as_ref()
                .and_then(InternationalString::first)
                .is_none()
            {
                folder.title = Some(InternationalString::of("Folder"));
                self.assume("title of a folder".to_owned());
            }
        }
    }

    fn code(&mut self, kind: CodeKind, code: &mut Option<Code>) {
        if code.is_none() {
            *code = self.usual(kind);
        }
    }

    fn codes(&mut self, kind: CodeKind, codes: &mut Vec<Code>) {
        if codes.is_empty() {
            codes.extend(self.usual(kind));
        }
    }

    fn usual(&mut self, kind: CodeKind) -> Option<Code> {
        let code = self.domain.usual(kind)?;
        let display = code.display.first().unwrap_or_default();
        self.assume(format!("{} {} ({display})", kind.name(), code.code));
        Some(code)
    }

    fn assume(&mut self, what: String) {
        if !self.assumed.contains(&what) {
            self.assumed.push(what);
        }
    }
}
