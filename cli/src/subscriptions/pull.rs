//! Pull points: getting what waits there, and removing them.

use std::path::PathBuf;

use clap::Args;
use hilum_audit::{Audit, Event, Notified, NotifiedKind, Parties};
use serde_json::{Value, json};
use xds_schemas::codes::ebrim_uuids::{document_entry, folder, object_type, submission_set};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::iti69_create_destroy_pull_point::{DestroyPullPoint, DestroyPullPointRequest};
use xds_schemas::iti70_pull_notification::{GetMessages, GetMessagesResponse, PullNotification};
use xds_schemas::wsn::NotificationMessage;

use crate::client::{ForUser, Node};
use crate::subscribe::outcome;
use crate::terminal::{say, say_json, tell};

/// Notifications that one command gets at most: as many as a pull point may keep by far.
const MOST: usize = 1_000_000;

/// Which pull point.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The node as which it is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The pull point, as hilum subscribe --pull tells it
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// One JSON object for each notification
    #[arg(long)]
    json: bool,
}

/// Gets notifications until there are none. Each is gone from the pull point when it has come.
pub(super) async fn pull(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let ledger = node.ledger()?;
    for count in 0..MOST {
        let messages = next(&node, &ledger, &arguments.address).await?.messages;
        if messages.is_empty() {
            if count == 0 {
                tell("nothing waits there");
            }
            break;
        }
        for message in &messages {
            show(message, arguments.json)?;
        }
    }
    Ok(())
}

async fn next(node: &Node, ledger: &Audit, url: &str) -> anyhow::Result<GetMessagesResponse> {
    let request = GetMessages::default();
    let sent = node
        .client
        .send::<PullNotification>(url, &request, Vec::new());
    let answer = sent.await;
    let messages = answer.as_ref().map(|it| it.response.messages.clone());
    let messages = messages.unwrap_or_default();
    let objects = || messages.iter().flat_map(NotificationMessage::objects);
    let patient = objects().find_map(patient_of);
    let told: Vec<Notified> = objects().map(notified).collect();
    let event = Event::pulled(&Parties::asked(url), patient, &told, &outcome(&answer));
    Ok(ledger.record(event, answer).await?.into_inner()?.response)
}

fn patient_of(object: &RegistryObject) -> Option<&str> {
    let schemes = [
        document_entry::PATIENT_ID,
        submission_set::PATIENT_ID,
        folder::PATIENT_ID,
    ];
    let mut found = schemes.into_iter();
    found.find_map(|scheme| object.external_identifier(scheme))
}

fn notified(object: &RegistryObject) -> Notified {
    let kind = match &object.body {
        Body::ExtrinsicObject { .. } => match object.object_type.as_deref() {
            Some(object_type::ON_DEMAND) => NotifiedKind::OnDemand,
            _ => NotifiedKind::Stable,
        },
        Body::RegistryPackage if object.is_classified_as(folder::NODE) => NotifiedKind::Folder,
        Body::RegistryPackage => NotifiedKind::SubmissionSet,
        _ => NotifiedKind::Reference,
    };
    Notified {
        kind,
        entry_uuid: object.id.clone(),
        home_community_id: object.home.clone(),
    }
}

fn show(message: &NotificationMessage, as_json: bool) -> anyhow::Result<()> {
    let topic = message
        .about
        .topic
        .as_ref()
        .map(|topic| topic.text.as_str());
    let name = |object: &RegistryObject| {
        let name = object.name.as_ref().and_then(|name| name.first());
        name.unwrap_or_default().to_owned()
    };
    if as_json {
        let objects: Vec<Value> = message
            .objects()
            .iter()
            .map(|it| json!({ "entryUUID": it.id, "kind": it.body.element_name(), "title": name(it) }))
            .collect();
        return say_json(&json!({
            "topic": topic,
            "subscription": message.about.subscription,
            "objects": objects,
        }));
    }
    for object in message.objects() {
        let line = format!("{}  {}  {}", topic.unwrap_or("-"), object.id, name(object));
        say(&crate::terminal::printable(line.trim_end()))?;
    }
    Ok(())
}

/// Removes a pull point.
pub(super) async fn discard(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let ledger = node.ledger()?;
    let url = &arguments.address;
    let request = DestroyPullPointRequest;
    let sent = node
        .client
        .send::<DestroyPullPoint>(url, &request, Vec::new());
    let answer = sent.await;
    let event = Event::pull_point_destroyed(&Parties::asked(url), url, &outcome(&answer));
    ledger.record(event, answer).await?.into_inner()?;
    Ok(say("removed")?)
}
