//! `hilum unsubscribe`: cancels a subscription, by ITI-52 Document Metadata Subscribe.

use std::path::PathBuf;

use clap::Args;
use hilum_audit::{Event, Parties};
use xds_schemas::iti52_document_metadata_subscribe::{DocumentMetadataUnsubscribe, Unsubscribe};

use crate::client::{ForUser, Node};
use crate::subscribe::outcome;
use crate::terminal::say;

/// The command line.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: hilum unsubscribe https://localhost:18401/registry/subscriptions/…"
)]
pub(crate) struct Arguments {
    /// The node as which it is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The subscription, as hilum subscribe and hilum subscriptions list tell it
    #[arg(value_name = "ADDRESS")]
    address: String,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let ledger = node.ledger()?;
    let url = &arguments.address;
    let sent = node
        .client
        .send::<DocumentMetadataUnsubscribe>(url, &Unsubscribe, Vec::new());
    let answer = sent.await;
    let event = Event::unsubscribed(&Parties::asked(url), url, &outcome(&answer));
    ledger.record(event, answer).await?.into_inner()?;
    Ok(say("cancelled")?)
}
