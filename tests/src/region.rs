//! A region: communities that know each other, each a town of its own.

use std::fs::File;
use std::io::Write;

use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::transaction::Transaction;

use hilum_transport::ClientError;

use crate::calls::{CrossQuery, Query, Raw, RetrieveResponse, Retrieved, received};
use crate::town::{Setup, Town};
use crate::wire::Wire;

/// Towns with gateways. Nobody is in two of them.
#[derive(Debug)]
pub struct Region {
    /// The towns.
    pub towns: Vec<Town>,
}

impl Region {
    /// So many communities over plain HTTP, each of which knows all others.
    pub fn plain(communities: usize) -> Self {
        Self::found(communities, true, "")
    }

    /// The same with mutual TLS; each trusts the authorities of the others.
    pub fn secure(communities: usize) -> Self {
        Self::found(communities, false, "")
    }

    /// The same, with more lines in what is said of each community.
    pub fn found(communities: usize, plain: bool, lines: &str) -> Self {
        Self::linked(communities, plain, lines, &[], |_, town| town.responding())
    }

    /// The same over plain HTTP, where each community is asked through a line of its own. The
    /// environment is that of all nodes.
    pub fn wired(
        communities: usize,
        lines: &str,
        environment: &[(&str, String)],
    ) -> (Self, Vec<Wire>) {
        let mut wires: Vec<Wire> = Vec::new();
        let region = Self::linked(communities, true, lines, environment, |number, town| {
            debug_assert_eq!(number, wires.len());
            let wire = Wire::to(town.port(3));
            let url = format!("http://localhost:{}/responding", wire.port());
            wires.push(wire);
            url
        });
        (region, wires)
    }

    /// The same, where `url` says at which URL a community is asked, from its number and its town.
    fn linked(
        communities: usize,
        plain: bool,
        lines: &str,
        environment: &[(&str, String)],
        mut url: impl FnMut(usize, &Town) -> String,
    ) -> Self {
        let environment: Vec<(String, String)> = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let setup = |number: usize| Setup {
            plain,
            home: Some(home(number)),
            repository: Some(repository(number)),
            // What a gateway asks is recorded by those whom it asks, too.
            uncounted: true,
            environment: environment.clone(),
            ..Setup::default()
        };
        let mut towns: Vec<Town> = (0..communities)
            .map(|number| Town::set_up(setup(number)))
            .collect();
        let at = towns.iter().enumerate();
        let urls: Vec<String> = at.map(|(number, town)| url(number, town)).collect();
        for number in 0..communities {
            let mut known = String::new();
            for (other, url) in urls.iter().enumerate().filter(|(it, _)| *it != number) {
                known.push_str(&format!(
                    "\n[[gateway.community]]\nhome_community_id = \"urn:oid:{}\"\nname = \"town {other}\"\n\
                     url = \"{url}\"\n{lines}\n",
                    home(other),
                ));
            }
            let mut config = File::options()
                .append(true)
                .open(towns[number].config())
                .expect("a configuration");
            config
                .write_all(known.as_bytes())
                .expect("it can be changed");
        }
        if !plain {
            let authorities: Vec<String> = towns
                .iter()
                .map(|town| town.node().join("certs/ca.pem").display().to_string())
                .collect();
            for town in &mut towns {
                town.set("HILUM_TLS__TRUST", &authorities.join(","));
            }
        }
        towns.iter_mut().for_each(Town::start);
        Self { towns }
    }
}

/// `homeCommunityId` of a town, without `urn:oid:`.
pub fn home(number: usize) -> String {
    format!("2.999.2.{}", number + 1)
}

/// `repositoryUniqueId` of a town.
pub fn repository(number: usize) -> String {
    format!("2.999.3.{}", number + 1)
}

impl Town {
    /// ITI-18 to the town's own gateway.
    pub async fn query_everywhere(
        &self,
        request: String,
    ) -> Result<AdhocQueryResponse, ClientError> {
        let url = self.initiating();
        let request = Raw(request);
        let sent = self.client.send::<Query>(&url, &request, Vec::new());
        Ok(sent.await?.response)
    }

    /// ITI-38, as another community asks it.
    pub async fn query_across(&self, request: String) -> Result<AdhocQueryResponse, ClientError> {
        let url = self.responding();
        let request = Raw(request);
        let sent = self.client.send::<CrossQuery>(&url, &request, Vec::new());
        Ok(sent.await?.response)
    }

    /// A retrieval, with all documents taken.
    pub async fn retrieve_at<T>(&self, url: &str, request: String) -> Result<Retrieved, ClientError>
    where
        T: Transaction<Request = Raw, Response = RetrieveResponse>,
    {
        let answer = self
            .client
            .send::<T>(url, &Raw(request), Vec::new())
            .await?;
        Ok(received(answer.response, answer.attachments).await)
    }
}
