//! What is done with the consents that are kept. Whose consents a caller may not see are answered as
//! if there were none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hilum_security::access::{Asking, Consent, Described, Known, Level, Period, Policy, Provision};
use hilum_security::{Caller, Permission};
use serde_json::Value;
use uuid::Uuid;

use super::resource::{Shown, set_patient, with_meta};
use super::search::Search;
use crate::Registry;
use crate::config::UnknownPatients;
use crate::consents::{self as wishes, acknowledgements};
use crate::db::consents::{self, Kept, NewVersion};
use crate::db::{Connection, patients};
use crate::failure::Failure;

/// Consents of one patient.
const MOST_OF_PATIENT: i64 = 1000;
/// Versions of one consent that a history shows.
const MOST_VERSIONS: i64 = 1000;
/// What the ids of consents begin with that are documents.
const OF_DOCUMENT: &str = "bppc-";
/// So many characters follow, and if a document is several consents, a number.
const UUID_CHARACTERS: usize = 36;

/// Why something is not done.
#[derive(Debug, Clone)]
pub(super) enum Denied {
    /// There is no such consent, for this caller.
    Absent,
    /// The caller may not say what this patient wishes.
    Forbidden,
    /// The request cannot be read.
    Invalid(String),
    /// What it says cannot be kept.
    Meaningless(String),
    /// The consent has changed since the caller read it.
    Changed,
    /// The patient has as many consents as may be.
    TooMany(String),
    /// It is our fault.
    Internal(String),
}

impl Denied {
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Absent => "there is no such consent",
            Self::Forbidden => "the rules do not let this caller record consents of this patient",
            Self::Changed => "the consent has another version than If-Match says",
            Self::Invalid(why)
            | Self::Meaningless(why)
            | Self::TooMany(why)
            | Self::Internal(why) => why,
        }
    }
}

impl From<Failure> for Denied {
    fn from(failure: Failure) -> Self {
        let errors = failure.into_errors();
        let contexts: Vec<String> = errors.into_iter().map(|error| error.context).collect();
        Self::Internal(contexts.join("; "))
    }
}

type Done<T> = Result<T, Denied>;

/// What a caller can do with consents.
#[derive(Debug, Clone)]
pub(super) struct Store {
    policy: Option<Arc<Policy>>,
    caller: Caller,
    now: SystemTime,
    unknown_patients: UnknownPatients,
}

impl Store {
    pub(super) fn of(registry: &Registry, caller: &Caller, now: SystemTime) -> Self {
        Self {
            policy: registry.config.access.policy(),
            caller: caller.clone(),
            now,
            unknown_patients: registry.config.unknown_patients,
        }
    }

    /// Keeps a new consent.
    pub(super) async fn create(&self, registry: &Registry, body: Bytes) -> Done<Shown> {
        let (resource, meant) = self.understood(registry, &body)?;
        let store = self.clone();
        let id = Uuid::now_v7().to_string();
        let work = move |conn: &mut _| store.insert(conn, &id, resource.clone(), &meant);
        registry.db.write(work).await?
    }

    fn insert(
        &self,
        conn: &mut Connection,
        id: &str,
        resource: Value,
        meant: &Consent,
    ) -> Result<Done<Shown>, Failure> {
        if !self.may(&meant.patient_id, Level::Full) {
            return Ok(Err(Denied::Forbidden));
        }
        let number = match self.patient(conn, &meant.patient_id)? {
            Some(number) => number,
            None if self.unknown_patients == UnknownPatients::Accept => {
                let known_since = self.millis() / 1000;
                patients::add(conn, &meant.patient_id, known_since)?;
                match self.patient(conn, &meant.patient_id)? {
                    Some(number) => number,
                    None => return Ok(Err(unknown_patient())),
                }
            }
            None => return Ok(Err(unknown_patient())),
        };
        if consents::count(conn, &[number])? >= MOST_OF_PATIENT {
            let why = format!("a patient has at most {MOST_OF_PATIENT} consents");
            return Ok(Err(Denied::TooMany(why)));
        }
        Ok(Ok(self.keep(conn, id, 1, number, resource)?))
    }

