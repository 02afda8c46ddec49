//! Figures of questions about images: how long a cohort takes to be found among many series.
//!
//! `cargo test --release -p hilum-registry cohorts -- --ignored --nocapture`; HILUM_FIGURES_STUDIES
//! says how many studies of four series there are (250,000), HILUM_FIGURES_URL which database.

use std::time::Instant;

use xds_schemas::imaging::acquisition::{self, SeriesParameters, Value, parameter};
use xds_schemas::imaging::measurement::{self, Measurement};
use xds_schemas::iti18_registry_stored_query::{
    AllOf, AnyOf, FindDocumentsForMultiplePatients, FindImaging, Pattern,
};

use super::*;
use crate::submission::{self, Prepared};

const SERIES: u64 = 4;
const QUESTIONS_OF_A_KIND: usize = 50;
const STUDIES_OF_A_PATIENT: u64 = 5;
const SCT: &str = "2.16.840.1.113883.6.96";
const MODALITIES: [(&str, u64); 6] = [
    ("CT", 35),
    ("MR", 30),
    ("DX", 15),
    ("US", 10),
    ("MG", 5),
    ("PT", 5),
];

/// Numbers that look random and are the same each time (splitmix64).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (it ^ (it >> 31)) % sides
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.throw(choices.len() as u64) as usize]
    }

    fn weighted(&mut self) -> &'static str {
        let mut thrown = self.throw(100);
        for (modality, share) in MODALITIES {
            match thrown.checked_sub(share) {
                Some(left) => thrown = left,
                None => return modality,
            }
        }
        "CT"
    }
}

/// Values of one series or study.
struct Values(SeriesParameters);

impl Values {
    fn number(&mut self, keyword: &str, number: f64) {
        self.say(keyword, Value::Number(number));
    }

    fn text(&mut self, keyword: &str, text: impl Into<String>) {
        self.say(keyword, Value::Text(text.into()));
    }

    fn say(&mut self, keyword: &str, value: Value) {
        let keyword = parameter(keyword).expect(keyword).keyword;
        self.0.values.insert(keyword, vec![value]);
    }
}

/// What holds for a whole study.
fn study(dice: &mut Dice) -> Values {
    let mut it = Values(SeriesParameters::default());
    let modality = dice.weighted();
    let device = dice.throw(40);
    it.text("Modality", modality);
    it.text(
        "Manufacturer",
        ["SIEMENS", "GE", "Philips", "Canon"][device as usize % 4],
    );
    it.text(
        "ManufacturerModelName",
        format!("{modality} Model {}", device % 12),
    );
    it.text(
        "SoftwareVersions",
        format!("{}.{}", device % 7, dice.throw(4)),
    );
    it.text("StationName", format!("{modality}{device}"));
    it.text("DeviceSerialNumber", format!("{}", 10_000 + device));
    it.text("PatientSex", dice.of(&["F", "M"]));
    it.number("PatientAge", dice.throw(95) as f64);
    it.number("PatientWeight", 40.0 + dice.throw(80) as f64);
    it.text("PatientPosition", dice.of(&["HFS", "FFS"]));
    let parts: &[&str] = match modality {
        "MG" => &["76752008"],
        _ => &[
            "51185008",
            "69536005",
            "818981001",
            "421060004",
            "12921003",
            "72696002",
        ],
    };
    let part = Code::new(dice.of(parts), SCT, "Part");
    it.say("bodyPart", Value::Code(part));
    it.text("ProtocolName", format!("Protocol {}", dice.throw(120)));
    if modality == "MR" {
        it.number("fieldStrength", dice.of(&[1.5, 1.5, 3.0]));
    } else if modality != "US" {
        it.number("KVP", dice.of(&[70.0, 80.0, 100.0, 120.0, 120.0, 140.0]));
    }
    it
}

