//! `hilum update`: changes the metadata of a registered document, by ITI-57 Update Document Set or
//! ITI-92 Restricted Update Document Set.

mod arguments;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::bail;
use hilum_audit::{Event, Parties, SubmissionSet as Recorded, Transaction};
use serde_json::json;
use xds_schemas::affinity_codes::CodeKind;
use xds_schemas::codes::status::{AvailabilityStatus, DocumentAvailability};
use xds_schemas::ebrim::{InternationalString, Slot};
use xds_schemas::ebrs::{RegistryResponse, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti57_update_document_set::UpdateDocumentSet;
use xds_schemas::iti92_restricted_update_document_set::RestrictedUpdateDocumentSet;
use xds_schemas::metadata::{
    Association, AssociationType, DocumentEntry, EntryUuid, Submission, SubmissionSet, Timestamp,
};

use crate::client::{self, Node};
use crate::domain::Domain;
use crate::init::new_oid;
use crate::query::{self, Question};
use crate::refusal::{self, judge};
use crate::status::Usage;
use crate::terminal::{say, say_json};

pub(crate) use arguments::Arguments;

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let node = Node::open(&arguments.config)?.for_user(&arguments.user)?;
    let domain = Domain::of(&node.config)?;
    let ledger = node.ledger()?;
    let entry = newest(&node, &arguments.id).await?;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now = Timestamp::from_unix(now.as_secs());
    let submission = update(arguments, &node, &domain, &entry, now)?;
    let response = send(&node, &ledger, &submission, arguments.restricted).await?;
    if arguments.json {
        say_json(&json!({
            "status": refusal::word(response.status),
            "errors": refusal::json(&response.errors),
        }))?;
    } else if response.errors.is_empty() {
        say(&format!("updated {}", entry.unique_id))?;
    }
    let what = "the registry refused the update";
    Ok(judge(response.status, &response.errors, what)?)
}

/// The newest version of a document, by its uniqueId or by the entryUUID of that version.
async fn newest(node: &Node, id: &str) -> anyhow::Result<DocumentEntry> {
    let question = Question::from(&StoredQuery::GetDocuments(query::name(id)));
    let question = question.with_versions();
    let found = query::find(node, &node.ledger()?, &question).await?;
    let version = |entry: &DocumentEntry| {
        let version = entry.version.as_deref().unwrap_or("1");
        version.parse::<u32>().unwrap_or(1)
    };
    let mut found = found.documents;
    let mut objects: Vec<_> = found.iter().map(|it| it.logical_id.clone()).collect();
    objects.dedup();
    if objects.len() > 1 {
        bail!("there are several documents {id}; name one by its entryUUID");
    }
    found.sort_by_key(version);
    match found.pop() {
        Some(entry) => Ok(entry),
        None => bail!("the registry has no document {id}"),
    }
}

/// The message: a new version if metadata changes, and a change of status if that is asked for.
fn update(
    arguments: &Arguments,
    node: &Node,
    domain: &Domain,
    entry: &DocumentEntry,
    now: Timestamp,
) -> anyhow::Result<Submission> {
    let home = &node.config.home_community_id;
    let source_id = home.strip_prefix("urn:oid:").unwrap_or(home);
    let mut submission = Submission::new(SubmissionSet {
        content_type_code: domain.kind(CodeKind::ContentTypeCode).into_iter().next(),
        patient_id: entry.patient_id.clone(),
        submission_time: Some(now),
        home_community_id: Some(home.as_str().into()),
        ..SubmissionSet::new("SubmissionSet", new_oid(), source_id)
    });
    let mut changed = DocumentEntry {
        entry_uuid: EntryUuid::from("NewVersion"),
        logical_id: Some(entry.logical_id.clone().unwrap_or(entry.entry_uuid.clone())),
        home_community_id: Some(home.as_str().into()),
        ..entry.clone()
    };
    change(arguments, domain, &mut changed)?;
    let unnamed = DocumentEntry {
        entry_uuid: entry.entry_uuid.clone(),
        logical_id: entry.logical_id.clone(),
        home_community_id: entry.home_community_id.clone(),
        ..changed.clone()
    };
    if unnamed != *entry {
        submission.add_document(changed);
        let previous = entry.version.clone().unwrap_or_else(|| "1".to_owned());
        submission.associations[0].previous_version = Some(previous);
    }
    let status = entry
        .availability_status
        .unwrap_or(AvailabilityStatus::Approved);
    let wanted = match (arguments.approve, arguments.deprecate) {
        (true, _) => AvailabilityStatus::Approved,
        (_, true) => AvailabilityStatus::Deprecated,
        _ => status,
    };
    if wanted != status {
        let kind = AssociationType::UpdateAvailabilityStatus;
        let mut trigger = Association::new(kind, "SubmissionSet", entry.entry_uuid.clone());
        trigger.extra.slots = vec![
            Slot::single("OriginalStatus", status.as_str()),
            Slot::single("NewStatus", wanted.as_str()),
        ];
        submission.associations.push(trigger);
    }
    match submission.associations.is_empty() {
        true => Err(Usage::new("nothing would change: it is registered so already").into()),
        false => Ok(submission),
    }
}

