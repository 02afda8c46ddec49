//! What is to be done for studies, and by whom: arrivals, publishing, what is kept back.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::instance::Instance;
use hilum_dicom::rejection::Title;
use hilum_dicom::scan::{Place, Series, StoredInstance, Study, TakenBack};
use hilum_security::at_rest::fields::{self as at_rest, Fields};

use super::fields::{STUDY_FACTS, TROUBLE};
use super::schema::studies;
use super::{Index, milliseconds, rejections, rows};

/// An instance that has come to stay.
#[derive(Debug)]
pub(in crate::imaging) struct Arrival {
    /// What its file says.
    pub(in crate::imaging) instance: Instance,
    /// What it takes back, if it is a rejection note.
    pub(in crate::imaging) rejects: Option<TakenBack>,
    /// How it has come.
    pub(in crate::imaging) way: Way,
    /// Where it is.
    pub(in crate::imaging) place: Place,
}

/// What became of an arrival.
#[derive(Debug)]
pub(in crate::imaging) enum Added {
    /// It is in the index.
    New,
    /// One of its name is in the index already, in this file if in any.
    Known(Option<PathBuf>),
    /// It cannot be in the study that it names.
    Unfit(&'static str),
    /// It was taken back.
    TakenBack(Title),
}

/// How an object comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) enum Way {
    /// Somebody sends it.
    Sent,
    /// It lies in a folder that is imported, and will lie there the next time.
    Imported,
    /// Somebody has let it out of quarantine, whatever rule cards say.
    Released,
}

impl Way {
    /// Whether one that was taken back may come in this way nevertheless. Of rejection for quality the
    /// framework says nothing, so a person decides.
    const fn brings_back(self, title: Title) -> bool {
        match self {
            Self::Sent => title.effect().may_return,
            Self::Imported => false,
            Self::Released => title.effect().may_return || matches!(title, Title::Quality),
        }
    }
}

/// A study is somebody's for so long at most.
const CLAIM_MILLISECONDS: i64 = 600_000;

/// Who works on a study.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::imaging) enum Claimant {
    /// The node, which publishes what was sent to it.
    Node,
    /// The command that imports folders or removes studies, of which only one runs at a time.
    Import,
}

impl Claimant {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Import => "import",
        }
    }
}

/// Studies that nobody else works on.
#[diesel::dsl::auto_type]
fn claimable(claimant: Claimant, now: i64) -> _ {
    let own: &'static str = claimant.as_str();
    studies::claimed_until
        .le(now)
        .or(studies::claimed_by.eq(own))
}

/// When a study that changed is to be published.
#[derive(Debug, Clone, Copy)]
pub(in crate::imaging) struct Settling {
    /// Now, in milliseconds since 1970.
    pub(in crate::imaging) now: i64,
    /// After so many milliseconds without another arrival.
    pub(in crate::imaging) quiet: i64,
}

impl Index {
    /// Adds instances to their studies, all in one transaction.
    pub(in crate::imaging) fn add(
        &self,
        arrivals: &[&Arrival],
        settling: Settling,
    ) -> anyhow::Result<Vec<Added>> {
        self.connections.write(|connection| {
            let uids: Vec<&str> = arrivals
                .iter()
                .map(|it| it.instance.sop_instance_uid.as_str())
                .collect();
            let mut adding = Adding::begin((connection, &self.fields), self.objects(), &uids)?;
            let added: Vec<Added> = arrivals
                .iter()
                .map(|arrival| adding.one(arrival, settling.now))
                .collect::<Result<_, _>>()?;
            adding.save(settling)?;
            Ok(added)
        })
    }

    /// Studies for which something is to be done now, those that have waited longest first.
    pub(in crate::imaging) fn due(&self, now: i64, most: i64) -> anyhow::Result<Vec<Uid>> {
        let uids: Vec<String> = self.connections.read(|connection| {
            let due = studies::table
                .filter(studies::due.le(now))
                .filter(claimable(Claimant::Node, now))
                .order(studies::due)
                .limit(most)
                .select(studies::uid);
            Ok(due.load(connection)?)
        })?;
        Ok(uids.iter().filter_map(|uid| Uid::parse(uid).ok()).collect())
    }

