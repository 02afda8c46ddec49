//! What a caller sees of what is registered: asked before anything leaves the registry, or is changed
//! in it.
//!
//! Of a document entry the policy decides, by what it says and by what its patient wished. Whatever else
//! is registered only leads to entries: an association is seen by whoever sees both of its ends, a folder
//! or submission set by whoever sees anything in it, or if nothing was ever in it. A version that was
//! superseded is seen by whoever sees it and the newest one, so that a document that became confidential
//! is so in all its versions. What is not seen is treated as what is not there (`docs/consent.md`).
//!
//! Without rules there is no [`Sight`], and nothing is looked up.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use hilum_security::access::{Asking, Consent, Described, Level, Policy};
use hilum_security::{Caller, Permission};
use uuid::Uuid;
use xds_schemas::metadata::{DocumentEntry, HomeCommunityId};
use xds_schemas::soap::Fault;

use crate::Registry;
use crate::consents;
use crate::db::registry_objects::{self, Found, Kind, Row, SUPERSEDED, Wanted, split};
use crate::db::{Connection, entry_uuids, links, versions};
use crate::failure::Failure;
use crate::submission::rows;

/// Members of a folder or submission set that are looked at together.
const AT_ONCE: usize = 64;

/// Whether a caller may do what is not about documents: say who the patients are (a merge gives the documents
/// of one to another), or find out who they are. With rules, one of them has to name it.
pub(crate) fn may(
    registry: &Registry,
    caller: &Caller,
    permission: Permission,
    now: SystemTime,
) -> Result<(), Fault> {
    let granted = registry.config.access.grant(caller, permission, now);
    granted.map_err(|refused| Fault::not_permitted(refused.to_string()))
}

/// What a caller sees. It remembers what was decided, so it is for one transaction: clones have
/// decided nothing yet.
#[derive(Debug)]
pub(crate) struct Sight {
    policy: Arc<Policy>,
    caller: Arc<Caller>,
    permission: Permission,
    now: SystemTime,
    /// How much of an object must be allowed for it to be seen.
    level: Level,
    home: HomeCommunityId,
    /// Whether an emergency counts.
    emergencies: bool,
    /// What is decided whatever it is.
    everything: Option<bool>,
    memo: RefCell<Memo>,
}

#[derive(Debug, Default)]
struct Memo {
    patients: HashMap<i64, Arc<OfPatient>>,
    seen: HashMap<i64, bool>,
    /// Entries that are seen only because it is an emergency.
    emergency: BTreeSet<i64>,
}

/// What is known of a patient.
#[derive(Debug)]
struct OfPatient {
    /// CX, of the survivor.
    id: String,
    consents: Vec<Consent>,
}

impl Clone for Sight {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            caller: Arc::clone(&self.caller),
            permission: self.permission,
            now: self.now,
            level: self.level,
            home: self.home.clone(),
            emergencies: self.emergencies,
            everything: self.everything,
            memo: RefCell::default(),
        }
    }
}

impl Sight {
    /// What a caller sees who asks now for something: objects of which the policy gives at least this
    /// level. `None` if that is everything.
    pub(crate) fn of(
        registry: &Registry,
        caller: &Caller,
        permission: Permission,
        level: Level,
        now: SystemTime,
    ) -> Option<Self> {
        let policy = registry.config.access.policy()?;
        let home = &registry.config.home_community_id;
        Self::by(policy, caller, permission, level, now, home)
    }

    /// The same by a policy that is at hand.
    pub(crate) fn by(
        policy: Arc<Policy>,
        caller: &Caller,
        permission: Permission,
        level: Level,
        now: SystemTime,
        home: &HomeCommunityId,
    ) -> Option<Self> {
        let asking = Asking {
            caller,
            permission,
            now,
        };
        let everything = policy.decide_for_all(&asking);
        let everything = everything.filter(|decision| !decision.glass_broken);
        let everything = everything.map(|decision| decision.level >= level);
        (everything != Some(true)).then(|| Self {
            policy,
            caller: Arc::new(caller.clone()),
            permission,
            now,
            level,
            home: home.clone(),
            emergencies: true,
            everything,
            memo: RefCell::default(),
        })
    }

