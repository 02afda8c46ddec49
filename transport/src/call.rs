//! A request on its way into a room: first who asks for what, then what exactly.

mod several;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use hyper::body::Incoming as HttpBody;
use tokio::sync::oneshot;
use xds_schemas::mtom::ContentType;
use xds_schemas::soap::{self, About, Fault, FaultCode, Header};
use xds_schemas::transaction::Transaction;
use xds_schemas::wsse::Security;

use hilum_security::{Caller, Permission, UserRefused};

use crate::asynchronous::{Accepted, Replies, Wanted};
use crate::limits::Limits;
use crate::mtom_stream::{self, Attachments};
use crate::presence::Presence;
use crate::reply::{Asked, Reply};
use crate::rest::Request;
use crate::users::{Doorway, NoUser};
use crate::wire::{Trouble, Wire};

pub use several::TakesSeveral;

/// What comes to a room.
#[derive(Debug)]
pub enum Incoming {
    /// A SOAP request.
    Call(Call),
    /// A plain HTTP request.
    Get(Get),
    /// A request at a path that is not asked with SOAP: see [`Rest`](crate::Rest).
    Request(Request),
    /// Something that was refused here already and is handed over to be recorded. Answer it with
    /// [`Refusal::reply`].
    Refused(Refusal),
}

impl Incoming {
    /// The same from somebody whose presence is known.
    pub(crate) fn attended(self, presence: Presence) -> Self {
        match self {
            Self::Call(call) => Self::Call(Call { presence, ..call }),
            Self::Request(request) => Self::Request(request.attended(presence)),
            other => other,
        }
    }
}

/// A plain HTTP request (`GET` or `HEAD`): a WSDL, the state of health.
#[derive(Debug)]
pub struct Get {
    /// Who asks.
    pub caller: Caller,
    /// The path, as it was sent.
    pub path: String,
    /// What follows the question mark.
    pub query: Option<String>,
    /// The URL of this request without its query, as the caller knows it.
    pub endpoint: String,
}

/// Something that was refused before it reached the room.
#[derive(Debug)]
pub struct Refusal {
    /// Who was refused. A node that failed to identify itself is known by its address only.
    pub caller: Caller,
    /// What was refused.
    pub what: Refused,
    /// Why, as whoever was refused is told.
    pub fault: Fault,
    /// Why, as the operator is told, if that is more.
    told: Option<String>,
    status: StatusCode,
    /// Whether whoever was refused does not speak SOAP.
    plain: bool,
    /// `WWW-Authenticate`: how whoever was refused can say who they are.
    challenge: Option<String>,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A connection: the node did not authenticate itself (ITI-19).
    Connection,
    /// A message that cannot be taken.
    Message,
    /// A user who was named and not believed (ITI-40, ITI-72), or not named and had to be.
    User,
    /// A call that was taken and then lost by a defect of this program.
    Lost,
    /// An answer, by the server to which the caller wanted it sent, or because that server could
    /// not be reached.
    Answer,
}

impl Refusal {
    const fn of(what: Refused, caller: Caller, fault: Fault, status: StatusCode) -> Self {
        Self {
            caller,
            what,
            fault,
            told: None,
            status,
            plain: false,
            challenge: None,
        }
    }

    pub(crate) const fn connection(caller: Caller, fault: Fault) -> Self {
        Self::of(Refused::Connection, caller, fault, StatusCode::FORBIDDEN)
    }

    /// A call was lost. If it was a plain one, so is the answer.
    pub(crate) fn lost(caller: Caller, plain: bool) -> Self {
        let fault = Fault::receiver("the call was lost by an internal error");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self {
            plain,
            ..Self::of(Refused::Lost, caller, fault, status)
        }
    }

    /// An answer was not taken.
    pub(crate) fn answer(caller: Caller, reason: &str) -> Self {
        let fault = Fault::receiver(format!("an answer was not delivered: {reason}"));
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Self::of(Refused::Answer, caller, fault, status)
    }

    /// Something came over MLLP that is no message.
    pub(crate) const fn unframed(caller: Caller, fault: Fault) -> Self {
        Self::of(Refused::Message, caller, fault, StatusCode::BAD_REQUEST)
    }

    fn message(caller: Caller, trouble: Trouble) -> Self {
        unreadable(&caller, "unknown", &trouble.fault);
        Self {
            told: trouble.fault.detail.as_ref().map(|detail| detail.0.clone()),
            ..Self::of(Refused::Message, caller, trouble.fault, trouble.status)
        }
    }

    /// What an assertion says is not believed.
    fn user(caller: Caller, refused: UserRefused) -> Self {
        let fault = refused.fault();
        Self {
            told: Some(refused.why),
            ..Self::of(Refused::User, caller, fault, StatusCode::BAD_REQUEST)
        }
    }

    /// What a token says is not believed.
    fn bearer(caller: Caller, refused: NoUser) -> Self {
        let fault = Fault::not_permitted(refused.told);
        Self {
            told: Some(refused.why),
            plain: true,
            challenge: Some(refused.challenge),
            ..Self::of(Refused::User, caller, fault, refused.status)
        }
    }

