//! RAD-108 Store Instances Over the Web: take instances (STOW-RS).
//!
//! Sent by modalities, gateways and browsers; answered by the imaging source. Each instance goes from
//! the connection into a file and through the one way in that all objects take. What is answered as
//! stored is safe; what is kept back until somebody decides is safe too, and answered with a warning.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#sect_10.5>

mod outcome;
mod receiving;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::anyhow;
use hilum_audit::{Event, NotRecorded, Parties, Recorded};
use hilum_dicom::Uid;
use hilum_security::{Caller, Permission};
use hilum_transport::{PermittedRequest, Reply, Trouble};
use tokio::sync::Mutex;
use tokio::task::{JoinSet, spawn_blocking};
use xds_schemas::soap::Fault;

use super::asked::Asked;
use super::rad129::DICOM_JSON;
use super::refused::Refused;
use crate::imaging::Room;
use crate::imaging::access::Guard;
use crate::imaging::index::work::Way;
use crate::imaging::intake::{Object, Taken};

use outcome::{Fate, REFUSED, Stored, Told};
use receiving::Received;

/// Instances of one request that are on their way into the index at a time: more share its commits,
/// until that many wait.
const AT_A_TIME: usize = 32;

/// Takes what comes, of this study or of any.
pub(super) async fn answer(
    room: &Arc<Room>,
    request: PermittedRequest,
    study: Option<Uid>,
) -> Result<Recorded<Reply>, Refused> {
    let asked = Asked::of(room, &request)?;
    asked.takes_json()?;
    let content_type = request.content_type()?;
    let kind = content_type
        .parameter("type")
        .unwrap_or("application/dicom");
    if content_type.essence != "multipart/related"
        || !kind.eq_ignore_ascii_case("application/dicom")
    {
        return Err(Refused::new(
            415,
            "instances come as multipart/related; type=\"application/dicom\"",
        ));
    }
    let caller = request.request().caller();
    let guard = Guard::of(room, caller, Permission::Provide);
    let storing = Arc::new(Storing {
        room: Arc::clone(room),
        parties: asked.parties.clone(),
        study,
        origin: format!("STOW-RS from {}", caller.address.ip()),
        begun: Mutex::default(),
        caller: caller.clone(),
        guard: guard.clone(),
        sees_all: Guard::of(room, caller, Permission::Query).is_none(),
    });
    let mut told = Told::default();
    let came = storing.take_all(request, &mut told).await;
    // What came before the trouble is here, and recorded, whatever is answered.
    if let Err(trouble) = &came
        && told.is_empty()
    {
        return Err(Refused::new(trouble.status(), trouble.to_string()));
    }
    if told.is_empty() {
        return Err(Refused::new(400, "the request holds no instance"));
    }
    let event = told.event(room, &asked.parties);
    let event = Guard::with_alerts(guard.as_ref(), event);
    let refused = told.not_permitted();
    let refused = refused.then(|| Event::refused(&storing.caller, &Fault::not_permitted(REFUSED)));
    let event = refused.into_iter().fold(event, Event::and);
    let (status, json) = told.answer(&asked.base, came.is_ok());
    let mut reply = Reply::plain(status, DICOM_JSON, json);
    for text in told.remarks(came.err().as_ref()) {
        reply = asked.warning(reply, &text);
    }
    Ok(room.audit.record(event, reply).await?)
}

/// A request whose instances are being taken.
struct Storing {
    room: Arc<Room>,
    parties: Parties,
    /// The study to which the request adds.
    study: Option<Uid>,
    /// Where the instances come from, for people.
    origin: String,
    /// Studies of which it is recorded that something of them comes.
    begun: Mutex<BTreeSet<Uid>>,
    caller: Caller,
    /// What may be handed in, if that is not everything.
    guard: Option<Arc<Guard>>,
    /// Whether there is nothing here of which the sender may not know.
    sees_all: bool,
}