    fn keep(
        &self,
        conn: &mut Connection,
        id: &str,
        version: i32,
        patient: i64,
        mut resource: Value,
    ) -> Result<Shown, Failure> {
        let updated = self.millis();
        with_meta(&mut resource, id, version, updated);
        let new = NewVersion {
            id: id.to_owned(),
            version,
            newest: true,
            patient,
            updated,
            resource: resource.to_string(),
        };
        consents::insert(conn, &new)?;
        let kept = Kept {
            id: new.id,
            version,
            patient,
            updated,
            resource: new.resource,
        };
        shown(conn, kept)
    }

    /// Changes a consent. Whose it is does not change.
    pub(super) async fn update(
        &self,
        registry: &Registry,
        id: &str,
        expected: Option<&str>,
        body: Bytes,
    ) -> Done<Shown> {
        let (resource, meant) = self.understood(registry, &body)?;
        if resource.get("id").and_then(Value::as_str) != Some(id) {
            let why = "the id in the resource is not that in the path";
            return Err(Denied::Invalid(why.to_owned()));
        }
        if id.starts_with(OF_DOCUMENT) {
            let why = "this consent is a document: it changes when the document is replaced";
            return Err(Denied::Meaningless(why.to_owned()));
        }
        let (store, id) = (self.clone(), id.to_owned());
        let expected = expected.map(str::to_owned);
        let work = move |conn: &mut _| {
            let expected = expected.as_deref();
            store.change(conn, &id, expected, resource.clone(), &meant)
        };
        registry.db.write(work).await?
    }

    fn change(
        &self,
        conn: &mut Connection,
        id: &str,
        expected: Option<&str>,
        resource: Value,
        meant: &Consent,
    ) -> Result<Done<Shown>, Failure> {
        let Some(kept) = consents::newest(conn, id)? else {
            return Ok(Err(Denied::Absent));
        };
        let before = shown(conn, kept.clone())?;
        if !self.may(&before.patient_id, Level::Metadata) {
            return Ok(Err(Denied::Absent));
        }
        if !self.may(&before.patient_id, Level::Full) {
            return Ok(Err(Denied::Forbidden));
        }
        if expected.is_some_and(|expected| !names(expected, kept.version)) {
            return Ok(Err(Denied::Changed));
        }
        // It may still name the patient as it was known before a merge.
        let is_same = meant.patient_id == before.patient_id
            || meant.patient_id == patients::patient_id(conn, kept.patient)?;
        if !is_same {
            let why = "patient.identifier: a consent does not become another patient's";
            return Ok(Err(Denied::Meaningless(why.to_owned())));
        }
        let version = kept.version.saturating_add(1);
        Ok(Ok(self.keep(conn, id, version, kept.patient, resource)?))
    }

    /// One version of a consent, or its newest.
    pub(super) async fn read(
        &self,
        registry: &Registry,
        id: &str,
        version: Option<&str>,
    ) -> Done<Shown> {
        let version = match version.map(str::parse) {
            None => None,
            Some(Ok(version)) => Some(version),
            Some(Err(_)) => return Err(Denied::Absent),
        };
        let (store, id) = (self.clone(), id.to_owned());
        let work = move |conn: &mut _| store.find(conn, &id, version);
        registry.db.read(work).await?
    }

    fn find(
        &self,
        conn: &mut Connection,
        id: &str,
        version: Option<i32>,
    ) -> Result<Done<Shown>, Failure> {
        if let Some(name) = id.strip_prefix(OF_DOCUMENT) {
            let uuid = name.get(..UUID_CHARACTERS).unwrap_or_default();
            let mut found = self.of_document(conn, uuid)?.into_iter();
            let found = found.find(|it| it.id == id && version.is_none_or(|at| it.version == at));
            return Ok(found.ok_or(Denied::Absent));
        }
        let kept = match version {
            Some(version) => consents::version(conn, id, version)?,
            None => consents::newest(conn, id)?,
        };
        let Some(kept) = kept else {
            return Ok(Err(Denied::Absent));
        };
        let shown = shown(conn, kept)?;
        Ok(match self.may(&shown.patient_id, Level::Metadata) {
            true => Ok(shown),
            false => Err(Denied::Absent),
        })
    }

