//! ITI-72 Incorporate Access Token: for whom somebody asks who does not speak SOAP.
//!
//! A bearer token stands in the `Authorization` header. It is a JWT that one of an issuer's keys has
//! signed, or something that the issuer explains when it is asked (ITI-102 Introspect Token). Here it
//! is judged; keys and explanations are fetched by the door. What comes out is the same user that an
//! assertion (ITI-40) names.
//! IUA, revision 2.4: <https://profiles.ihe.net/ITI/IUA/>

mod claims;
mod cryptography;
mod issue;
mod scopes;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header, Validation};
use serde::Deserialize;
use xds_schemas::wsse::SecurityFault;

use crate::caller::{Caller, User};
use crate::iti40_provide_x_user_assertion::Need;
use crate::permission::Permission;
use crate::seen::{Replay, Seen, Shown};
use crate::user_refused::{UserRefused, quoted};

use claims::{Claims, OneOrMany};

pub use issue::{IssueToken, TokenIssuer};

/// Bytes of a token. They must fit into a header that we take.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
/// Keys of an issuer.
const MAX_KEYS: usize = 64;
/// Keys that are tried for a token that does not name its own.
const MAX_TRIED: usize = 8;
/// Algorithms by default: everything asymmetric.
const ASYMMETRIC: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];
/// Algorithms with a secret.
const SYMMETRIC: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

/// Who may issue tokens.
#[derive(Clone)]
pub struct Authority {
    /// How it calls itself: `iss`.
    pub name: String,
    /// What it shares with us, if its tokens are signed so. Then no other signature of it counts.
    pub secret: Option<Vec<u8>>,
}

/// Whom to believe.
#[derive(Clone)]
pub struct TokenSettings {
    /// Whether a user must be named.
    pub need: Need,
    /// As whom this node is meant.
    pub audience: Vec<String>,
    /// Who may issue tokens.
    pub authorities: Vec<Authority>,
    /// How far clocks may differ.
    pub skew: Duration,
    /// How long a token may be valid.
    pub longest_lifetime: Duration,
    /// What becomes of tokens that were shown before.
    pub replay: Replay,
    /// How many are remembered for that.
    pub remembered: usize,
    /// What scopes allow whose names are the operator's.
    pub scopes: Vec<(String, Vec<Permission>)>,
}

/// What a token looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A JWT of the authority with this number, signed with the key that it names.
    Jwt {
        /// Which of the authorities.
        authority: usize,
        /// `kid`
        key: Option<String>,
    },
    /// An assertion of SAML 2.0 (IUA 3.72.4.3.2).
    Assertion(String),
    /// Nothing that could be read here.
    Opaque,
}

/// Keys of an authority, as it publishes them.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<Jwk>);

impl Keys {
    /// Reads a JWK Set (RFC 7517). Keys of kinds that are not known are left out.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        /// Each by itself, so that one of a new kind does not spoil the others.
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!("it has more than {MAX_KEYS} keys"));
        }
        let read = |key| serde_json::from_value::<Jwk>(key).ok();
        let keys: Vec<Jwk> = set.keys.into_iter().filter_map(read).collect();
        Ok(Self(keys.into_iter().filter(is_public).collect()))
    }

    /// Whether there is a key of this name.
    pub fn has(&self, name: &str) -> bool {
        let mut names = self.0.iter().map(|key| key.common.key_id.as_deref());
        names.any(|key| key == Some(name))
    }

    /// Those that may have signed a token.
    fn candidates(&self, header: &Header) -> Vec<&Jwk> {
        let family = cryptography::family(header.alg);
        let fits = |key: &&Jwk| {
            let named = match &header.kid {
                Some(kid) => key.common.key_id.as_ref() == Some(kid),
                None => true,
            };
            let said = key.common.key_algorithm.map(|it| it.to_string());
            let said = said.is_none_or(|said| said == format!("{:?}", header.alg));
            named && said && family == family_of(key)
        };
        self.0.iter().filter(fits).take(MAX_TRIED).collect()
    }
}

fn family_of(key: &Jwk) -> Option<AlgorithmFamily> {
    match key.algorithm {
        AlgorithmParameters::RSA(_) => Some(AlgorithmFamily::Rsa),
        AlgorithmParameters::EllipticCurve(_) => Some(AlgorithmFamily::Ec),
        _ => None,
    }
}

/// A secret that is published is none.
fn is_public(key: &Jwk) -> bool {
    let signs = !matches!(
        key.common.public_key_use,
        Some(PublicKeyUse::Encryption | PublicKeyUse::Other(_))
    );
    signs && family_of(key).is_some()
}

/// Judges tokens.
pub struct TokenJudge {
    settings: TokenSettings,
    seen: Seen,
}

