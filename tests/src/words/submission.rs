//! A submission: documents, the set they come in, and what ties them together.

use std::fmt::Write as _;

use uuid::Uuid;

use super::{
    ATTRIBUTES, LOINC, REPOSITORY, SNOMED, classification, content_id, escaped, identifier, name,
    new_oid, patient, sha1_of, slot,
};

const CONFIDENTIALITY: &str = "f4f85eac-e6cb-4883-b524-f2705394840f";

/// The codes of every document: classification scheme, code, coding scheme, display name.
const CODES: [[&str; 4]; 6] = [
    [
        "41a5887f-8865-4c09-adf7-e362475b143a",
        "REPORTS",
        "1.3.6.1.4.1.19376.1.2.6.1",
        "Reports",
    ],
    [CONFIDENTIALITY, "N", "2.16.840.1.113883.5.25", "normal"],
    [
        "a09d5840-386c-46f2-b5ad-9c3699a4309d",
        "urn:ihe:iti:xds:2017:mimeTypeSufficient",
        "1.3.6.1.4.1.19376.1.2.3",
        "mimeType sufficient",
    ],
    [
        "f33fb8ac-18af-42cc-ae0e-ed0b0bdb91e1",
        "22232009",
        SNOMED,
        "Hospital",
    ],
    [
        "cccf5598-8b07-4b77-a05e-ae952c785ead",
        "394914008",
        SNOMED,
        "Radiology",
    ],
    [
        "f0306f51-975f-434e-a61c-c59651d33983",
        "18748-4",
        LOINC,
        "Diagnostic imaging study",
    ],
];

/// A document that is to be submitted.
#[derive(Debug, Clone)]
pub struct Document {
    /// `entryUUID`, or a symbolic name.
    pub id: String,
    /// `uniqueId`.
    pub unique_id: String,
    /// `title`.
    pub title: String,
    /// `mimeType`.
    pub mime_type: String,
    /// Its bytes.
    pub content: Vec<u8>,
    /// `hash`; none if it shall be left out.
    pub hash: Option<String>,
    /// `size`; none if it shall be left out.
    pub size: Option<u64>,
    /// `confidentialityCode`.
    pub confidentiality: &'static str,
    /// Any other slots.
    pub slots: Vec<(String, Vec<String>)>,
}

impl Document {
    /// A text document with the hash and size that it has.
    pub fn text(content: &str) -> Self {
        Self::of("text/plain", content.as_bytes().to_vec())
    }

    /// A document of any kind.
    pub fn of(mime_type: &str, content: Vec<u8>) -> Self {
        Self {
            id: format!("Document-{}", Uuid::new_v4().simple()),
            unique_id: new_oid(),
            title: "A finding".to_owned(),
            mime_type: mime_type.to_owned(),
            hash: Some(sha1_of(&content)),
            size: Some(content.len() as u64),
            content,
            confidentiality: "N",
            slots: Vec::new(),
        }
    }
}

/// A submission: one set of documents of one patient.
#[derive(Debug, Clone)]
pub struct Submission {
    /// `patientId` of everything in it.
    pub patient_id: String,
    /// `uniqueId` of the submission set.
    pub unique_id: String,
    /// The documents.
    pub documents: Vec<Document>,
    /// Whether `repositoryUniqueId` is written, as ITI-42 demands.
    pub repository: bool,
    /// More objects, as XML.
    pub more: String,
}

impl Submission {
    /// A submission for `ID` in the town's domain.
    pub fn new(patient_id: &str, documents: Vec<Document>) -> Self {
        Self {
            patient_id: patient(patient_id),
            unique_id: new_oid(),
            documents,
            repository: false,
            more: String::new(),
        }
    }

    /// `lcm:SubmitObjectsRequest`, with the namespaces it needs.
    pub fn submit_objects_request(&self) -> String {
        let mut objects = String::new();
        for document in &self.documents {
            self.extrinsic_object(&mut objects, document);
        }
        self.submission_set(&mut objects);
        for (at, document) in self.documents.iter().enumerate() {
            let _ = write!(
                objects,
                r#"<rim:Association id="Member{at}" associationType="{ATTRIBUTES}:AssociationType:HasMember" sourceObject="SubmissionSet" targetObject="{}">{}</rim:Association>"#,
                escaped(&document.id),
                slot("SubmissionSetStatus", &["Original"]),
            );
        }
        format!(
            r#"<lcm:SubmitObjectsRequest xmlns:lcm="{ATTRIBUTES}:xsd:lcm:3.0" xmlns:rim="{ATTRIBUTES}:xsd:rim:3.0"><rim:RegistryObjectList>{objects}{}</rim:RegistryObjectList></lcm:SubmitObjectsRequest>"#,
            self.more
        )
    }

