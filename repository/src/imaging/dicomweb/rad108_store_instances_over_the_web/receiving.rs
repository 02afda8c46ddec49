//! From the connection into a file.

use std::fs::OpenOptions;
use std::io::Write;

use hilum_transport::{IncomingPart, Trouble};
use tokio::task::spawn_blocking;

use crate::imaging::intake::Incoming;

/// Bytes that are gathered before they are written: most slices are shorter, and go into their file
/// at once.
const GATHERED: usize = 1024 * 1024;

/// A part that has come whole.
pub(super) struct Received {
    incoming: Incoming,
    /// What is not in the file yet.
    rest: Vec<u8>,
}

impl Received {
    /// Takes a part from the connection. The outer failure is the connection's, the inner one ours.
    pub(super) async fn of(
        mut part: IncomingPart<'_>,
        incoming: Incoming,
    ) -> Result<anyhow::Result<Self>, Trouble> {
        let mut received = Self {
            incoming,
            rest: Vec::new(),
        };
        while let Some(chunk) = part.chunk().await? {
            received.rest.extend_from_slice(&chunk);
            if received.rest.len() < GATHERED {
                continue;
            }
            let written = spawn_blocking(move || {
                let incoming = received.finish()?;
                anyhow::Ok(Self {
                    incoming,
                    rest: Vec::new(),
                })
            });
            received = match written.await {
                Ok(Ok(written)) => written,
                // The rest of the part is passed over.
                Ok(Err(error)) => return Ok(Err(error)),
                Err(error) => return Ok(Err(error.into())),
            };
        }
        Ok(Ok(received))
    }

    /// Writes what is not in the file yet. Blocks.
    pub(super) fn finish(self) -> anyhow::Result<Incoming> {
        if !self.rest.is_empty() {
            let mut file = OpenOptions::new().append(true).open(self.incoming.path())?;
            file.write_all(&self.rest)?;
        }
        Ok(self.incoming)
    }
}
