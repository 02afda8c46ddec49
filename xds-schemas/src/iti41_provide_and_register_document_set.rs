//! ITI-41 Provide and Register Document Set-b: hand in documents with their metadata.
//!
//! Asked by Document Sources (and by Imaging Document Sources as RAD-68); answered by the Document
//! Repository. Each document names the entry that describes it.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-41.html>

use crate::ebrs::{RegistryResponse, SubmitObjectsRequest};
use crate::mtom::Content;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-41 Provide and Register Document Set-b.
#[derive(Debug, Clone, Copy)]
pub struct ProvideAndRegisterDocumentSet;

impl Transaction for ProvideAndRegisterDocumentSet {
    const ACTION: &'static str = "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-b";
    const RESPONSE_ACTION: &'static str =
        "urn:ihe:iti:2007:ProvideAndRegisterDocumentSet-bResponse";
    const MTOM: bool = true;
    const ASYNCHRONOUS: bool = true;
    type Request = ProvideAndRegisterDocumentSetRequest;
    type Response = RegistryResponse;
}

/// An `xds:ProvideAndRegisterDocumentSetRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProvideAndRegisterDocumentSetRequest {
    /// The metadata.
    pub submit: SubmitObjectsRequest,
    /// The documents.
    pub documents: Vec<Document>,
}

/// An `xds:Document`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `@id`: the id of the entry that describes it.
    pub id: String,
    /// What it contains, or where that is.
    pub content: Content,
}

impl FromXml for ProvideAndRegisterDocumentSetRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::XDS, "ProvideAndRegisterDocumentSetRequest") {
            return Err(reader.unexpected(element, "xds:ProvideAndRegisterDocumentSetRequest"));
        }
        let mut submit = None;
        let mut documents = Vec::new();
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::LCM, "SubmitObjectsRequest") if submit.is_none() => {
                    submit = Some(SubmitObjectsRequest::from_xml(reader, &child)?);
                }
                (ns::XDS, "Document") => documents.push(Document {
                    id: reader.required(&child, "id")?,
                    content: Content::read(reader)?,
                }),
                _ => {
                    let expected = "one lcm:SubmitObjectsRequest and xds:Document";
                    return Err(reader.unexpected(&child, expected));
                }
            }
        }
        let submit = submit.ok_or_else(|| {
            reader.error("xds:ProvideAndRegisterDocumentSetRequest has no lcm:SubmitObjectsRequest")
        })?;
        Ok(Self { submit, documents })
    }
}

impl ToXml for ProvideAndRegisterDocumentSetRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("xds:ProvideAndRegisterDocumentSetRequest")
            .attribute("xmlns:xds", ns::XDS);
        self.submit.to_xml(writer);
        for document in &self.documents {
            writer.open("xds:Document").attribute("id", &document.id);
            document.content.write(writer);
            writer.close("xds:Document");
        }
        writer.close("xds:ProvideAndRegisterDocumentSetRequest");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ebrim::{Body, RegistryObject};

    fn parsed(xml: &str) -> Result<ProvideAndRegisterDocumentSetRequest, XmlError> {
        let mut reader = Reader::new(xml.as_bytes())?;
        let root = reader.root()?;
        let request = FromXml::from_xml(&mut reader, &root)?;
        reader.end()?;
        Ok(request)
    }

    fn written(request: &ProvideAndRegisterDocumentSetRequest) -> String {
        let mut writer = Writer::default();
        request.to_xml(&mut writer);
        writer.finish()
    }

    fn message(documents: &str) -> String {
        format!(
            "<p:ProvideAndRegisterDocumentSetRequest xmlns:p='urn:ihe:iti:xds-b:2007'>\
             <SubmitObjectsRequest xmlns='urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0'>\
             <RegistryObjectList xmlns='urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0'/>\
             </SubmitObjectsRequest>{documents}</p:ProvideAndRegisterDocumentSetRequest>"
        )
    }

    #[test]
    fn a_request_is_read_as_it_was_written() {
        let mut request = ProvideAndRegisterDocumentSetRequest::default();
        let object = RegistryObject::new("set", Body::RegistryPackage);
        request.submit.objects.objects.push(object);
        for (id, content) in [
            ("doc 1", Content::Include("a part@<here>&%".to_owned())),
            ("doc2", Content::Inline(vec![0, 255, 13, 10])),
            ("doc3", Content::Inline(Vec::new())),
        ] {
            let id = id.to_owned();
            request.documents.push(Document { id, content });
        }
        assert_eq!(parsed(&written(&request)), Ok(request));
    }

    #[test]
    fn references_and_base64_as_others_write_them() {
        let xml = message(
            "<p:Document id='a'>\n <x:Include xmlns:x='http://www.w3.org/2004/08/xop/include' \
             href='cid:doc%40x'></x:Include>\n</p:Document>\
             <p:Document id='b'>aGVs\r\n bG8=\n</p:Document><p:Document id='c'/>",
        );
        let contents: Vec<Content> = parsed(&xml)
            .unwrap()
            .documents
            .into_iter()
            .map(|document| document.content)
            .collect();
        let expected = [
            Content::Include("doc@x".to_owned()),
            Content::Inline(b"hello".to_vec()),
            Content::Inline(Vec::new()),
        ];
        assert_eq!(contents, expected);
    }

    #[test]
    fn garbled_documents_are_refused() {
        for (documents, reason) in [
            ("<p:Document>aGVsbG8=</p:Document>", "no attribute id"),
            ("<p:Document id='a'>aGVsbG8</p:Document>", "not base64"),
            ("<p:Document id='a'>a<b/></p:Document>", "only text"),
            ("<p:Document id='a'><b/></p:Document>", "expected base64"),
            ("<p:Thing/>", "expected one lcm:SubmitObjectsRequest"),
        ] {
            let error = parsed(&message(documents)).unwrap_err();
            assert!(error.reason.contains(reason), "{error}");
        }
        let none = "<a:ProvideAndRegisterDocumentSetRequest xmlns:a='urn:ihe:iti:xds-b:2007'/>";
        assert!(parsed(none).unwrap_err().reason.contains("has no lcm:"));
    }
}
