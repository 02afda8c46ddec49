//! Documents leave one node on a medium and come to another, which knows the patient otherwise.
//!
//! ```text
//! hospital  --hilum export-->  a folder, a ZIP file  --hilum media import-->  practice
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use serde_json::Value;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::ebrim::RegistryObject;

const URN: &str = "urn:oasis:names:tc:ebxml-regrep";

fn town() -> Town {
    Town::found(Setup {
        plain: true,
        uncounted: true,
        ..Setup::default()
    })
}

fn run(town: &Town, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = town.run(arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn ok(town: &Town, arguments: &[&str]) -> String {
    let (code, out, error) = run(town, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {out}{error}");
    out
}

/// What became of each submission set.
fn import(town: &Town, medium: &Path, more: &[&str]) -> Vec<String> {
    let mut arguments = vec!["media", "import", medium.to_str().unwrap(), "--json"];
    arguments.extend(more);
    let said: Value = serde_json::from_str(&ok(town, &arguments)).unwrap();
    let sets = said["submissionSets"].as_array().unwrap();
    let fates = sets.iter().map(|set| set["fate"].as_str().unwrap());
    fates.map(str::to_owned).collect()
}

async fn provide(town: &Town, submission: &Submission) {
    let response = town.provide(submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
}

async fn found(town: &Town, patient: &str) -> Vec<RegistryObject> {
    let answer = town
        .query(words::find_documents(patient, "LeafClass"))
        .await
        .unwrap();
    assert_eq!(answer.status, ResponseStatus::Success, "{answer:?}");
    answer.objects
}

fn value<'a>(object: &'a RegistryObject, slot: &str) -> Option<&'a str> {
    object.slot(slot)?.values.first().map(String::as_str)
}

/// What the hospital has: two letters in a folder, a picture, a document in two parts, and a letter
/// that was replaced by another.
struct Hospital {
    town: Town,
    contents: BTreeMap<String, Vec<u8>>,
    replaced: String,
}

async fn hospital() -> Hospital {
    let town = town();
    let mut first = Submission::new(
        "Here",
        vec![
            Document::text("a letter & more"),
            Document::of("text/xml; charset=utf-8", b"<a/>".to_vec()),
            Document::of("application/dicom", vec![7; 70_000]),
            Document::of(
                "multipart/related",
                b"--b\r\nContent-Type: text/html\r\n\r\n<p/>\r\n--b\r\nContent-Type: image/png\r\n\r\n\x89\r\n--b--\r\n".to_vec(),
            ),
        ],
    );
    first.documents[0].title = "Letter </a><script>".to_owned();
    first.more = folder(&first.documents[0].id);
    // All are submitted at the same time, so that this one's ID makes it the first.
    first.unique_id = format!("1.{}", first.unique_id);
    provide(&town, &first).await;
    let old = Submission::new("Here", vec![Document::text("an old letter")]);
    provide(&town, &old).await;
    let id = &old.documents[0].unique_id;
    let registered = town.query(words::get_documents(&[id])).await.unwrap();
    let mut new = Submission::new("Here", vec![Document::text("a new letter")]);
    let letter = &first.documents[0].unique_id;
    let letter = town.query(words::get_documents(&[letter])).await.unwrap();
    let id_of_new = &new.documents[0].id;
    let relation = |id: &str, kind: &str, target: &str| {
        format!(
            r#"<rim:Association id="{id}" associationType="urn:ihe:iti:2007:AssociationType:{kind}" sourceObject="{id_of_new}" targetObject="{target}"/>"#
        )
    };
    let replaces = relation("r", "RPLC", &registered.objects[0].id);
    // Of the first set, which is on the medium.
    new.more = replaces + &relation("a", "APND", &letter.objects[0].id);
    provide(&town, &new).await;
    let documents = first.documents.iter().chain(&new.documents);
    let contents = documents.map(|it| (it.unique_id.clone(), it.content.clone()));
    Hospital {
        contents: contents.collect(),
        replaced: id.clone(),
        town,
    }
}

/// A folder with a document in it, and what belongs to both.
fn folder(document: &str) -> String {
    let unique_id = words::new_oid();
    let identifier = |scheme: &str, name: &str, value: &str| {
        let value = words::escaped(value);
        format!(
            r#"<rim:ExternalIdentifier id="f-{scheme}" identificationScheme="urn:uuid:{scheme}" registryObject="Folder" value="{value}"><rim:Name><rim:LocalizedString value="{name}"/></rim:Name></rim:ExternalIdentifier>"#
        )
    };
    let member = |id: &str, from: &str, to: &str| {
        format!(
            r#"<rim:Association id="{id}" associationType="{URN}:AssociationType:HasMember" sourceObject="{from}" targetObject="{to}"/>"#
        )
    };
    [
        r#"<rim:RegistryPackage id="Folder"><rim:Name><rim:LocalizedString value="Stay in November"/></rim:Name>"#,
        r#"<rim:Classification id="f-code" classificationScheme="urn:uuid:1ba97051-7806-41a8-a48b-8fce7af683c5" classifiedObject="Folder" nodeRepresentation="18748-4"><rim:Slot name="codingScheme"><rim:ValueList><rim:Value>2.16.840.1.113883.6.1</rim:Value></rim:ValueList></rim:Slot><rim:Name><rim:LocalizedString value="Diagnostic imaging study"/></rim:Name></rim:Classification>"#,
        r#"<rim:Classification id="f-is" classifiedObject="Folder" classificationNode="urn:uuid:d9d542f3-6cc4-48b6-8870-ea235fbc94c2"/>"#,
        &identifier("f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a", "XDSFolder.patientId", &words::patient("Here")),
        &identifier("75df8f67-9973-4fbe-a900-df66cefecc5a", "XDSFolder.uniqueId", &unique_id),
        "</rim:RegistryPackage>",
        &member("m1", "SubmissionSet", "Folder"),
        &member("m2", "Folder", document),
        &member("m3", "SubmissionSet", "m2"),
    ]
    .concat()
}

/// Every file below a folder, by its path.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
                found.insert(name.to_owned(), path);
            }
        }
    }
    found
}

