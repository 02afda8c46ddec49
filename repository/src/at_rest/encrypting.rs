//! A plain file becomes an encrypted one, in one step.

use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use hilum_security::at_rest::{self, Opened, Vault};
use sha2::{Digest, Sha256};

use crate::blob_store::container;

const BUFFER: usize = 256 * 1024;
/// The end of the name of a file that is not complete.
pub(super) const PART: &str = ".encrypting";

/// Encrypts a file under its name; says whether it was plain. It is read back before the plain one is
/// gone. Its folder is synced by who calls. A `document` has its label at its end.
pub(super) fn file(vault: &Vault, path: &Path, document: bool) -> io::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(PART) {
        // Left by who was interrupted.
        return match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(false),
        };
    }
    let mut plain = match document {
        true => container::open(path)?,
        false => at_rest::open(path)?,
    };
    let Opened::Plain(source) = &plain else {
        return Ok(false);
    };
    let facts = source.metadata()?;
    let part = path.with_file_name(format!("{name}{PART}"));
    let _ = fs::remove_file(&part);
    let mut written = || -> io::Result<()> {
        let new = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&part)?;
        new.set_permissions(facts.permissions())?;
        let mut output = vault.output(new)?;
        let expected = copied(&mut plain, &mut output)?;
        let new = output.finish(&[path])?;
        new.set_times(FileTimes::new().set_modified(facts.modified()?))?;
        new.sync_all()?;
        let found = copied(
            &mut at_rest::opened(File::open(&part)?, path)?,
            &mut io::sink(),
        )?;
        match found == expected {
            true => fs::rename(&part, path),
            false => Err(io::Error::other("what was encrypted is not what it was")),
        }
    };
    if let Err(error) = written() {
        let _ = fs::remove_file(&part);
        return Err(error);
    }
    Ok(true)
}

/// Copies everything, and gives its hash.
fn copied(from: &mut impl Read, to: &mut impl Write) -> io::Result<Vec<u8>> {
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; BUFFER]);
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(hash.finalize().to_vec()),
            read => {
                hash.update(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
        }
    }
}
