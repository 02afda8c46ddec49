//! What attackers do to assertions, each by itself. XSW1 to XSW8 are numbered as in "On Breaking
//! SAML: Be Whoever You Want to Be" (Somorovsky and others, 2012).

use openssl::base64::{decode_block, encode_block};
use openssl::hash::MessageDigest;
use openssl::sign::Signer;

use super::*;
use SecurityFault::{
    FailedAuthentication, FailedCheck, InvalidSecurity, InvalidSecurityToken, UnsupportedAlgorithm,
    UnsupportedSecurityToken,
};

/// What stands between two texts, with them.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let start = text.find(from).unwrap();
    let end = start + text[start..].find(to).unwrap() + to.len();
    &text[start..end]
}

fn signature(text: &str) -> &str {
    between(text, "<ds:Signature ", "</ds:Signature>")
}

/// The assertion without its signature.
fn bare(text: &str) -> String {
    text.replace(signature(text), "")
}

/// An evil assertion like the true one: another user, another ID, no signature.
fn evil(text: &str) -> String {
    let id = between(text, " ID=\"", "\" ");
    bare(text)
        .replace(id, " ID=\"_evil\" ")
        .replace("John.Doe", "Admin")
}

/// Puts something behind the issuer, where signatures stand.
fn behind_issuer(text: &str, added: &str) -> String {
    text.replacen("</saml:Issuer>", &format!("</saml:Issuer>{added}"), 1)
}

/// Puts something at the end of the assertion.
fn at_end(text: &str, added: &str) -> String {
    let text = text.strip_suffix("</saml:Assertion>").unwrap();
    format!("{text}{added}</saml:Assertion>")
}

/// Nobody may ever become the evil user.
fn never_admin(scene: &Scene, name: &str, security: &str) -> UserRefused {
    match scene.show(security) {
        Err(refused) => refused,
        Ok(user) => panic!("{name}: {user:?}"),
    }
}

#[test]
fn wrapping_1_the_signature_in_the_evil_assertion_holds_the_true_one() {
    // XSW1 and XSW2 are of responses, of which ours are the headers: the evil assertion has the
    // signature, and the true one stands in the signature's Object, or before it.
    let scene = Scene::new();
    let text = scene.issued();
    let (evil, signature) = (evil(&text), signature(&text));
    let object = format!("<ds:Object>{}</ds:Object></ds:Signature>", bare(&text));
    let with_object = signature.replace("</ds:Signature>", &object);
    let refused = never_admin(&scene, "XSW1", &behind_issuer(&evil, &with_object));
    assert!(
        refused.why.contains("assertion in the assertion"),
        "{refused}"
    );
}

#[test]
fn wrapping_2_the_signature_stands_beside_the_evil_assertion() {
    let scene = Scene::new();
    let text = scene.issued();
    let security = format!("{}{}{}", evil(&text), signature(&text), bare(&text));
    let refused = never_admin(&scene, "XSW2", &security);
    assert!(refused.why.contains("several assertions"), "{refused}");
    // Hidden from who looks for assertions among the children of the header.
    let security = format!(
        "{}<hidden xmlns='urn:x'>{}</hidden>",
        behind_issuer(&evil(&text), signature(&text)),
        bare(&text)
    );
    let refused = never_admin(&scene, "XSW2", &security);
    assert!(refused.why.contains("something else"), "{refused}");
}

#[test]
fn wrapping_3_the_evil_assertion_stands_before_the_true_one() {
    let scene = Scene::new();
    let text = scene.issued();
    for security in [
        format!("{}{text}", evil(&text)),
        format!("{text}{}", evil(&text)),
    ] {
        scene.refused(&security, InvalidSecurity, "several assertions");
    }
}

#[test]
fn wrapping_4_the_true_assertion_is_a_child_of_the_evil_one() {
    let scene = Scene::new();
    let text = scene.issued();
    let refused = never_admin(&scene, "XSW4", &at_end(&evil(&text), &text));
    assert!(
        refused.why.contains("assertion in the assertion"),
        "{refused}"
    );
    // Even in an element that SAML has for it.
    let advice = format!("<saml:Advice>{text}</saml:Advice>");
    never_admin(&scene, "XSW4", &at_end(&evil(&text), &advice));
}

