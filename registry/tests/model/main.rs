//! The registry beside a model of it: whatever is submitted, good or bad, both say the same, and
//! after each submission all stored queries find the same.
//!
//! HILUM_MODEL_CASES says how many stories are told. A story that ends badly is made as short as it
//! can be, printed, and kept in `failures`, from where it is told again first.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod model;
mod plan;
#[path = "../registry/postgres.rs"]
mod postgres;
#[allow(dead_code, reason = "the registry's other tests need more of it")]
#[path = "../registry/site.rs"]
mod site;
#[allow(dead_code, reason = "the registry's other tests need more of it")]
#[path = "../registry/vault.rs"]
mod vault;
#[allow(dead_code, reason = "the registry's other tests need more of it")]
#[path = "../registry/words.rs"]
mod words;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};
use xds_schemas::codes::status::{APPROVED, AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrim::{Body, RegistryObject};
use xds_schemas::ebrs::{RegistryResponse, ReturnType};
use xds_schemas::iti18_registry_stored_query::{
    ContentFilter, GetAll, MetadataLevel, RegistryStoredQuery, StoredQuery, Visibility,
};
use xds_schemas::iti51_multi_patient_stored_query::MultiPatientStoredQuery;
use xds_schemas::metadata::{DocumentEntryType, EntryUuid, PatientId};

use model::{Errors, Level, Model, What};
use plan::{Question, Step, question, step};
use site::Site;

/// How long a story is at most.
const STEPS: usize = 7;

/// What is done, and what is asked then.
type Scene = (Step, Question);

fn cases(usual: u32) -> u32 {
    let wanted = std::env::var("HILUM_MODEL_CASES").ok();
    wanted.and_then(|it| it.parse().ok()).unwrap_or(usual)
}

/// Tells stories to a registry and to the model.
fn tell(site: &Site, runtime: &tokio::runtime::Runtime, cases: u32) {
    let config = Config {
        cases,
        max_shrink_iters: 2000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(
            "tests/model/failures",
        ))),
        ..Config::default()
    };
    let told = Cell::new(0u64);
    let seen = RefCell::new(Seen::default());
    let stories = vec((step(), question()), 1..=STEPS);
    let result = TestRunner::new(config).run(&stories, |steps| {
        // Each story has patients of its own; the last one is unknown.
        told.set(told.get() + 1);
        let patients =
            ["A", "B", "C", "X"].map(|it| words::patient(&format!("{it}{}", told.get())));
        runtime.block_on(story(site, &patients, &steps, &mut seen.borrow_mut()))
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    seen.borrow().is_enough(cases);
}

/// What happened: that both say the same means nothing if they never say anything.
#[derive(Debug, Default)]
struct Seen {
    accepted: u32,
    /// How often each code was answered.
    refused: BTreeMap<String, u32>,
    /// How often each query found something.
    found: BTreeMap<&'static str, u32>,
}

impl Seen {
    fn is_enough(&self, cases: u32) {
        eprintln!("{self:?}");
        if cases < 20 {
            return;
        }
        assert!(self.accepted >= cases, "{self:?}");
        assert!(self.refused.values().sum::<u32>() >= cases / 2, "{self:?}");
        assert!(self.refused.len() >= 6, "{self:?}");
        assert_eq!(self.found.len(), 17, "{self:?}");
    }
}

async fn story(
    site: &Site,
    patients: &[PatientId],
    steps: &[Scene],
    seen: &mut Seen,
) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    for patient in &patients[..3] {
        assert!(site.registry.add_patient(patient).await.unwrap());
        model.patients.push(patient.clone());
    }
    let mut links = BTreeMap::new();
    for (step, question) in steps {
        let Some((what, answer, expected)) = act(site, &mut model, patients, step).await else {
            continue;
        };
        let codes: BTreeSet<String> = answer.errors.iter().map(|it| it.code.to_string()).collect();
        let expected: BTreeSet<String> = expected.into_iter().map(str::to_owned).collect();
        if codes != expected {
            let text = format!("{what}: {:#?}, expected {expected:?}", answer.errors);
            return Err(TestCaseError::fail(text));
        }
        let is_success = answer.status == ResponseStatus::Success;
        assert_eq!(is_success, codes.is_empty());
        seen.accepted += u32::from(is_success);
        for code in codes {
            *seen.refused.entry(code).or_default() += 1;
        }
        learn(site, patients, &mut links).await;
        adopt(&mut model, &links);
        let level = match question.knows_versions {
            true => Level::All,
            false => Level::Newest,
        };
        for query in question.queries(&model, patients) {
            if compare(site, &model, &links, &query, level).await? {
                *seen.found.entry(query.kind().name()).or_default() += 1;
            }
        }
    }
    Ok(())
}

