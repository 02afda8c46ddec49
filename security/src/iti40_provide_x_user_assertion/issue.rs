//! Issuing assertions, for trying things out: `hilum assertion` and the tests.

use bergshamra_xml::uppsala;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use openssl::x509::X509;
use xds_schemas::saml::{
    Assertion, Attribute, Authentication, BEARER, CONSENT_DOCUMENT, Conditions, Confirmation,
    HOME_COMMUNITY_ID, NPI, ORGANIZATION, ORGANIZATION_ID, PRIVACY_POLICY, PURPOSE_OF_USE, REASON,
    RESOURCE_ID, ROLE, SUBJECT_ID, Seconds, Subject, Value,
};
use xds_schemas::xml::{Writer, ns};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::algorithms::{Digest, ENVELOPED, EXCLUSIVE, SignatureAlgorithm};
use super::signature::canonical;
use crate::caller::{User, UserCode};
use crate::user_refused::UserRefused;

/// Signs assertions.
pub struct AssertionIssuer {
    /// How it calls itself.
    pub name: String,
    /// Its key.
    pub key: PKey<Private>,
    /// Its certificate, which assertions show.
    pub certificate: X509,
}

/// What an assertion is to say, beside who its user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// For whom it is.
    pub audience: Vec<String>,
    /// From when on, in seconds since 1970.
    pub from: Seconds,
    /// Until when.
    pub until: Seconds,
    /// Whether it is for one use.
    pub one_time_use: bool,
}

impl AssertionIssuer {
    /// An assertion of a user, signed.
    ///
    /// # Errors
    /// If it cannot be signed with this key.
    pub fn issue(&self, user: &User, issue: &Issue) -> Result<String, UserRefused> {
        let id = new_id().map_err(|error| UserRefused::invalid(error.to_string()))?;
        self.sign(&assertion(&self.name, id, user, issue))
    }

    /// Signs an assertion as it is.
    ///
    /// # Errors
    /// If it cannot be signed with this key.
    pub fn sign(&self, assertion: &Assertion) -> Result<String, UserRefused> {
        let failed = |error: ErrorStack| UserRefused::invalid(error.to_string());
        let algorithm = SignatureAlgorithm::with(&self.key)
            .ok_or_else(|| UserRefused::algorithm("assertions are not signed with such a key"))?;
        let digest = Digest::Sha256.of(&canonical_of(&assertion.write(""))?);
        let digest = BASE64.encode(digest.map_err(failed)?);
        let signed_info = signed_info(&assertion.id, algorithm, &digest);
        let value = algorithm.sign(&self.key, &canonical_of(&signed_info)?);
        let value = BASE64.encode(value.map_err(failed)?);
        let certificate = self.certificate.to_der().map_err(failed)?;
        let mut xml = Writer::with_capacity(4096);
        xml.open("ds:Signature")
            .attribute("xmlns:ds", ns::DS)
            .raw(&signed_info)
            .element("ds:SignatureValue", &value);
        xml.open("ds:KeyInfo").open("ds:X509Data");
        xml.element("ds:X509Certificate", &BASE64.encode(certificate));
        xml.close("ds:X509Data").close("ds:KeyInfo");
        xml.close("ds:Signature");
        Ok(assertion.write(&xml.finish()))
    }
}

/// Exclusive canonical XML of what we wrote ourselves.
fn canonical_of(xml: &str) -> Result<Vec<u8>, UserRefused> {
    let unreadable = || UserRefused::invalid("what was written cannot be read");
    let document = uppsala::parse(xml).map_err(|_| unreadable())?;
    let root = document.document_element().ok_or_else(unreadable)?;
    canonical(&document, root, None, &[])
}

fn signed_info(id: &str, algorithm: SignatureAlgorithm, digest: &str) -> String {
    let mut xml = Writer::with_capacity(1024);
    let empty = |xml: &mut Writer, name: &str, algorithm: &str| {
        xml.open(name).attribute("Algorithm", algorithm).close(name);
    };
    xml.open("ds:SignedInfo").attribute("xmlns:ds", ns::DS);
    empty(&mut xml, "ds:CanonicalizationMethod", EXCLUSIVE);
    empty(&mut xml, "ds:SignatureMethod", algorithm.uri());
    xml.open("ds:Reference").attribute("URI", &format!("#{id}"));
    xml.open("ds:Transforms");
    empty(&mut xml, "ds:Transform", ENVELOPED);
    empty(&mut xml, "ds:Transform", EXCLUSIVE);
    xml.close("ds:Transforms");
    empty(&mut xml, "ds:DigestMethod", Digest::Sha256.uri());
    xml.element("ds:DigestValue", digest);
    xml.close("ds:Reference").close("ds:SignedInfo");
    xml.finish()
}

/// An ID that nobody else has; it begins with a letter or `_`, as XML wants it.
pub(super) fn new_id() -> Result<String, ErrorStack> {
    let mut random = [0; 20];
    rand_bytes(&mut random)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("_{hex}"))
}

/// What is said of a user, unsigned.
pub(super) fn assertion(issuer: &str, id: String, user: &User, issue: &Issue) -> Assertion {
    let text = |name: &str, value: &Option<String>| {
        let values = value.iter().cloned().map(Value::Text).collect();
        attribute(name, values)
    };
    let codes = |name: &str, codes: &[UserCode]| {
        let value = |code: &UserCode| Value::Code {
            code: code.code.clone(),
            system: code.system.clone(),
            system_name: None,
            display: code.display.clone(),
        };
        attribute(name, codes.iter().map(value).collect())
    };
    let providers = user.provider_ids.iter().cloned().map(Value::Text);
    let attributes = [
        text(SUBJECT_ID, &user.full_name),
        text(ORGANIZATION, &user.organization),
        text(ORGANIZATION_ID, &user.organization_id),
        text(HOME_COMMUNITY_ID, &user.home_community_id),
        attribute(NPI, providers.collect()),
        codes(ROLE, &user.roles),
        codes(PURPOSE_OF_USE, &user.purposes),
        text(RESOURCE_ID, &user.patient_id),
        text(CONSENT_DOCUMENT, &user.consent_document),
        text(PRIVACY_POLICY, &user.privacy_policy),
        text(REASON, &user.reason),
    ];
    Assertion {
        id,
        issued: issue.from,
        issuer: issuer.to_owned(),
        subject: Some(Subject {
            name: Some(user.name.clone()),
            alias: user.alias.clone(),
            confirmations: vec![Confirmation {
                method: BEARER.to_owned(),
                ..Confirmation::default()
            }],
        }),
        conditions: Some(Conditions {
            not_before: Some(issue.from),
            not_on_or_after: Some(issue.until),
            audiences: vec![issue.audience.clone()],
            one_time_use: issue.one_time_use,
            others: false,
        }),
        authentications: vec![Authentication::default()],
        attributes: attributes.into_iter().flatten().collect(),
    }
}

fn attribute(name: &str, values: Vec<Value>) -> Option<Attribute> {
    let name = name.to_owned();
    (!values.is_empty()).then_some(Attribute { name, values })
}
