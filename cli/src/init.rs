//! `hilum init`: writes a ready node.

use std::fmt::Write as _;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use hilum_security::at_rest::KeyRing;
use hilum_security::development_ca::Identity;
use hilum_transport::{Asynchronous, Limits};
use uuid::Uuid;
use xds_schemas::metadata::hl7::is_oid;

use crate::audit;
use crate::config::{COMMAND_SECONDS, Config, ConfigError, RELOAD_SECONDS, audit_repository};
use crate::terminal::say;

/// The default affinity domain. Its codes are from LOINC, SNOMED CT, DICOM and IHE.
const CODES: &str = include_str!("init/codes.xml");
const CONFIG: &str = include_str!("init/hilum.toml");
/// How long development certificates are valid.
pub(crate) const AUTHORITY_DAYS: u32 = 3650;
pub(crate) const NODE_DAYS: u32 = 825;

#[derive(Debug, Args)]
#[command(
    after_help = "Example: hilum init node --plain --port-base 18400 --accept-unknown-patients"
)]
pub(crate) struct Arguments {
    /// The folder to write into; it is made, or must be empty
    pub(crate) dir: PathBuf,
    /// Plain HTTP without TLS, for this machine only
    #[arg(long)]
    pub(crate) plain: bool,
    /// The registry listens on N+1, repository and imaging source on N+2, gateways on N+3, the Audit Record
    /// Repository on N+4 (syslog on N+8 and N+9), the feed on N+5, metrics on N+7, DICOM on N+10
    #[arg(long, value_name = "N", default_value_t = 18400, value_parser = clap::value_parser!(u16).range(1..65525))]
    pub(crate) port_base: u16,
    /// Take submissions for patients that no feed has announced
    #[arg(long)]
    pub(crate) accept_unknown_patients: bool,
    /// Leave out the Audit Record Repository: records stay in the node's own spool until they are sent elsewhere
    #[arg(long)]
    pub(crate) no_audit_repository: bool,
    /// The home community ID [default: a new one]
    #[arg(long, value_name = "OID", value_parser = oid)]
    pub(crate) home: Option<String>,
    /// The repositoryUniqueId [default: a new one]
    #[arg(long, value_name = "OID", value_parser = oid)]
    pub(crate) repository_id: Option<String>,
    /// The authority of patient IDs [default: a new one]
    #[arg(long, value_name = "OID", value_parser = oid)]
    pub(crate) patient_authority: Option<String>,
    /// The codes of your affinity domain [default: a general set]
    #[arg(long, value_name = "FILE")]
    pub(crate) codes: Option<PathBuf>,
    /// sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL", default_value = "sqlite:data/registry.db")]
    pub(crate) database: String,
    /// file:PATH
    #[arg(long, value_name = "URL", default_value = "file:data/documents")]
    pub(crate) store: String,
    /// Encrypt what is stored and, in databases, what identifies patients, with a new key in keys/: whoever
    /// loses it loses the data
    #[arg(long)]
    pub(crate) encrypt: bool,
}

fn oid(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("urn:oid:").unwrap_or(text);
    match is_oid(bare) {
        true => Ok(bare.to_owned()),
        false => Err("it is not an OID such as 1.2.3".to_owned()),
    }
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    write(arguments)?;
    let file = arguments.dir.join("hilum.toml");
    say(&format!("wrote {}", file.display()))?;
    if arguments.encrypt {
        let keys = arguments.dir.join("keys");
        say(&format!(
            "what is stored is encrypted: keep a copy of {} elsewhere, the data is lost without it",
            keys.display()
        ))?;
    }
    say(&format!(
        "start it with: hilum serve --config {}",
        file.display()
    ))?;
    Ok(())
}

