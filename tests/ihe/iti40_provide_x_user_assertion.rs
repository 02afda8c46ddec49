//! ITI-40: who calls says for whom, and is believed or refused; over mutual TLS, and on record.

use hilum_security::iti40_provide_x_user_assertion::{AssertionIssuer, Issue};
use hilum_tests::people::{self, IDP, configure, idp, issue, welby};
use hilum_tests::words::{self, Document, Submission};
use hilum_tests::{Setup, Town};
use hilum_transport::ClientError;
use xds_schemas::codes::status::ResponseStatus;
use xds_schemas::soap::Fault;

fn believing(lines: &str) -> (Town, AssertionIssuer) {
    let town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let issuer = idp(&town);
    let lines =
        format!("{lines}\nissuer = [{{ name = \"{IDP}\", certificates = [\"certs/idp.pem\"] }}]");
    configure(&town, &[("xua", &lines)]);
    let mut town = town;
    town.start();
    (town, issuer)
}

fn assertion(issuer: &AssertionIssuer) -> String {
    issuer.issue(&welby(), &issue()).unwrap()
}

async fn ask(town: &Town) -> Result<ResponseStatus, Fault> {
    let query = words::find_documents("P-1", "ObjectRef");
    match town.query(query).await {
        Ok(answer) => Ok(answer.status),
        Err(ClientError::Fault { fault, .. }) => Err(*fault),
        Err(error) => panic!("{error}"),
    }
}

async fn ask_with(town: &mut Town, assertion: &str) -> Result<ResponseStatus, Fault> {
    let client = town.client.clone();
    town.client = client.for_user(assertion);
    let answer = ask(town).await;
    town.client = client;
    answer
}

/// Records of users who were not believed.
fn refusals(town: &Town) -> Vec<String> {
    let is_refusal = |xml: &String| xml.contains("csd-code=\"110114\"");
    town.messages().into_iter().filter(is_refusal).collect()
}

