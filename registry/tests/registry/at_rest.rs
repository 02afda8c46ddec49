//! What identifies patients is encrypted in the database. With `HILUM_TEST_AT_REST` set, all cases run so.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use diesel::{Connection, PgConnection, QueryableByName, RunQueryDsl};
use hilum_registry::at_rest::{self, Identifiers};
use hilum_registry::{Registry, RegistryConfig};
use hilum_security::at_rest::{KeyRing, Vault};
use tempfile::TempDir;
use xds_schemas::codes::error_code::ErrorCode;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::{InternationalString, Slot};
use xds_schemas::ebrs::ReturnType;
use xds_schemas::iti18_registry_stored_query::StoredQuery;
use xds_schemas::iti18_registry_stored_query::filter::{AnyOf, Pattern};
use xds_schemas::iti52_document_metadata_subscribe::Topic;
use xds_schemas::iti52_document_metadata_subscribe::filter::FilterKind;
use xds_schemas::metadata::{Author, PatientId, ReferenceId};

use crate::iti8::{add, adt, merge};
use crate::iti18::find_documents;
use crate::iti57::everything;
use crate::iti108::consent;
use crate::site::Site;
use crate::vault::{new_ring, sealing, vault};
use crate::words::{document, empty, folder, new_uuid, one, patient};

/// Stands in what identifies the patient of a case that was encrypted from the first row on.
const NEVER_PLAIN: &str = "NEVERPLAIN";
/// The same where it was plain before.
const PLANTED: &str = "PLANTED";

/// Everything that could name this patient.
async fn plant(site: &Site, mark: &str) -> PatientId {
    let of = patient(&format!("{mark}-4711"));
    let person = format!(
        "PID|||{}^^^&1.2.3.9&ISO~{mark}-OWN^^^&1.2.3.7&ISO||{mark}lady^Greta|{mark}mother|19340607|F|||\
         {mark} Street 1^^{mark}town^^4711||{mark}@example.org\rPV1||O\r",
        of.id
    );
    site.taken(&adt("A04", &person)).await;
    site.taken(&add(&format!("{mark}-before"))).await;
    let pull_point = site.pull_point().await;
    let whose = format!("'{of}'");
    let mut filter = crate::dsub::query(
        FilterKind::DocumentEntry,
        &[("$XDSDocumentEntryPatientId", &whose)],
    );
    let author = format!("'%{mark}%'");
    let of_author = Slot::single("$XDSDocumentEntryAuthorPerson", format!("({author})"));
    filter.slots.push(of_author);
    site.subscribe(&pull_point, Topic::FullDocumentEntry, filter)
        .await;
    let mut submission = empty(&of);
    let uuid = new_uuid();
    let mut entry = document(&of, uuid.as_str());
    entry.title = Some(InternationalString::of(format!("{mark} title")));
    entry.comments = Some(InternationalString::of(format!("{mark} comments")));
    entry.authors = vec![Author {
        person: Some(format!("^{mark}author^Anna")),
        ..Author::default()
    }];
    entry.legal_authenticator = Some(format!("^{mark}lawyer^Ann"));
    entry.source_patient_id = Some(PatientId::new(format!("{mark}-L"), "1.2.3.7"));
    entry.source_patient_info = vec![
        format!("PID-5|{mark}name^Greta"),
        format!("PID-11|{mark} Street 1"),
    ];
    entry.reference_ids = vec![
        ReferenceId::parse(&format!(
            "{mark}-ACC^^^&1.8&ISO^urn:ihe:iti:xds:2013:accession"
        ))
        .unwrap(),
        ReferenceId::specimen(format!("{mark}-S"), Some("1.2.3.4")),
    ];
    submission.add_document(entry);
    let name = new_uuid();
    let mut holder = folder(&of, name.as_str());
    holder.title = Some(InternationalString::of(format!("{mark} folder")));
    submission.add_folder(holder);
    site.accept(&submission).await;
    site.consents(&consent(&of, "active", "permit")).await;
    site.taken(&merge(&format!("{mark}-before"), &of.id)).await;
    of
}

