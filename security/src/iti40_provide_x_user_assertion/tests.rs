mod attacks;
mod onward;
mod referee;

use std::net::SocketAddr;

use openssl::rsa::Rsa;
use openssl::x509::X509Builder;
use tempfile::TempDir;
use xds_schemas::soap;
use xds_schemas::xml::ns;

use super::*;
use crate::caller::{NodeName, Shown, UserCode};
use crate::development_ca::Identity;

const ISSUER: &str = "https://idp.example";
const AUDIENCE: &str = "urn:oid:1.2.3";

/// An issuer, and a node that trusts it.
struct Scene {
    folder: TempDir,
    issuer: AssertionIssuer,
    settings: Settings,
    node: Assertions,
}

enum Kind {
    Ecdsa,
    Rsa(u32),
}

fn identity(kind: Kind) -> Identity {
    let authority = Identity::authority("IdP CA", 2).unwrap();
    let mut identity = authority.issue("idp", &[], 2).unwrap();
    if let Kind::Rsa(bits) = kind {
        let key = PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_version(2).unwrap();
        builder.set_pubkey(&key).unwrap();
        let old = &identity.certificate;
        builder.set_subject_name(old.subject_name()).unwrap();
        builder.set_issuer_name(old.subject_name()).unwrap();
        let (from, until) = (
            Asn1Time::from_unix(0).unwrap(),
            Asn1Time::days_from_now(900),
        );
        builder.set_not_before(&from).unwrap();
        builder.set_not_after(&until.unwrap()).unwrap();
        builder
            .sign(&key, openssl::hash::MessageDigest::sha256())
            .unwrap();
        identity = Identity {
            certificate: builder.build(),
            key,
        };
    }
    identity
}

/// The tests' clock is the day for which the certificates are made.
fn clock() -> SystemTime {
    SystemTime::now()
}

fn now() -> Seconds {
    let since = clock().duration_since(UNIX_EPOCH).unwrap();
    Seconds::try_from(since.as_secs()).unwrap()
}

impl Scene {
    fn new() -> Self {
        Self::with(Kind::Ecdsa, |_| {})
    }

    fn with(kind: Kind, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(kind);
        let file = folder.path().join("idp.pem");
        std::fs::write(&file, identity.certificate.to_pem().unwrap()).unwrap();
        let mut settings = Settings {
            need: Need::Required,
            audience: vec![AUDIENCE.to_owned()],
            issuers: vec![Issuer {
                name: ISSUER.to_owned(),
                certificates: vec![file],
            }],
            skew: Duration::from_secs(SKEW_SECONDS),
            longest_lifetime: Duration::from_secs(LONGEST_LIFETIME_SECONDS),
            authentication: Vec::new(),
            replay: Replay::OtherNodes,
            remembered: 1000,
            nodes_without_users: vec!["99".repeat(32)],
        };
        change(&mut settings);
        Self {
            folder,
            issuer: AssertionIssuer {
                name: ISSUER.to_owned(),
                key: identity.key,
                certificate: identity.certificate,
            },
            node: Assertions::open(settings.clone()).unwrap(),
            settings,
        }
    }

    fn issued(&self) -> String {
        self.issuer.issue(&user(), &issue()).unwrap()
    }

    fn assertion(&self) -> Assertion {
        Assertion::read(self.issued().as_bytes()).unwrap()
    }

    /// Signs what was changed.
    fn signed(&self, change: impl FnOnce(&mut Assertion)) -> String {
        let mut assertion = self.assertion();
        change(&mut assertion);
        self.issuer.sign(&assertion).unwrap()
    }

    /// Shows what stands in a header of WS-Security, as the wire brings it.
    fn show(&self, security: &str) -> Result<Option<Arc<User>>, UserRefused> {
        self.show_as(security, &caller())
    }

    fn show_as(&self, security: &str, caller: &Caller) -> Result<Option<Arc<User>>, UserRefused> {
        let message = message(&format!(
            "<wsse:Security xmlns:wsse='{}' env:mustUnderstand='1'>{security}</wsse:Security>",
            ns::WSSE
        ));
        self.judge(&message, caller)
    }

    fn judge(&self, message: &str, caller: &Caller) -> Result<Option<Arc<User>>, UserRefused> {
        let read = soap::read_header_and_security(message.as_bytes());
        let (_, security) = read.map_err(|refused| {
            UserRefused::new(SecurityFault::InvalidSecurity, refused.fault.reason)
        })?;
        self.node.judge(&security, false, caller, clock())
    }

