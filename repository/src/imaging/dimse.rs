//! DICOM's own network protocol (PS3.7, PS3.8).
//!
//! [`Provider`] is what others call: it takes objects (C-STORE), says that it is there (C-ECHO), and
//! commits itself to what it has (storage commitment). [`Requestor`] is how others are called, such as
//! a PACS: C-ECHO, C-FIND, C-MOVE, C-STORE. Nothing else is answered: what is here is retrieved by
//! RAD-69 and DICOMweb.

mod association;
mod command;
mod commitment;
mod data_set;
mod negotiation;
mod pdu;
mod provider;
pub mod requestor;
mod store;
mod syntaxes;
mod told;

use serde::Deserialize;

pub use provider::Provider;
pub use requestor::{Requestor, RequestorError};

use super::ImagingSource;

/// Who is called, unless another title is given.
pub const AE_TITLE: &str = "HILUM";
/// Associations that stand at one time; others wait.
pub const ASSOCIATIONS: usize = 32;

/// An application entity elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its AE title.
    pub ae_title: String,
    /// Name or address of its machine.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub tls: bool,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}@{}:{}", self.ae_title, self.host, self.port)
    }
}

/// What a provider needs to know.
#[derive(Debug, Clone)]
pub struct DimseConfig {
    /// Its AE title.
    pub ae_title: String,
    /// Whether who calls another title is answered too.
    pub any_called: bool,
    /// AE titles of those who may call; anybody if there is none.
    pub callers: Vec<String>,
    /// Bytes of one object.
    pub longest_object: u64,
    /// Where those are found who are to be told of storage commitments.
    pub nodes: Vec<Peer>,
}

impl DimseConfig {
    /// The usual configuration of an application entity of this title.
    pub fn new(ae_title: impl Into<String>) -> Self {
        Self {
            ae_title: ae_title.into(),
            any_called: false,
            callers: Vec::new(),
            longest_object: hilum_transport::limits::ATTACHMENT_BYTES,
            nodes: Vec::new(),
        }
    }
}

impl ImagingSource {
    /// Opens this way in. Storage commitments that an earlier process owed are answered from now on,
    /// over associations that `requestor` makes. Must be called in a tokio runtime; what runs in it
    /// ends with the source.
    pub fn dimse(&self, config: DimseConfig, requestor: Requestor) -> Provider {
        Provider::open(std::sync::Arc::clone(&self.room), config, requestor)
    }
}
