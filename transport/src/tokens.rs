//! What the door fetches to judge tokens: the keys of who issues them, and explanations of those
//! that only their issuer can read (ITI-102 Introspect Token, RFC 7662).

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use openssl::sha::sha256;
use tokio::time::{Instant, timeout};

use hilum_security::iti40_provide_x_user_assertion::{Assertions, Need};
use hilum_security::iti72_incorporate_access_token::{Keys, TokenJudge, TokenKind};
use hilum_security::{Caller, User, UserRefused};
use xds_schemas::wsse::SecurityFault;

use crate::client::{Client, HttpRequest};
use crate::target::shown;

/// How long keys are used before they are fetched again.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// How soon they are fetched again, whatever tokens say of them.
const PAUSE: Duration = Duration::from_secs(10);
/// How long an authority may take to answer: callers wait for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of a set of keys, or of an explanation.
const ANSWER_BYTES: usize = 256 * 1024;
/// Explanations that are remembered.
const EXPLAINED: usize = 10_000;

/// How an authority's tokens are judged. They have the same numbers here as in the [`TokenJudge`].
#[derive(Debug)]
pub struct TokenSource {
    /// Where its keys are.
    pub keys: KeySource,
    /// Where it explains tokens, and as whom we ask.
    pub introspection: Option<Introspection>,
}

/// Where the keys of an authority are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// Nowhere: it explains its tokens itself, or has a secret.
    Nowhere,
    /// In a file, a JWK Set.
    File(PathBuf),
    /// At a URL.
    Url(String),
}

impl fmt::Display for KeySource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => out.write_str("nowhere"),
            Self::File(path) => path.display().fmt(out),
            Self::Url(url) => out.write_str(&shown(url)),
        }
    }
}

/// Where an authority explains tokens.
#[derive(Debug, Clone)]
pub struct Introspection {
    /// The endpoint.
    pub url: String,
    /// As whom we ask.
    pub credentials: Credentials,
}

/// As whom an authority is asked.
#[derive(Clone)]
pub enum Credentials {
    /// As the node that our certificate names.
    Certificate,
    /// As a client with a secret.
    Secret {
        /// `client_id`
        id: String,
        /// Its secret.
        secret: String,
    },
    /// As the bearer of a token.
    Token(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Credentials")
    }
}

impl Credentials {
    fn header(&self) -> Option<(&'static str, String)> {
        let value = match self {
            Self::Certificate => return None,
            Self::Secret { id, secret } => {
                // RFC 6749, section 2.3.1: both are encoded as in forms first.
                let both = format!("{}:{}", form_encoded(id), form_encoded(secret));
                format!("Basic {}", BASE64.encode(both))
            }
            Self::Token(token) => format!("Bearer {token}"),
        };
        Some(("authorization", value))
    }
}

/// Judges tokens, and fetches what is needed for it.
#[derive(Debug)]
pub struct Tokens {
    judge: TokenJudge,
    sources: Vec<(TokenSource, Fetched)>,
    client: Client,
    /// How long explanations are remembered, if they do not expire sooner.
    remember: Duration,
    explained: Mutex<Explained>,
}

/// Users of tokens that were explained, by the tokens' hashes, and until when that holds.
type Explained = HashMap<[u8; 32], (Arc<User>, SystemTime)>;

/// Keys that were fetched.
#[derive(Debug, Default)]
struct Fetched {
    keys: Mutex<(Arc<Keys>, Option<Instant>)>,
    /// When somebody tried last. Who tries holds it.
    tried: tokio::sync::Mutex<Option<Instant>>,
}

impl Tokens {
    /// Judges by `judge`, whose authorities these are. What is to be fetched is asked with `client`,
    /// and what was explained is remembered for `remember`.
    pub fn new(
        judge: TokenJudge,
        sources: Vec<TokenSource>,
        client: Client,
        remember: Duration,
    ) -> Self {
        let sources = sources.into_iter();
        Self {
            judge,
            sources: sources.map(|source| (source, Fetched::default())).collect(),
            client,
            remember,
            explained: Mutex::default(),
        }
    }

    pub(crate) fn are_required(&self) -> bool {
        self.judge.need() == Need::Required
    }

