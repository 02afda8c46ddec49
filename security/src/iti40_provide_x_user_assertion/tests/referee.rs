//! `xmlsec1`, which shares no code with us: what it signs we accept, what we sign it accepts, and
//! what it refuses we refuse.

use std::path::Path;
use std::process::Command;

use super::*;

/// Whether xmlsec1 is here. If it must be, its absence is a failure.
fn is_here() -> bool {
    let here = Command::new("xmlsec1").arg("--version").output().is_ok();
    if !here {
        eprintln!("SKIPPED: xmlsec1 is not installed (Debian: xmlsec1)");
        assert!(
            std::env::var_os("HILUM_TEST_ALL").is_none(),
            "xmlsec1 is needed"
        );
    }
    here
}

fn xmlsec1(arguments: &[&str], folder: &Path) -> std::process::Output {
    let mut command = Command::new("xmlsec1");
    command.args(arguments).current_dir(folder);
    command.output().unwrap()
}

const ID: &str = "--id-attr:ID";
const ELEMENT: &str = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";

#[test]
fn it_accepts_what_we_sign() {
    if !is_here() {
        return;
    }
    for kind in [Kind::Ecdsa, Kind::Rsa(2048)] {
        let scene = Scene::with(kind, |_| {});
        let folder = scene.folder.path();
        let text = scene.issued();
        std::fs::write(folder.join("a.xml"), &text).unwrap();
        let verify = [
            "--verify",
            ID,
            ELEMENT,
            "--pubkey-cert-pem",
            "idp.pem",
            "a.xml",
        ];
        let output = xmlsec1(&verify, folder);
        assert!(output.status.success(), "{output:?}");
        std::fs::write(folder.join("a.xml"), text.replace("John.Doe", "Jane.Doe")).unwrap();
        assert!(!xmlsec1(&verify, folder).status.success());
    }
}

/// A template that it signs: pretty-printed, with other prefixes and prefixes that are declared
/// outside and listed.
fn template(algorithm: &str, digest: &str, listed: &str, id: &str) -> String {
    let time = |seconds| time::written(u64::try_from(now() + seconds).unwrap());
    let transform = match listed {
        "" => "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/>".to_owned(),
        listed => format!(
            "<Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\">\
             <ec:InclusiveNamespaces xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\" \
             PrefixList=\"{listed}\"/></Transform>"
        ),
    };
    format!(
        r##"<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:unused="urn:unused"
   Version='2.0' ID='{id}'
   IssueInstant="{issued}">
  <Issuer>{ISSUER}</Issuer>
  <Signature xmlns="http://www.w3.org/2000/09/xmldsig#">
    <SignedInfo>
      <CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>
      <SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#{algorithm}"/>
      <Reference URI="#{id}">
        <Transforms>
          <Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>
          {transform}
        </Transforms>
        <DigestMethod Algorithm="{digest}"/>
        <DigestValue/>
      </Reference>
    </SignedInfo>
    <SignatureValue/>
    <KeyInfo><X509Data/></KeyInfo>
  </Signature>
  <Subject>
    <NameID Format="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress" SPProvidedID="JD">j&#233;r&#xF4;me&amp;co@example.org</NameID>
    <SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>
  </Subject>
  <Conditions NotBefore="{issued}" NotOnOrAfter="{until}">
    <AudienceRestriction><Audience>{AUDIENCE}</Audience></AudienceRestriction>
  </Conditions>
  <AuthnStatement AuthnInstant="{issued}"><AuthnContext>
    <AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:X509</AuthnContextClassRef>
  </AuthnContext></AuthnStatement>
  <AttributeStatement>
    <Attribute Name="urn:oasis:names:tc:xspa:1.0:subject:subject-id">
      <AttributeValue xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">Jérôme <![CDATA[<B>]]>
      </AttributeValue>
    </Attribute>
    <Attribute Name="urn:oasis:names:tc:xacml:2.0:subject:role"><AttributeValue>
      <Role xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CE"
        code="46255001"
        codeSystem="2.16.840.1.113883.6.96" codeSystemName="SNOMED_CT" displayName="Phar&#x9;macist"/>
    </AttributeValue></Attribute>
  </AttributeStatement>
</Assertion>"##,
        issued = time(-5),
        until = time(600),
    )
}

