//! Documents that are made when they are retrieved, beside the registry of this project.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hilum_audit::{Audit, AuditConfig};
use hilum_repository::OnDemand;
use hilum_repository::imaging::Department;
use hilum_repository::on_demand::{Fate, Registering, register};
use serde_json::Value;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrs::{RegistryError, ReturnType};
use xds_schemas::iti18_registry_stored_query::{
    DocumentFilter, FindDocuments, GetRelatedDocuments, Names, RegistryStoredQuery, StoredQuery,
};
use xds_schemas::iti43_retrieve_document_set::DocumentResponse;
use xds_schemas::metadata::{
    AssociationType, Code, DocumentEntry, DocumentEntryType, EntryUuid, PatientId, ReferenceId,
    Timestamp,
};

use crate::real_registry;
use crate::site::{REPOSITORY, Site, refusal};
use crate::stand_in::Say;
use crate::submissions::{Draft, PATIENT, sha1};

/// A site beside a registry.
struct Place {
    site: Site,
    registry: String,
    audit: Audit,
}

impl Place {
    async fn open(on_demand: OnDemand) -> Self {
        let (mut site, port) = real_registry::site().await;
        site.stop().await;
        site.on_demand = on_demand;
        site.start().await;
        let audit = Audit::open(AuditConfig {
            spool: site.folder.path().join("audit of the command"),
            source_id: "command".to_owned(),
            enterprise_site: None,
            host: "localhost".to_owned(),
            segment_bytes: 1 << 24,
        });
        Self {
            site,
            registry: format!("http://127.0.0.1:{port}/registry"),
            audit: audit.unwrap(),
        }
    }

    async fn register(&self) -> Fate {
        let (department, format_code) = (Department::default(), Code::new("format", "1.2", "f"));
        let registering = Registering {
            repository_unique_id: &REPOSITORY.into(),
            department: &department,
            format_code: &format_code,
            registry: &self.registry,
            client: &self.site.client,
            audit: &self.audit,
            now: SystemTime::now(),
        };
        register(&registering, &patient(), Some("What was imaged"))
            .await
            .unwrap()
    }

    /// The uniqueId of a new summary.
    async fn summary(&self) -> String {
        match self.register().await {
            Fate::Registered(unique_id) => unique_id.0,
            other => panic!("{other:?}"),
        }
    }

    async fn entries(&self, query: StoredQuery) -> Vec<DocumentEntry> {
        let request = query.to_request(ReturnType::LeafClass);
        let (client, url) = (&self.site.client, &self.registry);
        let answer = client.send::<RegistryStoredQuery>(url, &request, Vec::new());
        let response = answer.await.unwrap().response;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        crate::stand_in::entries(&response.objects).collect()
    }

    /// The patient's entries of a type.
    async fn found(&self, entry_type: DocumentEntryType) -> Vec<DocumentEntry> {
        let query = StoredQuery::FindDocuments(FindDocuments {
            patient: patient(),
            statuses: vec![AvailabilityStatus::Approved],
            filter: DocumentFilter {
                entry_types: vec![entry_type],
                ..DocumentFilter::default()
            },
        });
        self.entries(query).await
    }

    async fn made(&self, id: &str) -> (DocumentResponse, Vec<u8>) {
        let (response, mut got) = self.site.retrieve(&[id]).await;
        assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
        assert_eq!(got.len(), 1);
        let (document, content) = got.remove(0);
        assert_eq!(document.document_unique_id.as_str(), id);
        assert_eq!(document.mime_type, "application/fhir+json");
        (document, content)
    }
}

fn patient() -> PatientId {
    PatientId::parse(PATIENT).unwrap()
}

fn name(document: &DocumentResponse) -> &str {
    document.new_document_unique_id.as_ref().unwrap().as_str()
}

