//! `hilum certs`: the development authority and its certificates.
//!
//! For trying things out, for tests and for small networks that have no authority of their own: its
//! key lies in a file without a passphrase.

mod folder;
mod list;

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use hilum_security::development_ca::Identity;

use self::folder::Folder;
use crate::init::{AUTHORITY_DAYS, NODE_DAYS};
use crate::terminal::say;

/// How long a revocation list is valid.
const LIST_DAYS: u32 = 30;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Example: hilum certs node node/certs workstation --san ws.example\n\
                  Without a command: hilum certs NAME [--dir DIR] [--reached-as HOST] [--days N]"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How the new node or client is called
    #[arg(required = true)]
    name: Option<String>,
    /// The folder with ca.pem and ca.key, which `hilum init` writes; NAME.pem and NAME.key are put
    /// beside them
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
    /// Further DNS names and addresses by which it is reached, beside localhost
    #[arg(long = "reached-as", value_name = "HOST")]
    names: Vec<String>,
    /// How long it is valid
    #[arg(long, value_name = "N", default_value_t = NODE_DAYS)]
    days: u32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an authority: ca.pem and ca.key
    #[command(after_help = "Example: hilum certs authority certs --name \"Example Network CA\"")]
    Authority {
        /// The folder; it is made if it is not there
        dir: PathBuf,
        /// How the authority is called
        #[arg(long, default_value = "Hilum development CA")]
        name: String,
        /// How long it is valid
        #[arg(long, value_name = "N", default_value_t = AUTHORITY_DAYS)]
        days: u32,
    },
    /// Issue a certificate: NAME.pem and NAME.key
    #[command(after_help = "Example: hilum certs node certs ward-7 --san ward-7.example")]
    Node {
        /// The folder of the authority
        dir: PathBuf,
        /// How the node or client is called
        name: String,
        /// Further DNS names and addresses by which it is reached, beside localhost
        #[arg(long, value_name = "HOST")]
        san: Vec<String>,
        /// How long it is valid
        #[arg(long, value_name = "N", default_value_t = NODE_DAYS)]
        days: u32,
    },
    /// Issue a certificate anew, with a new key and the same names; the one before is kept as
    /// NAME.old.pem
    #[command(after_help = "Example: hilum certs renew certs ward-7 --revoke-old")]
    Renew {
        /// The folder of the authority
        dir: PathBuf,
        /// How the node or client is called
        name: String,
        /// How long the new one is valid
        #[arg(long, value_name = "N", default_value_t = NODE_DAYS)]
        days: u32,
        /// The one before is not to be accepted any more
        #[arg(long)]
        revoke_old: bool,
    },
    /// Put a certificate into the revocation list, crl.pem
    #[command(after_help = "Example: hilum certs revoke certs ward-7")]
    Revoke {
        /// The folder of the authority
        dir: PathBuf,
        /// How the node or client is called: NAME.pem
        name: String,
        /// How long the new list is valid
        #[arg(long, value_name = "N", default_value_t = LIST_DAYS)]
        days: u32,
    },
    /// Issue the revocation list, crl.pem, anew: with what stood in it
    #[command(after_help = "Example: hilum certs crl certs --days 7")]
    Crl {
        /// The folder of the authority
        dir: PathBuf,
        /// How long the new list is valid
        #[arg(long, value_name = "N", default_value_t = LIST_DAYS)]
        days: u32,
    },
    /// List the certificates of a folder: dates, names, fingerprints, and which are revoked
    #[command(after_help = "Example: hilum certs list certs --json")]
    List {
        /// The folder
        #[arg(default_value = "certs")]
        dir: PathBuf,
        /// For machines: one JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let done = match &arguments.command {
        Some(Command::Authority { dir, name, days }) => authority(dir, name, *days),
        Some(Command::Node {
            dir,
            name,
            san,
            days,
        }) => issue(&Folder::of(dir), name, san, *days),
        Some(Command::Renew {
            dir,
            name,
            days,
            revoke_old,
        }) => renew(&Folder::of(dir), name, *days, *revoke_old),
        Some(Command::Revoke { dir, name, days }) => {
            let folder = Folder::of(dir);
            let revoked = folder.certificate(name)?;
            folder.revoke(&[&revoked], *days)
        }
        Some(Command::Crl { dir, days }) => Folder::of(dir).revoke(&[], *days),
        Some(Command::List { dir, json }) => return list::run(&Folder::of(dir), *json),
        None => {
            let name = arguments.name.as_deref().unwrap_or_default();
            let folder = Folder::of(&arguments.dir);
            issue(&folder, name, &arguments.names, arguments.days)
        }
    };
    Ok(say(&done?)?)
}

fn authority(dir: &std::path::Path, name: &str, days: u32) -> anyhow::Result<String> {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        bail!("{name:?}: an authority needs a name");
    }
    let made = std::fs::create_dir_all(dir);
    made.with_context(|| format!("{}: cannot be made", dir.display()))?;
    Folder::of(dir).write("ca", &Identity::authority(name, days)?)
}

fn issue(folder: &Folder, name: &str, names: &[String], days: u32) -> anyhow::Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(plain) || name.starts_with('.') {
        bail!("{name:?}: a name has letters, digits, dots, dashes and underscores only");
    }
    folder.write(name, &folder.authority()?.issue(name, names, days)?)
}

/// Issues a certificate of the development authority in `dir`.
pub(crate) fn issue_into(dir: &std::path::Path, name: &str) -> anyhow::Result<()> {
    Ok(say(&issue(&Folder::of(dir), name, &[], NODE_DAYS)?)?)
}

fn renew(folder: &Folder, name: &str, days: u32, revoke_old: bool) -> anyhow::Result<String> {
    let before = folder.certificate(name)?;
    let renewed = folder.authority()?.renew(&before, days)?;
    let mut done = folder.replace(name, &renewed)?;
    if revoke_old {
        done.push('\n');
        done.push_str(&folder.revoke(&[&before], LIST_DAYS)?);
    }
    Ok(done)
}
