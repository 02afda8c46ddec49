//! ITI-55 Cross Gateway Patient Discovery, as the one who asks.
//! <https://profiles.ihe.net/ITI/TF/Volume2/ITI-55.html>

use hilum_audit::{AboutPatients, Event, Outcome, Parties};
use xds_schemas::hl7v3::find_candidates::{
    Candidate, FindCandidatesQuery, FindCandidatesResponse, Issue, Parameters, Problem,
    QueryByParameter, Wanted,
};
use xds_schemas::hl7v3::{Found, InstanceId, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::CrossGatewayPatientDiscovery;
use xds_schemas::person::{Gender, Person};
use xds_schemas::xcpd;

use super::Learned;
use super::person::{Subject, essential, time, transmission, unique};
use crate::Room;
use crate::communities::Known;

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Match(Box<Candidate>),
    Nobody,
    /// It could find one patient if it knew more.
    More(Vec<Wanted>),
}

/// Asks a community for somebody. If it wants to know more and that is known, it is asked once more.
pub(super) async fn ask(room: &Room, known: &Known, subject: &Subject) -> Result<Learned, String> {
    let mut parameters = essential(&subject.person);
    parameters
        .ids
        .extend(subject.own.as_ref().map(InstanceId::of));
    // "required": but for those who share an identifier (3.55.4.1.2.1).
    if parameters.names.is_empty() || parameters.birth_time.is_none() {
        return Err("neither name nor birth of the patient is known, or one of them".to_owned());
    }
    let (meaning, seconds) = once(room, known, subject, parameters.clone()).await?;
    let (meaning, seconds) = match meaning {
        Meaning::More(wanted) if add(&mut parameters, &wanted, &subject.person) => {
            once(room, known, subject, parameters).await?
        }
        meaning => (meaning, seconds),
    };
    match meaning {
        Meaning::Match(candidate) => Ok(Learned {
            there: candidate.ids.into_iter().next(),
            confidence: candidate.degree,
            seconds,
        }),
        Meaning::Nobody => Ok(Learned {
            there: None,
            confidence: None,
            seconds,
        }),
        Meaning::More(wanted) => {
            let wanted: Vec<&str> = wanted.into_iter().map(word).collect();
            let wanted = wanted.join(", ");
            Err(format!(
                "it knows several patients who could be meant; it would need: {wanted}"
            ))
        }
    }
}

/// One question, its record, and what the answer means.
async fn once(
    room: &Room,
    known: &Known,
    subject: &Subject,
    parameters: Parameters,
) -> Result<(Meaning, u64), String> {
    let community = &known.community;
    let url = community.patients.url.as_deref();
    let url = url.ok_or("it has no address for patient discovery")?;
    let own = &room.communities.own.home;
    let query = QueryByParameter {
        id: unique(),
        parameters,
        ..QueryByParameter::default()
    };
    let mut transmission = transmission(own.as_str(), community.home.as_str());
    // 3.55.4.1.2.4: what the other community needs to ask us for the patient.
    transmission.sender_organization = Some(transmission.sender.root.clone());
    let mut question = FindCandidatesQuery::new(transmission, &time(), query);
    question.authority = subject.own.as_ref().map(|own| own.authority.clone());
    let header = xcpd::time_to_live(room.patients.config.keep.as_secs());
    let client = room.client.with_header_block(&header);
    let asking = client.send::<CrossGatewayPatientDiscovery>(url, &question, Vec::new());
    let answer = known.line.ask(asking).await;
    let meaning = match answer {
        Ok(answer) => {
            let lives = answer.header.correlation_time_to_live.as_deref();
            // Who says nothing recommends not to keep it (3.55.4.2.2).
            let seconds = lives
                .map_or(Ok(0), xcpd::seconds)
                .unwrap_or_else(|problem| {
                    tracing::warn!(name = community.name, problem);
                    0
                });
            let meaning = meaning(answer.response, community.home.as_str(), &subject.person);
            meaning.map(|meaning| (meaning, seconds))
        }
        Err(silence) => Err(silence.told()),
    };
    let outcome = match &meaning {
        Ok(_) => Outcome::Success,
        Err(problem) => Outcome::Failure(problem.clone()),
    };
    let asked = AboutPatients {
        id: &question.transmission.id.root,
        query: &question.query.to_xml(),
        patients: &[],
        home_community_id: Some(community.home.as_str()),
    };
    let parties = Parties::asked(url).on_behalf_of(room.user.clone());
    let event = Event::patient_discovered(&parties, asked, &outcome);
    let recorded = room.audit.record(event, meaning).await;
    recorded.map_err(|error| error.to_string())?.into_inner()
}

