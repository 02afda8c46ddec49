//! Answers in several messages: `multipart/mixed`, each part of which is a SOAP envelope that is sent as soon
//! as it is there.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;
use xds_schemas::{mtom, soap};

use super::{Asked, Message, Stream, header_value};
use crate::body::{Body, Piece};

/// Messages that wait for the connection. Whoever makes them waits when it takes no more.
const WAITING: usize = 1;

/// One message of several.
#[derive(Debug)]
pub struct OneOfSeveral {
    /// Whose it is, which its part says. That of nobody is the last.
    pub community: Option<String>,
    /// The body of its envelope.
    pub body: String,
}

/// All of them, as they come.
#[derive(Debug)]
pub(super) struct Several {
    pub(super) first: OneOfSeveral,
    pub(super) others: mpsc::Receiver<OneOfSeveral>,
}

impl Several {
    /// The message of all of them. When the connection goes, so does the receiver.
    pub(super) fn written(self, asked: Asked, action: &'static str, blocks: String) -> Message {
        let boundary = format!("hilum-{}", Uuid::new_v4().simple());
        let content_type = header_value(&mtom::mixed_content_type(&boundary));
        let written = move || {
            let (to, chunks) = mpsc::channel(WAITING);
            let envelope = move |body: &str| {
                let mut header = asked.answered_with(action);
                header.parameters.push_str(&blocks);
                soap::write_around(&header, body)
            };
            tokio::spawn(self.write(to, boundary, envelope));
            chunks
        };
        let stream = Stream::of_unknown_length(written);
        let base64 = false;
        Message {
            content_type,
            body: Body::of([Piece::Stream { stream, base64 }]),
        }
    }

    async fn write(
        self,
        to: mpsc::Sender<io::Result<Bytes>>,
        boundary: String,
        envelope: impl Fn(&str) -> String,
    ) {
        let Self { first, mut others } = self;
        let mut opening = mtom::mixed_opening(&boundary);
        let mut next = Some(first);
        // Until the last one, the end, or the connection goes.
        while let Some(message) = next {
            let community = message.community.as_deref();
            let part = mtom::mixed_part(&boundary, community, &envelope(&message.body));
            let chunk = [std::mem::take(&mut opening), part].concat();
            let is_last = community.is_none();
            if to.send(Ok(chunk.into())).await.is_err() || is_last {
                return;
            }
            next = tokio::select! {
                next = others.recv() => next,
                () = to.closed() => return,
            };
        }
        // Whoever takes it may have gone too.
        let _ = to.send(Err(io::ErrorKind::UnexpectedEof.into())).await;
    }
}
