//! Protocol data units over a connection (PS3.8 section 9.3).
//!
//! What is said when an association is made is read and written by dicom-ul. Data are read here:
//! objects stream through, and their bytes are not copied once more.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{Buf, Bytes, BytesMut};
use dicom_ul::pdu::{AbortRQServiceProviderReason, AbortRQSource, Pdu, read_pdu, write_pdu};
use hilum_transport::streams::Duplex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// The longest PDU that is taken; whoever sends longer ones has not read what was agreed.
pub(super) const LONGEST_PDU: u32 = 256 * 1024;
/// How long a PDU may take from its first byte to its last one.
const PROGRESS: Duration = Duration::from_secs(30);
/// Type and length.
const HEAD: usize = 6;
const P_DATA_TF: u8 = 0x04;

/// A presentation data value: a piece of a command or of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) context: u8,
    pub(super) is_command: bool,
    pub(super) is_last: bool,
    pub(super) bytes: Bytes,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    Data(Vec<Fragment>),
    Other(Pdu),
    /// The other end closed the connection.
    Closed,
    /// Nothing came in time. What had begun to come is not lost.
    Silence,
}

/// A connection that carries PDUs.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    /// What has come and is not used yet.
    come: BytesMut,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Duplex>) -> Self {
        Self {
            stream,
            come: BytesMut::new(),
        }
    }

    /// The next PDU. `until` is for its beginning; the rest must follow soon. May be given up at any
    /// time and called again.
    pub(super) async fn receive(&mut self, until: Instant) -> anyhow::Result<Received> {
        let mut limit = until;
        loop {
            if let Some(pdu) = self.complete()? {
                return Ok(pdu);
            }
            if !self.come.is_empty() && limit == until {
                limit = Instant::now() + PROGRESS;
            }
            let missing = self.missing();
            self.come.reserve(missing);
            match timeout_at(limit, self.stream.read_buf(&mut self.come)).await {
                Err(_) if self.come.is_empty() => return Ok(Received::Silence),
                Err(_) => bail!("a PDU comes too slowly"),
                Ok(Ok(0)) if self.come.is_empty() => return Ok(Received::Closed),
                Ok(Ok(0)) => bail!("a PDU is cut off"),
                Ok(Err(error)) => {
                    tracing::debug!(%error, "a connection broke off");
                    return Ok(Received::Closed);
                }
                Ok(Ok(_)) => {}
            }
        }
    }

    /// How many bytes to read next at least.
    fn missing(&self) -> usize {
        let length = self.come.get(2..HEAD).map_or(0, |mut it| it.get_u32());
        // It was checked before.
        let whole = HEAD + length.min(LONGEST_PDU) as usize;
        whole.saturating_sub(self.come.len()).max(16 * 1024)
    }

    /// The next PDU, if all of it has come.
    fn complete(&mut self) -> anyhow::Result<Option<Received>> {
        let Some(mut length) = self.come.get(2..HEAD) else {
            return Ok(None);
        };
        let length = length.get_u32();
        if length > LONGEST_PDU {
            bail!("a PDU of {length} bytes, where {LONGEST_PDU} are allowed");
        }
        let whole = HEAD + length as usize;
        if self.come.len() < whole {
            return Ok(None);
        }
        let pdu = self.come.split_to(whole).freeze();
        if pdu[0] == P_DATA_TF {
            return Ok(Some(Received::Data(fragments(pdu.slice(HEAD..))?)));
        }
        let pdu = read_pdu(pdu, LONGEST_PDU, true).context("a PDU that cannot be read")?;
        Ok(Some(Received::Other(pdu.context("a PDU without an end")?)))
    }

    /// Sends a PDU.
    pub(super) async fn send(&mut self, pdu: &Pdu) -> anyhow::Result<()> {
        let mut bytes = Vec::with_capacity(1024);
        write_pdu(&mut bytes, pdu).context("a PDU cannot be written")?;
        self.write(&bytes).await
    }

    /// Sends a piece of a command or of a data set, as a PDU of its own.
    pub(super) async fn send_data(&mut self, fragment: &Fragment) -> anyhow::Result<()> {
        let length = u32::try_from(fragment.bytes.len())? + 2;
        let mut bytes = Vec::with_capacity(HEAD + 6 + fragment.bytes.len());
        bytes.extend([P_DATA_TF, 0]);
        bytes.extend((length + 4).to_be_bytes());
        bytes.extend(length.to_be_bytes());
        let control = u8::from(fragment.is_command) | (u8::from(fragment.is_last) << 1);
        bytes.extend([fragment.context, control]);
        bytes.extend(&fragment.bytes);
        self.write(&bytes).await
    }

    async fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// Says that this is over, if the other end still listens.
    pub(super) async fn abort(mut self, reason: AbortRQServiceProviderReason) {
        let source = AbortRQSource::ServiceProvider(reason);
        let _ = self.send(&Pdu::AbortRQ { source }).await;
        let _ = self.stream.shutdown().await;
    }

    /// Waits until the other end, which has been told that this is over, closes the connection
    /// (PS3.8 section 9.1.4): closing it first could take away what it has not read yet.
    pub(super) async fn closed(mut self, patience: Duration) {
        let until = Instant::now() + patience;
        let mut unread = [0; 4096];
        let _ = self.stream.shutdown().await;
        while let Ok(Ok(1..)) = timeout_at(until, self.stream.read(&mut unread)).await {}
    }
}

