//! `hilum dicom`: asks others by DICOM's own protocol.

mod send;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hilum_repository::imaging::dimse::requestor::Wanted;
use hilum_repository::imaging::dimse::{Peer, Requestor, RequestorError};

use crate::client::{self, Node};
use crate::config::Config;
use crate::terminal::say;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See whether an application entity is there (C-ECHO)
    #[command(after_help = "Example: hilum dicom echo PACS@pacs.example:104")]
    Echo {
        #[command(flatten)]
        whom: Whom,
    },
    /// Send files as they are (C-STORE)
    #[command(after_help = "Example: hilum dicom send PACS@pacs.example:104 /data/dicom")]
    Send {
        #[command(flatten)]
        whom: Whom,
        /// Folders of DICOM files, or single files
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
        /// How many were sent as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Whom {
    /// The application entity: its title, its host and its port
    #[arg(value_name = "AE@HOST:PORT", value_parser = peer)]
    peer: Peer,
    /// It speaks TLS
    #[arg(long)]
    tls: bool,
    /// The node that asks
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
}

fn peer(text: &str) -> Result<Peer, String> {
    let read = || {
        let (ae_title, address) = text.split_once('@')?;
        let (host, port) = address.rsplit_once(':')?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if ae_title.is_empty() || ae_title.len() > 16 || host.is_empty() {
            return None;
        }
        Some(Peer {
            ae_title: ae_title.to_owned(),
            host: host.to_owned(),
            port: port.parse().ok()?,
            tls: false,
        })
    };
    read().ok_or_else(|| "it is not an application entity such as PACS@pacs.example:104".to_owned())
}

impl Whom {
    fn open(&self) -> anyhow::Result<(Node, Requestor, Peer)> {
        let node = Node::open(&self.config)?;
        let requestor = requestor(&node.config)?;
        let mut peer = self.peer.clone();
        peer.tls = self.tls;
        Ok((node, requestor, peer))
    }
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Echo { whom } => {
            let (_, requestor, peer) = whom.open()?;
            echo(&requestor, &peer).await?;
            Ok(say(&format!("{peer} is there"))?)
        }
        Command::Send { whom, paths, json } => {
            let (node, requestor, peer) = whom.open()?;
            send::run(&node, &requestor, &peer, paths, *json).await
        }
    }
}

fn requestor(config: &Config) -> anyhow::Result<Requestor> {
    let title = config.dicom.ae_title();
    let limits = config.limits.clone();
    Ok(Requestor::new(title, client::tls(config)?, limits))
}

async fn echo(requestor: &Requestor, peer: &Peer) -> Result<(), RequestorError> {
    let mut requested = requestor.associate(peer, &[Wanted::Echo]).await?;
    requested.echo().await?;
    requested.release().await
}

/// Whether this node's own application entity answers at an address.
pub(crate) async fn echoes(config: &Config, address: SocketAddr) -> Result<(), String> {
    let is_plain = config.dicom.listen_plain == Some(address);
    let peer = Peer {
        ae_title: config.dicom.ae_title().to_owned(),
        // What certificates of this node name.
        host: match address.ip().is_loopback() {
            true => "localhost".to_owned(),
            false => address.ip().to_string(),
        },
        port: address.port(),
        tls: config.tls.is_some() && !is_plain,
    };
    let requestor = requestor(config).map_err(|error| format!("{error:#}"))?;
    match echo(&requestor, &peer).await {
        // Somebody is there who takes calls from others only.
        Ok(()) | Err(RequestorError::Rejected { .. }) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers() {
        let read = |text| peer(text).map(|peer| (peer.ae_title, peer.host, peer.port));
        let is = |title: &str, host: &str, port| Ok((title.to_owned(), host.to_owned(), port));
        assert_eq!(
            read("PACS@pacs.example:104"),
            is("PACS", "pacs.example", 104)
        );
        assert_eq!(read("A B@[::1]:11112"), is("A B", "::1", 11112));
        for wrong in ["pacs.example:104", "@x:1", "A@x", "A@:1", "A@x:70000"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
