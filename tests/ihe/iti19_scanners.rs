//! ITI-19, seen by those who look for weak TLS: nothing below BCP 195 at any door.

use std::collections::BTreeSet;

use hilum_tests::scanner::{attribute, program, sslscan, testssl};
use hilum_tests::{Setup, Town};
use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::x509::{X509, X509Name};

/// Registry, repository and imaging source, feed, DICOM.
const DOORS: [u16; 4] = [1, 2, 5, 10];
const TLS13: [&str; 3] = [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
];
const ECDSA: [&str; 2] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
];
/// Those that ITI-19 names.
const RSA: [&str; 4] = [
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
];
const GROUPS: [&str; 4] = [
    "secp256r1 (NIST P-256)",
    "secp384r1 (NIST P-384)",
    "secp521r1 (NIST P-521)",
    "x25519",
];

/// A town whose scanned handshakes are not counted one by one.
fn town(environment: &[(&str, &str)]) -> Town {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let mut town = Town::set_up(Setup {
        uncounted: true,
        environment: environment.iter().map(owned).collect(),
        ..Setup::default()
    });
    rsa_certificate(&town);
    town.start();
    town
}

/// A certificate with an RSA key, which no authority need have signed: servers are not judged here.
fn rsa_certificate(town: &Town) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "rsa").unwrap();
    let name = name.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    let (begin, end) = (Asn1Time::days_from_now(0), Asn1Time::days_from_now(2));
    builder.set_not_before(&begin.unwrap()).unwrap();
    builder.set_not_after(&end.unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    let certs = town.node().join("certs");
    std::fs::write(certs.join("rsa.pem"), builder.build().to_pem().unwrap()).unwrap();
    std::fs::write(
        certs.join("rsa.key"),
        key.private_key_to_pem_pkcs8().unwrap(),
    )
    .unwrap();
}

/// Every door offers these suites and nothing else, in these versions and groups and no others.
fn offers_only(town: &Town, sslscan_program: &std::path::Path, tls12: &[&str]) {
    let expected: BTreeSet<&str> = TLS13.iter().chain(tls12).copied().collect();
    for door in DOORS {
        let said = sslscan(sslscan_program, town.port(door), &town.node().join("certs"));
        let lines = |kind: &str| -> Vec<&String> {
            let begin = format!("<{kind} ");
            said.iter()
                .filter(|line| line.starts_with(&begin))
                .collect()
        };
        let protocols = lines("protocol");
        assert_eq!(protocols.len(), 6, "{said:#?}");
        for line in protocols {
            let kind = (attribute(line, "type"), attribute(line, "version"));
            let good = matches!(kind, (Some("tls"), Some("1.2" | "1.3")));
            let enabled = if good { "1" } else { "0" };
            assert_eq!(attribute(line, "enabled"), Some(enabled), "{line}");
        }
        let suites = lines("cipher");
        let suites: BTreeSet<&str> = suites
            .iter()
            .filter_map(|it| attribute(it, "cipher"))
            .collect();
        assert_eq!(suites, expected, "door {door}");
        for line in lines("cipher") {
            let bits: u32 = attribute(line, "bits").unwrap().parse().unwrap();
            let exchange = attribute(line, "dhebits").or(attribute(line, "ecdhebits"));
            let exchange: u32 = exchange.unwrap().parse().unwrap();
            assert!(bits >= 128 && exchange >= 253, "{line}");
            assert!(
                line.contains("dhebits=\"2048\"") || line.contains(" ecdhebits="),
                "{line}"
            );
        }
        let groups = lines("group");
        assert!(groups.len() >= 4, "{groups:?}");
        for line in groups {
            assert!(GROUPS.contains(&attribute(line, "name").unwrap()), "{line}");
        }
        let renegotiation = lines("renegotiation");
        assert_eq!(renegotiation.len(), 1);
        assert_eq!(
            attribute(renegotiation[0], "supported"),
            Some("0"),
            "{renegotiation:?}"
        );
        let heartbleed = lines("heartbleed");
        assert!(!heartbleed.is_empty());
        for line in heartbleed.into_iter().chain(lines("compression")) {
            let bad = attribute(line, "vulnerable").or(attribute(line, "supported"));
            assert_eq!(bad, Some("0"), "{line}");
        }
    }
}

