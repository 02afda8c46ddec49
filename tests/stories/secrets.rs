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
    answers.push(exchange(town, 1, format!("{name}\r\n\r\n").as_bytes()));
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

/// Wherever in a configuration a secret was written wrongly, what is said of it does not repeat it, and
/// the exit status is that of a wrong configuration.
#[test]
#[expect(
    clippy::too_many_lines,
    reason = "most of it is a table of what can be written wrongly"
)]
fn what_is_configured_wrongly_is_not_repeated() {
    const SECRET: &str = "Planted-misplaced-4Tzs";
    let town = Town::set_up(Setup::default());
    let written = std::fs::read_to_string(town.config()).unwrap();
    let refused = |what: &str, text: &str, variable: Option<(&str, &str)>| {
        std::fs::write(town.config(), text).unwrap();
        for command in ["check", "serve"] {
            let mut hilum = hilum_tests::town::hilum();
            hilum.arg(command).arg("--config").arg(town.config());
            hilum.env("HILUM_LOG", "trace").env("RUST_BACKTRACE", "1");
            hilum.envs(variable);
            let output = hilum.output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert_eq!(output.status.code(), Some(2), "{what} {variable:?}: {said}");
            assert!(!said.contains("Planted"), "{what} {variable:?}: {said}");
            // It does say something, in one line that names the place.
            assert_eq!(said.trim().lines().count(), 1, "{what}: {said}");
            assert!(said.contains(what), "{what}: {said}");
        }
    };
    // URLs, in variables of the environment. $ is the secret.
    for (key, wrong) in [
        ("REGISTRY__DATABASE", "postgres:/hilum:$@db/registry"),
        ("REGISTRY__DATABASE", "postgres//hilum:$@db/registry"),
        ("REGISTRY__DATABASE", "postgre://hilum:$@db/registry"),
        ("REGISTRY__DATABASE", "sqlite://hilum:$@db/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum:a@$@db/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum:a/$@db/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum:a?$@db/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum:$/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum@db:$/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum:%$@db/registry"),
        ("REGISTRY__DATABASE", "postgres://hilum@db/registry?$"),
        ("REGISTRY__DATABASE", "host=db user=hilum password=$"),
        ("REPOSITORY__STORE", "s3://key:$@bucket/a"),
        ("REPOSITORY__STORE", "s3://bucket/a?secret=$"),
        ("REPOSITORY__STORE", "s3://bucket/a?region=$"),
        (
            "REPOSITORY__STORE",
            "s3://bucket/a?endpoint=https://key:$@s3.example",
        ),
        (
            "REPOSITORY__STORE",
            "s3://bucket/a?endpoint=https//key:$@s3.example",
        ),
        ("REPOSITORY__STORE", "s3//key:$@bucket/a"),
        ("REPOSITORY__STORE", "file://key:$@host/a"),
        ("IMAGING__STORE", "fiel:$"),
        ("RECIPIENT__STORE", "ftp://user:$@host/a"),
        ("REGISTRY__URL", "https://user:$@localhost/registry"),
        ("REPOSITORY__REGISTRY", "https://user:$@localhost/registry"),
        (
            "REPOSITORY__REGISTRY",
            "https://user:a/$@localhost/registry",
        ),
        ("REPOSITORY__REGISTRY", "https:/user:$@localhost/registry"),
        ("REPOSITORY__REGISTRY", "https://localhost/registry?token=$"),
        ("REPOSITORY__URL", "$"),
        ("IMAGING__URL", "https://localhost:$/imaging"),
        ("IMAGING__RETRIEVE_URL", "https://$@localhost/dicom-web"),
        ("RECIPIENT__URL", "https://localhost/recipient#$"),
        ("AUDIT__URL", "https://user:$@localhost"),
        ("FEED__URL", "mllp://user:$@localhost:2575"),
        ("GATEWAY__REGISTRY", "https://user:$@localhost/registry"),
        ("SUBSCRIPTIONS__NOTIFY", "https://user:$@localhost"),
        ("AUDIT__SEND", "syslog+tls://user:$@audit.example:6514"),
        ("AUDIT__SEND", "syslog+tls://audit.example:$"),
        ("AUDIT__SEND", "syslog+tsl://user:$@audit.example"),
        ("AUDIT__FORWARD", "syslog:/user:$@audit.example"),
        ("ASYNCHRONOUS__REPLY_TO", "https://user:$@localhost"),
        // What should be a number, an address, a word or a table.
        ("LIMITS__CONNECTIONS", "$"),
        ("REGISTRY__MAX_RESULTS", "$"),
        ("REGISTRY__LISTEN", "$"),
        ("AUDIT__LEGAL_HOLD", "$"),
        ("AUDIT__SYSLOG_UDP", "https://user:$@localhost"),
        ("XUA__ASSERTIONS", "$"),
        ("IUA__REPLAY", "a, expected $"),
        ("IUA__ISSUER", "https://user:$@as.example"),
        ("IMAGING__ARCHIVE", "https://user:$@pacs.example"),
        ("AT_REST__PLAIN", "$"),
        // What is a file of a secret.
        ("REGISTRY__DATABASE_FILE", "postgres://hilum:$@db/registry"),
        ("REPOSITORY__STORE_SECRET_FILE", "$"),
    ] {
        let name = format!("HILUM_{key}");
        let value = wrong.replace('$', SECRET);
        // The environment or the key is named, whichever comes first.
        let key = key.to_ascii_lowercase().replace("__", ".");
        let key = key.rsplit('.').next().unwrap().to_owned();
        let key = key.trim_end_matches("_file");
        let shouted = key.to_ascii_uppercase();
        let is_typed = ["LIMITS", "MAX_RESULTS", "LEGAL_HOLD", "_FILE"]
            .iter()
            .any(|it| name.contains(it));
        let said = match key {
            _ if is_typed => &*shouted,
            // Of keys in a section that is made of two, the section is named.
            "syslog_udp" => "audit",
            key => key,
        };
        refused(said, &written, Some((&name, &value)));
    }
    // The same in the file.
    let issuer = "[[iua.issuer]]\nname = \"as\"\n";
    // Who believes somebody names whom.
    let believing = written.replace("[iua]\n", "[iua]\ntokens = \"accepted\"\n");
    let in_section = |section: &str, line: &str| {
        let head = format!("[{section}]\n");
        believing.replace(&head, &format!("{head}{line}\n"))
    };
    for (what, more) in [
        (
            "keys",
            format!("{issuer}keys = \"https://user:{SECRET}@as.example/jwks\""),
        ),
        (
            "keys",
            format!("{issuer}keys = \"https:/user:{SECRET}@as.example/jwks\""),
        ),
        (
            "introspection",
            format!("{issuer}introspection = \"https://id:{SECRET}@as.example/introspect\""),
        ),
        (
            "introspection",
            format!("{issuer}introspection = \"https://as.example:{SECRET}/introspect\""),
        ),
        (
            "issuer",
            format!("{issuer}keys = 7\nsecret_file = \"{SECRET}\""),
        ),
        (
            "client_id",
            format!("{issuer}introspection = \"https://as.example/\"\nclient_id = \"{SECRET}\""),
        ),
        (
            "to",
            format!("[[audit.send]]\nto = \"syslog+tls://user:{SECRET}@audit.example\""),
        ),
        (
            "to",
            format!("[[audit.send]]\nto = \"https://audit.example/{SECRET}\""),
        ),
        ("send", format!("[[audit.send]]\nto = [\"{SECRET}\"]")),
        (
            "dicomweb",
            format!(
                "[[imaging.archive]]\nname = \"pacs\"\ndicomweb = \"https://u:{SECRET}@pacs.example/x\""
            ),
        ),
        (
            "dicomweb",
            format!(
                "[[imaging.archive]]\nname = \"pacs\"\ndicomweb = \"https//u:{SECRET}@pacs.example/x\""
            ),
        ),
        (
            "dimse",
            format!("[[imaging.archive]]\nname = \"pacs\"\ndimse = \"{SECRET}\""),
        ),
    ] {
        refused(what, &format!("{believing}\n{more}\n"), None);
    }
    for (what, section, line) in [
        ("xua", "xua", format!("issuer = \"{SECRET}\"")),
        ("xua", "xua", format!("issuer = [\"{SECRET}\"]")),
        (
            "TOML",
            "media",
            format!("contact = \"{SECRET}\" \"{SECRET}\""),
        ),
        ("TOML", "media", format!("contact = {SECRET}")),
        ("TOML", "media", format!("contact = \"{SECRET}")),
    ] {
        let text = in_section(section, &line);
        assert_ne!(text, believing, "{section}");
        refused(what, &text, None);
    }
    // What is a file of a secret, and is the secret itself. `hilum check` goes on with everything else.
    let asked = "introspection = \"https://as.example/\"\n";
    let archive = "[[imaging.archive]]\nname = \"pacs\"\ndicomweb = \"https://pacs.example/x\"\n";
    for more in [
        format!("{issuer}secret_file = \"{SECRET}\"\n"),
        format!("{issuer}{asked}token_file = \"{SECRET}\"\n"),
        format!("{issuer}{asked}client_id = \"hilum\"\nclient_secret_file = \"{SECRET}\"\n"),
        format!("{archive}user = \"hilum\"\npassword_file = \"{SECRET}\"\n"),
        format!("{archive}token_file = \"{SECRET}\"\n"),
    ] {
        let begin = match more.contains("iua") {
            true => &believing,
            false => &written,
        };
        std::fs::write(town.config(), format!("{begin}\n{more}")).unwrap();
        for (command, status) in [("check", 1), ("serve", 2)] {
            let mut hilum = hilum_tests::town::hilum();
            hilum.arg(command).arg("--config").arg(town.config());
            hilum.env("HILUM_LOG", "trace").env("RUST_BACKTRACE", "1");
            let output = hilum.output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert_eq!(output.status.code(), Some(status), "{more}: {said}");
            assert!(!said.contains("Planted"), "{more}: {said}");
        }
    }
}

