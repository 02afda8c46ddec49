//! The medium as it is written: first aside, then all at once in its place.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::{NamedTempFile, TempDir};
use xds_schemas::ebrs::SubmitObjectsRequest;
use xds_schemas::iti32_distribute_document_set_on_media::{
    self as iti32, Creator, INDEX, Listed, METADATA, MOST_DOCUMENTS, MediaPath, README, ROOT,
};
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{DocumentEntry, Submission, Timestamp};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::parts::parts;
use crate::media::is_archive;
use crate::status::Usage;

/// A submission set that goes on a medium.
#[derive(Debug)]
pub(crate) struct OnMedium {
    /// Every entry has the hash and size of its document.
    pub(crate) submission: Submission,
    /// The document of each entry.
    pub(crate) files: Vec<PathBuf>,
}

/// A medium that is written and not in its place yet.
pub(crate) struct Ready {
    target: Target,
    out: PathBuf,
    /// With their directories.
    submissions: Vec<(String, Submission)>,
}

/// Where a medium is written until it is ready.
enum Target {
    Folder(TempDir),
    Archive(Box<ZipWriter<NamedTempFile>>),
}

/// Refuses a place at which something is.
pub(super) fn is_free(out: &Path) -> Result<(), Usage> {
    let shown = out.display();
    match std::fs::symlink_metadata(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(facts) if facts.is_dir() && !is_archive(out) => match std::fs::read_dir(out) {
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) => Err(Usage(format!(
                    "{shown}: it is not empty; nothing was written"
                ))),
            },
            Err(error) => Err(Usage(format!("{shown}: cannot be read: {error}"))),
        },
        Ok(_) => Err(Usage(format!(
            "{shown}: it is there already; nothing was written"
        ))),
        Err(error) => Err(Usage(format!("{shown}: cannot be read: {error}"))),
    }
}

/// Writes a medium aside.
pub(super) fn prepare(
    out: &Path,
    creator: &Creator,
    made: &Timestamp,
    sets: Vec<OnMedium>,
) -> anyhow::Result<Ready> {
    is_free(out)?;
    let mut target = Target::beside(out)?;
    let mut submissions = Vec::new();
    for (at, set) in sets.into_iter().enumerate() {
        let directory = iti32::submission_set_directory(at + 1);
        let submission = target.submission_set(&directory, set)?;
        submissions.push((directory, submission));
    }
    let listed = submissions.iter().map(|(directory, submission)| Listed {
        directory,
        submission,
    });
    let listed: Vec<Listed<'_>> = listed.collect();
    let top = MediaPath::default();
    let index = iti32::index(creator, made, &listed);
    target.file(&top.join(INDEX), index.as_bytes())?;
    target.file(&top.join(README), iti32::readme(creator).as_bytes())?;
    Ok(Ready {
        target,
        out: out.to_owned(),
        submissions,
    })
}

impl Ready {
    /// What is on it.
    pub(super) fn submissions(&self) -> impl Iterator<Item = &Submission> {
        self.submissions.iter().map(|(_, submission)| submission)
    }

    /// Puts the medium in its place, and gives what is on it with the directories.
    pub(super) fn finish(self) -> anyhow::Result<Vec<(String, Submission)>> {
        let out = &self.out;
        let cannot = || format!("{}: cannot be written", out.display());
        match self.target {
            Target::Folder(folder) => {
                // A folder that is there may be where a stick is mounted, so it stays, and what is
                // on the medium moves in; the page that people open comes last.
                if !out.exists() {
                    std::fs::create_dir(out).with_context(cannot)?;
                }
                for name in [ROOT, README, INDEX] {
                    let from = folder.path().join(name);
                    std::fs::rename(from, out.join(name)).with_context(cannot)?;
                }
                folder.close().with_context(cannot)?;
                File::open(out)
                    .and_then(|it| it.sync_all())
                    .with_context(cannot)?;
            }
            Target::Archive(archive) => {
                let file = archive.finish().with_context(cannot)?;
                file.as_file().sync_all().with_context(cannot)?;
                file.persist_noclobber(out).with_context(cannot)?;
            }
        }
        Ok(self.submissions)
    }
}

