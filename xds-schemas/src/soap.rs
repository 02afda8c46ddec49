//! SOAP 1.2 envelopes and faults, as ITI TF-2 Appendix V uses them.
//!
//! A message is read in two steps: first only the header, which says who wants what; then, when
//! that is permitted, the one child of the body.
//! <https://www.w3.org/TR/soap12-part1/>

use std::fmt;

use crate::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSet;
use crate::iti80_cross_gateway_document_provide::CrossGatewayDocumentProvide;
use crate::transaction::Transaction;
use crate::wsa::{self, Addressing};
use crate::wsn;
use crate::wsse::Security;
use crate::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError, ns};

/// The header of a message: its addressing properties. Other header blocks that the sender does
/// not insist on are passed over.
pub type Header = Addressing;

/// The node that answers finally, which is what we are.
const ULTIMATE_RECEIVER: &str = "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver";
/// A role that every node plays.
const NEXT: &str = "http://www.w3.org/2003/05/soap-envelope/role/next";

/// A name in a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QName {
    /// The namespace, empty for none.
    pub namespace: String,
    /// The local name.
    pub name: String,
}

/// Whose fault it is, in SOAP's five words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The envelope is not SOAP 1.2.
    VersionMismatch,
    /// A header block must be understood and is not.
    MustUnderstand,
    /// An encoding is not known.
    DataEncodingUnknown,
    /// The message is wrong; sent again unchanged it would fail again.
    Sender,
    /// The message could not be answered for reasons of the receiver's own.
    Receiver,
}

impl FaultCode {
    const ALL: [Self; 5] = [
        Self::VersionMismatch,
        Self::MustUnderstand,
        Self::DataEncodingUnknown,
        Self::Sender,
        Self::Receiver,
    ];

    /// The local name in the envelope's namespace.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VersionMismatch => "VersionMismatch",
            Self::MustUnderstand => "MustUnderstand",
            Self::DataEncodingUnknown => "DataEncodingUnknown",
            Self::Sender => "Sender",
            Self::Receiver => "Receiver",
        }
    }
}

/// What a fault is about, beyond its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An action that is not served.
    Action(String),
    /// An addressing header that is missing or wrong.
    Header(QName),
    /// Header blocks that were not understood.
    NotUnderstood(Vec<QName>),
    /// The message was SOAP 1.1, so that the answer must be too.
    Soap11,
    /// What WS-BaseNotification says of its faults.
    Notification(Box<wsn::BaseFault>),
}

/// Why a message is not answered. A business failure is not a fault: it travels in a
/// `RegistryResponse`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is.
    pub code: FaultCode,
    /// What exactly, from general to special.
    pub subcodes: Vec<QName>,
    /// The same for people, in English, without patient data.
    pub reason: String,
    /// Details for the peer's program.
    pub about: Option<About>,
    /// The reason as the operator is told it, if that is more. It is not sent.
    pub detail: Option<Box<Detail>>,
}

/// What the operator is told of a fault. A type of its own, so that faults stay small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail(pub String);

impl Fault {
    /// The message is wrong.
    pub fn sender(reason: impl Into<String>) -> Self {
        Self {
            code: FaultCode::Sender,
            subcodes: Vec::new(),
            reason: reason.into(),
            about: None,
            detail: None,
        }
    }

    /// The reason, for the operator.
    pub fn why(&self) -> &str {
        self.detail
            .as_ref()
            .map_or(&self.reason, |detail| &detail.0)
    }

    /// The message could not be answered.
    pub fn receiver(reason: impl Into<String>) -> Self {
        Self {
            code: FaultCode::Receiver,
            ..Self::sender(reason)
        }
    }

    /// Nobody here serves `action`.
    pub fn action_not_supported(action: &str) -> Self {
        wsa::action_not_supported(action)
    }

