//! Issuing tokens, for trying things out: `hilum token` and the tests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use openssl::bn::{BigNum, BigNumContext};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::rand::rand_bytes;
use serde_json::{Value, json};

use super::cryptography;
use crate::caller::{NodeName, User, UserCode};
use crate::user_refused::UserRefused;
use openssl::x509::X509;

/// Signs tokens.
pub struct TokenIssuer {
    /// How it calls itself: `iss`.
    pub name: String,
    /// Its key.
    pub key: PKey<Private>,
    /// Its certificate, whose fingerprint is the name of the key.
    pub certificate: X509,
}

/// What a token is to say, beside who its user is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueToken {
    /// For whom it is.
    pub audience: Vec<String>,
    /// From when on, in seconds since 1970.
    pub from: u64,
    /// Until when.
    pub until: u64,
}

impl TokenIssuer {
    /// A token of a user, signed.
    ///
    /// # Errors
    /// If it cannot be signed with this key.
    pub fn issue(&self, user: &User, issue: &IssueToken) -> Result<String, UserRefused> {
        let failed = |error: ErrorStack| UserRefused::invalid(error.to_string());
        let mut random = [0; 16];
        rand_bytes(&mut random).map_err(failed)?;
        let id = URL_SAFE_NO_PAD.encode(random);
        self.sign(&claims(&self.name, &id, user, issue))
    }

    /// Signs claims as they are.
    ///
    /// # Errors
    /// If it cannot be signed with this key.
    pub fn sign(&self, claims: &Value) -> Result<String, UserRefused> {
        cryptography::install();
        let failed = |error: ErrorStack| UserRefused::invalid(error.to_string());
        let algorithm = self.algorithm()?;
        let der = self.key.private_key_to_pkcs8().map_err(failed)?;
        let key = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der),
            _ => EncodingKey::from_ec_der(&der),
        };
        let mut header = Header::new(algorithm);
        header.kid = Some(self.key_name()?);
        jsonwebtoken::encode(&header, claims, &key)
            .map_err(|error| UserRefused::invalid(error.to_string()))
    }

    /// The set of keys with which its tokens are checked (RFC 7517).
    ///
    /// # Errors
    /// If it is a key that tokens are not signed with.
    pub fn keys(&self) -> Result<String, UserRefused> {
        let failed = |error: ErrorStack| UserRefused::invalid(error.to_string());
        let mut key = self.numbers().map_err(failed)?;
        key["kid"] = self.key_name()?.into();
        key["use"] = "sig".into();
        key["alg"] = format!("{:?}", self.algorithm()?).into();
        Ok(json!({ "keys": [key] }).to_string())
    }

    fn numbers(&self) -> Result<Value, ErrorStack> {
        let base64 = |bytes: Vec<u8>| URL_SAFE_NO_PAD.encode(bytes);
        if let Ok(rsa) = self.key.rsa() {
            let (n, e) = (base64(rsa.n().to_vec()), base64(rsa.e().to_vec()));
            return Ok(json!({ "kty": "RSA", "n": n, "e": e }));
        }
        let key = self.key.ec_key()?;
        let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
        let mut context = BigNumContext::new()?;
        let point = key.public_key();
        point.affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
        let (curve, width) = match self.key.bits() {
            384 => ("P-384", 48),
            _ => ("P-256", 32),
        };
        let (x, y) = (x.to_vec_padded(width)?, y.to_vec_padded(width)?);
        Ok(json!({ "kty": "EC", "crv": curve, "x": base64(x), "y": base64(y) }))
    }

    fn algorithm(&self) -> Result<Algorithm, UserRefused> {
        let algorithm = cryptography::algorithm_of(&self.key);
        algorithm.ok_or_else(|| UserRefused::algorithm("tokens are not signed with such a key"))
    }

    fn key_name(&self) -> Result<String, UserRefused> {
        let name = NodeName::of(&self.certificate);
        let name = name.map_err(|error| UserRefused::invalid(error.to_string()))?;
        Ok(name.fingerprint)
    }
}

fn claims(issuer: &str, id: &str, user: &User, issue: &IssueToken) -> Value {
    let codes = |codes: &[UserCode]| {
        let coding = |code: &UserCode| json!({ "system": code.system, "code": code.code, "display": code.display });
        codes.iter().map(coding).collect::<Vec<_>>()
    };
    let mut claims = json!({
        "iss": issuer,
        "sub": user.name,
        "client_id": user.client_id.as_deref().unwrap_or("hilum"),
        "aud": issue.audience,
        "jti": id,
        "iat": issue.from,
        "nbf": issue.from,
        "exp": issue.until,
        "scope": user.scopes.join(" "),
        "extensions": {
            "ihe_iua": {
                "subject_name": user.full_name,
                "subject_organization": user.organization,
                "subject_organization_id": user.organization_id,
                "subject_role": codes(&user.roles),
                "purpose_of_use": codes(&user.purposes),
                "home_community_id": user.home_community_id,
                "national_provider_identifier": user.provider_ids,
            },
            "ihe_bppc": {
                "patient_id": user.patient_id,
                "doc_id": user.consent_document,
                "acp": user.privacy_policy,
            },
            "hilum": { "reason": user.reason },
        },
    });
    strip(&mut claims);
    claims
}

/// Without what is not said.
fn strip(value: &mut Value) {
    if let Value::Object(map) = value {
        for (_, value) in map.iter_mut() {
            strip(value);
        }
        let empty = |value: &Value| match value {
            Value::Null => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        map.retain(|_, value| !empty(value));
    }
    if let Value::Array(items) = value {
        items.iter_mut().for_each(strip);
    }
}