/// Does the same with both: what it was, what the registry says, and what the model does. Nothing if
/// there is nothing yet that it could be done with.
#[expect(clippy::too_many_lines, reason = "a table of steps")]
async fn act(
    site: &Site,
    model: &mut Model,
    patients: &[PatientId],
    step: &Step,
) -> Option<(String, RegistryResponse, Errors)> {
    let alive = |wanted: &dyn Fn(&What) -> bool| -> Vec<usize> {
        let all = model.objects.iter().enumerate();
        all.filter(|(_, it)| !it.is_gone && it.uuid.is_some() && wanted(&it.what))
            .map(|(at, _)| at)
            .collect()
    };
    match step {
        Step::Submit(plan) => {
            let submission = plan.submission(model, patients);
            let answer = site.submit(&submission).await;
            Some((
                format!("{submission:#?}"),
                answer,
                model.submit(&submission),
            ))
        }
        Step::Update {
            document,
            is_stale,
            is_other,
            propagates,
        } => {
            let documents = alive(&|it| matches!(it, What::Document(_)));
            let at = (!documents.is_empty()).then(|| *document.get(&documents))?;
            let (update, previous) =
                plan::new_version(model, at, *is_stale, *is_other, *propagates)?;
            let answer = site.update(&update).await;
            let expected = model.update(&update, at, previous, *propagates);
            Some((format!("{update:#?}"), answer, expected))
        }
        Step::Status { object, is_known } => {
            let objects = alive(&|_| true);
            let at = (!objects.is_empty()).then(|| *object.get(&objects))?;
            let of = &model.objects[at];
            let from = of.is_approved == *is_known;
            let patient = model.survivor(&of.patient);
            let update = plan::change_status(patient, of.uuid.as_ref()?, from);
            let answer = site.update(&update).await;
            let expected = model.change_status(&update, at, from, !from);
            Some((format!("{update:#?}"), answer, expected))
        }
        Step::Merge { from, into } => {
            let [subsumed, survivor] = [from, into].map(|at| &patients[*at]);
            if from == into || !model.knows(subsumed) || !model.knows(survivor) {
                return None;
            }
            let message = format!(
                "MSH|^~\\&|A|B|C|D|20260101||ADT^A40|1|P|2.3.1\rEVN|A40|20260101\r\
                 PID|||{survivor}||Doe\rMRG|{subsumed}\r"
            );
            site.taken(&message).await;
            model.merge(subsumed, survivor);
            let nothing = RegistryResponse::success(Vec::new());
            Some((message, nothing, Errors::new()))
        }
        Step::Remove { object, how } => {
            let objects = alive(&|_| true);
            let at = (!objects.is_empty()).then(|| *object.get(&objects))?;
            let going: Vec<usize> = match how {
                0 => vec![at],
                1 => objects
                    .into_iter()
                    .filter(|other| model.objects[*other].patient == model.objects[at].patient)
                    .collect(),
                _ => model.with_references(at).into_iter().collect(),
            };
            let uuids: Option<Vec<_>> = going
                .iter()
                .map(|at| model.objects[*at].uuid.clone())
                .collect();
            let uuids = uuids?;
            let answer = site.remove(&uuids).await;
            Some((format!("remove {uuids:#?}"), answer, model.remove(&uuids)))
        }
    }
}

/// The model learns the entryUUIDs of what the registry made.
fn adopt(model: &mut Model, links: &Links) {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    for object in &model.objects {
        taken.extend(object.uuid.iter().map(ToString::to_string));
    }
    for at in 0..model.objects.len() {
        if model.objects[at].uuid.is_some() {
            continue;
        }
        let told = name_in(model, at);
        let found = links
            .keys()
            .find(|id| !taken.contains(*id) && name(id, links) == told);
        if let Some(id) = found {
            taken.insert(id.clone());
            model.objects[at].uuid = Some(EntryUuid(id.clone()));
        }
    }
}

/// Source, target and how an association is told, by its entryUUID.
type Links = BTreeMap<String, (String, String, String)>;

