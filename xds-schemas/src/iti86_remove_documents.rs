//! ITI-86 Remove Documents: documents are to be gone for good.
//!
//! Asked by Document Administrators; answered by the Document Repository. What the registry knows
//! of the documents is removed by ITI-62 Remove Metadata, which comes first.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-86.html>

use crate::ebrs::RegistryResponse;
use crate::iti43_retrieve_document_set::{DocumentRequest, document_requests};
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-86 Remove Documents.
#[derive(Debug, Clone, Copy)]
pub struct RemoveDocuments;

impl Transaction for RemoveDocuments {
    const ACTION: &'static str = "urn:ihe:iti:2017:RemoveDocuments";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2017:RemoveDocumentsResponse";
    const MTOM: bool = false;
    /// Both messages have it (RMD supplement, ITI TF-2 3.86.5).
    const RESPONSE_NAMES_ACTION: bool = true;
    type Request = RemoveDocumentsRequest;
    type Response = RegistryResponse;
}

/// An `rmd:RemoveDocumentsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoveDocumentsRequest {
    /// Which documents, at least one. The published schema has room for one only; the supplement
    /// speaks of several, some of which may be removed while others are not.
    pub documents: Vec<DocumentRequest>,
}

impl FromXml for RemoveDocumentsRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::RMD, "RemoveDocumentsRequest") {
            return Err(reader.unexpected(element, "rmd:RemoveDocumentsRequest"));
        }
        let documents = document_requests(reader)?;
        if documents.is_empty() {
            return Err(reader.error("rmd:RemoveDocumentsRequest names no document"));
        }
        Ok(Self { documents })
    }
}

impl ToXml for RemoveDocumentsRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("rmd:RemoveDocumentsRequest")
            .attribute("xmlns:rmd", ns::RMD)
            .attribute("xmlns:xds", ns::XDS);
        for document in &self.documents {
            document.to_xml(writer);
        }
        writer.close("rmd:RemoveDocumentsRequest");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(xml: &str) -> Result<RemoveDocumentsRequest, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        let request = RemoveDocumentsRequest::from_xml(&mut reader, &root)?;
        reader.end()?;
        Ok(request)
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let document = |id: &str| DocumentRequest {
            home_community_id: Some("urn:oid:1.2".into()),
            repository_unique_id: "1.2.3".into(),
            document_unique_id: id.into(),
        };
        let request = RemoveDocumentsRequest {
            documents: vec![document("1"), document("2")],
        };
        let mut writer = Writer::default();
        request.to_xml(&mut writer);
        assert_eq!(parsed(&writer.finish()), Ok(request));
    }

    #[test]
    fn garbled_requests_are_refused() {
        let refused = |xml: &str| parsed(xml).unwrap_err().reason;
        let empty = "<RemoveDocumentsRequest xmlns='urn:ihe:iti:rmd:2017'/>";
        assert!(refused(empty).contains("names no document"));
        // The documents are those of ITI-43, in the namespace of that.
        let foreign = "<RemoveDocumentsRequest xmlns='urn:ihe:iti:rmd:2017'><DocumentRequest/>\
             </RemoveDocumentsRequest>";
        assert!(refused(foreign).contains("expected xds:DocumentRequest"));
        let other = "<RemoveDocumentsRequest xmlns='urn:ihe:iti:xds-b:2007'/>";
        assert!(refused(other).contains("expected rmd:RemoveDocumentsRequest"));
    }
}
