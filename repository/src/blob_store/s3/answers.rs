//! The XML of S3: what is needed of it.

use xds_schemas::xml::{Element, Reader, Writer, XmlError};

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) keys: Vec<String>,
    /// What the next page is asked for with, if there is one.
    pub(super) next: Option<String>,
}

/// Calls `take` for each child of the root, which must have this name.
fn children(
    xml: &[u8],
    root: &str,
    mut take: impl FnMut(&mut Reader<'_>, &Element<'_>) -> Result<(), XmlError>,
) -> Result<(), XmlError> {
    let mut reader = Reader::new(xml)?;
    let found = reader.root()?;
    if found.name() != root {
        return Err(reader.unexpected(&found, root));
    }
    while let Some(child) = reader.child()? {
        take(&mut reader, &child)?;
    }
    reader.end()
}

/// The texts of two children of the element just entered.
fn texts(reader: &mut Reader<'_>, names: [&str; 2]) -> Result<[Option<String>; 2], XmlError> {
    let mut found = [None, None];
    while let Some(child) = reader.child()? {
        match names.iter().position(|name| *name == child.name()) {
            Some(at) => found[at] = Some(reader.text()?.into_owned()),
            None => reader.skip()?,
        }
    }
    Ok(found)
}

/// `ListBucketResult`.
pub(super) fn list(xml: &[u8]) -> Result<Page, XmlError> {
    let mut page = Page::default();
    children(xml, "ListBucketResult", |reader, child| {
        match child.name() {
            "Contents" => {
                let [key, _] = texts(reader, ["Key", ""])?;
                page.keys.extend(key);
            }
            "NextContinuationToken" => page.next = Some(reader.token()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(page)
}

/// `ListMultipartUploadsResult`: keys and uploads.
pub(super) fn uploads(xml: &[u8]) -> Result<Vec<(String, String)>, XmlError> {
    let mut uploads = Vec::new();
    children(xml, "ListMultipartUploadsResult", |reader, child| {
        if child.name() != "Upload" {
            return reader.skip();
        }
        if let [Some(key), Some(upload)] = texts(reader, ["Key", "UploadId"])? {
            uploads.push((key, upload));
        }
        Ok(())
    })?;
    Ok(uploads)
}

/// `InitiateMultipartUploadResult`: the name of the upload.
pub(super) fn upload(xml: &[u8]) -> Result<String, XmlError> {
    let mut upload = None;
    children(xml, "InitiateMultipartUploadResult", |reader, child| {
        match child.name() {
            "UploadId" => upload = Some(reader.token()?),
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    upload.ok_or_else(|| XmlError {
        told: None,
        line: 1,
        column: 1,
        reason: "expected an UploadId".to_owned(),
    })
}

/// Whether this is `CompleteMultipartUploadResult` and not an error.
pub(super) fn is_completed(xml: &[u8]) -> bool {
    let skip = |reader: &mut Reader<'_>, _: &Element<'_>| reader.skip();
    children(xml, "CompleteMultipartUploadResult", skip).is_ok()
}

/// The code of an `Error`.
pub(super) fn code(xml: &[u8]) -> Option<String> {
    let mut code = None;
    let read = children(xml, "Error", |reader, child| {
        match child.name() {
            "Code" => code = Some(reader.token()?),
            _ => reader.skip()?,
        }
        Ok(())
    });
    read.ok()?;
    code
}

/// `CompleteMultipartUpload`.
pub(super) fn parts(tags: &[String]) -> String {
    let mut writer = Writer::default();
    writer
        .open("CompleteMultipartUpload")
        .attribute("xmlns", "http://s3.amazonaws.com/doc/2006-03-01/");
    for (number, tag) in (1..).zip(tags) {
        let number: usize = number;
        writer
            .open("Part")
            .element("ETag", tag)
            .element("PartNumber", &number.to_string());
        writer.close("Part");
    }
    writer.close("CompleteMultipartUpload");
    writer.finish()
}
