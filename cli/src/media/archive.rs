//! A medium that is a ZIP file, as it travels by e-mail (DICOM PS3.12 Annex V).

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, bail};
use xds_schemas::iti32_distribute_document_set_on_media::MediaPath;
use zip::ZipArchive;
use zip::read::ZipFile;

use super::medium::{Entry, Listing, MOST_FILES, counted};

/// How the first file in an archive begins.
const BEGINNING: &[u8; 4] = b"PK\x03\x04";
/// How the end of the directory begins.
const END: &[u8; 4] = b"PK\x05\x06";
/// How what points to the other end of the directory begins, if there are many files.
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
/// How that begins.
const END_64: &[u8; 4] = b"PK\x06\x06";
/// Bytes within which the end of the directory stands: the longest comment, and itself twice.
const TAIL: u64 = 65_535 + 22 + 20 + 56;
/// Bytes that every archive may unfold to.
const FREE_BYTES: u64 = 1024 * 1024 * 1024;
/// How much longer than itself an archive may unfold to beyond that. Text shrinks to a tenth; what
/// shrinks to a hundredth was made to.
const MOST_TIMES: u64 = 100;

/// The archive of a medium.
pub(super) struct Archive {
    archive: ZipArchive<BufReader<File>>,
}

impl Archive {
    /// Whether a file begins as archives do, whatever it is called.
    pub(super) fn begins(path: &Path) -> io::Result<bool> {
        let mut beginning = Vec::new();
        File::open(path)?.take(4).read_to_end(&mut beginning)?;
        Ok(beginning == BEGINNING)
    }

    /// Lists what is in an archive.
    pub(super) fn list(path: &Path) -> anyhow::Result<(Self, Listing)> {
        let shown = path.display();
        let cannot = || format!("{shown}: cannot be read");
        let mut file = File::open(path).with_context(cannot)?;
        let length = file.metadata().with_context(cannot)?.len();
        let most = most_files(&mut file, length).with_context(cannot)?;
        if most > MOST_FILES as u64 {
            bail!("{shown}: there are more than {MOST_FILES} files in it");
        }
        file.seek(SeekFrom::Start(0)).with_context(cannot)?;
        let archive = ZipArchive::new(BufReader::new(file));
        let mut archive = archive.with_context(|| format!("{shown}: it is no ZIP file"))?;
        let mut listing = Listing::default();
        let mut unfolded: u64 = 0;
        for number in 0..archive.len() {
            let file = archive.by_index_raw(number).with_context(cannot)?;
            unfolded = unfolded.saturating_add(file.size());
            add(&file, number, &mut listing);
            counted(&listing).with_context(cannot)?;
        }
        if unfolded > FREE_BYTES.max(length.saturating_mul(MOST_TIMES)) {
            bail!("{shown}: it would unfold to {unfolded} bytes, which is not plausible");
        }
        Ok((Self { archive }, listing))
    }

    /// Works with the content of a file, whose checksum is compared at its end.
    pub(super) fn with<T>(
        &mut self,
        entry: &Entry,
        work: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        work(&mut self.archive.by_index(entry.number)?)
    }
}

fn add(file: &ZipFile<'_, BufReader<File>>, number: usize, listing: &mut Listing) {
    if file.is_dir() {
        listing.directories += 1;
        return;
    }
    let name = file.name().ok();
    let Some(path) = name.as_deref().and_then(place) else {
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let reason = "its name cannot be read, or leads out of the medium".to_owned();
        listing.left_out.push((name, reason));
        return;
    };
    let unusable = match file {
        _ if file.is_symlink() => Some("is a link, and links are not followed"),
        _ if file.encrypted() => Some("is encrypted"),
        _ => None,
    };
    listing.entries.push(Entry {
        path,
        length: file.size(),
        number,
        unusable,
    });
}

/// The place that a name in an archive means; none if it is not below the root.
fn place(name: &str) -> Option<MediaPath> {
    // Programs for Windows write their own separators.
    let name = name.replace('\\', "/");
    let first = name.split('/').next().unwrap_or_default();
    if first.is_empty() || first.contains(':') {
        return None;
    }
    let path = MediaPath::of(name.split('/').filter(|part| !matches!(*part, "" | ".")))?;
    (!path.names().is_empty()).then_some(path)
}

/// How many files an archive may have, by everything at its end that looks as if it said so. To be
/// asked before the directory is read, which takes memory for each.
fn most_files(file: &mut File, length: u64) -> io::Result<u64> {
    let start = length.saturating_sub(TAIL);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    let mut most = 0;
    for at in 0..tail.len() {
        let rest = &tail[at..];
        if rest.starts_with(END) {
            most = most.max(number::<2>(rest, 10).unwrap_or_default());
        } else if rest.starts_with(END_64) {
            most = most.max(number::<8>(rest, 32).unwrap_or_default());
        } else if rest.starts_with(LOCATOR)
            && let Some(offset) = number::<8>(rest, 8)
        {
            let mut end = [0; 56];
            file.seek(SeekFrom::Start(offset))?;
            if file.read_exact(&mut end).is_ok() && end.starts_with(END_64) {
                most = most.max(number::<8>(&end, 32).unwrap_or_default());
            }
        }
    }
    Ok(most)
}

/// A number of so many bytes, little endian.
fn number<const BYTES: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let digits = bytes.get(at..at + BYTES)?;
    Some(
        digits
            .iter()
            .rev()
            .fold(0, |number, digit| number << 8 | u64::from(*digit)),
    )
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn names_in_archives_stay_on_the_medium() {
        for (name, is) in [
            (
                "IHE_XDM/SUBSET01/METADATA.XML",
                "IHE_XDM/SUBSET01/METADATA.XML",
            ),
            ("./ihe_xdm//a.xml", "ihe_xdm/a.xml"),
            ("IHE_XDM\\SUBSET01\\A", "IHE_XDM/SUBSET01/A"),
        ] {
            let found = place(name).map(|path| path.to_string());
            assert_eq!(found.as_deref(), Some(is));
        }
        for name in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "C:\\x",
            "\\\\server\\x",
            "",
            "./",
            "a\0b",
        ] {
            assert_eq!(place(name), None, "{name}");
        }
    }
}