#[test]
fn wrapping_5_the_evil_assertion_has_the_signature_of_the_true_one_beside_it() {
    let scene = Scene::new();
    let text = scene.issued();
    let evil = behind_issuer(&evil(&text), signature(&text));
    scene.refused(&evil, InvalidSecurityToken, "over something else");
    let refused = never_admin(&scene, "XSW5", &format!("{evil}{}", bare(&text)));
    assert!(refused.why.contains("several assertions"), "{refused}");
}

#[test]
fn wrapping_6_the_true_assertion_stands_in_the_signature_of_the_evil_one() {
    let scene = Scene::new();
    let text = scene.issued();
    let inside = signature(&text).replace(
        "</ds:SignedInfo>",
        &format!("</ds:SignedInfo>{}", bare(&text)),
    );
    never_admin(&scene, "XSW6", &behind_issuer(&evil(&text), &inside));
}

#[test]
fn wrapping_7_the_evil_assertion_stands_in_extensions() {
    let scene = Scene::new();
    let text = scene.issued();
    let extensions = format!("<Extensions xmlns='urn:x'>{}</Extensions>", evil(&text));
    // In the header it is not looked at: the true one counts.
    let user = scene.show(&format!("{extensions}{text}")).unwrap().unwrap();
    assert_eq!(user.name, "John.Doe");
    let refused = never_admin(&scene, "XSW7", &at_end(&text, &extensions));
    assert!(
        refused.why.contains("assertion in the assertion"),
        "{refused}"
    );
}

#[test]
fn wrapping_8_the_true_assertion_stands_in_an_object_of_the_evil_ones_signature() {
    let scene = Scene::new();
    let text = scene.issued();
    let object = format!(
        "</ds:KeyInfo><ds:Object><x xmlns='urn:x'>{}</x></ds:Object>",
        bare(&text)
    );
    let wrapped = signature(&text).replace("</ds:KeyInfo>", &object);
    never_admin(&scene, "XSW8", &behind_issuer(&evil(&text), &wrapped));
    // Without an assertion in it, it is still more than a signature holds.
    let object = "</ds:KeyInfo><ds:Object>x</ds:Object>";
    scene.refused(
        &text.replace("</ds:KeyInfo>", object),
        InvalidSecurityToken,
        "holds something else",
    );
}

#[test]
fn a_signature_elsewhere_in_the_assertion_is_none() {
    let scene = Scene::new();
    let text = scene.issued();
    let moved = bare(&text).replace(
        "</saml:Subject>",
        &format!("{}</saml:Subject>", signature(&text)),
    );
    scene.refused(
        &moved,
        InvalidSecurityToken,
        "does not stand in the assertion",
    );
}

#[test]
fn comments_do_not_cut_names() {
    let scene = Scene::new();
    let text = scene.signed(|assertion| {
        let subject = assertion.subject.as_mut().unwrap();
        subject.name = Some("admin@example.org.evil.example".to_owned());
    });
    assert!(scene.show(&text).is_ok());
    // The canonical form has no comments, so the signature would still be right.
    for cut in ["<!---->", "<!--x-->", "<?x?>"] {
        let name = format!("admin@example.org{cut}.evil.example");
        let cut = text.replace("admin@example.org.evil.example", &name);
        scene.refused(&cut, InvalidSecurityToken, "comments or processing");
    }
}

#[test]
fn unsigned_assertions_are_nothing() {
    let scene = Scene::new();
    let text = scene.issued();
    scene.refused(&bare(&text), InvalidSecurityToken, "not signed");
    let twice = behind_issuer(&text, signature(&text));
    scene.refused(&twice, InvalidSecurityToken, "several signatures");
}

