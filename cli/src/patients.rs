//! `hilum patients`: asks the registry which patients fit what is known of one (ITI-47), and by which
//! identifiers a patient is known elsewhere (ITI-45).

mod shown;

use std::path::PathBuf;

use clap::Args;
use hilum_audit::{Audit, Event, Outcome, Parties, PatientQuery, PatientQueryKind};
use hilum_transport::ClientError;
use serde_json::json;
use thiserror::Error;
use xds_schemas::hl7v3::find_candidates::{
    AskedTime, Candidate, FindCandidatesQuery, FindCandidatesResponse, Parameters, QueryByParameter,
};
use xds_schemas::hl7v3::{
    ApplicationAcknowledgement, InstanceId, QueryContinuation, Transmission, Verdict,
};
use xds_schemas::iti45_pixv3_query::{GetIdentifiersQuery, IdentifierQuery, PixV3Query};
use xds_schemas::iti47_patient_demographics_query_hl7v3::{Continue, PatientDemographicsQuery};
use xds_schemas::metadata::PatientId;
use xds_schemas::metadata::hl7::is_oid;
use xds_schemas::person::{Address, Gender, PersonName, SEARCH, Telecom};

use crate::client::{ForUser, Node};
use crate::domain::{self, Domain};
use crate::hl7v3::{now, transmission, unique};
use crate::status::Usage;
use crate::terminal::{say, say_json, tell};

/// Answers that are asked for one after the other.
const MOST_ANSWERS: usize = 100;

/// The command line.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  hilum patients --family Müller --given Anna --birth-date 1973-02-28
  hilum patients --family Mül --search
  hilum patients --id 'L-17^^^&1.2.3.7&ISO' --json
  hilum patients --identifiers P-1 --domain 1.2.3.7"
)]
pub(crate) struct Arguments {
    /// Family name, whole: Müller, MUELLER and muller are the same
    #[arg(long, value_name = "NAME")]
    family: Option<String>,
    /// Given names, one or more
    #[arg(long, value_name = "NAME")]
    given: Option<String>,
    /// The beginnings of names are enough
    #[arg(long)]
    search: bool,
    /// Date of birth, as precisely as it is known: 1973, 1973-02, 1973-02-28
    #[arg(long, value_name = "DATE")]
    birth_date: Option<String>,
    /// Administrative gender
    #[arg(long, value_name = "SEX", value_parser = ["female", "male", "other"])]
    sex: Option<String>,
    /// An identifier: an ID of the affinity domain, or ID^^^&OID&ISO
    #[arg(long, value_name = "ID")]
    id: Vec<String>,
    /// The town of an address
    #[arg(long, value_name = "TOWN")]
    city: Option<String>,
    /// The postal code of an address
    #[arg(long, value_name = "CODE")]
    postal_code: Option<String>,
    /// A telephone number, or an e-mail address
    #[arg(long, value_name = "NUMBER")]
    telecom: Option<String>,
    /// The mother's family name before she married
    #[arg(long, value_name = "NAME")]
    mothers_maiden_name: Option<String>,
    /// Only those who are surely meant: 0 to 100 (docs/patients.md)
    #[arg(long, value_name = "DEGREE", value_parser = clap::value_parser!(u8).range(0..=100))]
    least: Option<u8>,
    /// Other identifiers of this patient (ITI-45) instead
    #[arg(
        long,
        value_name = "ID",
        conflicts_with_all = ["family", "given", "search", "birth_date", "sex", "id", "city",
            "postal_code", "telecom", "mothers_maiden_name", "least"]
    )]
    identifiers: Option<String>,
    /// Only identifiers of these domains: OIDs
    #[arg(long, value_name = "OID")]
    domain: Vec<String>,
    /// The node whose registry is asked
    #[arg(long, value_name = "FILE", default_value = "hilum.toml")]
    config: PathBuf,
    #[command(flatten)]
    user: ForUser,
    /// Everything that is known, as JSON
    #[arg(long)]
    json: bool,
}