#[test]
fn we_accept_what_it_signs() {
    if !is_here() {
        return;
    }
    let sha = |bits: u32| match bits {
        384 => "http://www.w3.org/2001/04/xmldsig-more#sha384".to_owned(),
        bits => format!("http://www.w3.org/2001/04/xmlenc#sha{bits}"),
    };
    for (kind, family) in [(Kind::Ecdsa, "ecdsa"), (Kind::Rsa(2048), "rsa")] {
        let scene = Scene::with(kind, |_| {});
        let folder = scene.folder.path();
        let key = scene.issuer.key.private_key_to_pem_pkcs8().unwrap();
        std::fs::write(folder.join("idp.key"), key).unwrap();
        let mut number = 0;
        for bits in [256, 384, 512] {
            for listed in ["", "xs", "xs unused #default"] {
                number += 1;
                let algorithm = format!("{family}-sha{bits}");
                let text = template(&algorithm, &sha(bits), listed, &format!("_x{number}"));
                let text = text.replace("Phar&#x9;macist", "Pharmacist");
                std::fs::write(folder.join("t.xml"), text).unwrap();
                let sign = ["--sign", ID, ELEMENT, "--privkey-pem", "idp.key,idp.pem"];
                let sign = [&sign[..], &["--output", "a.xml", "t.xml"]].concat();
                let output = xmlsec1(&sign, folder);
                assert!(output.status.success(), "{output:?}");
                let signed = std::fs::read_to_string(folder.join("a.xml")).unwrap();
                let (_, signed) = signed.split_once("?>").unwrap();
                let user = scene.show(signed).unwrap().unwrap();
                assert_eq!(user.name, "jérôme&co@example.org", "{algorithm} {listed}");
                assert_eq!(user.full_name.as_deref(), Some("Jérôme <B>"));
                assert_eq!(user.roles[0].display.as_deref(), Some("Pharmacist"));
                let changed = signed.replace("46255001", "46255002");
                assert!(scene.show(&changed).is_err());
                // In a header whose prefixes are others.
                let moved = format!(
                    "<x:y xmlns:x='urn:x'/><!-- --><?p i?>{}",
                    signed.trim().replace("\n", "\r\n")
                );
                assert!(scene.show(&moved).is_ok(), "{algorithm} {listed}");
            }
        }
    }
}

#[test]
fn it_and_we_refuse_sha_1() {
    if !is_here() {
        return;
    }
    let scene = Scene::with(Kind::Rsa(2048), |_| {});
    let folder = scene.folder.path();
    let key = scene.issuer.key.private_key_to_pem_pkcs8().unwrap();
    std::fs::write(folder.join("idp.key"), key).unwrap();
    let text = template(
        "rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#sha1",
        "",
        "_1",
    );
    let text = text.replace("xmldsig-more#rsa-sha1", "rsa-sha1");
    let text = text.replace("2001/04/rsa-sha1", "2000/09/xmldsig#rsa-sha1");
    std::fs::write(folder.join("t.xml"), text).unwrap();
    let sign = [
        "--sign",
        ID,
        ELEMENT,
        "--privkey-pem",
        "idp.key,idp.pem",
        "t.xml",
    ];
    let output = xmlsec1(&sign, folder);
    // A newer one may have no SHA-1 any more.
    if output.status.success() {
        let signed = String::from_utf8(output.stdout).unwrap();
        let (_, signed) = signed.split_once("?>").unwrap();
        scene.refused(signed, SecurityFault::UnsupportedAlgorithm, "rsa-sha1");
    }
}
