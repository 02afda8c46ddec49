//! Storage Commitment Push Model (PS3.4 annex J): whether what was sent is safe here, so that it may be
//! deleted where it was made.
//!
//! What is asked is kept until who asked has taken the answer: on the same association if that still
//! stands, else over a new one, again and again. An instance is committed to if it is in the index and
//! its file is there when the answer is given. An object in quarantine is not: somebody may discard it,
//! and until it is released, who made it had better keep it.

mod delivery;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use hilum_dicom::scan::Place;
use hilum_dicom::{Uid, walk};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::super::Room;
use super::super::index::Index;
use super::super::index::commitments::Commitment;
use super::super::index::work::now;
use super::command::{
    ACTION_TYPE_ID, AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, Command, EVENT_TYPE_ID,
    N_EVENT_REPORT_RQ, REQUESTED_SOP_CLASS_UID, REQUESTED_SOP_INSTANCE_UID,
};
use super::data_set::{self, DataSet};
use super::provider::{SUCCESS, Serving, Shared};
use super::store::NOT_AUTHORIZED;

pub(super) use delivery::run;

/// Bytes of a request: some seventy thousand instances.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// A requestor gets its answer on the same association if it does not release it so soon.
const SHORTLY: Duration = Duration::from_millis(500);
/// How long the association has to get it through before others may try.
const ON_THE_ASSOCIATION: i64 = 60_000;

/// The only action, and the two events (PS3.4 section J.3).
const REQUEST_STORAGE_COMMITMENT: u16 = 1;
const SUCCESSFUL: u16 = 1;
const FAILURES_EXIST: u16 = 2;

/// Status (PS3.7 annex C).
const NO_SUCH_SOP_INSTANCE: u16 = 0x0112;
const INVALID_ARGUMENT_VALUE: u16 = 0x0115;
const NO_SUCH_SOP_CLASS: u16 = 0x0118;
const MISSING_ATTRIBUTE: u16 = 0x0120;
const NO_SUCH_ACTION_TYPE: u16 = 0x0123;
const RESOURCE_LIMITATION: u16 = 0x0213;

/// Failure Reason (PS3.3 section C.14.1.1).
const NO_SUCH_OBJECT_INSTANCE: u16 = 0x0112;
const CLASS_INSTANCE_CONFLICT: u16 = 0x0119;

/// What is still to be answered to commitments that were asked for on an association.
#[derive(Default)]
pub(super) struct Reports {
    waiting: Vec<Waiting>,
    /// By the message ID of the report.
    sent: BTreeMap<u16, Commitment>,
}

struct Waiting {
    context: u8,
    due: Instant,
    commitment: Commitment,
}

impl Reports {
    /// When the next report is to be sent.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.iter().map(|it| it.due).min()
    }

    /// The association has ended: what was not taken is sent over another one.
    pub(super) async fn leave(self, shared: &Shared) {
        let waiting = self.waiting.into_iter().map(|it| it.commitment);
        let left: Vec<i64> = waiting
            .chain(self.sent.into_values())
            .map(|it| it.number)
            .collect();
        if left.is_empty() {
            return;
        }
        let index = shared.index();
        let put_off = spawn_blocking(move || {
            let mut left = left.into_iter();
            left.try_for_each(|number| index.put_off_commitment(number, now(), false))
        });
        match put_off.await.map_err(anyhow::Error::from).flatten() {
            Ok(()) => shared.owed.notify_one(),
            // Then it is a minute later.
            Err(error) => tracing::error!(error = format!("{error:#}"), "the index fails"),
        }
    }
}

impl Shared {
    fn index(&self) -> Index {
        self.room.studies.index().clone()
    }
}