#[test]
fn sslscan_finds_nothing_below_bcp_195_at_any_door() {
    let Some(sslscan) = program("sslscan") else {
        return;
    };
    let ecdsa = town(&[]);
    offers_only(&ecdsa, &sslscan, &ECDSA);
    drop(ecdsa);
    let rsa = town(&[
        ("HILUM_TLS__CERTIFICATE", "certs/rsa.pem"),
        ("HILUM_TLS__KEY", "certs/rsa.key"),
    ]);
    offers_only(&rsa, &sslscan, &RSA);
    // What was tried and refused stands in the audit trail, with what was wrong with it.
    let records = rsa.records();
    let refused = |it: &&serde_json::Value| it["transaction"] == "110126";
    assert!(records.iter().filter(refused).count() > 4, "{records:?}");
    let log = rsa.log();
    assert!(
        log.contains("a connection was refused: protocol TLS 1.1 offered"),
        "{log}"
    );
    assert!(
        log.contains("a connection was refused: protocol TLS 1.0 offered"),
        "{log}"
    );
}

/// It is slow, so one door of HTTP is looked at for everything, and the others for protocols and suites.
#[test]
fn testssl_finds_no_weakness() {
    let Some(testssl_program) = program("testssl") else {
        return;
    };
    let town = town(&[]);
    let folder = tempfile::tempdir().unwrap();
    // Without a certificate of a client, this cannot be looked at; sslscan does.
    let untested = ["engine_problem", "secure_client_renego", "BREACH"];
    let doors = [
        (1, &["-p", "-s", "-f", "-U"][..]),
        (5, &["-p", "-s"]),
        (10, &["-p", "-s"]),
    ];
    // It waits more than it works.
    let all = std::thread::scope(|scope| {
        let scans = doors.map(|(door, checks)| {
            let (port, folder) = (town.port(door), folder.path());
            let program = &testssl_program;
            scope.spawn(move || (door, testssl(program, port, checks, folder)))
        });
        scans.map(|scan| scan.join().unwrap())
    });
    for (door, findings) in all {
        let find = |id: &str| findings.iter().find(|it| it.0 == id);
        for (id, severity, finding) in &findings {
            let harmless = ["OK", "INFO", "DEBUG"].contains(&severity.as_str());
            assert!(
                harmless || untested.contains(&id.as_str()),
                "{id} {severity}: {finding}"
            );
        }
        let absent = [
            "SSLv2",
            "SSLv3",
            "TLS1",
            "TLS1_1",
            "cipherlist_NULL",
            "cipherlist_aNULL",
        ];
        let weak = [
            "cipherlist_EXPORT",
            "cipherlist_LOW",
            "cipherlist_3DES_IDEA",
        ];
        for id in absent.into_iter().chain(weak).chain(["cipherlist_AVERAGE"]) {
            let finding = &find(id).unwrap_or_else(|| panic!("{id}: {findings:?}")).2;
            assert_eq!(finding, "not offered", "{id}");
        }
        for id in ["TLS1_2", "TLS1_3", "cipherlist_STRONG"] {
            assert!(find(id).unwrap().2.starts_with("offered"), "{id}");
        }
        if door == 1 {
            let curves = &find("PFS_ECDHE_curves").unwrap().2;
            assert_eq!(curves.trim(), "prime256v1 secp384r1 secp521r1 X25519");
            for id in [
                "heartbleed",
                "CCS",
                "ROBOT",
                "CRIME_TLS",
                "SWEET32",
                "FREAK",
                "LUCKY13",
            ] {
                assert_eq!(find(id).unwrap().1, "OK", "{id}");
            }
        }
    }
}