    /// Takes a study for oneself, unless the other has it. Each works on one study at a time, so what
    /// it claimed before was left by a process that ended.
    pub(in crate::imaging) fn claim(
        &self,
        study: &Uid,
        claimant: Claimant,
        now: i64,
    ) -> anyhow::Result<bool> {
        self.connections.write(|connection| {
            let free = studies::table
                .filter(studies::uid.eq(study.as_str()))
                .filter(claimable(claimant, now));
            let claimed = diesel::update(free)
                .set((
                    studies::claimed_by.eq(claimant.as_str()),
                    studies::claimed_until.eq(now + CLAIM_MILLISECONDS),
                ))
                .execute(connection)?;
            Ok(claimed == 1)
        })
    }

    /// Lets a study go. If nothing has changed since `generation`, nothing more is to be done for it.
    pub(in crate::imaging) fn done(&self, study: &Uid, generation: i64) -> anyhow::Result<()> {
        self.connections.write(|connection| {
            let of_study = studies::table.filter(studies::uid.eq(study.as_str()));
            diesel::update(of_study.filter(studies::generation.eq(generation)))
                .set((
                    studies::due.eq(None::<i64>),
                    studies::attempts.eq(0),
                    studies::trouble.eq(None::<String>),
                ))
                .execute(connection)?;
            diesel::update(of_study)
                .set(studies::claimed_until.eq(0_i64))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Lets a study go for which something could not be done; it is tried again at `due`.
    pub(in crate::imaging) fn put_off(
        &self,
        study: &Uid,
        trouble: &str,
        due: i64,
    ) -> anyhow::Result<()> {
        let trouble = &*self.trouble(study, trouble)?;
        self.connections.write(|connection| {
            diesel::update(studies::table.filter(studies::uid.eq(study.as_str())))
                .set((
                    studies::due.eq(due),
                    studies::attempts.eq(studies::attempts + 1),
                    studies::trouble.eq(trouble),
                    studies::claimed_until.eq(0_i64),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Lets a study go for which nothing can be done as it is. If it has changed since `generation`, it
    /// is looked at again.
    pub(in crate::imaging) fn leave(
        &self,
        study: &Uid,
        trouble: &str,
        generation: i64,
    ) -> anyhow::Result<()> {
        let trouble = &*self.trouble(study, trouble)?;
        self.connections.write(|connection| {
            let of_study = studies::table.filter(studies::uid.eq(study.as_str()));
            diesel::update(of_study.filter(studies::generation.eq(generation)))
                .set(studies::due.eq(None::<i64>))
                .execute(connection)?;
            diesel::update(of_study)
                .set((
                    studies::trouble.eq(trouble),
                    studies::claimed_until.eq(0_i64),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Why something could not be done, as it is kept: it may say whose the study is.
    fn trouble<'t>(&self, study: &Uid, trouble: &'t str) -> anyhow::Result<Cow<'t, str>> {
        let place = at_rest::Place::of(TROUBLE, study);
        Ok(self.fields.seal(place, trouble)?)
    }

    /// How often publishing a study has failed since it changed.
    pub(in crate::imaging) fn attempts(&self, study: &Uid) -> anyhow::Result<i32> {
        self.connections.read(|connection| {
            let of_study = studies::table.filter(studies::uid.eq(study.as_str()));
            let attempts = of_study.select(studies::attempts).first(connection);
            Ok(attempts.optional()?.unwrap_or(0))
        })
    }
}

/// Arrivals on their way into their studies. Only what they touch is read: a study may have thousands
/// of instances, which come one by one.
pub(super) struct Adding<'c> {
    connection: &'c mut SqliteConnection,
    fields: &'c Fields,
    /// Where files lie that are ours.
    objects: PathBuf,
    /// By SOP Instance UID: the study they are in, and what is known of them.
    known: HashMap<String, (String, StoredInstance)>,
    studies: BTreeMap<Uid, Growing>,
}

/// A study to which something is added.
struct Growing {
    number: i64,
    /// Without its instances, and with those series that grow.
    study: Study,
    series: HashMap<Uid, i64>,
    added: Vec<(i64, StoredInstance)>,
}

impl<'c> Adding<'c> {
    /// Begins to add arrivals of these names.
    pub(super) fn begin(
        (connection, fields): (&'c mut SqliteConnection, &'c Fields),
        objects: PathBuf,
        sop_instance_uids: &[&str],
    ) -> anyhow::Result<Self> {
        let known = rows::find_instances(connection, fields, sop_instance_uids)?;
        Ok(Self {
            connection,
            fields,
            objects,
            known,
            studies: BTreeMap::new(),
        })
    }

    fn one(&mut self, arrival: &Arrival, now: i64) -> anyhow::Result<Added> {
        let instance = &arrival.instance;
        let uid = instance.sop_instance_uid.as_str();
        if let Some((study, known)) = self.known.get(uid) {
            if study != instance.study_instance_uid.as_str() {
                return Ok(Added::Unfit(
                    "its SOP Instance UID is that of an instance of another study",
                ));
            }
            return Ok(Added::Known(known.place.path().map(Path::to_owned)));
        }
        if let Some(rejected) = &arrival.rejects {
            if let Some(known) = rejections::note(self.connection, uid)? {
                return Ok(Added::Known(Some(known)));
            }
            rejections::keep(self.connection, arrival, rejected.title, now)?;
            self.reject(rejected)?;
            return Ok(Added::New);
        }
        let growing = self.growing(instance)?;
        if growing.study.patient.id != instance.patient.id {
            return Ok(Added::Unfit(
                "its Patient ID differs from that of the same study's other instances",
            ));
        }
        let sop_instance = &instance.sop_instance_uid;
        let taken_back = growing.study.rejected_as.get(sop_instance).copied();
        if let Some(title) = taken_back.filter(|title| !arrival.way.brings_back(*title)) {
            return Ok(Added::TakenBack(title));
        }
        let series = self.series(instance)?;
        let of_study = &instance.study_instance_uid;
        let growing = self
            .studies
            .get_mut(of_study)
            .context("a study that grows")?;
        growing.study.rejected.remove(sop_instance);
        growing.study.rejected_as.remove(sop_instance);
        let place = arrival.place.clone();
        let stored = growing.study.add(instance.clone(), place).clone();
        growing.added.push((series, stored.clone()));
        self.known
            .insert(uid.to_owned(), (of_study.to_string(), stored));
        Ok(Added::New)
    }

    /// Takes instances back, in whatever studies they are. Of studies that are not here it is
    /// remembered. Nothing changes if they were taken back before.
    pub(super) fn reject(&mut self, rejected: &TakenBack) -> anyhow::Result<()> {
        self.flush()?;
        let title = rejected.title;
        let mut by_study: BTreeMap<&Uid, Vec<&Uid>> = BTreeMap::new();
        for (study, instance) in &rejected.instances {
            by_study.entry(study).or_default().push(instance);
        }
        for (uid, instances) in by_study {
            let Some((number, _)) = head(self.connection, self.fields, uid)? else {
                rejections::remember(self.connection, uid, &instances, title)?;
                continue;
            };
            let Some(indexed) = super::read(self.connection, self.fields, uid)? else {
                continue;
            };
            let mut study = indexed.study;
            let known = study.rejected_as.clone();
            for instance in &instances {
                study.reject((*instance).clone(), title);
                self.known.remove(instance.as_str());
            }
            let going: Vec<StoredInstance> = study
                .instances()
                .filter(|it| study.rejected.contains(&it.sop_instance_uid))
                .cloned()
                .collect();
            if going.is_empty() && study.rejected_as == known {
                continue;
            }
            if title.effect().may_be_removed {
                let places = going.iter().filter_map(|it| it.place.path());
                let ours = places.filter(|path| path.starts_with(&self.objects));
                rejections::doom(self.connection, ours)?;
            }
            study.drop_rejected();
            rows::save(self.connection, self.fields, number, &study)?;
            self.studies.remove(uid);
            self.growing_of(uid)?;
        }
        Ok(())
    }

    fn growing(&mut self, instance: &Instance) -> anyhow::Result<&Growing> {
        let uid = &instance.study_instance_uid;
        if !self.growing_of(uid)? {
            let mut study = Study::of(instance);
            for (instance, title) in rejections::waiting_for(self.connection, uid)? {
                study.reject(instance, title);
            }
            let number = super::insert(self.connection, self.fields, &study)?;
            self.studies.insert(uid.clone(), Growing::of(number, study));
        }
        self.studies.get(uid).context("a study that grows")
    }

    /// Whether this study is here.
    fn growing_of(&mut self, uid: &Uid) -> anyhow::Result<bool> {
        if self.studies.contains_key(uid) {
            return Ok(true);
        }
        let Some((number, facts)) = head(self.connection, self.fields, uid)? else {
            return Ok(false);
        };
        let study = serde_json::from_str(&facts)?;
        self.studies.insert(uid.clone(), Growing::of(number, study));
        Ok(true)
    }

    /// The row of an instance's series.
    fn series(&mut self, instance: &Instance) -> anyhow::Result<i64> {
        let of_study = &instance.study_instance_uid;
        let growing = self
            .studies
            .get_mut(of_study)
            .context("a study that grows")?;
        let uid = &instance.series_instance_uid;
        if let Some(number) = growing.series.get(uid) {
            return Ok(*number);
        }
        let found = rows::find_series(self.connection, self.fields, growing.number, uid)?;
        let (number, series) = match found {
            Some(found) => found,
            None => {
                let series = Series::of(instance);
                let number = {
                    let of_study = growing.number;
                    rows::save_one_series(self.connection, self.fields, of_study, &series, 0)?
                };
                (number, series)
            }
        };
        growing.study.series.push(series);
        growing.series.insert(uid.clone(), number);
        Ok(number)
    }

    /// Writes what has been added until now.
    fn flush(&mut self) -> anyhow::Result<()> {
        for growing in self.studies.values_mut() {
            let added = std::mem::take(&mut growing.added);
            rows::insert_instances(self.connection, self.fields, growing.number, &added)?;
            for series in &mut growing.study.series {
                let number = (growing.number, growing.series[&series.uid]);
                let more = std::mem::take(&mut series.instances).len();
                rows::grow_series(self.connection, self.fields, number, series, more)?;
            }
        }
        Ok(())
    }

    pub(super) fn save(mut self, settling: Settling) -> anyhow::Result<()> {
        self.flush()?;
        for growing in self.studies.into_values() {
            let mut study = growing.study;
            study.series.clear();
            rows::recount(self.connection, self.fields, growing.number, &study)?;
            diesel::update(studies::table.find(growing.number))
                .set((
                    studies::generation.eq(studies::generation + 1),
                    studies::due.eq(settling.now + settling.quiet),
                    studies::attempts.eq(0),
                    studies::changed.eq(settling.now),
                ))
                .execute(self.connection)?;
        }
        Ok(())
    }
}

impl Growing {
    fn of(number: i64, study: Study) -> Self {
        Self {
            number,
            study,
            series: HashMap::new(),
            added: Vec::new(),
        }
    }
}

fn head(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: &Uid,
) -> anyhow::Result<Option<(i64, String)>> {
    let row = studies::table
        .filter(studies::uid.eq(study.as_str()))
        .select((studies::number, studies::facts));
    let Some((number, facts)) = row.first(connection).optional()? else {
        return Ok(None);
    };
    let facts = fields.open(at_rest::Place::of(STUDY_FACTS, study), facts)?;
    Ok(Some((number, facts)))
}

/// Now, in milliseconds since 1970.
pub(in crate::imaging) fn now() -> i64 {
    milliseconds(SystemTime::now())
}