    /// The caller may not do this: `wsse:FailedAuthentication`.
    pub fn not_permitted(reason: impl Into<String>) -> Self {
        let name = "FailedAuthentication".to_owned();
        let subcode = QName {
            namespace: ns::WSSE.to_owned(),
            name,
        };
        Self {
            subcodes: vec![subcode],
            ..Self::sender(reason)
        }
    }

    /// Whether the innermost subcode, or the code if there is none, has this local name.
    pub fn is(&self, name: &str) -> bool {
        self.subcodes
            .last()
            .map_or(self.code.as_str(), |subcode| &subcode.name)
            == name
    }

    /// The `wsa:Action` of a message that carries this fault.
    pub fn action(&self) -> &'static str {
        match self.subcodes.first() {
            Some(subcode) if subcode.namespace == ns::WSA => wsa::FAULT_ACTION,
            Some(subcode) if subcode.namespace == ns::WSNT => wsn::FAULT_ACTION,
            Some(subcode) if subcode.namespace == ns::WSRF_R => wsn::RESOURCE_FAULT_ACTION,
            _ => wsa::SOAP_FAULT_ACTION,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.code.as_str())?;
        for subcode in &self.subcodes {
            write!(out, "/{}", subcode.name)?;
        }
        write!(out, ": {}", self.reason)
    }
}

impl std::error::Error for Fault {}

impl From<XmlError> for Fault {
    fn from(error: XmlError) -> Self {
        Self {
            detail: Some(Box::new(Detail(format!(
                "the message cannot be read: {error}"
            )))),
            ..Self::sender(format!("the message cannot be read: {}", error.harmless()))
        }
    }
}

/// A message that was refused because of its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedHeader {
    /// Why.
    pub fault: Fault,
    /// What the fault relates to, if that much could be read.
    pub message_id: Option<String>,
}

impl From<RefusedHeader> for Fault {
    fn from(refused: RefusedHeader) -> Self {
        refused.fault
    }
}

/// Reads the header of a message and stops at its body. What it says of users (WS-Security) is not
/// understood.
pub fn read_header(bytes: &[u8]) -> Result<Header, Box<RefusedHeader>> {
    read_header_with(bytes, None)
}

/// The same, where it is understood what is said of users.
pub fn read_header_and_security(bytes: &[u8]) -> Result<(Header, Security), Box<RefusedHeader>> {
    let mut security = Security::default();
    let header = read_header_with(bytes, Some(&mut security))?;
    Ok((header, security))
}

fn read_header_with(
    bytes: &[u8],
    security: Option<&mut Security>,
) -> Result<Header, Box<RefusedHeader>> {
    let mut collector = wsa::Collector::default();
    let judged = read_header_blocks(bytes, &mut collector, security);
    let message_id = collector.message_id().map(str::to_owned);
    judged
        .and_then(|()| collector.finish())
        .map_err(|fault| Box::new(RefusedHeader { fault, message_id }))
}

fn read_header_blocks(
    bytes: &[u8],
    collector: &mut wsa::Collector,
    mut security: Option<&mut Security>,
) -> Result<(), Fault> {
    let mut reader = Reader::new(bytes)?;
    enter_envelope(&mut reader)?;
    let mut not_understood = Vec::new();
    let mut home_community = Vec::new();
    match reader.child()? {
        Some(header) if header.is(ns::SOAP, "Header") => {
            while let Some(block) = reader.child()? {
                let security = security.as_deref_mut();
                if read_block(&mut reader, &block, collector, security)? {
                    let name = QName {
                        namespace: block.namespace.to_string(),
                        name: block.name().to_owned(),
                    };
                    match block.namespace == ns::XDR {
                        true => home_community.push(name),
                        false => not_understood.push(name),
                    }
                }
            }
        }
        // Without a header the addressing properties are missing, which is said later.
        Some(body) if body.is(ns::SOAP, "Body") => {}
        Some(other) => {
            return Err(reader
                .unexpected(&other, "Header or Body of SOAP 1.2")
                .into());
        }
        None => return Err(reader.error("the envelope is empty").into()),
    }
    // A community is understood only where documents are handed in.
    if ![
        ProvideAndRegisterDocumentSet::ACTION,
        CrossGatewayDocumentProvide::ACTION,
    ]
    .contains(&collector.action())
    {
        not_understood.append(&mut home_community);
    }
    if not_understood.is_empty() {
        return Ok(());
    }
    Err(Fault {
        code: FaultCode::MustUnderstand,
        subcodes: Vec::new(),
        reason: "One or more mandatory SOAP header blocks are not understood".to_owned(),
        about: Some(About::NotUnderstood(not_understood)),
        detail: None,
    })
}

