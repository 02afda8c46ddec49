//! The client: asks another node, over connections that are kept.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Uri, header};
use hyper::body::Incoming as HttpBody;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_openssl::SslStream;
use xds_schemas::soap::{self, BodyOrFault, Fault, Header};
use xds_schemas::transaction::Transaction;

use hilum_security::iti19_authenticate_node::ClientTls;

use crate::body::Body;
use crate::call::content_type;
use crate::limits::Limits;
use crate::mtom_stream::{self, Attachments};
use crate::patient::Patient;
use crate::pool::{Lease, Pool};
use crate::reply::{Message, Part, new_message_id};
use crate::wire::{Trouble, Wire};

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The URL cannot be used.
    #[error("{url}: {reason}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no connection to the peer, or it broke before an answer came.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
        /// Whether the peer may have got the request, so that nobody knows what it did.
        sent: bool,
    },
    /// The peer answered with a fault.
    #[error("{url} answered with a fault: {fault}")]
    Fault {
        /// The URL.
        url: String,
        /// The fault.
        fault: Box<Fault>,
    },
    /// The peer answered something that cannot be read.
    #[error("{url} answered something that cannot be read (HTTP status {status}): {reason}")]
    Garbled {
        /// The URL.
        url: String,
        /// The HTTP status of the answer.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

/// What came back.
#[derive(Debug)]
pub struct Answer<T> {
    /// The SOAP header.
    pub header: Header,
    /// The answer itself.
    pub response: T,
    /// The whole SOAP envelope as it came.
    pub envelope: Bytes,
    /// What came with it, still on the wire. When all of it was taken, or nothing is wanted any
    /// more, the connection is used again.
    pub attachments: Attachments,
}

/// Asks other nodes. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    tls: Option<ClientTls>,
    limits: Limits,
    pool: Arc<Pool>,
}

impl Client {
    /// A client that can ask `https` URLs if it has a TLS configuration, and `http` URLs anyway.
    pub fn new(tls: Option<ClientTls>, limits: Limits) -> Self {
        let pool = Pool::new(limits.clone());
        Self { tls, limits, pool }
    }

    /// Asks for a transaction. The request refers to the attachments with
    /// [`write_include`](xds_schemas::mtom::write_include).
    pub async fn send<T: Transaction>(
        &self,
        url: &str,
        request: &T::Request,
        attachments: Vec<Part>,
    ) -> Result<Answer<T::Response>, ClientError> {
        let envelope = soap::write(&Header::request(T::ACTION, new_message_id(), url), request);
        let message = Message::new(envelope, attachments, T::MTOM, Some(T::ACTION));
        let (status, root, attachments) = self.exchange(url, message).await?;
        let garbled = |reason: String| ClientError::Garbled {
            url: url.to_owned(),
            status: status.as_u16(),
            reason,
        };
        match soap::read_answer::<T::Response>(&root) {
            Ok(BodyOrFault::Fault(fault)) => Err(ClientError::Fault {
                url: url.to_owned(),
                fault: Box::new(fault),
            }),
            Ok(BodyOrFault::Body(response)) => {
                let header =
                    soap::read_header(&root).map_err(|refused| garbled(refused.fault.reason))?;
                Ok(Answer {
                    header,
                    response,
                    envelope: root,
                    attachments,
                })
            }
            Err(error) => Err(garbled(error.to_string())),
        }
    }

    /// Gets something that is not SOAP: status and at most [`Limits::root_bytes`] of content.
    pub async fn fetch(&self, url: &str) -> Result<(u16, Bytes), ClientError> {
        let target = Target::parse(url)?;
        let request = target.request("GET", None, Body::bytes(Bytes::new()));
        let (response, lease) = self.transfer(url, &target, request).await?;
        let (head, body) = response.into_parts();
        let mut wire = Wire::new(body, Some(lease), &self.limits);
        let content = wire.collect(self.limits.root_bytes).await;
        let content = content.map_err(|trouble| garbled(url, head.status, trouble))?;
        Ok((head.status.as_u16(), content))
    }

    async fn exchange(
        &self,
        url: &str,
        message: Message,
    ) -> Result<(StatusCode, Bytes, Attachments), ClientError> {
        let target = Target::parse(url)?;
        let request = target.request("POST", Some(message.content_type), message.body);
        let (response, lease) = self.transfer(url, &target, request).await?;
        let (head, body) = response.into_parts();
        let wire = Wire::new(body, Some(lease), &self.limits);
        let received = async {
            let content_type = content_type(&head.headers)?;
            match content_type.essence.as_str() {
                "multipart/related" => {
                    mtom_stream::receive(wire, &content_type, &self.limits).await
                }
                // text/xml is how a node that speaks SOAP 1.1 sends its fault.
                "application/soap+xml" | "text/xml" => {
                    let mut wire = wire;
                    Ok((
                        wire.collect(self.limits.root_bytes).await?,
                        Attachments::none(),
                    ))
                }
                _ => Err(Trouble::bad("it is not SOAP")),
            }
        };
        match received.await {
            Ok((root, attachments)) => Ok((head.status, root, attachments)),
            Err(trouble) => Err(garbled(url, head.status, trouble)),
        }
    }

