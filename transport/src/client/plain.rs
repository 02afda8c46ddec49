//! HTTP without SOAP, for services that are no IHE actors, such as an object store.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::{Client, ClientError, garbled, parse};
use crate::body::Body;
use crate::wire::Wire;

/// A request that is held in memory.
#[derive(Debug, Clone)]
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
        let url = request.url;
        let wrong = |reason| ClientError::Url {
            url: url.to_owned(),
            reason,
        };
        let target = parse(url)?;
        let mut sent = target.request("GET", None, Body::bytes(request.body));
        *sent.method_mut() = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| wrong("the method of the request cannot be sent"))?;
        for (name, value) in request.headers {
            let header = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_str(value),
            );
            let (Ok(name), Ok(value)) = header else {
                return Err(wrong("a header of the request cannot be sent"));
            };
            sent.headers_mut().insert(name, value);
        }
        let (response, lease) = self.transfer(url, &target, sent).await?;
        let (head, body) = response.into_parts();
        let mut wire = Wire::new(body, Some(lease), &self.limits);
        let body = wire.collect(limit).await;
        let body = body.map_err(|trouble| garbled(url, head.status, trouble))?;
        Ok(HttpAnswer {
            status: head.status.as_u16(),
            body,
            headers: head.headers,
        })
    }
}
