//! The queries of ITI-18 and ITI-51 (ITI TF-2 3.18.4.1.2.3.7, 3.51.4.1.2.1) and our own
//! (`docs/imaging-queries.md`), one file for each or for some that are alike.
//!
//! The database narrows down to a patient or to names; what else a query asks is judged by
//! [`filter`] on the rows, so that both databases answer alike. Answers are in the order of the
//! objects' keys: patient by patient in the order in which they became known, and for one patient
//! in the order of registration.

mod filter;
mod find_documents;
mod find_folders;
mod find_imaging;
mod find_submission_sets;
mod get_all;
mod get_associations;
mod get_documents;
mod get_documents_and_associations;
mod get_folder_and_contents;
mod get_folders;
mod get_folders_for_document;
mod get_related_documents;
mod get_submission_set_and_contents;
mod get_submission_sets;
pub(crate) mod survivors;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::iti18_registry_stored_query::{MetadataLevel, Names, StoredQuery, Visibility};
use xds_schemas::metadata::{AssociationType, EntryUuid, PatientId};

use crate::config::UnknownPatients;
use crate::db::patients;
use crate::db::registry_objects::{self, Found, Kind, Row, Scope, Status, Wanted};
use crate::db::{Connection, entry_uuids, links, unique_ids, versions};
use crate::failure::Failure;
use crate::sight::Sight;

/// Whose objects are looked for.
#[derive(Debug)]
enum Whose {
    /// These patients', by their numbers.
    Patients(BTreeSet<i64>),
    /// Everybody's.
    Everybody,
}

/// How to answer.
#[derive(Debug)]
pub(crate) struct Search {
    /// Whole objects or their names.
    pub(crate) wanted: Wanted,
    /// How many objects may be found.
    pub(crate) max_results: usize,
    /// What to say about patients that are not known.
    pub(crate) unknown_patients: UnknownPatients,
    /// How much of what there is may be seen.
    pub(crate) visibility: Visibility,
    /// What the caller sees; without it, everything.
    pub(crate) sight: Option<Sight>,
}

/// Objects that are looked at together, to see whether the caller sees them.
const AT_ONCE: usize = 1000;

/// What a query finds.
pub(crate) fn answer(
    conn: &mut Connection,
    query: &StoredQuery,
    search: &Search,
) -> Result<Vec<Found>, Failure> {
    let mut found = match query {
        StoredQuery::FindDocuments(query) | StoredQuery::FindDocumentsByReferenceId(query) => {
            let whose = search.patient(conn, &query.patient)?;
            find_documents::find(conn, &whose, &query.statuses, &query.filter, None, search)
        }
        StoredQuery::FindDocumentsExclude(query, not) => {
            let whose = search.patient(conn, &query.patient)?;
            find_documents::find(
                conn,
                &whose,
                &query.statuses,
                &query.filter,
                Some(not),
                search,
            )
        }
        StoredQuery::FindDocumentsForMultiplePatients(query)
        | StoredQuery::FindDocumentsByReferenceIdForMultiplePatients(query) => {
            let whose = search.patients(conn, &query.patients)?;
            find_documents::find(conn, &whose, &query.statuses, &query.filter, None, search)
        }
        StoredQuery::FindFolders(query) => {
            let whose = search.patient(conn, &query.patient)?;
            let (codes, updated) = (&query.codes, &query.last_update_time);
            find_folders::find(conn, &whose, &query.statuses, codes, updated, search)
        }
        StoredQuery::FindFoldersForMultiplePatients(query) => {
            let whose = search.patients(conn, &query.patients)?;
            let (codes, updated) = (&query.codes, &query.last_update_time);
            find_folders::find(conn, &whose, &query.statuses, codes, updated, search)
        }
        StoredQuery::FindDocumentsByAcquisition(query)
        | StoredQuery::FindDocumentsByMeasurement(query)
        | StoredQuery::FindDocumentsBySpecimen(query)
        | StoredQuery::FindDocumentsForCohort(query) => find_imaging::find(conn, query, search),
        StoredQuery::FindSubmissionSets(query) => find_submission_sets::find(conn, query, search),
        StoredQuery::GetAll(query) => get_all::find(conn, query, search),
        StoredQuery::GetDocuments(names) => get_documents::find(conn, names, search),
        StoredQuery::GetFolders(names) => get_folders::find(conn, names, search),
        StoredQuery::GetAssociations(uuids) => get_associations::find(conn, uuids, search),
        StoredQuery::GetDocumentsAndAssociations(names) => {
            get_documents_and_associations::find(conn, names, search)
        }
        StoredQuery::GetSubmissionSets(uuids) => get_submission_sets::find(conn, uuids, search),
        StoredQuery::GetSubmissionSetAndContents(query) => {
            get_submission_set_and_contents::find(conn, query, search)
        }
        StoredQuery::GetFolderAndContents(query) => {
            get_folder_and_contents::find(conn, query, search)
        }
        StoredQuery::GetFoldersForDocument(names) => {
            get_folders_for_document::find(conn, names, search)
        }
        StoredQuery::GetRelatedDocuments(query) => get_related_documents::find(conn, query, search),
    }?;
    search.bounded(found.len())?;
    if search.wanted == Wanted::Ebrim {
        if shows_one_patient(query) {
            judge_patients(conn, &found)?;
        }
        survivors::show(conn, &mut found)?;
    }
    Ok(found)
}

