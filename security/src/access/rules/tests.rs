use proptest::prelude::*;
use xds_schemas::affinity_codes::AffinityCodes;

use super::*;
use crate::access::who::NodeWord;

fn known() -> Vocabulary {
    let codes = r#"<Codes>
        <CodeType name="confidentialityCode" classScheme="">
          <Code code="N" display="Normal" codingScheme="2.16.840.1.113883.5.25"/>
          <Code code="R" display="Restricted" codingScheme="2.16.840.1.113883.5.25"/>
        </CodeType>
        <CodeType name="classCode" classScheme="">
          <Code code="REPORTS" display="Reports" codingScheme="1.3.6"/>
        </CodeType>
      </Codes>"#;
    Vocabulary {
        codes: Some(AffinityCodes::parse(codes).unwrap()),
        collections: Some(vec!["lung-screening".to_owned()]),
    }
}

const EVERYTHING: &str = r#"
[known]
purpose = ["AUDIT"]
role = ["physician", "nurse^^1.9"]

[break_glass]
purpose = ["BTG", "ERTREAT^^2.16.840.1.113883.5.8"]
reason = "optional"

[project.lung]
from = 2026-01-01
until = 2026-12-31
member = [{ user = "https://idp.example|curie" }, { organisation = "urn:oid:1.1", role = "physician" }]

[policies."1.2.3.4"]
name = "Research"
wish = "permit"
otherwise = "deny"
purpose = "HRESCH"
confidentiality = ["N"]
organisation = ["1.1"]
actor = ["curie"]
role = ["physician"]
class = ["REPORTS"]

[[rule]]
name = "All of it"
who.node = ["CN=viewer", "AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA:AA"]
who.user = "curie"
who.issuer = "https://idp.example"
who.role = ["physician", "nurse^^1.9"]
who.purpose = ["TREAT", "AUDIT", "X^^1.2.3"]
who.organisation = "Example Clinic"
who.community = "urn:oid:1.2"
who.scope = "ITI-43"
who.client = "viewer"
who.vouched = ["assertion", "token"]
who.project = "lung"
what.confidentiality = "N"
what.any_confidentiality = ["R^^2.16.840.1.113883.5.25"]
what.class = "REPORTS^^1.3.6"
what.type = "anything, since types are not restricted"
what.format = "urn:ihe:rad:1.2"
what.practice_setting = "x"
what.facility = "x"
what.institution = "Example Clinic"
what.collection = "lung-screening"
what.community = "1.2"
what.document = "1.2.3"
what.patient = "own"
permission = ["query", "retrieve"]
consent = "opt-in"
from = 2026-11-27T08:00:00+01:00
until = 2026-11-27T18:00:00
break_glass = true
level = "deidentified"
"#;