/// Answers an N-ACTION request.
pub(super) async fn answer(
    serving: &mut Serving<'_>,
    context: u8,
    command: Command,
) -> anyhow::Result<()> {
    let data = match command.has_data() {
        true => serving.association.whole_data(context, MOST_BYTES).await?,
        false => Some(Vec::new()),
    };
    let agreed = serving.association.contexts.get(&context);
    let (class, syntax) = agreed.map_or_else(Default::default, |agreed| {
        let syntax = agreed.transfer_syntax.clone();
        (agreed.abstract_syntax.clone(), syntax)
    });
    let asked = match data {
        Some(data) => asked(&command, &class, &syntax, &data),
        None => Err(RESOURCE_LIMITATION),
    };
    let (transaction, instances) = match asked {
        Ok(asked) => asked,
        Err(status) => return serving.respond(context, &command, status).await,
    };
    // Whoever may not send images is not told which there are.
    if serving.admitted().is_err() {
        let refused = NOT_AUTHORIZED;
        return serving.respond(context, &command, refused).await;
    }
    let (index, calling) = (serving.shared.index(), serving.calling.clone());
    let kept = spawn_blocking(move || {
        let asked = now();
        let due = asked + ON_THE_ASSOCIATION;
        index.keep_commitment(&calling, &transaction, &instances, asked, due)
    });
    let commitment = match kept.await? {
        Ok(Some(commitment)) => commitment,
        Ok(None) => {
            return serving
                .respond(context, &command, RESOURCE_LIMITATION)
                .await;
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "a commitment cannot be kept");
            return serving
                .respond(context, &command, RESOURCE_LIMITATION)
                .await;
        }
    };
    serving.reports.waiting.push(Waiting {
        context,
        due: Instant::now() + SHORTLY,
        commitment,
    });
    serving.respond(context, &command, SUCCESS).await
}

/// Transaction UID, and SOP classes and instances.
type Asked = (String, Vec<(String, String)>);

/// What a request asks for, or the status that says why it cannot be understood.
fn asked(command: &Command, class: &str, syntax: &str, data: &[u8]) -> Result<Asked, u16> {
    let requested = command.string(REQUESTED_SOP_CLASS_UID);
    if class != uids::STORAGE_COMMITMENT_PUSH_MODEL || requested.as_deref() != Some(class) {
        return Err(NO_SUCH_SOP_CLASS);
    }
    let requested = command.string(REQUESTED_SOP_INSTANCE_UID);
    if requested.as_deref() != Some(uids::STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE) {
        return Err(NO_SUCH_SOP_INSTANCE);
    }
    if command.get(ACTION_TYPE_ID) != Some(REQUEST_STORAGE_COMMITMENT) {
        return Err(NO_SUCH_ACTION_TYPE);
    }
    let data = data_set::read(class, syntax, data).map_err(|_| INVALID_ARGUMENT_VALUE)?;
    let uid = |data: &walk::DataSet, tag: Tag| -> Result<String, u16> {
        let uid = data.ascii(tag).filter(|uid| !uid.is_empty());
        let uid = uid.ok_or(MISSING_ATTRIBUTE)?;
        Uid::parse(&uid).map_err(|_| INVALID_ARGUMENT_VALUE)?;
        Ok(uid)
    };
    let transaction = uid(&data, tags::TRANSACTION_UID)?;
    let items = data.items(tags::REFERENCED_SOP_SEQUENCE).iter();
    let instances = items.map(|item| {
        let class = uid(item, tags::REFERENCED_SOP_CLASS_UID)?;
        Ok((class, uid(item, tags::REFERENCED_SOP_INSTANCE_UID)?))
    });
    let instances = instances.collect::<Result<Vec<_>, u16>>()?;
    match instances.is_empty() {
        true => Err(MISSING_ATTRIBUTE),
        false => Ok((transaction, instances)),
    }
}

/// Where the instances are that are asked for, each under the name by which it was asked for: what was
/// de-identified has another one here.
fn places(room: &Room, asked: &Commitment) -> anyhow::Result<HashMap<String, (String, Place)>> {
    let index = room.studies.index();
    let uids = asked.instances.iter().map(|(_, uid)| uid.as_str());
    let mut found = index.places(&Vec::from_iter(uids.clone()))?;
    let gate = &room.config.gate;
    let missing = uids.filter(|uid| !found.contains_key(*uid));
    let stand_ins: HashMap<String, &str> = missing
        .flat_map(|uid| gate.stand_ins(&asked.calling, uid).map(move |it| (it, uid)))
        .collect();
    let names: Vec<&str> = stand_ins.keys().map(String::as_str).collect();
    for (name, place) in index.places(&names)? {
        if let Some(uid) = stand_ins.get(&name) {
            found.insert((*uid).to_owned(), place);
        }
    }
    Ok(found)
}