#[test]
fn expired_and_early_assertions_are_refused() {
    let scene = Scene::new();
    for (from, until, why) in [
        (-7200, -3600, "has expired"),
        (3600, 7200, "is not valid yet"),
    ] {
        let text = scene.signed(|assertion| {
            let conditions = assertion.conditions.as_mut().unwrap();
            conditions.not_before = Some(now() + from);
            conditions.not_on_or_after = Some(now() + until);
        });
        scene.refused(&text, FailedAuthentication, why);
    }
    let future = scene.signed(|assertion| assertion.issued = now() + 3600);
    scene.refused(&future, FailedAuthentication, "is not valid yet");
}

#[test]
fn a_key_of_somebody_else_is_refused_even_if_it_is_shown() {
    let scene = Scene::new();
    for kind in [Kind::Ecdsa, Kind::Rsa(2048)] {
        let identity = identity(kind);
        let other = AssertionIssuer {
            name: ISSUER.to_owned(),
            key: identity.key,
            certificate: identity.certificate,
        };
        // KeyInfo has its certificate, with which the signature is right.
        let text = other.issue(&user(), &issue()).unwrap();
        assert!(text.contains("X509Certificate"));
        scene.refused(&text, FailedCheck, "not of a certificate that is trusted");
    }
}

#[test]
fn what_key_info_says_does_not_matter() {
    let scene = Scene::new();
    let text = scene.issued();
    let key_info = between(&text, "<ds:KeyInfo>", "</ds:KeyInfo>");
    assert!(scene.show(&text.replace(key_info, "")).is_ok());
    let lie = "<ds:KeyInfo><ds:KeyName>nobody</ds:KeyName></ds:KeyInfo>";
    assert!(scene.show(&text.replace(key_info, lie)).is_ok());
}

#[test]
fn what_was_changed_is_refused() {
    let scene = Scene::new();
    let text = scene.issued();
    for (from, to) in [
        ("John.Doe", "Jane.Doe"),
        ("46255001", "46255002"),
        (AUDIENCE, "urn:oid:1.2.4"),
        ("<saml:Audience>", "<saml:Audience> "),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        scene.refused(&changed, FailedCheck, "not what was signed");
    }
    let other = scene.signed(|assertion| assertion.id = "_other".to_owned());
    let foreign = text.replace(signature(&text), signature(&other));
    scene.refused(&foreign, InvalidSecurityToken, "over something else");
}

/// Makes `SignedInfo` say something else, and signs that with the right key: what only the issuer
/// could do, so that what is refused is refused for what it says.
fn resigned(scene: &Scene, text: &str, change: impl FnOnce(&str) -> String) -> String {
    let old = between(text, "<ds:SignedInfo ", "</ds:SignedInfo>").to_owned();
    let new = change(&old);
    let document = bergshamra_xml::uppsala::parse(&new).unwrap();
    let root = document.document_element().unwrap();
    let canonical = signature::canonical(&document, root, None, &[]).unwrap();
    let algorithm = algorithms::SignatureAlgorithm::with(&scene.issuer.key).unwrap();
    let value = algorithm.sign(&scene.issuer.key, &canonical).unwrap();
    let old_value = between(text, "<ds:SignatureValue>", "</ds:SignatureValue>").to_owned();
    let value = format!(
        "<ds:SignatureValue>{}</ds:SignatureValue>",
        encode_block(&value)
    );
    text.replace(&old, &new)
        .replace(&old_value, &value.replace('\n', ""))
}

#[test]
fn resigning_by_itself_changes_nothing() {
    let scene = Scene::new();
    let text = resigned(&scene, &scene.issued(), str::to_owned);
    assert!(scene.show(&text).is_ok());
}

#[test]
fn weak_algorithms_are_refused() {
    let scene = Scene::new();
    let text = scene.issued();
    let ecdsa = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    for algorithm in [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "none",
        "",
    ] {
        let text = resigned(&scene, &text, |info| info.replace(ecdsa, algorithm));
        scene.refused(&text, UnsupportedAlgorithm, "algorithm is not accepted");
    }
    let sha256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    let text = resigned(&scene, &text, |info| info.replace(sha256, sha1));
    scene.refused(&text, UnsupportedAlgorithm, "digest's algorithm");
}