/// What is answered of a patient, in every way that looks for something encrypted.
async fn answers(site: &Site, of: &PatientId) -> Vec<String> {
    let mut all = Vec::new();
    for query in [find_documents(of), everything(of)] {
        let answer = site.query(&query).await;
        assert_eq!(answer.errors, []);
        all.extend(answer.objects.iter().map(|it| format!("{it:?}")));
    }
    let mut wanted = find_documents(of);
    let StoredQuery::FindDocuments(query) = &mut wanted else {
        unreachable!()
    };
    query.filter.author_persons = AnyOf(vec![Pattern::like("%author%")]);
    let found = site.ask(&wanted, ReturnType::ObjectRef).await.objects;
    assert_eq!(found.len(), 1);
    all.extend(found.into_iter().map(|it| it.id));
    let listed = site.listed().await;
    all.extend(listed.iter().map(|it| it["patientId"].to_string()));
    let path = format!(
        "/fhir/Consent?patient.identifier=urn:oid:{}|{}",
        of.authority, of.id
    );
    let consents = site.http("GET", &path, &[], "").await;
    let mut bundle = crate::iti108::body(&consents);
    assert_eq!(bundle["total"], 1, "{bundle}");
    all.push(bundle["entry"][0]["resource"].take().to_string());
    all
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

/// Everything that is in a database: bytes of files, or rows.
fn dump(database: &str) -> Vec<u8> {
    if let Some(path) = database.strip_prefix("sqlite:") {
        let path = Path::new(path);
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let name = path.file_name().unwrap().to_str().unwrap();
        let ours = |file: &PathBuf| {
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with(name)
        };
        return files
            .filter(ours)
            .flat_map(|file| fs::read(file).unwrap())
            .collect();
    }
    let mut connection = PgConnection::establish(database).unwrap();
    let mut rows =
        |query: &str| -> Vec<Text> { diesel::sql_query(query).load(&mut connection).unwrap() };
    let tables = rows(
        "SELECT table_name::text AS text FROM information_schema.tables \
         WHERE table_schema = current_schema()",
    );
    let mut all = Vec::new();
    for table in tables {
        let table = table.text;
        for row in rows(&format!("SELECT t::text AS text FROM \"{table}\" t")) {
            all.extend(row.text.into_bytes());
            all.push(b'\n');
        }
    }
    all
}

/// What the planner of PostgreSQL has noted of the columns of this database, also of tables that are empty.
fn statistics(database: &str) -> String {
    if database.starts_with("sqlite:") {
        return String::new();
    }
    let mut connection = PgConnection::establish(database).unwrap();
    let query = "SELECT concat_ws(' ', tablename, attname, most_common_vals, histogram_bounds) AS text \
                 FROM pg_stats WHERE schemaname = current_schema()";
    let rows: Vec<Text> = diesel::sql_query(query).load(&mut connection).unwrap();
    rows.into_iter().map(|row| row.text + "\n").collect()
}

/// PostgreSQL notes what stands in its tables, then one of them is emptied.
fn noted(database: &str) {
    if database.starts_with("sqlite:") {
        return;
    }
    let mut connection = PgConnection::establish(database).unwrap();
    let analyze = "INSERT INTO notifications (subscription, patient_id, objects, message, created) \
                   SELECT 4711, 'PLANTED-gone', 'PLANTED-gone', 'PLANTED-gone', 0 FROM generate_series(1, 50); \
                   ANALYZE; DELETE FROM notifications WHERE subscription = 4711";
    for statement in analyze.split("; ") {
        diesel::sql_query(statement)
            .execute(&mut connection)
            .unwrap();
    }
    let noted = statistics(database);
    for column in ["patients patient_id", "notifications message"] {
        let there = |line: &str| line.starts_with(column) && line.contains(PLANTED);
        assert!(noted.lines().any(there), "{column}: {noted}");
    }
}

/// Whether a text holds a word, as it is or in small letters, as keys of names are.
fn holds(text: &str, word: &str) -> bool {
    text.contains(word) || text.contains(&word.to_lowercase())
}

fn has(bytes: &[u8], word: &str) -> bool {
    holds(&String::from_utf8_lossy(bytes), word)
}

/// What every case has in its metadata, and nobody may find. What is encrypted is long enough to have any
/// short word by chance, but never these signs.
const WORDS: [&str; 6] = [
    "^Welby",
    "^Greta",
    "Greta\"",
    "^^^&1.2.3.9",
    "^^^&amp;1.2.3.9",
    "ExtrinsicObject",
];

fn names_nobody(database: &str, mark: &str) {
    let all = dump(database);
    // It is the right place: what is not encrypted is there.
    assert!(has(&all, "class^^1.2.3.8"));
    for word in WORDS.into_iter().chain([mark]) {
        assert!(!has(&all, word), "{word}");
    }
}

/// No file of a server has what was encrypted from the beginning, neither those of tables nor its log.
pub(crate) fn no_file_names_anybody(data: &Path) {
    let words: &[&str] = match vault_of_all() {
        true => &[NEVER_PLAIN, "^Welby", "^Greta", "ExtrinsicObject"],
        false => &[NEVER_PLAIN],
    };
    nowhere_below(data, words, "class^^1.2.3.8");
}

/// Nothing of these words is in any file below a folder, and this one is.
fn nowhere_below(folder: &Path, words: &[&str], there: &str) {
    let mut found = false;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            // Files go while the server runs.
            let bytes = fs::read(&path).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            found |= holds(&text, there);
            for word in words {
                assert!(!holds(&text, word), "{word} is in {}", path.display());
            }
        }
    }
    assert!(found, "{there}");
}

