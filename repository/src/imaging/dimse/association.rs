//! An association that stands: messages in both directions (PS3.7 section 6, PS3.8 annex E).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use dicom_ul::pdu::{AbortRQServiceProviderReason, Pdu};
use tokio::time::Instant;

use super::command::{self, Command};
use super::pdu::{Fragment, LONGEST_PDU, Received, Wire};

/// The longest PDU that is sent, if the other end takes it.
const LONGEST_SENT: usize = 128 * 1024;
/// Before the bytes of a presentation data value.
const VALUE_HEAD: usize = 6;
/// How long the next piece of a message may take to begin.
const PROGRESS: Duration = Duration::from_secs(30);
/// How long the end of an association may take.
const ENDING: Duration = Duration::from_secs(10);

/// A presentation context that was agreed upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) abstract_syntax: String,
    pub(super) transfer_syntax: String,
}

/// What an association ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The other released it, and was answered.
    Released,
    /// The other aborted it or closed the connection.
    Aborted,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// A message. If it has a data set, that is to be taken with [`Association::data`].
    Message {
        context: u8,
        command: Command,
    },
    /// Nothing came in time.
    Silence,
    End(Ended),
}

/// An association that stands.
pub(super) struct Association {
    wire: Wire,
    /// By their identifiers.
    pub(super) contexts: BTreeMap<u8, Agreed>,
    /// Bytes of one fragment that the other end takes.
    fragment: usize,
    /// Fragments that came in one PDU and are not used yet.
    waiting: VecDeque<Fragment>,
    /// A command of which the end has not come yet.
    begun: Option<(u8, Vec<u8>)>,
    last_message_id: u16,
}

impl Association {
    /// `taken` is the longest PDU that the other end takes; 0 means that it does not mind.
    pub(super) fn new(wire: Wire, contexts: BTreeMap<u8, Agreed>, taken: u32) -> Self {
        let taken = match taken as usize {
            0 => LONGEST_SENT,
            // Nobody can say anything in less.
            taken => taken.clamp(128, LONGEST_SENT),
        };
        Self {
            wire,
            contexts,
            fragment: taken - VALUE_HEAD,
            waiting: VecDeque::new(),
            begun: None,
            last_message_id: 0,
        }
    }

    /// A number for a request of ours.
    pub(super) fn new_message_id(&mut self) -> u16 {
        self.last_message_id = self.last_message_id.wrapping_add(1).max(1);
        self.last_message_id
    }

    /// The context of this abstract syntax, if there is one.
    pub(super) fn context_of(&self, abstract_syntax: &str) -> Option<(u8, &Agreed)> {
        let mut contexts = self.contexts.iter();
        let found = contexts.find(|(_, agreed)| agreed.abstract_syntax == abstract_syntax);
        found.map(|(id, agreed)| (*id, agreed))
    }

    /// The next message, or how it ended. Waits for its beginning until then. May be given up at any
    /// time and called again.
    pub(super) async fn next(&mut self, until: Instant) -> anyhow::Result<Next> {
        loop {
            let until = match self.begun {
                Some(_) => Instant::now() + PROGRESS,
                None => until,
            };
            let fragment = match self.fragment(until).await? {
                Came::Fragment(fragment) => fragment,
                Came::Silence if self.begun.is_some() => bail!("a command comes too slowly"),
                Came::Silence => return Ok(Next::Silence),
                Came::End(ended) => return Ok(Next::End(ended)),
            };
            if !fragment.is_command {
                bail!("a data set where a command must be");
            }
            let (context, bytes) = self.begun.get_or_insert((fragment.context, Vec::new()));
            if *context != fragment.context {
                bail!("a command in two presentation contexts");
            }
            if bytes.len() + fragment.bytes.len() > command::MOST_BYTES {
                bail!("a command is too long");
            }
            bytes.extend(fragment.bytes);
            if fragment.is_last
                && let Some((context, bytes)) = self.begun.take()
            {
                let command = Command::read(&bytes).context("a command that cannot be read")?;
                return Ok(Next::Message { context, command });
            }
        }
    }