    /// The same for somebody who is told later: an emergency is at its moment.
    pub(crate) fn without_emergencies(self) -> Self {
        Self {
            emergencies: false,
            ..self
        }
    }

    /// The documents among what was found that are given only because it is an emergency: patients as
    /// CX, and unique ids.
    pub(crate) fn emergency(&self, found: &[Found]) -> BTreeMap<String, Vec<String>> {
        let memo = self.memo.borrow();
        let mut documents: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for Found { row, .. } in found {
            if !memo.emergency.contains(&row.key) {
                continue;
            }
            if let Some(patient) = memo.patients.get(&row.patient) {
                let named = documents.entry(patient.id.clone()).or_default();
                named.extend(row.unique_id.clone());
            }
        }
        documents
    }

    /// Drops what the caller does not see.
    pub(crate) fn keep(
        &self,
        conn: &mut Connection,
        found: &mut Vec<Found>,
    ) -> Result<(), Failure> {
        let mut seen = Vec::with_capacity(found.len());
        for one in found.iter() {
            seen.push(self.sees(conn, &one.row)?);
        }
        let mut seen = seen.into_iter();
        found.retain(|_| seen.next().unwrap_or_default());
        Ok(())
    }

    /// Whether the caller sees this object.
    pub(crate) fn sees(&self, conn: &mut Connection, row: &Row) -> Result<bool, Failure> {
        if let Some(seen) = self.memo.borrow().seen.get(&row.key) {
            return Ok(*seen);
        }
        // What leads to itself leads to nothing.
        self.memo.borrow_mut().seen.insert(row.key, false);
        let seen = match row.kind {
            Kind::Stable | Kind::OnDemand => self.sees_document(conn, row)?,
            Kind::Association => self.sees_ends(conn, row)?,
            Kind::Folder | Kind::SubmissionSet => self.sees_any_member(conn, row)?,
        };
        self.memo.borrow_mut().seen.insert(row.key, seen);
        Ok(seen)
    }

    /// The same for an object that is not registered, or not any more: what is known of it are its row
    /// and its patient, as CX. Of what leads to documents, nothing is known then.
    pub(crate) fn allows(
        &self,
        conn: &mut Connection,
        patient_id: Option<&str>,
        described: &Described,
    ) -> Result<bool, Failure> {
        if let Some(everything) = self.everything {
            return Ok(everything);
        }
        let consents = match patient_id {
            Some(patient_id) => consents::of_patient_id(conn, &self.policy, patient_id)?,
            None => Vec::new(),
        };
        Ok(self.decide(described, &consents, None))
    }

    fn sees_document(&self, conn: &mut Connection, row: &Row) -> Result<bool, Failure> {
        if let Some(everything) = self.everything {
            return Ok(everything);
        }
        let patient = self.patient(conn, row.patient)?;
        let known = row.origin.as_ref();
        let read = known.is_none().then(|| institutions(conn, row));
        let read = read.transpose()?;
        let institutions = known.or(read.as_ref());
        let described = Described {
            patient_id: Some(patient.id.clone()),
            home_community_id: Some(self.home.to_string()),
            ..described(row, institutions.map(String::as_str))
        };
        if !self.decide(&described, &patient.consents, Some(row.key)) {
            return Ok(false);
        }
        if row.hidden & SUPERSEDED == 0 {
            return Ok(true);
        }
        match newest(conn, row)? {
            Some(newest) if newest.key != row.key => self.sees(conn, &newest),
            _ => Ok(true),
        }
    }

    fn decide(&self, described: &Described, consents: &[Consent], key: Option<i64>) -> bool {
        let asking = Asking {
            caller: &self.caller,
            permission: self.permission,
            now: self.now,
        };
        let decision = self.policy.decide(&asking, described, consents);
        if decision.level < self.level || !decision.glass_broken {
            return decision.level >= self.level;
        }
        if self.emergencies {
            self.memo.borrow_mut().emergency.extend(key);
        }
        self.emergencies
    }