#[test]
fn a_public_key_is_no_secret() {
    // HMAC with the issuer's certificate as its secret, which everybody knows.
    let scene = Scene::with(Kind::Rsa(2048), |_| {});
    let text = scene.issued();
    let rsa = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    let hmac = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256";
    let text = text.replace(rsa, hmac);
    let info = between(&text, "<ds:SignedInfo ", "</ds:SignedInfo>");
    let document = bergshamra_xml::uppsala::parse(info).unwrap();
    let root = document.document_element().unwrap();
    let canonical = signature::canonical(&document, root, None, &[]).unwrap();
    let public = scene.issuer.certificate.public_key().unwrap();
    for secret in [
        public.public_key_to_pem().unwrap(),
        public.public_key_to_der().unwrap(),
        scene.issuer.certificate.to_pem().unwrap(),
    ] {
        let key = PKey::hmac(&secret).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        let value = signer.sign_oneshot_to_vec(&canonical).unwrap();
        let old = between(&text, "<ds:SignatureValue>", "</ds:SignatureValue>");
        let new = format!(
            "<ds:SignatureValue>{}</ds:SignatureValue>",
            encode_block(&value)
        );
        scene.refused(
            &text.replace(old, &new),
            UnsupportedAlgorithm,
            "not accepted",
        );
    }
}

#[test]
fn a_key_is_for_its_own_algorithm() {
    let scene = Scene::new();
    let text = scene.issued();
    let ecdsa = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    let rsa = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    let text = resigned(&scene, &text, |info| info.replace(ecdsa, rsa));
    scene.refused(&text, FailedCheck, "not of a certificate");
}

#[test]
fn numbers_of_signatures_are_as_long_as_they_must_be() {
    let scene = Scene::new();
    let text = scene.issued();
    let old = between(&text, "<ds:SignatureValue>", "</ds:SignatureValue>");
    let value = old.split(['<', '>']).nth(2).unwrap();
    let value = decode_block(value).unwrap();
    let longer = [&[0], &value[..32], &[0], &value[32..]].concat();
    for value in [&value[..63], &[0; 64], &[], &longer, &[0xff; 64]] {
        let new = format!(
            "<ds:SignatureValue>{}</ds:SignatureValue>",
            encode_block(value)
        );
        let text = text.replace(old, &new.replace('\n', ""));
        scene.refused(&text, FailedCheck, "not of a certificate");
    }
    scene.refused(
        &text.replace(old, "<ds:SignatureValue>%</ds:SignatureValue>"),
        InvalidSecurityToken,
        "not base64",
    );
}

#[test]
fn several_references_are_refused() {
    let scene = Scene::new();
    let text = resigned(&scene, &scene.issued(), |info| {
        let reference = between(info, "<ds:Reference ", "</ds:Reference>").to_owned();
        info.replace(&reference, &reference.repeat(2))
    });
    scene.refused(&text, InvalidSecurityToken, "more than one reference");
    let text = resigned(&scene, &scene.issued(), |info| {
        info.replace(between(info, "<ds:Reference ", "</ds:Reference>"), "")
    });
    scene.refused(&text, InvalidSecurityToken, "lacks Reference");
}

#[test]
fn other_references_are_refused() {
    let scene = Scene::new();
    for uri in [
        "",
        "#_other",
        "#xpointer(/)",
        "#xpointer(id('_1'))",
        "http://evil.example/a.xml",
        "file:///etc/passwd",
    ] {
        let text = resigned(&scene, &scene.issued(), |info| {
            info.replace(between(info, "URI=\"", "\">"), &format!("URI=\"{uri}\">"))
        });
        scene.refused(&text, InvalidSecurityToken, "over something else");
    }
}

