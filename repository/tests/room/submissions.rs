//! Submissions as sources make them.

use hilum_transport::{Part, PartSource};
use sha1::{Digest, Sha1};
use uuid::Uuid;
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti41_provide_and_register_document_set::{
    Document, ProvideAndRegisterDocumentSetRequest,
};
use xds_schemas::metadata::{Code, DocumentEntry, PatientId, Submission, SubmissionSet, Timestamp};
use xds_schemas::mtom::Content;

/// The patient of all submissions that say nothing else.
pub(crate) const PATIENT: &str = "P-1^^^&1.2.3&ISO";

/// A submission that can still be changed, and the contents of its documents.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) metadata: Submission,
    pub(crate) contents: Vec<Vec<u8>>,
}

/// A uniqueId that nobody else has.
pub(crate) fn new_id() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

pub(crate) fn sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn code(code: &str) -> Option<Code> {
    Some(Code::new(code, "1.2.3.4", code))
}

impl Draft {
    pub(crate) fn of<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let patient = Some(PatientId::parse(PATIENT).unwrap());
        let now = Some(Timestamp::parse("20260101120000").unwrap());
        let mut set = SubmissionSet::new("set", new_id(), "1.2.3.5");
        set.content_type_code = code("content");
        set.patient_id.clone_from(&patient);
        set.submission_time.clone_from(&now);
        let mut draft = Self {
            metadata: Submission::new(set),
            contents: Vec::new(),
        };
        for (at, content) in contents.into_iter().enumerate() {
            let mut entry = DocumentEntry::new(format!("document{at}"), new_id(), "text/plain");
            entry.class_code = code("class");
            entry.confidentiality_codes = code("N").into_iter().collect();
            entry.format_code = code("format");
            entry.healthcare_facility_type_code = code("facility");
            entry.practice_setting_code = code("practice");
            entry.type_code = code("type");
            entry.creation_time.clone_from(&now);
            entry.language_code = Some("de-CH".to_owned());
            entry.patient_id.clone_from(&patient);
            entry.source_patient_id.clone_from(&patient);
            draft.metadata.add_document(entry);
            draft.contents.push(content.to_vec());
        }
        draft
    }

    /// One document.
    pub(crate) fn text(content: &str) -> Self {
        Self::of([content.as_bytes()])
    }

    /// The uniqueId of a document.
    pub(crate) fn id(&self, at: usize) -> String {
        self.metadata.document_entries[at].unique_id.0.clone()
    }

    pub(crate) fn entry(&mut self, at: usize) -> &mut DocumentEntry {
        &mut self.metadata.document_entries[at]
    }

    /// The request, with each document in an attachment.
    pub(crate) fn request(&self) -> ProvideAndRegisterDocumentSetRequest {
        self.request_with(|at, _| Content::Include(content_id(at)))
    }

    /// The request, with each document in the envelope.
    pub(crate) fn inline_request(&self) -> ProvideAndRegisterDocumentSetRequest {
        self.request_with(|_, content| Content::Inline(content.to_vec()))
    }

    fn request_with(
        &self,
        content: impl Fn(usize, &[u8]) -> Content,
    ) -> ProvideAndRegisterDocumentSetRequest {
        let entries = self.metadata.document_entries.iter().zip(&self.contents);
        let documents = entries.enumerate().map(|(at, (entry, bytes))| Document {
            id: entry.entry_uuid.0.clone(),
            content: content(at, bytes),
        });
        ProvideAndRegisterDocumentSetRequest {
            submit: SubmitObjectsRequest {
                slots: Vec::new(),
                objects: self.metadata.to_ebrim(),
            },
            documents: documents.collect(),
        }
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let contents = self.contents.iter().enumerate();
        let part = |(at, content): (usize, &Vec<u8>)| Part {
            content_id: content_id(at),
            content_type: "text/plain".to_owned(),
            source: PartSource::Bytes(content.clone().into()),
        };
        contents.map(part).collect()
    }
}

pub(crate) fn content_id(at: usize) -> String {
    format!("content {at}@source")
}
