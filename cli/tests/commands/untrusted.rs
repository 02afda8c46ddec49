//! `hilum check` where TLS does not come about: it says what is wrong in an operator's words, and none of the
//! library's.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::site::{Site, hilum, port_base, text};

/// Words that OpenSSL has and operators have not.
const LIBRARY: [&str; 5] = ["error:", "SSL routines", "ssl3_", "tls_", "sslv3"];

/// Somebody else's view of a node: its configuration, and a copy of its certificates.
fn visitor(site: &Site, name: &str) -> PathBuf {
    let dir = site.folder.path().join(name);
    std::fs::create_dir_all(dir.join("certs")).unwrap();
    for file in ["hilum.toml", "codes.xml"] {
        std::fs::copy(site.dir().join(file), dir.join(file)).unwrap();
    }
    for file in std::fs::read_dir(site.dir().join("certs")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.join("certs").join(file.file_name())).unwrap();
    }
    dir
}

fn community(dir: &Path, keys: &str) {
    let file = dir.join("hilum.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let community = format!(
        "community = [{{ home_community_id = 'urn:oid:2.999.5', name = 'North', {keys} }}]\n# community = ["
    );
    let changed = config.replacen("# community = [", &community, 1);
    assert_ne!(config, changed);
    std::fs::write(&file, changed).unwrap();
}

/// The lines about things to mend.
fn to_mend(dir: &Path) -> Vec<String> {
    let config = dir.join("hilum.toml");
    let checked = hilum(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let said = text(&checked.stdout);
    for word in LIBRARY {
        assert!(!said.contains(word), "{word}: {said}");
    }
    let lines = said.lines().filter(|line| line.starts_with("MEND"));
    lines.map(str::to_owned).collect()
}

fn of<'l>(lines: &'l [String], subject: &str) -> &'l str {
    let found = lines.iter().find(|it| it[6..].starts_with(subject));
    found.unwrap_or_else(|| panic!("{subject}: {lines:#?}"))
}

#[test]
fn what_is_wrong_with_certificates_is_said_plainly() {
    let site = Site::with(&[]);
    let other = site.folder.path().join("other");
    let port = port_base().to_string();
    let made = hilum(&["init", other.to_str().unwrap(), "--port-base", &port]);
    assert!(made.status.success(), "{made:?}");

    // Our certificate is of an authority that nobody there knows.
    let ours = visitor(&site, "ours");
    for file in ["node.pem", "node.key", "client.pem", "client.key"] {
        let (from, to) = (
            other.join("certs").join(file),
            ours.join("certs").join(file),
        );
        std::fs::copy(from, to).unwrap();
    }
    let lines = to_mend(&ours);
    for room in [
        "registry",
        "repository",
        "imaging",
        "recipient",
        "initiating",
        "responding",
        "audit  ",
        "audit receiver",
    ] {
        let line = of(&lines, room);
        assert!(
            line.contains("it does not accept our certificate"),
            "{line}"
        );
    }

    // Theirs is of an authority that nobody here knows.
    let theirs = visitor(&site, "theirs");
    std::fs::copy(other.join("certs/ca.pem"), theirs.join("certs/ca.pem")).unwrap();
    let lines = to_mend(&theirs);
    for room in ["registry", "audit receiver", "feed", "dicom"] {
        let line = of(&lines, room);
        assert!(line.contains("issuer not in trust: CN="), "{line}");
    }

    // It has another name.
    let named = visitor(&site, "named");
    let port = site.base + 3;
    community(
        &named,
        &format!("server_name = 'north.example', url = 'https://localhost:{port}/responding'"),
    );
    let lines = to_mend(&named);
    let line = of(&lines, "community");
    assert!(
        line.contains("name does not match: wanted north.example, has localhost"),
        "{line}"
    );

    // It does not speak TLS.
    let plain = visitor(&site, "plain");
    let port = site.base + 7;
    community(
        &plain,
        &format!("url = 'https://localhost:{port}/responding'"),
    );
    let lines = to_mend(&plain);
    let line = of(&lines, "community");
    assert!(line.contains("no TLS was spoken"), "{line}");
}

/// A server of OpenSSL's own, which ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn that_no_version_is_common_is_said_plainly() {
    let site = Site::with(&[]);
    let old = visitor(&site, "old");
    let port = port_base();
    let certs = site.dir().join("certs");
    let server = Command::new("openssl")
        .args(["s_server", "-accept", &port.to_string(), "-tls1_1"])
        .args(["-cipher", "DEFAULT@SECLEVEL=0", "-quiet", "-cert"])
        .arg(certs.join("node.pem"))
        .arg("-key")
        .arg(certs.join("node.key"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    let _server = Server(server.unwrap());
    community(
        &old,
        &format!("url = 'https://localhost:{port}/responding'"),
    );
    let mut lines = to_mend(&old);
    for _ in 0..50 {
        if !of(&lines, "community").contains("refused") {
            break;
        }
        // It does not listen yet.
        std::thread::sleep(std::time::Duration::from_millis(100));
        lines = to_mend(&old);
    }
    let line = of(&lines, "community");
    assert!(
        line.contains("it takes no version of TLS that we do"),
        "{line}"
    );
}
