//! The files of a volume: finding both of a pair, inflating, and how long everything is.

use std::ffi::OsStr;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use sha1::{Digest, Sha1};

use super::header::Header;
use super::{Layout, Role, StoredFile, codes};
use crate::opened::{self, Opened};

/// This much more than the header accounts for is inflated, to tell that something follows.
const SLACK: u64 = 1 << 20;
/// And no more than this, whatever the header says. The largest volumes in use have some gigabytes.
const MAX_INFLATED: u64 = 64 << 30;
const BUFFER: usize = 64 * 1024;

/// The files, and what was found about the voxels in them.
pub(super) struct Stored {
    pub(super) files: Vec<StoredFile>,
    /// Where the voxels begin in their file, inflated.
    pub(super) offset: u64,
    /// How long they must be.
    pub(super) expected: Option<u64>,
    /// How long they are.
    pub(super) present: Option<u64>,
    /// What is wrong with the files.
    pub(super) problems: Vec<String>,
}

impl Stored {
    /// Looks at the files of a header; at all of their bytes, if `whole`.
    pub(super) fn look(path: &Path, header: &Header, whole: bool) -> io::Result<Self> {
        let mut stored = Self {
            files: Vec::new(),
            offset: offset(header),
            expected: voxel_bytes(header),
            present: None,
            problems: Vec::new(),
        };
        if header.layout == Layout::Single {
            stored.add(path, Role::Whole, whole)?;
            return Ok(stored);
        }
        stored.add(path, Role::Header, whole)?;
        match voxels_beside(path) {
            Some(voxels) => stored.add(&voxels, Role::Voxels, whole)?,
            None => {
                stored.present = Some(0);
                let problem = "The file of voxels (.img) that belongs to the header is missing.";
                stored.problems.push(problem.to_owned());
            }
        }
        Ok(stored)
    }

    fn add(&mut self, path: &Path, role: Role, whole: bool) -> io::Result<()> {
        let file = opened::open(path)?;
        let size = file.length()?;
        let mut input = Hashed::new(BufReader::with_capacity(BUFFER, file), whole);
        let gzip = is_gzip(path)?;
        let mut length = (!gzip).then_some(size);
        if gzip && whole {
            let limit = match role {
                Role::Header => SLACK,
                _ => self
                    .offset
                    .saturating_add(self.expected.unwrap_or(0))
                    .saturating_add(SLACK),
            };
            length = Some(self.inflate(&mut input, role, limit)?);
        }
        let sha1 = input.finish()?;
        if role != Role::Header {
            self.present = length.map(|length| length.saturating_sub(self.offset));
        }
        self.files.push(StoredFile {
            role,
            path: path.to_owned(),
            size,
            gzip,
            sha1,
        });
        Ok(())
    }

    /// How long a compressed file is when it is inflated, but no more than `limit`.
    fn inflate(&mut self, input: &mut Hashed, role: Role, limit: u64) -> io::Result<u64> {
        let what = if role == Role::Header {
            "header"
        } else {
            "file of voxels"
        };
        let mut inflated = MultiGzDecoder::new(BufReader::with_capacity(BUFFER, input));
        let mut buffer = vec![0; BUFFER];
        let mut length = 0;
        loop {
            match inflated.read(&mut buffer) {
                Ok(0) => return Ok(length),
                Ok(read) => length += read as u64,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if of_the_stream(&error) => {
                    self.problems.push(format!(
                        "The gzip stream of the {what} is truncated or damaged after {length} bytes."
                    ));
                    return Ok(length);
                }
                Err(error) => return Err(error),
            }
            if length > limit.min(MAX_INFLATED) {
                self.problems.push(match limit < MAX_INFLATED {
                    true => format!(
                        "The {what} inflates to more than {limit} bytes, which its header does not account for."
                    ),
                    false => format!("The {what} inflates to more than {MAX_INFLATED} bytes; the rest was not read."),
                });
                return Ok(length);
            }
        }
    }
}

