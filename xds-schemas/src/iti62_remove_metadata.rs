//! ITI-62 Remove Metadata: forget what is registered.
//!
//! Asked by Document Administrators; answered by the Document Registry. Objects of several patients
//! may be removed together; all of them are, or none.
//! Specified in the supplement Remove Metadata and Documents (ITI TF-2 3.62).

use crate::codes::error_code::ErrorCode;
use crate::ebrs::{RegistryError, RegistryResponse};
use crate::metadata::EntryUuid;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// ITI-62.
#[derive(Debug, Clone, Copy)]
pub struct RemoveMetadata;

impl Transaction for RemoveMetadata {
    // The transaction was called Delete Document Set before.
    const ACTION: &'static str = "urn:ihe:iti:2010:DeleteDocumentSet";
    const RESPONSE_ACTION: &'static str = "urn:ihe:iti:2010:DeleteDocumentSetResponse";
    const MTOM: bool = false;
    type Request = RemoveObjectsRequest;
    type Response = RegistryResponse;
}

/// A `lcm:RemoveObjectsRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RemoveObjectsRequest {
    /// The entryUUIDs of what is to be removed.
    pub objects: Vec<EntryUuid>,
    /// There is a `rim:AdhocQuery`: what it finds is to be removed, too.
    pub query: bool,
    /// `@deletionScope`, if something is said.
    pub deletion_scope: Option<String>,
}

/// The schema's default for `@deletionScope`, which some clients write.
const DELETE_ALL: &str = "urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:DeleteAll";

impl RemoveObjectsRequest {
    /// Judges what the message alone can tell (3.62.4.1.2): objects are named one by one.
    ///
    /// # Errors
    /// `XDSRegistryError` for what ebRS has and the framework does not, or if nothing is named.
    pub fn judge(&self) -> Result<(), Vec<RegistryError>> {
        let scope = self.deletion_scope.as_deref();
        let problems = [
            (
                self.query,
                "rim:AdhocQuery is not allowed; name the objects in rim:ObjectRefList",
            ),
            (
                scope.is_some_and(|scope| scope != DELETE_ALL),
                "deletionScope is not allowed; objects are removed whole",
            ),
            (
                self.objects.is_empty() && !self.query,
                "rim:ObjectRefList names no object",
            ),
        ];
        let errors: Vec<RegistryError> = problems
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, problem)| RegistryError::error(ErrorCode::RegistryError, problem))
            .collect();
        match errors.is_empty() {
            true => Ok(()),
            false => Err(errors),
        }
    }
}

impl FromXml for RemoveObjectsRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::LCM, "RemoveObjectsRequest") {
            return Err(reader.unexpected(element, "lcm:RemoveObjectsRequest"));
        }
        let mut request = Self {
            deletion_scope: element.attribute("deletionScope"),
            ..Self::default()
        };
        while let Some(child) = reader.child()? {
            match (child.namespace.as_ref(), child.name()) {
                (ns::RS, "RequestSlotList") => reader.skip()?,
                (ns::RIM, "AdhocQuery") => {
                    request.query = true;
                    reader.skip()?;
                }
                (ns::RIM, "ObjectRefList") => {
                    while let Some(reference) = reader.child()? {
                        if !reference.is(ns::RIM, "ObjectRef") {
                            return Err(reader.unexpected(&reference, "rim:ObjectRef"));
                        }
                        let id = reader.required(&reference, "id")?;
                        request.objects.push(EntryUuid(id));
                        reader.skip()?;
                    }
                }
                _ => return Err(reader.unexpected(&child, "rim:ObjectRefList")),
            }
        }
        Ok(request)
    }
}

impl ToXml for RemoveObjectsRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("lcm:RemoveObjectsRequest")
            .attribute("xmlns:lcm", ns::LCM)
            .attribute("xmlns:rim", ns::RIM);
        writer.optional("deletionScope", self.deletion_scope.as_deref());
        if self.query {
            writer
                .open("rim:AdhocQuery")
                .attribute("id", "urn:uuid:0")
                .close("rim:AdhocQuery");
        }
        writer.open("rim:ObjectRefList");
        for object in &self.objects {
            writer
                .open("rim:ObjectRef")
                .attribute("id", object.as_str())
                .close("rim:ObjectRef");
        }
        writer
            .close("rim:ObjectRefList")
            .close("lcm:RemoveObjectsRequest");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(xml: &str) -> Result<RemoveObjectsRequest, XmlError> {
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        RemoveObjectsRequest::from_xml(&mut reader, &root)
    }

    #[test]
    fn written_and_read_again() {
        let request = RemoveObjectsRequest {
            objects: vec!["urn:uuid:1".into(), "urn:uuid:2".into()],
            ..RemoveObjectsRequest::default()
        };
        let mut writer = Writer::default();
        request.to_xml(&mut writer);
        assert_eq!(read(&writer.finish()).unwrap(), request);
        assert_eq!(request.judge(), Ok(()));
    }

    /// ITI TF-2 3.62.4.1.2: neither a query nor a scope of deletion.
    #[test]
    fn objects_are_named_one_by_one() {
        let message = |attributes: &str, content: &str| {
            let (lcm, rim) = (ns::LCM, ns::RIM);
            read(&format!(
                "<l:RemoveObjectsRequest xmlns:l=\"{lcm}\" xmlns=\"{rim}\" {attributes}>{content}</l:RemoveObjectsRequest>"
            ))
            .unwrap()
        };
        let list = "<ObjectRefList><ObjectRef id=\"urn:uuid:1\"/></ObjectRefList>";
        let scope = |name: &str| {
            format!("deletionScope=\"urn:oasis:names:tc:ebxml-regrep:DeletionScopeType:{name}\"")
        };
        assert!(message("", list).judge().is_ok());
        assert!(message(&scope("DeleteAll"), list).judge().is_ok());
        for wrong in [
            message(&scope("DeleteRepositoryItemOnly"), list),
            message("", &format!("<AdhocQuery id=\"urn:uuid:9\"/>{list}")),
            message("", "<ObjectRefList/>"),
            message("", ""),
        ] {
            let errors = wrong.judge().unwrap_err();
            assert_eq!(errors.len(), 1, "{wrong:?}");
            assert_eq!(errors[0].code, ErrorCode::RegistryError);
        }
    }
}