/// What libpq and the server say of a database is told without what stands in its URL.
#[test]
fn what_the_database_says_is_told_without_its_url() {
    const SECRET: &str = "Planted_misplaced_4Tzs";
    let Some(server) = hilum_tests::postgres::Server::start() else {
        return;
    };
    let town = Town::set_up(Setup::default());
    let (begin, _) = server.url.rsplit_once('/').unwrap();
    let (_, host) = begin
        .rsplit_once('@')
        .unwrap_or(begin.split_once("://").unwrap());
    for (url, told) in [
        (format!("postgres://{SECRET}@{host}/postgres"), true),
        (
            format!("{begin}/postgres?sslmode=require&sslkey={SECRET}"),
            true,
        ),
        (format!("{begin}/postgres?options=-c%20{SECRET}%3D1"), true),
        (format!("{begin}/postgres?sslmode={SECRET}"), true),
        (format!("{begin}/postgres?client_encoding={SECRET}"), true),
        (
            format!("postgres://hilum:{SECRET}@127.0.0.1:9/registry"),
            true,
        ),
    ] {
        for command in ["check", "serve"] {
            let mut hilum = hilum_tests::town::hilum();
            hilum.arg(command).arg("--config").arg(town.config());
            hilum.env("HILUM_LOG", "trace").env("RUST_BACKTRACE", "1");
            hilum.env("HILUM_REGISTRY__DATABASE", &url);
            let output = hilum.output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(!output.status.success(), "{url}: {said}");
            assert!(!said.contains(SECRET), "{url}: {said}");
            assert_eq!(
                said.contains("PostgreSQL cannot be reached: "),
                told,
                "{url}: {said}"
            );
        }
    }
}

