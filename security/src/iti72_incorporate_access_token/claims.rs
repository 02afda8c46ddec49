//! What tokens and answers to introspection say (IUA 3.71.4.2.2.1), and the user it makes.

use serde::Deserialize;

use super::scopes;
use crate::caller::{User, UserCode, Vouched};
use crate::permission::Permission;
use crate::user_refused::{UserRefused, shown, shown_if_any};

/// The claims. One that is there twice is an error.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Claims {
    pub(super) iss: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) aud: Option<OneOrMany<String>>,
    pub(super) jti: Option<String>,
    pub(super) exp: Option<f64>,
    pub(super) nbf: Option<f64>,
    pub(super) iat: Option<f64>,
    pub(super) scope: Option<String>,
    #[serde(default)]
    extensions: Extensions,
}

/// One value, or a list of them.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(super) fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct Extensions {
    #[serde(default)]
    ihe_iua: Iua,
    #[serde(default)]
    ihe_bppc: Bppc,
    #[serde(default)]
    hilum: Ours,
}

#[derive(Debug, Default, Deserialize)]
struct Iua {
    subject_name: Option<String>,
    subject_organization: Option<String>,
    subject_organization_id: Option<String>,
    subject_role: Option<OneOrMany<Coding>>,
    purpose_of_use: Option<OneOrMany<Coding>>,
    home_community_id: Option<String>,
    national_provider_identifier: Option<OneOrMany<String>>,
}

#[derive(Debug, Default, Deserialize)]
struct Bppc {
    patient_id: Option<String>,
    doc_id: Option<String>,
    acp: Option<String>,
}

/// What IHE has no word for.
#[derive(Debug, Default, Deserialize)]
struct Ours {
    reason: Option<String>,
}

/// Coding of FHIR.
#[derive(Debug, Deserialize)]
struct Coding {
    #[serde(default)]
    system: String,
    code: String,
    display: Option<String>,
}

/// Codes, roles, identifiers in one token.
const MAX_ITEMS: usize = 64;

impl Claims {
    /// The user of whom the claims speak. `audience` is which of the token's is ours: ITI-72 records
    /// it as the alias (3.72.5.1).
    pub(super) fn user(
        &self,
        issuer: &str,
        audience: Option<&str>,
        scopes: &[(String, Vec<Permission>)],
    ) -> Result<User, UserRefused> {
        let name = self.sub.as_deref().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| UserRefused::invalid("the token has no sub"))?;
        let (iua, bppc) = (&self.extensions.ihe_iua, &self.extensions.ihe_bppc);
        let text = |what: &str, value: &Option<String>| shown_if_any(what, value.as_deref());
        let providers = iua.national_provider_identifier.as_ref();
        let providers = few(providers.map_or(&[][..], OneOrMany::all))?.iter();
        let providers = providers.map(|it| shown("a provider's identifier", it));
        let scope = text("the scope", &self.scope)?.unwrap_or_default();
        let scope: Vec<String> = scope.split_ascii_whitespace().map(str::to_owned).collect();
        Ok(User {
            name: shown("sub", name)?,
            issuer: shown("iss", issuer)?,
            vouched: Vouched::Token,
            alias: audience.map(str::to_owned),
            full_name: text("subject_name", &iua.subject_name)?,
            organization: text("subject_organization", &iua.subject_organization)?,
            organization_id: text("subject_organization_id", &iua.subject_organization_id)?,
            home_community_id: text("home_community_id", &iua.home_community_id)?,
            provider_ids: providers.collect::<Result<_, _>>()?,
            roles: codes(iua.subject_role.as_ref())?,
            purposes: codes(iua.purpose_of_use.as_ref())?,
            patient_id: text("patient_id", &bppc.patient_id)?,
            consent_document: text("doc_id", &bppc.doc_id)?,
            privacy_policy: text("acp", &bppc.acp)?,
            client_id: text("client_id", &self.client_id)?,
            permissions: scopes::permissions(&scope, scopes),
            scopes: scope,
            reason: text("the reason", &self.extensions.hilum.reason)?,
        })
    }
}

fn few<T>(items: &[T]) -> Result<&[T], UserRefused> {
    match items.len() <= MAX_ITEMS {
        true => Ok(items),
        false => Err(UserRefused::invalid("the token says too much")),
    }
}

fn codes(codings: Option<&OneOrMany<Coding>>) -> Result<Vec<UserCode>, UserRefused> {
    let codings = few(codings.map_or(&[][..], OneOrMany::all))?;
    let code = |coding: &Coding| {
        Ok(UserCode {
            code: shown("a code", &coding.code)?,
            system: shown("a code's system", &coding.system)?,
            display: shown_if_any("a code's name", coding.display.as_deref())?,
        })
    };
    codings.iter().map(code).collect()
}