/// Reads or skips one header block. Says whether it had to be understood and was not.
fn read_block(
    reader: &mut Reader<'_>,
    block: &Element<'_>,
    collector: &mut wsa::Collector,
    security: Option<&mut Security>,
) -> Result<bool, XmlError> {
    let for_us = match reader
        .attribute_in(block, ns::SOAP, "role")
        .as_deref()
        .map(str::trim)
    {
        None | Some("" | ULTIMATE_RECEIVER | NEXT) => true,
        Some(_) => false,
    };
    let insists = reader
        .attribute_in(block, ns::SOAP, "mustUnderstand")
        .is_some_and(|value| matches!(value.trim(), "true" | "1"));
    if for_us && block.namespace == ns::WSA && collector.take(reader, block)? {
        return Ok(false);
    }
    if for_us && collector.take_home_community(reader, block)? {
        return Ok(insists);
    }
    if for_us && collector.take_time_to_live(reader, block)? {
        return Ok(false);
    }
    if collector.take_via(reader, block)? {
        return Ok(false);
    }
    if let Some(security) = security
        && for_us
        && block.is(ns::WSSE, "Security")
    {
        security.take(reader)?;
        return Ok(false);
    }
    reader.skip()?;
    Ok(for_us && insists)
}

/// Reads the one child of the body. The header is passed over; nothing may follow the body.
pub fn read_body<T: FromXml>(bytes: &[u8]) -> Result<T, XmlError> {
    let mut reader = Reader::new(bytes)?;
    reader.root_named(ns::SOAP, "Envelope")?;
    enter_body(&mut reader)?;
    let Some(child) = reader.child()? else {
        return Err(reader.error("the body is empty"));
    };
    let value = T::from_xml(&mut reader, &child)?;
    finish_body(&mut reader)?;
    Ok(value)
}

/// What came back: the expected answer, or a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyOrFault<T> {
    /// The expected answer.
    Body(T),
    /// A fault.
    Fault(Fault),
}

/// Reads the body of an answer, which may be a fault.
pub fn read_answer<T: FromXml>(bytes: &[u8]) -> Result<BodyOrFault<T>, XmlError> {
    let mut reader = Reader::new(bytes)?;
    reader.root_named(ns::SOAP, "Envelope")?;
    enter_body(&mut reader)?;
    let Some(child) = reader.child()? else {
        return Err(reader.error("the body is empty"));
    };
    let answer = if child.is(ns::SOAP, "Fault") {
        BodyOrFault::Fault(read_fault(&mut reader)?)
    } else {
        BodyOrFault::Body(T::from_xml(&mut reader, &child)?)
    };
    finish_body(&mut reader)?;
    Ok(answer)
}

fn enter_envelope(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let root = reader.root()?;
    if root.is(ns::SOAP, "Envelope") {
        return Ok(());
    }
    if root.name() != "Envelope" {
        return Err(reader.unexpected(&root, "an envelope of SOAP 1.2").into());
    }
    let soap11 = root.namespace == ns::SOAP11;
    Err(Fault {
        code: FaultCode::VersionMismatch,
        subcodes: Vec::new(),
        reason: "Version Mismatch: only SOAP 1.2 is spoken here".to_owned(),
        about: soap11.then_some(About::Soap11),
        detail: None,
    })
}

