//! RAD-55 WADO Retrieve: give one instance or an image of it, by a URL (WADO-URI).
//!
//! Asked by browsers and older consumers of images; answered by the imaging source.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#chapter_9>

use std::sync::Arc;

use hilum_audit::{ImagesRetrieved, Recorded};
use hilum_dicom::Uid;
use hilum_transport::Reply;
use hilum_transport::rest::Accept;

use super::asked::Asked;
use super::path::Target;
use super::rad107::{self, EXPLICIT, Found, Given, Rendering};
use super::refused::Refused;
use crate::imaging::Room;

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
    let (here, of) = (Arc::clone(room), target.study.clone());
    let given = tokio::task::spawn_blocking(move || give(&here, &asked, &target));
    rad107::record(room, ImagesRetrieved::Wado, &parties, &of, given.await?).await
}

fn give(room: &Room, asked: &Asked, target: &Target) -> Result<Given, Refused> {
    let found = Found::of(room, target)?;
    let wanted = match asked.parameter("contentType") {
        Some(list) => Accept::parse(list),
        None => asked.accept.clone(),
    };
    let is_image = found.instances.iter().any(|it| it.stored.size.is_some());
    // Images are given as images unless somebody wants them otherwise (9.1.2.2).
    let by_default = match is_image {
        true => "image/jpeg",
        false => DICOM,
    };
    let media = wanted.wanted().find_map(|range| {
        let known = [by_default, "image/jpeg", "image/png", DICOM];
        known.into_iter().find(|media| range.takes(media))
    });
    match media {
        Some(DICOM) => dicom(asked, found),
        Some(media) => image(asked, found, media),
        None => Err(Refused::new(
            406,
            "contentType: application/dicom, image/jpeg and image/png can be given",
        )),
    }
}

/// The instance, in the transfer syntax that is named or, if that cannot be, in Explicit VR Little
/// Endian (9.1.2.2.3).
fn dicom(asked: &Asked, found: Found) -> Result<Given, Refused> {
    if asked.parameter("anonymize").is_some() {
        return Err(Refused::new(400, "anonymize: this is not offered"));
    }
    let instance = found.one()?;
    let stored = instance.stored.transfer_syntax_uid.to_string();
    let wanted = asked.parameter("transferSyntax").unwrap_or(EXPLICIT);
    let syntax = rad107::given_in(&stored, wanted);
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
