//! `hilum query`: asks the registry by ITI-18 Registry Stored Query, or by ITI-51 where a query is
//! one of several patients.

mod answer;
mod arguments;
mod asking;
mod choices;
mod json;
mod parameters;
mod question;
mod streaming;

use hilum_audit::{Audit, Event, Outcome, Parties, Query};
use hilum_transport::Answer;
use serde_json::json;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::iti18_registry_stored_query::RegistryStoredQuery;
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;

use crate::client::{Node, outcome};
use crate::domain::Domain;
use crate::refusal::{self, By, Refused, judge};
use crate::status::Usage;
use crate::terminal::{say, say_json, tell};

pub(crate) use answer::Found;
pub(crate) use arguments::Arguments;
use arguments::Which;
pub(crate) use asking::name;
pub(crate) use question::Question;

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(Which::Parameters(asked)) = &arguments.which {
        return parameters::list(asked.word.as_deref(), arguments.common.json);
    }
    let common = &arguments.common;
    let node = Node::open(&common.config)?.for_user(&common.user)?;
    let node = node.asking(&common.asked);
    let question = asking::question(arguments, &Domain::of(&node.config)?)?;
    let ledger = node.ledger()?;
    if common.as_they_come {
        if !common.asked.are_communities() {
            let problem = "--as-they-come goes with --communities: one registry answers at once";
            return Err(Usage::new(problem).into());
        }
        return streaming::run(&node, &ledger, &question, common.json).await;
    }
    let answer = ask(&node, &ledger, &question).await?;
    let response = &answer.response;
    let refused = refused(node.answered_by(), response);
    if arguments.common.xml {
        say(&String::from_utf8_lossy(&answer.envelope))?;
        return Ok(refused?);
    }
    let found = Found::read(&response.objects);
    if arguments.common.json {
        let mut whole = found.json();
        whole["status"] = json!(refusal::word(response.status));
        whole["errors"] = refusal::json(&response.errors);
        say_json(&whole)?;
    } else if response.status != ResponseStatus::Failure {
        say(&found.text())?;
        if found.is_empty() {
            tell("nothing is found");
        }
    }
    Ok(refused?)
}

/// Fails if not everything could be answered.
fn refused(by: By, response: &AdhocQueryResponse) -> Result<(), Refused> {
    let what = match response.status {
        ResponseStatus::PartialSuccess => "not everything could be answered",
        _ => by.refused_the_query(),
    };
    let judged = judge(response.status, &response.errors, what);
    judged.map_err(|refused| refused.by(by))
}

/// Asks the registry, and records that it was asked before anybody sees the answer.
pub(crate) async fn ask(
    node: &Node,
    ledger: &Audit,
    question: &Question,
) -> anyhow::Result<Answer<AdhocQueryResponse>> {
    let url = node.registry()?;
    let request = &question.request;
    let answer = match question.is_of_several_patients() {
        false => {
            let sent = node
                .client
                .send::<RegistryStoredQuery>(&url, request, Vec::new());
            sent.await
        }
        true => {
            let sent = node
                .client
                .send::<MultiPatientStoredQuery>(&url, request, Vec::new());
            sent.await
        }
    };
    let outcome = outcome(&answer, |response| (response.status, &response.errors[..]));
    let event = event(question, &url, &outcome);
    Ok(ledger.record(event, answer).await?.into_inner()?)
}

/// What is recorded of a question that was asked there.
fn event(question: &Question, url: &str, outcome: &Outcome) -> Event {
    let patients: Vec<&str> = question.patients.iter().map(String::as_str).collect();
    let asked = Query {
        id: &question.request.id,
        request: &question.xml(),
        patients: &patients,
        home_community_id: question.request.home.as_deref(),
    };
    let parties = Parties::asked(url);
    match question.is_of_several_patients() {
        false => Event::queried(&parties, asked, outcome),
        true => Event::queried_for_several_patients(&parties, asked, outcome),
    }
}

/// Asks the registry and takes only a whole answer.
pub(crate) async fn find(
    node: &Node,
    ledger: &Audit,
    question: &Question,
) -> anyhow::Result<Found> {
    let answer = ask(node, ledger, question).await?.response;
    if answer.status != ResponseStatus::Success {
        let by = node.answered_by();
        return Err(Refused::new(by.refused_the_query(), answer.errors)
            .by(by)
            .into());
    }
    Ok(Found::read(&answer.objects))
}
