//! `hilum access`.

use serde_json::Value;

use crate::site::Site;

const RULES: &str = r#"
[[rule]]
name = "own documents"
who.role = "patient"
what.patient = "own"
level = "full"

[[rule]]
name = "emergency"
who.role = "physician"
break_glass = true
level = "full"

[[rule]]
name = "treatment"
who.role = "physician"
who.purpose = "TREAT"
what.confidentiality = ["N", "L"]
consent = "opt-out"
level = "full"

[[rule]]
name = "viewers"
who.node = "CN=viewer.example"
level = "metadata"
"#;

const DENIED: &str = r#"{
  "resourceType": "Consent", "id": "no", "status": "active",
  "patient": {"identifier": {"system": "urn:oid:1.3.6.1.4.1.21367.13.20.1000", "value": "P-1"}},
  "provision": {"type": "deny"}
}"#;

/// A node with rules that its commands know of. It serves without them.
fn site() -> Site {
    let site = Site::with(&[
        "--plain",
        "--accept-unknown-patients",
        "--patient-authority",
        "1.3.6.1.4.1.21367.13.20.1000",
    ]);
    std::fs::write(site.dir().join("access.toml"), RULES).unwrap();
    let config = site.dir().join("hilum.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replace("[access]\n", "[access]\nrules = \"access.toml\"\n");
    std::fs::write(&config, text).unwrap();
    site
}

#[test]
fn rules_are_looked_over() {
    let site = site();
    let said = site.ok(&["access", "check", "access.toml", "--config", "hilum.toml"]);
    let treatment = "  3. treatment: who has role physician and purpose TREAT gets full of documents \
                     with confidentiality only N or L, unless the patient denies it";
    assert!(said.contains(treatment), "{said}");
    assert!(!said.contains("not checked"), "{said}");
    let alone = site.ok(&["access", "check", "access.toml"]);
    assert!(
        alone.contains("Codes and collections were not checked"),
        "{alone}"
    );
    let json = site.json(&["access", "check", "access.toml"]);
    assert_eq!(json["rules"].as_array().unwrap().len(), 4);
    let checked = site.run(&["check"]);
    let checked = String::from_utf8(checked.stdout).unwrap();
    assert!(checked.contains("access.toml: 4 rules"), "{checked}");

    // Whoever is behind a rule for everybody cannot hand in, which is said wherever rules are looked at.
    let closed = format!(
        "[[rule]]\nname = \"closed\"\npermission = [\"provide\", \"register\"]\nlevel = \"nothing\"\n{RULES}"
    );
    let file = site.file("closed.toml", closed);
    let output = site.run(&["access", "check", &file, "--config", "hilum.toml"]);
    let (said, warned) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(
        said.contains("To provide: nobody but the infrastructure"),
        "{said}"
    );
    let warning = "no rule of [access] lets anybody hand in";
    assert!(warned.contains(warning), "{warned}");
    std::fs::copy(&file, site.dir().join("access.toml")).unwrap();
    let checked = String::from_utf8(site.run(&["check"]).stdout).unwrap();
    let is_told = |line: &str| line.starts_with("WARN  access") && line.contains(warning);
    assert!(checked.lines().any(is_told), "{checked}");

    let wrong = RULES.replace("[\"N\", \"L\"]", "[\"N\", \"X\"]");
    let file = site.file("wrong.toml", wrong);
    let (exit, _, error) = site.refused(&["access", "check", &file, "--config", "hilum.toml"]);
    assert!(
        exit == 2 && error.contains("line 18: rule.what.confidentiality"),
        "{exit} {error}"
    );
    assert!(
        error.contains("\"X\": it is unknown; did you mean"),
        "{error}"
    );
    std::fs::copy(&file, site.dir().join("access.toml")).unwrap();
    let (exit, _, error) = site.refused(&["access", "explain"]);
    assert!(
        exit == 2 && error.contains("access.toml: line 18"),
        "{exit} {error}"
    );
    let (_, checked, _) = site.refused(&["check"]);
    assert!(checked.contains("MEND  access"), "{checked}");
    assert!(checked.contains("line 18"), "{checked}");
}