/// Whether a query for a patient would find this object of the patient: by this, subscriptions
/// match what is registered (ITI TF-2 3.52.5.2).
pub(crate) fn would_find(query: &StoredQuery, row: &Row) -> bool {
    match query {
        StoredQuery::FindDocuments(query) | StoredQuery::FindDocumentsByReferenceId(query) => {
            filter::has_status(row, &query.statuses) && filter::document(row, &query.filter)
        }
        StoredQuery::FindSubmissionSets(query) => {
            row.kind == Kind::SubmissionSet
                && filter::has_status(row, &query.statuses)
                && filter::submission_set(row, query)
        }
        StoredQuery::FindFolders(query) => {
            row.kind == Kind::Folder
                && filter::has_status(row, &query.statuses)
                && filter::folder(row, &query.codes, &query.last_update_time)
        }
        _ => false,
    }
}

/// Whether the framework forbids that an answer discloses several patients.
fn shows_one_patient(query: &StoredQuery) -> bool {
    matches!(
        query,
        StoredQuery::GetDocuments(_)
            | StoredQuery::GetFolders(_)
            | StoredQuery::GetDocumentsAndAssociations(_)
            | StoredQuery::GetSubmissionSets(_)
            | StoredQuery::GetSubmissionSetAndContents(_)
            | StoredQuery::GetFolderAndContents(_)
    )
}

/// Whole objects of one patient only (ITI TF-2 3.18.4.1.2.3.7). Associations name no patient.
fn judge_patients(conn: &mut Connection, found: &[Found]) -> Result<(), Failure> {
    let objects = found.iter().filter(|it| it.row.kind != Kind::Association);
    let mut owners: Vec<i64> = objects.map(|found| found.row.patient).collect();
    owners.sort_unstable();
    owners.dedup();
    if owners.len() < 2 {
        return Ok(());
    }
    for owner in &mut owners {
        *owner = patients::survivor(conn, *owner)?;
    }
    match owners.windows(2).all(|pair| pair[0] == pair[1]) {
        true => Ok(()),
        false => Err(Failure::refused(
            ErrorCode::ResultNotSinglePatient,
            "the objects belong to several patients; ask for ObjectRefs or for fewer of them",
        )),
    }
}

impl Search {
    /// Refuses what is too much, before it is read if possible.
    fn bounded(&self, count: usize) -> Result<(), Failure> {
        match count <= self.max_results {
            true => Ok(()),
            false => Err(Failure::refused(
                ErrorCode::TooManyResults,
                format!("more than {} objects were found", self.max_results),
            )),
        }
    }

    /// Whether old versions and what is offline are found, too.
    fn hidden_too(&self) -> bool {
        self.visibility.level == MetadataLevel::Two
    }

    /// How many objects to read at most: one more tells that it is too much.
    const fn limit(&self) -> usize {
        self.max_results.saturating_add(1)
    }