/// One of its series.
fn series(study: &Values, uid: String, dice: &mut Dice) -> SeriesParameters {
    let mut it = Values(study.0.clone());
    it.0.series_instance_uid = uid;
    it.number("Rows", dice.of(&[256.0, 512.0, 512.0, 1024.0]));
    it.number("Columns", dice.of(&[256.0, 512.0, 512.0, 1024.0]));
    it.number("PixelSpacing", (300 + dice.throw(700)) as f64 / 1000.0);
    it.number("sliceCount", (1 + dice.throw(600)) as f64);
    it.number("BitsStored", dice.of(&[12.0, 16.0]));
    it.text(
        "scanPlane",
        dice.of(&["axial", "axial", "coronal", "sagittal"]),
    );
    let modality = match &study.0.values["Modality"][0] {
        Value::Text(modality) => modality.clone(),
        _ => String::new(),
    };
    match modality.as_str() {
        "CT" | "PT" => {
            it.number(
                "SliceThickness",
                dice.of(&[0.6, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0]),
            );
            let kernels = &[
                "B20f", "B30f", "B31f", "B40f", "B50f", "B60f", "B70f", "B80f", "Br40", "Br64",
            ];
            it.text("ConvolutionKernel", dice.of(kernels));
            it.number("XRayTubeCurrent", (50 + dice.throw(500)) as f64);
            it.number("ExposureTime", (300 + dice.throw(700)) as f64);
            it.number("Exposure", (10 + dice.throw(400)) as f64);
            it.number("SpiralPitchFactor", (50 + dice.throw(100)) as f64 / 100.0);
            it.number("CTDIvol", (10 + dice.throw(400)) as f64 / 10.0);
            it.number("RevolutionTime", dice.of(&[0.25, 0.28, 0.5, 1.0]));
            it.number("ReconstructionDiameter", (200 + dice.throw(300)) as f64);
        }
        "MR" => {
            it.number("SliceThickness", dice.of(&[0.9, 1.0, 2.0, 3.0, 4.0, 5.0]));
            it.number("RepetitionTime", (5 + dice.throw(8000)) as f64);
            it.number("EchoTime", (20 + dice.throw(1200)) as f64 / 10.0);
            it.number("FlipAngle", (5 + dice.throw(175)) as f64);
            it.number("EchoTrainLength", (1 + dice.throw(30)) as f64);
            it.number("PixelBandwidth", (100 + dice.throw(600)) as f64);
            it.text("ScanningSequence", dice.of(&["SE", "GR", "EP", "IR"]));
        }
        _ => {
            it.number("ExposureTime", (1 + dice.throw(400)) as f64);
            it.text("ViewPosition", dice.of(&["AP", "PA", "LL", "MLO", "CC"]));
        }
    }
    it.0
}

/// A lesion in some of the CT studies.
fn lesions(study: &Values, dice: &mut Dice) -> Vec<Measurement> {
    if study.0.values["Modality"] != [Value::Text("CT".to_owned())] || dice.throw(10) > 1 {
        return Vec::new();
    }
    let code = |code: &str| Some(Code::new(code, SCT, "Display"));
    let lesion = |dice: &mut Dice| Measurement {
        concept: code("118565006"),
        value: Some((1 + dice.throw(4000)) as f64),
        unit: Some(Code::new("mm3", "2.16.840.1.113883.6.8", "mm3")),
        site: code(dice.of(&["39607008", "10200004", "181216001"])),
        algorithm: Some((
            dice.of(&["LungCAD", "LiverSeg", "Reader"]).to_owned(),
            "2.1".to_owned(),
        )),
        ..Measurement::default()
    };
    (0..=dice.throw(3)).map(|_| lesion(dice)).collect()
}

