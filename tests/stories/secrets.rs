//! Secrets stay secret: they are planted wherever a node has some, and looked for wherever it says
//! something.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};

const DATABASE: &str = "Planted-database-7gQz";
const OBJECT_STORE: &str = "Planted-object-store-Hw3x";
const ARCHIVE: &str = "Planted-archive-9Kfr";
const TOKEN: &str = "Planted.bearer.token-Vv5t";
const ASSERTION: &str = "Planted-assertion-Lm2y";
const FAMILY: &str = "Plantedfamilyname";
/// A name that somebody asks for. RAD-129 records what is asked, so it stands in the audit trail, but
/// nowhere else.
const ASKED: &str = "Plantedaskedname";

/// What must be found nowhere: what was planted, and the keys.
struct Planted(Vec<(String, String)>);

impl Planted {
    fn of(town: &Town) -> Self {
        let mut planted: Vec<(String, String)> = [
            DATABASE,
            OBJECT_STORE,
            ARCHIVE,
            TOKEN,
            ASSERTION,
            FAMILY,
            ASKED,
        ]
        .map(|secret| (secret.to_owned(), secret.to_owned()))
        .into();
        for name in ["node", "client", "ca"] {
            let pem = town.node().join(format!("certs/{name}.key"));
            let pem = std::fs::read_to_string(pem).unwrap();
            // Its first line is the same in every key.
            for line in pem.lines().skip(2).filter(|line| !line.starts_with('-')) {
                planted.push((format!("the key of {name}"), line.to_owned()));
            }
        }
        for secret in [DATABASE, OBJECT_STORE, ARCHIVE, TOKEN, ASSERTION, FAMILY] {
            // In Base64 too, wherever in a longer text it stands.
            for at in 0..3 {
                let text = [&"   "[..at], secret].concat();
                let encoded = openssl::base64::encode_block(text.as_bytes());
                let inner = &encoded[4..encoded.len() - 4];
                planted.push((format!("{secret} in Base64"), inner.to_owned()));
            }
        }
        Self(planted)
    }

    /// The same without what is recorded because it was asked.
    fn but_what_was_asked(&self) -> Self {
        let others = self.0.iter().filter(|(name, _)| name != ASKED);
        Self(others.cloned().collect())
    }

    fn are_not_in(&self, what: &str, text: &str) {
        for (name, secret) in &self.0 {
            if let Some(at) = text.find(secret) {
                let around: String = text[..at].chars().rev().take(200).collect();
                let around: String = around.chars().rev().collect();
                panic!("{name} in {what}: …{around}[{secret}]");
            }
        }
    }
}

/// A node with secrets in its configuration and environment that says as much as it can.
fn town(extra: &[(&str, &str)]) -> Town {
    let always = [
        ("HILUM_LOG", "trace"),
        ("RUST_BACKTRACE", "1"),
        ("HILUM_REPOSITORY__STORE_KEY", "AKIAEXAMPLE"),
        ("HILUM_REPOSITORY__STORE_SECRET", OBJECT_STORE),
    ];
    let all = always.iter().chain(extra);
    let town = Town::set_up(Setup {
        uncounted: true,
        environment: all
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        ..Setup::default()
    });
    let secret = town.node().join("archive-password");
    std::fs::write(&secret, ARCHIVE).unwrap();
    let mut text = std::fs::read_to_string(town.config()).unwrap();
    // Nobody is there, so asking it fails again and again.
    text.push_str(&format!(
        "\n[[imaging.archive]]\nname = \"pacs\"\ndicomweb = \"http://127.0.0.1:9/dicom-web\"\n\
         user = \"hilum\"\npassword_file = {:?}\n",
        secret.to_str().unwrap()
    ));
    std::fs::write(town.config(), text).unwrap();
    town
}

