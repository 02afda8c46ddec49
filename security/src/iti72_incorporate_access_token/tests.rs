use std::net::SocketAddr;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

use super::*;
use crate::caller::UserCode;
use crate::development_ca::Identity;

const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "urn:oid:1.2.3";

/// An issuer, and who believes it.
struct Scene {
    issuer: TokenIssuer,
    keys: Keys,
    judge: TokenJudge,
}

fn identity(rsa: bool) -> Identity {
    let mut identity = Identity::authority("AS", 2).unwrap();
    if rsa {
        identity.key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    }
    identity
}

fn settings() -> TokenSettings {
    TokenSettings {
        need: Need::Required,
        audience: vec![AUDIENCE.to_owned()],
        authorities: vec![Authority {
            name: ISSUER.to_owned(),
            secret: None,
        }],
        skew: Duration::from_secs(60),
        longest_lifetime: Duration::from_secs(3600),
        replay: Replay::Allow,
        remembered: 100,
        scopes: Vec::new(),
    }
}

impl Scene {
    fn new(rsa: bool) -> Self {
        Self::with(rsa, settings())
    }

    fn with(rsa: bool, settings: TokenSettings) -> Self {
        let identity = identity(rsa);
        let issuer = TokenIssuer {
            name: ISSUER.to_owned(),
            key: identity.key,
            certificate: identity.certificate,
        };
        Self {
            keys: Keys::read(issuer.keys().unwrap().as_bytes()).unwrap(),
            issuer,
            judge: TokenJudge::new(settings).unwrap(),
        }
    }

    fn show(&self, token: &str) -> Result<User, UserRefused> {
        self.show_at(token, SystemTime::now())
    }

    fn show_at(&self, token: &str, now: SystemTime) -> Result<User, UserRefused> {
        match self.judge.look(token)? {
            TokenKind::Jwt { authority, .. } => {
                self.judge
                    .believe(token, authority, &self.keys, &caller(), now)
            }
            other => Err(UserRefused::invalid(format!("{other:?}"))),
        }
    }

    fn refused(&self, token: &str, why: &str) {
        let refused = self.show(token).expect_err(why);
        assert!(refused.why.contains(why), "{why}: {refused}");
    }
}

fn caller() -> Caller {
    let address: SocketAddr = "192.0.2.7:50000".parse().unwrap();
    Caller::unknown(address)
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs()
}

fn user() -> User {
    let some = |text: &str| Some(text.to_owned());
    let code = |code: &str, system: &str, display| UserCode {
        code: code.to_owned(),
        system: system.to_owned(),
        display,
    };
    User {
        name: "b3ca1045".to_owned(),
        issuer: ISSUER.to_owned(),
        vouched: Vouched::Token,
        alias: some(AUDIENCE),
        full_name: some("Dr. John Smith"),
        organization: some("Central Hospital"),
        organization_id: some("urn:oid:1.2.3.4"),
        home_community_id: some("urn:oid:1.2.3.4.5"),
        provider_ids: vec!["123".to_owned(), "456".to_owned()],
        roles: vec![code(
            "pharmacist",
            "http://terminology.hl7.org/CodeSystem/practitioner-role",
            some("Pharmacist"),
        )],
        purposes: vec![
            code("TREAT", "urn:act-reason", None),
            code("BTG", "urn:act-reason", None),
        ],
        patient_id: some("543797436^^^&1.2.840.113619.6.197&ISO"),
        consent_document: some("urn:oid:1.2.3.6"),
        privacy_policy: some("urn:oid:1.2.3.7"),
        client_id: some("viewer"),
        scopes: vec!["RAD-107".to_owned()],
        permissions: Some(vec![Permission::Retrieve]),
        reason: some("unconscious"),
    }
}

use crate::caller::Vouched;

fn issue() -> IssueToken {
    IssueToken {
        audience: vec!["urn:other".to_owned(), AUDIENCE.to_owned()],
        from: now(),
        until: now() + 300,
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "me", "client_id": "viewer", "aud": AUDIENCE, "jti": "1",
        "iat": now(), "exp": now() + 300, "scope": "RAD-107",
    })
}

fn changed(key: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
        value => claims[key] = value,
    }
    claims
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// With what a header says, and a signature that somebody made.
fn made(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encoded(header), encoded(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(message.as_bytes()));
    format!("{message}.{signature}")
}

fn hmac(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = PKey::hmac(secret).unwrap();
    move |message| {
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.sign_oneshot_to_vec(message).unwrap()
    }
}

