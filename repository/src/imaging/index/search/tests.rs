//! What the database finds is what one would find by looking at everything.

use hilum_dicom::instance::{Patient, SeriesFacts, StudyFacts};
use hilum_dicom::scan::Place;
use hilum_security::at_rest::{KeyRing, Vault};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::json;
use tempfile::TempDir;

use super::super::{DATABASE, Indexed, encrypting};
use super::*;

/// What is read of the index has what is not written here, too.
fn made<T: DeserializeOwned>(of: serde_json::Value) -> T {
    serde_json::from_value(of).unwrap()
}

fn instance(name: String, number: i64) -> StoredInstance {
    made(json!({
        "sop_instance_uid": name,
        "sop_class_uid": format!("1.2.840.10008.5.1.4.1.1.{}", number % 3),
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "number": (number > 0).then_some(number),
        "place": Place::Archive("elsewhere".to_owned()),
    }))
}

const NAMES: [&str; 6] = [
    "Müller^Jörg",
    "MULLER^JORG^A",
    "Smith^Ann [x]",
    "Yamada^Tarou=山田^太郎",
    "O'Hara-Smith^Ann",
    "",
];

fn study(at: usize) -> Study {
    let text = |it: &str| (!it.is_empty()).then(|| it.to_owned());
    let modalities = [
        vec!["CT"],
        vec!["CT", "SR"],
        vec!["MR"],
        vec!["C"],
        vec![""],
    ];
    let series = modalities[at % 5]
        .iter()
        .enumerate()
        .map(|(number, modality)| {
            let instances =
                (0..at % 4 + 1).map(|it| instance(format!("1.2.{at}.{number}.{it}"), it as i64));
            made(json!({
                "uid": format!("1.2.{at}.{number}"),
                "facts": SeriesFacts {
                    modality: text(modality),
                    number: i64::try_from(number).ok(),
                    description: text(["Thorax", "Head [1]", ""][at % 3]),
                    body_part: text(["CHEST", ""][at % 2]),
                    ..SeriesFacts::default()
                },
                "instances": instances.collect::<Vec<_>>(),
            }))
        });
    let series: Vec<Series> = series.collect();
    made(json!({
        "uid": format!("1.2.{at}"),
        "patient": Patient {
            id: text(["P1", "P2", "p1", "P[1]", ""][at % 5]),
            name: text(NAMES[at % NAMES.len()]),
            birth_date: text(["19700101", "19800229", ""][at % 3]),
            sex: text(["F", "M", ""][at % 3]),
            ..Patient::default()
        },
        "facts": StudyFacts {
            date: text(["20260101", "20260215", "", "20251231"][at % 4]),
            time: text(["101500", "10", "235959.9", ""][at % 4]),
            accession_number: text(["A1", "A2", ""][at % 3]),
            institution: text(["Clinic", ""][at % 2]),
            ..StudyFacts::default()
        },
        "accessions": [],
        "series": series,
    }))
}

/// An index of so many studies, of which the last is kept back.
fn index(count: usize) -> (TempDir, Index) {
    index_with(count, &Vault::default())
}

/// The same, whose identifiers are encrypted.
fn sealed_index(count: usize) -> (TempDir, Index) {
    index_with(count, &sealing())
}

/// The same, which was plain before, and was encrypted with interruptions.
fn index_sealed_later(count: usize) -> (TempDir, Index) {
    let (folder, index) = index(count);
    drop(index);
    let vault = sealing();
    let path = folder.path().join(DATABASE);
    let ring = vault.ring().unwrap();
    for most in 1..3 {
        let mut steps = 0;
        let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            encrypting::encrypt(&path, ring, &mut |_| {
                steps += 1;
                assert!(steps < most, "interrupted on purpose");
            })
        }));
        assert!(interrupted.is_err());
        let said = open(folder.path(), &vault).unwrap_err().to_string();
        assert!(said.contains("encrypted in part"), "{said}");
    }
    assert!(
        encrypting::encrypt(&path, ring, &mut |_| {})
            .unwrap()
            .is_some()
    );
    assert_eq!(
        encrypting::encrypt(&path, ring, &mut |_| {}).unwrap(),
        Some(0)
    );
    let index = open(folder.path(), &vault).unwrap();
    (folder, index)
}

fn sealing() -> Vault {
    let keys = tempfile::tempdir().unwrap().keep().join("keys");
    KeyRing::generate(&keys, None).unwrap();
    let ring = KeyRing::open(&keys, None).unwrap();
    ring.install();
    Vault::with(ring).sealing_fields()
}

fn open(folder: &std::path::Path, vault: &Vault) -> anyhow::Result<Index> {
    Index::open(&format!("file:{}", folder.display()), vault)
}

fn index_with(count: usize, vault: &Vault) -> (TempDir, Index) {
    let folder = tempfile::tempdir().unwrap();
    let index = open(folder.path(), vault).unwrap();
    for at in 0..=count {
        let indexed = Indexed {
            held: (at == count).then(Vec::new),
            ..Indexed::new(None, study(at))
        };
        index.write(&indexed).unwrap().unwrap();
    }
    (folder, index)
}

