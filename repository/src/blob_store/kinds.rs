//! The two forms of a store, and what they have in common.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use bytes::Bytes;
use hilum_security::at_rest::{Opened, Vault};
use hilum_transport::PartSource;
use tokio::task::JoinHandle;

use super::bucket::{self, Bucket};
use super::container::{Label, Said};
use super::s3::{Access, Address};
use super::{Arrival, Files, arrival, check_folder};
use crate::at_rest;

/// Bytes of an object that is held in memory from when an answer begins until it is sent.
const HELD: u64 = 256 * 1024;

/// The store. Clones share it.
#[derive(Debug, Clone)]
pub(crate) enum BlobStore {
    /// In files.
    Files(Files),
    /// In an object store.
    Bucket(Bucket),
}

/// A document that is kept.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(super) content: Content,
    /// What is known of the document.
    pub(crate) label: Label,
}

/// Where the bytes of a document are.
#[derive(Debug)]
pub(super) enum Content {
    File {
        /// The file, which begins with the document.
        path: PathBuf,
        /// The same, open: whatever becomes of the name, it is what the label says.
        file: Opened,
    },
    Object(Bucket),
}

impl Stored {
    /// What is known of the document, and where its bytes come from when it is sent; nothing if it
    /// was removed since it was found. If it is `open`, it comes even if it is removed from now on:
    /// a file in any case, an object if it is small. A larger one breaks off. Blocks.
    ///
    /// # Errors
    /// If it is encrypted and damaged where it begins: once it is announced, others would break off
    /// with it.
    pub(crate) fn into_source(self, open: bool) -> io::Result<Option<(Label, PartSource)>> {
        let length = self.label.size;
        let source = match self.content {
            Content::File { path, mut file } => {
                at_rest::begins_well(&mut file)?;
                match open {
                    true => at_rest::open_source(path, file, length),
                    false => at_rest::source(path, length, !file.is_sealed()),
                }
            }
            Content::Object(bucket) if open && length <= HELD => {
                let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
                match runtime.block_on(bucket.content(&self.label))? {
                    Some(bytes) => PartSource::Bytes(bytes),
                    None => return Ok(None),
                }
            }
            Content::Object(bucket) => {
                let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
                if !runtime.block_on(bucket.begins_well(&self.label))? {
                    return Ok(None);
                }
                PartSource::Stream(bucket.stream(&self.label))
            }
        };
        Ok(Some((self.label, source)))
    }
}

/// A document that is being received. It leaves nothing unless it is [sealed](Self::seal).
pub(crate) enum Receiving {
    File(arrival::Receiving),
    Object(bucket::Receiving),
}

impl Receiving {
    /// Takes the next bytes of the document.
    pub(crate) async fn write(&mut self, chunk: Bytes) -> io::Result<()> {
        match self {
            Self::File(receiving) => receiving.write(chunk).await,
            Self::Object(receiving) => receiving.write(chunk).await,
        }
    }

    /// Ends the document and has it made durable.
    pub(crate) async fn seal(self, said: Said) -> io::Result<JoinHandle<io::Result<Arrival>>> {
        match self {
            Self::File(receiving) => receiving.seal(said).await,
            Self::Object(receiving) => receiving.seal(said).await,
        }
    }
}

impl BlobStore {
    /// Opens the store at `url`. One in S3 needs `access`.
    pub(crate) fn open(url: &str, access: Option<&Access>, vault: &Vault) -> anyhow::Result<Self> {
        match is_object_store(url) {
            false => Ok(Self::Files(Files::open(url, vault)?)),
            true => {
                let access = access.context("a store in S3 needs a key and its secret")?;
                let address = Address::parse(url)?;
                Ok(Self::Bucket(Bucket::new(
                    address,
                    access.clone(),
                    vault.clone(),
                )))
            }
        }
    }

    /// Begins to take a document.
    pub(crate) fn receive(&self) -> Receiving {
        match self {
            Self::Files(files) => Receiving::File(files.receive()),
            Self::Bucket(bucket) => Receiving::Object(bucket.receive()),
        }
    }

    /// The documents that an earlier process left undecided. What it did not finish to receive or to
    /// remove is removed. Blocks.
    pub(crate) fn left_behind(&self) -> io::Result<Vec<Arrival>> {
        match self {
            Self::Files(files) => files.left_behind(),
            Self::Bucket(bucket) => bucket.left_behind(),
        }
    }

    /// Makes what was received durable.
    pub(crate) async fn make_durable(&self, arrivals: &[Arrival]) -> io::Result<()> {
        match self {
            Self::Files(files) => files.make_durable(arrivals).await,
            // What was sealed is where it stays.
            Self::Bucket(_) => Ok(()),
        }
    }

    /// Puts documents that were registered where they are found from now on. Of what fails,
    /// nothing is lost: it stays where it is.
    pub(crate) async fn keep(&self, arrivals: impl Iterator<Item = &Arrival>) -> io::Result<()> {
        let arrivals: Vec<&Arrival> = arrivals.collect();
        match self {
            Self::Files(files) => files.keep(&arrivals).await,
            Self::Bucket(bucket) => bucket.keep(&arrivals).await,
        }
    }

    /// Removes the document with this uniqueId and says whether there was one. When this comes back,
    /// it is gone for good.
    pub(crate) async fn remove(&self, unique_id: &str) -> io::Result<bool> {
        match self {
            Self::Files(files) => files.remove(unique_id).await,
            Self::Bucket(bucket) => bucket.remove(unique_id).await,
        }
    }

    /// The document with this uniqueId, if it is kept here. Blocks; not to be called where tasks
    /// run.
    pub(crate) fn find(&self, unique_id: &str) -> io::Result<Option<Stored>> {
        match self {
            Self::Files(files) => files.find(unique_id),
            Self::Bucket(bucket) => {
                let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
                runtime.block_on(bucket.find(unique_id))
            }
        }
    }
}

/// Whether a store's URL names one in S3.
pub fn is_object_store(url: &str) -> bool {
    url.starts_with("s3:")
}

/// Whether `url` can be that of a store: `file:PATH` or `s3://BUCKET/PREFIX?endpoint=…&region=…`.
/// Nobody is asked.
///
/// # Errors
/// Says what is wrong with it, and repeats nothing of it, since a secret may stand anywhere in it.
pub fn check_store_url(url: &str) -> anyhow::Result<()> {
    match is_object_store(url) {
        true => Address::parse(url).map(drop),
        false => super::folder_of(url).map(drop),
    }
}

/// Whether documents can be stored at `url`, for `hilum check`: writes and removes a file, in the
/// folder above if the folder itself is not there yet, or an object. Gives what it looked at. Works
/// beside a process that uses the store. Blocks.
///
/// # Errors
/// Says what is wrong with the URL, the folder or the object store.
pub fn check_store(url: &str, access: Option<&Access>) -> anyhow::Result<PathBuf> {
    if !is_object_store(url) {
        return check_folder(url);
    }
    let access = access.context("a store in S3 needs a key and its secret")?;
    let address = Address::parse(url)?;
    let shown = PathBuf::from(address.to_string());
    let bucket = Bucket::new(address, access.clone(), Vault::default());
    bucket
        .probe()
        .with_context(|| format!("{} cannot be used", shown.display()))?;
    Ok(shown)
}
