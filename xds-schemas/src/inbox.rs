//! What a Document Recipient of ours has in its inbox: asked for by those who run it.
//!
//! Not of IHE, which says how documents come to a recipient (XDR, ITI-41) and leaves open what
//! becomes of them. The messages travel as all others do, so that they are permitted and recorded in
//! the same way, and documents stream.

use crate::ebrs::{RegistryError, RegistryResponse};
use crate::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use crate::transaction::Transaction;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// Submissions that one answer lists.
pub const PAGE: usize = 1000;

/// What is in the inbox.
#[derive(Debug, Clone, Copy)]
pub struct ListInbox;

impl Transaction for ListInbox {
    const ACTION: &'static str = "urn:hilum:inbox:List";
    const RESPONSE_ACTION: &'static str = "urn:hilum:inbox:ListResponse";
    const MTOM: bool = false;
    type Request = ListRequest;
    type Response = ListResponse;
}

/// A submission with its documents, as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct FetchSubmission;

impl Transaction for FetchSubmission {
    const ACTION: &'static str = "urn:hilum:inbox:Fetch";
    const RESPONSE_ACTION: &'static str = "urn:hilum:inbox:FetchResponse";
    const MTOM: bool = true;
    type Request = FetchRequest;
    type Response = FetchResponse;
}

/// Removes a submission from the inbox.
#[derive(Debug, Clone, Copy)]
pub struct DeleteSubmission;

impl Transaction for DeleteSubmission {
    const ACTION: &'static str = "urn:hilum:inbox:Delete";
    const RESPONSE_ACTION: &'static str = "urn:hilum:inbox:DeleteResponse";
    const MTOM: bool = false;
    type Request = DeleteRequest;
    type Response = RegistryResponse;
}

/// `inbox:ListRequest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListRequest {
    /// How many to pass over; what comes then is at most a [`PAGE`].
    pub skip: usize,
}

/// `inbox:ListResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListResponse {
    /// How many there are in all.
    pub total: usize,
    /// Oldest first.
    pub submissions: Vec<Received>,
}

/// A submission that was received.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// `SubmissionSet.uniqueId`.
    pub unique_id: String,
    /// When, in UTC: `20261125093000`.
    pub time: String,
    /// From whom: what its certificate says, or its address.
    pub sender: String,
    /// The community that it was meant for, if the sender said so.
    pub home_community_id: Option<String>,
    /// `SubmissionSet.sourceId`.
    pub source_id: String,
    /// `SubmissionSet.patientId`, as the sender knows the patient.
    pub patient_id: Option<String>,
    /// `SubmissionSet.title`.
    pub title: Option<String>,
    /// `SubmissionSet.intendedRecipient`.
    pub intended_recipients: Vec<String>,
    /// Whether it has limited metadata.
    pub limited_metadata: bool,
    /// How many documents.
    pub documents: u64,
    /// How long they are together.
    pub bytes: u64,
}

macro_rules! requests {
    ($($(#[doc = $doc:literal])* $request:ident = $element:literal;)*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $request {
            /// `SubmissionSet.uniqueId`.
            pub unique_id: String,
        }

        impl FromXml for $request {
            fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
                named(reader, element, $element)?;
                let unique_id = reader.required(element, "uniqueId")?;
                reader.skip()?;
                Ok(Self { unique_id })
            }
        }

        impl ToXml for $request {
            fn to_xml(&self, writer: &mut Writer) {
                writer
                    .open($element)
                    .attribute("xmlns:inbox", ns::INBOX)
                    .attribute("uniqueId", &self.unique_id)
                    .close($element);
            }
        }
    )*};
}

requests! {
    /// `inbox:FetchRequest`.
    FetchRequest = "inbox:FetchRequest";
    /// `inbox:DeleteRequest`.
    DeleteRequest = "inbox:DeleteRequest";
}

/// `inbox:FetchResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchResponse {
    /// How it ended.
    pub response: RegistryResponse,
    /// The submission.
    pub submission: Option<ProvideAndRegisterDocumentSetRequest>,
}

impl FetchResponse {
    /// The submission.
    pub fn found(submission: ProvideAndRegisterDocumentSetRequest) -> Self {
        Self {
            response: RegistryResponse::success(Vec::new()),
            submission: Some(submission),
        }
    }

    /// Why there is none.
    pub fn refused(error: RegistryError) -> Self {
        Self {
            response: RegistryResponse::failure(vec![error]),
            submission: None,
        }
    }
}

fn named(reader: &Reader<'_>, element: &Element<'_>, name: &str) -> Result<(), XmlError> {
    match element.is(ns::INBOX, name.trim_start_matches("inbox:")) {
        true => Ok(()),
        false => Err(reader.unexpected(element, name)),
    }
}

fn number<T: std::str::FromStr>(
    reader: &Reader<'_>,
    element: &Element<'_>,
    name: &str,
) -> Result<T, XmlError> {
    let text = reader.required(element, name)?;
    let problem = |_| reader.error(format!("the attribute {name} is not a number"));
    text.parse().map_err(problem)
}