    fn refused(&self, security: &str, fault: SecurityFault, why: &str) {
        let refused = self.show(security).expect_err(why);
        assert!(refused.why.contains(why), "{why}: {refused:?}");
        assert_eq!(refused.fault, fault, "{refused:?}");
        // Whoever calls learns nothing of it.
        assert!(!refused.fault().reason.contains(why));
    }
}

fn message(headers: &str) -> String {
    format!(
        "<env:Envelope xmlns:env='{}' xmlns:wsa='{}'><env:Header><wsa:Action>urn:do</wsa:Action>\
         {headers}</env:Header><env:Body/></env:Envelope>",
        ns::SOAP,
        ns::WSA
    )
}

fn caller() -> Caller {
    node('a')
}

fn node(letter: char) -> Caller {
    let address: SocketAddr = "192.0.2.7:50000".parse().unwrap();
    Caller {
        node: Some(NodeName {
            subject: "CN=viewer".to_owned(),
            fingerprint: letter.to_string().repeat(64),
            certificate: Shown::default(),
        }),
        ..Caller::unknown(address)
    }
}

fn code(code: &str, system: &str, display: &str) -> UserCode {
    UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display: Some(display.to_owned()),
    }
}

fn user() -> User {
    let some = |text: &str| Some(text.to_owned());
    User {
        name: "John.Doe".to_owned(),
        issuer: ISSUER.to_owned(),
        alias: some("JD"),
        full_name: some("Walter H.Brattain IV"),
        organization: some("Family & Medical <Clinic>"),
        organization_id: some("urn:oid:2.999.5"),
        home_community_id: some("urn:oid:2.999.6"),
        provider_ids: vec!["1234567890".to_owned()],
        roles: vec![code("46255001", "2.16.840.1.113883.6.96", "Pharmacist")],
        purposes: vec![code("TREATMENT", "2.16.840.1.113883.3.18.7.1", "Treatment")],
        patient_id: some("543797436^^^&1.2.840.113619.6.197&ISO"),
        consent_document: some("urn:oid:1.2.3.4"),
        privacy_policy: some("urn:oid:1.2.3.5"),
        reason: some("unconscious"),
        ..User::default()
    }
}

fn issue() -> Issue {
    Issue {
        audience: vec![AUDIENCE.to_owned()],
        from: now(),
        until: now() + 300,
        one_time_use: false,
    }
}

#[test]
fn everything_that_is_said_of_a_user_arrives() {
    for kind in [Kind::Ecdsa, Kind::Rsa(2048)] {
        let scene = Scene::with(kind, |_| {});
        let found = scene.show(&scene.issued()).unwrap();
        assert_eq!(*found.unwrap(), user());
        assert_eq!(said_by(&scene.issued()).unwrap(), user());
    }
}

#[test]
fn who_must_say_for_whom_they_call() {
    let scene = Scene::new();
    let nobody = message("");
    let refused = scene.judge(&nobody, &caller()).unwrap_err();
    assert_eq!(refused.fault, SecurityFault::InvalidSecurity);
    let ours = scene.judge(&nobody, &node('9'));
    assert_eq!(ours, Ok(None));
    let optional = Security::default();
    assert_eq!(
        scene.node.judge(&optional, true, &caller(), clock()),
        Ok(None)
    );
    let lax = Scene::with(Kind::Ecdsa, |settings| settings.need = Need::Accepted);
    assert_eq!(lax.judge(&nobody, &caller()), Ok(None));
    // But who says it must be right.
    lax.refused(
        &lax.issued().replace("John.Doe", "Jane.Doe"),
        SecurityFault::FailedCheck,
        "not what was signed",
    );
}

