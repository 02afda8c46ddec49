//! `hilum query --communities --as-they-come`: what each community has, shown when it has answered.
//!
//! As with an answer in one, nothing is shown before it is recorded: that there is an answer, before the first
//! message; how the whole ended, before the last.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hilum_audit::{Audit, Outcome};
use hilum_transport::ClientError;
use serde_json::json;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::{AdhocQueryRequest, AdhocQueryResponse};
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::transaction::Transaction;

use super::{Found, Question, event, refused};
use crate::client::{Node, outcome_of};
use crate::refusal::{self, By};
use crate::terminal::{Table, printable, say};

/// Asks the gateway, and shows what comes.
pub(super) async fn run(
    node: &Node,
    ledger: &Audit,
    question: &Question,
    as_json: bool,
) -> anyhow::Result<()> {
    match question.is_of_several_patients() {
        false => show::<RegistryStoredQuery>(node, ledger, question, as_json).await,
        true => show::<MultiPatientStoredQuery>(node, ledger, question, as_json).await,
    }
}

async fn show<T>(
    node: &Node,
    ledger: &Audit,
    question: &Question,
    as_json: bool,
) -> anyhow::Result<()>
where
    T: Transaction<Request = AdhocQueryRequest, Response = AdhocQueryResponse>,
{
    let record = Record {
        ledger,
        question,
        url: node.registry()?,
    };
    let began = Instant::now();
    let asking = node
        .client
        .send_for_several::<T>(&record.url, &question.request);
    let mut coming = match asking.await {
        Ok(coming) => coming,
        Err(error) => return record.failed(error).await,
    };
    let mut given = BTreeMap::new();
    loop {
        let (community, response) = match coming.next().await {
            Ok(Some(message)) => message,
            // Behind the last message nothing is waited for.
            Ok(None) => return Ok(()),
            Err(error) => return record.failed(error).await,
        };
        let outcome = match (&community, outcome_of(response.status, &response.errors)) {
            (Some(_), _) if given.is_empty() => Some(Outcome::Success),
            (Some(_), _) => None,
            (None, outcome) if given.is_empty() => Some(outcome),
            // That there was an answer is recorded.
            (None, Outcome::Success) => None,
            (None, Outcome::Partial(why)) => Some(Outcome::Failure(why)),
            (None, outcome) => Some(outcome),
        };
        if let Some(outcome) = outcome {
            record.ended(&outcome).await?;
        }
        let after = began.elapsed();
        let Some(community) = community else {
            return end(&given, &response, as_json);
        };
        show_one(&community, &response, after, as_json)?;
        let given = given.entry(community).or_insert_with(Given::default);
        given.add(&response, after);
    }
}

/// Where it is recorded what was asked, and of whom.
struct Record<'a> {
    ledger: &'a Audit,
    question: &'a Question,
    url: String,
}

impl Record<'_> {
    async fn ended(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let event = event(self.question, &self.url, outcome);
        self.ledger.record(event, ()).await?.into_inner();
        Ok(())
    }

    async fn failed(&self, error: ClientError) -> anyhow::Result<()> {
        self.ended(&Outcome::Failure(error.to_string())).await?;
        Err(error.into())
    }
}

/// What a community gave, in one message or several.
#[derive(Default)]
struct Given {
    objects: usize,
    after: Duration,
    is_partial: bool,
}

impl Given {
    fn add(&mut self, response: &AdhocQueryResponse, after: Duration) {
        self.objects += response.objects.len();
        self.after = after;
        self.is_partial |= response.status != ResponseStatus::Success;
    }

    const fn status(&self) -> ResponseStatus {
        match self.is_partial {
            true => ResponseStatus::PartialSuccess,
            false => ResponseStatus::Success,
        }
    }
}

/// Shows what one community has.
fn show_one(
    community: &str,
    response: &AdhocQueryResponse,
    after: Duration,
    as_json: bool,
) -> anyhow::Result<()> {
    let found = Found::read(&response.objects);
    if as_json {
        let mut line = found.json();
        line["community"] = json!(community);
        line["seconds"] = json!(after.as_secs_f64());
        line["status"] = json!(refusal::word(response.status));
        line["errors"] = refusal::json(&response.errors);
        return Ok(say(&line.to_string())?);
    }
    match found.is_empty() {
        true => Ok(()),
        false => Ok(say(&format!(
            "{}\n{}\n",
            printable(community),
            found.text()
        ))?),
    }
}

/// Shows how the whole ended: who gave how much and when, and who gave nothing. A gateway that answers in one
/// message gives everything with it.
fn end(
    given: &BTreeMap<String, Given>,
    last: &AdhocQueryResponse,
    as_json: bool,
) -> anyhow::Result<()> {
    let found = Found::read(&last.objects);
    if as_json {
        let communities = given.iter().map(|(home, it)| {
            json!({
                "community": home,
                "objects": it.objects,
                "seconds": it.after.as_secs_f64(),
                "status": refusal::word(it.status()),
            })
        });
        let mut line = found.json();
        line["communities"] = communities.collect();
        line["status"] = json!(refusal::word(last.status));
        line["errors"] = refusal::json(&last.errors);
        say(&line.to_string())?;
        return Ok(refused(By::Gateway, last)?);
    }
    if !found.is_empty() {
        say(&found.text())?;
    } else if given.values().all(|it| it.objects == 0) && last.status != ResponseStatus::Failure {
        crate::terminal::tell("nothing is found");
    }
    let mut table = Table::new(&["COMMUNITY", "OBJECTS", "SECONDS", "STATUS"]);
    for (home, it) in given {
        table.row(vec![
            home.clone(),
            it.objects.to_string(),
            format!("{:.1}", it.after.as_secs_f64()),
            refusal::word(it.status()).to_owned(),
        ]);
    }
    let errors = last.errors.iter();
    // What is wrong with the question is located otherwise, as by a parameter's name.
    let silent = errors.filter_map(|error| Some((error.location.as_ref()?, error)));
    let silent = silent.filter(|(home, _)| home.starts_with("urn:oid:"));
    for (home, error) in silent.filter(|(home, _)| !given.contains_key(*home)) {
        let code = error.code.to_string();
        table.row(vec![home.clone(), String::new(), String::new(), code]);
    }
    if !table.is_empty() {
        say(&table.text())?;
    }
    Ok(refused(By::Gateway, last)?)
}
