//! A room that echoes, its certificates, and a client that writes HTTP by hand.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node::{self as iti19, TlsFiles};
use hilum_security::{Caller, Permission};
use hilum_transport::{
    Asynchronous, Call, Client, Incoming, Limits, Part, PartSource, Refused, Replies, Reply, Rest,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use xds_schemas::mtom;
use xds_schemas::soap::Fault;
use xds_schemas::transaction::Transaction;
use xds_schemas::xml::{Element, FromXml, Reader, ToXml, Writer, XmlError};

/// A message that holds a text and refers to attachments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) text: String,
    pub(crate) refers_to: Vec<String>,
}

impl Words {
    pub(crate) fn of(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            refers_to: Vec::new(),
        }
    }
}

impl FromXml for Words {
    fn from_xml(reader: &mut Reader<'_>, _: &Element<'_>) -> Result<Self, XmlError> {
        let mut words = Self::of("");
        while let Some(child) = reader.child()? {
            if child.is("urn:x", "text") {
                words.text = reader.text()?.into_owned();
            } else if let Some(include) = reader.child()? {
                words
                    .refers_to
                    .push(mtom::content_id(&reader.required(&include, "href")?));
                reader.skip()?;
                reader.skip()?;
            }
        }
        Ok(words)
    }
}

impl ToXml for Words {
    fn to_xml(&self, writer: &mut Writer) {
        writer
            .open("words")
            .attribute("xmlns", "urn:x")
            .element("text", &self.text);
        for id in &self.refers_to {
            writer.open("content");
            mtom::write_include(writer, id);
            writer.close("content");
        }
        writer.close("words");
    }
}

/// Answers with the text and what came attached.
pub(crate) struct Echo;
impl Transaction for Echo {
    const ASYNCHRONOUS: bool = true;
    const ACTION: &'static str = "urn:test:echo";
    const RESPONSE_ACTION: &'static str = "urn:test:echoed";
    const MTOM: bool = true;
    type Request = Words;
    type Response = Words;
}

/// Answers with the file that the text names.
pub(crate) struct Fetch;
impl Transaction for Fetch {
    const ASYNCHRONOUS: bool = true;
    const ACTION: &'static str = "urn:test:fetch";
    const RESPONSE_ACTION: &'static str = "urn:test:fetched";
    const MTOM: bool = true;
    type Request = Words;
    type Response = Words;
}

/// Asks for a defect.
pub(crate) struct Panic;
impl Transaction for Panic {
    const ASYNCHRONOUS: bool = true;
    const ACTION: &'static str = "urn:test:panic";
    const RESPONSE_ACTION: &'static str = "urn:test:never";
    const MTOM: bool = false;
    type Request = Words;
    type Response = Words;
}

/// Answers when there is a file of the name that the text says. Text that says nothing is a fault.
pub(crate) struct Wait;
impl Transaction for Wait {
    const ASYNCHRONOUS: bool = true;
    const ACTION: &'static str = "urn:test:wait";
    const RESPONSE_ACTION: &'static str = "urn:test:waited";
    const MTOM: bool = false;
    type Request = Words;
    type Response = Words;
}

/// Is answered on its connection only.
pub(crate) struct Here;
impl Transaction for Here {
    const ACTION: &'static str = "urn:test:here";
    const RESPONSE_ACTION: &'static str = "urn:test:was-here";
    const MTOM: bool = false;
    type Request = Words;
    type Response = Words;
}

/// What the room recorded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) refused: Vec<(Refused, String)>,
    pub(crate) callers: Vec<Caller>,
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    pub(crate) authority: Identity,
    pub(crate) log: Arc<Mutex<Log>>,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<bool>,
}

impl Site {
    pub(crate) async fn plain(limits: Limits) -> Self {
        Self::start(limits, false).await
    }

    pub(crate) async fn secure() -> Self {
        Self::start(Limits::default(), true).await
    }

    pub(crate) async fn start(limits: Limits, secure: bool) -> Self {
        Self::answering(limits, secure, &Asynchronous::default()).await
    }