#[test]
fn time_decides_with_a_leave_that_is_stated() {
    let scene = Scene::new();
    let at = |text: &str, seconds: Seconds| {
        let at = u64::try_from(now() + seconds).unwrap();
        let at = UNIX_EPOCH + Duration::from_secs(at);
        let text = scene.node.believe(text, &caller(), at);
        text.map(|_| ()).map_err(|refused| refused.why)
    };
    let issued = scene.issued();
    assert_eq!(at(&issued, 0), Ok(()));
    assert_eq!(at(&issued, -50), Ok(()));
    assert_eq!(at(&issued, 355), Ok(()));
    assert!(at(&issued, -120).unwrap_err().contains("not valid yet"));
    assert!(at(&issued, 361).unwrap_err().contains("expired"));
    let session = scene.signed(|assertion| {
        assertion.authentications[0].session_not_on_or_after = Some(now() + 10);
    });
    assert!(at(&session, 80).unwrap_err().contains("session"));
    let confirmed = scene.signed(|assertion| {
        let subject = assertion.subject.as_mut().unwrap();
        subject.confirmations[0].not_on_or_after = Some(now() + 10);
    });
    assert!(at(&confirmed, 80).unwrap_err().contains("confirmation"));
    // What ends before it begins never holds, whatever leave clocks have.
    for (from, until) in [(20, 10), (10, 10), (30, -30)] {
        let inverted = scene.signed(|assertion| {
            let conditions = assertion.conditions.as_mut().unwrap();
            conditions.not_before = Some(now() + from);
            conditions.not_on_or_after = Some(now() + until);
        });
        assert!(
            at(&inverted, 0)
                .unwrap_err()
                .contains("ends before it begins")
        );
        let inverted = scene.signed(|assertion| {
            let subject = assertion.subject.as_mut().unwrap();
            subject.confirmations[0].not_before = Some(now() + from);
            subject.confirmations[0].not_on_or_after = Some(now() + until);
        });
        assert!(
            at(&inverted, 0)
                .unwrap_err()
                .contains("ends before it begins")
        );
    }
    // The issuer's certificate ends after two days.
    let long = scene.signed(|assertion| {
        let conditions = assertion.conditions.as_mut().unwrap();
        conditions.not_before = Some(now() + 86_400 * 3);
        conditions.not_on_or_after = Some(now() + 86_400 * 4);
    });
    let late = at(&long, 86_400 * 3 + 9);
    assert!(late.unwrap_err().contains("certificate"));
}

#[test]
fn the_message_itself_may_expire() {
    let scene = Scene::new();
    let stamped = |expires: &str| {
        format!(
            "<u:Timestamp xmlns:u='{}'><u:Expires>{expires}</u:Expires></u:Timestamp>{}",
            ns::WSU,
            scene.issued()
        )
    };
    assert!(scene.show(&stamped("2099-01-01T00:00:00Z")).is_ok());
    scene.refused(
        &stamped("2020-01-01T00:00:00Z"),
        SecurityFault::MessageExpired,
        "the message has expired",
    );
    scene.refused(
        &stamped("soon"),
        SecurityFault::InvalidSecurity,
        "timestamp",
    );
}

/// ITI TF-2 3.40.4.1.2: an assertion names an audience, of several restrictions one each.
#[test]
fn audiences_are_all_of_lists_of_one_of() {
    let scene = Scene::new();
    let show = |audiences: &[&[&str]]| {
        let lists = audiences
            .iter()
            .map(|list| list.iter().map(|it| (*it).to_owned()));
        let lists = lists.map(Iterator::collect).collect();
        let text = scene.signed(|assertion| {
            assertion.conditions.as_mut().unwrap().audiences = lists;
        });
        scene.show(&text).map_err(|refused| refused.why)
    };
    assert!(show(&[&["urn:other", AUDIENCE]]).is_ok());
    assert!(show(&[&[AUDIENCE], &["urn:x", AUDIENCE]]).is_ok());
    for audiences in [
        &[&["urn:other"][..]][..],
        &[&[AUDIENCE], &["urn:other"]],
        &[&["urn:oid:1.2.3.4"]],
        &[&[][..]],
    ] {
        let why = show(audiences).unwrap_err();
        assert!(why.contains("meant for others"), "{audiences:?}: {why}");
    }
    assert!(show(&[]).unwrap_err().contains("no audience"));
}

/// ITI TF-2 3.40.4.1.2: an assertion has a Subject, Conditions with NotBefore, and an AuthnStatement.
#[test]
fn what_iti_40_demands_must_be_there() {
    let scene = Scene::new();
    type Change = fn(&mut Assertion);
    let changes: [(Change, &str); 8] = [
        (|it| it.subject = None, "no Subject"),
        (|it| it.subject.as_mut().unwrap().name = None, "no name"),
        (
            |it| it.subject.as_mut().unwrap().confirmations.clear(),
            "confirmed",
        ),
        (|it| it.conditions = None, "no Conditions"),
        (
            |it| it.conditions.as_mut().unwrap().not_before = None,
            "lacks NotBefore",
        ),
        (
            |it| it.conditions.as_mut().unwrap().not_on_or_after = None,
            "NotOnOrAfter",
        ),
        (|it| it.authentications.clear(), "authenticated"),
        (
            |it| it.subject.as_mut().unwrap().name = Some("a\u{85}b".to_owned()),
            "control",
        ),
    ];
    for (change, why) in changes {
        let text = scene.signed(change);
        scene.refused(&text, SecurityFault::InvalidSecurityToken, why);
    }
}

