//! Figures, not tests: how fast the registry is without the network.
//!
//! `cargo test --release -p hilum-registry figures -- --ignored --nocapture`; HILUM_FIGURES_URL
//! asks another database than SQLite in a temporary folder.

mod cohorts;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hilum_audit::{Audit, AuditConfig, Parties};
use hilum_security::Caller;
use hilum_security::access::{Access, Consent, Policy, Vocabulary, Wish};
use hilum_security::at_rest::{KeyRing, Vault};
use xds_schemas::codes::status::{AvailabilityStatus, ResponseStatus};
use xds_schemas::ebrs::{AdhocQueryRequest, ReturnType, SubmitObjectsRequest};
use xds_schemas::iti18_registry_stored_query::{DocumentFilter, FindDocuments, StoredQuery};
use xds_schemas::metadata::*;
use xds_schemas::soap::{self, Header};

use crate::{Registry, RegistryConfig, UnknownPatients};
use crate::{iti18_registry_stored_query as iti18, iti42_register_document_set as iti42};

const PATIENTS: u64 = 1000;

fn patient(number: u64) -> PatientId {
    PatientId::new(format!("P{number}"), "1.2.3.9")
}

fn code(code: &str) -> Code {
    Code::new(
        code,
        "2.16.840.1.113883.6.1",
        format!("Display name of {code}"),
    )
}

/// One document with everything that documents usually have.
fn submission(number: u64) -> Vec<u8> {
    let author = Author {
        person: Some("11375^Welby^Marcus^J^Jr. MD^Dr^^^&1.2.840.113619.6.197&ISO".to_owned()),
        institutions: vec!["Some Hospital^^^^^^^^^1.2.3.4.5.6.7.8.9.1789.45".to_owned()],
        roles: vec!["attending".to_owned()],
        specialties: vec!["Radiology".to_owned()],
        ..Author::default()
    };
    let of = patient(number);
    let unique = uuid::Uuid::new_v4().as_u128();
    let mut submission = Submission::new(SubmissionSet {
        title: Some(xds_schemas::ebrim::InternationalString::of("A submission")),
        authors: vec![author.clone()],
        content_type_code: Some(code("18842-5")),
        patient_id: Some(of.clone()),
        submission_time: Timestamp::parse("20240102030405").ok(),
        ..SubmissionSet::new("Set", format!("2.25.{unique}"), "1.2.3.5")
    });
    submission.add_document(DocumentEntry {
        title: Some(xds_schemas::ebrim::InternationalString::of(
            "Discharge summary",
        )),
        authors: vec![author],
        class_code: Some(code("REPORTS")),
        confidentiality_codes: vec![code("N")],
        event_codes: vec![code("T-D4909"), code("T-A0100")],
        format_code: Some(code("urn:ihe:rad:TEXT")),
        healthcare_facility_type_code: Some(code("HOSP")),
        practice_setting_code: Some(code("RAD")),
        type_code: Some(code("18748-4")),
        creation_time: Timestamp::parse("20240102").ok(),
        hash: Some("da39a3ee5e6b4b0d3255bfef95601890afd80709".to_owned()),
        size: Some(0),
        language_code: Some("de-AT".to_owned()),
        legal_authenticator: Some("^Welby^Marcus".to_owned()),
        patient_id: Some(of),
        source_patient_id: Some(PatientId::new("L-1", "1.2.3.5")),
        source_patient_info: vec![
            "PID-3|L-1^^^&1.2.3.5&ISO".to_owned(),
            "PID-5|Doe^John^^^".to_owned(),
            "PID-7|19560527".to_owned(),
            "PID-8|M".to_owned(),
        ],
        reference_ids: vec![ReferenceId::study(format!("2.25.{unique}.7"))],
        repository_unique_id: Some(RepositoryUniqueId::from("1.2.3.8")),
        service_start_time: Timestamp::parse("2023").ok(),
        service_stop_time: Timestamp::parse("20230101").ok(),
        ..DocumentEntry::new("Document", format!("2.25.{unique}.1"), "text/plain")
    });
    let request = SubmitObjectsRequest {
        slots: Vec::new(),
        objects: submission.to_ebrim(),
    };
    let header = Header::request(
        "urn:ihe:iti:2007:RegisterDocumentSet-b",
        String::new(),
        "http://r",
    );
    soap::write(&header, &request).into_bytes()
}

fn query(number: u64, wanted: ReturnType) -> Vec<u8> {
    let query = StoredQuery::FindDocuments(FindDocuments {
        patient: patient(number),
        statuses: vec![AvailabilityStatus::Approved],
        filter: DocumentFilter {
            entry_types: vec![DocumentEntryType::Stable],
            ..DocumentFilter::default()
        },
    });
    let header = Header::request(
        "urn:ihe:iti:2007:RegistryStoredQuery",
        String::new(),
        "http://r",
    );
    soap::write(&header, &query.to_request(wanted)).into_bytes()
}

