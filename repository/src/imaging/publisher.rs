//! The one that publishes what was sent here, study by study, when nothing more of it comes.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use hilum_dicom::Uid;
use hilum_transport::Client;
use tokio::time::timeout;
use xds_schemas::affinity_codes::AffinityCodes;

use super::Room;
use super::import::{Fate, Importing};
use super::index::work::{Claimant, now};
use super::publish::publish;

/// Studies that are looked up at one time.
const TOGETHER: i64 = 16;
/// How long to sleep if nobody rings.
const PAUSE: Duration = Duration::from_millis(500);
/// The first pause after something went wrong; each further one is twice as long.
const FIRST_PAUSE_MILLISECONDS: i64 = 5_000;
/// And the longest.
const LONGEST_PAUSE_MILLISECONDS: i64 = 3_600_000;

/// How studies that were sent here become findable.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// The codes of the affinity domain.
    pub codes: AffinityCodes,
    /// The URL of the repository that takes the manifests (RAD-68).
    pub repository: String,
    /// The URL of the registry, to ask what became of a manifest whose answer was lost (ITI-18).
    pub registry: Option<String>,
    /// How to reach them.
    pub client: Client,
}

/// Publishes until the room is gone.
pub(super) async fn run(publishing: Publishing, room: Weak<Room>) {
    if let Some(here) = room.upgrade()
        && let Err(error) = describe_anew(here).await
    {
        tracing::error!(
            error = format!("{error:#}"),
            "studies are not described anew"
        );
    }
    loop {
        let Some(here) = room.upgrade() else {
            return;
        };
        match round(&publishing, &here).await {
            // There may be more.
            Ok(published) if published > 0 => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "studies cannot be published");
            }
        }
        let arrived = Arc::clone(&here.intake.arrived);
        drop(here);
        // Whether somebody rings or not: then it is time to look.
        let _ = timeout(PAUSE, arrived.notified()).await;
    }
}

/// Has studies that were published in another way looked at again.
async fn describe_anew(room: Arc<Room>) -> anyhow::Result<()> {
    let described = room.config.described();
    let begun =
        tokio::task::spawn_blocking(move || room.studies.index().describe_anew(&described, now()));
    if begun.await?? {
        tracing::info!("manifests are made otherwise now: studies are published anew");
    }
    Ok(())
}

/// Publishes what is due, and says how many studies that were.
async fn round(publishing: &Publishing, room: &Arc<Room>) -> anyhow::Result<usize> {
    let index = room.studies.index().clone();
    let due = tokio::task::spawn_blocking(move || index.due(now(), TOGETHER)).await??;
    let mut published = 0;
    for study in due {
        let index = room.studies.index();
        if !index.claim(&study, Claimant::Node, now())? {
            continue;
        }
        one(publishing, room, &study).await?;
        published += 1;
    }
    Ok(published)
}

async fn one(publishing: &Publishing, room: &Arc<Room>, study: &Uid) -> anyhow::Result<()> {
    let index = room.studies.index();
    let importing = Importing {
        config: &room.config,
        codes: &publishing.codes,
        repository: &publishing.repository,
        registry: publishing.registry.as_deref(),
        client: &publishing.client,
        audit: &room.audit,
        now: SystemTime::now(),
    };
    let mut remarks = Vec::new();
    let came = publish(&importing, index, study, &mut remarks).await;
    for remark in remarks {
        tracing::info!(%study, remark, "a study is being published");
    }
    let (fate, generation) = match came {
        Ok(Some(came)) => came,
        Ok(None) => return Ok(()),
        Err(error) => {
            put_off(room, study, &format!("{error:#}"))?;
            return Err(error);
        }
    };
    match fate {
        Fate::Registered { .. }
        | Fate::Replaced { .. }
        | Fate::Withdrawn { .. }
        | Fate::Unchanged { .. } => index.done(study, generation),
        Fate::KeptBack(reasons) => {
            tracing::warn!(%study, reasons = reasons.join("; "), "a study is kept back");
            index.done(study, generation)
        }
        // Nothing that time alone mends.
        Fate::Unsuitable(why) => {
            tracing::warn!(%study, why, "a study is not published");
            index.leave(study, &why, generation)
        }
        Fate::Refused(errors) => {
            let errors = errors.iter();
            let why: Vec<String> = errors.map(|it| it.code.as_str().to_owned()).collect();
            put_off(
                room,
                study,
                &format!("its manifest was refused: {}", why.join(" ")),
            )
        }
        Fate::Unanswered(why) => put_off(room, study, &why),
    }
}

/// It is tried again later: an unknown patient may be announced, a registry started.
fn put_off(room: &Arc<Room>, study: &Uid, why: &str) -> anyhow::Result<()> {
    let index = room.studies.index();
    let attempts = u32::try_from(index.attempts(study)?).unwrap_or(0).min(20);
    let pause = FIRST_PAUSE_MILLISECONDS << attempts;
    let pause = pause.min(LONGEST_PAUSE_MILLISECONDS);
    tracing::warn!(%study, why, pause, "a study is not published yet");
    index.put_off(study, why, now() + pause)
}