/// Writes the node.
pub(crate) fn write(arguments: &Arguments) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    check_urls(arguments)?;
    empty(dir)?;
    let codes = match &arguments.codes {
        Some(file) => {
            let codes = std::fs::read_to_string(file);
            codes.with_context(|| format!("{}: cannot be read", file.display()))?
        }
        None => String::new(),
    };
    let made = std::fs::create_dir_all(dir);
    made.and_then(|()| DirBuilder::new().mode(0o700).create(dir.join("data")))
        .with_context(|| format!("{}: cannot be made", dir.display()))?;
    let authority = arguments.patient_authority.clone().unwrap_or_else(new_oid);
    let codes = if codes.is_empty() {
        CODES.replace("{patient_id_authority}", &authority)
    } else {
        codes
    };
    save(&dir.join("codes.xml"), &codes)?;
    certificates(&dir.join("certs"))?;
    if !arguments.no_audit_repository {
        audit::new_key(&dir.join("certs/audit.key"))?;
    }
    let file = dir.join("hilum.toml");
    save(&file, &configuration(arguments, &authority)?)?;
    if arguments.encrypt {
        KeyRing::generate(&dir.join("keys"), None)?;
    }
    // Whatever is wrong with what was asked for is better said now than by `hilum serve`.
    Config::load(&file)?;
    Ok(())
}

fn check_urls(arguments: &Arguments) -> Result<(), ConfigError> {
    let database = &arguments.database;
    let known = ["sqlite:", "postgres://", "postgresql://"];
    if !known.iter().any(|scheme| database.starts_with(scheme)) {
        let problem = "--database: it begins with sqlite: or postgres://";
        return Err(ConfigError(problem.to_owned()));
    }
    let known = ["file:", "s3://"];
    if !known
        .iter()
        .any(|scheme| arguments.store.starts_with(scheme))
    {
        let problem = "--store: it begins with file: or s3://";
        return Err(ConfigError(problem.to_owned()));
    }
    Ok(())
}

/// Refuses a folder that has something in it.
pub(crate) fn empty(dir: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            Some(_) => bail!("{}: it is not empty; nothing was written", dir.display()),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("{}: cannot be read", dir.display())),
    }
}

/// A development authority, the node's own certificate, and one for a client.
fn certificates(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let authority = Identity::authority("Hilum development CA", AUTHORITY_DAYS)?;
    let save = |identity: &Identity, name: &str| {
        let certificate = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        let saved = identity.write(&certificate, &key);
        saved.with_context(|| format!("{}: cannot be written", certificate.display()))
    };
    save(&authority, "ca")?;
    save(&authority.issue("node", &[], NODE_DAYS)?, "node")?;
    save(&authority.issue("client", &[], NODE_DAYS)?, "client")
}

