//! Where an instance's bytes come from: a file that is here, or an archive beside us.
//!
//! Whoever gives instances asks here, so that the same is said of each wherever it is.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Stamp, StoredInstance};
use hilum_dicom::transcode;
use hilum_security::at_rest as encrypted;
use hilum_transport::{PartSource, Stream};

use super::Room;
use super::archives::{Fetched, Kept, Names, NotGiven, Telling, Wanted};
use crate::at_rest;

/// An instance that is to be given, with what an archive needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct ToGive {
    pub(super) study: Uid,
    pub(super) series: Uid,
    pub(super) stored: StoredInstance,
    /// Its patient in the affinity domain, as CX.
    pub(super) patient: Option<String>,
    /// Transfer syntaxes in which an archive may give it; any, if there is none. Of files, whoever
    /// asks has seen to that.
    pub(super) syntaxes: Arc<[String]>,
}

/// A file that can be read, as long as this is held.
#[derive(Debug, Clone)]
pub(super) enum Here {
    /// A file of ours.
    File(PathBuf, u64),
    /// A file of an archived instance.
    Kept(Arc<Kept>),
    /// It is in an archive, and no file is needed of it.
    Nowhere,
}

impl Here {
    /// All of it, to be sent.
    pub(super) fn source(&self) -> io::Result<PartSource> {
        Ok(match self {
            Self::File(path, length) => at_rest::source_of(path.clone(), *length),
            Self::Kept(kept) => {
                let (path, opened) = (kept.path().to_owned(), encrypted::open(kept.path())?);
                at_rest::open_source(path, opened, kept.length())
            }
            Self::Nowhere => return Err(io::ErrorKind::NotFound.into()),
        })
    }
}

impl std::ops::Deref for Here {
    type Target = Path;

    fn deref(&self) -> &Path {
        match self {
            Self::File(path, _) => path,
            Self::Kept(kept) => kept.path(),
            Self::Nowhere => Path::new(""),
        }
    }
}

/// The file of an instance and its length, or why it cannot be given. Nobody waits for archives here.
pub(super) fn file_of(instance: &StoredInstance) -> Result<(PathBuf, u64), String> {
    let Place::File { path, stamp } = &instance.place else {
        return Err("it is in another archive".to_owned());
    };
    match is_as_it_was(path, stamp) {
        Ok(true) => Ok((path.clone(), stamp.size)),
        Ok(false) => Err("its file has changed since it was imported; import it again".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("its file is not where it was when it was imported".to_owned())
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "an image cannot be read");
            Err("its file cannot be read".to_owned())
        }
    }
}

/// Whether a file is what it was. One that is encrypted cannot be changed by who does not have its key,
/// and its time changes when its key does.
pub(super) fn is_as_it_was(path: &Path, stamp: &Stamp) -> io::Result<bool> {
    if Stamp::of(&fs::metadata(path)?)? == *stamp {
        return Ok(true);
    }
    let opened = encrypted::open(path)?;
    Ok(opened.is_sealed() && opened.length()? == stamp.size)
}

/// The same as [`file_of`] for what is sent with others: if it is encrypted and damaged where it begins,
/// that can still be said, and the others do not break off with it. Reads that beginning.
pub(super) fn readable_file_of(instance: &StoredInstance) -> Result<(PathBuf, u64), String> {
    let (path, length) = file_of(instance)?;
    if let Err(error) = at_rest::file_begins_well(&path) {
        tracing::error!(path = %path.display(), %error, "an image cannot be read");
        return Err("its file is damaged".to_owned());
    }
    Ok((path, length))
}

/// An instance that is about to be given.
#[derive(Debug)]
pub(super) enum Giving {
    /// In a file, of which the content is so long.
    File(PathBuf, u64),
    /// From elsewhere.
    Source(PartSource),
}

impl Giving {
    /// All of it, as it is.
    pub(super) fn into_source(self) -> PartSource {
        match self {
            Self::File(path, length) => at_rest::source_of(path, length),
            Self::Source(source) => source,
        }
    }
}

/// Instances of archives that are converted for one answer: each is fetched before it begins.
const MOST_CONVERTED: usize = 64;

/// A file that is converted while it is sent.
pub(super) fn converted(file: Here, transfer_syntax: &str) -> PartSource {
    let syntax = transfer_syntax.to_owned();
    PartSource::Stream(Stream::written(None, move |out| {
        transcode::transcode(&file, &syntax, out).map_err(|error| {
            // What was begun cannot be taken back, so the connection breaks off.
            tracing::error!(path = %file.display(), %error, "an instance cannot be converted");
            io::Error::other(error)
        })
    }))
}