    /// A site that may answer elsewhere.
    pub(crate) async fn answering(limits: Limits, secure: bool, allowed: &Asynchronous) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Identity::authority("Test CA", 2).unwrap();
        let path = |name: &str| folder.path().join(name);
        authority.write(&path("ca.pem"), &path("ca.key")).unwrap();
        for name in ["server", "viewer"] {
            let node = authority.issue(name, &[], 2).unwrap();
            node.write(&path(&format!("{name}.pem")), &path(&format!("{name}.key")))
                .unwrap();
        }
        let files = files(folder.path().into(), "server");
        let tls = secure.then(|| iti19::server_config(&files).unwrap());
        let client = secure.then(|| iti19::client_config(&files).unwrap());
        let replies = Replies::new(allowed, Client::new(client, limits.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log = Arc::new(Mutex::new(Log::default()));
        let (stop, stopped) = oneshot::channel();
        let room = Arc::clone(&log);
        let routes = move |incoming| routes(Arc::clone(&room), incoming);
        let served = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            let rest = Rest::under(["rest", "other"]);
            hilum_transport::serve_with(listener, tls, limits, replies, rest, routes, stopped).await
        });
        Self {
            address,
            folder,
            authority,
            log,
            stop: Some(stop),
            served,
        }
    }

    pub(crate) fn files(&self, node: &str) -> TlsFiles {
        files(self.folder.path().into(), node)
    }

    pub(crate) fn client(&self, node: &str) -> Client {
        let tls = iti19::client_config(&self.files(node)).unwrap();
        Client::new(Some(tls), Limits::default())
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/room", self.address.port())
    }

    /// Waits until the room has recorded a refusal.
    pub(crate) async fn refusal(&self) -> (Refused, String) {
        for _ in 0..200 {
            if let Some(refused) = self.log.lock().unwrap().refused.pop() {
                return refused;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nothing was refused");
    }

    pub(crate) async fn stop(mut self) -> bool {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap()
    }

    /// Sends bytes on a new plain connection and reads until it is closed.
    pub(crate) async fn exchange(&self, bytes: &[u8]) -> String {
        Self::exchange_with(self.address, bytes).await
    }

    /// The same with somebody else.
    pub(crate) async fn exchange_with(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Posts a body on a connection of its own.
    pub(crate) async fn post(&self, content_type: &str, body: &[u8]) -> String {
        let mut request = format!(
            "POST /room HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\
             Content-Type: {content_type}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request).await
    }
}

fn files(folder: PathBuf, node: &str) -> TlsFiles {
    TlsFiles {
        certificate: folder.join(format!("{node}.pem")),
        key: folder.join(format!("{node}.key")),
        trust: vec![folder.join("ca.pem")],
        client_certificate_required: true,
        check_server_name: true,
    }
}

async fn routes(log: Arc<Mutex<Log>>, incoming: Incoming) -> Reply {
    match incoming {
        Incoming::Get(get) => Reply::plain(
            200,
            "text/plain",
            format!("{} {:?}", get.endpoint, get.query),
        ),
        Incoming::Request(request) => {
            log.lock().unwrap().callers.push(request.caller().clone());
            crate::rest::answer(request).await
        }
        Incoming::Refused(refusal) => {
            let refused = (refusal.what, refusal.fault.to_string());
            log.lock().unwrap().refused.push(refused);
            refusal.reply()
        }
        Incoming::Call(call) => {
            log.lock().unwrap().callers.push(call.caller().clone());
            answer(call)
                .await
                .unwrap_or_else(|fault| Reply::fault(&fault))
        }
    }
}

async fn answer(call: Call) -> Result<Reply, Fault> {
    match call.action() {
        Echo::ACTION => {
            let (_, request, mut attachments) =
                call.permitted(Permission::Query)?.read::<Echo>()?;
            let mut text = request.text;
            while let Some(mut attachment) = attachments.next().await? {
                let mut length = 0;
                while let Some(chunk) = attachment.chunk().await? {
                    length += chunk.len();
                }
                write!(text, " {}={length}", attachment.content_id()).unwrap();
            }
            Ok(Reply::of::<Echo>(&Words::of(&text)))
        }
        Fetch::ACTION => {
            let (_, request, _) = call.permitted(Permission::Retrieve)?.read::<Fetch>()?;
            let path = PathBuf::from(&request.text);
            let length = path.metadata().unwrap().len();
            let part = Part {
                content_id: "one file@test".into(),
                content_type: "application/dicom".into(),
                source: PartSource::File {
                    path,
                    offset: 1,
                    length: length - 1,
                },
            };
            let answer = Words {
                text: "here".into(),
                refers_to: vec!["one file@test".into()],
            };
            let mut writer = Writer::default();
            answer.to_xml(&mut writer);
            Ok(Reply::mtom::<Fetch>(writer.finish(), vec![part]))
        }
        Wait::ACTION => {
            let (_, request, _) = call.permitted(Permission::Query)?.read::<Wait>()?;
            if request.text.is_empty() {
                return Err(Fault::receiver("nothing to wait for"));
            }
            while !PathBuf::from(&request.text).exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            Ok(Reply::of::<Wait>(&Words::of("at last")))
        }
        Here::ACTION => {
            let (_, request, _) = call.permitted(Permission::Query)?.read::<Here>()?;
            Ok(Reply::of::<Here>(&request))
        }
        Panic::ACTION => {
            call.permitted(Permission::Query)?.read::<Panic>()?;
            panic!("as asked")
        }
        other => Err(Fault::action_not_supported(other)),
    }
}

/// An envelope as a peer might write it.
pub(crate) fn envelope(action: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope' \
         xmlns:a='http://www.w3.org/2005/08/addressing'><s:Header>\
         <a:Action s:mustUnderstand='1'>{action}</a:Action><a:MessageID>uuid:1</a:MessageID>\
         <a:ReplyTo><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address>\
         </a:ReplyTo></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

pub(crate) const HELLO: &str = "<words xmlns='urn:x'><text>hello</text></words>";
pub(crate) const SOAP: &str = "application/soap+xml; charset=UTF-8";
