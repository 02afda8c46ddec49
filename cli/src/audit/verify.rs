//! `hilum audit verify`: proves that the audit log is what was signed for, without a node that runs.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use hilum_audit::record_repository::Head;
use hilum_audit::record_repository::verify::{Verification, verify};
use hilum_security::signing::{PublicKey, SigningKey};

use crate::config::Config;
use crate::status::Usage;
use crate::terminal;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: hilum audit verify --store data/audit-log --key audit.pem --head head.json"
)]
pub(super) struct Arguments {
    /// The node
    #[arg(
        long,
        value_name = "FILE",
        default_value = "hilum.toml",
        conflicts_with = "store"
    )]
    config: PathBuf,
    /// The folder of the log, without a node
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// A head that was kept elsewhere (`hilum audit head`)
    #[arg(long, value_name = "FILE")]
    head: Vec<PathBuf>,
    /// The public key that signed, in PEM [default: that of the node; with --store, the one that lies
    /// there, which proves little]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (store, signing) = match &arguments.store {
        Some(store) => (store.clone(), None),
        None => {
            let config = Config::load(&arguments.config)?;
            // What is encrypted can be read with them.
            config.vault()?;
            let signing = config.audit_signing_key().map(Path::to_owned);
            (config.audit_store(), signing)
        }
    };
    if !store.is_dir() {
        let problem = format!("{}: there is no audit log", store.display());
        return Err(Usage::new(problem).into());
    }
    let (key, origin) = key(arguments, &store, signing)?;
    let heads = arguments.head.iter().map(|file| read_head(file));
    let heads: Vec<Head> = heads.collect::<anyhow::Result<_>>()?;
    let found = verify(&store, &key, &heads)?;
    terminal::say(&format!("log      {} in {}", found.log, store.display()))?;
    terminal::say(&format!("key      {} ({origin})", key.fingerprint()?))?;
    report(&found, heads.len())
}

/// The key that heads must be signed by, and where it comes from.
fn key(
    arguments: &Arguments,
    store: &Path,
    signing: Option<PathBuf>,
) -> anyhow::Result<(PublicKey, String)> {
    if let (None, Some(file)) = (&arguments.key, signing) {
        let key = SigningKey::read(&file)?.public()?;
        return Ok((key, file.display().to_string()));
    }
    let (file, origin) = match &arguments.key {
        Some(file) => (file.clone(), file.display().to_string()),
        None => {
            let problem = "it lies in the log itself: whoever can change the log can change it too";
            (store.join("heads.pem"), problem.to_owned())
        }
    };
    let pem = std::fs::read(&file).map_err(|error| unreadable(&file, &error))?;
    let key = PublicKey::from_pem(&pem);
    let key = key.map_err(|problem| Usage::new(format!("{}: it {problem}", file.display())))?;
    Ok((key, origin))
}

fn unreadable(file: &Path, error: &std::io::Error) -> Usage {
    Usage(format!("{}: cannot be read: {error}", file.display()))
}

fn read_head(file: &Path) -> anyhow::Result<Head> {
    let text = std::fs::read(file).map_err(|error| unreadable(file, &error))?;
    let head = serde_json::from_slice(&text);
    Ok(head.map_err(|_| Usage::new(format!("{}: this is no head", file.display())))?)
}

/// One line for each thing.
fn report(found: &Verification, elsewhere: usize) -> anyhow::Result<()> {
    let there = found.size - found.begin.min(found.size);
    let say = |line: String| terminal::say(&line);
    say(format!(
        "records  {} in all, {there} of them here, {} removed when their time was over",
        found.size, found.begin
    ))?;
    say(format!("root     {}", found.root))?;
    say(format!(
        "heads    {} in the log, {elsewhere} from elsewhere; the longest covers {} records",
        found.heads, found.covered
    ))?;
    if found.covered < found.size {
        let (first, last) = (found.covered, found.size - 1);
        say(format!(
            "note     records {first} to {last} are not signed for yet"
        ))?;
    }
    if found.unfinished > 0 {
        let bytes = found.unfinished;
        say(format!(
            "note     the last {bytes} bytes are an unfinished record, as a crash leaves it"
        ))?;
    }
    if found.locked > 0 {
        let records = found.locked;
        say(format!(
            "note     {records} records are encrypted and cannot be opened here: only their hashes are \
             verified"
        ))?;
    }
    for finding in &found.findings {
        let finding = terminal::printable(&finding.to_string());
        say(format!("WRONG    {finding}"))?;
    }
    match found.findings.len() {
        0 if found.locked > 0 => Ok(say(
            "ok       every hash is the one that was signed for".to_owned()
        )?),
        0 => Ok(say(
            "ok       every record is the one that was signed for".to_owned()
        )?),
        1 => bail!("the audit log is not as it was: 1 finding"),
        findings => bail!("the audit log is not as it was: {findings} findings"),
    }
}
