//! ITI-63 Cross Gateway Fetch: find a patient's documents in another community and get them, in one round.
//!
//! Asked by Initiating Gateways, answered by Responding Gateways. The question is one of ITI-18 with fewer
//! parameters; in the answer, each document entry has its document as its last child.
//! Supplement Cross-Community Fetch (XCF), 3.63

use crate::codes::error_code::ErrorCode;
use crate::codes::status::ResponseStatus;
use crate::ebrim::{RegistryObject, Slot};
use crate::ebrs::{
    AdhocQueryRequest, RegistryError, ReturnType, read_errors, read_status, write_query_response,
};
use crate::iti18_registry_stored_query::QueryKind;
use crate::mtom::Content;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-63.
#[derive(Debug, Clone, Copy)]
pub struct CrossGatewayFetch;

impl Transaction for CrossGatewayFetch {
    const ACTION: &'static str = "urn:ihe:iti:2011:CrossGatewayFetch";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2011:CrossGatewayFetchResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = AdhocQueryRequest;
    type Response = CrossGatewayFetchResponse;
}

/// The only query that is asked.
pub const FETCH: &str = "urn:uuid:f2072993-9478-41df-a603-8f016706efe8";
/// What it returns.
pub const WITH_DOCUMENTS: &str = "LeafClassWithRepositoryItem";

const CLASS_CODE: &str = "$XDSDocumentEntryClassCode";
const STATUS: &str = "$XDSDocumentEntryStatus";
const APPROVED: &str = "('urn:oasis:names:tc:ebxml-regrep:StatusType:Approved')";

/// Its parameters.
const PARAMETERS: [&str; 15] = [
    "$XDSDocumentEntryPatientId",
    CLASS_CODE,
    "$XDSDocumentEntryTypeCode",
    "$XDSDocumentEntryPracticeSettingCode",
    "$XDSDocumentEntryHealthcareFacilityTypeCode",
    "$XDSDocumentEntryEventCodeList",
    "$XDSDocumentEntryConfidentialityCode",
    "$XDSDocumentEntryAuthorPerson",
    "$XDSDocumentEntryFormatCode",
    "$XDSDocumentEntryCreationTimeFrom",
    "$XDSDocumentEntryCreationTimeTo",
    "$XDSDocumentEntryServiceStartTimeFrom",
    "$XDSDocumentEntryServiceStartTimeTo",
    "$XDSDocumentEntryServiceStopTimeFrom",
    "$XDSDocumentEntryServiceStopTimeTo",
];

/// The FindDocuments that finds what is to be fetched: approved, and with the parameters that a fetch has.
///
/// # Errors
/// `XDSUnknownStoredQuery`, `XDSStoredQueryMissingParam` if no class is named, and `XDSRegistryError` if
/// something else than documents is to be returned. What else is wrong is found when the question is read.
pub fn to_find(request: &AdhocQueryRequest) -> Result<AdhocQueryRequest, RegistryError> {
    if request.id != FETCH {
        let context = "this is not the query of ITI-63";
        let error = RegistryError::error(ErrorCode::UnknownStoredQuery, context);
        return Err(error.at(&request.id));
    }
    if request.return_type != ReturnType::Other(WITH_DOCUMENTS.to_owned()) {
        let context = format!("returnType must be {WITH_DOCUMENTS}");
        let error = RegistryError::error(ErrorCode::RegistryError, context);
        return Err(error.at("returnType"));
    }
    let is_class = |slot: &Slot| slot.name == CLASS_CODE && !slot.values.is_empty();
    if !request.slots.iter().any(is_class) {
        let context = format!("{CLASS_CODE} is needed");
        let error = RegistryError::error(ErrorCode::StoredQueryMissingParam, context);
        return Err(error.at(CLASS_CODE));
    }
    let known = |slot: &&Slot| PARAMETERS.contains(&slot.name.as_str());
    let mut slots: Vec<Slot> = request.slots.iter().filter(known).cloned().collect();
    slots.push(Slot::single(STATUS, APPROVED));
    Ok(AdhocQueryRequest {
        return_type: ReturnType::LeafClass,
        id: QueryKind::FindDocuments.id().to_owned(),
        home: None,
        slots,
    })
}

