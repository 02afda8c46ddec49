//! `hilum update`.

use crate::site::Site;

#[test]
fn a_document_is_corrected() {
    let site = Site::open();
    let (unique_id, _) = site.submit("1.txt", "one", &["--title", "Firts"]);
    let updated = site.ok(&["update", &unique_id, "--title", "First"]);
    assert!(updated.contains(&unique_id), "{updated}");
    let found = site.json(&["query", "--patient", "P-1"]);
    assert_eq!(found["documents"].as_array().unwrap().len(), 1);
    assert_eq!(found["documents"][0]["title"], "First");
    assert_eq!(found["documents"][0]["version"], "2");
    let all = site.json(&[
        "query",
        "documents",
        "--unique-id",
        &unique_id,
        "--versions",
    ]);
    assert_eq!(all["documents"].as_array().unwrap().len(), 2);
    // The document itself is still there, under the same name.
    let got = site.ok(&["retrieve", &unique_id, "--out", "got"]);
    assert!(got.contains(&unique_id), "{got}");
    let (exit, _, error) = site.refused(&["update", &unique_id, "--title", "First"]);
    assert!(
        exit == 2 && error.contains("nothing would change"),
        "{error}"
    );
    let restricted = [
        "update",
        &unique_id,
        "--comments",
        "checked",
        "--restricted",
    ];
    site.ok(&restricted);
    site.ok(&["update", &unique_id, "--deprecate"]);
    let found = site.json(&["query", "--patient", "P-1"]);
    assert_eq!(found["documents"].as_array().unwrap().len(), 0);
    let (exit, _, error) = site.refused(&["update", "2.25.404", "--approve"]);
    assert!(exit == 1 && error.contains("no document"), "{error}");
    assert_eq!(site.recorded("ITI-57").len(), 4);
    assert_eq!(site.recorded("ITI-92").len(), 2);
}
