//! Everything that is kept here, for those who change keys or turn encryption on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hilum_security::at_rest::{self, KeyId, KeyRing, Rewrapped, Vault};

use super::{encrypting, mark};
use crate::blob_store::keeping::Bucketed;
use crate::blob_store::{Access, claim, folder_of, is_object_store};
use crate::imaging::{index_at_rest, lock_objects};

/// Failures that are told one by one.
const TOLD: usize = 100;

/// Where a node keeps what.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    /// The document store, and who asks it if it is in S3.
    pub documents: Option<(String, Option<Access>)>,
    /// The store of the imaging source.
    pub imaging: Option<String>,
    /// The inbox of the recipient.
    pub inbox: Option<String>,
}

/// What is found in stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// How many objects need each key.
    pub keys: BTreeMap<KeyId, u64>,
    /// Objects that are not encrypted.
    pub plain: u64,
    /// Objects that are on their way, of whichever of these.
    pub arriving: u64,
    /// What cannot be read, and why; the first of them.
    pub failures: Vec<String>,
}

/// What was done to stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worked {
    /// Objects that were changed.
    pub done: u64,
    /// Objects that were so already.
    pub already: u64,
    /// Objects that the work does not concern.
    pub passed_over: u64,
    /// What went wrong, and why; the first of them.
    pub failures: Vec<String>,
    /// How much went wrong.
    pub failed: u64,
}

impl Worked {
    /// Something has stayed as it was.
    pub fn fail(&mut self, what: &str, error: &dyn std::fmt::Display) {
        self.failed += 1;
        if self.failures.len() < TOLD {
            self.failures.push(format!("{what}: {error}"));
        }
    }

    /// Counts what was to be given the current key.
    pub fn count(&mut self, rewrapped: Rewrapped) {
        match rewrapped {
            Rewrapped::Done => self.done += 1,
            Rewrapped::Already => self.already += 1,
            Rewrapped::Plain => self.passed_over += 1,
        }
    }
}

impl Worked {
    /// A mark is encrypted with one key, too, and is always written anew.
    pub(crate) fn count_mark(&mut self, keys: Option<BTreeSet<KeyId>>, ring: &KeyRing) {
        let current = ring.current_id();
        match keys {
            Some(keys) if keys.len() == 1 && keys.contains(&current) => self.already += 1,
            Some(_) => self.done += 1,
            None => {}
        }
    }
}

impl Survey {
    pub(crate) fn add(&mut self, keys: Option<BTreeSet<KeyId>>) {
        match keys {
            None => self.plain += 1,
            Some(keys) => self.need(keys),
        }
    }

    /// Something needs these keys.
    pub fn need(&mut self, keys: BTreeSet<KeyId>) {
        for key in keys {
            *self.keys.entry(key).or_default() += 1;
        }
    }

    /// Something cannot be read.
    pub fn fail(&mut self, what: &str, error: &dyn std::fmt::Display) {
        if self.failures.len() < TOLD {
            self.failures.push(format!("{what}: {error}"));
        }
    }
}

/// How a store in a folder is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    Documents,
    Imaging,
    Inbox,
}

/// A store in a folder.
#[derive(Debug)]
struct Folder {
    root: PathBuf,
    layout: Layout,
}

impl Folder {
    /// How it is called in errors.
    const fn called(&self) -> &'static str {
        match self.layout {
            Layout::Documents => "the document store",
            Layout::Imaging => "the imaging source",
            Layout::Inbox => "the inbox",
        }
    }

    /// Subfolders of objects that stay, with how deep they lie there.
    const fn places(&self) -> (&'static str, usize) {
        match self.layout {
            Layout::Documents => ("documents", 3),
            Layout::Imaging => ("objects", 3),
            Layout::Inbox => ("submissions", 2),
        }
    }

    /// The same of objects that are on their way, or stay for a while only.
    const fn passages(&self) -> &'static [(&'static str, usize)] {
        match self.layout {
            Layout::Documents => &[("incoming", 1)],
            Layout::Imaging => &[("objects/incoming", 1), ("fetched", 2)],
            Layout::Inbox => &[("incoming", 2)],
        }
    }

    fn each_kept(&self, each: &mut dyn FnMut(&Path)) -> io::Result<()> {
        let (folder, depth) = self.places();
        let arriving = self.root.join("objects/incoming");
        below(&self.root.join(folder), depth, &mut |path| {
            // The arriving objects of an imaging source are beside the others.
            if !path.starts_with(&arriving) {
                each(path);
            }
        })
    }

    fn each_passing(&self, each: &mut dyn FnMut(&Path)) -> io::Result<()> {
        for (folder, depth) in self.passages() {
            below(&self.root.join(folder), *depth, each)?;
        }
        Ok(())
    }
}

