//! Manifests and rejection notes as other programs see them, and as we see others'.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dicom_core::VR;
use dicom_dictionary_std::tags;
use proptest::prelude::*;

use super::mado::Description;
use super::*;
use crate::instance::{Accession, CodedConcept, Order};
use crate::phantoms::{self, Detail};
use crate::rejection::{self, Note, Rejection, Title};
use crate::scan::{Study, scan};
use crate::write::Builder;

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_790_000_000)
}

fn studies(dir: &Path) -> Vec<Study> {
    phantoms::write(dir, "test", now(), Detail::Small).unwrap();
    scan(&[dir.to_owned()], &|_, _| {}).unwrap().studies
}

fn ct_with_report(studies: &[Study]) -> &Study {
    let two = |study: &&Study| study.series.len() == 2;
    studies.iter().find(two).unwrap()
}

fn uid(text: &str) -> Uid {
    Uid::parse(text).unwrap()
}

struct Names(Uid, Uid, Uid);

fn names() -> Names {
    Names(uid("2.25.11"), uid("2.25.12"), uid("1.2.3.99"))
}

impl Names {
    fn plan(&self) -> Plan<'_> {
        Plan {
            sop_instance_uid: &self.0,
            series_instance_uid: &self.1,
            made: now(),
            retrieve_ae_title: "HILUM",
            retrieve_location_uid: &self.2,
            retrieve_url: None,
            utc_offset: UtcOffset::default(),
        }
    }
}

fn description(codes: MadoCodes, others: &[(String, String)]) -> Description<'_> {
    Description {
        codes,
        institution: "Hilum Demonstration Hospital^^^^^^^^^1.2.3.4",
        patient_id_issuer: Some("1.2.3.5"),
        other_patient_ids: others,
        accession_issuer: Some("1.2.3.6"),
        order_issuer: Some("1.2.3.7"),
        regions: &[],
    }
}

fn concept(value: &str, scheme: &str, meaning: &str) -> CodedConcept {
    CodedConcept {
        value: value.to_owned(),
        scheme: scheme.to_owned(),
        meaning: meaning.to_owned(),
    }
}

/// Starts a program that others wrote. Says so loudly if it is not installed, and fails where all
/// tests are wanted.
fn judged(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<(bool, String)> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.dcm");
    std::fs::write(&path, bytes).unwrap();
    match Command::new(program).args(arguments).arg(&path).output() {
        Ok(output) => {
            let both = [output.stdout, output.stderr].concat();
            let text = String::from_utf8_lossy(&both).into_owned();
            Some((output.status.success(), text))
        }
        Err(error) => {
            assert!(
                std::env::var_os("HILUM_TEST_ALL").is_none(),
                "{program}: {error}"
            );
            eprintln!("NOT TESTED: {program} cannot be started: {error}");
            None
        }
    }
}

/// No errors of `dciodvfy`, and `dsrdump` reads it. `newer` is what a manifest has that its
/// standard allows and programs of before CP-2595 do not know.
fn accepted(bytes: &[u8], newer: &[&str], dsrdump: &[&str]) -> String {
    if let Some((_, said)) = judged("dciodvfy", &["-new"], bytes) {
        let is_error = |line: &&str| {
            let known = newer.iter().any(|newer| line.ends_with(newer));
            line.starts_with("Error") && !known
        };
        let errors: Vec<_> = said.lines().filter(is_error).collect();
        assert!(errors.is_empty(), "{errors:#?}");
        assert!(said.contains("KeyObjectSelectionDocument"), "{said}");
    }
    let Some((success, said)) = judged("dsrdump", dsrdump, bytes) else {
        return String::new();
    };
    assert!(success && !said.contains("E: "), "{said}");
    said
}

