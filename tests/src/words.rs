//! Messages as text, written by hand from the framework (ITI TF-3 4.2, TF-2 3.18 to 3.43).

use std::fmt::Write as _;

use sha1::{Digest, Sha1};
use uuid::Uuid;

mod submission;

pub use submission::{Document, Submission};

/// The authority of patient IDs in every town.
pub const PATIENT_AUTHORITY: &str = "2.999.1";
/// `homeCommunityId` of every town, without `urn:oid:`.
pub const HOME: &str = "2.999.2";
/// `repositoryUniqueId` of every town.
pub const REPOSITORY: &str = "2.999.3";

/// `objectType` of documents whose content is fixed.
pub const STABLE: &str = "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1";
/// `objectType` of documents that are made when they are retrieved.
pub const ON_DEMAND: &str = "urn:uuid:34268e47-fdf5-41a6-ba33-82133c465248";

const ATTRIBUTES: &str = "urn:oasis:names:tc:ebxml-regrep";
const LOINC: &str = "2.16.840.1.113883.6.1";
const SNOMED: &str = "2.16.840.1.113883.6.96";

/// A new OID, such as identifies a document.
pub fn new_oid() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

/// A new `urn:uuid:`.
pub fn new_uuid() -> String {
    Uuid::new_v4().urn().to_string()
}

/// SHA-1 in hexadecimal.
pub fn sha1_of(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Text as XML has it.
pub fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;")
}

/// A patient of the town as `ID^^^&OID&ISO`.
pub fn patient(id: &str) -> String {
    format!("{id}^^^&{PATIENT_AUTHORITY}&ISO")
}

/// What the attachment of the document at this place is called.
pub fn content_id(at: usize) -> String {
    format!("document{at}@tests.hilum")
}

fn slot(name: &str, values: &[&str]) -> String {
    let values = values
        .iter()
        .map(|value| format!("<rim:Value>{}</rim:Value>", escaped(value)));
    format!(
        r#"<rim:Slot name="{name}"><rim:ValueList>{}</rim:ValueList></rim:Slot>"#,
        values.collect::<String>()
    )
}

