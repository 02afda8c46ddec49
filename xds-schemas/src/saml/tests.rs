use proptest::prelude::*;

use super::*;
use crate::xml::ns;

fn read(inside: &str) -> Result<Assertion, String> {
    let xml = format!(
        "<a:Assertion xmlns:a='{}' xmlns:ds='{}' ID='_1' Version='2.0' \
         IssueInstant='2026-11-27T10:00:00.5Z'><a:Issuer> urn:idp\n</a:Issuer>{inside}</a:Assertion>",
        ns::SAML,
        ns::DS
    );
    Assertion::read(xml.as_bytes()).map_err(|error| error.reason)
}

#[test]
fn everything_that_iti_40_names_is_read() {
    let assertion = read(
        "<a:Subject><a:NameID SPProvidedID='JD'>John.Doe</a:NameID>\
         <a:SubjectConfirmation Method='urn:oasis:names:tc:SAML:2.0:cm:holder-of-key'>\
         <a:SubjectConfirmationData NotOnOrAfter='2026-11-27T11:00:00Z'><ds:KeyInfo><ds:X509Data>\
         <ds:X509Certificate>AA\nBB</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
         </a:SubjectConfirmationData></a:SubjectConfirmation></a:Subject>\
         <a:Conditions NotBefore='2026-11-27T10:00:00Z' NotOnOrAfter='2026-11-27T12:00:00+01:00'>\
         <a:AudienceRestriction><a:Audience>urn:a</a:Audience><a:Audience>urn:b</a:Audience>\
         </a:AudienceRestriction><a:AudienceRestriction><a:Audience>urn:c</a:Audience>\
         </a:AudienceRestriction><a:OneTimeUse/><a:ProxyRestriction Count='1'/></a:Conditions>\
         <a:AuthnStatement AuthnInstant='2026-11-27T09:00:00Z'><a:AuthnContext>\
         <a:AuthnContextClassRef>urn:pw</a:AuthnContextClassRef></a:AuthnContext></a:AuthnStatement>\
         <a:AttributeStatement><a:Attribute Name='n'><a:AttributeValue>one</a:AttributeValue>\
         </a:Attribute></a:AttributeStatement><a:AttributeStatement><a:Attribute Name='n'>\
         <a:AttributeValue> two </a:AttributeValue><a:AttributeValue><Role xmlns='urn:hl7-org:v3' \
         code='46255001' codeSystem='2.16.840.1.113883.6.96' displayName='Pharmacist'/>\
         </a:AttributeValue><a:AttributeValue><h:id xmlns:h='urn:hl7-org:v3' root='2.999' \
         extension='7'/></a:AttributeValue><a:AttributeValue><x code='1'/></a:AttributeValue>\
         </a:Attribute></a:AttributeStatement>",
    )
    .unwrap();
    assert_eq!(assertion.issuer, "urn:idp");
    assert_eq!(assertion.issued, 1_795_773_600);
    let subject = assertion.subject.as_ref().unwrap();
    assert_eq!(subject.name.as_deref(), Some("John.Doe"));
    assert_eq!(subject.alias.as_deref(), Some("JD"));
    assert_eq!(subject.confirmations[0].certificates, ["AABB"]);
    let conditions = assertion.conditions.as_ref().unwrap();
    assert_eq!(conditions.audiences.len(), 2);
    assert_eq!(conditions.not_on_or_after, Some(1_795_777_200));
    assert!(conditions.one_time_use && !conditions.others);
    let context = assertion.authentications[0].context.as_deref();
    assert_eq!(context, Some("urn:pw"));
    assert_eq!(assertion.values("n").count(), 4);
    assert_eq!(assertion.text("n"), Some("one"));
}

#[test]
fn what_has_two_meanings_is_refused() {
    for (inside, said) in [
        ("<a:Issuer>urn:other</a:Issuer>", "Issuer"),
        ("<a:Subject/><a:Subject/>", "Subject"),
        ("<a:Conditions/><a:Conditions/>", "Conditions"),
        (
            "<a:Subject><a:NameID>a</a:NameID><a:NameID>b</a:NameID></a:Subject>",
            "two names",
        ),
        ("<a:Conditions NotBefore='PT1H'/>", "dateTime"),
        ("<a:Conditions NotBefore='tomorrow'/>", "dateTime"),
        (
            "<a:Subject><a:NameID>a<b/></a:NameID></a:Subject>",
            "only text",
        ),
    ] {
        let refused = read(inside).unwrap_err();
        assert!(refused.contains(said), "{inside}: {refused}");
    }
    let values = "<a:AttributeValue>x</a:AttributeValue>".repeat(1000);
    let many = format!(
        "<a:AttributeStatement><a:Attribute Name='n'>{values}</a:Attribute></a:AttributeStatement>"
    );
    assert!(read(&many).unwrap_err().contains("too many"));
    assert!(
        read("<a:Conditions><a:Condition/></a:Conditions>")
            .unwrap()
            .conditions
            .unwrap()
            .others
    );
}

fn value() -> impl Strategy<Value = Value> {
    let some = "[a-z<&>\"é]{1,8}";
    prop_oneof![
        some.prop_map(Value::Text),
        (some, some, proptest::option::of(some)).prop_map(|(code, system, display)| Value::Code {
            code,
            system,
            system_name: None,
            display,
        }),
        (some, some).prop_map(|(root, extension)| Value::Identifier { root, extension }),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        name in "[a-z@.<&é]{1,12}", alias in proptest::option::of("[a-z]{1,5}"),
        values in proptest::collection::vec(value(), 0..5), one_time_use: bool,
        audiences in proptest::collection::vec(proptest::collection::vec("[a-z:]{1,9}", 1..3), 0..3),
    ) {
        let assertion = Assertion {
            id: "_1".to_owned(),
            issued: 1_795_773_600,
            issuer: "urn:idp".to_owned(),
            subject: Some(Subject {
                name: Some(name),
                alias,
                confirmations: vec![Confirmation {
                    method: BEARER.to_owned(),
                    not_on_or_after: Some(1_795_773_700),
                    certificates: vec!["AAAA".to_owned()],
                    ..Confirmation::default()
                }],
            }),
            conditions: Some(Conditions {
                not_before: Some(1_795_773_600),
                not_on_or_after: Some(1_795_777_200),
                audiences,
                one_time_use,
                others: false,
            }),
            authentications: vec![Authentication {
                context: Some("urn:pw".to_owned()),
                session_not_on_or_after: None,
            }],
            attributes: vec![Attribute { name: "n".to_owned(), values }],
        };
        let xml = assertion.write("");
        prop_assert_eq!(Assertion::read(xml.as_bytes()).unwrap(), assertion);
    }

    #[test]
    fn nothing_that_comes_is_a_trap(text in "\\PC{0,200}") {
        let _ = read(&text);
        let _ = Assertion::read(text.as_bytes());
    }
}
