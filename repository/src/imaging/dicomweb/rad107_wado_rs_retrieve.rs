//! RAD-107 WADO-RS Retrieve: give instances, what they say, and their pixels.
//!
//! Asked by viewers and other consumers of images; answered by the imaging source. Instances go from
//! their files to the connection, and are converted only if nobody wants them as they are stored. One
//! that cannot be given does not keep the others back.
//! <https://dicom.nema.org/medical/dicom/current/output/html/part18.html#sect_10.4>

mod bulkdata;
mod conversion;
mod elsewhere;
mod frames;
mod instances;
mod metadata;
mod rendered;
mod representation;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use hilum_audit::{Event, ImagesRetrieved, Outcome, Parties, Recorded, Study};
use hilum_dicom::Uid;
use hilum_dicom::scan::{Place, StoredInstance};
use hilum_security::Permission;
use hilum_transport::{PartSource, Reply, Stream};

use super::asked::Asked;
use super::path::{Target, What};
use super::rad129::DICOM_JSON;
use super::refused::Refused;
use crate::imaging::Room;
use crate::imaging::access::Guard;
use crate::imaging::cache::Loaded;
use crate::imaging::document_entry::patient_id;
use crate::imaging::place::{self, Here, ToGive, readable_file_of};

pub(super) use conversion::given_in;
pub(super) use elsewhere::{Need, fetch};
pub(super) use instances::source;
pub(super) use rendered::{Rendering, render};
pub(super) use representation::EXPLICIT;

/// Gives what is there of what is asked for.
pub(super) async fn answer(
    room: &Arc<Room>,
    asked: Asked,
    target: Target,
    what: What,
) -> Result<Recorded<Reply>, Refused> {
    let (parties, of) = (asked.parties.clone(), target.study.clone());
    let guard = Guard::of(room, &asked.caller, Permission::Retrieve);
    let given = give(room, asked, (target, guard.clone()), what).await;
    let recorded = (ImagesRetrieved::WadoRs, guard.as_ref());
    record(room, recorded, &parties, &of, given).await
}

async fn give(
    room: &Arc<Room>,
    asked: Asked,
    (target, guard): (Target, Option<Arc<Guard>>),
    what: What,
) -> Result<Given, Refused> {
    let mut found = look_up(room, target, guard).await?;
    if !found.elsewhere.is_empty() {
        if matches!(what, What::Metadata) && place::tells(room, &found.elsewhere) {
            return metadata::give_with_archives(room, asked, found).await;
        }
        let needs = elsewhere::needs(&asked, &found, &what)?;
        fetch(room, &mut found, &needs).await?;
    }
    // Giving reads files.
    let given = tokio::task::spawn_blocking(move || match what {
        What::Dicom => instances::give(&asked, found),
        What::Metadata => metadata::give(&asked, found),
        What::Bulkdata(place) => bulkdata::give(&asked, found, &place),
        What::Frames(numbers) => frames::give(&asked, found, &numbers),
        What::Rendered(numbers) => rendered::give(&asked, found, &numbers),
        What::Thumbnail(numbers) => rendered::give_thumbnail(&asked, found, &numbers),
    });
    given.await?
}

/// Looks up what is asked for.
pub(super) async fn look_up(
    room: &Arc<Room>,
    target: Target,
    guard: Option<Arc<Guard>>,
) -> Result<Found, Refused> {
    let here = Arc::clone(room);
    tokio::task::spawn_blocking(move || Found::of(&here, &target, guard.as_deref())).await?
}

