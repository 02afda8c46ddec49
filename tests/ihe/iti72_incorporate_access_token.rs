//! ITI-72: who asks without SOAP brings a token, and is believed or refused; on record.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use hilum_security::iti72_incorporate_access_token::TokenIssuer;
use hilum_security::{Permission, User};
use hilum_tests::people::{AS, authorization_server, configure, idp, issue, issue_token, welby};
use hilum_tests::{Setup, Town};
use hilum_transport::{HttpAnswer, HttpRequest, Incoming, Limits, Replies, Reply, Rest};
use openssl::base64::encode_block;
use serde_json::{Value, json};

fn set_up(lines: &str) -> (Town, TokenIssuer) {
    let town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let server = authorization_server(&town);
    std::fs::write(town.node().join("as.jwks"), server.keys().unwrap()).unwrap();
    configure(&town, &[("iua", lines)]);
    (town, server)
}

fn believing(tokens: &str) -> (Town, TokenIssuer) {
    let lines =
        format!("tokens = \"{tokens}\"\nissuer = [{{ name = \"{AS}\", keys = \"as.jwks\" }}]");
    let (mut town, server) = set_up(&lines);
    town.start();
    (town, server)
}

/// Asks for studies with these headers.
async fn ask(town: &Town, query: &str, headers: &[(&str, String)]) -> HttpAnswer {
    let url = format!(
        "https://localhost:{}/dicom-web/studies{query}",
        town.port(2)
    );
    let request = HttpRequest {
        method: "GET",
        url: &url,
        headers,
        body: Bytes::new(),
    };
    town.client.exchange_http(request, 1 << 20).await.unwrap()
}

async fn ask_with(town: &Town, token: &str) -> HttpAnswer {
    ask(town, "", &[("authorization", format!("Bearer {token}"))]).await
}

fn refusals(town: &Town) -> Vec<String> {
    let is_refusal = |xml: &String| xml.contains("csd-code=\"110114\"");
    town.messages().into_iter().filter(is_refusal).collect()
}

fn challenge(answer: &HttpAnswer) -> &str {
    answer.header("www-authenticate").unwrap_or_default()
}

/// IUA 3.72.5.1: records name the user as alias<user@issuer>, where the alias is the audience.
#[tokio::test]
async fn who_asks_for_somebody_is_recorded_so() {
    let (town, server) = believing("required");
    let nobody = ask(&town, "", &[]).await;
    assert_eq!(
        (nobody.status, challenge(&nobody)),
        (401, "Bearer realm=\"hilum\"")
    );
    let basic = ask(&town, "", &[("authorization", "Basic eDp5".to_owned())]).await;
    assert_eq!(basic.status, 401);

    let token = server.issue(&welby(), &issue_token()).unwrap();
    let found = ask_with(&town, &token).await;
    assert!([200, 204].contains(&found.status), "{}", found.status);
    let messages = town.messages();
    let of_welby = messages.iter().find(|xml| xml.contains("marcus.welby"));
    let of_welby = of_welby.expect("a record of the query");
    for expected in [
        // 3.72.5.1: the alias is the audience.
        "UserName=\"urn:oid:2.999.2&lt;marcus.welby@https://as.example&gt;\"",
        "<PurposeOfUse csd-code=\"TREATMENT\"",
        "<RoleIDCode csd-code=\"46255001\"",
    ] {
        assert!(of_welby.contains(expected), "{expected}: {of_welby}");
    }
    assert_eq!(refusals(&town).len(), 2);

    // What the token is not for cannot be done with it.
    let narrow = User {
        scopes: vec!["RAD-107".to_owned()],
        ..welby()
    };
    let narrow = server.issue(&narrow, &issue_token()).unwrap();
    let refused = ask_with(&town, &narrow).await;
    assert_eq!(refused.status, 401);
    assert!(
        challenge(&refused).contains("insufficient_scope"),
        "{refused:?}"
    );
    // The operator is told, too: what was asked, and what the token is for.
    let log = town.log();
    let line = log.lines().find(|line| line.contains("insufficient_scope"));
    let line = line.expect("a line of the log");
    for expected in ["WARN", "scopes=\"RAD-107\"", "asked=\"GET /dicom-web\""] {
        assert!(line.contains(expected), "{expected}: {line}");
    }
    // Browsers ask first, without saying for whom.
    let url = format!("https://localhost:{}/dicom-web/studies", town.port(2));
    let request = HttpRequest {
        method: "OPTIONS",
        url: &url,
        headers: &[],
        body: Bytes::new(),
    };
    let asked = town.client.exchange_http(request, 1 << 20).await.unwrap();
    assert_eq!(asked.status, 204);
    let registry = format!("https://localhost:{}/registry?wsdl", town.port(1));
    let wsdl = town.client.fetch(&registry).await.unwrap();
    assert_eq!(wsdl.0, 200);
}

