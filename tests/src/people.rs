//! People: who issues assertions and tokens of them, and the towns that believe it.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use hilum_security::development_ca::Identity;
use hilum_security::iti40_provide_x_user_assertion::{AssertionIssuer, Issue};
use hilum_security::iti72_incorporate_access_token::{IssueToken, TokenIssuer};
use hilum_security::{User, UserCode};

use crate::Town;
use crate::words::HOME;

/// How the issuer of assertions calls itself.
pub const IDP: &str = "https://idp.example";
/// How the issuer of tokens calls itself.
pub const AS: &str = "https://as.example";

/// Seconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is right").as_secs()
}

/// Somebody whom an issuer knows.
pub fn welby() -> User {
    let code = |code: &str, system: &str, display: &str| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: Some(display.to_owned()),
    };
    User {
        name: "marcus.welby".to_owned(),
        alias: Some("MW".to_owned()),
        full_name: Some("Marcus Welby".to_owned()),
        roles: vec![code("46255001", "2.16.840.1.113883.6.96", "Pharmacist")],
        purposes: vec![code("TREATMENT", "2.16.840.1.113883.3.18.7.1", "Treatment")],
        scopes: vec!["RAD-129".to_owned(), "RAD-107".to_owned()],
        ..User::default()
    }
}

/// A town that was set up, with this in its configuration file: what follows the name of a section
/// is put behind the section's head.
pub fn configure(town: &Town, sections: &[(&str, &str)]) {
    let mut text = std::fs::read_to_string(town.config()).expect("a configuration");
    for (section, lines) in sections {
        let head = format!("\n[{section}]\n");
        assert!(text.contains(&head), "{section}");
        text = text.replace(&head, &format!("{head}{lines}\n"));
    }
    std::fs::write(town.config(), text).expect("the configuration is changed");
}

/// Key and certificate `certs/NAME` of a town's authority.
pub fn identity(town: &Town, name: &str) -> Identity {
    let file =
        |extension: &str| -> PathBuf { town.node().join(format!("certs/{name}.{extension}")) };
    if !file("pem").exists() {
        let output = town.run(&["certs", name]);
        assert!(output.status.success(), "{output:?}");
    }
    Identity::read(&file("pem"), &file("key")).expect("a certificate and its key")
}

/// Who issues assertions that a town believes.
pub fn idp(town: &Town) -> AssertionIssuer {
    let identity = identity(town, "idp");
    AssertionIssuer {
        name: IDP.to_owned(),
        key: identity.key,
        certificate: identity.certificate,
    }
}

/// Who issues tokens that a town believes.
pub fn authorization_server(town: &Town) -> TokenIssuer {
    let identity = identity(town, "as");
    TokenIssuer {
        name: AS.to_owned(),
        key: identity.key,
        certificate: identity.certificate,
    }
}

/// For this town, and for five minutes.
pub fn issue() -> Issue {
    let now = i64::try_from(now()).expect("the clock is right");
    Issue {
        audience: vec![format!("urn:oid:{HOME}")],
        from: now,
        until: now + 300,
        one_time_use: false,
    }
}

/// The same of a token.
pub fn issue_token() -> IssueToken {
    IssueToken {
        audience: vec![format!("urn:oid:{HOME}")],
        from: now(),
        until: now() + 300,
    }
}
