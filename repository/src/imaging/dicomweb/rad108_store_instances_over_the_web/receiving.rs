//! From the connection into a file.

use std::io::Write;

use hilum_transport::{IncomingPart, Trouble};
use tokio::task::spawn_blocking;

use crate::imaging::intake::{Incoming, Written};

/// Bytes that are gathered before they are written: most slices are shorter, and go into their file
/// at once.
const GATHERED: usize = 1024 * 1024;

/// A part that has come whole.
pub(super) struct Received {
    incoming: Incoming,
    /// The file, if something is in it.
    output: Option<Written>,
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
            output: None,
            rest: Vec::new(),
        };
        while let Some(chunk) = part.chunk().await? {
            received.rest.extend_from_slice(&chunk);
            if received.rest.len() < GATHERED {
                continue;
            }
            let written = spawn_blocking(move || {
                received.write()?;
                anyhow::Ok(received)
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
    pub(super) fn finish(mut self) -> anyhow::Result<Incoming> {
        self.write()?;
        if let Some(output) = self.output {
            output.finish()?;
        }
        Ok(self.incoming)
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let output = match &mut self.output {
            Some(output) => output,
            none => none.insert(self.incoming.output()?),
        };
        output.write_all(&self.rest)?;
        self.rest.clear();
        Ok(())
    }
}
