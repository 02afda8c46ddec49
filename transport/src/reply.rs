//! Answers: SOAP with or without MTOM, faults, and plain HTTP.
//!
//! A room says what it answers; how that travels depends on how the call came, and is decided
//! here. A call that came as MTOM is answered as MTOM; one that came without is answered without,
//! and its attachments stand in the envelope in base64.

mod related;
mod several;
mod source;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use tokio::sync::mpsc;
use uuid::Uuid;
use xds_schemas::mtom;
use xds_schemas::soap::{self, Fault, FaultCode, Header};
use xds_schemas::transaction::Transaction;
use xds_schemas::wsa::EndpointReference;
use xds_schemas::xml::{ToXml, Writer};

use crate::body::{Body, Piece};

pub use related::RelatedPart;
pub(crate) use related::related;
pub use several::OneOfSeveral;
use several::Several;
pub(crate) use source::Readable;
pub use source::{Part, PartSource, Reading, Stream};

/// What a room answers.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    /// Header blocks of the SOAP message, as XML.
    blocks: String,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Soap {
        action: &'static str,
        names_action: bool,
        body: String,
        parts: Vec<Part>,
    },
    Several {
        action: &'static str,
        messages: Several,
    },
    Fault(Box<Fault>),
    Plain {
        content_type: HeaderValue,
        pieces: Vec<Piece>,
    },
    Nothing,
}

impl Reply {
    /// The response of a transaction.
    pub fn of<T: Transaction>(response: &T::Response) -> Self {
        let mut writer = Writer::with_capacity(1024);
        response.to_xml(&mut writer);
        Self::soap::<T>(writer.finish())
    }

    /// The response of a transaction, whose body was written before.
    pub fn soap<T: Transaction>(body: String) -> Self {
        Self::mtom::<T>(body, Vec::new())
    }

    /// The response of a transaction with attachments, to which the body refers.
    pub fn mtom<T: Transaction>(body: String, parts: Vec<Part>) -> Self {
        let content = Content::Soap {
            action: T::RESPONSE_ACTION,
            names_action: T::RESPONSE_NAMES_ACTION,
            body,
            parts,
        };
        Self::with(StatusCode::OK, content)
    }

    /// The response of a transaction in several messages, for a call that
    /// [takes them](crate::Call::takes_several): the first and those that come, each of which is sent at once.
    /// If none of them is the last, the connection breaks off.
    pub fn several<T: Transaction>(
        first: OneOfSeveral,
        others: mpsc::Receiver<OneOfSeveral>,
    ) -> Self {
        let content = Content::Several {
            action: T::RESPONSE_ACTION,
            messages: Several { first, others },
        };
        Self::with(StatusCode::OK, content)
    }