/// ITI TF-2 3.32.4.1.2.2: what is on the hospital's medium, and where.
fn laid_out(medium: &Path) {
    let names: Vec<String> = files(medium).into_keys().collect();
    let expected = [
        "IHE_XDM/SUBSET01/DOC00001.TXT",
        "IHE_XDM/SUBSET01/DOC00002.XML",
        "IHE_XDM/SUBSET01/DOC00003",
        "IHE_XDM/SUBSET01/DOC00004/DOC00004",
        "IHE_XDM/SUBSET01/DOC00004/PRT00001.HTM",
        "IHE_XDM/SUBSET01/DOC00004/PRT00002.PNG",
        "IHE_XDM/SUBSET01/METADATA.XML",
        "IHE_XDM/SUBSET02/DOC00001.TXT",
        "IHE_XDM/SUBSET02/METADATA.XML",
        "INDEX.HTM",
        "README.TXT",
    ];
    assert_eq!(names, expected);
}

/// ITI TF-2 3.32.4.1.2.2: what one node writes, another takes over, every byte of it.
#[tokio::test]
async fn a_medium_goes_from_one_node_to_another() {
    let hospital = hospital().await;
    let beside = hospital.town.folder().to_owned();
    let medium = beside.join("stick");
    let shown = medium.to_str().unwrap();
    ok(
        &hospital.town,
        &["export", "--patient", "Here", "--out", shown],
    );
    laid_out(&medium);
    let index = std::fs::read_to_string(medium.join("INDEX.HTM")).unwrap();
    assert!(
        index.contains("Letter &lt;/a&gt;&lt;script&gt;") && !index.contains("<script"),
        "{index}"
    );
    let (code, _, said) = run(&hospital.town, &["media", "check", shown]);
    assert_eq!((code, said.as_str()), (Some(0), ""), "nothing to remark");
    // What is there is not written over.
    let (code, _, said) = run(
        &hospital.town,
        &["export", "--patient", "Here", "--out", shown],
    );
    assert_eq!(code, Some(2), "{said}");

    let practice = town();
    let patient = ["--patient", "There"];
    assert_eq!(import(&practice, &medium, &patient), ["Registered"; 2]);
    let there = found(&practice, "There").await;
    assert_eq!(there.len(), hospital.contents.len());
    for object in &there {
        // Documents keep the ID of where they came from.
        assert_eq!(
            value(object, "sourcePatientId"),
            Some("DEPT-1^^^&2.999.9&ISO")
        );
    }
    for (unique_id, content) in &hospital.contents {
        let got = practice.retrieve(&[unique_id]).await.unwrap();
        assert_eq!(got.documents[0].content, *content, "{unique_id}");
    }
    assert!(
        practice
            .query(words::get_documents(&[&hospital.replaced]))
            .await
            .unwrap()
            .objects
            .is_empty()
    );
    let everything = ok(&practice, &["query", "all", "--patient", "There", "--json"]);
    let everything: Value = serde_json::from_str(&everything).unwrap();
    assert_eq!(
        everything["folders"].as_array().map(Vec::len),
        Some(1),
        "{everything}"
    );

    // The new letter is still an addendum to the first one.
    let related = everything["associations"].as_array().unwrap().iter();
    let kinds = related.filter_map(|it| it["associationType"].as_str());
    assert!(
        kinds.clone().any(|kind| kind.contains("APND")),
        "{everything}"
    );

    again_and_elsewhere(&hospital, &practice, &medium).await;
    media_are_recorded(&hospital.town, &practice);
}