/// The registry did not answer the question.
#[derive(Debug, Error)]
#[error("the registry refused the question: {0}")]
struct NotAnswered(String);

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    if let Some(wrong) = arguments.domain.iter().find(|oid| !is_oid(oid)) {
        return Err(Usage(format!("--domain {wrong}: this is no OID")).into());
    }
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let domain = Domain::of(&node.config)?;
    match &arguments.identifiers {
        Some(patient) => identifiers(arguments, &node, &domain.patient(patient)?).await,
        None => find(arguments, &node, arguments.parameters(&domain)?).await,
    }
}

impl Arguments {
    fn parameters(&self, domain: &Domain) -> Result<Parameters, Usage> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let name = PersonName {
            usage: self.search.then(|| SEARCH.to_owned()),
            ..PersonName::of(&text(&self.family), &text(&self.given))
        };
        let address = Address {
            city: self.city.clone(),
            postal_code: self.postal_code.clone(),
            ..Address::default()
        };
        let telecom = self.telecom.as_ref().map(|value| Telecom {
            value: match value.contains('@') {
                true => format!("mailto:{value}"),
                false => format!("tel:{}", value.replace(' ', "")),
            },
            usage: None,
        });
        let mother = self.mothers_maiden_name.as_deref();
        let born = self.birth_date.as_deref().map(domain::time).transpose()?;
        let ids: Result<Vec<PatientId>, Usage> =
            self.id.iter().map(|id| domain.patient(id)).collect();
        let parameters = Parameters {
            gender: self.sex.as_deref().map(|sex| match sex {
                "female" => Gender::Female,
                "male" => Gender::Male,
                _ => Gender::Other,
            }),
            birth_time: born.map(AskedTime::at),
            ids: ids?.iter().map(InstanceId::of).collect(),
            names: Some(name).filter(|it| !it.is_empty()).into_iter().collect(),
            mothers_maiden_names: mother
                .map(|name| PersonName::of(name, ""))
                .into_iter()
                .collect(),
            domains: self.domains(),
            addresses: Some(address)
                .filter(|it| !it.is_empty())
                .into_iter()
                .collect(),
            telecoms: telecom.into_iter().collect(),
            ..Parameters::default()
        };
        match parameters.is_empty() {
            false => Ok(parameters),
            true => Err(Usage::new(
                "say something of the patient: --family, --birth-date, --id …",
            )),
        }
    }

    fn domains(&self) -> Vec<InstanceId> {
        self.domain
            .iter()
            .map(|oid| InstanceId::new(oid.as_str()))
            .collect()
    }
}

