//! A document on its way into the object store: in one request if it is small, else in parts, of
//! which one is sent while the next one comes.

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hilum_security::at_rest::{DataKey, FRAME, Sealing};
use sha1::{Digest, Sha1};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::{Bucket, data, incoming, sealed};
use crate::blob_store::arrival::{Arrival, Place};
use crate::blob_store::container::{Hidden, Label, Said, hexadecimal};
use crate::blob_store::s3::S3;

/// Bytes of one part. S3 takes ten thousand of them and none but the last below 5 MiB: enough for
/// the largest attachment.
const PART: usize = 8 * 1024 * 1024;
/// Bytes of a document of which it is not known yet whether it is large.
const SMALL: usize = 1024 * 1024;

/// A document that is being received.
pub(crate) struct Receiving {
    bucket: Bucket,
    name: String,
    /// If it is encrypted.
    encrypting: Option<Encrypting>,
    gathered: BytesMut,
    hash: Sha1,
    size: u64,
    /// Of a large document.
    upload: Option<Upload>,
    place: Option<OwnedSemaphorePermit>,
}

impl Receiving {
    pub(super) fn new(bucket: Bucket, name: String) -> Self {
        Self {
            bucket,
            name,
            encrypting: None,
            gathered: BytesMut::new(),
            hash: Sha1::new(),
            size: 0,
            upload: None,
            place: None,
        }
    }

    /// Takes the next bytes of the document.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        self.hash.update(&chunk);
        self.size += chunk.len() as u64;
        self.gather(&chunk)?;
        if self.place.is_none() && self.gathered.len() > SMALL {
            let large = Arc::clone(&self.bucket.large);
            self.place = Some(large.acquire_owned().await.map_err(io::Error::other)?);
        }
        if self.place.is_some() {
            // At once, and not by doubling it again and again.
            self.gathered
                .reserve(PART.saturating_sub(self.gathered.len()));
        }
        if self.gathered.len() < PART {
            return Ok(());
        }
        let part = self.gathered.split().freeze();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let s3 = Arc::clone(&self.bucket.s3);
                none.insert(Upload::begin(s3, data(&self.name)).await?)
            }
        };
        upload.send(part).await
    }

    /// Gathers what is going to be stored.
    fn gather(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self.encrypting()? {
            None => self.gathered.extend_from_slice(chunk),
            Some(mut encrypting) => {
                let gathered = encrypting.take(chunk, &mut self.gathered);
                self.encrypting = Some(encrypting);
                gathered?;
            }
        }
        Ok(())
    }

    /// What encrypts it, if it is encrypted.
    fn encrypting(&mut self) -> io::Result<Option<Encrypting>> {
        match self.encrypting.take() {
            None if self.bucket.vault.is_on() => Encrypting::begin().map(Some),
            encrypting => Ok(encrypting),
        }
    }

    /// Ends the document and has it made durable, in a task of its own.
    pub(crate) async fn seal(mut self, said: Said) -> io::Result<JoinHandle<io::Result<Arrival>>> {
        let hash = hexadecimal(&self.hash.clone().finalize());
        let mut label = said.label(self.name.clone(), hash, self.size);
        if let Some(encrypting) = self.encrypting()? {
            label.data_key = Some(encrypting.finish(&mut self.gathered)?);
        }
        Ok(tokio::spawn(async move {
            let bucket = self.bucket.clone();
            match self.finish(&label).await {
                Ok(()) => Ok(Arrival::new(Place::Bucket(bucket), label)),
                Err(error) => {
                    bucket.forget(label);
                    Err(error)
                }
            }
        }))
    }

    /// The label first: bytes without a label would never be found again.
    async fn finish(self, label: &Label) -> io::Result<()> {
        let bucket = &self.bucket;
        let s3 = &bucket.s3;
        let rest = self.gathered.freeze();
        let marker = incoming(&label.arrival);
        match self.upload {
            None => {
                bucket.put_label(&marker, label).await?;
                s3.put(&data(&label.arrival), rest).await
            }
            Some(mut upload) => {
                if !rest.is_empty() {
                    upload.send(rest).await?;
                }
                upload.settle().await?;
                bucket.put_label(&marker, label).await?;
                upload.complete().await
            }
        }
    }
}

/// Frames of a document, as they are filled.
struct Encrypting {
    key: DataKey,
    sealing: Sealing,
    /// The frame that is not full, or of which it is not known whether it is the last.
    frame: Vec<u8>,
    sealed: Vec<u8>,
}

impl Encrypting {
    fn begin() -> io::Result<Self> {
        let key = DataKey::random()?;
        Ok(Self {
            sealing: Sealing::new(&key)?,
            key,
            frame: Vec::new(),
            sealed: Vec::new(),
        })
    }

    fn take(&mut self, mut chunk: &[u8], out: &mut BytesMut) -> io::Result<()> {
        while !chunk.is_empty() {
            if self.frame.len() == FRAME {
                self.put(false, out)?;
            }
            let taken = chunk.len().min(FRAME - self.frame.len());
            self.frame.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[taken..];
        }
        Ok(())
    }

    fn put(&mut self, is_last: bool, out: &mut BytesMut) -> io::Result<()> {
        self.sealed.clear();
        self.sealing.seal(&self.frame, is_last, &mut self.sealed)?;
        self.frame.clear();
        out.extend_from_slice(&self.sealed);
        Ok(())
    }

    fn finish(mut self, out: &mut BytesMut) -> io::Result<Hidden> {
        self.put(true, out)?;
        Ok(sealed::key_text(&self.key))
    }
}

/// An object that is sent in parts. Unless it is completed, nothing of it stays.
struct Upload {
    s3: Arc<S3>,
    key: String,
    /// Until it is completed.
    id: Option<String>,
    parts: Vec<String>,
    sending: Option<JoinHandle<io::Result<String>>>,
}

impl Upload {
    async fn begin(s3: Arc<S3>, key: String) -> io::Result<Self> {
        let id = s3.begin(&key).await?;
        Ok(Self {
            s3,
            key,
            id: Some(id),
            parts: Vec::new(),
            sending: None,
        })
    }

    /// Waits for the part before, and has this one sent.
    async fn send(&mut self, part: Bytes) -> io::Result<()> {
        self.settle().await?;
        let (s3, key) = (Arc::clone(&self.s3), self.key.clone());
        let id = self.id.clone().unwrap_or_default();
        let number = self.parts.len() + 1;
        self.sending = Some(tokio::spawn(async move {
            s3.part(&key, &id, number, part).await
        }));
        Ok(())
    }

    /// Waits for the part that is being sent.
    async fn settle(&mut self) -> io::Result<()> {
        if let Some(sending) = self.sending.take() {
            let part = sending.await.map_err(io::Error::other)??;
            self.parts.push(part);
        }
        Ok(())
    }

    async fn complete(mut self) -> io::Result<()> {
        let id = self.id.clone().unwrap_or_default();
        self.s3.complete(&self.key, &id, &self.parts).await?;
        self.id = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (s3, key, sending) = (Arc::clone(&self.s3), self.key.clone(), self.sending.take());
        if let Some(id) = self.id.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                // A part that arrives later would stay.
                if let Some(sending) = sending {
                    let _ = sending.await;
                }
                if let Err(error) = s3.abort(&key, &id).await {
                    tracing::warn!(%error, key, "an unfinished upload was not removed");
                }
            });
        }
    }
}