/// A manifest of a study, or a report on it.
fn about(study: &str, format: (&str, &str), mime_type: &str, made: &str) -> Draft {
    let mut draft = Draft::text(&format!("{study} {made}"));
    let entry = draft.entry(0);
    entry.mime_type = mime_type.to_owned();
    entry.format_code = Some(Code::new(format.0, format.1, "format"));
    entry.reference_ids = vec![ReferenceId::study(study)];
    entry.creation_time = Some(Timestamp::parse(made).unwrap());
    draft
}

fn manifest(study: &str, made: &str) -> Draft {
    let format = ("1.2.840.10008.5.1.4.1.1.88.59", "1.2.840.10008.2.6.1");
    let mut draft = about(study, format, "application/dicom", made);
    let entry = draft.entry(0);
    entry.event_codes = vec![Code::new(
        "CT",
        "1.2.840.10008.2.16.4",
        "Computed Tomography",
    )];
    entry.service_start_time = Some(Timestamp::parse("20251224").unwrap());
    entry.source_patient_info = ["PID-5|Doe^Jane", "PID-7|19700102", "PID-8|F"]
        .map(str::to_owned)
        .to_vec();
    draft
}

fn report(study: &str, made: &str) -> Draft {
    let format = ("urn:ihe:rad:PDF", "1.3.6.1.4.1.19376.1.2.3");
    about(study, format, "application/pdf", made)
}

/// The resources of a bundle, which is a valid FHIR document as far as its invariants go.
fn resources(content: &[u8]) -> Vec<Value> {
    let bundle: Value = serde_json::from_slice(content).unwrap();
    assert_eq!(bundle["resourceType"], "Bundle");
    assert_eq!(bundle["type"], "document");
    // bdl-9 and bdl-10
    assert_eq!(bundle["identifier"]["system"], "urn:ietf:rfc:3986");
    assert!(bundle["timestamp"].as_str().unwrap().ends_with('Z'));
    let entries = bundle["entry"].as_array().unwrap();
    // bdl-11
    assert_eq!(entries[0]["resource"]["resourceType"], "Composition");
    let mut names: Vec<&str> = entries
        .iter()
        .map(|entry| entry["fullUrl"].as_str().unwrap())
        .collect();
    let mut references = Vec::new();
    walk(&bundle, &mut references);
    for reference in &references {
        assert!(names.contains(&reference.as_str()), "{reference}");
    }
    for name in &names[1..] {
        assert!(
            references.iter().any(|it| it == name),
            "{name} stands alone"
        );
    }
    // bdl-7
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
    let resources = entries.iter().map(|entry| entry["resource"].clone());
    resources.collect()
}

/// FHIR has no null, no empty text and no empty list. Gathers references.
fn walk(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Null => panic!("null"),
        Value::String(text) => assert!(!text.trim().is_empty()),
        Value::Array(values) => {
            assert!(!values.is_empty());
            values.iter().for_each(|value| walk(value, references));
        }
        Value::Object(values) => {
            assert!(!values.is_empty());
            if let Some(Value::String(reference)) = values.get("reference") {
                references.push(reference.clone());
            }
            values.values().for_each(|value| walk(value, references));
        }
        Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_kind<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let of_kind = |it: &&Value| it["resourceType"] == kind;
    resources.iter().filter(of_kind).collect()
}

