//! Who may register what: with rules, each document entry is decided before anything of its submission is
//! looked up or stored (`docs/access.md`). A submission is admitted whole or not at all, and whoever hands
//! in what may not be handed in is told no more than that.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use hilum_audit::Event;
use hilum_security::access::{Asking, Described, Level, NotAdmitted, Policy};
use hilum_security::{Caller, Permission};
use xds_schemas::ebrim::RegistryObjectList;
use xds_schemas::metadata::Submission;
use xds_schemas::metadata::submission::Rules;
use xds_schemas::soap::Fault;

use crate::Registry;
use crate::consents;
use crate::iti18_registry_stored_query::alerts;
use crate::iti52_document_metadata_subscribe::incident;

/// Whether a caller may register a submission. Gives what is alarming about it. What cannot be read is not
/// decided: it is not registered either.
///
/// # Errors
/// If it may not, and if it cannot be found out.
pub(crate) async fn of_submission(
    registry: &Registry,
    caller: &Caller,
    objects: &RegistryObjectList,
    rules: Rules,
    now: SystemTime,
) -> Result<Option<Event>, Fault> {
    let Some(policy) = conditional(registry, caller, now) else {
        return Ok(None);
    };
    let codes = registry.config.affinity_codes.as_ref();
    let Ok(submission) = Submission::read_in_domain(objects, rules, codes) else {
        return Ok(None);
    };
    let patient = submission.submission_set.patient_id.as_ref();
    let patient = patient.map(ToString::to_string);
    let home = registry.config.home_community_id.to_string();
    let documents = submission.document_entries.iter().map(Described::of);
    // They belong here, whatever is said of them.
    let documents = documents.map(|document| Described {
        home_community_id: Some(home.clone()),
        ..document
    });
    decide(
        registry,
        policy,
        caller,
        (patient, documents.collect()),
        now,
    )
    .await
}

/// The same for what was published elsewhere (ITI-54): documents of a patient.
pub(crate) async fn of_documents(
    registry: &Registry,
    caller: &Caller,
    (patient, documents): (Option<String>, Vec<Described>),
    now: SystemTime,
) -> Result<Option<Event>, Fault> {
    match conditional(registry, caller, now) {
        Some(policy) => decide(registry, policy, caller, (patient, documents), now).await,
        None => Ok(None),
    }
}

/// The policy, unless it lets this caller register whatever it is.
fn conditional(registry: &Registry, caller: &Caller, now: SystemTime) -> Option<Arc<Policy>> {
    let policy = registry.config.access.policy()?;
    let decision = policy.decide_for_all(&asking(caller, now));
    let whatever = decision.is_some_and(|it| it.level == Level::Full && !it.glass_broken);
    (!whatever).then_some(policy)
}

const fn asking(caller: &Caller, now: SystemTime) -> Asking<'_> {
    Asking {
        caller,
        permission: Permission::Register,
        now,
    }
}

async fn decide(
    registry: &Registry,
    policy: Arc<Policy>,
    caller: &Caller,
    (patient, mut documents): (Option<String>, Vec<Described>),
    now: SystemTime,
) -> Result<Option<Event>, Fault> {
    // Of what has no documents, nothing is known but its patient.
    if documents.is_empty() {
        documents.push(Described::default());
    }
    let home = registry.config.home_community_id.to_string();
    for document in &mut documents {
        document
            .home_community_id
            .get_or_insert_with(|| home.clone());
        if document.patient_id.is_none() {
            document.patient_id.clone_from(&patient);
        }
    }
    let asks = caller.clone();
    let work = move |conn: &mut _| {
        let asking = asking(&asks, now);
        let mut wishes = BTreeMap::new();
        let mut emergency = BTreeMap::<String, Vec<String>>::new();
        for document in &documents {
            let decision = match policy.decide_without_consents(&asking, document) {
                Some(decision) => decision,
                None => {
                    let patient = document.patient_id.clone().unwrap_or_default();
                    if !wishes.contains_key(&patient) {
                        let of_patient = consents::of_patient_id(conn, &policy, &patient)?;
                        wishes.insert(patient.clone(), of_patient);
                    }
                    let wishes = wishes.get(&patient).map(Vec::as_slice);
                    policy.decide(&asking, document, wishes.unwrap_or_default())
                }
            };
            if let Err(refused) = NotAdmitted::unless_full(asking.permission, &decision) {
                return Ok(Err(refused));
            }
            if decision.glass_broken {
                let patient = document.patient_id.clone().unwrap_or_default();
                let documents = emergency.entry(patient).or_default();
                documents.extend(document.unique_id.clone());
            }
        }
        Ok(Ok(emergency))
    };
    match registry.db.read(work).await {
        Ok(Ok(emergency)) => Ok(alerts(caller, &emergency)),
        Ok(Err(refused)) => Err(refused.told(caller)),
        Err(failure) => Err(Fault::receiver(incident(failure))),
    }
}