/// The transfer syntax in which an instance is given: that in which it is stored, if it may be, or one
/// into which it can be converted without loss.
pub(super) fn chosen<'s>(stored: &str, syntaxes: &'s [String]) -> Option<&'s str> {
    let accepted: Vec<&str> = syntaxes.iter().map(String::as_str).collect();
    transcode::choose(stored, &accepted)
}

/// Tries whether files can be given in another transfer syntax: every one that has no pixels of the
/// usual kind, and of others the first of each series.
#[derive(Debug, Default)]
pub(super) struct Tried(HashMap<(Uid, String, String), Result<(), String>>);

impl Tried {
    /// Whether an instance in a file can be given in this transfer syntax. Reads the file.
    pub(super) fn can_give(
        &mut self,
        series: &Uid,
        stored: &StoredInstance,
        path: &Path,
        wanted: &str,
    ) -> Result<(), String> {
        let check = || transcode::check(path, wanted).map_err(|error| error.to_string());
        if stored.size.is_none() {
            return check();
        }
        let syntax = stored.transfer_syntax_uid.to_string();
        let key = (series.clone(), syntax, wanted.to_owned());
        self.0.entry(key).or_insert_with(check).clone()
    }

    /// A file that is stored in another transfer syntax than is wanted, to be converted while it is
    /// sent. What is found broken then breaks the connection off.
    pub(super) fn convert(
        &mut self,
        instance: &ToGive,
        file: Here,
    ) -> Result<PartSource, NotGiven> {
        let stored = &instance.stored.transfer_syntax_uid;
        let wanted = chosen(stored.as_str(), &instance.syntaxes).unwrap_or(stored.as_str());
        let possible = self.can_give(&instance.series, &instance.stored, &file, wanted);
        possible.map_err(|reason| NotGiven {
            gone: false,
            reason: format!(
                "it is stored in transfer syntax {stored} and cannot be given in {wanted}: {reason}"
            ),
        })?;
        Ok(converted(file, wanted))
    }
}

impl ToGive {
    /// Whether it may be given only in another transfer syntax than it is stored in.
    fn is_converted(&self) -> bool {
        let stored = self.stored.transfer_syntax_uid.as_str();
        !self.syntaxes.is_empty() && !self.syntaxes.iter().any(|it| it == stored)
    }
}

/// Opens instances for one answer, in this order: where each comes from, or why it cannot be given.
/// Those of archives are on their way when this returns.
///
/// # Errors
/// If what is fetched cannot be recorded.
pub(super) async fn open(
    room: &Arc<Room>,
    instances: Vec<ToGive>,
) -> anyhow::Result<Vec<Result<Giving, NotGiven>>> {
    let here = Arc::new(instances);
    let looking = Arc::clone(&here);
    let files = tokio::task::spawn_blocking(move || -> Vec<_> {
        let file = |instance: &ToGive| match &instance.stored.place {
            Place::File { .. } => Some(readable_file_of(&instance.stored)),
            Place::Archive(_) => None,
        };
        looking.iter().map(file).collect()
    });
    let files = files.await?;
    let mut fetched = fetched(room, &here).await?;
    let sources = files.into_iter().enumerate().map(|(at, file)| match file {
        Some(file) => file.map_or_else(
            |reason| {
                Err(NotGiven {
                    gone: false,
                    reason,
                })
            },
            |(path, length)| Ok(Giving::File(path, length)),
        ),
        None => fetched
            .remove(&at)
            .map_or_else(not_configured, |it| it.map(Giving::Source)),
    });
    Ok(sources.collect())
}

fn not_configured() -> Result<Giving, NotGiven> {
    Err(unknown_archive())
}

/// Has an instance of an archive as a file.
///
/// # Errors
/// If what is fetched cannot be recorded.
pub(super) async fn bring(
    room: &Arc<Room>,
    instance: &ToGive,
) -> anyhow::Result<Result<Here, NotGiven>> {
    let Place::Archive(name) = &instance.stored.place else {
        anyhow::bail!("an instance that is here is to be fetched");
    };
    let Some(archive) = room.archives.get().and_then(|all| all.find(name)) else {
        return Ok(Err(unknown_archive()));
    };
    // It may be in any transfer syntax: whoever needs the file reads it.
    let wanted = Wanted {
        syntaxes: [].into(),
        ..instance.wanted()
    };
    let kept = archive.file(room, wanted).await?;
    Ok(kept.map(Here::Kept))
}

