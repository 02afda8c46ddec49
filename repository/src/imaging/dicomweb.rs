//! DICOMweb, and WADO-URI beside it: what the imaging source answers to those who speak HTTP without
//! SOAP. Read this first.
//!
//! The gates are those of SOAP: nothing is read before it is permitted, and nothing is sent before it
//! is recorded.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html>

mod asked;
mod cors;
mod path;
mod rad107_wado_rs_retrieve;
mod rad108_store_instances_over_the_web;
mod rad129_qido_rs_query;
mod rad55_wado_retrieve;
mod refused;

use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::{Event, Recorded};
use hilum_security::Permission;
use hilum_transport::{Reply, Request};

use super::Room;

use asked::Asked;
use cors::Cors;
use path::{Ask, Target, What};
use rad55_wado_retrieve as rad55;
use rad107_wado_rs_retrieve as rad107;
use rad108_store_instances_over_the_web as rad108;
use rad129_qido_rs_query as rad129;
use refused::Refused;

/// First segment of the paths of DICOMweb.
pub const DICOM_WEB: &str = "dicom-web";
/// Path of WADO-URI.
pub const WADO: &str = "wado";

/// Answers a request. What is refused leaves a record too; what asks only how to ask does not.
pub(super) async fn serve(room: &Arc<Room>, request: Request) -> Reply {
    let cors = Cors::of(&room.config.cors_origins, &request);
    if request.method() == "OPTIONS" {
        return cors.allow(Reply::empty(204).and_header("allow", "GET, HEAD, POST, OPTIONS"));
    }
    let caller = request.caller().clone();
    let reply = match answer(room, request).await {
        Ok(reply) => reply.into_inner(),
        Err(refused) => {
            let (told, reply) = (refused.fault(), refused.reply());
            let event = refused
                .event
                .unwrap_or_else(|| Event::refused(&caller, &told));
            match room.audit.record(event, reply).await {
                Ok(reply) => reply.into_inner(),
                Err(error) => Refused::from(error).reply(),
            }
        }
    };
    cors.allow(reply)
}

/// Everything that is answered.
async fn answer(room: &Arc<Room>, request: Request) -> Result<Recorded<Reply>, Refused> {
    let segments = request.segments()?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let reads = matches!(request.method(), "GET" | "HEAD");
    let path = match segments.as_slice() {
        [WADO] if reads => {
            let request = request.permitted(Permission::Retrieve)?;
            return rad55::answer(room, Asked::of(room, &request)?).await;
        }
        [WADO] => return Err(Refused::method("GET, HEAD")),
        [DICOM_WEB, path @ ..] => path,
        _ => return Err(Refused::new(404, "nothing is served at this path")),
    };
    let ask = path::read(path)?;
    match (ask, request.method()) {
        (Ask::Search(scope), "GET" | "HEAD") => {
            let request = request.permitted(Permission::Query)?;
            let query = format!("{}?{}", request.request().path(), request.request().query());
            rad129::answer(room, Asked::of(room, &request)?, scope, query).await
        }
        (Ask::Retrieve(target, what), "GET" | "HEAD") => {
            let request = request.permitted(Permission::Retrieve)?;
            rad107::answer(room, Asked::of(room, &request)?, target, what).await
        }
        (Ask::Search(scope), "POST") if scope.is_all_studies() => {
            admitted(room, &request)?;
            let request = request.permitted(Permission::Provide)?;
            rad108::answer(room, request, None).await
        }
        (Ask::Retrieve(target, What::Dicom), "POST") if target.series.is_none() => {
            admitted(room, &request)?;
            let request = request.permitted(Permission::Provide)?;
            rad108::answer(room, request, Some(target.study)).await
        }
        (Ask::Search(scope), _) if scope.is_all_studies() => {
            Err(Refused::method("GET, HEAD, POST"))
        }
        (Ask::Retrieve(Target { series: None, .. }, What::Dicom), _) => {
            Err(Refused::method("GET, HEAD, POST"))
        }
        _ => Err(Refused::method("GET, HEAD")),
    }
}

/// Whether the rules let whoever asks hand in anything here, whatever it is.
fn admitted(room: &Room, request: &Request) -> Result<(), Refused> {
    let access = &room.config.access;
    access.admits(request.caller(), Permission::Provide, SystemTime::now())?;
    Ok(())
}
