//! RAD-160: WADO-RS across communities (XC-WADO).
//!
//! The path names the community and the Retrieve Location UID of what is wanted. An Initiating Imaging Gateway
//! puts the address of the community's gateway in the place of its own and asks there; a Responding Imaging
//! Gateway asks the own imaging source to which the UID belongs (RAD-107). What comes goes on as it comes.
//! Nobody is asked but who is configured, whatever a URL says.
//! Profile Cross-Community Web Access to DICOM Objects (XC-WADO)

mod asked;
mod passing;

use hilum_audit::{Event, ImagesRetrieved, NotRecorded, Outcome, Parties, Recorded, Study};
use hilum_security::Permission;
use hilum_transport::{Client, HttpStream, Reply, Request, Trouble};
use xds_schemas::soap::Fault;

use crate::Room;
use crate::asking::{Line, Permit, Silence};
use crate::routes::Side;

use asked::Asked;

/// First segment of the paths of the Initiating Imaging Gateway.
pub const INITIATING: &str = "initiating-wado-rs";
/// First segment of the paths of the Responding Imaging Gateway.
pub const RESPONDING: &str = "responding-wado-rs";

/// Why something is not given, as HTTP says it.
#[derive(Debug)]
struct Refused {
    status: u16,
    reason: String,
    /// What is recorded, if it is not that somebody was refused.
    event: Option<Event>,
}

impl Refused {
    fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            event: None,
        }
    }

    fn reply(&self) -> Reply {
        let text = format!("{}\n", self.reason);
        let reply = Reply::plain(self.status, "text/plain; charset=utf-8", text);
        match self.status {
            405 => reply.and_header("allow", "GET, HEAD"),
            _ => reply,
        }
    }

    fn fault(&self) -> Fault {
        match self.status {
            403 => Fault::not_permitted(self.reason.clone()),
            500.. => Fault::receiver(self.reason.clone()),
            _ => Fault::sender(self.reason.clone()),
        }
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::new(403, fault.reason)
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.status(), trouble.to_string())
    }
}

impl From<NotRecorded> for Refused {
    fn from(error: NotRecorded) -> Self {
        Self::new(503, Fault::from(error).reason)
    }
}

/// Answers a request. What is refused leaves a record too.
pub(crate) async fn serve(room: &Room, side: Side, request: Request) -> Reply {
    let caller = request.caller().clone();
    let refused = match answer(room, side, request).await {
        Ok(reply) => return reply.into_inner(),
        Err(refused) => refused,
    };
    let reply = refused.reply();
    let event = Event::refused(&caller, &refused.fault());
    match room
        .audit
        .record(refused.event.unwrap_or(event), reply)
        .await
    {
        Ok(reply) => reply.into_inner(),
        Err(error) => Refused::from(error).reply(),
    }
}

/// Who is asked.
struct Source<'a> {
    line: &'a Line,
    client: Client,
    /// How people call it.
    name: &'a str,
    url: String,
    /// Whether it gets the caller's token.
    pass_token: bool,
    transaction: ImagesRetrieved,
}

impl Source<'_> {
    fn name_of_transaction(&self) -> &'static str {
        match self.transaction {
            ImagesRetrieved::CrossGatewayWadoRs => "RAD-160",
            _ => "RAD-107",
        }
    }
}