    /// The next piece of a message's data set, and whether it is the last one.
    pub(super) async fn data(&mut self, context: u8) -> anyhow::Result<(Bytes, bool)> {
        match self.fragment(Instant::now() + PROGRESS).await? {
            Came::Fragment(fragment) if !fragment.is_command && fragment.context == context => {
                Ok((fragment.bytes, fragment.is_last))
            }
            Came::Fragment(_) => bail!("something else where a data set must be"),
            Came::Silence => bail!("a data set comes too slowly"),
            Came::End(_) => bail!("the association ended inside of a data set"),
        }
    }

    /// All of a data set that is not longer than `most`; `None` if it is, and then it is gone.
    pub(super) async fn whole_data(
        &mut self,
        context: u8,
        most: usize,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let (mut all, mut length) = (Vec::new(), 0_usize);
        loop {
            let (bytes, is_last) = self.data(context).await?;
            length = length.saturating_add(bytes.len());
            match length <= most {
                true => all.extend(bytes),
                false => all.clear(),
            }
            if is_last {
                return Ok((length <= most).then_some(all));
            }
        }
    }

    /// Sends a message.
    pub(super) async fn send(
        &mut self,
        context: u8,
        command: &Command,
        data: Option<Bytes>,
    ) -> anyhow::Result<()> {
        self.send_part(context, true, true, command.write().into())
            .await?;
        match data {
            Some(data) => self.send_data(context, data, true).await,
            None => Ok(()),
        }
    }

    /// Sends a piece of a data set, however long it is.
    pub(super) async fn send_data(
        &mut self,
        context: u8,
        bytes: Bytes,
        is_last: bool,
    ) -> anyhow::Result<()> {
        self.send_part(context, false, is_last, bytes).await
    }

    async fn send_part(
        &mut self,
        context: u8,
        is_command: bool,
        is_last: bool,
        mut bytes: Bytes,
    ) -> anyhow::Result<()> {
        loop {
            let piece = bytes.split_to(bytes.len().min(self.fragment));
            let fragment = Fragment {
                context,
                is_command,
                is_last: is_last && bytes.is_empty(),
                bytes: piece,
            };
            self.wire.send_data(&fragment).await?;
            if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// Ends the association in order. Whatever comes then, it is over.
    pub(super) async fn release(mut self) -> anyhow::Result<()> {
        self.wire.send(&Pdu::ReleaseRQ).await?;
        let until = Instant::now() + ENDING;
        while let Received::Data(_) = self.wire.receive(until).await? {}
        Ok(())
    }

    /// The other end has released it: waits until that closes the connection.
    pub(super) async fn close(self) {
        self.wire.closed(ENDING).await;
    }

    /// Ends it at once.
    pub(super) async fn abort(self) {
        let reason = AbortRQServiceProviderReason::ReasonNotSpecified;
        self.wire.abort(reason).await;
    }

    async fn fragment(&mut self, until: Instant) -> anyhow::Result<Came> {
        loop {
            if let Some(fragment) = self.waiting.pop_front() {
                if !self.contexts.contains_key(&fragment.context) {
                    bail!("a presentation context that was not agreed upon");
                }
                return Ok(Came::Fragment(fragment));
            }
            match self.wire.receive(until).await? {
                Received::Data(fragments) => self.waiting.extend(fragments),
                Received::Closed => return Ok(Came::End(Ended::Aborted)),
                Received::Silence => return Ok(Came::Silence),
                Received::Other(Pdu::ReleaseRQ) => {
                    self.wire.send(&Pdu::ReleaseRP).await?;
                    return Ok(Came::End(Ended::Released));
                }
                Received::Other(Pdu::AbortRQ { .. }) => return Ok(Came::End(Ended::Aborted)),
                Received::Other(_) => bail!("a PDU that has no place here"),
            }
        }
    }
}

enum Came {
    Fragment(Fragment),
    Silence,
    End(Ended),
}

/// The longest PDU that is taken here, as it is announced.
pub(super) const ANNOUNCED: u32 = LONGEST_PDU;