    fn with(status: StatusCode, content: Content) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            blocks: String::new(),
            content,
        }
    }

    /// A fault. The HTTP status is that of the SOAP 1.2 HTTP binding.
    pub fn fault(fault: &Fault) -> Self {
        let status = match fault.code {
            FaultCode::Sender => StatusCode::BAD_REQUEST,
            FaultCode::Receiver if fault.is("EndpointUnavailable") => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::fault_with_status(fault, status)
    }

    /// A fault for which HTTP has a status of its own.
    pub(crate) fn fault_with_status(fault: &Fault, status: StatusCode) -> Self {
        Self::with(status, Content::Fault(Box::new(fault.clone())))
    }

    /// A message was taken that has no answer, or whose answer is not this: HTTP status 202 with
    /// nothing in it.
    pub fn accepted() -> Self {
        Self::with(StatusCode::ACCEPTED, Content::Nothing)
    }

    /// Only a status.
    pub fn empty(status: u16) -> Self {
        Self::with(known_status(status), Content::Nothing)
    }

    /// Whether this is a fault.
    pub(crate) const fn is_fault(&self) -> bool {
        matches!(self.content, Content::Fault(_))
    }

    /// Something that is not SOAP, like a WSDL. A status or media type that HTTP cannot carry
    /// becomes 500 or `application/octet-stream`.
    pub fn plain(status: u16, content_type: &str, bytes: impl Into<Bytes>) -> Self {
        Self::content(status, content_type, PartSource::Bytes(bytes.into()))
    }

    /// The same from anywhere. If nobody knows how long it is, it is sent in chunks.
    pub fn content(status: u16, content_type: &str, source: PartSource) -> Self {
        Self::pieces(status, content_type, vec![source.plain()])
    }

    /// Many things of the media type `kind` in one answer: `multipart/related` (RFC 2387).
    pub fn related(status: u16, kind: &str, parts: Vec<RelatedPart>) -> Self {
        let (content_type, pieces) = related(kind, parts);
        Self::pieces(status, &content_type, pieces)
    }

    fn pieces(status: u16, content_type: &str, pieces: Vec<Piece>) -> Self {
        let content_type = HeaderValue::from_str(content_type)
            .unwrap_or(HeaderValue::from_static("application/octet-stream"));
        let content = Content::Plain {
            content_type,
            pieces,
        };
        Self::with(known_status(status), content)
    }

    /// With one more header. What HTTP cannot carry is left out.
    #[must_use]
    pub fn and_header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.append(HeaderName::from_static(name), value);
        }
        self
    }

    /// With a SOAP header block that the transaction defines. `block` is XML that declares its namespaces.
    #[must_use]
    pub fn with_header_block(mut self, block: &str) -> Self {
        self.blocks.push_str(block);
        self
    }

    /// The same for who brought a token: what it does not allow is 401 (IUA 3.72.4.3), so that a
    /// program asks for a better one (RFC 6750, section 3.1).
    pub(crate) fn for_bearer(mut self) -> Self {
        if self.status != StatusCode::FORBIDDEN {
            return self;
        }
        self.status = StatusCode::UNAUTHORIZED;
        let challenge = "Bearer realm=\"hilum\", error=\"insufficient_scope\"";
        self.and_header("www-authenticate", challenge)
    }

    /// Whether a token does not allow what was asked with it.
    pub(crate) fn is_insufficient_scope(&self) -> bool {
        let challenges = self.headers.get_all("www-authenticate");
        let mut challenges = challenges.iter().filter_map(|it| it.to_str().ok());
        challenges.any(|it| it.contains("insufficient_scope"))
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The description of a service, such as its WSDL, or 404 if there is none of that name.
    pub fn description(document: Option<String>) -> Self {
        match document {
            Some(document) => Self::plain(200, "text/xml; charset=UTF-8", document),
            None => Self::plain(
                404,
                "text/plain; charset=UTF-8",
                "nothing here; try ?wsdl\n",
            ),
        }
    }

    /// The HTTP response to a message that came as `asked` says.
    pub(crate) fn into_response(self, asked: &Asked) -> Response<Body> {
        let mut content_type = None;
        let body = match self.content {
            Content::Plain {
                content_type: kind,
                pieces,
            } => {
                content_type = Some(kind);
                Body::of(pieces)
            }
            Content::Nothing => Body::bytes(Bytes::new()),
            Content::Several { action, messages } => {
                let message = messages.written(asked.clone(), action, self.blocks);
                content_type = Some(message.content_type);
                message.body
            }
            Content::Fault(fault) => {
                let header = asked.answered_with(fault.action());
                content_type = Some(fault_content_type(&fault));
                Body::bytes(soap::write_fault(&header, &fault))
            }
            Content::Soap {
                action,
                names_action,
                body,
                parts,
            } => {
                let mut header = asked.answered_with(action);
                header.parameters.push_str(&self.blocks);
                let envelope = soap::write_around(&header, &body);
                let named = names_action.then_some(action);
                let message = Message::new(envelope, parts, asked.mtom, named);
                content_type = Some(message.content_type);
                message.body
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(content_type) = content_type {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED
            && !response.headers().contains_key(header::ALLOW)
        {
            let allowed = HeaderValue::from_static("GET, HEAD, POST");
            response.headers_mut().insert(header::ALLOW, allowed);
        }
        response
    }

    /// The same as a message of its own to `endpoint`; nothing if it is not SOAP.
    pub(crate) fn into_message(
        self,
        asked: &Asked,
        endpoint: &EndpointReference,
    ) -> Option<Message> {
        match self.content {
            Content::Plain { .. } | Content::Several { .. } | Content::Nothing => None,
            Content::Fault(fault) => {
                let action = fault.action();
                let header = asked.answered_with(action).sent_to(endpoint);
                let envelope = soap::write_fault(&header, &fault);
                Some(Message::new(envelope, Vec::new(), false, Some(action)))
            }
            Content::Soap {
                action,
                body,
                parts,
                ..
            } => {
                let mut header = asked.answered_with(action).sent_to(endpoint);
                header.parameters.push_str(&self.blocks);
                let envelope = soap::write_around(&header, &body);
                Some(Message::new(envelope, parts, asked.mtom, Some(action)))
            }
        }
    }
}

/// What of a call decides how it is answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) message_id: Option<String>,
    pub(crate) mtom: bool,
}

impl Asked {
    fn answered_with(&self, action: &str) -> Header {
        Header::answer(action, new_message_id(), self.message_id.as_deref())
    }
}

/// A message ready to be sent.
pub(crate) struct Message {
    pub(crate) content_type: HeaderValue,
    pub(crate) body: Body,
}

impl Message {
    /// Packs an envelope and its attachments. Requests name their action, and some responses do.
    pub(crate) fn new(
        envelope: String,
        parts: Vec<Part>,
        mtom: bool,
        action: Option<&str>,
    ) -> Self {
        if mtom {
            return Self::multipart(&envelope, parts, action);
        }
        let content_type = action.map_or_else(
            || "application/soap+xml; charset=UTF-8".to_owned(),
            |action| format!("application/soap+xml; charset=UTF-8; action=\"{action}\""),
        );
        Self {
            content_type: header_value(&content_type),
            body: inlined(envelope, parts),
        }
    }

    fn multipart(envelope: &str, parts: Vec<Part>, action: Option<&str>) -> Self {
        let unique = Uuid::new_v4().simple();
        let boundary = format!("hilum-{unique}");
        let root = format!("root-{unique}@hilum");
        let closing = mtom::message_closing(&boundary);
        let mut head = mtom::part_opening(&boundary, &root, mtom::ROOT_CONTENT_TYPE);
        head.reserve(envelope.len() + closing.len());
        head.push_str(envelope);
        let content_type = mtom::message_content_type(&boundary, &root, action);
        let content_type = header_value(&content_type);
        if parts.is_empty() {
            head.push_str(&closing);
            return Self {
                content_type,
                body: Body::bytes(head),
            };
        }
        let mut pieces = Vec::with_capacity(2 * parts.len() + 2);
        // What stands between two contents is one piece.
        let mut between = head;
        for part in parts {
            between.push_str(&mtom::part_opening(
                &boundary,
                &part.content_id,
                &part.content_type,
            ));
            pieces.push(Piece::Bytes(std::mem::take(&mut between).into()));
            pieces.push(part.source.plain());
        }
        pieces.push(Piece::Bytes(closing.into()));
        Self {
            content_type,
            body: Body::of(pieces),
        }
    }
}

/// The envelope with every reference replaced by what it refers to.
fn inlined(envelope: String, parts: Vec<Part>) -> Body {
    if parts.is_empty() {
        return Body::bytes(envelope);
    }
    let includes = mtom::written_includes(&envelope);
    let envelope = Bytes::from(envelope);
    let mut pieces = Vec::with_capacity(2 * includes.len() + 1);
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    let mut from = 0;
    let mut next = 0;
    for (place, id) in includes {
        // Parts are usually in the order of the references: then each is found at once.
        let found = (next..parts.len()).chain(0..next).find(|at| {
            parts[*at]
                .as_ref()
                .is_some_and(|part| part.content_id == id)
        });
        if let Some(part) = found.and_then(|at| {
            next = at + 1;
            parts[at].take()
        }) {
            pieces.push(Piece::Bytes(envelope.slice(from..place.start)));
            pieces.push(part.source.base64());
            from = place.end;
        }
    }
    pieces.push(Piece::Bytes(envelope.slice(from..)));
    Body::of(pieces)
}

fn fault_content_type(fault: &Fault) -> HeaderValue {
    HeaderValue::from_static(match fault.about {
        Some(soap::About::Soap11) => "text/xml; charset=UTF-8",
        _ => "application/soap+xml; charset=UTF-8",
    })
}

/// What we put into a header is ASCII without control characters, or it is left out.
fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("application/soap+xml"))
}

/// What HTTP has no status for is our mistake.
fn known_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A name for a message that nobody else uses.
pub(crate) fn new_message_id() -> String {
    Uuid::new_v4().urn().to_string()
}