#[test]
fn a_described_manifest_tells_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let studies = studies(dir.path());
    let (names, study) = (names(), ct_with_report(&studies));
    for codes in [MadoCodes::Temporary, MadoCodes::Dicom] {
        let description = description(codes, &[]);
        let bytes = mado::write(study, &names.plan(), &description).unwrap();
        let again = mado::write(study, &names.plan(), &description).unwrap();
        assert_eq!(bytes, again);
        let manifest = read(&bytes).unwrap();
        assert_eq!(manifest.sop_instance_uid.as_ref(), Some(&names.0));
        let title = manifest.title.unwrap();
        let expected = match codes {
            MadoCodes::Temporary => ("MADOTEMP001", "99IHE"),
            MadoCodes::Dicom => ("131560", "DCM"),
        };
        assert_eq!((&*title.value, &*title.scheme), expected);
        let plain = read(&write(study, &names.plan()).unwrap()).unwrap();
        assert_eq!(plain.references, manifest.references);
        assert_eq!(plain.described, None);
        as_described(study, &manifest.described.unwrap());
    }
}

fn as_described(study: &Study, described: &Described) {
    let values = |codes: &[CodedConcept]| -> Vec<String> {
        codes.iter().map(|code| code.value.clone()).collect()
    };
    assert_eq!(values(&described.modalities), ["CT"]);
    assert_eq!(values(&described.regions), ["67734004"]);
    assert_eq!(values(&described.procedures), ["169069000"]);
    assert_eq!(described.number_of_series, Some(2));
    for (series, said) in study.series.iter().zip(&described.series) {
        assert_eq!(said.uid.as_ref(), Some(&series.uid));
        assert_eq!(said.number, series.facts.number);
        assert_eq!(said.description, series.facts.description);
        assert_eq!(said.date, series.facts.date);
        assert_eq!(said.time, series.facts.time);
        assert!(said.date.is_some() && said.time.is_some());
        let number = series.instances.len() as u64;
        assert_eq!(said.number_of_instances, Some(number));
        for (instance, said) in series.instances.iter().zip(&said.instances) {
            let uid = &instance.sop_instance_uid;
            assert_eq!(said.sop_instance_uid.as_ref(), Some(uid));
            assert_eq!((said.number, said.frames), (instance.number, None));
        }
        assert_eq!(series.instances.len(), said.instances.len());
    }
    assert_eq!(values(&described.series[0].regions), ["51185008"]);
}

#[test]
fn other_programs_read_what_we_write() {
    let dir = tempfile::tempdir().unwrap();
    let (names, others) = (names(), [("4711".to_owned(), "1.2.3.8".to_owned())]);
    for study in studies(dir.path()) {
        let plain = write(&study, &names.plan()).unwrap();
        accepted(&plain, &[], &[]);
        for codes in [MadoCodes::Temporary, MadoCodes::Dicom] {
            let described = mado::write(&study, &names.plan(), &description(codes, &others));
            let newer = ["NUM", "DATE", "TIME"]
                .map(|kind| format!("Unrecognized enumerated value = <{kind}>"));
            let newer = newer.each_ref().map(String::as_str);
            let said = accepted(&described.unwrap(), &newer, &["-Ec"]);
            assert!(
                said.is_empty() || said.contains("Number of Study Related Series"),
                "{said}"
            );
        }
        let all: BTreeSet<_> = study
            .instances()
            .map(|it| it.sop_instance_uid.clone())
            .collect();
        for title in Title::ALL {
            let rejection = Rejection {
                title,
                modifier: Some(&concept("111210", "DCM", "Motion blur")),
                description: Some("The patient moved"),
            };
            let note = rejection::write(&study, &all, &rejection, &names.plan()).unwrap();
            accepted(&note, &[], &[]);
        }
    }
}

