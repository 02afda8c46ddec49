//! The key ring: a folder of key-encryption keys, one of them current.
//!
//! ```text
//! keys/current         the name of the key that wraps what is written from now on
//! keys/<name>.key      a key, as it is or wrapped by a command
//! ```
//!
//! Whoever has the folder and the disk reads everything; whoever has lost the folder reads nothing.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::command::{KeyCommand, exactly};
use super::key::{KeyId, Secret, from_hex, to_hex};

/// Keys of a ring; more would be a mistake.
const MOST_KEYS: usize = 1024;
/// How often it is looked whether another key is current.
const LOOK: Duration = Duration::from_millis(500);
const PLAIN: &str = "hilum key 1";
const WRAPPED: &str = "hilum wrapped key 1";

/// The rings that this process reads with.
static INSTALLED: RwLock<Vec<KeyRing>> = RwLock::new(Vec::new());

/// Folders in which everything must be encrypted, for this process.
static GUARDED: RwLock<Vec<PathBuf>> = RwLock::new(Vec::new());

/// What is wrong with keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others on this machine could read a key.
    #[error("{0}: only its owner may read it (chmod 600)")]
    Readable(PathBuf),
    /// Others on this machine could put a key there.
    #[error("{0}: only its owner may write into it (chmod 700)")]
    Writable(PathBuf),
    /// No key, or one of another make.
    #[error("{0}: it is not a key that can be used: {1}")]
    NoKey(PathBuf, &'static str),
    /// No key is current.
    #[error("{0}: there is no current key; make one with `hilum keys new`")]
    NoCurrent(PathBuf),
    /// A key that is not there.
    #[error("the key {0} is not in the key ring")]
    Missing(KeyId),
    /// The current key is not taken away.
    #[error("the key {0} is the current one; make another one current first")]
    Current(KeyId),
    /// The command did not do it.
    #[error("the key command cannot {verb} {key}: {why}")]
    Command {
        /// `wrap` or `unwrap`.
        verb: &'static str,
        /// Which key.
        key: KeyId,
        /// Why not.
        why: String,
    },
}

/// A key of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// Its name.
    pub id: KeyId,
    /// Whether it wraps what is written from now on.
    pub is_current: bool,
}

/// The keys of a site. Clones share it.
#[derive(Clone)]
pub struct KeyRing {
    shared: Arc<Shared>,
}

struct Shared {
    folder: PathBuf,
    command: Option<KeyCommand>,
    state: RwLock<State>,
}

struct State {
    keys: HashMap<KeyId, Arc<Secret>>,
    current: KeyId,
    looked: Instant,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("KeyRing")
            .field(&self.shared.folder)
            .finish()
    }
}

