//! ITI-54 Document Metadata Publish: tell a broker what happened.
//!
//! Sent by Document Metadata Publishers, one way; taken by the Document Metadata Notification
//! Broker. The message is that of [`iti53`](crate::iti53_document_metadata_notify), and so is its
//! action: where it is sent tells them apart.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-54.html>

use crate::iti53_document_metadata_notify::{DocumentMetadataNotify, Notify};
use crate::transaction::{Nothing, Transaction};

/// ITI-54.
#[derive(Debug, Clone, Copy)]
pub struct DocumentMetadataPublish;

impl Transaction for DocumentMetadataPublish {
    const ACTION: &'static str = DocumentMetadataNotify::ACTION;
    /// There is no response.
    const RESPONSE_ACTION: &'static str = "";
    const MTOM: bool = false;
    type Request = Notify;
    type Response = Nothing;
}
