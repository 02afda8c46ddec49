//! `[dicom]`: DICOM's own protocol, by which modalities send what they have made.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use hilum_repository::imaging::dimse::{self, DimseConfig, Peer};
use serde::Deserialize;

use super::{Config, ConfigError, is_ae_title};

/// `[dicom]`. It brings objects to the imaging source of the same node.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct DicomSection {
    /// With TLS if there is `[tls]`.
    pub(crate) listen: Option<SocketAddr>,
    /// Without TLS, for modalities that have none.
    pub(crate) listen_plain: Option<SocketAddr>,
    ae_title: Option<String>,
    #[serde(default)]
    any_called: bool,
    #[serde(default)]
    callers: Vec<String>,
    associations: Option<NonZeroU16>,
    #[serde(default)]
    node: Vec<Peer>,
}

impl DicomSection {
    /// Where it listens.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.listen.into_iter().chain(self.listen_plain)
    }

    /// How we are called, and call ourselves.
    pub(crate) fn ae_title(&self) -> &str {
        self.ae_title.as_deref().unwrap_or(dimse::AE_TITLE)
    }

    /// Associations at one time.
    pub(crate) fn associations(&self) -> usize {
        let given = self.associations.map(|it| it.get().into());
        given.unwrap_or(dimse::ASSOCIATIONS)
    }

    /// What the imaging source is told.
    pub(crate) fn config(&self, longest_object: u64) -> DimseConfig {
        DimseConfig {
            any_called: self.any_called,
            callers: self.callers.clone(),
            longest_object,
            nodes: self.node.clone(),
            ..DimseConfig::new(self.ae_title())
        }
    }

    pub(super) fn check(&self, config: &Config) -> Result<(), ConfigError> {
        let nodes = self
            .node
            .iter()
            .map(|node| ("node", node.ae_title.as_str()));
        let callers = self.callers.iter().map(|title| ("callers", title.as_str()));
        let own = ("ae_title", self.ae_title());
        for (key, title) in nodes.chain(callers).chain([own]) {
            if !is_ae_title(title) {
                return Err(ConfigError(format!(
                    "dicom.{key}: {title:?} has not 1 to 16 letters, digits or signs"
                )));
            }
        }
        if let Some(node) = self.node.iter().find(|node| node.tls)
            && config.tls.is_none()
        {
            let title = &node.ae_title;
            return Err(ConfigError(format!(
                "dicom.node: {title}: without [tls] there is no certificate to show it"
            )));
        }
        let rooms = config.rooms();
        let feed = config.feed.listen;
        for address in self.addresses() {
            if config.imaging.listen.is_none() {
                let problem = "dicom.listen: it needs the imaging source in the same node, and \
                               imaging.listen is not there";
                return Err(ConfigError(problem.to_owned()));
            }
            let others = rooms.iter().map(|(_, address)| *address).chain(feed);
            if others.into_iter().any(|other| other == address) {
                let problem = format!("dicom.listen: {address} is listened on for something else");
                return Err(ConfigError(problem));
            }
        }
        if self.listen.is_some() && self.listen == self.listen_plain {
            let problem = "dicom.listen_plain: it is the same as dicom.listen";
            return Err(ConfigError(problem.to_owned()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let text = format!(
            "home_community_id = 'urn:oid:1.2.3'\ndata = 'data'\n[affinity_domain]\n\
             patient_id_authority = '1.2.4'\ncodes = 'codes.xml'\n{text}"
        );
        Config::read(&text, std::iter::empty(), Path::new("/node")).map_err(|error| error.0)
    }

    #[test]
    fn what_is_given_and_what_is_usual() {
        let imaging = "[imaging]\nlisten = '127.0.0.1:18402'\n";
        let text = format!("{imaging}[dicom]\nlisten = '127.0.0.1:18410'");
        let config = read(&text).unwrap();
        assert_eq!(config.listeners().len(), 2);
        let dicom = config.dicom.config(7);
        assert_eq!(
            (dicom.ae_title.as_str(), dicom.longest_object),
            ("HILUM", 7)
        );
        assert!(!dicom.any_called && dicom.callers.is_empty() && dicom.nodes.is_empty());
        let text = format!(
            "{imaging}[dicom]\nlisten_plain = '0.0.0.0:104'\nae_title = 'CENTRE'\n\
             callers = ['CT1']\nassociations = 3\n\
             [[dicom.node]]\nae_title = 'CT1'\nhost = 'ct1.example'\nport = 104"
        );
        let config = read(&text).unwrap();
        let dicom = config.dicom.config(7);
        assert_eq!(dicom.ae_title, "CENTRE");
        assert_eq!(config.dicom.associations(), 3);
        assert_eq!(dicom.nodes[0].to_string(), "CT1@ct1.example:104");
        assert!(!dicom.nodes[0].tls);
    }

    #[test]
    fn what_cannot_be() {
        let imaging = "[imaging]\nlisten = '127.0.0.1:18402'\n[dicom]\n";
        let cases = [
            (
                "[dicom]\nlisten = '127.0.0.1:18410'".to_owned(),
                "imaging.listen is not there",
            ),
            (
                format!("{imaging}listen = '127.0.0.1:18402'"),
                "something else",
            ),
            (format!("{imaging}listen = '0.0.0.0:104'"), "without [tls]"),
            (
                format!("{imaging}ae_title = 'SEVENTEEN LETTERS'"),
                "dicom.ae_title",
            ),
            (format!("{imaging}callers = ['']"), "dicom.callers"),
            (
                format!("{imaging}node = [{{ ae_title = 'A', host = 'a', port = 1, tls = true }}]"),
                "no certificate",
            ),
            (
                format!("{imaging}node = [{{ ae_title = 'A', host = 'a', prot = 1 }}]"),
                "prot",
            ),
        ];
        for (text, said) in cases {
            let refused = read(&text).unwrap_err();
            assert!(refused.contains(said), "{refused}");
        }
    }
}
