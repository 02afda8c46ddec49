//! HTTP without SOAP, for services that are no actors of SOAP transactions: an object store, an
//! archive that speaks DICOMweb.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header};

use super::{Client, ClientError, garbled, parse};
use crate::body::Body;
use crate::call::content_type;
use crate::limits::Limits;
use crate::parts::Parts;
use crate::reply::{RelatedPart, related};
use crate::target::Target;
use crate::wire::{Trouble, Wire};

/// A request that is held in memory.
#[derive(Clone)]
pub struct HttpRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The URL.
    pub url: &'a str,
    /// Headers in addition to `Host` and `Content-Length`.
    pub headers: &'a [(&'a str, String)],
    /// The content.
    pub body: Bytes,
}

/// Without headers, of which one may hold a password, and without the content.
impl std::fmt::Debug for HttpRequest<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("HttpRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// An answer that is held in memory.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The content.
    pub body: Bytes,
    headers: HeaderMap,
}

impl HttpAnswer {
    /// The value of a header, if there is one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// An answer whose content is still on the wire. When all of it was taken, or nothing is wanted any
/// more, the connection is used again.
#[derive(Debug)]
pub struct HttpStream {
    url: String,
    status: StatusCode,
    headers: HeaderMap,
    content: Wire,
    limits: Limits,
}

impl HttpStream {
    /// The status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// The value of a header, if there is one that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The next bytes, or `None` at the end.
    ///
    /// # Errors
    /// If the content breaks off, comes too slowly or exceeds [`Limits::body_bytes`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        let frame = self.content.frame().await;
        frame.map_err(|trouble| garbled(&self.url, self.status, trouble))
    }

    /// All of it, if it is at most `limit` bytes long.
    ///
    /// # Errors
    /// As those of [`chunk`](Self::chunk), and if it is longer.
    pub async fn collect(mut self, limit: usize) -> Result<HttpAnswer, ClientError> {
        let body = self.content.collect(limit).await;
        let body = body.map_err(|trouble| garbled(&self.url, self.status, trouble))?;
        Ok(HttpAnswer {
            status: self.status.as_u16(),
            body,
            headers: self.headers,
        })
    }

    /// The parts of a multipart answer, which come from the wire one after the other.
    ///
    /// # Errors
    /// If it is not multipart.
    pub fn into_parts(self) -> Result<Parts, ClientError> {
        let (url, status) = (self.url, self.status);
        let wrong = |trouble| garbled(&url, status, trouble);
        let content_type = content_type(&self.headers)
            .map_err(|_| wrong(Trouble::bad("it has no Content-Type that can be read")))?;
        if !content_type.essence.starts_with("multipart/") {
            let trouble = Trouble::bad(format!("it is {}, not multipart", content_type.essence));
            return Err(wrong(trouble));
        }
        Parts::of(self.content, &content_type, &self.limits).map_err(wrong)
    }
}

impl Client {
    /// Sends a request and takes at most `limit` bytes of the answer. Redirections are not followed.
    ///
    /// # Errors
    /// If there is no answer, whatever its status, or too long a one.
    pub async fn exchange_http(
        &self,
        request: HttpRequest<'_>,
        limit: usize,
    ) -> Result<HttpAnswer, ClientError> {
        self.open_http(request).await?.collect(limit).await
    }

    /// Sends a request. What is answered is taken from the wire as it is wanted. Redirections are
    /// not followed.
    ///
    /// # Errors
    /// If there is no answer, whatever its status.
    pub async fn open_http(&self, request: HttpRequest<'_>) -> Result<HttpStream, ClientError> {
        let target = parse(request.url)?;
        let mut sent = target.request("GET", None, Body::bytes(request.body));
        *sent.method_mut() =
            Method::from_bytes(request.method.as_bytes()).map_err(|_| ClientError::Url {
                url: request.url.to_owned(),
                reason: "the method of the request cannot be sent",
            })?;
        self.stream(request.url, &target, request.headers, sent)
            .await
    }

    /// Posts many things of the media type `kind` in one request, `multipart/related`. They are
    /// read while they are sent. Redirections are not followed.
    ///
    /// # Errors
    /// If there is no answer, whatever its status.
    pub async fn post_related(
        &self,
        url: &str,
        headers: &[(&str, String)],
        kind: &str,
        parts: Vec<RelatedPart>,
    ) -> Result<HttpStream, ClientError> {
        let target = parse(url)?;
        let (content_type, pieces) = related(kind, parts);
        let content_type = HeaderValue::from_str(&content_type);
        let content_type = content_type.map_err(|_| ClientError::Url {
            url: url.to_owned(),
            reason: "the media type of the request cannot be sent",
        })?;
        let sent = target.request("POST", Some(content_type), Body::of(pieces));
        self.stream(url, &target, headers, sent).await
    }

    async fn stream(
        &self,
        url: &str,
        target: &Target,
        headers: &[(&str, String)],
        mut request: Request<Body>,
    ) -> Result<HttpStream, ClientError> {
        for (name, value) in headers {
            let header = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            );
            let (Ok(name), Ok(value)) = header else {
                return Err(ClientError::Url {
                    url: url.to_owned(),
                    reason: "a header of the request cannot be sent",
                });
            };
            let mut value = value;
            value.set_sensitive(name == header::AUTHORIZATION);
            request.headers_mut().insert(name, value);
        }
        let (response, lease) = self.transfer(url, target, request).await?;
        let (head, body) = response.into_parts();
        let content = Wire::new(body, Some(lease), &self.limits);
        Ok(HttpStream {
            url: url.to_owned(),
            status: head.status,
            headers: head.headers,
            content: content.limited(self.limits.body_bytes),
            limits: self.limits.clone(),
        })
    }
}