impl Storing {
    /// Takes part after part, as they come. Files are looked at and entered meanwhile.
    async fn take_all(
        self: &Arc<Self>,
        request: PermittedRequest,
        told: &mut Told,
    ) -> Result<(), Trouble> {
        let mut taking = JoinSet::new();
        let came = self.spawn_all(request, told, &mut taking).await;
        while let Some(stored) = taking.join_next().await {
            told.add(stored.unwrap_or_else(|error| Stored::trouble(&error.into())));
        }
        came
    }

    async fn spawn_all(
        self: &Arc<Self>,
        request: PermittedRequest,
        told: &mut Told,
        taking: &mut JoinSet<Stored>,
    ) -> Result<(), Trouble> {
        let mut parts = request.into_parts()?;
        while let Some(part) = parts.next().await? {
            if !part.content_type().is_none_or(is_dicom) {
                told.add(Stored::unreadable("a part is not application/dicom"));
                continue;
            }
            let received = match self.room.intake.begin() {
                Ok(incoming) => Received::of(part, incoming).await?,
                Err(error) => Err(error),
            };
            let received = match received {
                Ok(received) => received,
                Err(error) => {
                    told.add(Stored::trouble(&error));
                    continue;
                }
            };
            while taking.len() >= AT_A_TIME {
                let Some(stored) = taking.join_next().await else {
                    break;
                };
                told.add(stored.unwrap_or_else(|error| Stored::trouble(&error.into())));
            }
            let storing = Arc::clone(self);
            taking.spawn(async move { storing.take(received).await });
        }
        Ok(())
    }

    /// Looks at an object, and lets it go its way if it may.
    async fn take(&self, received: Received) -> Stored {
        let (intake, origin) = (self.room.intake.clone(), self.origin.clone());
        let looked = spawn_blocking(move || intake.look(received.finish()?, &origin, Way::Sent));
        let object = match looked.await {
            Ok(Ok(Ok(object))) => object,
            Ok(Ok(Err(reason))) => return Stored::unreadable(&reason),
            Ok(Err(error)) => return Stored::trouble(&error),
            Err(error) => return Stored::trouble(&error.into()),
        };
        let stored = Stored::of(&object);
        let asked = self.study.as_ref().map(Uid::as_str);
        if asked.is_some_and(|study| study != object.sent_as.study) {
            return stored.ended(Fate::OtherStudy);
        }
        let object = match self.admit(object).await {
            Ok(object) => object,
            Err(fate) => return stored.ended(fate),
        };
        let of_study = &object.told().study_instance_uid;
        if let Err(error) = self.begin(of_study).await {
            return stored.ended(Fate::trouble(&anyhow!(error)));
        }
        let passes = object.passes();
        match self.room.intake.take(object).await {
            // What is here already is what it does not agree with, and the sender may not be meant to know
            // that it is: a study that is hidden is answered as one that is not there. Kept it is.
            Ok(Taken::Quarantined(_)) if passes && !self.sees_all => stored.ended(Fate::Stored),
            Ok(taken) => stored.ended(Fate::from(taken)),
            Err(error) => stored.ended(Fate::trouble(&error)),
        }
    }

    /// Gives the object back if the rules let the sender hand it in.
    async fn admit(&self, object: Object) -> Result<Object, Fate> {
        let Some(guard) = self.guard.clone() else {
            return Ok(object);
        };
        let judged = spawn_blocking(move || (guard.takes(&object), object));
        match judged.await {
            Ok((Ok(()), object)) => Ok(object),
            Ok((Err(refused), _)) => {
                refused.told(&self.caller);
                Err(Fate::NotPermitted)
            }
            Err(error) => Err(Fate::trouble(&error.into())),
        }
    }

    /// Records once that something of a study comes.
    async fn begin(&self, study: &Uid) -> Result<(), NotRecorded> {
        let mut begun = self.begun.lock().await;
        if begun.contains(study) {
            return Ok(());
        }
        let of = outcome::study(&self.room, study.as_str(), Vec::new());
        let event = Event::storing_begun(&self.parties, None, &of);
        self.room.audit.record(event, ()).await?.into_inner();
        begun.insert(study.clone());
        Ok(())
    }
}

fn is_dicom(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/dicom")
}