/// What is wrong in one way each, and why.
fn wrong(server: &TokenIssuer, good: &str) -> Vec<(String, &'static str)> {
    let parts: Vec<&str> = good.split('.').collect();
    let decoded = |part: &str| {
        let part = part.replace('-', "+").replace('_', "/");
        let padded = format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4));
        openssl::base64::decode_block(&padded).unwrap()
    };
    let encoded = |text: &[u8]| {
        let text = encode_block(text).replace('+', "-").replace('/', "_");
        text.replace(['=', '\n'], "")
    };
    let claims: Value = serde_json::from_slice(&decoded(parts[1])).unwrap();
    let signed = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims.clone();
        change(&mut claims);
        server.sign(&claims).unwrap()
    };
    let none = format!("{}.{}.", encoded(b"{\"alg\":\"none\"}"), parts[1]);
    let header = encoded(br#"{"alg":"HS256"}"#);
    let tampered = encoded(
        String::from_utf8(decoded(parts[1]))
            .unwrap()
            .replace("marcus", "admin")
            .as_bytes(),
    );
    let unknown = {
        let header = String::from_utf8(decoded(parts[0])).unwrap();
        let header = header.replace("\"kid\":\"", "\"kid\":\"x");
        format!("{}.{}.{}", encoded(header.as_bytes()), parts[1], parts[2])
    };
    vec![
        (
            signed(&|claims| {
                claims["nbf"] = json!(900);
                claims["exp"] = json!(1_000);
            }),
            "expired",
        ),
        (
            signed(&|claims| claims["aud"] = json!("urn:other")),
            "meant for others",
        ),
        (
            signed(&|claims| claims["iss"] = json!("https://evil.example")),
            "issuer is not trusted",
        ),
        (unknown, "names a key that"),
        (none, "algorithm is not accepted"),
        (
            format!("{header}.{}.{}", parts[1], parts[2]),
            "in another way",
        ),
        (
            format!("{}.{tampered}.{}", parts[0], parts[2]),
            "not signed with a key",
        ),
        ("x".repeat(17_000), "too long"),
        (
            "opaque".to_owned(),
            "nobody is known here who could explain",
        ),
    ]
}

/// IUA 3.72.4.3: the token stands in the Authorization header, and has not expired, and is for this node.
#[tokio::test]
async fn what_is_wrong_is_refused_and_told_to_the_operator_only() {
    let (town, server) = believing("accepted");
    let good = server.issue(&welby(), &issue_token()).unwrap();
    for (token, why) in wrong(&server, &good) {
        let before = refusals(&town).len();
        let answer = ask_with(&town, &token).await;
        assert_eq!(answer.status, 401, "{why}");
        assert!(
            challenge(&answer).ends_with("error=\"invalid_token\""),
            "{why}"
        );
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!told.contains(why), "{told}");
        let alerts = refusals(&town);
        assert_eq!(alerts.len(), before + 1, "{why}");
        assert!(alerts[before].contains(why), "{why}: {}", alerts[before]);
        assert!(town.log().contains(why), "{why}: {}", town.log());
    }
    // A token has one place, which is not the URL.
    let in_url = ask(&town, &format!("?access_token={good}"), &[]).await;
    assert_eq!(in_url.status, 400);
    assert!(challenge(&in_url).contains("invalid_request"));
    let found = ask_with(&town, &good).await;
    assert!([200, 204].contains(&found.status));
    let found = ask(&town, "", &[]).await;
    assert!([200, 204].contains(&found.status));
    let (_, signature) = good.rsplit_once('.').unwrap();
    assert!(!town.log().contains(signature));
    assert!(!town.messages().iter().any(|xml| xml.contains(signature)));
}

