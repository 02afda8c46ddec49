//! Somebody who waits for answers, and writes down what came as it came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A plain HTTP server with one answer for everything.
pub(crate) struct Mailbox {
    pub(crate) address: SocketAddr,
    letters: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl Mailbox {
    /// Takes everything with 202.
    pub(crate) async fn open() -> Self {
        Self::saying("202 Accepted", Duration::ZERO).await
    }

    /// Says this to everything, a while after it came.
    pub(crate) async fn saying(status: &'static str, after: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::at(listener, status, after)
    }

    pub(crate) fn at(listener: TcpListener, status: &'static str, after: Duration) -> Self {
        let address = listener.local_addr().unwrap();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&letters);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    let (letter, mut stream) = read(stream).await;
                    tokio::time::sleep(after).await;
                    taken.lock().unwrap().push(letter);
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                });
            }
        });
        Self {
            address,
            letters,
            serving,
        }
    }

    /// The address of this, as a URL with a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/answers?for=me", self.address)
    }

    /// Everything that came so far.
    pub(crate) fn letters(&self) -> Vec<String> {
        self.letters.lock().unwrap().clone()
    }

    /// Waits until so many letters have come.
    pub(crate) async fn wait(&self, count: usize) -> Vec<String> {
        for _ in 0..1000 {
            let letters = self.letters();
            if letters.len() >= count {
                return letters;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} letters did not come: {:?}", self.letters());
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Reads one request to its end.
async fn read(mut stream: TcpStream) -> (String, TcpStream) {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "half a letter came");
        bytes.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let head = head.to_ascii_lowercase();
        let (_, length) = head.split_once("content-length: ").unwrap();
        let length: usize = length.lines().next().unwrap().parse().unwrap();
        if bytes.len() >= head.len() + 4 + length {
            return (text.into_owned(), stream);
        }
    }
}
