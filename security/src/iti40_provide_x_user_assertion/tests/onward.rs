//! What is said onward says the same of the user, and never allows more.

use super::*;

const OTHER: &str = "urn:oid:9.9.9";

fn said_onward(scene: &Scene, first: &str, lifetime: u64) -> Result<Assertion, UserRefused> {
    let audience = [OTHER.to_owned()];
    let onward = Onward {
        audience: &audience,
        lifetime: Duration::from_secs(lifetime),
        home: "urn:oid:2.999.1",
        now: u64::try_from(now()).unwrap(),
    };
    let gateway = AssertionIssuer {
        name: "https://gateway.example".to_owned(),
        key: scene.issuer.key.clone(),
        certificate: scene.issuer.certificate.clone(),
    };
    let said = gateway.issue_onward(first, &onward)?;
    Ok(Assertion::read(said.as_bytes()).unwrap())
}

#[test]
fn the_user_is_the_same_and_the_issuer_is_another() {
    let scene = Scene::new();
    let first = scene.issued();
    let said = said_onward(&scene, &first, 60).unwrap();
    let read = claims::user(&said).unwrap();
    let issuer = "https://gateway.example".to_owned();
    assert_eq!(read, User { issuer, ..user() });
    let conditions = said.conditions.unwrap();
    assert_eq!(conditions.audiences, [[OTHER.to_owned()]]);
    assert_ne!(said.id, Assertion::read(first.as_bytes()).unwrap().id);
    // Who does not say from which community they are is of this one; who says so stays.
    let homeless = User {
        home_community_id: None,
        ..user()
    };
    let first = scene.issuer.issue(&homeless, &issue()).unwrap();
    let said = said_onward(&scene, &first, 60).unwrap();
    let home = claims::user(&said).unwrap().home_community_id;
    assert_eq!(home.as_deref(), Some("urn:oid:2.999.1"));
}

#[test]
fn it_holds_no_longer_than_what_was_said_first() {
    let scene = Scene::new();
    let until = |first: &str, lifetime| {
        let said = said_onward(&scene, first, lifetime).unwrap();
        let conditions = said.conditions.unwrap();
        (
            conditions.not_on_or_after.unwrap() - now(),
            conditions.one_time_use,
        )
    };
    let (seconds, once) = until(&scene.issued(), 60);
    assert!((58..=60).contains(&seconds), "{seconds}");
    assert!(!once);
    let (seconds, _) = until(&scene.issued(), 3600);
    assert!((298..=300).contains(&seconds), "{seconds}");
    let session = scene.signed(|it| {
        it.authentications[0].session_not_on_or_after = Some(now() + 30);
    });
    let (seconds, _) = until(&session, 3600);
    assert!((28..=30).contains(&seconds), "{seconds}");
    let once = Issue {
        one_time_use: true,
        ..issue()
    };
    let once = scene.issuer.issue(&user(), &once).unwrap();
    assert!(until(&once, 60).1, "what is for one use still is");
    let over = Issue {
        from: now() - 300,
        until: now() - 1,
        ..issue()
    };
    let over = scene.issuer.issue(&user(), &over).unwrap();
    let refused = said_onward(&scene, &over, 60).unwrap_err();
    assert!(refused.why.contains("expired"), "{refused}");
    assert!(said_onward(&scene, "<a/>", 60).is_err());
}
