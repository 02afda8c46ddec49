//! What is in the inbox, and what one submission says.

use hilum_audit::{Event, InboxUse, Outcome, Parties};
use serde_json::{Value, json};
use xds_schemas::ebrim::InternationalString;
use xds_schemas::inbox::{ListInbox, ListRequest, PAGE, Received};

use super::{Common, Show, fetching, folder};
use crate::client::Node;
use crate::terminal::{Table, printable, say, say_json, tell};

/// Pages that are asked for: more than any inbox has.
const MOST_PAGES: usize = 10_000;

pub(super) async fn run(common: &Common) -> anyhow::Result<()> {
    let submissions = list(&Node::open(&common.config)?.for_user(&common.user)?).await?;
    if common.json {
        let submissions: Vec<Value> = submissions.iter().map(json).collect();
        return say_json(&json!({ "submissions": submissions }));
    }
    let head = [
        "RECEIVED",
        "FROM",
        "TITLE",
        "PATIENT THERE",
        "FOR",
        "DOCUMENTS",
        "BYTES",
        "UNIQUE ID",
    ];
    let mut table = Table::new(&head);
    for one in submissions {
        table.row(vec![
            one.time,
            one.sender,
            one.title.unwrap_or_default(),
            one.patient_id.unwrap_or_default(),
            one.intended_recipients.join(", "),
            one.documents.to_string(),
            one.bytes.to_string(),
            one.unique_id,
        ]);
    }
    say(&table.text())?;
    if table.is_empty() {
        tell("the inbox is empty");
    }
    Ok(())
}

/// Every page of the inbox.
async fn list(node: &Node) -> anyhow::Result<Vec<Received>> {
    let url = node.recipient()?;
    let ledger = node.ledger()?;
    let mut submissions = Vec::new();
    for page in 0..MOST_PAGES {
        let request = ListRequest { skip: page * PAGE };
        let answer = node.client.send::<ListInbox>(&url, &request, Vec::new());
        let answer = answer.await;
        let outcome = match &answer {
            Ok(_) => Outcome::Success,
            Err(error) => Outcome::Failure(error.to_string()),
        };
        let event = Event::inbox_used(&Parties::asked(&url), InboxUse::Listed, &outcome);
        let response = ledger.record(event, answer).await?.into_inner()?.response;
        let last = response.submissions.len() < PAGE;
        submissions.extend(response.submissions);
        if last {
            break;
        }
    }
    Ok(submissions)
}

fn json(one: &Received) -> Value {
    json!({
        "uniqueId": one.unique_id,
        "received": one.time,
        "sender": one.sender,
        "homeCommunityId": one.home_community_id,
        "sourceId": one.source_id,
        "patientId": one.patient_id,
        "title": one.title,
        "intendedRecipient": one.intended_recipients,
        "limitedMetadata": one.limited_metadata,
        "documents": one.documents,
        "bytes": one.bytes,
    })
}

pub(super) async fn show(arguments: &Show) -> anyhow::Result<()> {
    let node = Node::open(&arguments.common.config)?.for_user(&arguments.common.user)?;
    let ledger = node.ledger()?;
    let fetched = fetching::fetch(&node, &ledger, &arguments.unique_id).await?;
    if let Some(out) = &arguments.out {
        folder(out)?;
        fetched.keep(out)?;
    }
    let submission = &fetched.submission;
    let text = |text: Option<&InternationalString>| {
        text.and_then(InternationalString::first).map(str::to_owned)
    };
    if arguments.common.json {
        let documents = submission.document_entries.iter().map(|entry| {
            json!({
                "uniqueId": entry.unique_id.as_str(),
                "title": text(entry.title.as_ref()),
                "mimeType": entry.mime_type,
                "size": entry.size,
                "hash": entry.hash,
                "file": entry.uri,
                "patientId": entry.patient_id.as_ref().map(ToString::to_string),
                "sourcePatientId": entry.source_patient_id.as_ref().map(ToString::to_string),
                "sourcePatientInfo": entry.source_patient_info,
            })
        });
        return say_json(&json!({
            "uniqueId": arguments.unique_id,
            "title": text(submission.submission_set.title.as_ref()),
            "documents": documents.collect::<Vec<_>>(),
            "problems": fetched.problems,
        }));
    }
    let mut table = Table::new(&[
        "TITLE",
        "MIME TYPE",
        "SIZE",
        "PATIENT THERE",
        "FILE",
        "UNIQUE ID",
    ]);
    for entry in &submission.document_entries {
        let there = entry
            .source_patient_id
            .as_ref()
            .or(entry.patient_id.as_ref());
        table.row(vec![
            text(entry.title.as_ref()).unwrap_or_default(),
            entry.mime_type.clone(),
            entry.size.map(|size| size.to_string()).unwrap_or_default(),
            there.map(ToString::to_string).unwrap_or_default(),
            entry.uri.clone().unwrap_or_default(),
            entry.unique_id.to_string(),
        ]);
    }
    say(&table.text())?;
    let info = submission.document_entries.iter();
    let mut info: Vec<&String> = info.flat_map(|entry| &entry.source_patient_info).collect();
    info.dedup();
    for line in info {
        say(&printable(line))?;
    }
    for problem in &fetched.problems {
        tell(&format!("remark: {}", printable(problem)));
    }
    Ok(())
}
