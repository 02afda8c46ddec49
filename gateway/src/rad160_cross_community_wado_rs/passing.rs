//! What goes to the one who is asked, and what comes back, as it comes.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use hilum_transport::{ClientError, HttpRequest, HttpStream, PartSource, Reply, Request, Stream};
use tokio::sync::mpsc;

use super::Source;
use crate::asking::Permit;

/// Chunks that wait for who takes them.
const CHUNKS: usize = 2;
/// What of a question goes on.
const ASKED: [&str; 4] = ["accept", "accept-charset", "range", "if-none-match"];
/// What of an answer goes back.
const ANSWERED: [&str; 4] = ["content-location", "content-range", "etag", "warning"];

/// Asks, and waits until the answer begins.
pub(super) async fn open(
    request: &Request,
    source: &Source<'_>,
) -> Result<HttpStream, ClientError> {
    let header = |name: &'static str| Some((name, request.header(name)?));
    let mut headers: Vec<(&str, String)> = ASKED.into_iter().filter_map(header).collect();
    if source.pass_token {
        headers.extend(header("authorization"));
    }
    let asking = HttpRequest {
        method: request.method(),
        url: &source.url,
        headers: &headers,
        body: Bytes::new(),
    };
    source.client.open_http(asking).await
}

/// The answer, which comes from one connection and goes to another.
pub(super) fn reply(stream: HttpStream, permit: Permit, is_head: bool) -> Reply {
    let status = stream.status();
    let header = |name: &str| stream.header(name).map(str::to_owned);
    let kind = header("content-type").unwrap_or_else(|| "application/octet-stream".to_owned());
    let length = header("content-length").and_then(|length| length.parse().ok());
    let told: Vec<_> = ANSWERED.map(|name| (name, header(name))).into();
    let content = match is_head || status == 304 {
        true => PartSource::Bytes(Bytes::new()),
        false => PartSource::Stream(relayed(stream, permit, length)),
    };
    let reply = Reply::content(status, &kind, content);
    told.into_iter()
        .fold(reply, |reply, (name, value)| match value {
            Some(value) => reply.and_header(name, &value),
            None => reply,
        })
}

fn relayed(stream: HttpStream, permit: Permit, length: Option<u64>) -> Stream {
    // Nobody else holds it; the lock is only what lets it be handed to another thread.
    let stream = Mutex::new(stream);
    let open = move || {
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let stream = stream.into_inner().unwrap_or_else(PoisonError::into_inner);
        tokio::spawn(async move {
            pass(stream, sender).await;
            // The call counts until all of its answer has come.
            drop(permit);
        });
        receiver
    };
    match length {
        Some(length) => Stream::new(length, open),
        None => Stream::of_unknown_length(open),
    }
}

/// Hands chunks on until there are no more or nobody takes them; then the connection is given up.
async fn pass(mut stream: HttpStream, to: mpsc::Sender<io::Result<Bytes>>) {
    loop {
        let chunk = tokio::select! {
            chunk = stream.chunk() => chunk,
            () = to.closed() => return,
        };
        let chunk = match chunk {
            Ok(Some(chunk)) => Ok(chunk),
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(why = error.why(), "images broke off on their way");
                Err(io::Error::other(error.why()))
            }
        };
        let broke_off = chunk.is_err();
        if to.send(chunk).await.is_err() || broke_off {
            return;
        }
    }
}