/// The submission of a study.
fn prepared(number: u64, dice: &mut Dice, home: &HomeCommunityId) -> Prepared {
    let patient_id = patient(number / STUDIES_OF_A_PATIENT);
    let study = study(dice);
    let uid = |series| format!("2.25.{number}.{series}");
    let all: Vec<_> = (0..SERIES)
        .map(|at| series(&study, uid(at), dice))
        .collect();
    let mut submission = Submission::new(SubmissionSet {
        content_type_code: Some(code("IMG")),
        patient_id: Some(patient_id.clone()),
        submission_time: Timestamp::parse("20240102030405").ok(),
        ..SubmissionSet::new("Set", format!("2.25.{number}"), "1.2.3.5")
    });
    let mut entry = DocumentEntry {
        class_code: Some(code("IMAGES")),
        confidentiality_codes: vec![code("N")],
        event_codes: vec![code("CT")],
        format_code: Some(code("1.2.840.10008.5.1.4.1.1.88.59")),
        healthcare_facility_type_code: Some(code("HOSP")),
        practice_setting_code: Some(code("RAD")),
        type_code: Some(code("18748-4")),
        creation_time: Timestamp::parse("20240102").ok(),
        patient_id: Some(patient_id),
        ..DocumentEntry::new("Document", format!("2.25.{number}.9"), "application/dicom")
    };
    entry.extra.slots = acquisition::to_slots(&all);
    entry
        .extra
        .slots
        .extend(measurement::to_slots(&lesions(&study, dice)));
    submission.add_document(entry);
    Prepared::new(submission, Vec::new(), home, 0)
}

fn filter() -> DocumentFilter {
    DocumentFilter {
        entry_types: vec![DocumentEntryType::Stable],
        ..DocumentFilter::default()
    }
}

fn cohort(acquisition: &[String], measurements: &[&str]) -> StoredQuery {
    let list = |text: &str| text.split('|').map(|it| it.parse().expect(it)).collect();
    let lesions = |text: &&str| vec![text.parse().expect(text)];
    StoredQuery::FindDocumentsForCohort(FindImaging {
        patients: Vec::new(),
        statuses: vec![AvailabilityStatus::Approved],
        filter: filter(),
        acquisition: acquisition.iter().map(|it| list(it)).collect(),
        measurements: measurements.iter().map(lesions).collect(),
        specimens: AllOf::default(),
    })
}

/// Of what kind questions are.
const QUESTIONS: [&str; 4] = ["CT with a lesion", "MR", "one model of CT", "one protocol"];

/// A question of six predicates, as somebody might ask it.
fn question(kind: usize, dice: &mut Dice) -> StoredQuery {
    let part = dice.of(&["51185008", "69536005", "818981001", "72696002"]);
    let part = format!("bodyPart eq {part}^^SCT");
    let age = 20 + dice.throw(50);
    let age = format!("PatientAge between {age} and {} a", age + 20);
    match kind {
        0 => cohort(
            &[
                "Modality eq CT".to_owned(),
                part,
                format!("SliceThickness le {} mm", dice.of(&["1", "1.5"])),
                "ConvolutionKernel eq B70f|ConvolutionKernel eq B60f".to_owned(),
                format!("KVP eq {} kV", dice.of(&[100, 120])),
            ],
            &["118565006^^SCT gt 1 cm3; algorithm LungCAD%"],
        ),
        1 => {
            let from = 500 + dice.throw(4000);
            let echo = 5 + dice.throw(60);
            cohort(
                &[
                    "Modality eq MR".to_owned(),
                    part,
                    "fieldStrength ge 2.5 T".to_owned(),
                    format!("RepetitionTime between {from} and {} ms", from + 500),
                    format!("EchoTime between {echo} and {} ms", echo + 20),
                    "SliceThickness le 3 mm".to_owned(),
                ],
                &[],
            )
        }
        2 => cohort(
            &[
                "Modality eq CT".to_owned(),
                format!("ManufacturerModelName eq CT Model {}", dice.throw(12)),
                part,
                age,
                format!("CTDIvol gt {} mGy", 10 + dice.throw(25)),
                "ConvolutionKernel like Br%".to_owned(),
            ],
            &[],
        ),
        _ => cohort(
            &[
                part,
                age,
                format!("ProtocolName eq Protocol {}", dice.throw(120)),
                "PatientSex eq F".to_owned(),
                "scanPlane eq axial".to_owned(),
                "SliceThickness le 2 mm".to_owned(),
            ],
            &[],
        ),
    }
}

