//! From what is said of documents to a submission.

use uuid::Uuid;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::ebrim::{InternationalString, Slot};
use xds_schemas::metadata::{
    AssociationType, Author, Code, DocumentEntry, EntryUuid, Folder, PatientId, ReferenceId,
    Submission, SubmissionSet, Timestamp,
};

use super::arguments::{Attributes, AuthorText};
use super::content::Content;
use super::description::{Description, SetAttributes};
use crate::domain::{Domain, LANGUAGE, time};
use crate::init::new_oid;
use crate::status::Usage;

/// Characters that a title may have (ITI TF-3 4.2.3.2.28).
const TITLE: usize = 127;

/// How the documents belong to others, all found in the registry.
#[derive(Debug, Default)]
pub(super) struct Related {
    /// Of the one document to another.
    pub(super) documents: Vec<(AssociationType, EntryUuid)>,
    /// A folder that is registered.
    pub(super) folder: Option<EntryUuid>,
    /// A folder that is new, with its codes.
    pub(super) new_folder: Option<(String, Vec<String>)>,
}

/// Puts submissions together, and remembers what it had to assume.
pub(super) struct Builder<'a> {
    domain: &'a Domain,
    patient: PatientId,
    now: Timestamp,
    /// What was not said and is taken from codes.xml.
    pub(super) assumed: Vec<String>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(domain: &'a Domain, patient: PatientId, now: Timestamp) -> Self {
        Self {
            domain,
            patient,
            now,
            assumed: Vec::new(),
        }
    }

    /// The submission of these documents. `source_id` is the sender's if nothing else is said.
    pub(super) fn submission(
        &mut self,
        description: &Description,
        contents: &[Content],
        related: Related,
        source_id: &str,
    ) -> Result<Submission, Usage> {
        let set = self.submission_set(&description.submission_set, source_id)?;
        let mut submission = Submission::new(set);
        for (at, content) in contents.iter().enumerate() {
            let entry = self.entry(at, content, &description.document(&content.path))?;
            let id = entry.entry_uuid.clone();
            submission.add_document(entry);
            for (how, other) in &related.documents {
                submission.relate(id.clone(), how.clone(), other.clone());
            }
        }
        let folder = match related.new_folder {
            Some((title, codes)) => {
                let folder = self.folder(&title, &codes)?;
                let id = folder.entry_uuid.clone();
                submission.add_folder(folder);
                Some(id)
            }
            None => related.folder,
        };
        for at in (0..contents.len()).filter(|_| folder.is_some()) {
            let document = submission.document_entries[at].entry_uuid.clone();
            submission.put_into_folder(
                folder.clone().unwrap_or_else(|| EntryUuid::from("")),
                document,
            );
        }
        submission.resolve(&mut || EntryUuid::from(Uuid::new_v4().urn().to_string()));
        Ok(submission)
    }

    fn submission_set(
        &mut self,
        said: &SetAttributes,
        source_id: &str,
    ) -> Result<SubmissionSet, Usage> {
        let unique_id = said.unique_id.clone().unwrap_or_else(new_oid);
        let source_id = said.source_id.as_deref().unwrap_or(source_id);
        let mut set = SubmissionSet::new("SubmissionSet", unique_id, source_id);
        set.title = said.title.clone().map(InternationalString::of);
        set.comments = said.comments.clone().map(InternationalString::of);
        set.authors = said.authors.iter().map(author).collect();
        set.content_type_code = self.code(CodeKind::ContentTypeCode, &said.content_type_code)?;
        set.intended_recipients
            .clone_from(&said.intended_recipients);
        set.patient_id = Some(self.patient.clone());
        set.submission_time = Some(self.now.clone());
        Ok(set)
    }

    fn entry(
        &mut self,
        at: usize,
        content: &Content,
        said: &Attributes,
    ) -> Result<DocumentEntry, Usage> {
        let file = content.path.display();
        let guessed = content.mime_type.map(str::to_owned);
        let mime_type = said.mime_type.clone().or(guessed).ok_or_else(|| {
            Usage(format!(
                "{file}: its MIME type cannot be told; say it with --mime TYPE"
            ))
        })?;
        let unique_id = said.unique_id.clone().unwrap_or_else(new_oid);
        let moment = |text: &Option<String>| text.as_deref().map(time).transpose();
        let mut entry = DocumentEntry::new(format!("Document{}", at + 1), unique_id, mime_type);
        entry.title = said
            .title
            .clone()
            .or_else(|| title(content))
            .map(InternationalString::of);
        entry.comments = said.comments.clone().map(InternationalString::of);
        entry.authors = said.authors.iter().map(author).collect();
        self.code_entry(&mut entry, said)?;
        entry.creation_time =
            moment(&said.creation_time)?.or_else(|| Some(Timestamp::from_unix(content.changed)));
        entry.service_start_time = moment(&said.service_start_time)?;
        entry.service_stop_time = moment(&said.service_stop_time)?;
        entry.hash = Some(content.hash.clone());
        entry.size = Some(content.size);
        entry.language_code = said
            .language_code
            .clone()
            .or_else(|| Some(LANGUAGE.to_owned()));
        entry
            .legal_authenticator
            .clone_from(&said.legal_authenticator);
        entry.patient_id = Some(self.patient.clone());
        entry.source_patient_id = Some(match &said.source_patient_id {
            Some(text) => self.domain.patient(text)?,
            None => self.patient.clone(),
        });
        entry
            .source_patient_info
            .clone_from(&said.source_patient_info);
        let reference = |text: &String| {
            ReferenceId::parse(text).map_err(|problem| Usage(format!("a reference ID {problem}")))
        };
        entry.reference_ids = said
            .reference_ids
            .iter()
            .map(reference)
            .collect::<Result<_, _>>()?;
        entry.extra.slots = said.slots.iter().map(slot).collect();
        Ok(entry)
    }

    fn code_entry(&mut self, entry: &mut DocumentEntry, said: &Attributes) -> Result<(), Usage> {
        entry.class_code = self.code(CodeKind::ClassCode, &said.class_code)?;
        entry.type_code = self.code(CodeKind::TypeCode, &said.type_code)?;
        entry.format_code = self.code(CodeKind::FormatCode, &said.format_code)?;
        entry.practice_setting_code =
            self.code(CodeKind::PracticeSettingCode, &said.practice_setting_code)?;
        let facility = CodeKind::HealthcareFacilityTypeCode;
        entry.healthcare_facility_type_code =
            self.code(facility, &said.healthcare_facility_type_code)?;
        entry.confidentiality_codes = match said.confidentiality_codes.is_empty() {
            true => self
                .code(CodeKind::ConfidentialityCode, &None)?
                .into_iter()
                .collect(),
            false => self.codes(CodeKind::ConfidentialityCode, &said.confidentiality_codes)?,
        };
        entry.event_codes = self.codes(CodeKind::EventCode, &said.event_codes)?;
        Ok(())
    }

    fn folder(&mut self, title: &str, codes: &[String]) -> Result<Folder, Usage> {
        let mut folder = Folder::new("Folder", new_oid(), title);
        folder.patient_id = Some(self.patient.clone());
        folder.codes = match codes.is_empty() {
            true => self
                .code(CodeKind::FolderCode, &None)?
                .into_iter()
                .collect(),
            false => self.codes(CodeKind::FolderCode, codes)?,
        };
        Ok(folder)
    }

    /// The code that was said, or else the usual one of its kind.
    fn code(&mut self, kind: CodeKind, said: &Option<String>) -> Result<Option<Code>, Usage> {
        if let Some(text) = said {
            return self.domain.code(kind, text).map(Some);
        }
        let usual = self.domain.usual(kind);
        Ok(self.assume(kind, usual))
    }

    fn codes(&self, kind: CodeKind, said: &[String]) -> Result<Vec<Code>, Usage> {
        said.iter()
            .map(|text| self.domain.code(kind, text))
            .collect()
    }

    fn assume(&mut self, kind: CodeKind, code: Option<Code>) -> Option<Code> {
        if let Some(code) = &code {
            let display = code.display.first().unwrap_or_default();
            let said = format!("{} {} ({display})", kind.name(), code.code);
            if !self.assumed.contains(&said) {
                self.assumed.push(said);
            }
        }
        code
    }
}

fn author(text: &AuthorText) -> Author {
    let text = text.clone();
    Author {
        person: text.person,
        institutions: text.institutions,
        roles: text.roles,
        specialties: text.specialties,
        telecommunications: text.telecommunications,
        ..Author::default()
    }
}

fn slot((name, values): (&String, &Vec<String>)) -> Slot {
    Slot {
        name: name.clone(),
        slot_type: None,
        values: values.clone(),
    }
}

/// The name of the file, without its extension.
fn title(content: &Content) -> Option<String> {
    let stem = content.path.file_stem()?.to_string_lossy();
    Some(stem.chars().take(TITLE).collect())
}