async fn identifiers(
    arguments: &Arguments,
    node: &Node,
    patient: &PatientId,
) -> anyhow::Result<()> {
    let query = IdentifierQuery {
        id: unique(),
        patients: vec![InstanceId::of(patient)],
        domains: arguments.domains(),
    };
    let asked = query.to_xml();
    let question = GetIdentifiersQuery::new(transmission(node), &now(), query);
    let url = node.registry()?;
    let ledger = node.ledger()?;
    let sent = node
        .client
        .send::<PixV3Query>(&url, &question, Vec::new())
        .await;
    let answer = sent.map(|answer| answer.response);
    let ids = answer.as_ref().map(|it| it.ids.as_slice());
    let named = std::iter::once(patient).chain(ids.unwrap_or_default());
    let patients: Vec<String> = named.map(PatientId::to_string).collect();
    let event = PatientQuery {
        kind: PatientQueryKind::Identifiers,
        message: &question.transmission.id.to_string(),
        query: &asked,
        patients: &patients,
    };
    let outcome = outcome(answer.as_ref().map(|it| &it.acknowledgement));
    let event = Event::patients_queried(&Parties::asked(&url), event, &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?;
    judge(&answer.acknowledgement)?;
    if arguments.json {
        return say_json(&json!({ "identifiers": answer.ids }));
    }
    if answer.ids.is_empty() {
        tell("the patient has no other identifiers");
        return Ok(());
    }
    Ok(say(&shown::identifiers(&answer.ids))?)
}

async fn find(arguments: &Arguments, node: &Node, parameters: Parameters) -> anyhow::Result<()> {
    let query = QueryByParameter {
        id: unique(),
        minimum_degree: arguments.least,
        parameters,
        ..QueryByParameter::default()
    };
    let url = node.registry()?;
    let ledger = node.ledger()?;
    let question = FindCandidatesQuery::new(transmission(node), &now(), query.clone());
    let client = &node.client;
    let answer = client
        .send::<PatientDemographicsQuery>(&url, &question, Vec::new())
        .await;
    let message = question.transmission.id.to_string();
    let answer = answer.map(|answer| answer.response);
    let mut answer = record(&ledger, &url, &message, &query, answer).await?;
    let mut found: Vec<Candidate> = std::mem::take(&mut answer.candidates);
    for _ in 1..MOST_ANSWERS {
        if answer.quantities.is_none_or(|it| it.remaining == 0) {
            break;
        }
        let next = Transmission {
            id: unique(),
            ..question.transmission.clone()
        };
        let more = QueryContinuation::of(next, &now(), &answer.transmission, query.id.clone());
        let message = more.transmission.id.to_string();
        let sent = client.send::<Continue>(&url, &more, Vec::new()).await;
        let sent = sent.map(|answer| answer.response);
        answer = record(&ledger, &url, &message, &query, sent).await?;
        found.append(&mut answer.candidates);
    }
    if arguments.json {
        return say_json(&shown::json(&found, answer.quantities));
    }
    if found.is_empty() {
        tell("nobody is found");
        return Ok(());
    }
    Ok(say(&shown::table(&found))?)
}

/// Records that it was asked before anybody sees the answer.
async fn record(
    ledger: &Audit,
    url: &str,
    message: &str,
    query: &QueryByParameter,
    answer: Result<FindCandidatesResponse, ClientError>,
) -> anyhow::Result<FindCandidatesResponse> {
    let found = answer.as_ref().map(|it| it.candidates.as_slice());
    let ids = found.unwrap_or_default().iter().flat_map(|it| &it.ids);
    let patients: Vec<String> = ids.map(PatientId::to_string).collect();
    let asked = PatientQuery {
        kind: PatientQueryKind::Demographics,
        message,
        query: &query.to_xml(),
        patients: &patients,
    };
    let outcome = outcome(answer.as_ref().map(|it| &it.acknowledgement));
    let event = Event::patients_queried(&Parties::asked(url), asked, &outcome);
    let answer = ledger.record(event, answer).await?.into_inner()?;
    judge(&answer.acknowledgement)?;
    Ok(answer)
}

fn outcome(answer: Result<&ApplicationAcknowledgement, &ClientError>) -> Outcome {
    match answer {
        Ok(acknowledgement) => match judge(acknowledgement) {
            Ok(()) => Outcome::Success,
            Err(error) => Outcome::Failure(error.0),
        },
        Err(error) => Outcome::Failure(error.to_string()),
    }
}

fn judge(acknowledgement: &ApplicationAcknowledgement) -> Result<(), NotAnswered> {
    if acknowledgement.verdict == Verdict::Accepted {
        return Ok(());
    }
    let said = |detail: &xds_schemas::hl7v3::Detail| match (&detail.text, &detail.location) {
        (Some(text), Some(location)) => format!("{text} ({location})"),
        (Some(text), None) => text.clone(),
        (None, _) => detail.code.clone().unwrap_or_default(),
    };
    let all: Vec<String> = acknowledgement.details.iter().map(said).collect();
    Err(NotAnswered(match all.is_empty() {
        true => "it does not say why".to_owned(),
        false => all.join("; "),
    }))
}