    /// Sends a request on a connection that is kept or new, and waits for the head of its answer.
    /// A kept connection may turn out to be closed; a request that was not sent then is sent on
    /// another one.
    async fn transfer(
        &self,
        url: &str,
        target: &Target,
        mut request: Request<Body>,
    ) -> Result<(Response<HttpBody>, Lease), ClientError> {
        let failed = |sent, reason| ClientError::Unreachable {
            url: url.to_owned(),
            reason,
            sent,
        };
        loop {
            let kept = self.pool.take(&target.peer);
            let is_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => {
                    let connected = self.connect(target).await;
                    connected.map_err(|reason| failed(false, reason))?
                }
            };
            if let Err(error) = sender.ready().await {
                if is_kept {
                    continue;
                }
                return Err(failed(false, error.to_string()));
            }
            let taken = request.body().taken();
            let answer = sender.try_send_request(request);
            match patiently(self.limits.answer(), &taken, answer).await {
                Ok(Ok(response)) => {
                    let pool = Arc::clone(&self.pool);
                    let lease = Lease {
                        pool,
                        peer: target.peer.clone(),
                        sender,
                    };
                    return Ok((response, lease));
                }
                Ok(Err(mut broken)) => match broken.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    unsent => return Err(failed(unsent.is_none(), chain(broken.error()))),
                },
                Err(_) => {
                    let seconds = self.limits.answer_seconds;
                    let reason = format!("no answer within {seconds} seconds");
                    return Err(failed(true, reason));
                }
            }
        }
    }

    async fn connect(&self, target: &Target) -> Result<SendRequest<Body>, String> {
        let limit = self.limits.connect();
        let connected = async {
            let address = (target.host.as_str(), target.port);
            let stream = TcpStream::connect(address)
                .await
                .map_err(|error| error.to_string())?;
            stream
                .set_nodelay(true)
                .map_err(|error| error.to_string())?;
            if !target.tls {
                return self.talk(stream).await;
            }
            let stream = secure(self.tls.as_ref(), &target.host, stream).await?;
            self.talk(stream).await
        };
        timeout(limit, connected)
            .await
            .unwrap_or_else(|_| Err(format!("no connection within {} seconds", limit.as_secs())))
    }

    async fn talk<S>(&self, stream: S) -> Result<SendRequest<Body>, String>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(Patient::new(stream, self.limits.progress()));
        let (sender, connection) = http1::Builder::new()
            .max_header_size(self.limits.header_bytes)
            .handshake(io)
            .await
            .map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
        Ok(sender)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Client")
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// The client's side of the TLS handshake.
pub(crate) async fn secure(
    tls: Option<&ClientTls>,
    host: &str,
    stream: TcpStream,
) -> Result<SslStream<TcpStream>, String> {
    let tls = tls.ok_or("no certificates are configured for TLS")?;
    let session = tls.session(host).map_err(|error| error.to_string())?;
    let mut stream = SslStream::new(session, stream).map_err(|error| error.to_string())?;
    match std::pin::Pin::new(&mut stream).connect().await {
        Ok(()) => Ok(stream),
        Err(error) => Err(match stream.ssl().verify_result() {
            openssl::x509::X509VerifyResult::OK => format!("TLS: {error}"),
            untrusted => format!(
                "its certificate is not trusted: {}",
                untrusted.error_string()
            ),
        }),
    }
}

/// Waits for an answer, as long as `limit` from when the last of the request was taken: a long
/// document may be on its way for longer.
async fn patiently<T>(
    limit: Duration,
    taken: &AtomicU64,
    answer: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let mut answer = std::pin::pin!(answer);
    loop {
        let before = taken.load(Ordering::Relaxed);
        match timeout(limit, &mut answer).await {
            Err(_) if taken.load(Ordering::Relaxed) > before => {}
            answered => return answered,
        }
    }
}

/// A URL, taken apart.
struct Target {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
    /// Connections to this are alike.
    peer: String,
}

impl Target {
    fn parse(url: &str) -> Result<Self, ClientError> {
        let wrong = |reason| ClientError::Url {
            url: url.to_owned(),
            reason,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("this is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("only https and http URLs can be asked")),
        };
        let authority = uri
            .authority()
            .ok_or_else(|| wrong("the URL names no host"))?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self {
            tls,
            port,
            peer: format!("{} {host} {port}", if tls { "https" } else { "http" }),
            host,
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    fn request(&self, method: &str, kind: Option<HeaderValue>, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        if method == "POST" {
            *request.method_mut() = http::Method::POST;
        }
        // Both were part of a URL that was parsed.
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        request
    }
}

fn garbled(url: &str, status: StatusCode, trouble: Trouble) -> ClientError {
    ClientError::Garbled {
        url: url.to_owned(),
        status: status.as_u16(),
        reason: trouble.fault.reason,
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
