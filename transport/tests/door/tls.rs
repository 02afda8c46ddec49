//! ITI-19: who gets in.

use hilum_security::development_ca::Identity;
use hilum_security::iti19_authenticate_node as iti19;
use hilum_transport::{Client, ClientError, Limits, Refused};
use openssl::ssl::{Ssl, SslConnector, SslFiletype, SslMethod, SslVerifyMode, SslVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::site::{Echo, Fetch, Site, Words};

/// Connects as a peer that sets up TLS as it likes. TLS 1.3 tells of a refusal only afterwards, so
/// a request is sent too.
async fn connect(
    site: &Site,
    set_up: impl FnOnce(&mut openssl::ssl::SslConnectorBuilder),
) -> Result<(String, String), String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    set_up(&mut builder);
    let session: Ssl = builder
        .build()
        .configure()
        .unwrap()
        .into_ssl("localhost")
        .unwrap();
    let stream = TcpStream::connect(site.address).await.unwrap();
    let mut stream = SslStream::new(session, stream).unwrap();
    std::pin::Pin::new(&mut stream)
        .connect()
        .await
        .map_err(|error| error.to_string())?;
    let request = b"GET /x?wsdl HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream
        .write_all(request)
        .await
        .map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .await
        .map_err(|error| error.to_string())?;
    let suite = stream.ssl().current_cipher().unwrap().name().to_owned();
    Ok((suite, answer))
}

fn show(builder: &mut openssl::ssl::SslConnectorBuilder, site: &Site, node: &str) {
    let files = site.files(node);
    builder
        .set_certificate_file(&files.certificate, SslFiletype::PEM)
        .unwrap();
    builder
        .set_private_key_file(&files.key, SslFiletype::PEM)
        .unwrap();
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_in() {
    let site = Site::secure().await;
    connect(&site, |_| {}).await.unwrap_err();
    let (what, reason) = site.refusal().await;
    assert_eq!(what, Refused::Connection);
    assert!(
        reason.contains("not authenticated: no client certificate"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_untrusted_certificate_does_not_help() {
    let site = Site::secure().await;
    let other = Identity::authority("Other CA", 2).unwrap();
    let stranger = other.issue("stranger", &[], 2).unwrap();
    let path = |name: &str| site.folder.path().join(name);
    stranger
        .write(&path("stranger.pem"), &path("stranger.key"))
        .unwrap();
    connect(&site, |builder| show(builder, &site, "stranger"))
        .await
        .unwrap_err();
    let (what, reason) = site.refusal().await;
    assert_eq!(what, Refused::Connection);
    assert!(
        reason.contains(
            "CN=stranger, O=Hilum development: issuer not in trust: CN=Other CA, O=Hilum development"
        ),
        "{reason}"
    );
    // And the other way round: our client does not talk to strangers.
    other.write(&path("other.pem"), &path("other.key")).unwrap();
    let mut files = site.files("viewer");
    files.trust = vec![path("other.pem")];
    let client = Client::new(
        Some(iti19::client_config(&files).unwrap()),
        Limits::default(),
    );
    let error = client
        .send::<Echo>(&site.url(), &Words::of("hello"), vec![])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("is not trusted"), "{error}");
}

#[tokio::test]
async fn old_versions_and_suites_are_refused() {
    let site = Site::secure().await;
    let old = connect(&site, |builder| {
        show(builder, &site, "viewer");
        builder.set_security_level(0);
        builder.set_cipher_list("ALL:@SECLEVEL=0").unwrap();
        builder
            .set_min_proto_version(Some(SslVersion::TLS1))
            .unwrap();
        builder
            .set_max_proto_version(Some(SslVersion::TLS1_1))
            .unwrap();
    });
    old.await.unwrap_err();
    let (_, reason) = site.refusal().await;
    assert!(reason.contains("protocol TLS 1.1 offered"), "{reason}");
    let weak = connect(&site, |builder| {
        show(builder, &site, "viewer");
        builder
            .set_cipher_list("AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA")
            .unwrap();
        builder
            .set_max_proto_version(Some(SslVersion::TLS1_2))
            .unwrap();
    });
    weak.await.unwrap_err();
    let (_, reason) = site.refusal().await;
    assert!(
        reason.contains("no cipher suite of BCP 195 offered"),
        "{reason}"
    );
}

#[tokio::test]
async fn both_versions_of_today_are_spoken() {
    let site = Site::secure().await;
    let tls12 = connect(&site, |builder| {
        show(builder, &site, "viewer");
        builder
            .set_max_proto_version(Some(SslVersion::TLS1_2))
            .unwrap();
    });
    let (suite, answer) = tls12.await.unwrap();
    assert!(suite.starts_with("ECDHE-ECDSA-AES"), "{suite}");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("https://h/x Some(\"wsdl\")"), "{answer}");
    let (suite, _) = connect(&site, |builder| show(builder, &site, "viewer"))
        .await
        .unwrap();
    assert!(suite.starts_with("TLS_AES_"), "{suite}");
}

/// ITI-19 names DHE suites for RSA keys, so they must be there for those who have such keys.
#[tokio::test]
async fn diffie_hellman_suites_are_offered_with_rsa_keys() {
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::{X509, X509Name};
    let site = Site::secure().await;
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "self-signed").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&openssl::asn1::Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&openssl::asn1::Asn1Time::days_from_now(2).unwrap())
        .unwrap();
    builder
        .sign(&key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    let path = |name: &str| site.folder.path().join(name);
    std::fs::write(path("rsa.pem"), builder.build().to_pem().unwrap()).unwrap();
    std::fs::write(path("rsa.key"), key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    // The certificate is trusted directly, by both sides, and says nothing but a name.
    let mut files = site.files("rsa");
    files.trust = vec![path("rsa.pem")];
    let acceptor = iti19::server_config(&files).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepted = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let session = acceptor.session().unwrap();
        let mut stream = SslStream::new(session, stream).unwrap();
        std::pin::Pin::new(&mut stream).accept().await.unwrap();
        iti19::peer(stream.ssl()).unwrap().unwrap().subject
    });
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    show(&mut builder, &site, "rsa");
    builder
        .set_max_proto_version(Some(SslVersion::TLS1_2))
        .unwrap();
    builder
        .set_cipher_list("DHE-RSA-AES128-GCM-SHA256")
        .unwrap();
    let session = builder
        .build()
        .configure()
        .unwrap()
        .into_ssl("localhost")
        .unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = SslStream::new(session, stream).unwrap();
    std::pin::Pin::new(&mut stream).connect().await.unwrap();
    assert_eq!(accepted.await.unwrap(), "CN=self-signed");
}

