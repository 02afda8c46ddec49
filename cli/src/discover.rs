//! `hilum discover`: what a patient of this community is called in others (ITI-55), where else a patient is
//! known (ITI-56), and how that is revoked. The node's Initiating Gateway is asked, which asks the others.

use std::path::PathBuf;

use clap::Args;
use hilum_audit::{AboutPatients, Event, Outcome, Parties};
use serde_json::json;
use xds_schemas::hl7v3::find_candidates::{
    FindCandidatesQuery, FindCandidatesResponse, Parameters, QueryByParameter,
};
use xds_schemas::hl7v3::{InstanceId, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::{
    RecordNullified, RevokeCorrelation,
};
use xds_schemas::iti56_patient_location_query::{
    PatientLocationQuery, PatientLocationQueryRequest, PatientLocationQueryResponse,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::xml::{ToXml, Writer};

use crate::client::{ForUser, Node};
use crate::domain::Domain;
use crate::hl7v3::{now, transmission, unique};
use crate::terminal::{Table, printable, say, say_json, tell};

const NOTES: &str = "\
Examples:
  hilum discover --patient P-1
  hilum discover --patient P-1 --locate --json
  hilum discover --patient P-1 --revoke";

/// The command line.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct Arguments {
    /// The node whose gateway is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// The patient: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    patient: String,
    /// Ask the health data locators where else the patient is known (ITI-56)
    #[arg(long, conflicts_with = "revoke")]
    locate: bool,
    /// Tell the other communities to ask for the patient no more, and forget what they call them
    #[arg(long)]
    revoke: bool,
    /// The answer as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let patient = Domain::of(&node.config)?.patient(&arguments.patient)?;
    let url = node.initiating()?;
    if arguments.revoke {
        return revoke(&node, &url, patient, arguments.json).await;
    }
    if arguments.locate {
        return locate(&node, &url, &patient, arguments.json).await;
    }
    discover(&node, &url, &patient, arguments.json).await
}

async fn discover(node: &Node, url: &str, patient: &PatientId, json: bool) -> anyhow::Result<()> {
    let query = QueryByParameter {
        id: unique(),
        parameters: Parameters {
            ids: vec![InstanceId::of(patient)],
            ..Parameters::default()
        },
        ..QueryByParameter::default()
    };
    let question = FindCandidatesQuery::new(transmission(node), &now(), query);
    let ledger = node.ledger()?;
    let sent = node
        .client
        .send::<CrossGatewayPatientDiscovery>(url, &question, Vec::new());
    let answer = sent.await;
    let outcome = match &answer {
        Ok(answer) if answer.response.acknowledgement.verdict == Verdict::Accepted => {
            Outcome::Success
        }
        Ok(_) => Outcome::Failure("the gateway refused the question".to_owned()),
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let asked = AboutPatients {
        id: &question.transmission.id.root,
        query: &question.query.to_xml(),
        patients: &[],
        home_community_id: None,
    };
    let event = Event::patient_discovered(&Parties::asked(url), asked, &outcome);
    let response = ledger.record(event, answer).await?.into_inner()?.response;
    let found = rows(&response);
    let is_refused = response.acknowledgement.verdict != Verdict::Accepted;
    if json {
        let rows: Vec<_> = found.iter().map(Row::json).collect();
        say_json(&json!({ "patient": patient.to_string(), "communities": rows }))?;
    } else if found.is_empty() && !is_refused {
        tell("no community is configured that has patients of its own names");
    } else if !found.is_empty() {
        let mut table = Table::new(&["community", "patient there", "sure", "how"]);
        found.iter().for_each(|row| table.row(row.cells()));
        say(&table.text())?;
    }
    if is_refused {
        let details = &response.acknowledgement.details;
        let reasons: Vec<String> = details.iter().filter_map(|it| it.text.clone()).collect();
        anyhow::bail!("nobody was asked: {}", printable(&reasons.join("; ")));
    }
    let failed = found.iter().filter(|row| row.state == "failed").count();
    if failed > 0 {
        anyhow::bail!("of {failed} communities nobody knows whether they know the patient");
    }
    Ok(())
}

/// What is known of one community.
#[derive(Debug)]
struct Row {
    home: String,
    /// `known`, `unknown`, `failed`.
    state: String,
    /// The patient there.
    id: Option<String>,
    confidence: Option<u8>,
    /// How it is known, since when and until when; or why it is not.
    said: String,
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let sure = self.confidence.map(|it| format!("{it} %"));
        vec![
            self.home.clone(),
            self.id.clone().unwrap_or_default(),
            sure.unwrap_or_default(),
            self.said.clone(),
        ]
    }

    fn json(&self) -> serde_json::Value {
        json!({
            "home_community_id": self.home,
            "state": self.state,
            "patient": self.id,
            "confidence": self.confidence,
            "said": self.said,
        })
    }
}

/// One for each community of which the gateway says something.
fn rows(response: &FindCandidatesResponse) -> Vec<Row> {
    let details = response.acknowledgement.details.iter();
    let row = |detail: &xds_schemas::hl7v3::Detail| {
        let home = detail.location.clone()?;
        let oid = home.trim_start_matches("urn:oid:").to_owned();
        let mut candidates = response.candidates.iter();
        let candidate = candidates.find(|it| it.custodian.id.root == oid);
        let id = candidate.and_then(|it| it.ids.first());
        Some(Row {
            home,
            state: detail.code.clone().unwrap_or_default(),
            id: id.map(ToString::to_string),
            confidence: candidate.and_then(|it| it.degree),
            said: detail.text.clone().unwrap_or_default(),
        })
    };
    details.filter_map(row).collect()
}

async fn locate(node: &Node, url: &str, patient: &PatientId, json: bool) -> anyhow::Result<()> {
    let request = PatientLocationQueryRequest {
        patient: InstanceId::of(patient),
    };
    let ledger = node.ledger()?;
    let sent = node
        .client
        .send::<PatientLocationQuery>(url, &request, Vec::new());
    let answer = sent.await;
    let outcome = match &answer {
        Ok(_) => Outcome::Success,
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let mut writer = Writer::default();
    request.to_xml(&mut writer);
    let asked = AboutPatients {
        id: &patient.to_string(),
        query: &writer.finish(),
        patients: &[patient.to_string()],
        home_community_id: None,
    };
    let event = Event::patient_located(&Parties::asked(url), asked, &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?;
    let PatientLocationQueryResponse { locations } = answer.response;
    if json {
        let rows = locations.iter().map(|it| {
            json!({
                "home_community_id": it.home.as_str(),
                "patient": it.corresponding.to_string(),
            })
        });
        let rows: Vec<_> = rows.collect();
        return say_json(&json!({ "patient": patient.to_string(), "locations": rows }));
    }
    for location in &locations {
        let line = format!("{}  {}", location.home, location.corresponding);
        say(&printable(&line))?;
    }
    if locations.is_empty() {
        tell("no locator knows another place");
    }
    Ok(())
}

async fn revoke(node: &Node, url: &str, patient: PatientId, json: bool) -> anyhow::Result<()> {
    let message = RecordNullified::of(patient, transmission(node), &now());
    let ledger = node.ledger()?;
    let sent = node
        .client
        .send::<RevokeCorrelation>(url, &message, Vec::new());
    let answer = sent.await;
    let outcome = match &answer {
        Ok(answer) if answer.response.verdict == Verdict::Accepted => Outcome::Success,
        Ok(answer) => Outcome::Failure(answer.response.reasons.join("; ")),
        Err(error) => Outcome::Failure(error.to_string()),
    };
    let event = Event::correlation_revoked(
        &Parties::asked(url),
        &message.transmission.id.to_string(),
        &message.patient.to_string(),
        &outcome,
    );
    let response = ledger.record(event, answer).await?.into_inner()?.response;
    let is_done = response.verdict == Verdict::Accepted;
    let told = node.config.told_of_revocations();
    if json {
        let asked = (&told, &response.reasons);
        say_json(&json!({ "revoked": is_done, "asked": asked.0, "problems": asked.1 }))?;
    }
    match is_done {
        true if json => Ok(()),
        true if told.is_empty() => {
            say(
                "nothing to forget: no community is configured that has patients of its own names",
            )?;
            Ok(())
        }
        true => {
            let patient = printable(&message.patient.to_string());
            let told = printable(&told.join(", "));
            say(&format!(
                "forgotten here: what others call {patient}; told to ask for it no more: {told}"
            ))?;
            Ok(())
        }
        false => {
            let reasons = printable(&response.reasons.join("; "));
            anyhow::bail!("it is not forgotten everywhere: {reasons}")
        }
    }
}
