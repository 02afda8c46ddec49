//! Frames: where a message begins and ends.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::limits::Limits;

/// Vertical tab: a message begins.
const BEGIN: u8 = 0x0b;
/// How a TLS connection begins (RFC 8446, section 5.1).
const TLS: u8 = 0x16;
/// File separator: it ends. A carriage return follows.
const END: u8 = 0x1c;
/// How long a peer is waited for that is to close its end.
const LAST: Duration = Duration::from_secs(2);
/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// What comes next on a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A message, without what frames it.
    Message(Bytes),
    /// Nothing: the peer has closed the connection.
    End,
    /// Nothing: the peer says nothing for too long.
    Silence,
    /// Something that is no framed message, or not within the limits.
    Wrong(String),
}

/// Messages on a connection.
pub(super) struct Frames<'l, S> {
    stream: S,
    limits: &'l Limits,
    /// How long nothing may come before a message begins.
    idle: Duration,
    buffer: BytesMut,
    /// Bytes of the buffer that were looked at already and do not end the message.
    seen: usize,
    /// When the first of them came.
    began: Option<Instant>,
}

impl<'l, S: AsyncRead + AsyncWrite + Unpin> Frames<'l, S> {
    pub(super) fn new(stream: S, limits: &'l Limits, idle: Duration) -> Self {
        Self {
            stream,
            limits,
            idle,
            buffer: BytesMut::new(),
            seen: 0,
            began: None,
        }
    }

    /// Whether something of the next message has come.
    pub(super) fn has_begun(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// The next message. May be dropped and called again: what was read is kept.
    pub(super) async fn next(&mut self) -> Next {
        let silent_since = Instant::now();
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            let until = match self.buffer.is_empty() {
                true => silent_since + self.idle,
                false => self.patience(),
            };
            self.buffer.reserve(CHUNK);
            match timeout_at(until, self.stream.read_buf(&mut self.buffer)).await {
                Ok(Ok(0) | Err(_)) if self.buffer.is_empty() => return Next::End,
                Err(_) if self.buffer.is_empty() => return Next::Silence,
                Ok(Ok(0)) => return wrong("the connection was closed within a message"),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Next::Wrong(format!("the connection broke: {error}")),
                Err(_) => return wrong("the message took too long"),
            }
        }
    }

    /// Until when the message that has begun is waited for: the more has come, the longer.
    fn patience(&mut self) -> Instant {
        let began = *self.began.get_or_insert_with(Instant::now);
        let steps = self.buffer.len() as u64 / self.limits.progress_bytes.max(1);
        began + self.limits.progress() * u32::try_from(steps + 1).unwrap_or(u32::MAX)
    }

    /// What the buffer holds, if that is known already. Between messages, line ends mean nothing:
    /// one of them ends the frame before.
    fn take(&mut self) -> Option<Next> {
        while matches!(self.buffer.first(), Some(b'\r' | b'\n')) {
            self.buffer.advance(1);
        }
        match self.buffer.first() {
            None => return None,
            Some(&BEGIN) => {}
            Some(&TLS) => return Some(wrong("TLS was spoken to a port without TLS")),
            Some(_) => return Some(wrong("this is not MLLP: a message begins with 0x0B")),
        }
        let from = self.seen.max(1);
        let end = self.buffer[from..].iter().position(|byte| *byte == END);
        let most = self.limits.message_bytes;
        let length = end.map_or(self.buffer.len() - 1, |at| from + at - 1);
        if length > most {
            return Some(Next::Wrong(format!(
                "the message has more than {most} bytes (limits.message_bytes)"
            )));
        }
        if end.is_none() {
            self.seen = self.buffer.len();
            return None;
        }
        (self.seen, self.began) = (0, None);
        self.buffer.advance(1);
        let message = self.buffer.split_to(length).freeze();
        self.buffer.advance(1);
        Some(Next::Message(message))
    }

    /// Ends the connection in order: the peer has seen that it was opened, and its end of it is closed, or
    /// it has been waited for in vain.
    pub(super) async fn end(&mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let until = Instant::now() + self.idle.min(LAST);
        let mut passed = [0; 64];
        while let Ok(Ok(1..)) = timeout_at(until, self.stream.read(&mut passed)).await {}
    }

