//! What programs see from the exit status of every command: 0 done, 1 refused, 2 wrong usage or
//! configuration, 3 could not connect.

use std::path::Path;
use std::process::Output;

use hilum_tests::words::Submission;
use hilum_tests::{Setup, Town};

/// Commands that ask somebody. `$` is a folder with a text, a DICOM file, a message and a list.
const ASKING: &[&[&str]] = &[
    &["submit", "$/note.txt", "--patient", "P-1"],
    &["query", "--patient", "P-1"],
    &["query", "documents", "--unique-id", "2.25.1"],
    &["query", "all", "--patient", "P-1"],
    &[
        "query",
        "--patient",
        "P-1",
        "--communities",
        "--as-they-come",
    ],
    &["retrieve", "2.25.1", "--out", "$/got"],
    &[
        "retrieve",
        "2.25.1",
        "--repository",
        "1.2.3",
        "--out",
        "$/got",
    ],
    &[
        "retrieve",
        "--study",
        "1.2.3",
        "--patient",
        "P-1",
        "--out",
        "$/got",
    ],
    &["update", "2.25.1", "--deprecate"],
    &["remove", "2.25.1"],
    &["remove", "2.25.1", "--metadata-only"],
    &["export", "--patient", "P-1", "--out", "$/medium"],
    &["summary", "--patient", "P-1"],
    &["subscribe", "--patient", "P-1", "--pull"],
    &[
        "unsubscribe",
        "https://localhost:9/registry/subscriptions/1",
    ],
    &["subscriptions", "list"],
    &[
        "subscriptions",
        "pull",
        "https://localhost:9/registry/pull-points/1",
    ],
    &[
        "subscriptions",
        "discard",
        "https://localhost:9/registry/pull-points/1",
    ],
    &["consent", "list", "--patient", "P-1"],
    &["consent", "record", "--patient", "P-1", "--deny"],
    &["feed", "add", "P-1"],
    &["feed", "add", "P-1", "--hl7v3"],
    &["feed", "merge", "P-1", "P-2"],
    &["feed", "send", "$/message.hl7"],
    &["import", "$/dicom"],
    &["audit", "search", "--patient", "P-1"],
    &["audit", "head"],
    &["dicom", "echo", "NOBODY@127.0.0.1:9"],
    &["dicom", "send", "NOBODY@127.0.0.1:9", "$/dicom"],
    &["audit", "send", "--once"],
];

/// Those that do not.
const OTHERS: &[&[&str]] = &[
    &["serve"],
    &["check"],
    &["convert", "--study", "1.2.3", "--out", "$/volumes"],
    &["quarantine", "list"],
    &["reject", "--study", "1.2.3", "--reason", "quality"],
    &["inbox", "list"],
    &["audit", "list"],
    &["audit", "status"],
    &["keys", "list"],
];

/// Arguments that name a file that is not there.
const MISSING: &[&[&str]] = &[
    &["submit", "$/nothing.txt", "--patient", "P-1"],
    &["submit", "--xml", "$/nothing.xml"],
    &["import", "$/nothing"],
    &["feed", "send", "$/nothing"],
    &["media", "check", "$/nothing"],
    &["media", "import", "$/nothing"],
    &["dicom", "send", "NOBODY@127.0.0.1:9", "$/nothing"],
    &["query", "--patient", "P-1", "--assertion", "$/nothing"],
    &["audit", "verify", "--head", "$/nothing"],
    &["audit", "verify", "--key", "$/nothing"],
];

fn town() -> Town {
    let town = Town::set_up(Setup {
        uncounted: true,
        audit_repository: true,
        ..Setup::default()
    });
    let folder = town.folder();
    std::fs::write(folder.join("note.txt"), "a note").unwrap();
    std::fs::write(
        folder.join("message.hl7"),
        hilum_tests::feed::add("A04", "P-1"),
    )
    .unwrap();
    let now = std::time::SystemTime::now();
    let detail = hilum_dicom::phantoms::Detail::Small;
    hilum_dicom::phantoms::write(&folder.join("dicom"), "exits", now, detail).unwrap();
    town
}

fn run(town: &Town, arguments: &[&str], variable: Option<(&str, &str)>) -> Output {
    let folder = town.folder().to_str().unwrap();
    let arguments = arguments.iter().map(|it| it.replace('$', folder));
    let mut command = hilum_tests::town::hilum();
    command
        .args(arguments)
        .current_dir(town.node())
        .envs(variable);
    command.output().unwrap()
}

