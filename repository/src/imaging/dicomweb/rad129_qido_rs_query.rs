//! RAD-129 QIDO-RS Query: find studies, series and instances.
//!
//! Asked by viewers and other consumers of images; answered by the imaging source from its index.
//! What is kept back is not found.
//!
//! Names are compared without case and accents. With `fuzzymatching=true`, a name is found if every
//! word of the question begins another word of the name, in whatever order.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#sect_10.6>

mod found;
mod question;

use std::sync::Arc;

use hilum_audit::{Event, Outcome, Recorded};
use hilum_security::Permission;
use hilum_transport::Reply;

use super::asked::Asked;
use super::path::Scope;
use super::refused::Refused;
use crate::imaging::Room;
use crate::imaging::access::{self, Guard};
use crate::imaging::index::search::{Admission, Hits, StudyFound};

use question::Question;

/// Media type of DICOM JSON.
pub(super) const DICOM_JSON: &str = "application/dicom+json";

/// Gives what is here. `query` is the request as it was sent, for the record.
pub(super) async fn answer(
    room: &Arc<Room>,
    asked: Asked,
    scope: Scope,
    query: String,
) -> Result<Recorded<Reply>, Refused> {
    asked.takes_json()?;
    let question = Question::read(&asked, &scope)?;
    let here = Arc::clone(room);
    let guard = Guard::of(room, &asked.caller, Permission::Query);
    let by = guard.clone();
    let searched = tokio::task::spawn_blocking(move || {
        let hits = search(&here, &question, by.as_deref());
        (question, hits)
    });
    let (question, hits) = searched.await?;
    let hits = hits?;
    let objects = hits
        .hits
        .iter()
        .map(|hit| found::json(hit, &question, &asked.base));
    let objects: Vec<String> = objects.collect();
    let json = format!("[{}]", objects.join(","));
    let mut reply = super::rad107::json(json, asked.gzip)?;
    if hits.more {
        let text = "There are additional results that can be requested";
        reply = asked.warning(reply, text);
    }
    if !question.ignored.is_empty() {
        let names = question.ignored.join(", ");
        let text = format!("These parameters are not supported and were ignored: {names}");
        reply = asked.warning(reply, &text);
    }
    let resource = query.split('?').next().unwrap_or_default();
    let event = Event::images_queried(&asked.parties, resource, &query, &Outcome::Success);
    let event = Guard::with_alerts(guard.as_ref(), event);
    Ok(room.audit.record(event, reply).await?)
}

/// What is found and may be known of.
fn search(room: &Room, question: &Question, guard: Option<&Guard>) -> anyhow::Result<Hits> {
    let index = room.studies.index();
    let Some(guard) = guard else {
        return index.search(&question.search, None);
    };
    let shows = |found: &StudyFound| {
        guard.shows(&access::Asked {
            study: &found.study,
            patient_id: found.patient_id.as_deref(),
            collections: &found.collections,
        })
    };
    let admission = Admission {
        collections: guard.heeds_collections(),
        admits: &shows,
    };
    index.search(&question.search, Some(&admission))
}