/// What an answer of the community `home` means: in words of ours, since those of others may say too much.
fn meaning(
    response: FindCandidatesResponse,
    home: &str,
    asked: &Person,
) -> Result<Meaning, String> {
    let problem = response.issues.iter().find_map(|issue| match issue {
        Issue::Problem(problem) => Some(*problem),
        Issue::Wanted(_) => None,
    });
    if let Some(problem) = problem {
        let told = match problem {
            Problem::ResponderBusy => "it is busy; ask again later",
            Problem::AnswerNotAvailable => {
                "its answer is not available: somebody there has to see to it"
            }
            Problem::InternalError => "something is wrong there",
        };
        return Err(told.to_owned());
    }
    let is_accepted = response.acknowledgement.verdict == Verdict::Accepted;
    if !is_accepted || matches!(response.found, Found::Error | Found::QuestionError) {
        return Err("it answered with an error".to_owned());
    }
    let of_it = |candidate: &Candidate| is_home(&candidate.custodian.id.root, home);
    if !response.candidates.iter().all(of_it) {
        return Err("it answered for another community than itself".to_owned());
    }
    let mut candidates = response.candidates;
    let wanted = response.issues.into_iter().filter_map(|issue| match issue {
        Issue::Wanted(wanted) => Some(wanted),
        Issue::Problem(_) => None,
    });
    let wanted: Vec<Wanted> = wanted.collect();
    match (candidates.pop(), candidates.is_empty()) {
        (None, _) if !wanted.is_empty() => Ok(Meaning::More(wanted)),
        (None, _) => Ok(Meaning::Nobody),
        (Some(_), false) => {
            Err("it knows several patients who could be meant, and none for sure".to_owned())
        }
        (Some(candidate), true) => match candidate.ids.len() {
            0 => Err("it found somebody, and gave no identifier".to_owned()),
            1 if is_another(&candidate.person, asked) => {
                Err("it found somebody who is another person".to_owned())
            }
            1 => Ok(Meaning::Match(Box::new(candidate))),
            _ => Err("it gave several identifiers for one patient".to_owned()),
        },
    }
}

/// Whether an OID, with or without `urn:oid:`, is this community.
fn is_home(oid: &str, home: &str) -> bool {
    oid.trim_start_matches("urn:oid:") == home.trim_start_matches("urn:oid:")
}

/// Whether what a community says of somebody cannot be true of the one who was asked for: then it is not
/// believed, however sure it is.
fn is_another(found: &Person, asked: &Person) -> bool {
    let day = |person: &Person| {
        let time = person.birth_time.as_ref()?.as_str();
        time.get(..8).map(str::to_owned)
    };
    let differs = |one: Option<String>, other: Option<String>| match (one, other) {
        (Some(one), Some(other)) => one != other,
        _ => false,
    };
    let are_opposite = |one, other| {
        matches!(
            (one, other),
            (Some(Gender::Female), Some(Gender::Male)) | (Some(Gender::Male), Some(Gender::Female))
        )
    };
    differs(day(found), day(asked)) || are_opposite(found.gender, asked.gender)
}

/// Adds what is wanted, if it is known. Says whether there is anything more to ask with.
fn add(parameters: &mut Parameters, wanted: &[Wanted], person: &Person) -> bool {
    let before = parameters.clone();
    for wanted in wanted {
        match wanted {
            Wanted::LivingSubjectAdministrativeGenderRequested => {
                parameters.gender = person.gender;
            }
            Wanted::PatientAddressRequested => parameters.addresses.clone_from(&person.addresses),
            Wanted::PatientTelecomRequested => parameters.telecoms.clone_from(&person.telecoms),
            Wanted::LivingSubjectBirthPlaceNameRequested => {
                let name = person.birth_place.name.clone();
                parameters.birth_place_names = name.into_iter().collect();
            }
            Wanted::LivingSubjectBirthPlaceAddressRequested => {
                let address = person.birth_place.address.clone();
                parameters.birth_place_addresses = address.into_iter().collect();
            }
            Wanted::MothersMaidenNameRequested => {
                let name = person.mothers_maiden_name.clone();
                parameters.mothers_maiden_names = name.into_iter().collect();
            }
        }
    }
    *parameters != before
}

fn word(wanted: Wanted) -> &'static str {
    match wanted {
        Wanted::LivingSubjectAdministrativeGenderRequested => "the gender",
        Wanted::PatientAddressRequested => "an address",
        Wanted::PatientTelecomRequested => "a telephone number",
        Wanted::LivingSubjectBirthPlaceNameRequested => "the place of birth",
        Wanted::LivingSubjectBirthPlaceAddressRequested => "the address of the place of birth",
        Wanted::MothersMaidenNameRequested => "the mother's maiden name",
    }
}
