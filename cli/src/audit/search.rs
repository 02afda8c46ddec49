//! `hilum audit search`: asks an Audit Record Repository for events (ITI-81).

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use hilum_audit::event::AuditLogUse;
use hilum_audit::{Event, Outcome, Parties};
use hilum_transport::{HttpRequest, shown};
use serde_json::Value;

use crate::bearer::WithToken;
use crate::client::Node;
use crate::config::ConfigError;
use crate::terminal::{Table, output, printable, say, tell};

/// Bytes of one page.
const PAGE_BYTES: usize = 256 * 1024 * 1024;
/// Events of one page.
const PAGE: usize = 500;

const NOTES: &str = "\
Dates may be years, months, days or times: 2026, 2026-11-27, 2026-11-27T09:30Z. A patient is given as
ID^^^&OID&ISO, as urn:oid:OID|ID, or by the ID alone.

Examples:
  hilum audit search --patient '12^^^&1.2.3&ISO' --from 2026-11-01
  hilum audit search --user alice --transaction ITI-43 --json";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct Arguments {
    /// The node
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    token: WithToken,
    /// Events about this patient
    #[arg(long, value_name = "ID")]
    patient: Option<String>,
    /// Events that happened then or later
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Events that happened then or earlier
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Events in which somebody took part with this id, or with this in the name
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Events of this transaction, as ITI-18
    #[arg(long, value_name = "CODE")]
    transaction: Option<String>,
    /// Events of this type, as 110113 for security alerts, or `unreadable`
    #[arg(long = "type", value_name = "CODE")]
    kind: Option<String>,
    /// Events that ended so: 0, 4, 8 or 12
    #[arg(long, value_name = "CODE")]
    outcome: Option<String>,
    /// Events about this document, study or other object
    #[arg(long, value_name = "ID")]
    object: Option<String>,
    /// Events in which somebody took part at an address with this in it
    #[arg(long, value_name = "TEXT")]
    address: Option<String>,
    /// At most so many, the last of them
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: usize,
    /// One AuditEvent of FHIR a line
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn query(&self) -> String {
        let date =
            |prefix: &str, date: &Option<String>| date.as_ref().map(|it| format!("{prefix}{it}"));
        let from = date("ge", &self.from).or_else(|| Some("ge1970".to_owned()));
        let count = Some(self.limit.min(PAGE).to_string());
        let values = [
            ("date", from),
            ("date", date("le", &self.to)),
            ("patient.identifier", self.patient.as_deref().map(escaped)),
            ("user", self.user.as_deref().map(escaped)),
            ("subtype", self.transaction.clone()),
            ("type", self.kind.clone()),
            ("outcome", self.outcome.clone()),
            ("entity.identifier", self.object.as_deref().map(escaped)),
            ("address", self.address.as_deref().map(escaped)),
            ("_sort", Some("-date".to_owned())),
            ("_count", count),
        ];
        let values = values
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let values: Vec<String> = values
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        values.join("&")
    }
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?;
    let base = node.config.audit_repository_url();
    let missing = || ConfigError("audit.url: it is needed to know where to ask".to_owned());
    let endpoint = format!("{}/fhir/AuditEvent", base.ok_or_else(missing)?);
    let accept = ("accept", "application/fhir+json".to_owned());
    let headers = arguments.token.headers(vec![accept])?;
    let ledger = node.ledger()?;
    let query = arguments.query();
    let url = format!("{endpoint}?{query}");
    let found = events(&node, &url, &headers, arguments.limit).await;
    let outcome = match &found {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let parties = Parties::asked(&endpoint);
    let how = AuditLogUse::RetrieveAuditEvent;
    let event = Event::audit_log_used(how, &parties, &endpoint, Some(&query), &outcome);
    let found = ledger.record(event, found).await?.into_inner()?;
    match arguments.json {
        true => lines(&found.events),
        false => table(&found),
    }
}

/// What was found, the newest first, and how much there is in all.
struct Found {
    events: Vec<Value>,
    total: u64,
}

