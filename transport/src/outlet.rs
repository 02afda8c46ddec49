//! Connections into which is only written, and which nobody answers, as syslog has them (RFC 5425,
//! RFC 6587).
//!
//! That bytes were written says nothing: they may wait in a buffer of this machine or of the other
//! when it fails. What tells is the end. Who has read everything up to our farewell closes the
//! connection too; who is killed before that, or loses what it has not read, does not: the system then
//! resets the connection. So [`Outlet::finish`] says farewell, and waits.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use hilum_security::iti19_authenticate_node::ClientTls;

use crate::client::secure;
use crate::ended::is_mere_end;
use crate::limits::Limits;
use crate::trusted::Trusted;

/// A connection to somebody who reads.
pub struct Outlet {
    stream: Stream,
    limits: Limits,
}

enum Stream {
    Tls(Box<Trusted<SslStream<TcpStream>>>),
    Plain(TcpStream),
}

/// How somebody who had read everything closed the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farewell {
    /// As TLS wants it, so that nobody in between can have done it.
    Said,
    /// Without a word, but without an error too: there is no TLS, or it was not used for that.
    Unsaid,
}

impl Outlet {
    /// Connects to a host and port, with TLS if `tls` is given.
    ///
    /// # Errors
    /// Says in a sentence why nobody is reached there in time.
    pub async fn open(
        host: &str,
        port: u16,
        tls: Option<&ClientTls>,
        limits: &Limits,
    ) -> Result<Self, String> {
        let connected = async {
            let stream = TcpStream::connect((host, port)).await;
            let stream = stream.map_err(|error| error.to_string())?;
            let nodelay = stream.set_nodelay(true);
            nodelay.map_err(|error| error.to_string())?;
            Ok(match tls {
                Some(_) => Stream::Tls(Box::new(secure(tls, host, stream).await?)),
                None => Stream::Plain(stream),
            })
        };
        let limit = limits.connect();
        let too_long = || Err(format!("no connection within {} seconds", limit.as_secs()));
        let stream = timeout(limit, connected).await;
        Ok(Self {
            stream: stream.unwrap_or_else(|_| too_long())?,
            limits: limits.clone(),
        })
    }

    /// Writes everything. If nothing is taken for too long, or the other end has closed, it fails, and
    /// nobody knows how much was read.
    ///
    /// # Errors
    /// Says in a sentence why it was not written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        tokio::select! {
            biased;
            why = self.closed() => return Err(why),
            () = std::future::ready(()) => {}
        }
        let limit = self.limits.progress();
        let mut left = bytes;
        while !left.is_empty() {
            let written = match &mut self.stream {
                Stream::Tls(stream) => timeout(limit, stream.write(left)).await,
                Stream::Plain(stream) => timeout(limit, stream.write(left)).await,
            };
            match written {
                Ok(Ok(0)) => return Err("it takes nothing any more".to_owned()),
                Ok(Ok(count)) => left = &left[count..],
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => return Err(format!("it took nothing for {} seconds", limit.as_secs())),
            }
        }
        Ok(())
    }

    /// Waits until the other end closes the connection, or it breaks, and says how. What the other end
    /// says otherwise means nothing.
    pub async fn closed(&mut self) -> String {
        let ended = match &mut self.stream {
            Stream::Tls(stream) => read_to_end(stream).await,
            Stream::Plain(stream) => read_to_end(stream).await,
        };
        match ended {
            Ok(()) => "it closed the connection".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Says farewell and waits until the other end closes the connection too, which it does when it
    /// has read everything.
    ///
    /// # Errors
    /// If the connection breaks instead, or nothing happens for too long: nobody knows how much was
    /// read.
    pub async fn finish(mut self) -> Result<Farewell, String> {
        let limit = self.limits.progress();
        let finished = async {
            match &mut self.stream {
                Stream::Tls(stream) => finish_tls(stream).await,
                Stream::Plain(stream) => finish_plain(stream).await,
            }
        };
        let late = || {
            Err(format!(
                "it did not close within {} seconds",
                limit.as_secs()
            ))
        };
        timeout(limit, finished).await.unwrap_or_else(|_| late())
    }
}

async fn finish_tls(stream: &mut Trusted<SslStream<TcpStream>>) -> Result<Farewell, String> {
    let bye = stream.shutdown().await;
    bye.map_err(|error| error.to_string())?;
    match read_to_end(stream).await {
        Ok(()) => Ok(Farewell::Said),
        Err(error) if is_mere_end(&error) => Ok(Farewell::Unsaid),
        Err(error) => Err(error.to_string()),
    }
}

async fn finish_plain(stream: &mut TcpStream) -> Result<Farewell, String> {
    let bye = stream.shutdown().await;
    bye.map_err(|error| error.to_string())?;
    let ended = read_to_end(stream).await;
    ended.map_err(|error| error.to_string())?;
    Ok(Farewell::Unsaid)
}

async fn read_to_end<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let mut ignored = [0; 1024];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
