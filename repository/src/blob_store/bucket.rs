//! The store in S3.
//!
//! ```text
//! data/<name>                     the bytes of a document, under the name it arrived with
//! incoming/<name>                 its label, as long as its registration is not decided
//! documents/xx/yy/<SHA-256>       the label of a registered document, by its uniqueId
//! removing/<name>                 which document is being removed
//! at-rest                         which keys are needed, if documents are encrypted
//! ```
//!
//! An object appears whole or not at all, but no two of them together, and none can be renamed. So
//! the bytes stay where they arrived, and small labels say what becomes of them. Each step leaves a
//! state in which the next start knows what to do: the label stands in `incoming` before the bytes
//! are there and until everything is decided, and in `removing` from before the first thing is
//! removed until after the last. A label without bytes is of a document that nobody was told of.
//!
//! If documents are encrypted, `data` has frames without a header: their key is in the label, which is
//! encrypted with a header as a file is. So keys are changed by writing small labels.
//!
//! Nothing relies on a condition that the server checks, because some do not. One process uses a
//! prefix at a time, which its operator must see to.

pub(crate) mod keeping;
mod receiving;
mod sealed;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hilum_security::at_rest::{Vault, content_of, keys_of_bytes};
use hilum_transport::Stream;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard, Semaphore, mpsc};
use uuid::Uuid;

use super::arrival::{Arrival, Place};
use super::container::{Label, sha256};
use super::kinds::{Content, Stored};
use super::s3::{Access, Address, S3};

pub(crate) use receiving::Receiving;

/// Bytes of a document that are fetched at once when it is sent. A multiple of three, for base64.
const CHUNK: u64 = 3 * 1024 * 1024;
/// Chunks that wait for a connection to take them.
const CHUNKS: usize = 1;
/// Large documents that are received at one time; each needs memory for two of S3's parts.
const LARGE: usize = 16;
/// Documents whose labels are put in their places one after the other share one of these.
const PLACES: usize = 64;

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    s3: Arc<S3>,
    /// Held by those that receive large documents.
    large: Arc<Semaphore>,
    /// Held while a label is put in its place, so that nothing comes between a look and a write.
    places: Arc<Vec<Mutex<()>>>,
    /// How objects are written.
    vault: Vault,
}

/// What stands in `removing`.
#[derive(Debug, Serialize, Deserialize)]
struct Removal {
    unique_id: String,
}

impl Bucket {
    pub(super) fn new(address: Address, access: Access, vault: Vault) -> Self {
        Self {
            s3: Arc::new(S3::new(address, access)),
            large: Arc::new(Semaphore::new(LARGE)),
            places: Arc::new((0..PLACES).map(|_| Mutex::default()).collect()),
            vault,
        }
    }

    pub(super) fn receive(&self) -> Receiving {
        Receiving::new(self.clone(), Uuid::new_v4().to_string())
    }

    /// What an earlier process left undecided, after what it left half done has been undone. Blocks.
    pub(super) fn left_behind(&self) -> io::Result<Vec<Arrival>> {
        let labels = self.alone(Self::look_around)?;
        let found = |label| Arrival::found(Place::Bucket(self.clone()), label);
        Ok(labels.into_iter().map(found).collect())
    }

    /// Writes an object and removes it. Blocks.
    pub(super) fn probe(&self) -> io::Result<()> {
        self.alone(async |bucket| {
            let key = format!("probe-{}", Uuid::new_v4());
            bucket.s3.put(&key, Bytes::from_static(b"probe")).await?;
            bucket.s3.delete(&key).await
        })
    }

