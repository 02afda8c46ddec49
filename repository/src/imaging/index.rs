//! What the imaging source has: studies, series, instances, and where they are.
//!
//! One database beside the images, which the node and its commands share. What changes together is
//! changed in one transaction. A study has a generation, which rises with every change of what is in
//! it: whoever worked with an older one begins anew, so nothing that arrives meanwhile is lost.

pub(super) mod archived;
pub(super) mod commitments;
mod connection;
pub(super) mod encrypting;
pub(super) mod fields;
pub(super) mod kept_back;
mod names;
mod rejections;
mod removals;
mod rows;
mod schema;
pub(super) mod search;
pub(super) mod volumes;
pub(super) mod work;

use std::fs::{self, DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use diesel::prelude::*;
use hilum_dicom::Uid;
use hilum_dicom::scan::Study;
use hilum_security::at_rest::Vault;
use hilum_security::at_rest::fields::{Fields, Place};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::folder_of;
use super::manifest::Manifest;

use connection::Connections;
use schema::studies;

/// A study that is here.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Indexed {
    /// [`generation`](self), of what was read; 0 if it is new.
    pub(super) generation: i64,
    /// Its patient in the affinity domain, as CX, if it names one.
    pub(super) patient_id: Option<String>,
    /// Its instances and where they are.
    pub(super) study: Study,
    /// The manifest by which it can be found.
    pub(super) registered: Option<Manifest>,
    /// The manifest that was about to be handed in. It is in the index before it is sent; if it is
    /// still there at the next attempt, nobody knows whether it arrived.
    pub(super) planned: Option<Manifest>,
    /// Why it is kept back.
    pub(super) held: Option<Vec<String>>,
    /// Whether somebody has let it go all the same.
    pub(super) released: bool,
}

impl Indexed {
    /// A study that is new here.
    pub(super) const fn new(patient_id: Option<String>, study: Study) -> Self {
        Self {
            generation: 0,
            patient_id,
            study,
            registered: None,
            planned: None,
            held: None,
            released: false,
        }
    }
}

/// The file of the database, in the folder of the images.
pub(super) const DATABASE: &str = "index.db";

/// The index. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Index {
    folder: PathBuf,
    /// How files are written beside it.
    vault: Vault,
    /// How fields of it are kept that identify patients.
    fields: Fields,
    connections: Connections,
}

/// The system gives it back if the process is killed.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// What stands of a study in the index could not be understood.
#[derive(Debug, thiserror::Error)]
#[error("the index of study {0} is damaged; import the study again")]
pub(super) struct Damaged(pub(super) Uid);

impl Index {
    /// The index at `file:PATH`, with the keys that this process has. The folder is made if it is not
    /// there.
    pub(super) fn open(url: &str, vault: &Vault) -> anyhow::Result<Self> {
        let folder = folder_of(url)?;
        // Studies name patients, who concern nobody else on this machine.
        let mut private = DirBuilder::new();
        let made = private.recursive(true).mode(0o700).create(&folder);
        made.and_then(|()| fs::read_dir(&folder))
            .with_context(|| format!("{} cannot be used", folder.display()))?;
        // The node and its commands may be started anywhere, and where files are is told to all of them.
        let folder = folder.canonicalize()?;
        crate::at_rest::check(&folder, vault, "the imaging source")?;
        for kept in ["objects", "fetched"] {
            vault.guard(&folder.join(kept));
        }
        let connections = Connections::open(&folder.join(DATABASE))?;
        let fields = fields::judged(&connections, vault.ring_of_fields())?;
        Ok(Self {
            folder,
            vault: vault.clone(),
            fields,
            connections,
        })
    }

    /// How files are written beside it.
    pub(super) const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Where objects lie that were sent here.
    pub(super) fn objects(&self) -> PathBuf {
        self.folder.join("objects")
    }

    /// Where objects of other archives lie for a while.
    pub(super) fn fetched(&self) -> PathBuf {
        self.folder.join("fetched")
    }

    /// Whether it can be written.
    pub(super) fn probe(&self) -> anyhow::Result<()> {
        let file = self.folder.join(format!("probe-{}", std::process::id()));
        let written = File::create(&file).and_then(|file| file.sync_all());
        let removed = fs::remove_file(&file);
        written
            .and(removed)
            .with_context(|| format!("{} cannot be written", self.folder.display()))?;
        self.connections.write(|_| Ok(()))
    }

