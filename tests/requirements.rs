//! The table of requirements in `README.md` is true: every row has a test, which is there, is run,
//! and cites the section that it proves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What is written in one row.
#[derive(Debug)]
struct Row<'r> {
    id: &'r str,
    requirement: &'r str,
    section: &'r str,
    /// `path::name`.
    test: &'r str,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rows(readme: &str) -> Vec<Row<'_>> {
    let table = readme.split("|---|---|---|---|\n").nth(1).unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [id, requirement, section, test] = cells[..] else {
            panic!("not four cells: {line}");
        };
        Row {
            id,
            requirement,
            section,
            test: test.trim_matches('`'),
        }
    })
    .collect()
}

/// What is wrong with a row, if anything is.
fn problem(row: &Row<'_>) -> Result<(), String> {
    let filled = [row.id, row.requirement, row.section, row.test];
    if filled.iter().any(|cell| cell.is_empty()) {
        return Err("a cell is empty".to_owned());
    }
    let (path, name) = row
        .test
        .split_once("::")
        .ok_or("the test is no path::name")?;
    let source = std::fs::read_to_string(root().join(path));
    let source = source.map_err(|error| format!("{path}: {error}"))?;
    let lines: Vec<&str> = source.lines().collect();
    let declared = format!("fn {name}(");
    let at = lines.iter().position(|line| line.contains(&declared));
    let at = at.ok_or_else(|| format!("there is no {declared} in {path}"))?;
    let block = above(&lines, at);
    if !is_run(&block, path, name) {
        return Err("nothing runs it".to_owned());
    }
    let (volume, number) = row.section.rsplit_once(' ').ok_or("no section")?;
    let cites = block
        .iter()
        .filter(|line| line.starts_with("///"))
        .any(|line| {
            line.split([' ', ',', ';', ':', '(', ')'])
                .any(|word| word.trim_end_matches('.') == number)
        });
    let volume = volume.to_lowercase();
    let names_volume = block
        .iter()
        .any(|line| line.to_lowercase().contains(&volume));
    match cites && names_volume {
        true => Ok(()),
        false => Err(format!("its comment does not cite {}", row.section)),
    }
}

/// The comments and attributes of the function that is declared in this line.
fn above<'l>(lines: &[&'l str], at: usize) -> Vec<&'l str> {
    let before = lines[..at].iter().rev().map(|line| line.trim());
    let belongs =
        |line: &&str| line.starts_with("///") || line.starts_with("#[") || line.ends_with(")]");
    before.take_while(belongs).collect()
}

/// Whether it is a test, or one of the cases that the registry runs on each database.
fn is_run(block: &[&str], path: &str, name: &str) -> bool {
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    if block.iter().any(is_test) {
        return true;
    }
    let file = Path::new(path);
    let module = file.file_stem().unwrap_or_default().to_string_lossy();
    let main = root().join(file.with_file_name("main.rs"));
    let cases = std::fs::read_to_string(main).unwrap_or_default();
    cases.contains(&format!("    {module}::{name},\n"))
}

#[test]
fn every_requirement_has_its_test() {
    let readme = std::fs::read_to_string(root().join("tests/README.md")).unwrap();
    let rows = rows(&readme);
    assert!(rows.len() > 100, "only {} rows were read", rows.len());
    let mut problems = Vec::new();
    let (mut ids, mut requirements) = (BTreeSet::new(), BTreeSet::new());
    for row in &rows {
        if !ids.insert(row.id) || !requirements.insert((row.requirement, row.section)) {
            problems.push(format!("{}: stands twice", row.id));
        }
        if let Err(problem) = problem(row) {
            problems.push(format!("{}: {problem}", row.id));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// The check itself finds what it is for.
#[test]
fn a_false_row_is_found() {
    let row = |section, test| Row {
        id: "X-1",
        requirement: "Something.",
        section,
        test,
    };
    let file = "tests/ihe/errors.rs::every_code_has_its_place";
    assert_eq!(problem(&row("ITI TF-3 4.2.4.1", file)), Ok(()));
    for (section, test) in [
        ("ITI TF-3 4.2.4", file),
        ("ITI TF-2 4.2.4.1", file),
        ("ITI TF-3 4.2.4.1", ""),
        ("ITI TF-3 4.2.4.1", "tests/ihe/errors.rs"),
        ("ITI TF-3 4.2.4.1", "tests/ihe/errors.rs::nothing"),
        (
            "ITI TF-3 4.2.4.1",
            "tests/ihe/nothing.rs::every_code_has_its_place",
        ),
        // It is there, but nothing runs it.
        ("ITI TF-3 4.2.4.2", "tests/ihe/errors.rs::refused"),
    ] {
        assert!(problem(&row(section, test)).is_err(), "{section} {test}");
    }
}
