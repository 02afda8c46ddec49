//! Requests that are not SOAP: a method, a path and what may come with them.
//!
//! Which paths are asked so, a room says with [`Rest`]. As with SOAP, what a request holds is read
//! only when the request is permitted, and until then it stays on the wire.

mod accept;
mod range;
mod uri;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts as Head;
use hyper::body::Incoming as HttpBody;
use xds_schemas::mtom::ContentType;
use xds_schemas::soap::Fault;

use hilum_security::{Caller, Permission};

use crate::call::content_type;
use crate::limits::Limits;
use crate::parts::Parts;
use crate::presence::Presence;
use crate::wire::{Gathered, Trouble, Wire};

pub use accept::{Accept, MediaRange};
pub use range::{Range, Ranged};

/// The paths that are not asked with SOAP: those that begin with one of these segments.
#[derive(Debug, Clone, Default)]
pub struct Rest(Vec<&'static str>);

impl Rest {
    /// There are none.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// Those whose first segment is one of these.
    pub fn under(segments: impl IntoIterator<Item = &'static str>) -> Self {
        Self(segments.into_iter().collect())
    }

    pub(crate) fn has(&self, path: &str) -> bool {
        let first = path.split('/').nth(1).unwrap_or_default();
        self.0.contains(&first)
    }
}

/// Names and values of a form (`application/x-www-form-urlencoded`), as those of a query.
///
/// # Errors
/// If it is not the encoding of UTF-8, or there are too many.
pub fn form(text: &str) -> Result<Vec<(String, String)>, Trouble> {
    uri::parameters(text)
}

/// A request that is not SOAP. What it holds is still on the wire.
#[derive(Debug)]
pub struct Request {
    head: Box<Asking>,
    content: Wire,
}

/// Who asks for what.
struct Asking {
    caller: Caller,
    method: String,
    path: String,
    query: String,
    endpoint: String,
    headers: HeaderMap,
    limits: Limits,
    presence: Presence,
}

/// Without what is asked, which is about patients, and without headers, of which one may hold a
/// token.
impl std::fmt::Debug for Asking {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Asking")
            .field("caller", &self.caller)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Request {
    pub(crate) fn of(
        head: &Head,
        body: HttpBody,
        caller: Caller,
        endpoint: String,
        limits: &Limits,
    ) -> Self {
        let expects_continue = head.headers.contains_key(http::header::EXPECT);
        let content = Wire::new(body, None, limits).expecting_continue(expects_continue);
        Self {
            head: Box::new(Asking {
                caller,
                method: head.method.as_str().to_owned(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                endpoint,
                headers: head.headers.clone(),
                limits: limits.clone(),
                presence: Presence::default(),
            }),
            content: content.limited(limits.body_bytes),
        }
    }

    /// The same from somebody whose presence is known.
    pub(crate) fn attended(mut self, presence: Presence) -> Self {
        self.head.presence = presence;
        self
    }

    /// Who asks.
    pub const fn caller(&self) -> &Caller {
        &self.head.caller
    }

    /// Whether the caller still waits for the answer.
    pub fn presence(&self) -> Presence {
        self.head.presence.clone()
    }

    /// `GET`, `POST` and so on.
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// The path, as it was sent.
    pub fn path(&self) -> &str {
        &self.head.path
    }

    /// What follows the question mark, as it was sent.
    pub fn query(&self) -> &str {
        &self.head.query
    }

    /// The URL of this request without its query, as the caller knows it.
    pub fn endpoint(&self) -> &str {
        &self.head.endpoint
    }

    /// Scheme, host and port, as the caller knows them: what stands before the path.
    pub fn origin(&self) -> &str {
        let path = self.head.path.len();
        let end = self.head.endpoint.len().saturating_sub(path);
        &self.head.endpoint[..end]
    }

    /// The segments of the path, without percent-encoding.
    ///
    /// # Errors
    /// If it is not the encoding of UTF-8.
    pub fn segments(&self) -> Result<Vec<String>, Trouble> {
        uri::segments(&self.head.path)
    }

    /// Names and values of the query, in their order, without percent-encoding.
    ///
    /// # Errors
    /// If it is not the encoding of UTF-8, or there are too many.
    pub fn parameters(&self) -> Result<Vec<(String, String)>, Trouble> {
        uri::parameters(&self.head.query)
    }

    /// The value of a header. What was sent as several headers is one list. What is not text is
    /// as good as not sent.
    pub fn header(&self, name: &str) -> Option<String> {
        let values = self.head.headers.get_all(name).iter();
        let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Makes the request readable, if the caller may make it.
    ///
    /// # Errors
    /// A fault that says what the caller may not do.
    pub fn permitted(self, permission: Permission) -> Result<PermittedRequest, Fault> {
        match self.head.caller.may(permission) {
            Ok(()) => Ok(PermittedRequest { request: self }),
            Err(refused) => Err(Fault::not_permitted(refused.to_string())),
        }
    }
}

/// A request whose caller may make it. Only this can be read.
#[derive(Debug)]
pub struct PermittedRequest {
    request: Request,
}

impl PermittedRequest {
    /// Who asks for what.
    pub const fn request(&self) -> &Request {
        &self.request
    }

    /// The next bytes of what it holds, or `None` at the end.
    ///
    /// # Errors
    /// If it breaks off, comes too slowly or exceeds [`Limits::body_bytes`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        self.request.content.frame().await
    }

    /// All of what it holds, if it is at most `limit` bytes long.
    ///
    /// # Errors
    /// As those of [`chunk`](Self::chunk), and if it is longer.
    pub async fn collect(&mut self, limit: usize) -> Result<Bytes, Trouble> {
        let mut gathered = Gathered::new(limit);
        while let Some(chunk) = self.chunk().await? {
            let added = gathered.add(chunk);
            added.map_err(|_| {
                Trouble::too_large(format!("the body is longer than {limit} bytes"))
            })?;
        }
        Ok(gathered.finish())
    }

    /// The media type of what it holds.
    ///
    /// # Errors
    /// If there is none that can be read.
    pub fn content_type(&self) -> Result<ContentType, Trouble> {
        content_type(&self.request.head.headers).map_err(|mut trouble| {
            trouble.fault.reason = "the request needs a Content-Type".to_owned();
            trouble
        })
    }

    /// The parts of what it holds, which come from the wire one after the other.
    ///
    /// # Errors
    /// If it is not a multipart body.
    pub fn into_parts(self) -> Result<Parts, Trouble> {
        let content_type = self.content_type()?;
        if !content_type.essence.starts_with("multipart/") {
            return Err(Trouble::new(
                http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the Content-Type must be multipart/related",
            ));
        }
        let Request { head, content } = self.request;
        Parts::of(content, &content_type, &head.limits)
    }
}