fn all_end_with(town: &Town, commands: &[&[&str]], status: i32, variable: Option<(&str, &str)>) {
    let mut wrong = Vec::new();
    for arguments in commands {
        let output = run(town, arguments, variable);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() != Some(status) || said.is_empty() || said.contains("panicked") {
            wrong.push(format!("{arguments:?}: {:?} {said}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "not {status}:\n{}", wrong.join("\n"));
}

#[test]
fn nobody_is_there() {
    let town = town();
    let text = std::fs::read_to_string(town.config()).unwrap();
    let send = "[[audit.send]]\nto = \"syslog+tcp://127.0.0.1:9\"\n";
    std::fs::write(town.config(), format!("{text}\n{send}")).unwrap();
    all_end_with(&town, ASKING, 3, None);
    let database = (
        "HILUM_REGISTRY__DATABASE",
        "postgres://hilum@127.0.0.1:9/registry",
    );
    all_end_with(&town, &[&["serve"]], 3, Some(database));
    let store = [
        (
            "HILUM_REPOSITORY__STORE",
            "s3://bucket/a?endpoint=http://127.0.0.1:9",
        ),
        ("HILUM_REPOSITORY__STORE_KEY", "key"),
        ("HILUM_REPOSITORY__STORE_SECRET", "secret"),
    ];
    let mut serve = hilum_tests::town::hilum();
    serve.arg("serve").current_dir(town.node()).envs(store);
    assert_eq!(serve.output().unwrap().status.code(), Some(3));
}

#[test]
fn what_is_configured_or_used_wrongly() {
    let town = town();
    let commands: Vec<&[&str]> = [ASKING, OTHERS].concat();
    for (name, value) in [
        (
            "HILUM_REGISTRY__DATABASE",
            "mysql://hilum@127.0.0.1/registry",
        ),
        ("HILUM_LIMITS__CONNECTIONS", "many"),
        ("HILUM_TLS__TRSUT", "certs/ca.pem"),
    ] {
        all_end_with(&town, &commands, 2, Some((name, value)));
    }
    all_end_with(&town, MISSING, 2, None);
    let mut without = vec!["--config", "$/nothing.toml"];
    for arguments in &commands {
        without.splice(..without.len() - 2, arguments.iter().copied());
        all_end_with(&town, &[&without], 2, None);
    }
    // Certificates that cannot be used are seen before anybody is asked.
    let asking = &ASKING[..ASKING.len() - 1];
    let key = ("HILUM_TLS__KEY", "certs/client.key");
    all_end_with(&town, asking, 2, Some(key));
    all_end_with(&town, &[&["serve"]], 2, Some(key));
    let trust = ("HILUM_TLS__TRUST", "certs/nothing.pem");
    all_end_with(&town, asking, 2, Some(trust));
    all_end_with(&town, &[&["serve"]], 2, Some(trust));
    for (name, value) in [
        ("HILUM_AFFINITY_DOMAIN__CODES", "nothing.xml"),
        ("HILUM_ACCESS__RULES", "nothing.toml"),
        ("HILUM_AUDIT__SIGNING_KEY", "nothing.key"),
        ("HILUM_AT_REST__KEYS", "nothing"),
    ] {
        all_end_with(&town, &[&["serve"]], 2, Some((name, value)));
    }
}

/// A store that is encrypted is not opened without its keys.
#[test]
fn keys_are_missing() {
    let town = town();
    let keys = |name: &'static str| ("HILUM_AT_REST__KEYS", name);
    let made = run(&town, &["keys", "new"], Some(keys("keys")));
    assert!(made.status.success(), "{made:?}");
    let mut begun = town;
    begun_with_keys(&mut begun);
    all_end_with(&begun, &[&["serve"]], 2, None);
    let other = run(&begun, &["keys", "new"], Some(keys("other")));
    assert!(other.status.success(), "{other:?}");
    all_end_with(&begun, &[&["serve"]], 2, Some(keys("other")));
}

fn begun_with_keys(town: &mut Town) {
    let config = town.config();
    let written = std::fs::read_to_string(&config).unwrap();
    let with_keys = written.replace("[at_rest]\n", "[at_rest]\nkeys = \"keys\"\n");
    assert_ne!(with_keys, written);
    std::fs::write(&config, with_keys).unwrap();
    town.start();
    town.stop();
    assert!(Path::new(&town.node().join("data/documents/at-rest")).exists());
    std::fs::write(&config, written).unwrap();
}

/// Who is there and says no.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused() {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        refuse_unknown_patients: true,
        ..Setup::default()
    });
    town.start();
    std::fs::write(town.folder().join("note.txt"), "a note").unwrap();
    let refused = town
        .provide(&Submission::new("P-1", Vec::new()))
        .await
        .unwrap();
    assert_ne!(refused.errors.len(), 0);
    tokio::task::block_in_place(|| {
        let nobody = format!("NOBODY@127.0.0.1:{}", town.port(10));
        let commands: &[&[&str]] = &[
            &["submit", "$/note.txt", "--patient", "Nobody"],
            &[
                "retrieve",
                "2.25.1",
                "--repository",
                hilum_tests::words::REPOSITORY,
                "--out",
                "$/got",
            ],
            &["update", "2.25.1", "--deprecate"],
            &["dicom", "echo", "--tls", &nobody],
            &["summary", "--patient", "Nobody"],
        ];
        all_end_with(&town, commands, 1, None);
    });
}
