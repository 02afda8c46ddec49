//! For whom a node calls: where that stands in a request, and how whoever is not believed is told.

use std::sync::Arc;
use std::time::SystemTime;

use http::request::Parts;
use http::{Method, StatusCode, header};
use xds_schemas::wsse::Security;

use hilum_security::iti40_provide_x_user_assertion::Assertions;
use hilum_security::{Caller, User, UserRefused};

use crate::rest::Rest;
use crate::tokens::Tokens;

/// What a listener lets in, and how it learns for whom.
#[derive(Debug, Default)]
pub struct Doorway {
    /// What is not asked with SOAP.
    pub rest: Rest,
    /// How users are known.
    pub users: Users,
}

impl From<Rest> for Doorway {
    fn from(rest: Rest) -> Self {
        let users = Users::default();
        Self { rest, users }
    }
}

/// How users are known. Without either, nobody is asked for whom they call, and what they say of it
/// is not understood.
#[derive(Debug, Clone, Default)]
pub struct Users {
    /// In SOAP headers (ITI-40).
    pub assertions: Option<Arc<Assertions>>,
    /// In `Authorization` headers of what is not SOAP (ITI-72).
    pub tokens: Option<Arc<Tokens>>,
    /// First segments of the paths where nobody need be named in a SOAP header, whatever is
    /// required elsewhere.
    pub optional: Vec<String>,
    /// Nodes that may ask without a token although one is required: SHA-256 of their certificates. The
    /// rooms of a node ask each other so.
    pub nodes_without_users: Vec<String>,
}

/// A user of a request that is not SOAP was not believed.
#[derive(Debug)]
pub(crate) struct NoUser {
    pub(crate) status: StatusCode,
    /// What whoever asks is told.
    pub(crate) told: &'static str,
    /// `WWW-Authenticate` (RFC 6750, section 3).
    pub(crate) challenge: String,
    /// What the operator is told.
    pub(crate) why: String,
}

impl NoUser {
    /// Nobody is named who must be. RFC 6750: then there is no error code.
    fn nobody() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            told: "a bearer token is needed here",
            challenge: "Bearer realm=\"hilum\"".to_owned(),
            why: "no token says for whom it is asked".to_owned(),
        }
    }

    /// The token is not where it must be.
    fn misplaced(why: &str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            told: "the token is not where it must be",
            challenge: "Bearer realm=\"hilum\", error=\"invalid_request\"".to_owned(),
            why: why.to_owned(),
        }
    }

    /// The token is not believed. IUA 3.72.4.3: always 401.
    fn invalid(refused: UserRefused) -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            told: "the token is not accepted here",
            challenge: "Bearer realm=\"hilum\", error=\"invalid_token\"".to_owned(),
            why: refused.why,
        }
    }
}

impl Users {
    /// Whether the header of WS-Security is understood.
    pub(crate) const fn understand_assertions(&self) -> bool {
        self.assertions.is_some()
    }

    /// The user of a SOAP message.
    pub(crate) fn of_message(
        &self,
        security: &Security,
        caller: &Caller,
        path: &str,
    ) -> Result<Option<Arc<User>>, UserRefused> {
        let Some(assertions) = &self.assertions else {
            return Ok(None);
        };
        let room = path.split('/').nth(1).unwrap_or_default();
        let optional = self.optional.iter().any(|optional| optional == room);
        let judged = assertions.judge(security, optional, caller, SystemTime::now());
        judged.inspect_err(|refused| log(caller, &refused.why))
    }

    /// Whether a node may ask for nobody in particular.
    fn need_nobody(&self, caller: &Caller) -> bool {
        let node = caller.node.as_ref();
        node.is_some_and(|node| self.nodes_without_users.contains(&node.fingerprint))
    }

    /// The user of a request that is not SOAP.
    pub(crate) async fn of_request(
        &self,
        head: &Parts,
        caller: &Caller,
    ) -> Result<Option<Arc<User>>, NoUser> {
        let Some(tokens) = &self.tokens else {
            return Ok(None);
        };
        // Browsers ask what they may send before they send who asks.
        if head.method == Method::OPTIONS {
            return Ok(None);
        }
        let judged = match bearer(head) {
            Ok(Some(token)) => {
                let assertions = self.assertions.as_deref();
                let user = tokens.user(token, assertions, caller, SystemTime::now());
                user.await.map(Some).map_err(NoUser::invalid)
            }
            Ok(None) if tokens.are_required() && !self.need_nobody(caller) => Err(NoUser::nobody()),
            Ok(None) => Ok(None),
            Err(why) => Err(NoUser::misplaced(why)),
        };
        judged.inspect_err(|refused| log(caller, &refused.why))
    }
}

fn log(caller: &Caller, why: &str) {
    let node = caller.node.as_ref().map(|node| node.short());
    tracing::warn!(address = %caller.address, node, why, "a user was not believed");
}

/// The token of a request. It stands in the header, and nowhere else (IUA 3.72.4.2): what stands in
/// URLs stands in logs too.
fn bearer(head: &Parts) -> Result<Option<&str>, &'static str> {
    let query = head.uri.query().unwrap_or_default();
    let names = query.split('&').filter_map(|pair| pair.split('=').next());
    if names.into_iter().any(|name| name == "access_token") {
        return Err("a token stands in the URL");
    }
    let mut values = head.headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err("there are several Authorization headers");
    }
    let value = value
        .to_str()
        .map_err(|_| "the Authorization header is not text")?;
    match value.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, headers: &[&str]) -> Result<Option<String>, &'static str> {
        let mut request = http::Request::get(url);
        for value in headers {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        bearer(&head).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn a_token_has_one_place() {
        for (headers, expected) in [
            (&["Bearer abc"][..], Some("abc")),
            (&["bearer  a.b-c_d~e+f/g=="], Some("a.b-c_d~e+f/g==")),
            (&["Basic eDp5"], None),
            (&["Bearer"], None),
            (&[], None),
        ] {
            assert_eq!(found("/x?y=z", headers), Ok(expected.map(str::to_owned)));
        }
        assert!(found("/x", &["Bearer a", "Bearer b"]).is_err());
        assert!(found("/x?access_token=a", &["Bearer a"]).is_err());
        assert!(found("/x?y&access_token", &[]).is_err());
    }
}