#[expect(
    clippy::too_many_lines,
    reason = "it is a table of what stands in the file"
)]
fn configuration(arguments: &Arguments, authority: &str) -> anyhow::Result<String> {
    let id = |given: &Option<String>| given.clone().unwrap_or_else(new_oid);
    let port = |offset: u16| (arguments.port_base + offset).to_string();
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let asynchronous = Asynchronous::default();
    let values = [
        ("home", id(&arguments.home)),
        ("patient_id_authority", authority.to_owned()),
        ("codes", quoted("codes.xml")),
        (
            "unknown_patients",
            if arguments.accept_unknown_patients {
                "accept"
            } else {
                "refuse"
            }
            .to_owned(),
        ),
        ("tls", if arguments.plain { "# " } else { "" }.to_owned()),
        (
            "scheme",
            if arguments.plain { "http" } else { "https" }.to_owned(),
        ),
        (
            "feed_scheme",
            if arguments.plain { "mllp" } else { "mllps" }.to_owned(),
        ),
        ("registry_port", port(1)),
        ("repository_port", port(2)),
        ("gateway_port", port(3)),
        (
            "deadline_seconds",
            hilum_gateway::communities::DEADLINE_SECONDS.to_string(),
        ),
        ("calls", hilum_gateway::communities::CALLS.to_string()),
        (
            "fetch_documents",
            hilum_gateway::iti63_cross_gateway_fetch::DOCUMENTS.to_string(),
        ),
        (
            "fetch_bytes",
            hilum_gateway::iti63_cross_gateway_fetch::BYTES.to_string(),
        ),
        ("all_calls", hilum_gateway::asking::ALL_CALLS.to_string()),
        ("aside_bytes", hilum_gateway::relay::ASIDE_BYTES.to_string()),
        (
            "assertion_minutes",
            crate::config::ASSERTION_MINUTES.to_string(),
        ),
        (
            "correlations_days",
            hilum_gateway::patients::CORRELATIONS_DAYS.to_string(),
        ),
        (
            "recheck_seconds",
            hilum_gateway::patients::RECHECK_SECONDS.to_string(),
        ),
        (
            "discoveries_per_minute",
            hilum_gateway::patients::DISCOVERIES_PER_MINUTE.to_string(),
        ),
        ("metrics_port", port(7)),
        ("repository_id", id(&arguments.repository_id)),
        (
            "database",
            quoted(&absolute(&arguments.database, "sqlite:")?),
        ),
        ("store", quoted(&absolute(&arguments.store, "file:")?)),
        (
            "max_results",
            hilum_registry::config::MAX_RESULTS.to_string(),
        ),
        (
            "connections",
            hilum_registry::config::CONNECTIONS.to_string(),
        ),
        (
            "decision_seconds",
            hilum_repository::DECISION_SECONDS.to_string(),
        ),
        (
            "settled_seconds",
            hilum_repository::SETTLED_SECONDS.to_string(),
        ),
        ("waiting", asynchronous.waiting.to_string()),
        ("sending", asynchronous.sending.to_string()),
        ("attempts", asynchronous.attempts.to_string()),
        ("pause_seconds", asynchronous.pause_seconds.to_string()),
        (
            "max_submissions",
            hilum_repository::recipient::MAX_SUBMISSIONS.to_string(),
        ),
        ("limits", limits()?),
    ];
    let values = values.into_iter().chain(subscriptions());
    let values = values.chain(imaging()).chain(audit());
    let values = values.chain(tls()).chain(users());
    let values = values
        .chain(at_rest(arguments))
        .chain(audit_repository::defaults())
        .chain(ports(arguments));
    let values: Vec<(&str, String)> = values.collect();
    let fill =
        |text: String, (name, value): &(&str, String)| text.replace(&format!("{{{name}}}"), value);
    Ok(values.iter().fold(CONFIG.to_owned(), fill))
}

/// A path on the command line is relative to where the command was given, one in the file to the
/// file; those inside of the node's own folder stay short.
fn absolute(url: &str, scheme: &str) -> anyhow::Result<String> {
    match url.strip_prefix(scheme) {
        Some(path) if !path.starts_with("data/") => {
            Ok(format!("{scheme}{}", std::path::absolute(path)?.display()))
        }
        _ => Ok(url.to_owned()),
    }
}