    /// The patient, with everybody who was merged into it; or what the affinity domain wants to be
    /// said of one who is not known, as is one who was merged (ITI TF-2 3.8.4.2.3).
    fn patient(&self, conn: &mut Connection, id: &PatientId) -> Result<Whose, Failure> {
        let id = id.to_string();
        let found = patients::find(conn, &id)?.filter(|patient| patient.merged_into.is_none());
        match (found, self.unknown_patients) {
            (None, UnknownPatients::Refuse) => Err(Failure::refused(
                ErrorCode::UnknownPatientId,
                format!("the patient id {id} is not known"),
            )),
            (None, UnknownPatients::Accept) => Ok(Whose::Patients(BTreeSet::new())),
            (Some(patient), _) => Ok(Whose::Patients(patients::known_as(conn, patient.number)?)),
        }
    }

    /// The same for several patients; without any, everybody is meant (ITI TF-2 3.51.4.1.2.1).
    fn patients(&self, conn: &mut Connection, ids: &[PatientId]) -> Result<Whose, Failure> {
        let mut all = BTreeSet::new();
        for id in ids {
            if let Whose::Patients(patients) = self.patient(conn, id)? {
                all.extend(patients);
            }
        }
        Ok(match ids {
            [] => Whose::Everybody,
            _ => Whose::Patients(all),
        })
    }

    /// The objects of these patients that are wanted; too many of them are cut off after one more
    /// than an answer may hold. Without a judge all are wanted.
    fn of(
        &self,
        conn: &mut Connection,
        whose: &Whose,
        scope: &Scope,
        judge: Option<&dyn Fn(&Row) -> bool>,
    ) -> Result<Vec<Found>, Failure> {
        if let Some(sight) = &self.sight {
            return self.seen_of(conn, whose, scope, judge, sight);
        }
        let Whose::Patients(patients) = whose else {
            let (wanted, limit) = (self.wanted, self.limit());
            return Ok(registry_objects::of_everybody(
                conn, scope, wanted, limit, judge,
            )?);
        };
        let mut found = Vec::new();
        for patient in patients {
            let limit = self.limit() - found.len();
            let more =
                registry_objects::of_patient(conn, *patient, scope, self.wanted, limit, judge)?;
            found.extend(more);
        }
        Ok(found)
    }

    /// The same of what the caller sees, some at a time, until there is enough.
    fn seen_of(
        &self,
        conn: &mut Connection,
        whose: &Whose,
        scope: &Scope,
        judge: Option<&dyn Fn(&Row) -> bool>,
        sight: &Sight,
    ) -> Result<Vec<Found>, Failure> {
        // With a judge, rows are read whole.
        let judge = Some(judge.unwrap_or(&anything));
        let patients: Vec<Option<i64>> = match whose {
            Whose::Patients(patients) => patients.iter().copied().map(Some).collect(),
            Whose::Everybody => vec![None],
        };
        let mut found = Vec::new();
        for patient in patients {
            let mut scope = scope.clone();
            while found.len() < self.limit() {
                let wanted = self.wanted;
                let mut page = match patient {
                    Some(patient) => {
                        registry_objects::of_patient(conn, patient, &scope, wanted, AT_ONCE, judge)?
                    }
                    None => registry_objects::of_everybody(conn, &scope, wanted, AT_ONCE, judge)?,
                };
                let was_full = page.len() == AT_ONCE;
                scope.after = page.last().map_or(scope.after, |last| last.row.key);
                sight.keep(conn, &mut page)?;
                found.extend(page);
                if !was_full {
                    break;
                }
            }
        }
        found.truncate(self.limit());
        Ok(found)
    }

    /// Those of these objects that are wanted and that the caller sees, at most as many as an answer
    /// may hold and one more.
    fn among(
        &self,
        conn: &mut Connection,
        keys: &[i64],
        scope: &Scope,
        limit: usize,
        judge: Option<&dyn Fn(&Row) -> bool>,
    ) -> Result<Vec<Found>, Failure> {
        let Some(sight) = &self.sight else {
            let wanted = self.wanted;
            return Ok(registry_objects::of_keys(
                conn, keys, scope, wanted, limit, judge,
            )?);
        };
        let judge = Some(judge.unwrap_or(&anything));
        let all = usize::MAX;
        let mut found = registry_objects::of_keys(conn, keys, scope, self.wanted, all, judge)?;
        sight.keep(conn, &mut found)?;
        found.truncate(limit);
        Ok(found)
    }

    /// Whether a consumer sees what it asked for by name (metadata update 3.18.4.1.2.3.5.1).
    fn sees(&self, row: &Row) -> bool {
        let deprecated = row.status == Status::Deprecated;
        let hidden = match row.kind {
            Kind::Stable | Kind::OnDemand => row.hidden != 0,
            Kind::Folder | Kind::Association => row.hidden != 0 || deprecated,
            Kind::SubmissionSet => false,
        };
        self.hidden_too() || !hidden
    }