#[test]
fn what_does_not_hold_here_is_refused() {
    let scene = Scene::with(Kind::Ecdsa, |settings| {
        settings.authentication = vec!["urn:strong".to_owned()];
    });
    let signed = |change: fn(&mut Assertion)| {
        scene.signed(|assertion| {
            assertion.authentications[0].context = Some("urn:strong".to_owned());
            change(assertion);
        })
    };
    let failed = SecurityFault::FailedAuthentication;
    assert!(scene.show(&signed(|_| {})).is_ok());
    scene.refused(&scene.issued(), failed, "in a way that is not accepted");
    let voucher = signed(|it| {
        let vouches = "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches";
        it.subject.as_mut().unwrap().confirmations[0].method = vouches.to_owned();
    });
    scene.refused(&voucher, failed, "confirmed in a way");
    let long = signed(|it| {
        it.conditions.as_mut().unwrap().not_on_or_after = Some(now() + 90_000);
    });
    scene.refused(&long, failed, "for longer than");
    let condition = signed(|it| it.conditions.as_mut().unwrap().one_time_use = true);
    assert!(scene.show(&condition).is_ok());
}

/// ITI TF-2 3.40.4.1.2: bearers are confirmed, and holders of keys.
#[test]
fn keys_are_held_by_whom_the_connection_shows() {
    let scene = Scene::new();
    let viewer = Identity::authority("CA", 1).unwrap();
    let name = NodeName::of(&viewer.certificate).unwrap();
    let certificate = openssl::base64::encode_block(&viewer.certificate.to_der().unwrap());
    let text = scene.signed(|assertion| {
        let confirmation = &mut assertion.subject.as_mut().unwrap().confirmations[0];
        confirmation.method = xds_schemas::saml::HOLDER_OF_KEY.to_owned();
        confirmation.certificates = vec![certificate];
    });
    let holder = Caller {
        node: Some(name),
        ..caller()
    };
    assert!(scene.show_as(&text, &holder).is_ok());
    let other = scene.show_as(&text, &caller()).unwrap_err();
    assert!(other.why.contains("does not hold the key"), "{other:?}");
    let nobody = Caller::unknown(caller().address);
    assert!(scene.show_as(&text, &nobody).is_err());
}

#[test]
fn assertions_are_used_again_as_the_operator_says() {
    // By the same node, by another, by one that forwards; and again of one for one use.
    for (replay, same, other, forwarded, one_time) in [
        (Replay::OtherNodes, true, false, true, false),
        (Replay::Refuse, false, false, false, false),
        (Replay::OneTimeUse, true, true, true, false),
        (Replay::Allow, true, true, true, true),
    ] {
        let scene = Scene::with(Kind::Ecdsa, |settings| settings.replay = replay);
        let text = scene.issued();
        let shown = |text: &str, by: char| scene.show_as(text, &node(by)).is_ok();
        assert!(shown(&text, 'a'), "{replay:?}");
        assert_eq!(shown(&text, 'a'), same, "{replay:?}");
        assert_eq!(shown(&text, 'b'), other, "{replay:?}");
        assert_eq!(shown(&text, '9'), forwarded, "{replay:?}");
        let once = scene.signed(|it| it.conditions.as_mut().unwrap().one_time_use = true);
        assert!(shown(&once, 'a'), "{replay:?}");
        assert_eq!(shown(&once, 'a'), one_time, "{replay:?}");
    }
}

#[test]
fn issuers_are_who_they_say() {
    let scene = Scene::new();
    let other = AssertionIssuer {
        name: "https://other.example".to_owned(),
        key: scene.issuer.key.clone(),
        certificate: scene.issuer.certificate.clone(),
    };
    // The right key, but the name of somebody who is not trusted.
    scene.refused(
        &other.issue(&user(), &issue()).unwrap(),
        SecurityFault::FailedAuthentication,
        "issuer is not trusted",
    );
    // Two issuers, each of whom signs as the other.
    let folder = scene.folder.path();
    let second = identity(Kind::Ecdsa);
    let file = folder.join("other.pem");
    std::fs::write(&file, second.certificate.to_pem().unwrap()).unwrap();
    let mut settings = scene.settings.clone();
    settings.issuers.push(Issuer {
        name: "https://other.example".to_owned(),
        certificates: vec![file],
    });
    let node = Assertions::open(settings).unwrap();
    let text = other.issue(&user(), &issue()).unwrap();
    let refused = node.believe(&text, &caller(), clock()).unwrap_err();
    assert_eq!(refused.fault, SecurityFault::FailedCheck);
}

#[test]
fn weak_keys_are_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weak.pem");
    std::fs::write(
        &file,
        identity(Kind::Rsa(1024)).certificate.to_pem().unwrap(),
    )
    .unwrap();
    let mut settings = Scene::new().settings;
    settings.issuers[0].certificates = vec![file];
    let refused = Assertions::open(settings).unwrap_err();
    assert!(refused.to_string().contains("2048"), "{refused}");
}