fn caller() -> Caller {
    Caller::unknown(([127, 0, 0, 1], 1).into())
}

fn parties() -> Parties {
    Parties::answered(&caller(), "https://localhost:18401/registry")
}

async fn submit(registry: &Registry, message: &[u8]) {
    let request: SubmitObjectsRequest = soap::read_body(message).unwrap();
    let (caller, parties, now) = (caller(), parties(), SystemTime::now());
    let answer = iti42::answer(registry, (&caller, &parties), request, now).await;
    let answer = answer.unwrap().into_inner();
    assert_eq!(
        answer.status,
        ResponseStatus::Success,
        "{:?}",
        answer.errors
    );
}

async fn ask(registry: &Registry, message: &[u8]) {
    let request: AdhocQueryRequest = soap::read_body(message).unwrap();
    let (caller, parties, now) = (caller(), parties(), SystemTime::now());
    let answer = iti18::answer(registry, (&caller, &parties), request, now)
        .await
        .unwrap()
        .into_inner();
    assert!(answer.contains("Success"));
}

/// Seconds of processor that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|it| it.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(11) + ticks(12)) / 100.0
}

async fn measure<F>(what: &str, tasks: u64, calls: u64, call: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let mut running = Vec::new();
    let calls_of: Vec<Vec<F>> = (0..tasks)
        .map(|task| {
            (0..calls / tasks)
                .map(|at| call(task + at * tasks))
                .collect()
        })
        .collect();
    let slowest = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (began, used) = (Instant::now(), processor());
    for calls in calls_of {
        let (next, slowest) = (Arc::clone(&next), Arc::clone(&slowest));
        running.push(tokio::spawn(async move {
            for call in calls {
                let began = Instant::now();
                call.await;
                slowest.lock().unwrap().push(began.elapsed());
                next.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    for task in running {
        task.await.unwrap();
    }
    let done = next.load(Ordering::Relaxed) as f64;
    let mut times = slowest.lock().unwrap().clone();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{what:<24} {:>8.0}/s  {:>6.1} us of processor each  p50 {:.2} p99 {:.2} ms",
        done / began.elapsed().as_secs_f64(),
        (processor() - used) / done * 1e6,
        ms(at(0.5)),
        ms(at(0.99))
    );
}

/// A registry that takes everybody, and the folder of it and of its records.
fn open() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = open_in(folder.path(), "audit", Access::everything());
    (folder, registry)
}

fn open_in(folder: &Path, spool: &str, access: Access) -> Registry {
    open_with(folder, spool, access, Vault::default())
}

fn open_with(folder: &Path, spool: &str, access: Access, vault: Vault) -> Registry {
    let url = std::env::var("HILUM_FIGURES_URL");
    let url = url.unwrap_or_else(|_| format!("sqlite:{}", folder.join("db").display()));
    let audit = Audit::open(AuditConfig {
        spool: folder.join(spool),
        source_id: "figures".to_owned(),
        enterprise_site: None,
        host: "localhost".to_owned(),
        segment_bytes: 64 << 20,
    });
    let mut config = RegistryConfig::new(url, HomeCommunityId::from("urn:oid:1.2.3"));
    config.unknown_patients = UnknownPatients::Accept;
    config.access = access;
    config.vault = vault;
    Registry::open(config, audit.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures"]
async fn figures() {
    let (_folder, registry) = open();
    println!("a submission has {} bytes", submission(0).len());
    for (phase, tasks, calls) in [
        (0, 64, 10_048),
        (1, 1, 1_000),
        (2, 16, 8_000),
        (3, 64, 10_048),
    ] {
        let of = |at| phase * PATIENTS + at % PATIENTS;
        let messages: Vec<Vec<u8>> = (0..calls).map(|at| submission(of(at))).collect();
        let messages = Arc::new(messages);
        measure(&format!("ITI-42, {tasks} tasks"), tasks, calls, |at| {
            let (registry, messages) = (registry.clone(), Arc::clone(&messages));
            async move { submit(&registry, &messages[at as usize]).await }
        })
        .await;
    }
    // Patients of ten documents.
    for (what, wanted) in [
        ("ObjectRef", ReturnType::ObjectRef),
        ("LeafClass", ReturnType::LeafClass),
    ] {
        for tasks in [1, 16, 64] {
            measure(&format!("ITI-18 {what}, {tasks}"), tasks, 10_000, |at| {
                let (registry, message) =
                    (registry.clone(), query(at * 7 % PATIENTS, wanted.clone()));
                async move { ask(&registry, &message).await }
            })
            .await;
        }
    }
}

/// What it costs that identifiers are encrypted: plain and encrypted in turns, on SQLite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures"]
async fn at_rest() {
    let keys = tempfile::tempdir().unwrap();
    let ring = keys.path().join("keys");
    KeyRing::generate(&ring, None).unwrap();
    let ring = KeyRing::open(&ring, None).unwrap();
    ring.install();
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let vaults = [Vault::default(), Vault::with(ring).sealing_fields()];
    assert!(
        std::env::var_os("HILUM_FIGURES_URL").is_none(),
        "there are two databases"
    );
    let open = |(folder, vault): (&tempfile::TempDir, Vault)| {
        open_with(folder.path(), "audit", Access::everything(), vault)
    };
    let registries: Vec<Registry> = folders.iter().zip(vaults).map(open).collect();
    let both = ["plain", "encrypted"].into_iter().zip(&registries);
    for round in 0..4 {
        for (how, registry) in both.clone() {
            measure(&format!("{how}, ITI-42, 16"), 16, 2_000, |at| {
                let of = round * PATIENTS + at % PATIENTS;
                let (registry, message) = (registry.clone(), submission(of));
                async move { submit(&registry, &message).await }
            })
            .await;
        }
        for (what, wanted) in [
            ("ObjectRef", ReturnType::ObjectRef),
            ("LeafClass", ReturnType::LeafClass),
        ] {
            for (how, registry) in both.clone() {
                measure(&format!("{how}, {what}, 16"), 16, 4_000, |at| {
                    let of = round * PATIENTS + at * 7 % PATIENTS;
                    let (registry, message) = (registry.clone(), query(of, wanted.clone()));
                    async move { ask(&registry, &message).await }
                })
                .await;
            }
        }
    }
    for (how, folder) in ["plain", "encrypted"].into_iter().zip(&folders) {
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        let ours = files.filter(|it| it.file_name().to_string_lossy().starts_with("db"));
        let bytes: u64 = ours.map(|it| it.metadata().unwrap().len()).sum();
        println!("{how}: {} MiB", bytes >> 20);
    }
}

/// Rules that look at codes, and rules that look at consents too.
const RULES: [(&str, &str); 2] = [
    (
        "codes",
        "[[rule]]\nname = \"secret\"\nwhat = { any_confidentiality = [\"R\"] }\nlevel = \"nothing\"\n\
         [[rule]]\nname = \"rest\"\nlevel = \"full\"\n",
    ),
    (
        "consents",
        "[[rule]]\nname = \"secret\"\nwhat = { any_confidentiality = [\"R\"] }\nlevel = \"nothing\"\n\
         [[rule]]\nname = \"not denied\"\nconsent = \"opt-out\"\nlevel = \"full\"\n",
    ),
];

/// What rules cost: FindDocuments of ten documents.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures"]
async fn rules() {
    let (folder, registry) = open();
    let calls = 10 * PATIENTS;
    measure("ITI-42, 64 tasks", 64, calls, |at| {
        let (registry, message) = (registry.clone(), submission(at % PATIENTS));
        async move { submit(&registry, &message).await }
    })
    .await;
    for number in 0..PATIENTS {
        let id = patient(number).to_string();
        let work = move |conn: &mut _| {
            let known = crate::db::patients::find(conn, &id)?.unwrap();
            let version = crate::db::consents::NewVersion {
                id: format!("of-{number}"),
                version: 1,
                newest: true,
                patient: known.number,
                updated: 0,
                resource: Consent::of("", &*id, Wish::Permit).to_fhir(),
            };
            Ok(crate::db::consents::insert(conn, &version)?)
        };
        registry.db.write(work).await.unwrap();
    }
    let mut registries = vec![("no rules", registry)];
    for (what, rules) in RULES {
        let policy = Policy::parse(rules, &Vocabulary::default()).unwrap();
        let access = Access::by(policy);
        registries.push((what, open_in(folder.path(), what, access)));
    }
    for round in 1..=2 {
        for (what, registry) in &registries {
            for (form, wanted) in [
                ("ObjectRef", ReturnType::ObjectRef),
                ("LeafClass", ReturnType::LeafClass),
            ] {
                measure(&format!("{form}, {what}, {round}"), 16, 10_000, |at| {
                    let message = query(at * 7 % PATIENTS, wanted.clone());
                    let registry = registry.clone();
                    async move { ask(&registry, &message).await }
                })
                .await;
            }
        }
    }
}
