//! Requests that somebody else prepared, sent as they are.

use std::collections::BTreeMap;
use std::path::Path;

use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use xds_schemas::mtom;
use xds_schemas::xml::{FromXml, Reader, XmlError, ns};

use super::Prepared;
use crate::status::Usage;

/// Reads an `lcm:SubmitObjectsRequest`, or an `xds:ProvideAndRegisterDocumentSetRequest` such as
/// `--print` writes, with content for its entries given as `ID=FILE`.
pub(super) fn read(file: &Path, documents: &[String]) -> Result<Prepared, Usage> {
    let problem = |problem: String| Usage(format!("{}: {problem}", file.display()));
    let text = std::fs::read(file).map_err(|error| problem(format!("cannot be read: {error}")))?;
    let mut request = parse(&text).map_err(|error| problem(error.to_string()))?;
    let mut files = BTreeMap::new();
    for document in documents {
        let Some((id, file)) = document.rsplit_once('=') else {
            return Err(Usage(format!(
                "--document: {document:?} is not of the form ID=FILE"
            )));
        };
        files.insert(id, Path::new(file));
    }
    // What a reference names is not in the file, so only --document can give it.
    request.documents.retain(|document| {
        matches!(document.content, mtom::Content::Inline(_))
            && !files.contains_key(document.id.as_str())
    });
    let mut prepared = Prepared {
        request,
        parts: Vec::new(),
        ..Prepared::default()
    };
    for (id, path) in files {
        let length = std::fs::metadata(path);
        let length = length
            .map_err(|error| Usage(format!("{}: cannot be read: {error}", path.display())))?;
        let objects = &prepared.request.submit.objects.objects;
        let mime_type = mime_type(objects.iter().find(|object| object.id == *id));
        prepared.attach_file(id, &mime_type, path.to_path_buf(), length.len());
    }
    Ok(prepared)
}

/// Reads either of the two.
pub(crate) fn parse(text: &[u8]) -> Result<ProvideAndRegisterDocumentSetRequest, XmlError> {
    let mut reader = Reader::new(text)?;
    let root = reader.root()?;
    let request = if root.is(ns::XDS, "ProvideAndRegisterDocumentSetRequest") {
        ProvideAndRegisterDocumentSetRequest::from_xml(&mut reader, &root)?
    } else {
        ProvideAndRegisterDocumentSetRequest {
            submit: SubmitObjectsRequest::from_xml(&mut reader, &root)?,
            documents: Vec::new(),
        }
    };
    reader.end()?;
    Ok(request)
}

fn mime_type(entry: Option<&RegistryObject>) -> String {
    match entry.map(|entry| &entry.body) {
        Some(Body::ExtrinsicObject {
            mime_type: Some(mime_type),
            ..
        }) => mime_type.clone(),
        _ => "application/octet-stream".to_owned(),
    }
}