    fn sees_ends(&self, conn: &mut Connection, row: &Row) -> Result<bool, Failure> {
        let ends: Vec<i64> = row.source_key.into_iter().chain(row.target_key).collect();
        for end in registry_objects::by_keys(conn, &ends, Wanted::Rows)? {
            if !self.sees(conn, &end.row)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Members are whatever its associations lead to: documents, folders and associations, and what an
    /// update was about.
    fn sees_any_member(&self, conn: &mut Connection, row: &Row) -> Result<bool, Failure> {
        let associations = links::associations_of(conn, &[row.key])?;
        let mut is_empty = true;
        for associations in associations.chunks(AT_ONCE) {
            let found = registry_objects::by_keys(conn, associations, Wanted::Rows)?;
            let leading = found.iter().map(|it| &it.row);
            let leading = leading.filter(|it| it.source_key == Some(row.key));
            let targets: Vec<i64> = leading.filter_map(|it| it.target_key).collect();
            for member in registry_objects::by_keys(conn, &targets, Wanted::Rows)? {
                is_empty = false;
                if self.sees(conn, &member.row)? {
                    return Ok(true);
                }
            }
        }
        Ok(is_empty)
    }

    fn patient(&self, conn: &mut Connection, number: i64) -> Result<Arc<OfPatient>, Failure> {
        if let Some(known) = self.memo.borrow().patients.get(&number) {
            return Ok(Arc::clone(known));
        }
        let (id, consents) = consents::of_patient(conn, &self.policy, number)?;
        let patient = Arc::new(OfPatient { id, consents });
        let mut memo = self.memo.borrow_mut();
        memo.patients.insert(number, Arc::clone(&patient));
        Ok(patient)
    }
}

/// A document entry as rules look at it, but for what its row does not say.
pub(crate) fn described(row: &Row, institutions: Option<&str>) -> Described {
    let all = |column: &Option<String>| split(column).map(str::to_owned).collect();
    let institutions = institutions
        .filter(|all| !all.is_empty())
        .map(str::to_owned);
    Described {
        patient_id: None,
        unique_id: row.unique_id.clone(),
        confidentiality_codes: all(&row.confidentiality_codes),
        class_code: row.class_code.clone(),
        type_code: row.type_code.clone(),
        format_code: row.format_code.clone(),
        practice_setting_code: row.practice_setting_code.clone(),
        healthcare_facility_type_code: row.healthcare_facility_type_code.clone(),
        author_institutions: all(&institutions),
        collection: None,
        home_community_id: None,
    }
}

/// The institutions of an entry that was registered before there was a column for them.
fn institutions(conn: &mut Connection, row: &Row) -> Result<String, Failure> {
    let found = registry_objects::by_keys(conn, &[row.key], Wanted::Ebrim)?;
    let Some(found) = found.first() else {
        return Ok(String::new());
    };
    let entry = DocumentEntry::from_ebrim(&rows::read(&found.ebrim)?).map_err(Failure::Refused)?;
    Ok(rows::institutions(&entry.authors))
}

/// The newest version of what this is a version of.
fn newest(conn: &mut Connection, row: &Row) -> Result<Option<Row>, Failure> {
    let Ok(logical_uuid) = Uuid::parse_str(row.logical_uuid()) else {
        return Ok(None);
    };
    let mut keys = entry_uuids::find(conn, &[logical_uuid])?;
    keys.extend(versions::find(conn, &[logical_uuid])?);
    let found = registry_objects::by_keys(conn, &keys, Wanted::Rows)?;
    let rows = found.into_iter().map(|it| it.row);
    let versions = rows.filter(|it| {
        it.kind.is_document_entry() && Uuid::parse_str(it.logical_uuid()) == Ok(logical_uuid)
    });
    Ok(versions.max_by_key(|it| it.version))
}

#[cfg(test)]
mod tests;