/// Whether the archives of these instances tell what they say without sending them.
pub(super) fn tells(room: &Room, instances: &[ToGive]) -> bool {
    instances.iter().all(|instance| {
        let Place::Archive(name) = &instance.stored.place else {
            return false;
        };
        let archive = room.archives.get().and_then(|all| all.find(name));
        // One that is not there any more is told of later.
        archive.is_none_or(|archive| archive.tells())
    })
}

/// Has the archives of these instances, all of one study, tell what they say. Each has said that it has
/// the study.
///
/// # Errors
/// If what is asked cannot be recorded.
pub(super) async fn tell(
    room: &Arc<Room>,
    instances: &[ToGive],
) -> anyhow::Result<Result<Vec<Telling>, NotGiven>> {
    let mut of_archive: BTreeMap<&str, Vec<Wanted>> = BTreeMap::new();
    for instance in instances {
        if let Place::Archive(name) = &instance.stored.place {
            of_archive.entry(name).or_default().push(instance.wanted());
        }
    }
    let mut told = Vec::new();
    for (name, wanted) in of_archive {
        let Some(archive) = room.archives.get().and_then(|all| all.find(name)) else {
            return Ok(Err(unknown_archive()));
        };
        match archive.tell(room, &wanted).await? {
            Ok(telling) => told.push(telling),
            Err(not_given) => return Ok(Err(not_given)),
        }
    }
    Ok(Ok(told))
}

fn unknown_archive() -> NotGiven {
    NotGiven {
        gone: false,
        reason: "it is in an archive that is not configured any more".to_owned(),
    }
}

impl ToGive {
    fn wanted(&self) -> Wanted {
        Wanted {
            names: Names {
                study: self.study.clone(),
                series: self.series.clone(),
                instance: self.stored.sop_instance_uid.clone(),
            },
            sop_class_uid: self.stored.sop_class_uid.clone(),
            stored_in: self.stored.transfer_syntax_uid.clone(),
            syntaxes: Arc::clone(&self.syntaxes),
            patient: self.patient.clone(),
        }
    }
}

/// Archived instances that are wanted in another transfer syntax: they are fetched, and converted here.
async fn converted_here(
    room: &Arc<Room>,
    instances: &[ToGive],
    numbers: &[usize],
) -> anyhow::Result<BTreeMap<usize, Result<PartSource, NotGiven>>> {
    let mut given = BTreeMap::new();
    let tried = Arc::new(Mutex::new(Tried::default()));
    for at in numbers {
        let instance = &instances[*at];
        if given.len() >= MOST_CONVERTED {
            let reason = format!(
                "it is in another archive, and at most {MOST_CONVERTED} of its kind are converted \
                 for one answer"
            );
            given.insert(
                *at,
                Err(NotGiven {
                    gone: false,
                    reason,
                }),
            );
            continue;
        }
        let source = match bring(room, instance).await? {
            Ok(file) => {
                let (tried, instance) = (Arc::clone(&tried), instance.clone());
                // Trying reads the file.
                let converting = tokio::task::spawn_blocking(move || {
                    let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
                    tried.convert(&instance, file)
                });
                converting.await?
            }
            Err(not_given) => Err(not_given),
        };
        given.insert(*at, source);
    }
    Ok(given)
}

/// What comes from archives, by its number among all.
async fn fetched(
    room: &Arc<Room>,
    instances: &[ToGive],
) -> anyhow::Result<BTreeMap<usize, Result<PartSource, NotGiven>>> {
    let mut of_archive: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut converting = Vec::new();
    for (at, instance) in instances.iter().enumerate() {
        if let Place::Archive(name) = &instance.stored.place {
            match instance.is_converted() {
                true => converting.push(at),
                false => of_archive.entry(name).or_default().push(at),
            }
        }
    }
    let mut fetched = converted_here(room, instances, &converting).await?;
    for (name, numbers) in of_archive {
        let archive = room.archives.get().and_then(|all| all.find(name));
        let Some(archive) = archive else {
            continue;
        };
        let wanted = numbers.iter().map(|at| instances[*at].wanted());
        let sources = archive.fetch(room, wanted.collect()).await?;
        let sources = sources.into_iter().map(|it| it.map(Fetched::into_source));
        fetched.extend(numbers.into_iter().zip(sources));
    }
    Ok(fetched)
}