    /// The user of whom a token speaks.
    pub(crate) async fn user(
        &self,
        token: &str,
        assertions: Option<&Assertions>,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<Arc<User>, UserRefused> {
        let unreadable = || failed("nobody is known here who could explain the token");
        match self.judge.look(token)? {
            TokenKind::Jwt { authority, key } => {
                let (source, fetched) = &self.sources[authority];
                if source.keys == KeySource::Nowhere && source.introspection.is_some() {
                    return self.explain(token, authority, caller, now).await;
                }
                let keys = self.keys(&source.keys, fetched, key.as_deref()).await;
                let user = self.judge.believe(token, authority, &keys, caller, now);
                user.map(Arc::new)
            }
            TokenKind::Assertion(text) => {
                let assertions = assertions.ok_or_else(unreadable)?;
                assertions.believe(&text, caller, now)
            }
            TokenKind::Opaque => {
                let mut sources = self.sources.iter();
                let explains = sources.position(|(source, _)| source.introspection.is_some());
                let authority = explains.ok_or_else(unreadable)?;
                self.explain(token, authority, caller, now).await
            }
        }
    }

    /// The keys of an authority: fetched again if they are old, or if one is named that is not
    /// among them. That is not done more often than every few seconds, so that nobody can make us
    /// ask an authority for each token that they invent.
    async fn keys(&self, source: &KeySource, fetched: &Fetched, named: Option<&str>) -> Arc<Keys> {
        let enough = || {
            let held = fetched.keys.lock().unwrap_or_else(PoisonError::into_inner);
            let (keys, since) = &*held;
            let is_fresh = since.is_some_and(|since| since.elapsed() < FRESH);
            let has_it = named.is_none_or(|named| keys.has(named));
            (Arc::clone(keys), is_fresh && has_it)
        };
        let (keys, is_enough) = enough();
        if is_enough || *source == KeySource::Nowhere {
            return keys;
        }
        let mut tried = fetched.tried.lock().await;
        // Somebody else may have fetched them meanwhile.
        let (keys, is_enough) = enough();
        if is_enough || tried.is_some_and(|tried| tried.elapsed() < PAUSE) {
            return keys;
        }
        let answer = timeout(PATIENCE, self.fetch(source)).await;
        let answer = answer.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        *tried = Some(Instant::now());
        match answer.and_then(|bytes| Keys::read(&bytes)) {
            Ok(new) => {
                let new = Arc::new(new);
                let mut held = fetched.keys.lock().unwrap_or_else(PoisonError::into_inner);
                *held = (Arc::clone(&new), Some(Instant::now()));
                new
            }
            Err(error) => {
                tracing::warn!(%source, error, "keys of tokens cannot be fetched");
                keys
            }
        }
    }

    async fn fetch(&self, source: &KeySource) -> Result<Bytes, String> {
        match source {
            KeySource::Nowhere => Err("there are none".to_owned()),
            KeySource::File(path) => {
                let read = tokio::fs::read(path).await;
                read.map(Bytes::from).map_err(|error| error.to_string())
            }
            KeySource::Url(url) => {
                let request = HttpRequest {
                    method: "GET",
                    url,
                    headers: &[("accept", "application/json".to_owned())],
                    body: Bytes::new(),
                };
                let answer = self.client.exchange_http(request, ANSWER_BYTES).await;
                let answer = answer.map_err(|error| error.to_string())?;
                match answer.status {
                    200 => Ok(answer.body),
                    status => Err(format!("the answer has status {status}")),
                }
            }
        }
    }

    /// Lets the authority explain a token.
    async fn explain(
        &self,
        token: &str,
        authority: usize,
        caller: &Caller,
        now: SystemTime,
    ) -> Result<Arc<User>, UserRefused> {
        let digest = sha256(token.as_bytes());
        let lock = || {
            self.explained
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some((user, until)) = lock().get(&digest)
            && *until > now
        {
            return Ok(Arc::clone(user));
        }
        let introspection = self.sources[authority].0.introspection.as_ref();
        let introspection = introspection.ok_or_else(|| failed("nobody explains the token"))?;
        let form = "application/x-www-form-urlencoded";
        let mut headers = vec![
            ("content-type", form.to_owned()),
            ("accept", "application/json".to_owned()),
        ];
        headers.extend(introspection.credentials.header());
        let request = HttpRequest {
            method: "POST",
            url: &introspection.url,
            headers: &headers,
            body: format!("token={}", form_encoded(token)).into(),
        };
        let not_asked = |error: &dyn fmt::Display| {
            tracing::warn!(%error, "a token cannot be explained");
            failed("its issuer could not be asked about the token")
        };
        let answer = timeout(PATIENCE, self.client.exchange_http(request, ANSWER_BYTES));
        let answer = answer.await.map_err(|error| not_asked(&error))?;
        let answer = answer.map_err(|error| not_asked(&error))?;
        if answer.status != 200 {
            let status = answer.status;
            let url = shown(&introspection.url);
            tracing::warn!(status, %url, "a token was not explained");
            return Err(failed("its issuer does not explain the token to this node"));
        }
        let body = &answer.body;
        let (user, until) = self.judge.introspected(body, authority, caller, now)?;
        let user = Arc::new(user);
        // ITI-102: without an end, nothing is remembered.
        if let Some(until) = until.filter(|_| self.judge.lets_be_remembered()) {
            let until = until.min(now + self.remember);
            let mut explained = lock();
            if explained.len() >= EXPLAINED {
                explained.retain(|_, (_, until)| *until > now);
            }
            if explained.len() < EXPLAINED {
                explained.insert(digest, (Arc::clone(&user), until));
            }
        }
        Ok(user)
    }
}

fn failed(why: &str) -> UserRefused {
    UserRefused {
        fault: SecurityFault::FailedAuthentication,
        why: why.to_owned(),
    }
}

/// As forms are sent.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
                encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
    encoded
}