#[test]
fn other_transforms_are_refused() {
    let scene = Scene::new();
    let exclusive = "<ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>";
    let enveloped = "<ds:Transform \
                     Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"/>";
    let transform = |algorithm: &str, content: &str| {
        format!("<ds:Transform Algorithm=\"{algorithm}\">{content}</ds:Transform>")
    };
    let xpath = transform(
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "<ds:XPath>not(ancestor-or-self::x)</ds:XPath>",
    );
    let xslt = transform(
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "<x:stylesheet xmlns:x=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"/>",
    );
    let base64 = transform("http://www.w3.org/2000/09/xmldsig#base64", "");
    let inclusive = transform("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "");
    let comments = transform("http://www.w3.org/2001/10/xml-exc-c14n#WithComments", "");
    for transforms in [
        [&xpath, exclusive].concat(),
        [&xslt, exclusive].concat(),
        [&base64, exclusive].concat(),
        [enveloped, &inclusive].concat(),
        [enveloped, &comments].concat(),
        [enveloped, &xpath].concat(),
        [enveloped, exclusive, &xslt].concat(),
        [enveloped, exclusive, exclusive].concat(),
        [exclusive, enveloped].concat(),
    ] {
        let text = resigned(&scene, &scene.issued(), |info| {
            info.replace(&[enveloped, exclusive].concat(), &transforms)
        });
        let refused = scene.show(&text).unwrap_err();
        assert_eq!(
            refused.fault, UnsupportedAlgorithm,
            "{transforms}: {refused}"
        );
    }
    let text = resigned(&scene, &scene.issued(), |info| info.replace(exclusive, ""));
    scene.refused(&text, InvalidSecurityToken, "lacks Transform");
    let text = resigned(&scene, &scene.issued(), |info| {
        let method = between(info, "<ds:CanonicalizationMethod ", "/>");
        let inclusive = "<ds:CanonicalizationMethod \
                         Algorithm=\"http://www.w3.org/TR/2001/REC-xml-c14n-20010315\"/>";
        info.replace(method, inclusive)
    });
    scene.refused(&text, UnsupportedAlgorithm, "exclusive C14N");
    let text = resigned(&scene, &scene.issued(), |info| {
        let method = "<ds:SignatureMethod Algorithm=\
                      \"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256\">\
                      <ds:HMACOutputLength>1</ds:HMACOutputLength></ds:SignatureMethod>";
        info.replace(between(info, "<ds:SignatureMethod ", "/>"), method)
    });
    scene.refused(&text, UnsupportedAlgorithm, "has parameters");
}

#[test]
fn document_types_and_entities_are_refused() {
    let scene = Scene::new();
    let text = scene.issued();
    let typed = |entity: &str| {
        let kind = format!("<!DOCTYPE saml:Assertion [<!ENTITY e {entity}>]>");
        let text = text.replace("John.Doe", "&e;");
        [
            format!("{kind}{text}"),
            message("").replacen("<env:Envelope", &format!("{kind}<env:Envelope"), 1),
        ]
    };
    for entity in ["'John.Doe'", "SYSTEM 'file:///etc/passwd'"] {
        for text in typed(entity) {
            assert!(scene.node.believe(&text, &caller(), clock()).is_err());
            assert!(scene.judge(&text, &caller()).is_err());
        }
    }
    let text = text.replace("John.Doe", "&e;");
    scene.refused(&text, InvalidSecurity, "cannot be read");
}

#[test]
fn an_id_is_there_once() {
    let scene = Scene::new();
    let text = scene.issued();
    let id = between(&text, " ID=\"", "\" ").trim().to_owned();
    for attribute in [
        id.clone(),
        id.replace("ID=", "Id="),
        id.replace("ID=", "id="),
    ] {
        let twice = text.replace("<saml:Subject>", &format!("<saml:Subject {attribute}>"));
        scene.refused(&twice, InvalidSecurityToken, "there twice");
    }
    let xml_id = id.replace("ID=", "xml:id=");
    let twice = text.replace("<saml:Subject>", &format!("<saml:Subject {xml_id}>"));
    scene.refused(&twice, InvalidSecurityToken, "there twice");
    let none = text.replace(&id, "");
    scene.refused(&none, InvalidSecurityToken, "no ID");
}

#[test]
fn replayed_assertions_are_refused() {
    let scene = Scene::new();
    let text = scene.issued();
    assert!(scene.show_as(&text, &node('a')).is_ok());
    let refused = scene.show_as(&text, &node('b')).unwrap_err();
    assert_eq!(refused.fault, FailedAuthentication);
    assert!(refused.why.contains("replayed"), "{refused}");
    // A different text of the same assertion is the same assertion.
    let spaced = text.replacen("<saml:Assertion ", "<saml:Assertion  ", 1);
    assert!(scene.show_as(&spaced, &node('b')).is_err());
    assert!(scene.show_as(&spaced, &node('a')).is_ok());
}

#[test]
fn what_is_huge_or_deep_is_refused() {
    let scene = Scene::new();
    let text = scene.issued();
    let huge = text.replace("John.Doe", &"x".repeat(300_000));
    scene.refused(&huge, UnsupportedSecurityToken, "too long");
    assert!(scene.node.believe(&huge, &caller(), clock()).is_err());
    let deep = text.replace("John.Doe", &"<x>".repeat(10_000));
    scene.refused(&deep, InvalidSecurity, "deeper");
    let wide = text.replace("John.Doe", &"<x/>".repeat(30_000));
    scene.refused(&wide, InvalidSecurityToken, "too many parts");
    let prefixes: String = (0..500).map(|n| format!(" xmlns:p{n}='urn:{n}'")).collect();
    let many = text.replacen("<saml:Subject>", &format!("<saml:Subject{prefixes}>"), 1);
    assert!(scene.show(&many).is_err());
    let listed: String = (0..40).map(|n| format!("p{n} ")).collect();
    let listed = format!(
        "<ds:CanonicalizationMethod Algorithm=\"{0}\"><c:InclusiveNamespaces xmlns:c=\"{0}\" \
         PrefixList=\"{listed}\"/></ds:CanonicalizationMethod>",
        algorithms::EXCLUSIVE
    );
    let text = text.replace(between(&text, "<ds:CanonicalizationMethod ", "/>"), &listed);
    assert!(scene.show(&text).is_err());
}

#[test]
fn two_headers_are_refused() {
    let scene = Scene::new();
    let header = format!(
        "<w:Security xmlns:w='{}'>{}</w:Security>",
        ns::WSSE,
        scene.issued()
    );
    assert!(scene.judge(&message(&header), &caller()).is_ok());
    let refused = scene.judge(&message(&header.repeat(2)), &caller());
    assert_eq!(refused.unwrap_err().fault, InvalidSecurity);
    let empty = format!("<w:Security xmlns:w='{}'/>", ns::WSSE);
    let refused = scene.judge(&message(&[header, empty].concat()), &caller());
    assert_eq!(refused.unwrap_err().fault, InvalidSecurity);
}

#[test]
fn an_assertion_in_the_body_is_none() {
    let scene = Scene::new();
    let body = format!("<env:Body>{}</env:Body>", scene.issued());
    let message = message("").replace("<env:Body/>", &body);
    assert!(scene.judge(&message, &caller()).is_err());
}

proptest::proptest! {
    /// Whatever is changed in the text, the user is either refused or exactly who was signed.
    #[test]
    fn no_change_makes_another_user(at in 0_usize..6000, byte in 0x20_u8..0x7f) {
        use std::sync::OnceLock;
        static SCENE: OnceLock<(Scene, String)> = OnceLock::new();
        let (scene, text) = SCENE.get_or_init(|| {
            let scene = Scene::new();
            let text = scene.issued();
            (scene, text)
        });
        let mut changed = text.clone().into_bytes();
        let at = at % changed.len();
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        if let Ok(found) = scene.node.believe(&changed, &caller(), clock()) {
            proptest::prop_assert_eq!(&*found, &user());
        }
    }
}