/// Errors of what the stream holds, not of reading it.
fn of_the_stream(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// A file that is hashed while it is read, if its hash is wanted.
struct Hashed {
    input: BufReader<Opened>,
    sha1: Option<Sha1>,
}

impl Hashed {
    fn new(input: BufReader<Opened>, wanted: bool) -> Self {
        let sha1 = wanted.then(Sha1::new);
        Self { input, sha1 }
    }

    /// Reads what is left of the file, and tells its hash.
    fn finish(mut self) -> io::Result<Option<String>> {
        if self.sha1.is_some() {
            io::copy(&mut self, &mut io::sink())?;
        }
        let digest = self.sha1.map(Sha1::finalize);
        Ok(digest.map(|it| it.iter().map(|byte| format!("{byte:02x}")).collect()))
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Some(sha1) = &mut self.sha1 {
            sha1.update(&buffer[..read]);
        }
        Ok(read)
    }
}

/// A file's bytes, inflated if it is a gzip stream.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = BufReader::with_capacity(BUFFER, opened::open(path)?);
    Ok(if is_gzip(path)? {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    })
}

/// The first bytes of a file, inflated; fewer if there are fewer.
pub(super) fn beginning(path: &Path, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    // A truncated stream gives what it has before it fails.
    let read = open(path)?.take(length as u64).read_to_end(&mut bytes);
    if bytes.is_empty() {
        read?;
    }
    Ok(bytes)
}

/// Whether a file can be opened at all.
pub(super) fn readable(path: &Path) -> io::Result<()> {
    opened::open(path)?.length().map(drop)
}

fn is_gzip(path: &Path) -> io::Result<bool> {
    let mut mark = Vec::new();
    opened::open(path)?.take(2).read_to_end(&mut mark)?;
    Ok(mark == [0x1F, 0x8B])
}

/// The header that belongs to a file by its name, if there is one and it is another file.
pub(super) fn header_beside(path: &Path) -> Option<PathBuf> {
    beside(path, "img", "hdr")
}

fn voxels_beside(path: &Path) -> Option<PathBuf> {
    beside(path, "hdr", "img")
}

/// The other file of a pair: compressed as this one, or not; in capitals as this one.
fn beside(path: &Path, mine: &str, other: &str) -> Option<PathBuf> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    let is = |extension: &str, wanted: &str| extension.eq_ignore_ascii_case(wanted);
    let (stem, extension) = name.rsplit_once('.')?;
    let (stem, extension, gz) = match stem.rsplit_once('.') {
        Some((inner, before)) if is(extension, "gz") => (inner, before, Some(extension)),
        _ => (stem, extension, None),
    };
    if !is(extension, mine) {
        return None;
    }
    let capital = extension.starts_with(|it: char| it.is_ascii_uppercase());
    let (other, packed) = match capital {
        true => (other.to_ascii_uppercase(), gz.unwrap_or("GZ")),
        false => (other.to_owned(), gz.unwrap_or("gz")),
    };
    let plain = format!("{stem}.{other}");
    let compressed = format!("{stem}.{other}.{packed}");
    let names = if gz.is_some() {
        [compressed, plain]
    } else {
        [plain, compressed]
    };
    names
        .iter()
        .map(|name| path.with_file_name(name))
        .find(|it| it.is_file())
}

/// Where voxels begin. In a single file never before header and extension flag end; what is written
/// there is judged elsewhere.
pub(super) fn offset(header: &Header) -> u64 {
    let least = match (header.layout, header.format) {
        (Layout::Pair, _) => 0,
        (Layout::Single, super::Format::Nifti2) => 544,
        (Layout::Single, _) => 352,
    };
    // Saturates: NaN and negative numbers become zero.
    (header.vox_offset as u64).max(least)
}

/// How many bytes the voxels need; `None` if dimensions or data type make no sense.
pub(super) fn voxel_bytes(header: &Header) -> Option<u64> {
    let (_, bits) = codes::datatype(header.format, header.datatype)?;
    let used = usize::try_from(header.dim[0]).ok()?;
    let lengths = header.dim.get(1..=used).filter(|it| !it.is_empty())?;
    let mut voxels = 1_u64;
    for length in lengths {
        let length = u64::try_from(*length).ok().filter(|it| *it > 0)?;
        voxels = voxels.checked_mul(length)?;
    }
    Some(voxels.checked_mul(bits.into())?.div_ceil(8))
}