    /// The versions of a consent, the newest first.
    pub(super) async fn history(&self, registry: &Registry, id: &str) -> Done<Vec<Shown>> {
        let (store, id) = (self.clone(), id.to_owned());
        let work = move |conn: &mut _| {
            let newest = match store.find(conn, &id, None)? {
                Ok(newest) => newest,
                Err(denied) => return Ok(Err(denied)),
            };
            if id.starts_with(OF_DOCUMENT) {
                return Ok(Ok(vec![newest]));
            }
            let versions = consents::history(conn, &id, newest.version, MOST_VERSIONS)?;
            let versions = versions.into_iter().map(|kept| shown(conn, kept));
            versions.collect::<Result<_, Failure>>().map(Ok)
        };
        registry.db.read(work).await?
    }

    /// The consents that a search finds: of the patient it names, or by their ids.
    pub(super) async fn search(&self, registry: &Registry, wanted: &Search) -> Done<Vec<Shown>> {
        let (store, wanted) = (self.clone(), wanted.clone());
        let work = move |conn: &mut _| {
            let mut found = match wanted.patient() {
                Some(patient_id) => store.of_patient(conn, &patient_id)?,
                None => store.by_ids(conn, wanted.ids())?,
            };
            found.retain(|shown| wanted.accepts(shown));
            Ok(found)
        };
        Ok(registry.db.read(work).await?)
    }

    fn by_ids(&self, conn: &mut Connection, ids: &[String]) -> Result<Vec<Shown>, Failure> {
        let ids: BTreeSet<&String> = ids.iter().collect();
        let mut found = Vec::new();
        for id in ids {
            found.extend(self.find(conn, id, None)?.ok());
        }
        Ok(found)
    }

    /// The consents of a patient and of whoever was merged into it. One who was merged into another has
    /// none any more.
    fn of_patient(&self, conn: &mut Connection, patient_id: &str) -> Result<Vec<Shown>, Failure> {
        let Some(number) = self.patient(conn, patient_id)? else {
            return Ok(Vec::new());
        };
        if !self.may(patient_id, Level::Metadata) {
            return Ok(Vec::new());
        }
        let everybody: Vec<i64> = patients::known_as(conn, number)?.into_iter().collect();
        let mut found = Vec::new();
        for kept in consents::of_patients(conn, &everybody)? {
            found.push(shown(conn, kept)?);
        }
        if let Some(policy) = &self.policy {
            for (row, meant) in acknowledgements(conn, policy, &everybody, patient_id)? {
                found.extend(of_document(&row.entry_uuid, row.version, &meant));
            }
        }
        Ok(found)
    }

    /// The consents that the document with this entryUUID is.
    fn of_document(&self, conn: &mut Connection, uuid: &str) -> Result<Vec<Shown>, Failure> {
        let (Some(policy), Ok(uuid)) = (&self.policy, Uuid::parse_str(uuid)) else {
            return Ok(Vec::new());
        };
        Ok(match wishes::acknowledgement(conn, policy, uuid)? {
            Some((row, meant)) if self.may(&meant.patient_id, Level::Metadata) => {
                of_document(&row.entry_uuid, row.version, &meant)
            }
            _ => Vec::new(),
        })
    }

    /// The number of a patient who is known and was not merged into another.
    fn patient(&self, conn: &mut Connection, patient_id: &str) -> Result<Option<i64>, Failure> {
        let found = patients::find(conn, patient_id)?;
        let found = found.filter(|patient| patient.merged_into.is_none());
        Ok(found.map(|patient| patient.number))
    }

    /// Whether the rules give the caller as much of a patient's consents. Consents decide nothing here:
    /// who records that a patient changed its mind must see what it wished before.
    fn may(&self, patient_id: &str, level: Level) -> bool {
        let Some(policy) = &self.policy else {
            return true;
        };
        let asking = Asking {
            caller: &self.caller,
            permission: Permission::Consent,
            now: self.now,
        };
        let of_patient = Described {
            patient_id: Some(patient_id.to_owned()),
            ..Described::default()
        };
        policy.decide(&asking, &of_patient, &[]).level >= level
    }

