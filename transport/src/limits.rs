//! Everything a peer can use up, and how much of it we give.

use std::time::Duration;

use serde::Deserialize;
use xds_schemas::mtom::ScanLimits;

/// Connections at a time. One connection carries one call at a time, so this bounds calls too.
pub const CONNECTIONS: usize = 1024;
/// Bytes of the HTTP request line and headers. Requests of SOAP stacks need less than two thousand.
pub const HEADER_BYTES: usize = 32 * 1024;
/// Bytes of the SOAP envelope: of a message without MTOM all of it, documents included.
pub const ROOT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a message over MLLP. Messages about patients have a few thousand.
pub const MESSAGE_BYTES: usize = 1024 * 1024;
/// Attachments of one message. An imaging study may have tens of thousands of instances.
pub const ATTACHMENTS: usize = 100_000;
/// Bytes of one attachment: 64 GiB, more than the largest whole slide image.
pub const ATTACHMENT_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// Bytes of attachments that came before the envelope and must be kept meanwhile.
pub const EARLY_BYTES: u64 = 1024 * 1024 * 1024;
/// Parts of a multipart body that is not SOAP. One request may hand in a whole study.
pub const PARTS: usize = 100_000;
/// Bytes of one of them: 64 GiB, as for an attachment.
pub const PART_BYTES: u64 = ATTACHMENT_BYTES;
/// Bytes of a body that is not SOAP, all parts together: 1 TiB.
pub const BODY_BYTES: u64 = 1024 * 1024 * 1024 * 1024;
/// Bytes of the headers of one part of a multipart message.
pub const PART_HEADER_BYTES: usize = 16 * 1024;
/// Seconds for a TLS handshake.
pub const HANDSHAKE_SECONDS: u64 = 10;
/// Seconds for which further connections that are refused for the same reason from the same address are
/// counted, after one was recorded. Long enough that a flood is a few records, short enough that it is
/// seen while it lasts.
pub const REFUSED_SECONDS: u64 = 60;
/// Seconds until the headers of the next request are complete; also how long a connection may be
/// idle.
pub const IDLE_SECONDS: u64 = 60;
/// Seconds within which a peer must send [`PROGRESS_BYTES`], or take anything at all.
pub const PROGRESS_SECONDS: u64 = 30;
/// Bytes that a peer must send within [`PROGRESS_SECONDS`], unless it is done sooner.
pub const PROGRESS_BYTES: u64 = 64 * 1024;
/// Seconds that calls may still take when we are asked to stop.
pub const DRAIN_SECONDS: u64 = 20;
/// Seconds that our client waits for a connection.
pub const CONNECT_SECONDS: u64 = 10;
/// Seconds that our client waits for the beginning of an answer.
pub const ANSWER_SECONDS: u64 = 120;
/// Idle connections that our client keeps for one peer: as many calls as a registry commits at once,
/// because a TLS handshake costs more than a registration.
pub const POOLED_CONNECTIONS: usize = 64;
/// Seconds that our client keeps an idle connection: less than servers do.
pub const POOLED_SECONDS: u64 = 20;

/// How much we give. The defaults are the constants of this module, which say why.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// [`CONNECTIONS`]
    pub connections: usize,
    /// [`HEADER_BYTES`]
    pub header_bytes: usize,
    /// [`ROOT_BYTES`]
    pub root_bytes: usize,
    /// [`MESSAGE_BYTES`]
    pub message_bytes: usize,
    /// [`ATTACHMENTS`]
    pub attachments: usize,
    /// [`ATTACHMENT_BYTES`]
    pub attachment_bytes: u64,
    /// [`EARLY_BYTES`]
    pub early_bytes: u64,
    /// [`PARTS`]
    pub parts: usize,
    /// [`PART_BYTES`]
    pub part_bytes: u64,
    /// [`BODY_BYTES`]
    pub body_bytes: u64,
    /// [`PART_HEADER_BYTES`]
    pub part_header_bytes: usize,
    /// [`HANDSHAKE_SECONDS`]
    pub handshake_seconds: u64,
    /// [`REFUSED_SECONDS`]
    pub refused_seconds: u64,
    /// [`IDLE_SECONDS`]
    pub idle_seconds: u64,
    /// [`PROGRESS_SECONDS`]
    pub progress_seconds: u64,
    /// [`PROGRESS_BYTES`]
    pub progress_bytes: u64,
    /// [`DRAIN_SECONDS`]
    pub drain_seconds: u64,
    /// [`CONNECT_SECONDS`]
    pub connect_seconds: u64,
    /// [`ANSWER_SECONDS`]
    pub answer_seconds: u64,
    /// [`POOLED_CONNECTIONS`]
    pub pooled_connections: usize,
    /// [`POOLED_SECONDS`]
    pub pooled_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            header_bytes: HEADER_BYTES,
            root_bytes: ROOT_BYTES,
            message_bytes: MESSAGE_BYTES,
            attachments: ATTACHMENTS,
            attachment_bytes: ATTACHMENT_BYTES,
            early_bytes: EARLY_BYTES,
            parts: PARTS,
            part_bytes: PART_BYTES,
            body_bytes: BODY_BYTES,
            part_header_bytes: PART_HEADER_BYTES,
            handshake_seconds: HANDSHAKE_SECONDS,
            refused_seconds: REFUSED_SECONDS,
            idle_seconds: IDLE_SECONDS,
            progress_seconds: PROGRESS_SECONDS,
            progress_bytes: PROGRESS_BYTES,
            drain_seconds: DRAIN_SECONDS,
            connect_seconds: CONNECT_SECONDS,
            answer_seconds: ANSWER_SECONDS,
            pooled_connections: POOLED_CONNECTIONS,
            pooled_seconds: POOLED_SECONDS,
        }
    }
}

impl Limits {
    pub(crate) const fn scan(&self) -> ScanLimits {
        ScanLimits {
            header_bytes: self.part_header_bytes,
            parts: self.attachments + 1,
        }
    }

    pub(crate) const fn handshake(&self) -> Duration {
        Duration::from_secs(self.handshake_seconds)
    }

    pub(crate) const fn refused(&self) -> Duration {
        Duration::from_secs(self.refused_seconds)
    }

    pub(crate) const fn idle(&self) -> Duration {
        Duration::from_secs(self.idle_seconds)
    }

    pub(crate) const fn progress(&self) -> Duration {
        Duration::from_secs(self.progress_seconds)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }

    pub(crate) const fn connect(&self) -> Duration {
        Duration::from_secs(self.connect_seconds)
    }

    pub(crate) const fn answer(&self) -> Duration {
        Duration::from_secs(self.answer_seconds)
    }

    pub(crate) const fn pooled(&self) -> Duration {
        Duration::from_secs(self.pooled_seconds)
    }
}