impl TokenJudge {
    /// A judge.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn new(settings: TokenSettings) -> Result<Self, &'static str> {
        cryptography::install();
        if settings.authorities.is_empty() {
            return Err("nobody is trusted to issue tokens");
        }
        if settings.audience.is_empty() {
            return Err("there is no audience, so that no token is meant for this node");
        }
        let seen = Seen::new(settings.replay, settings.remembered);
        Ok(Self { settings, seen })
    }

    /// Whether a user must be named.
    pub fn need(&self) -> Need {
        self.settings.need
    }

    /// Whether what was found out about a token may be remembered: not if each must be known again.
    pub fn lets_be_remembered(&self) -> bool {
        matches!(self.settings.replay, Replay::Allow | Replay::OneTimeUse)
    }

    /// What a token looks like. Nothing of it is believed yet.
    ///
    /// # Errors
    /// If it cannot be a token, or is one of an authority that nobody knows.
    pub fn look(&self, token: &str) -> Result<TokenKind, UserRefused> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(UserRefused::invalid("the token is too long"));
        }
        let is_b64token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(is_b64token) {
            return Err(UserRefused::invalid("this is no bearer token"));
        }
        let parts: Vec<&str> = token.split('.').collect();
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        match parts.as_slice() {
            [header, claims, _] => match (decoded(header), decoded(claims)) {
                (Some(header), Some(claims)) => self.look_at_jwt(&header, &claims),
                _ => Ok(TokenKind::Opaque),
            },
            [whole] => {
                let text = decoded(whole).and_then(|bytes| String::from_utf8(bytes).ok());
                let text = text.filter(|text| text.trim_start().starts_with('<'));
                Ok(text.map_or(TokenKind::Opaque, TokenKind::Assertion))
            }
            _ => Ok(TokenKind::Opaque),
        }
    }

    fn look_at_jwt(&self, header: &[u8], claims: &[u8]) -> Result<TokenKind, UserRefused> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            alg: String,
            kid: Option<String>,
        }
        #[derive(Deserialize)]
        struct Body {
            iss: Option<String>,
        }
        let Ok(head) = serde_json::from_slice::<Head>(header) else {
            return Ok(TokenKind::Opaque);
        };
        let known = ASYMMETRIC.iter().chain(&SYMMETRIC);
        if !known.clone().any(|it| format!("{it:?}") == head.alg) {
            let why = format!(
                "the token's algorithm is not accepted: {}",
                quoted(&head.alg)
            );
            return Err(UserRefused::algorithm(why));
        }
        let body: Body = serde_json::from_slice(claims)
            .map_err(|_| UserRefused::invalid("the token's claims cannot be read"))?;
        let issuer = body
            .iss
            .ok_or_else(|| UserRefused::invalid("the token has no iss"))?;
        let mut authorities = self.settings.authorities.iter();
        let authority = authorities.position(|authority| authority.name == issuer);
        let authority = authority.ok_or_else(|| {
            let why = format!(
                "the token's issuer is not trusted here: {}",
                quoted(&issuer)
            );
            UserRefused::failed(why)
        })?;
        let key = head.kid;
        Ok(TokenKind::Jwt { authority, key })
    }

    /// The user of whom a JWT speaks, shown by `caller`, if one of `keys` has signed it.
    ///
    /// # Errors
    /// If it is not believed.
    pub fn believe(
        &self,
        token: &str,
        authority: usize,
        keys: &Keys,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<User, UserRefused> {
        let authority = &self.settings.authorities[authority];
        let claims = verified(token, authority, keys)?;
        for (name, missing) in [
            ("sub", claims.sub.is_none()),
            ("client_id", claims.client_id.is_none()),
            ("aud", claims.aud.is_none()),
            ("jti", claims.jti.is_none()),
            ("iat", claims.iat.is_none()),
            ("exp", claims.exp.is_none()),
            ("scope", claims.scope.is_none()),
        ] {
            if missing {
                return Err(UserRefused::invalid(format!("the token has no {name}")));
            }
        }
        if claims.iss.as_ref() != Some(&authority.name) {
            return Err(UserRefused::failed("another issuer has signed the token"));
        }
        self.judge(&claims, authority, caller, now)
    }

    /// The user of whom the answer to an introspection (RFC 7662) speaks, and until when it may be
    /// remembered.
    ///
    /// # Errors
    /// If the token is not active, or not for us.
    pub fn introspected(
        &self,
        answer: &[u8],
        authority: usize,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<(User, Option<SystemTime>), UserRefused> {
        #[derive(Deserialize)]
        struct Answer {
            active: bool,
            #[serde(flatten)]
            claims: serde_json::Map<String, serde_json::Value>,
        }
        let unreadable = || UserRefused::failed("the answer about the token cannot be read");
        let answer: Answer = serde_json::from_slice(answer).map_err(|_| unreadable())?;
        if !answer.active {
            return Err(UserRefused::failed(
                "its issuer says that the token is not active",
            ));
        }
        let claims = serde_json::Value::Object(answer.claims);
        let claims: Claims = serde_json::from_value(claims).map_err(|_| unreadable())?;
        let authority = &self.settings.authorities[authority];
        if claims
            .iss
            .as_ref()
            .is_some_and(|iss| *iss != authority.name)
        {
            return Err(UserRefused::failed("the token is of another issuer"));
        }
        let user = self.judge(&claims, authority, caller, now)?;
        Ok((user, claims.exp.map(moment)))
    }

    /// Whether claims that are true are meant for here and now.
    fn judge(
        &self,
        claims: &Claims,
        authority: &Authority,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<User, UserRefused> {
        let skew = self.settings.skew;
        let later = |claim: Option<f64>| claim.is_some_and(|it| now + skew < moment(it));
        if later(claims.nbf) || later(claims.iat) {
            return Err(UserRefused::failed("the token is not valid yet"));
        }
        if let (Some(nbf), Some(exp)) = (claims.nbf, claims.exp)
            && nbf >= exp
        {
            // The leave that clocks have would make a moment of it at which both hold.
            return Err(UserRefused::invalid(
                "the token ends before it begins (nbf, exp)",
            ));
        }
        if let Some(exp) = claims.exp {
            let until = moment(exp);
            if now >= until + skew {
                return Err(UserRefused::failed("the token has expired"));
            }
            let from = claims.iat.map_or(now, moment);
            let lifetime = until.duration_since(from).unwrap_or_default();
            if lifetime > self.settings.longest_lifetime + skew {
                let longest = self.settings.longest_lifetime.as_secs();
                let why = format!("the token is valid for longer than {longest} seconds");
                return Err(UserRefused::failed(why));
            }
        }
        let audience = claims.aud.as_ref().map_or(&[][..], OneOrMany::all);
        let ours = audience
            .iter()
            .find(|audience| self.settings.audience.contains(audience));
        if claims.aud.is_some() && ours.is_none() {
            return Err(UserRefused::failed("the token is meant for others"));
        }
        let ours = ours.map(String::as_str);
        let user = claims.user(&authority.name, ours, &self.settings.scopes)?;
        self.take(claims, authority, caller, now)?;
        Ok(user)
    }

    fn take(
        &self,
        claims: &Claims,
        authority: &Authority,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<(), UserRefused> {
        let (Some(id), Some(exp)) = (&claims.jti, claims.exp) else {
            return match self.settings.replay {
                Replay::Allow | Replay::OneTimeUse => Ok(()),
                _ => Err(UserRefused::invalid(
                    "without jti and exp, a token cannot be known again",
                )),
            };
        };
        let address = caller.address.ip().to_canonical().to_string();
        let node = caller.node.as_ref();
        let shown = Shown {
            issuer: &authority.name,
            id,
            by: Some(node.map_or(address.as_str(), |node| node.fingerprint.as_str())),
            one_time: false,
            until: moment(exp) + self.settings.skew,
        };
        let taken = self.seen.take(&shown, now);
        taken.map_err(|why| UserRefused::failed(format!("the token is replayed: {why}")))
    }
}

impl std::fmt::Debug for TokenJudge {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.settings.authorities.iter().map(|it| &it.name);
        out.debug_struct("TokenJudge")
            .field("authorities", &names.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// The latest moment that a token can name: some time after the year 9000.
const LATEST: f64 = 230_000_000_000.0;

/// A NumericDate.
fn moment(seconds: f64) -> SystemTime {
    // NaN becomes 1970.
    let seconds = seconds.clamp(0.0, LATEST);
    let whole = if seconds.is_nan() { 0.0 } else { seconds };
    UNIX_EPOCH + Duration::from_secs_f64(whole)
}

/// The claims of a token that one of the authority's keys has signed.
fn verified(token: &str, authority: &Authority, keys: &Keys) -> Result<Claims, UserRefused> {
    let header = jsonwebtoken::decode_header(token);
    let header = header.map_err(|_| UserRefused::invalid("the token's header cannot be read"))?;
    if header.crit.is_some() {
        let why = "the token's header has extensions that must be understood";
        return Err(UserRefused::invalid(why));
    }
    let symmetric = SYMMETRIC.contains(&header.alg);
    if symmetric != authority.secret.is_some() {
        let why = "the token is signed in another way than its issuer's tokens are";
        return Err(UserRefused::algorithm(why));
    }
    let keys: Vec<DecodingKey> = match &authority.secret {
        Some(secret) => vec![DecodingKey::from_secret(secret)],
        None => {
            let keys = keys.candidates(&header).into_iter();
            keys.filter_map(|key| DecodingKey::from_jwk(key).ok())
                .collect()
        }
    };
    if keys.is_empty() {
        return Err(UserRefused::failed(
            "the token names a key that its issuer does not have",
        ));
    }
    // Times and names are judged by us, with a clock that is given to us.
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let mut why = UserRefused::new(
        SecurityFault::FailedCheck,
        "the token is not signed with a key of its issuer",
    );
    for key in &keys {
        match jsonwebtoken::decode::<Claims>(token, key, &validation) {
            Ok(decoded) => return Ok(decoded.claims),
            Err(error) if is_json(&error) => {
                why = UserRefused::invalid("the token's claims cannot be read");
            }
            Err(_) => {}
        }
    }
    Err(why)
}

fn is_json(error: &jsonwebtoken::errors::Error) -> bool {
    matches!(error.kind(), jsonwebtoken::errors::ErrorKind::Json(_))
}