impl KeyRing {
    /// Opens the ring in a folder, every key of it. With a command, keys are wrapped there.
    ///
    /// # Errors
    /// Says which file is wrong, and why.
    pub fn open(folder: &Path, command: Option<KeyCommand>) -> Result<Self, KeyError> {
        is_private(folder, 0o022)
            .then_some(())
            .ok_or_else(|| match folder.is_dir() {
                true => KeyError::Writable(folder.to_owned()),
                false => KeyError::NoCurrent(folder.to_owned()),
            })?;
        let current = current(folder)?;
        let mut keys = HashMap::new();
        for id in names(folder)? {
            keys.insert(id, Arc::new(load(folder, command.as_ref(), id)?));
        }
        if !keys.contains_key(&current) {
            return Err(KeyError::Missing(current));
        }
        let state = State {
            keys,
            current,
            looked: Instant::now(),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                command,
                state: RwLock::new(state),
            }),
        })
    }

    /// Makes a new key in a folder, which need not be there yet, and makes it the current one.
    ///
    /// # Errors
    /// If it cannot be written, or the command does not wrap it.
    pub fn generate(folder: &Path, command: Option<&KeyCommand>) -> Result<KeyId, KeyError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            |error| KeyError::Io { path, error }
        };
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(folder);
        made.map_err(at(folder))?;
        if !is_private(folder, 0o022) {
            return Err(KeyError::Writable(folder.to_owned()));
        }
        let id = KeyId::random().map_err(at(folder))?;
        let secret = Secret::random().map_err(at(folder))?;
        let (kind, text) = match command {
            None => (PLAIN, to_hex(secret.bytes())),
            Some(command) => (WRAPPED, to_hex(&command.wrap(id, secret.bytes())?)),
        };
        if let Some(command) = command {
            // A command that cannot give it back must be found out before anything needs it.
            let back = exactly(command.unwrap(id, &from_hex(&text).unwrap_or_default())?);
            if back.as_ref() != Some(secret.bytes()) {
                let why = "what it wrapped, it unwraps to something else".to_owned();
                return Err(KeyError::Command {
                    verb: "unwrap",
                    key: id,
                    why,
                });
            }
        }
        let path = place(folder, id);
        write(folder, &path, &format!("{kind}\n{text}\n")).map_err(at(&path))?;
        let path = folder.join("current");
        write(folder, &path, &format!("{id}\n")).map_err(at(&path))?;
        Ok(id)
    }

    /// From now on, this process reads with the keys of this ring.
    pub fn install(&self) {
        let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = |ring: &Self| ring.shared.folder == self.shared.folder;
        installed.retain(|ring| !is_same(ring));
        installed.push(self.clone());
    }

    /// The keys, by name.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self) -> Result<Vec<KeyUse>, KeyError> {
        let current = current(&self.shared.folder)?;
        let mut names = names(&self.shared.folder)?;
        names.sort();
        let used = |id| KeyUse {
            id,
            is_current: id == current,
        };
        Ok(names.into_iter().map(used).collect())
    }

    /// The folder it is in.
    pub fn folder(&self) -> PathBuf {
        self.shared.folder.clone()
    }

    /// The name of the current key.
    pub fn current_id(&self) -> KeyId {
        self.current().0
    }

    /// Whether a key is there.
    pub fn has(&self, id: &KeyId) -> bool {
        self.find(id).is_some()
    }

    /// Takes a key away for good. That nothing needs it is for the caller to know.
    ///
    /// # Errors
    /// If it is the current one, or not there.
    pub fn remove(&self, id: KeyId) -> Result<(), KeyError> {
        if current(&self.shared.folder)? == id {
            return Err(KeyError::Current(id));
        }
        let path = place(&self.shared.folder, id);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(KeyError::Missing(id));
            }
            Err(error) => return Err(KeyError::Io { path, error }),
        }
        let mut state = self
            .shared
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        state.keys.remove(&id);
        Ok(())
    }

    /// The current key and its name. A node sees within a second that another key is current.
    pub(super) fn current(&self) -> (KeyId, Arc<Secret>) {
        {
            let state = self
                .shared
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            if state.looked.elapsed() < LOOK
                && let Some(key) = state.keys.get(&state.current)
            {
                return (state.current, Arc::clone(key));
            }
        }
        let now = self.look();
        let mut state = self
            .shared
            .state
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        state.looked = Instant::now();
        match now {
            Ok((id, key)) => {
                state.current = id;
                state.keys.insert(id, key);
            }
            // What was current still is, as far as this process knows.
            Err(error) => tracing::error!(%error, "the current key cannot be read"),
        }
        let current = state.current;
        let key = state.keys.get(&current).map(Arc::clone);
        (current, key.expect("the current key is never taken away"))
    }

    fn look(&self) -> Result<(KeyId, Arc<Secret>), KeyError> {
        let id = current(&self.shared.folder)?;
        let key = self.find(&id).ok_or(KeyError::Missing(id))?;
        Ok((id, key))
    }

    /// A key, also one that was made since the ring was opened.
    pub(super) fn find(&self, id: &KeyId) -> Option<Arc<Secret>> {
        let known = {
            let state = self
                .shared
                .state
                .read()
                .unwrap_or_else(PoisonError::into_inner);
            state.keys.get(id).map(Arc::clone)
        };
        known.or_else(|| {
            if !place(&self.shared.folder, *id).exists() {
                return None;
            }
            let loaded = load(&self.shared.folder, self.shared.command.as_ref(), *id);
            let key = loaded.map_err(|error| tracing::error!(%error, "a key cannot be read"));
            let key = Arc::new(key.ok()?);
            let mut state = self
                .shared
                .state
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            if state.keys.len() < MOST_KEYS {
                state.keys.insert(*id, Arc::clone(&key));
            }
            Some(key)
        })
    }
}

