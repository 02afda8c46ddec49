//! ITI-43 Retrieve Document Set: get documents that a query has found.
//!
//! Asked by Document Consumers and by gateways; answered by the Document Repository. The content
//! of each document travels in an attachment to which the answer refers, or in the answer itself.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-43.html>

use crate::ebrs::RegistryResponse;
use crate::metadata::{HomeCommunityId, RepositoryUniqueId, UniqueId};
use crate::mtom::Content;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-43 Retrieve Document Set.
#[derive(Debug, Clone, Copy)]
pub struct RetrieveDocumentSet;

impl Transaction for RetrieveDocumentSet {
    const ACTION: &'static str = "urn:ihe:iti:2007:RetrieveDocumentSet";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2007:RetrieveDocumentSetResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = RetrieveDocumentSetRequest;
    type Response = RetrieveDocumentSetResponse;
}

/// An `xds:RetrieveDocumentSetRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetrieveDocumentSetRequest {
    /// Which documents, at least one.
    pub documents: Vec<DocumentRequest>,
}

/// An `xds:DocumentRequest`: which document, and where it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DocumentRequest {
    /// `HomeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `RepositoryUniqueId`.
    pub repository_unique_id: RepositoryUniqueId,
    /// `DocumentUniqueId`.
    pub document_unique_id: UniqueId,
}

/// An `xds:RetrieveDocumentSetResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieveDocumentSetResponse {
    /// How it ended, and why what is missing is missing.
    pub registry_response: RegistryResponse,
    /// The documents.
    pub documents: Vec<DocumentResponse>,
}

/// An `xds:DocumentResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentResponse {
    /// `HomeCommunityId`.
    pub home_community_id: Option<HomeCommunityId>,
    /// `RepositoryUniqueId`, as it was asked for.
    pub repository_unique_id: RepositoryUniqueId,
    /// `DocumentUniqueId`, as it was asked for.
    pub document_unique_id: UniqueId,
    /// `NewRepositoryUniqueId`: where an on-demand document is kept from now on.
    pub new_repository_unique_id: Option<RepositoryUniqueId>,
    /// `NewDocumentUniqueId`: how an on-demand document is called from now on.
    pub new_document_unique_id: Option<UniqueId>,
    /// `mimeType`.
    pub mime_type: String,
    /// What it contains, or where that is.
    pub content: Content,
}

impl RetrieveDocumentSetResponse {
    /// The document whose content is in the attachment of this name. Whoever takes the attachments
    /// as they come learns so what each of them is.
    pub fn document_in(&self, content_id: &str) -> Option<&DocumentResponse> {
        self.documents
            .iter()
            .find(|document| matches!(&document.content, Content::Include(id) if id == content_id))
    }
}

impl FromXml for RetrieveDocumentSetRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XDS, "RetrieveDocumentSetRequest") {
            return Err(reader.unexpected(element, "xds:RetrieveDocumentSetRequest"));
        }
        let documents = document_requests(reader)?;
        if documents.is_empty() {
            return Err(reader.error("xds:RetrieveDocumentSetRequest asks for no document"));
        }
        Ok(Self { documents })
    }
}

/// The documents that the element which was entered names; ITI-86 names them likewise.
pub(crate) fn document_requests(reader: &mut Reader<'_>) -> Result<Vec<DocumentRequest>, XmlError> {
    let mut documents = Vec::new();
    while let Some(child) = reader.child()? {
        if !child.is(ns::XDS, "DocumentRequest") {
            return Err(reader.unexpected(&child, "xds:DocumentRequest"));
        }
        documents.push(DocumentRequest::from_xml(reader, &child)?);
    }
    Ok(documents)
}

impl ToXml for RetrieveDocumentSetRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("xds:RetrieveDocumentSetRequest")
            .attribute("xmlns:xds", ns::XDS);
        for document in &self.documents {
            document.to_xml(writer);
        }
        writer.close("xds:RetrieveDocumentSetRequest");
    }
}

impl FromXml for DocumentRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if element.name() != "DocumentRequest" {
            return Err(reader.unexpected(element, "DocumentRequest"));
        }
        let mut ids = Ids::default();
        while let Some(child) = reader.child()? {
            if !ids.take(reader, &child)? {
                return Err(reader.unexpected(&child, "a part of xds:DocumentRequest"));
            }
        }
        Ok(Self {
            home_community_id: ids.home,
            repository_unique_id: given(reader, ids.repository, "RepositoryUniqueId")?,
            document_unique_id: given(reader, ids.document, "DocumentUniqueId")?,
        })
    }
}