async fn again_and_elsewhere(hospital: &Hospital, practice: &Town, medium: &Path) {
    let patient = ["--patient", "There"];
    let there = found(practice, "There").await.len();
    let beside = hospital.town.folder();
    // A second time is harmless, on whatever medium.
    assert_eq!(import(practice, medium, &patient), ["Known"; 2]);
    let zip = beside.join("medium.ZIP");
    ok(
        &hospital.town,
        &[
            "export",
            "--patient",
            "Here",
            "--out",
            zip.to_str().unwrap(),
        ],
    );
    assert_eq!(import(practice, &zip, &patient), ["Known"; 2]);
    assert_eq!(found(practice, "There").await.len(), there);
    let third = town();
    assert_eq!(import(&third, &zip, &patient), ["Registered"; 2]);
    for (unique_id, content) in &hospital.contents {
        let got = third.retrieve(&[unique_id]).await.unwrap();
        assert_eq!(got.documents[0].content, *content, "{unique_id}");
    }
}

/// ITI TF-2 3.32.5.1: an export where a medium is made, an import where it is read, one for each
/// submission set, with the kind of the medium.
fn media_are_recorded(hospital: &Town, practice: &Town) {
    let count = |town: &Town, event: &str| {
        let records = town.records();
        let of = |record: &&Value| record["transaction"] == "ITI-32" && record["event"] == event;
        records.iter().filter(of).count()
    };
    assert_eq!(count(hospital, "Export"), 4);
    assert_eq!(count(practice, "Import"), 6);
    let messages = hospital.messages();
    let of_media = |message: &&String| message.contains("MediaIdentifier");
    let media: Vec<&String> = messages.iter().filter(of_media).collect();
    assert_eq!(media.len(), 4);
    assert!(media[0].contains(r#"csd-code="110030""#) && media[3].contains(r#"csd-code="110031""#));
}

/// A part of a submission set is a submission set of its own; the rest can come later.
#[tokio::test]
async fn single_documents_may_leave_too() {
    let hospital = hospital().await;
    let beside = hospital.town.folder().to_owned();
    let ids: Vec<&String> = hospital.contents.keys().take(2).collect();
    let zip = beside.join("two.zip");
    let mut arguments = vec!["export", "--out", zip.to_str().unwrap(), "--document"];
    arguments.extend(ids.iter().map(|id| id.as_str()));
    ok(&hospital.town, &arguments);
    let practice = town();
    let fates = import(&practice, &zip, &["--patient", "There"]);
    assert!(fates.iter().all(|fate| fate == "Registered"), "{fates:?}");
    assert_eq!(found(&practice, "There").await.len(), 2);
    // The same part again is the same submission set.
    let again = beside.join("again.zip");
    let mut arguments = vec!["export", "--out", again.to_str().unwrap(), "--document"];
    arguments.extend(ids.iter().map(|id| id.as_str()));
    ok(&hospital.town, &arguments);
    let fates = import(&practice, &again, &["--patient", "There"]);
    assert!(fates.iter().all(|fate| fate == "Known"), "{fates:?}");
    // All of it brings them once more under other entries; nothing is refused, nothing is lost.
    // A stick that is mounted is a folder that is there.
    let all = beside.join("all");
    std::fs::create_dir(&all).unwrap();
    ok(
        &hospital.town,
        &[
            "export",
            "--patient",
            "Here",
            "--out",
            all.to_str().unwrap(),
        ],
    );
    import(&practice, &all, &["--patient", "There"]);
    for (unique_id, content) in &hospital.contents {
        let got = practice.retrieve(&[unique_id]).await.unwrap();
        assert_eq!(got.documents[0].content, *content, "{unique_id}");
    }
    let (code, _, said) = run(
        &hospital.town,
        &[
            "export",
            "--out",
            beside.join("none").to_str().unwrap(),
            "--document",
            "2.999.404",
        ],
    );
    assert_eq!(code, Some(1));
    assert!(said.contains("has no document 2.999.404"), "{said}");
    assert!(!beside.join("none").exists());
}

/// What was corrected (ITI-57) leaves as it is now, and what is corrected after an import is still
/// what came: to import it again is harmless.
#[tokio::test]
async fn corrected_documents_leave_as_they_are_now() {
    let hospital = hospital().await;
    let corrected = hospital.contents.keys().next().unwrap().as_str();
    ok(
        &hospital.town,
        &["update", corrected, "--title", "Corrected"],
    );
    let medium = hospital.town.folder().join("stick");
    let shown = medium.to_str().unwrap();
    ok(
        &hospital.town,
        &["export", "--patient", "Here", "--out", shown],
    );
    let (code, _, said) = run(&hospital.town, &["media", "check", shown]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let practice = town();
    let fates = import(&practice, &medium, &["--patient", "There"]);
    assert!(fates.iter().all(|fate| fate == "Registered"), "{fates:?}");
    let there = found(&practice, "There").await;
    assert_eq!(there.len(), hospital.contents.len());
    let title = |object: &RegistryObject| object.name.as_ref()?.first().map(str::to_owned);
    let titles: Vec<Option<String>> = there.iter().map(title).collect();
    assert!(titles.contains(&Some("Corrected".to_owned())), "{titles:?}");
    let other = hospital.contents.keys().nth(1).unwrap();
    ok(&practice, &["update", other, "--title", "Corrected here"]);
    let fates = import(&practice, &medium, &["--patient", "There"]);
    assert!(fates.iter().all(|fate| fate == "Known"), "{fates:?}");
    assert_eq!(found(&practice, "There").await.len(), there.len());
}

/// ITI TF-2 3.32.4.1.4: what does not have the hash and size of its metadata is shown, and nothing of
/// its submission set is taken over; the others are.
#[tokio::test]
async fn a_damaged_medium_gives_what_is_sound() {
    let hospital = hospital().await;
    let medium = hospital.town.folder().join("stick");
    let shown = medium.to_str().unwrap();
    ok(
        &hospital.town,
        &["export", "--patient", "Here", "--out", shown],
    );
    std::fs::write(medium.join("IHE_XDM/SUBSET02/DOC00001.TXT"), "a new Letter").unwrap();
    let (code, _, said) = run(&hospital.town, &["media", "check", shown]);
    assert_eq!(code, Some(1));
    assert!(said.contains("DOC00001.TXT has the hash"), "{said}");
    let practice = town();
    let arguments = ["media", "import", shown, "--patient", "There"];
    let (code, out, said) = run(&practice, &arguments);
    assert_eq!(code, Some(1), "{out}{said}");
    assert!(
        out.contains("Unsuitable") && out.contains("Registered"),
        "{out}"
    );
    assert_eq!(found(&practice, "There").await.len(), 4);
    // A document that is there in its parts only cannot be taken over; half of it is not.
    let set = medium.join("IHE_XDM/SUBSET01");
    let metadata = std::fs::read_to_string(set.join("METADATA.XML")).unwrap();
    let metadata = metadata
        .replace(
            "2aa021d81a29ee62d223936c0e020a9f5275a4ed",
            "f849504d3837df680b267728a411e45a20b5af6d",
        )
        .replace("<rim:Value>80</rim:Value>", "<rim:Value>4</rim:Value>");
    std::fs::write(set.join("METADATA.XML"), metadata).unwrap();
    std::fs::write(set.join("DOC00004/DOC00004"), "<p/>").unwrap();
    let (code, _, said) = run(&hospital.town, &["media", "check", shown]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is one of several parts"), "{said}");
    std::fs::remove_file(medium.join("IHE_XDM/SUBSET02/DOC00001.TXT")).unwrap();
    let (code, _, said) = run(&practice, &arguments);
    assert_eq!(code, Some(1));
    assert!(said.contains("is not on the medium"), "{said}");
}
