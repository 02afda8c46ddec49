//! A medium that is a folder, such as where a USB stick is mounted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use xds_schemas::iti32_distribute_document_set_on_media::MediaPath;

use super::medium::{Entry, Listing, counted};

/// The folder of a medium.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Lists all files below a folder.
    pub(super) fn list(root: &Path) -> anyhow::Result<(Self, Listing)> {
        let mut listing = Listing::default();
        list(root, &MediaPath::default(), &mut listing)
            .with_context(|| format!("{}: cannot be read", root.display()))?;
        let root = root.to_owned();
        Ok((Self { root }, listing))
    }

    /// Where a file is.
    pub(super) fn path(&self, entry: &Entry) -> PathBuf {
        let names = entry.path.names().iter();
        names.fold(self.root.clone(), |path, name| path.join(name))
    }

    pub(super) fn open(&self, entry: &Entry) -> io::Result<File> {
        File::open(self.path(entry))
    }
}

fn list(folder: &Path, place: &MediaPath, listing: &mut Listing) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let here = name.to_str().and_then(|name| {
            let names = place.names().iter().map(String::as_str);
            MediaPath::of(names.chain([name]))
        });
        let Some(here) = here else {
            let reason = "it lies too deep, or its name is not UTF-8".to_owned();
            let shown = entry.path().display().to_string();
            listing.left_out.push((shown, reason));
            counted(listing)?;
            continue;
        };
        // Of the entry itself: a link may lead anywhere.
        let facts = entry.metadata()?;
        if facts.is_dir() {
            listing.directories += 1;
            counted(listing)?;
            list(&entry.path(), &here, listing)?;
            continue;
        }
        let unusable = match facts {
            _ if facts.is_symlink() => Some("is a link, and links are not followed"),
            _ if !facts.is_file() => Some("is no file"),
            _ => None,
        };
        listing.entries.push(Entry {
            path: here,
            length: facts.len(),
            number: 0,
            unusable,
        });
        counted(listing)?;
    }
    Ok(())
}