#[tokio::test]
async fn who_calls_for_somebody_is_recorded_so() {
    let (mut town, issuer) = believing("assertions = \"required\"");
    let refused = ask(&town).await.unwrap_err();
    assert!(refused.is("InvalidSecurity"), "{refused}");
    let alerts = refusals(&town);
    assert_eq!(alerts.len(), 1);
    assert!(
        alerts[0].contains("no assertion says for whom"),
        "{alerts:?}"
    );
    assert!(town.log().contains("no assertion says for whom"));

    // The repository registers for nobody in particular, as itself.
    town.client = town.client.for_user(&assertion(&issuer));
    let submission = Submission::new("P-1", vec![Document::text("hello")]);
    let response = town.provide(&submission).await.unwrap();
    assert_eq!(response.status, ResponseStatus::Success, "{response:?}");
    assert_eq!(ask(&town).await, Ok(ResponseStatus::Success));
    let id = submission.documents[0].unique_id.clone();
    let got = town.retrieve(&[&id]).await.unwrap();
    assert_eq!(got.documents[0].content, b"hello");

    let messages = town.messages();
    for transaction in ["ITI-41", "ITI-18", "ITI-43"] {
        let code = format!("csd-code=\"{transaction}\"");
        let of = |xml: &&String| xml.contains(&code) && xml.contains("marcus.welby");
        let xml = messages.iter().find(of).expect(transaction);
        for expected in [
            "UserName=\"MW&lt;marcus.welby@https://idp.example&gt;\"",
            "<PurposeOfUse csd-code=\"TREATMENT\" codeSystemName=\"2.16.840.1.113883.3.18.7.1\" \
             originalText=\"Treatment\"/>",
            "<RoleIDCode csd-code=\"46255001\" codeSystemName=\"2.16.840.1.113883.6.96\" \
             originalText=\"Pharmacist\"/>",
        ] {
            assert!(xml.contains(expected), "{expected}: {xml}");
        }
    }
    assert_eq!(refusals(&town).len(), 1);
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_told_to_the_operator_only() {
    let (mut town, issuer) = believing("assertions = \"accepted\"");
    let good = assertion(&issuer);
    let at = |from: i64, until: i64| {
        let mut when = issue();
        when.from += from;
        when.until = issue().from + until;
        issuer.issue(&welby(), &when).unwrap()
    };
    let mut elsewhere = issue();
    elsewhere.audience = vec!["urn:oid:2.999.404".to_owned()];
    let stranger = people::identity(&town, "stranger");
    let stranger = AssertionIssuer {
        name: IDP.to_owned(),
        key: stranger.key,
        certificate: stranger.certificate,
    };
    let signature =
        good.find("<ds:Signature ").unwrap()..good.find("</ds:Signature>").unwrap() + 15;
    let bare = good.replace(&good[signature.clone()], "");
    let evil = bare
        .replacen(" ID=\"_", " ID=\"_evil", 1)
        .replace("marcus.welby", "admin");
    let wrapped = evil.replacen(
        "</saml:Issuer>",
        &format!("</saml:Issuer>{}", &good[signature]),
        1,
    );
    for (text, fault, why) in [
        (
            good.replace("marcus", "mallory"),
            "FailedCheck",
            "not what was signed",
        ),
        (bare.clone(), "InvalidSecurityToken", "not signed"),
        (at(-7200, -3600), "FailedAuthentication", "has expired"),
        (at(3600, 7200), "FailedAuthentication", "not valid yet"),
        (
            issuer.issue(&welby(), &elsewhere).unwrap(),
            "FailedAuthentication",
            "meant for others",
        ),
        (
            stranger.issue(&welby(), &issue()).unwrap(),
            "FailedCheck",
            "not of a certificate",
        ),
        (
            format!("{good}{good}"),
            "InvalidSecurity",
            "several assertions",
        ),
        (wrapped, "InvalidSecurityToken", "over something else"),
        (
            good.replace("marcus.welby", "marcus<!---->.welby"),
            "InvalidSecurityToken",
            "comments",
        ),
        (
            good.replace("xmldsig-more#ecdsa-sha256", "xmldsig-more#ecdsa-sha1"),
            "UnsupportedAlgorithm",
            "not accepted",
        ),
        (
            good.replace("marcus.welby", &"x".repeat(300_000)),
            "UnsupportedSecurityToken",
            "too long",
        ),
    ] {
        let before = refusals(&town).len();
        let refused = ask_with(&mut town, &text).await.expect_err(why);
        assert!(refused.is(fault), "{why}: {refused}");
        assert!(!refused.to_string().contains(why), "{refused}");
        let alerts = refusals(&town);
        assert_eq!(alerts.len(), before + 1, "{why}");
        assert!(alerts[before].contains(why), "{why}: {}", alerts[before]);
        assert!(town.log().contains(why), "{why}");
    }
    assert_eq!(
        ask_with(&mut town, &good).await,
        Ok(ResponseStatus::Success)
    );
    assert_eq!(ask(&town).await, Ok(ResponseStatus::Success));
    // What was shown gets into neither log nor records.
    let value = good.split("SignatureValue>").nth(1).unwrap();
    let value = value.split('<').next().unwrap();
    assert!(!town.log().contains(value));
    assert!(!town.messages().iter().any(|xml| xml.contains(value)));
}

#[tokio::test]
async fn an_assertion_is_of_who_showed_it_first() {
    let (mut town, issuer) = believing("assertions = \"accepted\"");
    let text = assertion(&issuer);
    assert_eq!(
        ask_with(&mut town, &text).await,
        Ok(ResponseStatus::Success)
    );
    assert_eq!(
        ask_with(&mut town, &text).await,
        Ok(ResponseStatus::Success)
    );
    people::identity(&town, "thief");
    let thief = town.client_named("thief");
    let own = std::mem::replace(&mut town.client, thief);
    let refused = ask_with(&mut town, &text).await.unwrap_err();
    assert!(refused.is("FailedAuthentication"), "{refused}");
    assert!(refusals(&town)[0].contains("replayed"));
    town.client = own;
    let once = issuer.issue(
        &welby(),
        &Issue {
            one_time_use: true,
            ..issue()
        },
    );
    let once = once.unwrap();
    assert_eq!(
        ask_with(&mut town, &once).await,
        Ok(ResponseStatus::Success)
    );
    let refused = ask_with(&mut town, &once).await.unwrap_err();
    assert!(refused.is("FailedAuthentication"), "{refused}");
}

/// Who is not asked for users understands nothing of them, and says so if it is insisted on.
#[tokio::test]
async fn where_users_are_not_known_the_header_is_not_understood() {
    let mut town = Town::set_up(Setup {
        uncounted: true,
        ..Setup::default()
    });
    let text = assertion(&idp(&town));
    town.start();
    let refused = ask_with(&mut town, &text).await.unwrap_err();
    assert!(refused.is("MustUnderstand"), "{refused}");
}

#[tokio::test]
async fn rooms_may_be_left_open() {
    let lines = "assertions = \"required\"\noptional_rooms = [\"registry\"]";
    let (town, _) = believing(lines);
    assert_eq!(ask(&town).await, Ok(ResponseStatus::Success));
    let submission = Submission::new("P-1", vec![Document::text("hello")]);
    match town.provide(&submission).await {
        Err(ClientError::Fault { fault, .. }) => assert!(fault.is("InvalidSecurity"), "{fault}"),
        other => panic!("{other:?}"),
    }
}

/// The command has an issuer of its own, and its other commands ask for whom it names.
#[tokio::test]
async fn the_command_issues_and_shows_assertions() {
    let (town, _) = believing("assertions = \"required\"");
    let issued = town.run(&[
        "assertion",
        "--issuer",
        IDP,
        "--issuer-key",
        "certs/idp.key",
        "--user",
        "house",
        "--purpose",
        "RESEARCH^Research^2.16.840.1.113883.3.18.7.1",
    ]);
    assert!(issued.status.success(), "{issued:?}");
    std::fs::write(town.node().join("house.xml"), &issued.stdout).unwrap();
    let output = town.run(&["query", "--patient", "P-1", "--assertion", "house.xml"]);
    assert!(output.status.success(), "{output:?}");
    let of_house = |xml: &String| xml.contains("&lt;house@https://idp.example&gt;");
    let messages = town.messages();
    let recorded: Vec<&String> = messages.iter().filter(|xml| of_house(xml)).collect();
    // By the registry and, if its records are listed too, by the command.
    assert!(!recorded.is_empty(), "{messages:?}");
    assert!(
        recorded
            .iter()
            .all(|xml| xml.contains("csd-code=\"RESEARCH\""))
    );
    let garbled = town.run(&["query", "--patient", "P-1", "--assertion", "hilum.toml"]);
    assert_eq!(garbled.status.code(), Some(2), "{garbled:?}");
}