    /// The objects with these names that are wanted.
    fn named(
        &self,
        conn: &mut Connection,
        names: &Names,
        is_wanted: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Found>, Failure> {
        let keys = match names {
            Names::EntryUuids(uuids) => keys(conn, uuids)?,
            Names::UniqueIds(ids) => {
                let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
                unique_ids::find(conn, &ids)?
            }
            Names::LogicalIds(ids) => {
                let mut versions = keys(conn, ids)?;
                let ids = parsed(ids);
                versions.extend(versions::find(conn, &ids)?);
                // The entryUUID of a later version is nobody's logicalID.
                let is_version = |row: &Row| {
                    Uuid::parse_str(row.logical_uuid()).is_ok_and(|it| ids.contains(&it))
                };
                return self.with_keys(conn, &versions, |row| is_wanted(row) && is_version(row));
            }
        };
        self.with_keys(conn, &keys, is_wanted)
    }

    /// The objects with these keys that are wanted.
    fn with_keys(
        &self,
        conn: &mut Connection,
        keys: &[i64],
        is_wanted: impl Fn(&Row) -> bool,
    ) -> Result<Vec<Found>, Failure> {
        let mut found = match &self.sight {
            None => {
                self.bounded(keys.len())?;
                registry_objects::by_keys(conn, keys, self.wanted)?
            }
            Some(sight) => self.seen_with_keys(conn, keys, sight)?,
        };
        found.retain(|found| is_wanted(&found.row) && self.sees(&found.row));
        Ok(found)
    }

    /// The objects with these keys that the caller sees: only they count.
    fn seen_with_keys(
        &self,
        conn: &mut Connection,
        keys: &[i64],
        sight: &Sight,
    ) -> Result<Vec<Found>, Failure> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        let mut found: Vec<Found> = Vec::new();
        let mut count = 0;
        for keys in keys.chunks(AT_ONCE) {
            let mut some = registry_objects::by_keys(conn, keys, self.wanted)?;
            sight.keep(conn, &mut some)?;
            let is_seen = |key: &&i64| some.binary_search_by_key(*key, |it| it.row.key).is_ok();
            count += keys.iter().filter(is_seen).count();
            self.bounded(count)?;
            found.extend(some);
        }
        found.dedup_by_key(|found| found.row.key);
        Ok(found)
    }

    /// The associations that touch these objects.
    fn touching(&self, conn: &mut Connection, objects: &[i64]) -> Result<Vec<Found>, Failure> {
        let keys = links::associations_of(conn, objects)?;
        let statuses = &self.visibility.association_statuses;
        let has_status = |row: &Row| statuses.is_empty() || filter::has_status(row, statuses);
        self.with_keys(conn, &keys, has_status)
    }
}

/// The keys of the objects with these UUIDs.
fn keys(conn: &mut Connection, uuids: &[EntryUuid]) -> Result<Vec<i64>, Failure> {
    Ok(entry_uuids::find(conn, &parsed(uuids))?)
}

/// UUIDs, each once. What is no UUID names nothing.
fn parsed(uuids: &[EntryUuid]) -> Vec<Uuid> {
    let named = uuids.iter().filter(|uuid| !uuid.is_symbolic());
    let mut uuids: Vec<Uuid> = named.filter_map(|it| it.as_str().parse().ok()).collect();
    uuids.sort_unstable();
    uuids.dedup();
    uuids
}

/// A judge that lets everything pass.
const fn anything(_: &Row) -> bool {
    true
}

/// Keys of what was found.
fn keys_of(found: &[Found]) -> Vec<i64> {
    found.iter().map(|found| found.row.key).collect()
}

/// Whether an association is a membership.
fn is_membership(row: &Row) -> bool {
    row.association_type.as_deref() == Some(AssociationType::HasMember.as_str())
}

/// All of it in order, each object once.
fn in_order(parts: impl IntoIterator<Item = Vec<Found>>) -> Vec<Found> {
    let all = parts.into_iter().flatten();
    let by_key: BTreeMap<i64, Found> = all.map(|found| (found.row.key, found)).collect();
    by_key.into_values().collect()
}
