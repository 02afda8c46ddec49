//! `hilum audit head`: fetches the head of the log, to keep it elsewhere; and `hilum audit key`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use hilum_audit::record_repository::Head;
use hilum_security::signing::SigningKey;
use hilum_transport::HttpRequest;

use crate::bearer::WithToken;
use crate::client::Node;
use crate::config::ConfigError;
use crate::terminal;

/// Bytes of an answer: a head has a few hundred.
const HEAD_BYTES: usize = 64 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum audit head --config node/hilum.toml > head.json")]
pub(super) struct Arguments {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    token: WithToken,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum audit key certs/audit.key > audit.pem")]
pub(super) struct KeyArguments {
    /// The private key; it is made if there is none
    file: PathBuf,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?;
    let url = node.config.audit_repository_url();
    let missing = || ConfigError("audit.url: it is needed to know where to ask".to_owned());
    let url = format!("{}/audit/tree-head", url.ok_or_else(missing)?);
    let headers = arguments.token.headers(Vec::new())?;
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers: &headers,
        body: Default::default(),
    };
    let answer = node.client.exchange_http(request, HEAD_BYTES).await?;
    if answer.status != 200 {
        bail!("{url}: it answered with HTTP status {}", answer.status);
    }
    let head: Head =
        serde_json::from_slice(&answer.body).with_context(|| format!("{url}: no head"))?;
    Ok(terminal::say(&serde_json::to_string(&head)?)?)
}

/// Makes a key if there is none, and shows its public half.
pub(super) fn key(arguments: &KeyArguments) -> anyhow::Result<()> {
    if !arguments.file.exists() {
        new_key(&arguments.file)?;
    }
    let key = SigningKey::read(&arguments.file)?.public()?;
    let pem = String::from_utf8(key.to_pem()?)?;
    Ok(terminal::say(pem.trim_end())?)
}

/// Makes a key that signs the heads of an audit log.
pub(crate) fn new_key(file: &Path) -> anyhow::Result<()> {
    let written = SigningKey::generate()?.write(file);
    written.with_context(|| format!("{}: cannot be written", file.display()))
}