/// Six predicates each of which many studies satisfy, and hardly any study all of them in one series.
fn hard_question() -> StoredQuery {
    let asked = [
        "Rows eq 512",
        "Columns eq 512",
        "scanPlane eq axial",
        "PatientSex eq F",
        "SliceThickness le 1 mm",
        "PixelSpacing le 0.32 mm",
    ];
    cohort(&asked.map(str::to_owned), &[])
}

async fn asked(registry: &Registry, query: &StoredQuery) -> (f64, usize) {
    let request = query.to_request(ReturnType::ObjectRef);
    let (caller, parties, now) = (caller(), parties(), SystemTime::now());
    let who = (&caller, &parties);
    let began = Instant::now();
    let answer = match query {
        StoredQuery::FindDocumentsForMultiplePatients(_) => {
            crate::iti51_multi_patient_stored_query::answer(registry, who, request, now).await
        }
        _ => iti18::answer(registry, who, request, now).await,
    };
    let answer = answer.unwrap().into_inner();
    let took = began.elapsed().as_secs_f64() * 1e3;
    (took, answer.matches("<rim:ObjectRef").count())
}

fn say(what: &str, mut took: Vec<f64>, found: &[usize]) {
    took.sort_by(f64::total_cmp);
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
    let most = found.iter().max().unwrap_or(&0);
    println!(
        "{what:<44} p50 {:>7.2} p95 {:>7.2} max {:>7.2} ms; {} found on average, at most {most}",
        at(0.5),
        at(0.95),
        at(1.0),
        found.iter().sum::<usize>() / found.len(),
    );
}

async fn register_all(registry: &Registry, studies: u64) {
    const AT_ONCE: u64 = 500;
    let began = Instant::now();
    for first in (0..studies).step_by(AT_ONCE as usize) {
        let home = registry.config.home_community_id.clone();
        let mut dice = Dice(first);
        let last = (first + AT_ONCE).min(studies);
        let all: Vec<Prepared> = (first..last)
            .map(|at| prepared(at, &mut dice, &home))
            .collect();
        let work = move |conn: &mut _| {
            for prepared in &all {
                submission::register(conn, prepared, UnknownPatients::Accept, None)?;
            }
            Ok(())
        };
        registry.db.write(work).await.unwrap();
    }
    let rate = studies as f64 / began.elapsed().as_secs_f64();
    println!("{studies} studies of {SERIES} series registered, {rate:.0}/s in groups of {AT_ONCE}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures"]
async fn cohorts() {
    let studies = std::env::var("HILUM_FIGURES_STUDIES").ok();
    let studies = studies.map_or(250_000, |studies| studies.parse().unwrap());
    let (_folder, registry) = open();
    register_all(&registry, studies).await;
    let mut dice = Dice(7);
    for round in ["first", "again"] {
        let (mut took, mut found) = (Vec::new(), Vec::new());
        let used = processor();
        for (kind, name) in QUESTIONS.iter().enumerate() {
            let before = took.len();
            for _ in 0..QUESTIONS_OF_A_KIND {
                let (ms, count) = asked(&registry, &question(kind, &mut dice)).await;
                took.push(ms);
                found.push(count);
            }
            say(name, took[before..].to_vec(), &found[before..]);
        }
        let each = (processor() - used) * 1e3 / took.len() as f64;
        say(&format!("cohort, 6 predicates, {round}"), took, &found);
        println!("{each:.1} ms of processor each");
    }
    let (mut took, mut found) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let (ms, count) = asked(&registry, &hard_question()).await;
        took.push(ms);
        found.push(count);
    }
    say("6 predicates, each true of many", took, &found);
    let everybody =
        StoredQuery::FindDocumentsForMultiplePatients(FindDocumentsForMultiplePatients {
            patients: Vec::new(),
            statuses: vec![AvailabilityStatus::Approved],
            filter: DocumentFilter {
                class_codes: AnyOf(vec![Pattern::exact("none^^1.2")]),
                ..filter()
            },
        });
    let (ms, count) = asked(&registry, &everybody).await;
    say("ITI-51 by a code that nothing has", vec![ms], &[count]);
}
