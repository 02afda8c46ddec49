//! What is handed in of a volume: its file as it is, a ZIP of both files of a pair, or what
//! de-identification made of them.

use std::fs;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use hilum_dicom::deidentify::Refused;
use hilum_dicom::deidentify::nifti as cleaned;
use hilum_dicom::nifti::{
    self, DocumentWords, Layout, NiftiFacts, Role, Sidecar, StoredFile, document_words,
};
use hilum_security::at_rest;
use hilum_transport::PartSource;
use sha1::{Digest, Sha1};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::rehearsal::Rehearsal;
use crate::imaging::document_entry::hex;
use crate::imaging::gate::{Collection, Deidentification};
use crate::imaging::intake::{Incoming, Intake};

const BUFFER: usize = 256 * 1024;
/// Titles may have this many characters (ITI TF-3 4.2.3.2.24).
const TITLE_CHARACTERS: usize = 128;

/// A document that is ready to be handed in, and what is known of it.
#[derive(Debug)]
pub(in crate::imaging) struct PreparedDocument {
    /// What its header says.
    pub(in crate::imaging) facts: NiftiFacts,
    /// What stands beside it.
    pub(in crate::imaging) sidecar: Option<Sidecar>,
    /// What the registry is told.
    pub(in crate::imaging) words: DocumentWords,
    /// The name of its file, if that may be told.
    pub(in crate::imaging) title: Option<String>,
    /// The time of its file, if that may be told.
    pub(in crate::imaging) made: Option<SystemTime>,
    /// Bytes.
    pub(in crate::imaging) size: u64,
    /// In hexadecimal digits.
    pub(in crate::imaging) sha1: String,
    /// Why it could not be de-identified, although its collection wants that.
    pub(in crate::imaging) not_deidentified: Option<String>,
    path: PathBuf,
    /// What was made of it goes with this.
    _made: Vec<Incoming>,
}

impl PreparedDocument {
    /// Reads the files of a volume to their end, and makes a document of them. The inner error says
    /// why they are none.
    pub(super) async fn of(
        path: &Path,
        collection: Option<&Collection>,
        intake: &Intake,
    ) -> anyhow::Result<Result<Self, String>> {
        let rules = collection.and_then(|it| it.deidentify.as_ref());
        let rules = rules.map(Deidentification::refuses_volumes);
        let (path, intake) = (path.to_owned(), intake.clone());
        let prepare = move || prepare(&path, rules, &intake);
        let prepared = tokio::task::spawn_blocking(prepare).await;
        prepared.context("reading a volume ended early")?
    }

    /// A volume that was made here, with its sidecar. It is read to its end.
    pub(in crate::imaging) fn made_here(file: Incoming, sidecar: &str) -> anyhow::Result<Self> {
        let facts = nifti::verify(file.path())?;
        let sidecar = Some(Sidecar::parse(sidecar.as_bytes()));
        let whole = facts.files.first().context("a volume without a file")?;
        let sha1 = whole.sha1.clone().context("a volume without a hash")?;
        Ok(Self {
            words: document_words(&facts, sidecar.as_ref()),
            title: None,
            made: None,
            size: whole.size,
            sha1,
            not_deidentified: None,
            path: file.path().to_owned(),
            facts,
            sidecar,
            _made: vec![file],
        })
    }

    /// What is sent. This must be there until it is.
    pub(in crate::imaging) fn source(&self) -> PartSource {
        crate::at_rest::source_of(self.path.clone(), self.size)
    }

    /// What is worth saying of it.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.words.remarks.clone();
        if let Some(sidecar) = &self.sidecar {
            remarks.extend(sidecar.contradictions(&self.facts));
            remarks.extend(sidecar.problems.iter().cloned());
        }
        remarks
    }
}

/// A file of a volume, and what it is called in a ZIP.
struct Member {
    name: String,
    path: PathBuf,
}

