//! `[[audit.send]]`: who gets every audit record.

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use hilum_audit::Audit;
use hilum_audit::sender::{
    DATAGRAMS_PER_SECOND, KEEP_DAYS, RECORDS_PER_SECOND, Receiver, Road, SenderConfig, Target,
};
use hilum_security::iti19_authenticate_node::{self as iti19, ClientTls};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Config, ConfigError};
use crate::client;

/// One receiver. Where nothing but its address is to be said, the address alone will do.
#[derive(Debug, Clone)]
pub(super) struct SendSection {
    to: Target,
    records_per_second: Option<NonZeroU32>,
    trust: Option<Vec<PathBuf>>,
}

/// The same as a table.
#[derive(Deserialize)]
struct Table {
    to: Target,
    records_per_second: Option<NonZeroU32>,
    trust: Option<Vec<PathBuf>>,
}

impl<'de> Deserialize<'de> for SendSection {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AddressOrTable)
    }
}

struct AddressOrTable;

impl<'de> Visitor<'de> for AddressOrTable {
    type Value = SendSection;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(
            "an address such as \"syslog+tls://audit.example:6514\", or a table with `to`",
        )
    }

    fn visit_str<E: de::Error>(self, address: &str) -> Result<SendSection, E> {
        Ok(SendSection {
            to: address.parse().map_err(E::custom)?,
            records_per_second: None,
            trust: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SendSection, A::Error> {
        let table = Table::deserialize(MapAccessDeserializer::new(map))?;
        Ok(SendSection {
            to: table.to,
            records_per_second: table.records_per_second,
            trust: table.trust,
        })
    }
}

impl SendSection {
    pub(super) fn resolve(&mut self, folder: &Path) {
        for path in self.trust.iter_mut().flatten() {
            *path = folder.join(&*path);
        }
    }

    fn rate(&self) -> NonZeroU32 {
        let usual = match self.to.road {
            Road::Udp => DATAGRAMS_PER_SECOND,
            Road::Tls | Road::Tcp => RECORDS_PER_SECOND,
        };
        let rate = self.records_per_second.or(NonZeroU32::new(usual));
        rate.unwrap_or(NonZeroU32::MIN)
    }
}

impl Config {
    /// Records are about patients: without encryption, they stay on this machine, unless datagrams are
    /// asked for by name.
    pub(super) fn check_sending(&self) -> Result<(), ConfigError> {
        let mut known: Vec<&Target> = Vec::new();
        for section in &self.audit.send {
            let target = &section.to;
            let problem = match target.road {
                Road::Tls if self.tls.is_none() => {
                    "without [tls] there is no certificate to show it"
                }
                Road::Tcp if !target.is_loopback() => {
                    "only a receiver on this machine may be sent records without encryption"
                }
                _ if known.contains(&target) => "it is there twice",
                _ => {
                    known.push(target);
                    continue;
                }
            };
            return Err(ConfigError(format!("audit.send: {target}: {problem}")));
        }
        Ok(())
    }

    /// Who gets audit records, and how; nobody if nobody is named. That a receiver is not authenticated
    /// is recorded in `audit`.
    pub(crate) fn sender(&self, audit: Option<&Audit>) -> anyhow::Result<Option<SenderConfig>> {
        if self.audit.send.is_empty() {
            return Ok(None);
        }
        let receivers = self.audit.send.iter().map(|section| {
            let target = section.to.clone();
            let tls = self.tls_to(section);
            let mut tls = tls.with_context(|| format!("[[audit.send]] {target}"))?;
            if let Some(audit) = audit {
                let audit = audit.clone();
                let witness = client::witness(move || Some(audit.clone()));
                tls = tls.map(|tls| tls.witnessed(witness));
            }
            anyhow::Ok(Receiver {
                target,
                tls,
                records_per_second: section.rate(),
            })
        });
        let days = self.audit.keep_days.unwrap_or(KEEP_DAYS);
        Ok(Some(SenderConfig {
            receivers: receivers.collect::<Result<_, _>>()?,
            spool: self.spool(),
            clients: self.client_spools(),
            keep: Duration::from_secs(u64::from(days) * 24 * 60 * 60),
            limits: self.limits.clone(),
        }))
    }

    /// The addresses of those who get audit records.
    pub(crate) fn audit_targets(&self) -> Vec<Target> {
        let sections = self.audit.send.iter();
        sections.map(|section| section.to.clone()).collect()
    }

    /// Our certificate, and whom the receiver must have its own from.
    fn tls_to(&self, section: &SendSection) -> anyhow::Result<Option<ClientTls>> {
        let Some(mut files) = self.tls_files() else {
            return Ok(None);
        };
        if section.to.road != Road::Tls {
            return Ok(None);
        }
        if let Some(trust) = &section.trust {
            files.trust.clone_from(trust);
        }
        Ok(Some(iti19::client_config(&files)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "home_community_id = 'urn:oid:1.2.3'\ndata = 'data'\n\
        [affinity_domain]\npatient_id_authority = '1.2.4'\ncodes = 'codes.xml'\n";

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let variables = environment
            .iter()
            .map(|(name, value)| (name.into(), value.into()));
        let text = format!("{MINIMAL}{text}");
        Config::read(&text, variables, Path::new("/node")).map_err(|error| error.0)
    }

    fn rates(config: &Config) -> Vec<(String, u32)> {
        let sender = config.sender(None).unwrap().unwrap();
        let receivers = sender.receivers.iter();
        let rate = |it: &Receiver| (it.target.to_string(), it.records_per_second.get());
        receivers.map(rate).collect()
    }

    #[test]
    fn receivers_are_named() {
        assert!(read("", &[]).unwrap().sender(None).unwrap().is_none());
        let text = "[audit]\nkeep_days = 7\n[[audit.send]]\nto = 'syslog+udp://a.example'\n\
                    [[audit.send]]\nto = 'syslog+tcp://127.0.0.1:601'\nrecords_per_second = 9";
        let config = read(text, &[]).unwrap();
        let expected = [
            (
                "syslog+udp://a.example:514".to_owned(),
                DATAGRAMS_PER_SECOND,
            ),
            ("syslog+tcp://127.0.0.1:601".to_owned(), 9),
        ];
        assert_eq!(rates(&config), expected);
        let sender = config.sender(None).unwrap().unwrap();
        assert_eq!(sender.keep, Duration::from_secs(7 * 86_400));
        assert_eq!(sender.clients, Path::new("/node/data/audit/clients"));
        let given = [(
            "HILUM_AUDIT__SEND",
            "syslog+udp://a.example, syslog+tcp://[::1]:7",
        )];
        let config = read("", &given).unwrap();
        assert_eq!(rates(&config)[1].0, "syslog+tcp://[::1]:7");
        let given = [("HILUM_AUDIT__KEEP_DAYS", "1")];
        assert!(read("", &given).unwrap().sender(None).unwrap().is_none());
    }

    #[test]
    fn receivers_that_cannot_be() {
        let send = |address: &str| format!("[[audit.send]]\nto = '{address}'\n");
        for (text, said) in [
            (send("syslog+tls://a.example"), "without [tls]"),
            (send("syslog+tcp://a.example"), "on this machine"),
            (send("tcp://a.example"), "syslog+tls://"),
            (send("syslog+udp://a").repeat(2), "twice"),
            (
                "[[audit.send]]\nto = 'syslog+udp://a'\nrecords_per_secnd = 1".to_owned(),
                "did you mean audit.send.records_per_second?",
            ),
            ("[audit]\nsend = 7".to_owned(), "[[audit.send]]"),
        ] {
            let refused = read(&text, &[]).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