fn enter_body(reader: &mut Reader<'_>) -> Result<(), XmlError> {
    let mut child = reader.child()?;
    if child
        .as_ref()
        .is_some_and(|child| child.is(ns::SOAP, "Header"))
    {
        reader.skip()?;
        child = reader.child()?;
    }
    match child {
        Some(body) if body.is(ns::SOAP, "Body") => Ok(()),
        Some(other) => Err(reader.unexpected(&other, "Body of SOAP 1.2")),
        None => Err(reader.error("the envelope has no body")),
    }
}

fn finish_body(reader: &mut Reader<'_>) -> Result<(), XmlError> {
    if reader.child()?.is_some() {
        return Err(reader.error("the body has a second child"));
    }
    if reader.child()?.is_some() {
        return Err(reader.error("an element follows the body"));
    }
    reader.end()
}

fn read_fault(reader: &mut Reader<'_>) -> Result<Fault, XmlError> {
    let mut fault = Fault::receiver("");
    while let Some(child) = reader.child()? {
        if child.is(ns::SOAP, "Code") {
            if let Some(code) = read_code(reader, &mut fault.subcodes)? {
                fault.code = code;
            }
        } else if child.is(ns::SOAP, "Reason") {
            while reader.child()?.is_some() {
                let text = reader.text()?;
                if fault.reason.is_empty() {
                    fault.reason = text.into_owned();
                }
            }
        } else {
            reader.skip()?;
        }
    }
    Ok(fault)
}

fn read_code(
    reader: &mut Reader<'_>,
    subcodes: &mut Vec<QName>,
) -> Result<Option<FaultCode>, XmlError> {
    let mut code = None;
    // Each subcode is nested in the one before it, so that one loop and a depth are enough.
    let mut depth = 0;
    loop {
        match reader.child()? {
            Some(child) if child.is(ns::SOAP, "Value") => {
                let value = reader.text()?;
                let (namespace, name) = reader.resolve(value.trim());
                if depth == 0 {
                    code = FaultCode::ALL
                        .into_iter()
                        .find(|code| code.as_str() == name);
                } else {
                    subcodes.push(QName { namespace, name });
                }
            }
            Some(child) if child.is(ns::SOAP, "Subcode") => depth += 1,
            Some(_) => reader.skip()?,
            None if depth == 0 => return Ok(code),
            None => depth -= 1,
        }
    }
}

/// Writes a message around `body`.
pub fn write(header: &Header, body: &dyn ToXml) -> String {
    write_as(Written::default(), header, body)
}

/// How the header of a message is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// With the addressing properties, and not only with other header blocks.
    pub addressing: bool,
    /// The action must be understood (ITI TF-2 Appendix V.3.2.2).
    pub must_understand: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self {
            addressing: true,
            must_understand: true,
        }
    }
}

/// Writes a message for somebody who wants its header to be like this.
pub fn write_as(how: Written, header: &Header, body: &dyn ToXml) -> String {
    let mut writer = Writer::with_capacity(2048);
    open(&mut writer, how, header);
    body.to_xml(&mut writer);
    close(writer)
}

/// Writes a message around a body that was written before.
pub fn write_around(header: &Header, body: &str) -> String {
    let mut writer = Writer::with_capacity(body.len() + 1024);
    open(&mut writer, Written::default(), header);
    writer.raw(body);
    close(writer)
}

/// Writes a message that carries a fault.
pub fn write_fault(header: &Header, fault: &Fault) -> String {
    match &fault.about {
        Some(About::Soap11) => write_version_mismatch_soap11(fault),
        _ => write_fault_soap12(header, fault),
    }
}

fn open(writer: &mut Writer, how: Written, header: &Header) {
    writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer.open("env:Envelope");
    writer
        .attribute("xmlns:env", ns::SOAP)
        .attribute("xmlns:wsa", ns::WSA);
    writer.open("env:Header");
    header.write(writer, how);
    writer.close("env:Header");
    writer.open("env:Body");
}

fn close(mut writer: Writer) -> String {
    writer.close("env:Body").close("env:Envelope");
    writer.finish()
}

