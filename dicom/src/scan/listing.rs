//! Which files there are to be read.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::LeftOut;

/// Folders nested deeper than this are not entered: more is a loop or a mistake.
const MAX_FOLDER_DEPTH: usize = 32;
/// One folder tree may hold this many files.
const MAX_FILES: usize = 2_000_000;

/// The files below some folders.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) files: Vec<PathBuf>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) notes: Vec<String>,
    /// Real paths of the folders entered, so that links cannot lead in circles.
    entered: HashSet<PathBuf>,
}

impl Listing {
    /// Lists a folder and everything below it, or a single file.
    pub(super) fn root(&mut self, root: &Path) -> io::Result<()> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", root.display()));
        let root = fs::canonicalize(root).map_err(named)?;
        if fs::metadata(&root).map_err(named)?.is_dir() {
            return self.folder(&root, 0).map_err(named);
        }
        self.files.push(root);
        Ok(())
    }

    fn folder(&mut self, folder: &Path, depth: usize) -> io::Result<()> {
        if !self.entered.insert(fs::canonicalize(folder)?) {
            return Ok(());
        }
        let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            self.entry(entry.path(), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, depth: usize) -> io::Result<()> {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => {
                self.left_out.push(LeftOut {
                    path,
                    reason: format!("cannot be read: {error}"),
                });
                return Ok(());
            }
        };
        if metadata.is_dir() && depth >= MAX_FOLDER_DEPTH {
            let reason = format!("folder nested deeper than {MAX_FOLDER_DEPTH} levels");
            self.left_out.push(LeftOut { path, reason });
        } else if metadata.is_dir() {
            if let Err(error) = self.folder(&path, depth + 1) {
                self.left_out.push(LeftOut {
                    path,
                    reason: format!("folder cannot be listed: {error}"),
                });
            }
        } else if !metadata.is_file() {
            self.left_out.push(LeftOut {
                path,
                reason: "not a regular file".to_owned(),
            });
        } else if path
            .file_name()
            .is_some_and(|name| name.eq_ignore_ascii_case("DICOMDIR"))
        {
            self.notes.push(format!(
                "{}: skipped, the files themselves are read",
                path.display()
            ));
        } else if self.files.len() >= MAX_FILES {
            return Err(io::Error::other(format!("more than {MAX_FILES} files")));
        } else {
            self.files.push(path);
        }
        Ok(())
    }
}