/// Records what is given, or that it is not there.
pub(super) async fn record(
    room: &Arc<Room>,
    (transaction, guard): (ImagesRetrieved, Option<&Arc<Guard>>),
    parties: &Parties,
    study: &Uid,
    given: Result<Given, Refused>,
) -> Result<Recorded<Reply>, Refused> {
    let of_study = |classes: BTreeMap<String, u64>| Study {
        instance_uid: study.to_string(),
        sop_classes: classes.into_iter().collect(),
        repository_unique_id: Some(room.config.repository_unique_id.to_string()),
        home_community_id: room
            .config
            .home_community_id
            .as_ref()
            .map(ToString::to_string),
    };
    match given {
        Ok(given) => {
            let outcome = match given.missing {
                0 => Outcome::Success,
                missing => Outcome::Partial(format!("{missing} instances were not given")),
            };
            let studies = [of_study(given.classes)];
            let patient = given.patient.as_deref();
            let event = Event::images_retrieved(transaction, parties, patient, &studies, &outcome);
            let event = Guard::with_alerts(guard, event);
            Ok(room.audit.record(event, given.reply).await?)
        }
        Err(refused) if matches!(refused.status, 404 | 410 | 502) => {
            let studies = [of_study(BTreeMap::new())];
            let outcome = Outcome::Failure(refused.reason.clone());
            let event = Event::images_retrieved(transaction, parties, None, &studies, &outcome);
            Err(refused.recorded_as(event))
        }
        Err(refused) => Err(refused),
    }
}

/// What is given, and what is recorded of it.
pub(super) struct Given {
    reply: Reply,
    patient: Option<String>,
    /// How many instances of each SOP class.
    classes: BTreeMap<String, u64>,
    /// How many instances are left out.
    missing: usize,
}

impl Given {
    /// Something of these instances.
    pub(super) fn of<'a>(
        found: &Found,
        instances: impl IntoIterator<Item = &'a Instance>,
        reply: Reply,
    ) -> Self {
        let mut classes = BTreeMap::new();
        let mut count = 0;
        for instance in instances {
            let class = instance.stored.sop_class_uid.to_string();
            *classes.entry(class).or_default() += 1;
            count += 1;
        }
        Self {
            reply,
            patient: found.patient.clone(),
            classes,
            missing: found.wanted - count,
        }
    }
}

/// The instances that are asked for, as far as they are there.
pub(super) struct Found {
    loaded: Arc<Loaded>,
    pub(super) instances: Vec<Instance>,
    /// Those that are in archives.
    pub(super) elsewhere: Vec<ToGive>,
    /// Whose they are, as CX.
    patient: Option<String>,
    /// How many there should be.
    wanted: usize,
    /// How many of these are images.
    images: usize,
    /// Why one of the others cannot be given.
    problem: Option<String>,
}

/// An instance that is there.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) stored: StoredInstance,
    pub(super) series: Uid,
    pub(super) study: Uid,
    pub(super) path: Here,
    /// It passes through: once.
    passing: Option<Passing>,
}

/// Where something comes from that is given once.
type Passing = Arc<Mutex<Option<PartSource>>>;

impl Instance {
    /// Where it can be had.
    pub(super) fn url(&self, base: &str) -> String {
        let (study, series) = (&self.study, &self.series);
        let instance = &self.stored.sop_instance_uid;
        format!("{base}/studies/{study}/series/{series}/instances/{instance}")
    }
}