/// Everything that there is, so that associations of associations can be told.
async fn learn(site: &Site, patients: &[PatientId], links: &mut Links) {
    let both = vec![AvailabilityStatus::Approved, AvailabilityStatus::Deprecated];
    for patient in patients {
        let everything = StoredQuery::GetAll(GetAll {
            patient: patient.clone(),
            document_entry_statuses: both.clone(),
            submission_set_statuses: both.clone(),
            folder_statuses: both.clone(),
            filter: ContentFilter {
                entry_types: vec![DocumentEntryType::Stable],
                ..ContentFilter::default()
            },
        });
        for object in site.find_all(&everything).await {
            if let Body::Association {
                association_type,
                source,
                target,
            } = &object.body
            {
                let status = object.slot("SubmissionSetStatus");
                let status = status.map_or("", |it| it.values[0].as_str());
                let how = format!("{association_type} {status}");
                links.insert(object.id.clone(), (source.clone(), target.clone(), how));
            }
        }
    }
}

fn name(id: &str, links: &Links) -> String {
    match links.get(id) {
        None => id.to_owned(),
        Some((source, target, how)) => {
            format!("({} {how} {})", name(source, links), name(target, links))
        }
    }
}

/// How objects are told: what they are called, and whether they are approved. Associations are
/// called by what they connect, because the registry makes some of them itself.
fn told(objects: &[RegistryObject], links: &Links) -> Vec<String> {
    let tell = |it: &RegistryObject| {
        let approved = it.status.as_deref() == Some(APPROVED);
        format!("{} {approved}", name(&it.id, links))
    };
    let mut told: Vec<String> = objects.iter().map(tell).collect();
    told.sort_unstable();
    told
}

/// How the model calls an object.
fn name_in(model: &Model, at: usize) -> String {
    match &model.objects[at].what {
        What::Link {
            how,
            source,
            target,
            status,
        } => {
            let status = status.map_or("", |it| it.as_str());
            let (source, target) = (name_in(model, *source), name_in(model, *target));
            format!("({source} {} {status} {target})", how.as_str())
        }
        _ => model.objects[at].uuid.as_ref().unwrap().to_string(),
    }
}

/// Asks both; says whether anything was found.
async fn compare(
    site: &Site,
    model: &Model,
    links: &Links,
    query: &StoredQuery,
    level: Level,
) -> Result<bool, TestCaseError> {
    let visibility = Visibility {
        level: match level {
            Level::Newest => MetadataLevel::One,
            Level::All => MetadataLevel::Two,
        },
        association_statuses: Vec::new(),
    };
    let ask = async |wanted| {
        let request = query.to_visible_request(wanted, &visibility);
        match query {
            StoredQuery::FindDocumentsForMultiplePatients(_)
            | StoredQuery::FindFoldersForMultiplePatients(_) => {
                site.call::<MultiPatientStoredQuery>(&request).await
            }
            _ => site.call::<RegistryStoredQuery>(&request).await,
        }
    };
    let answer = ask(ReturnType::LeafClass).await;
    let found = match answer.errors.as_slice() {
        [] => Ok(told(&answer.objects, links)),
        errors => Err(errors
            .iter()
            .map(|it| it.code.to_string())
            .collect::<Vec<_>>()),
    };
    let expected = match model.query(query, level) {
        Ok(places) => {
            let tell =
                |at: &usize| format!("{} {}", name_in(model, *at), model.objects[*at].is_approved);
            let mut all: Vec<String> = places.iter().map(tell).collect();
            all.sort_unstable();
            Ok(all)
        }
        Err(code) => Err(vec![code.to_owned()]),
    };
    if found != expected {
        let text = format!("{query:#?} at {level:?} found {found:#?}, expected {expected:#?}");
        return Err(TestCaseError::fail(text));
    }
    // References are not judged by patients; there are as many as whole objects.
    if let Ok(whole) = &found {
        let references = ask(ReturnType::ObjectRef).await;
        assert_eq!(references.objects.len(), whole.len(), "{query:#?}");
    }
    Ok(found.is_ok_and(|it| !it.is_empty()))
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// ITI TF-2 3.18.4.1.3, 3.42.4.1.3: what is refused, what becomes of what is accepted, and what all
/// fourteen queries find then.
#[test]
fn the_registry_agrees_with_the_model() {
    let runtime = runtime();
    let _inside = runtime.enter();
    tell(&Site::on_sqlite(), &runtime, cases(60));
}

/// The same on PostgreSQL, for a shorter time.
#[test]
fn so_it_does_on_postgresql() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let Some(server) = postgres::Server::start() else {
        return;
    };
    tell(&Site::on(server.new_database()), &runtime, cases(60) / 4);
}
