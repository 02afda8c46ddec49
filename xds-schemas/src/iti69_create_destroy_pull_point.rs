//! ITI-69 Create Destroy Pull Point: have notifications kept until one comes for them.
//!
//! Asked by Notification Pullers; answered by the Notification Pull Point. Extensions to the
//! Document Metadata Subscription profile, 3.69.

use crate::transaction::Transaction;
use crate::wsn::{EndpointReference, empty, write_reference};
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// The half of ITI-69 that makes a pull point.
#[derive(Debug, Clone, Copy)]
pub enum CreatePullPoint {}

impl Transaction for CreatePullPoint {
    const ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/CreatePullPoint/CreatePullPointRequest";
    const RESPONSE_ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/CreatePullPoint/CreatePullPointResponse";
    const MTOM: bool = false;
    type Request = CreatePullPointRequest;
    type Response = CreatePullPointResponse;
}

/// The half of ITI-69 that removes it.
#[derive(Debug, Clone, Copy)]
pub enum DestroyPullPoint {}

impl Transaction for DestroyPullPoint {
    const ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/PullPoint/DestroyPullPointRequest";
    const RESPONSE_ACTION: &'static str =
        "http://docs.oasis-open.org/wsn/bw-2/PullPoint/DestroyPullPointResponse";
    const MTOM: bool = false;
    type Request = DestroyPullPointRequest;
    type Response = DestroyPullPointResponse;
}

empty! {
    /// A `wsnt:CreatePullPoint`.
    CreatePullPointRequest = "CreatePullPoint";
    /// A `wsnt:DestroyPullPoint`.
    DestroyPullPointRequest = "DestroyPullPoint";
    /// A `wsnt:DestroyPullPointResponse`.
    DestroyPullPointResponse = "DestroyPullPointResponse";
}

/// A `wsnt:CreatePullPointResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatePullPointResponse {
    /// `wsnt:PullPoint`: where subscriptions deliver to, messages are got, and it is removed.
    pub pull_point: String,
}

impl FromXml for CreatePullPointResponse {
    fn from_xml(reader: &mut Reader<'_>, element: &Element<'_>) -> Result<Self, XmlError> {
        if !element.is(ns::WSNT, "CreatePullPointResponse") {
            return Err(reader.unexpected(element, "wsnt:CreatePullPointResponse"));
        }
        let mut pull_point = None;
        while let Some(child) = reader.child()? {
            match child.is(ns::WSNT, "PullPoint") {
                true => pull_point = Some(EndpointReference::read(reader)?.address),
                false => reader.skip()?,
            }
        }
        let pull_point = pull_point
            .ok_or_else(|| reader.error("wsnt:CreatePullPointResponse has no wsnt:PullPoint"))?;
        Ok(Self { pull_point })
    }
}

impl ToXml for CreatePullPointResponse {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("wsnt:CreatePullPointResponse")
            .attribute("xmlns:wsnt", ns::WSNT)
            .attribute("xmlns:wsa", ns::WSA);
        write_reference(writer, "wsnt:PullPoint", &self.pull_point);
        writer.close("wsnt:CreatePullPointResponse");
    }
}