impl ToXml for DocumentRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("xds:DocumentRequest");
        write_ids(
            writer,
            self.home_community_id.as_ref(),
            &self.repository_unique_id,
            &self.document_unique_id,
        );
        writer.close("xds:DocumentRequest");
    }
}

impl FromXml for RetrieveDocumentSetResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XDS, "RetrieveDocumentSetResponse") {
            return Err(reader.unexpected(element, "xds:RetrieveDocumentSetResponse"));
        }
        let mut registry_response = None;
        let mut documents = Vec::new();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RegistryResponse") if registry_response.is_none() => {
                    registry_response = Some(RegistryResponse::from_xml(reader, &child)?);
                }
                (ns::XDS, "DocumentResponse") => {
                    documents.push(DocumentResponse::from_xml(reader, &child)?);
                }
                _ => {
                    let expected = "one rs:RegistryResponse and xds:DocumentResponse";
                    return Err(reader.unexpected(&child, expected));
                }
            }
        }
        let registry_response = registry_response.ok_or_else(|| {
            reader.error("xds:RetrieveDocumentSetResponse has no rs:RegistryResponse")
        })?;
        Ok(Self {
            registry_response,
            documents,
        })
    }
}

impl ToXml for RetrieveDocumentSetResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("xds:RetrieveDocumentSetResponse")
            .attribute("xmlns:xds", ns::XDS);
        self.registry_response.to_xml(writer);
        for document in &self.documents {
            document.to_xml(writer);
        }
        writer.close("xds:RetrieveDocumentSetResponse");
    }
}

impl FromXml for DocumentResponse {
    fn from_xml(reader: &mut Reader<'_>, _element: &Element<'_>) -> Result<Self, XmlError> {
        let mut ids = Ids::default();
        let mut new_repository = None;
        let mut new_document = None;
        let mut mime_type = None;
        let mut content = None;
        while let Some(child) = reader.child()? {
            if ids.take(reader, &child)? {
                continue;
            }
            match (child.namespace.as_ref(), child.name()) {
                (ns::XDS, "NewRepositoryUniqueId") => new_repository = said(reader.token()?),
                (ns::XDS, "NewDocumentUniqueId") => new_document = said(reader.token()?),
                (ns::XDS, "mimeType") => mime_type = Some(reader.token()?),
                (ns::XDS, "Document") if content.is_none() => {
                    content = Some(Content::read(reader)?);
                }
                _ => return Err(reader.unexpected(&child, "a part of xds:DocumentResponse")),
            }
        }
        Ok(Self {
            home_community_id: ids.home,
            repository_unique_id: given(reader, ids.repository, "RepositoryUniqueId")?,
            document_unique_id: given(reader, ids.document, "DocumentUniqueId")?,
            new_repository_unique_id: new_repository.map(RepositoryUniqueId),
            new_document_unique_id: new_document.map(UniqueId),
            mime_type: given(reader, mime_type, "mimeType")?,
            content: given(reader, content, "Document")?,
        })
    }
}

impl ToXml for DocumentResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer.open("xds:DocumentResponse");
        write_ids(
            writer,
            self.home_community_id.as_ref(),
            &self.repository_unique_id,
            &self.document_unique_id,
        );
        if let Some(id) = &self.new_repository_unique_id {
            writer.element("xds:NewRepositoryUniqueId", id.as_str());
        }
        if let Some(id) = &self.new_document_unique_id {
            writer.element("xds:NewDocumentUniqueId", id.as_str());
        }
        writer.element("xds:mimeType", &self.mime_type);
        writer.open("xds:Document");
        self.content.write(writer);
        writer.close("xds:Document").close("xds:DocumentResponse");
    }
}

/// What names a document, in requests and in answers.
#[derive(Default)]
struct Ids {
    home: Option<HomeCommunityId>,
    repository: Option<RepositoryUniqueId>,
    document: Option<UniqueId>,
}