#[test]
fn every_key_is_read() {
    let policy = Policy::parse(EVERYTHING, &known()).unwrap();
    let [rule] = policy.rules.as_slice() else {
        panic!("{policy:?}");
    };
    assert_eq!(rule.who.len(), 11);
    assert_eq!(rule.what.len(), 12);
    assert_eq!(rule.level, Level::Deidentified);
    assert!(policy.heeds_consents() && policy.heeds_collections());
    let fingerprint = "aa".repeat(32);
    assert_eq!(
        rule.who[0],
        Who::Node(vec![
            NodeWord::Certificate("CN=viewer".to_owned()),
            NodeWord::Certificate(fingerprint),
        ])
    );
    let from = super::super::moment::fhir("2026-11-27T07:00:00Z")
        .unwrap()
        .0;
    let until = super::super::moment::fhir("2026-11-27T18:00:01Z")
        .unwrap()
        .0;
    assert_eq!(
        rule.period,
        Period {
            from: Some(from),
            until: Some(until)
        }
    );
    let words = &policy.in_words()[0];
    for part in [
        "All of it: who has node CN=viewer",
        "project lung",
        "confidentiality only N",
        "to query or retrieve",
        "if the patient consents",
        "by breaking the glass",
        "before 2026-11-27T18:00:01Z",
    ] {
        assert!(words.contains(part), "{part}: {words}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn what_is_wrong_is_refused_with_its_line_and_the_nearest_word() {
    let rule = |more: &str| format!("\n[[rule]]\nname = \"a\"\nlevel = \"full\"\n{more}\n");
    let cases: Vec<(String, usize, &str)> = vec![
        (
            rule("whom.role = \"x\""),
            5,
            "unknown key rule.whom; did you mean who?",
        ),
        (rule("who.rôle = \"x\""), 5, "invalid"),
        (
            rule("who.rolle = \"x\""),
            5,
            "unknown key rule.who.rolle; did you mean role?",
        ),
        (
            rule("what.confidentialty = \"N\""),
            5,
            "did you mean confidentiality?",
        ),
        (
            rule("what.confidentiality = [\n\"N\",\n\"RR\"]"),
            7,
            "\"RR\": it is unknown; did you mean R?",
        ),
        (rule("what.class = \"REPORT\""), 5, "did you mean REPORTS?"),
        (
            rule("what.class = \"REPORTS^^1.3.7\""),
            5,
            "did you mean REPORTS^^1.3.6?",
        ),
        (
            rule("what.collection = \"lung\""),
            5,
            "did you mean lung-screening?",
        ),
        (rule("who.purpose = \"TREET\""), 5, "did you mean TREAT?"),
        (rule("who.project = \"lung\""), 5, "it is unknown"),
        (
            rule("permission = \"retrive\""),
            5,
            "did you mean retrieve?",
        ),
        (
            rule("permission = [\"provide\", \"announce\"]\nwhat.class = \"REPORTS\""),
            5,
            "\"announce\" is not about documents",
        ),
        (
            rule("consent = \"opt-in\"\npermission = \"patients\""),
            6,
            "\"patients\" is not about documents",
        ),
        (
            rule("permission = \"audit\"\nwhat.patient = \"own\""),
            5,
            "\"audit\" is not about documents",
        ),
        (
            rule("permission = \"administer\"\nwhat.class = \"REPORTS\""),
            5,
            "\"administer\" is not about documents",
        ),
        (rule("who.purpose = \"treat\""), 5, "did you mean TREAT?"),
        (rule("consent = \"opted-in\""), 5, "did you mean opt-in?"),
        (rule("consent = true"), 5, "rule.consent: it is a text"),
        (rule("break_glass = \"yes\""), 5, "true or false"),
        (rule("who.role = []"), 5, "not empty"),
        (rule("who.role = [\"\"]"), 5, "none of them empty"),
        (rule("who = \"x\""), 5, "it is a table"),
        (rule("from = \"2026-01-01\""), 5, "without quotation marks"),
        (rule("from = 12:00:00"), 5, "a date or a time"),
        (
            rule("from = 2026-01-02\nuntil = 2026-01-01"),
            6,
            "before from",
        ),
        (
            "[[rule]]\nlevel = \"full\"".to_owned(),
            1,
            "name is missing",
        ),
        ("[[rule]]\nname = \"a\"".to_owned(), 1, "level is missing"),
        (
            "[[rule]]\nname = \"a\"\nlevel = \"ful\"".to_owned(),
            3,
            "did you mean full?",
        ),
        (rule("") + &rule(""), 8, "another rule is called so"),
        (
            "[[rule]]\nname = \"no rule\"\nlevel = \"full\"".to_owned(),
            2,
            "called so",
        ),
        ("[rule]\nname = \"a\"".to_owned(), 1, "[[rule]]"),
        ("[[rules]]".to_owned(), 1, "did you mean rule?"),
        ("x".to_owned(), 1, ""),
        (
            "[policies.\"x\"]\nwish = \"permit\"".to_owned(),
            1,
            "it is no OID",
        ),
        ("[policies.\"1.2.3\"]".to_owned(), 1, "wish is missing"),
        (
            "[project.a]\nmember = [{}]".to_owned(),
            2,
            "it names nobody",
        ),
        ("[break_glass]\nreason = \"maybe\"".to_owned(), 2, "unknown"),
        (
            "[known]\nrole = \"a\"\n[[rule]]\nname = \"x\"\nlevel = \"full\"\nwho.role = \"b\""
                .to_owned(),
            6,
            "did you mean a?",
        ),
    ];
    for (text, line, expected) in cases {
        let error = Policy::parse(&text, &known()).expect_err(&text);
        assert!(error.message.contains(expected), "{text}\n{error}");
        assert_eq!(error.line, line, "{text}\n{error}");
    }
    // Without a vocabulary, codes of documents are whatever they are.
    let anything = rule("what.confidentiality = \"RR\"\nwhat.collection = \"x\"");
    Policy::parse(&anything, &Vocabulary::default()).unwrap();
}

#[test]
fn long_files_are_refused() {
    let long = "#".repeat(2 * 1024 * 1024);
    assert!(
        Policy::parse(&long, &known())
            .unwrap_err()
            .message
            .contains("longer")
    );
    let many = "[[rule]]\n".repeat(1001);
    assert!(
        Policy::parse(&many, &known())
            .unwrap_err()
            .message
            .contains("more than")
    );
    assert_eq!(Policy::parse("", &known()).unwrap().rules.len(), 0);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,300}") {
        let _ = Policy::parse(&text, &known());
    }

    #[test]
    fn mutilated_files_are_read_or_refused_at_a_line_that_is_there(
        at in any::<prop::sample::Index>(), cut in 0..40_usize, with in "\\PC{0,3}",
    ) {
        let at = at.index(EVERYTHING.len());
        let end = (at + cut).min(EVERYTHING.len());
        let text = format!("{}{with}{}", &EVERYTHING[..at], &EVERYTHING[end..]);
        if let Err(error) = Policy::parse(&text, &known()) {
            prop_assert!((1..=text.lines().count() + 1).contains(&error.line), "{}", error);
            prop_assert!(!error.message.is_empty());
        }
    }

    /// A key of one character more or less is refused, never ignored.
    #[test]
    fn misspelt_keys_are_never_ignored(at in any::<prop::sample::Index>()) {
        let keys: Vec<usize> = EVERYTHING
            .match_indices(" = ")
            .map(|(at, _)| at)
            .filter(|at| !EVERYTHING[..*at].ends_with('"'))
            .collect();
        let at = keys[at.index(keys.len())];
        let text = format!("{}z{}", &EVERYTHING[..at], &EVERYTHING[at..]);
        prop_assert!(Policy::parse(&text, &known()).is_err(), "{}", text);
    }
}