pub(crate) async fn nothing_in_the_database_names_a_patient(site: Site) {
    let (_, vault) = sealing();
    let site = site.configured(|config| {
        config.vault = vault;
        config.demographics = true;
    });
    let of = plant(&site, NEVER_PLAIN).await;
    let before = answers(&site, &of).await;
    assert!(before.iter().any(|it| it.contains("NEVERPLAINname^Greta")));
    names_nobody(site.database(), NEVER_PLAIN);
    // Nothing depends on what a process remembers.
    let site = site.configured(|_| {});
    assert_eq!(answers(&site, &of).await, before);
    assert!(site.tell(&add(&of.id)).await.reasons.is_empty());
    names_nobody(site.database(), NEVER_PLAIN);
}

/// A registry that has stopped: nobody uses its database.
struct Stopped {
    _folder: TempDir,
    config: RegistryConfig,
}

impl Stopped {
    async fn of(site: Site) -> Self {
        let (folder, config) = site.stopped();
        // Its connections go with its last tasks.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            let free = match config.database.strip_prefix("sqlite:") {
                // The log is carried over by the last one who leaves.
                Some(path) => !Path::new(&format!("{path}-wal")).exists(),
                // PostgreSQL is asked again until it can be had alone.
                None => true,
            };
            if free {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self {
            _folder: folder,
            config,
        }
    }

    /// Why a registry with this vault does not open the database.
    fn refused(&self, vault: Vault) -> String {
        let mut config = self.config.clone();
        config.vault = vault;
        let audit = crate::site::audit(self._folder.path());
        match Registry::open(config, audit) {
            Ok(_) => panic!("it is opened"),
            Err(error) => format!("{error:#}"),
        }
    }

    fn encrypt(&self, each: &mut dyn FnMut(u64)) -> anyhow::Result<Option<u64>> {
        let (ring, _) = sealing();
        let begun = Instant::now();
        loop {
            match at_rest::encrypt(&self.config.database, &ring, each) {
                Err(error) if format!("{error:#}").contains("must be stopped") => {
                    assert!(begun.elapsed() < Duration::from_secs(20), "{error:#}");
                    std::thread::sleep(Duration::from_millis(50));
                }
                done => return done,
            }
        }
    }

    fn again(self, vault: Vault) -> Site {
        let mut config = self.config;
        config.vault = vault;
        Site::again(self._folder, config)
    }
}