/// Sends bytes to a door as the client, and takes what comes back.
fn exchange(town: &Town, door: u16, bytes: &[u8]) -> String {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    let file = |ending: &str| town.node().join(format!("certs/client.{ending}"));
    let pem = SslFiletype::PEM;
    builder.set_certificate_file(file("pem"), pem).unwrap();
    builder.set_private_key_file(file("key"), pem).unwrap();
    let stream = hilum_tests::raw::connect(town.port(door));
    let mut stream = builder.build().connect("localhost", stream).unwrap();
    // Who is refused early may not get everything out.
    let _ = stream.write_all(bytes);
    if door > 2 {
        // What is no HTTP need not have an end of its own.
        let _ = stream.shutdown();
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(town: &Town, door: u16, path: &str, kind: &str, body: &str) -> String {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(town, door, request.as_bytes())
}

/// Everything that goes wrong, with secrets and a patient's name in it.
fn misuse(town: &Town) -> Vec<String> {
    let soap = "application/soap+xml; charset=UTF-8";
    let name = format!("{FAMILY}^Jane");
    let assertion = format!(
        "<wsse:Security xmlns:wsse=\"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-\
         wssecurity-secext-1.0.xsd\"><saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:\
         assertion\" ID=\"_1\"><saml:Subject><saml:NameID>{ASSERTION}</saml:NameID></saml:Subject>\
         </saml:Assertion></wsse:Security>"
    );
    let query = words::find_documents(&words::patient("P-1"), "LeafClass");
    let action = "urn:ihe:iti:2007:RegistryStoredQuery";
    let with_assertion = words::envelope_with(action, &assertion, &query);
    let unknown = words::envelope("urn:nobody:knows", &format!("<a>{name}</a>"));
    let garbled = words::envelope(action, &format!("<query:AdhocQueryRequest>{name}"));
    let mut answers = vec![
        post(town, 1, "/registry", soap, &with_assertion),
        post(town, 1, "/registry", soap, &unknown),
        post(town, 1, "/registry", soap, &garbled),
        post(town, 1, "/nowhere", soap, &with_assertion),
        post(town, 1, "/registry", "text/plain", &name),
        post(town, 2, "/repository", soap, &garbled),
        post(town, 2, "/imaging", soap, &unknown),
        post(town, 2, "/dicom-web/studies", "multipart/related", &name),
        post(town, 2, "/dicom-web/studies", "application/dicom", &name),
        post(town, 2, "/recipient", soap, &garbled),
    ];
    for path in [
        format!("/dicom-web/studies?PatientName={ASKED}*"),
        format!("/dicom-web/studies?PatientName={ASKED}&limit=x"),
        format!("/dicom-web/{ASKED}"),
        format!("/wado?requestType=WADO&studyUID={ASKED}"),
        format!("/healthz?token={TOKEN}"),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Bearer {TOKEN}\r\nCookie: session={TOKEN}\r\n\r\n"
        );
        answers.push(exchange(town, 2, request.as_bytes()));
    }
    // HL7 v2: one that is taken, one of an unknown kind, one that is none, and no frame at all.
    let good = hilum_tests::feed::add("A04", "P-1").replace("Doe", FAMILY);
    for message in [
        good.clone(),
        good.replace("ADT^A04", "ADT^Z99"),
        good.replace("PID|1", "PID|x|y|z"),
        format!("{name}|{name}"),
    ] {
        answers.push(exchange(town, 5, format!("\x0b{message}\x1c\r").as_bytes()));
    }
    answers.push(exchange(town, 5, name.as_bytes()));
    answers.push(exchange(town, 10, name.as_bytes()));
    answers
}

/// A submission about a patient whose name it says.
fn submission() -> Submission {
    Submission::new("P-1", vec![Document::text(FAMILY)])
}

/// Everything in a folder, as text.
fn folder(path: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => text.push_str(&folder(&path)),
            false => text.push_str(&String::from_utf8_lossy(&std::fs::read(path).unwrap())),
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_said_holds_a_secret() {
    let mut town = town(&[]);
    town.start();
    let planted = Planted::of(&town);
    let answers = tokio::task::block_in_place(|| misuse(&town));
    for answer in &answers {
        planted.are_not_in("an answer", answer);
    }
    assert!(
        answers
            .iter()
            .filter(|it| it.starts_with("HTTP/1.1 "))
            .count()
            >= 12
    );
    let response = town.provide(&submission()).await.unwrap();
    assert_eq!(response.errors.len(), 0);
    // Who is not let in, too.
    let refused = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("localhost:{}", town.port(1)),
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    planted.are_not_in(
        "what openssl is told",
        &String::from_utf8_lossy(&refused.stdout),
    );
    let checked = town.run(&["check"]);
    planted.are_not_in("hilum check", &format!("{checked:?}"));
    let recorded = planted.but_what_was_asked();
    recorded.are_not_in("the trail", &town.messages().join("\n"));
    recorded.are_not_in("the spool", &folder(&town.node().join("data/audit")));
    town.stop();
    let log = town.log();
    // It did say what went wrong, down to the details.
    assert!(log.contains("DEBUG") && log.contains("INFO") && log.contains("WARN"));
    planted.are_not_in("the log", &log);
}

/// A database and an object store that cannot be reached are named without their passwords.
#[test]
fn what_cannot_be_reached_is_named_without_its_password() {
    let database = format!("postgres://hilum:{DATABASE}@127.0.0.1:9/registry");
    let town = town(&[]);
    let planted = Planted::of(&town);
    let say = |command: &str, variables: &[(&str, &str)]| {
        let mut hilum = hilum_tests::town::hilum();
        hilum.arg(command).arg("--config").arg(town.config());
        hilum.env("HILUM_LOG", "trace").env("RUST_BACKTRACE", "1");
        hilum.env("HILUM_REPOSITORY__STORE_SECRET", OBJECT_STORE);
        hilum.env("HILUM_REPOSITORY__STORE_KEY", "AKIAEXAMPLE");
        hilum.envs(variables.iter().copied());
        let output = hilum.output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        planted.are_not_in(command, &said);
        said
    };
    let unreachable = [("HILUM_REGISTRY__DATABASE", database.as_str())];
    assert!(say("check", &unreachable).contains("PostgreSQL"));
    say("serve", &unreachable);
    // Nor is the wrong part of a configuration shown if it is a secret.
    let wrong = format!("mysql://hilum:{DATABASE}@host/registry");
    say("serve", &[("HILUM_REGISTRY__DATABASE", &wrong)]);
    say("check", &[("HILUM_REGISTRY__DATABASE", &wrong)]);
    let store = (
        "HILUM_REPOSITORY__STORE",
        "s3://documents/a?endpoint=http://127.0.0.1:9",
    );
    say("check", &[store]);
}

/// A process that dies leaves nothing of its memory behind.
#[test]
fn there_are_no_core_dumps() {
    let folder = tempfile::tempdir().unwrap();
    let mut node = Town::set_up(Setup::default());
    let config = node.config();
    let mut command = hilum_tests::town::hilum();
    // A shell that allows core dumps of any size.
    let program = command.get_program().to_owned();
    command = Command::new("sh");
    command
        .arg("-c")
        .arg("ulimit -c unlimited 2>/dev/null; exec \"$0\" \"$@\"");
    command.arg(program).args(["serve", "--config"]).arg(config);
    command.current_dir(folder.path());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let mut line = [0; 10];
    process
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut line)
        .unwrap();
    assert_eq!(&line, b"listening ");
    let limits = format!("/proc/{}/limits", process.id());
    let limits = std::fs::read_to_string(limits).unwrap();
    let core = limits
        .lines()
        .find(|it| it.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(
        core.split_whitespace().filter(|it| *it == "0").count(),
        2,
        "{core}"
    );
    let killed = Command::new("kill")
        .args(["-ABRT", &process.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let status = process.wait().unwrap();
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    node.stop();
}