    /// Keeps others from importing folders or removing studies at the same time.
    pub(super) fn lock(&self) -> anyhow::Result<Lock> {
        let (path, file) = self.lock_file("import.lock")?;
        let shown = path.display();
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another import or removal is running for {}",
                    self.folder.display()
                )
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("{shown} cannot be locked"))
            }
        }
    }

    /// Waits until no other process brings files to their places or takes them away.
    pub(super) fn lock_objects(&self) -> anyhow::Result<Lock> {
        let (path, file) = self.lock_file("objects.lock")?;
        let locked = file.lock();
        locked.with_context(|| format!("{} cannot be locked", path.display()))?;
        Ok(Lock { _file: file })
    }

    fn lock_file(&self, name: &str) -> anyhow::Result<(PathBuf, File)> {
        let path = self.folder.join(name);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("{} cannot be opened", path.display()))?;
        Ok((path, file))
    }

    /// The studies that are here, by UID.
    pub(super) fn studies(&self) -> anyhow::Result<Vec<Uid>> {
        let uids: Vec<String> = self.connections.read(|connection| {
            let uids = studies::table.select(studies::uid).order(studies::uid);
            Ok(uids.load(connection)?)
        })?;
        let parsed = uids.iter().map(|uid| Uid::parse(uid));
        Ok(parsed.collect::<Result<_, _>>()?)
    }

    /// The generation of a study, if it is here.
    pub(super) fn generation(&self, study: &Uid) -> anyhow::Result<Option<i64>> {
        self.connections.read(|connection| {
            let row = studies::table
                .filter(studies::uid.eq(study.as_str()))
                .select(studies::generation);
            Ok(row.first(connection).optional()?)
        })
    }

    /// A study, if it is here.
    pub(super) fn read(&self, study: &Uid) -> anyhow::Result<Option<Indexed>> {
        self.connections
            .read(|connection| read(connection, &self.fields, study))
    }

    /// Makes a study what this says, if nothing has changed since it was read; gives its new
    /// generation then. A study whose rows are damaged is written anew.
    pub(super) fn write(&self, indexed: &Indexed) -> anyhow::Result<Option<i64>> {
        self.connections.write(|connection| {
            let uid = indexed.study.uid.as_str();
            let known: Option<(i64, i64)> = studies::table
                .filter(studies::uid.eq(uid))
                .select((studies::number, studies::generation))
                .first(connection)
                .optional()?;
            let number = match known {
                Some((_, generation)) if generation != indexed.generation => return Ok(None),
                Some((number, _)) => number,
                None if indexed.generation != 0 => return Ok(None),
                None => insert(connection, &self.fields, &indexed.study)?,
            };
            rows::save(connection, &self.fields, number, &indexed.study)?;
            let generation = indexed.generation + 1;
            let registered = indexed.registered.as_ref();
            let (registered, planned) =
                self.manifests(uid, registered, indexed.planned.as_ref())?;
            let held = indexed.held.as_ref().map(to_json).transpose()?;
            let seal = |column, text| self.fields.seal_some(Place::of(column, &uid), text);
            let held = seal(fields::HELD, held.as_deref())?;
            let patient_id = seal(fields::DOMAIN_PATIENT_ID, indexed.patient_id.as_deref())?;
            diesel::update(studies::table.find(number))
                .set((
                    studies::generation.eq(generation),
                    studies::domain_patient_id.eq(patient_id),
                    studies::registered.eq(registered),
                    studies::planned.eq(planned),
                    studies::held.eq(held),
                    studies::released.eq(indexed.released),
                    studies::changed.eq(milliseconds(SystemTime::now())),
                ))
                .execute(connection)?;
            Ok(Some(generation))
        })
    }

    /// Writes which manifest a study has and which one is about to be handed in, whatever else has
    /// changed of it.
    pub(super) fn set_manifests(
        &self,
        study: &Uid,
        registered: Option<&Manifest>,
        planned: Option<&Manifest>,
    ) -> anyhow::Result<()> {
        let (registered, planned) = self.manifests(study.as_str(), registered, planned)?;
        self.connections.write(|connection| {
            diesel::update(studies::table.filter(studies::uid.eq(study.as_str())))
                .set((
                    studies::registered.eq(registered),
                    studies::planned.eq(planned),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Manifests of a study as they are kept.
    fn manifests(
        &self,
        study: &str,
        registered: Option<&Manifest>,
        planned: Option<&Manifest>,
    ) -> anyhow::Result<(Option<String>, Option<String>)> {
        let kept = |column, manifest: Option<&Manifest>| -> anyhow::Result<_> {
            let json = manifest.map(to_json).transpose()?;
            let place = Place::of(column, &study);
            Ok(self.fields.seal_some(place, json.as_deref())?)
        };
        let registered = kept(fields::REGISTERED, registered)?;
        Ok((registered, kept(fields::PLANNED, planned)?))
    }

    /// Forgets a study, durably. Its files stay.
    pub(super) fn remove(&self, study: &Uid) -> anyhow::Result<()> {
        self.connections
            .write(|connection| delete(connection, study))
    }
}

fn delete(connection: &mut SqliteConnection, study: &Uid) -> anyhow::Result<()> {
    let number: Option<i64> = studies::table
        .filter(studies::uid.eq(study.as_str()))
        .select(studies::number)
        .first(connection)
        .optional()?;
    if let Some(number) = number {
        let of_instances = schema::instances::table;
        diesel::delete(of_instances.filter(schema::instances::study.eq(number)))
            .execute(connection)?;
        let of_series = schema::series::table;
        diesel::delete(of_series.filter(schema::series::study.eq(number))).execute(connection)?;
        diesel::delete(studies::table.find(number)).execute(connection)?;
    }
    Ok(())
}

/// A new row for a study; the rest of it is written by who calls.
fn insert(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: &Study,
) -> anyhow::Result<i64> {
    let number = diesel::insert_into(studies::table)
        .values((
            studies::uid.eq(study.uid.as_str()),
            studies::generation.eq(0_i64),
            studies::changed.eq(0_i64),
            rows::Head::of(fields, study)?,
        ))
        .returning(studies::number)
        .get_result(connection)?;
    Ok(number)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = studies)]
struct StudyRow {
    number: i64,
    generation: i64,
    domain_patient_id: Option<String>,
    facts: String,
    registered: Option<String>,
    planned: Option<String>,
    held: Option<String>,
    released: bool,
}

fn read(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: &Uid,
) -> anyhow::Result<Option<Indexed>> {
    let row: Option<StudyRow> = studies::table
        .filter(studies::uid.eq(study.as_str()))
        .select(StudyRow::as_select())
        .first(connection)
        .optional()?;
    let Some(row) = row else {
        return Ok(None);
    };
    let read = assemble(connection, fields, study, row);
    read.map(Some)
        .map_err(|error| match error.downcast_ref::<serde_json::Error>() {
            Some(_) => error.context(Damaged(study.clone())),
            None => error,
        })
}

fn assemble(
    connection: &mut SqliteConnection,
    fields: &Fields,
    study: &Uid,
    row: StudyRow,
) -> anyhow::Result<Indexed> {
    fn json<T: DeserializeOwned>(text: Option<String>) -> serde_json::Result<Option<T>> {
        text.map(|text| serde_json::from_str(&text)).transpose()
    }
    let uid = study.as_str();
    let open = |column, kept| fields.open_some(Place::of(column, &uid), kept);
    let facts = fields.open(Place::of(fields::STUDY_FACTS, &uid), row.facts)?;
    Ok(Indexed {
        generation: row.generation,
        patient_id: open(fields::DOMAIN_PATIENT_ID, row.domain_patient_id)?,
        study: rows::load(connection, fields, row.number, &facts)?,
        registered: json(open(fields::REGISTERED, row.registered)?)?,
        planned: json(open(fields::PLANNED, row.planned)?)?,
        held: json(open(fields::HELD, row.held)?)?,
        released: row.released,
    })
}

fn to_json(it: impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(&it)
}

/// Milliseconds since 1970.
pub(super) fn milliseconds(at: SystemTime) -> i64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
