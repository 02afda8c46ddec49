//! The inbox: one folder for each submission, laid out as a directory on a medium (ITI-32), so that
//! other programs can open it too.
//!
//! ```text
//! incoming/<name>/                     what is being received, or removed
//! submissions/<uniqueId>/METADATA.XML  a lcm:SubmitObjectsRequest, as it came
//! submissions/<uniqueId>/DOC00001.PDF  the documents; URI in their entries says which is which
//! submissions/<uniqueId>/RECEIVED.JSN  from whom it came, and when
//! at-rest                              which keys are needed, if the inbox is encrypted
//! lock                                 held by the process that uses the inbox
//! ```
//!
//! A submission comes into being with one rename, when everything in its folder is on disk, and
//! vanishes with one. Whatever moment power fails at, it is there whole or not at all.

mod slip;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use hilum_security::at_rest::{self, Vault};
use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::ebrs::RegistryError;
use xds_schemas::iti32_distribute_document_set_on_media::METADATA;

pub(super) use slip::{FORMAT, Slip, sha1};

use crate::blob_store::arrival::Receiving;
use crate::blob_store::claim;

/// What is noted of a submission, beside it.
const RECEIVED: &str = "RECEIVED.JSN";

/// The inbox. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Inbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    most: usize,
    vault: Vault,
    /// By uniqueId. Never held while anything is written.
    slips: Mutex<BTreeMap<String, Slip>>,
    /// Held while a submission comes or goes, so that one after the other does.
    moving: Mutex<()>,
    /// Released by the system when the process ends, however it does.
    _lock: File,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// It is in the inbox.
    Kept,
    /// It was there before, exactly as it is.
    SameAlready,
    /// Another one with its uniqueId is there.
    OtherAlready,
    /// The inbox takes no more.
    Full,
}

/// A submission that is looked at.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) slip: Slip,
    pub(super) folder: PathBuf,
    pub(super) metadata: Vec<u8>,
}

/// A submission on its way in. Its folder is removed again unless it is kept.
#[derive(Debug)]
pub(super) struct Arriving {
    folder: PathBuf,
    /// What the folder is called when it is kept.
    place: PathBuf,
    vault: Vault,
}

impl Arriving {
    /// Begins to take a document.
    pub(super) fn file(&self, name: &str) -> Receiving {
        let path = self.folder.join(name);
        Receiving::new(path, name.to_owned(), self.vault.clone())
    }

    /// Where a document is when it is kept.
    pub(super) fn place_of(&self, name: &str) -> PathBuf {
        self.place.join(name)
    }
}

impl Arriving {
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        let mut output = self.vault.output(File::create_new(&path)?)?;
        output.write_all(bytes)?;
        let file = output.finish(&[&path, &self.place_of(name)])?;
        file.sync_all()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Removes a folder that nobody wants any more. If that fails, it is removed at the next start.
fn remove(folder: &Path) {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %folder.display(), "a folder was not removed");
        }
        _ => {}
    }
}

/// The inbox takes no more.
pub(super) fn full() -> RegistryError {
    let context = "the inbox is full; somebody must look into it first";
    RegistryError::error(ErrorCode::RepositoryOutOfResources, context)
}

impl Inbox {
    /// Opens the inbox at `url`, making its folders if need be.
    pub(super) fn open(url: &str, most: usize, vault: Vault) -> anyhow::Result<Self> {
        let (root, lock) = claim(url, "the inbox", &["incoming", "submissions"])?;
        crate::at_rest::check(&root, &vault, "the inbox")?;
        vault.guard(&root);
        let at_path = || format!("the inbox {} cannot be read", root.display());
        for left_behind in fs::read_dir(root.join("incoming")).with_context(at_path)? {
            remove(&left_behind.with_context(at_path)?.path());
        }
        let mut slips = BTreeMap::new();
        for submission in fs::read_dir(root.join("submissions")).with_context(at_path)? {
            let folder = submission.with_context(at_path)?.path();
            match read_slip(&folder) {
                Ok(slip) => drop(slips.insert(slip.unique_id.clone(), slip)),
                Err(error) => {
                    let path = folder.display();
                    tracing::error!(%path, "a submission in the inbox cannot be read: {error:#}");
                }
            }
        }
        let shared = Shared {
            root,
            most,
            vault,
            slips: Mutex::new(slips),
            moving: Mutex::default(),
            _lock: lock,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Refuses early what could not be kept in the end.
    pub(super) fn has_room(&self) -> Result<(), RegistryError> {
        match self.shared.slips().len() < self.shared.most {
            true => Ok(()),
            false => Err(full()),
        }
    }

    /// Begins to take the submission with this uniqueId.
    pub(super) async fn arrive(&self, unique_id: &str) -> io::Result<Arriving> {
        let name = Uuid::new_v4().to_string();
        let folder = self.shared.root.join("incoming").join(name);
        let place = self.shared.place_of(unique_id);
        let vault = self.shared.vault.clone();
        let make = move || {
            DirBuilder::new().mode(0o700).create(&folder)?;
            Ok(Arriving {
                folder,
                place,
                vault,
            })
        };
        blocking(make).await
    }

    /// Keeps a submission whose documents have come. When this says so, it is on disk.
    pub(super) async fn keep(
        &self,
        arriving: Arriving,
        slip: Slip,
        metadata: String,
    ) -> io::Result<Keeping> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.keep(&arriving, slip, &metadata)).await
    }

