//! Where notifications may be sent. Addresses come from whoever subscribes, and this registry
//! reaches what its subscribers may not: so only what the operator names is called.

use std::fmt;
use std::net::IpAddr;

use anyhow::bail;

/// Scheme, host and port of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    tls: bool,
    /// In lower case; IPv6 without its brackets.
    host: String,
    port: u16,
}

impl Destination {
    /// Reads a URL. Whatever one program could read differently from another is refused: user
    /// names, characters that do not belong into a host, and anything that must be escaped.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        if !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['\\', '"', '<', '>']) {
            return Err("it has characters that a URL cannot have");
        }
        let (scheme, rest) = url.split_once("://").ok_or("it is not a URL")?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err("only https and http can be called"),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if rest.contains('#') {
            return Err("it has a fragment");
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(literal) => {
                let (host, port) = literal.split_once(']').ok_or("its host is garbled")?;
                let is_address = host.parse::<std::net::Ipv6Addr>().is_ok();
                (
                    is_address.then_some(host).ok_or("its host is garbled")?,
                    port,
                )
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if host.is_empty() || (!authority.starts_with('[') && !host.bytes().all(is_host)) {
            return Err("its host is garbled");
        }
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => Some(if tls { 443 } else { 80 }),
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok(),
            _ => None,
        };
        Ok(Self {
            tls,
            host: host.to_ascii_lowercase(),
            port: port.filter(|port| *port > 0).ok_or("its port is garbled")?,
        })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|it| it.to_canonical().is_loopback())
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(out, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(out, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// The destinations that are allowed.
#[derive(Debug)]
pub(crate) struct Destinations(Vec<Destination>);

impl Destinations {
    /// Reads them as they are configured: URLs without a path.
    pub(crate) fn of(urls: &[String]) -> anyhow::Result<Self> {
        let mut allowed = Vec::with_capacity(urls.len());
        for (number, url) in (1..).zip(urls) {
            // A password may stand in it, so it is not repeated.
            let destination = match Destination::parse(url) {
                Ok(destination) => destination,
                Err(problem) => bail!("number {number}: {problem}"),
            };
            let (_, behind) = url.split_once("://").unwrap_or_default();
            if behind
                .find(['/', '?'])
                .is_some_and(|at| &behind[at..] != "/")
            {
                bail!("number {number}: the address of a machine is expected, without a path");
            }
            allowed.push(destination);
        }
        Ok(Self(allowed))
    }

    /// The destination of a URL, if it is allowed.
    ///
    /// # Errors
    /// Says why not.
    pub(crate) fn allow(&self, url: &str) -> Result<Destination, String> {
        let destination = Destination::parse(url).map_err(str::to_owned)?;
        let allowed = match self.0.is_empty() {
            true => destination.is_loopback(),
            false => self.0.contains(&destination),
        };
        match allowed {
            true => Ok(destination),
            false => Err(format!(
                "{destination} is not among those that may be notified"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        Destination::parse(url).map_or_else(str::to_owned, |it| it.to_string())
    }

    #[test]
    fn urls() {
        for (url, expected) in [
            ("https://A.example/x?y", "https://a.example:443"),
            ("HTTP://a.example:8080", "http://a.example:8080"),
            ("http://[::1]:80/", "http://[::1]:80"),
        ] {
            assert_eq!(shown(url), expected);
        }
        for url in [
            "",
            "a.example",
            "ftp://a.example/",
            "https:///x",
            "https://user@a.example/",
            "https://a.example:0/",
            "https://a.example:99999/",
            "https://a.example:/",
            "https://a.example\\@b.example/",
            "https://a example/",
            "https://a.example/#x",
            "https://[::1/",
            "https://[a.example]/",
            "https://[::1]x/",
            "https://a.example:80:80/",
            "http://127.0.0.1:80@evil.example/",
            "https://%61.example/",
            "https://ä.example/",
            "http://127.0.0.1\r\nX: y/",
        ] {
            assert!(Destination::parse(url).is_err(), "{url:?}");
        }
    }

    #[test]
    fn only_this_machine_unless_others_are_named() {
        let default = Destinations::of(&[]).unwrap();
        for url in [
            "http://localhost:1/",
            "https://127.1.2.3/x",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
        ] {
            assert!(default.allow(url).is_ok(), "{url}");
        }
        for url in [
            "http://192.0.2.1/",
            "http://localhost.example/",
            "http://0.0.0.0/",
            "http://[::]/",
        ] {
            assert!(default.allow(url).is_err(), "{url}");
        }
        let named = Destinations::of(&["https://a.example".to_owned()]).unwrap();
        assert!(named.allow("https://A.EXAMPLE:443/b/c").is_ok());
        for url in [
            "https://a.example:444/",
            "http://a.example:443/",
            "https://a.example.evil/",
            "http://localhost/",
        ] {
            assert!(named.allow(url).is_err(), "{url}");
        }
    }

    #[test]
    fn machines_are_named_without_a_path() {
        for url in ["https://a.example/x", "a.example", "https://a.example/?x"] {
            assert!(Destinations::of(&[url.to_owned()]).is_err(), "{url}");
        }
        assert!(Destinations::of(&["https://a.example:8443/".to_owned()]).is_ok());
    }
}