/// IUA 3.71.4.2.2.1: claims and extensions of a JWT make the user that an assertion makes.
#[test]
fn everything_that_is_said_of_a_user_arrives() {
    for rsa in [true, false] {
        let scene = Scene::new(rsa);
        let token = scene.issuer.issue(&user(), &issue()).unwrap();
        assert_eq!(scene.show(&token).unwrap(), user());
    }
}

#[test]
fn the_example_of_iua_is_understood() {
    let scene = Scene::new(true);
    let mut claims = claims();
    claims["extensions"] = json!({ "ihe_iua": {
        "subject_role": [{ "system": "urn:r", "code": "pharmacist", "display": "Pharmacist" }],
        "purpose_of_use": { "code": "TREAT" }, "national_provider_identifier": "1",
        "other_value": "..." }, "ihe_bppc": {}, "others": 1 });
    let user = scene.show(&scene.issuer.sign(&claims).unwrap()).unwrap();
    assert_eq!((user.roles.len(), user.purposes.len()), (1, 1));
    assert_eq!(user.provider_ids, ["1"]);
}

#[test]
fn claims_must_be_there_and_right() {
    let scene = Scene::new(false);
    for name in [
        "iss",
        "sub",
        "client_id",
        "aud",
        "jti",
        "iat",
        "exp",
        "scope",
    ] {
        let token = scene.issuer.sign(&changed(name, Value::Null)).unwrap();
        scene.refused(&token, &format!("no {name}"));
    }
    for (name, value, why) in [
        (
            "iss",
            json!("https://evil.example"),
            "issuer is not trusted",
        ),
        ("aud", json!("urn:other"), "meant for others"),
        ("aud", json!([]), "meant for others"),
        ("aud", json!(["urn:oid:1.2.3.4"]), "meant for others"),
        ("exp", json!(now() - 100), "expired"),
        ("exp", json!(now() + 10_000), "longer than"),
        ("exp", json!("tomorrow"), "cannot be read"),
        ("exp", json!(-1), "expired"),
        ("exp", json!(1e300), "longer than"),
        ("nbf", json!(now() + 1000), "not valid yet"),
        ("iat", json!(now() + 1000), "not valid yet"),
        ("sub", json!(""), "no sub"),
        ("sub", json!("a\nb"), "control"),
        ("sub", json!(["a"]), "cannot be read"),
    ] {
        let token = scene.issuer.sign(&changed(name, value)).unwrap();
        scene.refused(&token, why);
    }
    // What ends before it begins never holds, whatever leave clocks have.
    for (nbf, exp) in [(120, 110), (110, 110), (130, 70)] {
        let since = now() - 100;
        let mut claims = changed("nbf", json!(since + nbf));
        claims["exp"] = json!(since + exp);
        let token = scene.issuer.sign(&claims).unwrap();
        scene.refused(&token, "ends before it begins");
    }
    // Within the leave that clocks have, and times that are not whole.
    for (name, value) in [
        ("exp", json!(now() - 30)),
        ("nbf", json!((now() + 30) as f64 + 0.5)),
    ] {
        assert!(
            scene
                .show(&scene.issuer.sign(&changed(name, value)).unwrap())
                .is_ok()
        );
    }
}

#[test]
fn a_claim_is_there_once() {
    let scene = Scene::new(false);
    let token = scene.issuer.sign(&claims()).unwrap();
    let header = token.split('.').next().unwrap();
    let twice = claims().to_string().replacen('{', "{\"sub\":\"admin\",", 1);
    let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(twice));
    let mut signer = Signer::new(MessageDigest::sha256(), &scene.issuer.key).unwrap();
    let der = signer.sign_oneshot_to_vec(message.as_bytes()).unwrap();
    let signature = openssl::ecdsa::EcdsaSig::from_der(&der).unwrap();
    let numbers = [signature.r(), signature.s()].map(|it| it.to_vec_padded(32).unwrap());
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(numbers.concat()));
    scene.refused(&token, "cannot be read");
}

/// IUA 3.71.4.2.2.1: the algorithm none is not used.
#[test]
fn none_is_no_algorithm() {
    let scene = Scene::new(true);
    for name in ["none", "None", "NONE", "nOnE", "", "HS1", "RS1", "EdDSA"] {
        let token = made(&json!({ "alg": name }), &claims(), |_| Vec::new());
        scene.refused(&token, "algorithm is not accepted");
    }
    let token = made(&json!({}), &claims(), |_| Vec::new());
    scene.refused(&token, "algorithm is not accepted");
}