/// Keys that others on the machine can read are pointed out, by the node and by `hilum check`.
#[test]
fn keys_that_others_can_read_are_pointed_out() {
    use std::os::unix::fs::PermissionsExt;
    let mut town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let key = town.node().join("certs/node.key");
    let secret = town.node().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    let written = std::fs::read_to_string(town.config()).unwrap();
    let believing = written.replace("[iua]\n", "[iua]\ntokens = \"accepted\"\n");
    let issuer = "[[iua.issuer]]\nname = \"as\"\n";
    let text = format!("{believing}\n{issuer}secret_file = \"secret\"\n");
    std::fs::write(town.config(), text).unwrap();
    let lines = |town: &Town| {
        let checked = town.run(&["check"]);
        assert!(checked.status.success(), "{checked:?}");
        let said = String::from_utf8(checked.stdout).unwrap();
        said.lines().filter(|it| it.starts_with("WARN")).count()
    };
    let change = |file: &Path, mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file, mode).unwrap();
    };
    change(&key, 0o640);
    change(&secret, 0o600);
    assert_eq!(lines(&town), 0);
    change(&key, 0o644);
    change(&secret, 0o604);
    assert_eq!(lines(&town), 2);
    town.start();
    town.stop();
    let log = town.log();
    for what in ["tls.key: ", "iua.issuer \"as\": secret_file: "] {
        let line = log.lines().find(|line| line.contains(what)).unwrap();
        assert!(
            line.contains("WARN") && line.contains("chmod 600"),
            "{line}"
        );
    }
    // Who issues is told, too.
    let made = town.run(&["certs", "as", "--dir", "certs"]);
    assert!(made.status.success(), "{made:?}");
    change(&town.node().join("certs/as.key"), 0o644);
    let issued = town.run(&[
        "token",
        "--issuer",
        "as",
        "--issuer-key",
        "certs/as.key",
        "--user",
        "me",
        "--scope",
        "RAD-129",
    ]);
    assert!(issued.status.success(), "{issued:?}");
    let told = String::from_utf8(issued.stderr).unwrap();
    assert!(told.contains("--issuer-key: certs/as.key"), "{told}");
}