impl Target {
    /// On the same device as the place where it will be, so that it can be moved there.
    fn beside(out: &Path) -> anyhow::Result<Self> {
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = match out.is_dir() {
            true => out,
            false => parent.unwrap_or(Path::new(".")),
        };
        let cannot = || format!("{}: cannot be written into", parent.display());
        std::fs::create_dir_all(parent).with_context(cannot)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(".hilum-");
        // As what any program writes: the umask decides who may read it.
        match is_archive(out) {
            true => {
                builder.permissions(std::fs::Permissions::from_mode(0o666));
                let file = builder.tempfile_in(parent).with_context(cannot)?;
                Ok(Self::Archive(Box::new(ZipWriter::new(file))))
            }
            false => {
                builder.permissions(std::fs::Permissions::from_mode(0o777));
                let folder = builder.tempdir_in(parent).with_context(cannot)?;
                Ok(Self::Folder(folder))
            }
        }
    }

    /// Writes a submission set, and gives it with the URIs of its documents.
    fn submission_set(&mut self, directory: &str, set: OnMedium) -> anyhow::Result<Submission> {
        let OnMedium {
            mut submission,
            files,
        } = set;
        if files.len() > MOST_DOCUMENTS {
            bail!("there are {} documents in one submission set", files.len());
        }
        let place = MediaPath::default().join(ROOT).join(directory);
        let entries = submission.document_entries.iter_mut().zip(files);
        for (at, (entry, file)) in entries.enumerate() {
            self.document(&place, at + 1, entry, &file)?;
        }
        let objects = submission.to_ebrim();
        // What we write, we could read again.
        if let Err(errors) = Submission::read(&objects, Rules::Media) {
            let errors: Vec<String> = errors.into_iter().map(|error| error.context).collect();
            bail!(
                "the metadata cannot be written on a medium: {}",
                errors.join("; ")
            );
        }
        let metadata = iti32::metadata(&SubmitObjectsRequest {
            slots: Vec::new(),
            objects,
        });
        self.file(&place.join(METADATA), metadata.as_bytes())?;
        Ok(submission)
    }

    /// Writes a document, or, if it has several parts, a directory with it and its parts.
    fn document(
        &mut self,
        place: &MediaPath,
        number: usize,
        entry: &mut DocumentEntry,
        file: &Path,
    ) -> anyhow::Result<()> {
        let name = iti32::document_file(number, &entry.mime_type);
        if !iti32::is_multipart(&entry.mime_type) {
            self.copy(&place.join(&name), file)?;
            entry.uri = Some(name);
            return Ok(());
        }
        let directory = place.join(&name);
        for part in parts(&entry.mime_type, file)? {
            self.file(&directory.join(&part.name), &part.content)?;
        }
        self.copy(&directory.join(&name), file)?;
        entry.uri = Some(format!("{name}/{name}"));
        Ok(())
    }

    fn file(&mut self, place: &MediaPath, mut content: &[u8]) -> anyhow::Result<()> {
        self.write(place, &mut content)
    }

    fn copy(&mut self, place: &MediaPath, file: &Path) -> anyhow::Result<()> {
        self.write(place, &mut File::open(file)?)
    }

    fn write(&mut self, place: &MediaPath, content: &mut dyn io::Read) -> anyhow::Result<()> {
        let cannot = || format!("{place}: cannot be written");
        match self {
            Self::Folder(folder) => {
                let names = place.names().iter();
                let path = names.fold(folder.path().to_owned(), |path, name| path.join(name));
                let parent = path.parent().unwrap_or(folder.path());
                std::fs::create_dir_all(parent).with_context(cannot)?;
                let mut file = File::create_new(&path).with_context(cannot)?;
                io::copy(content, &mut file).with_context(cannot)?;
                // Media are pulled out.
                file.sync_all().with_context(cannot)
            }
            Self::Archive(archive) => {
                let options = SimpleFileOptions::default()
                    .compression_method(CompressionMethod::Deflated)
                    .large_file(true);
                archive
                    .start_file(place.to_string(), options)
                    .with_context(cannot)?;
                io::copy(content, archive).with_context(cannot)?;
                Ok(())
            }
        }
    }
}
