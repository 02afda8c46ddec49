//! RAD-68 Provide and Register Imaging Document Set: hand in the manifest of a study.
//!
//! Asked by Imaging Document Sources; answered by the Document Repository. On the wire it is ITI-41
//! with the actions of ITI-41 (RAD TF-2: 4.68.4.1), so a repository knows it by what it carries: a
//! manifest's mimeType and formatCode. The audit tells the two apart.
//! <https://www.ihe.net/resources/technical_frameworks/#radiology>

use crate::codes::ebrim_uuids::document_entry;
use crate::ebrim::{Body, RegistryObject};
use crate::iti41_provide_and_register_document_set::{
    ProvideAndRegisterDocumentSet, ProvideAndRegisterDocumentSetRequest,
};
use crate::transaction::Transaction;

/// RAD-68 Provide and Register Imaging Document Set.
#[derive(Debug, Clone, Copy)]
pub struct ProvideAndRegisterImagingDocumentSet;

impl Transaction for ProvideAndRegisterImagingDocumentSet {
    const ACTION: &'static str = ProvideAndRegisterDocumentSet::ACTION;
    const RESPONSE_ACTION: &'static str = ProvideAndRegisterDocumentSet::RESPONSE_ACTION;
    const MTOM: bool = ProvideAndRegisterDocumentSet::MTOM;
    const ASYNCHRONOUS: bool = ProvideAndRegisterDocumentSet::ASYNCHRONOUS;
    type Request = ProvideAndRegisterDocumentSetRequest;
    type Response = <ProvideAndRegisterDocumentSet as Transaction>::Response;
}

/// `mimeType` of a manifest, of an image, and of everything else that is DICOM.
pub const MIME_TYPE: &str = "application/dicom";
/// `formatCode` of a manifest: the SOP class of Key Object Selection documents.
pub const FORMAT_CODE: &str = "1.2.840.10008.5.1.4.1.1.88.59";
/// The coding scheme of [`FORMAT_CODE`]: the UIDs that DICOM registers (PS3.6).
pub const FORMAT_CODE_SCHEME: &str = "1.2.840.10008.2.6.1";

/// Whether this is the entry of an imaging manifest, which makes the submission one of RAD-68.
pub fn is_manifest(object: &RegistryObject) -> bool {
    let is_dicom = matches!(
        &object.body,
        Body::ExtrinsicObject { mime_type: Some(mime_type), .. } if mime_type == MIME_TYPE
    );
    let mut classifications = object.classifications.iter();
    is_dicom
        && classifications.any(|code| {
            code.scheme.as_deref() == Some(document_entry::FORMAT_CODE)
                && code.node_representation.as_deref() == Some(FORMAT_CODE)
        })
}