#[test]
fn requests_combine_accessions_and_orders() {
    let dir = tempfile::tempdir().unwrap();
    let mut study = studies(dir.path()).remove(0);
    let names = names();
    let items = |study: &Study| {
        let bytes = mado::write(study, &names.plan(), &description(MadoCodes::Dicom, &[]));
        let file = crate::walk::whole(&bytes.unwrap()).unwrap();
        let text = |data: &crate::walk::DataSet, tag| data.ascii(tag).unwrap_or_default();
        let requests: Vec<_> = file
            .data
            .items(tags::REFERENCED_REQUEST_SEQUENCE)
            .iter()
            .map(|item| {
                assert_eq!(text(item, tags::STUDY_INSTANCE_UID), study.uid.as_str());
                let issuer = &item.items(tags::ISSUER_OF_ACCESSION_NUMBER_SEQUENCE)[0];
                let order = tags::PLACER_ORDER_NUMBER_IMAGING_SERVICE_REQUEST;
                (
                    text(item, tags::ACCESSION_NUMBER),
                    text(issuer, tags::UNIVERSAL_ENTITY_ID),
                    text(item, order),
                )
            })
            .collect();
        (text(&file.data, tags::ACCESSION_NUMBER), requests)
    };
    let request = |a: &str, i: &str, o: &str| (a.to_owned(), i.to_owned(), o.to_owned());
    let order = |number: &str, accession: Option<&str>| Order {
        number: number.to_owned(),
        issuer_oid: None,
        accession_number: accession.map(str::to_owned),
    };

    study.accessions = Vec::new();
    let (made_up, requests) = items(&study);
    assert!(made_up.len() == 16 && made_up.starts_with('H'), "{made_up}");
    assert_eq!(made_up, mado::accessions(&study)[0].number);
    assert_eq!(requests, [request(&made_up, "1.2.3.6", "")]);

    let of = |number: &str, issuer_oid: Option<&str>| Accession {
        number: number.to_owned(),
        issuer_oid: issuer_oid.map(str::to_owned),
    };
    study.accessions = vec![of("A1", Some("1.9"))];
    study.orders = vec![order("O1", None), order("O2", Some("A1"))];
    let (only, requests) = items(&study);
    assert_eq!(only, "A1");
    assert_eq!(
        requests,
        [request("A1", "1.9", "O1"), request("A1", "1.9", "O2")]
    );

    study.accessions.push(of("A2", None));
    study.orders = vec![order("O2", Some("A2"))];
    let (none, requests) = items(&study);
    assert_eq!(none, "");
    assert_eq!(
        requests,
        [request("A1", "1.9", ""), request("A2", "1.2.3.6", "O2")]
    );
}

/// The main identifier is repeated among the others, each with who gave it.
#[test]
fn identifiers_name_their_issuers() {
    let dir = tempfile::tempdir().unwrap();
    let study = studies(dir.path()).remove(0);
    let others = [("4711".to_owned(), "1.2.3.8".to_owned())];
    let names = names();
    let description = description(MadoCodes::Temporary, &others);
    let bytes = mado::write(&study, &names.plan(), &description).unwrap();
    let file = crate::walk::whole(&bytes).unwrap();
    let ids: Vec<_> = file
        .data
        .items(tags::OTHER_PATIENT_I_DS_SEQUENCE)
        .iter()
        .map(|item| {
            let issuer = &item.items(tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE)[0];
            (
                item.ascii(tags::PATIENT_ID).unwrap(),
                issuer.ascii(tags::UNIVERSAL_ENTITY_ID).unwrap(),
            )
        })
        .collect();
    let own = (study.patient.id.unwrap(), "1.2.3.5".to_owned());
    assert_eq!(ids, [own, others[0].clone()]);
    let main = &file
        .data
        .items(tags::ISSUER_OF_PATIENT_ID_QUALIFIERS_SEQUENCE)[0];
    assert_eq!(main.ascii(tags::UNIVERSAL_ENTITY_ID).unwrap(), "1.2.3.5");
    assert_eq!(
        file.data.ascii(tags::TIMEZONE_OFFSET_FROM_UTC).unwrap(),
        "+0000"
    );
    assert!(
        file.data
            .ascii(tags::INSTITUTION_NAME)
            .unwrap()
            .starts_with("Hilum")
    );
}