/// The presentation data values of a P-DATA-TF PDU.
fn fragments(mut pdu: Bytes) -> anyhow::Result<Vec<Fragment>> {
    let mut fragments = Vec::with_capacity(2);
    while !pdu.is_empty() {
        if pdu.len() < 6 {
            bail!("a presentation data value is cut off");
        }
        let length = pdu.get_u32() as usize;
        if length < 2 || length > pdu.len() {
            bail!("a presentation data value has a wrong length");
        }
        let mut value = pdu.split_to(length);
        let (context, control) = (value.get_u8(), value.get_u8());
        fragments.push(Fragment {
            context,
            is_command: control & 1 != 0,
            is_last: control & 2 != 0,
            bytes: value,
        });
    }
    Ok(fragments)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::*;

    /// What is received when these bytes come, in pieces of this size.
    fn received(bytes: &[u8], piece: usize) -> anyhow::Result<Vec<Received>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let (mut there, here) = duplex(piece);
            let bytes = bytes.to_vec();
            let sending = tokio::spawn(async move { there.write_all(&bytes).await });
            let mut wire = Wire::new(Box::new(here));
            let mut all = Vec::new();
            loop {
                match wire.receive(Instant::now() + PROGRESS).await? {
                    Received::Closed => break,
                    pdu => all.push(pdu),
                }
            }
            sending.await??;
            Ok(all)
        })
    }

    fn sent(fragments: &[Fragment]) -> Vec<u8> {
        let mut all = Vec::new();
        for fragment in fragments {
            let length = fragment.bytes.len() as u32 + 2;
            all.extend([4, 0]);
            all.extend((length + 4).to_be_bytes());
            all.extend(length.to_be_bytes());
            let control = u8::from(fragment.is_command) | (u8::from(fragment.is_last) << 1);
            all.extend([fragment.context, control]);
            all.extend(&fragment.bytes);
        }
        all
    }

    #[test]
    fn too_long_or_cut_off() {
        let error = |bytes: &[u8]| received(bytes, 64).unwrap_err().to_string();
        assert!(error(&[4, 0, 0xFF, 0xFF, 0xFF, 0xFF]).contains("4294967295"));
        assert!(error(&[4, 0, 0, 0, 0, 9, 1]).contains("cut off"));
        assert!(error(&[4, 0, 0, 0, 0, 5, 0, 0, 0, 1, 1]).contains("cut off"));
        assert!(error(&[4, 0, 0, 0, 0, 6, 0, 0, 0, 1, 1, 1]).contains("wrong length"));
        assert!(error(&[4, 0, 0, 0, 0, 6, 0, 0, 0, 9, 1, 1]).contains("wrong length"));
        assert!(error(&[1, 0, 0, 0, 0, 2, 0, 1]).contains("cannot be read"));
    }

    proptest! {
        #[test]
        fn data_there_and_back(
            given in proptest::collection::vec(
                (any::<u8>(), any::<bool>(), any::<bool>(), proptest::collection::vec(any::<u8>(), 0..300)),
                0..5,
            ),
            piece in 1..500_usize,
        ) {
            let given: Vec<Fragment> = given
                .into_iter()
                .map(|(context, is_command, is_last, bytes)| Fragment {
                    context, is_command, is_last, bytes: bytes.into(),
                })
                .collect();
            let mut got = Vec::new();
            for pdu in received(&sent(&given), piece).unwrap() {
                match pdu {
                    Received::Data(fragments) => got.extend(fragments),
                    other => prop_assert!(false, "{other:?}"),
                }
            }
            prop_assert_eq!(got, given);
        }

        #[test]
        fn whatever_comes(kind in 0..9_u8, body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut bytes = vec![kind, 0];
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(body);
            // It is understood or refused, and nothing panics.
            let _ = received(&bytes, 64);
        }
    }
}
