//! A region: communities that know each other, each a town of its own.

use std::fs::File;
use std::io::Write;

use xds_schemas::ebrs::AdhocQueryResponse;
use xds_schemas::transaction::Transaction;

use hilum_transport::ClientError;

use xds_schemas::metadata::PatientId;

use crate::calls::{CrossQuery, Query, Raw, RetrieveResponse, Retrieved, received};
use crate::namespaces::Namespaces;
use crate::people::configure;
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
        Self::found_with(communities, plain, lines, &[])
    }

    /// The same, each with these variables in its environment.
    pub fn found_with(
        communities: usize,
        plain: bool,
        lines: &str,
        environment: &[(String, String)],
    ) -> Self {
        let setup = |_| Setup {
            environment: environment.to_vec(),
            plain,
            ..Setup::default()
        };
        let said = (|_, _| lines.to_owned(), nothing);
        Self::linked(communities, said, setup, |_, town| town.responding())
    }

    /// So many communities over plain HTTP, each with an authority of patient IDs of its own. `lines` says
    /// more of the second community to the first, `gateway` more of a community's own gateway.
    pub fn of_authorities(
        communities: usize,
        lines: impl Fn(usize, usize) -> String,
        gateway: impl Fn(usize) -> String,
    ) -> Self {
        let setup = |number| Setup {
            plain: true,
            authority: Some(authority(number)),
            ..Setup::default()
        };
        let said = (lines, gateway);
        Self::linked(communities, said, setup, |_, town| town.responding())
    }

    /// The same over plain HTTP, where each community is asked through a line of its own. The
    /// environment is that of all nodes.
    pub fn wired(
        communities: usize,
        lines: &str,
        environment: &[(&str, String)],
    ) -> (Self, Vec<Wire>) {
        let mut wires: Vec<Wire> = Vec::new();
        let setup = |_| Setup {
            plain: true,
            environment: owned(environment),
            ..Setup::default()
        };
        let said = (|_, _| lines.to_owned(), nothing);
        let region = Self::linked(communities, said, setup, |number, town| {
            debug_assert_eq!(number, wires.len());
            let wire = Wire::to(town.port(3));
            let url = format!("http://localhost:{}/responding", wire.port());
            wires.push(wire);
            url
        });
        (region, wires)
    }

    /// The same with mutual TLS, where each community has a network of its own.
    pub fn in_namespaces(
        namespaces: &Namespaces,
        communities: usize,
        lines: &str,
        environment: &[(&str, String)],
    ) -> Self {
        let setup = |number| Setup {
            namespace: Some(namespaces.name(number)),
            environment: owned(environment),
            ..Setup::default()
        };
        let said = (|_, _| lines.to_owned(), nothing);
        Self::linked(communities, said, setup, |number, town| {
            let address = namespaces.address(number);
            let issued = town.run(&["certs", "here", "--reached-as", &address]);
            assert!(issued.status.success(), "{issued:?}");
            let port = town.port(3);
            town.set("HILUM_TLS__CERTIFICATE", "certs/here.pem");
            town.set("HILUM_TLS__KEY", "certs/here.key");
            town.set("HILUM_GATEWAY__LISTEN", &format!("0.0.0.0:{port}"));
            format!("https://{address}:{port}/responding")
        })
    }

    /// The same, where `setup` says how each town is, and `url` at which URL it is asked. `lines` says more
    /// of the second community to the first, `gateway` more of a community's own gateway.
    fn linked(
        communities: usize,
        (lines, gateway): (impl Fn(usize, usize) -> String, impl Fn(usize) -> String),
        setup: impl Fn(usize) -> Setup,
        mut url: impl FnMut(usize, &mut Town) -> String,
    ) -> Self {
        let setup = |number: usize| Setup {
            home: Some(home(number)),
            repository: Some(repository(number)),
            // What a gateway asks is recorded by those whom it asks, too.
            uncounted: true,
            ..setup(number)
        };
        let plain = setup(0).plain;
        let mut towns: Vec<Town> = (0..communities)
            .map(|number| Town::set_up(setup(number)))
            .collect();
        let at = towns.iter_mut().enumerate();
        let urls: Vec<String> = at.map(|(number, town)| url(number, town)).collect();
        for (number, town) in towns.iter().enumerate() {
            let mut known = String::new();
            for (other, url) in urls.iter().enumerate().filter(|(it, _)| *it != number) {
                known.push_str(&format!(
                    "\n[[gateway.community]]\nhome_community_id = \"urn:oid:{}\"\nname = \"town {other}\"\n\
                     url = \"{url}\"\nwado_url = \"{}\"\n{}\n",
                    home(other),
                    url.replace("/responding", "/responding-wado-rs"),
                    lines(number, other),
                ));
            }
            configure(&towns[number], &[("gateway", &gateway(number))]);
            if setup(number).authority.is_some() {
                // So that a name that is out of date is noticed.
                let refuse = "unknown_patients_in_queries = \"refuse\"";
                let sections = [("affinity_domain", refuse), ("registry", DEMOGRAPHICS)];
                configure(&towns[number], &sections);
            }
            let mut config = File::options()
                .append(true)
                .open(town.config())
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

fn nothing(_: usize) -> String {
    String::new()
}

fn owned(environment: &[(&str, String)]) -> Vec<(String, String)> {
    let variables = environment.iter();
    variables
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

/// `homeCommunityId` of a town, without `urn:oid:`.
pub fn home(number: usize) -> String {
    format!("2.999.2.{}", number + 1)
}

/// That a registry knows who its patients are.
pub const DEMOGRAPHICS: &str = "demographics = true";

/// The authority of patient IDs of a town with its own.
pub fn authority(number: usize) -> String {
    format!("2.999.1.{}", number + 1)
}

/// A patient of such a town.
pub fn patient_of(number: usize, id: &str) -> PatientId {
    PatientId::new(id, authority(number))
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
