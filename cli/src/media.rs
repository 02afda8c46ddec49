//! `hilum media`: reads media that others made (ITI-32 Distribute Document Set on Media), checks
//! them, and takes over what is on them.

mod archive;
mod check;
mod folder;
mod import;
mod inspection;
mod medium;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use hilum_audit::Medium;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether a medium is as ITI-32 asks for, without taking anything over
    #[command(after_help = "Example: hilum media check /media/usb")]
    Check(check::Arguments),
    /// Hand in what is on a medium to this node's repository (ITI-41)
    #[command(after_help = import::NOTES)]
    Import(import::Arguments),
}

/// What kind of medium it is, for the audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// A USB stick or disk
    Usb,
    /// An attachment of an e-mail
    Email,
    /// A CD
    Cd,
    /// A DVD
    Dvd,
    /// Something that is fetched from an address
    Uri,
}

impl Kind {
    /// What was said, or what a medium of this shape usually is: ITI-32 has ZIP files travel by
    /// e-mail.
    pub(crate) fn or_usual(said: Option<Self>, path: &Path) -> Medium {
        let usual = match is_archive(path) {
            true => Self::Email,
            false => Self::Usb,
        };
        match said.unwrap_or(usual) {
            Self::Usb => Medium::Usb,
            Self::Email => Medium::Email,
            Self::Cd => Medium::Cd,
            Self::Dvd => Medium::Dvd,
            Self::Uri => Medium::Uri,
        }
    }
}

/// Whether the name of a medium is that of a ZIP file.
pub(crate) fn is_archive(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// Where a medium is.
#[derive(Debug, Args)]
struct Where {
    /// The medium: a folder, or a ZIP file
    #[arg(value_name = "PATH")]
    path: PathBuf,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Check(arguments) => check::run(arguments),
        Command::Import(arguments) => import::run(arguments).await,
    }
}