#[test]
fn decisions_are_explained() {
    let site = site();
    let explain = |arguments: &[&str]| -> Value {
        let mut all = vec!["access", "explain"];
        all.extend(arguments);
        site.json(&all)
    };
    let denied = site.file("denied.json", DENIED);
    let welby = ["--user", "welby", "--role", "physician", "--purpose"];
    let document = [
        "--confidentiality",
        "N^^2.16.840.1.113883.5.25",
        "--consent",
    ];
    let treat = |consent: &str| explain(&[&welby[..], &["TREAT"], &document, &[consent]].concat());
    let other = site.file("other.json", DENIED.replace("P-1", "P-2"));
    let given = treat(&other);
    assert_eq!(given["level"], "full");
    assert_eq!(given["rule"], "treatment");
    let considered = given["considered"].as_array().unwrap();
    let because = |at: usize| considered[at]["because"].as_str().unwrap();
    assert_eq!(considered.len(), 3);
    assert_eq!(because(0), "who.role does not match");
    assert_eq!(because(1), "nobody breaks the glass, or says why");
    assert_eq!(
        (considered[2]["line"].as_u64(), because(2)),
        (Some(14), "decides: full")
    );

    // The consent is that of the patient.
    let of_patient = [
        &welby[..],
        &["TREAT", "--patient", "P-1"],
        &document,
        &[&denied],
    ]
    .concat();
    let refused = explain(&of_patient);
    assert_eq!(refused["consent"]["wish"], "deny");
    assert_eq!(refused["considered"][2]["because"], "a consent denies it");
    assert_eq!(
        (&refused["level"], &refused["rule"]),
        (&"nothing".into(), &"no rule".into())
    );

    let broken = explain(
        &[
            &welby[..],
            &["BTG", "--reason", "unconscious"],
            &document,
            &[&denied],
        ]
        .concat(),
    );
    assert_eq!(broken["rule"], "emergency");
    assert_eq!(broken["glassBroken"], true);
    let without = explain(&[&welby[..], &["BTG"], &document, &[&denied]].concat());
    assert_eq!(without["level"], "nothing");
}

#[test]
fn decisions_about_what_is_registered_are_explained() {
    let site = site();
    let explain = |arguments: &[&str]| -> Value {
        let mut all = vec!["access", "explain"];
        all.extend(arguments);
        site.json(&all)
    };
    let other = site.file("other.json", DENIED.replace("P-1", "P-2"));
    let (unique_id, _) = site.submit("1.txt", "one", &["--title", "First"]);
    let named = [
        "--document",
        &unique_id,
        "--consent",
        &other,
        "--user",
        "P-1",
        "--role",
        "patient",
    ];
    let own = explain(&[&named[..], &["--about-patient", "P-1"]].concat());
    assert_eq!(own["rule"], "own documents");
    let foreign = explain(&[&named[..], &["--about-patient", "P-2"]].concat());
    assert_eq!(foreign["level"], "nothing");
    let viewer = [
        "--node",
        "CN=viewer.example, O=Clinic",
        "--document",
        &unique_id,
        "--consent",
        &other,
    ];
    assert_eq!(explain(&viewer)["level"], "metadata");

    let words = site.ok(&[&["access", "explain"][..], &viewer].concat());
    assert!(
        words.starts_with("level  metadata\nrule   viewers\n"),
        "{words}"
    );
    assert!(words.contains("BECAUSE"), "{words}");
    let (exit, _, error) = site.refused(&["access", "explain", "--role", "physician"]);
    assert!(exit == 2 && error.contains("--user"), "{exit} {error}");
    let (exit, _, error) = site.refused(&["access", "explain", "--document", "2.999.404"]);
    assert!(
        exit == 1 && error.contains("has no document"),
        "{exit} {error}"
    );
}
