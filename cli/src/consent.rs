//! `hilum consent`: records what a patient wishes to be done with its documents, withdraws it and shows
//! it, by ITI-108 Access Consent.

mod said;

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::{Args, Subcommand};
use hilum_audit::{ConsentUse, Event, Outcome, Parties};
use hilum_security::access::{Consent, consents_url, search_of};
use hilum_transport::HttpRequest;
use serde_json::{Value, json};
use xds_schemas::metadata::PatientId;

use crate::bearer::WithToken;
use crate::client::Node;
use crate::domain::Domain;
use crate::terminal::{Table, say, say_json, tell};
use said::Said;

/// An answer is not longer.
const MAX_BYTES: usize = 64 * 1024 * 1024;
const FHIR_JSON: &str = "application/fhir+json";

/// The command line.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record what a patient wishes
    #[command(after_help = "Examples:
  hilum consent record --patient P-1 --deny
  hilum consent record --patient P-1 --permit --organisation urn:oid:1.2.3 --until 2027-12-31
  hilum consent record --patient P-1 --deny --purpose HRESCH
  hilum consent record --patient P-1 --permit --organisation urn:oid:1.2.3 --otherwise deny")]
    Record(Box<Record>),
    /// Withdraw what a patient wished: it counts no more at the next call
    #[command(after_help = "Examples:
  hilum consent withdraw --patient P-1
  hilum consent withdraw --patient P-1 019acb…
  hilum consent withdraw --patient P-1 --all")]
    Withdraw(Withdraw),
    /// Show what a patient wishes, and wished
    #[command(after_help = "Example: hilum consent list --patient P-1 --json")]
    List(List),
}

#[derive(Debug, Args)]
struct OfPatient {
    /// The node as which it is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    token: WithToken,
    /// Whose it is: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: String,
    /// Everything that is known, as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Record {
    #[command(flatten)]
    of: OfPatient,
    #[command(flatten)]
    said: Said,
}

#[derive(Debug, Args)]
struct Withdraw {
    #[command(flatten)]
    of: OfPatient,
    /// Which consents; not needed if the patient has only one
    #[arg(value_name = "CONSENT")]
    ids: Vec<String>,
    /// All of the patient's
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    of: OfPatient,
    /// Only those of this status: active, inactive, …
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match &arguments.command {
        Command::Record(arguments) => record(arguments).await,
        Command::Withdraw(arguments) => withdraw(arguments).await,
        Command::List(arguments) => list(arguments).await,
    }
}

async fn record(arguments: &Record) -> anyhow::Result<()> {
    let desk = Desk::open(&arguments.of)?;
    let consent = arguments.said.consent(&desk.patient, SystemTime::now())?;
    let kept = desk.create(&consent).await?;
    match arguments.of.json {
        true => say_json(&kept),
        false => Ok(say(&format!("recorded {}", text(&kept["id"])))?),
    }
}

async fn withdraw(arguments: &Withdraw) -> anyhow::Result<()> {
    let desk = Desk::open(&arguments.of)?;
    let found = desk.find().await?;
    let in_force = |it: &&Value| it["status"] == "active" && !is_document(it);
    let in_force: Vec<&Value> = found.iter().filter(in_force).collect();
    let mut chosen: Vec<&Value> = Vec::new();
    for id in &arguments.ids {
        let one = found.iter().find(|it| it["id"] == id.as_str());
        let Some(one) = one else {
            bail!("the patient has no consent {id}; hilum consent list shows them");
        };
        chosen.push(one);
    }
    match (arguments.ids.is_empty(), arguments.all, &in_force[..]) {
        (false, ..) => {}
        (true, _, []) => bail!("the patient has no consent that could be withdrawn"),
        (true, true, _) | (true, false, [_]) => chosen = in_force,
        (true, false, several) => bail!(
            "the patient has {} consents; say which of them, or --all",
            several.len()
        ),
    }
    let mut kept = Vec::with_capacity(chosen.len());
    for one in chosen {
        kept.push(desk.withdraw(one).await?);
    }
    if arguments.of.json {
        return say_json(&json!({ "consents": kept }));
    }
    for one in &kept {
        say(&format!("withdrawn {}", text(&one["id"])))?;
    }
    Ok(())
}

