//! Programs that look for weak TLS from outside.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is. If it is missing, says so; with `HILUM_TEST_ALL` set, as in `.ci/run`, it must
/// be there.
pub fn program(name: &str) -> Option<PathBuf> {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&places).map(|folder| folder.join(name));
    let found = places.find(|file| file.is_file());
    if found.is_none() {
        assert!(
            std::env::var_os("HILUM_TEST_ALL").is_none(),
            "{name} is missing, and HILUM_TEST_ALL asks for every test"
        );
        eprintln!("NOT TESTED: {name} is missing (apt-get install {name})");
    }
    found
}

/// What sslscan says about a port, as XML, line by line. It shows the certificate `client` of `certs`,
/// without which it could not get to the end of a handshake of TLS 1.2.
pub fn sslscan(program: &Path, port: u16, certs: &Path) -> Vec<String> {
    let output = Command::new(program)
        .arg("--xml=-")
        .arg(format!("--certs={}", certs.join("client.pem").display()))
        .arg(format!("--pk={}", certs.join("client.key").display()))
        .arg(format!("localhost:{port}"))
        .output()
        .expect("sslscan runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("<ssltest"), "{output:?}");
    said.lines().map(|line| line.trim().to_owned()).collect()
}

/// An attribute of a line of XML.
pub fn attribute<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let (_, rest) = line.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}

/// What testssl says about a port: each finding with its severity and words.
pub fn testssl(
    program: &Path,
    port: u16,
    checks: &[&str],
    folder: &Path,
) -> Vec<(String, String, String)> {
    let file = folder.join(format!("testssl-{port}.json"));
    let output = Command::new(program)
        .args(["--quiet", "--color", "0", "--warnings", "off", "--jsonfile"])
        .arg(&file)
        .args(checks)
        .arg(format!("localhost:{port}"))
        .output()
        .expect("testssl runs");
    let said = std::fs::read(&file);
    let said = said.unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let findings: Vec<serde_json::Value> =
        serde_json::from_slice(&said).expect("testssl writes JSON");
    let text = |finding: &serde_json::Value, key: &str| {
        finding[key].as_str().unwrap_or_default().to_owned()
    };
    let findings = findings.iter();
    findings
        .map(|it| (text(it, "id"), text(it, "severity"), text(it, "finding")))
        .collect()
}