fn name(text: &str) -> String {
    let text = escaped(text);
    format!(r#"<rim:Name><rim:LocalizedString value="{text}"/></rim:Name>"#)
}

fn classification(object: &str, scheme: &str, code: &str, coding: &str, display: &str) -> String {
    format!(
        r#"<rim:Classification id="{scheme}-{object}" classificationScheme="urn:uuid:{scheme}" classifiedObject="{object}" nodeRepresentation="{code}">{}{}</rim:Classification>"#,
        slot("codingScheme", &[coding]),
        name(display)
    )
}

fn identifier(object: &str, scheme: &str, kind: &str, value: &str) -> String {
    format!(
        r#"<rim:ExternalIdentifier id="{scheme}-{object}" identificationScheme="urn:uuid:{scheme}" registryObject="{object}" value="{}">{}</rim:ExternalIdentifier>"#,
        escaped(value),
        name(kind)
    )
}

/// Which stored query: the part of its id behind `urn:uuid:`.
pub mod queries {
    /// FindDocuments.
    pub const FIND_DOCUMENTS: &str = "14d4debf-8f97-4251-9a74-a90016b0af0d";
    /// FindSubmissionSets.
    pub const FIND_SUBMISSION_SETS: &str = "f26abbcb-ac74-4422-8a30-edb644bbc1a9";
    /// GetDocuments.
    pub const GET_DOCUMENTS: &str = "5c4f972b-d56b-40ac-a5fc-c8ca9b40b9d4";
    /// GetAll.
    pub const GET_ALL: &str = "10b545ea-725c-446d-9b95-8aeb444eddf3";
}

/// `query:AdhocQueryRequest` with these slots.
pub fn query(id: &str, return_type: &str, slots: &[(&str, &str)]) -> String {
    let slots = slots.iter().map(|(name, value)| slot(name, &[value]));
    format!(
        r#"<query:AdhocQueryRequest xmlns:query="{ATTRIBUTES}:xsd:query:3.0" xmlns:rim="{ATTRIBUTES}:xsd:rim:3.0"><query:ResponseOption returnComposedObjects="true" returnType="{return_type}"/><rim:AdhocQuery id="urn:uuid:{id}">{}</rim:AdhocQuery></query:AdhocQueryRequest>"#,
        slots.collect::<String>()
    )
}

/// FindDocuments for one patient: what is approved.
pub fn find_documents(patient_id: &str, return_type: &str) -> String {
    let patient = format!("'{}'", patient(patient_id));
    let approved = format!("('{ATTRIBUTES}:StatusType:Approved')");
    query(
        queries::FIND_DOCUMENTS,
        return_type,
        &[
            ("$XDSDocumentEntryPatientId", &patient),
            ("$XDSDocumentEntryStatus", &approved),
        ],
    )
}

/// FindDocuments for one patient: what is approved and of this `objectType`.
pub fn find_documents_of(patient_id: &str, object_type: &str) -> String {
    let patient = format!("'{}'", patient(patient_id));
    let approved = format!("('{ATTRIBUTES}:StatusType:Approved')");
    let object_type = format!("('{object_type}')");
    query(
        queries::FIND_DOCUMENTS,
        "LeafClass",
        &[
            ("$XDSDocumentEntryPatientId", &patient),
            ("$XDSDocumentEntryStatus", &approved),
            ("$XDSDocumentEntryType", &object_type),
        ],
    )
}

/// GetDocuments by uniqueId.
pub fn get_documents(unique_ids: &[&str]) -> String {
    let ids: Vec<String> = unique_ids.iter().map(|id| format!("'{id}'")).collect();
    let ids = format!("({})", ids.join(","));
    query(
        queries::GET_DOCUMENTS,
        "LeafClass",
        &[("$XDSDocumentEntryUniqueId", &ids)],
    )
}

/// `xds:RetrieveDocumentSetRequest`.
pub fn retrieve(repository: &str, unique_ids: &[&str]) -> String {
    let requests = unique_ids.iter().map(|id| document_request(repository, id));
    format!(
        r#"<xds:RetrieveDocumentSetRequest xmlns:xds="urn:ihe:iti:xds-b:2007">{}</xds:RetrieveDocumentSetRequest>"#,
        requests.collect::<String>()
    )
}

/// `rmd:RemoveDocumentsRequest`.
pub fn remove(repository: &str, unique_ids: &[&str]) -> String {
    let requests = unique_ids.iter().map(|id| document_request(repository, id));
    format!(
        r#"<rmd:RemoveDocumentsRequest xmlns:rmd="urn:ihe:iti:rmd:2017" xmlns:xds="urn:ihe:iti:xds-b:2007">{}</rmd:RemoveDocumentsRequest>"#,
        requests.collect::<String>()
    )
}

/// The same submission of on-demand documents, which have no creationTime, hash and size
/// (ITI TF-2 3.61.4.1.2).
pub fn on_demand(message: &str) -> String {
    let mut message = message.replace(STABLE, ON_DEMAND);
    for slot in ["creationTime", "hash", "size"] {
        while let Some(start) = message.find(&format!("<rim:Slot name=\"{slot}\"")) {
            let end = "</rim:Slot>";
            let length = message[start..].find(end).expect("every slot ends") + end.len();
            message.replace_range(start..start + length, "");
        }
    }
    message
}

fn document_request(repository: &str, unique_id: &str) -> String {
    format!(
        "<xds:DocumentRequest><xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId><xds:DocumentUniqueId>{unique_id}</xds:DocumentUniqueId></xds:DocumentRequest>"
    )
}

/// An instance in its study: Study, Series and SOP Instance UID.
pub type Instance = (String, String, String);

/// `iherad:RetrieveImagingDocumentSetRequest` for instances, in Explicit VR Little Endian or as
/// `transfer_syntaxes` says.
pub fn retrieve_images(
    repository: &str,
    instances: &[Instance],
    transfer_syntaxes: &[&str],
) -> String {
    let requests = instances.iter().map(|(study, series, instance)| {
        format!(
            r#"<rad:StudyRequest studyInstanceUID="{study}"><rad:SeriesRequest seriesInstanceUID="{series}">{}</rad:SeriesRequest></rad:StudyRequest>"#,
            document_request(repository, instance)
        )
    });
    let syntaxes = transfer_syntaxes
        .iter()
        .map(|uid| format!("<rad:TransferSyntaxUID>{uid}</rad:TransferSyntaxUID>"));
    format!(
        r#"<rad:RetrieveImagingDocumentSetRequest xmlns:rad="urn:ihe:rad:xdsi-b:2009" xmlns:xds="urn:ihe:iti:xds-b:2007">{}<rad:TransferSyntaxUIDList>{}</rad:TransferSyntaxUIDList></rad:RetrieveImagingDocumentSetRequest>"#,
        requests.collect::<String>(),
        syntaxes.collect::<String>()
    )
}

/// A SOAP 1.2 envelope.
pub fn envelope(action: &str, body: &str) -> String {
    envelope_with(action, "", body)
}

/// The same with more header blocks.
pub fn envelope_with(action: &str, header: &str, body: &str) -> String {
    let id = new_uuid();
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"><s:Header><a:Action s:mustUnderstand="1">{action}</a:Action><a:MessageID>{id}</a:MessageID><a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"#
    )
}

