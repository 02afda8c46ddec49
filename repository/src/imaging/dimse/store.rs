//! C-STORE (PS3.4 annex B, PS3.7 section 9.1.1): an object is sent here. While it comes, it is
//! written; when it is acknowledged, it is safe.

use std::io::Write as _;
use std::sync::Arc;

use hilum_dicom::part10;
use hilum_security::{Caller, Permission};
use tokio::task::spawn_blocking;
use xds_schemas::soap::Fault;

use super::super::Room;
use super::super::access::Guard;
use super::super::archives::Archive;
use super::super::index::work::Way;
use super::super::intake::{Incoming, Intake, Object, SentAs, Taken, Written};
use super::command::{AFFECTED_SOP_CLASS_UID, AFFECTED_SOP_INSTANCE_UID, Command};
use super::negotiation::uid;
use super::provider::{SUCCESS, Serving};
use super::syntaxes;

/// Bytes that are written at once: all of most objects.
const AT_ONCE: usize = 1024 * 1024;

/// Status of C-STORE (PS3.4 table B.2-1, PS3.7 section 9.1.1.1.9).
const OUT_OF_RESOURCES: u16 = 0xA700;
const DATA_SET_DOES_NOT_MATCH: u16 = 0xA900;
const CANNOT_UNDERSTAND: u16 = 0xC000;
const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
pub(super) const NOT_AUTHORIZED: u16 = 0x0124;
const INVALID_OBJECT_INSTANCE: u16 = 0x0117;

/// Why an object is not taken: what is answered, and why in a sentence for people.
struct Refused {
    status: u16,
    reason: String,
}

impl Refused {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self { status, reason }
    }

    /// What went wrong is ours, and is told to the log only.
    fn out_of_resources(error: &anyhow::Error) -> Self {
        tracing::error!(error = format!("{error:#}"), "an object cannot be kept");
        Self::new(OUT_OF_RESOURCES, "it cannot be kept now")
    }
}

/// The rules do not let the sender do it.
impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::new(NOT_AUTHORIZED, fault.reason)
    }
}

/// Answers a C-STORE request.
pub(super) async fn answer(
    serving: &mut Serving<'_>,
    context: u8,
    command: Command,
) -> anyhow::Result<()> {
    let class = command.string(AFFECTED_SOP_CLASS_UID).unwrap_or_default();
    let instance = command.string(AFFECTED_SOP_INSTANCE_UID);
    let instance = instance.unwrap_or_default();
    let taken = match check(serving, context, &command, &class, &instance) {
        Ok(transfer_syntax) => {
            let head = part10::beginning(&class, &instance, &transfer_syntax);
            receive(serving, context, head, (&class, &instance)).await?
        }
        Err(refused) => {
            while command.has_data() && !serving.association.data(context).await?.1 {}
            Err(refused)
        }
    };
    let response = match taken {
        Ok(()) => command.response(SUCCESS),
        Err(refused) => {
            let (status, reason) = (format!("{:04X}", refused.status), &refused.reason);
            let calling = &serving.calling;
            tracing::warn!(calling, status, reason, "an object was refused");
            serving.told.refused(&refused.reason);
            command.response(refused.status).comment(&refused.reason)
        }
    };
    serving.association.send(context, &response, None).await
}

/// What can be judged before the object comes. Gives the transfer syntax.
fn check(
    serving: &Serving<'_>,
    context: u8,
    command: &Command,
    class: &str,
    instance: &str,
) -> Result<String, Refused> {
    let agreed = serving.association.contexts.get(&context);
    let agreed = agreed.filter(|agreed| {
        syntaxes::is_storage(&agreed.abstract_syntax) && uid(class) == agreed.abstract_syntax
    });
    let Some(agreed) = agreed else {
        let reason = "its SOP Class UID is not that of the presentation context";
        return Err(Refused::new(SOP_CLASS_NOT_SUPPORTED, reason));
    };
    if hilum_dicom::Uid::parse(instance).is_err() {
        let reason = "Affected SOP Instance UID is no UID";
        return Err(Refused::new(INVALID_OBJECT_INSTANCE, reason));
    }
    if !command.has_data() {
        return Err(Refused::new(CANNOT_UNDERSTAND, "there is no data set"));
    }
    if awaited_from(serving, instance).is_none() {
        serving.admitted()?;
    }
    Ok(agreed.transfer_syntax.clone())
}

/// Takes the data set from the association and hands it in. Fails if the association cannot go on.
async fn receive(
    serving: &mut Serving<'_>,
    context: u8,
    head: Vec<u8>,
    named: (&str, &str),
) -> anyhow::Result<Result<(), Refused>> {
    let most = serving.shared.config.longest_object;
    let mut file = Writing::begin(serving.shared.room.intake.clone(), head);
    let (mut failed, mut length) = (None, 0_u64);
    loop {
        let (bytes, is_last) = serving.association.data(context).await?;
        length += bytes.len() as u64;
        if length > most {
            // Whoever sends so much cannot be made to stop otherwise.
            anyhow::bail!("an object is longer than {most} bytes");
        }
        // After a failure, the rest is read to be able to say so.
        if failed.is_none() {
            file.put(&bytes);
            if file.waiting.len() >= AT_ONCE {
                match file.flush().await {
                    Ok(flushed) => file = flushed,
                    Err(error) => {
                        failed = Some(error);
                        file = Writing::begin(serving.shared.room.intake.clone(), Vec::new());
                    }
                }
            }
        }
        if is_last {
            break;
        }
    }
    if let Some(error) = failed {
        return Ok(Err(Refused::out_of_resources(&error)));
    }
    if let Some(archive) = awaited_from(serving, named.1) {
        return Ok(hand_over(archive, file, named.1).await);
    }
    let origin = format!("{} at {}", serving.calling, serving.caller.address.ip());
    Ok(match file.finish(origin).await {
        Ok(object) => hand_in(serving, object, named).await,
        Err(refused) => Err(refused),
    })
}