    /// Why, for the operator.
    pub fn why(&self) -> &str {
        self.told.as_deref().unwrap_or(&self.fault.reason)
    }

    /// The answer to what was refused. If that is a connection or an answer, it goes nowhere.
    pub fn reply(&self) -> Reply {
        if self.plain {
            let text = format!("{}\n", self.fault.reason);
            let reply = Reply::plain(self.status.as_u16(), "text/plain; charset=utf-8", text);
            return match &self.challenge {
                Some(challenge) => reply.and_header("www-authenticate", challenge),
                None => reply,
            };
        }
        Reply::fault_with_status(&self.fault, self.status)
    }
}

/// A SOAP request: its envelope is here, its attachments are still on the wire.
pub struct Call {
    header: Box<Header>,
    caller: Caller,
    path: String,
    endpoint: String,
    root: Bytes,
    attachments: Attachments,
    /// The assertion that says for whom it is, if there is one that was believed.
    assertion: Option<String>,
    /// What is wanted that is not an answer on this connection.
    wanted: Option<Box<Wanted>>,
    /// Whether several messages are taken for an answer.
    several: Option<TakesSeveral>,
    /// Ends when everything on the wire was taken.
    taken: oneshot::Receiver<()>,
    presence: Presence,
}

/// Without what it says, which is about patients, and without what it shows to be let in.
impl std::fmt::Debug for Call {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Call")
            .field("caller", &self.caller)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// What is asked for: the `wsa:Action`.
    pub fn action(&self) -> &str {
        &self.header.action
    }

    /// Who asks.
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The SOAP header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The assertion that says for whom it is, as XML: for rooms that call others for the same user.
    pub fn assertion(&self) -> Option<&str> {
        self.assertion.as_deref()
    }

    /// Whether the caller still waits for the answer.
    pub fn presence(&self) -> Presence {
        self.presence.clone()
    }

    /// The path that was called.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The URL that was called, as the caller knows it: for the audit.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Whether the caller takes an answer in several messages: `Accept` names `multipart/mixed`, and wants it no
    /// less than SOAP. Others, and those who are answered elsewhere, get one message.
    pub const fn takes_several(&mut self) -> Option<TakesSeveral> {
        self.several.take()
    }

    /// Makes the call readable, if the caller may make it.
    pub fn permitted(self, permission: Permission) -> Result<Permitted, Fault> {
        match self.caller.may(permission) {
            Ok(()) => Ok(Permitted { call: self }),
            Err(refused) => Err(Fault::not_permitted(refused.to_string())),
        }
    }

    /// The message itself, of a call that answers one of ours.
    pub(crate) fn into_message(self) -> (Header, Bytes, Attachments, oneshot::Receiver<()>) {
        (*self.header, self.root, self.attachments, self.taken)
    }
}

/// A call whose caller may make it. Only a permitted call can be read.
#[derive(Debug)]
pub struct Permitted {
    call: Call,
}

impl Permitted {
    /// The envelope as it came, for records that must keep it.
    pub const fn envelope(&self) -> &Bytes {
        &self.call.root
    }

    /// Reads the request. If its answer is wanted elsewhere, that is decided here: from now on, the
    /// answer goes there.
    pub fn read<T: Transaction>(self) -> Result<(Caller, T::Request, Attachments), Fault> {
        let Call {
            caller,
            root,
            attachments,
            wanted,
            taken,
            ..
        } = self.call;
        let accepting = wanted.map(|wanted| wanted.judge(T::ASYNCHRONOUS));
        let accepting = accepting.transpose()?;
        let request = soap::read_body::<T::Request>(&root).map_err(Fault::from);
        let request = request.inspect_err(|fault| unreadable(&caller, T::ACTION, fault))?;
        if let Some(accepting) = accepting {
            accepting.accept(taken);
        }
        Ok((caller, request, attachments))
    }
}

/// A request, as far as a room needs it to decide.
pub(crate) struct Received {
    pub(crate) incoming: Incoming,
    pub(crate) caller: Caller,
    pub(crate) asked: Asked,
    /// Comes when a call is accepted whose answer is not simply given on its connection.
    pub(crate) accepted: Option<oneshot::Receiver<Accepted>>,
    /// To be held as long as the caller waits.
    pub(crate) waits: Option<oneshot::Sender<()>>,
}

