//! `hilum query`.

use std::collections::BTreeSet;

use serde_json::Value;
use xds_schemas::codes::status::APPROVED;
use xds_schemas::iti18_registry_stored_query::QueryKind;

use crate::site::Site;

#[test]
#[expect(clippy::too_many_lines, reason = "a table of questions")]
fn all_stored_queries_can_be_asked() {
    let site = Site::open();
    let (unique_id, uuid) = site.submit("1.txt", "one", &["--new-folder", "Stay"]);
    let all = site.json(&["query", "all", "--patient", "P-1"]);
    let id = |kind: &str, name: &str| all[kind][0][name].as_str().unwrap().to_owned();
    let folder = id("folders", "uniqueId");
    let set = id("submissionSets", "entryUUID");
    let reference = "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID";
    let cx = all["documents"][0]["patientId"].as_str().unwrap();
    let patient = format!("$XDSDocumentEntryPatientId={cx}");
    let status = format!("$XDSDocumentEntryStatus={APPROVED}");
    for (arguments, documents) in [
        (vec!["--patient", "P-1"], 1),
        (vec!["--patient", "P-1", "--reference-id", reference], 0),
        (vec!["documents", "--unique-id", &unique_id], 1),
        (vec!["documents", "--uuid", &uuid, "--associations"], 1),
        (vec!["related", "--uuid", &uuid], 0),
        (
            vec!["submission-sets", "--patient", "P-1", "--from", "2000"],
            0,
        ),
        (vec!["submission-sets", "--of", &uuid], 0),
        (vec!["submission-sets", "--uuid", &set], 1),
        (vec!["folders", "--patient", "P-1"], 0),
        (vec!["folders", "--unique-id", &folder], 0),
        (vec!["folders", "--unique-id", &folder, "--contents"], 1),
        (vec!["folders", "--of-document", &unique_id], 0),
        (vec!["associations", &uuid], 0),
        (
            vec![
                "--stored-query",
                "FindDocumentsExclude",
                "-p",
                &patient,
                "-p",
                &status,
            ],
            1,
        ),
        (vec!["--acquisition", "KVP eq 120 kV"], 0),
        (vec!["--measurement", "118565006^^SCT gt 1 cm3"], 0),
        (vec!["--specimen", "S-1"], 0),
        (
            vec![
                "--specimen",
                "S-1",
                "--acquisition",
                "KVP present",
                "--patient",
                "P-1",
            ],
            0,
        ),
    ] {
        let found = site.json(&[&["query"][..], &arguments].concat());
        assert_eq!(found["status"], "Success");
        assert_eq!(
            found["documents"].as_array().unwrap().len(),
            documents,
            "{arguments:?}"
        );
    }
    let records = site.records();
    let asked = records
        .iter()
        .filter(|record| record["transaction"] == "ITI-18");
    let asked: BTreeSet<String> = asked
        .map(|record| record["objects"][0].as_str().unwrap().to_owned())
        .collect();
    let known = QueryKind::ALL.iter();
    let known = known.filter(|kind| !kind.is_of_several_patients());
    let known = known.map(|kind| kind.id().to_owned());
    assert_eq!(asked, known.collect());
}

/// ITI TF-2 3.51.4.1.2.1: several patients, or everybody whom a code narrows down.
#[test]
fn several_patients_can_be_asked_for() {
    let site = Site::open();
    site.submit("1.txt", "one", &[]);
    let all = site.json(&["query", "all", "--patient", "P-1"]);
    let cx = all["documents"][0]["patientId"].as_str().unwrap();
    let status = format!("$XDSDocumentEntryStatus={APPROVED}");
    let two = format!(
        "$XDSDocumentEntryPatientId=('{cx}','{}')",
        cx.replace("P-1", "P-2")
    );
    let query = [
        "query",
        "--stored-query",
        "FindDocumentsForMultiplePatients",
        "-p",
    ];
    let found = site.json(&[&query[..], &[&status, "-p", &two]].concat());
    assert_eq!(found["documents"].as_array().unwrap().len(), 1);
    let (exit, _, error) = site.refused(&[&query[..], &[&status]].concat());
    assert!(
        exit == 1 && error.contains("$XDSDocumentEntryPatientId or"),
        "{error}"
    );
    // One record for each patient on each side.
    assert_eq!(site.recorded("ITI-51").len(), 2 * 2 + 2);
}

