//! `hilum fetch`: what a patient has of some classes in another community, with the documents, in one round
//! (ITI-63 Cross Gateway Fetch).

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use hilum_audit::{Event, Parties, Query};
use hilum_transport::Attachments;
use sha1::{Digest, Sha1};
use tempfile::NamedTempFile;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{Body, RegistryObject, Slot};
use xds_schemas::ebrs::{AdhocQueryRequest, ReturnType};
use xds_schemas::iti63_cross_gateway_fetch::{
    CrossGatewayFetch, CrossGatewayFetchResponse, FETCH, WITH_DOCUMENTS,
};
use xds_schemas::metadata::DocumentEntry;
use xds_schemas::mtom::Content;
use xds_schemas::xml::{ToXml, Writer};

use super::names;
use crate::client::{self, ForUser, Node};
use crate::domain::Domain;
use crate::refusal::{By, judge};
use crate::status::Usage;
use crate::terminal::{Table, say, waiting};

const NOTES: &str = "\
Documents are written to DIR/UNIQUE_ID.EXTENSION. What has another hash than its entry says is not kept.

Example:
  hilum fetch --community 1.2.3.5 --patient P-1 --class-code REPORTS --out got/";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// The community, by its homeCommunityId
    #[arg(long, value_name = "HOME")]
    community: String,
    /// Whose documents: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: String,
    /// classCode: code^^scheme, or a code of codes.xml
    #[arg(long, value_name = "CODE", required = true)]
    class_code: Vec<String>,
    /// The node whose gateway is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The folder to write into; it is made if need be
    #[arg(long, value_name = "DIR", default_value = ".")]
    out: PathBuf,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let domain = Domain::of(&node.config)?;
    let out = &arguments.out;
    std::fs::create_dir_all(out)
        .map_err(|error| Usage(format!("{}: cannot be made: {error}", out.display())))?;
    let patient = domain.patient(&arguments.patient)?.to_string();
    let request = request(arguments, &domain, &patient)?;
    let ledger = node.ledger()?;
    let url = node.initiating()?;
    let progress = waiting("fetching");
    let answer = node
        .client
        .send::<CrossGatewayFetch>(&url, &request, Vec::new())
        .await;
    let outcome = client::outcome(&answer, |response| (response.status, &response.errors[..]));
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let query = Query {
        id: &request.id,
        request: &writer.finish(),
        patients: &[&patient],
        home_community_id: request.home.as_deref(),
    };
    let event = Event::fetched_across(&Parties::asked(&url), query, &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?;
    let kept = keep(&answer.response, answer.attachments, out).await;
    progress.finish_and_clear();
    let kept = kept?;
    if kept.is_empty() && answer.response.status == ResponseStatus::Success {
        say("nothing was found")?;
    } else if !kept.is_empty() {
        let mut table = Table::new(&["document", "file", "bytes"]);
        kept.into_iter().for_each(|row| table.row(row));
        say(&table.text())?;
    }
    let response = &answer.response;
    let what = "not everything could be fetched";
    let judged = judge(response.status, &response.errors, what);
    Ok(judged.map_err(|refused| refused.by(By::Gateway))?)
}

fn request(
    arguments: &Arguments,
    domain: &Domain,
    patient: &str,
) -> Result<AdhocQueryRequest, Usage> {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let mut classes = Vec::new();
    for class in &arguments.class_code {
        let code = domain.code(CodeKind::ClassCode, class)?;
        classes.push(quoted(&format!("{}^^{}", code.code, code.scheme)));
    }
    let home = &arguments.community;
    let home = home.strip_prefix("urn:oid:").unwrap_or(home);
    Ok(AdhocQueryRequest {
        return_type: ReturnType::Other(WITH_DOCUMENTS.to_owned()),
        id: FETCH.to_owned(),
        home: Some(format!("urn:oid:{home}")),
        slots: vec![
            Slot::single("$XDSDocumentEntryPatientId", quoted(patient)),
            Slot::single(
                "$XDSDocumentEntryClassCode",
                format!("({})", classes.join(",")),
            ),
        ],
    })
}

/// Writes the documents as they come. One row for each.
async fn keep(
    response: &CrossGatewayFetchResponse,
    mut attachments: Attachments,
    out: &Path,
) -> anyhow::Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    let mut coming: HashMap<&str, &RegistryObject> = HashMap::new();
    for fetched in &response.objects {
        match &fetched.content {
            Some(Content::Include(id)) => _ = coming.insert(id, &fetched.object),
            Some(Content::Inline(bytes)) => {
                let mut file = Document::of(&fetched.object, out)?;
                file.write(bytes)?;
                rows.push(file.keep(out)?);
            }
            None => {}
        }
    }
    let broken = |fault: xds_schemas::soap::Fault| {
        anyhow::anyhow!("the answer ended early: {}", fault.reason)
    };
    while let Some(mut attachment) = attachments.next().await.map_err(broken)? {
        let Some(entry) = coming.remove(attachment.content_id()) else {
            continue;
        };
        let mut file = Document::of(entry, out)?;
        while let Some(chunk) = attachment.chunk().await.map_err(broken)? {
            file.write(&chunk)?;
        }
        rows.push(file.keep(out)?);
    }
    match coming.is_empty() {
        true => Ok(rows),
        false => bail!("{} documents did not come", coming.len()),
    }
}

/// A document that is coming.
struct Document {
    unique_id: String,
    mime_type: String,
    registered: Option<String>,
    file: NamedTempFile,
    hash: Sha1,
    size: u64,
}

impl Document {
    fn of(object: &RegistryObject, out: &Path) -> anyhow::Result<Self> {
        let entry = DocumentEntry::from_ebrim(object).ok();
        let Body::ExtrinsicObject { mime_type, .. } = &object.body else {
            bail!("a document came with something that is no document entry");
        };
        let unique_id = entry.as_ref().map(|entry| entry.unique_id.0.clone());
        // As any file that a program writes: the umask decides who may read it.
        let file = tempfile::Builder::new()
            .prefix(".hilum-")
            .permissions(std::fs::Permissions::from_mode(0o666))
            .tempfile_in(out)
            .with_context(|| format!("{}: cannot be written into", out.display()))?;
        Ok(Self {
            unique_id: unique_id.context("an entry came that cannot be read")?,
            mime_type: mime_type.clone().unwrap_or_default(),
            registered: entry.and_then(|entry| entry.hash),
            file,
            hash: Sha1::new(),
            size: 0,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let written = self.file.write_all(bytes);
        written.context("the content cannot be written")?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Gives it its name, if it is what its entry says.
    fn keep(self, out: &Path) -> anyhow::Result<Vec<String>> {
        let hash = self.hash.finalize();
        let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let differs = |said: &String| !said.eq_ignore_ascii_case(&hash);
        if self.registered.as_ref().is_some_and(differs) {
            bail!("{} is not what was registered", self.unique_id);
        }
        let path = out.join(names::of(&self.unique_id, &self.mime_type));
        let kept = self.file.persist(&path);
        kept.with_context(|| format!("{}: cannot be written", path.display()))?;
        let file = path.display().to_string();
        Ok(vec![self.unique_id, file, self.size.to_string()])
    }
}