#[test]
fn a_public_key_is_no_secret() {
    let scene = Scene::new(true);
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    for secret in [
        scene.issuer.key.public_key_to_pem().unwrap(),
        scene.issuer.key.public_key_to_der().unwrap(),
        scene.issuer.certificate.to_pem().unwrap(),
        scene.issuer.keys().unwrap().into_bytes(),
    ] {
        let token = made(&header, &claims(), hmac(&secret));
        scene.refused(&token, "in another way");
    }
    // Not even if it is published as one.
    let secret = [7_u8; 32];
    let published = json!({ "keys": [{ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(secret) }] });
    let keys = Keys::read(published.to_string().as_bytes()).unwrap();
    assert!(keys.0.is_empty());
}

#[test]
fn what_was_changed_is_refused() {
    for rsa in [true, false] {
        let scene = Scene::new(rsa);
        let token = scene.issuer.sign(&claims()).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let evil = encoded(&changed("sub", json!("admin")));
        scene.refused(&format!("{}.{evil}.{}", parts[0], parts[2]), "not signed");
        scene.refused(&format!("{}.{}.", parts[0], parts[1]), "not signed");
        let mut signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        for change in [0, signature.len() / 2, signature.len() - 1] {
            signature[change] ^= 1;
            let forged = URL_SAFE_NO_PAD.encode(&signature);
            scene.refused(&format!("{}.{}.{forged}", parts[0], parts[1]), "not signed");
            signature[change] ^= 1;
        }
    }
}

#[test]
fn keys_of_others_are_refused() {
    let scene = Scene::new(true);
    let other = Scene::new(true);
    // Under a name that is not known, under the right name, and under none.
    scene.refused(&other.issuer.sign(&claims()).unwrap(), "does not have");
    let kid = NodeNameOf(&scene.issuer).name();
    let sign = |message: &[u8]| {
        let mut signer = Signer::new(MessageDigest::sha256(), &other.issuer.key).unwrap();
        signer.sign_oneshot_to_vec(message).unwrap()
    };
    let token = made(&json!({ "alg": "RS256", "kid": kid }), &claims(), sign);
    scene.refused(&token, "not signed with a key");
    let token = made(&json!({ "alg": "RS256" }), &claims(), sign);
    scene.refused(&token, "not signed with a key");
    // A key that the token itself brings along.
    let own: Value = serde_json::from_str(&other.issuer.keys().unwrap()).unwrap();
    let header = json!({ "alg": "RS256", "kid": kid, "jwk": own["keys"][0],
        "jku": "https://evil.example/jwks" });
    scene.refused(&made(&header, &claims(), sign), "not signed with a key");
    // A key is for what it says it is for.
    let ec = made(&json!({ "alg": "ES256", "kid": kid }), &claims(), sign);
    scene.refused(&ec, "does not have");
    let longer = made(&json!({ "alg": "RS512", "kid": kid }), &claims(), sign);
    scene.refused(&longer, "does not have");
}

struct NodeNameOf<'a>(&'a TokenIssuer);

impl NodeNameOf<'_> {
    fn name(&self) -> String {
        let keys: Value = serde_json::from_str(&self.0.keys().unwrap()).unwrap();
        keys["keys"][0]["kid"].as_str().unwrap().to_owned()
    }
}

#[test]
fn extensions_that_must_be_understood_are_not() {
    let scene = Scene::new(true);
    let sign = |message: &[u8]| {
        let mut signer = Signer::new(MessageDigest::sha256(), &scene.issuer.key).unwrap();
        signer.sign_oneshot_to_vec(message).unwrap()
    };
    let plain = made(&json!({ "alg": "RS256" }), &claims(), sign);
    assert!(scene.show(&plain).is_ok());
    let header = json!({ "alg": "RS256", "crit": ["b64"], "b64": false });
    assert!(scene.show(&made(&header, &claims(), sign)).is_err());
}

#[test]
fn secrets_are_shared_and_long() {
    let mut wanted = settings();
    let secret = vec![7; 32];
    wanted.authorities[0].secret = Some(secret.clone());
    let scene = Scene::with(true, wanted);
    let header = json!({ "alg": "HS256", "typ": "IUA-JWT" });
    let token = made(&header, &claims(), hmac(&secret));
    assert_eq!(scene.show(&token).unwrap().name, "me");
    scene.refused(&made(&header, &claims(), hmac(&[8; 32])), "not signed");
    // Who shares a secret signs with nothing else.
    scene.refused(&scene.issuer.sign(&claims()).unwrap(), "in another way");
    let mut wanted = settings();
    wanted.authorities[0].secret = Some(b"short".to_vec());
    let scene = Scene::with(true, wanted);
    scene.refused(&made(&header, &claims(), hmac(b"short")), "not signed");
}

