//! Where an instance's bytes come from: a file that is here, or an archive beside us.
//!
//! Whoever gives instances asks here, so that the same is said of each wherever it is.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, Stamp, StoredInstance};
use hilum_transport::PartSource;

use super::Room;
use super::archives::{Names, NotGiven, Wanted};

/// An instance that is to be given, with what an archive needs to know of it.
#[derive(Debug, Clone)]
pub(super) struct ToGive {
    pub(super) study: Uid,
    pub(super) series: Uid,
    pub(super) stored: StoredInstance,
    /// Its patient in the affinity domain, as CX.
    pub(super) patient: Option<String>,
}

/// The file of an instance and its length, or why it cannot be given. Nobody waits for archives here.
pub(super) fn file_of(instance: &StoredInstance) -> Result<(PathBuf, u64), String> {
    let Place::File { path, stamp } = &instance.place else {
        return Err("it is in another archive".to_owned());
    };
    match fs::metadata(path).and_then(|metadata| Stamp::of(&metadata)) {
        Ok(now) if now == *stamp => Ok((path.clone(), stamp.size)),
        Ok(_) => Err("its file has changed since it was imported; import it again".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err("its file is not where it was when it was imported".to_owned())
        }
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "an image cannot be read");
            Err("its file cannot be read".to_owned())
        }
    }
}

/// Opens instances for one answer, in this order: where each comes from, or why it cannot be given.
/// Those of archives are on their way when this returns. If `syntaxes` is not empty, they come in one
/// of these transfer syntaxes or not at all; of files, the caller has seen to that.
///
/// # Errors
/// If what is fetched cannot be recorded.
pub(super) async fn open(
    room: &Arc<Room>,
    instances: Vec<ToGive>,
    syntaxes: &[String],
) -> anyhow::Result<Vec<Result<PartSource, NotGiven>>> {
    let here = Arc::new(instances);
    let looked = Arc::clone(&here);
    let files = tokio::task::spawn_blocking(move || -> Vec<_> {
        let file = |instance: &ToGive| match &instance.stored.place {
            Place::File { .. } => Some(file_of(&instance.stored)),
            Place::Archive(_) => None,
        };
        looked.iter().map(file).collect()
    });
    let files = files.await?;
    let mut fetched = fetched(room, &here, syntaxes).await?;
    let sources = files.into_iter().enumerate().map(|(at, file)| match file {
        Some(file) => file.map_or_else(
            |reason| {
                Err(NotGiven {
                    gone: false,
                    reason,
                })
            },
            |(path, length)| {
                Ok(PartSource::File {
                    path,
                    offset: 0,
                    length,
                })
            },
        ),
        None => fetched.remove(&at).unwrap_or_else(|| {
            let reason = "it is in an archive that is not configured any more".to_owned();
            Err(NotGiven {
                gone: false,
                reason,
            })
        }),
    });
    Ok(sources.collect())
}

/// What comes from archives, by its number among all.
async fn fetched(
    room: &Arc<Room>,
    instances: &[ToGive],
    syntaxes: &[String],
) -> anyhow::Result<BTreeMap<usize, Result<PartSource, NotGiven>>> {
    let syntaxes: Arc<[String]> = syntaxes.into();
    let mut of_archive: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, instance) in instances.iter().enumerate() {
        if let Place::Archive(name) = &instance.stored.place {
            of_archive.entry(name).or_default().push(at);
        }
    }
    let mut fetched = BTreeMap::new();
    for (name, numbers) in of_archive {
        let archive = room.archives.get().and_then(|all| all.find(name));
        let Some(archive) = archive else {
            continue;
        };
        let wanted = numbers.iter().map(|at| {
            let instance = &instances[*at];
            Wanted {
                names: Names {
                    study: instance.study.clone(),
                    series: instance.series.clone(),
                    instance: instance.stored.sop_instance_uid.clone(),
                },
                sop_class_uid: instance.stored.sop_class_uid.clone(),
                stored_in: instance.stored.transfer_syntax_uid.clone(),
                syntaxes: Arc::clone(&syntaxes),
                patient: instance.patient.clone(),
            }
        });
        let sources = archive.fetch(room, wanted.collect()).await?;
        fetched.extend(numbers.into_iter().zip(sources));
    }
    Ok(fetched)
}
