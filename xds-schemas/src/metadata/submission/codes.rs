//! The affinity domain's value sets (ITI TF-2 3.42.4.1.3, row 8 of what a registry validates).

use super::{Rules, Submission};
use crate::affinity_codes::{AffinityCodes, CodeKind};
use crate::ebrs::RegistryError;
use crate::metadata::judge::{Concern, Judge, Subject};
use crate::metadata::{Code, EntryUuid};

impl Submission {
    /// Codes and MIME types that the affinity domain does not have. Only code and scheme count,
    /// never how they are displayed. The submission is complete and sound otherwise, so this is
    /// the registry's business alone.
    pub fn judge_codes(&self, codes: &AffinityCodes) -> Vec<RegistryError> {
        let mut codes = Codes {
            codes,
            judge: Judge::of(Rules::Register),
        };
        let set = &self.submission_set;
        let it = subject_of("SubmissionSet", &set.entry_uuid);
        codes.judge(it, CodeKind::ContentTypeCode, &set.content_type_code);
        for entry in &self.document_entries {
            let it = subject_of("DocumentEntry", &entry.entry_uuid);
            codes.judge(it, CodeKind::ClassCode, &entry.class_code);
            codes.judge(
                it,
                CodeKind::ConfidentialityCode,
                &entry.confidentiality_codes,
            );
            codes.judge(it, CodeKind::EventCode, &entry.event_codes);
            codes.judge(it, CodeKind::FormatCode, &entry.format_code);
            codes.judge(
                it,
                CodeKind::HealthcareFacilityTypeCode,
                &entry.healthcare_facility_type_code,
            );
            codes.judge(
                it,
                CodeKind::PracticeSettingCode,
                &entry.practice_setting_code,
            );
            codes.judge(it, CodeKind::TypeCode, &entry.type_code);
            if !codes.codes.allows_mime_type(&entry.mime_type) {
                let problem = format!("{} is not one of the affinity domain", entry.mime_type);
                codes
                    .judge
                    .offence(Concern::Registry, it, "mimeType", &problem);
            }
        }
        for folder in &self.folders {
            codes.judge(
                subject_of("Folder", &folder.entry_uuid),
                CodeKind::FolderCode,
                &folder.codes,
            );
        }
        for association in &self.associations {
            let it = subject_of("Association", &association.entry_uuid);
            codes.judge(
                it,
                CodeKind::AssociationDocumentation,
                &association.documentation,
            );
        }
        codes.judge.offences
    }
}

fn subject_of<'a>(kind: &'static str, id: &'a EntryUuid) -> Subject<'a> {
    Subject {
        kind,
        id: id.as_str(),
    }
}

struct Codes<'a> {
    codes: &'a AffinityCodes,
    judge: Judge,
}

impl Codes<'_> {
    fn judge<'c>(
        &mut self,
        subject: Subject<'_>,
        kind: CodeKind,
        codes: impl IntoIterator<Item = &'c Code>,
    ) {
        for Code { code, scheme, .. } in codes {
            if !self.codes.allows(kind, code, scheme) {
                let problem = format!("{code} of {scheme} is not one of the affinity domain");
                self.judge
                    .offence(Concern::Registry, subject, kind.name(), &problem);
            }
        }
    }
}
