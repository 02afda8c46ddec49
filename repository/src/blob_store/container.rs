//! A document and what is known of it, in one file.
//!
//! ```text
//! content            exactly the document's bytes
//! label              JSON, UTF-8
//! length of label    4 bytes, little endian
//! MAGIC              8 bytes
//! ```
//!
//! If documents are encrypted, all of this is the content of an encrypted file.
//!
//! The document stands first, so that it can be sent as a range of the file; the label stands last,
//! because the hash is known only when everything was received. A file that is not complete has no
//! label of its own; whatever its content may look like, a label inside of it does not fit its
//! length or does not know its name.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hilum_security::at_rest::{self, Opened};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The end of every file.
const MAGIC: &[u8; 8] = b"HilumDoc";
/// Length and magic.
const FOOTER: usize = 12;
/// The version of the label that is written here.
const FORMAT: u32 = 1;
/// Bytes of a label. What a submission says of a document is at most [`SAID_BYTES`] long, and JSON
/// needs at most six bytes for one.
pub(super) const LABEL_BYTES: usize = 6 * SAID_BYTES + 1024;
/// Bytes of uniqueId, mimeType and patientId together. The mimeType stands in the header of a part
/// when the document is sent, where there is not room for more.
pub(crate) const SAID_BYTES: usize = 8 * 1024;
/// How much is read at once: the whole label, nearly always.
const TAIL_BYTES: usize = 1024;

/// What is known of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Label {
    /// The version of this label.
    format: u32,
    /// The name under which the file arrived. Nobody who submits a document can know it.
    pub(crate) arrival: String,
    pub(crate) unique_id: String,
    #[serde(rename = "entryUUID")]
    pub(crate) entry_uuid: String,
    pub(crate) mime_type: String,
    /// CX, for the audit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) patient_id: Option<String>,
    /// SHA-1 in lower case hexadecimal.
    pub(crate) hash: String,
    pub(crate) size: u64,
    /// What decrypts the content, if that is an object of its own. The label is encrypted then too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) data_key: Option<Hidden>,
}

/// A text that is never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hidden(pub(crate) String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Hidden")
    }
}

/// What a submission says of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) unique_id: String,
    pub(crate) entry_uuid: String,
    pub(crate) mime_type: String,
    pub(crate) patient_id: Option<String>,
}

impl Said {
    /// Whether it fits into a label.
    pub(crate) fn fits(&self) -> bool {
        let patient = self.patient_id.as_ref().map_or(0, String::len);
        self.unique_id.len() + self.mime_type.len() + patient <= SAID_BYTES
    }

    /// The label of the document that arrived as `arrival` and turned out to be this.
    pub(crate) fn label(self, arrival: String, hash: String, size: u64) -> Label {
        Label {
            format: FORMAT,
            arrival,
            unique_id: self.unique_id,
            entry_uuid: self.entry_uuid,
            mime_type: self.mime_type,
            patient_id: self.patient_id,
            hash,
            size,
            data_key: None,
        }
    }
}

impl Label {
    /// Whether two documents are the same, as far as the framework compares them.
    pub(crate) fn is_same_content(&self, other: &Self) -> bool {
        self.unique_id == other.unique_id && self.hash == other.hash && self.size == other.size
    }

    /// What stands behind the content.
    pub(crate) fn trailer(&self) -> io::Result<Vec<u8>> {
        let mut trailer = serde_json::to_vec(self)?;
        let length = u32::try_from(trailer.len())
            .ok()
            .filter(|_| trailer.len() <= LABEL_BYTES)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the label is too long"))?;
        trailer.extend_from_slice(&length.to_le_bytes());
        trailer.extend_from_slice(MAGIC);
        Ok(trailer)
    }
}

/// Reads the label of a file; `None` if it has none, as when it is not complete.
pub(crate) fn read(path: &Path) -> io::Result<Option<Label>> {
    label_of(&mut open(path)?)
}

/// Opens a file. One that is plain has its label at its end, so that no content of it is mistaken for
/// a header of encryption.
pub(crate) fn open(path: &Path) -> io::Result<Opened> {
    let mut plain = Opened::Plain(File::open(path)?);
    match (label_of(&mut plain)?, plain) {
        (None, Opened::Plain(file)) => at_rest::opened(file, path),
        (Some(_), Opened::Plain(file)) => at_rest::plain(file, path),
        (_, opened) => Ok(opened),
    }
}

/// The same of a file that is open, which stands at its beginning afterwards.
pub(super) fn label_of(file: &mut Opened) -> io::Result<Option<Label>> {
    let label = label_at_end(file);
    file.seek(SeekFrom::Start(0))?;
    label
}

fn label_at_end(file: &mut Opened) -> io::Result<Option<Label>> {
    let length = file.length()?;
    let tail = tail(file, length, TAIL_BYTES)?;
    let Some(label_bytes) = label_bytes(&tail) else {
        return Ok(None);
    };
    let whole = label_bytes + FOOTER;
    let tail = if whole > tail.len() {
        self::tail(file, length, whole)?
    } else {
        tail
    };
    if whole > tail.len() {
        return Ok(None);
    }
    let json = &tail[tail.len() - whole..tail.len() - FOOTER];
    let label: Option<Label> = serde_json::from_slice(json).ok();
    Ok(label.filter(|label| {
        label.format == FORMAT && label.size.checked_add(whole as u64) == Some(length)
    }))
}

/// The last bytes of a file, at most `wanted`.
fn tail(file: &mut Opened, length: u64, wanted: usize) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(length).map_or(wanted, |length| length.min(wanted));
    let mut tail = vec![0; wanted];
    file.seek(SeekFrom::Start(length - wanted as u64))?;
    file.read_exact(&mut tail)?;
    Ok(tail)
}

/// How long the label is, if a footer ends here.
fn label_bytes(tail: &[u8]) -> Option<usize> {
    let (rest, magic) = tail.split_last_chunk::<8>()?;
    let (_, length) = rest.split_last_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    (magic == MAGIC && length <= LABEL_BYTES).then_some(length)
}

/// Where a registered document is, below a store's root. A uniqueId may be any text, so that its hash
/// names the file.
pub(crate) fn place_of(unique_id: &str) -> PathBuf {
    let name = sha256(unique_id.as_bytes());
    let folder = Path::new("documents").join(&name[..2]).join(&name[2..4]);
    folder.join(&name)
}

/// SHA-256 in lower case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Bytes in lower case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
