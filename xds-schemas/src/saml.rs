//! SAML 2.0 assertions, as ITI-40 uses them: what one says, read and written.
//!
//! Whether it can be believed is for the lock (`hilum-security`); here it is read from bytes that
//! were verified, or written to be signed.
//! <https://docs.oasis-open.org/security/saml/v2.0/saml-core-2.0-os.pdf>

mod read;
mod write;

/// The subject's name for people.
pub const SUBJECT_ID: &str = "urn:oasis:names:tc:xspa:1.0:subject:subject-id";
/// The subject's organisation for people.
pub const ORGANIZATION: &str = "urn:oasis:names:tc:xspa:1.0:subject:organization";
/// The subject's organisation, `urn:oid:…` or a URL.
pub const ORGANIZATION_ID: &str = "urn:oasis:names:tc:xspa:1.0:subject:organization-id";
/// The community that asks.
pub const HOME_COMMUNITY_ID: &str = "urn:ihe:iti:xca:2010:homeCommunityId";
/// A national provider identifier.
pub const NPI: &str = "urn:oasis:names:tc:xspa:1.0:subject:npi";
/// A provider identifier whose authority is named.
pub const PROVIDER_ID: &str = "urn:ihe:iti:xua:2017:subject:provider-identifier";
/// A role, as a code.
pub const ROLE: &str = "urn:oasis:names:tc:xacml:2.0:subject:role";
/// A purpose, as a code.
pub const PURPOSE_OF_USE: &str = "urn:oasis:names:tc:xspa:1.0:subject:purposeofuse";
/// The patient, as CX.
pub const RESOURCE_ID: &str = "urn:oasis:names:tc:xacml:2.0:resource:resource-id";
/// The `uniqueId` of the document in which the patient consented.
pub const CONSENT_DOCUMENT: &str = "urn:ihe:iti:bppc:2007:docid";
/// The policy to which the patient consented.
pub const PRIVACY_POLICY: &str = "urn:ihe:iti:xua:2012:acp";
/// Why the subject breaks the glass. Not of IHE.
pub const REASON: &str = "urn:hilum:xua:reason";

/// Whoever has the assertion is its subject.
pub const BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";
/// Whoever has the key is its subject.
pub const HOLDER_OF_KEY: &str = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key";
/// How a subject was authenticated, if nobody says how.
pub const UNSPECIFIED_CONTEXT: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// A point in time: seconds since 1970, negative before.
pub type Seconds = i64;

/// What an assertion says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assertion {
    /// `ID`
    pub id: String,
    /// `IssueInstant`
    pub issued: Seconds,
    /// Who says it.
    pub issuer: String,
    /// Of whom, if it says that.
    pub subject: Option<Subject>,
    /// When and for whom it holds.
    pub conditions: Option<Conditions>,
    /// How the subject was authenticated: each `AuthnStatement`.
    pub authentications: Vec<Authentication>,
    /// Every attribute of every statement, in their order.
    pub attributes: Vec<Attribute>,
}

/// Of whom an assertion speaks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// `NameID`; none if there is none that can be read.
    pub name: Option<String>,
    /// `SPProvidedID` of the name.
    pub alias: Option<String>,
    /// In which ways somebody can prove to be the subject.
    pub confirmations: Vec<Confirmation>,
}

/// A way to prove to be the subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// `Method`
    pub method: String,
    /// From when on.
    pub not_before: Option<Seconds>,
    /// Until when.
    pub not_on_or_after: Option<Seconds>,
    /// Certificates of the keys, in base64.
    pub certificates: Vec<String>,
}

/// When and for whom an assertion holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// From when on.
    pub not_before: Option<Seconds>,
    /// Until when.
    pub not_on_or_after: Option<Seconds>,
    /// For whom: of each of these lists, one (SAML erratum E46).
    pub audiences: Vec<Vec<String>>,
    /// Whether it may be used once only.
    pub one_time_use: bool,
    /// Whether there are conditions that are not known here.
    pub others: bool,
}

/// How a subject was authenticated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Authentication {
    /// `AuthnContextClassRef`, or else `AuthnContextDeclRef`.
    pub context: Option<String>,
    /// When the session ends.
    pub session_not_on_or_after: Option<Seconds>,
}

/// What an assertion says of its subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribute {
    /// `Name`
    pub name: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// CE of HL7 v3: a role or a purpose.
    Code {
        /// `code`
        code: String,
        /// `codeSystem`: an OID.
        system: String,
        /// `codeSystemName`
        system_name: Option<String>,
        /// `displayName`
        display: Option<String>,
    },
    /// II of HL7 v3.
    Identifier {
        /// `root`: an OID.
        root: String,
        /// `extension`
        extension: String,
    },
}

impl Assertion {
    /// The values of every attribute of this name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Value> {
        let of_name = self.attributes.iter().filter(move |it| it.name == name);
        of_name.flat_map(|attribute| &attribute.values)
    }

    /// The first text among them.
    pub fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.values(name).find_map(|value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Code { .. } | Value::Identifier { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
