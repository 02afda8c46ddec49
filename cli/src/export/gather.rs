//! Which submission sets go on a medium, and what of them.
//!
//! A submission set keeps its uniqueId if all of its documents come along. One of which only a part
//! does is another submission set, and gets an ID that is made of its own and those of the
//! documents: the same part, exported again, is the same submission set again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::{Context, bail};
use hilum_audit::Audit;
use uuid::Uuid;
use xds_schemas::codes::status::AvailabilityStatus;
use xds_schemas::iti18_registry_stored_query::{
    ContentFilter, DocumentFilter, FindDocuments, GetContents, Names, StoredQuery,
};
use xds_schemas::iti32_distribute_document_set_on_media::MOST_SUBMISSION_SETS;
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, DocumentEntryType, EntryUuid, PatientId,
    Submission, SubmissionSetStatus, Timestamp, UniqueId,
};

use crate::client::Node;
use crate::query::{self, Found, Question};

/// Document entries that are asked for at once.
const AT_ONCE: usize = 200;

/// What was found to be written.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// In the order of their submission.
    pub(super) sets: Vec<Submission>,
    /// What is left out, and why.
    pub(super) remarks: Vec<String>,
}

/// Finds the documents in force of a patient, or those with these uniqueIds.
pub(super) async fn gather(
    node: &Node,
    ledger: &Audit,
    patient: Option<PatientId>,
    unique_ids: &[String],
) -> anyhow::Result<Gathered> {
    let mut gathered = Gathered::default();
    let chosen = match patient {
        Some(patient) => of_patient(node, ledger, patient).await?,
        None => named(node, ledger, unique_ids, &mut gathered.remarks).await?,
    };
    let mut found = Vec::new();
    for set in submission_sets(node, ledger, &chosen).await? {
        let query = StoredQuery::GetSubmissionSetAndContents(GetContents {
            of: Names::EntryUuids(vec![set]),
            filter: ContentFilter {
                entry_types: vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand],
                ..ContentFilter::default()
            },
        });
        found.push(query::find(node, ledger, &Question::from(&query)).await?);
    }
    let wanted: HashSet<&EntryUuid> = chosen.iter().map(|entry| &entry.entry_uuid).collect();
    let sets = found.into_iter().map(|found| part_of(found, &wanted));
    gathered.sets = sets.collect::<anyhow::Result<_>>()?;
    let relationships = relationships(node, ledger, &chosen).await?;
    relate(&mut gathered.sets, relationships);
    arrange(&mut gathered.sets);
    Ok(gathered)
}

async fn of_patient(
    node: &Node,
    ledger: &Audit,
    patient: PatientId,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let query = StoredQuery::FindDocuments(FindDocuments {
        patient,
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    });
    let found = query::find(node, ledger, &Question::from(&query)).await?;
    Ok(found.documents)
}

/// The documents with these uniqueIds; of several with one uniqueId, one that is in force.
async fn named(
    node: &Node,
    ledger: &Audit,
    unique_ids: &[String],
    remarks: &mut Vec<String>,
) -> anyhow::Result<Vec<DocumentEntry>> {
    let mut chosen = Vec::new();
    let unique_ids: BTreeSet<&String> = unique_ids.iter().collect();
    for unique_id in unique_ids {
        let id = UniqueId::from(unique_id.as_str());
        let query = StoredQuery::GetDocuments(Names::UniqueIds(vec![id]));
        let found = query::find(node, ledger, &Question::from(&query)).await?;
        let approved = Some(AvailabilityStatus::Approved);
        let entries = found.documents.into_iter();
        let best = entries.max_by_key(|entry| entry.availability_status == approved);
        let Some(entry) = best else {
            bail!("the registry has no document {unique_id}");
        };
        match entry.entry_type {
            DocumentEntryType::Stable => chosen.push(entry),
            DocumentEntryType::OnDemand => remarks.push(format!(
                "{unique_id} is left out: it is made when it is retrieved, so there is nothing to write"
            )),
        }
    }
    Ok(chosen)
}

/// The submission sets with which the documents came, each once.
async fn submission_sets(
    node: &Node,
    ledger: &Audit,
    chosen: &[DocumentEntry],
) -> anyhow::Result<BTreeSet<EntryUuid>> {
    let mut sets = BTreeSet::new();
    for uuids in portions(chosen) {
        let query = StoredQuery::GetSubmissionSets(uuids.to_vec());
        let found = query::find(node, ledger, &Question::from(&query)).await?;
        let known: HashSet<&EntryUuid> = found
            .submission_sets
            .iter()
            .map(|set| &set.entry_uuid)
            .collect();
        for uuid in &uuids {
            let mut memberships = found.associations.iter().filter(|it| is_original(it));
            let set = memberships.find(|it| it.target == *uuid && known.contains(&it.source));
            let set =
                set.with_context(|| format!("the registry has no submission set of {uuid}"))?;
            sets.insert(set.source.clone());
        }
    }
    match sets.len() > MOST_SUBMISSION_SETS {
        true => bail!(
            "there are {} submission sets, too many for one medium",
            sets.len()
        ),
        false => Ok(sets),
    }
}

