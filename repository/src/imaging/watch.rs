//! A watched folder: files that are complete are taken and leave it.
//!
//! A file is complete when its size and time have not changed between two looks. What is no object
//! stays, and so does one that ends early and is not complete after a minute: it is moved into the folder
//! `refused` beside it, with a file that says why.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context;
use hilum_dicom::scan::{Stamp, files_below};

use super::Room;
use super::intake::Taken;
use super::volumes;

/// How long between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// What ends early may become complete, if it was written within this time.
const UNFINISHED: Duration = Duration::from_secs(60);
/// The folder, within the watched one, of what was not taken.
const REFUSED: &str = "refused";
/// Objects that are taken at one time.
const TOGETHER: usize = 4;

/// Watches a folder until the room is gone.
pub(super) async fn run(folder: PathBuf, room: Weak<Room>) {
    let mut seen = HashMap::new();
    loop {
        let Some(here) = room.upgrade() else {
            return;
        };
        if let Err(error) = look(&folder, &here, &mut seen).await {
            let folder = folder.display();
            tracing::error!(%folder, error = format!("{error:#}"), "a folder cannot be watched");
        }
        drop(here);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Takes the files that are as they were at the last look.
async fn look(
    folder: &Path,
    room: &Arc<Room>,
    seen: &mut HashMap<PathBuf, Stamp>,
) -> anyhow::Result<()> {
    let root = folder.to_owned();
    let files = tokio::task::spawn_blocking(move || listed(&root)).await??;
    let ready: Vec<PathBuf> = files
        .iter()
        .filter(|(path, stamp)| seen.get(path) == Some(stamp))
        .map(|(path, _)| path.clone())
        .collect();
    *seen = files.into_iter().collect();
    for files in ready.chunks(TOGETHER) {
        let taking: Vec<_> = files
            .iter()
            .map(|file| {
                let (room, file, folder) = (Arc::clone(room), file.clone(), folder.to_owned());
                tokio::spawn(async move { take(&room, &folder, &file).await })
            })
            .collect();
        for taken in taking {
            taken.await??;
        }
    }
    Ok(())
}

fn listed(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Stamp)>> {
    let root = folder
        .canonicalize()
        .with_context(|| format!("{}", folder.display()))?;
    let refused = root.join(REFUSED);
    let mut files = Vec::new();
    for path in files_below(&root)? {
        // Programs that write into the folder often call a file so until it is complete.
        let name = path.file_name().map(|name| name.to_string_lossy());
        let unfinished = name.is_some_and(|name| name.starts_with('.') || name.ends_with(".part"));
        if unfinished || path.starts_with(&refused) {
            continue;
        }
        // It may be gone again.
        if let Ok(stamp) = fs::metadata(&path).and_then(|metadata| Stamp::of(&metadata)) {
            files.push((path, stamp));
        }
    }
    Ok(files)
}

async fn take(room: &Arc<Room>, folder: &Path, file: &Path) -> anyhow::Result<()> {
    let origin = format!("folder {}", folder.display());
    let taken = match volumes::is_volume(file).await? {
        true => Taken::Refused(volumes::WATCHED.to_owned()),
        false => room.take_file(file, &origin).await?,
    };
    match taken {
        Taken::Stored | Taken::AlreadyHere | Taken::Quarantined(_) => {
            fs::remove_file(file).with_context(|| format!("{}", file.display()))
        }
        // Somebody may be writing it still, slowly.
        Taken::Refused(reason) if reason.contains("truncated") && is_young(file) => Ok(()),
        Taken::Refused(reason) => {
            let file_name = file.file_name().context("a file without a name")?;
            let refused = folder.join(REFUSED);
            fs::create_dir_all(&refused).with_context(|| format!("{}", refused.display()))?;
            let place = free(&refused, &file_name.to_string_lossy());
            fs::rename(file, &place).with_context(|| format!("{}", file.display()))?;
            let mut why = place.into_os_string();
            why.push(".why.txt");
            tracing::warn!(reason, "a file in a watched folder is no object");
            fs::write(&why, format!("{reason}\n")).context("its reason cannot be written")
        }
    }
}

fn is_young(file: &Path) -> bool {
    let modified = fs::metadata(file).and_then(|metadata| metadata.modified());
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age < UNFINISHED)
}

/// A place in `folder` at which nothing is.
fn free(folder: &Path, name: &str) -> PathBuf {
    let mut place = folder.join(name);
    let mut number = 1;
    while place.exists() {
        number += 1;
        place = folder.join(format!("{name}.{number}"));
    }
    place
}
