//! The network between repository and registry, which may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

const PASS: u8 = 0;
const CUT_ANSWERS: u8 = 1;
const CUT_QUESTIONS: u8 = 2;

/// A line to a port.
pub(crate) struct Link {
    pub(crate) port: u16,
    to: u16,
    mode: Arc<AtomicU8>,
    listening: Option<JoinHandle<()>>,
}

impl Link {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut link = Self {
            port: listener.local_addr().unwrap().port(),
            to: port,
            mode: Arc::default(),
            listening: None,
        };
        link.listen(listener);
        link
    }

    fn listen(&mut self, listener: TcpListener) {
        let (to, mode) = (self.to, Arc::clone(&self.mode));
        self.listening = Some(tokio::spawn(async move {
            // Ends its tasks when it ends itself.
            let mut connections = JoinSet::new();
            loop {
                let (here, _) = listener.accept().await.unwrap();
                let there = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                connections.spawn(carry(here, there, Arc::clone(&mode)));
            }
        }));
    }

    /// Everything passes.
    pub(crate) fn pass(&self) {
        self.mode.store(PASS, Ordering::SeqCst);
    }

    /// Questions arrive; the line breaks when they are answered.
    pub(crate) fn cut_answers(&self) {
        self.mode.store(CUT_ANSWERS, Ordering::SeqCst);
    }

    /// The line breaks when something is asked, which nobody hears.
    pub(crate) fn cut_questions(&self) {
        self.mode.store(CUT_QUESTIONS, Ordering::SeqCst);
    }

    /// Nobody is there.
    pub(crate) async fn down(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            assert!(listening.await.unwrap_err().is_cancelled());
        }
    }

    /// Somebody is there again.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        self.listen(listener);
    }
}

async fn carry(mut here: TcpStream, mut there: TcpStream, mode: Arc<AtomicU8>) {
    let mut question = vec![0; 65536];
    let mut answer = vec![0; 65536];
    loop {
        tokio::select! {
            read = here.read(&mut question) => match read {
                Ok(1..) if mode.load(Ordering::SeqCst) == CUT_QUESTIONS => return,
                Ok(length @ 1..) => {
                    if there.write_all(&question[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            read = there.read(&mut answer) => match read {
                Ok(1..) if mode.load(Ordering::SeqCst) == CUT_ANSWERS => return,
                Ok(length @ 1..) => {
                    if here.write_all(&answer[..length]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
