//! Where a client wants its answers, instead of on the connections of its calls.

use std::net::TcpListener;

use hilum_security::iti19_authenticate_node::server_config;
use hilum_transport::{Correlation, Incoming, Limits, Reply};

use crate::Town;
use crate::town::tls_files;

/// An address of its own. It is known before it is open, as a node must be told of it.
#[derive(Debug)]
pub struct Desk {
    listener: Option<TcpListener>,
    port: u16,
    plain: bool,
    /// What is waited for there.
    pub correlation: Correlation,
}

impl Desk {
    /// An address that nobody else has, where nobody listens yet.
    pub fn reserve(plain: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let scheme = if plain { "http" } else { "https" };
        let correlation = Correlation::new(format!("{scheme}://localhost:{port}/answers"));
        Self {
            listener: Some(listener),
            port,
            plain,
            correlation,
        }
    }

    /// Nobody listens there any more, until it is opened.
    pub fn close(&mut self) {
        self.listener = None;
    }

    /// The socket of its address, for who takes what comes there by hand.
    pub fn into_listener(mut self) -> TcpListener {
        self.listener.take().expect("it was not closed")
    }

    /// Scheme, host and port.
    pub fn server(&self) -> String {
        let url = self.correlation.reply_to();
        url.trim_end_matches("/answers").to_owned()
    }

    /// What allows a node to send answers there.
    pub fn allowed(&self) -> (String, String) {
        ("HILUM_ASYNCHRONOUS__REPLY_TO".into(), self.server())
    }

    /// Takes answers from now on, with the certificate of the town's client.
    pub fn open(&mut self, town: &Town) {
        let again = || TcpListener::bind(("127.0.0.1", self.port)).expect("its own port");
        let listener = self.listener.take().unwrap_or_else(again);
        listener.set_nonblocking(true).expect("a socket for tokio");
        let listener = tokio::net::TcpListener::from_std(listener).expect("within a runtime");
        let tls = (!self.plain).then(|| {
            let files = tls_files(&town.node(), "client");
            server_config(&files).expect("init writes good certificates")
        });
        let correlation = self.correlation.clone();
        let routes = move |incoming| take(correlation.clone(), incoming);
        let forever = std::future::pending();
        let limits = Limits::default();
        tokio::spawn(hilum_transport::serve(
            listener, tls, limits, routes, forever,
        ));
    }
}

async fn take(correlation: Correlation, incoming: Incoming) -> Reply {
    match incoming {
        Incoming::Call(call) => {
            let received = correlation.receive(call).await;
            received.unwrap_or_else(|fault| Reply::fault(&fault))
        }
        Incoming::Refused(refusal) => refusal.reply(),
        Incoming::Get(_) | Incoming::Request(_) => {
            Reply::plain(404, "text/plain", "nothing here\n")
        }
    }
}