/// Writes what is to be changed into an entry.
fn change(arguments: &Arguments, domain: &Domain, entry: &mut DocumentEntry) -> anyhow::Result<()> {
    let text = |given: &Option<String>| given.as_deref().map(InternationalString::of);
    entry.title = text(&arguments.title).or(entry.title.take());
    entry.comments = text(&arguments.comments).or(entry.comments.take());
    for (kind, given, code) in [
        (
            CodeKind::ClassCode,
            &arguments.class_code,
            &mut entry.class_code,
        ),
        (
            CodeKind::TypeCode,
            &arguments.type_code,
            &mut entry.type_code,
        ),
        (
            CodeKind::PracticeSettingCode,
            &arguments.practice_setting_code,
            &mut entry.practice_setting_code,
        ),
        (
            CodeKind::HealthcareFacilityTypeCode,
            &arguments.healthcare_facility_type_code,
            &mut entry.healthcare_facility_type_code,
        ),
    ] {
        if let Some(given) = given {
            *code = Some(domain.code(kind, given)?);
        }
    }
    for (kind, given, codes) in [
        (
            CodeKind::ConfidentialityCode,
            &arguments.confidentiality_codes,
            &mut entry.confidentiality_codes,
        ),
        (
            CodeKind::EventCode,
            &arguments.event_codes,
            &mut entry.event_codes,
        ),
    ] {
        if !given.is_empty() {
            let read = given.iter().map(|code| domain.code(kind, code));
            *codes = read.collect::<Result<_, _>>()?;
        }
    }
    if let Some(patient) = &arguments.patient {
        entry.patient_id = Some(domain.patient(patient)?);
    }
    if arguments.offline {
        entry.document_availability = Some(DocumentAvailability::Offline);
    } else if arguments.online && entry.document_availability.is_some() {
        entry.document_availability = Some(DocumentAvailability::Online);
    }
    Ok(())
}

/// Sends the update, and records that it was sent before anybody sees the answer.
async fn send(
    node: &Node,
    ledger: &hilum_audit::Audit,
    submission: &Submission,
    restricted: bool,
) -> anyhow::Result<RegistryResponse> {
    let url = node.registry()?;
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    };
    let client = &node.client;
    let (answer, by) = match restricted {
        false => {
            let sent = client.send::<UpdateDocumentSet>(&url, &request, Vec::new());
            (sent.await, Transaction::Update)
        }
        true => {
            let sent = client.send::<RestrictedUpdateDocumentSet>(&url, &request, Vec::new());
            (sent.await, Transaction::RestrictedUpdate)
        }
    };
    let outcome = client::outcome(&answer, |response| (response.status, &response.errors[..]));
    let set = &submission.submission_set;
    let patient = set.patient_id.as_ref().map(ToString::to_string);
    let set = Recorded {
        unique_id: set.unique_id.as_str(),
        patient: patient.as_deref(),
    };
    let event = Event::submitted(by, &Parties::asked(&url), set, &outcome);
    Ok(ledger.record(event, answer).await?.into_inner()?.response)
}