/// The defaults of `[audit]`.
fn audit() -> [(&'static str, String); 3] {
    use hilum_audit::sender::{DATAGRAMS_PER_SECOND, KEEP_DAYS, RECORDS_PER_SECOND};
    [
        ("records_per_second", RECORDS_PER_SECOND.to_string()),
        ("datagrams_per_second", DATAGRAMS_PER_SECOND.to_string()),
        ("keep_days", KEEP_DAYS.to_string()),
    ]
}

/// Where is listened for what is not SOAP, and whether there is an Audit Record Repository.
fn ports(arguments: &Arguments) -> [(&'static str, String); 8] {
    let port = |offset: u16| (arguments.port_base + offset).to_string();
    let comment = if arguments.no_audit_repository {
        "# "
    } else {
        ""
    };
    let syslog = if arguments.plain {
        "syslog+tcp"
    } else {
        "syslog+tls"
    };
    [
        ("audit", comment.to_owned()),
        ("audit_port", port(4)),
        ("syslog_scheme", syslog.to_owned()),
        ("feed_port", port(5)),
        ("syslog_port", port(8)),
        ("syslog_udp_port", port(9)),
        ("dicom_port", port(10)),
        ("dicom_plain_port", port(11)),
    ]
}

/// What `[at_rest]` says.
fn at_rest(arguments: &Arguments) -> [(&'static str, String); 2] {
    let encrypt = if arguments.encrypt { "" } else { "# " };
    [
        ("encrypt", encrypt.to_owned()),
        ("command_seconds", COMMAND_SECONDS.to_string()),
    ]
}

/// The defaults of `[imaging]` and `[dicom]`.
fn imaging() -> [(&'static str, String); 5] {
    use hilum_repository::imaging::archives::INTERVAL_SECONDS;
    use hilum_repository::imaging::{RETRIEVE_AE_TITLE, SETTLE_SECONDS, dimse};
    [
        ("retrieve_ae_title", RETRIEVE_AE_TITLE.to_owned()),
        ("settle_seconds", SETTLE_SECONDS.to_string()),
        ("interval_seconds", INTERVAL_SECONDS.to_string()),
        ("ae_title", dimse::AE_TITLE.to_owned()),
        ("associations", dimse::ASSOCIATIONS.to_string()),
    ]
}

/// The defaults of `[tls]`.
fn tls() -> [(&'static str, String); 1] {
    [("reload_seconds", RELOAD_SECONDS.to_string())]
}

/// The defaults of `[xua]` and `[iua]`.
fn users() -> [(&'static str, String); 4] {
    use hilum_security::iti40_provide_x_user_assertion as iti40;
    [
        ("skew_seconds", iti40::SKEW_SECONDS.to_string()),
        (
            "assertion_lifetime_seconds",
            iti40::LONGEST_LIFETIME_SECONDS.to_string(),
        ),
        ("remembered", hilum_security::REMEMBERED.to_string()),
        (
            "introspection_seconds",
            crate::config::INTROSPECTION_SECONDS.to_string(),
        ),
    ]
}

/// The defaults of `[subscriptions]`.
fn subscriptions() -> [(&'static str, String); 10] {
    let default = hilum_registry::SubscriptionConfig::default();
    let seconds = |duration: std::time::Duration| duration.as_secs().to_string();
    [
        ("usual_lifetime_seconds", seconds(default.usual_lifetime)),
        (
            "longest_lifetime_seconds",
            seconds(default.longest_lifetime),
        ),
        ("most", default.most.to_string()),
        ("notify_answer_seconds", seconds(default.answer)),
        ("first_pause_seconds", seconds(default.first_pause)),
        ("longest_pause_seconds", seconds(default.longest_pause)),
        ("give_up_seconds", seconds(default.give_up)),
        ("backlog", default.backlog.to_string()),
        (
            "pull_point_messages",
            default.pull_point_messages.to_string(),
        ),
        ("pull_point_idle_seconds", seconds(default.pull_point_idle)),
    ]
}

/// The limits and their defaults.
fn limits() -> anyhow::Result<String> {
    let debug = format!("{:?}", Limits::default());
    let fields = debug.trim_start_matches("Limits { ").trim_end_matches(" }");
    let mut lines = String::new();
    for field in fields.split(", ") {
        let (key, value) = field.split_once(": ").context("a limit without a value")?;
        writeln!(lines, "# {key} = {value}")?;
    }
    Ok(lines.trim_end().to_owned())
}

/// A new OID below 2.25, where every UUID has one (ITU-T X.667).
pub(crate) fn new_oid() -> String {
    format!("2.25.{}", Uuid::new_v4().as_u128())
}

/// For the owner only: the URL of a database may hold a password.
fn save(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut private = OpenOptions::new();
    let opened = private.write(true).create_new(true).mode(0o600).open(file);
    let saved = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    saved.with_context(|| format!("{}: cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn node(options: &[&str]) -> (tempfile::TempDir, anyhow::Result<Config>) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("node");
        let given = ["init", dir.to_str().unwrap()];
        let command = Command::try_parse_from(given.iter().chain(options)).unwrap();
        let config =
            write(&command.arguments).and_then(|()| Ok(Config::load(&dir.join("hilum.toml"))?));
        (folder, config)
    }

    #[test]
    fn a_new_node_is_complete() {
        let (folder, config) = node(&[]);
        let config = config.unwrap();
        let dir = folder.path().join("node");
        let files = config.tls_files().unwrap();
        let inspection = hilum_security::inspection::inspect(&files).unwrap();
        assert!(inspection.key_matches && inspection.not_trusted_here.is_none());
        assert!(dir.join("certs/client.pem").is_file() && dir.join("data").is_dir());
        let mode = |name: &str| dir.join(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("data"), mode("hilum.toml")), (0o700, 0o600));
        assert_eq!(config.listeners().len(), 11);
        let again = Command::try_parse_from(["init", dir.to_str().unwrap()]).unwrap();
        assert!(
            write(&again.arguments)
                .unwrap_err()
                .to_string()
                .contains("not empty")
        );
    }

    #[test]
    fn every_key_is_shown() {
        let (folder, _) = node(&["--plain"]);
        let text = std::fs::read_to_string(folder.path().join("node/hilum.toml")).unwrap();
        for key in crate::config::all_keys() {
            let name = key.rsplit('.').next().unwrap();
            let section = key.rsplit_once('.').map_or("", |(section, _)| section);
            let mut current = "";
            let shown = text.lines().any(|line| {
                let line = line.trim_start_matches("# ");
                if let Some(header) = line.strip_prefix('[') {
                    current = header.trim_end_matches(']');
                }
                current == section && line.starts_with(&format!("{name} = "))
            });
            assert!(shown, "{key}");
        }
        // Uncommenting everything gives a valid file again.
        let uncommented: Vec<String> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key) if key.contains(" = ") || key.starts_with('[') => key.to_owned(),
                _ => line.to_owned(),
            })
            .collect();
        let file = folder.path().join("node/all.toml");
        std::fs::write(&file, uncommented.join("\n")).unwrap();
        let config = Config::load(&file).unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.asynchronous, Asynchronous::default());
        let seconds = std::time::Duration::from_secs;
        assert_eq!(
            config.decision(),
            seconds(hilum_repository::DECISION_SECONDS)
        );
        assert_eq!(config.settled(), seconds(hilum_repository::SETTLED_SECONDS));
        let default = hilum_registry::SubscriptionConfig::default();
        let shown = config.subscriptions.config();
        assert_eq!(
            hilum_registry::SubscriptionConfig {
                notify: default.notify.clone(),
                ..shown
            },
            default
        );
    }

    #[test]
    fn options_are_taken() {
        let options = [
            "--plain",
            "--port-base",
            "20000",
            "--accept-unknown-patients",
            "--home",
            "urn:oid:1.2.3",
            "--repository-id",
            "1.2.4",
            "--patient-authority",
            "1.2.5",
            "--database",
            "postgres://u@h/d",
            "--store",
            "file:/elsewhere",
        ];
        let config = node(&options).1.unwrap();
        assert!(config.tls.is_none());
        assert_eq!(config.home_community_id, "urn:oid:1.2.3");
        assert_eq!(config.registry.listen, "127.0.0.1:20001".parse().ok());
        assert_eq!(
            config.repository_url().unwrap(),
            "http://localhost:20002/repository"
        );
        assert_eq!(config.feed_url().unwrap(), "mllp://localhost:20005");
        assert_eq!(config.registry_database(), "postgres://u@h/d");
        assert_eq!(config.repository_store(), "file:/elsewhere");
        assert_eq!(config.imaging_unique_id().as_deref(), Some("1.2.4"));
    }
}