    /// `xds:ProvideAndRegisterDocumentSetRequest`, whose documents are attachments that are called
    /// as [`content_id`] says.
    pub fn provide_request(&self) -> String {
        let documents = self.documents.iter().enumerate().map(|(at, document)| {
            format!(
                r#"<xds:Document id="{}"><xop:Include xmlns:xop="http://www.w3.org/2004/08/xop/include" href="cid:{}"/></xds:Document>"#,
                escaped(&document.id),
                content_id(at)
            )
        });
        format!(
            r#"<xds:ProvideAndRegisterDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007">{}{}</xds:ProvideAndRegisterDocumentSetRequest>"#,
            self.submit_objects_request(),
            documents.collect::<String>()
        )
    }

    fn extrinsic_object(&self, out: &mut String, document: &Document) {
        let id = escaped(&document.id);
        let _ = write!(
            out,
            r#"<rim:ExtrinsicObject id="{id}" mimeType="{}" objectType="urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1">"#,
            document.mime_type
        );
        let mut slots = vec![
            ("creationTime".to_owned(), vec!["20240229101500".to_owned()]),
            ("languageCode".to_owned(), vec!["en-US".to_owned()]),
            (
                "sourcePatientId".to_owned(),
                vec!["DEPT-1^^^&2.999.9&ISO".to_owned()],
            ),
        ];
        let mut add = |name: &str, value: Option<String>| {
            slots.extend(value.map(|value| (name.to_owned(), vec![value])));
        };
        add("hash", document.hash.clone());
        add("size", document.size.map(|size| size.to_string()));
        add(
            "repositoryUniqueId",
            self.repository.then(|| REPOSITORY.to_owned()),
        );
        for (name, values) in slots.iter().chain(&document.slots) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            out.push_str(&slot(name, &values));
        }
        out.push_str(&name(&document.title));
        for [scheme, code, coding, display] in CODES {
            let code = match scheme {
                CONFIDENTIALITY => document.confidentiality,
                _ => code,
            };
            out.push_str(&classification(&id, scheme, code, coding, display));
        }
        let author = "93606bcf-9494-43ec-9b4e-a7748d1a838d";
        let _ = write!(
            out,
            r#"<rim:Classification id="author-{id}" classificationScheme="urn:uuid:{author}" classifiedObject="{id}" nodeRepresentation="">{}{}</rim:Classification>"#,
            slot("authorPerson", &["^Welby^Marcus^^^Dr^MD"]),
            slot("authorInstitution", &["General Hospital^^^^^^^^^2.999.8"]),
        );
        out.push_str(&identifier(
            &id,
            "58a6f841-87b3-4a3e-92fd-a8ffeff98427",
            "XDSDocumentEntry.patientId",
            &self.patient_id,
        ));
        out.push_str(&identifier(
            &id,
            "2e82c1f6-a085-4c72-9da3-8640a32e42ab",
            "XDSDocumentEntry.uniqueId",
            &document.unique_id,
        ));
        out.push_str("</rim:ExtrinsicObject>");
    }

    fn submission_set(&self, out: &mut String) {
        let id = "SubmissionSet";
        let node = "urn:uuid:a54d6aa5-d40d-43f9-88c5-b4633d873bdd";
        let _ = write!(
            out,
            r#"<rim:RegistryPackage id="{id}">{}{}"#,
            slot("submissionTime", &["20240229101600"]),
            name("Radiology findings"),
        );
        out.push_str(&classification(
            id,
            "aa543740-bdda-424e-8c96-df4873be8500",
            "18748-4",
            LOINC,
            "Diagnostic imaging study",
        ));
        let _ = write!(
            out,
            r#"<rim:Classification id="set-{id}" classifiedObject="{id}" classificationNode="{node}"/>"#
        );
        for (scheme, name, value) in [
            (
                "6b5aea1a-874d-4603-a4bc-96a0a7b38446",
                "XDSSubmissionSet.patientId",
                &*self.patient_id,
            ),
            (
                "554ac39e-e3fe-47fe-b233-965d2a147832",
                "XDSSubmissionSet.sourceId",
                "2.999.7",
            ),
            (
                "96fdda7c-d067-4183-912e-bf5ee74998a8",
                "XDSSubmissionSet.uniqueId",
                &*self.unique_id,
            ),
        ] {
            out.push_str(&identifier(id, scheme, name, value));
        }
        out.push_str("</rim:RegistryPackage>");
    }
}
