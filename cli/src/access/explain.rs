//! `hilum access explain`: one decision, and how it came about.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, bail};
use clap::Args;
use hilum_repository::Consents;
use hilum_security::access::{Asking, Consent, Described, Explained, Policy, Wish};
use serde_json::json;
use xds_schemas::iti18_registry_stored_query::StoredQuery;

use super::hypothesis::{Asked, What, Who};
use crate::client::Node;
use crate::config::ConfigError;
use crate::domain::Domain;
use crate::query::{self, Question};
use crate::status::Usage;
use crate::terminal::{Table, printable, say, say_json};

pub(super) const NOTES: &str = "\
The document is one that is registered (--document), or one that might be. Consents are those of its
patient, as the registry has them, unless files are given (--consent).

Examples:
  hilum access explain --user curie --role researcher --purpose HRESCH --document 1.2.3.4.5
  hilum access explain --user welby --role physician --purpose TREAT \\
    --confidentiality R^^2.16.840.1.113883.5.25 --patient P-1 --json
  hilum access explain --node \"CN=viewer.example, O=Clinic\" --collection lung-screening
  hilum access explain --permission provide --node \"AE CT1\" --collection lung-screening

Handing in (provide, register) takes the level full, a subscription (subscribe) whatever is above nothing.";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The node whose rules decide
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    /// What is to be done
    #[arg(long, value_enum, default_value = "retrieve")]
    permission: Asked,
    /// A document that is registered, by its uniqueId or entryUUID
    #[arg(long, value_name = "ID")]
    document: Option<String>,
    /// A FHIR Consent instead of what the registry has; may be repeated
    #[arg(long, value_name = "FILE")]
    consent: Vec<PathBuf>,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    who: Who,
    #[command(flatten)]
    what: What,
}

pub(super) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?;
    let file = node.config.rules_file()?;
    let file = file.ok_or_else(|| {
        ConfigError("access.rules: there are none, so everybody gets everything".to_owned())
    })?;
    let policy = file.read()?;
    let domain = Domain::of(&node.config)?;
    let known = match &arguments.document {
        Some(id) => registered(&node, id).await?,
        None => Described::default(),
    };
    let document = arguments.what.describe(&domain, known)?;
    let caller = arguments.who.caller(&domain)?;
    let consents = consents(arguments, &node, &policy, &document).await?;
    let asking = Asking {
        caller: &caller,
        permission: arguments.permission.permission(),
        now: SystemTime::now(),
    };
    let explained = policy.explain(&asking, &document, &consents);
    match arguments.json {
        true => say_json(&as_json(&explained)),
        false => in_words(&explained),
    }
}

async fn registered(node: &Node, id: &str) -> anyhow::Result<Described> {
    let question = Question::from(&StoredQuery::GetDocuments(query::name(id)));
    let found = query::find(node, &node.ledger()?, &question).await?;
    match found.documents.as_slice() {
        [] => bail!("the registry has no document {}", printable(id)),
        [entry] => Ok(Described::of(entry)),
        _ => bail!("there are several documents {}", printable(id)),
    }
}

async fn consents(
    arguments: &Arguments,
    node: &Node,
    policy: &Policy,
    document: &Described,
) -> anyhow::Result<Vec<Consent>> {
    if !arguments.consent.is_empty() {
        let read = |file: &PathBuf| {
            let shown = file.display().to_string();
            let bytes = std::fs::read(file);
            let bytes =
                bytes.map_err(|error| Usage(format!("{shown}: cannot be read: {error}")))?;
            Consent::from_fhir(&bytes).context(shown)
        };
        return arguments.consent.iter().map(read).collect();
    }
    match &document.patient_id {
        Some(patient) if policy.heeds_consents() => {
            let consents = Consents::of(node.client.clone(), &node.registry()?);
            Ok(consents.find(patient).await?)
        }
        _ => Ok(Vec::new()),
    }
}

const fn wish(wish: Wish) -> &'static str {
    match wish {
        Wish::Permit => "permits it",
        Wish::Deny => "denies it",
    }
}

fn as_json(explained: &Explained) -> serde_json::Value {
    let considered = explained
        .considered
        .iter()
        .map(|it| json!({ "rule": it.rule, "line": it.line, "because": it.because }));
    let consent = explained.consent.as_ref().map(|(id, of)| {
        let word = match of {
            Wish::Permit => "permit",
            Wish::Deny => "deny",
        };
        json!({ "id": id, "wish": word })
    });
    json!({
        "level": explained.decision.level.as_str(),
        "rule": &*explained.decision.rule,
        "glassBroken": explained.decision.glass_broken,
        "consent": consent,
        "considered": considered.collect::<Vec<_>>(),
    })
}

fn in_words(explained: &Explained) -> anyhow::Result<()> {
    let decision = &explained.decision;
    say(&format!("level  {}", decision.level.as_str()))?;
    say(&format!("rule   {}", printable(&decision.rule)))?;
    if let Some((id, of)) = &explained.consent {
        say(&format!("       consent {} {}", printable(id), wish(*of)))?;
    }
    if decision.glass_broken {
        say("       by breaking the glass, which raises an alert")?;
    }
    if !explained.considered.is_empty() {
        let mut table = Table::new(&["LINE", "RULE", "BECAUSE"]);
        for it in &explained.considered {
            table.row(vec![
                it.line.to_string(),
                printable(&it.rule),
                it.because.clone(),
            ]);
        }
        say("")?;
        say(table.text().trim_end())?;
    }
    Ok(())
}