/// From now on, a plain file below this folder is refused.
pub(super) fn guard(folder: &Path) {
    let mut guarded = GUARDED.write().unwrap_or_else(PoisonError::into_inner);
    if !guarded.iter().any(|it| it == folder) {
        guarded.push(folder.to_owned());
    }
}

/// Whether what is here must be encrypted.
pub(super) fn is_guarded(path: &Path) -> bool {
    let guarded = GUARDED.read().unwrap_or_else(PoisonError::into_inner);
    guarded.iter().any(|folder| path.starts_with(folder))
}

/// Whether this process has any keys, so that files may have to be looked at before they are read.
pub fn has_keys() -> bool {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    !installed.is_empty()
}

/// A key of any ring of this process.
pub(super) fn find(id: &KeyId) -> Option<Arc<Secret>> {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    installed.iter().find_map(|ring| ring.find(id))
}

fn place(folder: &Path, id: KeyId) -> PathBuf {
    folder.join(format!("{id}.key"))
}

/// Whether nobody but the owner has these rights.
fn is_private(path: &Path, others: u32) -> bool {
    fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & others == 0)
}

fn current(folder: &Path) -> Result<KeyId, KeyError> {
    let path = folder.join("current");
    match fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|why| KeyError::NoKey(path, why)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(KeyError::NoCurrent(folder.to_owned()))
        }
        Err(error) => Err(KeyError::Io { path, error }),
    }
}

/// The keys of a folder.
fn names(folder: &Path) -> Result<Vec<KeyId>, KeyError> {
    let failed = |error| KeyError::Io {
        path: folder.to_owned(),
        error,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_str().and_then(|name| name.strip_suffix(".key"));
        names.extend(name.and_then(|name| name.parse::<KeyId>().ok()));
        if names.len() > MOST_KEYS {
            return Err(KeyError::NoKey(
                folder.to_owned(),
                "there are too many keys",
            ));
        }
    }
    Ok(names)
}

fn load(folder: &Path, command: Option<&KeyCommand>, id: KeyId) -> Result<Secret, KeyError> {
    let path = place(folder, id);
    let text = fs::read_to_string(&path);
    let text = text.map_err(|error| KeyError::Io {
        path: path.clone(),
        error,
    })?;
    if !is_private(&path, 0o077) {
        return Err(KeyError::Readable(path));
    }
    let (kind, rest) = text.split_once('\n').unwrap_or_default();
    let bytes = from_hex(rest.trim()).unwrap_or_default();
    let key = match (kind, command) {
        (PLAIN, _) => exactly(bytes),
        (WRAPPED, Some(command)) => exactly(command.unwrap(id, &bytes)?),
        (WRAPPED, None) => {
            let why = "it is wrapped, and [at_rest] names no command that unwraps it";
            return Err(KeyError::NoKey(path, why));
        }
        _ => None,
    };
    let key = key.ok_or(KeyError::NoKey(path, "32 bytes are expected"))?;
    Ok(Secret::of(key))
}

/// Writes a file whole or not at all, for its owner only.
fn write(folder: &Path, path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let mut private = OpenOptions::new();
    let mut file = private
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    File::open(folder)?.sync_all()
}