    fn millis(&self) -> i64 {
        let since = self.now.duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

fn unknown_patient() -> Denied {
    Denied::Meaningless("patient.identifier: this patient is not known".to_owned())
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Store {
    /// Reads what was sent: as it is kept, and as it is meant.
    fn understood(&self, registry: &Registry, body: &[u8]) -> Done<(Value, Consent)> {
        let resource: Value = serde_json::from_slice(body).map_err(|error| {
            // The library quotes values, and values are about patients.
            let (line, column) = (error.line(), error.column());
            Denied::Invalid(format!("line {line}, column {column}: this is no JSON"))
        })?;
        // What is kept is read, so that a name that occurs twice cannot mean two things.
        let known = Known {
            policy: self.policy.as_deref(),
            codes: registry.config.affinity_codes.as_ref(),
        };
        let meant = Consent::from_fhir_knowing(resource.to_string().as_bytes(), &known);
        let meant = meant.map_err(|error| Denied::Meaningless(error.to_string()))?;
        // The newest counts, so one from the future would count more than whatever is wished later. Days begin
        // at different times.
        if meant.given.is_some_and(|given| given > self.now + DAY) {
            let problem = "dateTime: a consent cannot have been given in the future";
            return Err(Denied::Meaningless(problem.to_owned()));
        }
        Ok((resource, meant))
    }
}

/// A consent as it is shown: as the patient is known now.
fn shown(conn: &mut Connection, kept: Kept) -> Result<Shown, Failure> {
    let meant = wishes::read(&kept)?;
    let mut resource: Value =
        serde_json::from_str(&kept.resource).map_err(|error| Failure::Internal(error.into()))?;
    let survivor = patients::survivor(conn, kept.patient)?;
    let patient_id = patients::patient_id(conn, survivor)?;
    if survivor != kept.patient {
        set_patient(&mut resource, &patient_id);
    }
    Ok(Shown {
        id: kept.id,
        version: kept.version,
        updated: kept.updated,
        status: meant.status.as_str().to_owned(),
        patient_id,
        meant,
        resource,
    })
}

/// The consents that a document is, as they are shown. FHIR has no word for exceptions to nothing, so
/// what says nothing of everything else is shown as one consent for each thing that it says.
fn of_document(entry_uuid: &str, version: i32, meant: &Consent) -> Vec<Shown> {
    let parts: Vec<Consent> = match meant.base {
        Some(_) => vec![meant.clone()],
        None => meant.provisions.iter().map(|it| part(meant, it)).collect(),
    };
    let uuid = entry_uuid.trim_start_matches("urn:uuid:");
    let shown = (1..).zip(parts).map(|(number, part)| {
        let id = match number {
            1 => format!("{OF_DOCUMENT}{uuid}"),
            number => format!("{OF_DOCUMENT}{uuid}-{number}"),
        };
        shown_of_document(id, version, &meant.id, part)
    });
    shown.collect()
}

/// A consent that says only this, as long as the whole does.
fn part(whole: &Consent, provision: &Provision) -> Consent {
    let (outer, inner) = (whole.period, provision.period);
    let period = Period {
        from: outer.from.max(inner.from),
        until: [outer.until, inner.until].into_iter().flatten().min(),
    };
    Consent {
        period: Period::default(),
        provisions: vec![Provision {
            period,
            ..provision.clone()
        }],
        ..whole.clone()
    }
}

fn shown_of_document(id: String, version: i32, unique_id: &str, meant: Consent) -> Shown {
    let meant = Consent {
        id: id.clone(),
        ..meant
    };
    let given = meant
        .given
        .and_then(|it| it.duration_since(UNIX_EPOCH).ok());
    let updated = i64::try_from(given.unwrap_or_default().as_millis()).unwrap_or_default();
    let mut resource: Value = serde_json::from_str(&meant.to_fhir()).unwrap_or_default();
    with_meta(&mut resource, &id, version, updated);
    resource["sourceReference"] = serde_json::json!({
        "type": "DocumentReference",
        "identifier": {
            "system": "urn:ietf:rfc:3986",
            "value": format!("urn:oid:{unique_id}"),
        },
    });
    Shown {
        id,
        version,
        updated,
        status: meant.status.as_str().to_owned(),
        patient_id: meant.patient_id.clone(),
        meant,
        resource,
    }
}

/// Whether `If-Match` names a version: `W/"3"`, or any.
fn names(expected: &str, version: i32) -> bool {
    let version = version.to_string();
    expected.split(',').any(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        tag == "*" || tag == version
    })
}