/// Everything that is there, as it should be found.
fn everything(count: usize, level: Level) -> Vec<Hit> {
    let mut all = Vec::new();
    for at in 0..count {
        let mut whole = study(at);
        let series = std::mem::take(&mut whole.series);
        let mut modalities: Vec<&str> = Vec::new();
        for one in &series {
            modalities.extend(one.facts.modality.as_deref());
        }
        let modalities = match modalities.is_empty() {
            true => String::new(),
            false => format!("|{}|", modalities.join("|")),
        };
        let found = Arc::new(StudyFound {
            number: 0,
            patient_id: None,
            collections: [None].into(),
            study: whole,
            modalities,
            series_count: series.len() as i32,
            instance_count: series.iter().map(|it| it.instances.len()).sum::<usize>() as i32,
        });
        if level == Level::Study {
            all.push(Hit {
                study: Arc::clone(&found),
                series: None,
                instance: None,
            });
        }
        for mut one in series {
            let instances = std::mem::take(&mut one.instances);
            let of_series = Arc::new(SeriesFound {
                series: one,
                instance_count: instances.len() as i32,
            });
            let hit = |instance| Hit {
                study: Arc::clone(&found),
                series: Some(Arc::clone(&of_series)),
                instance,
            };
            match level {
                Level::Study => {}
                Level::Series => all.push(hit(None)),
                Level::Instance => all.extend(instances.into_iter().map(|it| hit(Some(it)))),
            }
        }
    }
    all
}

fn name(hit: &Hit) -> String {
    match (&hit.series, &hit.instance) {
        (_, Some(instance)) => instance.sop_instance_uid.to_string(),
        (Some(series), None) => series.series.uid.to_string(),
        (None, None) => hit.study.study.uid.to_string(),
    }
}

/// One by one, what the question asks for.
fn by_hand(count: usize, search: &Search) -> (Vec<String>, bool) {
    let nothing_told = Narrowed {
        conditions: String::new(),
        values: Vec::new(),
        undecided: search.keys.iter().collect(),
    };
    let all = everything(count, search.level);
    let fit: Vec<String> = all
        .iter()
        .filter(|it| nothing_told.takes(it))
        .map(name)
        .collect();
    let more = fit.len() > search.offset + search.limit;
    let page = fit.into_iter().skip(search.offset).take(search.limit);
    (page.collect(), more)
}

fn key() -> impl Strategy<Value = (Attribute, Matching)> {
    use Attribute as A;
    let one = |attribute: Attribute, values: &'static [&'static str]| {
        (Just(attribute), proptest::sample::select(values)).boxed()
    };
    let keys = proptest::strategy::Union::new([
        one(
            A::PatientName,
            &[
                "müller*",
                "MULLER^JORG",
                "*ann*",
                "smith^ann [x]",
                "山田*",
                "?*",
            ],
        ),
        one(
            A::PatientId,
            &["P1", "P*", "P1\\P2", "P[1]", "P[*", "*1*", "??"],
        ),
        one(A::PatientSex, &["F", "F,M", "?"]),
        one(A::PatientBirthDate, &["19700101", "19750101-", "-19750101"]),
        one(
            A::StudyDate,
            &["20260101", "20260101-20260228", "-20251231", "20270101-"],
        ),
        one(A::StudyTime, &["10", "1000-1100", "-12", "235959.9"]),
        one(A::AccessionNumber, &["A1", "A?", "A1\\A2", "B*"]),
        one(
            A::ModalitiesInStudy,
            &["CT", "CT,MR", "C*", "C", "S?", "[C]"],
        ),
        one(A::InstitutionName, &["Clinic", "C*", "clinic"]),
        one(
            A::StudyInstanceUid,
            &["1.2.3", "1.2.3,1.2.4,1.2.999", "1.2.3.0"],
        ),
    ]);
    (keys, any::<bool>()).prop_map(|((attribute, value), fuzzy)| {
        let matching = Matching::of(attribute.kind(), value, fuzzy).unwrap();
        (attribute, matching)
    })
}

/// Enough for more than one page of those that are looked at one by one.
const STUDIES: usize = 40;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_database_finds_what_there_is_to_find(
        keys in proptest::collection::vec(key(), 0..3),
        level in proptest::sample::select(&[Level::Study, Level::Series, Level::Instance][..]),
        offset in 0..20_usize,
        limit in 1..30_usize,
    ) {
        thread_local! {
            static HERE: [(TempDir, Index); 3] =
                [index(STUDIES), sealed_index(STUDIES), index_sealed_later(STUDIES)];
        }
        let search = Search { level, keys, offset, limit };
        let (expected, more) = by_hand(STUDIES, &search);
        let found: Vec<Hits> = HERE.with(|all| {
            let all = all.iter();
            all.map(|(_, index)| index.search(&search, None).unwrap()).collect()
        });
        for found in found {
            let names: Vec<String> = found.hits.iter().map(name).collect();
            prop_assert_eq!(&names, &expected, "{:?}", search);
            prop_assert_eq!(found.more, more, "{:?}", search);
        }
    }
}