impl Ids {
    /// Takes `child` if it is one of them.
    fn take(&mut self, reader: &mut Reader<'_>, child: &Element<'_>) -> Result<bool, XmlError> {
        match (child.namespace.as_ref(), child.name()) {
            (ns::XDS, "HomeCommunityId") => {
                self.home = said(reader.token()?).map(HomeCommunityId);
            }
            (ns::XDS, "RepositoryUniqueId") => self.repository = Some(reader.token()?.into()),
            (ns::XDS, "DocumentUniqueId") => self.document = Some(reader.token()?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Some stacks write optional elements without content.
fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn given<T>(reader: &Reader<'_>, part: Option<T>, name: &str) -> Result<T, XmlError> {
    part.ok_or_else(|| reader.error(format!("a document without its xds:{name}")))
}

fn write_ids(
    writer: &mut Writer,
    home: Option<&HomeCommunityId>,
    repository: &RepositoryUniqueId,
    document: &UniqueId,
) {
    if let Some(home) = home {
        writer.element("xds:HomeCommunityId", home.as_str());
    }
    writer.element("xds:RepositoryUniqueId", repository.as_str());
    writer.element("xds:DocumentUniqueId", document.as_str());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::error_code::ErrorCode;
    use crate::codes::status::ResponseStatus;
    use crate::ebrs::RegistryError;

    fn parsed<T: FromXml>(xml: &str) -> Result<T, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        let message = T::from_xml(&mut reader, &root)?;
        reader.end()?;
        Ok(message)
    }

    fn written(message: &dyn ToXml) -> String {
        let mut writer = Writer::default();
        message.to_xml(&mut writer);
        writer.finish()
    }

    fn document(unique_id: &str, content: Content) -> DocumentResponse {
        DocumentResponse {
            home_community_id: None,
            repository_unique_id: "1.2.3".into(),
            document_unique_id: unique_id.into(),
            new_repository_unique_id: None,
            new_document_unique_id: None,
            mime_type: "text/plain; charset=\"UTF-8\"".to_owned(),
            content,
        }
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let home = Some(HomeCommunityId::from("urn:oid:1.2"));
        let documents = [home, None].map(|home_community_id| DocumentRequest {
            home_community_id,
            repository_unique_id: "1.2.3".into(),
            document_unique_id: "1.2.4^a&b".into(),
        });
        let request = RetrieveDocumentSetRequest {
            documents: documents.to_vec(),
        };
        assert_eq!(parsed(&written(&request)), Ok(request));
    }

    #[test]
    fn a_response_is_read_as_it_was_written() {
        let mut on_demand = document("1", Content::Include("1@hilum".to_owned()));
        on_demand.home_community_id = Some("urn:oid:1.2".into());
        on_demand.new_repository_unique_id = Some("1.2.9".into());
        on_demand.new_document_unique_id = Some("1.2.8".into());
        let error = RegistryError::error(ErrorCode::DocumentUniqueIdError, "unknown").at("3");
        let response = RetrieveDocumentSetResponse {
            registry_response: RegistryResponse {
                status: ResponseStatus::PartialSuccess,
                errors: vec![error],
            },
            documents: vec![on_demand, document("2", Content::Inline(b"\0<&".to_vec()))],
        };
        let found = response.document_in("1@hilum").unwrap();
        assert_eq!(found.document_unique_id.as_str(), "1");
        assert!(response.document_in("2@hilum").is_none());
        assert_eq!(parsed(&written(&response)), Ok(response));
    }

    #[test]
    fn requests_as_others_write_them() {
        let xml = "<RetrieveDocumentSetRequest xmlns='urn:ihe:iti:xds-b:2007'>\n <DocumentRequest>\n\
             <HomeCommunityId/><RepositoryUniqueId>\n 1.2 </RepositoryUniqueId>\
             <DocumentUniqueId>3</DocumentUniqueId></DocumentRequest></RetrieveDocumentSetRequest>";
        let request: RetrieveDocumentSetRequest = parsed(xml).unwrap();
        let expected = DocumentRequest {
            home_community_id: None,
            repository_unique_id: "1.2".into(),
            document_unique_id: "3".into(),
        };
        assert_eq!(request.documents, [expected]);
    }

    #[test]
    fn garbled_requests_are_refused() {
        let request = |content: &str| {
            let xml = format!(
                "<RetrieveDocumentSetRequest xmlns='urn:ihe:iti:xds-b:2007'>{content}\
                 </RetrieveDocumentSetRequest>"
            );
            let refused = parsed::<RetrieveDocumentSetRequest>(&xml).unwrap_err();
            refused.reason
        };
        assert!(request("").contains("no document"));
        assert!(request("<DocumentRequest/>").contains("without its xds:RepositoryUniqueId"));
        assert!(request("<Other/>").contains("expected xds:DocumentRequest"));
        let no_response = "<RetrieveDocumentSetResponse xmlns='urn:ihe:iti:xds-b:2007'/>";
        let refused = parsed::<RetrieveDocumentSetResponse>(no_response).unwrap_err();
        assert!(refused.reason.contains("no rs:RegistryResponse"));
    }
}