/// What is answered to a commitment: the event, and its data set.
fn judged(room: &Room, asked: &Commitment) -> anyhow::Result<(u16, DataSet)> {
    let found = places(room, asked)?;
    let (mut safe, mut failed) = (Vec::new(), Vec::new());
    for (class, uid) in &asked.instances {
        let reference = DataSet::default()
            .text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class)
            .text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, uid);
        let reason = match found.get(uid) {
            Some((of_class, _)) if of_class != class => CLASS_INSTANCE_CONFLICT,
            Some((_, Place::File { path, .. })) if path.is_file() => {
                safe.push(reference);
                continue;
            }
            // What lies in another archive, that archive commits itself to.
            _ => NO_SUCH_OBJECT_INSTANCE,
        };
        failed.push(reference.number(tags::FAILURE_REASON, reason));
    }
    let mut answer = DataSet::default().text(tags::TRANSACTION_UID, VR::UI, &asked.transaction_uid);
    let event = match failed.is_empty() {
        true => SUCCESSFUL,
        false => FAILURES_EXIST,
    };
    // Neither of the sequences may be empty (PS3.4 table J.3-2).
    if !safe.is_empty() {
        answer = answer.items(tags::REFERENCED_SOP_SEQUENCE, safe);
    }
    if !failed.is_empty() {
        answer = answer.items(tags::FAILED_SOP_SEQUENCE, failed);
    }
    Ok((event, answer))
}

/// The report as a message.
async fn message(
    room: Arc<Room>,
    commitment: Commitment,
    message_id: u16,
    transfer_syntax: String,
) -> anyhow::Result<(Command, Bytes)> {
    let judged = spawn_blocking(move || judged(&room, &commitment));
    let (event, data) = judged.await??;
    let class = uids::STORAGE_COMMITMENT_PUSH_MODEL;
    let instance = uids::STORAGE_COMMITMENT_PUSH_MODEL_INSTANCE;
    let command = Command::request(N_EVENT_REPORT_RQ, message_id, true)
        .text(AFFECTED_SOP_CLASS_UID, class)
        .text(AFFECTED_SOP_INSTANCE_UID, instance)
        .number(EVENT_TYPE_ID, event);
    Ok((command, data.write(&transfer_syntax)?))
}

/// Sends a report on the association on which it was asked for.
pub(super) async fn report(serving: &mut Serving<'_>) -> anyhow::Result<()> {
    let Reports { waiting, sent } = &mut serving.reports;
    let next = waiting.iter().enumerate().min_by_key(|(_, it)| it.due);
    let Some((at, _)) = next else {
        return Ok(());
    };
    let Waiting {
        context,
        commitment,
        ..
    } = waiting.remove(at);
    let association = &mut serving.association;
    let message_id = association.new_message_id();
    let agreed = association.contexts.get(&context);
    let syntax = agreed.map(|it| it.transfer_syntax.clone());
    let syntax = syntax.context("a presentation context that is gone")?;
    let room = Arc::clone(&serving.shared.room);
    let (command, data) = message(room, commitment.clone(), message_id, syntax).await?;
    // Before it is sent: if that fails, it is sent elsewhere.
    sent.insert(message_id, commitment);
    association.send(context, &command, Some(data)).await
}

/// A report was answered.
pub(super) async fn taken(serving: &mut Serving<'_>, command: &Command) -> anyhow::Result<()> {
    let Some(commitment) = serving.reports.sent.remove(&command.responds_to()) else {
        bail!("an answer to what was not asked");
    };
    end(serving.shared, &commitment, command).await
}

/// Whatever the other end thinks of the report, it has it.
async fn end(shared: &Shared, commitment: &Commitment, answer: &Command) -> anyhow::Result<()> {
    if answer.status() != SUCCESS {
        let (calling, said) = (&commitment.calling, answer.said());
        tracing::warn!(calling, said, "a storage commitment was not welcome");
    }
    let (index, number) = (shared.index(), commitment.number);
    spawn_blocking(move || index.end_commitment(number)).await?
}
