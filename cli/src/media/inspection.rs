//! One submission set of a medium, judged: its metadata, and whether the documents are what it says.

use std::fs::File;
use std::io::Read;

use xds_schemas::ebrim::InternationalString;
use xds_schemas::iti32_distribute_document_set_on_media::{
    METADATA, MediaPath, is_multipart, resolve,
};
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{DocumentEntry, Submission};

use super::medium::{Content, Medium};
use crate::submit::prepared;

/// Bytes of metadata: as much as an envelope holds that is to carry it.
const METADATA_BYTES: usize = hilum_transport::limits::ROOT_BYTES;

/// Bytes of a document by which it is seen whether it is a MIME package.
const BEGINNING: u64 = 256;

/// A submission set that was looked at.
pub(super) struct Inspected {
    /// Its directory.
    pub(super) directory: MediaPath,
    /// What can be told of it for people and for the audit, even if it is wrong.
    pub(super) about: About,
    /// Metadata and documents, if nothing is wrong.
    pub(super) sound: Option<Sound>,
    /// What is wrong, a line for each thing.
    pub(super) problems: Vec<String>,
}

/// A submission set of which nothing is wrong.
pub(super) struct Sound {
    pub(super) submission: Submission,
    /// Of each document entry.
    pub(super) contents: Vec<Content>,
}

/// What can be told of a submission set.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) unique_id: String,
    pub(super) patient: Option<String>,
    pub(super) title: String,
    pub(super) time: String,
    pub(super) documents: usize,
}

impl About {
    fn of(submission: &Submission) -> Self {
        let set = &submission.submission_set;
        let title = set.title.as_ref().and_then(InternationalString::first);
        Self {
            unique_id: set.unique_id.to_string(),
            patient: set.patient_id.as_ref().map(ToString::to_string),
            title: title.unwrap_or_default().to_owned(),
            time: set
                .submission_time
                .as_ref()
                .map(|time| time.as_str().to_owned())
                .unwrap_or_default(),
            documents: submission.document_entries.len(),
        }
    }
}

/// Looks at the submission set whose metadata is at `metadata`.
pub(super) fn inspect(medium: &mut Medium, metadata: &MediaPath) -> Inspected {
    let mut inspected = Inspected {
        directory: metadata.parent(),
        about: About::default(),
        sound: None,
        problems: Vec::new(),
    };
    let submission = match read(medium, metadata) {
        Ok(submission) => submission,
        Err(problems) => {
            inspected.problems = problems;
            return inspected;
        }
    };
    inspected.about = About::of(&submission);
    let mut contents = Vec::new();
    for entry in &submission.document_entries {
        match document(medium, &inspected.directory, entry) {
            Ok(content) => contents.push(content),
            Err(problem) => inspected.problems.push(problem),
        }
    }
    if inspected.problems.is_empty() {
        inspected.sound = Some(Sound {
            submission,
            contents,
        });
    }
    inspected
}

/// When a submission set was submitted, as far as that can be told.
pub(super) fn submission_time(medium: &mut Medium, metadata: &MediaPath) -> String {
    let submission = read(medium, metadata).ok();
    submission
        .map(|submission| About::of(&submission).time)
        .unwrap_or_default()
}

fn read(medium: &mut Medium, metadata: &MediaPath) -> Result<Submission, Vec<String>> {
    let problem = |problem: String| vec![format!("{METADATA}: {problem}")];
    let entry = medium.find(metadata).map_err(problem)?.clone();
    let bytes = medium.read(&entry, METADATA_BYTES);
    let bytes = bytes.map_err(|error| problem(format!("{error:#}")))?;
    let request = prepared::parse(&bytes).map_err(|error| problem(error.to_string()))?;
    let objects = request.submit.objects;
    Submission::read(&objects, Rules::Media)
        .map_err(|errors| errors.into_iter().map(|error| error.context).collect())
}

/// The document of an entry. The framework asks importers to compare size and hash (ITI TF-2
/// 3.32.4.1.4).
fn document(
    medium: &mut Medium,
    directory: &MediaPath,
    entry: &DocumentEntry,
) -> Result<Content, String> {
    let id = &entry.unique_id;
    let uri = entry.uri.as_deref().unwrap_or_default();
    let place =
        resolve(directory, uri).map_err(|problem| format!("document {id}: its URI {problem}"))?;
    let found = medium
        .find(&place)
        .map_err(|problem| format!("document {id}: {place} {problem}"))?;
    let found = found.clone();
    let differs = |attribute: &str, is: &str, said: &str| {
        format!(
            "document {id}: {place} has the {attribute} {is}, not {said}: it is damaged or another one"
        )
    };
    // Before it is read: what is too long is not unfolded.
    if let Some(size) = entry.size.filter(|size| *size != found.length) {
        let is = found.length.to_string();
        return Err(differs("size", &is, &size.to_string()));
    }
    let content = medium.content(&found);
    let content = content.map_err(|error| format!("document {id}: {place}: {error:#}"))?;
    match &entry.hash {
        Some(hash) if !hash.eq_ignore_ascii_case(&content.hash) => {
            Err(differs("hash", &content.hash, hash))
        }
        _ if entry.size != Some(content.length) => {
            let said = entry.size.map(|size| size.to_string()).unwrap_or_default();
            Err(differs("size", &content.length.to_string(), &said))
        }
        _ if is_one_of_several(medium, directory, entry, &found.path, &content) => Err(format!(
            "document {id}: {place} is one of several parts that lie beside it, and Hilum cannot put \
             them together"
        )),
        _ => Ok(content),
    }
}

/// Whether a document of several parts (ITI TF-2 3.32.4.1.2.2) is there in its parts only: to take
/// one of them for the whole would lose the others.
fn is_one_of_several(
    medium: &Medium,
    directory: &MediaPath,
    entry: &DocumentEntry,
    path: &MediaPath,
    content: &Content,
) -> bool {
    let parts = path.parent();
    if !is_multipart(&entry.mime_type) || parts.folded() == directory.folded() {
        return false;
    }
    let mut others = medium.entries().filter(|other| other.path != *path);
    others.any(|other| other.path.parent().folded() == parts.folded())
        && !begins_like_mime(content).unwrap_or_default()
}

/// Whether a file begins as a MIME package does: with a header or a boundary.
fn begins_like_mime(content: &Content) -> std::io::Result<bool> {
    let mut beginning = Vec::new();
    File::open(&content.path)?
        .take(BEGINNING)
        .read_to_end(&mut beginning)?;
    let beginning = String::from_utf8_lossy(beginning.trim_ascii_start()).to_ascii_lowercase();
    let begins = ["--", "mime-version:", "content-type:"];
    Ok(begins.iter().any(|begin| beginning.starts_with(begin)))
}