impl FromXml for ListRequest {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        named(reader, element, "inbox:ListRequest")?;
        let skip = number(reader, element, "skip")?;
        reader.skip()?;
        Ok(Self { skip })
    }
}

impl ToXml for ListRequest {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("inbox:ListRequest")
            .attribute("xmlns:inbox", ns::INBOX)
            .attribute("skip", &self.skip.to_string())
            .close("inbox:ListRequest");
    }
}

impl FromXml for ListResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        named(reader, element, "inbox:ListResponse")?;
        let total = number(reader, element, "total")?;
        let mut submissions = Vec::new();
        while let Some(child) = reader.child()? {
            submissions.push(Received::from_xml(reader, &child)?);
        }
        Ok(Self { total, submissions })
    }
}

impl ToXml for ListResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("inbox:ListResponse")
            .attribute("xmlns:inbox", ns::INBOX)
            .attribute("total", &self.total.to_string());
        for submission in &self.submissions {
            submission.to_xml(writer);
        }
        writer.close("inbox:ListResponse");
    }
}

impl FromXml for Received {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        named(reader, element, "inbox:Submission")?;
        let mut received = Self {
            unique_id: reader.required(element, "uniqueId")?,
            time: reader.required(element, "time")?,
            sender: reader.required(element, "sender")?,
            home_community_id: element.attribute("homeCommunityId"),
            source_id: reader.required(element, "sourceId")?,
            patient_id: element.attribute("patientId"),
            title: element.attribute("title"),
            intended_recipients: Vec::new(),
            limited_metadata: element.attribute("limitedMetadata").is_some(),
            documents: number(reader, element, "documents")?,
            bytes: number(reader, element, "bytes")?,
        };
        while let Some(child) = reader.child()? {
            named(reader, &child, "inbox:IntendedRecipient")?;
            received
                .intended_recipients
                .push(reader.text()?.into_owned());
        }
        Ok(received)
    }
}

impl ToXml for Received {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("inbox:Submission")
            .attribute("uniqueId", &self.unique_id)
            .attribute("time", &self.time)
            .attribute("sender", &self.sender)
            .optional("homeCommunityId", self.home_community_id.as_deref())
            .attribute("sourceId", &self.source_id)
            .optional("patientId", self.patient_id.as_deref())
            .optional("title", self.title.as_deref())
            .optional("limitedMetadata", self.limited_metadata.then_some("true"))
            .attribute("documents", &self.documents.to_string())
            .attribute("bytes", &self.bytes.to_string());
        for recipient in &self.intended_recipients {
            writer.element("inbox:IntendedRecipient", recipient);
        }
        writer.close("inbox:Submission");
    }
}

impl FromXml for FetchResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        named(reader, element, "inbox:FetchResponse")?;
        let first = reader.child()?;
        let first = first.ok_or_else(|| reader.error("expected rs:RegistryResponse"))?;
        let response = RegistryResponse::from_xml(reader, &first)?;
        let mut submission = None;
        if let Some(child) = reader.child()? {
            submission = Some(ProvideAndRegisterDocumentSetRequest::from_xml(
                reader, &child,
            )?);
            if let Some(other) = reader.child()? {
                return Err(reader.unexpected(&other, "one submission"));
            }
        }
        Ok(Self {
            response,
            submission,
        })
    }
}

impl ToXml for FetchResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("inbox:FetchResponse")
            .attribute("xmlns:inbox", ns::INBOX);
        self.response.to_xml(writer);
        if let Some(submission) = &self.submission {
            submission.to_xml(writer);
        }
        writer.close("inbox:FetchResponse");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::error_code::ErrorCode;
    use crate::ebrs::tests::read_again;

    #[test]
    fn messages_are_read_as_they_were_written() {
        read_again(&ListRequest { skip: 7 });
        let received = Received {
            unique_id: "1.2".to_owned(),
            sender: "CN=<clinic>".to_owned(),
            patient_id: Some("P^^^&1.2&ISO".to_owned()),
            intended_recipients: vec!["A|^B".to_owned(), "|C".to_owned()],
            limited_metadata: true,
            documents: 3,
            ..Received::default()
        };
        read_again(&ListResponse {
            total: 9,
            submissions: vec![received, Received::default()],
        });
        let unique_id = "1.2".to_owned();
        read_again(&DeleteRequest { unique_id });
        let submission = ProvideAndRegisterDocumentSetRequest::default();
        read_again(&FetchResponse::found(submission));
        let error = RegistryError::error(ErrorCode::DocumentUniqueIdError, "1.2");
        read_again(&FetchResponse::refused(error));
    }

    #[test]
    fn one_request_is_not_taken_for_another() {
        let mut writer = Writer::default();
        let unique_id = "1.2".to_owned();
        FetchRequest { unique_id }.to_xml(&mut writer);
        let xml = writer.finish();
        let mut reader = Reader::new(xml.as_bytes()).unwrap();
        let root = reader.root().unwrap();
        let error = DeleteRequest::from_xml(&mut reader, &root).unwrap_err();
        assert!(error.reason.contains("inbox:DeleteRequest"), "{error}");
    }
}