impl Found {
    /// Looks up what is asked for. What was rejected, is kept back or may not be had is as good as not
    /// there.
    pub(super) fn of(room: &Room, target: &Target, guard: Option<&Guard>) -> Result<Self, Refused> {
        let nothing = || {
            let what = match (&target.series, &target.instance) {
                (_, Some(_)) => "instance",
                (Some(_), None) => "series",
                (None, None) => "study",
            };
            Refused::new(404, format!("there is no such {what} here"))
        };
        let loaded = room.studies.study(&target.study)?;
        let loaded = loaded.filter(|it| guard.is_none_or(|guard| guard.gives(it)));
        let loaded = loaded.ok_or_else(nothing)?;
        // A study that is not published yet has a patient too.
        let patient = loaded.indexed.patient_id.clone().or_else(|| {
            let patient = patient_id(&room.config, &loaded.indexed.study);
            patient.map(|patient| patient.to_string())
        });
        let mut found = Self {
            loaded: Arc::clone(&loaded),
            patient,
            instances: Vec::new(),
            elsewhere: Vec::new(),
            wanted: 0,
            images: 0,
            problem: None,
        };
        if let Some(instance) = &target.instance {
            let (series, instance) = loaded.find(instance).ok_or_else(nothing)?;
            if target.series.as_ref().is_some_and(|it| *it != series.uid) {
                return Err(nothing());
            }
            found.add(&series.uid, instance);
        } else {
            let all = loaded.indexed.study.series.iter();
            let wanted = all.filter(|it| target.series.as_ref().is_none_or(|uid| *uid == it.uid));
            for series in wanted {
                for instance in &series.instances {
                    found.add(&series.uid, instance);
                }
            }
        }
        match (found.wanted, found.instances.is_empty()) {
            (0, _) => Err(nothing()),
            (_, true) if found.elsewhere.is_empty() => {
                Err(Refused::new(404, found.problem.unwrap_or_default()))
            }
            _ => Ok(found),
        }
    }

    fn add(&mut self, series: &Uid, instance: &StoredInstance) {
        self.wanted += 1;
        self.images += usize::from(instance.size.is_some());
        let study = self.loaded.indexed.study.uid.clone();
        if matches!(instance.place, Place::Archive(_)) {
            return self.elsewhere.push(ToGive {
                study,
                series: series.clone(),
                stored: instance.clone(),
                patient: self.patient.clone(),
                syntaxes: [].into(),
            });
        }
        match readable_file_of(instance) {
            Ok((path, length)) => self.instances.push(Instance {
                stored: instance.clone(),
                series: series.clone(),
                study,
                path: Here::File(path, length),
                passing: None,
            }),
            Err(problem) => self.problem = Some(problem),
        }
    }

    /// The status of an answer that holds so many of them, and the answer with a word about the rest.
    fn partly(&self, asked: &Asked, given: usize, reply: impl FnOnce(u16) -> Reply) -> Reply {
        match self.wanted - given {
            0 => reply(200),
            missing => {
                let text = format!("{missing} instances cannot be given");
                asked.warning(reply(206), &text)
            }
        }
    }

    /// The instance, if one alone is asked for.
    pub(super) fn one(&self) -> Result<&Instance, Refused> {
        let one = self.instances.first();
        one.ok_or_else(|| Refused::new(404, "there is no such instance here"))
    }
}

/// An answer in DICOM JSON.
pub(super) fn json(json: String, gzip: bool) -> Result<Reply, Refused> {
    if !gzip || json.len() < 1024 {
        return Ok(Reply::plain(200, DICOM_JSON, json).and_header("vary", "Accept-Encoding"));
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let compressed = encoder
        .write_all(json.as_bytes())
        .and_then(|()| encoder.finish());
    let compressed = compressed.map_err(anyhow::Error::from)?;
    let reply = Reply::plain(200, DICOM_JSON, compressed);
    Ok(compressed_reply(reply))
}

/// An answer in DICOM JSON that is written while it is sent.
fn written_json(
    status: u16,
    gzip: bool,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
) -> Reply {
    let stream = Stream::written(None, move |out| {
        if !gzip {
            return write(out);
        }
        let mut encoder = GzEncoder::new(out, Compression::fast());
        write(&mut encoder)?;
        encoder.finish().map(drop)
    });
    let reply = Reply::content(status, DICOM_JSON, PartSource::Stream(stream));
    match gzip {
        true => compressed_reply(reply),
        false => reply.and_header("vary", "Accept-Encoding"),
    }
}

fn compressed_reply(reply: Reply) -> Reply {
    let reply = reply.and_header("content-encoding", "gzip");
    reply.and_header("vary", "Accept-Encoding")
}