async fn list(arguments: &List) -> anyhow::Result<()> {
    let desk = Desk::open(&arguments.of)?;
    let mut found = desk.find().await?;
    if let Some(status) = &arguments.status {
        found.retain(|it| it["status"] == status.as_str());
    }
    if arguments.of.json {
        return say_json(&json!({ "consents": found }));
    }
    let mut table = Table::new(&["CONSENT", "STATUS", "GIVEN", "WISH"]);
    for one in &found {
        let meant = Consent::from_fhir(one.to_string().as_bytes());
        let wish = meant.map_or_else(|error| error.to_string(), |it| said::in_words(&it));
        let given = text(&one["dateTime"]).chars().take(10).collect();
        table.row(vec![text(&one["id"]), text(&one["status"]), given, wish]);
    }
    if table.is_empty() {
        tell("there are no consents");
        return Ok(());
    }
    Ok(say(&table.text())?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Whether a consent is a document that acknowledges a policy: it is withdrawn with the document.
fn is_document(resource: &Value) -> bool {
    text(&resource["id"]).starts_with("bppc-")
}

/// A registry, and the patient whose consents are meant.
struct Desk {
    node: Node,
    token: WithToken,
    url: String,
    patient: PatientId,
}

impl Desk {
    fn open(of: &OfPatient) -> anyhow::Result<Self> {
        let node = Node::open(&of.config)?;
        let patient = Domain::of(&node.config)?.patient(&of.patient)?;
        let url = consents_url(&node.registry()?);
        // A token that cannot be used is seen before anything is recorded.
        of.token.headers(Vec::new())?;
        Ok(Self {
            node,
            token: of.token.clone(),
            url,
            patient,
        })
    }

    async fn create(&self, consent: &Consent) -> anyhow::Result<Value> {
        let body = consent.to_fhir();
        let answer = self.ask("POST", &self.url, None, body).await;
        self.used(ConsentUse::Create, None, answer).await
    }

    async fn withdraw(&self, consent: &Value) -> anyhow::Result<Value> {
        let id = text(&consent["id"]);
        let mut changed = consent.clone();
        changed["status"] = json!("inactive");
        let version = text(&consent["meta"]["versionId"]);
        let expected = format!("W/\"{version}\"");
        let url = format!("{}/{id}", self.url);
        let answer = self
            .ask("PUT", &url, Some(expected), changed.to_string())
            .await;
        self.used(ConsentUse::Update, Some(&id), answer).await
    }

    async fn find(&self) -> anyhow::Result<Vec<Value>> {
        let query = search_of(&self.patient);
        let url = format!("{}?{query}", self.url);
        let answer = self.ask("GET", &url, None, String::new()).await;
        let patient = self.patient.to_string();
        let parties = Parties::asked(&self.url);
        let event = Event::consents_queried(&parties, Some(&patient), &query, &outcome(&answer));
        let ledger = self.node.ledger()?;
        let bundle = ledger.record(event, answer).await?.into_inner()?;
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        let resources = entries.into_iter().map(|mut it| it["resource"].take());
        Ok(resources
            .filter(|it| it["resourceType"] == "Consent")
            .collect())
    }

    /// Records that something was done, and gives what was answered.
    async fn used(
        &self,
        what: ConsentUse,
        id: Option<&str>,
        answer: anyhow::Result<Value>,
    ) -> anyhow::Result<Value> {
        let answered = answer.as_ref().ok();
        let answered = answered.map(|resource| text(&resource["id"]));
        let id = answered.as_deref().or(id);
        let name = id.map(|id| format!("Consent/{id}"));
        let patient = self.patient.to_string();
        let event = Event::consent_used(
            what,
            &Parties::asked(&self.url),
            Some(&patient),
            name.as_deref(),
            &[],
            &outcome(&answer),
        );
        self.node
            .ledger()?
            .record(event, answer)
            .await?
            .into_inner()
    }

    async fn ask(
        &self,
        method: &str,
        url: &str,
        expected: Option<String>,
        body: String,
    ) -> anyhow::Result<Value> {
        let mut headers = vec![("accept", FHIR_JSON.to_owned())];
        if !body.is_empty() {
            headers.push(("content-type", FHIR_JSON.to_owned()));
        }
        headers.extend(expected.map(|expected| ("if-match", expected)));
        let headers = self.token.headers(headers)?;
        let request = HttpRequest {
            method,
            url,
            headers: &headers,
            body: Bytes::from(body),
        };
        let answer = self.node.client.exchange_http(request, MAX_BYTES).await?;
        let said: Value = serde_json::from_slice(&answer.body)
            .with_context(|| format!("{} answered no JSON", self.url))?;
        if !(200..300).contains(&answer.status) {
            let reason = text(&said["issue"][0]["diagnostics"]);
            let (url, status) = (&self.url, answer.status);
            bail!("{url} answered with HTTP status {status}: {reason}");
        }
        Ok(said)
    }
}

fn outcome(answer: &anyhow::Result<Value>) -> Outcome {
    match answer {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.to_string()),
    }
}