/// Key object selections in a study are described by their title; images of frames by how many.
#[test]
fn selections_and_frames_are_described() {
    let dir = tempfile::tempdir().unwrap();
    let mut study = studies(dir.path()).remove(0);
    let names = names();
    let key_objects = KeyObjects {
        title: concept("113000", "DCM", "Of Interest"),
        description: Some("Look here".to_owned()),
    };
    let instance = &mut study.series[0].instances[0];
    instance.sop_class_uid = uid(SOP_CLASS_UID);
    instance.key_objects = Some(key_objects.clone());
    instance.size = None;
    let other = &mut study.series[0].instances[1];
    other.sop_class_uid = uid("1.2.840.10008.5.1.4.1.1.2.1");
    other.size.as_mut().unwrap().frames = 1;
    let bytes = mado::write(&study, &names.plan(), &description(MadoCodes::Dicom, &[])).unwrap();
    let described = read(&bytes).unwrap().described.unwrap();
    let said = &described.series[0].instances;
    assert_eq!(said[0].key_objects.as_ref(), Some(&key_objects));
    assert_eq!((said[1].frames, said[2].frames), (Some(1), None));

    let folder = tempfile::tempdir().unwrap();
    let selection = write(&study, &names.plan()).unwrap();
    std::fs::write(folder.path().join("ko"), selection).unwrap();
    let scanned = scan(&[folder.path().to_owned()], &|_, _| {}).unwrap();
    let found = scanned.studies[0].instances().next().unwrap();
    assert_eq!(found.key_objects.as_ref().unwrap().title.value, "113030");
}

/// A manifest as others write it: groups right below the root, of series `1.2.3.n` with two instances
/// each.
fn foreign(groups: Vec<Builder>) -> Vec<u8> {
    let series = |at: usize| {
        let uid = format!("1.2.3.{}", at + 1);
        let instances = [1, 2].map(|end| foreign_reference(&format!("{uid}.{end}")));
        Builder::new()
            .text(tags::SERIES_INSTANCE_UID, VR::UI, &uid)
            .items(tags::REFERENCED_SOP_SEQUENCE, instances)
    };
    let evidence = Builder::new()
        .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
        .items(
            tags::REFERENCED_SERIES_SEQUENCE,
            (0..groups.len()).map(series),
        );
    let title = ("ddd001", "DCM", "Manifest");
    Builder::new()
        .text(tags::SOP_CLASS_UID, VR::UI, SOP_CLASS_UID)
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
        .with(document(title, groups, evidence))
        .part10()
        .unwrap()
}

fn foreign_reference(uid: &str) -> Builder {
    let class = "1.2.840.10008.5.1.4.1.1.2";
    Builder::new()
        .text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class)
        .text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, uid)
}

fn foreign_image(uid: &str) -> Builder {
    Builder::new()
        .text(tags::VALUE_TYPE, VR::CS, "IMAGE")
        .items(tags::REFERENCED_SOP_SEQUENCE, [foreign_reference(uid)])
}

fn foreign_text(code: &str, text: &str) -> Builder {
    Builder::new()
        .text(tags::VALUE_TYPE, VR::CS, "TEXT")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, (code, "DCM", "x"))
        .text(tags::TEXT_VALUE, VR::UT, text)
}

fn foreign_group(content: Vec<Builder>) -> Builder {
    let name = ("126200", "DCM", "Image Library Group");
    Builder::new()
        .text(tags::VALUE_TYPE, VR::CS, "CONTAINER")
        .code(tags::CONCEPT_NAME_CODE_SEQUENCE, name)
        .items(tags::CONTENT_SEQUENCE, content)
}

/// What is known to be wrong with manifests in circulation.
#[test]
fn manifests_of_others_are_understood() {
    let behind = foreign_group(vec![
        foreign_text("ddd007", "2"),
        foreign_text("ddd003", "20260102"),
        foreign_image("1.2.3.1.1"),
        foreign_text("113609", "7"),
        foreign_image("1.2.3.1.2"),
        foreign_text("113609", "8"),
    ]);
    let before = foreign_group(vec![
        foreign_text("113609", "3"),
        foreign_image("1.2.3.2.1"),
        foreign_text("113609", "4"),
        foreign_image("1.2.3.2.2"),
    ]);
    let manifest = read(&foreign(vec![behind, before])).unwrap();
    let series = manifest.described.unwrap().series;
    assert_eq!(series[0].uid, Some(uid("1.2.3.1")));
    assert_eq!(series[0].number_of_instances, Some(2));
    assert_eq!(series[0].date.as_deref(), Some("20260102"));
    let numbers = |series: &DescribedSeries| -> Vec<_> {
        series.instances.iter().map(|it| it.number).collect()
    };
    assert_eq!(numbers(&series[0]), [Some(7), Some(8)]);
    assert_eq!(numbers(&series[1]), [Some(3), Some(4)]);
}

