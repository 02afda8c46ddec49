//! A peer that writes what it likes to a socket: for everything that a good client does not do.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use xds_schemas::ebrs::RegistryResponse;
use xds_schemas::soap::{self, BodyOrFault, Fault};

/// Longer than any limit that the tests set.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The HTTP headers.
    pub head: String,
    /// What follows them, as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// Reads an answer to the end of the connection.
    pub fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            // A peer that stops listening early may cut the connection after its answer.
            Err(_) if !bytes.is_empty() => {}
            other => _ = other?,
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Ok(Self {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            head,
            body: bytes.split_off(end + 4),
        })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The envelope: all of the body or, of an MTOM message, its first part.
    fn envelope(&self) -> &[u8] {
        let Some((_, rest)) = self.head.split_once("boundary=\"") else {
            return &self.body;
        };
        let boundary = rest.split('"').next().unwrap_or_default();
        let end = format!("\r\n--{boundary}");
        let find = |wanted: &[u8], bytes: &[u8]| {
            let mut places = bytes.windows(wanted.len());
            places.position(|place| place == wanted)
        };
        let start = find(b"\r\n\r\n", &self.body).map_or(0, |at| at + 4);
        let root = &self.body[start..];
        &root[..find(end.as_bytes(), root).unwrap_or(root.len())]
    }

    /// The SOAP fault that this is, or else a panic that shows what it is.
    pub fn fault(&self) -> Fault {
        match soap::read_answer::<RegistryResponse>(self.envelope()) {
            Ok(BodyOrFault::Fault(fault)) => fault,
            other => panic!("no fault but {other:?}: {}\n{}", self.head, self.text()),
        }
    }

    /// The registry response that this is, or else a panic that shows what it is.
    pub fn response(&self) -> RegistryResponse {
        match soap::read_answer::<RegistryResponse>(self.envelope()) {
            Ok(BodyOrFault::Body(response)) => response,
            other => panic!("no response but {other:?}: {}\n{}", self.head, self.text()),
        }
    }
}

/// A plain connection.
pub fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the node listens");
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(PATIENCE)).expect("a time limit");
    }
    stream
}

/// The head of a POST request whose connection ends with the answer.
pub fn head(path: &str, content_type: &str, length: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {content_type}\r\n{length}\r\n\r\n"
    )
}

/// Sends these bytes and takes what comes back.
pub fn exchange(port: u16, request: &[u8]) -> Answer {
    let mut stream = connect(port);
    // Who is refused early may not get everything out.
    let _ = stream.write_all(request);
    Answer::read(&mut stream).expect("an answer")
}

/// Posts a body.
pub fn post(port: u16, path: &str, content_type: &str, body: &[u8]) -> Answer {
    let length = format!("Content-Length: {}", body.len());
    let mut request = head(path, content_type, &length).into_bytes();
    request.extend_from_slice(body);
    exchange(port, &request)
}

/// Posts an envelope without MTOM.
pub fn soap(port: u16, path: &str, envelope: &str) -> Answer {
    let kind = "application/soap+xml; charset=UTF-8";
    post(port, path, kind, envelope.as_bytes())
}

/// Gets a page.
pub fn get(port: u16, path: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n");
    exchange(port, request.as_bytes())
}

/// Posts a body of `total` bytes that begins with `beginning` and goes on with spaces, until it is
/// all out or the node has had enough. Says how much went out.
pub fn post_long(
    port: u16,
    path: &str,
    content_type: &str,
    beginning: &[u8],
    total: u64,
) -> (u64, Answer) {
    let mut stream = connect(port);
    let length = format!("Content-Length: {total}");
    let request = head(path, content_type, &length).into_bytes();
    stream.write_all(&request).expect("the head is taken");
    let mut sent = 0;
    let spaces = vec![b' '; 256 * 1024];
    let mut next = beginning;
    while sent < total {
        match stream.write(next) {
            Ok(0) | Err(_) => break,
            Ok(written) => sent += written as u64,
        }
        next = &spaces[..spaces
            .len()
            .min(usize::try_from(total - sent).unwrap_or(usize::MAX))];
    }
    (sent, Answer::read(&mut stream).expect("an answer"))
}

/// Sends a request slowly: its pieces, and `pause` after each of them.
pub fn exchange_slowly(port: u16, pieces: &[&[u8]], pause: Duration) -> io::Result<Answer> {
    let mut stream = connect(port);
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            break;
        }
        std::thread::sleep(pause);
    }
    Answer::read(&mut stream)
}

/// A message of several parts: `multipart/related` as MTOM packs it.
#[derive(Debug, Clone)]
pub struct Multipart {
    /// The boundary in the Content-Type.
    pub boundary: String,
    /// The parameter `start`.
    pub start: String,
    /// Content-ID, Content-Type and content of each part.
    pub parts: Vec<(String, String, Vec<u8>)>,
}

impl Multipart {
    /// An envelope with attachments.
    pub fn of(envelope: &str, attachments: &[(&str, &[u8])]) -> Self {
        let root = (
            "root@tests.hilum".to_owned(),
            "application/xop+xml; charset=UTF-8; type=\"application/soap+xml\"".to_owned(),
            envelope.as_bytes().to_vec(),
        );
        let attachments = attachments.iter().map(|(id, content)| {
            let kind = "application/octet-stream".to_owned();
            ((*id).to_owned(), kind, content.to_vec())
        });
        Self {
            boundary: "a-boundary".to_owned(),
            start: root.0.clone(),
            parts: std::iter::once(root).chain(attachments).collect(),
        }
    }

    /// The Content-Type of the message.
    pub fn content_type(&self) -> String {
        format!(
            "multipart/related; type=\"application/xop+xml\"; start=\"<{}>\"; start-info=\"application/soap+xml\"; boundary=\"{}\"",
            self.start, self.boundary
        )
    }

    /// The message.
    pub fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        for (id, kind, content) in &self.parts {
            let opening = format!(
                "--{}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{id}>\r\n\r\n",
                self.boundary
            );
            body.extend_from_slice(opening.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        body
    }

    /// Posts it.
    pub fn post(&self, port: u16, path: &str) -> Answer {
        post(port, path, &self.content_type(), &self.body())
    }
}