/// The certificates of nodes are needed as before.
#[tokio::test]
async fn a_token_is_no_certificate() {
    let (town, server) = believing("accepted");
    let token = server.issue(&welby(), &issue_token()).unwrap();
    let files = town.client_files().unwrap();
    let ca = std::fs::read(&files.trust[0]).unwrap();
    let mut connector =
        openssl::ssl::SslConnector::builder(openssl::ssl::SslMethod::tls()).unwrap();
    for certificate in openssl::x509::X509::stack_from_pem(&ca).unwrap() {
        connector.cert_store_mut().add_cert(certificate).unwrap();
    }
    let stream = std::net::TcpStream::connect(("127.0.0.1", town.port(2))).unwrap();
    let said = format!(
        "GET /dicom-web/studies HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    );
    let Ok(mut stream) = connector.build().connect("localhost", stream) else {
        return;
    };
    use std::io::{Read, Write};
    let _ = stream.write_all(said.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
}

/// An authorization server: it publishes keys, and explains tokens to whom it knows.
struct Server {
    address: SocketAddr,
    keys: Arc<Mutex<String>>,
    fetched: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            keys: Arc::default(),
            fetched: Arc::default(),
            asked: Arc::default(),
        };
        let (keys, fetched, asked) = (
            Arc::clone(&server.keys),
            Arc::clone(&server.fetched),
            Arc::clone(&server.asked),
        );
        let routes = move |incoming| {
            let keys = Arc::clone(&keys);
            let (fetched, asked) = (Arc::clone(&fetched), Arc::clone(&asked));
            async move {
                match incoming {
                    Incoming::Request(request) if request.path() == "/jwks" => {
                        fetched.fetch_add(1, Ordering::SeqCst);
                        let keys = keys.lock().unwrap().clone();
                        Reply::plain(200, "application/json", keys)
                    }
                    Incoming::Request(request) if request.path() == "/introspect" => {
                        asked.fetch_add(1, Ordering::SeqCst);
                        let basic = format!("Basic {}", encode_block(b"hilum:s%3A%2Fcret"));
                        if request.header("authorization") != Some(basic) {
                            return Reply::plain(401, "text/plain", "who are you?");
                        }
                        let permitted = request.permitted(Permission::Query);
                        let form = permitted.unwrap().collect(10_000).await.unwrap();
                        Reply::plain(200, "application/json", explained(&form).to_string())
                    }
                    _ => Reply::plain(404, "text/plain", ""),
                }
            }
        };
        let (limits, replies) = (Limits::default(), Replies::nobody());
        let rest = Rest::under(["jwks", "introspect"]);
        let forever = std::future::pending();
        tokio::spawn(async move {
            hilum_transport::serve_with(listener, None, limits, replies, rest, routes, forever)
                .await
        });
        server
    }
}

fn explained(form: &[u8]) -> Value {
    let now = hilum_tests::people::now();
    match form {
        b"token=active-1" => json!({
            "active": true, "sub": "marcus.welby", "exp": now + 300, "aud": "urn:oid:2.999.2",
            "extensions": { "ihe_iua": { "purpose_of_use": [{ "code": "TREATMENT" }] } },
        }),
        b"token=endless" => json!({ "active": true, "sub": "marcus.welby" }),
        b"token=elsewhere" => json!({ "active": true, "sub": "x", "aud": "urn:other" }),
        _ => json!({ "active": false }),
    }
}

/// IUA 3.102.4.2.3: an inactive token is refused with 401, and nothing is remembered that has no end.
#[tokio::test]
async fn an_issuer_explains_tokens_that_only_it_can_read() {
    let server = Server::start().await;
    let lines = format!(
        "tokens = \"required\"\nissuer = [{{ name = \"{AS}\", introspection = \
         \"http://{}/introspect\", client_id = \"hilum\", client_secret_file = \"secret\" }}]",
        server.address
    );
    let (mut town, _) = set_up(&lines);
    std::fs::write(town.node().join("secret"), "s:/cret\n").unwrap();
    town.start();
    let asked = || server.asked.load(Ordering::SeqCst);
    for _ in 0..3 {
        let found = ask_with(&town, "active-1").await;
        assert!([200, 204].contains(&found.status), "{}", town.log());
    }
    // ITI-102: what has an end is remembered, and what has none is not.
    assert_eq!(asked(), 1);
    for _ in 0..2 {
        assert!([200, 204].contains(&ask_with(&town, "endless").await.status));
    }
    assert_eq!(asked(), 3);
    for (token, why) in [("revoked", "not active"), ("elsewhere", "meant for others")] {
        assert_eq!(ask_with(&town, token).await.status, 401);
        assert!(refusals(&town).iter().any(|xml| xml.contains(why)), "{why}");
    }
    let messages = town.messages();
    assert!(
        messages
            .iter()
            .any(|xml| xml.contains("marcus.welby@https://as.example"))
    );
    assert!(!town.log().contains("s:/cret"));
}