/// Whoever has the file finds nobody in it, and everything that can be found can be read.
#[test]
fn an_encrypted_index_names_nobody() {
    let words = [
        "ller^J", "Smith", "smith", "山田", "19700101", "Thorax", "Clinic",
    ];
    let holds = |folder: &TempDir, word: &str| {
        let files = std::fs::read_dir(folder.path()).unwrap().flatten();
        let ours = files.filter(|it| it.file_name().to_string_lossy().starts_with(DATABASE));
        ours.map(|it| std::fs::read(it.path()).unwrap())
            .any(|bytes| bytes.windows(word.len()).any(|it| it == word.as_bytes()))
    };
    let (plain, index) = index(10);
    let told = |index: &Index| -> Vec<String> {
        let studies = index.studies().unwrap();
        let read = studies.iter().map(|uid| index.read(uid).unwrap().unwrap());
        read.map(|it| format!("{:?}", (it.study, it.held)))
            .collect()
    };
    let expected = told(&index);
    assert!(words.iter().all(|word| holds(&plain, word)));
    for (folder, index) in [sealed_index(10), index_sealed_later(10)] {
        assert_eq!(told(&index), expected);
        for word in words {
            assert!(!holds(&folder, word), "{word}");
        }
        // It is plain to nobody, and in use.
        let unsealing = Vault::with(index.vault().ring().unwrap().clone());
        let said = open(folder.path(), &unsealing).unwrap_err().to_string();
        assert!(said.contains("must be \"encrypted\""), "{said}");
        let path = folder.path().join(DATABASE);
        let said = encrypting::encrypt(&path, sealing().ring().unwrap(), &mut |_| {});
        assert!(format!("{:#}", said.unwrap_err()).contains("the node must be stopped"));
    }
    let said = open(plain.path(), &sealing()).unwrap_err().to_string();
    assert!(said.contains("hilum keys encrypt"), "{said}");
}

fn found(index: &Index, level: Level, keys: &[(Attribute, &str)]) -> Vec<String> {
    let keys = keys.iter().map(|(attribute, value)| {
        let matching = Matching::of(attribute.kind(), value, false).unwrap();
        (*attribute, matching)
    });
    let search = Search {
        level,
        keys: keys.collect(),
        offset: 0,
        limit: 1000,
    };
    let hits = index.search(&search, None).unwrap().hits;
    hits.iter().map(name).collect()
}

#[test]
fn series_and_instances_are_found_by_what_they_are() {
    let (_folder, index) = index(6);
    let of_study = (Attribute::StudyInstanceUid, "1.2.1");
    assert_eq!(
        found(
            &index,
            Level::Series,
            &[of_study, (Attribute::Modality, "SR")]
        ),
        ["1.2.1.1"]
    );
    assert_eq!(
        found(
            &index,
            Level::Series,
            &[of_study, (Attribute::SeriesNumber, "0")]
        ),
        ["1.2.1.0"]
    );
    assert_eq!(
        found(
            &index,
            Level::Series,
            &[
                (Attribute::BodyPartExamined, "CHEST"),
                (Attribute::Modality, "CT")
            ]
        ),
        ["1.2.0.0"]
    );
    let number = (Attribute::InstanceNumber, "1");
    assert_eq!(
        found(
            &index,
            Level::Instance,
            &[(Attribute::SeriesInstanceUid, "1.2.1.1"), number]
        ),
        ["1.2.1.1.1"]
    );
    let class = (Attribute::SopClassUid, "1.2.840.10008.5.1.4.1.1.2");
    assert_eq!(
        found(&index, Level::Instance, &[class]),
        ["1.2.2.0.2", "1.2.3.0.2"]
    );
    assert_eq!(
        found(
            &index,
            Level::Instance,
            &[(Attribute::SopInstanceUid, "1.2.3.0.3")]
        ),
        ["1.2.3.0.3"]
    );
    // The last is kept back.
    assert!(
        found(
            &index,
            Level::Study,
            &[(Attribute::StudyInstanceUid, "1.2.6")]
        )
        .is_empty()
    );
    assert!(
        found(
            &index,
            Level::Instance,
            &[(Attribute::StudyInstanceUid, "1.2.6")]
        )
        .is_empty()
    );
}

#[test]
fn a_long_list_of_uids_is_still_a_list() {
    let (_folder, index) = index(3);
    let many: Vec<String> = (0..5000).map(|at| format!("1.2.{at}")).collect();
    let search = Search {
        level: Level::Study,
        keys: vec![(Attribute::StudyInstanceUid, Matching::OneOf(many))],
        offset: 1,
        limit: 10,
    };
    let hits = index.search(&search, None).unwrap().hits;
    assert_eq!(
        hits.iter().map(name).collect::<Vec<_>>(),
        ["1.2.1", "1.2.2"]
    );
}