#[expect(clippy::too_many_lines, reason = "a story with a beginning and an end")]
pub(crate) async fn a_plain_database_is_encrypted(site: Site) {
    let was_plain = !vault().is_on();
    let site = site.configured(|config| config.demographics = true);
    let of = plant(&site, PLANTED).await;
    for number in 0..1100 {
        let other = patient(&format!("{PLANTED}-{number}"));
        site.registry.add_patient(&other).await.unwrap();
    }
    let (submission, _) = one(&patient(&format!("{PLANTED}-7")));
    site.accept(&submission).await;
    let before = answers(&site, &of).await;
    let stopped = Stopped::of(site).await;
    let (_, sealed) = sealing();
    let database = stopped.config.database.clone();
    if was_plain {
        noted(&database);
        // What is looked for would be found.
        let all = dump(&database);
        assert!(
            WORDS
                .into_iter()
                .chain([PLANTED])
                .all(|word| has(&all, word))
        );
        let said = stopped.refused(sealed.clone());
        assert!(
            said.contains("are plain") && said.contains("hilum keys encrypt"),
            "{said}"
        );
        assert!(!said.contains('\n'));
        // It is interrupted after some of the patients, and then again and again.
        for most in 1..8 {
            let mut steps = 0;
            let interrupted = catch_unwind(AssertUnwindSafe(|| {
                stopped.encrypt(&mut |_| {
                    steps += 1;
                    assert!(steps < most, "interrupted on purpose");
                })
            }));
            if interrupted.is_ok() {
                break;
            }
            let said = stopped.refused(sealed.clone());
            assert!(said.contains("encrypted in part"), "{said}");
            let said = stopped.refused(Vault::default());
            assert!(said.contains("must be \"encrypted\""), "{said}");
        }
    }
    stopped.encrypt(&mut |_| {}).unwrap();
    assert_eq!(stopped.encrypt(&mut |_| {}).unwrap(), Some(0));
    names_nobody(&database, PLANTED);
    let statistics = statistics(&database);
    for word in WORDS.into_iter().chain([PLANTED]) {
        assert!(!holds(&statistics, word), "{word}: {statistics}");
    }
    assert_eq!(
        at_rest::check(&database, &sealed).unwrap(),
        Some(Identifiers::Encrypted)
    );
    let said = stopped.refused(Vault::default());
    assert!(
        said.contains("must be \"encrypted\"") && !said.contains('\n'),
        "{said}"
    );
    let site = stopped.again(sealed);
    assert_eq!(answers(&site, &of).await, before);
    assert_eq!(
        site.find(&find_documents(&patient(&format!("{PLANTED}-7"))))
            .await
            .len(),
        1
    );
    site.taken(&add(&of.id)).await;
    plant(&site, &format!("{PLANTED}-after")).await;
    names_nobody(site.database(), PLANTED);
}

