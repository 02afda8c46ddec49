//! Where records are sent to, as a URL.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::Deserialize;
use thiserror::Error;

/// Bytes of the longest message that is sent in a datagram: what fits into one over IPv4.
pub const DATAGRAM_BYTES: usize = 65_507;

/// How records travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Road {
    /// RFC 5425: over TLS, each message counted in octets.
    Tls,
    /// The same without TLS, within this machine only.
    Tcp,
    /// RFC 5426: each message is a datagram. Nobody knows which of them arrive.
    Udp,
}

impl Road {
    const ALL: [Self; 3] = [Self::Tls, Self::Tcp, Self::Udp];

    const fn scheme(self) -> &'static str {
        match self {
            Self::Tls => "syslog+tls",
            Self::Tcp => "syslog+tcp",
            Self::Udp => "syslog+udp",
        }
    }

    /// The port that IANA has given it.
    const fn port(self) -> u16 {
        match self {
            Self::Tls => 6514,
            Self::Tcp | Self::Udp => 514,
        }
    }
}

/// A receiver's address: `syslog+tls://audit.example:6514`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Target {
    /// How records travel.
    pub road: Road,
    /// A name or an address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// Why an address cannot be used. It is not repeated, since somebody may have written a password
/// into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the address of a receiver {0}")]
pub struct TargetError(&'static str);

impl Target {
    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        self.host == "localhost" || address.is_some_and(|address| address.is_loopback())
    }

    /// What its files are called: letters, digits, dots and dashes.
    pub(crate) fn file_name(&self) -> String {
        let plain = |sign: char| match sign {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' => sign,
            _ => '_',
        };
        self.to_string().chars().map(plain).collect()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.road.scheme(), &self.host, self.port);
        match host.contains(':') {
            true => write!(out, "{scheme}://[{host}]:{port}"),
            false => write!(out, "{scheme}://{host}:{port}"),
        }
    }
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(address: &str) -> Result<Self, TargetError> {
        let wrong = TargetError;
        let known = "must begin with syslog+tls://, syslog+udp:// or syslog+tcp://";
        let (scheme, rest) = address.split_once("://").ok_or_else(|| wrong(known))?;
        let road = Road::ALL.into_iter().find(|road| road.scheme() == scheme);
        let road = road.ok_or_else(|| wrong(known))?;
        let (host, port) = match rest.strip_prefix('[') {
            Some(literal) => {
                let end = literal.split_once(']');
                let (host, rest) = end.ok_or_else(|| wrong("has a bracket that is not closed"))?;
                if host.parse::<std::net::Ipv6Addr>().is_err() {
                    return Err(wrong("has brackets around what is no address of IPv6"));
                }
                (host, rest)
            }
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None => port.is_empty().then(|| road.port()),
        };
        let port = port.ok_or_else(|| wrong("has no port such as :6514 at its end"))?;
        let is_plain = |sign: char| sign.is_ascii_alphanumeric() || ".:-_".contains(sign);
        if host.is_empty() || !host.chars().all(is_plain) {
            return Err(wrong("has no name or address of a host"));
        }
        Ok(Self {
            road,
            host: host.to_owned(),
            port,
        })
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;

    fn try_from(address: String) -> Result<Self, TargetError> {
        address.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn anything_can_be_read(text in "(syslog\\+(tls|tcp|udp)://)?\\PC{0,30}") {
            if let Ok(target) = text.parse::<Target>() {
                let again = target.to_string().parse();
                assert_eq!(again, Ok(target));
            }
        }
    }

    #[test]
    fn addresses() {
        for (given, shown, loopback) in [
            (
                "syslog+tls://audit.example",
                "syslog+tls://audit.example:6514",
                false,
            ),
            (
                "syslog+tls://audit.example:7",
                "syslog+tls://audit.example:7",
                false,
            ),
            ("syslog+udp://127.0.0.1", "syslog+udp://127.0.0.1:514", true),
            ("syslog+tcp://[::1]:601", "syslog+tcp://[::1]:601", true),
            (
                "syslog+tcp://localhost:601",
                "syslog+tcp://localhost:601",
                true,
            ),
        ] {
            let target: Target = given.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(target.is_loopback(), loopback, "{given}");
            assert_eq!(shown.parse::<Target>().unwrap(), target);
        }
        let target: Target = "syslog+tls://[2001:db8::1]:6514".parse().unwrap();
        assert_eq!(target.file_name(), "syslog_tls____2001_db8__1__6514");
        for wrong in [
            "audit.example:6514",
            "tls://audit.example",
            "syslog+tls://",
            "syslog+tls://:6514",
            "syslog+tls://a b:6514",
            "syslog+tls://a:0",
            "syslog+tls://a:x",
            "syslog+tls://a:6514/log",
            "syslog+tls://user@a:6514",
            "syslog+tls://[::1:6514",
            "syslog+tls://[a]:6514",
        ] {
            let refused = wrong.parse::<Target>().unwrap_err().to_string();
            assert!(!wrong.is_empty() && !refused.contains(wrong), "{refused}");
        }
    }
}