fn write_fault_soap12(header: &Header, fault: &Fault) -> String {
    let mut writer = Writer::with_capacity(2048);
    writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer.open("env:Envelope");
    writer
        .attribute("xmlns:env", ns::SOAP)
        .attribute("xmlns:wsa", ns::WSA);
    writer.open("env:Header");
    header.write(&mut writer, Written::default());
    write_fault_blocks(&mut writer, fault);
    writer
        .close("env:Header")
        .open("env:Body")
        .open("env:Fault");
    writer
        .open("env:Code")
        .element("env:Value", &format!("env:{}", fault.code.as_str()));
    for subcode in &fault.subcodes {
        writer.open("env:Subcode");
        write_qname(&mut writer, "env:Value", subcode);
    }
    for _ in &fault.subcodes {
        writer.close("env:Subcode");
    }
    writer.close("env:Code").open("env:Reason");
    writer
        .open("env:Text")
        .attribute("xml:lang", "en")
        .text(&fault.reason)
        .close("env:Text");
    writer.close("env:Reason");
    match &fault.about {
        Some(About::Action(action)) => {
            writer.open("env:Detail").open("wsa:ProblemAction");
            writer.element("wsa:Action", action);
            writer.close("wsa:ProblemAction").close("env:Detail");
        }
        Some(About::Header(header)) => {
            writer.open("env:Detail");
            write_qname(&mut writer, "wsa:ProblemHeaderQName", header);
            writer.close("env:Detail");
        }
        Some(About::Notification(fault)) => {
            writer.open("env:Detail");
            fault.to_xml(&mut writer);
            writer.close("env:Detail");
        }
        Some(About::NotUnderstood(_) | About::Soap11) | None => {}
    }
    writer.close("env:Fault");
    close(writer)
}

/// The header blocks that SOAP 1.2 part 1, sections 5.4.7 and 5.4.8, puts beside a fault.
fn write_fault_blocks(writer: &mut Writer, fault: &Fault) {
    if let Some(About::NotUnderstood(blocks)) = &fault.about {
        for block in blocks {
            writer.open("env:NotUnderstood");
            // A block without a namespace is itself an error of the sender; no prefix can name it.
            if block.namespace.is_empty() {
                writer.attribute("qname", &block.name);
            } else {
                writer.attribute("qname", &format!("q:{}", block.name));
                writer.attribute("xmlns:q", &block.namespace);
            }
            writer.close("env:NotUnderstood");
        }
    }
    if fault.code == FaultCode::VersionMismatch {
        writer
            .open("env:Upgrade")
            .open("env:SupportedEnvelope")
            .attribute("qname", "env:Envelope");
        writer.close("env:SupportedEnvelope").close("env:Upgrade");
    }
}

pub(crate) fn write_qname(writer: &mut Writer, element: &str, name: &QName) {
    writer.open(element);
    if name.namespace == ns::WSA {
        writer.text(&format!("wsa:{}", name.name));
    } else {
        writer
            .attribute("xmlns:q", &name.namespace)
            .text(&format!("q:{}", name.name));
    }
    writer.close(element);
}

/// A node that speaks SOAP 1.1 is told in SOAP 1.1 (SOAP 1.2 part 1, Appendix A).
fn write_version_mismatch_soap11(fault: &Fault) -> String {
    let mut writer = Writer::with_capacity(1024);
    writer.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    writer
        .open("env:Envelope")
        .attribute("xmlns:env", ns::SOAP11)
        .open("env:Header");
    writer.open("s12:Upgrade").attribute("xmlns:s12", ns::SOAP);
    writer
        .open("s12:SupportedEnvelope")
        .attribute("qname", "s12:Envelope");
    writer
        .close("s12:SupportedEnvelope")
        .close("s12:Upgrade")
        .close("env:Header");
    writer.open("env:Body").open("env:Fault");
    writer
        .element("faultcode", "env:VersionMismatch")
        .element("faultstring", &fault.reason);
    writer.close("env:Fault");
    close(writer)
}

#[cfg(test)]
mod tests;
