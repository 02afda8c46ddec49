//! `hilum check`: looks for what is wrong before it hurts. One line for each thing.

use std::path::{Path, PathBuf};

use anyhow::bail;
use clap::Args;
use hilum_audit::sender::{self, Backlog, Road};
use hilum_audit::spool::{Spool, SpoolError};
use hilum_repository::imaging;
use hilum_security::inspection::{CertificateFacts, inspect};
use hilum_transport::ClientError;
use hilum_transport::mllp::Connection;

use crate::client::{self, Node};
use crate::config::{Config, ConfigError};
use crate::dicom;
use crate::rooms;
use crate::terminal;

/// Certificates that end sooner than this are pointed out.
const DAYS_LEFT: i32 = 30;

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
#[derive(Default)]
struct Report {
    wrong: usize,
}

impl Report {
    fn add(&mut self, subject: &str, finding: Finding) {
        match finding {
            Ok(what) => Self::say("ok", subject, &what),
            Err(what) => {
                self.wrong += 1;
                Self::say("MEND", subject, &what);
            }
        }
    }

    fn say(verdict: &str, subject: &str, what: &str) {
        // A reader that went away, as `head` does, still has the exit status.
        let _ = terminal::say(&format!("{verdict:<5} {subject:<14} {what}"));
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = Config::load(&arguments.config)?;
    let mut report = Report::default();
    report.add("configuration", Ok(arguments.config.display().to_string()));
    certificates(&config, &mut report);
    report.add("codes", readable(&config.affinity_domain.codes));
    report.add("data", folder(&config.data));
    report.add("audit", spool(&config.spool()));
    if config.registry.listen.is_some() {
        report.add("database", database(&config.registry_database()));
    }
    if config.repository.listen.is_some() {
        report.add("documents", documents(&config));
    }
    if config.imaging.listen.is_some() {
        report.add("images", images(&config.imaging_store()));
        collections(&config, &mut report);
    }
    if config.recipient.listen.is_some() {
        report.add("inbox", store(&config.recipient_store(), None));
    }
    archives(&config, &mut report).await;
    users(&config, &mut report);
    receivers(&config, &mut report).await;
    match Node::of(config) {
        Ok(node) => peers(&node, &mut report).await,
        Err(error) => report.add("client", Err(format!("{error:#}"))),
    }
    match report.wrong {
        0 => Ok(()),
        1 => bail!("1 thing to mend"),
        wrong => bail!("{wrong} things to mend"),
    }
}

fn certificates(config: &Config, report: &mut Report) {
    let Some(files) = config.tls_files() else {
        let what = "plain HTTP, on this machine only";
        return report.add("certificates", Ok(what.to_owned()));
    };
    let inspection = match inspect(&files) {
        Ok(inspection) => inspection,
        Err(error) => return report.add("certificates", Err(error.to_string())),
    };
    report.add("certificate", dates(&inspection.own));
    report.add(
        "key",
        match inspection.key_matches {
            true => Ok("it is the certificate's".to_owned()),
            false => Err(format!(
                "{}: it is not the certificate's",
                files.key.display()
            )),
        },
    );
    for trusted in &inspection.trusted {
        report.add("trusted", dates(trusted));
    }
    if let Some(reason) = inspection.not_trusted_here {
        let hint = "nodes with certificates like ours are not trusted here";
        report.add("trust", Ok(format!("{hint}: {reason}")));
    }
}

/// Whether whoever is trusted to name users can be.
fn users(config: &Config, report: &mut Report) {
    match config.users() {
        Ok(users) => {
            let assertions = users.assertions.iter();
            for (issuer, certificate) in assertions.flat_map(|it| it.certificates()) {
                let dates = dates(&certificate);
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

fn dates(facts: &CertificateFacts) -> Finding {
    let (node, end, days) = (&facts.node, &facts.not_after, facts.days_left);
    match days {
        _ if facts.not_yet_valid => Err(format!("{node}: valid only from {}", facts.not_before)),
        ..0 => Err(format!("{node}: it ended on {end}")),
        0..DAYS_LEFT => Err(format!("{node}: it ends in {days} days, on {end}")),
        _ => Ok(format!("{node}, until {end}")),
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

fn spool(path: &Path) -> Finding {
    if !path.exists() {
        return folder(path);
    }
    match Spool::open(path, u64::MAX) {
        Ok(_) => Ok(path.display().to_string()),
        Err(SpoolError::InUse { .. }) => Ok(format!("{}, in use", path.display())),
        Err(error) => Err(error.to_string()),
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
    store(&config.repository_store(), access.as_ref())
}

fn store(url: &str, access: Option<&hilum_repository::Access>) -> Finding {
    match hilum_repository::check_store(url, access) {
        Ok(folder) => Ok(folder.display().to_string()),
        Err(error) => Err(format!("{error:#}")),
    }
}

/// Where the imaging source keeps which studies it has.
fn images(url: &str) -> Finding {
    match imaging::check_store(url) {
        Ok(studies) => store(url, None).map(|folder| format!("{folder}, {studies} studies")),
        Err(error) => Err(format!("{error:#}")),
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
            "metrics" => node.config.metrics_url(),
            _ => node.config.imaging_url(),
        };
        let url = url.unwrap_or_default();
        let answers = match room {
            "feed" => reached(node, &url).await,
            "dicom" => dicom::echoes(&node.config, address).await,
            _ => healthy(node, &url).await,
        };
        let finding = match answers {
            Ok(()) => Ok(format!("{address}, running")),
            Err(reason) => match tokio::net::TcpListener::bind(address).await {
                Ok(_) => Ok(format!("{address}, free")),
                Err(error) => Err(format!("{address}: {error}, but: {reason}")),
            },
        };
        report.add(room, finding);
    }
    let peer = node.config.registry_of_repository();
    let Some(url) = peer.filter(|url| Some(url) != node.config.registry_url().as_ref()) else {
        return;
    };
    let finding = healthy(node, &url).await;
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
        let lacks = lacks.map(|lacks| lacks.records).unwrap_or_default();
        let finding = match sender::check(receiver, &sender.limits).await {
            Ok(()) if target.road == Road::Udp => Ok(format!(
                "{target}, of which nobody knows what arrives; {lacks} records wait"
            )),
            Ok(()) => Ok(format!("{target} answers, {lacks} records wait")),
            Err(reason) => Err(format!("{target}: {reason}; {lacks} records wait")),
        };
        report.add("audit receiver", finding);
    }
}

/// Whether somebody takes messages of HL7 v2 there.
async fn reached(node: &Node, url: &str) -> Result<(), String> {
    let tls = client::tls(&node.config).map_err(|error| format!("{error:#}"))?;
    let opened = Connection::open(url, tls.as_ref(), &node.config.limits).await;
    opened.map(drop).map_err(|error| error.to_string())
}

/// Whether somebody answers there at all: a peer need not be Hilum.
async fn healthy(node: &Node, url: &str) -> Result<(), String> {
    let host: Vec<&str> = url.splitn(4, '/').take(3).collect();
    match node
        .client
        .fetch(&format!("{}/healthz", host.join("/")))
        .await
    {
        Err(error @ (ClientError::Unreachable { .. } | ClientError::Url { .. })) => {
            Err(error.to_string())
        }
        _ => Ok(()),
    }
}