/// `rules` are there if it is to be de-identified; they may say that this cannot be.
fn prepare(
    path: &Path,
    rules: Option<Option<&'static str>>,
    intake: &Intake,
) -> anyhow::Result<Result<PreparedDocument, String>> {
    let mut facts = match nifti::verify(path) {
        Ok(facts) => facts,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let sidecar = Sidecar::of(path).unwrap_or_default();
    let words = document_words(&facts, sidecar.as_ref());
    let mut made = Vec::new();
    let mut not_deidentified = None;
    let deidentify = rules.is_some();
    let mut members = members(&facts, deidentify);
    if let Some(refused) = rules {
        match emptied(&facts, refused, intake)? {
            Ok(files) => {
                put_in_place(&mut facts, &files)?;
                for (member, file) in members.iter_mut().zip(&files) {
                    file.path().clone_into(&mut member.path);
                }
                made = files;
            }
            Err(reason) => {
                facts.problems.push(reason.clone());
                not_deidentified = Some(reason);
            }
        }
    }
    let (path, size, sha1) = match facts.layout {
        Layout::Single => {
            let whole = facts.files.first().context("a volume without a file")?;
            let sha1 = whole.sha1.clone().context("a volume without a hash")?;
            let place = members.first().map(|member| member.path.clone());
            (place.context("a volume without a file")?, whole.size, sha1)
        }
        Layout::Pair => {
            let archive = intake.begin()?;
            archived(&members, &archive)?;
            let (size, sha1) = hashed(archive.path())?;
            let path = archive.path().to_owned();
            made.push(archive);
            (path, size, sha1)
        }
    };
    let time = |path: &Path| fs::metadata(path).and_then(|it| it.modified()).ok();
    Ok(Ok(PreparedDocument {
        title: facts.files.first().filter(|_| !deidentify).map(title),
        made: facts
            .files
            .first()
            .filter(|_| !deidentify)
            .and_then(|it| time(&it.path)),
        facts,
        sidecar,
        words,
        size,
        sha1,
        not_deidentified,
        path,
        _made: made,
    }))
}

fn title(file: &StoredFile) -> String {
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.chars().filter(|it| !it.is_control());
    plain.take(TITLE_CHARACTERS).collect()
}

/// The files by the names that they have in a ZIP: their own, unless these might name somebody.
fn members(facts: &NiftiFacts, deidentify: bool) -> Vec<Member> {
    let named = |file: &StoredFile| {
        let own = file.path.file_name().unwrap_or_default().to_string_lossy();
        let ending = match file.role {
            Role::Whole => "nii",
            Role::Header => "hdr",
            Role::Voxels => "img",
        };
        let packed = if file.gzip { ".gz" } else { "" };
        let name = match deidentify {
            true => format!("volume.{ending}{packed}"),
            false => own.into_owned(),
        };
        Member {
            name,
            path: file.path.clone(),
        }
    };
    facts.files.iter().map(named).collect()
}

/// What de-identification makes of each file. The inner error says why it makes nothing.
fn emptied(
    facts: &NiftiFacts,
    refused: Option<&'static str>,
    intake: &Intake,
) -> anyhow::Result<Result<Vec<Incoming>, String>> {
    if let Some(why) = refused {
        return Ok(Err(format!("not de-identified: {why}")));
    }
    // What follows the voxels is dropped; the voxels themselves must be there.
    let Some(bytes) = facts
        .data
        .expected
        .filter(|it| facts.data.present >= Some(*it))
    else {
        return Ok(Err("not de-identified: it is not whole".to_owned()));
    };
    let mut files = Vec::new();
    for file in &facts.files {
        let input = at_rest::open(&file.path)?;
        let made = intake.begin()?;
        let mut output = BufWriter::with_capacity(BUFFER, made.output()?);
        let done = match file.role {
            Role::Whole | Role::Header => cleaned::header(input, &mut output).map(drop),
            Role::Voxels => cleaned::voxels(input, &mut output, (facts.data.offset, bytes)),
        };
        output
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .finish()?;
        match done {
            Ok(()) => files.push(made),
            Err(Refused::Closed(why)) => return Ok(Err(format!("not de-identified: {why}"))),
            Err(Refused::Io(error)) if of_the_file(&error) => {
                return Ok(Err("not de-identified: it is damaged".to_owned()));
            }
            Err(refused) => return Err(refused.into()),
        }
    }
    Ok(Ok(files))
}

/// Whether what is read is at fault, not reading or writing it.
fn of_the_file(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// The facts are those of the files that were made. Nothing but texts, extensions, sizes and hashes
/// has changed.
fn put_in_place(facts: &mut NiftiFacts, made: &[Incoming]) -> anyhow::Result<()> {
    for (file, made) in facts.files.iter_mut().zip(made) {
        let (size, sha1) = hashed(made.path())?;
        file.size = size;
        file.sha1 = Some(sha1);
    }
    facts.text_fields.clear();
    facts.extensions.clear();
    Ok(())
}

/// Writes a ZIP that keeps the files as they are. The same files always give the same bytes.
///
/// A ZIP says at its members' beginning what is known at their end. What is encrypted cannot be
/// changed afterwards, so it is made twice: once to know what will be there.
fn archived(members: &[Member], to: &Incoming) -> anyhow::Result<()> {
    let mut known = Rehearsal::default();
    packed(members, &mut known)?;
    let output = BufWriter::with_capacity(BUFFER, to.output()?);
    let mut performance = known.performed_into(output);
    packed(members, &mut performance)?;
    let output = performance.finish()?.into_inner();
    output.map_err(io::IntoInnerError::into_error)?.finish()?;
    Ok(())
}

fn packed(members: &[Member], to: impl Write + Seek) -> anyhow::Result<()> {
    let mut archive = ZipWriter::new(to);
    for member in members {
        let mut file = at_rest::open(&member.path)?;
        let length = file.length()?;
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(length > u32::MAX.into());
        archive.start_file(member.name.as_str(), options)?;
        io::copy(&mut file, &mut archive)?;
    }
    archive.finish()?.flush()?;
    Ok(())
}

fn hashed(path: &Path) -> io::Result<(u64, String)> {
    let mut file = BufReader::with_capacity(BUFFER, at_rest::open(path)?);
    let (mut digest, mut size) = (Sha1::new(), 0);
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((size, hex(&digest.finalize()))),
            read => {
                digest.update(&buffer[..read]);
                size += read as u64;
            }
        }
    }
}