#[tokio::test]
async fn the_client_checks_names_unless_told_otherwise() {
    let site = Site::secure().await;
    let authority = &site.authority;
    let path = |name: &str| site.folder.path().join(name);
    authority
        .issue("other", &[], 2)
        .unwrap()
        .write(&path("o.pem"), &path("o.key"))
        .unwrap();
    // 127.0.0.2 leads to the same server but stands in no certificate.
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let tls = iti19::server_config(&site.files("server")).unwrap();
    let routes = |_| async { hilum_transport::Reply::plain(200, "text/plain", "in") };
    let limits = Limits::default();
    tokio::spawn(async move {
        hilum_transport::serve(listener, Some(tls), limits, routes, std::future::pending()).await
    });
    let mut files = site.files("viewer");
    let client = Client::new(
        Some(iti19::client_config(&files).unwrap()),
        Limits::default(),
    );
    let error = client.fetch(&url).await.unwrap_err();
    let told = "CN=server, O=Hilum development: name does not match: wanted 127.0.0.2, has \
                localhost, 127.0.0.1, ::1";
    assert!(error.to_string().contains(told), "{error}");
    files.check_server_name = false;
    let client = Client::new(
        Some(iti19::client_config(&files).unwrap()),
        Limits::default(),
    );
    assert_eq!(client.fetch(&url).await.unwrap().1, "in");
}

#[tokio::test]
async fn a_trusted_node_is_named_and_its_connection_is_kept() {
    let site = Site::secure().await;
    let client = site.client("viewer");
    for _ in 0..3 {
        let answer = client
            .send::<Echo>(&site.url(), &Words::of("hello"), vec![])
            .await
            .unwrap();
        assert_eq!(answer.response.text, "hello");
        assert!(answer.header.relates_to.is_some());
        drop(answer);
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    let callers = std::mem::take(&mut site.log.lock().unwrap().callers);
    let node = callers[0].node.as_ref().unwrap();
    assert_eq!(node.subject, "CN=viewer, O=Hilum development");
    assert_eq!(node.fingerprint.len(), 64);
    assert!(
        callers
            .iter()
            .all(|caller| caller.address == callers[0].address),
        "{callers:?}"
    );
    assert!(site.stop().await);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_is_replaced() {
    let site = Site::secure().await;
    let client = site.client("viewer");
    let url = site.url();
    client
        .send::<Echo>(&url, &Words::of("one"), vec![])
        .await
        .unwrap();
    let address = site.address;
    assert!(site.stop().await);
    let error = client
        .send::<Echo>(&url, &Words::of("two"), vec![])
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(
        error.to_string().contains(&address.port().to_string()),
        "{error}"
    );
    let error = client
        .send::<Fetch>("ftp://x/", &Words::of(""), vec![])
        .await
        .unwrap_err();
    assert!(matches!(error, ClientError::Url { .. }), "{error}");
}
