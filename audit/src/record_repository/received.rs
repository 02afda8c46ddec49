//! What came in, with everything that is known of how it came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Something that was received: its bytes as they came, and how they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// When. It is kept in microseconds; what is before 1970 is 1970.
    pub at: SystemTime,
    /// On which way.
    pub via: Via,
    /// From where.
    pub from: SocketAddr,
    /// The subject of the certificate that the sender showed.
    pub node: Option<String>,
    /// What it claims to be. Nobody has looked yet whether it is.
    pub form: Form,
    /// Whether it was longer than is kept, so that `bytes` is only its beginning.
    pub cut: bool,
    /// The bytes: of syslog the message without its framing, of HTTP the body.
    pub bytes: Vec<u8>,
}

/// On which way something came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// Syslog over TLS (RFC 5425).
    Tls,
    /// Syslog over TCP without TLS.
    Tcp,
    /// Syslog over UDP (RFC 5426).
    Udp,
    /// The FHIR feed of ITI-20.
    Http,
    /// The log wrote it itself: what was removed when its time was over.
    Own,
}

/// What something claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// A syslog message.
    Syslog,
    /// FHIR in JSON.
    FhirJson,
    /// FHIR in XML.
    FhirXml,
}

/// The first byte of a leaf: how the rest is written.
const VERSION: u8 = 1;
/// A flag: the bytes are only the beginning.
const CUT: u8 = 1;
/// Bytes of a leaf before the name of the node, for the longer form of address.
const FACTS_BYTES: usize = 1 + 1 + 1 + 1 + 8 + 1 + 16 + 2 + 2;
/// Instead of the length of a name: nobody showed a certificate.
const NOBODY: u16 = u16::MAX;

impl Received {
    /// The leaf that this is in the tree, whose hash proofs are about.
    pub fn leaf(&self) -> Vec<u8> {
        let mut leaf = Vec::new();
        self.write_leaf(&mut leaf);
        leaf
    }

    /// Appends the leaf that this is in the tree: the facts of its reception, then its bytes.
    pub(super) fn write_leaf(&self, out: &mut Vec<u8>) {
        let node = self.node.as_deref().map(|name| within(name, NOBODY - 1));
        out.reserve(FACTS_BYTES + node.map_or(0, str::len) + self.bytes.len());
        let flags = if self.cut { CUT } else { 0 };
        out.extend_from_slice(&[VERSION, self.via.number(), self.form.number(), flags]);
        let since = self.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        out.extend_from_slice(&micros.to_be_bytes());
        match self.from.ip() {
            IpAddr::V4(address) => {
                out.push(4);
                out.extend_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                out.push(6);
                out.extend_from_slice(&address.octets());
            }
        }
        out.extend_from_slice(&self.from.port().to_be_bytes());
        let length = node.map_or(NOBODY, |name| u16::try_from(name.len()).unwrap_or(NOBODY));
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(node.unwrap_or_default().as_bytes());
        out.extend_from_slice(&self.bytes);
    }

    /// Reads a leaf.
    pub(super) fn read_leaf(leaf: &[u8]) -> Option<Self> {
        let (&[version, via, form, flags], rest) = leaf.split_first_chunk()?;
        if version != VERSION || flags & !CUT != 0 {
            return None;
        }
        let (micros, rest) = rest.split_first_chunk()?;
        let (&[family], rest) = rest.split_first_chunk()?;
        let (address, rest): (IpAddr, _) = match family {
            4 => {
                let (octets, rest) = rest.split_first_chunk::<4>()?;
                (Ipv4Addr::from(*octets).into(), rest)
            }
            6 => {
                let (octets, rest) = rest.split_first_chunk::<16>()?;
                (Ipv6Addr::from(*octets).into(), rest)
            }
            _ => return None,
        };
        let (port, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (node, bytes) = match u16::from_be_bytes(*length) {
            NOBODY => (None, rest),
            length => {
                let (name, bytes) = rest.split_at_checked(length.into())?;
                (Some(std::str::from_utf8(name).ok()?.to_owned()), bytes)
            }
        };
        let micros = Duration::from_micros(u64::from_be_bytes(*micros));
        Some(Self {
            at: UNIX_EPOCH.checked_add(micros)?,
            via: Via::of(via)?,
            from: SocketAddr::new(address, u16::from_be_bytes(*port)),
            node,
            form: Form::of(form)?,
            cut: flags & CUT != 0,
            bytes: bytes.to_vec(),
        })
    }
}

/// The beginning of `name` that is not longer than `most` bytes.
fn within(name: &str, most: u16) -> &str {
    let mut end = name.len().min(most.into());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

impl Via {
    /// In a word: `tls`, `tcp`, `udp`, `http` or `own`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
            Self::Own => "own",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Tls => 1,
            Self::Tcp => 2,
            Self::Udp => 3,
            Self::Http => 4,
            Self::Own => 5,
        }
    }

    fn of(number: u8) -> Option<Self> {
        let all = [Self::Tls, Self::Tcp, Self::Udp, Self::Http, Self::Own];
        all.into_iter().find(|via| via.number() == number)
    }
}

impl Form {
    /// In a word: `syslog`, `fhir+json` or `fhir+xml`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syslog => "syslog",
            Self::FhirJson => "fhir+json",
            Self::FhirXml => "fhir+xml",
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::Syslog => 1,
            Self::FhirJson => 2,
            Self::FhirXml => 3,
        }
    }

    fn of(number: u8) -> Option<Self> {
        let all = [Self::Syslog, Self::FhirJson, Self::FhirXml];
        all.into_iter().find(|form| form.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn received() -> impl Strategy<Value = Received> {
        let via = prop::sample::select(vec![Via::Tls, Via::Tcp, Via::Udp, Via::Http, Via::Own]);
        let form = prop::sample::select(vec![Form::Syslog, Form::FhirJson, Form::FhirXml]);
        let bytes = prop::collection::vec(any::<u8>(), 0..200);
        let facts = (any::<u32>(), via, any::<SocketAddr>(), any::<bool>());
        (facts, any::<Option<String>>(), form, bytes).prop_map(
            |((micros, via, from, cut), node, form, bytes)| Received {
                at: UNIX_EPOCH + Duration::from_micros(micros.into()),
                via,
                from: SocketAddr::new(from.ip(), from.port()),
                node,
                form,
                cut,
                bytes,
            },
        )
    }

    proptest! {
        #[test]
        fn leaves_are_read_as_they_were_written(received in received()) {
            let mut leaf = Vec::new();
            received.write_leaf(&mut leaf);
            prop_assert_eq!(Received::read_leaf(&leaf), Some(received));
        }

        #[test]
        fn no_leaf_harms(mut leaf in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Received::read_leaf(&leaf);
            if let [version, via, form, ..] = &mut leaf[..] {
                (*version, *via, *form) = (VERSION, 1, 1);
                let _ = Received::read_leaf(&leaf);
            }
        }
    }
}
