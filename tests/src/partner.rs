//! A community of somebody else: a Responding Gateway that answers as a test says, with every oddity of
//! its own. It speaks HTTP by hand and believes nothing of ours.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openssl::base64::encode_block;
use openssl::ssl::{SslAcceptor, SslFiletype, SslMethod, SslVerifyMode};

use crate::raw::Multipart;
use crate::words;

/// Action of an answer of ITI-38.
pub const QUERY_ANSWER: &str = "urn:ihe:iti:2007:CrossGatewayQueryResponse";
/// Action of an answer of ITI-39.
pub const RETRIEVE_ANSWER: &str = "urn:ihe:iti:2007:CrossGatewayRetrieveResponse";
/// How all statuses begin.
const STATUS: &str = "urn:oasis:names:tc:ebxml-regrep:ResponseStatusType";

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The request line and the headers.
    pub head: String,
    /// What follows.
    pub body: String,
}

impl Asked {
    /// The next one on a connection, unless the caller has gone.
    pub fn read(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line);
        }
        let mut asked = Self {
            head,
            body: String::new(),
        };
        let length = asked
            .header("content-length")
            .and_then(|it| it.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        if asked.header("transfer-encoding") == Some("chunked") {
            body = chunked(stream)?;
        }
        asked.body = String::from_utf8_lossy(&body).into_owned();
        Ok(Some(asked))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let found = lines.find(|(it, _)| it.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The documents that are asked for.
    pub fn documents(&self) -> Vec<String> {
        let pieces = self.body.split("DocumentUniqueId>");
        let ids = pieces.skip(1).step_by(2);
        ids.filter_map(|piece| piece.split('<').next().map(str::to_owned))
            .collect()
    }

    /// Whether it is a query.
    pub fn is_query(&self) -> bool {
        self.body.contains("AdhocQueryRequest")
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Said {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type`
    pub content_type: String,
    /// What follows the headers.
    pub body: Vec<u8>,
    /// How long it takes to begin.
    pub after: Duration,
    /// Of the body, so many bytes are sent; then the connection breaks.
    pub breaks_at: Option<usize>,
}

impl Said {
    /// An envelope without MTOM.
    pub fn envelope(envelope: &str) -> Self {
        Self {
            status: 200,
            content_type: "application/soap+xml; charset=UTF-8".to_owned(),
            body: envelope.as_bytes().to_vec(),
            after: Duration::ZERO,
            breaks_at: None,
        }
    }

    /// A message of several parts.
    pub fn multipart(message: &Multipart) -> Self {
        Self {
            content_type: message.content_type(),
            body: message.body(),
            ..Self::envelope("")
        }
    }

    /// A fault.
    pub fn fault(reason: &str) -> Self {
        let body = format!(
            "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason>\
             <s:Text xml:lang=\"en\">{reason}</s:Text></s:Reason></s:Fault>"
        );
        let action = "http://www.w3.org/2005/08/addressing/soap/fault";
        Self {
            status: 400,
            ..Self::envelope(&words::envelope(action, &body))
        }
    }

    /// A status without anything.
    pub fn status(status: u16) -> Self {
        Self {
            status,
            content_type: "text/plain".to_owned(),
            ..Self::envelope("no")
        }
    }

    /// Sends it; `connection` is what its header of this name says.
    pub fn write(&self, out: &mut impl Write, connection: &str) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {} Said\r\nContent-Type: {}\r\nConnection: {connection}\r\nContent-Length: {}\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        out.write_all(head.as_bytes())?;
        out.write_all(&self.body[..self.breaks_at.unwrap_or(self.body.len())])?;
        out.flush()
    }

    /// The same after a while.
    #[must_use]
    pub const fn after(mut self, after: Duration) -> Self {
        self.after = after;
        self
    }
}

/// `query:AdhocQueryResponse` with a reference to each of these objects. Without `home` they do not say
/// from which community they are.
pub fn found(home: Option<&str>, ids: &[&str]) -> String {
    let home = home.map(|home| format!(" home=\"{home}\""));
    let home = home.unwrap_or_default();
    let objects = ids
        .iter()
        .map(|id| format!("<rim:ObjectRef id=\"{id}\"{home}/>"));
    format!(
        "<query:AdhocQueryResponse xmlns:query=\"urn:oasis:names:tc:ebxml-regrep:xsd:query:3.0\" \
         xmlns:rim=\"urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0\" status=\"{STATUS}:Success\">\
         <rim:RegistryObjectList>{}</rim:RegistryObjectList></query:AdhocQueryResponse>",
        objects.collect::<String>()
    )
}

/// `xds:RetrieveDocumentSetResponse` with these documents, whose content is told by `content`.
fn response(
    home: &str,
    repository: &str,
    ids: &[String],
    content: impl Fn(&str) -> String,
) -> String {
    let documents = ids.iter().map(|id| {
        format!(
            "<xds:DocumentResponse><xds:HomeCommunityId>{home}</xds:HomeCommunityId>\
             <xds:RepositoryUniqueId>{repository}</xds:RepositoryUniqueId>\
             <xds:DocumentUniqueId>{id}</xds:DocumentUniqueId><xds:mimeType>text/plain</xds:mimeType>\
             <xds:Document>{}</xds:Document></xds:DocumentResponse>",
            content(id)
        )
    });
    format!(
        "<xds:RetrieveDocumentSetResponse xmlns:xds=\"urn:ihe:iti:xds-b:2007\">\
         <rs:RegistryResponse xmlns:rs=\"urn:oasis:names:tc:ebxml-regrep:xsd:rs:3.0\" \
         status=\"{STATUS}:Success\"/>{}</xds:RetrieveDocumentSetResponse>",
        documents.collect::<String>()
    )
}

/// The documents that were asked for, in the envelope.
pub fn inline(
    home: &str,
    repository: &str,
    ids: &[String],
    content: impl Fn(&str) -> Vec<u8>,
) -> String {
    response(home, repository, ids, |id| encode_block(&content(id)))
}

/// The same as attachments, which come in the order of `sent`.
pub fn attached(
    home: &str,
    repository: &str,
    ids: &[String],
    sent: &[String],
    content: impl Fn(&str) -> Vec<u8>,
) -> Multipart {
    let body = response(home, repository, ids, |id| {
        format!(
            "<x:Include xmlns:x=\"http://www.w3.org/2004/08/xop/include\" href=\"cid:{id}@partner\"/>"
        )
    });
    let parts: Vec<_> = sent
        .iter()
        .map(|id| (format!("{id}@partner"), content(id)))
        .collect();
    let parts: Vec<_> = parts
        .iter()
        .map(|(id, content)| (id.as_str(), content.as_slice()))
        .collect();
    Multipart::of(&words::envelope(RETRIEVE_ANSWER, &body), &parts)
}

/// A Responding Gateway. It ends when it is left.
#[derive(Debug)]
pub struct Partner {
    host: &'static str,
    port: u16,
    with_tls: bool,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    asked: Mutex<Vec<Asked>>,
    now: AtomicUsize,
    most: AtomicUsize,
    connections: AtomicUsize,
    most_connections: AtomicUsize,
    ended: AtomicBool,
}

type Answering = Arc<dyn Fn(&Asked) -> Said + Send + Sync>;

impl Partner {
    /// One that answers like this.
    pub fn open(answer: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        Self::at(0, answer)
    }

    /// The same at a port.
    pub fn at(port: u16, answer: impl Fn(&Asked) -> Said + Send + Sync + 'static) -> Self {
        Self::listen(port, None, Arc::new(answer))
    }

    /// The same with TLS: `certificate` and `key` are its own, and callers must have a certificate that
    /// one of `trust` vouches for.
    pub fn secure(
        certificate: &Path,
        key: &Path,
        trust: &Path,
        answer: impl Fn(&Asked) -> Said + Send + Sync + 'static,
    ) -> Self {
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("TLS");
        acceptor
            .set_certificate_chain_file(certificate)
            .expect("a certificate");
        acceptor
            .set_private_key_file(key, SslFiletype::PEM)
            .expect("a key");
        acceptor.set_ca_file(trust).expect("an authority");
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
        Self::listen(0, Some(acceptor.build()), Arc::new(answer))
    }

    fn listen(port: u16, tls: Option<SslAcceptor>, answer: Answering) -> Self {
        // The names of certificates for trying things out are others than that of one with TLS.
        let host = if tls.is_some() {
            "127.0.0.2"
        } else {
            "127.0.0.1"
        };
        let listener = TcpListener::bind((host, port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let with_tls = tls.is_some();
        let of_thread = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if of_thread.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (state, answer, tls) =
                    (Arc::clone(&of_thread), Arc::clone(&answer), tls.clone());
                std::thread::spawn(move || {
                    count(&state.connections, &state.most_connections);
                    // A caller may go at any time.
                    let _ = match tls {
                        None => talk(stream, &state, &answer),
                        Some(tls) => match tls.accept(stream) {
                            Ok(stream) => talk(stream, &state, &answer),
                            Err(_) => Ok(()),
                        },
                    };
                    state.connections.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self {
            host,
            port,
            with_tls,
            state,
        }
    }

    /// Where it is asked.
    pub fn url(&self) -> String {
        let scheme = if self.with_tls { "https" } else { "http" };
        format!("{scheme}://{}:{}/gateway", self.host, self.port)
    }

    /// Everything that it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        let asked = self.state.asked.lock();
        asked.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many calls it had at a time at most.
    pub fn most_at_a_time(&self) -> usize {
        self.state.most.load(Ordering::SeqCst)
    }

    /// How many connections it had at a time at most.
    pub fn most_connections(&self) -> usize {
        self.state.most_connections.load(Ordering::SeqCst)
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        // So that it sees that.
        let _ = TcpStream::connect((self.host, self.port));
    }
}

fn count(now: &AtomicUsize, most: &AtomicUsize) {
    let count = now.fetch_add(1, Ordering::SeqCst) + 1;
    most.fetch_max(count, Ordering::SeqCst);
}

/// One request after the other, until the caller goes.
fn talk(stream: impl Read + Write, state: &State, answer: &Answering) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = Asked::read(&mut stream)? {
        count(&state.now, &state.most);
        {
            let all = state.asked.lock();
            all.unwrap_or_else(PoisonError::into_inner)
                .push(asked.clone());
        }
        let said = answer(&asked);
        std::thread::sleep(said.after);
        state.now.fetch_sub(1, Ordering::SeqCst);
        said.write(stream.get_mut(), "keep-alive")?;
        if said.breaks_at.is_some() {
            return Ok(());
        }
    }
    Ok(())
}

/// A body whose length was not known when it began.
fn chunked(stream: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16);
        let length = length.map_err(|_| io::ErrorKind::InvalidData)?;
        let begin = body.len();
        body.resize(begin + length, 0);
        stream.read_exact(&mut body[begin..])?;
        stream.read_exact(&mut [0; 2])?;
        if length == 0 {
            return Ok(body);
        }
    }
}
