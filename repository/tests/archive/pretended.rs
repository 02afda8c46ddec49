//! An archive that is only pretended: it says what the test wants, as slowly as it wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hilum_repository::imaging::archives::{ArchiveConfig, Credentials, Road};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What it does when it is asked.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes as often as it is let.
    Repeat(Vec<u8>, usize),
    /// Does nothing for a while.
    Wait(Duration),
}

/// A status line, headers and content, after which the connection is closed.
pub(crate) fn answer(status: &str, kind: &str, content: &[u8]) -> Vec<Does> {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n");
    vec![Does::Send([head.as_bytes(), content].concat())]
}

pub(crate) fn json(content: &str) -> Vec<Does> {
    answer("200 OK", "application/dicom+json", content.as_bytes())
}

/// Instances as WADO-RS gives them.
pub(crate) fn multipart(instances: &[&[u8]]) -> Vec<Does> {
    let mut content = Vec::new();
    for instance in instances {
        content.extend(b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n");
        content.extend(*instance);
    }
    content.extend(b"\r\n--b--\r\n");
    let kind = "multipart/related; type=\"application/dicom\"; boundary=b";
    answer("200 OK", kind, &content)
}

pub(crate) struct Pretended {
    port: u16,
    /// How often it was asked.
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Pretended {
    /// `does` says what is done when a path is asked for, the query included.
    pub(crate) async fn start(does: impl Fn(&str) -> Vec<Does> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(AtomicUsize::new(0));
        let (does, count) = (Arc::new(does), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (does, count) = (Arc::clone(&does), Arc::clone(&count));
                tokio::spawn(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                    // Whoever asked may be gone.
                    let _ = serve(stream, &*does).await;
                });
            }
        });
        Self { port, asked }
    }

    pub(crate) fn config(&self, name: &str) -> ArchiveConfig {
        let mut config = ArchiveConfig::new(
            name,
            Road::DicomWeb {
                url: format!("http://127.0.0.1:{}", self.port),
                credentials: Credentials::None,
            },
        );
        config.interval = Duration::from_millis(200);
        config.sweep = Duration::ZERO;
        config.patience = Duration::from_secs(3);
        config
    }
}

async fn serve(
    mut stream: TcpStream,
    does: &(dyn Fn(&str) -> Vec<Does> + Send + Sync),
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    for step in does(path) {
        match step {
            Does::Send(bytes) => stream.write_all(&bytes).await?,
            Does::Repeat(bytes, times) => {
                for _ in 0..times {
                    stream.write_all(&bytes).await?;
                }
            }
            Does::Wait(pause) => tokio::time::sleep(pause).await,
        }
        stream.flush().await?;
    }
    stream.shutdown().await
}