/// The documents in portions that can be asked for: one answer concerns one patient.
fn portions(chosen: &[DocumentEntry]) -> Vec<Vec<EntryUuid>> {
    let mut by_patient: BTreeMap<&Option<PatientId>, Vec<EntryUuid>> = BTreeMap::new();
    for entry in chosen {
        let uuids = by_patient.entry(&entry.patient_id).or_default();
        uuids.push(entry.entry_uuid.clone());
    }
    let portions = by_patient.values().flat_map(|uuids| uuids.chunks(AT_ONCE));
    portions.map(<[EntryUuid]>::to_vec).collect()
}

/// How documents are related with each other (replacements, addenda, transformations, signatures):
/// GetSubmissionSetAndContents tells memberships only.
async fn relationships(
    node: &Node,
    ledger: &Audit,
    chosen: &[DocumentEntry],
) -> anyhow::Result<Vec<Association>> {
    let mut relationships = Vec::new();
    for uuids in portions(chosen) {
        let query = StoredQuery::GetAssociations(uuids);
        let found = query::find(node, ledger, &Question::from(&query)).await?;
        let found = found.associations.into_iter();
        relationships.extend(found.filter(|it| {
            it.association_type != AssociationType::HasMember
                && it.availability_status != Some(AvailabilityStatus::Deprecated)
        }));
    }
    Ok(relationships)
}

/// Puts each relationship where its source is: it came with it.
fn relate(sets: &mut [Submission], relationships: Vec<Association>) {
    for relationship in relationships {
        let has_source = |set: &&mut Submission| {
            let mut entries = set.document_entries.iter();
            entries.any(|entry| entry.entry_uuid == relationship.source)
        };
        let Some(set) = sets.iter_mut().find(has_source) else {
            continue;
        };
        // Of two documents of different portions, both tell it.
        let mut known = set.associations.iter();
        if !known.any(|it| it.entry_uuid == relationship.entry_uuid) {
            set.associations.push(relationship);
        }
    }
}

/// Whether a document came with the submission set.
fn is_original(association: &Association) -> bool {
    association.association_type == AssociationType::HasMember
        && association.submission_set_status == Some(SubmissionSetStatus::Original)
}

/// What of a submission set comes along.
fn part_of(found: Found, wanted: &HashSet<&EntryUuid>) -> anyhow::Result<Submission> {
    let set = found.submission_sets.into_iter().next();
    let mut set = set.context("the registry did not give a submission set that it has")?;
    let originals = found.associations.iter().filter(|it| is_original(it));
    let originals: HashSet<&EntryUuid> = originals
        .filter(|it| it.source == set.entry_uuid)
        .map(|it| &it.target)
        .collect();
    let entries = found.documents.into_iter();
    let (entries, rest): (Vec<_>, Vec<_>) = entries
        .filter(|entry| originals.contains(&entry.entry_uuid))
        .partition(|entry| wanted.contains(&entry.entry_uuid));
    if !rest.is_empty() || entries.len() < originals.len() {
        set.unique_id = of_part(&set.unique_id, &entries);
    }
    let mut submission = Submission::new(set);
    submission.document_entries = entries;
    submission.folders = found.folders;
    submission.associations = found.associations;
    Ok(submission)
}

/// The ID of a part of a submission set.
fn of_part(whole: &UniqueId, entries: &[DocumentEntry]) -> UniqueId {
    let ids: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry.unique_id.as_str())
        .collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let name = format!("{whole}|{}", ids.join("|"));
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    UniqueId(format!("2.25.{}", uuid.as_u128()))
}

/// Brings submission sets in the order of their submission, and leaves of their associations those
/// whose ends are on the medium by then: an importer could not resolve others.
fn arrange(sets: &mut [Submission]) {
    sets.sort_by_key(|set| {
        let set = &set.submission_set;
        let time = set.submission_time.as_ref().map(Timestamp::earliest);
        (time, set.unique_id.clone())
    });
    different_times(sets);
    let mut known: HashSet<EntryUuid> = HashSet::new();
    for submission in sets {
        known.insert(submission.submission_set.entry_uuid.clone());
        known.extend(
            submission
                .document_entries
                .iter()
                .map(|it| it.entry_uuid.clone()),
        );
        known.extend(submission.folders.iter().map(|it| it.entry_uuid.clone()));
        let (mut kept, mut open): (Vec<Association>, Vec<Association>) =
            (Vec::new(), std::mem::take(&mut submission.associations));
        // Some associations belong to others, which may come behind them.
        loop {
            let before = kept.len();
            let (ready, rest): (Vec<_>, Vec<_>) = open
                .into_iter()
                .partition(|it| known.contains(&it.source) && known.contains(&it.target));
            known.extend(ready.iter().map(|it| it.entry_uuid.clone()));
            kept.extend(ready);
            open = rest;
            if kept.len() == before {
                break;
            }
        }
        submission.associations = kept;
        without_registry(submission);
    }
}

