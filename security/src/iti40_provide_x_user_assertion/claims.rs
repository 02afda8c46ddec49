//! From what an assertion says to a user.

use xds_schemas::saml::{
    Assertion, CONSENT_DOCUMENT, HOME_COMMUNITY_ID, NPI, ORGANIZATION, ORGANIZATION_ID,
    PRIVACY_POLICY, PROVIDER_ID, PURPOSE_OF_USE, REASON, RESOURCE_ID, ROLE, SUBJECT_ID, Value,
};

use super::conditions::subject;
use crate::caller::{User, UserCode, Vouched};
use crate::user_refused::{UserRefused, shown, shown_if_any};

/// The user of whom an assertion speaks.
pub(super) fn user(assertion: &Assertion) -> Result<User, UserRefused> {
    let subject = subject(assertion)?;
    let name = subject.name.as_deref().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| UserRefused::invalid("the assertion's subject has no name"))?;
    let text = |what: &str, name: &str| shown_if_any(what, assertion.text(name));
    let mut provider_ids = identifiers(assertion, NPI)?;
    provider_ids.extend(identifiers(assertion, PROVIDER_ID)?);
    Ok(User {
        name: shown("the name of the assertion's subject", name)?,
        issuer: shown("the assertion's issuer", &assertion.issuer)?,
        vouched: Vouched::Assertion,
        alias: shown_if_any("SPProvidedID", subject.alias.as_deref())?,
        full_name: text("subject-id", SUBJECT_ID)?,
        organization: text("the organisation", ORGANIZATION)?,
        organization_id: text("the organisation's ID", ORGANIZATION_ID)?,
        home_community_id: text("homeCommunityId", HOME_COMMUNITY_ID)?,
        provider_ids,
        roles: codes(assertion, ROLE)?,
        purposes: codes(assertion, PURPOSE_OF_USE)?,
        patient_id: text("resource-id", RESOURCE_ID)?,
        consent_document: text("the consent document's ID", CONSENT_DOCUMENT)?,
        privacy_policy: text("the privacy policy", PRIVACY_POLICY)?,
        reason: text("the reason", REASON)?,
        ..User::default()
    })
}

/// Codes, each once. Text is a code of no system, as XSPA had it before ITI-40 named HL7's CE.
fn codes(assertion: &Assertion, name: &str) -> Result<Vec<UserCode>, UserRefused> {
    let mut codes = Vec::new();
    for value in assertion.values(name) {
        let code = match value {
            Value::Code {
                code,
                system,
                display,
                ..
            } => UserCode {
                code: shown("a code", code)?,
                system: shown("a code's system", system)?,
                display: shown_if_any("a code's name", display.as_deref())?,
            },
            Value::Text(code) => UserCode {
                code: shown("a code", code)?,
                ..UserCode::default()
            },
            Value::Identifier { .. } => continue,
        };
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    Ok(codes)
}

fn identifiers(assertion: &Assertion, name: &str) -> Result<Vec<String>, UserRefused> {
    let written = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        // For backward compatibility (3.40.4.1.2).
        Value::Code { code, .. } => code.clone(),
        Value::Identifier { root, extension } => format!("{root}^{extension}"),
    };
    let identifiers = assertion.values(name).map(written);
    let identifiers = identifiers.map(|it| shown("a provider's identifier", &it));
    identifiers.collect()
}
