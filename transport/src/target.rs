//! A URL, taken apart.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use http::uri::Authority;
use http::{HeaderValue, Request, Uri, header};
use serde::Deserialize;

use crate::body::Body;

/// Characters that a URL may have. Longer ones are nobody's address.
const URL_CHARACTERS: usize = 2048;

/// Scheme, host and port: what of a URL says which server is meant. Two are equal if they mean the
/// same server by the same name, however they are written.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Origin {
    pub(crate) tls: bool,
    /// In lower case; an IPv6 address without brackets, as RFC 5952 writes it.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    /// Reads `https://host:port`. The port may be missing if it is that of the scheme.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let target = Target::parse(text)?;
        let (_, rest) = text.split_once("://").unwrap_or_default();
        match rest.trim_end_matches('/').contains(['/', '?', '#']) {
            true => Err("only https://host:port is compared, so nothing may follow it"),
            false => Ok(target.origin),
        }
    }

    /// Its host: a name in lower case, or an address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether connections to it are encrypted.
    pub const fn is_encrypted(&self) -> bool {
        self.tls
    }

    /// Whether it is on this very machine.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }

    fn of(tls: bool, authority: &Authority) -> Result<Self, &'static str> {
        // What stands before an @ looks like a host to people.
        if authority.as_str().contains('@') {
            return Err("the URL must not hold a user name");
        }
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host).unwrap_or_default() {
            "" if tls => 443,
            "" => 80,
            port => {
                let port = port.strip_prefix(':').unwrap_or_default();
                let digits = port.bytes().all(|byte| byte.is_ascii_digit());
                let number = port.parse().ok().filter(|number| digits && *number != 0);
                number.ok_or("the port is not a number from 1 to 65535")?
            }
        };
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let host = match literal {
            Some(literal) => {
                let address = literal.parse::<Ipv6Addr>();
                let address = address.map_err(|_| "the host is not an IPv6 address")?;
                address.to_string()
            }
            None if host.is_empty() => return Err("the URL names no host"),
            None => host.to_ascii_lowercase(),
        };
        Ok(Self { tls, host, port })
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        // A password may stand in it, so it is not repeated.
        Self::parse(&text).map_err(str::to_owned)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(out, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(out, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// A URL as it may be told: server and path. What stands behind them is left out, and a URL that is
/// none, or has a user in it, is not repeated at all: nobody knows where in it a password stands.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return UNSHOWN.to_owned();
    };
    // Servers of HL7 v2 are named in the same way.
    let tls = match scheme {
        "https" | "mllps" => true,
        "http" | "mllp" => false,
        _ => return UNSHOWN.to_owned(),
    };
    let plain = match tls {
        true => format!("https://{rest}"),
        false => format!("http://{rest}"),
    };
    let told = rest.split(['?', '#']).next().unwrap_or_default();
    match Target::parse(&plain) {
        Ok(_) if !rest.contains('@') => format!("{scheme}://{told}"),
        _ => UNSHOWN.to_owned(),
    }
}

/// What is told instead of a URL that may hold a password.
const UNSHOWN: &str = "the URL (which is not repeated)";

/// A URL, taken apart. What is compared with it and what is connected to are the same parts.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) origin: Origin,
    authority: String,
    path: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if url.len() > URL_CHARACTERS {
            return Err("the URL is too long");
        }
        let uri: Uri = url.parse().map_err(|_| "this is not a URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("only https and http URLs can be asked"),
        };
        let authority = uri.authority().ok_or("the URL names no host")?;
        Ok(Self {
            origin: Origin::of(tls, authority)?,
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        })
    }

    /// Connections to this are alike.
    pub(crate) fn peer(&self) -> String {
        self.origin.to_string()
    }

    pub(crate) fn request(
        &self,
        method: &str,
        kind: Option<HeaderValue>,
        body: Body,
    ) -> Request<Body> {
        let mut request = Request::new(body);
        if method == "POST" {
            *request.method_mut() = http::Method::POST;
        }
        // Both were part of a URL that was parsed.
        *request.uri_mut() = self.path.parse().unwrap_or_default();
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            request.headers_mut().insert(header::HOST, host);
        }
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        let origin = |url| Target::parse(url).map(|target| target.origin);
        matches!((origin(one), origin(other)), (Ok(one), Ok(other)) if one == other)
    }

    #[test]
    fn a_server_is_its_scheme_host_and_port() {
        assert!(same("https://a.example/x", "https://A.Example:443/y?z"));
        assert!(same("http://a.example", "HTTP://a.example:80/"));
        assert!(same(
            "http://[::1]:8080/",
            "http://[0:0:0:0:0:0:0:1]:8080/x"
        ));
        for (one, other) in [
            ("https://a.example/", "http://a.example/"),
            ("https://a.example/", "https://a.example:444/"),
            ("https://a.example/", "https://a.example.evil/"),
            ("https://a.example/", "https://evil/a.example"),
            ("https://a.example/", "https://a.example./"),
            ("http://127.0.0.1/", "http://127.1/"),
            ("http://127.0.0.1/", "http://[::ffff:127.0.0.1]/"),
            ("http://[::1]/", "http://localhost/"),
        ] {
            assert!(!same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn urls_that_may_be_read_in_two_ways_are_refused() {
        for url in [
            "http://allowed@evil/",
            "http://allowed:80@evil/",
            "http://allowed%40evil@evil/",
            "http://allowed:99999/",
            "http://allowed:0/",
            "http://allowed:/",
            "http://allowed:8o/",
            "http://allowed:+80/",
            "http://[::1/",
            "http://[::1%25eth0]/",
            "http://[fe80::1]evil/",
            "http://allowed\\@evil/",
            "http://allowed evil/",
            "http:///x",
            "//allowed/x",
            "/x",
            "file:///etc/passwd",
            "gopher://allowed/",
            "urn:uuid:1",
            "",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
        let long = format!("http://allowed/{}", "x".repeat(URL_CHARACTERS));
        assert!(Target::parse(&long).is_err());
    }

    #[test]
    fn what_is_told_of_a_url_holds_no_password() {
        for (url, told) in [
            ("https://a.example/registry", "https://a.example/registry"),
            ("mllps://a.example:2575", "mllps://a.example:2575"),
            ("http://[::1]:80/x?token=secret", "http://[::1]:80/x"),
            ("https://a.example#secret", "https://a.example"),
        ] {
            assert_eq!(shown(url), told);
        }
        for url in [
            "https://user:secret@a.example/",
            "https://secret@a.example/",
            "https://user/secret@a.example/",
            "https://user:sec/ret@a.example/",
            "https:/user:secret@a.example/",
            "https//user:secret@a.example/",
            "htps://user:secret@a.example/",
            "https://a.example:secret/",
            "https://user:secret?@a.example/",
            "secret",
            "",
        ] {
            assert_eq!(shown(url), UNSHOWN, "{url}");
        }
    }

    #[test]
    fn what_is_allowed_is_a_server_and_nothing_of_it() {
        for text in ["https://a.example", "https://a.example:8443/"] {
            assert!(Origin::parse(text).is_ok(), "{text}");
        }
        for text in [
            "https://a.example/x",
            "https://a.example/?x",
            "https://a.example#x",
            "https://u@a.example",
            "a.example:80",
            "https://*",
        ] {
            let refused = Origin::parse(text).is_err() || text.ends_with('*');
            assert!(refused, "{text}");
        }
        let shown = Origin::parse("http://[::1]:80").map(|origin| origin.to_string());
        assert_eq!(shown.as_deref(), Ok("http://[::1]:80"));
    }
}
