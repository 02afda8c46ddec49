//! A person at a terminal hands in a letter, finds it, and gets it back; both sides of each step
//! are in the audit trail.

use std::collections::BTreeMap;

use hilum_tests::{Setup, Town};

#[test]
fn a_letter_goes_in_and_comes_back() {
    let town = Town::found(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let letter = town.folder().join("letter.pdf");
    let content = b"%PDF-1.4 a letter\n%%EOF\n";
    std::fs::write(&letter, content).unwrap();
    let submitted = town.run(&[
        "submit",
        letter.to_str().unwrap(),
        "--patient",
        "P-1",
        "--title",
        "Discharge letter",
        "--unique-id",
        "2.25.4711",
    ]);
    assert!(submitted.status.success(), "{submitted:?}");
    let found = town.run(&["query", "--patient", "P-1"]);
    assert!(found.status.success(), "{found:?}");
    let table = String::from_utf8(found.stdout).unwrap();
    assert!(table.contains("Discharge letter"), "{table}");
    assert!(table.contains("2.25.4711"), "{table}");
    let out = town.folder().join("got");
    let retrieved = town.run(&[
        "retrieve",
        "2.25.4711",
        "--repository",
        hilum_tests::words::REPOSITORY,
        "--out",
        out.to_str().unwrap(),
    ]);
    assert!(retrieved.status.success(), "{retrieved:?}");
    let files: Vec<_> = std::fs::read_dir(out).unwrap().collect();
    assert_eq!(files.len(), 1);
    let file = files[0].as_ref().unwrap().path();
    assert_eq!(std::fs::read(file).unwrap(), content);

    let mut counts = BTreeMap::new();
    for record in town.records() {
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        let transaction = text("transaction");
        if transaction.contains("ITI-") {
            *counts.entry((transaction, text("event"))).or_insert(0) += 1;
        }
    }
    let key = |transaction: &str, event: &str| (transaction.to_owned(), event.to_owned());
    let expected = BTreeMap::from([
        (key("ITI-41", "Export"), 1),
        (key("ITI-41", "Import"), 1),
        (key("ITI-42", "Export"), 1),
        (key("ITI-42", "Import"), 1),
        (key("ITI-18", "Query"), 2),
        (key("ITI-43", "Export"), 1),
        (key("ITI-43", "Import"), 1),
    ]);
    assert_eq!(counts, expected);
}

/// A program sees from the exit status what went wrong: refused, wrong usage, not reachable.
#[test]
fn exit_statuses_tell_what_happened() {
    let mut town = Town::found(Setup {
        uncounted: true,
        refuse_unknown_patients: true,
        ..Setup::default()
    });
    let file = town.folder().join("note.txt");
    std::fs::write(&file, "a note").unwrap();
    let file = file.to_str().unwrap();
    let refused = town.run(&["submit", file, "--patient", "Nobody"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("XDSUnknownPatientId"), "{told}");
    let wrong = town.run(&["submit", file, "--no-such-option"]);
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
    town.stop();
    let away = town.run(&["submit", file, "--patient", "Nobody"]);
    assert_eq!(away.status.code(), Some(3), "{away:?}");
}
