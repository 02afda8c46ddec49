//! For whom a partner is asked: the caller's assertion, one of this node that says the same, or nothing.

use std::process::Command;

use hilum_security::iti40_provide_x_user_assertion::AssertionIssuer;
use hilum_tests::partner::{Asked, Said};
use hilum_tests::people::{IDP, configure, identity, idp, issue, welby};
use hilum_tests::{Partner, Setup, Town};

use super::{HOME, community, find, usual, write};

/// As whom the town issues assertions.
const GATEWAY: &str = "https://hilum.example/gateway";

/// The assertion in a message.
fn assertion(asked: &Asked) -> Option<String> {
    let from = asked
        .body
        .find("<saml2:Assertion")
        .or_else(|| asked.body.find("<saml:Assertion"))?;
    let rest = &asked.body[from..];
    let name = rest[1..].split([' ', '>']).next()?;
    let end = format!("</{name}>");
    let length = rest.find(&end)? + end.len();
    Some(rest[..length].to_owned())
}

/// Whether a key signed an assertion, as a program of others says.
fn is_signed_by(town: &Town, assertion: &str, certificate: &str) -> bool {
    let file = town.folder().join("assertion.xml");
    std::fs::write(&file, assertion).unwrap();
    let mut command = Command::new("xmlsec1");
    command.args(["--verify", "--pubkey-cert-pem"]);
    command.arg(town.node().join("certs").join(certificate));
    command.args([
        "--id-attr:ID",
        "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
    ]);
    let output = command
        .arg(&file)
        .output()
        .expect("xmlsec1 is needed for this test");
    output.status.success()
}

/// A town with an issuer of its own, and a partner that is told of users in this way.
fn town(partner: &Partner, lines: &str) -> (Town, AssertionIssuer) {
    let town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let issuer = idp(&town);
    identity(&town, "gateway");
    let believed = format!(
        "assertions = \"accepted\"\nissuer = [{{ name = \"{IDP}\", certificates = [\"certs/idp.pem\"] }}]"
    );
    let own = format!("issuer = \"{GATEWAY}\"\nissuer_key = \"certs/gateway.key\"");
    configure(&town, &[("xua", &believed), ("gateway", &own)]);
    write(&town, &community(&partner.url(), lines));
    let mut town = town;
    town.start();
    (town, issuer)
}

/// What the partner was shown when somebody asked for a user.
async fn shown(partner: &Partner, lines: &str) -> (Town, Option<String>, usize) {
    let (mut town, issuer) = town(partner, lines);
    let said = issuer.issue(&welby(), &issue()).unwrap();
    town.client = town.client.for_user(&said);
    let found = find(&town).await;
    let shown = partner.asked().last().and_then(assertion);
    (town, shown, found.objects.len())
}

#[tokio::test]
async fn who_believes_the_gateway_only_gets_its_assertion() {
    let partner = Partner::open(|asked| match assertion(asked) {
        Some(assertion) if assertion.contains(&format!(">{GATEWAY}<")) => usual(asked),
        _ => Said::fault("nobody whom I know says for whom this is asked"),
    });
    let (town, passed, found) = shown(&partner, "").await;
    let passed = passed.unwrap();
    assert_eq!(found, 0, "it does not know the caller's issuer");
    assert!(is_signed_by(&town, &passed, "idp.pem"));
    drop(town);

    let lines = "identity = \"issue\"\naudience = [\"urn:oid:2.999.77\"]\nassertion_minutes = 2";
    let (town, issued, found) = shown(&partner, lines).await;
    let issued = issued.unwrap();
    assert_eq!(found, 1);
    assert!(is_signed_by(&town, &issued, "gateway.pem"));
    assert!(!is_signed_by(&town, &issued, "idp.pem"));
    // It says the same of the user, and is for the partner alone.
    for same in ["marcus.welby", "Marcus Welby", "46255001", "TREATMENT"] {
        assert!(issued.contains(same), "{same}: {issued}");
    }
    assert!(issued.contains(&format!("Audience>{HOME}<")), "{issued}");
    assert!(
        issued.contains("urn:oid:2.999.2"),
        "from which community: {issued}"
    );
    let time = |name: &str| {
        let (_, rest) = issued.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let [from, until] = ["NotBefore", "NotOnOrAfter"].map(time);
    let minutes = |time: &str| -> u32 {
        let hour: u32 = time[11..13].parse().unwrap();
        hour * 60 + time[14..16].parse::<u32>().unwrap()
    };
    let valid = (minutes(&until) + 24 * 60 - minutes(&from)) % (24 * 60);
    assert!(valid <= 2, "{from} {until}");
}

#[tokio::test]
async fn who_is_to_know_nothing_is_told_nothing() {
    let partner = Partner::open(usual);
    let (_town, shown, found) = shown(&partner, "identity = \"none\"").await;
    assert_eq!((shown, found), (None, 1));
    let body = partner.asked().last().unwrap().body.clone();
    assert!(
        !body.contains("welby") && !body.contains("Security"),
        "{body}"
    );
}