#[test]
fn filters_narrow_what_is_found() {
    let site = Site::open();
    // What is no CXi, or part of one, can match nothing.
    let (exit, _, error) = site.refused(&["query", "--patient", "P-1", "--reference-id", "abc"]);
    assert!(
        exit == 2 && error.contains("is not of the form ID^^^&OID&ISO^TYPE"),
        "{exit} {error}"
    );
    let chest = [
        "--event-code",
        "CT^^1.2.840.10008.2.16.4",
        "--event-code",
        "51185008",
    ];
    let chest = [
        &chest[..],
        &["--creation-time", "2020", "--author", "^Welby^Marcus"],
    ]
    .concat();
    site.submit("ct.txt", "ct", &chest);
    site.submit(
        "mr.txt",
        "mr",
        &[
            "--event-code",
            "MR",
            "--creation-time",
            "2024",
            "--class-code",
            "IMAGES",
        ],
    );
    let titles = |options: &[&str]| {
        let found = site.json(&[&["query", "--patient", "P-1"], options].concat());
        let documents = found["documents"].as_array().unwrap().iter();
        let mut titles: Vec<String> = documents
            .map(|it| it["title"].as_str().unwrap().to_owned())
            .collect();
        titles.sort();
        titles
    };
    assert_eq!(titles(&[]), ["ct", "mr"]);
    assert_eq!(titles(&["--event-code", "CT"]), ["ct"]);
    assert_eq!(titles(&["--event-code", "CT|MR"]), ["ct", "mr"]);
    assert_eq!(
        titles(&["--event-code", "CT|MR", "--event-code", "51185008"]),
        ["ct"]
    );
    assert_eq!(titles(&["--class-code", "IMAGES"]), ["mr"]);
    assert_eq!(
        titles(&["--class-code", "IMAGES", "--class-code", "REPORTS"]),
        ["ct", "mr"]
    );
    assert_eq!(titles(&["--from", "2022"]), ["mr"]);
    assert_eq!(titles(&["--to", "2022-01-01"]), ["ct"]);
    assert_eq!(titles(&["--author", "%Welby%"]), ["ct"]);
    assert_eq!(titles(&["--status", "deprecated"]), [""; 0]);
    assert_eq!(titles(&["--type", "on-demand"]), [""; 0]);
}

#[test]
fn answers_come_in_several_forms() {
    let site = Site::open();
    let (unique_id, uuid) = site.submit("1.txt", "one", &[]);
    let xml = site.ok(&["query", "--patient", "P-1", "--xml"]);
    assert!(
        xml.contains("AdhocQueryResponse") && xml.contains("Envelope"),
        "{xml}"
    );
    let names = site.ok(&["query", "--patient", "P-1", "--object-refs"]);
    assert!(
        names.contains(&uuid) && !names.contains(&unique_id),
        "{names}"
    );
    let parameter = format!("$XDSDocumentEntryUniqueId={unique_id}");
    let raw = site.json(&["query", "--stored-query", "GetDocuments", "-p", &parameter]);
    assert_eq!(raw["documents"][0]["entryUUID"], Value::from(uuid));
    let nothing = site.run(&["query", "--patient", "P-2"]);
    assert!(nothing.status.success() && nothing.stdout.is_empty());
    let (code, _, error) = site.refused(&["query", "--stored-query", "GetAll"]);
    assert!(
        code == 1 && error.contains("XDSStoredQueryMissingParam"),
        "{error}"
    );
    let (code, _, error) = site.refused(&["query", "--stored-query", "urn:uuid:0"]);
    assert!(
        code == 1 && error.contains("XDSUnknownStoredQuery"),
        "{error}"
    );
}

/// Conditions on images are asked for all patients, or for one.
#[test]
fn images_are_asked_for_by_how_they_were_made() {
    let site = Site::open();
    let slots = [
        "urn:hilum:acquisition:2026=SliceThickness=1.25 mm",
        "urn:hilum:acquisition:2026=ConvolutionKernel=B70f",
        "urn:hilum:measurement:2026:1=concept=118565006^Volume^2.16.840.1.113883.6.96",
        "urn:hilum:measurement:2026:1=value=1500",
        "urn:hilum:measurement:2026:1=unit=mm3^mm3^2.16.840.1.113883.6.8",
    ];
    let slots: Vec<&str> = slots.iter().flat_map(|slot| ["--slot", slot]).collect();
    let specimen = [
        "--reference-id",
        "S-17^^^&1.2.3&ISO^urn:hilum:xds:2026:specimen",
    ];
    let (_, uuid) = site.submit("ct.txt", "ct", &[&slots[..], &specimen].concat());
    site.submit("other.txt", "other", &[]);
    let found = |options: &[&str]| {
        let found = site.json(&[&["query"], options].concat());
        let documents = found["documents"].as_array().unwrap().clone();
        let names = documents
            .iter()
            .map(|it| it["entryUUID"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let thin = ["--acquisition", "SliceThickness le 0.15 cm"];
    let sharp = [
        "--acquisition",
        "ConvolutionKernel eq B60f|ConvolutionKernel eq B70f",
    ];
    let large = ["--measurement", "118565006^^SCT gt 1 cm3"];
    assert_eq!(found(&thin), std::slice::from_ref(&uuid));
    let all = [&thin[..], &sharp, &large, &["--specimen", "S-17"]].concat();
    assert_eq!(found(&all), std::slice::from_ref(&uuid));
    assert_eq!(found(&[&all[..], &["--patient", "P-1"]].concat()), [uuid]);
    assert!(found(&[&all[..], &["--patient", "P-2"]].concat()).is_empty());
    assert!(found(&["--specimen", "S-18"]).is_empty());
    for (options, said) in [
        (
            ["--acquisition", "SliceThicknes le 1 mm"],
            "the nearest one is SliceThickness",
        ),
        (
            ["--acquisition", "SliceThickness le 1 s"],
            "values are in mm",
        ),
        (
            ["--measurement", "volume gt 1 cm3"],
            "begins with a concept",
        ),
    ] {
        let (exit, _, error) = site.refused(&[&["query"][..], &options].concat());
        assert!(
            exit == 2 && error.contains(options[0]) && error.contains(said),
            "{error}"
        );
    }
    let listed = site.ok(&["query", "parameters", "slice"]);
    assert!(
        listed.contains("SliceThickness") && !listed.contains("KVP"),
        "{listed}"
    );
    let all = site.json(&["query", "parameters"]);
    assert!(all.as_array().unwrap().len() > 150, "{all}");
}