async fn events(
    node: &Node,
    url: &str,
    headers: &[(&'static str, String)],
    limit: usize,
) -> anyhow::Result<Found> {
    let (mut url, mut events) = (url.to_owned(), Vec::new());
    loop {
        let request = HttpRequest {
            method: "GET",
            url: &url,
            headers,
            body: Default::default(),
        };
        let answer = node.client.exchange_http(request, PAGE_BYTES).await?;
        let page: Value = serde_json::from_slice(&answer.body).with_context(|| {
            format!("{}: HTTP status {} and no FHIR", shown(&url), answer.status)
        })?;
        if answer.status != 200 {
            let why = page["issue"][0]["diagnostics"].as_str().unwrap_or_default();
            bail!(
                "it answered with HTTP status {}: {}",
                answer.status,
                printable(why)
            );
        }
        for entry in page["entry"].as_array().into_iter().flatten() {
            match entry["search"]["mode"].as_str() {
                Some("outcome") => warn(&entry["resource"]),
                _ => events.push(entry["resource"].clone()),
            }
        }
        let links = page["link"].as_array().into_iter().flatten();
        let next = links.filter(|link| link["relation"] == "next");
        let next = next.filter_map(|link| link["url"].as_str()).next();
        match next {
            Some(next) if events.len() < limit => url = next.to_owned(),
            _ => {
                events.truncate(limit);
                let total = page["total"].as_u64().unwrap_or_default();
                return Ok(Found { events, total });
            }
        }
    }
}

fn warn(outcome: &Value) {
    for issue in outcome["issue"].as_array().into_iter().flatten() {
        let text = issue["diagnostics"].as_str().unwrap_or_default();
        tell(&printable(text));
    }
}

fn lines(events: &[Value]) -> anyhow::Result<()> {
    let mut out = output();
    for event in events.iter().rev() {
        writeln!(out, "{event}")?;
    }
    Ok(out.flush()?)
}

fn table(found: &Found) -> anyhow::Result<()> {
    if found.events.is_empty() {
        return Ok(say("nothing was found")?);
    }
    let head = [
        "time",
        "outcome",
        "event",
        "transaction",
        "who",
        "patient",
        "objects",
    ];
    let mut table = Table::new(&head);
    for event in found.events.iter().rev() {
        table.row(cells(event));
    }
    say(&table.text())?;
    let (shown, total) = (found.events.len(), found.total);
    if (shown as u64) < total {
        say(&format!("the last {shown} of {total}; --limit gives more"))?;
    }
    Ok(())
}

fn cells(event: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let either = |first: &Value, second: &Value| match first.as_str() {
        Some(first) => first.to_owned(),
        None => text(second),
    };
    let all = |name: &str| event[name].as_array().cloned().unwrap_or_default();
    let who = all("agent")
        .iter()
        .map(called)
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>();
    let is_patient = |entity: &Value| entity["what"]["type"] == "Patient";
    let identified = |entity: &Value| {
        let what = &entity["what"];
        either(&what["identifier"]["value"], &what["reference"])
    };
    let (patients, others): (Vec<Value>, Vec<Value>) =
        all("entity").into_iter().partition(is_patient);
    let joined = |entities: &[Value]| {
        let ids = entities.iter().map(identified).filter(|id| !id.is_empty());
        ids.collect::<Vec<_>>().join(" ")
    };
    vec![
        text(&event["recorded"]),
        text(&event["outcome"]),
        either(&event["type"]["display"], &event["type"]["code"]),
        text(&event["subtype"][0]["code"]),
        who.join(" > "),
        joined(&patients),
        joined(&others),
    ]
}

/// How somebody who took part is called: by name, by id unless it says nothing, by address.
fn called(agent: &Value) -> String {
    let who = &agent["who"];
    let id = who["identifier"]["value"].as_str();
    let id = id.filter(|id| !id.ends_with("/anonymous"));
    let name = agent["name"].as_str().or(id).or(who["reference"].as_str());
    let name = name
        .or(who["display"].as_str())
        .or(agent["network"]["address"].as_str());
    name.unwrap_or_default().to_owned()
}

/// A comma would separate values, and a backslash is what keeps it from that.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(',', "\\,")
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                out.push(char::from(byte));
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