    /// How many there are, and a page of them, oldest first.
    pub(super) fn list(&self, skip: usize, most: usize) -> (usize, Vec<Slip>) {
        let slips = self.shared.slips();
        let mut all: Vec<&Slip> = slips.values().collect();
        all.sort_by_key(|slip| (&slip.time, &slip.unique_id));
        let page = all.iter().skip(skip).take(most);
        (all.len(), page.map(|slip| (*slip).clone()).collect())
    }

    /// The submission with this uniqueId.
    pub(super) async fn open_submission(&self, unique_id: String) -> io::Result<Option<Opened>> {
        let shared = Arc::clone(&self.shared);
        let open = move || {
            let Some(slip) = shared.slips().get(&unique_id).cloned() else {
                return Ok(None);
            };
            let folder = shared.place_of(&slip.unique_id);
            let metadata = read(&folder.join(METADATA))?;
            Ok(Some(Opened {
                slip,
                folder,
                metadata,
            }))
        };
        blocking(open).await
    }

    /// Removes the submission with this uniqueId, and gives what was noted of it.
    pub(super) async fn delete(&self, unique_id: String) -> io::Result<Option<Slip>> {
        let shared = Arc::clone(&self.shared);
        blocking(move || shared.delete(&unique_id)).await
    }
}

impl Shared {
    fn slips(&self) -> MutexGuard<'_, BTreeMap<String, Slip>> {
        self.slips.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moving(&self) -> MutexGuard<'_, ()> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// uniqueIds here are OIDs, which make good names.
    fn place_of(&self, unique_id: &str) -> PathBuf {
        self.root.join("submissions").join(unique_id)
    }

    fn keep(&self, arriving: &Arriving, slip: Slip, metadata: &str) -> io::Result<Keeping> {
        arriving.write(METADATA, metadata.as_bytes())?;
        let noted = serde_json::to_vec_pretty(&slip)?;
        arriving.write(RECEIVED, &noted)?;
        sync(&arriving.folder)?;
        let submissions = self.root.join("submissions");
        let _moving = self.moving();
        let there = self
            .slips()
            .get(&slip.unique_id)
            .map(|it| it.metadata == slip.metadata);
        match there {
            Some(true) => {
                // The sync of the first time may have failed.
                sync(&submissions)?;
                return Ok(Keeping::SameAlready);
            }
            Some(false) => return Ok(Keeping::OtherAlready),
            None if self.slips().len() >= self.most => return Ok(Keeping::Full),
            None => {}
        }
        fs::rename(&arriving.folder, self.place_of(&slip.unique_id))?;
        // Known from now on, whatever becomes of the sync: it is where it is found.
        self.slips().insert(slip.unique_id.clone(), slip);
        sync(&submissions)?;
        Ok(Keeping::Kept)
    }

    fn delete(&self, unique_id: &str) -> io::Result<Option<Slip>> {
        let moving = self.moving();
        let Some(slip) = self.slips().get(unique_id).cloned() else {
            return Ok(None);
        };
        let going = self.root.join("incoming").join(Uuid::new_v4().to_string());
        fs::rename(self.place_of(&slip.unique_id), &going)?;
        self.slips().remove(unique_id);
        sync(&self.root.join("submissions"))?;
        drop(moving);
        remove(&going);
        Ok(Some(slip))
    }
}

/// A file as a whole, encrypted or not.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    at_rest::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read_slip(folder: &Path) -> anyhow::Result<Slip> {
    let slip: Slip = serde_json::from_slice(&read(&folder.join(RECEIVED))?)?;
    let name = folder.file_name().and_then(|name| name.to_str());
    anyhow::ensure!(slip.format == FORMAT, "its format is {}", slip.format);
    anyhow::ensure!(
        name == Some(slip.unique_id.as_str()),
        "its folder is called otherwise than it"
    );
    Ok(slip)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests;