/// Takes a request as far as a room needs it to decide.
pub(crate) async fn receive(
    request: http::Request<HttpBody>,
    mut caller: Caller,
    scheme: &str,
    (limits, doorway): (&Limits, &Doorway),
    replies: &Replies,
) -> Received {
    let (head, body) = request.into_parts();
    let endpoint = endpoint(&head, scheme);
    let path = head.uri.path().to_owned();
    let (mut asked, mut accepted) = (Asked::default(), None);
    let (several, waits) = TakesSeveral::of(&head.headers);
    let incoming = if doorway.rest.has(&path) {
        match doorway.users.of_request(&head, &caller).await {
            Ok(user) => {
                caller.user = user;
                let caller = caller.clone();
                Incoming::Request(Request::of(&head, body, caller, endpoint, limits))
            }
            Err(refused) => Incoming::Refused(Refusal::bearer(caller.clone(), refused)),
        }
    } else if matches!(head.method, Method::GET | Method::HEAD) {
        Incoming::Get(Get {
            caller: caller.clone(),
            path,
            query: head.uri.query().map(str::to_owned),
            endpoint,
        })
    } else {
        let expects_continue = head.headers.contains_key(header::EXPECT);
        let mut wire = Wire::new(body, None, limits).expecting_continue(expects_continue);
        let taken = wire.taken();
        let users = &doorway.users;
        let understood = users.understand_assertions();
        let received = receive_message(&head, wire, &mut asked, limits, understood);
        match received.await {
            Ok(message) => match users.of_message(&message.security, &caller, &path) {
                Ok(user) => {
                    caller.user = user;
                    let wanted = Wanted::of(&message.header, replies).map(|(wanted, told)| {
                        accepted = Some(told);
                        caller.reply_to = wanted.reply_to().map(str::to_owned);
                        Box::new(wanted)
                    });
                    Incoming::Call(Call {
                        header: Box::new(message.header),
                        caller: caller.clone(),
                        path,
                        endpoint,
                        root: message.root,
                        attachments: message.attachments,
                        assertion: message.security.assertions.into_iter().next(),
                        several: several.filter(|_| wanted.is_none()),
                        wanted,
                        taken,
                        presence: Presence::default(),
                    })
                }
                Err(refused) => Incoming::Refused(Refusal::user(caller.clone(), refused)),
            },
            Err(trouble) => Incoming::Refused(Refusal::message(caller.clone(), trouble)),
        }
    };
    Received {
        incoming,
        caller,
        asked,
        accepted,
        waits,
    }
}

/// Tells the operator of a message that cannot be read.
fn unreadable(caller: &Caller, action: &str, fault: &Fault) {
    let node = caller.node.as_ref().map(|node| node.short());
    let (address, why) = (caller.address, fault.why());
    tracing::warn!(%address, node, action, "a message was refused: {why}");
}

/// A SOAP message, of which only the header was read.
struct Message {
    header: Header,
    security: Security,
    root: Bytes,
    attachments: Attachments,
}

async fn receive_message(
    head: &Parts,
    mut wire: Wire,
    asked: &mut Asked,
    limits: &Limits,
    understand_assertions: bool,
) -> Result<Message, Trouble> {
    if head.method != Method::POST {
        return Err(Trouble::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "SOAP requests are sent with POST",
        ));
    }
    let content_type = content_type(&head.headers)?;
    let (root, attachments) = match content_type.essence.as_str() {
        "multipart/related" => {
            asked.mtom = true;
            mtom_stream::receive(wire, &content_type, limits).await?
        }
        // text/xml is what SOAP 1.1 uses: it is read only to be refused in its own words.
        "application/soap+xml" | "text/xml" => {
            (wire.collect(limits.root_bytes).await?, Attachments::none())
        }
        _ => return Err(unsupported()),
    };
    let read = match understand_assertions {
        true => soap::read_header_and_security(&root),
        false => soap::read_header(&root).map(|header| (header, Security::default())),
    };
    let (header, security) = match read {
        Ok(read) => read,
        Err(refused) => {
            asked.message_id = refused.message_id;
            return Err(trouble(refused.fault));
        }
    };
    asked.message_id.clone_from(&header.message_id);
    if content_type.essence == "text/xml" {
        return Err(unsupported());
    }
    Ok(Message {
        header,
        security,
        root,
        attachments,
    })
}

/// Reads the `Content-Type`, which a SOAP message must have.
pub(crate) fn content_type(headers: &HeaderMap) -> Result<ContentType, Trouble> {
    let value = headers.get(header::CONTENT_TYPE).ok_or_else(unsupported)?;
    let value = value.to_str().map_err(|_| unsupported())?;
    ContentType::parse(value)
        .map_err(|error| Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error.to_string()))
}

fn unsupported() -> Trouble {
    Trouble::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the Content-Type must be application/soap+xml or, for MTOM, multipart/related",
    )
}

/// The status of the SOAP 1.2 HTTP binding.
fn trouble(fault: Fault) -> Trouble {
    let status = match (fault.code, &fault.about) {
        (FaultCode::Sender, Some(About::Soap11)) => StatusCode::INTERNAL_SERVER_ERROR,
        (FaultCode::Sender, _) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Trouble { status, fault }
}

fn endpoint(head: &Parts, scheme: &str) -> String {
    let host = head
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or_else(|| head.uri.authority().map(|authority| authority.as_str()));
    format!(
        "{scheme}://{}{}",
        host.unwrap_or("unknown"),
        head.uri.path()
    )
}
