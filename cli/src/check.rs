//! `hilum check`: looks for what is wrong before it hurts. One line for each thing.

mod certificates;
mod communities;

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use hilum_audit::record_repository::damaged_files;
use hilum_audit::sender::{self, Backlog, Road};
use hilum_audit::spool::{self, Spool, SpoolError};
use hilum_repository::at_rest::Kept;
use hilum_repository::imaging;
use hilum_security::signing::SigningKey;
use hilum_transport::mllp::Connection;
use hilum_transport::{Client, ClientError};

use crate::client::{self, Node};
use crate::config::{Config, ConfigError};
use crate::dicom;
use crate::rooms;
use crate::stored::Stored;
use crate::terminal;

#[derive(Debug, Args)]
#[command(after_help = "Example: hilum check --config node/hilum.toml")]
pub(crate) struct Arguments {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
}

/// What was found; `Err` says what to mend.
type Finding = Result<String, String>;

/// Prints findings and counts the bad ones.
#[derive(Debug, Default)]
struct Report {
    wrong: usize,
    /// That not all of it could be printed.
    unsaid: Option<io::Error>,
}

impl Report {
    fn add(&mut self, subject: &str, finding: Finding) {
        match finding {
            Ok(what) => self.say("ok", subject, &what),
            Err(what) => {
                self.wrong += 1;
                self.say("MEND", subject, &what);
            }
        }
    }

    /// Something that works, and should not be so.
    fn warn(&mut self, subject: &str, what: &str) {
        self.say("WARN", subject, what);
    }