#[tokio::test]
async fn keys_are_fetched_and_fetched_again() {
    let server = Server::start().await;
    let lines = format!(
        "tokens = \"required\"\nissuer = [{{ name = \"{AS}\", keys = \"http://{}/jwks\" }}]",
        server.address
    );
    let (mut town, first) = set_up(&lines);
    *server.keys.lock().unwrap() = first.keys().unwrap();
    town.start();
    let token = first.issue(&welby(), &issue_token()).unwrap();
    let fetched = || server.fetched.load(Ordering::SeqCst);
    for _ in 0..3 {
        assert!([200, 204].contains(&ask_with(&town, &token).await.status));
    }
    assert_eq!(fetched(), 1);
    // Whoever invents names of keys does not make us ask each time.
    let identity = hilum_tests::people::identity(&town, "as2");
    let second = TokenIssuer {
        name: AS.to_owned(),
        key: identity.key,
        certificate: identity.certificate,
    };
    let token = second.issue(&welby(), &issue_token()).unwrap();
    for _ in 0..3 {
        assert_eq!(ask_with(&town, &token).await.status, 401);
    }
    assert!(fetched() <= 2);
    *server.keys.lock().unwrap() = second.keys().unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert!([200, 204].contains(&ask_with(&town, &token).await.status));
    assert!(fetched() <= 3);
}

/// IUA 3.72.4.3.2: an assertion is a token too.
#[tokio::test]
async fn an_assertion_is_a_token_too() {
    let (mut town, _) = set_up(&format!(
        "tokens = \"required\"\nissuer = [{{ name = \"{AS}\", keys = \"as.jwks\" }}]"
    ));
    let issuer = idp(&town);
    let lines = "assertions = \"accepted\"\nissuer = [{ name = \"https://idp.example\", \
                 certificates = [\"certs/idp.pem\"] }]";
    configure(&town, &[("xua", lines)]);
    town.start();
    let assertion = issuer.issue(&welby(), &issue()).unwrap();
    let encoded = |text: &str| {
        let text = encode_block(text.as_bytes())
            .replace('+', "-")
            .replace('/', "_");
        text.replace(['=', '\n'], "")
    };
    let found = ask_with(&town, &encoded(&assertion)).await;
    assert!([200, 204].contains(&found.status), "{}", town.log());
    let changed = assertion.replace("marcus", "mallory");
    assert_eq!(ask_with(&town, &encoded(&changed)).await.status, 401);
}

/// The command issues tokens, and the keys with which they are checked.
#[tokio::test]
async fn the_command_issues_tokens() {
    let (town, _) = believing("required");
    let by = ["token", "--issuer", AS, "--issuer-key", "certs/as.key"];
    let keys = town.run(&[&by[..], &["--keys"]].concat());
    let expected = std::fs::read_to_string(town.node().join("as.jwks")).unwrap();
    assert_eq!(String::from_utf8(keys.stdout).unwrap().trim(), expected);
    let token = town.run(&[&by[..], &["--user", "house", "--scope", "RAD-129"]].concat());
    assert!(token.status.success(), "{token:?}");
    let token = String::from_utf8(token.stdout).unwrap();
    assert!([200, 204].contains(&ask_with(&town, token.trim()).await.status));
}

/// Commands that ask at doors which take tokens bring one from a file that is for its owner only.
#[tokio::test]
async fn commands_bring_tokens() {
    use std::os::unix::fs::PermissionsExt;
    let (town, server) = believing("required");
    let asker = User {
        scopes: Vec::new(),
        ..welby()
    };
    let token = server.issue(&asker, &issue_token()).unwrap();
    let file = town.node().join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let mode = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&file, mode).unwrap();
    };
    let list = ["consent", "list", "--patient", "P-1"];
    let with = [&list[..], &["--token-file", "token"]].concat();
    // The node itself may ask for nobody, so it is asked as another one.
    let run = |arguments: &[&str], token: Option<&str>| {
        let mut command = hilum_tests::town::hilum();
        command.args(arguments).current_dir(town.node());
        command.env("HILUM_TLS__CERTIFICATE", "certs/client.pem");
        command.env("HILUM_TLS__KEY", "certs/client.key");
        command.envs(token.map(|file| ("HILUM_TOKEN_FILE", file)));
        command.output().unwrap()
    };
    let code = |arguments: &[&str]| run(arguments, None).status.code();
    mode(0o600);
    assert_eq!(code(&list), Some(1));
    assert_eq!(code(&with), Some(0));
    let of_welby = |xml: &String| xml.contains("ITI-108") && xml.contains("marcus.welby");
    assert!(town.messages().iter().any(of_welby));
    // By the environment, for all of them.
    assert_eq!(run(&list, Some("token")).status.code(), Some(0));
    // Others could read it, it is not there, or it is no token: nobody is asked, and nothing of it is said.
    mode(0o640);
    let refused = run(&with, None);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    mode(0o600);
    let nowhere = [&list[..], &["--token-file", "nowhere"]].concat();
    assert_eq!(code(&nowhere), Some(2));
    std::fs::write(&file, "Planted token").unwrap();
    let refused = run(&with, None);
    assert_eq!(refused.status.code(), Some(2));
    assert!(!String::from_utf8_lossy(&refused.stderr).contains("Planted"));
}