/// ITI TF-2 3.43.4.2.2: the answer names the on-demand document as it was asked for, and what was
/// made by a NewDocumentUniqueId that differs; without NewRepositoryUniqueId it is not kept.
#[tokio::test]
async fn a_summary_is_made_when_it_is_retrieved() {
    let place = Place::open(OnDemand::Transient).await;
    let id = place.summary().await;
    let registered = place.found(DocumentEntryType::OnDemand).await;
    assert_eq!(registered.len(), 1);
    assert_eq!(registered[0].unique_id.as_str(), id);
    assert_eq!(registered[0].hash, None);

    let (empty, content) = place.made(&id).await;
    assert_ne!(name(&empty), id);
    assert_eq!(empty.new_repository_unique_id, None);
    let nothing = resources(&content);
    assert_eq!(nothing.len(), 3);
    assert!(nothing[0]["section"][0]["emptyReason"].is_object());

    for draft in [
        manifest("1.2.7", "20260101"),
        report("1.2.7", "20260102"),
        manifest("1.2.8", "20260103"),
        // Nothing about imaging.
        Draft::text("a letter"),
    ] {
        place.site.accepted(&draft).await;
    }
    let (full, content) = place.made(&id).await;
    assert_ne!(name(&full), name(&empty));
    let full_resources = resources(&content);
    assert_eq!(of_kind(&full_resources, "ImagingStudy").len(), 2);
    assert_eq!(of_kind(&full_resources, "DocumentReference").len(), 3);
    let composition = &full_resources[0];
    assert_eq!(composition["title"], "What was imaged");
    assert_eq!(composition["section"].as_array().unwrap().len(), 2);
    let study = of_kind(&full_resources, "ImagingStudy")[0];
    assert_eq!(study["identifier"][0]["value"], "urn:oid:1.2.7");
    assert_eq!(study["modality"][0]["code"], "CT");
    assert_eq!(study["started"], "2025-12-24");
    let who = of_kind(&full_resources, "Patient")[0];
    assert_eq!(who["name"][0]["family"], "Doe");
    assert_eq!(who["birthDate"], "1970-01-02");
    assert_eq!(who["gender"], "female");

    // It is nowhere, and nothing was registered.
    place.site.missing(name(&full)).await;
    assert_eq!(place.found(DocumentEntryType::Stable).await.len(), 4);
}

/// ITI TF-2 3.43.4.2.2: the same NewDocumentUniqueId means the same content, and sources are
/// encouraged to use it again when nothing has changed.
#[tokio::test]
async fn the_same_content_has_the_same_name() {
    let place = Place::open(OnDemand::Transient).await;
    let id = place.summary().await;
    place.site.accepted(&manifest("1.2.7", "20260101")).await;
    let (first, content) = place.made(&id).await;
    place.site.accepted(&Draft::text("a letter")).await;
    let (second, same) = place.made(&id).await;
    assert_eq!(name(&first), name(&second));
    assert_eq!(content, same);
    place.site.accepted(&report("1.2.7", "20260102")).await;
    let (third, other) = place.made(&id).await;
    assert_ne!(name(&first), name(&third));
    assert_ne!(content, other);
    assert!(String::from_utf8(other).unwrap().contains(name(&third)));
}

/// ITI TF-2 3.43.4.2.3: with persistence, what is returned is saved and registered as a stable
/// entry that is a snapshot of the on-demand one, before the answer is sent.
#[tokio::test]
async fn a_snapshot_is_kept_and_registered() {
    let mut place = Place::open(OnDemand::Persist).await;
    let id = place.summary().await;
    place.site.accepted(&manifest("1.2.7", "20260101")).await;
    let (made, content) = place.made(&id).await;
    let repository = made.new_repository_unique_id.as_ref().unwrap();
    assert_eq!(repository.as_str(), REPOSITORY);
    let snapshot = name(&made).to_owned();

    let on_demand = place.found(DocumentEntryType::OnDemand).await.remove(0);
    let related = StoredQuery::GetRelatedDocuments(GetRelatedDocuments {
        of: Names::EntryUuids(vec![on_demand.entry_uuid.clone()]),
        association_types: vec![AssociationType::IsSnapshotOf],
        entry_types: vec![DocumentEntryType::Stable, DocumentEntryType::OnDemand],
    });
    let mut related = place.entries(related).await;
    related.retain(|entry| entry.entry_type == DocumentEntryType::Stable);
    assert_eq!(related.len(), 1);
    assert_eq!(related[0].unique_id.as_str(), snapshot);
    assert_eq!(related[0].hash, Some(sha1(&content)));
    assert_eq!(related[0].size, Some(content.len() as u64));
    assert_eq!(related[0].mime_type, "application/fhir+json");
    assert_eq!(related[0].title, on_demand.title);
    assert_eq!(place.site.content(&snapshot).await, content);

    // The same again is not kept again, also after a restart; something else is.
    place.site.stop().await;
    place.site.start().await;
    let (again, same) = place.made(&id).await;
    assert_eq!((name(&again), &same), (snapshot.as_str(), &content));
    assert_eq!(
        again.new_repository_unique_id,
        made.new_repository_unique_id
    );
    assert_eq!(place.found(DocumentEntryType::Stable).await.len(), 2);
    place.site.accepted(&report("1.2.7", "20260102")).await;
    let (other, _) = place.made(&id).await;
    assert_ne!(name(&other), snapshot);
    assert_eq!(place.found(DocumentEntryType::Stable).await.len(), 4);
    // The old one is what it was.
    assert_eq!(place.site.content(&snapshot).await, content);
    let records = place.site.records();
    let registered = format!("ITI-42 Export 0 {PATIENT}");
    let registrations = records.iter().filter(|it| **it == registered).count();
    assert_eq!(
        registrations, 4,
        "two documents and two snapshots: {records:?}"
    );

    // A snapshot that was removed is made and kept anew.
    let removed = place.site.remove(&[name(&other)]).await;
    assert_eq!(removed.status, ResponseStatus::Success);
    place.site.missing(name(&other)).await;
    let (anew, content) = place.made(&id).await;
    assert_eq!(name(&anew), name(&other));
    assert_eq!(place.site.content(name(&anew)).await, content);
}