#[test]
fn what_is_no_token_is_refused() {
    let scene = Scene::new(true);
    scene.refused(&"a".repeat(MAX_TOKEN_BYTES + 1), "too long");
    for text in ["", "a b", "a,b", "a\"b", "é"] {
        scene.refused(text, "no bearer token");
    }
    for text in ["opaque", "a.b", "a.b.c.d.e", "!!", "e30.e30.e30.e30"] {
        if let Ok(kind) = scene.judge.look(text) {
            assert_eq!(kind, TokenKind::Opaque, "{text}");
        }
    }
    let saml = URL_SAFE_NO_PAD.encode("<saml:Assertion/>");
    let kind = scene.judge.look(&saml).unwrap();
    assert_eq!(kind, TokenKind::Assertion("<saml:Assertion/>".to_owned()));
    let weak = json!({ "keys": [{ "kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB" },
        { "kty": "new" }, 7] });
    let keys = Keys::read(weak.to_string().as_bytes()).unwrap();
    let token = scene.issuer.sign(&claims()).unwrap();
    let refused = scene
        .judge
        .believe(&token, 0, &keys, &caller(), SystemTime::now());
    assert!(refused.is_err());
    assert!(Keys::read(b"[]").is_err() && Keys::read(b"{\"keys\":1}").is_err());
}

#[test]
fn answers_of_introspection_are_judged_like_tokens() {
    let scene = Scene::new(true);
    let ask = |answer: &Value| {
        let answer = answer.to_string();
        let now = SystemTime::now();
        scene
            .judge
            .introspected(answer.as_bytes(), 0, &caller(), now)
    };
    let mut active = claims();
    active["active"] = json!(true);
    let (user, until) = ask(&active).unwrap();
    assert_eq!(user.name, "me");
    assert!(until.unwrap() > SystemTime::now());
    // RFC 7662: only `active` is required.
    let (user, until) = ask(&json!({ "active": true, "sub": "me" })).unwrap();
    assert_eq!((user.alias, until), (None, None));
    for (answer, why) in [
        (json!({ "active": false }), "not active"),
        (json!({ "active": false, "sub": "me" }), "not active"),
        (json!({ "active": true }), "no sub"),
        (json!({ "active": "true", "sub": "me" }), "cannot be read"),
        (json!({ "sub": "me" }), "cannot be read"),
        (json!([]), "cannot be read"),
        (
            json!({ "active": true, "sub": "me", "aud": "urn:other" }),
            "meant for others",
        ),
        (
            json!({ "active": true, "sub": "me", "exp": now() - 100 }),
            "expired",
        ),
        (
            json!({ "active": true, "sub": "me", "iss": "https://evil.example" }),
            "another issuer",
        ),
    ] {
        let refused = ask(&answer).unwrap_err();
        assert!(refused.why.contains(why), "{answer}: {refused}");
    }
}

#[test]
fn tokens_are_used_again_as_the_operator_says() {
    let mut wanted = settings();
    wanted.replay = Replay::Refuse;
    let scene = Scene::with(false, wanted);
    let token = scene.issuer.sign(&claims()).unwrap();
    assert!(scene.show(&token).is_ok());
    scene.refused(&token, "replayed");
    let other = scene.issuer.sign(&changed("jti", json!("2"))).unwrap();
    assert!(scene.show(&other).is_ok());
}

/// IUA 3.72.4.3: a scope covers what is done with the token.
#[test]
fn scopes_limit_what_a_caller_may() {
    let scene = Scene::new(false);
    let may = |scope: &str| {
        let token = scene.issuer.sign(&changed("scope", json!(scope))).unwrap();
        let user = scene.show(&token).unwrap();
        let caller = Caller {
            user: Some(std::sync::Arc::new(user)),
            ..caller()
        };
        let may = |permission| caller.may(permission).is_ok();
        (may(Permission::Query), may(Permission::Retrieve))
    };
    assert_eq!(may("RAD-107"), (false, true));
    assert_eq!(may("user/*.rs"), (true, true));
    assert_eq!(may("openid"), (false, false));
    assert_eq!(may(""), (true, true));
}

proptest::proptest! {
    /// Nothing that stands in a header is a trap.
    #[test]
    fn no_text_is_a_trap(text in "[A-Za-z0-9._=-]{0,120}", any in "\\PC{0,40}") {
        let judge = TokenJudge::new(settings()).unwrap();
        let _ = judge.look(&text);
        let _ = judge.look(&any);
        let _ = judge.look(&made(&json!({ "alg": "RS256" }), &json!({ "iss": any }), |_| vec![1]));
        let _ = Keys::read(text.as_bytes());
        let _ = judge.introspected(any.as_bytes(), 0, &caller(), UNIX_EPOCH);
    }
}