/// The files this deep below a folder, which need not be there.
fn below(folder: &Path, depth: usize, each: &mut dyn FnMut(&Path)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    // What comes while we are here is not looked at twice.
    let entries: Vec<_> = entries.collect::<io::Result<_>>()?;
    for entry in entries {
        let is_folder = entry.file_type()?.is_dir();
        match (is_folder, depth) {
            (true, 2..) => below(&entry.path(), depth - 1, each)?,
            (false, 1) => each(&entry.path()),
            _ => {}
        }
    }
    Ok(())
}

impl Kept {
    fn folders(&self) -> anyhow::Result<Vec<Folder>> {
        let mut folders = Vec::new();
        let documents = self.documents.as_ref().map(|(url, _)| url);
        let stores = [
            (documents, Layout::Documents),
            (self.imaging.as_ref(), Layout::Imaging),
            (self.inbox.as_ref(), Layout::Inbox),
        ];
        for (url, layout) in stores {
            if let Some(url) = url.filter(|url| !is_object_store(url)) {
                let root = folder_of(url)?;
                if root.is_dir() {
                    folders.push(Folder { root, layout });
                }
            }
        }
        Ok(folders)
    }

    fn bucket(&self, vault: &Vault) -> anyhow::Result<Option<Bucketed>> {
        match &self.documents {
            Some((url, access)) if is_object_store(url) => {
                Bucketed::open(url, access.as_ref(), vault).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Whether the stores could be opened with this vault: what they need is there. Writes nothing. Blocks.
    ///
    /// # Errors
    /// If one of them could not, as where a node starts.
    pub fn check_keys(&self, vault: &Vault) -> anyhow::Result<()> {
        for folder in self.folders()? {
            mark::looked_at(&folder.root, vault, folder.called())?;
        }
        match self.bucket(vault)? {
            Some(bucket) => Ok(bucket.check_keys()?),
            None => Ok(()),
        }
    }

    /// Whether the index of images could be used with this vault, and whether what identifies patients
    /// is encrypted in it; nothing if there is none.
    ///
    /// # Errors
    /// If it is not as the site wants it, or its key is not there.
    pub fn check_identifiers(&self, vault: &Vault) -> anyhow::Result<Option<bool>> {
        let folders = self.folders()?;
        let mut imaging = folders.iter().filter(|it| it.layout == Layout::Imaging);
        let Some(folder) = imaging.next() else {
            return Ok(None);
        };
        index_at_rest::check(&folder.root, vault.ring_of_fields())
    }

    /// Looks which keys are needed. Works beside a node that uses the stores. Blocks.
    ///
    /// # Errors
    /// If a store cannot be listed.
    pub fn survey(&self, vault: &Vault) -> anyhow::Result<Survey> {
        let mut survey = Survey::default();
        for folder in self.folders()? {
            let listed = folder.each_kept(&mut |path| look(&mut survey, path));
            listed.with_context(|| folder.root.display().to_string())?;
            let mut arriving = 0;
            let listed = folder.each_passing(&mut |path| {
                arriving += 1;
                // What has no header yet gets the key that is current then.
                if let Ok(Some(keys)) = at_rest::keys_of(path) {
                    survey.add(Some(keys));
                }
            });
            listed.with_context(|| folder.root.display().to_string())?;
            survey.arriving += arriving;
            look_at_mark(&mut survey, &folder.root);
            if folder.layout == Layout::Imaging {
                match index_at_rest::key(&folder.root) {
                    Ok(None) => {}
                    Ok(Some(key)) => survey.add(Some([key].into())),
                    Err(error) => survey.fail("the index of images", &format!("{error:#}")),
                }
            }
        }
        if let Some(bucket) = self.bucket(vault)? {
            bucket.survey(&mut survey)?;
        }
        Ok(survey)
    }

    /// Gives everything the current key. Works beside a node that uses the stores; what is interrupted
    /// can be begun again. `progress` is told how much is done. Blocks.
    ///
    /// # Errors
    /// If a store cannot be listed. What goes wrong with single objects is in the result.
    pub fn rotate(
        &self,
        ring: &KeyRing,
        progress: &mut (dyn FnMut(&Worked) + Send),
    ) -> anyhow::Result<Worked> {
        let vault = Vault::with(ring.clone());
        let mut worked = Worked::default();
        for folder in self.folders()? {
            let listed = folder.each_kept(&mut |path| {
                match at_rest::rewrap(ring, path) {
                    Ok(rewrapped) => worked.count(rewrapped),
                    // It was removed meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => worked.fail(&path.display().to_string(), &error),
                }
                progress(&worked);
            });
            listed.with_context(|| folder.root.display().to_string())?;
            if folder.layout == Layout::Imaging {
                match index_at_rest::rotate(&folder.root, ring) {
                    Ok(Some(true)) => worked.done += 1,
                    Ok(Some(false)) => worked.already += 1,
                    Ok(None) => {}
                    Err(error) => worked.fail("the index of images", &format!("{error:#}")),
                }
            }
            let mark = at_rest::keys_of(&folder.root.join(mark::MARK));
            worked.count_mark(mark.ok().flatten(), ring);
            remark(&folder, &vault)?;
        }
        if let Some(bucket) = self.bucket(&vault)? {
            bucket.rotate(&mut worked, progress)?;
        }
        Ok(worked)
    }

    /// Encrypts what is plain. The node must be stopped; what is interrupted can be begun again. Blocks.
    ///
    /// # Errors
    /// If a store cannot be listed or is in use. What goes wrong with single objects is in the result.
    pub fn encrypt(
        &self,
        vault: &Vault,
        progress: &mut (dyn FnMut(&Worked) + Send),
    ) -> anyhow::Result<Worked> {
        let mut worked = Worked::default();
        for folder in self.folders()? {
            let url = format!("file:{}", folder.root.display());
            if let (Layout::Imaging, Some(ring)) = (folder.layout, vault.ring_of_fields()) {
                let before = worked.done;
                let done = index_at_rest::encrypt(&folder.root, ring, &mut |rows| {
                    worked.done = before + rows;
                    progress(&worked);
                });
                done.with_context(|| folder.root.display().to_string())?;
            }
            let _lock = match folder.layout {
                Layout::Documents => Some(claim(&url, "the document store", &["documents"])?.1),
                Layout::Inbox => Some(claim(&url, "the inbox", &["submissions"])?.1),
                Layout::Imaging => None,
            };
            // What follows needs keys, whatever moment it is interrupted at.
            let vault = &vault.clone().accepting_plain();
            mark::check(&folder.root, vault, "the store")?;
            let _objects = match folder.layout {
                Layout::Imaging => Some(lock_objects(&url, vault)?),
                _ => None,
            };
            let mut folders = BTreeSet::new();
            let listed = folder.each_kept(&mut |path| {
                let plain = folder.layout == Layout::Documents;
                match encrypting::file(vault, path, plain) {
                    Ok(true) => {
                        worked.done += 1;
                        folders.extend(path.parent().map(Path::to_owned));
                    }
                    Ok(false) => worked.already += 1,
                    Err(error) => worked.fail(&path.display().to_string(), &error),
                }
                progress(&worked);
            });
            listed.with_context(|| folder.root.display().to_string())?;
            for folder in folders {
                let synced = fs::File::open(&folder).and_then(|folder| folder.sync_all());
                synced.with_context(|| folder.display().to_string())?;
            }
        }
        if let Some(bucket) = self.bucket(vault)? {
            bucket.encrypt(&mut worked, progress)?;
        }
        Ok(worked)
    }
}

fn look(survey: &mut Survey, path: &Path) {
    let name = path.file_name().unwrap_or_default();
    if name.to_string_lossy().ends_with(encrypting::PART) {
        return;
    }
    match at_rest::keys_of(path) {
        Ok(keys) => survey.add(keys),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => survey.fail(&path.display().to_string(), &error),
    }
}

/// A mark is encrypted with one key, too.
fn look_at_mark(survey: &mut Survey, root: &Path) {
    if let Ok(Some(keys)) = at_rest::keys_of(&root.join(mark::MARK)) {
        survey.add(Some(keys));
    }
}

/// The mark names the keys that are still needed.
fn remark(folder: &Folder, vault: &Vault) -> anyhow::Result<()> {
    let mut survey = Survey::default();
    let looked = folder.each_kept(&mut |path| look(&mut survey, path));
    looked.with_context(|| folder.root.display().to_string())?;
    folder.each_passing(&mut |path| {
        if let Ok(Some(keys)) = at_rest::keys_of(path) {
            survey.add(Some(keys));
        }
    })?;
    let mut needed: BTreeSet<KeyId> = survey.keys.into_keys().collect();
    needed.extend(vault.ring().map(KeyRing::current_id));
    mark::write(&folder.root, vault, &needed)
}