/// Those who ask at the same time get the same snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_snapshot_for_all() {
    let place = Arc::new(Place::open(OnDemand::Persist).await);
    let id = place.summary().await;
    place.site.accepted(&manifest("1.2.7", "20260101")).await;
    let mut asking = Vec::new();
    for _ in 0..8 {
        let (place, id) = (Arc::clone(&place), id.clone());
        asking.push(tokio::spawn(async move { place.made(&id).await }));
    }
    let mut names = Vec::new();
    for asked in asking {
        let (document, content) = asked.await.unwrap();
        assert!(document.new_repository_unique_id.is_some());
        names.push((name(&document).to_owned(), content));
    }
    names.dedup();
    assert_eq!(names.len(), 1);
    assert_eq!(place.found(DocumentEntryType::Stable).await.len(), 2);
}

/// A patient has one summary.
#[tokio::test]
async fn a_summary_is_registered_once() {
    let place = Place::open(OnDemand::Transient).await;
    let id = place.summary().await;
    let Fate::Known(known) = place.register().await else {
        panic!("it is not known");
    };
    assert_eq!(known.as_str(), id);
    assert_eq!(place.found(DocumentEntryType::OnDemand).await.len(), 1);
}

/// What cannot be made is told one by one, and keeps nothing else back.
#[tokio::test]
async fn what_cannot_be_made() {
    let mut place = Place::open(OnDemand::Transient).await;
    let id = place.summary().await;
    let letter = Draft::text("a letter");
    place.site.accepted(&letter).await;
    // Another one that looks like it, and is not registered.
    let mut stranger = Place::open(OnDemand::Transient).await;
    let unknown = stranger.summary().await;
    place.site.missing(&unknown).await;
    stranger.site.stop().await;

    let (response, got) = place.site.retrieve(&[&unknown, &id, &letter.id(0)]).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(response.errors[0].code.as_str(), "XDSDocumentUniqueIdError");
    assert_eq!(response.errors[0].location.as_deref(), Some(&*unknown));
    assert_eq!(got.len(), 2);

    // Not more than sixteen are made for one request.
    let many = vec![id.as_str(); 17];
    let (response, got) = place.site.retrieve(&many).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    let code = response.errors[0].code.as_str();
    assert_eq!(code, "XDSRepositoryOutOfResources");
    assert_eq!(got.len(), 16);

    // Nothing is removed that is not here.
    let removed = place.site.remove(&[&id]).await;
    refusal(removed, &["XDSDocumentUniqueIdError"]);

    place.site.link.down().await;
    let (response, got) = place.site.retrieve(&[&id, &letter.id(0)]).await;
    assert_eq!(response.status, ResponseStatus::PartialSuccess);
    assert_eq!(response.errors[0].code.as_str(), "XDSRepositoryError");
    assert_eq!(got[0].1, b"a letter");
    place.site.link.up().await;

    place.site.stop().await;
    place.site.on_demand = OnDemand::Off;
    place.site.start().await;
    let questions = |place: &Place| {
        let records = place.site.records();
        records.iter().filter(|it| it.starts_with("ITI-18")).count()
    };
    let before = questions(&place);
    place.site.missing(&id).await;
    assert_eq!(questions(&place), before, "nobody was asked");
}