    /// Does something in a runtime of its own, because a room may be opened where none runs on.
    fn alone<T: Send>(
        &self,
        work: impl AsyncFnOnce(&Self) -> io::Result<T> + Send,
    ) -> io::Result<T> {
        let alone = || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build()?;
            runtime.block_on(work(self))
        };
        std::thread::scope(|scope| {
            let done = scope.spawn(alone).join();
            done.unwrap_or_else(|_| Err(io::Error::other("the object store could not be read")))
        })
    }

    async fn look_around(&self) -> io::Result<Vec<Label>> {
        self.check_mark().await?;
        for key in self.s3.list("removing/").await? {
            self.finish_removal(&key).await?;
        }
        match self.s3.uploads("data/").await {
            Ok(uploads) => {
                for (key, upload) in uploads {
                    self.s3.abort(&key, &upload).await?;
                }
            }
            Err(error) => tracing::warn!(
                %error,
                "unfinished uploads cannot be listed; let the object store remove them in time"
            ),
        }
        let mut labels = Vec::new();
        for key in self.s3.list("incoming/").await? {
            let name = key.trim_start_matches("incoming/");
            let Some(bytes) = self.s3.get(&key, None).await? else {
                continue;
            };
            let bytes = self.content_at(&key, bytes)?;
            let label: Option<Label> = serde_json::from_slice(&bytes).ok();
            let label = label.filter(|label| label.arrival == name);
            let size = self.s3.size(&data(name)).await?;
            match label {
                Some(label) if size == Some(sealed::stored_size(&label)?) => labels.push(label),
                _ => {
                    self.s3.delete(&data(name)).await?;
                    self.s3.delete(&key).await?;
                }
            }
        }
        Ok(labels)
    }

    /// Puts the labels of documents that were registered where they are found from now on.
    pub(super) async fn keep(&self, arrivals: &[&Arrival]) -> io::Result<()> {
        let mut kept = Ok(());
        for arrival in arrivals {
            kept = kept.and(self.keep_one(&arrival.label).await);
        }
        kept
    }

    /// A document may be submitted again as it is, but what a place holds is never replaced by
    /// something else.
    async fn keep_one(&self, label: &Label) -> io::Result<()> {
        let place = place_of(&label.unique_id);
        let _alone = self.lock(&place).await;
        match self.label_at(&place).await? {
            None => self.put_label(&place, label).await?,
            // It was put there before, and the one who did it did not come to say so.
            Some(there) if there.arrival == label.arrival => {}
            Some(there) if there.is_same_content(label) => {
                self.s3.delete(&data(&label.arrival)).await?;
            }
            Some(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("{place} is the label of another document"),
                ));
            }
        }
        self.s3.delete(&incoming(&label.arrival)).await
    }

    /// The document with this uniqueId, if it is kept here.
    pub(super) async fn find(&self, unique_id: &str) -> io::Result<Option<Stored>> {
        let place = place_of(unique_id);
        match self.label_at(&place).await? {
            None => Ok(None),
            Some(label) if label.unique_id == unique_id => Ok(Some(Stored {
                content: Content::Object(self.clone()),
                label,
            })),
            Some(_) => Err(damaged(&place)),
        }
    }

    async fn label_at(&self, place: &str) -> io::Result<Option<Label>> {
        let Some(bytes) = self.s3.get(place, None).await? else {
            return Ok(None);
        };
        let bytes = self.content_at(place, bytes)?;
        let label = serde_json::from_slice(&bytes).map_err(|_| damaged(place))?;
        Ok(Some(label))
    }

    /// What a small object says, which must be encrypted if the site wants that.
    fn content_at(&self, key: &str, bytes: Bytes) -> io::Result<Vec<u8>> {
        if self.vault.refuses_plain() && keys_of_bytes(&bytes).is_none() {
            let why = format!("{key} is not encrypted");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        content_of(Path::new(key), bytes.into())
    }

    async fn put_label(&self, key: &str, label: &Label) -> io::Result<()> {
        self.put_short(key, &serde_json::to_vec(label)?).await
    }

    /// Writes something that is no document, encrypted if documents are.
    async fn put_short(&self, key: &str, content: &[u8]) -> io::Result<()> {
        let bytes = self.vault.bytes(Path::new(key), content)?;
        self.s3.put(key, bytes.into()).await
    }

    /// Removes the document with this uniqueId and says whether there was one. When this comes back,
    /// it is gone for good; what a crash interrupts, the next start finishes.
    pub(super) async fn remove(&self, unique_id: &str) -> io::Result<bool> {
        let place = place_of(unique_id);
        let _alone = self.lock(&place).await;
        let Some(label) = self.label_at(&place).await? else {
            return Ok(false);
        };
        let key = format!("removing/{}", label.arrival);
        let removal = Removal {
            unique_id: unique_id.to_owned(),
        };
        let removal = serde_json::to_vec(&removal)?;
        self.put_short(&key, &removal).await?;
        self.removed(&place, &label.arrival).await?;
        self.s3.delete(&key).await?;
        Ok(true)
    }

    async fn finish_removal(&self, key: &str) -> io::Result<()> {
        let name = key.trim_start_matches("removing/");
        if let Some(bytes) = self.s3.get(key, None).await? {
            let bytes = self.content_at(key, bytes)?;
            let removal: Removal = serde_json::from_slice(&bytes).map_err(|_| damaged(key))?;
            let place = place_of(&removal.unique_id);
            let there = self.label_at(&place).await?;
            // It may have been provided again meanwhile.
            if there.is_some_and(|there| there.arrival != name) {
                self.s3.delete(&data(name)).await?;
            } else {
                self.removed(&place, name).await?;
            }
        }
        self.s3.delete(key).await
    }

    async fn removed(&self, place: &str, name: &str) -> io::Result<()> {
        self.s3.delete(place).await?;
        self.s3.delete(&incoming(name)).await?;
        self.s3.delete(&data(name)).await
    }

    /// Removes a document that is not wanted, as far as it is there, in a task of its own. If that
    /// fails, the next start does it.
    pub(super) fn forget(&self, label: Label) {
        let bucket = self.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = bucket.forget_now(&label).await {
                    tracing::warn!(%error, name = label.arrival, "an object was not removed");
                }
            });
        }
    }

    async fn forget_now(&self, label: &Label) -> io::Result<()> {
        let place = place_of(&label.unique_id);
        let _alone = self.lock(&place).await;
        let there = self.label_at(&place).await?;
        if there.is_none_or(|there| there.arrival != label.arrival) {
            self.s3.delete(&data(&label.arrival)).await?;
        }
        self.s3.delete(&incoming(&label.arrival)).await
    }

    /// The bytes of a document at once, if they are there still.
    pub(super) async fn content(&self, label: &Label) -> io::Result<Option<Bytes>> {
        let key = data(&label.arrival);
        let content = self.s3.get(&key, None).await?;
        match content {
            Some(bytes) if bytes.len() as u64 != sealed::stored_size(label)? => Err(damaged(&key)),
            Some(bytes) => sealed::opened(label, 0..label.size, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Whether the document is there, and can be read where it begins; of one that is not encrypted,
    /// nothing is asked.
    ///
    /// # Errors
    /// If it is damaged.
    pub(super) async fn begins_well(&self, label: &Label) -> io::Result<bool> {
        if label.data_key.is_none() || label.size == 0 {
            return Ok(true);
        }
        match piece(&self.s3, &data(&label.arrival), label, 0..1).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The bytes of a document, fetched when its turn has come.
    pub(super) fn stream(&self, label: &Label) -> Stream {
        let (s3, key, size) = (Arc::clone(&self.s3), data(&label.arrival), label.size);
        let label = label.clone();
        Stream::new(size, move || fetched(s3, key, label))
    }

    async fn lock(&self, place: &str) -> MutexGuard<'_, ()> {
        let number: usize = place.bytes().map(usize::from).sum();
        self.places[number % PLACES].lock().await
    }
}

/// The bytes of a document, piece by piece.
fn fetched(s3: Arc<S3>, key: String, label: Label) -> mpsc::Receiver<io::Result<Bytes>> {
    let (chunks, coming) = mpsc::channel(CHUNKS);
    tokio::spawn(async move {
        let (mut from, size) = (0, label.size);
        while from < size {
            let range = from..size.min(from + CHUNK);
            from = range.end;
            let chunk = piece(&s3, &key, &label, range).await;
            let failed = chunk.is_err();
            // Nobody takes it any more, or nothing follows.
            if chunks.send(chunk).await.is_err() || failed {
                return;
            }
        }
    });
    coming
}

/// A piece of a document, from where its frames begin.
async fn piece(s3: &S3, key: &str, label: &Label, range: Range<u64>) -> io::Result<Bytes> {
    let stored = sealed::stored_range(label, &range)?;
    let Some(bytes) = s3.get(key, Some(stored)).await? else {
        return Err(io::ErrorKind::NotFound.into());
    };
    let label = label.clone();
    let opened = move || sealed::opened(&label, range, &bytes);
    let opened = tokio::task::spawn_blocking(opened).await;
    let opened = opened.map_err(io::Error::other)?;
    opened.inspect_err(|error| tracing::error!(key, %error, "a document is damaged"))
}

fn data(name: &str) -> String {
    format!("data/{name}")
}

fn incoming(name: &str) -> String {
    format!("incoming/{name}")
}

/// A uniqueId may be any text, so that its hash names the object.
fn place_of(unique_id: &str) -> String {
    let name = sha256(unique_id.as_bytes());
    format!("documents/{}/{}/{name}", &name[..2], &name[2..4])
}

fn damaged(key: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{key} is damaged"))
}
