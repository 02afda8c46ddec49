//! How far a receiver has got, on disk.
//!
//! One small file for each receiver, beside the spool: a line for each spool with the position up to
//! which the receiver is known to have everything. It is replaced as a whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::sender::target::Target;
use crate::spool::{Position, SpoolError};

/// The first line of the file.
const HEADER: &str = "hilum audit cursor 1";
/// The folder of these files, in the node's spool.
const FOLDER: &str = "sent";

/// A position in each spool. Spools that are not named have not been begun.
pub(super) type Places = BTreeMap<String, Position>;

/// The file of one receiver.
#[derive(Debug)]
pub(super) struct Cursor {
    file: PathBuf,
    target: String,
}

/// Held by the one process that sends from a spool.
#[derive(Debug)]
pub(super) struct SendingLock {
    _file: File,
}

/// Takes the place of the one who sends. Nobody has it if another process does.
pub(super) fn lock(spool: &Path) -> Result<Option<SendingLock>, SpoolError> {
    let folder = folder(spool)?;
    let path = folder.join("lock");
    let mut options = OpenOptions::new();
    let opened = options.create(true).truncate(false).write(true).open(&path);
    let file = opened.map_err(SpoolError::at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(SendingLock { _file: file })),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(source)) => Err(SpoolError::at(&path)(source)),
    }
}

fn folder(spool: &Path) -> Result<PathBuf, SpoolError> {
    let folder = spool.join(FOLDER);
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(SpoolError::at(&folder))?;
    Ok(folder)
}

impl Cursor {
    /// The cursor of a receiver of what is in `spool`, without touching anything.
    pub(super) fn of(spool: &Path, target: &Target) -> Self {
        let name = format!("{}.cursor", target.file_name());
        Self {
            file: spool.join(FOLDER).join(name),
            target: target.to_string(),
        }
    }

    /// How far the receiver has got; nowhere if it never got anything. A file that cannot be
    /// understood counts as none: everything is sent again then, which is better than nothing.
    pub(super) fn read(&self) -> Result<Places, SpoolError> {
        let text = match fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Places::new()),
            Err(error) => return Err(SpoolError::at(&self.file)(error)),
        };
        let places = parse(&text, &self.target);
        if places.is_none() {
            let file = self.file.display();
            tracing::warn!(%file, "it says nothing of how far a receiver has got: all is sent again");
        }
        Ok(places.unwrap_or_default())
    }

    /// When it was last written.
    pub(super) fn written(&self) -> Option<std::time::SystemTime> {
        fs::metadata(&self.file).ok()?.modified().ok()
    }

    /// Remembers how far the receiver has got, durably.
    pub(super) fn write(&self, places: &Places) -> Result<(), SpoolError> {
        let written = self.replace(places);
        written.map_err(SpoolError::at(&self.file))
    }

    fn replace(&self, places: &Places) -> io::Result<()> {
        let mut text = format!("{HEADER}\nto {}\n", self.target);
        for (spool, place) in places {
            text.push_str(&format!("{} {} {spool}\n", place.segment, place.offset));
        }
        let fresh = self.file.with_extension("new");
        let mut private = OpenOptions::new();
        let opened = private.create(true).truncate(true).write(true).mode(0o600);
        let mut file = opened.open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, &self.file)?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        File::open(folder)?.sync_all()
    }
}

fn parse(text: &str, target: &str) -> Option<Places> {
    let mut lines = text.lines();
    if lines.next() != Some(HEADER) || lines.next()?.strip_prefix("to ") != Some(target) {
        return None;
    }
    let place = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let segment = words.next()?.parse().ok()?;
        let offset = words.next()?.parse().ok()?;
        Some((words.next()?.to_owned(), Position { segment, offset }))
    };
    lines.map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn anything_can_be_read(text in "(?s).{0,99}") {
            let _ = parse(&text, "x");
            let _ = parse(&format!("{HEADER}\nto x\n{text}"), "x");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let spool = tempfile::tempdir().unwrap();
        let target: Target = "syslog+tls://audit.example".parse().unwrap();
        let cursor = Cursor::of(spool.path(), &target);
        assert_eq!(cursor.read().unwrap(), Places::new());
        let held = lock(spool.path()).unwrap();
        assert!(held.is_some() && lock(spool.path()).unwrap().is_none());
        let place = |segment, offset| Position { segment, offset };
        let places = Places::from([
            (".".to_owned(), place(7, 12_345)),
            ("clients/1".to_owned(), place(1, 0)),
        ]);
        cursor.write(&places).unwrap();
        assert_eq!(cursor.read().unwrap(), places);
        assert!(cursor.written().is_some());
        for broken in [
            "",
            "hilum",
            "hilum audit cursor 1\nto elsewhere\n",
            "\0\0\0",
        ] {
            fs::write(&cursor.file, broken).unwrap();
            assert_eq!(cursor.read().unwrap(), Places::new(), "{broken}");
        }
        let text = format!("{HEADER}\nto {target}\n7 x .\n");
        fs::write(&cursor.file, text).unwrap();
        assert_eq!(cursor.read().unwrap(), Places::new());
    }
}