/// A site whose registry does as it is told, and knows a summary of this name.
async fn told() -> (Site, String) {
    let mut site = Site::open().await;
    site.stop().await;
    site.on_demand = OnDemand::Persist;
    site.start().await;
    let place = Place::open(OnDemand::Transient).await;
    let id = place.summary().await;
    let mut entry = place.found(DocumentEntryType::OnDemand).await.remove(0);
    entry.logical_id = None;
    let mut submission = Draft::of([]).metadata;
    submission.add_document(entry);
    submission.resolve(&mut || EntryUuid(uuid::Uuid::new_v4().urn().to_string()));
    let objects = submission.to_ebrim().objects.into_iter();
    let objects = objects.map(|object| (object.id.clone(), object));
    site.registry.registered.lock().unwrap().extend(objects);
    (site, id)
}

/// ITI TF-2 3.43.4.2.3: the registration is complete before the answer. A registry that does not
/// take the snapshot: nothing is given, and nothing of it stays.
#[tokio::test]
async fn a_snapshot_that_is_refused_is_not_given() {
    let (site, id) = told().await;
    let reason = RegistryError::error(ErrorCode::RegistryOutOfResources, "as asked");
    site.registry.say(Say::Failure(vec![reason]));
    let (response, got) = site.retrieve(&[&id]).await;
    let errors = refusal(response, &["XDSRepositoryError"]);
    let context = &errors[0].context;
    assert!(context.contains("XDSRegistryOutOfResources"), "{context}");
    assert!(got.is_empty());
    site.nothing_left().await;
    let snapshot = site.registry.last_entries()[0].unique_id.clone();
    site.missing(snapshot.as_str()).await;
    // The next time it may be taken.
    let (response, got) = site.retrieve(&[&id]).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(name(&got[0].0), snapshot.as_str());
}

/// An answer to ITI-42 that is lost: the registry is asked what it knows.
#[tokio::test]
async fn a_snapshot_whose_fate_is_unknown_is_asked_for() {
    let (mut site, id) = told().await;
    site.registry.say(Say::RegisteredAndFault);
    let (response, got) = site.retrieve(&[&id]).await;
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    let snapshot = name(&got[0].0).to_owned();
    assert_eq!(site.content(&snapshot).await, got[0].1);

    // And if it does not say either, whoever asks later gets the one that is registered.
    site.remove(&[&snapshot]).await;
    let submissions = site.registry.submissions.lock().unwrap().len();
    site.registry.say(Say::RegisteredAndFault);
    *site.registry.delays.lock().unwrap() = (Duration::ZERO, Duration::from_millis(400));
    let confuse = async {
        while site.registry.submissions.lock().unwrap().len() == submissions {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        *site.registry.confused.lock().unwrap() = true;
    };
    let asked = [id.as_str()];
    let ((response, _), ()) = tokio::join!(site.retrieve(&asked), confuse);
    refusal(response, &["XDSRepositoryError"]);
    site.stop().await;
    *site.registry.confused.lock().unwrap() = false;
    site.start().await;
    let (_, again) = site.retrieve(&[&id]).await;
    assert_eq!(name(&again[0].0), snapshot);
    let sent = site.registry.submissions.lock().unwrap().len();
    assert_eq!(
        sent,
        submissions + 1,
        "it was registered once more, and then found"
    );
}
