//! Whom a partner is trusted by, and as whom it is asked, where that is not as with everybody.

use std::path::{Path, PathBuf};

use hilum_security::development_ca::Identity;
use hilum_tests::{Partner, Setup};
use tempfile::TempDir;

use super::{community, find, town_of, usual};

/// An authority of the partner's, with what it issued: `ca`, `server` with this name, `for-us`.
fn authority(folder: &Path, name: &str) {
    let authority = Identity::authority("Partner CA", 1).unwrap();
    let save = |identity: &Identity, name: &str| {
        let file = |extension: &str| folder.join(format!("{name}.{extension}"));
        identity.write(&file("pem"), &file("key")).unwrap();
    };
    save(&authority, "ca");
    save(
        &authority.issue("server", &[name.to_owned()], 1).unwrap(),
        "server",
    );
    save(&authority.issue("for-us", &[], 1).unwrap(), "for-us");
}

#[tokio::test]
async fn a_partner_with_an_authority_and_a_name_of_its_own() {
    let folder = TempDir::new().unwrap();
    authority(folder.path(), "gateway.partner");
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let partner = Partner::secure(
        &file("server.pem"),
        &file("server.key"),
        &file("ca.pem"),
        usual,
    );
    let [ca, certificate, key, server] = ["ca.pem", "for-us.pem", "for-us.key", "server.pem"]
        .map(|name| file(name).display().to_string());
    let own = format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n");
    let trust = format!("trust = [\"{ca}\"]\n");
    let named = "server_name = \"gateway.partner\"\n";
    for (lines, found, told) in [
        (String::new(), 0, "not trusted"),
        (own.clone(), 0, "not trusted"),
        (format!("{own}{trust}"), 0, "gateway.partner"),
        (
            format!("{own}{trust}server_name = \"other.partner\""),
            0,
            "other.partner",
        ),
        (format!("{trust}{named}"), 0, ""),
        (format!("{own}{trust}{named}"), 1, ""),
        (format!("{own}{named}pinned = [\"{server}\"]"), 1, ""),
        (format!("{own}{named}pinned = [\"{ca}\"]"), 0, "not trusted"),
    ] {
        let town = town_of(Setup::default(), &community(&partner.url(), &lines));
        let answer = find(&town).await;
        assert_eq!(
            answer.objects.len(),
            found,
            "{lines}: {:?}\n{}",
            answer.errors,
            town.log()
        );
        assert!(town.log().contains(told), "{lines}: {}", town.log());
        if found == 0 {
            // Whom the node did not authenticate is on record.
            let alert = town
                .messages()
                .iter()
                .any(|it| it.contains("110113") || it.contains("110126"));
            assert!(alert || told.is_empty(), "{lines}");
        }
        // So says the check, too.
        let check = town.run(&["check"]);
        let text = String::from_utf8(check.stdout).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("Partner ("))
            .unwrap_or_default();
        assert_eq!(line.starts_with("ok"), found == 1, "{lines}: {text}");
    }
}
