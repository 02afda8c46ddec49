//! `hilum subscribe`: asks to be told of what is registered, by ITI-52 Document Metadata Subscribe.

use std::path::PathBuf;

use clap::Args;
use hilum_audit::{Audit, Event, Outcome, Parties, Subscribing};
use hilum_transport::{Answer, ClientError};
use serde_json::json;
use xds_schemas::ebrim::Slot;
use xds_schemas::iti52_document_metadata_subscribe::filter::FilterKind;
use xds_schemas::iti52_document_metadata_subscribe::topic::Subject;
use xds_schemas::iti52_document_metadata_subscribe::{
    AdhocQuery, DocumentMetadataSubscribe, Subscribe, SubscriptionFilter, TerminationTime, Topic,
};
use xds_schemas::iti69_create_destroy_pull_point::{CreatePullPoint, CreatePullPointRequest};
use xds_schemas::xml::{ToXml, Writer};

use crate::client::{ForUser, Node};
use crate::domain::Domain;
use crate::status::Usage;
use crate::terminal::{say, say_json};

const NOTES: &str = "\
Topics are FullDocumentEntry, MinimalDocumentEntry, SubmissionSetMetadata, FolderMetadata,
ExtendedFullDocumentEntry, ExtendedMinimalDocumentEntry, UpdateFolder and ExtendedFolder. Filters are
parameters of the stored queries of ITI-18; without --patient, they must narrow down otherwise.

Examples:
  hilum subscribe --patient P-1 --consumer https://viewer.example:8443/notify
  hilum subscribe --patient P-1 --pull
  hilum subscribe --pull --topic FullDocumentEntry --until P7D \\
    -p \"\\$XDSDocumentEntryClassCode=('IMAGES^^1.3.6.1.4.1.19376.1.2.6.1')\"";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// The node whose registry is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// Whose objects: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Of what to be told
    #[arg(long, value_name = "TOPIC", default_value = "MinimalDocumentEntry")]
    topic: String,
    /// A parameter of the filter, written as it travels
    #[arg(short, long = "parameter", value_name = "$NAME=VALUE")]
    parameter: Vec<String>,
    /// Whom to tell: an address that takes ITI-53, or a pull point
    #[arg(long, value_name = "URL", required_unless_present = "pull")]
    consumer: Option<String>,
    /// Have notifications kept in a new pull point
    #[arg(long, conflicts_with = "consumer")]
    pull: bool,
    /// Until when: 2027-01-31T00:00:00Z, or for how long: P7D, PT1H
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let (topic, query, filter) = filter(arguments, &node)?;
    let ledger = node.ledger()?;
    let pull_point = match arguments.pull {
        true => Some(create_pull_point(&node, &ledger).await?),
        false => None,
    };
    let consumer = pull_point.clone().or_else(|| arguments.consumer.clone());
    let mut request = Subscribe::new(consumer.unwrap_or_default(), topic, query);
    let until = arguments.until.clone();
    request.initial_termination_time = until.map(TerminationTime::At);
    let response = subscribe(&node, &ledger, &request, &filter).await?.response;
    if arguments.json {
        return say_json(&json!({
            "subscription": response.subscription,
            "pull_point": pull_point,
            "terminates": response.termination_time,
        }));
    }
    if let Some(pull_point) = pull_point {
        say(&format!("pull point    {pull_point}"))?;
    }
    let terminates = response.termination_time.as_deref().unwrap_or("never");
    say(&format!(
        "subscription  {}\nuntil         {terminates}",
        response.subscription
    ))?;
    Ok(())
}

/// Topic and filter as they are asked for. What the registry would refuse is said at once.
fn filter(
    arguments: &Arguments,
    node: &Node,
) -> anyhow::Result<(Topic, AdhocQuery, SubscriptionFilter)> {
    let name = arguments.topic.strip_prefix("ihe:");
    let name = name.unwrap_or(&arguments.topic);
    let topic = Topic::parse(&format!("ihe:{name}"))
        .ok_or_else(|| Usage(format!("{name:?} is no topic; see hilum subscribe --help")))?;
    let patient = arguments.patient.as_deref();
    let (kind, slot) = match (topic.subject(), patient) {
        (Subject::DocumentEntry, Some(_)) => {
            (FilterKind::DocumentEntry, "$XDSDocumentEntryPatientId")
        }
        (Subject::DocumentEntry, None) => (FilterKind::DocumentEntryOfAnybody, ""),
        (Subject::SubmissionSet, Some(_)) => {
            (FilterKind::SubmissionSet, "$XDSSubmissionSetPatientId")
        }
        (Subject::SubmissionSet, None) => (FilterKind::SubmissionSetOfAnybody, ""),
        (Subject::Folder, _) => (FilterKind::Folder, "$XDSFolderPatientId"),
    };
    let mut query = AdhocQuery {
        id: kind.id().to_owned(),
        slots: Vec::new(),
    };
    if let Some(patient) = patient {
        let patient = Domain::of(&node.config)?.patient(patient)?.to_string();
        let quoted = format!("'{}'", patient.replace('\'', "''"));
        query.slots.push(Slot::single(slot, quoted));
    }
    for parameter in &arguments.parameter {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| Usage(format!("{parameter:?} is not $NAME=VALUE")))?;
        query.slots.push(Slot::single(name, value));
    }
    let filter = SubscriptionFilter::read(topic, &query).map_err(Usage)?;
    Ok((topic, query, filter))
}

async fn create_pull_point(node: &Node, ledger: &Audit) -> anyhow::Result<String> {
    let url = node.registry()?;
    let request = CreatePullPointRequest;
    let sent = node
        .client
        .send::<CreatePullPoint>(&url, &request, Vec::new());
    let answer = sent.await;
    let address = answer.as_ref().map(|it| it.response.pull_point.clone());
    let address = address.unwrap_or_else(|_| url.clone());
    let event = Event::pull_point_created(&Parties::asked(&url), &address, &outcome(&answer));
    ledger.record(event, answer).await?.into_inner()?;
    Ok(address)
}

async fn subscribe(
    node: &Node,
    ledger: &Audit,
    request: &Subscribe,
    filter: &SubscriptionFilter,
) -> anyhow::Result<Answer<xds_schemas::iti52_document_metadata_subscribe::SubscribeResponse>> {
    let url = node.registry()?;
    let sent = node
        .client
        .send::<DocumentMetadataSubscribe>(&url, request, Vec::new());
    let answer = sent.await;
    let mut written = Writer::with_capacity(1024);
    request.to_xml(&mut written);
    let patient = filter.patient.as_ref().map(ToString::to_string);
    let what = Subscribing {
        reference: answer.as_ref().ok().map(|it| &*it.response.subscription),
        patient: patient.as_deref(),
        filter: request.filter.queries.first().map(|query| &*query.id),
        request: &written.finish(),
    };
    let event = Event::subscribed(&Parties::asked(&url), what, &outcome(&answer));
    Ok(ledger.record(event, answer).await?.into_inner()?)
}

/// How a call ended, for its record.
pub(crate) fn outcome<T>(answer: &Result<T, ClientError>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.to_string()),
    }
}