#[test]
fn a_rejection_note_takes_instances_back() {
    let dir = tempfile::tempdir().unwrap();
    let studies = studies(dir.path());
    let (names, study) = (names(), ct_with_report(&studies));
    let bad: Vec<_> = study.series[0].instances[2..4].to_vec();
    let bad: BTreeSet<_> = bad.into_iter().map(|it| it.sop_instance_uid).collect();
    let motion = concept("111210", "DCM", "Motion blur");
    for title in Title::ALL {
        let rejection = Rejection {
            title,
            modifier: Some(&motion),
            description: Some("The patient moved"),
        };
        let bytes = rejection::write(study, &bad, &rejection, &names.plan()).unwrap();
        let note = Note::read(&bytes).unwrap().unwrap();
        assert_eq!(note.title, title);
        assert_eq!(note.description.as_deref(), Some("The patient moved"));
        // Only a rejection for quality has reasons of this list.
        let modifier = (title == Title::Quality).then_some(&motion);
        assert_eq!(note.modifier.as_ref(), modifier);
        let taken: BTreeSet<_> = note.instances().map(|(_, it)| it.clone()).collect();
        assert_eq!(taken, bad);
        assert!(note.instances().all(|(of, _)| *of == study.uid));
        assert_eq!(note.references.len(), 1);

        let place = dir.path().join("note.dcm");
        std::fs::write(&place, &bytes).unwrap();
        let after = scan(&[dir.path().to_owned()], &|_, _| {}).unwrap();
        let after = after.studies.iter().find(|it| it.uid == study.uid).unwrap();
        assert_eq!(after.rejected, bad);
        assert!(after.rejected_as.values().all(|known| *known == title));
        assert_eq!(after.rejected_as.len(), bad.len());
        assert_eq!(after.instances().count(), study.instances().count() - 2);
    }
    let plain = write(study, &names.plan()).unwrap();
    assert_eq!(Note::read(&plain).unwrap(), None);
    let stranger = BTreeSet::from([uid("1.2.3")]);
    let rejection = Rejection {
        title: Title::PatientSafety,
        modifier: None,
        description: None,
    };
    assert!(rejection::write(study, &stranger, &rejection, &names.plan()).is_err());
}

#[test]
fn a_title_is_known_by_its_word_and_its_code() {
    for title in Title::ALL {
        assert_eq!(title.word().parse(), Ok(title));
        assert_eq!(title.code().0.parse(), Ok(title));
        let json = format!("\"{}\"", title.word());
        assert_eq!(serde_json::to_string(&title).unwrap(), json);
    }
    assert!("113000".parse::<Title>().is_err());
    for title in Title::ALL {
        assert_eq!(title.stricter(Title::PatientSafety), Title::PatientSafety);
        assert_eq!(title.stricter(Title::RetentionExpired), title);
    }
    let effect = Title::IncorrectWorklistEntry.effect();
    assert!(!effect.may_be_shown && !effect.may_return && !effect.may_be_removed);
}

/// However a manifest is changed, it is read or refused.
#[test]
fn manifests_that_were_tampered_with_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let study = studies(dir.path()).remove(0);
    let names = names();
    let bytes = mado::write(&study, &names.plan(), &description(MadoCodes::Dicom, &[])).unwrap();
    let change = (132..bytes.len(), proptest::num::u8::ANY);
    proptest!(|(changes in proptest::collection::vec(change, 1..8))| {
        let mut file = bytes.clone();
        for (at, byte) in changes {
            file[at] = byte;
        }
        if let Ok(manifest) = read(&file) {
            prop_assert!(!manifest.references.is_empty());
        }
        let _ = Note::read(&file);
    });
}
