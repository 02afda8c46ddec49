//! A submission from the inbox, with its documents in files that vanish unless they are kept.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hilum_audit::{Audit, Event, InboxUse, Parties, SubmissionSet};
use hilum_transport::Answer;
use sha1::{Digest, Sha1};
use tempfile::TempDir;
use xds_schemas::inbox::{FetchRequest, FetchResponse, FetchSubmission};
use xds_schemas::iti32_distribute_document_set_on_media::is_media_name;
use xds_schemas::iti41_provide_and_register_document_set::ProvideAndRegisterDocumentSetRequest;
use xds_schemas::metadata::submission::Rules;
use xds_schemas::metadata::{DocumentEntry, Submission};
use xds_schemas::mtom::Content;
use xds_schemas::soap::Fault;

use crate::client::{Node, outcome};
use crate::refusal::judge;

/// A submission that was fetched.
pub(super) struct Fetched {
    pub(super) submission: Submission,
    /// What keeps it from being registered or put on a medium as it is.
    pub(super) problems: Vec<String>,
    folder: TempDir,
}

impl Fetched {
    /// The submission, if nothing is wrong with it.
    pub(super) fn sound(&self) -> anyhow::Result<Submission> {
        match self.problems.is_empty() {
            true => Ok(self.submission.clone()),
            false => bail!("it cannot be used as it is: {}", self.problems.join("; ")),
        }
    }

    /// The file of each document.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let entries = self.submission.document_entries.iter();
        entries
            .map(|entry| self.folder.path().join(name_of(entry)))
            .collect()
    }

    /// The same with their lengths.
    pub(super) fn files(&self) -> Vec<(PathBuf, u64)> {
        let sizes = self.submission.document_entries.iter();
        let sizes = sizes.map(|entry| entry.size.unwrap_or_default());
        self.paths().into_iter().zip(sizes).collect()
    }

    /// Copies the documents into a folder. What is there of these names stays.
    pub(super) fn keep(&self, out: &Path) -> anyhow::Result<()> {
        for entry in &self.submission.document_entries {
            let target = out.join(name_of(entry));
            let cannot = || format!("{}: cannot be written", target.display());
            let mut from = std::fs::File::open(self.folder.path().join(name_of(entry)))?;
            let mut to = std::fs::File::create_new(&target).with_context(cannot)?;
            std::io::copy(&mut from, &mut to).with_context(cannot)?;
        }
        Ok(())
    }
}

/// How the file of a document is called.
fn name_of(entry: &DocumentEntry) -> &str {
    entry.uri.as_deref().unwrap_or_default()
}

/// Fetches a submission, and records what came before anybody sees it.
pub(super) async fn fetch(node: &Node, ledger: &Audit, unique_id: &str) -> anyhow::Result<Fetched> {
    let url = node.recipient()?;
    let request = FetchRequest {
        unique_id: unique_id.to_owned(),
    };
    let answer = node
        .client
        .send::<FetchSubmission>(&url, &request, Vec::new());
    let answer = answer.await;
    let outcome = outcome(&answer, |answer: &FetchResponse| {
        (answer.response.status, &answer.response.errors[..])
    });
    let set = SubmissionSet {
        unique_id,
        patient: None,
    };
    let event = Event::inbox_used(&Parties::asked(&url), InboxUse::Fetched(set), &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?;
    let what = "the submission was not given out";
    let response = &answer.response.response;
    judge(response.status, &response.errors, what)?;
    receive(answer).await
}

async fn receive(mut answer: Answer<FetchResponse>) -> anyhow::Result<Fetched> {
    let request = answer.response.submission.take();
    let request = request.context("the recipient gave nothing out")?;
    let (submission, problems) = read(&request)?;
    let folder = tempfile::tempdir()?;
    let mut expected: HashMap<String, &DocumentEntry> = HashMap::new();
    for entry in &submission.document_entries {
        // We write where it says, so it must say the name of a file and nothing else.
        if !is_media_name(name_of(entry)) {
            bail!("the file of document {} has an odd name", entry.unique_id);
        }
        let id = entry.entry_uuid.as_str();
        let document = request.documents.iter().find(|document| document.id == id);
        match document.map(|document| &document.content) {
            Some(Content::Include(content_id)) => {
                expected.insert(content_id.clone(), entry);
            }
            Some(Content::Inline(bytes)) => {
                std::fs::write(folder.path().join(name_of(entry)), bytes)?;
            }
            None => bail!("document {} did not come", entry.unique_id),
        }
    }
    let broken = |fault: Fault| anyhow::anyhow!("the answer ended early: {}", fault.reason);
    while let Some(mut attachment) = answer.attachments.next().await.map_err(broken)? {
        let Some(entry) = expected.remove(attachment.content_id()) else {
            continue;
        };
        let mut file = std::fs::File::create_new(folder.path().join(name_of(entry)))?;
        let mut hash = Sha1::new();
        while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
            file.write_all(&chunk)?;
            hash.update(&chunk);
        }
        let hash = hash.finalize();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        if !entry
            .hash
            .as_deref()
            .is_some_and(|said| said.eq_ignore_ascii_case(&hash))
        {
            bail!(
                "document {} is not what was received: its hash differs",
                entry.unique_id
            );
        }
    }
    match expected.into_values().next() {
        Some(missing) => bail!("document {} did not come", missing.unique_id),
        None => Ok(Fetched {
            submission,
            problems,
            folder,
        }),
    }
}

/// The submission, and what is wrong with it by the rules of media, which are those of registries for
/// what is there.
fn read(
    request: &ProvideAndRegisterDocumentSetRequest,
) -> anyhow::Result<(Submission, Vec<String>)> {
    let objects = &request.submit.objects;
    match Submission::read(objects, Rules::Media) {
        Ok(submission) => Ok((submission, Vec::new())),
        Err(errors) => {
            let problems = errors.into_iter().map(|error| error.context).collect();
            let lenient = Submission::read(objects, Rules::ReceiveLimited);
            let submission = lenient.map_err(|errors| {
                let errors: Vec<String> = errors.into_iter().map(|error| error.context).collect();
                anyhow::anyhow!("what is in the inbox cannot be read: {}", errors.join("; "))
            })?;
            Ok((submission, problems))
        }
    }
}