/// Submission times on one medium are unique (ITI TF-2 3.32.4.1.2.2). Where two are the same, the
/// second is told to be a second later.
fn different_times(sets: &mut [Submission]) {
    let mut last: Option<String> = None;
    for set in sets {
        let time = &mut set.submission_set.submission_time;
        let Some(said) = time else { continue };
        let mut moment = said.earliest();
        if let Some(last) = &last
            && moment <= *last
        {
            moment = next_second(last);
            *time = Timestamp::parse(&moment).ok().or(time.take());
        }
        last = Some(moment);
    }
}

/// The second after this one, as 14 digits. After the last one of an hour comes no other here, since
/// nobody submits that often.
fn next_second(moment: &str) -> String {
    let (hours, rest) = moment.split_at(moment.len().min(10));
    let seconds: u32 = match (rest.get(..2), rest.get(2..)) {
        (Some(minutes), Some(seconds)) => {
            minutes.parse().unwrap_or(0) * 60 + seconds.parse().unwrap_or(0)
        }
        _ => 0,
    };
    let seconds = (seconds + 1).min(3599);
    format!("{hours}{:02}{:02}", seconds / 60, seconds % 60)
}

/// Takes away what only the registry can say of objects, and what it had to say for versions.
fn without_registry(submission: &mut Submission) {
    submission.submission_set.logical_id = None;
    for entry in &mut submission.document_entries {
        entry.logical_id = None;
        entry.version = None;
    }
    for folder in &mut submission.folders {
        folder.logical_id = None;
        folder.version = None;
    }
    for association in &mut submission.associations {
        association.logical_id = None;
        association.availability_status = None;
        association.home_community_id = None;
        // What an update said of the versions of its objects means nothing elsewhere.
        association.previous_version = None;
        let slots = &mut association.extra.slots;
        slots.retain(|slot| slot.name.starts_with("urn:"));
    }
}

#[cfg(test)]
mod tests {
    use xds_schemas::metadata::SubmissionSet;

    use super::*;

    fn set(unique_id: &str, time: &str) -> Submission {
        let mut set = SubmissionSet::new(format!("urn:uuid:{unique_id}"), unique_id, "1.2");
        set.submission_time = Timestamp::parse(time).ok();
        Submission::new(set)
    }

    /// ITI TF-2 3.32.4.1.2.2: unique and different submissionTime.
    #[test]
    fn submission_times_become_different() {
        let mut sets = [
            set("1.4", "20260101120059"),
            set("1.3", "20260101120059"),
            set("1.5", "20260101120101"),
            set("1.6", "2026"),
            set("1.2", "20260101120059"),
        ];
        arrange(&mut sets);
        let times: Vec<&str> = sets
            .iter()
            .map(|set| {
                set.submission_set
                    .submission_time
                    .as_ref()
                    .unwrap()
                    .as_str()
            })
            .collect();
        let expected = [
            "2026",
            "20260101120059",
            "20260101120100",
            "20260101120101",
            "20260101120102",
        ];
        assert_eq!(times, expected);
        assert_eq!(sets[1].submission_set.unique_id.as_str(), "1.2");
    }

    #[test]
    fn a_part_has_an_id_of_its_own_and_always_the_same() {
        let entries = |ids: &[&str]| -> Vec<DocumentEntry> {
            let entry = |id: &&str| DocumentEntry::new("a", *id, "text/plain");
            ids.iter().map(entry).collect()
        };
        let whole = UniqueId::from("1.2");
        let part = of_part(&whole, &entries(&["1.3", "1.4"]));
        assert_eq!(part, of_part(&whole, &entries(&["1.4", "1.3"])));
        assert_ne!(part, of_part(&whole, &entries(&["1.3"])));
        assert_ne!(
            part,
            of_part(&UniqueId::from("1.9"), &entries(&["1.3", "1.4"]))
        );
        assert!(part.as_str().starts_with("2.25.") && part.as_str().len() <= 64);
    }

    #[test]
    fn associations_stay_whose_ends_are_on_the_medium() {
        let mut first = set("1.1", "2025");
        first.add_document(DocumentEntry::new("urn:uuid:a", "1.5", "text/plain"));
        let mut second = set("1.2", "2026");
        second.add_document(DocumentEntry::new("urn:uuid:b", "1.6", "text/plain"));
        second.put_into_folder("urn:uuid:elsewhere".into(), "urn:uuid:b".into());
        second.relate(
            "urn:uuid:b".into(),
            AssociationType::Append,
            "urn:uuid:a".into(),
        );
        second.relate(
            "urn:uuid:b".into(),
            AssociationType::Replace,
            "urn:uuid:old".into(),
        );
        let mut sets = [second, first];
        arrange(&mut sets);
        let kept = sets[1].associations.iter();
        let kept: Vec<&AssociationType> = kept.map(|it| &it.association_type).collect();
        assert_eq!(
            kept,
            [&AssociationType::HasMember, &AssociationType::Append]
        );
    }
}