/// Nobody takes the database away from a registry that uses it.
pub(crate) async fn a_database_in_use_is_not_encrypted(site: Site) {
    let site = site.with_patients().await;
    let (ring, _) = sealing();
    let database = site.database().to_owned();
    let tried =
        tokio::task::spawn_blocking(move || at_rest::encrypt(&database, &ring, &mut |_| {}));
    let said = format!("{:#}", tried.await.unwrap().unwrap_err());
    assert!(said.contains("the node must be stopped"), "{said}");
    let (submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
}

pub(crate) async fn exchanged_fields_are_refused(site: Site) {
    let (_, vault) = sealing();
    let site = site
        .configured(|config| config.vault = vault)
        .with_patients()
        .await;
    let (p1, p2) = (patient("P1"), patient("P2"));
    for of in [&p1, &p1, &p2] {
        let (submission, _) = one(of);
        site.accept(&submission).await;
    }
    let refused = |of: &PatientId| {
        let query = find_documents(of);
        let site = &site;
        async move {
            let answer = site.query(&query).await;
            assert_eq!(answer.status, ResponseStatus::Failure);
            assert_eq!(answer.errors[0].code, ErrorCode::RegistryError);
            assert!(answer.objects.is_empty());
            // The operator is told; whoever asks learns nothing.
            assert!(!answer.errors[0].context.contains("field"));
        }
    };
    assert_eq!(site.find(&find_documents(&p1)).await.len(), 2);
    // One document of P1 says what the other one says.
    let documents = "SELECT min(key) AS low, max(key) AS high FROM registry_objects WHERE kind = 1 \
                     AND patient = (SELECT min(number) FROM patients)";
    site.sabotage(&format!(
        "CREATE TABLE kept AS SELECT ebrim, author_persons FROM registry_objects, ({documents}) AS ends \
             WHERE key = high; \
         UPDATE registry_objects SET ebrim = (SELECT ebrim FROM kept) \
             WHERE key = (SELECT low FROM ({documents}) AS ends)"
    ));
    refused(&p1).await;
    assert_eq!(site.find(&find_documents(&p2)).await.len(), 1);
    // A field in another column of the same row, and one that is plain.
    for value in ["author_persons", "'<rim:Association/>'"] {
        site.sabotage(&format!(
            "UPDATE registry_objects SET ebrim = {value} WHERE kind = 1 \
             AND patient = (SELECT max(number) FROM patients)"
        ));
        refused(&p2).await;
    }
    // P1 is taken for P2.
    site.sabotage(
        "CREATE TABLE people AS SELECT number, patient_id, sealed FROM patients; \
         UPDATE patients SET patient_id = 'x' || number; \
         UPDATE patients SET (patient_id, sealed) = (SELECT patient_id, sealed FROM people \
             WHERE people.number <> patients.number)",
    );
    refused(&p1).await;
    let (submission, _) = one(&p1);
    site.refuse(&submission, &[ErrorCode::RegistryError]).await;
}

pub(crate) async fn keys_are_rotated_beside_a_registry(site: Site) {
    let (folder, ring) = new_ring();
    let vault = Vault::with(ring.clone()).sealing_fields();
    // A database of this ring has never had another key.
    let site = match vault_of_all() {
        true => return,
        false => {
            site.configured(|config| config.vault = vault.clone())
                .with_patients()
                .await
        }
    };
    let database = site.database().to_owned();
    let (submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
    let old = ring.current_id();
    assert_eq!(at_rest::key(&database).unwrap(), Some(old));
    assert_eq!(at_rest::rotate(&database, &ring).unwrap(), Some(false));
    let new = KeyRing::generate(&folder, None).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(at_rest::rotate(&database, &ring).unwrap(), Some(true));
    assert_eq!(at_rest::key(&database).unwrap(), Some(new));
    ring.remove(old).unwrap();
    let (submission, _) = one(&patient("P1"));
    site.accept(&submission).await;
    let site = site.configured(|_| {});
    assert_eq!(site.find(&find_documents(&patient("P1"))).await.len(), 2);
    // Without its key, and with another one of its name, it is not opened.
    let stopped = Stopped::of(site).await;
    let path = folder.join(format!("{new}.key"));
    let kept = folder.join("kept");
    fs::rename(&path, &kept).unwrap();
    KeyRing::generate(&folder, None).unwrap();
    let without = || {
        let ring = KeyRing::open(&folder, None).unwrap();
        ring.install();
        Vault::with(ring).sealing_fields()
    };
    let said = stopped.refused(without());
    assert!(
        said.contains(&format!("the key {new} is not in the key ring")),
        "{said}"
    );
    let other = KeyRing::open(&folder, None).unwrap().current_id();
    fs::copy(folder.join(format!("{other}.key")), &path).unwrap();
    let said = stopped.refused(without());
    assert!(
        said.contains("another one of this name") && !said.contains('\n'),
        "{said}"
    );
    fs::rename(&kept, &path).unwrap();
    let site = stopped.again(without());
    assert_eq!(site.find(&find_documents(&patient("P1"))).await.len(), 2);
}

/// Whether all cases are encrypted.
fn vault_of_all() -> bool {
    vault().is_on()
}