    /// A reader that went away, as `head` does, still has the exit status, so the rest is looked for, too.
    fn say(&mut self, verdict: &str, subject: &str, what: &str) {
        if let Err(error) = terminal::say(&format!("{verdict:<5} {subject:<14} {what}")) {
            self.unsaid.get_or_insert(error);
        }
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let mut report = Report::default();
    report.add("configuration", Ok(arguments.config.display().to_string()));
    certificates::check(&config, &mut report);
    for problem in config.open_secrets() {
        report.warn("secret", &problem);
    }
    report.add("codes", readable(&config.affinity_domain.codes));
    report.add("data", folder(&config.data));
    access(&config, &mut report);
    report.add("audit", spool(&config));
    if config.registry.listen.is_some() {
        report.add("database", database(&config.registry_database()));
    }
    if config.repository.listen.is_some() {
        report.add("documents", documents(&config));
    }
    if config.imaging.listen.is_some() {
        report.add("images", images(&config));
        collections(&config, &mut report);
    }
    if config.recipient.listen.is_some() {
        report.add("inbox", inbox(&config));
    }
    if let Some(wanted) = config.audit_repository() {
        report.add("audit log", audit_log(&config));
        report.add("audit key", signing_key(&wanted.signing_key));
    }
    report.add("at rest", at_rest(&config).await);
    report.add("identifiers", identifiers(&config).await);
    archives(&config, &mut report).await;
    receivers(&config, &mut report).await;
    users(&config, &mut report);
    match Node::of(config) {
        Ok(node) => {
            peers(&node, &mut report).await;
            communities::check(&node, &mut report).await;
        }
        Err(error) => report.add("client", Err(format!("{error:#}"))),
    }
    match report.wrong {
        0 => report.unsaid.map_or(Ok(()), |error| Err(error.into())),
        1 => bail!("1 thing to mend"),
        wrong => bail!("{wrong} things to mend"),
    }
}

fn access(config: &Config, report: &mut Report) {
    let finding = match config.rules_file() {
        Ok(None) => return,
        Ok(Some(file)) => match file.read() {
            Ok(policy) => {
                if let Some(warning) = config.closed_doors(&policy) {
                    report.warn("access", warning);
                }
                Ok(format!(
                    "{}: {} rules",
                    file.path.display(),
                    policy.in_words().len()
                ))
            }
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(format!("{error:#}")),
    };
    report.add("access", finding);
}

/// Whether whoever is trusted to name users can be.
fn users(config: &Config, report: &mut Report) {
    match config.users() {
        Ok(users) => {
            let assertions = users.assertions.iter();
            for (issuer, certificate) in assertions.flat_map(|it| it.certificates()) {
                let dates = certificates::dates(&certificate);
                let of_issuer = |text: String| format!("{issuer}: {text}");
                report.add("assertions", dates.map(of_issuer).map_err(of_issuer));
            }
            if users.tokens.is_some() {
                report.add("tokens", Ok("their issuers can be used".to_owned()));
            }
        }
        Err(error) => report.add("users", Err(format!("{error:#}"))),
    }
}

fn readable(file: &Path) -> Finding {
    let shown = file.display();
    match std::fs::read_to_string(file) {
        Ok(text) if text.contains("<CodeType") => Ok(shown.to_string()),
        Ok(_) => Err(format!("{shown}: it has no <CodeType> elements")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

/// Whether files can be made in a folder, or in the nearest one above it that exists.
fn folder(path: &Path) -> Finding {
    let existing = path.ancestors().find(|folder| folder.exists());
    let existing = existing.unwrap_or(Path::new("."));
    let probe = existing.join(format!(".hilum-check-{}", std::process::id()));
    match std::fs::write(&probe, b"") {
        Ok(()) => {
            // Only an empty file would be left behind.
            let _ = std::fs::remove_file(&probe);
            Ok(path.display().to_string())
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn spool(config: &Config) -> Finding {
    let path = &config.spool();
    if !path.exists() {
        return folder(path);
    }
    // What is encrypted can be read with them; that they are missing is said elsewhere.
    let vault = config.vault().unwrap_or_default();
    // Who opens it sets them aside.
    let damaged = spool::damaged_files(path).map_err(|error| error.to_string())?;
    match Spool::open_with(path, u64::MAX, vault.ring()) {
        Ok(_) | Err(SpoolError::InUse { .. }) if !damaged.is_empty() => {
            let damaged: Vec<String> = damaged.iter().map(|it| it.display().to_string()).collect();
            Err(format!(
                "headers of files are damaged, so that their records are not sent unless the files are put back \
                 from a copy: {}",
                damaged.join(", ")
            ))
        }
        Ok(_) => Ok(path.display().to_string()),
        Err(SpoolError::InUse { .. }) => Ok(format!("{}, in use", path.display())),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether records can be written, and those that are there be read.
fn audit_log(config: &Config) -> Finding {
    let store = config.audit_store();
    // That keys are missing is said elsewhere.
    let vault = config.vault().unwrap_or_default();
    let damaged = damaged_files(&store, vault.ring()).map_err(|error| error.to_string())?;
    match damaged.first() {
        None => folder(&store),
        Some(first) => Err(format!(
            "{} of its files cannot be read because their headers are damaged, the first is {}: put them back from \
             a copy, and see `hilum audit verify`",
            damaged.len(),
            first.display()
        )),
    }
}

/// Whether the registry could use its database. It makes the tables when it starts.
fn database(url: &str) -> Finding {
    let file = url.strip_prefix("sqlite:");
    let shown = file.unwrap_or("PostgreSQL");
    match (hilum_registry::check_database(url), file) {
        (Ok(Some(version)), _) => Ok(format!("{shown}, tables of {version}")),
        (Ok(None), Some(file)) => {
            folder(Path::new(file).parent().unwrap_or(Path::new("."))).map(|_| file.to_owned())
        }
        (Ok(None), None) => Ok(format!("{shown}, without tables yet")),
        (Err(error), _) => Err(format!("{shown}: {error:#}")),
    }
}

fn documents(config: &Config) -> Finding {
    let access = config.store_access();
    let access = access.map_err(|error| format!("{error:#}"))?;
    let url = config.repository_store();
    let found = store(&url, access.as_ref())?;
    let documents = Some((url, access));
    keys_are_there(
        config,
        &Kept {
            documents,
            ..Kept::default()
        },
    )?;
    Ok(found)
}

fn inbox(config: &Config) -> Finding {
    let url = config.recipient_store();
    let found = store(&url, None)?;
    let inbox = Some(url);
    keys_are_there(
        config,
        &Kept {
            inbox,
            ..Kept::default()
        },
    )?;
    Ok(found)
}

/// Whether what a store needs is there if it is encrypted.
fn keys_are_there(config: &Config, kept: &Kept) -> Result<(), String> {
    let vault = config.vault().map_err(|error| error.to_string())?;
    let checked = kept.check_keys(&vault);
    checked.map_err(|error| format!("{error:#}"))
}

fn store(url: &str, access: Option<&hilum_repository::Access>) -> Finding {
    match hilum_repository::check_store(url, access) {
        Ok(folder) => Ok(folder.display().to_string()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Where the imaging source keeps which studies it has.
fn images(config: &Config) -> Finding {
    let url = &config.imaging_store();
    let vault = config.vault().map_err(|error| error.to_string())?;
    match imaging::check_store(url, &vault) {
        Ok(studies) => store(url, None).map(|folder| format!("{folder}, {studies} studies")),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Whether what is stored is encrypted, and can be read.
async fn at_rest(config: &Config) -> Finding {
    let vault = config.vault().map_err(|error| error.to_string())?;
    let stored = Stored::of(config).map_err(|error| format!("{error:#}"))?;
    let Some(ring) = vault.ring().cloned() else {
        let check = move || {
            stored.kept.check_keys(&vault)?;
            stored.check_plain()
        };
        let checked = tokio::task::spawn_blocking(check).await;
        let checked = checked.map_err(anyhow::Error::from).and_then(|it| it);
        checked.map_err(|error| format!("{error:#}"))?;
        return Ok("what is stored is not encrypted".to_owned());
    };
    let survey = tokio::task::spawn_blocking(move || stored.survey(&vault)).await;
    let survey = survey.map_err(anyhow::Error::from).and_then(|it| it);
    let (survey, plain_spool) = survey.map_err(|error| format!("{error:#}"))?;
    if let Some((key, objects)) = survey.keys.iter().find(|(key, _)| !ring.has(key)) {
        return Err(format!(
            "{objects} objects need the key {key}, which is not there"
        ));
    }
    if let Some(failure) = survey.failures.first() {
        return Err(failure.clone());
    }
    let current = ring.current_id();
    let with_it = survey.keys.get(&current).copied().unwrap_or_default();
    let old: u64 = survey.keys.values().sum::<u64>() - with_it;
    let plain = survey.plain;
    let spool = match plain_spool {
        0 => String::new(),
        files => format!(", and so are {files} files of audit records that wait"),
    };
    Ok(format!(
        "{with_it} objects have the current key {current}, {old} older ones, {plain} are plain{spool}"
    ))
}

/// Whether databases keep what identifies patients as it is configured, and their keys are there.
async fn identifiers(config: &Config) -> Finding {
    let vault = config.vault().map_err(|error| error.to_string())?;
    let stored = Stored::of(config).map_err(|error| format!("{error:#}"))?;
    let found = tokio::task::spawn_blocking(move || stored.identifiers(&vault)).await;
    let found = found.map_err(anyhow::Error::from).and_then(|it| it);
    let found = found.map_err(|error| format!("{error:#}"))?;
    match found.is_empty() {
        true => Ok("there are no databases yet".to_owned()),
        false => {
            let found = found.into_iter();
            let found: Vec<String> = found.map(|(database, it)| told(database, it)).collect();
            Ok(found.join(", "))
        }
    }
}

fn told(database: &str, encrypted: bool) -> String {
    match encrypted {
        true => format!("encrypted in {database}"),
        false => format!("plain in {database}"),
    }
}

/// What the imaging source asks of objects at its door.
fn collections(config: &Config, report: &mut Report) {
    for finding in config.check_collections() {
        report.add("collection", finding);
    }
    // What is wrong with a single one was said.
    if let Err(ConfigError(problem)) = config.two_of_a_name() {
        report.add("collection", Err(problem));
    }
}

/// Our own rooms either answer or could: their addresses are free. Others must answer.
async fn peers(node: &Node, report: &mut Report) {
    for (room, address) in node.config.listeners() {
        let url = match room {
            "registry" => node.config.registry_url(),
            "repository" => node.config.repository_url(),
            "feed" => node.config.feed_url(),
            "recipient" => node.config.recipient_url(),
            "audit" => node.config.audit_repository_url(),
            "metrics" => node.config.metrics_url(),
            "initiating" | "responding" => node.config.gateway_url(),
            _ => node.config.imaging_url(),
        };
        let url = url.unwrap_or_default();
        let answers = match room {
            "feed" => reached(node, &url).await,
            "audit.syslog_tls" => connected(address).await,
            "dicom" => dicom::echoes(&node.config, address).await,
            _ => healthy(&node.client, &url).await,
        };
        let finding = match answers {
            Ok(()) => Ok(format!("{address}, running")),
            Err(reason) => match tokio::net::TcpListener::bind(address).await {
                Ok(_) => Ok(format!("{address}, free")),
                Err(error) => Err(format!("{address}: {error}, but: {reason}")),
            },
        };
        let subject = if room == "audit.syslog_tls" {
            "syslog"
        } else {
            room
        };
        report.add(subject, finding);
    }
    let peer = node.config.registry_of_repository();
    let Some(url) = peer.filter(|url| Some(url) != node.config.registry_url().as_ref()) else {
        return;
    };
    let finding = healthy(&node.client, &url).await;
    report.add("peer registry", finding.map(|()| format!("{url} answers")));
}

/// The archives beside the imaging source must answer.
async fn archives(config: &Config, report: &mut Report) {
    let archives = match config.archives(&rooms::environment) {
        Ok(archives) => archives,
        Err(error) => return report.add("archives", Err(error.to_string())),
    };
    let tls = match client::tls(config) {
        Ok(tls) => tls,
        Err(error) => return report.add("archives", Err(format!("{error:#}"))),
    };
    for archive in archives {
        let subject = format!("archive {}", archive.name);
        let where_it_is = archive.road.to_string();
        let answers = imaging::archives::check(archive, tls.clone(), &config.limits).await;
        report.add(&subject, answers.map(|()| format!("{where_it_is} answers")));
    }
}

/// Whether the key that signs the audit log can be used, by nobody else.
fn signing_key(file: &Path) -> Finding {
    let key = SigningKey::read(file).map_err(|error| error.to_string())?;
    let public = key.public().and_then(|key| key.fingerprint());
    let fingerprint = public.map_err(|error| error.to_string())?;
    let others = file
        .metadata()
        .is_ok_and(|it| it.permissions().mode() & 0o077 != 0);
    match others {
        true => Err(format!("{}: others may read it; chmod 600", file.display())),
        false => Ok(fingerprint),
    }
}

/// Whether somebody listens there.
async fn connected(address: std::net::SocketAddr) -> Result<(), String> {
    let connected = tokio::net::TcpStream::connect(address).await;
    connected.map(drop).map_err(|error| error.to_string())
}

/// Those who get audit records must be there, and known.
async fn receivers(config: &Config, report: &mut Report) {
    let sender = match config.sender(None) {
        Ok(None) => return,
        Ok(Some(sender)) => sender,
        Err(error) => return report.add("audit.send", Err(format!("{error:#}"))),
    };
    for receiver in &sender.receivers {
        let target = &receiver.target;
        let lacks = Backlog::of(&sender.spool, &sender.clients, target);
        let lacks = match lacks {
            Ok(lacks) => format!("{} records wait", lacks.records),
            Err(error) => {
                let problem = format!("{target}: how many records wait cannot be read: {error}");
                report.add("audit receiver", Err(problem));
                continue;
            }
        };
        let finding = match sender::check(receiver, &sender.limits).await {
            Ok(()) if target.road == Road::Udp => Ok(format!(
                "{target}, of which nobody knows what arrives; {lacks}"
            )),
            Ok(()) => Ok(format!("{target} answers, {lacks}")),
            // Like the rooms of a node that does not run, it is nothing to mend.
            Err(reason) if reason.contains("refused") && config.is_own_receiver(target) => Ok(
                format!("{target} is this node's own, which does not run; {lacks}"),
            ),
            Err(reason) => Err(format!("{target}: {reason}; {lacks}")),
        };
        report.add("audit receiver", finding);
    }
}

/// Whether somebody takes messages of HL7 v2 there.
async fn reached(node: &Node, url: &str) -> Result<(), String> {
    let tls = client::tls(&node.config).map_err(|error| format!("{error:#}"))?;
    let opened = Connection::open(url, tls.as_ref(), &node.config.limits).await;
    let connection = opened.map_err(|error| error.to_string())?;
    connection.close().await;
    Ok(())
}

/// Whether somebody answers there at all: a peer need not be Hilum.
async fn healthy(client: &Client, url: &str) -> Result<(), String> {
    let host: Vec<&str> = url.splitn(4, '/').take(3).collect();
    match client.fetch(&format!("{}/healthz", host.join("/"))).await {
        Err(error @ (ClientError::Unreachable { .. } | ClientError::Url { .. })) => {
            Err(error.to_string())
        }
        _ => Ok(()),
    }
}
