//! `hilum submit`.

use serde_json::json;

use crate::site::{Site, hilum, text};

#[test]
fn a_document_comes_back_as_it_was_and_both_sides_record_it() {
    let site = Site::open();
    let (unique_id, entry_uuid) =
        site.submit("letter.txt", "Dear colleague", &["--title", "Letter"]);
    let found = site.json(&["query", "--patient", "P-1"]);
    let document = &found["documents"][0];
    assert_eq!(document["uniqueId"], json!(unique_id));
    assert_eq!(document["entryUUID"], json!(entry_uuid));
    assert_eq!(document["title"], "Letter");
    assert_eq!(document["size"], 14);
    assert_eq!(document["mimeType"], "text/plain");
    assert_eq!(document["availabilityStatus"], "Approved");
    let table = site.ok(&["query", "--patient", "P-1"]);
    assert!(
        table.contains(&unique_id) && table.contains("Letter"),
        "{table}"
    );

    let got = site.json(&["retrieve", &unique_id, "--out", "got"]);
    assert_eq!(got["documents"][0]["verified"], true);
    let file = site
        .dir()
        .join(got["documents"][0]["file"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(file).unwrap(), "Dear colleague");

    assert_eq!(site.recorded("ITI-41"), ["Export 0", "Import 0"]);
    assert_eq!(site.recorded("ITI-43"), ["Export 0", "Import 0"]);
    // Two queries and one on behalf of the retrieve, on both sides.
    assert_eq!(site.recorded("ITI-18").len(), 6);
}

#[test]
fn metadata_comes_from_a_file() {
    let site = Site::open();
    let letter = site.file("a.pdf", "%PDF-1.7");
    let image = site.file("b.jpg", "\u{ff}");
    let metadata = site.file(
        "metadata.toml",
        "patient = 'P-2'\n\
         [document]\nevent_codes = ['CT^^1.2.840.10008.2.16.4']\nservice_start_time = '2026-11-01'\n\
         authors = [{ person = '^Welby^Marcus', institutions = ['General Hospital'] }]\n\
         slots = { 'urn:example:ward' = ['3', '4'] }\n\
         reference_ids = ['1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID']\n\
         [documents.'b.jpg']\ntitle = 'Photograph'\nlanguage_code = 'de-AT'\n\
         [submission_set]\ntitle = 'Visit'\n",
    );
    let sent = site.json(&[
        "submit",
        &letter,
        &image,
        "--metadata",
        &metadata,
        "--type-code",
        "34133-9",
    ]);
    assert_eq!(sent["documents"].as_array().unwrap().len(), 2);
    let found = site.json(&["query", "all", "--patient", "P-2"]);
    assert_eq!(found["submissionSets"][0]["title"], "Visit");
    assert_eq!(
        found["submissionSets"][0]["uniqueId"],
        sent["submissionSet"]
    );
    let of_type = |mime: &str| {
        let documents = found["documents"].as_array().unwrap();
        let found = documents
            .iter()
            .find(|document| document["mimeType"] == mime);
        found.unwrap().clone()
    };
    let (letter, image) = (of_type("application/pdf"), of_type("image/jpeg"));
    assert_eq!(
        (&letter["title"], &image["title"]),
        (&json!("a"), &json!("Photograph"))
    );
    assert_eq!(
        (&letter["languageCode"], &image["languageCode"]),
        (&json!("en"), &json!("de-AT"))
    );
    for document in [letter, image] {
        assert_eq!(document["eventCodeList"][0]["code"], "CT");
        assert_eq!(document["typeCode"]["code"], "34133-9");
        assert_eq!(
            document["typeCode"]["displayName"],
            "Summary of episode note"
        );
        assert_eq!(document["serviceStartTime"], "20261101");
        assert_eq!(document["author"][0]["authorPerson"], "^Welby^Marcus");
        assert_eq!(
            document["author"][0]["authorInstitution"],
            json!(["General Hospital"])
        );
        assert_eq!(document["extra"]["urn:example:ward"], json!(["3", "4"]));
        let reference = "1.2.3^^^^urn:ihe:iti:xds:2016:studyInstanceUID";
        assert_eq!(document["referenceIdList"], json!([reference]));
    }
}

#[test]
fn documents_replace_others_and_lie_in_folders() {
    let site = Site::open();
    let (first, _) = site.submit("1.txt", "one", &["--new-folder", "Stay"]);
    let (second, second_uuid) = site.submit("2.txt", "two", &["--replaces", &first]);
    let related = site.json(&[
        "query",
        "related",
        "--unique-id",
        &first,
        "--association",
        "RPLC",
    ]);
    assert_eq!(
        related["associations"][0]["sourceObject"],
        json!(second_uuid)
    );
    let all = site.json(&["query", "--patient", "P-1", "--status", "all"]);
    let status = |id: &str| {
        let documents = all["documents"].as_array().unwrap();
        let found = documents.iter().find(|document| document["uniqueId"] == id);
        found.unwrap()["availabilityStatus"].clone()
    };
    assert_eq!(
        (status(&first), status(&second)),
        (json!("Deprecated"), json!("Approved"))
    );
    let file = site.file("3.txt", "three");
    let (code, _, error) =
        site.refused(&["submit", &file, "--patient", "P-1", "--replaces", &first]);
    assert!(code == 1 && error.contains("deprecated"), "{error}");

    let folder = site.json(&["query", "folders", "--patient", "P-1"])["folders"][0].clone();
    assert_eq!(folder["title"], "Stay");
    let folder = folder["uniqueId"].as_str().unwrap();
    let (third, _) = site.submit("3.txt", "three", &["--folder", folder]);
    let contents = site.json(&["query", "folders", "--unique-id", folder, "--contents"]);
    let ids: Vec<&str> = contents["documents"]
        .as_array()
        .unwrap()
        .iter()
        .map(|document| document["uniqueId"].as_str().unwrap())
        .collect();
    assert!(
        ids.contains(&third.as_str()) && ids.contains(&second.as_str()),
        "{ids:?}"
    );
}

#[test]
fn what_was_printed_can_be_sent() {
    let site = Site::open();
    let file = site.file("letter.txt", "prepared");
    let printed = site.ok(&[
        "submit",
        &file,
        "--patient",
        "P-1",
        "--unique-id",
        "1.2.3.4",
        "--print",
    ]);
    assert!(
        site.json(&["query", "--patient", "P-1"])["documents"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let id = printed.split("<rim:ExtrinsicObject id=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    let request = site.file("request.xml", &printed);
    let document = format!("{id}={file}");
    let sent = site.json(&["submit", "--xml", &request, "--document", &document]);
    assert_eq!(sent["status"], "Success");
    assert_eq!(sent["documents"][0]["uniqueId"], "1.2.3.4");
    let got = site.json(&["retrieve", "1.2.3.4", "--out", "got"]);
    assert_eq!(got["documents"][0]["verified"], true);
    assert_eq!(site.recorded("ITI-41"), ["Export 0", "Import 0"]);
    // Without its content, the document is missing.
    let (code, _, error) = site.refused(&["submit", "--xml", &request]);
    assert!(code == 1 && error.contains("XDSMissingDocument"), "{error}");
}

#[test]
fn refusals_are_told_in_full() {
    let site = Site::with(&["--plain"]);
    let file = site.file("letter.txt", "nobody's");
    let (code, out, error) = site.refused(&["submit", &file, "--patient", "P-9"]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(error.contains("XDSUnknownPatientId"), "{error}");
    assert!(error.contains("unknown_patients = \"accept\""), "{error}");
    assert_eq!(site.recorded("ITI-41"), ["Export 8", "Import 8"]);
    let site = Site::open();
    let wrong = [
        "submit",
        &file,
        "--patient",
        "P-1",
        "--class-code",
        "X^^1.2.9",
        "--type-code",
        "Y^^1.2.9",
    ];
    let (code, out, error) = site.refused(&[&wrong[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &said["status"]), (1, &json!("Failure")));
    assert_eq!(said["errors"].as_array().unwrap().len(), 2, "{said}");
    assert_eq!(said["errors"][0]["errorCode"], "XDSRegistryMetadataError");
    let named = |name: &str| error.lines().filter(|line| line.contains(name)).count();
    assert_eq!((named("classCode"), named("typeCode")), (1, 1), "{error}");
}

#[test]
fn mistakes_and_silence_have_a_status_of_their_own() {
    let mut site = Site::open();
    let file = site.file("letter.txt", "x");
    let unknown = site.file("letter.unknown", "x");
    for (arguments, said) in [
        (vec!["submit", &file], "--patient"),
        (
            vec!["submit", "/no/such/file", "--patient", "P-1"],
            "/no/such/file",
        ),
        (vec!["submit", &unknown, "--patient", "P-1"], "--mime"),
        (
            vec!["submit", &file, "--patient", "P-1", "--class-code", "NONE"],
            "classCode",
        ),
        (vec!["submit", &file, "--patient", "P^1"], "patient ID"),
        (vec!["query"], "--patient"),
        (vec!["query", "--patient", "P-1", "--from", "soon"], "soon"),
        (vec!["retrieve", "--study", "1.2"], "--patient"),
        (vec!["import", "/no/such/folder"], "/no/such/folder"),
    ] {
        let (code, _, error) = site.refused(&arguments);
        assert!(
            code == 2 && error.contains(said),
            "{arguments:?}: {code} {error}"
        );
    }
    site.stop();
    for arguments in [
        &["submit", &file, "--patient", "P-1"][..],
        &["query", "--patient", "P-1"],
        &["retrieve", "1.2"],
        &["retrieve", "1.2", "--repository", "1.2"],
    ] {
        let (code, _, error) = site.refused(arguments);
        assert!(
            code == 3 && error.contains("http://localhost:"),
            "{arguments:?}: {code} {error}"
        );
        assert!(error.contains("hilum serve"), "{error}");
    }
    assert_eq!(site.recorded("ITI-41"), ["Export 8"]);
    let nowhere = hilum(&[
        "query",
        "--patient",
        "P-1",
        "--config",
        "/no/such/hilum.toml",
    ]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere.stderr));
}
