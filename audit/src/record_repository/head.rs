//! Signed tree heads: how long the log was at a time and the root of its tree, signed by the node.
//!
//! Whoever keeps a head can prove later that the log was not changed up to there. So heads are best
//! kept elsewhere; the log keeps its own in a file, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hilum_security::signing::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};

use super::log::LogError;
use super::tree::Hash;
use crate::moment::Moment;

/// The file of heads in the folder of a log.
const FILE: &str = "heads.jsonl";
/// Bytes of it in which the last head is looked for.
const TAIL_BYTES: u64 = 64 * 1024;
/// The file with the public key, as a help: who trusts it must have it from elsewhere.
pub(super) const KEY_FILE: &str = "heads.pem";

/// How long the log was at a time, and what it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Which log: a name that no other has.
    pub log: String,
    /// Whose log: the audit source ID of the node.
    pub node: String,
    /// How many records there were.
    pub size: u64,
    /// The root of their tree, in hexadecimal.
    pub root: String,
    /// When.
    pub time: String,
    /// The fingerprint of the key that signed.
    pub key: String,
    /// The signature, in base64.
    pub signature: String,
}

impl Head {
    /// The text that is signed: everything above in a fixed form.
    pub fn signed_text(&self) -> String {
        let Self {
            log,
            node,
            size,
            root,
            time,
            ..
        } = self;
        format!(
            "hilum audit head 1\nlog {log}\nnode {node}\nsize {size}\nroot {root}\ntime {time}\n"
        )
    }

    /// Whether the key signed this.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let signature = STANDARD.decode(&self.signature).unwrap_or_default();
        key.verifies(self.signed_text().as_bytes(), &signature)
    }

    /// The root as bytes.
    pub fn root_hash(&self) -> Option<Hash> {
        unhex(&self.root)
    }
}

/// Who signs heads, and as what.
#[derive(Debug)]
pub(super) struct HeadSigner {
    key: SigningKey,
    fingerprint: String,
    log: String,
    node: String,
}

impl HeadSigner {
    pub(super) fn new(key: SigningKey, log: String, node: &str) -> io::Result<Self> {
        let fingerprint = key.public().and_then(|key| key.fingerprint())?;
        // The signed text has lines.
        let node = node.chars().filter(|it| !it.is_control()).collect();
        Ok(Self {
            key,
            fingerprint,
            log,
            node,
        })
    }

    /// The name of the log.
    pub(super) fn log(&self) -> &str {
        &self.log
    }

    pub(super) fn sign(&self, size: u64, root: &Hash, time: Moment) -> io::Result<Head> {
        let mut head = Head {
            log: self.log.clone(),
            node: self.node.clone(),
            size,
            root: hex(root),
            time: time.to_string(),
            key: self.fingerprint.clone(),
            signature: String::new(),
        };
        let signature = self.key.sign(head.signed_text().as_bytes())?;
        head.signature = STANDARD.encode(signature);
        Ok(head)
    }
}

/// The file of heads.
#[derive(Debug)]
pub(super) struct Heads {
    path: PathBuf,
}

impl Heads {
    pub(super) fn of(store: &Path) -> Self {
        let path = store.join(FILE);
        Self { path }
    }

    /// All heads, oldest first. A last line that was not finished is left out; others that cannot be
    /// read are errors, with their number.
    pub(super) fn read(&self) -> Result<Vec<Result<Head, usize>>, LogError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(LogError::at(&self.path)(error)),
        };
        let whole = text.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
        let lines = text[..whole].split(|byte| *byte == b'\n');
        let lines = (1..).zip(lines).filter(|(_, line)| !line.is_empty());
        let read = |(number, line)| serde_json::from_slice(line).map_err(|_| number);
        Ok(lines.map(read).collect())
    }

    /// The last head of which this is true.
    pub(super) fn last(&self, is_it: impl Fn(&Head) -> bool) -> Result<Option<Head>, LogError> {
        let tail = self.tail().map_err(LogError::at(&self.path))?;
        let lines = tail.split(|byte| *byte == b'\n').rev();
        let mut heads = lines.filter_map(|line| serde_json::from_slice::<Head>(line).ok());
        if let Some(head) = heads.find(|head| is_it(head)) {
            return Ok(Some(head));
        }
        // There may be years of them, but they are rarely all wrong.
        let heads = self.read()?.into_iter().rev().filter_map(Result::ok);
        let mut heads = heads.filter(|head| is_it(head));
        Ok(heads.next())
    }

    /// The last lines.
    fn tail(&self) -> io::Result<Vec<u8>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail)
    }

    /// Adds a head, and waits until it is on disk.
    pub(super) fn add(&self, head: &Head) -> io::Result<()> {
        let mut line = serde_json::to_vec(head)?;
        line.push(b'\n');
        let mut file = self.file()?;
        file.write_all(&line)?;
        file.sync_data()
    }

    /// Cuts off a line that was not finished.
    pub(super) fn mend(&self) -> Result<(), LogError> {
        let at = LogError::at(&self.path);
        let mended = self.file().and_then(|file| {
            let tail = self.tail()?;
            let unfinished = tail.iter().rev().take_while(|byte| **byte != b'\n').count();
            if unfinished > 0 {
                tracing::warn!("the last head of the audit log was not finished, and was cut off");
                let length = file.metadata()?.len();
                file.set_len(length.saturating_sub(unfinished as u64))?;
            }
            file.sync_all()
        });
        mended.map_err(at)
    }

    fn file(&self) -> io::Result<File> {
        let mut private = OpenOptions::new();
        private
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&self.path)
    }
}

/// In lower case hexadecimal.
pub fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash that is written in hexadecimal.
pub fn unhex(text: &str) -> Option<Hash> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut hash = Hash::default();
    for (byte, place) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(place..place + 2)?, 16).ok()?;
    }
    Some(hash)
}