    /// Sends a message.
    pub(super) async fn answer(&mut self, message: &[u8]) -> io::Result<()> {
        let mut frame = Vec::with_capacity(message.len() + 3);
        frame.push(BEGIN);
        frame.extend_from_slice(message);
        frame.extend_from_slice(&[END, b'\r']);
        self.stream.write_all(&frame).await?;
        self.stream.flush().await
    }
}

fn wrong(reason: &str) -> Next {
    Next::Wrong(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    /// What is found in bytes that come in pieces of `size`.
    async fn found(bytes: &[u8], size: usize, limits: &Limits) -> Vec<Next> {
        let (mut peer, stream) = duplex(64);
        let bytes = bytes.to_vec();
        let sending = tokio::spawn(async move {
            for piece in bytes.chunks(size) {
                // The reader may have seen enough.
                if peer.write_all(piece).await.is_err() {
                    return;
                }
            }
        });
        let mut frames = Frames::new(stream, limits, limits.idle());
        let mut all = Vec::new();
        loop {
            let next = frames.next().await;
            let last = !matches!(next, Next::Message(_));
            all.push(next);
            if last {
                break;
            }
        }
        drop(frames);
        sending.await.unwrap();
        all
    }

    fn message(text: &'static str) -> Next {
        Next::Message(Bytes::from_static(text.as_bytes()))
    }

    #[tokio::test]
    async fn messages_are_found_however_they_come() {
        let bytes = b"\x0bMSH|one\r\x1c\r\x0bMSH|two\x1c\x0b\x1c\r\n";
        for size in [1, 2, 3, 7, bytes.len()] {
            let all = found(bytes, size, &Limits::default()).await;
            let expected = [
                message("MSH|one\r"),
                message("MSH|two"),
                message(""),
                Next::End,
            ];
            assert_eq!(all, expected, "{size}");
        }
    }

    #[tokio::test]
    async fn what_is_no_frame_is_refused() {
        let limits = Limits {
            message_bytes: 10,
            ..Limits::default()
        };
        let long = [&b"\x0b"[..], &[b'A'; 11]].concat();
        let fits = [&b"\x0b"[..], &[b'A'; 10], b"\x1c\r"].concat();
        for (bytes, said) in [
            (&b"GET / HTTP/1.1\r\n"[..], "not MLLP"),
            (b"\x0bMSH", "closed within"),
            (&long, "more than 10 bytes"),
        ] {
            for size in [1, bytes.len()] {
                let all = found(bytes, size, &limits).await;
                let [Next::Wrong(reason)] = all.as_slice() else {
                    panic!("{all:?}")
                };
                assert!(reason.contains(said), "{reason}");
            }
        }
        assert_eq!(found(&fits, 3, &limits).await[0], message("AAAAAAAAAA"));
        assert_eq!(found(b"", 1, &limits).await, [Next::End]);
    }

    /// The time that passes before a message begins is not the message's.
    #[tokio::test]
    async fn a_message_has_its_own_time() {
        let limits = Limits {
            idle_seconds: 60,
            progress_seconds: 1,
            ..Limits::default()
        };
        let (mut peer, stream) = duplex(64);
        let sending = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(1100)).await;
            peer.write_all(b"\x0bMSH|").await.unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
            peer.write_all(b"one\x1c\r").await.unwrap();
        });
        let mut frames = Frames::new(stream, &limits, limits.idle());
        assert_eq!(frames.next().await, message("MSH|one"));
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_waited_for_for_ever() {
        let limits = Limits {
            idle_seconds: 0,
            progress_seconds: 0,
            ..Limits::default()
        };
        let (mut peer, stream) = duplex(64);
        let mut frames = Frames::new(stream, &limits, limits.idle());
        assert_eq!(frames.next().await, Next::Silence);
        peer.write_all(b"\x0bMSH").await.unwrap();
        assert_eq!(frames.next().await, wrong("the message took too long"));
    }
}