/// The archive beside us that was asked to send this object here, if it is the one who calls.
fn awaited_from(serving: &Serving<'_>, instance: &str) -> Option<Arc<Archive>> {
    let archives = serving.shared.room.archives.get()?;
    let instance = hilum_dicom::Uid::parse(instance).ok()?;
    archives.awaiting(&serving.calling, &instance).cloned()
}

/// Hands an object to whoever waits for it. It is not ours: nothing of it is taken in, and that it was
/// fetched is recorded where that was asked.
async fn hand_over(archive: Arc<Archive>, file: Writing, instance: &str) -> Result<(), Refused> {
    let instance = instance.to_owned();
    let handed = spawn_blocking(move || {
        let incoming = file.complete()?;
        let instance = hilum_dicom::Uid::parse(&instance)?;
        archive.arrived(&instance, incoming.path())?;
        anyhow::Ok(())
    });
    match handed.await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Refused::out_of_resources(&error)),
        Err(error) => Err(Refused::out_of_resources(&error.into())),
    }
}

/// Hands in an object of which the file is complete.
async fn hand_in(
    serving: &mut Serving<'_>,
    object: Object,
    named: (&str, &str),
) -> Result<(), Refused> {
    let room = &serving.shared.room;
    if !is_named(&object.sent_as, named) {
        let reason = "SOP Class or Instance UID of the data set is not that of the command";
        return Err(Refused::new(DATA_SET_DOES_NOT_MATCH, reason));
    }
    let object = admit(room, &serving.caller, object).await?;
    let instance = object.told();
    let begun = serving.told.begins(room, instance).await;
    begun.map_err(|error| Refused::out_of_resources(&error))?;
    let study = instance.study_instance_uid.to_string();
    let class = instance.sop_class_uid.to_string();
    let taken = room.intake.take(object).await;
    match taken.map_err(|error| Refused::out_of_resources(&error))? {
        Taken::Stored | Taken::AlreadyHere => {}
        Taken::Quarantined(reasons) => {
            let (calling, reasons) = (&serving.calling, reasons.join("; "));
            tracing::warn!(calling, study, reasons, "an object is kept back");
        }
        Taken::Refused(reason) => return Err(Refused::new(CANNOT_UNDERSTAND, reason)),
    }
    serving.told.kept(&study, &class);
    Ok(())
}

/// Gives the object back if the rules let the sender hand it in.
async fn admit(room: &Room, caller: &Caller, object: Object) -> Result<Object, Refused> {
    let Some(guard) = Guard::of(room, caller, Permission::Provide) else {
        return Ok(object);
    };
    // Nobody breaks the glass here, since there are no users.
    let judged = spawn_blocking(move || (guard.takes(&object), object));
    match judged.await {
        Ok((Ok(()), object)) => Ok(object),
        Ok((Err(refused), _)) => Err(refused.told(caller).into()),
        Err(error) => Err(Refused::out_of_resources(&error.into())),
    }
}

fn is_named(object: &SentAs, (class, sop_instance): (&str, &str)) -> bool {
    object.class == class && object.instance == sop_instance
}

/// A file that is being written. Most objects are short: they are written, looked at and synced in one
/// go, on a thread that may wait for the disk.
struct Writing {
    intake: Intake,
    file: Option<(Incoming, Written)>,
    waiting: Vec<u8>,
}

impl Writing {
    const fn begin(intake: Intake, head: Vec<u8>) -> Self {
        Self {
            intake,
            file: None,
            waiting: head,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    /// Writes what waits.
    async fn flush(mut self) -> anyhow::Result<Self> {
        let written = spawn_blocking(move || {
            self.write()?;
            Ok(self)
        });
        written.await?
    }

    fn write(&mut self) -> anyhow::Result<()> {
        let (_, file) = match &mut self.file {
            Some(file) => file,
            none => {
                let incoming = self.intake.begin()?;
                let file = incoming.output()?;
                none.insert((incoming, file))
            }
        };
        file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the rest.
    fn complete(mut self) -> anyhow::Result<Incoming> {
        self.write()?;
        match self.file {
            Some((incoming, file)) => {
                file.finish()?;
                Ok(incoming)
            }
            None => anyhow::bail!("there is no file"),
        }
    }

    /// Writes the rest, looks at it, and makes it durable.
    async fn finish(self, origin: String) -> Result<Object, Refused> {
        let looked = spawn_blocking(move || {
            let intake = self.intake.clone();
            intake.look(self.complete()?, &origin, Way::Sent)
        });
        match looked.await {
            Ok(Ok(Ok(object))) => Ok(object),
            Ok(Ok(Err(reason))) => Err(Refused::new(CANNOT_UNDERSTAND, reason)),
            Ok(Err(error)) => Err(Refused::out_of_resources(&error)),
            // An object that makes a library fail is one that cannot be read.
            Err(_) => {
                let reason = "reading it failed unexpectedly";
                Err(Refused::new(CANNOT_UNDERSTAND, reason))
            }
        }
    }
}
