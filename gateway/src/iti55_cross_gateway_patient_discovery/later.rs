//! A question whose answer is wanted later (3.55.6.2): it is acknowledged, and the answer is kept until the
//! community has taken it.

use std::sync::Arc;

use hilum_audit::{Outcome, Recorded};
use hilum_security::Caller;
use hilum_transport::Reply;
use xds_schemas::hl7v3::find_candidates::FindCandidatesQuery;
use xds_schemas::hl7v3::{AcceptAcknowledgement, Verdict};
use xds_schemas::iti55_cross_gateway_patient_discovery::DeferredQuestion;
use xds_schemas::soap::Fault;
use xds_schemas::xml::{ToXml, Writer};

use super::{Said, empty, event, found, lives};
use crate::Room;
use crate::communities::Known;
use crate::correlations::deferred::Later;
use crate::correlations::now;
use crate::deferred::{self, NotLater};
use crate::discovery::{time, unique};

/// Bytes of a `wsa:MessageID` that is kept.
const MOST_ID_BYTES: usize = 1024;
/// Bytes of an answer that is kept. It says again what was asked with, so that whoever asks makes it large.
const MOST_BYTES: usize = 256 * 1024;

/// Finds the answer, and keeps it for the community that asks; or says why it does not.
pub(super) async fn respond(
    room: &Arc<Room>,
    caller: &Caller,
    endpoint: &str,
    said: &Said,
    question: &FindCandidatesQuery,
) -> Result<Recorded<Reply>, Fault> {
    let acknowledgement =
        AcceptAcknowledgement::of(&question.transmission, unique(), time().as_str());
    let (known, message_id) = match asked(room, caller, said, question) {
        Ok(asked) => asked,
        Err(refusal) => {
            let outcome = Outcome::MinorFailure(refusal.reason.to_owned());
            let event = event(caller, endpoint, question, &empty(question), &outcome);
            let reply = Reply::of::<DeferredQuestion>(&refusal.of(acknowledgement));
            return Ok(room.audit.record(event, reply).await?);
        }
    };
    let (response, outcome) = found(room, caller, said, question).await;
    let event = |outcome: &Outcome| event(caller, endpoint, question, &response, outcome);
    let mut writer = Writer::default();
    response.to_xml(&mut writer);
    let message = writer.finish();
    if message.len() > MOST_BYTES {
        let reason = "the answer is larger than 256 KiB, which is not kept: ask for it at once";
        let refused = acknowledgement.refusing(Verdict::Rejected, reason);
        let reply = Reply::of::<DeferredQuestion>(&refused);
        let event = event(&Outcome::Failure(reason.to_owned()));
        return Ok(room.audit.record(event, reply).await?);
    }
    // It may be sent as soon as it is kept, so it is recorded before.
    let recorded = room.audit.record(event(&outcome), ()).await?;
    let later = Later {
        home: known.community.home.clone(),
        relates_to: message_id,
        lives: lives(room, &response),
        until: now().saturating_add(deferred::TRIED_SECONDS),
        message,
    };
    let patients = &room.patients;
    let kept = patients
        .correlations
        .keep_for_later(later, &patients.config.vault);
    let reason = match kept.await {
        Ok(true) => {
            patients.outbox.hurry();
            return Ok(recorded.map(|()| Reply::of::<DeferredQuestion>(&acknowledgement)));
        }
        Ok(false) => "too many answers wait to be taken; ask again later",
        Err(error) => {
            tracing::error!("a deferred answer cannot be kept: {error:#}");
            "the answer cannot be kept now"
        }
    };
    // It stands there as given, which it is not going to be.
    let failed = event(&Outcome::Failure(reason.to_owned()));
    let refused = acknowledgement.refusing(Verdict::Rejected, reason);
    let reply = Reply::of::<DeferredQuestion>(&refused);
    Ok(room.audit.record(failed, reply).await?)
}

/// Why nothing is answered later.
#[derive(Debug)]
struct Refusal {
    reason: &'static str,
    /// Nothing, if it is not supported.
    verdict: Option<Verdict>,
}

impl Refusal {
    /// 3.55.4.1.3: "If responsePriorityCode is D and the Responding Gateway does not support the Deferred
    /// Response Option, it shall return an application error".
    fn of(&self, acknowledgement: AcceptAcknowledgement) -> AcceptAcknowledgement {
        match self.verdict {
            Some(verdict) => acknowledgement.refusing(verdict, self.reason),
            None => acknowledgement.of_unsupported_mode(self.reason),
        }
    }
}

/// The community that is answered later, and the message to which the answer relates.
fn asked(
    room: &Room,
    caller: &Caller,
    said: &Said,
    question: &FindCandidatesQuery,
) -> Result<(Arc<Known>, String), Refusal> {
    let refused = |verdict, reason| Refusal { reason, verdict };
    let known = deferred::asker(room, caller, question).map_err(|why| match why {
        NotLater::Unsupported => refused(None, "Deferred Response not supported."),
        NotLater::Wrong(reason) => refused(Some(Verdict::Error), reason),
    })?;
    let message_id = said.message_id.clone();
    let message_id = message_id.filter(|it| !it.trim().is_empty());
    let unrelated = "there is no wsa:MessageID to which the answer could relate";
    let message_id = message_id.ok_or_else(|| refused(Some(Verdict::Error), unrelated))?;
    if message_id.len() > MOST_ID_BYTES {
        let reason = "the wsa:MessageID has more than 1,024 bytes";
        return Err(refused(Some(Verdict::Error), reason));
    }
    if !room.patients.visits.may_ask(caller) {
        tracing::warn!(%caller.address, "a caller asks about too many patients");
        let reason = "there were too many questions; ask again later";
        return Err(refused(Some(Verdict::Rejected), reason));
    }
    Ok((known, message_id))
}