/// A `query:AdhocQueryResponse` with documents in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrossGatewayFetchResponse {
    /// `@status`.
    pub status: ResponseStatus,
    /// Errors and warnings.
    pub errors: Vec<RegistryError>,
    /// Document entries, and how they are related.
    pub objects: Vec<Fetched>,
}

/// An object of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// A document entry, or an association.
    pub object: RegistryObject,
    /// The document of an entry, or where it is.
    pub content: Option<Content>,
}

impl CrossGatewayFetchResponse {
    /// Nothing was fetched, for these reasons.
    pub const fn failure(errors: Vec<RegistryError>) -> Self {
        Self {
            status: ResponseStatus::Failure,
            errors,
            objects: Vec::new(),
        }
    }
}

impl FromXml for CrossGatewayFetchResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::QUERY, "AdhocQueryResponse") {
            return Err(reader.unexpected(element, "query:AdhocQueryResponse"));
        }
        let mut response = Self {
            status: read_status(reader, element)?,
            errors: Vec::new(),
            objects: Vec::new(),
        };
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RegistryErrorList") => response.errors.extend(read_errors(reader)?),
                (ns::RIM, "RegistryObjectList") => {
                    while let Some(child) = reader.child()? {
                        let (object, content) = RegistryObject::read_with_document(reader, &child)?;
                        response.objects.push(Fetched { object, content });
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(response)
    }
}

impl ToXml for CrossGatewayFetchResponse {
    fn to_xml(&self, writer: &mut Writer) {
        write_query_response(self.status, &self.errors, writer, |writer| {
            for Fetched { object, content } in &self.objects {
                object.write_with_document(writer, content.as_ref());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::Body;
    use crate::ebrs::tests::read_again;
    use crate::iti18_registry_stored_query::StoredQuery;

    fn asked(slots: &[(&str, &str)]) -> AdhocQueryRequest {
        let slots = slots
            .iter()
            .map(|(name, value)| Slot::single(*name, *value));
        AdhocQueryRequest {
            return_type: ReturnType::Other(WITH_DOCUMENTS.to_owned()),
            id: FETCH.to_owned(),
            home: Some("urn:oid:1.2".to_owned()),
            slots: slots.collect(),
        }
    }

    #[test]
    fn an_answer_is_read_as_it_was_written() {
        let entry = |id: &str| {
            let body = Body::ExtrinsicObject {
                mime_type: Some("text/plain".to_owned()),
                is_opaque: None,
            };
            RegistryObject::new(id, body)
        };
        let with = |id: &str, content| Fetched {
            object: entry(id),
            content,
        };
        read_again(&CrossGatewayFetchResponse {
            status: ResponseStatus::PartialSuccess,
            errors: vec![RegistryError::error(ErrorCode::RepositoryError, "one of them").at("x")],
            objects: vec![
                with("1", Some(Content::Include("1@hilum".to_owned()))),
                with("2", Some(Content::Inline(b"\0<&".to_vec()))),
                with("3", None),
            ],
        });
    }

    #[test]
    fn a_fetch_is_a_find_with_fewer_parameters() {
        let patient = ("$XDSDocumentEntryPatientId", "'1^^^&1.2&ISO'");
        let class = (CLASS_CODE, "('a^^1.2.3')");
        let other = ("$XDSDocumentEntryStatus", "('x')");
        let find = to_find(&asked(&[patient, class, other])).unwrap();
        let StoredQuery::FindDocuments(read) = StoredQuery::read(&find).unwrap() else {
            panic!("it is a FindDocuments");
        };
        assert_eq!(read.patient.to_string(), "1^^^&1.2&ISO");
        assert_eq!(read.statuses.len(), 1);
        for (request, code) in [
            (asked(&[patient]), ErrorCode::StoredQueryMissingParam),
            (
                AdhocQueryRequest {
                    return_type: ReturnType::LeafClass,
                    ..asked(&[patient, class])
                },
                ErrorCode::RegistryError,
            ),
            (
                AdhocQueryRequest {
                    id: "urn:uuid:1".to_owned(),
                    ..asked(&[patient, class])
                },
                ErrorCode::UnknownStoredQuery,
            ),
        ] {
            assert_eq!(to_find(&request).unwrap_err().code, code);
        }
    }
}
