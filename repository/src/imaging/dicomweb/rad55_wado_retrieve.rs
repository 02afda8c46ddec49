//! RAD-55 WADO Retrieve: give one instance or an image of it, by a URL (WADO-URI).
//!
//! Asked by browsers and older consumers of images; answered by the imaging source.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#chapter_9>

use std::sync::Arc;

use hilum_audit::{ImagesRetrieved, Recorded};
use hilum_dicom::Uid;
use hilum_dicom::scan::StoredInstance;
use hilum_security::Permission;
use hilum_transport::Reply;
use hilum_transport::rest::Accept;

use super::asked::Asked;
use super::path::Target;
use super::rad107::{self, EXPLICIT, Found, Given, Need, Rendering};
use super::refused::Refused;
use crate::imaging::Room;
use crate::imaging::access::Guard;

const DICOM: &str = "application/dicom";

/// Gives what the URL names.
pub(super) async fn answer(room: &Arc<Room>, asked: Asked) -> Result<Recorded<Reply>, Refused> {
    if asked.parameter("requestType") != Some("WADO") {
        return Err(Refused::new(400, "requestType: it must be WADO"));
    }
    let uid = |name: &str| {
        let text = asked.parameter(name).unwrap_or_default().trim();
        let uid = Uid::parse(text);
        uid.map_err(|error| Refused::new(400, format!("{name}: it is {error}")))
    };
    let target = Target {
        study: uid("studyUID")?,
        series: Some(uid("seriesUID")?),
        instance: Some(uid("objectUID")?),
    };
    let parties = asked.parties.clone();
    let of = target.study.clone();
    let guard = Guard::of(room, &asked.caller, Permission::Retrieve);
    let given = give(room, asked, target, guard.clone()).await;
    let recorded = (ImagesRetrieved::Wado, guard.as_ref());
    rad107::record(room, recorded, &parties, &of, given).await
}

async fn give(
    room: &Arc<Room>,
    asked: Asked,
    target: Target,
    guard: Option<Arc<Guard>>,
) -> Result<Given, Refused> {
    let mut found = rad107::look_up(room, target, guard).await?;
    let media = media(&asked, &found)?;
    let need = |instance: &StoredInstance| {
        let stored = instance.transfer_syntax_uid.as_str();
        match media == DICOM && given_in(&asked, stored) == stored {
            true => Need::Stream,
            false => Need::File,
        }
    };
    let needs: Vec<Need> = found.elsewhere.iter().map(|it| need(&it.stored)).collect();
    rad107::fetch(room, &mut found, &needs).await?;
    // Giving reads files.
    let given = tokio::task::spawn_blocking(move || match media {
        DICOM => dicom(&asked, found),
        media => image(&asked, found, media),
    });
    given.await?
}

/// What it is given as.
fn media(asked: &Asked, found: &Found) -> Result<&'static str, Refused> {
    let wanted = match asked.parameter("contentType") {
        Some(list) => Accept::parse(list),
        None => asked.accept.clone(),
    };
    let here = found.instances.iter().map(|it| &it.stored);
    let mut all = here.chain(found.elsewhere.iter().map(|it| &it.stored));
    let is_image = all.any(|it| it.size.is_some());
    // Images are given as images unless somebody wants them otherwise (9.1.2.2).
    let by_default = match is_image {
        true => "image/jpeg",
        false => DICOM,
    };
    let media = wanted.wanted().find_map(|range| {
        let known = [by_default, "image/jpeg", "image/png", DICOM];
        known.into_iter().find(|media| range.takes(media))
    });
    media.ok_or_else(|| {
        Refused::new(
            406,
            "contentType: application/dicom, image/jpeg and image/png can be given",
        )
    })
}

/// In which transfer syntax an instance is given that is stored so.
fn given_in(asked: &Asked, stored: &str) -> String {
    let wanted = asked.parameter("transferSyntax").unwrap_or(EXPLICIT);
    rad107::given_in(stored, wanted)
}

/// The instance, in the transfer syntax that is named or, if that cannot be, in Explicit VR Little
/// Endian (9.1.2.2.3).
fn dicom(asked: &Asked, found: Found) -> Result<Given, Refused> {
    if asked.parameter("anonymize").is_some() {
        return Err(Refused::new(400, "anonymize: this is not offered"));
    }
    let instance = found.one()?;
    let stored = instance.stored.transfer_syntax_uid.to_string();
    let syntax = given_in(asked, &stored);
    let source = rad107::source(instance, &syntax);
    let reply = Reply::content(200, DICOM, source);
    Ok(Given::of(&found, &found.instances, reply))
}

fn image(asked: &Asked, found: Found, media: &str) -> Result<Given, Refused> {
    let instance = found.one()?;
    let frame = match asked.parameter("frameNumber") {
        Some(number) => super::path::frames(number)?,
        None => vec![1],
    };
    let [frame] = frame.as_slice() else {
        return Err(Refused::new(400, "frameNumber: it is one number"));
    };
    let rendering = Rendering::of_wado(asked, instance, media)?;
    let reply = rad107::render(instance, *frame, &rendering)?;
    Ok(Given::of(&found, &found.instances, reply))
}