async fn answer(room: &Room, side: Side, request: Request) -> Result<Recorded<Reply>, Refused> {
    if !matches!(request.method(), "GET" | "HEAD") {
        return Err(Refused::new(405, "only GET and HEAD can be asked here"));
    }
    let request = request.permitted(Permission::Retrieve)?;
    let request = request.request();
    let room = &room.for_request(request)?;
    let asked = Asked::read(request)?;
    let entered = room.enter(side, &("RAD-160", &asked)).await;
    let _asked = entered.map_err(|fault| Refused::new(503, fault.reason))?;
    let source = source(room, side, &asked)?;
    let opened = source
        .line
        .ask(
            source.name_of_transaction(),
            passing::open(request, &source),
        )
        .await;
    let study = Study {
        instance_uid: asked.study.clone(),
        sop_classes: Vec::new(),
        repository_unique_id: Some(asked.location.clone()),
        home_community_id: Some(asked.home.clone()),
    };
    let judged = judged(&source, opened);
    let ended = match &judged {
        Ok(_) => Outcome::Success,
        Err(refused) => Outcome::Failure(refused.reason.clone()),
    };
    let user = request.caller().user.clone();
    let parties = Parties::answered(request.caller(), request.endpoint());
    let studies = std::slice::from_ref(&study);
    let across = ImagesRetrieved::CrossGatewayWadoRs;
    let event = Event::images_retrieved(across, &parties, None, studies, &ended);
    let without_query = source.url.split('?').next().unwrap_or_default();
    let parties = Parties::asked(without_query).on_behalf_of(user);
    let kind = source.transaction;
    let event = event.and(Event::images_retrieved(
        kind, &parties, None, studies, &ended,
    ));
    match judged {
        Ok((stream, permit)) => {
            let reply = passing::reply(stream, permit, request.method() == "HEAD");
            Ok(room.audit.record(event, reply).await?)
        }
        Err(mut refused) => {
            refused.event = Some(event);
            Err(refused)
        }
    }
}

/// Where what is asked for is to be had.
fn source<'a>(room: &'a Room, side: Side, asked: &Asked) -> Result<Source<'a>, Refused> {
    let communities = &room.communities;
    if communities.is_own(&asked.home) {
        return Ok(Source {
            line: &communities.own_line,
            client: room.client.clone(),
            name: "the imaging source of this community",
            url: asked.at_source(&communities.own)?,
            // Who is asked here decides, and must know for whom.
            pass_token: true,
            transaction: ImagesRetrieved::WadoRs,
        });
    }
    let known = match side {
        Side::Initiating => communities.other(&asked.home),
        Side::Responding => None,
    };
    let unknown = || {
        Refused::new(
            404,
            format!("{} is no community that is asked here", asked.home),
        )
    };
    let known = known.ok_or_else(unknown)?;
    let community = &known.community;
    let Some(base) = &community.wado else {
        let reason = format!("{} ({}) has no WADO-RS", community.name, community.home);
        return Err(Refused::new(404, reason));
    };
    Ok(Source {
        line: &known.line,
        client: community
            .partner
            .client
            .as_ref()
            .unwrap_or(&room.client)
            .clone(),
        name: &community.name,
        url: asked.at_gateway(base),
        pass_token: community.pass_tokens,
        transaction: ImagesRetrieved::CrossGatewayWadoRs,
    })
}

/// What is passed on, and what is said instead of everything else.
fn judged(
    source: &Source<'_>,
    opened: Result<(HttpStream, Permit), Silence>,
) -> Result<(HttpStream, Permit), Refused> {
    let name = source.name;
    let (stream, permit) = opened.map_err(|silence| {
        let told = silence.told();
        match &silence {
            Silence::Failed(error) => {
                tracing::warn!(name, why = error.why(), "no answer to WADO-RS");
            }
            _ => tracing::warn!(name, told, "no answer to WADO-RS"),
        }
        let status = match silence {
            Silence::Late(_) => 504,
            Silence::Crowded => 503,
            _ => 502,
        };
        Refused::new(status, format!("{name}: {told}"))
    })?;
    match stream.status() {
        200 | 206 | 304 => Ok((stream, permit)),
        401 | 403 => Err(Refused::new(403, format!("{name} does not permit it"))),
        status @ (400 | 404 | 406 | 410 | 416) => Err(Refused::new(
            status,
            format!("{name} answered with status {status}"),
        )),
        status => {
            tracing::warn!(name, status, "WADO-RS was not answered");
            Err(Refused::new(
                502,
                format!("{name} answered with status {status}"),
            ))
        }
    }
}
