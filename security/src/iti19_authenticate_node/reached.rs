//! Whether a node that calls is the one that is reached at a host: its certificate is for that host.

use std::net::IpAddr;

use openssl::x509::X509;

use super::rules::alternatives;
use crate::caller::NodeName;

impl NodeName {
    /// Whether the certificate that the node showed is for `host`, as it would have to be if the node were
    /// called there: names stand among the alternative names only (RFC 9525), and a wildcard is one whole
    /// label, the first.
    pub fn is_reached_as(&self, host: &str) -> bool {
        let Some(certificate) = &self.certificate.0 else {
            return false;
        };
        let Ok(certificate) = X509::from_der(certificate) else {
            return false;
        };
        alternatives(&certificate)
            .iter()
            .any(|name| is_for(name, host))
    }
}

fn is_for(name: &str, host: &str) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        return name.parse() == Ok(address);
    }
    let host = host.trim_end_matches('.');
    match name.strip_prefix("*.") {
        Some(domain) => host
            .split_once('.')
            .is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain)),
        None => name.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::development_ca::Identity;

    #[test]
    fn a_node_is_reached_where_its_certificate_is_for() {
        let authority = Identity::authority("CA", 1).unwrap();
        let names = ["gateway.north.example", "*.south.example", "192.0.2.7"].map(str::to_owned);
        let node = authority.issue("west.example", &names, 1).unwrap();
        let node = NodeName::of(&node.certificate).unwrap();
        for host in [
            "gateway.north.example",
            "Gateway.North.Example.",
            "a.south.example",
            "192.0.2.7",
        ] {
            assert!(node.is_reached_as(host), "{host}");
        }
        for host in [
            "",
            "west.example",
            "north.example",
            "south.example",
            "a.b.south.example",
            "192.0.2.8",
            "*.south.example.org",
        ] {
            assert!(!node.is_reached_as(host), "{host}");
        }
        let unshown = NodeName {
            certificate: crate::caller::Shown::default(),
            ..node
        };
        assert!(!unshown.is_reached_as("gateway.north.example"));
    }
}
