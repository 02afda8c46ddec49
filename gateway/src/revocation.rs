//! A correlation is revoked: one community tells others not to ask for a patient any more by the name that
//! it gave (XCPD, Revoke option). Both sides forget what the patient is called.

use std::sync::Arc;

use hilum_audit::{Event, Outcome, Parties, Recorded};
use hilum_security::Caller;
use tokio::task::JoinSet;
use xds_schemas::hl7v3::{AcceptAcknowledgement, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::revoke::{
    RecordNullified, RevokeCorrelation,
};
use xds_schemas::metadata::PatientId;
use xds_schemas::soap::Fault;

use crate::Room;
use crate::communities::Known;
use crate::discovery::{time, transmission, unique};
use crate::iti55_cross_gateway_patient_discovery::speaks_for;
use crate::patients::Naming;

/// Another community takes back what it called a patient.
pub(crate) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    message: RecordNullified,
) -> Result<Recorded<AcceptAcknowledgement>, Fault> {
    let accepted = AcceptAcknowledgement::of(&message.transmission, unique(), time().as_str());
    let home = message
        .home()
        .and_then(|home| speaks_for(room, caller, home));
    let (acknowledgement, outcome) = match home {
        None => {
            let reason = "it is sent for no community that is known here by its own identifiers";
            let refused = accepted.refusing(Verdict::Error, reason);
            (refused, Outcome::Failure(reason.to_owned()))
        }
        // Whether there was anything to forget is not said.
        Some(home) => {
            let correlations = &room.patients.correlations;
            match correlations.forget_there(&home, &message.patient).await {
                Ok(_) => (accepted, Outcome::Success),
                Err(error) => {
                    tracing::error!("a correlation is not forgotten: {error:#}");
                    let reason = "it cannot be forgotten now";
                    let refused = accepted.refusing(Verdict::Rejected, reason);
                    (refused, Outcome::Failure(reason.to_owned()))
                }
            }
        }
    };
    let event = Event::correlation_revoked(
        &Parties::answered(caller, endpoint),
        &message.transmission.id.to_string(),
        &message.patient.to_string(),
        &outcome,
    );
    Ok(room.audit.record(event, acknowledgement).await?)
}

/// Takes back, in all communities that have names of their own, what we call one of our patients, and
/// forgets what they call them. Communities without an address for that are forgotten only.
pub(crate) async fn initiate(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    message: RecordNullified,
) -> Result<Recorded<AcceptAcknowledgement>, Fault> {
    let own = &message.patient;
    if !room.patients.is_own(own) {
        return Err(Fault::sender("the patient is none of this community"));
    }
    let mut acknowledgement =
        AcceptAcknowledgement::of(&message.transmission, unique(), time().as_str());
    let mut telling = JoinSet::new();
    for known in &room.communities.others {
        if known.community.patients.naming == Naming::Same {
            continue;
        }
        // They may have asked, and remember what they were told; so all of them are told.
        let (room, known, own) = (Arc::clone(room), Arc::clone(known), own.clone());
        telling.spawn(async move {
            let told = revoke(&room, &known, &own).await;
            let community = &known.community;
            told.map_err(|problem| format!("{} ({}): {problem}", community.name, community.home))
        });
    }
    while let Some(joined) = telling.join_next().await {
        match joined {
            Ok(Ok(())) => {}
            Ok(Err(problem)) => {
                acknowledgement = acknowledgement.refusing(Verdict::Error, problem);
            }
            Err(error) => tracing::error!(%error, "a revocation was lost"),
        }
    }
    acknowledgement.reasons.sort();
    let outcome = match acknowledgement.reasons.is_empty() {
        true => Outcome::Success,
        false => Outcome::Failure(acknowledgement.reasons.join("; ")),
    };
    let event = Event::correlation_revoked(
        &Parties::answered(caller, endpoint),
        &message.transmission.id.to_string(),
        &own.to_string(),
        &outcome,
    );
    Ok(room.audit.record(event, acknowledgement).await?)
}

async fn revoke(room: &Room, known: &Known, own: &PatientId) -> Result<(), String> {
    let community = &known.community;
    let correlations = &room.patients.correlations;
    if let Err(error) = correlations.forget(own, &community.home).await {
        tracing::error!("a correlation is not forgotten: {error:#}");
        return Err("what it calls the patient cannot be forgotten now".to_owned());
    }
    // Who cannot be asked who a patient is has not asked either.
    let Some(url) = community.patients.url.as_deref() else {
        return Ok(());
    };
    let home = room.communities.own.home.as_str();
    let mut transmission = transmission(home, community.home.as_str());
    transmission.sender_organization = Some(transmission.sender.root.clone());
    let message = RecordNullified::of(own.clone(), transmission, &time());
    let answer = match room.client_of(known) {
        Ok(client) => {
            let asking = client.send::<RevokeCorrelation>(url, &message, Vec::new());
            known.line.ask("ITI-55", asking).await
        }
        Err(silence) => Err(silence),
    };
    let answer = match answer {
        Ok((answer, _)) if answer.response.verdict == Verdict::Accepted => Ok(()),
        Ok(_) => Err("it refuses".to_owned()),
        Err(silence) => Err(silence.told()),
    };
    let outcome = match &answer {
        Ok(()) => Outcome::Success,
        Err(problem) => Outcome::Failure(problem.clone()),
    };
    let parties = Parties::asked(url).on_behalf_of(room.user.clone());
    let event = Event::correlation_revoked(
        &parties,
        &message.transmission.id.to_string(),
        &own.to_string(),
        &outcome,
    );
    let recorded = room.audit.record(event, answer).await;
    recorded.map_err(|error| error.to_string())?.into_inner()
}
