//! ITI-19: nodes show who they are, or they do not get in, and that is recorded.

use hilum_security::development_ca::Identity;
use hilum_tests::Town;
use hilum_tests::words::{self, Document, Submission};
use openssl::ssl::{
    SslConnector, SslConnectorBuilder, SslFiletype, SslMethod, SslVerifyMode, SslVersion,
};
use std::io::{Read, Write};
use std::path::PathBuf;
use xds_schemas::codes::status::ResponseStatus;

/// Asks for the WSDL as a peer that sets up TLS as it likes. TLS 1.3 tells of a refusal only after
/// the handshake, so the answer must be read.
fn ask(town: &Town, set_up: impl FnOnce(&mut SslConnectorBuilder)) -> Result<String, String> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder
        .set_ca_file(town.node().join("certs/ca.pem"))
        .unwrap();
    set_up(&mut builder);
    let told = |error: &dyn std::fmt::Display| error.to_string();
    let stream = hilum_tests::raw::connect(town.port(1));
    let mut stream = builder
        .build()
        .connect("localhost", stream)
        .map_err(|error| told(&error))?;
    stream
        .write_all(b"GET /registry?wsdl HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        .map_err(|error| told(&error))?;
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .map_err(|error| told(&error))?;
    match answer.starts_with("HTTP/1.1 200") {
        true => Ok(stream.ssl().version_str().to_owned()),
        false => Err(answer),
    }
}

fn show(builder: &mut SslConnectorBuilder, folder: PathBuf, name: &str) {
    let certificate = folder.join(format!("{name}.pem"));
    let key = folder.join(format!("{name}.key"));
    let pem = SslFiletype::PEM;
    builder.set_certificate_file(certificate, pem).unwrap();
    builder.set_private_key_file(key, pem).unwrap();
}

fn only(builder: &mut SslConnectorBuilder, version: SslVersion) {
    builder.set_min_proto_version(Some(version)).unwrap();
    builder.set_max_proto_version(Some(version)).unwrap();
    // The library refuses by itself to speak what is too old, unless it is told not to care.
    builder.set_cipher_list("DEFAULT:@SECLEVEL=0").unwrap();
}

#[test]
fn only_known_nodes_and_good_versions_get_in() {
    let town = Town::secure();
    let certs = town.node().join("certs");
    let versions = [
        (SslVersion::TLS1_2, Ok("TLSv1.2")),
        (SslVersion::TLS1_3, Ok("TLSv1.3")),
        (SslVersion::TLS1_1, Err(())),
        (SslVersion::TLS1, Err(())),
    ];
    for (version, expected) in versions {
        let answer = ask(&town, |builder| {
            show(builder, certs.clone(), "client");
            only(builder, version);
        });
        assert_eq!(answer.as_deref().map_err(|_| ()), expected, "{answer:?}");
    }
    let mut refused = 2;
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        // Nobody.
        let answer = ask(&town, |builder| only(builder, version));
        answer.unwrap_err();
        // Somebody whom another authority knows, under the same name.
        let foreign = tempfile::tempdir().unwrap();
        let authority = Identity::authority("Hilum development CA", 1).unwrap();
        let stranger = authority.issue("client", &[], 1).unwrap();
        let (pem, key) = (foreign.path().join("x.pem"), foreign.path().join("x.key"));
        stranger.write(&pem, &key).unwrap();
        let answer = ask(&town, |builder| {
            show(builder, foreign.path().to_owned(), "x");
            only(builder, version);
        });
        answer.unwrap_err();
        // Somebody who shows a certificate of ours that it has no key for cannot even try; one
        // that is no longer valid is refused.
        let ours = Identity::read(&certs.join("ca.pem"), &certs.join("ca.key")).unwrap();
        let late = ours.issue("late", &[], 0).unwrap();
        let (pem, key) = (foreign.path().join("l.pem"), foreign.path().join("l.key"));
        late.write(&pem, &key).unwrap();
        let answer = ask(&town, |builder| {
            show(builder, foreign.path().to_owned(), "l");
            only(builder, version);
        });
        answer.unwrap_err();
        refused += 3;
    }
    // A plain HTTP request at a TLS door.
    let port = town.port(1);
    let plain = std::panic::catch_unwind(|| hilum_tests::raw::get(port, "/registry?wsdl"));
    assert!(plain.is_err() || plain.unwrap().status != 200);
    refused += 1;
    town.expected.add("110126", "Security Alert", refused);
    for record in town.records() {
        if record["transaction"] == "110126" {
            assert_eq!(record["outcome"], "8", "{record}");
        }
    }
}

/// The server proves itself to the client too.
#[tokio::test]
async fn a_client_trusts_only_its_own_authorities() {
    let town = Town::secure();
    let other = Town::secure();
    let stranger = other.client_named("client");
    let error = stranger.fetch(&town.registry()).await.unwrap_err();
    assert!(error.to_string().contains("not trusted"), "{error}");
    let answer = ask(&town, |builder| builder.set_verify(SslVerifyMode::PEER));
    answer.unwrap_err();
    // Both are recorded, which a refused peer need not wait for; stopping the node does.
    town.expected.add("110126", "Security Alert", 2);
}

/// A certificate that `hilum certs` issued is let in, and the records name its node.
#[tokio::test]
async fn further_nodes_are_known_by_name() {
    let town = Town::secure();
    let made = town.run(&["certs", "ward-7"]);
    assert!(made.status.success(), "{made:?}");
    let submission = Submission::new("P-1", vec![Document::text("from ward 7")]);
    let ward = town.client_named("ward-7");
    let request = hilum_tests::calls::Raw(submission.provide_request());
    let part = hilum_transport::Part {
        content_id: words::content_id(0),
        content_type: "text/plain".to_owned(),
        source: hilum_transport::PartSource::Bytes("from ward 7".into()),
    };
    let answer = ward
        .send::<hilum_tests::calls::Provide>(&town.repository(), &request, vec![part])
        .await
        .unwrap();
    town.expected.add("ITI-41", "Import", 1);
    assert_eq!(answer.response.status, ResponseStatus::Success);
    let messages = town.messages();
    let mut imports = messages.iter().filter(|it| it.contains("\"ITI-41\""));
    assert!(
        imports.all(|message| message.contains("ward-7")),
        "{messages:?}"
    );
}