const WSNT: &str = "http://docs.oasis-open.org/wsn/b-2";

/// `wsnt:Subscribe` for a topic and a filter, by the part of its id behind `urn:uuid:`.
pub fn subscribe(consumer: &str, topic: &str, filter: &str, slots: &[(&str, &str)]) -> String {
    let slots = slots.iter().map(|(name, value)| slot(name, &[value]));
    format!(
        r#"<wsnt:Subscribe xmlns:wsnt="{WSNT}" xmlns:a="http://www.w3.org/2005/08/addressing" xmlns:rim="{ATTRIBUTES}:xsd:rim:3.0"><wsnt:ConsumerReference><a:Address>{}</a:Address></wsnt:ConsumerReference><wsnt:Filter><wsnt:TopicExpression Dialect="http://docs.oasis-open.org/wsn/t-1/TopicExpression/Simple">{topic}</wsnt:TopicExpression><rim:AdhocQuery id="urn:uuid:{filter}">{}</rim:AdhocQuery></wsnt:Filter></wsnt:Subscribe>"#,
        escaped(consumer),
        slots.collect::<String>()
    )
}

/// The filter of the documents of a patient.
pub const DOCUMENTS_OF_PATIENT: &str = "aa2332d0-f8fe-11e0-be50-0800200c9a66";

/// `wsnt:Subscribe` for references to all new documents of a patient.
pub fn subscribe_to_patient(consumer: &str, patient_id: &str) -> String {
    let patient = format!("'{}'", patient(patient_id));
    let slots = [("$XDSDocumentEntryPatientId", &*patient)];
    let topic = "ihe:MinimalDocumentEntry";
    subscribe(consumer, topic, DOCUMENTS_OF_PATIENT, &slots)
}

/// An element of WS-BaseNotification without content.
pub fn wsnt(element: &str) -> String {
    format!(r#"<wsnt:{element} xmlns:wsnt="{WSNT}"/>"#)
}

/// `wsnt:Notify` of a publisher.
pub fn publish(source_id: &str, submit_objects_request: &str) -> String {
    format!(
        r#"<wsnt:Notify xmlns:wsnt="{WSNT}" xmlns:a="http://www.w3.org/2005/08/addressing"><wsnt:NotificationMessage><wsnt:ProducerReference><a:Address>urn:oid:{source_id}</a:Address></wsnt:ProducerReference><wsnt:Message>{submit_objects_request}</wsnt:Message></wsnt:NotificationMessage></wsnt:Notify>"#
    )
}
