//! The client: asks another node, over connections that are kept.

mod manner;
mod plain;
mod several;
mod unreached;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use hyper::body::Incoming as HttpBody;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_openssl::SslStream;
use xds_schemas::soap::{self, BodyOrFault, Fault, Header};
use xds_schemas::transaction::{Nothing, Transaction};
use xds_schemas::xml::ToXml;

use hilum_security::iti19_authenticate_node::ClientTls;

use crate::body::Body;
use crate::call::content_type;
use crate::correlation::{Arrived, Correlation};
use crate::ended::Ending;
use crate::limits::Limits;
use crate::mtom_stream::{self, Attachments};
use crate::patient::Patient;
use crate::pool::{Lease, Pool};
use crate::reply::{Message, Part, new_message_id};
use crate::target::{Target, shown};
use crate::trusted::Trusted;
use crate::wire::{Trouble, Wire};

pub use manner::{ActionIn, Manner, TIMESTAMP_SECONDS};
pub use plain::{HttpAnswer, HttpRequest, HttpStream};
pub use several::Several;
pub use unreached::Unreached;

use unreached::NoConnection;

/// Why there is no answer. As text it names the server and the path, and repeats nothing of a URL
/// in which a password may stand.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The URL cannot be used.
    #[error("{}: {reason}", shown(url))]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no connection to the peer, or it broke before an answer came.
    #[error("{} cannot be reached: {reason}", shown(url))]
    Unreachable {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
        /// Whether the peer may have got the request, so that nobody knows what it did.
        sent: bool,
        /// The same reason for programs.
        kind: Unreached,
    },
    /// The peer answered with a fault.
    #[error("{} answered with a fault: {fault}", shown(url))]
    Fault {
        /// The URL.
        url: String,
        /// The fault.
        fault: Box<Fault>,
    },
    /// The peer answered something that cannot be read.
    #[error(
        "{} answered something that cannot be read (HTTP status {status}): {reason}",
        shown(url)
    )]
    Garbled {
        /// The URL.
        url: String,
        /// The HTTP status of the answer.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

impl ClientError {
    /// The same without the URL, whose path may say of whom images are.
    pub fn why(&self) -> String {
        match self {
            Self::Url { reason, .. } => (*reason).to_owned(),
            Self::Unreachable { reason, .. } => reason.clone(),
            Self::Fault { fault, .. } => format!("it answered with a fault: {fault}"),
            Self::Garbled { status, reason, .. } => {
                format!("its answer cannot be read (HTTP status {status}): {reason}")
            }
        }
    }
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
    /// The assertion of the user for whom it asks.
    assertion: Option<Arc<str>>,
    /// The community for which what it sends is meant.
    community: Option<Arc<str>>,
    /// Further header blocks of its requests, as XML.
    blocks: Option<Arc<str>>,
    /// The message to which its requests relate.
    relates_to: Option<Arc<str>>,
    manner: Manner,
}

impl Client {
    /// A client that can ask `https` URLs if it has a TLS configuration, and `http` URLs anyway.
    pub fn new(tls: Option<ClientTls>, limits: Limits) -> Self {
        let pool = Pool::new(limits.clone());
        Self {
            tls,
            limits,
            pool,
            assertion: None,
            community: None,
            blocks: None,
            relates_to: None,
            manner: Manner::default(),
        }
    }

    /// The same client, over the same connections, asking for the user of whom `assertion` speaks:
    /// SAML 2.0, which every SOAP request carries in its header (ITI-40).
    #[must_use]
    pub fn for_user(&self, assertion: &str) -> Self {
        Self {
            assertion: Some(assertion.into()),
            ..self.clone()
        }
    }

    /// The same client, whose SOAP requests say in their header for which community they are meant
    /// (ITI-41, ITI-80).
    #[must_use]
    pub fn for_community(&self, home_community_id: &str) -> Self {
        Self {
            community: Some(home_community_id.into()),
            ..self.clone()
        }
    }

    /// The same client, over the same connections, asking for nobody in particular.
    #[must_use]
    pub fn for_nobody(&self) -> Self {
        Self {
            assertion: None,
            ..self.clone()
        }
    }

    /// The same client, over the same connections, for peers that want to be spoken to like this.
    #[must_use]
    pub fn in_manner(&self, manner: Manner) -> Self {
        Self {
            manner,
            ..self.clone()
        }
    }

    /// The same client, over the same connections, whose SOAP requests carry these header blocks too.
    /// They declare their namespaces themselves.
    #[must_use]
    pub fn with_blocks(&self, blocks: &str) -> Self {
        let before = self.blocks.as_deref().unwrap_or_default();
        Self {
            blocks: Some([before, blocks].concat().into()),
            ..self.clone()
        }
    }

    /// The same client, over the same connections, whose SOAP requests relate to an earlier message: answers
    /// that are requests of their own (ITI-55, Deferred Response Option).
    #[must_use]
    pub fn relating_to(&self, message_id: &str) -> Self {
        Self {
            relates_to: Some(message_id.into()),
            ..self.clone()
        }
    }

    /// The envelope of a request with this header.
    fn envelope(&self, mut header: Header, request: &dyn ToXml) -> String {
        if let Some(blocks) = &self.blocks {
            header.parameters.push_str(blocks);
        }
        header.home_community_id = self.community.as_deref().map(str::to_owned);
        header.relates_to = self.relates_to.as_deref().map(str::to_owned);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let assertion = self.assertion.as_deref();
        self.manner.envelope(header, assertion, now, request)
    }

    /// Asks for a transaction. The request refers to the attachments with
    /// [`write_include`](xds_schemas::mtom::write_include).
    pub async fn send<T: Transaction>(
        &self,
        url: &str,
        request: &T::Request,
        attachments: Vec<Part>,
    ) -> Result<Answer<T::Response>, ClientError> {
        let header = Header::request(T::ACTION, new_message_id(), url);
        let envelope = self.envelope(header, request);
        let action = self.manner.in_content_type(T::ACTION);
        let mtom = T::MTOM && !self.manner.inline;
        let message = Message::new(envelope, attachments, mtom, action);
        let (status, root, attachments) = self.exchange(url, message, T::ACTION).await?;
        read_answer::<T>(url, status, root, attachments, self.manner)
    }

    /// Asks for a transaction whose answer is to come by itself, to where `correlation` receives.
    /// A peer that answers on the connection all the same is understood too.
    pub async fn send_asynchronously<T: Transaction>(
        &self,
        url: &str,
        request: &T::Request,
        attachments: Vec<Part>,
        correlation: &Correlation,
    ) -> Result<Answer<T::Response>, ClientError> {
        let id = new_message_id();
        let expected = correlation.expect(&id, T::RESPONSE_ACTION);
        let unanswered = |sent, reason| ClientError::Unreachable {
            url: url.to_owned(),
            reason,
            sent,
            kind: Unreached::Late,
        };
        let full = || unanswered(false, "too many answers are waited for already".to_owned());
        let expected = expected.ok_or_else(full)?;
        let header = Header::request(T::ACTION, id, url).answered_at(correlation.reply_to());
        let envelope = self.envelope(header, request);
        let message = Message::new(envelope, attachments, T::MTOM, Some(T::ACTION));
        let target = parse(url)?;
        let request = target.request("POST", Some(message.content_type), message.body);
        let (response, lease) = self.transfer(url, &target, request).await?;
        if response.status().is_success() && !response.headers().contains_key(header::CONTENT_TYPE)
        {
            let (_, body) = response.into_parts();
            drop(Wire::new(body, Some(lease), &self.limits));
            let arrived = expected.arrived().await;
            let seconds = correlation.patience().as_secs();
            let late = || unanswered(true, format!("no answer within {seconds} seconds"));
            let Arrived { root, attachments } = arrived.ok_or_else(late)?;
            return read_answer::<T>(url, StatusCode::OK, root, attachments, self.manner);
        }
        let (status, root, attachments) = self.received(url, response, lease).await?;
        read_answer::<T>(url, status, root, attachments, self.manner)
    }

    /// Sends a message that is answered by nothing but an HTTP status.
    pub(crate) async fn deliver(
        &self,
        target: &Target,
        request: Request<Body>,
    ) -> Result<(), NotDelivered> {
        let url = target.peer();
        let (response, lease) = self.transfer(&url, target, request).await?;
        let (head, body) = response.into_parts();
        // What else it says means nothing; some of it is read, so that the connection can be kept.
        drop(Wire::new(body, Some(lease), &self.limits));
        match head.status.is_success() {
            true => Ok(()),
            // Nor is a redirection followed: it may lead to whom nobody allowed.
            false => Err(NotDelivered {
                error: garbled(
                    &url,
                    head.status,
                    Trouble::bad("it did not take the answer"),
                ),
                unsent: None,
            }),
        }
    }

    /// Sends a request that has no response, saying who sends it. What counts is that the peer
    /// has taken it: HTTP says so with an empty answer (202, 200 or 204), and some stacks with an
    /// empty envelope.
    ///
    /// # Errors
    /// If it was not taken: `sent` tells whether the peer may have got it all the same.
    pub async fn send_one_way<T: Transaction>(
        &self,
        url: &str,
        from: Option<&str>,
        request: &(dyn ToXml + Sync),
    ) -> Result<(), ClientError> {
        let header = Header {
            from: from.map(str::to_owned),
            ..Header::request(T::ACTION, new_message_id(), url)
        };
        let envelope = self.envelope(header, request);
        let message = Message::new(envelope, Vec::new(), T::MTOM, Some(T::ACTION));
        let target = parse(url)?;
        let request = target.request("POST", Some(message.content_type), message.body);
        let (response, lease) = self.transfer(url, &target, request).await?;
        let (head, body) = response.into_parts();
        let mut wire = Wire::new(body, Some(lease), &self.limits);
        let content = wire.collect(self.limits.root_bytes).await;
        let content = content.map_err(|trouble| garbled(url, head.status, trouble))?;
        match soap::read_answer::<Nothing>(&content) {
            Ok(BodyOrFault::Fault(fault)) => Err(ClientError::Fault {
                url: url.to_owned(),
                fault: Box::new(fault),
            }),
            _ if head.status.is_success() => Ok(()),
            _ => Err(ClientError::Garbled {
                url: url.to_owned(),
                status: head.status.as_u16(),
                reason: "it is neither taken nor refused with a fault".to_owned(),
            }),
        }
    }

    /// Gets something that is not SOAP: status and at most [`Limits::root_bytes`] of content.
    pub async fn fetch(&self, url: &str) -> Result<(u16, Bytes), ClientError> {
        let target = parse(url)?;
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
        action: &str,
    ) -> Result<(StatusCode, Bytes, Attachments), ClientError> {
        let target = parse(url)?;
        let mut request = target.request("POST", Some(message.content_type), message.body);
        if let Some(action) = self.manner.soap_action(action) {
            request.headers_mut().insert("soapaction", action);
        }
        let (response, lease) = self.transfer(url, &target, request).await?;
        self.received(url, response, lease).await
    }

    /// Takes the envelope of an answer.
    async fn received(
        &self,
        url: &str,
        response: Response<HttpBody>,
        lease: Lease,
    ) -> Result<(StatusCode, Bytes, Attachments), ClientError> {
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
    ) -> Result<(Response<HttpBody>, Lease), NotDelivered> {
        let failed = |unsent: Option<Request<Body>>, kind, reason| NotDelivered {
            error: ClientError::Unreachable {
                url: url.to_owned(),
                reason,
                sent: unsent.is_none(),
                kind,
            },
            unsent: unsent.map(Box::new),
        };
        let peer = target.peer();
        loop {
            let kept = self.pool.take(&peer);
            let is_kept = kept.is_some();
            let (mut sender, ending) = match kept {
                Some(sender) => (sender, Ending::default()),
                None => match self.connect(target).await {
                    Ok(connected) => connected,
                    Err(no) => return Err(failed(Some(request), no.kind, no.reason)),
                },
            };
            if let Err(error) = sender.ready().await {
                if is_kept {
                    continue;
                }
                let no = NoConnection::broke(&ending, &error);
                return Err(failed(Some(request), no.kind, no.reason));
            }
            let taken = request.body().taken();
            let answer = sender.try_send_request(request);
            match patiently(self.limits.answer(), &taken, answer).await {
                Ok(Ok(response)) => {
                    let pool = Arc::clone(&self.pool);
                    let lease = Lease { pool, peer, sender };
                    return Ok((response, lease));
                }
                Ok(Err(mut broken)) => match broken.take_message() {
                    Some(unsent) if is_kept => request = unsent,
                    unsent => {
                        let no = NoConnection::broke(&ending, broken.error());
                        return Err(failed(unsent, no.kind, no.reason));
                    }
                },
                Err(_) => {
                    let seconds = self.limits.answer_seconds;
                    let reason = format!("no answer within {seconds} seconds");
                    return Err(failed(None, Unreached::Late, reason));
                }
            }
        }
    }

    async fn connect(&self, target: &Target) -> Result<(SendRequest<Body>, Ending), NoConnection> {
        let limit = self.limits.connect();
        let connected = async {
            let address = (target.origin.host.as_str(), target.origin.port);
            let stream = unreached::dial(address).await?;
            stream
                .set_nodelay(true)
                .map_err(|error| NoConnection::broken(error.to_string()))?;
            if !target.origin.tls {
                let talking = self.talk(stream).await.map_err(NoConnection::broken);
                return Ok((talking?, Ending::default()));
            }
            let secured = secure(self.tls.as_ref(), &target.origin.host, stream).await;
            let stream = secured.map_err(NoConnection::not_trusted)?;
            let ending = stream.ending();
            let talking = self.talk(stream).await.map_err(NoConnection::broken);
            Ok((talking?, ending))
        };
        timeout(limit, connected)
            .await
            .unwrap_or_else(|_| Err(NoConnection::late(limit)))
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
pub(crate) async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    tls: Option<&ClientTls>,
    host: &str,
    stream: S,
) -> Result<Trusted<SslStream<S>>, String> {
    let tls = tls.ok_or("no certificates are configured for TLS")?;
    let unusable = |error: ErrorStack| {
        tracing::error!(library = %error, "TLS cannot be spoken");
        "TLS cannot be spoken, because the library fails".to_owned()
    };
    let session = tls.session(host).map_err(unusable)?;
    let mut stream = SslStream::new(session, stream).map_err(unusable)?;
    let Err(error) = std::pin::Pin::new(&mut stream).connect().await else {
        let standing = tls.standing(stream.ssl());
        return Ok(Trusted::new(stream, standing).0);
    };
    let why = tls.refusal(stream.ssl(), &error);
    if let Some(library) = &why.library {
        tracing::debug!(host, library, "a TLS handshake failed");
    }
    let why = match why.subject {
        None => format!("TLS: {why}"),
        Some(_) => format!("its certificate is not trusted: {why}"),
    };
    tls.failed(host, &why).await;
    Err(why)
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

/// Why a request got no answer, and the request itself if nothing of it was sent.
pub(crate) struct NotDelivered {
    pub(crate) error: ClientError,
    pub(crate) unsent: Option<Box<Request<Body>>>,
}

impl From<NotDelivered> for ClientError {
    fn from(failed: NotDelivered) -> Self {
        failed.error
    }
}

fn parse(url: &str) -> Result<Target, ClientError> {
    Target::parse(url).map_err(|reason| ClientError::Url {
        url: url.to_owned(),
        reason,
    })
}

/// Reads the answer out of its envelope.
fn read_answer<T: Transaction>(
    url: &str,
    status: StatusCode,
    root: Bytes,
    attachments: Attachments,
    manner: Manner,
) -> Result<Answer<T::Response>, ClientError> {
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
            let header = match soap::read_header(&root) {
                Err(_) if manner.action == ActionIn::Http => Header::default(),
                read => read.map_err(|refused| garbled(refused.fault.reason))?,
            };
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
